/* source/schedule: rules of cron, relative days, parameters of jobs. */
#include "source/schedule.h"

#include <apr_strings.h>

#include "unit/unit.h"

/* The members of a rule that say anything, "minute:0,30 hour:6". */
static const char *shown(const char *json)
{
    static const struct {
        const char *name;
        int all;
    } fields[] = {{"minute", 60},
                  {"hour", 24},
                  {"day", 31},
                  {"month", 12},
                  {"weekday", 7}};
    dsapi_json_slice_t rule;
    dsapi_json_slice_t value;
    dsapi_json_slice_t item;
    const char *text = "";

    ck_assert_int_eq(dsapi_json_check(&rule, NULL, json, strlen(json), g_pool),
                     APR_SUCCESS);
    if (dsapi_json_find(&value, &rule, "/every", g_pool)) {
        return json;
    }
    for (int i = 0; i < 5; i++) {
        dsapi_json_iter_t iter = {NULL};
        int n = 0;
        const char *list = "";

        ck_assert(dsapi_json_find(
            &value, &rule, apr_pstrcat(g_pool, "/", fields[i].name, NULL),
            g_pool));
        while (dsapi_json_next_item(&item, &iter, &value)) {
            list = apr_pstrcat(g_pool, list, n++ ? "," : "",
                               dsapi_json_text(&item, g_pool), NULL);
        }
        ck_assert_int_gt(n, 0);
        if (n < fields[i].all) {
            text = apr_pstrcat(g_pool, text, *text ? " " : "", fields[i].name,
                               ":", list, NULL);
        }
    }
    ck_assert(dsapi_json_find(&value, &rule, "/either", g_pool));
    return value.kind == DSAPI_JSON_TRUE
               ? apr_pstrcat(g_pool, text, " either", NULL)
               : text;
}

