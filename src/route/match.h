/*
 * Matching: which service and which route a URL belongs to. A trie of path
 * segments, built once per configuration and read-only afterwards.
 *
 * A template is "/" or "/a/{b}/c": a segment is a literal or one parameter.
 * Literals beat parameters; the first template that fits the path in that
 * order is the one, whatever its methods. "/a" and "/a/" differ; a parameter
 * is never empty. Paths are decoded before; case counts.
 */
#ifndef DSAPI_ROUTE_MATCH_H
#define DSAPI_ROUTE_MATCH_H

#include <apr_pools.h>
#include <apr_tables.h>

#include "base/error.h"

/** The most parameters a template may have. */
#define DSAPI_CAPTURES_MAX 16

typedef struct dsapi_trie_t dsapi_trie_t;

/** What a path and a method lead to. */
typedef struct dsapi_match_t {
    void *value;       /* NULL: the path is known, the method is not */
    const char *allow; /* "GET, HEAD, OPTIONS"; lives with the trie */
    int ncaptures;
    const char *captures[DSAPI_CAPTURES_MAX]; /* in the pool of the match */
} dsapi_match_t;

/** @return an empty trie, in pool */
dsapi_trie_t *dsapi_route_trie_make(apr_pool_t *pool);

/**
 * Split a template.
 * @param pnames  out: its parameters' names in order, array of const char *,
 *                in pool; NULL on error
 * @param perr    out: what is wrong, in pool
 * @return APR_SUCCESS; DSAPI_ESYNTAX: no leading '/', an empty, "." or ".."
 *         segment, a parameter that is not a whole segment or whose name is
 *         not [A-Za-z_][A-Za-z0-9_]*, one name twice, too many parameters,
 *         or one of '%', '?' and '#'
 */
apr_status_t dsapi_route_template_names(apr_array_header_t **pnames,
                                        dsapi_err_t **perr, const char *path,
                                        apr_pool_t *pool);

/**
 * Add a template and a method.
 * @param path    a template that dsapi_route_template_names takes
 * @param method  upper case; HEAD follows GET, OPTIONS is always there
 * @param value   borrowed for ever, not NULL
 * @return APR_SUCCESS; DSAPI_ECONFLICT: the same path and method is there
 *         already (perr in pool)
 */
apr_status_t dsapi_route_trie_add(dsapi_trie_t *trie, dsapi_err_t **perr,
                                  const char *path, const char *method,
                                  void *value, apr_pool_t *pool);

/**
 * Match a path.
 * @param pmatch  out: filled where 1 is returned
 * @param path    decoded, begins with '/' or is empty
 * @param method  upper case; HEAD finds GET
 * @param pool    owns the captures
 * @return 1; 0: no template fits the path
 */
int dsapi_route_match(dsapi_match_t *pmatch, const dsapi_trie_t *trie,
                      const char *path, const char *method, apr_pool_t *pool);

/**
 * Find the longest base ("/a/b") that a path begins with, at a segment's end.
 * @param prest  out: what follows the base in path ("" or "/..."); untouched
 *               where NULL is returned
 * @return the value that was added with method ""; NULL: none
 */
void *dsapi_route_base(const char **prest, const dsapi_trie_t *trie,
                       const char *path);

#endif
