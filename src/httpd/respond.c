/* Answers: see respond.h. */
#include "httpd/respond.h"

#include <apr_strings.h>
#include <http_core.h>
#include <http_log.h>
#include <http_protocol.h>
#include <util_filter.h>

#include "httpd/config.h"
#include "httpd/request.h"
#include "json/writer.h"

APLOG_USE_MODULE(dsapi);

#define PROBLEM_TYPE   "application/problem+json"
#define PROBLEM_FILTER "DSAPI_PROBLEM"

static void write_fields(dsapi_json_writer_t *w, const dsapi_err_t *err)
{
    dsapi_json_key(w, "errors");
    dsapi_json_begin_array(w);
    for (int i = 0; i < err->fields->nelts; i++) {
        const dsapi_field_err_t *f =
            &APR_ARRAY_IDX(err->fields, i, dsapi_field_err_t);

        dsapi_json_begin_object(w);
        dsapi_json_member(w, "in", f->in);
        dsapi_json_member(w, "name", f->name);
        dsapi_json_member(w, "message", f->message);
        dsapi_json_end_object(w);
    }
    dsapi_json_end_array(w);
}

/* The reason phrase of a status: ours, or httpd's without its number. */
static const char *title_of(int http, apr_pool_t *pool)
{
    const dsapi_status_t *st = dsapi_status_of(dsapi_status_of_http(http));
    const char *line;
    const char *blank;

    if (st->http == http) {
        return st->title;
    }
    line = ap_get_status_line_ex(pool, http);
    blank = strchr(line, ' ');
    return blank ? blank + 1 : line;
}

/* The request that a client made, where this one serves its ErrorDocument. */
static const request_rec *origin_of(const request_rec *r)
{
    while (r->prev) {
        r = r->prev;
    }
    return r;
}

/* The path that was asked for, decoded. A line that is too long httpd has not
 * taken apart: what it begins with. */
static const char *path_of(const request_rec *r)
{
    const char *blank = r->the_request ? strchr(r->the_request, ' ') : NULL;
    char *path;

    if (r->uri || !blank) {
        return r->uri ? r->uri : "";
    }
    path = apr_pstrmemdup(r->pool, blank + 1, strcspn(blank + 1, " ?"));
    return ap_unescape_url(path) == OK ? path : "";
}

/* Has httpd refused a path for a NUL in it, before any of its text was known?
 * That is its 404, as if the path could be one of somebody's. */
static int has_nul(const request_rec *r)
{
    const char *path = r->unparsed_uri ? r->unparsed_uri : "";
    const char *nul = strstr(path, "%00");

    return r->status == HTTP_NOT_FOUND && nul &&
           nul < path + strcspn(path, "?");
}

/* RFC 9457. The type is about:blank: the title is the status's own phrase,
 * and the code tells the cases apart. The instance is a URI reference. */
static dsapi_buf_t *problem_json(const request_rec *r, int http,
                                 const dsapi_err_t *err)
{
    dsapi_buf_t *buf = dsapi_buf_make(512, r->pool);
    dsapi_json_writer_t w;

    dsapi_json_writer_init(&w, buf);
    dsapi_json_begin_object(&w);
    dsapi_json_member(&w, "type", "about:blank");
    dsapi_json_member(&w, "title", title_of(http, r->pool));
    dsapi_json_key(&w, "status");
    dsapi_json_int(&w, http);
    dsapi_json_member(&w, "detail", err->detail);
    dsapi_json_member(&w, "instance",
                      ap_os_escape_path(r->pool, path_of(origin_of(r)), 1));
    dsapi_json_member(&w, "code", err->code);
    if (err->fields) {
        write_fields(&w, err);
    }
    if (err->rows) {
        dsapi_json_key(&w, "rows");
        dsapi_json_raw(&w, err->rows, strlen(err->rows));
        dsapi_json_key(&w, "more");
        dsapi_json_bool(&w, err->more);
    }
    if (err->dialect) {
        const char *details = err->details ? err->details : "null";

        dsapi_json_member(&w, "message", err->detail);
        dsapi_json_key(&w, "details");
        dsapi_json_raw(&w, details, strlen(details));
        dsapi_json_member(&w, "hint", err->hint);
    }
    dsapi_json_end_object(&w);
    dsapi_buf_putc(buf, '\n');
    return buf;
}

