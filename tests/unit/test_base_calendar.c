/* src/base/calendar.h: every promise of the header. */
#include "base/calendar.h"

#include <time.h>

#include "unit/unit.h"

START_TEST(days_are_counted_from_1970)
{
    static const struct {
        int year;
        int month;
        int day;
        int n;
    } cases[] = {
        {1970, 1, 1, 0},       {1970, 1, 2, 1},        {1969, 12, 31, -1},
        {2000, 2, 29, 11016},  {2000, 3, 1, 11017},    {1900, 2, 28, -25509},
        {1900, 3, 1, -25508},  {1900, 1, 1, -25567},   {2100, 12, 31, 47846},
        {1, 1, 1, -719162},    {0, 3, 1, -719468},     {0, 1, 1, -719528},
        {-1, 12, 31, -719529}, {9999, 12, 31, 2932896}};

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        ck_assert_int_eq(
            dsapi_base_day_of(cases[i].year, cases[i].month, cases[i].day),
            cases[i].n);
    }
}
END_TEST

START_TEST(days_and_dates_are_each_other_s_inverse)
{
    for (apr_int64_t day = -1000000; day < 3000000; day += 1) {
        int y;
        int m;
        int d;

        dsapi_base_date_of(&y, &m, &d, day);
        ck_assert(m >= 1 && m <= 12 && d >= 1 && d <= 31);
        ck_assert_int_eq(dsapi_base_day_of(y, m, d), day);
    }
}
END_TEST

START_TEST(dates_are_the_c_library_s)
{
    for (apr_int64_t day = -750000; day < 3000000; day += 13) {
        time_t seconds = (time_t)day * 86400;
        struct tm tm;
        int y;
        int m;
        int d;

        dsapi_base_date_of(&y, &m, &d, day);
        gmtime_r(&seconds, &tm);
        ck_assert_int_eq(y, tm.tm_year + 1900);
        ck_assert_int_eq(m, tm.tm_mon + 1);
        ck_assert_int_eq(d, tm.tm_mday);
    }
}
END_TEST

UNIT_SUITE(base_calendar, days_are_counted_from_1970,
           days_and_dates_are_each_other_s_inverse, dates_are_the_c_library_s)
