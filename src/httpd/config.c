/* Configuration: making, inheriting, and the checks across sections. */
#include "httpd/config.h"

#include <apr_strings.h>
#include <http_log.h>

#include "base/args.h"
#include "httpd/actions.h"
#include "httpd/dbpool.h"
#include "httpd/series.h"
#include "httpd/versions.h"
#include "httpd/worker.h"

APLOG_USE_MODULE(dsapi);

mod_dsapi_srv_t *mod_dsapi_srv_of(const server_rec *s)
{
    return ap_get_module_config(s->module_config, &dsapi_module);
}

void *mod_dsapi_create_dir(apr_pool_t *p, char *path)
{
    mod_dsapi_section_t *section = apr_pcalloc(p, sizeof(*section));

    (void)path;
    section->kind = MOD_DSAPI_TOP;
    return section;
}

void *mod_dsapi_create_server(apr_pool_t *p, server_rec *s)
{
    mod_dsapi_srv_t *srv = apr_pcalloc(p, sizeof(*srv));

    (void)s;
#define MEMBER(type, name, unset, def) srv->name = unset;
    MOD_DSAPI_MEMBERS(MEMBER)
#undef MEMBER
    srv->services = apr_array_make(p, 4, sizeof(mod_dsapi_service_t *));
    return srv;
}

void *mod_dsapi_merge_server(apr_pool_t *p, void *base, void *add)
{
    const mod_dsapi_srv_t *b = base;
    const mod_dsapi_srv_t *a = add;
    mod_dsapi_srv_t *srv = apr_pcalloc(p, sizeof(*srv));

#define MEMBER(type, name, unset, def) \
    srv->name = a->name == (unset) ? b->name : a->name;
    MOD_DSAPI_MEMBERS(MEMBER)
#undef MEMBER
    srv->services = a->services->nelts > 0 ? a->services : b->services;
    return srv;
}

static void settle_defaults(mod_dsapi_srv_t *srv)
{
#define MEMBER(type, name, unset, def) \
    if (srv->name == (unset)) {        \
        srv->name = def;               \
    }
    MOD_DSAPI_MEMBERS(MEMBER)
#undef MEMBER
}

const mod_dsapi_source_t *
mod_dsapi_find_source(const mod_dsapi_service_t *service, const char *name)
{
    for (int i = 0; i < service->sources->nelts; i++) {
        const mod_dsapi_source_t *source =
            APR_ARRAY_IDX(service->sources, i, const mod_dsapi_source_t *);

        if (strcmp(source->name, name) == 0) {
            return source;
        }
    }
    return NULL;
}

/* Does the route's parameter make a job of each of its items? */
static int makes_jobs(const mod_dsapi_route_t *route,
                      const dsapi_param_t *given, const dsapi_param_t *param)
{
    return route->action == MOD_DSAPI_ENQUEUE && given->type.is_array &&
           !param->type.is_array && given->type.kind == param->type.kind;
}

/* What is wrong with a route's parameter in the place of a source's. */
static const char *type_mistake(mod_dsapi_route_t *route, int index,
                                const dsapi_param_t *param, apr_pool_t *pool)
{
    const dsapi_param_t *given =
        APR_ARRAY_IDX(route->params, index, const dsapi_param_t *);

    if (makes_jobs(route, given, param)) {
        if (route->list_index >= 0) {
            return apr_psprintf(pool,
                                "one list makes the jobs, and not both '%s' "
                                "and '%s'",
                                APR_ARRAY_IDX(route->params, route->list_index,
                                              const dsapi_param_t *)
                                    ->name,
                                given->name);
        }
        route->list_index = index;
        return NULL;
    }
    if (given->type.kind != param->type.kind ||
        given->type.is_array != param->type.is_array) {
        return apr_psprintf(
            pool, "the parameter '%s' is %s, the source's '%s' is %s",
            given->name, dsapi_base_type_name(given->type, pool), param->name,
            dsapi_base_type_name(param->type, pool));
    }
    return NULL;
}

/* The route's parameter that gives a source's parameter its value: as mapped,
 * or by the same name. */
static int mapped_param(const char **pmistake, mod_dsapi_route_t *route,
                        const dsapi_param_t *param, apr_pool_t *pool)
{
    const char *from = param->name;
    int index;

    for (int i = 0; i < route->mapping->nelts; i++) {
        const dsapi_arg_t *arg = &APR_ARRAY_IDX(route->mapping, i, dsapi_arg_t);

        if (strcmp(arg->key, param->name) == 0) {
            from = arg->value + 1; /* behind the colon */
        }
    }
    index = dsapi_route_param_index(route->params, from);
    if (index < 0) {
        if (from != param->name ||
            (param->required && route->action == MOD_DSAPI_ENQUEUE)) {
            *pmistake = apr_psprintf(pool,
                                     "the source's parameter '%s' gets no "
                                     "value: declare "
                                     "\"DsapiParam %s\" in the route, or map "
                                     "it with %s=:other",
                                     param->name, from, param->name);
        }
        return -1;
    }
    *pmistake = type_mistake(route, index, param, pool);
    return index;
}

