/* src/csv/import.h against a real PostgreSQL. */
#include "csv/import.h"

#include <apr_strings.h>
#include <jansson.h>
#include <sys/resource.h>

#include "json/buf.h"
#include "unit/load_rig.h"
#include "unit/unit.h"

/* --- the 65 cases of tests/data/csv/cases.json --- */

/** Where both readings are defensible, ours: so many records, or -1: refused.
 *  The charset is not the import's: who calls it has to refuse it. */
static const struct {
    const char *file;
    int stored;
} decided[] = {
    {"cr-only.csv", -1},   {"blank-line-inside.csv", 2},
    {"uuid-forms.csv", 2}, {"latin1-declared.csv", -1},
    {"huge-field.csv", 2}, {"quote-inside-unquoted.csv", 2},
};

static const char *text_of(const json_t *object, const char *name)
{
    return json_string_value(json_object_get(object, name));
}

static int number_of(const json_t *object, const char *name)
{
    return (int)json_integer_value(json_object_get(object, name));
}

/** @return so many records, or -1: refused */
static int wanted(const json_t *item)
{
    const char *outcome = text_of(item, "outcome");
    const char *file = text_of(item, "file");

    if (strcmp(outcome, "accept") == 0) {
        return number_of(item, "stored");
    }
    for (size_t i = 0; i < sizeof(decided) / sizeof(decided[0]); i++) {
        if (strcmp(decided[i].file, file) == 0) {
            return decided[i].stored;
        }
    }
    ck_assert_msg(strcmp(outcome, "refuse") == 0, "%s: %s", file, outcome);
    return -1;
}

static void check_value(const load_rig_t *rig, const json_t *item,
                        const json_t *value)
{
    const json_t *want = json_object_get(value, "value");
    const char *found = pg_value(rig->pg,
                                 "SELECT %s FROM %s ORDER BY ctid OFFSET %d "
                                 "LIMIT 1",
                                 text_of(value, "column"), rig->spec.table,
                                 number_of(value, "record") - 1);

    if (json_is_null(want)) {
        ck_assert_ptr_null(found);
        return;
    }
    ck_assert_msg(found != NULL, "%s", text_of(item, "file"));
    if (json_is_integer(want)) {
        ck_assert_int_eq(apr_atoi64(found), json_integer_value(want));
        return;
    }
    ck_assert_str_eq(found, json_string_value(want));
}

static void check_refused(const load_rig_t *rig, const json_t *item)
{
    const char *file = text_of(item, "file");
    const json_t *rows = json_object_get(item, "refused");
    const json_t *want;
    size_t i;

    if (!rows) {
        return;
    }
    ck_assert_msg((int)json_array_size(rows) == rig->report.rows->nelts,
                  "%s: %s", file, load_rig_rows(rig));
    ck_assert_int_eq(rig->report.more,
                     json_array_size(rows) == DSAPI_IMPORT_ROWS_MAX);
    json_array_foreach(rows, i, want)
    {
        const dsapi_import_row_t *row =
            &APR_ARRAY_IDX(rig->report.rows, (int)i, dsapi_import_row_t);

        ck_assert_uint_eq(row->record, (unsigned)number_of(want, "record"));
        ck_assert_uint_eq(row->line, (unsigned)number_of(want, "line"));
        if (text_of(want, "column")) {
            ck_assert_msg(row->column != NULL, "%s: %s", file, row->reason);
            ck_assert_str_eq(row->column, text_of(want, "column"));
        }
        if (text_of(want, "value")) {
            ck_assert_str_eq(row->value, text_of(want, "value"));
        }
    }
}

