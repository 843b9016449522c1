/*
 * A database connection that is driven by turns: made, and made again where
 * it was lost; one batch at a time, each with an end. Nothing in it waits, but
 * for the resolver where a connection is begun. One thread uses it.
 */
#ifndef DSAPI_SOURCE_LINK_H
#define DSAPI_SOURCE_LINK_H

#include <apr_pools.h>
#include <apr_time.h>

#include "db/db.h"

typedef struct dsapi_link_t dsapi_link_t;

/**
 * Make one; it is closed.
 * @param conninfo  borrowed
 * @param prepare   named prepared statements
 * @param pool      owns it, and closes it
 */
dsapi_link_t *dsapi_link_make(const char *conninfo, int prepare,
                              apr_pool_t *pool);

/** @return the time of the clock that ends and pauses are of, which is never
 *  set */
apr_time_t dsapi_link_clock(void);

/**
 * Go on connecting. After a failure nothing is tried for a second.
 * @param pwhy  out: why it has failed, as long as a batch's texts
 * @return APR_SUCCESS: it is connected now; APR_EINPROGRESS: wait for the
 *         socket, or until dsapi_link_due; DSAPI_EDBDOWN
 */
apr_status_t dsapi_link_connect(const char **pwhy, dsapi_link_t *link);

/** @return 1: dsapi_link_connect has succeeded, and the connection was not
 *  lost since */
int dsapi_link_connected(const dsapi_link_t *link);

/** Begin to put a batch together; what the last one gave is gone.
 *  @return the pool of its texts, until the next begins */
apr_pool_t *dsapi_link_begin(dsapi_link_t *link);

/** @return one more call of the batch, to be filled in */
dsapi_call_t *dsapi_link_call(dsapi_link_t *link);

/**
 * Send the batch.
 * @param pwhy   out: why not, as long as the batch's texts
 * @param limit  the server gives it up by itself after so long
 * @return APR_SUCCESS: go on with dsapi_link_poll; DSAPI_EDBDOWN: the
 *         connection is lost
 */
apr_status_t dsapi_link_send(const char **pwhy, dsapi_link_t *link,
                             apr_interval_time_t limit);

/**
 * Go on with the batch.
 * @param prows  out: of the last statement, until the next batch begins
 * @param perr   out: the error, as long; NULL on success
 * @param pwhy   out: why the connection is lost, as long; NULL: it is not
 * @return APR_SUCCESS; APR_EINPROGRESS: wait for the socket, or until
 *         dsapi_link_due; as dsapi_db_error; DSAPI_EDBDOWN
 */
apr_status_t dsapi_link_poll(dsapi_rows_t **prows, dsapi_err_t **perr,
                             const char **pwhy, dsapi_link_t *link);

/** Close it; what the batch gave can still be read. A second later it may be
 *  connected again. */
void dsapi_link_close(dsapi_link_t *link);

/** @return when what is under way is given up, or connecting may begin; as
 *  long as neither, APR_INT64_MAX */
apr_time_t dsapi_link_due(const dsapi_link_t *link);

/** @return the connection, for its state, notifications and socket; NULL:
 *  closed */
dsapi_db_t *dsapi_link_db(const dsapi_link_t *link);

#endif
