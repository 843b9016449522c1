/* src/db/send.c against a real PostgreSQL: values that come as JSON. */
#include <apr_strings.h>

#include "db/db.h"
#include "unit/pg.h"
#include "unit/unit.h"

#define PAIR "CREATE TYPE pair AS (n int, t text)"
#define VALUES \
    "SELECT 1 AS a, ROW(1, 'x')::pair AS p, ROW(2, '')::pair AS \"@p\""

static dsapi_rows_t *rows;
static dsapi_err_t *err;

/** What a stream has given. */
typedef struct seen_t {
    int rows;
    unsigned type;
    const char *last;
} seen_t;

/** As dsapi_route_as_json, for types of our own. */
static int as_json(const char *name, unsigned type)
{
    return *name != '@' && (type >= 16384 || type == 2249);
}

/** A connection that has JSON made; a statement has a name or not. */
static dsapi_db_t *open_db(pg_t **ppg, int prepare)
{
    dsapi_db_t *db;

    *ppg = pg_open();
    db = pg_adopt(*ppg);
    pg_value(*ppg, PAIR);
    dsapi_db_set_prepare(db, prepare);
    dsapi_db_set_json(db, as_json);
    return db;
}

static apr_status_t run(dsapi_db_t *db, const dsapi_call_t *calls, int ncalls)
{
    dsapi_batch_t batch = {calls, ncalls, 0, 0};

    return dsapi_db_run(&rows, &err, db, &batch, g_pool);
}

/** Run one statement. @return a value of its first row */
static const char *value(dsapi_db_t *db, const char *sql, int column)
{
    apr_status_t rv = pg_run(&rows, &err, db, sql);

    ck_assert_msg(rv == APR_SUCCESS, "%s: %s", sql, err ? err->internal : "?");
    ck_assert(dsapi_db_idle(db));
    return dsapi_rows_count(rows) > 0 ? dsapi_rows_value(NULL, rows, 0, column)
                                      : NULL;
}

static apr_status_t see(void *baton, const dsapi_rows_t *row)
{
    seen_t *seen = baton;

    seen->type = dsapi_rows_type(row, 0);
    if (dsapi_rows_count(row) > 0) {
        seen->rows++;
        seen->last = apr_pstrdup(g_pool, dsapi_rows_value(NULL, row, 0, 0));
    }
    return APR_SUCCESS;
}

/* Each test runs with names (1) and without (0). */

START_TEST(a_value_comes_as_json_and_is_said_to)
{
    for (int prepare = 0; prepare <= 1; prepare++) {
        pg_t *pg;
        dsapi_db_t *db = open_db(&pg, prepare);

        for (int i = 0; i < 3; i++) {
            ck_assert_str_eq(value(db, VALUES, 1), "{\"n\":1,\"t\":\"x\"}");
            ck_assert_str_eq(dsapi_rows_value(NULL, rows, 0, 0), "1");
            ck_assert_str_eq(dsapi_rows_get(rows, "@p"), "(2,\"\")");
            ck_assert_uint_eq(dsapi_rows_type(rows, 0), DSAPI_OID_INT4);
            ck_assert_uint_eq(dsapi_rows_type(rows, 1), DSAPI_OID_MADE);
            ck_assert_uint_ne(dsapi_rows_type(rows, 2), DSAPI_OID_MADE);
            ck_assert_str_eq(dsapi_rows_name(rows, 1), "p");
        }
        dsapi_db_set_json(db, NULL);
        ck_assert_str_eq(value(db, VALUES, 1), "(1,x)");
        ck_assert_uint_ne(dsapi_rows_type(rows, 1), DSAPI_OID_MADE);
    }
}
END_TEST

START_TEST(parameters_and_earlier_statements_stay)
{
    for (int prepare = 0; prepare <= 1; prepare++) {
        pg_t *pg;
        dsapi_db_t *db = open_db(&pg, prepare);
        dsapi_call_t calls[] = {
            pg_call("CREATE TEMP TABLE IF NOT EXISTS t (p pair)", 0),
            pg_call("INSERT INTO t VALUES (ROW($1, $2))", 2, "7", "y"),
            pg_call("DELETE FROM t WHERE (p).t = $1 RETURNING p, $1 AS q", 1,
                    "y"),
        };

        for (int i = 0; i < 3; i++) {
            ck_assert_int_eq(run(db, calls, 3), APR_SUCCESS);
            ck_assert_int_eq(dsapi_rows_count(rows), 1);
            ck_assert_str_eq(dsapi_rows_get(rows, "p"), "{\"n\":7,\"t\":"
                                                        "\"y\"}");
            ck_assert_str_eq(dsapi_rows_get(rows, "q"), "y");
            ck_assert_int_eq((int)dsapi_rows_affected(rows), 1);
        }
    }
}
END_TEST

