/* limit/table: who has used how much. */
#include "limit/table.h"

#include <apr_shm.h>
#include <apr_thread_proc.h>
#include <stdatomic.h>

#include "unit/unit.h"

#define S(n) ((n)*DSAPI_NS_PER_S)
#define NOW  S(APR_INT64_C(1790000000))

#define WAYS         8
#define BUCKET_BYTES 128
#define THREADS      8
#define PROCESSES    4
#define TAKES        4000

static const unsigned char seed[APR_SIPHASH_KSIZE] = "fifteen letters";
static const dsapi_quota_t per_min = {S(1), 60};

static dsapi_limit_table_t *table_of(int buckets)
{
    apr_size_t bytes = 127 + (apr_size_t)buckets * BUCKET_BYTES;

    return dsapi_limit_table_init(apr_pcalloc(g_pool, bytes), bytes, seed);
}

static int take(dsapi_limit_table_t *table, apr_uint64_t key, apr_int64_t cost,
                apr_int64_t now)
{
    apr_int64_t tat;

    return dsapi_limit_take(&tat, table, key, &per_min, cost, now);
}

START_TEST(memory_is_used)
{
    ck_assert_uint_eq(dsapi_limit_table_places(table_of(1)), WAYS);
    ck_assert_uint_eq(dsapi_limit_table_places(table_of(7)), 56);
    ck_assert_uint_ge(DSAPI_LIMIT_TABLE_MIN_BYTES, 127 + BUCKET_BYTES);
}
END_TEST

START_TEST(keys)
{
    dsapi_limit_table_t *table = table_of(1);
    dsapi_limit_table_t *other =
        dsapi_limit_table_init(apr_pcalloc(g_pool, 256), 256,
                               (const unsigned char *)"another fifteen");
    apr_uint64_t key = dsapi_limit_key(table, 1, "ann", 3);

    ck_assert(key == dsapi_limit_key(table, 1, "anna", 3));
    ck_assert(key != dsapi_limit_key(table, 2, "ann", 3));
    ck_assert(key != dsapi_limit_key(table, 1, "anna", 4));
    ck_assert(key != dsapi_limit_key(table, 1, "bob", 3));
    ck_assert(key != dsapi_limit_key(other, 1, "ann", 3));
    ck_assert(dsapi_limit_key(table, 1, "", 0) != 0);
    ck_assert(dsapi_limit_id("a") == dsapi_limit_id("a"));
    ck_assert(dsapi_limit_id("a") != dsapi_limit_id("b"));
}
END_TEST

/* the key of an address as text */
static apr_uint64_t key_of(const dsapi_limit_table_t *table, const char *text)
{
    apr_sockaddr_t *addr;
    const void *bytes;
    apr_size_t len;

    ck_assert_int_eq(
        apr_sockaddr_info_get(&addr, text, APR_UNSPEC, 80, 0, g_pool),
        APR_SUCCESS);
    len = dsapi_limit_address(&bytes, addr);
    ck_assert_uint_gt(len, 0);
    return dsapi_limit_key(table, 1, bytes, len);
}

START_TEST(addresses)
{
    dsapi_limit_table_t *table = table_of(1);
    apr_sockaddr_t nowhere = {0};
    const void *bytes;

    ck_assert(key_of(table, "192.0.2.1") == key_of(table, "::ffff:192.0.2.1"));
    ck_assert(key_of(table, "192.0.2.1") != key_of(table, "192.0.2.2"));
    ck_assert(key_of(table, "::ffff:192.0.2.1") != key_of(table, "::ffff:192.0."
                                                                 "2.2"));
    ck_assert(key_of(table, "2001:db8:1:2::1") == key_of(table, "2001:db8:1:2:"
                                                                "ffff::2"));
    ck_assert(key_of(table, "2001:db8:1:2::1") != key_of(table, "2001:db8:1:3::"
                                                                "1"));
    ck_assert(key_of(table, "::1") != key_of(table, "127.0.0.1"));
    nowhere.family = APR_UNIX;
    ck_assert_uint_eq(dsapi_limit_address(&bytes, &nowhere), 0);
}
END_TEST

