/* The directives of rate limits, and what becomes of them. */
#include "httpd/directives.h"

#include <apr_strings.h>
#include <http_log.h>

#include "httpd/limits.h"
#include "limit/charge.h"

APLOG_USE_MODULE(dsapi); /* ap_expr_parse_cmd logs for us */

const char *mod_dsapi_add_limit(cmd_parms *cmd, mod_dsapi_section_t *section,
                                const apr_array_header_t *args)
{
    apr_array_header_t *limits =
        section->route ? section->route->limits : section->service->limits;
    mod_dsapi_limit_t limit = {NULL, NULL, cmd->directive};
    const char *mistake = NULL;
    dsapi_err_t *err;

    if (dsapi_limit_parse(&limit.policy, &err, args, cmd->pool) !=
        APR_SUCCESS) {
        return mod_dsapi_fail(cmd, err->detail);
    }
    if (limit.policy->expr) {
        limit.expr = ap_expr_parse_cmd(cmd, limit.policy->expr,
                                       AP_EXPR_FLAG_STRING_RESULT |
                                           AP_EXPR_FLAG_DONT_VARY,
                                       &mistake, NULL);
    }
    if (mistake) {
        return mod_dsapi_fail(cmd, apr_psprintf(cmd->temp_pool, "'%s': %s",
                                                limit.policy->expr, mistake));
    }
    APR_ARRAY_PUSH(limits, mod_dsapi_limit_t) = limit;
    return NULL;
}

const char *mod_dsapi_add_exempt(cmd_parms *cmd, mod_dsapi_section_t *section,
                                 const apr_array_header_t *args)
{
    for (int i = 0; i < args->nelts; i++) {
        const char *net = mod_dsapi_word(args, i);
        const char *slash = net ? ap_strchr_c(net, '/') : NULL;
        const char *addr = slash ? apr_pstrmemdup(cmd->temp_pool, net,
                                                  (apr_size_t)(slash - net))
                                 : net;
        apr_ipsubnet_t *subnet;

        if (!addr || !*addr ||
            apr_ipsubnet_create(&subnet, addr, slash ? slash + 1 : NULL,
                                cmd->pool) != APR_SUCCESS) {
            return mod_dsapi_fail(
                cmd, apr_psprintf(cmd->temp_pool,
                                  "'%s' is no address and no network, such as "
                                  "192.0.2.1, 10.0.0.0/8 or 2001:db8::/32",
                                  APR_ARRAY_IDX(args, i, dsapi_arg_t).value));
        }
        APR_ARRAY_PUSH(section->service->exempt, apr_ipsubnet_t *) = subnet;
    }
    section->service->exempt_directive = cmd->directive;
    return NULL;
}

/* Once all is read */

/* Would this one be asked before that one? */
static int goes_before(const mod_dsapi_limit_t *a, const mod_dsapi_limit_t *b)
{
    int a_early = a->policy->by == DSAPI_BY_CLIENT;
    int b_early = b->policy->by == DSAPI_BY_CLIENT;

    return a_early != b_early
               ? a_early
               : a->policy->quota.unit_ns > b->policy->quota.unit_ns;
}

static void insert(apr_array_header_t *set, const mod_dsapi_limit_t *limit)
{
    int i = set->nelts;

    for (apr_array_push(set);
         i > 0 &&
         goes_before(limit, &APR_ARRAY_IDX(set, i - 1, mod_dsapi_limit_t));
         i--) {
        APR_ARRAY_IDX(set, i, mod_dsapi_limit_t) =
            APR_ARRAY_IDX(set, i - 1, mod_dsapi_limit_t);
    }
    APR_ARRAY_IDX(set, i, mod_dsapi_limit_t) = *limit;
}

/* Adds limits to those that count one request. */
static const char *add_all(const ap_directive_t **pwhere,
                           apr_array_header_t *set,
                           const apr_array_header_t *limits, apr_pool_t *pool)
{
    for (int i = 0; i < limits->nelts; i++) {
        const mod_dsapi_limit_t *limit =
            &APR_ARRAY_IDX(limits, i, mod_dsapi_limit_t);

        *pwhere = limit->directive;
        if (set->nelts == DSAPI_CHARGES_MAX) {
            return apr_psprintf(pool,
                                "a request falls under %d limits at most, "
                                "those of its service and of its route",
                                DSAPI_CHARGES_MAX);
        }
        for (int j = 0; j < set->nelts; j++) {
            const mod_dsapi_limit_t *other =
                &APR_ARRAY_IDX(set, j, mod_dsapi_limit_t);

            if (strcmp(other->policy->name, limit->policy->name) == 0) {
                return apr_psprintf(pool,
                                    "the limit in %s, line %d is called "
                                    "\"%s\", too, and counts the same "
                                    "requests; give one another name=",
                                    other->directive->filename,
                                    other->directive->line_num,
                                    limit->policy->name);
            }
        }
        insert(set, limit);
    }
    return NULL;
}

