/*
 * DsapiDocs: a service's documentation, at {base}/openapi.json and {base}/docs.
 * It is written with the configuration, so that a request finds it ready; but
 * what the columns of resources are is known to the database alone: their
 * service's document is written anew when it is asked for.
 */
#include "httpd/resource.h"

#include <apr_strings.h>
#include <http_log.h>

#include "base/text.h"
#include "docs/page.h"
#include "httpd/directives.h"
#include "route/etag.h"

APLOG_USE_MODULE(dsapi);

struct mod_dsapi_docs_t {
    const char *type;
    const char *body;
    apr_size_t body_bytes;
    const char *etag;
    const char *policy; /* Content-Security-Policy; NULL: none */
    const mod_dsapi_service_t *service; /* whose tables say more; NULL: it is
                                           complete */
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

static apr_array_header_t *columns_of(const dsapi_entity_t *entity,
                                      apr_pool_t *pool)
{
    apr_array_header_t *columns = apr_array_make(pool, entity->columns->nelts,
                                                 sizeof(dsapi_docs_column_t));

    for (int i = 0; i < entity->columns->nelts; i++) {
        const dsapi_column_t *column =
            &APR_ARRAY_IDX(entity->columns, i, dsapi_column_t);
        dsapi_docs_column_t *docs;

        if (column->function) {
            continue; /* it is in a row where it is asked for */
        }
        docs = apr_array_push(columns);
        docs->name = column->name;
        docs->type = column->type;
        docs->format = column->expected;
        docs->comment = column->comment;
        docs->nullable = column->nullable;
        docs->read_only = column->generated;
    }
    return columns;
}

static const dsapi_docs_resource_t *
describe_resource(const mod_dsapi_resource_t *resource,
                  const dsapi_entity_t *entity, apr_pool_t *pool)
{
    dsapi_docs_resource_t *docs = apr_pcalloc(pool, sizeof(*docs));

    docs->name = entity ? entity->spec->name : resource->spec.name;
    docs->json = (resource->allow & MOD_DSAPI_CREATE) != 0;
    docs->csv = (resource->allow & MOD_DSAPI_IMPORT) != 0;
    if (entity) {
        docs->comment = entity->comment;
        docs->columns = columns_of(entity, pool);
    }
    return docs;
}

/* @param entity  its table; NULL: it has none, or that is not known */
static dsapi_docs_route_t describe(const mod_dsapi_route_t *route,
                                   const dsapi_entity_t *entity,
                                   apr_pool_t *pool)
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
    if (route->resource && !route->is_call) {
        docs.resource = describe_resource(route->resource, entity, pool);
        docs.by_key = route->shape == DSAPI_SHAPE_ROW;
    }
    return docs;
}

/* The parameters of a route, but for the first of its path.
 * @param without_body  its body's, too */
static apr_array_header_t *params_of(const mod_dsapi_route_t *route,
                                     int without_body, apr_pool_t *pool)
{
    const char *first = APR_ARRAY_IDX(route->path_names, 0, const char *);
    apr_array_header_t *params =
        apr_array_make(pool, route->params->nelts, sizeof(dsapi_param_t *));

    for (int i = 0; i < route->params->nelts; i++) {
        dsapi_param_t *param = APR_ARRAY_IDX(route->params, i, dsapi_param_t *);

        if (!(param->in == DSAPI_IN_PATH && strcmp(param->name, first) == 0) &&
            !(param->in == DSAPI_IN_BODY && without_body)) {
            APR_ARRAY_PUSH(params, dsapi_param_t *) = param;
        }
    }
    return params;
}

