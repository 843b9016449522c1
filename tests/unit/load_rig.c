/* Importing CSV in tests: see load_rig.h. */
#include "unit/load_rig.h"

#include <apr_strings.h>

#include "sql/wrap.h"
#include "unit/unit.h"

static const char *const tables[] = {"CREATE TABLE property (id uuid PRIMARY "
                                     "KEY DEFAULT gen_random_uuid(), "
                                     "name text NOT NULL, address text, price "
                                     "numeric NOT NULL)",
                                     "CREATE TABLE visit (id uuid PRIMARY KEY "
                                     "DEFAULT gen_random_uuid(), "
                                     "property_id uuid NOT NULL REFERENCES "
                                     "property, "
                                     "visited_at timestamptz NOT NULL, place "
                                     "text)"};

/** As the glue has it: values of types it does not know come as JSON. */
static int is_not_text(const char *name, unsigned type)
{
    (void)name;
    return type != DSAPI_OID_TEXT;
}

load_rig_t *load_rig_open(void)
{
    load_rig_t *rig = apr_pcalloc(g_pool, sizeof(*rig));

    rig->pg = pg_open();
    rig->db = pg_adopt(rig->pg);
    dsapi_db_set_json(rig->db, is_not_text);
    rig->spec.schema = "public";
    rig->spec.delimiter = ',';
    pg_value(rig->pg, "%s", tables[0]);
    pg_value(rig->pg, "%s", tables[1]);
    load_rig_table(rig, "property");
    return rig;
}

void load_rig_table(load_rig_t *rig, const char *table)
{
    dsapi_import_column_t *columns;
    dsapi_rows_t *rows;
    dsapi_err_t *err;
    int n;

    ck_assert_int_eq(pg_run(&rows, &err, rig->pg->db,
                            apr_psprintf(g_pool,
                                         "SELECT attname, attnotnull AND NOT "
                                         "atthasdef "
                                         "FROM pg_attribute WHERE attrelid = "
                                         "'public.%s'"
                                         "::regclass AND attnum > 0 ORDER BY "
                                         "attnum",
                                         table)),
                     APR_SUCCESS);
    n = dsapi_rows_count(rows);
    columns = apr_pcalloc(g_pool, sizeof(*columns) * (apr_size_t)n);
    for (int i = 0; i < n; i++) {
        columns[i].name = dsapi_rows_value(NULL, rows, i, 0);
        columns[i].sql = columns[i].name;
        columns[i].required = *dsapi_rows_value(NULL, rows, i, 1) == 't';
    }
    rig->spec.table = table;
    rig->spec.columns = columns;
    rig->spec.ncolumns = n;
}

void load_rig_mode(load_rig_t *rig, dsapi_import_mode_t mode, const char *key)
{
    const char **keys = apr_palloc(g_pool, sizeof(*keys));

    keys[0] = key;
    rig->spec.mode = mode;
    rig->spec.keys = keys;
    rig->spec.nkeys = key ? 1 : 0;
}

apr_status_t load_rig_spool(load_rig_t *rig, apr_file_t *spool)
{
    dsapi_import_t *import = (dsapi_import_t *)rig;
    int before = load_rig_count(rig);
    apr_status_t rv;

    memset(&rig->report, 0, sizeof(rig->report));
    rig->err = (dsapi_err_t *)rig;
    rv = dsapi_import_open(&import, &rig->err, &rig->spec, spool, g_pool);
    if (rv != APR_SUCCESS) {
        ck_assert_ptr_null(import);
        ck_assert_int_eq(rig->err->rv, rv);
        return rv;
    }
    ck_assert_ptr_null(rig->err);
    rv = dsapi_import_run(&rig->report, &rig->err, import, rig->db, rig->until,
                          g_pool);
    ck_assert_ptr_nonnull(rig->report.rows);
    if (rv == APR_SUCCESS) {
        ck_assert_ptr_null(rig->err);
        ck_assert_int_eq(rig->report.rows->nelts, 0);
    }
    else {
        ck_assert_int_eq(rig->err->rv, rv);
        ck_assert_int_eq(rig->report.stored, 0);
        ck_assert_int_eq(load_rig_count(rig), before);
        ck_assert_msg((rv == DSAPI_EUNPROC) == (rig->report.rows->nelts > 0),
                      "%s", rig->err->internal);
    }
    ck_assert_int_eq(dsapi_db_idle(rig->db),
                     rv != DSAPI_ETIMEOUT && rv != DSAPI_EDBDOWN);
    return rv;
}

