/* route/match: the trie of paths. */
#include "route/match.h"

#include <apr_strings.h>

#include "unit/unit.h"

/* The values of the tries below are texts. */
static void add(dsapi_trie_t *trie, const char *path, const char *method,
                const char *value)
{
    dsapi_err_t *err = NULL;
    apr_status_t rv = dsapi_route_trie_add(trie, &err, path, method,
                                           apr_pstrdup(g_pool, value), g_pool);

    ck_assert_int_eq(rv, APR_SUCCESS);
    ck_assert_ptr_null(err);
}

/* A trie of templates, each of them added for GET under its own text. */
static dsapi_trie_t *trie_of(const char *const *paths)
{
    dsapi_trie_t *trie = dsapi_route_trie_make(g_pool);

    for (; *paths; paths++) {
        add(trie, *paths, "GET", *paths);
    }
    return trie;
}

/* What a path leads to: "value a b" with its captures; "405"; "404". */
static const char *found(const dsapi_trie_t *trie, const char *path,
                         const char *method)
{
    dsapi_match_t match;
    const char *shown;

    if (!dsapi_route_match(&match, trie, path, method, g_pool)) {
        return "404";
    }
    shown = match.value ? match.value : "405";
    for (int i = 0; i < match.ncaptures; i++) {
        shown = apr_pstrcat(g_pool, shown, " ", match.captures[i], NULL);
    }
    return shown;
}

static const char *names_of(const char *path)
{
    apr_array_header_t *names = NULL;
    dsapi_err_t *err = NULL;
    apr_status_t rv = dsapi_route_template_names(&names, &err, path, g_pool);

    ck_assert_msg(rv == APR_SUCCESS, "%s: %s", path, err ? err->detail : "");
    ck_assert_ptr_null(err);
    return apr_array_pstrcat(g_pool, names, ' ');
}

static const char *refusal(const char *path)
{
    apr_array_header_t *names = (apr_array_header_t *)g_pool;
    dsapi_err_t *err = NULL;
    apr_status_t rv = dsapi_route_template_names(&names, &err, path, g_pool);

    ck_assert_msg(rv == DSAPI_ESYNTAX, "%s is taken", path);
    ck_assert_ptr_null(names);
    ck_assert_int_eq(err->rv, DSAPI_ESYNTAX);
    return err->detail;
}

START_TEST(a_template_has_names)
{
    ck_assert_str_eq(names_of("/"), "");
    ck_assert_str_eq(names_of("/a"), "");
    ck_assert_str_eq(names_of("/a/b.c/d-e_f~/\303\251"), "");
    ck_assert_str_eq(names_of("/{a}"), "a");
    ck_assert_str_eq(names_of("/a/{b}/c/{_D9}"), "b _D9");
    ck_assert_str_eq(names_of("/{ab}/{a}/{abc}"), "ab a abc");
    ck_assert_str_eq(names_of("/.../..a"), "");
}
END_TEST

START_TEST(a_mistake_in_a_template_is_refused)
{
    static const struct {
        const char *path;
        const char *why;
    } rows[] = {{"", "begin with '/'"},
                {"a", "begin with '/'"},
                {"{a}", "begin with '/'"},
                {"//", "empty segment"},
                {"/a/", "empty segment"},
                {"/a//b", "empty segment"},
                {"//a", "empty segment"},
                {"/{a}/", "empty segment"},
                {"/.", "\".\""},
                {"/a/..", "\"..\""},
                {"/../a", "\"..\""},
                {"/a%20b", "'%'"},
                {"/{a%}", "'%'"},
                {"/a?b", "'?'"},
                {"/a?b={c}", "'?'"},
                {"/a#b/c", "'#'"},
                {"/a{b}", "whole segment"},
                {"/{a}b", "whole segment"},
                {"/{a}-{b}", "name"},
                {"/{", "whole segment"},
                {"/}", "whole segment"},
                {"/{}", "whole segment"},
                {"/{a", "whole segment"},
                {"/a}", "whole segment"},
                {"/{1a}", "name"},
                {"/{a b}", "name"},
                {"/{a-b}", "name"},
                {"/{\303\251}", "name"},
                {"/{{a}}", "name"},
                {"/{a}/{a}", "twice"},
                {"/{a}/b/{c}/{a}", "twice"}};

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char *detail = refusal(rows[i].path);

        ck_assert_msg(strstr(detail, rows[i].why) != NULL, "%s: %s",
                      rows[i].path, detail);
    }
}
END_TEST

