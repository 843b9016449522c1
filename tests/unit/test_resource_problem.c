/* src/resource/problem.h: errors as PostgREST tells them. */
#include "resource/problem.h"

#include "db/sqlstate.h"
#include "unit/ast.h"
#include "unit/unit.h"

static const dsapi_said_t said = {"the message", "the \"detail\"", "the hint",
                                  NULL};

static dsapi_err_t *of_state(const char *sqlstate)
{
    dsapi_err_t *err;

    dsapi_db_error(&err, sqlstate, "the message", g_pool);
    err->said = &said;
    dsapi_resource_problem(err, g_pool);
    return err;
}

START_TEST(a_mistake_of_the_client_is_told_in_full)
{
    static const struct {
        const char *state;
        int http;
    } rows[] = {{"22P02", 400}, {"23505", 409}, {"23503", 409}, {"23502", 400},
                {"23514", 400}, {"42883", 404}, {"42P01", 404}, {"42703", 400},
                {"42501", 403}, {"25006", 405}, {"0L000", 403}, {"P0001", 400}};

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        dsapi_err_t *err = of_state(rows[i].state);

        ck_assert_int_eq(err->http, rows[i].http);
        ck_assert_int_eq(err->rv, dsapi_status_of_http(rows[i].http));
        ck_assert_str_eq(err->code, rows[i].state);
        ck_assert_str_eq(err->detail, "the message");
        ck_assert_str_eq(err->details, "\"the \\\"detail\\\"\"");
        ck_assert_str_eq(err->hint, "the hint");
    }
}
END_TEST

START_TEST(a_mistake_of_ours_is_told_to_the_log)
{
    static const char *const rows[] = {"XX000", "42P17", "21000", "38000",
                                       "P0003"};

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        dsapi_err_t *err = of_state(rows[i]);

        ck_assert_int_eq(err->http, 500);
        ck_assert_str_eq(err->code, rows[i]);
        ck_assert_str_eq(err->detail, "the service made a mistake");
        ck_assert_ptr_null(err->details);
        ck_assert_ptr_nonnull(strstr(err->internal, "the message"));
    }
}
END_TEST

START_TEST(a_role_that_cannot_be_taken_is_ours_to_mend)
{
    static const char hook[] = "call_string_check_hook";
    static const struct {
        const char *state;
        int http;
        dsapi_said_t said;
    } rows[] = {
        {"22023", 500, {"die Rolle \"x\" gibt es nicht", NULL, NULL, hook}},
        {"42501", 500, {"permission denied to set role", NULL, NULL, hook}},
        {"22023",
         400,
         {"invalid value for parameter \"TimeZone\"", NULL, NULL, hook}},
        {"22023",
         400,
         {"appears to use leap seconds", "which there are not", NULL, hook}},
        {"22023", 400, {"role \"x\"", NULL, NULL, "elsewhere"}},
        {"42501", 403, {"permission denied", NULL, NULL, "aclcheck_error"}},
        {"42501", 403, {"permission denied", NULL, NULL, NULL}},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        dsapi_err_t *err;

        dsapi_db_error(&err, rows[i].state, "x", g_pool);
        err->said = &rows[i].said;
        dsapi_resource_problem(err, g_pool);
        ck_assert_int_eq(err->http, rows[i].http);
        ck_assert_str_eq(err->detail, rows[i].http == 500
                                          ? "the service made a mistake"
                                          : rows[i].said.message);
    }
}
END_TEST

START_TEST(what_may_be_tried_again_keeps_its_status)
{
    static const struct {
        const char *state;
        apr_status_t rv;
    } rows[] = {{"40001", DSAPI_EBUSY},    {"53300", DSAPI_EBUSY},
                {"57014", DSAPI_ETIMEOUT}, {"57P01", DSAPI_EDBDOWN},
                {"08006", DSAPI_EDBDOWN},  {"28P01", DSAPI_EDBDOWN},
                {"55P03", DSAPI_EBUSY}};

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        dsapi_err_t *err = of_state(rows[i].state);

        ck_assert_int_eq(err->rv, rows[i].rv);
        ck_assert_int_eq(err->http, 0);
        ck_assert_str_eq(err->code, rows[i].state);
        ck_assert_str_ne(err->detail, "the message");
        ck_assert_ptr_null(err->details);
    }
    ck_assert_int_eq(of_state("PT418")->http, 418);
    ck_assert_str_eq(of_state("PT418")->detail, "the message");
}
END_TEST

