/* route/statement: SQL and its parameters. */
#include "route/statement.h"

#include <apr_strings.h>

#include "base/args.h"
#include "unit/unit.h"

/* "a int": parameters from their declarations; the list ends with NULL. */
static apr_array_header_t *declare(const char *const *lines)
{
    apr_array_header_t *params = apr_array_make(g_pool, 4, sizeof(void *));

    for (; *lines; lines++) {
        apr_array_header_t *args;
        dsapi_err_t *err;

        dsapi_base_args_parse(&args, &err, *lines, g_pool);
        ck_assert_int_eq(
            dsapi_route_param_parse((dsapi_param_t **)apr_array_push(params),
                                    &err, args, g_pool),
            APR_SUCCESS);
    }
    return params;
}

#define DECLARE(...) declare((const char *const[]){__VA_ARGS__, NULL})

static apr_status_t parse(apr_array_header_t *statements, dsapi_err_t **perr,
                          const char *text, const apr_array_header_t *params)
{
    apr_pool_t *scratch;
    char *copy = apr_pstrdup(g_pool, text);
    apr_status_t rv;

    apr_pool_create(&scratch, NULL);
    rv =
        dsapi_route_statements(statements, perr, copy, params, g_pool, scratch);
    apr_pool_destroy(scratch);
    memset(copy, '?', strlen(copy));
    return rv;
}

static apr_array_header_t *no_statements(void)
{
    return apr_array_make(g_pool, 1, sizeof(dsapi_statement_t));
}

/* The statements with type and index of each parameter: "$1:[23,0]" */
static const char *shown(const apr_array_header_t *statements)
{
    const char *text = "";

    for (int i = 0; i < statements->nelts; i++) {
        const dsapi_statement_t *st =
            &APR_ARRAY_IDX(statements, i, dsapi_statement_t);

        text = apr_pstrcat(g_pool, text, i ? ";" : "", st->sql->text, NULL);
        for (int j = 0; j < st->sql->nparams; j++) {
            text = apr_psprintf(g_pool, "%s [%u,%d]", text, st->types[j],
                                st->indexes[j]);
        }
    }
    return text;
}

START_TEST(names_are_bound_to_parameters)
{
    apr_array_header_t *statements = no_statements();
    dsapi_err_t *err = (dsapi_err_t *)g_pool;

    ck_assert_int_eq(
        parse(statements, &err, "f(:b, :a, :b);g(:c);h()",
              DECLARE("a int", "b iso3[]", "unused bool", "c json")),
        APR_SUCCESS);
    ck_assert_ptr_null(err);
    ck_assert_str_eq(shown(statements), "f($1, $2, $1) [1009,1] [23,0];g($1) "
                                        "[114,3];h()");
}
END_TEST

START_TEST(statements_are_appended)
{
    const apr_array_header_t *params = DECLARE("a int");
    apr_array_header_t *statements = no_statements();
    dsapi_err_t *err;

    ck_assert_int_eq(parse(statements, &err, "x :a", params), APR_SUCCESS);
    ck_assert_int_eq(parse(statements, &err, "y; z", params), APR_SUCCESS);
    ck_assert_str_eq(shown(statements), "x $1 [23,0];y; z");
}
END_TEST

START_TEST(a_name_that_is_not_declared_is_an_error)
{
    apr_array_header_t *statements = no_statements();
    dsapi_err_t *err = NULL;

    ck_assert_int_eq(parse(statements, &err, "x; y :a; z :c", DECLARE("a int")),
                     DSAPI_ESYNTAX);
    ck_assert_int_eq(err->rv, DSAPI_ESYNTAX);
    ck_assert_str_eq(err->detail, ":c is not declared; add \"DsapiParam c "
                                  "text\" (or another type) above it");
    ck_assert_int_eq(statements->nelts, 0);
    ck_assert_int_eq(parse(statements, &err, ":A", DECLARE("a int")),
                     DSAPI_ESYNTAX);
}
END_TEST

START_TEST(a_text_that_is_no_sql_is_an_error)
{
    apr_array_header_t *statements = no_statements();
    dsapi_err_t *err = NULL;

    ck_assert_int_eq(parse(statements, &err, "x;\n'", DECLARE("a int")),
                     DSAPI_ESYNTAX);
    ck_assert_str_eq(err->detail, "line 2: a string begins here and does not "
                                  "end");
    ck_assert_int_eq(parse(statements, &err, " ", DECLARE("a int")),
                     DSAPI_ESYNTAX);
    ck_assert_int_eq(statements->nelts, 0);
}
END_TEST

