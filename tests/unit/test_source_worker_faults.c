/* src/source/worker.c: workers, backends, leases and servers that go away
 * under a job, and workers that are stopped. */
#include <apr_strings.h>

#include "unit/rig.h"
#include "unit/unit.h"

START_TEST(crash_during_the_fetch)
{
    rig_t *rig = rig_make(0);
    hand_t *first = hire(rig);

    hold_next(rig);
    answer_always(rig);
    enqueue(rig, "a", 3);
    drive_held(rig, 1);
    fire(first);
    hire(rig);
    drive(rig, "succeeded", STATE);
    ck_assert_str_eq(job_of(rig), "succeeded 2");
    ck_assert_str_eq(stored(rig), "1");
    ck_assert_str_eq(pg_value(rig->pg, "SELECT (started_at - queued_at > "
                                       "'900ms')::text "
                                       "FROM dsapi.job"),
                     "true");
}
END_TEST

/** How many jobs are in a state after so many attempts. */
static void drive_jobs(rig_t *rig, const char *want, const char *state,
                       int attempts)
{
    drive(rig, want,
          apr_psprintf(g_pool,
                       "SELECT count(*) FROM dsapi.job WHERE state = '%s' "
                       "AND attempts = %d",
                       state, attempts));
}

/** A worker that stores one of two jobs until the lock 7 is given free. */
static hand_t *store_long(rig_t *rig)
{
    hand_t *hand = hire(rig);

    answer_always(rig);
    pg_value(rig->pg, "SELECT pg_advisory_lock(7)");
    enqueue(rig, "a", 3);
    enqueue(rig, "b", 3);
    drive(rig, "1", WAITING);
    drive_told(rig, hand, DSAPI_EVENT_CLAIMED, 2);
    return hand;
}

START_TEST(crash_during_the_store)
{
    rig_t *rig = rig_make(0);
    hand_t *first = store_long(rig);
    apr_time_t start = apr_time_now();

    fire(first);
    hire(rig);
    /* though the first one's backend would wait for the lock forever */
    drive_jobs(rig, "2", "running", 2);
    ck_assert_int_lt((int)(apr_time_now() - start), 4500000);
    drive(rig, "1", WAITING);
    pg_value(rig->pg, "SELECT pg_advisory_unlock(7)");
    drive_jobs(rig, "2", "succeeded", 2);
    ck_assert_str_eq(stored(rig), "2");
}
END_TEST

START_TEST(lease_lost_during_a_long_store)
{
    rig_t *rig = rig_make(0);
    hand_t *hand = store_long(rig);

    pg_value(rig->pg, "UPDATE dsapi.job SET lease_token = gen_random_uuid(), "
                      "lease_until = now() + '1h' WHERE id = (SELECT id FROM "
                      "dsapi.job FOR UPDATE SKIP LOCKED)");
    drive_told(rig, hand, DSAPI_EVENT_LOST, 1);
    ck_assert_str_eq(pg_value(rig->pg, WAITING), "1");
    pg_value(rig->pg, "SELECT pg_advisory_unlock(7)");
    drive_told(rig, hand, DSAPI_EVENT_SUCCEEDED, 1);
    ck_assert_str_eq(stored(rig), "1");
    ck_assert_int_eq(hand->told[DSAPI_EVENT_LOST], 1);
}
END_TEST

START_TEST(no_second_connection_during_a_long_store)
{
    rig_t *rig = rig_make(0);
    hand_t *hand = store_long(rig);

    pg_administer("ALTER DATABASE %s ALLOW_CONNECTIONS false", rig->pg->name);
    drive(rig, "2",
          "SELECT count(*) FROM dsapi.job WHERE lease_until < "
          "clock_timestamp() - interval '500ms'");
    ck_assert_str_eq(pg_value(rig->pg, WAITING), "1");
    pg_value(rig->pg, "SELECT pg_advisory_unlock(7)");
    drive_jobs(rig, "2", "succeeded", 1); /* nobody else was there */
    ck_assert_str_eq(stored(rig), "2");
    ck_assert_int_eq(hand->told[DSAPI_EVENT_DB_LOST], 0);
    pg_administer("ALTER DATABASE %s ALLOW_CONNECTIONS true", rig->pg->name);
}
END_TEST

