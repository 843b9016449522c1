/* json/check: what is JSON. */
#include "json/check.h"

#include <apr_strings.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/text.h"
#include "unit/edge.h"
#include "unit/unit.h"

#define COUNT(a) (int)(sizeof(a) / sizeof((a)[0]))

/* @return what is wrong, in g_scratch; NULL: nothing. A text is checked in
 * place where it is too long for the edge. */
static const char *mistake_n(const char *text, apr_size_t len)
{
    const char *why = dsapi_json_mistake(
        len <= UNIT_EDGE_BYTES ? unit_at_the_edge(text, len) : text, len,
        g_scratch);

    if (why) {
        ck_assert(dsapi_base_utf8_valid(why, strlen(why)));
        ck_assert_uint_le(strlen(why), 200);
        for (const char *p = why; *p; p++) {
            ck_assert_msg((unsigned char)*p >= 0x20 && *p != 0x7f, "%s", why);
        }
    }
    return why;
}

static const char *mistake(const char *text)
{
    return mistake_n(text, strlen(text));
}

static const char *const good[] = {
    "null",
    "true",
    "false",
    "0",
    "-0",
    "-1",
    "10",
    "1.0",
    "0.1",
    "-0.5",
    "1e1",
    "1E1",
    "1e+1",
    "1e-1",
    "0e1",
    "0E+0",
    "-0e-0",
    "1.5e300",
    "123456789012345678901234567890",
    "1e-999",
    "0e999999999999999999999",
    "0.0e400",
    "\"\"",
    "\"x\"",
    "\" \"",
    "\"\x7f\"",
    "\"'/\"",
    "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"",
    "\"\\u0001\"",
    "\"\\u001f\"",
    "\"\\uFFFF\\ufdd0\"",
    "\"\\ud7ff\\ue000\"",
    "\"\\ud800\\udc00\"",
    "\"\\uDBFF\\uDFFF\"",
    "\"\xc2\x80\"",
    "\"\xdf\xbf\"",
    "\"\xe0\xa0\x80\"",
    "\"\xed\x9f\xbf\xee\x80\x80\"",
    "\"\xef\xbf\xbf\"",
    "\"\xef\xbb\xbf\"",
    "\"\xf0\x90\x80\x80\"",
    "\"\xf4\x8f\xbf\xbf\"",
    "\"\xe2\x80\xa8\xe2\x80\xa9\"",
    "[]",
    "{}",
    "[ ]",
    "{ }",
    " [] ",
    "\t\r\n[\t1\r,\n2 ] \t\r\n",
    "[[]]",
    "[{}]",
    "[[],[[]],{}]",
    "{\"a\":1}",
    "{\"\":1}",
    "{ \"a\" : 1 }",
    "{\"a\":{\"a\":{\"a\":1}}}",
    "{\"a\":1,\"A\":2}",
    "{\"a\":1,\"aa\":2,\"\":3}",
    "{\"\\n\":1,\"\\\\n\":2}",
    "{\"a\":[{\"a\":1},{\"a\":2}],\"b\":{\"a\":1}}",
    "{\"abca\":1,\"acba\":2}",
    "[1,\"a\",null,true,false,[],{}]",
    "[1e1,1e1]",
    "{\"\\u00e9\":1,\"e\xcc\x81\":2}",
};

START_TEST(what_is_json_is_taken)
{

    for (int i = 0; i < COUNT(good); i++) {
        const char *why = mistake(good[i]);

        ck_assert_msg(!why, "%s: %s", good[i], why ? why : "");
    }
}
END_TEST

typedef struct row_t {
    const char *text;
    const char *why; /* behind "line 1, column N: " */
    int column;
} row_t;

static void refuse(const row_t *rows, int count)
{
    for (int i = 0; i < count; i++) {
        const char *why = mistake(rows[i].text);
        const char *expected = apr_psprintf(g_pool, "line 1, column %d: %s",
                                            rows[i].column, rows[i].why);

        ck_assert_msg(why && strcmp(why, expected) == 0, "%s: '%s', not '%s'",
                      rows[i].text, why ? why : "JSON", expected);
    }
}

