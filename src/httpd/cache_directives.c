/* The directives of caching, in a service or a route. */
#include "httpd/directives.h"

#include <apr_lib.h>
#include <apr_strings.h>

#include "base/number.h"

/* How long behind its end an answer may still be given, where nothing else is
 * said. */
#define STALE apr_time_from_sec(3600)

/* One of the arguments behind the time. */
static const char *take_option(const cmd_parms *cmd,
                               mod_dsapi_caching_t *caching,
                               const dsapi_arg_t *arg)
{
    if (!arg->key && strcmp(arg->value, "public") == 0) {
        caching->scope = MOD_DSAPI_CACHE_PUBLIC;
    }
    else if (!arg->key && strcmp(arg->value, "private") == 0) {
        caching->scope = MOD_DSAPI_CACHE_PRIVATE;
    }
    else if (!arg->key || strcmp(arg->key, "stale") != 0) {
        return mod_dsapi_fail(cmd,
                              apr_psprintf(cmd->temp_pool,
                                           "takes a time, then public or "
                                           "private, and "
                                           "stale=time; '%s' is not known",
                                           arg->key ? arg->key : arg->value));
    }
    else if (dsapi_base_parse_interval(&caching->stale, arg->value) !=
             APR_SUCCESS) {
        return mod_dsapi_fail(cmd, "takes stale= a time with its unit (ms, s, "
                                   "min, h or d), such as stale=1h");
    }
    return NULL;
}

const char *mod_dsapi_set_cache(cmd_parms *cmd, mod_dsapi_section_t *section,
                                const apr_array_header_t *args)
{
    mod_dsapi_caching_t *caching =
        section->route ? &section->route->caching : &section->service->caching;
    const char *time = mod_dsapi_word(args, 0);
    const char *mistake = NULL;

    *caching =
        (mod_dsapi_caching_t){.directive = cmd->directive, .stale = STALE};
    if (args->nelts == 1 && time && ap_cstr_casecmp(time, "Off") == 0) {
        return NULL;
    }
    mistake = mod_dsapi_take_interval(cmd, &caching->life, time);
    if (!mistake && caching->life < apr_time_from_sec(1)) {
        mistake = mod_dsapi_fail(cmd, "takes a second at least");
    }
    for (int i = 1; i < args->nelts && !mistake; i++) {
        mistake =
            take_option(cmd, caching, &APR_ARRAY_IDX(args, i, dsapi_arg_t));
    }
    return mistake;
}

/* name, or service/name */
static int is_name(const char *name)
{
    int slashes = 0;

    for (const char *p = name; *p; p++) {
        if (*p == '/' && p > name && p[1]) {
            slashes++;
        }
        else if (!apr_isalnum(*p) && !strchr("_-.", *p)) {
            return 0;
        }
    }
    return *name && slashes <= 1;
}

const char *mod_dsapi_set_depends(cmd_parms *cmd, mod_dsapi_section_t *section,
                                  const apr_array_header_t *args)
{
    mod_dsapi_depends_t *depends = section->route ? &section->route->depends
                                   : section->series
                                       ? &section->series->depends
                                       : &section->service->depends;
    const char *first = mod_dsapi_word(args, 0);

    if (!depends->directive) {
        depends->names = apr_array_make(cmd->pool, 2, sizeof(const char *));
    }
    depends->directive = cmd->directive;
    if (args->nelts == 1 && first && ap_cstr_casecmp(first, "Off") == 0) {
        apr_array_clear(depends->names);
        return NULL;
    }
    for (int i = 0; i < args->nelts; i++) {
        const char *name = mod_dsapi_word(args, i);

        if (!name || !is_name(name)) {
            return mod_dsapi_fail(
                cmd, apr_psprintf(cmd->temp_pool,
                                  "'%s' is no name of data: a source of the "
                                  "service, or service/name",
                                  APR_ARRAY_IDX(args, i, dsapi_arg_t).value));
        }
        APR_ARRAY_PUSH(depends->names, const char *) = name;
    }
    return NULL;
}
