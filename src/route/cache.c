/*
 * The cache of responses: see cache.h.
 *
 * A slot stands for a key and stamp that has an entry, or a leader, or both.
 * One mutex guards the table, the list of use and those who wait. It is held
 * for a lookup in a chain of a few slots, for a copy of a key (not of a body)
 * where a slot is made, and for at most EVICT_MAX removals: microseconds,
 * against the round trip of a query. Hashing, making entries and freeing them
 * are done outside. So one mutex for each part of the table would gain little,
 * and make the bound and the order of use inexact.
 *
 * Entries are counted by an atomic of their own: a reader that leaves takes
 * no lock, and may leave after the cache has ended.
 */
#include "route/cache.h"

#include <apr_general.h>
#include <apr_siphash.h>
#include <apr_strings.h>
#include <apr_thread_cond.h>
#include <apr_thread_mutex.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "route/etag.h"

#define CONDS           32
#define EVICT_MAX       64 /* removals in one turn of the mutex */
#define BUCKETS_MIN     64
#define BUCKETS_MAX     (1U << 20)
#define BYTES_A_BUCKET  1024 /* an entry is hardly smaller than a third of it */
#define MALLOC_OVERHEAD 16
#define WAIT_MAX        apr_time_from_sec(3600)

/* An entry; its body, where doubles may be, and its texts follow it in the same
 * allocation. */
typedef struct entry_t {
    dsapi_cache_entry_t pub;
    dsapi_cache_notes_t notes;
    atomic_uint refs; /* of readers, and one of the table */
    apr_uint64_t turn;
    apr_time_t stale_until;
    apr_size_t alloc_bytes;
    struct entry_t *next_dead; /* taken out, to be freed outside the mutex */
} entry_t;

/* An error for many threads, in a pool of its own: each of them copies it. */
typedef struct failure_t {
    apr_pool_t *pool;
    dsapi_err_t *err;
    atomic_uint refs;
} failure_t;

struct slot_t;

/* One who asks; on its stack. While it waits it is in its slot's list, and who
 * takes it out says what it gets. */
typedef struct asker_t {
    struct asker_t *next;
    struct slot_t *slot;
    apr_uint64_t turn;
    int waits;
    dsapi_cache_got_t got;
    entry_t *entry;     /* if DSAPI_CACHE_HIT, referenced */
    failure_t *failure; /* if DSAPI_CACHE_FAILED, referenced */
} asker_t;

/* A key under one stamp; its bytes follow in the same allocation. Slots of one
 * key are in one bucket, and at most one of them has an entry. */
typedef struct slot_t {
    struct slot_t *next; /* in the bucket */
    struct slot_t *newer;
    struct slot_t *older; /* in the list of use, if there is an entry */
    entry_t *entry;
    asker_t *waiting; /* the longest first; only if led */
    int led;
    apr_uint64_t hash; /* of the key alone */
    apr_uint64_t stamp;
    apr_size_t key_bytes;
    char key[];
} slot_t;

struct dsapi_cache_t {
    apr_thread_mutex_t *mutex;
    apr_thread_cond_t *conds[CONDS]; /* a slot's is chosen by its hash */
    unsigned char seed[APR_SIPHASH_KSIZE];
    slot_t **buckets;
    apr_size_t nbuckets; /* a power of two */
    slot_t *newest;
    slot_t *oldest;
    apr_size_t max_bytes;
    apr_uint64_t turn; /* counts those who ask; no clock is set back there */
    dsapi_cache_stats_t stats;
};

struct dsapi_cache_lead_t {
    dsapi_cache_t *cache;
    slot_t *slot; /* NULL: over */
    apr_uint64_t stamp;
    apr_uint64_t turn; /* in which it was asked for */
    apr_pool_t *pool;
};

/* ---- entries and errors ---- */

static void *must_malloc(apr_size_t bytes)
{
    void *mem = malloc(bytes);

    if (!mem) {
        abort();
    }
    return mem;
}

static apr_size_t size_of(const char *s)
{
    return s ? strlen(s) + 1 : 0;
}

/* Copy a text to where *pto is, and go on behind it. */
static const char *put_text(char **pto, const char *s)
{
    char *to = *pto;

    if (!s) {
        return NULL;
    }
    *pto += size_of(s);
    return memcpy(to, s, size_of(s));
}

