/* A pool of connections: see pool.h. */
#include "db/pool.h"

#include <apr_strings.h>
#include <apr_thread_mutex.h>

#include "db/pq.h"

/* Who has not let us in after so long is away. */
#define CONNECT_MAX apr_time_from_sec(2)

struct dsapi_db_pool_t {
    const char *conninfo;
    dsapi_gate_t *gate;
    apr_thread_mutex_t *mutex;
    apr_array_header_t *idle; /* of dsapi_db_t *; the last was used last */
};

static apr_status_t close_idle(void *data)
{
    dsapi_db_pool_t *dbs = data;
    dsapi_db_t **last;

    while ((last = apr_array_pop(dbs->idle))) {
        apr_pool_destroy((*last)->pool);
    }
    return APR_SUCCESS;
}

dsapi_db_pool_t *dsapi_db_pool_make(const char *conninfo, int max, int streams,
                                    apr_pool_t *pool)
{
    dsapi_db_pool_t *dbs = apr_pcalloc(pool, sizeof(*dbs));

    dbs->conninfo = conninfo;
    dbs->gate = dsapi_gate_make(max, streams, pool);
    apr_thread_mutex_create(&dbs->mutex, APR_THREAD_MUTEX_DEFAULT, pool);
    dbs->idle = apr_array_make(pool, max, sizeof(dsapi_db_t *));
    apr_pool_cleanup_register(pool, dbs, close_idle, apr_pool_cleanup_null);
    return dbs;
}

/* Makes a connection, in a pool of its own, which no thread shares. */
static apr_status_t make(dsapi_db_t **pdb, dsapi_err_t **perr,
                         const char *conninfo, apr_pool_t *pool)
{
    apr_time_t until = apr_time_now() + CONNECT_MAX;
    const char *why;
    apr_pool_t *own;
    apr_status_t rv;

    apr_pool_create(&own, NULL);
    apr_pool_tag(own, "dsapi_db_pool");
    rv = dsapi_db_connect(pdb, perr, conninfo, own);
    if (rv == APR_SUCCESS) {
        do {
            rv = dsapi_db_connect_poll(*pdb, perr, own);
        } while (rv == APR_EINPROGRESS && dsapi_db_wait(*pdb, until));
    }
    if (rv == APR_SUCCESS) {
        return rv;
    }
    why = rv == APR_EINPROGRESS ? "no answer while connecting"
                                : apr_pstrdup(pool, (*perr)->internal);
    apr_pool_destroy(own);
    dsapi_fail(perr, pool, DSAPI_EDBDOWN, "database-unavailable",
               "the database cannot be reached");
    (*perr)->internal = why;
    *pdb = NULL;
    return DSAPI_EDBDOWN;
}

apr_status_t dsapi_db_pool_take(dsapi_db_t **pdb, dsapi_err_t **perr,
                                dsapi_db_pool_t *dbs, apr_interval_time_t wait,
                                apr_pool_t *pool)
{
    apr_status_t rv = dsapi_gate_enter(dbs->gate, apr_time_now() + wait, 0);
    dsapi_db_t **last;

    *pdb = NULL;
    *perr = NULL;
    if (rv != APR_SUCCESS) {
        return rv;
    }
    apr_thread_mutex_lock(dbs->mutex);
    last = apr_array_pop(dbs->idle);
    if (last) {
        *pdb = *last;
    }
    apr_thread_mutex_unlock(dbs->mutex);
    if (*pdb) {
        return APR_SUCCESS;
    }
    rv = make(pdb, perr, dbs->conninfo, pool);
    if (rv != APR_SUCCESS) {
        dsapi_gate_leave(dbs->gate, DSAPI_GATE_REFUSED, 0);
    }
    return rv;
}

void dsapi_db_pool_give(dsapi_db_pool_t *dbs, dsapi_db_t *db,
                        dsapi_gate_end_e end, int streamed)
{
    if (dsapi_db_idle(db)) {
        apr_thread_mutex_lock(dbs->mutex);
        APR_ARRAY_PUSH(dbs->idle, dsapi_db_t *) = db; /* has room for max */
        apr_thread_mutex_unlock(dbs->mutex);
    }
    else {
        apr_pool_destroy(db->pool);
    }
    if (streamed) {
        dsapi_gate_leave_stream(dbs->gate);
    }
    else {
        dsapi_gate_leave(dbs->gate, end, 0);
    }
}

dsapi_gate_t *dsapi_db_pool_gate(const dsapi_db_pool_t *dbs)
{
    return dbs->gate;
}
