/* series/store: one load for all, the image before, the last one. */
#include "series/store.h"

#include <apr_strings.h>
#include <apr_thread_proc.h>
#include <stdatomic.h>

#include "series/threads.h"
#include "unit/series.h"
#include "unit/unit.h"

#define T(s) apr_time_from_sec(1000 + (s))

/* What a load finds: x of the one row there is. */
typedef struct data_t {
    _Atomic int value;
    _Atomic int loads;
    apr_status_t fails; /* with this */
    int rows;           /* copies of the row */
    apr_pool_t *pool;   /* of the request */
} data_t;

static apr_status_t load(const char **pimage, apr_size_t *pbytes,
                         dsapi_err_t **perr, void *baton)
{
    data_t *data = baton;
    char x[16];
    series_row_t row = {{"2022-06-01", "1", "a", "1", x, "0"}};
    dsapi_columns_maker_t *maker =
        dsapi_series_make(series_declare_in(data->pool), 1 << 24, data->pool);
    apr_status_t rv;

    atomic_fetch_add(&data->loads, 1);
    if (data->fails != APR_SUCCESS) {
        return dsapi_fail(perr, data->pool, data->fails, "test", "no luck");
    }
    apr_snprintf(x, sizeof(x), "%d", atomic_load(&data->value));
    rv = dsapi_series_begin(maker, perr, series_names, series_types,
                            SERIES_COLUMNS);
    for (int i = 0; rv == APR_SUCCESS && i < data->rows; i++) {
        rv = dsapi_series_add(maker, perr, series_cell, &row, 0);
    }
    *pimage = dsapi_series_finish(pbytes, maker);
    return rv;
}

static dsapi_series_ask_t ask_of(data_t *data, apr_uint64_t stamp,
                                 apr_time_t now)
{
    dsapi_series_ask_t ask = {
        .ask = {"k", 1, now, apr_time_from_sec(30), stamp, now, 0, 0},
        .stale = apr_time_from_sec(3600),
        .load = load,
        .baton = data,
    };

    return ask;
}

static data_t *data_of(int value)
{
    data_t *data = apr_pcalloc(g_pool, sizeof(*data));

    atomic_store(&data->value, value);
    data->rows = 1;
    data->pool = g_pool;
    return data;
}

/* @return x; -1: it failed */
static int x_of(dsapi_series_got_t *pgot, dsapi_cache_t *cache,
                const dsapi_series_ask_t *ask)
{
    dsapi_err_t *err = NULL;
    apr_status_t rv = dsapi_series_get(pgot, &err, cache, ask, g_pool);

    ck_assert_int_eq(rv == APR_SUCCESS, err == NULL);
    return rv == APR_SUCCESS ? (int)pgot->columns->measures[0].values[0] : -1;
}

START_TEST(a_series_is_loaded_once_for_a_version)
{
    dsapi_cache_t *cache = dsapi_route_cache_make(1 << 20, g_pool);
    data_t *data = data_of(1);
    dsapi_series_ask_t ask = ask_of(data, 5, T(0));
    dsapi_series_got_t got;

    ck_assert_int_eq(x_of(&got, cache, &ask), 1);
    ck_assert_int_eq(got.instead, 0);
    ck_assert(got.stamp == 5);
    ask = ask_of(data, 5, T(100000)); /* as long as it is verified */
    ck_assert_int_eq(x_of(&got, cache, &ask), 1);
    ck_assert(got.as_of == T(100000));
    ck_assert_int_eq(data->loads, 1);
    atomic_store(&data->value, 2);
    ask = ask_of(data, 6, T(100000));
    ck_assert_int_eq(x_of(&got, cache, &ask), 2);
    ck_assert_int_eq(data->loads, 2);
}
END_TEST

START_TEST(without_a_version_it_is_loaded_anew_after_its_life)
{
    dsapi_cache_t *cache = dsapi_route_cache_make(1 << 20, g_pool);
    data_t *data = data_of(1);
    dsapi_series_ask_t ask = ask_of(data, 0, T(0));
    dsapi_series_got_t got;

    x_of(&got, cache, &ask);
    ask = ask_of(data, 0, T(59));
    x_of(&got, cache, &ask);
    ck_assert_int_eq(data->loads, 1);
    ask = ask_of(data, 0, T(60));
    x_of(&got, cache, &ask);
    ck_assert_int_eq(data->loads, 2);
}
END_TEST