/* With one reference, the caller's. */
static entry_t *entry_make(const dsapi_cache_answer_t *answer,
                           const dsapi_cache_lead_t *lead)
{
    char made[DSAPI_ETAG_SIZE];
    const char *etag = answer->etag;
    apr_size_t bytes;
    entry_t *entry;
    char *to;

    if (!etag) {
        dsapi_route_etag_text(made, answer->content_type, answer->body,
                              answer->body_bytes);
        etag = made;
    }
    bytes = sizeof(*entry) + answer->body_bytes +
            size_of(answer->content_type) + size_of(etag) +
            size_of(answer->headers);
    entry = must_malloc(bytes);
    to = (char *)entry + sizeof(*entry);
    memset(entry, 0, sizeof(*entry));
    atomic_init(&entry->refs, 1);
    entry->alloc_bytes = bytes + MALLOC_OVERHEAD;
    entry->turn = lead->turn;
    entry->stale_until = answer->stale_until;
    entry->pub.made = answer->made;
    entry->pub.fresh_until = answer->fresh_until;
    entry->pub.stamp = lead->stamp;
    entry->pub.notes = &entry->notes;
    atomic_init(&entry->notes.right_at, answer->made);
    atomic_init(&entry->notes.failed_at, 0);
    atomic_init(&entry->notes.changed_at, 0);
    entry->pub.body = to;
    entry->pub.body_bytes = answer->body_bytes;
    if (answer->body_bytes) {
        memcpy(to, answer->body, answer->body_bytes);
        to += answer->body_bytes;
    }
    entry->pub.content_type = put_text(&to, answer->content_type);
    entry->pub.etag = put_text(&to, etag);
    entry->pub.headers = put_text(&to, answer->headers);
    return entry;
}

static void add_ref(atomic_uint *refs)
{
    atomic_fetch_add_explicit(refs, 1, memory_order_relaxed);
}

static apr_status_t unref_entry(void *baton)
{
    entry_t *entry = baton;

    if (atomic_fetch_sub(&entry->refs, 1) == 1) {
        free(entry);
    }
    return APR_SUCCESS;
}

/* Give a reference to a pool. */
static const dsapi_cache_entry_t *hold(entry_t *entry, apr_pool_t *pool)
{
    apr_pool_cleanup_register(pool, entry, unref_entry, apr_pool_cleanup_null);
    return &entry->pub;
}

static const char *dup_text(const char *s, apr_pool_t *pool)
{
    return s ? apr_pstrdup(pool, s) : NULL;
}

/* Without fields: those are of a request that never came to have a key. */
static dsapi_err_t *copy_err(const dsapi_err_t *from, apr_pool_t *pool)
{
    dsapi_err_t *err = apr_pmemdup(pool, from, sizeof(*err));

    err->detail = dup_text(from->detail, pool);
    err->internal = dup_text(from->internal, pool);
    err->sqlstate = dup_text(from->sqlstate, pool);
    err->allow = dup_text(from->allow, pool);
    err->fields = NULL;
    return err;
}

static failure_t *failure_make(const dsapi_err_t *err)
{
    failure_t *failure;
    apr_pool_t *pool;

    apr_pool_create(&pool, NULL);
    apr_pool_tag(pool, "dsapi_cache_failure");
    failure = apr_palloc(pool, sizeof(*failure));
    failure->pool = pool;
    failure->err = copy_err(err, pool);
    atomic_init(&failure->refs, 1);
    return failure;
}

static void unref_failure(failure_t *failure)
{
    if (atomic_fetch_sub(&failure->refs, 1) == 1) {
        apr_pool_destroy(failure->pool);
    }
}

static void free_dead(entry_t *dead)
{
    while (dead) {
        entry_t *entry = dead;

        dead = entry->next_dead;
        unref_entry(entry);
    }
}

/* ---- the table: all of this under the mutex ---- */

static slot_t **bucket_of(dsapi_cache_t *cache, apr_uint64_t hash)
{
    return &cache->buckets[(apr_size_t)hash & (cache->nbuckets - 1)];
}

static apr_thread_cond_t *cond_of(const dsapi_cache_t *cache,
                                  const slot_t *slot)
{
    return cache->conds[(slot->hash >> 32) % CONDS];
}