START_TEST(structure_is_strict)
{
    static const row_t rows[] = {
        {" ", "a value expected near end of file", 1},
        {"[", "a value expected near end of file", 1},
        {"{", "string or '}' expected near end of file", 1},
        {"]", "a value expected near ']'", 1},
        {",", "a value expected near ','", 1},
        {"[1", "',' or ']' expected near end of file", 2},
        {"[1}", "',' or ']' expected near '}'", 3},
        {"[1 2]", "',' or ']' expected near '2'", 4},
        {"[1,", "a value expected near end of file", 3},
        {"[1,]", "a value expected near ']'", 4},
        {"[,1]", "a value expected near ','", 2},
        {"[1,,2]", "a value expected near ','", 4},
        {"[1:2]", "',' or ']' expected near ':'", 3},
        {"{]", "string or '}' expected near ']'", 2},
        {"{,}", "string or '}' expected near ','", 2},
        {"{1:1}", "string or '}' expected near '1'", 2},
        {"{a:1}", "string or '}' expected near 'a'", 2},
        {"{'a':1}", "string or '}' expected near ''a''", 2},
        {"{\"a\"}", "':' expected near '}'", 5},
        {"{\"a\",1}", "':' expected near ','", 5},
        {"{\"a\" \"b\"}", "':' expected near '\"b\"'", 6},
        {"{\"a\"", "':' expected near end of file", 4},
        {"{\"a\":", "a value expected near end of file", 5},
        {"{\"a\":}", "a value expected near '}'", 6},
        {"{\"a\"::1}", "a value expected near ':'", 6},
        {"{\"a\":1", "',' or '}' expected near end of file", 6},
        {"{\"a\":1]", "',' or '}' expected near ']'", 7},
        {"{\"a\":1 \"b\":2}", "',' or '}' expected near '\"b\"'", 8},
        {"{\"a\":1,}", "string expected near '}'", 8},
        {"{\"a\":1,,\"b\":2}", "string expected near ','", 8},
        {"{\"a\":1,2}", "string expected near '2'", 8},
        {"{\"a\":1,", "string expected near end of file", 7},
        {"1 2", "end of file expected near '2'", 3},
        {"[]]", "end of file expected near ']'", 3},
        {"{}}", "end of file expected near '}'", 3},
        {"[][]", "end of file expected near '['", 3},
        {"\"a\"\"b\"", "end of file expected near '\"b\"'", 4},
        {"[1]x", "end of file expected near 'x'", 4},
        {"[1]//c", "end of file expected near '//c'", 4},
        {"/*c*/1", "invalid token near '/*c*/1'", 1},
        {"#", "invalid token near '#'", 1},
        {"[\f1]", "control character 0xc", 2},
        {"[\xc2\xa0 1]", "invalid token near '\xc2\xa0'", 2},
        {"[\xe9]", "unable to decode byte 0xe9", 2},
        {"\xef\xbb\xbf[]", "a byte order mark", 1},
        {"\xef\xbb", "unable to decode byte 0xef", 1},
        {"\xff\xfe[", "unable to decode byte 0xff", 1},
        {"[\x7f]", "invalid token near '?'", 2},
        {"<html a>", "invalid token near '<html'", 1},
    };

    refuse(rows, COUNT(rows));
    ck_assert_str_eq(mistake(""), "the text is empty");
    ck_assert_str_eq(dsapi_json_mistake(NULL, 0, g_pool), "the text is empty");
}
END_TEST

