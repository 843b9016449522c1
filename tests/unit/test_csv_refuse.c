/* src/csv/refuse.h against a real PostgreSQL: which records are named, and at
 * what cost. */
#include "csv/refuse.h"

#include <apr_strings.h>

#include "unit/load_rig.h"
#include "unit/unit.h"

/** A rig whose table t has been made so. */
static load_rig_t *rig_with(const char *columns)
{
    load_rig_t *rig = load_rig_open();

    pg_value(rig->pg, "CREATE TABLE parent (id int PRIMARY KEY, b int, UNIQUE "
                      "(id, b))");
    pg_value(rig->pg, "INSERT INTO parent SELECT i, i FROM generate_series(1, "
                      "100) i");
    pg_value(rig->pg, "CREATE TABLE t (%s)", columns);
    load_rig_table(rig, "t");
    return rig;
}

static const struct {
    const char *columns;
    const char *csv;
    const char *rows;
} cases[] = {
    /* PostgreSQL finds the third before the first */
    {"a int UNIQUE", "a\n1\n1\nx\n1\n2\n", "2@3 a[1] 3@4 a[x] 4@5 a[1] "},
    {"a int NOT NULL, b int", "b,a\n1,1\n1,\n", "2@3 a "},
    {"a int, b int, UNIQUE (a, b)", "b,a\n1,1\n1,1\n", "2@3 a, b "},
    {"a int, b int DEFAULT 1, UNIQUE (a, b)", "a\n1\n1\n", "2@3 a[1] "},
    {"a int CHECK (a > 5)", "a\n6\n1\n7\n2\n", "2@3 a[1] 4@5 a[2] "},
    {"a int, b int, CHECK (a > b)", "a,b\n1,0\n1,2\n", "2@3 a, b "},
    /* what is found when the statement ends */
    {"a int REFERENCES parent", "a\n1\n\n101\n2\n102\n103\n3\n",
     "3@4 a[101] 5@6 a[102] 6@7 a[103] "},
    {"a int REFERENCES parent", "a\n101\n", "1@2 a[101] "},
    {"a int, b int, FOREIGN KEY (a, b) REFERENCES parent (id, b)",
     "a,b\n1,1\n1,2\n", "2@3 a, b "},
    {"a int REFERENCES parent, b int UNIQUE", "a,b\n1,1\n101,2\n2,1\n3,x\n",
     "2@3 a[101] 3@4 b[1] 4@5 b[x] "},
    /* and when the transaction ends */
    {"a int REFERENCES parent DEFERRABLE INITIALLY DEFERRED",
     "a\n1\n101\n2\n102\n", "2@3 a[101] 4@5 a[102] "},
    {"a int UNIQUE DEFERRABLE INITIALLY DEFERRED", "a\n1\n2\n1\n", "3@4 a[1] "},
    /* an earlier record is a good one's target */
    {"a int PRIMARY KEY, b int REFERENCES t", "a,b\n1,\n2,1\n3,9\n4,2\n",
     "3@4 b[9] "},
    /* what we find ourselves is in its place */
    {"a int, b int", "a,b\nx,1\n1\n2,y\n\"\xff\",1\n1,2,3\n3,\xff\xff\n4,z\n",
     "1@2 a[x] 2@3  3@4 b[y] 4@5 a[\xef\xbf\xbd] 5@6  "
     "6@7 b[\xef\xbf\xbd\xef\xbf\xbd] 7@8 b[z] "},
    {"a int, b int", "a,b\nx,1\n1,\"y\n2,1\n", "1@2 a[x] 2@3 b "},
    {"a text, b int", "a,b\n\"1\n2\n3\",1\n1,\"q\t\\\"\n", "2@5 b[q\t\\] "},
};

