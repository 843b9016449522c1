/*
 * What a database error means to a client: SQLSTATE (PostgreSQL, appendix A)
 * to status, and the words that may leave the house.
 */
#ifndef DSAPI_DB_SQLSTATE_H
#define DSAPI_DB_SQLSTATE_H

#include <apr_pools.h>

#include "base/error.h"

/**
 * Turn a database error into ours.
 *
 * A message is passed on to the client only where the author of the SQL
 * raised it on purpose (RAISE EXCEPTION: P0001, or an SQLSTATE PTnnn, whose
 * nnn, 400 to 599, becomes the HTTP status), up to 1,000 bytes, as "refused",
 * or with the code that others of its status have; all other
 * messages go to the log alone, since they name tables and columns; the values
 * that PostgreSQL quotes in class 22 go nowhere.
 *
 * @param perr      out: the error, in pool
 * @param sqlstate  five characters; NULL: the connection was lost
 * @param message   PostgreSQL's primary message
 * @return the status: DSAPI_EPARAM (22xxx, 23502, 23514, P0001),
 *         DSAPI_ECONFLICT (23001, 23503, 23505, 23P01), DSAPI_EDENIED (42501),
 *         DSAPI_ENOTFOUND (P0002), DSAPI_ETIMEOUT (57014),
 *         DSAPI_EBUSY (40xxx, 53xxx, 55P03), DSAPI_EDBDOWN (08xxx, 57P0x,
 *         28xxx, 3D000, no SQLSTATE), what PTnnn names, or DSAPI_EINTERNAL.
 *         Where that is a 503, retry_after_s is set
 */
apr_status_t dsapi_db_error(dsapi_err_t **perr, const char *sqlstate,
                            const char *message, apr_pool_t *pool);

/** @return 1: the author of the SQL raised it on purpose, and its detail is
 *  what they wrote; 0: it is PostgreSQL's */
int dsapi_db_raised(const dsapi_err_t *err);

#endif
