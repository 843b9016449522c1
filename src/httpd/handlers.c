/* The handler of routes: see handlers.h. */
#include "httpd/handlers.h"

#include <apr_strings.h>
#include <http_protocol.h>

#include "httpd/config.h"
#include "httpd/dbpool.h"
#include "httpd/request.h"
#include "httpd/respond.h"
#include "json/writer.h"

/* A request body's bound where neither route nor service has one. */
#define MAX_BODY_BYTES ((apr_off_t)10 * 1024 * 1024)

static const char *header_of(void *baton, const char *name)
{
    const request_rec *r = baton;

    return apr_table_get(r->headers_in, name);
}

static apr_off_t max_body(const mod_dsapi_route_t *route)
{
    if (route->max_body_bytes >= 0) {
        return route->max_body_bytes;
    }
    return route->service->max_body_bytes >= 0 ? route->service->max_body_bytes
                                               : MAX_BODY_BYTES;
}

/* The values of the route's parameters. */
static apr_status_t bind_request(const char ***pvalues, dsapi_err_t **perr,
                                 request_rec *r, const mod_dsapi_route_t *route,
                                 const dsapi_match_t *match)
{
    dsapi_input_t input = {
        match->captures, route->path_names, NULL, NULL, NULL, header_of, r};
    mod_dsapi_body_t body;
    apr_array_header_t *pairs;
    apr_status_t rv = APR_SUCCESS;

    memset(&body, 0, sizeof(body));
    if (route->takes_body) {
        rv = mod_dsapi_read_body(&body, perr, r, max_body(route));
    }
    else {
        ap_discard_request_body(r);
    }
    if (rv != APR_SUCCESS) {
        return rv;
    }
    rv = dsapi_base_form_parse(&pairs, perr, "query", r->args,
                               r->args ? strlen(r->args) : 0, r->pool);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    input.query = pairs;
    input.form = body.form;
    input.json = body.has_json ? &body.json : NULL;
    return dsapi_route_bind(pvalues, perr, route->params, &input, r->pool);
}

/* The settings of the request's transaction: its time limit, and what the
 * service's DsapiSession expressions give. */
static apr_status_t make_settings(const char ***psettings, dsapi_err_t **perr,
                                  request_rec *r,
                                  const mod_dsapi_route_t *route,
                                  apr_interval_time_t timeout)
{
    const apr_array_header_t *session = route->service->session;
    const char **settings =
        apr_palloc(r->pool, sizeof(char *) * ((apr_size_t)session->nelts + 1));

    settings[0] = apr_psprintf(r->pool, "%" APR_TIME_T_FMT, timeout / 1000);
    for (int i = 0; i < session->nelts; i++) {
        const mod_dsapi_session_t *value =
            &APR_ARRAY_IDX(session, i, mod_dsapi_session_t);
        const char *mistake = NULL;
        const char *text = ap_expr_str_exec(r, value->expr, &mistake);

        if (mistake || !text || !dsapi_base_utf8_valid(text, strlen(text))) {
            dsapi_fail(perr, r->pool, DSAPI_EINTERNAL, "internal",
                       "the service made a mistake");
            (*perr)->internal =
                apr_psprintf(r->pool, "DsapiSession %s: %s", value->name,
                             mistake ? mistake : "the value is not UTF-8");
            return DSAPI_EINTERNAL;
        }
        settings[i + 1] = text;
    }
    *psettings = settings;
    return APR_SUCCESS;
}

/* Runs the route's statements behind its preamble, in one transaction. */
static apr_status_t run_calls(dsapi_rows_t **prows, dsapi_err_t **perr,
                              request_rec *r, const mod_dsapi_route_t *route,
                              apr_array_header_t *calls)
{
    apr_interval_time_t timeout = route->db_timeout >= 0
                                      ? route->db_timeout
                                      : mod_dsapi_srv_of(r->server)->db_timeout;
    dsapi_call_t *preamble = &APR_ARRAY_IDX(calls, 0, dsapi_call_t);
    const char **settings;
    dsapi_batch_t batch = {(const dsapi_call_t *)calls->elts, calls->nelts,
                           route->read_only, timeout * (calls->nelts - 1)};
    apr_status_t rv = make_settings(&settings, perr, r, route, timeout);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    preamble->sql = route->preamble;
    preamble->types = NULL;
    preamble->values = settings;
    return mod_dsapi_db_run(prows, perr, r->server, &batch, r->pool);
}

/* An array of calls whose first is left for the preamble. */
static apr_array_header_t *make_calls(apr_pool_t *pool)
{
    apr_array_header_t *calls = apr_array_make(pool, 4, sizeof(dsapi_call_t));

    apr_array_push(calls);
    return calls;
}

/* A value as a header may hold it: what is no printable ASCII, and quotes
 * unless they are its own, percent-encoded. */
