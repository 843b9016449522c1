/* src/resource/write.h: what PostgreSQL does, and what is refused before. */
#include "resource/write.h"

#include <apr_strings.h>

#include "resource/problem.h"
#include "unit/ast.h"
#include "unit/shop.h"
#include "unit/unit.h"

/* A change as a test writes it. */
typedef struct change_t {
    dsapi_res_change_e change;
    int merge; /* 1: over duplicates, 2: past them */
    int defaults;
    int full;
    const char *resource;
    const char *query;
    const char *body;
    const char *want;
} change_t;

/* One in the order that is easily read. */
#define CHANGE(change, resource, query, body, merge, defaults, full, want) \
    {                                                                      \
        change, merge, defaults, full, resource, query, body, want         \
    }

static apr_status_t prepare(dsapi_res_writing_t *writing,
                            dsapi_res_payload_t *payload, dsapi_err_t **perr,
                            const change_t *c, const dsapi_res_query_t *query)
{
    const dsapi_entity_t *entity = query->root->entity;
    dsapi_json_slice_t json;
    apr_status_t rv = APR_SUCCESS;

    memset(writing, 0, sizeof(*writing));
    writing->change = c->change;
    writing->payload = payload;
    writing->merge = c->merge == 1;
    writing->defaults = c->defaults;
    writing->full = c->full;
    writing->keys = !c->full;
    writing->conflict = c->merge || c->change == DSAPI_RES_PUT
                            ? entity->pk
                            : apr_array_make(g_pool, 1, sizeof(char *));
    writing->merge |= c->change == DSAPI_RES_PUT;
    if (c->body) {
        dsapi_json_check(&json, NULL, c->body, strlen(c->body), g_pool);
        rv = dsapi_resource_payload(payload, perr, &json, NULL, g_pool, g_pool);
    }
    if (rv == APR_SUCCESS && c->body) {
        rv = dsapi_resource_columns(&writing->columns, perr, entity,
                                    payload->keys, g_pool);
    }
    if (rv == APR_SUCCESS && c->change == DSAPI_RES_PUT) {
        rv = dsapi_resource_check_put(perr, query, payload, g_pool);
    }
    return rv == APR_SUCCESS ? dsapi_resource_check_filters(perr, query, g_pool)
                             : rv;
}

static const char *hidden(const dsapi_rows_t *rows, const char *name)
{
    const char *value = dsapi_rows_get(rows, name);

    return value ? value : "-";
}

/* The most that a row says of how many are new: each says of those so far. */
static const char *inserted(const dsapi_rows_t *rows)
{
    const char *most = hidden(rows, DSAPI_RES_INSERTED);

    for (int i = 0; *most != '-' && i < dsapi_rows_count(rows); i++) {
        const char *text =
            dsapi_rows_value(NULL, rows, i, dsapi_rows_columns(rows) - 1);

        most = strcmp(text, most) > 0 ? text : most;
    }
    return most;
}

static const char *change(const shop_t *shop, const change_t *c)
{
    dsapi_err_t *err;
    dsapi_res_query_t *query = shop_query(&err, shop, c->resource, c->query);
    dsapi_res_writing_t writing;
    dsapi_res_payload_t payload;
    dsapi_call_t call;
    dsapi_rows_t *rows;

    ck_assert_ptr_nonnull(query);
    if (prepare(&writing, &payload, &err, c, query) == APR_SUCCESS) {
        dsapi_resource_write(&call, query, &writing, g_pool);
        if (shop_run(&rows, &err, shop, &call) == APR_SUCCESS) {
            return c->full
                       ? apr_pstrcat(g_pool, shop_rows(rows), " ",
                                     inserted(rows), NULL)
                       : apr_pstrcat(g_pool, hidden(rows, DSAPI_RES_ROWS), " ",
                                     hidden(rows, DSAPI_RES_INSERTED), " ",
                                     hidden(rows, DSAPI_RES_PK "0"), NULL);
        }
    }
    dsapi_resource_problem(err, g_pool);
    return ast_error(err);
}

#define INS DSAPI_RES_INSERT
#define PUT DSAPI_RES_PUT
#define UPD DSAPI_RES_UPDATE
#define DEL DSAPI_RES_DELETE

