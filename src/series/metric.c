/* Reading DsapiMetric: see metric.h. */
#include "series/metric.h"

#include <apr_lib.h>
#include <apr_strings.h>

#include "base/args.h"
#include "base/number.h"
#include "route/param.h"

#define WINDOW_DAYS_MAX 36525

/* What an aggregate takes. */
typedef struct op_t {
    const char *name;
    int operands_min;
    int operands_max;
    const char *usage;
} op_t;

/* In the order of dsapi_op_e. */
static const op_t ops[] = {
    {"count", 0, 1, "count() or count(measure)"},
    {"sum", 1, 1, "sum(measure)"},
    {"avg", 1, 1, "avg(measure)"},
    {"min", 1, 1, "min(measure)"},
    {"max", 1, 1, "max(measure)"},
    {"wavg", 2, 2, "wavg(measure,weight)"},
    {"var", 1, 1, "var(measure) or var(measure,about=name)"},
    {"stddev", 1, 1, "stddev(measure)"},
    {"first", 1, 1, "first(measure)"},
    {"last", 1, 1, "last(measure)"},
    {"prev", 1, 1, "prev(name)"},
    {"diff", 1, 1, "diff(name)"},
    {"growth", 1, 1, "growth(name)"},
};

#define NOPS ((int)(sizeof(ops) / sizeof(ops[0])))

/* A metric in the making. */
typedef struct reader_t {
    dsapi_metric_t *metric;
    const apr_array_header_t *params;
    dsapi_err_t **perr;
    apr_pool_t *pool;
} reader_t;

#define REFUSE(reader, ...)                                             \
    dsapi_fail((reader)->perr, (reader)->pool, DSAPI_ESYNTAX, "metric", \
               __VA_ARGS__)

/* A list's items, between commas. @return of char *; each may be empty */
static apr_array_header_t *split(const char *list, apr_pool_t *pool)
{
    apr_array_header_t *items = apr_array_make(pool, 4, sizeof(char *));

    for (;;) {
        apr_size_t len = strcspn(list, ",");

        APR_ARRAY_PUSH(items, const char *) = apr_pstrmemdup(pool, list, len);
        if (!list[len]) {
            return items;
        }
        list += len + 1;
    }
}

/* A name that stands in the result. */
static int is_name(const char *name)
{
    for (const char *p = name; *p; p++) {
        if (!apr_isalnum(*p) && *p != '_' && *p != '-') {
            return 0;
        }
    }
    return *name != '\0';
}

static apr_status_t read_param(int *pindex, const reader_t *reader,
                               const char *word, const char *key)
{
    int index =
        *word == ':' ? dsapi_route_param_index(reader->params, word + 1) : -1;

    if (index < 0) {
        return REFUSE(reader,
                      *word == ':' ? "%s: the parameter '%s' is not declared"
                                   : "%s takes parameters, such as :from, and "
                                     "not '%s'",
                      key, *word == ':' ? word + 1 : word);
    }
    *pindex = index;
    return APR_SUCCESS;
}

static apr_status_t read_range(const reader_t *reader, const char *value)
{
    apr_array_header_t *items = split(value, reader->pool);
    int *indexes[] = {&reader->metric->from, &reader->metric->to};

    if (items->nelts != 2) {
        return REFUSE(reader, "range= takes the first and the last day: "
                              "range=:from,:to");
    }
    for (int i = 0; i < 2; i++) {
        const dsapi_param_t *param;
        apr_status_t rv = read_param(indexes[i], reader,
                                     APR_ARRAY_IDX(items, i, char *), "range=");

        if (rv != APR_SUCCESS) {
            return rv;
        }
        param =
            APR_ARRAY_IDX(reader->params, *indexes[i], const dsapi_param_t *);
        if (param->type.kind != DSAPI_TYPE_DATE || param->type.is_array) {
            return REFUSE(reader,
                          "range=: the parameter '%s' must be of type date",
                          param->name);
        }
    }
    return APR_SUCCESS;
}

const char *dsapi_series_group_name(const dsapi_metric_t *metric, int group)
{
    return metric->groups[group] == DSAPI_GROUP_TIME
               ? dsapi_series_grain_member(metric->grain)
               : APR_ARRAY_IDX(metric->series->dimensions,
                               metric->groups[group], dsapi_dimension_t)
                     .name;
}

