/* source/keeper: ticks of schedules, each once; and the SQL they go by. */
#include "source/keeper.h"

#include <apr_strings.h>

#include "source/queue.h"
#include "unit/pg.h"
#include "unit/unit.h"

static pg_t *queue_only(void)
{
    pg_t *pg = pg_open();

    pg_apply(pg, "core/schema.sql");
    return pg;
}

/** A source s/a with a date and a number. */
static dsapi_source_t *make_source(void)
{
    static const char *const declarations[] = {"day date required", "n int "
                                                                    "default="
                                                                    "1"};
    apr_array_header_t *params = apr_array_make(g_pool, 2, sizeof(void *));
    dsapi_source_t *source = apr_pcalloc(g_pool, sizeof(*source));

    for (int i = 0; i < 2; i++) {
        apr_array_header_t *args;
        dsapi_param_t *param;
        dsapi_err_t *err;

        dsapi_base_args_parse(&args, &err, declarations[i], g_pool);
        dsapi_route_param_parse(&param, &err, args, g_pool);
        param->in = DSAPI_IN_BODY;
        APR_ARRAY_PUSH(params, dsapi_param_t *) = param;
    }
    source->name = "s/a";
    source->params = params;
    source->retry.attempts = 3;
    source->store_timeout = apr_time_from_sec(5);
    source->job_keep = apr_time_from_sec(86400);
    source->schedules = apr_array_make(g_pool, 2, sizeof(void *));
    return source;
}

/** One more schedule of a source. @param each  NULL: none */
static void add_schedule(dsapi_source_t *source, const char *rule,
                         const char *args, const char *each)
{
    dsapi_schedule_t *schedule = apr_pcalloc(g_pool, sizeof(*schedule));
    apr_array_header_t *words;
    dsapi_err_t *err;

    dsapi_base_args_parse(&words, &err, args, g_pool);
    schedule->name = apr_pstrcat(g_pool, "s/a: ", rule, " ", args, NULL);
    schedule->source = source;
    ck_assert_int_eq(dsapi_schedule_rule(&schedule->rule, &err, rule, g_pool),
                     APR_SUCCESS);
    schedule->zone = "Europe/Madrid";
    schedule->args = words;
    schedule->each = each ? dsapi_sql_literal(each, 0, g_pool) : NULL;
    *(dsapi_schedule_t **)apr_array_push(
        (apr_array_header_t *)(apr_uintptr_t)source->schedules) = schedule;
}

/** What a worker has. */
typedef struct hand_t {
    dsapi_link_t *link;
    dsapi_keeper_t *keeper;
} hand_t;

static hand_t make_hand(const pg_t *pg, dsapi_source_t *source)
{
    apr_array_header_t *sources = apr_array_make(g_pool, 1, sizeof(void *));
    hand_t hand;
    const char *why;
    apr_status_t rv;

    APR_ARRAY_PUSH(sources, dsapi_source_t *) = source;
    hand.link = dsapi_link_make(pg->conninfo, 1, g_pool);
    hand.keeper = dsapi_keeper_make(sources, g_pool);
    while ((rv = dsapi_link_connect(&why, hand.link)) == APR_EINPROGRESS) {
        apr_sleep(1000);
    }
    ck_assert_int_eq(rv, APR_SUCCESS);
    return hand;
}

/** Runs what is due, a batch. @return "3", "failed: ...", or "" */
static const char *step(hand_t *hand)
{
    apr_pool_t *pool = dsapi_link_begin(hand->link);
    apr_interval_time_t limit =
        dsapi_keeper_fill(hand->keeper, hand->link, pool);
    dsapi_keeper_news_t news = {0};
    const char *why;
    dsapi_rows_t *rows;
    dsapi_err_t *err;
    apr_status_t rv;

    ck_assert_int_eq(dsapi_link_send(&why, hand->link, limit), APR_SUCCESS);
    while ((rv = dsapi_link_poll(&rows, &err, &why, hand->link)) ==
           APR_EINPROGRESS) {
        apr_sleep(1000);
    }
    if (rv == APR_SUCCESS) {
        dsapi_keeper_take(&news, hand->keeper, rows, pool);
    }
    else {
        ck_assert_int_eq(dsapi_keeper_fail(hand->keeper, err), 0);
    }
    if (!dsapi_keeper_busy(hand->keeper) &&
        !dsapi_db_idle(dsapi_link_db(hand->link))) { /* as the worker does */
        pool = dsapi_link_begin(hand->link);
        dsapi_queue_rollback(dsapi_link_call(hand->link), pool);
        dsapi_link_send(&why, hand->link, limit);
        while (dsapi_link_poll(&rows, &err, &why, hand->link) ==
               APR_EINPROGRESS) {
            apr_sleep(1000);
        }
    }
    if (!news.schedule) {
        return "";
    }
    return apr_pstrcat(g_pool, news.failed ? "failed: " : "", news.text, NULL);
}

/** Runs all that is due now. @return the news, with blanks between */
static const char *run(hand_t *hand)
{
    const char *text = "";

    while (dsapi_keeper_due(hand->keeper) <= dsapi_link_clock()) {
        const char *news = step(hand);

        text = apr_pstrcat(g_pool, text, *text && *news ? " " : "", news, NULL);
    }
    return text;
}