/* The first slot of a key from this one on. */
static slot_t *same_key(slot_t *slot, const void *key, apr_size_t key_bytes,
                        apr_uint64_t hash)
{
    while (slot && (slot->hash != hash || slot->key_bytes != key_bytes ||
                    memcmp(slot->key, key, key_bytes) != 0)) {
        slot = slot->next;
    }
    return slot;
}

static slot_t *find_slot(dsapi_cache_t *cache, const dsapi_cache_ask_t *ask,
                         apr_uint64_t hash)
{
    slot_t *slot =
        same_key(*bucket_of(cache, hash), ask->key, ask->key_bytes, hash);

    while (slot && slot->stamp != ask->stamp) {
        slot = same_key(slot->next, ask->key, ask->key_bytes, hash);
    }
    return slot;
}

static slot_t *add_slot(dsapi_cache_t *cache, const dsapi_cache_ask_t *ask,
                        apr_uint64_t hash)
{
    slot_t **bucket = bucket_of(cache, hash);
    slot_t *slot = must_malloc(sizeof(*slot) + ask->key_bytes);

    memset(slot, 0, sizeof(*slot));
    slot->hash = hash;
    slot->stamp = ask->stamp;
    slot->key_bytes = ask->key_bytes;
    memcpy(slot->key, ask->key, ask->key_bytes);
    slot->next = *bucket;
    *bucket = slot;
    return slot;
}

/* Free a slot if it stands for nothing any more. */
static void tidy_slot(dsapi_cache_t *cache, slot_t *slot)
{
    slot_t **link = bucket_of(cache, slot->hash);

    if (slot->entry || slot->led) {
        return;
    }
    while (*link != slot) {
        link = &(*link)->next;
    }
    *link = slot->next;
    free(slot);
}

/* What an entry takes in this slot. */
static apr_size_t cost_of(const slot_t *slot, const entry_t *entry)
{
    return sizeof(*slot) + slot->key_bytes + MALLOC_OVERHEAD +
           entry->alloc_bytes;
}

static void unlink_use(dsapi_cache_t *cache, slot_t *slot)
{
    *(slot->newer ? &slot->newer->older : &cache->newest) = slot->older;
    *(slot->older ? &slot->older->newer : &cache->oldest) = slot->newer;
}

static void link_newest(dsapi_cache_t *cache, slot_t *slot)
{
    slot->newer = NULL;
    slot->older = cache->newest;
    *(cache->newest ? &cache->newest->newer : &cache->oldest) = slot;
    cache->newest = slot;
}

/* Take a reference to a slot's entry, which is now the last used. */
static entry_t *use_entry(dsapi_cache_t *cache, slot_t *slot)
{
    unlink_use(cache, slot);
    link_newest(cache, slot);
    add_ref(&slot->entry->refs);
    return slot->entry;
}

static void drop_entry(dsapi_cache_t *cache, slot_t *slot, entry_t **pdead)
{
    entry_t *entry = slot->entry;

    if (!entry) {
        return;
    }
    unlink_use(cache, slot);
    cache->stats.bytes -= cost_of(slot, entry);
    cache->stats.entries--;
    slot->entry = NULL;
    entry->next_dead = *pdead;
    *pdead = entry;
}

/* Drop the entries not used for longest: is there room now? If not, let the
 * others have the mutex, and come again. */
static int make_room(dsapi_cache_t *cache, apr_size_t bytes, entry_t **pdead)
{
    for (int i = 0; i < EVICT_MAX && cache->oldest; i++) {
        slot_t *slot = cache->oldest;

        if (cache->max_bytes - cache->stats.bytes >= bytes) {
            return 1;
        }
        drop_entry(cache, slot, pdead);
        tidy_slot(cache, slot);
        cache->stats.evicted++;
    }
    return cache->max_bytes - cache->stats.bytes >= bytes;
}

/* An entry takes the place of those of the same key; not of one that was asked
 * for later, whose stamp is the newer one. @return 1: it does */
static int replace_others(dsapi_cache_t *cache, const slot_t *slot,
                          const entry_t *entry, entry_t **pdead)
{
    slot_t *next = *bucket_of(cache, slot->hash);
    slot_t *other;

    while ((other = same_key(next, slot->key, slot->key_bytes, slot->hash))) {
        next = other->next;
        if (other == slot || !other->entry) {
            continue;
        }
        if (other->entry->turn > entry->turn) {
            return 0;
        }
        drop_entry(cache, other, pdead);
        tidy_slot(cache, other);
    }
    return 1;
}

