/* What is computed of the values of a cell. */
#ifndef DSAPI_SERIES_AGGREGATE_H
#define DSAPI_SERIES_AGGREGATE_H

#include "series/metric.h"

/** What an aggregate is of: n values that are not null, and their weights. */
typedef struct dsapi_operands_t {
    const double *x;
    const double *w; /* weights; x, where there are none */
    apr_size_t n;
    int x_is_whole; /* their sum is exact in any order */
    int w_is_whole;
} dsapi_operands_t;

/**
 * Compute an aggregate.
 * @param output  neither a count nor about the period before
 * @param of      one value at least
 * @param about   what a variance is about, if output->of says of what
 * @return NaN: it is undefined
 */
double dsapi_series_aggregate(const dsapi_output_t *output,
                              const dsapi_operands_t *of, double about);

#endif
