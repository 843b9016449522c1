/*
 * The worker: claims jobs, fetches, stores, finishes. One thread drives it by
 * turns; nothing in it blocks longer than a turn's budget. It has one
 * database connection of its own (which LISTENs) and one HTTP client; while
 * the connection stores for longer than a heartbeat, a second one keeps the
 * other jobs' leases.
 *
 * A job's way: claim (attempt counted, lease taken) - fetch - one transaction
 * that holds the job's row, stores the data and finishes the job. The row is
 * locked and the token compared in that transaction, so an answer is stored
 * by the lease's owner or not at all. Whatever breaks, the job is tried again
 * from the claim, or from the store where the answer is at hand.
 *
 * A lease never reaches further than config's lease, so a lost worker's jobs
 * are free after that; the one that it was storing is held by its row's lock
 * instead, which goes with its connection (PostgreSQL looks every 100 ms).
 */
#ifndef DSAPI_SOURCE_WORKER_H
#define DSAPI_SOURCE_WORKER_H

#include <apr_pools.h>
#include <apr_time.h>

#include "source/source.h"

typedef struct dsapi_worker_t dsapi_worker_t;

/** What there is to tell an administrator. */
typedef enum dsapi_event_e {
    DSAPI_EVENT_CONNECTED,   /* to the database */
    DSAPI_EVENT_DB_LOST,     /* text: why */
    DSAPI_EVENT_CLAIMED,     /* a job's attempt begins */
    DSAPI_EVENT_SUCCEEDED,   /* text: the result */
    DSAPI_EVENT_RETRY,       /* text: the reason */
    DSAPI_EVENT_FAILED,      /* for good; text: the reason */
    DSAPI_EVENT_LOST,        /* the lease went to somebody else */
    DSAPI_EVENT_REAPED,      /* text: how many lost jobs were taken back */
    DSAPI_EVENT_TICK,        /* id: the schedule; text: how many jobs */
    DSAPI_EVENT_TICK_FAILED, /* id: the schedule; text: why */
    DSAPI_EVENT_QUEUE        /* text: why the queue's SQL failed */
} dsapi_event_e;

/** @param source  full name, or NULL; @param id  of the job or a schedule's
 *  name, or NULL */
typedef void (*dsapi_event_fn)(void *baton, dsapi_event_e event,
                               const char *source, const char *id,
                               const char *text);

/** All of it is borrowed for the life of the worker. */
typedef struct dsapi_worker_config_t {
    const char *conninfo;
    const apr_array_header_t *sources; /* of const dsapi_source_t * */
    const char *user_agent;
    int concurrency;               /* transfers at once, >= 1 */
    int prepare;                   /* named prepared statements */
    apr_interval_time_t lease;     /* of a claimed job */
    apr_interval_time_t heartbeat; /* how often leases are extended */
    apr_interval_time_t poll;      /* how often the queue is asked unasked */
    dsapi_event_fn event;
    void *baton;
} dsapi_worker_config_t;

/**
 * Make a worker. It does nothing before its first turn.
 * @param pool  owns it: destroying it closes everything, and leaves the jobs
 *              under way to their leases (see dsapi_worker_stop); a
 *              store under way is rolled back
 * @return the worker; NULL: the HTTP client could not be made
 */
dsapi_worker_t *dsapi_worker_make(const dsapi_worker_config_t *config,
                                  apr_pool_t *pool);

/**
 * Do what can be done at once; where that is nothing, wait for more, at most
 * for the budget. What has come is for the next turn: before it, the caller
 * may find that the worker is to be stopped.
 */
void dsapi_worker_turn(dsapi_worker_t *worker, apr_interval_time_t budget);

/**
 * Stop: no more claims, transfers aborted, their jobs given back uncounted.
 * A store under way has half the budget to come to its end; then it is
 * broken off, rolled back and its job given back, too. The others do not wait
 * for that: they are given back over the second connection.
 * @param budget  at most this long; what is left is left to the leases, or
 *                given back by the server where it has been asked in time
 */
void dsapi_worker_stop(dsapi_worker_t *worker, apr_interval_time_t budget);

#endif
