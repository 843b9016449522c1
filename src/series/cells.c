/*
 * A metric's computation: see cells.h.
 *
 * A cell's key is a number whose digits are the numbers of its groups, in the
 * order of group=, so that the order of keys is that of the result. Rows are
 * sorted by their keys; as they come by day, those of a cell stay so.
 */
#include "series/cells.h"

#include <apr_strings.h>
#include <math.h>
#include <stdlib.h>

#include "base/calendar.h"
#include "series/aggregate.h"
#include "series/sum.h"

/* Keys that are counted rather than compared: so many for each row. */
#define KEYS_A_ROW 4
#define KEYS_MIN   1024

/* Rows by their keys. */
typedef struct order_t {
    const apr_int32_t *rows; /* NULL: each row is in its own place */
    int ncells;
    apr_uint64_t *keys; /* of the cells, ascending */
    int *starts;        /* in rows */
    int *ends;
} order_t;

/* A computation under way. */
typedef struct work_t {
    const dsapi_columns_t *columns;
    const dsapi_metric_t *metric;
    int from; /* days, within those that there are */
    int to;
    int first_period;
    int shown_period;
    apr_uint64_t radixes[DSAPI_GROUPS_MAX];
    apr_uint64_t weights[DSAPI_GROUPS_MAX]; /* of the digits */
    apr_uint64_t time_weight;               /* of the grain's; 0: none */
    apr_uint64_t nkeys;
    int measures[DSAPI_OUTPUTS_MAX][2]; /* of x and weight; -1: none */
    order_t cells;
    order_t groups; /* the same rows and more, without the grain */
    double *x;      /* room for the rows of a cell */
    double *w;
    apr_pool_t *pool;
} work_t;

static int lower_bound(const apr_int32_t *days, int n, int day)
{
    int low = 0;

    while (n > 0) {
        int half = n / 2;

        if (days[low + half] < day) {
            low += half + 1;
            n -= half + 1;
        }
        else {
            n = half;
        }
    }
    return low;
}

/* A canonical date. */
static int day_of(const char *text)
{
    int n[3] = {0, 0, 0};
    int part = 0;

    for (; *text; text++) {
        if (*text == '-') {
            part += part < 2;
        }
        else {
            n[part] = n[part] * 10 + (*text - '0');
        }
    }
    return (int)dsapi_base_day_of(n[0], n[1], n[2]);
}

/* The range, cut to the days that there are. @return 0: it has none */
static int find_range(work_t *work, const dsapi_metric_ask_t *ask)
{
    const dsapi_columns_t *c = work->columns;
    const char *from =
        ask->metric->from >= 0 ? ask->values[ask->metric->from] : NULL;
    const char *to = ask->metric->to >= 0 ? ask->values[ask->metric->to] : NULL;

    if (c->nrows == 0) {
        return 0;
    }
    work->from = from ? day_of(from) : c->days[0];
    work->to = to ? day_of(to) : c->days[c->nrows - 1];
    if (work->from < c->days[0]) {
        work->from = c->days[0];
    }
    if (work->to > c->days[c->nrows - 1]) {
        work->to = c->days[c->nrows - 1];
    }
    work->shown_period = dsapi_series_period_of(ask->metric->grain, work->from);
    work->first_period = work->shown_period - ask->metric->compares;
    return work->from <= work->to;
}

/* @return 0: too many */
static int number_keys(work_t *work)
{
    const dsapi_metric_t *metric = work->metric;

    work->nkeys = 1;
    work->time_weight = 0;
    for (int i = metric->ngroups - 1; i >= 0; i--) {
        int is_time = metric->groups[i] == DSAPI_GROUP_TIME;
        int n = is_time ? dsapi_series_period_of(metric->grain, work->to) -
                              work->first_period + 1
                        : work->columns->dimensions[metric->groups[i]].n;

        work->radixes[i] = (apr_uint64_t)n;
        work->weights[i] = work->nkeys;
        if (is_time) {
            work->time_weight = work->nkeys;
        }
        if (work->nkeys > (APR_UINT64_C(1) << 62) / (apr_uint64_t)n) {
            return 0;
        }
        work->nkeys *= (apr_uint64_t)n;
    }
    return 1;
}