START_TEST(literals_and_numbers_are_strict)
{
    static const row_t rows[] = {
        {"nul", "invalid token near 'nul'", 1},
        {"Null", "invalid token near 'Null'", 1},
        {"[TRUE]", "invalid token near 'TRUE'", 2},
        {"truefalse", "end of file expected near 'false'", 5},
        {"[truex]", "',' or ']' expected near 'x'", 6},
        {"[NaN]", "invalid token near 'NaN'", 2},
        {"[Infinity]", "invalid token near 'Infinity'", 2},
        {"[-Infinity]", "invalid number near '-Infinity'", 2},
        {"-", "invalid number near '-'", 1},
        {"--1", "invalid number near '--1'", 1},
        {"+1", "invalid token near '+1'", 1},
        {".5", "invalid token near '.5'", 1},
        {"[-.5]", "invalid number near '-.5'", 2},
        {"00", "invalid number near '00'", 1},
        {"01", "invalid number near '01'", 1},
        {"-01", "invalid number near '-01'", 1},
        {"1.", "invalid number near '1.'", 1},
        {"1.e1", "invalid number near '1.e1'", 1},
        {"1.5.5", "end of file expected near '.5'", 4},
        {"1e", "invalid number near '1e'", 1},
        {"1e+", "invalid number near '1e+'", 1},
        {"[1E-]", "invalid number near '1E-'", 2},
        {"1e1.5", "end of file expected near '.5'", 4},
        {"1e1e1", "end of file expected near 'e1'", 4},
        {"0x10", "end of file expected near 'x10'", 2},
        {"1_000", "end of file expected near '_000'", 2},
        {"[1,000]", "invalid number near '000'", 4},
        {"[1e309]", "real number overflow near '1e309'", 2},
        {"-1e999999999999999999999",
         "real number overflow near "
         "'-1e999999999999999999999'",
         1},
    };

    refuse(rows, COUNT(rows));
}
END_TEST

START_TEST(strings_are_strict)
{
    static const row_t rows[] = {
        {"\"", "premature end of input", 1},
        {"[\"open", "premature end of input", 6},
        {"\"a\\\"", "premature end of input", 4},
        {"'a'", "invalid token near ''a''", 1},
        {"\"a\tb\"", "control character 0x9", 3},
        {"\"a\nb\"", "control character 0xa", 3},
        {"\"\x1f\"", "control character 0x1f", 2},
        {"\"\\x41\"", "invalid escape near '\\x41'", 2},
        {"\"\\a\"", "invalid escape near '\\a'", 2},
        {"\"\\'\"", "invalid escape near '\\''", 2},
        {"\"\\", "invalid escape near '\\'", 2},
        {"\"\\u\"", "invalid escape near '\\u'", 2},
        {"\"\\u12", "invalid escape near '\\u12'", 2},
        {"\"\\u12\"", "invalid escape near '\\u12'", 2},
        {"\"\\u123g\"", "invalid escape near '\\u123g'", 2},
        {"\"\\U0041\"", "invalid escape near '\\U0041'", 2},
        {"\"ab\\u0000\"", "\\u0000 is not allowed near '\\u0000'", 4},
        {"{\"\\u0000\":1}", "\\u0000 is not allowed near '\\u0000'", 3},
        {"\"\\ud800\"", "invalid Unicode surrogate near '\\ud800'", 2},
        {"\"\\uDBFFx\"", "invalid Unicode surrogate near '\\uDBFFx'", 2},
        {"\"\\udc00\"", "invalid Unicode surrogate near '\\udc00'", 2},
        {"\"\\ud800\\n12345\"",
         "invalid Unicode surrogate near "
         "'\\ud800\\n12345'",
         2},
        {"\"\\ud800\\u0041\"",
         "invalid Unicode surrogate near "
         "'\\ud800\\u0041'",
         2},
        {"\"\\ud800\\ud800\"",
         "invalid Unicode surrogate near "
         "'\\ud800\\ud800'",
         2},
        {"\"\\ud800\\udc0",
         "invalid Unicode surrogate near "
         "'\\ud800\\udc0'",
         2},
        {"\"\x80\"", "unable to decode byte 0x80", 2},
        {"\"\xc0\xaf\"", "unable to decode byte 0xc0", 2},
        {"\"\xc3\"", "unable to decode byte 0xc3", 2},
        {"\"\xc3", "unable to decode byte 0xc3", 2},
        {"\"\xe0\x9f\xbf\"", "unable to decode byte 0xe0", 2},
        {"\"\xed\xa0\x80\"", "unable to decode byte 0xed", 2},
        {"\"\xe2\x82\"", "unable to decode byte 0xe2", 2},
        {"\"\xf0\x8f\xbf\xbf\"", "unable to decode byte 0xf0", 2},
        {"\"\xf4\x90\x80\x80\"", "unable to decode byte 0xf4", 2},
        {"\"\xf5\x80\x80\x80\"", "unable to decode byte 0xf5", 2},
        {"\"\xc3\xb1\xf1o\"", "unable to decode byte 0xf1", 3},
    };

    refuse(rows, COUNT(rows));
}
END_TEST

