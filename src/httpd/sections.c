/*
 * The containers <DsapiService> and <DsapiRoute>, and what they share with
 * the others: <DsapiSource> (source_section.c), <DsapiSeries>
 * (series_directives.c), <DsapiSQL> (sql_directives.c).
 * A section's directives are read into its struct; what can be checked
 * within it is checked at its end.
 */
#include "httpd/config.h"

#include <apr_lib.h>
#include <apr_strings.h>

#include "base/args.h"
#include "httpd/directives.h"
#include "httpd/versions.h"

/* The arguments of a container, without the '>' at their end; NULL where there
 * is a mistake. */
const char *mod_dsapi_section_args(apr_array_header_t **pargs, cmd_parms *cmd,
                                   const char *args)
{
    const char *end = ap_strrchr_c(args, '>');
    apr_array_header_t *words;
    dsapi_err_t *err;

    *pargs = NULL;
    if (!end || end[1]) {
        return apr_pstrcat(cmd->pool, cmd->cmd->name,
                           "> lacks its closing '>' at the line's end", NULL);
    }
    if (dsapi_base_args_parse(
            &words, &err,
            apr_pstrmemdup(cmd->temp_pool, args, (apr_size_t)(end - args)),
            cmd->pool) != APR_SUCCESS) {
        return err->detail;
    }
    for (int i = 0; i < words->nelts; i++) {
        if (APR_ARRAY_IDX(words, i, dsapi_arg_t).key) {
            return apr_pstrcat(cmd->pool, cmd->cmd->name,
                               "> takes no key=value", NULL);
        }
    }
    *pargs = words;
    return NULL;
}

/* A directive that is not ours; NULL: there is none. httpd would take its own
 * (Require, among others) and nobody would ever heed it. */
static ap_directive_t *foreign_directive(const ap_directive_t *section)
{
    for (ap_directive_t *d = section->first_child; d; d = d->next) {
        const char *name = d->directive + (*d->directive == '<');

        if (ap_cstr_casecmpn(name, "Dsapi", 5) != 0) {
            return d;
        }
    }
    return NULL;
}

/* Reads what stands in a container. Mistakes in it are told at their line;
 * afterwards cmd->directive is the container again. */
const char *mod_dsapi_read_section(cmd_parms *cmd, mod_dsapi_section_t *inner)
{
    ap_directive_t *self = cmd->directive;
    ap_conf_vector_t *vector = ap_create_per_dir_config(cmd->pool);
    ap_directive_t *foreign = foreign_directive(self);
    const char *mistake;

    if (foreign) {
        cmd->err_directive = foreign;
        return apr_pstrcat(cmd->pool, foreign->directive, ": is not known in ",
                           self->directive,
                           ">, which takes Dsapi... directives only; httpd's "
                           "own belong into <Location> or the server",
                           NULL);
    }
    ap_set_module_config(vector, &dsapi_module, inner);
    mistake = ap_walk_config(self->first_child, cmd, vector);
    cmd->directive = self;
    return mistake;
}

mod_dsapi_place_t mod_dsapi_place_of(const cmd_parms *cmd)
{
    mod_dsapi_place_t place = {cmd->directive->filename,
                               cmd->directive->line_num};

    return place;
}

/* A word of names that URLs, files and the queue show. */
int mod_dsapi_is_word(const char *s)
{
    for (const char *p = s; *p; p++) {
        if (!(apr_isalnum(*p) || (p > s && strchr("_-.", *p)))) {
            return 0;
        }
    }
    return *s != '\0';
}

const char *mod_dsapi_wrong_place(const cmd_parms *cmd, const char *right)
{
    return apr_pstrcat(cmd->pool, cmd->cmd->name, "> belongs ", right, NULL);
}

const char *mod_dsapi_inner_args(apr_array_header_t **pargs, cmd_parms *cmd,
                                 const mod_dsapi_section_t *outer,
                                 const char *args)
{
    const char *mistake = mod_dsapi_section_args(pargs, cmd, args);

    if (*pargs && outer->kind != MOD_DSAPI_IN_SERVICE) {
        *pargs = NULL;
        return mod_dsapi_wrong_place(cmd, "into <DsapiService>");
    }
    return mistake;
}

