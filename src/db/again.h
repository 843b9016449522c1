/*
 * Whether a batch that has failed may be run again: only where PostgreSQL has
 * undone all of it, and where a second run may well end otherwise.
 */
#ifndef DSAPI_DB_AGAIN_H
#define DSAPI_DB_AGAIN_H

#include "db/db.h"

/** How often a batch is run at most while others are in its way. */
#define DSAPI_DB_RUNS_MAX 5

/** @return 1: what the batch has done is undone by its failure, since none of
 *  its statements may commit */
int dsapi_db_atomic(const dsapi_batch_t *batch);

/** @return 1: other transactions were in the way, and this one was rolled back
 *  for it: 40001 and 40P01, and nothing else of class 40 (40003: nobody knows
 *  whether it was completed) */
int dsapi_db_conflict(const dsapi_err_t *err);

/** @return 1: the server takes no changes (25006): it is a standby, or the
 *  session read-only by default */
int dsapi_db_read_only(const dsapi_err_t *err);

/**
 * How long to wait before the next run, so that those who were in each other's
 * way do not meet again: anything up to 4 ms after the first, and twice as
 * much after each further one.
 * @param runs    how many there were, >= 1
 * @param random  any 32 bits
 */
apr_interval_time_t dsapi_db_pause(int runs, apr_uint32_t random);

#endif
