/*
 * src/resource/query.h and the headers beside a query, at random: whatever is
 * sent is understood, or refused with a problem that says why.
 */
#include "resource/query.h"

#include <apr_strings.h>

#include "base/text.h"
#include "csv/media.h"
#include "json/buf.h"
#include "json/value.h"
#include "resource/once.h"
#include "resource/payload.h"
#include "resource/prefer.h"
#include "resource/problem.h"
#include "resource/range.h"
#include "unit/ast.h"
#include "unit/dialect.h"
#include "unit/unit.h"

static const char *const header_words[] = {"return=minimal",
                                           "resolution=merge-duplicates",
                                           "count=exact",
                                           "missing=",
                                           "max-affected=",
                                           "handling=strict",
                                           "tx=rollback",
                                           "timezone=",
                                           "UTC",
                                           ",",
                                           ";",
                                           "=",
                                           "\"",
                                           "\\",
                                           " ",
                                           "-",
                                           "0",
                                           "9",
                                           "18446744073709551616",
                                           "text/csv",
                                           "charset=",
                                           "utf-8",
                                           "bytes=",
                                           NULL};

#define TOLD "seed %" APR_UINT64_T_FMT ": %.3000s"

/* An error is one that can be sent. */
static void check_error(const fuzz_t *fuzz, const char *input, apr_status_t rv,
                        dsapi_err_t *err)
{
    ck_assert_msg(err && err->rv == rv && err->code && err->detail &&
                      dsapi_base_utf8_valid(err->detail, strlen(err->detail)) &&
                      dsapi_status_of(rv)->rv == rv,
                  TOLD, fuzz->seed, input);
    if (err->details) {
        dsapi_json_slice_t json;

        ck_assert_msg(dsapi_json_check(&json, NULL, err->details,
                                       strlen(err->details),
                                       g_scratch) == APR_SUCCESS,
                      TOLD, fuzz->seed, input);
    }
}

/* What a URL has behind its question mark, as the glue takes it. */
static int parse(const fuzz_t *fuzz, const char *text)
{
    apr_array_header_t *pairs =
        dsapi_base_form_parse(text, strlen(text), g_scratch);
    dsapi_res_query_t *query = NULL;
    dsapi_err_t *err;
    apr_status_t rv =
        dsapi_resource_check_pairs(&err, "query", pairs, g_scratch);

    for (int i = 0; rv == APR_SUCCESS && i < pairs->nelts; i++) {
        dsapi_pair_t *pair = &APR_ARRAY_IDX(pairs, i, dsapi_pair_t);

        pair->name = fuzz_copy(pair->name);
        pair->value = fuzz_copy(pair->value);
    }
    if (rv == APR_SUCCESS) {
        rv = dsapi_resource_parse(&query, &err, "items", pairs, g_scratch);
        ck_assert_msg((rv == APR_SUCCESS) == (query != NULL), TOLD, fuzz->seed,
                      text);
    }
    if (rv != APR_SUCCESS) {
        check_error(fuzz, text, rv, err);
    }
    return rv == APR_SUCCESS;
}

/* Some parameter, with anything in it. */
static const char *soup(fuzz_t *fuzz)
{
    static const char *const names[] = {"select", "order",       "and",
                                        "not.or", "on_conflict", "columns",
                                        "limit",  "offset",      "name"};
    const char *name = fuzz_below(fuzz, 4) ? fuzz_pick(fuzz, names)
                                           : fuzz_words(fuzz, 4, dialect_words);

    return apr_pstrcat(g_scratch, dsapi_base_percent_encode(name, g_scratch),
                       "=",
                       dsapi_base_percent_encode(
                           fuzz_words(fuzz, 12, dialect_words), g_scratch),
                       NULL);
}

