/* A streaming JSON writer. */
#include "json/writer.h"

#include <stdlib.h>

#include "json/chars.h"

/* What follows the backslash of a control character; 'u' begins \u00XX. */
static const char controls[] = "uuuuuuuubtnufruuuuuuuuuuuuuuuuuu";

void dsapi_json_writer_init(dsapi_json_writer_t *w, dsapi_buf_t *buf)
{
    w->buf = buf;
    w->filled = 0;
    w->depth = 0;
    w->after_key = 0;
}

/* Place the comma before a value or a key. Bit n of filled belongs to depth
 * n + 1: what stands outside of everything has no commas. */
static void place_comma(dsapi_json_writer_t *w)
{
    apr_uint64_t bit;

    if (w->after_key) {
        w->after_key = 0;
        return;
    }
    if (w->depth == 0) {
        return;
    }
    bit = APR_UINT64_C(1) << (w->depth - 1);
    if (w->filled & bit) {
        dsapi_buf_putc(w->buf, ',');
    }
    w->filled |= bit;
}

static void begin_level(dsapi_json_writer_t *w, char bracket)
{
    place_comma(w);
    if (w->depth >= DSAPI_JSON_DEPTH_MAX) {
        abort();
    }
    w->filled &= ~(APR_UINT64_C(1) << w->depth);
    w->depth++;
    dsapi_buf_putc(w->buf, bracket);
}

static void end_level(dsapi_json_writer_t *w, char bracket)
{
    if (w->depth == 0 || w->after_key) {
        abort();
    }
    w->depth--;
    dsapi_buf_putc(w->buf, bracket);
}

void dsapi_json_begin_object(dsapi_json_writer_t *w)
{
    begin_level(w, '{');
}

void dsapi_json_end_object(dsapi_json_writer_t *w)
{
    end_level(w, '}');
}

void dsapi_json_begin_array(dsapi_json_writer_t *w)
{
    begin_level(w, '[');
}

void dsapi_json_end_array(dsapi_json_writer_t *w)
{
    end_level(w, ']');
}

static int is_plain(unsigned char c)
{
    return c >= 0x20 && c != '"' && c != '\\';
}

static int special_at(const char *s)
{
    apr_uint64_t word;

    memcpy(&word, s, sizeof(word));
    return dsapi_json_specials(word) != 0;
}

/* How many bytes at s are written as they are? */
static apr_size_t plain_run(const char *s, apr_size_t len_bytes)
{
    const apr_size_t step = sizeof(apr_uint64_t);
    apr_size_t i = 0;

    while (len_bytes - i >= step && !special_at(s + i)) {
        i += step;
    }
    /* the rest as part of the last eight bytes, of which we know the others */
    if (i && len_bytes - i < step && !special_at(s + len_bytes - step)) {
        return len_bytes;
    }
    while (i < len_bytes && is_plain((unsigned char)s[i])) {
        i++;
    }
    return i;
}

static void put_escape(dsapi_buf_t *buf, unsigned char c)
{
    static const char hex[] = "0123456789abcdef";
    char out[6] = {'\\', (char)c, '0', '0', hex[c >> 4], hex[c & 15]};

    if (c < 0x20) {
        out[1] = controls[c];
    }
    dsapi_buf_put(buf, out, out[1] == 'u' ? 6 : 2);
}

/* The inside of a string */
static void put_text(dsapi_buf_t *buf, const char *s, apr_size_t len_bytes)
{
    while (len_bytes) {
        apr_size_t run = plain_run(s, len_bytes);

        dsapi_buf_put(buf, s, run);
        if (run == len_bytes) {
            return;
        }
        put_escape(buf, (unsigned char)s[run]);
        s += run + 1;
        len_bytes -= run + 1;
    }
}

void dsapi_json_put_string(dsapi_buf_t *buf, const char *s,
                           apr_size_t len_bytes)
{
    apr_size_t run = plain_run(s, len_bytes);
    char *out;

    dsapi_buf_grow(buf, run + 2);
    out = buf->data + buf->len_bytes;
    *out = '"';
    memcpy(out + 1, s, run);
    buf->len_bytes += run + 1;
    if (run < len_bytes) {
        put_text(buf, s + run, len_bytes - run);
    }
    dsapi_buf_putc(buf, '"');
}

