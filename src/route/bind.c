/* From a request to the values that are bound: see param.h. */
#include "route/param.h"

#include <apr_strings.h>
#include <string.h>

#include "json/buf.h"

/* What a request says of a parameter. */
enum {
    GIVEN = 1,
    GIVEN_NULL, /* said to be NULL: no default */
    GIVEN_TWICE /* and told so */
};

typedef struct bind_t {
    const apr_array_header_t *params;
    const dsapi_input_t *input;
    const char **values;
    char *given; /* one a parameter: 0, or what the request says of it */
    const char *known[DSAPI_IN_BODY + 1]; /* names at each place; NULL: not
                                             asked yet */
    dsapi_err_t **perr;
    apr_pool_t *pool;
} bind_t;

const char *dsapi_route_in_name(dsapi_in_e in)
{
    static const char *const names[] = {"query", "path", "query", "header",
                                        "body"};

    return names[in];
}

static void refuse(bind_t *b, const dsapi_param_t *param, const char *why)
{
    dsapi_fail_field(b->perr, b->pool, dsapi_route_in_name(param->in),
                     param->name, "%s", why);
}

/* One value of a path, a query, a form or a header; or why it has none. */
static void take_text(bind_t *b, int index, const char *text, const char *why)
{
    const dsapi_param_t *param =
        APR_ARRAY_IDX(b->params, index, const dsapi_param_t *);

    if (b->given[index]) {
        if (b->given[index] != GIVEN_TWICE) {
            refuse(b, param, "is given more than once");
        }
        b->given[index] = GIVEN_TWICE;
        return;
    }
    b->given[index] = GIVEN;
    if (!why) {
        dsapi_route_param_check(&b->values[index], &why, param, text, b->pool);
    }
    if (why) {
        refuse(b, param, why);
    }
}

/* Does a parameter have a name at that place? */
static int is_named(const dsapi_param_t *param, dsapi_in_e in)
{
    return param->in == in && !param->whole;
}

/* The index of a parameter at one place; -1: none of that name is there. */
static int index_in(const bind_t *b, const char *name, dsapi_in_e in)
{
    int i = dsapi_route_param_index(b->params, name);

    if (i < 0 ||
        !is_named(APR_ARRAY_IDX(b->params, i, const dsapi_param_t *), in)) {
        return -1;
    }
    return i;
}

/* Names joined: "from, to"; "none". */
static const char *known_names(const bind_t *b, dsapi_in_e in)
{
    const char *names = NULL;

    for (int i = 0; i < b->params->nelts; i++) {
        const dsapi_param_t *param =
            APR_ARRAY_IDX(b->params, i, const dsapi_param_t *);

        if (is_named(param, in)) {
            names = names ? apr_pstrcat(b->pool, names, ", ", param->name, NULL)
                          : param->name;
        }
    }
    return names ? names : "none";
}

static void refuse_unknown(bind_t *b, dsapi_in_e in, const char *name)
{
    if (!b->known[in]) { /* once: a client may send any number of names */
        b->known[in] = known_names(b, in);
    }
    dsapi_fail_field(b->perr, b->pool, dsapi_route_in_name(in), name,
                     "is not known here; known: %s", b->known[in]);
}

static void take_pairs(bind_t *b, const apr_array_header_t *pairs,
                       dsapi_in_e in)
{
    for (int i = 0; pairs && i < pairs->nelts; i++) {
        const dsapi_pair_t *pair = &APR_ARRAY_IDX(pairs, i, dsapi_pair_t);
        int index = pair->name ? index_in(b, pair->name, in) : -1;

        if (!pair->name) {
            dsapi_fail_field(b->perr, b->pool, dsapi_route_in_name(in), "",
                             "the name of pair %d %s", i + 1, pair->why);
        }
        else if (index < 0) {
            refuse_unknown(b, in, pair->name);
        }
        else {
            take_text(b, index, pair->value, pair->why);
        }
    }
}

/* Is a JSON value of the kind that a type wants? NULL: it is. */
static const char *wrong_kind(dsapi_type_e type, dsapi_json_kind_e kind,
                              apr_pool_t *pool)
{
    const char *want = "a string";
    int ok = kind == DSAPI_JSON_STRING;

    if (type == DSAPI_TYPE_JSON) {
        return NULL;
    }
    if (type == DSAPI_TYPE_INT || type == DSAPI_TYPE_BIGINT ||
        type == DSAPI_TYPE_NUMBER) {
        want = "a number";
        ok = kind == DSAPI_JSON_NUMBER;
    }
    else if (type == DSAPI_TYPE_BOOL) {
        want = "true or false";
        ok = kind == DSAPI_JSON_TRUE || kind == DSAPI_JSON_FALSE;
    }
    return ok ? NULL
              : apr_psprintf(pool, "must be %s, not %s", want,
                             dsapi_json_kind_name(kind));
}

