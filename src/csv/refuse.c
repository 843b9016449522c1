/* Which records are refused: see refuse.h. */
#include "csv/refuse.h"

#include <apr_strings.h>
#include <string.h>

#include "csv/copy.h"

/* So many records are tried at once at most. */
#define TRY_ROWS  4096
#define TRY_BYTES ((apr_size_t)512 * 1024)

#define REASON_BYTES 500

/* A record that is being tried. */
typedef struct entry_t {
    apr_uint64_t record;
    apr_uint64_t line;
    apr_size_t end; /* in data */
} entry_t;

typedef struct hunt_t {
    dsapi_import_t *import;
    dsapi_import_report_t *report;
    dsapi_buf_t *data; /* records as COPY reads them */
    entry_t *entries;  /* TRY_ROWS */
    int count;
    int size; /* how many to try at once */
    int from; /* those that are being tried now */
    int to;
    int given;               /* they have been given to COPY */
    dsapi_copy_end_t bad;    /* how the last try that failed ended */
    const char *bad_state;   /* its SQLSTATE */
    apr_pool_t *bad_pool;    /* of the last try that failed */
    apr_pool_t *scratch;     /* of a try */
    apr_pool_t *result_pool; /* the report's */
} hunt_t;

/* --- the report --- */

/* A place in the report. @return NULL: it is full */
static dsapi_import_row_t *add_row(hunt_t *hunt, apr_uint64_t record,
                                   apr_uint64_t line)
{
    dsapi_import_row_t *row;

    if (hunt->report->rows->nelts == DSAPI_IMPORT_ROWS_MAX) {
        hunt->report->more = 1;
        return NULL;
    }
    row = apr_array_push(hunt->report->rows);
    memset(row, 0, sizeof(*row));
    row->record = record;
    row->line = line;
    return row;
}

/* A record of which the values are not even looked at. */
static void add_fault(hunt_t *hunt, const dsapi_csv_record_t *record)
{
    const dsapi_import_t *import = hunt->import;
    apr_pool_t *pool = hunt->result_pool;
    dsapi_import_row_t *row = add_row(hunt, record->number, record->line);

    if (!row) {
        return;
    }
    if (record->fault == DSAPI_CSV_GOOD) {
        row->reason = apr_psprintf(pool, "has %d fields, the header has %d",
                                   record->nfields, import->nfields);
        return;
    }
    row->reason = dsapi_csv_fault_text(record->fault);
    if (record->at < import->nfields) {
        row->column = import->columns[record->at]->name;
    }
    if (row->column && record->at < record->nfields) {
        const dsapi_csv_field_t *field = &record->fields[record->at];

        row->value = dsapi_load_excerpt(field->text, field->len_bytes,
                                        DSAPI_LOAD_EXCERPT_BYTES, pool);
    }
}

/* As text: a type like name may come as JSON. */
static const char constraint_sql[] =
    "SELECT a.attname::text FROM pg_catalog.pg_constraint c "
    "JOIN pg_catalog.pg_class t ON t.oid = c.conrelid "
    "JOIN pg_catalog.pg_namespace s ON s.oid = t.relnamespace, "
    "unnest(c.conkey) WITH ORDINALITY AS k (number, place) "
    "JOIN pg_catalog.pg_attribute a ON a.attnum = k.number "
    "WHERE a.attrelid = c.conrelid AND s.nspname = $1 AND t.relname = $2 "
    "AND c.conname = $3 ORDER BY k.place";

/* The columns of a constraint: all, and which one it is where it is one only.
 * What is in no file is not named. */
static void take_columns(dsapi_import_row_t *row, int *pcolumn,
                         const hunt_t *hunt, const dsapi_rows_t *rows)
{
    const dsapi_import_t *import = hunt->import;

    for (int i = 0; i < dsapi_rows_count(rows); i++) {
        const char *name = dsapi_rows_value(NULL, rows, i, 0);

        for (int j = 0; j < import->ncolumns; j++) {
            if (strcmp(import->columns[j]->sql, name) == 0) {
                const char *column = import->columns[j]->name;

                *pcolumn = row->column ? -1 : j;
                row->column = row->column
                                  ? apr_pstrcat(hunt->result_pool, row->column,
                                                ", ", column, NULL)
                                  : column;
            }
        }
    }
}

