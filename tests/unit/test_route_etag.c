/* route/etag: validators. */
#include "route/etag.h"

#include <apr_strings.h>

#include "unit/unit.h"

START_TEST(an_etag_is_of_type_and_body)
{
    const char *etag = dsapi_route_etag_make("a", "bc", 2, g_pool);

    /* printf 'a\0bc' | sha1sum | head -c 32 */
    ck_assert_str_eq(etag, "\"0b2749668f0ea8df8a630da13f0d2187\"");
    ck_assert_str_eq(etag, dsapi_route_etag_make("a", "bc", 2, g_pool));
    ck_assert_str_ne(etag, dsapi_route_etag_make("a", "bd", 2, g_pool));
    ck_assert_str_ne(etag, dsapi_route_etag_make("a", "bc", 3, g_pool));
    ck_assert_str_ne(etag, dsapi_route_etag_make("ab", "c", 1, g_pool));
    ck_assert_uint_eq(strlen(dsapi_route_etag_make("", NULL, 0, g_pool)), 34);
}
END_TEST

START_TEST(a_body_may_come_in_pieces)
{
    char text[DSAPI_ETAG_SIZE];
    dsapi_etag_t etag;

    dsapi_route_etag_begin(&etag, "a");
    dsapi_route_etag_put(&etag, "b", 1);
    dsapi_route_etag_put(&etag, NULL, 0);
    dsapi_route_etag_put(&etag, "c", 1);
    dsapi_route_etag_end(text, &etag);
    ck_assert_str_eq(text, dsapi_route_etag_make("a", "bc", 2, g_pool));
}
END_TEST

/* Values of If-None-Match, between bars and with ' for a double quote. */
static void check_values(const char *values, const char *etag, int matches)
{
    char *text = apr_pstrdup(g_pool, values);
    char *last;

    for (char *c = text; *c; c++) {
        *c = (char)(*c == '\'' ? '"' : *c);
    }
    for (char *sent = apr_strtok(text, "|", &last); sent;
         sent = apr_strtok(NULL, "|", &last)) {
        ck_assert_msg(dsapi_route_etag_matches(sent, etag) == matches,
                      "%s against %s", sent, etag ? etag : "nothing");
    }
}

START_TEST(if_none_match_names_a_validator)
{
    static const char x[] = "'x'|W/'x'|*| \t* |'a', 'x'|'a',W/'b'\t,\t'x'|"
                            " , ,'a',, 'x' ,|'x', oh|'a,', 'x'|'a\\', 'x'|"
                            "'\303\251', 'x'|'x-gzip'|'x-br'|'x-zstd'|"
                            "W/'x-gzip'|'', 'x'";
    static const char other[] =
        " |,|'X'|'xy'|''|'*'|'a', 'b'|'a,x'|*, 'x'|'a', *|'x-br-gzip'|"
        "'x-GZIP'|'x-gz'|'x-gzipp'|'xgzip'|'x'-gzip|x|'x|x'|w/'x'|W/ 'x'|W/|W|"
        "'a' 'x'|'a'; 'x'|'a b', 'x'|'a\tb', 'x'|'a\177', 'x'|a, 'x'";

    check_values(x, "\"x\"", 1);
    check_values(x, "W/\"x\"", 1);
    check_values(other, "\"x\"", 0);
    check_values("'x'|x|''", NULL, 0);
    check_values("'x'|x", "x", 0);
    check_values("'x'", "\"x-gzip\"", 0);
    check_values("*", NULL, 1);
    check_values("'x-gzip'|'x-gzip-gzip'", "\"x-gzip\"", 1);
    check_values("''|'-gzip'", "\"\"", 1);
    ck_assert_int_eq(dsapi_route_etag_matches(NULL, "\"x\""), 0);
    ck_assert_int_eq(dsapi_route_etag_matches("", "\"x\""), 0);
}
END_TEST

static const char *values_of(const char *if_match)
{
    apr_array_header_t *values = dsapi_route_etag_values(if_match, g_pool);

    return values ? apr_array_pstrcat(g_pool, values, '|') : "any";
}

START_TEST(if_match_stands_for_values)
{
    ck_assert_str_eq(values_of("*"), "any");
    ck_assert_str_eq(values_of(" * "), "any");
    ck_assert_str_eq(values_of("\"a\""), "a|\"a\"");
    ck_assert_str_eq(values_of("\"a\", W/\"b\" ,\"c\""), "a|\"a\"|c|\"c\"");
    ck_assert_str_eq(values_of("\"a-gzip\""), "a-gzip|\"a-gzip\"|a|\"a\"");
    ck_assert_str_eq(values_of("\"v%201\""), "v%201|\"v%201\"|v 1");
    ck_assert_str_eq(values_of("\"%ff%00\""), "%ff%00|\"%ff%00\"");
    ck_assert_str_eq(values_of("\"\377\""), "");
    ck_assert_str_eq(values_of("W/\"a\""), "");
    ck_assert_str_eq(values_of("a"), "");
    ck_assert_str_eq(values_of(""), "");
}
END_TEST

UNIT_SUITE(route_etag, an_etag_is_of_type_and_body, a_body_may_come_in_pieces,
           if_none_match_names_a_validator, if_match_stands_for_values)
