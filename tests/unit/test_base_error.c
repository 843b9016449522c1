#include <apr_strings.h>
#include <string.h>

#include "base/error.h"
#include "unit/unit.h"

static const dsapi_field_err_t *field(const dsapi_err_t *err, int i)
{
    return &APR_ARRAY_IDX(err->fields, i, dsapi_field_err_t);
}

START_TEST(fail_fills_the_error_and_returns_the_status)
{
    dsapi_err_t *err = NULL;
    apr_status_t rv = dsapi_fail(&err, g_pool, DSAPI_ENOTFOUND, "not-found",
                                 "no %s %d", "job", 7);

    ck_assert_int_eq(rv, DSAPI_ENOTFOUND);
    ck_assert_int_eq(err->rv, DSAPI_ENOTFOUND);
    ck_assert_str_eq(err->code, "not-found");
    ck_assert_str_eq(err->detail, "no job 7");
}
END_TEST

START_TEST(fail_leaves_everything_else_unset)
{
    dsapi_err_t *err = NULL;

    dsapi_fail(&err, g_pool, DSAPI_EBUSY, "busy", "later");
    ck_assert_ptr_null(err->internal);
    ck_assert_ptr_null(err->sqlstate);
    ck_assert_ptr_null(err->allow);
    ck_assert_ptr_null(err->fields);
    ck_assert_int_eq(err->retry_after_s, 0);
}
END_TEST

START_TEST(fail_may_be_asked_for_no_error)
{
    ck_assert_int_eq(dsapi_fail(NULL, g_pool, DSAPI_EAUTH, "unauthorized", "%s",
                                "who are you?"),
                     DSAPI_EAUTH);
}
END_TEST

START_TEST(fail_owns_its_strings)
{
    char word[] = "day";
    dsapi_err_t *err = NULL;

    dsapi_fail(&err, g_pool, DSAPI_EPARAM, "invalid-parameter", "%s", word);
    memset(word, 'x', 3);
    ck_assert_str_eq(err->detail, "day");
}
END_TEST

START_TEST(fail_field_makes_the_error)
{
    dsapi_err_t *err = NULL;
    apr_status_t rv =
        dsapi_fail_field(&err, g_pool, "query", "day", "must be %s", "a day");

    ck_assert_int_eq(rv, DSAPI_EPARAM);
    ck_assert_int_eq(err->rv, DSAPI_EPARAM);
    ck_assert_str_eq(err->code, "invalid-parameter");
    ck_assert_str_eq(err->detail, "'day' must be a day");
    ck_assert_int_eq(err->fields->nelts, 1);
    ck_assert_str_eq(field(err, 0)->in, "query");
    ck_assert_str_eq(field(err, 0)->name, "day");
    ck_assert_str_eq(field(err, 0)->message, "must be a day");
}
END_TEST

START_TEST(fail_field_collects_in_order)
{
    dsapi_err_t *err = NULL;
    dsapi_err_t *first;

    dsapi_fail_field(&err, g_pool, "path", "iso3", "must be a code");
    first = err;
    ck_assert_str_eq(err->internal, "path 'iso3'");
    dsapi_fail_field(&err, g_pool, "body", "to", "is required");
    dsapi_fail_field(&err, g_pool, "header", "Prefer", "is not known");
    ck_assert_ptr_eq(err, first);
    ck_assert_int_eq(err->fields->nelts, 3);
    ck_assert_str_eq(field(err, 0)->name, "iso3");
    ck_assert_str_eq(field(err, 1)->name, "to");
    ck_assert_str_eq(field(err, 2)->name, "Prefer");
    ck_assert_str_eq(err->detail, "'iso3' must be a code (and more, see "
                                  "errors)");
}
END_TEST

START_TEST(fail_field_copies_the_name)
{
    char name[] = "day";
    dsapi_err_t *err = NULL;

    dsapi_fail_field(&err, g_pool, "query", name, "is not known");
    memset(name, 'x', 3);
    ck_assert_str_eq(field(err, 0)->name, "day");
}
END_TEST

START_TEST(fail_field_without_a_name_reads_as_its_message)
{
    dsapi_err_t *err = NULL;

    dsapi_fail_field(&err, g_pool, "body", "", "the body must be JSON");
    ck_assert_str_eq(err->detail, "the body must be JSON");
}
END_TEST

