/* The directives of <DsapiSource>: its URL, headers, retries, time limit. */
#include "httpd/directives.h"

#include <apr_lib.h>
#include <apr_strings.h>

#include "base/number.h"

const char *mod_dsapi_set_timeout(cmd_parms *cmd, mod_dsapi_section_t *section,
                                  const apr_array_header_t *args)
{
    return mod_dsapi_take_interval(cmd, &section->source->core.timeout,
                                   mod_dsapi_word(args, 0));
}

const char *mod_dsapi_set_fetch(cmd_parms *cmd, mod_dsapi_section_t *section,
                                const apr_array_header_t *args)
{
    const char *text = mod_dsapi_word(args, args->nelts - 1);
    dsapi_template_t *url;
    dsapi_err_t *err;

    if (args->nelts == 2 && (!mod_dsapi_word(args, 0) ||
                             strcmp(mod_dsapi_word(args, 0), "GET") != 0)) {
        return mod_dsapi_fail(cmd, "takes [GET] \"https://host/{param}\"");
    }
    if (!text) {
        return mod_dsapi_fail(cmd, "put the URL into double quotes");
    }
    if (dsapi_source_template(&url, &err, text, cmd->pool, cmd->temp_pool) !=
        APR_SUCCESS) {
        return mod_dsapi_fail(cmd, err->detail);
    }
    section->source->core.url = url;
    return NULL;
}

/* %{ENV} in a header's value: secrets stay out of the files. */
static const char *expand_env(const char **pvalue, const char *text,
                              apr_pool_t *pool)
{
    const char *value = "";
    const char *p = text;
    const char *open;

    while ((open = strstr(p, "%{"))) {
        const char *close = strchr(open, '}');
        const char *name;
        const char *env;

        if (!close) {
            return "\"%{\" has no '}' behind it";
        }
        name = apr_pstrmemdup(pool, open + 2, (apr_size_t)(close - open - 2));
        env = getenv(name);
        if (!env) {
            return apr_pstrcat(pool, "there is no environment variable ", name,
                               NULL);
        }
        value = apr_pstrcat(pool, value,
                            apr_pstrmemdup(pool, p, (apr_size_t)(open - p)),
                            env, NULL);
        p = close + 1;
    }
    *pvalue = apr_pstrcat(pool, value, p, NULL);
    return NULL;
}

static int is_header(const char *line)
{
    const char *colon = strchr(line, ':');

    if (!colon || colon == line) {
        return 0;
    }
    for (const char *p = line; *p; p++) {
        if ((unsigned char)*p < ' ' || *p == 0x7f ||
            (p < colon && !(apr_isalnum(*p) || strchr("-_!#$&'*+.^`|~", *p)))) {
            return 0;
        }
    }
    return 1;
}

const char *mod_dsapi_add_header(cmd_parms *cmd, mod_dsapi_section_t *section,
                                 const apr_array_header_t *args)
{
    const char *line = mod_dsapi_word(args, 0);
    const char *mistake;

    if (!line) {
        return mod_dsapi_fail(cmd, "put the header into double quotes");
    }
    mistake = expand_env(&line, line, cmd->pool);
    if (mistake) {
        return mod_dsapi_fail(cmd, mistake);
    }
    if (!is_header(line)) {
        return mod_dsapi_fail(cmd, "takes \"Name: value\" without control "
                                   "characters");
    }
    if (ap_cstr_casecmpn(line, "Content-Length:", 15) == 0 ||
        ap_cstr_casecmpn(line, "Transfer-Encoding:", 18) == 0) {
        return mod_dsapi_fail(cmd, "the length of a request is not yours to "
                                   "say; take it away");
    }
    APR_ARRAY_PUSH(section->source->headers, const char *) = line;
    return NULL;
}

const char *mod_dsapi_set_retry(cmd_parms *cmd, mod_dsapi_section_t *section,
                                const apr_array_header_t *args)
{
    dsapi_retry_t *retry = &section->source->core.retry;
    apr_int64_t attempts;

    if (!mod_dsapi_word(args, 0) ||
        dsapi_base_parse_int(&attempts, mod_dsapi_word(args, 0), 1, 1000) !=
            APR_SUCCESS) {
        return mod_dsapi_fail(cmd, "takes how many attempts there are, 1 to "
                                   "1000: 5 "
                                   "first=2s max=10min");
    }
    retry->attempts = (int)attempts;
    for (int i = 1; i < args->nelts; i++) {
        const dsapi_arg_t *arg = &APR_ARRAY_IDX(args, i, dsapi_arg_t);
        apr_interval_time_t *pvalue =
            arg->key && strcmp(arg->key, "first") == 0 ? &retry->first
            : arg->key && strcmp(arg->key, "max") == 0 ? &retry->max
                                                       : NULL;
        const char *mistake;

        if (!pvalue) {
            return mod_dsapi_fail(cmd, apr_psprintf(cmd->temp_pool,
                                                    "'%s' is not known; after "
                                                    "the "
                                                    "number come first= and "
                                                    "max=",
                                                    arg->value));
        }
        mistake = mod_dsapi_take_interval(cmd, pvalue, arg->value);
        if (mistake) {
            return mistake;
        }
    }
    if (retry->first > retry->max) {
        return mod_dsapi_fail(cmd, "first= (2s where it is not given) is above "
                                   "max=");
    }
    return NULL;
}
