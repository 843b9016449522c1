/* src/resource/function.h: calls of functions. */
#include "resource/function.h"

#include <apr_strings.h>
#include <string.h>

#include "base/text.h"
#include "resource/problem.h"
#include "resource/read.h"
#include "unit/ast.h"
#include "unit/shop.h"
#include "unit/unit.h"

static const char functions[] =
    "CREATE FUNCTION s.add(a int, b int) RETURNS int LANGUAGE sql IMMUTABLE AS "
    "$$SELECT a + b$$; "
    "CREATE FUNCTION s.hello(name text DEFAULT 'you') RETURNS text "
    "LANGUAGE sql STABLE AS $$SELECT 'hello ' || name$$; "
    "CREATE FUNCTION s.numbers(n int) RETURNS SETOF int LANGUAGE sql AS "
    "$$SELECT * FROM generate_series(1, n)$$; "
    "CREATE FUNCTION s.cheaper(price numeric) RETURNS SETOF s.item "
    "LANGUAGE sql STABLE AS $$SELECT * FROM s.item i "
    "WHERE i.price < $1 ORDER BY id DESC$$; "
    "CREATE FUNCTION s.first() RETURNS s.item LANGUAGE sql STABLE AS "
    "$$SELECT * FROM s.item ORDER BY id LIMIT 1$$; "
    "CREATE FUNCTION s.pairs() RETURNS TABLE (a int, b text) LANGUAGE sql AS "
    "$$VALUES (1, 'x'), (2, 'y')$$; "
    "CREATE FUNCTION s.two(INOUT a int, OUT b text, c int DEFAULT 1) "
    "LANGUAGE sql AS $$SELECT a + c, 'b'$$; "
    "CREATE FUNCTION s.one_out(a int, OUT b int) LANGUAGE sql AS "
    "$$SELECT a + 1$$; "
    "CREATE FUNCTION s.nothing() RETURNS void LANGUAGE sql AS ''; "
    "CREATE FUNCTION s.untyped() RETURNS record LANGUAGE sql AS "
    "$$SELECT id, name FROM s.maker ORDER BY id$$; "
    "CREATE FUNCTION s.secrets() RETURNS SETOF s.label LANGUAGE sql AS "
    "$$SELECT * FROM s.label$$; "
    "CREATE FUNCTION s.sum_of(start int, VARIADIC v int[]) RETURNS bigint "
    "LANGUAGE sql AS $$SELECT start + sum(n) FROM unnest(v) n$$; "
    "CREATE FUNCTION s.kinds(a char(3), b bit, c s.mood, d text[], e jsonb) "
    "RETURNS text LANGUAGE sql AS $$SELECT concat_ws('|', a, b, c, d, e)$$; "
    "CREATE FUNCTION s.whole(json) RETURNS text LANGUAGE sql AS "
    "$$SELECT 'json ' || $1::text$$; "
    "CREATE FUNCTION s.whole(text) RETURNS text LANGUAGE sql AS "
    "$$SELECT 'text ' || $1$$; "
    "CREATE FUNCTION s.whole(bytea) RETURNS int LANGUAGE sql AS "
    "$$SELECT length($1)$$; "
    "CREATE FUNCTION s.whole(x int) RETURNS text LANGUAGE sql AS "
    "$$SELECT 'x ' || x$$; "
    "CREATE FUNCTION s.same(a int) RETURNS int LANGUAGE sql AS $$SELECT 1$$; "
    "CREATE FUNCTION s.same(a text) RETURNS int LANGUAGE sql AS $$SELECT 2$$; "
    "CREATE FUNCTION s.same(a int, b int) RETURNS int LANGUAGE sql AS "
    "$$SELECT 3$$; "
    "CREATE FUNCTION s.half(int) RETURNS int LANGUAGE sql AS $$SELECT 1$$; "
    "CREATE FUNCTION s.\"Odd \"\"f\"(\"A \"\"x\" int) RETURNS int LANGUAGE sql "
    "AS $$SELECT $1$$; "
    "CREATE FUNCTION s.trig() RETURNS trigger LANGUAGE plpgsql AS "
    "$$BEGIN RETURN NULL; END$$; "
    "CREATE PROCEDURE s.proc() LANGUAGE sql AS ''; "
    "CREATE SEQUENCE s.calls; "
    "CREATE FUNCTION s.counted() RETURNS SETOF bigint LANGUAGE sql AS "
    "$$SELECT nextval('s.calls') FROM generate_series(1, 3)$$;";