START_TEST(a_template_has_at_most_16_parameters)
{
    const char *path = "";

    for (int i = 0; i < DSAPI_CAPTURES_MAX; i++) {
        path = apr_psprintf(g_pool, "%s/{p%d}", path, i);
    }
    names_of(path);
    ck_assert_str_eq(
        found(trie_of((const char *[]){path, NULL}),
              "/0/1/2/3/4/5/6/7/8/9/a/b/c/d/e/f", "GET"),
        apr_pstrcat(g_pool, path, " 0 1 2 3 4 5 6 7 8 9 a b c d e f", NULL));
    ck_assert_ptr_nonnull(
        strstr(refusal(apr_pstrcat(g_pool, path, "/{x}", NULL)), "many"));
}
END_TEST

START_TEST(a_path_is_matched_whole)
{
    const dsapi_trie_t *trie =
        trie_of((const char *[]){"/a/b", "/c", "/d/{e}/f", NULL});

    ck_assert_str_eq(found(trie, "/a/b", "GET"), "/a/b");
    ck_assert_str_eq(found(trie, "/c", "GET"), "/c");
    ck_assert_str_eq(found(trie, "/d/x/f", "GET"), "/d/{e}/f x");
    ck_assert_str_eq(found(trie, "/a", "GET"), "404");
    ck_assert_str_eq(found(trie, "/a/b/c", "GET"), "404");
    ck_assert_str_eq(found(trie, "/a/bc", "GET"), "404");
    ck_assert_str_eq(found(trie, "/A/b", "GET"), "404");
    ck_assert_str_eq(found(trie, "/d/x", "GET"), "404");
    ck_assert_str_eq(found(trie, "/d/x/f/g", "GET"), "404");
    ck_assert_str_eq(found(trie, "/", "GET"), "404");
    ck_assert_str_eq(found(trie, "", "GET"), "404");
}
END_TEST

START_TEST(a_slash_at_the_end_counts)
{
    const dsapi_trie_t *trie = trie_of((const char *[]){"/a", "/b/{c}", NULL});

    ck_assert_str_eq(found(trie, "/a/", "GET"), "404");
    ck_assert_str_eq(found(trie, "/b/x/", "GET"), "404");
    ck_assert_str_eq(found(trie, "//a", "GET"), "404");
    ck_assert_str_eq(found(trie, "/a//", "GET"), "404");
}
END_TEST

START_TEST(a_parameter_is_never_empty)
{
    const dsapi_trie_t *trie =
        trie_of((const char *[]){"/{a}", "/b/{c}/d", NULL});

    ck_assert_str_eq(found(trie, "/b/", "GET"), "404");
    ck_assert_str_eq(found(trie, "/b//d", "GET"), "404");
    ck_assert_str_eq(found(trie, "//", "GET"), "404");
    ck_assert_str_eq(found(trie, "/", "GET"), "404");
}
END_TEST

START_TEST(the_root_is_a_template)
{
    const dsapi_trie_t *trie = trie_of((const char *[]){"/", "/{a}", NULL});

    ck_assert_str_eq(found(trie, "", "GET"), "/");
    ck_assert_str_eq(found(trie, "/", "GET"), "/");
    ck_assert_str_eq(found(trie, "//", "GET"), "404");
    ck_assert_str_eq(found(trie, "/x", "GET"), "/{a} x");
}
END_TEST

START_TEST(an_empty_trie_matches_nothing)
{
    const dsapi_trie_t *trie = dsapi_route_trie_make(g_pool);

    ck_assert_str_eq(found(trie, "/", "GET"), "404");
    ck_assert_str_eq(found(trie, "", "GET"), "404");
    ck_assert_str_eq(found(trie, "/a", "GET"), "404");
}
END_TEST

START_TEST(literals_beat_parameters)
{
    const dsapi_trie_t *trie = trie_of((const char *[]){
        "/{a}", "/x", "/{a}/{b}", "/x/{b}", "/{a}/y", "/x/y", NULL});

    ck_assert_str_eq(found(trie, "/x", "GET"), "/x");
    ck_assert_str_eq(found(trie, "/z", "GET"), "/{a} z");
    ck_assert_str_eq(found(trie, "/x/y", "GET"), "/x/y");
    ck_assert_str_eq(found(trie, "/x/z", "GET"), "/x/{b} z");
    ck_assert_str_eq(found(trie, "/z/y", "GET"), "/{a}/y z");
    ck_assert_str_eq(found(trie, "/z/z", "GET"), "/{a}/{b} z z");
}
END_TEST