START_TEST(a_call_has_the_values_in_their_order)
{
    static const char *const values[] = {"1", NULL, "x"};
    apr_array_header_t *statements = no_statements();
    const dsapi_statement_t *st;
    dsapi_call_t call;
    dsapi_err_t *err;

    parse(statements, &err, "f(:c, :b, :a, :c)",
          DECLARE("a int", "b date", "c text"));
    st = &APR_ARRAY_IDX(statements, 0, dsapi_statement_t);
    dsapi_route_call(&call, st, values, g_pool);
    ck_assert_ptr_eq(call.sql, st->sql);
    ck_assert_ptr_eq(call.types, st->types);
    ck_assert_str_eq(call.values[0], "x");
    ck_assert_ptr_null(call.values[1]);
    ck_assert_str_eq(call.values[2], "1");
}
END_TEST

START_TEST(a_call_without_parameters_has_no_values)
{
    apr_array_header_t *statements = no_statements();
    dsapi_call_t call;
    dsapi_err_t *err;

    parse(statements, &err, "x", DECLARE("a int"));
    dsapi_route_call(&call, &APR_ARRAY_IDX(statements, 0, dsapi_statement_t),
                     NULL, g_pool);
    ck_assert_int_eq(call.sql->nparams, 0);
}
END_TEST

START_TEST(a_bound_value_is_json_of_its_type)
{
    static const struct {
        const char *type;
        const char *value;
        const char *json;
    } rows[] = {
        {"int", "-7", "-7"},
        {"bigint", "9223372036854775807", "9223372036854775807"},
        {"number", "1.50e3", "1.50e3"},
        {"bool", "true", "true"},
        {"bool", "false", "false"},
        {"text", "true", "\"true\""},
        {"text", "", "\"\""},
        {"text", "a\"b", "\"a\\\"b\""},
        {"date", "2024-01-01", "\"2024-01-01\""},
        {"timestamp", "2024-01-01T00:00:00-03:30",
         "\"2024-01-01T00:00:00-03:30\""},
        {"timestamp", "2024-01-01T00:00:00+00:00",
         "\"2024-01-01T00:00:00+00:00\""},
        {"uuid", "f81d4fae-7dec-11d0-a765-00a0c91e6bf6",
         "\"f81d4fae-7dec-11d0-a765-00a0c91e6bf6\""},
        {"iso3", "COL", "\"COL\""},
        {"slug", "a-b", "\"a-b\""},
        {"tz", "UTC", "\"UTC\""},
        {"json", "{\"a\": [1]}", "{\"a\": [1]}"},
        {"int", NULL, "null"},
        {"text[]", NULL, "null"},
        {"json", NULL, "null"},
        {"int[]", "{}", "[]"},
        {"int[]", "{\"1\",\"-2\"}", "[1,-2]"},
        {"number[]", "{\"1.50\"}", "[1.50]"},
        {"bool[]", "{\"true\",\"false\"}", "[true,false]"},
        {"text[]", "{\"NULL\",\"a\\\"b\",\"\\\\\",\"{;,}\"}",
         "[\"NULL\",\"a\\\"b\",\"\\\\\",\"{;,}\"]"},
        {"iso2[]", "{\"DE\"}", "[\"DE\"]"},
        {"date[]", "{\"2024-01-01\"}", "[\"2024-01-01\"]"},
        {"timestamp[]", "{\"2024-01-01T00:00:00+00:00\"}",
         "[\"2024-01-01T00:00:00+00:00\"]"},
        {"uuid[]", "{\"f81d4fae-7dec-11d0-a765-00a0c91e6bf6\"}",
         "[\"f81d4fae-7dec-11d0-a765-00a0c91e6bf6\"]"},
        {"json[]", "{\"{\\\"a\\\":null}\",\"null\"}", "[{\"a\":null},null]"}};

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        dsapi_buf_t *buf = dsapi_buf_make(1, g_pool);
        dsapi_type_t type;

        ck_assert_int_eq(dsapi_base_type_parse(&type, rows[i].type),
                         APR_SUCCESS);
        dsapi_route_value_json(buf, type, rows[i].value);
        ck_assert_str_eq(dsapi_buf_str(buf), rows[i].json);
    }
}
END_TEST

UNIT_SUITE(route_statement, names_are_bound_to_parameters,
           statements_are_appended, a_name_that_is_not_declared_is_an_error,
           a_text_that_is_no_sql_is_an_error,
           a_call_has_the_values_in_their_order,
           a_call_without_parameters_has_no_values,
           a_bound_value_is_json_of_its_type)
