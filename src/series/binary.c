/* PostgreSQL's binary format: see binary.h. */
#include "series/binary.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/calendar.h"
#include "db/db.h"
#include "json/double.h"
#include "series/sum.h"

#define DAY_OF_2000 10957 /* day 0 of PostgreSQL */
#define DAY_MIN     (-719162)
#define DAY_MAX     2932896

/* numeric: four numbers of 16 bits, then digits to the base 10000, of which
 * the first has the weight 10000^weight. */
#define NUMERIC_HEAD     8
#define NUMERIC_NEGATIVE 0x4000
#define NUMERIC_NAN      0xC000 /* from here on it is no number */
#define NUMERIC_INFINITE 0xD000

/* 10^22 is the largest power of ten that is a double. */
#define EXACT_POWER_MAX 22

typedef struct numeric_t {
    int ndigits;
    int weight;
    unsigned sign;
    int scale; /* decimal digits behind the point */
    const char *digits;
} numeric_t;

static apr_uint64_t read_bits(const char *bytes, apr_size_t n)
{
    apr_uint64_t value = 0;

    for (apr_size_t i = 0; i < n; i++) {
        value = value << 8 | (unsigned char)bytes[i];
    }
    return value;
}

/* Two's complement of 2, 4 or 8 bytes. */
static apr_int64_t read_int(const char *bytes, apr_size_t n)
{
    unsigned unused_bits = 64 - 8 * (unsigned)n;
    apr_int64_t value = (apr_int64_t)(read_bits(bytes, n) << unused_bits);

    return value >> unused_bits;
}

static double read_double(const char *bytes)
{
    apr_uint64_t bits = read_bits(bytes, 8);
    double value;

    memcpy(&value, &bits, sizeof(value));
    return value;
}

int dsapi_series_binary_type(unsigned type)
{
    switch (type) {
    case DSAPI_OID_BOOL:
    case DSAPI_OID_INT2:
    case DSAPI_OID_INT4:
    case DSAPI_OID_INT8:
    case DSAPI_OID_FLOAT8:
    case DSAPI_OID_NUMERIC:
    case DSAPI_OID_DATE:
    case DSAPI_OID_NAME:
    case DSAPI_OID_TEXT:
    case DSAPI_OID_BPCHAR:
    case DSAPI_OID_VARCHAR:
        return 1;
    default:
        return 0;
    }
}

/* The size of what is always as long. @return 0: it is not */
static apr_size_t fixed_size(unsigned type)
{
    switch (type) {
    case DSAPI_OID_BOOL:
        return 1;
    case DSAPI_OID_INT2:
        return 2;
    case DSAPI_OID_INT4:
    case DSAPI_OID_DATE:
        return 4;
    case DSAPI_OID_INT8:
    case DSAPI_OID_FLOAT8:
        return 8;
    default:
        return 0;
    }
}

int dsapi_series_binary_day(apr_int32_t *pday, const char *bytes,
                            apr_size_t len_bytes)
{
    apr_int64_t day;

    if (len_bytes != fixed_size(DSAPI_OID_DATE)) {
        return 0;
    }
    day = read_int(bytes, len_bytes) + DAY_OF_2000;
    if (day < DAY_MIN || day > DAY_MAX) {
        return 0;
    }
    *pday = (apr_int32_t)day;
    return 1;
}

/* @return 0: it has not that form */
static int read_numeric(numeric_t *numeric, const char *bytes,
                        apr_size_t len_bytes)
{
    if (len_bytes < NUMERIC_HEAD) {
        return 0;
    }
    numeric->ndigits = (int)read_bits(bytes, 2);
    numeric->weight = (int)read_int(bytes + 2, 2);
    numeric->sign = (unsigned)read_bits(bytes + 4, 2);
    numeric->scale = (int)read_bits(bytes + 6, 2);
    numeric->digits = bytes + NUMERIC_HEAD;
    return len_bytes == NUMERIC_HEAD + 2 * (apr_size_t)numeric->ndigits;
}

/* Four decimal digits; those that are not there are zeros. */
static unsigned digit_of(const numeric_t *numeric, int i)
{
    return i >= 0 && i < numeric->ndigits
               ? (unsigned)read_bits(numeric->digits + 2 * (apr_size_t)i, 2)
               : 0;
}

static void put_text(dsapi_buf_t *out, const char *text)
{
    dsapi_buf_put(out, text, strlen(text));
}

