/* json/value: what is JSON, and its slices. */
#include "json/value.h"

#include <apr_strings.h>

#include "base/text.h"
#include "unit/unit.h"

static apr_status_t free_copy(void *copy)
{
    free(copy);
    return APR_SUCCESS;
}

/* A text on the heap without a NUL, so that a sanitizer sees every byte that
 * is read beyond it. */
static const char *exact(const char *text, apr_size_t len)
{
    char *copy = malloc(len ? len : 1);

    memcpy(copy, text, len);
    apr_pool_cleanup_register(g_pool, copy, free_copy, apr_pool_cleanup_null);
    return copy;
}

static dsapi_json_slice_t parse(const char *text)
{
    dsapi_json_slice_t slice = {NULL, 0, DSAPI_JSON_NULL};
    dsapi_err_t *err;
    apr_status_t rv;

    rv = dsapi_json_check(&slice, &err, exact(text, strlen(text)), strlen(text),
                          g_pool);
    ck_assert_msg(rv == APR_SUCCESS, "%s: %s", text, err ? err->detail : "");
    ck_assert_ptr_null(err);
    return slice;
}

static const char *written(const dsapi_json_slice_t *slice)
{
    return apr_pstrmemdup(g_pool, slice->p, slice->len_bytes);
}

/* @return why a text is refused; fails where it is not */
static const char *refusal_n(const char *text, apr_size_t len)
{
    dsapi_json_slice_t slice = {"untouched", 9, DSAPI_JSON_STRING};
    dsapi_err_t *err = NULL;
    apr_status_t rv;

    rv = dsapi_json_check(&slice, &err, exact(text, len), len, g_pool);
    ck_assert_int_eq(rv, DSAPI_ESYNTAX);
    ck_assert_str_eq(slice.p, "untouched");
    ck_assert_ptr_nonnull(err);
    ck_assert_int_eq(err->rv, DSAPI_ESYNTAX);
    ck_assert_str_eq(err->code, "not-json");
    ck_assert(dsapi_base_utf8_valid(err->detail, strlen(err->detail)));
    ck_assert_uint_le(strlen(err->detail), 260);
    return err->detail;
}

static const char *refusal(const char *text)
{
    return refusal_n(text, strlen(text));
}

START_TEST(every_kind_is_told)
{
    static const struct {
        const char *text;
        dsapi_json_kind_e kind;
        const char *name;
    } rows[] = {
        {"null", DSAPI_JSON_NULL, "null"},
        {"false", DSAPI_JSON_FALSE, "a boolean"},
        {"true", DSAPI_JSON_TRUE, "a boolean"},
        {"-1.5e3", DSAPI_JSON_NUMBER, "a number"},
        {"\"x\"", DSAPI_JSON_STRING, "a string"},
        {"[1]", DSAPI_JSON_ARRAY, "an array"},
        {"{}", DSAPI_JSON_OBJECT, "an object"},
    };

    for (int i = 0; i < (int)(sizeof(rows) / sizeof(rows[0])); i++) {
        dsapi_json_slice_t slice = parse(rows[i].text);

        ck_assert_int_eq(slice.kind, rows[i].kind);
        ck_assert_str_eq(written(&slice), rows[i].text);
        ck_assert_str_eq(dsapi_json_kind_name(slice.kind), rows[i].name);
    }
}
END_TEST

START_TEST(blanks_around_are_not_of_the_value)
{
    dsapi_json_slice_t slice = parse(" \r\n\t [1, 2] \n\t");

    ck_assert_str_eq(written(&slice), "[1, 2]");
    slice = parse("  7 ");
    ck_assert_str_eq(written(&slice), "7");
}
END_TEST

