/* dsapi_db_stream against a real PostgreSQL. */
#include <apr_file_io.h>
#include <apr_strings.h>
#include <malloc.h>

#include "base/error.h"
#include "db/db.h"
#include <signal.h>

#include "unit/pg.h"
#include "unit/unit.h"

#define KB ((apr_size_t)1024)

/* More than anybody waits for, at no cost before it is asked for. */
#define ENDLESS "SELECT generate_series(1, 2000000000) AS n, repeat('x', 1000)"

/** What a row function sees, and what it is to do. */
typedef struct seen_t {
    int rows;
    int ends;
    int columns;      /* of the last call */
    char last[32];    /* the first value of the last row */
    char name[32];    /* of the first column */
    apr_size_t least; /* bytes of malloc in use at a row */
    apr_size_t most;
    /* to do */
    int stop_at; /* this row returns DSAPI_ECONFLICT; -1: the end does */
    int act_at;  /* at this row, act is called */
    void (*act)(struct seen_t *seen);
    const pg_t *pg;
    const char *pid;
} seen_t;

static dsapi_err_t *err;

/** @return bytes of malloc in use; 0 where a sanitizer has replaced it */
static apr_size_t allocated(void)
{
    struct mallinfo2 info = mallinfo2();

    return info.uordblks + info.hblkhd;
}

static apr_status_t see(void *baton, const dsapi_rows_t *rows)
{
    seen_t *seen = baton;
    apr_size_t now = allocated();
    const char *value;

    ck_assert_int_eq(seen->ends, 0);
    seen->columns = dsapi_rows_columns(rows);
    if (dsapi_rows_count(rows) == 0) {
        seen->ends++;
        if (seen->columns > 0) {
            apr_cpystrn(seen->name, dsapi_rows_name(rows, 0),
                        sizeof(seen->name));
        }
        return seen->stop_at < 0 ? DSAPI_ECONFLICT : APR_SUCCESS;
    }
    ck_assert_int_eq(dsapi_rows_count(rows), 1);
    value = dsapi_rows_value(NULL, rows, 0, 0);
    apr_cpystrn(seen->last, value ? value : "NULL", sizeof(seen->last));
    seen->rows++;
    seen->least = seen->rows == 1 || now < seen->least ? now : seen->least;
    seen->most = now > seen->most ? now : seen->most;
    if (seen->rows == seen->act_at) {
        seen->act(seen);
    }
    return seen->rows == seen->stop_at ? DSAPI_ECONFLICT : APR_SUCCESS;
}

/** Run calls as one batch that streams. */
static apr_status_t stream_calls(seen_t *seen, dsapi_db_t *db,
                                 const dsapi_call_t *calls, int ncalls,
                                 int repeatable)
{
    dsapi_batch_t batch = {calls, ncalls, repeatable, 0};

    err = (dsapi_err_t *)g_pool;
    return dsapi_db_stream(&err, db, &batch, see, seen, g_pool);
}

static apr_status_t stream(seen_t *seen, dsapi_db_t *db, const char *sql)
{
    dsapi_call_t call = pg_call(sql, 0);

    return stream_calls(seen, db, &call, 1, 1);
}

/** As stream, with a time limit. */
static apr_status_t stream_for(seen_t *seen, dsapi_db_t *db, int timeout_ms,
                               const char *sql)
{
    dsapi_call_t call = pg_call(sql, 0);
    dsapi_batch_t batch = {&call, 1, 1, apr_time_from_msec(timeout_ms)};

    return dsapi_db_stream(&err, db, &batch, see, seen, g_pool);
}

/** One value, on a connection that has to be idle before and after. */
static const char *one(dsapi_db_t *db, const char *sql)
{
    dsapi_rows_t *rows;
    apr_status_t rv;

    ck_assert(dsapi_db_idle(db));
    rv = pg_run(&rows, &err, db, sql);
    ck_assert_msg(rv == APR_SUCCESS, "%s: %s", sql, err ? err->internal : "?");
    ck_assert(dsapi_db_idle(db));
    return dsapi_rows_count(rows) > 0 ? dsapi_rows_value(NULL, rows, 0, 0)
                                      : NULL;
}

static const char *pid_of(dsapi_db_t *db)
{
    return one(db, "SELECT pg_backend_pid()");
}

