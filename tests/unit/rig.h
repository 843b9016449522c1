/*
 * Workers under test: a database with the queue, the upstream stand-in, one
 * source, and workers that are driven by turns until something is true.
 */
#ifndef DSAPI_TESTS_RIG_H
#define DSAPI_TESTS_RIG_H

#include "source/worker.h"
#include "unit/pg.h"

#define TURN     apr_time_from_msec(20)
#define PATIENCE apr_time_from_sec(20)
#define NEVENTS  (DSAPI_EVENT_QUEUE + 1)

/** What the source stores; waits where a test holds the advisory lock 7. */
#define STORE                                              \
    "SELECT pg_advisory_xact_lock_shared(7);"              \
    "INSERT INTO stored (key, body) VALUES (:key, :body);" \
    "SELECT count(*) AS rows, :key AS \"of.key\" FROM stored WHERE key = :key"

/** The state of the newest job. */
#define STATE "SELECT state FROM dsapi.job ORDER BY id DESC LIMIT 1"

/** How many backends wait for an advisory lock. */
#define WAITING                                                          \
    "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT " \
    "granted"

/** A worker and what it has told. */
typedef struct hand_t {
    dsapi_worker_t *worker; /* NULL: it has gone */
    dsapi_worker_config_t config;
    apr_pool_t *pool;
    int told[NEVENTS];
    const char *text[NEVENTS]; /* the newest */
} hand_t;

typedef struct rig_t {
    pg_t *pg;
    int stub;              /* its port */
    dsapi_source_t source; /* "t/data" of one parameter, "key" */
    apr_array_header_t *sources;
    hand_t hands[2];
    int nhands;
} rig_t;

/** A database with a table "stored", and the queue unless bare. */
rig_t *rig_make(int bare);

/** One more worker. It polls once a minute; leases last a second. */
hand_t *hire(rig_t *rig);

/** End a worker as a crash would. */
void fire(hand_t *hand);

/** A worker's turns, for so long. */
void work_for(dsapi_worker_t *worker, apr_interval_time_t t);

/** Every worker's turns, for TURN each. */
void turn(rig_t *rig);

/** Drive the workers until a query's first value is want. */
void drive(rig_t *rig, const char *want, const char *sql);

/** Drive the workers until one has told an event so often. */
void drive_told(rig_t *rig, const hand_t *hand, dsapi_event_e event, int times);

/** Drive the workers for so long. */
void drive_for(rig_t *rig, apr_interval_time_t t);

/** Drive the workers until the stand-in holds so many requests. */
void drive_held(rig_t *rig, int held);

/** SQL over :key and :body, for a source's store. */
apr_array_header_t *store_of(const char *sql);

/** From now on the stand-in answers well, after what was queued before. */
void answer_always(const rig_t *rig);

/** The stand-in holds the next request. */
void hold_next(const rig_t *rig);

/** Put a job in the queue. @return its id */
const char *enqueue(const rig_t *rig, const char *key, int attempts);

/** Put jobs "1" to "n" in the queue. */
void enqueue_many(const rig_t *rig, int n);

/** @return the newest job as "state attempts error" */
const char *job_of(const rig_t *rig);

/** @return how many rows have been stored */
const char *stored(const rig_t *rig);

#endif
