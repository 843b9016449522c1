/* A query as text: see ast.h. */
#include "unit/ast.h"

#include <apr_strings.h>

#include "base/text.h"
#include "unit/unit.h"

static const char *cat(const char *a, const char *b)
{
    return apr_pstrcat(g_pool, a, b, NULL);
}

static const char *field_text(const dsapi_res_field_t *field)
{
    const char *text = field->name;

    for (int i = 0; field->path && i < field->path->nelts; i++) {
        const dsapi_res_step_t *step =
            &APR_ARRAY_IDX(field->path, i, dsapi_res_step_t);

        text =
            apr_psprintf(g_pool, "%s%s%s%s", text, step->as_text ? "->>" : "->",
                         step->is_index ? "#" : "", step->key);
    }
    return text;
}

static const char *cond_text(const dsapi_res_cond_t *cond)
{
    const char *text = cond->negated ? "NOT " : "";

    if (cond->kind != DSAPI_RES_FILTER) {
        text = cat(text, cond->kind == DSAPI_RES_OR ? "or(" : "and(");
        for (int i = 0; i < cond->terms->nelts; i++) {
            text = apr_pstrcat(
                g_pool, text, i ? ", " : "",
                cond_text(APR_ARRAY_IDX(cond->terms, i, dsapi_res_cond_t *)),
                NULL);
        }
        return cat(text, ")");
    }
    text = apr_psprintf(g_pool, "%s%s op%d", text, field_text(&cond->field),
                        (int)cond->op);
    if (cond->quantifier || cond->language) {
        text =
            apr_psprintf(g_pool, "%s(%s)", text,
                         cond->quantifier ? cond->quantifier : cond->language);
    }
    if (!cond->items) {
        return apr_psprintf(g_pool, "%s '%s'", text, cond->value);
    }
    for (int i = 0; i < cond->items->nelts; i++) {
        text = apr_psprintf(g_pool, "%s '%s'", text,
                            APR_ARRAY_IDX(cond->items, i, const char *));
    }
    return text;
}

static const char *node_text(const dsapi_res_node_t *node);

static const char *item_text(const dsapi_res_item_t *item)
{
    const char *text;

    if (item->node) {
        return node_text(item->node);
    }
    text = field_text(&item->field);
    text = item->cast ? apr_psprintf(g_pool, "%s::%s", text, item->cast) : text;
    if (item->aggregate) {
        text = apr_psprintf(g_pool, "%s(%s)", item->aggregate, text);
    }
    if (item->aggregate_cast) {
        text = apr_psprintf(g_pool, "%s::%s", text, item->aggregate_cast);
    }
    return item->alias ? apr_psprintf(g_pool, "%s AS %s", text, item->alias)
                       : text;
}

static const char *order_text(const dsapi_res_order_t *term)
{
    const char *text = field_text(&term->field);

    if (term->relation) {
        text = apr_psprintf(g_pool, "%s.%s", term->relation, text);
    }
    return apr_pstrcat(g_pool, " by ", text,
                       term->direction ? term->direction : "",
                       term->nulls ? term->nulls : "", NULL);
}

static const char *node_text(const dsapi_res_node_t *node)
{
    const char *text = apr_pstrcat(
        g_pool, node->spread ? "..." : "", node->name, node->hint ? "!" : "",
        node->hint ? node->hint : "", node->inner ? "!inner" : "", "{", NULL);

    for (int i = 0; i < node->items->nelts; i++) {
        text = apr_pstrcat(
            g_pool, text, i ? ", " : "",
            item_text(&APR_ARRAY_IDX(node->items, i, dsapi_res_item_t)), NULL);
    }
    for (int i = 0; i < node->where->nelts; i++) {
        text = apr_pstrcat(
            g_pool, text, i ? " & " : " if ",
            cond_text(APR_ARRAY_IDX(node->where, i, dsapi_res_cond_t *)), NULL);
    }
    for (int i = 0; i < node->order->nelts; i++) {
        text =
            cat(text,
                order_text(&APR_ARRAY_IDX(node->order, i, dsapi_res_order_t)));
    }
    if (node->limit >= 0 || node->offset) {
        text = apr_psprintf(g_pool, "%s %" APR_INT64_T_FMT "+%" APR_INT64_T_FMT,
                            text, node->offset, node->limit);
    }
    return apr_pstrcat(g_pool, text, "}", node->alias ? " AS " : "",
                       node->alias ? node->alias : "", NULL);
}

static const char *names_text(const char *text, const char *what,
                              const apr_array_header_t *names)
{
    for (int i = 0; names && i < names->nelts; i++) {
        text = apr_pstrcat(g_pool, text, i ? "," : what,
                           APR_ARRAY_IDX(names, i, const char *), NULL);
    }
    return text;
}

apr_array_header_t *ast_pairs(const char *query)
{
    return dsapi_base_form_parse(query, strlen(query), g_pool);
}

const char *ast_error(const dsapi_err_t *err)
{
    const char *text;

    ck_assert(err->dialect);
    text = apr_psprintf(g_pool, "%s: %s", err->code, err->detail);
    if (err->details) {
        text = apr_pstrcat(g_pool, text, "; ", err->details, NULL);
    }
    return err->hint ? apr_pstrcat(g_pool, text, "; ", err->hint, NULL) : text;
}

const char *ast_parse(const char *query)
{
    dsapi_res_query_t *parsed;
    dsapi_err_t *err;
    apr_status_t rv =
        dsapi_resource_parse(&parsed, &err, "t", ast_pairs(query), g_pool);

    if (rv != APR_SUCCESS) {
        ck_assert_ptr_null(parsed);
        ck_assert_int_eq(rv, err->rv);
        return ast_error(err);
    }
    ck_assert_ptr_null(err);
    return names_text(
        names_text(node_text(parsed->root), " columns ", parsed->columns),
        " conflict ", parsed->on_conflict);
}
