/* What is known of data versions: see version.h. */
#include "route/version.h"

#include <stdatomic.h>
#include <string.h>

struct dsapi_versions_t {
    const apr_array_header_t *names;
    _Atomic apr_int64_t checked_at; /* 0: never */
    _Atomic apr_uint64_t *versions; /* one a name */
    _Atomic apr_uint64_t *before;   /* what each took the place of */
    _Atomic apr_int64_t *changed_at;
};

dsapi_versions_t *dsapi_versions_make(const apr_array_header_t *names,
                                      apr_pool_t *pool)
{
    dsapi_versions_t *table = apr_palloc(pool, sizeof(*table));

    table->names = names;
    atomic_init(&table->checked_at, 0);
    table->versions =
        apr_palloc(pool, sizeof(*table->versions) * (apr_size_t)names->nelts);
    table->before =
        apr_palloc(pool, sizeof(*table->before) * (apr_size_t)names->nelts);
    table->changed_at =
        apr_palloc(pool, sizeof(*table->changed_at) * (apr_size_t)names->nelts);
    for (int i = 0; i < names->nelts; i++) {
        atomic_init(&table->versions[i], 0);
        atomic_init(&table->before[i], 0);
        atomic_init(&table->changed_at[i], 0);
    }
    return table;
}

const apr_array_header_t *dsapi_versions_names(const dsapi_versions_t *table)
{
    return table->names;
}

int dsapi_versions_index(const dsapi_versions_t *table, const char *name)
{
    for (int i = 0; i < table->names->nelts; i++) {
        if (strcmp(APR_ARRAY_IDX(table->names, i, const char *), name) == 0) {
            return i;
        }
    }
    return -1;
}

void dsapi_versions_set(dsapi_versions_t *table, int index,
                        apr_uint64_t version, apr_time_t at)
{
    apr_uint64_t before = atomic_load(&table->versions[index]);

    if (before && before != version) {
        /* who sees the version sees these, too */
        atomic_store(&table->before[index], before);
        atomic_store(&table->changed_at[index], at);
    }
    atomic_store(&table->versions[index], version);
}

void dsapi_versions_checked(dsapi_versions_t *table, apr_time_t at)
{
    atomic_store(&table->checked_at, at);
}

/* The finalizer of splitmix64: each bit of a word depends on each. */
static apr_uint64_t mix(apr_uint64_t x)
{
    x = (x ^ (x >> 30)) * APR_UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * APR_UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

/* The stamp before the last change of these names. */
static apr_uint64_t stamp_before(const dsapi_versions_t *table,
                                 const int *indexes, int nindexes,
                                 apr_time_t changed_at)
{
    apr_uint64_t stamp = 0;

    for (int i = 0; i < nindexes; i++) {
        int index = indexes[i];

        stamp =
            mix(stamp + (atomic_load(&table->changed_at[index]) == changed_at
                             ? atomic_load(&table->before[index])
                             : atomic_load(&table->versions[index])));
    }
    return stamp ? stamp : 1;
}

void dsapi_versions_read(dsapi_version_stamp_t *pstamp,
                         const dsapi_versions_t *table, const int *indexes,
                         int nindexes, apr_time_t now)
{
    /* before the versions: they may be newer than this, never older */
    apr_time_t checked_at = atomic_load(&table->checked_at);
    apr_uint64_t stamp = 0;

    pstamp->stamp = 0;
    pstamp->verified_at = 0;
    pstamp->changed_at = 0;
    pstamp->before = 0;
    for (int i = 0; i < nindexes; i++) {
        apr_uint64_t version = atomic_load(&table->versions[indexes[i]]);
        apr_time_t changed_at;

        if (!version) {
            return;
        }
        stamp = mix(stamp + version);
        changed_at = atomic_load(&table->changed_at[indexes[i]]);
        if (changed_at > pstamp->changed_at) {
            pstamp->changed_at = changed_at;
        }
    }
    pstamp->stamp = stamp ? stamp : 1;
    if (pstamp->changed_at) {
        pstamp->before =
            stamp_before(table, indexes, nindexes, pstamp->changed_at);
    }
    if (checked_at <= now) { /* or else the clock was set back */
        pstamp->verified_at =
            now - checked_at < DSAPI_VERSION_TRUST ? now : checked_at;
    }
}
