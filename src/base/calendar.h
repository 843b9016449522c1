/*
 * Days and dates of the proleptic Gregorian calendar. Day 0 is 1970-01-01.
 */
#ifndef DSAPI_BASE_CALENDAR_H
#define DSAPI_BASE_CALENDAR_H

#include <apr.h>

/** @return the day of a date. Any year; month 1..12; day 1..31 */
apr_int64_t dsapi_base_day_of(int year, int month, int day);

/**
 * The date of a day.
 * @param day  within some two million years of 1970
 */
void dsapi_base_date_of(int *pyear, int *pmonth, int *pday, apr_int64_t day);

#endif