START_TEST(fail_field_keeps_a_limited_number)
{
    dsapi_err_t *err = NULL;

    for (int i = 0; i < 3 * DSAPI_FIELDS_MAX; i++) {
        ck_assert_int_eq(dsapi_fail_field(&err, g_pool, "query",
                                          apr_itoa(g_pool, i), "is not known"),
                         DSAPI_EPARAM);
    }
    ck_assert_int_eq(err->fields->nelts, DSAPI_FIELDS_MAX);
    ck_assert_str_eq(field(err, DSAPI_FIELDS_MAX - 1)->name, "99");
}
END_TEST

START_TEST(status_of_knows_every_status)
{
    static const dsapi_status_t rows[] = {
        {DSAPI_EPARAM, 400, "Bad Request"},
        {DSAPI_EDENIED, 403, "Forbidden"},
        {DSAPI_ENOTFOUND, 404, "Not Found"},
        {DSAPI_EMETHOD, 405, "Method Not Allowed"},
        {DSAPI_ECONFLICT, 409, "Conflict"},
        {DSAPI_ETOOBIG, 413, "Content Too Large"},
        {DSAPI_EMEDIA, 415, "Unsupported Media Type"},
        {DSAPI_EUNPROC, 422, "Unprocessable Content"},
        {DSAPI_EINTERNAL, 500, "Internal Server Error"},
        {DSAPI_EBUSY, 503, "Service Unavailable"},
        {DSAPI_EDBDOWN, 503, "Service Unavailable"},
        {DSAPI_ETIMEOUT, 504, "Gateway Timeout"},
        {DSAPI_ESYNTAX, 400, "Bad Request"},
        {DSAPI_EAUTH, 401, "Unauthorized"},
        {DSAPI_EURITOOBIG, 414, "URI Too Long"},
        {DSAPI_ELIMIT, 429, "Too Many Requests"},
    };

    ck_assert_uint_eq(sizeof(rows) / sizeof(rows[0]), DSAPI_STATUS_MAX);
    for (int i = 0; i < DSAPI_STATUS_MAX; i++) {
        const dsapi_status_t *st = dsapi_status_of(DSAPI_STATUS(i + 1));

        ck_assert_int_eq(rows[i].rv, DSAPI_STATUS(i + 1));
        ck_assert_int_eq(st->rv, rows[i].rv);
        ck_assert_int_eq(st->http, rows[i].http);
        ck_assert_str_eq(st->title, rows[i].title);
    }
}
END_TEST

START_TEST(status_of_takes_the_unknown_for_internal)
{
    static const apr_status_t unknown[] = {
        APR_SUCCESS, APR_ENOMEM,      APR_EGENERAL,
        -1,          DSAPI_STATUS(0), DSAPI_STATUS(DSAPI_STATUS_MAX + 1)};

    for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++) {
        ck_assert_int_eq(dsapi_status_of(unknown[i])->rv, DSAPI_EINTERNAL);
    }
}
END_TEST

START_TEST(status_of_http_finds_the_way_back)
{
    for (int i = 1; i <= DSAPI_STATUS_MAX; i++) {
        int http = dsapi_status_of(DSAPI_STATUS(i))->http;

        ck_assert_int_eq(dsapi_status_of(dsapi_status_of_http(http))->http,
                         http);
    }
    ck_assert_int_eq(dsapi_status_of_http(400), DSAPI_EPARAM);
    ck_assert_int_eq(dsapi_status_of_http(404), DSAPI_ENOTFOUND);
    ck_assert_int_eq(dsapi_status_of_http(503), DSAPI_EBUSY);
}
END_TEST

START_TEST(status_of_http_takes_the_unknown_for_internal)
{
    ck_assert_int_eq(dsapi_status_of_http(418), DSAPI_EINTERNAL);
    ck_assert_int_eq(dsapi_status_of_http(200), DSAPI_EINTERNAL);
    ck_assert_int_eq(dsapi_status_of_http(0), DSAPI_EINTERNAL);
    ck_assert_int_eq(dsapi_status_of_http(-1), DSAPI_EINTERNAL);
}
END_TEST

UNIT_SUITE(base_error, fail_fills_the_error_and_returns_the_status,
           fail_leaves_everything_else_unset, fail_may_be_asked_for_no_error,
           fail_owns_its_strings, fail_field_makes_the_error,
           fail_field_collects_in_order, fail_field_copies_the_name,
           fail_field_without_a_name_reads_as_its_message,
           fail_field_keeps_a_limited_number, status_of_knows_every_status,
           status_of_takes_the_unknown_for_internal,
           status_of_http_finds_the_way_back,
           status_of_http_takes_the_unknown_for_internal)
