/* source/queue: the queue's SQL as calls. */
#include "source/queue.h"

#include <apr_strings.h>

#include "unit/unit.h"

/* "text|value|NULL"; every $n of the text has a value, and no other. */
static const char *shown(const dsapi_call_t *call)
{
    const char *text = call->sql->text;

    ck_assert_ptr_null(call->types);
    for (int i = 1; i < 9; i++) {
        int there =
            strstr(call->sql->text, apr_psprintf(g_pool, "$%d", i)) != NULL;

        ck_assert_int_eq(there, i <= call->sql->nparams);
    }
    for (int i = 0; i < call->sql->nparams; i++) {
        text = apr_pstrcat(g_pool, text, "|",
                           call->values[i] ? call->values[i] : "NULL", NULL);
    }
    return text;
}

static apr_array_header_t *list(const char *a, const char *b)
{
    apr_array_header_t *items = apr_array_make(g_pool, 2, sizeof(char *));

    if (a) {
        APR_ARRAY_PUSH(items, const char *) = a;
    }
    if (b) {
        APR_ARRAY_PUSH(items, const char *) = b;
    }
    return items;
}

START_TEST(listen_names_the_channel)
{
    dsapi_call_t call;

    dsapi_queue_listen(&call, g_pool);
    ck_assert_str_eq(shown(&call), "LISTEN dsapi_job");
}
END_TEST

static dsapi_source_t one = {.name = "s/a", .job_keep = 5000000};
static dsapi_source_t other = {
    .name = "s/\"b", .every = 200000, .concurrency = 4, .job_keep = 60000000};

static apr_array_header_t *sources(dsapi_source_t *a, dsapi_source_t *b)
{
    return list((const char *)(const void *)a, (const char *)(const void *)b);
}

START_TEST(claim_gives_the_columns_of_a_job)
{
    dsapi_call_t call;

    dsapi_queue_claim(&call, sources(&one, &other), 16, apr_time_from_sec(90),
                      g_pool);
    ck_assert_str_eq(shown(&call), "SELECT j.id, j.lease_token AS token, "
                                   "j.source, j.params, j.attempts, "
                                   "j.max_attempts, j.trace, v.definition, "
                                   "v.etag, v.last_modified, j.pages, "
                                   "j.next_page FROM "
                                   "dsapi.claim($1::text[], $2::interval[], "
                                   "$3::integer[], $4::integer, "
                                   "$5::interval) AS j LEFT JOIN LATERAL "
                                   "(SELECT * FROM dsapi.validator "
                                   "WHERE source = j.source AND "
                                   "md5(params::text) = md5(j.params::text) "
                                   "AND params = j.params LIMIT 1) AS v ON "
                                   "true|"
                                   "{\"s/a\",\"s/\\\"b\"}|{NULL,\"200000 "
                                   "microseconds\"}|"
                                   "{NULL,\"4\"}|16|90000000 microseconds");
    dsapi_queue_claim(&call, sources(NULL, NULL), 0, 1, g_pool);
    ck_assert_str_eq(call.values[0], "{}");
    ck_assert_str_eq(call.values[3], "0");
    ck_assert_str_eq(call.values[4], "1 microseconds");
}
END_TEST

START_TEST(heartbeat_has_ids_and_tokens)
{
    dsapi_call_t call;

    dsapi_queue_heartbeat(&call, list("1", "2"), list("t", "u"), 1500000,
                          g_pool);
    ck_assert_str_eq(shown(&call), "SELECT heartbeat FROM "
                                   "dsapi.heartbeat($1::bigint[], "
                                   "$2::uuid[], "
                                   "$3::interval)|{\"1\",\"2\"}|{\"t\",\"u\"}|"
                                   "1500000 microseconds");
}
END_TEST

START_TEST(release_has_ids_and_tokens)
{
    dsapi_call_t call;

    dsapi_queue_release(&call, list("1", NULL), list("t", NULL), g_pool);
    ck_assert_str_eq(shown(&call), "SELECT dsapi.release($1::bigint[], "
                                   "$2::uuid[])|{\"1\"}|{\"t\"}");
}
END_TEST

START_TEST(a_transaction_begins_and_ends)
{
    dsapi_call_t call;

    dsapi_queue_begin(&call, g_pool);
    ck_assert_str_eq(shown(&call), "BEGIN");
    dsapi_queue_commit(&call, g_pool);
    ck_assert_str_eq(shown(&call), "COMMIT");
    dsapi_queue_rollback(&call, g_pool);
    ck_assert_str_eq(shown(&call), "ROLLBACK");
}
END_TEST

