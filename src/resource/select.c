/* select= and order=: see parse.h. */
#include <apr_strings.h>
#include <string.h>

#include "resource/parse.h"

#define ITEM_END "\",\" or end of input"

dsapi_res_node_t *dsapi_resource_node(const char *name, apr_pool_t *pool)
{
    dsapi_res_node_t *node = apr_pcalloc(pool, sizeof(*node));

    node->name = name;
    node->items = apr_array_make(pool, 4, sizeof(dsapi_res_item_t));
    node->where = apr_array_make(pool, 2, sizeof(dsapi_res_cond_t *));
    node->order = apr_array_make(pool, 2, sizeof(dsapi_res_order_t));
    node->limit = -1;
    return node;
}

/* Does an item end here? */
static int at_end(const dsapi_lex_t *lex)
{
    return !*lex->p || *lex->p == ',' || *lex->p == ')';
}

/* An alias and its colon, where there is one; a '::' is a cast. */
static int take_alias(const char **palias, dsapi_lex_t *lex)
{
    const char *begin = lex->p;
    dsapi_err_t **perr = lex->perr;

    lex->perr = NULL;
    if (dsapi_lex_name(palias, lex) && lex->p[0] == ':' && lex->p[1] != ':') {
        lex->p++;
    }
    else {
        *palias = NULL;
        lex->p = begin;
    }
    lex->perr = perr;
    return *palias != NULL;
}

/* !hint, !inner, !left: two of them at most. */
static int take_embed_params(dsapi_res_node_t *node, dsapi_lex_t *lex)
{
    int joined = 0;

    for (int i = 0; i < 2 && dsapi_lex_take(lex, "!"); i++) {
        const char *word;

        if (!dsapi_lex_name(&word, lex)) {
            return 0;
        }
        if (strcmp(word, "inner") == 0 || strcmp(word, "left") == 0) {
            node->inner = joined ? node->inner : *word == 'i';
            joined = 1;
        }
        else if (!node->hint) {
            node->hint = word;
        }
    }
    return 1;
}

static int take_items(apr_array_header_t *items, dsapi_lex_t *lex);

/* The head of an embedded resource, up to its bracket. @return 0: it is none
 * (nothing is taken, no error) */
static int take_relation(dsapi_res_item_t *item, dsapi_lex_t *lex)
{
    const char *begin = lex->p;
    dsapi_err_t **perr = lex->perr;
    const char *name;
    int spread = dsapi_lex_take(lex, "...");

    if (!spread) {
        take_alias(&item->alias, lex);
    }
    lex->perr = NULL;
    if (dsapi_lex_name(&name, lex) && strcmp(name, "count") != 0) {
        item->node = dsapi_resource_node(name, lex->pool);
        item->node->spread = spread;
        item->node->alias = item->alias;
        if (!take_embed_params(item->node, lex) || *lex->p != '(') {
            item->node = NULL;
        }
    }
    lex->perr = perr;
    if (!item->node) {
        item->alias = NULL;
        lex->p = begin;
    }
    return item->node != NULL;
}

/* .sum() and its like, where there is one. */
static void take_aggregate(dsapi_res_item_t *item, dsapi_lex_t *lex)
{
    static const char *const words[] = {"sum", "avg", "count", "max", "min"};

    for (apr_size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (dsapi_lex_take(lex,
                           apr_pstrcat(lex->pool, ".", words[i], "()", NULL))) {
            item->aggregate = words[i];
            return;
        }
    }
}

static int take_cast(const char **pcast, dsapi_lex_t *lex)
{
    return !dsapi_lex_take(lex, "::") || dsapi_lex_word(pcast, lex);
}

