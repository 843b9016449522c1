/*
 * Reading a resource: the SQL of a query that has been resolved. Columns that
 * are no part of the answer are called "@dsapi....".
 */
#ifndef DSAPI_RESOURCE_READ_H
#define DSAPI_RESOURCE_READ_H

#include "db/db.h"
#include "resource/resolve.h"
#include "route/result.h"

/** The column with the number of rows there are without limit and offset. */
#define DSAPI_RES_TOTAL DSAPI_ROUTE_HIDDEN "total"

/** The column with a row's validator: of all its values, whatever is shown. */
#define DSAPI_RES_ETAG DSAPI_ROUTE_HIDDEN "etag"

/** How a query is to be read. */
typedef struct dsapi_res_reading_t {
    apr_int64_t limit; /* -1: none */
    apr_int64_t offset;
    apr_int64_t max_rows;  /* of each that is embedded; -1: none */
    int count;             /* the column DSAPI_RES_TOTAL is wanted */
    apr_int64_t count_max; /* so far it is counted; -1: to the end */
    int validator;         /* the column DSAPI_RES_ETAG is wanted */
} dsapi_res_reading_t;

/** @return 1: what a query shows is not of its resource's table alone, or of
 *  more than one row */
int dsapi_resource_embeds(const dsapi_res_query_t *query);

/**
 * The rows. Without an order they are in that of the primary key, so that pages
 * do not overlap.
 * @param pcall  out: refers to pool and to the query
 */
void dsapi_resource_read(dsapi_call_t *pcall, const dsapi_res_query_t *query,
                         const dsapi_res_reading_t *reading, apr_pool_t *pool);

/** How many rows there are without limit and offset: one row, one column. */
void dsapi_resource_count(dsapi_call_t *pcall, const dsapi_res_query_t *query,
                          const dsapi_res_reading_t *reading, apr_pool_t *pool);

/** What the planner thinks of that: one row, EXPLAIN's JSON. */
void dsapi_resource_explain(dsapi_call_t *pcall, const dsapi_res_query_t *query,
                            apr_pool_t *pool);

/** @return the number of rows in EXPLAIN's JSON; -1: there is none */
apr_int64_t dsapi_resource_planned(const dsapi_rows_t *rows, apr_pool_t *pool);

#endif