static dsapi_label_t label_of(const char *name, apr_pool_t *pool)
{
    const char *text = apr_psprintf(pool, "\"%s\":", name);

    return (dsapi_label_t){text, strlen(text)};
}

static apr_status_t read_groups(const reader_t *reader, const char *value)
{
    dsapi_metric_t *metric = reader->metric;
    apr_array_header_t *items = split(value, reader->pool);

    if (items->nelts > DSAPI_GROUPS_MAX) {
        return REFUSE(reader, "group= takes at most %d names",
                      DSAPI_GROUPS_MAX);
    }
    for (int i = 0; i < items->nelts; i++) {
        const char *word = APR_ARRAY_IDX(items, i, char *);
        dsapi_grain_e grain = dsapi_series_grain(word);
        int index = dsapi_series_dimension(metric->series, word);

        if (index < 0 && grain == DSAPI_GRAIN_NONE) {
            return REFUSE(reader,
                          "group=: '%s' is no dimension of the series, and "
                          "not day, week, month, quarter or year",
                          word);
        }
        if (index < 0 && metric->grain != DSAPI_GRAIN_NONE) {
            return REFUSE(reader, "group= takes one of day, week, month, "
                                  "quarter and year");
        }
        if (index < 0) {
            metric->grain = grain;
            index = DSAPI_GROUP_TIME;
        }
        for (int j = 0; j < metric->ngroups; j++) {
            if (metric->groups[j] == index) {
                return REFUSE(reader, "group=: '%s' stands there twice", word);
            }
        }
        metric->groups[metric->ngroups] = index;
        metric->group_labels[metric->ngroups] = label_of(
            dsapi_series_group_name(metric, metric->ngroups), reader->pool);
        metric->ngroups++;
    }
    return APR_SUCCESS;
}

/* A measure's name, or :param. */
static apr_status_t read_operand(dsapi_operand_t *operand,
                                 const reader_t *reader, const char *word,
                                 const char *output)
{
    const dsapi_param_t *param;
    apr_status_t rv;

    if (*word != ':') {
        operand->measure = dsapi_series_measure(reader->metric->series, word);
        return operand->measure >= 0 ? APR_SUCCESS
                                     : REFUSE(reader,
                                              "%s=: the series has no measure "
                                              "'%s'; add it to "
                                              "its DsapiMeasure",
                                              output, word);
    }
    rv = read_param(&operand->param, reader, word, output);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    param =
        APR_ARRAY_IDX(reader->params, operand->param, const dsapi_param_t *);
    if (param->type.is_array || !param->choices || !param->def) {
        return REFUSE(reader,
                      "%s=: the parameter '%s' must have enum=, the names of "
                      "measures, and default=",
                      output, param->name);
    }
    for (int i = 0; i < param->choices->nelts; i++) {
        const char *name = APR_ARRAY_IDX(param->choices, i, const char *);

        if (dsapi_series_measure(reader->metric->series, name) < 0) {
            return REFUSE(reader,
                          "%s=: the parameter '%s' may be '%s', which is no "
                          "measure of the series",
                          output, param->name, name);
        }
    }
    return APR_SUCCESS;
}

/* An output before this one, which is no comparison: the period before the
 * first one is known, and none before that. */
static apr_status_t read_earlier(int *pindex, const reader_t *reader,
                                 const char *word, const char *output)
{
    const dsapi_metric_t *metric = reader->metric;

    for (int i = 0; i < metric->noutputs; i++) {
        if (strcmp(metric->outputs[i].name, word) == 0 &&
            metric->outputs[i].op < DSAPI_OP_PREV) {
            *pindex = i;
            return APR_SUCCESS;
        }
    }
    return REFUSE(reader,
                  "%s=: '%s' is no aggregate of a measure that stands before "
                  "it in this DsapiMetric",
                  output, word);
}

/* "7d" */
static int read_window(int *pdays, const char *word)
{
    apr_size_t digits = strspn(word, "0123456789");
    char number[8];
    apr_int64_t days;

    if (digits == 0 || digits >= sizeof(number) ||
        strcmp(word + digits, "d") != 0) {
        return 0;
    }
    apr_cpystrn(number, word, digits + 1);
    if (dsapi_base_parse_int(&days, number, 1, WINDOW_DAYS_MAX) !=
        APR_SUCCESS) {
        return 0;
    }
    *pdays = (int)days;
    return 1;
}

