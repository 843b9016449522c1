/* What views show of tables: see view.h. */
#include "resource/view.h"

#include <apr_hash.h>
#include <apr_lib.h>
#include <apr_strings.h>
#include <string.h>

#include "base/number.h"

/* How often a key may be there in one view, by other columns each time. */
#define IMAGES_MAX 16

/* A column of a table, as an entity has it. */
typedef struct shown_t {
    const dsapi_view_layer_t *table;
    const char *col; /* there */
    const char *as;  /* here */
} shown_t;

/* Digits behind a word. @return 0: it does not stand here */
static apr_int64_t number_behind(const char *p, const char *word,
                                 apr_pool_t *pool)
{
    apr_size_t len = strlen(word);
    apr_int64_t n = 0;

    if (strncmp(p, word, len) == 0) {
        const char *end = p + len;

        while (apr_isdigit(*end)) {
            end++;
        }
        (void)dsapi_base_parse_int(
            &n, apr_pstrmemdup(pool, p + len, (apr_size_t)(end - p) - len), 0,
            APR_UINT32_MAX);
    }
    return n;
}

/* The rule is ({QUERY ... :targetList ({TARGETENTRY :expr {...} :resno 1 ...
 * :resorigtbl 1 :resorigcol 1 ...} ...) ...}): what belongs to an entry of the
 * view itself stands within two braces; a backslash quotes. */
int dsapi_view_origin(const char **poid, int *pcol, const char *rule,
                      int attnum, apr_pool_t *pool)
{
    apr_int64_t resno = 0;
    apr_int64_t table = 0;
    int depth = 0;

    for (const char *p = rule; *p; p++) {
        depth += (*p == '{') - (*p == '}');
        if (*p == '\\' && p[1]) {
            p++;
        }
        else if (*p == ':' && depth == 2) {
            apr_int64_t n = number_behind(p, ":resno ", pool);

            resno = n ? n : resno;
            n = number_behind(p, ":resorigtbl ", pool);
            table = strncmp(p, ":resorigtbl ", 12) == 0 ? n : table;
            n = number_behind(p, ":resorigcol ", pool);
            if (n && table && resno == attnum) {
                *poid = apr_psprintf(pool, "%" APR_INT64_T_FMT, table);
                *pcol = (int)n;
                return 1;
            }
        }
    }
    return 0;
}

static const dsapi_view_layer_t *layer_of(const apr_array_header_t *layers,
                                          const char *oid)
{
    for (int i = 0; i < layers->nelts; i++) {
        const dsapi_view_layer_t *layer =
            &APR_ARRAY_IDX(layers, i, dsapi_view_layer_t);

        if (strcmp(layer->oid, oid) == 0) {
            return layer;
        }
    }
    return NULL;
}

/* The table that a column of a view is one of, down through other views.
 * @param pcol  in/out: its attnum. @return NULL: it is computed (or PostgreSQL
 * could not say either: a view can be made one of itself) */
static const dsapi_view_layer_t *table_below(int *pcol,
                                             const apr_array_header_t *layers,
                                             const dsapi_view_layer_t *layer,
                                             apr_pool_t *pool)
{
    for (int i = 0; layer && layer->rule; i++) {
        const char *oid;

        layer = i < layers->nelts &&
                        dsapi_view_origin(&oid, pcol, layer->rule, *pcol, pool)
                    ? layer_of(layers, oid)
                    : NULL;
    }
    return layer && *pcol <= layer->cols->nelts ? layer : NULL;
}

static apr_array_header_t *shown_by(const dsapi_entity_t *view,
                                    apr_pool_t *pool)
{
    const dsapi_view_layer_t *top = layer_of(view->layers, view->oid);
    apr_array_header_t *all = apr_array_make(pool, 8, sizeof(shown_t));

    for (int i = 0; top && i < top->cols->nelts; i++) {
        int col = i + 1;
        const dsapi_view_layer_t *table =
            table_below(&col, view->layers, top, pool);

        if (table) {
            shown_t *shown = apr_array_push(all);

            shown->table = table;
            shown->col = APR_ARRAY_IDX(table->cols, col - 1, const char *);
            shown->as = APR_ARRAY_IDX(top->cols, i, const char *);
        }
    }
    return all;
}

/* Is a column of a table shown? */
static int is_shown(const apr_array_header_t *shown, const char *oid,
                    const char *col)
{
    for (int i = 0; i < shown->nelts; i++) {
        const shown_t *one = &APR_ARRAY_IDX(shown, i, shown_t);

        if (strcmp(one->table->oid, oid) == 0 && strcmp(one->col, col) == 0) {
            return 1;
        }
    }
    return 0;
}

/* The names that columns of a table have in an entity: as many lists as there
 * are ways to show them all. @param shown  NULL: it is a table */
static const apr_array_header_t *
images(const dsapi_entity_t *entity, const apr_array_header_t *shown,
       const char *oid, const apr_array_header_t *cols, apr_pool_t *pool)
{
    static const apr_array_header_t none;
    apr_array_header_t *lists;

    /* of most pairs of a large schema: nothing is made for those */
    if (shown ? !is_shown(shown, oid, APR_ARRAY_IDX(cols, 0, const char *))
              : strcmp(entity->oid, oid) != 0) {
        return &none;
    }
    lists = apr_array_make(pool, 1, sizeof(void *));
    if (!shown) {
        APR_ARRAY_PUSH(lists, const apr_array_header_t *) = cols;
        return lists;
    }
    APR_ARRAY_PUSH(lists, apr_array_header_t *) =
        apr_array_make(pool, 1, sizeof(const char *));
    for (int i = 0; i < cols->nelts; i++) {
        apr_array_header_t *longer = apr_array_make(pool, 1, sizeof(void *));

        for (int j = 0; j < lists->nelts * shown->nelts; j++) {
            const shown_t *one =
                &APR_ARRAY_IDX(shown, j % shown->nelts, shown_t);

            if (strcmp(one->table->oid, oid) == 0 &&
                longer->nelts < IMAGES_MAX &&
                strcmp(one->col, APR_ARRAY_IDX(cols, i, const char *)) == 0) {
                apr_array_header_t *list = apr_array_copy(
                    pool, APR_ARRAY_IDX(lists, j / shown->nelts,
                                        const apr_array_header_t *));

                APR_ARRAY_PUSH(list, const char *) = one->as;
                APR_ARRAY_PUSH(longer, apr_array_header_t *) = list;
            }
        }
        lists = longer;
    }
    return lists;
}

