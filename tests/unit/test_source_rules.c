/* source/rules: when to try again, and which answers are good. */
#include "source/rules.h"

#include <apr_strings.h>

#include "unit/unit.h"

#define DAY apr_time_from_sec(86400)

static const dsapi_retry_t usual = {5, apr_time_from_sec(2),
                                    apr_time_from_sec(600)};

START_TEST(the_bound_doubles_up_to_the_greatest)
{
    apr_interval_time_t bound = usual.first;

    for (int attempt = 1; attempt <= 1000; attempt++) {
        apr_interval_time_t most =
            dsapi_source_backoff(&usual, attempt, 0xffffffffU, 0);

        ck_assert_int_eq(dsapi_source_backoff(&usual, attempt, 0, 0), 0);
        ck_assert_int_lt(most, bound);
        ck_assert_int_ge(most, bound - 1);
        bound = bound * 2 > usual.max ? usual.max : bound * 2;
    }
}
END_TEST

START_TEST(the_wait_is_spread_evenly)
{
    ck_assert_int_eq(dsapi_source_backoff(&usual, 1, 0x80000000U, 0),
                     apr_time_from_sec(1));
    ck_assert_int_eq(dsapi_source_backoff(&usual, 2, 0x40000000U, 0),
                     apr_time_from_sec(1));
    ck_assert_int_eq(dsapi_source_backoff(&usual, 100, 0x80000000U, 0),
                     apr_time_from_sec(300));
}
END_TEST

START_TEST(no_bound_overflows)
{
    static const apr_interval_time_t firsts[] = {1, 3, APR_INT64_MAX / 2,
                                                 APR_INT64_MAX};

    for (int i = 0; i < 4; i++) {
        const dsapi_retry_t retry = {1000, firsts[i], APR_INT64_MAX};

        for (int attempt = 1; attempt <= 1000; attempt++) {
            apr_interval_time_t most =
                dsapi_source_backoff(&retry, attempt, 0xffffffffU, 0);

            ck_assert_int_ge(most, 0);
            ck_assert_int_ge(most, retry.first / 2);
            ck_assert_int_eq(dsapi_source_backoff(&retry, attempt, 0, 0), 0);
        }
    }
}
END_TEST

START_TEST(a_first_wait_above_the_greatest_is_cut)
{
    const dsapi_retry_t retry = {2, apr_time_from_sec(60),
                                 apr_time_from_sec(10)};

    ck_assert_int_lt(dsapi_source_backoff(&retry, 1, 0xffffffffU, 0),
                     apr_time_from_sec(10));
}
END_TEST

START_TEST(no_wait_is_no_wait)
{
    static const dsapi_retry_t none[] = {
        {2, 0, 0}, {2, 0, 100}, {2, 100, 0}, {2, -5, -5}, {2, -5, 100}};

    for (int i = 0; i < 5; i++) {
        for (int attempt = 1; attempt <= 1000; attempt += 111) {
            ck_assert_int_eq(
                dsapi_source_backoff(&none[i], attempt, 0xffffffffU, 0), 0);
        }
    }
}
END_TEST

START_TEST(the_upstream_is_never_asked_too_early)
{
    const apr_interval_time_t asked = apr_time_from_sec(700);

    ck_assert_int_eq(dsapi_source_backoff(&usual, 1, 0, asked), asked);
    ck_assert_int_eq(dsapi_source_backoff(&usual, 1000, 0xffffffffU, asked),
                     asked);
    ck_assert_int_gt(
        dsapi_source_backoff(&usual, 1000, 0xffffffffU, apr_time_from_sec(1)),
        apr_time_from_sec(599));
    ck_assert_int_eq(dsapi_source_backoff(&usual, 1, 0, -1), 0);
}
END_TEST

START_TEST(what_the_upstream_asks_for_ends_at_a_day)
{
    ck_assert_int_eq(dsapi_source_backoff(&usual, 1, 0, DAY), DAY);
    ck_assert_int_eq(dsapi_source_backoff(&usual, 1, 0, DAY + 1), DAY);
    ck_assert_int_eq(dsapi_source_backoff(&usual, 1, 0, APR_INT64_MAX), DAY);
}
END_TEST

