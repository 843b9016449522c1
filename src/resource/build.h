/*
 * SQL of a query that has been resolved. Its names are the catalogue's, quoted;
 * every value is bound, with no type of its own, so that PostgreSQL reads it as
 * what it is compared with.
 *
 * Columns may be called as tables are here ("t0", "e1"): a row is "t0.*".
 */
#ifndef DSAPI_RESOURCE_BUILD_H
#define DSAPI_RESOURCE_BUILD_H

#include "db/db.h"
#include "json/buf.h"
#include "resource/catalog.h"
#include "resource/query.h"
#include "route/result.h"

/** What is joined of many rows has them all in this column. */
#define DSAPI_BUILD_LIST "\"" DSAPI_ROUTE_HIDDEN "list\""

/** The lists that one row embeds, together. */
#define DSAPI_RES_EMBED_MAX_BYTES (16 * 1024 * 1024)

/** SQL under way. */
typedef struct dsapi_build_t {
    dsapi_buf_t *text;
    apr_array_header_t *values; /* of const char *: $1, $2, ... */
    apr_int64_t max_rows;       /* of what is embedded; -1: as many as there
                                   are */
    int list_max_bytes;         /* of the JSON of a list that is embedded */
    int stripped;               /* what is embedded is wanted without nulls */
    int from_source;            /* t0 is no table but rows of one that has been
                                   changed: its computed columns are columns */
    apr_pool_t *pool;
} dsapi_build_t;

/** Begin a statement. */
void dsapi_build_init(dsapi_build_t *build, apr_int64_t max_rows,
                      apr_pool_t *pool);

/** Append SQL. @param texts  ended by NULL */
void dsapi_build_puts(dsapi_build_t *build, const char *const *texts);

/** The same, of texts as arguments. */
#define dsapi_build_put(build, ...) \
    dsapi_build_puts(build, (const char *const[]){__VA_ARGS__})

/** Append a quoted name. */
void dsapi_build_name(dsapi_build_t *build, const char *name);

/** Append $n. @param value  borrowed by the statement */
void dsapi_build_value(dsapi_build_t *build, const char *value);

/** Append a number as a value. */
void dsapi_build_number(dsapi_build_t *build, apr_int64_t value);

/** Append "schema"."table". */
void dsapi_build_table(dsapi_build_t *build, const dsapi_entity_t *entity);

/** Append a node's conditions, each behind " WHERE " or " AND ".
 *  @param word  the first's
 *  @return the next one's */
const char *dsapi_build_where(dsapi_build_t *build,
                              const dsapi_res_node_t *node, const char *word);

/**
 * Append what a node shows: its items, with commas between.
 * @return " GROUP BY ..." of them, where one is an aggregate; else ""
 */
const char *dsapi_build_items(dsapi_build_t *build,
                              const dsapi_res_node_t *node);

/** A column of what a node shows. */
typedef struct dsapi_build_name_t {
    const char *name;
    const dsapi_res_item_t *hoisted; /* the aggregate that is to be made of it;
                                        NULL: it is shown as it is */
} dsapi_build_name_t;

/** @return of dsapi_build_name_t: the columns that a node shows */
apr_array_header_t *dsapi_build_names(const dsapi_build_t *build,
                                      const dsapi_res_node_t *node);

/** How SQL calls a node's table ("t"), what is joined for it ("e") and the
 *  table between ("j"). @return the letter and the node's number */
const char *dsapi_build_label(const dsapi_build_t *build,
                              const dsapi_res_node_t *node, const char *letter);

/** Append a column and the path into it. */
void dsapi_build_field(dsapi_build_t *build, const dsapi_res_node_t *node,
                       const dsapi_res_field_t *field);

/** Append a path. */
void dsapi_build_path(dsapi_build_t *build, const apr_array_header_t *path);

/** Append the validator of a row of the table t0: the column "@etag", or a hash
 *  of all its values that the resource may show. Of what depends on the
 *  session's time zone it is always a hash. */
void dsapi_build_validator(dsapi_build_t *build, const dsapi_entity_t *entity);

/** @return 1: a node's items or order have this column */
int dsapi_build_uses(const dsapi_res_node_t *node,
                     const dsapi_column_t *column);

/** Append a column as an expression of its node's. */
void dsapi_build_column(dsapi_build_t *build, const dsapi_res_node_t *node,
                        const dsapi_column_t *column);

/* join.c */

/** Append the joins of what a node embeds.
 *  @param needed  only of those on which its rows depend */
void dsapi_build_joins(dsapi_build_t *build, const dsapi_res_node_t *node,
                       int needed);

/** Append " ORDER BY ...", where there is an order. */
void dsapi_build_order(dsapi_build_t *build, const dsapi_res_node_t *node);

/** Append LIMIT and OFFSET. @param limit  -1: none */
void dsapi_build_limit(dsapi_build_t *build, apr_int64_t limit,
                       apr_int64_t offset);

/** Make a call of what has been built. */
void dsapi_build_end(dsapi_call_t *pcall, dsapi_build_t *build);

#endif
