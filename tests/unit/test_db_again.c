/* db/again: whether a batch that has failed may be run again. */
#include "db/again.h"

#include <apr_strings.h>

#include "unit/pg.h"
#include "unit/unit.h"

static dsapi_rows_t *rows;
static dsapi_err_t *err;

static apr_status_t run(dsapi_db_t *db, const dsapi_call_t *calls, int ncalls)
{
    dsapi_batch_t batch = {calls, ncalls, 0, apr_time_from_sec(20)};

    return dsapi_db_run(&rows, &err, db, &batch, g_pool);
}

static dsapi_err_t *error_of(const char *sqlstate)
{
    dsapi_err_t *e = apr_pcalloc(g_pool, sizeof(*e));

    e->sqlstate = sqlstate;
    return e;
}

START_TEST(a_batch_that_may_commit_is_not_atomic)
{
    dsapi_call_t calls[] = {pg_call("SELECT 1", 0),
                            pg_call("UPDATE t SET n = 1", 0),
                            pg_call("CALL p()", 0)};
    dsapi_batch_t batch = {calls, 2, 0, 0};

    ck_assert(dsapi_db_atomic(&batch));
    batch.ncalls = 3;
    ck_assert(!dsapi_db_atomic(&batch));
    batch.ncalls = 0;
    ck_assert(dsapi_db_atomic(&batch));
}
END_TEST

START_TEST(conflicts_are_what_was_rolled_back_for_others)
{
    static const char *const not_conflicts[] = {
        "40000", "40002", "40003", "55P03", "23505", "57014", "", NULL};

    ck_assert(dsapi_db_conflict(error_of("40001")));
    ck_assert(dsapi_db_conflict(error_of("40P01")));
    for (size_t i = 0; i < sizeof(not_conflicts) / sizeof(char *); i++) {
        ck_assert(!dsapi_db_conflict(error_of(not_conflicts[i])));
    }
    ck_assert(dsapi_db_read_only(error_of("25006")));
    ck_assert(!dsapi_db_read_only(error_of("25001")));
    ck_assert(!dsapi_db_read_only(error_of(NULL)));
}
END_TEST

START_TEST(pauses_double)
{
    ck_assert_int_eq(dsapi_db_pause(1, 0), 0);
    ck_assert_int_eq(dsapi_db_pause(4, 0), 0);
    ck_assert_int_eq(dsapi_db_pause(1, 0x80000000), apr_time_from_msec(2));
    ck_assert_int_eq(dsapi_db_pause(2, 0x80000000), apr_time_from_msec(4));
    ck_assert_int_eq(dsapi_db_pause(4, 0xffffffff), apr_time_from_msec(32) - 1);
}
END_TEST

/** A database with a function that fails as it is told, a number of times,
 *  and counts (a sequence is not rolled back) how often it was called. */
static pg_t *fail_times(const char *sqlstate, int times)
{
    pg_t *pg = pg_open();

    pg_value(pg, "CREATE TABLE t (n int)");
    pg_value(pg, "CREATE SEQUENCE runs");
    pg_value(pg,
             "CREATE FUNCTION fails() RETURNS void LANGUAGE plpgsql AS "
             "'BEGIN IF nextval(''runs'') <= %d THEN RAISE EXCEPTION ''no'' "
             "USING ERRCODE = ''%s''; END IF; END'",
             times, sqlstate);
    return pg;
}

/** Insert, then fail. @return as dsapi_db_run */
static apr_status_t run_failing(pg_t *pg)
{
    dsapi_call_t calls[] = {pg_call("INSERT INTO t VALUES (1)", 0),
                            pg_call("SELECT fails()", 0)};

    return run(pg_adopt(pg), calls, 2);
}

static void check_counts(pg_t *pg, const char *runs, const char *inserted)
{
    ck_assert_str_eq(pg_value(pg, "SELECT last_value FROM runs"), runs);
    ck_assert_str_eq(pg_value(pg, "SELECT count(*) FROM t"), inserted);
}

START_TEST(a_conflict_is_run_again_and_happens_once)
{
    static const char *const states[] = {"40001", "40P01"};

    for (int i = 0; i < 2; i++) {
        pg_t *pg = fail_times(states[i], DSAPI_DB_RUNS_MAX - 1);

        ck_assert_int_eq(run_failing(pg), APR_SUCCESS);
        ck_assert_ptr_null(err);
        check_counts(pg, "5", "1");
    }
}
END_TEST

