/* A database with tables that refer to each other, and resources of them. */
#ifndef DSAPI_TESTS_SHOP_H
#define DSAPI_TESTS_SHOP_H

#include "resource/resolve.h"
#include "unit/pg.h"

typedef struct shop_t {
    pg_t *pg;
    dsapi_db_t *db; /* whose values come as to_json has them */
    apr_array_header_t *specs;
    dsapi_catalog_t *catalog;
} shop_t;

/** A new one; ended with g_pool. */
shop_t *shop_open(void);

/** Read the catalogue anew. */
void shop_read(shop_t *shop);

/** Have a schema exposed, and read the catalogue anew. */
void shop_expose(shop_t *shop, const char *name);

/** Ask a resource. @return the rows as JSON, or the error as ast_error has
 *  it */
const char *shop_ask(const shop_t *shop, const char *resource,
                     const char *query);

/** Run a call. @return as dsapi_db_run */
apr_status_t shop_run(dsapi_rows_t **prows, dsapi_err_t **perr,
                      const shop_t *shop, const dsapi_call_t *call);

/** The rows as a flat table of JSON. */
const char *shop_rows(const dsapi_rows_t *rows);

/** Parse and resolve. @return NULL: *perr says why */
dsapi_res_query_t *shop_query(dsapi_err_t **perr, const shop_t *shop,
                              const char *resource, const char *query);

#endif
