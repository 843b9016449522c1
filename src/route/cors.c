/* Cross-origin requests: see cors.h. */
#include "route/cors.h"

#include <apr_strings.h>

#include "base/number.h"
#include "route/param.h"

#define UPPER "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define LOWER "abcdefghijklmnopqrstuvwxyz"
#define DIGIT "0123456789"

/* What clients of an API send. Those that tell where a request comes from
 * (Forwarded, X-Forwarded-For and the like) are not for pages to set. */
#define USUAL_HEADERS                                          \
    "Accept, Accept-Language, Accept-Profile, Authorization, " \
    "Cache-Control, Content-Language, Content-Profile, "       \
    "Content-Type, Idempotency-Key, If-Match, "                \
    "If-Modified-Since, If-None-Match, If-Unmodified-Since, "  \
    "Prefer, Range, Range-Unit, traceparent, tracestate, X-Request-Id"

static apr_status_t wrong(dsapi_err_t **perr, apr_pool_t *pool,
                          const char *origin, const char *right)
{
    return dsapi_fail(perr, pool, DSAPI_ESYNTAX, "syntax", "'%s' %s", origin,
                      right);
}

/* Where a host ends: a name, or an address of IPv6 in brackets; NULL: it is
 * none. */
static const char *host_end(const char *host)
{
    apr_size_t len;

    if (*host == '[') {
        len = strspn(host + 1, DIGIT "abcdef:.");
        return len > 0 && host[len + 1] == ']' ? host + len + 2 : NULL;
    }
    len = strspn(host, LOWER DIGIT "-._");
    return len > 0 ? host + len : NULL;
}

static int is_default_port(const char *origin, apr_int64_t port)
{
    return (port == 80 && strncmp(origin, "http:", 5) == 0) ||
           (port == 443 && strncmp(origin, "https:", 6) == 0);
}

apr_status_t dsapi_route_cors_check(dsapi_err_t **perr, const char *origin,
                                    apr_pool_t *pool)
{
    apr_size_t scheme = strspn(origin, LOWER DIGIT "+-.");
    const char *host = origin + scheme + 3;
    const char *end;
    apr_int64_t port;

    *perr = NULL;
    if (strcmp(origin, "null") == 0) {
        return wrong(perr, pool, origin,
                     "is what any sandboxed page may be; it cannot be listed");
    }
    if (strpbrk(origin, UPPER)) {
        return wrong(perr, pool, origin,
                     "must be in lower case, as browsers send it");
    }
    if (scheme == 0 || !strchr(LOWER, *origin) ||
        strncmp(origin + scheme, "://", 3) != 0 || !(end = host_end(host))) {
        return wrong(perr, pool, origin,
                     "is no origin: scheme://host or scheme://host:port, a "
                     "name with other letters in its xn-- form, and without "
                     "wildcards");
    }
    if (!*end) {
        return APR_SUCCESS;
    }
    if (*end != ':' || end[1] == '0' ||
        dsapi_base_parse_int(&port, end + 1, 1, 65535) != APR_SUCCESS) {
        return wrong(perr, pool, origin,
                     "must end behind its host, or behind :port; an origin "
                     "has no path, not even a '/'");
    }
    return is_default_port(origin, port) ? wrong(perr, pool, origin,
                                                 "must be without the port, "
                                                 "which browsers leave out")
                                         : APR_SUCCESS;
}

int dsapi_route_cors_is_header(const char *name)
{
    return *name && !name[strspn(name, LOWER UPPER DIGIT "-_.")];
}

const char *dsapi_route_cors_allow(const dsapi_cors_t *cors, const char *origin)
{
    if (cors->any) {
        return "*";
    }
    for (int i = 0; origin && i < cors->origins->nelts; i++) {
        if (strcmp(APR_ARRAY_IDX(cors->origins, i, const char *), origin) ==
            0) {
            return origin;
        }
    }
    return NULL;
}

const char *dsapi_route_cors_headers(const dsapi_cors_t *cors,
                                     const apr_array_header_t *params,
                                     apr_pool_t *pool)
{
    const char *text = USUAL_HEADERS;

    for (int i = 0; i < cors->headers->nelts; i++) {
        text = apr_pstrcat(pool, text, ", ",
                           APR_ARRAY_IDX(cors->headers, i, const char *), NULL);
    }
    for (int i = 0; params && i < params->nelts; i++) {
        const dsapi_param_t *param =
            APR_ARRAY_IDX(params, i, const dsapi_param_t *);

        if (param->in == DSAPI_IN_HEADER) {
            text =
                apr_pstrcat(pool, text, ", ",
                            dsapi_route_header_name(param->name, pool), NULL);
        }
    }
    return text;
}
