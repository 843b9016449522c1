/* Aggregates of values: see aggregate.h. */
#include "series/aggregate.h"

#include <math.h>

#include "series/sum.h"

static double extreme(const double *values, apr_size_t n, int greatest)
{
    double found = values[0];

    for (apr_size_t i = 1; i < n; i++) {
        if (greatest ? values[i] > found : values[i] < found) {
            found = values[i];
        }
    }
    return found;
}

static double sum_of(const double *values, apr_size_t n, int is_whole)
{
    return is_whole ? dsapi_series_sum_whole(values, n)
                    : dsapi_series_sum(values, n);
}

static double weighted_mean(const dsapi_operands_t *of)
{
    double weight = sum_of(of->w, of->n, of->w_is_whole);

    return weight != 0 && isfinite(weight)
               ? dsapi_series_sum_products(of->x, of->w, of->n) / weight
               : NAN;
}

double dsapi_series_aggregate(const dsapi_output_t *output,
                              const dsapi_operands_t *of, double about)
{
    switch (output->op) {
    case DSAPI_OP_SUM:
        return sum_of(of->x, of->n, of->x_is_whole);
    case DSAPI_OP_AVG:
        return sum_of(of->x, of->n, of->x_is_whole) / (double)of->n;
    case DSAPI_OP_MIN:
        return extreme(of->x, of->n, 0);
    case DSAPI_OP_MAX:
        return extreme(of->x, of->n, 1);
    case DSAPI_OP_WAVG:
        return weighted_mean(of);
    case DSAPI_OP_VAR:
        return output->of >= 0 ? dsapi_series_spread(of->x, of->n, about)
                               : dsapi_series_variance(of->x, of->n);
    case DSAPI_OP_STDDEV:
        return sqrt(dsapi_series_variance(of->x, of->n));
    case DSAPI_OP_FIRST:
        return of->x[0];
    case DSAPI_OP_LAST:
        return of->x[of->n - 1];
    case DSAPI_OP_COUNT:
    case DSAPI_OP_PREV:
    case DSAPI_OP_DIFF:
    case DSAPI_OP_GROWTH:
        break;
    }
    return NAN;
}
