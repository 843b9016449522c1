/* route/cache: the cache of responses. */
#include "route/cache.h"

#include <apr_atomic.h>
#include <apr_strings.h>
#include <apr_thread_proc.h>

#include "route/etag.h"
#include "unit/unit.h"

#define KIB     ((apr_size_t)1024)
#define THREADS 16
#define ROUNDS  3000
#define LONG    apr_time_from_sec(50)
#define SHORT   20000 /* microseconds */
#define T(s)    apr_time_from_sec(1000 + (s))

/* What one got, in a pool of its own. */
typedef struct got_t {
    const dsapi_cache_entry_t *entry;
    dsapi_cache_lead_t *lead;
    dsapi_err_t *err;
    dsapi_cache_got_t what;
    apr_pool_t *pool;
} got_t;

static dsapi_cache_t *cache_of(apr_size_t max_bytes)
{
    dsapi_cache_t *cache = dsapi_route_cache_make(max_bytes, g_pool);

    ck_assert_ptr_nonnull(cache);
    return cache;
}

static dsapi_cache_stats_t stats_of(dsapi_cache_t *cache)
{
    dsapi_cache_stats_t stats;

    dsapi_route_cache_stats(&stats, cache);
    return stats;
}

static dsapi_cache_ask_t ask_for(const char *key, apr_time_t now,
                                 apr_interval_time_t wait)
{
    dsapi_cache_ask_t ask = {key, strlen(key), now, wait, 0, 0, 0, 0};

    return ask;
}

static got_t get_ask(dsapi_cache_t *cache, const dsapi_cache_ask_t *ask)
{
    got_t got;

    apr_pool_create(&got.pool, NULL);
    got.what = dsapi_route_cache_get(&got.entry, &got.lead, &got.err, cache,
                                     ask, got.pool);
    ck_assert_int_eq(got.entry != NULL, got.what == DSAPI_CACHE_HIT);
    ck_assert_int_eq(got.lead != NULL, got.what == DSAPI_CACHE_LEAD);
    ck_assert_int_eq(got.err != NULL, got.what == DSAPI_CACHE_FAILED);
    return got;
}

static got_t get(dsapi_cache_t *cache, const char *key, apr_time_t now)
{
    dsapi_cache_ask_t ask = ask_for(key, now, 0);

    return get_ask(cache, &ask);
}

static void leave(got_t *got)
{
    apr_pool_destroy(got->pool);
}

/* Made at T(0), fresh to T(10), had to T(30). */
static const dsapi_cache_entry_t *put(const got_t *got, const char *body,
                                      apr_size_t body_bytes)
{
    dsapi_cache_answer_t answer = {body, body_bytes, "text/csv", NULL,
                                   NULL, T(0),       T(10),      T(30)};

    ck_assert_int_eq(got->what, DSAPI_CACHE_LEAD);
    return dsapi_route_cache_put(got->lead, &answer);
}

static const dsapi_cache_entry_t *put_bytes(const got_t *got, char c,
                                            apr_size_t bytes)
{
    return put(got, memset(apr_palloc(got->pool, bytes), c, bytes), bytes);
}

/* Lead, and store a text or bytes without meaning. */
static void fill(dsapi_cache_t *cache, const char *key, const char *body)
{
    got_t got = get(cache, key, T(0));

    put(&got, body, strlen(body));
    leave(&got);
}

static void fill_bytes(dsapi_cache_t *cache, const char *key, apr_size_t bytes)
{
    got_t got = get(cache, key, T(0));

    put_bytes(&got, 'x', bytes);
    leave(&got);
}

/* "HIT body", or what else one got; a lead is given up. */
static const char *shown(dsapi_cache_t *cache, const char *key, apr_time_t now)
{
    static const char *const names[] = {"HIT ", "LEAD", "WAITED", "FAILED"};
    got_t got = get(cache, key, now);
    const char *text = names[got.what];

    if (got.entry) {
        text = apr_psprintf(g_pool, "%s%.*s", text, (int)got.entry->body_bytes,
                            got.entry->body);
    }
    leave(&got);
    return text;
}

static int is_in(dsapi_cache_t *cache, const char *key)
{
    return strncmp(shown(cache, key, T(1)), "HIT", 3) == 0;
}