/* ---- order ---- */

/* Is a row in the first shown period, but before the range? */
static int is_early(const work_t *work, int day, int period)
{
    return day < work->from && period >= work->shown_period;
}

/* Room for so many cells. */
static void make_cells(order_t *order, apr_size_t n, apr_pool_t *pool)
{
    order->ncells = 0;
    order->keys = apr_palloc(pool, (n + 1) * sizeof(apr_uint64_t));
    order->starts = apr_palloc(pool, (n + 1) * sizeof(int));
    order->ends = apr_palloc(pool, (n + 1) * sizeof(int));
}

/* Put the rows from a place to before another into their cell: the last one,
 * or a new one. */
static inline void put_rows(order_t *order, apr_uint64_t key, int place,
                            int end)
{
    int n = order->ncells;

    if (n == 0 || order->keys[n - 1] != key) {
        order->keys[n] = key;
        order->starts[n] = place;
        order->ncells = ++n;
    }
    order->ends[n - 1] = end;
}

/* ---- rows that are in the order of their keys already ---- */

/* The first place from this one on, before end, whose row is of this day or a
 * later one. As a rule it is near: so leap ahead, then halve. */
static int skip_to(const order_t *order, const work_t *work, int place, int end,
                   int day)
{
    const apr_int32_t *days = work->columns->days;
    int step = 1;

    while (place + step < end &&
           days[order->rows ? order->rows[place + step] : place + step] < day) {
        place += step;
        step *= 2;
    }
    end = place + step < end ? place + step : end;
    while (place < end) {
        int middle = place + (end - place) / 2;

        if (days[order->rows ? order->rows[middle] : middle] < day) {
            place = middle + 1;
        }
        else {
            end = middle;
        }
    }
    return place;
}

/* A period, and the first day behind it. */
typedef struct period_t {
    int number;
    int behind;
} period_t;

/* The period of a day that is behind the last one: as a rule, the next one. */
static void next_period(period_t *period, dsapi_grain_e grain, int day)
{
    int behind = dsapi_series_period_begin(grain, period->number + 2);

    period->number++;
    if (day >= behind) {
        period->number = dsapi_series_period_of(grain, day);
        behind = dsapi_series_period_begin(grain, period->number + 1);
    }
    period->behind = behind;
}

/* The rows from one place to before another, whose keys begin alike. */
static void walk(order_t *order, const work_t *work, apr_uint64_t base,
                 int place, int end)
{
    dsapi_grain_e grain = work->metric->grain;
    period_t period = {work->first_period - 1, 0};

    if (grain == DSAPI_GRAIN_NONE) {
        if (place < end) {
            put_rows(order, base, place, end);
        }
        return;
    }
    while (place < end) {
        int row = order->rows ? order->rows[place] : place;
        int day = work->columns->days[row];
        int next;

        next_period(&period, grain, day);
        if (is_early(work, day, period.number)) {
            place = skip_to(order, work, place, end, work->from);
            period.number--;
            continue;
        }
        next = skip_to(order, work, place, end, period.behind);
        put_rows(order,
                 base + (apr_uint64_t)(period.number - work->first_period) *
                            work->time_weight,
                 place, next);
        place = next;
    }
}

/* Without a dimension, rows are in their order by day; with one, before the
 * grain or alone, member by member. @return 0: it is another case */
static int order_by_walking(order_t *order, const work_t *work, int first,
                            int end)
{
    const dsapi_metric_t *metric = work->metric;
    const dsapi_members_t *members;
    int dimensions = metric->ngroups - (metric->grain != DSAPI_GRAIN_NONE);

    if (dimensions > 1 ||
        (dimensions == 1 && metric->groups[0] == DSAPI_GROUP_TIME)) {
        return 0;
    }
    if (dimensions == 0) {
        order->rows = NULL;
        walk(order, work, 0, first, end);
        return 1;
    }
    members = &work->columns->dimensions[metric->groups[0]];
    order->rows = members->rows;
    for (int i = 0; i < members->n; i++) {
        int begin = members->starts[i];
        int n = members->starts[i + 1] - begin;
        int low = begin + lower_bound(members->rows + begin, n, first);

        walk(order, work, (apr_uint64_t)i * work->weights[0], low,
             begin + lower_bound(members->rows + begin, n, end));
    }
    return 1;
}

