/*
 * A series in memory: the rows of a query as columns, sorted by day. They are
 * one piece of memory without a pointer in it (an image), so that it can be
 * kept, counted and shared as an answer is; a view gives the columns.
 */
#ifndef DSAPI_SERIES_COLUMNS_H
#define DSAPI_SERIES_COLUMNS_H

#include <apr_pools.h>
#include <apr_tables.h>

#include "base/error.h"
#include "db/db.h"
#include "route/result.h"

/** A dimension: what rows are told apart and grouped by. */
typedef struct dsapi_dimension_t {
    const char *name;
    apr_array_header_t *attributes; /* of dsapi_arg_t: member=column, of which
                                       the first tells members apart and is
                                       what they are ordered by; one without a
                                       key: it is the dimension's value */
} dsapi_dimension_t;

/** What a series is made of. Read-only once declared. */
typedef struct dsapi_series_t {
    const char *time;               /* column of days */
    apr_array_header_t *dimensions; /* of dsapi_dimension_t */
    apr_array_header_t *measures;   /* of const char *: columns of numbers */
} dsapi_series_t;

/** The members of a dimension, in their order. */
typedef struct dsapi_members_t {
    int n;
    const apr_int32_t *of_rows; /* one a row: which member it is of */
    const apr_int32_t *rows;    /* by member, then as they are sorted */
    const apr_int32_t *starts;  /* n + 1: where in rows a member's begin */
    const char *text;
    const apr_uint64_t *at; /* 2n + 1: where in text a member's JSON begins,
                               then its CSV, then the next one's JSON */
} dsapi_members_t;

/** A column of numbers. */
typedef struct dsapi_measure_t {
    const double *values;    /* one a row; NaN: null */
    double largest_absolute; /* of all values, if they are whole numbers;
                                infinite: one is not */
    int has_null;
} dsapi_measure_t;

/** A series as columns. Read-only, any thread, as long as its image. */
typedef struct dsapi_columns_t {
    int nrows;
    const apr_int32_t *days; /* ascending; day 0 is 1970-01-01 */
    int ndimensions;
    int nmeasures;
    const dsapi_members_t *dimensions;
    const dsapi_measure_t *measures;
} dsapi_columns_t;

typedef struct dsapi_columns_maker_t dsapi_columns_maker_t;

/** @return the index of a dimension; -1: there is none of that name */
int dsapi_series_dimension(const dsapi_series_t *series, const char *name);

/** @return the index of a measure; -1: there is none of that name */
int dsapi_series_measure(const dsapi_series_t *series, const char *name);

/**
 * Begin to make an image.
 * @param series     borrowed
 * @param max_bytes  how large it may become, by dsapi_series_bytes
 * @param pool       owns everything
 */
dsapi_columns_maker_t *dsapi_series_make(const dsapi_series_t *series,
                                         apr_size_t max_bytes,
                                         apr_pool_t *pool);

/**
 * Find the columns of a query: before its rows. From here on the maker is as
 * new, if it was used before.
 * @param perr   out: the mistake, in the maker's pool
 * @param names  of the query's columns
 * @param types  their OIDs; borrowed as long as the maker
 * @return APR_SUCCESS; DSAPI_EINTERNAL ("series-shape"): there is no such
 *         column, or its type will not do
 */
apr_status_t dsapi_series_begin(dsapi_columns_maker_t *maker,
                                dsapi_err_t **perr, const char *const *names,
                                const unsigned *types, int ncolumns);

/**
 * Add a row. A measure that is null or no finite number is null.
 * @param row  handed to cell
 * @return APR_SUCCESS; DSAPI_EINTERNAL: its time is null, or no day of the
 *         years 1 to 9999 ("series-time"); it does not fit any more
 *         ("series-size")
 */
apr_status_t dsapi_series_add(dsapi_columns_maker_t *maker, dsapi_err_t **perr,
                              dsapi_cell_fn cell, const void *baton, int row);

/** Take rows of a statement: dsapi_series_begin with the first of them, then
 *  dsapi_series_add. */
apr_status_t dsapi_series_take(dsapi_columns_maker_t *maker, dsapi_err_t **perr,
                               const dsapi_rows_t *rows);

/** @return what an image of the rows so far takes, at most: with all that is
 *  needed of them while it is made. Making it takes four times as much as this
 *  at most, one copy of the image included. */
apr_size_t dsapi_series_bytes(const dsapi_columns_maker_t *maker);

/**
 * Complete an image: rows by day, then by the members of the first dimension,
 * then as they came. A member's attributes are those of its latest day.
 * @return the image, as long as the maker's pool; it may be copied to where
 *         doubles may be
 */
const char *dsapi_series_finish(apr_size_t *pbytes,
                                dsapi_columns_maker_t *maker);

/** View an image. @param image  borrowed as long as the view, as is pool */
const dsapi_columns_t *dsapi_series_view(const char *image, apr_pool_t *pool);

#endif
