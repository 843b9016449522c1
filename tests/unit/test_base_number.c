#include "base/number.h"
#include "unit/unit.h"

#define UNTOUCHED 4711

typedef struct case_t {
    const char *text;
    apr_status_t rv;
    apr_int64_t value;
} case_t;

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static void check_ints(const case_t *cases, size_t n, apr_int64_t min,
                       apr_int64_t max)
{
    for (size_t i = 0; i < n; i++) {
        apr_int64_t value = UNTOUCHED;
        apr_status_t rv = dsapi_base_parse_int(&value, cases[i].text, min, max);

        ck_assert_msg(rv == cases[i].rv, "'%s' gives %d", cases[i].text, rv);
        ck_assert_msg(value == (rv ? UNTOUCHED : cases[i].value),
                      "'%s' is read as %lld", cases[i].text, (long long)value);
    }
}

START_TEST(int_takes_digits_and_a_minus)
{
    static const case_t cases[] = {
        {"0", APR_SUCCESS, 0},
        {"-0", APR_SUCCESS, 0},
        {"7", APR_SUCCESS, 7},
        {"-42", APR_SUCCESS, -42},
        {"007", APR_SUCCESS, 7},
        {"9223372036854775807", APR_SUCCESS, APR_INT64_MAX},
        {"-9223372036854775808", APR_SUCCESS, APR_INT64_MIN},
        {"0000000000000000000000000000012", APR_SUCCESS, 12},
    };

    check_ints(cases, COUNT(cases), APR_INT64_MIN, APR_INT64_MAX);
}
END_TEST

START_TEST(int_refuses_what_is_no_number)
{
    static const case_t cases[] = {
        {"", DSAPI_ESYNTAX, 0},
        {"-", DSAPI_ESYNTAX, 0},
        {"+1", DSAPI_ESYNTAX, 0},
        {"--1", DSAPI_ESYNTAX, 0},
        {" 1", DSAPI_ESYNTAX, 0},
        {"1 ", DSAPI_ESYNTAX, 0},
        {"1\n", DSAPI_ESYNTAX, 0},
        {"1.0", DSAPI_ESYNTAX, 0},
        {"1e3", DSAPI_ESYNTAX, 0},
        {"0x10", DSAPI_ESYNTAX, 0},
        {"abc", DSAPI_ESYNTAX, 0},
        {"\xD9\xA1", DSAPI_ESYNTAX, 0},
        {"1,000", DSAPI_ESYNTAX, 0},
        {"- 1", DSAPI_ESYNTAX, 0},
        {"/", DSAPI_ESYNTAX, 0},
        {":", DSAPI_ESYNTAX, 0},
        {"99999999999999999999x", DSAPI_ESYNTAX, 0},
    };

    check_ints(cases, COUNT(cases), APR_INT64_MIN, APR_INT64_MAX);
}
END_TEST

START_TEST(int_refuses_overflow)
{
    static const case_t cases[] = {
        {"9223372036854775808", DSAPI_ETOOBIG, 0},
        {"-9223372036854775809", DSAPI_ETOOBIG, 0},
        {"18446744073709551615", DSAPI_ETOOBIG, 0},
        {"18446744073709551616", DSAPI_ETOOBIG, 0},
        {"18446744073709551617", DSAPI_ETOOBIG, 0},
        {"-18446744073709551617", DSAPI_ETOOBIG, 0},
        {"99999999999999999999999999999999999999", DSAPI_ETOOBIG, 0},
        {"184467440737095516150000000000000000001", DSAPI_ETOOBIG, 0},
    };

    check_ints(cases, COUNT(cases), APR_INT64_MIN, APR_INT64_MAX);
}
END_TEST

START_TEST(int_keeps_to_its_range)
{
    static const case_t cases[] = {
        {"-5", APR_SUCCESS, -5},  {"10", APR_SUCCESS, 10},
        {"-6", DSAPI_ETOOBIG, 0}, {"11", DSAPI_ETOOBIG, 0},
        {"0", APR_SUCCESS, 0},
    };

    check_ints(cases, COUNT(cases), -5, 10);
}
END_TEST

static void check_intervals(const case_t *cases, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        apr_interval_time_t value = UNTOUCHED;
        apr_status_t rv = dsapi_base_parse_interval(&value, cases[i].text);

        ck_assert_msg(rv == cases[i].rv, "'%s' gives %d", cases[i].text, rv);
        ck_assert_msg(value == (rv ? UNTOUCHED : cases[i].value),
                      "'%s' is read as %lld", cases[i].text, (long long)value);
    }
}

