/*
 * A source: an upstream JSON API and the SQL that stores its answers. Made
 * from configuration, read-only afterwards.
 */
#ifndef DSAPI_SOURCE_SOURCE_H
#define DSAPI_SOURCE_SOURCE_H

#include <apr_tables.h>
#include <apr_time.h>

#include "route/statement.h"
#include "source/address.h"
#include "source/expect.h"
#include "source/follow.h"
#include "source/rules.h"
#include "source/template.h"

/** The name under which DsapiStore finds the document. */
#define DSAPI_SOURCE_BODY "body"

typedef struct dsapi_source_t {
    const char *name;                  /* "service/source" */
    const apr_array_header_t *params;  /* of dsapi_param_t *, in=body */
    const apr_array_header_t *resolve; /* of one dsapi_statement_t over
                                        * params; NULL: none */
    const apr_array_header_t *columns; /* of const char *: those of its columns
                                        * that are used; NULL: none */
    const dsapi_template_t *url;
    int post;         /* 1: the method is POST; 0: GET */
    const char *body; /* of a POST: see dsapi_source_body; NULL: all the
                       * parameters, as one JSON object */
    const apr_array_header_t *headers; /* of const char *: "Name: value" */
    const apr_array_header_t *secrets; /* of const char *: parts of them that
                                        * must not be kept anywhere */
    const apr_array_header_t *hosts;   /* of dsapi_host_t: may be asked */
    const char *proxy;                 /* its URL; NULL: none */
    const char *ca;                    /* PEM; NULL: the system's */
    dsapi_expect_t expect;
    const apr_array_header_t *store; /* of dsapi_statement_t; its
                                             parameters are params, columns
                                             and, last, the document */
    dsapi_follow_t follow;           /* max 0: there are no pages */
    dsapi_retry_t retry;
    apr_interval_time_t timeout;         /* of a whole transfer */
    apr_interval_time_t connect_timeout; /* of connecting */
    apr_interval_time_t stall_timeout;   /* with no byte arriving */
    apr_interval_time_t store_timeout;   /* of each statement that stores */
    apr_off_t max_body_bytes;
    int queue_max;                       /* jobs that wait */
    apr_interval_time_t fresh_for;       /* how long data is new; 0: never */
    apr_interval_time_t job_keep;        /* how long jobs that ended are kept */
    apr_interval_time_t every;           /* between two requests; 0: no limit */
    int concurrency;                     /* requests at once; 0: no limit */
    const apr_array_header_t *schedules; /* of dsapi_schedule_t *; NULL */
    const char *definition; /* a digest of all this: what was stored under
                             * another one is asked for anew; NULL: always */
} dsapi_source_t;

/**
 * Bring a job's parameters into their canonical JSON: checked against the
 * source's declarations, defaults filled in, absent ones left out (null in
 * place of a default stays), in the order of the declarations.
 * @param pjson   out: the JSON object, in pool; NULL on error
 * @param perr    out: every mistake, in pool
 * @param json    an object that has been checked to be JSON
 * @return APR_SUCCESS; DSAPI_EPARAM
 */
apr_status_t dsapi_source_params(const char **pjson, dsapi_err_t **perr,
                                 const dsapi_source_t *source,
                                 const dsapi_json_slice_t *json,
                                 apr_pool_t *pool);

/**
 * Read a job's parameters, as dsapi_source_params wrote them.
 * @param pvalues  out: one a parameter of the source, NULL where absent, and
 *                 room for the columns and the document behind them; in pool
 * @param pvars    out: the same by name, for the URL template; items of an
 *                 array joined by commas, absent ones left out
 * @return APR_SUCCESS; DSAPI_EPARAM, DSAPI_ESYNTAX: no JSON (perr in pool)
 */
apr_status_t dsapi_source_values(const char ***pvalues, apr_table_t **pvars,
                                 dsapi_err_t **perr,
                                 const dsapi_source_t *source, const char *json,
                                 apr_pool_t *pool);

/** @return how many values a job has before the document */
int dsapi_source_count(const dsapi_source_t *source);

/** @return the type of a value that a parameter has, or the document */
unsigned dsapi_source_type(const dsapi_source_t *source, int index);

/**
 * Check the body that a source is to POST: JSON, in which each string ":name"
 * that is a value stands for a parameter.
 * @param perr    out: what is wrong, in pool; NULL on success
 * @param params   of dsapi_param_t *, complete
 * @param columns  of const char *: names that are not declared are added; NULL:
 *                 they are a mistake
 * @return APR_SUCCESS; DSAPI_ESYNTAX: no JSON, or a parameter that is not
 *         declared
 */
apr_status_t dsapi_source_body_check(dsapi_err_t **perr, const char *body,
                                     const apr_array_header_t *params,
                                     apr_array_header_t *columns,
                                     apr_pool_t *pool);

/** Add a name to those of columns, unless it is a parameter, the document, or
 *  there already.
 *  @param name  as long-lived as columns */
void dsapi_source_add_column(apr_array_header_t *columns,
                             const apr_array_header_t *params,
                             const char *name);

/**
 * The body to POST: the source's, with the values of parameters in it, each
 * as JSON of its type (null where it is absent).
 * @param values  as dsapi_source_values gives them, columns included
 * @param types   one a value: its OID
 * @param json    the job's parameters, the body of a source that has none
 * @return JSON, in pool or json itself
 */
const char *dsapi_source_body(const dsapi_source_t *source,
                              const char *const *values, const unsigned *types,
                              const char *json, apr_pool_t *pool);

#endif
