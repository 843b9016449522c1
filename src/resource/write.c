/* Writing a resource: see write.h. */
#include "resource/write.h"

#include <apr_strings.h>
#include <string.h>

#include "base/type.h"
#include "resource/build.h"
#include "resource/problem.h"

/* How many rows are new: counted in a setting of the transaction, up before a
 * row is inserted, down where it is an update after all. */
#define INSERTED "nullif(current_setting('dsapi_resource.inserted', true), '')"
#define COUNT(step, never)                                      \
    "set_config('dsapi_resource.inserted', (coalesce(" INSERTED \
    "::int, 0)" step ")::text, true) <> '" never "'"

apr_status_t dsapi_resource_columns(apr_array_header_t **pcolumns,
                                    dsapi_err_t **perr,
                                    const dsapi_entity_t *entity,
                                    const apr_array_header_t *names,
                                    apr_pool_t *pool)
{
    *pcolumns = apr_array_make(pool, names->nelts, sizeof(dsapi_column_t *));
    for (int i = 0; i < names->nelts; i++) {
        const char *name = APR_ARRAY_IDX(names, i, const char *);
        const dsapi_column_t *column = dsapi_catalog_column(entity, name);

        if (!column || column->function) {
            return dsapi_resource_fail(perr, pool, 400, "PGRST204",
                                       "Could not find the '%s' column of '%s' "
                                       "in the schema cache",
                                       name, entity->spec->name);
        }
        APR_ARRAY_PUSH(*pcolumns, const dsapi_column_t *) = column;
    }
    return APR_SUCCESS;
}

static int has_name(const apr_array_header_t *names, const char *name)
{
    for (int i = 0; i < names->nelts; i++) {
        if (strcmp(APR_ARRAY_IDX(names, i, const char *), name) == 0) {
            return 1;
        }
    }
    return 0;
}

/* Is each filter of this kind: a column of the primary key is a value? */
static int names_one_row(const dsapi_res_node_t *root)
{
    const apr_array_header_t *pk = root->entity->pk;

    for (int i = 0; i < root->where->nelts; i++) {
        const dsapi_res_cond_t *cond =
            APR_ARRAY_IDX(root->where, i, dsapi_res_cond_t *);

        if (cond->kind != DSAPI_RES_FILTER || cond->op != DSAPI_RES_EQ ||
            cond->negated || cond->quantifier || cond->node ||
            cond->field.path || !has_name(pk, cond->field.column->sql)) {
            return 0;
        }
        for (int j = 0; j < i; j++) {
            if (APR_ARRAY_IDX(root->where, j, dsapi_res_cond_t *)
                    ->field.column == cond->field.column) {
                return 0;
            }
        }
    }
    return pk->nelts > 0 && root->where->nelts == pk->nelts;
}

apr_status_t dsapi_resource_check_put(dsapi_err_t **perr,
                                      const dsapi_res_query_t *query,
                                      const dsapi_res_payload_t *payload,
                                      apr_pool_t *pool)
{
    const dsapi_res_node_t *root = query->root;

    if (query->ranged) {
        return dsapi_resource_fail(perr, pool, 400, "PGRST114",
                                   "limit/offset querystring parameters are "
                                   "not allowed for PUT");
    }
    if (!names_one_row(root)) {
        return dsapi_resource_fail(perr, pool, 405, "PGRST105",
                                   "Filters must include all and only primary "
                                   "key columns with 'eq' operators");
    }
    for (int i = 0; i < root->where->nelts; i++) {
        if (!has_name(payload->keys,
                      APR_ARRAY_IDX(root->where, i, dsapi_res_cond_t *)
                          ->field.column->name)) {
            return dsapi_resource_fail(perr, pool, 400, "PGRST115",
                                       "Payload values do not match URL in "
                                       "primary key column(s)");
        }
    }
    return APR_SUCCESS;
}

/* The first filter on what is embedded. @return NULL: there is none */
static const dsapi_res_cond_t *embedded_filter(const apr_array_header_t *conds)
{
    const dsapi_res_cond_t *found = NULL;

    for (int i = 0; conds && !found && i < conds->nelts; i++) {
        const dsapi_res_cond_t *cond =
            APR_ARRAY_IDX(conds, i, dsapi_res_cond_t *);

        found = cond->node ? cond : embedded_filter(cond->terms);
    }
    return found;
}

apr_status_t dsapi_resource_check_filters(dsapi_err_t **perr,
                                          const dsapi_res_query_t *query,
                                          apr_pool_t *pool)
{
    const dsapi_res_cond_t *cond = embedded_filter(query->root->where);

    return cond ? dsapi_resource_fail(
                      perr, pool, 400, "42703", "column %s.%s does not exist",
                      query->root->entity->spec->name, cond->field.name)
                : APR_SUCCESS;
}

