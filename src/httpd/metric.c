/* DsapiMetric: see series.h. */
#include "httpd/series.h"

#include <ap_mpm.h>
#include <apr_strings.h>
#include <http_log.h>

#include "db/gate.h"
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

/* Of DsapiCacheSize: so large an image may be, so that it is kept with all that
 * an entry takes besides (a quarter); and those above are loaded one by one.
 * Making one takes four times as much. */
#define LARGEST(size)     ((size) / 4 - (size) / 64)
#define TURNS_ABOVE(size) ((size) / 128)

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
    int has_turn;          /* of the large ones */
    apr_pool_t *turn_pool; /* its end ends the turn; NULL: nothing is loaded */
    apr_pool_t *rows_pool; /* of the rows and the image; in that */
    apr_pool_t *pool;      /* of all else */
} loading_t;

/* A child's. */
static dsapi_series_threads_t *threads; /* NULL: there are none */
static dsapi_gate_t *turns;             /* of loads of large series: one */

void mod_dsapi_metric_child_init(apr_pool_t *pchild)
{
    int threaded = 0;

    ap_mpm_query(AP_MPMQ_IS_THREADED, &threaded);
    threads = threaded ? dsapi_series_threads_make(LATER_MAX, pchild) : NULL;
    turns = dsapi_gate_make(1, 0, pchild);
}

static apr_size_t cache_size(const loading_t *loading)
{
    return (apr_size_t)mod_dsapi_srv_of(loading->server)->cache_size_bytes;
}

static apr_status_t end_turn(void *baton)
{
    dsapi_gate_leave(baton, DSAPI_GATE_SERVED, 0);
    return APR_SUCCESS;
}

static apr_status_t no_turn(dsapi_err_t **perr, const loading_t *loading)
{
    dsapi_fail(perr, loading->pool, DSAPI_EBUSY, "no-memory",
               "other series are being loaded; try again");
    (*perr)->retry_after_s = 1;
    return DSAPI_EBUSY;
}

/* A large one: while it is loaded, no other is. */
static apr_status_t take_turn(loading_t *loading, dsapi_err_t **perr)
{
    apr_time_t until = apr_time_now() + loading->timeout +
                       mod_dsapi_srv_of(loading->server)->db_wait;
    const char *name = loading->route->series->full_name;
    apr_status_t rv;

    ap_log_error(APLOG_MARK, APLOG_DEBUG, 0, loading->server,
                 "DSAPI0066: <DsapiSeries %s> is large: it waits for its turn",
                 name);
    rv = dsapi_gate_enter(turns, until, 0);
    if (rv != APR_SUCCESS) {
        return no_turn(perr, loading);
    }
    ap_log_error(APLOG_MARK, APLOG_DEBUG, 0, loading->server,
                 "DSAPI0067: <DsapiSeries %s> has its turn", name);
    loading->has_turn = 1;
    apr_pool_cleanup_register(loading->turn_pool, turns, end_turn,
                              apr_pool_cleanup_null);
    return APR_SUCCESS;
}

/* A dsapi_row_fn. Who has come to be large without a turn begins anew, rather
 * than wait for one with a connection in its hands. */
static apr_status_t take_row(void *baton, const dsapi_rows_t *rows)
{
    loading_t *loading = baton;
    apr_status_t rv = dsapi_series_take(loading->maker, &loading->err, rows);

    if (rv == APR_SUCCESS && !loading->has_turn &&
        dsapi_series_bytes(loading->maker) > TURNS_ABOVE(cache_size(loading))) {
        atomic_store(&loading->route->series->large, 1);
        rv = no_turn(&loading->err, loading);
    }
    return rv;
}