/* ---- any rows ---- */

/* A row and its key. */
typedef struct keyed_t {
    apr_uint64_t key;
    int row;
} keyed_t;

/* @return how many rows: those that are early are left out, with_time */
static apr_size_t make_keys(keyed_t *keyed, const work_t *work, int first,
                            int end, int with_time)
{
    const dsapi_metric_t *metric = work->metric;
    const apr_int32_t *days = work->columns->days;
    apr_size_t n = 0;

    for (int row = first; row < end;) {
        int day = days[row];
        int period = dsapi_series_period_of(metric->grain, day);
        apr_uint64_t base = with_time
                                ? (apr_uint64_t)(period - work->first_period) *
                                      work->time_weight
                                : 0;

        for (; row < end && days[row] == day; row++) {
            apr_uint64_t key = base;

            for (int i = 0; i < metric->ngroups; i++) {
                int group = metric->groups[i];

                if (group != DSAPI_GROUP_TIME) {
                    key += (apr_uint64_t)work->columns->dimensions[group]
                               .of_rows[row] *
                           work->weights[i];
                }
            }
            keyed[n] = (keyed_t){key, row};
            n += !with_time || !is_early(work, day, period);
        }
    }
    return n;
}

/* Few keys: count how many rows each has. */
static void sort_by_counting(keyed_t *keyed, apr_size_t n, apr_size_t nkeys,
                             apr_pool_t *pool)
{
    apr_size_t *at = apr_pcalloc(pool, (nkeys + 1) * sizeof(*at));
    keyed_t *copy = apr_pmemdup(pool, keyed, n * sizeof(*keyed));

    for (apr_size_t i = 0; i < n; i++) {
        at[copy[i].key + 1]++;
    }
    for (apr_size_t i = 0; i < nkeys; i++) {
        at[i + 1] += at[i];
    }
    for (apr_size_t i = 0; i < n; i++) {
        keyed[at[copy[i].key]++] = copy[i];
    }
}

static int compare_keyed(const void *a, const void *b)
{
    const keyed_t *one = a;
    const keyed_t *other = b;

    if (one->key != other->key) {
        return one->key < other->key ? -1 : 1;
    }
    return one->row < other->row ? -1 : 1;
}

/* @param first  row; end: behind the last one
 *  @param with_time  0: without the grain's digit, and early rows, too */
static void make_order(order_t *order, const work_t *work, int first, int end,
                       int with_time)
{
    apr_size_t n = end > first ? (apr_size_t)(end - first) : 0;
    keyed_t *keyed;
    apr_int32_t *rows;

    make_cells(order, work->nkeys < n ? (apr_size_t)work->nkeys : n,
               work->pool);
    if (with_time && order_by_walking(order, work, first, end)) {
        return;
    }
    keyed = apr_palloc(work->pool, (n + 1) * sizeof(*keyed));
    n = make_keys(keyed, work, first, end, with_time);
    if (work->nkeys <= KEYS_A_ROW * n + KEYS_MIN) {
        sort_by_counting(keyed, n, (apr_size_t)work->nkeys, work->pool);
    }
    else {
        qsort(keyed, n, sizeof(*keyed), compare_keyed);
    }
    rows = apr_palloc(work->pool, (n + 1) * sizeof(*rows));
    order->rows = rows;
    for (apr_size_t i = 0; i < n; i++) {
        rows[i] = keyed[i].row;
        put_rows(order, keyed[i].key, (int)i, (int)i + 1);
    }
}

