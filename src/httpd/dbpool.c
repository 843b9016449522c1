/* The loan: see dbpool.h. */
#include "httpd/dbpool.h"

#include <apr_dbd.h>
#include <apr_optional_hooks.h>
#include <apr_strings.h>
#include <apr_thread_mutex.h>
#include <http_log.h>
#include <mod_dbd.h>

#include "db/again.h"
#include "db/pool.h"
#include "route/result.h"

APLOG_USE_MODULE(dsapi);

/* How many streams there may be unless DsapiStreams says so. */
#define STREAMS 2

/* The gate of a pool of mod_dbd's. */
typedef struct pool_gate_t {
    dsapi_gate_t *gate;
    const dbd_cfg_t *pool;
    struct pool_gate_t *next;
} pool_gate_t;

/* How a loan has ended. */
typedef enum loan_e {
    SERVED, /* the connection is good */
    LOST,   /* it broke; nobody knows whether the batch has happened */
    BROKEN, /* it broke, nothing of the batch is left, and there is no other */
    AWAY    /* there was none to begin with */
} loan_e;

/* What DsapiReadDatabase names. */
typedef struct mod_dsapi_standby_t {
    dsapi_db_pool_t *dbs;
    atomic_int away; /* and that has been logged */
} mod_dsapi_standby_t;

/* What a child knows: reset with every child, never shared by processes. */
static struct {
    apr_pool_t *pool;
    apr_thread_mutex_t *mutex;
    pool_gate_t *gates;
} child;

static APR_OPTIONAL_FN_TYPE(ap_dbd_open) * dbd_open;
static APR_OPTIONAL_FN_TYPE(ap_dbd_close) * dbd_close;

/* Under this name a connection's pool keeps our view of it. */
static const char DB_KEY[] = "mod_dsapi_db";
static const char GATE_KEY[] = "mod_dsapi_gate";

/* mod_dbd has made a connection: remember which pool it belongs to, and how
 * large that is. Runs in whichever thread needed the connection. */
static apr_status_t post_connect(apr_pool_t *pool, dbd_cfg_t *cfg,
                                 ap_dbd_t *rec)
{
    int streams = mod_dsapi_srv_of(cfg->server)->streams;
    pool_gate_t *known;
    void *native;

    (void)pool;
    if (!child.mutex || strcmp(apr_dbd_name(rec->driver), "pgsql") != 0) {
        return APR_SUCCESS;
    }
    native = apr_dbd_native_handle(rec->driver, rec->handle);
    apr_pool_userdata_setn(dsapi_db_adopt(native, rec->pool), DB_KEY, NULL,
                           rec->pool);
    apr_thread_mutex_lock(child.mutex);
    for (known = child.gates; known && known->pool != cfg;
         known = known->next) {
    }
    if (!known) {
        known = apr_palloc(child.pool, sizeof(*known));
        known->gate =
            dsapi_gate_make(cfg->persist ? cfg->nmax : 1,
                            streams < 0 ? STREAMS : streams, child.pool);
        known->pool = cfg;
        known->next = child.gates;
        child.gates = known;
    }
    apr_thread_mutex_unlock(child.mutex);
    apr_pool_userdata_setn(known->gate, GATE_KEY, NULL, rec->pool);
    return APR_SUCCESS;
}

void mod_dsapi_db_register_hooks(apr_pool_t *p)
{
    (void)p;
    child.mutex = NULL;
    APR_OPTIONAL_HOOK(dbd, post_connect, post_connect, NULL, NULL,
                      APR_HOOK_MIDDLE);
}

/* mod_dbd takes any numbers, and then never makes a pool of some. */
static const char *sizes_mistake(apr_pool_t *ptemp, const server_rec *s)
{
    static const struct {
        const char *directive;
        int def; /* mod_dbd's own */
    } rows[] = {{"DBDMin", 1}, {"DBDKeep", 2}, {"DBDMax", 10}};
    apr_int64_t size[3];
    mod_dsapi_srv_t *srv = mod_dsapi_srv_of(s);
    int streams = srv->streams;

    for (int i = 0; i < 3; i++) {
        const char *text = mod_dsapi_dbd_argument(ptemp, s, rows[i].directive);

        size[i] = text ? apr_atoi64(text) : rows[i].def;
    }
    srv->pool_size = (int)size[2];
    if (size[0] <= size[1] && size[1] <= size[2] && size[2] > 0) {
        return streams <= 0 || streams < size[2]
                   ? NULL
                   : apr_psprintf(ptemp,
                                  "DsapiStreams (%d) must be below DBDMax "
                                  "(%d), so that a connection is left for "
                                  "answers that are not streamed",
                                  streams, (int)size[2]);
    }
    return apr_psprintf(ptemp,
                        "needs a pool: DBDMin (%d) must not be above DBDKeep "
                        "(%d), nor that above DBDMax (%d)",
                        (int)size[0], (int)size[1], (int)size[2]);
}