static const mod_dsapi_limits_t *make_limits(const apr_array_header_t *set,
                                             apr_pool_t *pool)
{
    mod_dsapi_limits_t *limits = apr_pcalloc(pool, sizeof(*limits));

    if (set->nelts == 0) {
        return NULL;
    }
    limits->items = (const mod_dsapi_limit_t *)(const void *)set->elts;
    limits->n = set->nelts;
    for (int i = 0; i < limits->n; i++) {
        const dsapi_policy_t *policy = limits->items[i].policy;

        limits->nearly += policy->by == DSAPI_BY_CLIENT;
        if (!policy->shadow) {
            const char *item = dsapi_limit_item(policy, pool);

            limits->policies =
                limits->policies
                    ? apr_pstrcat(pool, limits->policies, ", ", item, NULL)
                    : item;
        }
    }
    return limits;
}

/* Gives limits their ids, and sees that a name stands for one quota. */
static const char *identify(const ap_directive_t **pwhere,
                            apr_array_header_t *named, const char *owner,
                            const char *place, const apr_array_header_t *limits)
{
    apr_pool_t *pool = named->pool;

    for (int i = 0; i < limits->nelts; i++) {
        const mod_dsapi_limit_t *limit =
            &APR_ARRAY_IDX(limits, i, mod_dsapi_limit_t);
        dsapi_policy_t *policy = limit->policy;

        policy->id = dsapi_limit_id(apr_pstrcat(
            pool, owner, policy->named ? "" : place, "\n", policy->name, NULL));
        for (int j = 0; j < named->nelts && policy->named; j++) {
            const mod_dsapi_limit_t *other =
                &APR_ARRAY_IDX(named, j, mod_dsapi_limit_t);

            if (strcmp(other->policy->name, policy->name) == 0 &&
                !dsapi_limit_same(other->policy, policy)) {
                *pwhere = limit->directive;
                return apr_psprintf(pool,
                                    "the limit in %s, line %d has the same "
                                    "name=%s, and so is the same quota; write "
                                    "rate, burst= and by= as there, or give it "
                                    "another name",
                                    other->directive->filename,
                                    other->directive->line_num, policy->name);
            }
        }
        if (policy->named) {
            APR_ARRAY_PUSH(named, mod_dsapi_limit_t) = *limit;
        }
    }
    return NULL;
}

static const char *settle_route(const ap_directive_t **pwhere,
                                apr_array_header_t *named, const char *owner,
                                mod_dsapi_route_t *route, apr_pool_t *pconf)
{
    const mod_dsapi_service_t *service = route->service;
    apr_array_header_t *set =
        apr_array_make(pconf, 2, sizeof(mod_dsapi_limit_t));
    const char *mistake =
        identify(pwhere, named, owner,
                 apr_pstrcat(pconf, route->method, " ", route->path, NULL),
                 route->limits);

    if (!mistake) {
        mistake = add_all(pwhere, set, service->limits, pconf);
    }
    if (!mistake) {
        mistake = add_all(pwhere, set, route->limits, pconf);
    }
    route->falls_under = make_limits(set, pconf);
    return mistake;
}

const char *mod_dsapi_limits_settle(const ap_directive_t **pwhere,
                                    mod_dsapi_service_t *service,
                                    const server_rec *s, apr_pool_t *pconf)
{
    apr_array_header_t *set =
        apr_array_make(pconf, 2, sizeof(mod_dsapi_limit_t));
    apr_array_header_t *named =
        apr_array_make(pconf, 2, sizeof(mod_dsapi_limit_t));
    const char *owner = apr_psprintf(
        pconf, "%s:%u %s\n", s->server_hostname ? s->server_hostname : "",
        (unsigned)s->port, service->name);
    const char *mistake = identify(pwhere, named, owner, "", service->limits);

    if (!mistake) {
        mistake = add_all(pwhere, set, service->limits, pconf);
    }
    service->falls_under = make_limits(set, pconf);
    service->is_limited = set->nelts > 0;
    for (int i = 0; i < service->routes->nelts && !mistake; i++) {
        mod_dsapi_route_t *route =
            APR_ARRAY_IDX(service->routes, i, mod_dsapi_route_t *);

        mistake = settle_route(pwhere, named, owner, route, pconf);
        service->is_limited |= route->limits->nelts > 0;
    }
    if (!mistake && service->exempt_directive && !service->is_limited) {
        *pwhere = service->exempt_directive;
        return "goes with DsapiRateLimit, which neither the service nor a "
               "route of it has";
    }
    return mistake;
}
