/* Zone files: see zone.h. */
#include "time/zone.h"

#include <apr_strings.h>
#include <string.h>

#include "base/calendar.h"

#define HEADER_BYTES 44
#define COUNTS_AT    20 /* in the header */
#define TYPE_BYTES   6
#define COUNT_MAX    65536
#define TYPES_MAX    256
#define OFFSET_MAX_S (26 * 3600)
#define DAY_S        86400
#define OFFSET_SIZE  sizeof("+hh:mm:ss")
#define TIME_SIZE    sizeof("999999-12-31T23:59:59.123456+hh:mm:ss")

struct dsapi_zone_t {
    apr_int64_t *at;   /* the changes, ascending: seconds since 1970 */
    unsigned char *to; /* the clock from then on */
    int nchanges;
    dsapi_clock_t *clocks; /* the first is the one before all changes */
    int has_rule;
    dsapi_rule_t rule; /* from the last change on */
};

/* How many of what a block holds, in the header's order. */
typedef struct counts_t {
    apr_size_t is_ut;
    apr_size_t is_std;
    apr_size_t leaps;
    apr_size_t changes;
    apr_size_t types;
    apr_size_t chars;
} counts_t;

/* Big-endian, two's complement. */
static apr_uint64_t number_at(const unsigned char *p, int bytes)
{
    apr_uint64_t value = 0;

    for (int i = 0; i < bytes; i++) {
        value = value << 8 | p[i];
    }
    return value;
}

/* Reads a header. @return 1; 0: there is none */
static int read_header(counts_t *counts, const unsigned char *p,
                       const unsigned char *end)
{
    apr_size_t n[6];

    if (end - p < HEADER_BYTES || memcmp(p, "TZif", 4) != 0 || p[4] < '2') {
        return 0;
    }
    for (apr_size_t i = 0; i < 6; i++) {
        n[i] = (apr_size_t)number_at(p + COUNTS_AT + 4 * i, 4);
        if (n[i] > COUNT_MAX) {
            return 0;
        }
    }
    *counts = (counts_t){n[0], n[1], n[2], n[3], n[4], n[5]};
    return 1;
}

/* The bytes behind a header, with times of so many bytes. */
static apr_size_t block_bytes(const counts_t *n, apr_size_t time_bytes)
{
    return n->changes * (time_bytes + 1) + n->types * TYPE_BYTES + n->chars +
           n->leaps * (time_bytes + 4) + n->is_std + n->is_ut;
}

static int is_abbreviation(const char *s)
{
    const char *p = s;

    for (; *p; p++) {
        if (!((*p >= 'A' && *p <= 'Z') || (*p >= 'a' && *p <= 'z') ||
              (*p >= '0' && *p <= '9') || *p == '+' || *p == '-')) {
            return 0;
        }
    }
    return p > s;
}

static int read_changes(dsapi_zone_t *zone, const counts_t *n,
                        const unsigned char *p, apr_pool_t *pool)
{
    zone->nchanges = (int)n->changes;
    zone->at = apr_palloc(pool, (n->changes + 1) * sizeof(apr_int64_t));
    zone->to = apr_pmemdup(pool, p + n->changes * 8, n->changes);
    for (int i = 0; i < zone->nchanges; i++) {
        zone->at[i] = (apr_int64_t)number_at(p + 8 * (apr_size_t)i, 8);
        if (zone->to[i] >= n->types ||
            (i > 0 && zone->at[i] <= zone->at[i - 1])) {
            return 0;
        }
    }
    return 1;
}

static int read_clocks(dsapi_zone_t *zone, const counts_t *n,
                       const unsigned char *p, apr_pool_t *pool)
{
    const unsigned char *chars = p + n->types * TYPE_BYTES;
    const char *names;

    if (n->types == 0 || n->types > TYPES_MAX || n->chars == 0 ||
        chars[n->chars - 1] != '\0') {
        return 0;
    }
    names = apr_pmemdup(pool, chars, n->chars);
    zone->clocks = apr_palloc(pool, n->types * sizeof(dsapi_clock_t));
    for (apr_size_t i = 0; i < n->types; i++, p += TYPE_BYTES) {
        dsapi_clock_t *clock = &zone->clocks[i];

        clock->offset_s = (int)(apr_int32_t)number_at(p, 4);
        clock->dst = p[4];
        if (clock->offset_s <= -OFFSET_MAX_S ||
            clock->offset_s >= OFFSET_MAX_S || clock->dst > 1 ||
            p[5] >= n->chars || !is_abbreviation(names + p[5])) {
            return 0;
        }
        clock->abbreviation = names + p[5];
    }
    return 1;
}

/* The footer: a rule, or nothing, between two new lines. */
static int read_rule(dsapi_zone_t *zone, const unsigned char *p,
                     const unsigned char *end, apr_pool_t *pool)
{
    const unsigned char *last;
    const char *text;

    if (p >= end || *p != '\n') {
        return 0;
    }
    last = memchr(p + 1, '\n', (apr_size_t)(end - p - 1));
    if (!last) {
        return 0;
    }
    text =
        apr_pstrmemdup(pool, (const char *)p + 1, (apr_size_t)(last - p - 1));
    zone->has_rule = *text != '\0';
    return !zone->has_rule ||
           dsapi_time_rule_parse(&zone->rule, text, pool) == APR_SUCCESS;
}