static void run_case(load_rig_t *rig, const json_t *item)
{
    const char *file = text_of(item, "file");
    const char *delimiter = text_of(json_object_get(item, "query"), "delimite"
                                                                    "r");
    int want = wanted(item);
    const json_t *value;
    int before;
    apr_status_t rv;
    size_t i;

    pg_value(rig->pg, "TRUNCATE property, visit");
    rig->spec.mode = DSAPI_IMPORT_INSERT;
    rig->spec.delimiter = ',';
    load_rig_table(rig, "property");
    if (strstr(text_of(item, "what"), "after simple.csv")) {
        ck_assert_int_eq(load_rig_file(rig, "cases/simple.csv"), APR_SUCCESS);
    }
    if (strstr(text_of(item, "what"), "upsert")) {
        load_rig_mode(rig, DSAPI_IMPORT_MERGE, "id");
    }
    load_rig_table(rig, text_of(item, "target"));
    if (delimiter) {
        rig->spec.delimiter = *delimiter;
    }
    before = load_rig_count(rig);
    rv = load_rig_file(rig, apr_pstrcat(g_pool, "cases/", file, NULL));
    if (want < 0) {
        ck_assert_msg(rv == DSAPI_EPARAM || rv == DSAPI_EUNPROC,
                      "%s is accepted", file);
        check_refused(rig, item);
        return;
    }
    ck_assert_msg(rv == APR_SUCCESS, "%s: %s", file,
                  rig->err ? rig->err->detail : "?");
    ck_assert_msg(rig->report.records == want, "%s: %d records", file,
                  (int)rig->report.records);
    ck_assert_int_eq(rig->report.stored, want);
    if (rig->spec.mode == DSAPI_IMPORT_INSERT) {
        ck_assert_int_eq(load_rig_count(rig), before + want);
    }
    json_array_foreach(json_object_get(item, "values"), i, value)
    {
        check_value(rig, item, value);
    }
}

/** What is wrong with a header. */
static const struct {
    const char *csv;
    const char *detail;
} headers[] = {
    {"", "there is no header, which names the columns"},
    {"\n\n", "there is no header, which names the columns"},
    {"id,name,price,colour\n", "'colour' is no column that can be written"},
    {"name,price,name\n", "'name' is in the header twice"},
    {"name,,price\n", "column 2 of the header has no name"},
    {"name,\"\",price\n", "column 2 of the header has no name"},
    {"id,price\n", "'name' is needed, and not in the header"},
    {"id\n", "'name' is needed, and not in the header (and more, see errors)"},
    {"name ,price\n", "'name ' is no column that can be written (and more, see "
                      "errors)"},
    {"Name,name,price\n", "'Name' is no column that can be written"},
    {"name,pr\xffice\n", "field 2 of the header is not valid UTF-8"},
    {"name,\"price\n", "field 2 of the header has a quote that is never "
                       "closed"},
    {"\xff\xfen", "field 1 of the header cannot be read: the data is UTF-16; "
                  "send UTF-8"},
};

START_TEST(each_case)
{
    load_rig_t *rig = load_rig_open();
    json_t *root = json_load_file(load_rig_path("cases.json"), 0, NULL);
    const json_t *items = json_object_get(root, "cases");
    const json_t *item;
    size_t i;

    ck_assert_uint_eq(json_array_size(items), 65);
    json_array_foreach(items, i, item)
    {
        run_case(rig, item);
    }
    json_decref(root);
}
END_TEST

START_TEST(a_header_has_to_fit)
{
    load_rig_t *rig = load_rig_open();

    for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
        ck_assert_int_eq(load_rig_text(rig, headers[i].csv), DSAPI_EPARAM);
        ck_assert_str_eq(rig->err->detail, headers[i].detail);
    }
}
END_TEST

/* --- columns --- */

