/* src/source/worker.c with a real database and real HTTP: the way
 * of a job. What breaks on the way: test_source_worker_faults.c. */
#include <apr_strings.h>
#include <libpq-fe.h>
#include <malloc.h>
#include <time.h>

#include "unit/rig.h"
#include "unit/unit.h"

START_TEST(job_is_fetched_stored_and_finished)
{
    rig_t *rig = rig_make(0);
    hand_t *hand = hire(rig);

    answer_always(rig);
    enqueue(rig, "a b/ż", 3);
    drive(rig, "succeeded", STATE);
    ck_assert_str_eq(job_of(rig), "succeeded 1");
    ck_assert_str_eq(pg_value(rig->pg, "SELECT key || body FROM stored"), "a "
                                                                          "b/"
                                                                          "ż[1,"
                                                                          " 2, "
                                                                          "3]");
    ck_assert_str_eq(pg_value(rig->pg, "SELECT result FROM dsapi.job"),
                     "{\"rows\":1,\"of\":{\"key\":\"a b/ż\"}}");
    ck_assert_ptr_nonnull(strstr(stub_ask(rig->stub, "GET", "/_stub/log", ""),
                                 "/x/a%20b%2F%C5%BC"));
    drive_told(rig, hand, DSAPI_EVENT_SUCCEEDED, 1);
    ck_assert_int_eq(hand->told[DSAPI_EVENT_CONNECTED], 1);
    ck_assert_int_eq(hand->told[DSAPI_EVENT_CLAIMED], 1);
    ck_assert_int_eq(hand->told[DSAPI_EVENT_QUEUE], 0);
    ck_assert_str_eq(pg_value(rig->pg, "SELECT (lease_token IS NULL AND "
                                       "lease_until IS NULL "
                                       "AND finished_at >= started_at)::text "
                                       "FROM dsapi.job"),
                     "true");
}
END_TEST

START_TEST(other_sources_are_left_alone)
{
    rig_t *rig = rig_make(0);

    hire(rig);
    answer_always(rig);
    pg_value(rig->pg, "SELECT dsapi.enqueue('t/other', '{\"key\":\"a\"}', 3)");
    enqueue(rig, "b", 3);
    drive(rig, "succeeded", STATE);
    ck_assert_str_eq(pg_value(rig->pg, "SELECT state FROM dsapi.job "
                                       "WHERE source = 't/other'"),
                     "queued");
}
END_TEST

START_TEST(two_workers_share_fifty_jobs)
{
    rig_t *rig = rig_make(0);
    hand_t *a = hire(rig);
    hand_t *b = hire(rig);

    answer_always(rig);
    enqueue_many(rig, 50);
    drive(rig, "50",
          "SELECT count(*) FROM dsapi.job "
          "WHERE state = 'succeeded' AND attempts = 1");
    drive_for(rig, apr_time_from_msec(100));
    ck_assert_str_eq(pg_value(rig->pg, "SELECT count(*) || ' ' || "
                                       "count(DISTINCT key) FROM stored"),
                     "50 50");
    ck_assert_int_eq(
        a->told[DSAPI_EVENT_SUCCEEDED] + b->told[DSAPI_EVENT_SUCCEEDED], 50);
    ck_assert_int_gt(a->told[DSAPI_EVENT_SUCCEEDED], 0);
    ck_assert_int_gt(b->told[DSAPI_EVENT_SUCCEEDED], 0);
    ck_assert_ptr_nonnull(
        strstr(stub_ask(rig->stub, "GET", "/_stub/health", ""), "\"requests\":"
                                                                "50"));
}
END_TEST

START_TEST(retry_in_seconds_needs_no_poll)
{
    rig_t *rig = rig_make(0);
    hand_t *hand = hire(rig);
    hand_t *other = hire(rig);

    stub_answer(rig->stub, "{\"status\":503,\"headers\":{\"Retry-After\":\"3\"}"
                           "}");
    answer_always(rig);
    enqueue(rig, "a", 3);
    while (hand->told[DSAPI_EVENT_RETRY] + other->told[DSAPI_EVENT_RETRY] < 1) {
        turn(rig);
    }
    if (other->told[DSAPI_EVENT_RETRY]) {
        hand = other;
    }
    fire(hand); /* who else has heard of it asks the queue */
    drive(rig, "succeeded", STATE);
    ck_assert_str_eq(pg_value(rig->pg, "SELECT (finished_at - queued_at "
                                       "BETWEEN '3s' AND "
                                       "'8s')::text FROM dsapi.job"),
                     "true");
}
END_TEST