static const char *header_text(const char *value, int quotes, apr_pool_t *pool)
{
    static const char hex[] = "0123456789ABCDEF";
    char *text = apr_palloc(pool, strlen(value) * 3 + 1);
    char *out = text;

    for (const char *p = value; *p; p++) {
        unsigned char c = (unsigned char)*p;

        if (c > ' ' && c < 0x7f && (c != '"' || quotes)) {
            *out++ = *p;
            continue;
        }
        *out++ = '%';
        *out++ = hex[c >> 4];
        *out++ = hex[c & 15];
    }
    *out = '\0';
    return text;
}

/* Is it an entity tag with its quotes? (RFC 9110, 8.8.3) */
static int is_etag(const char *value)
{
    const char *open = strncmp(value, "W/", 2) == 0 ? value + 2 : value;
    const char *close = *open == '"' ? strchr(open + 1, '"') : NULL;

    return close && close[1] == '\0';
}

/* Columns that are headers: @location, @etag. */
static void set_result_headers(request_rec *r, const dsapi_rows_t *rows)
{
    const char *location = dsapi_rows_get(rows, "@location");
    const char *etag = dsapi_rows_get(rows, "@etag");

    if (location) {
        apr_table_setn(r->headers_out, "Location",
                       header_text(location, 0, r->pool));
    }
    if (etag) {
        int whole = is_etag(etag);
        const char *text = header_text(etag, whole, r->pool);

        apr_table_setn(r->headers_out, "ETag",
                       whole ? text
                             : apr_pstrcat(r->pool, "\"", text, "\"", NULL));
    }
}

static apr_status_t query(int *pstatus, dsapi_buf_t *buf, dsapi_err_t **perr,
                          request_rec *r, const mod_dsapi_route_t *route,
                          const char **values)
{
    apr_array_header_t *calls = make_calls(r->pool);
    dsapi_rows_t *rows;
    apr_status_t rv;

    for (int i = 0; i < route->statements->nelts; i++) {
        dsapi_route_call(
            apr_array_push(calls),
            &APR_ARRAY_IDX(route->statements, i, dsapi_statement_t), values,
            r->pool);
    }
    rv = run_calls(&rows, perr, r, route, calls);
    if (rv == APR_SUCCESS) {
        rv = dsapi_route_write(buf, perr, rows, route->shape,
                               route->content_type != NULL, r->pool);
    }
    if (rv == APR_SUCCESS) {
        set_result_headers(r, rows);
        *pstatus = route->status                      ? route->status
                   : route->shape == DSAPI_SHAPE_NONE ? HTTP_NO_CONTENT
                                                      : HTTP_OK;
    }
    return rv;
}

/* The route's values under the names of the source's parameters, as a JSON
 * object without the absent ones. */
static const char *source_json(const mod_dsapi_route_t *route,
                               const char **values, apr_pool_t *pool)
{
    dsapi_buf_t *buf = dsapi_buf_make(256, pool);
    dsapi_json_writer_t w;

    dsapi_json_writer_init(&w, buf);
    dsapi_json_begin_object(&w);
    for (int i = 0; i < route->source->params->nelts; i++) {
        const dsapi_param_t *param =
            APR_ARRAY_IDX(route->source->params, i, const dsapi_param_t *);
        int index = route->source_params[i];

        if (index >= 0 && values[index]) {
            dsapi_buf_t *value = dsapi_buf_make(64, pool);

            dsapi_route_value_json(value, param->type, values[index]);
            dsapi_json_key(&w, param->name);
            dsapi_json_raw(&w, value->data, value->len_bytes);
        }
    }
    dsapi_json_end_object(&w);
    return dsapi_buf_str(buf);
}

static void push_job_call(apr_array_header_t *calls,
                          const mod_dsapi_route_t *route, const char *params,
                          request_rec *r)
{
    dsapi_call_t *call = apr_array_push(calls);
    const char **bound = apr_palloc(r->pool, 4 * sizeof(char *));

    bound[0] = route->source->core.name;
    bound[1] = params;
    bound[2] = apr_itoa(r->pool, route->source->core.retry.attempts);
    bound[3] = mod_dsapi_req_of(r)->trace;
    call->sql = route->job_sql;
    call->types = NULL;
    call->values = bound;
}

/*
 * Where a job can be seen.
 * @param vars  the job's parameters, as a URL shows them
 */
static const char *job_location(const mod_dsapi_route_t *status,
                                const apr_table_t *vars, apr_pool_t *pool)
{
    const char *url =
        apr_pstrcat(pool, status->service->base, status->path, NULL);
    const char *separator = "?";

    for (int i = 0; i < status->source->params->nelts; i++) {
        const char *value = apr_table_get(
            vars,
            APR_ARRAY_IDX(status->source->params, i, dsapi_param_t *)->name);
        const dsapi_param_t *given;

        if (status->source_params[i] < 0 || !value) {
            continue;
        }
        given = APR_ARRAY_IDX(status->params, status->source_params[i],
                              const dsapi_param_t *);
        value = dsapi_base_percent_encode(value, pool);
        if (given->in == DSAPI_IN_PATH) {
            const char *var = apr_pstrcat(pool, "{", given->name, "}", NULL);
            const char *at = strstr(url, var);

            url = apr_pstrcat(pool,
                              apr_pstrmemdup(pool, url, (apr_size_t)(at - url)),
                              value, at + strlen(var), NULL);
        }
        else if (given->in == DSAPI_IN_QUERY) {
            url = apr_pstrcat(pool, url, separator, given->name, "=", value,
                              NULL);
            separator = "&";
        }
    }
    return url;
}

