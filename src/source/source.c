/* Parameters of jobs: see source.h. */
#include "source/source.h"

#include <apr_strings.h>
#include <string.h>

#include "json/writer.h"

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
    *pvalues = apr_pcalloc(pool, sizeof(char *) * ((apr_size_t)n + 1));
    memcpy(*pvalues, values, sizeof(char *) * (apr_size_t)n);
    return APR_SUCCESS;
}
