/* series/sum: sums against exact arithmetic. */
#include "series/sum.h"

#include <math.h>

#include "unit/unit.h"

static apr_uint64_t state;

static apr_uint64_t next_random(void)
{
    apr_uint64_t x = state += APR_UINT64_C(0x9e3779b97f4a7c15);

    x = (x ^ (x >> 30)) * APR_UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * APR_UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

static double *make(apr_size_t n)
{
    return apr_palloc(g_pool, n * sizeof(double));
}

START_TEST(sums_of_nothing_and_of_one)
{
    double one[] = {-0.1};

    ck_assert(dsapi_series_sum(NULL, 0) == 0);
    ck_assert(dsapi_series_sum(one, 1) == -0.1);
}
END_TEST

START_TEST(ten_times_a_tenth_is_one)
{
    double values[10];

    for (int i = 0; i < 10; i++) {
        values[i] = 0.1;
    }
    ck_assert(dsapi_series_sum(values, 10) == 1.0);
}
END_TEST

/* 128-bit integers are the judge: values that are k * 2^-70 of any sign. The
 * order is the worst: all large ones first, then their negatives. */
static void compare_with_integers(apr_size_t n, int shift, int cancel)
{
    double *values = make(n);
    __int128 exact = 0;
    double expect;
    double sum;

    for (apr_size_t i = 0; i < n; i++) {
        apr_int64_t k = (apr_int64_t)(next_random() >> 11);

        k = k >> (next_random() % 50);
        k = cancel && (next_random() & 1) ? -k : k;
        values[i] = ldexp((double)k, shift - 70);
        exact += (__int128)k;
        if (cancel && i >= n / 2 && i + 1 < n) {
            apr_size_t twin = i - n / 2;

            exact -= (__int128)k;
            values[i] = -values[twin];
            exact -= (__int128)ldexp(values[twin], 70 - shift);
        }
    }
    expect = ldexp((double)exact, shift - 70);
    sum = dsapi_series_sum(values, n);
    ck_assert_msg(sum == expect || sum == nextafter(expect, INFINITY) ||
                      sum == nextafter(expect, -INFINITY),
                  "%zu: %.17g, not %.17g", n, sum, expect);
}

START_TEST(sums_are_those_of_exact_arithmetic)
{
    for (int round = 0; round < 300; round++) {
        state = (apr_uint64_t)round;
        for (int cancel = 0; cancel < 2; cancel++) {
            compare_with_integers(2 + next_random() % 2000, round, cancel);
        }
    }
    compare_with_integers(1000000, 0, 0);
    compare_with_integers(1000000, 0, 1);
}
END_TEST

START_TEST(whole_numbers_are_exact)
{
    apr_size_t n = 100000;
    double *values = make(n);
    apr_int64_t exact = 0;

    for (apr_size_t i = 0; i < n; i++) {
        apr_int64_t k = (apr_int64_t)(next_random() >> 28);

        values[i] = (double)k;
        exact += k;
    }
    ck_assert(dsapi_series_sum(values, n) == (double)exact);
    ck_assert(dsapi_series_sum_whole(values, n) == (double)exact);
    for (apr_size_t i = 0; i < 9; i++) {
        ck_assert(dsapi_series_sum_whole(values, i) ==
                  dsapi_series_sum(values, i));
    }
}
END_TEST

START_TEST(products_are_summed_as_their_values_are)
{
    double products[1001];
    double x[1001] = {0};
    double w[1001] = {0};

    for (apr_size_t n = 0; n <= 1001; n += n < 9 ? 1 : 31) {
        for (apr_size_t i = 0; i < n; i++) {
            x[i] = ldexp((double)(apr_int64_t)next_random(), -50);
            w[i] = (double)(next_random() >> 40);
            products[i] = x[i] * w[i];
        }
        ck_assert(dsapi_series_sum_products(x, w, n) ==
                  dsapi_series_sum(products, n));
    }
}
END_TEST

START_TEST(cancellation_leaves_what_is_left)
{
    double values[] = {1e308, 1e292, 1, -1e308, 5e-324, -1e292};
    double more[] = {1e308, 1e308, 1e308, 0.5, -1e308, -1e308, -1e308};
    double tiny[] = {1e300, 5e-324, -1e300};
    double less[] = {-1e300, -3, 1e300, 1};
    double nothing[] = {1e300, 1e-300, -1e-300, -1e300};

    ck_assert(dsapi_series_sum(values, 6) == 1);
    ck_assert(dsapi_series_sum(more, 7) == 0.5);
    ck_assert(dsapi_series_sum(tiny, 3) == 5e-324);
    ck_assert(dsapi_series_sum(less, 4) == -2);
    ck_assert(dsapi_series_sum(nothing, 4) == 0);
}
END_TEST

/* Harmonic and alternating series, of which a plain sum loses digits. */
START_TEST(the_error_does_not_grow_with_the_number)
{
    apr_size_t n = 1 << 20;
    double *values = make(n);

    for (apr_size_t i = 0; i < n; i++) {
        values[i] = i % 2 ? 0.1 : 1e8 + 0.1;
    }
    /* 2^19 * (double)(1e8 + 0.1) + 2^19 * 0.1, products that are exact */
    ck_assert(dsapi_series_sum(values, n) ==
              (double)((long double)values[0] * (1 << 19) +
                       (long double)values[1] * (1 << 19)));
}
END_TEST

START_TEST(rounding_is_to_the_nearest)
{
    double half[] = {1e300, -1e300, 0x1p53, 1}; /* a tie: to even */
    double above[] = {1e300, -1e300, 0x1p53, 1, 0x1p-1000};
    double odd[] = {1e300, -1e300, 0x1p53 + 2, 1};

    ck_assert(dsapi_series_sum(half, 4) == 0x1p53);
    ck_assert(dsapi_series_sum(above, 5) == 0x1p53 + 2);
    ck_assert(dsapi_series_sum(odd, 4) == 0x1p53 + 4);
}
END_TEST

START_TEST(what_no_double_holds_is_not_finite)
{
    double large[] = {1.7e308, 1.7e308};
    double infinite[] = {INFINITY, -INFINITY};

    ck_assert(!isfinite(dsapi_series_sum(large, 2)));
    ck_assert(!isfinite(dsapi_series_sum(infinite, 2)));
}
END_TEST

START_TEST(variance_is_the_mean_square_about_the_mean)
{
    double values[] = {1, 2, 3, 4};
    double shifted[] = {1e9 + 1, 1e9 + 2, 1e9 + 3, 1e9 + 4};
    double equal[] = {0.1, 0.1, 0.1};

    ck_assert(dsapi_series_variance(values, 4) == 1.25);
    ck_assert(dsapi_series_variance(shifted, 4) == 1.25);
    ck_assert(dsapi_series_variance(equal, 3) == 0);
    ck_assert(dsapi_series_spread(values, 4, 2) == 1.5);
    ck_assert(isnan(dsapi_series_variance(values, 0)));
    ck_assert(isnan(dsapi_series_spread(values, 0, 2)));
}
END_TEST

UNIT_SUITE(series_sum, sums_of_nothing_and_of_one, ten_times_a_tenth_is_one,
           sums_are_those_of_exact_arithmetic, whole_numbers_are_exact,
           products_are_summed_as_their_values_are,
           cancellation_leaves_what_is_left,
           the_error_does_not_grow_with_the_number, rounding_is_to_the_nearest,
           what_no_double_holds_is_not_finite,
           variance_is_the_mean_square_about_the_mean)