START_TEST(what_was_put_is_had)
{
    dsapi_cache_t *cache = cache_of(64 * KIB);
    got_t got = get(cache, "key", T(0));
    char body[] = "[1,\0002]";
    char type[] = "text/csv";
    char headers[] = "</a>; rel=\"next\"";
    dsapi_cache_answer_t answer = {body, 6, type, NULL, headers, T(1), T(5), 0};

    ck_assert_int_eq(got.what, DSAPI_CACHE_LEAD);
    got.entry = dsapi_route_cache_put(got.lead, &answer);
    ck_assert_mem_eq(got.entry->body, "[1,\0002]", 6);
    leave(&got);
    memset(body, 'x', 6);
    memset(type, 'x', 4);
    memset(headers, 'x', 4);

    got = get(cache, "key", T(2));
    ck_assert_int_eq(got.what, DSAPI_CACHE_HIT);
    ck_assert_uint_eq(got.entry->body_bytes, 6);
    ck_assert_mem_eq(got.entry->body, "[1,\0002]", 6);
    ck_assert_str_eq(got.entry->content_type, "text/csv");
    ck_assert_str_eq(got.entry->headers, "</a>; rel=\"next\"");
    ck_assert_str_eq(got.entry->etag,
                     dsapi_route_etag_make("text/csv", "[1,\0002]", 6, g_pool));
    ck_assert(got.entry->made == T(1));
    ck_assert(got.entry->fresh_until == T(5));
    leave(&got);
}
END_TEST

START_TEST(a_body_may_be_empty_and_an_etag_given)
{
    dsapi_cache_t *cache = cache_of(64 * KIB);
    got_t got = get(cache, "", T(0));
    dsapi_cache_answer_t answer = {NULL, 0,    "text/plain", "W/\"7\"",
                                   NULL, T(0), T(5),         0};

    dsapi_route_cache_put(got.lead, &answer);
    leave(&got);
    got = get(cache, "", T(1));
    ck_assert_int_eq(got.what, DSAPI_CACHE_HIT);
    ck_assert_uint_eq(got.entry->body_bytes, 0);
    ck_assert_ptr_nonnull(got.entry->body);
    ck_assert_ptr_null(got.entry->headers);
    ck_assert_str_eq(got.entry->etag, "W/\"7\"");
    leave(&got);
}
END_TEST

START_TEST(keys_are_bytes)
{
    static const char bytes[] = "a\0b\0\0c";
    dsapi_cache_t *cache = cache_of(64 * KIB);

    for (apr_size_t len = 0; len <= sizeof(bytes); len++) {
        dsapi_cache_ask_t ask = {bytes, len, T(0), 0, 0, 0, 0, 0};
        got_t got = get_ask(cache, &ask);

        put(&got, bytes, len);
        leave(&got);
    }
    for (apr_size_t len = 0; len <= sizeof(bytes); len++) {
        dsapi_cache_ask_t ask = {bytes, len, T(1), 0, 0, 0, 0, 0};
        got_t got = get_ask(cache, &ask);

        ck_assert_int_eq(got.what, DSAPI_CACHE_HIT);
        ck_assert_uint_eq(got.entry->body_bytes, len);
        leave(&got);
    }
    ck_assert_str_eq(shown(cache, "ax", T(1)), "LEAD");
}
END_TEST

START_TEST(many_keys_share_buckets)
{
    dsapi_cache_t *cache = cache_of(4 * KIB * KIB);

    for (int i = 0; i < 8000; i++) {
        fill(cache, apr_itoa(g_pool, i), apr_itoa(g_pool, i * 3));
    }
    ck_assert_uint_eq(stats_of(cache).entries, 8000);
    for (int i = 0; i < 8000; i++) {
        ck_assert_str_eq(shown(cache, apr_itoa(g_pool, i), T(1)) + 4,
                         apr_itoa(g_pool, i * 3));
    }
}
END_TEST

START_TEST(an_entry_is_fresh_until_it_is_not)
{
    dsapi_cache_t *cache = cache_of(64 * KIB);

    fill(cache, "k", "one");
    ck_assert_str_eq(shown(cache, "k", T(0)), "HIT one");
    ck_assert_str_eq(shown(cache, "k", T(10) - 1), "HIT one");
    ck_assert_str_eq(shown(cache, "k", T(10)), "LEAD");
    /* a request that was read before the answer was made; a clock set back */
    ck_assert_str_eq(shown(cache, "k", T(-10) + 1), "HIT one");
    ck_assert_str_eq(shown(cache, "k", T(-10)), "LEAD");
}
END_TEST