START_TEST(backend_killed_during_the_store)
{
    rig_t *rig = rig_make(0);
    hand_t *hand = hire(rig);

    answer_always(rig);
    hire(rig);
    pg_value(rig->pg, "SELECT pg_advisory_lock(7)");
    enqueue(rig, "a", 3);
    drive(rig, "1", WAITING);
    if (hand->told[DSAPI_EVENT_CLAIMED] == 0) {
        hand = &rig->hands[1];
    }
    pg_value(rig->pg, "SELECT pg_terminate_backend(pid) FROM pg_locks "
                      "WHERE locktype = 'advisory' AND NOT granted");
    drive_told(rig, hand, DSAPI_EVENT_DB_LOST, 1);
    pg_value(rig->pg, "SELECT pg_advisory_unlock(7)");
    drive(rig, "succeeded", STATE);
    ck_assert_str_eq(stored(rig), "1");
    ck_assert_ptr_nonnull(strstr(hand->text[DSAPI_EVENT_DB_LOST], "administrato"
                                                                  "r"));
    /* whoever stored it: the document was at hand, or fetched anew */
    drive_told(rig, hand, DSAPI_EVENT_CONNECTED, 2);
}
END_TEST

START_TEST(store_that_breaks_each_connection_is_given_up)
{
    rig_t *rig = rig_make(0);
    hand_t *hand = hire(rig);

    rig->source.store = store_of("SELECT "
                                 "pg_terminate_backend(pg_backend_pid())");
    rig->source.retry.first = rig->source.retry.max = apr_time_from_sec(60);
    answer_always(rig);
    enqueue(rig, "a", 3);
    drive_told(rig, hand, DSAPI_EVENT_RETRY, 1);
    ck_assert_str_eq(job_of(rig), "queued 1 the database was lost while the "
                                  "answer was stored");
    ck_assert_int_eq(hand->told[DSAPI_EVENT_DB_LOST], 3);
}
END_TEST

START_TEST(store_that_changes_settings_and_breaks)
{
    rig_t *rig = rig_make(0);
    hand_t *hand = hire(rig);

    rig->source.store = store_of("SELECT set_config('datestyle', 'German', "
                                 "false); "
                                 "DEALLOCATE ALL; SELECT nonsense(:body)");
    answer_always(rig);
    enqueue(rig, "a", 3);
    drive(rig, "failed", STATE);
    rig->source.store = store_of("SELECT set_config('datestyle', 'German', "
                                 "false), set_config('client_encoding', "
                                 "'LATIN2', false); INSERT INTO stored "
                                 "VALUES (:key, :body)");
    enqueue(rig, "żółw", 3);
    drive(rig, "succeeded", STATE);
    rig->source.store = store_of(STORE);
    enqueue(rig, "wół", 3);
    drive(rig, "succeeded", STATE);
    ck_assert_str_eq(pg_value(rig->pg, "SELECT result->'of'->>'key' FROM "
                                       "dsapi.job ORDER BY id DESC LIMIT 1"),
                     "wół");
    ck_assert_int_eq(hand->told[DSAPI_EVENT_DB_LOST], 0);
}
END_TEST

START_TEST(stolen_lease_stores_nothing)
{
    rig_t *rig = rig_make(0);
    hand_t *hand = hire(rig);

    hand->config.heartbeat = apr_time_from_sec(60);
    hold_next(rig);
    answer_always(rig);
    enqueue(rig, "a", 3);
    drive_held(rig, 1);
    pg_value(rig->pg, "UPDATE dsapi.job SET lease_token = gen_random_uuid(), "
                      "lease_until = now() + '1h'");
    stub_ask(rig->stub, "POST", "/_stub/release", "");
    drive_told(rig, hand, DSAPI_EVENT_LOST, 1);
    ck_assert_str_eq(job_of(rig), "running 1");
    ck_assert_str_eq(stored(rig), "0");
    enqueue(rig, "b", 3); /* and the worker works on */
    drive(rig, "succeeded", STATE);
}
END_TEST

