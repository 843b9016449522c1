/* src/time/rule.h: every promise of the header. The oracle is the C
 * library with the rule as its TZ. */
#include "time/rule.h"

#include <apr_strings.h>
#include <time.h>

#include "unit/unit.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const char *const rules[] = {
    "UTC0",
    "CET-1CEST,M3.5.0,M10.5.0/3",
    "EST5EDT,M3.2.0,M11.1.0",
    "NZST-12NZDT,M9.5.0,M4.1.0/3",
    "<+0330>-3:30",
    "<-03>3",
    "<+0545>-5:45",
    "IST-1GMT0,M10.5.0,M3.5.0/1",                   /* Dublin */
    "<-02>2<-01>,M3.5.0/-1,M10.5.0/0",              /* Nuuk */
    "EET-2EEST,M3.4.4/50,M10.4.4/50",               /* Gaza */
    "IST-2IDT,M3.4.4/26,M10.5.0",                   /* Jerusalem */
    "<+1030>-10:30<+11>-11,M10.1.0,M4.1.0",         /* Lord Howe */
    "<+1245>-12:45<+1345>,M9.5.0/2:45,M4.1.0/3:45", /* Chatham */
    "<-04>4<-03>,M9.1.6/24,M4.1.6/24",              /* Santiago */
    "EET-2EEST,M4.5.5/0,M10.5.4/24",                /* Cairo */
    "AAA3BBB,J60/0,J300",
    "AAA3BBB,59/0,299/1:02:03",
    "AAA-3:04:05BBB,J10/-167,J355/167",
};

/* What the C library shows. */
static void libc_at(struct tm *tm, const char *tz, apr_int64_t seconds)
{
    time_t t = (time_t)seconds;

    setenv("TZ", tz, 1);
    tzset();
    localtime_r(&t, tm);
}

static void check_at(const dsapi_rule_t *rule, const char *text,
                     apr_int64_t seconds)
{
    const dsapi_clock_t *clock = dsapi_time_rule_at(rule, seconds);
    struct tm tm;

    libc_at(&tm, text, seconds);
    ck_assert_msg(clock->offset_s == tm.tm_gmtoff &&
                      clock->dst == (tm.tm_isdst > 0) &&
                      strcmp(clock->abbreviation, tm.tm_zone) == 0,
                  "%s at %" APR_INT64_T_FMT ": %d %s %d, not %ld %s %d", text,
                  seconds, clock->offset_s, clock->abbreviation, clock->dst,
                  tm.tm_gmtoff, tm.tm_zone, tm.tm_isdst);
}

START_TEST(rules_give_the_clocks_of_the_c_library)
{
    for (size_t i = 0; i < COUNT(rules); i++) {
        const dsapi_clock_t *before = NULL;
        dsapi_rule_t rule;

        ck_assert_int_eq(dsapi_time_rule_parse(&rule, rules[i], g_pool),
                         APR_SUCCESS);
        for (int year = 1; year < 131; year += 1) {
            apr_int64_t start = (apr_int64_t)year * 31556952;

            for (apr_int64_t t = start; t < start + 31556952; t += 86400 / 5) {
                const dsapi_clock_t *clock = dsapi_time_rule_at(&rule, t);

                if (clock != before) {
                    check_at(&rule, rules[i], t);
                }
                before = clock;
            }
            check_at(&rule, rules[i], start);
            check_at(&rule, rules[i], start + 15000000);
        }
    }
}
END_TEST

/* The C library reckons only from 1970; the calendar repeats itself after 400
 * years of 20,871 weeks. */
START_TEST(rules_hold_before_1970)
{
    const apr_int64_t again = APR_INT64_C(146097) * 86400;

    for (size_t i = 0; i < COUNT(rules); i++) {
        dsapi_rule_t rule;

        dsapi_time_rule_parse(&rule, rules[i], g_pool);
        for (apr_int64_t t = -2208988800; t < 34560000; t += 9973) {
            ck_assert_ptr_eq(dsapi_time_rule_at(&rule, t),
                             dsapi_time_rule_at(&rule, t + again));
            ck_assert_ptr_eq(dsapi_time_rule_at(&rule, t - 6 * again),
                             dsapi_time_rule_at(&rule, t + again));
        }
    }
}
END_TEST

