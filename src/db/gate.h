/*
 * Admission to a pool of database connections, for the threads of a child:
 * bounded, in order, and with limits on how long anybody waits.
 *
 * Whoever comes by while a place is free may have it, which saves waiting for
 * another thread to wake; but who has waited for 2 ms is next.
 *
 * While the database is away one at a time is let in to try it: at first every
 * 50 ms, as long as others wait for it, later every second. Where a connection
 * cannot be made while others have theirs, the database has no room for more:
 * for a second there are so many places.
 *
 * Some places may be kept for long (streams), but not all: see
 * dsapi_gate_stream.
 */
#ifndef DSAPI_DB_GATE_H
#define DSAPI_DB_GATE_H

#include <apr_pools.h>
#include <apr_time.h>

#include "base/error.h"

typedef struct dsapi_gate_t dsapi_gate_t;

/** How a place was used. */
typedef enum dsapi_gate_end_e {
    DSAPI_GATE_SERVED, /* the database has answered */
    DSAPI_GATE_LOST,   /* nothing is known of it */
    DSAPI_GATE_REFUSED /* no connection could be made */
} dsapi_gate_end_e;

/**
 * Make a gate.
 * @param max      places, >= 1
 * @param streams  how many of them streams may have: never the last one, but
 *                 of a gate with a single place; 0: none
 * @param pool     owns it (and a pool of the gate's own in it); used by no
 *                 other thread meanwhile
 */
dsapi_gate_t *dsapi_gate_make(int max, int streams, apr_pool_t *pool);

/**
 * Wait for a place.
 * @param until        at most
 * @param may_be_away  where the database is away, no longer than until it has
 *                     been so for so long
 * @return APR_SUCCESS; DSAPI_EBUSY: there was none in time; DSAPI_EDBDOWN: the
 *         database is away
 */
apr_status_t dsapi_gate_enter(dsapi_gate_t *gate, apr_time_t until,
                              apr_interval_time_t may_be_away);

/** Take a place that there may not be: with a connection which another gate
 *  has let in. */
void dsapi_gate_join(dsapi_gate_t *gate);

/** Give a place back. @param may_be_away  as it was entered with */
void dsapi_gate_leave(dsapi_gate_t *gate, dsapi_gate_end_e end,
                      apr_interval_time_t may_be_away);

/**
 * Keep a place for as long as a client reads. Waits at most so long, and not
 * while somebody waits for a place.
 * @return APR_SUCCESS: leave by dsapi_gate_leave_stream; DSAPI_EBUSY: there are
 *         as many streams as there may be; DSAPI_EINTERNAL: there may be none
 */
apr_status_t dsapi_gate_stream(dsapi_gate_t *gate, apr_time_t until);

void dsapi_gate_leave_stream(dsapi_gate_t *gate);

#endif
