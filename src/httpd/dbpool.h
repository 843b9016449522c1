/*
 * Borrowing a connection of mod_dbd's pool for as long as SQL runs on it, and
 * the bounded gate in front of that pool, which itself would wait for ever.
 */
#ifndef DSAPI_HTTPD_DBPOOL_H
#define DSAPI_HTTPD_DBPOOL_H

#include <httpd.h>

#include "db/db.h"
#include "httpd/config.h"

/** Register what hooks into mod_dbd. */
void mod_dsapi_db_register_hooks(apr_pool_t *p);

/** Find mod_dbd's functions, and how a server configures it.
 *  @return 1; 0, logged: it has services, and mod_dbd is not loaded or not
 *          told which database */
int mod_dsapi_db_check(apr_pool_t *ptemp, const server_rec *s);

/** Make the gates of a child. */
void mod_dsapi_db_child_init(apr_pool_t *pchild, server_rec *main);

/** A connection on loan. */
typedef struct mod_dsapi_loan_t {
    dsapi_db_t *db;
    server_rec *server;
    void *gate; /* which has counted it */
    void *rec;  /* mod_dbd's */
    int streams;
} mod_dsapi_loan_t;

/**
 * Borrow a connection. Waits at most DsapiDBWait.
 * @param loan  out: to be given back by this thread if all went well
 * @param perr  out: the error, in pool
 * @param pool  lives as long as the loan
 * @return APR_SUCCESS; DSAPI_EBUSY: no connection became free in time;
 *         DSAPI_EDBDOWN: none could be made; DSAPI_EINTERNAL: another driver
 */
apr_status_t mod_dsapi_db_borrow(mod_dsapi_loan_t *loan, dsapi_err_t **perr,
                                 server_rec *s, apr_pool_t *pool);

/** Give it back. One that is not idle is broken. */
void mod_dsapi_db_give_back(mod_dsapi_loan_t *loan);

/**
 * Keep a loan for as long as a client reads: it is counted as a stream from now
 * on. Waits at most DsapiDBWait, and not while another request waits for a
 * connection.
 * @param perr  out: the error, in pool
 * @return APR_SUCCESS; DSAPI_EBUSY: there are as many streams as there may be;
 *         DSAPI_EINTERNAL: there may be none
 */
apr_status_t mod_dsapi_db_stream(mod_dsapi_loan_t *loan, dsapi_err_t **perr,
                                 apr_pool_t *pool);

/**
 * Borrow a connection, run a batch on it, give it back.
 * @param prows  out: the rows of the last statement, in pool
 * @param perr   out: the error, in pool
 * @return as mod_dsapi_db_borrow and dsapi_db_run
 */
apr_status_t mod_dsapi_db_run(dsapi_rows_t **prows, dsapi_err_t **perr,
                              server_rec *s, const dsapi_batch_t *batch,
                              apr_pool_t *pool);

#endif
