/* Days, weeks, months, quarters, years: see grain.h. */
#include "series/grain.h"

#include <string.h>

#include "base/calendar.h"

/* Of 1970-01-01, which was a Thursday, in its week. */
#define EPOCH_WEEKDAY 3

static const struct {
    const char *word;
    const char *member;
} names[] = {{"", ""},           {"day", "date"},        {"week", "week"},
             {"month", "month"}, {"quarter", "quarter"}, {"year", "year"}};

dsapi_grain_e dsapi_series_grain(const char *word)
{
    for (int i = DSAPI_GRAIN_DAY; i <= DSAPI_GRAIN_YEAR; i++) {
        if (strcmp(word, names[i].word) == 0) {
            return (dsapi_grain_e)i;
        }
    }
    return DSAPI_GRAIN_NONE;
}

const char *dsapi_series_grain_member(dsapi_grain_e grain)
{
    return names[grain].member;
}

static int floor_div(int a, int b)
{
    return a / b - (a % b < 0);
}

int dsapi_series_period_of(dsapi_grain_e grain, int day)
{
    int year;
    int month;
    int unused;

    switch (grain) {
    case DSAPI_GRAIN_NONE:
        return 0;
    case DSAPI_GRAIN_DAY:
        return day;
    case DSAPI_GRAIN_WEEK:
        return floor_div(day + EPOCH_WEEKDAY, 7);
    case DSAPI_GRAIN_MONTH:
    case DSAPI_GRAIN_QUARTER:
    case DSAPI_GRAIN_YEAR:
        break;
    }
    dsapi_base_date_of(&year, &month, &unused, day);
    return grain == DSAPI_GRAIN_YEAR      ? year
           : grain == DSAPI_GRAIN_QUARTER ? year * 4 + (month - 1) / 3
                                          : year * 12 + month - 1;
}

int dsapi_series_period_begin(dsapi_grain_e grain, int period)
{
    switch (grain) {
    case DSAPI_GRAIN_WEEK:
        return period * 7 - EPOCH_WEEKDAY;
    case DSAPI_GRAIN_MONTH:
        return (int)dsapi_base_day_of(
            floor_div(period, 12), period - floor_div(period, 12) * 12 + 1, 1);
    case DSAPI_GRAIN_QUARTER:
        return (int)dsapi_base_day_of(
            floor_div(period, 4), (period - floor_div(period, 4) * 4) * 3 + 1,
            1);
    case DSAPI_GRAIN_YEAR:
        return (int)dsapi_base_day_of(period, 1, 1);
    case DSAPI_GRAIN_NONE:
    case DSAPI_GRAIN_DAY:
        break;
    }
    return period;
}

/* A number of so many digits, with zeros before it. */
static char *put_number(char *out, int digits, int value)
{
    for (int i = digits - 1; i >= 0; i--) {
        out[i] = (char)('0' + (char)(value % 10));
        value /= 10;
    }
    return out + digits;
}

/* A week is of the year that its Thursday is in. */
static char *put_week(char *out, int period)
{
    int thursday = period * 7;
    int year;
    int month;
    int day;

    dsapi_base_date_of(&year, &month, &day, thursday);
    out = put_number(out, 4, year);
    *out++ = '-';
    *out++ = 'W';
    return put_number(out, 2,
                      (thursday - (int)dsapi_base_day_of(year, 1, 1)) / 7 + 1);
}

apr_size_t dsapi_series_period_format(char *out, dsapi_grain_e grain,
                                      int period)
{
    char *p = out;
    int year;
    int month;
    int day;

    if (grain == DSAPI_GRAIN_WEEK) {
        return (apr_size_t)(put_week(out, period) - out);
    }
    dsapi_base_date_of(&year, &month, &day,
                       dsapi_series_period_begin(grain, period));
    p = put_number(p, 4, year);
    if (grain == DSAPI_GRAIN_YEAR) {
        return (apr_size_t)(p - out);
    }
    *p++ = '-';
    if (grain == DSAPI_GRAIN_QUARTER) {
        *p++ = 'Q';
        return (apr_size_t)(put_number(p, 1, (month - 1) / 3 + 1) - out);
    }
    p = put_number(p, 2, month);
    if (grain == DSAPI_GRAIN_DAY) {
        *p++ = '-';
        p = put_number(p, 2, day);
    }
    return (apr_size_t)(p - out);
}
