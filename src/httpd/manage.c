/* SetHandler dsapi-jobs: see manage.h. */
#include "httpd/manage.h"

#include <apr_lib.h>
#include <apr_strings.h>
#include <http_core.h>
#include <http_log.h>
#include <http_protocol.h>
#include <http_vhost.h>

#include "base/args.h"
#include "httpd/config.h"
#include "httpd/dbpool.h"
#include "httpd/request.h"
#include "httpd/respond.h"
#include "source/manage.h"

APLOG_USE_MODULE(dsapi);

#define HANDLER "dsapi-jobs"

/* A write has no body, or an empty object. */
#define BODY_BYTES ((apr_off_t)1024)

/* What a URL is about. Where the handler was put is not known to it, so the
 * end of the path decides. */
typedef struct target_t {
    enum {
        ALL_JOBS,
        ONE_JOB,
        RETRY_ONE,
        RETRY_ALL
    } what;
    const char *base; /* the list's path */
    const char *id;   /* of one job */
    const char *allow;
} target_t;

/* The last segment of a path's first len bytes, if it is made of these
 * characters. @return where its '/' is; NULL: it is not */
static const char *last_segment(const char *path, const char *end,
                                const char *characters)
{
    const char *p = end;

    while (p > path && p[-1] != '/') {
        p--;
    }
    return p > path && p < end && strspn(p, characters) >= (apr_size_t)(end - p)
               ? p - 1
               : NULL;
}

static target_t find_target(const request_rec *r)
{
    target_t target = {ALL_JOBS, r->uri, NULL, "GET, HEAD, OPTIONS"};
    const char *end = r->uri + strlen(r->uri);
    const char *slash;

    if (end - r->uri > 6 && strcmp(end - 6, "/retry") == 0) {
        end -= 6;
        target.what = RETRY_ALL;
        target.allow = "POST, OPTIONS";
    }
    slash = last_segment(r->uri, end, "0123456789");
    if (slash) {
        target.id =
            apr_pstrmemdup(r->pool, slash + 1, (apr_size_t)(end - slash - 1));
        end = slash;
        if (target.what == RETRY_ALL) {
            target.what = RETRY_ONE;
        }
        else {
            target.what = ONE_JOB;
            target.allow = "GET, HEAD, DELETE, OPTIONS";
        }
    }
    target.base = apr_pstrmemdup(r->pool, r->uri, (apr_size_t)(end - r->uri));
    return target;
}

/* Names that a page of somebody else's can make lead here (DNS rebinding) are
 * not ours: an address, localhost, and the server's own names are. */
static int is_own_host(request_rec *r)
{
    const char *host = r->hostname;

    return host &&
           (host[strspn(host, "0123456789.")] == '\0' || strchr(host, ':') ||
            ap_cstr_casecmp(host, "localhost") == 0 ||
            ap_cstr_casecmp(host, r->server->server_hostname) == 0 ||
            ap_matches_request_vhost(r, host, r->server->port));
}

/* May this request change something? A browser must not be made to send it
 * by a page of another site. */
static apr_status_t check_write(dsapi_err_t **perr, request_rec *r)
{
    const char *origin = apr_table_get(r->headers_in, "Origin");
    const char *site = apr_table_get(r->headers_in, "Sec-Fetch-Site");
    const char *host = apr_table_get(r->headers_in, "Host");

    if (!host || !is_own_host(r)) {
        return dsapi_fail(perr, r->pool, DSAPI_EDENIED, "wrong-host",
                          "Host is no name of this server");
    }
    if (site && strcmp(site, "same-origin") != 0 && strcmp(site, "none") != 0) {
        return dsapi_fail(perr, r->pool, DSAPI_EDENIED, "cross-site",
                          "the request comes from another site");
    }
    if (origin &&
        ap_cstr_casecmp(origin, apr_pstrcat(r->pool, ap_http_scheme(r), "://",
                                            host, NULL)) != 0) {
        return dsapi_fail(perr, r->pool, DSAPI_EDENIED, "cross-site",
                          "Origin is not this server");
    }
    return APR_SUCCESS;
}