/* One after the other on the same tables. */
static const change_t changes[] = {
    CHANGE(INS, "labels", "", "{\"id\":3,\"word\":\"x\"}", 0, 0, 0, "1 - 3"),
    CHANGE(INS, "labels", "select=word",
           "[{\"id\":4,\"word\":\"y\"},{\"id\":5,"
           "\"word\":null}]",
           0, 0, 1, "[{\"word\":\"y\"},{\"word\":null}] -"),
    CHANGE(INS, "labels", "", "[]", 0, 0, 1, "[] -"),
    CHANGE(INS, "items", "select=id,name,price", "{}", 0, 0, 1,
           "[{\"id\":1,\"name\":\"none\",\"price\":1.5}] -"),
    CHANGE(INS, "labels", "order=id",
           "[{\"id\":5,\"word\":\"z\"},{\"id\":6,"
           "\"word\":\"w\"}]",
           1, 0, 1, "[{\"id\":5,\"word\":\"z\"},{\"id\":6,\"word\":\"w\"}] 1"),
    CHANGE(INS, "labels", "", "{\"id\":5,\"word\":\"v\"}", 1, 0, 0, "1 0 5"),
    CHANGE(INS, "labels", "",
           "[{\"id\":5,\"word\":\"no\"},{\"id\":7,\"word\":"
           "\"yes\"}]",
           2, 0, 1, "[{\"id\":7,\"word\":\"yes\"}] -"),
    CHANGE(INS, "items", "select=name,price,loud",
           "{\"id\":20,\"name\":\"owl\"}", 0, 1, 1,
           "[{\"name\":\"owl\",\"price\":1.5,\"loud\":\"OWL\"}] -"),
    CHANGE(INS, "items", "select=name,m:maker(name)",
           "[{\"id\":21,\"name\":\"emu\",\"maker\":2}]", 0, 1, 1,
           "[{\"name\":\"emu\",\"m\":{\"name\":\"two\"}}] -"),
    CHANGE(INS, "renamed", "select=title,odd",
           "{\"id\":22,\"title\":\"fox\",\"odd\":\"1\"}", 0, 0, 1,
           "[{\"title\":\"fox\",\"odd\":\"1\"}] -"),
    CHANGE(UPD, "items", "id=gt.20&select=id,price&order=id.desc",
           "{\"price\":4}", 0, 0, 1,
           "[{\"id\":22,\"price\":4},{\"id\":21,\"price\":4}] -"),
    CHANGE(UPD, "items", "id=eq.20&select=price", "{\"price\":null}", 0, 0, 1,
           "[{\"price\":null}] -"),
    CHANGE(UPD, "items", "name=eq.nobody", "{\"price\":null}", 0, 0, 0,
           "0 - -"),
    CHANGE(UPD, "renamed", "title=eq.fox&select=title", "{\"title\":\"lynx\"}",
           0, 0, 1, "[{\"title\":\"lynx\"}] -"),
    CHANGE(PUT, "labels", "id=eq.8", "{\"id\":8,\"word\":\"new\"}", 0, 0, 1,
           "[{\"id\":8,\"word\":\"new\"}] 1"),
    CHANGE(PUT, "labels", "id=eq.8", "{\"id\":8,\"word\":\"old\"}", 0, 0, 1,
           "[{\"id\":8,\"word\":\"old\"}] 0"),
    CHANGE(PUT, "labels", "id=eq.9", "{\"id\":8,\"word\":\"old\"}", 0, 0, 1,
           "[] -"),
    CHANGE(DEL, "labels", "id=gte.7&select=word&order=id", NULL, 0, 0, 1,
           "[{\"word\":\"yes\"},{\"word\":\"old\"}] -"),
    CHANGE(DEL, "labels", "id=eq.77", NULL, 0, 0, 0, "0 - -"),
    CHANGE(INS, "labels", "", "{\"nosuch\":1}", 0, 0, 0,
           "PGRST204: Could not find the 'nosuch' column of 'labels' in the "
           "schema "
           "cache"),
    CHANGE(INS, "items", "", "{\"loud\":1}", 0, 0, 0,
           "PGRST204: Could not find the 'loud' column of 'items' in the "
           "schema "
           "cache"),
    CHANGE(INS, "items", "", "{\"twice\":1}", 0, 0, 0,
           "428C9: cannot insert a non-DEFAULT value into column \"twice\"; "
           "\"Column "
           "\\\"twice\\\" is a generated column.\""),
    CHANGE(INS, "items", "", "{\"code\":\"too long\"}", 0, 0, 0,
           "22001: value too long for type character varying(5)"),
    CHANGE(INS, "items", "", "{\"price\":-1}", 0, 0, 0,
           "23514: value for domain s.price violates check constraint "
           "\"price_check\""),
    CHANGE(PUT, "labels", "id=gt.8", "{\"id\":8}", 0, 0, 0,
           "PGRST105: Filters must include all and only primary key columns "
           "with "
           "'eq' operators"),
    CHANGE(PUT, "labels", "id=eq.8&id=eq.8", "{\"id\":8}", 0, 0, 0,
           "PGRST105: Filters must include all and only primary key columns "
           "with "
           "'eq' operators"),
    CHANGE(PUT, "labels", "or=(id.eq.8)", "{\"id\":8}", 0, 0, 0,
           "PGRST105: Filters must include all and only primary key columns "
           "with "
           "'eq' operators"),
    CHANGE(PUT, "loop", "id=eq.8", "{\"id\":8}", 0, 0, 0,
           "PGRST105: Filters must include all and only primary key columns "
           "with "
           "'eq' operators"),
    CHANGE(PUT, "labels", "id=eq.8", "{\"word\":\"x\"}", 0, 0, 0,
           "PGRST115: Payload values do not match URL in primary key "
           "column(s)"),
    CHANGE(PUT, "labels", "id=eq.8&offset=1", "{\"id\":8}", 0, 0, 0,
           "PGRST114: limit/offset querystring parameters are not allowed for "
           "PUT"),
    CHANGE(UPD, "items", "select=details()&or=(details.is.null,id.eq.1)",
           "{\"price\":1}", 0, 0, 0,
           "42703: column items.details does not exist"),
};

