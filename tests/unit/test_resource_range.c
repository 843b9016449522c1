/* src/resource/range.h: every promise of the header. */
#include "resource/range.h"

#include <apr_strings.h>

#include "unit/ast.h"
#include "unit/unit.h"

static const char *ranged(const char *query, const char *header)
{
    dsapi_res_query_t *parsed;
    dsapi_err_t *err;

    ck_assert_int_eq(
        dsapi_resource_parse(&parsed, &err, "t", ast_pairs(query), g_pool),
        APR_SUCCESS);
    if (dsapi_resource_range(parsed, &err, header, g_pool) != APR_SUCCESS) {
        ck_assert_int_eq(err->http, 416);
        return ast_error(err);
    }
    return apr_psprintf(g_pool, "%" APR_INT64_T_FMT "+%" APR_INT64_T_FMT "%s",
                        parsed->root->offset, parsed->root->limit,
                        parsed->ranged ? " ranged" : "");
}

START_TEST(ranges_meet)
{
    static const char *const cases[][3] = {
        {"", NULL, "0+-1"},
        {"", "0-9", "0+10 ranged"},
        {"", "5-", "5+-1 ranged"},
        {"", "5-5", "5+1 ranged"},
        {"limit=3", "5-",
         "PGRST103: Requested range not satisfiable; \"Limit "
         "should be greater than or equal to zero.\""},
        {"limit=3&offset=4", "5-", "5+2 ranged"},
        {"limit=30", "5-9", "5+5 ranged"},
        {"offset=7", "5-9", "7+3 ranged"},
        {"limit=0", "5-9", "0+0 ranged"},
        {"", "9-5",
         "PGRST103: Requested range not satisfiable; \"The lower "
         "boundary must be lower than or equal to the upper "
         "boundary in the Range header.\""},
        {"", "bytes=0-9", "0+-1"},
        {"", "-5", "0+-1"},
        {"", "x-5", "0+-1"},
        {"", "5-x", "0+-1"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        ck_assert_str_eq(ranged(cases[i][0], cases[i][1]), cases[i][2]);
    }
}
END_TEST

START_TEST(what_is_told)
{
    static const struct {
        const char *header;
        int lower, nrows, total;
        int http;
    } cases[] = {
        {"0-9/*", 0, 10, -1, 200}, {"0-9/10", 0, 10, 10, 200},
        {"5-6/10", 5, 2, 10, 206}, {"*/0", 0, 0, 0, 200},
        {"*/*", 0, 0, -1, 200},    {"*/10", 10, 0, 10, 206},
        {"*/10", 11, 0, 10, 416},  {"*/3", 0, 0, 3, 206},
        {"9-9/10", 9, 1, 10, 206},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        dsapi_err_t *err;
        int http = 0;
        apr_status_t rv =
            dsapi_resource_range_status(&http, &err, cases[i].lower,
                                        cases[i].nrows, cases[i].total, g_pool);

        ck_assert_str_eq(dsapi_resource_content_range(cases[i].lower,
                                                      cases[i].nrows,
                                                      cases[i].total, g_pool),
                         cases[i].header);
        ck_assert_int_eq(rv == APR_SUCCESS ? http : err->http, cases[i].http);
        if (cases[i].http == 416) {
            ck_assert_str_eq(ast_error(err), "PGRST103: Requested range not "
                                             "satisfiable; \"An "
                                             "offset of 11 was requested, but "
                                             "there are only "
                                             "10 rows.\"");
        }
    }
}
END_TEST

UNIT_SUITE(resource_range, ranges_meet, what_is_told)