START_TEST(a_literal_that_leads_nowhere_is_left_again)
{
    const dsapi_trie_t *trie = trie_of((const char *[]){
        "/a/b/c/d", "/a/{x}/c/e", "/{y}/b/{z}/f", "/{y}/{x}/{z}/{w}/g", NULL});

    ck_assert_str_eq(found(trie, "/a/b/c/d", "GET"), "/a/b/c/d");
    ck_assert_str_eq(found(trie, "/a/b/c/e", "GET"), "/a/{x}/c/e b");
    ck_assert_str_eq(found(trie, "/a/b/c/f", "GET"), "/{y}/b/{z}/f a c");
    ck_assert_str_eq(found(trie, "/a/b/c/d/g", "GET"), "/{y}/{x}/{z}/{w}/g a b "
                                                       "c d");
    ck_assert_str_eq(found(trie, "/a/b/c/h", "GET"), "404");
}
END_TEST

START_TEST(the_first_template_counts_whatever_its_methods)
{
    dsapi_trie_t *trie = dsapi_route_trie_make(g_pool);

    add(trie, "/{a}", "GET", "get");
    add(trie, "/x", "POST", "post");
    ck_assert_str_eq(found(trie, "/x", "GET"), "405");
    ck_assert_str_eq(found(trie, "/x", "POST"), "post");
    ck_assert_str_eq(found(trie, "/y", "POST"), "405 y");
}
END_TEST

START_TEST(many_literals_are_all_found)
{
    dsapi_trie_t *trie = dsapi_route_trie_make(g_pool);

    for (int i = 0; i < 500; i++) { /* in no order */
        const char *path = apr_psprintf(g_pool, "/%d", i * 7919 % 500);

        add(trie, path, "GET", path);
    }
    for (int i = 0; i < 500; i++) {
        const char *path = apr_psprintf(g_pool, "/%d", i);

        ck_assert_str_eq(found(trie, path, "GET"), path);
    }
    ck_assert_str_eq(found(trie, "/500", "GET"), "404");
    ck_assert_str_eq(found(trie, "/", "GET"), "404");
}
END_TEST

START_TEST(allow_names_the_methods)
{
    dsapi_trie_t *trie = dsapi_route_trie_make(g_pool);
    dsapi_match_t match;

    add(trie, "/a", "POST", "p");
    dsapi_route_match(&match, trie, "/a", "GET", g_pool);
    ck_assert_str_eq(match.allow, "POST, OPTIONS");
    ck_assert_ptr_null(match.value);
    add(trie, "/a", "GET", "g");
    add(trie, "/a", "DELETE", "d");
    dsapi_route_match(&match, trie, "/a", "PUT", g_pool);
    ck_assert_str_eq(match.allow, "POST, GET, HEAD, DELETE, OPTIONS");
    ck_assert_ptr_null(match.value);
    dsapi_route_match(&match, trie, "/a", "GET", g_pool);
    ck_assert_str_eq(match.allow, "POST, GET, HEAD, DELETE, OPTIONS");
    ck_assert_str_eq(match.value, "g");
}
END_TEST

START_TEST(head_finds_get)
{
    dsapi_trie_t *trie = dsapi_route_trie_make(g_pool);

    add(trie, "/a", "GET", "g");
    add(trie, "/b", "POST", "p");
    ck_assert_str_eq(found(trie, "/a", "HEAD"), "g");
    ck_assert_str_eq(found(trie, "/b", "HEAD"), "405");
    ck_assert_str_eq(found(trie, "/a", "OPTIONS"), "405");
    ck_assert_str_eq(found(trie, "/a", "get"), "405");
    ck_assert_str_eq(found(trie, "/a", ""), "405");
}
END_TEST

START_TEST(a_path_that_does_not_match_leaves_the_out_value)
{
    const dsapi_trie_t *trie = trie_of((const char *[]){"/a", NULL});
    dsapi_match_t match = {NULL, "untouched", -7, {NULL}};

    ck_assert_int_eq(dsapi_route_match(&match, trie, "/b", "GET", g_pool), 0);
    ck_assert_str_eq(match.allow, "untouched");
    ck_assert_int_eq(match.ncaptures, -7);
}
END_TEST

START_TEST(captures_are_copies)
{
    const dsapi_trie_t *trie = trie_of((const char *[]){"/{a}/b", NULL});
    char path[] = "/\303\251 {x}/b";
    dsapi_match_t match;

    dsapi_route_match(&match, trie, path, "GET", g_pool);
    memset(path, '?', sizeof(path) - 1);
    ck_assert_int_eq(match.ncaptures, 1);
    ck_assert_str_eq(match.captures[0], "\303\251 {x}");
}
END_TEST

