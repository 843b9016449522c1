/* See import.h. */
#include "resource/import.h"

#include "resource/write.h"

/* All that somebody may give a value. */
static apr_array_header_t *given_columns(const dsapi_entity_t *entity,
                                         apr_pool_t *pool)
{
    apr_array_header_t *columns =
        apr_array_make(pool, entity->columns->nelts, sizeof(dsapi_column_t *));

    for (int i = 0; i < entity->columns->nelts; i++) {
        const dsapi_column_t *column =
            &APR_ARRAY_IDX(entity->columns, i, dsapi_column_t);

        if (!column->generated) {
            APR_ARRAY_PUSH(columns, const dsapi_column_t *) = column;
        }
    }
    return columns;
}

apr_status_t dsapi_resource_import(dsapi_import_spec_t *pspec,
                                   dsapi_err_t **perr,
                                   const dsapi_entity_t *entity,
                                   const apr_array_header_t *names,
                                   int defaults, apr_pool_t *pool)
{
    apr_array_header_t *from;
    dsapi_import_column_t *columns;

    *perr = NULL;
    if (!names) {
        from = given_columns(entity, pool);
    }
    else if (dsapi_resource_columns(&from, perr, entity, names, pool) !=
             APR_SUCCESS) {
        return (*perr)->rv;
    }
    columns = apr_pcalloc(pool, sizeof(*columns) * (apr_size_t)from->nelts);
    for (int i = 0; i < from->nelts; i++) {
        const dsapi_column_t *column =
            APR_ARRAY_IDX(from, i, const dsapi_column_t *);

        columns[i].name = column->name;
        columns[i].sql = column->sql;
        columns[i].null = names && !defaults;
        columns[i].required =
            entity->is_table && !column->nullable && !column->def;
    }
    pspec->schema = entity->schema;
    pspec->table = entity->table;
    pspec->is_view = !entity->is_table;
    pspec->columns = columns;
    pspec->ncolumns = from->nelts;
    return APR_SUCCESS;
}
