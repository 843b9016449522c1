/* src/base/trace.h: every promise of the header. */
#include "base/trace.h"

#include "unit/unit.h"

#define TRACE "4bf92f3577b34da6a3ce929d0e0e4736"
#define SPAN  "00f067aa0ba902b7"

static const unsigned char g_random[DSAPI_TRACE_RANDOM_BYTES] =
    "\x01\x02\x03\x04\x05\x06\x07\xf8\x11\x12\x13\x14\x15\x16\x17\x18\x19\x1a"
    "\x1b\x1c\x1d\x1e\x1f\xff";

static const char *trace(const char *given)
{
    char *out = apr_palloc(g_pool, DSAPI_TRACE_SIZE);

    dsapi_base_trace(out, given, g_random);
    ck_assert_uint_eq(strlen(out), DSAPI_TRACE_SIZE - 1);
    return out;
}

START_TEST(a_valid_trace_is_continued)
{
    static const char *const given[] = {
        "00-" TRACE "-" SPAN "-01",
        "01-" TRACE "-" SPAN "-01",
        "cc-" TRACE "-" SPAN "-01-what-comes-later",
    };

    for (size_t i = 0; i < sizeof(given) / sizeof(given[0]); i++) {
        ck_assert_str_eq(trace(given[i]), "00-" TRACE "-01020304050607f8-01");
    }
    ck_assert_str_eq(trace("00-" TRACE "-" SPAN "-ff"), "00-" TRACE "-010203040"
                                                        "50607f8-"
                                                        "03");
    ck_assert_str_eq(trace("00-" TRACE "-" SPAN "-f8"), "00-" TRACE "-010203040"
                                                        "50607f8-"
                                                        "00");
    ck_assert_str_eq(trace("00-" TRACE "-" SPAN "-00"), "00-" TRACE "-010203040"
                                                        "50607f8-"
                                                        "00");
}
END_TEST

START_TEST(anything_else_begins_a_trace)
{
    static const char *const given[] = {
        NULL,
        "",
        "00",
        "ff-" TRACE "-" SPAN "-01",
        "00-" TRACE "-" SPAN "-01-more",
        "00-" TRACE "-" SPAN "-0",
        "00-" TRACE "-" SPAN "-0x",
        "cc-" TRACE "-" SPAN "-01x",
        "00-4BF92F3577B34DA6A3CE929D0E0E4736-" SPAN "-01",
        "00-00000000000000000000000000000000-" SPAN "-01",
        "00-" TRACE "-0000000000000000-01",
        "00_" TRACE "-" SPAN "-01",
        "0x-" TRACE "-" SPAN "-01",
    };

    for (size_t i = 0; i < sizeof(given) / sizeof(given[0]); i++) {
        ck_assert_str_eq(trace(given[i]), "00-1112131415161718191a1b1c1d1e1fff-"
                                          "01020304050607f8-00");
    }
}
END_TEST

START_TEST(ids_are_never_zero)
{
    static const unsigned char zero[DSAPI_TRACE_RANDOM_BYTES];
    char out[DSAPI_TRACE_SIZE];

    dsapi_base_trace(out, NULL, zero);
    ck_assert_str_eq(out, "00-10000000000000000000000000000000-"
                          "1000000000000000-00");
}
END_TEST

START_TEST(the_trace_id_is_its_second_part)
{
    ck_assert_str_eq(dsapi_base_trace_id("00-" TRACE "-" SPAN "-01", g_pool),
                     TRACE);
}
END_TEST

START_TEST(a_uuid_says_that_it_is_random)
{
    static const unsigned char ones[DSAPI_UUID_RANDOM_BYTES] =
        "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff";
    char out[DSAPI_UUID_SIZE];

    dsapi_base_uuid(out, g_random);
    ck_assert_str_eq(out, "01020304-0506-47f8-8112-131415161718");
    dsapi_base_uuid(out, ones);
    ck_assert_str_eq(out, "ffffffff-ffff-4fff-bfff-ffffffffffff");
}
END_TEST

UNIT_SUITE(base_trace, a_valid_trace_is_continued, anything_else_begins_a_trace,
           ids_are_never_zero, the_trace_id_is_its_second_part,
           a_uuid_says_that_it_is_random)
