/* src/time/zones.h: every promise of the header. */
#include "time/zones.h"

#include <apr_strings.h>
#include <stdio.h>
#include <unistd.h>

#include "unit/pg.h"
#include "unit/unit.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define FOLDER   "/usr/share/zoneinfo"

static char g_folder[64]; /* a database or /etc of a test's own */

static dsapi_zones_t *load(const char *folder)
{
    dsapi_zones_t *zones;

    ck_assert_int_eq(dsapi_time_zones_load(&zones, folder, g_pool),
                     APR_SUCCESS);
    return zones;
}

static void run(const char *command)
{
    run_shell(apr_psprintf(g_pool, "cd %s && %s", g_folder, command));
}

static void make_folder(const char *command)
{
    strcpy(g_folder, "/tmp/dsapi-zones-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(g_folder));
    run(command);
}

static void drop_folder(void)
{
    run("rm -r \"$PWD\"");
}

/* What "Z name ..." and "L zone name" declare in the database's source. */
START_TEST(names_are_the_database_s)
{
    const dsapi_zones_t *zones = load(FOLDER);
    FILE *source = fopen(FOLDER "/tzdata.zi", "r");
    char line[512];
    int n = 0;

    ck_assert_ptr_nonnull(source);
    while (fgets(line, sizeof(line), source)) {
        char *last;
        const char *kind = apr_strtok(line, " \n", &last);
        const char *name = kind ? apr_strtok(NULL, " \n", &last) : NULL;
        const dsapi_zone_name_t *zone;

        if (!name || (strcmp(kind, "Z") != 0 && strcmp(kind, "L") != 0)) {
            continue;
        }
        if (*kind == 'L') {
            name = apr_strtok(NULL, " \n", &last);
        }
        zone = dsapi_time_zones_find(zones, name, g_pool);
        ck_assert_msg(zone && strcmp(zone->name, name) == 0, "%s", name);
        n++;
    }
    fclose(source);
    ck_assert_int_eq(n, zones->names->nelts);
    ck_assert_int_eq(zones->damaged->nelts, 0);
    for (int i = 1; i < n; i++) {
        ck_assert_int_lt(
            strcmp(
                APR_ARRAY_IDX(zones->names, i - 1, dsapi_zone_name_t *)->name,
                APR_ARRAY_IDX(zones->names, i, dsapi_zone_name_t *)->name),
            0);
    }
}
END_TEST

START_TEST(case_does_not_count)
{
    const dsapi_zones_t *zones = load(FOLDER);

    ck_assert_str_eq(
        dsapi_time_zones_find(zones, "europe/MADRID", g_pool)->name, "Europe/"
                                                                     "Madrid");
    ck_assert_str_eq(dsapi_time_zones_find(zones, "utc", g_pool)->name, "UTC");
    ck_assert_str_eq(
        dsapi_time_zones_find(zones, "asia/katmandu", g_pool)->name,
        "Asia/Katmandu"); /* a link keeps its own name */
    ck_assert_ptr_eq(
        dsapi_time_zones_find(zones, "Asia/Katmandu", g_pool)->zone,
        dsapi_time_zones_find(zones, "Asia/Kathmandu", g_pool)->zone);
}
END_TEST

START_TEST(what_is_no_name_is_not_found)
{
    static const char *const names[] = {"",
                                        "/",
                                        "Europe",
                                        "Europe/",
                                        "Europe/Madrid/",
                                        "/Europe/Madrid",
                                        "./Europe/Madrid",
                                        "Europe/../Europe/Madrid",
                                        "../../etc/passwd",
                                        "/etc/localtime",
                                        "posix/UTC",
                                        "right/UTC",
                                        "localtime",
                                        "posixrules",
                                        "tzdata.zi",
                                        "zone.tab",
                                        "leapseconds",
                                        "Europe/Madird"};
    const dsapi_zones_t *zones = load(FOLDER);

    for (size_t i = 0; i < COUNT(names); i++) {
        ck_assert_msg(!dsapi_time_zones_find(zones, names[i], g_pool), "%s",
                      names[i]);
    }
}
END_TEST

START_TEST(a_name_that_is_near_is_told)
{
    static const struct {
        const char *given;
        const char *nearest;
    } cases[] = {
        {"Europe/Madird", "Europe/Madrid"},
        {"madrid", "Europe/Madrid"},
        {"Asia/Madrid", "Europe/Madrid"},
        {"America/Newyork", "America/New_York"},
        {"UTCC", "UTC"},
        {"Mars/Olympus", NULL},
        {"", NULL},
    };
    const dsapi_zones_t *zones = load(FOLDER);
    char *longest = apr_pcalloc(g_pool, 100001);

    for (size_t i = 0; i < COUNT(cases); i++) {
        const char *nearest =
            dsapi_time_zones_nearest(zones, cases[i].given, g_pool);

        if (cases[i].nearest) {
            ck_assert_str_eq(nearest, cases[i].nearest);
        }
        else {
            ck_assert_ptr_null(nearest);
        }
    }
    memset(longest, 'x', 100000);
    ck_assert_ptr_null(dsapi_time_zones_nearest(zones, longest, g_pool));
}
END_TEST

START_TEST(a_folder_without_zones_is_an_error)
{
    dsapi_zones_t *zones;

    ck_assert(APR_STATUS_IS_ENOENT(
        dsapi_time_zones_load(&zones, FOLDER "/none", g_pool)));
    ck_assert_ptr_null(zones);
    make_folder("touch empty && cp " FOLDER "/Europe/Madrid Here");
    ck_assert_int_eq(dsapi_time_zones_load(&zones, g_folder, g_pool),
                     DSAPI_ENOTFOUND);
    ck_assert_ptr_null(zones);
    drop_folder();
}
END_TEST

/* Loops of links, files that are no zones, damaged and enormous ones. */
START_TEST(a_folder_may_hold_anything)
{
    const dsapi_zones_t *zones;

    make_folder("cp " FOLDER "/UTC UTC && ln -s UTC Zulu && ln UTC Hard && "
                "mkdir Loop 'a b' && ln -s .. Loop/up && cp UTC 'a b/c' && "
                "echo TZif2 >Damaged && echo x >text && mkfifo fifo && "
                "ln -s nowhere Dangling && cp UTC posixrules && "
                "mkdir -p posix && cp UTC posix/ && cp UTC x.y && "
                "cp UTC big && truncate -s 2M big");
    zones = load(g_folder);
    drop_folder();
    ck_assert_ptr_eq(dsapi_time_zones_find(zones, "zulu", g_pool)->zone,
                     dsapi_time_zones_find(zones, "hard", g_pool)->zone);
    ck_assert_ptr_nonnull(dsapi_time_zones_find(zones, "UTC", g_pool));
    ck_assert_ptr_null(dsapi_time_zones_find(zones, "big", g_pool));
    ck_assert_ptr_null(dsapi_time_zones_find(zones, "x.y", g_pool));
    ck_assert_ptr_null(dsapi_time_zones_find(zones, "a b/c", g_pool));
    ck_assert_ptr_null(dsapi_time_zones_find(zones, "posix/UTC", g_pool));
    ck_assert_ptr_null(dsapi_time_zones_find(zones, "posixrules", g_pool));
    ck_assert_str_eq(APR_ARRAY_IDX(zones->damaged, 0, const char *), "Damaged");
}
END_TEST

/* A case: what makes the folder that stands for /etc. */
static const char *local(const dsapi_zones_t *zones, const char *tz,
                         const char *command)
{
    const dsapi_zone_name_t *zone;

    make_folder(command);
    zone = dsapi_time_zones_local(zones, tz, g_folder, g_pool);
    drop_folder();
    return zone ? zone->name : "none";
}

START_TEST(the_local_zone_is_the_c_library_s)
{
    static const char madrid[] = "ln -s " FOLDER "/Europe/Madrid localtime";
    static const struct {
        const char *tz;
        const char *command;
        const char *name;
    } cases[] = {
        {"Asia/Tokyo", madrid, "Asia/Tokyo"},
        {":Asia/Tokyo", madrid, "Asia/Tokyo"},
        {FOLDER "/Asia/Tokyo", madrid, "Asia/Tokyo"},
        {":" FOLDER "/Asia/Tokyo", madrid, "Asia/Tokyo"},
        {"", madrid, "UTC"},
        {"Mars/Olympus", madrid, "none"},
        {"/nowhere/Asia/Tokyo", madrid, "none"},
        {"CET-1CEST,M3.5.0,M10.5.0/3", madrid, "none"},
        {NULL, madrid, "Europe/Madrid"},
        {NULL, "ln -s ../usr/share/zoneinfo/Asia/Katmandu localtime",
         "Asia/Katmandu"},
        {NULL, "ln -s /nix/store/zoneinfo/Asia/Tokyo localtime", "Asia/Tokyo"},
        {NULL, "ln -s " FOLDER "/posix/Asia/Tokyo localtime", "Asia/Tokyo"},
        {NULL, "ln -s /elsewhere localtime", "UTC"},
        {NULL,
         "cp " FOLDER "/Asia/Tokyo localtime && echo Asia/Tokyo >timezone",
         "Asia/Tokyo"},
        {NULL, "cp " FOLDER "/Asia/Tokyo localtime && echo Japan >timezone",
         "Japan"},
        {NULL, "cp " FOLDER "/Asia/Tokyo localtime && echo Etc/UTC >timezone",
         "Asia/Tokyo"},
        {NULL, "cp " FOLDER "/Asia/Tokyo localtime", "Asia/Tokyo"},
        {NULL, "echo TZif2 >localtime", "none"},
        {NULL, "echo Asia/Tokyo >timezone", "Asia/Tokyo"},
        {NULL, "echo Mars/Olympus >timezone", "none"},
        {NULL, "true", "UTC"},
    };
    const dsapi_zones_t *zones = load(FOLDER);

    for (size_t i = 0; i < COUNT(cases); i++) {
        ck_assert_str_eq(local(zones, cases[i].tz, cases[i].command),
                         cases[i].name);
    }
}
END_TEST

START_TEST(tz_may_name_the_localtime_of_etc)
{
    static const char *const commands[][2] = {
        {"ln -s " FOLDER "/Europe/Madrid localtime", "Europe/Madrid"},
        {"cp " FOLDER "/Asia/Tokyo localtime && echo Japan >timezone", "Japan"},
        {"true", "UTC"}};
    const dsapi_zones_t *zones = load(FOLDER);

    for (size_t i = 0; i < COUNT(commands); i++) {
        const dsapi_zone_name_t *plain;
        const dsapi_zone_name_t *colon;

        make_folder(commands[i][0]);
        plain = dsapi_time_zones_local(
            zones, apr_pstrcat(g_pool, g_folder, "/localtime", NULL), g_folder,
            g_pool);
        colon = dsapi_time_zones_local(
            zones, apr_pstrcat(g_pool, ":", g_folder, "/localtime", NULL),
            g_folder, g_pool);
        drop_folder();
        ck_assert_ptr_nonnull(plain);
        ck_assert_str_eq(plain->name, commands[i][1]);
        ck_assert_ptr_eq(colon, plain);
    }
}
END_TEST

UNIT_SUITE(time_zones, names_are_the_database_s, case_does_not_count,
           what_is_no_name_is_not_found, a_name_that_is_near_is_told,
           a_folder_without_zones_is_an_error, a_folder_may_hold_anything,
           the_local_zone_is_the_c_library_s, tz_may_name_the_localtime_of_etc)
