/*
 * A series for tests: rows of text as a query would give them, and the columns
 * day date, id bigint, name text, pop double precision, x and y double
 * precision. Its dimensions are area (id, name, pop) and name (plain), its
 * measures x and y.
 */
#ifndef DSAPI_TESTS_SERIES_H
#define DSAPI_TESTS_SERIES_H

#include "series/columns.h"

#define SERIES_COLUMNS 6

typedef struct series_row_t {
    const char *cells[SERIES_COLUMNS];
} series_row_t;

extern const char *const series_names[SERIES_COLUMNS];
extern const unsigned series_types[SERIES_COLUMNS];

/** The declaration. */
const dsapi_series_t *series_declare_in(apr_pool_t *pool);

/** The declaration, in g_pool. */
const dsapi_series_t *series_declare(void);

/** A dsapi_cell_fn. @param baton  an array of series_row_t */
const char *series_cell(apr_size_t *plen, const void *baton, int row,
                        int column);

/** Columns of rows, in g_pool; NULL: refused, with the reason. */
const dsapi_columns_t *series_load(dsapi_err_t **perr, const series_row_t *rows,
                                   int nrows);

/** As series_load, of rows that must do. */
const dsapi_columns_t *series_of(const series_row_t *rows, int nrows);

#endif
