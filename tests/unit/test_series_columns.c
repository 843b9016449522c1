/* series/columns: from rows to columns. */
#include "series/columns.h"

#include <apr_strings.h>
#include <math.h>

#include "unit/pg.h"
#include "unit/series.h"
#include "unit/unit.h"

static const char *json_of(const dsapi_members_t *members, apr_size_t i)
{
    return apr_pstrmemdup(g_pool, members->text + members->at[2 * i],
                          members->at[2 * i + 1] - members->at[2 * i]);
}

static const char *csv_of(const dsapi_members_t *members, apr_size_t i)
{
    return apr_pstrmemdup(g_pool, members->text + members->at[2 * i + 1],
                          members->at[2 * i + 2] - members->at[2 * i + 1]);
}

START_TEST(rows_are_sorted_by_day_and_member)
{
    static const series_row_t rows[] = {
        {{"1970-01-03", "10", "ten", "5", "3", "1e-3"}},
        {{"1970-01-01", "9", "nine", NULL, "1", "-2.5"}},
        {{"1970-01-03", "9", "nine", NULL, "2", NULL}},
    };
    const dsapi_columns_t *c = series_of(rows, 3);

    ck_assert_int_eq(c->nrows, 3);
    ck_assert_int_eq(c->days[0], 0);
    ck_assert_int_eq(c->days[1], 2);
    ck_assert_int_eq(c->days[2], 2);
    ck_assert(c->measures[0].values[0] == 1);
    ck_assert(c->measures[0].values[1] == 2);
    ck_assert(c->measures[0].values[2] == 3);
    ck_assert(c->measures[1].values[0] == -2.5);
    ck_assert(isnan(c->measures[1].values[1]));
    ck_assert(c->measures[1].values[2] == 0.001);
    ck_assert_int_eq(c->dimensions[0].of_rows[0], 0);
    ck_assert_int_eq(c->dimensions[0].of_rows[2], 1);
    /* as a text, "nine" is before "ten", too */
    ck_assert_int_eq(c->dimensions[1].of_rows[2], 1);
}
END_TEST

START_TEST(it_is_known_which_numbers_are_whole)
{
    static const series_row_t rows[] = {
        {{"1970-01-03", "10", "ten", "5", "3", "7"}},
        {{"1970-01-01", "9", "nine", NULL, "-1e3", "-2.5"}},
        {{"1970-01-03", "9", "nine", NULL, "2", NULL}},
    };
    const dsapi_columns_t *c = series_of(rows, 3);

    ck_assert(c->measures[0].largest_absolute == 1000);
    ck_assert(!c->measures[0].has_null);
    ck_assert(isinf(c->measures[1].largest_absolute));
    ck_assert(c->measures[1].has_null);
}
END_TEST

START_TEST(members_are_written_once_as_json_and_csv)
{
    static const series_row_t rows[] = {
        {{"2022-01-01", "10", "t,\"n", "6226346", "3", "1"}},
        {{"2022-01-01", "9", "nine", NULL, "3", "1"}},
        {{"2022-01-01", NULL, NULL, NULL, "3", "1"}},
    };
    const dsapi_columns_t *c = series_of(rows, 3);

    ck_assert_int_eq(c->dimensions[0].n, 3);
    ck_assert_str_eq(json_of(&c->dimensions[0], 0), "{\"id\":9,\"title\":"
                                                    "\"nine\",\"population\":"
                                                    "null}");
    ck_assert_str_eq(json_of(&c->dimensions[0], 1), "{\"id\":10,\"title\":\"t,"
                                                    "\\\"n\",\"population\":"
                                                    "6226346}");
    ck_assert_str_eq(json_of(&c->dimensions[0], 2), "{\"id\":null,\"title\":"
                                                    "null,\"population\":"
                                                    "null}");
    ck_assert_str_eq(csv_of(&c->dimensions[0], 0), "9,nine,");
    ck_assert_str_eq(csv_of(&c->dimensions[0], 1), "10,\"t,\"\"n\",6226346");
    ck_assert_str_eq(csv_of(&c->dimensions[0], 2), ",,");
    ck_assert_str_eq(json_of(&c->dimensions[1], 0), "\"nine\"");
    ck_assert_str_eq(json_of(&c->dimensions[1], 2), "null");
}
END_TEST

