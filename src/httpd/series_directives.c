/* <DsapiSeries> and what stands in it, and DsapiMetric of a route. */
#include "httpd/series.h"

#include <apr_strings.h>
#include <http_log.h>

#include "httpd/directives.h"
#include "httpd/versions.h"

/* How long a series is used where the database fails, if nothing is said. */
#define STALE apr_time_from_sec(3600)

APLOG_USE_MODULE(dsapi);

/* Its name within rows: as DsapiMetric's results have it. */
static int is_member(const char *name)
{
    return mod_dsapi_is_word(name) && !strchr(name, '.');
}

const char *mod_dsapi_set_time_column(cmd_parms *cmd,
                                      mod_dsapi_section_t *section,
                                      const apr_array_header_t *args)
{
    section->series->core.time = mod_dsapi_word(args, 0);
    return section->series->core.time ? NULL
                                      : mod_dsapi_fail(cmd, "takes the name of "
                                                            "a column");
}

const char *mod_dsapi_add_dimension(cmd_parms *cmd,
                                    mod_dsapi_section_t *section,
                                    const apr_array_header_t *args)
{
    dsapi_series_t *core = &section->series->core;
    dsapi_dimension_t dimension = {mod_dsapi_word(args, 0), NULL};

    if (!dimension.name || !is_member(dimension.name)) {
        return mod_dsapi_fail(cmd, "takes a name of letters, digits, '-' and "
                                   "'_', then member=column ...");
    }
    if (dsapi_series_dimension(core, dimension.name) >= 0 ||
        dsapi_series_grain(dimension.name) != DSAPI_GRAIN_NONE) {
        return mod_dsapi_fail(cmd, apr_psprintf(cmd->temp_pool,
                                                "'%s' is declared already, or "
                                                "one of day, week, "
                                                "month, quarter and year",
                                                dimension.name));
    }
    dimension.attributes =
        apr_array_make(cmd->pool, args->nelts, sizeof(dsapi_arg_t));
    if (args->nelts == 1) {
        dsapi_arg_t value = {NULL, dimension.name, 0};

        APR_ARRAY_PUSH(dimension.attributes, dsapi_arg_t) = value;
    }
    for (int i = 1; i < args->nelts; i++) {
        const dsapi_arg_t *arg = &APR_ARRAY_IDX(args, i, dsapi_arg_t);

        if (!arg->key || !is_member(arg->key) || !*arg->value) {
            return mod_dsapi_fail(
                cmd, apr_psprintf(cmd->temp_pool,
                                  "'%s' is not member=column (id=region_id)",
                                  arg->key ? arg->key : arg->value));
        }
        for (int j = 1; j < i; j++) {
            if (strcmp(APR_ARRAY_IDX(args, j, dsapi_arg_t).key, arg->key) ==
                0) {
                return mod_dsapi_fail(cmd, apr_psprintf(cmd->temp_pool,
                                                        "'%s' stands there "
                                                        "twice",
                                                        arg->key));
            }
        }
        APR_ARRAY_PUSH(dimension.attributes, dsapi_arg_t) = *arg;
    }
    APR_ARRAY_PUSH(core->dimensions, dsapi_dimension_t) = dimension;
    return NULL;
}

const char *mod_dsapi_add_measures(cmd_parms *cmd, mod_dsapi_section_t *section,
                                   const apr_array_header_t *args)
{
    dsapi_series_t *core = &section->series->core;

    for (int i = 0; i < args->nelts; i++) {
        const char *name = mod_dsapi_word(args, i);

        if (!name || !*name || strpbrk(name, ",():=")) {
            return mod_dsapi_fail(cmd, "takes names of columns, without , ( ) "
                                       ": and =");
        }
        if (dsapi_series_measure(core, name) >= 0) {
            return mod_dsapi_fail(
                cmd,
                apr_psprintf(cmd->temp_pool, "'%s' is declared already", name));
        }
        APR_ARRAY_PUSH(core->measures, const char *) = name;
    }
    return NULL;
}

const char *mod_dsapi_set_stale_for(cmd_parms *cmd,
                                    mod_dsapi_section_t *section,
                                    const apr_array_header_t *args)
{
    const char *time = mod_dsapi_word(args, 0);

    if (time && ap_cstr_casecmp(time, "Off") == 0) {
        section->series->stale = 0;
        return NULL;
    }
    return mod_dsapi_take_interval(cmd, &section->series->stale, time);
}

const char *mod_dsapi_set_reload(cmd_parms *cmd, mod_dsapi_section_t *section,
                                 const apr_array_header_t *args)
{
    const char *word = mod_dsapi_word(args, 0);

    section->series->waits = word && strcmp(word, "wait") == 0;
    return word && (section->series->waits || strcmp(word, "serve") == 0)
               ? NULL
               : mod_dsapi_fail(cmd, "is serve or wait");
}

