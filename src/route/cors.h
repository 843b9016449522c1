/*
 * Cross-origin requests (the Fetch standard, "CORS protocol"): which pages of
 * other origins may read answers, and what a preflight is told.
 */
#ifndef DSAPI_ROUTE_CORS_H
#define DSAPI_ROUTE_CORS_H

#include <apr_pools.h>
#include <apr_tables.h>

#include "base/error.h"

/** Whom a service answers. */
typedef struct dsapi_cors_t {
    int any;                     /* "*" */
    apr_array_header_t *origins; /* of const char *; empty where any */
    apr_array_header_t *headers; /* of const char *: that requests may have
                                    besides the usual ones */
} dsapi_cors_t;

/**
 * Is it an origin as browsers send it: scheme://host[:port], in lower case,
 * without the scheme's own port? "null" is none: everybody can be that.
 * @param perr  out: what would be right, in pool; NULL on success
 * @return APR_SUCCESS; DSAPI_ESYNTAX
 */
apr_status_t dsapi_route_cors_check(dsapi_err_t **perr, const char *origin,
                                    apr_pool_t *pool);

/** @return 1: a header's name: letters, digits, '-', '_' and '.' */
int dsapi_route_cors_is_header(const char *name);

/**
 * Whom an answer may be read by (Access-Control-Allow-Origin).
 * @param origin  of the request; NULL: it has none
 * @return "*", or the origin (it is listed), borrowed; NULL: nobody
 */
const char *dsapi_route_cors_allow(const dsapi_cors_t *cors,
                                   const char *origin);

/**
 * The headers that a request may have (Access-Control-Allow-Headers).
 * @param params  of the route, const dsapi_param_t *; NULL: there is none
 * @return in pool
 */
const char *dsapi_route_cors_headers(const dsapi_cors_t *cors,
                                     const apr_array_header_t *params,
                                     apr_pool_t *pool);

#endif