static void put_numeric(dsapi_buf_t *out, const numeric_t *numeric)
{
    char text[16];

    if (numeric->sign >= NUMERIC_NAN) {
        put_text(out, numeric->sign == NUMERIC_NAN        ? "NaN"
                      : numeric->sign == NUMERIC_INFINITE ? "Infinity"
                                                          : "-Infinity");
        return;
    }
    if (numeric->sign == NUMERIC_NEGATIVE) {
        dsapi_buf_putc(out, '-');
    }
    (void)snprintf(text, sizeof(text), "%u",
                   numeric->weight < 0 ? 0 : digit_of(numeric, 0));
    put_text(out, text);
    for (int i = 1; i <= numeric->weight; i++) {
        (void)snprintf(text, sizeof(text), "%04u", digit_of(numeric, i));
        dsapi_buf_put(out, text, 4);
    }
    if (numeric->scale > 0) {
        dsapi_buf_putc(out, '.');
    }
    for (int left = numeric->scale, i = numeric->weight + 1; left > 0;
         left -= 4, i++) {
        (void)snprintf(text, sizeof(text), "%04u", digit_of(numeric, i));
        dsapi_buf_put(out, text, left < 4 ? (apr_size_t)left : 4);
    }
}

/* A whole number and a power of ten that are doubles: their product or
 * quotient is rounded but once. @return 0: they are not */
static int exact_numeric(double *pvalue, const numeric_t *numeric)
{
    apr_int64_t whole = 0;
    int power = 4 * (numeric->weight + 1 - numeric->ndigits);
    double ten = 1;

    for (int i = 0; i < numeric->ndigits; i++) {
        if (whole > (apr_int64_t)DSAPI_WHOLE_MAX / 10000 - 1) {
            return 0;
        }
        whole = whole * 10000 + digit_of(numeric, i);
    }
    if (power > EXACT_POWER_MAX || power < -EXACT_POWER_MAX) {
        return 0;
    }
    for (int i = 0; i < abs(power); i++) {
        ten *= 10;
    }
    *pvalue = power < 0 ? (double)whole / ten : (double)whole * ten;
    if (numeric->sign == NUMERIC_NEGATIVE) {
        *pvalue = -*pvalue;
    }
    return 1;
}

double dsapi_series_binary_number(unsigned type, const char *bytes,
                                  apr_size_t len_bytes, locale_t locale,
                                  dsapi_buf_t *space)
{
    numeric_t numeric;
    double value;

    if (type == DSAPI_OID_NUMERIC) {
        if (!read_numeric(&numeric, bytes, len_bytes) ||
            numeric.sign >= NUMERIC_NAN) {
            return NAN;
        }
        if (exact_numeric(&value, &numeric)) {
            return value;
        }
        space->len_bytes = 0;
        put_numeric(space, &numeric);
        return strtod_l(dsapi_buf_str(space), NULL, locale);
    }
    if (len_bytes != fixed_size(type)) {
        return NAN;
    }
    return type == DSAPI_OID_FLOAT8 ? read_double(bytes)
                                    : (double)read_int(bytes, len_bytes);
}

static void put_double(dsapi_buf_t *out, double value)
{
    if (isfinite(value)) {
        dsapi_json_put_double(out, value);
    }
    else {
        put_text(out, isnan(value) ? "NaN"
                      : value > 0  ? "Infinity"
                                   : "-Infinity");
    }
}

/* ISO 8601, and what PostgreSQL has beyond it. */
static void put_date(dsapi_buf_t *out, apr_int64_t day)
{
    char text[40];
    int year;
    int month;
    int dom;

    if (day == APR_INT32_MAX || day == APR_INT32_MIN) {
        put_text(out, day > 0 ? "infinity" : "-infinity");
        return;
    }
    dsapi_base_date_of(&year, &month, &dom, day + DAY_OF_2000);
    (void)snprintf(text, sizeof(text), "%04d-%02d-%02d%s",
                   year > 0 ? year : 1 - year, month, dom,
                   year > 0 ? "" : " BC");
    put_text(out, text);
}

/* Of the right length. */
static void put_fixed(dsapi_buf_t *out, unsigned type, const char *bytes,
                      apr_size_t len_bytes)
{
    char text[24];

    switch (type) {
    case DSAPI_OID_BOOL:
        put_text(out, *bytes ? "t" : "f");
        return;
    case DSAPI_OID_FLOAT8:
        put_double(out, read_double(bytes));
        return;
    case DSAPI_OID_DATE:
        put_date(out, read_int(bytes, len_bytes));
        return;
    default:
        (void)snprintf(text, sizeof(text), "%" APR_INT64_T_FMT,
                       read_int(bytes, len_bytes));
        put_text(out, text);
    }
}

void dsapi_series_binary_text(dsapi_buf_t *out, unsigned type,
                              const char *bytes, apr_size_t len_bytes)
{
    apr_size_t size = fixed_size(type);
    numeric_t numeric;

    if (type == DSAPI_OID_NUMERIC) {
        if (read_numeric(&numeric, bytes, len_bytes)) {
            put_numeric(out, &numeric);
        }
    }
    else if (size == 0) {
        dsapi_buf_put(out, bytes, len_bytes);
    }
    else if (size == len_bytes) {
        put_fixed(out, type, bytes, len_bytes);
    }
}
