/* A metric's result as it goes out: JSON, CSV or NDJSON. */
#ifndef DSAPI_SERIES_WRITE_H
#define DSAPI_SERIES_WRITE_H

#include "json/buf.h"
#include "route/accept.h"
#include "series/cells.h"

/**
 * Append a result. JSON is an array of rows, NDJSON a row a line; with nest= a
 * row is an outer group, and its innermost group's rows are an array in it.
 * CSV has a line for each innermost row, and names with dots: "area.id",
 * "months.month".
 */
void dsapi_series_write(dsapi_buf_t *buf, dsapi_format_e format,
                        const dsapi_columns_t *columns,
                        const dsapi_metric_t *metric,
                        const dsapi_cells_t *cells);

#endif
