/* The container <DsapiSource>. */
#include "httpd/config.h"

#include <apr_strings.h>

#include "base/args.h"
#include "httpd/directives.h"
#include "source/schedule.h"

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

static void push_param(apr_array_header_t *params, const char *name,
                       dsapi_type_e kind)
{
    dsapi_param_t *param = apr_pcalloc(params->pool, sizeof(*param));

    param->name = name;
    param->type.kind = kind;
    APR_ARRAY_PUSH(params, dsapi_param_t *) = param;
}

/* DsapiStore sees the source's parameters, the columns of DsapiResolve (whose
 * types are known when it has run), and the document. */
static const char *parse_store(cmd_parms *cmd, mod_dsapi_source_t *source)
{
    const apr_array_header_t *columns = source->core.columns;
    apr_array_header_t *params = apr_array_copy(cmd->pool, source->params);
    apr_array_header_t *store =
        apr_array_make(cmd->pool, 1, sizeof(dsapi_statement_t));

    for (int i = 0; columns && i < columns->nelts; i++) {
        push_param(params, APR_ARRAY_IDX(columns, i, const char *),
                   DSAPI_TYPE_TEXT);
    }
    push_param(params, DSAPI_SOURCE_BODY, DSAPI_TYPE_JSON);
    source->core.store = store;
    return mod_dsapi_parse_texts(cmd, store, source->texts, params, 0);
}

/* DsapiResolve: names that are not declared are columns of it, from here on.
 * @param columns  of const char *: those of the URL and of DsapiStore are added
 */
static const char *close_resolve(cmd_parms *cmd, mod_dsapi_source_t *source,
                                 apr_array_header_t *columns)
{
    const dsapi_template_t *url = source->core.url;
    apr_array_header_t *resolve =
        apr_array_make(cmd->pool, 1, sizeof(dsapi_statement_t));
    const char *mistake =
        mod_dsapi_parse_texts(cmd, resolve, source->resolve, source->params, 0);

    if (mistake) {
        return mistake;
    }
    if (resolve->nelts != 1) {
        return mod_dsapi_mistake_at(
            cmd, APR_ARRAY_IDX(source->resolve, 0, mod_dsapi_text_t).directive,
            "takes one statement");
    }
    source->core.resolve = resolve;
    for (int i = 0; i < url->nparts; i++) {
        if (url->parts[i].is_var) {
            dsapi_source_add_column(columns, source->params,
                                    url->parts[i].text);
        }
    }
    for (int i = 0; i < source->texts->nelts; i++) {
        apr_array_header_t *parsed;
        dsapi_err_t *err;

        dsapi_sql_parse(&parsed, &err,
                        APR_ARRAY_IDX(source->texts, i, mod_dsapi_text_t).sql,
                        cmd->pool, cmd->temp_pool);
        for (int j = 0; parsed && j < parsed->nelts; j++) {
            const dsapi_sql_t *sql = APR_ARRAY_IDX(parsed, j, dsapi_sql_t *);

            for (int k = 0; k < sql->nparams; k++) {
                dsapi_source_add_column(columns, source->params, sql->names[k]);
            }
        }
    }
    return NULL;
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

        if (at < 0 && source->core.resolve &&
            strcmp(url->parts[i].text, DSAPI_SOURCE_BODY) != 0) {
            continue; /* a column: whether it is there is found out then */
        }
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
                return mod_dsapi_mistake_at(cmd, one->directive,
                                            "stands here twice");
            }
        }
        if (dsapi_schedule_check(&err, one->core, cmd->temp_pool) !=
            APR_SUCCESS) {
            return mod_dsapi_mistake_at(cmd, one->directive,
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
    apr_array_header_t *columns = NULL;
    const char *mistake = NULL;
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
    if (source->resolve->nelts > 0) {
        columns = apr_array_make(cmd->pool, 4, sizeof(const char *));
        mistake = close_resolve(cmd, source, columns);
    }
    source->core.columns = columns;
    if (!mistake) {
        mistake = check_url(cmd, source);
    }
    if (!mistake) {
        mistake = mod_dsapi_settle_fetch(cmd, source, columns);
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
    source->resolve = apr_array_make(cmd->pool, 1, sizeof(mod_dsapi_text_t));
    source->schedules =
        apr_array_make(cmd->pool, 1, sizeof(mod_dsapi_schedule_t));
    source->place = mod_dsapi_place_of(cmd);
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
    const char *mistake = mod_dsapi_inner_args(&words, cmd, outer, args);

    if (!words) {
        return mistake;
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
            return mod_dsapi_name_taken(cmd, name, have->place.file,
                                        have->place.line);
        }
    }
    inner.source = make_source(cmd, name, outer->service);
    mistake = mod_dsapi_read_section(cmd, &inner);
    return mistake ? mistake : close_source(cmd, inner.source, outer->service);
}
