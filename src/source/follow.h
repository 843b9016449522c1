/*
 * Paged upstreams (DsapiFollow): where the next page is. Rules only.
 */
#ifndef DSAPI_SOURCE_FOLLOW_H
#define DSAPI_SOURCE_FOLLOW_H

#include <apr_pools.h>

#include "base/error.h"
#include "source/rules.h"

/** The pages of one job at most, where max= does not say. */
#define DSAPI_FOLLOW_MAX 100

typedef struct dsapi_follow_t {
    int max; /* pages of a job at most; 0: only the first is asked */
    const char *pointer; /* JSON pointer to the next page's URL; NULL: the
                          * header Link says it (rel=next) */
} dsapi_follow_t;

/**
 * The target of the first link with rel=next and without an anchor (RFC 8288).
 * @param value  of the header Link, several joined by commas; NULL: none
 * @return as it is written, in pool; NULL: there is none. What cannot be read
 *         is passed over, up to the next comma.
 */
const char *dsapi_follow_link(const char *value, apr_pool_t *pool);

/**
 * Resolve a reference (RFC 3986, 5.2), without its fragment.
 * @param base  an absolute URL
 * @param ref   absolute or relative
 * @return in pool
 */
const char *dsapi_follow_resolve(const char *base, const char *ref,
                                 apr_pool_t *pool);

/**
 * Find the page after one.
 * @param pnext  out: its URL, http or https, in pool; NULL: there is none (the
 *               pointer finds nothing, null or "")
 * @param perr   out: why it cannot be asked, in pool
 * @param resp   a good answer; where there is a pointer, its body has been
 *               checked to be JSON
 * @return APR_SUCCESS; DSAPI_EUNPROC: no URL, or from https to http
 */
apr_status_t dsapi_follow_next(const char **pnext, dsapi_err_t **perr,
                               const dsapi_follow_t *follow,
                               const dsapi_response_t *resp, apr_pool_t *pool);

#endif
