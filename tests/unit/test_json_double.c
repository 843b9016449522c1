/*
 * json/double: doubles as text. DSAPI_DOUBLES=100000000 in the environment
 * tries so many random ones (then set CK_TIMEOUT_MULTIPLIER, too).
 */
#include "json/double.h"

#include <apr_strings.h>
#include <math.h>
#include <stdio.h>

#include "unit/pg.h"
#include "unit/unit.h"

#define RANDOM_DOUBLES 200000

static double from_bits(apr_uint64_t bits)
{
    double value;

    memcpy(&value, &bits, sizeof(value));
    return value;
}

static apr_uint64_t bits_of(double value)
{
    apr_uint64_t bits;

    memcpy(&bits, &value, sizeof(bits));
    return bits;
}

static const char *format(double value, char out[DSAPI_JSON_DOUBLE_MAX + 1])
{
    out[dsapi_json_format_double(out, value)] = '\0';
    return out;
}

/* How many digits are there, zeros at both ends not counted? */
static int digits_in(const char *text)
{
    int n = 0;
    int zeros = 0;

    for (; *text && *text != 'e'; text++) {
        if (*text == '0') {
            zeros += n > 0;
        }
        else if (*text > '0' && *text <= '9') {
            n += zeros + 1;
            zeros = 0;
        }
    }
    return n;
}

/* Is a text half-way between a double and a neighbour? A long double holds
 * that exactly. */
static int is_midpoint(const char *text, double value)
{
    long double exact = strtold(text, NULL);
    long double up = ((long double)value + nextafter(value, INFINITY)) / 2;
    long double down = ((long double)value + nextafter(value, -INFINITY)) / 2;

    return exact == up || exact == down;
}

/* It reads back, nothing shorter does, and of as many digits printf's is not
 * nearer. */
static void check_double(double value)
{
    char ours[DSAPI_JSON_DOUBLE_MAX + 1];
    char theirs[40];
    int n = digits_in(format(value, ours));

    ck_assert_msg(bits_of(strtod(ours, NULL)) == bits_of(value), "%s: %.17g",
                  ours, value);
    ck_assert_msg(n <= 17, "%s: %.17g", ours, value);
    if (n == 0) {
        return;
    }
    if (n > 1) { /* the nearest of one digit fewer is another double's */
        snprintf(theirs, sizeof(theirs), "%.*e", n - 2, value);
        ck_assert_msg(strtod(theirs, NULL) != value ||
                          is_midpoint(theirs, value),
                      "%s, but %s", ours, theirs);
    }
    snprintf(theirs, sizeof(theirs), "%.*e", n - 1, value);
    if (strtod(theirs, NULL) == value && !is_midpoint(theirs, value)) {
        ck_assert_msg(strtold(theirs, NULL) == strtold(ours, NULL),
                      "%s, but %s", ours, theirs);
    }
}

START_TEST(forms_are_fixed_or_with_exponent)
{
    static const struct {
        double value;
        const char *text;
    } rows[] = {
        {0.0, "0"},
        {-0.0, "-0"},
        {1, "1"},
        {-1, "-1"},
        {10, "10"},
        {5712364, "5712364"},
        {790956.53, "790956.53"},
        {0.1, "0.1"},
        {0.0001, "0.0001"},
        {0.00001234, "1.234e-05"},
        {1e14, "100000000000000"},
        {123456789012345, "123456789012345"},
        {999999999999999.9, "999999999999999.9"},
        {1e15, "1e+15"},
        {1234567890123456, "1.234567890123456e+15"},
        {9007199254740992, "9.007199254740992e+15"},
        {1e20, "1e+20"},
        {1e100, "1e+100"},
        {-1.5e-100, "-1.5e-100"},
        {9.5e-5, "9.5e-05"},
        {1e23, "9.999999999999999e+22"}, /* 1e23 is half-way */
        {5e-324, "5e-324"},
        {-2.2250738585072014e-308, "-2.2250738585072014e-308"},
        {1.7976931348623157e308, "1.7976931348623157e+308"},
        {0.30000000000000004, "0.30000000000000004"},
    };
    char out[DSAPI_JSON_DOUBLE_MAX + 1];

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        ck_assert_str_eq(format(rows[i].value, out), rows[i].text);
    }
}
END_TEST

START_TEST(what_is_not_finite_is_null)
{
    dsapi_buf_t *buf = dsapi_buf_make(1, g_pool);

    dsapi_json_put_double(buf, NAN);
    dsapi_json_put_double(buf, INFINITY);
    dsapi_json_put_double(buf, -INFINITY);
    dsapi_json_put_double(buf, -0.5);
    ck_assert_str_eq(dsapi_buf_str(buf), "nullnullnull-0.5");
}
END_TEST

/* Each power of two, and what is next to it: where the interval below a double
 * is half as wide, and every power of ten of the table. */
START_TEST(every_exponent_reads_back)
{
    for (apr_uint64_t e = 0; e < 2047; e++) {
        for (int i = -3; i <= 3; i++) {
            apr_uint64_t bits = (e << 52) + (apr_uint64_t)(apr_int64_t)i;

            if (bits < (APR_UINT64_C(2047) << 52)) {
                check_double(from_bits(bits));
            }
        }
    }
}
END_TEST

