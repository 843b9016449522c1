/* route/bind: from a request to the values that are bound. */
#include <apr_strings.h>

#include "base/args.h"
#include "route/param.h"
#include "unit/unit.h"

/* A request in words; NULL: it has none of that. */
typedef struct request_t {
    const char *declarations; /* one a line */
    const char *path_names;   /* "a b", with their values: */
    const char *captures[3];
    const char *query;
    const char *form;
    const char *json;
    const char *header_name; /* of the one header there is */
    const char *header_value;
    int body_default;
} request_t;

static const char *header_of(void *baton, const char *name)
{
    const request_t *request = baton;

    return request->header_name && strcmp(name, request->header_name) == 0
               ? request->header_value
               : NULL;
}

static dsapi_param_t *declare(const char *line)
{
    apr_array_header_t *args;
    dsapi_param_t *param = NULL;
    dsapi_err_t *err = NULL;

    ck_assert_int_eq(dsapi_base_args_parse(&args, &err, line, g_pool),
                     APR_SUCCESS);
    ck_assert_msg(dsapi_route_param_parse(&param, &err, args, g_pool) ==
                      APR_SUCCESS,
                  "%s: %s", line, err ? err->detail : "");
    return param;
}

/* The words between one character, copied. */
static apr_array_header_t *split(const char *text, const char *separator)
{
    apr_array_header_t *words = apr_array_make(g_pool, 4, sizeof(void *));
    char *rest = text ? apr_pstrdup(g_pool, text) : NULL;

    while (rest) {
        char *word = rest;

        rest = strpbrk(rest, separator);
        if (rest) {
            *rest++ = '\0';
        }
        APR_ARRAY_PUSH(words, const char *) = word;
    }
    return words;
}

static apr_array_header_t *params_of(const request_t *request,
                                     const apr_array_header_t *path_names)
{
    const apr_array_header_t *lines = split(request->declarations, "\n");
    apr_array_header_t *params = apr_array_make(g_pool, 4, sizeof(void *));
    dsapi_err_t *err = NULL;

    for (int i = 0; i < lines->nelts; i++) {
        APR_ARRAY_PUSH(params, dsapi_param_t *) =
            declare(APR_ARRAY_IDX(lines, i, const char *));
    }
    ck_assert_msg(dsapi_route_params_settle(&err, params, path_names,
                                            request->body_default,
                                            g_pool) == APR_SUCCESS,
                  "%s", err ? err->detail : "");
    return params;
}

static apr_array_header_t *pairs_of(const char *text)
{
    return text ? dsapi_base_form_parse(text, strlen(text), g_pool) : NULL;
}

static apr_status_t bind_request(const char ***pvalues, dsapi_err_t **perr,
                                 apr_array_header_t **pparams,
                                 request_t *request)
{
    apr_array_header_t *path_names = split(request->path_names, " ");
    dsapi_json_slice_t json;
    dsapi_input_t input = {request->captures,
                           path_names,
                           pairs_of(request->query),
                           pairs_of(request->form),
                           request->json ? &json : NULL,
                           header_of,
                           request};

    *pparams = params_of(request, path_names);
    if (request->json) {
        ck_assert_int_eq(dsapi_json_check(&json, NULL, request->json,
                                          strlen(request->json), g_pool),
                         APR_SUCCESS);
    }
    return dsapi_route_bind(pvalues, perr, *pparams, &input, g_pool);
}

/* The values, "a=1 b=NULL"; the mistakes, "in name message; ..." */
static const char *bound(request_t request)
{
    const char **values = (const char **)&request;
    apr_array_header_t *params;
    dsapi_err_t *err = (dsapi_err_t *)g_pool;
    apr_status_t rv = bind_request(&values, &err, &params, &request);
    const char *shown = "";

    if (rv == APR_SUCCESS) {
        ck_assert_ptr_null(err);
        for (int i = 0; i < params->nelts; i++) {
            shown = apr_pstrcat(g_pool, shown, i ? " " : "",
                                APR_ARRAY_IDX(params, i, dsapi_param_t *)->name,
                                "=", values[i] ? values[i] : "NULL", NULL);
        }
        return shown;
    }
    ck_assert_int_eq(rv, DSAPI_EPARAM);
    ck_assert_int_eq(err->rv, DSAPI_EPARAM);
    ck_assert_str_eq(err->code, "invalid-parameter");
    ck_assert_ptr_null(values);
    for (int i = 0; i < err->fields->nelts; i++) {
        const dsapi_field_err_t *field =
            &APR_ARRAY_IDX(err->fields, i, dsapi_field_err_t);

        shown = apr_pstrcat(g_pool, shown, i ? "; " : "! ", field->in, " ",
                            field->name, " ", field->message, NULL);
    }
    return shown;
}

