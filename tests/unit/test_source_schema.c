/* conf/core/schema.sql: the queue's functions by themselves. */
#include "source/queue.h"

#include <apr_strings.h>

#include "unit/pg.h"
#include "unit/unit.h"

static pg_t *queue_only(void)
{
    pg_t *pg = pg_open();

    pg_apply(pg, "core/schema.sql");
    pg_apply(pg, "core/schema.sql"); /* which changes nothing */
    return pg;
}

START_TEST(enqueue_answers_the_live_job)
{
    pg_t *pg = queue_only();
    static const char sql[] = "SELECT id FROM dsapi.enqueue('s/a', "
                              "'{\"b\": 1,  \"a\": [2]}', 3)";
    const char *id = pg_value(pg, sql);

    ck_assert_str_eq(pg_value(pg, "SELECT id FROM dsapi.enqueue('s/a', "
                                  "'{\"a\":[2],\"b\":1}', 3)"),
                     id);
    ck_assert_str_ne(pg_value(pg, "SELECT id FROM dsapi.enqueue('s/b', "
                                  "'{\"a\":[2],\"b\":1}', 3)"),
                     id);
    pg_value(pg, "SELECT id FROM dsapi.claim('{s/a}', 9, '1h')");
    ck_assert_str_eq(pg_value(pg, sql), id);
    pg_value(pg,
             "SELECT dsapi.finish(id, lease_token, '{}') FROM dsapi.job "
             "WHERE id = %s",
             id);
    ck_assert_str_ne(pg_value(pg, sql), id);
}
END_TEST

/** Enqueue from two connections at once; the first ends as said. */
static const char *enqueue_race(const char *end)
{
    pg_t *pg = queue_only();
    dsapi_db_t *a = pg_adopt(pg);
    dsapi_db_t *b = pg_adopt(pg);
    dsapi_call_t calls[] = {pg_call("BEGIN", 0), pg_call("SELECT id FROM "
                                                         "dsapi.enqueue('s/a', "
                                                         "'{}', 3)",
                                                         0)};
    dsapi_batch_t first = {calls, 2, 0, 0};
    dsapi_batch_t second = {calls + 1, 1, 0, 0};
    dsapi_rows_t *rows;
    dsapi_err_t *err;
    apr_status_t rv;

    ck_assert_int_eq(dsapi_db_run(&rows, &err, a, &first, g_pool), APR_SUCCESS);
    ck_assert_int_eq(dsapi_db_send(b, &err, &second, g_pool), APR_SUCCESS);
    ck_assert_int_eq(dsapi_db_poll(&rows, &err, b, g_pool), APR_EINPROGRESS);
    pg_until(pg, "1", "SELECT count(*) FROM pg_locks WHERE NOT granted");
    ck_assert_int_eq(pg_run(&rows, &err, a, end), APR_SUCCESS);
    while ((rv = dsapi_db_poll(&rows, &err, b, g_pool)) == APR_EINPROGRESS) {
        apr_sleep(1000);
    }
    ck_assert_int_eq(rv, APR_SUCCESS);
    ck_assert_int_eq(dsapi_rows_count(rows), 1);
    ck_assert_str_eq(pg_value(pg, "SELECT count(*) FROM dsapi.job"), "1");
    ck_assert_str_eq(pg_value(pg, "SELECT id FROM dsapi.job"),
                     dsapi_rows_value(NULL, rows, 0, 0));
    return dsapi_rows_value(NULL, rows, 0, 0);
}

START_TEST(enqueue_from_two_connections)
{
    ck_assert_str_eq(enqueue_race("COMMIT"), "1");
    ck_assert_str_eq(enqueue_race("ROLLBACK"), "2");
}
END_TEST