START_TEST(heartbeat_notices_a_stolen_lease)
{
    rig_t *rig = rig_make(0);
    hand_t *hand = hire(rig);
    apr_time_t end;

    hold_next(rig);
    enqueue(rig, "a", 3);
    drive_held(rig, 1);
    pg_value(rig->pg, "UPDATE dsapi.job SET lease_token = gen_random_uuid(), "
                      "lease_until = now() + '1h'");
    drive_told(rig, hand, DSAPI_EVENT_LOST, 1);
    end = apr_time_now() + apr_time_from_sec(5);
    while (!stub_holds(rig->stub, 0)) { /* the transfer was aborted */
        turn(rig);
        ck_assert(apr_time_now() < end);
    }
    ck_assert_int_eq(hand->told[DSAPI_EVENT_LOST], 1);
}
END_TEST

START_TEST(database_comes_later)
{
    rig_t *rig = rig_make(0);
    hand_t *hand;

    answer_always(rig);
    enqueue(rig, "a", 3);
    pg_administer("ALTER DATABASE %s ALLOW_CONNECTIONS false", rig->pg->name);
    hand = hire(rig);
    drive_for(rig, apr_time_from_msec(2500)); /* it has tried twice */
    ck_assert_int_eq(hand->told[DSAPI_EVENT_DB_LOST], 1);
    ck_assert_int_eq(hand->told[DSAPI_EVENT_CONNECTED], 0);
    pg_administer("ALTER DATABASE %s ALLOW_CONNECTIONS true", rig->pg->name);
    drive(rig, "succeeded", STATE);
    ck_assert_int_eq(hand->told[DSAPI_EVENT_DB_LOST], 1);
    ck_assert_int_eq(hand->told[DSAPI_EVENT_CONNECTED], 1);
}
END_TEST

START_TEST(database_restarts_during_a_fetch)
{
    rig_t *rig = rig_make(0);
    hand_t *hand = hire(rig);

    hand->config.lease = apr_time_from_sec(30);
    hold_next(rig);
    enqueue(rig, "a", 3);
    drive_held(rig, 1);
    pg_restart();
    stub_ask(rig->stub, "POST", "/_stub/release", "");
    drive(rig, "succeeded", STATE);
    ck_assert_str_eq(job_of(rig), "succeeded 1");
    ck_assert_str_eq(stored(rig), "1");
    ck_assert_int_eq(hand->told[DSAPI_EVENT_DB_LOST], 1);
}
END_TEST

START_TEST(queue_is_missing_at_first)
{
    rig_t *rig = rig_make(1);
    hand_t *hand = hire(rig);

    answer_always(rig);
    drive_told(rig, hand, DSAPI_EVENT_QUEUE, 1);
    for (int i = 0; i < 5; i++) {
        pg_value(rig->pg, "NOTIFY dsapi_job");
        drive_for(rig, apr_time_from_msec(100));
    }
    ck_assert_int_eq(hand->told[DSAPI_EVENT_QUEUE], 1);
    ck_assert_int_eq(hand->told[DSAPI_EVENT_DB_LOST], 0);
    pg_apply(rig->pg, "core/schema.sql");
    enqueue(rig, "a", 3);
    drive(rig, "succeeded", STATE);
    ck_assert_int_eq(hand->told[DSAPI_EVENT_QUEUE], 1);
    drive_for(rig, apr_time_from_sec(3)); /* what failed has worked again */
    pg_value(rig->pg, "DROP SCHEMA dsapi CASCADE");
    pg_value(rig->pg, "NOTIFY dsapi_job");
    drive_told(rig, hand, DSAPI_EVENT_QUEUE, 2);
}
END_TEST

