/* Parameters of jobs: see source.h. */
#include "source/source.h"

#include <apr_lib.h>
#include <apr_strings.h>
#include <string.h>

#include "json/writer.h"
#include "route/result.h"

static apr_status_t bind_json(const char ***pvalues, dsapi_err_t **perr,
                              const dsapi_source_t *source,
                              const dsapi_json_slice_t *json, apr_pool_t *pool)
{
    apr_array_header_t *no_path = apr_array_make(pool, 1, sizeof(char *));
    dsapi_input_t input = {NULL, no_path, NULL, NULL, json, NULL, NULL};

    return dsapi_route_bind(pvalues, perr, source->params, &input, pool);
}

apr_status_t dsapi_source_params(const char **pjson, dsapi_err_t **perr,
                                 const dsapi_source_t *source,
                                 const dsapi_json_slice_t *json,
                                 apr_pool_t *pool)
{
    dsapi_buf_t *buf;
    dsapi_json_writer_t w;
    const char **values;
    apr_status_t rv = bind_json(&values, perr, source, json, pool);

    *pjson = NULL;
    if (rv != APR_SUCCESS) {
        return rv;
    }
    buf = dsapi_buf_make(0, pool);
    dsapi_json_writer_init(&w, buf);
    dsapi_json_begin_object(&w);
    for (int i = 0; i < source->params->nelts; i++) {
        const dsapi_param_t *param =
            APR_ARRAY_IDX(source->params, i, const dsapi_param_t *);

        /* NULL in place of a default has to be said */
        if (values[i] || param->def) {
            dsapi_json_key(&w, param->name);
            dsapi_json_raw(&w, "", 0);
            dsapi_route_value_json(buf, param->type, values[i]);
        }
    }
    dsapi_json_end_object(&w);
    *pjson = dsapi_buf_str(buf);
    return APR_SUCCESS;
}

/* A value as a URL shows it: RFC 6570 joins the items of a list by commas, and
 * dsapi_base_array_literal has each in quotes. */
static const char *url_text(const dsapi_param_t *param, const char *value,
                            apr_pool_t *pool)
{
    char *text;
    char *out;
    int quoted = 0;

    if (!param->type.is_array) {
        return value;
    }
    out = text = apr_palloc(pool, strlen(value) + 1);
    for (const char *p = value; *p; p++) {
        if (*p == '"') {
            quoted = !quoted;
        }
        else if (quoted || *p == ',') {
            p += *p == '\\';
            *out++ = *p;
        }
    }
    *out = '\0';
    return text;
}

apr_status_t dsapi_source_values(const char ***pvalues, apr_table_t **pvars,
                                 dsapi_err_t **perr,
                                 const dsapi_source_t *source, const char *json,
                                 apr_pool_t *pool)
{
    dsapi_json_slice_t slice;
    const char **values;
    int n = source->params->nelts;
    apr_status_t rv = dsapi_json_check(&slice, perr, json, strlen(json), pool);

    *pvalues = NULL;
    *pvars = NULL;
    if (rv != APR_SUCCESS) {
        return rv;
    }
    rv = bind_json(&values, perr, source, &slice, pool);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    *pvars = apr_table_make(pool, n + 1);
    for (int i = 0; i < n; i++) {
        const dsapi_param_t *param =
            APR_ARRAY_IDX(source->params, i, const dsapi_param_t *);

        if (values[i]) {
            apr_table_setn(*pvars, param->name,
                           url_text(param, values[i], pool));
        }
    }
    *pvalues = apr_pcalloc(
        pool, sizeof(char *) * ((apr_size_t)dsapi_source_count(source) + 1));
    memcpy(*pvalues, values, sizeof(char *) * (apr_size_t)n);
    return APR_SUCCESS;
}

int dsapi_source_count(const dsapi_source_t *source)
{
    return source->params->nelts +
           (source->columns ? source->columns->nelts : 0);
}