START_TEST(where_the_database_fails_the_last_one_is_given)
{
    static const apr_status_t fails[] = {DSAPI_EDBDOWN, DSAPI_EBUSY,
                                         DSAPI_ETIMEOUT};
    dsapi_cache_t *cache = dsapi_route_cache_make(1 << 20, g_pool);
    data_t *data = data_of(1);
    dsapi_series_ask_t ask = ask_of(data, 5, T(0));
    dsapi_series_got_t got;

    x_of(&got, cache, &ask);
    for (int i = 0; i < 3; i++) {
        data->fails = fails[i];
        ask = ask_of(data, 6, T(10));
        ck_assert_int_eq(x_of(&got, cache, &ask), 1);
        ck_assert_int_eq(got.instead, 1);
        ck_assert(got.as_of == T(0));
        ck_assert(got.stamp == 5);
    }
    ask = ask_of(data, 6, T(3700)); /* for so long */
    ck_assert_int_eq(x_of(&got, cache, &ask), -1);
    data->fails = DSAPI_EINTERNAL; /* not where the query is wrong */
    ask = ask_of(data, 6, T(10));
    ck_assert_int_eq(x_of(&got, cache, &ask), -1);
}
END_TEST

START_TEST(its_end_counts_from_when_it_was_last_right)
{
    dsapi_cache_t *cache = dsapi_route_cache_make(1 << 20, g_pool);
    data_t *data = data_of(1);
    dsapi_series_ask_t ask = ask_of(data, 5, T(0));
    dsapi_series_got_t got;

    x_of(&got, cache, &ask);
    data->fails = DSAPI_ETIMEOUT;
    ask = ask_of(data, 6, T(90000)); /* the first request for a day */
    ask.ask.before = 5;
    ask.ask.changed_at = T(89999);
    ck_assert_int_eq(x_of(&got, cache, &ask), 1);
    ck_assert_int_eq(got.instead, 1);
    ck_assert(got.as_of == T(89999));
    ask = ask_of(data, 7, T(93000)); /* it is noted */
    ck_assert_int_eq(x_of(&got, cache, &ask), 1);
    ck_assert(got.as_of == T(89999));
    ask = ask_of(data, 7, T(93700));
    ck_assert_int_eq(x_of(&got, cache, &ask), -1);
}
END_TEST

START_TEST(where_versions_cannot_be_verified_nothing_is_loaded)
{
    dsapi_cache_t *cache = dsapi_route_cache_make(1 << 20, g_pool);
    data_t *data = data_of(1);
    dsapi_series_ask_t ask = ask_of(data, 5, T(0));
    dsapi_series_got_t got;

    x_of(&got, cache, &ask);
    ask = ask_of(data, 5, T(1000));
    ask.ask.verified_at = T(990);
    ck_assert_int_eq(x_of(&got, cache, &ask), 1);
    ask = ask_of(data, 5, T(3000));
    ask.ask.verified_at = T(990);
    ck_assert_int_eq(x_of(&got, cache, &ask), 1);
    ck_assert_int_eq(got.instead, 0); /* the newest that is known */
    ck_assert(got.as_of == T(990));
    ck_assert_int_eq(data->loads, 1);
    ask.ask.key = "other"; /* but what there is no image of */
    ask.ask.key_bytes = 5;
    ck_assert_int_eq(x_of(&got, cache, &ask), 1);
    ck_assert_int_eq(data->loads, 2);
}
END_TEST