apr_status_t dsapi_time_zone_parse(dsapi_zone_t **pzone, const char *bytes,
                                   apr_size_t len_bytes, apr_pool_t *pool)
{
    const unsigned char *p = (const unsigned char *)bytes;
    const unsigned char *end = p + len_bytes;
    dsapi_zone_t *zone = apr_pcalloc(pool, sizeof(*zone));
    apr_size_t block;
    counts_t n;

    *pzone = NULL;
    /* The 32-bit data come first, for readers of long ago. */
    if (!read_header(&n, p, end)) {
        return DSAPI_ESYNTAX;
    }
    block = block_bytes(&n, 4);
    if ((apr_size_t)(end - p) < HEADER_BYTES + block ||
        !read_header(&n, p + HEADER_BYTES + block, end)) {
        return DSAPI_ESYNTAX;
    }
    p += HEADER_BYTES + block + HEADER_BYTES;
    block = block_bytes(&n, 8);
    if ((apr_size_t)(end - p) < block || n.leaps > 0 ||
        !read_changes(zone, &n, p, pool) ||
        !read_clocks(zone, &n, p + n.changes * 9, pool) ||
        !read_rule(zone, p + block, end, pool)) {
        return DSAPI_ESYNTAX;
    }
    *pzone = zone;
    return APR_SUCCESS;
}

const dsapi_clock_t *dsapi_time_zone_at(const dsapi_zone_t *zone,
                                        apr_int64_t seconds)
{
    int low = 0; /* that many changes are not later */
    int high = zone->nchanges;

    while (low < high) {
        int middle = low + (high - low) / 2;

        if (zone->at[middle] <= seconds) {
            low = middle + 1;
        }
        else {
            high = middle;
        }
    }
    if (low == zone->nchanges && zone->has_rule) {
        return dsapi_time_rule_at(&zone->rule, seconds);
    }
    return &zone->clocks[low > 0 ? zone->to[low - 1] : 0];
}

/* Writing */

/* At least so many digits; returns the end of what it wrote. */
static char *put_number(char *out, apr_int64_t value, int digits)
{
    char text[20];
    int n = 0;

    do {
        text[n++] = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0 || n < digits);
    while (n > 0) {
        *out++ = text[--n];
    }
    return out;
}

/* hh:mm:ss, or hh:mm where the seconds are 0 and may be left out. */
static char *put_clock(char *out, int seconds, int brief)
{
    out = put_number(out, seconds / 3600, 2);
    *out++ = ':';
    out = put_number(out, seconds / 60 % 60, 2);
    if (!brief || seconds % 60) {
        *out++ = ':';
        out = put_number(out, seconds % 60, 2);
    }
    return out;
}

static void put_offset(char *out, int offset_s)
{
    *out = offset_s < 0 ? '-' : '+';
    out = put_clock(out + 1, offset_s < 0 ? -offset_s : offset_s, 1);
    *out = '\0';
}

static void put_time(char *out, apr_int64_t local_s, int micros,
                     const char *offset)
{
    int second = (int)(((local_s % DAY_S) + DAY_S) % DAY_S);
    int year;
    int month;
    int day;

    dsapi_base_date_of(&year, &month, &day, (local_s - second) / DAY_S);
    out = put_number(out, year, 4);
    *out++ = '-';
    out = put_number(out, month, 2);
    *out++ = '-';
    out = put_number(out, day, 2);
    *out++ = 'T';
    out = put_clock(out, second, 0);
    *out++ = '.';
    out = put_number(out, micros, 6);
    memcpy(out, offset, strlen(offset) + 1);
}

static void put_text(dsapi_buf_t *buf, const char *text)
{
    dsapi_buf_put(buf, text, strlen(text));
}

void dsapi_time_zone_write(dsapi_buf_t *buf, const char *name,
                           const dsapi_zone_t *zone, apr_time_t instant)
{
    int micros = (int)(((instant % APR_USEC_PER_SEC) + APR_USEC_PER_SEC) %
                       APR_USEC_PER_SEC);
    apr_int64_t seconds = (instant - micros) / APR_USEC_PER_SEC;
    const dsapi_clock_t *clock = dsapi_time_zone_at(zone, seconds);
    apr_uint64_t absolute =
        instant < 0 ? 0 - (apr_uint64_t)instant : (apr_uint64_t)instant;
    char offset[OFFSET_SIZE];
    char text[TIME_SIZE];
    char *end;

    put_offset(offset, clock->offset_s);
    put_time(text, seconds + clock->offset_s, micros, offset);
    put_text(buf, "{\"time\":\"");
    put_text(buf, text);
    put_text(buf, "\",\"timezone\":\"");
    put_text(buf, name);
    put_text(buf, "\",\"abbreviation\":\"");
    put_text(buf, clock->abbreviation);
    put_text(buf, "\",\"offset\":\"");
    put_text(buf, offset);
    put_text(buf, instant < 0 ? "\",\"epoch\":-" : "\",\"epoch\":");
    end = put_number(text, (apr_int64_t)(absolute / APR_USEC_PER_SEC), 1);
    *end++ = '.';
    end = put_number(end, (apr_int64_t)(absolute % APR_USEC_PER_SEC), 6);
    dsapi_buf_put(buf, text, (apr_size_t)(end - text));
    put_text(buf, clock->dst ? ",\"dst\":true}" : ",\"dst\":false}");
}
