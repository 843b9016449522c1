/*
 * The zones of a time-zone database: all of its files, read at once, so that
 * a request opens none and all answers come from one release.
 */
#ifndef DSAPI_TIME_ZONES_H
#define DSAPI_TIME_ZONES_H

#include <apr_hash.h>
#include <apr_pools.h>
#include <apr_tables.h>

#include "base/error.h"
#include "time/zone.h"

/** A zone under one of its names. */
typedef struct dsapi_zone_name_t {
    const char *name; /* of A-Z a-z 0-9 '/' '_' '+' '-' */
    const char *lower;
    const dsapi_zone_t *zone;
} dsapi_zone_name_t;

/** Read-only once it is made, so threads may share it. */
typedef struct dsapi_zones_t {
    const char *folder;
    apr_array_header_t *names;   /* of dsapi_zone_name_t *, by bytes */
    apr_hash_t *by_name;         /* lower case -> dsapi_zone_name_t * */
    apr_array_header_t *damaged; /* of const char *: names of zone files
                                    that could not be read */
} dsapi_zones_t;

/**
 * Read a folder such as /usr/share/zoneinfo: every zone file in it and below
 * under its path there; the links of the database are names like others. What
 * is no name of the database is left out: "posix", "right", "localtime" and
 * "posixrules", and files that are no zone's (tables, leap seconds).
 * @param pzones  out: in pool; NULL on error
 * @return APR_SUCCESS; an APR status: the folder cannot be read;
 *         DSAPI_ENOTFOUND: there is no zone "UTC" in it
 */
apr_status_t dsapi_time_zones_load(dsapi_zones_t **pzones, const char *folder,
                                   apr_pool_t *pool);

/** @return the zone of a name, whatever its case; NULL: there is none. No
 *  file is opened. */
const dsapi_zone_name_t *dsapi_time_zones_find(const dsapi_zones_t *zones,
                                               const char *name,
                                               apr_pool_t *scratch_pool);

/** @return a name that somebody may have meant who wrote this: the one with
 *  the same last part ("madrid"), or at most two letters away (half of
 *  them where there are few); NULL: none */
const char *dsapi_time_zones_nearest(const dsapi_zones_t *zones,
                                     const char *name,
                                     apr_pool_t *scratch_pool);

/**
 * The zone of this machine, as the C library finds it.
 * @param tz   the environment's TZ; NULL, or "/etc/localtime": as if not set
 * @param etc  the folder ("/etc") of localtime, a link into the database or
 *             a copy of one of its files, and timezone, a file with a name,
 *             which tells files with the same content apart, and counts where
 *             there is no localtime; without both it is UTC
 * @return NULL: what these name is no zone of the database
 */
const dsapi_zone_name_t *dsapi_time_zones_local(const dsapi_zones_t *zones,
                                                const char *tz, const char *etc,
                                                apr_pool_t *scratch_pool);

#endif
