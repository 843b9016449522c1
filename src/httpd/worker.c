/* The worker of each child: see worker.h. */
#include "httpd/worker.h"

#include <apr_atomic.h>
#include <apr_strings.h>
#include <http_log.h>
#include <mod_watchdog.h>

#include "httpd/config.h"
#include "httpd/versions.h"
#include "source/client.h"
#include "source/watch.h"
#include "source/worker.h"

APLOG_USE_MODULE(dsapi);

/* When the watchdog comes by; it is kept from then on, since it would sleep in
 * between whatever there is to do. And how long a turn may take: the child's
 * end waits for it. */
#define TURN_AFTER  apr_time_from_msec(100)
#define TURN_BUDGET apr_time_from_msec(200)

/* How long giving back jobs may delay the child's end. */
#define STOP_BUDGET apr_time_from_msec(1000)

/* How long the child's end waits for the watchdog's thread. */
#define END_WAIT apr_time_from_msec(2000)

/* A lost worker's jobs are taken over after its lease: twice the heartbeat. */
#define HEARTBEAT apr_time_from_sec(5)
#define LEASE     apr_time_from_sec(10)

/* How often a claim is tried for no reason; where no notification came, it is
 * known within some seconds that there is one (dsapi_queue_reap). */
#define POLL apr_time_from_sec(30)

#define USER_AGENT "mod_dsapi (Apache httpd"

/* One a child; used by the worker's thread only, but for stopping. */
static struct {
    dsapi_worker_config_t config;
    server_rec *server;
    apr_pool_t *pool;
    dsapi_worker_t *worker;
    volatile apr_uint32_t stopping;
    volatile apr_uint32_t alive; /* threads that may be at work */
} self;

/* One a child, too; used by the watcher's thread only. */
static struct {
    dsapi_watch_config_t config;
    apr_pool_t *pool;
    dsapi_watch_t *watch;
} watcher;

/* The queue is out of order, for a job or (id: NULL) as a whole. */
static void log_queue(const server_rec *s, const char *source, const char *id,
                      const char *text)
{
    if (id) {
        ap_log_error(APLOG_MARK, APLOG_ERR, 0, s,
                     "DSAPI0012: worker: job %s of %s: %s", id, source, text);
    }
    else {
        ap_log_error(APLOG_MARK, APLOG_ERR, 0, s,
                     "DSAPI0077: worker: no jobs are taken; has "
                     "core/schema.sql been applied? %s",
                     text);
    }
}

static void log_event(void *baton, dsapi_event_e event, const char *source,
                      const char *id, const char *text)
{
    server_rec *s = baton;

    switch (event) {
    case DSAPI_EVENT_CONNECTED:
        ap_log_error(APLOG_MARK, APLOG_INFO, 0, s,
                     "DSAPI0004: worker: connected to the database");
        break;
    case DSAPI_EVENT_DB_LOST:
        ap_log_error(APLOG_MARK, APLOG_ERR, 0, s,
                     "DSAPI0005: worker: no database: %s", text);
        break;
    case DSAPI_EVENT_CLAIMED:
        ap_log_error(APLOG_MARK, APLOG_INFO, 0, s,
                     "DSAPI0006: job %s of %s: started", id, source);
        break;
    case DSAPI_EVENT_SUCCEEDED:
        ap_log_error(APLOG_MARK, APLOG_INFO, 0, s,
                     "DSAPI0007: job %s of %s: succeeded: %s", id, source,
                     text ? text : "-");
        break;
    case DSAPI_EVENT_RETRY:
        ap_log_error(APLOG_MARK, APLOG_INFO, 0, s,
                     "DSAPI0008: job %s of %s: will be tried again: %s", id,
                     source, text);
        break;
    case DSAPI_EVENT_FAILED:
        ap_log_error(APLOG_MARK, APLOG_INFO, 0, s,
                     "DSAPI0009: job %s of %s: failed: %s", id, source, text);
        break;
    case DSAPI_EVENT_LOST:
        ap_log_error(APLOG_MARK, APLOG_INFO, 0, s,
                     "DSAPI0010: job %s of %s: another worker has it", id,
                     source);
        break;
    case DSAPI_EVENT_REAPED:
        ap_log_error(APLOG_MARK, APLOG_INFO, 0, s,
                     "DSAPI0011: worker: took back %s job(s) of lost workers",
                     text);
        break;
    case DSAPI_EVENT_TICK:
        ap_log_error(APLOG_MARK, APLOG_INFO, 0, s,
                     "DSAPI0039: schedule %s: %s job(s)", id, text);
        break;
    case DSAPI_EVENT_TICK_FAILED:
        ap_log_error(APLOG_MARK, APLOG_ERR, 0, s,
                     "DSAPI0040: schedule %s: %s; it is tried again every "
                     "minute",
                     id, text);
        break;
    case DSAPI_EVENT_QUEUE:
        log_queue(s, source, id, text);
        break;
    }
}

