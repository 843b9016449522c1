/* The Prefer header (RFC 7240), as far as resources know it. */
#ifndef DSAPI_RESOURCE_PREFER_H
#define DSAPI_RESOURCE_PREFER_H

#include <apr_pools.h>
#include <apr_tables.h>

#include "base/error.h"

/* Values of its members, each behind its name in the header; 0: not said. */
enum {
    DSAPI_PREFER_MERGE = 1,
    DSAPI_PREFER_IGNORE
};
enum {
    DSAPI_PREFER_MINIMAL = 1,
    DSAPI_PREFER_HEADERS,
    DSAPI_PREFER_FULL
};
enum {
    DSAPI_PREFER_EXACT = 1,
    DSAPI_PREFER_PLANNED,
    DSAPI_PREFER_ESTIMATED
};
enum {
    DSAPI_PREFER_COMMIT = 1,
    DSAPI_PREFER_ROLLBACK
};
enum {
    DSAPI_PREFER_DEFAULT = 1,
    DSAPI_PREFER_NULL
};
enum {
    DSAPI_PREFER_STRICT = 1,
    DSAPI_PREFER_LENIENT
};

typedef struct dsapi_prefer_t {
    int resolution;
    int answer; /* return= */
    int count;
    int tx;
    int missing;
    int handling;
    const char *timezone;       /* NULL: not said */
    apr_int64_t max_affected;   /* -1: not said */
    apr_array_header_t *others; /* of const char *: what is not known */
} dsapi_prefer_t;

/**
 * Read the header. Of a preference that is said twice the first counts.
 * @param pprefer  out: in pool
 * @param header   its value; NULL: there is none
 * @param tx       whether tx= may be preferred
 */
void dsapi_prefer_parse(dsapi_prefer_t *pprefer, const char *header, int tx,
                        apr_pool_t *pool);

/** Refuse what is not known, where handling=strict was said.
 *  @return APR_SUCCESS; DSAPI_EPARAM (PGRST122) */
apr_status_t dsapi_prefer_check(dsapi_err_t **perr,
                                const dsapi_prefer_t *prefer, apr_pool_t *pool);

/** @return the value of Preference-Applied: what is set; NULL: nothing is */
const char *dsapi_prefer_applied(const dsapi_prefer_t *prefer,
                                 apr_pool_t *pool);

#endif