START_TEST(claim_takes_what_is_due_in_order)
{
    pg_t *pg = queue_only();

    pg_value(pg, "INSERT INTO dsapi.job (source, params, max_attempts, run_at) "
                 "SELECT 's/a', to_jsonb(i), 3, now() - i * '1s'::interval "
                 "FROM generate_series(-5, 20) i");
    ck_assert_str_eq(pg_value(pg, "SELECT string_agg(params::text, ',' ORDER "
                                  "BY run_at) "
                                  "FROM dsapi.claim('{s/b,s/a}', 3, '1h')"),
                     "20,19,18");
    ck_assert_str_eq(pg_value(pg, "SELECT count(*) "
                                  "FROM dsapi.claim('{s/b}', 100, '1h')"),
                     "0");
    ck_assert_str_eq(pg_value(pg, "SELECT count(*) || ' ' || min(attempts) "
                                  "FROM dsapi.claim('{s/a}', 100, '1h')"),
                     "18 1");
    ck_assert_str_eq(pg_value(pg, "SELECT (dsapi.due_in() BETWEEN 0 AND "
                                  "1000000)::text"),
                     "true");
    pg_value(pg, "UPDATE dsapi.job SET run_at = 'infinity' "
                 "WHERE state = 'queued'");
    ck_assert_ptr_null(pg_value(pg, "SELECT dsapi.due_in()"));
}
END_TEST

/** What is claimed of queued jobs 1, 2, 3 ... of s/a and s/b. */
static const char *claim_limited(pg_t *pg, const char *every,
                                 const char *concurrency)
{
    return pg_value(pg,
                    "SELECT coalesce(string_agg(params::text, ',' ORDER BY "
                    "source, id), '') FROM dsapi.claim('{s/a,s/b}', "
                    "'{%s,NULL}', "
                    "'{%s,NULL}', 4, '1h')",
                    every, concurrency);
}

static pg_t *two_sources(void)
{
    pg_t *pg = queue_only();

    pg_value(pg, "INSERT INTO dsapi.job (source, params, max_attempts, run_at) "
                 "SELECT 's/' || s, to_jsonb(s || i), 3, now() - CASE s WHEN "
                 "'a' THEN '1h' ELSE '1s' END::interval FROM "
                 "generate_series(1, 9) i, unnest('{a,b}'::text[]) s "
                 "ORDER BY i");
    return pg;
}

START_TEST(a_rate_holds_one_source_back_and_no_other)
{
    pg_t *pg = two_sources();

    ck_assert_str_eq(claim_limited(pg, "1h", "NULL"), "\"a1\",\"b1\",\"b2\","
                                                      "\"b3\"");
    ck_assert_str_eq(claim_limited(pg, "1h", "NULL"), "\"b4\",\"b5\",\"b6\","
                                                      "\"b7\"");
    /* an hour later */
    pg_value(pg, "UPDATE dsapi.upstream SET next_at = now() - '1s'::interval");
    ck_assert_str_eq(claim_limited(pg, "1h", "NULL"), "\"a2\",\"b8\",\"b9\"");
    ck_assert_str_eq(claim_limited(pg, "1h", "NULL"), "");
    /* a held job has no attempt behind it */
    ck_assert_str_eq(pg_value(pg, "SELECT string_agg(DISTINCT attempts::text, "
                                  "',') FROM dsapi.job WHERE state = "
                                  "'queued'"),
                     "0");
    /* a tenth of a second's worth at once */
    pg_value(pg, "UPDATE dsapi.upstream SET next_at = 'epoch'");
    ck_assert_str_eq(claim_limited(pg, "40ms", "NULL"), "\"a3\",\"a4\",\"a5\"");
}
END_TEST

/** The sources of what is claimed of s/a, s/b and s/c. */
static const char *claim_sources(pg_t *pg, const char *limit)
{
    return pg_value(pg,
                    "SELECT string_agg(source, ',' ORDER BY source) "
                    "FROM dsapi.claim('{s/a,s/b,s/c}', %s, '1h')",
                    limit);
}

