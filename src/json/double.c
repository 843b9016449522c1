/*
 * The shortest decimal of a double: Schubfach (Raffaello Giulietti, "The
 * Schubfach way to render doubles", 2020).
 *
 * A double c * 2^q stands for all numbers nearer to it than to its neighbours.
 * With k the largest power of ten that is no wider than this interval, at most
 * one multiple of 10^(k+1) and at least one of 10^k lie within. The interval's
 * bounds and the double are scaled to quarters of 10^k by one multiplication
 * with 128 bits each, of which only "is it exact" is kept below the point
 * (round to odd): that is enough to compare them with integers.
 */
#include "json/double.h"

#include <math.h>
#include <stdlib.h>

#include "json/powers.h"

#define FRACTION_BITS 52
#define HIDDEN_BIT    (APR_UINT64_C(1) << FRACTION_BITS)
#define BIAS          1075 /* of the exponent of an integer significand */

/* Fixed notation from 10^-4 to below 10^15, as PostgreSQL has it. */
#define FIXED_MIN (-4)
#define FIXED_MAX 15

#define DIGITS 20 /* of 64 bits */
#define ROOM   17 /* of a double's digits */

/* digits * 10^exponent */
typedef struct decimal_t {
    apr_uint64_t digits;
    int exponent;
} decimal_t;

static const char pairs[] = "0001020304050607080910111213141516171819"
                            "2021222324252627282930313233343536373839"
                            "4041424344454647484950515253545556575859"
                            "6061626364656667686970717273747576777879"
                            "8081828384858687888990919293949596979899";

/* floor(log2(10^k)), |k| <= 1233 */
static int log2_of_power(int k)
{
    return (k * 1741647) >> 19;
}

/* floor(log10(2^q)), or floor(log10(3/4 * 2^q)), |q| <= 1500 */
static int log10_of_power(int q, int three_quarters)
{
    return (q * 1262611 - (three_quarters ? 524031 : 0)) >> 22;
}

/* The upper 64 bits of g * c, the lowest of them set if anything but a little
 * is below: what g is too large by cannot make that up. */
static apr_uint64_t scale(const apr_uint64_t g[2], apr_uint64_t c)
{
    unsigned __int128 low = (unsigned __int128)g[1] * c;
    unsigned __int128 high = (unsigned __int128)g[0] * c;
    apr_uint64_t middle;

    high += (apr_uint64_t)(low >> 64);
    middle = (apr_uint64_t)high;
    return (apr_uint64_t)(high >> 64) | (middle > 1);
}

/* Of the two multiples next to the double, low and low + 1 (each four
 * quarters), the one that alone is within; if both or none are: -1. */
static int only_one_within(apr_uint64_t low, apr_uint64_t width,
                           apr_uint64_t lower, apr_uint64_t upper)
{
    int low_within = lower <= 4 * width * low;
    int high_within = 4 * width * (low + 1) <= upper;

    return low_within == high_within ? -1 : high_within;
}

/* c * 2^q, not 0, as the shortest decimal */
static decimal_t shortest(apr_uint64_t c, int q, int near_below)
{
    int k = log10_of_power(q, near_below);
    int h = q + log2_of_power(-k) + 1;
    const apr_uint64_t *g = dsapi_powers[-k - DSAPI_POWER_MIN];
    /* the bounds themselves are left out: hence + 1 and - 1 */
    apr_uint64_t lower = scale(g, (4 * c - 2 + (apr_uint64_t)near_below) << h);
    apr_uint64_t value = scale(g, (4 * c) << h);
    apr_uint64_t upper = scale(g, (4 * c + 2) << h);
    apr_uint64_t s = value / 4;
    apr_uint64_t middle = 4 * s + 2;
    int up;

    lower++;
    upper--;
    if (s >= 10) {
        up = only_one_within(s / 10, 10, lower, upper);
        if (up >= 0) {
            return (decimal_t){s / 10 + (apr_uint64_t)up, k + 1};
        }
    }
    up = only_one_within(s, 1, lower, upper);
    if (up < 0) {
        up = value > middle || (value == middle && (s & 1));
    }
    return (decimal_t){s + (apr_uint64_t)up, k};
}

