/* route/param: declarations of parameters. */
#include "route/param.h"

#include <apr_strings.h>

#include "base/args.h"
#include "unit/unit.h"

static apr_status_t parse(dsapi_param_t **pparam, dsapi_err_t **perr,
                          const char *line)
{
    apr_pool_t *args_pool;
    apr_array_header_t *args;
    apr_status_t rv;

    apr_pool_create(&args_pool, NULL);
    ck_assert_int_eq(dsapi_base_args_parse(&args, perr, line, args_pool),
                     APR_SUCCESS);
    rv = dsapi_route_param_parse(pparam, perr, args, g_pool);
    apr_pool_destroy(args_pool);
    return rv;
}

static dsapi_param_t *declare(const char *line)
{
    dsapi_param_t *param = NULL;
    dsapi_err_t *err = NULL;
    apr_status_t rv = parse(&param, &err, line);

    ck_assert_msg(rv == APR_SUCCESS, "%s: %s", line, err ? err->detail : "");
    ck_assert_ptr_null(err);
    ck_assert_ptr_nonnull(param);
    return param;
}

static const char *refusal(const char *line)
{
    dsapi_param_t *param = (dsapi_param_t *)g_pool;
    dsapi_err_t *err = NULL;
    apr_status_t rv = parse(&param, &err, line);

    ck_assert_msg(rv == DSAPI_ESYNTAX, "%s is taken", line);
    ck_assert_ptr_null(param);
    ck_assert_int_eq(err->rv, DSAPI_ESYNTAX);
    return err->detail;
}

/* Each line is refused, and its error has the words. */
static void check_refused(const char *const (*rows)[2], size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const char *detail = refusal(rows[i][0]);

        ck_assert_msg(strstr(detail, rows[i][1]) != NULL, "%s: %s", rows[i][0],
                      detail);
    }
}

#define CHECK_REFUSED(...)                                   \
    do {                                                     \
        static const char *const rows[][2] = {__VA_ARGS__};  \
                                                             \
        check_refused(rows, sizeof(rows) / sizeof(rows[0])); \
    } while (0)

/* The canonical value; what would be right: "! must be ..." */
static const char *checked(const char *line, const char *text)
{
    const char *value = "untouched";
    const char *why = "untouched";
    apr_status_t rv =
        dsapi_route_param_check(&value, &why, declare(line), text, g_pool);

    if (rv == APR_SUCCESS) {
        ck_assert_ptr_null(why);
        return value;
    }
    ck_assert_int_eq(rv, DSAPI_EPARAM);
    ck_assert_ptr_null(value);
    return apr_pstrcat(g_pool, "! ", why, NULL);
}

static void check_values(const char *const (*rows)[3], size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const char *got = checked(rows[i][0], rows[i][1]);

        ck_assert_msg(strcmp(got, rows[i][2]) == 0, "%s: %s: %s, not %s",
                      rows[i][0], rows[i][1], got, rows[i][2]);
    }
}

/* Rows of a declaration, a text, and its value or "! what is wrong" */
#define CHECK_VALUES(...)                                   \
    do {                                                    \
        static const char *const rows[][3] = {__VA_ARGS__}; \
                                                            \
        check_values(rows, sizeof(rows) / sizeof(rows[0])); \
    } while (0)

/* Where settled parameters are ("path! query": one is required); what is
 * wrong: "! ..." The lists end with NULL. */
static const char *settled(const char *const *lines, const char *const *names,
                           int body_default)
{
    static const char *const words[] = {"?", "path", "query", "header", "body"};
    apr_array_header_t *params = apr_array_make(g_pool, 4, sizeof(void *));
    apr_array_header_t *path = apr_array_make(g_pool, 4, sizeof(void *));
    dsapi_err_t *err = NULL;
    const char *shown = "";

    for (; *lines; lines++) {
        APR_ARRAY_PUSH(params, dsapi_param_t *) = declare(*lines);
    }
    for (; *names; names++) {
        APR_ARRAY_PUSH(path, const char *) = *names;
    }
    if (dsapi_route_params_settle(&err, params, path, body_default, g_pool) !=
        APR_SUCCESS) {
        ck_assert_int_eq(err->rv, DSAPI_ESYNTAX);
        return apr_pstrcat(g_pool, "! ", err->detail, NULL);
    }
    ck_assert_ptr_null(err);
    for (int i = 0; i < params->nelts; i++) {
        const dsapi_param_t *param = APR_ARRAY_IDX(params, i, dsapi_param_t *);

        shown = apr_pstrcat(g_pool, shown, i ? " " : "", words[param->in],
                            param->required ? "!" : "", NULL);
    }
    return shown;
}