const char *mod_dsapi_name_taken(const cmd_parms *cmd, const char *name,
                                 const char *file, int line)
{
    return apr_psprintf(cmd->pool,
                        "%s>: '%s' is declared in %s, line %d already",
                        cmd->cmd->name, name, file, line);
}

/* Service */

/* An earlier part of the same service, or none; a mistake where name and base
 * disagree with another's. */
static const char *known_service(mod_dsapi_service_t **pservice, cmd_parms *cmd,
                                 const char *name, const char *base)
{
    const mod_dsapi_srv_t *srv = mod_dsapi_srv_of(cmd->server);

    *pservice = NULL;
    for (int i = 0; i < srv->services->nelts; i++) {
        mod_dsapi_service_t *s =
            APR_ARRAY_IDX(srv->services, i, mod_dsapi_service_t *);
        int same_name = strcmp(s->name, name) == 0;
        int same_base = strcmp(s->base, base) == 0;

        if (same_name != same_base) {
            return apr_psprintf(cmd->pool,
                                "<DsapiService>: %s, line %d declares \"%s\" "
                                "on \"%s\"; a "
                                "service is repeated with the same name and "
                                "base",
                                s->place.file, s->place.line, s->name, s->base);
        }
        if (same_name) {
            *pservice = s;
        }
    }
    return NULL;
}

static mod_dsapi_service_t *make_service(const cmd_parms *cmd, const char *name,
                                         const char *base)
{
    mod_dsapi_service_t *s = apr_pcalloc(cmd->pool, sizeof(*s));

    s->name = name;
    s->base = base;
    s->max_body_bytes = -1;
    s->trie = dsapi_route_trie_make(cmd->pool);
    s->routes = apr_array_make(cmd->pool, 8, sizeof(mod_dsapi_route_t *));
    s->sources = apr_array_make(cmd->pool, 4, sizeof(void *));
    s->series = apr_array_make(cmd->pool, 2, sizeof(void *));
    s->session = apr_array_make(cmd->pool, 2, sizeof(mod_dsapi_session_t));
    s->resources = apr_array_make(cmd->pool, 4, sizeof(void *));
    s->specs = apr_array_make(cmd->pool, 4, sizeof(void *));
    s->limits = apr_array_make(cmd->pool, 1, sizeof(mod_dsapi_limit_t));
    s->exempt = apr_array_make(cmd->pool, 1, sizeof(apr_ipsubnet_t *));
    s->place = mod_dsapi_place_of(cmd);
    return s;
}

const char *mod_dsapi_open_service(cmd_parms *cmd, void *mconfig,
                                   const char *args)
{
    const mod_dsapi_section_t *outer = mconfig;
    mod_dsapi_section_t inner = {.kind = MOD_DSAPI_IN_SERVICE};
    apr_array_header_t *words;
    apr_array_header_t *names;
    dsapi_err_t *err;
    const char *name;
    const char *base;
    const char *mistake = mod_dsapi_section_args(&words, cmd, args);

    if (!words) {
        return mistake;
    }
    if (outer->kind != MOD_DSAPI_TOP ||
        ap_check_cmd_context(cmd, NOT_IN_DIR_LOC_FILE)) {
        return mod_dsapi_wrong_place(cmd, "outside other sections, or into "
                                          "<VirtualHost>");
    }
    if (words->nelts != 2) {
        return "<DsapiService> takes a name and a base: <DsapiService "
               "countries \"/countries/v1\">";
    }
    name = APR_ARRAY_IDX(words, 0, dsapi_arg_t).value;
    base = APR_ARRAY_IDX(words, 1, dsapi_arg_t).value;
    if (!mod_dsapi_is_word(name)) {
        return apr_psprintf(cmd->pool,
                            "<DsapiService>: the name \"%s\" is "
                            "not letters, digits, '-', '_', '.'",
                            name);
    }
    if (dsapi_route_template_names(&names, &err, base, cmd->pool) !=
        APR_SUCCESS) {
        return apr_pstrcat(cmd->pool, "<DsapiService>: the base ", err->detail,
                           NULL);
    }
    if (names->nelts > 0 || strcmp(base, "/") == 0) {
        return "<DsapiService>: a base is a path without parameters, and not "
               "\"/\" alone";
    }
    mistake = known_service(&inner.service, cmd, name, base);
    if (mistake) {
        return mistake;
    }
    if (!inner.service) {
        inner.service = make_service(cmd, name, base);
        APR_ARRAY_PUSH(mod_dsapi_srv_of(cmd->server)->services,
                       mod_dsapi_service_t *) = inner.service;
    }
    return mod_dsapi_read_section(cmd, &inner);
}