/* What to write for a double above 0. */
static decimal_t decimal_of(apr_uint64_t bits)
{
    apr_uint64_t fraction = bits & (HIDDEN_BIT - 1);
    int biased = (int)(bits >> FRACTION_BITS);
    apr_uint64_t c = biased ? HIDDEN_BIT | fraction : fraction;
    int q = (biased ? biased : 1) - BIAS;

    if (q <= 0 && q > -FRACTION_BITS - 1 &&
        (c & ((APR_UINT64_C(1) << -q) - 1)) == 0) {
        return (decimal_t){c >> -q, 0}; /* a whole number */
    }
    return shortest(c, q, fraction == 0 && biased > 1);
}

static void put_pair(char *out, apr_uint64_t pair)
{
    memcpy(out, pairs + 2 * pair, 2);
}

/* Eight digits, with zeros before them. */
static void put_eight(char *out, apr_uint64_t eight)
{
    apr_uint64_t high = eight / 10000;
    apr_uint64_t low = eight % 10000;

    put_pair(out, high / 100);
    put_pair(out + 2, high % 100);
    put_pair(out + 4, low / 100);
    put_pair(out + 6, low % 100);
}

/* The digits of a number above 0. @param out  DIGITS bytes
 * @return where they begin; they end with out */
static const char *put_digits(char *out, apr_uint64_t digits)
{
    char *p = out + DIGITS;

    while (digits >= 100000000) {
        p -= 8;
        put_eight(p, digits % 100000000);
        digits /= 100000000;
    }
    while (digits >= 100) {
        p -= 2;
        put_pair(p, digits % 100);
        digits /= 100;
    }
    if (digits >= 10) {
        p -= 2;
        put_pair(p, digits);
    }
    else {
        *--p = (char)('0' + (char)digits);
    }
    return p;
}

/* 1.5e+20: at least two digits of exponent */
static char *put_exponent(char *out, int exponent)
{
    apr_uint64_t size = (apr_uint64_t)abs(exponent);

    *out++ = 'e';
    *out++ = exponent < 0 ? '-' : '+';
    if (size >= 100) {
        *out++ = (char)('0' + (char)(size / 100));
    }
    put_pair(out, size % 100);
    return out + 2;
}

/* n bytes of ROOM that may be read and written: a copy of known size is but
 * two instructions. */
static char *put_bytes(char *out, const char *from, int n)
{
    memcpy(out, from, ROOM);
    return out + n;
}

/* n digits, of which the first has the weight 10^exponent
 * @param digits  room for ROOM bytes from each of them on */
static char *put_decimal(char *out, const char *digits, int n, int exponent)
{
    static const char zeros[ROOM + 1] = "00000000000000000";

    if (exponent < FIXED_MIN || exponent >= FIXED_MAX) {
        *out++ = *digits;
        if (n > 1) {
            *out++ = '.';
            out = put_bytes(out, digits + 1, n - 1);
        }
        return put_exponent(out, exponent);
    }
    if (exponent < 0) {
        *out++ = '0';
        *out++ = '.';
        out = put_bytes(out, zeros, -exponent - 1);
        return put_bytes(out, digits, n);
    }
    if (n <= exponent + 1) {
        out = put_bytes(out, digits, n);
        return put_bytes(out, zeros, exponent + 1 - n);
    }
    out = put_bytes(out, digits, exponent + 1);
    *out++ = '.';
    return put_bytes(out, digits + exponent + 1, n - exponent - 1);
}

apr_size_t dsapi_json_format_double(char *out, double value)
{
    char space[DIGITS + ROOM] = "";
    char *p = out;
    apr_uint64_t bits;
    decimal_t decimal;
    const char *digits;
    int n;

    memcpy(&bits, &value, sizeof(bits));
    if (bits >> 63) {
        *p++ = '-';
        bits &= ~(APR_UINT64_C(1) << 63);
    }
    if (bits == 0) {
        *p++ = '0';
        return (apr_size_t)(p - out);
    }
    decimal = decimal_of(bits);
    digits = put_digits(space, decimal.digits);
    n = (int)(space + DIGITS - digits);
    decimal.exponent += n - 1;
    while (digits[n - 1] == '0') {
        n--;
    }
    return (apr_size_t)(put_decimal(p, digits, n, decimal.exponent) - out);
}

void dsapi_json_put_double(dsapi_buf_t *buf, double value)
{
    if (!isfinite(value)) {
        dsapi_buf_put(buf, "null", 4);
        return;
    }
    dsapi_buf_grow(buf, DSAPI_JSON_DOUBLE_MAX);
    buf->len_bytes +=
        dsapi_json_format_double(buf->data + buf->len_bytes, value);
}
