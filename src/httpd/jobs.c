/* DsapiEnqueue and DsapiJob. */
#include <apr_strings.h>

#include "base/text.h"
#include "httpd/actions.h"
#include "httpd/request.h"
#include "json/writer.h"

/* The route's values under the names of the source's parameters, as a JSON
 * object without the absent ones. */
static const char *source_json(const mod_dsapi_route_t *route,
                               const char **values, apr_pool_t *pool)
{
    dsapi_buf_t *buf = dsapi_buf_make(256, pool);
    dsapi_json_writer_t w;

    dsapi_json_writer_init(&w, buf);
    dsapi_json_begin_object(&w);
    for (int i = 0; i < route->source->params->nelts; i++) {
        const dsapi_param_t *param =
            APR_ARRAY_IDX(route->source->params, i, const dsapi_param_t *);
        int index = route->source_params[i];

        if (index >= 0 && values[index]) {
            dsapi_buf_t *value = dsapi_buf_make(64, pool);

            dsapi_route_value_json(value, param->type, values[index]);
            dsapi_json_key(&w, param->name);
            dsapi_json_raw(&w, value->data, value->len_bytes);
        }
    }
    dsapi_json_end_object(&w);
    return dsapi_buf_str(buf);
}

static void push_job_call(apr_array_header_t *calls,
                          const mod_dsapi_route_t *route, const char *params,
                          request_rec *r)
{
    dsapi_call_t *call = apr_array_push(calls);
    const char **bound = apr_palloc(r->pool, 4 * sizeof(char *));

    bound[0] = route->source->core.name;
    bound[1] = params;
    bound[2] = apr_itoa(r->pool, route->source->core.retry.attempts);
    bound[3] = mod_dsapi_req_of(r)->trace;
    call->sql = route->job_sql;
    call->types = NULL;
    call->values = bound;
}

/*
 * Where a job can be seen.
 * @param vars  the job's parameters, as a URL shows them
 */
static const char *job_location(const mod_dsapi_route_t *status,
                                const apr_table_t *vars, apr_pool_t *pool)
{
    const char *url =
        apr_pstrcat(pool, status->service->base, status->path, NULL);
    const char *separator = "?";

    for (int i = 0; i < status->source->params->nelts; i++) {
        const char *value = apr_table_get(
            vars,
            APR_ARRAY_IDX(status->source->params, i, dsapi_param_t *)->name);
        const dsapi_param_t *given;

        if (status->source_params[i] < 0 || !value) {
            continue;
        }
        given = APR_ARRAY_IDX(status->params, status->source_params[i],
                              const dsapi_param_t *);
        value = dsapi_base_percent_encode(value, pool);
        if (given->in == DSAPI_IN_PATH) {
            const char *var = apr_pstrcat(pool, "{", given->name, "}", NULL);
            const char *at = strstr(url, var);

            url = apr_pstrcat(pool,
                              apr_pstrmemdup(pool, url, (apr_size_t)(at - url)),
                              value, at + strlen(var), NULL);
        }
        else if (given->in == DSAPI_IN_QUERY) {
            url = apr_pstrcat(pool, url, separator, given->name, "=", value,
                              NULL);
            separator = "&";
        }
    }
    return url;
}

apr_status_t mod_dsapi_enqueue(mod_dsapi_answer_t *answer, dsapi_err_t **perr,
                               request_rec *r, const mod_dsapi_route_t *route,
                               const char **values)
{
    apr_array_header_t *calls = mod_dsapi_make_calls(r->pool);
    const char *given = source_json(route, values, r->pool);
    const char *params;
    const char **ignored;
    apr_table_t *vars = NULL;
    dsapi_json_slice_t slice;
    dsapi_rows_t *rows;
    apr_status_t rv =
        dsapi_json_check(&slice, perr, given, strlen(given), r->pool);

    if (rv == APR_SUCCESS) {
        rv = dsapi_source_params(&params, perr, &route->source->core, &slice,
                                 r->pool);
    }
    if (rv == APR_SUCCESS) {
        rv = dsapi_source_values(&ignored, &vars, perr, &route->source->core,
                                 params, r->pool);
    }
    if (rv != APR_SUCCESS) {
        return rv;
    }
    push_job_call(calls, route, params, r);
    rv = mod_dsapi_run_calls(&rows, perr, r, route, calls);
    if (rv == APR_SUCCESS) {
        rv = dsapi_route_write(answer->buf, perr, rows, DSAPI_SHAPE_ROW, 0,
                               r->pool);
    }
    if (rv == APR_SUCCESS && route->status_route) {
        apr_table_setn(r->headers_out, "Location",
                       job_location(route->status_route, vars, r->pool));
    }
    answer->status = route->status ? route->status : HTTP_ACCEPTED;
    return rv;
}

apr_status_t mod_dsapi_show_job(mod_dsapi_answer_t *answer, dsapi_err_t **perr,
                                request_rec *r, const mod_dsapi_route_t *route,
                                const char **values)
{
    apr_array_header_t *calls = mod_dsapi_make_calls(r->pool);
    dsapi_rows_t *rows;
    apr_status_t rv;

    push_job_call(calls, route, source_json(route, values, r->pool), r);
    rv = mod_dsapi_run_calls(&rows, perr, r, route, calls);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    if (dsapi_rows_count(rows) == 0) {
        return dsapi_fail(perr, r->pool, DSAPI_ENOTFOUND, "no-job",
                          "there never was such a job");
    }
    answer->status = route->status ? route->status : HTTP_OK;
    return dsapi_route_write(answer->buf, perr, rows, DSAPI_SHAPE_ROW, 0,
                             r->pool);
}
