#include <string.h>

#include "base/text.h"

static const char upper_hex[] = "0123456789ABCDEF";

apr_size_t dsapi_base_utf8_length(const char *text, apr_size_t left)
{
    const unsigned char *s = (const unsigned char *)text;
    unsigned char low = 0x80; /* what the second byte may be */
    unsigned char high = 0xBF;
    apr_size_t len;

    if (s[0] < 0x80) {
        return 1;
    }
    if (s[0] < 0xC2 || s[0] > 0xF4) {
        return 0;
    }
    len = s[0] < 0xE0 ? 2 : s[0] < 0xF0 ? 3 : 4;
    if (s[0] == 0xE0) {
        low = 0xA0; /* below: overlong */
    }
    else if (s[0] == 0xED) {
        high = 0x9F; /* above: surrogates */
    }
    else if (s[0] == 0xF0) {
        low = 0x90; /* below: overlong */
    }
    else if (s[0] == 0xF4) {
        high = 0x8F; /* above: beyond U+10FFFF */
    }
    if (left < len || s[1] < low || s[1] > high) {
        return 0;
    }
    for (apr_size_t i = 2; i < len; i++) {
        if ((s[i] & 0xC0) != 0x80) {
            return 0;
        }
    }
    return len;
}

int dsapi_base_utf8_valid(const char *s, apr_size_t len_bytes)
{
    while (len_bytes > 0) {
        apr_size_t len = dsapi_base_utf8_length(s, len_bytes);

        if (!len) {
            return 0;
        }
        s += len;
        len_bytes -= len;
    }
    return 1;
}

static int is_unreserved(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_' ||
           c == '~';
}

const char *dsapi_base_percent_encode(const char *s, apr_pool_t *pool)
{
    char *encoded = apr_palloc(pool, 3 * strlen(s) + 1);
    char *out = encoded;

    for (; *s; s++) {
        unsigned char byte = (unsigned char)*s;

        if (is_unreserved(*s)) {
            *out++ = *s;
        }
        else {
            *out++ = '%';
            *out++ = upper_hex[byte >> 4];
            *out++ = upper_hex[byte & 0x0F];
        }
    }
    *out = '\0';
    return encoded;
}

/* The value of a hex digit; -1: it is none. */
static int hex_value(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    if (c >= 'A' && c <= 'F') {
        return c - 'A' + 10;
    }
    return -1;
}

/* Decode one name or value. Returns what would be right; NULL: it is. */
static const char *decode(const char **pdecoded, const char *s, apr_size_t len,
                          apr_pool_t *pool)
{
    char *decoded = apr_palloc(pool, len + 1);
    char *out = decoded;

    for (apr_size_t i = 0; i < len; i++) {
        char c = s[i];

        if (c == '+') {
            c = ' ';
        }
        else if (c == '%') {
            int high = len - i > 2 ? hex_value(s[i + 1]) : -1;
            int low = len - i > 2 ? hex_value(s[i + 2]) : -1;

            if (high < 0 || low < 0) {
                return "must have two hexadecimal digits after each '%'";
            }
            c = (char)(high * 16 + low);
            i += 2;
        }
        if (!c) {
            return "must not contain a NUL character";
        }
        *out++ = c;
    }
    *out = '\0';
    if (!dsapi_base_utf8_valid(decoded, (apr_size_t)(out - decoded))) {
        return "must be UTF-8";
    }
    *pdecoded = decoded;
    return NULL;
}

/* Decode "name=value" or "name". */
static void take_pair(dsapi_pair_t *pair, const char *s, apr_size_t len,
                      apr_pool_t *pool)
{
    const char *equals = memchr(s, '=', len);
    apr_size_t name_len = equals ? (apr_size_t)(equals - s) : len;

    pair->name = NULL;
    pair->value = NULL;
    pair->why = decode(&pair->name, s, name_len, pool);
    if (!pair->why && equals) {
        pair->why = decode(&pair->value, equals + 1, len - name_len - 1, pool);
    }
    else if (!pair->why) {
        pair->value = "";
    }
}

apr_array_header_t *dsapi_base_form_parse(const char *s, apr_size_t len_bytes,
                                          apr_pool_t *pool)
{
    apr_array_header_t *pairs = apr_array_make(pool, 8, sizeof(dsapi_pair_t));
    apr_size_t at = 0;

    while (at < len_bytes) {
        const char *amp = memchr(s + at, '&', len_bytes - at);
        apr_size_t end = amp ? (apr_size_t)(amp - s) : len_bytes;

        if (end > at) {
            take_pair(apr_array_push(pairs), s + at, end - at, pool);
        }
        at = end + 1;
    }
    return pairs;
}
