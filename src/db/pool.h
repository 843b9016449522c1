/*
 * A pool of connections of our own, for a database that mod_dbd does not know:
 * made when they are needed, by the thread that needs one and with a time
 * limit, kept while they are good, and admitted to by a gate.
 */
#ifndef DSAPI_DB_POOL_H
#define DSAPI_DB_POOL_H

#include "db/db.h"
#include "db/gate.h"

typedef struct dsapi_db_pool_t dsapi_db_pool_t;

/**
 * Make a pool, which is empty.
 * @param conninfo  libpq's; borrowed for ever
 * @param max       connections at most, >= 1
 * @param streams   how many of them streams may have: see dsapi_gate_make
 * @param pool      owns it, and closes what nobody has then; used by no other
 *                  thread meanwhile
 */
dsapi_db_pool_t *dsapi_db_pool_make(const char *conninfo, int max, int streams,
                                    apr_pool_t *pool);

/**
 * Take a connection. After a failure to make one, nobody tries for a second.
 * @param pdb   out: as dsapi_db_connect made it, or as it was given back (it
 *              may have broken since); NULL on error
 * @param perr  out: why it could not be made, in pool; NULL where nobody has
 *              tried, and on success
 * @param wait  for one to become free, at most
 * @param pool  of the calling thread
 * @return APR_SUCCESS; DSAPI_EBUSY: none became free; DSAPI_EDBDOWN
 */
apr_status_t dsapi_db_pool_take(dsapi_db_t **pdb, dsapi_err_t **perr,
                                dsapi_db_pool_t *dbs, apr_interval_time_t wait,
                                apr_pool_t *pool);

/**
 * Give a connection back; one that is not idle is closed.
 * @param end       what it tells of the database
 * @param streamed  1: dsapi_gate_stream has kept its place
 */
void dsapi_db_pool_give(dsapi_db_pool_t *dbs, dsapi_db_t *db,
                        dsapi_gate_end_e end, int streamed);

/** @return the gate, for dsapi_gate_stream */
dsapi_gate_t *dsapi_db_pool_gate(const dsapi_db_pool_t *dbs);

#endif
