/* source/source: parameters of jobs. */
#include "source/source.h"

#include <apr_strings.h>

#include "base/args.h"
#include "unit/unit.h"

/* A source with parameters of these declarations; the list ends with NULL. */
static dsapi_source_t *source_of(const char *const *lines)
{
    dsapi_source_t *source = apr_pcalloc(g_pool, sizeof(*source));
    apr_array_header_t *params = apr_array_make(g_pool, 4, sizeof(void *));
    apr_array_header_t *no_path = apr_array_make(g_pool, 1, sizeof(void *));
    dsapi_err_t *err;

    for (; *lines; lines++) {
        apr_array_header_t *args;

        dsapi_base_args_parse(&args, &err, *lines, g_pool);
        ck_assert_int_eq(
            dsapi_route_param_parse((dsapi_param_t **)apr_array_push(params),
                                    &err, args, g_pool),
            APR_SUCCESS);
    }
    ck_assert_int_eq(
        dsapi_route_params_settle(&err, params, no_path, 1, g_pool),
        APR_SUCCESS);
    source->name = "service/source";
    source->params = params;
    return source;
}

#define SOURCE(...) source_of((const char *const[]){__VA_ARGS__, NULL})

static apr_status_t params_of(const char **pjson, dsapi_err_t **perr,
                              const dsapi_source_t *source, const char *given)
{
    dsapi_json_slice_t slice;

    ck_assert_int_eq(
        dsapi_json_check(&slice, NULL, given, strlen(given), g_pool),
        APR_SUCCESS);
    return dsapi_source_params(pjson, perr, source, &slice, g_pool);
}

static const char *canonical(const dsapi_source_t *source, const char *given)
{
    const char *json = NULL;
    dsapi_err_t *err = (dsapi_err_t *)g_pool;
    apr_status_t rv = params_of(&json, &err, source, given);

    ck_assert_msg(rv == APR_SUCCESS, "%s: %s", given,
                  rv == APR_SUCCESS ? "" : err->detail);
    ck_assert_ptr_null(err);
    return json;
}

/* Values and variables: "a=1/1 b=NULL/-" */
static const char *read_back(const dsapi_source_t *source, const char *json)
{
    char *copy = apr_pstrdup(g_pool, json);
    const char **values;
    apr_table_t *vars;
    dsapi_err_t *err = (dsapi_err_t *)g_pool;
    const char *shown = "";

    ck_assert_int_eq(
        dsapi_source_values(&values, &vars, &err, source, copy, g_pool),
        APR_SUCCESS);
    ck_assert_ptr_null(err);
    memset(copy, '?', strlen(copy));
    for (int i = 0; i < source->params->nelts; i++) {
        const char *name =
            APR_ARRAY_IDX(source->params, i, const dsapi_param_t *)->name;
        const char *var = apr_table_get(vars, name);

        shown = apr_pstrcat(g_pool, shown, i ? " " : "", name, "=",
                            values[i] ? values[i] : "NULL", "/",
                            var ? var : "-", NULL);
    }
    ck_assert_ptr_null(values[source->params->nelts]);
    values[source->params->nelts] = "the document"; /* there is room for it */
    return shown;
}

START_TEST(parameters_become_canonical)
{
    const dsapi_source_t *source =
        SOURCE("iso3 iso3 required", "from date default=2022-06-01", "n number",
               "tags text[]", "on bool", "doc json");

    ck_assert_str_eq(canonical(source, "{\"iso3\":\"col\"}"), "{\"iso3\":"
                                                              "\"COL\","
                                                              "\"from\":\"2022-"
                                                              "06-01\"}");
    ck_assert_str_eq(canonical(source, " { \"doc\" : {\"x\": 1}, \"on\":false, "
                                       "\"tags\": "
                                       "[\"a,b\", \"\\\"\", \"NULL\"], \"n\": "
                                       "1.50,"
                                       "\"from\":\"2023-01-01\", "
                                       "\"iso3\":\"BFA\" } "),
                     "{\"iso3\":\"BFA\",\"from\":\"2023-01-01\",\"n\":1.50,"
                     "\"tags\":[\"a,b\",\"\\\"\",\"NULL\"],\"on\":false,"
                     "\"doc\":{\"x\": "
                     "1}}");
    ck_assert_str_eq(canonical(SOURCE("a int", "b int"), "{}"), "{}");
    ck_assert_str_eq(canonical(SOURCE("a int[]"), "{\"a\":[]}"), "{\"a\":[]}");
}
END_TEST

