/* What a resource embeds: see build.h. */
#include <apr_strings.h>

#include "resource/build.h"
#include "resource/problem.h"
#include "resource/relation.h"

/* Appends pairs of columns that are equal. */
static void put_equal(dsapi_build_t *build, const char *word, const char *a,
                      const apr_array_header_t *as, const char *b,
                      const apr_array_header_t *bs)
{
    for (int i = 0; i < as->nelts; i++) {
        dsapi_build_put(build, i ? " AND " : word, a, ".", NULL);
        dsapi_build_name(build, APR_ARRAY_IDX(as, i, const char *));
        dsapi_build_put(build, " = ", b, ".", NULL);
        dsapi_build_name(build, APR_ARRAY_IDX(bs, i, const char *));
    }
}

/* Which rows of a child belong to a row of its parent. */
static void put_relation(dsapi_build_t *build, const dsapi_res_node_t *child,
                         const dsapi_res_node_t *parent)
{
    const dsapi_relation_t *relation = child->relation;
    const char *up = dsapi_build_label(build, parent, "t");
    const char *down = dsapi_build_label(build, child, "t");
    const char *between = dsapi_build_label(build, child, "j");

    if (relation->middle) {
        put_equal(build, " WHERE ", between, relation->fk->cols, up,
                  relation->fk->refs);
        put_equal(build, " AND ", between, relation->far->cols, down,
                  relation->far->refs);
    }
    else if (relation->ours) {
        put_equal(build, " WHERE ", down, relation->fk->refs, up,
                  relation->fk->cols);
    }
    else {
        put_equal(build, " WHERE ", down, relation->fk->cols, up,
                  relation->fk->refs);
    }
}

void dsapi_build_order(dsapi_build_t *build, const dsapi_res_node_t *node)
{
    for (int i = 0; i < node->order->nelts; i++) {
        const dsapi_res_order_t *term =
            &APR_ARRAY_IDX(node->order, i, dsapi_res_order_t);

        dsapi_build_put(build, i ? ", " : " ORDER BY ", NULL);
        if (term->node) { /* a column that it shows */
            dsapi_build_put(build, dsapi_build_label(build, term->node, "e"),
                            ".", NULL);
            dsapi_build_name(build, term->field.name);
            dsapi_build_path(build, term->field.path);
        }
        else {
            dsapi_build_field(build, node, &term->field);
        }
        dsapi_build_put(build, term->direction ? term->direction : "",
                        term->nulls ? term->nulls : "", NULL);
    }
}

void dsapi_build_limit(dsapi_build_t *build, apr_int64_t limit,
                       apr_int64_t offset)
{
    if (limit >= 0) {
        dsapi_build_put(build, " LIMIT ", NULL);
        dsapi_build_number(build, limit);
    }
    if (offset > 0) {
        dsapi_build_put(build, " OFFSET ", NULL);
        dsapi_build_number(build, offset);
    }
}

/* The rows of a child that belong to a row of its parent. */
static void put_rows(dsapi_build_t *build, const dsapi_res_node_t *child,
                     const dsapi_res_node_t *parent)
{
    apr_int64_t limit = child->limit;
    const char *groups;

    dsapi_build_put(build, "SELECT ", NULL);
    groups = dsapi_build_items(build, child);
    dsapi_build_put(build, " FROM ", NULL);
    dsapi_build_table(build, child->entity);
    dsapi_build_put(build, " AS ", dsapi_build_label(build, child, "t"), NULL);
    if (child->relation->middle) {
        dsapi_build_put(build, " CROSS JOIN ", NULL);
        dsapi_build_table(build, child->relation->middle);
        dsapi_build_put(build, " AS ", dsapi_build_label(build, child, "j"),
                        NULL);
    }
    dsapi_build_joins(build, child, 0);
    put_relation(build, child, parent);
    dsapi_build_where(build, child, " AND ");
    dsapi_build_put(build, groups, NULL);
    dsapi_build_order(build, child);
    if (build->max_rows >= 0 && (limit < 0 || limit > build->max_rows)) {
        limit = build->max_rows;
    }
    dsapi_build_limit(
        build, dsapi_relation_to_one(child->relation) ? child->limit : limit,
        child->offset);
}

