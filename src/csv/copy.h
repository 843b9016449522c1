/*
 * Records as PostgreSQL's COPY reads them in its text format: fields with tabs
 * between, \N for NULL, one line a record. Its CSV format has rules of its own
 * (a line with \. alone is the end, all lines end alike), so that is not used.
 */
#ifndef DSAPI_CSV_COPY_H
#define DSAPI_CSV_COPY_H

#include "json/buf.h"

/**
 * Append one field. The caller puts a tab between two and ends the line with
 * LF.
 * @param text  NULL: SQL NULL; else len_bytes of UTF-8 without NUL
 */
void dsapi_csv_copy_put(dsapi_buf_t *buf, const char *text,
                        apr_size_t len_bytes);

/**
 * Take a field out of a line that was made of dsapi_csv_copy_put.
 * @param plen   out: its bytes
 * @param line   ends with LF
 * @param field  which, from 0; the line has it
 * @return its text, in pool, NUL-terminated; NULL: SQL NULL
 */
const char *dsapi_csv_copy_get(apr_size_t *plen, const char *line, int field,
                               apr_pool_t *pool);

#endif