START_TEST(what_is_not_json_is_refused)
{
    static const char *const texts[] = {
        "NaN",
        "[Infinity]",
        "[-Infinity]",
        "[1e999]",
        "[-1e999]",
        "01",
        "1.",
        ".5",
        "+1",
        "0x10",
        "[1,]",
        "{\"a\":1,}",
        "{a:1}",
        "{'a':1}",
        "[1 2]",
        "[1",
        "{\"a\"",
        "{\"a\":",
        "\"open",
        "\"\\x\"",
        "\"\\u12",
        "\"\\u12g4\"",
        "\"tab\there\"",
        "\"line\nhere\"",
        "tru",
        "True",
        "1 2",
        "[] []",
        "{} x",
        "// c\n1",
        "   ",
        "\"\\u0000\"",
        "{\"\\u0000\":1}",
        "\"\\ud800\"",
        "\"\\udc00\"",
        "\"\\ud800\\u0041\"",
        "\"\\ud800x\"",
        "{\"a\":1,\"a\":1}",
        "{\"b\":{\"a\":1,\"\\u0061\":2}}",
        "\"\xff\"",
        "\"Nari\xf1o\"",
        "\"\xc0\xaf\"",
        "\"\xed\xa0\x80\"",
        "\"\xf4\x90\x80\x80\"",
        "\"\xe2\x82\"",
        "<html>",
    };

    for (int i = 0; i < (int)(sizeof(texts) / sizeof(texts[0])); i++) {
        const char *detail = refusal(texts[i]);

        ck_assert_msg(strncmp(detail, "not JSON: line ", 15) == 0, "%s",
                      detail);
    }
}
END_TEST

START_TEST(the_reason_says_where)
{
    ck_assert_str_eq(refusal("{\n  \"a\": x}"), "not JSON: line 2, column 8: "
                                                "invalid token near 'x'");
    ck_assert_ptr_nonnull(strstr(refusal("{\"a\":1,\"a\":2}"), "duplicate"));
    ck_assert_ptr_nonnull(strstr(refusal("\"\xff\""), "0xff"));
    ck_assert_ptr_nonnull(strstr(refusal("\"\\ud800\""), "surrogate"));
    ck_assert_ptr_nonnull(strstr(refusal("[1e999]"), "overflow"));
    ck_assert_str_eq(refusal("\"\\u0000\""), "not JSON: line 1, column 2: "
                                             "\\u0000 is not allowed near "
                                             "'\\u0000'");
}
END_TEST

START_TEST(the_empty_text_is_refused)
{
    dsapi_json_slice_t slice;
    dsapi_err_t *err;

    ck_assert_str_eq(refusal(""), "not JSON: the text is empty");
    ck_assert_int_eq(dsapi_json_check(&slice, &err, NULL, 0, g_pool),
                     DSAPI_ESYNTAX);
}
END_TEST

START_TEST(a_byte_order_mark_is_refused)
{
    ck_assert_str_eq(refusal("\xef\xbb\xbf[]"), "not JSON: line 1, column 1: a "
                                                "byte order mark");
    refusal("\xef\xbb");
}
END_TEST

START_TEST(nul_bytes_are_refused)
{
    refusal_n("[1]\0", 4);
    refusal_n("\0[1]", 4);
    refusal_n("\"a\0b\"", 5);
    refusal_n("1\0", 2);
    refusal_n("[1\0]", 4);
    ck_assert_str_eq(refusal_n("[\n\"\xc3\xb1\",1\0]", 10), "not JSON: line 2, "
                                                            "column 6: a NUL "
                                                            "byte");
}
END_TEST

START_TEST(a_refusal_may_be_asked_for_without_its_reason)
{
    dsapi_json_slice_t slice;

    ck_assert_int_eq(dsapi_json_check(&slice, NULL, "x", 1, g_pool),
                     DSAPI_ESYNTAX);
    ck_assert_int_eq(dsapi_json_check(&slice, NULL, "1", 1, g_pool),
                     APR_SUCCESS);
}
END_TEST

/* Whatever it quotes, and wherever that is cut. */
START_TEST(a_reason_is_always_clean_text)
{
    const char *text = "\"";

    for (int len = 1; len < 200; len++) {
        text = apr_pstrcat(g_pool, text, "\xc3\xb1", NULL);
        refusal(text);
    }
    for (const char *p = refusal("\"a\x01"); *p; p++) {
        ck_assert_int_ge((unsigned char)*p, 0x20);
    }
}
END_TEST