static const char *jobs(const pg_t *pg)
{
    return pg_value(pg, "SELECT coalesce(string_agg(params->>'n', ',' ORDER BY "
                        "params->>'n'), '') FROM dsapi.job");
}

START_TEST(a_tick_makes_its_job_once)
{
    pg_t *pg = queue_only();
    dsapi_source_t *source = make_source();
    hand_t a;
    hand_t b;

    add_schedule(source, "every 1h", "day=today-1d n=1", NULL);
    add_schedule(source, "cron 0 0 1 1 *", "day=today n=2", NULL);
    a = make_hand(pg, source);
    b = make_hand(pg, source);
    /* both know of it before either has run */
    ck_assert_str_eq(step(&a), "");
    ck_assert_str_eq(step(&b), "");
    ck_assert_str_eq(run(&a), "1");
    ck_assert_str_eq(run(&b), "");
    ck_assert_str_eq(jobs(pg), "1");
    ck_assert_str_eq(pg_value(pg, "SELECT params->>'day' = ((now() AT TIME "
                                  "ZONE 'Europe/Madrid')::date - 1)::text "
                                  "FROM dsapi.job"),
                     "t");
    /* five hours nobody was here: that is one tick */
    pg_value(pg, "DELETE FROM dsapi.job");
    pg_value(pg, "UPDATE dsapi.schedule SET next_at = now() - "
                 "'5h 10min'::interval WHERE rule ? 'every'");
    a = make_hand(pg, source);
    ck_assert_str_eq(run(&a), "1");
    ck_assert_str_eq(jobs(pg), "1");
    ck_assert_str_eq(pg_value(pg, "SELECT next_at - now() BETWEEN '49min' AND "
                                  "'51min' FROM dsapi.schedule WHERE rule ? "
                                  "'every'"),
                     "t");
}
END_TEST

START_TEST(a_tick_under_way_is_left_to_its_owner)
{
    pg_t *pg = queue_only();
    dsapi_source_t *source = make_source();
    hand_t a;
    hand_t b;

    add_schedule(source, "every 1h", "day=today",
                 "SELECT i AS n FROM "
                 "generate_series(1, 3) i");
    a = make_hand(pg, source);
    b = make_hand(pg, source);
    step(&a);
    step(&b);
    step(&a); /* its tick is taken, and the transaction open */
    ck_assert_int_eq(dsapi_keeper_busy(a.keeper), 1);
    ck_assert_str_eq(run(&b), "");
    ck_assert_str_eq(jobs(pg), "");
    ck_assert_str_eq(run(&a), "3");
    ck_assert_str_eq(jobs(pg), "1,2,3");
}
END_TEST

START_TEST(a_tick_that_fails_is_told_once_and_not_lost)
{
    pg_t *pg = queue_only();
    dsapi_source_t *source = make_source();
    hand_t a;

    pg_value(pg, "CREATE TABLE place (n text)");
    pg_value(pg, "INSERT INTO place VALUES ('5'), ('many')");
    add_schedule(source, "every 1h", "day=today",
                 "SELECT n FROM place ORDER BY n");
    a = make_hand(pg, source);
    ck_assert_str_eq(run(&a), "failed: row 2: 'n' must be a whole number "
                              "from -2147483648 to 2147483647");
    ck_assert_str_eq(jobs(pg), "");
    /* a minute later */
    pg_value(pg, "UPDATE dsapi.schedule SET retry_at = now()");
    a = make_hand(pg, source);
    ck_assert_str_eq(run(&a), "");
    pg_value(pg, "UPDATE dsapi.schedule SET retry_at = now()");
    pg_value(pg, "DELETE FROM place WHERE n = 'many'");
    a = make_hand(pg, source);
    ck_assert_str_eq(run(&a), "1");
    ck_assert_str_eq(jobs(pg), "5");
    /* the next tick's error is new */
    pg_value(pg, "DROP TABLE place");
    pg_value(pg, "UPDATE dsapi.schedule SET next_at = now()");
    a = make_hand(pg, source);
    ck_assert_ptr_nonnull(strstr(run(&a), "failed: SQLSTATE 42P01"));
}
END_TEST

START_TEST(a_schedule_that_nobody_has_goes)
{
    pg_t *pg = queue_only();
    dsapi_source_t *source = make_source();
    hand_t a;

    add_schedule(source, "every 1h", "day=today", NULL);
    a = make_hand(pg, source);
    run(&a);
    pg_value(pg, "INSERT INTO dsapi.schedule (name, rule, zone, next_at, "
                 "seen_at) SELECT 'x: ' || i, '{\"every\":1}', 'UTC', now() + "
                 "'1h', now() - i * '6min'::interval FROM "
                 "generate_series(1, 2) i");
    pg_value(pg, "UPDATE dsapi.schedule SET seen_at = now() - '1d'::interval "
                 "WHERE name LIKE 's/a%%'");
    a = make_hand(pg, source);
    run(&a);
    ck_assert_str_eq(pg_value(pg, "SELECT string_agg(name, ',' ORDER BY name) "
                                  "FROM dsapi.schedule"),
                     "s/a: every 1h day=today,x: 1");
    ck_assert_str_eq(pg_value(pg, "SELECT min(now() - seen_at) < '5s' FROM "
                                  "dsapi.schedule"),
                     "t");
}
END_TEST

