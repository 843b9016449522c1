/* src/resource/resolve.h: names that the catalogue has, and others. */
#include "resource/resolve.h"

#include "resource/problem.h"
#include "unit/ast.h"
#include "unit/shop.h"
#include "unit/unit.h"

static const char *const cases[][3] = {
    {"items", "select=nosuch", "42703: column items.nosuch does not exist"},
    {"items", "select=nam",
     "42703: column items.nam does not exist; Perhaps you meant to reference "
     "the column \"items.name\"."},
    {"pas", "select=c", "42703: column pas.c does not exist"},
    {"chs", "select=e2",
     "42703: column chs.e2 does not exist; Perhaps you "
     "meant to reference the column \"chs.e1\"."},
    {"renamed", "select=pric", "42703: column renamed.pric does not exist"},
    {"items", "nosuch=eq.1", "42703: column items.nosuch does not exist"},
    {"items", "or=(id.eq.1,and(nosuch.eq.1))",
     "42703: column items.nosuch does not exist"},
    {"items", "order=nosuch", "42703: column items.nosuch does not exist"},
    {"items", "select=labels(nosuch)",
     "42703: column labels.nosuch does not exist"},
    {"items", "select=ctid", "42703: column items.ctid does not exist"},
    {"items", "select=row_to_json",
     "42703: column items.row_to_json does not "
     "exist"},
    {"renamed", "select=name", "42703: column renamed.name does not exist"},
    {"renamed", "select=*&price=eq.1",
     "42703: column renamed.price does not exist"},
    {"renamed", "select=*,loud", "42703: column renamed.loud does not exist"},
    {"items", "select=id,details(note)&details=eq.1",
     "PGRST120: Bad operator on the 'details' embedded resource; \"Only is "
     "null or not is null filters are allowed on embedded resources\""},
    {"items", "select=id,details(note)&details=is.true",
     "PGRST120: Bad operator on the 'details' embedded resource; \"Only is "
     "null or not is null filters are allowed on embedded resources\""},
    {"items", "select=id,maker:makers!item_maker(name)&maker=eq.1&limit=1",
     "[{\"id\":1,\"maker\":{\"name\":\"one\"}}"},
    {"items", "select=id,maker:makers!item_maker(name)&maker=is.null",
     "[{\"id\":3,\"maker\":null}]"},
    {"items", "order=details(note)",
     "PGRST108: 'details' is not an embedded resource in this request; Verify "
     "that 'details' is included in the 'select' query parameter."},
    {"items", "select=id,labels(word)&order=labels(word)",
     "PGRST118: A related order on 'labels' is not possible; \"'items' and "
     "'labels' do not form a many-to-one or one-to-one relationship\""},
    {"items", "select=id,...labels(count())",
     "PGRST127: Feature not implemented; \"Aggregates are not implemented for "
     "one-to-many or many-to-many spreads.\""},
    {"items",
     "select=price.sum(),...makers!item_maker(name)&order=makers(name)",
     "[{\"sum\":3.5,\"name\":\"one\"},{\"sum\":3,\"name\":null}]"},
    {"items",
     "select=...makers!item_maker(m:name,n:count(),x:id.max()::text)"
     "&order=makers(m)",
     "[{\"m\":\"one\",\"n\":2,\"x\":\"1\"},{\"m\":null,\"n\":0,\"x\":null}"
     "]"},
    {"item_labels",
     "select=label,...items(...makers!item_maker(name),price.sum(),"
     "details(note))&label=eq.1",
     "[{\"label\":1,\"name\":\"one\",\"sum\":1,\"details\":{\"note\": "
     "\"fine\"}}]"},
    {"details", "select=...items(...makers!item_maker(id.sum()))",
     "[{\"sum\":1}]"},
    {"labels", "select=word,item_labels(...items(price.max()))&id=eq.1",
     "[{\"word\":\"big\",\"item_labels\":[{\"max\":1}]}]"},
    {"items",
     "select=id,m:makers!item_maker(n:name)&order=m(n).desc.nullslast,id&"
     "limit=1",
     "[{\"id\":1,\"m\":{\"n\":\"one\"}}"},
    {"items", "select=count", "[{\"count\":3}]"},
    {"items", "select=n:count::text", "[{\"n\":\"3\"}]"},
    {"items", "select=id,labels(count)&id=eq.1",
     "[{\"id\":1,\"labels\":[{\"count\":2}]}]"},
    {"items", "select=count->a", "42703: column items.count does not exist"},
    {"renamed", "select=*",
     "[{\"id\":1,\"title\":\"ant\",\"odd\":null,"
     "\"maker\":1}"},
    {"renamed", "select=title,o:odd&title=eq.bee&order=odd",
     "[{\"title\":\"bee\",\"o\":null}]"},
};

START_TEST(names_are_looked_up)
{
    shop_t *shop = shop_open();

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const char *got = shop_ask(shop, cases[i][0], cases[i][1]);

        ck_assert_msg(strncmp(got, cases[i][2], strlen(cases[i][2])) == 0,
                      "%s\n     is %s\n    not %s", cases[i][1], got,
                      cases[i][2]);
    }
}
END_TEST

START_TEST(what_a_changed_table_may_explain)
{
    static const struct {
        const char *code;
        int stale;
    } rows[] = {{"42703", 1},    {"PGRST200", 1}, {"PGRST204", 1},
                {"PGRST205", 1}, {"PGRST100", 0}, {"22P02", 1},
                {"22003", 1},    {"23502", 1},    {"42804", 1},
                {"42P10", 1},    {"428C9", 1},    {"23505", 0}};
    dsapi_err_t *err;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        dsapi_resource_fail(&err, g_pool, 400, rows[i].code, "x");
        ck_assert_int_eq(dsapi_resource_stale(err), rows[i].stale);
    }
    dsapi_fail(&err, g_pool, DSAPI_EINTERNAL, "internal", "x");
    ck_assert(!dsapi_resource_stale(err));
    err->sqlstate = "42P01";
    ck_assert(dsapi_resource_stale(err));
}
END_TEST

UNIT_SUITE(resource_resolve, names_are_looked_up,
           what_a_changed_table_may_explain)
