/* src/resource/catalog.h: what PostgreSQL says of tables. */
#include "resource/catalog.h"

#include <apr_strings.h>

#include "unit/shop.h"
#include "unit/unit.h"

static const char *column_text(const dsapi_entity_t *entity, const char *name)
{
    const dsapi_column_t *c = dsapi_catalog_column(entity, name);

    ck_assert_ptr_nonnull(c);
    return apr_psprintf(g_pool, "%s %s(%s)%s%s%s%s%s", c->sql, c->type,
                        c->expected ? c->expected : "",
                        c->nullable ? " null" : "", c->is_json ? " json" : "",
                        c->generated ? " generated" : "", c->def ? " =" : "",
                        c->def ? c->def : "");
}

START_TEST(tables_and_columns)
{
    static const char *const columns[][2] = {
        {"id", "id integer(integer) =pg_catalog.nextval('s.item_id_seq')"},
        {"name", "name text(text) ='none'::text"},
        {"code", "code character varying(character varying(5)) null"},
        {"price", "price numeric(s.price) null =1.5"},
        {"mood", "mood s.mood(s.mood) null"},
        {"data", "data jsonb(jsonb) null json"},
        {"tags", "tags text[](text[]) null"},
        {"twice", "twice integer(integer) null generated"},
        {"loud", "loud text() generated"}};
    shop_t *shop = shop_open();
    const dsapi_entity_t *item = dsapi_catalog_find(shop->catalog, "items");

    for (size_t i = 0; i < sizeof(columns) / sizeof(columns[0]); i++) {
        ck_assert_str_eq(column_text(item, columns[i][0]), columns[i][1]);
    }
    ck_assert_ptr_null(dsapi_catalog_column(item, "ctid"));
    ck_assert_str_eq(dsapi_catalog_column(item, "loud")->function, "s");
    ck_assert_str_eq(dsapi_catalog_column(item, "name")->comment, "what it is");
    ck_assert_str_eq(item->schema, "s");
    ck_assert_str_eq(item->table, "item");
    ck_assert_str_eq(item->comment, "things");
    ck_assert(item->is_table && item->whole);
    ck_assert_str_eq(item->key->name, "id");
    ck_assert_int_eq(item->fks->nelts, 2);
    ck_assert(!APR_ARRAY_IDX(item->fks, 0, dsapi_fk_t).unique);
    ck_assert_ptr_null(dsapi_catalog_find(shop->catalog, "missing"));
    ck_assert_ptr_null(dsapi_catalog_find(shop->catalog, "nosuch"));
}
END_TEST

START_TEST(a_validator_of_its_own_is_no_column)
{
    shop_t *shop = shop_open();
    const dsapi_entity_t *entity = dsapi_catalog_find(shop->catalog, "version"
                                                                     "s");

    ck_assert_str_eq(entity->etag->sql, "t0");
    ck_assert_ptr_null(dsapi_catalog_column(entity, "@etag"));
    ck_assert_int_eq(entity->columns->nelts, 2);
    pg_value(shop->pg, "ALTER TABLE s.label ADD \"@etag\" timestamptz");
    shop_read(shop);
    entity = dsapi_catalog_find(shop->catalog, "labels");
    ck_assert(entity->etag->is_zoned && !entity->whole);
    ck_assert_str_eq(shop_ask(shop, "labels", "id=eq.1"), "[{\"id\":1,\"word\":"
                                                          "\"big\"}]");
}
END_TEST

START_TEST(views_and_keys)
{
    shop_t *shop = shop_open();
    const dsapi_entity_t *view = dsapi_catalog_find(shop->catalog, "cheap");
    const dsapi_entity_t *middle = dsapi_catalog_find(shop->catalog, "item_"
                                                                     "labels");
    const dsapi_entity_t *detail = dsapi_catalog_find(shop->catalog, "details");

    ck_assert(!view->is_table);
    ck_assert_int_eq(view->pk->nelts, 1);
    ck_assert_ptr_null(view->key);
    ck_assert_int_eq(middle->pk->nelts, 2);
    ck_assert_ptr_null(middle->key);
    ck_assert(APR_ARRAY_IDX(detail->fks, 0, dsapi_fk_t).unique);
}
END_TEST

