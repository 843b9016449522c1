/* A metric's result as it goes out: see write.h. */
#include "series/write.h"

#include <math.h>

#include "base/args.h"
#include "csv/writer.h"
#include "json/double.h"

/* Room that is made beforehand: for most results. */
#define BYTES_A_VALUE ((apr_size_t)32)
#define BYTES_MAX     ((apr_size_t)1024 * 1024)

/* Periods come again with each member: so many texts of them are kept. */
#define TEXTS 64

/* A period's text, in JSON's quotes. */
typedef struct text_t {
    apr_uint64_t tag; /* the period's number + 1; 0: none */
    apr_size_t len_bytes;
    char bytes[DSAPI_PERIOD_MAX + 2];
} text_t;

/* A result that is being written. */
typedef struct writing_t {
    dsapi_buf_t *buf;
    const dsapi_columns_t *columns;
    const dsapi_metric_t *metric;
    const dsapi_cells_t *cells;
    apr_uint64_t numbers[DSAPI_GROUPS_MAX]; /* of the cell at hand */
    text_t texts[TEXTS];
} writing_t;

static void put_label(dsapi_buf_t *buf, const dsapi_label_t *label)
{
    dsapi_buf_put(buf, label->text, label->len_bytes);
}

/* A period, by its number. @param as_csv  as put_group */
static void put_period(writing_t *writing, apr_uint64_t number, int as_csv)
{
    text_t *text = &writing->texts[number % TEXTS];

    if (text->tag != number + 1) {
        apr_size_t len = dsapi_series_period_format(
            text->bytes + 1, writing->metric->grain,
            writing->cells->first_period + (int)number);

        text->bytes[0] = '"';
        text->bytes[len + 1] = '"';
        text->len_bytes = len + 2;
        text->tag = number + 1;
    }
    if (as_csv) {
        dsapi_buf_put(writing->buf, text->bytes + 1, text->len_bytes - 2);
    }
    else {
        dsapi_buf_put(writing->buf, text->bytes, text->len_bytes);
    }
}

/* A group's value. @param as_csv  1: as CSV shows it, 0: as JSON */
static void put_group(writing_t *writing, int group, int as_csv)
{
    const dsapi_metric_t *metric = writing->metric;
    apr_uint64_t number = writing->numbers[group];
    const dsapi_members_t *members;
    const apr_uint64_t *at;

    if (metric->groups[group] == DSAPI_GROUP_TIME) {
        put_period(writing, number, as_csv);
        return;
    }
    members = &writing->columns->dimensions[metric->groups[group]];
    at = members->at + 2 * number + (as_csv ? 1 : 0);
    dsapi_buf_put(writing->buf, members->text + at[0],
                  (apr_size_t)(at[1] - at[0]));
}

/* Is a cell of a period that is only there to be compared with? */
static int is_hidden(const writing_t *writing)
{
    const dsapi_metric_t *metric = writing->metric;

    for (int i = 0; metric->compares && i < metric->ngroups; i++) {
        if (metric->groups[i] == DSAPI_GROUP_TIME) {
            return writing->cells->first_period + (int)writing->numbers[i] <
                   writing->cells->shown_period;
        }
    }
    return 0;
}

/* Members of an object: groups from one to before another. */
static void put_groups(writing_t *writing, int first, int end)
{
    for (int i = first; i < end; i++) {
        if (i > first) {
            dsapi_buf_putc(writing->buf, ',');
        }
        put_label(writing->buf, &writing->metric->group_labels[i]);
        put_group(writing, i, 0);
    }
}

static void put_results(const writing_t *writing, int cell, int comma)
{
    const dsapi_metric_t *metric = writing->metric;
    const double *results = writing->cells->results +
                            (apr_size_t)cell * (apr_size_t)metric->noutputs;

    for (int i = 0; i < metric->noutputs; i++) {
        if (i > 0 || comma) {
            dsapi_buf_putc(writing->buf, ',');
        }
        put_label(writing->buf, &metric->outputs[i].label);
        dsapi_json_put_double(writing->buf, results[i]);
    }
}

/* Between rows: a comma, or the line's end. */
static void put_between(const writing_t *writing, dsapi_format_e format,
                        int *prows)
{
    if (format == DSAPI_FORMAT_JSON && *prows > 0) {
        dsapi_buf_putc(writing->buf, ',');
    }
    (*prows)++;
}

static void end_row(const writing_t *writing, dsapi_format_e format)
{
    dsapi_buf_putc(writing->buf, '}');
    if (format == DSAPI_FORMAT_NDJSON) {
        dsapi_buf_putc(writing->buf, '\n');
    }
}

static void write_flat(writing_t *writing, dsapi_format_e format)
{
    const dsapi_metric_t *metric = writing->metric;
    int rows = 0;

    for (int i = 0; i < writing->cells->n; i++) {
        dsapi_series_cell_numbers(writing->numbers, writing->cells, metric, i);
        if (is_hidden(writing)) {
            continue;
        }
        put_between(writing, format, &rows);
        dsapi_buf_putc(writing->buf, '{');
        put_groups(writing, 0, metric->ngroups);
        put_results(writing, i, metric->ngroups > 0);
        end_row(writing, format);
    }
}

