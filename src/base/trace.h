/*
 * What tells a request from others: W3C Trace Context (Recommendation, level
 * 1, the traceparent header), and an id.
 */
#ifndef DSAPI_BASE_TRACE_H
#define DSAPI_BASE_TRACE_H

#include <apr_pools.h>

/** "00-" 32 hex digits "-" 16 hex digits "-" 2 hex digits, and NUL. */
#define DSAPI_TRACE_SIZE 56

/** Random bytes that dsapi_base_trace wants. */
#define DSAPI_TRACE_RANDOM_BYTES 24

/**
 * Continue a caller's trace with a span of our own, or begin a trace.
 * @param out     out: our traceparent, NUL-terminated
 * @param given   the caller's header; NULL: none. It is continued (trace id
 *                and flags kept) if it is valid: lower-case hex, a version
 *                other than ff, ids that are not all zero. A later version's
 *                further fields are left out.
 * @param random  any bytes
 */
void dsapi_base_trace(char out[DSAPI_TRACE_SIZE], const char *given,
                      const unsigned char random[DSAPI_TRACE_RANDOM_BYTES]);

/** 8-4-4-4-12 hex digits, and NUL. */
#define DSAPI_UUID_SIZE 37

/** Random bytes that dsapi_base_uuid wants. */
#define DSAPI_UUID_RANDOM_BYTES 16

/**
 * A random UUID (RFC 9562, version 4).
 * @param out     out: in lower case, NUL-terminated
 * @param random  any bytes, of which six bits are not used
 */
void dsapi_base_uuid(char out[DSAPI_UUID_SIZE],
                     const unsigned char random[DSAPI_UUID_RANDOM_BYTES]);

/** @return the trace id of a traceparent of ours: 32 hex digits, in pool */
const char *dsapi_base_trace_id(const char *traceparent, apr_pool_t *pool);

#endif
