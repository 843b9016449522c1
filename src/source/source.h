/*
 * A source: an upstream JSON API and the SQL that stores its answers. Made
 * from configuration, read-only afterwards.
 */
#ifndef DSAPI_SOURCE_SOURCE_H
#define DSAPI_SOURCE_SOURCE_H

#include <apr_tables.h>
#include <apr_time.h>

#include "route/statement.h"
#include "source/rules.h"
#include "source/template.h"

/** The name under which DsapiStore finds the document. */
#define DSAPI_SOURCE_BODY "body"

typedef struct dsapi_source_t {
    const char *name;                 /* "service/source" */
    const apr_array_header_t *params; /* of dsapi_param_t *, in=body */
    const dsapi_template_t *url;
    const apr_array_header_t *headers; /* of const char *: "Name: value" */
    const apr_array_header_t *store;   /* of dsapi_statement_t; its
                                             parameters are params and, last,
                                             the document */
    dsapi_retry_t retry;
    apr_interval_time_t timeout;       /* of a whole transfer */
    apr_interval_time_t store_timeout; /* of each statement that stores */
    apr_off_t max_body_bytes;
    int queue_max;                       /* jobs that wait */
    apr_interval_time_t fresh_for;       /* how long data is new; 0: never */
    apr_interval_time_t job_keep;        /* how long jobs that ended are kept */
    apr_interval_time_t every;           /* between two requests; 0: no limit */
    int concurrency;                     /* requests at once; 0: no limit */
    const apr_array_header_t *schedules; /* of dsapi_schedule_t *; NULL */
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
 *                 room for the document behind them; in pool
 * @param pvars    out: the same by name, for the URL template; items of an
 *                 array joined by commas, absent ones left out
 * @return APR_SUCCESS; DSAPI_EPARAM, DSAPI_ESYNTAX: no JSON (perr in pool)
 */
apr_status_t dsapi_source_values(const char ***pvalues, apr_table_t **pvars,
                                 dsapi_err_t **perr,
                                 const dsapi_source_t *source, const char *json,
                                 apr_pool_t *pool);

#endif
