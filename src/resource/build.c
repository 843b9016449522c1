/* SQL of a query: see build.h. */
#include "resource/build.h"

#include <apr_strings.h>
#include <string.h>

#include "base/type.h"
#include "resource/relation.h"
#include "sql/wrap.h"

void dsapi_build_init(dsapi_build_t *build, apr_int64_t max_rows,
                      apr_pool_t *pool)
{
    build->text = dsapi_buf_make(1024, pool);
    build->values = apr_array_make(pool, 8, sizeof(const char *));
    build->max_rows = max_rows;
    build->list_max_bytes = DSAPI_RES_EMBED_MAX_BYTES;
    build->from_source = 0;
    build->stripped = 0;
    build->pool = pool;
}

void dsapi_build_puts(dsapi_build_t *build, const char *const *texts)
{
    for (; *texts; texts++) {
        dsapi_buf_put(build->text, *texts, strlen(*texts));
    }
}

void dsapi_build_name(dsapi_build_t *build, const char *name)
{
    dsapi_sql_put_name(build->text, name);
}

void dsapi_build_value(dsapi_build_t *build, const char *value)
{
    APR_ARRAY_PUSH(build->values, const char *) = value;
    dsapi_build_put(build, "$", apr_itoa(build->pool, build->values->nelts),
                    NULL);
}

void dsapi_build_number(dsapi_build_t *build, apr_int64_t value)
{
    dsapi_build_value(build,
                      apr_psprintf(build->pool, "%" APR_INT64_T_FMT, value));
}

void dsapi_build_table(dsapi_build_t *build, const dsapi_entity_t *entity)
{
    dsapi_build_name(build, entity->schema);
    dsapi_build_put(build, ".", NULL);
    dsapi_build_name(build, entity->table);
}

void dsapi_build_end(dsapi_call_t *pcall, dsapi_build_t *build)
{
    pcall->sql = dsapi_sql_literal(dsapi_buf_str(build->text),
                                   build->values->nelts, build->pool);
    pcall->types = NULL;
    pcall->values = (const char *const *)build->values->elts;
}

const char *dsapi_build_label(const dsapi_build_t *build,
                              const dsapi_res_node_t *node, const char *letter)
{
    return apr_psprintf(build->pool, "%s%d", letter, node->number);
}

/* A column of what SQL calls a table. @param made  what is computed is there
 * already */
static void put_column(dsapi_build_t *build, const char *table,
                       const dsapi_column_t *column, int made)
{
    if (column->function && !made) {
        dsapi_build_name(build, column->function);
        dsapi_build_put(build, ".", NULL);
        dsapi_build_name(build, column->sql);
        dsapi_build_put(build, "(", table, ".*)", NULL);
        return;
    }
    dsapi_build_put(build, table, ".", NULL);
    dsapi_build_name(build, column->sql);
}

void dsapi_build_column(dsapi_build_t *build, const dsapi_res_node_t *node,
                        const dsapi_column_t *column)
{
    put_column(build, dsapi_build_label(build, node, "t"), column,
               build->from_source && !node->relation);
}

/* A column of t0, the same whatever the session's time zone is. */
static void put_validated(dsapi_build_t *build, const dsapi_column_t *column)
{
    dsapi_build_put(build,
                    column->is_zoned ? "pg_catalog.md5(pg_catalog.record_send("
                                       "ROW("
                                     : "",
                    NULL);
    put_column(build, "t0", column, 0);
    dsapi_build_put(build, column->is_zoned ? ")))" : "", NULL);
}

void dsapi_build_validator(dsapi_build_t *build, const dsapi_entity_t *entity)
{
    const char *comma = "pg_catalog.md5(ROW(";

    if (entity->etag) {
        put_validated(build, entity->etag);
        dsapi_build_put(build, "::text", NULL);
        return;
    }
    for (int i = 0; i < entity->columns->nelts; i++) {
        const dsapi_column_t *column =
            &APR_ARRAY_IDX(entity->columns, i, dsapi_column_t);

        if (!column->function) {
            dsapi_build_put(build, comma, NULL);
            put_validated(build, column);
            comma = ", ";
        }
    }
    dsapi_build_put(build, *comma == ',' ? ")::text)" : "pg_catalog.md5('')",
                    NULL);
}

