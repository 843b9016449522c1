/* The gate and the loan: see dbpool.h. */
#include "httpd/dbpool.h"

#include <apr_dbd.h>
#include <apr_optional_hooks.h>
#include <apr_strings.h>
#include <apr_thread_cond.h>
#include <apr_thread_mutex.h>
#include <http_log.h>
#include <mod_dbd.h>

APLOG_USE_MODULE(dsapi);

/* How long nobody but one tries after a connection could not be made. */
#define FAIL_FAST apr_time_from_sec(1)

/*
 * Admission to one pool of mod_dbd. While a server's pool is not known (no
 * connection has been made yet) it has a gate of its own for one borrower.
 */
typedef struct gate_t {
    apr_thread_mutex_t *mutex;
    apr_thread_cond_t *freed;
    int max;
    int in_use;
    apr_time_t fail_until; /* the database could not be reached */
    int probing;           /* somebody tries it meanwhile */
    const dbd_cfg_t *pool; /* whose gate it is; NULL: not known yet */
    struct gate_t *next;   /* of the gates whose pool is known */
} gate_t;

/* What a child knows: reset with every child, never shared by processes. */
static struct {
    apr_pool_t *pool;
    apr_thread_mutex_t *mutex;
    gate_t *gates; /* whose pool is known */
} child;

static APR_OPTIONAL_FN_TYPE(ap_dbd_open) * dbd_open;
static APR_OPTIONAL_FN_TYPE(ap_dbd_close) * dbd_close;

/* Under this name a connection's pool keeps our view of it. */
static const char DB_KEY[] = "mod_dsapi_db";
static const char GATE_KEY[] = "mod_dsapi_gate";

static gate_t *make_gate(int max)
{
    gate_t *gate = apr_pcalloc(child.pool, sizeof(*gate));

    apr_thread_mutex_create(&gate->mutex, APR_THREAD_MUTEX_DEFAULT, child.pool);
    apr_thread_cond_create(&gate->freed, child.pool);
    gate->max = max;
    return gate;
}

/* mod_dbd has made a connection: remember which pool it belongs to, and how
 * large that is. Runs in whichever thread needed the connection. */
static apr_status_t post_connect(apr_pool_t *pool, dbd_cfg_t *cfg,
                                 ap_dbd_t *rec)
{
    gate_t *gate;
    void *native;

    (void)pool;
    if (!child.mutex || strcmp(apr_dbd_name(rec->driver), "pgsql") != 0) {
        return APR_SUCCESS;
    }
    native = apr_dbd_native_handle(rec->driver, rec->handle);
    apr_pool_userdata_setn(dsapi_db_adopt(native, rec->pool), DB_KEY, NULL,
                           rec->pool);
    apr_thread_mutex_lock(child.mutex);
    for (gate = child.gates; gate && gate->pool != cfg; gate = gate->next) {
    }
    if (!gate) {
        gate = make_gate(cfg->persist ? cfg->nmax : 1);
        gate->pool = cfg;
        gate->next = child.gates;
        child.gates = gate;
    }
    apr_thread_mutex_unlock(child.mutex);
    apr_pool_userdata_setn(gate, GATE_KEY, NULL, rec->pool);
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

    for (int i = 0; i < 3; i++) {
        const char *text = mod_dsapi_dbd_argument(ptemp, s, rows[i].directive);

        size[i] = text ? apr_atoi64(text) : rows[i].def;
    }
    if (size[0] <= size[1] && size[1] <= size[2] && size[2] > 0) {
        return NULL;
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
        int asks = service->sources->nelts > 0;

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

int mod_dsapi_db_check(apr_pool_t *ptemp, const server_rec *s)
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
    }
    if (!mistake || !service) {
        return 1;
    }
    ap_log_error(APLOG_MARK, APLOG_CRIT, 0, s,
                 "DSAPI0002: %s, line %d: <DsapiService>: %s",
                 service->place.file, service->place.line, mistake);
    return 0;
}

void mod_dsapi_db_child_init(apr_pool_t *pchild, server_rec *main)
{
    apr_pool_create(&child.pool, pchild);
    apr_pool_tag(child.pool, "mod_dsapi_gates");
    child.gates = NULL;
    apr_thread_mutex_create(&child.mutex, APR_THREAD_MUTEX_DEFAULT, child.pool);
    for (server_rec *s = main; s; s = s->next) {
        atomic_store(&mod_dsapi_srv_of(s)->gate, make_gate(1));
    }
}

