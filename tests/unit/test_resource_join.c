/* src/resource/join.c: embedded resources, as PostgreSQL gives them. */
#include "unit/shop.h"
#include "unit/unit.h"

static const char *const cases[][3] = {
    {"items", "select=id,makers!item_maker(name)&id=lt.3",
     "[{\"id\":1,\"makers\":{\"name\":\"one\"}},"
     "{\"id\":2,\"makers\":{\"name\":\"one\"}}]"},
    {"items", "select=id,m:maker(id)&id=eq.3", "[{\"id\":3,\"m\":null}]"},
    {"items", "select=id,item_seller(name)&id=eq.1",
     "[{\"id\":1,\"item_seller\":{\"name\":\"two\"}}]"},
    {"items", "select=id,seller!inner(name)",
     "[{\"id\":1,\"seller\":{\"name\":\"two\"}}]"},
    {"makers", "select=id,items!item_maker(id)&id=lt.3",
     "[{\"id\":1,\"items\":[{\"id\":1}, \n {\"id\":2}]},"
     "{\"id\":2,\"items\":[]}]"},
    {"makers", "select=id,items!item_maker!inner(id)&items.id=eq.2",
     "[{\"id\":1,\"items\":[{\"id\":2}]}]"},
    {"makers",
     "select=id,i:items!item_maker(id)&i.order=id.desc&i.limit=1&id=eq.1",
     "[{\"id\":1,\"i\":[{\"id\":2}]}]"},
    {"makers", "select=id,i:items!item_maker(id)&i.order=id&i.offset=1&id=eq.1",
     "[{\"id\":1,\"i\":[{\"id\":2}]}]"},
    {"makers", "select=id,items!item_maker(id)&items.or=(id.eq.2)&id=eq.1",
     "[{\"id\":1,\"items\":[{\"id\":2}]}]"},
    {"makers", "select=id,items!item_maker()&items=not.is.null",
     "[{\"id\":1}]"},
    {"makers", "select=id,items!item_maker()&items=is.null",
     "[{\"id\":2},{\"id\":3}]"},
    {"items", "select=id,d:details()&d=is.null", "[{\"id\":2},{\"id\":3}]"},
    {"items", "select=id,details()&or=(details.not.is.null,id.eq.3)",
     "[{\"id\":1},{\"id\":3}]"},
    /* one to one, many to many, itself */
    {"items", "select=id,details(note)&id=eq.1",
     "[{\"id\":1,\"details\":{\"note\":\"fine\"}}]"},
    {"details", "select=note,items(id)",
     "[{\"note\":\"fine\",\"items\":{\"id\":1}}]"},
    {"items", "select=id,labels(word)&id=lt.3&labels.order=id",
     "[{\"id\":1,\"labels\":[{\"word\":\"big\"}, \n {\"word\":\"small\"}]},"
     "{\"id\":2,\"labels\":[{\"word\":\"small\"}]}]"},
    {"labels", "select=word,items!item_labels(name)&items.id=eq.2",
     "[{\"word\":\"big\",\"items\":[]},"
     "{\"word\":\"small\",\"items\":[{\"name\":\"bee\"}]}]"},
    {"makers", "select=id,parent(name)&id=eq.2",
     "[{\"id\":2,\"parent\":{\"name\":\"one\"}}]"},
    {"makers", "select=id,below:makers(id)&id=eq.1&below.order=id",
     "[{\"id\":1,\"below\":[{\"id\":2}, \n {\"id\":3}]}]"},
    {"makers", "select=id,makers!parent(id)&id=eq.2",
     "[{\"id\":2,\"makers\":[]}]"},
    /* levels, spreads, aggregates, order */
    {"makers",
     "select=id,items!item_maker(id,details(note),labels(id))&id=eq.1"
     "&items.id=eq.1&items.labels.limit=1&items.labels.order=id",
     "[{\"id\":1,\"items\":[{\"id\":1,\"details\":{\"note\":\"fine\"},"
     "\"labels\":[{\"id\":1}]}]}]"},
    {"items", "select=id,...details(note)&id=lt.3",
     "[{\"id\":1,\"note\":\"fine\"},{\"id\":2,\"note\":null}]"},
    {"items", "select=id,...maker(*)&id=eq.1",
     "[{\"id\":1,\"id\":1,\"name\":\"one\",\"parent\":null}]"},
    {"items", "select=id,...labels(words:word)&id=lt.4&labels.order=id",
     "[{\"id\":1,\"words\":[\"big\", \"small\"]},"
     "{\"id\":2,\"words\":[\"small\"]},{\"id\":3,\"words\":[]}]"},
    {"makers", "select=id,items!item_maker(count(),price.sum())&id=eq.1",
     "[{\"id\":1,\"items\":[{\"count\":2,\"sum\":3.5}]}]"},
    {"items", "select=maker(name),count()&maker=is.not_null",
     "[{\"maker\":{\"name\": \"one\"},\"count\":2}]"},
    {"items", "select=m:maker(name),count()&order=m(name).nullsfirst",
     "42803: column \"e1.name\" must appear in the GROUP BY clause or be used "
     "in an aggregate function"},
    {"items", "select=m:maker(name),count()&maker=is.not_null",
     "[{\"m\":{\"name\": \"one\"},\"count\":2}]"},
    {"items", "select=count(),...labels(word)&labels.order=id&id=eq.1",
     "[{\"count\":1,\"word\":[\"big\", \"small\"]}]"},
    {"details", "select=count(),...items(name,maker(id),...labels(w:word))",
     "[{\"count\":1,\"name\":\"ant\",\"maker\":{\"id\": 1},"
     "\"w\":[\"big\", \"small\"]}]"},
    {"items", "select=id,m:maker(name)&order=m(name).desc.nullslast,id.desc",
     "[{\"id\":2,\"m\":{\"name\":\"one\"}},{\"id\":1,\"m\":{\"name\":\"one\"}},"
     "{\"id\":3,\"m\":null}]"},
    /* columns that are called as what SQL calls tables */
    {"pas", "select=id,both,chs(e1,list)&id=eq.1",
     "[{\"id\":1,\"both\":\"tb\",\"chs\":[{\"e1\":\"e\",\"list\":\"l\"}]}]"},
    {"pas", "select=id,chs(id)",
     "[{\"id\":1,\"chs\":[{\"id\":1}]},"
     "{\"id\":2,\"chs\":[]}]"},
    {"pas", "select=id,...chs(list)&chs=not.is.null",
     "[{\"id\":1,\"list\":[\"l\"]}]"},
    {"chs", "select=id,e1:pas(t0)&e1=not.is.null",
     "[{\"id\":1,\"e1\":{\"t0\":\"t\"}}]"},
    {"chs", "select=id,pas(e1:id)&pas=not.is.null",
     "[{\"id\":1,\"pas\":{\"e1\":1}}]"},
    {"chs", "select=id,pas(e1:t0)&pas.id=eq.2&pas=is.null",
     "[{\"id\":1,\"pas\":null}]"},
};

START_TEST(what_is_embedded)
{
    shop_t *shop = shop_open();

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const char *got = shop_ask(shop, cases[i][0], cases[i][1]);
        const char *want = cases[i][2];
        size_t len = *want == '[' ? strlen(got) : strlen(want);

        ck_assert_msg(strncmp(got, want, len) == 0 && strlen(got) >= len &&
                          (*want != '[' || strlen(want) == len),
                      "%s?%s\n     is %s\n    not %s", cases[i][0], cases[i][1],
                      got, want);
    }
}
END_TEST

UNIT_SUITE(resource_join, what_is_embedded)
