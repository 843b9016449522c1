/* A request's query: see query.h. */
#include "resource/query.h"

#include <apr_lib.h>
#include <apr_strings.h>
#include <stdlib.h>
#include <string.h>

#include "base/number.h"
#include "base/text.h"
#include "resource/parse.h"
#include "resource/problem.h"

/* What is made of the parameters one after the other. */
typedef struct reader_t {
    dsapi_res_query_t *query;
    dsapi_err_t **perr;
    apr_pool_t *pool;
} reader_t;

/* A parameter's name: names with dots between, the last perhaps with a path
 * into JSON. */
typedef struct target_t {
    apr_array_header_t *path; /* of const char *: embedded resources */
    dsapi_res_field_t field;
} target_t;

/* The value of a parameter. @return NULL: it is not there */
static const char *value_of(const apr_array_header_t *pairs, const char *name)
{
    for (int i = 0; i < pairs->nelts; i++) {
        const dsapi_pair_t *pair = &APR_ARRAY_IDX(pairs, i, dsapi_pair_t);

        if (strcmp(pair->name, name) == 0) {
            return pair->value;
        }
    }
    return NULL;
}

static int read_target(target_t *target, reader_t *reader, const char *name)
{
    dsapi_lex_t lex;

    target->path = apr_array_make(reader->pool, 2, sizeof(const char *));
    dsapi_lex_init(&lex, reader->perr, "failed to parse tree path", name,
                   reader->pool);
    for (;;) {
        if (!dsapi_lex_name(&target->field.name, &lex)) {
            return 0;
        }
        if (!dsapi_lex_take(&lex, ".")) {
            break;
        }
        APR_ARRAY_PUSH(target->path, const char *) = target->field.name;
    }
    return dsapi_lex_path(&target->field.path, &lex) &&
           dsapi_lex_end(&lex, "\"->>\", \"->\", delimiter (.) or end of "
                               "input");
}

static int not_embedded(const reader_t *reader, const char *name)
{
    dsapi_resource_fail(reader->perr, reader->pool, 400, "PGRST108",
                        "'%s' is not an embedded resource in this request",
                        name);
    dsapi_resource_hint(*reader->perr, reader->pool,
                        "Verify that '%s' is included in the 'select' query "
                        "parameter.",
                        name);
    return 0;
}

/* An embedded resource by its alias, or by its name. @return NULL: none */
static dsapi_res_node_t *child_of(const dsapi_res_node_t *node,
                                  const char *name)
{
    dsapi_res_node_t *found = NULL;

    for (int i = node->items->nelts - 1; i >= 0; i--) {
        dsapi_res_node_t *child =
            APR_ARRAY_IDX(node->items, i, dsapi_res_item_t).node;

        if (child && child->alias && strcmp(child->alias, name) == 0) {
            return child;
        }
        if (child && strcmp(child->name, name) == 0 &&
            (!found || !child->alias)) {
            found = child;
        }
    }
    return found;
}

/* @return the node that a path leads to; NULL: none (an error) */
static dsapi_res_node_t *node_at(const reader_t *reader,
                                 const apr_array_header_t *path)
{
    dsapi_res_node_t *node = reader->query->root;

    for (int i = 0; i < path->nelts; i++) {
        const char *name = APR_ARRAY_IDX(path, i, const char *);

        node = child_of(node, name);
        if (!node) {
            not_embedded(reader, name);
            return NULL;
        }
    }
    return node;
}

static int read_filter(reader_t *reader, const dsapi_pair_t *pair)
{
    dsapi_res_cond_t *cond = apr_pcalloc(reader->pool, sizeof(*cond));
    dsapi_res_node_t *node;
    target_t target;
    dsapi_lex_t lex;

    dsapi_lex_init(&lex, reader->perr, "failed to parse filter", pair->value,
                   reader->pool);
    if (!read_target(&target, reader, pair->name) ||
        !dsapi_resource_filter(cond, &lex)) {
        return 0;
    }
    node = node_at(reader, target.path);
    if (!node) {
        return 0;
    }
    cond->field = target.field;
    APR_ARRAY_PUSH(node->where, dsapi_res_cond_t *) = cond;
    return 1;
}

/* visits.not.or=(...): a "not" anywhere before the last word counts. */
static int read_logic(reader_t *reader, const dsapi_pair_t *pair)
{
    dsapi_res_cond_t *cond = apr_pcalloc(reader->pool, sizeof(*cond));
    apr_array_header_t *path =
        apr_array_make(reader->pool, 2, sizeof(const char *));
    dsapi_res_node_t *node;
    target_t target;
    dsapi_lex_t lex;

    dsapi_lex_init(&lex, reader->perr, "failed to parse logic tree",
                   pair->value, reader->pool);
    if (!read_target(&target, reader, pair->name)) {
        return 0;
    }
    for (int i = 0; i < target.path->nelts; i++) {
        const char *name = APR_ARRAY_IDX(target.path, i, const char *);

        if (strcmp(name, "not") == 0) {
            cond->negated = 1;
        }
        else {
            APR_ARRAY_PUSH(path, const char *) = name;
        }
    }
    lex.before = (cond->negated ? 4 : 0) + (int)strlen(target.field.name);
    cond->kind =
        strcmp(target.field.name, "or") == 0 ? DSAPI_RES_OR : DSAPI_RES_AND;
    node = dsapi_resource_logic(cond, &lex) ? node_at(reader, path) : NULL;
    if (!node) {
        return 0;
    }
    APR_ARRAY_PUSH(node->where, dsapi_res_cond_t *) = cond;
    return 1;
}

