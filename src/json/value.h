/*
 * Reading JSON. dsapi_json_check proves that a text is JSON (what that is,
 * check.h says); after that, slices give its parts as the sender wrote them,
 * so that no digit of a number is lost.
 */
#ifndef DSAPI_JSON_VALUE_H
#define DSAPI_JSON_VALUE_H

#include <apr_pools.h>

#include "base/error.h"

typedef enum dsapi_json_kind_e {
    DSAPI_JSON_NULL,
    DSAPI_JSON_FALSE,
    DSAPI_JSON_TRUE,
    DSAPI_JSON_NUMBER,
    DSAPI_JSON_STRING,
    DSAPI_JSON_ARRAY,
    DSAPI_JSON_OBJECT
} dsapi_json_kind_e;

/** A value inside a checked text, without the blanks around it. */
typedef struct dsapi_json_slice_t {
    const char *p;
    apr_size_t len_bytes;
    dsapi_json_kind_e kind;
} dsapi_json_slice_t;

/** Where an iteration stands; set next to NULL before the first step. */
typedef struct dsapi_json_iter_t {
    const char *next;
} dsapi_json_iter_t;

/**
 * Prove that a text is JSON.
 * @param pslice  out: the whole value (points into text); untouched on error
 * @param perr    out: what is wrong ("not JSON: line 1, column 5: invalid
 *                token near 'x'", UTF-8, some 250 bytes at most), in pool;
 *                NULL on success; may be NULL
 * @param text    borrowed by the slice
 * @return APR_SUCCESS; DSAPI_ESYNTAX
 */
apr_status_t dsapi_json_check(dsapi_json_slice_t *pslice, dsapi_err_t **perr,
                              const char *text, apr_size_t len_bytes,
                              apr_pool_t *pool);

/**
 * Next member of an object.
 * @param pname  out: its name, decoded, in pool
 * @return 1; 0 at the end, or where it is no object (outs untouched)
 */
int dsapi_json_next_member(dsapi_json_slice_t *pvalue, const char **pname,
                           dsapi_json_iter_t *iter,
                           const dsapi_json_slice_t *object, apr_pool_t *pool);

/** Next item of an array. @return 1; 0 at the end, or where it is no array
 *  (pvalue untouched) */
int dsapi_json_next_item(dsapi_json_slice_t *pvalue, dsapi_json_iter_t *iter,
                         const dsapi_json_slice_t *array);

/**
 * Follow a JSON pointer (RFC 6901: "" or "/a/0/b~1c").
 * @param pool  takes what is decoded on the way; pvalue needs none of it
 * @return 1; 0: no such value (pvalue untouched)
 */
int dsapi_json_find(dsapi_json_slice_t *pvalue, const dsapi_json_slice_t *from,
                    const char *pointer, apr_pool_t *pool);

/**
 * A string's text, decoded; any other value as it was written.
 * @return NUL-terminated UTF-8, in pool
 */
const char *dsapi_json_text(const dsapi_json_slice_t *value, apr_pool_t *pool);

/** @return "null", "a boolean", "a number", "a string", "an array" or
 *  "an object"; static */
const char *dsapi_json_kind_name(dsapi_json_kind_e kind);

#endif
