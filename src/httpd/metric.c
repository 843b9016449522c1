/* DsapiMetric: see series.h. */
#include "httpd/series.h"

#include <ap_mpm.h>
#include <apr_strings.h>
#include <http_log.h>

#include "httpd/dbpool.h"
#include "httpd/respond.h"
#include "route/table.h"
#include "series/binary.h"
#include "series/cells.h"
#include "series/store.h"
#include "series/threads.h"
#include "series/write.h"

APLOG_USE_MODULE(dsapi);

/* So many loads at once are taken out of their requests. */
#define LATER_MAX 4

/* A series that is being loaded: in a request, or behind it. */
typedef struct loading_t {
    server_rec *server;
    const mod_dsapi_route_t *route;
    const char *const *values;   /* of the series' parameters */
    const char *const *settings; /* of mod_dsapi_settings */
    apr_interval_time_t timeout;
    dsapi_batch_t batch;
    dsapi_columns_maker_t *maker;
    dsapi_err_t *err;      /* of a row */
    apr_pool_t *rows_pool; /* of the rows and the image */
    apr_pool_t *pool;      /* of all else */
} loading_t;

static dsapi_series_threads_t *threads; /* a child's; NULL: there are none */

void mod_dsapi_metric_child_init(apr_pool_t *pchild)
{
    int threaded = 0;

    ap_mpm_query(AP_MPMQ_IS_THREADED, &threaded);
    threads = threaded ? dsapi_series_threads_make(LATER_MAX, pchild) : NULL;
}

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
    apr_off_t size = mod_dsapi_srv_of(loading->server)->cache_size_bytes;
    apr_status_t rv;

    apr_pool_clear(loading->rows_pool);
    loading->err = NULL;
    loading->maker = dsapi_series_make(&route->series->core, (apr_size_t)size,
                                       loading->rows_pool);
    dsapi_db_set_binary(loan->db, dsapi_series_binary_type);
    rv = dsapi_db_stream(perr, loan->db, &loading->batch, take_row, loading,
                         loading->pool);
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

/* The log is told of which series it is; and what is wrong with its query or
 * its rows is for the log alone. */
static void hide_mistake(dsapi_err_t *err, const loading_t *loading)
{
    err->internal = apr_psprintf(loading->pool, "<DsapiSeries %s>: %s",
                                 loading->route->series->full_name,
                                 err->internal ? err->internal : err->detail);
    if (!is_for_client(err)) {
        err->detail = "the service made a mistake";
        err->code = "internal";
        err->rv = DSAPI_EINTERNAL;
    }
}

/* One that is not kept is loaded for each request. */
static void tell_size(const loading_t *loading, apr_size_t bytes)
{
    mod_dsapi_series_t *series = loading->route->series;
    apr_off_t size = mod_dsapi_srv_of(loading->server)->cache_size_bytes;

    if ((apr_off_t)bytes > size / 4 && !atomic_exchange(&series->told, 1)) {
        ap_log_error(APLOG_MARK, APLOG_WARNING, 0, loading->server,
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
    apr_array_header_t *calls = mod_dsapi_make_calls(loading->pool);
    mod_dsapi_use_t use = {.fn = run, .baton = loading, .repeatable = 1};
    apr_status_t rv;

    apr_pool_create(&loading->rows_pool, loading->pool);
    apr_pool_tag(loading->rows_pool, "mod_dsapi_series");
    dsapi_route_call(apr_array_push(calls),
                     &APR_ARRAY_IDX(loading->route->series->statements, 0,
                                    dsapi_statement_t),
                     loading->values, loading->pool);
    mod_dsapi_fill_batch(&loading->batch, loading->route, loading->settings,
                         loading->timeout, calls);
    rv = mod_dsapi_db_use(perr, loading->server, &use, loading->pool);
    if (rv != APR_SUCCESS) {
        hide_mistake(*perr, loading);
        return (*perr)->rv;
    }
    *pimage = dsapi_series_finish(pbytes, loading->maker);
    tell_size(loading, *pbytes);
    ap_log_error(APLOG_MARK, APLOG_DEBUG, 0, loading->server,
                 "DSAPI0064: <DsapiSeries %s> loaded, bytes: %" APR_SIZE_T_FMT,
                 loading->route->series->full_name, *pbytes);
    return APR_SUCCESS;
}

/* What a thread of ours does. */
static void load_behind(void *baton)
{
    dsapi_series_load_t *load = baton;
    const loading_t *loading = load->ask.baton;
    dsapi_err_t *err;

    if (dsapi_series_load(&err, load) != APR_SUCCESS) {
        ap_log_error(APLOG_MARK, mod_dsapi_level_of(err), 0, loading->server,
                     "DSAPI0065: behind a request: %s: %s", err->code,
                     err->internal);
    }
    apr_pool_destroy(load->pool);
}

static const char *const *copy_texts(const char *const *from, int n,
                                     apr_pool_t *pool)
{
    const char **texts = apr_palloc(pool, sizeof(char *) * ((apr_size_t)n + 1));

    for (int i = 0; i < n; i++) {
        texts[i] = from[i] ? apr_pstrdup(pool, from[i]) : NULL;
    }
    return texts;
}

/* As dsapi_series_ask_t has it: nothing of the request is used from here on. */
static apr_status_t later(dsapi_series_load_t *load)
{
    loading_t *own =
        apr_pmemdup(load->pool, load->ask.baton, sizeof(loading_t));
    const mod_dsapi_series_t *series = own->route->series;

    own->pool = load->pool;
    own->values = copy_texts(own->values, series->params->nelts, own->pool);
    own->settings = copy_texts(own->settings,
                               1 + series->service->session->nelts, own->pool);
    load->ask.baton = own;
    return dsapi_series_threads_run(threads, load_behind, load);
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
    loading_t loading = {
        .server = r->server,
        .route = route,
        .values = of->key,
        .timeout = mod_dsapi_timeout_of(r, route),
        .pool = r->pool,
    };
    dsapi_series_ask_t ask = {
        .waits = route->series->waits,
        .stale = route->series->stale,
        .load = load,
        .baton = &loading,
        .later = threads ? later : NULL,
    };
    dsapi_series_got_t got;
    dsapi_cells_t cells;
    const dsapi_buf_t *key = key_of(r, route, of->key);
    const char **settings;
    apr_status_t rv = mod_dsapi_settings(&settings, perr, r, route);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    loading.settings = settings;
    ask.ask.key = key->data;
    ask.ask.key_bytes = key->len_bytes;
    ask.ask.now = r->request_time;
    ask.ask.wait = mod_dsapi_srv_of(r->server)->db_wait + loading.timeout;
    ask.ask.stamp = of->stamp->stamp;
    ask.ask.verified_at = of->stamp->verified_at;
    ask.ask.before = of->stamp->before;
    ask.ask.changed_at = of->stamp->changed_at;
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
