/* source/manage: what people ask of the queue, as calls. */
#include "source/manage.h"

#include <apr_strings.h>

#include "unit/pg.h"
#include "unit/unit.h"

/* Runs it as httpd does. @return the first column of all rows, with commas */
static const char *ask(pg_t *pg, const dsapi_call_t *call)
{
    dsapi_batch_t batch = {call, 1, 0, 0};
    dsapi_rows_t *rows;
    dsapi_err_t *err;
    const char *text = "";

    ck_assert_int_eq(dsapi_db_run(&rows, &err, pg->db, &batch, g_pool),
                     APR_SUCCESS);
    for (int i = 0; i < dsapi_rows_count(rows); i++) {
        text = apr_pstrcat(g_pool, text, i > 0 ? "," : "",
                           dsapi_rows_value(NULL, rows, i, 0), NULL);
    }
    return text;
}

/* Six jobs: failed, but for the second; of a, but for the last. */
static pg_t *six_jobs(void)
{
    pg_t *pg = pg_open();

    pg_apply(pg, "core/schema.sql");
    pg_value(pg, "INSERT INTO dsapi.job (source, params, max_attempts, state, "
                 "finished_at) SELECT CASE WHEN i < 6 THEN 's/a' ELSE 's/b' "
                 "END, to_jsonb(i), 3, CASE WHEN i = 2 THEN 'succeeded' ELSE "
                 "'failed' END, now() FROM generate_series(1, 6) i");
    return pg;
}

START_TEST(a_list_has_any_filter)
{
    static const struct {
        dsapi_manage_filter_t filter;
        int limit;
        const char *ids;
    } rows[] = {
        {{NULL, NULL, NULL}, 9, "6,5,4,3,2,1"},
        {{NULL, NULL, NULL}, 2, "6,5"},
        {{NULL, NULL, "3"}, 9, "2,1"},
        {{"failed", NULL, NULL}, 9, "6,5,4,3,1"},
        {{NULL, "s/a", NULL}, 9, "5,4,3,2,1"},
        {{"failed", "s/a", "4"}, 1, "3"},
        {{"running", NULL, NULL}, 9, ""},
        {{NULL, "s/'; --", NULL}, 9, ""},
    };
    pg_t *pg = six_jobs();

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        dsapi_call_t call;

        dsapi_manage_list(&call, &rows[i].filter, rows[i].limit, g_pool);
        ck_assert_str_eq(ask(pg, &call), rows[i].ids);
    }
}
END_TEST

START_TEST(one_job_is_shown_retried_removed)
{
    pg_t *pg = six_jobs();
    dsapi_call_t call;

    dsapi_manage_show(&call, "3", g_pool);
    ck_assert_str_eq(ask(pg, &call), "3");
    dsapi_manage_show(&call, "7", g_pool);
    ck_assert_str_eq(ask(pg, &call), "");
    dsapi_manage_retry(&call, "3", g_pool);
    ck_assert_str_eq(ask(pg, &call), "3");
    ck_assert_str_eq(pg_value(pg, "SELECT state FROM dsapi.job WHERE id = 3"),
                     "queued");
    dsapi_manage_retry_all(&call, "s/a", g_pool);
    ck_assert_str_eq(ask(pg, &call), "3"); /* 1, 4, 5 */
    dsapi_manage_remove(&call, "3", g_pool);
    ask(pg, &call);
    ck_assert_str_eq(pg_value(pg, "SELECT count(*) FROM dsapi.job"), "5");
}
END_TEST

START_TEST(refusals_are_for_people)
{
    pg_t *pg = six_jobs();
    dsapi_call_t call;
    dsapi_batch_t batch = {&call, 1, 0, 0};
    dsapi_rows_t *rows;
    dsapi_err_t *err;

    dsapi_manage_retry(&call, "2", g_pool);
    dsapi_db_run(&rows, &err, pg->db, &batch, g_pool);
    ck_assert_int_eq(err->http, 409);
    ck_assert_str_eq(err->detail, "the job is succeeded, not failed");
    dsapi_manage_remove(&call, "9", g_pool);
    dsapi_db_run(&rows, &err, pg->db, &batch, g_pool);
    ck_assert_int_eq(err->http, 404);
    ck_assert_str_eq(err->detail, "there is no job 9");
}
END_TEST

UNIT_SUITE(source_manage, a_list_has_any_filter,
           one_job_is_shown_retried_removed, refusals_are_for_people)
