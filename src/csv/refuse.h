/*
 * Which records of a file are refused: see import.h.
 */
#ifndef DSAPI_CSV_REFUSE_H
#define DSAPI_CSV_REFUSE_H

#include "csv/load.h"

/**
 * Find them, in a transaction that is rolled back.
 * @param report  in/out: its rows and more are set, in pool
 * @param perr    out: in pool; NULL on success
 * @param import  in no transaction
 * @return APR_SUCCESS: report->rows may still be none, where there is no more
 *         to be found; as dsapi_import_run
 */
apr_status_t dsapi_csv_refuse(dsapi_import_report_t *report, dsapi_err_t **perr,
                              dsapi_import_t *import, apr_pool_t *pool);

#endif
