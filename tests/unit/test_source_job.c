/* src/source/job.c: what becomes of an attempt, in the hands of a worker. */
#include <apr_strings.h>
#include <string.h>

#include "unit/rig.h"
#include "unit/unit.h"

START_TEST(failing_upstream_is_tried_again)
{
    rig_t *rig = rig_make(0);
    hand_t *hand = hire(rig);

    stub_answer(rig->stub, "{\"status\":500,\"times\":2}");
    answer_always(rig);
    enqueue(rig, "a", 5);
    drive(rig, "succeeded", STATE);
    ck_assert_str_eq(job_of(rig), "succeeded 3");
    ck_assert_str_eq(stored(rig), "1");
    ck_assert_int_eq(hand->told[DSAPI_EVENT_RETRY], 2);
}
END_TEST

START_TEST(permanent_error_ends_at_once)
{
    rig_t *rig = rig_make(0);
    hand_t *hand = hire(rig);

    stub_answer(rig->stub, "{\"status\":404,\"times\":0}");
    enqueue(rig, "a", 5);
    drive(rig, "failed", STATE);
    ck_assert_str_eq(pg_value(rig->pg, "SELECT attempts FROM dsapi.job"), "1");
    ck_assert_ptr_nonnull(strstr(job_of(rig), "404"));
    drive_told(rig, hand, DSAPI_EVENT_FAILED, 1);
    ck_assert_int_eq(hand->told[DSAPI_EVENT_RETRY], 0);
}
END_TEST

START_TEST(attempts_are_exhausted)
{
    rig_t *rig = rig_make(0);
    hand_t *hand = hire(rig);

    stub_answer(rig->stub, "{\"status\":503,\"times\":0}");
    enqueue(rig, "a", 2);
    drive(rig, "failed", STATE);
    ck_assert_str_eq(pg_value(rig->pg, "SELECT attempts FROM dsapi.job"), "2");
    ck_assert_ptr_nonnull(strstr(job_of(rig), "503"));
    drive_told(rig, hand, DSAPI_EVENT_FAILED, 1);
    ck_assert_str_eq(hand->text[DSAPI_EVENT_FAILED], pg_value(rig->pg, "SELECT "
                                                                       "error "
                                                                       "FROM "
                                                                       "dsapi."
                                                                       "job"));
    ck_assert_str_eq(stored(rig), "0");
}
END_TEST

START_TEST(retry_after_is_honoured)
{
    rig_t *rig = rig_make(0);
    hand_t *hand = hire(rig);

    stub_answer(rig->stub, "{\"status\":429,\"headers\":{\"Retry-After\":"
                           "\"30\"}}");
    answer_always(rig);
    enqueue(rig, "a", 3);
    drive_told(rig, hand, DSAPI_EVENT_RETRY, 1);
    ck_assert_str_eq(pg_value(rig->pg, "SELECT (state = 'queued' AND attempts "
                                       "= 1 AND "
                                       "run_at - now() BETWEEN '25s' AND "
                                       "'31s')::text "
                                       "FROM dsapi.job"),
                     "true");
}
END_TEST

/* whatever the time is here */
START_TEST(a_date_to_retry_after_is_of_the_upstreams_clock)
{
    rig_t *rig = rig_make(0);
    hand_t *hand = hire(rig);

    stub_answer(rig->stub, "{\"status\":503,\"headers\":{"
                           "\"Date\":\"Sun, 06 Nov 1994 08:49:37 GMT\","
                           "\"Retry-After\":\"Sun, 06 Nov 1994 08:50:07 GMT"
                           "\"}}");
    answer_always(rig);
    enqueue(rig, "a", 3);
    drive_told(rig, hand, DSAPI_EVENT_RETRY, 1);
    ck_assert_str_eq(pg_value(rig->pg, "SELECT (state = 'queued' AND "
                                       "run_at - now() BETWEEN '25s' AND "
                                       "'31s')::text "
                                       "FROM dsapi.job"),
                     "true");
}
END_TEST