/* The length of the character at s (left > 0); where it is not well-formed
 * UTF-8, minus the length of its maximal subpart (Unicode 15, 3.9, U+FFFD
 * Substitution of Maximal Subparts). */
static int utf8_step(const unsigned char *s, apr_size_t left)
{
    unsigned char low = 0x80;
    unsigned char high = 0xbf;
    int follow;

    if (s[0] < 0x80) {
        return 1;
    }
    if (s[0] < 0xc2 || s[0] > 0xf4) {
        return -1;
    }
    if (s[0] < 0xe0) {
        follow = 1;
    }
    else if (s[0] < 0xf0) {
        follow = 2;
        low = s[0] == 0xe0 ? 0xa0 : low;
        high = s[0] == 0xed ? 0x9f : high;
    }
    else {
        follow = 3;
        low = s[0] == 0xf0 ? 0x90 : low;
        high = s[0] == 0xf4 ? 0x8f : high;
    }
    for (int i = 1; i <= follow; i++) {
        if ((apr_size_t)i >= left || s[i] < low || s[i] > high) {
            return -i;
        }
        low = 0x80;
        high = 0xbf;
    }
    return follow + 1;
}

void dsapi_json_key(dsapi_json_writer_t *w, const char *name)
{
    place_comma(w);
    dsapi_json_put_string(w->buf, name, strlen(name));
    dsapi_buf_putc(w->buf, ':');
    w->after_key = 1;
}

void dsapi_json_string(dsapi_json_writer_t *w, const char *s)
{
    dsapi_json_string_n(w, s, s ? strlen(s) : 0);
}

void dsapi_json_string_n(dsapi_json_writer_t *w, const char *s,
                         apr_size_t len_bytes)
{
    apr_size_t start = 0;
    apr_size_t i = 0;

    if (!s) {
        dsapi_json_null(w);
        return;
    }
    place_comma(w);
    dsapi_buf_putc(w->buf, '"');
    while (i < len_bytes) {
        int step = utf8_step((const unsigned char *)s + i, len_bytes - i);

        if (step > 0) {
            i += (apr_size_t)step;
            continue;
        }
        put_text(w->buf, s + start, i - start);
        dsapi_buf_put(w->buf, "\xef\xbf\xbd", 3);
        i += (apr_size_t)-step;
        start = i;
    }
    put_text(w->buf, s + start, i - start);
    dsapi_buf_putc(w->buf, '"');
}

void dsapi_json_int(dsapi_json_writer_t *w, apr_int64_t value)
{
    char digits[20];
    apr_uint64_t rest = (apr_uint64_t)value;
    apr_size_t at = sizeof(digits);

    place_comma(w);
    if (value < 0) {
        dsapi_buf_putc(w->buf, '-');
        rest = 0 - rest;
    }
    do {
        digits[--at] = (char)('0' + (char)(rest % 10));
        rest /= 10;
    } while (rest);
    dsapi_buf_put(w->buf, digits + at, sizeof(digits) - at);
}

void dsapi_json_bool(dsapi_json_writer_t *w, int value)
{
    place_comma(w);
    if (value) {
        dsapi_buf_put(w->buf, "true", 4);
    }
    else {
        dsapi_buf_put(w->buf, "false", 5);
    }
}

void dsapi_json_null(dsapi_json_writer_t *w)
{
    place_comma(w);
    dsapi_buf_put(w->buf, "null", 4);
}

void dsapi_json_raw(dsapi_json_writer_t *w, const char *json,
                    apr_size_t len_bytes)
{
    place_comma(w);
    dsapi_buf_put(w->buf, json, len_bytes);
}

void dsapi_json_member(dsapi_json_writer_t *w, const char *name,
                       const char *value)
{
    dsapi_json_key(w, name);
    dsapi_json_string(w, value);
}