START_TEST(a_path_and_a_method_are_declared_once)
{
    static const char *const again[] = {"/a/{b}", "/a/{other}"};
    dsapi_trie_t *trie = dsapi_route_trie_make(g_pool);

    add(trie, "/a/{b}", "GET", "first");
    add(trie, "/a/{c}", "POST", "other");
    for (size_t i = 0; i < sizeof(again) / sizeof(again[0]); i++) {
        dsapi_err_t *err = NULL;

        ck_assert_int_eq(
            dsapi_route_trie_add(trie, &err, again[i], "GET", trie, g_pool),
            DSAPI_ECONFLICT);
        ck_assert_int_eq(err->rv, DSAPI_ECONFLICT);
        ck_assert_str_eq(err->detail,
                         apr_pstrcat(g_pool, "GET ", again[i],
                                     " is declared already", NULL));
    }
    ck_assert_str_eq(found(trie, "/a/x", "GET"), "first x");
    ck_assert_str_eq(found(trie, "/a/x", "POST"), "other x");
}
END_TEST

START_TEST(paths_and_methods_are_copied)
{
    dsapi_trie_t *trie = dsapi_route_trie_make(g_pool);
    char path[] = "/abc";
    char method[] = "GET";

    add(trie, path, method, "value");
    memset(path, '?', sizeof(path) - 1);
    memset(method, '?', sizeof(method) - 1);
    ck_assert_str_eq(found(trie, "/abc", "GET"), "value");
}
END_TEST

/* The base's value and what is behind it: "value rest"; "none". */
static const char *base_of(const dsapi_trie_t *trie, const char *path)
{
    const char *rest = "untouched";
    const char *value = dsapi_route_base(&rest, trie, path);

    if (!value) {
        ck_assert_str_eq(rest, "untouched");
        return "none";
    }
    return apr_pstrcat(g_pool, value, " ", rest, NULL);
}

START_TEST(a_base_ends_where_a_segment_ends)
{
    dsapi_trie_t *trie = dsapi_route_trie_make(g_pool);

    add(trie, "/a/b", "", "ab");
    ck_assert_str_eq(base_of(trie, "/a/b"), "ab ");
    ck_assert_str_eq(base_of(trie, "/a/b/"), "ab /");
    ck_assert_str_eq(base_of(trie, "/a/b/c/d"), "ab /c/d");
    ck_assert_str_eq(base_of(trie, "/a/b//c"), "ab //c");
    ck_assert_str_eq(base_of(trie, "/a/bc"), "none");
    ck_assert_str_eq(base_of(trie, "/a"), "none");
    ck_assert_str_eq(base_of(trie, "/a/"), "none");
    ck_assert_str_eq(base_of(trie, "/A/b"), "none");
    ck_assert_str_eq(base_of(trie, "//a/b"), "none");
    ck_assert_str_eq(base_of(trie, ""), "none");
    ck_assert_str_eq(base_of(trie, "*"), "none");
}
END_TEST

START_TEST(the_longest_base_counts)
{
    dsapi_trie_t *trie = dsapi_route_trie_make(g_pool);

    add(trie, "/a", "", "a");
    add(trie, "/a/b/c", "", "abc");
    ck_assert_str_eq(base_of(trie, "/a/b"), "a /b");
    ck_assert_str_eq(base_of(trie, "/a/b/c"), "abc ");
    ck_assert_str_eq(base_of(trie, "/a/b/cd"), "a /b/cd");
    ck_assert_str_eq(base_of(trie, "/a/b/c/d"), "abc /d");
    ck_assert_str_eq(base_of(trie, "/b"), "none");
}
END_TEST

START_TEST(a_base_may_be_the_root)
{
    dsapi_trie_t *trie = dsapi_route_trie_make(g_pool);

    add(trie, "/", "", "root");
    add(trie, "/a", "", "a");
    ck_assert_str_eq(base_of(trie, "/"), "root /");
    ck_assert_str_eq(base_of(trie, "/x/y"), "root /x/y");
    ck_assert_str_eq(base_of(trie, "/ab"), "root /ab");
    ck_assert_str_eq(base_of(trie, "/a"), "a ");
    ck_assert_str_eq(base_of(trie, ""), "root ");
}
END_TEST

UNIT_SUITE(route_match, a_template_has_names,
           a_mistake_in_a_template_is_refused,
           a_template_has_at_most_16_parameters, a_path_is_matched_whole,
           a_slash_at_the_end_counts, a_parameter_is_never_empty,
           the_root_is_a_template, an_empty_trie_matches_nothing,
           literals_beat_parameters, a_literal_that_leads_nowhere_is_left_again,
           the_first_template_counts_whatever_its_methods,
           many_literals_are_all_found, allow_names_the_methods, head_finds_get,
           a_path_that_does_not_match_leaves_the_out_value, captures_are_copies,
           a_path_and_a_method_are_declared_once, paths_and_methods_are_copied,
           a_base_ends_where_a_segment_ends, the_longest_base_counts,
           a_base_may_be_the_root)