START_TEST(no_name_comes_twice)
{
    static const row_t rows[] = {
        {"{\"a\":1,\"a\":1}", "duplicate object key near '\"a\"'", 8},
        {"{\"\":1,\"\":1}", "duplicate object key near '\"\"'", 7},
        {"{\"a\":1,\"\\u0061\":1}", "duplicate object key near '\"\\u0061\"'",
         8},
        {"{\"\\u0061\":1,\"a\":1}", "duplicate object key near '\"a\"'", 13},
        {"{\"\\n\":1,\"\\u000A\":1}", "duplicate object key near '\"\\u000A\"'",
         9},
        {"{\"\xf0\x9f\x8c\x8d\":1,\"\\ud83c\\udf0d\":1}",
         "duplicate object key near '\"\\ud83c\\udf0d\"'", 8},
        {"{\"/\":1,\"\\/\":1}", "duplicate object key near '\"\\/\"'", 8},
        {"[{\"a\":1},{\"b\":{\"c\":1,\"d\":[],\"c\":2}}]",
         "duplicate object key near '\"c\"'", 29},
        {"{\"a\":{\"b\":1},\"b\":[{\"a\":1}],\"a\":2}",
         "duplicate object key near '\"a\"'", 28},
        {"{\"one\":1,\"two\":1,\"two\":1,\"one\":1}",
         "duplicate object key near '\"two\"'", 18},
    };

    refuse(rows, COUNT(rows));
}
END_TEST

/* An object of that many names, the last of which is the one at again. */
static const char *object_of(int count, int again, int escaped)
{
    const char *text = "{";

    for (int i = 0; i < count - 1; i++) {
        text = apr_psprintf(g_scratch, "%s\"n%d\":[{\"n%d\":1}],", text, i, i);
    }
    return apr_psprintf(g_scratch, "%s\"%s%d\":1}", text,
                        escaped ? "\\u006e" : "n", again);
}

START_TEST(a_name_is_found_again_however_many_there_are)
{
    static const int counts[] = {2, 3, 47, 48, 49, 50, 120};

    for (int i = 0; i < COUNT(counts); i++) {
        for (int again = 0; again < counts[i]; again++) {
            for (int escaped = 0; escaped < 2; escaped++) {
                const char *text = object_of(counts[i], again, escaped);
                const char *why = mistake(text);

                ck_assert_msg(!why == (again == counts[i] - 1), "%s", text);
                if (why) {
                    ck_assert_ptr_nonnull(strstr(
                        why, apr_psprintf(
                                 g_scratch, "column %d: duplicate object key",
                                 (int)(strrchr(text, ',') - text) + 2)));
                }
                apr_pool_clear(g_scratch);
            }
        }
    }
}
END_TEST

START_TEST(the_first_of_several_is_told)
{
    char text[4096] = "{";
    char *p = text + 1;

    for (int i = 0; i < 100; i++) {
        p += snprintf(p, 32, "%s\"n%d\":1", i ? "," : "", i);
    }
    snprintf(p, 64, ",\n\"n70\":1,\n\"n3\":1,\"n3\":1,\"n9\":1}");
    ck_assert_str_eq(mistake(text), "line 2, column 1: duplicate object key "
                                    "near '\"n70\"'");
}
END_TEST