static void write_nested(writing_t *writing, dsapi_format_e format)
{
    const dsapi_metric_t *metric = writing->metric;
    const dsapi_cells_t *cells = writing->cells;
    int inner = metric->ngroups - 1;
    apr_uint64_t open = 0; /* the outer group that is open */
    int rows = 0;

    for (int i = 0; i < cells->n; i++) {
        apr_uint64_t outer = cells->keys[i] / cells->radixes[inner];

        dsapi_series_cell_numbers(writing->numbers, cells, metric, i);
        if (is_hidden(writing)) {
            continue;
        }
        if (rows > 0 && outer == open) {
            dsapi_buf_putc(writing->buf, ',');
        }
        else {
            if (rows > 0) {
                dsapi_buf_putc(writing->buf, ']');
                end_row(writing, format);
            }
            put_between(writing, format, &rows);
            dsapi_buf_putc(writing->buf, '{');
            put_groups(writing, 0, inner);
            dsapi_buf_putc(writing->buf, ',');
            put_label(writing->buf, &metric->nest_label);
            dsapi_buf_putc(writing->buf, '[');
            open = outer;
        }
        dsapi_buf_putc(writing->buf, '{');
        put_groups(writing, inner, inner + 1);
        put_results(writing, i, 1);
        dsapi_buf_putc(writing->buf, '}');
    }
    if (rows > 0) {
        dsapi_buf_putc(writing->buf, ']');
        end_row(writing, format);
    }
}

/* A column's name: none of its parts needs quotes. */
static void put_name(dsapi_buf_t *buf, const char *before, const char *name,
                     const char *attribute)
{
    const char *parts[] = {before, name, attribute};
    int n = 0;

    for (int i = 0; i < 3; i++) {
        if (parts[i]) {
            if (n++ > 0) {
                dsapi_buf_putc(buf, '.');
            }
            dsapi_buf_put(buf, parts[i], strlen(parts[i]));
        }
    }
}

static void put_names(const writing_t *writing)
{
    const dsapi_metric_t *metric = writing->metric;
    int columns = 0;

    for (int i = 0; i < metric->ngroups; i++) {
        const char *before = i == metric->ngroups - 1 ? metric->nest : NULL;
        const char *name = dsapi_series_group_name(metric, i);
        const apr_array_header_t *attributes =
            metric->groups[i] == DSAPI_GROUP_TIME
                ? NULL
                : APR_ARRAY_IDX(metric->series->dimensions, metric->groups[i],
                                dsapi_dimension_t)
                      .attributes;

        for (int j = 0; j < (attributes ? attributes->nelts : 1); j++) {
            if (columns++ > 0) {
                dsapi_buf_putc(writing->buf, ',');
            }
            put_name(writing->buf, before, name,
                     attributes ? APR_ARRAY_IDX(attributes, j, dsapi_arg_t).key
                                : NULL);
        }
    }
    for (int i = 0; i < metric->noutputs; i++) {
        if (columns++ > 0) {
            dsapi_buf_putc(writing->buf, ',');
        }
        put_name(writing->buf, metric->nest, metric->outputs[i].name, NULL);
    }
    dsapi_csv_end_record(writing->buf);
}

static void write_csv(writing_t *writing)
{
    const dsapi_metric_t *metric = writing->metric;

    put_names(writing);
    for (int i = 0; i < writing->cells->n; i++) {
        const double *results = writing->cells->results +
                                (apr_size_t)i * (apr_size_t)metric->noutputs;

        dsapi_series_cell_numbers(writing->numbers, writing->cells, metric, i);
        if (is_hidden(writing)) {
            continue;
        }
        for (int j = 0; j < metric->ngroups; j++) {
            if (j > 0) {
                dsapi_buf_putc(writing->buf, ',');
            }
            put_group(writing, j, 1);
        }
        for (int j = 0; j < metric->noutputs; j++) {
            if (j > 0 || metric->ngroups > 0) {
                dsapi_buf_putc(writing->buf, ',');
            }
            if (isfinite(results[j])) {
                dsapi_json_put_double(writing->buf, results[j]);
            }
        }
        dsapi_csv_end_record(writing->buf);
    }
}

void dsapi_series_write(dsapi_buf_t *buf, dsapi_format_e format,
                        const dsapi_columns_t *columns,
                        const dsapi_metric_t *metric,
                        const dsapi_cells_t *cells)
{
    writing_t writing;
    apr_size_t bytes = (apr_size_t)cells->n *
                       (apr_size_t)(metric->noutputs + 1) * BYTES_A_VALUE;

    memset(&writing, 0, sizeof(writing));
    writing.buf = buf;
    writing.columns = columns;
    writing.metric = metric;
    writing.cells = cells;
    dsapi_buf_grow(buf, bytes < BYTES_MAX ? bytes : BYTES_MAX);
    if (format == DSAPI_FORMAT_CSV) {
        write_csv(&writing);
        return;
    }
    if (format == DSAPI_FORMAT_JSON) {
        dsapi_buf_putc(buf, '[');
    }
    if (metric->nest) {
        write_nested(&writing, format);
    }
    else {
        write_flat(&writing, format);
    }
    if (format == DSAPI_FORMAT_JSON) {
        dsapi_buf_putc(buf, ']');
    }
}