START_TEST(replaced_schema_and_altered_table)
{
    rig_t *rig = rig_make(0);
    hand_t *hand = hire(rig);

    answer_always(rig);
    rig->source.store = store_of("INSERT INTO stored VALUES (:key, :body); "
                                 "SELECT * FROM stored");
    enqueue(rig, "a", 3);
    drive(rig, "succeeded", STATE);
    pg_apply(rig->pg, "core/schema.sql");
    pg_value(rig->pg, "ALTER TABLE stored ADD more text, "
                      "ALTER body TYPE jsonb");
    enqueue(rig, "b", 3);
    drive(rig, "succeeded", STATE);
    ck_assert_str_eq(job_of(rig), "succeeded 1");
    ck_assert_str_eq(stored(rig), "2");
    ck_assert_int_eq(hand->told[DSAPI_EVENT_QUEUE], 0);
    ck_assert_int_eq(hand->told[DSAPI_EVENT_DB_LOST], 0);
}
END_TEST

START_TEST(locked_queue_leaves_no_backends)
{
    rig_t *rig = rig_make(0);
    hand_t *hand = hire(rig);
    dsapi_db_t *locker = pg_adopt(rig->pg);
    dsapi_call_t calls[] = {pg_call("BEGIN", 0),
                            pg_call("LOCK TABLE dsapi.job", 0)};
    dsapi_batch_t batch = {calls, 2, 0, 0};
    dsapi_rows_t *rows;
    dsapi_err_t *err;

    answer_always(rig);
    drive_told(rig, hand, DSAPI_EVENT_CONNECTED, 1);
    ck_assert_int_eq(dsapi_db_run(&rows, &err, locker, &batch, g_pool),
                     APR_SUCCESS);
    pg_value(rig->pg, "NOTIFY dsapi_job");
    drive_told(rig, hand, DSAPI_EVENT_QUEUE, 1);
    ck_assert_ptr_nonnull(strstr(hand->text[DSAPI_EVENT_QUEUE], "57014"));
    ck_assert_int_eq(hand->told[DSAPI_EVENT_DB_LOST], 0);
    ck_assert_int_eq(pg_run(&rows, &err, locker, "COMMIT"), APR_SUCCESS);
    enqueue(rig, "a", 3);
    drive(rig, "succeeded", STATE);
}
END_TEST

START_TEST(deadlock_in_a_store_is_tried_again)
{
    rig_t *rig = rig_make(0);
    hand_t *hand = hire(rig);
    dsapi_db_t *other = pg_adopt(rig->pg);
    dsapi_call_t calls[] = {
        pg_call("SET deadlock_timeout = '30s'", 0), pg_call("BEGIN", 0),
        pg_call("UPDATE pair SET n = n + 1 WHERE id = 2", 0)};
    dsapi_call_t cross = pg_call("UPDATE pair SET n = n + 1 WHERE id = 1", 0);
    dsapi_batch_t first = {calls, 3, 0, 0};
    dsapi_batch_t second = {&cross, 1, 0, 0};
    dsapi_rows_t *rows;
    dsapi_err_t *err;

    pg_value(rig->pg, "CREATE TABLE pair AS SELECT id, 0 AS n "
                      "FROM generate_series(1, 2) id");
    rig->source.store = store_of("INSERT INTO stored VALUES (:key, :body);"
                                 "UPDATE pair SET n = n + 1 WHERE id = 1;"
                                 "UPDATE pair SET n = n + 1 WHERE id = 2");
    answer_always(rig);
    ck_assert_int_eq(dsapi_db_run(&rows, &err, other, &first, g_pool),
                     APR_SUCCESS);
    enqueue(rig, "a", 3);
    drive(rig, "1", "SELECT count(*) FROM pg_locks WHERE NOT granted");
    ck_assert_int_eq(dsapi_db_send(other, &err, &second, g_pool), APR_SUCCESS);
    while (dsapi_db_poll(&rows, &err, other, g_pool) == APR_EINPROGRESS) {
        turn(rig);
    }
    ck_assert_ptr_null(err);
    ck_assert_int_eq(pg_run(&rows, &err, other, "COMMIT"), APR_SUCCESS);
    drive(rig, "succeeded", STATE);
    ck_assert_str_eq(job_of(rig), "succeeded 1");
    ck_assert_str_eq(stored(rig), "1");
    ck_assert_str_eq(pg_value(rig->pg, "SELECT string_agg(n::text, ',') "
                                       "FROM pair"),
                     "2,2");
    ck_assert_int_eq(hand->told[DSAPI_EVENT_QUEUE], 0);
    ck_assert_str_ne(pg_value(rig->pg, "SELECT deadlocks "
                                       "FROM pg_stat_database WHERE "
                                       "datname = current_database()"),
                     "0");
}
END_TEST