START_TEST(an_error_while_columns_are_asked_for_is_the_batch_s)
{
    for (int prepare = 0; prepare <= 1; prepare++) {
        pg_t *pg;
        dsapi_db_t *db = open_db(&pg, prepare);
        dsapi_call_t early[] = {pg_call("SELECT 1 / 0", 0), pg_call(VALUES, 0)};
        dsapi_call_t wrong = pg_call("SELECT nonsense", 0);
        dsapi_call_t late = pg_call("SELECT ROW(1, 1 / $1::int)", 1, "0");

        ck_assert_int_eq(run(db, early, 2), DSAPI_EPARAM);
        ck_assert_str_eq(err->sqlstate, "22012");
        ck_assert(dsapi_db_idle(db));
        ck_assert_int_eq(run(db, &wrong, 1), DSAPI_EINTERNAL);
        ck_assert_str_eq(err->sqlstate, "42703");
        ck_assert_int_eq(run(db, &late, 1), DSAPI_EPARAM);
        ck_assert(dsapi_db_idle(db));
        ck_assert_str_eq(value(db, VALUES, 1), "{\"n\":1,\"t\":\"x\"}");
    }
}
END_TEST

START_TEST(streams_give_json_too)
{
    for (int prepare = 0; prepare <= 1; prepare++) {
        pg_t *pg;
        dsapi_db_t *db = open_db(&pg, prepare);
        dsapi_call_t call = pg_call("SELECT ROW(n, 'x')::pair FROM "
                                    "generate_series(1, 5000) "
                                    "AS n ORDER BY n",
                                    0);
        dsapi_batch_t batch = {&call, 1, 1, 0};

        for (int i = 0; i < 3; i++) {
            seen_t seen = {0, 0, NULL};

            ck_assert_int_eq(
                dsapi_db_stream(&err, db, &batch, see, &seen, g_pool),
                APR_SUCCESS);
            ck_assert_int_eq(seen.rows, 5000);
            ck_assert_str_eq(seen.last, "{\"n\":5000,\"t\":\"x\"}");
            ck_assert_uint_eq(seen.type, DSAPI_OID_MADE);
        }
    }
}
END_TEST

/** Whatever comes before its rows, they come one by one: not when the
 *  statement has ended, which this one does not. */
START_TEST(rows_come_one_by_one_the_first_time_too)
{
    for (int how = 0; how < 8; how++) {
        pg_t *pg;
        dsapi_db_t *db = open_db(&pg, how & 1);
        dsapi_call_t calls[] = {pg_call("SELECT 1", 0),
                                pg_call("SELECT repeat('x', 1000), CASE WHEN i "
                                        "= 500 THEN "
                                        "pg_sleep(300)::text END FROM "
                                        "generate_series(1, 1000) "
                                        "AS i",
                                        0)};
        dsapi_batch_t batch = {calls, 2, 1, apr_time_from_msec(500)};
        seen_t seen = {0, 0, NULL};

        dsapi_db_set_watch(db, (how & 2) != 0);
        if (how & 4) {
            value(db, "SELECT 1 AS a", 0);
        }
        ck_assert_int_eq(dsapi_db_stream(&err, db, &batch, see, &seen, g_pool),
                         DSAPI_ETIMEOUT);
        ck_assert_int_gt(seen.rows, 100);
    }
}
END_TEST

START_TEST(built_in_types_are_asked_for_once)
{
    pg_t *pg;
    dsapi_db_t *db = open_db(&pg, 1);

    value(db, "SELECT 1 AS a", 0);
    ck_assert_str_eq(value(db, "SELECT 1 AS a", 0), "1");
    ck_assert_str_eq(value(db,
                           "SELECT count(*) FROM pg_prepared_statements WHERE "
                           "name "
                           "LIKE '%\\_json'",
                           0),
                     "0");
    value(db, VALUES, 0);
    value(db, VALUES, 0);
    ck_assert_str_eq(value(db,
                           "SELECT count(*) FROM pg_prepared_statements WHERE "
                           "name "
                           "LIKE '%\\_json'",
                           0),
                     "1");
}
END_TEST

