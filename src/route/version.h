/*
 * The versions of stored data as a child knows them: one for each name that
 * its configuration depends on. A watcher writes them; requests read them
 * without a lock.
 *
 * Read before an answer is computed, they are never newer than the data that
 * the answer is made of: what was changed by then was committed before, and
 * the answer sees it. So an answer is filed under what was read, and nothing
 * old is ever taken for something new.
 */
#ifndef DSAPI_ROUTE_VERSION_H
#define DSAPI_ROUTE_VERSION_H

#include <apr_pools.h>
#include <apr_tables.h>
#include <apr_time.h>

typedef struct dsapi_versions_t dsapi_versions_t;

/** For how long a check counts: what was the newest version is taken to be it
 *  still. Half a second longer than the watcher takes between two of them. */
#define DSAPI_VERSION_TRUST apr_time_from_sec(2)

/** What an answer depends on, at one moment. */
typedef struct dsapi_version_stamp_t {
    apr_uint64_t stamp;     /* of the versions of all names; 0: one of them
                               has none, and nothing can be told */
    apr_time_t verified_at; /* they were the newest: now, if they are taken to
                               be so still; 0: never, or there is no telling */
    apr_time_t changed_at;  /* one of them took the place of another; 0: none
                               did */
    apr_uint64_t before;    /* the stamp until then; 0: none */
} dsapi_version_stamp_t;

/**
 * Make a table; no name in it has a version.
 * @param names  of const char *, "service/series", each once; borrowed
 * @param pool   owns it
 */
dsapi_versions_t *dsapi_versions_make(const apr_array_header_t *names,
                                      apr_pool_t *pool);

/** @return of const char *, as it was made with */
const apr_array_header_t *dsapi_versions_names(const dsapi_versions_t *table);

/** @return the index of a name; -1: it is not there */
int dsapi_versions_index(const dsapi_versions_t *table, const char *name);

/** Set a version: by the watcher alone. @param version  0: there is none
 *  @param at  of the system's clock, before the database was asked */
void dsapi_versions_set(dsapi_versions_t *table, int index,
                        apr_uint64_t version, apr_time_t at);

/** All of them are set to what they were at a time: by the watcher alone.
 *  @param at  of the system's clock, before the database was asked */
void dsapi_versions_checked(dsapi_versions_t *table, apr_time_t at);

/**
 * Read the versions that an answer depends on. Any thread.
 * @param pstamp   out
 * @param indexes  of their names
 * @param now      of the system's clock
 */
void dsapi_versions_read(dsapi_version_stamp_t *pstamp,
                         const dsapi_versions_t *table, const int *indexes,
                         int nindexes, apr_time_t now);

#endif