static apr_status_t enqueue(int *pstatus, dsapi_buf_t *buf, dsapi_err_t **perr,
                            request_rec *r, const mod_dsapi_route_t *route,
                            const char **values)
{
    apr_array_header_t *calls = make_calls(r->pool);
    const char *given = source_json(route, values, r->pool);
    const char *params;
    const char **ignored;
    apr_table_t *vars = NULL;
    dsapi_json_slice_t slice;
    dsapi_rows_t *rows;
    apr_status_t rv =
        dsapi_json_check(&slice, perr, given, strlen(given), r->pool);

    if (rv == APR_SUCCESS) {
        rv = dsapi_source_params(&params, perr, &route->source->core, &slice,
                                 r->pool);
    }
    if (rv == APR_SUCCESS) {
        rv = dsapi_source_values(&ignored, &vars, perr, &route->source->core,
                                 params, r->pool);
    }
    if (rv != APR_SUCCESS) {
        return rv;
    }
    push_job_call(calls, route, params, r);
    rv = run_calls(&rows, perr, r, route, calls);
    if (rv == APR_SUCCESS) {
        rv = dsapi_route_write(buf, perr, rows, DSAPI_SHAPE_ROW, 0, r->pool);
    }
    if (rv == APR_SUCCESS && route->status_route) {
        apr_table_setn(r->headers_out, "Location",
                       job_location(route->status_route, vars, r->pool));
    }
    *pstatus = route->status ? route->status : HTTP_ACCEPTED;
    return rv;
}

static apr_status_t show_job(int *pstatus, dsapi_buf_t *buf, dsapi_err_t **perr,
                             request_rec *r, const mod_dsapi_route_t *route,
                             const char **values)
{
    apr_array_header_t *calls = make_calls(r->pool);
    dsapi_rows_t *rows;
    apr_status_t rv;

    push_job_call(calls, route, source_json(route, values, r->pool), r);
    rv = run_calls(&rows, perr, r, route, calls);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    if (dsapi_rows_count(rows) == 0) {
        return dsapi_fail(perr, r->pool, DSAPI_ENOTFOUND, "no-job",
                          "there never was such a job");
    }
    *pstatus = route->status ? route->status : HTTP_OK;
    return dsapi_route_write(buf, perr, rows, DSAPI_SHAPE_ROW, 0, r->pool);
}

static int run_route(request_rec *r, const mod_dsapi_route_t *route,
                     const dsapi_match_t *match)
{
    dsapi_buf_t *buf = dsapi_buf_make(0, r->pool);
    const char **values;
    dsapi_err_t *err;
    int status = HTTP_OK;
    apr_status_t rv = bind_request(&values, &err, r, route, match);

    if (rv == APR_SUCCESS) {
        switch (route->action) {
        case MOD_DSAPI_ENQUEUE:
            rv = enqueue(&status, buf, &err, r, route, values);
            break;
        case MOD_DSAPI_JOB:
            rv = show_job(&status, buf, &err, r, route, values);
            break;
        case MOD_DSAPI_QUERY:
        case MOD_DSAPI_NO_ACTION:
            rv = query(&status, buf, &err, r, route, values);
            break;
        }
    }
    if (rv != APR_SUCCESS) {
        return mod_dsapi_send_problem(r, err);
    }
    if (route->action != MOD_DSAPI_QUERY) {
        apr_table_setn(r->headers_out, "Cache-Control", "no-store");
    }
    return mod_dsapi_send_body(
        r, status,
        route->content_type ? route->content_type : MOD_DSAPI_JSON_TYPE,
        status == HTTP_NO_CONTENT || route->shape == DSAPI_SHAPE_NONE ? NULL
                                                                      : buf);
}

int mod_dsapi_handler(request_rec *r)
{
    const mod_dsapi_req_t *req = mod_dsapi_req_of(r);
    dsapi_match_t match;
    dsapi_err_t *err = NULL;

    if (!req || !r->handler || strcmp(r->handler, MOD_DSAPI_HANDLER) != 0) {
        return DECLINED;
    }
    if (!dsapi_route_match(&match, req->service->trie, req->rest, r->method,
                           r->pool)) {
        dsapi_fail(&err, r->pool, DSAPI_ENOTFOUND, "not-found",
                   "the service has no such path");
        return mod_dsapi_send_problem(r, err);
    }
    if (match.value) {
        return run_route(r, match.value, &match);
    }
    if (r->method_number == M_OPTIONS) {
        apr_table_setn(r->headers_out, "Allow", match.allow);
        return mod_dsapi_send_body(r, HTTP_NO_CONTENT, NULL, NULL);
    }
    dsapi_fail(&err, r->pool, DSAPI_EMETHOD, "method-not-allowed",
               "this path takes %s", match.allow);
    err->allow = match.allow;
    return mod_dsapi_send_problem(r, err);
}
