/* src/source/job.c: what becomes of an attempt, in the hands of a worker. */
#include <apr_strings.h>

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

UNIT_SUITE(source_job, failing_upstream_is_tried_again,
           permanent_error_ends_at_once, attempts_are_exhausted,
           retry_after_is_honoured, parameters_that_no_longer_fit,
           wrong_answers_are_not_stored, error_names_no_host)
