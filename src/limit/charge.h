/*
 * A request and the limits that it falls under: it is charged to all of them,
 * or to none.
 */
#ifndef DSAPI_LIMIT_CHARGE_H
#define DSAPI_LIMIT_CHARGE_H

#include "limit/policy.h"
#include "limit/table.h"

/** The most limits that one request falls under. */
#define DSAPI_CHARGES_MAX 8

typedef enum dsapi_charge_e {
    DSAPI_CHARGE_OPEN, /* not asked yet */
    DSAPI_CHARGE_TAKEN,
    DSAPI_CHARGE_GIVEN_BACK, /* since another limit refused */
    DSAPI_CHARGE_REFUSED
} dsapi_charge_e;

typedef struct dsapi_charge_t {
    const dsapi_policy_t *policy;
    apr_uint64_t key; /* of whoever is charged: dsapi_limit_key */
    dsapi_charge_e state;
    apr_int64_t tat; /* the key's, where it has been asked */
} dsapi_charge_t;

/**
 * Charge a request to some limits, in order. Where one refuses that is no
 * shadow, the rest is not asked, and all that have been charged get theirs
 * back, those of earlier calls, too.
 * @param charges  in/out: with policy and key
 * @param from     the first that is asked now
 * @param to       the one behind the last
 * @param now      an instant (gcra.h)
 * @return the index of the one that refused; -1: none
 */
int dsapi_limit_charge(dsapi_charge_t *charges, int from, int to,
                       dsapi_limit_table_t *table, apr_int64_t now);

/** @return the seconds until a charge that was refused would pass, at least
 *  1 */
int dsapi_limit_retry_s(const dsapi_charge_t *charge, apr_int64_t now);

/**
 * The value of RateLimit: each limit that has been asked and is no shadow, the
 * one with the fewest requests left first.
 * @param n  charges, up to DSAPI_CHARGES_MAX
 * @return in pool; NULL: there is none
 */
const char *dsapi_limit_header(const dsapi_charge_t *charges, int n,
                               apr_int64_t now, apr_pool_t *pool);

#endif