#define LIST(...) ((const char *const[]){__VA_ARGS__, NULL})
#define NOTHING   ((const char *const[]){NULL})

START_TEST(a_name_and_a_type_suffice)
{
    const dsapi_param_t *param = declare("_day1 date");

    ck_assert_str_eq(param->name, "_day1");
    ck_assert_int_eq(param->type.kind, DSAPI_TYPE_DATE);
    ck_assert_int_eq(param->type.is_array, 0);
    ck_assert_int_eq(param->in, DSAPI_IN_AUTO);
    ck_assert_int_eq(param->required, 0);
    ck_assert_int_eq(param->whole, 0);
    ck_assert_ptr_null(param->def);
    ck_assert_ptr_null(param->min.value);
    ck_assert_ptr_null(param->min.param);
    ck_assert_ptr_null(param->max.value);
    ck_assert_ptr_null(param->max.param);
    ck_assert_ptr_null(param->choices);
    ck_assert_ptr_null(param->pattern);
    ck_assert_ptr_null(param->description);
    ck_assert_int_eq(declare("a iso3[]")->type.kind, DSAPI_TYPE_ISO3);
    ck_assert_int_eq(declare("a iso3[]")->type.is_array, 1);
}
END_TEST

START_TEST(options_are_read)
{
    const dsapi_param_t *param = declare("n int in=query default=007 min=-3 "
                                         "max=:other enum=1,02,7 "
                                         "description=\"a b\"");

    ck_assert_int_eq(param->in, DSAPI_IN_QUERY);
    ck_assert_str_eq(param->def, "7");
    ck_assert_str_eq(param->min.value, "-3");
    ck_assert_ptr_null(param->min.param);
    ck_assert_ptr_null(param->max.value);
    ck_assert_str_eq(param->max.param, "other");
    ck_assert_str_eq(apr_array_pstrcat(g_pool, param->choices, ' '), "1 2 7");
    ck_assert_str_eq(param->description, "a b");
    param = declare("t text pattern='^a b$' required in=header");
    ck_assert_str_eq(param->pattern_text, "^a b$");
    ck_assert_int_eq(param->required, 1);
    ck_assert_int_eq(param->in, DSAPI_IN_HEADER);
    ck_assert_int_eq(declare("a text in=path")->in, DSAPI_IN_PATH);
    ck_assert_int_eq(declare("a text in=body")->in, DSAPI_IN_BODY);
    ck_assert_int_eq(declare("a json in=body body=whole")->whole, 1);
    ck_assert_int_eq(declare("a json body=whole in=body required")->whole, 1);
}
END_TEST

START_TEST(a_default_is_canonical)
{
    ck_assert_str_eq(declare("a iso3 default=col")->def, "COL");
    ck_assert_str_eq(declare("a text default=")->def, "");
    ck_assert_str_eq(declare("a iso2[] default=de,fr")->def, "{\"DE\",\"FR\"}");
    ck_assert_str_eq(declare("a timestamp default=2024-01-01T00:00:00")->def,
                     "2024-01-01T00:00:00+00:00");
    ck_assert_str_eq(declare("a json default='{\"a\": 1}'")->def, "{\"a\": 1}");
}
END_TEST

START_TEST(a_mistake_in_a_declaration_is_refused)
{
    CHECK_REFUSED(
        {"", "takes a name and a type"}, {"a", "takes a name and a type"},
        {"a=b int", "takes a name and a type"},
        {"a in=query", "takes a name and a type"},
        {"1a int", "a name is letters"}, {"a-b int", "a name is letters"},
        {"'' int", "a name is letters"}, {"\303\251 int", "a name is letters"},
        {"a Int", "'Int' is no type; known are: text int bigint"},
        {"a int[", "no type"}, {"a int[][]", "no type"},
        {"a int in=cookie", "path, query, header or body"},
        {"a int in=", "path, query, header or body"},
        {"a int Required", "'Required' is not known"},
        {"a int 'required'", "'required' is not known"},
        {"a int required=1", "'required=1' is not known"},
        {"a int foo=1", "parameter 'a': 'foo=1' is not known"},
        {"a json in=body body=part", "'body=part' is not known"});
}
END_TEST

