/*
 * What PostgreSQL's catalogue says of the tables of a service's resources:
 * columns, types, keys, foreign keys, comments. Read in one query, read-only
 * afterwards, any thread. A table that is no resource, and in no schema that is
 * exposed, is not in it, so that nothing is shown that no configuration names.
 */
#ifndef DSAPI_RESOURCE_CATALOG_H
#define DSAPI_RESOURCE_CATALOG_H

#include <apr_pools.h>
#include <apr_tables.h>

#include "base/error.h"
#include "db/db.h"

/** A resource as it is configured; borrowed by the catalogue. */
typedef struct dsapi_res_spec_t {
    const char *name;
    const char *table;           /* as SQL writes it: visits."Property" (see
                                    dsapi_catalog_table); NULL: every table of
                                    schema that no other resource shows, by its
                                    own name */
    const char *schema;          /* its name; NULL: table says it */
    apr_array_header_t *columns; /* of dsapi_arg_t: the client's name (key;
                                    NULL: the same) and SQL's; NULL: all */
    const char *key;             /* of {base}/{resource}/{key}, the client's
                                    name; NULL: the primary key */
    int embeddable;              /* others may show it in theirs */
} dsapi_res_spec_t;

typedef struct dsapi_column_t {
    const char *name;     /* the client's */
    const char *sql;      /* SQL's */
    const char *function; /* its schema: it is computed; NULL: it is stored */
    const char *type;     /* what a value of it is cast to */
    const char *expected; /* its type as people write it */
    const char *def;      /* SQL of its default; NULL: none */
    const char *comment;  /* NULL: none */
    int is_json;          /* json or jsonb */
    int is_tsvector;
    int is_zoned; /* how it is written depends on the session's time zone */
    int nullable;
    int generated; /* nobody gives it a value */
} dsapi_column_t;

/** A foreign key. */
typedef struct dsapi_fk_t {
    const char *name;
    const char *target;       /* the OID of the other table */
    apr_array_header_t *cols; /* of const char *: SQL names */
    apr_array_header_t *refs; /* theirs in the other table */
    int unique;               /* no two rows have the same */
} dsapi_fk_t;

/** A table, and the resource that shows it. */
typedef struct dsapi_entity_t {
    const dsapi_res_spec_t *spec; /* of a schema that is exposed: its own */
    const char *oid;
    const char *schema;
    const char *table;
    const char *comment;         /* NULL: none */
    int is_table;                /* not a view */
    apr_array_header_t *columns; /* of dsapi_column_t: those shown */
    dsapi_column_t *etag;        /* "@etag", which is none of them; NULL */
    int whole;                   /* they are all the table has, by their own
                                    names */
    apr_array_header_t *pk;      /* of const char *: SQL names; of a view,
                                    those of its tables that it shows */
    apr_array_header_t *fks;     /* of dsapi_fk_t */
    apr_array_header_t *layers;  /* of a view, of dsapi_view_layer_t: it, and
                                    what is below; NULL: a table */
    const dsapi_column_t *key;   /* NULL: there is none, or of more than one
                                    column */
} dsapi_entity_t;

/** What a function takes. */
typedef struct dsapi_argument_t {
    const char *name; /* "": it has none */
    const char *type; /* as people write it */
    const char *cast; /* what a value of it is cast to, of any length */
    int required;
    int variadic; /* the last: an array of what may be given repeatedly */
} dsapi_argument_t;

/** The column of a function that gives values, not rows. */
#define DSAPI_RES_VALUE "pgrst_scalar"

/** A function of a schema that is exposed. */
typedef struct dsapi_function_t {
    const char *schema;
    const char *name;
    apr_array_header_t *arguments; /* of dsapi_argument_t */
    int set;                       /* it gives any number of rows, not one */
    int scalar;                    /* of one value */
    int none;                      /* it gives nothing (void) */
    dsapi_entity_t *result;        /* what a row of it is like: as one of the
                                      table whose type it has, or its own */
} dsapi_function_t;

typedef struct dsapi_catalog_t {
    apr_array_header_t *entities;  /* of dsapi_entity_t */
    apr_array_header_t *functions; /* of dsapi_function_t */
    apr_array_header_t *casts;     /* of dsapi_cast_t: cast.h */
} dsapi_catalog_t;

/**
 * Take a table's name apart as SQL does: x, X, s.x, "S"."x.y".
 * @param pschema  out: in pool; NULL: the search path finds it
 * @param ptable   out: in pool
 * @return 1; 0: it is no name of a table, or one of another database
 */
int dsapi_catalog_table(const char **pschema, const char **ptable,
                        const char *text, apr_pool_t *pool);

/**
 * The query that reads it: one row a table that is there.
 * @param pcall  out: refers to pool
 * @param specs  of dsapi_res_spec_t *
 */
void dsapi_catalog_call(dsapi_call_t *pcall, const apr_array_header_t *specs,
                        apr_pool_t *pool);

/** The query that reads the functions of the schemas that are exposed; as
 *  dsapi_catalog_call. */
void dsapi_catalog_functions_call(dsapi_call_t *pcall,
                                  const apr_array_header_t *specs,
                                  apr_pool_t *pool);

/**
 * Take what the queries gave.
 * @param specs      of dsapi_res_spec_t *, as above
 * @param casts      those of dsapi_cast_call
 * @param functions  NULL: nobody has asked for them
 * @param pool       owns the catalogue
 * @return the catalogue
 */
dsapi_catalog_t *dsapi_catalog_make(const apr_array_header_t *specs,
                                    const dsapi_rows_t *rows,
                                    const dsapi_rows_t *casts,
                                    const dsapi_rows_t *functions,
                                    apr_pool_t *pool);

/** @return the table of a resource; NULL: there is none */
const dsapi_entity_t *dsapi_catalog_find(const dsapi_catalog_t *catalog,
                                         const char *name);

/** @return a column by the client's name; NULL: there is none */
const dsapi_column_t *dsapi_catalog_column(const dsapi_entity_t *entity,
                                           const char *name);

#endif
