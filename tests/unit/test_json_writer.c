/* json/writer: the streaming writer. */
#include "json/writer.h"

#include <apr_strings.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "unit/unit.h"

static dsapi_buf_t *buf;
static dsapi_json_writer_t w;

static void begin(void)
{
    buf = dsapi_buf_make(1, g_pool);
    dsapi_json_writer_init(&w, buf);
}

static const char *put(const char *s, apr_size_t len)
{
    dsapi_buf_t *out = dsapi_buf_make(1, g_pool);

    dsapi_json_put_string(out, s, len);
    return dsapi_buf_str(out);
}

static const char *guarded(const char *s)
{
    begin();
    dsapi_json_string(&w, s);
    return dsapi_buf_str(buf);
}

START_TEST(commas_stand_between_values_and_members)
{
    begin();
    dsapi_json_begin_object(&w);
    dsapi_json_member(&w, "a", "x");
    dsapi_json_key(&w, "b");
    dsapi_json_begin_array(&w);
    dsapi_json_int(&w, 1);
    dsapi_json_begin_object(&w);
    dsapi_json_end_object(&w);
    dsapi_json_begin_array(&w);
    dsapi_json_end_array(&w);
    dsapi_json_bool(&w, 1);
    dsapi_json_bool(&w, 0);
    dsapi_json_null(&w);
    dsapi_json_end_array(&w);
    dsapi_json_key(&w, "c");
    dsapi_json_begin_object(&w);
    dsapi_json_member(&w, "d", NULL);
    dsapi_json_member(&w, "e", "");
    dsapi_json_end_object(&w);
    dsapi_json_key(&w, "f");
    dsapi_json_raw(&w, "[1.50]", 6);
    dsapi_json_member(&w, "g", "y");
    dsapi_json_end_object(&w);
    ck_assert_str_eq(dsapi_buf_str(buf), "{\"a\":\"x\",\"b\":[1,{},[],true,"
                                         "false,null],"
                                         "\"c\":{\"d\":null,\"e\":\"\"},\"f\":["
                                         "1.50],\"g\":\"y\"}");
}
END_TEST

START_TEST(writing_starts_at_the_end_of_the_buffer)
{
    buf = dsapi_buf_make(0, g_pool);
    dsapi_buf_put(buf, "data: ", 6);
    dsapi_json_writer_init(&w, buf);
    dsapi_json_begin_array(&w);
    dsapi_json_end_array(&w);
    ck_assert_str_eq(dsapi_buf_str(buf), "data: []");
}
END_TEST

START_TEST(outside_of_everything_stand_no_commas)
{
    begin();
    dsapi_json_int(&w, 1);
    dsapi_buf_putc(buf, '\n');
    dsapi_json_int(&w, 2);
    ck_assert_str_eq(dsapi_buf_str(buf), "1\n2");
}
END_TEST

START_TEST(a_level_entered_anew_starts_without_a_comma)
{
    begin();
    dsapi_json_begin_array(&w);
    for (int i = 0; i < 3; i++) {
        dsapi_json_begin_array(&w);
        dsapi_json_int(&w, i);
        dsapi_json_end_array(&w);
    }
    dsapi_json_end_array(&w);
    ck_assert_str_eq(dsapi_buf_str(buf), "[[0],[1],[2]]");
}
END_TEST

START_TEST(all_levels_can_be_used)
{
    char expected[4 * DSAPI_JSON_DEPTH_MAX + 1];
    char *p = expected;

    begin();
    for (int i = 0; i < DSAPI_JSON_DEPTH_MAX; i++) {
        dsapi_json_begin_array(&w);
        dsapi_json_int(&w, 1);
        memcpy(p, i ? ",[1" : "[1", i ? 3 : 2);
        p += i ? 3 : 2;
    }
    for (int i = 0; i < DSAPI_JSON_DEPTH_MAX; i++) {
        dsapi_json_end_array(&w);
        *p++ = ']';
    }
    *p = '\0';
    ck_assert_str_eq(dsapi_buf_str(buf), expected);
    ck_assert_int_eq(w.depth, 0);
}
END_TEST

