/* The directives of <DsapiSource>: what is asked of whom, what is expected,
 * retries, time limits. */
#include "httpd/directives.h"

#include <apr_escape.h>
#include <apr_lib.h>
#include <apr_sha1.h>
#include <apr_strings.h>
#include <http_config.h>
#include <limits.h>

#include "base/number.h"

/* Defaults, where DsapiTimeout itself is not shorter. */
#define CONNECT_TIMEOUT apr_time_from_sec(10)
#define STALL_TIMEOUT   apr_time_from_sec(30)

/* A CA file is some certificates, not a disk. */
#define CA_MAX_BYTES 4194304

const char *mod_dsapi_set_timeout(cmd_parms *cmd, mod_dsapi_section_t *section,
                                  const apr_array_header_t *args)
{
    dsapi_source_t *core = &section->source->core;
    const char *mistake =
        mod_dsapi_take_interval(cmd, &core->timeout, mod_dsapi_word(args, 0));

    for (int i = 1; !mistake && i < args->nelts; i++) {
        const dsapi_arg_t *arg = &APR_ARRAY_IDX(args, i, dsapi_arg_t);
        apr_interval_time_t *pvalue =
            arg->key && strcmp(arg->key, "connect") == 0
                ? &core->connect_timeout
            : arg->key && strcmp(arg->key, "stall") == 0 ? &core->stall_timeout
                                                         : NULL;

        if (!pvalue) {
            return mod_dsapi_fail(cmd, apr_psprintf(cmd->temp_pool,
                                                    "'%s' is not known; after "
                                                    "the time come connect= "
                                                    "and stall=",
                                                    arg->value));
        }
        mistake = mod_dsapi_take_interval(cmd, pvalue, arg->value);
    }
    return mistake;
}

const char *mod_dsapi_set_fetch(cmd_parms *cmd, mod_dsapi_section_t *section,
                                const apr_array_header_t *args)
{
    const char *text = mod_dsapi_word(args, args->nelts - 1);
    const char *method = args->nelts == 2 ? mod_dsapi_word(args, 0) : "GET";
    dsapi_template_t *url;
    dsapi_err_t *err;

    if (!method ||
        (strcmp(method, "GET") != 0 && strcmp(method, "POST") != 0)) {
        return mod_dsapi_fail(cmd, "takes [GET|POST] \"https://host/{param}\"");
    }
    if (!text) {
        return mod_dsapi_fail(cmd, "put the URL into double quotes");
    }
    if (dsapi_source_template(&url, &err, text, cmd->pool, cmd->temp_pool) !=
        APR_SUCCESS) {
        return mod_dsapi_fail(cmd, err->detail);
    }
    section->source->core.url = url;
    section->source->core.post = *method == 'P';
    return NULL;
}

const char *mod_dsapi_set_fetch_body(cmd_parms *cmd,
                                     mod_dsapi_section_t *section,
                                     const apr_array_header_t *args)
{
    section->source->core.body = mod_dsapi_word(args, 0);
    return section->source->core.body ? NULL
                                      : mod_dsapi_fail(cmd, "put the JSON into "
                                                            "single quotes");
}

const char *mod_dsapi_add_hosts(cmd_parms *cmd, mod_dsapi_section_t *section,
                                const apr_array_header_t *args)
{
    for (int i = 0; i < args->nelts; i++) {
        const char *word = mod_dsapi_word(args, i);
        const char *host = word ? dsapi_address_host(word, cmd->pool) : NULL;

        if (!host) {
            return mod_dsapi_fail(
                cmd, apr_psprintf(cmd->temp_pool,
                                  "'%s' is neither a host name nor an address; "
                                  "scheme, port and '*' do not belong here",
                                  APR_ARRAY_IDX(args, i, dsapi_arg_t).value));
        }
        APR_ARRAY_PUSH(section->source->hosts, dsapi_host_t) =
            (dsapi_host_t){host, 1};
    }
    return NULL;
}

const char *mod_dsapi_add_expect(cmd_parms *cmd, mod_dsapi_section_t *section,
                                 const apr_array_header_t *args)
{
    for (int i = 0; i < args->nelts; i++) {
        const dsapi_arg_t *arg = &APR_ARRAY_IDX(args, i, dsapi_arg_t);
        dsapi_err_t *err;

        if (dsapi_expect_add(&section->source->core.expect, &err, arg->key,
                             arg->value, cmd->pool) != APR_SUCCESS) {
            return mod_dsapi_fail(cmd, err->detail);
        }
    }
    return NULL;
}

const char *mod_dsapi_set_follow(cmd_parms *cmd, mod_dsapi_section_t *section,
                                 const apr_array_header_t *args)
{
    dsapi_follow_t *follow = &section->source->core.follow;
    const char *word = mod_dsapi_word(args, 0);
    apr_int64_t max = DSAPI_FOLLOW_MAX;

    if (!word || (strcmp(word, "link") != 0 &&
                  (*word != '/' || !dsapi_expect_pointer(word)))) {
        return mod_dsapi_fail(cmd, "takes link, or the JSON pointer to the "
                                   "next page's URL, such as /next");
    }
    if (args->nelts == 2) {
        const dsapi_arg_t *arg = &APR_ARRAY_IDX(args, 1, dsapi_arg_t);

        if (!arg->key || strcmp(arg->key, "max") != 0 ||
            dsapi_base_parse_int(&max, arg->value, 1, 10000) != APR_SUCCESS) {
            return mod_dsapi_fail(cmd, "after that comes max=, how many pages "
                                       "there may be, 1 to 10000");
        }
    }
    follow->pointer = *word == '/' ? word : NULL;
    follow->max = (int)max;
    return NULL;
}