apr_file_t *load_rig_temp(const char **ppath)
{
    const char *temp;
    char *path;
    apr_file_t *file;

    ck_assert_int_eq(apr_temp_dir_get(&temp, g_pool), APR_SUCCESS);
    path = apr_pstrcat(g_pool, temp, "/dsapi-csv-XXXXXX", NULL);
    ck_assert_int_eq(apr_file_mktemp(&file, path, 0, g_pool), APR_SUCCESS);
    *ppath = path;
    return file;
}

apr_status_t load_rig_bytes(load_rig_t *rig, const char *bytes, apr_size_t len)
{
    const char *path;
    apr_file_t *spool = load_rig_temp(&path);
    apr_off_t start = 0;
    apr_status_t rv;

    ck_assert_int_eq(apr_file_write_full(spool, bytes, len, NULL), APR_SUCCESS);
    ck_assert_int_eq(apr_file_seek(spool, APR_SET, &start), APR_SUCCESS);
    rv = load_rig_spool(rig, spool);
    apr_file_close(spool);
    return rv;
}

apr_status_t load_rig_text(load_rig_t *rig, const char *text)
{
    return load_rig_bytes(rig, text, strlen(text));
}

const char *load_rig_path(const char *file)
{
    const char *data = getenv("DSAPI_DATA");

    ck_assert_ptr_nonnull(data);
    return apr_pstrcat(g_pool, data, "/csv/", file, NULL);
}

apr_status_t load_rig_file(load_rig_t *rig, const char *file)
{
    apr_file_t *spool;
    apr_status_t rv;

    ck_assert_int_eq(
        apr_file_open(&spool, load_rig_path(file), APR_FOPEN_READ, 0, g_pool),
        APR_SUCCESS);
    rv = load_rig_spool(rig, spool);
    apr_file_close(spool);
    return rv;
}

apr_status_t load_rig_oui(load_rig_t *rig)
{
    const char *path;
    apr_file_t *spool = load_rig_temp(&path);
    apr_status_t rv;

    run_shell(apr_psprintf(g_pool, "gunzip -c '%s' >'%s'",
                           load_rig_path("ieee-oui.csv.gz"), path));
    rv = load_rig_spool(rig, spool);
    apr_file_close(spool);
    return rv;
}

const char *load_rig_rows(const load_rig_t *rig)
{
    const char *text = "";

    for (int i = 0; i < rig->report.rows->nelts; i++) {
        const dsapi_import_row_t *row =
            &APR_ARRAY_IDX(rig->report.rows, i, dsapi_import_row_t);

        ck_assert_ptr_nonnull(row->reason);
        text = apr_psprintf(
            g_pool, "%s%" APR_UINT64_T_FMT "@%" APR_UINT64_T_FMT " %s%s%s%s ",
            text, row->record, row->line, row->column ? row->column : "",
            row->value ? "[" : "", row->value ? row->value : "",
            row->value ? "]" : "");
    }
    return text;
}

int load_rig_count(const load_rig_t *rig)
{
    dsapi_buf_t *name = dsapi_buf_make(0, g_pool);

    dsapi_sql_put_name(name, rig->spec.schema);
    dsapi_buf_putc(name, '.');
    dsapi_sql_put_name(name, rig->spec.table);
    return (int)apr_atoi64(
        pg_value(rig->pg, "SELECT count(*) FROM %s", dsapi_buf_str(name)));
}
