#include <apr_strings.h>
#include <string.h>

#include "base/args.h"
#include "unit/unit.h"

/* The arguments in one line: [key=]value, <value> if it was quoted, '|'. */
static const char *parsed(const char *line)
{
    apr_array_header_t *args = NULL;
    dsapi_err_t *err = NULL;
    const char *shown = "";

    ck_assert_int_eq(dsapi_base_args_parse(&args, &err, line, g_pool),
                     APR_SUCCESS);
    ck_assert_ptr_null(err);
    for (int i = 0; i < args->nelts; i++) {
        const dsapi_arg_t *arg = &APR_ARRAY_IDX(args, i, dsapi_arg_t);

        shown =
            apr_pstrcat(g_pool, shown, i ? "|" : "", arg->key ? arg->key : "",
                        arg->key ? "=" : "", arg->quoted ? "<" : "", arg->value,
                        arg->quoted ? ">" : "", NULL);
    }
    return shown;
}

static const dsapi_err_t *refused(const char *line)
{
    apr_array_header_t *args = apr_array_make(g_pool, 1, sizeof(dsapi_arg_t));
    dsapi_err_t *err = NULL;
    apr_status_t rv = dsapi_base_args_parse(&args, &err, line, g_pool);

    ck_assert_msg(rv == DSAPI_ESYNTAX, "<%s> is taken", line);
    ck_assert_ptr_null(args);
    ck_assert_ptr_nonnull(err);
    ck_assert_int_eq(err->rv, DSAPI_ESYNTAX);
    return err;
}

START_TEST(nothing_gives_no_arguments)
{
    ck_assert_str_eq(parsed(""), "");
    ck_assert_str_eq(parsed(" \t "), "");
}
END_TEST

START_TEST(words_are_separated_by_blanks)
{
    ck_assert_str_eq(parsed("GET /areas/{iso3}"), "GET|/areas/{iso3}");
    ck_assert_str_eq(parsed("  a \t b\r\n c "), "a|b|c");
}
END_TEST

START_TEST(a_key_ends_at_the_first_equals_sign)
{
    ck_assert_str_eq(parsed("min=1 max=2"), "min=1|max=2");
    ck_assert_str_eq(parsed("range=:from,:to"), "range=:from,:to");
    ck_assert_str_eq(parsed("by=a=b"), "by=a=b");
    ck_assert_str_eq(parsed("x="), "x=");
    ck_assert_str_eq(parsed("x= y"), "x=|y");
}
END_TEST

START_TEST(a_key_may_have_all_its_characters)
{
    ck_assert_str_eq(parsed("_a-B.c@9='v'"), "_a-B.c@9=<v>");
    ck_assert_str_eq(parsed("region.id=\"v\""), "region.id=<v>");
    ck_assert_str_eq(parsed("@etag=v"), "@etag=v");
}
END_TEST

START_TEST(what_is_no_key_belongs_to_the_word)
{
    static const char *const words[] = {"=x",   "1=2",  "-a=b", "1=b",  ".a=b",
                                        "/a=b", "a/=b", "a:=b", "a+b=c"};

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        apr_array_header_t *args = NULL;
        dsapi_err_t *err = NULL;
        const dsapi_arg_t *arg;

        dsapi_base_args_parse(&args, &err, words[i], g_pool);
        ck_assert_int_eq(args->nelts, 1);
        arg = &APR_ARRAY_IDX(args, 0, dsapi_arg_t);
        ck_assert_msg(!arg->key, "<%s> has a key", words[i]);
        ck_assert_str_eq(arg->value, words[i]);
    }
}
END_TEST

START_TEST(quotes_keep_blanks)
{
    ck_assert_str_eq(parsed("default=\"a b\" 'c  d' \"\te\n\""), "default=<a "
                                                                 "b>|<c  "
                                                                 "d>|<\te\n>");
}
END_TEST

START_TEST(quotes_may_be_empty)
{
    ck_assert_str_eq(parsed("a=\"\" '' \"\""), "a=<>|<>|<>");
}
END_TEST

START_TEST(one_quote_may_stand_in_the_other)
{
    ck_assert_str_eq(parsed("a=\"it's\" '\"x\"'"), "a=<it's>|<\"x\">");
}
END_TEST

