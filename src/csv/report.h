/* What is told of records that were refused. */
#ifndef DSAPI_CSV_REPORT_H
#define DSAPI_CSV_REPORT_H

#include "csv/import.h"

/**
 * Write them as JSON: [{"record":1,"line":2,"column":"price","value":"x",
 * "reason":"..."}], null for what is not known.
 * @return the text, in pool
 */
const char *dsapi_import_rows_json(const dsapi_import_report_t *report,
                                   apr_pool_t *pool);

#endif
