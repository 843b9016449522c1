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
 *  @return 1; 0, logged: it has services that use SQL or the queue, and mod_dbd
 *          is not loaded or not told which database */
int mod_dsapi_db_check(apr_pool_t *ptemp, const server_rec *s);

/** Make the gates of a child. */
void mod_dsapi_db_child_init(apr_pool_t *pchild, server_rec *main);

/**
 * Borrow a connection, run a batch on it, give it back. Waits at most
 * DsapiDBWait for the connection and DsapiDBTimeout for each statement.
 * @param prows  out: the rows of the last statement, in pool
 * @param perr   out: the error, in pool
 * @return as dsapi_db_run; DSAPI_EBUSY: no connection became free in time;
 *         DSAPI_EDBDOWN: none could be made
 */
apr_status_t mod_dsapi_db_run(dsapi_rows_t **prows, dsapi_err_t **perr,
                              server_rec *s, const dsapi_batch_t *batch,
                              apr_pool_t *pool);

#endif
