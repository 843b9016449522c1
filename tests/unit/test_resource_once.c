/* src/resource/once.h: every promise of the header, on conf/core's schema. */
#include "resource/once.h"

#include <apr_strings.h>

#include "unit/ast.h"
#include "unit/pg.h"
#include "unit/unit.h"

START_TEST(keys_are_read)
{
    static const char *const cases[][2] = {
        {"abc", "abc"}, {"\"a b\"", "a b"}, {"  \"x\"  ", "x"}, {"\"\"", NULL},
        {"", NULL},     {"a\"b", NULL},     {"\xc3\xa9", NULL},
    };
    const char *key = "x";
    dsapi_err_t *err = NULL;

    ck_assert_int_eq(dsapi_once_key(&key, &err, NULL, g_pool), APR_SUCCESS);
    ck_assert_ptr_null(key);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        apr_status_t rv;

        err = NULL;
        rv = dsapi_once_key(&key, &err, cases[i][0], g_pool);
        ck_assert_int_eq(rv, cases[i][1] ? APR_SUCCESS : DSAPI_EPARAM);
        if (cases[i][1]) {
            ck_assert_str_eq(key, cases[i][1]);
        }
        else {
            ck_assert_ptr_null(key);
            ck_assert_ptr_nonnull(err);
        }
    }
}
END_TEST

static apr_status_t call(const dsapi_call_t *one, dsapi_rows_t **prows,
                         dsapi_db_t *db)
{
    dsapi_batch_t batch = {one, 1, 0, apr_time_from_sec(60)};
    dsapi_err_t *err;

    return dsapi_db_run(prows, &err, db, &batch, g_pool);
}

/* Begins on a connection. @return the status, or the code of what it says */
static const char *begin(dsapi_db_t *db, const char *key, const char *print)
{
    dsapi_once_t once = {"scope", key, print};
    dsapi_once_answer_t answer;
    dsapi_call_t one;
    dsapi_rows_t *rows;
    dsapi_err_t *err = NULL;
    int done = 0;

    dsapi_once_begin(&one, &once, g_pool);
    ck_assert_int_eq(call(&one, &rows, db), APR_SUCCESS);
    if (dsapi_once_found(&done, &answer, &err, rows, g_pool) != APR_SUCCESS) {
        return err->code;
    }
    return done ? apr_psprintf(g_pool, "%s %s %s %s", answer.status,
                               answer.location, answer.body,
                               answer.type ? answer.type : "-")
                : "new";
}

START_TEST(it_is_done_once)
{
    pg_t *pg = pg_open();
    dsapi_db_t *one = pg_adopt(pg);
    dsapi_db_t *two = pg_adopt(pg);
    dsapi_once_t once = {"scope", "k", "print"};
    dsapi_once_answer_t answer = {"201", NULL, "/x/1", "*/*", NULL, "{}"};
    dsapi_call_t end;
    dsapi_rows_t *rows;
    dsapi_err_t *err;

    pg_apply(pg, "core/schema.sql");
    ck_assert_int_eq(pg_run(&rows, &err, one, "BEGIN"), APR_SUCCESS);
    ck_assert_str_eq(begin(one, "k", "print"), "new");
    ck_assert_str_eq(begin(two, "k", "print"), "idempotency-conflict");
    ck_assert_str_eq(begin(two, "other", "print"), "new");
    dsapi_once_end(&end, &once, &answer, g_pool);
    ck_assert_int_eq(call(&end, &rows, one), APR_SUCCESS);
    ck_assert_int_eq(pg_run(&rows, &err, one, "COMMIT"), APR_SUCCESS);
    ck_assert_str_eq(begin(two, "k", "print"), "201 /x/1 {} -");
    ck_assert_str_eq(begin(two, "k", "another"), "idempotency-mismatch");
    /* after a day it is forgotten, and taken away */
    pg_value(pg, "UPDATE dsapi.idempotency SET created_at = now() - interval "
                 "'25 hours'");
    ck_assert_str_eq(begin(two, "k", "another"), "new");
    once.key = "new";
    dsapi_once_end(&end, &once, &answer, g_pool);
    ck_assert_int_eq(call(&end, &rows, one), APR_SUCCESS);
    ck_assert_str_eq(pg_value(pg, "SELECT string_agg(key, ',') FROM "
                                  "dsapi.idempotency"),
                     "new");
}
END_TEST

UNIT_SUITE(resource_once, keys_are_read, it_is_done_once)
