/* src/db/copy.h against a real PostgreSQL. */
#include "db/copy.h"

#include <apr_strings.h>

#include "unit/pg.h"
#include "unit/unit.h"

static dsapi_err_t *err;
static dsapi_copy_end_t end;

/** Data that comes in pieces of one text. */
typedef struct reel_t {
    const char *piece;
    int times;          /* how often it comes */
    apr_status_t after; /* what comes then */
    int at;             /* before so many are left, act is called */
    void (*act)(struct reel_t *reel);
    const pg_t *pg;
    const char *pid;
} reel_t;

static apr_status_t wind(const char **pdata, apr_size_t *plen, void *baton)
{
    reel_t *reel = baton;

    if (reel->act && reel->times == reel->at) {
        reel->act(reel);
    }
    if (reel->times == 0) {
        return reel->after;
    }
    reel->times--;
    *pdata = reel->piece;
    *plen = strlen(reel->piece);
    return APR_SUCCESS;
}

static const char *const columns[] = {"n", "na", "na me"};

/** Run SQL; its COPY, if any, is of the table t. */
static apr_status_t copy_reel(const pg_t *pg, const char *sql, reel_t *reel,
                              apr_time_t until)
{
    dsapi_copy_t copy = {sql, wind, reel, "t", columns, 3, until};
    apr_status_t rv;

    err = (dsapi_err_t *)g_pool;
    rv = dsapi_db_copy(&end, &err, pg->db, &copy, g_pool);
    return rv;
}

static apr_status_t copy_text(const pg_t *pg, const char *sql, const char *text)
{
    reel_t reel = {text, 1, APR_EOF, 0, NULL, NULL, NULL};

    return copy_reel(pg, sql, &reel, 0);
}

#define COPY_T "COPY t FROM STDIN"

static pg_t *pg_with_t(void)
{
    pg_t *pg = pg_open();

    pg_value(pg, "CREATE TABLE t (n int UNIQUE, na int NOT NULL, \"na me\" "
                 "int CHECK (\"na me\" > 0))");
    return pg;
}

/** What is wrong with some data, and where. */
static const struct {
    const char *text;
    const char *sqlstate;
    int line;
    int column;
    const char *constraint;
} faults[] = {
    {"1\t2\t3\n2\tx\t3\n", "22P02", 2, 1, NULL},
    {"1\t2\tx\n", "22P02", 1, 2, NULL},
    {"x\t2\t3\n", "22P02", 1, 0, NULL},
    {"1\t2\t3\n2\t\\N\t3\n3\t\\N\t3\n", "23502", 2, 1, NULL},
    {"1\t2\t3\n2\t2\t-1\n", "23514", 2, -1, "t_na me_check"},
    {"1\t2\t3\n2\t2\t3\n1\t2\t3\n", "23505", 3, -1, "t_n_key"},
    {"1\t2\n", "22P04", 1, -1, NULL},
};

START_TEST(data_is_stored_with_its_transaction)
{
    pg_t *pg = pg_with_t();

    ck_assert_int_eq(copy_text(pg, "BEGIN; " COPY_T, "1\t2\t3\n2\t2\t\\N\n"),
                     APR_SUCCESS);
    ck_assert_ptr_null(err);
    ck_assert_int_eq(end.affected, 2);
    ck_assert(!dsapi_db_idle(pg->db));
    ck_assert_int_eq(copy_text(pg, "INSERT INTO t VALUES (9, 9, 9)", ""),
                     APR_SUCCESS);
    ck_assert_int_eq(end.affected, 1);
    ck_assert_int_eq(copy_text(pg, "ROLLBACK", ""), APR_SUCCESS);
    ck_assert(dsapi_db_idle(pg->db));
    ck_assert_str_eq(pg_value(pg, "SELECT count(*) FROM t"), "0");
    ck_assert_int_eq(copy_text(pg, COPY_T, "1\t2\t3\n"), APR_SUCCESS);
    ck_assert_str_eq(pg_value(pg, "SELECT count(*) FROM t"), "1");
    ck_assert_int_eq(copy_text(pg, COPY_T, ""), APR_SUCCESS);
    ck_assert_int_eq(end.affected, 0);
}
END_TEST

START_TEST(an_error_names_what_it_is_about)
{
    pg_t *pg = pg_with_t();

    for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
        copy_text(pg, COPY_T, faults[i].text);
        ck_assert_str_eq(err->sqlstate, faults[i].sqlstate);
        ck_assert_int_eq(end.of_row, 1);
        ck_assert_int_eq(end.line, faults[i].line);
        if (strcmp(faults[i].sqlstate, "22P04") != 0) { /* a missing column */
            ck_assert_int_eq(end.column, faults[i].column);
        }
        ck_assert_str_eq(err->said->message, end.message);
        ck_assert(dsapi_db_idle(pg->db));
        if (faults[i].constraint) {
            ck_assert_str_eq(end.constraint, faults[i].constraint);
            ck_assert_str_eq(end.table, "t");
            ck_assert_str_eq(end.schema, "public");
        }
    }
    ck_assert_str_eq(pg_value(pg, "SELECT count(*) FROM t"), "0");
}
END_TEST