START_TEST(names_are_of_any_kind)
{
    load_rig_t *rig = load_rig_open();
    dsapi_import_column_t columns[] = {{"Organization Name", "na\"me", 1, 0},
                                       {"key", "dsapi", 0, 0}};

    pg_value(rig->pg, "CREATE SCHEMA \"s.\"\"x\"");
    pg_value(rig->pg, "CREATE TABLE \"s.\"\"x\".\"t, line 7\" (dsapi int "
                      "PRIMARY KEY, \"na\"\"me\" int NOT NULL)");
    pg_value(rig->pg, "CREATE VIEW v AS SELECT * FROM \"s.\"\"x\".\"t, line "
                      "7\"");
    load_rig_table(rig, "v");
    rig->spec.columns = columns;
    rig->spec.ncolumns = 2;
    for (int mode = 0; mode < 3; mode++) {
        load_rig_mode(rig, (dsapi_import_mode_t)mode, "dsapi");
        rig->spec.schema = "s.\"x";
        rig->spec.table = "t, line 7";
        pg_value(rig->pg, "TRUNCATE \"s.\"\"x\".\"t, line 7\"");
        ck_assert_int_eq(load_rig_text(rig, "key,Organization "
                                            "Name\n1,2\n3,4\n"),
                         APR_SUCCESS);
        ck_assert_str_eq(pg_value(rig->pg, "SELECT string_agg(dsapi || '-' || "
                                           "\"na\"\"me\", ' ') FROM v"),
                         "1-2 3-4");
        ck_assert_int_eq(load_rig_text(rig, "Organization "
                                            "Name,key\n5,6\n,7\nx,7\n8,y\n"),
                         DSAPI_EUNPROC);
        ck_assert_str_eq(load_rig_rows(rig), "2@3 Organization Name "
                                             "3@4 Organization Name[x] "
                                             "4@5 key[y] ");
    }
}
END_TEST

START_TEST(what_is_missing_has_its_default_or_is_null)
{
    load_rig_t *rig = load_rig_open();
    dsapi_import_column_t columns[] = {
        {"a", "a", 1, 0}, {"b", "b", 0, 0}, {"c", "c", 0, 1}};

    pg_value(rig->pg, "CREATE TABLE t (a int, b int DEFAULT 7, c int DEFAULT "
                      "8)");
    load_rig_table(rig, "t");
    rig->spec.columns = columns;
    ck_assert_int_eq(load_rig_text(rig, "a\n1\n"), APR_SUCCESS);
    load_rig_mode(rig, DSAPI_IMPORT_IGNORE, NULL);
    ck_assert_int_eq(load_rig_text(rig, "a\n2\n"), APR_SUCCESS);
    ck_assert_int_eq(load_rig_text(rig, "c,a\n4,3\n"), APR_SUCCESS);
    ck_assert_str_eq(pg_value(rig->pg, "SELECT string_agg(t::text, ' ') FROM "
                                       "t"),
                     "(1,7,) (2,7,) (3,7,4)");
}
END_TEST

/* --- conflicts --- */

#define OUI                                                             \
    "CREATE TABLE oui (\"Registry\" text, \"Assignment\" text PRIMARY " \
    "KEY, \"Organization Name\" text, \"Organization Address\" text)"

/** A real registry of 32,530 records, of which 3 have the key of another. */
START_TEST(a_header_may_have_the_names_that_sql_has)
{
    load_rig_t *rig = load_rig_open();
    dsapi_import_column_t columns[] = {{"address", "name", 1, 0},
                                       {"title", "address", 0, 0},
                                       {"price", "price", 1, 0}};

    load_rig_table(rig, "property");
    rig->spec.columns = columns;
    rig->spec.ncolumns = 3;
    /* "name" is SQL's; "address" is the client's, whatever SQL calls so */
    ck_assert_int_eq(load_rig_text(rig, "name,title,price\na,b,1\n"),
                     APR_SUCCESS);
    ck_assert_int_eq(load_rig_text(rig, "price,address\n2,c\n"), APR_SUCCESS);
    ck_assert_str_eq(pg_value(rig->pg, "SELECT string_agg(concat_ws('-', name, "
                                       "address, price), ' ' ORDER BY price) "
                                       "FROM property"),
                     "a-b-1 c-2");
    ck_assert_int_eq(load_rig_text(rig, "name,address,price\na,b,1\n"),
                     DSAPI_EPARAM);
    ck_assert_str_eq(rig->err->detail, "'address' is in the header twice");
}
END_TEST