START_TEST(parameters_that_no_longer_fit)
{
    rig_t *rig = rig_make(0);

    hire(rig);
    pg_value(rig->pg, "SELECT dsapi.enqueue('t/data', '{\"name\":1}', 3)");
    drive(rig, "failed", STATE);
    ck_assert_ptr_nonnull(strstr(job_of(rig), "failed 1 "));
    ck_assert_ptr_nonnull(strstr(job_of(rig), "name"));
}
END_TEST

START_TEST(wrong_answers_are_not_stored)
{
    rig_t *rig = rig_make(0);
    hand_t *hand = hire(rig);

    rig->source.max_body_bytes = 100;
    stub_answer(rig->stub, "{\"body\":\"[1\",\"headers\":"
                           "{\"Content-Type\":\"application/json\"}}");
    stub_answer(rig->stub, "{\"body\":\"<p>\",\"headers\":"
                           "{\"Content-Type\":\"text/html\"}}");
    stub_answer(rig->stub, apr_psprintf(g_pool,
                                        "{\"body\":\"[%200d]\",\"headers\":"
                                        "{\"Content-Type\":\"application/"
                                        "json\"}}",
                                        1));
    answer_always(rig);
    enqueue(rig, "a", 9);
    drive(rig, "failed", STATE); /* it would be too large again */
    ck_assert_str_eq(stored(rig), "0");
    drive_told(rig, hand, DSAPI_EVENT_FAILED, 1);
    ck_assert_int_eq(hand->told[DSAPI_EVENT_RETRY], 2);
}
END_TEST

START_TEST(error_names_no_host)
{
    rig_t *rig = rig_make(0);
    hand_t *hand = hire(rig);

    stub_answer(rig->stub, "{\"status\":0,\"times\":0}");
    enqueue(rig, "a", 1);
    drive(rig, "failed", STATE);
    ck_assert_ptr_null(strstr(job_of(rig), "127.0.0.1"));
    ck_assert_ptr_null(strstr(job_of(rig), "/x/"));
    drive_told(rig, hand, DSAPI_EVENT_FAILED, 1);
}
END_TEST

/** From now on the stand-in's answers are known by an ETag. */
static void answer_known(const rig_t *rig, const char *etag, const char *body)
{
    stub_answer(rig->stub, apr_psprintf(g_pool,
                                        "{\"path\":\"/x/"
                                        "\",\"body\":\"%s\",\"headers\":"
                                        "{\"Content-Type\":\"application/"
                                        "json\","
                                        "\"ETag\":\"%s\"}}",
                                        body, etag));
}

static void run_job(rig_t *rig, const char *key)
{
    enqueue(rig, key, 1);
    drive(rig, "t", "SELECT bool_and(finished_at IS NOT NULL) FROM dsapi.job");
}

static int asked_with(const rig_t *rig, const char *header)
{
    const char *log = stub_ask(rig->stub, "GET", "/_stub/log", "");
    int n = 0;

    while ((log = strstr(log, header))) {
        log += strlen(header);
        n++;
    }
    return n;
}

START_TEST(unchanged_answers_are_not_stored_again)
{
    rig_t *rig = rig_make(0);

    rig->source.definition = "one";
    hire(rig);
    answer_known(rig, "v1", "[1]");
    run_job(rig, "a");
    ck_assert_int_eq(asked_with(rig, "If-None-Match"), 0);
    stub_answer(rig->stub, "{\"status\":304}");
    run_job(rig, "a");
    ck_assert_int_eq(asked_with(rig, "\"If-None-Match\":\"v1\""), 1);
    ck_assert_str_eq(job_of(rig), "succeeded 1");
    ck_assert_str_eq(pg_value(rig->pg, "SELECT result FROM dsapi.job ORDER BY "
                                       "id DESC LIMIT 1"),
                     "{\"unchanged\":true}");
    ck_assert_str_eq(stored(rig), "1");
    /* and it is still known */
    stub_answer(rig->stub, "{\"status\":304}");
    run_job(rig, "a");
    ck_assert_int_eq(asked_with(rig, "\"If-None-Match\":\"v1\""), 2);
    /* what comes anew is stored, and known by its own; or by none */
    answer_known(rig, "v2", "[2]");
    run_job(rig, "a");
    ck_assert_str_eq(stored(rig), "2");
    answer_always(rig);
    run_job(rig, "a");
    ck_assert_int_eq(asked_with(rig, "\"If-None-Match\":\"v2\""), 1);
    run_job(rig, "a");
    ck_assert_int_eq(asked_with(rig, "If-None-Match"), 4);
    ck_assert_str_eq(pg_value(rig->pg, "SELECT count(*) FROM dsapi.validator"),
                     "0");
}
END_TEST