START_TEST(what_is_raised_for_clients_is_told_in_full)
{
    dsapi_err_t *err = of_state("PT402");

    ck_assert_int_eq(err->http, 402);
    ck_assert_str_eq(ast_error(err), "PT402: the message; \"the "
                                     "\\\"detail\\\"\"; the hint");
}
END_TEST

START_TEST(a_row_that_is_sent_twice_is_the_clients_mistake)
{
    static const struct {
        const char *message;
        int http;
    } rows[] = {{"ON CONFLICT DO UPDATE command cannot affect row a second "
                 "time",
                 400},
                {"UPDATE requires a WHERE clause", 400},
                {"more than one row returned by a subquery", 500}};

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        dsapi_said_t words = {rows[i].message, NULL, NULL, NULL};
        dsapi_err_t *err;

        dsapi_db_error(&err, "21000", "x", g_pool);
        err->said = &words;
        dsapi_resource_problem(err, g_pool);
        ck_assert_int_eq(err->http, rows[i].http);
        ck_assert_int_eq(strcmp(err->detail, rows[i].message) == 0,
                         rows[i].http == 400);
    }
}
END_TEST

START_TEST(what_is_too_large_is_told)
{
    static const dsapi_said_t words = {"unrecognized configuration parameter "
                                       "\"" DSAPI_RES_TOO_LARGE "\"",
                                       NULL, NULL, NULL};
    dsapi_err_t *err;

    dsapi_db_error(&err, "42704", "x", g_pool);
    err->said = &words;
    dsapi_resource_problem(err, g_pool);
    ck_assert_int_eq(err->rv, DSAPI_ETOOBIG);
    ck_assert_str_eq(err->code, "result-too-large");
    ck_assert_int_eq(of_state("42704")->http, 400);
}
END_TEST

START_TEST(values_of_rows_are_concealed)
{
    static const char *const rows[] = {"23502", "23514", "23505", "44000",
                                       "22P02"};

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        dsapi_err_t *err = of_state(rows[i]);

        dsapi_resource_conceal(err);
        ck_assert_int_eq(err->details == NULL,
                         *rows[i] != '2' || rows[i][1] == '3');
        ck_assert_str_eq(err->detail, "the message");
        ck_assert_str_eq(err->hint, "the hint");
    }
}
END_TEST

START_TEST(errors_of_the_dialect_stay_and_others_join)
{
    dsapi_err_t *err;

    ck_assert_int_eq(
        dsapi_resource_fail(&err, g_pool, 406, "PGRST116", "a %s", "b"),
        err->rv);
    dsapi_resource_details(err, g_pool, "%d rows", 2);
    dsapi_resource_hint(err, g_pool, "try %d", 1);
    dsapi_resource_problem(err, g_pool);
    ck_assert_str_eq(ast_error(err), "PGRST116: a b; \"2 rows\"; try 1");
    ck_assert_int_eq(err->http, 406);
    dsapi_fail(&err, g_pool, DSAPI_EMEDIA, "unsupported-type", "no");
    dsapi_resource_problem(err, g_pool);
    ck_assert_str_eq(ast_error(err), "unsupported-type: no");
    ck_assert_int_eq(err->rv, DSAPI_EMEDIA);
}
END_TEST

UNIT_SUITE(resource_problem, a_mistake_of_the_client_is_told_in_full,
           a_mistake_of_ours_is_told_to_the_log,
           a_role_that_cannot_be_taken_is_ours_to_mend,
           what_may_be_tried_again_keeps_its_status,
           what_is_raised_for_clients_is_told_in_full,
           a_row_that_is_sent_twice_is_the_clients_mistake,
           what_is_too_large_is_told, values_of_rows_are_concealed,
           errors_of_the_dialect_stay_and_others_join)
