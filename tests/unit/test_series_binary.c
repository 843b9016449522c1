/* series/binary: what PostgreSQL sends in binary is what it prints. */
#include "series/binary.h"

#include <math.h>
#include <stdlib.h>

#include "base/calendar.h"
#include "db/db.h"
#include "unit/pg.h"
#include "unit/unit.h"

static int all_json(const char *name, unsigned type)
{
    (void)name;
    (void)type;
    return 0;
}

static dsapi_rows_t *rows_of(dsapi_db_t *db, const char *sql, int binary)
{
    dsapi_call_t call = pg_call(sql, 0);
    dsapi_batch_t batch = {.calls = &call, .ncalls = 1, .repeatable = 1};
    dsapi_rows_t *rows;
    dsapi_err_t *err;

    dsapi_db_set_binary(db, binary ? dsapi_series_binary_type : NULL);
    ck_assert_msg(dsapi_db_run(&rows, &err, db, &batch, g_pool) == APR_SUCCESS,
                  "%s", err ? err->detail : "");
    return rows;
}

static int is_number(unsigned type)
{
    return type != DSAPI_OID_BOOL && type != DSAPI_OID_DATE &&
           type != DSAPI_OID_TEXT && type != DSAPI_OID_NAME &&
           type != DSAPI_OID_BPCHAR && type != DSAPI_OID_VARCHAR;
}

/* One value, sent and printed. */
static void compare_value(unsigned type, const char *bytes, apr_size_t len,
                          const char *printed)
{
    dsapi_buf_t *text = dsapi_buf_make(0, g_pool);
    dsapi_buf_t *space = dsapi_buf_make(0, g_pool);

    dsapi_series_binary_text(text, type, bytes, len);
    ck_assert_str_eq(dsapi_buf_str(text), printed);
    if (is_number(type)) {
        locale_t locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);

        double expect = strtod(printed, NULL);
        double value =
            dsapi_series_binary_number(type, bytes, len, locale, space);

        freelocale(locale);
        ck_assert_msg(value == expect || !isfinite(expect), "%s: %.17g",
                      printed, value);
        ck_assert(isfinite(value) == isfinite(expect));
    }
}

/* The same rows, sent and printed. */
static void compare(dsapi_db_t *db, const char *sql)
{
    dsapi_rows_t *sent = rows_of(db, sql, 1);
    dsapi_rows_t *printed = rows_of(db, sql, 0);

    ck_assert(!dsapi_rows_binary(printed));
    ck_assert_msg(dsapi_rows_binary(sent), "%s", sql);
    ck_assert_int_gt(dsapi_rows_count(sent), 0);
    ck_assert_int_eq(dsapi_rows_count(sent), dsapi_rows_count(printed));
    for (int i = 0; i < dsapi_rows_count(sent); i++) {
        for (int j = 0; j < dsapi_rows_columns(sent); j++) {
            apr_size_t len;
            const char *bytes = dsapi_rows_value(&len, sent, i, j);

            if (bytes) {
                compare_value(dsapi_rows_type(sent, j), bytes, len,
                              dsapi_rows_value(NULL, printed, i, j));
            }
        }
    }
}

static dsapi_db_t *open_db(void)
{
    dsapi_db_t *db = pg_adopt(pg_open());

    dsapi_db_set_json(db, all_json);
    return db;
}

START_TEST(values_are_as_they_are_printed)
{
    dsapi_db_t *db = open_db();

    compare(db, "SELECT true, false, 'a'::text, ''::varchar, 'b'::char(3), "
                "'c'::name, NULL::int");
    compare(db, "SELECT x::int2, (x * 65537)::int4, x * 4294967297, "
                "-x::int8, x::float8 / 7 FROM generate_series(-5, 5) AS x");
    compare(db, "SELECT 9223372036854775807, -9223372036854775808, "
                "(-32768)::int2, (-2147483648)::int4, 9007199254740993");
    compare(db, "SELECT 'NaN'::float8, '-inf'::float8, 'inf'::float8, "
                "1e-300::float8, '-0'::float8, 5e-324::float8, 1e15::float8");
    compare(db, "SELECT d FROM unnest('{infinity,-infinity,0044-03-15 BC,"
                "0001-01-01,1969-12-31,1970-01-01,2000-02-29,9999-12-31,"
                "10000-01-01,4713-11-24 BC,5874897-12-31}'::date[]) AS d");
}
END_TEST

