/* What cached routes depend on: see versions.h. */
#include "httpd/versions.h"

#include <apr_strings.h>
#include <limits.h>

#include "route/etag.h"

/* Of the present configuration: names, and of each how many parts of its keys
 * count: as many as do of all series under it (INT_MAX: there is none). */
static apr_array_header_t *names;
static apr_array_header_t *depths;

/* The child's; NULL: nothing depends on any. */
static dsapi_versions_t *known;

void mod_dsapi_versions_begin(apr_pool_t *pconf)
{
    names = apr_array_make(pconf, 8, sizeof(const char *));
    depths = apr_array_make(pconf, 8, sizeof(int));
}

const apr_array_header_t *mod_dsapi_versions_names(void)
{
    return names;
}

static int index_of(const char *name)
{
    for (int i = 0; i < names->nelts; i++) {
        if (strcmp(APR_ARRAY_IDX(names, i, const char *), name) == 0) {
            return i;
        }
    }
    APR_ARRAY_PUSH(names, const char *) = name;
    APR_ARRAY_PUSH(depths, int) = INT_MAX;
    return names->nelts - 1;
}

int mod_dsapi_cacheable(const mod_dsapi_route_t *route)
{
    return strcmp(route->method, "GET") == 0 &&
           (route->action == MOD_DSAPI_METRIC ||
            (route->action == MOD_DSAPI_QUERY && route->write != 1));
}

/* Texts of SQL, each with a line of its own behind it. */
static const char *texts_of(const apr_array_header_t *texts, apr_pool_t *pool)
{
    const char *text = "";

    for (int i = 0; i < texts->nelts; i++) {
        text = apr_pstrcat(pool, text,
                           APR_ARRAY_IDX(texts, i, mod_dsapi_text_t).sql, ";\n",
                           NULL);
    }
    return text;
}

/* What a metric is of: its directive and its series' section, as they are
 * written. */
static const char *metric_text(const mod_dsapi_route_t *route, apr_pool_t *pool)
{
    const char *text = apr_pstrcat(pool, route->action_directive->args, "\n",
                                   texts_of(route->series->texts, pool), NULL);

    for (const ap_directive_t *d = route->series->directive->first_child; d;
         d = d->next) {
        text = apr_pstrcat(pool, text, d->directive, " ", d->args, "\n", NULL);
    }
    return text;
}

/* What a validator is of besides values and versions: all that makes another
 * answer of them. */
static const char *signature_of(const mod_dsapi_route_t *route,
                                apr_pool_t *pool)
{
    const apr_array_header_t *session = route->service->session;
    const char *text = apr_psprintf(
        pool, "%s %s\n%d %d %d\n%s\n", route->service->name, route->path,
        (int)route->shape, route->status, route->page_size,
        route->content_type ? route->content_type : "");

    for (int i = 0; i < route->params->nelts; i++) {
        const dsapi_param_t *param =
            APR_ARRAY_IDX(route->params, i, const dsapi_param_t *);

        text = apr_pstrcat(pool, text, param->name, " ",
                           dsapi_base_type_name(param->type, pool), "\n", NULL);
    }
    for (int i = 0; i < session->nelts; i++) {
        text = apr_pstrcat(pool, text,
                           APR_ARRAY_IDX(session, i, mod_dsapi_session_t).name,
                           "\n", NULL);
    }
    text = apr_pstrcat(pool, text, texts_of(route->texts, pool),
                       route->series ? metric_text(route, pool) : "", NULL);
    return dsapi_route_etag_make("", text, strlen(text), pool);
}

/* Cache-Control; for how long a client may use what it has where we fail is
 * said, too (RFC 5861). */
static const char *cache_control(const char *scope,
                                 const mod_dsapi_caching_t *caching,
                                 apr_pool_t *pool)
{
    apr_int64_t stale = apr_time_sec(caching->stale);
    const char *text =
        apr_psprintf(pool, "%s, max-age=%" APR_INT64_T_FMT, scope,
                     (apr_int64_t)apr_time_sec(caching->life));

    return stale == 0
               ? text
               : apr_psprintf(pool, "%s, stale-if-error=%" APR_INT64_T_FMT,
                              text, stale);
}

/* The indexes of names, of which those without a slash are sources of the
 * service. */
static const char *find_names(const int **pindexes,
                              const mod_dsapi_service_t *service,
                              const apr_array_header_t *of, apr_pool_t *pool)
{
    int *indexes = apr_palloc(pool, sizeof(int) * ((apr_size_t)of->nelts + 1));

    for (int i = 0; i < of->nelts; i++) {
        const char *name = APR_ARRAY_IDX(of, i, const char *);

        if (!strchr(name, '/')) {
            const mod_dsapi_source_t *source =
                mod_dsapi_find_source(service, name);

            if (!source) {
                return apr_psprintf(pool,
                                    "there is no <DsapiSource %s> in the "
                                    "service '%s'; what SQL announces with "
                                    "dsapi.touch is named in full: %s/%s",
                                    name, service->name, service->name, name);
            }
            name = source->core.name;
        }
        indexes[i] = index_of(name);
    }
    *pindexes = indexes;
    return NULL;
}

/* The first parameters whose values have one text each, which is the one that
 * dsapi.touch is given. */
static int exact_params(const apr_array_header_t *params)
{
    int n = 0;

    while (n < params->nelts) {
        dsapi_type_t type =
            APR_ARRAY_IDX(params, n, const dsapi_param_t *)->type;

        if (type.is_array || type.kind == DSAPI_TYPE_NUMBER ||
            type.kind == DSAPI_TYPE_TIMESTAMP || type.kind == DSAPI_TYPE_JSON) {
            break;
        }
        n++;
    }
    return n;
}

