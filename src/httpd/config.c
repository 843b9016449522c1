/* Configuration: making, inheriting, and the checks across sections. */
#include "httpd/config.h"

#include <apr_strings.h>
#include <http_log.h>

#include "base/args.h"
#include "httpd/actions.h"
#include "httpd/dbpool.h"
#include "httpd/limits.h"
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

/* A text as a literal of SQL. */
static const char *literal(const char *text, apr_pool_t *pool)
{
    const char *quoted = "'";

    for (const char *quote; (quote = strchr(text, '\'')); text = quote + 1) {
        quoted = apr_pstrcat(
            pool, quoted,
            apr_pstrmemdup(pool, text, (apr_size_t)(quote - text)), "''", NULL);
    }
    return apr_pstrcat(pool, quoted, text, "'", NULL);
}

/* What every batch of a route begins with: the settings of its transaction.
 * $1 is statement_timeout, then come the session's values. A stream has none,
 * since that would count the time that its client takes, too: we count, and
 * PostgreSQL ends what nobody waits for any more. */
static void make_preamble(mod_dsapi_route_t *route, apr_pool_t *pool)
{
    const apr_array_header_t *session = route->service->session;
    const char *text = "SELECT set_config('statement_timeout', $1, true)";

    route->streams = route->read_only &&
                     (route->action == MOD_DSAPI_QUERY ||
                      route->action == MOD_DSAPI_RESOURCE) &&
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
    if (route->resource && route->service->role) {
        text =
            apr_pstrcat(pool, text, ", set_config('role', ",
                        literal(route->service->role, pool), ", true)", NULL);
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

int mod_dsapi_sql_uses(const mod_dsapi_route_t *route, int index)
{
    for (int i = 0; i < route->statements->nelts; i++) {
        const dsapi_statement_t *st =
            &APR_ARRAY_IDX(route->statements, i, dsapi_statement_t);

        for (int j = 0; j < st->sql->nparams; j++) {
            if (st->indexes[j] == index) {
                return 1;
            }
        }
    }
    return 0;
}

/* Does DsapiEnqueue or DsapiJob hand a parameter on? */
static int source_uses(const mod_dsapi_route_t *route, int index)
{
    for (int i = 0; i < route->source->params->nelts; i++) {
        if (route->source_params[i] == index) {
            return 1;
        }
    }
    return 0;
}

/* Is it another parameter's bound? */
static int bounds(const apr_array_header_t *params, const char *name)
{
    for (int i = 0; i < params->nelts; i++) {
        const dsapi_param_t *param =
            APR_ARRAY_IDX(params, i, const dsapi_param_t *);

        if ((param->min.param && strcmp(param->min.param, name) == 0) ||
            (param->max.param && strcmp(param->max.param, name) == 0)) {
            return 1;
        }
    }
    return 0;
}

/* Does an expression of DsapiSession read the header of that parameter? */
static int session_reads(const mod_dsapi_service_t *service,
                         const dsapi_param_t *param, apr_pool_t *pool)
{
    const char *header = dsapi_route_header_name(param->name, pool);

    for (int i = 0; i < service->session->nelts; i++) {
        if (ap_strcasestr(
                APR_ARRAY_IDX(service->session, i, mod_dsapi_session_t).text,
                header)) {
            return 1;
        }
    }
    return 0;
}

/* How a route's action takes a parameter. */
static const char *use_of(const mod_dsapi_route_t *route, const char *name,
                          apr_pool_t *pool)
{
    if (route->action == MOD_DSAPI_QUERY) {
        return apr_psprintf(pool, ":%s in the SQL", name);
    }
    return route->metric
               ? apr_psprintf(pool,
                              ":%s in DsapiMetric, or declare it in the "
                              "series",
                              name)
               : apr_psprintf(pool, "name=:%s behind the source", name);
}

/* A declared parameter that is taken and goes nowhere; NULL: there is none. */
static const char *idle_param(const mod_dsapi_route_t *route, apr_pool_t *pool)
{
    int sql = route->action == MOD_DSAPI_QUERY;

    for (int i = 0; i < route->params->nelts; i++) {
        const dsapi_param_t *param =
            APR_ARRAY_IDX(route->params, i, const dsapi_param_t *);

        if (sql             ? mod_dsapi_sql_uses(route, i)
            : route->metric ? mod_dsapi_metric_uses(route, i)
                            : !route->source || source_uses(route, i)) {
            continue;
        }
        if (!bounds(route->params, param->name) &&
            !(param->in == DSAPI_IN_HEADER &&
              session_reads(route->service, param, pool))) {
            return apr_psprintf(pool,
                                "parameter '%s' is not used: write %s, or take "
                                "its DsapiParam away",
                                param->name, use_of(route, param->name, pool));
        }
    }
    return NULL;
}

/* The base of another service that has taken a route's URLs; NULL: none has.
 */
static const char *taken_by(const mod_dsapi_srv_t *srv,
                            const mod_dsapi_route_t *route, apr_pool_t *pool)
{
    const char *path =
        apr_pstrcat(pool, route->service->base, route->path, NULL);
    const char *rest;
    const mod_dsapi_service_t *other =
        dsapi_route_base(&rest, srv->bases, path);

    return other == route->service
               ? NULL
               : apr_psprintf(pool,
                              "%s %s is never reached: %s belongs to the "
                              "service '%s' (%s, line %d), whose base %s is "
                              "longer than %s; move the route there",
                              route->method, route->path, path, other->name,
                              other->place.file, other->place.line, other->base,
                              route->service->base);
}

/* What is wrong with a route as a whole. @return 1: nothing, or 0, logged */
static int check_route(const server_rec *s, const mod_dsapi_srv_t *srv,
                       const mod_dsapi_route_t *route, apr_pool_t *pool)
{
    const char *mistake = idle_param(route, pool);

    if (!mistake) {
        mistake = taken_by(srv, route, pool);
    }
    if (mistake) {
        ap_log_error(APLOG_MARK, APLOG_CRIT, 0, s,
                     "DSAPI0060: %s, line %d: %s: %s", route->place.file,
                     route->place.line,
                     !route->resource               ? "<DsapiRoute>"
                     : route->resource->spec.schema ? "DsapiExpose"
                                                    : "<DsapiResource>",
                     mistake);
    }
    return !mistake;
}

/* @return 0: there is a mistake, which has been told */
static int is_right(const server_rec *s, const ap_directive_t *where,
                    const char *mistake)
{
    if (mistake) {
        ap_log_error(APLOG_MARK, APLOG_CRIT, 0, s,
                     "DSAPI0001: %s, line %d: %s%s: %s", where->filename,
                     where->line_num, where->directive,
                     *where->directive == '<' ? ">" : "", mistake);
    }
    return !mistake;
}

/* @return what a server has under the full name of that source; NULL: none */
static const mod_dsapi_source_t *namesake(const mod_dsapi_srv_t *srv,
                                          const mod_dsapi_source_t *source)
{
    for (int i = 0; i < srv->services->nelts; i++) {
        const mod_dsapi_service_t *service =
            APR_ARRAY_IDX(srv->services, i, const mod_dsapi_service_t *);

        if (strcmp(service->name, source->service->name) == 0) {
            return mod_dsapi_find_source(service, source->name);
        }
    }
    return NULL;
}

/* A job names its source, but no server. @return 1: an earlier server's source
 * of that name, if there is one, does the same; 0, logged: it does not */
static int check_source(const server_rec *main, const server_rec *s,
                        const mod_dsapi_source_t *source)
{
    const dsapi_source_t *core = &source->core;
    const mod_dsapi_source_t *other = NULL;

    for (; main != s && !other; main = main->next) {
        other = namesake(mod_dsapi_srv_of(main), source);
    }
    if (!other || (strcmp(other->core.definition, core->definition) == 0 &&
                   strcmp(other->core.proxy ? other->core.proxy : "",
                          core->proxy ? core->proxy : "") == 0)) {
        return 1;
    }
    ap_log_error(APLOG_MARK, APLOG_CRIT, 0, s,
                 "DSAPI0085: %s, line %d: <DsapiSource>: it is declared "
                 "otherwise in %s, line %d: jobs of %s are the same for all "
                 "servers; make the two alike (DsapiProxy of their servers, "
                 "too), or name one service otherwise",
                 source->place.file, source->place.line, other->place.file,
                 other->place.line, core->name);
    return 0;
}

/* Declares the routes of a service's resources. @return 0: there are mistakes,
 * told */
static int check_resources(apr_pool_t *pconf, const server_rec *s,
                           const mod_dsapi_service_t *service)
{
    int ok = 1;

    for (int i = 0; i < service->resources->nelts; i++) {
        mod_dsapi_resource_inherit(
            APR_ARRAY_IDX(service->resources, i, mod_dsapi_resource_t *));
    }
    for (int i = 0; i < service->resources->nelts; i++) {
        mod_dsapi_resource_t *resource =
            APR_ARRAY_IDX(service->resources, i, mod_dsapi_resource_t *);

        ok &= is_right(s, resource->directive,
                       mod_dsapi_resource_settle(resource, pconf));
    }
    return ok;
}

/* Settles a service's routes. @return 0: there are mistakes, told */
static int check_routes(apr_pool_t *pconf, const server_rec *s,
                        const mod_dsapi_srv_t *srv,
                        const mod_dsapi_service_t *service)
{
    int ok = 1;

    for (int i = 0; i < service->routes->nelts; i++) {
        mod_dsapi_route_t *route =
            APR_ARRAY_IDX(service->routes, i, mod_dsapi_route_t *);
        const ap_directive_t *where = route->action_directive;
        const char *mistake = settle_route(route, pconf);

        make_preamble(route, pconf);
        if (!mistake) {
            mistake = mod_dsapi_versions_settle(&where, route, pconf);
        }
        ok &= is_right(s, where, mistake) && check_route(s, srv, route, pconf);
    }
    return ok;
}

/* Settles the services that a server declares itself. */
static int check_services(apr_pool_t *pconf, apr_pool_t *ptemp, server_rec *s,
                          mod_dsapi_srv_t *srv, const server_rec *main)
{
    int ok = 1;

    srv->bases = dsapi_route_trie_make(pconf);
    for (int i = 0; i < srv->services->nelts; i++) {
        mod_dsapi_service_t *service =
            APR_ARRAY_IDX(srv->services, i, mod_dsapi_service_t *);
        dsapi_err_t *err;

        dsapi_route_trie_add(srv->bases, &err, service->base, "", service,
                             pconf);
    }
    for (int i = 0; i < srv->services->nelts; i++) {
        mod_dsapi_service_t *service =
            APR_ARRAY_IDX(srv->services, i, mod_dsapi_service_t *);
        const ap_directive_t *limit = NULL;
        const char *mistake;

        for (int j = 0; j < service->sources->nelts; j++) {
            mod_dsapi_source_t *source =
                APR_ARRAY_IDX(service->sources, j, mod_dsapi_source_t *);

            source->core.proxy = srv->proxy;
            ok &= check_source(main, s, source);
        }
        ok &= check_resources(pconf, s, service);
        for (int j = 0; j < service->series->nelts; j++) {
            const ap_directive_t *where;

            mistake = mod_dsapi_series_settle(
                &where, APR_ARRAY_IDX(service->series, j, mod_dsapi_series_t *),
                main, pconf);
            ok &= is_right(s, where, mistake);
        }
        ok &= check_routes(pconf, s, srv, service);
        mistake = ok ? mod_dsapi_docs_settle(service, pconf, ptemp) : NULL;
        if (mistake) {
            ap_log_error(APLOG_MARK, APLOG_CRIT, 0, s,
                         "DSAPI0058: %s, line %d: <DsapiService>: %s",
                         service->place.file, service->place.line, mistake);
            ok = 0;
        }
        /* of all routes, also those of the documentation */
        mistake = mod_dsapi_limits_settle(&limit, service, s, pconf);
        ok &= is_right(s, limit, mistake);
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

/* What decides which pool of mod_dbd's a server has, and mod_dbd's defaults. */
static int same_pool(apr_pool_t *ptemp, const server_rec *s,
                     const server_rec *other)
{
    static const char *const rows[][2] = {
        {"DBDriver", ""}, {"DBDParams", ""}, {"DBDMin", "1"},
        {"DBDKeep", "2"}, {"DBDMax", "10"},  {"DBDExptime", "300"}};

    for (apr_size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char *a = mod_dsapi_dbd_argument(ptemp, s, rows[i][0]);
        const char *b = mod_dsapi_dbd_argument(ptemp, other, rows[i][0]);

        if (strcmp(a ? a : rows[i][1], b ? b : rows[i][1]) != 0) {
            return 0;
        }
    }
    return 1;
}

const char *mod_dsapi_pool_mistake(apr_pool_t *ptemp, const server_rec *s,
                                   const server_rec *main)
{
    const char *persist = mod_dsapi_dbd_argument(ptemp, s, "DBDPersist");
    const server_rec *owner = main; /* the first with this pool */

    if (persist && ap_cstr_casecmp(persist, "Off") == 0) {
        return "needs a pool, so that connections and their prepared "
               "statements are kept: DBDPersist On";
    }
    while (owner != s && !same_pool(ptemp, s, owner)) {
        owner = owner->next;
    }
    if (mod_dsapi_srv_of(owner)->streams == mod_dsapi_srv_of(s)->streams) {
        return NULL;
    }
    return apr_psprintf(
        ptemp,
        "DsapiStreams counts for a pool of connections, which this virtual "
        "host shares with %s, where it is another number: set it there, or "
        "give the virtual host DBDParams or DBDMax of its own",
        owner->is_virtual
            ? apr_psprintf(ptemp, "the virtual host in %s, line %u",
                           owner->defn_name, owner->defn_line_number)
            : "the main server");
}

/* Routes that read from a standby need one, of the same database. A virtual
 * host may have inherited them, and the standby, but have a database of its
 * own. */
static int check_standby(server_rec *s, const mod_dsapi_srv_t *srv,
                         const mod_dsapi_srv_t *first)
{
    const char *mistake = NULL;

    if (!srv->read_database) {
        mistake = "needs to know the standby: DsapiReadDatabase \"host=... "
                  "dbname=... user=...\"";
    }
    else if (!srv->watched && srv->read_database == first->read_database) {
        mistake = "a virtual host with DBDParams of its own needs a "
                  "DsapiReadDatabase of its own";
    }
    for (int i = 0; mistake && i < srv->services->nelts; i++) {
        const mod_dsapi_service_t *service =
            APR_ARRAY_IDX(srv->services, i, const mod_dsapi_service_t *);

        for (int j = 0; j < service->routes->nelts; j++) {
            const ap_directive_t *where =
                APR_ARRAY_IDX(service->routes, j, const mod_dsapi_route_t *)
                    ->standby;

            if (where) {
                ap_log_error(APLOG_MARK, APLOG_CRIT, 0, s,
                             "DSAPI0055: %s, line %d: %s: %s", where->filename,
                             where->line_num, where->directive, mistake);
                return 0;
            }
        }
    }
    return 1;
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
        ok &= mod_dsapi_db_check(ptemp, s, main);
        srv->watched = same_database(ptemp, s, main);
        ok &= check_standby(s, srv, first);
        if (s != main && srv->services == first->services) {
            srv->bases = first->bases;
            continue;
        }
        ok &= check_services(pconf, ptemp, s, srv, main);
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