START_TEST(an_error_that_is_not_of_a_row)
{
    pg_t *pg = pg_with_t();

    ck_assert_int_eq(copy_text(pg, "COPY missing FROM STDIN", "1\n"),
                     DSAPI_EINTERNAL);
    ck_assert_int_eq(end.of_row, 0);
    ck_assert_int_eq(end.line, 0);
    ck_assert_int_eq(copy_text(pg,
                               "CREATE VIEW v AS SELECT * FROM t; COPY v FROM "
                               "STDIN",
                               ""),
                     DSAPI_EINTERNAL);
    ck_assert_str_eq(err->sqlstate, "42809");
    ck_assert_int_eq(copy_text(pg, "BEGIN READ ONLY; " COPY_T, "1\t2\t3\n"),
                     DSAPI_EDBDOWN);
    ck_assert_str_eq(err->sqlstate, "25006");
}
END_TEST

START_TEST(a_source_that_fails_undoes_the_copy)
{
    pg_t *pg = pg_with_t();
    reel_t reel = {"1\t2\t3\n", 1, DSAPI_EUNPROC, 0, NULL, NULL, NULL};

    ck_assert_int_eq(copy_reel(pg, COPY_T, &reel, 0), DSAPI_EUNPROC);
    ck_assert_ptr_null(err);
    ck_assert(dsapi_db_idle(pg->db));
    ck_assert_str_eq(pg_value(pg, "SELECT count(*) FROM t"), "0");
}
END_TEST

/** Each row has the server say something: we have to read it to go on. */
START_TEST(a_server_that_talks_does_not_hold_it_up)
{
    pg_t *pg = pg_with_t();
    reel_t reel = {"1\t2\t3\n2\t2\t3\n", 1, APR_EOF, 0, NULL, NULL, NULL};

    pg_value(pg, "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ "
                 "BEGIN RAISE NOTICE '%%', repeat('x', 5000); RETURN NEW; END "
                 "$$");
    pg_value(pg, "CREATE TRIGGER f BEFORE INSERT ON t FOR EACH ROW EXECUTE "
                 "FUNCTION f()");
    pg_value(pg, "ALTER TABLE t DROP CONSTRAINT t_n_key");
    reel.times = 2000;
    ck_assert_int_eq(copy_reel(pg, COPY_T, &reel, 0), APR_SUCCESS);
    ck_assert_int_eq(end.affected, 4000);
}
END_TEST

/** Or in English, where PostgreSQL has no other language. */
START_TEST(an_error_in_german)
{
    pg_t *pg;

    setenv("LANGUAGE", "de", 1);
    pg_restart();
    pg = pg_with_t();
    pg_value(pg, "SET lc_messages = 'C.UTF-8'");
    copy_text(pg, COPY_T, faults[0].text);
    ck_assert_str_eq(err->sqlstate, faults[0].sqlstate);
    ck_assert_int_eq(end.line, faults[0].line);
    ck_assert_int_eq(end.column, faults[0].column);
    unsetenv("LANGUAGE");
    pg_restart();
}
END_TEST

static void kill_backend(reel_t *reel)
{
    pg_value(reel->pg, "SELECT pg_terminate_backend(%s)", reel->pid);
    pg_until(reel->pg, "0",
             "SELECT count(*) FROM pg_stat_activity WHERE pid = %s", reel->pid);
}

/** A connection besides the test's own, and its process. */
static const pg_t *second_of(const pg_t *pg, reel_t *reel)
{
    pg_t *second = apr_pmemdup(g_pool, pg, sizeof(*pg));

    second->db = pg_adopt(pg);
    reel->pg = pg;
    reel->pid = pg_value(second, "SELECT pg_backend_pid()");
    return second;
}

START_TEST(a_connection_that_breaks)
{
    pg_t *pg = pg_with_t();
    reel_t reel = {"1\t2\t3\n",  1000000000, APR_EOF, 999999990,
                   kill_backend, NULL,       NULL};
    const pg_t *second = second_of(pg, &reel);

    ck_assert_int_eq(copy_reel(second, COPY_T, &reel, 0), DSAPI_EDBDOWN);
    ck_assert_int_gt(reel.times, 0); /* it is not read to its end */
    ck_assert(!dsapi_db_idle(second->db));
    ck_assert_str_eq(pg_value(second, "SELECT count(*) FROM t"), "0");
}
END_TEST

START_TEST(what_takes_too_long_breaks_the_connection)
{
    pg_t *pg = pg_with_t();
    reel_t reel = {"1\t2\t3\n", 1000000000, APR_EOF, 0, NULL, NULL, NULL};
    const pg_t *second = second_of(pg, &reel);
    apr_time_t until = apr_time_now() + apr_time_from_msec(100);

    pg_value(pg, "BEGIN");
    pg_value(pg, "LOCK t");
    ck_assert_int_eq(copy_reel(second, COPY_T, &reel, until), DSAPI_ETIMEOUT);
    ck_assert_str_eq(err->sqlstate, "57014");
    ck_assert(!dsapi_db_idle(second->db));
    pg_value(pg, "ROLLBACK");
    until = apr_time_now() + apr_time_from_msec(100);
    ck_assert_str_eq(pg_value(second, "SELECT count(*) FROM t"), "0");
    ck_assert_int_eq(copy_reel(second, COPY_T, &reel, until), DSAPI_ETIMEOUT);
    ck_assert_str_eq(pg_value(second, "SELECT count(*) FROM t"), "0");
}
END_TEST

UNIT_SUITE(db_copy, data_is_stored_with_its_transaction,
           an_error_names_what_it_is_about, an_error_that_is_not_of_a_row,
           an_error_in_german, a_source_that_fails_undoes_the_copy,
           a_server_that_talks_does_not_hold_it_up, a_connection_that_breaks,
           what_takes_too_long_breaks_the_connection)
