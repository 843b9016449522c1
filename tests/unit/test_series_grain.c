/* series/grain: days, ISO weeks, months, quarters, years. */
#include "series/grain.h"

#include <time.h>

#include "base/calendar.h"
#include "unit/unit.h"

static const char *shown(dsapi_grain_e grain, int year, int month, int day)
{
    char *out = apr_pcalloc(g_pool, DSAPI_PERIOD_MAX + 1);
    int at = (int)dsapi_base_day_of(year, month, day);

    dsapi_series_period_format(out, grain, dsapi_series_period_of(grain, at));
    return out;
}

START_TEST(words_name_grains_and_their_members)
{
    ck_assert_int_eq(dsapi_series_grain("day"), DSAPI_GRAIN_DAY);
    ck_assert_int_eq(dsapi_series_grain("year"), DSAPI_GRAIN_YEAR);
    ck_assert_int_eq(dsapi_series_grain("days"), DSAPI_GRAIN_NONE);
    ck_assert_int_eq(dsapi_series_grain(""), DSAPI_GRAIN_NONE);
    ck_assert_str_eq(dsapi_series_grain_member(DSAPI_GRAIN_DAY), "date");
    ck_assert_str_eq(dsapi_series_grain_member(DSAPI_GRAIN_WEEK), "week");
    ck_assert_str_eq(dsapi_series_grain_member(DSAPI_GRAIN_QUARTER), "quarter");
}
END_TEST

START_TEST(periods_are_shown)
{
    ck_assert_str_eq(shown(DSAPI_GRAIN_DAY, 2022, 6, 1), "2022-06-01");
    ck_assert_str_eq(shown(DSAPI_GRAIN_DAY, 1, 1, 1), "0001-01-01");
    ck_assert_str_eq(shown(DSAPI_GRAIN_DAY, 9999, 12, 31), "9999-12-31");
    ck_assert_str_eq(shown(DSAPI_GRAIN_WEEK, 2022, 6, 1), "2022-W22");
    ck_assert_str_eq(shown(DSAPI_GRAIN_MONTH, 2022, 6, 30), "2022-06");
    ck_assert_str_eq(shown(DSAPI_GRAIN_QUARTER, 2022, 6, 30), "2022-Q2");
    ck_assert_str_eq(shown(DSAPI_GRAIN_QUARTER, 2022, 10, 1), "2022-Q4");
    ck_assert_str_eq(shown(DSAPI_GRAIN_YEAR, 987, 1, 1), "0987");
}
END_TEST

/* The years that the standard's examples are about. */
START_TEST(iso_weeks_belong_to_the_year_of_their_thursday)
{
    ck_assert_str_eq(shown(DSAPI_GRAIN_WEEK, 2005, 1, 1), "2004-W53");
    ck_assert_str_eq(shown(DSAPI_GRAIN_WEEK, 2005, 1, 3), "2005-W01");
    ck_assert_str_eq(shown(DSAPI_GRAIN_WEEK, 2007, 12, 31), "2008-W01");
    ck_assert_str_eq(shown(DSAPI_GRAIN_WEEK, 2010, 1, 3), "2009-W53");
    ck_assert_str_eq(shown(DSAPI_GRAIN_WEEK, 1969, 12, 29), "1970-W01");
    ck_assert_str_eq(shown(DSAPI_GRAIN_WEEK, 1969, 12, 28), "1969-W52");
}
END_TEST

/* libc's calendar is the judge, day by day. */
START_TEST(every_day_is_as_libc_says)
{
    static const char *const forms[] = {"", "%Y-%m-%d", "%G-W%V", "%Y-%m"};

    for (int day = -50000; day < 50000; day += 3) {
        time_t at = (time_t)day * 86400;
        struct tm tm;

        gmtime_r(&at, &tm);
        for (int i = DSAPI_GRAIN_DAY; i <= DSAPI_GRAIN_MONTH; i++) {
            char ours[DSAPI_PERIOD_MAX + 1];
            char theirs[32];
            int period = dsapi_series_period_of((dsapi_grain_e)i, day);

            ours[dsapi_series_period_format(ours, (dsapi_grain_e)i, period)] =
                '\0';
            strftime(theirs, sizeof(theirs), forms[i], &tm);
            ck_assert_str_eq(ours, theirs);
        }
    }
}
END_TEST

START_TEST(periods_begin_where_the_one_before_ends)
{
    for (int i = DSAPI_GRAIN_DAY; i <= DSAPI_GRAIN_YEAR; i++) {
        for (int day = -40000; day < 40000; day += 7) {
            int period = dsapi_series_period_of((dsapi_grain_e)i, day);
            int begin = dsapi_series_period_begin((dsapi_grain_e)i, period);

            ck_assert_int_le(begin, day);
            ck_assert_int_eq(dsapi_series_period_of((dsapi_grain_e)i, begin),
                             period);
            ck_assert_int_eq(
                dsapi_series_period_of((dsapi_grain_e)i, begin - 1),
                period - 1);
        }
    }
}
END_TEST

START_TEST(all_time_is_one_period)
{
    ck_assert_int_eq(dsapi_series_period_of(DSAPI_GRAIN_NONE, 12345), 0);
}
END_TEST

UNIT_SUITE(series_grain, words_name_grains_and_their_members, periods_are_shown,
           iso_weeks_belong_to_the_year_of_their_thursday,
           every_day_is_as_libc_says, periods_begin_where_the_one_before_ends,
           all_time_is_one_period)
