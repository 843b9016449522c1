/* A claimed job: see job.h. */
#include "source/job.h"

#include <apr_escape.h>
#include <apr_general.h>
#include <apr_strings.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"
#include "base/trace.h"
#include "db/sqlstate.h"
#include "route/result.h"
#include "source/queue.h"
#include "source/resolve.h"
#include "source/spare.h"

/* Longer ones are not sent back. */
#define VALIDATOR_MAX_BYTES 1000

/* How often the SQL of one answer is begun anew after a deadlock or a broken
 * connection, before the attempt counts as failed. */
#define TRIES_MAX 3

/* statement_timeout of the SQL that takes a place in a rate. */
#define SLOT_LIMIT apr_time_from_sec(5)

/* How much of a content type is kept. */
#define TYPE_MAX_BYTES 200

/* A copy of a column; NULL: SQL NULL */
static const char *column(const dsapi_rows_t *rows, int row, int n,
                          apr_pool_t *pool)
{
    return apr_pstrdup(pool, dsapi_rows_value(NULL, rows, row, n));
}

/* Is a source asked whether an answer is still the same? Not where the same
 * parameters may stand for another request, or are several. */
static int asks_again(const dsapi_source_t *source)
{
    return !source->post && source->follow.max == 0 && !source->resolve;
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
    apr_pool_create(&job->page_pool, pool);
    apr_pool_tag(job->page_pool, "dsapi_job_page");
    job->phase = DSAPI_PHASE_FETCH;
    job->source = source;
    job->store = source->store;
    job->id = column(rows, row, 0, pool);
    job->token = column(rows, row, 1, pool);
    job->params = column(rows, row, 3, pool);
    job->attempts = (int)apr_atoi64(dsapi_rows_value(NULL, rows, row, 4));
    job->trace = column(rows, row, 6, pool);
    definition = dsapi_rows_value(NULL, rows, row, 7);
    if (source->follow.max > 0) {
        job->pages = (int)apr_atoi64(dsapi_rows_value(NULL, rows, row, 10));
        job->page = column(rows, row, 11, pool);
    }
    if (definition && source->definition && asks_again(source) &&
        strcmp(definition, source->definition) == 0) {
        job->known.etag = column(rows, row, 8, pool);
        job->known.last_modified = column(rows, row, 9, pool);
    }
    return job;
}

