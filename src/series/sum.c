/* Sums of doubles: see sum.h. */
#include "series/sum.h"

#include <math.h>
#include <string.h>

#define LIMB_BITS     32
#define LIMBS         70 /* 2098 bits of a double's range, and 2^31 carries */
#define FRACTION_BITS 52
#define EPSILON       0x1p-53

/* Two doubles at once. */
typedef double pair_t __attribute__((vector_size(16)));
typedef apr_int64_t bits_t __attribute__((vector_size(16)));

/* Two sums in the making: sum + rest is what was added, but for the rounding
 * of rest, which is some n * n * EPSILON^2 of size. */
typedef struct compensated_t {
    pair_t sum;
    pair_t rest; /* what rounding took from sum */
    pair_t size; /* the sum of the absolute values */
} compensated_t;

/* TwoSum (Knuth): what rounding takes from a sum is itself a double. */
static inline void add(compensated_t *acc, pair_t x)
{
    const bits_t no_sign = {APR_INT64_MAX, APR_INT64_MAX};
    pair_t sum = acc->sum + x;
    pair_t part = sum - acc->sum;

    acc->rest += (acc->sum - (sum - part)) + (x - part);
    acc->sum = sum;
    acc->size += (pair_t)((bits_t)x & no_sign);
}

/* Any sum of doubles, exactly: limbs of 32 bits, whose carries wait in the
 * upper halves. */
typedef struct exact_t {
    apr_int64_t limbs[LIMBS];
} exact_t;

/* @return 0: the value is not finite */
static int add_exactly(exact_t *acc, double x)
{
    const apr_uint64_t mask = 0xffffffff;
    unsigned __int128 shifted;
    apr_uint64_t bits;
    int biased;
    int at;

    memcpy(&bits, &x, sizeof(bits));
    biased = (int)(bits >> FRACTION_BITS) & 0x7ff;
    if (biased == 0x7ff) {
        return 0;
    }
    shifted = bits & ((APR_UINT64_C(1) << FRACTION_BITS) - 1);
    if (biased) {
        shifted |= APR_UINT64_C(1) << FRACTION_BITS;
        biased--;
    }
    shifted <<= biased % LIMB_BITS;
    at = biased / LIMB_BITS;
    for (int i = 0; i < 3; i++) {
        apr_int64_t part = (apr_int64_t)((apr_uint64_t)shifted & mask);

        acc->limbs[at + i] += bits >> 63 ? -part : part;
        shifted >>= LIMB_BITS;
    }
    return 1;
}

/* Bring all limbs but the last into 0..2^32-1. @return the last one's sign */
static int carry(exact_t *acc)
{
    for (int i = 0; i < LIMBS - 1; i++) {
        apr_int64_t low = acc->limbs[i] & 0xffffffff;

        /* what is left is a multiple of 2^32, so that dividing is exact */
        acc->limbs[i + 1] +=
            (acc->limbs[i] - low) / (APR_INT64_C(1) << LIMB_BITS);
        acc->limbs[i] = low;
    }
    return acc->limbs[LIMBS - 1] < 0;
}

/* The nearest double: of the 64 bits from the top, the lowest stands for all
 * that is below. */
static double rounded(exact_t *acc)
{
    int negative = carry(acc);
    int top = LIMBS - 1;
    int low_bits;
    apr_uint64_t bits;
    double size;

    for (int i = 0; negative && i < LIMBS; i++) {
        acc->limbs[i] = -acc->limbs[i];
    }
    if (negative) {
        carry(acc);
    }
    while (top > 1 && acc->limbs[top] == 0) {
        top--;
    }
    bits = (apr_uint64_t)acc->limbs[top] << LIMB_BITS |
           (apr_uint64_t)acc->limbs[top - 1];
    low_bits = (top - 1) * LIMB_BITS;
    if (top > 1 && bits) {
        int shift = __builtin_clzll(bits);
        int sticky = 0;

        for (int i = 0; i < top - 2; i++) {
            sticky |= acc->limbs[i] != 0;
        }
        if (shift) {
            apr_uint64_t next = (apr_uint64_t)acc->limbs[top - 2];

            bits = bits << shift | next >> (LIMB_BITS - shift);
            sticky |=
                (next & ((APR_UINT64_C(1) << (LIMB_BITS - shift)) - 1)) != 0;
        }
        else {
            sticky |= acc->limbs[top - 2] != 0;
        }
        bits |= (apr_uint64_t)sticky;
        low_bits -= shift;
    }
    size = ldexp((double)bits, low_bits - 1074);
    return negative ? -size : size;
}