int dsapi_build_uses(const dsapi_res_node_t *node, const dsapi_column_t *column)
{
    for (int i = 0; i < node->items->nelts; i++) {
        if (APR_ARRAY_IDX(node->items, i, dsapi_res_item_t).field.column ==
            column) {
            return 1;
        }
    }
    for (int i = 0; i < node->order->nelts; i++) {
        if (APR_ARRAY_IDX(node->order, i, dsapi_res_order_t).field.column ==
            column) {
            return 1;
        }
    }
    return 0;
}

void dsapi_build_path(dsapi_build_t *build, const apr_array_header_t *path)
{
    for (int i = 0; path && i < path->nelts; i++) {
        const dsapi_res_step_t *step =
            &APR_ARRAY_IDX(path, i, dsapi_res_step_t);

        dsapi_build_put(build, step->as_text ? "->>" : "->", NULL);
        dsapi_build_value(build, step->key);
        dsapi_build_put(build, step->is_index ? "::int" : "::text", NULL);
    }
}

void dsapi_build_field(dsapi_build_t *build, const dsapi_res_node_t *node,
                       const dsapi_res_field_t *field)
{
    int converted = field->path && !field->column->is_json;

    dsapi_build_put(build, converted ? "to_jsonb(" : "", NULL);
    dsapi_build_column(build, node, field->column);
    dsapi_build_put(build, converted ? ")" : "", NULL);
    dsapi_build_path(build, field->path);
}

/* Conditions */

static const char *const operators[] = {
    [DSAPI_RES_EQ] = " = ",
    [DSAPI_RES_GTE] = " >= ",
    [DSAPI_RES_GT] = " > ",
    [DSAPI_RES_LTE] = " <= ",
    [DSAPI_RES_LT] = " < ",
    [DSAPI_RES_LIKE] = " LIKE ",
    [DSAPI_RES_ILIKE] = " ILIKE ",
    [DSAPI_RES_MATCH] = " ~ ",
    [DSAPI_RES_IMATCH] = " ~* ",
    [DSAPI_RES_NEQ] = " <> ",
    [DSAPI_RES_CS] = " @> ",
    [DSAPI_RES_CD] = " <@ ",
    [DSAPI_RES_OV] = " && ",
    [DSAPI_RES_SL] = " << ",
    [DSAPI_RES_SR] = " >> ",
    [DSAPI_RES_NXR] = " &< ",
    [DSAPI_RES_NXL] = " &> ",
    [DSAPI_RES_ADJ] = " -|- ",
    [DSAPI_RES_FTS] = " @@ to_tsquery(",
    [DSAPI_RES_PLFTS] = " @@ plainto_tsquery(",
    [DSAPI_RES_PHFTS] = " @@ phraseto_tsquery(",
    [DSAPI_RES_WFTS] = " @@ websearch_to_tsquery(",
    [DSAPI_RES_IN] = " = ANY(",
    [DSAPI_RES_IS] = " IS ",
    [DSAPI_RES_ISDISTINCT] = " IS DISTINCT FROM ",
};

/* A pattern whose stars stand for any text, as '%' does. */
static const char *pattern(const dsapi_build_t *build, const char *value)
{
    char *text = apr_pstrdup(build->pool, value);

    for (char *p = text; *p; p++) {
        if (*p == '*') {
            *p = '%';
        }
    }
    return text;
}

static void put_language(dsapi_build_t *build, const dsapi_res_cond_t *cond)
{
    if (cond->language) {
        dsapi_build_value(build, cond->language);
        dsapi_build_put(build, "::regconfig, ", NULL);
    }
}

static void put_search(dsapi_build_t *build, const dsapi_res_node_t *node,
                       const dsapi_res_cond_t *cond)
{
    int is_vector = cond->field.column->is_tsvector && !cond->field.path;

    if (!is_vector) {
        dsapi_build_put(build, "to_tsvector(", NULL);
        put_language(build, cond);
    }
    dsapi_build_field(build, node, &cond->field);
    dsapi_build_put(build, is_vector ? "" : ")", operators[cond->op], NULL);
    put_language(build, cond);
    dsapi_build_value(build, cond->value);
    dsapi_build_put(build, ")", NULL);
}

