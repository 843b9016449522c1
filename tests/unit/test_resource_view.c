/* src/resource/view.h: what views show of tables. */
#include "resource/view.h"

#include <apr_strings.h>

#include "unit/shop.h"
#include "unit/unit.h"

static const char *origin(const char *rule, int attnum)
{
    const char *oid = NULL;
    int col = 0;

    return dsapi_view_origin(&oid, &col, rule, attnum, g_pool)
               ? apr_psprintf(g_pool, "%s.%d", oid, col)
               : "none";
}

#define ENTRY(no, name, table, col)                                      \
    "{TARGETENTRY :expr {VAR :varno 1 :resno 9 :resorigtbl 9 "           \
    ":resorigcol 9} :resno " no " :resname " name " :ressortgroupref 0 " \
    ":resorigtbl " table " :resorigcol " col " :resjunk false}"

START_TEST(columns_have_origins)
{
    static const char rule[] =
        "({QUERY :commandType 1 :rtable ({RTE :subquery {QUERY :targetList "
        "(" ENTRY("1", "id", "7",
                  "7") ")}}) :targetList "
                       "(" ENTRY("1", "id", "16385", "3") " " ENTRY(
                           "2", "a\\ \\{b", "0", "0") " " ENTRY("3", ":resno",
                                                                "4294967295",
                                                                "1600") ") :x "
                                                                        "1})";

    ck_assert_str_eq(origin(rule, 1), "16385.3");
    ck_assert_str_eq(origin(rule, 2), "none");
    ck_assert_str_eq(origin(rule, 3), "4294967295.1600");
    ck_assert_str_eq(origin(rule, 4), "none");
    ck_assert_str_eq(origin(rule, 9), "none");
    ck_assert_str_eq(origin("", 1), "none");
    ck_assert_str_eq(origin("{{:resno", 1), "none");
    ck_assert_str_eq(origin("{{:resno 1 :resorigtbl 2 :resorigcol \\", 1), "non"
                                                                           "e");
}
END_TEST

static const char *keys_of(const shop_t *shop, const char *name)
{
    const dsapi_entity_t *entity = dsapi_catalog_find(shop->catalog, name);
    const char *text = apr_array_pstrcat(g_pool, entity->pk, '+');

    for (int i = 0; i < entity->fks->nelts; i++) {
        const dsapi_fk_t *fk = &APR_ARRAY_IDX(entity->fks, i, dsapi_fk_t);

        for (int j = 0; j < shop->catalog->entities->nelts; j++) {
            const dsapi_entity_t *other =
                &APR_ARRAY_IDX(shop->catalog->entities, j, dsapi_entity_t);

            if (strcmp(fk->target, other->oid) == 0) {
                text = apr_pstrcat(
                    g_pool, text, " ", apr_array_pstrcat(g_pool, fk->cols, '+'),
                    ">", other->spec->name, ".",
                    apr_array_pstrcat(g_pool, fk->refs, '+'), NULL);
            }
        }
    }
    return text;
}

START_TEST(views_have_the_keys_they_show)
{
    shop_t *shop = shop_open();

    ck_assert_str_eq(keys_of(shop, "cheap"), "id");
    ck_assert_str_eq(keys_of(shop, "cheapest"), "no");
    ck_assert_str_eq(keys_of(shop, "loop"), "");
    ck_assert_str_eq(keys_of(shop, "details"), "item item>items.id "
                                               "item>renamed.id item>cheap.id "
                                               "item>cheapest.no");
    pg_value(shop->pg, "CREATE OR REPLACE VIEW s.loop AS SELECT a.id, "
                       "a.maker AS m, a.seller AS s, b.item, b.label AS l, "
                       "b.label AS l2 FROM s.item a JOIN s.item_label b ON "
                       "b.item = a.id");
    shop_read(shop);
    ck_assert_str_eq(keys_of(shop, "loop"), "id+item+l m>makers.id s>makers.id "
                                            "item>items.id "
                                            "item>renamed.id item>cheap.id "
                                            "item>cheapest.no "
                                            "item>loop.id l>labels.id "
                                            "l2>labels.id");
}
END_TEST

UNIT_SUITE(resource_view, columns_have_origins, views_have_the_keys_they_show)