START_TEST(rules_become_sets)
{
    static const char *const rows[][2] = {
        {"every 6h", "{\"every\":21600000000}"},
        {"every 1s", "{\"every\":1000000}"},
        {"cron * * * * *", ""},
        {"cron 0 6 * * *", "minute:0 hour:6"},
        {"cron  */20\t*/12 * * *", "minute:0,20,40 hour:0,12"},
        {"cron 5-9/2,30 0 * * *", "minute:5,7,9,30 hour:0"},
        {"cron 0 0 1,15 * *", "minute:0 hour:0 day:1,15"},
        {"cron 0 0 * JAN,mar-May *", "minute:0 hour:0 month:1,3,4,5"},
        {"cron 0 0 * * mon-fri", "minute:0 hour:0 weekday:1,2,3,4,5"},
        {"cron 0 0 * * 7", "minute:0 hour:0 weekday:0"},
        {"cron 0 0 * * 0,7", "minute:0 hour:0 weekday:0"},
        {"cron 0 0 * * fri-sun", "minute:0 hour:0 weekday:0,5,6"},
        {"cron 0 0 * * 5-7", "minute:0 hour:0 weekday:0,5,6"},
        {"cron 0 0 13 * fri", "minute:0 hour:0 day:13 weekday:5 either"},
        {"cron 0 0 */2 * 1", /* a star: both must hold */
         "minute:0 hour:0 day:1,3,5,7,9,11,13,15,17,19,21,23,25,27,29,31 "
         "weekday:1"},
        {"cron 0 0 29 2 *", "minute:0 hour:0 day:29 month:2"},
        {"cron 59 23 31 12 *", "minute:59 hour:23 day:31 month:12"},
        {"@hourly", "minute:0"},
        {"@daily", "minute:0 hour:0"},
        {"@weekly", "minute:0 hour:0 weekday:0"},
        {"@monthly", "minute:0 hour:0 day:1"},
        {"@yearly", "minute:0 hour:0 day:1 month:1"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char *json = NULL;
        dsapi_err_t *err;

        ck_assert_int_eq(dsapi_schedule_rule(&json, &err, rows[i][0], g_pool),
                         APR_SUCCESS);
        ck_assert_str_eq(shown(json), rows[i][1]);
    }
}
END_TEST

START_TEST(what_is_no_rule)
{
    static const char *const rows[][2] = {
        {"", "is not \"every 6h\""},
        {"daily", "is not \"every 6h\""},
        {"every", "is not \"every 6h\""},
        {"every 6", "is not \"every 6h\""},
        {"every 0s", "is not \"every 6h\""},
        {"every 999ms", "is not \"every 6h\""},
        {"@never", "is not \"every 6h\""},
        {"cron 0 6 * *", "cron takes five fields"},
        {"cron 0 6 * * * *", "cron takes five fields"},
        {"cron ", "cron takes five fields"},
        {"cron 60 6 * * *", "the minute '60' is not"},
        {"cron 0 24 * * *", "the hour '24' is not"},
        {"cron 0 0 0 * *", "the day '0' is not"},
        {"cron 0 0 32 * *", "the day '32' is not"},
        {"cron 0 0 * 13 *", "the month '13' is not"},
        {"cron 0 0 * * 8", "the weekday '8' is not"},
        {"cron 0 0 * * monday", "the weekday 'monday' is not"},
        {"cron mon 0 * * *", "the minute 'mon' is not"},
        {"cron 5-1 0 * * *", "the minute '5-1' is not"},
        {"cron */0 0 * * *", "the minute '*/0' is not"},
        {"cron 5/2 0 * * *", "the minute '5/2' is not"},
        {"cron 1, 0 * * *", "the minute '1,' is not"},
        {"cron *-5 0 * * *", "the minute '*-5' is not"},
        {"cron -5 0 * * *", "the minute '-5' is not"},
        {"cron 1-5-7 0 * * *", "the minute '1-5-7' is not"},
        {"cron 0 0 30 2 *", "no month of '0 0 30 2 *' has such a day"},
        {"cron 0 0 31 4,6,9,11 *", "has such a day"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char *json = "x";
        dsapi_err_t *err = NULL;

        ck_assert_int_eq(dsapi_schedule_rule(&json, &err, rows[i][0], g_pool),
                         DSAPI_ESYNTAX);
        ck_assert_ptr_null(json);
        ck_assert_msg(strstr(err->detail, rows[i][1]) != NULL, "%s: %s",
                      rows[i][0], err->detail);
    }
}
END_TEST

/* Declares "a b; c d" each. */
static apr_array_header_t *declare(const char *declarations)
{
    apr_array_header_t *params = apr_array_make(g_pool, 4, sizeof(void *));
    apr_array_header_t *none = apr_array_make(g_pool, 1, sizeof(char *));
    char *state;
    dsapi_err_t *err;

    for (char *one = apr_strtok(apr_pstrdup(g_pool, declarations), ";", &state);
         one; one = apr_strtok(NULL, ";", &state)) {
        apr_array_header_t *args;
        dsapi_param_t *param;

        ck_assert_int_eq(dsapi_base_args_parse(&args, &err, one, g_pool),
                         APR_SUCCESS);
        ck_assert_int_eq(dsapi_route_param_parse(&param, &err, args, g_pool),
                         APR_SUCCESS);
        APR_ARRAY_PUSH(params, dsapi_param_t *) = param;
    }
    ck_assert_int_eq(dsapi_route_params_settle(&err, params, none, 1, g_pool),
                     APR_SUCCESS);
    return params;
}

/* The parameters, or the mistake. */
static const char *params_of(const char *args, const char *row,
                             const char *today)
{
    dsapi_source_t source = {.name = "s/a",
                             .params = declare("day date required;n int "
                                               "default=3;names text[];t "
                                               "text;until date min=:day")};
    dsapi_schedule_t schedule = {.source = &source};
    apr_array_header_t *words;
    dsapi_json_slice_t slice;
    dsapi_err_t *err = NULL;
    const char *json;

    ck_assert_int_eq(dsapi_base_args_parse(&words, &err, args, g_pool),
                     APR_SUCCESS);
    schedule.args = words;
    if (row) {
        ck_assert_int_eq(
            dsapi_json_check(&slice, NULL, row, strlen(row), g_pool),
            APR_SUCCESS);
    }
    return dsapi_schedule_params(&json, &err, &schedule, today,
                                 row ? &slice : NULL, g_pool) == APR_SUCCESS
               ? json
               : err->detail;
}

START_TEST(days_are_relative_to_today)
{
    static const char *const rows[][3] = {
        {"today", "2024-02-29", "2024-02-29"},
        {"today+0d", "2024-02-29", "2024-02-29"},
        {"today+1d", "2024-02-28", "2024-02-29"},
        {"today+1d", "2023-02-28", "2023-03-01"},
        {"today-1d", "2024-03-01", "2024-02-29"},
        {"today-1d", "2024-01-01", "2023-12-31"},
        {"today+1d", "2023-12-31", "2024-01-01"},
        {"today-400d", "2026-11-21", "2025-10-17"},
        {"today-36525d", "2026-11-21", "1926-11-21"},
        {"2020-02-02", "2024-02-29", "2020-02-02"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        ck_assert_str_eq(
            params_of(apr_pstrcat(g_pool, "day=", rows[i][0], NULL), NULL,
                      rows[i][1]),
            apr_pstrcat(g_pool, "{\"day\":\"", rows[i][2], "\",\"n\":3}",
                        NULL));
    }
}
END_TEST

START_TEST(rows_and_arguments_are_checked)
{
    static const char *const rows[][3] = {
        {"", "{\"day\":\"2024-01-31\",\"n\":5,\"t\":7}",
         "{\"day\":\"2024-01-31\",\"n\":5,\"t\":\"7\"}"},
        {"day=today n=4 t=x", "{\"n\":null,\"t\":\"y\"}",
         "{\"day\":\"2024-02-29\",\"n\":4,\"t\":\"y\"}"},
        {"day=today names=a,b t=today", NULL,
         "{\"day\":\"2024-02-29\",\"n\":3,\"names\":[\"a\",\"b\"],\"t\":"
         "\"today\"}"},
        {"day=today-5", NULL, "'day' must be a day"},
        {"day=today-36526d", NULL, "'day' must be a day"},
        {"day=todayish", NULL, "'day' must be a day"},
        {"n=1", NULL, "'day' is required"},
        {"day=today x=1", NULL, "'x' is no parameter of the source"},
        {"day=today", "{\"x\":1}", "'x' is no parameter of the source"},
        {"day=today n=many", NULL, "'n' must be"},
        {"day=today", "{\"n\":\"many\"}", "'n' must be"},
        {"day=today until=today-1d", NULL, "'until' must not be before"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char *got = params_of(rows[i][0], rows[i][1], "2024-02-29");

        ck_assert_msg(strncmp(got, rows[i][2], strlen(rows[i][2])) == 0,
                      "%s %s: %s", rows[i][0], rows[i][1], got);
    }
}
END_TEST

START_TEST(a_check_needs_all_but_what_each_gives)
{
    dsapi_source_t source = {.params = declare("day date required;n int")};
    dsapi_schedule_t schedule = {.source = &source};
    apr_array_header_t *args;
    dsapi_err_t *err = NULL;

    dsapi_base_args_parse(&args, &err, "n=5", g_pool);
    schedule.args = args;
    ck_assert_int_eq(dsapi_schedule_check(&err, &schedule, g_pool),
                     DSAPI_EPARAM);
    schedule.each = dsapi_sql_literal("SELECT 1 AS day", 0, g_pool);
    ck_assert_int_eq(dsapi_schedule_check(&err, &schedule, g_pool),
                     APR_SUCCESS);
    dsapi_base_args_parse(&args, &err, "n=x", g_pool);
    schedule.args = args;
    ck_assert_int_eq(dsapi_schedule_check(&err, &schedule, g_pool),
                     DSAPI_EPARAM);
}
END_TEST

UNIT_SUITE(source_schedule, rules_become_sets, what_is_no_rule,
           days_are_relative_to_today, rows_and_arguments_are_checked,
           a_check_needs_all_but_what_each_gives)
