/* DsapiResolve: see resolve.h. */
#include "source/resolve.h"

#include <apr_strings.h>
#include <string.h>

#include "route/result.h"
#include "source/queue.h"
#include "source/spare.h"

apr_interval_time_t dsapi_resolve_put(dsapi_link_t *link, dsapi_job_t *job,
                                      apr_pool_t *pool)
{
    int n = job->source->params->nelts;
    const char **values = apr_palloc(pool, sizeof(char *) * ((size_t)n + 1));

    for (int i = 0; i < n; i++) {
        values[i] = apr_pstrdup(pool, job->values[i]);
    }
    job->stores++;
    dsapi_queue_limit(dsapi_link_call(link), job->source->store_timeout, pool);
    dsapi_spare_watch(dsapi_link_call(link), pool);
    dsapi_route_call(dsapi_link_call(link),
                     &APR_ARRAY_IDX(job->source->resolve, 0, dsapi_statement_t),
                     values, pool);
    return job->source->store_timeout;
}

/* The text of a value in a URL is that of its JSON: true, not t. */
static void set_var(dsapi_job_t *job, const char *name, unsigned type,
                    const char *value)
{
    dsapi_buf_t *buf = dsapi_buf_make(64, job->pool);
    dsapi_json_slice_t json;

    dsapi_route_write_value(buf, type, value, strlen(value));
    apr_table_setn(job->vars, name,
                   dsapi_json_check(&json, NULL, buf->data, buf->len_bytes,
                                    job->pool) == APR_SUCCESS
                       ? dsapi_json_text(&json, job->pool)
                       : value);
}

/* Take one column. @return NULL, or why it is none */
static const char *take_column(dsapi_job_t *job, int index, const char *name,
                               const dsapi_rows_t *rows)
{
    const char *value;
    int found = -1;

    for (int i = 0; i < dsapi_rows_columns(rows); i++) {
        if (strcmp(dsapi_rows_name(rows, i), name) != 0) {
            continue;
        }
        if (found >= 0) {
            return apr_psprintf(job->pool,
                                "DsapiResolve is ambiguous: it has two columns "
                                "'%s'",
                                name);
        }
        found = i;
    }
    if (found < 0) {
        return apr_psprintf(job->pool, "DsapiResolve has no column '%s'", name);
    }
    value = apr_pstrdup(job->pool, dsapi_rows_value(NULL, rows, 0, found));
    job->values[index] = value;
    job->types[index] = dsapi_rows_type(rows, found);
    if (value) {
        set_var(job, name, job->types[index], value);
    }
    return NULL;
}

void dsapi_resolve_take(dsapi_job_t *job, const dsapi_rows_t *rows)
{
    const apr_array_header_t *columns = job ? job->source->columns : NULL;
    const char *why = NULL;

    if (!job) {
        return;
    }
    if (dsapi_rows_count(rows) != 1) {
        why = dsapi_rows_count(rows) == 0 ? "DsapiResolve has no row for these "
                                            "parameters"
                                          : "DsapiResolve is ambiguous: it has "
                                            "several rows for these "
                                            "parameters";
    }
    for (int i = 0; !why && i < columns->nelts; i++) {
        why = take_column(job, job->source->params->nelts + i,
                          APR_ARRAY_IDX(columns, i, const char *), rows);
    }
    if (why) {
        dsapi_job_fail(job, why, 0, 0);
        return;
    }
    job->stores = 0;
    job->phase = DSAPI_PHASE_FETCH;
}

void dsapi_resolve_call(dsapi_call_t *pcall, const dsapi_job_t *job,
                        const dsapi_statement_t *st, apr_pool_t *pool)
{
    int n = st->sql->nparams;
    unsigned *types = apr_palloc(pool, sizeof(*types) * ((size_t)n + 1));

    dsapi_route_call(pcall, st, job->values, pool);
    for (int i = 0; i < n; i++) {
        types[i] = job->types[st->indexes[i]];
    }
    pcall->types = types;
}