START_TEST(null_in_place_of_a_default_stays)
{
    const dsapi_source_t *source = SOURCE("a int default=3", "b int");
    const char *json = canonical(source, "{\"a\":null,\"b\":null}");

    ck_assert_str_eq(json, "{\"a\":null}");
    ck_assert_str_eq(read_back(source, json), "a=NULL/- b=NULL/-");
    ck_assert_str_eq(canonical(source, json), json);
}
END_TEST

START_TEST(every_mistake_is_told)
{
    const dsapi_source_t *source =
        SOURCE("a iso3 required", "b int", "c int max=3");
    const char *json = "untouched";
    dsapi_err_t *err = NULL;

    ck_assert_int_eq(
        params_of(&json, &err, source, "{\"b\":\"1\",\"c\":4,\"d\":1}"),
        DSAPI_EPARAM);
    ck_assert_ptr_null(json);
    ck_assert_int_eq(err->fields->nelts, 4);
    ck_assert_int_eq(params_of(&json, &err, source, "[]"), DSAPI_EPARAM);
    ck_assert_ptr_null(json);
}
END_TEST

START_TEST(values_are_read_back)
{
    const dsapi_source_t *source =
        SOURCE("iso3 iso3", "from date default=2022-06-01", "n number",
               "on bool", "z timestamp", "doc json", "gone text");

    ck_assert_str_eq(read_back(source, canonical(source, "{\"iso3\":\"col\","
                                                         "\"n\":1.50,\"on\":"
                                                         "true,"
                                                         "\"z\":\"2024-01-"
                                                         "01T00:00:00Z\","
                                                         "\"doc\":[1,\"x\"]}")),
                     "iso3=COL/COL from=2022-06-01/2022-06-01 n=1.50/1.50 "
                     "on=true/true "
                     "z=2024-01-01T00:00:00+00:00/2024-01-01T00:00:00+00:00 "
                     "doc=[1,\"x\"]/[1,\"x\"] gone=NULL/-");
}
END_TEST

START_TEST(a_default_that_came_later_counts)
{
    ck_assert_str_eq(read_back(SOURCE("a int", "b int default=2"), "{\"a\":1}"),
                     "a=1/1 b=2/2");
}
END_TEST

START_TEST(items_are_joined_by_commas)
{
    const dsapi_source_t *source = SOURCE("a text[]", "b int[]", "c int[]");

    ck_assert_str_eq(read_back(source, "{\"a\":[\"x\",\"y z\",\"q\\\"\\\\,\"],"
                                       "\"b\":[1, 2],\"c\":[]}"),
                     "a={\"x\",\"y z\",\"q\\\"\\\\,\"}/x,y z,q\"\\, "
                     "b={\"1\",\"2\"}/1,2 c={}/");
}
END_TEST

START_TEST(what_does_not_fit_any_more_is_an_error)
{
    static const struct {
        const char *json;
        apr_status_t rv;
    } rows[] = {{"{\"x\":1}", DSAPI_EPARAM}, {"{\"a\":\"1\"}", DSAPI_EPARAM},
                {"{}", DSAPI_EPARAM},        {"[]", DSAPI_EPARAM},
                {"", DSAPI_ESYNTAX},         {"{", DSAPI_ESYNTAX}};
    const dsapi_source_t *source = SOURCE("a int required");

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char **values = (const char **)g_pool;
        apr_table_t *vars = (apr_table_t *)g_pool;
        dsapi_err_t *err = NULL;

        ck_assert_int_eq(dsapi_source_values(&values, &vars, &err, source,
                                             rows[i].json, g_pool),
                         rows[i].rv);
        ck_assert_ptr_null(values);
        ck_assert_ptr_null(vars);
        ck_assert_int_eq(err->rv, rows[i].rv);
    }
}
END_TEST

START_TEST(a_long_list_is_joined_in_time)
{
    enum {
        ITEMS = 200000
    };
    static const char head[] = "{\"a\":[";
    char *json = apr_palloc(g_pool, sizeof(head) + (apr_size_t)2 * ITEMS + 1);
    const char **values;
    apr_table_t *vars;
    dsapi_err_t *err;
    char *p = json + sizeof(head) - 1;

    memcpy(json, head, sizeof(head));
    for (int i = 0; i < ITEMS; i++) {
        *p++ = '7';
        *p++ = ',';
    }
    p[-1] = ']';
    p[0] = '}';
    p[1] = '\0';
    ck_assert_int_eq(dsapi_source_values(&values, &vars, &err,
                                         SOURCE("a int[]"), json, g_pool),
                     APR_SUCCESS);
    ck_assert_uint_eq(strlen(apr_table_get(vars, "a")), 2 * ITEMS - 1);
}
END_TEST