/* @return the cell of a key; -1: there is none */
static int find_cell(const order_t *order, apr_uint64_t key)
{
    int low = 0;
    int high = order->ncells;

    while (low < high) {
        int middle = low + (high - low) / 2;

        if (order->keys[middle] < key) {
            low = middle + 1;
        }
        else {
            high = middle;
        }
    }
    return low < order->ncells && order->keys[low] == key ? low : -1;
}

/* ---- aggregates ---- */

/* Some rows. */
typedef struct rows_t {
    const apr_int32_t *rows; /* NULL: from first on */
    int first;
    int n;
} rows_t;

/* @param begin  places in an order */
static rows_t rows_of(const order_t *order, int begin, int end)
{
    return (rows_t){order->rows ? order->rows + begin : NULL, begin,
                    end - begin};
}

static int is_whole(const dsapi_measure_t *measure, rows_t rows)
{
    return measure->largest_absolute * (double)rows.n <= DSAPI_WHOLE_MAX;
}

/* The values of rows; those that follow each other are left where they are. */
static const double *gather(double *room, const dsapi_measure_t *measure,
                            rows_t rows)
{
    if (!rows.rows) {
        return measure->values + rows.first;
    }
    for (int i = 0; i < rows.n; i++) {
        room[i] = measure->values[rows.rows[i]];
    }
    return room;
}

/* Those that are not null, and whose weights are not. */
static void leave_nulls(dsapi_operands_t *operands, work_t *work)
{
    apr_size_t n = 0;

    for (apr_size_t i = 0; i < operands->n; i++) {
        double x = operands->x[i];
        double w = operands->w[i];

        work->x[n] = x;
        work->w[n] = w;
        n += !isnan(x) && !isnan(w);
    }
    operands->x = work->x;
    operands->w = work->w;
    operands->n = n;
}

static dsapi_operands_t operands_of(work_t *work, const int *measures,
                                    rows_t rows)
{
    dsapi_operands_t operands = {work->x, work->w, (apr_size_t)rows.n, 0, 0};
    int has_null = 0;

    if (measures[0] >= 0) {
        const dsapi_measure_t *x = &work->columns->measures[measures[0]];

        operands.x = gather(work->x, x, rows);
        operands.w = operands.x;
        operands.x_is_whole = is_whole(x, rows);
        has_null = x->has_null;
    }
    if (measures[1] >= 0) {
        const dsapi_measure_t *w = &work->columns->measures[measures[1]];

        operands.w = gather(work->w, w, rows);
        operands.w_is_whole = is_whole(w, rows);
        has_null |= w->has_null;
    }
    if (has_null) {
        leave_nulls(&operands, work);
    }
    return operands;
}

/* @param result  the cell's results, of which the earlier ones are there */
static double compute(work_t *work, int index, rows_t rows,
                      const double *result)
{
    const dsapi_output_t *output = &work->metric->outputs[index];
    dsapi_operands_t operands = operands_of(work, work->measures[index], rows);

    if (operands.n < (apr_size_t)output->min_count &&
        (output->op != DSAPI_OP_COUNT || output->min_count > 1)) {
        return NAN;
    }
    return output->op == DSAPI_OP_COUNT
               ? (double)operands.n
               : dsapi_series_aggregate(output, &operands,
                                        output->of >= 0 ? result[output->of]
                                                        : NAN);
}

/* The first of a group's rows whose day is after this one. */
static int row_after(const work_t *work, int group, int day)
{
    int low = work->groups.starts[group];
    int high = work->groups.ends[group];

    while (low < high) {
        int middle = low + (high - low) / 2;

        if (work->columns->days[work->groups.rows[middle]] > day) {
            high = middle;
        }
        else {
            low = middle + 1;
        }
    }
    return low;
}

/* A cell's number of the grain; 0 where there is none. */
static int period_number(const work_t *work, apr_uint64_t key)
{
    for (int i = 0; i < work->metric->ngroups; i++) {
        if (work->metric->groups[i] == DSAPI_GROUP_TIME) {
            return (int)(key / work->weights[i] % work->radixes[i]);
        }
    }
    return 0;
}