START_TEST(after_a_failure_nobody_tries_for_a_while)
{
    dsapi_cache_t *cache = dsapi_route_cache_make(1 << 20, g_pool);
    data_t *data = data_of(1);
    apr_time_t now = apr_time_now();
    dsapi_series_ask_t ask = ask_of(data, 5, now);
    dsapi_series_got_t got;

    x_of(&got, cache, &ask);
    data->fails = DSAPI_ETIMEOUT;
    ask = ask_of(data, 6, now);
    ck_assert_int_eq(x_of(&got, cache, &ask), 1);
    ck_assert_int_eq(data->loads, 2);
    ck_assert_int_eq(x_of(&got, cache, &ask), 1);
    ck_assert_int_eq(got.instead, 1);
    ck_assert_int_eq(data->loads, 2);
    data->fails = APR_SUCCESS;
    atomic_store(&data->value, 2);
    ask = ask_of(data, 6, apr_time_now() + DSAPI_SERIES_REST);
    ck_assert_int_eq(x_of(&got, cache, &ask), 2);
    ck_assert_int_eq(data->loads, 3);
}
END_TEST

START_TEST(one_that_is_too_large_is_given_all_the_same)
{
    dsapi_cache_t *cache = dsapi_route_cache_make(1024, g_pool);
    data_t *data = data_of(7);
    dsapi_series_ask_t ask = ask_of(data, 5, T(0));
    dsapi_series_got_t got;

    data->rows = 1000;
    ck_assert_int_eq(x_of(&got, cache, &ask), 7);
    ck_assert_int_eq(got.columns->nrows, 1000);
    ck_assert_int_eq(x_of(&got, cache, &ask), 7);
    ck_assert_int_eq(data->loads, 2);
}
END_TEST

/* ---- while another loads ---- */

/* A load that another test's thread leads, and holds up until it is told. */
typedef struct held_t {
    dsapi_cache_t *cache;
    data_t *data;
    dsapi_series_ask_t ask;
    _Atomic int begun;
    _Atomic int go;
    int x;
} held_t;

static apr_status_t load_held(const char **pimage, apr_size_t *pbytes,
                              dsapi_err_t **perr, void *baton)
{
    held_t *held = baton;

    atomic_store(&held->begun, 1);
    while (!atomic_load(&held->go)) {
        apr_thread_yield();
    }
    return load(pimage, pbytes, perr, held->data);
}

static void *APR_THREAD_FUNC lead(apr_thread_t *thread, void *baton)
{
    held_t *held = baton;
    dsapi_series_got_t got;
    dsapi_err_t *err;

    (void)thread;
    held->ask.load = load_held;
    held->ask.baton = held;
    if (dsapi_series_get(&got, &err, held->cache, &held->ask,
                         held->data->pool) == APR_SUCCESS) {
        held->x = (int)got.columns->measures[0].values[0];
    }
    return NULL;
}

/* Begins a load of version 6 behind version 5's image. */
static apr_thread_t *begin_load(held_t *held, data_t *data)
{
    apr_thread_t *thread;
    dsapi_series_ask_t ask = ask_of(data, 5, T(0));
    dsapi_series_got_t got;

    held->cache = dsapi_route_cache_make(1 << 20, g_pool);
    held->data = data_of(2);
    /* a root pool: the thread's own */
    apr_pool_create(&held->data->pool, NULL);
    held->ask = ask_of(NULL, 6, T(10));
    x_of(&got, held->cache, &ask);
    apr_thread_create(&thread, NULL, lead, held, g_scratch);
    while (!atomic_load(&held->begun)) {
        apr_thread_yield();
    }
    return thread;
}

START_TEST(the_one_before_is_given_while_another_loads)
{
    held_t held = {.cache = NULL};
    data_t *data = data_of(1);
    apr_thread_t *thread = begin_load(&held, data);
    dsapi_series_ask_t ask = ask_of(data, 6, T(10));
    dsapi_series_got_t got;
    apr_status_t rv;

    ask.ask.changed_at = T(10);
    ask.ask.before = 5;
    ck_assert_int_eq(x_of(&got, held.cache, &ask), 1);
    ck_assert(got.stamp == 5);
    ck_assert_int_eq(got.instead, 0);
    atomic_store(&held.go, 1);
    apr_thread_join(&rv, thread);
    apr_pool_destroy(held.data->pool);
    ck_assert_int_eq(held.x, 2);
    ck_assert_int_eq(x_of(&got, held.cache, &ask), 2);
    ck_assert_int_eq(data->loads, 1);
}
END_TEST

