/* A series for tests: see series.h. */
#include "unit/series.h"

#include "base/args.h"
#include "unit/unit.h"

const char *const series_names[SERIES_COLUMNS] = {"day", "id", "name",
                                                  "pop", "x",  "y"};
const unsigned series_types[SERIES_COLUMNS] = {
    DSAPI_OID_DATE,   DSAPI_OID_INT8,   DSAPI_OID_TEXT,
    DSAPI_OID_FLOAT8, DSAPI_OID_FLOAT8, DSAPI_OID_FLOAT8};

static void add_attribute(apr_array_header_t *attributes, const char *key,
                          const char *column)
{
    dsapi_arg_t arg = {key, column, 0};

    APR_ARRAY_PUSH(attributes, dsapi_arg_t) = arg;
}

const dsapi_series_t *series_declare_in(apr_pool_t *pool)
{
    dsapi_series_t *series = apr_pcalloc(pool, sizeof(*series));
    dsapi_dimension_t area = {"area", NULL};
    dsapi_dimension_t name = {"name", NULL};

    series->time = "day";
    series->dimensions = apr_array_make(pool, 2, sizeof(dsapi_dimension_t));
    series->measures = apr_array_make(pool, 2, sizeof(const char *));
    area.attributes = apr_array_make(pool, 3, sizeof(dsapi_arg_t));
    add_attribute(area.attributes, "id", "id");
    add_attribute(area.attributes, "title", "name");
    add_attribute(area.attributes, "population", "pop");
    name.attributes = apr_array_make(pool, 1, sizeof(dsapi_arg_t));
    add_attribute(name.attributes, NULL, "name");
    APR_ARRAY_PUSH(series->dimensions, dsapi_dimension_t) = area;
    APR_ARRAY_PUSH(series->dimensions, dsapi_dimension_t) = name;
    APR_ARRAY_PUSH(series->measures, const char *) = "x";
    APR_ARRAY_PUSH(series->measures, const char *) = "y";
    return series;
}

const dsapi_series_t *series_declare(void)
{
    return series_declare_in(g_pool);
}

const char *series_cell(apr_size_t *plen, const void *baton, int row,
                        int column)
{
    const series_row_t *rows = baton;
    const char *text = rows[row].cells[column];

    *plen = text ? strlen(text) : 0;
    return text;
}

const dsapi_columns_t *series_load(dsapi_err_t **perr, const series_row_t *rows,
                                   int nrows)
{
    dsapi_columns_maker_t *maker =
        dsapi_series_make(series_declare(), 1 << 20, g_pool);
    apr_status_t rv = dsapi_series_begin(maker, perr, series_names,
                                         series_types, SERIES_COLUMNS);
    apr_size_t bytes;

    for (int i = 0; rv == APR_SUCCESS && i < nrows; i++) {
        rv = dsapi_series_add(maker, perr, series_cell, rows, i);
    }
    return rv == APR_SUCCESS
               ? dsapi_series_view(dsapi_series_finish(&bytes, maker), g_pool)
               : NULL;
}

const dsapi_columns_t *series_of(const series_row_t *rows, int nrows)
{
    dsapi_err_t *err = NULL;
    const dsapi_columns_t *columns = series_load(&err, rows, nrows);

    ck_assert_msg(columns != NULL, "%s", err ? err->detail : "");
    return columns;
}