/* Route */

/* Names a mistake at the line of the directive that made it. */
const char *mod_dsapi_mistake_at(cmd_parms *cmd, ap_directive_t *directive,
                                 const char *text)
{
    cmd->err_directive = directive;
    return apr_pstrcat(cmd->pool, directive->directive, ": ", text, NULL);
}

/* What is wrong with statements, from the first-th on, in a transaction that
 * is the module's; NULL: nothing. */
static const char *ends_transaction(const apr_array_header_t *statements,
                                    int first, int read_only)
{
    for (int i = first; i < statements->nelts; i++) {
        dsapi_sql_kind_e kind =
            dsapi_sql_kind(APR_ARRAY_IDX(statements, i, dsapi_statement_t).sql);

        if (kind == DSAPI_SQL_TRANSACTION) {
            return "all statements here are one transaction, which begins and "
                   "ends by itself: take BEGIN, COMMIT, SAVEPOINT and the like "
                   "away";
        }
        if (kind == DSAPI_SQL_PROCEDURE && read_only) {
            return "CALL and DO may commit, and the rest would not be read "
                   "only: add DsapiWrite On, or call a function with SELECT";
        }
    }
    return NULL;
}

const char *mod_dsapi_parse_texts(cmd_parms *cmd,
                                  apr_array_header_t *statements,
                                  const apr_array_header_t *texts,
                                  const apr_array_header_t *params,
                                  int read_only)
{
    for (int i = 0; i < texts->nelts; i++) {
        const mod_dsapi_text_t *text =
            &APR_ARRAY_IDX(texts, i, mod_dsapi_text_t);
        int before = statements->nelts;
        const char *mistake;
        dsapi_err_t *err;

        if (dsapi_route_statements(statements, &err, text->sql, params,
                                   cmd->pool, cmd->temp_pool) != APR_SUCCESS) {
            return mod_dsapi_mistake_at(cmd, text->directive, err->detail);
        }
        mistake = ends_transaction(statements, before, read_only);
        if (mistake) {
            return mod_dsapi_mistake_at(cmd, text->directive, mistake);
        }
    }
    return NULL;
}

/* Directives that would have no effect; NULL: all have one. */
static const char *idle(const mod_dsapi_route_t *route)
{
    int has_body = 0;

    for (int i = 0; i < route->params->nelts; i++) {
        has_body |=
            APR_ARRAY_IDX(route->params, i, const dsapi_param_t *)->in ==
            DSAPI_IN_BODY;
    }
    if (route->max_body_bytes >= 0 && !has_body) {
        return "<DsapiRoute>: DsapiMaxBody goes with parameters in the body";
    }
    if (route->action == MOD_DSAPI_QUERY) {
        return (route->status == HTTP_NO_CONTENT ||
                route->status == HTTP_RESET_CONTENT) &&
                       route->shape != DSAPI_SHAPE_NONE
                   ? "<DsapiRoute>: DsapiStatus 204 and 205 have no body: add "
                     "DsapiResult none"
                   : NULL;
    }
    if (route->status) {
        return "<DsapiRoute>: DsapiStatus goes with SQL";
    }
    return route->write >= 0 ? "<DsapiRoute>: DsapiWrite goes with SQL" : NULL;
}