/* The body of a write says nothing, in JSON. */
static apr_status_t check_body(dsapi_err_t **perr, request_rec *r)
{
    mod_dsapi_body_t body;
    dsapi_json_iter_t iter = {NULL};
    dsapi_json_slice_t value;
    const char *name;
    apr_status_t rv = mod_dsapi_read_body(&body, perr, r, BODY_BYTES);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    if (body.form) {
        return dsapi_fail(perr, r->pool, DSAPI_EMEDIA, "unsupported-type",
                          "the body must be application/json, or none");
    }
    if (body.has_json &&
        (body.json.kind != DSAPI_JSON_OBJECT ||
         dsapi_json_next_member(&value, &name, &iter, &body.json, r->pool))) {
        return dsapi_fail(perr, r->pool, DSAPI_EPARAM, "invalid-parameter",
                          "the body must be {}, or none");
    }
    return APR_SUCCESS;
}

/* Reads the query as these declarations say, of DsapiParam's form. */
static apr_status_t bind_query(const char ***pvalues, dsapi_err_t **perr,
                               request_rec *r, const char *const *declarations)
{
    apr_array_header_t *params =
        apr_array_make(r->pool, 4, sizeof(dsapi_param_t *));
    apr_array_header_t *none = apr_array_make(r->pool, 1, sizeof(char *));
    dsapi_input_t input = {NULL, none, NULL, NULL, NULL, NULL, NULL};
    apr_status_t rv = APR_SUCCESS;

    for (; rv == APR_SUCCESS && *declarations; declarations++) {
        apr_array_header_t *args;
        dsapi_param_t *param;

        rv = dsapi_base_args_parse(&args, perr, *declarations, r->pool);
        if (rv == APR_SUCCESS) {
            rv = dsapi_route_param_parse(&param, perr, args, r->pool);
        }
        if (rv == APR_SUCCESS) {
            APR_ARRAY_PUSH(params, dsapi_param_t *) = param;
        }
    }
    if (rv == APR_SUCCESS) {
        rv = dsapi_route_params_settle(perr, params, none, 0, r->pool);
    }
    if (rv != APR_SUCCESS) {
        return rv;
    }
    input.query =
        dsapi_base_form_parse(r->args, r->args ? strlen(r->args) : 0, r->pool);
    return dsapi_route_bind(pvalues, perr, params, &input, r->pool);
}

/* Runs one call of the queue's. */
static apr_status_t run(dsapi_rows_t **prows, dsapi_err_t **perr,
                        request_rec *r, const dsapi_call_t *call)
{
    apr_interval_time_t timeout = mod_dsapi_srv_of(r->server)->db_timeout;
    dsapi_call_t calls[2] = {*call, *call};
    dsapi_batch_t batch = {calls, 2, r->method_number == M_GET, timeout};

    dsapi_queue_limit(&calls[0], timeout, r->pool);
    return mod_dsapi_db_run(prows, perr, r->server, &batch, 0, r->pool);
}

/* RFC 8288: where the next page begins. */
static void link_next(request_rec *r, const char **values, const char *last_id)
{
    const char *link =
        apr_pstrcat(r->pool, "<", ap_os_escape_path(r->pool, r->uri, 1),
                    "?limit=", values[2], "&after=", last_id, NULL);

    for (int i = 0; i < 2; i++) {
        if (values[i]) {
            link = apr_pstrcat(r->pool, link, i == 0 ? "&state=" : "&source=",
                               dsapi_base_percent_encode(values[i], r->pool),
                               NULL);
        }
    }
    apr_table_setn(r->headers_out, "Link",
                   apr_pstrcat(r->pool, link, ">; rel=\"next\"", NULL));
}

static apr_status_t list_jobs(dsapi_buf_t *buf, dsapi_err_t **perr,
                              request_rec *r)
{
    static const char *const params[] = {
        "state text enum=queued,running,succeeded,failed", "source text",
        "limit int default=50 min=1 max=500", "after bigint min=1", NULL};
    const char **values;
    dsapi_plan_t *plan;
    dsapi_rows_t *rows;
    dsapi_call_t call;
    int limit;
    int n;
    apr_status_t rv = bind_query(&values, perr, r, params);

    if (rv == APR_SUCCESS) {
        dsapi_manage_filter_t filter = {values[0], values[1], values[3]};

        limit = (int)apr_atoi64(values[2]);
        dsapi_manage_list(&call, &filter, limit + 1, r->pool);
        rv = run(&rows, perr, r, &call);
    }
    if (rv == APR_SUCCESS) {
        rv = dsapi_route_plan_rows(&plan, perr, rows, r->pool);
    }
    if (rv != APR_SUCCESS) {
        return rv;
    }
    n = dsapi_rows_count(rows);
    if (n > limit) { /* there is another page */
        n = limit;
        link_next(r, values, dsapi_rows_value(NULL, rows, n - 1, 0));
    }
    dsapi_buf_putc(buf, '[');
    for (int i = 0; i < n; i++) {
        if (i > 0) {
            dsapi_buf_putc(buf, ',');
        }
        dsapi_route_write_nth(buf, plan, rows, i);
    }
    dsapi_buf_putc(buf, ']');
    return APR_SUCCESS;
}