START_TEST(a_members_texts_are_those_of_its_latest_day)
{
    static const series_row_t rows[] = {
        {{"2022-01-02", "1", "new", "2", "3", "1"}},
        {{"2022-01-01", "1", "old", "1", "3", "1"}},
        {{"2022-01-03", "1", "newest", "3", "3", "1"}},
    };
    const dsapi_columns_t *c = series_of(rows, 3);

    ck_assert_int_eq(c->dimensions[0].n, 1);
    ck_assert_str_eq(json_of(&c->dimensions[0], 0), "{\"id\":1,\"title\":"
                                                    "\"newest\",\"population\":"
                                                    "3}");
}
END_TEST

START_TEST(numbers_order_by_value_whatever_their_length)
{
    static const series_row_t rows[] = {
        {{"2022-01-01", "9223372036854775807", "a", "1", "1", "1"}},
        {{"2022-01-01", "-5", "b", "1", "1", "1"}},
        {{"2022-01-01", "9223372036854775806", "c", "1", "1", "1"}},
        {{"2022-01-01", "70", "d", "1", "1", "1"}},
    };
    const dsapi_columns_t *c = series_of(rows, 4);

    ck_assert_str_eq(csv_of(&c->dimensions[0], 0), "-5,b,1");
    ck_assert_str_eq(csv_of(&c->dimensions[0], 1), "70,d,1");
    ck_assert_str_eq(csv_of(&c->dimensions[0], 2), "9223372036854775806,c,1");
    ck_assert_str_eq(csv_of(&c->dimensions[0], 3), "9223372036854775807,a,1");
}
END_TEST

START_TEST(what_is_no_finite_number_is_null)
{
    static const series_row_t rows[] = {
        {{"2022-01-01", "1", "a", "1", "NaN", "Infinity"}},
        {{"2022-01-02", "1", "a", "1", "-Infinity", "1e-400"}},
    };
    const dsapi_columns_t *c = series_of(rows, 2);

    ck_assert(isnan(c->measures[0].values[0]));
    ck_assert(isnan(c->measures[1].values[0]));
    ck_assert(isnan(c->measures[0].values[1]));
    ck_assert(c->measures[1].values[1] == 0);
}
END_TEST

START_TEST(days_are_of_the_years_1_to_9999)
{
    static const char *const wrong[] = {"infinity", "10000-01-01",
                                        "0044-03-15 BC", NULL};
    static const series_row_t rows[] = {
        {{"0001-01-01", "1", "a", "1", "1", "1"}},
        {{"9999-12-31", "1", "a", "1", "1", "1"}},
    };
    const dsapi_columns_t *c = series_of(rows, 2);

    ck_assert_int_eq(c->days[0], -719162);
    ck_assert_int_eq(c->days[1], 2932896);
    for (int i = 0; i < 4; i++) {
        series_row_t row = {{wrong[i], "1", "a", "1", "1", "1"}};
        dsapi_err_t *err = NULL;

        ck_assert_ptr_null(series_load(&err, &row, 1));
        ck_assert_str_eq(err->code, "series-time");
        ck_assert_ptr_nonnull(strstr(err->detail, "'day' is "));
    }
}
END_TEST

START_TEST(no_rows_are_no_error)
{
    const dsapi_columns_t *c = series_of(NULL, 0);

    ck_assert_int_eq(c->nrows, 0);
    ck_assert_int_eq(c->dimensions[0].n, 0);
}
END_TEST

