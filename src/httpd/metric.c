/* DsapiMetric: see series.h. */
#include "httpd/series.h"

#include <apr_strings.h>
#include <http_log.h>

#include "httpd/dbpool.h"
#include "route/table.h"
#include "series/binary.h"
#include "series/cells.h"
#include "series/store.h"
#include "series/write.h"

APLOG_USE_MODULE(dsapi);

/* A series that is being loaded. */
typedef struct loading_t {
    request_rec *r;
    const mod_dsapi_route_t *route;
    const char *const *values; /* of the series' parameters */
    dsapi_batch_t batch;
    dsapi_columns_maker_t *maker;
    dsapi_err_t *err; /* of a row */
    apr_pool_t *pool; /* of the rows and the image */
} loading_t;

/* A dsapi_row_fn. */
static apr_status_t take_row(void *baton, const dsapi_rows_t *rows)
{
    loading_t *loading = baton;

    return dsapi_series_take(loading->maker, &loading->err, rows);
}

/* What a mod_dsapi_use_t does, from the beginning. */
static apr_status_t run(void *baton, dsapi_err_t **perr, mod_dsapi_loan_t *loan)
{
    loading_t *loading = baton;
    const mod_dsapi_route_t *route = loading->route;
    apr_off_t size = mod_dsapi_srv_of(loading->r->server)->cache_size_bytes;
    apr_status_t rv;

    apr_pool_clear(loading->pool);
    loading->err = NULL;
    loading->maker = dsapi_series_make(&route->series->core, (apr_size_t)size,
                                       loading->pool);
    dsapi_db_set_binary(loan->db, dsapi_series_binary_type);
    rv = dsapi_db_stream(perr, loan->db, &loading->batch, take_row, loading,
                         loading->r->pool);
    dsapi_db_set_binary(loan->db, NULL);
    if (loading->err) {
        *perr = loading->err;
    }
    return rv;
}

/* Is it for who asks? The database does not answer, or the query says no. */
static int is_for_client(const dsapi_err_t *err)
{
    return err->rv == DSAPI_EDBDOWN || err->rv == DSAPI_EBUSY ||
           err->rv == DSAPI_ETIMEOUT || err->rv == DSAPI_EDENIED ||
           err->rv == DSAPI_EAUTH ||
           (err->sqlstate && strncmp(err->sqlstate, "PT", 2) == 0);
}

/* What is wrong with the series' query or its rows is for the log. */
static void hide_mistake(dsapi_err_t *err, const loading_t *loading)
{
    if (!is_for_client(err)) {
        err->internal =
            apr_psprintf(loading->r->pool, "<DsapiSeries %s>: %s",
                         loading->route->series->full_name,
                         err->internal ? err->internal : err->detail);
        err->detail = "the service made a mistake";
        err->code = "internal";
        err->rv = DSAPI_EINTERNAL;
    }
}

/* One that is not kept is loaded for each request. */
static void tell_size(const loading_t *loading, apr_size_t bytes)
{
    mod_dsapi_series_t *series = loading->route->series;
    apr_off_t size = mod_dsapi_srv_of(loading->r->server)->cache_size_bytes;

    if ((apr_off_t)bytes > size / 4 && !atomic_exchange(&series->told, 1)) {
        ap_log_rerror(APLOG_MARK, APLOG_WARNING, 0, loading->r,
                      "DSAPI0063: <DsapiSeries %s> takes %" APR_SIZE_T_FMT
                      " bytes, more than a quarter of DsapiCacheSize: it is "
                      "not kept, but loaded for each request",
                      series->full_name, bytes);
    }
}