START_TEST(the_records_that_are_refused_are_named)
{
    load_rig_t *rig = rig_with("a int");

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        pg_value(rig->pg, "DROP TABLE t");
        pg_value(rig->pg, "CREATE TABLE t (%s)", cases[i].columns);
        load_rig_table(rig, "t");
        ck_assert_int_eq(load_rig_text(rig, cases[i].csv), DSAPI_EUNPROC);
        ck_assert_str_eq(load_rig_rows(rig), cases[i].rows);
        ck_assert_int_eq(rig->report.more, 0);
    }
}
END_TEST

/** By way of the temporary table all but what cannot be read is found when
 *  its statement ends. */
START_TEST(so_they_are_where_conflicts_are_resolved)
{
    load_rig_t *rig = rig_with("a int PRIMARY KEY, b int CHECK (b > 0), c int "
                               "REFERENCES parent");

    load_rig_mode(rig, DSAPI_IMPORT_MERGE, "a");
    ck_assert_int_eq(load_rig_text(rig, "b,a,c\n1,1,1\n0,2,1\n1,x,1\n1,3,101\n"
                                        "1,1,2\n1,,3\n-1,1,1\n"),
                     DSAPI_EUNPROC);
    ck_assert_str_eq(load_rig_rows(rig), "2@3 b[0] 3@4 a[x] 4@5 c[101] 6@7 a "
                                         "7@8 b[-1] ");
}
END_TEST

/** What a trigger says is for the client; where it says it of the statement's
 *  end, too. */
START_TEST(triggers_refuse)
{
    load_rig_t *rig = rig_with("a int");

    pg_value(rig->pg, "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS "
                      "$$ BEGIN IF NEW.a > 5 THEN RAISE EXCEPTION 'no %%', "
                      "NEW.a; END IF; RETURN NEW; END $$");
    for (int i = 0; i < 2; i++) {
        const dsapi_import_row_t *row;

        pg_value(rig->pg,
                 "CREATE TRIGGER f %s INSERT ON t FOR EACH ROW "
                 "EXECUTE FUNCTION f()",
                 i ? "AFTER" : "BEFORE");
        ck_assert_int_eq(load_rig_text(rig, "a\n1\n6\n2\n7\n"), DSAPI_EUNPROC);
        ck_assert_str_eq(load_rig_rows(rig), "2@3  4@5  ");
        row = &APR_ARRAY_IDX(rig->report.rows, 1, dsapi_import_row_t);
        ck_assert_str_eq(row->reason, "no 7");
        ck_assert_str_eq(row->sqlstate, "P0001");
        pg_value(rig->pg, "DROP TRIGGER f ON t");
    }
}
END_TEST

START_TEST(the_error_says_how_many_and_where_and_no_value_to_the_log)
{
    load_rig_t *rig = rig_with("a int");

    ck_assert_int_eq(load_rig_text(rig, "a\n1\nsecret\n"), DSAPI_EUNPROC);
    ck_assert_str_eq(rig->err->detail, "nothing was stored: 1 record is "
                                       "refused, the first in "
                                       "line 3, 'a': invalid input syntax for "
                                       "type integer: "
                                       "\"secret\"");
    ck_assert_str_eq(rig->err->internal, "1 records refused, the first in line "
                                         "3");
    ck_assert_int_eq(load_rig_text(rig, "a\n1,2\n2,3\n"), DSAPI_EUNPROC);
    ck_assert_str_eq(rig->err->detail, "nothing was stored: 2 records are "
                                       "refused, the first in "
                                       "line 2: has 2 fields, the header has "
                                       "1");
}
END_TEST

START_TEST(what_is_told_of_a_value_is_short)
{
    load_rig_t *rig = rig_with("a int");
    dsapi_buf_t *csv = dsapi_buf_make(0, g_pool);
    const dsapi_import_row_t *row;

    dsapi_buf_put(csv, "a\n", 2);
    for (int i = 0; i < 100000; i++) {
        dsapi_buf_put(csv, "12345\t\xc3\xa4", 8);
    }
    ck_assert_int_eq(load_rig_bytes(rig, csv->data, csv->len_bytes),
                     DSAPI_EUNPROC);
    row = &APR_ARRAY_IDX(rig->report.rows, 0, dsapi_import_row_t);
    ck_assert_str_eq(row->column, "a");
    ck_assert_uint_lt(strlen(row->value), 110);
    ck_assert_uint_lt(strlen(row->reason), 510);
}
END_TEST