START_TEST(each_key_has_its_own)
{
    dsapi_limit_table_t *table = table_of(64);

    for (apr_uint64_t i = 1; i <= 100; i++) {
        apr_uint64_t key = dsapi_limit_key(table, 1, &i, sizeof(i));

        ck_assert_int_eq(take(table, key, 60, NOW), 1);
        ck_assert_int_eq(take(table, key, 1, NOW), 0);
    }
    for (apr_uint64_t i = 1; i <= 100; i++) {
        apr_uint64_t key = dsapi_limit_key(table, 1, &i, sizeof(i));

        ck_assert_int_eq(take(table, key, 2, NOW + S(1)), 0);
        ck_assert_int_eq(take(table, key, 1, NOW + S(1)), 1);
    }
    ck_assert_int_eq(dsapi_limit_crowded(table, NOW), 0);
}
END_TEST

START_TEST(what_is_given_back)
{
    dsapi_limit_table_t *table = table_of(1);
    apr_int64_t tat;

    ck_assert_int_eq(dsapi_limit_take(&tat, table, 5, &per_min, 60, NOW), 1);
    ck_assert_int_eq(take(table, 5, 1, NOW), 0);
    dsapi_limit_give_back(table, 5, &per_min, 60, tat, NOW + S(1));
    ck_assert_int_eq(take(table, 5, 60, NOW + S(1)), 1);
    /* all of it has come back by itself: not a second time */
    dsapi_limit_take(&tat, table, 6, &per_min, 1, NOW);
    ck_assert_int_eq(take(table, 6, 60, NOW + S(1)), 1);
    dsapi_limit_give_back(table, 6, &per_min, 1, tat, NOW + S(1));
    ck_assert_int_eq(take(table, 6, 1, NOW + S(1)), 0);
    /* who is not there */
    dsapi_limit_give_back(table, 7, &per_min, 1, tat, NOW);
    ck_assert_int_eq(take(table, 7, 60, NOW), 1);
}
END_TEST

START_TEST(who_has_all_back_makes_room)
{
    dsapi_limit_table_t *table = table_of(1);

    for (apr_uint64_t key = 1; key <= WAYS; key++) {
        ck_assert_int_eq(take(table, key, (apr_int64_t)key * 5, NOW), 1);
    }
    /* all but the first are still owing something */
    ck_assert_int_eq(take(table, 100, 60, NOW + S(5)), 1);
    ck_assert_int_eq(dsapi_limit_crowded(table, NOW + S(5)), 0);
    for (apr_uint64_t key = 2; key <= WAYS; key++) {
        ck_assert_int_eq(
            take(table, key, 66 - (apr_int64_t)key * 5, NOW + S(5)), 0);
    }
    ck_assert_int_eq(take(table, 100, 1, NOW + S(5)), 0);
    ck_assert_int_eq(take(table, 1, 60, NOW + S(10)), 1); /* in 2's place */
    ck_assert_int_eq(take(table, 3, 56, NOW + S(10)), 0);
}
END_TEST

START_TEST(a_newcomer_takes_the_place_of_who_owes_least)
{
    dsapi_limit_table_t *table = table_of(1);

    for (apr_uint64_t key = 1; key <= WAYS; key++) {
        take(table, key, 60 - (apr_int64_t)key, NOW); /* 8 owes least */
    }
    /* it begins afresh, and does not inherit what 8 owes */
    ck_assert_int_eq(take(table, 100, 60, NOW), 1);
    ck_assert_int_eq(take(table, 100, 1, NOW), 0);
    for (apr_uint64_t key = 1; key < WAYS; key++) {
        ck_assert_int_eq(take(table, key, (apr_int64_t)key + 1, NOW), 0);
    }
    ck_assert_int_eq(dsapi_limit_crowded(table, NOW), 1);
}
END_TEST