#define BOUND(...) bound((request_t){__VA_ARGS__})

START_TEST(values_come_from_everywhere)
{
    ck_assert_str_eq(BOUND(.declarations = "q int\na iso3\nh text in=header\n"
                                           "b bool in=body\nc text",
                           .path_names = "c a", .captures = {"x/y", "col"},
                           .query = "q=07", .json = "{\"b\":true}",
                           .header_name = "h", .header_value = "v"),
                     "q=7 a=COL h=v b=true c=x/y");
}
END_TEST

START_TEST(what_is_absent_is_null_or_the_default)
{
    ck_assert_str_eq(BOUND(.declarations = "a int\nb int default=3\n"
                                           "c int in=header\n"
                                           "d text in=body default=''"),
                     "a=NULL b=3 c=NULL d=");
    ck_assert_str_eq(BOUND(.declarations = "a int[]\nb int[] default=1,2"),
                     "a=NULL b={\"1\",\"2\"}");
    ck_assert_str_eq(BOUND(.declarations = "a text default=x", .query = "a="),
                     "a=");
}
END_TEST

START_TEST(all_mistakes_are_told_at_once)
{
    ck_assert_str_eq(BOUND(.declarations = "p int\nq date\nr int required\n"
                                           "h int in=header\nb bool in=body",
                           .path_names = "p", .captures = {"x"},
                           .query = "q=1&z=2", .json = "{\"b\":1,\"y\":2}",
                           .header_name = "h", .header_value = "-"),
                     "! path p must be a whole number from -2147483648 to "
                     "2147483647; "
                     "query q must be a day, as YYYY-MM-DD; "
                     "query z is not known here; known: q, r; "
                     "header h must be a whole number from -2147483648 to "
                     "2147483647; "
                     "body b must be true or false, not a number; "
                     "body y is not known here; known: b; "
                     "query r is required");
}
END_TEST

START_TEST(what_cannot_be_decoded_hides_nothing)
{
    ck_assert_str_eq(BOUND(.declarations = "q text in=query required\nr int "
                                           "in=query\ns int in=query\n"
                                           "t text in=body\nu int in=body",
                           .query = "q=%FF&%=1&z=%&r=x&s=%00&s=1",
                           .form = "t=%C3&u=1&%FF", .body_default = 1),
                     "! query q must be UTF-8; "
                     "query  the name of pair 2 must have two hexadecimal "
                     "digits after each "
                     "'%'; "
                     "query z is not known here; known: q, r, s; "
                     "query r must be a whole number from -2147483648 to "
                     "2147483647; "
                     "query s must not contain a NUL character; "
                     "query s is given more than once; "
                     "body t must be UTF-8; "
                     "body  the name of pair 3 must be UTF-8");
}
END_TEST

START_TEST(a_name_of_another_place_is_not_known)
{
    ck_assert_str_eq(BOUND(.declarations = "p int\nh int in=header\nq int",
                           .path_names = "p", .captures = {"1"},
                           .query = "p=1&h=2&Q=3"),
                     "! query p is not known here; known: q; "
                     "query h is not known here; known: q; "
                     "query Q is not known here; known: q");
    ck_assert_str_eq(BOUND(.declarations = "q int", .json = "{\"q\":1}"),
                     "! body q is not known here; known: none");
    ck_assert_str_eq(BOUND(.declarations = "b int in=body", .query = "b=1&=2"),
                     "! query b is not known here; known: none; "
                     "query  is not known here; known: none");
}
END_TEST