/* One who waits, until it is let go. */
static void *APR_THREAD_FUNC let_go(apr_thread_t *thread, void *baton)
{
    held_t *held = baton;
    dsapi_cache_stats_t stats;

    (void)thread;
    do {
        apr_thread_yield();
        dsapi_route_cache_stats(&stats, held->cache);
    } while (stats.waiting == 0);
    atomic_store(&held->go, 1);
    return NULL;
}

static void wait_for_load(apr_time_t changed_at, apr_uint64_t before, int waits)
{
    held_t held = {.cache = NULL};
    data_t *data = data_of(1);
    apr_thread_t *thread = begin_load(&held, data);
    dsapi_series_ask_t ask = ask_of(data, 6, T(10));
    dsapi_series_got_t got;
    apr_thread_t *other;
    apr_status_t rv;

    apr_thread_create(&other, NULL, let_go, &held, g_scratch);
    ask.ask.changed_at = changed_at;
    ask.ask.before = before;
    ask.waits = waits;
    ck_assert_int_eq(x_of(&got, held.cache, &ask), 2);
    apr_thread_join(&rv, thread);
    apr_thread_join(&rv, other);
    apr_pool_destroy(held.data->pool);
    ck_assert_int_eq(data->loads, 1);
}

START_TEST(who_must_not_have_the_one_before_waits)
{
    wait_for_load(T(10), 5, 1);
    wait_for_load(T(9), 5, 0);  /* it is too old */
    wait_for_load(T(20), 5, 0); /* or the clock was set back */
    wait_for_load(T(10), 4, 0); /* and so is what others came after */
    wait_for_load(0, 0, 0);
}
END_TEST

START_TEST(whose_wait_is_over_does_not_load_as_well)
{
    held_t held = {.cache = NULL};
    data_t *data = data_of(1);
    apr_thread_t *thread = begin_load(&held, data);
    dsapi_series_ask_t ask = ask_of(data, 6, T(10));
    dsapi_series_got_t got;
    dsapi_err_t *err;
    apr_status_t rv;

    ask.ask.wait = apr_time_from_msec(10);
    ck_assert_int_eq(dsapi_series_get(&got, &err, held.cache, &ask, g_pool),
                     APR_SUCCESS); /* there is the last one */
    ck_assert(got.stamp == 5);
    ck_assert_int_eq(got.instead, 1);
    ask.stale = 0;
    ask.ask.now = ask.ask.verified_at = T(100000);
    ck_assert_int_eq(dsapi_series_get(&got, &err, held.cache, &ask, g_pool),
                     DSAPI_EBUSY);
    ck_assert_str_eq(err->code, "database-busy");
    ck_assert_int_eq(err->retry_after_s, 1);
    ck_assert_int_eq(data->loads, 1);
    atomic_store(&held.go, 1);
    apr_thread_join(&rv, thread);
    apr_pool_destroy(held.data->pool);
    ck_assert_int_eq(held.x, 2);
}
END_TEST

/* ---- loads that are given away ---- */

/* Who gives a load away, or does it. */
typedef struct giver_t {
    dsapi_cache_t *cache;
    dsapi_series_threads_t *threads; /* NULL: nobody takes it */
    data_t *data;
    _Atomic int given; /* away */
    _Atomic int go;    /* 0: what was given away is held up */
} giver_t;

/* In the asking thread: nothing is held up. */
static apr_status_t load_here(const char **pimage, apr_size_t *pbytes,
                              dsapi_err_t **perr, void *baton)
{
    giver_t *giver = baton;

    return load(pimage, pbytes, perr, giver->data);
}

/* What a thread does with it. */
typedef struct given_t {
    giver_t *giver;
    data_t data; /* of its own */
} given_t;

static apr_status_t load_there(const char **pimage, apr_size_t *pbytes,
                               dsapi_err_t **perr, void *baton)
{
    given_t *given = baton;
    apr_status_t rv;

    while (!atomic_load(&given->giver->go)) {
        apr_thread_yield();
    }
    rv = load(pimage, pbytes, perr, &given->data);
    atomic_fetch_add(&given->giver->data->loads, 1);
    return rv;
}