START_TEST(stop_gives_jobs_back_uncounted)
{
    rig_t *rig = rig_make(0);
    hand_t *first = hire(rig);
    hand_t *second;
    apr_time_t start;

    hold_next(rig);
    answer_always(rig);
    enqueue(rig, "a", 3);
    drive_held(rig, 1);
    second = hire(rig);
    drive_told(rig, second, DSAPI_EVENT_CONNECTED, 1);
    drive_for(rig, apr_time_from_msec(200)); /* it listens */
    start = apr_time_now();
    dsapi_worker_stop(first->worker, apr_time_from_sec(5));
    ck_assert_int_lt((int)(apr_time_now() - start), 1000000);
    ck_assert_str_eq(job_of(rig), "queued 0");
    fire(first);
    drive(rig, "succeeded", STATE);
    ck_assert_int_lt((int)(apr_time_now() - start), 1500000);
    ck_assert_str_eq(job_of(rig), "succeeded 1");
    ck_assert_str_eq(stored(rig), "1");
}
END_TEST

START_TEST(stop_brings_a_store_to_its_end)
{
    rig_t *rig = rig_make(0);
    hand_t *hand = hire(rig);

    answer_always(rig);
    pg_value(rig->pg, "CREATE FUNCTION nap() RETURNS int LANGUAGE sql AS "
                      "$$SELECT 1 FROM (SELECT pg_sleep(0.3)) s$$");
    rig->source.store = store_of("INSERT INTO stored VALUES (:key, :body); "
                                 "SELECT nap()");
    enqueue(rig, "a", 3);
    drive(rig, "1",
          "SELECT count(*) FROM pg_stat_activity "
          "WHERE wait_event = 'PgSleep'");
    dsapi_worker_stop(hand->worker, apr_time_from_sec(5));
    ck_assert_str_eq(job_of(rig), "succeeded 1");
    ck_assert_str_eq(stored(rig), "1");
}
END_TEST

START_TEST(stop_breaks_a_long_store_off)
{
    rig_t *rig = rig_make(0);
    hand_t *hand = store_long(rig);
    apr_time_t start = apr_time_now();

    dsapi_worker_stop(hand->worker, apr_time_from_sec(1));
    ck_assert_int_lt((int)(apr_time_now() - start), 1200000);
    ck_assert_str_eq(pg_value(rig->pg, "SELECT count(*) FROM dsapi.job WHERE "
                                       "state = 'queued' AND attempts = 0"),
                     "2");
    ck_assert_int_eq(hand->told[DSAPI_EVENT_DB_LOST], 0);
    ck_assert_int_eq(hand->told[DSAPI_EVENT_LOST], 0);
    fire(hand);
    pg_value(rig->pg, "SELECT pg_advisory_unlock(7)");
    hire(rig);
    drive_jobs(rig, "2", "succeeded", 1);
    ck_assert_str_eq(stored(rig), "2");
}
END_TEST

