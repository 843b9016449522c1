/* DsapiQuery: the transaction, and what is written of its rows. */
#include <apr_strings.h>

#include "base/text.h"
#include "httpd/actions.h"
#include "httpd/dbpool.h"
#include "httpd/request.h"
#include "route/accept.h"
#include "route/table.h"

static apr_interval_time_t timeout_of(const request_rec *r,
                                      const mod_dsapi_route_t *route)
{
    return route->db_timeout >= 0 ? route->db_timeout
                                  : mod_dsapi_srv_of(r->server)->db_timeout;
}

apr_status_t mod_dsapi_settings(const char ***psettings, dsapi_err_t **perr,
                                request_rec *r, const mod_dsapi_route_t *route)
{
    const apr_array_header_t *session = route->service->session;
    mod_dsapi_req_t *req = mod_dsapi_req_of(r);
    const char **settings = req->settings;

    if (settings) {
        *psettings = settings;
        return APR_SUCCESS;
    }
    settings =
        apr_palloc(r->pool, sizeof(char *) * ((apr_size_t)session->nelts + 1));
    settings[0] =
        apr_psprintf(r->pool, "%" APR_TIME_T_FMT, timeout_of(r, route) / 1000);
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
    *psettings = req->settings = settings;
    return APR_SUCCESS;
}

apr_status_t mod_dsapi_run_calls(dsapi_rows_t **prows, dsapi_err_t **perr,
                                 request_rec *r, const mod_dsapi_route_t *route,
                                 apr_array_header_t *calls)
{
    apr_interval_time_t timeout = timeout_of(r, route);
    dsapi_call_t *preamble = &APR_ARRAY_IDX(calls, 0, dsapi_call_t);
    const char **settings;
    dsapi_batch_t batch = {(const dsapi_call_t *)calls->elts, calls->nelts,
                           route->read_only, timeout * (calls->nelts - 1)};
    apr_status_t rv = mod_dsapi_settings(&settings, perr, r, route);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    preamble->sql = route->preamble;
    preamble->types = NULL;
    preamble->values = settings;
    return mod_dsapi_db_run(prows, perr, r->server, &batch, r->pool);
}

apr_array_header_t *mod_dsapi_make_calls(apr_pool_t *pool)
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

/* The request's query without limit and offset, each parameter with an '&'
 * behind it. */
static const char *other_args(request_rec *r)
{
    const char *args = "";
    apr_array_header_t *pairs;
    dsapi_err_t *err;

    dsapi_base_form_parse(&pairs, &err, "query", r->args,
                          r->args ? strlen(r->args) : 0, r->pool);
    for (int i = 0; pairs && i < pairs->nelts; i++) {
        const dsapi_pair_t *pair = &APR_ARRAY_IDX(pairs, i, dsapi_pair_t);

        if (strcmp(pair->name, "limit") != 0 &&
            strcmp(pair->name, "offset") != 0) {
            args = apr_pstrcat(
                r->pool, args, dsapi_base_percent_encode(pair->name, r->pool),
                "=", dsapi_base_percent_encode(pair->value, r->pool), "&",
                NULL);
        }
    }
    return args;
}

/* RFC 8288: first, prev and next, as far as there are such pages. */
static void link_pages(request_rec *r, apr_int64_t limit, apr_int64_t offset,
                       int more)
{
    const char *page = apr_psprintf(
        r->pool, "<%s?%slimit=%" APR_INT64_T_FMT "&offset=",
        ap_os_escape_path(r->pool, r->uri, 1), other_args(r), limit);
    const char *links = apr_pstrcat(r->pool, page, "0>; rel=\"first\"", NULL);

    if (offset > 0) {
        links =
            apr_psprintf(r->pool, "%s, %s%" APR_INT64_T_FMT ">; rel=\"prev\"",
                         links, page, offset > limit ? offset - limit : 0);
    }
    if (more) {
        links =
            apr_psprintf(r->pool, "%s, %s%" APR_INT64_T_FMT ">; rel=\"next\"",
                         links, page, offset + limit);
    }
    apr_table_setn(r->headers_out, "Link", links);
}

apr_status_t mod_dsapi_choose_format(mod_dsapi_answer_t *answer,
                                     dsapi_err_t **perr, request_rec *r)
{
    int format = dsapi_route_accept(apr_table_get(r->headers_in, "Accept"), 1);

    apr_table_mergen(r->headers_out, "Vary", "Accept");
    if (format >= 0) {
        answer->format = (dsapi_format_e)format;
        return APR_SUCCESS;
    }
    dsapi_fail(perr, r->pool, DSAPI_EPARAM, "not-acceptable",
               "there is application/json, text/csv and application/x-ndjson");
    (*perr)->http = HTTP_NOT_ACCEPTABLE;
    return DSAPI_EPARAM;
}

/*
 * Writes what a query gave. A paged route has asked for one row more than the
 * page holds, so as to know whether another follows.
 */
static apr_status_t write_rows(mod_dsapi_answer_t *answer, dsapi_err_t **perr,
                               request_rec *r, const dsapi_rows_t *rows,
                               const mod_dsapi_route_t *route,
                               const char *const *values)
{
    dsapi_table_t *table =
        dsapi_route_table_make(answer->format, answer->buf, r->pool);
    int n = dsapi_rows_count(rows);
    apr_status_t rv;

    if (route->page_size > 0) {
        apr_int64_t limit = apr_atoi64(values[route->limit_index]);
        int more = n > limit;

        n = more ? (int)limit : n;
        link_pages(r, limit, apr_atoi64(values[route->offset_index]), more);
    }
    rv = dsapi_route_table_rows(table, perr, rows, n);
    dsapi_route_table_end(table);
    return rv;
}

/* The values that are bound: those given, but for :limit (see write_rows). */
static const char *const *bound_values(const mod_dsapi_route_t *route,
                                       const char **values, apr_pool_t *pool)
{
    apr_size_t size = sizeof(char *) * (apr_size_t)route->params->nelts;
    const char **bound;

    if (route->page_size == 0) {
        return values;
    }
    bound = apr_pmemdup(pool, values, size);
    bound[route->limit_index] = apr_psprintf(
        pool, "%" APR_INT64_T_FMT, apr_atoi64(values[route->limit_index]) + 1);
    return bound;
}

apr_status_t mod_dsapi_query(mod_dsapi_answer_t *answer, dsapi_err_t **perr,
                             request_rec *r, const mod_dsapi_route_t *route,
                             const char **values)
{
    apr_array_header_t *calls = mod_dsapi_make_calls(r->pool);
    const char *const *bound = bound_values(route, values, r->pool);
    dsapi_rows_t *rows;
    apr_status_t rv;

    for (int i = 0; i < route->statements->nelts; i++) {
        dsapi_route_call(
            apr_array_push(calls),
            &APR_ARRAY_IDX(route->statements, i, dsapi_statement_t), bound,
            r->pool);
    }
    rv = mod_dsapi_run_calls(&rows, perr, r, route, calls);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    rv = route->shape == DSAPI_SHAPE_ROWS
             ? write_rows(answer, perr, r, rows, route, values)
             : dsapi_route_write(answer->buf, perr, rows, route->shape,
                                 route->content_type != NULL, r->pool);
    if (rv == APR_SUCCESS) {
        set_result_headers(r, rows);
        answer->type = route->content_type
                           ? route->content_type
                           : dsapi_route_table_type(answer->format);
        answer->status = route->status                      ? route->status
                         : route->shape == DSAPI_SHAPE_NONE ? HTTP_NO_CONTENT
                                                            : HTTP_OK;
    }
    return rv;
}