static shop_t *open_shop(void)
{
    shop_t *shop = shop_open();

    pg_value(shop->pg, "DO $do$ BEGIN EXECUTE $sql$%s$sql$; END $do$",
             functions);
    shop_expose(shop, "s");
    return shop;
}

/* The rows of a call, or the error. */
static const char *ask(const shop_t *shop, dsapi_invoke_t *invoke,
                       const char *name, const apr_array_header_t *filters)
{
    dsapi_res_reading_t reading = {-1, 0, 100, 0, -1, 0};
    dsapi_res_query_t *query;
    dsapi_call_t call;
    dsapi_rows_t *rows;
    dsapi_err_t *err;
    apr_status_t rv =
        dsapi_function_find(invoke, &err, shop->catalog, "s", name, g_pool);

    if (rv == APR_SUCCESS) {
        rv = dsapi_resource_parse(&query, &err, name, filters, g_pool);
    }
    if (rv == APR_SUCCESS) {
        query->root->invoke = invoke;
        rv = dsapi_resource_resolve(query, &err, shop->catalog,
                                    invoke->function->result, g_pool);
    }
    if (rv == APR_SUCCESS) {
        reading.limit = query->root->limit;
        reading.count = 1;
        dsapi_resource_read(&call, query, &reading, g_pool);
        rv = shop_run(&rows, &err, shop, &call);
    }
    if (rv == APR_SUCCESS) {
        return shop_rows(rows);
    }
    dsapi_resource_problem(err, g_pool);
    return ast_error(err);
}

/* By the URL: "add?a=1&b=2". */
static const char *get(const shop_t *shop, const char *url)
{
    const char *mark = strchr(url, '?');
    dsapi_invoke_t invoke;
    apr_array_header_t *args;
    apr_array_header_t *filters;

    dsapi_function_split(&args, &filters, ast_pairs(mark ? mark + 1 : ""),
                         g_pool);
    dsapi_function_take_pairs(&invoke, DSAPI_INVOKE_QUERY, args, g_pool);
    return ask(shop, &invoke,
               mark ? apr_pstrmemdup(g_pool, url, (apr_size_t)(mark - url))
                    : url,
               filters);
}

/* With a body of JSON. */
static const char *post(const shop_t *shop, const char *name, const char *text)
{
    dsapi_invoke_t invoke;
    dsapi_json_slice_t json;
    dsapi_err_t *err;

    ck_assert_int_eq(dsapi_json_check(&json, &err, text, strlen(text), g_pool),
                     APR_SUCCESS);
    return dsapi_function_take_json(&invoke, &err, &json, NULL, g_pool) ==
                   APR_SUCCESS
               ? ask(shop, &invoke, name, ast_pairs(""))
               : ast_error(err);
}

static const char *post_body(const shop_t *shop, const char *name,
                             dsapi_invoke_as_e as, const char *data,
                             apr_size_t len)
{
    dsapi_invoke_t invoke;
    dsapi_err_t *err;

    return dsapi_function_take_body(&invoke, &err, as, data, len, g_pool) ==
                   APR_SUCCESS
               ? ask(shop, &invoke, name, ast_pairs(""))
               : ast_error(err);
}

START_TEST(arguments_in_the_url)
{
    static const char *const calls[][2] = {
        {"add?a=1&b=2", "[{\"pgrst_scalar\":3}]"},
        {"add?b=2&a=5&a=1", "[{\"pgrst_scalar\":3}]"},
        {"hello", "[{\"pgrst_scalar\":\"hello you\"}]"},
        {"hello?name=it", "[{\"pgrst_scalar\":\"hello it\"}]"},
        {"numbers?n=3&pgrst_scalar=gt.1", "[{\"pgrst_scalar\":2},{\"pgrst_"
                                          "scalar\":3}]"},
        {"cheaper?price=3&select=id", "[{\"id\":2},{\"id\":1}]"},
        {"cheaper?price=3&order=id.desc&select=name,maker:makers!item_maker("
         "name)",
         "[{\"name\":\"bee\",\"maker\":{\"name\":\"one\"}},{\"name\":\"ant\","
         "\"maker\":{\"name\":\"one\"}}]"},
        {"cheaper?price=3&price=gt.2&select=id", "[{\"id\":2}]"},
        {"cheaper?price=9&select=id&order=id&limit=2", "[{\"id\":1},{\"id\":2}"
                                                       "]"},
        {"first?select=id,name", "[{\"id\":1,\"name\":\"ant\"}]"},
        {"pairs?order=a.desc", "[{\"a\":2,\"b\":\"y\"},{\"a\":1,\"b\":\"x\"}]"},
        {"two?a=4&c=2", "[{\"a\":6,\"b\":\"b\"}]"},
        {"one_out?a=4", "[{\"b\":5}]"},
        {"untyped", "[{\"pgrst_scalar\":{\"id\":1,\"name\":\"one\"}}]"},
        {"sum_of?start=1&v=2&v=3", "[{\"pgrst_scalar\":6}]"},
        {"Odd \"f?A \"x=7", "[{\"pgrst_scalar\":7}]"},
        {"kinds?a=abcdef&b=101&c=bad&d={x,y}&e={\"k\":1}", "[{\"pgrst_scalar\":"
                                                           "\"abcdef|101|bad|{"
                                                           "x,y}|{\\\"k\\\": "
                                                           "1}\"}]"},
    };
    shop_t *shop = open_shop();

    for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
        ck_assert_str_eq(get(shop, calls[i][0]), calls[i][1]);
    }
}
END_TEST

