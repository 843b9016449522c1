/* src/resource/build.h: what PostgreSQL makes of conditions and items. */
#include "resource/build.h"

#include <apr_strings.h>

#include "unit/shop.h"
#include "unit/unit.h"

static const char *const cases[][2] = {
    /* items */
    {"select=id,name&id=eq.1", "[{\"id\":1,\"name\":\"ant\"}]"},
    {"select=n:name,p:price::text&id=eq.1", "[{\"n\":\"ant\",\"p\":\"1\"}]"},
    {"select=mood,tags,span&id=eq.1", "[{\"mood\":\"good\",\"tags\":[\"red\","
                                      "\"blue\"],\"span\":\"[1,5)\"}]"},
    {"select=data->k->n->1&id=eq.1", "[{\"n\":20}]"},
    {"select=data->>t,x:data->k->n->>-1&id=eq.1", "[{\"t\":\"x\",\"x\":\"20\"}"
                                                  "]"},
    {"select=tags->0,loud&id=eq.1", "[{\"tags\":\"red\",\"loud\":\"ANT\"}]"},
    {"select=id,id&id=eq.1", "[{\"id\":1,\"id\":1}]"},
    {"select=\"Odd \\\"name.x\"&id=eq.1", "[{\"Odd \\\"name.x\":null}]"},
    {"select=name::int&id=eq.1", "22P02: invalid input syntax for type "
                                 "integer: "
                                 "\"ant\""},
    {"select=name::nosuch&id=eq.1", "42704: type \"nosuch\" does not exist"},
    {"select=name::int AS x&id=eq.1", "42704: type \"int AS x\" does not "
                                      "exist"},
    {"select=id::int4 $$,a::text $$", "42704: type \"int4 $$\" does not exist"},
    {"select=name::regclass", "42704: type \"regclass\" does not exist"},
    {"select=price.sum()::regrole", "42704: type \"regrole\" does not exist"},
    {"select=id::TEXT,p:price::double precision&id=eq.1", "[{\"id\":\"1\","
                                                          "\"p\":1}]"},
    {"select=data->>t::character varying&id=eq.1", "[{\"t\":\"x\"}]"},
    /* aggregates */
    {"select=count()", "[{\"count\":3}]"},
    {"select=maker,n:count(),price.sum(),price.max()::text&order=maker",
     "[{\"maker\":1,\"n\":2,\"sum\":3.5,\"max\":\"2.5\"},"
     "{\"maker\":null,\"n\":1,\"sum\":3,\"max\":\"3\"}]"},
    {"select=data->>t,count()&order=data->>t.nullsfirst", "42803: column "
                                                          "\"t0.data\" must "
                                                          "appear in the GROUP "
                                                          "BY clause or be "
                                                          "used "
                                                          "in an aggregate "
                                                          "function"},
    {"select=k:data->>t,count()&id=lt.3&limit=1&k=is.null", "42703: column "
                                                            "items.k does not "
                                                            "exist"},
    /* operators */
    {"select=id&id=eq.2", "[{\"id\":2}]"},
    {"select=id&id=neq.2", "[{\"id\":1},{\"id\":3}]"},
    {"select=id&id=not.eq.2", "[{\"id\":1},{\"id\":3}]"},
    {"select=id&id=gt.2", "[{\"id\":3}]"},
    {"select=id&id=gte.2&id=lte.2", "[{\"id\":2}]"},
    {"select=id&id=lt.2", "[{\"id\":1}]"},
    {"select=id&name=like.*at", "[{\"id\":3}]"},
    {"select=id&name=like.*a*", "[{\"id\":1},{\"id\":3}]"},
    {"select=id&name=ilike.A%25", "[{\"id\":1}]"},
    {"select=id&name=match.^[ab]", "[{\"id\":1},{\"id\":2}]"},
    {"select=id&name=imatch.^C", "[{\"id\":3}]"},
    {"select=id&id=in.(1,3)", "[{\"id\":1},{\"id\":3}]"},
    {"select=id&name=in.(\"cat in a hat\",bee)", "[{\"id\":2},{\"id\":3}]"},
    {"select=id&id=in.()", "[]"},
    {"select=id&name=in.(\"a\\\"b\",\"\\\\\")", "[]"},
    {"select=id&maker=is.null", "[{\"id\":3}]"},
    {"select=id&maker=not.is.null", "[{\"id\":1},{\"id\":2}]"},
    {"select=id&maker=is.not_null", "[{\"id\":1},{\"id\":2}]"},
    {"select=id&maker=isdistinct.1", "[{\"id\":3}]"},
    {"select=id&tags=cs.{red,blue}", "[{\"id\":1}]"},
    {"select=id&tags=cd.{red,green}", "[{\"id\":2}]"},
    {"select=id&tags=ov.{blue,green}", "[{\"id\":1}]"},
    {"select=id&data=cs.{\"t\":\"y\"}", "[{\"id\":2}]"},
    {"select=id&span=sl.[6,8)", "[{\"id\":1}]"},
    {"select=id&span=sr.[1,3)", "[{\"id\":2}]"},
    {"select=id&span=nxr.[1,5)", "[{\"id\":1}]"},
    {"select=id&span=nxl.[2,3)", "[{\"id\":2}]"},
    {"select=id&span=adj.[9,12)", "[{\"id\":2}]"},
    {"select=id&name=fts.hat", "[{\"id\":3}]"},
    {"select=id&name=fts(english).hats", "[{\"id\":3}]"},
    {"select=id&name=plfts(simple).cat hat", "[{\"id\":3}]"},
    {"select=id&name=phfts(english).hat cat", "[]"},
    {"select=id&name=not.wfts(simple).cat or bee", "[{\"id\":1}]"},
    {"select=id&id=eq(any).{1,3}", "[{\"id\":1},{\"id\":3}]"},
    {"select=id&name=like(all).{*a*,*t}", "[{\"id\":1},{\"id\":3}]"},
    {"select=id&id=gt(all).{1,2}", "[{\"id\":3}]"},
    {"select=id&data->>t=eq.y", "[{\"id\":2}]"},
    {"select=id&data->k->n->0=eq.10", "[{\"id\":1}]"},
    {"select=id&loud=eq.BEE", "[{\"id\":2}]"},
    {"select=id&mood=eq.bad", "[{\"id\":2}]"},
    {"select=id&or=(id.eq.1,and(id.gt.2,name.like.cat*))", "[{\"id\":1},{"
                                                           "\"id\":3}]"},
    {"select=id&not.or=(id.eq.1,id.eq.2)", "[{\"id\":3}]"},
    {"select=id&and=(not.or(id.eq.1,id.eq.2),id.not.in.(4))", "[{\"id\":3}]"},
    {"select=id&name=eq.'; DROP TABLE s.item; --", "[]"},
    /* what PostgreSQL refuses */
    {"id=eq.x", "22P02: invalid input syntax for type integer: \"x\""},
    {"mood=eq.sad", "22P02: invalid input value for enum s.mood: \"sad\""},
    {"id=like.1", "42883: operator does not exist: integer ~~ unknown; No "
                  "operator matches the given name and argument types. You "
                  "might need to add explicit type casts."},
    {"name=fts(nosuch).x", "42704: text search configuration \"nosuch\" does "
                           "not exist"},
    {"name=match.(", "2201B: invalid regular expression: parentheses () not "
                     "balanced"},
};