START_TEST(numerics_of_any_size_are_as_they_are_printed)
{
    dsapi_db_t *db = open_db();

    compare(db, "SELECT n FROM unnest('{0,-0,0.0,0.000,1,-1,10000,99999999,"
                "0.1,0.0001,0.00001,123456789012345.678,12345678901234567890,"
                "NaN,Infinity,-Infinity,9007199254740992,9007199254740993,"
                "-9007199254740993,1e30,1e-30,0.30000000000000004,"
                "100000000000000000000000,1.10,1000000.00}'::numeric[]) AS n");
    compare(db, "SELECT (hashint8(i) / 7919.0)::numeric * 10::numeric ^ e "
                "FROM generate_series(-40, 40) AS e, "
                "generate_series(1, 40) AS i");
    compare(db, "SELECT round((hashint8(i) / 31.0)::numeric, s) FROM "
                "generate_series(0, 12) AS s, generate_series(1, 100) AS i");
    compare(db, "SELECT repeat('7', 1000)::numeric, "
                "('0.' || repeat('3', 500))::numeric");
}
END_TEST

START_TEST(days_are_of_the_years_1_to_9999)
{
    dsapi_db_t *db = open_db();
    dsapi_rows_t *rows = rows_of(db,
                                 "SELECT d FROM "
                                 "unnest('{0001-01-01,9999-12-31,0001-12-31 BC,"
                                 "10000-01-01,infinity,-infinity}'::date[]) AS "
                                 "d",
                                 1);
    apr_int32_t day;

    for (int i = 0; i < 6; i++) {
        apr_size_t len;
        const char *bytes = dsapi_rows_value(&len, rows, i, 0);

        ck_assert_int_eq(dsapi_series_binary_day(&day, bytes, len), i < 2);
        ck_assert(!dsapi_series_binary_day(&day, bytes, len - 1));
        if (i < 2) {
            ck_assert_int_eq(day, i ? dsapi_base_day_of(9999, 12, 31)
                                    : dsapi_base_day_of(1, 1, 1));
        }
    }
}
END_TEST

START_TEST(what_has_not_its_types_form_is_nothing)
{
    static const char numeric[] = "\0\2\0\0\0\0\0\0\0\1";
    dsapi_buf_t *buf = dsapi_buf_make(0, g_pool);
    locale_t locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);

    ck_assert(isnan(
        dsapi_series_binary_number(DSAPI_OID_INT8, "1234", 4, locale, buf)));
    ck_assert(isnan(dsapi_series_binary_number(DSAPI_OID_NUMERIC, numeric, 10,
                                               locale, buf)));
    ck_assert(isnan(
        dsapi_series_binary_number(DSAPI_OID_NUMERIC, "12", 2, locale, buf)));
    freelocale(locale);
    buf->len_bytes = 0;
    dsapi_series_binary_text(buf, DSAPI_OID_INT4, "12", 2);
    dsapi_series_binary_text(buf, DSAPI_OID_NUMERIC, numeric, 10);
    ck_assert_int_eq(buf->len_bytes, 0);
}
END_TEST

START_TEST(other_types_come_as_they_are_printed)
{
    dsapi_db_t *db = open_db();

    /* the shortest decimal of a real is not the double that it is */
    ck_assert(!dsapi_rows_binary(rows_of(db, "SELECT 1, 0.1::real", 1)));
    ck_assert(!dsapi_rows_binary(rows_of(db, "SELECT now()", 1)));
    ck_assert(!dsapi_rows_binary(rows_of(db, "SELECT", 1)));
    /* without columns that are known, too */
    dsapi_db_set_json(db, NULL);
    ck_assert(!dsapi_rows_binary(rows_of(db, "SELECT 2", 1)));
}
END_TEST

START_TEST(without_prepared_statements_types_are_looked_at_again)
{
    dsapi_db_t *db = open_db();
    dsapi_rows_t *rows;
    dsapi_err_t *err;

    dsapi_db_set_prepare(db, 0);
    pg_run(&rows, &err, db, "CREATE TABLE t AS SELECT 1 AS x");
    ck_assert(dsapi_rows_binary(rows_of(db, "SELECT * FROM t", 1)));
    ck_assert(dsapi_rows_binary(rows_of(db, "SELECT * FROM t", 1)));
    pg_run(&rows, &err, db, "ALTER TABLE t ALTER x TYPE real");
    (void)rows_of(db, "SELECT * FROM t", 1); /* it is found out */
    ck_assert(!dsapi_rows_binary(rows_of(db, "SELECT * FROM t", 1)));
}
END_TEST

UNIT_SUITE(series_binary, values_are_as_they_are_printed,
           numerics_of_any_size_are_as_they_are_printed,
           days_are_of_the_years_1_to_9999,
           what_has_not_its_types_form_is_nothing,
           other_types_come_as_they_are_printed,
           without_prepared_statements_types_are_looked_at_again)
