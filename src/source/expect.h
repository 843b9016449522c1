/* Which answers of an upstream are good (DsapiExpect). */
#ifndef DSAPI_SOURCE_EXPECT_H
#define DSAPI_SOURCE_EXPECT_H

#include <apr_pools.h>
#include <apr_tables.h>

#include "base/error.h"
#include "json/value.h"

/** What is listed; where a list is empty its default holds. Read-only once
 *  it is complete. */
typedef struct dsapi_expect_t {
    apr_array_header_t *statuses; /* of dsapi_statuses_t (200 to 299) */
    apr_array_header_t *types;    /* of const char *: media types in lower case,
                                   * '*' for any text (application/json,
                                   * text/json, any +json, none) */
    apr_array_header_t *pointers; /* of const char *: JSON pointers (the whole
                                   * document) */
} dsapi_expect_t;

typedef struct dsapi_statuses_t {
    int from;
    int to;
} dsapi_statuses_t;

/** Make one that expects the defaults. */
dsapi_expect_t dsapi_expect_make(apr_pool_t *pool);

/**
 * Add to what is expected.
 * @param perr   out: what would be right, in pool; NULL on success
 * @param key    "status" (a comma list of 200, 2xx, 200-204), "type" (a comma
 *               list of media types, '*' for any text) or "pointer" (one)
 * @param value  copied
 * @return APR_SUCCESS; DSAPI_ESYNTAX
 */
apr_status_t dsapi_expect_add(dsapi_expect_t *expect, dsapi_err_t **perr,
                              const char *key, const char *value,
                              apr_pool_t *pool);

/** @return 1: the text is a JSON pointer (RFC 6901) */
int dsapi_expect_pointer(const char *text);

/** @return 1: the status is a good one */
int dsapi_expect_status(const dsapi_expect_t *expect, int status);

/** @param type  in lower case, without parameters; NULL: there is none, which
 *               is as good as any where nothing or any type at all is listed
 *  @return 1: the media type is a good one */
int dsapi_expect_type(const dsapi_expect_t *expect, const char *type);

/**
 * The part of a document that is to be stored: what the first pointer finds
 * that finds anything.
 * @param ppart  out: a slice of the document's text; untouched on 0
 * @return 1; 0: no pointer finds anything
 */
int dsapi_expect_find(dsapi_json_slice_t *ppart, const dsapi_expect_t *expect,
                      const dsapi_json_slice_t *document, apr_pool_t *pool);

#endif
