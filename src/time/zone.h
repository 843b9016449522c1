/*
 * One zone of the time-zone database, read from its compiled file (TZif
 * version 2 or later, RFC 9636), and what its clocks show at an instant.
 */
#ifndef DSAPI_TIME_ZONE_H
#define DSAPI_TIME_ZONE_H

#include <apr_pools.h>
#include <apr_time.h>

#include "base/error.h"
#include "json/buf.h"
#include "time/rule.h"

/** Read-only once it is made, so threads may share it. */
typedef struct dsapi_zone_t dsapi_zone_t;

/**
 * Read a zone file. Its 64-bit data and its rule are used, so that files
 * with many changes ("fat") and with few ("slim") give the same clocks.
 * @param pzone      out: the zone, in pool; nothing of bytes is kept; NULL on
 *                   error
 * @param bytes      the whole file
 * @return APR_SUCCESS; DSAPI_ESYNTAX: not such a file, damaged, of version 1,
 *         or with leap seconds (of the folder "right")
 */
apr_status_t dsapi_time_zone_parse(dsapi_zone_t **pzone, const char *bytes,
                                   apr_size_t len_bytes, apr_pool_t *pool);

/**
 * @param seconds  since 1970-01-01T00:00:00Z, within 100,000 years of it
 * @return how the zone's clocks stand then; lives as long as the zone
 */
const dsapi_clock_t *dsapi_time_zone_at(const dsapi_zone_t *zone,
                                        apr_int64_t seconds);

/**
 * Write an instant as a JSON object: time (RFC 3339, always with microseconds
 * and a numeric offset, which has seconds where the zone's has), timezone,
 * abbreviation, offset, epoch (seconds with six decimals), dst.
 * @param name     the zone's; of characters that JSON does not escape
 * @param instant  from year 0 to 9999, on the zone's clocks too
 */
void dsapi_time_zone_write(dsapi_buf_t *buf, const char *name,
                           const dsapi_zone_t *zone, apr_time_t instant);

#endif
