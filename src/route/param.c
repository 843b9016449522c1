/* Declarations of parameters: see param.h. The only file with PCRE2. */
#include "route/param.h"

#include <apr_strings.h>
#include <stdlib.h>
#include <string.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "base/args.h"

/* What a pattern may cost; a client chooses what it is matched against. */
#define PATTERN_MATCH_LIMIT 100000

static apr_status_t free_pattern(void *data)
{
    pcre2_code_free(data);
    return APR_SUCCESS;
}

static int is_ordered(dsapi_type_e kind)
{
    return kind == DSAPI_TYPE_INT || kind == DSAPI_TYPE_BIGINT ||
           kind == DSAPI_TYPE_NUMBER || kind == DSAPI_TYPE_DATE ||
           kind == DSAPI_TYPE_TIMESTAMP;
}

static apr_status_t wrong(dsapi_err_t **perr, apr_pool_t *pool,
                          const dsapi_param_t *param, const char *what)
{
    return dsapi_fail(perr, pool, DSAPI_ESYNTAX, "param", "parameter '%s': %s",
                      param->name, what);
}

static apr_status_t set_in(dsapi_param_t *param, dsapi_err_t **perr,
                           const char *value, apr_pool_t *pool)
{
    static const char *const words[] = {"", "path", "query", "header", "body"};

    for (int i = DSAPI_IN_PATH; i <= DSAPI_IN_BODY; i++) {
        if (strcmp(value, words[i]) == 0) {
            param->in = (dsapi_in_e)i;
            return APR_SUCCESS;
        }
    }
    return wrong(perr, pool, param, "in= is path, query, header or body");
}

/* min= and max=. */
static apr_status_t set_bound(dsapi_param_t *param, dsapi_err_t **perr,
                              const dsapi_arg_t *arg, apr_pool_t *pool)
{
    dsapi_bound_t *bound =
        *arg->key == 'm' && arg->key[1] == 'i' ? &param->min : &param->max;
    const char *why;

    if (!is_ordered(param->type.kind)) {
        return wrong(perr, pool, param,
                     "min= and max= are for int, bigint, number, date and "
                     "timestamp");
    }
    if (*arg->value == ':') {
        bound->param = apr_pstrdup(pool, arg->value + 1);
        return APR_SUCCESS;
    }
    if (dsapi_base_type_check(&bound->value, &why, param->type, arg->value,
                              pool) != APR_SUCCESS) {
        return wrong(perr, pool, param,
                     apr_psprintf(pool, "%s=%s %s", arg->key, arg->value, why));
    }
    bound->value = apr_pstrdup(pool, bound->value);
    return APR_SUCCESS;
}

static apr_status_t set_choices(dsapi_param_t *param, dsapi_err_t **perr,
                                const char *value, apr_pool_t *pool)
{
    apr_array_header_t *choices = apr_array_make(pool, 4, sizeof(char *));
    char *rest = apr_pstrdup(pool, value);

    while (rest) {
        char *item = rest;
        const char *canonical;
        const char *why;

        rest = strchr(rest, ',');
        if (rest) {
            *rest++ = '\0';
        }
        if (!*item || dsapi_base_type_check(&canonical, &why, param->type, item,
                                            pool) != APR_SUCCESS) {
            return wrong(perr, pool, param,
                         apr_psprintf(pool,
                                      "enum= has the item \"%s\", which "
                                      "is not of the type",
                                      item));
        }
        APR_ARRAY_PUSH(choices, const char *) = apr_pstrdup(pool, canonical);
    }
    param->choices = choices;
    return APR_SUCCESS;
}

