/* route/cache: answers that live as long as the versions of their data. */
#include <apr_strings.h>

#include "route/cache.h"
#include "unit/unit.h"

#define T(s) apr_time_from_sec(1000 + (s))
#define OLD  APR_UINT64_C(7)
#define NEW  APR_UINT64_C(3)

static dsapi_cache_t *a_cache(void)
{
    dsapi_cache_t *cache = dsapi_route_cache_make(65536, g_pool);

    ck_assert_ptr_nonnull(cache);
    return cache;
}

static dsapi_cache_ask_t ask_of(apr_uint64_t stamp, apr_time_t now,
                                apr_time_t verified_at)
{
    dsapi_cache_ask_t ask = {"k", 1, now, 0, stamp, verified_at, 0, 0};

    return ask;
}

/* The duty to answer an ask, until pool ends. */
static dsapi_cache_lead_t *lead(dsapi_cache_t *cache,
                                const dsapi_cache_ask_t *ask, apr_pool_t *pool)
{
    const dsapi_cache_entry_t *entry;
    dsapi_cache_lead_t *lead;
    dsapi_err_t *err;

    ck_assert_int_eq(
        dsapi_route_cache_get(&entry, &lead, &err, cache, ask, pool),
        DSAPI_CACHE_LEAD);
    return lead;
}

/* Fresh for 10 s, had for 30 s. */
static const dsapi_cache_entry_t *put(dsapi_cache_lead_t *lead,
                                      const char *body, apr_time_t made)
{
    dsapi_cache_answer_t answer = {.body = body,
                                   .body_bytes = strlen(body),
                                   .content_type = "a/b",
                                   .made = made,
                                   .fresh_until = made + apr_time_from_sec(10),
                                   .stale_until = made + apr_time_from_sec(30)};

    return dsapi_route_cache_put(lead, &answer);
}

static void fill(dsapi_cache_t *cache, apr_uint64_t stamp, const char *body,
                 apr_time_t made)
{
    dsapi_cache_ask_t ask = ask_of(stamp, made, made);
    apr_pool_t *pool;

    apr_pool_create(&pool, NULL);
    put(lead(cache, &ask, pool), body, made);
    apr_pool_destroy(pool);
}

/* What is had: a body; "-": it is to be computed. */
static const char *had(dsapi_cache_t *cache, apr_uint64_t stamp, apr_time_t now,
                       apr_time_t verified_at)
{
    dsapi_cache_ask_t ask = ask_of(stamp, now, verified_at);
    const dsapi_cache_entry_t *entry;
    dsapi_cache_lead_t *duty;
    const char *text = "-";
    dsapi_err_t *err;
    apr_pool_t *pool;

    apr_pool_create(&pool, NULL);
    if (dsapi_route_cache_get(&entry, &duty, &err, cache, &ask, pool) ==
        DSAPI_CACHE_HIT) {
        text = apr_pstrmemdup(g_pool, entry->body, entry->body_bytes);
    }
    apr_pool_destroy(pool);
    return text;
}

static const char *stale(dsapi_cache_t *cache, apr_uint64_t stamp,
                         apr_time_t now, apr_time_t verified_at)
{
    dsapi_cache_ask_t ask = ask_of(stamp, now, verified_at);
    const dsapi_cache_entry_t *entry =
        dsapi_route_cache_stale(cache, &ask, g_pool);

    return entry ? apr_pstrmemdup(g_pool, entry->body, entry->body_bytes) : "-";
}

START_TEST(an_entry_lives_while_its_stamp_is_verified)
{
    dsapi_cache_t *cache = a_cache();

    fill(cache, OLD, "one", T(0));
    ck_assert_str_eq(had(cache, OLD, T(5), T(5)), "one");
    ck_assert_str_eq(had(cache, OLD, T(5000), T(5000)), "one");
    /* from when it was verified last, it has its own time */
    ck_assert_str_eq(had(cache, OLD, T(5009), T(5000)), "one");
    ck_assert_str_eq(had(cache, OLD, T(5010), T(5000)), "-");
    ck_assert_str_eq(stale(cache, OLD, T(5029), T(5000)), "one");
    ck_assert_str_eq(stale(cache, OLD, T(5030), T(5000)), "-");
    /* without, from when it was made */
    fill(cache, NEW, "two", T(6000));
    ck_assert_str_eq(had(cache, NEW, T(6009), 0), "two");
    ck_assert_str_eq(had(cache, NEW, T(6010), 0), "-");
    ck_assert_str_eq(had(cache, NEW, T(6010), T(5999)), "-");
}
END_TEST