static int http_of(const dsapi_err_t *err)
{
    return err->http ? err->http : dsapi_status_of(err->rv)->http;
}

/* An administrator must act on an error, may look at a warning; what a client
 * did wrong is information. */
int mod_dsapi_level_of(const dsapi_err_t *err)
{
    if (err->rv == DSAPI_EBUSY || err->rv == DSAPI_ETIMEOUT) {
        return APLOG_WARNING;
    }
    return http_of(err) >= 500 ? APLOG_ERR : APLOG_INFO;
}

/* A whole body and its end, with its headers; no bytes of it for HEAD. */
static void fill_brigade(apr_bucket_brigade *bb, request_rec *r,
                         const char *type, const char *body,
                         apr_size_t body_bytes)
{
    apr_bucket_alloc_t *alloc = r->connection->bucket_alloc;

    ap_set_content_type(r, type);
    ap_set_content_length(r, (apr_off_t)body_bytes);
    if (!r->header_only && body_bytes > 0) {
        APR_BRIGADE_INSERT_TAIL(
            bb, apr_bucket_pool_create(body, body_bytes, r->pool, alloc));
    }
    APR_BRIGADE_INSERT_TAIL(bb, apr_bucket_eos_create(alloc));
}

/* One line. What is asked for is named as it is configured, since no value of a
 * request is to be in the log; the access log has the rest, by the id. */
static void log_problem(request_rec *r, const dsapi_err_t *err)
{
    const mod_dsapi_req_t *req = mod_dsapi_req_of(r);
    const mod_dsapi_route_t *route =
        req && req->match ? req->match->value : NULL;
    const char *why = err->internal ? err->internal : err->detail;
    int plain = strcmp(err->code, why) == 0; /* there is no more to tell */

    ap_log_rerror(APLOG_MARK, mod_dsapi_level_of(err), 0, r,
                  "DSAPI0003: %s%s%s [%s %s%s] [%s %s]", err->code,
                  plain ? "" : ": ", plain ? "" : why, r->method,
                  req ? req->service->base : "-", route ? route->path : "",
                  req ? req->id : "-", req ? req->trace : "-");
}

int mod_dsapi_send_problem(request_rec *r, const dsapi_err_t *err)
{
    int http = http_of(err);
    mod_dsapi_req_t *req = mod_dsapi_req_of(r);
    const dsapi_buf_t *problem;

    log_problem(r, err);
    if (req) {
        req->problem_sent = 1;
    }
    if (err->http) { /* httpd would make 500 of one that it has no phrase for */
        r->status_line =
            apr_psprintf(r->pool, "%d %s", http, title_of(http, r->pool));
    }
    if (err->retry_after_s > 0) {
        apr_table_setn(r->err_headers_out, "Retry-After",
                       apr_itoa(r->pool, err->retry_after_s));
    }
    if (err->allow) {
        apr_table_setn(r->err_headers_out, "Allow", err->allow);
    }
    if (err->dialect) { /* what HEAD has no body for */
        apr_table_setn(
            r->err_headers_out, "Proxy-Status",
            apr_pstrcat(r->pool, "mod_dsapi; error=", err->code, NULL));
    }
    apr_table_setn(r->err_headers_out, "Cache-Control", "no-store");
    problem = problem_json(r, http, err);
    return mod_dsapi_send_body(r, http, PROBLEM_TYPE, problem->data,
                               problem->len_bytes);
}

void mod_dsapi_set_status(request_rec *r, int status)
{
    if (!mod_dsapi_is_error_document(r)) {
        r->status = status;
    }
}

int mod_dsapi_send_body(request_rec *r, int status, const char *type,
                        const char *body, apr_size_t body_bytes)
{
    apr_bucket_brigade *bb;

    mod_dsapi_set_status(r, status);
    if (!body) {
        return OK;
    }
    bb = apr_brigade_create(r->pool, r->connection->bucket_alloc);
    fill_brigade(bb, r, type, body, body_bytes);
    /* A client that went away is no error of ours. */
    (void)ap_pass_brigade(r->output_filters, bb);
    return OK;
}

