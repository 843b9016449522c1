/* src/resource/read.h: pages, counts, plans. */
#include "resource/read.h"

#include <apr_strings.h>

#include "unit/shop.h"
#include "unit/unit.h"

static const char *read_rows(const shop_t *shop, const char *query,
                             dsapi_res_reading_t reading, const char **ptotal)
{
    dsapi_err_t *err;
    dsapi_res_query_t *parsed = shop_query(&err, shop, "items", query);
    dsapi_call_t call;
    dsapi_rows_t *rows;
    const char *total;

    ck_assert_ptr_nonnull(parsed);
    dsapi_resource_read(&call, parsed, &reading, g_pool);
    ck_assert_int_eq(shop_run(&rows, &err, shop, &call), APR_SUCCESS);
    total = dsapi_rows_get(rows, DSAPI_RES_TOTAL);
    *ptotal = total ? total : "none";
    return shop_rows(rows);
}

START_TEST(pages_and_totals)
{
    shop_t *shop = shop_open();
    dsapi_res_reading_t page = {2, 0, -1, 0, -1, 0};
    const char *total;

    ck_assert_str_eq(read_rows(shop, "select=id", page, &total), "[{\"id\":1},{"
                                                                 "\"id\":2}]");
    ck_assert_str_eq(total, "none");
    page.offset = 2;
    page.count = 1;
    ck_assert_str_eq(read_rows(shop, "select=id", page, &total), "[{\"id\":3}"
                                                                 "]");
    ck_assert_str_eq(total, "3");
    page.offset = 0;
    ck_assert_str_eq(read_rows(shop, "select=id&order=id.desc&name=not.eq.bee",
                               page, &total),
                     "[{\"id\":3},{\"id\":1}]");
    ck_assert_str_eq(total, "2");
    page.count_max = 1;
    read_rows(shop, "select=id", page, &total);
    ck_assert_str_eq(total, "1");
    page.count_max = -1;
    read_rows(shop, "select=id,maker!inner(id)", page, &total);
    ck_assert_str_eq(total, "2");
    read_rows(shop, "select=maker,count()", page, &total);
    ck_assert_str_eq(total, "2");
    page.limit = 0;
    ck_assert_str_eq(read_rows(shop, "select=id", page, &total), "[]");
}
END_TEST

START_TEST(a_row_has_a_validator)
{
    static const struct {
        const char *query;
        int embeds;
    } rows[] = {{"", 0},
                {"select=id,name::text", 0},
                {"select=loud", 1},
                {"select=count()", 1},
                {"select=id,labels(id)", 1}};
    shop_t *shop = shop_open();
    dsapi_res_reading_t reading = {-1, 0, -1, 0, -1, 1};
    dsapi_err_t *err;
    dsapi_res_query_t *query =
        shop_query(&err, shop, "items", "select=name&id=eq.1");
    dsapi_call_t call;
    dsapi_rows_t *first;
    dsapi_rows_t *second;

    dsapi_resource_read(&call, query, &reading, g_pool);
    ck_assert_int_eq(shop_run(&first, &err, shop, &call), APR_SUCCESS);
    ck_assert_str_eq(shop_rows(first), "[{\"name\":\"ant\"}]");
    pg_value(shop->pg, "UPDATE s.item SET price = 7 WHERE id = 1");
    ck_assert_int_eq(shop_run(&second, &err, shop, &call), APR_SUCCESS);
    ck_assert_str_ne(dsapi_rows_get(first, DSAPI_RES_ETAG),
                     dsapi_rows_get(second, DSAPI_RES_ETAG));
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        ck_assert_int_eq(dsapi_resource_embeds(
                             shop_query(&err, shop, "items", rows[i].query)),
                         rows[i].embeds);
    }
}
END_TEST

/* The validator of the only row of a resource that a query gives. */
static const char *validator(const shop_t *shop, const char *resource,
                             const char *query)
{
    dsapi_res_reading_t reading = {-1, 0, -1, 0, -1, 1};
    dsapi_err_t *err;
    dsapi_call_t call;
    dsapi_rows_t *rows;

    dsapi_resource_read(&call, shop_query(&err, shop, resource, query),
                        &reading, g_pool);
    ck_assert_int_eq(shop_run(&rows, &err, shop, &call), APR_SUCCESS);
    return dsapi_rows_get(rows, DSAPI_RES_ETAG);
}