static const char *list_literal(const dsapi_build_t *build,
                                const apr_array_header_t *items)
{
    int empty = items->nelts == 1 && !*APR_ARRAY_IDX(items, 0, const char *);

    return empty ? "{}" : dsapi_base_array_literal(items, build->pool);
}

/* The operand behind an operator. */
static void put_operand(dsapi_build_t *build, const dsapi_res_cond_t *cond)
{
    const char *value = cond->value;

    if (cond->op == DSAPI_RES_IS) {
        dsapi_build_put(build, value, NULL);
        return;
    }
    if (cond->op == DSAPI_RES_IN) {
        dsapi_build_value(build, list_literal(build, cond->items));
        dsapi_build_put(build, ")", NULL);
        return;
    }
    if (cond->op == DSAPI_RES_LIKE || cond->op == DSAPI_RES_ILIKE) {
        value = pattern(build, value);
    }
    if (cond->quantifier) {
        dsapi_build_put(build, cond->quantifier, "(", NULL);
    }
    dsapi_build_value(build, value);
    dsapi_build_put(build, cond->quantifier ? ")" : "", NULL);
}

/* Is there something of an embedded resource, or nothing? */
static void put_embedded(dsapi_build_t *build, const dsapi_res_cond_t *cond)
{
    const char *joined = dsapi_build_label(build, cond->node, "e");
    int there = (strcmp(cond->value, "NULL") != 0) != cond->negated;

    if (dsapi_relation_to_one(cond->node->relation)) {
        dsapi_build_put(build, joined,
                        there ? ".* IS DISTINCT FROM NULL"
                              : ".* IS NOT DISTINCT FROM NULL",
                        NULL);
    }
    else {
        dsapi_build_put(build, joined, "." DSAPI_BUILD_LIST,
                        there ? " IS NOT NULL" : " IS NULL", NULL);
    }
}

static void put_cond(dsapi_build_t *build, const dsapi_res_node_t *node,
                     const dsapi_res_cond_t *cond)
{
    if (cond->node) {
        put_embedded(build, cond);
        return;
    }
    dsapi_build_put(build, cond->negated ? "NOT (" : "(", NULL);
    for (int i = 0; cond->terms && i < cond->terms->nelts; i++) {
        if (i > 0) {
            dsapi_build_put(
                build, cond->kind == DSAPI_RES_OR ? " OR " : " AND ", NULL);
        }
        put_cond(build, node,
                 APR_ARRAY_IDX(cond->terms, i, dsapi_res_cond_t *));
    }
    if (cond->kind == DSAPI_RES_FILTER && cond->op >= DSAPI_RES_FTS &&
        cond->op <= DSAPI_RES_WFTS) {
        put_search(build, node, cond);
    }
    else if (cond->kind == DSAPI_RES_FILTER) {
        dsapi_build_field(build, node, &cond->field);
        dsapi_build_put(build, operators[cond->op], NULL);
        put_operand(build, cond);
    }
    dsapi_build_put(build, ")", NULL);
}

const char *dsapi_build_where(dsapi_build_t *build,
                              const dsapi_res_node_t *node, const char *word)
{
    for (int i = 0; i < node->where->nelts; i++) {
        dsapi_build_put(build, word, NULL);
        put_cond(build, node,
                 APR_ARRAY_IDX(node->where, i, dsapi_res_cond_t *));
        word = " AND ";
    }
    return word;
}

/* Items */

/* Is nothing shown of a node, but perhaps of nothing in it? */
static int is_empty(const dsapi_res_node_t *node)
{
    for (int i = 0; i < node->items->nelts; i++) {
        const dsapi_res_node_t *child =
            APR_ARRAY_IDX(node->items, i, dsapi_res_item_t).node;

        if (!child || !is_empty(child)) {
            return 0;
        }
    }
    return 1;
}

/* What an item is called in the answer: its alias, the last key of its path,
 * its aggregate, its column. */
static const char *shown_as(const dsapi_res_item_t *item)
{
    const apr_array_header_t *path = item->field.path;

    if (item->alias || item->aggregate) {
        return item->alias ? item->alias : item->aggregate;
    }
    for (int i = path ? path->nelts - 1 : -1; i >= 0; i--) {
        const dsapi_res_step_t *step =
            &APR_ARRAY_IDX(path, i, dsapi_res_step_t);

        if (!step->is_index) {
            return step->key;
        }
    }
    return item->field.column->name;
}