START_TEST(a_value_is_given_once)
{
    ck_assert_str_eq(BOUND(.declarations = "a int", .query = "a=1&a=1"),
                     "! query a is given more than once");
    ck_assert_str_eq(BOUND(.declarations = "a int", .query = "a=1&a=2&a=3"),
                     "! query a is given more than once");
    ck_assert_str_eq(BOUND(.declarations = "a int", .query = "a=x&a=1&a=2"),
                     "! query a must be a whole number from -2147483648 to "
                     "2147483647; query a is given more than once");
    ck_assert_str_eq(BOUND(.declarations = "a int[]", .query = "a=1&a=2"),
                     "! query a is given more than once");
    ck_assert_str_eq(BOUND(.declarations = "a int in=body", .form = "a=1&a=2"),
                     "! body a is given more than once");
}
END_TEST

START_TEST(what_is_required_must_be_given)
{
    ck_assert_str_eq(BOUND(.declarations = "a int required\n"
                                           "b int in=header required\n"
                                           "c int in=body required"),
                     "! query a is required; header b is required; "
                     "body c is required");
    ck_assert_str_eq(BOUND(.declarations = "a int required", .query = "a=x"),
                     "! query a must be a whole number from -2147483648 to "
                     "2147483647");
    ck_assert_str_eq(BOUND(.declarations = "a text required", .query = "a"),
                     "a=");
}
END_TEST

START_TEST(a_list_in_a_url)
{
    ck_assert_str_eq(BOUND(.declarations = "a iso3[]", .query = "a=col,%62fa"),
                     "a={\"COL\",\"BFA\"}");
    ck_assert_str_eq(BOUND(.declarations = "a int[]", .path_names = "a",
                           .captures = {"1,2"}),
                     "a={\"1\",\"2\"}");
    ck_assert_str_eq(BOUND(.declarations = "a int[]", .query = "a=1,,2"),
                     "! query a has an empty item; write a,b");
    ck_assert_str_eq(BOUND(.declarations = "a int[]", .query = "a="),
                     "! query a has an empty item; write a,b");
}
END_TEST

START_TEST(members_of_a_body)
{
    ck_assert_str_eq(BOUND(.declarations = "i int\nl bigint\nn number\nb "
                                           "bool\nt text\n"
                                           "d date\nz timestamp\nu iso2\nj "
                                           "json",
                           .body_default = 1,
                           .json = "{\"i\":-0,\"l\":9223372036854775807,"
                                   "\"n\":12345678901234567890.10,\"b\":false,"
                                   "\"t\":\"a\\n\\u00e9\",\"d\":\"2024-02-29\","
                                   "\"z\":\"2024-02-29T00:00:00Z\",\"u\":"
                                   "\"de\","
                                   "\"j\": {\"x\" : [1.0]} }"),
                     "i=0 l=9223372036854775807 n=12345678901234567890.10 "
                     "b=false "
                     "t=a\n\303\251 d=2024-02-29 z=2024-02-29T00:00:00+00:00 "
                     "u=DE "
                     "j={\"x\" : [1.0]}");
    ck_assert_str_eq(
        BOUND(.declarations = "a int", .body_default = 1, .json = "{}"), "a="
                                                                         "NUL"
                                                                         "L");
}
END_TEST

START_TEST(a_member_has_the_kind_of_its_type)
{
    ck_assert_str_eq(BOUND(.declarations = "i int\nb bool\nt text\nd date\na "
                                           "int[]\nl int",
                           .body_default = 1,
                           .json = "{\"i\":\"1\",\"b\":\"true\",\"t\":1,\"d\":["
                                   "],\"a\":1,"
                                   "\"l\":[1]}"),
                     "! body i must be a number, not a string; "
                     "body b must be true or false, not a string; "
                     "body t must be a string, not a number; "
                     "body d must be a string, not an array; "
                     "body a must be an array, not a number; "
                     "body l must be a number, not an array");
    ck_assert_str_eq(BOUND(.declarations = "i int\nn number", .body_default = 1,
                           .json = "{\"i\":1.5,\"n\":1e-2000}"),
                     "! body i must be a whole number from -2147483648 to "
                     "2147483647; body n must be a number with an exponent "
                     "from -1000 to 1000");
}
END_TEST