static void store_entry(dsapi_cache_t *cache, slot_t *slot, entry_t *entry)
{
    add_ref(&entry->refs);
    slot->entry = entry;
    link_newest(cache, slot);
    cache->stats.bytes += cost_of(slot, entry);
    cache->stats.entries++;
}

apr_time_t dsapi_route_cache_as_of(const dsapi_cache_entry_t *entry,
                                   const dsapi_cache_ask_t *ask)
{
    apr_time_t right_at = atomic_load(&entry->notes->right_at);
    apr_time_t at = 0;

    if (entry->stamp && entry->stamp == ask->stamp) {
        at = ask->verified_at;
    }
    else if (entry->stamp && entry->stamp == ask->before) {
        at = ask->changed_at;
    }
    while (at > right_at && !atomic_compare_exchange_weak(
                                &entry->notes->right_at, &right_at, at)) {
    }
    return at > right_at ? at : right_at;
}

static int is_fresh(const entry_t *entry, const dsapi_cache_ask_t *ask)
{
    const dsapi_cache_entry_t *pub = &entry->pub;
    apr_time_t as_of = dsapi_route_cache_as_of(pub, ask);
    apr_interval_time_t life = pub->fresh_until - pub->made;

    /* A request is read before it gets here, so that an entry may be younger
     * than the request; but not by more than the entry's life. */
    return ask->now < as_of + life && as_of - ask->now < life;
}

static int is_kept(const entry_t *entry, const dsapi_cache_ask_t *ask)
{
    apr_time_t as_of = dsapi_route_cache_as_of(&entry->pub, ask);

    return is_fresh(entry, ask) ||
           ask->now < entry->stale_until + (as_of - entry->pub.made);
}

/* ---- those who ask: all of this under the mutex, too ---- */

/* What one gets at once; or it waits, in the slot's list. */
static void join(asker_t *me, dsapi_cache_t *cache,
                 const dsapi_cache_ask_t *ask, apr_uint64_t hash,
                 entry_t **pdead)
{
    slot_t *slot = find_slot(cache, ask, hash);
    asker_t **link;

    if (!slot) {
        slot = add_slot(cache, ask, hash);
    }
    me->slot = slot;
    if (slot->entry && is_fresh(slot->entry, ask)) {
        me->entry = use_entry(cache, slot);
        me->got = DSAPI_CACHE_HIT;
    }
    else if (!slot->led) {
        slot->led = 1;
        me->got = DSAPI_CACHE_LEAD;
        if (slot->entry && !is_kept(slot->entry, ask)) {
            drop_entry(cache, slot, pdead);
        }
    }
    else if (ask->wait <= 0) {
        me->got = DSAPI_CACHE_WAITED;
    }
    else {
        link = &slot->waiting;
        while (*link) {
            link = &(*link)->next;
        }
        *link = me;
        me->waits = 1;
        cache->stats.waiting++;
        return;
    }
    cache->stats.got[me->got]++;
}

/* Wait until one is taken out of the list, or take oneself out. The clock is
 * read for how long the wait has lasted, as others of the same condition (or
 * nobody) may have woken us; never for what is fresh. */
static void wait_for_leader(asker_t *me, dsapi_cache_t *cache,
                            apr_interval_time_t wait)
{
    apr_interval_time_t left = wait < WAIT_MAX ? wait : WAIT_MAX;
    apr_time_t until = apr_time_now() + left;
    asker_t **link = &me->slot->waiting;

    while (me->waits && left > 0) {
        if (apr_thread_cond_timedwait(cond_of(cache, me->slot), cache->mutex,
                                      left) != APR_SUCCESS) {
            break;
        }
        left = until - apr_time_now();
    }
    if (!me->waits) {
        return;
    }
    while (*link != me) {
        link = &(*link)->next;
    }
    *link = me->next;
    me->waits = 0;
    me->got = DSAPI_CACHE_WAITED;
    cache->stats.waiting--;
    cache->stats.got[me->got]++;
}