static void load_behind(void *baton)
{
    dsapi_series_load_t *it = baton;
    dsapi_err_t *err;
    apr_status_t rv = dsapi_series_load(&err, it);

    ck_assert_int_eq(rv == APR_SUCCESS, err == NULL);
    apr_pool_destroy(it->pool);
}

static apr_status_t give(dsapi_series_load_t *it)
{
    giver_t *giver = it->ask.baton;
    given_t *given = apr_pcalloc(it->pool, sizeof(*given));

    if (!giver->threads) {
        return APR_EAGAIN;
    }
    given->giver = giver;
    given->data.pool = it->pool;
    given->data.rows = giver->data->rows;
    given->data.fails = giver->data->fails;
    atomic_store(&given->data.value, atomic_load(&giver->data->value));
    it->ask.load = load_there;
    it->ask.baton = given;
    atomic_fetch_add(&giver->given, 1);
    return dsapi_series_threads_run(giver->threads, load_behind, it);
}

/* Has version 5's image, and data of version 6. */
static giver_t *giver_of(apr_pool_t *threads_pool)
{
    giver_t *giver = apr_pcalloc(g_pool, sizeof(*giver));
    dsapi_series_ask_t ask;
    dsapi_series_got_t got;

    giver->cache = dsapi_route_cache_make(1 << 20, g_pool);
    giver->data = data_of(1);
    if (threads_pool) {
        giver->threads = dsapi_series_threads_make(2, threads_pool);
    }
    ask = ask_of(giver->data, 5, T(0));
    x_of(&got, giver->cache, &ask);
    atomic_store(&giver->data->value, 2);
    return giver;
}

/* Asks for version 6, which has just become known. */
static dsapi_series_ask_t ask_away(giver_t *giver)
{
    dsapi_series_ask_t ask = ask_of(NULL, 6, T(10));

    ask.ask.key = apr_pstrdup(g_scratch, "k");
    ask.ask.changed_at = T(10);
    ask.ask.before = 5;
    ask.load = load_here;
    ask.baton = giver;
    ask.later = give;
    return ask;
}

START_TEST(a_load_is_given_away_where_the_one_before_may_be_given)
{
    giver_t *giver = giver_of(g_scratch);
    dsapi_series_ask_t ask = ask_away(giver);
    dsapi_series_got_t got;

    for (int i = 0; i < 3; i++) { /* nobody waits, and one loads */
        ck_assert_int_eq(x_of(&got, giver->cache, &ask), 1);
        ck_assert(got.stamp == 5);
        ck_assert(got.as_of == T(10));
        ck_assert_int_eq(got.instead, 0);
    }
    atomic_store(&giver->go, 1);
    ask = ask_away(giver);
    ask.waits = 1; /* for that one */
    ck_assert_int_eq(x_of(&got, giver->cache, &ask), 2);
    ck_assert(got.stamp == 6);
    apr_pool_clear(g_scratch);
    ck_assert_int_eq(giver->given, 1);
    ck_assert_int_eq(giver->data->loads, 2);
}
END_TEST

START_TEST(what_nobody_takes_is_loaded_at_once)
{
    giver_t *giver = giver_of(NULL);
    dsapi_series_ask_t ask = ask_away(giver);
    dsapi_series_got_t got;

    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(x_of(&got, giver->cache, &ask), 2);
        ck_assert(got.stamp == 6);
    }
    ck_assert_int_eq(giver->data->loads, 2);
}
END_TEST

START_TEST(a_load_is_done_where_the_one_before_may_not_be_given)
{
    giver_t *giver = giver_of(g_scratch);
    dsapi_series_ask_t ask = ask_away(giver);
    dsapi_series_got_t got;

    ask.waits = 1;
    ck_assert_int_eq(x_of(&got, giver->cache, &ask), 2);
    ask = ask_away(giver);
    ask.ask.stamp = 7;
    ask.ask.before = 6;
    ask.ask.changed_at = T(10) - DSAPI_SERIES_GRACE;
    ck_assert_int_eq(x_of(&got, giver->cache, &ask), 2);
    ask.ask.stamp = 9; /* not of the one before */
    ask.ask.before = 8;
    ask.ask.changed_at = T(10);
    ck_assert_int_eq(x_of(&got, giver->cache, &ask), 2);
    ask.ask.key = "l"; /* nor is there any */
    ck_assert_int_eq(x_of(&got, giver->cache, &ask), 2);
    ck_assert_int_eq(giver->data->loads, 5);
    ck_assert_int_eq(giver->given, 0);
}
END_TEST