typedef struct writer_t {
    dsapi_build_t *build;
    const dsapi_res_query_t *query;
    const dsapi_res_writing_t *writing;
} writer_t;

static const dsapi_column_t *column_at(const writer_t *writer, int i)
{
    return APR_ARRAY_IDX(writer->writing->columns, i, const dsapi_column_t *);
}

/* An object of the columns' defaults. */
static void put_defaults(const writer_t *writer)
{
    int n = 0;

    dsapi_build_put(writer->build, "jsonb_build_object(", NULL);
    for (int i = 0; i < writer->writing->columns->nelts; i++) {
        const dsapi_column_t *column = column_at(writer, i);

        if (column->def) {
            dsapi_build_put(writer->build, n++ ? ", " : "", NULL);
            dsapi_build_value(writer->build, column->name);
            dsapi_build_put(writer->build, "::text, ", column->def, NULL);
        }
    }
    dsapi_build_put(writer->build, ") || ", NULL);
}

/* The payload as JSON, completed with defaults. */
static void put_document(const writer_t *writer)
{
    const dsapi_res_writing_t *writing = writer->writing;
    dsapi_build_t *build = writer->build;
    const char *json = writing->payload->json;

    if (!writing->defaults) {
        dsapi_build_value(build, json);
        dsapi_build_put(build, "::json", NULL);
        return;
    }
    if (writing->payload->is_array) {
        dsapi_build_put(build, "(SELECT jsonb_agg(", NULL);
        put_defaults(writer);
        dsapi_build_put(build, "e) FROM jsonb_array_elements(", NULL);
        dsapi_build_value(build, json);
        dsapi_build_put(build, "::jsonb) e)", NULL);
        return;
    }
    put_defaults(writer);
    dsapi_build_value(build, json);
    dsapi_build_put(build, "::jsonb", NULL);
}

/* The payload as a table b. Of objects without members only their number is
 * known. */
static void put_body(const writer_t *writer)
{
    const dsapi_res_writing_t *writing = writer->writing;
    dsapi_build_t *build = writer->build;
    int n = writing->columns->nelts;

    if (n == 0) {
        dsapi_build_put(build, "json_array_elements(", NULL);
        dsapi_build_value(build, writing->payload->is_array
                                     ? writing->payload->json
                                     : "[{}]");
        dsapi_build_put(build, "::json) b", NULL);
        return;
    }
    dsapi_build_put(build,
                    writing->defaults ? "jsonb_to_record" : "json_to_record",
                    writing->payload->is_array ? "set(" : "(", NULL);
    put_document(writer);
    dsapi_build_put(build, ") AS b(", NULL);
    for (int i = 0; i < n; i++) {
        dsapi_build_put(build, i ? ", " : "", NULL);
        dsapi_build_name(build, column_at(writer, i)->name);
        dsapi_build_put(build, " ", column_at(writer, i)->type, NULL);
    }
    dsapi_build_put(build, ")", NULL);
}

/* The columns to be inserted, or what they are to be. @param of_body  the
 * latter */
static void put_columns(const writer_t *writer, int of_body)
{
    const dsapi_res_writing_t *writing = writer->writing;
    dsapi_build_t *build = writer->build;
    const char *comma = "";

    if (writing->fixed) {
        if (of_body) {
            dsapi_build_value(build, writing->fixed_value);
            dsapi_build_put(build, "::", writing->fixed->type, NULL);
        }
        else {
            dsapi_build_name(build, writing->fixed->sql);
        }
        comma = ", ";
    }
    for (int i = 0; i < writing->columns->nelts; i++) {
        const dsapi_column_t *column = column_at(writer, i);

        if (column != writing->fixed) {
            dsapi_build_put(build, comma, of_body ? "b." : "", NULL);
            dsapi_build_name(build, of_body ? column->name : column->sql);
            comma = ", ";
        }
    }
}

static int counts_inserted(const dsapi_res_writing_t *writing)
{
    return writing->change == DSAPI_RES_PUT ||
           (writing->change == DSAPI_RES_INSERT && writing->merge &&
            writing->conflict->nelts > 0);
}

/* The row is still the one it was. @param word  what stands before */
static void put_validators(const writer_t *writer, const char *word)
{
    const apr_array_header_t *validators = writer->writing->validators;
    dsapi_build_t *build = writer->build;

    if (!validators) {
        return;
    }
    dsapi_build_put(build, word, NULL);
    dsapi_build_validator(build, writer->query->root->entity);
    dsapi_build_put(build, " = ANY(", NULL);
    dsapi_build_value(build, dsapi_base_array_literal(validators, build->pool));
    dsapi_build_put(build, ")", NULL);
}

