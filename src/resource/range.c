/* Which rows of a list: see range.h. */
#include "resource/range.h"

#include <apr_lib.h>
#include <apr_strings.h>
#include <string.h>

#include "base/number.h"
#include "resource/problem.h"

#define N "%" APR_INT64_T_FMT
#define BEHIND_THE_END \
    "An offset of " N " was requested, but there are only " N " rows."

/* "10-19" or "10-". @return 0: it is neither */
static int parse(apr_int64_t *plower, apr_int64_t *pupper, const char *header,
                 apr_pool_t *pool)
{
    const char *dash = strchr(header, '-');

    if (!dash || dash == header ||
        dsapi_base_parse_int(
            plower, apr_pstrmemdup(pool, header, (apr_size_t)(dash - header)),
            0, APR_INT32_MAX) != APR_SUCCESS) {
        return 0;
    }
    *pupper = APR_INT64_MAX - 1;
    return !dash[1] || dsapi_base_parse_int(pupper, dash + 1, 0,
                                            APR_INT64_MAX - 1) == APR_SUCCESS;
}

static apr_status_t not_satisfiable(dsapi_err_t **perr, const char *details,
                                    apr_pool_t *pool)
{
    dsapi_resource_fail(perr, pool, 416, "PGRST103",
                        "Requested range not satisfiable");
    dsapi_resource_details(*perr, pool, "%s", details);
    return (*perr)->rv;
}

apr_status_t dsapi_resource_range(dsapi_res_query_t *query, dsapi_err_t **perr,
                                  const char *header, apr_pool_t *pool)
{
    dsapi_res_node_t *root = query->root;
    apr_int64_t lower;
    apr_int64_t upper;
    apr_int64_t end; /* behind what limit has */

    if (!header || root->limit == 0 || !parse(&lower, &upper, header, pool)) {
        return APR_SUCCESS;
    }
    if (lower > upper) {
        return not_satisfiable(perr,
                               "The lower boundary must be lower than or equal "
                               "to the upper boundary in the Range header.",
                               pool);
    }
    if (lower < root->offset) {
        lower = root->offset;
    }
    end = root->limit < 0 || root->limit > APR_INT64_MAX - root->offset
              ? APR_INT64_MAX
              : root->offset + root->limit;
    if (upper > end - 1) {
        upper = end - 1;
    }
    if (lower > upper) {
        return not_satisfiable(
            perr, "Limit should be greater than or equal to zero.", pool);
    }
    root->offset = lower;
    root->limit = upper == APR_INT64_MAX - 1 ? -1 : upper - lower + 1;
    query->ranged = 1;
    return APR_SUCCESS;
}

const char *dsapi_resource_content_range(apr_int64_t lower, apr_int64_t nrows,
                                         apr_int64_t total, apr_pool_t *pool)
{
    const char *rows =
        nrows > 0 && total != 0
            ? apr_psprintf(pool, "%" APR_INT64_T_FMT "-%" APR_INT64_T_FMT,
                           lower, lower + nrows - 1)
            : "*";

    return total < 0 ? apr_pstrcat(pool, rows, "/*", NULL)
                     : apr_psprintf(pool, "%s/%" APR_INT64_T_FMT, rows, total);
}

apr_status_t dsapi_resource_range_status(int *phttp, dsapi_err_t **perr,
                                         apr_int64_t lower, apr_int64_t nrows,
                                         apr_int64_t total, apr_pool_t *pool)
{
    *phttp = total >= 0 && nrows < total ? 206 : 200;
    if (total < 0 || lower <= total) {
        return APR_SUCCESS;
    }
    return not_satisfiable(
        perr, apr_psprintf(pool, BEHIND_THE_END, lower, total), pool);
}