/* How many lists a row of a node has, but for those within lists. */
static int count_lists(const dsapi_res_node_t *node)
{
    int n = 0;

    for (int i = 0; i < node->items->nelts; i++) {
        const dsapi_res_node_t *child =
            APR_ARRAY_IDX(node->items, i, dsapi_res_item_t).node;

        if (child) {
            n +=
                dsapi_relation_to_one(child->relation) ? count_lists(child) : 1;
        }
    }
    return n;
}

/* Rows, or a column of them, as JSON. Where the rows are too large it is an
 * error: they would be values of one row, which is in memory as a whole. */
static void put_json(dsapi_build_t *build, const char *rows, const char *column)
{
    dsapi_build_put(
        build, "CASE WHEN octet_length(json_agg(", rows, ".*)::text) > ",
        apr_itoa(build->pool, build->list_max_bytes), " THEN current_setting('",
        DSAPI_RES_TOO_LARGE, "')::json ELSE json_agg(", rows, ".", NULL);
    if (column) {
        dsapi_build_name(build, column);
    }
    dsapi_build_put(build, column ? ") END" : "*) END", NULL);
}

/* A list of rows: as JSON, and where it is spread its columns as lists. */
static void put_list(dsapi_build_t *build, const dsapi_res_node_t *child,
                     const dsapi_res_node_t *parent)
{
    const char *joined = dsapi_build_label(build, child, "e");
    apr_array_header_t *names =
        child->spread ? dsapi_build_names(build, child) : NULL;

    dsapi_build_put(build, "SELECT ", NULL);
    put_json(build, joined, NULL);
    dsapi_build_put(build, " AS " DSAPI_BUILD_LIST, NULL);
    for (int i = 0; names && i < names->nelts; i++) {
        const char *name = APR_ARRAY_IDX(names, i, dsapi_build_name_t).name;

        dsapi_build_put(build, ", coalesce(", NULL);
        put_json(build, joined, name);
        dsapi_build_put(build, ", '[]')",
                        parent->compared ? "::jsonb AS " : " AS ", NULL);
        dsapi_build_name(build, name);
    }
    dsapi_build_put(build, " FROM (", NULL);
    put_rows(build, child, parent);
    dsapi_build_put(build, ") AS ", joined, NULL);
}

static void put_join(dsapi_build_t *build, const dsapi_res_node_t *child,
                     const dsapi_res_node_t *parent)
{
    const char *joined = dsapi_build_label(build, child, "e");

    dsapi_build_put(
        build, child->inner ? " JOIN LATERAL (" : " LEFT JOIN LATERAL (", NULL);
    if (dsapi_relation_to_one(child->relation)) {
        put_rows(build, child, parent);
        dsapi_build_put(build, ") AS ", joined, " ON true", NULL);
        return;
    }
    put_list(build, child, parent);
    dsapi_build_put(
        build, ") AS ", joined, " ON ", child->inner ? joined : "true",
        child->inner ? "." DSAPI_BUILD_LIST " IS NOT NULL" : "", NULL);
}

void dsapi_build_joins(dsapi_build_t *build, const dsapi_res_node_t *node,
                       int needed)
{
    int nlists = node->relation ? 0 : count_lists(node);

    if (nlists > 0) {
        build->list_max_bytes = DSAPI_RES_EMBED_MAX_BYTES / nlists;
    }
    for (int i = 0; i < node->items->nelts; i++) {
        const dsapi_res_node_t *child =
            APR_ARRAY_IDX(node->items, i, dsapi_res_item_t).node;

        if (child && (child->needed || !needed)) {
            put_join(build, child, node);
        }
    }
}
