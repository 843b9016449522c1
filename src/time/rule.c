/* TZ strings: see rule.h. */
#include "time/rule.h"

#include <apr_strings.h>

#include "base/calendar.h"

#define DAY_S            86400
#define NAME_MIN_CHARS   3
#define OFFSET_MAX_HOURS 24
#define TIME_MAX_HOURS   167
#define CHANGE_AT_S      7200 /* where a rule's day has no time */

static int is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static int is_letter(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

/* Reading. Each returns what is behind; NULL: wrong, or s is. */

static const char *take_char(const char *s, char c)
{
    return s && *s == c ? s + 1 : NULL;
}

static const char *take_number(int *pvalue, const char *s, int min, int max)
{
    int value = 0;

    if (!s || !is_digit(*s)) {
        return NULL;
    }
    for (; is_digit(*s); s++) {
        value = value * 10 + (*s - '0');
        if (value > max) {
            return NULL;
        }
    }
    *pvalue = value;
    return value >= min ? s : NULL;
}

/* EST or <-03>. */
static const char *take_name(const char **pname, const char *s,
                             apr_pool_t *pool)
{
    int quoted = *s == '<';
    const char *start = s + quoted;
    const char *end = start;

    while (is_letter(*end) ||
           (quoted && (is_digit(*end) || *end == '+' || *end == '-'))) {
        end++;
    }
    if (end - start < NAME_MIN_CHARS || (quoted && *end != '>')) {
        return NULL;
    }
    *pname = apr_pstrmemdup(pool, start, (apr_size_t)(end - start));
    return end + quoted;
}

/* [+-]hh[:mm[:ss]] as seconds. */
static const char *take_time(int *pseconds, const char *s, int max_hours)
{
    int sign = s && *s == '-' ? -1 : 1;
    int part[3] = {0, 0, 0};

    if (s && (*s == '-' || *s == '+')) {
        s++;
    }
    s = take_number(&part[0], s, 0, max_hours);
    for (int i = 1; s && i < 3 && *s == ':'; i++) {
        s = take_number(&part[i], s + 1, 0, 59);
    }
    *pseconds = sign * (part[0] * 3600 + part[1] * 60 + part[2]);
    return s;
}

/* ,Mm.w.d[/time] and its kin. */
static const char *take_day(dsapi_rule_day_t *day, const char *s)
{
    s = take_char(s, ',');
    if (!s) {
        return NULL;
    }
    day->time_s = CHANGE_AT_S;
    if (*s == 'M') {
        day->form = 'M';
        s = take_char(take_number(&day->month, s + 1, 1, 12), '.');
        s = take_char(take_number(&day->week, s, 1, 5), '.');
        s = take_number(&day->day, s, 0, 6);
    }
    else if (*s == 'J') {
        day->form = 'J';
        s = take_number(&day->day, s + 1, 1, 365);
    }
    else {
        day->form = 'N';
        s = take_number(&day->day, s, 0, 365);
    }
    return s && *s == '/' ? take_time(&day->time_s, s + 1, TIME_MAX_HOURS) : s;
}

apr_status_t dsapi_time_rule_parse(dsapi_rule_t *prule, const char *text,
                                   apr_pool_t *pool)
{
    dsapi_rule_t rule = {0};
    const char *s = take_name(&rule.standard.abbreviation, text, pool);
    int west_s;

    s = take_time(&west_s, s, OFFSET_MAX_HOURS);
    rule.standard.offset_s = -west_s;
    if (s && *s) {
        rule.has_daylight = 1;
        rule.daylight.dst = 1;
        rule.daylight.offset_s = rule.standard.offset_s + 3600;
        s = take_name(&rule.daylight.abbreviation, s, pool);
        if (s && *s != ',') {
            s = take_time(&west_s, s, OFFSET_MAX_HOURS);
            rule.daylight.offset_s = -west_s;
        }
        s = take_day(&rule.end, take_day(&rule.start, s));
    }
    if (!s || *s) {
        return DSAPI_ESYNTAX;
    }
    *prule = rule;
    return APR_SUCCESS;
}

/* Reckoning */

/* The day that a rule means in a year. */
static apr_int64_t day_in_year(const dsapi_rule_day_t *rule, int year)
{
    apr_int64_t first;
    apr_int64_t day;
    int weekday;

    if (rule->form == 'N') {
        return dsapi_base_day_of(year, 1, 1) + rule->day;
    }
    if (rule->form == 'J') { /* counted from 1 March where that is behind */
        return rule->day < 60 ? dsapi_base_day_of(year, 1, 1) + rule->day - 1
                              : dsapi_base_day_of(year, 3, 1) + rule->day - 60;
    }
    first = dsapi_base_day_of(year, rule->month, 1);
    weekday = (int)((first % 7 + 7 + 4) % 7); /* day 0 was a Thursday */
    day = first + (rule->day - weekday + 7) % 7;
    day += APR_INT64_C(7) * (rule->week - 1);
    if (rule->week == 5 &&
        day >= (rule->month == 12
                    ? dsapi_base_day_of(year + 1, 1, 1)
                    : dsapi_base_day_of(year, rule->month + 1, 1))) {
        day -= 7;
    }
    return day;
}

/* When a rule's day is reached by a clock that is so far ahead of UTC. */
static apr_int64_t instant_of(const dsapi_rule_day_t *rule, int year,
                              const dsapi_clock_t *clock)
{
    return day_in_year(rule, year) * DAY_S + rule->time_s - clock->offset_s;
}

const dsapi_clock_t *dsapi_time_rule_at(const dsapi_rule_t *rule,
                                        apr_int64_t seconds)
{
    const dsapi_clock_t *clock = &rule->standard;
    apr_int64_t last = APR_INT64_MIN;
    int year;
    int month;
    int day;

    if (!rule->has_daylight) {
        return clock;
    }
    dsapi_base_date_of(&year, &month, &day, seconds / DAY_S);
    /* The last change up to now. A time of day may move one into the year
     * before or behind; of two at once, the later year's counts. */
    for (int y = year - 1; y <= year + 1; y++) {
        apr_int64_t start = instant_of(&rule->start, y, &rule->standard);
        apr_int64_t end = instant_of(&rule->end, y, &rule->daylight);

        if (start <= seconds && start >= last) {
            last = start;
            clock = &rule->daylight;
        }
        if (end <= seconds && end >= last) {
            last = end;
            clock = &rule->standard;
        }
    }
    return clock;
}
