/* DsapiQuery: the transaction, and what is written of its rows. */
#include <apr_strings.h>

#include "base/text.h"
#include "httpd/actions.h"
#include "httpd/dbpool.h"
#include "httpd/request.h"
#include "route/accept.h"
#include "route/table.h"

apr_interval_time_t mod_dsapi_timeout_of(const request_rec *r,
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
    settings[0] = route->streams
                      ? "0"
                      : apr_psprintf(r->pool, "%" APR_TIME_T_FMT,
                                     mod_dsapi_timeout_of(r, route) / 1000);
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

void mod_dsapi_fill_batch(dsapi_batch_t *pbatch, const mod_dsapi_route_t *route,
                          const char *const *settings,
                          apr_interval_time_t timeout,
                          apr_array_header_t *calls)
{
    dsapi_call_t *preamble = &APR_ARRAY_IDX(calls, 0, dsapi_call_t);

    preamble->sql = route->preamble;
    preamble->types = NULL;
    preamble->values = settings;
    pbatch->calls = (const dsapi_call_t *)calls->elts;
    pbatch->ncalls = calls->nelts;
    pbatch->repeatable = route->read_only;
    pbatch->timeout = timeout * (calls->nelts - 1);
}

apr_status_t mod_dsapi_make_batch(dsapi_batch_t *pbatch, dsapi_err_t **perr,
                                  request_rec *r,
                                  const mod_dsapi_route_t *route,
                                  apr_array_header_t *calls)
{
    const char **settings;
    apr_status_t rv = mod_dsapi_settings(&settings, perr, r, route);

    if (rv == APR_SUCCESS) {
        mod_dsapi_fill_batch(pbatch, route, settings,
                             mod_dsapi_timeout_of(r, route), calls);
    }
    return rv;
}

apr_status_t mod_dsapi_run_calls(dsapi_rows_t **prows, dsapi_err_t **perr,
                                 request_rec *r, const mod_dsapi_route_t *route,
                                 apr_array_header_t *calls)
{
    dsapi_batch_t batch;
    apr_status_t rv = mod_dsapi_make_batch(&batch, perr, r, route, calls);

    return rv == APR_SUCCESS ? mod_dsapi_db_run(prows, perr, r->server, &batch,
                                                route->standby != NULL, r->pool)
                             : rv;
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

const char *mod_dsapi_etag(const char *value, apr_pool_t *pool)
{
    int whole = is_etag(value);
    const char *text = header_text(value, whole, pool);

    return whole ? text : apr_pstrcat(pool, "\"", text, "\"", NULL);
}

void mod_dsapi_read_columns(mod_dsapi_columns_t *pcolumns, request_rec *r,
                            const dsapi_rows_t *rows)
{
    const char *location = dsapi_rows_get(rows, "@location");
    const char *etag = dsapi_rows_get(rows, "@etag");

    pcolumns->location = location ? header_text(location, 0, r->pool) : NULL;
    pcolumns->etag = etag ? mod_dsapi_etag(etag, r->pool) : NULL;
}

/* The request's query without limit and offset, each parameter with an '&'
 * behind it. */
static const char *other_args(request_rec *r)
{
    const char *args = "";
    const apr_array_header_t *pairs =
        dsapi_base_form_parse(r->args, r->args ? strlen(r->args) : 0, r->pool);

    for (int i = 0; i < pairs->nelts; i++) {
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
void mod_dsapi_link_pages(request_rec *r, apr_int64_t limit, apr_int64_t offset,
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

void mod_dsapi_succeed(mod_dsapi_answer_t *answer, request_rec *r,
                       const mod_dsapi_route_t *route,
                       const char *const *values,
                       const mod_dsapi_columns_t *columns, int more)
{
    if (route->page_size > 0) {
        mod_dsapi_link_pages(r, apr_atoi64(values[route->limit_index]),
                             apr_atoi64(values[route->offset_index]), more);
    }
    if (columns->location) {
        apr_table_setn(r->headers_out, "Location", columns->location);
    }
    if (columns->etag) {
        apr_table_setn(r->headers_out, "ETag", columns->etag);
    }
    answer->type = route->content_type ? route->content_type
                                       : dsapi_route_table_type(answer->format);
    answer->status = route->status                      ? route->status
                     : route->shape == DSAPI_SHAPE_NONE ? HTTP_NO_CONTENT
                                                        : HTTP_OK;
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

/* A paged route has asked for one row more than the page holds, so as to know
 * whether another follows. @return 1: it does */
static int cut_page(int *pnrows, const mod_dsapi_route_t *route,
                    const char *const *values)
{
    apr_int64_t limit =
        route->page_size > 0 ? apr_atoi64(values[route->limit_index]) : *pnrows;
    int more = *pnrows > limit;

    *pnrows = more ? (int)limit : *pnrows;
    return more;
}

/* Writes all rows of a route that does not stream. */
static apr_status_t write_rows(mod_dsapi_answer_t *answer, dsapi_err_t **perr,
                               const dsapi_rows_t *rows, int nrows,
                               apr_pool_t *pool)
{
    dsapi_table_t *table =
        dsapi_route_table_make(answer->format, answer->buf, pool);
    apr_status_t rv = dsapi_route_table_rows(table, perr, rows, nrows);

    dsapi_route_table_end(table);
    return rv;
}

/* Runs calls and writes what the last gives, which is held in memory. */
static apr_status_t run_whole(mod_dsapi_answer_t *answer, dsapi_err_t **perr,
                              request_rec *r, const mod_dsapi_route_t *route,
                              const char **values, apr_array_header_t *calls)
{
    mod_dsapi_columns_t columns;
    dsapi_rows_t *rows;
    int more = 0;
    apr_status_t rv = mod_dsapi_run_calls(&rows, perr, r, route, calls);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    if (route->shape == DSAPI_SHAPE_ROWS) {
        int nrows = dsapi_rows_count(rows);

        more = cut_page(&nrows, route, values);
        rv = write_rows(answer, perr, rows, nrows, r->pool);
    }
    else {
        rv = dsapi_route_write(answer->buf, perr, rows, route->shape,
                               route->content_type != NULL, r->pool);
    }
    if (rv == APR_SUCCESS) {
        mod_dsapi_read_columns(&columns, r, rows);
        mod_dsapi_succeed(answer, r, route, values, &columns, more);
    }
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

    for (int i = 0; i < route->statements->nelts; i++) {
        dsapi_route_call(
            apr_array_push(calls),
            &APR_ARRAY_IDX(route->statements, i, dsapi_statement_t), bound,
            r->pool);
    }
    return route->streams
               ? mod_dsapi_stream(answer, perr, r, route, values, calls)
               : run_whole(answer, perr, r, route, values, calls);
}