/* The rows of the days that a window holds: it ends with the period, the range
 * or the data, whichever is first. */
static rows_t window_rows(const work_t *work, apr_uint64_t key, int days)
{
    const dsapi_metric_t *metric = work->metric;
    int number = period_number(work, key);
    int group = find_cell(&work->groups,
                          key - (apr_uint64_t)number * work->time_weight);
    int last = work->to;

    if (metric->grain != DSAPI_GRAIN_NONE) {
        int end = dsapi_series_period_begin(metric->grain,
                                            work->first_period + number + 1) -
                  1;

        last = end < last ? end : last;
    }
    return rows_of(&work->groups, row_after(work, group, last - days),
                   row_after(work, group, last));
}

static double compare(const dsapi_output_t *output, double now, double before)
{
    if (output->op == DSAPI_OP_PREV) {
        return before;
    }
    return output->op == DSAPI_OP_DIFF ? now - before : (now - before) / before;
}

/* What the results of the first shown period are where the range cuts it: the
 * next one is compared with the whole of it. */
typedef struct whole_t {
    const work_t *work; /* NULL: it is not cut, or nothing is next to it */
    const double *results;
} whole_t;

/* An output of a cell's period before; NaN: it has none. */
static double earlier_result(const double *results, const work_t *work,
                             const whole_t *whole, apr_uint64_t key, int of)
{
    const order_t *cells = &work->cells;
    int number = period_number(work, key);
    int cell;

    if (number == 0) {
        return NAN;
    }
    if (whole->work && work->first_period + number == work->shown_period + 1) {
        cells = &whole->work->cells;
        results = whole->results;
    }
    cell = find_cell(cells, key - work->time_weight);
    return cell < 0
               ? NAN
               : results[(apr_size_t)cell * (apr_size_t)work->metric->noutputs +
                         (apr_size_t)of];
}

/* An output that is about another, in the period before. */
static void compare_cells(double *results, const work_t *work,
                          const whole_t *whole, int index)
{
    const dsapi_output_t *output = &work->metric->outputs[index];
    const order_t *cells = &work->cells;
    int n = work->metric->noutputs;

    for (int i = 0; i < cells->ncells; i++) {
        double *now = results + (apr_size_t)i * (apr_size_t)n;

        now[index] = compare(
            output, now[output->of],
            earlier_result(results, work, whole, cells->keys[i], output->of));
    }
}

/* Cell by cell, so that a cell's rows are still near for the next output. */
static void compute_cells(double *results, work_t *work)
{
    const dsapi_metric_t *metric = work->metric;
    const order_t *cells = &work->cells;

    for (int i = 0; i < cells->ncells; i++) {
        double *result = results + (apr_size_t)i * (apr_size_t)metric->noutputs;
        rows_t rows = rows_of(cells, cells->starts[i], cells->ends[i]);

        for (int j = 0; j < metric->noutputs; j++) {
            int days = metric->outputs[j].window_days;

            if (metric->outputs[j].op < DSAPI_OP_PREV) {
                result[j] = compute(
                    work, j,
                    days > 0 ? window_rows(work, cells->keys[i], days) : rows,
                    result);
            }
        }
    }
}

/* Room for the rows of the largest cell. */
static void make_room(work_t *work)
{
    apr_size_t most = 1;
    const order_t *orders[] = {&work->cells, &work->groups};

    for (int i = 0; i < 2; i++) {
        for (int j = 0; j < orders[i]->ncells; j++) {
            apr_size_t n =
                (apr_size_t)(orders[i]->ends[j] - orders[i]->starts[j]);

            most = n > most ? n : most;
        }
    }
    work->x = apr_palloc(work->pool, (most + 1) * sizeof(double));
    work->w = apr_palloc(work->pool, (most + 1) * sizeof(double));
}

static int measure_of(const dsapi_operand_t *operand,
                      const dsapi_metric_ask_t *ask)
{
    return operand->param >= 0
               ? dsapi_series_measure(ask->metric->series,
                                      ask->values[operand->param])
               : operand->measure;
}

