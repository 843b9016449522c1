/*
 * What is computed over a series: DsapiMetric. Its grammar:
 *
 *     series [range=:from,:to] [group=name,...] [nest=name] name=aggregate ...
 *
 *     count() count(x) sum(x) avg(x) min(x) max(x) wavg(x,w) var(x)
 *     var(x,about=name) stddev(x) first(x) last(x)
 *     prev(name) diff(name) growth(name)
 *
 * x and w are measures, or :param, whose value names one. Each of the first
 * two lines takes a window of days (7d) and min=, the least number of values.
 */
#ifndef DSAPI_SERIES_METRIC_H
#define DSAPI_SERIES_METRIC_H

#include "series/columns.h"
#include "series/grain.h"

#define DSAPI_GROUPS_MAX  8
#define DSAPI_OUTPUTS_MAX 64

/** In groups: the grain. */
#define DSAPI_GROUP_TIME (-1)

typedef enum dsapi_op_e {
    DSAPI_OP_COUNT, /* of rows, or of a measure's values */
    DSAPI_OP_SUM,
    DSAPI_OP_AVG,
    DSAPI_OP_MIN,
    DSAPI_OP_MAX,
    DSAPI_OP_WAVG,
    DSAPI_OP_VAR,
    DSAPI_OP_STDDEV,
    DSAPI_OP_FIRST,
    DSAPI_OP_LAST,
    DSAPI_OP_PREV, /* of another output, in the period before */
    DSAPI_OP_DIFF,
    DSAPI_OP_GROWTH
} dsapi_op_e;

/** A measure, or a parameter that names one; both -1: neither. */
typedef struct dsapi_operand_t {
    int measure;
    int param;
} dsapi_operand_t;

/** A member's name as JSON has it: "name": with its quotes and colon. */
typedef struct dsapi_label_t {
    const char *text;
    apr_size_t len_bytes;
} dsapi_label_t;

/** One member of the result's rows. */
typedef struct dsapi_output_t {
    const char *name;
    dsapi_label_t label;
    dsapi_op_e op;
    dsapi_operand_t x;
    dsapi_operand_t weight;
    int of;          /* the earlier output that it is about; -1: none */
    int window_days; /* 0: the group's own rows */
    int min_count;   /* fewer values give null; 1 at least */
} dsapi_output_t;

/** A metric. Read-only once parsed. */
typedef struct dsapi_metric_t {
    const dsapi_series_t *series;
    int from; /* index of the parameter; -1: none */
    int to;
    int ngroups;
    int groups[DSAPI_GROUPS_MAX]; /* dimensions, or DSAPI_GROUP_TIME */
    dsapi_label_t group_labels[DSAPI_GROUPS_MAX];
    dsapi_grain_e grain;
    const char *nest; /* NULL: rows do not nest */
    dsapi_label_t nest_label;
    int noutputs;
    dsapi_output_t outputs[DSAPI_OUTPUTS_MAX];
    int compares; /* an output is about the period before */
    int windows;  /* an output has a window */
} dsapi_metric_t;

/**
 * Read a metric.
 * @param pmetric  out: it, in pool; NULL on error
 * @param perr     out: what would be right, in pool
 * @param args     of dsapi_arg_t, those behind the series' name; borrowed as
 *                 long as the metric
 * @param params   of dsapi_param_t *, the route's; complete
 * @return APR_SUCCESS; DSAPI_ESYNTAX
 */
apr_status_t dsapi_series_metric(dsapi_metric_t **pmetric, dsapi_err_t **perr,
                                 const dsapi_series_t *series,
                                 const apr_array_header_t *args,
                                 const apr_array_header_t *params,
                                 apr_pool_t *pool);

/** @return what a group is called in rows: a dimension's name, or the grain's
 *  member */
const char *dsapi_series_group_name(const dsapi_metric_t *metric, int group);

/** @return 1: the metric uses this parameter */
int dsapi_series_metric_uses(const dsapi_metric_t *metric, int param);

#endif
