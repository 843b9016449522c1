/* SQL and its parameters: see statement.h. */
#include "route/statement.h"

#include <string.h>

#include "route/result.h"

static apr_status_t bind_one(dsapi_statement_t *st, dsapi_err_t **perr,
                             const dsapi_sql_t *sql,
                             const apr_array_header_t *params, apr_pool_t *pool)
{
    apr_size_t n = (apr_size_t)sql->nparams;
    unsigned *types = apr_palloc(pool, (n + 1) * sizeof(*types));
    int *indexes = apr_palloc(pool, (n + 1) * sizeof(*indexes));

    for (int i = 0; i < sql->nparams; i++) {
        indexes[i] = dsapi_route_param_index(params, sql->names[i]);
        if (indexes[i] < 0) {
            return dsapi_fail(perr, pool, DSAPI_ESYNTAX, "sql",
                              ":%s is not declared; add \"DsapiParam %s "
                              "text\" (or another type) above it",
                              sql->names[i], sql->names[i]);
        }
        types[i] = dsapi_base_type_oid(
            APR_ARRAY_IDX(params, indexes[i], dsapi_param_t *)->type);
    }
    st->sql = sql;
    st->types = types;
    st->indexes = indexes;
    return APR_SUCCESS;
}

apr_status_t dsapi_route_statements(apr_array_header_t *statements,
                                    dsapi_err_t **perr, const char *text,
                                    const apr_array_header_t *params,
                                    apr_pool_t *pool, apr_pool_t *scratch_pool)
{
    apr_array_header_t *parsed;
    int before = statements->nelts;
    apr_status_t rv = dsapi_sql_parse(&parsed, perr, text, pool, scratch_pool);

    for (int i = 0; rv == APR_SUCCESS && i < parsed->nelts; i++) {
        dsapi_statement_t st;

        rv = bind_one(&st, perr, APR_ARRAY_IDX(parsed, i, dsapi_sql_t *),
                      params, pool);
        if (rv == APR_SUCCESS) {
            APR_ARRAY_PUSH(statements, dsapi_statement_t) = st;
        }
    }
    if (rv != APR_SUCCESS) {
        statements->nelts = before;
    }
    return rv;
}

void dsapi_route_call(dsapi_call_t *pcall, const dsapi_statement_t *st,
                      const char *const *values, apr_pool_t *pool)
{
    const char **bound =
        apr_palloc(pool, ((apr_size_t)st->sql->nparams + 1) * sizeof(*bound));

    for (int i = 0; i < st->sql->nparams; i++) {
        bound[i] = values[st->indexes[i]];
    }
    pcall->sql = st->sql;
    pcall->types = st->types;
    pcall->values = bound;
}

void dsapi_route_value_json(dsapi_buf_t *buf, dsapi_type_t type,
                            const char *value)
{
    dsapi_route_write_value(buf, dsapi_base_type_oid(type), value,
                            value ? strlen(value) : 0);
}