START_TEST(an_array_in_a_body)
{
    ck_assert_str_eq(BOUND(.declarations = "a int[]\nt text[]\nb bool[]\nj "
                                           "json[]\ne int[]",
                           .body_default = 1,
                           .json = "{\"a\":[1, "
                                   "2],\"t\":[\"a,b\",\"\",\"q\\\"\\\\\"],"
                                   "\"b\":[true],\"j\":[{\"x\":\"y\"},null,[1]]"
                                   ","
                                   "\"e\":[]}"),
                     "a={\"1\",\"2\"} t={\"a,b\",\"\",\"q\\\"\\\\\"} "
                     "b={\"true\"} "
                     "j={\"{\\\"x\\\":\\\"y\\\"}\",\"null\",\"[1]\"} e={}");
    ck_assert_str_eq(BOUND(.declarations = "a int[]\nb iso3[]\nc text[]\n"
                                           "d int[] max=3",
                           .body_default = 1,
                           .json = "{\"a\":[1,null],\"b\":[\"COL\",\"xx\"],"
                                   "\"c\":[[\"a\"]],\"d\":[3,4]}"),
                     "! body a item 2 must be a number, not null; "
                     "body b item 2 must be an ISO 3166-1 alpha-3 country "
                     "code; body c item 1 must be a string, not an array; "
                     "body d item 2 must not be above 3");
}
END_TEST

START_TEST(null_in_a_body)
{
    ck_assert_str_eq(BOUND(.declarations = "a int\nb int default=3\n"
                                           "c int[] default=1\nj json\n"
                                           "k json[] default=1",
                           .body_default = 1,
                           .json = "{\"a\":null,\"b\":null,\"c\":null,"
                                   "\"j\":null,\"k\":null}"),
                     "a=NULL b=NULL c=NULL j=null k=NULL");
    ck_assert_str_eq(BOUND(.declarations = "a int required\nj json required\n"
                                           "k json[] required",
                           .body_default = 1,
                           .json = "{\"a\":null,\"j\":null,\"k\":null}"),
                     "! body a must not be null; body k must not be null");
}
END_TEST

START_TEST(a_form_is_a_body)
{
    ck_assert_str_eq(BOUND(.declarations = "a int\nb text\nc bool[]\nd json",
                           .body_default = 1,
                           .form = "a=1&b=x+y&c=true,0&d=%5B1%5D"),
                     "a=1 b=x y c={\"true\",\"false\"} d=[1]");
    ck_assert_str_eq(BOUND(.declarations = "a int required\nb text",
                           .body_default = 1, .form = "b=1&x=2"),
                     "! body x is not known here; known: a, b; "
                     "body a is required");
}
END_TEST

START_TEST(a_body_of_members_is_an_object)
{
    static const char *const bodies[][2] = {{"[]", "! body  must be an object, "
                                                   "not an array"},
                                            {"1", "! body  must be an object, "
                                                  "not a number"},
                                            {"null", "! body  must be an "
                                                     "object, not null"},
                                            {"\"{}\"", "! body  must be an "
                                                       "object, not a string"}};

    for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
        ck_assert_str_eq(BOUND(.declarations = "a int", .body_default = 1,
                               .json = bodies[i][0]),
                         bodies[i][1]);
    }
    ck_assert_str_eq(BOUND(.declarations = "a int required", .body_default = 1,
                           .json = "[]"),
                     "! body  must be an object, not an array; "
                     "body a is required");
}
END_TEST

