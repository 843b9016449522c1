/* The handler of routes: see handlers.h. */
#include "httpd/handlers.h"

#include <apr_strings.h>
#include <http_protocol.h>

#include "httpd/actions.h"
#include "httpd/config.h"
#include "httpd/request.h"
#include "httpd/respond.h"

/* A request body's bound where neither route nor service has one. */
#define MAX_BODY_BYTES ((apr_off_t)10 * 1024 * 1024)

/* What a parameter takes from a header; caches are told so. */
static const char *header_of(void *baton, const char *name)
{
    request_rec *r = baton;

    apr_table_mergen(r->headers_out, "Vary", name);
    return apr_table_get(r->headers_in, name);
}

/* A body that no parameter is in is an empty object at best; a large one is
 * not worth being parsed. */
#define NO_BODY_BYTES ((apr_off_t)1024)

static int has_body_param(const mod_dsapi_route_t *route)
{
    for (int i = 0; i < route->params->nelts; i++) {
        if (APR_ARRAY_IDX(route->params, i, const dsapi_param_t *)->in ==
            DSAPI_IN_BODY) {
            return 1;
        }
    }
    return 0;
}

static apr_off_t max_body(const mod_dsapi_route_t *route)
{
    if (!has_body_param(route)) {
        return NO_BODY_BYTES;
    }
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
    input.query =
        dsapi_base_form_parse(r->args, r->args ? strlen(r->args) : 0, r->pool);
    input.form = body.form;
    input.json = body.has_json ? &body.json : NULL;
    return dsapi_route_bind(pvalues, perr, route->params, &input, r->pool);
}

/* A validator of the answer's own (@etag) that the client has named. */
static int is_unchanged(const request_rec *r, const mod_dsapi_answer_t *answer)
{
    const char *etag = apr_table_get(r->headers_out, "ETag");

    return r->method_number == M_GET && answer->status == HTTP_OK && etag &&
           mod_dsapi_client_has(r, etag);
}

/* What the route's action does. */
static apr_status_t act(mod_dsapi_answer_t *answer, dsapi_err_t **perr,
                        request_rec *r, const mod_dsapi_route_t *route,
                        const char **values)
{
    switch (route->action) {
    case MOD_DSAPI_ENQUEUE:
        return mod_dsapi_enqueue(answer, perr, r, route, values);
    case MOD_DSAPI_JOB:
        return mod_dsapi_show_job(answer, perr, r, route, values);
    case MOD_DSAPI_METRIC:
        return mod_dsapi_show_metric(answer, perr, r, route, values);
    case MOD_DSAPI_TIME:
        return mod_dsapi_show_time(answer, perr, r, route, values);
    case MOD_DSAPI_DOCS:
        return mod_dsapi_show_docs(answer, r, route);
    case MOD_DSAPI_QUERY:
    case MOD_DSAPI_RESOURCE:
    case MOD_DSAPI_NO_ACTION:
        break;
    }
    return route->caching.life > 0
               ? mod_dsapi_cached_query(answer, perr, r, route, values)
               : mod_dsapi_query(answer, perr, r, route, values);
}

static int run_route(request_rec *r, const mod_dsapi_route_t *route,
                     const dsapi_match_t *match)
{
    mod_dsapi_answer_t answer = {.status = HTTP_OK,
                                 .type = MOD_DSAPI_JSON_TYPE,
                                 .buf = dsapi_buf_make(0, r->pool),
                                 .format = DSAPI_FORMAT_JSON};
    const char **values;
    dsapi_err_t *err;
    apr_status_t rv = bind_request(&values, &err, r, route, match);

    if (rv == APR_SUCCESS && (route->action == MOD_DSAPI_METRIC ||
                              (route->action == MOD_DSAPI_QUERY &&
                               route->shape == DSAPI_SHAPE_ROWS))) {
        rv = mod_dsapi_choose_format(&answer, &err, r);
    }
    if (rv == APR_SUCCESS) {
        rv = act(&answer, &err, r, route, values);
    }
    if (rv != APR_SUCCESS) {
        return mod_dsapi_send_problem(r, err);
    }
    if (answer.sent) {
        return OK;
    }
    if (route->action == MOD_DSAPI_ENQUEUE || route->action == MOD_DSAPI_JOB) {
        apr_table_setn(r->headers_out, "Cache-Control", "no-store");
    }
    if (is_unchanged(r, &answer)) {
        answer.status = HTTP_NOT_MODIFIED;
    }
    if (answer.status == HTTP_NO_CONTENT ||
        answer.status == HTTP_NOT_MODIFIED ||
        route->shape == DSAPI_SHAPE_NONE) {
        return mod_dsapi_send_body(r, answer.status, NULL, NULL, 0);
    }
    if (!answer.body) {
        answer.body = answer.buf->data;
        answer.body_bytes = answer.buf->len_bytes;
    }
    return mod_dsapi_send_body(r, answer.status, answer.type, answer.body,
                               answer.body_bytes);
}

int mod_dsapi_handler(request_rec *r)
{
    const mod_dsapi_req_t *req = mod_dsapi_req_of(r);
    const dsapi_match_t *match;
    dsapi_err_t *err = NULL;

    if (!req || !r->handler || strcmp(r->handler, MOD_DSAPI_HANDLER) != 0) {
        return DECLINED;
    }
    match = mod_dsapi_match(r);
    if (!match && req->service->resources->nelts > 0) {
        return mod_dsapi_resource_none(r, req->service, req->rest);
    }
    if (!match) {
        dsapi_fail(&err, r->pool, DSAPI_ENOTFOUND, "not-found",
                   "the service has no such path");
        return mod_dsapi_send_problem(r, err);
    }
    if (match->value) {
        const mod_dsapi_route_t *route = match->value;

        return route->action == MOD_DSAPI_RESOURCE
                   ? mod_dsapi_resource(r, route, match)
                   : run_route(r, route, match);
    }
    if (r->method_number == M_OPTIONS) {
        apr_table_setn(r->headers_out, "Allow", match->allow);
        return mod_dsapi_send_body(
            r, req->service->resources->nelts > 0 ? HTTP_OK : HTTP_NO_CONTENT,
            NULL, NULL, 0); /* 200: PostgREST's */
    }
    dsapi_fail(&err, r->pool, DSAPI_EMETHOD, "method-not-allowed",
               "this path takes %s", match->allow);
    err->allow = match->allow;
    return mod_dsapi_send_problem(r, err);
}
