/*
 * The types that clients cast to: what SQL calls them is made of the
 * catalogue's names, never of the client's text.
 *
 * There are those of pg_catalog, of the schemas of resources, and those that
 * the search path finds: base types, enums, domains, ranges, composite types
 * and their arrays. Not row types of tables, whose columns their JSON would
 * name; nor what looks into the catalogue when a text is cast to it (reg...,
 * aclitem).
 */
#ifndef DSAPI_RESOURCE_CAST_H
#define DSAPI_RESOURCE_CAST_H

#include <apr_pools.h>
#include <apr_tables.h>

#include "db/db.h"

/** A type that there are casts to; read-only. */
typedef struct dsapi_cast_t {
    const char *schema;
    const char *name;
    int visible; /* the search path finds it */
} dsapi_cast_t;

/**
 * The query that reads them.
 * @param pcall  out: refers to pool
 * @param specs  of dsapi_res_spec_t *
 */
void dsapi_cast_call(dsapi_call_t *pcall, const apr_array_header_t *specs,
                     apr_pool_t *pool);

/** Take what the query gave. @return of dsapi_cast_t, in pool */
apr_array_header_t *dsapi_cast_take(const dsapi_rows_t *rows, apr_pool_t *pool);

/**
 * Find a type as PostgreSQL does: in lower case, by the words that SQL has for
 * it (double precision), in pg_catalog, in the schema, in the search path; an
 * array by "text array", or by its own name (_text).
 * @param casts   of dsapi_cast_t
 * @param name    the client's
 * @param schema  of the table that is asked for
 * @return SQL of the type, in pool; NULL: there is none
 */
const char *dsapi_cast_find(const apr_array_header_t *casts, const char *name,
                            const char *schema, apr_pool_t *pool);

#endif