START_TEST(retry_after_takes_seconds)
{
    ck_assert_int_eq(dsapi_source_retry_after("0", 0), 0);
    ck_assert_int_eq(dsapi_source_retry_after("2", 0), apr_time_from_sec(2));
    ck_assert_int_eq(dsapi_source_retry_after(" 120 ", 0),
                     apr_time_from_sec(120));
    ck_assert_int_eq(dsapi_source_retry_after("86400", 0), DAY);
}
END_TEST

START_TEST(retry_after_ends_at_a_day)
{
    ck_assert_int_eq(dsapi_source_retry_after("86401", 0), DAY);
    ck_assert_int_eq(dsapi_source_retry_after("99999999999999999999999", 0),
                     DAY);
    ck_assert_int_eq(
        dsapi_source_retry_after("Fri, 31 Dec 2199 23:59:59 GMT", 0), DAY);
}
END_TEST

/* RFC 9110, 5.6.7 */
START_TEST(retry_after_takes_every_form_of_date)
{
    static const char *const dates[] = {
        "Sun, 06 Nov 1994 08:49:37 GMT",
        "Sunday, 06-Nov-94 08:49:37 GMT",
        "Sun Nov  6 08:49:37 1994",
    };
    const apr_time_t then = apr_time_from_sec(784111777);

    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(
            dsapi_source_retry_after(dates[i], then - apr_time_from_sec(90)),
            apr_time_from_sec(90));
        ck_assert_int_eq(dsapi_source_retry_after(dates[i], then - 1), 1);
        ck_assert_int_eq(dsapi_source_retry_after(dates[i], then), 0);
        ck_assert_int_eq(dsapi_source_retry_after(dates[i], then + DAY), 0);
    }
}
END_TEST

START_TEST(a_retry_after_that_is_none_is_zero)
{
    static const char *const values[] = {
        "",
        " ",
        "-5",
        "+5",
        "1.5",
        "2s",
        "0x10",
        "soon",
        "1,2",
        "1 2",
        "\xff",
        "1e3",
        "Sun, 99 Foo 1994 08:49:37 GMT",
        "Sun, 06 Nov",
        ",",
    };

    ck_assert_int_eq(dsapi_source_retry_after(NULL, 0), 0);
    for (int i = 0; i < (int)(sizeof(values) / sizeof(values[0])); i++) {
        ck_assert_msg(dsapi_source_retry_after(values[i], 0) == 0, "%s",
                      values[i]);
    }
}
END_TEST

static dsapi_response_t answer(int status, const char *type, const char *body)
{
    return (dsapi_response_t){.status = status,
                              .content_type = type,
                              .body = body,
                              .body_bytes = body ? strlen(body) : 0};
}

static apr_status_t judge(dsapi_json_slice_t *pbody, int *pretry,
                          dsapi_err_t **perr, const dsapi_response_t *resp)
{
    dsapi_expect_t expect = dsapi_expect_make(g_pool);

    return dsapi_source_judge(pbody, pretry, perr, &expect, resp, g_pool);
}

/* @return the reason why an answer is not good; *pretry as judged */
static const char *refusal(int *pretry, const dsapi_response_t *resp,
                           const char *code)
{
    dsapi_json_slice_t body = {"untouched", 9, DSAPI_JSON_NULL};
    dsapi_err_t *err = NULL;

    *pretry = -1;
    ck_assert_int_eq(judge(&body, pretry, &err, resp), DSAPI_EUNPROC);
    ck_assert_str_eq(body.p, "untouched");
    ck_assert_int_eq(err->rv, DSAPI_EUNPROC);
    ck_assert_str_eq(err->code, code);
    return err->detail;
}

