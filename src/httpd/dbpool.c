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

/* How many streams there may be unless DsapiStreams says so. */
#define STREAMS 2

/*
 * Admission to one pool of mod_dbd. While a server's pool is not known (no
 * connection has been made yet) it has a gate of its own for one borrower.
 *
 * A stream holds its connection for as long as its client reads. There are
 * fewer of them than connections (but of a pool of one), so that some are left
 * for those who give back soon.
 */
typedef struct gate_t {
    apr_thread_mutex_t *mutex;
    apr_thread_cond_t *freed; /* for who is not in yet */
    apr_thread_cond_t *ended; /* for who is in, and wants to stream */
    int max;                  /* connections of the pool */
    int max_streams;
    int in_use;
    int streaming;         /* of them; max_streams at most */
    int waiting;           /* who are not in yet */
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

/* @param streams  DsapiStreams; -1: not set */
static gate_t *make_gate(int max, int streams)
{
    gate_t *gate = apr_pcalloc(child.pool, sizeof(*gate));
    int most = max > 1 ? max - 1 : 1;

    apr_thread_mutex_create(&gate->mutex, APR_THREAD_MUTEX_DEFAULT, child.pool);
    apr_thread_cond_create(&gate->freed, child.pool);
    apr_thread_cond_create(&gate->ended, child.pool);
    gate->max = max;
    gate->max_streams = streams < 0 ? STREAMS : streams;
    if (gate->max_streams > most) {
        gate->max_streams = most;
    }
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
        gate = make_gate(cfg->persist ? cfg->nmax : 1,
                         mod_dsapi_srv_of(cfg->server)->streams);
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
    int streams = mod_dsapi_srv_of(s)->streams;

    for (int i = 0; i < 3; i++) {
        const char *text = mod_dsapi_dbd_argument(ptemp, s, rows[i].directive);

        size[i] = text ? apr_atoi64(text) : rows[i].def;
    }
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

int mod_dsapi_db_check(apr_pool_t *ptemp, const server_rec *s)
{
    const apr_array_header_t *services = mod_dsapi_srv_of(s)->services;
    const char *driver = mod_dsapi_dbd_argument(ptemp, s, "DBDriver");
    const char *params = mod_dsapi_dbd_argument(ptemp, s, "DBDParams");
    const mod_dsapi_service_t *service;
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
    else {
        mistake = sizes_mistake(ptemp, s);
    }
    if (!mistake || services->nelts == 0) {
        return 1;
    }
    service = APR_ARRAY_IDX(services, 0, const mod_dsapi_service_t *);
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
        atomic_store(&mod_dsapi_srv_of(s)->gate, make_gate(1, -1));
    }
}

static gate_t *gate_of(mod_dsapi_srv_t *srv)
{
    return atomic_load(&srv->gate);
}

/* Waits to be let in. @return APR_SUCCESS; DSAPI_EBUSY: not in time;
 * DSAPI_EDBDOWN: the database was just found to be away */
static apr_status_t enter(gate_t *gate, apr_time_t until)
{
    apr_status_t rv = APR_SUCCESS;

    apr_thread_mutex_lock(gate->mutex);
    gate->waiting++;
    while (gate->in_use >= gate->max && rv == APR_SUCCESS) {
        apr_interval_time_t left = until - apr_time_now();

        if (left <= 0) {
            rv = DSAPI_EBUSY;
        }
        else if (gate->fail_until) {
            rv = DSAPI_EDBDOWN;
        }
        else {
            apr_thread_cond_broadcast(gate->ended);
            apr_thread_cond_timedwait(gate->freed, gate->mutex, left);
        }
    }
    gate->waiting--;
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

/* What a stream leaves says nothing of the database now. */
static void leave_stream(gate_t *gate)
{
    apr_thread_mutex_lock(gate->mutex);
    gate->in_use--;
    gate->streaming--;
    apr_thread_cond_signal(gate->freed);
    apr_thread_cond_broadcast(gate->ended);
    apr_thread_mutex_unlock(gate->mutex);
}

/* Enters the gate of a server's pool. It may become known meanwhile. */
static apr_status_t enter_server(gate_t **pgate, mod_dsapi_srv_t *srv)
{
    apr_time_t until = apr_time_now() + srv->db_wait;
    gate_t *gate = gate_of(srv);
    apr_status_t rv = enter(gate, until);

    while (rv == APR_SUCCESS && gate != gate_of(srv)) {
        leave(gate, 1);
        gate = gate_of(srv);
        rv = enter(gate, until);
    }
    *pgate = gate;
    return rv;
}

/* From now on the server's requests go through its pool's own gate, and so has
 * the one that came to know it. */
static gate_t *learn_gate(mod_dsapi_srv_t *srv, gate_t *entered,
                          const ap_dbd_t *rec)
{
    void *known = NULL;
    gate_t *gate;

    apr_pool_userdata_get(&known, GATE_KEY, rec->pool);
    gate = known;
    if (!gate || gate == entered) {
        return entered;
    }
    apr_thread_mutex_lock(gate->mutex);
    gate->in_use++;
    apr_thread_mutex_unlock(gate->mutex);
    atomic_store(&srv->gate, gate);
    leave(entered, 1);
    return gate;
}

static apr_status_t unreached(dsapi_err_t **perr, apr_pool_t *pool)
{
    dsapi_fail(perr, pool, DSAPI_EDBDOWN, "database-unavailable",
               "the database cannot be reached");
    (*perr)->retry_after_s = 1;
    return DSAPI_EDBDOWN;
}

static apr_status_t busy(dsapi_err_t **perr, const char *detail,
                         apr_pool_t *pool)
{
    dsapi_fail(perr, pool, DSAPI_EBUSY, "database-busy", "%s; try again",
               detail);
    (*perr)->retry_after_s = 1;
    return DSAPI_EBUSY;
}

apr_status_t mod_dsapi_db_borrow(mod_dsapi_loan_t *loan, dsapi_err_t **perr,
                                 server_rec *s, apr_pool_t *pool)
{
    mod_dsapi_srv_t *srv = mod_dsapi_srv_of(s);
    gate_t *gate;
    ap_dbd_t *rec;
    void *db = NULL;
    apr_status_t rv = enter_server(&gate, srv);

    if (rv != APR_SUCCESS) {
        return rv == DSAPI_EBUSY
                   ? busy(perr, "every database connection is in use", pool)
                   : unreached(perr, pool);
    }
    rec = dbd_open(pool, s);
    if (!rec) {
        leave(gate, 0);
        return unreached(perr, pool);
    }
    loan->server = s;
    loan->rec = rec;
    loan->gate = learn_gate(srv, gate, rec);
    loan->streams = 0;
    apr_pool_userdata_get(&db, DB_KEY, rec->pool);
    loan->db = db;
    if (!db) {
        mod_dsapi_db_give_back(loan);
        return dsapi_fail(perr, pool, DSAPI_EINTERNAL, "internal",
                          "the service is not set up: DBDriver must be pgsql");
    }
    dsapi_db_set_prepare(db, srv->db_prepare);
    dsapi_db_set_watch(db, 1);
    return APR_SUCCESS;
}

void mod_dsapi_db_give_back(mod_dsapi_loan_t *loan)
{
    if (loan->db && !dsapi_db_idle(loan->db)) {
        dsapi_db_break(loan->db); /* mod_dbd finds it dead, connects anew */
    }
    dbd_close(loan->server, loan->rec);
    if (loan->streams) {
        leave_stream(loan->gate);
    }
    else {
        leave(loan->gate, 1);
    }
}

apr_status_t mod_dsapi_db_stream(mod_dsapi_loan_t *loan, dsapi_err_t **perr,
                                 apr_pool_t *pool)
{
    gate_t *gate = loan->gate;
    apr_time_t until = apr_time_now() + mod_dsapi_srv_of(loan->server)->db_wait;

    if (gate->max_streams == 0) {
        dsapi_fail(perr, pool, DSAPI_EINTERNAL, "result-too-large",
                   "the result is too large");
        (*perr)->internal = "the result is larger than DsapiBuffer, and "
                            "DsapiStreams is 0";
        return DSAPI_EINTERNAL;
    }
    apr_thread_mutex_lock(gate->mutex);
    while (gate->streaming >= gate->max_streams && gate->waiting == 0) {
        apr_interval_time_t left = until - apr_time_now();

        if (left <= 0) {
            break;
        }
        apr_thread_cond_timedwait(gate->ended, gate->mutex, left);
    }
    loan->streams = gate->streaming < gate->max_streams;
    if (loan->streams) {
        gate->streaming++;
        gate->probing = 0; /* not for as long as the client reads */
        gate->fail_until = 0;
    }
    apr_thread_mutex_unlock(gate->mutex);
    return loan->streams
               ? APR_SUCCESS
               : busy(perr, "as many large results are being sent as may be",
                      pool);
}

apr_status_t mod_dsapi_db_run(dsapi_rows_t **prows, dsapi_err_t **perr,
                              server_rec *s, const dsapi_batch_t *batch,
                              apr_pool_t *pool)
{
    mod_dsapi_loan_t loan;
    apr_status_t rv = mod_dsapi_db_borrow(&loan, perr, s, pool);

    *prows = NULL;
    if (rv == APR_SUCCESS) {
        rv = dsapi_db_run(prows, perr, loan.db, batch, pool);
        mod_dsapi_db_give_back(&loan);
    }
    return rv;
}