/* The watchdog's thread enters, comes by and stays, and leaves. */
static apr_status_t work(int state, void *data, apr_pool_t *pool)
{
    (void)data;
    (void)pool;
    if (state == AP_WATCHDOG_STATE_STARTING) {
        apr_pool_create(&self.pool, NULL);
        apr_pool_tag(self.pool, "mod_dsapi_worker");
        self.worker = dsapi_worker_make(&self.config, self.pool);
        if (!self.worker) {
            ap_log_error(APLOG_MARK, APLOG_CRIT, 0, self.server,
                         "DSAPI0013: worker: the HTTP client cannot start; no "
                         "jobs are taken");
            apr_atomic_dec32(&self.alive);
        }
    }
    else if (!self.worker) {
        return APR_SUCCESS;
    }
    else {
        while (state == AP_WATCHDOG_STATE_RUNNING &&
               !apr_atomic_read32(&self.stopping)) {
            dsapi_worker_turn(self.worker, TURN_BUDGET);
        }
        dsapi_worker_stop(self.worker, STOP_BUDGET);
        self.worker = NULL;
        apr_pool_destroy(self.pool);
        apr_atomic_dec32(&self.alive);
    }
    return APR_SUCCESS;
}

static void log_watch(void *baton, dsapi_watch_event_e event, const char *text)
{
    server_rec *s = baton;

    switch (event) {
    case DSAPI_WATCH_CONNECTED:
        ap_log_error(APLOG_MARK, APLOG_INFO, 0, s,
                     "DSAPI0035: data versions: connected to the database");
        break;
    case DSAPI_WATCH_LOST:
        ap_log_error(APLOG_MARK, APLOG_WARNING, 0, s,
                     "DSAPI0036: data versions are not known, and cached "
                     "answers live for their time only: no database: %s",
                     text);
        break;
    case DSAPI_WATCH_SQL:
        ap_log_error(APLOG_MARK, APLOG_ERR, 0, s,
                     "DSAPI0037: data versions are not known; has "
                     "core/schema.sql been applied? %s",
                     text);
        break;
    }
}

/* As work; the watcher's thread. */
static apr_status_t watch_versions(int state, void *data, apr_pool_t *pool)
{
    (void)data;
    (void)pool;
    if (state == AP_WATCHDOG_STATE_STARTING) {
        apr_pool_create(&watcher.pool, NULL);
        apr_pool_tag(watcher.pool, "mod_dsapi_watch");
        watcher.watch = dsapi_watch_make(&watcher.config, watcher.pool);
    }
    else if (!watcher.watch) {
        return APR_SUCCESS;
    }
    else {
        while (state == AP_WATCHDOG_STATE_RUNNING &&
               !apr_atomic_read32(&self.stopping)) {
            dsapi_watch_turn(watcher.watch, TURN_BUDGET);
        }
        watcher.watch = NULL;
        apr_pool_destroy(watcher.pool);
        apr_atomic_dec32(&self.alive);
    }
    return APR_SUCCESS;
}