/* The file is read here, since a child may not be allowed to. */
const char *mod_dsapi_set_ca(cmd_parms *cmd, mod_dsapi_section_t *section,
                             const apr_array_header_t *args)
{
    const char *name = mod_dsapi_word(args, 0);
    const char *path =
        name ? ap_server_root_relative(cmd->temp_pool, name) : NULL;
    apr_file_t *file;
    apr_finfo_t info = {0};
    char *text = NULL;
    apr_status_t rv;

    if (!path) {
        return mod_dsapi_fail(cmd, "takes the path of a PEM file");
    }
    rv = apr_file_open(&file, path, APR_FOPEN_READ, APR_FPROT_OS_DEFAULT,
                       cmd->temp_pool);
    if (rv == APR_SUCCESS) {
        rv = apr_file_info_get(&info, APR_FINFO_SIZE, file);
    }
    if (rv == APR_SUCCESS && info.size <= CA_MAX_BYTES) {
        text = apr_pcalloc(cmd->pool, (apr_size_t)info.size + 1);
        rv = apr_file_read_full(file, text, (apr_size_t)info.size, NULL);
    }
    if (rv != APR_SUCCESS) {
        return mod_dsapi_fail(
            cmd,
            apr_psprintf(cmd->temp_pool, "cannot read %s: %pm", path, &rv));
    }
    if (!text || !ap_strstr_c(text, "-----BEGIN CERTIFICATE-----")) {
        return mod_dsapi_fail(cmd, apr_psprintf(cmd->temp_pool,
                                                "%s holds no certificate "
                                                "(PEM: -----BEGIN "
                                                "CERTIFICATE-----)",
                                                path));
    }
    section->source->core.ca = text;
    return NULL;
}

const char *mod_dsapi_check_proxy(const cmd_parms *cmd, const char *url)
{
    const char *host = ap_strstr_c(url, "://");
    const char *at = ap_strrchr_c(url, '@');
    const char *port;
    dsapi_template_t *tmpl;
    dsapi_err_t *err;

    host = host ? host + 3 : url;
    at = at ? at + 1 : host;
    port = ap_strrchr_c(at, ':');
    /* without who we are there, a URL like any other */
    if (dsapi_source_template(
            &tmpl, &err,
            apr_pstrcat(
                cmd->temp_pool,
                apr_pstrmemdup(cmd->temp_pool, url, (apr_size_t)(host - url)),
                at, NULL),
            cmd->temp_pool, cmd->temp_pool) != APR_SUCCESS ||
        !port || !apr_isdigit(port[1]) ||
        port[1 + strspn(port + 1, "0123456789")]) {
        return mod_dsapi_fail(cmd, "takes http://host:port or https://host:port"
                                   ", with user:password@ before the host "
                                   "where the proxy wants it");
    }
    return NULL;
}

/* %{ENV} in a header's value: secrets stay out of the files. */
static const char *expand_env(const char **pvalue, apr_array_header_t *secrets,
                              const char *text, apr_pool_t *pool)
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
        env = apr_pstrdup(pool, getenv(name));
        if (!env) {
            return apr_pstrcat(pool, "there is no environment variable ", name,
                               NULL);
        }
        value = apr_pstrcat(pool, value,
                            apr_pstrmemdup(pool, p, (apr_size_t)(open - p)),
                            env, NULL);
        APR_ARRAY_PUSH(secrets, const char *) = env;
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
    mistake = expand_env(&line, section->source->secrets, line, cmd->pool);
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

/* All directives of the section, as they are written: with another one, what
 * is stored may have to be stored anew. */
static const char *definition_of(const ap_directive_t *section,
                                 apr_pool_t *pool)
{
    unsigned char digest[APR_SHA1_DIGESTSIZE];
    apr_sha1_ctx_t context;

    apr_sha1_init(&context);
    for (const ap_directive_t *d = section->first_child; d; d = d->next) {
        const char *line =
            apr_pstrcat(pool, d->directive, " ", d->args, "\n", NULL);

        apr_sha1_update(&context, line, (unsigned)strlen(line));
    }
    apr_sha1_final(digest, &context);
    return apr_pescape_hex(pool, digest, sizeof(digest), 0);
}

static apr_interval_time_t at_most(apr_interval_time_t value,
                                   apr_interval_time_t max)
{
    return value < max ? value : max;
}

const char *mod_dsapi_settle_fetch(cmd_parms *cmd, mod_dsapi_source_t *source,
                                   apr_array_header_t *columns)
{
    dsapi_source_t *core = &source->core;
    dsapi_err_t *err;

    if (core->follow.max > 0 && core->post) {
        return "DsapiFollow goes with DsapiFetch GET";
    }

    if (core->body && !core->post) {
        return "DsapiFetchBody goes with DsapiFetch POST";
    }
    if (core->body &&
        dsapi_source_body_check(&err, core->body, source->params, columns,
                                cmd->pool) != APR_SUCCESS) {
        return apr_pstrcat(cmd->pool, "DsapiFetchBody: ", err->detail, NULL);
    }
    /* an address that is written here cannot come to be another one */
    APR_ARRAY_PUSH(source->hosts, dsapi_host_t) = (dsapi_host_t){
        core->url->host, dsapi_address_is_literal(core->url->host)};
    core->connect_timeout =
        at_most(core->connect_timeout ? core->connect_timeout : CONNECT_TIMEOUT,
                core->timeout);
    core->stall_timeout =
        at_most(core->stall_timeout ? core->stall_timeout : STALL_TIMEOUT,
                core->timeout);
    core->definition = definition_of(cmd->directive, cmd->pool);
    return NULL;
}
