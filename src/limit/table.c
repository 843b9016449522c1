/* Who has used how much: see table.h. */
#include "limit/table.h"

#include <stdatomic.h>
#include <string.h>

#define WAYS       8
#define LINE_BYTES 64 /* of a cache */
#define TELL_EVERY (60 * DSAPI_NS_PER_S)

/* Of a place that is nobody's: before all others. */
#define NOBODY APR_INT64_MIN

typedef struct place_t {
    _Atomic apr_uint64_t key; /* 0: nobody's yet */
    _Atomic apr_int64_t tat;
} place_t;

struct dsapi_limit_table_t {
    apr_uint64_t nbuckets;
    unsigned char seed[APR_SIPHASH_KSIZE];
    _Atomic apr_int64_t told_at;
    _Atomic apr_uint64_t lost; /* places, before all had come back */
    unsigned char pad[LINE_BYTES - 24 - APR_SIPHASH_KSIZE];
    place_t places[]; /* nbuckets of WAYS each */
};

_Static_assert(sizeof(dsapi_limit_table_t) == LINE_BYTES, "buckets begin at a "
                                                          "cache line");
_Static_assert(ATOMIC_LLONG_LOCK_FREE == 2, "processes share what takes no "
                                            "lock");

dsapi_limit_table_t *
dsapi_limit_table_init(void *memory, apr_size_t bytes,
                       const unsigned char seed[APR_SIPHASH_KSIZE])
{
    apr_size_t ahead = (0 - (apr_uintptr_t)memory) % LINE_BYTES;
    dsapi_limit_table_t *table = (void *)((char *)memory + ahead);

    table->nbuckets =
        (bytes - ahead - sizeof(*table)) / (WAYS * sizeof(place_t));
    memcpy(table->seed, seed, sizeof(table->seed));
    return table;
}

apr_size_t dsapi_limit_table_places(const dsapi_limit_table_t *table)
{
    return (apr_size_t)table->nbuckets * WAYS;
}

apr_uint64_t dsapi_limit_key(const dsapi_limit_table_t *table, apr_uint64_t id,
                             const void *whom, apr_size_t bytes)
{
    apr_uint64_t words[2] = {id, apr_siphash24(whom, bytes, table->seed)};
    apr_uint64_t key = apr_siphash24(words, sizeof(words), table->seed);

    return key ? key : 1;
}

apr_uint64_t dsapi_limit_id(const char *text)
{
    static const unsigned char seed[APR_SIPHASH_KSIZE];

    return apr_siphash24(text, strlen(text), seed);
}

apr_size_t dsapi_limit_address(const void **pbytes, const apr_sockaddr_t *addr)
{
    static const unsigned char mapped[12] = {0, 0, 0, 0, 0,    0,
                                             0, 0, 0, 0, 0xff, 0xff};

    *pbytes = addr->ipaddr_ptr;
    if (addr->family == APR_INET) {
        return 4;
    }
#if APR_HAVE_IPV6
    if (addr->family == APR_INET6) {
        const unsigned char *bytes = addr->ipaddr_ptr;

        if (memcmp(bytes, mapped, sizeof(mapped)) != 0) {
            return 8;
        }
        *pbytes = bytes + sizeof(mapped);
        return 4;
    }
#endif
    return 0;
}

static place_t *bucket_of(dsapi_limit_table_t *table, apr_uint64_t key)
{
    return &table->places[(((key >> 32) * table->nbuckets) >> 32) * WAYS];
}

static place_t *find(place_t *bucket, apr_uint64_t key)
{
    for (int i = 0; i < WAYS; i++) {
        if (atomic_load(&bucket[i].key) == key) {
            return &bucket[i];
        }
    }
    return NULL;
}

/* Takes the place of whoever will be the first to have all back. Whoever else
 * wants it for the same key chooses the same. @return NULL: others were
 * faster, look again */
static place_t *settle(dsapi_limit_table_t *table, place_t *bucket,
                       apr_uint64_t key, apr_int64_t now)
{
    place_t *place = NULL;
    apr_uint64_t old = 0;
    apr_int64_t first = 0;

    for (int i = 0; i < WAYS; i++) {
        apr_uint64_t whose = atomic_load(&bucket[i].key);
        apr_int64_t tat = whose ? atomic_load(&bucket[i].tat) : NOBODY;

        if (!place || tat < first) {
            place = &bucket[i];
            old = whose;
            first = tat;
        }
    }
    if (!atomic_compare_exchange_strong(&place->key, &old, key)) {
        return NULL;
    }
    if (first > now) { /* it is not the new key's */
        atomic_compare_exchange_strong(&place->tat, &first, 0);
        atomic_fetch_add(&table->lost, 1);
    }
    return place;
}

/* Takes away some nanoseconds of what is owed. */
static void lessen(place_t *place, apr_int64_t ns)
{
    atomic_fetch_sub(&place->tat, ns);
}

int dsapi_limit_take(apr_int64_t *ptat, dsapi_limit_table_t *table,
                     apr_uint64_t key, const dsapi_quota_t *quota,
                     apr_int64_t cost, apr_int64_t now)
{
    place_t *bucket = bucket_of(table, key);

    for (;;) {
        place_t *place = find(bucket, key);
        apr_int64_t tat;
        int taken;

        if (!place) {
            place = settle(table, bucket, key, now);
        }
        if (!place) {
            continue;
        }
        tat = atomic_load(&place->tat);
        do {
            taken = dsapi_gcra_take(ptat, tat, quota, cost, now);
        } while (*ptat != tat &&
                 !atomic_compare_exchange_weak(&place->tat, &tat, *ptat));
        if (atomic_load(&place->key) == key) {
            return taken;
        }
        if (taken) { /* another's by now: it was not for them */
            lessen(place, quota->unit_ns * cost);
        }
    }
}

void dsapi_limit_give_back(dsapi_limit_table_t *table, apr_uint64_t key,
                           const dsapi_quota_t *quota, apr_int64_t cost,
                           apr_int64_t tat, apr_int64_t now)
{
    place_t *place = find(bucket_of(table, key), key);

    if (place && now < tat) {
        lessen(place, quota->unit_ns * cost);
    }
}

int dsapi_limit_crowded(dsapi_limit_table_t *table, apr_int64_t now)
{
    apr_uint64_t places = dsapi_limit_table_places(table);
    apr_int64_t told_at = atomic_load(&table->told_at);

    if (atomic_load(&table->lost) <= places / 1024 ||
        (told_at && now - told_at < TELL_EVERY && now >= told_at) ||
        !atomic_compare_exchange_strong(&table->told_at, &told_at, now)) {
        return 0;
    }
    return (int)atomic_exchange(&table->lost, 0);
}