START_TEST(a_stale_entry_is_had_for_a_while)
{
    dsapi_cache_t *cache = cache_of(64 * KIB);
    dsapi_cache_ask_t ask = ask_for("k", T(10), 0);
    dsapi_err_t down = {.rv = DSAPI_EDBDOWN, .code = "database-down"};
    const dsapi_cache_entry_t *entry;
    got_t got;

    ck_assert_ptr_null(dsapi_route_cache_stale(cache, &ask, g_scratch));
    fill(cache, "k", "one");
    got = get(cache, "k", T(10));
    ck_assert_int_eq(got.what, DSAPI_CACHE_LEAD);
    /* the leader, while it leads; another after it has failed */
    entry = dsapi_route_cache_stale(cache, &ask, got.pool);
    ck_assert_ptr_nonnull(entry);
    ck_assert_mem_eq(entry->body, "one", 3);
    dsapi_route_cache_abandon(got.lead, &down);
    leave(&got);
    ask.now = T(30) - 1;
    ck_assert_ptr_nonnull(dsapi_route_cache_stale(cache, &ask, g_scratch));
    ask.now = T(30);
    ck_assert_ptr_null(dsapi_route_cache_stale(cache, &ask, g_scratch));
    ck_assert_uint_eq(stats_of(cache).entries, 1);
    ck_assert_uint_eq(stats_of(cache).stale, 2);
    ck_assert_str_eq(shown(cache, "k", T(30)), "LEAD");
    ck_assert_uint_eq(stats_of(cache).entries, 0);
    ck_assert_uint_eq(stats_of(cache).bytes, 0);
    apr_pool_destroy(g_scratch);
}
END_TEST

START_TEST(a_new_answer_takes_the_place_of_the_old)
{
    dsapi_cache_t *cache = cache_of(64 * KIB);
    dsapi_cache_ask_t ask = ask_for("k", T(15), 0);
    apr_size_t bytes;
    got_t got;

    fill(cache, "k", "one");
    bytes = stats_of(cache).bytes;
    got = get(cache, "k", T(15));
    put(&got, "four", 4);
    leave(&got);
    ck_assert_uint_eq(stats_of(cache).entries, 1);
    ck_assert_uint_eq(stats_of(cache).bytes, bytes + 1);
    ck_assert_uint_eq(stats_of(cache).evicted, 0);
    ck_assert_mem_eq(dsapi_route_cache_stale(cache, &ask, g_scratch)->body,
                     "four", 4);
    /* and where the new one is too large to be kept, no old one is */
    got = get(cache, "k", T(15));
    put_bytes(&got, 'y', 17 * KIB);
    leave(&got);
    ck_assert_ptr_null(dsapi_route_cache_stale(cache, &ask, g_scratch));
    ck_assert_uint_eq(stats_of(cache).bytes, 0);
    apr_pool_destroy(g_scratch);
}
END_TEST

START_TEST(the_least_recently_used_is_dropped)
{
    dsapi_cache_t *cache = cache_of(40 * KIB);
    dsapi_cache_ask_t ask = ask_for("b", T(15), 0);

    for (const char *key = "a\0b\0c\0d\0"; *key; key += 2) {
        fill_bytes(cache, key, 9 * KIB);
    }
    ck_assert_uint_eq(stats_of(cache).evicted, 0);
    /* used: a by a request, b as a stale entry; c not */
    ck_assert(is_in(cache, "a"));
    ck_assert_ptr_nonnull(dsapi_route_cache_stale(cache, &ask, g_scratch));
    fill_bytes(cache, "e", 9 * KIB);
    ck_assert(!is_in(cache, "c"));
    fill_bytes(cache, "f", 9 * KIB);
    ck_assert(!is_in(cache, "d"));
    ck_assert(is_in(cache, "a") && is_in(cache, "b"));
    ck_assert(is_in(cache, "e") && is_in(cache, "f"));
    ck_assert_uint_eq(stats_of(cache).evicted, 2);
    apr_pool_destroy(g_scratch);
}
END_TEST

