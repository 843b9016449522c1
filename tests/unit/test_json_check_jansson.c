/* json/check beside jansson, which has to judge every text alike. */
#include <jansson.h>
#include <stdio.h>

#include "json/check.h"
#include "unit/edge.h"
#include "unit/unit.h"

#define COUNT(a) (int)(sizeof(a) / sizeof((a)[0]))

/* jansson overlooks a NUL behind a number, and counts a scalar as a level
 * (no text here is that deep). */
static int jansson_takes(const char *text, apr_size_t len)
{
    json_t *tree;

    if (memchr(text, '\0', len)) {
        return 0;
    }
    tree = json_loadb(text, len,
                      JSON_REJECT_DUPLICATES | JSON_DECODE_ANY |
                          JSON_DECODE_INT_AS_REAL,
                      NULL);
    json_decref(tree);
    return tree != NULL;
}

static int agreed(const char *text, apr_size_t len)
{
    const char *why =
        dsapi_json_mistake(unit_at_the_edge(text, len), len, g_scratch);
    int taken = jansson_takes(text, len);

    ck_assert_msg(taken == !why, "jansson %s, we say '%s': %.*s",
                  taken ? "takes" : "refuses", why ? why : "good", (int)len,
                  text);
    apr_pool_clear(g_scratch);
    return taken;
}

static apr_uint64_t state = APR_UINT64_C(0x9e3779b97f4a7c15);

/* @return a number below that */
static apr_size_t any(apr_size_t below)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (apr_size_t)(state >> 11) % below;
}

static const char *const seeds[] = {
    "{\"a\":1,\"b\":[true,false,null],\"c\":{\"d\":\"e\",\"f\":-1.5e3}}",
    "[0,-0,1.5,10e2,1E-2,123456789012345678901234567890,0.5e+3]",
    "{\"\\u0061\":\"\\ud83c\\udf0d\",\"b\":\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"}",
    "[\"Nari\xc3\xb1o\",\"\xe2\x82\xac\",\"\xf0\x9f\x8c\x8d\",\"plain\"]",
    " [ { \"x\" : 1 } ,\n\t{ \"x\" : 2 } , [ ] , { } ]\r\n",
    "{\"aa\":1,\"ab\":2,\"ba\":3,\"bb\":4,\"\":5,\"a\\u0061a\":6}",
    "[[[[[[]]]]],[[],[[],{}]],{\"a\":{\"a\":{\"a\":[]}}}]",
    "\"a string of more than sixteen bytes, and a few words\"",
    "[1.7976931348623157e308,-1.7976931348623159e308,2e-400,1e308]",
};
static const char *const pieces[] = {
    "\"",       "\\",       "{",       "}",    "[",
    "]",        ",",        ":",       "0",    "1",
    "e",        "E",        ".",       "-",    "+",
    " ",        "\n",       "\t",      "\\u",  "\\u0000",
    "\\ud83c",  "\\udf0d",  "\\u0061", "true", "null",
    "\"a\":1,", ",\"a\":1", "[]",      "{}",   "\xc3\xb1",
    "\xed\xa0", "\xf4\x90", "\x7f",    "\x01", "\xef\xbb\xbf",
    "e308",     "e309",     "\"b\"",
};

/* Change a text of len bytes somewhere. @return its new length */
static apr_size_t mutate(char *text, apr_size_t len)
{
    apr_size_t at = any(len + 1);
    apr_size_t rest = len - at;
    const char *add = pieces[any(COUNT(pieces))];
    apr_size_t cut = 0;
    apr_size_t more = strlen(add);

    switch (any(5)) {
    case 0: /* flip a bit */
        at = rest ? at : 0;
        text[at] = (char)(text[at] ^ (1 << any(8)));
        return len;
    case 1: /* delete */
        cut = any((rest < 8 ? rest : 8) + 1);
        more = 0;
        break;
    case 2: /* replace */
        cut = rest < more ? rest : more;
        break;
    case 3: /* splice */
        add = seeds[any(COUNT(seeds))];
        cut = any(2) ? rest : 0;
        more = strlen(add);
        if (any(2)) {
            apr_size_t skip = any(more);

            add += skip;
            more -= skip;
        }
        break;
    default: /* insert */
        break;
    }
    memmove(text + at + more, text + at + cut, rest - cut);
    for (apr_size_t i = 0; i < more; i++) {
        text[at + i] = add[i];
    }
    return len - cut + more;
}

START_TEST(mutations_are_judged_as_jansson_does)
{
    int taken = 0;

    for (int i = 0; i < 120000; i++) {
        const char *seed = seeds[any(COUNT(seeds))];
        apr_size_t len = strlen(seed);
        char text[1024];

        snprintf(text, sizeof(text), "%s", seed);
        for (apr_size_t n = any(3) + 1; n && len; n--) {
            len = mutate(text, len);
        }
        taken += agreed(text, len);
    }
    ck_assert_int_ge(taken, 5000);
    ck_assert_int_le(taken, 60000);
}
END_TEST

/* Wherever a byte stands in a word of eight */
START_TEST(every_byte_is_judged_as_jansson_does)
{
    for (apr_size_t len = 1; len < 20; len++) {
        for (apr_size_t at = 0; at < len; at++) {
            for (int byte = 1; byte < 256; byte++) {
                char text[24] = "\"aaaaaaaaaaaaaaaaaaaa";

                text[1 + at] = (char)byte;
                text[1 + len] = '"';
                agreed(text, len + 2);
            }
        }
    }
    for (int pair = 1; pair < 65536; pair++) {
        char text[] = {'[', (char)(pair >> 8), (char)pair, ']'};

        agreed(text, sizeof(text));
        text[0] = text[3] = '"';
        agreed(text, sizeof(text));
    }
}
END_TEST

START_TEST(numbers_are_judged_as_jansson_does)
{
    for (int i = 0; i < 40000; i++) {
        char text[512];
        char *p = text;
        int digits = 1 + (int)any(i % 8 ? 25 : 340);
        int point = (int)any((apr_size_t)digits * 2);

        *p++ = (char)('1' + any(9) % (1 + any(9)));
        for (int n = 1; n < digits; n++) {
            if (n == point) {
                *p++ = '.';
            }
            *p++ = (char)('0' + any(10));
        }
        if (any(4)) {
            p +=
                snprintf(p, 16, "e%d",
                         309 - (point < digits ? point : digits) + (int)any(3));
        }
        agreed(text, (apr_size_t)(p - text));
    }
}
END_TEST

START_TEST(a_text_that_was_cut_is_no_json)
{
    for (int i = 0; i < COUNT(seeds); i++) {
        apr_size_t len = strlen(seeds[i]);

        for (apr_size_t cut = 0; cut <= len; cut++) {
            int taken = agreed(seeds[i], cut);

            ck_assert(!taken || cut + 2 >= len);
        }
    }
}
END_TEST

UNIT_SUITE(json_check_jansson, mutations_are_judged_as_jansson_does,
           every_byte_is_judged_as_jansson_does,
           numbers_are_judged_as_jansson_does, a_text_that_was_cut_is_no_json)