START_TEST(interval_takes_each_unit)
{
    static const case_t cases[] = {
        {"500ms", APR_SUCCESS, 500000},
        {"2s", APR_SUCCESS, 2000000},
        {"10min", APR_SUCCESS, 600000000},
        {"3h", APR_SUCCESS, APR_INT64_C(10800000000)},
        {"1d", APR_SUCCESS, APR_INT64_C(86400000000)},
        {"0s", APR_SUCCESS, 0},
        {"007s", APR_SUCCESS, 7000000},
    };

    check_intervals(cases, COUNT(cases));
}
END_TEST

START_TEST(interval_refuses_anything_else)
{
    static const case_t cases[] = {
        {"", DSAPI_ESYNTAX, 0},
        {"5", DSAPI_ESYNTAX, 0},
        {"0", DSAPI_ESYNTAX, 0},
        {"s", DSAPI_ESYNTAX, 0},
        {"-5s", DSAPI_ESYNTAX, 0},
        {"+5s", DSAPI_ESYNTAX, 0},
        {"5 s", DSAPI_ESYNTAX, 0},
        {" 5s", DSAPI_ESYNTAX, 0},
        {"5s ", DSAPI_ESYNTAX, 0},
        {"5S", DSAPI_ESYNTAX, 0},
        {"5m", DSAPI_ESYNTAX, 0},
        {"5us", DSAPI_ESYNTAX, 0},
        {"5mins", DSAPI_ESYNTAX, 0},
        {"1.5s", DSAPI_ESYNTAX, 0},
        {"1h30min", DSAPI_ESYNTAX, 0},
        {"99999999999999999999 years", DSAPI_ESYNTAX, 0},
    };

    check_intervals(cases, COUNT(cases));
}
END_TEST

START_TEST(interval_ends_at_100_years)
{
    static const case_t cases[] = {
        {"36525d", APR_SUCCESS, APR_INT64_C(3155760000000000)},
        {"3155760000000ms", APR_SUCCESS, APR_INT64_C(3155760000000000)},
        {"36526d", DSAPI_ETOOBIG, 0},
        {"3155760000001ms", DSAPI_ETOOBIG, 0},
        {"876601h", DSAPI_ETOOBIG, 0},
        {"9223372036854775807d", DSAPI_ETOOBIG, 0},
        {"18446744073709551616ms", DSAPI_ETOOBIG, 0},
    };

    check_intervals(cases, COUNT(cases));
}
END_TEST

static void check_sizes(const case_t *cases, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        apr_off_t value = UNTOUCHED;
        apr_status_t rv = dsapi_base_parse_size(&value, cases[i].text);

        ck_assert_msg(rv == cases[i].rv, "'%s' gives %d", cases[i].text, rv);
        ck_assert_msg(value == (rv ? UNTOUCHED : cases[i].value),
                      "'%s' is read as %lld", cases[i].text, (long long)value);
    }
}

START_TEST(size_takes_each_unit)
{
    static const case_t cases[] = {
        {"0", APR_SUCCESS, 0},
        {"512", APR_SUCCESS, 512},
        {"1K", APR_SUCCESS, 1024},
        {"10M", APR_SUCCESS, 10485760},
        {"3G", APR_SUCCESS, APR_INT64_C(3221225472)},
    };

    check_sizes(cases, COUNT(cases));
}
END_TEST

START_TEST(size_refuses_anything_else)
{
    static const case_t cases[] = {
        {"", DSAPI_ESYNTAX, 0},     {"K", DSAPI_ESYNTAX, 0},
        {"-1", DSAPI_ESYNTAX, 0},   {"+1", DSAPI_ESYNTAX, 0},
        {"1k", DSAPI_ESYNTAX, 0},   {"1KB", DSAPI_ESYNTAX, 0},
        {"1 K", DSAPI_ESYNTAX, 0},  {"1T", DSAPI_ESYNTAX, 0},
        {"1.5M", DSAPI_ESYNTAX, 0},
    };

    check_sizes(cases, COUNT(cases));
}
END_TEST

START_TEST(size_ends_at_2_to_the_53)
{
    static const case_t cases[] = {
        {"9007199254740992", APR_SUCCESS, APR_INT64_C(9007199254740992)},
        {"8388608G", APR_SUCCESS, APR_INT64_C(9007199254740992)},
        {"9007199254740993", DSAPI_ETOOBIG, 0},
        {"8388609G", DSAPI_ETOOBIG, 0},
        {"18446744073709551616", DSAPI_ETOOBIG, 0},
        {"18014398509481984K", DSAPI_ETOOBIG, 0},
    };

    check_sizes(cases, COUNT(cases));
}
END_TEST

UNIT_SUITE(base_number, int_takes_digits_and_a_minus,
           int_refuses_what_is_no_number, int_refuses_overflow,
           int_keeps_to_its_range, interval_takes_each_unit,
           interval_refuses_anything_else, interval_ends_at_100_years,
           size_takes_each_unit, size_refuses_anything_else,
           size_ends_at_2_to_the_53)
