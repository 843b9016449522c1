/*
 * A statement in whose place another is run: the same rows in the same order,
 * with to_json of some of their values. It becomes the last name of a WITH,
 * which takes also what changes data:
 *
 *     WITH a AS (...) INSERT INTO t ... RETURNING x, y
 *     WITH a AS (...), "dsapi row" (c1,c2) AS (INSERT INTO t ... RETURNING
 *     x, y) SELECT c1 AS "x",pg_catalog.to_json(c2) AS "y" FROM "dsapi row"
 */
#ifndef DSAPI_SQL_WRAP_H
#define DSAPI_SQL_WRAP_H

#include <apr_pools.h>

#include "json/buf.h"

/** Append a name in quotes. */
void dsapi_sql_put_name(dsapi_buf_t *buf, const char *name);

/**
 * Wrap a statement. Its parameters stay what they were.
 * @param text   of a statement that has been parsed
 * @param names  of the columns it has
 * @param made   one a column: 1: to_json of it
 * @return the text in pool; NULL: what cannot stand in a WITH (SHOW, CALL,
 *         EXPLAIN, FETCH, ...)
 */
const char *dsapi_sql_wrap(const char *text, const char *const *names,
                           const char *made, int ncolumns, apr_pool_t *pool);

#endif