START_TEST(powers_of_ten_and_their_neighbours_read_back)
{
    char text[16];

    for (int e = -324; e <= 308; e++) {
        double value;

        snprintf(text, sizeof(text), "1e%d", e);
        value = strtod(text, NULL);
        check_double(value);
        check_double(nextafter(value, INFINITY));
        check_double(nextafter(value, -INFINITY));
    }
}
END_TEST

START_TEST(subnormals_read_back)
{
    for (apr_uint64_t bits = 1; bits < 3000; bits++) {
        check_double(from_bits(bits));
        check_double(-from_bits((APR_UINT64_C(1) << 52) - bits));
    }
}
END_TEST

/* Near 2^53 and beyond, decimals half-way between doubles are short. */
START_TEST(half_ways_are_left_out)
{
    for (apr_uint64_t i = 0; i < 20000; i++) {
        check_double((double)((APR_UINT64_C(1) << 53) + 2 * i));
        check_double((double)((APR_UINT64_C(1) << 54) + 4 * i));
        check_double((double)((APR_UINT64_C(1) << 60) + 256 * i));
        check_double(1e22 + (double)i * 2097152);
    }
}
END_TEST

START_TEST(decimals_of_few_digits_come_back)
{
    char text[40];
    char out[DSAPI_JSON_DOUBLE_MAX + 1];

    for (int i = 1; i < 100000; i += 7) {
        snprintf(text, sizeof(text), "%d.%05d", i % 1000, i);
        ck_assert_int_eq(strtod(format(strtod(text, NULL), out), NULL) ==
                             strtod(text, NULL),
                         1);
        ck_assert_int_le(digits_in(out), digits_in(text));
    }
}
END_TEST

static apr_uint64_t next_random(apr_uint64_t *state)
{
    apr_uint64_t x = *state += APR_UINT64_C(0x9e3779b97f4a7c15);

    x = (x ^ (x >> 30)) * APR_UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * APR_UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

START_TEST(random_doubles_read_back_and_are_shortest)
{
    const char *count = getenv("DSAPI_DOUBLES");
    apr_int64_t n = count ? apr_atoi64(count) : RANDOM_DOUBLES;
    apr_uint64_t state = (apr_uint64_t)n;

    for (apr_int64_t i = 0; i < n; i++) {
        double value = from_bits(next_random(&state));

        if (isfinite(value)) {
            check_double(value);
        }
        check_double((double)(next_random(&state) >> 11) * 0x1p-53);
    }
}
END_TEST

/* The numbers as a literal of a float8[], exactly. */
static const char *array_of(const double *values, int n)
{
    dsapi_buf_t *buf = dsapi_buf_make(0, g_pool);

    for (int i = 0; i < n; i++) {
        char text[40];
        int len =
            snprintf(text, sizeof(text), "%s%.17g", i ? "," : "{", values[i]);

        dsapi_buf_put(buf, text, (apr_size_t)len);
    }
    dsapi_buf_putc(buf, '}');
    return dsapi_buf_str(buf);
}

START_TEST(postgresql_prints_the_same)
{
    enum {
        N = 20000
    };

    pg_t *pg = pg_open();
    double *values = apr_palloc(g_pool, sizeof(double) * N);
    apr_uint64_t state = 1;
    dsapi_buf_t *buf = dsapi_buf_make(0, g_pool);
    dsapi_call_t call;
    dsapi_batch_t batch = {.calls = &call, .ncalls = 1};
    dsapi_rows_t *rows;
    dsapi_err_t *err;

    for (int i = 0; i < N; i++) {
        values[i] = from_bits(next_random(&state));
        if (!isfinite(values[i])) {
            values[i] = 1e23;
        }
        if (i % 4 == 1) {
            values[i] = (double)(next_random(&state) >> (i % 60));
        }
        if (i % 4 == 2) {
            values[i] = from_bits((apr_uint64_t)(i % 2046) << 52);
        }
        if (i % 4 == 3) {
            values[i] = ((double)i - N / 2.0) / 1e6;
        }
    }
    call = pg_call("SELECT to_json($1::float8[])", 1, array_of(values, N));
    ck_assert_int_eq(dsapi_db_run(&rows, &err, pg->db, &batch, g_pool),
                     APR_SUCCESS);
    for (int i = 0; i < N; i++) {
        dsapi_buf_putc(buf, i ? ',' : '[');
        dsapi_json_put_double(buf, values[i]);
    }
    dsapi_buf_putc(buf, ']');
    ck_assert_str_eq(dsapi_buf_str(buf), dsapi_rows_value(NULL, rows, 0, 0));
}
END_TEST

UNIT_SUITE(json_double, forms_are_fixed_or_with_exponent,
           what_is_not_finite_is_null, every_exponent_reads_back,
           powers_of_ten_and_their_neighbours_read_back, subnormals_read_back,
           half_ways_are_left_out, decimals_of_few_digits_come_back,
           random_doubles_read_back_and_are_shortest,
           postgresql_prints_the_same)
