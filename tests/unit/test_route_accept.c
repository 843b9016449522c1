/* src/route/accept.h: every promise of the header. */
#include "route/accept.h"

#include "unit/unit.h"

START_TEST(the_best_format_is_chosen)
{
    static const struct {
        const char *accept;
        int table;
        int format;
    } cases[] = {
        {NULL, 1, DSAPI_FORMAT_JSON},
        {"", 1, DSAPI_FORMAT_JSON},
        {"  ", 1, DSAPI_FORMAT_JSON},
        {"*/*", 1, DSAPI_FORMAT_JSON},
        {"application/*", 1, DSAPI_FORMAT_JSON},
        {"application/json", 1, DSAPI_FORMAT_JSON},
        {"APPLICATION/JSON; charset=utf-8", 1, DSAPI_FORMAT_JSON},
        {"text/csv", 1, DSAPI_FORMAT_CSV},
        {"text/csv; header=present", 1, DSAPI_FORMAT_CSV},
        {"text/*", 1, DSAPI_FORMAT_CSV},
        {"text/csv, application/json", 1, DSAPI_FORMAT_JSON},
        {"text/csv, application/json;q=0.9", 1, DSAPI_FORMAT_CSV},
        {"text/csv;q=0.5, */*;q=0.1", 1, DSAPI_FORMAT_CSV},
        {"text/csv;q=0.1, */*;q=0.5", 1, DSAPI_FORMAT_JSON},
        {"application/x-ndjson", 1, DSAPI_FORMAT_NDJSON},
        {"application/ndjson", 1, DSAPI_FORMAT_NDJSON},
        {"application/json;q=0, */*", 1, DSAPI_FORMAT_CSV},
        {"text/html,application/xhtml+xml,*/*;q=0.8", 1, DSAPI_FORMAT_JSON},
        {"application/json;q=0.333, text/csv;q=0.334", 1, DSAPI_FORMAT_CSV},
        {"application/problem+json", 1, -1},
        {"text/csv", 0, -1},
        {"text/html", 1, -1},
        {"application/json;q=0", 1, -1},
        {"text/csv;q=0", 1, -1},
        {"application/jsonx", 1, -1},
        {"application/json;q=x", 1, DSAPI_FORMAT_JSON},
        {",,text/csv", 1, DSAPI_FORMAT_CSV},
        {"text/csv;", 1, DSAPI_FORMAT_CSV},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        ck_assert_msg(dsapi_route_accept(cases[i].accept, cases[i].table) ==
                          cases[i].format,
                      "case %zu: %s", i,
                      cases[i].accept ? cases[i].accept : "(none)");
    }
}
END_TEST

START_TEST(a_type_is_accepted_by_its_name)
{
    static const struct {
        const char *accept;
        int accepted;
    } cases[] = {
        {NULL, 0},
        {"*/*", 0},
        {"application/*", 0},
        {"application/vnd.x+json", 1},
        {"application/vnd.x+json, application/json", 1},
        {"application/vnd.x+json;q=0.5, application/json", 0},
        {"application/json;q=0.5, Application/VND.x+json;a=b", 1},
        {"application/vnd.x+json;q=0", 0},
        {"application/vnd.x+json; nulls=stripped", 2},
        {"text/csv;nulls=stripped, application/vnd.x+json", 1},
        {"application/vnd.x+json;nulls=stripped;q=0", 0},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        ck_assert_int_eq(dsapi_route_accepts(cases[i].accept, "application/"
                                                              "vnd.x+json"),
                         cases[i].accepted);
    }
}
END_TEST

UNIT_SUITE(route_accept, the_best_format_is_chosen,
           a_type_is_accepted_by_its_name)