START_TEST(without_a_stamp_nothing_is_verified)
{
    dsapi_cache_t *cache = a_cache();

    fill(cache, 0, "one", T(0));
    ck_assert_str_eq(had(cache, 0, T(9), T(9)), "one");
    ck_assert_str_eq(had(cache, 0, T(10), T(10)), "-");
}
END_TEST

START_TEST(the_age_is_since_the_verification)
{
    dsapi_cache_t *cache = a_cache();
    dsapi_cache_ask_t ask = ask_of(OLD, T(0), T(0));
    const dsapi_cache_entry_t *entry =
        put(lead(cache, &ask, g_pool), "one", T(0));

    ck_assert(entry->stamp == OLD);
    ask.verified_at = T(-5);
    ck_assert(dsapi_route_cache_as_of(entry, &ask) == T(0));
    ask = ask_of(NEW, T(9), T(9)); /* which is another's */
    ck_assert(dsapi_route_cache_as_of(entry, &ask) == T(0));
    ask = ask_of(OLD, T(5), T(5));
    ck_assert(dsapi_route_cache_as_of(entry, &ask) == T(5));
    ask = ask_of(NEW, T(9), T(9)); /* it is noted */
    ck_assert(dsapi_route_cache_as_of(entry, &ask) == T(5));
    ask.before = OLD; /* until a change */
    ask.changed_at = T(7);
    ck_assert(dsapi_route_cache_as_of(entry, &ask) == T(7));
}
END_TEST

START_TEST(another_stamp_is_another_answer)
{
    dsapi_cache_t *cache = a_cache();
    dsapi_cache_stats_t stats;

    fill(cache, OLD, "one", T(0));
    ck_assert_str_eq(had(cache, NEW, T(1), T(1)), "-");
    ck_assert_str_eq(stale(cache, NEW, T(1), T(1)), "one");
    ck_assert_str_eq(stale(cache, NEW, T(30), T(30)), "-");
    fill(cache, NEW, "two", T(2));
    ck_assert_str_eq(had(cache, NEW, T(3), T(3)), "two");
    ck_assert_str_eq(had(cache, OLD, T(3), T(3)), "-");
    dsapi_route_cache_stats(&stats, cache);
    ck_assert_uint_eq(stats.entries, 1);
    ck_assert_uint_eq(stats.evicted, 0);
}
END_TEST

/* A leader of the old stamp is overtaken by one of the new. */
START_TEST(each_stamp_has_its_leader)
{
    dsapi_cache_t *cache = a_cache();
    dsapi_cache_ask_t old = ask_of(OLD, T(0), T(0));
    dsapi_cache_ask_t new = ask_of(NEW, T(1), T(1));
    dsapi_cache_lead_t *first = lead(cache, &old, g_pool);
    dsapi_cache_lead_t *second = lead(cache, &new, g_pool);
    const dsapi_cache_entry_t *entry;
    dsapi_cache_lead_t *third;
    dsapi_cache_stats_t stats;
    dsapi_err_t *err;

    ck_assert_int_eq(
        dsapi_route_cache_get(&entry, &third, &err, cache, &new, g_pool),
        DSAPI_CACHE_WAITED);
    put(second, "two", T(1));
    /* the late answer goes to who asked, and is not kept */
    ck_assert_mem_eq(put(first, "one", T(0))->body, "one", 3);
    ck_assert_str_eq(had(cache, OLD, T(2), T(2)), "-");
    ck_assert_str_eq(had(cache, NEW, T(2), T(2)), "two");
    dsapi_route_cache_stats(&stats, cache);
    ck_assert_uint_eq(stats.entries, 1);
}
END_TEST

/* By the clock, what is made now was made before what there is. */
START_TEST(a_clock_set_back_keeps_no_new_answer_out)
{
    dsapi_cache_t *cache = a_cache();
    dsapi_cache_stats_t stats;

    fill(cache, OLD, "one", T(0));
    fill(cache, NEW, "two", T(-900));
    ck_assert_str_eq(had(cache, NEW, T(-899), T(-899)), "two");
    dsapi_route_cache_stats(&stats, cache);
    ck_assert_uint_eq(stats.entries, 1);
}
END_TEST

UNIT_SUITE(route_cache_stamps, an_entry_lives_while_its_stamp_is_verified,
           without_a_stamp_nothing_is_verified,
           the_age_is_since_the_verification, another_stamp_is_another_answer,
           each_stamp_has_its_leader, a_clock_set_back_keeps_no_new_answer_out)