START_TEST(postgresql_agrees)
{
    shop_t *shop = shop_open();

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        ck_assert_msg(
            strcmp(shop_ask(shop, "items", cases[i][0]), cases[i][1]) == 0,
            "%s\n     is %s\n    not %s", cases[i][0],
            shop_ask(shop, "items", cases[i][0]), cases[i][1]);
    }
}
END_TEST

START_TEST(names_are_quoted_and_values_bound)
{
    dsapi_build_t build;
    dsapi_call_t call;

    dsapi_build_init(&build, -1, g_pool);
    dsapi_build_put(&build, "SELECT ", "", NULL);
    dsapi_build_name(&build, "a\"b");
    dsapi_build_put(&build, ", ", NULL);
    dsapi_build_value(&build, "x'y");
    dsapi_build_put(&build, ", ", NULL);
    dsapi_build_number(&build, -7);
    dsapi_build_end(&call, &build);
    ck_assert_str_eq(call.sql->text, "SELECT \"a\"\"b\", $1, $2");
    ck_assert_int_eq(call.sql->nparams, 2);
    ck_assert_str_eq(call.values[0], "x'y");
    ck_assert_str_eq(call.values[1], "-7");
}
END_TEST

UNIT_SUITE(resource_build, postgresql_agrees, names_are_quoted_and_values_bound)