/* What does not go together in a route; NULL: all does. */
static const char *contradiction(const mod_dsapi_route_t *route,
                                 apr_pool_t *pool)
{
    for (int i = 0; i < route->params->nelts; i++) {
        const dsapi_param_t *param =
            APR_ARRAY_IDX(route->params, i, const dsapi_param_t *);

        if (param->in == DSAPI_IN_BODY && !route->takes_body) {
            return apr_psprintf(pool,
                                "<DsapiRoute>: parameter '%s': in=body goes "
                                "with POST, PUT and PATCH, not with %s",
                                param->name, route->method);
        }
    }
    if (route->action == MOD_DSAPI_NO_ACTION) {
        return "<DsapiRoute> has no action: add DsapiQuery, <DsapiSQL>, "
               "DsapiQueryFile, DsapiEnqueue, DsapiJob, DsapiMetric or "
               "DsapiTime";
    }
    if (route->shape_set && route->action != MOD_DSAPI_QUERY) {
        return "<DsapiRoute>: DsapiResult goes with SQL; a job is always one "
               "object, and so is a time; a metric is always rows";
    }
    if (route->content_type && route->shape != DSAPI_SHAPE_VALUE) {
        return "<DsapiRoute>: DsapiContentType goes with DsapiResult value";
    }
    return idle(route);
}

/* One of the parameters that DsapiPage declares. */
static const char *declare_bound(cmd_parms *cmd, mod_dsapi_route_t *route,
                                 int *pindex, const char *declaration)
{
    apr_array_header_t *args;
    dsapi_param_t *param;
    dsapi_err_t *err;

    *pindex = route->params->nelts;
    if (dsapi_base_args_parse(&args, &err, declaration, cmd->pool) !=
            APR_SUCCESS ||
        dsapi_route_param_parse(&param, &err, args, cmd->pool) != APR_SUCCESS) {
        return err->detail;
    }
    if (dsapi_route_param_index(route->params, param->name) >= 0) {
        return apr_pstrcat(cmd->pool, "DsapiPage declares '", param->name,
                           "': take its DsapiParam away", NULL);
    }
    APR_ARRAY_PUSH(route->params, dsapi_param_t *) = param;
    return NULL;
}

static const char *declare_page(cmd_parms *cmd, mod_dsapi_route_t *route)
{
    const char *mistake;

    if (route->page_size == 0) {
        return NULL;
    }
    if (strcmp(route->method, "GET") != 0 || route->shape != DSAPI_SHAPE_ROWS) {
        return "DsapiPage goes with GET and DsapiResult rows";
    }
    mistake = declare_bound(cmd, route, &route->limit_index,
                            apr_psprintf(cmd->temp_pool,
                                         "limit int default=%d min=1 max=%d "
                                         "description=\"rows of a page at "
                                         "most\"",
                                         route->page_size, route->page_max));
    return mistake ? mistake
                   : declare_bound(cmd, route, &route->offset_index,
                                   "offset bigint default=0 min=0 "
                                   "description=\"rows to pass over\"");
}