START_TEST(a_good_answer_is_its_document)
{
    static const char *const types[] = {
        NULL,
        "",
        "application/json",
        "application/json; charset=utf-8",
        "Application/JSON;charset=UTF-8",
        " text/json ; x=y",
        "application/geo+json",
        "application/vnd.api+JSON",
        "application/problem+json",
    };
    static const int statuses[] = {200, 201, 203, 206, 299};

    for (int i = 0; i < (int)(sizeof(types) / sizeof(types[0])); i++) {
        dsapi_response_t resp = answer(statuses[i % 5], types[i], " [1, 2]\n");
        dsapi_json_slice_t body;
        dsapi_err_t *err = (dsapi_err_t *)g_pool;
        int retry = -1;

        ck_assert_int_eq(judge(&body, &retry, &err, &resp), APR_SUCCESS);
        ck_assert_ptr_eq(body.p, resp.body + 1);
        ck_assert_uint_eq(body.len_bytes, 6);
        ck_assert_int_eq(body.kind, DSAPI_JSON_ARRAY);
        ck_assert_int_eq(retry, 0);
        ck_assert_ptr_null(err);
    }
}
END_TEST

START_TEST(a_status_that_may_pass_is_tried_again)
{
    static const struct {
        int status;
        const char *reason;
    } rows[] = {
        {408, "the upstream answered 408 Request Timeout"},
        {425, "the upstream answered 425 Too Early"},
        {429, "the upstream answered 429 Too Many Requests"},
        {500, "the upstream answered 500 Internal Server Error"},
        {502, "the upstream answered 502 Bad Gateway"},
        {503, "the upstream answered 503 Service Unavailable"},
        {504, "the upstream answered 504 Gateway Timeout"},
        {599, "the upstream answered 599"},
    };

    for (int i = 0; i < (int)(sizeof(rows) / sizeof(rows[0])); i++) {
        dsapi_response_t resp = answer(rows[i].status, "text/html", "<html>");
        int retry;

        ck_assert_str_eq(refusal(&retry, &resp, "upstream-status"),
                         rows[i].reason);
        ck_assert_int_eq(retry, 1);
    }
}
END_TEST

START_TEST(a_status_that_stays_is_not_tried_again)
{
    static const struct {
        int status;
        const char *reason;
    } rows[] = {
        {100, "the upstream answered 100"},
        {199, "the upstream answered 199"},
        {300, "the upstream answered 300 Multiple Choices"},
        {301, "the upstream answered 301 Moved Permanently"},
        {304, "the upstream answered 304 Not Modified"},
        {400, "the upstream answered 400 Bad Request"},
        {401, "the upstream answered 401 Unauthorized"},
        {403, "the upstream answered 403 Forbidden"},
        {404, "the upstream answered 404 Not Found"},
        {410, "the upstream answered 410 Gone"},
        {422, "the upstream answered 422 Unprocessable Content"},
        {499, "the upstream answered 499"},
        {600, "the upstream answered 600"},
    };

    for (int i = 0; i < (int)(sizeof(rows) / sizeof(rows[0])); i++) {
        dsapi_response_t resp =
            answer(rows[i].status, "application/json", "[]");
        int retry;

        ck_assert_str_eq(refusal(&retry, &resp, "upstream-status"),
                         rows[i].reason);
        ck_assert_int_eq(retry, 0);
    }
}
END_TEST

START_TEST(a_failed_transfer_is_told_as_given_and_tried_again)
{
    dsapi_response_t resp = answer(0, NULL, NULL);
    int retry;

    ck_assert_str_eq(refusal(&retry, &resp, "upstream-unreachable"), "the "
                                                                     "upstream "
                                                                     "did not "
                                                                     "answer");
    ck_assert_int_eq(retry, 1);
    /* even behind a good status: the answer is not whole */
    resp = answer(200, "application/json", "[1]");
    resp.transport = "the transfer was cut off";
    ck_assert_str_eq(refusal(&retry, &resp, "upstream-unreachable"), "the "
                                                                     "transfer "
                                                                     "was cut "
                                                                     "off");
    ck_assert_int_eq(retry, 1);
    resp.final = 1;
    refusal(&retry, &resp, "upstream-unreachable");
    ck_assert_int_eq(retry, 0);
    resp = answer(404, "application/json", "[1]");
    resp.transport = "no connection: 100% down";
    ck_assert_str_eq(refusal(&retry, &resp, "upstream-unreachable"), "no "
                                                                     "connectio"
                                                                     "n: 100% "
                                                                     "down");
    ck_assert_int_eq(retry, 1);
}
END_TEST

