/* src/source/follow.c: links, references, and the page after one. */
#include "source/follow.h"

#include <apr_strings.h>
#include <string.h>

#include "source/template.h"
#include "unit/unit.h"

static const char *link_of(const char *value)
{
    const char *target = dsapi_follow_link(value, g_pool);

    return target ? target : "none";
}

START_TEST(one_link_is_found)
{
    ck_assert_str_eq(link_of(NULL), "none");
    ck_assert_str_eq(link_of(""), "none");
    ck_assert_str_eq(link_of("</a>; rel=next"), "/a");
    ck_assert_str_eq(link_of("</a>;rel=\"next\""), "/a");
    ck_assert_str_eq(link_of(" , <?p=2> ; REL = \"NeXT\" ; x"), "?p=2");
    ck_assert_str_eq(link_of("<>; rel=next"), "");
    ck_assert_str_eq(link_of("</a>; rel=\"last \tnext\""), "/a");
    ck_assert_str_eq(link_of("</a>; rel=prev"), "none");
    ck_assert_str_eq(link_of("</a>; rel=nextish"), "none");
    ck_assert_str_eq(link_of("</a>"), "none");
}
END_TEST

START_TEST(of_several_links_the_next_is_found)
{
    ck_assert_str_eq(link_of("</1>; rel=first, </2>; rel=\"next\", </9>; "
                             "rel=last"),
                     "/2");
    ck_assert_str_eq(link_of("</1,2;3>; rel=prev, </4,5>; rel=next"), "/4,5");
    ck_assert_str_eq(link_of("</1>; title=\"a, </x>; rel=next\\\"; b\"; "
                             "rel=prev, </2>; rel=next"),
                     "/2");
    ck_assert_str_eq(link_of("</1>; rel=prev; rel=next, </2>; rel=next"), "/2");
    ck_assert_str_eq(link_of("</1>; rel=next; anchor=\"/x\", </2>; rel=next"),
                     "/2");
    ck_assert_str_eq(link_of("</1>; rel*=next, </2>; rel=next"), "/2");
}
END_TEST

START_TEST(what_is_no_link_is_passed_over)
{
    ck_assert_str_eq(link_of("/a; rel=next"), "none");
    ck_assert_str_eq(link_of("</a; rel=next"), "none");
    ck_assert_str_eq(link_of("</a> rel=next"), "none");
    ck_assert_str_eq(link_of("</1>; rel=prev junk, </2>; rel=next"), "/2");
    ck_assert_str_eq(link_of("junk,, </2>; rel=next"), "/2");
    ck_assert_str_eq(link_of("</1>; title=\"a\" junk; rel=next"), "none");
    ck_assert_str_eq(link_of("<junk, junk"), "none");
    ck_assert_str_eq(link_of("</1>; title=\"open, </2>; rel=next"), "none");
    ck_assert_str_eq(link_of("</1>; title=\"open\\"), "none");
    ck_assert_str_eq(link_of("</1>;;;= ;rel=next"), "/1");
}
END_TEST