/* The first service that asks the database for anything; NULL: none does. */
static const mod_dsapi_service_t *first_user(const apr_array_header_t *services)
{
    for (int i = 0; i < services->nelts; i++) {
        const mod_dsapi_service_t *service =
            APR_ARRAY_IDX(services, i, const mod_dsapi_service_t *);
        int asks = service->sources->nelts > 0 || service->resources->nelts > 0;

        for (int j = 0; j < service->routes->nelts; j++) {
            asks |= APR_ARRAY_IDX(service->routes, j, const mod_dsapi_route_t *)
                        ->action != MOD_DSAPI_TIME;
        }
        if (asks) {
            return service;
        }
    }
    return NULL;
}

int mod_dsapi_db_check(apr_pool_t *ptemp, const server_rec *s,
                       const server_rec *main)
{
    const mod_dsapi_service_t *service =
        first_user(mod_dsapi_srv_of(s)->services);
    const char *driver = mod_dsapi_dbd_argument(ptemp, s, "DBDriver");
    const char *params = mod_dsapi_dbd_argument(ptemp, s, "DBDParams");
    const char *mistake = NULL;

    dbd_open = APR_RETRIEVE_OPTIONAL_FN(ap_dbd_open);
    dbd_close = APR_RETRIEVE_OPTIONAL_FN(ap_dbd_close);
    if (!dbd_open || !dbd_close) {
        mistake = "needs mod_dbd: load it (LoadModule dbd_module ...) and set "
                  "DBDriver pgsql and DBDParams";
    }
    else if (!driver || strcmp(driver, "pgsql") != 0) {
        mistake = driver ? "needs DBDriver pgsql, and no other driver"
                         : "needs DBDriver pgsql and DBDParams \"host=... "
                           "dbname=... user=...\"";
    }
    else if (!params || !*params) {
        mistake = "needs to know its database: DBDParams \"host=... "
                  "dbname=... user=... connect_timeout=3\"";
    }
    else if (!dsapi_db_conninfo_ok(params)) {
        mistake = "DBDParams is not what libpq takes: \"host=... dbname=... "
                  "user=...\", a value with blanks in '...'";
    }
    else {
        mistake = sizes_mistake(ptemp, s);
        mistake = mistake ? mistake : mod_dsapi_pool_mistake(ptemp, s, main);
    }
    if (!mistake || !service) {
        return 1;
    }
    ap_log_error(APLOG_MARK, APLOG_CRIT, 0, s,
                 "DSAPI0002: %s, line %d: <DsapiService>: %s",
                 service->place.file, service->place.line, mistake);
    return 0;
}

static mod_dsapi_standby_t *make_standby(const mod_dsapi_srv_t *srv)
{
    mod_dsapi_standby_t *standby = apr_pcalloc(child.pool, sizeof(*standby));

    standby->dbs = dsapi_db_pool_make(
        srv->read_database, srv->pool_size > 0 ? srv->pool_size : 1,
        srv->streams < 0 ? STREAMS : srv->streams, child.pool);
    return standby;
}

void mod_dsapi_db_child_init(apr_pool_t *pchild, server_rec *main)
{
    const mod_dsapi_srv_t *first = mod_dsapi_srv_of(main);

    apr_pool_create(&child.pool, pchild);
    apr_pool_tag(child.pool, "mod_dsapi_gates");
    child.gates = NULL;
    apr_thread_mutex_create(&child.mutex, APR_THREAD_MUTEX_DEFAULT, child.pool);
    for (server_rec *s = main; s; s = s->next) {
        mod_dsapi_srv_t *srv = mod_dsapi_srv_of(s);

        /* for one, until its pool is known: no connection has been made yet */
        atomic_store(&srv->gate, dsapi_gate_make(1, STREAMS, child.pool));
        if (s != main && srv->read_database == first->read_database) {
            srv->standby = first->standby; /* inherited */
        }
        else {
            srv->standby = srv->read_database ? make_standby(srv) : NULL;
        }
    }
}

static dsapi_gate_t *gate_of(mod_dsapi_srv_t *srv)
{
    return atomic_load(&srv->gate);
}

/* Enters the gate of a server's pool, which may become known meanwhile. */
static apr_status_t enter(dsapi_gate_t **pgate, mod_dsapi_srv_t *srv,
                          apr_time_t until)
{
    dsapi_gate_t *gate = gate_of(srv);
    apr_status_t rv = dsapi_gate_enter(gate, until, srv->db_wait);

    while (rv == APR_SUCCESS && gate != gate_of(srv)) {
        dsapi_gate_leave(gate, DSAPI_GATE_SERVED, srv->db_wait);
        gate = gate_of(srv);
        rv = dsapi_gate_enter(gate, until, srv->db_wait);
    }
    *pgate = gate;
    return rv;
}