START_TEST(a_registry_with_duplicate_keys)
{
    load_rig_t *rig = load_rig_open();
    const char *one = "SELECT \"Organization Name\" FROM oui WHERE "
                      "\"Assignment\" = '080030'";
    const char *names[2];

    pg_value(rig->pg, OUI);
    load_rig_table(rig, "oui");
    ck_assert_int_eq(load_rig_oui(rig), DSAPI_EUNPROC);
    ck_assert_int_eq(rig->report.rows->nelts, 3);
    ck_assert_int_eq(rig->report.more, 0);
    ck_assert_ptr_nonnull(strstr(load_rig_rows(rig), "Assignment[080030]"));
    ck_assert_ptr_nonnull(strstr(load_rig_rows(rig), "Assignment[0001C8]"));
    load_rig_mode(rig, DSAPI_IMPORT_IGNORE, "Assignment");
    ck_assert_int_eq(load_rig_oui(rig), APR_SUCCESS);
    ck_assert_int_eq(rig->report.records, 32530);
    ck_assert_int_eq(rig->report.stored, 32527);
    ck_assert_int_eq(load_rig_count(rig), 32527);
    names[0] = pg_value(rig->pg, "%s", one);
    load_rig_mode(rig, DSAPI_IMPORT_MERGE, "Assignment");
    ck_assert_int_eq(load_rig_oui(rig), APR_SUCCESS);
    ck_assert_int_eq(rig->report.stored, 32527);
    ck_assert_int_eq(load_rig_count(rig), 32527);
    names[1] = pg_value(rig->pg, "%s", one);
    ck_assert_str_ne(names[0], names[1]);
}
END_TEST

START_TEST(the_last_of_the_same_key_wins_or_the_first)
{
    load_rig_t *rig = load_rig_open();

    pg_value(rig->pg, "CREATE TABLE t (k int UNIQUE, v text)");
    load_rig_table(rig, "t");
    load_rig_mode(rig, DSAPI_IMPORT_MERGE, "k");
    ck_assert_int_eq(load_rig_text(rig, "k,v\n1,a\n2,b\n1,c\n,d\n,e\n1,f\n"),
                     APR_SUCCESS);
    ck_assert_int_eq(rig->report.records, 6);
    ck_assert_int_eq(rig->report.stored, 4); /* no NULL is as another */
    ck_assert(!rig->report.none_new);
    ck_assert_int_eq(load_rig_text(rig, "v,k\ng,2\n"), APR_SUCCESS);
    ck_assert(rig->report.none_new);
    ck_assert_int_eq(load_rig_text(rig, "v,k\ng,2\nh,9\n"), APR_SUCCESS);
    ck_assert(!rig->report.none_new);
    pg_value(rig->pg, "DELETE FROM t WHERE k = 9");
    load_rig_mode(rig, DSAPI_IMPORT_IGNORE, NULL);
    ck_assert_int_eq(load_rig_text(rig, "k,v\n3,h\n1,i\n3,j\n"), APR_SUCCESS);
    ck_assert_int_eq(rig->report.stored, 1);
    ck_assert_str_eq(pg_value(rig->pg, "SELECT string_agg(concat(k, v), ' ' "
                                       "ORDER BY k, v) FROM t"),
                     "1f 2g 3h d e");
}
END_TEST

START_TEST(what_the_key_is_may_be_missing)
{
    load_rig_t *rig = load_rig_open();

    load_rig_mode(rig, DSAPI_IMPORT_MERGE, "id");
    ck_assert_int_eq(load_rig_text(rig, "name,price\na,1\na,1\n"), APR_SUCCESS);
    ck_assert_int_eq(rig->report.stored, 2);
}
END_TEST

/* --- the transaction --- */

