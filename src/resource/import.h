/* Which columns of a resource a file of CSV may have. */
#ifndef DSAPI_RESOURCE_IMPORT_H
#define DSAPI_RESOURCE_IMPORT_H

#include "csv/import.h"
#include "resource/catalog.h"

/**
 * Say where a file is imported to: the table and its columns. One that has to
 * have a value, and no default, is required; one that is generated or computed
 * nobody may give.
 * @param pspec     out: schema, table, is_view, columns and ncolumns; they live
 *                  as long as entity and pool
 * @param names     of const char *: the columns that count (columns=), those
 *                  of them that the file does not have are NULL; NULL: all, by
 *                  their default where the file does not have them
 * @param defaults  those of names are their default, too
 * @return APR_SUCCESS; DSAPI_EPARAM (PGRST204), as dsapi_resource_columns
 */
apr_status_t dsapi_resource_import(dsapi_import_spec_t *pspec,
                                   dsapi_err_t **perr,
                                   const dsapi_entity_t *entity,
                                   const apr_array_header_t *names,
                                   int defaults, apr_pool_t *pool);

#endif