START_TEST(refused_store_fails_with_its_message)
{
    rig_t *rig = rig_make(0);
    hand_t *hand = hire(rig);

    pg_value(rig->pg, "CREATE FUNCTION refuse() RETURNS int LANGUAGE plpgsql "
                      "AS $$BEGIN RAISE EXCEPTION 'no such region'; END$$");
    rig->source.store = store_of("INSERT INTO stored VALUES (:key, :body); "
                                 "SELECT refuse()");
    answer_always(rig);
    enqueue(rig, "a", 3);
    drive(rig, "failed", STATE);
    ck_assert_str_eq(job_of(rig), "failed 1 no such region");
    ck_assert_str_eq(stored(rig), "0");
    ck_assert_int_eq(hand->told[DSAPI_EVENT_QUEUE], 0);
}
END_TEST

START_TEST(broken_store_fails_and_is_told)
{
    rig_t *rig = rig_make(0);
    hand_t *hand = hire(rig);

    rig->source.store = store_of("INSERT INTO stored VALUES (:key, :body); "
                                 "SELECT nonsense()");
    answer_always(rig);
    enqueue(rig, "a", 3);
    drive(rig, "failed", STATE);
    ck_assert_str_eq(pg_value(rig->pg, "SELECT attempts FROM dsapi.job"), "1");
    ck_assert_ptr_nonnull(strstr(job_of(rig), "42883"));
    ck_assert_ptr_null(strstr(job_of(rig), "nonsense"));
    ck_assert_str_eq(stored(rig), "0");
    ck_assert_int_eq(hand->told[DSAPI_EVENT_QUEUE], 1);
    ck_assert_ptr_nonnull(strstr(hand->text[DSAPI_EVENT_QUEUE], "nonsense"));
    rig->source.store = store_of(STORE); /* and the worker works on */
    enqueue(rig, "a", 3);
    drive(rig, "succeeded", STATE);
}
END_TEST

START_TEST(store_without_rows_or_of_a_bad_shape)
{
    rig_t *rig = rig_make(0);
    hand_t *hand = hire(rig);

    answer_always(rig);
    rig->source.store = store_of("INSERT INTO stored VALUES (:key, :body)");
    enqueue(rig, "a", 3);
    drive(rig, "succeeded", STATE);
    ck_assert_ptr_null(pg_value(rig->pg, "SELECT result FROM dsapi.job"));
    ck_assert_int_eq(hand->told[DSAPI_EVENT_QUEUE], 0);
    rig->source.store = store_of("SELECT 1 AS a, 2 AS a");
    enqueue(rig, "b", 3);
    drive(rig, "succeeded", STATE);
    ck_assert_int_eq(hand->told[DSAPI_EVENT_QUEUE], 1);
}
END_TEST

START_TEST(store_gives_values_of_any_type)
{
    rig_t *rig = rig_make(0);

    hire(rig);
    answer_always(rig);
    rig->source.store = store_of("INSERT INTO stored VALUES (:key, :body) "
                                 "RETURNING stored AS row");
    for (int i = 0; i < 2; i++) {
        enqueue(rig, i ? "b" : "a", 3);
        drive(rig, "succeeded", STATE);
    }
    ck_assert_str_eq(pg_value(rig->pg, "SELECT string_agg(result::text, ' ' "
                                       "ORDER BY id) FROM dsapi.job"),
                     "{\"row\":{\"key\":\"a\",\"body\":[1, 2, 3]}} "
                     "{\"row\":{\"key\":\"b\",\"body\":[1, 2, 3]}}");
}
END_TEST

START_TEST(slow_store_times_out_and_is_tried_again)
{
    rig_t *rig = rig_make(0);
    hand_t *hand = hire(rig);

    pg_value(rig->pg, "SELECT pg_advisory_lock(7)");
    rig->source.store_timeout = apr_time_from_msec(100);
    answer_always(rig);
    enqueue(rig, "a", 9);
    drive_told(rig, hand, DSAPI_EVENT_RETRY, 1);
    ck_assert_ptr_nonnull(strstr(job_of(rig), "57014"));
    pg_value(rig->pg, "SELECT pg_advisory_unlock(7)");
    drive(rig, "succeeded", STATE);
    ck_assert_str_eq(stored(rig), "1");
    ck_assert_int_eq(hand->told[DSAPI_EVENT_DB_LOST], 0);
}
END_TEST