START_TEST(visits_of_properties)
{
    load_rig_t *rig = load_rig_open();

    ck_assert_int_eq(load_rig_file(rig, "properties.csv"), APR_SUCCESS);
    ck_assert_int_eq(rig->report.stored, 6311);
    load_rig_table(rig, "visit");
    ck_assert_int_eq(load_rig_file(rig, "visits.csv"), APR_SUCCESS);
    ck_assert_int_eq(rig->report.stored, 12000);
    ck_assert_str_eq(pg_value(rig->pg, "SELECT count(*) FROM visit WHERE place "
                                       "LIKE e'%%\\n%%'"),
                     "957");
}
END_TEST

START_TEST(nothing_is_kept_where_that_is_asked_for)
{
    load_rig_t *rig = load_rig_open();

    rig->spec.rollback = 1;
    ck_assert_int_eq(load_rig_text(rig, "name,price\na,1\n"), APR_SUCCESS);
    ck_assert_int_eq(rig->report.stored, 1);
    ck_assert_int_eq(load_rig_count(rig), 0);
}
END_TEST

/** A dsapi_import_show_fn. */
static void show(dsapi_call_t *pcall, void *baton, const char *insert,
                 apr_pool_t *pool)
{
    const char **values = apr_palloc(pool, sizeof(*values));

    values[0] = baton;
    pcall->sql = dsapi_sql_literal(apr_pstrcat(pool, "WITH i AS (", insert,
                                               " RETURNING t0.name) SELECT "
                                               "name, $1::text FROM i",
                                               NULL),
                                   1, pool);
    pcall->types = NULL;
    pcall->values = values;
}

START_TEST(rows_are_shown)
{
    load_rig_t *rig = load_rig_open();
    char x[] = "x";

    rig->spec.show = show;
    rig->spec.baton = x;
    ck_assert_int_eq(load_rig_text(rig, "name,price\nb,1\na,2\n"), APR_SUCCESS);
    ck_assert_int_eq(rig->report.stored, 2);
    ck_assert_int_eq(dsapi_rows_count(rig->report.shown), 2);
    ck_assert_str_eq(dsapi_rows_value(NULL, rig->report.shown, 0, 0), "b");
    ck_assert_str_eq(dsapi_rows_value(NULL, rig->report.shown, 1, 1), "x");
    ck_assert_int_eq(load_rig_text(rig, "name,price\nc,1\n,2\n"),
                     DSAPI_EUNPROC);
    ck_assert_ptr_null(rig->report.shown);
    ck_assert_str_eq(load_rig_rows(rig), "2@3 name ");
    rig->spec.show = NULL;
    ck_assert_int_eq(load_rig_text(rig, "name,price\nc,1\n"), APR_SUCCESS);
    ck_assert_ptr_null(rig->report.shown);
    ck_assert_int_eq(load_rig_count(rig), 3);
}
END_TEST

/** A transaction of the caller's. */
typedef struct own_t {
    int done;
    apr_status_t refused; /* by begin */
    int fails;            /* so often does commit, for others are in the way */
    int begun;
    int committed;
} own_t;

/** A dsapi_import_begin_fn. */
static apr_status_t begin(int *pdone, dsapi_err_t **perr, void *baton,
                          dsapi_db_t *db)
{
    own_t *own = baton;
    dsapi_rows_t *rows;
    apr_status_t rv = pg_run(&rows, perr, db, "BEGIN");

    own->begun++;
    *pdone = own->done;
    return own->refused ? dsapi_fail(perr, g_pool, own->refused, "no", "no")
                        : rv;
}

/** A dsapi_import_commit_fn. */
static apr_status_t commit(dsapi_err_t **perr, void *baton, dsapi_db_t *db)
{
    own_t *own = baton;
    dsapi_rows_t *rows;

    own->committed++;
    return pg_run(&rows, perr, db,
                  own->committed <= own->fails ? "DO $$BEGIN RAISE SQLSTATE "
                                                 "'40001'; END$$"
                                               : "COMMIT");
}