START_TEST(a_body_is_filled_in)
{
    dsapi_source_t *source =
        SOURCE("n int", "name text", "list text[]", "doc json");
    const char *const values[] = {"7", "a\"b:\\", NULL, "{\"x\": [1]}", "t"};
    unsigned types[5] = {0, 0, 0, 0, DSAPI_OID_BOOL};
    apr_array_header_t *columns = apr_array_make(g_pool, 1, sizeof(char *));

    for (int i = 0; i < 4; i++) {
        types[i] = dsapi_source_type(source, i);
    }
    ck_assert_uint_eq(dsapi_source_type(source, 4), DSAPI_OID_JSON);

    ck_assert_str_eq(
        dsapi_source_body(source, values, types, "{\"n\": 7}", g_pool), "{\"n\""
                                                                        ": 7}");
    source->body = "{\":n\" : \":n\", \"b\": [\":name\", \":list\", "
                   "\":doc\"],\"c\":\"n :n :n\",\"d\\\"\": \"\\\":n\", "
                   "\"e\":\":\",\"f\":\"::n\",\"g\":\":n-m\"}";
    ck_assert_str_eq(dsapi_source_body(source, values, types, "", g_pool),
                     "{\":n\" : 7, \"b\": [\"a\\\"b:\\\\\", null, "
                     "{\"x\": [1]}],\"c\":\"n :n :n\",\"d\\\"\": \"\\\":n\", "
                     "\"e\":\":\",\"f\":\"::n\",\"g\":\":n-m\"}");
    source->columns = columns;
    dsapi_source_add_column(columns, source->params, "open");
    source->body = "[\":open\", \":n\"]";
    ck_assert_str_eq(dsapi_source_body(source, values, types, "", g_pool), "[tr"
                                                                           "ue,"
                                                                           " 7"
                                                                           "]");
    source->body = "\":n\"";
    ck_assert_str_eq(dsapi_source_body(source, values, types, "", g_pool), "7");
}
END_TEST

START_TEST(a_body_is_checked)
{
    const dsapi_source_t *source = SOURCE("n int");
    dsapi_err_t *err = NULL;

    ck_assert_int_eq(dsapi_source_body_check(&err, "[\":n\", {\":x\": 1}]",
                                             source->params, NULL, g_pool),
                     APR_SUCCESS);
    ck_assert_ptr_null(err);
    ck_assert_int_eq(dsapi_source_body_check(&err, "[\":n\", \":x\"]",
                                             source->params, NULL, g_pool),
                     DSAPI_ESYNTAX);
    ck_assert_ptr_nonnull(strstr(err->detail, ":x is not declared"));
    ck_assert_int_eq(
        dsapi_source_body_check(&err, "[:n]", source->params, NULL, g_pool),
        DSAPI_ESYNTAX);
    ck_assert_ptr_nonnull(strstr(err->detail, "not JSON"));
}
END_TEST

START_TEST(names_that_are_not_declared_may_be_columns)
{
    dsapi_source_t *source = SOURCE("n int");
    apr_array_header_t *columns = apr_array_make(g_pool, 1, sizeof(char *));
    dsapi_err_t *err = NULL;

    ck_assert_int_eq(dsapi_source_count(source), 1);
    ck_assert_int_eq(dsapi_source_body_check(&err, "[\":n\", \":x\", \":x\"]",
                                             source->params, columns, g_pool),
                     APR_SUCCESS);
    dsapi_source_add_column(columns, source->params, "y");
    dsapi_source_add_column(columns, source->params, "n");
    dsapi_source_add_column(columns, source->params, DSAPI_SOURCE_BODY);
    ck_assert_str_eq(apr_array_pstrcat(g_pool, columns, ' '), "x y");
    source->columns = columns;
    ck_assert_int_eq(dsapi_source_count(source), 3);
    ck_assert_int_eq(dsapi_source_body_check(&err, "\":body\"", source->params,
                                             columns, g_pool),
                     DSAPI_ESYNTAX);
}
END_TEST

UNIT_SUITE(source_source, parameters_become_canonical,
           null_in_place_of_a_default_stays, every_mistake_is_told,
           values_are_read_back, a_default_that_came_later_counts,
           items_are_joined_by_commas, what_does_not_fit_any_more_is_an_error,
           a_long_list_is_joined_in_time, a_body_is_filled_in,
           a_body_is_checked, names_that_are_not_declared_may_be_columns)