/* The second before a change, and the change. */
START_TEST(changes_are_on_the_second)
{
    for (size_t i = 0; i < COUNT(rules); i++) {
        dsapi_rule_t rule;
        int changes = 0;

        dsapi_time_rule_parse(&rule, rules[i], g_pool);
        for (apr_int64_t t = 1893456000; t < 2524608000; t += 43200) {
            apr_int64_t low = t;
            apr_int64_t high = t + 43200;
            const dsapi_clock_t *before = dsapi_time_rule_at(&rule, low);

            if (before == dsapi_time_rule_at(&rule, high)) {
                continue;
            }
            while (high - low > 1) {
                apr_int64_t middle = low + (high - low) / 2;

                if (dsapi_time_rule_at(&rule, middle) == before) {
                    low = middle;
                }
                else {
                    high = middle;
                }
            }
            check_at(&rule, rules[i], low);
            check_at(&rule, rules[i], high);
            changes++;
        }
        ck_assert_int_ge(changes, rule.has_daylight ? 30 : 0);
    }
}
END_TEST

START_TEST(daylight_may_last_the_whole_year)
{
    static const apr_int64_t at[] = {0,          31535999,   31536000,
                                     1893455999, 1893456000, 1893474000,
                                     1893466800, 1900000000};
    dsapi_rule_t rule;

    ck_assert_int_eq(
        dsapi_time_rule_parse(&rule, "XXX3EDT4,0/0,J365/23", g_pool),
        APR_SUCCESS);
    for (size_t i = 0; i < COUNT(at); i++) {
        const dsapi_clock_t *clock = dsapi_time_rule_at(&rule, at[i]);

        ck_assert_str_eq(clock->abbreviation, "EDT");
        ck_assert_int_eq(clock->offset_s, -14400);
        ck_assert_int_eq(clock->dst, 1);
    }
}
END_TEST

START_TEST(what_is_no_rule_is_refused)
{
    static const char *const bad[] = {
        "",
        "U0",
        "UT0",
        "UTC",
        "UTC+",
        "UTC0 ",
        "UTC25",
        "UTC0:60",
        "UTC99999999999999999999",
        "<+3>-3",
        "<+03-3",
        "<+03.5>-3",
        ":UTC0",
        "CET-1CEST",
        "CET-1CEST,",
        "CET-1CEST,M3.5.0",
        "CET-1CEST,M3.5.0,",
        "CET-1CEST,M3.5.0,M10.5.0/",
        "CET-1CEST,M3.5.0,M10.5.0/168",
        "CET-1CEST,M3.5.0,M10.5.0,M1.1.1",
        "CET-1CEST,M0.5.0,M10.5.0",
        "CET-1CEST,M13.5.0,M10.5.0",
        "CET-1CEST,M3.6.0,M10.5.0",
        "CET-1CEST,M3.0.0,M10.5.0",
        "CET-1CEST,M3.5.7,M10.5.0",
        "CET-1CEST,J0,J365",
        "CET-1CEST,J1,J366",
        "CET-1CEST,-1,365",
        "CET-1CEST,0,366",
        "CET-1CE,0,1",
    };
    dsapi_rule_t rule = {0};

    for (size_t i = 0; i < COUNT(bad); i++) {
        ck_assert_msg(dsapi_time_rule_parse(&rule, bad[i], g_pool) ==
                          DSAPI_ESYNTAX,
                      "%s", bad[i]);
        ck_assert_ptr_null(rule.standard.abbreviation);
    }
}
END_TEST

START_TEST(abbreviations_are_in_the_pool)
{
    char *text = apr_pstrdup(g_scratch, "<+0330>-3:30ABC,0,1");
    dsapi_rule_t rule;

    ck_assert_int_eq(dsapi_time_rule_parse(&rule, text, g_pool), APR_SUCCESS);
    memset(text, 'x', 12);
    apr_pool_destroy(g_scratch);
    ck_assert_str_eq(rule.standard.abbreviation, "+0330");
    ck_assert_str_eq(rule.daylight.abbreviation, "ABC");
    ck_assert_int_eq(rule.daylight.offset_s, 16200);
}
END_TEST

UNIT_SUITE(time_rule, rules_give_the_clocks_of_the_c_library,
           rules_hold_before_1970, changes_are_on_the_second,
           daylight_may_last_the_whole_year, what_is_no_rule_is_refused,
           abbreviations_are_in_the_pool)
