/*
 * The versions of stored data as a child knows them: one for each name that
 * its configuration depends on, and of its keys, where they count. A watcher
 * writes them; requests read them without a lock.
 *
 * A change of a key (dsapi.touch('service/series', key...)) is one of the keys
 * that begin like it, too, and of those that it begins like. Keys share
 * DSAPI_VERSION_SLOTS versions by a hash, so that a name takes the same memory
 * however many it has; at worst a change is taken for another key's, too.
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

/** Versions that the keys of a name share. */
#define DSAPI_VERSION_SLOTS 1024

/** What an answer depends on, at one moment. */
typedef struct dsapi_version_stamp_t {
    apr_uint64_t stamp;     /* of all versions; 0: a name has none, or no slot
                               has, and nothing can be told */
    apr_time_t verified_at; /* they were the newest: now, if they are taken to
                               be so still; 0: never, or there is no telling */
    apr_time_t changed_at;  /* one of them took the place of another; 0: none
                               did */
    apr_uint64_t before;    /* the stamp until then; 0: none */
} dsapi_version_stamp_t;

/**
 * Make a table; no name in it has a version.
 * @param names   of const char *, "service/series", each once; borrowed
 * @param depths  one a name: how many parts of its keys count (0: a change of
 *                any key is one of all); borrowed; NULL: none of any
 * @param pool    owns it
 */
dsapi_versions_t *dsapi_versions_make(const apr_array_header_t *names,
                                      const int *depths, apr_pool_t *pool);

/** @return of const char *, as it was made with */
const apr_array_header_t *dsapi_versions_names(const dsapi_versions_t *table);

/** @return the index of a name; -1: it is not there */
int dsapi_versions_index(const dsapi_versions_t *table, const char *name);

/** @return how many parts of a name's keys count */
int dsapi_versions_depth(const dsapi_versions_t *table, int index);

/**
 * The slot of a key. As PostgreSQL computes it in dsapi.key_slot.
 * @param key    its parts; NULL: a part is null
 * @param nkey   how many
 * @param pool   for what is needed meanwhile
 * @return 0 to DSAPI_VERSION_SLOTS - 1
 */
int dsapi_versions_slot(const char *const *key, int nkey, apr_pool_t *pool);

/** @return the index of a slot of a name whose keys count: as the index of a
 *  name, for what follows */
int dsapi_versions_slot_index(const dsapi_versions_t *table, int index,
                              int slot);

/** @return how many indexes there are, of names and of slots */
int dsapi_versions_count(const dsapi_versions_t *table);

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
 * @param indexes  of their names or slots
 * @param now      of the system's clock
 */
void dsapi_versions_read(dsapi_version_stamp_t *pstamp,
                         const dsapi_versions_t *table, const int *indexes,
                         int nindexes, apr_time_t now);

#endif