/* One JSON value of a parameter that is no array: its canonical text, or NULL
 * and why. */
static const char *json_scalar(const char **pwhy, bind_t *b,
                               const dsapi_param_t *param,
                               const dsapi_json_slice_t *value)
{
    const char *canonical = NULL;

    *pwhy = wrong_kind(param->type.kind, value->kind, b->pool);
    if (*pwhy) {
        return NULL;
    }
    if (param->type.kind == DSAPI_TYPE_JSON) {
        return apr_pstrmemdup(b->pool, value->p, value->len_bytes);
    }
    dsapi_route_param_check(&canonical, pwhy, param,
                            dsapi_json_text(value, b->pool), b->pool);
    return canonical;
}

static const char *json_array(const char **pwhy, bind_t *b,
                              const dsapi_param_t *param,
                              const dsapi_json_slice_t *value)
{
    apr_array_header_t *items =
        apr_array_make(b->pool, 8, sizeof(const char *));
    dsapi_param_t scalar = *param;
    dsapi_json_iter_t iter = {NULL};
    dsapi_json_slice_t item;

    scalar.type.is_array = 0;
    if (value->kind != DSAPI_JSON_ARRAY) {
        *pwhy = apr_psprintf(b->pool, "must be an array, not %s",
                             dsapi_json_kind_name(value->kind));
        return NULL;
    }
    while (dsapi_json_next_item(&item, &iter, value)) {
        const char *text = json_scalar(pwhy, b, &scalar, &item);

        if (!text) {
            *pwhy =
                apr_psprintf(b->pool, "item %d %s", items->nelts + 1, *pwhy);
            return NULL;
        }
        APR_ARRAY_PUSH(items, const char *) = text;
    }
    return dsapi_base_array_literal(items, b->pool);
}

static void take_json(bind_t *b, int index, const dsapi_json_slice_t *value)
{
    const dsapi_param_t *param =
        APR_ARRAY_IDX(b->params, index, const dsapi_param_t *);
    const char *why = NULL;
    int takes_null =
        param->type.kind == DSAPI_TYPE_JSON && !param->type.is_array;

    if (value->kind == DSAPI_JSON_NULL && !takes_null) {
        b->given[index] = GIVEN_NULL;
        if (param->required) {
            refuse(b, param, "must not be null");
        }
        return;
    }
    b->given[index] = GIVEN;
    b->values[index] = param->type.is_array
                           ? json_array(&why, b, param, value)
                           : json_scalar(&why, b, param, value);
    if (!b->values[index]) {
        refuse(b, param, why);
    }
}

/* The whole body as one parameter; -1: it is not declared so. */
static int whole_body(const bind_t *b)
{
    for (int i = 0; i < b->params->nelts; i++) {
        if (APR_ARRAY_IDX(b->params, i, const dsapi_param_t *)->whole) {
            return i;
        }
    }
    return -1;
}

static void take_body(bind_t *b)
{
    const dsapi_json_slice_t *json = b->input->json;
    dsapi_json_iter_t iter = {NULL};
    dsapi_json_slice_t value;
    const char *name;
    int whole = whole_body(b);

    take_pairs(b, b->input->form, DSAPI_IN_BODY);
    if (!json) {
        return;
    }
    if (whole >= 0) {
        take_json(b, whole, json);
        return;
    }
    if (json->kind != DSAPI_JSON_OBJECT) {
        dsapi_fail_field(b->perr, b->pool, "body", "",
                         "must be an object, not %s",
                         dsapi_json_kind_name(json->kind));
        return;
    }
    while (dsapi_json_next_member(&value, &name, &iter, json, b->pool)) {
        int index = index_in(b, name, DSAPI_IN_BODY);

        if (index < 0) {
            refuse_unknown(b, DSAPI_IN_BODY, name);
        }
        else {
            take_json(b, index, &value);
        }
    }
}

const char *dsapi_route_header_name(const char *name, apr_pool_t *pool)
{
    char *header = apr_pstrdup(pool, name);

    for (char *p = header; *p; p++) {
        if (*p == '_') {
            *p = '-';
        }
    }
    return header;
}

/* A list without the blanks around its items: httpd joins equal headers with
 * ", ", as whoever is before it may. */
static const char *header_list(const char *text, apr_pool_t *pool)
{
    char *list = apr_palloc(pool, strlen(text) + 1);
    char *end = list;

    while (*text) {
        apr_size_t n = strspn(text, " \t");

        if (n == 0) {
            *end++ = *text++;
            continue;
        }
        if (end > list && end[-1] != ',' && text[n] && text[n] != ',') {
            memcpy(end, text, n); /* within an item */
            end += n;
        }
        text += n;
    }
    *end = '\0';
    return list;
}

