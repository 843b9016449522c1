/*
 * What the files of an import share: its columns, its SQL and its transaction.
 */
#ifndef DSAPI_CSV_LOAD_H
#define DSAPI_CSV_LOAD_H

#include "csv/import.h"
#include "db/copy.h"
#include "json/buf.h"

struct dsapi_import_t {
    const dsapi_import_spec_t *spec;
    apr_file_t *spool;
    dsapi_csv_reader_t *reader;
    dsapi_csv_record_t header; /* its place; its fields are gone */
    int nfields;               /* of the header, and of each record */
    const dsapi_import_column_t **columns; /* of the fields; then those that
                                              are NULL */
    int ncolumns;
    const char **names; /* SQL's: of the record's number; then of columns */
    int staged;         /* by way of the temporary table, which has the number
                           as well */
    dsapi_db_t *db;
    apr_time_t until;
    dsapi_rows_t *shown; /* of the last run; NULL: none */
    apr_pool_t *pool;
};

/** How much of a client's text is told. */
#define DSAPI_LOAD_EXCERPT_BYTES 100

/** Append a record as COPY reads it. */
void dsapi_load_put(dsapi_buf_t *buf, const dsapi_import_t *import,
                    const dsapi_csv_record_t *record);

/** @return 1: a record is as it has to be, but for its values */
int dsapi_load_is_whole(const dsapi_import_t *import,
                        const dsapi_csv_record_t *record);

/** Go back to before the first record.
 *  @return APR_SUCCESS; DSAPI_EINTERNAL */
apr_status_t dsapi_load_rewind(dsapi_import_t *import, dsapi_err_t **perr,
                               apr_pool_t *pool);

/** What an error in reading the file is to everybody else.
 *  @return DSAPI_EINTERNAL */
apr_status_t dsapi_load_unreadable(dsapi_err_t **perr, apr_status_t rv,
                                   apr_pool_t *pool);

/** @return the time that is left, at least a moment; 0: any */
apr_interval_time_t dsapi_load_left(const dsapi_import_t *import);

/** Begin the transaction, with all that has to be before the first record.
 *  @param begun  1: BEGIN has been said
 *  @return as dsapi_db_run */
apr_status_t dsapi_load_begin(dsapi_err_t **perr, const dsapi_import_t *import,
                              int begun, apr_pool_t *pool);

/** Run SQL in it. @return as dsapi_db_copy */
apr_status_t dsapi_load_run(dsapi_copy_end_t *pend, dsapi_err_t **perr,
                            const dsapi_import_t *import, const char *sql,
                            apr_pool_t *pool);

/**
 * Store records.
 * @param import  in/out: shown
 * @param apart   1: so that it can be undone by itself; end it by one of the
 *                two below. Nothing is shown then
 * @param source  of what dsapi_load_put has made
 * @return as dsapi_db_copy
 */
apr_status_t dsapi_load_store(dsapi_copy_end_t *pend, dsapi_err_t **perr,
                              dsapi_import_t *import, int apart,
                              dsapi_copy_fn source, void *baton,
                              apr_pool_t *pool);

/** A setting of the transaction: how many rows DSAPI_IMPORT_MERGE has changed,
 *  and not made. */
#define DSAPI_LOAD_CHANGED                                     \
    "coalesce(nullif(current_setting('dsapi_import.changed', " \
    "true), ''), '0')"

/** SQL behind what was stored apart. */
#define DSAPI_LOAD_KEEP "RELEASE SAVEPOINT dsapi"
#define DSAPI_LOAD_UNDO "ROLLBACK TO SAVEPOINT dsapi; " DSAPI_LOAD_KEEP

/** @return text that may be any bytes as UTF-8, cut after some max_bytes */
const char *dsapi_load_excerpt(const char *text, apr_size_t len_bytes,
                               apr_size_t max_bytes, apr_pool_t *pool);

#endif