static void put_conflict(const writer_t *writer)
{
    const dsapi_res_writing_t *writing = writer->writing;
    dsapi_build_t *build = writer->build;

    if (writing->conflict->nelts == 0) {
        return;
    }
    for (int i = 0; i < writing->conflict->nelts; i++) {
        dsapi_build_put(build, i ? ", " : " ON CONFLICT (", NULL);
        dsapi_build_name(build,
                         APR_ARRAY_IDX(writing->conflict, i, const char *));
    }
    if (!writing->merge || writing->columns->nelts == 0) {
        dsapi_build_put(build, ") DO NOTHING", NULL);
        return;
    }
    for (int i = 0; i < writing->columns->nelts; i++) {
        dsapi_build_put(build, i ? ", " : ") DO UPDATE SET ", NULL);
        dsapi_build_name(build, column_at(writer, i)->sql);
        dsapi_build_put(build, " = EXCLUDED.", NULL);
        dsapi_build_name(build, column_at(writer, i)->sql);
    }
    put_validators(writer, " WHERE ");
    dsapi_build_put(build, writing->validators ? " AND " : " WHERE ",
                    COUNT(" - 1", "-1"), NULL);
}

static void put_insert(const writer_t *writer)
{
    const dsapi_res_writing_t *writing = writer->writing;
    const apr_array_header_t *where = writer->query->root->where;
    dsapi_build_t *build = writer->build;
    int some = writing->columns->nelts > 0 || writing->fixed;

    dsapi_build_put(build, "INSERT INTO ", NULL);
    dsapi_build_table(build, writer->query->root->entity);
    dsapi_build_put(build, " AS t0", some ? " (" : "", NULL);
    put_columns(writer, 0);
    dsapi_build_put(build, some ? ") SELECT " : " SELECT ", NULL);
    put_columns(writer, 1);
    dsapi_build_put(build, " FROM ", NULL);
    put_body(writer);
    if (counts_inserted(writing)) {
        dsapi_build_put(build, " WHERE " COUNT(" + 1", "0"), NULL);
    }
    for (int i = 0; writing->change == DSAPI_RES_PUT && i < where->nelts; i++) {
        const dsapi_res_cond_t *cond =
            APR_ARRAY_IDX(where, i, dsapi_res_cond_t *);

        dsapi_build_put(build, " AND b.", NULL);
        dsapi_build_name(build, cond->field.column->name);
        dsapi_build_put(build, " = ", NULL);
        dsapi_build_value(build, cond->value);
    }
    put_conflict(writer);
}

/* The rows that are changed. */
static void put_where(const writer_t *writer)
{
    put_validators(writer, dsapi_build_where(writer->build, writer->query->root,
                                             " WHERE "));
}

static void put_update(const writer_t *writer)
{
    dsapi_build_t *build = writer->build;

    dsapi_build_put(build, "UPDATE ", NULL);
    dsapi_build_table(build, writer->query->root->entity);
    for (int i = 0; i < writer->writing->columns->nelts; i++) {
        dsapi_build_put(build, i ? ", " : " AS t0 SET ", NULL);
        dsapi_build_name(build, column_at(writer, i)->sql);
        dsapi_build_put(build, " = b.", NULL);
        dsapi_build_name(build, column_at(writer, i)->name);
    }
    dsapi_build_put(build, " FROM ", NULL);
    put_body(writer);
    put_where(writer);
}

/* Is a stored column among what is asked for? */
static int shows_column(const dsapi_res_node_t *root, const char *sql)
{
    const apr_array_header_t *columns = root->entity->columns;

    for (int i = 0; i < columns->nelts; i++) {
        const dsapi_column_t *column =
            &APR_ARRAY_IDX(columns, i, dsapi_column_t);

        if (!column->function && strcmp(column->sql, sql) == 0) {
            return dsapi_build_uses(root, column);
        }
    }
    return 0;
}

/* Is more shown of a row than some of its columns? */
static int shows_all(const dsapi_res_node_t *root)
{
    for (int i = 0; i < root->items->nelts; i++) {
        const dsapi_res_item_t *item =
            &APR_ARRAY_IDX(root->items, i, dsapi_res_item_t);

        if (item->node || (!item->field.column && !item->aggregate)) {
            return 1;
        }
    }
    return root->items->nelts == 0;
}

