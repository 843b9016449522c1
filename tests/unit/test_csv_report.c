/* src/csv/report.h: every promise of the header. */
#include "csv/report.h"

#include "unit/unit.h"

START_TEST(rows_are_told_in_their_order_with_what_is_known)
{
    static const dsapi_import_row_t rows[] = {
        {2, 3, "price", "a \"b\"", "is no number", "22P02"},
        {5, 9, NULL, NULL, "has 3 fields, not 4", NULL}};
    dsapi_import_report_t report = {
        .rows = apr_array_make(g_pool, 2, sizeof(dsapi_import_row_t))};

    ck_assert_str_eq(dsapi_import_rows_json(&report, g_pool), "[]");
    APR_ARRAY_PUSH(report.rows, dsapi_import_row_t) = rows[0];
    APR_ARRAY_PUSH(report.rows, dsapi_import_row_t) = rows[1];
    ck_assert_str_eq(dsapi_import_rows_json(&report, g_pool),
                     "[{\"record\":2,\"line\":3,\"column\":\"price\",\"value\":"
                     "\"a "
                     "\\\"b\\\"\",\"reason\":\"is no "
                     "number\"},{\"record\":5,\"line\":9,"
                     "\"column\":null,\"value\":null,\"reason\":\"has 3 "
                     "fields, not 4\"}]");
}
END_TEST

UNIT_SUITE(csv_report, rows_are_told_in_their_order_with_what_is_known)