START_TEST(a_mistake_in_an_option_is_refused)
{
    CHECK_REFUSED(
        {"a int default=x", "default= must be a whole number"},
        {"a int default=", "default= must be a whole number"},
        {"a int default=4 max=3", "default= must not be above 3"},
        {"a int max=3 default=4", "default= must not be above 3"},
        {"a text default=c enum=a,b", "default= must be one of a, b"},
        {"a text pattern=^x default=y", "default= must match ^x"},
        {"a json default=x", "default= must be JSON"},
        {"a int[] default=1,x", "default= item 2 must be"},
        {"a int[] default=", "default= has an empty item"},
        {"a int min=x", "min=x must be a whole number"},
        {"a date max=2023-02-29", "max=2023-02-29 must be a day that exists"},
        {"a text min=a", "min= and max= are for int,"},
        {"a bool max=:b", "min= and max= are for int,"},
        {"a uuid min=1", "min= and max= are for int,"},
        {"a int enum=1,x", "item \"x\""}, {"a text enum=", "item \"\""},
        {"a text enum=a,,b", "item \"\""}, {"a text enum=a,", "item \"\""},
        {"a text pattern='('", "pattern=, character 1: missing"},
        {"a text pattern='\377'", "pattern=, character 0: UTF-8"});
}
END_TEST

START_TEST(options_that_contradict_each_other_are_refused)
{
    CHECK_REFUSED({"a int required default=1", "of no use"},
                  {"a int default=1 required", "of no use"},
                  {"a int body=whole", "goes with in=body"},
                  {"a int body=whole in=query", "goes with in=body"},
                  {"a json in=body body=whole default=1", "no default"},
                  {"a int min=3 max=2", "min= is above max="},
                  {"a number min=1e3 max=999.99", "min= is above max="},
                  {"a json enum=1,2", "not for json"},
                  {"a json[] pattern=x", "not for json"});
    declare("a int min=3 max=3");
    declare("a bigint min=9 max=10");
    declare("a timestamp min=2024-01-01T01:00:00+02:00 "
            "max=2024-01-01T00:00:00Z");
}
END_TEST

START_TEST(a_value_is_checked_against_its_type)
{
    CHECK_VALUES(
        {"a int", "-7", "-7"}, {"a iso2", "de", "DE"}, {"a bool", "1", "true"},
        {"a text", "", ""}, {"a text", "a,b", "a,b"},
        {"a json", " [1,2] ", " [1,2] "}, {"a json", "null", "null"},
        {"a date", "2023-02-29", "! must be a day that exists, as YYYY-MM-DD"},
        {"a text", "\377", "! must be UTF-8"});
    ck_assert_ptr_nonnull(strstr(checked("a json", "{x}"), "! must be JSON: "
                                                           "not JSON: line "
                                                           "1, "));
    ck_assert_ptr_nonnull(strstr(checked("a json", ""), "! must be JSON: "));
}
END_TEST

START_TEST(a_value_is_checked_against_its_bounds)
{
    CHECK_VALUES({"a int min=1 max=3", "1", "1"},
                 {"a int min=1 max=3", "3", "3"},
                 {"a int min=1 max=3", "0", "! must not be below 1"},
                 {"a int min=1 max=3", "4", "! must not be above 3"},
                 {"a int min=9", "10", "10"}, {"a int min=-10", "-9", "-9"},
                 {"a number max=0.10", "0.1000", "0.1000"},
                 {"a number max=0.10", "0.1001", "! must not be above 0.10"},
                 {"a date min=2024-01-01", "2023-12-31",
                  "! must not be below 2024-01-01"},
                 {"a timestamp max=2024-01-01T00:00:00Z",
                  "2024-01-01T01:00:00+02:00", "2024-01-01T01:00:00+02:00"},
                 {"a int min=:b", "-5", "-5"});
}
END_TEST

START_TEST(a_value_is_checked_against_its_choices)
{
    CHECK_VALUES({"a text enum=a,B,c", "B", "B"},
                 {"a text enum=a,B,c", "b", "! must be one of a, B, c"},
                 {"a text enum=a,B,c", "", "! must be one of a, B, c"},
                 {"a text enum=a,B,c", "a,B", "! must be one of a, B, c"},
                 {"a text enum=a", "b", "! must be one of a"},
                 {"a iso3 enum=col,bfa", "Col", "COL"},
                 {"a iso3 enum=col,bfa", "DEU", "! must be one of COL, BFA"},
                 {"a slug enum=A-b", "a-B", "a-b"},
                 {"a number enum=1,2.50", "2.5", "2.5"},
                 {"a number enum=1,2.50", "100e-2", "100e-2"},
                 {"a timestamp enum=2024-01-01T00:00:00Z",
                  "2024-01-01T01:00:00+01:00", "2024-01-01T01:00:00+01:00"});
}
END_TEST

