/* What is known of data versions: see version.h. */
#include "route/version.h"

#include <apr_strings.h>
#include <stdatomic.h>
#include <string.h>

#include "base/sha256.h"

struct dsapi_versions_t {
    const apr_array_header_t *names;
    const int *depths;
    const int *first_slots; /* one a name: the index of its first slot */
    int nindexes;
    _Atomic apr_int64_t checked_at; /* 0: never */
    _Atomic apr_uint64_t *versions; /* one an index: of names, then of slots */
    _Atomic apr_uint64_t *before;   /* what each took the place of */
    _Atomic apr_int64_t *changed_at;
};

dsapi_versions_t *dsapi_versions_make(const apr_array_header_t *names,
                                      const int *depths, apr_pool_t *pool)
{
    dsapi_versions_t *table = apr_palloc(pool, sizeof(*table));
    apr_size_t nnames = (apr_size_t)names->nelts;
    int *first_slots = apr_palloc(pool, sizeof(int) * (nnames + 1));
    apr_size_t n;

    table->names = names;
    table->depths =
        depths ? depths : apr_pcalloc(pool, sizeof(int) * (nnames + 1));
    table->first_slots = first_slots;
    table->nindexes = names->nelts;
    for (int i = 0; i < names->nelts; i++) {
        first_slots[i] = table->nindexes;
        table->nindexes += table->depths[i] > 0 ? DSAPI_VERSION_SLOTS : 0;
    }
    n = (apr_size_t)table->nindexes;
    atomic_init(&table->checked_at, 0);
    table->versions = apr_palloc(pool, sizeof(*table->versions) * n);
    table->before = apr_palloc(pool, sizeof(*table->before) * n);
    table->changed_at = apr_palloc(pool, sizeof(*table->changed_at) * n);
    for (apr_size_t i = 0; i < n; i++) {
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

int dsapi_versions_depth(const dsapi_versions_t *table, int index)
{
    return table->depths[index];
}

int dsapi_versions_slot(const char *const *key, int nkey, apr_pool_t *pool)
{
    unsigned char digest[DSAPI_SHA256_BYTES];
    const char *text = "";

    for (int i = 0; i < nkey; i++) {
        text = apr_pstrcat(pool, text, i > 0 ? "\x1f" : "",
                           key[i] ? key[i] : "\x1e", NULL);
    }
    dsapi_base_sha256(digest, text, strlen(text));
    return (digest[0] << 8 | digest[1]) % DSAPI_VERSION_SLOTS;
}

int dsapi_versions_slot_index(const dsapi_versions_t *table, int index,
                              int slot)
{
    return table->first_slots[index] + slot;
}

int dsapi_versions_count(const dsapi_versions_t *table)
{
    return table->nindexes;
}

/* A slot that nothing has touched is known not to be, once all are read. */
static int is_known(const dsapi_versions_t *table, int index,
                    apr_uint64_t version)
{
    return version || (index >= table->names->nelts &&
                       atomic_load(&table->checked_at) > 0);
}

void dsapi_versions_set(dsapi_versions_t *table, int index,
                        apr_uint64_t version, apr_time_t at)
{
    apr_uint64_t before = atomic_load(&table->versions[index]);

    if (before != version && is_known(table, index, before)) {
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

/* Was anything of a name ever announced? @param index  its own, or a slot's */
static apr_uint64_t name_version(const dsapi_versions_t *table, int index)
{
    for (int i = 0; i < table->names->nelts && index >= table->names->nelts;
         i++) {
        if (table->depths[i] > 0 && index >= table->first_slots[i] &&
            index < table->first_slots[i] + DSAPI_VERSION_SLOTS) {
            index = i;
        }
    }
    return atomic_load(&table->versions[index]);
}

void dsapi_versions_read(dsapi_version_stamp_t *pstamp,
                         const dsapi_versions_t *table, const int *indexes,
                         int nindexes, apr_time_t now)
{
    /* before the versions: they may be newer than this, never older */
    apr_time_t checked_at = atomic_load(&table->checked_at);
    apr_time_t changed_at = 0;
    apr_uint64_t stamp = 0;
    apr_uint64_t any = 0;

    *pstamp = (dsapi_version_stamp_t){0};
    for (int i = 0; i < nindexes; i++) {
        apr_uint64_t version = atomic_load(&table->versions[indexes[i]]);
        apr_time_t at;

        if (!version && indexes[i] < table->names->nelts) {
            return;
        }
        any |= name_version(table, indexes[i]);
        stamp = mix(stamp + version);
        at = atomic_load(&table->changed_at[indexes[i]]);
        changed_at = at > changed_at ? at : changed_at;
    }
    if (!any) {
        return;
    }
    pstamp->stamp = stamp ? stamp : 1;
    pstamp->changed_at = changed_at;
    if (changed_at) {
        pstamp->before = stamp_before(table, indexes, nindexes, changed_at);
    }
    if (checked_at <= now) { /* or else the clock was set back */
        pstamp->verified_at =
            now - checked_at < DSAPI_VERSION_TRUST ? now : checked_at;
    }
}