START_TEST(a_large_entry_takes_the_room_of_many)
{
    dsapi_cache_t *cache = cache_of(400 * KIB);
    dsapi_cache_stats_t before;

    for (int i = 0; i < 3000; i++) {
        fill(cache, apr_itoa(g_pool, i), "x");
    }
    before = stats_of(cache);
    fill_bytes(cache, "large", 99 * KIB);
    ck_assert(is_in(cache, "large"));
    /* more than are dropped in one turn of the lock, but not all */
    ck_assert_uint_gt(stats_of(cache).evicted - before.evicted, 128);
    ck_assert_uint_gt(stats_of(cache).entries, before.entries / 2);
    ck_assert_uint_gt(stats_of(cache).bytes, 399 * KIB);
    ck_assert_uint_le(stats_of(cache).bytes, 400 * KIB);
}
END_TEST

START_TEST(memory_is_bounded_and_counted)
{
    dsapi_cache_t *cache = cache_of(100 * KIB);
    apr_size_t empty_bytes;

    fill_bytes(cache, "k", 0);
    empty_bytes = stats_of(cache).bytes;
    ck_assert_uint_gt(empty_bytes, 0);
    /* body and key are counted by the byte */
    fill_bytes(cache, "key", 100);
    ck_assert_uint_eq(stats_of(cache).bytes, 2 * empty_bytes + 102);
    for (int i = 0; i < 2000; i++) {
        fill_bytes(cache, apr_itoa(g_pool, i), (apr_size_t)i * 37 % 30000);
        ck_assert_uint_le(stats_of(cache).bytes, 100 * KIB);
    }
    ck_assert_uint_gt(stats_of(cache).entries, 3);
    ck_assert_uint_gt(stats_of(cache).bytes, 70 * KIB);
}
END_TEST

START_TEST(over_a_quarter_is_not_kept)
{
    dsapi_cache_t *cache = cache_of(40 * KIB);
    const dsapi_cache_entry_t *entry;
    got_t got = get(cache, "k", T(0));

    entry = put_bytes(&got, 'y', 10 * KIB);
    ck_assert_uint_eq(entry->body_bytes, 10 * KIB);
    ck_assert_int_eq(entry->body[10 * KIB - 1], 'y');
    ck_assert_str_eq(shown(cache, "k", T(1)), "LEAD");
    ck_assert_uint_eq(stats_of(cache).bytes, 0);
    leave(&got);
    fill_bytes(cache, "k", 10 * KIB - 512);
    ck_assert(is_in(cache, "k"));
    /* and where there is no room, nothing is */
    cache = cache_of(0);
    fill(cache, "k", "one");
    ck_assert(!is_in(cache, "k"));
}
END_TEST

START_TEST(what_is_held_outlives_the_table_and_the_cache)
{
    dsapi_cache_t *cache;
    apr_pool_t *child;
    got_t leader;
    got_t one;
    got_t two;

    apr_pool_create(&child, NULL);
    cache = dsapi_route_cache_make(40 * KIB, child);
    leader = get(cache, "k", T(0));
    leader.entry = put(&leader, "held", 4);
    one = get(cache, "k", T(1));
    two = get(cache, "k", T(1));
    ck_assert_ptr_eq(one.entry, leader.entry);
    for (int i = 0; i < 10; i++) {
        fill_bytes(cache, apr_itoa(g_pool, i), 9 * KIB);
    }
    ck_assert(!is_in(cache, "k"));
    leave(&one);
    leave(&leader);
    ck_assert_mem_eq(two.entry->body, "held", 4);
    leave(&two);
    two = get(cache, "9", T(1));
    apr_pool_destroy(child);
    ck_assert_mem_eq(two.entry->body, "xxxx", 4);
    leave(&two);
}
END_TEST

START_TEST(one_leads_until_its_pool_ends)
{
    dsapi_cache_t *cache = cache_of(64 * KIB);
    got_t got = get(cache, "k", T(0));

    ck_assert_str_eq(shown(cache, "k", T(0)), "WAITED");
    ck_assert_str_eq(shown(cache, "j", T(0)), "LEAD");
    leave(&got);
    ck_assert_str_eq(shown(cache, "k", T(0)), "LEAD");
}
END_TEST

START_TEST(a_lead_is_over_once)
{
    dsapi_cache_t *cache = cache_of(64 * KIB);
    got_t got = get(cache, "k", T(0));
    got_t next;

    dsapi_route_cache_abandon(got.lead, NULL);
    next = get(cache, "k", T(0));
    ck_assert_int_eq(next.what, DSAPI_CACHE_LEAD);
    dsapi_route_cache_abandon(got.lead, NULL);
    dsapi_route_cache_decline(got.lead);
    ck_assert_mem_eq(put(&got, "old", 3)->body, "old", 3);
    ck_assert_str_eq(shown(cache, "k", T(0)), "WAITED");
    put(&next, "new", 3);
    ck_assert_str_eq(shown(cache, "k", T(0)), "HIT new");
    leave(&got);
    leave(&next);
}
END_TEST

