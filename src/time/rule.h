/*
 * The rule that ends a zone file: a TZ string (POSIX, with what RFC 9636
 * adds: <+03> as a name, times of day from -167 to 167 hours). It says what
 * a zone's clocks do from the file's last change on, for ever.
 */
#ifndef DSAPI_TIME_RULE_H
#define DSAPI_TIME_RULE_H

#include <apr_pools.h>

#include "base/error.h"

/** How a zone's clocks stand for a while. */
typedef struct dsapi_clock_t {
    int offset_s; /* ahead of UTC */
    int dst;      /* 1: the zone's data calls it daylight-saving time */
    const char *abbreviation; /* letters, digits, '+', '-' */
} dsapi_clock_t;

/** A day of every year, and a time on it. */
typedef struct dsapi_rule_day_t {
    char form; /* 'J': day 1..365, never 29 February; 'N': day 0..365;
                  'M': weekday of a month */
    int month;
    int week; /* 1..5; 5: the last */
    int day;  /* of the year, or of the week (0: Sunday) */
    int time_s;
} dsapi_rule_day_t;

/** Read-only once it is made, so threads may share it. */
typedef struct dsapi_rule_t {
    dsapi_clock_t standard;
    dsapi_clock_t daylight;
    int has_daylight;
    dsapi_rule_day_t start; /* of daylight, on the standard clock */
    dsapi_rule_day_t end;   /* on the daylight clock */
} dsapi_rule_t;

/**
 * Read a rule.
 * @param prule  out: filled on success; its abbreviations are in pool
 * @param text   NUL-terminated
 * @return APR_SUCCESS; DSAPI_ESYNTAX
 */
apr_status_t dsapi_time_rule_parse(dsapi_rule_t *prule, const char *text,
                                   apr_pool_t *pool);

/**
 * @param seconds  since 1970-01-01T00:00:00Z, within 100,000 years of it
 * @return how the clocks stand then; lives as long as the rule
 */
const dsapi_clock_t *dsapi_time_rule_at(const dsapi_rule_t *rule,
                                        apr_int64_t seconds);

#endif
