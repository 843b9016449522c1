/* src/route/table.h: every promise of the header, on PostgreSQL's own rows. */
#include "route/table.h"

#include "route/result.h"
#include "unit/pg.h"
#include "unit/unit.h"

#define VALUES                                                              \
    "SELECT * FROM (VALUES (1, 'a,b', true, NULL::text, '[1]'::json), "     \
    "(2, '', false, 'x', '\"s\"')) AS v (\"a.id\", \"a.name\", yes, gone, " \
    "doc)"

static dsapi_rows_t *rows_of(const char *sql)
{
    const pg_t *pg = pg_open();
    dsapi_db_t *db = pg_adopt(pg);
    dsapi_call_t call = pg_call(sql, 0);
    dsapi_batch_t batch = {&call, 1, 1, 0};
    dsapi_rows_t *rows;
    dsapi_err_t *err;

    dsapi_db_set_json(db, dsapi_route_as_json);
    ck_assert_int_eq(dsapi_db_run(&rows, &err, db, &batch, g_pool),
                     APR_SUCCESS);
    return rows;
}

/* flat: 1, or 2 without nulls */
static const char *written_as(dsapi_format_e format, const char *sql, int flat)
{
    dsapi_buf_t *buf = dsapi_buf_make(0, g_pool);
    dsapi_table_t *table = dsapi_route_table_make(format, buf, g_pool);
    dsapi_rows_t *rows = rows_of(sql);
    dsapi_err_t *err;

    if (flat) {
        dsapi_route_table_flat(table, flat == 2);
    }
    ck_assert_int_eq(
        dsapi_route_table_rows(table, &err, rows, dsapi_rows_count(rows)),
        APR_SUCCESS);
    dsapi_route_table_end(table);
    return dsapi_buf_str(buf);
}

static const char *written(dsapi_format_e format, const char *sql)
{
    return written_as(format, sql, 0);
}

START_TEST(a_flat_table_has_every_column_by_its_name)
{
    static const char sql[] = "SELECT 1 AS \"a.b\", 2 AS \"a\", 3 AS \"a\", 4 "
                              "AS \"@x\", 5 AS \"@dsapi.total\", 6 AS \"\\\"";

    ck_assert_str_eq(written_as(DSAPI_FORMAT_JSON, sql, 1), "[{\"a.b\":1,\"a\":"
                                                            "2,\"a\":3,\"@x\":"
                                                            "4,\"\\\\\":6}]");
    ck_assert_str_eq(written_as(DSAPI_FORMAT_CSV, sql, 1), "a.b,a,a,@x,\\\r\n1,"
                                                           "2,3,4,6\r\n");
    ck_assert_str_eq(written_as(DSAPI_FORMAT_NDJSON, "SELECT 1 AS \".\"", 1),
                     "{\".\":1}\n");
}
END_TEST

START_TEST(a_flat_table_has_no_nulls_where_they_are_not_wanted)
{
    static const char sql[] = "SELECT x AS a, y AS b, 1 AS \"@dsapi.total\" "
                              "FROM (VALUES (1, 2), (NULL, 3), (4, NULL), "
                              "(NULL, NULL)) v (x, y)";

    ck_assert_str_eq(written_as(DSAPI_FORMAT_JSON, sql, 2), "[{\"a\":1,\"b\":2}"
                                                            ",{\"b\":3},{\"a\":"
                                                            "4},{}]");
}
END_TEST

START_TEST(json_is_an_array)
{
    ck_assert_str_eq(written(DSAPI_FORMAT_JSON, VALUES),
                     "[{\"a\":{\"id\":1,\"name\":\"a,b\"},\"yes\":true,"
                     "\"gone\":null,\"doc\":[1]},"
                     "{\"a\":{\"id\":2,\"name\":\"\"},\"yes\":false,"
                     "\"gone\":\"x\",\"doc\":\"s\"}]");
    ck_assert_str_eq(written(DSAPI_FORMAT_JSON, VALUES " WHERE false"), "[]");
}
END_TEST

START_TEST(ndjson_is_an_object_a_line)
{
    ck_assert_str_eq(written(DSAPI_FORMAT_NDJSON, "SELECT 1 AS a UNION ALL "
                                                  "SELECT 2"),
                     "{\"a\":1}\n{\"a\":2}\n");
    ck_assert_str_eq(written(DSAPI_FORMAT_NDJSON, VALUES " WHERE false"), "");
}
END_TEST

START_TEST(csv_has_a_header_line)
{
    ck_assert_str_eq(written(DSAPI_FORMAT_CSV, VALUES), "a.id,a.name,yes,gone,"
                                                        "doc\r\n"
                                                        "1,\"a,b\",true,,[1]"
                                                        "\r\n"
                                                        "2,\"\",false,x,"
                                                        "\"\"\"s\"\"\"\r\n");
    ck_assert_str_eq(written(DSAPI_FORMAT_CSV, VALUES " WHERE false"), "a.id,a."
                                                                       "name,"
                                                                       "yes,"
                                                                       "gone,"
                                                                       "doc\r"
                                                                       "\n");
}
END_TEST

