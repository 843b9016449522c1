/*
 * Text: UTF-8 (RFC 3629), percent-encoding (RFC 3986), forms (WHATWG URL,
 * application/x-www-form-urlencoded).
 */
#ifndef DSAPI_BASE_TEXT_H
#define DSAPI_BASE_TEXT_H

#include <apr_pools.h>
#include <apr_tables.h>

/** A name and a value, decoded. */
typedef struct dsapi_pair_t {
    const char *name;  /* NULL: it cannot be decoded */
    const char *value; /* NULL: it, or the name, cannot be decoded */
    const char *why;   /* what would be right ("must be UTF-8"), static; NULL:
                          nothing is wrong */
} dsapi_pair_t;

/**
 * How many bytes does the character at text take?
 * @param left  bytes there are, at least one
 * @return 1 to 4; 0: it is not well-formed UTF-8
 */
apr_size_t dsapi_base_utf8_length(const char *text, apr_size_t left);

/**
 * Is this well-formed UTF-8: no overlong form, no surrogate, nothing above
 * U+10FFFF? U+0000 is allowed here. Any thread.
 * @return 1 or 0
 */
int dsapi_base_utf8_valid(const char *s, apr_size_t len_bytes);

/**
 * Percent-encode everything but RFC 3986 unreserved characters.
 * @return the encoded text, in pool
 */
const char *dsapi_base_percent_encode(const char *s, apr_pool_t *pool);

/**
 * Decode a query string or a form body into pairs, in order. '+' is a blank;
 * a pair without '=' has the value "". Empty pairs ("a=1&&b=2") are skipped. A
 * malformed escape, a NUL, or bytes that are not UTF-8 make a pair that says
 * so.
 * @param s  text of len_bytes, need not end in NUL; may be NULL if 0
 * @return array of dsapi_pair_t, in pool
 */
apr_array_header_t *dsapi_base_form_parse(const char *s, apr_size_t len_bytes,
                                          apr_pool_t *pool);

#endif
