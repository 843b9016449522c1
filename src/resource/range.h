/* Which rows of a list: limit, offset, the Range header, Content-Range. */
#ifndef DSAPI_RESOURCE_RANGE_H
#define DSAPI_RESOURCE_RANGE_H

#include <apr_pools.h>

#include "resource/query.h"

/**
 * Take the Range header into account ("0-9", "10-"): what both it and limit and
 * offset have. What it cannot be read as is passed over.
 * @param query   in/out: the root's limit and offset
 * @param header  NULL: there is none
 * @return APR_SUCCESS; DSAPI_EINTERNAL with status 416 (PGRST103)
 */
apr_status_t dsapi_resource_range(dsapi_res_query_t *query, dsapi_err_t **perr,
                                  const char *header, apr_pool_t *pool);

/**
 * @param lower   the first row's number
 * @param nrows   how many there are
 * @param total   of all; -1: unknown
 * @return the value of Content-Range: the first and the last row and the
 *         total, or stars for what is unknown
 */
const char *dsapi_resource_content_range(apr_int64_t lower, apr_int64_t nrows,
                                         apr_int64_t total, apr_pool_t *pool);

/**
 * The status of a list.
 * @return APR_SUCCESS, and *phttp is 200 or 206; an error with status 416: it
 *         would begin behind the end
 */
apr_status_t dsapi_resource_range_status(int *phttp, dsapi_err_t **perr,
                                         apr_int64_t lower, apr_int64_t nrows,
                                         apr_int64_t total, apr_pool_t *pool);

#endif
