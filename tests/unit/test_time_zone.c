/*
 * src/time/zone.h: every promise of the header. The oracle is the C library
 * with TZ set, for every zone of this machine's database.
 */
#include "time/zone.h"

#include <apr_strings.h>
#include <time.h>

#include "time/zones.h"
#include "unit/pg.h"
#include "unit/unit.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define FOLDER   "/usr/share/zoneinfo"
#define FROM     APR_INT64_C(-2208988800) /* 1900 */
#define TO       APR_INT64_C(4133980800)  /* 2101 */

static apr_uint64_t state = 88172645463325252ULL;

static apr_uint64_t random_number(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

static void check_at(const dsapi_zone_t *zone, const char *name,
                     apr_int64_t seconds)
{
    const dsapi_clock_t *clock = dsapi_time_zone_at(zone, seconds);
    time_t t = (time_t)seconds;
    struct tm tm;

    localtime_r(&t, &tm);
    ck_assert_msg(clock->offset_s == tm.tm_gmtoff &&
                      clock->dst == (tm.tm_isdst > 0) &&
                      strcmp(clock->abbreviation, tm.tm_zone) == 0,
                  "%s at %" APR_INT64_T_FMT ": %d %s %d, not %ld %s %d", name,
                  seconds, clock->offset_s, clock->abbreviation, clock->dst,
                  tm.tm_gmtoff, tm.tm_zone, tm.tm_isdst);
}

/* Every change that a step of ten days shows, to the second.
 * @return how many */
static int check_changes(const dsapi_zone_t *zone, const char *name)
{
    const apr_int64_t step = 864000; /* ten days */
    int changes = 0;

    for (apr_int64_t t = FROM; t < TO; t += step) {
        const dsapi_clock_t *before = dsapi_time_zone_at(zone, t);
        apr_int64_t low = t;
        apr_int64_t high = t + step;

        if (before == dsapi_time_zone_at(zone, high)) {
            continue;
        }
        while (high - low > 1) {
            apr_int64_t middle = low + (high - low) / 2;

            if (dsapi_time_zone_at(zone, middle) == before) {
                low = middle;
            }
            else {
                high = middle;
            }
        }
        check_at(zone, name, low - 1);
        check_at(zone, name, low);
        check_at(zone, name, high);
        check_at(zone, name, high + 1);
        changes++;
    }
    return changes;
}

static int check_zones(const char *folder, int instants)
{
    dsapi_zones_t *zones;
    int changes = 0;

    ck_assert_int_eq(dsapi_time_zones_load(&zones, folder, g_pool),
                     APR_SUCCESS);
    ck_assert_int_gt(zones->names->nelts, 400);
    for (int i = 0; i < zones->names->nelts; i++) {
        const dsapi_zone_name_t *zone =
            APR_ARRAY_IDX(zones->names, i, const dsapi_zone_name_t *);

        setenv("TZ", apr_pstrcat(g_pool, folder, "/", zone->name, NULL), 1);
        tzset();
        changes += check_changes(zone->zone, zone->name);
        for (int j = 0; j < instants; j++) {
            check_at(zone->zone, zone->name,
                     FROM + (apr_int64_t)(random_number() %
                                          (apr_uint64_t)(TO - FROM)));
        }
    }
    return changes;
}

START_TEST(every_zone_gives_the_clocks_of_the_c_library)
{
    ck_assert_int_gt(check_zones(FOLDER, 500), 50000);
}
END_TEST

/* The same database, compiled with as few changes as its rules allow. */
START_TEST(slim_files_give_the_same_clocks)
{
    char folder[] = "/tmp/dsapi-zones-XXXXXX";

    ck_assert_ptr_nonnull(mkdtemp(folder));
    run_shell(apr_pstrcat(g_pool, "PATH=$PATH:/usr/sbin zic -b slim -d ",
                          folder, " " FOLDER "/tzdata.zi", NULL));
    ck_assert_int_gt(check_zones(folder, 200), 50000);
    run_shell(apr_pstrcat(g_pool, "rm -r ", folder, NULL));
}
END_TEST

static const dsapi_zone_t *zone_of(const char *name)
{
    static dsapi_zones_t *zones;

    if (!zones) {
        ck_assert_int_eq(dsapi_time_zones_load(&zones, FOLDER, g_pool),
                         APR_SUCCESS);
    }
    return dsapi_time_zones_find(zones, name, g_pool)->zone;
}

static const char *written(const char *name, apr_time_t instant)
{
    dsapi_buf_t *buf = dsapi_buf_make(0, g_pool);

    dsapi_time_zone_write(buf, name, zone_of(name), instant);
    return dsapi_buf_str(buf);
}

START_TEST(an_instant_is_written)
{
    static const struct {
        const char *zone;
        apr_time_t instant;
        const char *json;
    } cases[] = {
        {"Europe/Madrid", 1795172400123456,
         "{\"time\":\"2026-11-20T12:00:00.123456+01:00\",\"timezone\":"
         "\"Europe/Madrid\",\"abbreviation\":\"CET\",\"offset\":\"+01:00\","
         "\"epoch\":1795172400.123456,\"dst\":false}"},
        {"Europe/Madrid", 1711848600000000,
         "{\"time\":\"2024-03-31T03:30:00.000000+02:00\",\"timezone\":"
         "\"Europe/Madrid\",\"abbreviation\":\"CEST\",\"offset\":\"+02:00\","
         "\"epoch\":1711848600.000000,\"dst\":true}"},
        {"UTC", 0,
         "{\"time\":\"1970-01-01T00:00:00.000000+00:00\",\"timezone\":"
         "\"UTC\",\"abbreviation\":\"UTC\",\"offset\":\"+00:00\","
         "\"epoch\":0.000000,\"dst\":false}"},
        {"UTC", -1,
         "{\"time\":\"1969-12-31T23:59:59.999999+00:00\",\"timezone\":"
         "\"UTC\",\"abbreviation\":\"UTC\",\"offset\":\"+00:00\","
         "\"epoch\":-0.000001,\"dst\":false}"},
        {"Europe/London", -2208988800500000,
         "{\"time\":\"1899-12-31T23:59:59.500000+00:00\",\"timezone\":"
         "\"Europe/London\",\"abbreviation\":\"GMT\",\"offset\":\"+00:00\","
         "\"epoch\":-2208988800.500000,\"dst\":false}"},
        {"America/New_York", -2840140800000000,
         "{\"time\":\"1879-12-31T19:03:58.000000-04:56:02\",\"timezone\":"
         "\"America/New_York\",\"abbreviation\":\"LMT\",\"offset\":"
         "\"-04:56:02\",\"epoch\":-2840140800.000000,\"dst\":false}"},
        {"Asia/Kathmandu", 1700000000000007,
         "{\"time\":\"2023-11-15T03:58:20.000007+05:45\",\"timezone\":"
         "\"Asia/Kathmandu\",\"abbreviation\":\"+0545\",\"offset\":"
         "\"+05:45\",\"epoch\":1700000000.000007,\"dst\":false}"},
        {"Europe/Dublin", 1700000000000000,
         "{\"time\":\"2023-11-14T22:13:20.000000+00:00\",\"timezone\":"
         "\"Europe/Dublin\",\"abbreviation\":\"GMT\",\"offset\":"
         "\"+00:00\",\"epoch\":1700000000.000000,\"dst\":true}"},
        {"Asia/Tokyo", 253402300799999999,
         "{\"time\":\"10000-01-01T08:59:59.999999+09:00\",\"timezone\":"
         "\"Asia/Tokyo\",\"abbreviation\":\"JST\",\"offset\":"
         "\"+09:00\",\"epoch\":253402300799.999999,\"dst\":false}"},
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        ck_assert_str_eq(written(cases[i].zone, cases[i].instant),
                         cases[i].json);
    }
}
END_TEST

/* A zone file of one clock. */
static char *whole_file(apr_size_t *plen)
{
    static const char bytes[] = "TZif2\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
                                "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1\0\0\0"
                                "\4"
                                "\0\0\0\0\0\0UTC\0"
                                "TZif2\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
                                "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1\0\0\0\1\0\0\0"
                                "\4"
                                "\0\0\0\0\0\0\0\5\0"
                                "\0\0\x0e\x10\0\0CET\0"
                                "\nCET-1\n";

    *plen = sizeof(bytes) - 1;
    return apr_pmemdup(g_pool, bytes, *plen);
}

START_TEST(a_damaged_file_is_refused)
{
    apr_size_t len;
    const char *whole = whole_file(&len);
    dsapi_zone_t *zone;

    ck_assert_int_eq(dsapi_time_zone_parse(&zone, whole, len, g_pool),
                     APR_SUCCESS);
    ck_assert_int_eq(dsapi_time_zone_at(zone, 5)->offset_s, 3600);
    ck_assert_str_eq(dsapi_time_zone_at(zone, 4)->abbreviation, "CET");
    for (apr_size_t cut = 0; cut < len; cut++) { /* freshly made: no slack */
        char *part = malloc(cut ? cut : 1);

        memcpy(part, whole, cut);
        ck_assert_int_eq(dsapi_time_zone_parse(&zone, part, cut, g_pool),
                         DSAPI_ESYNTAX);
        ck_assert_ptr_null(zone);
        free(part);
    }
}
END_TEST

/* One byte changed at a time: an answer, or a refusal, and nothing else. */
START_TEST(no_byte_leads_astray)
{
    static const unsigned char values[] = {0, 1, 2, 6, 127, 128, 255};
    apr_size_t len;
    char *whole = whole_file(&len);

    for (apr_size_t at = 0; at < len; at++) {
        for (size_t i = 0; i < COUNT(values); i++) {
            char *part = malloc(len);
            dsapi_zone_t *zone;

            memcpy(part, whole, len);
            part[at] = (char)values[i];
            if (dsapi_time_zone_parse(&zone, part, len, g_pool) ==
                APR_SUCCESS) {
                ck_assert_ptr_nonnull(dsapi_time_zone_at(zone, 0));
                ck_assert_ptr_nonnull(dsapi_time_zone_at(zone, TO));
            }
            free(part);
        }
    }
}
END_TEST

/* One leap second, in the file's second block and in the count of them. */
START_TEST(files_with_leap_seconds_are_refused)
{
    const apr_size_t second = 54; /* the header of that block */
    const apr_size_t footer = 117;
    apr_size_t len;
    const char *whole = whole_file(&len);
    char *leap = apr_pcalloc(g_pool, len + 12);
    dsapi_zone_t *zone;

    ck_assert_int_eq(whole[footer], '\n');
    memcpy(leap, whole, footer);
    memcpy(leap + footer + 12, whole + footer, len - footer);
    ck_assert_int_eq(dsapi_time_zone_parse(&zone, leap, len + 12, g_pool),
                     DSAPI_ESYNTAX); /* not where it belongs */
    leap[second + 31] = 1;
    ck_assert_int_eq(dsapi_time_zone_parse(&zone, leap, len + 12, g_pool),
                     DSAPI_ESYNTAX);
}
END_TEST

UNIT_SUITE(time_zone, every_zone_gives_the_clocks_of_the_c_library,
           slim_files_give_the_same_clocks, an_instant_is_written,
           a_damaged_file_is_refused, no_byte_leads_astray,
           files_with_leap_seconds_are_refused)
