/* Headers of a resource's answers that say what was asked for: see
 * resource.h. */
#include <apr_strings.h>

#include "httpd/resource.h"
#include "resource/problem.h"
#include "resource/query.h"

void mod_dsapi_ask_located(const mod_dsapi_ask_t *ask)
{
    request_rec *r = ask->r;
    const char *query = dsapi_resource_canonical(ask->pairs, r->pool);

    apr_table_setn(r->headers_out, "Content-Location",
                   apr_pstrcat(r->pool, ap_os_escape_path(r->pool, r->uri, 1),
                               *query ? "?" : "", query, NULL));
}

apr_status_t mod_dsapi_ask_profile(const mod_dsapi_ask_t *ask,
                                   dsapi_err_t **perr)
{
    request_rec *r = ask->r;
    const char *schema = ask->resource->spec.schema;
    int reads = r->method_number == M_GET;
    const char *profile = apr_table_get(r->headers_in, reads ? "Accept-Profile"
                                                             : "Content-"
                                                               "Profile");

    if (!schema || !profile) {
        return APR_SUCCESS;
    }
    if (strcmp(profile, schema) == 0) {
        if (reads || ask->route->is_call ||
            ask->prefer.answer == DSAPI_PREFER_FULL) {
            apr_table_setn(r->headers_out, "Content-Profile", schema);
        }
        return APR_SUCCESS;
    }
    dsapi_resource_fail(perr, r->pool, HTTP_NOT_ACCEPTABLE, "PGRST106",
                        "Invalid schema: %s", profile);
    dsapi_resource_hint(*perr, r->pool,
                        "Only the following schemas are exposed: %s", schema);
    return (*perr)->rv;
}

void mod_dsapi_ask_forget(const mod_dsapi_ask_t *ask)
{
    static const char *const names[] = {"Cache-Control", "Content-Location",
                                        "Content-Profile",
                                        "Preference-Applied"};

    for (apr_size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        apr_table_unset(ask->r->headers_out, names[i]);
    }
}