START_TEST(heartbeat_extends_the_lease)
{
    rig_t *rig = rig_make(0);
    hand_t *hand = hire(rig);
    hand_t *other;

    hold_next(rig);
    enqueue(rig, "a", 3);
    drive_held(rig, 1);
    other = hire(rig);
    drive(rig, "true",
          "SELECT (lease_until > started_at + interval '4s')::text "
          "FROM dsapi.job");
    stub_ask(rig->stub, "POST", "/_stub/release", "");
    drive(rig, "succeeded", STATE);
    ck_assert_str_eq(job_of(rig), "succeeded 1");
    ck_assert_int_eq(hand->told[DSAPI_EVENT_LOST], 0);
    ck_assert_int_eq(other->told[DSAPI_EVENT_REAPED], 0);
}
END_TEST

START_TEST(leases_outlive_a_long_store_and_stay_short)
{
    rig_t *rig = rig_make(0);
    hand_t *hand = hire(rig);
    hand_t *other;
    apr_time_t end;

    answer_always(rig);
    pg_value(rig->pg, "SELECT pg_advisory_lock(7)");
    enqueue(rig, "a", 3);
    enqueue(rig, "b", 3);
    drive(rig, "1", WAITING);
    other = hire(rig);
    end = apr_time_now() + apr_time_from_msec(3500);
    while (apr_time_now() < end) {
        turn(rig);
        ck_assert_str_eq(pg_value(rig->pg, "SELECT (max(lease_until) < "
                                           "clock_timestamp() + "
                                           "'1.1s' AND max(lease_until) > "
                                           "clock_timestamp())::text FROM "
                                           "dsapi.job"),
                         "true");
    }
    pg_value(rig->pg, "SELECT pg_advisory_unlock(7)");
    drive(rig, "2",
          "SELECT count(*) FROM dsapi.job "
          "WHERE state = 'succeeded' AND attempts = 1");
    ck_assert_int_eq(hand->told[DSAPI_EVENT_LOST], 0);
    ck_assert_int_eq(other->told[DSAPI_EVENT_REAPED], 0);
    /* what it opened for that, it closes */
    drive(rig, "2",
          "SELECT count(*) FROM pg_stat_activity WHERE datname = "
          "current_database() AND pid <> pg_backend_pid()");
}
END_TEST

START_TEST(notification_wakes)
{
    rig_t *rig = rig_make(0);
    hand_t *hand = hire(rig);
    apr_time_t start;

    answer_always(rig);
    drive_told(rig, hand, DSAPI_EVENT_CONNECTED, 1);
    drive_for(rig, apr_time_from_msec(300));
    start = apr_time_now();
    for (int i = 0; i < 8; i++) {
        enqueue(rig, apr_itoa(g_pool, i), 3);
        drive(rig, "succeeded", STATE);
    }
    /* by looking for lost jobs, each would be found after one second */
    ck_assert_int_lt((int)(apr_time_now() - start), 4000000);
}
END_TEST

START_TEST(idle_worker_sleeps)
{
    rig_t *rig = rig_make(0);
    hand_t *hand = hire(rig);
    apr_time_t start;
    clock_t used;

    hold_next(rig);
    enqueue(rig, "a", 3);
    drive_held(rig, 1);
    used = clock();
    work_for(hand->worker, apr_time_from_sec(1)); /* it fetches */
    stub_ask(rig->stub, "POST", "/_stub/release", "");
    drive(rig, "succeeded", STATE);
    pg_value(rig->pg, "SELECT pg_advisory_lock(7)");
    answer_always(rig);
    enqueue(rig, "b", 3);
    drive(rig, "1", WAITING);
    work_for(hand->worker, apr_time_from_sec(1)); /* it stores */
    pg_value(rig->pg, "SELECT pg_advisory_unlock(7)");
    drive(rig, "succeeded", STATE);
    start = apr_time_now();
    work_for(hand->worker, apr_time_from_sec(3)); /* it has no work */
    ck_assert_int_ge((int)(apr_time_now() - start), 3000000);
    ck_assert_int_lt((int)(apr_time_now() - start), 3300000);
    used = clock() - used;
    ck_assert_msg(used < CLOCKS_PER_SEC / 2, "%ld us of 5 s", (long)used);
}
END_TEST

