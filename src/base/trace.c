/* W3C Trace Context: see trace.h. */
#include "base/trace.h"

#include <apr_strings.h>
#include <string.h>

/* Where the parts are, and how long: version, trace, span, flags. */
#define TRACE_AT  3
#define TRACE_LEN 32
#define SPAN_AT   36
#define SPAN_LEN  16
#define FLAGS_AT  53

static int is_hex(const char *s, apr_size_t len)
{
    return strspn(s, "0123456789abcdef") >= len;
}

static int is_zero(const char *s, apr_size_t len)
{
    return strspn(s, "0") >= len;
}

static int is_valid(const char *s)
{
    apr_size_t len = s ? strlen(s) : 0;

    if (len < DSAPI_TRACE_SIZE - 1 || !is_hex(s, 2) ||
        strncmp(s, "ff", 2) == 0 || s[2] != '-' || s[35] != '-' ||
        s[52] != '-' || !is_hex(s + TRACE_AT, TRACE_LEN) ||
        !is_hex(s + SPAN_AT, SPAN_LEN) || !is_hex(s + FLAGS_AT, 2)) {
        return 0;
    }
    if (len > DSAPI_TRACE_SIZE - 1 &&
        (strncmp(s, "00", 2) == 0 || s[DSAPI_TRACE_SIZE - 1] != '-')) {
        return 0; /* only later versions have more behind */
    }
    return !is_zero(s + TRACE_AT, TRACE_LEN) && !is_zero(s + SPAN_AT, SPAN_LEN);
}

static void put_hex(char *out, const unsigned char *bytes, apr_size_t n)
{
    static const char digits[] = "0123456789abcdef";

    for (apr_size_t i = 0; i < n; i++) {
        *out++ = digits[bytes[i] >> 4];
        *out++ = digits[bytes[i] & 15];
    }
}

/* Sampled and random-trace-id; of the others nobody knows what they mean, and
 * they are to be zero. In the last of the two hex digits. */
static char known_flags(char hex)
{
    int value = hex <= '9' ? hex - '0' : hex - 'a' + 10;

    return (char)('0' + (value & 3));
}

void dsapi_base_trace(char out[DSAPI_TRACE_SIZE], const char *given,
                      const unsigned char random[DSAPI_TRACE_RANDOM_BYTES])
{
    memcpy(out, "00-00000000000000000000000000000001-0000000000000001-00",
           DSAPI_TRACE_SIZE);
    if (is_valid(given)) {
        memcpy(out + TRACE_AT, given + TRACE_AT, TRACE_LEN);
        out[FLAGS_AT + 1] = known_flags(given[FLAGS_AT + 1]);
    }
    else {
        put_hex(out + TRACE_AT, random + SPAN_LEN / 2, TRACE_LEN / 2);
    }
    put_hex(out + SPAN_AT, random, SPAN_LEN / 2);
    if (is_zero(out + SPAN_AT, SPAN_LEN)) {
        out[SPAN_AT] = '1';
    }
    if (is_zero(out + TRACE_AT, TRACE_LEN)) {
        out[TRACE_AT] = '1';
    }
}

void dsapi_base_uuid(char out[DSAPI_UUID_SIZE],
                     const unsigned char random[DSAPI_UUID_RANDOM_BYTES])
{
    static const char variants[] = "89ab";

    memcpy(out, "00000000-0000-4000-8000-000000000000", DSAPI_UUID_SIZE);
    put_hex(out, random, 4);
    put_hex(out + 9, random + 4, 2);
    put_hex(out + 14, random + 6, 2);
    put_hex(out + 19, random + 8, 2);
    put_hex(out + 24, random + 10, 6);
    out[14] = '4';
    out[19] = variants[random[8] >> 6];
}

const char *dsapi_base_trace_id(const char *traceparent, apr_pool_t *pool)
{
    return apr_pstrmemdup(pool, traceparent + TRACE_AT, TRACE_LEN);
}