static apr_status_t check_depth(apr_size_t depth, const char *open,
                                const char *close)
{
    apr_size_t unit = strlen(open);
    char *text = malloc(depth * (unit + 1) + 1);
    dsapi_json_slice_t slice;
    dsapi_err_t *err;
    apr_status_t rv;
    char *p = text;

    for (apr_size_t i = 0; i < depth; i++, p += unit) {
        memcpy(p, open, unit);
    }
    *p++ = '1';
    for (apr_size_t i = 0; i < depth; i++) {
        *p++ = *close;
    }
    rv = dsapi_json_check(&slice, &err, text, (apr_size_t)(p - text), g_pool);
    free(text);
    return rv;
}

START_TEST(depth_ends_at_2048_levels)
{
    ck_assert_int_eq(check_depth(2000, "[", "]"), APR_SUCCESS);
    ck_assert_int_eq(check_depth(2000, "{\"a\":", "}"), APR_SUCCESS);
    ck_assert_int_eq(check_depth(2049, "[", "]"), DSAPI_ESYNTAX);
    ck_assert_int_eq(check_depth(100000, "[", "]"), DSAPI_ESYNTAX);
    ck_assert_int_eq(check_depth(100000, "{\"a\":", "}"), DSAPI_ESYNTAX);
}
END_TEST

START_TEST(no_digit_of_a_number_is_lost)
{
    static const char *const numbers[] = {
        "12345678901234567890123456789012345678901234567890",
        "-9223372036854775809",
        "0.1000000000000000055511151231257827021181583404541015625",
        "1.50",
        "-0",
        "1E+2",
        "1e-400",
    };

    for (int i = 0; i < (int)(sizeof(numbers) / sizeof(numbers[0])); i++) {
        dsapi_json_slice_t slice = parse(numbers[i]);
        dsapi_json_slice_t array =
            parse(apr_psprintf(g_pool, "[ %s ]", numbers[i]));
        dsapi_json_iter_t iter = {NULL};

        ck_assert_str_eq(dsapi_json_text(&slice, g_pool), numbers[i]);
        ck_assert_int_eq(dsapi_json_next_item(&slice, &iter, &array), 1);
        ck_assert_str_eq(dsapi_json_text(&slice, g_pool), numbers[i]);
    }
}
END_TEST

START_TEST(items_come_in_order_as_they_were_written)
{
    static const char *const expected[] = {
        "1.0",  "\"a,]\\\"}\"", "[1,[2], \"]\"]", "{\"b\" : \"}\"}",
        "null", "true",         "false",          "\"\\\\\"",
        "[]",   "{}",
    };
    dsapi_json_slice_t array = parse("[ 1.0 ,\"a,]\\\"}\",[1,[2], "
                                     "\"]\"]\n,{\"b\" : \"}\"},null, "
                                     "true,false ,\"\\\\\",[],{} ]");
    dsapi_json_slice_t item;
    dsapi_json_iter_t iter = {NULL};

    for (int i = 0; i < (int)(sizeof(expected) / sizeof(expected[0])); i++) {
        ck_assert_int_eq(dsapi_json_next_item(&item, &iter, &array), 1);
        ck_assert_str_eq(written(&item), expected[i]);
    }
    item.p = "untouched";
    ck_assert_int_eq(dsapi_json_next_item(&item, &iter, &array), 0);
    ck_assert_int_eq(dsapi_json_next_item(&item, &iter, &array), 0);
    ck_assert_str_eq(item.p, "untouched");
}
END_TEST

START_TEST(members_come_in_order_with_decoded_names)
{
    dsapi_json_slice_t object = parse("{ \"a\\u00f1\\n\" : "
                                      "1,\"\":[2],\"c\\\"}\" :{\"x\":1} , "
                                      "\"d\":\"v\"}");
    static const char *const names[] = {"a\xc3\xb1\n", "", "c\"}", "d"};
    static const char *const values[] = {"1", "[2]", "{\"x\":1}", "\"v\""};
    dsapi_json_slice_t value;
    dsapi_json_iter_t iter = {NULL};
    const char *name = NULL;

    for (int i = 0; i < 4; i++) {
        ck_assert_int_eq(
            dsapi_json_next_member(&value, &name, &iter, &object, g_pool), 1);
        ck_assert_str_eq(name, names[i]);
        ck_assert_str_eq(written(&value), values[i]);
    }
    name = "untouched";
    value.p = "untouched";
    ck_assert_int_eq(
        dsapi_json_next_member(&value, &name, &iter, &object, g_pool), 0);
    ck_assert_int_eq(
        dsapi_json_next_member(&value, &name, &iter, &object, g_pool), 0);
    ck_assert_str_eq(name, "untouched");
    ck_assert_str_eq(value.p, "untouched");
}
END_TEST