START_TEST(between_turns_it_may_be_stopped)
{
    rig_t *rig = rig_make(0);
    hand_t *hand = hire(rig);
    PGresult *result;

    drive_told(rig, hand, DSAPI_EVENT_CONNECTED, 1);
    drive_for(rig, apr_time_from_msec(200)); /* and listens */
    /* it is notified while it waits: that ends the turn, not the budget */
    ck_assert_int_eq(PQsendQuery(rig->pg->conn, "SELECT id, pg_sleep(0.3) FROM "
                                                "dsapi.enqueue("
                                                "'t/data', '{\"key\": \"a\"}', "
                                                "3)"),
                     1);
    dsapi_worker_turn(hand->worker, apr_time_from_sec(5));
    while ((result = PQgetResult(rig->pg->conn))) {
        ck_assert_int_eq(PQresultStatus(result), PGRES_TUPLES_OK);
        PQclear(result);
    }
    ck_assert_str_eq(job_of(rig), "queued 0");
    dsapi_worker_stop(hand->worker, apr_time_from_sec(1));
    ck_assert_str_eq(job_of(rig), "queued 0");
    ck_assert_int_eq(hand->told[DSAPI_EVENT_CLAIMED], 0);
}
END_TEST

START_TEST(turns_keep_to_their_budget)
{
    rig_t *rig = rig_make(0);
    hand_t *hand = hire(rig);
    apr_interval_time_t longest = 0;
    apr_time_t end = apr_time_now() + apr_time_from_sec(2);

    answer_always(rig);
    pg_value(rig->pg, "SELECT pg_advisory_lock(7)");
    enqueue(rig, "a", 3);
    while (apr_time_now() < end) {
        apr_time_t start = apr_time_now();

        dsapi_worker_turn(hand->worker, TURN);
        if (apr_time_now() - start > longest) {
            longest = apr_time_now() - start;
        }
    }
    ck_assert_str_eq(pg_value(rig->pg, WAITING), "1");
    ck_assert_int_lt((int)longest, 250000);
}
END_TEST

/** @return bytes of malloc in use; 0 where a sanitizer has replaced it */
static apr_size_t allocated(void)
{
    struct mallinfo2 info = mallinfo2();

    return info.uordblks + info.hblkhd;
}

START_TEST(jobs_leave_nothing_behind)
{
    rig_t *rig = rig_make(0);
    apr_size_t before = 0;
    char *body;

    hire(rig);
    body = apr_palloc(g_pool, 100001);
    memset(body, 'x', 100000);
    body[100000] = '\0';
    stub_answer(rig->stub, apr_psprintf(g_pool,
                                        "{\"times\":0,\"body\":\"[\\\"%s\\\"]"
                                        "\","
                                        "\"headers\":{\"Content-Type\":"
                                        "\"application/json\"}}",
                                        body));
    for (int i = 1; i <= 3; i++) {
        enqueue_many(rig, 100);
        drive(rig, "0",
              "SELECT count(*) FROM dsapi.job "
              "WHERE state <> 'succeeded'");
        before = i == 1 ? allocated() : before;
    }
    ck_assert_str_eq(stored(rig), "300");
    ck_assert_uint_lt(allocated(), before + 2000000); /* of 20 MB */
}
END_TEST

UNIT_SUITE(source_worker, job_is_fetched_stored_and_finished,
           other_sources_are_left_alone, two_workers_share_fifty_jobs,
           retry_in_seconds_needs_no_poll, refused_store_fails_with_its_message,
           broken_store_fails_and_is_told, store_without_rows_or_of_a_bad_shape,
           store_gives_values_of_any_type,
           slow_store_times_out_and_is_tried_again, heartbeat_extends_the_lease,
           leases_outlive_a_long_store_and_stay_short, notification_wakes,
           idle_worker_sleeps, between_turns_it_may_be_stopped,
           turns_keep_to_their_budget, jobs_leave_nothing_behind)
