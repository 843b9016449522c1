/*
 * A metric's computation: rows of a range are brought into the cells of their
 * groups, and what is asked for is computed of each cell.
 */
#ifndef DSAPI_SERIES_CELLS_H
#define DSAPI_SERIES_CELLS_H

#include "series/columns.h"
#include "series/metric.h"

/** What a request asks of a metric; borrowed. */
typedef struct dsapi_metric_ask_t {
    const dsapi_metric_t *metric;
    const char *const *values; /* of the route's parameters, canonical */
} dsapi_metric_ask_t;

/** The cells that have rows, in the order of their groups. */
typedef struct dsapi_cells_t {
    int n;
    const apr_uint64_t *keys; /* the groups' numbers, as digits to their
                                 radixes */
    apr_uint64_t radixes[DSAPI_GROUPS_MAX];
    int first_period;      /* that is number 0 */
    int shown_period;      /* periods before it are hidden */
    const double *results; /* the metric's outputs of each; NaN: null */
} dsapi_cells_t;

/**
 * Compute a metric. Takes time for each row in the range.
 * @param pcells  out: in pool; untouched on error
 * @param perr    out: in pool
 * @return APR_SUCCESS; DSAPI_EINTERNAL: more groups than can be numbered
 */
apr_status_t dsapi_series_compute(dsapi_cells_t *pcells, dsapi_err_t **perr,
                                  const dsapi_columns_t *columns,
                                  const dsapi_metric_ask_t *ask,
                                  apr_pool_t *pool);

/** Take a cell's key apart. @param numbers  out: one a group */
void dsapi_series_cell_numbers(apr_uint64_t *numbers,
                               const dsapi_cells_t *cells,
                               const dsapi_metric_t *metric, int cell);

#endif
