/*
 * A worker's second connection, for the time that its first one stores:
 * leases are extended over it, and jobs given back. It is opened when it is
 * needed. Nothing in it waits, but for the resolver where a connection is
 * begun; its failing harms nothing, since what it cannot say in time is left
 * to the leases. The worker alone uses this, on its thread.
 *
 * A job that is being stored has its row locked by that transaction: whoever
 * lists it waits, and so does everything else in the same statement.
 */
#ifndef DSAPI_SOURCE_SPARE_H
#define DSAPI_SOURCE_SPARE_H

#include <apr_pools.h>
#include <apr_tables.h>
#include <apr_time.h>

#include "db/db.h"
#include "source/job.h"

typedef struct dsapi_spare_t dsapi_spare_t;

/** What there is to be said, and when. Times are of a clock that is never
 *  set; all is borrowed for the call. */
typedef struct dsapi_spare_need_t {
    apr_time_t now;
    apr_time_t due; /* then a connection is needed; 0: none is */
    const dsapi_job_t *jobs;
    const dsapi_job_t *but;    /* of them, to be left out; NULL: none */
    apr_interval_time_t lease; /* to be extended to */
    int release;               /* or, 1: give them back uncounted */
} dsapi_spare_need_t;

typedef enum dsapi_spare_step_e {
    DSAPI_SPARE_WAITS,    /* for the socket or the clock */
    DSAPI_SPARE_SENT,     /* the jobs of this need are asked about */
    DSAPI_SPARE_ANSWERED, /* which of them are gone is known */
    DSAPI_SPARE_FAILED    /* they were asked about in vain */
} dsapi_spare_step_e;

/**
 * Make one; it is closed.
 * @param conninfo  borrowed
 * @param prepare   named prepared statements
 * @param pool      owns it, and closes it; what has been asked may still
 *                  happen then
 */
dsapi_spare_t *dsapi_spare_make(const char *conninfo, int prepare,
                                apr_pool_t *pool);

/**
 * Go on: take an answer, or connect, or ask, whatever is next; where there is
 * no need, close. What takes too long is given up.
 * @param pgone  out: where it ANSWERED, of const char *: the ids of the jobs
 *               asked about that are not ours any more, lost or given back;
 *               good until the next step
 */
dsapi_spare_step_e dsapi_spare_step(const apr_array_header_t **pgone,
                                    dsapi_spare_t *spare,
                                    const dsapi_spare_need_t *need);

/** @return 1: it was asked and has not answered */
int dsapi_spare_asked(const dsapi_spare_t *spare);

/** @return when the next step is due by the clock; 0: never */
apr_time_t dsapi_spare_next(const dsapi_spare_t *spare, apr_time_t due);

/** @return the descriptor to wait for; -1: nothing is under way */
int dsapi_spare_socket(const dsapi_spare_t *spare);

/** @return 1: wait until the descriptor can be written, too */
int dsapi_spare_wants_write(const dsapi_spare_t *spare);

/** Fill in the call that says so of a need's jobs.
 *  @param pids  out: of const char *, who they are, in pool */
void dsapi_spare_call(dsapi_call_t *pcall, apr_array_header_t **pids,
                      const dsapi_spare_need_t *need, apr_pool_t *pool);

/** @return of const char *: those of ids that are not in the first column,
 *  in pool */
apr_array_header_t *dsapi_spare_gone(const apr_array_header_t *ids,
                                     const dsapi_rows_t *rows,
                                     apr_pool_t *pool);

/** Let the transaction be rolled back soon after its client has gone, even
 *  where it waits or works; PostgreSQL would notice at its next write only.
 *  (Not on a server whose system cannot tell: no change there.) */
void dsapi_spare_watch(dsapi_call_t *pcall, apr_pool_t *pool);

#endif