START_TEST(validators_are_of_the_whole_row_in_any_zone)
{
    shop_t *shop = shop_open();
    dsapi_rows_t *rows;
    dsapi_err_t *err;
    const char *first = validator(shop, "pas", "id=eq.1");

    pg_value(shop->pg, "UPDATE s.pa SET b = 'c' WHERE id = 1");
    ck_assert_str_ne(validator(shop, "pas", "id=eq.1"), first);
    ck_assert_str_eq(validator(shop, "versions", "id=eq.1"), "t");
    ck_assert_ptr_null(validator(shop, "versions", "id=eq.2"));
    pg_value(shop->pg, "ALTER TABLE s.label ADD a timestamptz DEFAULT now(), "
                       "ADD b "
                       "timestamptz[] DEFAULT ARRAY[now()], ADD c tstzrange "
                       "DEFAULT "
                       "tstzrange(now(), NULL)");
    shop_read(shop);
    first = validator(shop, "labels", "id=eq.1");
    ck_assert_int_eq(
        pg_run(&rows, &err, shop->db, "SET timezone = 'Asia/Tokyo'"),
        APR_SUCCESS);
    ck_assert_str_eq(validator(shop, "labels", "id=eq.1"), first);
    pg_value(shop->pg, "UPDATE s.label SET b = NULL");
    ck_assert_str_ne(validator(shop, "labels", "id=eq.1"), first);
}
END_TEST

START_TEST(what_is_embedded_has_a_bound)
{
    shop_t *shop = shop_open();
    dsapi_res_reading_t bound = {-1, 0, 1, 0, -1, 0};
    const char *total;

    ck_assert_str_eq(read_rows(shop,
                               "select=labels(id)&id=eq.1&labels.order=id",
                               bound, &total),
                     "[{\"labels\":[{\"id\":1}]}]");
    ck_assert_str_eq(read_rows(shop, "select=labels(id)&id=eq.1&labels.limit=9",
                               bound, &total),
                     "[{\"labels\":[{\"id\":1}]}]");
}
END_TEST

START_TEST(what_a_row_embeds_has_a_size)
{
    static const struct {
        const char *query;
        int mb;
        int fits;
    } rows[] = {{"select=id,chs(list)", 15, 1},
                {"select=id,chs(list)", 17, 0},
                {"select=id,chs(list),others:chs(list)", 9, 0},
                {"select=id,chs(list,pas(chs(list)))", 7, 1},
                {"select=id,chs(list,pas(chs(list)))", 9, 0},
                {"select=id,...chs(list)", 17, 0}};
    shop_t *shop = shop_open();

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char *got;

        pg_value(shop->pg, "UPDATE s.ch SET list = repeat('x', %d000000)",
                 rows[i].mb);
        got = shop_ask(shop, "pas", rows[i].query);
        if (rows[i].fits) {
            ck_assert_msg(*got == '[', "%.200s", got);
            ck_assert_uint_gt(strlen(got), (apr_size_t)rows[i].mb * 1000000);
        }
        else {
            ck_assert_msg(strncmp(got, "result-too-large: ", 18) == 0,
                          "%d: %.100s", (int)i, got);
        }
    }
}
END_TEST

START_TEST(counts_and_plans)
{
    shop_t *shop = shop_open();
    dsapi_res_reading_t reading = {2, 1, -1, 0, -1, 0};
    dsapi_err_t *err;
    dsapi_res_query_t *query =
        shop_query(&err, shop, "items", "name=not.eq.bee&select=labels(id)");
    dsapi_call_t call;
    dsapi_rows_t *rows;

    dsapi_resource_count(&call, query, &reading, g_pool);
    ck_assert_ptr_null(strstr(call.sql->text, "LATERAL"));
    ck_assert_int_eq(shop_run(&rows, &err, shop, &call), APR_SUCCESS);
    ck_assert_str_eq(dsapi_rows_value(NULL, rows, 0, 0), "2");
    ck_assert_int_eq(dsapi_resource_planned(rows, g_pool), -1);
    dsapi_resource_explain(&call, query, g_pool);
    ck_assert_int_eq(shop_run(&rows, &err, shop, &call), APR_SUCCESS);
    ck_assert_int_ge(dsapi_resource_planned(rows, g_pool), 1);
}
END_TEST

UNIT_SUITE(resource_read, pages_and_totals, a_row_has_a_validator,
           validators_are_of_the_whole_row_in_any_zone,
           what_is_embedded_has_a_bound, what_a_row_embeds_has_a_size,
           counts_and_plans)