/* RFC 3986, 5.4, without fragments */
START_TEST(references_are_resolved)
{
    static const char *const cases[][2] = {
        {"g:h", "g:h"},
        {"g", "http://a/b/c/g"},
        {"./g", "http://a/b/c/g"},
        {"g/", "http://a/b/c/g/"},
        {"/g", "http://a/g"},
        {"//g", "http://g"},
        {"?y", "http://a/b/c/d;p?y"},
        {"g?y", "http://a/b/c/g?y"},
        {"#s", "http://a/b/c/d;p?q"},
        {"g#s", "http://a/b/c/g"},
        {"g?y#s", "http://a/b/c/g?y"},
        {";x", "http://a/b/c/;x"},
        {"", "http://a/b/c/d;p?q"},
        {".", "http://a/b/c/"},
        {"./", "http://a/b/c/"},
        {"..", "http://a/b/"},
        {"../", "http://a/b/"},
        {"../g", "http://a/b/g"},
        {"../..", "http://a/"},
        {"../../", "http://a/"},
        {"../../g", "http://a/g"},
        {"../../../g", "http://a/g"},
        {"../../../../g", "http://a/g"},
        {"/./g", "http://a/g"},
        {"/../g", "http://a/g"},
        {"g.", "http://a/b/c/g."},
        {".g", "http://a/b/c/.g"},
        {"g..", "http://a/b/c/g.."},
        {"..g", "http://a/b/c/..g"},
        {"./../g", "http://a/b/g"},
        {"./g/.", "http://a/b/c/g/"},
        {"g/./h", "http://a/b/c/g/h"},
        {"g/../h", "http://a/b/c/h"},
        {"g;x=1/./y", "http://a/b/c/g;x=1/y"},
        {"g;x=1/../y", "http://a/b/c/y"},
        {"g?y/./x", "http://a/b/c/g?y/./x"},
        {"g?y/../x", "http://a/b/c/g?y/../x"},
        {"https://h/x/../y?z#f", "https://h/y?z"},
        {"//h/x/./y", "http://h/x/y"},
        {"?u=http://z/", "http://a/b/c/d;p?u=http://z/"},
        {"/a//b", "http://a/a//b"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        ck_assert_str_eq(
            dsapi_follow_resolve("http://a/b/c/d;p?q", cases[i][0], g_pool),
            cases[i][1]);
    }
    ck_assert_str_eq(dsapi_follow_resolve("http://a", "g", g_pool), "http://a/"
                                                                    "g");
    ck_assert_str_eq(dsapi_follow_resolve("http://a?q", "?y", g_pool), "http://"
                                                                       "a/?y");
}
END_TEST

/** The page after one at http://a/b/?p=1; or the error. */
static const char *next_of(const char *pointer, const char *link,
                           const char *body)
{
    dsapi_follow_t follow = {100, pointer};
    dsapi_response_t resp = {.status = 200,
                             .url = "http://a/b/?p=1",
                             .link = link,
                             .body = body,
                             .body_bytes = strlen(body)};
    const char *next = "untouched";
    dsapi_err_t *err = (dsapi_err_t *)g_pool;
    apr_status_t rv = dsapi_follow_next(&next, &err, &follow, &resp, g_pool);

    ck_assert_int_eq(rv, err ? DSAPI_EUNPROC : APR_SUCCESS);
    ck_assert(!err || !next);
    return err ? err->code : next ? next : "none";
}

START_TEST(the_next_page_is_found)
{
    ck_assert_str_eq(next_of(NULL, NULL, "[]"), "none");
    ck_assert_str_eq(next_of(NULL, "<?p=2>; rel=next", "[]"), "http://a/b/"
                                                              "?p=2");
    ck_assert_str_eq(next_of("/n", "<?p=2>; rel=next", "{\"n\":null}"), "none");
    ck_assert_str_eq(next_of("/n", NULL, " \r\n\t{\"n\":\"/c\\u003f2\"}"), "htt"
                                                                           "p:/"
                                                                           "/a/"
                                                                           "c?"
                                                                           "2");
    ck_assert_str_eq(next_of("/n", NULL, "{}"), "none");
    ck_assert_str_eq(next_of("/n", NULL, "{\"n\":\"\"}"), "none");
    ck_assert_str_eq(next_of("/n", NULL, "7"), "none");
    ck_assert_str_eq(next_of("/0/n", NULL, "[{\"n\":\"https://x/\"}]"), "https:"
                                                                        "//x/");
}
END_TEST

START_TEST(what_is_no_url_is_refused)
{
    static const char *const wrong[] = {"7",
                                        "true",
                                        "{}",
                                        "\"a b\"",
                                        "\"/\\n\"",
                                        "\"/\\u00e9\"",
                                        "\"ftp://x/\"",
                                        "\"http:///\"",
                                        "\"mailto:x\"",
                                        "\"//u:p@x/\"",
                                        "\"//x:99999/\"",
                                        "\"http:x\""};

    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        ck_assert_str_eq(
            next_of("/n", NULL,
                    apr_pstrcat(g_pool, "{\"n\":", wrong[i], "}", NULL)),
            "upstream-next");
    }
}
END_TEST

START_TEST(a_url_has_its_limit)
{
    char *link = apr_pcalloc(g_pool, DSAPI_URL_MAX_BYTES + 100);

    link[0] = '<';
    link[1] = '/';
    memset(link + 2, 'x', DSAPI_URL_MAX_BYTES - 9);
    memcpy(link + DSAPI_URL_MAX_BYTES - 7, ">; rel=next", 12);
    ck_assert_int_eq((int)strlen(next_of(NULL, link, "")), DSAPI_URL_MAX_BYTES);
    memset(link + 2, 'x', DSAPI_URL_MAX_BYTES - 8);
    memcpy(link + DSAPI_URL_MAX_BYTES - 6, ">; rel=next", 12);
    ck_assert_str_eq(next_of(NULL, link, ""), "upstream-next");
}
END_TEST

START_TEST(from_https_there_is_no_way_to_http)
{
    dsapi_follow_t follow = {100, NULL};
    dsapi_response_t resp = {.url = "https://a/",
                             .link = "<http://a/2>; rel=next"};
    const char *next;
    dsapi_err_t *err;

    ck_assert_int_eq(dsapi_follow_next(&next, &err, &follow, &resp, g_pool),
                     DSAPI_EUNPROC);
    ck_assert_str_eq(err->detail, "the next page leads from https to http");
    resp.link = "</2>; rel=next";
    ck_assert_int_eq(dsapi_follow_next(&next, &err, &follow, &resp, g_pool),
                     APR_SUCCESS);
    ck_assert_str_eq(next, "https://a/2");
}
END_TEST

UNIT_SUITE(source_follow, one_link_is_found, of_several_links_the_next_is_found,
           what_is_no_link_is_passed_over, references_are_resolved,
           the_next_page_is_found, what_is_no_url_is_refused,
           a_url_has_its_limit, from_https_there_is_no_way_to_http)