/* Of DsapiExpose a route of all tables: one of each. */
static void add_tables(apr_array_header_t *routes,
                       const mod_dsapi_route_t *route,
                       const dsapi_catalog_t *catalog, apr_pool_t *pool)
{
    const char *rest = ap_strchr_c(route->path + 1, '/');
    apr_array_header_t *names = apr_array_copy(pool, route->path_names);

    for (int i = 1; i < names->nelts; i++) {
        APR_ARRAY_IDX(names, i - 1, const char *) =
            APR_ARRAY_IDX(names, i, const char *);
    }
    apr_array_pop(names);
    for (int i = 0; i < catalog->entities->nelts; i++) {
        const dsapi_entity_t *entity =
            &APR_ARRAY_IDX(catalog->entities, i, dsapi_entity_t);
        dsapi_docs_route_t docs;

        if (!entity->spec->schema || (rest && !entity->key)) {
            continue;
        }
        docs = describe(route, entity, pool);
        docs.path = apr_pstrcat(
            pool, "/", dsapi_base_percent_encode(entity->spec->name, pool),
            rest, NULL);
        docs.path_names = names;
        docs.params = params_of(route, 0, pool);
        APR_ARRAY_PUSH(routes, dsapi_docs_route_t) = docs;
    }
}

static void add_arguments(apr_array_header_t *params,
                          const dsapi_function_t *function, dsapi_in_e in,
                          apr_pool_t *pool)
{
    for (int i = 0; i < function->arguments->nelts; i++) {
        const dsapi_argument_t *argument =
            &APR_ARRAY_IDX(function->arguments, i, dsapi_argument_t);
        dsapi_param_t *param = apr_pcalloc(pool, sizeof(*param));

        param->name = argument->name;
        param->in = in;
        param->type.kind =
            in == DSAPI_IN_BODY ? DSAPI_TYPE_JSON : DSAPI_TYPE_TEXT;
        param->required = argument->required;
        param->description = argument->type;
        APR_ARRAY_PUSH(params, dsapi_param_t *) = param;
    }
}

/* Of DsapiExpose a route of all functions: one of each, of several with a name
 * of the first. */
static void add_functions(apr_array_header_t *routes,
                          const mod_dsapi_route_t *route,
                          const dsapi_catalog_t *catalog, apr_pool_t *pool)
{
    const char *last = "";

    for (int i = 0; i < catalog->functions->nelts; i++) {
        const dsapi_function_t *function =
            &APR_ARRAY_IDX(catalog->functions, i, dsapi_function_t);
        int named =
            function->arguments->nelts == 0 ||
            *APR_ARRAY_IDX(function->arguments, 0, dsapi_argument_t).name !=
                '\0';
        dsapi_docs_route_t docs;
        apr_array_header_t *params;

        if (strcmp(function->name, last) == 0 ||
            (!named && !route->takes_body)) {
            continue;
        }
        last = function->name;
        docs = describe(route, NULL, pool);
        params = params_of(route, named, pool);
        if (named) {
            add_arguments(params, function,
                          route->takes_body ? DSAPI_IN_BODY : DSAPI_IN_QUERY,
                          pool);
        }
        docs.path = apr_pstrcat(pool, "/rpc/",
                                dsapi_base_percent_encode(last, pool), NULL);
        docs.params = params;
        APR_ARRAY_PUSH(routes, dsapi_docs_route_t) = docs;
    }
}

/* @param catalog  NULL: it is not known */
static void add_route(apr_array_header_t *routes,
                      const mod_dsapi_route_t *route,
                      const dsapi_catalog_t *catalog, apr_pool_t *pool)
{
    const dsapi_entity_t *entity =
        catalog && route->resource
            ? dsapi_catalog_find(catalog, route->resource->spec.name)
            : NULL;

    if (!catalog || !route->resource || !route->resource->spec.schema) {
        APR_ARRAY_PUSH(routes, dsapi_docs_route_t) =
            describe(route, entity, pool);
    }
    else if (route->is_call) {
        add_functions(routes, route, catalog, pool);
    }
    else {
        add_tables(routes, route, catalog, pool);
    }
}