START_TEST(another_content_type_is_named_and_tried_again)
{
    static const struct {
        const char *type;
        const char *reason;
    } rows[] = {
        {"text/html", "the upstream answered text/html, not JSON"},
        {"Text/HTML; charset=utf-8", "the upstream answered text/html, not "
                                     "JSON"},
        {"application/jsonp", "the upstream answered application/jsonp, not "
                              "JSON"},
        {"text/plain", "the upstream answered text/plain, not JSON"},
        {"image/svg+xml", "the upstream answered image/svg+xml, not JSON"},
    };

    for (int i = 0; i < (int)(sizeof(rows) / sizeof(rows[0])); i++) {
        dsapi_response_t resp = answer(200, rows[i].type, "[1]");
        int retry;

        ck_assert_str_eq(refusal(&retry, &resp, "upstream-type"),
                         rows[i].reason);
        ck_assert_int_eq(retry, 1);
    }
}
END_TEST

START_TEST(a_content_type_that_is_none_is_not_repeated)
{
    static const char *const types[] = {
        "http://internal.example/x",
        "json",
        "/json",
        "application/",
        "a/b/c",
        "application /json",
        "text/h\xff",
        "<script>/x",
        "text/html, x",
        "application/json x",
        ";",
        "+json",
    };

    for (int i = 0; i < (int)(sizeof(types) / sizeof(types[0])); i++) {
        dsapi_response_t resp = answer(200, types[i], "[1]");
        int retry;

        ck_assert_str_eq(refusal(&retry, &resp, "upstream-type"), "the "
                                                                  "upstream "
                                                                  "answered an "
                                                                  "unreadable "
                                                                  "content "
                                                                  "type, not "
                                                                  "JSON");
        ck_assert_int_eq(retry, 1);
    }
}
END_TEST

START_TEST(a_long_content_type_is_not_repeated)
{
    char type[1000] = "text/";
    dsapi_response_t resp;
    int retry;

    memset(type + 5, 'x', sizeof(type) - 6);
    resp = answer(200, type, "[1]");
    ck_assert_uint_lt(strlen(refusal(&retry, &resp, "upstream-type")), 100);
}
END_TEST

START_TEST(an_empty_answer_is_called_so_and_tried_again)
{
    dsapi_response_t resp = answer(200, "application/json", NULL);
    int retry;

    ck_assert_str_eq(refusal(&retry, &resp, "upstream-empty"), "the upstream's "
                                                               "answer is "
                                                               "empty");
    ck_assert_int_eq(retry, 1);
    resp = answer(204, NULL, "");
    ck_assert_str_eq(refusal(&retry, &resp, "upstream-empty"), "the upstream's "
                                                               "answer is "
                                                               "empty");
    ck_assert_int_eq(retry, 1);
}
END_TEST

START_TEST(a_broken_document_is_described_and_tried_again)
{
    dsapi_response_t resp = answer(200, "application/json", "[1, x]");
    int retry;

    ck_assert_str_eq(refusal(&retry, &resp, "upstream-json"), "the upstream's "
                                                              "answer is not "
                                                              "JSON: line 1, "
                                                              "column 5: "
                                                              "invalid token");
    ck_assert_int_eq(retry, 1);
    resp = answer(200, "application/json", "[1, 2");
    ck_assert_ptr_nonnull(strstr(refusal(&retry, &resp, "upstream-json"), "near"
                                                                          " end"
                                                                          " of "
                                                                          "fil"
                                                                          "e"));
    ck_assert_int_eq(retry, 1);
}
END_TEST

START_TEST(only_the_log_sees_the_text_around_a_mistake)
{
    dsapi_response_t resp =
        answer(200, NULL, "{\"http://db.int\":1,\"http://db.int\":2}");
    dsapi_json_slice_t body;
    dsapi_err_t *err = NULL;
    int retry;

    judge(&body, &retry, &err, &resp);
    ck_assert_ptr_null(strstr(err->detail, "db.int"));
    ck_assert_ptr_nonnull(strstr(err->detail, "duplicate"));
    ck_assert_ptr_nonnull(strstr(err->internal, "db.int"));
}
END_TEST

