/* The page: see page.h. */
#include "docs/page.h"

#include <apr_strings.h>

#include "route/param.h"

/* Its hash stands in DSAPI_DOCS_POLICY. */
static const char style[] =
    "body{font:16px/1.5 system-ui,sans-serif;margin:0 auto;max-width:60rem;"
    "padding:1rem;color:#1b1b1b;background:#fff}"
    "code{font-family:ui-monospace,monospace}"
    "h2{margin-top:2.5rem;border-bottom:1px solid #ccc}"
    "h3{margin-top:2rem;overflow-wrap:anywhere}"
    ".method{display:inline-block;min-width:4rem;color:#0b5394}"
    "table{border-collapse:collapse;width:100%}"
    "th,td{border:1px solid #ccc;padding:.3rem .5rem;text-align:left;"
    "vertical-align:top;overflow-wrap:anywhere}"
    "@media(prefers-color-scheme:dark){body{color:#ddd;background:#161616}"
    "a,.method{color:#8ab4f8}h2,th,td{border-color:#555}}";

/* HTML as it is. */
static void put(dsapi_buf_t *buf, const char *html)
{
    dsapi_buf_put(buf, html, strlen(html));
}

/* Text, with what HTML has another meaning for escaped. */
static void put_text(dsapi_buf_t *buf, const char *text)
{
    for (const char *p = text; *p; p++) {
        switch (*p) {
        case '&':
            put(buf, "&amp;");
            break;
        case '<':
            put(buf, "&lt;");
            break;
        case '>':
            put(buf, "&gt;");
            break;
        case '"':
            put(buf, "&quot;");
            break;
        default:
            dsapi_buf_putc(buf, *p);
        }
    }
}

/* Text in an element, where there is any. */
static void put_element(dsapi_buf_t *buf, const char *before, const char *text,
                        const char *after)
{
    if (text) {
        put(buf, before);
        put_text(buf, text);
        put(buf, after);
    }
}

static void put_bound(dsapi_buf_t *buf, const char *before,
                      const dsapi_bound_t *bound)
{
    put_element(buf, before, bound->param ? bound->param : bound->value,
                "</code>");
}

/* What its values have to be. */
static void put_type(dsapi_buf_t *buf, const dsapi_param_t *param,
                     apr_pool_t *pool)
{
    put_text(buf, dsapi_base_type_name(param->type, pool));
    put_bound(buf, ", from <code>", &param->min);
    put_bound(buf, ", to <code>", &param->max);
    if (param->choices) {
        put_element(buf, ", one of <code>",
                    apr_array_pstrcat(pool, param->choices, ' '), "</code>");
    }
    put_element(buf, ", matching <code>", param->pattern_text, "</code>");
}

static void put_param(dsapi_buf_t *buf, const dsapi_param_t *param,
                      apr_pool_t *pool)
{
    const char *name = param->in == DSAPI_IN_HEADER
                           ? dsapi_route_header_name(param->name, pool)
                           : param->name;

    put_element(buf, "<tr><td><code>", name, "</code></td>");
    put_element(buf, "<td>", dsapi_route_in_name(param->in), "</td><td>");
    put_type(buf, param, pool);
    put(buf, param->required ? "</td><td>required</td>" : "</td><td>");
    if (!param->required) {
        put_element(buf, "<code>", param->def, "</code>");
        put(buf, "</td>");
    }
    put(buf, "<td>");
    put_text(buf, param->description ? param->description : "");
    put(buf, "</td></tr>\n");
}

static void put_route(dsapi_buf_t *buf, const dsapi_docs_service_t *service,
                      const dsapi_docs_route_t *route, apr_pool_t *pool)
{
    put_element(buf, "<h3><span class=\"method\">", route->method,
                "</span> <code>");
    put_text(buf, service->base);
    put_text(buf, route->path);
    put(buf, "</code></h3>\n");
    put_element(buf, "<p><strong>", route->summary, "</strong></p>\n");
    put_element(buf, "<p>", route->description, "</p>\n");
    if (route->params->nelts > 0) {
        put(buf, "<table><thead><tr><th>Parameter</th><th>In</th>"
                 "<th>Type</th><th>Default</th><th>Meaning</th></tr></thead>"
                 "<tbody>\n");
        for (int i = 0; i < route->params->nelts; i++) {
            put_param(buf,
                      APR_ARRAY_IDX(route->params, i, const dsapi_param_t *),
                      pool);
        }
        put(buf, "</tbody></table>\n");
    }
    put_element(buf, "<p>Answer: <code>", apr_itoa(pool, route->status),
                "</code> ");
    put_text(buf, dsapi_docs_answer_text(route->answer));
    put_element(buf, ", as <code>", route->content_type, "</code>");
    put(buf, "</p>\n");
}

static int same_tag(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

/* Routes by their tags, both in the order of the configuration. */
static void put_routes(dsapi_buf_t *buf, const dsapi_docs_service_t *service,
                       apr_pool_t *pool)
{
    const apr_array_header_t *routes = service->routes;
    char *done = apr_pcalloc(pool, (apr_size_t)routes->nelts + 1);

    for (int i = 0; i < routes->nelts; i++) {
        const char *tag = APR_ARRAY_IDX(routes, i, dsapi_docs_route_t).tag;

        if (done[i]) {
            continue;
        }
        put_element(buf, "<h2>", tag ? tag : "Routes", "</h2>\n");
        for (int j = i; j < routes->nelts; j++) {
            const dsapi_docs_route_t *route =
                &APR_ARRAY_IDX(routes, j, dsapi_docs_route_t);

            if (same_tag(route->tag, tag)) {
                put_route(buf, service, route, pool);
                done[j] = 1;
            }
        }
    }
}

void dsapi_docs_page(dsapi_buf_t *buf, const dsapi_docs_service_t *service,
                     apr_pool_t *pool)
{
    const char *title = service->title ? service->title : service->name;

    put(buf, "<!DOCTYPE html>\n<html lang=\"en\"><head>"
             "<meta charset=\"utf-8\"><meta name=\"viewport\" "
             "content=\"width=device-width, initial-scale=1\">");
    put_element(buf, "<title>", title, "</title><style>");
    put(buf, style);
    put(buf, "</style></head>\n<body>\n");
    put_element(buf, "<h1>", title, "</h1>\n");
    put_element(buf, "<p>", service->description, "</p>\n");
    put_element(buf, "<p>Version ", service->version, "</p>\n");
    put(buf, "<p>For programs: <a href=\"openapi.json\">OpenAPI 3.1</a>. "
             "Errors are problem documents (RFC 9457).</p>\n");
    put_routes(buf, service, pool);
    put(buf, "</body></html>\n");
}
