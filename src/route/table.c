/* Rows as they go out: see table.h. */
#include "route/table.h"

#include <string.h>

#include "csv/writer.h"
#include "route/result.h"

struct dsapi_table_t {
    dsapi_format_e format;
    dsapi_buf_t *buf;
    dsapi_plan_t *plan; /* JSON and NDJSON; NULL before the first rows */
    int flat;
    int stripped;
    int begun;
    int filled; /* a row has been written */
    apr_pool_t *pool;
    dsapi_cell_space_t space; /* CSV: one value */
};

dsapi_table_t *dsapi_route_table_make(dsapi_format_e format, dsapi_buf_t *buf,
                                      apr_pool_t *pool)
{
    dsapi_table_t *table = apr_pcalloc(pool, sizeof(*table));

    table->format = format;
    table->buf = buf;
    table->pool = pool;
    if (format == DSAPI_FORMAT_CSV) {
        dsapi_route_cell_space(&table->space, pool);
    }
    return table;
}

void dsapi_route_table_flat(dsapi_table_t *table, int stripped)
{
    table->flat = 1;
    table->stripped = stripped;
}

static int is_hidden(const dsapi_table_t *table, const char *name)
{
    return table->flat ? strncmp(name, DSAPI_ROUTE_HIDDEN,
                                 strlen(DSAPI_ROUTE_HIDDEN)) == 0
                       : *name == '@';
}

static void put_names(dsapi_table_t *table, const dsapi_rows_t *rows)
{
    int first = 1;

    for (int i = 0; i < dsapi_rows_columns(rows); i++) {
        const char *name = dsapi_rows_name(rows, i);

        if (!is_hidden(table, name)) {
            if (!first) {
                dsapi_buf_putc(table->buf, ',');
            }
            dsapi_csv_put_field(table->buf, name, strlen(name));
            first = 0;
        }
    }
    dsapi_csv_end_record(table->buf);
}

void dsapi_route_put_cell(dsapi_buf_t *buf, dsapi_cell_space_t *space,
                          unsigned type, const char *text, apr_size_t len_bytes)
{
    dsapi_buf_t *cell = space->json;

    if (!text) {
        return;
    }
    if (type == DSAPI_OID_MADE) {
        apr_pool_clear(space->scratch);
        text =
            dsapi_route_made_text(&len_bytes, text, len_bytes, space->scratch);
        dsapi_csv_put_field(buf, text, len_bytes);
        return;
    }
    cell->len_bytes = 0;
    dsapi_route_write_value(cell, type, text, len_bytes);
    if (type == DSAPI_OID_JSON || type == DSAPI_OID_JSONB ||
        cell->data[0] != '"') {
        dsapi_csv_put_field(buf, cell->data, cell->len_bytes);
    }
    else if (type == DSAPI_OID_TIMESTAMP || type == DSAPI_OID_TIMESTAMPTZ) {
        dsapi_csv_put_field(buf, cell->data + 1, cell->len_bytes - 2);
    }
    else {
        dsapi_csv_put_field(buf, text, len_bytes);
    }
}

void dsapi_route_cell_space(dsapi_cell_space_t *space, apr_pool_t *pool)
{
    space->json = dsapi_buf_make(0, pool);
    apr_pool_create(&space->scratch, pool);
    apr_pool_tag(space->scratch, "dsapi_route_cell");
}

static void put_record(dsapi_table_t *table, const dsapi_rows_t *rows, int row)
{
    int first = 1;

    for (int i = 0; i < dsapi_rows_columns(rows); i++) {
        apr_size_t len = 0;
        const char *text;

        if (is_hidden(table, dsapi_rows_name(rows, i))) {
            continue;
        }
        if (!first) {
            dsapi_buf_putc(table->buf, ',');
        }
        first = 0;
        text = dsapi_rows_value(&len, rows, row, i);
        dsapi_route_put_cell(table->buf, &table->space,
                             dsapi_rows_type(rows, i), text, len);
    }
    dsapi_csv_end_record(table->buf);
}

/* An object on a line of its own. A line's end inside of it can only be a
 * blank of a json value: in a string it is an escape. */
static void put_line(dsapi_table_t *table, const dsapi_rows_t *rows, int row)
{
    dsapi_buf_t *buf = table->buf;
    apr_size_t start = buf->len_bytes;
    char *p;

    dsapi_route_write_nth(buf, table->plan, rows, row);
    p = buf->data + start;
    while (
        (p = memchr(p, '\n', buf->len_bytes - (apr_size_t)(p - buf->data)))) {
        *p = ' ';
    }
    dsapi_buf_putc(buf, '\n');
}

static apr_status_t begin(dsapi_table_t *table, dsapi_err_t **perr,
                          const dsapi_rows_t *rows)
{
    table->begun = 1;
    if (table->format == DSAPI_FORMAT_CSV) {
        put_names(table, rows);
        return APR_SUCCESS;
    }
    if (table->format == DSAPI_FORMAT_JSON) {
        dsapi_buf_putc(table->buf, '[');
    }
    if (table->flat) {
        table->plan = dsapi_route_plan_flat(rows, table->stripped, table->pool);
        return APR_SUCCESS;
    }
    return dsapi_route_plan_rows(&table->plan, perr, rows, table->pool);
}

apr_status_t dsapi_route_table_rows(dsapi_table_t *table, dsapi_err_t **perr,
                                    const dsapi_rows_t *rows, int nrows)
{
    apr_status_t rv = table->begun ? APR_SUCCESS : begin(table, perr, rows);

    for (int i = 0; rv == APR_SUCCESS && i < nrows; i++) {
        switch (table->format) {
        case DSAPI_FORMAT_CSV:
            put_record(table, rows, i);
            break;
        case DSAPI_FORMAT_NDJSON:
            put_line(table, rows, i);
            break;
        case DSAPI_FORMAT_JSON:
            if (table->filled) {
                dsapi_buf_putc(table->buf, ',');
            }
            dsapi_route_write_nth(table->buf, table->plan, rows, i);
            break;
        }
        table->filled = 1;
    }
    return rv;
}

void dsapi_route_table_end(dsapi_table_t *table)
{
    if (table->format == DSAPI_FORMAT_JSON) {
        dsapi_buf_putc(table->buf, ']');
    }
}

const char *dsapi_route_table_type(dsapi_format_e format)
{
    switch (format) {
    case DSAPI_FORMAT_CSV:
        return "text/csv; charset=utf-8; header=present";
    case DSAPI_FORMAT_NDJSON:
        return "application/x-ndjson";
    case DSAPI_FORMAT_JSON:
        break;
    }
    return "application/json; charset=utf-8";
}