START_TEST(arguments_in_a_body)
{
    static const char *const calls[][3] = {
        {"add", "{\"a\":1,\"b\":\"2\"}", "[{\"pgrst_scalar\":3}]"},
        {"add", "[{\"a\":1,\"b\":2},{\"a\":5,\"b\":6}]",
         "[{\"pgrst_scalar\":3}]"},
        {"hello", "{}", "[{\"pgrst_scalar\":\"hello you\"}]"},
        {"hello", "{\"name\":null}", "[{\"pgrst_scalar\":null}]"},
        {"pairs", "{}", "[{\"a\":1,\"b\":\"x\"},{\"a\":2,\"b\":\"y\"}]"},
        {"two", "{\"a\":1}", "[{\"a\":2,\"b\":\"b\"}]"},
        {"sum_of", "{\"start\":1,\"v\":[2,3]}", "[{\"pgrst_scalar\":6}]"},
        {"kinds",
         "{\"a\":\"abcdef\",\"b\":\"101\",\"c\":\"bad\",\"d\":[\"x\",\"y\"],"
         "\"e\":{\"k\":1}}",
         "[{\"pgrst_scalar\":\"abcdef|101|bad|{x,y}|{\\\"k\\\": 1}\"}]"},
        {"whole", "{\"y\":1}", "[{\"pgrst_scalar\":\"json {\\\"y\\\":1}\"}]"},
        {"whole", "{\"x\":1}", "[{\"pgrst_scalar\":\"x 1\"}]"},
        {"whole", "[{\"y\":1},{\"y\":2}]",
         "[{\"pgrst_scalar\":\"json [{\\\"y\\\":1},{\\\"y\\\":2}]\"}]"},
        {"whole", "7", "[{\"pgrst_scalar\":\"json 7\"}]"},
    };
    shop_t *shop = open_shop();

    for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
        ck_assert_str_eq(post(shop, calls[i][0], calls[i][1]), calls[i][2]);
    }
    ck_assert_str_eq(post_body(shop, "whole", DSAPI_INVOKE_TEXT, "{\"x\":", 5),
                     "[{\"pgrst_scalar\":\"text {\\\"x\\\":\"}]");
    ck_assert_str_eq(
        post_body(shop, "whole", DSAPI_INVOKE_BYTES, "a\0\\\xff", 4), "[{"
                                                                      "\"pgrst_"
                                                                      "scalar\""
                                                                      ":4}]");
    ck_assert_str_eq(post_body(shop, "whole", DSAPI_INVOKE_TEXT, "a\0b", 3),
                     "22021: the body must be UTF-8, without NUL");
}
END_TEST

START_TEST(members_that_count)
{
    shop_t *shop = open_shop();
    apr_array_header_t *columns = apr_array_make(g_pool, 1, sizeof(char *));
    static const char text[] = "{\"name\":\"x\",\"more\":1}";
    dsapi_json_slice_t json = {text, sizeof(text) - 1, DSAPI_JSON_OBJECT};
    dsapi_invoke_t invoke;
    dsapi_err_t *err;

    APR_ARRAY_PUSH(columns, const char *) = "name";
    ck_assert_int_eq(
        dsapi_function_take_json(&invoke, &err, &json, columns, g_pool),
        APR_SUCCESS);
    ck_assert_str_eq(ask(shop, &invoke, "hello", ast_pairs("")), "[{\"pgrst_"
                                                                 "scalar\":"
                                                                 "\"hello "
                                                                 "x\"}]");
    ck_assert_int_eq(
        dsapi_function_take_json(&invoke, &err, NULL, NULL, g_pool),
        APR_SUCCESS);
    ck_assert_str_eq(ask(shop, &invoke, "hello", ast_pairs("")), "[{\"pgrst_"
                                                                 "scalar\":"
                                                                 "\"hello "
                                                                 "you\"}]");
}
END_TEST

