/* src/resource/query.h: parameters, and the nodes they belong to. */
#include <apr_strings.h>

#include "resource/problem.h"
#include "unit/ast.h"
#include "unit/unit.h"

static const char *const cases[][2] = {
    {"limit=5&offset=10", "t{* 10+5}"},
    {"limit=0", "t{* 0+0}"},
    {"limit=x&offset=y", "t{*}"},
    {"offset=-3", "t{*}"},
    {"limit=-1", "PGRST103: Requested range not satisfiable; \"Limit should be "
                 "greater than or equal to zero.\""},
    {"select=*,v(*)&v.id=eq.1&v.order=a.desc&v.limit=2&v.offset=1", "t{*, v{* "
                                                                    "if id op0 "
                                                                    "'1' by a "
                                                                    "DESC "
                                                                    "1+2}}"},
    {"select=*,x:v(*)&x.id=eq.1", "t{*, v{* if id op0 '1'} AS x}"},
    {"select=*,x:v(*)&v.id=eq.1", "t{*, v{* if id op0 '1'} AS x}"},
    {"select=x:v(*),v(*)&v.id=eq.1", "t{v{*} AS x, v{* if id op0 '1'}}"},
    {"select=v(w(*))&v.w.or=(a.eq.1)&v.w.not.and=(b.eq.2)", "t{v{w{* if or(a "
                                                            "op0 '1') & NOT "
                                                            "and(b op0 "
                                                            "'2')}}}"},
    {"columns=a,\"b c\"&on_conflict= x , y", "t{*} columns a,b c conflict x,y"},
    {"select=a&select=b", "t{a}"},
    {"v.id=eq.1", "PGRST108: 'v' is not an embedded resource in this request; "
                  "Verify that 'v' is included in the 'select' query "
                  "parameter."},
    {"select=v(*)&v.w.order=a", "PGRST108: 'w' is not an embedded resource in "
                                "this request; Verify that "
                                "'w' is included in the 'select' query "
                                "parameter."},
    {"v.limit=1", "PGRST108: 'v' is not an embedded resource in this request; "
                  "Verify that 'v' is included in the 'select' query "
                  "parameter."},
    {"v.or=(a.eq.1)", "PGRST108: 'v' is not an embedded resource in this "
                      "request; Verify that 'v' is included in the 'select' "
                      "query parameter."},
    {"columns=", "PGRST100: \"failed to parse columns parameter ()\" (line 1, "
                 "column 1); \"unexpected end of input expecting field name (* "
                 "or [a..z0..9_$])\""},
    {"on_conflict=a)", "PGRST100: \"failed to parse on_conflict parameter "
                       "(a))\" (line 1, column 2); \"unexpected \\\")\\\" "
                       "expecting \\\",\\\" or end of input\""},
    {"a)=eq.1", "PGRST100: \"failed to parse tree path (a))\" (line 1, column "
                "2); \"unexpected \\\")\\\" expecting \\\"->>\\\", \\\"->\\\", "
                "delimiter (.) or end of input\""},
    {"foo=bar", "PGRST100: \"failed to parse filter (bar)\" (line 1, column "
                "1); \"unexpected \\\"b\\\" expecting \\\"not\\\" or operator "
                "(eq, gt, ...)\""},
};

START_TEST(parameters_find_their_place)
{
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        ck_assert_str_eq(ast_parse(cases[i][0]), cases[i][1]);
    }
}
END_TEST

START_TEST(only_the_resource_itself_is_ranged)
{
    static const struct {
        const char *query;
        int ranged;
    } rows[] = {{"limit=1", 1},
                {"offset=0", 1},
                {"limit=x", 0},
                {"select=v(*)&v.limit=1", 0}};

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        dsapi_res_query_t *query;
        dsapi_err_t *err;

        ck_assert_int_eq(dsapi_resource_parse(&query, &err, "t",
                                              ast_pairs(rows[i].query), g_pool),
                         APR_SUCCESS);
        ck_assert_int_eq(query->ranged, rows[i].ranged);
    }
}
END_TEST

/* Texts made of the language's own pieces: some are good, most are not. Each is
 * refused in the dialect, or parsed; a sanitizer sees the rest. */
START_TEST(any_text_is_parsed_or_refused)
{
    static const char *const pieces[] = {
        "a",      "v",         "(",   ")",    ",",     ".",
        "->",     "->>",       "::",  ":",    "!",     "inner",
        "*",      "not",       "and", "or",   "eq",    "in",
        "is",     "null",      "fts", "\"",   "\\",    "{",
        "}",      "-",         "1",   "...",  "sum()", "count()",
        "%C3%A9", " ",         "asc", "desc", "any",   "select=v(*)%26",
        "$",      "nullsfirst"};
    static const char *const names[] = {"select", "order", "and",    "v.or",
                                        "id",     "limit", "columns"};
    unsigned seed = 12345;
    int good = 0;

    for (int i = 0; i < 20000; i++) {
        const char *text = "";

        apr_pool_clear(g_scratch);
        for (int n = 0; n < 8; n++) {
            const char *parsed;

            seed = seed * 1103515245U + 12345U;
            text = apr_pstrcat(
                g_scratch, text,
                pieces[(seed >> 16) % (sizeof(pieces) / sizeof(pieces[0]))],
                NULL);
            parsed = ast_parse(apr_psprintf(
                g_scratch, "%s=%s",
                names[(unsigned)i % (sizeof(names) / sizeof(names[0]))], text));
            good += strncmp(parsed, "PGRST1", 6) != 0;
        }
        if (i % 500 == 0) {
            apr_pool_clear(g_pool);
        }
    }
    ck_assert_int_gt(good, 1000);
    ck_assert_int_lt(good, 150000);
}
END_TEST

START_TEST(parameters_are_put_in_order)
{
    static const char *const rows[][2] = {
        {"", ""},
        {"b=eq.1&a=eq.1", "a=eq.1&b=eq.1"},
        {"c&a=1&c=3&b=2", "a=1&b=2&c=&c=3"},
        {"select=*,x(y)&id=gt.2&id=lt.1&a.b=eq.%C3%A9+%26", "a.b=eq.%C3%A9%20%"
                                                            "26&id=gt.2&id=lt."
                                                            "1&select=%2A%2Cx%"
                                                            "28y%29"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        ck_assert_str_eq(
            dsapi_resource_canonical(ast_pairs(rows[i][0]), g_pool),
            rows[i][1]);
    }
}
END_TEST

UNIT_SUITE(resource_query, parameters_find_their_place,
           parameters_are_put_in_order, only_the_resource_itself_is_ranged,
           any_text_is_parsed_or_refused)