/* As dsapi_series_ask_t has it. */
static apr_status_t load(const char **pimage, apr_size_t *pbytes,
                         dsapi_err_t **perr, void *baton)
{
    loading_t *loading = baton;
    apr_pool_t *pool = loading->r->pool;
    apr_array_header_t *calls = mod_dsapi_make_calls(pool);
    mod_dsapi_use_t use = {.fn = run, .baton = loading, .repeatable = 1};
    apr_status_t rv;

    apr_pool_create(&loading->pool, pool);
    apr_pool_tag(loading->pool, "mod_dsapi_series");
    dsapi_route_call(apr_array_push(calls),
                     &APR_ARRAY_IDX(loading->route->series->statements, 0,
                                    dsapi_statement_t),
                     loading->values, pool);
    rv = mod_dsapi_make_batch(&loading->batch, perr, loading->r, loading->route,
                              calls);
    if (rv == APR_SUCCESS) {
        rv = mod_dsapi_db_use(perr, loading->r->server, &use, pool);
    }
    if (rv != APR_SUCCESS) {
        hide_mistake(*perr, loading);
        return (*perr)->rv;
    }
    *pimage = dsapi_series_finish(pbytes, loading->maker);
    tell_size(loading, *pbytes);
    ap_log_rerror(APLOG_MARK, APLOG_DEBUG, 0, loading->r,
                  "DSAPI0064: <DsapiSeries %s> loaded, bytes: %" APR_SIZE_T_FMT,
                  loading->route->series->full_name, *pbytes);
    return APR_SUCCESS;
}

apr_status_t mod_dsapi_metric_key(const char *const **pkey, dsapi_err_t **perr,
                                  request_rec *r,
                                  const mod_dsapi_route_t *route,
                                  const char *const *given)
{
    const apr_array_header_t *params = route->series->params;
    const char **values =
        apr_palloc(r->pool, sizeof(char *) * ((apr_size_t)params->nelts + 1));
    const char **settings;
    apr_status_t rv = mod_dsapi_settings(&settings, perr, r, route);

    for (int i = 0; i < params->nelts && rv == APR_SUCCESS; i++) {
        int from = route->series_params[i];

        values[i] = from >= 0   ? given[from]
                    : from < -1 ? settings[1 + (-2 - from)]
                                : NULL;
        if (!values[i]) {
            values[i] = APR_ARRAY_IDX(params, i, const dsapi_param_t *)->def;
        }
    }
    *pkey = values;
    return rv;
}

/* The key of a series in the cache; no answer's begins like it. */
static const dsapi_buf_t *key_of(request_rec *r, const mod_dsapi_route_t *route,
                                 const char *const *values)
{
    const server_rec *server = r->server;
    const mod_dsapi_series_t *series = route->series;
    dsapi_buf_t *key = dsapi_buf_make(256, r->pool);
    const int kind = -1;

    dsapi_buf_put(key, (const char *)&kind, sizeof(kind));
    dsapi_buf_put(key, (const char *)&server, sizeof(void *));
    dsapi_buf_put(key, (const char *)&series, sizeof(void *));
    for (int i = 0; i < series->params->nelts; i++) {
        mod_dsapi_key_text(key, values[i]);
    }
    return key;
}

apr_status_t mod_dsapi_metric(mod_dsapi_answer_t *answer, dsapi_err_t **perr,
                              request_rec *r, const mod_dsapi_route_t *route,
                              const char **values,
                              const mod_dsapi_metric_of_t *of)
{
    const dsapi_metric_ask_t metric_ask = {route->metric, values};
    loading_t loading = {.r = r, .route = route, .values = of->key};
    dsapi_series_ask_t ask = {
        .waits = route->series->waits,
        .stale = route->series->stale,
        .load = load,
        .baton = &loading,
    };
    dsapi_series_got_t got;
    dsapi_cells_t cells;
    const dsapi_buf_t *key = key_of(r, route, of->key);
    apr_status_t rv;

    ask.ask = *of->ask;
    ask.ask.key = key->data;
    ask.ask.key_bytes = key->len_bytes;
    rv = dsapi_series_get(&got, perr, of->cache, &ask, r->pool);
    if (rv == APR_SUCCESS) {
        rv = dsapi_series_compute(&cells, perr, got.columns, &metric_ask,
                                  r->pool);
    }
    if (rv != APR_SUCCESS) {
        return rv;
    }
    dsapi_series_write(answer->buf, answer->format, got.columns, route->metric,
                       &cells);
    answer->type = dsapi_route_table_type(answer->format);
    answer->as_of = got.as_of;
    answer->stamp = got.stamp;
    answer->instead = got.instead;
    return APR_SUCCESS;
}