/* What is not an operand: a window, about= or min=. */
static apr_status_t read_option(dsapi_output_t *output, const reader_t *reader,
                                const char *word)
{
    apr_int64_t count;

    if (output->op >= DSAPI_OP_PREV) {
        return REFUSE(reader, "%s=: '%s' is too much; write %s", output->name,
                      word, ops[output->op].usage);
    }
    if (strncmp(word, "about=", 6) == 0 && output->op == DSAPI_OP_VAR &&
        output->of < 0) {
        return read_earlier(&output->of, reader, word + 6, output->name);
    }
    if (strncmp(word, "min=", 4) == 0 && output->min_count <= 1) {
        if (dsapi_base_parse_int(&count, word + 4, 1, APR_INT32_MAX) !=
            APR_SUCCESS) {
            return REFUSE(reader, "%s=: min= takes a number of values above 0",
                          output->name);
        }
        output->min_count = (int)count;
        return APR_SUCCESS;
    }
    if (output->window_days == 0 && read_window(&output->window_days, word)) {
        return APR_SUCCESS;
    }
    return REFUSE(reader,
                  "%s=: '%s' is not known; write %s, and perhaps a window "
                  "(7d, at most %dd) and min=",
                  output->name, word, ops[output->op].usage, WINDOW_DAYS_MAX);
}

/* What stands between the parentheses. */
static apr_status_t read_arguments(dsapi_output_t *output,
                                   const reader_t *reader, const char *text)
{
    apr_array_header_t *items =
        *text ? split(text, reader->pool)
              : apr_array_make(reader->pool, 1, sizeof(char *));
    const op_t *op = &ops[output->op];
    int operands = 0;
    apr_status_t rv = APR_SUCCESS;

    for (int i = 0; i < items->nelts && rv == APR_SUCCESS; i++) {
        const char *word = APR_ARRAY_IDX(items, i, const char *);
        int unused;

        if (operands == op->operands_max || strchr(word, '=') ||
            (operands >= op->operands_min && read_window(&unused, word))) {
            rv = read_option(output, reader, word);
            continue;
        }
        rv = output->op >= DSAPI_OP_PREV
                 ? read_earlier(&output->of, reader, word, output->name)
                 : read_operand(operands ? &output->weight : &output->x, reader,
                                word, output->name);
        operands++;
    }
    if (rv == APR_SUCCESS && operands < op->operands_min) {
        rv = REFUSE(reader, "%s=: write %s", output->name, op->usage);
    }
    return rv;
}

static apr_status_t read_output(const reader_t *reader, const dsapi_arg_t *arg)
{
    dsapi_metric_t *metric = reader->metric;
    const char *open = strchr(arg->value, '(');
    apr_size_t len = strlen(arg->value);
    dsapi_output_t output = {
        .name = arg->key,
        .label = label_of(arg->key, reader->pool),
        .x = {-1, -1},
        .weight = {-1, -1},
        .of = -1,
        .min_count = 1,
    };
    int op = 0;
    apr_status_t rv;

    if (!open || arg->value[len - 1] != ')') {
        return REFUSE(reader,
                      "%s=%s is no aggregate; write %s=avg(measure), or "
                      "another",
                      arg->key, arg->value, arg->key);
    }
    while (op < NOPS &&
           (strncmp(ops[op].name, arg->value,
                    (apr_size_t)(open - arg->value)) != 0 ||
            strlen(ops[op].name) != (apr_size_t)(open - arg->value))) {
        op++;
    }
    if (op == NOPS) {
        return REFUSE(reader,
                      "%s=%s: there are count sum avg min max wavg var stddev "
                      "first last, and prev diff growth",
                      arg->key, arg->value);
    }
    if (metric->noutputs == DSAPI_OUTPUTS_MAX) {
        return REFUSE(reader, "takes at most %d aggregates", DSAPI_OUTPUTS_MAX);
    }
    output.op = (dsapi_op_e)op;
    rv = read_arguments(
        &output, reader,
        apr_pstrmemdup(reader->pool, open + 1,
                       (apr_size_t)(arg->value + len - 1 - (open + 1))));
    metric->compares |= output.op >= DSAPI_OP_PREV;
    metric->windows |= output.window_days > 0;
    metric->outputs[metric->noutputs++] = output;
    return rv;
}

