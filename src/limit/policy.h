/*
 * A limit as it is configured, and its names in the header fields RateLimit
 * and RateLimit-Policy (draft-ietf-httpapi-ratelimit-headers-10).
 */
#ifndef DSAPI_LIMIT_POLICY_H
#define DSAPI_LIMIT_POLICY_H

#include <apr_pools.h>
#include <apr_tables.h>

#include "limit/gcra.h"

/** What requests are counted by. */
typedef enum dsapi_by_e {
    DSAPI_BY_CLIENT, /* the address */
    DSAPI_BY_USER,
    DSAPI_BY_EXPR
} dsapi_by_e;

typedef struct dsapi_policy_t {
    const char *name; /* printable ASCII without quote and backslash */
    int named;        /* it was given: one quota, wherever it stands */
    dsapi_quota_t quota;
    apr_int64_t cost;
    dsapi_by_e by;
    const char *expr; /* DSAPI_BY_EXPR: its text; else NULL */
    int shadow;       /* counts, and refuses nobody */
    apr_uint64_t id;  /* dsapi_limit_id; left 0 here */
} dsapi_policy_t;

/**
 * Read a limit: 60/min [burst=60] [by=client|user|expr:text] [cost=1]
 * [name=word] [shadow]. Without name= it is called as the rate is written,
 * and what it counts by: "60/min", "60/min by user".
 * @param ppolicy  out: in pool; NULL on error
 * @param perr     out: what is wrong, in pool
 * @param args     of dsapi_arg_t, at least one; borrowed for as long as pool
 * @return APR_SUCCESS; DSAPI_ESYNTAX
 */
apr_status_t dsapi_limit_parse(dsapi_policy_t **ppolicy, dsapi_err_t **perr,
                               const apr_array_header_t *args,
                               apr_pool_t *pool);

/** Do two limits give out the same: quota, and what they count by? */
int dsapi_limit_same(const dsapi_policy_t *a, const dsapi_policy_t *b);

/** @return the policy as an item of RateLimit-Policy: "60/min";q=60;w=60 */
const char *dsapi_limit_item(const dsapi_policy_t *policy, apr_pool_t *pool);

#endif