/* What the change gives: the rows, or of these what the client asks for, since
 * it may not be allowed to see more; and what is computed of them, since it
 * cannot be later, when they are no rows of the table. */
static void put_returning(const writer_t *writer)
{
    const dsapi_res_node_t *root = writer->query->root;
    const apr_array_header_t *columns = root->entity->columns;
    const apr_array_header_t *pk = root->entity->pk;
    int full = writer->writing->full;
    int all = full && shows_all(root);
    dsapi_build_t *build = writer->build;

    dsapi_build_put(build, all ? " RETURNING t0.*" : " RETURNING 1", NULL);
    for (int i = 0; full && i < columns->nelts; i++) {
        const dsapi_column_t *column =
            &APR_ARRAY_IDX(columns, i, dsapi_column_t);

        if ((column->function || !all) && dsapi_build_uses(root, column)) {
            dsapi_build_put(build, ", ", NULL);
            dsapi_build_column(build, root, column);
            dsapi_build_put(build, " AS ", NULL);
            dsapi_build_name(build, column->sql);
        }
    }
    for (int i = 0; !all && writer->writing->keys && i < pk->nelts; i++) {
        const char *name = APR_ARRAY_IDX(pk, i, const char *);

        if (!full || !shows_column(root, name)) {
            dsapi_build_put(build, ", t0.", NULL);
            dsapi_build_name(build, name);
        }
    }
}

/* The columns besides the rows. @param counted  the rows are only counted */
static void put_hidden(const writer_t *writer, int counted)
{
    const apr_array_header_t *pk = writer->query->root->entity->pk;
    dsapi_build_t *build = writer->build;

    if (counts_inserted(writer->writing)) {
        dsapi_build_put(build, ", " INSERTED " AS \"" DSAPI_RES_INSERTED "\"",
                        NULL);
    }
    for (int i = 0; writer->writing->keys && i < pk->nelts; i++) {
        dsapi_build_put(build, counted ? ", min(t0." : ", (t0.", NULL);
        dsapi_build_name(build, APR_ARRAY_IDX(pk, i, const char *));
        dsapi_build_put(build, counted ? "::text)" : ")::text", " AS ", NULL);
        dsapi_build_name(build,
                         apr_psprintf(build->pool, DSAPI_RES_PK "%d", i));
    }
}

/* Behind the change: what is shown of it. */
static void put_shown(const writer_t *writer)
{
    const dsapi_res_node_t *root = writer->query->root;
    dsapi_build_t *build = writer->build;

    put_returning(writer);
    dsapi_build_put(build, ") SELECT ", NULL);
    build->from_source = 1;
    if (writer->writing->full) {
        const char *groups = dsapi_build_items(build, root);

        put_hidden(writer, 0);
        dsapi_build_put(build, " FROM src AS t0", NULL);
        dsapi_build_joins(build, root, 0);
        dsapi_build_put(build, groups, NULL);
        dsapi_build_order(build, root);
    }
    else {
        dsapi_build_put(build, "count(*) AS \"" DSAPI_RES_ROWS "\"", NULL);
        put_hidden(writer, 1);
        dsapi_build_put(build, " FROM src AS t0", NULL);
    }
}

void dsapi_resource_show(dsapi_call_t *pcall, const dsapi_res_query_t *query,
                         const char *insert, apr_pool_t *pool)
{
    const dsapi_res_writing_t writing = {.change = DSAPI_RES_INSERT, .full = 1};
    dsapi_build_t build;
    writer_t writer = {&build, query, &writing};

    dsapi_build_init(&build, -1, pool);
    dsapi_build_put(&build, "WITH src AS (", insert, NULL);
    put_shown(&writer);
    dsapi_build_end(pcall, &build);
}

void dsapi_resource_write(dsapi_call_t *pcall, const dsapi_res_query_t *query,
                          const dsapi_res_writing_t *writing, apr_pool_t *pool)
{
    dsapi_build_t build;
    writer_t writer = {&build, query, writing};

    dsapi_build_init(&build, -1, pool);
    build.stripped = query->stripped;
    dsapi_build_put(&build, "WITH src AS (", NULL);
    if (writing->change == DSAPI_RES_UPDATE) {
        put_update(&writer);
    }
    else if (writing->change == DSAPI_RES_DELETE) {
        dsapi_build_put(&build, "DELETE FROM ", NULL);
        dsapi_build_table(&build, query->root->entity);
        dsapi_build_put(&build, " AS t0", NULL);
        put_where(&writer);
    }
    else {
        put_insert(&writer);
    }
    put_shown(&writer);
    dsapi_build_end(pcall, &build);
}
