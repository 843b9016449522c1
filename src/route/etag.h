/*
 * Validators (RFC 9110, 8.8.3 and 13.1.2): making them, and comparing.
 */
#ifndef DSAPI_ROUTE_ETAG_H
#define DSAPI_ROUTE_ETAG_H

#include <apr_pools.h>
#include <apr_sha1.h>
#include <apr_tables.h>

#define DSAPI_ETAG_SIZE 35 /* two quotes, 32 digits, NUL */

/** As dsapi_route_etag_make. @param text  out: DSAPI_ETAG_SIZE bytes */
void dsapi_route_etag_text(char *text, const char *content_type,
                           const char *body, apr_size_t body_bytes);

/**
 * Make a strong validator: equal for equal content types and bodies, and
 * different for others (128 bits of their SHA-1).
 * @return quoted lower-case hex, in pool
 */
const char *dsapi_route_etag_make(const char *content_type, const char *body,
                                  apr_size_t body_bytes, apr_pool_t *pool);

/** A validator in the making, of a body that comes in pieces. */
typedef apr_sha1_ctx_t dsapi_etag_t;

/** Begin one. @param etag  out */
void dsapi_route_etag_begin(dsapi_etag_t *etag, const char *content_type);

/** Go on with the next piece of the body. */
void dsapi_route_etag_put(dsapi_etag_t *etag, const char *body,
                          apr_size_t body_bytes);

/** End it: what dsapi_route_etag_text makes of the whole body.
 *  @param text  out: DSAPI_ETAG_SIZE bytes */
void dsapi_route_etag_end(char *text, dsapi_etag_t *etag);

/**
 * Does If-None-Match name this validator (RFC 9110 13.1.2: weak comparison)?
 * A suffix that mod_deflate and its like put on it ("x-gzip", "x-br",
 * "x-zstd" for "x") is seen through. From where the list breaks its grammar,
 * it names nothing.
 * @param if_none_match  the value of the header, all its lines joined by
 *                       commas; NULL: none was sent
 * @param etag           of the response there is; NULL: it has none, and
 *                       only "*" matches
 * @return 1: answer 304; or 0
 */
int dsapi_route_etag_matches(const char *if_none_match, const char *etag);

/**
 * What values an If-Match may stand for, once they are validators: those
 * between the quotes of its strong ones, and with them; as they are, without a
 * suffix of compression, and percent-decoded; UTF-8.
 * @param if_match  the value of the header
 * @return of const char *, in pool; NULL: any ("*")
 */
apr_array_header_t *dsapi_route_etag_values(const char *if_match,
                                            apr_pool_t *pool);

#endif