START_TEST(only_what_was_stored_is_asked_for_by_its_etag)
{
    rig_t *rig = rig_make(0);
    hand_t *hand;

    rig->source.definition = "one";
    hand = hire(rig);
    answer_known(rig, "v1", "[1]");
    run_job(rig, "a");
    /* other parameters */
    answer_known(rig, "v1", "[1]");
    run_job(rig, "b");
    ck_assert_int_eq(asked_with(rig, "If-None-Match"), 0);
    /* a failed attempt does not change what is known */
    answer_known(rig, "v2", "[");
    run_job(rig, "a");
    ck_assert_int_eq(asked_with(rig, "\"v1\""), 1);
    answer_known(rig, "v3", "[3]");
    run_job(rig, "a");
    ck_assert_int_eq(asked_with(rig, "\"v1\""), 2);
    /* another definition, or one that does not want to */
    rig->source.definition = "two";
    answer_known(rig, "v4", "[4]");
    run_job(rig, "a");
    ck_assert_int_eq(asked_with(rig, "If-None-Match"), 2);
    rig->source.post = 1;
    answer_known(rig, "v5", "[5]");
    run_job(rig, "a");
    ck_assert_int_eq(asked_with(rig, "If-None-Match"), 2);
    ck_assert_int_eq(hand->told[DSAPI_EVENT_QUEUE], 0);
}
END_TEST

START_TEST(unasked_304_is_an_error)
{
    rig_t *rig = rig_make(0);

    rig->source.definition = "one";
    hire(rig);
    stub_answer(rig->stub, "{\"status\":304}");
    run_job(rig, "a");
    ck_assert_str_eq(job_of(rig), "failed 1 the upstream answered 304 Not "
                                  "Modified");
}
END_TEST

/* what is kept of the last failed attempt */
#define KEPT                                                 \
    "SELECT concat_ws(' ', response_status, response_type, " \
    "length(response_body)) FROM dsapi.job ORDER BY id DESC LIMIT 1"

START_TEST(a_failed_answer_is_kept)
{
    rig_t *rig = rig_make(0);

    hire(rig);
    stub_answer(rig->stub, "{\"status\":500}");
    run_job(rig, "a");
    ck_assert_str_eq(pg_value(rig->pg, KEPT), "500 0");
    stub_answer(rig->stub, "{\"body\":\"<p>\\u0000\\u00e9\",\"headers\":"
                           "{\"Content-Type\":\"text/html\"}}");
    run_job(rig, "a");
    ck_assert_str_eq(pg_value(rig->pg, KEPT), "200 text/html 6");
    ck_assert_str_eq(pg_value(rig->pg, "SELECT encode(response_body, 'hex') "
                                       "FROM "
                                       "dsapi.job ORDER BY id DESC LIMIT 1"),
                     "3c703e00c3a9");
    stub_answer(rig->stub, apr_psprintf(g_pool, "{\"body\":\"%070000d\"}", 1));
    run_job(rig, "a");
    ck_assert_str_eq(pg_value(rig->pg, KEPT), "200 65536");
    /* nothing came: there is nothing to keep */
    stub_answer(rig->stub, "{\"status\":0,\"times\":0}");
    run_job(rig, "a");
    ck_assert_str_eq(pg_value(rig->pg, KEPT), "");
}
END_TEST

