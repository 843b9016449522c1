/*
 * Strict numbers, intervals and sizes, as directives and limits use them.
 * Nothing may stand before or after; overflow is an error.
 */
#ifndef DSAPI_BASE_NUMBER_H
#define DSAPI_BASE_NUMBER_H

#include <apr_pools.h>
#include <apr_time.h>

#include "base/error.h"

/**
 * Parse a decimal integer: optional '-', digits.
 * @param pvalue  out: the number; untouched on error
 * @return APR_SUCCESS; DSAPI_ESYNTAX: not a number; DSAPI_ETOOBIG: outside
 *         min..max
 */
apr_status_t dsapi_base_parse_int(apr_int64_t *pvalue, const char *s,
                                  apr_int64_t min, apr_int64_t max);

/**
 * Parse a time span: digits and one of ms|s|min|h|d ("500ms", "1d").
 * @param pvalue  out: microseconds; untouched on error
 * @return APR_SUCCESS; DSAPI_ESYNTAX: no digits or no such unit;
 *         DSAPI_ETOOBIG: more than 100 years (36525d)
 */
apr_status_t dsapi_base_parse_interval(apr_interval_time_t *pvalue,
                                       const char *s);

/**
 * Parse a size: digits and an optional K, M or G (powers of 1024).
 * @param pvalue_bytes  out: bytes; untouched on error
 * @return APR_SUCCESS; DSAPI_ESYNTAX; DSAPI_ETOOBIG: above 2^53 bytes
 */
apr_status_t dsapi_base_parse_size(apr_off_t *pvalue_bytes, const char *s);

#endif