START_TEST(csv_shows_timestamps_as_json_does)
{
    ck_assert_str_eq(written(DSAPI_FORMAT_CSV, "SELECT timestamp '2024-02-29 "
                                               "10:00' AS t"),
                     "t\r\n2024-02-29T10:00:00\r\n");
}
END_TEST

START_TEST(csv_shows_what_was_made_without_the_quotes_of_a_string)
{
    ck_assert_str_eq(written(DSAPI_FORMAT_CSV, "SELECT ROW(1, 'a\"') AS r, "
                                               "NULL::record AS n, "
                                               "most_common_vals AS v FROM "
                                               "pg_stats "
                                               "RIGHT JOIN (SELECT 1) AS one "
                                               "ON false"),
                     "r,n,v\r\n\"{\"\"f1\"\":1,\"\"f2\"\":\"\"a\\\"\"\"\"}\",,"
                     "\r\n");
}
END_TEST

START_TEST(ndjson_has_no_line_end_inside_of_a_line)
{
    ck_assert_str_eq(written(DSAPI_FORMAT_NDJSON, "SELECT "
                                                  "E'{\n\"a\\\\n\":\\n1\\n}'::"
                                                  "json AS j, "
                                                  "E'\\n' AS t UNION ALL "
                                                  "SELECT NULL, ''"),
                     "{\"j\":{ \"a\\n\": 1 },\"t\":\"\\n\"}\n"
                     "{\"j\":null,\"t\":\"\"}\n");
}
END_TEST

START_TEST(columns_that_are_headers_are_left_out)
{
    static const char sql[] = "SELECT '/x' AS \"@location\", 1 AS a, 'e' AS "
                              "\"@etag\"";

    ck_assert_str_eq(written(DSAPI_FORMAT_CSV, sql), "a\r\n1\r\n");
    ck_assert_str_eq(written(DSAPI_FORMAT_JSON, sql), "[{\"a\":1}]");
}
END_TEST

START_TEST(rows_come_in_portions)
{
    static const dsapi_format_e formats[] = {
        DSAPI_FORMAT_JSON, DSAPI_FORMAT_CSV, DSAPI_FORMAT_NDJSON};
    static const char *const want[] = {
        "[{\"a\":1},{\"a\":1}]", "a\r\n1\r\n1\r\n", "{\"a\":1}\n{\"a\":1}\n"};
    dsapi_rows_t *rows = rows_of("SELECT 1 AS a UNION ALL SELECT 2");
    dsapi_err_t *err;

    for (int i = 0; i < 3; i++) {
        dsapi_buf_t *buf = dsapi_buf_make(0, g_pool);
        dsapi_table_t *table = dsapi_route_table_make(formats[i], buf, g_pool);

        dsapi_route_table_rows(table, &err, rows, 0);
        dsapi_route_table_rows(table, &err, rows, 1);
        dsapi_route_table_rows(table, &err, rows, 1);
        dsapi_route_table_end(table);
        ck_assert_str_eq(dsapi_buf_str(buf), want[i]);
    }
}
END_TEST

START_TEST(a_contradiction_is_an_error)
{
    dsapi_buf_t *buf = dsapi_buf_make(0, g_pool);
    dsapi_table_t *table =
        dsapi_route_table_make(DSAPI_FORMAT_JSON, buf, g_pool);
    dsapi_err_t *err = NULL;

    ck_assert_int_eq(dsapi_route_table_rows(table, &err,
                                            rows_of("SELECT 1 AS a, 2 AS "
                                                    "\"a.b\""),
                                            1),
                     DSAPI_EINTERNAL);
    ck_assert_ptr_nonnull(err);
}
END_TEST

START_TEST(every_format_has_its_type)
{
    ck_assert_str_eq(dsapi_route_table_type(DSAPI_FORMAT_JSON), "application/"
                                                                "json; "
                                                                "charset=utf-"
                                                                "8");
    ck_assert_str_eq(dsapi_route_table_type(DSAPI_FORMAT_CSV), "text/csv; "
                                                               "charset=utf-8; "
                                                               "header="
                                                               "present");
    ck_assert_str_eq(dsapi_route_table_type(DSAPI_FORMAT_NDJSON), "application/"
                                                                  "x-ndjson");
}
END_TEST

UNIT_SUITE(route_table, a_flat_table_has_every_column_by_its_name,
           a_flat_table_has_no_nulls_where_they_are_not_wanted,
           json_is_an_array, ndjson_is_an_object_a_line, csv_has_a_header_line,
           csv_shows_timestamps_as_json_does,
           csv_shows_what_was_made_without_the_quotes_of_a_string,
           ndjson_has_no_line_end_inside_of_a_line,
           columns_that_are_headers_are_left_out, rows_come_in_portions,
           a_contradiction_is_an_error, every_format_has_its_type)