static gate_t *gate_of(mod_dsapi_srv_t *srv)
{
    return atomic_load(&srv->gate);
}

/* From now on the server's requests go through its pool's own gate. */
static void learn_gate(mod_dsapi_srv_t *srv, const ap_dbd_t *rec)
{
    void *gate = NULL;

    apr_pool_userdata_get(&gate, GATE_KEY, rec->pool);
    if (gate && gate != gate_of(srv)) {
        atomic_store(&srv->gate, gate);
    }
}

/* Waits to be let in. @return APR_SUCCESS; DSAPI_EBUSY: not in time;
 * DSAPI_EDBDOWN: the database was just found to be away */
static apr_status_t enter(gate_t *gate, apr_interval_time_t wait)
{
    apr_time_t until = apr_time_now() + wait;
    apr_status_t rv = APR_SUCCESS;

    apr_thread_mutex_lock(gate->mutex);
    while (gate->in_use >= gate->max && rv == APR_SUCCESS) {
        apr_interval_time_t left = until - apr_time_now();

        if (left <= 0) {
            rv = DSAPI_EBUSY;
        }
        else if (gate->fail_until) {
            rv = DSAPI_EDBDOWN;
        }
        else {
            apr_thread_cond_timedwait(gate->freed, gate->mutex, left);
        }
    }
    if (rv == APR_SUCCESS && gate->fail_until) {
        if (gate->probing || apr_time_now() < gate->fail_until) {
            rv = DSAPI_EDBDOWN;
        }
        else {
            gate->probing = 1; /* this one tries */
        }
    }
    if (rv == APR_SUCCESS) {
        gate->in_use++;
    }
    apr_thread_mutex_unlock(gate->mutex);
    return rv;
}

static void leave(gate_t *gate, int reached)
{
    apr_thread_mutex_lock(gate->mutex);
    gate->in_use--;
    gate->probing = 0;
    gate->fail_until = reached ? 0 : apr_time_now() + FAIL_FAST;
    if (reached) {
        apr_thread_cond_signal(gate->freed);
    }
    else {
        apr_thread_cond_broadcast(gate->freed);
    }
    apr_thread_mutex_unlock(gate->mutex);
}

static apr_status_t run_on(dsapi_rows_t **prows, dsapi_err_t **perr,
                           const ap_dbd_t *rec, const dsapi_batch_t *batch,
                           const mod_dsapi_srv_t *srv, apr_pool_t *pool)
{
    void *db = NULL;
    apr_status_t rv;

    apr_pool_userdata_get(&db, DB_KEY, rec->pool);
    if (!db) {
        return dsapi_fail(perr, pool, DSAPI_EINTERNAL, "internal",
                          "the service is not set up: DBDriver must be pgsql");
    }
    dsapi_db_set_prepare(db, srv->db_prepare);
    rv = dsapi_db_run(prows, perr, db, batch, pool);
    if (!dsapi_db_idle(db)) {
        dsapi_db_break(db); /* mod_dbd finds it dead and connects anew */
    }
    return rv;
}

apr_status_t mod_dsapi_db_run(dsapi_rows_t **prows, dsapi_err_t **perr,
                              server_rec *s, const dsapi_batch_t *batch,
                              apr_pool_t *pool)
{
    mod_dsapi_srv_t *srv = mod_dsapi_srv_of(s);
    gate_t *gate = gate_of(srv);
    ap_dbd_t *rec = NULL;
    apr_status_t rv = enter(gate, srv->db_wait);

    *prows = NULL;
    if (rv == DSAPI_EBUSY) {
        dsapi_fail(perr, pool, rv, "database-busy",
                   "every database connection is in use; try again");
        (*perr)->retry_after_s = 1;
        return rv;
    }
    if (rv == APR_SUCCESS) {
        rec = dbd_open(pool, s);
        if (rec) {
            learn_gate(srv, rec);
            rv = run_on(prows, perr, rec, batch, srv, pool);
            dbd_close(s, rec);
        }
        leave(gate, rec != NULL);
    }
    if (!rec) {
        rv = dsapi_fail(perr, pool, DSAPI_EDBDOWN, "database-unavailable",
                        "the database cannot be reached");
        (*perr)->retry_after_s = 1;
    }
    return rv;
}