START_TEST(a_long_queue_holds_up_no_other_source)
{
    pg_t *pg = queue_only();

    pg_value(pg, "INSERT INTO dsapi.job (source, params, max_attempts, run_at) "
                 "SELECT 's/a', to_jsonb(i), 3, now() - '1h'::interval "
                 "FROM generate_series(1, 20) i");
    pg_value(pg, "INSERT INTO dsapi.job (source, params, max_attempts, run_at) "
                 "SELECT source, to_jsonb(i), 3, now() - '1s'::interval "
                 "FROM generate_series(1, 2) i, unnest('{s/b,s/c}'::text[]) "
                 "AS u (source)");
    ck_assert_str_eq(claim_sources(pg, "4"), "s/a,s/a,s/b,s/c");
    /* room for one: whose jobs are the fewest */
    ck_assert_str_eq(claim_sources(pg, "1"), "s/b");
    ck_assert_str_eq(claim_sources(pg, "1"), "s/c");
    ck_assert_str_eq(claim_sources(pg, "2"), "s/a,s/a");
}
END_TEST

START_TEST(concurrency_counts_running_jobs)
{
    pg_t *pg = two_sources();

    ck_assert_str_eq(claim_limited(pg, "NULL", "2"), "\"a1\",\"a2\",\"b1\","
                                                     "\"b2\"");
    ck_assert_str_eq(claim_limited(pg, "NULL", "2"), "\"b3\",\"b4\",\"b5\","
                                                     "\"b6\"");
    pg_value(pg, "SELECT dsapi.finish(id, lease_token, NULL) FROM dsapi.job "
                 "WHERE params = '\"a1\"'");
    ck_assert_str_eq(claim_limited(pg, "NULL", "2"), "\"a3\",\"b7\",\"b8\","
                                                     "\"b9\"");
    ck_assert_str_eq(claim_limited(pg, "NULL", "3"), "\"a4\"");
}
END_TEST

START_TEST(a_limited_source_that_is_busy_is_passed_over)
{
    pg_t *pg = two_sources();
    dsapi_db_t *a = pg_adopt(pg);
    dsapi_rows_t *rows;
    dsapi_err_t *err;

    pg_run(&rows, &err, a, "BEGIN");
    pg_run(&rows, &err, a, "SELECT dsapi.upstream_free('s/a', NULL, 2)");
    pg_run(&rows, &err, a, "COMMIT");
    pg_run(&rows, &err, a, "BEGIN");
    pg_run(&rows, &err, a, "SELECT dsapi.upstream_free('s/a', NULL, 2)");
    ck_assert_str_eq(claim_limited(pg, "NULL", "2"), "\"b1\",\"b2\",\"b3\","
                                                     "\"b4\"");
    pg_run(&rows, &err, a, "COMMIT");
    ck_assert_str_eq(claim_limited(pg, "NULL", "2"), "\"a1\",\"a2\",\"b5\","
                                                     "\"b6\"");
}
END_TEST

/** Purge all; @return the ids that are left of a source */
static const char *purge(pg_t *pg, const char *source, int batch)
{
    for (int i = 0; i < 9; i++) {
        if (strcmp(pg_value(pg,
                            "SELECT dsapi.purge('{s/a,s/b}', '{1d,2d}', %d)",
                            batch),
                   "f") == 0) {
            break;
        }
        ck_assert_int_lt(i, 8);
    }
    return pg_value(pg,
                    "SELECT string_agg(id::text, ',' ORDER BY id) FROM "
                    "dsapi.job WHERE source = '%s'",
                    source);
}