START_TEST(a_query_is_understood_or_refused)
{
    fuzz_t fuzz;
    int good = 0;
    int rounds = 0;

    fuzz_init(&fuzz, 20000);
    for (; fuzz_next(&fuzz); rounds++) {
        const char *resource;
        const char *text = soup(&fuzz);

        if (fuzz_below(&fuzz, 2)) {
            text = dialect_text(dialect_query(&resource, &fuzz));
            text = fuzz_below(&fuzz, 2) ? fuzz_spoil(&fuzz, text, dialect_words)
                                        : text;
        }
        good += parse(&fuzz, fuzz_copy(text));
    }
    ck_assert_int_ge(good, rounds / 20);
    ck_assert_int_le(good, rounds - rounds / 20);
}
END_TEST

START_TEST(headers_are_understood_or_refused)
{
    dsapi_res_query_t *query;
    dsapi_err_t *err;
    fuzz_t fuzz;

    fuzz_init(&fuzz, 20000);
    while (fuzz_next(&fuzz)) {
        const char *text =
            fuzz_spoil(&fuzz, fuzz_words(&fuzz, 6, header_words), header_words);
        dsapi_prefer_t prefer;
        const char *value;
        apr_status_t rv;

        dsapi_prefer_parse(&prefer, text, fuzz_below(&fuzz, 2), g_scratch);
        rv = dsapi_prefer_check(&err, &prefer, g_scratch);
        if (rv != APR_SUCCESS) {
            check_error(&fuzz, text, rv, err);
        }
        dsapi_prefer_applied(&prefer, g_scratch);
        ck_assert_int_eq(dsapi_resource_parse(
                             &query, &err, "items",
                             apr_array_make(g_scratch, 1, sizeof(dsapi_pair_t)),
                             g_scratch),
                         APR_SUCCESS);
        rv = dsapi_resource_range(query, &err, text, g_scratch);
        if (rv != APR_SUCCESS) {
            check_error(&fuzz, text, rv, err);
        }
        ck_assert_msg(query->root->offset >= 0 && query->root->limit >= -1,
                      TOLD, fuzz.seed, text);
        rv = dsapi_once_key(&value, &err, text, g_scratch);
        if (rv != APR_SUCCESS) {
            check_error(&fuzz, text, rv, err);
        }
        dsapi_csv_is_media(&value, text, g_scratch);
    }
}
END_TEST

/* httpd takes 8,190 bytes of a request's line. */
START_TEST(a_long_query_takes_little_memory)
{
    static const char *const units[] = {
        "*,",       "a,",    "\"a\",", "a:b,",         "a(),",
        "...a(),",  "a->b,", "a::b,",  "\"a",          "a!b(),",
        "a.sum(),", "(",     "eq.1,",  "id.eq.\"1\",", "\","};
    static const char *const names[] = {
        "select=", "columns=", "order=", "or=(", "id=in.(", "id=fts(a"};
    long before = fuzz_mapped_pages();

    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        for (size_t j = 0; j < sizeof(names) / sizeof(names[0]); j++) {
            dsapi_buf_t *text = dsapi_buf_make(8192, g_pool);
            apr_array_header_t *pairs;
            dsapi_res_query_t *query;
            dsapi_err_t *err;

            dsapi_buf_put(text, names[j], strlen(names[j]));
            while (text->len_bytes < 8000) {
                dsapi_buf_put(text, units[i], strlen(units[i]));
            }
            pairs = ast_pairs(dsapi_buf_str(text));
            dsapi_resource_parse(&query, &err, "items", pairs, g_scratch);
            ck_assert_msg(fuzz_mapped_pages() - before < 1024,
                          "%s%s...: %ld pages", names[j], units[i],
                          fuzz_mapped_pages() - before);
            apr_pool_destroy(g_scratch);
            apr_pool_create(&g_scratch, NULL);
        }
    }
}
END_TEST

UNIT_SUITE(resource_query_fuzz, a_query_is_understood_or_refused,
           headers_are_understood_or_refused, a_long_query_takes_little_memory)