START_TEST(empty_containers_and_other_kinds_have_nothing_inside)
{
    static const char *const texts[] = {"[]",      "{}", " [ ] ", "{ }",
                                        "\"[1]\"", "1",  "null"};

    for (int i = 0; i < (int)(sizeof(texts) / sizeof(texts[0])); i++) {
        dsapi_json_slice_t from = parse(texts[i]);
        dsapi_json_slice_t value;
        dsapi_json_iter_t iter = {NULL};
        const char *name;

        ck_assert_int_eq(dsapi_json_next_item(&value, &iter, &from), 0);
        iter.next = NULL;
        ck_assert_int_eq(
            dsapi_json_next_member(&value, &name, &iter, &from, g_pool), 0);
    }
}
END_TEST

START_TEST(an_object_has_no_items_and_an_array_no_members)
{
    dsapi_json_slice_t object = parse("{\"a\":1}");
    dsapi_json_slice_t array = parse("[\"a\",1]");
    dsapi_json_slice_t value;
    dsapi_json_iter_t iter = {NULL};
    const char *name;

    ck_assert_int_eq(dsapi_json_next_item(&value, &iter, &object), 0);
    ck_assert_int_eq(
        dsapi_json_next_member(&value, &name, &iter, &array, g_pool), 0);
}
END_TEST

/* @return what a pointer leads to; NULL: nothing */
static const char *found(const char *text, const char *pointer)
{
    dsapi_json_slice_t from = parse(text);
    dsapi_json_slice_t value = {"untouched", 9, DSAPI_JSON_NULL};

    if (!dsapi_json_find(&value, &from, pointer, g_scratch)) {
        ck_assert_str_eq(value.p, "untouched");
        return NULL;
    }
    return written(&value);
}

/* RFC 6901, section 5 */
START_TEST(the_examples_of_the_rfc_are_found)
{
    static const char text[] = "{\"foo\":[\"bar\",\"baz\"],\"\":0,\"a/"
                               "b\":1,\"c%d\":2,\"e^f\":3,"
                               "\"g|h\":4,\"i\\\\j\":5,\"k\\\"l\":6,\" "
                               "\":7,\"m~n\":8}";

    ck_assert_str_eq(found(text, ""), text);
    ck_assert_str_eq(found(text, "/foo"), "[\"bar\",\"baz\"]");
    ck_assert_str_eq(found(text, "/foo/0"), "\"bar\"");
    ck_assert_str_eq(found(text, "/foo/1"), "\"baz\"");
    ck_assert_str_eq(found(text, "/"), "0");
    ck_assert_str_eq(found(text, "/a~1b"), "1");
    ck_assert_str_eq(found(text, "/c%d"), "2");
    ck_assert_str_eq(found(text, "/e^f"), "3");
    ck_assert_str_eq(found(text, "/g|h"), "4");
    ck_assert_str_eq(found(text, "/i\\j"), "5");
    ck_assert_str_eq(found(text, "/k\"l"), "6");
    ck_assert_str_eq(found(text, "/ "), "7");
    ck_assert_str_eq(found(text, "/m~0n"), "8");
}
END_TEST

START_TEST(a_pointer_reaches_into_depth)
{
    static const char text[] = "{\"a\":[0,{\"b\":{\"ab\":1,\"a\":2}}],"
                               "\"\\u0061b\":3,\"~1\":4}";

    ck_assert_str_eq(found(text, "/a/1/b/a"), "2");
    ck_assert_str_eq(found(text, "/ab"), "3");
    ck_assert_str_eq(found(text, "/~01"), "4");
}
END_TEST

