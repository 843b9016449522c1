/* src/source/link.c: made, used, lost, made again. */
#include "source/link.h"

#include <apr_poll.h>
#include <apr_portable.h>

#include "unit/pg.h"
#include "unit/unit.h"

#define PATIENCE apr_time_from_sec(20)

static void wait_for(const dsapi_link_t *link)
{
    apr_pool_t *pool;
    apr_pollfd_t fd = {0};
    dsapi_db_t *db = dsapi_link_db(link);
    int nready = 0;

    if (!db || dsapi_db_socket(db) < 0) {
        return; /* the caller asks again until its patience ends */
    }
    apr_pool_create(&pool, g_pool);
    fd.p = pool;
    fd.desc_type = APR_POLL_SOCKET;
    fd.reqevents = APR_POLLIN;
    if (dsapi_db_wants_write(db)) {
        fd.reqevents |= APR_POLLOUT;
    }
    apr_os_sock_put(&fd.desc.s, &(apr_os_sock_t){dsapi_db_socket(db)}, pool);
    apr_poll(&fd, 1, &nready, apr_time_from_msec(20));
    apr_pool_destroy(pool);
}

/** Go on until it is connected, or fails. */
static apr_status_t connect_on(const char **pwhy, dsapi_link_t *link)
{
    apr_time_t end = dsapi_link_clock() + PATIENCE;
    apr_status_t rv = dsapi_link_connect(pwhy, link);

    while (rv == APR_EINPROGRESS) {
        ck_assert(dsapi_link_clock() < end);
        wait_for(link);
        rv = dsapi_link_connect(pwhy, link);
    }
    return rv;
}

/** Send one statement. */
static void send_sql(dsapi_link_t *link, const char *sql)
{
    const char *why;
    apr_pool_t *pool = dsapi_link_begin(link);
    dsapi_call_t *call = dsapi_link_call(link);

    call->sql = dsapi_sql_literal(sql, 0, pool);
    call->types = NULL;
    call->values = NULL;
    ck_assert_int_eq(dsapi_link_send(&why, link, apr_time_from_sec(5)),
                     APR_SUCCESS);
    ck_assert_ptr_null(why);
}

/** Go on until the statement has ended. */
static apr_status_t poll_on(dsapi_rows_t **prows, dsapi_err_t **perr,
                            const char **pwhy, dsapi_link_t *link)
{
    apr_time_t end = dsapi_link_clock() + PATIENCE;
    apr_status_t rv = dsapi_link_poll(prows, perr, pwhy, link);

    while (rv == APR_EINPROGRESS) {
        ck_assert(dsapi_link_clock() < end);
        wait_for(link);
        rv = dsapi_link_poll(prows, perr, pwhy, link);
    }
    return rv;
}

START_TEST(answers_batch_after_batch)
{
    pg_t *pg = pg_open();
    dsapi_link_t *link = dsapi_link_make(pg->conninfo, 1, g_pool);
    dsapi_rows_t *rows;
    dsapi_err_t *err;
    const char *why = "untouched";

    ck_assert_ptr_null(dsapi_link_db(link));
    ck_assert_int_eq(connect_on(&why, link), APR_SUCCESS);
    ck_assert_ptr_null(why);
    ck_assert(dsapi_link_connected(link));
    ck_assert(dsapi_link_due(link) == APR_INT64_MAX);
    for (int i = 0; i < 3; i++) {
        send_sql(link, "SELECT 42 AS n");
        ck_assert(dsapi_link_due(link) < APR_INT64_MAX);
        ck_assert_int_eq(poll_on(&rows, &err, &why, link), APR_SUCCESS);
        ck_assert_ptr_null(err);
        ck_assert_str_eq(dsapi_rows_get(rows, "n"), "42");
    }
}
END_TEST

START_TEST(error_of_sql_leaves_it_connected)
{
    pg_t *pg = pg_open();
    dsapi_link_t *link = dsapi_link_make(pg->conninfo, 1, g_pool);
    dsapi_rows_t *rows;
    dsapi_err_t *err;
    const char *why;

    ck_assert_int_eq(connect_on(&why, link), APR_SUCCESS);
    send_sql(link, "SELECT 1 / 0");
    ck_assert_int_ne(poll_on(&rows, &err, &why, link), APR_SUCCESS);
    ck_assert_ptr_null(why);
    ck_assert_str_eq(err->sqlstate, "22012");
    ck_assert(dsapi_link_connected(link));
    send_sql(link, "SELECT 1 AS n");
    ck_assert_int_eq(poll_on(&rows, &err, &why, link), APR_SUCCESS);
}
END_TEST

START_TEST(lost_in_a_batch_and_made_again)
{
    pg_t *pg = pg_open();
    dsapi_link_t *link = dsapi_link_make(pg->conninfo, 1, g_pool);
    dsapi_rows_t *rows;
    dsapi_err_t *err;
    const char *why;

    ck_assert_int_eq(connect_on(&why, link), APR_SUCCESS);
    send_sql(link, "SELECT pg_terminate_backend(pg_backend_pid())");
    ck_assert_int_eq(poll_on(&rows, &err, &why, link), DSAPI_EDBDOWN);
    ck_assert_ptr_nonnull(why);
    ck_assert(!dsapi_link_connected(link));
    ck_assert_ptr_null(dsapi_link_db(link));
    ck_assert(dsapi_link_due(link) > dsapi_link_clock()); /* not at once */
    ck_assert_int_eq(dsapi_link_connect(&why, link), APR_EINPROGRESS);
    ck_assert_int_eq(connect_on(&why, link), APR_SUCCESS);
    send_sql(link, "SELECT 1 AS n");
    ck_assert_int_eq(poll_on(&rows, &err, &why, link), APR_SUCCESS);
}
END_TEST

START_TEST(unreachable_says_why)
{
    dsapi_link_t *link =
        dsapi_link_make("host=127.0.0.1 port=1 dbname=x", 1, g_pool);
    const char *why = NULL;

    ck_assert_int_eq(connect_on(&why, link), DSAPI_EDBDOWN);
    ck_assert_ptr_nonnull(strstr(why, "refused"));
    ck_assert(!dsapi_link_connected(link));
}
END_TEST

START_TEST(closing_ends_the_backend)
{
    pg_t *pg = pg_open();
    dsapi_link_t *link = dsapi_link_make(pg->conninfo, 1, g_pool);
    apr_time_t end = dsapi_link_clock() + PATIENCE;
    const char *why;

    ck_assert_int_eq(connect_on(&why, link), APR_SUCCESS);
    send_sql(link, "SELECT 'a link''s own' AS n");
    dsapi_link_close(link);
    ck_assert_ptr_null(dsapi_link_db(link));
    while (strcmp(pg_value(pg, "SELECT count(*) FROM pg_stat_activity WHERE "
                               "datname = current_database() AND pid <> "
                               "pg_backend_pid()"),
                  "0") != 0) {
        ck_assert(dsapi_link_clock() < end);
    }
}
END_TEST

UNIT_SUITE(source_link, answers_batch_after_batch,
           error_of_sql_leaves_it_connected, lost_in_a_batch_and_made_again,
           unreachable_says_why, closing_ends_the_backend)