static int has_source(const apr_array_header_t *sources, const char *name)
{
    for (int i = 0; i < sources->nelts; i++) {
        if (strcmp(APR_ARRAY_IDX(sources, i, const dsapi_source_t *)->name,
                   name) == 0) {
            return 1;
        }
    }
    return 0;
}

/* Every source of every server, each name once. */
static apr_array_header_t *all_sources(apr_pool_t *p, server_rec *main)
{
    apr_array_header_t *sources =
        apr_array_make(p, 8, sizeof(const dsapi_source_t *));

    for (server_rec *s = main; s; s = s->next) {
        const apr_array_header_t *services = mod_dsapi_srv_of(s)->services;

        for (int i = 0; i < services->nelts; i++) {
            const mod_dsapi_service_t *service =
                APR_ARRAY_IDX(services, i, const mod_dsapi_service_t *);

            for (int j = 0; j < service->sources->nelts; j++) {
                const dsapi_source_t *source =
                    &APR_ARRAY_IDX(service->sources, j,
                                   const mod_dsapi_source_t *)
                         ->core;

                if (!has_source(sources, source->name)) {
                    APR_ARRAY_PUSH(sources, const dsapi_source_t *) = source;
                }
            }
        }
    }
    return sources;
}

/* Who we are, and whom an upstream's administrators may write to: ServerAdmin,
 * where that is an address and can stand in a header's comment. */
static const char *user_agent(apr_pool_t *p, const server_rec *main)
{
    const char *admin = main->server_admin ? main->server_admin : "";

    for (const char *c = admin; *c; c++) {
        if (*c <= ' ' || *c > '~' || strchr("()\\", *c)) {
            return USER_AGENT ")";
        }
    }
    return ap_strchr_c(admin, '@') || ap_strstr_c(admin, "://")
               ? apr_pstrcat(p, USER_AGENT "; ", admin, ")", NULL)
               : USER_AGENT ")";
}

/* Of the connections that are not requests'; NULL: there is none. */
static const char *conninfo_of(apr_pool_t *p, const server_rec *main)
{
    const mod_dsapi_srv_t *srv = mod_dsapi_srv_of(main);

    return srv->worker_database ? srv->worker_database
                                : mod_dsapi_dbd_argument(p, main, "DBDParams");
}

/* Does it take jobs? */
static int works(apr_pool_t *p, server_rec *main)
{
    return mod_dsapi_srv_of(main)->worker && all_sources(p, main)->nelts > 0;
}

static void fill_config(apr_pool_t *p, server_rec *main,
                        const apr_array_header_t *sources)
{
    const mod_dsapi_srv_t *srv = mod_dsapi_srv_of(main);

    self.config.conninfo = conninfo_of(p, main);
    self.config.sources = sources;
    self.config.user_agent = user_agent(p, main);
    self.config.concurrency = srv->concurrency;
    self.config.prepare = srv->db_prepare;
    self.config.lease = LEASE;
    self.config.heartbeat = HEARTBEAT;
    self.config.poll = POLL;
    self.config.event = log_event;
    self.config.baton = main;
}

int mod_dsapi_worker_check(apr_pool_t *ptemp, server_rec *main)
{
    if (!works(ptemp, main) && mod_dsapi_versions_names()->nelts == 0) {
        return 1;
    }
    if (!APR_RETRIEVE_OPTIONAL_FN(ap_watchdog_get_instance)) {
        ap_log_error(APLOG_MARK, APLOG_CRIT, 0, main,
                     "DSAPI0014: <DsapiSource>, <DsapiSeries> and "
                     "DsapiDependsOn "
                     "need mod_watchdog: load it, or set DsapiWorker Off and "
                     "take <DsapiSeries> and DsapiDependsOn away");
        return 0;
    }
    if (!conninfo_of(ptemp, main)) {
        ap_log_error(APLOG_MARK, APLOG_CRIT, 0, main,
                     "DSAPI0015: <DsapiSource>, <DsapiSeries> and "
                     "DsapiDependsOn "
                     "need a database: set DBDParams outside <VirtualHost>, or "
                     "DsapiWorkerDatabase");
        return 0;
    }
    return 1;
}