static apr_status_t read_argument(const reader_t *reader,
                                  const dsapi_arg_t *arg)
{
    if (!arg->key) {
        return REFUSE(reader,
                      "'%s': behind the series' name stand range=, "
                      "group=, nest= and name=aggregate(measure)",
                      arg->value);
    }
    if (!is_name(arg->key)) {
        return REFUSE(reader, "'%s' is no name of letters, digits, '_' and '-'",
                      arg->key);
    }
    if (strcmp(arg->key, "range") == 0) {
        return read_range(reader, arg->value);
    }
    if (strcmp(arg->key, "group") == 0) {
        return read_groups(reader, arg->value);
    }
    if (strcmp(arg->key, "nest") != 0) {
        return read_output(reader, arg);
    }
    reader->metric->nest = arg->value;
    reader->metric->nest_label = label_of(arg->value, reader->pool);
    return is_name(arg->value) ? APR_SUCCESS
                               : REFUSE(reader,
                                        "nest=: '%s' is no name of letters, "
                                        "digits, "
                                        "'_' and '-'",
                                        arg->value);
}

/* What does not go together. */
static apr_status_t check(const reader_t *reader)
{
    const dsapi_metric_t *metric = reader->metric;

    if (metric->noutputs == 0) {
        return REFUSE(reader, "has no aggregate; add one, such as "
                              "rows=count()");
    }
    if (metric->nest && metric->ngroups < 2) {
        return REFUSE(reader, "nest= puts rows into those of an outer group: "
                              "it goes with a group= of two or more");
    }
    if (metric->compares && metric->grain == DSAPI_GRAIN_NONE) {
        return REFUSE(reader, "prev, diff and growth are about the period "
                              "before: they go with day, week, month, quarter "
                              "or year in group=");
    }
    for (int i = 0; i < metric->ngroups; i++) {
        const char *name = dsapi_series_group_name(metric, i);

        if (metric->nest && i < metric->ngroups - 1 &&
            strcmp(metric->nest, name) == 0) {
            return REFUSE(reader, "nest=: '%s' is a group's name already",
                          name);
        }
        for (int j = 0; j < metric->noutputs; j++) {
            if (strcmp(metric->outputs[j].name, name) == 0) {
                return REFUSE(reader, "'%s' is a group's name already", name);
            }
        }
    }
    return APR_SUCCESS;
}

apr_status_t dsapi_series_metric(dsapi_metric_t **pmetric, dsapi_err_t **perr,
                                 const dsapi_series_t *series,
                                 const apr_array_header_t *args,
                                 const apr_array_header_t *params,
                                 apr_pool_t *pool)
{
    dsapi_metric_t *metric = apr_pcalloc(pool, sizeof(*metric));
    const reader_t reader = {metric, params, perr, pool};
    apr_status_t rv = APR_SUCCESS;

    *pmetric = NULL;
    *perr = NULL;
    metric->series = series;
    metric->from = -1;
    metric->to = -1;
    for (int i = 0; i < args->nelts && rv == APR_SUCCESS; i++) {
        const dsapi_arg_t *arg = &APR_ARRAY_IDX(args, i, dsapi_arg_t);

        for (int j = 0; j < i && arg->key; j++) {
            const char *key = APR_ARRAY_IDX(args, j, dsapi_arg_t).key;

            if (key && strcmp(key, arg->key) == 0) {
                return REFUSE(&reader, "'%s=' stands there twice", key);
            }
        }
        rv = read_argument(&reader, arg);
    }
    if (rv == APR_SUCCESS) {
        rv = check(&reader);
    }
    if (rv == APR_SUCCESS) {
        *pmetric = metric;
    }
    return rv;
}

int dsapi_series_metric_uses(const dsapi_metric_t *metric, int param)
{
    if (param == metric->from || param == metric->to) {
        return 1;
    }
    for (int i = 0; i < metric->noutputs; i++) {
        if (metric->outputs[i].x.param == param ||
            metric->outputs[i].weight.param == param) {
            return 1;
        }
    }
    return 0;
}
