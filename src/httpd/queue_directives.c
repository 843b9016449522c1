/* The directives of <DsapiSource> about its queue. */
#include "httpd/directives.h"

#include <apr_strings.h>

#include "base/number.h"

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
