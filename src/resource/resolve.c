/* From a client's names to the catalogue's: see resolve.h. */
#include "resource/resolve.h"

#include <apr_strings.h>
#include <string.h>

#include "resource/cast.h"
#include "resource/near.h"
#include "resource/problem.h"

typedef struct resolver_t {
    const dsapi_catalog_t *catalog;
    const char *schema; /* of the table that is asked for */
    int nnodes;         /* that have got their numbers */
    dsapi_err_t **perr;
    apr_pool_t *pool;
} resolver_t;

/* What a column may have been meant to be, as PostgreSQL says it. */
static void hint_column(const resolver_t *resolver, const char *name,
                        const dsapi_entity_t *entity)
{
    const char *table = entity->spec->name;
    apr_array_header_t *names = apr_array_make(
        resolver->pool, entity->columns->nelts, sizeof(const char *));
    const char *first;
    const char *second;

    for (int i = 0; i < entity->columns->nelts; i++) {
        const dsapi_column_t *column =
            &APR_ARRAY_IDX(entity->columns, i, dsapi_column_t);

        if (!column->function) {
            APR_ARRAY_PUSH(names, const char *) = column->name;
        }
    }
    dsapi_near_columns(&first, &second, names, name, resolver->pool);
    if (second) {
        dsapi_resource_hint(*resolver->perr, resolver->pool,
                            "Perhaps you meant to reference the column "
                            "\"%s.%s\" or the column \"%s.%s\".",
                            table, first, table, second);
    }
    else if (first) {
        dsapi_resource_hint(*resolver->perr, resolver->pool,
                            "Perhaps you meant to reference the column "
                            "\"%s.%s\".",
                            table, first);
    }
}

static int resolve_field(const resolver_t *resolver, dsapi_res_field_t *field,
                         const dsapi_res_node_t *node)
{
    field->column = dsapi_catalog_column(node->entity, field->name);
    if (!field->column) {
        dsapi_resource_fail(resolver->perr, resolver->pool, 400, "42703",
                            "column %s.%s does not exist",
                            node->entity->spec->name, field->name);
        hint_column(resolver, field->name, node->entity);
    }
    return field->column != NULL;
}

/* An embedded resource by the name it has in the answer. */
static dsapi_res_node_t *child_named(const dsapi_res_node_t *node,
                                     const char *name)
{
    for (int i = 0; i < node->items->nelts; i++) {
        dsapi_res_node_t *child =
            APR_ARRAY_IDX(node->items, i, dsapi_res_item_t).node;

        if (child &&
            strcmp(child->alias ? child->alias : child->name, name) == 0) {
            return child;
        }
    }
    return NULL;
}

static int resolve_cond(const resolver_t *resolver, dsapi_res_cond_t *cond,
                        const dsapi_res_node_t *node)
{
    dsapi_res_node_t *child;

    if (cond->kind != DSAPI_RES_FILTER) {
        for (int i = 0; i < cond->terms->nelts; i++) {
            if (!resolve_cond(resolver,
                              APR_ARRAY_IDX(cond->terms, i, dsapi_res_cond_t *),
                              node)) {
                return 0;
            }
        }
        return 1;
    }
    child = cond->field.path ? NULL : child_named(node, cond->field.name);
    if (!child) {
        return resolve_field(resolver, &cond->field, node);
    }
    if (cond->op != DSAPI_RES_IS || strstr(cond->value, "NULL") == NULL) {
        if (dsapi_catalog_column(node->entity, cond->field.name)) {
            return resolve_field(resolver, &cond->field, node);
        }
        dsapi_resource_fail(resolver->perr, resolver->pool, 400, "PGRST120",
                            "Bad operator on the '%s' embedded resource",
                            cond->field.name);
        dsapi_resource_details(*resolver->perr, resolver->pool,
                               "Only is null or not is null filters are "
                               "allowed on embedded resources");
        return 0;
    }
    child->needed = 1;
    cond->node = child;
    return 1;
}

/* A term of order=, perhaps of an embedded resource's column. */
static int resolve_order(const resolver_t *resolver, dsapi_res_order_t *term,
                         const dsapi_res_node_t *node)
{
    dsapi_res_node_t *child;

    if (!term->relation) {
        return resolve_field(resolver, &term->field, node);
    }
    child = child_named(node, term->relation);
    if (!child) {
        dsapi_resource_fail(resolver->perr, resolver->pool, 400, "PGRST108",
                            "'%s' is not an embedded resource in this request",
                            term->relation);
        dsapi_resource_hint(*resolver->perr, resolver->pool,
                            "Verify that '%s' is included in the 'select' "
                            "query parameter.",
                            term->relation);
        return 0;
    }
    if (!dsapi_relation_to_one(child->relation)) {
        dsapi_resource_fail(resolver->perr, resolver->pool, 400, "PGRST118",
                            "A related order on '%s' is not possible",
                            term->relation);
        dsapi_resource_details(*resolver->perr, resolver->pool,
                               "'%s' and '%s' do not form a many-to-one or "
                               "one-to-one relationship",
                               node->entity->spec->name, term->relation);
        return 0;
    }
    term->node = child;
    for (int i = 0; i < child->items->nelts; i++) {
        const dsapi_res_item_t *item =
            &APR_ARRAY_IDX(child->items, i, dsapi_res_item_t);

        if (item->alias && !item->node &&
            strcmp(item->alias, term->field.name) == 0) {
            return 1; /* it is the answer's name that counts */
        }
    }
    return resolve_field(resolver, &term->field, child);
}