START_TEST(purge_leaves_the_newest_of_each_parameters)
{
    pg_t *pg = queue_only();

    /* days ago, parameters, state; b as a */
    pg_value(pg, "INSERT INTO dsapi.job (source, params, max_attempts, state, "
                 "finished_at) SELECT 's/' || s, to_jsonb(p), 3, state, now() "
                 "- days * '1d'::interval - '1min'::interval FROM "
                 "unnest('{a,b}'::text[]) s, (VALUES (1, 9, 1, 'succeeded'), "
                 "(2, 9, 2, 'failed'), (3, 8, 1, 'succeeded'), (4, 7, 1, "
                 "'failed'), (5, 6, 1, 'failed'), (6, 5, 2, 'succeeded'), (7, "
                 "1, 2, 'succeeded'), (8, 0, 1, 'succeeded'), (9, 0, 2, "
                 "'failed')) v (id, days, p, state) ORDER BY s, id");
    /* 3: the last good one, 5: the newest as old, 8 and 9 are young */
    ck_assert_str_eq(purge(pg, "s/a", 2), "3,5,7,8,9");
    ck_assert_str_eq(purge(pg, "s/a", 2), "3,5,7,8,9");
    /* which is kept for two days: and so is 7, with 6 before it */
    ck_assert_str_eq(purge(pg, "s/b", 2), "12,14,15,16,17,18");
    /* a day later */
    pg_value(pg, "UPDATE dsapi.job SET finished_at = finished_at - "
                 "'1d'::interval");
    ck_assert_str_eq(purge(pg, "s/a", 100), "7,8,9");
}
END_TEST

START_TEST(reap_takes_back_expired_leases)
{
    pg_t *pg = queue_only();

    pg_value(pg, "INSERT INTO dsapi.job (source, params, max_attempts, "
                 "attempts, state, lease_token, lease_until) "
                 "SELECT 's/a', to_jsonb(i), 2, i, 'running', "
                 "gen_random_uuid(), now() + CASE WHEN i = 0 THEN '1h' "
                 "ELSE '-1s' END::interval FROM generate_series(0, 2) i");
    ck_assert_str_eq(pg_value(pg, "SELECT dsapi.lost_in() < 0"), "t");
    ck_assert_str_eq(pg_value(pg, "SELECT dsapi.reap()"), "2");
    ck_assert_str_eq(pg_value(pg, "SELECT string_agg(state || attempts, ',' "
                                  "ORDER BY id) FROM dsapi.job"),
                     "running0,queued1,failed2");
    ck_assert_str_eq(pg_value(pg, "SELECT count(*) FROM dsapi.job WHERE "
                                  "error LIKE 'the worker was lost%%' AND "
                                  "(state = 'failed') = "
                                  "(finished_at IS NOT NULL)"),
                     "2");
    ck_assert_str_eq(pg_value(pg, "SELECT dsapi.reap()"), "0");
    ck_assert_str_eq(pg_value(pg, "SELECT dsapi.lost_in() BETWEEN 3590000000 "
                                  "AND 3600000000"),
                     "t");
    pg_value(pg, "DELETE FROM dsapi.job");
    ck_assert_ptr_null(pg_value(pg, "SELECT dsapi.lost_in()"));
}
END_TEST

START_TEST(release_is_fenced_and_uncounted)
{
    pg_t *pg = queue_only();
    dsapi_db_t *listener = pg_adopt(pg);
    const char *channel;
    const char *payload;
    dsapi_rows_t *rows;
    dsapi_err_t *err;

    pg_run(&rows, &err, listener, "LISTEN " DSAPI_QUEUE_CHANNEL);
    pg_value(pg, "INSERT INTO dsapi.job (source, params, max_attempts) "
                 "SELECT 's/a', to_jsonb(i), 2 FROM generate_series(1, 3) i");
    pg_value(pg, "SELECT count(*) FROM dsapi.claim('{s/a}', 3, '1h')");
    ck_assert_str_eq(pg_value(pg, "SELECT count(*) FROM dsapi.release('{1,2}', "
                                  "ARRAY[("
                                  "SELECT lease_token FROM dsapi.job WHERE id "
                                  "= 1), "
                                  "gen_random_uuid()])"),
                     "1");
    ck_assert_str_eq(pg_value(pg, "SELECT string_agg(state || attempts, ',' "
                                  "ORDER BY id) FROM dsapi.job"),
                     "queued0,running1,running1");
    ck_assert_int_eq(pg_run(&rows, &err, listener, "SELECT 1"), APR_SUCCESS);
    ck_assert(dsapi_db_notification(&channel, &payload, listener, g_pool));
}
END_TEST

