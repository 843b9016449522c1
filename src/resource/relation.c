/* Relationships: see relation.h. */
#include "resource/relation.h"

#include <apr_strings.h>
#include <string.h>
#include <strings.h>

#include "json/writer.h"
#include "resource/near.h"
#include "resource/problem.h"

/* What a client asks for. */
typedef struct wanted_t {
    const dsapi_catalog_t *catalog;
    const dsapi_entity_t *from;
    const char *name; /* NULL: every relationship is */
    const char *hint;
    apr_array_header_t *found; /* of dsapi_relation_t */
} wanted_t;

int dsapi_relation_to_one(const dsapi_relation_t *relation)
{
    return relation->cardinality == DSAPI_RES_M2O ||
           relation->cardinality == DSAPI_RES_O2O;
}

/* Is it the only column of these? */
static int is_only(const apr_array_header_t *columns, const char *name)
{
    return columns->nelts == 1 &&
           strcmp(APR_ARRAY_IDX(columns, 0, const char *), name) == 0;
}

/* The columns of a relation's foreign key on from's side, or on the other. */
static const apr_array_header_t *columns_of(const dsapi_relation_t *relation,
                                            int of_from)
{
    return relation->ours == of_from ? relation->fk->cols : relation->fk->refs;
}

/* A table that refers to itself: its rows below by its name, the row above by
 * the column. */
static int fits_self(const wanted_t *wanted, const dsapi_relation_t *relation)
{
    int below = strcmp(wanted->name, relation->target->spec->name) == 0 &&
                relation->cardinality == DSAPI_RES_O2M;

    if (wanted->hint) {
        return below && is_only(columns_of(relation, 0), wanted->hint);
    }
    return below || (relation->cardinality == DSAPI_RES_M2O &&
                     is_only(columns_of(relation, 1), wanted->name));
}

static int fits(const wanted_t *wanted, const dsapi_relation_t *relation)
{
    const char *hint = wanted->hint;
    int by_name = strcmp(wanted->name, relation->target->spec->name) == 0;

    if (relation->cardinality == DSAPI_RES_M2M) {
        return by_name &&
               (!hint || strcmp(hint, relation->middle->spec->name) == 0);
    }
    if (relation->from == relation->target) {
        return fits_self(wanted, relation);
    }
    if (hint) {
        return by_name && (strcmp(hint, relation->fk->name) == 0 ||
                           is_only(columns_of(relation, 1), hint) ||
                           is_only(columns_of(relation, 0), hint));
    }
    return by_name || (relation->target->is_table &&
                       (strcmp(wanted->name, relation->fk->name) == 0 ||
                        is_only(columns_of(relation, 1), wanted->name)));
}

static void consider(wanted_t *wanted, const dsapi_relation_t *relation)
{
    if (relation->target->spec->embeddable &&
        (!wanted->name || fits(wanted, relation))) {
        APR_ARRAY_PUSH(wanted->found, dsapi_relation_t) = *relation;
    }
}

/* Does a primary key hold all of these columns? */
static int holds(const apr_array_header_t *pk, const apr_array_header_t *cols)
{
    int held = 0;

    for (int i = 0; i < cols->nelts; i++) {
        for (int j = 0; j < pk->nelts; j++) {
            held += strcmp(APR_ARRAY_IDX(cols, i, const char *),
                           APR_ARRAY_IDX(pk, j, const char *)) == 0;
        }
    }
    return held == cols->nelts;
}

/* Many to many: through a table that refers to both, and whose primary key is
 * made of that. */
static void consider_middle(wanted_t *wanted, const dsapi_entity_t *middle,
                            const dsapi_fk_t *fk)
{
    dsapi_relation_t relation = {
        .cardinality = DSAPI_RES_M2M, .from = wanted->from, .fk = fk};

    if (!middle->spec->embeddable || !holds(middle->pk, fk->cols)) {
        return;
    }
    relation.middle = middle;
    for (int i = 0; i < middle->fks->nelts; i++) {
        relation.far = &APR_ARRAY_IDX(middle->fks, i, dsapi_fk_t);
        if (strcmp(relation.far->name, fk->name) == 0 ||
            !holds(middle->pk, relation.far->cols)) {
            continue;
        }
        for (int j = 0; j < wanted->catalog->entities->nelts; j++) {
            relation.target =
                &APR_ARRAY_IDX(wanted->catalog->entities, j, dsapi_entity_t);
            if (strcmp(relation.target->oid, relation.far->target) == 0) {
                consider(wanted, &relation);
            }
        }
    }
}