static apr_status_t ask_columns(dsapi_import_row_t *row, int *pcolumn,
                                dsapi_err_t **perr, const hunt_t *hunt)
{
    const char *values[] = {hunt->bad.schema, hunt->bad.table,
                            hunt->bad.constraint};
    dsapi_call_t call = {dsapi_sql_literal(constraint_sql, 3, hunt->scratch),
                         NULL, values};
    dsapi_batch_t batch = {&call, 1, 1, dsapi_load_left(hunt->import)};
    dsapi_rows_t *rows;
    apr_status_t rv =
        dsapi_db_run(&rows, perr, hunt->import->db, &batch, hunt->scratch);

    if (rv == APR_SUCCESS) {
        take_columns(row, pcolumn, hunt, rows);
    }
    return rv;
}

/* The record that the last try that failed has found. */
static apr_status_t add_bad(hunt_t *hunt, dsapi_err_t **perr, int i)
{
    const dsapi_import_t *import = hunt->import;
    const entry_t *entry = &hunt->entries[i];
    dsapi_import_row_t *row = add_row(hunt, entry->record, entry->line);
    int column = hunt->bad.column - import->staged;
    apr_status_t rv = APR_SUCCESS;

    if (!row) {
        return rv;
    }
    row->reason =
        dsapi_load_excerpt(hunt->bad.message, strlen(hunt->bad.message),
                           REASON_BYTES, hunt->result_pool);
    row->sqlstate = apr_pstrdup(hunt->result_pool, hunt->bad_state);
    if (column >= 0) {
        row->column = import->columns[column]->name;
    }
    else if (hunt->bad.constraint) {
        rv = ask_columns(row, &column, perr, hunt);
    }
    if (column >= 0) {
        const char *line =
            hunt->data->data + (i > 0 ? hunt->entries[i - 1].end : 0);
        apr_size_t len;
        const char *value = dsapi_csv_copy_get(
            &len, line, column + import->staged, hunt->scratch);

        row->value =
            value ? dsapi_load_excerpt(value, len, DSAPI_LOAD_EXCERPT_BYTES,
                                       hunt->result_pool)
                  : NULL;
    }
    return rv;
}

/* --- trying --- */

static apr_status_t give(const char **pdata, apr_size_t *plen, void *baton)
{
    hunt_t *hunt = baton;
    apr_size_t start = hunt->from > 0 ? hunt->entries[hunt->from - 1].end : 0;

    if (hunt->given) {
        return APR_EOF;
    }
    hunt->given = 1;
    *pdata = hunt->data->data + start;
    *plen = hunt->entries[hunt->to - 1].end - start;
    return APR_SUCCESS;
}

/* Try to store records from..to-1.
 * @return APR_SUCCESS: they are; DSAPI_EUNPROC: they cannot be (hunt->bad);
 *         else the fault is none of theirs */
static apr_status_t try(hunt_t *hunt, dsapi_err_t **perr)
{
    dsapi_import_t *import = hunt->import;
    apr_pool_t *pool = hunt->scratch;
    dsapi_copy_end_t end;
    dsapi_err_t *err;
    apr_status_t rv;

    apr_pool_clear(pool);
    hunt->given = 0;
    rv = dsapi_load_store(&end, perr, import, 1, give, hunt, pool);
    if (rv == APR_SUCCESS) {
        return dsapi_load_run(&end, perr, import, DSAPI_LOAD_KEEP, pool);
    }
    if (!end.of_row) {
        return rv;
    }
    hunt->bad = end;
    hunt->bad_state = (*perr)->sqlstate;
    if (!hunt->bad.message) {
        hunt->bad.message = (*perr)->detail;
    }
    hunt->scratch = hunt->bad_pool;
    hunt->bad_pool = pool;
    apr_pool_clear(hunt->scratch);
    *perr = NULL;
    rv = dsapi_load_run(&end, &err, import, DSAPI_LOAD_UNDO, hunt->scratch);
    *perr = err;
    return rv == APR_SUCCESS ? DSAPI_EUNPROC : rv;
}

/* Store as many records from hunt->from on as can be, and name the one behind
 * them that cannot: the first, since what PostgreSQL complains of first may
 * stand behind it. hunt->from is what comes then. */