static const char *refusal(const char *const *names, const unsigned *types,
                           int n)
{
    dsapi_columns_maker_t *maker =
        dsapi_series_make(series_declare(), 10000, g_pool);
    dsapi_err_t *err = NULL;

    ck_assert_int_eq(dsapi_series_begin(maker, &err, names, types, n),
                     DSAPI_EINTERNAL);
    ck_assert_str_eq(err->code, "series-shape");
    return err->detail;
}

START_TEST(columns_must_be_there_and_of_their_types)
{
    unsigned types[SERIES_COLUMNS];

    ck_assert_str_eq(refusal(series_names, series_types, 5), "the series' "
                                                             "query gives no "
                                                             "column 'y'");
    ck_assert_str_eq(refusal(series_names + 1, series_types + 1, 5), "the "
                                                                     "series' "
                                                                     "query "
                                                                     "gives no "
                                                                     "column "
                                                                     "'day'");
    memcpy(types, series_types, sizeof(types));
    types[0] = DSAPI_OID_TIMESTAMPTZ;
    ck_assert_str_eq(refusal(series_names, types, SERIES_COLUMNS),
                     "the series' time column 'day' is no date; cast it to "
                     "date");
    types[0] = DSAPI_OID_DATE;
    types[4] = DSAPI_OID_TEXT;
    ck_assert_str_eq(refusal(series_names, types, SERIES_COLUMNS),
                     "the series' measure 'x' is no number; cast it to double "
                     "precision");
}
END_TEST

START_TEST(a_series_has_a_bound)
{
    series_row_t row = {{"2022-01-01", "1", "a", "1", "1", "1"}};
    dsapi_columns_maker_t *maker =
        dsapi_series_make(series_declare(), 10000, g_pool);
    dsapi_err_t *err = NULL;
    apr_status_t rv = dsapi_series_begin(maker, &err, series_names,
                                         series_types, SERIES_COLUMNS);
    int n = 0;

    while (rv == APR_SUCCESS && n < 1000) {
        rv = dsapi_series_add(maker, &err, series_cell, &row, 0);
        n += rv == APR_SUCCESS;
    }
    ck_assert_int_eq(rv, DSAPI_EINTERNAL);
    ck_assert_str_eq(err->code, "series-size");
    ck_assert_int_lt(n, 280);
    ck_assert_int_gt(n, 240);
    ck_assert_uint_gt(dsapi_series_bytes(maker), 10000);
}
END_TEST

START_TEST(no_image_is_larger_than_was_said)
{
    for (int members = 1; members <= 1000; members *= 10) {
        dsapi_columns_maker_t *maker =
            dsapi_series_make(series_declare(), 1 << 24, g_pool);
        apr_size_t said;
        apr_size_t bytes;
        dsapi_err_t *err;

        dsapi_series_begin(maker, &err, series_names, series_types,
                           SERIES_COLUMNS);
        for (int i = 0; i < 1000; i++) {
            series_row_t row = {{"2022-01-01", apr_itoa(g_scratch, i % members),
                                 "a", "1", "1", "1"}};

            ck_assert_int_eq(
                dsapi_series_add(maker, &err, series_cell, &row, 0),
                APR_SUCCESS);
        }
        said = dsapi_series_bytes(maker);
        dsapi_series_finish(&bytes, maker);
        ck_assert_uint_le(bytes, said);
        ck_assert_uint_gt(bytes, (apr_size_t)1000 * (4 + 2 * 8 + 2 * 8));
    }
}
END_TEST

START_TEST(an_empty_image_is_no_larger_either)
{
    dsapi_columns_maker_t *maker =
        dsapi_series_make(series_declare(), 1 << 20, g_pool);
    apr_size_t bytes;
    dsapi_err_t *err;

    dsapi_series_begin(maker, &err, series_names, series_types, SERIES_COLUMNS);
    dsapi_series_finish(&bytes, maker);
    ck_assert_uint_le(bytes, dsapi_series_bytes(maker));
}
END_TEST

