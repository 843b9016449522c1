/*
 * A request's query as PostgREST 16 reads it: what to show (select), which
 * rows (filters), in which order, how many. Names are the client's and have
 * been looked up nowhere; values are texts that will be bound.
 *
 * Whatever a client's name or value is, it lives in the pool of the query.
 */
#ifndef DSAPI_RESOURCE_QUERY_H
#define DSAPI_RESOURCE_QUERY_H

#include <apr_pools.h>
#include <apr_tables.h>

#include "base/error.h"

/** How deep embedded resources, and brackets in and= and or=, may nest. */
#define DSAPI_RES_DEPTH_MAX 16

/** A step of a path into JSON: ->key, ->>key, ->0, ->>-1. */
typedef struct dsapi_res_step_t {
    const char *key; /* of an index: its digits, perhaps behind '-' */
    int is_index;
    int as_text; /* ->> */
} dsapi_res_step_t;

/** A column, and perhaps a path into it. */
typedef struct dsapi_res_field_t {
    const char *name;
    apr_array_header_t *path; /* of dsapi_res_step_t; NULL: none */
    const struct dsapi_column_t
        *column; /* once resolved (resolve.h); NULL: "*",
                                            or a condition's resource */
} dsapi_res_field_t;

/** Operators of filters, in the order of the table in filter.c. */
typedef enum dsapi_res_op_e {
    DSAPI_RES_EQ,
    DSAPI_RES_GTE,
    DSAPI_RES_GT,
    DSAPI_RES_LTE,
    DSAPI_RES_LT,
    DSAPI_RES_LIKE,
    DSAPI_RES_ILIKE,
    DSAPI_RES_MATCH,
    DSAPI_RES_IMATCH,
    DSAPI_RES_NEQ,
    DSAPI_RES_CS,
    DSAPI_RES_CD,
    DSAPI_RES_OV,
    DSAPI_RES_SL,
    DSAPI_RES_SR,
    DSAPI_RES_NXR,
    DSAPI_RES_NXL,
    DSAPI_RES_ADJ,
    DSAPI_RES_FTS,
    DSAPI_RES_PLFTS,
    DSAPI_RES_PHFTS,
    DSAPI_RES_WFTS,
    DSAPI_RES_IN,
    DSAPI_RES_IS,
    DSAPI_RES_ISDISTINCT
} dsapi_res_op_e;

typedef enum dsapi_res_cond_e {
    DSAPI_RES_FILTER,
    DSAPI_RES_AND,
    DSAPI_RES_OR
} dsapi_res_cond_e;

/** A condition: a filter, or conditions joined. */
typedef struct dsapi_res_cond_t {
    dsapi_res_cond_e kind;
    int negated;
    apr_array_header_t *terms; /* of dsapi_res_cond_t *; of and, or */
    dsapi_res_field_t field;
    dsapi_res_op_e op;
    const char *quantifier;    /* "ANY", "ALL"; NULL: none */
    const char *language;      /* of a text search; NULL: none */
    const char *value;         /* of is: "NULL", "NOT NULL", "TRUE", ... */
    apr_array_header_t *items; /* of const char *: what in has */
    const struct dsapi_res_node_t *node; /* once resolved: the field is this
                                            embedded resource */
} dsapi_res_cond_t;

/** A term of order=. */
typedef struct dsapi_res_order_t {
    const char *relation; /* an embedded resource; NULL: this one */
    dsapi_res_field_t field;
    const char *direction; /* " ASC", " DESC"; NULL: not said */
    const char *nulls;     /* " NULLS FIRST", " NULLS LAST"; NULL */
    const struct dsapi_res_node_t *node; /* once resolved: the relation */
} dsapi_res_order_t;

/** What is selected at one place: a field or an embedded resource. */
typedef struct dsapi_res_item_t {
    struct dsapi_res_node_t *node; /* NULL: a field */
    const char *alias;             /* NULL: none */
    dsapi_res_field_t field;       /* name "*": every column */
    const char *cast;              /* what the client calls a type; once
                                      resolved: what SQL does; NULL: none */
    const char *aggregate;         /* "sum", "avg", "count", "max", "min" */
    const char *aggregate_cast;    /* as cast */
} dsapi_res_item_t;

/** A resource in the query: the one that was asked for, or an embedded one. */
typedef struct dsapi_res_node_t {
    const char *name;
    const char *alias; /* NULL: none */
    const char *hint;  /* which relationship; NULL: the only one */
    int inner;         /* only rows of its parent that have some of it */
    int spread;        /* its columns stand among its parent's */
    apr_array_header_t *items; /* of dsapi_res_item_t */
    apr_array_header_t *where; /* of dsapi_res_cond_t *: all of them */
    apr_array_header_t *order; /* of dsapi_res_order_t */
    apr_int64_t limit;         /* -1: none */
    apr_int64_t offset;        /* 0: none */
    /* once resolved */
    const struct dsapi_entity_t *entity;
    const struct dsapi_relation_t *relation; /* to its parent; NULL: the root */
    int number;                              /* from 0: names it in SQL */
    const struct dsapi_invoke_t *invoke; /* its rows are a function's (root);
                                            NULL: the table's */
    int needed;   /* which rows its parent has depends on it */
    int grouped;  /* some item is an aggregate */
    int compared; /* so it is, or it is spread in one that is: JSON among its
                     columns is jsonb, which has an equality */
    int hoisted;  /* its aggregates are its parent's to make: it is spread */
} dsapi_res_node_t;

typedef struct dsapi_res_query_t {
    dsapi_res_node_t *root;
    apr_array_header_t *columns;     /* of const char *; NULL: not said */
    apr_array_header_t *on_conflict; /* of const char *; NULL: not said */
    int ranged;                      /* it has a limit or an offset */
    int stripped; /* what is embedded is wanted without nulls; 0 at first */
} dsapi_res_query_t;

/**
 * Parse a query.
 * @param pquery  out: in pool; NULL on error
 * @param perr    out: error in the dialect (PGRST100, PGRST103, PGRST108), in
 *                pool; NULL on success
 * @param name    of the resource, borrowed by the query
 * @param pairs   of dsapi_pair_t, decoded; borrowed by the query
 * @return APR_SUCCESS; DSAPI_EPARAM
 */
apr_status_t dsapi_resource_parse(dsapi_res_query_t **pquery,
                                  dsapi_err_t **perr, const char *name,
                                  const apr_array_header_t *pairs,
                                  apr_pool_t *pool);

/**
 * A query as its URL would be written: parameters by their names, those of one
 * name in their order.
 * @param pairs  of dsapi_pair_t
 * @return in pool; "": there is no parameter
 */
const char *dsapi_resource_canonical(const apr_array_header_t *pairs,
                                     apr_pool_t *pool);

#endif
