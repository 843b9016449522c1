/*
 * Sums of doubles whose error does not grow with their number: each is the
 * exact sum, rounded to one of the two doubles next to it.
 */
#ifndef DSAPI_SERIES_SUM_H
#define DSAPI_SERIES_SUM_H

#include <apr.h>

/** All whole numbers up to this one are doubles. */
#define DSAPI_WHOLE_MAX 0x1p53

/**
 * Add up.
 * @param values  finite
 * @return the sum, off by less than one unit in its last place, whatever the
 *         order and the signs; exact where a double holds it (whole numbers
 *         up to 2^53). Not finite where no double is that large, or a value is
 *         not.
 */
double dsapi_series_sum(const double *values, apr_size_t n);

/** The sum of the products of values and weights, each of them rounded, as
 *  dsapi_series_sum. */
double dsapi_series_sum_products(const double *values, const double *weights,
                                 apr_size_t n);

/** The sum of whole numbers whose absolute values add up to DSAPI_WHOLE_MAX at
 *  most: in any order it is exact. */
double dsapi_series_sum_whole(const double *values, apr_size_t n);

/** The mean of the squared differences from a value.
 *  @return 0 or above; NaN: n is 0 */
double dsapi_series_spread(const double *values, apr_size_t n, double about);

/**
 * The variance of all of these values (divided by n, not n - 1): their mean
 * squared difference from their mean.
 * @return 0 or above, 0 where all are equal; NaN: n is 0
 */
double dsapi_series_variance(const double *values, apr_size_t n);

#endif