/* What a mod_dsapi_use_t does, from the beginning. */
static apr_status_t run(void *baton, dsapi_err_t **perr, mod_dsapi_loan_t *loan)
{
    loading_t *loading = baton;
    const mod_dsapi_route_t *route = loading->route;
    apr_status_t rv;

    apr_pool_clear(loading->rows_pool);
    loading->err = NULL;
    loading->maker = dsapi_series_make(
        &route->series->core, LARGEST(cache_size(loading)), loading->rows_pool);
    dsapi_db_set_binary(loan->db, dsapi_series_binary_type);
    rv = dsapi_db_stream(perr, loan->db, &loading->batch, take_row, loading,
                         loading->pool);
    dsapi_db_set_binary(loan->db, NULL);
    if (loading->err) {
        *perr = apr_pmemdup(loading->pool, loading->err, sizeof(**perr));
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

/* What a load has taken, and its turn. */
static void release(loading_t *loading)
{
    if (loading->turn_pool) {
        apr_pool_destroy(loading->turn_pool);
        loading->turn_pool = NULL;
        loading->has_turn = 0;
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
    int is_large;

    apr_pool_create(&loading->turn_pool, loading->pool);
    apr_pool_create(&loading->rows_pool, loading->turn_pool);
    apr_pool_tag(loading->rows_pool, "mod_dsapi_series");
    dsapi_route_call(apr_array_push(calls),
                     &APR_ARRAY_IDX(loading->route->series->statements, 0,
                                    dsapi_statement_t),
                     loading->values, loading->pool);
    mod_dsapi_fill_batch(&loading->batch, loading->route, loading->settings,
                         loading->timeout, calls);
    do { /* again where it has come to be large */
        apr_pool_clear(loading->rows_pool);
        is_large = atomic_load(&loading->route->series->large);
        rv = is_large ? take_turn(loading, perr) : APR_SUCCESS;
        if (rv == APR_SUCCESS) {
            rv = mod_dsapi_db_use(perr, loading->server, &use, loading->pool);
        }
    } while (rv != APR_SUCCESS && !is_large &&
             atomic_load(&loading->route->series->large));
    if (rv != APR_SUCCESS) {
        hide_mistake(*perr, loading);
        release(loading);
        return (*perr)->rv;
    }
    *pimage = dsapi_series_finish(pbytes, loading->maker);
    ap_log_error(APLOG_MARK, APLOG_DEBUG, 0, loading->server,
                 "DSAPI0064: <DsapiSeries %s> loaded, bytes: %" APR_SIZE_T_FMT,
                 loading->route->series->full_name, *pbytes);
    return APR_SUCCESS;
}

/* What a thread of ours does. */
static void load_behind(void *baton)
{
    dsapi_series_load_t *given = baton;
    const loading_t *loading = given->ask.baton;
    dsapi_err_t *err;

    if (dsapi_series_load(&err, given) != APR_SUCCESS) {
        ap_log_error(APLOG_MARK, mod_dsapi_level_of(err), 0, loading->server,
                     "DSAPI0065: behind a request: %s: %s", err->code,
                     err->internal);
    }
    apr_pool_destroy(given->pool);
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
static apr_status_t later(dsapi_series_load_t *given)
{
    loading_t *own =
        apr_pmemdup(given->pool, given->ask.baton, sizeof(loading_t));
    const mod_dsapi_series_t *series = own->route->series;

    own->pool = given->pool;
    own->values = copy_texts(own->values, series->params->nelts, own->pool);
    own->settings = copy_texts(own->settings,
                               1 + series->service->session->nelts, own->pool);
    given->ask.baton = own;
    return dsapi_series_threads_run(threads, load_behind, given);
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

/* The answer, without anything borrowed from its series. */
static apr_status_t write_metric(mod_dsapi_answer_t *answer, dsapi_err_t **perr,
                                 request_rec *r, const mod_dsapi_route_t *route,
                                 const char **values,
                                 const dsapi_series_got_t *got)
{
    const dsapi_metric_ask_t ask = {route->metric, values};
    dsapi_cells_t cells;
    apr_status_t rv =
        dsapi_series_compute(&cells, perr, got->columns, &ask, r->pool);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    dsapi_series_write(answer->buf, answer->format, got->columns, route->metric,
                       &cells);
    answer->type = dsapi_route_table_type(answer->format);
    answer->as_of = got->as_of;
    answer->stamp = got->stamp;
    answer->instead = got->instead;
    return APR_SUCCESS;
}

apr_status_t mod_dsapi_metric(mod_dsapi_answer_t *answer, dsapi_err_t **perr,
                              request_rec *r, const mod_dsapi_route_t *route,
                              const char **values,
                              const mod_dsapi_metric_of_t *of)
{
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
    const dsapi_buf_t *key = key_of(r, route, of->key);
    const char **settings;
    apr_status_t rv = mod_dsapi_settings(&settings, perr, r, route);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    loading.settings = settings;
    ask.ask = *of->ask;
    ask.ask.key = key->data;
    ask.ask.key_bytes = key->len_bytes;
    rv = dsapi_series_get(&got, perr, of->cache, &ask, r->pool);
    if (rv == APR_SUCCESS) {
        rv = write_metric(answer, perr, r, route, values, &got);
    }
    release(&loading); /* before a client may take its time */
    return rv;
}
