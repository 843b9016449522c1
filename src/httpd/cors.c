/*
 * DsapiCORS: pages of other origins. The headers are httpd's for errors, which
 * go out with every answer, whoever makes it, and are no part of a kept one.
 */
#include "route/cors.h"

#include <apr_strings.h>
#include <http_core.h>
#include <http_request.h>

#include "httpd/directives.h"
#include "httpd/request.h"
#include "httpd/respond.h"

/* What pages may read of an answer besides its body and what they always may
 * (Cache-Control, Content-Type and the like). */
#define EXPOSED                                                         \
    "Age, Allow, Cache-Status, Content-Disposition, Content-Location, " \
    "Content-Profile, Content-Range, ETag, Link, Location, "            \
    "Preference-Applied, Proxy-Status, RateLimit, RateLimit-Policy, "   \
    "Retry-After, X-Request-Id"

/* How long browsers may remember a preflight, in seconds. */
#define MAX_AGE "86400"

static const char *add_headers(const cmd_parms *cmd, dsapi_cors_t *cors,
                               const char *list)
{
    while (list) {
        const char *comma = ap_strchr_c(list, ',');
        const char *name =
            comma ? apr_pstrmemdup(cmd->pool, list, (apr_size_t)(comma - list))
                  : list;

        if (!dsapi_route_cors_is_header(name)) {
            return mod_dsapi_fail(cmd, "takes headers= names with commas "
                                       "between, such as "
                                       "headers=X-Tenant,X-Client-Info");
        }
        APR_ARRAY_PUSH(cors->headers, const char *) = name;
        list = comma ? comma + 1 : NULL;
    }
    return NULL;
}

static const char *add_origin(const cmd_parms *cmd, dsapi_cors_t *cors,
                              const char *origin)
{
    dsapi_err_t *err;

    if (strcmp(origin, "*") == 0) {
        cors->any = 1;
        return NULL;
    }
    if (dsapi_route_cors_check(&err, origin, cmd->pool) != APR_SUCCESS) {
        return mod_dsapi_fail(cmd, err->detail);
    }
    APR_ARRAY_PUSH(cors->origins, const char *) = origin;
    return NULL;
}

const char *mod_dsapi_set_cors(cmd_parms *cmd, mod_dsapi_section_t *section,
                               const apr_array_header_t *args)
{
    dsapi_cors_t *cors = apr_pcalloc(cmd->pool, sizeof(*cors));
    const char *first = mod_dsapi_word(args, 0);
    const char *mistake = NULL;

    section->service->cors = NULL;
    if (args->nelts == 1 && first && ap_cstr_casecmp(first, "Off") == 0) {
        return NULL;
    }
    cors->origins = apr_array_make(cmd->pool, 4, sizeof(const char *));
    cors->headers = apr_array_make(cmd->pool, 4, sizeof(const char *));
    for (int i = 0; !mistake && i < args->nelts; i++) {
        const dsapi_arg_t *arg = &APR_ARRAY_IDX(args, i, dsapi_arg_t);

        if (!arg->key) {
            mistake = add_origin(cmd, cors, arg->value);
        }
        else if (strcmp(arg->key, "headers") == 0) {
            mistake = add_headers(cmd, cors, arg->value);
        }
        else {
            mistake = mod_dsapi_fail(cmd, apr_psprintf(cmd->temp_pool,
                                                       "'%s=' is not known; "
                                                       "headers= is",
                                                       arg->key));
        }
    }
    if (!mistake && cors->any + (cors->origins->nelts > 0) != 1) {
        mistake = mod_dsapi_fail(cmd, "takes either origins, or * for all");
    }
    section->service->cors = cors;
    return mistake;
}

/* Requests */

void mod_dsapi_cors_headers(request_rec *r, const mod_dsapi_service_t *service)
{
    apr_table_t *headers = r->err_headers_out;
    const dsapi_cors_t *cors = service ? service->cors : NULL;
    const char *allowed;

    if (!cors) {
        return;
    }
    if (!cors->any) { /* else it is the same for everybody */
        apr_table_mergen(headers, "Vary", "Origin");
    }
    allowed = dsapi_route_cors_allow(cors, apr_table_get(r->headers_in, "Origi"
                                                                        "n"));
    if (allowed) {
        apr_table_setn(headers, "Access-Control-Allow-Origin", allowed);
        apr_table_setn(headers, "Access-Control-Expose-Headers", EXPOSED);
    }
    if (allowed && !cors->any) {
        apr_table_setn(headers, "Access-Control-Allow-Credentials", "true");
    }
}

/* Does a SetHandler take the URL out of the service? Core's way of telling. */
static int is_taken(request_rec *r)
{
    const core_dir_config *conf = ap_get_core_module_config(r->per_dir_config);
    const char *handler = conf->handler;
    const char *mistake = NULL;

    if (conf->expr_handler) {
        handler = ap_expr_str_exec(r, conf->expr_handler, &mistake);
    }
    return !mistake && handler && ap_cstr_casecmp(handler, "none") != 0;
}

/* What the method that a preflight asks for may have at this URL. */
static int answer_preflight(request_rec *r, const dsapi_match_t *match)
{
    const mod_dsapi_route_t *route = match->value;
    const dsapi_cors_t *cors = mod_dsapi_req_of(r)->service->cors;
    apr_table_t *headers = r->err_headers_out;

    apr_table_setn(headers, "Allow", match->allow);
    if (apr_table_get(headers, "Access-Control-Allow-Origin")) {
        apr_table_unset(headers, "Access-Control-Expose-Headers");
        apr_table_setn(headers, "Access-Control-Allow-Methods", match->allow);
        apr_table_setn(headers, "Access-Control-Allow-Headers",
                       dsapi_route_cors_headers(
                           cors, route ? route->params : NULL, r->pool));
        apr_table_setn(headers, "Access-Control-Max-Age", MAX_AGE);
    }
    ap_run_insert_filter(r); /* mod_headers, among others */
    mod_dsapi_send_body(r, HTTP_NO_CONTENT, NULL, NULL, 0);
    return DONE;
}

int mod_dsapi_post_perdir_config(request_rec *r)
{
    const mod_dsapi_req_t *req = mod_dsapi_req_of(r);
    const char *method = apr_table_get(r->headers_in, "Access-Control-Request-"
                                                      "Method");
    dsapi_match_t match;

    if (!req || !req->service->cors || is_taken(r)) {
        return DECLINED;
    }
    mod_dsapi_cors_headers(r, req->service);
    if (r->method_number == M_OPTIONS && method &&
        apr_table_get(r->headers_in, "Origin") &&
        dsapi_route_match(&match, req->service->trie, req->rest, method,
                          r->pool)) {
        return answer_preflight(r, &match);
    }
    return DECLINED;
}
