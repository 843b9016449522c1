/*
 * CSV into a table: all records or none, in one transaction, in bounded memory
 * whatever their number.
 *
 * The file goes straight into COPY. Only where that fails it is read again, to
 * find out which records are refused: what can be stored is, up to the first
 * that cannot, and so on behind that; then all is rolled back. Where an error
 * names no line (foreign keys are checked when a statement ends), it is looked
 * for by halves. Records that are refused near each other are looked for among
 * fewer at a time, so that the work is about twice that of storing the file. A
 * record that refers to a later one of the same file is taken for refused
 * there, where another is.
 *
 * Records go through a temporary table, by way of INSERT, where conflicts are
 * to be resolved, and where PostgreSQL has no COPY into the table: with
 * row-level security, into a view. Then the role has to be allowed to read the
 * columns, and to create temporary tables.
 */
#ifndef DSAPI_CSV_IMPORT_H
#define DSAPI_CSV_IMPORT_H

#include <apr_file_io.h>

#include "csv/reader.h"
#include "db/db.h"

/** So many refused records are named. */
#define DSAPI_IMPORT_ROWS_MAX 100

/** A column that a file may have. */
typedef struct dsapi_import_column_t {
    const char *name; /* in the header, and for clients */
    const char *sql;  /* in the table, not quoted; it may be in the header, too,
                         where it is no other column's name */
    int required;     /* it has to be in the header */
    int null;         /* NULL where it is not, in place of its default */
} dsapi_import_column_t;

/** What becomes of a record whose key is in the table. */
typedef enum dsapi_import_mode_t {
    DSAPI_IMPORT_INSERT, /* it is refused */
    DSAPI_IMPORT_MERGE,  /* the row gets its values; of several records with the
                            same key in the file the last one counts */
    DSAPI_IMPORT_IGNORE  /* nothing; of several the first one counts */
} dsapi_import_mode_t;

/** Makes a statement of one that inserts, as "t0", which shows the rows.
 *  @param pcall  out: in pool */
typedef void (*dsapi_import_show_fn)(dsapi_call_t *pcall, void *baton,
                                     const char *insert, apr_pool_t *pool);

/** Begins the transaction in which the file is stored; where it fails, or
 *  nothing is to be stored, it is rolled back.
 *  @param pdone  out: 1: nothing is to be stored
 *  @param perr   out: NULL on success
 *  @return APR_SUCCESS; any other is what dsapi_import_run returns */
typedef apr_status_t (*dsapi_import_begin_fn)(int *pdone, dsapi_err_t **perr,
                                              void *baton, dsapi_db_t *db);

/** Commits it; constraints have been checked, and the report is complete.
 *  @param perr  out: NULL on success
 *  @return APR_SUCCESS; as dsapi_db_run */
typedef apr_status_t (*dsapi_import_commit_fn)(dsapi_err_t **perr, void *baton,
                                               dsapi_db_t *db);

/** What is to be done with a file. Borrowed until it has been. */
typedef struct dsapi_import_spec_t {
    const char *schema; /* not quoted */
    const char *table;  /* not quoted; or a view */
    int is_view;        /* it is one: COPY would take all and then refuse it */
    const dsapi_import_column_t *columns;
    int ncolumns;
    char delimiter;
    dsapi_import_mode_t mode;
    const char *const *keys;   /* SQL's names of the columns of the key, not
                                  quoted; of DSAPI_IMPORT_INSERT none */
    int nkeys;                 /* 0: any key, for DSAPI_IMPORT_IGNORE only */
    const dsapi_call_t *setup; /* run first in each transaction: settings, but
                                  no statement_timeout: it would count our
                                  reading */
    int nsetup;
    int rollback;              /* keep nothing */
    dsapi_import_show_fn show; /* all rows are shown, and held in memory; NULL:
                                  none */
    dsapi_import_begin_fn begin;   /* instead of BEGIN; NULL: that */
    dsapi_import_commit_fn commit; /* instead of COMMIT; NULL: that. Not with
                                      rollback */
    void *baton;                   /* of these */
} dsapi_import_spec_t;

/** A record that is refused. Strings are UTF-8. */
typedef struct dsapi_import_row_t {
    apr_uint64_t record;  /* from 1, the header not counted */
    apr_uint64_t line;    /* that it begins on; the header's is usually 1 */
    const char *column;   /* the client's name, or several with commas between;
                             NULL: of the record, or not known */
    const char *value;    /* an excerpt of the column's; NULL: SQL NULL, or
                             column is not one */
    const char *reason;   /* "is not valid UTF-8"; PostgreSQL's message */
    const char *sqlstate; /* NULL: found by us */
} dsapi_import_row_t;

/** What has become of a file. */
typedef struct dsapi_import_report_t {
    apr_int64_t records;      /* in the file; of one that is refused 0 */
    apr_int64_t stored;       /* rows that were inserted or changed */
    int none_new;             /* DSAPI_IMPORT_MERGE: all those were there */
    apr_array_header_t *rows; /* of dsapi_import_row_t, in the file's order:
                                 refused; none where something was stored */
    int more;                 /* others are refused, too */
    dsapi_rows_t *shown;      /* what show's statement gave; NULL: none */
} dsapi_import_report_t;

typedef struct dsapi_import_t dsapi_import_t;

/**
 * Read a file's header. No database is needed.
 * @param pimport  out: in pool; NULL on error
 * @param perr     out: in pool: what is wrong, each with the column's name
 * @param spec     borrowed by the import
 * @param spool    open for reading, at the file's beginning; borrowed by the
 *                 import, which moves in it
 * @return APR_SUCCESS; DSAPI_EPARAM: there is no header, or columns in it are
 *         unknown, without a name or there twice, or required ones missing;
 *         DSAPI_EINTERNAL: it could not be read
 */
apr_status_t dsapi_import_open(dsapi_import_t **pimport, dsapi_err_t **perr,
                               const dsapi_import_spec_t *spec,
                               apr_file_t *spool, apr_pool_t *pool);

/**
 * Store the file's records. Again only where nothing has happened, since there
 * was no connection.
 *
 * What PostgreSQL has undone because others were in the way is run again, as
 * dsapi_db_run does.
 *
 * @param report  out: in pool
 * @param perr    out: in pool; NULL on success
 * @param db      idle, or dead: it is reset then. Afterwards it is idle, or
 *                broken
 * @param until   then the connection is broken; 0: never
 * @return APR_SUCCESS; DSAPI_EUNPROC: report->rows are refused, and nothing
 *         stored; as dsapi_db_error, where the fault is no record's, or its
 *         record cannot be found; DSAPI_ETIMEOUT; DSAPI_EINTERNAL: the file
 *         could not be read
 */
apr_status_t dsapi_import_run(dsapi_import_report_t *report, dsapi_err_t **perr,
                              dsapi_import_t *import, dsapi_db_t *db,
                              apr_time_t until, apr_pool_t *pool);

#endif
