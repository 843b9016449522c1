/* src/resource/import.h: every promise of the header. */
#include "resource/import.h"

#include <apr_strings.h>

#include "unit/ast.h"
#include "unit/shop.h"
#include "unit/unit.h"

static const char *look(const shop_t *shop, const char *resource,
                        const char *names, int defaults)
{
    apr_array_header_t *list = NULL;
    dsapi_import_spec_t spec;
    dsapi_err_t *err = (dsapi_err_t *)g_pool;
    const char *text;

    if (names) {
        list = shop_query(&err, shop, resource, names)->columns;
    }
    if (dsapi_resource_import(&spec, &err,
                              dsapi_catalog_find(shop->catalog, resource), list,
                              defaults, g_pool) != APR_SUCCESS) {
        return ast_error(err);
    }
    ck_assert_ptr_null(err);
    text = apr_psprintf(g_pool, "%s.%s%s:", spec.schema, spec.table,
                        spec.is_view ? " (view)" : "");
    for (int i = 0; i < spec.ncolumns; i++) {
        const dsapi_import_column_t *column = &spec.columns[i];

        text = apr_pstrcat(
            g_pool, text, " ", column->name,
            strcmp(column->name, column->sql) == 0 ? "" : "=",
            strcmp(column->name, column->sql) == 0 ? "" : column->sql,
            column->required ? "!" : "", column->null ? "-" : "", NULL);
    }
    return text;
}

START_TEST(columns_are_those_that_may_be_given)
{
    const shop_t *shop = shop_open();

    ck_assert_str_eq(look(shop, "makers", NULL, 0), "s.maker: id! name! "
                                                    "parent");
    ck_assert_str_eq(look(shop, "items", NULL, 0), "s.item: id name code price "
                                                   "mood data tags span maker "
                                                   "seller Odd \"name.x");
    ck_assert_str_eq(look(shop, "renamed", NULL, 0), "s.item: id title=name "
                                                     "odd=Odd \"name.x maker");
    ck_assert_str_eq(look(shop, "cheap", NULL, 0), "s.cheap (view): id name");
}
END_TEST

START_TEST(columns_that_count_are_null_or_their_default)
{
    const shop_t *shop = shop_open();

    ck_assert_str_eq(look(shop, "renamed", "columns=maker,title", 0), "s.item: "
                                                                      "maker- "
                                                                      "title="
                                                                      "name-");
    ck_assert_str_eq(look(shop, "renamed", "columns=maker,title", 1), "s.item: "
                                                                      "maker "
                                                                      "title="
                                                                      "name");
    ck_assert_str_eq(look(shop, "renamed", "columns=name", 0),
                     "PGRST204: Could not find the 'name' column of 'renamed' "
                     "in the schema cache");
}
END_TEST

UNIT_SUITE(resource_import, columns_are_those_that_may_be_given,
           columns_that_count_are_null_or_their_default)
