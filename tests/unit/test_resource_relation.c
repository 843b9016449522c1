/* src/resource/relation.h: which relationship is meant. */
#include "resource/relation.h"

#include <apr_strings.h>

#include "unit/ast.h"
#include "unit/shop.h"
#include "unit/unit.h"

static const char *find(const shop_t *shop, const char *from, const char *name,
                        const char *hint)
{
    static const char *const kinds[] = {"M2O", "O2M", "O2O", "M2M"};
    const dsapi_relation_t *relation;
    dsapi_err_t *err;

    if (dsapi_relation_find(&relation, &err, shop->catalog,
                            dsapi_catalog_find(shop->catalog, from), name, hint,
                            g_pool) != APR_SUCCESS) {
        ck_assert_ptr_null(relation);
        return ast_error(err);
    }
    ck_assert_int_eq(dsapi_relation_to_one(relation),
                     relation->cardinality == DSAPI_RES_M2O ||
                         relation->cardinality == DSAPI_RES_O2O);
    return apr_pstrcat(g_pool, kinds[relation->cardinality], " ",
                       relation->fk->name, " ", relation->target->spec->name,
                       NULL);
}

START_TEST(relationships_are_found)
{
    static const char *const cases[][4] = {
        {"items", "makers", "item_maker", "M2O item_maker makers"},
        {"items", "makers", "seller", "M2O item_seller makers"},
        {"items", "maker", NULL, "M2O item_maker makers"},
        {"items", "item_seller", NULL, "M2O item_seller makers"},
        {"makers", "items", "seller", "O2M item_seller items"},
        {"items", "details", NULL, "O2O detail_item_fkey details"},
        {"details", "items", NULL, "O2O detail_item_fkey items"},
        {"items", "labels", NULL, "M2M item_label_item_fkey labels"},
        {"items", "labels", "item_labels", "M2M item_label_item_fkey labels"},
        {"items", "item_labels", NULL, "O2M item_label_item_fkey item_labels"},
        {"makers", "makers", NULL, "O2M maker_parent_fkey makers"},
        {"makers", "parent", NULL, "M2O maker_parent_fkey makers"},
        {"makers", "makers", "id", "PGRST200: "},
        /* a table that no resource may embed, or that is none */
        {"items", "secrets", NULL, "PGRST200: "},
        {"items", "s.secret", NULL, "PGRST200: "},
        {"items", "labels", "nosuch", "PGRST200: "},
        {"items", "cheap", NULL, "PGRST200: "},
        /* a view that shows a table's keys, or another view's */
        {"cheap", "details", NULL, "O2O detail_item_fkey details"},
        {"cheap", "labels", NULL, "M2M item_label_item_fkey labels"},
        {"details", "cheap", NULL, "O2O detail_item_fkey cheap"},
        {"details", "cheapest", NULL, "O2O detail_item_fkey cheapest"},
        {"cheapest", "item_labels", NULL,
         "O2M item_label_item_fkey item_labels"},
        {"cheapest", "makers", NULL, "PGRST200: "},
        {"details", "item", NULL, "O2O detail_item_fkey items"},
        {"secrets", "items", NULL, "M2O secret_item_fkey items"},
    };
    shop_t *shop = shop_open();

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const char *got = find(shop, cases[i][0], cases[i][1], cases[i][2]);

        ck_assert_msg(strncmp(got, cases[i][3], strlen(cases[i][3])) == 0,
                      "case %zu is %s", i, got);
    }
}
END_TEST

/* A resource that has no relationship. */
static void add_plain(shop_t *shop, const char *name)
{
    dsapi_res_spec_t *spec = apr_pcalloc(g_pool, sizeof(*spec));

    spec->name = name;
    spec->table = "s.plain";
    spec->embeddable = 1;
    APR_ARRAY_PUSH(shop->specs, dsapi_res_spec_t *) = spec;
    shop_read(shop);
}

START_TEST(more_than_one_is_told)
{
    shop_t *shop = shop_open();

    ck_assert_str_eq(find(shop, "items", "makers", NULL),
                     "PGRST201: Could not embed because more than one "
                     "relationship was "
                     "found for 'items' and 'makers'; "
                     "[{\"cardinality\":\"many-to-one\",\"embedding\":\"items "
                     "with makers\","
                     "\"relationship\":\"item_maker using items(maker) and "
                     "makers(id)\"},"
                     "{\"cardinality\":\"many-to-one\",\"embedding\":\"items "
                     "with makers\","
                     "\"relationship\":\"item_seller using items(seller) and "
                     "makers(id)\"}];"
                     " Try changing 'makers' to one of the following: "
                     "'makers!item_maker', "
                     "'makers!item_seller'. Find the desired relationship in "
                     "the 'details' "
                     "key.");
    ck_assert_str_eq(find(shop, "makers", "labels", NULL),
                     "PGRST200: Could not find a relationship between 'makers' "
                     "and 'labels' "
                     "in the schema cache; \"Searched for a foreign key "
                     "relationship "
                     "between 'makers' and 'labels' in the schema 's', but no "
                     "matches were "
                     "found.\"; Perhaps you meant 'makers' instead of "
                     "'labels'.");
}
END_TEST

START_TEST(near_names_are_told)
{
    static const struct {
        const char *from;
        const char *name;
        const char *hint; /* of which relationship */
        const char *told; /* NULL: nothing */
    } rows[] = {
        {"items", "label", NULL,
         "Perhaps you meant 'labels' instead of "
         "'label'."},
        {"items", "labels", "nosuch", NULL},
        {"items", "secret", NULL, NULL}, /* which is not embedded */
        {"items", "nothing like it", NULL, NULL},
        {"item", "labels", NULL,
         "Perhaps you meant 'items' instead of "
         "'item'."},
    };
    shop_t *shop = shop_open();

    pg_value(shop->pg, "CREATE TABLE s.plain (id int)");
    add_plain(shop, "item");
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char *got = find(shop, rows[i].from, rows[i].name, rows[i].hint);
        const char *told = strstr(got, "Perhaps");

        ck_assert_msg(strncmp(got, "PGRST200", 8) == 0, "%s", got);
        ck_assert_pstr_eq(told, rows[i].told);
    }
}
END_TEST

UNIT_SUITE(resource_relation, relationships_are_found, more_than_one_is_told,
           near_names_are_told)
