/* What the strings of JSON are made of: words of eight bytes, escapes. */
#ifndef DSAPI_JSON_CHARS_H
#define DSAPI_JSON_CHARS_H

#include <apr.h>

#define DSAPI_JSON_EACH_BYTE(b) (APR_UINT64_C(0x0101010101010101) * (b))

/**
 * Which of these eight bytes are '"', '\' or below 0x20? (The classic test
 * for a zero or a small byte in a word.)
 * @return the top bits of such bytes; of the bytes above the lowest one,
 *         others may be set, too. 0: there is none
 */
static inline apr_uint64_t dsapi_json_specials(apr_uint64_t word)
{
    apr_uint64_t quote = word ^ DSAPI_JSON_EACH_BYTE('"');
    apr_uint64_t backslash = word ^ DSAPI_JSON_EACH_BYTE('\\');
    apr_uint64_t hits = ((word - DSAPI_JSON_EACH_BYTE(0x20)) & ~word) |
                        ((quote - DSAPI_JSON_EACH_BYTE(1)) & ~quote) |
                        ((backslash - DSAPI_JSON_EACH_BYTE(1)) & ~backslash);

    return hits & DSAPI_JSON_EACH_BYTE(0x80);
}

/** @return the value of four hexadecimal digits; -1: one is none (none is
 *  read beyond it) */
int dsapi_json_hex4(const char *p);

/**
 * Decode one escape of a checked text: a surrogate pair counts as one.
 * @param out  takes up to four bytes of UTF-8
 * @param pp   in/out: the backslash; what is behind the escape
 * @return behind the last byte written
 */
char *dsapi_json_unescape(char *out, const char **pp);

#endif