START_TEST(a_place_is_a_line_and_a_column_of_characters)
{
    ck_assert_str_eq(mistake("{\n  \"a\": x}"), "line 2, column 8: invalid "
                                                "token near 'x'");
    ck_assert_str_eq(mistake("[\r\n\"\xc3\xb1\xe2\x82\xac\",?]"), "line 2, "
                                                                  "column 6: "
                                                                  "invalid "
                                                                  "token near "
                                                                  "'?'");
    ck_assert_str_eq(mistake("[1,\n"), "line 2, column 0: a value expected "
                                       "near end of file");
    ck_assert_str_eq(mistake_n("[\n\"\xc3\xb1\",1\0]", 10), "line 2, column 6: "
                                                            "a NUL byte");
    ck_assert_str_eq(mistake_n("\0", 1), "line 1, column 1: a NUL byte");
    ck_assert_str_eq(mistake_n("\"\0\"", 3), "line 1, column 2: a NUL byte");
    ck_assert_str_eq(mistake_n("\"\\\0\"", 4), "line 1, column 2: invalid "
                                               "escape near '\\'");
    ck_assert_str_eq(mistake_n("1\0", 2), "line 1, column 2: a NUL byte");
    ck_assert_str_eq(mistake_n("true\0", 5), "line 1, column 5: a NUL byte");
}
END_TEST

START_TEST(a_quote_is_short_and_clean)
{
    static const char end[] = "\":1,\"x\":1,\"x\":1}";
    const char *text = "[";

    ck_assert_str_eq(mistake("[1 \"a b\x7f\",2]"), "line 1, column 4: ',' or "
                                                   "']' expected near '\"a "
                                                   "b?\"'");
    ck_assert_str_eq(mistake("[1 \"a\xff\",2]"), "line 1, column 4: ',' or "
                                                 "']' expected near '\"a'");
    ck_assert_str_eq(mistake("[1 \"a\x01\",2]"), "line 1, column 4: ',' or "
                                                 "']' expected near '\"a'");
    for (int i = 0; i < 60; i++) {
        text = apr_pstrcat(g_pool, text, i % 3 ? "x" : "\xe2\x82\xac", NULL);
        ck_assert_ptr_nonnull(mistake(text));
        ck_assert_ptr_nonnull(
            mistake(apr_pstrcat(g_pool, "[1 \"", text, "\"]", NULL)));
        ck_assert_ptr_nonnull(
            mistake(apr_pstrcat(g_pool, "{\"", text, end, NULL)));
    }
}
END_TEST

/* ---- numbers ---- */

static int is_beyond(const char *number)
{
    const char *why = mistake(number);

    ck_assert_msg(!why || strstr(why, "real number overflow"), "%s: %s", number,
                  why);
    return why != NULL;
}

/* 2^1024 - 2^970, where doubles end, and how its digits may be written */
START_TEST(numbers_end_where_doubles_do)
{
    static const char limit[] =
        "17976931348623158079372897140530341507993413271003782693617377898044"
        "49682927647509466490179775872070963302864166928879109465555478519404"
        "02630657488671505820681908902000708383676273854845817711531764475730"
        "27006985557136695962284291481986083493647529271907416844436551070434"
        "2711559699508093042880177904174497792";
    const apr_size_t len = sizeof(limit) - 1;
    char below[sizeof(limit)];

    memcpy(below, limit, sizeof(limit));
    memcpy(below + len - 3, "791", 4);
    for (apr_size_t point = 1; point <= len; point += 44) {
        for (int sign = 0; sign < 2; sign++) {
            int rest = (int)(len - point);
            const char *form = rest ? "%s%.*s.%se%d" : "%s%.*s%s";
            const char *minus = sign ? "-" : "";

            ck_assert(is_beyond(apr_psprintf(g_pool, form, minus, (int)point,
                                             limit, limit + point, rest)));
            ck_assert(!is_beyond(apr_psprintf(g_pool, form, minus, (int)point,
                                              below, below + point, rest)));
        }
    }
    ck_assert(!is_beyond(apr_psprintf(g_pool, "%s.999", below)));
    ck_assert(is_beyond(apr_psprintf(g_pool, "%s.0", limit)));
    ck_assert(is_beyond(apr_psprintf(g_pool, "%s0e-1", limit)));
    ck_assert(is_beyond(apr_psprintf(g_pool, "0.0%se310", limit)));
    ck_assert(!is_beyond(apr_psprintf(g_pool, "0.0%se309", limit)));
    ck_assert(is_beyond("0.000179769313486231581e312"));
    ck_assert(!is_beyond("0.000179769313486231580e312"));
    ck_assert(is_beyond("17976931348623158079372897140530341508e271"));
    ck_assert(!is_beyond("17976931348623158079372897140530341507e271"));
    ck_assert(is_beyond("2e308"));
    ck_assert(!is_beyond("0.1e309"));
    ck_assert(is_beyond("1e309"));
    ck_assert(!is_beyond("0e309"));
    ck_assert(!is_beyond("1e-99999999999999999999"));
}
END_TEST

