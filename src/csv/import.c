/* CSV into a table: see import.h. */
#include "csv/import.h"

#include <apr_strings.h>
#include <string.h>

#include "csv/load.h"
#include "csv/refuse.h"
#include "db/again.h"

/* What is given to COPY at once; a longer record is given whole. */
#define PIECE_BYTES ((apr_size_t)64 * 1024)

/* The column of the temporary table that has the record's number. */
#define NUMBER "dsapi record"

static apr_status_t read_spool(void *baton, char *to, apr_size_t *size)
{
    return apr_file_read(baton, to, size);
}

/* --- the header --- */

static int is_name(const char *name, const dsapi_csv_field_t *field)
{
    return field->text && strlen(name) == field->len_bytes &&
           memcmp(name, field->text, field->len_bytes) == 0;
}

/* By the client's name, or else by SQL's. */
static const dsapi_import_column_t *find_column(const dsapi_import_spec_t *spec,
                                                const dsapi_csv_field_t *field)
{
    for (int i = 0; i < spec->ncolumns; i++) {
        if (is_name(spec->columns[i].name, field)) {
            return &spec->columns[i];
        }
    }
    for (int i = 0; i < spec->ncolumns; i++) {
        if (is_name(spec->columns[i].sql, field)) {
            return &spec->columns[i];
        }
    }
    return NULL;
}

static int is_taken(const dsapi_import_t *import,
                    const dsapi_import_column_t *column)
{
    for (int i = 0; i < import->ncolumns; i++) {
        if (import->columns[i] == column) {
            return 1;
        }
    }
    return 0;
}

static void take_column(dsapi_import_t *import, dsapi_err_t **perr,
                        const dsapi_csv_record_t *header, int i)
{
    const dsapi_csv_field_t *field = &header->fields[i];
    const dsapi_import_column_t *column = find_column(import->spec, field);
    apr_pool_t *pool = import->pool;

    if (field->len_bytes == 0) {
        dsapi_fail_field(perr, pool, "body", "",
                         "column %d of the header has no name", i + 1);
    }
    else if (!column) {
        dsapi_fail_field(perr, pool, "body",
                         dsapi_load_excerpt(field->text, field->len_bytes,
                                            DSAPI_LOAD_EXCERPT_BYTES, pool),
                         "is no column that can be written");
    }
    else if (is_taken(import, column)) {
        dsapi_fail_field(perr, pool, "body", column->name,
                         "is in the header twice");
    }
    else {
        import->columns[import->ncolumns++] = column;
    }
}

/* What the header does not have. */
static void take_missing(dsapi_import_t *import, dsapi_err_t **perr)
{
    const dsapi_import_spec_t *spec = import->spec;

    for (int i = 0; i < spec->ncolumns; i++) {
        const dsapi_import_column_t *column = &spec->columns[i];

        if (is_taken(import, column)) {
            continue;
        }
        if (column->required) {
            dsapi_fail_field(perr, import->pool, "body", column->name,
                             "is needed, and not in the header");
        }
        else if (column->null) {
            import->columns[import->ncolumns++] = column;
        }
    }
}

static void take_names(dsapi_import_t *import)
{
    import->names =
        apr_palloc(import->pool,
                   sizeof(*import->names) * (apr_size_t)(import->ncolumns + 1));
    import->names[0] = NUMBER;
    for (int i = 0; i < import->ncolumns; i++) {
        import->names[i + 1] = import->columns[i]->sql;
    }
}

static apr_status_t take_header(dsapi_import_t *import, dsapi_err_t **perr,
                                const dsapi_csv_record_t *header)
{
    apr_size_t n =
        (apr_size_t)header->nfields + (apr_size_t)import->spec->ncolumns;

    if (header->fault != DSAPI_CSV_GOOD) {
        return dsapi_fail_field(perr, import->pool, "body", "",
                                "field %d of the header %s", header->at + 1,
                                dsapi_csv_fault_text(header->fault));
    }
    import->header = *header;
    import->nfields = header->nfields;
    import->columns = (const dsapi_import_column_t **)apr_palloc(
        import->pool, sizeof(void *) * n);
    for (int i = 0; i < header->nfields; i++) {
        take_column(import, perr, header, i);
    }
    take_missing(import, perr);
    if (*perr) {
        return (*perr)->rv;
    }
    take_names(import);
    return APR_SUCCESS;
}

