/*
 * PostgreSQL's binary format of the types that a series is made of (what their
 * send functions write: numbers in network byte order). A series is loaded in
 * it where all of its columns are of these types: numbers need not be printed
 * and read again.
 */
#ifndef DSAPI_SERIES_BINARY_H
#define DSAPI_SERIES_BINARY_H

#include <apr.h>
#include <locale.h>

#include "json/buf.h"

/** @param type  OID
 *  @return 1: it can be read. Not real: its shortest decimal is another
 *  number than the one that is sent. */
int dsapi_series_binary_type(unsigned type);

/**
 * Read a date.
 * @param pday  out: day 0 is 1970-01-01
 * @return 1; 0: it is none of the years 1 to 9999
 */
int dsapi_series_binary_day(apr_int32_t *pday, const char *bytes,
                            apr_size_t len_bytes);

/**
 * Read a number.
 * @param type    of a number
 * @param locale  "C"
 * @param space   overwritten
 * @return the double next to it; NaN: there is none, or it has not its type's
 *         form
 */
double dsapi_series_binary_number(unsigned type, const char *bytes,
                                  apr_size_t len_bytes, locale_t locale,
                                  dsapi_buf_t *space);

/**
 * Write a value as PostgreSQL prints it.
 * @param out   in/out: what it is appended to
 * @param type  that can be read
 */
void dsapi_series_binary_text(dsapi_buf_t *out, unsigned type,
                              const char *bytes, apr_size_t len_bytes);

#endif