START_TEST(what_is_kept_goes_with_success_and_has_no_secrets)
{
    rig_t *rig = rig_make(0);
    apr_array_header_t *secrets = apr_array_make(g_pool, 1, sizeof(char *));

    APR_ARRAY_PUSH(secrets, const char *) = "sesame";
    rig->source.secrets = secrets;
    rig->source.store = store_of("SELECT 1/(:body::text::integer)");
    hire(rig);
    stub_answer(rig->stub, "{\"status\":500,\"body\":\"you said sesame, "
                           "sesame\"}");
    run_job(rig, "a");
    ck_assert_str_eq(pg_value(rig->pg, "SELECT convert_from(response_body, "
                                       "'UTF8') FROM "
                                       "dsapi.job"),
                     "you said ******, ******");
    /* nor the beginning of one, where no more is kept */
    stub_answer(rig->stub, apr_psprintf(g_pool,
                                        "{\"status\":500,\"body\":\"%"
                                        "065533dsesame"
                                        "\"}",
                                        1));
    run_job(rig, "c");
    ck_assert_str_eq(pg_value(rig->pg, "SELECT convert_from(substr("
                                       "response_body, 65533), 'UTF8') "
                                       "FROM dsapi.job WHERE params->>'key' = "
                                       "'c'"),
                     "1***");
    /* kept where the SQL refuses it, too; not once it is stored */
    stub_answer(rig->stub, "{\"body\":\"0\"}");
    stub_answer(rig->stub, "{\"body\":\"1\"}");
    enqueue(rig, "b", 1);
    drive(rig, "failed", STATE);
    ck_assert_str_eq(pg_value(rig->pg, KEPT), "200 1");
    pg_value(rig->pg, "UPDATE dsapi.job SET state = 'queued', max_attempts = 9 "
                      "WHERE params->>'key' = 'b' RETURNING 1");
    drive(rig, "succeeded", STATE);
    ck_assert_str_eq(pg_value(rig->pg, KEPT), "");
}
END_TEST

START_TEST(posts_the_parameters)
{
    rig_t *rig = rig_make(0);
    apr_array_header_t *headers = apr_array_make(g_pool, 1, sizeof(char *));

    rig->source.post = 1;
    hire(rig);
    answer_always(rig);
    run_job(rig, "a");
    ck_assert_int_eq(asked_with(rig, "\"method\":\"POST\""), 1);
    ck_assert_int_eq(asked_with(rig, "\"Content-Type\":\"application/json\""),
                     1);
    ck_assert_int_eq(asked_with(rig, "\"body\":\"{\\\"key\\\": \\\"a\\\"}\""),
                     1);
    APR_ARRAY_PUSH(headers, const char *) = "content-type: x/y";
    rig->source.headers = headers;
    rig->source.body = "{\"q\":\":key\"}";
    run_job(rig, "b");
    ck_assert_int_eq(asked_with(rig, "\"body\":\"{\\\"q\\\":\\\"b\\\"}\""), 1);
    ck_assert_int_eq(asked_with(rig, "\"content-type\":\"x/y\""), 1);
    ck_assert_int_eq(asked_with(rig, "\"Content-Type\":\"application/json\""),
                     1);
}
END_TEST

UNIT_SUITE(source_job, failing_upstream_is_tried_again,
           permanent_error_ends_at_once, attempts_are_exhausted,
           retry_after_is_honoured,
           a_date_to_retry_after_is_of_the_upstreams_clock,
           parameters_that_no_longer_fit, wrong_answers_are_not_stored,
           error_names_no_host, unchanged_answers_are_not_stored_again,
           only_what_was_stored_is_asked_for_by_its_etag,
           unasked_304_is_an_error, a_failed_answer_is_kept,
           what_is_kept_goes_with_success_and_has_no_secrets,
           posts_the_parameters)