/* One job, or what is to be done. */
static apr_status_t do_one(dsapi_buf_t *buf, dsapi_err_t **perr, request_rec *r,
                           const target_t *target)
{
    static const char *const none[] = {NULL};
    static const char *const source[] = {"source text required", NULL};
    const char **values;
    dsapi_rows_t *rows;
    dsapi_call_t call;
    apr_status_t rv =
        bind_query(&values, perr, r, target->what == RETRY_ALL ? source : none);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    if (target->what == RETRY_ALL) {
        dsapi_manage_retry_all(&call, values[0], r->pool);
    }
    else if (target->what == RETRY_ONE) {
        dsapi_manage_retry(&call, target->id, r->pool);
    }
    else if (r->method_number == M_DELETE) {
        dsapi_manage_remove(&call, target->id, r->pool);
    }
    else {
        dsapi_manage_show(&call, target->id, r->pool);
    }
    rv = run(&rows, perr, r, &call);
    if (rv == APR_SUCCESS && r->method_number != M_DELETE) {
        rv = dsapi_route_write(buf, perr, rows, DSAPI_SHAPE_ROW, 0, r->pool);
    }
    return rv;
}

/* Who did what, for those who look after the server. */
static void log_write(request_rec *r)
{
    ap_log_rerror(APLOG_MARK, APLOG_NOTICE, 0, r, "DSAPI0038: %s %s by %s",
                  r->method, r->uri, r->user ? r->user : "-");
}

static int is_allowed(const request_rec *r, const target_t *target)
{
    return (r->method_number == M_GET &&
            (target->what == ALL_JOBS || target->what == ONE_JOB)) ||
           (r->method_number == M_POST && target->what != ALL_JOBS &&
            target->what != ONE_JOB) ||
           (r->method_number == M_DELETE && target->what == ONE_JOB);
}

static int answer(request_rec *r, const target_t *target)
{
    dsapi_buf_t *buf = dsapi_buf_make(0, r->pool);
    int is_write = r->method_number != M_GET;
    int status = target->what == RETRY_ONE ? HTTP_ACCEPTED : HTTP_OK;
    dsapi_err_t *err = NULL;
    apr_status_t rv = APR_SUCCESS;

    if (is_write) {
        rv = check_write(&err, r);
        if (rv == APR_SUCCESS) {
            rv = check_body(&err, r);
        }
    }
    if (rv == APR_SUCCESS) {
        rv = target->what == ALL_JOBS ? list_jobs(buf, &err, r)
                                      : do_one(buf, &err, r, target);
    }
    if (rv != APR_SUCCESS) {
        return mod_dsapi_send_problem(r, err);
    }
    if (is_write) {
        log_write(r);
    }
    if (target->what == RETRY_ONE) {
        apr_table_setn(r->headers_out, "Location",
                       apr_pstrcat(r->pool,
                                   ap_os_escape_path(r->pool, target->base, 1),
                                   "/", target->id, NULL));
    }
    if (r->method_number == M_DELETE) {
        return mod_dsapi_send_body(r, HTTP_NO_CONTENT, NULL, NULL, 0);
    }
    return mod_dsapi_send_body(r, status, MOD_DSAPI_JSON_TYPE, buf->data,
                               buf->len_bytes);
}

int mod_dsapi_manage_handler(request_rec *r)
{
    target_t target;
    dsapi_err_t *err = NULL;

    if (!r->handler || strcmp(r->handler, HANDLER) != 0) {
        return DECLINED;
    }
    target = find_target(r);
    apr_table_setn(r->headers_out, "Cache-Control", "no-store");
    if (!mod_dsapi_req_of(r)) {
        apr_table_setn(r->err_headers_out, "X-Request-Id",
                       mod_dsapi_request_id(r));
    }
    if (is_allowed(r, &target)) {
        return answer(r, &target);
    }
    if (r->method_number == M_OPTIONS) {
        apr_table_setn(r->headers_out, "Allow", target.allow);
        return mod_dsapi_send_body(r, HTTP_NO_CONTENT, NULL, NULL, 0);
    }
    dsapi_fail(&err, r->pool, DSAPI_EMETHOD, "method-not-allowed",
               "this path takes %s", target.allow);
    err->allow = target.allow;
    return mod_dsapi_send_problem(r, err);
}
