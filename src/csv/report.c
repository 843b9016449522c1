/* See report.h. */
#include "csv/report.h"

#include "json/writer.h"

const char *dsapi_import_rows_json(const dsapi_import_report_t *report,
                                   apr_pool_t *pool)
{
    dsapi_buf_t *buf = dsapi_buf_make(512, pool);
    dsapi_json_writer_t w;

    dsapi_json_writer_init(&w, buf);
    dsapi_json_begin_array(&w);
    for (int i = 0; i < report->rows->nelts; i++) {
        const dsapi_import_row_t *row =
            &APR_ARRAY_IDX(report->rows, i, dsapi_import_row_t);

        dsapi_json_begin_object(&w);
        dsapi_json_key(&w, "record");
        dsapi_json_int(&w, (apr_int64_t)row->record);
        dsapi_json_key(&w, "line");
        dsapi_json_int(&w, (apr_int64_t)row->line);
        dsapi_json_member(&w, "column", row->column);
        dsapi_json_member(&w, "value", row->value);
        dsapi_json_member(&w, "reason", row->reason);
        dsapi_json_end_object(&w);
    }
    dsapi_json_end_array(&w);
    return dsapi_buf_str(buf);
}
