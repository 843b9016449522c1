/* DsapiEnqueue and DsapiJob. */
#include <apr_hash.h>
#include <apr_strings.h>

#include "base/text.h"
#include "httpd/actions.h"
#include "httpd/request.h"
#include "json/writer.h"
#include "source/queue.h"

/* When a client may try again whose jobs the queue has no room for. */
#define QUEUE_FULL_S 10

/* One member of a job's parameters. */
static void write_member(dsapi_json_writer_t *w, const char *name,
                         const char *json, apr_size_t len_bytes)
{
    dsapi_json_key(w, name);
    dsapi_json_raw(w, json, len_bytes);
}

/*
 * The route's values under the names of the source's parameters, as a JSON
 * object without the absent ones.
 * @param item  what stands in the place of the route's list; NULL: it has none
 */
static const char *source_json(const mod_dsapi_route_t *route,
                               const char **values,
                               const dsapi_json_slice_t *item, apr_pool_t *pool)
{
    dsapi_buf_t *buf = dsapi_buf_make(256, pool);
    dsapi_json_writer_t w;

    dsapi_json_writer_init(&w, buf);
    dsapi_json_begin_object(&w);
    for (int i = 0; i < route->source->params->nelts; i++) {
        const dsapi_param_t *param =
            APR_ARRAY_IDX(route->source->params, i, const dsapi_param_t *);
        int index = route->source_params[i];

        if (item && index == route->list_index) {
            write_member(&w, param->name, item->p, item->len_bytes);
        }
        else if (index >= 0 && values[index]) {
            dsapi_buf_t *value = dsapi_buf_make(64, pool);

            dsapi_route_value_json(value, param->type, values[index]);
            write_member(&w, param->name, value->data, value->len_bytes);
        }
    }
    dsapi_json_end_object(&w);
    return dsapi_buf_str(buf);
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

/* What is to be put into the queue. */
typedef struct wanted_t {
    apr_array_header_t *params; /* of const char *: canonical JSON, each once */
    apr_table_t *vars;          /* of the last one, as a URL shows them */
    apr_hash_t *seen;
} wanted_t;

/* Checks one job's parameters, and notes them unless it has them already. */
static apr_status_t want(wanted_t *wanted, dsapi_err_t **perr,
                         const mod_dsapi_route_t *route, const char *given,
                         apr_pool_t *pool)
{
    const dsapi_source_t *source = &route->source->core;
    dsapi_json_slice_t slice;
    const char *params;
    const char **ignored;
    apr_status_t rv =
        dsapi_json_check(&slice, perr, given, strlen(given), pool);

    if (rv == APR_SUCCESS) {
        rv = dsapi_source_params(&params, perr, source, &slice, pool);
    }
    if (rv == APR_SUCCESS) {
        rv = dsapi_source_values(&ignored, &wanted->vars, perr, source, params,
                                 pool);
    }
    if (rv == APR_SUCCESS &&
        !apr_hash_get(wanted->seen, params, APR_HASH_KEY_STRING)) {
        apr_hash_set(wanted->seen, params, APR_HASH_KEY_STRING, params);
        APR_ARRAY_PUSH(wanted->params, const char *) = params;
    }
    return rv;
}

/* A job for each item of the route's list. */
static apr_status_t want_items(wanted_t *wanted, dsapi_err_t **perr,
                               const mod_dsapi_route_t *route,
                               const char **values, apr_pool_t *pool)
{
    const dsapi_param_t *param =
        APR_ARRAY_IDX(route->params, route->list_index, const dsapi_param_t *);
    dsapi_buf_t *list = dsapi_buf_make(1024, pool);
    dsapi_json_iter_t iter = {NULL};
    dsapi_json_slice_t array;
    dsapi_json_slice_t item;
    int n = 0;
    apr_status_t rv;

    dsapi_route_value_json(list, param->type, values[route->list_index]);
    rv = dsapi_json_check(&array, perr, list->data, list->len_bytes, pool);
    while (rv == APR_SUCCESS && dsapi_json_next_item(&item, &iter, &array)) {
        if (++n > MOD_DSAPI_LIST_MAX) {
            return dsapi_fail_field(perr, pool, dsapi_route_in_name(param->in),
                                    param->name,
                                    "must not have more than %d "
                                    "items",
                                    MOD_DSAPI_LIST_MAX);
        }
        rv = want(wanted, perr, route, source_json(route, values, &item, pool),
                  pool);
        if (rv != APR_SUCCESS) {
            (*perr)->detail =
                apr_psprintf(pool, "item %d: %s", n, (*perr)->detail);
        }
    }
    return rv;
}

/* Will data of a finished job do? */
static int takes_fresh(const mod_dsapi_route_t *route)
{
    return route->source->core.fresh_for > 0 &&
           strcmp(route->method, "GET") == 0;
}

/* Runs enqueue_all. @return APR_SUCCESS, or why not */
static apr_status_t run_enqueue(dsapi_rows_t **prows, dsapi_err_t **perr,
                                request_rec *r, const mod_dsapi_route_t *route,
                                const apr_array_header_t *params)
{
    apr_array_header_t *calls = mod_dsapi_make_calls(r->pool);
    dsapi_call_t *call = apr_array_push(calls);
    const dsapi_source_t *source = &route->source->core;
    const char **bound = apr_palloc(r->pool, 6 * sizeof(char *));
    apr_status_t rv;

    bound[0] = source->name;
    bound[1] = dsapi_base_array_literal(params, r->pool);
    bound[2] = apr_itoa(r->pool, source->retry.attempts);
    bound[3] = mod_dsapi_req_of(r)->trace;
    bound[4] = apr_itoa(r->pool, source->queue_max);
    bound[5] = takes_fresh(route)
                   ? dsapi_queue_interval(source->fresh_for, r->pool)
                   : NULL;
    call->sql = route->job_sql;
    call->types = NULL;
    call->values = bound;
    rv = mod_dsapi_run_calls(prows, perr, r, route, calls);
    if (rv != APR_SUCCESS && (*perr)->sqlstate &&
        strcmp((*perr)->sqlstate, DSAPI_QUEUE_FULL) == 0) {
        rv = dsapi_fail(perr, r->pool, DSAPI_EBUSY, "queue-full",
                        "too many jobs of this kind wait; try again later");
        (*perr)->internal =
            apr_psprintf(r->pool, "%d jobs of %s wait (DsapiQueueMax)",
                         source->queue_max, source->name);
        (*perr)->retry_after_s = QUEUE_FULL_S;
    }
    return rv;
}

/* Has every job of the answer ended? The last column tells. */
static int all_ended(const dsapi_rows_t *rows)
{
    int n = dsapi_rows_count(rows);

    for (int i = 0; i < n; i++) {
        if (*dsapi_rows_value(NULL, rows, i, dsapi_rows_columns(rows) - 1) !=
            't') {
            return 0;
        }
    }
    return n > 0;
}

apr_status_t mod_dsapi_enqueue(mod_dsapi_answer_t *answer, dsapi_err_t **perr,
                               request_rec *r, const mod_dsapi_route_t *route,
                               const char **values)
{
    int is_list = route->list_index >= 0;
    wanted_t wanted = {apr_array_make(r->pool, 1, sizeof(char *)), NULL,
                       apr_hash_make(r->pool)};
    dsapi_rows_t *rows;
    apr_status_t rv;

    *perr = NULL;
    rv = is_list && values[route->list_index]
             ? want_items(&wanted, perr, route, values, r->pool)
             : want(&wanted, perr, route,
                    source_json(route, values, NULL, r->pool), r->pool);
    if (rv == APR_SUCCESS) {
        rv = run_enqueue(&rows, perr, r, route, wanted.params);
    }
    if (rv == APR_SUCCESS) {
        rv = dsapi_route_write(answer->buf, perr, rows,
                               is_list ? DSAPI_SHAPE_ROWS : DSAPI_SHAPE_ROW, 0,
                               r->pool);
    }
    if (rv != APR_SUCCESS) {
        return rv;
    }
    if (takes_fresh(route) && all_ended(rows)) {
        answer->status = HTTP_OK;
        return APR_SUCCESS;
    }
    if (route->status_route && !is_list) {
        apr_table_setn(r->headers_out, "Location",
                       job_location(route->status_route, wanted.vars, r->pool));
    }
    answer->status = route->status ? route->status : HTTP_ACCEPTED;
    return APR_SUCCESS;
}

apr_status_t mod_dsapi_show_job(mod_dsapi_answer_t *answer, dsapi_err_t **perr,
                                request_rec *r, const mod_dsapi_route_t *route,
                                const char **values)
{
    apr_array_header_t *calls = mod_dsapi_make_calls(r->pool);
    dsapi_call_t *call = apr_array_push(calls);
    const char *bound[] = {route->source->core.name,
                           source_json(route, values, NULL, r->pool)};
    dsapi_rows_t *rows;
    apr_status_t rv;

    call->sql = route->job_sql;
    call->types = NULL;
    call->values = bound;
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