START_TEST(a_conflict_that_stays_is_told)
{
    pg_t *pg = fail_times("40001", 1000);

    ck_assert_int_eq(run_failing(pg), DSAPI_EBUSY);
    ck_assert_str_eq(err->sqlstate, "40001");
    ck_assert_int_gt(err->retry_after_s, 0);
    check_counts(pg, "5", "0");
}
END_TEST

START_TEST(a_conflict_at_the_commit_is_run_again)
{
    pg_t *pg = fail_times("40001", 1);

    pg_value(pg, "CREATE FUNCTION late() RETURNS trigger LANGUAGE plpgsql AS "
                 "'BEGIN PERFORM fails(); RETURN NULL; END'");
    pg_value(pg, "CREATE CONSTRAINT TRIGGER late AFTER INSERT ON t DEFERRABLE "
                 "INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION late()");
    ck_assert_int_eq(
        run(pg_adopt(pg),
            (dsapi_call_t[]){pg_call("INSERT INTO t VALUES (1)", 0)}, 1),
        APR_SUCCESS);
    check_counts(pg, "2", "1");
}
END_TEST

START_TEST(what_may_have_happened_is_not_run_again)
{
    pg_t *pg = fail_times("40003", 1);

    ck_assert_int_eq(run_failing(pg), DSAPI_EBUSY);
    ck_assert_str_eq(err->sqlstate, "40003");
    check_counts(pg, "1", "0");
}
END_TEST

START_TEST(what_has_committed_is_not_run_again)
{
    pg_t *pg = fail_times("40001", 1000);
    dsapi_call_t calls[] = {pg_call("INSERT INTO t VALUES (1)", 0),
                            pg_call("COMMIT", 0), pg_call("SELECT fails()", 0)};

    ck_assert_int_eq(run(pg_adopt(pg), calls, 3), DSAPI_EBUSY);
    check_counts(pg, "1", "1");
}
END_TEST

START_TEST(a_procedure_that_may_have_committed_is_not_run_again)
{
    pg_t *pg = fail_times("40001", 1000);
    dsapi_call_t calls[] = {pg_call("INSERT INTO t VALUES (1)", 0),
                            pg_call("CALL half()", 0)};

    pg_value(pg, "CREATE PROCEDURE half() LANGUAGE plpgsql AS "
                 "'BEGIN PERFORM fails(); END'");
    ck_assert_int_eq(run(pg_adopt(pg), calls, 2), DSAPI_EBUSY);
    check_counts(pg, "1", "0");
}
END_TEST

START_TEST(no_further_run_after_the_timeout)
{
    pg_t *pg = fail_times("40001", 1000);
    dsapi_call_t calls[] = {pg_call("SELECT pg_sleep(0.3)", 0),
                            pg_call("SELECT fails()", 0)};
    dsapi_batch_t batch = {calls, 2, 0, apr_time_from_msec(100)};

    ck_assert_int_eq(dsapi_db_run(&rows, &err, pg_adopt(pg), &batch, g_pool),
                     DSAPI_EBUSY);
    check_counts(pg, "1", "0");
}
END_TEST

START_TEST(neither_too_often_nor_too_late)
{
    pg_t *pg = pg_open();
    dsapi_db_t *db = pg_adopt(pg);
    apr_time_t now = apr_time_now();

    ck_assert_int_eq(dsapi_db_again(db, 1, 0), 1);
    ck_assert_int_eq(dsapi_db_again(db, 1, now + apr_time_from_sec(60)), 1);
    ck_assert_int_eq(dsapi_db_again(db, DSAPI_DB_RUNS_MAX - 1, 0), 1);
    ck_assert_int_eq(dsapi_db_again(db, DSAPI_DB_RUNS_MAX, 0), 0);
    ck_assert_int_eq(dsapi_db_again(db, 1, now), 0);
    /* there is nothing to wait on any more, and the next run connects */
    dsapi_db_break(db);
    ck_assert_int_eq(dsapi_db_again(db, 1, 0), 1);
}
END_TEST

START_TEST(a_transaction_of_the_callers_is_not_run_again)
{
    pg_t *pg = fail_times("40001", 1);
    dsapi_db_t *db = pg_adopt(pg);
    dsapi_call_t begin = pg_call("BEGIN", 0);
    dsapi_call_t fails = pg_call("SELECT fails()", 0);

    ck_assert_int_eq(run(db, &begin, 1), APR_SUCCESS);
    ck_assert_int_eq(run(db, &fails, 1), DSAPI_EBUSY);
    check_counts(pg, "1", "0");
}
END_TEST

