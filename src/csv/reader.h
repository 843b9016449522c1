/*
 * Reading CSV (RFC 4180), strictly and in bounded memory: what is doubtful is
 * refused, never guessed.
 *
 * - A record ends with CRLF or LF, or where the data ends. A CR alone is
 *   data within quotes, and refused outside of them.
 * - A field that begins with a quote ends with one; a quote elsewhere in an
 *   unquoted field is an ordinary character, and so are blanks.
 * - An unquoted empty field is NULL, "" the empty string.
 * - A blank line is no record, unless records have one field: there it is a
 *   NULL, as the writer writes one. Before the first record (the header) blank
 *   lines are passed over.
 * - A byte order mark of UTF-8 at the beginning belongs to nothing; UTF-16 is
 *   refused. Text is UTF-8 without NUL.
 */
#ifndef DSAPI_CSV_READER_H
#define DSAPI_CSV_READER_H

#include <apr_pools.h>

/** The most bytes that a record may have. */
#define DSAPI_CSV_RECORD_MAX_BYTES ((apr_size_t)8 * 1024 * 1024)

/** The most fields that a record may have: a table has up to 1,600 columns. */
#define DSAPI_CSV_FIELDS_MAX 1664

typedef struct dsapi_csv_reader_t dsapi_csv_reader_t;

/** One field; it need not end in NUL. */
typedef struct dsapi_csv_field_t {
    const char *text; /* NULL: unquoted and empty */
    apr_size_t len_bytes;
} dsapi_csv_field_t;

/** What is wrong with a record. */
typedef enum dsapi_csv_fault_t {
    DSAPI_CSV_GOOD,
    DSAPI_CSV_UTF8,  /* text that is not UTF-8 */
    DSAPI_CSV_NUL,   /* a NUL byte */
    DSAPI_CSV_AFTER, /* text after a closing quote */
    DSAPI_CSV_OPEN,  /* a quote that is never closed */
    DSAPI_CSV_CR,    /* a CR without LF, outside of quotes */
    DSAPI_CSV_LONG,  /* more than DSAPI_CSV_RECORD_MAX_BYTES */
    DSAPI_CSV_MANY,  /* more than DSAPI_CSV_FIELDS_MAX fields */
    DSAPI_CSV_UTF16  /* the mark of UTF-16 at the beginning */
} dsapi_csv_fault_t;

/** A record, or what stands in its place. */
typedef struct dsapi_csv_record_t {
    apr_uint64_t number; /* 0: the header; then from 1 */
    apr_uint64_t line;   /* the line that it begins on, from 1 */
    apr_off_t offset;    /* bytes before it */
    const dsapi_csv_field_t *fields;
    int nfields;
    dsapi_csv_fault_t fault;
    int at; /* the field of the fault, from 0 */
} dsapi_csv_record_t;

/**
 * Where bytes come from.
 * @param size  in: how many are wanted, at least one; out: how many there are
 * @return APR_SUCCESS; APR_EOF: no more (size is 0); else an error, which
 *         dsapi_csv_read passes on
 */
typedef apr_status_t (*dsapi_csv_source_t)(void *baton, char *to,
                                           apr_size_t *size);

/** @return 1: a text can be a delimiter: one character of ASCII, which is not
 *  '"', CR or LF */
int dsapi_csv_is_delimiter(const char *text);

/**
 * Make a reader. It uses memory for the longest record so far, and 64 KiB.
 * @param delimiter  what stands between fields (dsapi_csv_is_delimiter)
 * @param source     called by dsapi_csv_read
 * @param pool       owns the reader
 */
dsapi_csv_reader_t *dsapi_csv_reader_make(char delimiter,
                                          dsapi_csv_source_t source,
                                          void *baton, apr_pool_t *pool);

/**
 * Go on at the beginning of a record that was read before. The caller makes
 * the source go on there.
 */
void dsapi_csv_reader_resume(dsapi_csv_reader_t *reader,
                             const dsapi_csv_record_t *record);

/**
 * Read the next record.
 * @param precord  out: the record; it and its fields are the reader's until
 *                 the next call. Where fault is DSAPI_CSV_UTF8 or _NUL, the
 *                 fields are there and reading goes on; any other fault has no
 *                 fields and is the end: what follows cannot be told apart
 * @return APR_SUCCESS; APR_EOF: no more records; the source's own error
 */
apr_status_t dsapi_csv_read(const dsapi_csv_record_t **precord,
                            dsapi_csv_reader_t *reader);

/**
 * Say what a fault is, to follow the field's name or to stand alone.
 * @return a literal: "is not valid UTF-8"; NULL: none
 */
const char *dsapi_csv_fault_text(dsapi_csv_fault_t fault);

#endif