START_TEST(stop_breaks_a_sleeping_store_off)
{
    rig_t *rig = rig_make(0);
    hand_t *hand = hire(rig);

    answer_always(rig);
    rig->source.store = store_of("INSERT INTO stored VALUES (:key, :body); "
                                 "SELECT pg_sleep(25)::text");
    enqueue(rig, "a", 3);
    drive(rig, "1",
          "SELECT count(*) FROM pg_stat_activity "
          "WHERE wait_event = 'PgSleep'");
    dsapi_worker_stop(hand->worker, apr_time_from_sec(1));
    ck_assert_str_eq(job_of(rig), "queued 0");
    ck_assert_str_eq(stored(rig), "0");
}
END_TEST

START_TEST(stop_gives_the_others_back_at_once)
{
    rig_t *rig = rig_make(0);
    hand_t *hand = store_long(rig);

    pg_value(rig->pg, "CREATE TABLE given AS SELECT 0 AS id, now() AS at");
    pg_value(rig->pg, "CREATE FUNCTION go_on() RETURNS trigger "
                      "LANGUAGE plpgsql AS $$BEGIN INSERT INTO given VALUES "
                      "(NEW.id, clock_timestamp()); RETURN NULL; END$$");
    pg_value(rig->pg, "CREATE TRIGGER go_on AFTER UPDATE ON dsapi.job FOR "
                      "EACH ROW EXECUTE FUNCTION go_on()");
    dsapi_worker_stop(hand->worker, apr_time_from_sec(2));
    ck_assert_str_eq(pg_value(rig->pg, "SELECT (max(at) - min(at) > '500ms')"
                                       "::text || count(*) FROM given "
                                       "WHERE id > 0"),
                     "true2");
}
END_TEST

START_TEST(stop_keeps_to_its_budget)
{
    rig_t *rig = rig_make(0);
    hand_t *hand = hire(rig);
    apr_time_t start;

    answer_always(rig);
    pg_value(rig->pg, "SELECT pg_advisory_lock(7)");
    enqueue(rig, "a", 3);
    drive(rig, "1", WAITING);
    start = apr_time_now();
    dsapi_worker_stop(hand->worker, apr_time_from_msec(200));
    ck_assert_int_lt((int)(apr_time_now() - start), 700000);
    fire(hand);
    ck_assert_int_lt((int)(apr_time_now() - start), 900000);
}
END_TEST

START_TEST(stop_of_an_idle_or_unconnected_worker)
{
    rig_t *rig = rig_make(0);
    hand_t *hand = hire(rig);
    apr_time_t start = apr_time_now();

    dsapi_worker_stop(hand->worker, apr_time_from_sec(5));
    fire(hand);
    hand = hire(rig);
    drive_told(rig, hand, DSAPI_EVENT_CONNECTED, 1);
    dsapi_worker_stop(hand->worker, apr_time_from_sec(5));
    ck_assert_int_lt((int)(apr_time_now() - start), 2000000);
}
END_TEST

UNIT_SUITE(source_worker_faults, crash_during_the_fetch, crash_during_the_store,
           lease_lost_during_a_long_store,
           no_second_connection_during_a_long_store,
           backend_killed_during_the_store,
           store_that_breaks_each_connection_is_given_up,
           store_that_changes_settings_and_breaks, stolen_lease_stores_nothing,
           heartbeat_notices_a_stolen_lease, database_comes_later,
           database_restarts_during_a_fetch, queue_is_missing_at_first,
           replaced_schema_and_altered_table, locked_queue_leaves_no_backends,
           deadlock_in_a_store_is_tried_again, stop_gives_jobs_back_uncounted,
           stop_brings_a_store_to_its_end, stop_breaks_a_long_store_off,
           stop_breaks_a_sleeping_store_off, stop_gives_the_others_back_at_once,
           stop_keeps_to_its_budget, stop_of_an_idle_or_unconnected_worker)