/* A column, "*", or count(), and what is made of it. */
static int take_column(dsapi_res_item_t *item, dsapi_lex_t *lex)
{
    item->field.name = "*";
    if (*lex->p == '*') {
        lex->p++;
        return at_end(lex) || dsapi_lex_fail(lex, lex->p, ITEM_END);
    }
    take_alias(&item->alias, lex);
    if (dsapi_lex_take(lex, "count()")) {
        item->aggregate = "count";
    }
    else {
        if (!dsapi_lex_field(&item->field, lex) ||
            !take_cast(&item->cast, lex)) {
            return 0;
        }
        take_aggregate(item, lex);
    }
    if ((item->aggregate && !take_cast(&item->aggregate_cast, lex))) {
        return 0;
    }
    dsapi_lex_blanks(lex);
    return at_end(lex) || dsapi_lex_fail(lex, lex->p,
                                         "letter, digit, \"-\", \"->>\", "
                                         "\"->\", \"::\", "
                                         "\".\", \")\", " ITEM_END);
}

static int take_item(dsapi_res_item_t *item, dsapi_lex_t *lex)
{
    dsapi_lex_blanks(lex);
    if (!take_relation(item, lex)) {
        return take_column(item, lex);
    }
    lex->p++; /* the bracket */
    if (!dsapi_lex_descend(lex) || !take_items(item->node->items, lex)) {
        return 0;
    }
    lex->depth--;
    if (!dsapi_lex_take(lex, ")")) {
        return dsapi_lex_fail(lex, lex->p, "\",\" or \")\"");
    }
    dsapi_lex_blanks(lex);
    return at_end(lex) || dsapi_lex_fail(lex, lex->p, ITEM_END);
}

static int take_items(apr_array_header_t *items, dsapi_lex_t *lex)
{
    dsapi_lex_blanks(lex);
    if (!*lex->p || *lex->p == ')') {
        return 1; /* none */
    }
    do {
        dsapi_res_item_t item;

        memset(&item, 0, sizeof(item));
        if (!take_item(&item, lex)) {
            return 0;
        }
        APR_ARRAY_PUSH(items, dsapi_res_item_t) = item;
    } while (dsapi_lex_take(lex, ","));
    return 1;
}

int dsapi_resource_select(apr_array_header_t *items, dsapi_lex_t *lex)
{
    return take_items(items, lex) && dsapi_lex_end(lex, ITEM_END);
}

/* .asc, .desc, .nullsfirst, .nullslast */
static int take_directions(dsapi_res_order_t *term, dsapi_lex_t *lex)
{
    if (dsapi_lex_take(lex, ".asc")) {
        term->direction = " ASC";
    }
    else if (dsapi_lex_take(lex, ".desc")) {
        term->direction = " DESC";
    }
    if (dsapi_lex_take(lex, ".nullsfirst")) {
        term->nulls = " NULLS FIRST";
    }
    else if (dsapi_lex_take(lex, ".nullslast")) {
        term->nulls = " NULLS LAST";
    }
    dsapi_lex_blanks(lex);
    if (*lex->p == '.' && !term->nulls) {
        return dsapi_lex_fail_word(lex, lex->p + 1,
                                   term->direction ? "nullsfirst" : "asc",
                                   term->direction ? "\"nullsfirst\" or "
                                                     "\"nullslast\""
                                                   : "\"asc\", \"desc\", "
                                                     "\"nullsfirst\" or "
                                                     "\"nullslast\"");
    }
    return !*lex->p || *lex->p == ',' ||
           dsapi_lex_fail(lex, lex->p,
                          term->nulls ? ITEM_END : "delimiter (.), " ITEM_END);
}

static int take_order_term(dsapi_res_order_t *term, dsapi_lex_t *lex)
{
    memset(term, 0, sizeof(*term));
    if (!dsapi_lex_field(&term->field, lex)) {
        return 0;
    }
    if (*lex->p == '(' && !term->field.path) {
        lex->p++;
        term->relation = term->field.name;
        if (!dsapi_lex_field(&term->field, lex)) {
            return 0;
        }
        if (!dsapi_lex_take(lex, ")")) {
            return dsapi_lex_fail(lex, lex->p, "\")\"");
        }
    }
    return take_directions(term, lex);
}

int dsapi_resource_order(apr_array_header_t *order, dsapi_lex_t *lex)
{
    do {
        if (!take_order_term(apr_array_push(order), lex)) {
            return 0;
        }
    } while (dsapi_lex_take(lex, ","));
    return 1;
}