static load_rig_t *own_rig(own_t *own)
{
    load_rig_t *rig = load_rig_open();

    memset(own, 0, sizeof(*own));
    rig->spec.begin = begin;
    rig->spec.commit = commit;
    rig->spec.baton = own;
    return rig;
}

START_TEST(the_transaction_may_be_the_callers)
{
    own_t own;
    load_rig_t *rig = own_rig(&own);

    ck_assert_int_eq(load_rig_text(rig, "name,price\na,1\n"), APR_SUCCESS);
    ck_assert_int_eq(rig->report.stored, 1);
    ck_assert_int_eq(load_rig_count(rig), 1);
    ck_assert_int_eq(own.committed, 1);
    own.fails = 3;
    ck_assert_int_eq(load_rig_text(rig, "name,price\nb,1\n"), APR_SUCCESS);
    ck_assert_int_eq(load_rig_count(rig), 2);
    ck_assert_int_eq(own.begun, 4);
    ck_assert_int_eq(own.committed, 4);
    own.done = 1;
    ck_assert_int_eq(load_rig_text(rig, "name,price\nc,1\n"), APR_SUCCESS);
    ck_assert_int_eq(rig->report.stored, 0);
    ck_assert_int_eq(load_rig_count(rig), 2);
    own.refused = DSAPI_ECONFLICT;
    ck_assert_int_eq(load_rig_text(rig, "name,price\nx\n"), DSAPI_ECONFLICT);
    ck_assert_str_eq(rig->err->code, "no");
    ck_assert_int_eq(own.begun, 6);
    ck_assert_int_eq(own.committed, 4);
}
END_TEST

START_TEST(in_it_refused_records_are_found)
{
    own_t own;
    load_rig_t *rig = own_rig(&own);

    ck_assert_int_eq(load_rig_text(rig, "name,price\na,1\nb,x\n"),
                     DSAPI_EUNPROC);
    ck_assert_str_eq(load_rig_rows(rig), "2@3 price[x] ");
    pg_value(rig->pg, "ALTER TABLE visit ALTER CONSTRAINT "
                      "visit_property_id_fkey DEFERRABLE INITIALLY DEFERRED");
    load_rig_table(rig, "visit");
    ck_assert_int_eq(load_rig_text(rig, "property_id,visited_at\n"
                                        "00000000-0000-0000-0000-000000000000,"
                                        "2024-01-01\n"),
                     DSAPI_EUNPROC);
    ck_assert_int_eq(rig->report.rows->nelts, 1);
    ck_assert_int_eq(own.begun, 2);
    ck_assert_int_eq(own.committed, 0);
}
END_TEST

/** Row-level security, by a setting and a role of the transaction. */
START_TEST(policies_and_views)
{
    load_rig_t *rig = load_rig_open();
    dsapi_call_t setup[] = {
        pg_call(apr_pstrcat(g_pool, "SET LOCAL ROLE ", rig->pg->name, NULL), 0),
        pg_call("SELECT set_config('x.tenant', $1, true)", 1, "7")};
    static const char *const into[] = {"t", "v", "v"};

    pg_value(rig->pg, "CREATE TABLE t (id int PRIMARY KEY, tenant int)");
    pg_value(rig->pg, "CREATE VIEW v AS SELECT * FROM t WHERE tenant = "
                      "current_setting('x.tenant')::int WITH CHECK OPTION");
    pg_value(rig->pg, "ALTER TABLE t ENABLE ROW LEVEL SECURITY");
    pg_value(rig->pg, "CREATE POLICY p ON t USING (tenant = "
                      "current_setting('x.tenant')::int)");
    pg_administer("CREATE ROLE %s", rig->pg->name);
    pg_value(rig->pg, "GRANT ALL ON t, v TO %s", rig->pg->name);
    rig->spec.setup = setup;
    rig->spec.nsetup = 2;
    for (int i = 0; i < 3; i++) {
        load_rig_table(rig, into[i]);
        rig->spec.is_view = i == 2;
        pg_value(rig->pg, "TRUNCATE t");
        pg_value(rig->pg, "SELECT set_config('x.tenant', '7', false)");
        ck_assert_int_eq(load_rig_text(rig, "id,tenant\n1,7\n2,8\n3,x\n4,7\n1,"
                                            "7\n6,9\n"),
                         DSAPI_EUNPROC);
        ck_assert_str_eq(load_rig_rows(rig), "2@3  3@4 tenant[x] 5@6 id[1] "
                                             "6@7  ");
        ck_assert_int_eq(load_rig_text(rig, "id,tenant\n1,7\n2,7\n"),
                         APR_SUCCESS);
        ck_assert_int_eq(rig->report.stored, 2);
    }
    pg_value(rig->pg, "DROP OWNED BY %s", rig->pg->name);
    ck_assert_int_eq(load_rig_text(rig, "id,tenant\n1,7\n"), DSAPI_EDENIED);
    ck_assert_int_eq(rig->report.rows->nelts, 0);
    pg_value(rig->pg, "DROP ROLE %s", rig->pg->name);
}
END_TEST

