/* Days, ISO weeks, months, quarters and years, numbered. */
#ifndef DSAPI_SERIES_GRAIN_H
#define DSAPI_SERIES_GRAIN_H

#include <apr.h>

typedef enum dsapi_grain_e {
    DSAPI_GRAIN_NONE, /* all time is one period, 0 */
    DSAPI_GRAIN_DAY,
    DSAPI_GRAIN_WEEK, /* ISO 8601: from Monday */
    DSAPI_GRAIN_MONTH,
    DSAPI_GRAIN_QUARTER,
    DSAPI_GRAIN_YEAR
} dsapi_grain_e;

/** "2022-06-01" */
#define DSAPI_PERIOD_MAX 10

/** @return the grain of a word ("month"); DSAPI_GRAIN_NONE: it is none */
dsapi_grain_e dsapi_series_grain(const char *word);

/** @return what a row's member is called: "date", "week", "month", "quarter",
 *  "year"; static */
const char *dsapi_series_grain_member(dsapi_grain_e grain);

/**
 * The period that a day is in. Periods follow each other by one.
 * @param day  day 0 is 1970-01-01; of the years 1 to 9999
 */
int dsapi_series_period_of(dsapi_grain_e grain, int day);

/** @return the first day of a period; not of DSAPI_GRAIN_NONE */
int dsapi_series_period_begin(dsapi_grain_e grain, int period);

/**
 * Write a period: 2022-06-01, 2022-W22, 2022-06, 2022-Q2, 2022.
 * @param out  DSAPI_PERIOD_MAX bytes; no NUL is written
 * @return how many bytes it is
 */
apr_size_t dsapi_series_period_format(char *out, dsapi_grain_e grain,
                                      int period);

#endif