static apr_status_t set_pattern(dsapi_param_t *param, dsapi_err_t **perr,
                                const char *value, apr_pool_t *pool)
{
    int number;
    PCRE2_SIZE at;
    PCRE2_UCHAR message[128];
    /* '$' is the very end, as in OpenAPI, not also before a last newline */
    pcre2_code *code = pcre2_compile(
        (PCRE2_SPTR)value, PCRE2_ZERO_TERMINATED,
        PCRE2_UTF | PCRE2_UCP | PCRE2_DOLLAR_ENDONLY, &number, &at, NULL);

    if (!code) {
        pcre2_get_error_message(number, message, sizeof(message));
        return wrong(perr, pool, param,
                     apr_psprintf(pool, "pattern=, character %d: %s", (int)at,
                                  (const char *)message));
    }
    apr_pool_cleanup_register(pool, code, free_pattern, apr_pool_cleanup_null);
    param->pattern = code;
    param->pattern_text = apr_pstrdup(pool, value);
    return APR_SUCCESS;
}

/* One argument behind name and type. */
static apr_status_t set_option(dsapi_param_t *param, dsapi_err_t **perr,
                               const dsapi_arg_t *arg, apr_pool_t *pool)
{
    if (!arg->key) {
        if (strcmp(arg->value, "required") == 0 && !arg->quoted) {
            param->required = 1;
            return APR_SUCCESS;
        }
    }
    else if (strcmp(arg->key, "in") == 0) {
        return set_in(param, perr, arg->value, pool);
    }
    else if (strcmp(arg->key, "default") == 0) {
        param->def = apr_pstrdup(pool, arg->value); /* checked last */
        return APR_SUCCESS;
    }
    else if (strcmp(arg->key, "min") == 0 || strcmp(arg->key, "max") == 0) {
        return set_bound(param, perr, arg, pool);
    }
    else if (strcmp(arg->key, "enum") == 0) {
        return set_choices(param, perr, arg->value, pool);
    }
    else if (strcmp(arg->key, "pattern") == 0) {
        return set_pattern(param, perr, arg->value, pool);
    }
    else if (strcmp(arg->key, "description") == 0) {
        param->description = apr_pstrdup(pool, arg->value);
        return APR_SUCCESS;
    }
    else if (strcmp(arg->key, "body") == 0 &&
             strcmp(arg->value, "whole") == 0) {
        param->whole = 1;
        return APR_SUCCESS;
    }
    return wrong(perr, pool, param,
                 apr_psprintf(pool,
                              "'%s%s%s' is not known; what may follow the "
                              "type: in= required default= min= max= enum= "
                              "pattern= description= body=whole",
                              arg->key ? arg->key : "", arg->key ? "=" : "",
                              arg->value));
}