START_TEST(a_pointer_to_nothing_finds_nothing)
{
    static const char *const pointers[] = {
        "/b",
        "/a/2",
        "/a/-",
        "/a/01",
        "/a/",
        "/a/x",
        "/a/1x",
        "/s/0",
        "/n/x",
        "a",
        "/a~",
        "/a~2",
        "/a/0/0",
        "/A",
        "/aa",
        "/a/+1",
        "/a/-1",
        "/a/99999999999999999999",
        "/a/18446744073709551616",
    };

    for (int i = 0; i < (int)(sizeof(pointers) / sizeof(pointers[0])); i++) {
        ck_assert_msg(!found("{\"a\":[1,2],\"s\":\"x\",\"n\":1}", pointers[i]),
                      "%s", pointers[i]);
    }
}
END_TEST

START_TEST(what_is_found_needs_nothing_of_the_pool)
{
    dsapi_json_slice_t from = parse("{\"\\u0061\":{\"b\":[5]}}");
    dsapi_json_slice_t value;
    int rv = dsapi_json_find(&value, &from, "/a/b/0", g_scratch);

    apr_pool_destroy(g_scratch);
    ck_assert_int_eq(rv, 1);
    ck_assert_str_eq(written(&value), "5");
}
END_TEST

START_TEST(a_value_may_be_replaced_by_its_part)
{
    dsapi_json_slice_t value = parse("{\"a\":[7]}");

    ck_assert_int_eq(dsapi_json_find(&value, &value, "/a/0", g_pool), 1);
    ck_assert_str_eq(written(&value), "7");
}
END_TEST

START_TEST(strings_are_decoded)
{
    static const struct {
        const char *text;
        const char *expected;
    } rows[] = {
        {"\"\"", ""},
        {"\"plain\"", "plain"},
        {"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\/\b\f\n\r\t"},
        {"\"a\\u0041\\u00e9\\u20AC\\ufffdz\"", "aA\xc3\xa9\xe2\x82\xac\xef\xbf"
                                               "\xbdz"},
        {"\"\\ud83c\\udf0d\\uDBFF\\uDFFF\\ud800\\udc00\"", "\xf0\x9f\x8c\x8d"
                                                           "\xf4\x8f\xbf\xbf"
                                                           "\xf0\x90\x80\x80"},
        {"\"\\u007f\\u0080\\u07ff\\u0800\\uffff\"", "\x7f\xc2\x80\xdf\xbf\xe0"
                                                    "\xa0\x80\xef\xbf\xbf"},
        {"\"Nari\xc3\xb1o\"", "Nari\xc3\xb1o"},
        {"\"\\\\u0041\"", "\\u0041"},
    };

    for (int i = 0; i < (int)(sizeof(rows) / sizeof(rows[0])); i++) {
        dsapi_json_slice_t slice = parse(rows[i].text);

        ck_assert_str_eq(dsapi_json_text(&slice, g_pool), rows[i].expected);
    }
}
END_TEST

START_TEST(other_values_are_given_as_they_were_written)
{
    dsapi_json_slice_t array = parse("[null,true,-1.50,[1, 2],{\"a\" :1}]");
    static const char *const expected[] = {"null", "true", "-1.50", "[1, 2]",
                                           "{\"a\" :1}"};
    dsapi_json_slice_t item;
    dsapi_json_iter_t iter = {NULL};

    for (int i = 0; i < 5; i++) {
        ck_assert_int_eq(dsapi_json_next_item(&item, &iter, &array), 1);
        ck_assert_str_eq(dsapi_json_text(&item, g_pool), expected[i]);
    }
}
END_TEST

UNIT_SUITE(json_value, every_kind_is_told, blanks_around_are_not_of_the_value,
           what_is_not_json_is_refused, the_reason_says_where,
           the_empty_text_is_refused, a_byte_order_mark_is_refused,
           nul_bytes_are_refused, a_refusal_may_be_asked_for_without_its_reason,
           a_reason_is_always_clean_text, depth_ends_at_2048_levels,
           no_digit_of_a_number_is_lost,
           items_come_in_order_as_they_were_written,
           members_come_in_order_with_decoded_names,
           empty_containers_and_other_kinds_have_nothing_inside,
           an_object_has_no_items_and_an_array_no_members,
           the_examples_of_the_rfc_are_found, a_pointer_reaches_into_depth,
           a_pointer_to_nothing_finds_nothing,
           what_is_found_needs_nothing_of_the_pool,
           a_value_may_be_replaced_by_its_part, strings_are_decoded,
           other_values_are_given_as_they_were_written)
