/* src/docs/resource.h: what a document says of resources, as it is written. */
#include "docs/resource.h"

#include <apr_strings.h>

#include "route/param.h"
#include "unit/unit.h"

static dsapi_docs_resource_t resource;
static dsapi_docs_route_t route;
static apr_array_header_t *columns;

static void begin(const char *method, int by_key)
{
    columns = apr_array_make(g_pool, 4, sizeof(dsapi_docs_column_t));
    resource =
        (dsapi_docs_resource_t){.name = "items", .columns = columns, .json = 1};
    route = (dsapi_docs_route_t){.method = method,
                                 .path = "/items",
                                 .params =
                                     apr_array_make(g_pool, 1, sizeof(void *)),
                                 .resource = &resource,
                                 .by_key = by_key};
}

static dsapi_docs_column_t *add(const char *name, const char *type)
{
    dsapi_docs_column_t *column = apr_array_push(columns);

    *column = (dsapi_docs_column_t){.name = name, .type = type, .format = type};
    return column;
}

static dsapi_buf_t *buf;
static dsapi_json_writer_t *writer(void)
{
    dsapi_json_writer_t *w = apr_palloc(g_pool, sizeof(*w));

    buf = dsapi_buf_make(0, g_pool);
    dsapi_json_writer_init(w, buf);
    return w;
}

static const char *row(void)
{
    dsapi_docs_put_row(writer(), &resource);
    return dsapi_buf_str(buf);
}

static int says(const char *part)
{
    return strstr(dsapi_buf_str(buf), part) != NULL;
}

static void put_members(void (*put)(dsapi_json_writer_t *w,
                                    const dsapi_docs_route_t *r,
                                    apr_pool_t *pool))
{
    dsapi_json_writer_t *w = writer();

    dsapi_json_begin_object(w);
    put(w, &route, g_pool);
    dsapi_json_end_object(w);
}

START_TEST(columns_have_types)
{
    static const char *const rows[][2] = {
        {"integer", "{\"type\":\"integer\",\"format\":\"int32\"}"},
        {"bigint", "{\"type\":\"integer\",\"format\":\"int64\"}"},
        {"numeric", "{\"type\":\"number\",\"format\":\"numeric\"}"},
        {"timestamp with time zone", "{\"type\":\"string\",\"format\":\"date-"
                                     "time\"}"},
        {"text", "{\"type\":\"string\",\"format\":\"text\"}"},
        {"text[]", "{\"type\":\"array\",\"format\":\"text[]\",\"items\":{}}"},
        {"jsonb", "{\"format\":\"jsonb\"}"},
        {"s.mood", "{\"format\":\"s.mood\"}"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        begin("GET", 0);
        add("c", rows[i][0]);
        ck_assert_str_eq(row(), apr_pstrcat(g_pool,
                                            "{\"type\":\"object\","
                                            "\"properties\":{\"c\":",
                                            rows[i][1], "}}", NULL));
    }
}
END_TEST

START_TEST(columns_say_what_else_is_known)
{
    dsapi_docs_column_t *column;

    begin("GET", 0);
    resource.comment = "things";
    column = add("c", "character varying");
    column->format = "character varying(5)";
    column->comment = "its \"code\"";
    column->nullable = 1;
    column->read_only = 1;
    ck_assert_str_eq(row(), "{\"type\":\"object\",\"description\":\"things\","
                            "\"properties\":{\"c\":{\"type\":[\"string\","
                            "\"null\"],"
                            "\"format\":\"character "
                            "varying(5)\",\"description\":\"its "
                            "\\\"code\\\"\",\"readOnly\":true}}}");
    resource.columns = NULL;
    ck_assert_str_eq(row(), "{\"type\":\"object\",\"description\":\"things\"}");
    ck_assert_str_eq(dsapi_docs_row_name(&resource, g_pool), "row.items");
    resource.name = "A \"b\".c-1_";
    ck_assert_str_eq(dsapi_docs_row_name(&resource, g_pool), "row.A.20.22b.22."
                                                             "2ec-1_");
}
END_TEST

START_TEST(a_filter_for_each_column)
{
    dsapi_param_t param = {.name = "limit", .in = DSAPI_IN_QUERY};
    apr_array_header_t *params = apr_array_make(g_pool, 1, sizeof(void *));
    dsapi_json_writer_t *w;

    begin("GET", 0);
    APR_ARRAY_PUSH(params, dsapi_param_t *) = &param;
    route.params = params;
    add("id", "integer");
    add("limit", "integer");
    w = writer();
    dsapi_json_begin_array(w);
    dsapi_docs_put_filters(w, &route);
    dsapi_json_end_array(w);
    ck_assert(says("{\"name\":\"id\",\"in\":\"query\","));
    ck_assert(!says("\"limit\""));
}
END_TEST

START_TEST(bodies)
{
    begin("POST", 0);
    put_members(dsapi_docs_put_request);
    ck_assert(says("\"application/json\":{\"schema\":{\"oneOf\":["));
    ck_assert(!says("text/csv"));
    resource.csv = 1;
    put_members(dsapi_docs_put_request);
    ck_assert(says("text/csv") && says("application/json"));
    resource.json = 0;
    put_members(dsapi_docs_put_request);
    ck_assert(says("text/csv") && !says("application/json"));
    begin("PATCH", 1);
    resource.json = 0;
    resource.csv = 1;
    put_members(dsapi_docs_put_request);
    ck_assert(!says("text/csv") && says("application/json") && !says("oneOf"));
    begin("DELETE", 1);
    put_members(dsapi_docs_put_request);
    ck_assert_str_eq(dsapi_buf_str(buf), "{}");
}
END_TEST

START_TEST(answers)
{
    begin("GET", 0);
    put_members(dsapi_docs_put_answers);
    ck_assert(says("\"206\"") && says("\"416\"") && !says("\"304\""));
    ck_assert(says("text/csv") && says("\"type\":\"array\""));
    begin("GET", 1);
    put_members(dsapi_docs_put_answers);
    ck_assert(says("\"304\"") && says("\"404\"") && !says("\"206\""));
    ck_assert(!says("text/csv") && !says("\"type\":\"array\""));
    begin("POST", 0);
    put_members(dsapi_docs_put_answers);
    ck_assert(says("\"201\"") && says("\"409\"") && says("\"422\""));
    begin("PATCH", 1);
    put_members(dsapi_docs_put_answers);
    ck_assert(says("\"204\"") && says("\"412\"") && says("\"default\""));
    ck_assert(!says("\"201\"") && !says("\"422\""));
}
END_TEST

UNIT_SUITE(docs_resource, columns_have_types, columns_say_what_else_is_known,
           a_filter_for_each_column, bodies, answers)