/** A sequence does not forget what has been rolled back. */
START_TEST(what_was_in_others_way_is_run_again)
{
    load_rig_t *rig = load_rig_open();

    pg_value(rig->pg, "CREATE SEQUENCE runs");
    pg_value(rig->pg, "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS "
                      "$$ BEGIN IF nextval('runs') < 3 THEN RAISE EXCEPTION "
                      "'no' USING ERRCODE = '40001'; END IF; RETURN NULL; END "
                      "$$");
    pg_value(rig->pg, "CREATE TRIGGER f AFTER INSERT ON property EXECUTE "
                      "FUNCTION f()");
    ck_assert_int_eq(load_rig_text(rig, "name,price\na,1\n"), APR_SUCCESS);
    ck_assert_int_eq(rig->report.records, 1);
    ck_assert_int_eq(load_rig_count(rig), 1);
    pg_value(rig->pg, "ALTER SEQUENCE runs MINVALUE -100 RESTART -100");
    ck_assert_int_eq(load_rig_text(rig, "name,price\na,1\n"), DSAPI_EBUSY);
    ck_assert_str_eq(pg_value(rig->pg, "SELECT nextval('runs')"), "-95");
}
END_TEST

START_TEST(a_fault_that_is_no_records)
{
    load_rig_t *rig = load_rig_open();

    pg_value(rig->pg, "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS "
                      "$$ BEGIN PERFORM nothing(); END $$");
    pg_value(rig->pg, "CREATE TRIGGER f AFTER INSERT ON property EXECUTE "
                      "FUNCTION f()");
    ck_assert_int_eq(load_rig_text(rig, "name,price\na,1\n"), DSAPI_EINTERNAL);
    ck_assert_str_eq(rig->err->sqlstate, "42883");
}
END_TEST

START_TEST(a_connection_that_breaks)
{
    load_rig_t *rig = load_rig_open();

    pg_value(rig->pg, "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS "
                      "$$ BEGIN PERFORM "
                      "pg_terminate_backend(pg_backend_pid()); RETURN NEW; END "
                      "$$");
    pg_value(rig->pg, "CREATE TRIGGER f BEFORE INSERT ON property FOR EACH ROW "
                      "EXECUTE FUNCTION f()");
    ck_assert_int_eq(load_rig_text(rig, "name,price\na,1\n"), DSAPI_EDBDOWN);
    ck_assert_int_eq(load_rig_text(rig, "name,price\na,1\na\n"), DSAPI_EDBDOWN);
    pg_value(rig->pg, "DROP TRIGGER f ON property");
    ck_assert_int_eq(load_rig_text(rig, "name,price\na,1\n"), APR_SUCCESS);
}
END_TEST