/* From now on the server's requests go through its pool's own gate, and so has
 * the one that came to know it. */
static dsapi_gate_t *learn_gate(mod_dsapi_srv_t *srv, dsapi_gate_t *entered,
                                const ap_dbd_t *rec)
{
    void *known = NULL;

    apr_pool_userdata_get(&known, GATE_KEY, rec->pool);
    if (!known || known == entered) {
        return entered;
    }
    dsapi_gate_join(known);
    atomic_store(&srv->gate, known);
    dsapi_gate_leave(entered, DSAPI_GATE_SERVED, srv->db_wait);
    return known;
}

static apr_status_t no_connection(dsapi_err_t **perr, apr_status_t rv,
                                  apr_pool_t *pool)
{
    if (rv == DSAPI_EBUSY) {
        dsapi_fail(perr, pool, rv, "database-busy",
                   "every database connection is in use; try again");
    }
    else {
        dsapi_fail(perr, pool, rv, "database-unavailable",
                   "the database cannot be reached");
    }
    (*perr)->retry_after_s = 1;
    return rv;
}

/* How the use of a connection has ended. */
static loan_e end_of(dsapi_db_t *db, apr_status_t rv, const dsapi_err_t *err,
                     int repeatable)
{
    if (dsapi_db_idle(db)) {
        return SERVED;
    }
    dsapi_db_break(db); /* mod_dbd finds it dead and connects anew */
    if (rv != DSAPI_EDBDOWN || !err) {
        return LOST;
    }
    return strcmp(err->sqlstate, "08001") == 0 ? AWAY
           : repeatable                        ? BROKEN
                                               : LOST;
}

static apr_status_t call_use(dsapi_err_t **perr, mod_dsapi_loan_t *loan,
                             const mod_dsapi_use_t *use)
{
    dsapi_db_set_prepare(loan->db, mod_dsapi_srv_of(loan->server)->db_prepare);
    dsapi_db_set_json(loan->db, dsapi_route_as_json);
    dsapi_db_set_watch(loan->db, 1);
    return use->fn(use->baton, perr, loan);
}

static dsapi_gate_end_e gate_end(loan_e end)
{
    return end == SERVED ? DSAPI_GATE_SERVED
           : end == LOST ? DSAPI_GATE_LOST
                         : DSAPI_GATE_REFUSED;
}

/* Borrows a connection, uses it, gives it back. The gate has been entered. */
static loan_e use_once(apr_status_t *prv, dsapi_err_t **perr,
                       mod_dsapi_loan_t *loan, const mod_dsapi_use_t *use,
                       apr_pool_t *pool)
{
    mod_dsapi_srv_t *srv = mod_dsapi_srv_of(loan->server);
    ap_dbd_t *rec = dbd_open(pool, loan->server);
    void *db = NULL;
    loan_e end = AWAY;

    if (rec) {
        loan->gate = learn_gate(srv, loan->gate, rec);
        apr_pool_userdata_get(&db, DB_KEY, rec->pool);
    }
    loan->db = db;
    if (db) {
        *prv = call_use(perr, loan, use);
        end = end_of(db, *prv, *perr, use->repeatable);
    }
    else if (rec) {
        *prv = dsapi_fail(perr, pool, DSAPI_EINTERNAL, "internal",
                          "the service is not set up: DBDriver must be pgsql");
        end = SERVED;
    }
    if (rec) {
        dbd_close(loan->server, rec);
    }
    if (loan->streams) {
        dsapi_gate_leave_stream(loan->gate); /* says nothing of now */
        return end;
    }
    dsapi_gate_leave(loan->gate, gate_end(end), srv->db_wait);
    return end;
}

/* Whether the standby can be asked has changed: that is logged once. */
static void note_standby(server_rec *s, mod_dsapi_standby_t *standby, int away,
                         const dsapi_err_t *err)
{
    if (atomic_exchange(&standby->away, away) == away) {
        return;
    }
    if (away) {
        ap_log_error(APLOG_MARK, APLOG_WARNING, 0, s,
                     "DSAPI0056: the standby of DsapiReadDatabase cannot be "
                     "asked; the primary is, until it can: %s",
                     err->internal);
    }
    else {
        ap_log_error(APLOG_MARK, APLOG_NOTICE, 0, s,
                     "DSAPI0057: the standby of DsapiReadDatabase is asked "
                     "again");
    }
}

/* Uses a connection to the standby. @return 0: it has given no answer, and the
 * primary may be asked: there is none, or it is away, or what comes from the
 * primary was in the way of the query again and again (40001) */