START_TEST(a_value_is_checked_against_its_pattern)
{
    CHECK_VALUES(
        {"a text pattern=b", "abc", "abc"},
        {"a text pattern=^b", "abc", "! must match ^b"},
        {"a text pattern='^\\d{2}$'", "12", "12"},
        {"a text pattern='^\\d{2}$'", "123", "! must match ^\\d{2}$"},
        {"a text pattern='^.$'", "\303\251", "\303\251"},
        {"a text pattern='^\\w+$'", "\303\251t\303\251", "\303\251t\303\251"},
        {"a text pattern='^x*$'", "", ""},
        {"a text pattern='^x$'", "x\n", "! must match ^x$"},
        {"a iso3 pattern=^C", "col", "COL"});
}
END_TEST

START_TEST(a_pattern_ends_in_time)
{
    char text[200];

    memset(text, 'a', sizeof(text) - 1);
    text[sizeof(text) - 2] = 'b';
    text[sizeof(text) - 1] = '\0';
    ck_assert_str_eq(checked("a text pattern='^(a+)+$'", text), "! must match "
                                                                "^(a+)+$");
    ck_assert_str_eq(checked("a text pattern='(a|aa)+c'", text), "! must match "
                                                                 "(a|aa)+c");
}
END_TEST

START_TEST(a_list_is_checked_item_by_item)
{
    CHECK_VALUES(
        {"a int[]", "1", "{\"1\"}"},
        {"a int[]", "1,02,-3", "{\"1\",\"2\",\"-3\"}"},
        {"a iso3[]", "col,BFA", "{\"COL\",\"BFA\"}"},
        {"a text[]", "NULL,a\"b,\\,{} ",
         "{\"NULL\",\"a\\\"b\",\"\\\\\",\"{} \"}"},
        {"a int[]", "", "! has an empty item; write a,b"},
        {"a int[]", ",", "! has an empty item; write a,b"},
        {"a text[]", "a,", "! has an empty item; write a,b"},
        {"a text[]", ",a", "! has an empty item; write a,b"},
        {"a text[]", "a,,b", "! has an empty item; write a,b"},
        {"a int[] max=3", "1,4", "! item 2 must not be above 3"},
        {"a text[] enum=a,b", "b,a", "{\"b\",\"a\"}"},
        {"a text[] enum=a,b", "b,c", "! item 2 must be one of a, b"},
        {"a text[] pattern=^a", "ab,ba", "! item 2 must match ^a"},
        {"a date[]", "2024-01-01,x", "! item 2 must be a day, as YYYY-MM-DD"});
}
END_TEST

START_TEST(a_pattern_is_freed_with_its_pool)
{
    apr_array_header_t *args;
    dsapi_param_t *param;
    dsapi_err_t *err;

    dsapi_base_args_parse(&args, &err, "a text pattern=^a+$", g_pool);
    for (int i = 0; i < 3; i++) {
        apr_pool_t *pool;

        apr_pool_create(&pool, NULL);
        ck_assert_int_eq(dsapi_route_param_parse(&param, &err, args, pool),
                         APR_SUCCESS);
        apr_pool_destroy(pool);
    }
}
END_TEST

START_TEST(a_place_is_settled)
{
    ck_assert_str_eq(settled(LIST("a int", "b int"), LIST("a"), 0), "path! "
                                                                    "query");
    ck_assert_str_eq(settled(LIST("a int", "b int"), LIST("a"), 1), "path! "
                                                                    "body");
    ck_assert_str_eq(
        settled(LIST("a int in=path", "b int in=header"), LIST("a"), 0), "path!"
                                                                         " head"
                                                                         "er");
    ck_assert_str_eq(
        settled(LIST("a int in=query", "b int required in=body"), NOTHING, 1),
        "query body!");
    ck_assert_str_eq(settled(LIST("a int required"), NOTHING, 0), "query!");
    ck_assert_str_eq(settled(LIST("b int", "a int"), LIST("a", "b"), 0), "path!"
                                                                         " path"
                                                                         "!");
    ck_assert_str_eq(settled(NOTHING, NOTHING, 0), "");
}
END_TEST

START_TEST(path_and_parameters_must_agree)
{
    ck_assert_str_eq(settled(LIST("a int"), LIST("a", "b"), 0),
                     "! {b} of the path is not declared; add \"DsapiParam b "
                     "text\" (or another type)");
    ck_assert_str_eq(settled(LIST("a int in=query"), LIST("a"), 0), "! "
                                                                    "parameter "
                                                                    "'a': is "
                                                                    "in the "
                                                                    "path "
                                                                    "already");
    ck_assert_str_eq(settled(LIST("a int in=path"), NOTHING, 0), "! parameter "
                                                                 "'a': is not "
                                                                 "in the path; "
                                                                 "write {a} "
                                                                 "there");
    ck_assert_str_eq(settled(LIST("a int default=1"), LIST("a"), 0),
                     "! parameter 'a': is in the path, so that a default is "
                     "of no use");
    ck_assert_str_eq(settled(LIST("a int", "b int", "a text"), NOTHING, 0),
                     "! parameter 'a': is declared twice");
}
END_TEST