/* rule, zone, after, next; summer time of Madrid: 31 March to 27 October */
static const char *const ticks[][4] = {
    {"cron 0 6 * * *", "UTC", "2024-03-01 05:59:59+00", "2024-03-01 06:00:00"},
    {"cron 0 6 * * *", "UTC", "2024-03-01 06:00:00+00", "2024-03-02 06:00:00"},
    {"cron 0 6 * * *", "Europe/Madrid", "2024-03-30 12:00+00",
     "2024-03-31 04:00:00"},
    {"cron 0 6 * * *", "Europe/Madrid", "2024-10-26 12:00+00",
     "2024-10-27 05:00:00"},
    {"cron 30 2 * * *", "Europe/Madrid", "2024-03-30 12:00+00",
     "2024-03-31 01:30:00"}, /* there is no 02:30: it is 03:30 */
    {"cron 30 2 * * *", "Europe/Madrid", "2024-10-26 12:00+00",
     "2024-10-27 01:30:00"}, /* the second 02:30 */
    {"cron 30 2 * * *", "Europe/Madrid", "2024-10-27 01:30+00",
     "2024-10-28 01:30:00"},
    {"cron 30 * * * *", "Europe/Madrid", "2024-03-31 00:30+00",
     "2024-03-31 01:30:00"},
    {"cron 30 * * * *", "Europe/Madrid", "2024-03-31 01:30+00",
     "2024-03-31 02:30:00"},
    {"cron 30 * * * *", "Europe/Madrid", "2024-10-26 23:30+00",
     "2024-10-27 00:30:00"}, /* each hour: both 02:30 */
    {"cron 30 * * * *", "Europe/Madrid", "2024-10-27 00:30+00",
     "2024-10-27 01:30:00"},
    {"cron 30 * * * *", "Europe/Madrid", "2024-10-27 01:30+00",
     "2024-10-27 02:30:00"},
    {"cron 45 * * * *", "Australia/Lord_Howe", "2024-04-06 14:00+00",
     "2024-04-06 14:45:00"}, /* half an hour is there twice */
    {"cron 45 * * * *", "Australia/Lord_Howe", "2024-04-06 14:45+00",
     "2024-04-06 15:15:00"},
    {"cron 0 0 29 2 *", "UTC", "2024-03-01 00:00+00", "2028-02-29 00:00:00"},
    {"cron 0 0 29 2 *", "UTC", "2096-03-01 00:00+00", "2104-02-29 00:00:00"},
    {"cron 0 0 31 * *", "UTC", "2024-01-31 00:00+00", "2024-03-31 00:00:00"},
    {"cron 0 0 13 * fri", "UTC", "2024-09-10 00:00+00", "2024-09-13 00:00:00"},
    {"cron 0 0 13 * mon", "UTC", "2024-09-13 00:00+00", "2024-09-16 00:00:00"},
    {"cron */20 9-10 * * mon-fri", "UTC", "2024-09-13 10:40+00",
     "2024-09-16 09:00:00"},
    {"cron 15,45 0 1 1 *", "Asia/Kathmandu", "2023-12-31 18:30+00",
     "2023-12-31 19:00:00"},
    {"@hourly", "Asia/Kathmandu", "2024-01-01 00:00+00", "2024-01-01 00:15:00"},
    {"every 6h", "UTC", "2024-01-02 05:00+00", "2024-01-02 06:00:00"},
    {"every 7h", "UTC", "2024-01-01 00:00+00", "2024-01-01 07:00:00"},
    {"every 1s", "UTC", "2024-01-01 00:00:01.5+00", "2024-01-01 00:00:02"},
};

START_TEST(next_ticks)
{
    pg_t *pg = queue_only();

    pg_value(pg, "SET TIME ZONE 'UTC'");
    for (size_t i = 0; i < sizeof(ticks) / sizeof(ticks[0]); i++) {
        const char *rule;
        dsapi_err_t *err;

        ck_assert_int_eq(dsapi_schedule_rule(&rule, &err, ticks[i][0], g_pool),
                         APR_SUCCESS);
        ck_assert_msg(strcmp(pg_value(pg,
                                      "SELECT dsapi.next_tick('%s', '%s', "
                                      "'2024-01-01 "
                                      "00:00+00', '%s')::timestamp::text",
                                      rule, ticks[i][1], ticks[i][2]),
                             ticks[i][3]) == 0,
                      "%s after %s is not %s", ticks[i][0], ticks[i][2],
                      ticks[i][3]);
    }
}
END_TEST

UNIT_SUITE(source_keeper, a_tick_makes_its_job_once,
           a_tick_under_way_is_left_to_its_owner,
           a_tick_that_fails_is_told_once_and_not_lost,
           a_schedule_that_nobody_has_goes, next_ticks)