static void too_deep(void)
{
    for (int i = 0; i <= DSAPI_JSON_DEPTH_MAX; i++) {
        dsapi_json_begin_object(&w);
        dsapi_json_key(&w, "k");
    }
}

static void end_too_much(void)
{
    dsapi_json_end_array(&w);
}

static int aborts(void (*act)(void))
{
    int status = 0;
    pid_t pid;

    begin();
    pid = fork();
    if (pid == 0) {
        act();
        _exit(0);
    }
    return waitpid(pid, &status, 0) == pid && WIFSIGNALED(status) &&
           WTERMSIG(status) == SIGABRT;
}

START_TEST(one_level_more_aborts)
{
    ck_assert(aborts(too_deep));
}
END_TEST

START_TEST(an_end_without_its_begin_aborts)
{
    ck_assert(aborts(end_too_much));
}
END_TEST

START_TEST(keys_are_escaped)
{
    begin();
    dsapi_json_begin_object(&w);
    dsapi_json_member(&w, "a\"\\\n", "v");
    dsapi_json_end_object(&w);
    ck_assert_str_eq(dsapi_buf_str(buf), "{\"a\\\"\\\\\\n\":\"v\"}");
}
END_TEST

START_TEST(integers_are_exact)
{
    begin();
    dsapi_json_begin_array(&w);
    dsapi_json_int(&w, 0);
    dsapi_json_int(&w, -1);
    dsapi_json_int(&w, 1234567890);
    dsapi_json_int(&w, APR_INT64_MAX);
    dsapi_json_int(&w, APR_INT64_MIN);
    dsapi_json_end_array(&w);
    ck_assert_str_eq(dsapi_buf_str(buf), "[0,-1,1234567890,9223372036854775807,"
                                         "-9223372036854775808]");
}
END_TEST

START_TEST(null_strings_are_null)
{
    ck_assert_str_eq(guarded(NULL), "null");
    begin();
    dsapi_json_string_n(&w, NULL, 0);
    ck_assert_str_eq(dsapi_buf_str(buf), "null");
}
END_TEST

START_TEST(a_string_of_given_length_may_hold_nul)
{
    begin();
    dsapi_json_string_n(&w, "a\0bc", 3);
    ck_assert_str_eq(dsapi_buf_str(buf), "\"a\\u0000b\"");
}
END_TEST

START_TEST(every_byte_is_escaped_as_documented)
{
    static const char *const special[] = {
        ['\b'] = "\\b", ['\t'] = "\\t", ['\n'] = "\\n",  ['\f'] = "\\f",
        ['\r'] = "\\r", ['"'] = "\\\"", ['\\'] = "\\\\",
    };

    for (int c = 0; c < 256; c++) {
        char byte = (char)c;
        const char *expected = apr_psprintf(g_pool, "\"%c\"", byte);

        if (c < (int)(sizeof(special) / sizeof(*special)) && special[c]) {
            expected = apr_psprintf(g_pool, "\"%s\"", special[c]);
        }
        else if (c < 0x20) {
            expected = apr_psprintf(g_pool, "\"\\u%04x\"", (unsigned)c);
        }
        ck_assert_str_eq(put(&byte, 1), expected);
    }
}
END_TEST

/* Runs are looked at eight bytes at a time: every length, the special byte
 * at every place, and neighbours that a careless test mistakes for it. */
START_TEST(a_special_byte_is_found_at_every_place)
{
    static const char fill[] = {'a', '!', '#', '[', ']', ' ', '\x7f', '\xc3'};

    for (int len = 1; len <= 40; len++) {
        for (int at = 0; at < len; at++) {
            char text[40];
            const char *expected;

            memset(text, fill[(len + at) % (int)sizeof(fill)], sizeof(text));
            text[at] = (at & 1) ? '"' : '\\';
            expected = apr_psprintf(g_pool, "\"%.*s\\%c%.*s\"", at, text,
                                    text[at], len - at - 1, text + at + 1);
            ck_assert_str_eq(put(text, (apr_size_t)len), expected);
        }
    }
}
END_TEST