START_TEST(a_header_has_one_parameter)
{
    ck_assert_str_eq(
        settled(LIST("a_b int in=header", "A_B text in=header"), NOTHING, 0),
        "! parameter 'A_B': is the same header as 'a_b'; take one away");
    ck_assert_str_eq(
        settled(LIST("a_b int in=header", "A_B text", "ab int in=header"),
                NOTHING, 0),
        "header query header");
}
END_TEST

START_TEST(a_bound_names_a_parameter_of_its_type)
{
    ck_assert_str_eq(settled(LIST("a int min=:b", "b int max=:a"), NOTHING, 0),
                     "query query");
    ck_assert_str_eq(settled(LIST("a int[] min=:b", "b int"), NOTHING, 0), "que"
                                                                           "ry "
                                                                           "que"
                                                                           "r"
                                                                           "y");
    ck_assert_str_eq(settled(LIST("a int min=:c"), NOTHING, 0), "! parameter "
                                                                "'a': its "
                                                                "bound ':c' is "
                                                                "no parameter "
                                                                "here");
    ck_assert_str_eq(settled(LIST("a int max=:"), NOTHING, 0), "! parameter "
                                                               "'a': its bound "
                                                               "':' is no "
                                                               "parameter "
                                                               "here");
    ck_assert_str_eq(settled(LIST("a int max=:b", "b bigint"), NOTHING, 0),
                     "! parameter 'a': its bound ':b' is of another type");
    ck_assert_str_eq(settled(LIST("a int max=:b", "b int[]"), NOTHING, 0),
                     "! parameter 'a': its bound ':b' is of another type");
}
END_TEST

START_TEST(a_whole_body_is_alone)
{
    ck_assert_str_eq(settled(LIST("doc json in=body body=whole", "q int "
                                                                 "in=query"),
                             NOTHING, 1),
                     "body query");
    ck_assert_str_eq(
        settled(LIST("doc json in=body body=whole", "q int"), NOTHING, 1),
        "! parameter 'q': is in the body, which 'doc' takes "
        "whole; add in=query or in=header");
    ck_assert_str_eq(settled(LIST("q int in=body", "doc json in=body "
                                                   "body=whole"),
                             NOTHING, 0),
                     "! parameter 'q': is in the body, which 'doc' takes "
                     "whole; add in=query or in=header");
    ck_assert_str_eq(settled(LIST("doc json in=body body=whole", "two json "
                                                                 "in=body "
                                                                 "body=whole"),
                             NOTHING, 1),
                     "! parameter 'two': is in the body, which 'doc' takes "
                     "whole; add in=query or in=header");
}
END_TEST

START_TEST(a_parameter_is_found_by_name)
{
    apr_array_header_t *params = apr_array_make(g_pool, 2, sizeof(void *));

    ck_assert_int_eq(dsapi_route_param_index(params, "a"), -1);
    APR_ARRAY_PUSH(params, dsapi_param_t *) = declare("ab int");
    APR_ARRAY_PUSH(params, dsapi_param_t *) = declare("a int");
    ck_assert_int_eq(dsapi_route_param_index(params, "a"), 1);
    ck_assert_int_eq(dsapi_route_param_index(params, "ab"), 0);
    ck_assert_int_eq(dsapi_route_param_index(params, "A"), -1);
    ck_assert_int_eq(dsapi_route_param_index(params, ""), -1);
}
END_TEST

UNIT_SUITE(route_param, a_name_and_a_type_suffice, options_are_read,
           a_default_is_canonical, a_mistake_in_a_declaration_is_refused,
           a_mistake_in_an_option_is_refused,
           options_that_contradict_each_other_are_refused,
           a_value_is_checked_against_its_type,
           a_value_is_checked_against_its_bounds,
           a_value_is_checked_against_its_choices,
           a_value_is_checked_against_its_pattern, a_pattern_ends_in_time,
           a_list_is_checked_item_by_item, a_pattern_is_freed_with_its_pool,
           a_place_is_settled, path_and_parameters_must_agree,
           a_header_has_one_parameter, a_bound_names_a_parameter_of_its_type,
           a_whole_body_is_alone, a_parameter_is_found_by_name)