START_TEST(a_lead_moves_to_another_pool)
{
    dsapi_cache_t *cache = cache_of(64 * KIB);
    got_t got = get(cache, "k", T(0));
    got_t moved = {.what = got.what};

    apr_pool_create(&moved.pool, g_pool);
    moved.lead = dsapi_route_cache_move(got.lead, moved.pool);
    dsapi_route_cache_abandon(got.lead, NULL); /* over */
    leave(&got);
    ck_assert_str_eq(shown(cache, "k", T(0)), "WAITED");
    put(&moved, "new", 3);
    leave(&moved);
    ck_assert_str_eq(shown(cache, "k", T(0)), "HIT new");
    got = get(cache, "j", T(0));
    apr_pool_create(&moved.pool, g_pool);
    moved.lead = dsapi_route_cache_move(got.lead, moved.pool);
    leave(&got);
    leave(&moved);
    ck_assert_str_eq(shown(cache, "j", T(0)), "LEAD");
}
END_TEST

/* ---- threads ---- */

/* What the threads of a test do, and count. */
typedef struct crowd_t {
    dsapi_cache_t *cache;
    const char *key;
    apr_interval_time_t wait;
    dsapi_err_t *down;    /* a leader fails with this */
    int declines;         /* a leader's answer can't be shared */
    apr_uint32_t quits;   /* so many leaders go without a word */
    apr_size_t for_whom;  /* a leader ends when so many wait for it */
    apr_size_t put_bytes; /* what a leader puts */
    apr_uint32_t got[4];
    apr_thread_t *threads[THREADS];
} crowd_t;

/* Without a sleep: threads give way until so many wait. */
static void until_waiting(dsapi_cache_t *cache, apr_size_t n)
{
    while (stats_of(cache).waiting != n) {
        apr_thread_yield();
    }
}

static void lead(crowd_t *crowd, got_t *got)
{
    apr_uint32_t quits = apr_atomic_read32(&crowd->quits);

    if (quits) {
        until_waiting(crowd->cache, crowd->for_whom + quits);
        apr_atomic_dec32(&crowd->quits);
        return;
    }
    until_waiting(crowd->cache, crowd->for_whom);
    if (crowd->down) {
        dsapi_route_cache_abandon(got->lead, crowd->down);
    }
    else if (crowd->declines) {
        dsapi_route_cache_decline(got->lead);
    }
    else {
        got->entry = put_bytes(got, 'z', crowd->put_bytes);
    }
}

static void *APR_THREAD_FUNC one_of_crowd(apr_thread_t *thread, void *baton)
{
    crowd_t *crowd = baton;
    dsapi_cache_ask_t ask = ask_for(crowd->key, T(0), crowd->wait);
    got_t got = get_ask(crowd->cache, &ask);

    (void)thread;
    apr_atomic_inc32(&crowd->got[got.what]);
    if (got.lead) {
        lead(crowd, &got);
    }
    if (got.entry) {
        ck_assert_uint_eq(got.entry->body_bytes, crowd->put_bytes);
        ck_assert_int_eq(got.entry->body[crowd->put_bytes - 1], 'z');
    }
    if (got.err) {
        ck_assert_int_eq(got.err->rv, crowd->down->rv);
        ck_assert_int_eq(got.err->http, crowd->down->http);
        ck_assert_int_eq(got.err->retry_after_s, crowd->down->retry_after_s);
        ck_assert_str_eq(got.err->code, "database-down");
        ck_assert_str_eq(got.err->detail, "no connection");
        ck_assert_str_eq(got.err->sqlstate, "08006");
        ck_assert_ptr_null(got.err->allow);
        ck_assert_ptr_null(got.err->fields);
    }
    leave(&got);
    return NULL;
}

static void start(crowd_t *crowd, int n)
{
    for (int i = 0; i < n; i++) {
        apr_thread_create(&crowd->threads[i], NULL, one_of_crowd, crowd,
                          g_pool);
    }
}

