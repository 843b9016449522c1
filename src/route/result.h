/*
 * From rows to JSON. The shape of a row is planned once: an alias with dots
 * nests ("region.id", "region.name" give {"region":{"id":..,"name":..}}),
 * and what stands between two values is one literal. Values are written as
 * PostgreSQL's to_json writes them, numbers copied as they were printed.
 */
#ifndef DSAPI_ROUTE_RESULT_H
#define DSAPI_ROUTE_RESULT_H

#include <apr_pools.h>

#include "base/error.h"
#include "db/db.h"
#include "json/buf.h"

typedef struct dsapi_plan_t dsapi_plan_t;

/**
 * Read one value.
 * @param plen  out: its length in bytes
 * @return the text as PostgreSQL printed it; NULL: SQL NULL
 */
typedef const char *(*dsapi_cell_fn)(apr_size_t *plen, const void *baton,
                                     int row, int column);

/** A dsapi_cell_fn of the rows of a statement.
 *  @param baton  the dsapi_rows_t */
const char *dsapi_route_rows_cell(apr_size_t *plen, const void *baton, int row,
                                  int column);

/**
 * Plan the shape of a row. Columns named "@..." are left out of it.
 * @param pplan  out: the plan, in pool; NULL on error
 * @param perr   out: what is wrong with the aliases, in pool
 * @param names  of the columns, borrowed for the life of the plan
 * @param types  their OIDs
 * @return APR_SUCCESS; DSAPI_EINTERNAL ("result-shape"): one name twice, a
 *         name that is both a value and an object, or an empty part
 */
apr_status_t dsapi_route_plan(dsapi_plan_t **pplan, dsapi_err_t **perr,
                              const char *const *names, const unsigned *types,
                              int ncolumns, apr_pool_t *pool);

/**
 * Plan the shape of the rows of a statement, as dsapi_route_plan does.
 * @param rows  any number of them, also none; borrowed for the call: the plan
 *              serves all rows of the same columns
 */
apr_status_t dsapi_route_plan_rows(dsapi_plan_t **pplan, dsapi_err_t **perr,
                                   const dsapi_rows_t *rows, apr_pool_t *pool);

/** In a flat plan columns whose names begin so are left out. */
#define DSAPI_ROUTE_HIDDEN "@dsapi."

/**
 * Plan the shape of the rows of a statement whose columns have any names: each
 * is a member, dots or not, and also one that there is twice.
 * @param rows      as in dsapi_route_plan_rows
 * @param stripped  members that are null are left out
 * @return the plan, in pool
 */
dsapi_plan_t *dsapi_route_plan_flat(const dsapi_rows_t *rows, int stripped,
                                    apr_pool_t *pool);

/** Append one row as a JSON object. */
void dsapi_route_write_row(dsapi_buf_t *buf, const dsapi_plan_t *plan,
                           dsapi_cell_fn cell, const void *baton, int row);

/** Append one row of a statement as a JSON object.
 *  @param row  below dsapi_rows_count */
void dsapi_route_write_nth(dsapi_buf_t *buf, const dsapi_plan_t *plan,
                           const dsapi_rows_t *rows, int row);

/**
 * Which values PostgreSQL has to make JSON of (dsapi_db_set_json): those of
 * other than the built-in types. Their text tells nobody what to_json writes:
 * rows, what has a cast to json, and arrays of them. Not those of columns
 * named "@...", which are text.
 */
int dsapi_route_as_json(const char *name, unsigned type);

/**
 * The text of a value of type DSAPI_OID_MADE, as it stands outside of JSON.
 * @param plen  out: its length
 * @return a string without quotes and escapes, in pool; else json itself (also
 *          a string with "\\u0000" or half of a surrogate pair)
 */
const char *dsapi_route_made_text(apr_size_t *plen, const char *json,
                                  apr_size_t len_bytes, apr_pool_t *pool);

/**
 * Append a value as to_json writes it.
 * @param type  OID; what dsapi_route_as_json says yes to is a string here
 * @param text  as PostgreSQL printed it with DateStyle ISO; NULL: null
 */
void dsapi_route_write_value(dsapi_buf_t *buf, unsigned type, const char *text,
                             apr_size_t len_bytes);

/** What a route answers (DsapiResult). */
typedef enum dsapi_shape_e {
    DSAPI_SHAPE_ROWS,  /* an array of objects */
    DSAPI_SHAPE_ROW,   /* one object, or DSAPI_ENOTFOUND */
    DSAPI_SHAPE_VALUE, /* the first row's first column that is no "@..." */
    DSAPI_SHAPE_NONE   /* nothing */
} dsapi_shape_e;

/**
 * Write a result.
 * @param perr   out: error, in pool
 * @param raw    with DSAPI_SHAPE_VALUE: text and bytea go out as they are
 *               (DsapiContentType), not as JSON
 * @return APR_SUCCESS; DSAPI_ENOTFOUND: no row (row and value), or NULL
 *         (value); DSAPI_EINTERNAL: see dsapi_route_plan
 */
apr_status_t dsapi_route_write(dsapi_buf_t *buf, dsapi_err_t **perr,
                               const dsapi_rows_t *rows, dsapi_shape_e shape,
                               int raw, apr_pool_t *pool);

#endif