START_TEST(a_deadline_and_a_dead_connection)
{
    load_rig_t *rig = load_rig_open();

    pg_value(rig->pg, "BEGIN");
    pg_value(rig->pg, "LOCK property IN SHARE MODE");
    rig->until = apr_time_now() + apr_time_from_msec(100);
    ck_assert_int_eq(load_rig_text(rig, "name,price\na,1\n"), DSAPI_ETIMEOUT);
    pg_value(rig->pg, "ROLLBACK");
    rig->until = 0;
    ck_assert_int_eq(load_rig_text(rig, "name,price\na,1\n"), APR_SUCCESS);
}
END_TEST

/* --- memory --- */

/** Records of some 100 bytes, so many MB in all; the last is like this. */
static apr_file_t *large_file(apr_int64_t mb, const char *last)
{
    apr_int64_t n = mb * 1024 * 1024 / 100;
    dsapi_buf_t *buf = dsapi_buf_make(0, g_pool);
    const char *path;
    apr_file_t *file = load_rig_temp(&path);
    apr_off_t start = 0;

    dsapi_buf_put(buf, "n,text\n", 7);
    for (apr_int64_t i = 0; i <= n; i++) {
        char line[128];
        int len =
            apr_snprintf(line, sizeof(line),
                         "%" APR_INT64_T_FMT ",\"%088d\"\"\n\"\r\n", i, 0);

        dsapi_buf_put(buf, i < n ? line : last,
                      i < n ? (apr_size_t)len : strlen(last));
        if (buf->len_bytes > 60000 || i == n) {
            ck_assert_int_eq(
                apr_file_write_full(file, buf->data, buf->len_bytes, NULL),
                APR_SUCCESS);
            buf->len_bytes = 0;
        }
    }
    ck_assert_int_eq(apr_file_seek(file, APR_SET, &start), APR_SUCCESS);
    return file;
}

/** @return the most memory that the process has had, in KB; 0 where a
 *  sanitizer keeps what has been freed */
static long most_kb(void)
{
    struct rusage usage = {0};

#ifndef __SANITIZE_ADDRESS__
    getrusage(RUSAGE_SELF, &usage);
#endif
    return usage.ru_maxrss;
}

/** DSAPI_TEST_CSV_MB: how large the file is, 24 without it. */
START_TEST(a_large_file_needs_little_memory)
{
    load_rig_t *rig = load_rig_open();
    const char *mb = getenv("DSAPI_TEST_CSV_MB");
    apr_int64_t size = mb ? apr_atoi64(mb) : 24;

    pg_value(rig->pg, "CREATE UNLOGGED TABLE t (n int, text text)");
    load_rig_table(rig, "t");
    for (int bad = 0; bad < 2; bad++) {
        apr_file_t *file = large_file(size, bad ? "x,y\n" : "1,y\n");
        long before = most_kb();

        ck_assert_int_eq(load_rig_spool(rig, file),
                         bad ? DSAPI_EUNPROC : APR_SUCCESS);
        apr_file_close(file);
        ck_assert_int_lt(most_kb() - before, 8192);
    }
    ck_assert_ptr_nonnull(strstr(load_rig_rows(rig), " n[x] "));
}
END_TEST

UNIT_SUITE(csv_import, each_case, a_header_has_to_fit, names_are_of_any_kind,
           what_is_missing_has_its_default_or_is_null,
           a_header_may_have_the_names_that_sql_has,
           a_registry_with_duplicate_keys,
           the_last_of_the_same_key_wins_or_the_first,
           what_the_key_is_may_be_missing, visits_of_properties,
           nothing_is_kept_where_that_is_asked_for, rows_are_shown,
           the_transaction_may_be_the_callers, in_it_refused_records_are_found,
           policies_and_views, what_was_in_others_way_is_run_again,
           a_fault_that_is_no_records, a_connection_that_breaks,
           a_deadline_and_a_dead_connection, a_large_file_needs_little_memory)