START_TEST(a_whole_body_is_one_parameter)
{
    ck_assert_str_eq(BOUND(.declarations = "doc json in=body body=whole",
                           .json = " [1, {\"a\":2}] "),
                     "doc=[1, {\"a\":2}]");
    ck_assert_str_eq(BOUND(.declarations = "doc json in=body body=whole",
                           .json = "{\"doc\":1}"),
                     "doc={\"doc\":1}");
    ck_assert_str_eq(BOUND(.declarations = "doc json in=body body=whole "
                                           "required",
                           .json = "null"),
                     "doc=null");
    ck_assert_str_eq(BOUND(.declarations = "a slug[] in=body body=whole",
                           .json = "[\"France\",\"new-zealand\"]"),
                     "a={\"france\",\"new-zealand\"}");
    ck_assert_str_eq(BOUND(.declarations = "a slug[] in=body body=whole",
                           .json = "{\"a\":[]}"),
                     "! body a must be an array, not an object");
    ck_assert_str_eq(BOUND(.declarations = "a json in=body body=whole"), "a="
                                                                         "NUL"
                                                                         "L");
    ck_assert_str_eq(BOUND(.declarations = "a json in=body body=whole "
                                           "required"),
                     "! body a is required");
}
END_TEST

START_TEST(a_whole_body_is_no_form)
{
    request_t request = {.declarations = "a int[] in=body body=whole\nq int "
                                         "in=query",
                         .query = "q=x",
                         .form = "a=1"};
    apr_array_header_t *params;
    const char **values;
    dsapi_err_t *err;

    ck_assert_int_eq(bind_request(&values, &err, &params, &request),
                     DSAPI_EMEDIA);
    ck_assert_ptr_null(values);
    ck_assert_str_eq(err->code, "unsupported-type");
    ck_assert_ptr_null(err->fields);
}
END_TEST

START_TEST(headers_have_hyphens)
{
    ck_assert_str_eq(dsapi_route_header_name("x_Of_", g_pool), "x-Of-");
    ck_assert_str_eq(BOUND(.declarations = "if_none_match text in=header\n"
                                           "x int in=header",
                           .header_name = "if-none-match",
                           .header_value = "\"a\""),
                     "if_none_match=\"a\" x=NULL");
    ck_assert_str_eq(BOUND(.declarations = "x json in=header required",
                           .header_name = "x", .header_value = "\"\377\""),
                     "! header x must be UTF-8");
}
END_TEST

/* httpd joins equal headers, as proxies do, with a comma and a blank */
START_TEST(a_list_in_a_header_has_blanks)
{
    ck_assert_str_eq(BOUND(.declarations = "a int[] in=header",
                           .header_name = "a", .header_value = "1, 2 ,\t3"),
                     "a={\"1\",\"2\",\"3\"}");
    ck_assert_str_eq(BOUND(.declarations = "a text[] in=header",
                           .header_name = "a", .header_value = " b  c , d "),
                     "a={\"b  c\",\"d\"}");
    ck_assert_str_eq(BOUND(.declarations = "a text[] in=header",
                           .header_name = "a", .header_value = "b, ,c"),
                     "! header a has an empty item; write a,b");
    ck_assert_str_eq(BOUND(.declarations = "a text in=header",
                           .header_name = "a", .header_value = "b, c"),
                     "a=b, c");
    ck_assert_str_eq(BOUND(.declarations = "a text[]", .query = "a=b,+c"), "a={"
                                                                           "\"b"
                                                                           "\","
                                                                           "\" "
                                                                           "c\""
                                                                           "}");
}
END_TEST

START_TEST(bounds_may_be_parameters)
{
    static const char *const declarations = "from date\nto date min=:from "
                                            "max=:last\nlast date "
                                            "default=2024-12-31";

    ck_assert_str_eq(BOUND(.declarations = declarations, .query = "from=2024-"
                                                                  "01-01&to="
                                                                  "2024-01-01"),
                     "from=2024-01-01 to=2024-01-01 last=2024-12-31");
    ck_assert_str_eq(BOUND(.declarations = declarations, .query = "from=2024-"
                                                                  "01-02&to="
                                                                  "2024-01-01"),
                     "! query to must not be before 'from' (2024-01-02)");
    ck_assert_str_eq(BOUND(.declarations = declarations, .query = "to=2025-01-"
                                                                  "01"),
                     "! query to must not be after 'last' (2024-12-31)");
    ck_assert_str_eq(BOUND(.declarations = declarations, .query = "from=x&to="
                                                                  "2024-01-01"),
                     "! query from must be a day, as YYYY-MM-DD");
    ck_assert_str_eq(BOUND(.declarations = "a number min=:b max=:c\nb number\n"
                                           "c number",
                           .query = "a=9&b=10.0&c=1e1"),
                     "! query a must not be below 'b' (10.0)");
    ck_assert_str_eq(BOUND(.declarations = "a number min=:b max=:c\nb number\n"
                                           "c number",
                           .query = "a=11&c=1e1"),
                     "! query a must not be above 'c' (1e1)");
}
END_TEST