START_TEST(configured_names_and_keys)
{
    shop_t *shop = shop_open();
    const dsapi_entity_t *renamed = dsapi_catalog_find(shop->catalog, "rename"
                                                                      "d");

    ck_assert(!renamed->whole);
    ck_assert_int_eq(renamed->columns->nelts, 4);
    ck_assert_str_eq(dsapi_catalog_column(renamed, "title")->sql, "name");
    ck_assert_str_eq(dsapi_catalog_column(renamed, "odd")->sql, "Odd \"name.x");
    ck_assert_ptr_null(dsapi_catalog_column(renamed, "price"));
    ck_assert_str_eq(renamed->key->sql, "id");
    for (int i = 0; i < shop->specs->nelts; i++) {
        dsapi_res_spec_t *spec =
            APR_ARRAY_IDX(shop->specs, i, dsapi_res_spec_t *);

        if (strcmp(spec->name, "renamed") == 0) {
            spec->key = "title";
        }
    }
    shop_read(shop);
    ck_assert_str_eq(dsapi_catalog_find(shop->catalog, "renamed")->key->sql,
                     "name");
}
END_TEST

START_TEST(a_changed_table_is_read_anew)
{
    shop_t *shop = shop_open();

    pg_value(shop->pg, "ALTER TABLE s.label ADD more int");
    ck_assert_ptr_null(
        dsapi_catalog_column(dsapi_catalog_find(shop->catalog, "labels"), "mor"
                                                                          "e"));
    shop_read(shop);
    ck_assert_ptr_nonnull(
        dsapi_catalog_column(dsapi_catalog_find(shop->catalog, "labels"), "mor"
                                                                          "e"));
}
END_TEST

START_TEST(names_of_tables)
{
    static const char *const rows[][3] = {
        {"t", "-", "t"},
        {"S.Tab_1$", "s", "tab_1$"},
        {"\"S.\"\"x\".\"T t\"", "S.\"x", "T t"},
        {"s.\"\"\"\"", "s", "\""},
        {"\xc3\x84.t", "\xc3\x84", "t"},
        {"", NULL, NULL},
        {"x..t", NULL, NULL},
        {"d.s.t", NULL, NULL},
        {".t", NULL, NULL},
        {"s.", NULL, NULL},
        {"1t", NULL, NULL},
        {"$t", NULL, NULL},
        {"a b", NULL, NULL},
        {"s.\"\"", NULL, NULL},
        {"\"t", NULL, NULL},
        {"\"s\"t", NULL, NULL},
        {"t\"", NULL, NULL},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char *schema;
        const char *table;
        int ok = dsapi_catalog_table(&schema, &table, rows[i][0], g_pool);

        ck_assert_msg(ok == (rows[i][1] != NULL), "%s", rows[i][0]);
        if (ok) {
            ck_assert_str_eq(schema ? schema : "-", rows[i][1]);
            ck_assert_str_eq(table, rows[i][2]);
        }
    }
}
END_TEST

START_TEST(an_exposed_schema)
{
    shop_t *shop = shop_open();
    const dsapi_entity_t *rest;

    pg_value(shop->pg, "DO $do$ BEGIN "
                       "CREATE TABLE s.rest (id int) PARTITION BY LIST (id); "
                       "CREATE TABLE s.rest_1 PARTITION OF s.rest DEFAULT; "
                       "CREATE TABLE s.items (id int); "
                       "CREATE SEQUENCE s.counter; END $do$");
    shop_expose(shop, "s");
    rest = dsapi_catalog_find(shop->catalog, "rest");
    ck_assert_ptr_nonnull(rest);
    ck_assert_str_eq(rest->spec->name, "rest");
    ck_assert_str_eq(rest->spec->schema, "s");
    ck_assert(rest->spec->embeddable && rest->is_table && rest->whole);
    ck_assert_ptr_null(dsapi_catalog_find(shop->catalog, "rest_1"));
    ck_assert_ptr_null(dsapi_catalog_find(shop->catalog, "counter"));
    /* what is a resource already, as a table or by its name */
    ck_assert_ptr_null(dsapi_catalog_find(shop->catalog, "maker"));
    ck_assert_ptr_null(
        dsapi_catalog_find(shop->catalog, "items")->spec->schema);
    ck_assert_str_eq(dsapi_catalog_find(shop->catalog, "items")->table, "item");
    for (int i = 0; i < shop->catalog->entities->nelts; i++) {
        ck_assert_str_ne(
            APR_ARRAY_IDX(shop->catalog->entities, i, dsapi_entity_t).table,
            "items");
    }
}
END_TEST

UNIT_SUITE(resource_catalog, names_of_tables, tables_and_columns,
           a_validator_of_its_own_is_no_column, views_and_keys,
           configured_names_and_keys, a_changed_table_is_read_anew,
           an_exposed_schema)