/* What a hoisted aggregate is made of is called so. */
static const char *hoisted_as(const dsapi_build_t *build,
                              const dsapi_res_node_t *node, int i)
{
    return apr_psprintf(build->pool, "a%d.%d", node->number, i);
}

static void open_aggregate(dsapi_build_t *build, const dsapi_res_item_t *item)
{
    if (item->aggregate_cast) {
        dsapi_build_put(build, "CAST(", NULL);
    }
    if (item->aggregate) {
        dsapi_build_put(build, item->aggregate, "(", NULL);
    }
}

static void close_aggregate(dsapi_build_t *build, const dsapi_res_item_t *item)
{
    if (item->aggregate) {
        dsapi_build_put(build, ")", NULL);
    }
    if (item->aggregate_cast) {
        dsapi_build_put(build, " AS ", item->aggregate_cast, ")", NULL);
    }
    dsapi_build_put(build, " AS ", NULL);
    dsapi_build_name(build, shown_as(item));
}

static void put_value(dsapi_build_t *build, const dsapi_res_node_t *node,
                      const dsapi_res_item_t *item)
{
    if (item->cast) {
        dsapi_build_put(build, "CAST(", NULL);
    }
    if (item->field.column) {
        dsapi_build_field(build, node, &item->field);
    }
    else {
        dsapi_build_put(build, node->hoisted ? "1" : "*", NULL); /* count() */
    }
    if (item->cast) {
        dsapi_build_put(build, " AS ", item->cast, ")", NULL);
    }
}

/* A list of items under way. */
typedef struct list_t {
    dsapi_build_t *build;
    const dsapi_res_node_t *node;
    int n;               /* columns there are */
    dsapi_buf_t *groups; /* their numbers, but for aggregates; NULL: there is
                            no aggregate */
} list_t;

static void next(list_t *list, int grouped)
{
    dsapi_build_put(list->build, list->n++ > 0 ? ", " : "", NULL);
    if (grouped && list->groups) {
        const char *number = apr_itoa(list->build->pool, list->n);

        dsapi_buf_put(list->groups, ", ", list->groups->len_bytes ? 2 : 0);
        dsapi_buf_put(list->groups, number, strlen(number));
    }
}

/* "*": as PostgreSQL has it, or one by one where names are others, or a group
 * is made of them. */
static void put_star(list_t *list)
{
    const dsapi_res_node_t *node = list->node;
    const apr_array_header_t *columns = node->entity->columns;

    if (node->entity->whole && !node->grouped && !node->spread) {
        next(list, 0);
        dsapi_build_put(list->build, dsapi_build_label(list->build, node, "t"),
                        ".*", NULL);
        return;
    }
    for (int i = 0; i < columns->nelts; i++) {
        const dsapi_column_t *column =
            &APR_ARRAY_IDX(columns, i, dsapi_column_t);

        if (!column->function) {
            next(list, 1);
            dsapi_build_column(list->build, node, column);
            dsapi_build_put(list->build, " AS ", NULL);
            dsapi_build_name(list->build, column->name);
        }
    }
}

/* What is embedded: an object or null, or an array. */
static void put_embed(list_t *list, const dsapi_res_node_t *child)
{
    const char *joined = dsapi_build_label(list->build, child, "e");
    const char *cast = list->node->compared ? "::jsonb" : "";

    next(list, 1);
    dsapi_build_put(list->build,
                    list->build->stripped ? "json_strip_nulls(" : "(", NULL);
    if (dsapi_relation_to_one(child->relation)) {
        dsapi_build_put(list->build, "row_to_json(", joined, ".*))", cast,
                        NULL);
    }
    else {
        dsapi_build_put(list->build, "coalesce(", joined,
                        "." DSAPI_BUILD_LIST ", '[]'))", cast, NULL);
    }
    dsapi_build_put(list->build, " AS ", NULL);
    dsapi_build_name(list->build, child->alias ? child->alias : child->name);
}

