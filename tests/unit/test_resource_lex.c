/* src/resource/lex.h: words, and what is said where they are missing. */
#include "resource/lex.h"

#include "unit/ast.h"
#include "unit/unit.h"

static dsapi_lex_t lex;
static dsapi_err_t *err;

static dsapi_lex_t *on(const char *text)
{
    err = NULL;
    dsapi_lex_init(&lex, &err, "failed", text, g_pool);
    return &lex;
}

START_TEST(words_are_taken)
{
    const char *word = NULL;

    ck_assert(dsapi_lex_take(on("abc"), "ab"));
    ck_assert_str_eq(lex.p, "c");
    ck_assert(!dsapi_lex_take(&lex, "d"));
    ck_assert_str_eq(lex.p, "c");
    ck_assert_ptr_null(err);
    ck_assert(dsapi_lex_expect(on(" ( x"), "(", "bracket"));
    ck_assert_str_eq(lex.p, "x");
    ck_assert(dsapi_lex_quoted(&word, on("\"a\\\"\\\\b\"c")));
    ck_assert_str_eq(word, "a\"\\b");
    ck_assert_str_eq(lex.p, "c");
    ck_assert(dsapi_lex_name(&word, on(" a b-c d->x")));
    ck_assert_str_eq(word, "a b-c d");
    ck_assert_str_eq(lex.p, "->x");
    ck_assert(dsapi_lex_word(&word, on("int4-x")));
    ck_assert_str_eq(word, "int4");
    ck_assert_str_eq(lex.p, "-x");
}
END_TEST

START_TEST(an_error_says_where_and_what)
{
    const char *word;

    ck_assert(!dsapi_lex_name(&word, on("")));
    ck_assert_int_eq(err->rv, DSAPI_EPARAM);
    ck_assert_int_eq(err->http, 400);
    ck_assert_str_eq(ast_error(err), "PGRST100: \"failed ()\" (line 1, column "
                                     "1); \"unexpected "
                                     "end of input expecting field name (* or "
                                     "[a..z0..9_$])\"");
    ck_assert_str_eq(err->internal, "PGRST100"); /* not what was sent */
    ck_assert(!dsapi_lex_end(on("\xc3\xa9"), "nothing"));
    ck_assert_str_eq(ast_error(err), "PGRST100: \"failed (\xc3\xa9)\" (line 1, "
                                     "column 1); "
                                     "\"unexpected \\\"\xc3\xa9\\\" expecting "
                                     "nothing\"");
    ck_assert(!dsapi_lex_quoted(&word, on("\"a\\\"")));
    ck_assert(!dsapi_lex_quoted(&word, on("\"a\\")));
    ck_assert(!dsapi_lex_quoted(&word, on("a")));
    ck_assert(!dsapi_lex_expect(on(" ]"), ")", "\")\""));
    ck_assert_str_eq(ast_error(err), "PGRST100: \"failed ( ])\" (line 1, "
                                     "column 2); "
                                     "\"unexpected \\\"]\\\" expecting "
                                     "\\\")\\\"\"");
    ck_assert(!dsapi_lex_name(&word, on("a-")));
    ck_assert(!dsapi_lex_word(&word, on("-")));
    on("a")->perr = NULL; /* an attempt */
    ck_assert(!dsapi_lex_quoted(&word, &lex));
    ck_assert_ptr_null(err);
}
END_TEST

START_TEST(depth_is_bounded)
{
    on("");
    for (int i = 0; i < DSAPI_RES_DEPTH_MAX; i++) {
        ck_assert(dsapi_lex_descend(&lex));
    }
    ck_assert(!dsapi_lex_descend(&lex));
    ck_assert_str_eq(err->code, "PGRST100");
}
END_TEST

START_TEST(an_index_is_short_and_ends)
{
    apr_array_header_t *path;
    static const struct {
        const char *text;
        int is_index;
    } rows[] = {{"->1", 1},          {"->-1", 1},     {"->123456789", 1},
                {"->1234567890", 0}, {"->1a", 0},     {"->1->a", 1},
                {"->>1::int", 1},    {"->1.desc", 1}, {"->1,b", 1},
                {"->1)", 1}};

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        ck_assert(dsapi_lex_path(&path, on(rows[i].text)));
        ck_assert_int_eq(APR_ARRAY_IDX(path, 0, dsapi_res_step_t).is_index,
                         rows[i].is_index);
    }
    ck_assert(dsapi_lex_path(&path, on("x")));
    ck_assert_ptr_null(path);
    ck_assert(!dsapi_lex_path(&path, on("->")));
    ck_assert(!dsapi_lex_path(&path, on("->-x")));
}
END_TEST

UNIT_SUITE(resource_lex, words_are_taken, an_error_says_where_and_what,
           depth_is_bounded, an_index_is_short_and_ends)
