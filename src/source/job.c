/* A claimed job: see job.h. */
#include "source/job.h"

#include <apr_escape.h>
#include <apr_general.h>
#include <apr_strings.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"
#include "base/trace.h"
#include "source/queue.h"

/* Longer ones are not sent back. */
#define VALIDATOR_MAX_BYTES 1000

/* How much of a content type is kept. */
#define TYPE_MAX_BYTES 200

/* A copy of a column; NULL: SQL NULL */
static const char *column(const dsapi_rows_t *rows, int row, int n,
                          apr_pool_t *pool)
{
    return apr_pstrdup(pool, dsapi_rows_value(NULL, rows, row, n));
}

dsapi_job_t *dsapi_job_make(const dsapi_source_t *source,
                            const dsapi_rows_t *rows, int row,
                            apr_pool_t *parent)
{
    const char *definition;
    apr_pool_t *pool;
    dsapi_job_t *job;

    apr_pool_create(&pool, parent);
    apr_pool_tag(pool, "dsapi_job");
    job = apr_pcalloc(pool, sizeof(*job));
    job->pool = pool;
    job->source = source;
    job->store = source->store;
    job->id = column(rows, row, 0, pool);
    job->token = column(rows, row, 1, pool);
    job->params = column(rows, row, 3, pool);
    job->attempts = (int)apr_atoi64(dsapi_rows_value(NULL, rows, row, 4));
    job->trace = column(rows, row, 6, pool);
    definition = dsapi_rows_value(NULL, rows, row, 7);
    if (definition && source->definition && !source->post &&
        strcmp(definition, source->definition) == 0) {
        job->known.etag = column(rows, row, 8, pool);
        job->known.last_modified = column(rows, row, 9, pool);
    }
    return job;
}

void dsapi_job_append(dsapi_job_t **plist, dsapi_job_t *job)
{
    while (*plist) {
        plist = &(*plist)->next;
    }
    *plist = job;
}

void dsapi_job_drop(dsapi_job_t **plist, dsapi_job_t *job)
{
    while (*plist != job) {
        plist = &(*plist)->next;
    }
    *plist = job->next;
    apr_pool_destroy(job->pool);
}

dsapi_job_t *dsapi_job_in(dsapi_job_t *list, dsapi_phase_e phase)
{
    while (list && list->phase != phase) {
        list = list->next;
    }
    return list;
}

dsapi_job_t *dsapi_job_of(dsapi_job_t *list, const char *id)
{
    while (list && strcmp(list->id, id) != 0) {
        list = list->next;
    }
    return list;
}

static apr_uint32_t random_bits(void)
{
    apr_uint32_t bits = 0;

    if (apr_generate_random_bytes((unsigned char *)&bits, sizeof(bits)) !=
        APR_SUCCESS) {
        bits = (apr_uint32_t)apr_time_now();
    }
    return bits;
}

void dsapi_job_fail(dsapi_job_t *job, const char *error, int retry,
                    apr_interval_time_t retry_after)
{
    job->phase = DSAPI_PHASE_FAIL;
    job->error = apr_pstrdup(job->pool, error);
    job->retry_in =
        retry ? dsapi_source_backoff(&job->source->retry, job->attempts,
                                     random_bits(), retry_after)
              : -1;
}

static int has_header(const apr_array_header_t *headers, const char *name)
{
    apr_size_t len = strlen(name);

    for (int i = 0; i < headers->nelts; i++) {
        if (strncasecmp(APR_ARRAY_IDX(headers, i, const char *), name, len) ==
            0) {
            return 1;
        }
    }
    return 0;
}

/* The source's headers, the trace of whoever asked for the job, the type of
 * what is posted, and by what we know the answer that is stored. */
static const apr_array_header_t *make_headers(const dsapi_job_t *job)
{
    apr_array_header_t *headers =
        apr_array_copy(job->pool, job->source->headers);

    if (job->trace) {
        unsigned char random[DSAPI_TRACE_RANDOM_BYTES] = {0};
        char trace[DSAPI_TRACE_SIZE];

        apr_generate_random_bytes(random, sizeof(random));
        dsapi_base_trace(trace, job->trace, random);
        APR_ARRAY_PUSH(headers, const char *) =
            apr_pstrcat(job->pool, "traceparent: ", trace, NULL);
    }
    if (job->source->post && !has_header(headers, "Content-Type:")) {
        APR_ARRAY_PUSH(headers, const char *) = "Content-Type: "
                                                "application/json";
    }
    if (job->known.etag) {
        APR_ARRAY_PUSH(headers, const char *) =
            apr_pstrcat(job->pool, "If-None-Match: ", job->known.etag, NULL);
    }
    if (job->known.last_modified) {
        APR_ARRAY_PUSH(headers, const char *) = apr_pstrcat(
            job->pool, "If-Modified-Since: ", job->known.last_modified, NULL);
    }
    return headers;
}