/* Entities, and what each shows. */
typedef struct linker_t {
    const apr_array_header_t *entities;
    apr_array_header_t **shown; /* one an entity */
    int *again; /* of each: its table or view is another's before it, too */
    apr_pool_t *pool;
} linker_t;

static dsapi_entity_t *entity_at(const linker_t *linker, int i)
{
    return &APR_ARRAY_IDX(linker->entities, i, dsapi_entity_t);
}

/* What a foreign key of a table is in an entity: to each that shows the other
 * table. Between two tables it is there already. */
static void link_fk(const linker_t *linker, int at, const char *oid,
                    const dsapi_fk_t *fk)
{
    dsapi_entity_t *entity = entity_at(linker, at);
    const apr_array_header_t *cols =
        images(entity, linker->shown[at], oid, fk->cols, linker->pool);

    for (int i = 0; cols->nelts > 0 && i < linker->entities->nelts; i++) {
        const dsapi_entity_t *other = entity_at(linker, i);
        const apr_array_header_t *refs;

        if ((!linker->shown[at] && !linker->shown[i]) || linker->again[i]) {
            continue;
        }
        refs =
            images(other, linker->shown[i], fk->target, fk->refs, linker->pool);
        for (int j = 0; j < cols->nelts * refs->nelts; j++) {
            dsapi_fk_t *copy = apr_array_push(entity->fks);

            *copy = *fk;
            copy->target = other->oid;
            copy->cols =
                APR_ARRAY_IDX(cols, j / refs->nelts, apr_array_header_t *);
            copy->refs =
                APR_ARRAY_IDX(refs, j % refs->nelts, apr_array_header_t *);
        }
    }
}

static void link_fks(const linker_t *linker, int at, const char *oid,
                     const apr_array_header_t *fks)
{
    apr_array_header_t *own = apr_array_copy(linker->pool, fks);

    for (int i = 0; i < own->nelts; i++) {
        link_fk(linker, at, oid, &APR_ARRAY_IDX(own, i, dsapi_fk_t));
    }
}

/* Is a column of a table in its primary key, which is shown as a whole? */
static int is_key(const linker_t *linker, int at, const shown_t *shown)
{
    const dsapi_entity_t *view = entity_at(linker, at);
    const dsapi_view_layer_t *table = shown->table;

    for (int i = 0; i < table->pk->nelts; i++) {
        if (strcmp(APR_ARRAY_IDX(table->pk, i, const char *), shown->col) ==
            0) {
            return images(view, linker->shown[at], table->oid, table->pk,
                          linker->pool)
                       ->nelts > 0;
        }
    }
    return 0;
}

/* A view's primary key: those of its tables, in the order of its columns. */
static void link_pk(const linker_t *linker, int at)
{
    const apr_array_header_t *shown = linker->shown[at];

    for (int i = 0; i < shown->nelts; i++) {
        const shown_t *one = &APR_ARRAY_IDX(shown, i, shown_t);
        int again = 0;

        for (int j = 0; j < i; j++) {
            const shown_t *other = &APR_ARRAY_IDX(shown, j, shown_t);

            again |=
                other->table == one->table && strcmp(other->col, one->col) == 0;
        }
        if (!again && is_key(linker, at, one)) {
            APR_ARRAY_PUSH(entity_at(linker, at)->pk, const char *) = one->as;
        }
    }
}

void dsapi_view_link(const dsapi_catalog_t *catalog, apr_pool_t *pool)
{
    int n = catalog->entities->nelts;
    linker_t linker = {catalog->entities,
                       apr_pcalloc(pool, sizeof(void *) * ((apr_size_t)n + 1)),
                       apr_pcalloc(pool, sizeof(int) * ((apr_size_t)n + 1)),
                       pool};
    apr_hash_t *before = apr_hash_make(pool);

    for (int i = 0; i < n; i++) {
        const dsapi_entity_t *entity = entity_at(&linker, i);

        linker.again[i] =
            apr_hash_get(before, entity->oid, APR_HASH_KEY_STRING) != NULL;
        apr_hash_set(before, entity->oid, APR_HASH_KEY_STRING, entity);
        linker.shown[i] = entity->layers ? shown_by(entity, pool) : NULL;
    }
    for (int i = 0; i < n; i++) {
        const dsapi_entity_t *entity = entity_at(&linker, i);
        const apr_array_header_t *layers = entity->layers;

        if (!layers) {
            link_fks(&linker, i, entity->oid, entity->fks);
        }
        for (int j = 0; layers && j < layers->nelts; j++) {
            const dsapi_view_layer_t *layer =
                &APR_ARRAY_IDX(layers, j, dsapi_view_layer_t);

            if (!layer->rule) {
                link_fks(&linker, i, layer->oid, layer->fks);
            }
        }
        if (layers) {
            link_pk(&linker, i);
        }
    }
}
