#include "source/expect.h"

#include <apr_strings.h>
#include <string.h>

#include "unit/unit.h"

static dsapi_expect_t expecting(const char *key, const char *value)
{
    dsapi_expect_t expect = dsapi_expect_make(g_pool);
    dsapi_err_t *err = (dsapi_err_t *)g_pool;

    if (key) {
        ck_assert_int_eq(dsapi_expect_add(&expect, &err, key, value, g_pool),
                         APR_SUCCESS);
        ck_assert_ptr_null(err);
    }
    return expect;
}

START_TEST(by_default_2xx_is_good)
{
    dsapi_expect_t expect = expecting(NULL, NULL);

    ck_assert_int_eq(dsapi_expect_status(&expect, 199), 0);
    ck_assert_int_eq(dsapi_expect_status(&expect, 200), 1);
    ck_assert_int_eq(dsapi_expect_status(&expect, 299), 1);
    ck_assert_int_eq(dsapi_expect_status(&expect, 300), 0);
    ck_assert_int_eq(dsapi_expect_status(&expect, 404), 0);
}
END_TEST

START_TEST(listed_statuses_replace_them)
{
    dsapi_expect_t expect = expecting("status", "200,404-410,5xx");
    dsapi_err_t *err;

    ck_assert_int_eq(dsapi_expect_status(&expect, 200), 1);
    ck_assert_int_eq(dsapi_expect_status(&expect, 201), 0);
    ck_assert_int_eq(dsapi_expect_status(&expect, 403), 0);
    ck_assert_int_eq(dsapi_expect_status(&expect, 404), 1);
    ck_assert_int_eq(dsapi_expect_status(&expect, 410), 1);
    ck_assert_int_eq(dsapi_expect_status(&expect, 411), 0);
    ck_assert_int_eq(dsapi_expect_status(&expect, 500), 1);
    ck_assert_int_eq(dsapi_expect_status(&expect, 599), 1);
    dsapi_expect_add(&expect, &err, "status", "201", g_pool);
    ck_assert_int_eq(dsapi_expect_status(&expect, 200), 1);
    ck_assert_int_eq(dsapi_expect_status(&expect, 201), 1);
}
END_TEST

START_TEST(by_default_json_is_good)
{
    dsapi_expect_t expect = expecting(NULL, NULL);

    ck_assert_int_eq(dsapi_expect_type(&expect, NULL), 1);
    ck_assert_int_eq(dsapi_expect_type(&expect, "application/json"), 1);
    ck_assert_int_eq(dsapi_expect_type(&expect, "text/json"), 1);
    ck_assert_int_eq(dsapi_expect_type(&expect, "application/geo+json"), 1);
    ck_assert_int_eq(dsapi_expect_type(&expect, "application/jsonp"), 0);
    ck_assert_int_eq(dsapi_expect_type(&expect, "text/plain"), 0);
}
END_TEST

START_TEST(listed_types_replace_them)
{
    dsapi_expect_t expect = expecting("type", "Text/Plain,application/*+json");

    ck_assert_int_eq(dsapi_expect_type(&expect, "text/plain"), 1);
    ck_assert_int_eq(dsapi_expect_type(&expect, "text/plainer"), 0);
    ck_assert_int_eq(dsapi_expect_type(&expect, "application/x+json"), 1);
    ck_assert_int_eq(dsapi_expect_type(&expect, "application/json"), 0);
    ck_assert_int_eq(dsapi_expect_type(&expect, NULL), 0);
    expect = expecting("type", "*/*");
    ck_assert_int_eq(dsapi_expect_type(&expect, "text/html"), 1);
    ck_assert_int_eq(dsapi_expect_type(&expect, NULL), 1);
}
END_TEST

/* what is found in a document, as text; "": nothing */
static const char *found(const dsapi_expect_t *expect, const char *text)
{
    dsapi_json_slice_t document;
    dsapi_json_slice_t part = {"untouched", 9, DSAPI_JSON_NULL};
    int yes;

    ck_assert_int_eq(
        dsapi_json_check(&document, NULL, text, strlen(text), g_pool),
        APR_SUCCESS);
    yes = dsapi_expect_find(&part, expect, &document, g_pool);
    ck_assert(yes || strcmp(part.p, "untouched") == 0);
    return yes ? apr_pstrmemdup(g_pool, part.p, part.len_bytes) : "";
}

START_TEST(the_first_pointer_that_finds_something_counts)
{
    dsapi_expect_t expect = expecting(NULL, NULL);
    dsapi_err_t *err;

    ck_assert_str_eq(found(&expect, "{\"body\":1}"), "{\"body\":1}");
    expect = expecting("pointer", "/body");
    ck_assert_str_eq(found(&expect, "{\"body\":1}"), "1");
    ck_assert_str_eq(found(&expect, "{\"body\":null}"), "null");
    ck_assert_str_eq(found(&expect, "[2]"), "");
    dsapi_expect_add(&expect, &err, "pointer", "/a~1b/0", g_pool);
    ck_assert_str_eq(found(&expect, "{\"a/b\":[3],\"body\":1}"), "1");
    ck_assert_str_eq(found(&expect, "{\"a/b\":[3]}"), "3");
    ck_assert_str_eq(found(&expect, "[2]"), "");
    dsapi_expect_add(&expect, &err, "pointer", "", g_pool);
    ck_assert_str_eq(found(&expect, "[2]"), "[2]");
}
END_TEST

START_TEST(mistakes_are_told)
{
    static const char *const rows[][3] = {
        {"status", "", "status= must be a list such as 200,2xx"},
        {"status", "200,", "status=200, must be"},
        {"status", "20", "status=20 must be"},
        {"status", "199", "status=199 must be"},
        {"status", "304", "status=304 must be"},
        {"status", "3xx", "status=3xx must be"},
        {"status", "9xx", "status=9xx must be"},
        {"status", "xxx", "status=xxx must be"},
        {"status", "204-200", "status=204-200 must be"},
        {"status", "200-404", "status=200-404 must be"},
        {"status", "200-", "status=200- must be"},
        {"status", "600", "status=600 must be"},
        {"type", "json", "type=json must be a list such as application/json"},
        {"type", "a/b,", "type=a/b, must be"},
        {"type", "/b", "type=/b must be"},
        {"type", "a/", "type=a/ must be"},
        {"type", "a/b/c", "type=a/b/c must be"},
        {"type", "a/b; c", "type=a/b; c must be"},
        {"type", "a/[b]", "type=a/[b] must be"},
        {"pointer", "body", "pointer=body must be a JSON pointer such as"},
        {"pointer", "/a~2", "pointer=/a~2 must be"},
        {"pointer", "/a~", "pointer=/a~ must be"},
        {"stat", "200", "'stat' is not known; known are status= type="},
        {NULL, "200", "'200' is not known; known are status="},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        dsapi_expect_t expect = dsapi_expect_make(g_pool);
        dsapi_err_t *err = NULL;

        ck_assert_msg(dsapi_expect_add(&expect, &err, rows[i][0], rows[i][1],
                                       g_pool) == DSAPI_ESYNTAX,
                      "%s", rows[i][1]);
        ck_assert_msg(strncmp(err->detail, rows[i][2], strlen(rows[i][2])) == 0,
                      "%s", err->detail);
    }
}
END_TEST

UNIT_SUITE(source_expect, by_default_2xx_is_good, listed_statuses_replace_them,
           by_default_json_is_good, listed_types_replace_them,
           the_first_pointer_that_finds_something_counts, mistakes_are_told)