/* Brings the rows into their cells, and into their groups if there are
 * windows. */
static void order_rows(work_t *work, const dsapi_metric_ask_t *ask)
{
    const dsapi_columns_t *c = work->columns;
    const dsapi_metric_t *metric = work->metric;
    int end = lower_bound(c->days, c->nrows, work->to + 1);
    int begin = metric->compares ? dsapi_series_period_begin(metric->grain,
                                                             work->first_period)
                                 : work->from;
    int window = 0;

    for (int i = 0; i < metric->noutputs; i++) {
        const dsapi_output_t *output = &metric->outputs[i];

        work->measures[i][0] = measure_of(&output->x, ask);
        work->measures[i][1] = measure_of(&output->weight, ask);
        window = output->window_days > window ? output->window_days : window;
    }
    make_order(&work->cells, work, lower_bound(c->days, c->nrows, begin), end,
               1);
    if (window > 0) {
        make_order(&work->groups, work,
                   lower_bound(c->days, c->nrows, begin - window), end, 0);
    }
    make_room(work);
}

/* All but what compares periods. */
static double *compute_all(work_t *work, const dsapi_metric_ask_t *ask)
{
    double *results;

    order_rows(work, ask);
    results = apr_palloc(work->pool, ((apr_size_t)work->cells.ncells *
                                          (apr_size_t)work->metric->noutputs +
                                      1) *
                                         sizeof(double));
    compute_cells(results, work);
    return results;
}

/* The first shown period once more, if need be. */
static void compute_whole(whole_t *whole, const work_t *work,
                          const dsapi_metric_ask_t *ask)
{
    dsapi_grain_e grain = work->metric->grain;
    work_t *copy;
    int begin;
    int behind;

    whole->work = NULL;
    whole->results = NULL;
    if (!work->metric->compares) {
        return;
    }
    begin = dsapi_series_period_begin(grain, work->shown_period);
    behind = dsapi_series_period_begin(grain, work->shown_period + 1);
    if (work->from > begin && work->to >= behind) {
        copy = apr_pmemdup(work->pool, work, sizeof(*work));
        copy->from = begin;
        copy->to = behind - 1;
        whole->results = compute_all(copy, ask);
        whole->work = copy;
    }
}

apr_status_t dsapi_series_compute(dsapi_cells_t *pcells, dsapi_err_t **perr,
                                  const dsapi_columns_t *columns,
                                  const dsapi_metric_ask_t *ask,
                                  apr_pool_t *pool)
{
    const dsapi_metric_t *metric = ask->metric;
    work_t *work = apr_pcalloc(pool, sizeof(*work));
    whole_t whole;
    double *results;

    *perr = NULL;
    work->columns = columns;
    work->metric = metric;
    work->pool = pool;
    if (!find_range(work, ask)) {
        memset(pcells, 0, sizeof(*pcells));
        return APR_SUCCESS;
    }
    if (!number_keys(work)) {
        return dsapi_fail(perr, pool, DSAPI_EINTERNAL, "series-groups",
                          "the metric has more groups than can be numbered");
    }
    results = compute_all(work, ask);
    compute_whole(&whole, work, ask);
    for (int i = 0; i < metric->noutputs; i++) {
        if (metric->outputs[i].op >= DSAPI_OP_PREV) {
            compare_cells(results, work, &whole, i);
        }
    }
    pcells->n = work->cells.ncells;
    pcells->keys = work->cells.keys;
    memcpy(pcells->radixes, work->radixes, sizeof(work->radixes));
    pcells->first_period = work->first_period;
    pcells->shown_period = work->shown_period;
    pcells->results = results;
    return APR_SUCCESS;
}

void dsapi_series_cell_numbers(apr_uint64_t *numbers,
                               const dsapi_cells_t *cells,
                               const dsapi_metric_t *metric, int cell)
{
    apr_uint64_t key = cells->keys[cell];

    for (int i = metric->ngroups - 1; i >= 0; i--) {
        numbers[i] = key % cells->radixes[i];
        key /= cells->radixes[i];
    }
}