START_TEST(who_changes_keys_frees_nobody)
{
    dsapi_limit_table_t *table = table_of(1);

    for (apr_uint64_t key = 1; key < WAYS; key++) {
        ck_assert_int_eq(take(table, key, 60, NOW), 1);
    }
    for (apr_uint64_t key = 1000; key < 11000; key++) {
        ck_assert_int_eq(take(table, key, 1, NOW), 1);
    }
    for (apr_uint64_t key = 1; key < WAYS; key++) {
        ck_assert_int_eq(take(table, key, 1, NOW), 0);
    }
}
END_TEST

START_TEST(a_few_are_no_crowd)
{
    dsapi_limit_table_t *table = table_of(256); /* 2048 places */

    /* nine in the first bucket, and ten, and eleven */
    for (apr_uint64_t key = 1; key <= 10; key++) {
        take(table, key, 1, NOW);
    }
    ck_assert_int_eq(dsapi_limit_crowded(table, NOW), 0);
    take(table, 11, 1, NOW);
    ck_assert_int_eq(dsapi_limit_crowded(table, NOW), 3);
}
END_TEST

START_TEST(a_crowd_is_told_of_once_a_minute)
{
    dsapi_limit_table_t *table = table_of(1);

    for (apr_uint64_t key = 1; key <= 100; key++) {
        take(table, key, 1, NOW);
    }
    ck_assert_int_eq(dsapi_limit_crowded(table, NOW), 92);
    ck_assert_int_eq(dsapi_limit_crowded(table, NOW + S(100)), 0);
    take(table, 200, 1, NOW);
    ck_assert_int_eq(dsapi_limit_crowded(table, NOW + S(59)), 0);
    ck_assert_int_eq(dsapi_limit_crowded(table, NOW + S(60)), 1);
    take(table, 201, 1, NOW);
    /* the clock was set back */
    ck_assert_int_eq(dsapi_limit_crowded(table, NOW - S(60)), 1);
}
END_TEST

/* Threads and processes: each counts what it was given */

typedef struct crowd_t {
    dsapi_limit_table_t *table;
    _Atomic apr_int64_t clock; /* goes on with each look */
    _Atomic apr_int64_t taken;
    apr_int64_t step;
    int keys;
} crowd_t;

static const dsapi_quota_t per_s = {S(1) / 100, 60};

static void take_many(crowd_t *crowd)
{
    for (int i = 0; i < TAKES; i++) {
        apr_int64_t now = atomic_fetch_add(&crowd->clock, crowd->step);
        apr_uint64_t whose = (apr_uint64_t)(i % crowd->keys);

        apr_int64_t tat;

        atomic_fetch_add(
            &crowd->taken,
            dsapi_limit_take(
                &tat, crowd->table,
                dsapi_limit_key(crowd->table, 1, &whose, sizeof(whose)), &per_s,
                1, now));
    }
}

static void *APR_THREAD_FUNC run(apr_thread_t *thread, void *baton)
{
    (void)thread;
    take_many(baton);
    return NULL;
}

static void *APR_THREAD_FUNC give_back(apr_thread_t *thread, void *baton)
{
    crowd_t *crowd = baton;
    apr_int64_t tat;

    (void)thread;
    for (int i = 0; i < TAKES; i++) {
        if (dsapi_limit_take(&tat, crowd->table, 1, &per_s, 7, NOW)) {
            dsapi_limit_give_back(crowd->table, 1, &per_s, 7, tat, NOW);
            atomic_fetch_add(&crowd->taken, 1);
        }
    }
    return NULL;
}

static void run_threads(crowd_t *crowd, apr_thread_start_t work)
{
    apr_thread_t *threads[THREADS];
    apr_status_t rv;

    for (int i = 0; i < THREADS; i++) {
        ck_assert_int_eq(
            apr_thread_create(&threads[i], NULL, work, crowd, g_pool),
            APR_SUCCESS);
    }
    for (int i = 0; i < THREADS; i++) {
        apr_thread_join(&rv, threads[i]);
    }
}

