/*
 * Parameters of routes and sources: their declaration (DsapiParam), and the
 * way from a request to the values that are bound. Everything is checked
 * here, before any SQL runs, and all mistakes of a request are told at once.
 */
#ifndef DSAPI_ROUTE_PARAM_H
#define DSAPI_ROUTE_PARAM_H

#include <apr_pools.h>
#include <apr_tables.h>

#include "base/error.h"
#include "base/text.h"
#include "base/type.h"
#include "json/value.h"

typedef enum dsapi_in_e {
    DSAPI_IN_AUTO, /* not said: dsapi_route_params_settle decides */
    DSAPI_IN_PATH,
    DSAPI_IN_QUERY,
    DSAPI_IN_HEADER,
    DSAPI_IN_BODY
} dsapi_in_e;

/** A bound: a value, or another parameter of the same route. */
typedef struct dsapi_bound_t {
    const char *value; /* canonical; NULL: none */
    const char *param; /* a parameter's name; NULL: none */
} dsapi_bound_t;

/** A declared parameter. Read-only once settled. */
typedef struct dsapi_param_t {
    const char *name;
    dsapi_type_t type;
    dsapi_in_e in;
    int required;
    int whole;       /* in=body: the whole body */
    const char *def; /* canonical default (an array literal for type[]) */
    dsapi_bound_t min;
    dsapi_bound_t max;
    const apr_array_header_t *choices; /* canonical, of const char *; NULL */
    void *pattern;                     /* compiled; NULL: none */
    const char *pattern_text;
    const char *description;
} dsapi_param_t;

/** Where the values of a request are. */
typedef struct dsapi_input_t {
    const char *const *captures;     /* of the path, in its order */
    const apr_array_header_t *path;  /* their names, const char * */
    const apr_array_header_t *query; /* of dsapi_pair_t; NULL: none */
    const apr_array_header_t *form;  /* a form body; NULL: none */
    const dsapi_json_slice_t *json;  /* a JSON body; NULL: none */
    const char *(*header)(void *baton, const char *name);
    void *baton;
} dsapi_input_t;

/**
 * Read a declaration: name type [in=path|query|header|body] [required]
 * [default=] [min=] [max=] [enum=a,b] [pattern=] [description=] [body=whole].
 * min and max take a value or :name, another parameter of the same route;
 * what is said of a value goes for each item of a type[].
 * @param pparam  out: the parameter, in pool (its pattern is freed with it);
 *                NULL on error
 * @param perr    out: what would be right, in pool
 * @param args    of dsapi_arg_t, borrowed for the call
 * @return APR_SUCCESS; DSAPI_ESYNTAX
 */
apr_status_t dsapi_route_param_parse(dsapi_param_t **pparam, dsapi_err_t **perr,
                                     const apr_array_header_t *args,
                                     apr_pool_t *pool);

/**
 * Settle a route's parameters: where each is (in the template: path,
 * required; else query, or body where body_default says so), that every name
 * of the template is declared, no parameter and no header twice, that what min
 * and max name exists and is of the same type, and that a parameter with
 * body=whole is the only one in the body. Call once.
 * @param params        of dsapi_param_t *
 * @param path_names    of const char *
 * @param body_default  1 for POST, PUT and PATCH
 * @return APR_SUCCESS; DSAPI_ESYNTAX (perr in pool)
 */
apr_status_t dsapi_route_params_settle(dsapi_err_t **perr,
                                       const apr_array_header_t *params,
                                       const apr_array_header_t *path_names,
                                       int body_default, apr_pool_t *pool);

/** @return "query", "path", "header" or "body"; static */
const char *dsapi_route_in_name(dsapi_in_e in);

/** @return the index of a parameter; -1: there is none of that name */
int dsapi_route_param_index(const apr_array_header_t *params, const char *name);

/** @return the header that a parameter is in, if_match: if-match (a name has no
 *          hyphen); in pool */
const char *dsapi_route_header_name(const char *name, apr_pool_t *pool);

/**
 * Check one value against everything but bounds that name a parameter.
 * @param pvalue  out: canonical, in pool; for type[] an array literal of the
 *                comma list; NULL on error
 * @param pwhy    out: what would be right, in pool; NULL on success
 * @return APR_SUCCESS; DSAPI_EPARAM
 */
apr_status_t dsapi_route_param_check(const char **pvalue, const char **pwhy,
                                     const dsapi_param_t *param,
                                     const char *text, apr_pool_t *pool);

/**
 * Take a request's values.
 * @param pvalues  out: one a parameter, in their order, NULL where absent; in
 *                 pool; NULL on error
 * @param perr     out: all mistakes, in pool; NULL on success
 * @param params   of dsapi_param_t *, settled
 * @return APR_SUCCESS; DSAPI_EPARAM: a value is missing, wrong, given twice,
 *         or of a name that is not declared; DSAPI_EMEDIA: a form, where the
 *         whole body is one parameter
 */
apr_status_t dsapi_route_bind(const char ***pvalues, dsapi_err_t **perr,
                              const apr_array_header_t *params,
                              const dsapi_input_t *input, apr_pool_t *pool);

#endif