/* Of an embedded one that is spread: its columns. */
static void collect_names(const dsapi_build_t *build, apr_array_header_t *names,
                          const dsapi_res_node_t *node)
{
    const apr_array_header_t *columns = node->entity->columns;

    for (int i = 0; i < node->items->nelts; i++) {
        const dsapi_res_item_t *item =
            &APR_ARRAY_IDX(node->items, i, dsapi_res_item_t);
        const dsapi_res_node_t *child = item->node;
        int star = !child && !item->field.column && !item->aggregate;
        dsapi_build_name_t name = {NULL, NULL};

        if (child && child->spread) {
            collect_names(build, names, child);
        }
        else if (child) {
            name.name = child->alias ? child->alias : child->name;
        }
        else if (item->aggregate && node->hoisted) {
            name.name = hoisted_as(build, node, i);
            name.hoisted = item;
        }
        else if (!star) {
            name.name = shown_as(item);
        }
        if (name.name) {
            APR_ARRAY_PUSH(names, dsapi_build_name_t) = name;
        }
        for (int j = 0; star && j < columns->nelts; j++) {
            const dsapi_column_t *column =
                &APR_ARRAY_IDX(columns, j, dsapi_column_t);

            if (!column->function) {
                name.name = column->name;
                APR_ARRAY_PUSH(names, dsapi_build_name_t) = name;
            }
        }
    }
}

apr_array_header_t *dsapi_build_names(const dsapi_build_t *build,
                                      const dsapi_res_node_t *node)
{
    apr_array_header_t *names =
        apr_array_make(build->pool, 8, sizeof(dsapi_build_name_t));

    collect_names(build, names, node);
    return names;
}

/* Its columns among its parent's, which makes the aggregates, unless they are
 * its own parent's to make, in turn. */
static void put_spread(list_t *list, const dsapi_res_node_t *child)
{
    apr_array_header_t *names = dsapi_build_names(list->build, child);
    const char *joined = dsapi_build_label(list->build, child, "e");

    for (int i = 0; i < names->nelts; i++) {
        const dsapi_build_name_t *name =
            &APR_ARRAY_IDX(names, i, dsapi_build_name_t);
        const dsapi_res_item_t *made =
            list->node->hoisted ? NULL : name->hoisted;

        next(list, !made);
        if (made) {
            open_aggregate(list->build, made);
        }
        dsapi_build_put(list->build, joined, ".", NULL);
        dsapi_build_name(list->build, name->name);
        if (made) {
            close_aggregate(list->build, made);
        }
    }
}

static void put_field_item(list_t *list, int i)
{
    const dsapi_res_item_t *item =
        &APR_ARRAY_IDX(list->node->items, i, dsapi_res_item_t);
    dsapi_build_t *build = list->build;

    next(list, !item->aggregate);
    if (item->aggregate && list->node->hoisted) {
        put_value(build, list->node, item);
        dsapi_build_put(build, " AS ", NULL);
        dsapi_build_name(build, hoisted_as(build, list->node, i));
        return;
    }
    open_aggregate(build, item);
    put_value(build, list->node, item);
    close_aggregate(build, item);
}

static void put_items(list_t *list)
{
    const dsapi_res_node_t *node = list->node;

    for (int i = 0; i < node->items->nelts; i++) {
        const dsapi_res_item_t *item =
            &APR_ARRAY_IDX(node->items, i, dsapi_res_item_t);

        if (item->node && is_empty(item->node)) {
            continue;
        }
        if (item->node && item->node->spread) {
            put_spread(list, item->node);
        }
        else if (item->node) {
            put_embed(list, item->node);
        }
        else if (!item->field.column && !item->aggregate) {
            put_star(list);
        }
        else {
            put_field_item(list, i);
        }
    }
}

const char *dsapi_build_items(dsapi_build_t *build,
                              const dsapi_res_node_t *node)
{
    list_t list = {build, node, 0, NULL};

    if (node->grouped) {
        list.groups = dsapi_buf_make(64, build->pool);
    }
    if (node->items->nelts == 0 && !node->relation) {
        put_star(&list); /* nothing was said */
    }
    put_items(&list);
    if (list.n == 0) {
        dsapi_build_put(build, "1", NULL);
    }
    return list.groups && list.groups->len_bytes
               ? apr_pstrcat(build->pool, " GROUP BY ",
                             dsapi_buf_str(list.groups), NULL)
               : "";
}
