#include <apr_strings.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "unit/unit.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* A copy of exactly that size: a sanitizer sees any byte read beyond. */
static char *exact_copy(const char *s, size_t len)
{
    char *copy = malloc(len ? len : 1);

    ck_assert_ptr_nonnull(copy);
    memcpy(copy, s, len);
    return copy;
}

static int valid(const char *s, size_t len)
{
    char *copy = exact_copy(s, len);
    int is_valid = dsapi_base_utf8_valid(copy, len);

    free(copy);
    return is_valid;
}

/* Write a code point in n bytes, however wrong that is. */
static void put_sequence(char *s, unsigned long code, int n)
{
    static const unsigned char first[] = {0, 0, 0xC0, 0xE0, 0xF0, 0xF8};

    for (int i = n - 1; i > 0; i--) {
        s[i] = (char)(0x80 | (code & 0x3F));
        code >>= 6;
    }
    s[0] = (char)(n == 1 ? code : first[n] | code);
}

START_TEST(a_character_tells_its_length)
{
    ck_assert_uint_eq(dsapi_base_utf8_length("ab", 2), 1);
    ck_assert_uint_eq(dsapi_base_utf8_length("\0", 1), 1);
    ck_assert_uint_eq(dsapi_base_utf8_length("\xc3\xb1z", 3), 2);
    ck_assert_uint_eq(dsapi_base_utf8_length("\xe2\x82\xac", 3), 3);
    ck_assert_uint_eq(dsapi_base_utf8_length("\xf0\x9f\x8c\x8d", 4), 4);
    ck_assert_uint_eq(dsapi_base_utf8_length("\xe2\x82\xac", 2), 0);
    ck_assert_uint_eq(dsapi_base_utf8_length("\x80", 1), 0);
}
END_TEST

START_TEST(utf8_takes_exactly_the_shortest_form_of_every_scalar)
{
    for (unsigned long code = 0; code <= 0x1FFFFF; code++) {
        int shortest = code < 0x80      ? 1
                       : code < 0x800   ? 2
                       : code < 0x10000 ? 3
                                        : 4;
        int scalar = code <= 0x10FFFF && (code < 0xD800 || code > 0xDFFF);

        for (int n = shortest; n <= 4; n++) {
            char s[4];

            put_sequence(s, code, n);
            if (dsapi_base_utf8_valid(s, (apr_size_t)n) !=
                (scalar && n == shortest)) {
                ck_abort_msg("U+%04lX in %d bytes", code, n);
            }
        }
    }
}
END_TEST

START_TEST(utf8_refuses_broken_sequences)
{
    static const char *const broken[] = {
        "\x80",           "\xBF",          "a\x80",
        "\xC3",           "\xC3(",         "\xE2\x82",
        "\xE2(\xAC",      "\xE2\x82(",     "\xF0\x9F\x98",
        "\xF0\x9F\x98(",  "\xC3\xC3\xA9",  "\xE2\x82\xE2\x82\xAC",
        "\xFE",           "\xFF",          "\xF8\x88\x80\x80\x80",
        "ok\xC3\xA9\xC3", "\xF0\x9F(\x80", "\xF5\x80\x80\x80"};

    for (size_t i = 0; i < COUNT(broken); i++) {
        ck_assert_msg(!valid(broken[i], strlen(broken[i])), "case %zu", i);
    }
}
END_TEST

START_TEST(utf8_takes_text_nothing_and_nul)
{
    ck_assert_int_eq(valid("", 0), 1);
    ck_assert_int_eq(dsapi_base_utf8_valid(NULL, 0), 1);
    ck_assert_int_eq(valid("a\0b", 3), 1);
    ck_assert_int_eq(valid("Bogot\xC3\xA1 \xE2\x82\xAC \xF0\x9F\x98\x80", 16),
                     1);
}
END_TEST

START_TEST(utf8_reads_no_further_than_its_length)
{
    ck_assert_int_eq(valid("\xE2\x82\xAC", 2), 0);
    ck_assert_int_eq(valid("\xE2\x82\xAC", 1), 0);
    ck_assert_int_eq(valid("a\xFF", 1), 1);
}
END_TEST

