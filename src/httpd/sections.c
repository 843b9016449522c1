/*
 * The containers: <DsapiService>, <DsapiRoute>, <DsapiSource>, <DsapiSQL>
 * (<DsapiSeries> is in series_directives.c).
 * A section's directives are read into its struct; what can be checked
 * within it is checked at its end.
 */
#include "httpd/config.h"

#include <apr_lib.h>
#include <apr_strings.h>

#include "base/args.h"
#include "httpd/directives.h"
#include "httpd/versions.h"
#include "source/schedule.h"

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

static mod_dsapi_place_t place_of(const cmd_parms *cmd)
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
    s->place = place_of(cmd);
    APR_ARRAY_PUSH(mod_dsapi_srv_of(cmd->server)->services,
                   mod_dsapi_service_t *) = s;
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
    }
    return mod_dsapi_read_section(cmd, &inner);
}

/* Route */

/* Names a mistake at the line of the directive that made it. */
static const char *mistake_at(cmd_parms *cmd, ap_directive_t *directive,
                              const char *text)
{
    cmd->err_directive = directive;
    return apr_pstrcat(cmd->pool, directive->directive, ": ", text, NULL);
}

const char *mod_dsapi_parse_texts(cmd_parms *cmd,
                                  apr_array_header_t *statements,
                                  const apr_array_header_t *texts,
                                  const apr_array_header_t *params)
{
    for (int i = 0; i < texts->nelts; i++) {
        const mod_dsapi_text_t *text =
            &APR_ARRAY_IDX(texts, i, mod_dsapi_text_t);
        dsapi_err_t *err;

        if (dsapi_route_statements(statements, &err, text->sql, params,
                                   cmd->pool, cmd->temp_pool) != APR_SUCCESS) {
            return mistake_at(cmd, text->directive, err->detail);
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

/* Does the SQL of a route use one of its parameters? */
static int uses(const mod_dsapi_route_t *route, int index)
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

static const char *close_route(cmd_parms *cmd, mod_dsapi_route_t *route,
                               mod_dsapi_service_t *service)
{
    const char *mistake;
    dsapi_err_t *err;

    if (route->caching.life > 0 && !mod_dsapi_cacheable(route)) {
        return "DsapiCache goes with GET, and SQL that changes nothing or "
               "DsapiMetric";
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
    mistake = mod_dsapi_parse_texts(cmd, route->statements, route->texts,
                                    route->params);
    if (mistake) {
        return mistake;
    }
    if (route->page_size > 0 && !(uses(route, route->limit_index) &&
                                  uses(route, route->offset_index))) {
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

const char *mod_dsapi_open_route(cmd_parms *cmd, void *mconfig,
                                 const char *args)
{
    static const char methods[] = " GET POST PUT PATCH DELETE ";
    const mod_dsapi_section_t *outer = mconfig;
    mod_dsapi_section_t inner = {.kind = MOD_DSAPI_IN_ROUTE,
                                 .service = outer->service};
    mod_dsapi_route_t *route = apr_pcalloc(cmd->pool, sizeof(*route));
    apr_array_header_t *words;
    dsapi_err_t *err;
    const char *mistake = mod_dsapi_section_args(&words, cmd, args);

    if (!words) {
        return mistake;
    }
    if (outer->kind != MOD_DSAPI_IN_SERVICE) {
        return mod_dsapi_wrong_place(cmd, "into <DsapiService>");
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
    route->service = outer->service;
    route->params = apr_array_make(cmd->pool, 4, sizeof(dsapi_param_t *));
    route->texts = apr_array_make(cmd->pool, 1, sizeof(mod_dsapi_text_t));
    route->statements = apr_array_make(cmd->pool, 1, sizeof(dsapi_statement_t));
    route->mapping = apr_array_make(cmd->pool, 2, sizeof(dsapi_arg_t));
    route->write = -1;
    route->db_timeout = -1;
    route->max_body_bytes = -1;
    inner.route = route;
    mistake = mod_dsapi_read_section(cmd, &inner);
    return mistake ? mistake : close_route(cmd, route, outer->service);
}

/* Source */

/* The columns of a job: its parameters by name, then how it stands. */
static const char *job_columns(const mod_dsapi_source_t *source,
                               apr_pool_t *pool)
{
    const char *columns = "";

    for (int i = 0; i < source->params->nelts; i++) {
        const char *name =
            APR_ARRAY_IDX(source->params, i, const dsapi_param_t *)->name;

        columns = apr_pstrcat(pool, columns, "params->'", name, "' AS \"", name,
                              "\", ", NULL);
    }
    return apr_pstrcat(pool, columns,
                       "state, attempts, queued_at, started_at, finished_at, "
                       "CASE WHEN state = 'queued' THEN run_at END AS "
                       "next_attempt_at, result, error",
                       NULL);
}

/* DsapiStore sees the source's parameters and the document. */
static const char *parse_store(cmd_parms *cmd, mod_dsapi_source_t *source)
{
    apr_array_header_t *params = apr_array_copy(cmd->pool, source->params);
    apr_array_header_t *store =
        apr_array_make(cmd->pool, 1, sizeof(dsapi_statement_t));
    dsapi_param_t *body = apr_pcalloc(cmd->pool, sizeof(*body));

    body->name = DSAPI_SOURCE_BODY;
    body->type.kind = DSAPI_TYPE_JSON;
    APR_ARRAY_PUSH(params, dsapi_param_t *) = body;
    source->core.store = store;
    return mod_dsapi_parse_texts(cmd, store, source->texts, params);
}

static const char *check_url(const cmd_parms *cmd,
                             const mod_dsapi_source_t *source)
{
    const dsapi_template_t *url = source->core.url;

    for (int i = 0; i < url->nparts; i++) {
        int at =
            url->parts[i].is_var
                ? dsapi_route_param_index(source->params, url->parts[i].text)
                : 0;

        if (at < 0) {
            return apr_psprintf(cmd->pool,
                                "DsapiFetch: {%s} is not declared; add "
                                "\"DsapiParam %s text\" (or another type)",
                                url->parts[i].text, url->parts[i].text);
        }
        if (url->parts[i].is_var) {
            const dsapi_param_t *param =
                APR_ARRAY_IDX(source->params, at, const dsapi_param_t *);

            if (!param->required && !param->def) {
                return apr_psprintf(cmd->pool,
                                    "DsapiFetch: {%s} may be absent; declare "
                                    "it required, or with a default",
                                    param->name);
            }
        }
    }
    return NULL;
}

/* Schedules, once the source's parameters are known. */
static const char *close_schedules(cmd_parms *cmd, mod_dsapi_source_t *source)
{
    apr_array_header_t *schedules =
        apr_array_make(cmd->pool, 1, sizeof(dsapi_schedule_t *));

    for (int i = 0; i < source->schedules->nelts; i++) {
        const mod_dsapi_schedule_t *one =
            &APR_ARRAY_IDX(source->schedules, i, mod_dsapi_schedule_t);
        dsapi_err_t *err;

        for (int j = 0; j < i; j++) {
            if (strcmp(
                    APR_ARRAY_IDX(schedules, j, const dsapi_schedule_t *)->name,
                    one->core->name) == 0) {
                return mistake_at(cmd, one->directive, "stands here twice");
            }
        }
        if (dsapi_schedule_check(&err, one->core, cmd->temp_pool) !=
            APR_SUCCESS) {
            return mistake_at(cmd, one->directive,
                              apr_pstrdup(cmd->pool, err->detail));
        }
        APR_ARRAY_PUSH(schedules, const dsapi_schedule_t *) = one->core;
    }
    source->core.schedules = schedules;
    return NULL;
}

static const char *close_source(cmd_parms *cmd, mod_dsapi_source_t *source,
                                mod_dsapi_service_t *service)
{
    apr_array_header_t *no_path =
        apr_array_make(cmd->temp_pool, 1, sizeof(const char *));
    const char *mistake;
    dsapi_err_t *err;

    if (!source->core.url) {
        return "<DsapiSource> lacks DsapiFetch \"https://...\"";
    }
    if (source->texts->nelts == 0) {
        return "<DsapiSource> lacks DsapiStore \"SQL\", which stores :body";
    }
    for (int i = 0; i < source->params->nelts; i++) {
        const dsapi_param_t *param =
            APR_ARRAY_IDX(source->params, i, const dsapi_param_t *);

        if (param->in != DSAPI_IN_AUTO ||
            strcmp(param->name, DSAPI_SOURCE_BODY) == 0) {
            return apr_psprintf(cmd->pool,
                                "<DsapiSource>: parameter '%s': a source's "
                                "parameters have no in=, and :body is the "
                                "upstream's document",
                                param->name);
        }
    }
    if (dsapi_route_params_settle(&err, source->params, no_path, 1,
                                  cmd->pool) != APR_SUCCESS) {
        return apr_pstrcat(cmd->pool, "<DsapiSource>: ", err->detail, NULL);
    }
    mistake = check_url(cmd, source);
    if (!mistake) {
        mistake = mod_dsapi_settle_fetch(cmd, source);
    }
    if (!mistake) {
        mistake = parse_store(cmd, source);
    }
    if (!mistake) {
        mistake = close_schedules(cmd, source);
    }
    if (mistake) {
        return mistake;
    }
    source->columns = job_columns(source, cmd->pool);
    APR_ARRAY_PUSH(service->sources, mod_dsapi_source_t *) = source;
    return NULL;
}

static mod_dsapi_source_t *make_source(cmd_parms *cmd, const char *name,
                                       const mod_dsapi_service_t *service)
{
    mod_dsapi_source_t *source = apr_pcalloc(cmd->pool, sizeof(*source));

    source->name = name;
    source->service = service;
    source->params = apr_array_make(cmd->pool, 4, sizeof(dsapi_param_t *));
    source->headers = apr_array_make(cmd->pool, 2, sizeof(const char *));
    source->secrets = apr_array_make(cmd->pool, 2, sizeof(const char *));
    source->hosts = apr_array_make(cmd->pool, 2, sizeof(dsapi_host_t));
    source->texts = apr_array_make(cmd->pool, 1, sizeof(mod_dsapi_text_t));
    source->schedules =
        apr_array_make(cmd->pool, 1, sizeof(mod_dsapi_schedule_t));
    source->place = place_of(cmd);
    source->core.name = apr_pstrcat(cmd->pool, service->name, "/", name, NULL);
    source->core.params = source->params;
    source->core.headers = source->headers;
    source->core.secrets = source->secrets;
    source->core.hosts = source->hosts;
    source->core.expect = dsapi_expect_make(cmd->pool);
    source->core.retry.attempts = 5;
    source->core.retry.first = apr_time_from_sec(2);
    source->core.retry.max = apr_time_from_sec(600);
    source->core.timeout = apr_time_from_sec(30);
    source->core.store_timeout = apr_time_from_sec(30);
    source->core.max_body_bytes = (apr_off_t)32 * 1024 * 1024;
    source->core.queue_max = 1000;
    source->core.job_keep = apr_time_from_sec(7 * 86400);
    return source;
}

const char *mod_dsapi_open_source(cmd_parms *cmd, void *mconfig,
                                  const char *args)
{
    const mod_dsapi_section_t *outer = mconfig;
    mod_dsapi_section_t inner = {.kind = MOD_DSAPI_IN_SOURCE,
                                 .service = outer->service};
    apr_array_header_t *words;
    const char *name;
    const char *mistake = mod_dsapi_section_args(&words, cmd, args);

    if (!words) {
        return mistake;
    }
    if (outer->kind != MOD_DSAPI_IN_SERVICE) {
        return mod_dsapi_wrong_place(cmd, "into <DsapiService>");
    }
    if (words->nelts != 1 ||
        !mod_dsapi_is_word(APR_ARRAY_IDX(words, 0, dsapi_arg_t).value)) {
        return "<DsapiSource> takes a name of letters, digits, '-', '_', '.'";
    }
    name = APR_ARRAY_IDX(words, 0, dsapi_arg_t).value;
    for (int i = 0; i < outer->service->sources->nelts; i++) {
        const mod_dsapi_source_t *have = APR_ARRAY_IDX(
            outer->service->sources, i, const mod_dsapi_source_t *);

        if (strcmp(have->name, name) == 0) {
            return apr_psprintf(cmd->pool,
                                "<DsapiSource>: '%s' is declared in %s, line "
                                "%d already",
                                name, have->place.file, have->place.line);
        }
    }
    inner.source = make_source(cmd, name, outer->service);
    mistake = mod_dsapi_read_section(cmd, &inner);
    return mistake ? mistake : close_source(cmd, inner.source, outer->service);
}

/* SQL, verbatim */

/* One whole line of the file, as it is; NULL: the file is over. */
static char *read_line(cmd_parms *cmd)
{
    ap_configfile_t *file = cmd->config_file;
    char part[4096];
    char *line = NULL;

    while (file->getstr(part, sizeof(part), file->param) == APR_SUCCESS) {
        line = line ? apr_pstrcat(cmd->temp_pool, line, part, NULL)
                    : apr_pstrdup(cmd->temp_pool, part);
        if (strchr(part, '\n')) {
            break;
        }
    }
    if (line) {
        file->line_number++;
    }
    return line;
}

/*
 * <DsapiSQL> ... </DsapiSQL> is read while httpd reads the file, past its own
 * parser, so that no quote, '#' or backslash of SQL means anything to it. In
 * the tree it becomes a directive DsapiSQL with the text as its argument.
 */
const char *mod_dsapi_read_sql(cmd_parms *cmd, void *mconfig, const char *args)
{
    ap_directive_t **pcurrent = mconfig;
    ap_directive_t *directive = apr_pcalloc(cmd->pool, sizeof(*directive));
    apr_array_header_t *words;
    dsapi_buf_t *text = dsapi_buf_make(4096, cmd->temp_pool);
    const char *mistake = mod_dsapi_section_args(&words, cmd, args);
    char *line;

    if (!words) {
        return mistake;
    }
    if (words->nelts > 0) {
        return "<DsapiSQL> takes no argument";
    }
    directive->filename = cmd->config_file->name;
    directive->line_num = (int)cmd->config_file->line_number;
    while ((line = read_line(cmd))) {
        const char *p = line + strspn(line, " \t");

        if (ap_cstr_casecmpn(p, "</DsapiSQL>", 11) == 0) {
            directive->directive = "DsapiSQL";
            directive->args =
                apr_pstrmemdup(cmd->pool, text->data, text->len_bytes);
            *pcurrent = directive;
            return NULL;
        }
        dsapi_buf_put(text, line, strlen(line));
    }
    return apr_psprintf(cmd->pool, "<DsapiSQL> in line %d has no </DsapiSQL>",
                        directive->line_num);
}
