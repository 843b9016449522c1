/*
 * Errors as PostgREST tells them: code, message, details, hint, and its
 * statuses. They go out within a problem document (RFC 9457).
 */
#ifndef DSAPI_RESOURCE_PROBLEM_H
#define DSAPI_RESOURCE_PROBLEM_H

#include <apr_pools.h>

#include "base/error.h"

/** A setting that is nowhere: SQL asks for it where what a row embeds is too
 *  large, since that is an error. */
#define DSAPI_RES_TOO_LARGE "dsapi_resource.too_large"

/**
 * Fill an error of the dialect, without details and hint.
 * @param perr  out: in pool
 * @param http  its status
 * @param code  "PGRST100", or an SQLSTATE; borrowed for ever (a literal)
 * @param fmt   printf format of the message
 * @return the error's rv: that of the status
 */
apr_status_t dsapi_resource_fail(dsapi_err_t **perr, apr_pool_t *pool, int http,
                                 const char *code, const char *fmt, ...)
    __attribute__((format(printf, 5, 6)));

/** Say more about an error. @param fmt  printf format of a text */
void dsapi_resource_details(dsapi_err_t *err, apr_pool_t *pool, const char *fmt,
                            ...) __attribute__((format(printf, 3, 4)));

/** Say what may help. @param fmt  printf format of a text */
void dsapi_resource_hint(dsapi_err_t *err, apr_pool_t *pool, const char *fmt,
                         ...) __attribute__((format(printf, 3, 4)));

/**
 * Turn an error into one of the dialect. The database's is told with its
 * message, detail and hint where the client made the mistake, since a resource
 * shows a table as it is; what says that the client may try again keeps its
 * status (503, 504).
 * @param err  in/out: any; one of the dialect stays as it is
 */
void dsapi_resource_problem(dsapi_err_t *err, apr_pool_t *pool);

/** Keep to ourselves what the database says of the rows that break a constraint
 *  (its detail: all their values, or those of a key).
 *  @param err  in/out: one of the dialect */
void dsapi_resource_conceal(dsapi_err_t *err);

#endif