/* --- many --- */

/** The numbers from 1 to n, but instead of each step-th what is bad. */
static dsapi_buf_t *numbers(int n, int step, const char *bad)
{
    dsapi_buf_t *csv = dsapi_buf_make(0, g_pool);

    dsapi_buf_put(csv, "a\n", 2);
    for (int i = 1; i <= n; i++) {
        const char *text = i % step == 0 ? bad : apr_itoa(g_scratch, i);

        dsapi_buf_put(csv, text, strlen(text));
        dsapi_buf_putc(csv, '\n');
    }
    apr_pool_clear(g_scratch);
    return csv;
}

/** Import so many, and find out how many rows PostgreSQL has looked at: what a
 *  sequence has counted is not rolled back. */
static double looked_at(load_rig_t *rig, int n, int step, const char *bad,
                        int refused)
{
    dsapi_buf_t *csv = numbers(n, step, bad);

    pg_value(rig->pg, "ALTER SEQUENCE looks RESTART");
    ck_assert_int_eq(load_rig_bytes(rig, csv->data, csv->len_bytes),
                     DSAPI_EUNPROC);
    ck_assert_int_eq(rig->report.rows->nelts, refused);
    for (int i = 0; i < refused; i++) {
        ck_assert_uint_eq(
            APR_ARRAY_IDX(rig->report.rows, i, dsapi_import_row_t).record,
            (unsigned)((i + 1) * step));
    }
    return (double)apr_atoi64(pg_value(rig->pg, "SELECT nextval('looks')")) / n;
}

START_TEST(the_work_is_about_twice_that_of_storing_it)
{
    load_rig_t *rig = rig_with("a int");

    pg_value(rig->pg, "DROP TABLE t");
    pg_value(rig->pg, "CREATE SEQUENCE looks");
    pg_value(rig->pg, "INSERT INTO parent SELECT i FROM generate_series(101, "
                      "50000) i");
    pg_value(rig->pg, "CREATE TABLE t (a int REFERENCES parent, look int "
                      "DEFAULT nextval('looks'))");
    load_rig_table(rig, "t");
    /* one bad record, near the end; and ten */
    ck_assert_double_lt(looked_at(rig, 20000, 19999, "x", 1), 3);
    ck_assert_double_lt(looked_at(rig, 20000, 2000, "x", 10), 3);
    ck_assert_double_lt(looked_at(rig, 20000, 19999, "0", 1), 3);
    ck_assert_double_lt(looked_at(rig, 20000, 4999, "0", 4), 5);
    /* each seventh, a hundred of which are named */
    ck_assert_double_lt(looked_at(rig, 700, 7, "x", 100), 5);
    ck_assert_int_eq(rig->report.more, 0);
    ck_assert_double_lt(looked_at(rig, 2000, 7, "0", 100), 10);
    ck_assert_int_eq(rig->report.more, 1);
    ck_assert_ptr_nonnull(strstr(rig->err->detail, "more than 100 records"));
    /* all of them */
    ck_assert_double_lt(looked_at(rig, 2000, 1, "x", 100), 1);
    ck_assert_int_eq(rig->report.more, 1);
}
END_TEST

UNIT_SUITE(csv_refuse, the_records_that_are_refused_are_named,
           so_they_are_where_conflicts_are_resolved, triggers_refuse,
           the_error_says_how_many_and_where_and_no_value_to_the_log,
           what_is_told_of_a_value_is_short,
           the_work_is_about_twice_that_of_storing_it)
