/*
 * Writing CSV (RFC 4180): comma, CRLF, fields quoted where they have to be.
 * SQL NULL is an empty field, the empty string is "", as in PostgreSQL's COPY.
 */
#ifndef DSAPI_CSV_WRITER_H
#define DSAPI_CSV_WRITER_H

#include "json/buf.h"

/**
 * Append one field. The caller puts the commas and ends the line.
 * @param text  NULL: SQL NULL; else len_bytes of UTF-8
 */
void dsapi_csv_put_field(dsapi_buf_t *buf, const char *text,
                         apr_size_t len_bytes);

/** Append what ends a record. */
void dsapi_csv_end_record(dsapi_buf_t *buf);

#endif