START_TEST(tables_are_changed)
{
    shop_t *shop = shop_open();

    pg_value(shop->pg, "TRUNCATE s.item CASCADE");
    for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
        const char *got = change(shop, &changes[i]);

        ck_assert_msg(strcmp(got, changes[i].want) == 0,
                      "case %zu (%s?%s)\n     is %s\n    not %s", i,
                      changes[i].resource, changes[i].query, got,
                      changes[i].want);
    }
    ck_assert_str_eq(pg_value(shop->pg, "SELECT string_agg(id || ':' || "
                                        "coalesce(word, "
                                        "'-'), ' ' ORDER BY id) FROM s.label"),
                     "1:big 2:small 3:x 4:y 5:v 6:w");
}
END_TEST

START_TEST(fixed_values_and_validators)
{
    shop_t *shop = shop_open();
    const change_t c =
        CHANGE(INS, "items", "select=id,name,maker",
               "[{\"id\":30,\"name\":\"a\",\"maker\":1}]", 0, 0, 1, NULL);
    const change_t d = CHANGE(DEL, "items", "id=eq.30", NULL, 0, 0, 0, NULL);
    dsapi_err_t *err;
    dsapi_res_query_t *query = shop_query(&err, shop, c.resource, c.query);
    dsapi_res_writing_t writing;
    dsapi_res_payload_t payload;
    dsapi_call_t call;
    dsapi_rows_t *rows;

    ck_assert_int_eq(prepare(&writing, &payload, &err, &c, query), APR_SUCCESS);
    writing.fixed = dsapi_catalog_column(query->root->entity, "maker");
    writing.fixed_value = "2";
    dsapi_resource_write(&call, query, &writing, g_pool);
    ck_assert_int_eq(shop_run(&rows, &err, shop, &call), APR_SUCCESS);
    ck_assert_str_eq(shop_rows(rows), "[{\"id\":30,\"name\":\"a\",\"maker\":2}"
                                      "]");
    query = shop_query(&err, shop, d.resource, d.query);
    for (int right = 0; right < 2; right++) {
        ck_assert_int_eq(prepare(&writing, &payload, &err, &d, query),
                         APR_SUCCESS);
        writing.validators = apr_array_make(g_pool, 1, sizeof(const char *));
        APR_ARRAY_PUSH(writing.validators, const char *) =
            right ? pg_value(shop->pg, "SELECT md5(t0::text) FROM s.item t0 "
                                       "WHERE id = 30")
                  : "wrong";
        dsapi_resource_write(&call, query, &writing, g_pool);
        ck_assert_int_eq(shop_run(&rows, &err, shop, &call), APR_SUCCESS);
        ck_assert_str_eq(hidden(rows, DSAPI_RES_ROWS), right ? "1" : "0");
    }
}
END_TEST

START_TEST(what_others_insert_is_shown)
{
    shop_t *shop = shop_open();
    dsapi_err_t *err;
    dsapi_res_query_t *query = shop_query(&err, shop, "items",
                                          "select=id,loud,m:maker(name)&order="
                                          "id&limit=1&id=eq.1");
    dsapi_call_t call;
    dsapi_rows_t *rows;

    dsapi_resource_show(&call, query,
                        "INSERT INTO s.item AS t0 (id, name, maker) VALUES "
                        "(41, 'b', 1), (40, 'a', NULL)",
                        g_pool);
    ck_assert_int_eq(shop_run(&rows, &err, shop, &call), APR_SUCCESS);
    ck_assert_str_eq(shop_rows(rows), "[{\"id\":40,\"loud\":\"A\",\"m\":null},"
                                      "{\"id\":41,\"loud\":\"B\",\"m\":{"
                                      "\"name\":\"one\"}}]");
}
END_TEST

UNIT_SUITE(resource_write, tables_are_changed, fixed_values_and_validators,
           what_others_insert_is_shown)
