/* A claimed job: see job.h. */
#include "source/job.h"

#include <apr_general.h>
#include <apr_strings.h>
#include <string.h>

#include "base/trace.h"

dsapi_job_t *dsapi_job_make(const dsapi_source_t *source,
                            const dsapi_rows_t *rows, int row,
                            apr_pool_t *parent)
{
    apr_pool_t *pool;
    dsapi_job_t *job;

    apr_pool_create(&pool, parent);
    apr_pool_tag(pool, "dsapi_job");
    job = apr_pcalloc(pool, sizeof(*job));
    job->pool = pool;
    job->source = source;
    job->id = apr_pstrdup(pool, dsapi_rows_value(NULL, rows, row, 0));
    job->token = apr_pstrdup(pool, dsapi_rows_value(NULL, rows, row, 1));
    job->params = apr_pstrdup(pool, dsapi_rows_value(NULL, rows, row, 3));
    job->attempts = (int)apr_atoi64(dsapi_rows_value(NULL, rows, row, 4));
    job->trace = apr_pstrdup(pool, dsapi_rows_value(NULL, rows, row, 6));
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

/* The source's headers, and the trace of whoever asked for the job. */
static const apr_array_header_t *make_headers(const dsapi_job_t *job)
{
    unsigned char random[DSAPI_TRACE_RANDOM_BYTES] = {0};
    char trace[DSAPI_TRACE_SIZE];
    apr_array_header_t *headers;

    if (!job->trace) {
        return job->source->headers;
    }
    headers = apr_array_copy(job->pool, job->source->headers);
    apr_generate_random_bytes(random, sizeof(random));
    dsapi_base_trace(trace, job->trace, random);
    APR_ARRAY_PUSH(headers, const char *) =
        apr_pstrcat(job->pool, "traceparent: ", trace, NULL);
    return headers;
}

void dsapi_job_fetch(dsapi_job_t *job, dsapi_client_t *client)
{
    apr_table_t *vars;
    dsapi_err_t *err;
    dsapi_transfer_t *transfer;
    apr_status_t rv = dsapi_source_values(&job->values, &vars, &err,
                                          job->source, job->params, job->pool);

    if (rv == APR_SUCCESS) {
        rv = dsapi_source_expand(&job->fetch.url, &err, job->source->url, vars,
                                 job->pool, job->pool);
    }
    if (rv != APR_SUCCESS) {
        dsapi_job_fail(job, err->detail, 0, 0);
        return;
    }
    job->fetch.headers = make_headers(job);
    job->fetch.timeout = job->source->timeout;
    job->fetch.connect_timeout = job->source->timeout;
    job->fetch.stall_timeout = job->source->timeout;
    job->fetch.max_body_bytes = job->source->max_body_bytes;
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

void dsapi_job_take(dsapi_job_t *job, const dsapi_response_t *resp)
{
    dsapi_json_slice_t body;
    dsapi_err_t *err;
    int retry;

    if (dsapi_source_judge(&body, &retry, &err, resp, job->pool) ==
        APR_SUCCESS) {
        job->phase = DSAPI_PHASE_STORE;
        job->values[job->source->params->nelts] =
            apr_pstrmemdup(job->pool, body.p, body.len_bytes);
    }
    else {
        dsapi_job_fail(
            job, err->detail, retry,
            dsapi_source_retry_after(resp->retry_after, apr_time_now()));
    }
    dsapi_job_abort(job); /* the answer's bytes go with it */
}