/** As pid_of, on a connection that may have to be made anew. */
static const char *pid_again(dsapi_db_t *db)
{
    dsapi_rows_t *rows;

    ck_assert_int_eq(pg_run(&rows, &err, db, "SELECT pg_backend_pid()"),
                     APR_SUCCESS);
    return dsapi_rows_value(NULL, rows, 0, 0);
}

/** The server has ended what a broken connection had asked for. */
static void until_gone(const pg_t *pg, const char *pid)
{
    pg_until(pg, "0", "SELECT count(*) FROM pg_stat_activity WHERE pid = %s",
             pid);
}

static void until_idle(const pg_t *pg, const char *pid)
{
    pg_until(pg, "idle", "SELECT state FROM pg_stat_activity WHERE pid = %s",
             pid);
}

/* --- what a row function does at a row --- */

/** Takes longer than the time-outs here. */
static void linger(seen_t *seen)
{
    pg_value(seen->pg, "SELECT pg_sleep(1.2)");
}

/** Waits until PostgreSQL cannot send any more. */
static void hold_back(seen_t *seen)
{
    pg_until(seen->pg, "ClientWrite",
             "SELECT wait_event FROM pg_stat_activity WHERE pid = %s",
             seen->pid);
}

/** Ends the backend, and waits until it has gone. */
static void kill_backend(seen_t *seen)
{
    pg_value(seen->pg, "SELECT pg_terminate_backend(%s)", seen->pid);
    pg_until(seen->pg, "0",
             "SELECT count(*) FROM pg_stat_activity WHERE pid = %s", seen->pid);
}

/* --- rows --- */

static apr_status_t see_in_order(void *baton, const dsapi_rows_t *rows)
{
    seen_t *seen = baton;
    apr_status_t rv = see(baton, rows);

    if (!seen->ends) {
        ck_assert_str_eq(seen->last, apr_itoa(g_scratch, seen->rows));
        apr_pool_clear(g_scratch);
    }
    return rv;
}

START_TEST(many_rows_in_order_leave_memory_flat)
{
    pg_t *pg = pg_open();
    seen_t seen = {0};
    dsapi_call_t call = pg_call("SELECT i AS n, repeat('z', 500) FROM "
                                "generate_series(1, $1::int) i",
                                1, "100000");
    dsapi_batch_t batch = {&call, 1, 1, apr_time_from_sec(50)};

    ck_assert_int_eq(
        dsapi_db_stream(&err, pg->db, &batch, see_in_order, &seen, g_pool),
        APR_SUCCESS);
    ck_assert_ptr_null(err);
    ck_assert_int_eq(seen.rows, 100000);
    ck_assert_int_eq(seen.ends, 1);
    ck_assert_uint_le(seen.most, seen.least + 64 * KB); /* of 50 MB */
    ck_assert(dsapi_db_idle(pg->db));
}
END_TEST

START_TEST(big_rows_one_by_one)
{
    pg_t *pg = pg_open();
    seen_t seen = {0};

    ck_assert_int_eq(stream(&seen, pg->db,
                            "SELECT i, repeat('y', 1000000) FROM "
                            "generate_series(1, 40) i"),
                     APR_SUCCESS);
    ck_assert_int_eq(seen.rows, 40);
    ck_assert_str_eq(seen.last, "40");
    ck_assert_uint_le(seen.most, seen.least + 8192 * KB);
}
END_TEST

START_TEST(an_empty_result_has_columns)
{
    pg_t *pg = pg_open();
    seen_t seen = {0};

    ck_assert_int_eq(stream(&seen, pg->db, "SELECT 1 AS a, 2 AS b WHERE false"),
                     APR_SUCCESS);
    ck_assert_ptr_null(err);
    ck_assert_int_eq(seen.rows, 0);
    ck_assert_int_eq(seen.ends, 1);
    ck_assert_int_eq(seen.columns, 2);
    ck_assert_str_eq(seen.name, "a");
}
END_TEST

START_TEST(one_row_and_the_end)
{
    pg_t *pg = pg_open();
    seen_t seen = {0};

    ck_assert_int_eq(stream(&seen, pg->db, "SELECT NULL AS nothing"),
                     APR_SUCCESS);
    ck_assert_int_eq(seen.rows, 1);
    ck_assert_int_eq(seen.ends, 1);
    ck_assert_str_eq(seen.last, "NULL");
    ck_assert_str_eq(seen.name, "nothing");
}
END_TEST

