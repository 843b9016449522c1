/*
 * From a client's names to the catalogue's: columns, embedded resources,
 * relationships. What is resolved can be made SQL of.
 */
#ifndef DSAPI_RESOURCE_RESOLVE_H
#define DSAPI_RESOURCE_RESOLVE_H

#include "resource/catalog.h"
#include "resource/query.h"
#include "resource/relation.h"

/**
 * Resolve a query.
 * @param query    in/out: what is there "once resolved"
 * @param perr     out: 42703 (no such column), PGRST118, PGRST127, PGRST108,
 *                 PGRST120, or as dsapi_relation_find
 * @param catalog  lives at least as long as the query
 * @return APR_SUCCESS; DSAPI_EPARAM, or as dsapi_relation_find
 */
apr_status_t dsapi_resource_resolve(dsapi_res_query_t *query,
                                    dsapi_err_t **perr,
                                    const dsapi_catalog_t *catalog,
                                    const dsapi_entity_t *entity,
                                    apr_pool_t *pool);

/** @return 1: an error that a table which has changed since the catalogue was
 *  read may explain */
int dsapi_resource_stale(const dsapi_err_t *err);

#endif
