/*
 * A service as an OpenAPI 3.1 document: its routes, what they take, and the
 * shape of what they answer, as far as it is known (which columns a query has
 * is known to the database alone).
 */
#ifndef DSAPI_DOCS_OPENAPI_H
#define DSAPI_DOCS_OPENAPI_H

#include <apr_pools.h>
#include <apr_tables.h>

#include "json/buf.h"

typedef enum dsapi_docs_answer_e {
    DSAPI_DOCS_ROWS,   /* objects; CSV and NDJSON, too */
    DSAPI_DOCS_ROW,    /* an object, or 404 */
    DSAPI_DOCS_VALUE,  /* any JSON, or of the content type; or 404 */
    DSAPI_DOCS_NONE,   /* no body */
    DSAPI_DOCS_OBJECT, /* an object */
    DSAPI_DOCS_NAMES,  /* an array of strings */
    DSAPI_DOCS_JOB,    /* a job, or 404 */
    DSAPI_DOCS_QUEUED, /* a job that has been put into the queue */
    DSAPI_DOCS_BATCH   /* jobs that have been */
} dsapi_docs_answer_e;

/** A column of a resource. */
typedef struct dsapi_docs_column_t {
    const char *name;
    const char *type;    /* SQL's: of a domain that which it is made of */
    const char *format;  /* SQL's, as people write it */
    const char *comment; /* NULL: none */
    int nullable;
    int read_only;
} dsapi_docs_column_t;

/** A table that routes show. */
typedef struct dsapi_docs_resource_t {
    const char *name;
    const char *comment;               /* NULL: none */
    const apr_array_header_t *columns; /* of dsapi_docs_column_t; NULL: they
                                          are not known */
    int json;                          /* POST takes it */
    int csv;                           /* POST takes it, too */
} dsapi_docs_resource_t;

typedef struct dsapi_docs_route_t {
    const char *method; /* upper case */
    const char *path;   /* a template */
    const char *summary;
    const char *description;
    const char *tag;
    const apr_array_header_t *path_names; /* of const char * */
    const apr_array_header_t *params;     /* of dsapi_param_t *, settled */
    dsapi_docs_answer_e answer;
    const char *content_type; /* of a value; NULL: JSON */
    int status;               /* of success */
    int fresh;                /* queued: 200 where there is no need to */
    int cached;               /* it may be 304 */
    const dsapi_docs_resource_t *resource; /* NULL: it is none's */
    int by_key;                            /* one row of it */
} dsapi_docs_route_t;

typedef struct dsapi_docs_service_t {
    const char *name;
    const char *base;
    const char *title;
    const char *description;
    const char *version;
    const apr_array_header_t *routes; /* of dsapi_docs_route_t */
} dsapi_docs_service_t;

/**
 * Write the document. Members of both structs may be NULL where they are texts
 * for people.
 * @param buf   out: JSON is appended
 * @param pool  for what is needed meanwhile
 */
void dsapi_docs_openapi(dsapi_buf_t *buf, const dsapi_docs_service_t *service,
                        apr_pool_t *pool);

/** @return what an answer is ("The rows"), static */
const char *dsapi_docs_answer_text(dsapi_docs_answer_e answer);

#endif