static int use_standby(apr_status_t *prv, dsapi_err_t **perr, server_rec *s,
                       const mod_dsapi_use_t *use, apr_pool_t *pool)
{
    mod_dsapi_srv_t *srv = mod_dsapi_srv_of(s);
    mod_dsapi_standby_t *standby = srv->standby;
    mod_dsapi_loan_t loan = {.server = s};
    int was_away = atomic_load(&standby->away);
    loan_e end;

    *prv = dsapi_db_pool_take(&loan.db, perr, standby->dbs, srv->db_wait, pool);
    if (*prv == DSAPI_EBUSY) {
        no_connection(perr, *prv, pool);
        return 1;
    }
    if (*prv != APR_SUCCESS) {
        if (*perr) {
            note_standby(s, standby, 1, *perr);
        }
        return 0;
    }
    loan.gate = dsapi_db_pool_gate(standby->dbs);
    *prv = call_use(perr, &loan, use);
    end = end_of(loan.db, *prv, *perr, use->repeatable);
    dsapi_db_pool_give(standby->dbs, loan.db, gate_end(end), loan.streams);
    if (end == SERVED && was_away) { /* not: begun before it went */
        note_standby(s, standby, 0, NULL);
    }
    if (loan.streams) {
        return 1;
    }
    if (end == AWAY || end == BROKEN) {
        note_standby(s, standby, 1, *perr);
        return 0;
    }
    return *prv == APR_SUCCESS || !*perr || !dsapi_db_conflict(*perr);
}

apr_status_t mod_dsapi_db_use(dsapi_err_t **perr, server_rec *s,
                              const mod_dsapi_use_t *use, apr_pool_t *pool)
{
    mod_dsapi_srv_t *srv = mod_dsapi_srv_of(s);
    apr_time_t until;
    apr_status_t rv;
    int broken = 0;

    if (!dbd_open) { /* dsapi-jobs, where there is no service */
        return dsapi_fail(perr, pool, DSAPI_EINTERNAL, "internal",
                          "the service is not set up: it needs mod_dbd");
    }
    if (use->standby && srv->standby && use_standby(&rv, perr, s, use, pool)) {
        return rv;
    }
    until = apr_time_now() + srv->db_wait;
    for (;;) {
        mod_dsapi_loan_t loan = {.server = s};
        loan_e end;

        rv = enter(&loan.gate, srv, until);
        if (rv != APR_SUCCESS) {
            return no_connection(perr, rv, pool);
        }
        end = use_once(&rv, perr, &loan, use, pool);
        if (loan.streams) {
            return rv;
        }
        if (end == BROKEN && !broken) {
            broken = 1; /* it has run for some time, and now it waits */
            until = apr_time_now() + srv->db_wait;
        }
        else if (end != AWAY) {
            return rv;
        }
        else if (apr_time_now() >= until) {
            return no_connection(perr, DSAPI_EDBDOWN, pool);
        }
    }
}

apr_status_t mod_dsapi_db_stream(mod_dsapi_loan_t *loan, dsapi_err_t **perr,
                                 apr_pool_t *pool)
{
    apr_time_t until = apr_time_now() + mod_dsapi_srv_of(loan->server)->db_wait;
    apr_status_t rv = dsapi_gate_stream(loan->gate, until);

    loan->streams = rv == APR_SUCCESS;
    if (rv == DSAPI_EBUSY) {
        dsapi_fail(perr, pool, rv, "database-busy",
                   "as many large results are being sent as may be; try again");
        (*perr)->retry_after_s = 1;
    }
    else if (rv != APR_SUCCESS) {
        dsapi_fail(perr, pool, rv, "result-too-large",
                   "the result is too large");
        (*perr)->internal = "the result is larger than DsapiBuffer, and "
                            "DsapiStreams is 0";
    }
    return rv;
}

typedef struct run_t {
    dsapi_rows_t **prows;
    const dsapi_batch_t *batch;
    apr_pool_t *pool;
} run_t;

static apr_status_t run(void *baton, dsapi_err_t **perr, mod_dsapi_loan_t *loan)
{
    const run_t *it = baton;

    return dsapi_db_run(it->prows, perr, loan->db, it->batch, it->pool);
}

apr_status_t mod_dsapi_db_run(dsapi_rows_t **prows, dsapi_err_t **perr,
                              server_rec *s, const dsapi_batch_t *batch,
                              int standby, apr_pool_t *pool)
{
    run_t it = {prows, batch, pool};
    mod_dsapi_use_t use = {
        run, &it, batch->repeatable && dsapi_db_atomic(batch), standby};

    *prows = NULL;
    return mod_dsapi_db_use(perr, s, &use, pool);
}