/* Every name of the mapping must be a parameter of the source. */
static const char *mapping_mistake(const mod_dsapi_route_t *route,
                                   apr_pool_t *pool)
{
    for (int i = 0; i < route->mapping->nelts; i++) {
        const char *name = APR_ARRAY_IDX(route->mapping, i, dsapi_arg_t).key;

        if (dsapi_route_param_index(route->source->params, name) < 0) {
            return apr_psprintf(pool, "the source '%s' has no parameter '%s'",
                                route->source_name, name);
        }
    }
    return NULL;
}

/* The service's route that shows jobs of a source. */
static const mod_dsapi_route_t *job_route(const mod_dsapi_service_t *service,
                                          const char *source_name)
{
    for (int i = 0; i < service->routes->nelts; i++) {
        const mod_dsapi_route_t *route =
            APR_ARRAY_IDX(service->routes, i, const mod_dsapi_route_t *);

        if (route->action == MOD_DSAPI_JOB &&
            strcmp(route->source_name, source_name) == 0) {
            return route;
        }
    }
    return NULL;
}

/* What every batch of a route begins with: the settings of its transaction.
 * $1 is statement_timeout, then come the session's values. A stream has none,
 * since that would count the time that its client takes, too: we count, and
 * PostgreSQL ends what nobody waits for any more. */
static void make_preamble(mod_dsapi_route_t *route, apr_pool_t *pool)
{
    const apr_array_header_t *session = route->service->session;
    const char *text = "SELECT set_config('statement_timeout', $1, true)";

    route->read_only = route->write >= 0
                           ? !route->write
                           : route->action != MOD_DSAPI_ENQUEUE &&
                                 strcmp(route->method, "GET") == 0;
    route->streams = route->read_only && route->action == MOD_DSAPI_QUERY &&
                     route->shape == DSAPI_SHAPE_ROWS &&
                     route->status != HTTP_NO_CONTENT;
    if (route->read_only) {
        text = apr_pstrcat(pool, text,
                           ", set_config('transaction_read_only', 'on', true)",
                           NULL);
    }
    for (int i = 0; i < session->nelts; i++) {
        text = apr_psprintf(pool, "%s, set_config('dsapi.%s', $%d, true)", text,
                            APR_ARRAY_IDX(session, i, mod_dsapi_session_t).name,
                            i + 2);
    }
    route->preamble = dsapi_sql_literal(text, session->nelts + 1, pool);
}

/* Ties a route with DsapiEnqueue or DsapiJob to its source, one with DsapiTime
 * to the zones, one with DsapiMetric to its series.
 * @return what is wrong; NULL: nothing */
static const char *settle_route(mod_dsapi_route_t *route, apr_pool_t *pool)
{
    const char *mistake = NULL;
    int *indexes;
    int n;

    if (route->action == MOD_DSAPI_TIME) {
        return mod_dsapi_time_settle(route, pool);
    }
    if (route->action == MOD_DSAPI_METRIC) {
        return mod_dsapi_metric_settle(route, pool);
    }
    if (!route->source_name) {
        return NULL;
    }
    route->list_index = -1;
    route->source = mod_dsapi_find_source(route->service, route->source_name);
    if (!route->source) {
        return apr_psprintf(pool,
                            "there is no <DsapiSource %s> in the service '%s'",
                            route->source_name, route->service->name);
    }
    mistake = mapping_mistake(route, pool);
    n = route->source->params->nelts;
    indexes = apr_palloc(pool, sizeof(int) * ((apr_size_t)n + 1));
    for (int i = 0; !mistake && i < n; i++) {
        indexes[i] = mapped_param(
            &mistake, route,
            APR_ARRAY_IDX(route->source->params, i, const dsapi_param_t *),
            pool);
    }
    route->source_params = indexes;
    if (route->action == MOD_DSAPI_ENQUEUE) {
        route->status_route = job_route(route->service, route->source_name);
        route->job_sql = dsapi_sql_literal(
            apr_pstrcat(pool, "SELECT ", route->source->columns,
                        ", finished_at IS NOT NULL AS \"@ended\" "
                        "FROM dsapi.enqueue_all($1, $2::jsonb[], $3::integer, "
                        "$4, $5::integer, $6::interval)",
                        NULL),
            6, pool);
    }
    else {
        route->job_sql = dsapi_sql_literal(
            apr_pstrcat(pool, "SELECT ", route->source->columns,
                        " FROM dsapi.job WHERE source = $1 AND params @> "
                        "$2::jsonb ORDER BY id DESC LIMIT 1",
                        NULL),
            2, pool);
    }
    return mistake;
}

