/*
 * SQL together with the parameters it is bound to: what DsapiQuery,
 * DsapiStore and their like become once a section is complete.
 */
#ifndef DSAPI_ROUTE_STATEMENT_H
#define DSAPI_ROUTE_STATEMENT_H

#include <apr_pools.h>
#include <apr_tables.h>

#include "db/db.h"
#include "json/buf.h"
#include "route/param.h"
#include "sql/scan.h"

/** A statement whose $n are known parameters. Read-only. */
typedef struct dsapi_statement_t {
    const dsapi_sql_t *sql;
    const unsigned *types; /* one a $n: the OID that is bound */
    const int *indexes;    /* one a $n: of the parameter */
} dsapi_statement_t;

/**
 * Bind SQL to declared parameters.
 * @param statements  of dsapi_statement_t: the text's are appended, on error
 *                    none; they live in pool
 * @param perr        out: the mistake, in pool
 * @param text        one or more statements, borrowed for the call
 * @param params      of dsapi_param_t *, complete
 * @return APR_SUCCESS; DSAPI_ESYNTAX: as dsapi_sql_parse, or a :name that is
 *         not declared
 */
apr_status_t dsapi_route_statements(apr_array_header_t *statements,
                                    dsapi_err_t **perr, const char *text,
                                    const apr_array_header_t *params,
                                    apr_pool_t *pool, apr_pool_t *scratch_pool);

/**
 * Fill in a call.
 * @param pcall   out: refers to st, and to an array in pool
 * @param values  one a parameter
 */
void dsapi_route_call(dsapi_call_t *pcall, const dsapi_statement_t *st,
                      const char *const *values, apr_pool_t *pool);

/**
 * Append a bound value as JSON of its type: a number, a boolean, an array, a
 * string; JSON as it is; NULL as null.
 * @param value  canonical, as dsapi_route_bind gives it
 */
void dsapi_route_value_json(dsapi_buf_t *buf, dsapi_type_t type,
                            const char *value);

#endif