/* The relationships with one other table (or with itself). */
static void consider_entity(wanted_t *wanted, const dsapi_entity_t *other)
{
    const dsapi_entity_t *from = wanted->from;
    dsapi_relation_t relation = {.from = from, .target = other};

    for (int i = 0; i < other->fks->nelts; i++) {
        relation.fk = &APR_ARRAY_IDX(other->fks, i, dsapi_fk_t);
        if (strcmp(relation.fk->target, from->oid) == 0) {
            relation.ours = 0;
            relation.cardinality =
                relation.fk->unique ? DSAPI_RES_O2O : DSAPI_RES_O2M;
            consider(wanted, &relation);
        }
    }
    for (int i = 0; i < from->fks->nelts; i++) {
        relation.fk = &APR_ARRAY_IDX(from->fks, i, dsapi_fk_t);
        if (strcmp(relation.fk->target, other->oid) == 0) {
            relation.ours = 1;
            relation.cardinality =
                relation.fk->unique ? DSAPI_RES_O2O : DSAPI_RES_M2O;
            consider(wanted, &relation);
        }
    }
}

/* Those by way of one other table. */
static void consider_middles(wanted_t *wanted, const dsapi_entity_t *other)
{
    for (int i = 0; i < other->fks->nelts; i++) {
        const dsapi_fk_t *fk = &APR_ARRAY_IDX(other->fks, i, dsapi_fk_t);

        if (strcmp(fk->target, wanted->from->oid) == 0) {
            consider_middle(wanted, other, fk);
        }
    }
}

static const char *names_text(const char *table, const apr_array_header_t *cols,
                              apr_pool_t *pool)
{
    const char *text = table;

    for (int i = 0; i < cols->nelts; i++) {
        text = apr_pstrcat(pool, text, i ? ", " : "(",
                           APR_ARRAY_IDX(cols, i, const char *), NULL);
    }
    return apr_pstrcat(pool, text, ")", NULL);
}

static void put_relation(dsapi_json_writer_t *w,
                         const dsapi_relation_t *relation, apr_pool_t *pool)
{
    static const char *const cardinalities[] = {"many-to-one", "one-to-many",
                                                "one-to-one", "many-to-many"};
    const char *from = relation->from->spec->name;
    const char *target = relation->target->spec->name;

    dsapi_json_begin_object(w);
    dsapi_json_member(w, "cardinality", cardinalities[relation->cardinality]);
    dsapi_json_member(w, "embedding",
                      apr_pstrcat(pool, from, " with ", target, NULL));
    dsapi_json_member(
        w, "relationship",
        relation->middle
            ? apr_pstrcat(
                  pool, relation->middle->spec->name, " using ",
                  names_text(relation->fk->name, relation->fk->cols, pool),
                  " and ",
                  names_text(relation->far->name, relation->far->cols, pool),
                  NULL)
            : apr_pstrcat(
                  pool, relation->fk->name, " using ",
                  names_text(from, columns_of(relation, 1), pool), " and ",
                  names_text(target, columns_of(relation, 0), pool), NULL));
    dsapi_json_end_object(w);
}

/* What makes a relationship the only one. */
static const char *hint_of(const dsapi_relation_t *relation)
{
    return relation->middle ? relation->middle->spec->name : relation->fk->name;
}

static apr_status_t ambiguous(dsapi_err_t **perr, const wanted_t *wanted,
                              apr_pool_t *pool)
{
    dsapi_buf_t *buf = dsapi_buf_make(512, pool);
    const char *hints = "";
    dsapi_json_writer_t w;

    dsapi_resource_fail(perr, pool, 300, "PGRST201",
                        "Could not embed because more than one relationship "
                        "was found for '%s' and '%s'",
                        wanted->from->spec->name, wanted->name);
    dsapi_json_writer_init(&w, buf);
    dsapi_json_begin_array(&w);
    for (int i = 0; i < wanted->found->nelts; i++) {
        const dsapi_relation_t *relation =
            &APR_ARRAY_IDX(wanted->found, i, dsapi_relation_t);

        put_relation(&w, relation, pool);
        hints = apr_pstrcat(pool, hints, i ? ", '" : "'",
                            relation->target->spec->name, "!",
                            hint_of(relation), "'", NULL);
    }
    dsapi_json_end_array(&w);
    (*perr)->details = dsapi_buf_str(buf);
    dsapi_resource_hint(*perr, pool,
                        "Try changing '%s' to one of the following: %s. Find "
                        "the desired relationship in the 'details' key.",
                        wanted->name, hints);
    return (*perr)->rv;
}

