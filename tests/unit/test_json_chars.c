/* json/chars: words of eight bytes, escapes. */
#include "json/chars.h"

#include "unit/unit.h"

START_TEST(a_word_tells_its_special_bytes)
{
    for (unsigned byte = 0; byte < 256; byte++) {
        int is_special = byte < 0x20 || byte == '"' || byte == '\\';

        for (int at = 0; at < 8; at++) {
            apr_uint64_t plain = DSAPI_JSON_EACH_BYTE('a');
            apr_uint64_t word = plain ^ ((apr_uint64_t)('a' ^ byte) << 8 * at);
            apr_uint64_t hits = dsapi_json_specials(word);

            ck_assert_uint_eq(hits != 0, is_special);
            if (is_special) { /* the lowest one is exact */
                ck_assert_uint_eq(hits & (0 - hits), APR_UINT64_C(0x80)
                                                         << 8 * at);
            }
        }
    }
}
END_TEST

START_TEST(four_hexadecimal_digits_are_a_number)
{
    ck_assert_int_eq(dsapi_json_hex4("0000"), 0);
    ck_assert_int_eq(dsapi_json_hex4("00e9x"), 0xe9);
    ck_assert_int_eq(dsapi_json_hex4("aBcD"), 0xabcd);
    ck_assert_int_eq(dsapi_json_hex4("FFFF"), 0xffff);
    ck_assert_int_eq(dsapi_json_hex4("9876"), 0x9876);
    for (int c = 0; c < 256; c++) {
        for (int at = 0; at < 4; at++) {
            char text[] = "1111";
            int is_hex = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') ||
                         (c >= 'A' && c <= 'F');

            text[at] = (char)c;
            ck_assert_int_eq(dsapi_json_hex4(text) >= 0, is_hex);
        }
    }
}
END_TEST

START_TEST(an_escape_becomes_utf8)
{
    static const struct {
        const char *text;
        const char *expected;
        int taken;
    } rows[] = {
        {"\\\"", "\"", 2},
        {"\\\\n", "\\", 2},
        {"\\/", "/", 2},
        {"\\b", "\b", 2},
        {"\\f", "\f", 2},
        {"\\n", "\n", 2},
        {"\\r", "\r", 2},
        {"\\t", "\t", 2},
        {"\\u0041B", "A", 6},
        {"\\u007f", "\x7f", 6},
        {"\\u0080", "\xc2\x80", 6},
        {"\\u07FF", "\xdf\xbf", 6},
        {"\\u0800", "\xe0\xa0\x80", 6},
        {"\\uffff", "\xef\xbf\xbf", 6},
        {"\\ud800\\udc00", "\xf0\x90\x80\x80", 12},
        {"\\uDBFF\\uDFFF\\u0041", "\xf4\x8f\xbf\xbf", 12},
    };

    for (int i = 0; i < (int)(sizeof(rows) / sizeof(rows[0])); i++) {
        const char *p = rows[i].text;
        char out[5];

        *dsapi_json_unescape(out, &p) = '\0';
        ck_assert_str_eq(out, rows[i].expected);
        ck_assert_int_eq(p - rows[i].text, rows[i].taken);
    }
}
END_TEST

UNIT_SUITE(json_chars, a_word_tells_its_special_bytes,
           four_hexadecimal_digits_are_a_number, an_escape_becomes_utf8)