START_TEST(percent_encode_keeps_only_the_unreserved)
{
    static const char unreserved[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                     "abcdefghijklmnopqrstuvwxyz"
                                     "0123456789-._~";

    ck_assert_str_eq(dsapi_base_percent_encode(unreserved, g_pool), unreserved);
    for (int c = 1; c < 256; c++) {
        const char in[] = {(char)c, '\0'};
        const char *want = in;

        if (!strchr(unreserved, c)) {
            want = apr_psprintf(g_pool, "%%%02X", (unsigned)c);
        }
        ck_assert_str_eq(dsapi_base_percent_encode(in, g_pool), want);
    }
}
END_TEST

START_TEST(percent_encode_takes_nothing_and_text)
{
    ck_assert_str_eq(dsapi_base_percent_encode("", g_pool), "");
    ck_assert_str_eq(dsapi_base_percent_encode("a/b c?\xC3\xA9", g_pool), "a%"
                                                                          "2Fb%"
                                                                          "20c%"
                                                                          "3F%"
                                                                          "C3%"
                                                                          "A9");
}
END_TEST

/* The pairs in one line: name<value>. */
static const char *form_of(const char *s, size_t len)
{
    char *copy = exact_copy(s, len);
    const apr_array_header_t *pairs = dsapi_base_form_parse(copy, len, g_pool);
    const char *shown = "";

    free(copy);
    for (int i = 0; i < pairs->nelts; i++) {
        const dsapi_pair_t *pair = &APR_ARRAY_IDX(pairs, i, dsapi_pair_t);

        ck_assert_ptr_null(pair->why);
        shown =
            apr_pstrcat(g_pool, shown, pair->name, "<", pair->value, ">", NULL);
    }
    return shown;
}

static const char *form(const char *s)
{
    return form_of(s, strlen(s));
}

START_TEST(form_gives_the_pairs_in_order)
{
    ck_assert_str_eq(form("b=1&a=2&b=3"), "b<1>a<2>b<3>");
}
END_TEST

START_TEST(form_takes_nothing)
{
    ck_assert_str_eq(form(""), "");
    ck_assert_int_eq(dsapi_base_form_parse(NULL, 0, g_pool)->nelts, 0);
}
END_TEST

START_TEST(form_decodes_names_and_values)
{
    ck_assert_str_eq(form("a%20b=%C3%A9%2b%2B&x+y=1+2"), "a b<\xC3\xA9++>"
                                                         "x y<1 2>");
    ck_assert_str_eq(form("a=%26%3D%25"), "a<&=%>");
}
END_TEST

START_TEST(form_gives_a_pair_without_equals_an_empty_value)
{
    ck_assert_str_eq(form("a&b=&c"), "a<>b<>c<>");
}
END_TEST

START_TEST(form_cuts_at_the_first_equals)
{
    ck_assert_str_eq(form("a=b=c&d==&=e"), "a<b=c>d<=><e>");
}
END_TEST

START_TEST(form_skips_empty_pairs)
{
    ck_assert_str_eq(form("&&a=1&&b=2&"), "a<1>b<2>");
    ck_assert_str_eq(form("&"), "");
}
END_TEST

START_TEST(form_keeps_control_characters)
{
    ck_assert_str_eq(form("a=%0A%7F\x01"), "a<\n\x7F\x01>");
}
END_TEST

START_TEST(form_ends_at_its_length)
{
    ck_assert_str_eq(form_of("a=12&b=3", 3), "a<1>");
    ck_assert_str_eq(form_of("a=12&b=3", 5), "a<12>");
}
END_TEST

/* What would be right in the first pair that is wrong, of that name. */
static const char *refused(const char *s, size_t len, const char *name)
{
    char *copy = exact_copy(s, len);
    const apr_array_header_t *pairs = dsapi_base_form_parse(copy, len, g_pool);
    const dsapi_pair_t nothing = {NULL, NULL, NULL};
    const dsapi_pair_t *wrong = &nothing;

    free(copy);
    for (int i = 0; i < pairs->nelts; i++) {
        const dsapi_pair_t *pair = &APR_ARRAY_IDX(pairs, i, dsapi_pair_t);

        ck_assert_int_eq(pair->value == NULL, pair->why != NULL);
        if (pair->why && !wrong->why) {
            wrong = pair;
        }
    }
    ck_assert_msg(wrong->why != NULL, "'%s' is taken", s);
    ck_assert_pstr_eq(wrong->name, name);
    return wrong->why;
}

START_TEST(form_refuses_a_malformed_escape)
{
    static const char *const forms[] = {"x=%",      "x=%4",   "x=%4G",
                                        "x=%G4",    "x=%%41", "x=1%&y=2",
                                        "x=%4&1=2", "x=%-1",  "x=100%"};

    for (size_t i = 0; i < COUNT(forms); i++) {
        ck_assert_str_eq(refused(forms[i], strlen(forms[i]), "x"), "must have "
                                                                   "two "
                                                                   "hexadecimal"
                                                                   " digits "
                                                                   "after each "
                                                                   "'%'");
    }
    refused("x=%41", 4, "x");
    refused("x=%41", 3, "x");
}
END_TEST

START_TEST(form_refuses_nul)
{
    ck_assert_str_eq(refused("a=1&x=b%00c", 11, "x"), "must not contain a NUL "
                                                      "character");
    refused("a=1&x=b\0c", 9, "x");
}
END_TEST

START_TEST(form_refuses_what_is_not_utf8)
{
    ck_assert_str_eq(refused("x=%FF", 5, "x"), "must be UTF-8");
    refused("x=%C3", 5, "x");
    refused("x=\xE9", 3, "x");
    refused("x=%ED%A0%80", 11, "x");
    refused("x=%C3&y=%A9", 11, "x");
}
END_TEST

START_TEST(form_has_no_name_where_that_is_wrong)
{
    ck_assert_str_eq(refused("%=1", 3, NULL), "must have two hexadecimal "
                                              "digits after each '%'");
    ck_assert_str_eq(refused("a=1&&%FF=2", 10, NULL), "must be UTF-8");
    ck_assert_str_eq(refused("a&b&%00", 7, NULL), "must not contain a NUL "
                                                  "character");
}
END_TEST

START_TEST(form_goes_on_behind_what_is_wrong)
{
    static const char text[] = "a=%FF&%=1&b=2&c=%&d";
    static const struct {
        const char *name;
        const char *value;
        int wrong;
    } rows[] = {{"a", NULL, 1},
                {NULL, NULL, 1},
                {"b", "2", 0},
                {"c", NULL, 1},
                {"d", "", 0}};
    const apr_array_header_t *pairs =
        dsapi_base_form_parse(text, sizeof(text) - 1, g_pool);

    ck_assert_int_eq(pairs->nelts, COUNT(rows));
    for (int i = 0; i < pairs->nelts; i++) {
        const dsapi_pair_t *pair = &APR_ARRAY_IDX(pairs, i, dsapi_pair_t);

        ck_assert_pstr_eq(pair->name, rows[i].name);
        ck_assert_pstr_eq(pair->value, rows[i].value);
        ck_assert_int_eq(pair->why != NULL, rows[i].wrong);
    }
}
END_TEST

UNIT_SUITE(base_text, a_character_tells_its_length,
           utf8_takes_exactly_the_shortest_form_of_every_scalar,
           utf8_refuses_broken_sequences, utf8_takes_text_nothing_and_nul,
           utf8_reads_no_further_than_its_length,
           percent_encode_keeps_only_the_unreserved,
           percent_encode_takes_nothing_and_text, form_gives_the_pairs_in_order,
           form_takes_nothing, form_decodes_names_and_values,
           form_gives_a_pair_without_equals_an_empty_value,
           form_cuts_at_the_first_equals, form_skips_empty_pairs,
           form_keeps_control_characters, form_ends_at_its_length,
           form_refuses_a_malformed_escape, form_refuses_nul,
           form_refuses_what_is_not_utf8, form_has_no_name_where_that_is_wrong,
           form_goes_on_behind_what_is_wrong)