static apr_status_t count_affected(void *baton, const dsapi_rows_t *rows)
{
    ck_assert_int_eq(dsapi_rows_count(rows), 0);
    ck_assert_int_eq(dsapi_rows_columns(rows), 0);
    *(int *)baton = (int)dsapi_rows_affected(rows);
    return APR_SUCCESS;
}

START_TEST(a_statement_without_a_result_has_its_end)
{
    pg_t *pg = pg_open();
    dsapi_call_t call =
        pg_call("INSERT INTO t SELECT generate_series(1, 3)", 0);
    dsapi_batch_t batch = {&call, 1, 0, 0};
    int affected = -1;

    one(pg->db, "CREATE TABLE t (n int)");
    ck_assert_int_eq(dsapi_db_stream(&err, pg->db, &batch, count_affected,
                                     &affected, g_pool),
                     APR_SUCCESS);
    ck_assert_int_eq(affected, 3);
}
END_TEST

START_TEST(rows_are_of_the_last_statement)
{
    pg_t *pg = pg_open();
    seen_t seen = {0};
    dsapi_call_t calls[] = {
        pg_call("SELECT set_config('x.y', $1, true)", 1, "seven"),
        pg_call("SELECT i, repeat('x', 100) FROM generate_series(1, 5000) i",
                0),
        pg_call("SELECT current_setting('x.y') FROM generate_series(1, 3)", 0)};

    for (int i = 0; i < 2; i++) {
        memset(&seen, 0, sizeof(seen));
        ck_assert_int_eq(stream_calls(&seen, pg->db, calls, 3, 1), APR_SUCCESS);
        ck_assert_int_eq(seen.rows, 3);
        ck_assert_str_eq(seen.last, "seven");
    }
    ck_assert_str_eq(one(pg->db, "SELECT coalesce(current_setting('x.y', true),"
                                 " '')"),
                     "");
}
END_TEST

/* --- errors --- */

START_TEST(an_error_comes_after_the_rows_before_it)
{
    pg_t *pg = pg_open();
    seen_t seen = {0};

    ck_assert_int_eq(stream(&seen, pg->db,
                            "SELECT 1 / (i - 500), repeat('x', 100) FROM "
                            "generate_series(1, 1000) i"),
                     DSAPI_EPARAM);
    ck_assert_str_eq(err->sqlstate, "22012");
    ck_assert_int_eq(seen.rows, 499);
    ck_assert_int_eq(seen.ends, 0);
    ck_assert_str_eq(one(pg->db, "SELECT 1"), "1");
}
END_TEST

START_TEST(an_error_before_the_last_statement)
{
    pg_t *pg = pg_open();
    seen_t seen = {0};
    dsapi_call_t calls[] = {pg_call("SELECT 1 / 0", 0), pg_call("SELECT 1", 0)};

    ck_assert_int_eq(stream_calls(&seen, pg->db, calls, 2, 1), DSAPI_EPARAM);
    ck_assert_int_eq(seen.rows + seen.ends, 0);
    ck_assert_str_eq(one(pg->db, "SELECT 1"), "1");
}
END_TEST

START_TEST(an_error_at_the_end_of_the_transaction)
{
    pg_t *pg = pg_open();
    seen_t seen = {0};

    one(pg->db, "CREATE TABLE p (id int PRIMARY KEY)");
    one(pg->db, "CREATE TABLE c (id int REFERENCES p DEFERRABLE INITIALLY "
                "DEFERRED)");
    ck_assert_int_eq(
        stream(&seen, pg->db, "INSERT INTO c VALUES (1) RETURNING id"),
        DSAPI_ECONFLICT);
    ck_assert_str_eq(err->sqlstate, "23503");
    ck_assert_int_eq(seen.rows, 1);
    ck_assert_int_eq(seen.ends, 0);
    ck_assert_str_eq(one(pg->db, "SELECT count(*) FROM c"), "0");
}
END_TEST

START_TEST(copy_is_refused)
{
    pg_t *pg = pg_open();
    dsapi_db_t *db = pg_adopt(pg);
    seen_t seen = {0};

    ck_assert_int_eq(stream(&seen, db, "COPY pg_class TO STDOUT"),
                     DSAPI_EINTERNAL);
    ck_assert_ptr_nonnull(strstr(err->internal, "COPY"));
    ck_assert_int_eq(seen.rows + seen.ends, 0);
    ck_assert_int_eq(stream(&seen, db, "SELECT 1"), APR_SUCCESS);
}
END_TEST