static const char *const misfits[][2] = {
    {"nosuch", "PGRST202: Could not find the function s.nosuch without "
               "parameters in the schema cache; \"Searched for the "
               "function s.nosuch without parameters, but no matches were "
               "found in the schema cache.\""},
    {"hello?nam=x", "PGRST202: Could not find the function s.hello(nam) in "
                    "the schema "
                    "cache; \"Searched for the function s.hello with "
                    "parameter nam, but "
                    "no matches were found in the schema cache.\"; "
                    "Perhaps you meant to call the function "
                    "s.hello(name)"},
    {"helo", "PGRST202: Could not find the function s.helo without "
             "parameters in the schema cache; \"Searched for the function "
             "s.helo without parameters, but no matches were found in the "
             "schema cache.\"; Perhaps you meant to call the function "
             "s.hello"},
    {"add?b=1&c=2", "PGRST202: Could not find the function s.add(b, c) in "
                    "the schema "
                    "cache; \"Searched for the function s.add with "
                    "parameters b, c, but "
                    "no matches were found in the schema cache.\"; "
                    "Perhaps you meant to call the function s.add(a, b)"},
    {"same?a=1", "PGRST203: Could not choose the best candidate function "
                 "between: "
                 "s.same(a => integer), s.same(a => text); Try "
                 "renaming the "
                 "parameters or the function itself in the database so "
                 "function "
                 "overloading can be resolved"},
    {"same?a=1&b=2", "[{\"pgrst_scalar\":3}]"},
    {"first?nosuch=eq.1", "42703: column items.nosuch does not exist"},
    {"secrets?select=id,makers(*)", "PGRST200: Could not find a "
                                    "relationship between 'labels' and "
                                    "'makers' in the schema cache; "
                                    "\"Searched for a foreign key "
                                    "relationship between 'labels' and "
                                    "'makers' in the schema 's', but "
                                    "no matches were found.\"; "
                                    "Perhaps you meant 'item_labels' "
                                    "instead of 'makers'."},
};

START_TEST(what_does_not_fit)
{
    static const char *const hidden[] = {"trig", "proc", "half"};
    shop_t *shop = open_shop();

    for (size_t i = 0; i < sizeof(misfits) / sizeof(misfits[0]); i++) {
        ck_assert_str_eq(get(shop, misfits[i][0]), misfits[i][1]);
    }
    for (size_t i = 0; i < sizeof(hidden) / sizeof(hidden[0]); i++) {
        ck_assert(strncmp(get(shop, hidden[i]), "PGRST202", 8) == 0);
    }
    ck_assert_str_eq(post(shop, "add", "{\"z\":1}"),
                     "PGRST202: Could not find the function s.add(z) in the "
                     "schema cache; "
                     "\"Searched for the function s.add with parameter z or "
                     "with a single "
                     "unnamed json/jsonb parameter, but no matches were found "
                     "in the schema "
                     "cache.\"");
    ck_assert_str_eq(post_body(shop, "first", DSAPI_INVOKE_TEXT, "", 0),
                     "PGRST202: Could not find the function s.first in the "
                     "schema cache; "
                     "\"Searched for the function s.first with a single "
                     "unnamed text "
                     "parameter, but no matches were found in the schema "
                     "cache.\"");
    ck_assert_str_eq(post(shop, "add", "[1,2]"), "PGRST102: All object keys "
                                                 "must match");
}
END_TEST

START_TEST(a_function_runs_once)
{
    shop_t *shop = open_shop();

    ck_assert_str_eq(get(shop, "counted?pgrst_scalar=gt.1&limit=1"), "[{"
                                                                     "\"pgrst_"
                                                                     "scalar\":"
                                                                     "2}]");
    ck_assert_str_eq(pg_value(shop->pg, "SELECT last_value FROM s.calls"), "3");
}
END_TEST

UNIT_SUITE(resource_function, arguments_in_the_url, arguments_in_a_body,
           members_that_count, what_does_not_fit, a_function_runs_once)