const char *mod_dsapi_set_metric(cmd_parms *cmd, mod_dsapi_section_t *section,
                                 const apr_array_header_t *args)
{
    mod_dsapi_route_t *route = section->route;
    const char *mistake = mod_dsapi_take_action(cmd, route, MOD_DSAPI_METRIC);

    if (mistake) {
        return mistake;
    }
    if (strcmp(route->method, "GET") != 0) {
        return mod_dsapi_fail(cmd, "goes with GET");
    }
    route->series_name = mod_dsapi_word(args, 0);
    if (!route->series_name) {
        return mod_dsapi_fail(cmd, "takes a series' name first");
    }
    route->metric_args =
        apr_array_make(cmd->pool, args->nelts, sizeof(dsapi_arg_t));
    for (int i = 1; i < args->nelts; i++) {
        APR_ARRAY_PUSH(route->metric_args, dsapi_arg_t) =
            APR_ARRAY_IDX(args, i, dsapi_arg_t);
    }
    return NULL;
}

/* The section */

/* A value is checked as the route's is: but its type and its default, nothing
 * of it is the series'. */
static int is_key_part(const dsapi_param_t *param)
{
    return param->in == DSAPI_IN_AUTO && !param->required &&
           !param->min.value && !param->min.param && !param->max.value &&
           !param->max.param && !param->choices && !param->pattern;
}

static const char *close_series(cmd_parms *cmd, mod_dsapi_series_t *series)
{
    apr_array_header_t *no_path =
        apr_array_make(cmd->temp_pool, 1, sizeof(const char *));
    const char *mistake;
    dsapi_err_t *err;

    if (!series->core.time) {
        return "<DsapiSeries> lacks DsapiTimeColumn";
    }
    if (series->core.measures->nelts == 0) {
        return "<DsapiSeries> lacks DsapiMeasure";
    }
    for (int i = 0; i < series->params->nelts; i++) {
        const dsapi_param_t *param =
            APR_ARRAY_IDX(series->params, i, const dsapi_param_t *);

        if (!is_key_part(param)) {
            return apr_psprintf(cmd->pool,
                                "<DsapiSeries>: parameter '%s': a series' "
                                "parameters have but default=; where values "
                                "come from, and which, routes say",
                                param->name);
        }
    }
    if (dsapi_route_params_settle(&err, series->params, no_path, 1,
                                  cmd->pool) != APR_SUCCESS) {
        return apr_pstrcat(cmd->pool, "<DsapiSeries>: ", err->detail, NULL);
    }
    mistake = mod_dsapi_parse_texts(cmd, series->statements, series->texts,
                                    series->params, 1);
    if (mistake) {
        return mistake;
    }
    if (series->statements->nelts != 1) {
        return "<DsapiSeries> takes one query, by <DsapiSQL>, DsapiQuery or "
               "DsapiQueryFile";
    }
    APR_ARRAY_PUSH(series->service->series, mod_dsapi_series_t *) = series;
    return NULL;
}

static mod_dsapi_series_t *make_series(cmd_parms *cmd, const char *name,
                                       mod_dsapi_service_t *service)
{
    mod_dsapi_series_t *series = apr_pcalloc(cmd->pool, sizeof(*series));

    series->name = name;
    series->full_name = apr_pstrcat(cmd->pool, service->name, "/", name, NULL);
    series->service = service;
    series->core.dimensions =
        apr_array_make(cmd->pool, 2, sizeof(dsapi_dimension_t));
    series->core.measures = apr_array_make(cmd->pool, 4, sizeof(const char *));
    series->params = apr_array_make(cmd->pool, 4, sizeof(dsapi_param_t *));
    series->texts = apr_array_make(cmd->pool, 1, sizeof(mod_dsapi_text_t));
    series->statements =
        apr_array_make(cmd->pool, 1, sizeof(dsapi_statement_t));
    series->stale = STALE;
    series->db_timeout = -1;
    series->directive = cmd->directive;
    return series;
}

mod_dsapi_series_t *mod_dsapi_find_series(const mod_dsapi_service_t *service,
                                          const char *name)
{
    for (int i = 0; i < service->series->nelts; i++) {
        mod_dsapi_series_t *series =
            APR_ARRAY_IDX(service->series, i, mod_dsapi_series_t *);

        if (strcmp(series->name, name) == 0) {
            return series;
        }
    }
    return NULL;
}

const char *mod_dsapi_open_series(cmd_parms *cmd, void *mconfig,
                                  const char *args)
{
    const mod_dsapi_section_t *outer = mconfig;
    mod_dsapi_section_t inner = {.kind = MOD_DSAPI_IN_SERIES,
                                 .service = outer->service};
    const mod_dsapi_series_t *have;
    apr_array_header_t *words;
    const char *name;
    const char *mistake = mod_dsapi_inner_args(&words, cmd, outer, args);

    if (!words) {
        return mistake;
    }
    if (words->nelts != 1 ||
        !mod_dsapi_is_word(APR_ARRAY_IDX(words, 0, dsapi_arg_t).value)) {
        return "<DsapiSeries> takes a name of letters, digits, '-', '_', '.'";
    }
    name = APR_ARRAY_IDX(words, 0, dsapi_arg_t).value;
    have = mod_dsapi_find_series(outer->service, name);
    if (have) {
        return mod_dsapi_name_taken(cmd, name, have->directive->filename,
                                    have->directive->line_num);
    }
    inner.series = make_series(cmd, name, outer->service);
    mistake = mod_dsapi_read_section(cmd, &inner);
    return mistake ? mistake : close_series(cmd, inner.series);
}