START_TEST(columns_that_change_are_asked_for_anew)
{
    pg_t *pg;
    dsapi_db_t *db = open_db(&pg, 1);

    pg_value(pg, "CREATE TABLE t AS SELECT 1 AS a");
    ck_assert_str_eq(value(db, "SELECT * FROM t", 0), "1");
    pg_value(pg, "ALTER TABLE t ADD p pair DEFAULT (1, 'x')");
    ck_assert_str_eq(value(db, "SELECT * FROM t", 1), "{\"n\":1,\"t\":\"x\"}");
    pg_value(pg, "ALTER TABLE t ADD b int DEFAULT 3");
    ck_assert_str_eq(value(db, "SELECT * FROM t", 2), "3");
    pg_value(pg, "ALTER TABLE t DROP a");
    ck_assert_str_eq(value(db, "SELECT * FROM t", 0), "{\"n\":1,\"t\":\"x\"}");
    pg_value(pg, "ALTER TYPE pair ADD ATTRIBUTE more int");
    ck_assert_str_eq(value(db, "SELECT * FROM t", 0), "{\"n\":1,\"t\":\"x\","
                                                      "\"more\":null}");
}
END_TEST

START_TEST(without_a_name_a_change_is_seen_by_the_next)
{
    pg_t *pg;
    dsapi_db_t *db = open_db(&pg, 0);

    pg_value(pg, "CREATE TABLE t AS SELECT 1 AS a");
    ck_assert_str_eq(value(db, "SELECT * FROM t", 0), "1");
    pg_value(pg, "ALTER TABLE t ADD p pair DEFAULT (1, 'x')");
    ck_assert_str_eq(value(db, "SELECT * FROM t", 1), "(1,x)");
    ck_assert_uint_ne(dsapi_rows_type(rows, 1), DSAPI_OID_MADE);
    ck_assert_str_eq(value(db, "SELECT * FROM t", 1), "{\"n\":1,\"t\":\"x\"}");
    pg_value(pg, "ALTER TABLE t DROP a");
    ck_assert_str_eq(value(db, "SELECT * FROM t", 0), "{\"n\":1,\"t\":\"x\"}");
}
END_TEST

START_TEST(statements_beyond_those_remembered_give_json_too)
{
    pg_t *pg;
    dsapi_db_t *db = open_db(&pg, 1);

    for (int i = 0; i < 510; i++) {
        value(db, apr_psprintf(g_pool, "SELECT %d", i), 0);
    }
    ck_assert_str_eq(value(db, VALUES, 1), "{\"n\":1,\"t\":\"x\"}");
    ck_assert_str_eq(value(db, VALUES, 1), "{\"n\":1,\"t\":\"x\"}");
    ck_assert_str_eq(value(db, "SELECT 'plain'", 0), "plain");
}
END_TEST

START_TEST(a_backend_that_is_gone_has_forgotten)
{
    pg_t *pg;
    dsapi_db_t *db = open_db(&pg, 1);

    value(db, VALUES, 1);
    pg_restart();
    ck_assert_str_eq(value(db, VALUES, 1), "{\"n\":1,\"t\":\"x\"}");
    ck_assert_ptr_null(value(db, "DEALLOCATE ALL", 0));
    ck_assert_str_eq(value(db, VALUES, 1), "{\"n\":1,\"t\":\"x\"}");
}
END_TEST

START_TEST(a_statement_without_rows_or_that_only_prints_them)
{
    for (int prepare = 0; prepare <= 1; prepare++) {
        pg_t *pg;
        dsapi_db_t *db = open_db(&pg, prepare);

        pg_value(pg, "CREATE PROCEDURE give(INOUT p pair) LANGUAGE sql AS $$ "
                     "SELECT ROW(1, 'x')::pair $$");
        for (int i = 0; i < 2; i++) {
            ck_assert_str_eq(value(db, "CALL give(NULL)", 0), "(1,x)");
            ck_assert_ptr_null(
                value(db, "CREATE TABLE IF NOT EXISTS t (p pair)", 0));
            ck_assert_int_eq(dsapi_rows_columns(rows), 0);
        }
    }
}
END_TEST

UNIT_SUITE(db_send, a_value_comes_as_json_and_is_said_to,
           parameters_and_earlier_statements_stay,
           an_error_while_columns_are_asked_for_is_the_batch_s,
           streams_give_json_too, rows_come_one_by_one_the_first_time_too,
           built_in_types_are_asked_for_once,
           columns_that_change_are_asked_for_anew,
           without_a_name_a_change_is_seen_by_the_next,
           statements_beyond_those_remembered_give_json_too,
           a_backend_that_is_gone_has_forgotten,
           a_statement_without_rows_or_that_only_prints_them)