const char *mod_dsapi_versions_of_series(const ap_directive_t **pwhere,
                                         mod_dsapi_series_t *series,
                                         apr_pool_t *pool)
{
    apr_array_header_t *own = apr_array_make(pool, 1, sizeof(const char *));
    const apr_array_header_t *of = own;

    APR_ARRAY_PUSH(own, const char *) = series->full_name;
    if (series->depends.directive) {
        of = series->depends.names;
        *pwhere = series->depends.directive;
        if (of->nelts == 0) {
            return "Off is for routes; a series depends on its own name, or "
                   "on those that stand here";
        }
    }
    series->nversions = of->nelts;
    if (of == own) {
        int *pdepth = &APR_ARRAY_IDX(depths, index_of(series->full_name), int);
        int depth = exact_params(series->params);

        series->keyed = 1;
        *pdepth = depth < *pdepth ? depth : *pdepth;
    }
    return find_names(&series->versions, series->service, of, pool);
}

/* A metric depends on what its series does. */
static const char *settle_metric(const ap_directive_t **pwhere,
                                 mod_dsapi_route_t *route)
{
    if (route->depends.directive) {
        *pwhere = route->depends.directive;
        return "belongs into the <DsapiSeries> that the route's DsapiMetric is "
               "about";
    }
    route->versions = route->series->versions;
    route->nversions = route->series->nversions;
    return NULL;
}

/* The service's DsapiCache. @return 0: it will not do for everybody */
static int inherit_caching(mod_dsapi_route_t *route)
{
    route->caching = route->service->caching;
    return route->caching.scope != MOD_DSAPI_CACHE_PUBLIC ||
           route->service->session->nelts == 0;
}

const char *mod_dsapi_versions_settle(const ap_directive_t **pwhere,
                                      mod_dsapi_route_t *route,
                                      apr_pool_t *pool)
{
    const mod_dsapi_service_t *service = route->service;
    const mod_dsapi_depends_t *depends =
        route->depends.directive ? &route->depends : &service->depends;
    const char *mistake;

    if (!route->caching.directive && mod_dsapi_cacheable(route) &&
        !inherit_caching(route)) {
        *pwhere = route->caching.directive;
        return "public would let a cache on the way give one user's answer "
               "to another, since the service has DsapiSession: say private "
               "here, and public in those routes that answer everybody the "
               "same";
    }
    if (route->caching.life == 0 && !route->series) {
        if (route->depends.directive && route->depends.names->nelts > 0) {
            *pwhere = route->depends.directive;
            return "goes with DsapiCache, which the route has not got";
        }
        return NULL;
    }
    route->signature = signature_of(route, pool);
    route->cache_control[0] = cache_control("public", &route->caching, pool);
    route->cache_control[1] = cache_control("private", &route->caching, pool);
    if (route->series) {
        return settle_metric(pwhere, route);
    }
    if (!depends->directive) {
        return NULL;
    }
    if (route->standby && depends->names->nelts > 0) {
        *pwhere = route->standby;
        return "goes with no DsapiDependsOn: a standby may be behind the "
               "versions that are known, and what it gives then would be kept "
               "as the newest; take one of them away, or write DsapiDependsOn "
               "Off";
    }
    mistake = find_names(&route->versions, service, depends->names, pool);
    if (mistake) {
        *pwhere = depends->directive;
        return mistake;
    }
    route->nversions = depends->names->nelts;
    return NULL;
}

dsapi_versions_t *mod_dsapi_versions_child_init(void)
{
    apr_pool_t *pool;

    known = NULL;
    if (names->nelts > 0) {
        /* never destroyed: the watcher may be the last to go */
        apr_pool_create(&pool, NULL);
        apr_pool_tag(pool, "mod_dsapi_versions");
        for (int i = 0; i < depths->nelts; i++) {
            int *pdepth = &APR_ARRAY_IDX(depths, i, int);

            *pdepth = *pdepth == INT_MAX ? 0 : *pdepth;
        }
        known = dsapi_versions_make(names, (const int *)depths->elts, pool);
    }
    return known;
}

/* The slots of the key of a series, and of the keys that it begins with. */
static void read_slots(dsapi_version_stamp_t *pstamp, const request_rec *r,
                       int name, const char *const *key, apr_time_t now)
{
    int n = dsapi_versions_depth(known, name) + 1;
    int *slots = apr_palloc(r->pool, sizeof(int) * (apr_size_t)n);

    for (int i = 0; i < n; i++) {
        slots[i] = dsapi_versions_slot_index(
            known, name, dsapi_versions_slot(key, i, r->pool));
    }
    dsapi_versions_read(pstamp, known, slots, n, now);
}

int mod_dsapi_versions_read(dsapi_version_stamp_t *pstamp, const request_rec *r,
                            const mod_dsapi_route_t *route,
                            const char *const *key)
{
    const mod_dsapi_series_t *series = route->series;
    apr_time_t now = apr_time_now();

    *pstamp = (dsapi_version_stamp_t){0};
    if (!known || route->nversions == 0 ||
        !mod_dsapi_srv_of(r->server)->watched) {
        return 0;
    }
    if (series && series->keyed &&
        dsapi_versions_depth(known, series->versions[0]) > 0) {
        read_slots(pstamp, r, series->versions[0], key, now);
    }
    else {
        dsapi_versions_read(pstamp, known, route->versions, route->nversions,
                            now);
    }
    return pstamp->stamp != 0 && pstamp->verified_at == now;
}
