/*
 * Borrowing a connection of mod_dbd's pool for as long as SQL runs on it, and
 * the bounded gate in front of that pool, which itself would wait for ever.
 */
#ifndef DSAPI_HTTPD_DBPOOL_H
#define DSAPI_HTTPD_DBPOOL_H

#include <httpd.h>

#include "db/db.h"
#include "db/gate.h"
#include "httpd/config.h"

/** Register what hooks into mod_dbd. */
void mod_dsapi_db_register_hooks(apr_pool_t *p);

/** Find mod_dbd's functions, and how a server configures it.
 *  @return 1; 0, logged: it has services that use SQL or the queue, and mod_dbd
 *          is not loaded, not told which database, or has no fit pool */
int mod_dsapi_db_check(apr_pool_t *ptemp, const server_rec *s,
                       const server_rec *main);

/** Make the gates of a child. */
void mod_dsapi_db_child_init(apr_pool_t *pchild, server_rec *main);

/** A connection on loan. */
typedef struct mod_dsapi_loan_t {
    dsapi_db_t *db;
    server_rec *server;
    dsapi_gate_t *gate;
    int streams; /* see mod_dsapi_db_stream */
} mod_dsapi_loan_t;

/** What a connection is borrowed for. */
typedef struct mod_dsapi_use_t {
    /** Perhaps called again where nothing has happened. @param perr  out: NULL
     *  on success */
    apr_status_t (*fn)(void *baton, dsapi_err_t **perr, mod_dsapi_loan_t *loan);
    void *baton;
    int repeatable; /* nothing is changed by it */
    int standby;    /* and the standby may be asked */
} mod_dsapi_use_t;

/**
 * Borrow a connection, use it, give it back. Waits at most DsapiDBWait for the
 * connection.
 *
 * A use of which nothing has happened, since the database is away, waits for
 * it, too: until it has been away for DsapiDBWait. So does a repeatable one
 * that was broken off, once. From then on all fail at once, but for one at a
 * time that tries.
 *
 * What the standby may be asked it is, if it can be; if not, or not to the end,
 * the primary is.
 * @param perr  out: the error, in pool
 * @param pool  of the calling thread
 * @return what the use has returned; DSAPI_EBUSY: no connection became free in
 *         time; DSAPI_EDBDOWN: none could be made
 */
apr_status_t mod_dsapi_db_use(dsapi_err_t **perr, server_rec *s,
                              const mod_dsapi_use_t *use, apr_pool_t *pool);

/**
 * Keep a loan for as long as a client reads: it is counted as a stream from now
 * on, and its use is not called again. Waits at most DsapiDBWait, and not while
 * another request waits for a connection.
 * @param perr  out: the error, in pool
 * @return APR_SUCCESS; DSAPI_EBUSY: there are as many streams as there may be;
 *         DSAPI_EINTERNAL: there may be none
 */
apr_status_t mod_dsapi_db_stream(mod_dsapi_loan_t *loan, dsapi_err_t **perr,
                                 apr_pool_t *pool);

/**
 * Run a batch on a connection, as mod_dsapi_db_use does.
 * @param prows    out: the rows of the last statement, in pool
 * @param standby  as in mod_dsapi_use_t
 */
apr_status_t mod_dsapi_db_run(dsapi_rows_t **prows, dsapi_err_t **perr,
                              server_rec *s, const dsapi_batch_t *batch,
                              int standby, apr_pool_t *pool);

#endif