static int resolve_node(resolver_t *resolver, dsapi_res_node_t *node);

static int not_implemented(const resolver_t *resolver, const char *what)
{
    dsapi_resource_fail(resolver->perr, resolver->pool, 400, "PGRST127",
                        "Feature not implemented");
    dsapi_resource_details(*resolver->perr, resolver->pool, "%s", what);
    return 0;
}

static int resolve_child(resolver_t *resolver, dsapi_res_node_t *child,
                         dsapi_res_node_t *node)
{
    if (dsapi_relation_find(&child->relation, resolver->perr, resolver->catalog,
                            node->entity, child->name, child->hint,
                            resolver->pool) != APR_SUCCESS) {
        return 0;
    }
    child->entity = child->relation->target;
    child->needed |= child->inner;
    child->compared = child->spread && node->compared;
    if (!resolve_node(resolver, child)) {
        return 0;
    }
    if (child->spread && child->grouped) {
        if (!dsapi_relation_to_one(child->relation)) {
            return not_implemented(resolver, "Aggregates are not implemented "
                                             "for one-to-many or many-to-many "
                                             "spreads.");
        }
        child->hoisted = child->compared = 1;
        child->grouped = 0;
        node->grouped = node->compared = 1;
    }
    return 1;
}

static int resolve_cast(const resolver_t *resolver, const char **pcast)
{
    const char *sql;

    if (!*pcast) {
        return 1;
    }
    sql = dsapi_cast_find(resolver->catalog->casts, *pcast, resolver->schema,
                          resolver->pool);
    if (!sql) {
        dsapi_resource_fail(resolver->perr, resolver->pool, 400, "42704",
                            "type \"%s\" does not exist", *pcast);
        return 0;
    }
    *pcast = sql;
    return 1;
}

/* "count" is count() where no column is called so: clients older than
 * aggregates write it. */
static void take_bare_count(dsapi_res_item_t *item,
                            const dsapi_res_node_t *node)
{
    if (!item->node && !item->aggregate && !item->field.path &&
        strcmp(item->field.name, "count") == 0 &&
        !dsapi_catalog_column(node->entity, "count")) {
        item->aggregate = "count";
        item->aggregate_cast = item->cast;
        item->cast = NULL;
        item->field.name = "*";
    }
}

static int resolve_items(resolver_t *resolver, dsapi_res_node_t *node)
{
    for (int i = 0; i < node->items->nelts; i++) {
        dsapi_res_item_t *item =
            &APR_ARRAY_IDX(node->items, i, dsapi_res_item_t);

        take_bare_count(item, node);
        node->grouped |= item->aggregate != NULL;
    }
    node->compared |= node->grouped;
    for (int i = 0; i < node->items->nelts; i++) {
        dsapi_res_item_t *item =
            &APR_ARRAY_IDX(node->items, i, dsapi_res_item_t);
        int star;

        star = !item->node && strcmp(item->field.name, "*") == 0;
        if (!resolve_cast(resolver, &item->cast) ||
            !resolve_cast(resolver, &item->aggregate_cast)) {
            return 0;
        }
        if (item->node
                ? !resolve_child(resolver, item->node, node)
                : !star && !resolve_field(resolver, &item->field, node)) {
            return 0;
        }
    }
    return 1;
}

static int resolve_node(resolver_t *resolver, dsapi_res_node_t *node)
{
    node->number = resolver->nnodes++;
    if (!resolve_items(resolver, node)) {
        return 0;
    }
    for (int i = 0; i < node->where->nelts; i++) {
        if (!resolve_cond(resolver,
                          APR_ARRAY_IDX(node->where, i, dsapi_res_cond_t *),
                          node)) {
            return 0;
        }
    }
    for (int i = 0; i < node->order->nelts; i++) {
        if (!resolve_order(resolver,
                           &APR_ARRAY_IDX(node->order, i, dsapi_res_order_t),
                           node)) {
            return 0;
        }
    }
    return 1;
}

apr_status_t dsapi_resource_resolve(dsapi_res_query_t *query,
                                    dsapi_err_t **perr,
                                    const dsapi_catalog_t *catalog,
                                    const dsapi_entity_t *entity,
                                    apr_pool_t *pool)
{
    resolver_t resolver = {catalog, entity->schema, 0, perr, pool};

    *perr = NULL;
    query->root->entity = entity;
    return resolve_node(&resolver, query->root) ? APR_SUCCESS : (*perr)->rv;
}

int dsapi_resource_stale(const dsapi_err_t *err)
{
    static const char *const codes[] = {
        "42703",    "42704",    "42P01",    "42883",
        "42804",    "42P10",    "428C9",    "22P02",
        "22003",    "23502",    "PGRST200", "PGRST202",
        "PGRST203", "PGRST204", "PGRST205", "invalid-header"};

    for (apr_size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
        if (strcmp(err->code, codes[i]) == 0 ||
            (err->sqlstate && strcmp(err->sqlstate, codes[i]) == 0)) {
            return 1;
        }
    }
    return 0;
}