/* A thread of each child. @return OK, or not, logged */
static int set_watchdog(apr_pool_t *pconf, server_rec *main, const char *name,
                        ap_watchdog_callback_fn_t *callback)
{
    APR_OPTIONAL_FN_TYPE(ap_watchdog_get_instance) *get_instance =
        APR_RETRIEVE_OPTIONAL_FN(ap_watchdog_get_instance);
    APR_OPTIONAL_FN_TYPE(ap_watchdog_register_callback) *register_callback =
        APR_RETRIEVE_OPTIONAL_FN(ap_watchdog_register_callback);
    ap_watchdog_t *watchdog;
    apr_status_t rv = get_instance(&watchdog, name, 0, 0, pconf);

    if (rv == APR_SUCCESS) {
        rv = register_callback(watchdog, TURN_AFTER, NULL, callback);
    }
    if (rv != APR_SUCCESS) {
        ap_log_error(APLOG_MARK, APLOG_CRIT, rv, main,
                     "DSAPI0016: mod_watchdog would not take %s", name);
        return HTTP_INTERNAL_SERVER_ERROR;
    }
    return OK;
}

int mod_dsapi_worker_post_config(apr_pool_t *pconf, server_rec *main)
{
    int rv = OK;

    memset(&self, 0, sizeof(self)); /* what an earlier configuration left */
    memset(&watcher, 0, sizeof(watcher));
    self.server = main;
    if (works(pconf, main)) {
        fill_config(pconf, main, all_sources(pconf, main));
        rv = set_watchdog(pconf, main, "_dsapi_worker_", work);
    }
    if (rv == OK && mod_dsapi_versions_names()->nelts > 0) {
        watcher.config.conninfo = conninfo_of(pconf, main);
        watcher.config.prepare = mod_dsapi_srv_of(main)->db_prepare;
        watcher.config.event = log_watch;
        watcher.config.baton = main;
        rv = set_watchdog(pconf, main, "_dsapi_versions_", watch_versions);
    }
    return rv;
}

/* Before a child ends. Its end does not wait for the watchdog's threads, and
 * would leave the jobs to their leases. */
static apr_status_t await_threads(void *data)
{
    apr_time_t until = apr_time_now() + END_WAIT;

    (void)data;
    apr_atomic_set32(&self.stopping, 1);
    while (apr_atomic_read32(&self.alive) && apr_time_now() < until) {
        apr_sleep(apr_time_from_msec(10));
    }
    if (!apr_atomic_read32(&self.alive) && self.config.sources) {
        dsapi_client_global_cleanup();
    }
    return APR_SUCCESS;
}

void mod_dsapi_worker_child_init(apr_pool_t *pchild)
{
    apr_atomic_set32(&self.stopping, 0);
    if (self.config.sources) {
        dsapi_client_global_init(); /* where not, the worker cannot be made */
        apr_atomic_inc32(&self.alive);
    }
    if (watcher.config.conninfo) {
        watcher.config.versions = mod_dsapi_versions_child_init();
        apr_atomic_inc32(&self.alive);
    }
    if (apr_atomic_read32(&self.alive)) {
        apr_pool_pre_cleanup_register(pchild, NULL, await_threads);
    }
}

void mod_dsapi_worker_child_stopping(apr_pool_t *pchild, int graceful)
{
    (void)pchild;
    (void)graceful;
    apr_atomic_set32(&self.stopping, 1);
}