unsigned dsapi_source_type(const dsapi_source_t *source, int index)
{
    return index < source->params->nelts
               ? dsapi_base_type_oid(
                     APR_ARRAY_IDX(source->params, index, const dsapi_param_t *)
                         ->type)
               : DSAPI_OID_JSON;
}

/* @return the index of a column's name; -1: it is not there */
static int column_index(const apr_array_header_t *columns, const char *name)
{
    for (int i = 0; columns && i < columns->nelts; i++) {
        if (strcmp(APR_ARRAY_IDX(columns, i, const char *), name) == 0) {
            return i;
        }
    }
    return -1;
}

void dsapi_source_add_column(apr_array_header_t *columns,
                             const apr_array_header_t *params, const char *name)
{
    if (dsapi_route_param_index(params, name) < 0 &&
        column_index(columns, name) < 0 &&
        strcmp(name, DSAPI_SOURCE_BODY) != 0) {
        APR_ARRAY_PUSH(columns, const char *) = name;
    }
}

/* @return the index of the value that a name stands for */
static int value_index(const dsapi_source_t *source, const char *name)
{
    int i = dsapi_route_param_index(source->params, name);

    return i >= 0 ? i
                  : source->params->nelts + column_index(source->columns, name);
}

/* Behind the string whose quote is here, in a checked text. */
static const char *string_end(const char *p)
{
    for (p++; *p != '"'; p++) {
        p += *p == '\\';
    }
    return p + 1;
}

/*
 * The next string ":name" that is a value, not the name of a member.
 * @param pend  out: behind it
 * @return where it begins; NULL: there is none
 */
static const char *next_variable(const char **pend, const char *from)
{
    const char *p = from;

    while ((p = strchr(p, '"'))) {
        const char *end = string_end(p);
        const char *name = p + 2;

        while (!(*name & 0x80) && (apr_isalnum(*name) || *name == '_')) {
            name++;
        }
        if (p[1] == ':' && name > p + 2 && name == end - 1 &&
            end[strspn(end, " \t\r\n")] != ':') {
            *pend = end;
            return p;
        }
        p = end;
    }
    return NULL;
}

static const char *variable_name(const char *p, const char *end,
                                 apr_pool_t *pool)
{
    return apr_pstrmemdup(pool, p + 2, (apr_size_t)(end - p) - 3);
}

apr_status_t dsapi_source_body_check(dsapi_err_t **perr, const char *body,
                                     const apr_array_header_t *params,
                                     apr_array_header_t *columns,
                                     apr_pool_t *pool)
{
    dsapi_json_slice_t slice;
    const char *end = body;
    const char *p;
    apr_status_t rv = dsapi_json_check(&slice, perr, body, strlen(body), pool);

    while (rv == APR_SUCCESS && (p = next_variable(&end, end))) {
        const char *name = variable_name(p, end, pool);

        if (columns) {
            dsapi_source_add_column(columns, params, name);
        }
        if (dsapi_route_param_index(params, name) < 0 &&
            column_index(columns, name) < 0) {
            rv = dsapi_fail(perr, pool, DSAPI_ESYNTAX, "body",
                            ":%s is not declared; add \"DsapiParam %s text\" "
                            "(or another type)",
                            name, name);
        }
    }
    return rv;
}

const char *dsapi_source_body(const dsapi_source_t *source,
                              const char *const *values, const unsigned *types,
                              const char *json, apr_pool_t *pool)
{
    dsapi_buf_t *buf;
    const char *from = source->body;
    const char *end;
    const char *p;

    if (!from) {
        return json;
    }
    buf = dsapi_buf_make(0, pool);
    while ((p = next_variable(&end, from))) {
        int i = value_index(source, variable_name(p, end, pool));

        dsapi_buf_put(buf, from, (apr_size_t)(p - from));
        dsapi_route_write_value(buf, types[i], values[i],
                                values[i] ? strlen(values[i]) : 0);
        from = end;
    }
    dsapi_buf_put(buf, from, strlen(from));
    return dsapi_buf_str(buf);
}