static dsapi_docs_service_t about(const mod_dsapi_service_t *service,
                                  const dsapi_catalog_t *catalog,
                                  apr_pool_t *pool)
{
    int n = service->routes->nelts;
    apr_array_header_t *routes =
        apr_array_make(pool, n, sizeof(dsapi_docs_route_t));

    for (int i = 0; i < n; i++) {
        add_route(routes,
                  APR_ARRAY_IDX(service->routes, i, const mod_dsapi_route_t *),
                  catalog, pool);
    }
    return (dsapi_docs_service_t){.name = service->name,
                                  .base =
                                      ap_os_escape_path(pool, service->base, 1),
                                  .title = service->title,
                                  .description = service->description,
                                  .version = service->version,
                                  .routes = routes};
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
    dsapi_docs_service_t docs_service = about(service, NULL, ptemp);
    dsapi_buf_t *openapi = dsapi_buf_make(0, ptemp);
    dsapi_buf_t *page = dsapi_buf_make(0, ptemp);
    struct mod_dsapi_docs_t docs = {.type = "application/openapi+json"};
    const char *mistake;

    if (service->no_docs) {
        return NULL;
    }
    dsapi_docs_openapi(openapi, &docs_service, ptemp);
    docs.body = openapi->data;
    docs.body_bytes = openapi->len_bytes;
    docs.service = service->resources->nelts > 0 ? service : NULL;
    mistake = publish(service, "/openapi.json", &docs, pconf);
    if (mistake) {
        return mistake;
    }
    dsapi_docs_page(page, &docs_service, ptemp);
    docs.type = "text/html; charset=utf-8";
    docs.body = page->data;
    docs.body_bytes = page->len_bytes;
    docs.policy = DSAPI_DOCS_POLICY;
    docs.service = NULL;
    return publish(service, "/docs", &docs, pconf);
}

/* A route whose settings the tables are looked at with; NULL: there is none. */
static const mod_dsapi_route_t *
resource_route(const mod_dsapi_service_t *service)
{
    for (int i = 0; i < service->routes->nelts; i++) {
        const mod_dsapi_route_t *route =
            APR_ARRAY_IDX(service->routes, i, const mod_dsapi_route_t *);

        if (route->resource) {
            return route;
        }
    }
    return NULL;
}

/* The document with what the database says. Where that cannot be asked, it is
 * the one that was written with the configuration. */
static const struct mod_dsapi_docs_t *
complete(const struct mod_dsapi_docs_t *docs, request_rec *r)
{
    const mod_dsapi_service_t *service = docs->service;
    const dsapi_catalog_t *catalog = NULL;
    const mod_dsapi_route_t *route = service ? resource_route(service) : NULL;
    struct mod_dsapi_docs_t *whole;
    dsapi_docs_service_t docs_service;
    dsapi_buf_t *buf;
    dsapi_err_t *err;

    if (!route) {
        return docs;
    }
    if (mod_dsapi_catalog_get(&catalog, &err, r, route) != APR_SUCCESS) {
        ap_log_rerror(APLOG_MARK, APLOG_WARNING, 0, r,
                      "DSAPI0061: the documentation has no columns, since the "
                      "tables cannot be looked at: %s",
                      err->internal ? err->internal : err->detail);
        return docs;
    }
    docs_service = about(service, catalog, r->pool);
    buf = dsapi_buf_make(0, r->pool);
    dsapi_docs_openapi(buf, &docs_service, r->pool);
    whole = apr_pmemdup(r->pool, docs, sizeof(*docs));
    whole->body = buf->data;
    whole->body_bytes = buf->len_bytes;
    whole->etag =
        dsapi_route_etag_make(docs->type, buf->data, buf->len_bytes, r->pool);
    return whole;
}

apr_status_t mod_dsapi_show_docs(mod_dsapi_answer_t *answer, request_rec *r,
                                 const mod_dsapi_route_t *route)
{
    const struct mod_dsapi_docs_t *docs = complete(route->docs, r);

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