static void take_headers(bind_t *b)
{
    for (int i = 0; b->input->header && i < b->params->nelts; i++) {
        const dsapi_param_t *param =
            APR_ARRAY_IDX(b->params, i, const dsapi_param_t *);

        if (param->in == DSAPI_IN_HEADER) {
            const char *value = b->input->header(
                b->input->baton, dsapi_route_header_name(param->name, b->pool));

            if (value) {
                int ok = dsapi_base_utf8_valid(value, strlen(value));

                if (param->type.is_array) {
                    value = header_list(value, b->pool);
                }
                take_text(b, i, value, ok ? NULL : "must be UTF-8");
            }
        }
    }
}

static void take_path(bind_t *b)
{
    for (int i = 0; i < b->input->path->nelts; i++) {
        const char *name = APR_ARRAY_IDX(b->input->path, i, const char *);
        int index = dsapi_route_param_index(b->params, name);

        if (index >= 0) {
            take_text(b, index, b->input->captures[i], NULL);
        }
    }
}

/* The next value of a parameter: itself, or an item of its array literal
 * (whose type is ordered, so that nothing in it is escaped). NULL: no more */
static const char *next_value(const char **prest, const dsapi_param_t *param,
                              apr_pool_t *pool)
{
    const char *value = *prest;
    const char *end;

    if (!value || !param->type.is_array) {
        *prest = NULL;
        return value;
    }
    value = strchr(value, '"');
    end = value ? strchr(value + 1, '"') : NULL;
    *prest = end ? end + 1 : NULL;
    return end ? apr_pstrmemdup(pool, value + 1, (apr_size_t)(end - value) - 1)
               : NULL;
}

static const char *bound_word(dsapi_type_e kind, int sign)
{
    if (kind == DSAPI_TYPE_DATE || kind == DSAPI_TYPE_TIMESTAMP) {
        return sign > 0 ? "before" : "after";
    }
    return sign > 0 ? "below" : "above";
}

/* Bounds that name another parameter, once all values are known. */
static void check_bound(bind_t *b, int index, const char *other_name, int sign)
{
    const dsapi_param_t *param =
        APR_ARRAY_IDX(b->params, index, const dsapi_param_t *);
    const char *rest = b->values[index];
    const char *limit;
    const char *value;

    if (!other_name) {
        return;
    }
    limit = b->values[dsapi_route_param_index(b->params, other_name)];
    while (limit && (value = next_value(&rest, param, b->pool))) {
        if (sign * dsapi_base_type_compare(param->type, value, limit) < 0) {
            refuse(b, param,
                   apr_psprintf(b->pool, "must not be %s '%s' (%s)",
                                bound_word(param->type.kind, sign), other_name,
                                limit));
            return;
        }
    }
}

static void finish(bind_t *b)
{
    for (int i = 0; i < b->params->nelts; i++) {
        const dsapi_param_t *param =
            APR_ARRAY_IDX(b->params, i, const dsapi_param_t *);

        if (!b->given[i] && param->required) {
            refuse(b, param, "is required");
        }
        else if (!b->given[i]) {
            b->values[i] = param->def;
        }
    }
    for (int i = 0; i < b->params->nelts; i++) {
        const dsapi_param_t *param =
            APR_ARRAY_IDX(b->params, i, const dsapi_param_t *);

        check_bound(b, i, param->min.param, 1);
        check_bound(b, i, param->max.param, -1);
    }
}

apr_status_t dsapi_route_bind(const char ***pvalues, dsapi_err_t **perr,
                              const apr_array_header_t *params,
                              const dsapi_input_t *input, apr_pool_t *pool)
{
    bind_t b = {params, input, NULL, NULL, {NULL}, perr, pool};

    *pvalues = NULL;
    *perr = NULL;
    if (input->form && whole_body(&b) >= 0) {
        return dsapi_fail(perr, pool, DSAPI_EMEDIA, "unsupported-type",
                          "the body must be application/json, said so in "
                          "Content-Type");
    }
    b.values =
        apr_pcalloc(pool, sizeof(char *) * ((apr_size_t)params->nelts + 1));
    b.given = apr_pcalloc(pool, (apr_size_t)params->nelts + 1);
    take_path(&b);
    take_pairs(&b, input->query, DSAPI_IN_QUERY);
    take_headers(&b);
    take_body(&b);
    finish(&b);
    if (*perr) {
        return DSAPI_EPARAM;
    }
    *pvalues = b.values;
    return APR_SUCCESS;
}
