/* src/resource/filter.c: filters, and=, or=. */
#include <apr_strings.h>

#include "unit/ast.h"
#include "unit/unit.h"

static const char *const cases[][2] = {
    {"id=eq.1", "t{* if id op0 '1'}"},
    {"id=not.eq.1", "t{* if NOT id op0 '1'}"},
    {"id=eq(any).{1,2}", "t{* if id op0(ANY) '{1,2}'}"},
    {"id=not.like(all).{a*,*b}", "t{* if NOT id op5(ALL) '{a*,*b}'}"},
    {"id=eq.", "t{* if id op0 ''}"},
    {"id=eq.a.b,c)\"", "t{* if id op0 'a.b,c)\"'}"},
    {"id=gt.1&id=lt.5", "t{* if id op2 '1' & id op4 '5'}"},
    {"id=in.(1,2,3)", "t{* if id op22 '1' '2' '3'}"},
    {"id=in.()", "t{* if id op22 ''}"},
    {"id=in.(\"a,b\",\"c\\\"d\",e f,\"g\"h)", "t{* if id op22 'a,b' 'c\"d' 'e "
                                              "f' '\"g\"h'}"},
    {"id=not.in.(1)", "t{* if NOT id op22 '1'}"},
    {"id=is.null", "t{* if id op23 'NULL'}"},
    {"id=not.is.NULL", "t{* if NOT id op23 'NULL'}"},
    {"id=is.not_null&a=is.true&b=is.false&c=is.Unknown", "t{* if id op23 'NOT "
                                                         "NULL' & a op23 "
                                                         "'TRUE' & b op23 "
                                                         "'FALSE' & c op23 "
                                                         "'UNKNOWN'}"},
    {"id=isdistinct.3", "t{* if id op24 '3'}"},
    {"v=fts.cat", "t{* if v op18 'cat'}"},
    {"v=not.wfts(english).a b", "t{* if NOT v op21(english) 'a b'}"},
    {"d->a->>b=eq.1", "t{* if d->a->>b op0 '1'}"},
    {"\"a.b\"=eq.1", "t{* if a.b op0 '1'}"},
    {"and=(a.eq.1,b.gt.2)", "t{* if and(a op0 '1', b op2 '2')}"},
    {"not.or=(a.eq.1)", "t{* if NOT or(a op0 '1')}"},
    {"or=(a.eq.1,and(b.lt.2,not.or(c.is.null,d.in.(1,2))))", "t{* if or(a op0 "
                                                             "'1', and(b op4 "
                                                             "'2', NOT or(c "
                                                             "op23 'NULL', d "
                                                             "op22 '1' "
                                                             "'2')))}"},
    {"or=(a.cs.{1,2},b.eq.\"x,)\",c->>d.like.*z*)", "t{* if or(a op10 '{1,2}', "
                                                    "b op0 'x,)', c->>d op5 "
                                                    "'*z*')}"},
    {"or=( a.eq.1 , not.and (b.not.eq.2) )", "t{* if or(a op0 '1 ', NOT "
                                             "and(NOT b op0 '2'))}"},
    {"id=val", "PGRST100: \"failed to parse filter (val)\" (line 1, column 1); "
               "\"unexpected \\\"v\\\" expecting \\\"not\\\" or operator (eq, "
               "gt, ...)\""},
    {"id=not.val", "PGRST100: \"failed to parse filter (not.val)\" (line 1, "
                   "column 5); \"unexpected \\\"v\\\" expecting operator (eq, "
                   "gt, ...)\""},
    {"id=", "PGRST100: \"failed to parse filter ()\" (line 1, column 1); "
            "\"unexpected end of input expecting \\\"not\\\" or operator (eq, "
            "gt, ...)\""},
    {"id=eq", "PGRST100: \"failed to parse filter (eq)\" (line 1, column 3); "
              "\"unexpected end of input expecting operator (eq, gt, ...)\""},
    {"id=eq().1", "PGRST100: \"failed to parse filter (eq().1)\" (line 1, "
                  "column 3); \"unexpected \\\"(\\\" expecting operator (eq, "
                  "gt, ...)\""},
    {"id=in(any).1", "PGRST100: \"failed to parse filter (in(any).1)\" (line "
                     "1, column 3); \"unexpected \\\"(\\\" expecting operator "
                     "(eq, gt, ...)\""},
    {"id=fts().1", "PGRST100: \"failed to parse filter (fts().1)\" (line 1, "
                   "column 4); \"unexpected \\\"(\\\" expecting operator (eq, "
                   "gt, ...)\""},
    {"id=is.maybe", "PGRST100: \"failed to parse filter (is.maybe)\" (line 1, "
                    "column 4); \"unexpected \\\"m\\\" expecting isVal: (null, "
                    "not_null, true, false, unknown)\""},
    {"id=is.nullx", "PGRST100: \"failed to parse filter (is.nullx)\" (line 1, "
                    "column 8); \"unexpected \\\"x\\\" expecting end of "
                    "input\""},
    {"id=in.1", "PGRST100: \"failed to parse filter (in.1)\" (line 1, column "
                "4); \"unexpected \\\"1\\\" expecting \\\"(\\\"\""},
    {"id=in.(1", "PGRST100: \"failed to parse filter (in.(1)\" (line 1, column "
                 "6); \"unexpected end of input expecting \\\")\\\"\""},
    {"and=a.eq.1", "PGRST100: \"failed to parse logic tree (a.eq.1)\" (line 1, "
                   "column 4); \"unexpected \\\"a\\\" expecting \\\"(\\\"\""},
    {"not.or=(a.eq.1", "PGRST100: \"failed to parse logic tree ((a.eq.1)\" "
                       "(line 1, column 14); \"unexpected end of input "
                       "expecting \\\",\\\" or \\\")\\\"\""},
    {"or=()", "PGRST100: \"failed to parse logic tree (())\" (line 1, column "
              "4); \"unexpected \\\")\\\" expecting field name (* or "
              "[a..z0..9_$]), negation operator (not) or logic operator (and, "
              "or)\""},
    {"or=(a.eq.1)x", "PGRST100: \"failed to parse logic tree ((a.eq.1)x)\" "
                     "(line 1, column 11); \"unexpected \\\"x\\\" expecting "
                     "end "
                     "of input\""},
    {"a=fts(english)", "PGRST100: \"failed to parse filter (fts(english))\" "
                       "(line 1, column 13); "
                       "\"unexpected end of input expecting delimiter (.)\""},
    {"a=fts(english)x", "PGRST100: \"failed to parse filter (fts(english)x)\" "
                        "(line 1, column "
                        "13); \"unexpected \\\"x\\\" expecting delimiter "
                        "(.)\""},
    {"or=(a)", "PGRST100: \"failed to parse logic tree ((a))\" (line 1, column "
               "5); \"unexpected \\\")\\\" expecting delimiter (.)\""},
};

START_TEST(which_rows)
{
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        ck_assert_str_eq(ast_parse(cases[i][0]), cases[i][1]);
    }
}
END_TEST

START_TEST(every_operator_has_its_place)
{
    static const char *const words[] = {
        "eq",     "gte", "gt",  "lte",   "lt",    "like", "ilike", "match",
        "imatch", "neq", "cs",  "cd",    "ov",    "sl",   "sr",    "nxr",
        "nxl",    "adj", "fts", "plfts", "phfts", "wfts"};

    for (int i = 0; i < (int)(sizeof(words) / sizeof(words[0])); i++) {
        ck_assert_str_eq(ast_parse(apr_psprintf(g_pool, "a=%s.x", words[i])),
                         apr_psprintf(g_pool, "t{* if a op%d 'x'}", i));
    }
}
END_TEST

UNIT_SUITE(resource_filter, which_rows, every_operator_has_its_place)
