/* src/resource/payload.h: every promise of the header. */
#include "resource/payload.h"

#include <apr_strings.h>

#include "unit/ast.h"
#include "unit/unit.h"

static const char *look(const char *text, apr_array_header_t *columns)
{
    dsapi_json_slice_t json;
    dsapi_res_payload_t payload;
    dsapi_err_t *err;
    apr_pool_t *scratch;
    apr_status_t rv;
    const char *shown;

    if (text) {
        ck_assert_int_eq(
            dsapi_json_check(&json, NULL, text, strlen(text), g_pool),
            APR_SUCCESS);
    }
    apr_pool_create(&scratch, g_scratch);
    rv = dsapi_resource_payload(&payload, &err, text ? &json : NULL, columns,
                                g_pool, scratch);
    apr_pool_destroy(scratch);
    if (rv != APR_SUCCESS) {
        return ast_error(err);
    }
    shown = apr_psprintf(g_pool, "%s %d %" APR_INT64_T_FMT ":", payload.json,
                         payload.is_array, payload.nrows);
    for (int i = 0; i < payload.keys->nelts; i++) {
        shown = apr_pstrcat(g_pool, shown, " ",
                            APR_ARRAY_IDX(payload.keys, i, const char *), NULL);
    }
    return shown;
}

START_TEST(objects_and_arrays)
{
    static const char *const cases[][2] = {
        {NULL, "PGRST102: Empty or invalid json"},
        {" {\"a\":1, \"b\":null} ", "{\"a\":1, \"b\":null} 0 1: a b"},
        {"{}", "{} 0 1:"},
        {"[]", "[] 1 0:"},
        {"[{},{}]", "[{},{}] 1 2:"},
        {"[{\"a\":1,\"b\":2},{\"b\":3,\"a\":4}]", "[{\"a\":1,\"b\":2},{\"b\":3,"
                                                  "\"a\":4}] 1 2: a b"},
        {"[{\"\\u0061\":1},{\"a\":2}]", "[{\"\\u0061\":1},{\"a\":2}] 1 2: a"},
        {"[{\"a\":1},{\"b\":2}]", "PGRST102: All object keys must match"},
        {"[{\"a\":1},{\"a\":2,\"b\":3}]", "PGRST102: All object keys must "
                                          "match"},
        {"[{\"a\":1,\"b\":2},{\"a\":2}]", "PGRST102: All object keys must "
                                          "match"},
        {"[1]", "PGRST102: All object keys must match"},
        {"[{},1]", "PGRST102: All object keys must match"},
        {"5", "PGRST102: Empty or invalid json"},
        {"null", "PGRST102: Empty or invalid json"},
    };
    apr_array_header_t *columns =
        apr_array_make(g_pool, 1, sizeof(const char *));

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        ck_assert_str_eq(look(cases[i][0], NULL), cases[i][1]);
    }
    APR_ARRAY_PUSH(columns, const char *) = "c";
    ck_assert_str_eq(look("[{\"a\":1},{\"b\":2}]", columns), "[{\"a\":1},{"
                                                             "\"b\":2}] 1 2: "
                                                             "c");
}
END_TEST

START_TEST(forms)
{
    ck_assert_str_eq(dsapi_resource_form(ast_pairs("a=1&b=x+%22y&a=2"), g_pool),
                     "{\"b\":\"x \\\"y\",\"a\":\"2\"}");
    ck_assert_str_eq(dsapi_resource_form(ast_pairs(""), g_pool), "{}");
}
END_TEST

START_TEST(pairs_that_cannot_be_decoded_are_all_told)
{
    dsapi_err_t *err;

    ck_assert_int_eq(
        dsapi_resource_check_pairs(&err, "query", ast_pairs("a=1&b="), g_pool),
        APR_SUCCESS);
    ck_assert_ptr_null(err);
    ck_assert_int_eq(dsapi_resource_check_pairs(
                         &err, "body", ast_pairs("a=%ff&%=1&c=2"), g_pool),
                     DSAPI_EPARAM);
    ck_assert_int_eq(err->fields->nelts, 2);
    ck_assert_ptr_nonnull(strstr(err->detail, "'a' must be UTF-8"));
}
END_TEST

UNIT_SUITE(resource_payload, objects_and_arrays, forms,
           pairs_that_cannot_be_decoded_are_all_told)