/* --- stopping --- */

START_TEST(a_stop_cancels_in_the_server)
{
    pg_t *pg = pg_open();
    dsapi_db_t *db = pg_adopt(pg);
    seen_t seen = {.stop_at = 1000};
    const char *pid = pid_of(db);
    apr_time_t start = apr_time_now();

    ck_assert_int_eq(stream(&seen, db, ENDLESS), DSAPI_ECONFLICT);
    ck_assert_int_lt((int)(apr_time_now() - start), 3000000);
    ck_assert_ptr_null(err);
    ck_assert_int_eq(seen.rows, 1000);
    ck_assert_int_eq(seen.ends, 0);
    until_idle(pg, pid);
    ck_assert_str_eq(pid_of(db), pid);
}
END_TEST

START_TEST(a_stop_undoes_the_batch)
{
    pg_t *pg = pg_open();
    seen_t seen = {.stop_at = 1};
    dsapi_call_t calls[] = {pg_call("INSERT INTO t VALUES (1)", 0),
                            pg_call(ENDLESS, 0)};

    one(pg->db, "CREATE TABLE t (n int)");
    ck_assert_int_eq(stream_calls(&seen, pg->db, calls, 2, 0), DSAPI_ECONFLICT);
    ck_assert_str_eq(one(pg->db, "SELECT count(*) FROM t"), "0");
}
END_TEST

START_TEST(a_stop_at_the_last_row)
{
    pg_t *pg = pg_open();
    dsapi_db_t *db = pg_adopt(pg);
    const char *pid = pid_of(db);

    for (int i = 0; i < 20; i++) {
        seen_t seen = {.stop_at = 3};

        ck_assert_int_eq(stream(&seen, db, "SELECT generate_series(1, 3)"),
                         DSAPI_ECONFLICT);
        ck_assert_ptr_null(err);
        ck_assert_int_eq(seen.rows, 3);
        ck_assert_int_eq(seen.ends, 0);
        /* a cancel that came late hits no other statement */
        ck_assert_str_eq(pid_of(db), pid);
    }
}
END_TEST

START_TEST(a_stop_at_the_end)
{
    pg_t *pg = pg_open();
    seen_t seen = {.stop_at = -1};

    one(pg->db, "CREATE TABLE t (n int)");
    ck_assert_int_eq(
        stream(&seen, pg->db, "INSERT INTO t VALUES (1) RETURNING n"),
        DSAPI_ECONFLICT);
    ck_assert_ptr_null(err);
    ck_assert_int_eq(seen.rows, 1);
    ck_assert_str_eq(one(pg->db, "SELECT count(*) FROM t"), "1");
}
END_TEST

/** Stops the backend's process: it hears nothing from now on. */
static void freeze_backend(seen_t *seen)
{
    ck_assert_int_eq(kill((pid_t)apr_atoi64(seen->pid), SIGSTOP), 0);
}

START_TEST(a_cancel_that_is_not_heard_breaks_the_connection)
{
    pg_t *pg = pg_open();
    dsapi_db_t *db = pg_adopt(pg);
    seen_t seen = {.act_at = 5, .stop_at = 5, .act = freeze_backend, .pg = pg};
    apr_time_t start;
    apr_status_t rv;
    int idle;

    seen.pid = pid_of(db);
    start = apr_time_now();
    rv = stream(&seen, db,
                "SELECT n, repeat('x', 10000) FROM (SELECT "
                "generate_series(1, 2000000000) AS n) s");
    idle = dsapi_db_idle(db);
    kill((pid_t)apr_atoi64(seen.pid), SIGCONT);
    ck_assert_int_eq(rv, DSAPI_ECONFLICT);
    ck_assert_int_lt((int)(apr_time_now() - start), 5000000);
    ck_assert_ptr_null(err);
    ck_assert_int_eq(seen.rows, 5);
    ck_assert(!idle);
    ck_assert_int_eq(dsapi_db_consume(db), DSAPI_EDBDOWN);
    until_gone(pg, seen.pid);
}
END_TEST

/* --- time --- */