/* Take the longest waiting one out, and say what it gets. */
static void tell_first(dsapi_cache_t *cache, slot_t *slot, const asker_t *gets)
{
    asker_t *asker = slot->waiting;

    slot->waiting = asker->next;
    asker->waits = 0;
    asker->got = gets->got;
    asker->entry = gets->entry;
    asker->failure = gets->failure;
    cache->stats.waiting--;
    cache->stats.got[gets->got]++;
    if (gets->entry) {
        add_ref(&gets->entry->refs);
        cache->stats.shared++;
    }
    if (gets->failure) {
        add_ref(&gets->failure->refs);
    }
}

/* The end of leading: the longest waiting one leads now, or all who wait get
 * the same. */
static void pass_on(dsapi_cache_t *cache, slot_t *slot, const asker_t *gets)
{
    if (slot->waiting) {
        apr_thread_cond_broadcast(cond_of(cache, slot));
        if (gets->got == DSAPI_CACHE_LEAD) {
            tell_first(cache, slot, gets);
            return;
        }
    }
    while (slot->waiting) {
        tell_first(cache, slot, gets);
    }
    slot->led = 0;
    tidy_slot(cache, slot);
}

/* Store an answer and hand it out; 0: there is no room yet. */
static int settle(dsapi_cache_t *cache, slot_t *slot, entry_t *entry,
                  entry_t **pdead)
{
    const asker_t gets = {.got = DSAPI_CACHE_HIT, .entry = entry};
    apr_size_t cost = cost_of(slot, entry);

    drop_entry(cache, slot, pdead);
    if (replace_others(cache, slot, entry, pdead) &&
        cost <= cache->max_bytes / 4) {
        if (!make_room(cache, cost, pdead)) {
            return 0;
        }
        store_entry(cache, slot, entry);
    }
    pass_on(cache, slot, &gets);
    return 1;
}

/* ---- what others call ---- */

/* The end of the cache: entries that are held stay. */
static apr_status_t end_cache(void *baton)
{
    dsapi_cache_t *cache = baton;
    entry_t *dead = NULL;

    for (apr_size_t i = 0; i < cache->nbuckets; i++) {
        while (cache->buckets[i]) {
            slot_t *slot = cache->buckets[i];

            slot->led = 0;
            drop_entry(cache, slot, &dead);
            tidy_slot(cache, slot);
        }
    }
    free_dead(dead);
    return APR_SUCCESS;
}

dsapi_cache_t *dsapi_route_cache_make(apr_size_t max_bytes, apr_pool_t *pool)
{
    dsapi_cache_t *cache = apr_pcalloc(pool, sizeof(*cache));

    cache->max_bytes = max_bytes;
    cache->nbuckets = BUCKETS_MIN;
    while (cache->nbuckets < BUCKETS_MAX &&
           cache->nbuckets <= max_bytes / BYTES_A_BUCKET / 2) {
        cache->nbuckets *= 2;
    }
    cache->buckets = apr_pcalloc(pool, cache->nbuckets * sizeof(slot_t *));
    if (apr_generate_random_bytes(cache->seed, sizeof(cache->seed)) ||
        apr_thread_mutex_create(&cache->mutex, APR_THREAD_MUTEX_DEFAULT,
                                pool)) {
        return NULL;
    }
    for (int i = 0; i < CONDS; i++) {
        if (apr_thread_cond_create(&cache->conds[i], pool)) {
            return NULL;
        }
    }
    apr_pool_cleanup_register(pool, cache, end_cache, apr_pool_cleanup_null);
    return cache;
}

/* A lead whose pool ends: nothing happens if it is over. */
static apr_status_t give_up(void *baton)
{
    dsapi_route_cache_abandon(baton, NULL);
    return APR_SUCCESS;
}

static dsapi_cache_lead_t *make_lead(const dsapi_cache_lead_t *of,
                                     apr_pool_t *pool)
{
    dsapi_cache_lead_t *lead = apr_pmemdup(pool, of, sizeof(*lead));

    lead->pool = pool;
    apr_pool_cleanup_register(pool, lead, give_up, apr_pool_cleanup_null);
    return lead;
}