static void consider_all(wanted_t *wanted)
{
    const apr_array_header_t *entities = wanted->catalog->entities;

    for (int i = 0; i < entities->nelts; i++) {
        consider_entity(wanted, &APR_ARRAY_IDX(entities, i, dsapi_entity_t));
    }
    for (int i = 0; i < entities->nelts; i++) {
        consider_middles(wanted, &APR_ARRAY_IDX(entities, i, dsapi_entity_t));
    }
}

/* All relationships of a table. */
static const apr_array_header_t *all_of(const dsapi_catalog_t *catalog,
                                        const dsapi_entity_t *from,
                                        apr_pool_t *pool)
{
    wanted_t all = {.catalog = catalog,
                    .from = from,
                    .found = apr_array_make(pool, 4, sizeof(dsapi_relation_t))};

    consider_all(&all);
    return all.found;
}

/* What may have been meant: another resource that this one has a relationship
 * with; or, where it has none, one that has. */
static void hint_relation(dsapi_err_t *err, const wanted_t *wanted,
                          apr_pool_t *pool)
{
    const apr_array_header_t *all = all_of(wanted->catalog, wanted->from, pool);
    const apr_array_header_t *entities = wanted->catalog->entities;
    apr_array_header_t *names = apr_array_make(pool, 8, sizeof(const char *));
    const char *wrong =
        all->nelts > 0 ? wanted->name : wanted->from->spec->name;
    const char *near;

    if (entities->nelts >= DSAPI_NEAR_TABLES_MAX) {
        return;
    }
    for (int i = 0; i < all->nelts; i++) {
        APR_ARRAY_PUSH(names, const char *) =
            APR_ARRAY_IDX(all, i, dsapi_relation_t).target->spec->name;
    }
    for (int i = 0; all->nelts == 0 && i < entities->nelts; i++) {
        const dsapi_entity_t *entity =
            &APR_ARRAY_IDX(entities, i, dsapi_entity_t);

        if (entity->spec->embeddable &&
            all_of(wanted->catalog, entity, pool)->nelts > 0) {
            APR_ARRAY_PUSH(names, const char *) = entity->spec->name;
        }
    }
    near = dsapi_near_name(names, wrong, DSAPI_NEAR_ELSE_PERCENT, pool);
    if (near && strcasecmp(near, wrong) != 0) {
        dsapi_resource_hint(
            err, pool, "Perhaps you meant '%s' instead of '%s'.", near, wrong);
    }
}

static apr_status_t none(dsapi_err_t **perr, const wanted_t *wanted,
                         apr_pool_t *pool)
{
    const char *from = wanted->from->spec->name;
    const char *hint = wanted->hint ? apr_pstrcat(pool, "' using the hint '",
                                                  wanted->hint, NULL)
                                    : "";

    dsapi_resource_fail(perr, pool, 400, "PGRST200",
                        "Could not find a relationship between '%s' and '%s' "
                        "in the schema cache",
                        from, wanted->name);
    dsapi_resource_details(*perr, pool,
                           "Searched for a foreign key relationship between "
                           "'%s' and '%s%s' in the schema '%s', but no matches "
                           "were found.",
                           from, wanted->name, hint, wanted->from->schema);
    hint_relation(*perr, wanted, pool);
    return (*perr)->rv;
}

apr_status_t dsapi_relation_find(const dsapi_relation_t **prelation,
                                 dsapi_err_t **perr,
                                 const dsapi_catalog_t *catalog,
                                 const dsapi_entity_t *from, const char *name,
                                 const char *hint, apr_pool_t *pool)
{
    wanted_t wanted = {.catalog = catalog,
                       .from = from,
                       .name = name,
                       .hint = hint,
                       .found =
                           apr_array_make(pool, 2, sizeof(dsapi_relation_t))};

    *prelation = NULL;
    *perr = NULL;
    consider_all(&wanted);
    if (wanted.found->nelts == 0) {
        return none(perr, &wanted, pool);
    }
    if (wanted.found->nelts > 1) {
        return ambiguous(perr, &wanted, pool);
    }
    *prelation = &APR_ARRAY_IDX(wanted.found, 0, dsapi_relation_t);
    return APR_SUCCESS;
}