/* httpd's own errors */

/* What an error of httpd's is called in a problem: its phrase in lower case
 * with hyphens, but for those that our own errors share. */
static const char *code_of(int http, apr_pool_t *pool)
{
    char *code;

    switch (http) {
    case HTTP_REQUEST_ENTITY_TOO_LARGE:
        return "body-too-large";
    case HTTP_INTERNAL_SERVER_ERROR:
        return "internal";
    case HTTP_SERVICE_UNAVAILABLE:
        return "unavailable";
    default:
        code = apr_pstrdup(pool, title_of(http, pool));
        ap_str_tolower(code);
        for (char *p = code; *p; p++) {
            if (*p == ' ') {
                *p = '-';
            }
        }
        return code;
    }
}

/* Whose the URL is that was asked for; NULL: nobody's. */
static const mod_dsapi_service_t *service_of(const request_rec *r)
{
    const mod_dsapi_srv_t *srv = mod_dsapi_srv_of(r->server);
    const mod_dsapi_req_t *req = mod_dsapi_req_of(r);
    const char *rest;

    if (req) {
        return req->service;
    }
    return srv->bases ? dsapi_route_base(&rest, srv->bases, path_of(r)) : NULL;
}

/* Puts a problem in the place of whatever httpd wrote. */
static apr_status_t problem_filter(ap_filter_t *f, apr_bucket_brigade *bb)
{
    request_rec *r = f->r;
    const mod_dsapi_req_t *req = mod_dsapi_req_of(origin_of(r));
    dsapi_err_t err = {0};
    dsapi_buf_t *buf;

    if (f->ctx) {
        apr_brigade_cleanup(bb); /* the rest of httpd's page */
        return APR_SUCCESS;
    }
    f->ctx = f;
    if (!apr_table_get(r->err_headers_out, "X-Request-Id") &&
        !apr_table_get(r->headers_out, "X-Request-Id")) {
        /* It failed early: what every answer has. */
        apr_table_setn(r->headers_out, "X-Request-Id", mod_dsapi_request_id(r));
        mod_dsapi_cors_headers(r, service_of(origin_of(r)));
    }
    if (req && req->refusal &&
        dsapi_status_of(req->refusal->rv)->http == r->status) {
        err = *req->refusal;
    }
    else if (has_nul(r)) {
        r->status = HTTP_BAD_REQUEST;
        err.code = code_of(r->status, r->pool);
        err.detail = "the path holds a NUL (%00)";
    }
    else {
        err.code = code_of(r->status, r->pool);
        err.detail = title_of(r->status, r->pool);
    }
    buf = problem_json(r, r->status, &err);
    apr_table_unset(r->headers_out, "Content-Encoding");
    apr_table_unset(r->headers_out, "Content-Language");
    apr_table_setn(r->headers_out, "Cache-Control", "no-store");
    apr_brigade_cleanup(bb);
    fill_brigade(bb, r, PROBLEM_TYPE, buf->data, buf->len_bytes);
    return ap_pass_brigade(f->next, bb);
}

void mod_dsapi_register_filters(void)
{
    ap_register_output_filter(PROBLEM_FILTER, problem_filter, NULL,
                              AP_FTYPE_RESOURCE);
}

void mod_dsapi_insert_error_filter(request_rec *r)
{
    const mod_dsapi_req_t *req = mod_dsapi_req_of(r);

    if (r->status >= 400 && service_of(r) && !(req && req->problem_sent)) {
        ap_add_output_filter(PROBLEM_FILTER, NULL, r, r->connection);
    }
}

void mod_dsapi_insert_filter(request_rec *r)
{
    const request_rec *origin = origin_of(r);

    if (origin != r && r->status >= 400 && service_of(origin)) {
        ap_add_output_filter(PROBLEM_FILTER, NULL, r, r->connection);
    }
}
