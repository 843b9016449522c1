/* Idempotency-Key: whose it is, and of what. See resource.h. */
#include <apr_strings.h>

#include "httpd/resource.h"
#include "route/etag.h"

/* Whose keys these are: a digest of where the route is, of what its table or
 * function is, and of who asks. */
static const char *scope_of(const mod_dsapi_ask_t *ask, const char **settings)
{
    const request_rec *r = ask->r;
    const mod_dsapi_service_t *service = ask->route->service;
    const dsapi_function_t *function = ask->invoke.function;
    dsapi_buf_t *scope = dsapi_buf_make(0, r->pool);

    mod_dsapi_key_text(scope, r->server->server_hostname);
    dsapi_buf_put(scope, (const char *)&r->server->port,
                  sizeof(r->server->port));
    mod_dsapi_key_text(scope, service->name);
    mod_dsapi_key_text(scope, service->role);
    mod_dsapi_key_text(scope,
                       function ? function->schema : ask->entity->schema);
    mod_dsapi_key_text(scope, function ? function->name : ask->entity->table);
    mod_dsapi_key_text(scope, r->uri);
    mod_dsapi_key_text(scope, r->user);
    for (int i = 0; i < service->session->nelts; i++) {
        mod_dsapi_key_text(scope, settings[i + 1]);
    }
    return dsapi_route_etag_make("", scope->data, scope->len_bytes, r->pool);
}

apr_status_t mod_dsapi_ask_once(dsapi_once_t *once, dsapi_err_t **perr,
                                const mod_dsapi_ask_t *ask, const char *body)
{
    request_rec *r = ask->r;
    const char *prefer = apr_table_get(r->headers_in, "Prefer");
    const char *accept = apr_table_get(r->headers_in, "Accept");
    const char **settings;
    const char *wanted;
    apr_status_t rv;

    if (ask->prefer.tx == DSAPI_PREFER_ROLLBACK) {
        return APR_SUCCESS;
    }
    rv = dsapi_once_key(&once->key, perr,
                        apr_table_get(r->headers_in, "Idempotency-Key"),
                        r->pool);
    if (rv == APR_SUCCESS) {
        rv = mod_dsapi_settings(&settings, perr, r, ask->route);
    }
    if (rv != APR_SUCCESS || !once->key) {
        return rv;
    }
    once->scope = scope_of(ask, settings);
    wanted = apr_pstrcat(r->pool, r->method, "\n", r->args ? r->args : "", "\n",
                         prefer ? prefer : "", "\n", accept ? accept : "", "\n",
                         body ? body : "", NULL);
    once->fingerprint =
        dsapi_route_etag_make("", wanted, strlen(wanted), r->pool);
    return APR_SUCCESS;
}