START_TEST(time_in_the_row_function_does_not_count)
{
    pg_t *pg = pg_open();
    dsapi_db_t *db = pg_adopt(pg);
    seen_t seen = {.act_at = 2, .act = linger, .pg = pg};

    ck_assert_int_eq(stream_for(&seen, db, 100,
                                "SELECT i, repeat('x', 1000) FROM "
                                "generate_series(1, 2000) i"),
                     APR_SUCCESS);
    ck_assert_int_eq(seen.rows, 2000);
    ck_assert_int_eq(seen.ends, 1);
}
END_TEST

START_TEST(a_row_function_that_waits_holds_the_server_back)
{
    pg_t *pg = pg_open();
    dsapi_db_t *db = pg_adopt(pg);
    seen_t seen = {.act_at = 10, .stop_at = 10, .act = hold_back, .pg = pg};
    const char *pid = pid_of(db);

    seen.pid = pid;
    ck_assert_int_eq(stream(&seen, db, ENDLESS), DSAPI_ECONFLICT);
    ck_assert_uint_le(seen.most, seen.least + 64 * KB);
    until_idle(pg, pid);
    ck_assert_str_eq(pid_of(db), pid);
}
END_TEST

START_TEST(a_server_that_is_too_slow_is_a_timeout)
{
    pg_t *pg = pg_open();
    dsapi_db_t *db = pg_adopt(pg);
    seen_t seen = {0};
    const char *pid = pid_of(db);
    dsapi_call_t call = pg_call("SELECT pg_sleep(30)", 0);
    dsapi_batch_t batch = {&call, 1, 1, apr_time_from_msec(100)};

    dsapi_db_set_watch(db, 1);
    ck_assert_int_eq(dsapi_db_stream(&err, db, &batch, see, &seen, g_pool),
                     DSAPI_ETIMEOUT);
    ck_assert_str_eq(err->sqlstate, "57014");
    ck_assert_int_eq(seen.rows + seen.ends, 0);
    ck_assert(!dsapi_db_idle(db));
    until_gone(pg, pid);
    ck_assert_str_ne(pid_again(db), pid);
}
END_TEST

/** The interval that the backend of a batch looks at. */
static const char *interval_of(dsapi_db_t *db, const char *first, int watch)
{
    dsapi_call_t calls[] = {pg_call(first, 0), pg_call("SELECT "
                                                       "current_setting('"
                                                       "client_connection_"
                                                       "check_interval')",
                                                       0)};
    dsapi_batch_t batch = {calls, 2, 1, 0};
    dsapi_rows_t *rows;

    dsapi_db_set_watch(db, watch);
    return dsapi_db_run(&rows, &err, db, &batch, g_pool) == APR_SUCCESS
               ? dsapi_rows_value(NULL, rows, 0, 0)
               : err->sqlstate;
}

START_TEST(a_backend_looks_for_its_client_once_it_is_asked_to)
{
    pg_t *pg = pg_open();
    dsapi_db_t *db = pg_adopt(pg);

    ck_assert_str_eq(interval_of(db, "SELECT 1", 0), "0");
    ck_assert_str_eq(interval_of(db, "SELECT 1 / 0", 1), "22012");
    ck_assert_str_eq(interval_of(db, "SELECT 1", 0), "0");
    ck_assert_str_eq(interval_of(db, "SELECT 1", 1), "100ms");
    ck_assert_str_eq(interval_of(db, "SELECT 1", 0), "100ms");
    /* what is set for it stays, also where others share it */
    one(db, "SELECT set_config('client_connection_check_interval', '3s', "
            "false)");
    dsapi_db_set_prepare(db, 0);
    ck_assert_str_eq(interval_of(db, "SELECT 1", 1), "3s");
    one(db, "SELECT set_config('client_connection_check_interval', '0', "
            "false)");
    ck_assert_str_eq(interval_of(db, "SELECT 1", 1), "100ms");
    dsapi_db_set_prepare(db, 1);
    /* a new backend is asked anew */
    dsapi_db_break(db);
    ck_assert_str_eq(interval_of(db, "SELECT 1", 0), "0");
    ck_assert_str_eq(interval_of(db, "SELECT 1", 1), "100ms");
}
END_TEST