START_TEST(changes_are_fenced_by_the_token)
{
    pg_t *pg = queue_only();
    static const char *const calls[] = {"SELECT dsapi.hold(1, "
                                        "gen_random_uuid())",
                                        "SELECT dsapi.finish(1, "
                                        "gen_random_uuid(), '{}')"};
    dsapi_rows_t *rows;
    dsapi_err_t *err;

    pg_value(pg, "SELECT dsapi.enqueue('s/a', '{}', 3)");
    pg_value(pg, "SELECT count(*) FROM dsapi.claim('{s/a}', 3, '1h')");
    for (int i = 0; i < 2; i++) {
        pg_run(&rows, &err, pg->db, calls[i]);
        ck_assert_ptr_nonnull(err);
        ck_assert_str_eq(err->sqlstate, DSAPI_QUEUE_LEASE_LOST);
    }
    ck_assert_ptr_null(pg_value(pg, "SELECT dsapi.fail(1, gen_random_uuid(), "
                                    "'no', NULL)"));
    ck_assert_ptr_null(pg_value(pg, "SELECT dsapi.heartbeat('{1}', "
                                    "ARRAY[gen_random_uuid()], '1h')"));
    ck_assert_str_eq(pg_value(pg, "SELECT state FROM dsapi.job"), "running");
    ck_assert_str_eq(pg_value(pg, "SELECT dsapi.fail(id, lease_token, 'no', "
                                  "'1s') FROM dsapi.job"),
                     "queued");
}
END_TEST

START_TEST(a_page_is_noted_with_what_comes_next)
{
    pg_t *pg = queue_only();
    const char *token;

    pg_value(pg, "SELECT id FROM dsapi.enqueue('s', '{}', 3)");
    token = pg_value(pg, "SELECT lease_token FROM dsapi.claim(ARRAY['s'], "
                         "NULL, NULL, 1, '1h')");
    pg_value(pg, "UPDATE dsapi.job SET attempts = 3");
    pg_value(pg, "SELECT dsapi.hold_page(1, '%s', 0)", token);
    ck_assert_str_eq(pg_value(pg,
                              "SELECT dsapi.add_page(1, '%s', 'u1', 'u2', "
                              "'{\"n\":1.5,\"t\":\"a\",\"pages\":9}')",
                              token),
                     "{ \"n\" : 1.5, \"t\" : \"a\", \"pages\" : 1 }");
    ck_assert_str_eq(pg_value(pg, "SELECT concat_ws(' ', state, attempts, "
                                  "pages, next_page) FROM dsapi.job"),
                     "running 1 1 u2");
    ck_assert_str_eq(pg_value(pg,
                              "SELECT dsapi.add_page(1, '%s', 'u2', 'u3', "
                              "'{\"n\":2,\"t\":null}')",
                              token),
                     "{ \"n\" : 3.5, \"t\" : null, \"pages\" : 2 }");
    ck_assert_str_eq(
        pg_value(pg, "SELECT dsapi.add_page(1, '%s', 'u3', NULL, NULL)", token),
        "{ \"n\" : 3.5, \"t\" : null, \"pages\" : 3 }");
    ck_assert_ptr_null(pg_value(pg, "SELECT next_page FROM dsapi.job"));
}
END_TEST