START_TEST(what_is_expected_is_good)
{
    dsapi_expect_t expect = dsapi_expect_make(g_pool);
    dsapi_response_t resp = answer(404, "text/plain", "{\"a\":{\"b\":[1]}}");
    dsapi_json_slice_t body;
    dsapi_err_t *err = NULL;
    int retry = -1;

    ck_assert_int_eq(
        dsapi_source_judge(&body, &retry, &err, &expect, &resp, g_pool),
        DSAPI_EUNPROC);
    dsapi_expect_add(&expect, &err, "status", "404", g_pool);
    ck_assert_int_eq(
        dsapi_source_judge(&body, &retry, &err, &expect, &resp, g_pool),
        DSAPI_EUNPROC);
    ck_assert_str_eq(err->detail, "the upstream answered text/plain, not JSON");
    dsapi_expect_add(&expect, &err, "type", "text/*", g_pool);
    dsapi_expect_add(&expect, &err, "pointer", "/a/b", g_pool);
    ck_assert_int_eq(
        dsapi_source_judge(&body, &retry, &err, &expect, &resp, g_pool),
        APR_SUCCESS);
    ck_assert_int_eq(retry, 0);
    ck_assert_uint_eq(body.len_bytes, 3);
    ck_assert_int_eq(strncmp(body.p, "[1]", 3), 0);
}
END_TEST

START_TEST(what_is_not_expected_is_told)
{
    dsapi_expect_t expect = dsapi_expect_make(g_pool);
    dsapi_response_t resp = answer(200, "text/html", "[]");
    dsapi_json_slice_t body;
    dsapi_err_t *err = NULL;
    int retry = -1;

    dsapi_expect_add(&expect, &err, "status", "201", g_pool);
    ck_assert_int_eq(
        dsapi_source_judge(&body, &retry, &err, &expect, &resp, g_pool),
        DSAPI_EUNPROC);
    ck_assert_str_eq(err->detail, "the upstream answered 200");
    ck_assert_int_eq(retry, 0);
    resp.status = 201;
    dsapi_expect_add(&expect, &err, "type", "a/b,c/*", g_pool);
    ck_assert_int_eq(
        dsapi_source_judge(&body, &retry, &err, &expect, &resp, g_pool),
        DSAPI_EUNPROC);
    ck_assert_str_eq(err->detail, "the upstream answered text/html, not "
                                  "a/b,c/*");
    resp.content_type = NULL;
    ck_assert_int_eq(
        dsapi_source_judge(&body, &retry, &err, &expect, &resp, g_pool),
        DSAPI_EUNPROC);
    ck_assert_str_eq(err->detail, "the upstream answered no content type, not "
                                  "a/b,c/*");
    resp.content_type = "C/d; x=y";
    dsapi_expect_add(&expect, &err, "pointer", "/x", g_pool);
    dsapi_expect_add(&expect, &err, "pointer", "/y", g_pool);
    ck_assert_int_eq(
        dsapi_source_judge(&body, &retry, &err, &expect, &resp, g_pool),
        DSAPI_EUNPROC);
    ck_assert_str_eq(err->code, "upstream-shape");
    ck_assert_str_eq(err->detail, "the upstream's answer has no /x,/y");
    ck_assert_int_eq(retry, 1);
}
END_TEST

UNIT_SUITE(source_rules, the_bound_doubles_up_to_the_greatest,
           the_wait_is_spread_evenly, no_bound_overflows,
           a_first_wait_above_the_greatest_is_cut, no_wait_is_no_wait,
           the_upstream_is_never_asked_too_early,
           what_the_upstream_asks_for_ends_at_a_day, retry_after_takes_seconds,
           retry_after_ends_at_a_day, retry_after_takes_every_form_of_date,
           a_retry_after_that_is_none_is_zero, a_good_answer_is_its_document,
           a_status_that_may_pass_is_tried_again,
           a_status_that_stays_is_not_tried_again,
           a_failed_transfer_is_told_as_given_and_tried_again,
           another_content_type_is_named_and_tried_again,
           a_content_type_that_is_none_is_not_repeated,
           a_long_content_type_is_not_repeated,
           an_empty_answer_is_called_so_and_tried_again,
           a_broken_document_is_described_and_tried_again,
           only_the_log_sees_the_text_around_a_mistake,
           what_is_expected_is_good, what_is_not_expected_is_told)