/* What is added up, of each place. */
typedef enum term_e {
    VALUE,
    PRODUCT,
    DIFFERENCE,
    SQUARE
} term_e;

typedef struct terms_t {
    const double *x;
    const double *w; /* of PRODUCT */
    double about;    /* of DIFFERENCE and SQUARE */
} terms_t;

static inline double term(term_e kind, const terms_t *of, apr_size_t i)
{
    switch (kind) {
    case PRODUCT:
        return of->x[i] * of->w[i];
    case DIFFERENCE:
        return of->x[i] - of->about;
    case SQUARE:
        return (of->x[i] - of->about) * (of->x[i] - of->about);
    case VALUE:
        break;
    }
    return of->x[i];
}

static inline pair_t pair(term_e kind, const terms_t *of, apr_size_t i)
{
    return (pair_t){term(kind, of, i), term(kind, of, i + 1)};
}

static double exact_sum(term_e kind, const terms_t *of, apr_size_t n)
{
    exact_t acc = {{0}};

    for (apr_size_t i = 0; i < n; i++) {
        if (!add_exactly(&acc, term(kind, of, i))) {
            return NAN;
        }
    }
    return rounded(&acc);
}

/* Each kind has a loop of its own: hence inline. */
static inline __attribute__((always_inline)) double
sum_terms(term_e kind, const terms_t *of, apr_size_t n)
{
    /* two by two, as neither waits for the other */
    compensated_t even = {{0, 0}, {0, 0}, {0, 0}};
    compensated_t odd = even;
    double count = (double)n;
    double size;
    double total;
    apr_size_t i = 0;

    for (; i + 4 <= n; i += 4) {
        add(&even, pair(kind, of, i));
        add(&odd, pair(kind, of, i + 2));
    }
    for (; i < n; i++) {
        add(&even, (pair_t){term(kind, of, i), 0});
    }
    even.rest += odd.rest;
    even.size += odd.size;
    add(&even, odd.sum);
    even.rest += (pair_t){even.rest[1], 0};
    size = even.size[0] + even.size[1];
    add(&even, (pair_t){even.sum[1], 0});
    total = even.sum[0] + even.rest[0];
    /* can the rounding of rest matter? */
    if (isfinite(total) &&
        (size == 0 || 4 * count * count * EPSILON * size <= fabs(total))) {
        return total;
    }
    return exact_sum(kind, of, n);
}

double dsapi_series_sum(const double *values, apr_size_t n)
{
    return sum_terms(VALUE, &(terms_t){values, NULL, 0}, n);
}

double dsapi_series_sum_products(const double *values, const double *weights,
                                 apr_size_t n)
{
    return sum_terms(PRODUCT, &(terms_t){values, weights, 0}, n);
}

double dsapi_series_sum_whole(const double *values, apr_size_t n)
{
    pair_t even = {0, 0};
    pair_t odd = even;
    apr_size_t i = 0;

    for (; i + 4 <= n; i += 4) {
        even += (pair_t){values[i], values[i + 1]};
        odd += (pair_t){values[i + 2], values[i + 3]};
    }
    for (; i < n; i++) {
        even += (pair_t){values[i], 0};
    }
    even += odd;
    return even[0] + even[1];
}

double dsapi_series_spread(const double *values, apr_size_t n, double about)
{
    return n ? sum_terms(SQUARE, &(terms_t){values, NULL, about}, n) / (double)n
             : NAN;
}

double dsapi_series_variance(const double *values, apr_size_t n)
{
    double mean = n ? dsapi_series_sum(values, n) / (double)n : NAN;
    double off;
    double variance;

    /* the mean is rounded: by how much, the differences tell */
    off = sum_terms(DIFFERENCE, &(terms_t){values, NULL, mean}, n) / (double)n;
    variance = dsapi_series_spread(values, n, mean) - off * off;
    return variance < 0 ? 0 : variance;
}
