/*
 * Rules of jobs that need no clock and no network: when to try again, and
 * which answers of an upstream are good.
 */
#ifndef DSAPI_SOURCE_RULES_H
#define DSAPI_SOURCE_RULES_H

#include <apr_pools.h>
#include <apr_time.h>

#include "base/error.h"
#include "json/value.h"
#include "source/expect.h"

/** How often and when a source is asked again (DsapiRetry). */
typedef struct dsapi_retry_t {
    int attempts;              /* at most, the first included; >= 1 */
    apr_interval_time_t first; /* upper bound of the first wait */
    apr_interval_time_t max;   /* upper bound of any wait */
} dsapi_retry_t;

/** What came back from an upstream. */
typedef struct dsapi_response_t {
    int status;                /* HTTP status; 0: none came */
    const char *content_type;  /* NULL: none */
    const char *retry_after;   /* the header's value; NULL: none */
    const char *etag;          /* the same */
    const char *last_modified; /* the same */
    const char *link;          /* the same; several joined by commas */
    apr_time_t answered;       /* Date; ours, where there is none */
    const char *url;           /* that it came from, after redirects */
    const char *body;          /* may be NULL where body_bytes is 0 */
    apr_size_t body_bytes;
    const char *transport; /* why no whole answer came; NULL: one came */
    int final;             /* with transport: asking again ends the same */
} dsapi_response_t;

/**
 * The wait before the next attempt: full jitter over
 * min(max, first * 2^(attempt-1)) (Brooker, "Exponential Backoff And
 * Jitter"), and never less than what the upstream asks for in Retry-After
 * (itself capped at one day).
 * @param attempt      attempts made so far, >= 1
 * @param random       any 32 random bits
 * @param retry_after  what the upstream asked for; 0: nothing
 * @return microseconds, >= 0
 */
apr_interval_time_t dsapi_source_backoff(const dsapi_retry_t *retry,
                                         int attempt, apr_uint32_t random,
                                         apr_interval_time_t retry_after);

/**
 * Parse Retry-After (RFC 9110, 10.2.3): seconds or an HTTP date. More than
 * a day is a day.
 * @param value  NULL: none
 * @param now    the present, by the clock that a date is of
 * @return microseconds from now; 0: none, in the past, or unreadable
 */
apr_interval_time_t dsapi_source_retry_after(const char *value, apr_time_t now);

/**
 * Judge an answer. Good is: a status and a media type that are expected, and
 * a body that is JSON and has the part that is expected.
 * @param pbody   out: that part, a slice of resp->body; untouched on error
 * @param pretry  out: 1 where another attempt may help (transport, 408, 425,
 *                429, 5xx, and an answer with a good status that is of the
 *                wrong kind, not JSON or without the part, since those come
 *                from gateways and broken transfers), else 0
 * @param perr    out: the reason, free of hosts and URLs (internal may quote
 *                the body), in pool; its code is upstream-unreachable,
 *                -status, -type, -empty, -json or -shape; NULL on success
 * @return APR_SUCCESS; DSAPI_EUNPROC
 */
apr_status_t dsapi_source_judge(dsapi_json_slice_t *pbody, int *pretry,
                                dsapi_err_t **perr,
                                const dsapi_expect_t *expect,
                                const dsapi_response_t *resp, apr_pool_t *pool);

#endif