static void join_threads(crowd_t *crowd, int n)
{
    for (int i = 0; i < n; i++) {
        apr_status_t rv;

        ck_assert_int_eq(apr_thread_join(&rv, crowd->threads[i]), APR_SUCCESS);
    }
}

/* ... all who ever asked. */
static void join_all(crowd_t *crowd, int n)
{
    join_threads(crowd, n);
    ck_assert_uint_eq(stats_of(crowd->cache).waiting, 0);
    for (int i = 0; i < 4; i++) {
        ck_assert_uint_eq(stats_of(crowd->cache).got[i], crowd->got[i]);
    }
}

static crowd_t crowd_of(apr_size_t max_bytes)
{
    crowd_t crowd = {.cache = cache_of(max_bytes),
                     .key = "k",
                     .wait = LONG,
                     .put_bytes = 100,
                     .for_whom = THREADS - 1};

    return crowd;
}

/* Many ask: one leads, and all others get the same. */
static void run(crowd_t *crowd, dsapi_cache_got_t others)
{
    start(crowd, THREADS);
    join_all(crowd, THREADS);
    ck_assert_uint_eq(crowd->got[DSAPI_CACHE_LEAD], 1);
    ck_assert_uint_eq(crowd->got[others], THREADS - 1);
}

START_TEST(of_many_one_computes)
{
    crowd_t crowd = crowd_of(64 * KIB);

    run(&crowd, DSAPI_CACHE_HIT);
    ck_assert_uint_eq(stats_of(crowd.cache).shared, THREADS - 1);
    ck_assert(is_in(crowd.cache, "k"));
}
END_TEST

START_TEST(an_answer_that_is_not_kept_is_shared)
{
    crowd_t crowd = crowd_of(KIB);

    crowd.put_bytes = 300;
    run(&crowd, DSAPI_CACHE_HIT);
    ck_assert(!is_in(crowd.cache, "k"));
}
END_TEST

START_TEST(all_fail_with_their_leader)
{
    crowd_t crowd = crowd_of(64 * KIB);
    dsapi_err_t *err = NULL;
    apr_pool_t *pool;

    apr_pool_create(&pool, NULL);
    dsapi_fail(&err, pool, DSAPI_EDBDOWN, "database-down", "no connection");
    err->sqlstate = "08006";
    err->http = 503;
    err->retry_after_s = 2;
    crowd.down = err;
    run(&crowd, DSAPI_CACHE_FAILED);
    apr_pool_destroy(pool);
    /* who comes after them tries again */
    ck_assert_str_eq(shown(crowd.cache, "k", T(0)), "LEAD");
}
END_TEST

START_TEST(a_leader_that_goes_is_followed_by_one)
{
    crowd_t crowd = crowd_of(64 * KIB);

    /* three go; the fourth's answer is for the remaining twelve */
    crowd.quits = 3;
    crowd.for_whom = THREADS - 4;
    start(&crowd, THREADS);
    join_all(&crowd, THREADS);
    ck_assert_uint_eq(crowd.got[DSAPI_CACHE_LEAD], 4);
    ck_assert_uint_eq(crowd.got[DSAPI_CACHE_HIT], THREADS - 4);
}
END_TEST

START_TEST(what_cant_be_shared_is_computed_by_each)
{
    crowd_t crowd = crowd_of(64 * KIB);

    crowd.declines = 1;
    run(&crowd, DSAPI_CACHE_WAITED);
}
END_TEST

START_TEST(a_wait_ends)
{
    crowd_t crowd = crowd_of(64 * KIB);
    got_t got = get(crowd.cache, "k", T(0));

    crowd.got[DSAPI_CACHE_LEAD] = 1;
    crowd.wait = SHORT;
    start(&crowd, THREADS);
    join_all(&crowd, THREADS);
    ck_assert_uint_eq(crowd.got[DSAPI_CACHE_WAITED], THREADS);
    put(&got, "one", 3);
    leave(&got);
    ck_assert_str_eq(shown(crowd.cache, "k", T(0)), "HIT one");
}
END_TEST