/* Nobody would answer a request to cancel, either. */
START_TEST(a_server_that_says_nothing_is_a_timeout)
{
    pg_t *pg = pg_open();
    dsapi_db_t *db = pg_adopt(pg);
    seen_t seen = {.act_at = 5, .act = freeze_backend, .pg = pg};
    apr_status_t rv;

    seen.pid = pid_of(db);
    rv = stream_for(&seen, db, 300, ENDLESS);
    kill((pid_t)apr_atoi64(seen.pid), SIGCONT);
    ck_assert_int_eq(rv, DSAPI_ETIMEOUT);
    ck_assert_int_ge(seen.rows, 5);
    until_gone(pg, seen.pid);
}
END_TEST

START_TEST(waits_add_up_to_a_timeout)
{
    pg_t *pg = pg_open();
    dsapi_db_t *db = pg_adopt(pg);
    seen_t seen = {0};
    const char *pid = pid_of(db);
    apr_time_t start = apr_time_now();

    /* rows of more than the server's buffer: they do not lie in it */
    ck_assert_int_eq(stream_for(&seen, db, 300,
                                "SELECT generate_series(1, 1000), "
                                "repeat('x', 10000), pg_sleep(0.05)"),
                     DSAPI_ETIMEOUT);
    ck_assert_int_lt((int)(apr_time_now() - start), 3000000);
    ck_assert_int_gt(seen.rows, 0);
    ck_assert_int_lt(seen.rows, 50);
    ck_assert_int_eq(seen.ends, 0);
    until_gone(pg, pid);
}
END_TEST

/* --- once more --- */

START_TEST(prepared_once)
{
    pg_t *pg = pg_open();
    const char *sql = "SELECT count(*) FROM pg_prepared_statements WHERE name "
                      "LIKE 'dsapi\\_%'";

    for (int i = 0; i < 3; i++) {
        seen_t seen = {0};

        ck_assert_int_eq(stream(&seen, pg->db, sql), APR_SUCCESS);
        ck_assert_int_eq(seen.rows, 1);
        ck_assert_str_eq(seen.last, "1");
    }
    ck_assert_str_eq(one(pg->db, sql), "1"); /* it is one for both */
    dsapi_db_set_prepare(pg->db, 0);
    for (int i = 0; i < 2; i++) {
        seen_t seen = {0};

        ck_assert_int_eq(stream(&seen, pg->db, sql), APR_SUCCESS);
        ck_assert_str_eq(seen.last, "1");
    }
}
END_TEST

START_TEST(lost_statements_are_prepared_again)
{
    pg_t *pg = pg_open();
    dsapi_call_t calls[] = {pg_call("INSERT INTO t VALUES (1)", 0),
                            pg_call("SELECT count(*) FROM t", 0)};
    seen_t seen = {0};

    one(pg->db, "CREATE TABLE t (n int)");
    ck_assert_int_eq(stream_calls(&seen, pg->db, calls, 2, 0), APR_SUCCESS);
    dsapi_db_set_prepare(pg->db, 0);
    one(pg->db, "DEALLOCATE ALL");
    dsapi_db_set_prepare(pg->db, 1);
    memset(&seen, 0, sizeof(seen));
    ck_assert_int_eq(stream_calls(&seen, pg->db, calls, 2, 0), APR_SUCCESS);
    ck_assert_ptr_null(err);
    ck_assert_int_eq(seen.rows, 1);
    ck_assert_str_eq(seen.last, "2");
}
END_TEST

START_TEST(a_changed_result_type_recovers)
{
    pg_t *pg = pg_open();
    seen_t seen = {0};

    one(pg->db, "CREATE TABLE t AS SELECT 1 AS n");
    ck_assert_int_eq(stream(&seen, pg->db, "SELECT * FROM t"), APR_SUCCESS);
    one(pg->db, "ALTER TABLE t ADD more int");
    memset(&seen, 0, sizeof(seen));
    ck_assert_int_eq(stream(&seen, pg->db, "SELECT * FROM t"), APR_SUCCESS);
    ck_assert_int_eq(seen.rows, 1);
    ck_assert_int_eq(seen.columns, 2);
}
END_TEST

/** A batch whose backend ends under it, the first time. */
static apr_status_t stream_suicide(seen_t *seen, dsapi_db_t *db, int repeatable)
{
    dsapi_call_t calls[] = {
        pg_call("UPDATE once SET n = n + 1", 0),
        pg_call("SELECT nextval('s') > $1::int OR "
                "pg_terminate_backend(pg_backend_pid()) AND "
                "pg_sleep(60) IS NOT NULL",
                1, "1"),
    };

    return stream_calls(seen, db, calls, 2, repeatable);
}