START_TEST(a_server_that_takes_no_changes_is_left)
{
    pg_t *pg = pg_open();
    dsapi_db_t *db = pg_adopt(pg);
    dsapi_call_t insert = pg_call("INSERT INTO t VALUES (1)", 0);
    dsapi_call_t to_readers =
        pg_call("SELECT set_config('transaction_read_only', 'on', true)", 0);
    dsapi_call_t own_mistake[] = {to_readers, insert};
    dsapi_batch_t batch = {own_mistake, 2, 1, 0};
    dsapi_call_t pid = pg_call("SELECT pg_backend_pid()", 0);

    pg_value(pg, "CREATE TABLE t (n int)");
    /* of a batch that is to change nothing, it is the SQL's mistake */
    ck_assert_int_eq(dsapi_db_run(&rows, &err, db, &batch, g_pool),
                     DSAPI_EINTERNAL);
    ck_assert(dsapi_db_idle(db));
    /* of another one, the server's: a new connection is tried */
    ck_assert_int_eq(run(db, &pid, 1), APR_SUCCESS);
    pg_value(pg, "ALTER DATABASE %s SET default_transaction_read_only = on",
             pg->name);
    dsapi_call_t set = pg_call("SET default_transaction_read_only = on", 0);
    ck_assert_int_eq(run(db, &set, 1), APR_SUCCESS);
    ck_assert_int_eq(run(db, &insert, 1), DSAPI_EDBDOWN);
    ck_assert_str_eq(err->sqlstate, "25006");
    ck_assert_str_eq(err->code, "database-unavailable");
    ck_assert_int_gt(err->retry_after_s, 0);
    ck_assert(!dsapi_db_idle(db));
    ck_assert_int_eq(dsapi_db_consume(db), DSAPI_EDBDOWN);
    /* the new one takes changes */
    pg_value(pg, "ALTER DATABASE %s RESET default_transaction_read_only",
             pg->name);
    ck_assert_int_eq(run(db, &set, 1), APR_SUCCESS);
    ck_assert_int_eq(run(db, &insert, 1), APR_SUCCESS);
    ck_assert_str_eq(pg_value(pg, "SELECT count(*) FROM t"), "1");
}
END_TEST

START_TEST(a_connection_that_cannot_be_made_anew_says_so)
{
    pg_t *pg = pg_open();
    dsapi_db_t *db = pg_adopt(pg);
    dsapi_call_t pid = pg_call("SELECT pg_backend_pid()", 0);

    ck_assert_int_eq(run(db, &pid, 1), APR_SUCCESS);
    pg_administer("ALTER DATABASE %s CONNECTION LIMIT 0", pg->name);
    pg_administer("ALTER DATABASE %s ALLOW_CONNECTIONS false", pg->name);
    pg_value(pg, "SELECT pg_terminate_backend(%s)",
             dsapi_rows_value(NULL, rows, 0, 0));
    pg_until(pg, "1",
             "SELECT count(*) FROM pg_stat_activity WHERE datname = "
             "current_database()");
    while (dsapi_db_consume(db) == APR_SUCCESS) {
        apr_sleep(1000); /* its end is on the way */
    }
    ck_assert_int_eq(run(db, &pid, 1), DSAPI_EDBDOWN);
    ck_assert_str_eq(err->sqlstate, "08001");
    pg_administer("ALTER DATABASE %s ALLOW_CONNECTIONS true", pg->name);
    pg_administer("ALTER DATABASE %s CONNECTION LIMIT -1", pg->name);
}
END_TEST

UNIT_SUITE(db_again, a_batch_that_may_commit_is_not_atomic,
           conflicts_are_what_was_rolled_back_for_others, pauses_double,
           a_conflict_is_run_again_and_happens_once,
           a_conflict_that_stays_is_told, a_conflict_at_the_commit_is_run_again,
           what_may_have_happened_is_not_run_again,
           what_has_committed_is_not_run_again,
           a_procedure_that_may_have_committed_is_not_run_again,
           no_further_run_after_the_timeout, neither_too_often_nor_too_late,
           a_transaction_of_the_callers_is_not_run_again,
           a_server_that_takes_no_changes_is_left,
           a_connection_that_cannot_be_made_anew_says_so)
