/* Directives about jobs: of <DsapiRoute>, and of <DsapiSource>'s queue. */
#include "httpd/directives.h"

#include <apr_strings.h>

#include "base/number.h"
#include "source/schedule.h"

/* Jobs */

static const char *set_job_action(const cmd_parms *cmd,
                                  mod_dsapi_section_t *section,
                                  const apr_array_header_t *args,
                                  mod_dsapi_action_e action)
{
    mod_dsapi_route_t *route = section->route;
    const char *mistake = mod_dsapi_take_action(cmd, route, action);

    if (mistake) {
        return mistake;
    }
    route->source_name = mod_dsapi_word(args, 0);
    if (!route->source_name) {
        return mod_dsapi_fail(cmd, "takes the name of a source first");
    }
    for (int i = 1; i < args->nelts; i++) {
        const dsapi_arg_t *arg = &APR_ARRAY_IDX(args, i, dsapi_arg_t);

        if (!arg->key || *arg->value != ':' || !arg->value[1]) {
            return mod_dsapi_fail(cmd, apr_psprintf(cmd->temp_pool,
                                                    "'%s' is not known; after "
                                                    "the "
                                                    "source comes name=:param",
                                                    arg->value));
        }
        for (int j = 1; j < i; j++) {
            if (strcmp(APR_ARRAY_IDX(args, j, dsapi_arg_t).key, arg->key) ==
                0) {
                return mod_dsapi_fail(cmd, apr_psprintf(cmd->temp_pool,
                                                        "'%s' is mapped twice",
                                                        arg->key));
            }
        }
        APR_ARRAY_PUSH(route->mapping, dsapi_arg_t) = *arg;
    }
    return NULL;
}

const char *mod_dsapi_set_enqueue(cmd_parms *cmd, mod_dsapi_section_t *section,
                                  const apr_array_header_t *args)
{
    return set_job_action(cmd, section, args, MOD_DSAPI_ENQUEUE);
}

const char *mod_dsapi_set_job(cmd_parms *cmd, mod_dsapi_section_t *section,
                              const apr_array_header_t *args)
{
    return set_job_action(cmd, section, args, MOD_DSAPI_JOB);
}

/* The queue */

const char *mod_dsapi_set_queue_max(cmd_parms *cmd,
                                    mod_dsapi_section_t *section,
                                    const apr_array_header_t *args)
{
    apr_int64_t n;

    if (!mod_dsapi_word(args, 0) ||
        dsapi_base_parse_int(&n, mod_dsapi_word(args, 0), 1, 1000000) !=
            APR_SUCCESS) {
        return mod_dsapi_fail(cmd, "takes how many jobs may wait, 1 to "
                                   "1000000");
    }
    section->source->core.queue_max = (int)n;
    return NULL;
}

const char *mod_dsapi_set_fresh_for(cmd_parms *cmd,
                                    mod_dsapi_section_t *section,
                                    const apr_array_header_t *args)
{
    return mod_dsapi_take_interval(cmd, &section->source->core.fresh_for,
                                   mod_dsapi_word(args, 0));
}

/* Shorter, and a job could be gone before whoever asked for it has looked. */
#define KEEP_MIN apr_time_from_sec(60)

const char *mod_dsapi_set_job_keep(cmd_parms *cmd, mod_dsapi_section_t *section,
                                   const apr_array_header_t *args)
{
    apr_interval_time_t *pkeep = &section->source->core.job_keep;
    const char *mistake =
        mod_dsapi_take_interval(cmd, pkeep, mod_dsapi_word(args, 0));

    return !mistake && *pkeep < KEEP_MIN ? mod_dsapi_fail(cmd, "takes a minute "
                                                               "at least")
                                         : mistake;
}

/* "5/s": so many in each second, minute or hour. @return the time between
 * two; 0: it is no rate */
static apr_interval_time_t parse_rate(const char *text, apr_pool_t *pool)
{
    const char *slash = strchr(text, '/');
    apr_interval_time_t unit;
    apr_int64_t n;

    if (!slash ||
        dsapi_base_parse_int(
            &n, apr_pstrmemdup(pool, text, (apr_size_t)(slash - text)), 1,
            1000) != APR_SUCCESS ||
        dsapi_base_parse_interval(
            &unit, apr_pstrcat(pool, "1", slash + 1, NULL)) != APR_SUCCESS) {
        return 0;
    }
    return unit / n;
}

