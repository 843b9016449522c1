/* What a client wants to be written: one object, or an array of them. */
#ifndef DSAPI_RESOURCE_PAYLOAD_H
#define DSAPI_RESOURCE_PAYLOAD_H

#include <apr_pools.h>
#include <apr_tables.h>

#include "base/error.h"
#include "json/value.h"

typedef struct dsapi_res_payload_t {
    const char *json; /* NUL-terminated */
    int is_array;
    apr_int64_t nrows;
    apr_array_header_t *keys; /* of const char *: the members */
} dsapi_res_payload_t;

/**
 * Look at a body.
 * @param ppayload      out: in result_pool
 * @param json          checked; NULL: there is none
 * @param columns       of const char *: the members that count, whatever the
 *                      objects have; NULL: those of the first object, which
 *                      every one must have
 * @param result_pool   owns the payload, whose text is copied
 * @return APR_SUCCESS; DSAPI_EPARAM (PGRST102)
 */
apr_status_t dsapi_resource_payload(dsapi_res_payload_t *ppayload,
                                    dsapi_err_t **perr,
                                    const dsapi_json_slice_t *json,
                                    apr_array_header_t *columns,
                                    apr_pool_t *result_pool,
                                    apr_pool_t *scratch_pool);

/**
 * Refuse names and values that could not be decoded.
 * @param in     "query" or "body"
 * @param pairs  of dsapi_pair_t
 * @return APR_SUCCESS; DSAPI_EPARAM: all of them are told
 */
apr_status_t dsapi_resource_check_pairs(dsapi_err_t **perr, const char *in,
                                        const apr_array_header_t *pairs,
                                        apr_pool_t *pool);

/** A form as a JSON object of strings. @param pairs  of dsapi_pair_t, checked;
 *  of a name that is there twice the last counts @return the text, in pool */
const char *dsapi_resource_form(const apr_array_header_t *pairs,
                                apr_pool_t *pool);

#endif