void dsapi_job_fetch(dsapi_job_t *job, dsapi_client_t *client)
{
    const dsapi_source_t *source = job->source;
    apr_table_t *vars;
    dsapi_err_t *err;
    dsapi_transfer_t *transfer;
    apr_status_t rv = dsapi_source_values(&job->values, &vars, &err, source,
                                          job->params, job->pool);

    if (rv == APR_SUCCESS) {
        rv = dsapi_source_expand(&job->fetch.url, &err, source->url, vars,
                                 job->pool, job->pool);
    }
    if (rv != APR_SUCCESS) {
        dsapi_job_fail(job, err->detail, 0, 0);
        return;
    }
    if (source->post) {
        job->fetch.post =
            dsapi_source_body(source, job->values, job->params, job->pool);
    }
    job->fetch.headers = make_headers(job);
    job->fetch.hosts = source->hosts;
    job->fetch.proxy = source->proxy;
    job->fetch.ca = source->ca;
    job->fetch.timeout = source->timeout;
    job->fetch.connect_timeout = source->connect_timeout;
    job->fetch.stall_timeout = source->stall_timeout;
    job->fetch.max_body_bytes = source->max_body_bytes;
    job->fetch.baton = job;
    apr_pool_create(&job->transfer_pool, job->pool);
    apr_pool_tag(job->transfer_pool, "dsapi_job_transfer");
    if (dsapi_client_start(&transfer, client, &job->fetch,
                           job->transfer_pool) != APR_SUCCESS) {
        dsapi_job_abort(job);
        dsapi_job_fail(job, "the request could not be made", 1, 0);
    }
}

void dsapi_job_abort(dsapi_job_t *job)
{
    if (job->transfer_pool) {
        apr_pool_destroy(job->transfer_pool);
        job->transfer_pool = NULL;
    }
}

/* Keep how an answer begins. What the upstream may have repeated of our
 * secrets is made unreadable. */
static void keep_answer(dsapi_job_t *job, const dsapi_response_t *resp)
{
    const apr_array_header_t *secrets = job->source->secrets;
    apr_size_t len = resp->body_bytes < DSAPI_JOB_KEPT_BYTES
                         ? resp->body_bytes
                         : DSAPI_JOB_KEPT_BYTES;
    char *body = apr_pstrmemdup(job->pool, resp->body ? resp->body : "", len);
    const char *type;

    for (int i = 0; secrets && i < secrets->nelts; i++) {
        const char *secret = APR_ARRAY_IDX(secrets, i, const char *);
        apr_size_t n = strlen(secret);
        char *p = body;

        while (n > 0 &&
               (p = memmem(p, len - (apr_size_t)(p - body), secret, n))) {
            memset(p, '*', n);
        }
    }
    job->status = resp->status;
    type = resp->content_type
               ? apr_pstrndup(job->pool, resp->content_type, TYPE_MAX_BYTES)
               : "";
    job->type =
        *type && dsapi_base_utf8_valid(type, strlen(type)) ? type : NULL;
    job->body = body;
    job->body_bytes = len;
}

/* What can be stored and sent back. @return a copy; NULL: it cannot */
static const char *validator(const char *value, apr_pool_t *pool)
{
    apr_size_t len = value ? strlen(value) : 0;

    for (apr_size_t i = 0; i < len; i++) {
        if (value[i] < ' ' || value[i] > '~') {
            return NULL;
        }
    }
    return len > 0 && len <= VALIDATOR_MAX_BYTES ? apr_pstrdup(pool, value)
                                                 : NULL;
}

/* What is stored is what the upstream has. */
static void take_unchanged(dsapi_job_t *job)
{
    apr_array_header_t *store =
        apr_array_make(job->pool, 1, sizeof(dsapi_statement_t));
    dsapi_statement_t *st = apr_array_push(store);

    st->sql = dsapi_sql_literal("SELECT true AS unchanged", 0, job->pool);
    job->store = store;
    job->got = job->known;
    job->phase = DSAPI_PHASE_STORE;
}

void dsapi_job_take(dsapi_job_t *job, const dsapi_response_t *resp)
{
    dsapi_json_slice_t body;
    dsapi_err_t *err;
    int retry;

    keep_answer(job, resp);
    if (resp->status == 304 && !resp->transport &&
        (job->known.etag || job->known.last_modified)) {
        take_unchanged(job);
    }
    else if (dsapi_source_judge(&body, &retry, &err, &job->source->expect, resp,
                                job->pool) == APR_SUCCESS) {
        job->phase = DSAPI_PHASE_STORE;
        job->values[job->source->params->nelts] =
            apr_pstrmemdup(job->pool, body.p, body.len_bytes);
        if (resp->status == 200 && !job->source->post) {
            job->got.etag = validator(resp->etag, job->pool);
            job->got.last_modified = validator(resp->last_modified, job->pool);
        }
    }
    else {
        dsapi_job_fail(
            job, err->detail, retry,
            dsapi_source_retry_after(resp->retry_after, apr_time_now()));
    }
    dsapi_job_abort(job); /* the answer's bytes go with it */
}

void dsapi_job_put_finish(dsapi_link_t *link, const dsapi_job_t *job,
                          apr_pool_t *pool)
{
    dsapi_queue_finish(dsapi_link_call(link), job->id, job->token, job->result,
                       pool);
    dsapi_queue_remember(dsapi_link_call(link), job->id,
                         job->source->definition, job->got.etag,
                         job->got.last_modified, pool);
}

void dsapi_job_put_fail(dsapi_link_t *link, const dsapi_job_t *job,
                        apr_pool_t *pool)
{
    if (job->status > 0) {
        dsapi_queue_keep_answer(
            dsapi_link_call(link), job->id, job->token, job->status, job->type,
            apr_pescape_hex(pool, job->body, job->body_bytes, 0), pool);
    }
    dsapi_queue_fail(dsapi_link_call(link), job->id, job->token, job->error,
                     job->retry_in, pool);
}