apr_status_t dsapi_import_open(dsapi_import_t **pimport, dsapi_err_t **perr,
                               const dsapi_import_spec_t *spec,
                               apr_file_t *spool, apr_pool_t *pool)
{
    dsapi_import_t *import = apr_pcalloc(pool, sizeof(*import));
    const dsapi_csv_record_t *header;
    apr_status_t rv;

    *pimport = NULL;
    *perr = NULL;
    import->spec = spec;
    import->spool = spool;
    import->pool = pool;
    import->staged = spec->is_view || spec->mode != DSAPI_IMPORT_INSERT ||
                     spec->show != NULL;
    import->shown = NULL;
    import->reader =
        dsapi_csv_reader_make(spec->delimiter, read_spool, spool, pool);
    rv = dsapi_csv_read(&header, import->reader);
    if (rv == APR_EOF) {
        return dsapi_fail_field(perr, pool, "body", "",
                                "there is no header, which names the columns");
    }
    if (rv != APR_SUCCESS) {
        return dsapi_load_unreadable(perr, rv, pool);
    }
    rv = take_header(import, perr, header);
    *pimport = rv == APR_SUCCESS ? import : NULL;
    return rv;
}

/* --- the records --- */

/* Records on their way to COPY. */
typedef struct stream_t {
    dsapi_import_t *import;
    dsapi_buf_t *piece;
    apr_int64_t records;
} stream_t;

/* @return as dsapi_copy_fn; DSAPI_EUNPROC: a record is not as it has to be */
static apr_status_t next_piece(const char **pdata, apr_size_t *plen,
                               void *baton)
{
    stream_t *stream = baton;
    dsapi_buf_t *piece = stream->piece;
    const dsapi_csv_record_t *record;
    apr_status_t rv = APR_SUCCESS;

    piece->len_bytes = 0;
    while (piece->len_bytes < PIECE_BYTES) {
        rv = dsapi_csv_read(&record, stream->import->reader);
        if (rv != APR_SUCCESS) {
            break;
        }
        if (!dsapi_load_is_whole(stream->import, record)) {
            return DSAPI_EUNPROC;
        }
        dsapi_load_put(piece, stream->import, record);
        stream->records++;
    }
    *pdata = piece->data;
    *plen = piece->len_bytes;
    return rv == APR_EOF && *plen > 0 ? APR_SUCCESS : rv;
}

/* Finds out whether all rows were there before: only a merge knows. */
static apr_status_t count_changed(dsapi_import_report_t *report,
                                  dsapi_err_t **perr,
                                  const dsapi_import_t *import,
                                  apr_pool_t *pool)
{
    dsapi_copy_end_t end;
    const char *sql =
        apr_psprintf(pool, "SELECT WHERE %s = '%" APR_INT64_T_FMT "'",
                     DSAPI_LOAD_CHANGED, report->stored);
    apr_status_t rv;

    report->none_new = 0;
    if (import->spec->mode != DSAPI_IMPORT_MERGE) {
        return APR_SUCCESS;
    }
    rv = dsapi_load_run(&end, perr, import, sql, pool);
    report->none_new = rv == APR_SUCCESS && end.affected == 1;
    return rv;
}

/* Ends the transaction in which all records were stored. */
static apr_status_t commit(dsapi_copy_end_t *end, dsapi_err_t **perr,
                           const dsapi_import_t *import, apr_pool_t *pool)
{
    const dsapi_import_spec_t *spec = import->spec;
    apr_status_t rv = dsapi_load_run(end, perr, import,
                                     "SET CONSTRAINTS ALL IMMEDIATE", pool);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    return spec->commit
               ? spec->commit(perr, spec->baton, import->db)
               : dsapi_load_run(end, perr, import,
                                spec->rollback ? "ROLLBACK" : "COMMIT", pool);
}

/* One transaction from its beginning to its end, unless there is nothing to be
 * stored.
 * @param end  out: how it went, where the error is the server's */
static apr_status_t store(dsapi_import_report_t *report, dsapi_copy_end_t *end,
                          dsapi_err_t **perr, dsapi_import_t *import,
                          apr_pool_t *pool)
{
    const dsapi_import_spec_t *spec = import->spec;
    stream_t stream = {import, dsapi_buf_make(PIECE_BYTES, pool), 0};
    apr_status_t rv = APR_SUCCESS;
    int done = 0;

    memset(end, 0, sizeof(*end));
    if (spec->begin) {
        rv = spec->begin(&done, perr, spec->baton, import->db);
    }
    if (rv != APR_SUCCESS || done) {
        return rv;
    }
    rv = dsapi_load_begin(perr, import, spec->begin != NULL, pool);
    if (rv == APR_SUCCESS) {
        rv = dsapi_load_rewind(import, perr, pool);
    }
    if (rv != APR_SUCCESS) {
        return rv;
    }
    rv = dsapi_load_store(end, perr, import, 0, next_piece, &stream, pool);
    if (rv != APR_SUCCESS) {
        return *perr || rv == DSAPI_EUNPROC
                   ? rv
                   : dsapi_load_unreadable(perr, rv, pool);
    }
    report->records = stream.records;
    report->stored = end->affected;
    rv = count_changed(report, perr, import, pool);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    report->shown = import->shown;
    return commit(end, perr, import, pool);
}