START_TEST(a_long_number_is_read_whole)
{
    apr_size_t len = 1000000;
    char *text = malloc(len + 16);

    memset(text, '0', len);
    text[0] = '1';
    ck_assert_ptr_nonnull(mistake_n(text, len));
    snprintf(text + len, 16, "e%d", -999700);
    ck_assert_ptr_null(mistake_n(text, len + 8));
    snprintf(text + len, 16, "e%d", -999600);
    ck_assert_ptr_nonnull(mistake_n(text, len + 8));
    text[0] = '0';
    text[1] = '.';
    text[len - 1] = '1';
    snprintf(text + len, 16, "e%d", 1000306);
    ck_assert_ptr_null(mistake_n(text, len + 8));
    snprintf(text + len, 16, "e%d", 1000307);
    ck_assert_ptr_nonnull(mistake_n(text, len + 8));
    free(text);
}
END_TEST

/* ---- levels and sizes ---- */

static const char *nested(int depth, const char *open, const char *inside,
                          const char *close)
{
    apr_size_t width = strlen(open);
    apr_size_t len = (apr_size_t)depth * (width + 1) + strlen(inside);
    char *text = apr_palloc(g_pool, len + 1);
    char *p = text;

    for (apr_size_t i = 0; i < (apr_size_t)depth * width; i++) {
        *p++ = open[i % width];
    }
    snprintf(p, strlen(inside) + 1, "%s", inside);
    memset(p + strlen(inside), *close, (apr_size_t)depth);
    text[len] = '\0';
    return text;
}

START_TEST(levels_end_at_2048)
{
    ck_assert_ptr_null(mistake(nested(2048, "[", "", "]")));
    ck_assert_ptr_nonnull(mistake(nested(2048, "[", "1,{\"a\":2}", "]")));
    ck_assert_ptr_null(mistake(nested(2048, "[", "1", "]")));
    ck_assert_ptr_null(mistake(nested(2048, "{\"a\":", "1", "}")));
    ck_assert_ptr_null(mistake(nested(2047, "[", "[],{},[]", "]")));
    ck_assert_str_eq(mistake(nested(2049, "[", "", "]")), "line 1, column "
                                                          "2049: maximum "
                                                          "parsing depth "
                                                          "reached near "
                                                          "'['");
    ck_assert_ptr_nonnull(mistake(nested(2049, "{\"a\":", "1", "}")));
    ck_assert_ptr_nonnull(mistake(nested(20000, "[", "", "]")));
    /* closed brackets do not count */
    ck_assert_ptr_null(
        mistake(apr_pstrcat(g_pool, "[", nested(2047, "[", "", "]"), ",",
                            nested(2047, "{\"a\":", "1", "}"), "]", NULL)));
}
END_TEST

