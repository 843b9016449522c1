/* src/resource/cast.h: the types that clients cast to. */
#include "resource/cast.h"

#include "unit/ast.h"
#include "unit/shop.h"
#include "unit/unit.h"

START_TEST(types_are_found_as_sql_finds_them)
{
    static const char *const rows[][2] = {
        {"int", "pg_catalog.int4"},
        {"INT8", "\"pg_catalog\".\"int8\""},
        {"double precision", "pg_catalog.float8"},
        {"Timestamp With Time Zone", "pg_catalog.timestamptz"},
        {"char", "pg_catalog.bpchar(1)"},
        {"text array", "\"pg_catalog\".\"text\"[]"},
        {"int array", "pg_catalog.int4[]"},
        {"_text", "\"pg_catalog\".\"_text\""},
        {"name", "\"pg_catalog\".\"name\""},
        {"nummultirange", "\"pg_catalog\".\"nummultirange\""},
        {"mood", "\"s\".\"mood\""},
        {"_mood", "\"s\".\"_mood\""},
        {"Price", "\"s\".\"price\""},
        {"size", "\"s\".\"size\""},
        {"far", "\"public\".\"far\""},
        {"farther", NULL},
        {"both", "\"s\".\"both\""},
        {"item", NULL},
        {"_item", NULL},
        {"rowed", NULL},
        {"pg_class", NULL},
        {"record", NULL},
        {"anyelement", NULL},
        {"regclass", NULL},
        {"_regclass", NULL},
        {"aclitem", NULL},
        {"array", NULL},
        {" array", NULL},
        {"text array array", NULL},
        {"nosuch", NULL},
        {"nosuch array", NULL},
        {"int4 $$", NULL},
        {"int)", NULL},
    };
    shop_t *shop = shop_open();

    pg_value(shop->pg, "DO $do$ BEGIN "
                       "CREATE TYPE public.far AS ENUM ('x'); "
                       "CREATE TYPE public.both AS ENUM ('x'); "
                       "CREATE TYPE s.both AS ENUM ('x'); "
                       "CREATE DOMAIN s.rowed AS s.item; "
                       "CREATE SCHEMA o; "
                       "CREATE TYPE o.farther AS ENUM ('x'); END $do$");
    shop_read(shop);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        ck_assert_pstr_eq(
            dsapi_cast_find(shop->catalog->casts, rows[i][0], "s", g_pool),
            rows[i][1]);
    }
    ck_assert_str_eq(
        dsapi_cast_find(shop->catalog->casts, "both", "public", g_pool), "\"pub"
                                                                         "lic\""
                                                                         ".\"bo"
                                                                         "th"
                                                                         "\"");
}
END_TEST

START_TEST(casts_are_made)
{
    static const char *const rows[][2] = {
        {"select=mood::text&id=eq.1", "[{\"mood\":\"good\"}]"},
        {"select=m:mood::text::nosuch", "PGRST100"},
        {"select=data->>t::mood", "22P02"},
        {"select=id::mood", "42846: cannot cast type integer to s.mood"},
        {"select=id::nosuch", "42704: type \"nosuch\" does not exist"},
        {"select=p:price::price,n:name::name&id=eq.1", "[{\"p\":1,\"n\":"
                                                       "\"ant\"}]"},
        {"select=tags::_text&id=eq.2", "[{\"tags\":[\"red\"]}]"},
        {"select=mood::mood array&id=eq.1", "42846: "},
        {"select=a:price::int8.sum()::text,b:price.max()::price", "[{\"a\":"
                                                                  "\"7\",\"b\":"
                                                                  "3}]"},
    };
    shop_t *shop = shop_open();

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char *got = shop_ask(shop, "items", rows[i][0]);

        ck_assert_msg(strncmp(got, rows[i][1], strlen(rows[i][1])) == 0,
                      "%s is %s, not %s", rows[i][0], got, rows[i][1]);
    }
}
END_TEST

UNIT_SUITE(resource_cast, types_are_found_as_sql_finds_them, casts_are_made)