/* End the transaction, if there is one, and keep nothing. Where that cannot be
 * said to the server, the connection is broken. @return as dsapi_db_copy */
static apr_status_t roll_back(dsapi_err_t **perr, const dsapi_import_t *import,
                              apr_pool_t *pool)
{
    dsapi_copy_end_t end;
    apr_status_t rv = APR_SUCCESS;

    *perr = NULL;
    if (!dsapi_db_idle(import->db)) {
        rv = dsapi_load_run(&end, perr, import, "ROLLBACK", pool);
    }
    if (rv != APR_SUCCESS) {
        dsapi_db_break(import->db);
    }
    return rv;
}

/* PostgreSQL has no COPY into this: row-level security, or a view. */
static int needs_stage(const dsapi_import_t *import, const dsapi_err_t *err)
{
    return !import->staged && err && err->sqlstate &&
           (strcmp(err->sqlstate, "0A000") == 0 ||
            strcmp(err->sqlstate, "42809") == 0);
}

/* Store the file, as often as it takes. */
static apr_status_t store_again(dsapi_import_report_t *report,
                                dsapi_copy_end_t *end, dsapi_err_t **perr,
                                dsapi_import_t *import, apr_pool_t *pool)
{
    int runs = 0;

    for (;;) {
        apr_status_t rv = store(report, end, perr, import, pool);
        dsapi_err_t *err;

        if (rv == APR_SUCCESS) {
            roll_back(&err, import, pool); /* where nothing was to be stored */
            return rv;
        }
        report->records = report->stored = 0;
        report->shown = NULL;
        if (roll_back(&err, import, pool) != APR_SUCCESS) {
            *perr = *perr ? *perr : err;
            return (*perr)->rv;
        }
        if (needs_stage(import, *perr)) {
            import->staged = 1;
        }
        else if (!*perr || !dsapi_db_conflict(*perr) ||
                 !dsapi_db_again(import->db, ++runs, import->until)) {
            return rv;
        }
    }
}

/* The first row in words, and how many there are. */
static apr_status_t fail_rows(dsapi_err_t **perr,
                              const dsapi_import_report_t *report,
                              apr_pool_t *pool)
{
    const dsapi_import_row_t *row =
        &APR_ARRAY_IDX(report->rows, 0, dsapi_import_row_t);
    int n = report->rows->nelts;

    dsapi_fail(perr, pool, DSAPI_EUNPROC, "records-refused",
               "nothing was stored: %s%d record%s refused, the first in line "
               "%" APR_UINT64_T_FMT "%s%s%s: %s",
               report->more ? "more than " : "", n, n == 1 ? " is" : "s are",
               row->line, row->column ? ", '" : "",
               row->column ? row->column : "", row->column ? "'" : "",
               row->reason);
    (*perr)->internal =
        apr_psprintf(pool,
                     "%s%d records refused, the first in line "
                     "%" APR_UINT64_T_FMT,
                     report->more ? "more than " : "", n, row->line);
    return DSAPI_EUNPROC;
}

apr_status_t dsapi_import_run(dsapi_import_report_t *report, dsapi_err_t **perr,
                              dsapi_import_t *import, dsapi_db_t *db,
                              apr_time_t until, apr_pool_t *pool)
{
    dsapi_copy_end_t end;
    dsapi_err_t *err;
    dsapi_err_t *ended;
    apr_status_t rv;
    apr_status_t found;

    memset(report, 0, sizeof(*report));
    report->rows = apr_array_make(pool, 0, sizeof(dsapi_import_row_t));
    *perr = NULL;
    import->db = db;
    import->until = until;
    rv = store_again(report, &end, perr, import, pool);
    if (rv == APR_SUCCESS || !dsapi_db_idle(db) || (*perr && !end.of_row)) {
        return rv;
    }
    found = dsapi_csv_refuse(report, &err, import, pool);
    roll_back(&ended, import, pool);
    if (found != APR_SUCCESS) {
        report->rows->nelts = 0;
        *perr = err;
        return found;
    }
    return report->rows->nelts > 0 ? fail_rows(perr, report, pool) : rv;
}