START_TEST(a_limit_is_in_milliseconds)
{
    static const struct {
        apr_interval_time_t timeout;
        const char *ms;
    } rows[] = {{0, "0"},
                {1, "1"},
                {999, "1"},
                {1000, "1"},
                {1001, "2"},
                {APR_TIME_C(30000000), "30000"},
                {APR_TIME_C(2147483647000), "2147483647"},
                {APR_TIME_C(2147483647001), "2147483647"},
                {APR_INT64_MAX, "2147483647"}};

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        dsapi_call_t call;

        dsapi_queue_limit(&call, rows[i].timeout, g_pool);
        ck_assert_str_eq(shown(&call), apr_pstrcat(g_pool,
                                                   "SELECT "
                                                   "set_config('statement_"
                                                   "timeout', "
                                                   "$1, true)|",
                                                   rows[i].ms, NULL));
    }
}
END_TEST

START_TEST(hold_and_finish_have_id_and_token)
{
    dsapi_call_t call;

    dsapi_queue_hold(&call, "7", "t", g_pool);
    ck_assert_str_eq(shown(&call), "SELECT dsapi.hold($1::bigint, "
                                   "$2::uuid)|7|t");
    dsapi_queue_finish(&call, "7", "t", "{\"a\":1}", g_pool);
    ck_assert_str_eq(shown(&call), "SELECT dsapi.finish($1::bigint, $2::uuid, "
                                   "$3::json)|7|t|{\"a\":1}");
    dsapi_queue_finish(&call, "7", "t", NULL, g_pool);
    ck_assert_ptr_null(call.values[2]);
}
END_TEST

START_TEST(fail_may_be_for_good)
{
    dsapi_call_t call;

    dsapi_queue_fail(&call, "7", "t", "it's gone", 2500000, g_pool);
    ck_assert_str_eq(shown(&call), "SELECT fail FROM dsapi.fail($1::bigint, "
                                   "$2::uuid, "
                                   "$3::text, $4::interval)|7|t|it's "
                                   "gone|2500000 "
                                   "microseconds");
    dsapi_queue_fail(&call, "7", "t", "e", 0, g_pool);
    ck_assert_str_eq(call.values[3], "0 microseconds");
    dsapi_queue_fail(&call, "7", "t", "e", -1, g_pool);
    ck_assert_ptr_null(call.values[3]);
}
END_TEST

START_TEST(reap_and_keep_name_the_sources)
{
    static const dsapi_queue_plan_t plan = {"n", "r", "z"};
    dsapi_call_t call;

    dsapi_queue_reap(&call, sources(&one, &other), g_pool);
    ck_assert_str_eq(shown(&call), "SELECT dsapi.reap(), "
                                   "dsapi.due_in($1::text[]), dsapi.lost_in()|"
                                   "{\"s/a\",\"s/\\\"b\"}");
    dsapi_queue_keep(&call, sources(&one, &other), &plan, g_pool);
    ck_assert_str_eq(shown(&call), "SELECT dsapi.purge($1::text[], "
                                   "$2::interval[], 1000), "
                                   "dsapi.plan($3::text[], $4::jsonb[], "
                                   "$5::text[])|"
                                   "{\"s/a\",\"s/\\\"b\"}|"
                                   "{\"5000000 microseconds\","
                                   "\"60000000 microseconds\"}|n|r|z");
}
END_TEST

START_TEST(an_answer_is_remembered_and_kept)
{
    dsapi_call_t call;

    dsapi_queue_remember(&call, "7", "abc", "\"1\"", NULL, g_pool);
    ck_assert_str_eq(call.sql->text, "SELECT dsapi.remember($1::bigint, "
                                     "$2::text, $3::text, $4::text)");
    ck_assert_str_eq(call.values[2], "\"1\"");
    ck_assert_ptr_null(call.values[3]);
    dsapi_queue_keep_answer(&call, "7", "t", 500, NULL, "00ff", g_pool);
    ck_assert_str_eq(call.sql->text, "SELECT dsapi.keep_answer($1::bigint, "
                                     "$2::uuid, "
                                     "$3::integer, "
                                     "$4::text, decode($5, 'hex'))");
    ck_assert_str_eq(call.values[2], "500");
    ck_assert_ptr_null(call.values[3]);
    ck_assert_str_eq(call.values[4], "00ff");
}
END_TEST

UNIT_SUITE(source_queue, listen_names_the_channel,
           claim_gives_the_columns_of_a_job, heartbeat_has_ids_and_tokens,
           release_has_ids_and_tokens, a_transaction_begins_and_ends,
           a_limit_is_in_milliseconds, hold_and_finish_have_id_and_token,
           fail_may_be_for_good, reap_and_keep_name_the_sources,
           an_answer_is_remembered_and_kept)