dsapi_job_t *dsapi_job_claimed(const apr_array_header_t *sources,
                               const dsapi_rows_t *rows, int row,
                               apr_pool_t *parent)
{
    const char *name = dsapi_rows_value(NULL, rows, row, 2);

    for (int i = 0; i < sources->nelts; i++) {
        const dsapi_source_t *source =
            APR_ARRAY_IDX(sources, i, const dsapi_source_t *);

        if (strcmp(source->name, name) == 0) {
            return dsapi_job_make(source, rows, row, parent);
        }
    }
    return NULL;
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
 * what is posted, and by what we know the answer that is stored. None of it is
 * another origin's business. */
static const apr_array_header_t *make_headers(const dsapi_job_t *job)
{
    apr_pool_t *pool = job->page_pool;
    apr_array_header_t *headers;
    const char *origin = dsapi_source_origin(job->fetch.url, pool);

    if (!origin || strcmp(origin, job->source->url->origin) != 0) {
        return NULL;
    }
    headers = apr_array_copy(pool, job->source->headers);
    if (job->trace) {
        unsigned char random[DSAPI_TRACE_RANDOM_BYTES] = {0};
        char trace[DSAPI_TRACE_SIZE];

        apr_generate_random_bytes(random, sizeof(random));
        dsapi_base_trace(trace, job->trace, random);
        APR_ARRAY_PUSH(headers, const char *) =
            apr_pstrcat(pool, "traceparent: ", trace, NULL);
    }
    if (job->source->post && !has_header(headers, "Content-Type:")) {
        APR_ARRAY_PUSH(headers, const char *) = "Content-Type: "
                                                "application/json";
    }
    if (job->known.etag) {
        APR_ARRAY_PUSH(headers, const char *) =
            apr_pstrcat(pool, "If-None-Match: ", job->known.etag, NULL);
    }
    if (job->known.last_modified) {
        APR_ARRAY_PUSH(headers, const char *) = apr_pstrcat(
            pool, "If-Modified-Since: ", job->known.last_modified, NULL);
    }
    return headers;
}

void dsapi_job_start(dsapi_job_t *job)
{
    const dsapi_source_t *source = job->source;
    int n = dsapi_source_count(source) + 1;
    dsapi_err_t *err;

    job->types = apr_palloc(job->pool, sizeof(*job->types) * (apr_size_t)n);
    for (int i = 0; i < n; i++) {
        job->types[i] = dsapi_source_type(source, i);
    }
    if (dsapi_source_values(&job->values, &job->vars, &err, source, job->params,
                            job->pool) != APR_SUCCESS) {
        dsapi_job_fail(job, err->detail, 0, 0);
        return;
    }
    job->phase = source->resolve ? DSAPI_PHASE_RESOLVE : DSAPI_PHASE_FETCH;
}

/* Which URL is it? @return 1; 0: there is none, and the attempt has failed */
static int find_url(dsapi_job_t *job)
{
    const dsapi_source_t *source = job->source;
    dsapi_err_t *err;

    if (job->page && job->pages >= source->follow.max) {
        dsapi_job_fail(job,
                       apr_psprintf(job->page_pool, "more than %d pages",
                                    source->follow.max),
                       0, 0);
        return 0;
    }
    if (job->page) {
        job->fetch.url = job->page;
        return 1;
    }
    if (dsapi_source_expand(&job->fetch.url, &err, source->url, job->vars,
                            job->page_pool, job->page_pool) == APR_SUCCESS) {
        return 1;
    }
    dsapi_job_fail(job, err->detail, 0, 0);
    return 0;
}

void dsapi_job_fetch(dsapi_job_t *job, dsapi_client_t *client)
{
    const dsapi_source_t *source = job->source;
    dsapi_transfer_t *transfer;

    job->phase = DSAPI_PHASE_FETCH;
    if (!find_url(job)) {
        return;
    }
    if (source->post) {
        job->fetch.post = dsapi_source_body(source, job->values, job->types,
                                            job->params, job->page_pool);
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
    apr_pool_create(&job->transfer_pool, job->page_pool);
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

/* How an answer begins, at least len bytes of it. What the upstream may have
 * repeated of our secrets is made unreadable, also one that ends behind len. */
static char *without_secrets(const dsapi_job_t *job,
                             const dsapi_response_t *resp, apr_size_t len)
{
    const apr_array_header_t *secrets = job->source->secrets;
    apr_size_t longest = 0;
    char *body;

    for (int i = 0; secrets && i < secrets->nelts; i++) {
        apr_size_t n = strlen(APR_ARRAY_IDX(secrets, i, const char *));

        longest = n > longest ? n : longest;
    }
    len = resp->body_bytes - len < longest ? resp->body_bytes : len + longest;
    body = apr_pstrmemdup(job->page_pool, resp->body ? resp->body : "", len);
    for (int i = 0; secrets && i < secrets->nelts; i++) {
        const char *secret = APR_ARRAY_IDX(secrets, i, const char *);
        apr_size_t n = strlen(secret);
        char *p = body;

        while (n > 0 &&
               (p = memmem(p, len - (apr_size_t)(p - body), secret, n))) {
            memset(p, '*', n);
        }
    }
    return body;
}

/* Keep how an answer begins. */
static void keep_answer(dsapi_job_t *job, const dsapi_response_t *resp)
{
    apr_size_t len = resp->body_bytes < DSAPI_JOB_KEPT_BYTES
                         ? resp->body_bytes
                         : DSAPI_JOB_KEPT_BYTES;
    const char *type;

    job->status = resp->status;
    type = resp->content_type ? apr_pstrndup(job->page_pool, resp->content_type,
                                             TYPE_MAX_BYTES)
                              : "";
    job->type =
        *type && dsapi_base_utf8_valid(type, strlen(type)) ? type : NULL;
    job->body = without_secrets(job, resp, len);
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
        apr_array_make(job->page_pool, 1, sizeof(dsapi_statement_t));
    dsapi_statement_t *st = apr_array_push(store);

    st->sql = dsapi_sql_literal("SELECT true AS unchanged", 0, job->page_pool);
    job->store = store;
    job->got = job->known;
    job->phase = DSAPI_PHASE_STORE;
}

/* A page that is not the first says which it is. */
static const char *reason(const dsapi_job_t *job, const char *text)
{
    return job->pages > 0 ? apr_psprintf(job->page_pool, "page %d: %s",
                                         job->pages + 1, text)
                          : text;
}

/* A good answer. */
static void take_answer(dsapi_job_t *job, const dsapi_response_t *resp,
                        const dsapi_json_slice_t *body)
{
    dsapi_err_t *err;

    if (job->source->follow.max > 0 &&
        dsapi_follow_next(&job->next_page, &err, &job->source->follow, resp,
                          job->page_pool) != APR_SUCCESS) {
        dsapi_job_fail(job, reason(job, err->detail), 0, 0);
        return;
    }
    job->phase = DSAPI_PHASE_STORE;
    job->values[dsapi_source_count(job->source)] =
        apr_pstrmemdup(job->page_pool, body->p, body->len_bytes);
    if (resp->status == 200 && asks_again(job->source)) {
        job->got.etag = validator(resp->etag, job->page_pool);
        job->got.last_modified = validator(resp->last_modified, job->page_pool);
    }
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
                                job->page_pool) == APR_SUCCESS) {
        take_answer(job, resp, &body);
    }
    else {
        dsapi_job_fail(
            job, reason(job, err->detail), retry,
            dsapi_source_retry_after(resp->retry_after, resp->answered));
    }
    dsapi_job_abort(job); /* the answer's bytes go with it */
}

apr_interval_time_t dsapi_job_put_store(dsapi_link_t *link, dsapi_job_t *job,
                                        apr_pool_t *pool)
{
    const apr_array_header_t *store = job->store;
    apr_interval_time_t limit = job->source->store_timeout;

    job->stores++;
    dsapi_queue_begin(dsapi_link_call(link), pool);
    dsapi_queue_limit(dsapi_link_call(link), limit, pool);
    dsapi_spare_watch(dsapi_link_call(link), pool);
    if (job->source->follow.max > 0) {
        dsapi_queue_hold_page(dsapi_link_call(link), job->id, job->token,
                              job->pages, pool);
    }
    else {
        dsapi_queue_hold(dsapi_link_call(link), job->id, job->token, pool);
    }
    for (int i = 0; i < store->nelts; i++) {
        dsapi_resolve_call(dsapi_link_call(link), job,
                           &APR_ARRAY_IDX(store, i, dsapi_statement_t), pool);
    }
    /* of each statement, of hold, and of finish */
    return limit * (store->nelts + 2);
}

const char *dsapi_job_take_result(dsapi_job_t *job, const dsapi_rows_t *rows)
{
    dsapi_buf_t *buf = dsapi_buf_make(256, job->page_pool);
    dsapi_err_t *err;

    job->result = NULL;
    if (dsapi_rows_columns(rows) == 0 || dsapi_rows_count(rows) == 0) {
        return NULL;
    }
    if (dsapi_route_write(buf, &err, rows, DSAPI_SHAPE_ROW, 0,
                          job->page_pool) != APR_SUCCESS) {
        return err->internal ? err->internal : err->detail;
    }
    job->result = dsapi_buf_str(buf);
    return NULL;
}

void dsapi_job_turn_page(dsapi_job_t *job)
{
    apr_pool_t *old = job->page_pool;

    apr_pool_create(&job->page_pool, job->pool);
    apr_pool_tag(job->page_pool, "dsapi_job_page");
    job->page = apr_pstrdup(job->page_pool, job->next_page);
    apr_pool_destroy(old);
    job->next_page = job->result = job->type = job->body = NULL;
    job->status = 0;
    job->got = (dsapi_validators_t){NULL, NULL};
    job->stores = 0;
    job->pages++;
    job->attempts = 1; /* as dsapi.add_page counts */
    job->phase = job->source->every > 0 ? DSAPI_PHASE_SLOT : DSAPI_PHASE_FETCH;
}

int dsapi_job_fail_sql(dsapi_job_t *job, const char *what,
                       const dsapi_err_t *err)
{
    const char *text = err->detail;

    if ((err->rv == DSAPI_EBUSY || dsapi_db_stale(err)) &&
        job->stores < TRIES_MAX) {
        return 1; /* a deadlock, or a table that was altered */
    }
    if (!dsapi_db_raised(err)) {
        text = apr_psprintf(job->page_pool, "%s: %s (SQLSTATE %s)", what,
                            err->detail, err->sqlstate);
    }
    dsapi_job_fail(job, reason(job, text),
                   err->rv == DSAPI_EBUSY || err->rv == DSAPI_ETIMEOUT ||
                       err->rv == DSAPI_EDBDOWN,
                   0);
    return 0;
}

void dsapi_job_lose_sql(dsapi_job_t *job, const char *doing)
{
    if (job->stores >= TRIES_MAX) {
        dsapi_job_fail(job,
                       apr_pstrcat(job->page_pool,
                                   "the database was lost "
                                   "while ",
                                   doing, NULL),
                       1, 0);
    }
}

apr_interval_time_t dsapi_job_put_slot(dsapi_link_t *link,
                                       const dsapi_job_t *job, apr_pool_t *pool)
{
    dsapi_queue_limit(dsapi_link_call(link), SLOT_LIMIT, pool);
    dsapi_queue_take_slot(dsapi_link_call(link), job->source, pool);
    return SLOT_LIMIT;
}

void dsapi_job_take_slot(dsapi_job_t *job, const dsapi_rows_t *rows)
{
    const char *wait = dsapi_rows_get(rows, "take_slot");

    job->phase = DSAPI_PHASE_REST;
    job->due = dsapi_link_clock() + (wait ? apr_atoi64(wait) : 0);
}

int dsapi_job_fetch_due(dsapi_job_t *list, dsapi_client_t *client)
{
    apr_time_t now = dsapi_link_clock();
    int n = 0;

    for (; list; list = list->next) {
        if (list->phase == DSAPI_PHASE_REST && now >= list->due) {
            dsapi_job_fetch(list, client);
            n++;
        }
    }
    return n;
}

apr_time_t dsapi_job_due(const dsapi_job_t *list)
{
    apr_time_t due = APR_INT64_MAX;

    for (; list; list = list->next) {
        if (list->phase == DSAPI_PHASE_REST && list->due < due) {
            due = list->due;
        }
    }
    return due;
}

void dsapi_job_put_finish(dsapi_link_t *link, const dsapi_job_t *job,
                          apr_pool_t *pool)
{
    if (job->source->follow.max > 0) {
        dsapi_queue_add_page(dsapi_link_call(link), job->id, job->token,
                             job->fetch.url, job->next_page, job->result, pool);
    }
    else {
        dsapi_queue_finish(dsapi_link_call(link), job->id, job->token,
                           job->result, pool);
    }
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