dsapi_cache_got_t dsapi_route_cache_get(const dsapi_cache_entry_t **pentry,
                                        dsapi_cache_lead_t **plead,
                                        dsapi_err_t **perr,
                                        dsapi_cache_t *cache,
                                        const dsapi_cache_ask_t *ask,
                                        apr_pool_t *result_pool)
{
    apr_uint64_t hash = apr_siphash24(ask->key, ask->key_bytes, cache->seed);
    asker_t me = {.waits = 0};
    entry_t *dead = NULL;

    *pentry = NULL;
    *plead = NULL;
    *perr = NULL;
    apr_thread_mutex_lock(cache->mutex);
    me.turn = ++cache->turn;
    join(&me, cache, ask, hash, &dead);
    if (me.waits) {
        wait_for_leader(&me, cache, ask->wait);
    }
    apr_thread_mutex_unlock(cache->mutex);
    free_dead(dead);
    if (me.entry) {
        *pentry = hold(me.entry, result_pool);
    }
    if (me.failure) {
        *perr = copy_err(me.failure->err, result_pool);
        unref_failure(me.failure);
    }
    if (me.got == DSAPI_CACHE_LEAD) {
        *plead = make_lead(
            &(dsapi_cache_lead_t){cache, me.slot, ask->stamp, me.turn, NULL},
            result_pool);
    }
    return me.got;
}

const dsapi_cache_entry_t *dsapi_route_cache_stale(dsapi_cache_t *cache,
                                                   const dsapi_cache_ask_t *ask,
                                                   apr_pool_t *result_pool)
{
    apr_uint64_t hash = apr_siphash24(ask->key, ask->key_bytes, cache->seed);
    entry_t *entry = NULL;
    slot_t *slot;

    apr_thread_mutex_lock(cache->mutex);
    slot = same_key(*bucket_of(cache, hash), ask->key, ask->key_bytes, hash);
    while (slot && !slot->entry) {
        slot = same_key(slot->next, ask->key, ask->key_bytes, hash);
    }
    if (slot && is_kept(slot->entry, ask)) {
        entry = use_entry(cache, slot);
        cache->stats.stale++;
    }
    apr_thread_mutex_unlock(cache->mutex);
    return entry ? hold(entry, result_pool) : NULL;
}

/* End a lead: the slot that it was for, or NULL if it was over. */
static slot_t *end_lead(dsapi_cache_lead_t *lead)
{
    slot_t *slot = lead->slot;

    lead->slot = NULL;
    return slot;
}

dsapi_cache_lead_t *dsapi_route_cache_move(dsapi_cache_lead_t *lead,
                                           apr_pool_t *pool)
{
    dsapi_cache_lead_t *moved = make_lead(lead, pool);

    end_lead(lead);
    return moved;
}

const dsapi_cache_entry_t *
dsapi_route_cache_put(dsapi_cache_lead_t *lead,
                      const dsapi_cache_answer_t *answer)
{
    dsapi_cache_t *cache = lead->cache;
    slot_t *slot = end_lead(lead);
    entry_t *entry = entry_make(answer, lead);
    int settled = !slot;

    while (!settled) {
        entry_t *dead = NULL;

        apr_thread_mutex_lock(cache->mutex);
        settled = settle(cache, slot, entry, &dead);
        apr_thread_mutex_unlock(cache->mutex);
        free_dead(dead);
    }
    return hold(entry, lead->pool);
}

static void end_without(dsapi_cache_lead_t *lead, const asker_t *gets)
{
    slot_t *slot = end_lead(lead);

    if (slot) {
        apr_thread_mutex_lock(lead->cache->mutex);
        pass_on(lead->cache, slot, gets);
        apr_thread_mutex_unlock(lead->cache->mutex);
    }
}

void dsapi_route_cache_abandon(dsapi_cache_lead_t *lead, const dsapi_err_t *err)
{
    asker_t gets = {.got = DSAPI_CACHE_LEAD};

    if (err) {
        gets.got = DSAPI_CACHE_FAILED;
        gets.failure = failure_make(err);
    }
    end_without(lead, &gets);
    if (gets.failure) {
        unref_failure(gets.failure);
    }
}

void dsapi_route_cache_decline(dsapi_cache_lead_t *lead)
{
    const asker_t gets = {.got = DSAPI_CACHE_WAITED};

    end_without(lead, &gets);
}

void dsapi_route_cache_stats(dsapi_cache_stats_t *pstats, dsapi_cache_t *cache)
{
    apr_thread_mutex_lock(cache->mutex);
    *pstats = cache->stats;
    apr_thread_mutex_unlock(cache->mutex);
}