static const char *close_route(cmd_parms *cmd, mod_dsapi_route_t *route,
                               mod_dsapi_service_t *service)
{
    const char *mistake;
    dsapi_err_t *err;

    if (route->caching.life > 0 && !mod_dsapi_cacheable(route)) {
        return "DsapiCache goes with GET, and SQL that changes nothing or "
               "DsapiMetric";
    }
    if (route->standby &&
        (route->action != MOD_DSAPI_QUERY || !mod_dsapi_cacheable(route))) {
        return mod_dsapi_mistake_at(cmd, route->standby,
                                    "goes with GET and SQL that changes "
                                    "nothing");
    }
    mistake = declare_page(cmd, route);
    if (mistake) {
        return mistake;
    }
    if (dsapi_route_params_settle(&err, route->params, route->path_names,
                                  route->takes_body,
                                  cmd->pool) != APR_SUCCESS) {
        return apr_pstrcat(cmd->pool, "<DsapiRoute>: ", err->detail, NULL);
    }
    mistake = contradiction(route, cmd->pool);
    if (mistake) {
        return mistake;
    }
    route->read_only = route->write >= 0
                           ? !route->write
                           : route->action != MOD_DSAPI_ENQUEUE &&
                                 strcmp(route->method, "GET") == 0;
    mistake = mod_dsapi_parse_texts(cmd, route->statements, route->texts,
                                    route->params, route->read_only);
    if (mistake) {
        return mistake;
    }
    if (route->page_size > 0 &&
        !(mod_dsapi_sql_uses(route, route->limit_index) &&
          mod_dsapi_sql_uses(route, route->offset_index))) {
        return "DsapiPage goes with SQL that ends in LIMIT :limit OFFSET "
               ":offset";
    }
    if (dsapi_route_trie_add(service->trie, &err, route->path, route->method,
                             route, cmd->pool) != APR_SUCCESS) {
        return apr_pstrcat(cmd->pool, "<DsapiRoute>: ", err->detail, NULL);
    }
    APR_ARRAY_PUSH(service->routes, mod_dsapi_route_t *) = route;
    return NULL;
}

mod_dsapi_route_t *mod_dsapi_make_route(const mod_dsapi_service_t *service,
                                        apr_pool_t *pool)
{
    mod_dsapi_route_t *route = apr_pcalloc(pool, sizeof(*route));

    route->service = service;
    route->path_names = apr_array_make(pool, 1, sizeof(const char *));
    route->params = apr_array_make(pool, 4, sizeof(dsapi_param_t *));
    route->texts = apr_array_make(pool, 1, sizeof(mod_dsapi_text_t));
    route->statements = apr_array_make(pool, 1, sizeof(dsapi_statement_t));
    route->mapping = apr_array_make(pool, 2, sizeof(dsapi_arg_t));
    route->limits = apr_array_make(pool, 1, sizeof(mod_dsapi_limit_t));
    route->write = -1;
    route->db_timeout = -1;
    route->max_body_bytes = -1;
    return route;
}

const char *mod_dsapi_open_route(cmd_parms *cmd, void *mconfig,
                                 const char *args)
{
    static const char methods[] = " GET POST PUT PATCH DELETE ";
    const mod_dsapi_section_t *outer = mconfig;
    mod_dsapi_section_t inner = {.kind = MOD_DSAPI_IN_ROUTE,
                                 .service = outer->service};
    mod_dsapi_route_t *route = mod_dsapi_make_route(outer->service, cmd->pool);
    apr_array_header_t *words;
    dsapi_err_t *err;
    const char *mistake = mod_dsapi_inner_args(&words, cmd, outer, args);

    if (!words) {
        return mistake;
    }
    if (words->nelts != 2) {
        return "<DsapiRoute> takes a method and a path: <DsapiRoute GET "
               "\"/country/{iso3}\">";
    }
    route->method = APR_ARRAY_IDX(words, 0, dsapi_arg_t).value;
    route->path = APR_ARRAY_IDX(words, 1, dsapi_arg_t).value;
    if (strchr(route->method, ' ') || !*route->method ||
        !strstr(methods,
                apr_pstrcat(cmd->temp_pool, " ", route->method, " ", NULL))) {
        return apr_psprintf(cmd->pool,
                            "<DsapiRoute>: the method \"%s\" is not GET, "
                            "POST, PUT, PATCH or DELETE (HEAD and OPTIONS "
                            "come of themselves)",
                            route->method);
    }
    if (dsapi_route_template_names(&route->path_names, &err, route->path,
                                   cmd->pool) != APR_SUCCESS) {
        return apr_pstrcat(cmd->pool, "<DsapiRoute>: the path ", err->detail,
                           NULL);
    }
    route->takes_body = *route->method == 'P'; /* POST, PUT, PATCH */
    route->place = mod_dsapi_place_of(cmd);
    inner.route = route;
    mistake = mod_dsapi_read_section(cmd, &inner);
    return mistake ? mistake : close_route(cmd, route, outer->service);
}
