/*
 * Quotas by GCRA, the generic cell rate algorithm: what a key has used is one
 * instant, at which all of it will have come back (its theoretical arrival
 * time, TAT). Pure: no clock is read, and nothing is stored.
 *
 * Instants are nanoseconds since 1970.
 */
#ifndef DSAPI_LIMIT_GCRA_H
#define DSAPI_LIMIT_GCRA_H

#include <apr.h>

#include "base/error.h"

#define DSAPI_NS_PER_S APR_INT64_C(1000000000)

/** A clock that is set back by more than this is noticed. */
#define DSAPI_GCRA_SLACK_NS (2 * DSAPI_NS_PER_S)

/**
 * In any span of time T, at most burst + T / unit_ns units are given out.
 */
typedef struct dsapi_quota_t {
    apr_int64_t unit_ns; /* so long until a used unit comes back */
    apr_int64_t burst;   /* units, where none is used */
} dsapi_quota_t;

/** What a client may know of its quota. */
typedef struct dsapi_quota_state_t {
    apr_int64_t remaining; /* units */
    apr_int64_t next_s;    /* until there is one more, rounded up; 0: all of
                              them are there */
    apr_int64_t retry_s;   /* until there are as many as asked for, rounded
                              up; 0: there are */
} dsapi_quota_state_t;

/**
 * Parse a rate: 60/min, a number up to 1000000 for each s, min, h or d.
 * @param pquota  out: burst is the number; untouched on error
 * @return APR_SUCCESS; DSAPI_ESYNTAX: it is none; DSAPI_ETOOBIG: more than
 *         100000/s, for which a unit's time would be too coarse
 */
apr_status_t dsapi_gcra_parse_rate(dsapi_quota_t *pquota, const char *text);

/** @return the time in which a whole quota comes back, in nanoseconds */
apr_int64_t dsapi_gcra_span(const dsapi_quota_t *quota);

/**
 * Take units.
 * @param pnext  out: the TAT to be kept, also where 0 is returned; then it is
 *               tat itself, unless the clock was set back: a TAT that no
 *               request can have caused becomes that of a quota that has just
 *               been used up
 * @param tat    the key's; 0: it has none
 * @param cost   units, 1 to the quota's burst
 * @param now    an instant
 * @return 1; 0: there are not so many
 */
int dsapi_gcra_take(apr_int64_t *pnext, apr_int64_t tat,
                    const dsapi_quota_t *quota, apr_int64_t cost,
                    apr_int64_t now);

/** How a key stands at an instant. @param cost  units that are asked for */
void dsapi_gcra_state(dsapi_quota_state_t *pstate, apr_int64_t tat,
                      const dsapi_quota_t *quota, apr_int64_t cost,
                      apr_int64_t now);

#endif
