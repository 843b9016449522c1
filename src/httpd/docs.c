/*
 * DsapiDocs: a service's documentation, at {base}/openapi.json and {base}/docs.
 * It is written with the configuration, so that a request finds it ready.
 */
#include "docs/page.h"

#include <apr_strings.h>

#include "httpd/actions.h"
#include "httpd/directives.h"
#include "route/etag.h"

struct mod_dsapi_docs_t {
    const char *type;
    const char *body;
    apr_size_t body_bytes;
    const char *etag;
    const char *policy; /* Content-Security-Policy; NULL: none */
};

const char *mod_dsapi_set_docs(cmd_parms *cmd, mod_dsapi_section_t *section,
                               const apr_array_header_t *args)
{
    int on = mod_dsapi_on_off(mod_dsapi_word(args, 0));

    section->service->no_docs = on == 0;
    return on < 0 ? mod_dsapi_fail(cmd, "is On or Off") : NULL;
}

static dsapi_docs_answer_e answer_of(const mod_dsapi_route_t *route)
{
    static const dsapi_docs_answer_e shapes[] = {
        DSAPI_DOCS_ROWS, DSAPI_DOCS_ROW, DSAPI_DOCS_VALUE, DSAPI_DOCS_NONE};

    switch (route->action) {
    case MOD_DSAPI_ENQUEUE:
        return route->list_index >= 0 ? DSAPI_DOCS_BATCH : DSAPI_DOCS_QUEUED;
    case MOD_DSAPI_JOB:
        return DSAPI_DOCS_JOB;
    case MOD_DSAPI_TIME:
        return mod_dsapi_time_is_list(route) ? DSAPI_DOCS_NAMES
                                             : DSAPI_DOCS_OBJECT;
    case MOD_DSAPI_METRIC:
        return DSAPI_DOCS_ROWS;
    case MOD_DSAPI_RESOURCE:
        return route->is_call     ? DSAPI_DOCS_VALUE
               : route->read_only ? shapes[route->shape]
                                  : DSAPI_DOCS_NONE;
    case MOD_DSAPI_QUERY:
    case MOD_DSAPI_DOCS:
    case MOD_DSAPI_NO_ACTION:
        break;
    }
    return shapes[route->shape];
}

static int status_of(const mod_dsapi_route_t *route)
{
    if (route->status) {
        return route->status;
    }
    if (route->action == MOD_DSAPI_ENQUEUE) {
        return HTTP_ACCEPTED;
    }
    if (route->action == MOD_DSAPI_RESOURCE && !route->read_only &&
        !route->is_call) {
        return strcmp(route->method, "POST") == 0 ? HTTP_CREATED
                                                  : HTTP_NO_CONTENT;
    }
    return route->shape == DSAPI_SHAPE_NONE ? HTTP_NO_CONTENT : HTTP_OK;
}

static dsapi_docs_route_t describe(const mod_dsapi_route_t *route)
{
    dsapi_docs_route_t docs = {.method = route->method,
                               .path = route->path,
                               .summary = route->summary,
                               .description = route->description,
                               .tag = route->tag,
                               .path_names = route->path_names,
                               .params = route->params,
                               .answer = answer_of(route),
                               .content_type = route->content_type,
                               .status = status_of(route),
                               .cached = route->caching.life > 0 ||
                                         route->action == MOD_DSAPI_METRIC};

    docs.fresh = docs.answer == DSAPI_DOCS_QUEUED && !route->takes_body &&
                 route->source->core.fresh_for > 0;
    return docs;
}

/* Gives a document its URL, which beats parameters as literals do.
 * @return what is wrong; NULL: nothing */
static const char *publish(mod_dsapi_service_t *service, const char *path,
                           const struct mod_dsapi_docs_t *docs,
                           apr_pool_t *pconf)
{
    mod_dsapi_route_t *route = mod_dsapi_make_route(service, pconf);
    struct mod_dsapi_docs_t *kept = apr_pmemdup(pconf, docs, sizeof(*docs));
    dsapi_err_t *err;

    kept->body = apr_pmemdup(pconf, docs->body, docs->body_bytes);
    kept->etag =
        dsapi_route_etag_make(docs->type, docs->body, docs->body_bytes, pconf);
    route->method = "GET";
    route->path = path;
    route->action = MOD_DSAPI_DOCS;
    route->docs = kept;
    return dsapi_route_trie_add(service->trie, &err, path, route->method, route,
                                pconf) == APR_SUCCESS
               ? NULL
               : apr_psprintf(pconf,
                              "a route has the path %s, where the "
                              "documentation is: change it, or write "
                              "DsapiDocs Off",
                              path);
}

const char *mod_dsapi_docs_settle(mod_dsapi_service_t *service,
                                  apr_pool_t *pconf, apr_pool_t *ptemp)
{
    int n = service->routes->nelts;
    apr_array_header_t *routes =
        apr_array_make(ptemp, n, sizeof(dsapi_docs_route_t));
    dsapi_docs_service_t about = {
        .name = service->name,
        .base = ap_os_escape_path(ptemp, service->base, 1),
        .title = service->title,
        .description = service->description,
        .version = service->version,
        .routes = routes};
    dsapi_buf_t *openapi = dsapi_buf_make(0, ptemp);
    dsapi_buf_t *page = dsapi_buf_make(0, ptemp);
    struct mod_dsapi_docs_t docs = {.type = "application/openapi+json"};
    const char *mistake;

    if (service->no_docs) {
        return NULL;
    }
    for (int i = 0; i < n; i++) {
        APR_ARRAY_PUSH(routes, dsapi_docs_route_t) = describe(
            APR_ARRAY_IDX(service->routes, i, const mod_dsapi_route_t *));
    }
    dsapi_docs_openapi(openapi, &about, ptemp);
    docs.body = openapi->data;
    docs.body_bytes = openapi->len_bytes;
    mistake = publish(service, "/openapi.json", &docs, pconf);
    if (mistake) {
        return mistake;
    }
    dsapi_docs_page(page, &about, ptemp);
    docs.type = "text/html; charset=utf-8";
    docs.body = page->data;
    docs.body_bytes = page->len_bytes;
    docs.policy = DSAPI_DOCS_POLICY;
    return publish(service, "/docs", &docs, pconf);
}

apr_status_t mod_dsapi_show_docs(mod_dsapi_answer_t *answer, request_rec *r,
                                 const mod_dsapi_route_t *route)
{
    const struct mod_dsapi_docs_t *docs = route->docs;

    apr_table_setn(r->headers_out, "ETag", docs->etag);
    apr_table_setn(r->headers_out, "Cache-Control", "no-cache");
    if (docs->policy) {
        apr_table_setn(r->headers_out, "Content-Security-Policy", docs->policy);
        apr_table_setn(r->headers_out, "X-Content-Type-Options", "nosniff");
    }
    answer->type = docs->type;
    answer->body = docs->body;
    answer->body_bytes = docs->body_bytes;
    if (dsapi_route_etag_matches(apr_table_get(r->headers_in, "If-None-Match"),
                                 docs->etag)) {
        answer->status = HTTP_NOT_MODIFIED;
    }
    return APR_SUCCESS;
}