START_TEST(bounds_that_are_parameters_go_for_each_item)
{
    static const char *const declarations = "a int[] min=:b max=:c\nb int\n"
                                            "c int in=body";

    ck_assert_str_eq(BOUND(.declarations = declarations, .query = "a=9,10&b=9",
                           .json = "{\"c\":10}"),
                     "a={\"9\",\"10\"} b=9 c=10");
    ck_assert_str_eq(BOUND(.declarations = declarations, .query = "a=10,8,7&b="
                                                                  "9"),
                     "! query a must not be below 'b' (9)");
    ck_assert_str_eq(BOUND(.declarations = "a int[] in=body max=:b\nb int",
                           .query = "b=1", .json = "{\"a\":[]}"),
                     "a={} b=1");
}
END_TEST

START_TEST(a_pattern_is_asked)
{
    ck_assert_str_eq(BOUND(.declarations = "a text pattern='^[a-z]+$'\n"
                                           "b text[] in=body pattern=^x",
                           .query = "a=A", .json = "{\"b\":[\"x\",\"y\"]}"),
                     "! query a must match ^[a-z]+$; "
                     "body b item 2 must match ^x");
}
END_TEST

START_TEST(a_path_that_is_not_utf8_is_wrong)
{
    ck_assert_str_eq(BOUND(.declarations = "a text", .path_names = "a",
                           .captures = {"\377"}),
                     "! path a must be UTF-8");
}
END_TEST

START_TEST(any_number_of_mistakes_is_bearable)
{
    enum {
        PAIRS = 200000
    };
    apr_array_header_t *pairs =
        apr_array_make(g_pool, PAIRS, sizeof(dsapi_pair_t));
    apr_array_header_t *params = apr_array_make(g_pool, 64, sizeof(void *));
    apr_array_header_t *no_path = apr_array_make(g_pool, 1, sizeof(void *));
    dsapi_input_t input = {NULL, no_path, pairs, NULL, NULL, NULL, NULL};
    const char **values;
    dsapi_err_t *err;

    for (int i = 0; i < 64; i++) {
        APR_ARRAY_PUSH(params, dsapi_param_t *) =
            declare(apr_psprintf(g_pool, "parameter_%d int", i));
    }
    ck_assert_int_eq(
        dsapi_route_params_settle(&err, params, no_path, 0, g_pool),
        APR_SUCCESS);
    for (int i = 0; i < PAIRS; i++) {
        dsapi_pair_t pair = {i % 2 ? "parameter_1" : "x", "1", NULL};

        APR_ARRAY_PUSH(pairs, dsapi_pair_t) = pair;
    }
    ck_assert_int_eq(dsapi_route_bind(&values, &err, params, &input, g_pool),
                     DSAPI_EPARAM);
    ck_assert_int_eq(err->fields->nelts, DSAPI_FIELDS_MAX);
}
END_TEST

UNIT_SUITE(route_bind, values_come_from_everywhere,
           what_is_absent_is_null_or_the_default, all_mistakes_are_told_at_once,
           what_cannot_be_decoded_hides_nothing,
           a_name_of_another_place_is_not_known, a_value_is_given_once,
           what_is_required_must_be_given, a_list_in_a_url, members_of_a_body,
           a_member_has_the_kind_of_its_type, an_array_in_a_body,
           null_in_a_body, a_form_is_a_body, a_body_of_members_is_an_object,
           a_whole_body_is_one_parameter, a_whole_body_is_no_form,
           headers_have_hyphens, a_list_in_a_header_has_blanks,
           bounds_may_be_parameters,
           bounds_that_are_parameters_go_for_each_item, a_pattern_is_asked,
           a_path_that_is_not_utf8_is_wrong, any_number_of_mistakes_is_bearable)
