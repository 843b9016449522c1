/* Reading a resource: see read.h. */
#include "resource/read.h"

#include <apr_strings.h>

#include "json/value.h"
#include "resource/build.h"
#include "resource/function.h"

/* A function is called once, however often its rows are looked at. */
static void put_source(dsapi_build_t *build, const dsapi_res_node_t *root)
{
    if (root->invoke) {
        dsapi_build_put(build, "WITH src AS (", NULL);
        dsapi_function_put(build, root->invoke);
        dsapi_build_put(build, ") ", NULL);
    }
}

/* FROM and WHERE of the resource itself. */
static void put_rows(dsapi_build_t *build, const dsapi_res_node_t *root,
                     int needed)
{
    dsapi_build_put(build, root->invoke ? " FROM src" : " FROM ", NULL);
    if (!root->invoke) {
        dsapi_build_table(build, root->entity);
    }
    dsapi_build_put(build, " AS t0", NULL);
    dsapi_build_joins(build, root, needed);
    dsapi_build_where(build, root, " WHERE ");
}

/* A query whose rows are to be counted. */
static void put_counted(dsapi_build_t *build, const dsapi_res_node_t *root)
{
    const char *groups = "";

    dsapi_build_put(build, "SELECT ", NULL);
    if (root->grouped) {
        groups = dsapi_build_items(build, root);
    }
    else {
        dsapi_build_put(build, "1", NULL);
    }
    put_rows(build, root, !root->grouped);
    dsapi_build_put(build, groups, NULL);
}

static void put_count(dsapi_build_t *build, const dsapi_res_node_t *root,
                      const dsapi_res_reading_t *reading)
{
    dsapi_build_put(build, "SELECT count(*) FROM (", NULL);
    put_counted(build, root);
    dsapi_build_limit(build, reading->count_max, 0);
    dsapi_build_put(build, ") AS counted", NULL);
}

static void put_key_order(dsapi_build_t *build, const dsapi_res_node_t *root)
{
    const apr_array_header_t *pk = root->entity->pk;

    for (int i = 0; i < pk->nelts; i++) {
        dsapi_build_put(build, i ? ", t0." : " ORDER BY t0.", NULL);
        dsapi_build_name(build, APR_ARRAY_IDX(pk, i, const char *));
    }
}

int dsapi_resource_embeds(const dsapi_res_query_t *query)
{
    const apr_array_header_t *items = query->root->items;

    for (int i = 0; i < items->nelts; i++) {
        const dsapi_res_item_t *item =
            &APR_ARRAY_IDX(items, i, dsapi_res_item_t);

        if (item->node || item->aggregate ||
            (item->field.column && item->field.column->function)) {
            return 1;
        }
    }
    return 0;
}

void dsapi_resource_read(dsapi_call_t *pcall, const dsapi_res_query_t *query,
                         const dsapi_res_reading_t *reading, apr_pool_t *pool)
{
    const dsapi_res_node_t *root = query->root;
    dsapi_build_t build;
    const char *groups;

    dsapi_build_init(&build, reading->max_rows, pool);
    build.stripped = query->stripped;
    put_source(&build, root);
    dsapi_build_put(&build, "SELECT ", NULL);
    groups = dsapi_build_items(&build, root);
    if (reading->count) {
        dsapi_build_put(&build, ", (", NULL);
        put_count(&build, root, reading);
        dsapi_build_put(&build, ") AS \"" DSAPI_RES_TOTAL "\"", NULL);
    }
    if (reading->validator) {
        dsapi_build_put(&build, ", ", NULL);
        dsapi_build_validator(&build, root->entity);
        dsapi_build_put(&build, " AS \"" DSAPI_RES_ETAG "\"", NULL);
    }
    put_rows(&build, root, 0);
    dsapi_build_put(&build, groups, NULL);
    if (root->order->nelts > 0) {
        dsapi_build_order(&build, root);
    }
    else if (!root->grouped && root->entity->is_table) {
        put_key_order(&build, root);
    }
    dsapi_build_limit(&build, reading->limit, reading->offset);
    dsapi_build_end(pcall, &build);
}

void dsapi_resource_count(dsapi_call_t *pcall, const dsapi_res_query_t *query,
                          const dsapi_res_reading_t *reading, apr_pool_t *pool)
{
    dsapi_build_t build;

    dsapi_build_init(&build, reading->max_rows, pool);
    put_source(&build, query->root);
    put_count(&build, query->root, reading);
    dsapi_build_end(pcall, &build);
}

void dsapi_resource_explain(dsapi_call_t *pcall, const dsapi_res_query_t *query,
                            apr_pool_t *pool)
{
    dsapi_build_t build;

    dsapi_build_init(&build, -1, pool);
    dsapi_build_put(&build, "EXPLAIN (FORMAT JSON) ", NULL);
    put_source(&build, query->root);
    put_counted(&build, query->root);
    dsapi_build_end(pcall, &build);
}

apr_int64_t dsapi_resource_planned(const dsapi_rows_t *rows, apr_pool_t *pool)
{
    apr_size_t len = 0;
    const char *text =
        dsapi_rows_count(rows) > 0 ? dsapi_rows_value(&len, rows, 0, 0) : NULL;
    dsapi_json_slice_t json;
    dsapi_json_slice_t planned;

    if (!text ||
        dsapi_json_check(&json, NULL, text, len, pool) != APR_SUCCESS ||
        !dsapi_json_find(&planned, &json, "/0/Plan/Plan Rows", pool)) {
        return -1;
    }
    return apr_atoi64(dsapi_json_text(&planned, pool));
}
