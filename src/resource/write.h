/*
 * Writing a resource: one statement changes the table and shows what has become
 * of the rows, or counts them. What it shows besides is in columns called
 * "@dsapi....".
 */
#ifndef DSAPI_RESOURCE_WRITE_H
#define DSAPI_RESOURCE_WRITE_H

#include "db/db.h"
#include "resource/payload.h"
#include "resource/resolve.h"
#include "route/result.h"

/** How many rows there are, where they are not shown. */
#define DSAPI_RES_ROWS DSAPI_ROUTE_HIDDEN "rows"
/** How many of the rows so far did not exist before. */
#define DSAPI_RES_INSERTED DSAPI_ROUTE_HIDDEN "inserted"
/** The columns of a row's primary key, and their number behind that. */
#define DSAPI_RES_PK DSAPI_ROUTE_HIDDEN "pk"
typedef enum dsapi_res_change_e {
    DSAPI_RES_INSERT,
    DSAPI_RES_PUT, /* the one row that the filters name: made, or replaced */
    DSAPI_RES_UPDATE,
    DSAPI_RES_DELETE
} dsapi_res_change_e;

typedef struct dsapi_res_writing_t {
    dsapi_res_change_e change;
    const dsapi_res_payload_t *payload; /* not of DELETE */
    apr_array_header_t *columns;  /* of const dsapi_column_t *: the payload's */
    apr_array_header_t *conflict; /* of const char *: SQL names of what a
                                     duplicate has the same; empty: it is an
                                     error */
    int merge;    /* a duplicate is overwritten, not passed over */
    int defaults; /* members that are missing have the column's default */
    int full;     /* the rows are shown */
    int keys;     /* so are their primary keys */
    const dsapi_column_t *fixed; /* has this value, whatever the payload says;
                                    NULL: none */
    const char *fixed_value;
    apr_array_header_t *validators; /* of const char *: only a row with one of
                                       them is changed; NULL: any */
} dsapi_res_writing_t;

/**
 * The columns that names stand for.
 * @param pcolumns  out: of const dsapi_column_t *, in pool
 * @param names     of const char *
 * @return APR_SUCCESS; DSAPI_EPARAM (PGRST204: there is none, or it is
 *         computed)
 */
apr_status_t dsapi_resource_columns(apr_array_header_t **pcolumns,
                                    dsapi_err_t **perr,
                                    const dsapi_entity_t *entity,
                                    const apr_array_header_t *names,
                                    apr_pool_t *pool);

/**
 * Check the filters of a PUT: all columns of the primary key, and nothing else,
 * each with eq; and the payload's members have them, too.
 * @return APR_SUCCESS; DSAPI_EMETHOD (PGRST105, as PostgREST says it);
 *         DSAPI_EPARAM (PGRST114, PGRST115)
 */
apr_status_t dsapi_resource_check_put(dsapi_err_t **perr,
                                      const dsapi_res_query_t *query,
                                      const dsapi_res_payload_t *payload,
                                      apr_pool_t *pool);

/** Check the filters of a change: none asks for what is embedded.
 *  @return APR_SUCCESS; DSAPI_EPARAM (42703) */
apr_status_t dsapi_resource_check_filters(dsapi_err_t **perr,
                                          const dsapi_res_query_t *query,
                                          apr_pool_t *pool);

/** The statement. @param pcall  out: refers to pool, query and writing */
void dsapi_resource_write(dsapi_call_t *pcall, const dsapi_res_query_t *query,
                          const dsapi_res_writing_t *writing, apr_pool_t *pool);

/** A statement that inserts, and shows the rows. @param insert  SQL, which
 *  calls the table t0; borrowed for the call @param pcall  out: refers to pool
 *  and query */
void dsapi_resource_show(dsapi_call_t *pcall, const dsapi_res_query_t *query,
                         const char *insert, apr_pool_t *pool);

#endif
