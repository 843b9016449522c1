/*
 * Calls of functions: which one of those with a name fits what a client sends,
 * and the rows it gives as SQL. Names are the catalogue's, values are bound.
 */
#ifndef DSAPI_RESOURCE_FUNCTION_H
#define DSAPI_RESOURCE_FUNCTION_H

#include "json/value.h"
#include "resource/build.h"
#include "resource/catalog.h"

/** What a client sends its arguments as. */
typedef enum dsapi_invoke_as_e {
    DSAPI_INVOKE_QUERY, /* in the URL */
    DSAPI_INVOKE_FORM,
    DSAPI_INVOKE_JSON,
    DSAPI_INVOKE_TEXT, /* the body is the only argument, from here on */
    DSAPI_INVOKE_XML,
    DSAPI_INVOKE_BYTES
} dsapi_invoke_as_e;

/** A call. */
typedef struct dsapi_invoke_t {
    dsapi_invoke_as_e as;
    apr_array_header_t *keys;         /* of const char *: names of arguments,
                                        sorted, none twice */
    const apr_array_header_t *pairs;  /* of dsapi_pair_t: QUERY and FORM */
    const char *body;                 /* of the others: as bytea reads it, or
                                        JSON: an object, unless the function
                                        has one argument without a name */
    const char *object;               /* JSON: what keys are members of */
    const dsapi_function_t *function; /* once found */
} dsapi_invoke_t;

/**
 * Tell arguments from filters in a URL's query: what has no operator, and no
 * other meaning, is one.
 * @param pargs  out: of dsapi_pair_t, in pool
 * @param prest  out: the same
 * @param pairs  of dsapi_pair_t, checked
 */
void dsapi_function_split(apr_array_header_t **pargs,
                          apr_array_header_t **prest,
                          const apr_array_header_t *pairs, apr_pool_t *pool);

/** Take arguments from the URL or a form. @param pairs  of dsapi_pair_t;
 *  borrowed by the call */
void dsapi_function_take_pairs(dsapi_invoke_t *invoke, dsapi_invoke_as_e as,
                               const apr_array_header_t *pairs,
                               apr_pool_t *pool);

/**
 * Take arguments from JSON: the members of an object, or of an array's first.
 * @param json     checked; NULL: there is none, which is "{}"
 * @param columns  of const char *: the members that count; NULL: all
 * @return APR_SUCCESS; DSAPI_EPARAM (PGRST102)
 */
apr_status_t dsapi_function_take_json(dsapi_invoke_t *invoke,
                                      dsapi_err_t **perr,
                                      const dsapi_json_slice_t *json,
                                      apr_array_header_t *columns,
                                      apr_pool_t *pool);

/** Take a body that is the only argument.
 *  @return APR_SUCCESS; DSAPI_EPARAM (22021): no text of PostgreSQL's */
apr_status_t dsapi_function_take_body(dsapi_invoke_t *invoke,
                                      dsapi_err_t **perr, dsapi_invoke_as_e as,
                                      const char *data, apr_size_t len_bytes,
                                      apr_pool_t *pool);

/**
 * Find the function that is meant.
 * @param invoke   in/out: its function
 * @param perr     out: PGRST202: there is none; PGRST203: more than one
 * @param catalog  lives at least as long as the call
 * @return APR_SUCCESS; DSAPI_ENOTFOUND; DSAPI_EINTERNAL with status 300
 */
apr_status_t dsapi_function_find(dsapi_invoke_t *invoke, dsapi_err_t **perr,
                                 const dsapi_catalog_t *catalog,
                                 const char *schema, const char *name,
                                 apr_pool_t *pool);

/** Append the query of the rows that a call gives. @param invoke  found */
void dsapi_function_put(dsapi_build_t *build, const dsapi_invoke_t *invoke);

#endif