static int is_sql_name(const char *s)
{
    for (const char *p = s; *p; p++) {
        if (!((*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') ||
              *p == '_' || (p > s && *p >= '0' && *p <= '9'))) {
            return 0;
        }
    }
    return *s != '\0';
}

/* What two options say against each other; NULL: nothing. */
static const char *contradiction(const dsapi_param_t *param)
{
    if (param->required && param->def) {
        return "is required, so that a default is of no use";
    }
    if (param->whole && param->in != DSAPI_IN_BODY) {
        return "body=whole goes with in=body";
    }
    if (param->whole && param->def) {
        return "body=whole has no default";
    }
    if (param->type.kind == DSAPI_TYPE_JSON &&
        (param->choices || param->pattern)) {
        return "enum= and pattern= are not for json";
    }
    if (param->min.value && param->max.value &&
        dsapi_base_type_compare(param->type, param->min.value,
                                param->max.value) > 0) {
        return "min= is above max=";
    }
    return NULL;
}

apr_status_t dsapi_route_param_parse(dsapi_param_t **pparam, dsapi_err_t **perr,
                                     const apr_array_header_t *args,
                                     apr_pool_t *pool)
{
    const dsapi_arg_t *arg = (const dsapi_arg_t *)args->elts;
    dsapi_param_t *param = apr_pcalloc(pool, sizeof(*param));
    const char *why;
    apr_status_t rv = APR_SUCCESS;

    *pparam = NULL;
    *perr = NULL;
    if (args->nelts < 2 || arg[0].key || arg[1].key) {
        return dsapi_fail(perr, pool, DSAPI_ESYNTAX, "param",
                          "takes a name and a type: DsapiParam day date "
                          "[in=...] [required] [default=...]");
    }
    param->name = apr_pstrdup(pool, arg[0].value);
    if (!is_sql_name(param->name)) {
        return wrong(perr, pool, param,
                     "a name is letters, digits and '_', no digit first");
    }
    if (dsapi_base_type_parse(&param->type, arg[1].value) != APR_SUCCESS) {
        return wrong(perr, pool, param,
                     apr_psprintf(pool,
                                  "'%s' is no type; known are: %s, and "
                                  "each with []",
                                  arg[1].value, dsapi_base_type_names()));
    }
    for (int i = 2; rv == APR_SUCCESS && i < args->nelts; i++) {
        rv = set_option(param, perr, &arg[i], pool);
    }
    if (rv != APR_SUCCESS) {
        return rv;
    }
    if ((why = contradiction(param))) {
        return wrong(perr, pool, param, why);
    }
    if (param->def &&
        dsapi_route_param_check(&param->def, &why, param, param->def, pool) !=
            APR_SUCCESS) {
        return wrong(perr, pool, param, apr_psprintf(pool, "default= %s", why));
    }
    *pparam = param;
    return APR_SUCCESS;
}

int dsapi_route_param_index(const apr_array_header_t *params, const char *name)
{
    for (int i = 0; i < params->nelts; i++) {
        if (strcmp(APR_ARRAY_IDX(params, i, dsapi_param_t *)->name, name) ==
            0) {
            return i;
        }
    }
    return -1;
}

static apr_status_t settle_bound(dsapi_err_t **perr,
                                 const apr_array_header_t *params,
                                 const dsapi_param_t *param,
                                 const dsapi_bound_t *bound, apr_pool_t *pool)
{
    int other;

    if (!bound->param) {
        return APR_SUCCESS;
    }
    other = dsapi_route_param_index(params, bound->param);
    if (other < 0) {
        return wrong(perr, pool, param,
                     apr_psprintf(pool, "its bound ':%s' is no parameter here",
                                  bound->param));
    }
    if (APR_ARRAY_IDX(params, other, dsapi_param_t *)->type.kind !=
            param->type.kind ||
        APR_ARRAY_IDX(params, other, dsapi_param_t *)->type.is_array) {
        return wrong(perr, pool, param,
                     apr_psprintf(pool, "its bound ':%s' is of another type",
                                  bound->param));
    }
    return APR_SUCCESS;
}

static int is_in(const apr_array_header_t *names, const char *name)
{
    for (int i = 0; i < names->nelts; i++) {
        if (strcmp(APR_ARRAY_IDX(names, i, const char *), name) == 0) {
            return 1;
        }
    }
    return 0;
}

static apr_status_t settle_place(dsapi_err_t **perr, dsapi_param_t *param,
                                 const apr_array_header_t *path_names,
                                 int body_default, apr_pool_t *pool)
{
    if (is_in(path_names, param->name)) {
        if (param->in != DSAPI_IN_AUTO && param->in != DSAPI_IN_PATH) {
            return wrong(perr, pool, param, "is in the path already");
        }
        if (param->def) {
            return wrong(perr, pool, param,
                         "is in the path, so that a default is of no use");
        }
        param->in = DSAPI_IN_PATH;
        param->required = 1;
    }
    else if (param->in == DSAPI_IN_PATH) {
        return wrong(perr, pool, param,
                     apr_psprintf(pool, "is not in the path; write {%s} there",
                                  param->name));
    }
    else if (param->in == DSAPI_IN_AUTO) {
        param->in = body_default ? DSAPI_IN_BODY : DSAPI_IN_QUERY;
    }
    return APR_SUCCESS;
}

/* A body is either one parameter or an object of them. */
static apr_status_t settle_body(dsapi_err_t **perr,
                                const apr_array_header_t *params,
                                apr_pool_t *pool)
{
    const dsapi_param_t *whole = NULL;
    const dsapi_param_t *member = NULL;

    for (int i = 0; i < params->nelts; i++) {
        const dsapi_param_t *param =
            APR_ARRAY_IDX(params, i, const dsapi_param_t *);

        if (param->whole && !whole) {
            whole = param;
        }
        else if (param->in == DSAPI_IN_BODY) {
            member = param;
        }
    }
    if (whole && member) {
        return wrong(perr, pool, member,
                     apr_psprintf(pool,
                                  "is in the body, which '%s' takes whole; "
                                  "add in=query or in=header",
                                  whole->name));
    }
    return APR_SUCCESS;
}

/* Case does not count in a header's name. */
static apr_status_t settle_headers(dsapi_err_t **perr,
                                   const apr_array_header_t *params,
                                   apr_pool_t *pool)
{
    for (int i = 0; i < params->nelts; i++) {
        const dsapi_param_t *param =
            APR_ARRAY_IDX(params, i, const dsapi_param_t *);

        for (int j = 0; j < i && param->in == DSAPI_IN_HEADER; j++) {
            const dsapi_param_t *other =
                APR_ARRAY_IDX(params, j, const dsapi_param_t *);

            if (other->in == DSAPI_IN_HEADER &&
                strcasecmp(other->name, param->name) == 0) {
                return wrong(perr, pool, param,
                             apr_psprintf(pool,
                                          "is the same header as '%s'; take "
                                          "one away",
                                          other->name));
            }
        }
    }
    return APR_SUCCESS;
}

apr_status_t dsapi_route_params_settle(dsapi_err_t **perr,
                                       const apr_array_header_t *params,
                                       const apr_array_header_t *path_names,
                                       int body_default, apr_pool_t *pool)
{
    *perr = NULL;
    for (int i = 0; i < path_names->nelts; i++) {
        const char *name = APR_ARRAY_IDX(path_names, i, const char *);

        if (dsapi_route_param_index(params, name) < 0) {
            return dsapi_fail(perr, pool, DSAPI_ESYNTAX, "param",
                              "{%s} of the path is not declared; add "
                              "\"DsapiParam %s text\" (or another type)",
                              name, name);
        }
    }
    for (int i = 0; i < params->nelts; i++) {
        dsapi_param_t *param = APR_ARRAY_IDX(params, i, dsapi_param_t *);
        apr_status_t rv;

        if (dsapi_route_param_index(params, param->name) != i) {
            return wrong(perr, pool, param, "is declared twice");
        }
        rv = settle_place(perr, param, path_names, body_default, pool);
        if (rv == APR_SUCCESS) {
            rv = settle_bound(perr, params, param, &param->min, pool);
        }
        if (rv == APR_SUCCESS) {
            rv = settle_bound(perr, params, param, &param->max, pool);
        }
        if (rv != APR_SUCCESS) {
            return rv;
        }
    }
    if (settle_headers(perr, params, pool) != APR_SUCCESS) {
        return DSAPI_ESYNTAX;
    }
    return settle_body(perr, params, pool);
}

static int matches(const dsapi_param_t *param, const char *text)
{
    pcre2_match_data *data =
        pcre2_match_data_create_from_pattern(param->pattern, NULL);
    pcre2_match_context *context = pcre2_match_context_create(NULL);
    int rc;

    if (!data || !context) {
        abort(); /* out of memory, as a pool does */
    }
    pcre2_set_match_limit(context, PATTERN_MATCH_LIMIT);
    rc = pcre2_match(param->pattern, (PCRE2_SPTR)text, PCRE2_ZERO_TERMINATED, 0,
                     0, data, context);
    pcre2_match_context_free(context);
    pcre2_match_data_free(data);
    return rc >= 0;
}

/* By value: 1.0 is the choice 1, and a timestamp the same instant. */
static int is_choice(const dsapi_param_t *param, const char *value)
{
    for (int i = 0; i < param->choices->nelts; i++) {
        if (dsapi_base_type_compare(
                param->type, value,
                APR_ARRAY_IDX(param->choices, i, const char *)) == 0) {
            return 1;
        }
    }
    return 0;
}

static const char *choices_text(const dsapi_param_t *param, apr_pool_t *pool)
{
    apr_array_header_t *texts =
        apr_array_make(pool, 2 * param->choices->nelts, sizeof(const char *));

    for (int i = 0; i < param->choices->nelts; i++) {
        APR_ARRAY_PUSH(texts, const char *) = i ? ", " : "must be one of ";
        APR_ARRAY_PUSH(texts, const char *) =
            APR_ARRAY_IDX(param->choices, i, const char *);
    }
    return apr_array_pstrcat(pool, texts, '\0');
}

/* One scalar value, or one item of an array. */
static apr_status_t check_scalar(const char **pvalue, const char **pwhy,
                                 const dsapi_param_t *param, const char *text,
                                 apr_pool_t *pool)
{
    dsapi_json_slice_t slice;
    dsapi_err_t *err;
    const char *value;

    *pvalue = NULL;
    *pwhy = NULL;
    if (dsapi_base_type_check(&value, pwhy, param->type, text, pool) !=
        APR_SUCCESS) {
        return DSAPI_EPARAM;
    }
    if (param->type.kind == DSAPI_TYPE_JSON &&
        dsapi_json_check(&slice, &err, text, strlen(text), pool) !=
            APR_SUCCESS) {
        *pwhy = apr_psprintf(pool, "must be JSON: %s", err->detail);
    }
    else if (param->choices && !is_choice(param, value)) {
        *pwhy = choices_text(param, pool);
    }
    else if (param->min.value &&
             dsapi_base_type_compare(param->type, value, param->min.value) <
                 0) {
        *pwhy = apr_psprintf(pool, "must not be below %s", param->min.value);
    }
    else if (param->max.value &&
             dsapi_base_type_compare(param->type, value, param->max.value) >
                 0) {
        *pwhy = apr_psprintf(pool, "must not be above %s", param->max.value);
    }
    else if (param->pattern && !matches(param, value)) {
        *pwhy = apr_psprintf(pool, "must match %s", param->pattern_text);
    }
    if (*pwhy) {
        return DSAPI_EPARAM;
    }
    *pvalue = value;
    return APR_SUCCESS;
}

apr_status_t dsapi_route_param_check(const char **pvalue, const char **pwhy,
                                     const dsapi_param_t *param,
                                     const char *text, apr_pool_t *pool)
{
    apr_array_header_t *items;
    char *rest;

    if (!param->type.is_array) {
        return check_scalar(pvalue, pwhy, param, text, pool);
    }
    *pvalue = NULL;
    *pwhy = NULL;
    items = apr_array_make(pool, 8, sizeof(const char *));
    rest = apr_pstrdup(pool, text);
    while (rest) {
        char *item = rest;
        const char *value;

        rest = strchr(rest, ',');
        if (rest) {
            *rest++ = '\0';
        }
        if (!*item) {
            *pwhy = "has an empty item; write a,b";
            return DSAPI_EPARAM;
        }
        if (check_scalar(&value, pwhy, param, item, pool) != APR_SUCCESS) {
            *pwhy = apr_psprintf(pool, "item %d %s", items->nelts + 1, *pwhy);
            return DSAPI_EPARAM;
        }
        APR_ARRAY_PUSH(items, const char *) = value;
    }
    *pvalue = dsapi_base_array_literal(items, pool);
    return APR_SUCCESS;
}
