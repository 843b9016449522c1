/* src/source/spare.c by itself; with a worker: test_source_worker*.c. */
#include "source/spare.h"

#include <apr_strings.h>

#include "unit/rig.h"
#include "unit/unit.h"

/** Two jobs "a" and "b", claimed for a second. @return a, then b */
static dsapi_job_t *claim_two(const rig_t *rig)
{
    dsapi_job_t *jobs = apr_pcalloc(g_pool, 2 * sizeof(*jobs));

    enqueue(rig, "a", 3);
    enqueue(rig, "b", 3);
    pg_value(rig->pg, "SELECT count(*) FROM dsapi.claim('{t/data}', 2, '1s')");
    for (int i = 0; i < 2; i++) {
        jobs[i].id = apr_itoa(g_pool, i + 1);
        jobs[i].token = pg_value(
            rig->pg, "SELECT lease_token FROM dsapi.job WHERE id = %d", i + 1);
    }
    jobs[0].next = &jobs[1];
    return jobs;
}

/** Step until something has come of it. */
static dsapi_spare_step_e step_on(const apr_array_header_t **pgone,
                                  dsapi_spare_t *spare,
                                  dsapi_spare_need_t *need)
{
    apr_time_t end = apr_time_now() + PATIENCE;
    dsapi_spare_step_e step;

    do {
        need->now = apr_time_now();
        step = dsapi_spare_step(pgone, spare, need);
        ck_assert(need->now < end);
    } while (step == DSAPI_SPARE_WAITS);
    return step;
}

START_TEST(extends_and_tells_who_is_gone)
{
    rig_t *rig = rig_make(0);
    dsapi_job_t *jobs = claim_two(rig);
    dsapi_spare_t *spare = dsapi_spare_make(rig->pg->conninfo, 1, g_pool);
    dsapi_spare_need_t need = {
        .due = 1, .jobs = jobs, .but = &jobs[0], .lease = 60000000};
    const apr_array_header_t *gone;

    ck_assert_int_eq(step_on(&gone, spare, &need), DSAPI_SPARE_SENT);
    ck_assert(dsapi_spare_asked(spare));
    ck_assert_int_ge(dsapi_spare_socket(spare), 0);
    ck_assert_int_eq(step_on(&gone, spare, &need), DSAPI_SPARE_ANSWERED);
    ck_assert_int_eq(gone->nelts, 0);
    ck_assert_str_eq(pg_value(rig->pg, "SELECT string_agg((lease_until > now() "
                                       "+ '30s')::text, ' ' ORDER BY id) FROM "
                                       "dsapi.job"),
                     "false true");
    need.but = NULL;
    jobs[0].token = "00000000-0000-0000-0000-000000000000";
    ck_assert_int_eq(step_on(&gone, spare, &need), DSAPI_SPARE_SENT);
    ck_assert_int_eq(step_on(&gone, spare, &need), DSAPI_SPARE_ANSWERED);
    ck_assert_int_eq(gone->nelts, 1);
    ck_assert_str_eq(APR_ARRAY_IDX(gone, 0, const char *), "1");
}
END_TEST

START_TEST(releases_even_if_closed_early)
{
    rig_t *rig = rig_make(0);
    dsapi_job_t *jobs = claim_two(rig);
    apr_pool_t *pool;
    dsapi_spare_t *spare;
    dsapi_spare_need_t need = {.due = 1, .jobs = jobs, .release = 1};
    const apr_array_header_t *gone;
    dsapi_db_t *locker = pg_adopt(rig->pg);
    dsapi_rows_t *rows;
    dsapi_err_t *err;

    apr_pool_create(&pool, g_pool);
    spare = dsapi_spare_make(rig->pg->conninfo, 1, pool);
    ck_assert_int_eq(pg_run(&rows, &err, locker, "BEGIN"), APR_SUCCESS);
    ck_assert_int_eq(
        pg_run(&rows, &err, locker, "SELECT FROM dsapi.job FOR UPDATE"),
        APR_SUCCESS);
    ck_assert_int_eq(step_on(&gone, spare, &need), DSAPI_SPARE_SENT);
    do { /* until it is with the server, and waits */
        need.now = apr_time_now();
        ck_assert_int_eq(dsapi_spare_step(&gone, spare, &need),
                         DSAPI_SPARE_WAITS);
    } while (strcmp(pg_value(rig->pg, "SELECT count(*) FROM pg_locks WHERE "
                                      "NOT granted"),
                    "0") == 0);
    apr_pool_destroy(pool);
    ck_assert_int_eq(pg_run(&rows, &err, locker, "COMMIT"), APR_SUCCESS);
    pg_until(rig->pg, "2",
             "SELECT count(*) FROM dsapi.job WHERE "
             "state = 'queued' AND attempts = 0");
}
END_TEST

START_TEST(closes_when_there_is_no_need)
{
    rig_t *rig = rig_make(0);
    dsapi_spare_t *spare = dsapi_spare_make(rig->pg->conninfo, 0, g_pool);
    dsapi_spare_need_t need = {.due = 1, .jobs = claim_two(rig)};
    const apr_array_header_t *gone;

    step_on(&gone, spare, &need);
    step_on(&gone, spare, &need);
    need.due = 0;
    ck_assert_int_eq(dsapi_spare_step(&gone, spare, &need), DSAPI_SPARE_WAITS);
    ck_assert_int_eq(dsapi_spare_socket(spare), -1);
    ck_assert_int_eq((int)dsapi_spare_next(spare, 0), 0);
    pg_until(rig->pg, "0",
             "SELECT count(*) FROM pg_stat_activity WHERE "
             "datname = current_database() AND "
             "pid <> pg_backend_pid()");
}
END_TEST

START_TEST(rests_after_a_failure)
{
    rig_t *rig = rig_make(1); /* there is no queue */
    dsapi_job_t job = {.id = "1",
                       .token = "00000000-0000-0000-0000-000000000000"};
    dsapi_spare_t *spare = dsapi_spare_make(rig->pg->conninfo, 1, g_pool);
    dsapi_spare_need_t need = {.due = 1, .jobs = &job, .lease = 1000000};
    const apr_array_header_t *gone;

    ck_assert_int_eq(step_on(&gone, spare, &need), DSAPI_SPARE_SENT);
    ck_assert_int_eq(step_on(&gone, spare, &need), DSAPI_SPARE_FAILED);
    ck_assert_ptr_null(gone);
    ck_assert_int_eq((int)(dsapi_spare_next(spare, 1) - need.now), 250000);
    ck_assert_int_eq(dsapi_spare_step(&gone, spare, &need), DSAPI_SPARE_WAITS);
    ck_assert(!dsapi_spare_asked(spare));
    need.now += 250000;
    ck_assert_int_eq(dsapi_spare_step(&gone, spare, &need), DSAPI_SPARE_SENT);
    /* and where there is no server at all */
    spare = dsapi_spare_make("host=/nowhere", 1, g_pool);
    ck_assert_int_eq(dsapi_spare_step(&gone, spare, &need), DSAPI_SPARE_WAITS);
    ck_assert_int_eq(dsapi_spare_socket(spare), -1);
    ck_assert_int_gt((int)(dsapi_spare_next(spare, 1) - need.now), 0);
}
END_TEST

UNIT_SUITE(source_spare, extends_and_tells_who_is_gone,
           releases_even_if_closed_early, closes_when_there_is_no_need,
           rests_after_a_failure)
