/*
 * Rows as they go out: a JSON array, CSV (RFC 4180, with a header line), or
 * NDJSON (one object a line). Rows may come in any number of portions.
 */
#ifndef DSAPI_ROUTE_TABLE_H
#define DSAPI_ROUTE_TABLE_H

#include <apr_pools.h>

#include "base/error.h"
#include "db/db.h"
#include "json/buf.h"
#include "route/accept.h"

typedef struct dsapi_table_t dsapi_table_t;

/**
 * Begin a table.
 * @param buf  what is written to; the caller may empty it between portions
 * @return the table, in pool
 */
dsapi_table_t *dsapi_route_table_make(dsapi_format_e format, dsapi_buf_t *buf,
                                      apr_pool_t *pool);

/** Have every column be one of the table's by its own name, dots or not (see
 *  dsapi_route_plan_flat). Before the first rows.
 *  @param stripped  of JSON, members that are null are left out */
void dsapi_route_table_flat(dsapi_table_t *table, int stripped);

/**
 * Append rows. Columns named "@..." are left out. In CSV a name with dots is
 * the column's name, NULL an empty field, a boolean true or false, a
 * timestamp ISO 8601, an array, a row and a JSON value its JSON.
 * @param perr    out: error, in the table's pool
 * @param rows    of the same columns each time
 * @param nrows   how many of them, from the first
 * @return APR_SUCCESS; DSAPI_EINTERNAL: see dsapi_route_plan
 */
apr_status_t dsapi_route_table_rows(dsapi_table_t *table, dsapi_err_t **perr,
                                    const dsapi_rows_t *rows, int nrows);

/** End the table. dsapi_route_table_rows was called once at least. */
void dsapi_route_table_end(dsapi_table_t *table);

/** What writing a cell needs for a moment. */
typedef struct dsapi_cell_space_t {
    dsapi_buf_t *json;
    apr_pool_t *scratch;
} dsapi_cell_space_t;

/** Make it, in pool. */
void dsapi_route_cell_space(dsapi_cell_space_t *space, apr_pool_t *pool);

/**
 * Append a value as CSV shows it: what JSON shows, without the quotes of a
 * string. Of those only a timestamp's, and one that PostgreSQL made, differ
 * from the text that PostgreSQL printed.
 * @param type  OID, or DSAPI_OID_MADE
 * @param text  as PostgreSQL printed it; NULL: SQL NULL
 */
void dsapi_route_put_cell(dsapi_buf_t *buf, dsapi_cell_space_t *space,
                          unsigned type, const char *text,
                          apr_size_t len_bytes);

/** @return the media type of a format, static */
const char *dsapi_route_table_type(dsapi_format_e format);

#endif
