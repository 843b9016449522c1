/* Calls of functions: see function.h. */
#include "resource/function.h"

#include <apr_strings.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "base/type.h"
#include "resource/near.h"
#include "resource/parse.h"
#include "resource/payload.h"
#include "resource/problem.h"

/* Has a parameter of the URL a meaning of its own, whatever its value? */
static int is_reserved(const char *name)
{
    static const char *const words[] = {"select", "columns", "on_conflict"};
    static const char *const endings[] = {"order", "limit", "offset", "and",
                                          "or"};
    const char *dot = strrchr(name, '.');
    const char *last = dot ? dot + 1 : name;

    for (apr_size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (strcmp(name, words[i]) == 0) {
            return 1;
        }
    }
    for (apr_size_t i = 0; i < sizeof(endings) / sizeof(endings[0]); i++) {
        if (strcmp(last, endings[i]) == 0) {
            return 1;
        }
    }
    return 0;
}

static int is_filter(const char *value, apr_pool_t *pool)
{
    dsapi_res_cond_t cond = {.kind = DSAPI_RES_FILTER};
    dsapi_lex_t lex;

    dsapi_lex_init(&lex, NULL, "failed to parse filter", value, pool);
    return dsapi_resource_filter(&cond, &lex);
}

void dsapi_function_split(apr_array_header_t **pargs,
                          apr_array_header_t **prest,
                          const apr_array_header_t *pairs, apr_pool_t *pool)
{
    *pargs = apr_array_make(pool, pairs->nelts, sizeof(dsapi_pair_t));
    *prest = apr_array_make(pool, pairs->nelts, sizeof(dsapi_pair_t));
    for (int i = 0; i < pairs->nelts; i++) {
        const dsapi_pair_t *pair = &APR_ARRAY_IDX(pairs, i, dsapi_pair_t);
        int other = is_reserved(pair->name) || is_filter(pair->value, pool);

        APR_ARRAY_PUSH(other ? *prest : *pargs, dsapi_pair_t) = *pair;
    }
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Sorts names, and takes those away that are there twice. */
static apr_array_header_t *sorted(const apr_array_header_t *names,
                                  apr_pool_t *pool)
{
    apr_array_header_t *all = apr_array_copy(pool, names);
    apr_array_header_t *once =
        apr_array_make(pool, names->nelts, sizeof(const char *));

    if (all->nelts > 1) {
        qsort(all->elts, (size_t)all->nelts, sizeof(const char *),
              compare_names);
    }
    for (int i = 0; i < all->nelts; i++) {
        const char *name = APR_ARRAY_IDX(all, i, const char *);

        if (i == 0 ||
            strcmp(name, APR_ARRAY_IDX(all, i - 1, const char *)) != 0) {
            APR_ARRAY_PUSH(once, const char *) = name;
        }
    }
    return once;
}

void dsapi_function_take_pairs(dsapi_invoke_t *invoke, dsapi_invoke_as_e as,
                               const apr_array_header_t *pairs,
                               apr_pool_t *pool)
{
    apr_array_header_t *names =
        apr_array_make(pool, pairs->nelts, sizeof(const char *));

    for (int i = 0; i < pairs->nelts; i++) {
        APR_ARRAY_PUSH(names, const char *) =
            APR_ARRAY_IDX(pairs, i, dsapi_pair_t).name;
    }
    memset(invoke, 0, sizeof(*invoke));
    invoke->as = as;
    invoke->pairs = pairs;
    invoke->keys = sorted(names, pool);
}

apr_status_t dsapi_function_take_json(dsapi_invoke_t *invoke,
                                      dsapi_err_t **perr,
                                      const dsapi_json_slice_t *json,
                                      apr_array_header_t *columns,
                                      apr_pool_t *pool)
{
    static const dsapi_json_slice_t nothing = {"{}", 2, DSAPI_JSON_OBJECT};
    const dsapi_json_slice_t *body = json ? json : &nothing;
    int has_members =
        body->kind == DSAPI_JSON_OBJECT || body->kind == DSAPI_JSON_ARRAY;
    dsapi_json_slice_t first = has_members ? *body : nothing;
    dsapi_json_iter_t iter = {NULL};
    dsapi_res_payload_t payload;
    apr_status_t rv =
        dsapi_resource_payload(&payload, perr, &first, columns, pool, pool);

    memset(invoke, 0, sizeof(*invoke));
    if (rv != APR_SUCCESS) {
        return rv;
    }
    invoke->as = DSAPI_INVOKE_JSON;
    invoke->keys = sorted(payload.keys, pool);
    invoke->body = apr_pstrmemdup(pool, body->p, body->len_bytes);
    (void)dsapi_json_next_item(&first, &iter, body);
    invoke->object = apr_pstrmemdup(pool, first.p, first.len_bytes);
    return APR_SUCCESS;
}

/* Bytes as bytea reads them. */
static const char *as_hex(const char *data, apr_size_t len_bytes,
                          apr_pool_t *pool)
{
    static const char digits[] = "0123456789abcdef";
    char *text = apr_palloc(pool, 2 * len_bytes + 3);
    char *out = text;

    *out++ = '\\';
    *out++ = 'x';
    for (apr_size_t i = 0; i < len_bytes; i++) {
        unsigned char c = (unsigned char)data[i];

        *out++ = digits[c >> 4];
        *out++ = digits[c & 15];
    }
    *out = '\0';
    return text;
}

apr_status_t dsapi_function_take_body(dsapi_invoke_t *invoke,
                                      dsapi_err_t **perr, dsapi_invoke_as_e as,
                                      const char *data, apr_size_t len_bytes,
                                      apr_pool_t *pool)
{
    memset(invoke, 0, sizeof(*invoke));
    invoke->as = as;
    invoke->keys = apr_array_make(pool, 1, sizeof(const char *));
    if (as == DSAPI_INVOKE_BYTES) {
        invoke->body = as_hex(data, len_bytes, pool);
        return APR_SUCCESS;
    }
    if (!dsapi_base_utf8_valid(data, len_bytes) ||
        memchr(data, '\0', len_bytes)) {
        return dsapi_resource_fail(perr, pool, 400, "22021",
                                   "the body must be UTF-8, without NUL");
    }
    invoke->body = apr_pstrmemdup(pool, data, len_bytes);
    return APR_SUCCESS;
}

/* Finding */

static int has_key(const dsapi_invoke_t *invoke, const char *name)
{
    for (int i = 0; i < invoke->keys->nelts; i++) {
        if (strcmp(APR_ARRAY_IDX(invoke->keys, i, const char *), name) == 0) {
            return 1;
        }
    }
    return 0;
}

static const dsapi_argument_t *argument_at(const dsapi_function_t *function,
                                           int i)
{
    return &APR_ARRAY_IDX(function->arguments, i, const dsapi_argument_t);
}

/* Is its only argument without a name? */
static int is_unnamed(const dsapi_function_t *function)
{
    return function->arguments->nelts == 1 && !*argument_at(function, 0)->name;
}

/* Has a function all the arguments that are given, and are those given that it
 * needs? */
static int fits_names(const dsapi_function_t *function,
                      const dsapi_invoke_t *invoke)
{
    int known = 0;

    if (invoke->as >= DSAPI_INVOKE_TEXT || is_unnamed(function) ||
        invoke->keys->nelts > function->arguments->nelts) {
        return 0;
    }
    for (int i = 0; i < function->arguments->nelts; i++) {
        int given = has_key(invoke, argument_at(function, i)->name);

        if (!given && argument_at(function, i)->required) {
            return 0;
        }
        known += given;
    }
    return known == invoke->keys->nelts;
}

/* Does a function take the whole body? */
static int fits_body(const dsapi_function_t *function,
                     const dsapi_invoke_t *invoke)
{
    static const char *const types[] = {"", "", "json", "text", "xml", "bytea"};
    const char *type =
        is_unnamed(function) ? argument_at(function, 0)->type : "";

    return *type &&
           (strcmp(type, types[invoke->as]) == 0 ||
            (invoke->as == DSAPI_INVOKE_JSON && strcmp(type, "jsonb") == 0));
}

/* Names with commas between. */
static const char *names_text(const apr_array_header_t *names, apr_pool_t *pool)
{
    dsapi_buf_t *buf = dsapi_buf_make(64, pool);

    for (int i = 0; i < names->nelts; i++) {
        const char *name = APR_ARRAY_IDX(names, i, const char *);

        dsapi_buf_put(buf, ", ", i ? 2 : 0);
        dsapi_buf_put(buf, name, strlen(name));
    }
    return dsapi_buf_str(buf);
}

/* What arguments are called, as hints have it: "(a, b)". */
static const char *bracketed(const apr_array_header_t *names, apr_pool_t *pool)
{
    return apr_pstrcat(pool, "(", names_text(names, pool), ")", NULL);
}

static const char *bracketed_arguments(const dsapi_function_t *function,
                                       apr_pool_t *pool)
{
    apr_array_header_t *names =
        apr_array_make(pool, function->arguments->nelts, sizeof(const char *));

    for (int i = 0; i < function->arguments->nelts; i++) {
        APR_ARRAY_PUSH(names, const char *) = argument_at(function, i)->name;
    }
    return bracketed(sorted(names, pool), pool);
}

/* What may have been meant: of the functions of that name one with other
 * arguments; else another name. */
static void hint_function(dsapi_err_t *err, const dsapi_catalog_t *catalog,
                          const dsapi_invoke_t *invoke, const char *schema,
                          const char *name, apr_pool_t *pool)
{
    apr_array_header_t *names = apr_array_make(pool, 8, sizeof(const char *));
    apr_array_header_t *lists = apr_array_make(pool, 2, sizeof(const char *));
    const char *near;

    for (int i = 0; i < catalog->functions->nelts; i++) {
        const dsapi_function_t *function =
            &APR_ARRAY_IDX(catalog->functions, i, const dsapi_function_t);

        if (strcmp(function->schema, schema) != 0) {
            continue;
        }
        APR_ARRAY_PUSH(names, const char *) = function->name;
        if (strcmp(function->name, name) == 0) {
            APR_ARRAY_PUSH(lists, const char *) =
                bracketed_arguments(function, pool);
        }
    }
    near = lists->nelts > 0
               ? dsapi_near_name(lists, bracketed(invoke->keys, pool),
                                 DSAPI_NEAR_ELSE_PERCENT, pool)
               : dsapi_near_name(names, name, DSAPI_NEAR_NAME_PERCENT, pool);
    if (near) {
        dsapi_resource_hint(
            err, pool, "Perhaps you meant to call the function %s.%s%s", schema,
            lists->nelts > 0 ? name : near, lists->nelts > 0 ? near : "");
    }
}

static void none(dsapi_err_t **perr, const dsapi_invoke_t *invoke,
                 const char *called, apr_pool_t *pool)
{
    static const char *const unnamed[] = {"",
                                          "",
                                          " or with a single unnamed "
                                          "json/jsonb parameter",
                                          " with a single unnamed text "
                                          "parameter",
                                          " with a single unnamed xml "
                                          "parameter",
                                          " with a single unnamed bytea "
                                          "parameter"};
    int n = invoke->as < DSAPI_INVOKE_TEXT ? invoke->keys->nelts : -1;
    const char *names = names_text(invoke->keys, pool);

    dsapi_resource_fail(perr, pool, 404, "PGRST202",
                        "Could not find the function %s%s in the schema cache",
                        called,
                        n < 0    ? ""
                        : n == 0 ? " without parameters"
                                 : apr_pstrcat(pool, "(", names, ")", NULL));
    dsapi_resource_details(*perr, pool,
                           "Searched for the function %s%s%s, but no matches "
                           "were found in the "
                           "schema cache.",
                           called,
                           n < 0    ? ""
                           : n == 0 ? " without parameters"
                                    : apr_pstrcat(pool,
                                                  n > 1 ? " with parameters "
                                                        : " with "
                                                          "parameter ",
                                                  names, NULL),
                           unnamed[invoke->as]);
}

/* A function with what it takes: "s.f(a => integer)". */
static const char *signature(const dsapi_function_t *function, apr_pool_t *pool)
{
    const char *text =
        apr_pstrcat(pool, function->schema, ".", function->name, "(", NULL);

    for (int i = 0; i < function->arguments->nelts; i++) {
        text = apr_pstrcat(pool, text, i ? ", " : "",
                           argument_at(function, i)->name, " => ",
                           argument_at(function, i)->type, NULL);
    }
    return apr_pstrcat(pool, text, ")", NULL);
}

static apr_status_t ambiguous(dsapi_err_t **perr,
                              const apr_array_header_t *found, apr_pool_t *pool)
{
    const char *list = "";

    for (int i = 0; i < found->nelts; i++) {
        list = apr_pstrcat(
            pool, list, i ? ", " : "",
            signature(APR_ARRAY_IDX(found, i, const dsapi_function_t *), pool),
            NULL);
    }
    dsapi_resource_fail(perr, pool, 300, "PGRST203",
                        "Could not choose the best candidate function between: "
                        "%s",
                        list);
    dsapi_resource_hint(*perr, pool,
                        "Try renaming the parameters or the function itself in "
                        "the database so function overloading can be resolved");
    return (*perr)->rv;
}

apr_status_t dsapi_function_find(dsapi_invoke_t *invoke, dsapi_err_t **perr,
                                 const dsapi_catalog_t *catalog,
                                 const char *schema, const char *name,
                                 apr_pool_t *pool)
{
    apr_array_header_t *named = apr_array_make(pool, 2, sizeof(void *));
    apr_array_header_t *whole = apr_array_make(pool, 2, sizeof(void *));
    const apr_array_header_t *found;

    *perr = NULL;
    for (int i = 0; i < catalog->functions->nelts; i++) {
        const dsapi_function_t *function =
            &APR_ARRAY_IDX(catalog->functions, i, const dsapi_function_t);

        if (strcmp(function->name, name) != 0 ||
            strcmp(function->schema, schema) != 0) {
            continue;
        }
        if (fits_names(function, invoke)) {
            APR_ARRAY_PUSH(named, const dsapi_function_t *) = function;
        }
        else if (fits_body(function, invoke)) {
            APR_ARRAY_PUSH(whole, const dsapi_function_t *) = function;
        }
    }
    found = named->nelts > 0 ? named : whole;
    if (found->nelts == 0) {
        none(perr, invoke, apr_pstrcat(pool, schema, ".", name, NULL), pool);
        if (invoke->as < DSAPI_INVOKE_TEXT) {
            hint_function(*perr, catalog, invoke, schema, name, pool);
        }
        return (*perr)->rv;
    }
    if (found->nelts > 1) {
        return ambiguous(perr, found, pool);
    }
    invoke->function = APR_ARRAY_IDX(found, 0, const dsapi_function_t *);
    return APR_SUCCESS;
}

/* SQL */

/* The value of an argument from the URL or a form: the last, or all. */
static const char *value_of(const dsapi_invoke_t *invoke,
                            const dsapi_argument_t *argument, apr_pool_t *pool)
{
    apr_array_header_t *all = apr_array_make(pool, 1, sizeof(const char *));

    for (int i = 0; i < invoke->pairs->nelts; i++) {
        const dsapi_pair_t *pair =
            &APR_ARRAY_IDX(invoke->pairs, i, dsapi_pair_t);

        if (strcmp(pair->name, argument->name) == 0) {
            APR_ARRAY_PUSH(all, const char *) = pair->value;
        }
    }
    return argument->variadic
               ? dsapi_base_array_literal(all, pool)
               : APR_ARRAY_IDX(all, all->nelts - 1, const char *);
}

static void put_arguments(dsapi_build_t *build, const dsapi_invoke_t *invoke)
{
    const dsapi_function_t *function = invoke->function;
    const char *comma = "";

    if (is_unnamed(function)) {
        dsapi_build_value(build, invoke->body);
        dsapi_build_put(build, "::", argument_at(function, 0)->cast, NULL);
        return;
    }
    for (int i = 0; i < function->arguments->nelts; i++) {
        const dsapi_argument_t *argument = argument_at(function, i);

        if (!has_key(invoke, argument->name)) {
            continue;
        }
        dsapi_build_put(build, comma, argument->variadic ? "VARIADIC " : "",
                        NULL);
        dsapi_build_name(build, argument->name);
        if (invoke->as == DSAPI_INVOKE_JSON) {
            dsapi_build_put(build, " := b.", NULL);
            dsapi_build_name(build, argument->name);
        }
        else {
            dsapi_build_put(build, " := ", NULL);
            dsapi_build_value(build, value_of(invoke, argument, build->pool));
            dsapi_build_put(build, "::", argument->cast, NULL);
        }
        comma = ", ";
    }
}

/* The arguments that an object has, as a table b. */
static void put_object(dsapi_build_t *build, const dsapi_invoke_t *invoke)
{
    const char *comma = "::json) AS b(";

    dsapi_build_put(build, "json_to_record(", NULL);
    dsapi_build_value(build, invoke->object);
    for (int i = 0; i < invoke->function->arguments->nelts; i++) {
        const dsapi_argument_t *argument = argument_at(invoke->function, i);

        if (has_key(invoke, argument->name)) {
            dsapi_build_put(build, comma, NULL);
            dsapi_build_name(build, argument->name);
            dsapi_build_put(build, " ", argument->cast, NULL);
            comma = ", ";
        }
    }
    dsapi_build_put(build, ")", NULL);
}

static void put_function(dsapi_build_t *build, const dsapi_invoke_t *invoke)
{
    dsapi_build_name(build, invoke->function->schema);
    dsapi_build_put(build, ".", NULL);
    dsapi_build_name(build, invoke->function->name);
    dsapi_build_put(build, "(", NULL);
    put_arguments(build, invoke);
    dsapi_build_put(build, ")", NULL);
}

void dsapi_function_put(dsapi_build_t *build, const dsapi_invoke_t *invoke)
{
    int scalar = invoke->function->scalar;
    int object = invoke->as == DSAPI_INVOKE_JSON && invoke->keys->nelts > 0 &&
                 !is_unnamed(invoke->function);

    dsapi_build_put(build, "SELECT ", NULL);
    if (scalar) {
        put_function(build, invoke);
        dsapi_build_put(build, " AS " DSAPI_RES_VALUE, object ? " FROM " : "",
                        NULL);
    }
    else {
        dsapi_build_put(build, "f.* FROM ", NULL);
    }
    if (object) {
        put_object(build, invoke);
        dsapi_build_put(build, scalar ? "" : ", LATERAL ", NULL);
    }
    if (!scalar) {
        put_function(build, invoke);
        dsapi_build_put(build, " AS f", NULL);
    }
}