START_TEST(a_quoted_word_never_has_a_key)
{
    ck_assert_str_eq(parsed("\"a=b\" 'c=d'"), "<a=b>|<c=d>");
}
END_TEST

START_TEST(a_backslash_keeps_a_quote_or_backslash)
{
    ck_assert_str_eq(parsed("\"a \\\"b\\\" c\""), "<a \"b\" c>");
    ck_assert_str_eq(parsed("\"a\\\\\""), "<a\\>");
    ck_assert_str_eq(parsed("x=\"\\\\\\\"\""), "x=<\\\">");
}
END_TEST

START_TEST(any_other_backslash_is_itself)
{
    ck_assert_str_eq(parsed("pattern=\"^\\d+\\'$\""), "pattern=<^\\d+\\'$>");
    ck_assert_str_eq(parsed("'a\\\\b\\'"), "<a\\\\b\\>");
    ck_assert_str_eq(parsed("a\\ b=\\\"c"), "a\\|b=\\\"c");
}
END_TEST

START_TEST(a_quote_inside_a_bare_word_is_itself)
{
    ck_assert_str_eq(parsed("it's x=5\""), "it's|x=5\"");
}
END_TEST

START_TEST(any_text_may_stand_in_quotes)
{
    ck_assert_str_eq(parsed("x='\xC3\xA9\xE2\x82\xAC'"), "x=<"
                                                         "\xC3\xA9\xE2\x82\xAC"
                                                         ">");
}
END_TEST

START_TEST(an_open_quote_is_an_error)
{
    static const char *const lines[] = {"\"",       "'",      "\"abc",
                                        "a b='c d", "x=\"",   "\"a\\\"",
                                        "\"a'",     "'a\" b", "\"\\"};

    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        ck_assert_ptr_nonnull(strstr(refused(lines[i])->detail, "closed"));
    }
    ck_assert_str_eq(refused("a b='c d")->detail, "a quote is opened and never "
                                                  "closed: b='c d");
}
END_TEST

START_TEST(text_behind_a_closing_quote_is_an_error)
{
    static const char *const lines[] = {"\"a\"b", "'a'b",   "x='a'b",
                                        "''''",   "\"\"''", "a=\"b\"=c"};

    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        ck_assert_ptr_nonnull(strstr(refused(lines[i])->detail, "blank"));
    }
}
END_TEST

START_TEST(the_line_is_borrowed_for_the_call)
{
    char line[] = "a=b 'c' d";
    apr_array_header_t *args = NULL;
    dsapi_err_t *err = NULL;
    const dsapi_arg_t *arg;

    dsapi_base_args_parse(&args, &err, line, g_pool);
    memset(line, 'x', sizeof(line) - 1);
    arg = &APR_ARRAY_IDX(args, 0, dsapi_arg_t);
    ck_assert_str_eq(arg[0].key, "a");
    ck_assert_str_eq(arg[0].value, "b");
    ck_assert_str_eq(arg[1].value, "c");
    ck_assert_str_eq(arg[2].value, "d");
}
END_TEST

START_TEST(the_error_outlives_the_line)
{
    char line[] = "'c";
    apr_array_header_t *args = NULL;
    dsapi_err_t *err = NULL;

    dsapi_base_args_parse(&args, &err, line, g_pool);
    memset(line, 'x', sizeof(line) - 1);
    ck_assert_str_eq(err->detail, "a quote is opened and never closed: 'c");
}
END_TEST

UNIT_SUITE(base_args, nothing_gives_no_arguments, words_are_separated_by_blanks,
           a_key_ends_at_the_first_equals_sign,
           a_key_may_have_all_its_characters,
           what_is_no_key_belongs_to_the_word, quotes_keep_blanks,
           quotes_may_be_empty, one_quote_may_stand_in_the_other,
           a_quoted_word_never_has_a_key,
           a_backslash_keeps_a_quote_or_backslash,
           any_other_backslash_is_itself, a_quote_inside_a_bare_word_is_itself,
           any_text_may_stand_in_quotes, an_open_quote_is_an_error,
           text_behind_a_closing_quote_is_an_error,
           the_line_is_borrowed_for_the_call, the_error_outlives_the_line)