START_TEST(plain_text_is_copied_as_it_is)
{
    static const char text[] = "Nari\xc3\xb1o \xe2\x82\xac \xf0\x9f\x8c\x8d, "
                               "it's </script> \x7f plain";

    ck_assert_str_eq(put(text, sizeof(text) - 1),
                     apr_psprintf(g_pool, "\"%s\"", text));
    ck_assert_str_eq(guarded(text), apr_psprintf(g_pool, "\"%s\"", text));
    ck_assert_str_eq(put("", 0), "\"\"");
}
END_TEST

START_TEST(put_string_appends)
{
    buf = dsapi_buf_make(1, g_pool);
    dsapi_json_put_string(buf, "a", 1);
    dsapi_json_put_string(buf, "b\n", 2);
    ck_assert_str_eq(dsapi_buf_str(buf), "\"a\"\"b\\n\"");
}
END_TEST

#define BAD "\xef\xbf\xbd"

/* The examples of the Unicode standard, tables 3-8 to 3-11, and ends */
START_TEST(bad_utf8_becomes_one_replacement_per_maximal_subpart)
{
    static const struct {
        const char *text;
        const char *expected;
    } rows[] = {
        {"\xc0\xaf\xe0\x80\xbf\xf0\x81\x82\x41",
         BAD BAD BAD BAD BAD BAD BAD BAD "A"},
        {"\xed\xa0\x80\xed\xbf\xbf\xed\xaf\x41",
         BAD BAD BAD BAD BAD BAD BAD BAD "A"},
        {"\xf4\x91\x92\x93\xff\x41\x80\xbf\x42",
         BAD BAD BAD BAD BAD "A" BAD BAD "B"},
        {"\xe1\x80\xe2\xf0\x91\x92\xf1\xbf\x41", BAD BAD BAD BAD "A"},
        {"x\xe2\x82", "x" BAD},
        {"x\xf0\x9f\x8c", "x" BAD},
        {"x\xc3", "x" BAD},
        {"\xf5\x80", BAD BAD},
        {"a\"\xff\"b", "a\\\"" BAD "\\\"b"},
        {"\xf4\x8f\xbf\xbf\xee\x80\x80\xed\x9f\xbf\xf0\x90\x80\x80", "\xf4\x8f"
                                                                     "\xbf\xbf"
                                                                     "\xee\x80"
                                                                     "\x80\xed"
                                                                     "\x9f\xbf"
                                                                     "\xf0\x90"
                                                                     "\x80"
                                                                     "\x80"},
    };

    for (int i = 0; i < (int)(sizeof(rows) / sizeof(rows[0])); i++) {
        ck_assert_str_eq(guarded(rows[i].text),
                         apr_psprintf(g_pool, "\"%s\"", rows[i].expected));
    }
}
END_TEST

START_TEST(a_sequence_is_not_read_beyond_the_length)
{
    begin();
    dsapi_json_string_n(&w, "a\xc3\xb1", 2);
    ck_assert_str_eq(dsapi_buf_str(buf), "\"a" BAD "\"");
}
END_TEST

UNIT_SUITE(json_writer, commas_stand_between_values_and_members,
           writing_starts_at_the_end_of_the_buffer,
           outside_of_everything_stand_no_commas,
           a_level_entered_anew_starts_without_a_comma, all_levels_can_be_used,
           one_level_more_aborts, an_end_without_its_begin_aborts,
           keys_are_escaped, integers_are_exact, null_strings_are_null,
           a_string_of_given_length_may_hold_nul,
           every_byte_is_escaped_as_documented,
           a_special_byte_is_found_at_every_place,
           plain_text_is_copied_as_it_is, put_string_appends,
           bad_utf8_becomes_one_replacement_per_maximal_subpart,
           a_sequence_is_not_read_beyond_the_length)
