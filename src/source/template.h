/*
 * URL templates of sources: RFC 6570 simple expansion ({name}), with the
 * limits of the contract: http or https, no parameter in scheme or
 * authority, and no expanded path segment that is "." or "..".
 */
#ifndef DSAPI_SOURCE_TEMPLATE_H
#define DSAPI_SOURCE_TEMPLATE_H

#include <apr_pools.h>
#include <apr_tables.h>

#include "base/error.h"

#define DSAPI_URL_MAX_BYTES 8192

/** A literal piece, or a parameter's name. */
typedef struct dsapi_part_t {
    const char *text;
    int is_var;
} dsapi_part_t;

typedef struct dsapi_template_t {
    const dsapi_part_t *parts;
    int nparts;
    const char *origin; /* "https://host[:port]", lower case, without the
                         * scheme's default port; parts[0] begins with it */
    const char *host;   /* canonical: see source/address.h */
} dsapi_template_t;

/**
 * Parse a template.
 * @param ptmpl  out: the template, in result_pool; NULL on error
 * @param perr   out: what would be right, in result_pool; NULL on success
 * @param text   borrowed for the call
 * @return APR_SUCCESS; DSAPI_ESYNTAX: not http(s), no host or no port such
 *         as a URL has, user information, a fragment, a parameter in scheme
 *         or authority, an open or empty brace, an operator ({+x}), a
 *         segment "." or ".." ("%2e" too), a '%' that begins no escape, a
 *         blank or a control character, bytes that are not UTF-8. What else
 *         a URL may not hold as it is, is percent-encoded.
 */
apr_status_t dsapi_source_template(dsapi_template_t **ptmpl, dsapi_err_t **perr,
                                   const char *text, apr_pool_t *result_pool,
                                   apr_pool_t *scratch_pool);

/**
 * The origin of a URL, as a template has it.
 * @param url  of bytes from '!' to '~'
 * @return in pool; NULL: it is not http(s), holds user information, or a host
 *         or port that a URL cannot have
 */
const char *dsapi_source_origin(const char *url, apr_pool_t *pool);

/**
 * Expand a URL template (RFC 6570 level 1: {name}, percent-encoded UTF-8).
 * @param purl  out: the URL, in result_pool; NULL on error
 * @param perr  out: what to tell the client, in result_pool; NULL on success
 * @param tmpl  borrowed; read-only, so threads may share it
 * @param vars  name -> value (UTF-8), borrowed for the call
 * @return APR_SUCCESS; DSAPI_EPARAM: a name has no value, or a path segment
 *         would be "." or ".."; DSAPI_ETOOBIG: longer than
 *         DSAPI_URL_MAX_BYTES (8192)
 */
apr_status_t dsapi_source_expand(const char **purl, dsapi_err_t **perr,
                                 const dsapi_template_t *tmpl,
                                 const apr_table_t *vars,
                                 apr_pool_t *result_pool,
                                 apr_pool_t *scratch_pool);

#endif