START_TEST(a_page_is_fenced)
{
    pg_t *pg = queue_only();
    dsapi_rows_t *rows;
    dsapi_err_t *err;
    const char *token;

    pg_value(pg, "SELECT id FROM dsapi.enqueue('s', '{}', 3)");
    token = pg_value(pg, "SELECT lease_token FROM dsapi.claim(ARRAY['s'], "
                         "NULL, NULL, 1, '1h')");
    pg_value(pg, "SELECT dsapi.add_page(1, '%s', 'u1', 'u2', NULL)", token);
    pg_run(&rows, &err, pg->db,
           apr_psprintf(g_pool, "SELECT dsapi.hold_page(1, '%s', 0)", token));
    ck_assert_str_eq(err->sqlstate, "DS003");
    pg_run(&rows, &err, pg->db,
           apr_psprintf(g_pool,
                        "SELECT dsapi.add_page(1, '%s', 'u2', 'u1', "
                        "NULL)",
                        token));
    ck_assert_str_eq(err->code, "refused");
    pg_run(&rows, &err, pg->db,
           "SELECT dsapi.hold_page(1, gen_random_uuid(), 1)");
    ck_assert_str_eq(err->sqlstate, "DS001");
    pg_run(&rows, &err, pg->db,
           "SELECT dsapi.add_page(1, gen_random_uuid(), 'u2', 'u3', NULL)");
    ck_assert_str_eq(err->sqlstate, "DS001");
    ck_assert_str_eq(pg_value(pg, "SELECT pages FROM dsapi.job"), "1");
}
END_TEST

START_TEST(slots_are_one_behind_the_other)
{
    pg_t *pg = queue_only();

    ck_assert_str_eq(pg_value(pg, "SELECT dsapi.take_slot('s', '1h')"), "0");
    ck_assert_str_eq(pg_value(pg, "SELECT t BETWEEN 3500000000 AND 3600000000 "
                                  "FROM dsapi.take_slot('s', '1h') AS t"),
                     "t");
    ck_assert_str_eq(pg_value(pg, "SELECT t BETWEEN 7100000000 AND 7200000000 "
                                  "FROM dsapi.take_slot('s', '1h') AS t"),
                     "t");
    /* what was not used long ago is not saved up */
    pg_value(pg, "UPDATE dsapi.upstream SET next_at = 'epoch'");
    ck_assert_str_eq(pg_value(pg, "SELECT dsapi.take_slot('s', '1h')"), "0");
    ck_assert_str_eq(pg_value(pg, "SELECT dsapi.take_slot('s', '1h') > "
                                  "3500000000"),
                     "t");
}
END_TEST

/* It is applied to a database of before, whose versions no longer count. */
START_TEST(an_older_table_of_versions_is_taken_over)
{
    pg_t *pg = queue_only();

    pg_value(pg, "SELECT dsapi.touch('s/known')");
    pg_value(pg, "CREATE TABLE dsapi.series_version (name text, key text[])");
    pg_value(pg, "INSERT INTO dsapi.series_version VALUES "
                 "('s/old', '{a}'), ('s/old', '{b}'), ('s/known', '{}')");
    pg_apply(pg, "core/schema.sql");
    ck_assert_str_eq(pg_value(pg, "SELECT string_agg(name || n || ends, ' ' "
                                  "ORDER BY name) "
                                  "FROM (SELECT name, count(*) AS n, "
                                  "bool_and(ends) AS ends "
                                  "FROM dsapi.data_version GROUP BY name) AS "
                                  "v"),
                     "s/known2true s/old1true");
    ck_assert_str_eq(pg_value(pg, "SELECT to_regclass('dsapi.series_version') "
                                  "IS NULL"),
                     "t");
}
END_TEST

UNIT_SUITE(source_schema, an_older_table_of_versions_is_taken_over,
           enqueue_answers_the_live_job, enqueue_from_two_connections,
           claim_takes_what_is_due_in_order,
           a_rate_holds_one_source_back_and_no_other,
           a_long_queue_holds_up_no_other_source,
           concurrency_counts_running_jobs,
           a_limited_source_that_is_busy_is_passed_over,
           purge_leaves_the_newest_of_each_parameters,
           reap_takes_back_expired_leases, release_is_fenced_and_uncounted,
           changes_are_fenced_by_the_token,
           a_page_is_noted_with_what_comes_next, a_page_is_fenced,
           slots_are_one_behind_the_other)
