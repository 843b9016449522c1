#include <string.h>

#include "base/number.h"

#define INTERVAL_MAX_US (APR_INT64_C(36525) * 86400 * APR_USEC_PER_SEC)
#define SIZE_MAX_BYTES  (APR_INT64_C(1) << 53)

typedef struct unit_t {
    const char *name;
    apr_int64_t factor;
} unit_t;

static const unit_t interval_units[] = {
    {"ms", 1000},
    {"s", APR_USEC_PER_SEC},
    {"min", 60 * APR_USEC_PER_SEC},
    {"h", 3600 * APR_USEC_PER_SEC},
    {"d", 86400 * APR_USEC_PER_SEC},
    {NULL, 0},
};

static const unit_t size_units[] = {
    {"", 1}, {"K", 1 << 10}, {"M", 1 << 20}, {"G", 1 << 30}, {NULL, 0},
};

/*
 * Read digits; past 2^64 - 1 the value stays there (which no limit of ours
 * allows). Returns what is behind them, s itself if there are none.
 */
static const char *scan_digits(apr_uint64_t *pvalue, const char *s)
{
    apr_uint64_t value = 0;

    for (; *s >= '0' && *s <= '9'; s++) {
        unsigned digit = (unsigned)(*s - '0');

        if (value > (APR_UINT64_MAX - digit) / 10) {
            value = APR_UINT64_MAX;
        }
        else {
            value = value * 10 + digit;
        }
    }
    *pvalue = value;
    return s;
}

apr_status_t dsapi_base_parse_int(apr_int64_t *pvalue, const char *s,
                                  apr_int64_t min, apr_int64_t max)
{
    int negative = *s == '-';
    const char *digits = s + negative;
    apr_uint64_t magnitude;
    const char *end = scan_digits(&magnitude, digits);
    apr_int64_t value;

    if (end == digits || *end) {
        return DSAPI_ESYNTAX;
    }
    if (magnitude > (apr_uint64_t)APR_INT64_MAX + (unsigned)negative) {
        return DSAPI_ETOOBIG;
    }
    value = negative && magnitude ? -(apr_int64_t)(magnitude - 1) - 1
                                  : (apr_int64_t)magnitude;
    if (value < min || value > max) {
        return DSAPI_ETOOBIG;
    }
    *pvalue = value;
    return APR_SUCCESS;
}

/* Digits and one of the units, at most max in the unit whose factor is 1. */
static apr_status_t parse_quantity(apr_int64_t *pvalue, const char *s,
                                   const unit_t *unit, apr_int64_t max)
{
    apr_uint64_t count;
    const char *end = scan_digits(&count, s);

    if (end == s) {
        return DSAPI_ESYNTAX;
    }
    for (; unit->name; unit++) {
        if (strcmp(end, unit->name) == 0) {
            if (count > (apr_uint64_t)(max / unit->factor)) {
                return DSAPI_ETOOBIG;
            }
            *pvalue = (apr_int64_t)count * unit->factor;
            return APR_SUCCESS;
        }
    }
    return DSAPI_ESYNTAX;
}

apr_status_t dsapi_base_parse_interval(apr_interval_time_t *pvalue,
                                       const char *s)
{
    return parse_quantity(pvalue, s, interval_units, INTERVAL_MAX_US);
}

apr_status_t dsapi_base_parse_size(apr_off_t *pvalue_bytes, const char *s)
{
    apr_int64_t bytes;
    apr_status_t rv = parse_quantity(&bytes, s, size_units, SIZE_MAX_BYTES);

    if (rv == APR_SUCCESS) {
        *pvalue_bytes = (apr_off_t)bytes;
    }
    return rv;
}