START_TEST(threads_get_what_there_is)
{
    crowd_t crowd = {table_of(1), NOW, 0, 0, 1};

    run_threads(&crowd, run);
    ck_assert_int_eq(crowd.taken, 60);
}
END_TEST

START_TEST(new_keys_at_once_get_one_place_each)
{
    crowd_t crowd = {table_of(1), NOW, 0, 0, WAYS};

    run_threads(&crowd, run);
    ck_assert_int_eq(crowd.taken, 480);
}
END_TEST

START_TEST(threads_get_what_comes_back)
{
    const apr_int64_t ticks = (apr_int64_t)THREADS * TAKES;
    /* all of it within DSAPI_GCRA_SLACK_NS */
    crowd_t crowd = {table_of(1), NOW, 0, S(1) / 100 / 160, 1};

    run_threads(&crowd, run);
    /* A thread may hold on to its instant while others go on; then it finds
     * less, never more. */
    ck_assert_int_le(crowd.taken, 60 + ticks / 160);
    ck_assert_int_gt(crowd.taken, 60);
}
END_TEST

START_TEST(all_that_is_given_back_is_there)
{
    crowd_t crowd = {table_of(1), NOW, 0, 0, 1};
    apr_int64_t tat;

    run_threads(&crowd, give_back);
    /* eight times 7 is less than 60: there was always enough */
    ck_assert_int_eq(crowd.taken, (apr_int64_t)THREADS * TAKES);
    ck_assert_int_eq(dsapi_limit_take(&tat, crowd.table, 1, &per_s, 60, NOW),
                     1);
    ck_assert_int_eq(dsapi_limit_take(&tat, crowd.table, 1, &per_s, 1, NOW), 0);
}
END_TEST

START_TEST(a_crowd_of_keys_frees_nobody)
{
    crowd_t crowd = {table_of(1), NOW, 0, 0, 1000};
    apr_int64_t tat;

    for (apr_uint64_t key = 1; key < WAYS; key++) {
        dsapi_limit_take(&tat, crowd.table, key, &per_s, 60, NOW);
    }
    run_threads(&crowd, run);
    for (apr_uint64_t key = 1; key < WAYS; key++) {
        ck_assert_int_eq(
            dsapi_limit_take(&tat, crowd.table, key, &per_s, 1, NOW), 0);
    }
}
END_TEST

START_TEST(processes_share_it)
{
    apr_shm_t *shm;
    crowd_t *crowd;
    apr_proc_t proc[PROCESSES];
    char *memory;

    ck_assert_int_eq(apr_shm_create(&shm, 4096, NULL, g_pool), APR_SUCCESS);
    memory = apr_shm_baseaddr_get(shm);
    crowd = (crowd_t *)(void *)(memory + 2048);
    *crowd =
        (crowd_t){dsapi_limit_table_init(memory, 2048, seed), NOW, 0, 0, 1};
    for (int i = 0; i < PROCESSES; i++) {
        if (apr_proc_fork(&proc[i], g_pool) == APR_INCHILD) {
            take_many(crowd);
            _exit(0);
        }
    }
    for (int i = 0; i < PROCESSES; i++) {
        apr_proc_wait(&proc[i], NULL, NULL, APR_WAIT);
    }
    ck_assert_int_eq(crowd->taken, 60);
}
END_TEST

UNIT_SUITE(limit_table, memory_is_used, keys, addresses, each_key_has_its_own,
           what_is_given_back, who_has_all_back_makes_room,
           a_newcomer_takes_the_place_of_who_owes_least,
           who_changes_keys_frees_nobody, a_few_are_no_crowd,
           a_crowd_is_told_of_once_a_minute, threads_get_what_there_is,
           new_keys_at_once_get_one_place_each, threads_get_what_comes_back,
           all_that_is_given_back_is_there, a_crowd_of_keys_frees_nobody,
           processes_share_it)