const char *mod_dsapi_set_upstream_limit(cmd_parms *cmd,
                                         mod_dsapi_section_t *section,
                                         const apr_array_header_t *args)
{
    static const char usage[] = "takes a rate (1 to 1000 a s, min, h or d), "
                                "concurrency= (1 to 1000), or both: 5/s "
                                "concurrency=4";
    dsapi_source_t *source = &section->source->core;

    for (int i = 0; i < args->nelts; i++) {
        const dsapi_arg_t *arg = &APR_ARRAY_IDX(args, i, dsapi_arg_t);
        apr_int64_t n;

        if (!arg->key && source->every == 0) {
            source->every = parse_rate(arg->value, cmd->temp_pool);
        }
        else if (arg->key && strcmp(arg->key, "concurrency") == 0 &&
                 dsapi_base_parse_int(&n, arg->value, 1, 1000) == APR_SUCCESS) {
            source->concurrency = (int)n;
            continue;
        }
        else {
            return mod_dsapi_fail(cmd, usage);
        }
        if (source->every == 0) {
            return mod_dsapi_fail(cmd, usage);
        }
    }
    return NULL;
}

/* Schedules */

/* Where the names of time zones can be looked up, if they are there. */
#define ZONE_FILES "/usr/share/zoneinfo"

static int is_zone(const char *name, apr_pool_t *pool)
{
    dsapi_type_t type = {DSAPI_TYPE_TZ, 0};
    const char *value;
    const char *why;
    apr_finfo_t info;

    return dsapi_base_type_check(&value, &why, type, name, pool) ==
               APR_SUCCESS &&
           (apr_stat(&info, ZONE_FILES, APR_FINFO_TYPE, pool) != APR_SUCCESS ||
            (apr_stat(&info, apr_pstrcat(pool, ZONE_FILES "/", name, NULL),
                      APR_FINFO_TYPE, pool) == APR_SUCCESS &&
             info.filetype == APR_REG));
}

/* each="SQL": one statement, which knows no parameter. */
static const char *take_each(const cmd_parms *cmd, dsapi_schedule_t *schedule,
                             const char *sql)
{
    apr_array_header_t *statements;
    dsapi_err_t *err;

    if (dsapi_sql_parse(&statements, &err, sql, cmd->pool, cmd->temp_pool) !=
        APR_SUCCESS) {
        return mod_dsapi_fail(
            cmd, apr_pstrcat(cmd->temp_pool, "each=: ", err->detail, NULL));
    }
    schedule->each = APR_ARRAY_IDX(statements, 0, const dsapi_sql_t *);
    if (statements->nelts != 1 || schedule->each->nparams > 0 ||
        dsapi_sql_kind(schedule->each) == DSAPI_SQL_TRANSACTION) {
        return mod_dsapi_fail(cmd, "each= is one statement without parameters, "
                                   "whose columns are the source's");
    }
    return NULL;
}

const char *mod_dsapi_add_schedule(cmd_parms *cmd, mod_dsapi_section_t *section,
                                   const apr_array_header_t *args)
{
    mod_dsapi_source_t *source = section->source;
    dsapi_schedule_t *schedule = apr_pcalloc(cmd->pool, sizeof(*schedule));
    apr_array_header_t *values =
        apr_array_make(cmd->pool, args->nelts, sizeof(dsapi_arg_t));
    mod_dsapi_schedule_t placed = {schedule, cmd->directive};
    const char *mistake = NULL;
    dsapi_err_t *err;

    if (!mod_dsapi_word(args, 0)) {
        return mod_dsapi_fail(cmd, "takes \"every 6h\" or \"cron 0 6 * * *\" "
                                   "first");
    }
    if (dsapi_schedule_rule(&schedule->rule, &err, mod_dsapi_word(args, 0),
                            cmd->pool) != APR_SUCCESS) {
        return mod_dsapi_fail(cmd, err->detail);
    }
    schedule->name = apr_pstrcat(cmd->pool, source->core.name, ": ",
                                 cmd->directive->args, NULL);
    schedule->source = &source->core;
    schedule->zone = "UTC";
    schedule->args = values;
    for (int i = 1; i < args->nelts && !mistake; i++) {
        const dsapi_arg_t *arg = &APR_ARRAY_IDX(args, i, dsapi_arg_t);

        if (!arg->key) {
            mistake = mod_dsapi_fail(cmd, apr_psprintf(cmd->temp_pool,
                                                       "'%s' is not known; "
                                                       "after the rule come "
                                                       "tz=, "
                                                       "name=value and each=",
                                                       arg->value));
        }
        else if (strcmp(arg->key, "each") == 0) {
            mistake = take_each(cmd, schedule, arg->value);
        }
        else if (strcmp(arg->key, "tz") != 0) {
            APR_ARRAY_PUSH(values, dsapi_arg_t) = *arg;
        }
        else if (is_zone(arg->value, cmd->temp_pool)) {
            schedule->zone = arg->value;
        }
        else {
            mistake = mod_dsapi_fail(cmd, apr_psprintf(cmd->temp_pool,
                                                       "'%s' is no time zone, "
                                                       "such as "
                                                       "Europe/Madrid",
                                                       arg->value));
        }
    }
    APR_ARRAY_PUSH(source->schedules, mod_dsapi_schedule_t) = placed;
    return mistake;
}