/* An object of a million names, each as the printf format makes it */
static char *million(apr_size_t *plen, const char *format)
{
    char *text = malloc(1000000 * 16 + 64);
    char *p = text;

    for (int i = 0; i < 1000000; i++) {
        *p++ = i ? ',' : '{';
        p += snprintf(p, 16, format, i);
    }
    *p++ = '}';
    *plen = (apr_size_t)(p - text);
    return text;
}

START_TEST(a_million_names_are_compared)
{
    apr_size_t len;
    char *text = million(&len, "\"k%d\":1");

    ck_assert_ptr_null(mistake_n(text, len));
    snprintf(text + len - 1, 16, ",\"k\\u0031\":2}");
    ck_assert_ptr_nonnull(strstr(mistake_n(text, len + 12), "duplicate"));
    free(text);
}
END_TEST

START_TEST(a_million_equal_names_are_compared)
{
    apr_size_t len;
    char *text = million(&len, "\"k\":%d");

    ck_assert_str_eq(mistake_n(text, len), "line 1, column 8: duplicate object "
                                           "key near '\"k\"'");
    free(text);
}
END_TEST

START_TEST(a_string_of_ten_megabytes_is_taken)
{
    const apr_size_t len = 10000000;
    char *text = malloc(len);

    memset(text, 'x', len);
    text[0] = text[len - 1] = '"';
    ck_assert_ptr_null(mistake_n(text, len));
    text[len - 2] = '\x1f';
    ck_assert_str_eq(mistake_n(text, len), "line 1, column 9999999: control "
                                           "character 0x1f");
    free(text);
}
END_TEST

/* ASan's shadow is not to be limited. */
#ifdef __SANITIZE_ADDRESS__
#define MEMORY_CAN_BE_LIMITED 0
#else
#define MEMORY_CAN_BE_LIMITED 1
#endif

static struct rlimit limit_memory(rlim_t more_bytes)
{
    struct rlimit before;
    struct rlimit now;
    char line[80];
    rlim_t pages;
    FILE *statm = fopen("/proc/self/statm", "r");

    ck_assert_ptr_nonnull(statm);
    ck_assert_ptr_nonnull(fgets(line, sizeof(line), statm));
    fclose(statm);
    pages = strtoul(line, NULL, 10);
    ck_assert_uint_gt(pages, 0);
    getrlimit(RLIMIT_AS, &before);
    now = before;
    now.rlim_cur = pages * (rlim_t)sysconf(_SC_PAGESIZE) + more_bytes;
    ck_assert_int_eq(setrlimit(RLIMIT_AS, &now), 0);
    return before;
}

/* 20 MB of values; where memory is out, pools and buffers end the process. */
START_TEST(memory_does_not_grow_with_the_text)
{
    static const char record[] = "{\"a\":[1,{}],\"\\u0062\":\"text\"},";
    const apr_size_t width = sizeof(record) - 1;
    const apr_size_t count = 700000;
    char *text = malloc(1 + count * width);
    struct rlimit before;
    const char *why;

    if (!MEMORY_CAN_BE_LIMITED) {
        free(text);
        return;
    }
    text[0] = '[';
    for (apr_size_t i = 0; i < count; i++) {
        memcpy(text + 1 + i * width, record, width);
    }
    text[count * width] = ']';
    before = limit_memory(1 << 20);
    why = dsapi_json_mistake(text, count * width + 1, g_scratch);
    setrlimit(RLIMIT_AS, &before);
    ck_assert_msg(!why, "%s", why);
    free(text);
}
END_TEST

UNIT_SUITE(json_check, what_is_json_is_taken, structure_is_strict,
           literals_and_numbers_are_strict, strings_are_strict,
           no_name_comes_twice, a_name_is_found_again_however_many_there_are,
           the_first_of_several_is_told,
           a_place_is_a_line_and_a_column_of_characters,
           a_quote_is_short_and_clean, numbers_end_where_doubles_do,
           a_long_number_is_read_whole, levels_end_at_2048,
           a_million_names_are_compared, a_million_equal_names_are_compared,
           a_string_of_ten_megabytes_is_taken,
           memory_does_not_grow_with_the_text)