START_TEST(the_ends_of_other_keys_wake_nobody_for_good)
{
    crowd_t crowd = crowd_of(64 * KIB);
    crowd_t others = crowd;
    got_t got = get(crowd.cache, "k", T(0));

    crowd.put_bytes = 1;
    start(&crowd, 4);
    until_waiting(crowd.cache, 4);
    /* so many that each condition is broadcast */
    others.for_whom = 5;
    for (int i = 0; i < 300; i++) {
        others.key = apr_itoa(g_pool, i);
        start(&others, 2);
        join_threads(&others, 2);
        ck_assert_uint_eq(stats_of(crowd.cache).waiting, 4);
    }
    put(&got, "z", 1);
    leave(&got);
    join_threads(&crowd, 4);
    ck_assert_uint_eq(crowd.got[DSAPI_CACHE_HIT], 4);
}
END_TEST

/* Every function at random, on few keys and little memory; what a key's
 * entry says must be the key's. */
static void *APR_THREAD_FUNC churn(apr_thread_t *thread, void *baton)
{
    crowd_t *crowd = baton;
    apr_uint32_t seed = 1 + apr_atomic_inc32(&crowd->quits);
    dsapi_err_t down = {.rv = DSAPI_EDBDOWN, .code = "database-down"};

    (void)thread;
    for (int i = 0; i < ROUNDS; i++) {
        char body[600];
        char key =
            (char)('a' + (seed = seed * 1103515245U + 12345) / 65536 % 9);
        dsapi_cache_ask_t ask = {
            &key,      1, T(i % 40), i % 500, (apr_uint64_t)i / 100 % 3,
            T(i % 50), 0, 0};
        got_t got = get_ask(crowd->cache, &ask);

        memset(body, key, sizeof(body));
        if (got.lead && i % 11 == 0) {
            dsapi_route_cache_abandon(got.lead, i % 2 ? &down : NULL);
        }
        else if (got.lead && i % 13 == 0) {
            dsapi_route_cache_decline(got.lead);
        }
        else if (got.lead && i % 17) {
            got.entry = put(&got, body, 1 + seed / 65536 % sizeof(body));
        }
        if (!got.entry) {
            got.entry = dsapi_route_cache_stale(crowd->cache, &ask, got.pool);
        }
        if (got.entry) {
            ck_assert_mem_eq(got.entry->body, body, got.entry->body_bytes);
        }
        ck_assert_uint_le(stats_of(crowd->cache).bytes, 4 * KIB);
        leave(&got);
    }
    return NULL;
}

START_TEST(threads_get_along)
{
    crowd_t crowd = {0};
    dsapi_cache_stats_t stats;

    crowd.cache = cache_of(4 * KIB);
    for (int i = 0; i < THREADS; i++) {
        apr_thread_create(&crowd.threads[i], NULL, churn, &crowd, g_pool);
    }
    join_threads(&crowd, THREADS);
    stats = stats_of(crowd.cache);
    ck_assert_uint_eq(stats.waiting, 0);
    ck_assert_uint_ge(stats.got[0] + stats.got[1] + stats.got[2] + stats.got[3],
                      (apr_uint64_t)THREADS * ROUNDS);
    ck_assert_uint_gt(stats.evicted, 0);
    /* nobody was left to lead for ever */
    for (int i = 0; i < 27; i++) {
        dsapi_cache_ask_t ask = {&"abcdefghi"[i / 3], 1, T(100), 0,
                                 (apr_uint64_t)i % 3, 0, 0,      0};
        got_t got = get_ask(crowd.cache, &ask);

        ck_assert_int_eq(got.what, DSAPI_CACHE_LEAD);
        leave(&got);
    }
    ck_assert_uint_eq(stats_of(crowd.cache).bytes, 0);
}
END_TEST

UNIT_SUITE(route_cache, what_was_put_is_had,
           a_body_may_be_empty_and_an_etag_given, keys_are_bytes,
           many_keys_share_buckets, an_entry_is_fresh_until_it_is_not,
           a_stale_entry_is_had_for_a_while,
           a_new_answer_takes_the_place_of_the_old,
           the_least_recently_used_is_dropped,
           a_large_entry_takes_the_room_of_many, memory_is_bounded_and_counted,
           over_a_quarter_is_not_kept,
           what_is_held_outlives_the_table_and_the_cache,
           one_leads_until_its_pool_ends, a_lead_is_over_once,
           a_lead_moves_to_another_pool, of_many_one_computes,
           an_answer_that_is_not_kept_is_shared, all_fail_with_their_leader,
           a_leader_that_goes_is_followed_by_one,
           what_cant_be_shared_is_computed_by_each, a_wait_ends,
           the_ends_of_other_keys_wake_nobody_for_good, threads_get_along)
