/*
 * What views show of tables: a view has no keys of its own, but where its
 * columns are those of a table, that table's keys are the view's, too.
 */
#ifndef DSAPI_RESOURCE_VIEW_H
#define DSAPI_RESOURCE_VIEW_H

#include "resource/catalog.h"

/** A view, or a table below one. */
typedef struct dsapi_view_layer_t {
    const char *oid;
    const char *rule;         /* of a view: its pg_rewrite.ev_action; NULL: a
                                 table */
    apr_array_header_t *cols; /* of const char *: SQL names, by attnum - 1 */
    apr_array_header_t *pk;   /* of const char *: of a table */
    apr_array_header_t *fks;  /* of dsapi_fk_t: of a table */
} dsapi_view_layer_t;

/**
 * Find where a column of a view comes from.
 * @param poid    out: the OID of the table or view it is a column of, in pool
 * @param pcol    out: its attnum there
 * @param rule    the view's rule, as PostgreSQL writes it
 * @param attnum  of the view's column
 * @return 0: it is computed, or there is none
 */
int dsapi_view_origin(const char **poid, int *pcol, const char *rule,
                      int attnum, apr_pool_t *pool);

/**
 * Give the views among a catalogue's entities the primary keys and foreign keys
 * of the tables they show, and every entity foreign keys to such views.
 * @param pool  the catalogue's
 */
void dsapi_view_link(const dsapi_catalog_t *catalog, apr_pool_t *pool);

#endif
