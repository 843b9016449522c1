/* src/resource/select.c: select= and order=. */
#include "unit/ast.h"
#include "unit/unit.h"

static const char *const cases[][2] = {
    {"select=*", "t{*}"},
    {"", "t{*}"},
    {"select=", "t{}"},
    {"select=id,name", "t{id, name}"},
    {"select= id , name ", "t{id, name}"},
    {"select=full name,a-b,caf\xc3\xa9,_x$", "t{full name, a-b, caf\xc3\xa9, "
                                             "_x$}"},
    {"select=\"a,b\",\"q\\\"\\\\\"", "t{a,b, q\"\\}"},
    {"select=n:name", "t{name AS n}"},
    {"select=name::text", "t{name::text}"},
    {"select=n:name::double precision", "t{name::double precision AS n}"},
    {"select=d->a->>b", "t{d->a->>b}"},
    {"select=d->0->-1->>2", "t{d->#0->#-1->>#2}"},
    {"select=d->0x", "t{d->0x}"},
    {"select=x:d->>\"a.b\"::int", "t{d->>a.b::int AS x}"},
    {"select=d->!@#$%25^%26*_a", "t{d->!@#$%^&*_a}"},
    {"select=count()", "t{count(*)}"},
    {"select=n:count()::text", "t{count(*)::text AS n}"},
    {"select=amount.sum()", "t{sum(amount)}"},
    {"select=s:amount::int.sum()::text,x.max(),y.min(),z.avg(),w.count()",
     "t{sum(amount::int)::text AS s, max(x), min(y), avg(z), count(w)}"},
    {"select=*,visits(*)", "t{*, visits{*}}"},
    {"select=a:visits!hint!inner(id)", "t{visits!hint!inner{id} AS a}"},
    {"select=visits!inner!hint(id)", "t{visits!hint!inner{id}}"},
    {"select=visits!left(id)", "t{visits{id}}"},
    {"select=...visits(a),b(c(d))", "t{...visits{a}, b{c{d}}}"},
    {"select=visits()", "t{visits{}}"},
    {"order=a", "t{* by a}"},
    {"order=id.ac", "PGRST100: \"failed to parse order (id.ac)\" (line 1, "
                    "column 4); "
                    "\"unexpected \\\"c\\\" expecting \\\"asc\\\", "
                    "\\\"desc\\\", "
                    "\\\"nullsfirst\\\" or \\\"nullslast\\\"\""},
    {"order=id.asc.nlsfst", "PGRST100: \"failed to parse order "
                            "(id.asc.nlsfst)\" (line 1, column 8); "
                            "\"unexpected \\\"l\\\" expecting "
                            "\\\"nullsfirst\\\" or "
                            "\\\"nullslast\\\"\""},
    {"order=a.asc,b.desc,c.nullsfirst,d.desc.nullslast", "t{* by a ASC by b "
                                                         "DESC by c NULLS "
                                                         "FIRST by d DESC "
                                                         "NULLS LAST}"},
    {"order=d->>k.desc,d->1.asc", "t{* by d->>k DESC by d->#1 ASC}"},
    {"order=r(a).desc, b", "t{* by r.a DESC by b}"},
    {"order=a&order=b", "t{* by b}"},
    {"select=id,", "PGRST100: \"failed to parse select parameter (id,)\" (line "
                   "1, column 4);"
                   " \"unexpected end of input expecting field name (* or "
                   "[a..z0..9_$])\""},
    {"select=id!x", "PGRST100: \"failed to parse select parameter (id!x)\" "
                    "(line 1, column 3); \"unexpected \\\"!\\\" expecting "
                    "letter, digit, \\\"-\\\", \\\"->>\\\", \\\"->\\\", "
                    "\\\"::\\\", \\\".\\\", \\\")\\\", \\\",\\\" or end of "
                    "input\""},
    {"select=(", "PGRST100: \"failed to parse select parameter (()\" (line 1, "
                 "column 1); \"unexpected \\\"(\\\" expecting field name (* or "
                 "[a..z0..9_$])\""},
    {"select=a(b", "PGRST100: \"failed to parse select parameter (a(b)\" "
                   "(line 1, column 4); \"unexpected end of input expecting "
                   "\\\",\\\" or \\\")\\\"\""},
    {"select=*x", "PGRST100: \"failed to parse select parameter (*x)\" (line "
                  "1, column 2); \"unexpected \\\"x\\\" expecting \\\",\\\" or "
                  "end of input\""},
    {"select=a::", "PGRST100: \"failed to parse select parameter (a::)\" (line "
                   "1, column 4); \"unexpected end of input expecting letter "
                   "or "
                   "digit\""},
    {"select=%C3%A9%C3%A9!", "PGRST100: \"failed to parse select parameter "
                             "(\xc3\xa9\xc3\xa9!)\" (line "
                             "1, column 3); \"unexpected \\\"!\\\" expecting "
                             "letter, digit, \\\"-\\\", "
                             "\\\"->>\\\", \\\"->\\\", \\\"::\\\", \\\".\\\", "
                             "\\\")\\\", \\\",\\\" or "
                             "end of input\""},
    {"order=", "PGRST100: \"failed to parse order ()\" (line 1, column 1); "
               "\"unexpected end of input expecting field name (* or "
               "[a..z0..9_$])\""},
    {"order=a.x", "PGRST100: \"failed to parse order (a.x)\" (line 1, column "
                  "3); \"unexpected \\\"x\\\" expecting \\\"asc\\\", "
                  "\\\"desc\\\", \\\"nullsfirst\\\" or \\\"nullslast\\\"\""},
    {"order=a.asc.x", "PGRST100: \"failed to parse order (a.asc.x)\" (line 1, "
                      "column 7); \"unexpected \\\"x\\\" expecting "
                      "\\\"nullsfirst\\\" or \\\"nullslast\\\"\""},
    {"order=a.ascx", "PGRST100: \"failed to parse order (a.ascx)\" (line 1, "
                     "column 6); \"unexpected \\\"x\\\" expecting delimiter "
                     "(.), \\\",\\\" or end of input\""},
};

START_TEST(what_is_selected_and_ordered)
{
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        ck_assert_str_eq(ast_parse(cases[i][0]), cases[i][1]);
    }
}
END_TEST

START_TEST(embedding_has_an_end)
{
    char text[256] = "select=";
    size_t len = 7;

    for (int i = 0; i < DSAPI_RES_DEPTH_MAX; i++) {
        text[len++] = 'a';
        text[len++] = '(';
    }
    memset(text + len, ')', DSAPI_RES_DEPTH_MAX);
    ck_assert(strncmp(ast_parse(text), "t{a{a{", 6) == 0);
    text[len] = 'a';
    text[len + 1] = '(';
    memset(text + len + 2, ')', DSAPI_RES_DEPTH_MAX + 1);
    ck_assert(strncmp(ast_parse(text), "PGRST100:", 9) == 0);
}
END_TEST

UNIT_SUITE(resource_select, what_is_selected_and_ordered, embedding_has_an_end)