START_TEST(a_maker_may_begin_anew)
{
    series_row_t row = {{"2022-01-01", "1", "a", "1", "7", "1"}};
    dsapi_columns_maker_t *maker =
        dsapi_series_make(series_declare(), 1 << 20, g_pool);
    const dsapi_columns_t *c;
    apr_size_t bytes;
    dsapi_err_t *err;

    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(dsapi_series_begin(maker, &err, series_names,
                                            series_types, SERIES_COLUMNS),
                         APR_SUCCESS);
        ck_assert_int_eq(dsapi_series_add(maker, &err, series_cell, &row, 0),
                         APR_SUCCESS);
    }
    c = dsapi_series_view(dsapi_series_finish(&bytes, maker), g_pool);
    ck_assert_int_eq(c->nrows, 1);
    ck_assert_int_eq(c->dimensions[0].n, 1);
    ck_assert(c->measures[0].values[0] == 7);
}
END_TEST

START_TEST(an_image_may_be_copied)
{
    static const series_row_t rows[] = {
        {{"2022-01-01", "1", "a", "1", "1.5", "1"}},
    };
    dsapi_columns_maker_t *maker =
        dsapi_series_make(series_declare(), 1 << 20, g_scratch);
    const dsapi_columns_t *c;
    const char *image;
    apr_size_t bytes;
    dsapi_err_t *err;

    dsapi_series_begin(maker, &err, series_names, series_types, SERIES_COLUMNS);
    dsapi_series_add(maker, &err, series_cell, rows, 0);
    image = dsapi_series_finish(&bytes, maker);
    image = apr_pmemdup(g_pool, image, bytes);
    apr_pool_destroy(g_scratch);
    c = dsapi_series_view(image, g_pool);
    ck_assert(c->measures[0].values[0] == 1.5);
    ck_assert_str_eq(csv_of(&c->dimensions[0], 0), "1,a,1");
}
END_TEST

START_TEST(postgresqls_rows_are_taken)
{
    pg_t *pg = pg_open();
    dsapi_call_t call = pg_call("SELECT date '2022-06-01' + i AS day, "
                                "i::bigint AS id, "
                                "'n' || i AS name, NULL::float8 AS pop, "
                                "i::numeric / 10 AS x, "
                                "i::smallint AS y FROM generate_series(1, 5) "
                                "AS i",
                                0);
    dsapi_batch_t batch = {.calls = &call, .ncalls = 1};
    dsapi_columns_maker_t *maker =
        dsapi_series_make(series_declare(), 1 << 20, g_pool);
    const dsapi_columns_t *c;
    apr_size_t bytes;
    dsapi_rows_t *rows;
    dsapi_err_t *err = NULL;

    ck_assert_int_eq(dsapi_db_run(&rows, &err, pg->db, &batch, g_pool),
                     APR_SUCCESS);
    ck_assert_int_eq(dsapi_series_take(maker, &err, rows), APR_SUCCESS);
    c = dsapi_series_view(dsapi_series_finish(&bytes, maker), g_pool);
    ck_assert_int_eq(c->nrows, 5);
    ck_assert_int_eq(c->days[4] - c->days[0], 4);
    ck_assert(c->measures[0].values[2] == 0.3);
    ck_assert(c->measures[1].values[4] == 5);
    ck_assert_str_eq(json_of(&c->dimensions[0], 4), "{\"id\":5,\"title\":"
                                                    "\"n5\",\"population\":"
                                                    "null}");
}
END_TEST

UNIT_SUITE(series_columns, rows_are_sorted_by_day_and_member,
           it_is_known_which_numbers_are_whole,
           members_are_written_once_as_json_and_csv,
           a_members_texts_are_those_of_its_latest_day,
           numbers_order_by_value_whatever_their_length,
           what_is_no_finite_number_is_null, days_are_of_the_years_1_to_9999,
           no_rows_are_no_error, columns_must_be_there_and_of_their_types,
           a_series_has_a_bound, no_image_is_larger_than_was_said,
           an_empty_image_is_no_larger_either, a_maker_may_begin_anew,
           an_image_may_be_copied, postgresqls_rows_are_taken)