/* Settling, when all sections have been read */

static int session_index(const mod_dsapi_service_t *service, const char *name)
{
    for (int i = 0; i < service->session->nelts; i++) {
        if (strcmp(APR_ARRAY_IDX(service->session, i, mod_dsapi_session_t).name,
                   name) == 0) {
            return i;
        }
    }
    return -1;
}

/* What the session's values decide is a series for each of them. */
static const char *session_mistake(const mod_dsapi_series_t *series,
                                   apr_pool_t *pool)
{
    const apr_array_header_t *session = series->service->session;

    for (int i = 0; i < session->nelts; i++) {
        const char *name = APR_ARRAY_IDX(session, i, mod_dsapi_session_t).name;
        int index = dsapi_route_param_index(series->params, name);
        const dsapi_param_t *param =
            index < 0
                ? NULL
                : APR_ARRAY_IDX(series->params, index, const dsapi_param_t *);

        if (!param || param->type.kind != DSAPI_TYPE_TEXT ||
            param->type.is_array) {
            return apr_psprintf(pool,
                                "the service has DsapiSession %s=..., and its "
                                "value must be "
                                "in the series' key: add \"DsapiParam %s "
                                "text\"",
                                name, name);
        }
    }
    return NULL;
}

const char *mod_dsapi_series_settle(const ap_directive_t **pwhere,
                                    mod_dsapi_series_t *series,
                                    const server_rec *main, apr_pool_t *pconf)
{
    const char *mistake = session_mistake(series, pconf);

    *pwhere = series->directive;
    if (!mistake && mod_dsapi_srv_of(main)->cache_size_bytes == 0) {
        mistake = "DsapiCacheSize 0 leaves no room for it";
    }
    return mistake ? mistake
                   : mod_dsapi_versions_of_series(pwhere, series, pconf);
}

/* Where a parameter of the series gets its value from. */
static const char *tie_param(int *pindex, const mod_dsapi_route_t *route,
                             const dsapi_param_t *param, apr_pool_t *pool)
{
    int index = dsapi_route_param_index(route->params, param->name);
    int session = session_index(route->service, param->name);
    const dsapi_param_t *given =
        index < 0 ? NULL
                  : APR_ARRAY_IDX(route->params, index, const dsapi_param_t *);

    *pindex = session >= 0 ? -2 - session : index;
    if (session >= 0) {
        return NULL;
    }
    if (!given) {
        return param->def
                   ? NULL
                   : apr_psprintf(pool,
                                  "the series' parameter '%s' gets no "
                                  "value: add \"DsapiParam %s %s\" to "
                                  "the route, or default= to the "
                                  "series",
                                  param->name, param->name,
                                  dsapi_base_type_name(param->type, pool));
    }
    return given->type.kind == param->type.kind &&
                   given->type.is_array == param->type.is_array
               ? NULL
               : apr_psprintf(
                     pool, "the parameter '%s' is %s, the series' is %s",
                     param->name, dsapi_base_type_name(given->type, pool),
                     dsapi_base_type_name(param->type, pool));
}

int mod_dsapi_metric_uses(const mod_dsapi_route_t *route, int index)
{
    for (int i = 0; i < route->series->params->nelts; i++) {
        if (route->series_params[i] == index) {
            return 1;
        }
    }
    return dsapi_series_metric_uses(route->metric, index);
}

const char *mod_dsapi_metric_settle(mod_dsapi_route_t *route, apr_pool_t *pconf)
{
    const mod_dsapi_service_t *service = route->service;
    const char *mistake = NULL;
    dsapi_err_t *err;
    int *indexes;

    route->series = mod_dsapi_find_series(service, route->series_name);
    if (!route->series) {
        return apr_psprintf(pconf,
                            "there is no <DsapiSeries %s> in the service '%s'",
                            route->series_name, service->name);
    }
    if (dsapi_series_metric(&route->metric, &err, &route->series->core,
                            route->metric_args, route->params,
                            pconf) != APR_SUCCESS) {
        return err->detail;
    }
    indexes = apr_palloc(
        pconf, sizeof(int) * ((apr_size_t)route->series->params->nelts + 1));
    for (int i = 0; i < route->series->params->nelts && !mistake; i++) {
        mistake = tie_param(
            &indexes[i], route,
            APR_ARRAY_IDX(route->series->params, i, const dsapi_param_t *),
            pconf);
    }
    route->series_params = indexes;
    if (route->db_timeout < 0) {
        route->db_timeout = route->series->db_timeout;
    }
    return mistake;
}