/* Logs a mistake. @return 1: there is none */
static int tell(const server_rec *s, const ap_directive_t *where,
                const char *mistake)
{
    if (mistake) {
        ap_log_error(APLOG_MARK, APLOG_CRIT, 0, s,
                     "DSAPI0001: %s, line %d: %s%s: %s", where->filename,
                     where->line_num, where->directive,
                     *where->directive == '<' ? ">" : "", mistake);
    }
    return mistake == NULL;
}

/* Settles the services that a server declares itself. */
static int check_services(apr_pool_t *pconf, server_rec *s,
                          const server_rec *main, mod_dsapi_srv_t *srv)
{
    int ok = 1;

    srv->bases = dsapi_route_trie_make(pconf);
    for (int i = 0; i < srv->services->nelts; i++) {
        mod_dsapi_service_t *service =
            APR_ARRAY_IDX(srv->services, i, mod_dsapi_service_t *);
        dsapi_err_t *err;

        dsapi_route_trie_add(srv->bases, &err, service->base, "", service,
                             pconf);
        for (int j = 0; j < service->sources->nelts; j++) {
            APR_ARRAY_IDX(service->sources, j, mod_dsapi_source_t *)
                ->core.proxy = srv->proxy;
        }
        for (int j = 0; j < service->series->nelts; j++) {
            const ap_directive_t *where;
            const char *mistake = mod_dsapi_series_settle(
                &where, APR_ARRAY_IDX(service->series, j, mod_dsapi_series_t *),
                main, pconf);

            ok &= tell(s, where, mistake);
        }
        for (int j = 0; j < service->routes->nelts; j++) {
            mod_dsapi_route_t *route =
                APR_ARRAY_IDX(service->routes, j, mod_dsapi_route_t *);
            const ap_directive_t *where = route->action_directive;
            const char *mistake = settle_route(route, pconf);

            make_preamble(route, pconf);
            if (!mistake) {
                mistake = mod_dsapi_versions_settle(&where, route, pconf);
            }
            ok &= tell(s, where, mistake);
        }
    }
    return ok;
}

/* Do the requests of two servers go to the same database? */
static int same_database(apr_pool_t *ptemp, const server_rec *s,
                         const server_rec *other)
{
    const char *a = mod_dsapi_dbd_argument(ptemp, s, "DBDParams");
    const char *b = mod_dsapi_dbd_argument(ptemp, other, "DBDParams");

    return a == b || (a && b && strcmp(a, b) == 0);
}

int mod_dsapi_check(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp,
                    server_rec *main)
{
    const mod_dsapi_srv_t *first = mod_dsapi_srv_of(main);
    int ok = 1;

    (void)plog;
    mod_dsapi_versions_begin(pconf);
    for (server_rec *s = main; s; s = s->next) {
        mod_dsapi_srv_t *srv = mod_dsapi_srv_of(s);

        settle_defaults(srv);
        ok &= mod_dsapi_db_check(ptemp, s);
        srv->watched = same_database(ptemp, s, main);
        if (s != main && srv->services == first->services) {
            srv->bases = first->bases;
            continue;
        }
        ok &= check_services(pconf, s, main, srv);
    }
    ok &= mod_dsapi_worker_check(ptemp, main);
    return ok ? OK : HTTP_INTERNAL_SERVER_ERROR;
}

/* The argument of the last such directive among these; NULL: there is none. */
static const char *last_argument(apr_pool_t *p, const ap_directive_t *d,
                                 const char *directive)
{
    const char *value = NULL;

    for (; d; d = d->next) {
        if (ap_cstr_casecmp(d->directive, directive) == 0) {
            const char *args = d->args;

            value = ap_getword_conf(p, &args);
        }
    }
    return value;
}

const char *mod_dsapi_dbd_argument(apr_pool_t *p, const server_rec *s,
                                   const char *directive)
{
    const char *value = NULL;

    for (const ap_directive_t *d = ap_conftree; d && s->is_virtual;
         d = d->next) {
        if ((unsigned)d->line_num == s->defn_line_number && s->defn_name &&
            strcmp(d->filename, s->defn_name) == 0) {
            value = last_argument(p, d->first_child, directive);
        }
    }
    return value ? value : last_argument(p, ap_conftree, directive);
}