/* Commit upon commit: the image before the first of them is but a moment old,
 * whatever has come since. */
START_TEST(changes_that_follow_each_other_make_nobody_load)
{
    giver_t *giver = giver_of(g_scratch);
    dsapi_series_ask_t ask = ask_away(giver);
    dsapi_series_got_t got;

    ck_assert_int_eq(x_of(&got, giver->cache, &ask), 1);
    ask.ask.stamp = 7;
    ask.ask.before = 6;
    ask.ask.changed_at = T(10) + DSAPI_SERIES_GRACE / 2;
    ask.ask.now = ask.ask.verified_at = T(10) + DSAPI_SERIES_GRACE - 1;
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(x_of(&got, giver->cache, &ask), 1);
        ck_assert(got.stamp == 5);
        ck_assert(got.as_of == T(10));
        ck_assert_int_eq(got.instead, 0);
    }
    ck_assert_int_eq(giver->given, 2);
    ask.ask.stamp = 8;
    ask.ask.before = 7;
    ask.ask.now = ask.ask.verified_at = T(10) + DSAPI_SERIES_GRACE;
    ck_assert_int_eq(x_of(&got, giver->cache, &ask), 2);
    ck_assert_int_eq(giver->given, 2);
    atomic_store(&giver->go, 1);
    apr_pool_clear(g_scratch);
}
END_TEST

START_TEST(one_that_was_given_away_may_fail)
{
    giver_t *giver = giver_of(g_scratch);
    dsapi_series_ask_t ask = ask_away(giver);
    dsapi_series_got_t got;

    atomic_store(&giver->go, 1);
    ask.ask.now = ask.ask.verified_at = ask.ask.changed_at = apr_time_now();
    giver->data->fails = DSAPI_EDBDOWN;
    ck_assert_int_eq(x_of(&got, giver->cache, &ask), 1);
    ck_assert_int_eq(got.instead, 0);
    apr_pool_clear(g_scratch); /* it has been done */
    giver->threads = NULL;
    ask.ask.key = "k";
    ck_assert_int_eq(x_of(&got, giver->cache, &ask), 1);
    ck_assert_int_eq(got.instead, 1);
    ck_assert_int_eq(giver->data->loads, 2); /* nobody has tried again */
    giver->data->fails = APR_SUCCESS;
    ask.ask.now += DSAPI_SERIES_REST + apr_time_from_sec(60);
    ask.ask.verified_at = ask.ask.now;
    ck_assert_int_eq(x_of(&got, giver->cache, &ask), 2);
}
END_TEST

/* ---- a mixed load ---- */

#define THREADS 8
#define ROUNDS  400
#define KEYS    26

typedef struct mix_t {
    dsapi_cache_t *cache;
    dsapi_series_threads_t *threads;
    _Atomic apr_uint64_t version; /* of all keys; x is it */
    _Atomic int wrong;
    _Atomic int reads;
    _Atomic int given; /* away */
} mix_t;

typedef struct turn_t {
    mix_t *mix;
    data_t data;
} turn_t;

/* What was committed by now; the version that was asked for, or newer. */
static apr_status_t load_mixed(const char **pimage, apr_size_t *pbytes,
                               dsapi_err_t **perr, void *baton)
{
    turn_t *turn = baton;

    atomic_store(&turn->data.value, (int)atomic_load(&turn->mix->version));
    return load(pimage, pbytes, perr, &turn->data);
}

static apr_status_t give_mixed(dsapi_series_load_t *it)
{
    turn_t *turn = apr_pmemdup(it->pool, it->ask.baton, sizeof(*turn));

    turn->data.pool = it->pool;
    it->ask.baton = turn;
    atomic_fetch_add(&turn->mix->given, 1);
    return dsapi_series_threads_run(turn->mix->threads, load_behind, it);
}

