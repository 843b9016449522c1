/*
 * How two resources belong together: foreign keys between their tables, seen
 * from one of them.
 */
#ifndef DSAPI_RESOURCE_RELATION_H
#define DSAPI_RESOURCE_RELATION_H

#include "resource/catalog.h"

typedef enum dsapi_cardinality_e {
    DSAPI_RES_M2O, /* our foreign key */
    DSAPI_RES_O2M, /* theirs */
    DSAPI_RES_O2O, /* either's, which is unique */
    DSAPI_RES_M2M  /* two of a third table */
} dsapi_cardinality_e;

typedef struct dsapi_relation_t {
    dsapi_cardinality_e cardinality;
    const dsapi_entity_t *from;
    const dsapi_entity_t *target;
    const dsapi_fk_t *fk;
    int ours;                     /* fk is from's own */
    const dsapi_entity_t *middle; /* of many-to-many: fk is its foreign key to
                                     from, far that to target */
    const dsapi_fk_t *far;
} dsapi_relation_t;

/** @return 1: one row of the target at most belongs to one of from */
int dsapi_relation_to_one(const dsapi_relation_t *relation);

/**
 * Find the relationship that a client means.
 * @param prelation  out: in pool; NULL on error
 * @param perr       out: PGRST200: there is none; PGRST201: more than one
 * @param from       whose select names it
 * @param name       of a resource, or of a foreign key of from or its column
 * @param hint       a foreign key, a column, a table between; NULL: none
 * @return APR_SUCCESS; DSAPI_EPARAM; DSAPI_EINTERNAL with status 300
 */
apr_status_t dsapi_relation_find(const dsapi_relation_t **prelation,
                                 dsapi_err_t **perr,
                                 const dsapi_catalog_t *catalog,
                                 const dsapi_entity_t *from, const char *name,
                                 const char *hint, apr_pool_t *pool);

#endif