START_TEST(broken_before_the_first_row)
{
    pg_t *pg = pg_open();
    dsapi_db_t *db = pg_adopt(pg);
    seen_t seen = {0};

    pg_value(pg, "CREATE SEQUENCE s");
    pg_value(pg, "CREATE TABLE once AS SELECT 0 AS n");
    ck_assert_int_eq(stream_suicide(&seen, db, 0), DSAPI_EDBDOWN);
    ck_assert_int_eq(seen.rows + seen.ends, 0);
    ck_assert(!dsapi_db_idle(db));
    ck_assert_int_eq(dsapi_db_consume(db), DSAPI_EDBDOWN);
    pg_value(pg, "SELECT setval('s', 1, false)");
    ck_assert_int_eq(stream_suicide(&seen, db, 1), APR_SUCCESS);
    ck_assert_ptr_null(err);
    ck_assert_int_eq(seen.rows, 1);
    ck_assert_int_eq(seen.ends, 1);
    ck_assert_str_eq(pg_value(pg, "SELECT n FROM once"), "1");
}
END_TEST

START_TEST(broken_after_some_rows)
{
    pg_t *pg = pg_open();
    dsapi_db_t *db = pg_adopt(pg);
    seen_t seen = {.act_at = 100, .act = kill_backend, .pg = pg};

    seen.pid = pid_of(db);
    ck_assert_int_eq(stream(&seen, db, ENDLESS), DSAPI_EDBDOWN);
    ck_assert_ptr_nonnull(err->internal);
    ck_assert_int_ge(seen.rows, 100);
    ck_assert_int_eq(seen.ends, 0);
    ck_assert_str_eq(seen.last, apr_itoa(g_pool, seen.rows)); /* none twice */
    ck_assert(!dsapi_db_idle(db));
    ck_assert_int_eq(dsapi_db_consume(db), DSAPI_EDBDOWN);
    memset(&seen, 0, sizeof(seen));
    ck_assert_int_eq(stream(&seen, db, "SELECT 1"), APR_SUCCESS);
    ck_assert_int_eq(seen.rows, 1);
}
END_TEST

START_TEST(streams_leave_nothing_behind)
{
    pg_t *pg = pg_open();
    apr_size_t before = 0;

    for (int i = 0; i < 300; i++) {
        dsapi_call_t call = pg_call("SELECT repeat('m', 10000) FROM "
                                    "generate_series(1, 20)",
                                    0);
        dsapi_batch_t batch = {&call, 1, 1, 0};
        seen_t seen = {.stop_at = i % 3 == 0 ? 5 : 0};

        ck_assert_int_eq(
            dsapi_db_stream(&err, pg->db, &batch, see, &seen, g_scratch),
            seen.stop_at ? DSAPI_ECONFLICT : APR_SUCCESS);
        apr_pool_clear(g_scratch);
        before = i == 50 ? allocated() : before;
    }
    ck_assert_uint_lt(allocated(), before + 512 * KB); /* of 50 MB */
}
END_TEST

UNIT_SUITE(db_stream, many_rows_in_order_leave_memory_flat, big_rows_one_by_one,
           an_empty_result_has_columns, one_row_and_the_end,
           a_statement_without_a_result_has_its_end,
           rows_are_of_the_last_statement,
           an_error_comes_after_the_rows_before_it,
           an_error_before_the_last_statement,
           an_error_at_the_end_of_the_transaction, copy_is_refused,
           a_stop_cancels_in_the_server, a_stop_undoes_the_batch,
           a_stop_at_the_last_row, a_stop_at_the_end,
           a_cancel_that_is_not_heard_breaks_the_connection,
           time_in_the_row_function_does_not_count,
           a_row_function_that_waits_holds_the_server_back,
           a_server_that_is_too_slow_is_a_timeout,
           a_backend_looks_for_its_client_once_it_is_asked_to,
           a_server_that_says_nothing_is_a_timeout, waits_add_up_to_a_timeout,
           prepared_once, lost_statements_are_prepared_again,
           a_changed_result_type_recovers, broken_before_the_first_row,
           broken_after_some_rows, streams_leave_nothing_behind)
