/* series/write: the forms of a result. */
#include "series/write.h"

#include "base/args.h"
#include "unit/series.h"
#include "unit/unit.h"

static const series_row_t rows[] = {
    {{"2022-06-02", "9", "n,ine", NULL, "3", "1"}},
    {{"2022-06-01", "10", "ten", "5", "1", "1"}},
    {{"2022-06-01", "9", "n,ine", NULL, "2", NULL}},
    {{"2022-07-01", "9", "n,ine", NULL, "4.5", "1e20"}},
};

static const char *written(dsapi_format_e format, const char *line, int nrows)
{
    const dsapi_columns_t *columns = series_of(rows, nrows);
    const dsapi_series_t *series = series_declare();
    apr_array_header_t *none = apr_array_make(g_pool, 1, sizeof(void *));
    dsapi_buf_t *buf = dsapi_buf_make(1, g_pool);
    dsapi_metric_ask_t ask = {NULL, NULL};
    apr_array_header_t *args;
    dsapi_metric_t *metric;
    dsapi_cells_t cells;
    dsapi_err_t *err;

    dsapi_base_args_parse(&args, &err, line, g_pool);
    ck_assert_int_eq(
        dsapi_series_metric(&metric, &err, series, args, none, g_pool),
        APR_SUCCESS);
    ask.metric = metric;
    ck_assert_int_eq(dsapi_series_compute(&cells, &err, columns, &ask, g_pool),
                     APR_SUCCESS);
    dsapi_series_write(buf, format, columns, metric, &cells);
    return dsapi_buf_str(buf);
}

static const char flat[] = "group=area,month x=sum(x) y=avg(y)";
static const char nested[] = "group=area,month nest=months x=sum(x) y=avg(y)";

START_TEST(json_has_a_row_for_each_cell)
{
    ck_assert_str_eq(written(DSAPI_FORMAT_JSON, flat, 4),
                     "[{\"area\":{\"id\":9,\"title\":\"n,ine\",\"population\":"
                     "null},"
                     "\"month\":\"2022-06\",\"x\":5,\"y\":1},"
                     "{\"area\":{\"id\":9,\"title\":\"n,ine\",\"population\":"
                     "null},"
                     "\"month\":\"2022-07\",\"x\":4.5,\"y\":1e+20},"
                     "{\"area\":{\"id\":10,\"title\":\"ten\",\"population\":5},"
                     "\"month\":\"2022-06\",\"x\":1,\"y\":1}]");
}
END_TEST

START_TEST(json_nests_the_innermost_group)
{
    ck_assert_str_eq(written(DSAPI_FORMAT_JSON, nested, 4),
                     "[{\"area\":{\"id\":9,\"title\":\"n,ine\",\"population\":"
                     "null},"
                     "\"months\":[{\"month\":\"2022-06\",\"x\":5,\"y\":1},"
                     "{\"month\":\"2022-07\",\"x\":4.5,\"y\":1e+20}]},"
                     "{\"area\":{\"id\":10,\"title\":\"ten\",\"population\":5},"
                     "\"months\":[{\"month\":\"2022-06\",\"x\":1,\"y\":1}]}]");
    ck_assert_str_eq(
        written(DSAPI_FORMAT_JSON, "group=month,name nest=names n=count()", 4),
        "[{\"month\":\"2022-06\",\"names\":["
        "{\"name\":\"n,ine\",\"n\":2},{\"name\":\"ten\",\"n\":1}]}"
        ",{\"month\":\"2022-07\",\"names\":["
        "{\"name\":\"n,ine\",\"n\":1}]}]");
}
END_TEST

START_TEST(csv_has_a_line_for_each_innermost_row)
{
    ck_assert_str_eq(written(DSAPI_FORMAT_CSV, flat, 4),
                     "area.id,area.title,area.population,month,x,y\r\n"
                     "9,\"n,ine\",,2022-06,5,1\r\n"
                     "9,\"n,ine\",,2022-07,4.5,1e+20\r\n"
                     "10,ten,5,2022-06,1,1\r\n");
    ck_assert_str_eq(written(DSAPI_FORMAT_CSV, nested, 3),
                     "area.id,area.title,area.population,months.month,"
                     "months.x,months.y\r\n"
                     "9,\"n,ine\",,2022-06,5,1\r\n"
                     "10,ten,5,2022-06,1,1\r\n");
    ck_assert_str_eq(written(DSAPI_FORMAT_CSV, "group=name y=max(y,min=2)", 3),
                     "name,y\r\n\"n,ine\",\r\nten,\r\n");
}
END_TEST

START_TEST(ndjson_has_a_line_for_each_row)
{
    ck_assert_str_eq(written(DSAPI_FORMAT_NDJSON, nested, 3),
                     "{\"area\":{\"id\":9,\"title\":\"n,ine\",\"population\":"
                     "null},"
                     "\"months\":[{\"month\":\"2022-06\",\"x\":5,\"y\":1}]}\n"
                     "{\"area\":{\"id\":10,\"title\":\"ten\",\"population\":5},"
                     "\"months\":[{\"month\":\"2022-06\",\"x\":1,\"y\":1}]}\n");
    ck_assert_str_eq(written(DSAPI_FORMAT_NDJSON, "group=day n=count()", 3),
                     "{\"date\":\"2022-06-01\",\"n\":2}\n"
                     "{\"date\":\"2022-06-02\",\"n\":1}\n");
}
END_TEST

START_TEST(without_groups_there_is_one_row)
{
    ck_assert_str_eq(written(DSAPI_FORMAT_JSON, "n=count() m=max(x)", 4),
                     "[{\"n\":4,\"m\":4.5}]");
    ck_assert_str_eq(written(DSAPI_FORMAT_CSV, "n=count() m=max(x)", 4), "n,"
                                                                         "m\r\n"
                                                                         "4,4."
                                                                         "5\r"
                                                                         "\n");
}
END_TEST

START_TEST(no_rows_are_an_empty_result)
{
    ck_assert_str_eq(written(DSAPI_FORMAT_JSON, nested, 0), "[]");
    ck_assert_str_eq(written(DSAPI_FORMAT_NDJSON, nested, 0), "");
    ck_assert_str_eq(written(DSAPI_FORMAT_CSV, "n=count()", 0), "n\r\n");
}
END_TEST

START_TEST(the_period_that_is_compared_with_is_not_shown)
{
    ck_assert_str_eq(written(DSAPI_FORMAT_JSON,
                             "group=name,month nest=months x=sum(x) d=diff(x)",
                             4),
                     "[{\"name\":\"n,ine\",\"months\":["
                     "{\"month\":\"2022-06\",\"x\":5,\"d\":null},"
                     "{\"month\":\"2022-07\",\"x\":4.5,\"d\":-0.5}]},"
                     "{\"name\":\"ten\",\"months\":["
                     "{\"month\":\"2022-06\",\"x\":1,\"d\":null}]}]");
}
END_TEST

UNIT_SUITE(series_write, json_has_a_row_for_each_cell,
           json_nests_the_innermost_group,
           csv_has_a_line_for_each_innermost_row,
           ndjson_has_a_line_for_each_row, without_groups_there_is_one_row,
           no_rows_are_an_empty_result,
           the_period_that_is_compared_with_is_not_shown)