static apr_status_t try_some(hunt_t *hunt, dsapi_err_t **perr)
{
    int n = hunt->count - hunt->from;
    int named = 0; /* the record behind the n is the bad one */

    n = n < hunt->size ? n : hunt->size;
    while (n > 0) {
        apr_status_t rv;

        hunt->to = hunt->from + n;
        rv = try(hunt, perr);
        if (rv == APR_SUCCESS) {
            break;
        }
        if (rv != DSAPI_EUNPROC) {
            return rv;
        }
        named =
            n == 1 || (hunt->bad.line > 0 && hunt->bad.line <= (apr_uint64_t)n);
        if (n == 1) {
            n = 0;
        }
        else {
            n = named ? (int)hunt->bad.line - 1 : n / 2;
        }
        hunt->size = n > 0 ? n : 1;
    }
    hunt->from += n;
    if (named) {
        return add_bad(hunt, perr, hunt->from++);
    }
    hunt->size = hunt->size < TRY_ROWS / 2 ? hunt->size * 2 : TRY_ROWS;
    return APR_SUCCESS;
}

/* Try all that have been collected. */
static apr_status_t try_all(hunt_t *hunt, dsapi_err_t **perr)
{
    apr_status_t rv = APR_SUCCESS;

    hunt->from = 0;
    while (rv == APR_SUCCESS && hunt->from < hunt->count &&
           !hunt->report->more) {
        rv = try_some(hunt, perr);
    }
    hunt->count = 0;
    hunt->data->len_bytes = 0;
    return rv;
}

/* Collect a record. @return 1: it is time to try them */
static int collect(hunt_t *hunt, const dsapi_csv_record_t *record)
{
    entry_t *entry = &hunt->entries[hunt->count++];

    dsapi_load_put(hunt->data, hunt->import, record);
    entry->record = record->number;
    entry->line = record->line;
    entry->end = hunt->data->len_bytes;
    return hunt->count == TRY_ROWS || hunt->data->len_bytes >= TRY_BYTES;
}

static apr_status_t go_through(hunt_t *hunt, dsapi_err_t **perr)
{
    dsapi_import_t *import = hunt->import;
    const dsapi_csv_record_t *record;
    apr_status_t rv = APR_SUCCESS;
    apr_status_t read = APR_SUCCESS;

    while (rv == APR_SUCCESS && read == APR_SUCCESS && !hunt->report->more) {
        int whole;

        read = dsapi_csv_read(&record, import->reader);
        whole = read == APR_SUCCESS && dsapi_load_is_whole(import, record);
        if (!whole || collect(hunt, record)) {
            rv = try_all(hunt, perr);
        }
        if (rv == APR_SUCCESS && read == APR_SUCCESS && !whole) {
            add_fault(hunt, record);
        }
    }
    if (rv == APR_SUCCESS && read != APR_SUCCESS && read != APR_EOF) {
        rv = dsapi_load_unreadable(perr, read, hunt->result_pool);
    }
    return rv;
}

apr_status_t dsapi_csv_refuse(dsapi_import_report_t *report, dsapi_err_t **perr,
                              dsapi_import_t *import, apr_pool_t *pool)
{
    hunt_t hunt;
    dsapi_copy_end_t end;
    apr_status_t rv;

    *perr = NULL;
    memset(&hunt, 0, sizeof(hunt));
    hunt.import = import;
    hunt.report = report;
    hunt.result_pool = pool;
    hunt.data = dsapi_buf_make(TRY_BYTES, pool);
    hunt.entries = apr_palloc(pool, sizeof(entry_t) * TRY_ROWS);
    hunt.size = TRY_ROWS;
    apr_pool_create(&hunt.scratch, pool);
    apr_pool_tag(hunt.scratch, "dsapi_csv_try");
    apr_pool_create(&hunt.bad_pool, pool);
    apr_pool_tag(hunt.bad_pool, "dsapi_csv_bad");
    rv = dsapi_load_begin(perr, import, 0, pool);
    if (rv == APR_SUCCESS) { /* of each record its own error, then */
        rv = dsapi_load_run(&end, perr, import, "SET CONSTRAINTS ALL IMMEDIATE",
                            pool);
    }
    if (rv == APR_SUCCESS) {
        rv = dsapi_load_rewind(import, perr, pool);
    }
    return rv == APR_SUCCESS ? go_through(&hunt, perr) : rv;
}
