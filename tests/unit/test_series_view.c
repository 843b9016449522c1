/* series/columns: an image is read wherever it is. */
#include <apr_strings.h>
#include <math.h>

#include "series/columns.h"
#include "unit/series.h"
#include "unit/unit.h"

START_TEST(a_copied_image_has_the_same_columns)
{
    static const series_row_t rows[] = {
        {{"1970-01-03", "10", "ten", "5", "3", "0.5"}},
        {{"1970-01-01", "9", "nine", NULL, "1", NULL}},
        {{"1970-01-03", NULL, NULL, NULL, "2", "4"}},
    };
    dsapi_columns_maker_t *maker =
        dsapi_series_make(series_declare(), 1 << 20, g_pool);
    const dsapi_columns_t *c;
    const char *image;
    apr_size_t bytes;
    apr_pool_t *pool;
    char *copy;
    dsapi_err_t *err;

    ck_assert_int_eq(dsapi_series_begin(maker, &err, series_names, series_types,
                                        SERIES_COLUMNS),
                     APR_SUCCESS);
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(dsapi_series_add(maker, &err, series_cell, rows, i),
                         APR_SUCCESS);
    }
    image = dsapi_series_finish(&bytes, maker);
    apr_pool_create(&pool, g_pool);
    copy = apr_pmemdup(pool, image, bytes);
    memset((char *)(apr_uintptr_t)image, 0xa5, bytes);
    c = dsapi_series_view(copy, pool);
    ck_assert_int_eq(c->nrows, 3);
    ck_assert_int_eq(c->ndimensions, 2);
    ck_assert_int_eq(c->nmeasures, 2);
    ck_assert_int_eq(c->days[2], 2);
    ck_assert(c->measures[0].values[0] == 1);
    ck_assert(c->measures[0].largest_absolute == 3);
    ck_assert(isnan(c->measures[1].values[0]));
    ck_assert(c->measures[1].has_null);
    ck_assert_int_eq(c->dimensions[0].n, 3);
    ck_assert_int_eq(c->dimensions[1].n, 3);
    ck_assert_int_eq(c->dimensions[1].starts[3], 3);
    ck_assert(memcmp(c->dimensions[1].text, "\"nine\"", 6) == 0);
    apr_pool_destroy(pool);
}
END_TEST

START_TEST(an_image_without_rows_has_no_members)
{
    dsapi_err_t *err = NULL;
    const dsapi_columns_t *c = series_load(&err, NULL, 0);

    ck_assert_int_eq(c->nrows, 0);
    ck_assert_int_eq(c->dimensions[0].n, 0);
    ck_assert(!c->measures[0].has_null);
}
END_TEST

UNIT_SUITE(series_view, a_copied_image_has_the_same_columns,
           an_image_without_rows_has_no_members)