static void read_one(mix_t *mix, int n, apr_pool_t *pool)
{
    turn_t turn = {.mix = mix, .data = {.rows = 1 + n % 50, .pool = pool}};
    char key[] = {'k', (char)('a' + n % KEYS)};
    dsapi_series_ask_t ask =
        ask_of(NULL, atomic_load(&mix->version), apr_time_now());
    const dsapi_columns_t *c;
    dsapi_series_got_t got;
    dsapi_err_t *err;

    ask.load = load_mixed;
    ask.later = give_mixed;
    ask.baton = &turn;
    ask.ask.key = key;
    ask.ask.key_bytes = 2;
    ask.ask.changed_at = n % 3 ? ask.ask.now : 0;
    ask.ask.before = ask.ask.stamp - 1;
    ask.waits = n % 2;
    if (n % 17 == 0) {
        turn.data.fails = DSAPI_EDBDOWN;
    }
    if (dsapi_series_get(&got, &err, mix->cache, &ask, pool) != APR_SUCCESS) {
        return; /* of this load, or of one that it waited for */
    }
    atomic_fetch_add(&mix->reads, 1);
    c = got.columns;
    for (int i = 0; i < c->nrows; i++) {
        /* all rows are of one version, and no older than was asked for */
        if (c->measures[0].values[i] != c->measures[0].values[0] ||
            (got.stamp == ask.ask.stamp && !got.instead &&
             c->measures[0].values[i] < (double)ask.ask.stamp)) {
            atomic_fetch_add(&mix->wrong, 1);
        }
    }
}

static void *APR_THREAD_FUNC mixed(apr_thread_t *thread, void *baton)
{
    mix_t *mix = baton;
    apr_pool_t *pool;

    (void)thread;
    apr_pool_create(&pool, NULL);
    for (int i = 0; i < ROUNDS; i++) {
        if (i % 20 == 0) {
            atomic_fetch_add(&mix->version, 1);
        }
        read_one(mix, i, pool);
        apr_pool_clear(pool);
    }
    apr_pool_destroy(pool);
    return NULL;
}

START_TEST(reads_loads_and_evictions_get_along)
{
    mix_t mix = {.cache = dsapi_route_cache_make(16384, g_pool),
                 .threads = dsapi_series_threads_make(2, g_scratch)};
    apr_thread_t *threads[THREADS];
    dsapi_cache_stats_t stats;
    apr_status_t rv;

    atomic_store(&mix.version, 1);
    for (int i = 0; i < THREADS; i++) {
        apr_thread_create(&threads[i], NULL, mixed, &mix, g_pool);
    }
    for (int i = 0; i < THREADS; i++) {
        apr_thread_join(&rv, threads[i]);
    }
    apr_pool_clear(g_scratch);
    dsapi_route_cache_stats(&stats, mix.cache);
    ck_assert_int_eq(mix.wrong, 0);
    ck_assert_int_gt(mix.given, 0);
    ck_assert_int_gt(mix.reads, ROUNDS);
    ck_assert_uint_gt(stats.evicted, 0);
    ck_assert_uint_le(stats.bytes, 16384);
    ck_assert_uint_eq(stats.waiting, 0);
}
END_TEST

UNIT_SUITE(series_store, a_series_is_loaded_once_for_a_version,
           without_a_version_it_is_loaded_anew_after_its_life,
           where_the_database_fails_the_last_one_is_given,
           its_end_counts_from_when_it_was_last_right,
           where_versions_cannot_be_verified_nothing_is_loaded,
           after_a_failure_nobody_tries_for_a_while,
           one_that_is_too_large_is_given_all_the_same,
           the_one_before_is_given_while_another_loads,
           who_must_not_have_the_one_before_waits,
           whose_wait_is_over_does_not_load_as_well,
           a_load_is_given_away_where_the_one_before_may_be_given,
           what_nobody_takes_is_loaded_at_once,
           a_load_is_done_where_the_one_before_may_not_be_given,
           changes_that_follow_each_other_make_nobody_load,
           one_that_was_given_away_may_fail,
           reads_loads_and_evictions_get_along)
