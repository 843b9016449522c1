/*
 * Counted in years that begin in March, so that a leap day is a year's last,
 * and in eras of 400 years, which all have the same number of days.
 */
#include "base/calendar.h"

#define ERA_YEARS 400
#define ERA_DAYS  146097
#define EPOCH_DAY 719468 /* 1970-01-01, from 0000-03-01 */

apr_int64_t dsapi_base_day_of(int year, int month, int day)
{
    apr_int64_t y = (apr_int64_t)year - (month <= 2);
    apr_int64_t era = (y >= 0 ? y : y - (ERA_YEARS - 1)) / ERA_YEARS;
    apr_int64_t of_era = y - era * ERA_YEARS;
    int of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;

    return era * ERA_DAYS + of_era * 365 + of_era / 4 - of_era / 100 + of_year -
           EPOCH_DAY;
}

void dsapi_base_date_of(int *pyear, int *pmonth, int *pday, apr_int64_t day)
{
    apr_int64_t days = day + EPOCH_DAY;
    apr_int64_t era = (days >= 0 ? days : days - (ERA_DAYS - 1)) / ERA_DAYS;
    int of_era = (int)(days - era * ERA_DAYS);
    int year =
        (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int of_year = of_era - (365 * year + year / 4 - year / 100);
    int month = (5 * of_year + 2) / 153; /* 0: March */

    *pday = of_year - (153 * month + 2) / 5 + 1;
    *pmonth = month < 10 ? month + 3 : month - 9;
    *pyear = (int)(era * ERA_YEARS) + year + (*pmonth <= 2);
}