static int read_order(reader_t *reader, const dsapi_pair_t *pair)
{
    dsapi_res_node_t *node;
    target_t target;
    dsapi_lex_t lex;

    dsapi_lex_init(&lex, reader->perr, "failed to parse order", pair->value,
                   reader->pool);
    node = read_target(&target, reader, pair->name)
               ? node_at(reader, target.path)
               : NULL;
    if (!node) {
        return 0;
    }
    apr_array_clear(node->order);
    return dsapi_resource_order(node->order, &lex);
}

/* limit=, offset=: what is no number is passed over, as PostgREST does. */
static int read_bound(reader_t *reader, const dsapi_pair_t *pair)
{
    dsapi_res_node_t *node;
    target_t target;
    apr_int64_t n;

    node = read_target(&target, reader, pair->name)
               ? node_at(reader, target.path)
               : NULL;
    if (!node) {
        return 0;
    }
    if (dsapi_base_parse_int(&n, pair->value, APR_INT64_MIN, APR_INT64_MAX) !=
        APR_SUCCESS) {
        return 1;
    }
    reader->query->ranged |= node == reader->query->root;
    if (strcmp(target.field.name, "offset") == 0) {
        node->offset = n > 0 ? n : 0;
        return 1;
    }
    if (n < 0) {
        dsapi_resource_fail(reader->perr, reader->pool, 416, "PGRST103",
                            "Requested range not satisfiable");
        dsapi_resource_details(*reader->perr, reader->pool,
                               "Limit should be greater than or equal to "
                               "zero.");
        return 0;
    }
    node->limit = n;
    return 1;
}

/* What a parameter is, by the last word of its name. */
static int read_pair(reader_t *reader, const dsapi_pair_t *pair)
{
    static const char *const reserved[] = {"select", "columns", "on_conflict"};
    const char *dot = strrchr(pair->name, '.');
    const char *word = dot ? dot + 1 : pair->name;

    for (apr_size_t i = 0; i < sizeof(reserved) / sizeof(reserved[0]); i++) {
        if (strcmp(pair->name, reserved[i]) == 0) {
            return 1; /* has been read */
        }
    }
    if (strcmp(word, "order") == 0) {
        return read_order(reader, pair);
    }
    if (strcmp(word, "limit") == 0 || strcmp(word, "offset") == 0) {
        return read_bound(reader, pair);
    }
    return strcmp(word, "and") == 0 || strcmp(word, "or") == 0
               ? read_logic(reader, pair)
               : read_filter(reader, pair);
}

/* A parameter that is a list of names. */
static int read_names(apr_array_header_t **pnames, const reader_t *reader,
                      const char *what, const char *value)
{
    dsapi_lex_t lex;

    if (!value) {
        return 1;
    }
    dsapi_lex_init(&lex, reader->perr, what, value, reader->pool);
    return dsapi_lex_names(pnames, &lex);
}

apr_status_t dsapi_resource_parse(dsapi_res_query_t **pquery,
                                  dsapi_err_t **perr, const char *name,
                                  const apr_array_header_t *pairs,
                                  apr_pool_t *pool)
{
    dsapi_res_query_t *query = apr_pcalloc(pool, sizeof(*query));
    reader_t reader = {query, perr, pool};
    const char *select = value_of(pairs, "select");
    dsapi_lex_t lex;
    int ok;

    *pquery = NULL;
    *perr = NULL;
    query->root = dsapi_resource_node(name, pool);
    dsapi_lex_init(&lex, perr, "failed to parse select parameter",
                   select ? select : "*", pool);
    ok = dsapi_resource_select(query->root->items, &lex) &&
         read_names(&query->columns, &reader,
                    "failed to parse columns parameter",
                    value_of(pairs, "columns")) &&
         read_names(&query->on_conflict, &reader,
                    "failed to parse on_conflict parameter",
                    value_of(pairs, "on_conflict"));
    for (int i = 0; ok && i < pairs->nelts; i++) {
        ok = read_pair(&reader, &APR_ARRAY_IDX(pairs, i, dsapi_pair_t));
    }
    if (!ok) {
        return (*perr)->rv;
    }
    *pquery = query;
    return APR_SUCCESS;
}

static int compare_pairs(const void *a, const void *b)
{
    const dsapi_pair_t *left = *(const dsapi_pair_t *const *)a;
    const dsapi_pair_t *right = *(const dsapi_pair_t *const *)b;
    int order = strcmp(left->name, right->name);

    return order ? order : (left > right) - (left < right);
}

const char *dsapi_resource_canonical(const apr_array_header_t *pairs,
                                     apr_pool_t *pool)
{
    apr_array_header_t *all =
        apr_array_make(pool, pairs->nelts, sizeof(const dsapi_pair_t *));
    apr_array_header_t *texts =
        apr_array_make(pool, pairs->nelts, sizeof(const char *));

    for (int i = 0; i < pairs->nelts; i++) {
        APR_ARRAY_PUSH(all, const dsapi_pair_t *) =
            &APR_ARRAY_IDX(pairs, i, dsapi_pair_t);
    }
    qsort(all->elts, (size_t)all->nelts, sizeof(const dsapi_pair_t *),
          compare_pairs);
    for (int i = 0; i < all->nelts; i++) {
        const dsapi_pair_t *pair = APR_ARRAY_IDX(all, i, const dsapi_pair_t *);

        APR_ARRAY_PUSH(texts, const char *) =
            apr_pstrcat(pool, dsapi_base_percent_encode(pair->name, pool), "=",
                        dsapi_base_percent_encode(pair->value, pool), NULL);
    }
    return apr_array_pstrcat(pool, texts, '&');
}
