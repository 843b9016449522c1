/*
 * The directives that are no containers. Each names where it may stand; its
 * arguments are split by our own tokenizer (words and key=value).
 */
#include "httpd/directives.h"

#include <apr_strings.h>
#include <http_log.h>

#include "base/number.h"

APLOG_USE_MODULE(dsapi); /* ap_expr_parse_cmd logs for us */

/* In inner_t.where: it may stand in a section more than once. */
#define REPEATABLE 1024

/* A directive within a section: where it belongs, and what it does. */
typedef struct inner_t {
    int where; /* of mod_dsapi_kind_e, and REPEATABLE */
    int min_words;
    int max_words;
    const char *(*set)(cmd_parms *cmd, mod_dsapi_section_t *section,
                       const apr_array_header_t *args);
    const char *usage;
} inner_t;

/* "<DsapiRoute>, <DsapiSource> or <DsapiSeries>" */
static const char *place_names(int where, apr_pool_t *pool)
{
    static const struct {
        int kind;
        const char *name;
    } places[] = {{MOD_DSAPI_IN_SERVICE, "<DsapiService>"},
                  {MOD_DSAPI_IN_ROUTE, "<DsapiRoute>"},
                  {MOD_DSAPI_IN_SOURCE, "<DsapiSource>"},
                  {MOD_DSAPI_IN_SERIES, "<DsapiSeries>"},
                  {MOD_DSAPI_IN_RESOURCE, "<DsapiResource>"}};
    const char *names = NULL;
    const char *between = " or ";

    for (int i = (int)(sizeof(places) / sizeof(places[0])) - 1; i >= 0; i--) {
        if (!(where & places[i].kind)) {
            continue;
        }
        if (names) {
            names = apr_pstrcat(pool, places[i].name, between, names, NULL);
            between = ", ";
        }
        else {
            names = places[i].name;
        }
    }
    return names;
}

const char *mod_dsapi_fail(const cmd_parms *cmd, const char *text)
{
    return apr_pstrcat(cmd->pool, cmd->cmd->name, ": ", text, NULL);
}

/* The line of an earlier one in the same section; 0: there is none. */
static int earlier_line(const cmd_parms *cmd)
{
    const ap_directive_t *parent = cmd->directive->parent;

    for (const ap_directive_t *d = parent ? parent->first_child : NULL;
         d && d != cmd->directive; d = d->next) {
        if (ap_cstr_casecmp(d->directive, cmd->cmd->name) == 0) {
            return d->line_num;
        }
    }
    return 0;
}

/* Every directive of a section comes through here. */
static const char *set_inner(cmd_parms *cmd, void *mconfig, const char *line)
{
    const inner_t *inner = cmd->info;
    mod_dsapi_section_t *section = mconfig;
    apr_array_header_t *args;
    dsapi_err_t *err;

    if (!(section->kind & inner->where)) {
        return mod_dsapi_fail(
            cmd, apr_pstrcat(cmd->temp_pool, "belongs into ",
                             place_names(inner->where, cmd->temp_pool), NULL));
    }
    if (!(inner->where & REPEATABLE) && earlier_line(cmd) > 0) {
        return mod_dsapi_fail(cmd, apr_psprintf(cmd->temp_pool,
                                                "stands in line %d already; "
                                                "take one away",
                                                earlier_line(cmd)));
    }
    if (dsapi_base_args_parse(&args, &err, line, cmd->pool) != APR_SUCCESS) {
        return mod_dsapi_fail(cmd, err->detail);
    }
    if (args->nelts < inner->min_words || args->nelts > inner->max_words) {
        return mod_dsapi_fail(cmd, inner->usage);
    }
    return inner->set(cmd, section, args);
}

const char *mod_dsapi_word(const apr_array_header_t *args, int index)
{
    const dsapi_arg_t *arg = &APR_ARRAY_IDX(args, index, dsapi_arg_t);

    return arg->key ? NULL : arg->value;
}

/* A single mod_dsapi_word; NULL where it is key=value. */
static const char *set_text(const cmd_parms *cmd, const char **ptext,
                            const apr_array_header_t *args)
{
    *ptext = mod_dsapi_word(args, 0);
    return *ptext ? NULL
                  : mod_dsapi_fail(cmd, "put the text into double quotes");
}

/* name=expr: an expression of httpd's (ap_expr) that gives a string. */
static const char *add_session(cmd_parms *cmd, mod_dsapi_section_t *section,
                               const apr_array_header_t *args)
{
    apr_array_header_t *session = section->service->session;
    const dsapi_arg_t *arg = &APR_ARRAY_IDX(args, 0, dsapi_arg_t);
    mod_dsapi_session_t value = {arg->key, NULL, arg->value};
    const char *mistake = NULL;

    if (!arg->key || arg->key[strspn(arg->key, "abcdefghijklmnopqrstuvwxyz01234"
                                               "56789_")]) {
        return mod_dsapi_fail(cmd, "takes name=\"expression\"; a name is "
                                   "lower-case letters, digits and '_', no "
                                   "digit first");
    }
    for (int i = 0; i < session->nelts; i++) {
        if (strcmp(APR_ARRAY_IDX(session, i, mod_dsapi_session_t).name,
                   arg->key) == 0) {
            return mod_dsapi_fail(cmd, apr_psprintf(cmd->temp_pool,
                                                    "'%s' is declared already",
                                                    arg->key));
        }
    }
    value.expr = ap_expr_parse_cmd(cmd, arg->value, AP_EXPR_FLAG_STRING_RESULT,
                                   &mistake, NULL);
    if (mistake) {
        return mod_dsapi_fail(
            cmd, apr_psprintf(cmd->temp_pool, "'%s': %s", arg->value, mistake));
    }
    APR_ARRAY_PUSH(session, mod_dsapi_session_t) = value;
    return NULL;
}

static const char *set_title(cmd_parms *cmd, mod_dsapi_section_t *section,
                             const apr_array_header_t *args)
{
    return set_text(cmd, &section->service->title, args);
}

static const char *set_version(cmd_parms *cmd, mod_dsapi_section_t *section,
                               const apr_array_header_t *args)
{
    return set_text(cmd, &section->service->version, args);
}

static const char *set_description(cmd_parms *cmd, mod_dsapi_section_t *section,
                                   const apr_array_header_t *args)
{
    return set_text(cmd,
                    section->route ? &section->route->description
                                   : &section->service->description,
                    args);
}

static const char *set_summary(cmd_parms *cmd, mod_dsapi_section_t *section,
                               const apr_array_header_t *args)
{
    return set_text(cmd, &section->route->summary, args);
}

static const char *set_tag(cmd_parms *cmd, mod_dsapi_section_t *section,
                           const apr_array_header_t *args)
{
    return set_text(cmd, &section->route->tag, args);
}

static const char *add_param(cmd_parms *cmd, mod_dsapi_section_t *section,
                             const apr_array_header_t *args)
{
    apr_array_header_t *params = section->route    ? section->route->params
                                 : section->series ? section->series->params
                                                   : section->source->params;
    dsapi_param_t *param;
    dsapi_err_t *err;

    if (dsapi_route_param_parse(&param, &err, args, cmd->pool) != APR_SUCCESS) {
        return mod_dsapi_fail(cmd, err->detail);
    }
    if (dsapi_route_param_index(params, param->name) >= 0) {
        return mod_dsapi_fail(cmd, apr_psprintf(cmd->temp_pool,
                                                "'%s' is declared already",
                                                param->name));
    }
    APR_ARRAY_PUSH(params, dsapi_param_t *) = param;
    return NULL;
}

const char *mod_dsapi_take_action(const cmd_parms *cmd,
                                  mod_dsapi_route_t *route,
                                  mod_dsapi_action_e action)
{
    if (route->action != MOD_DSAPI_NO_ACTION &&
        !(route->action == MOD_DSAPI_QUERY && action == MOD_DSAPI_QUERY)) {
        return mod_dsapi_fail(cmd, "the route has an action already");
    }
    route->action = action;
    route->action_directive = cmd->directive;
    return NULL;
}

/* Times and sizes */

const char *mod_dsapi_take_interval(const cmd_parms *cmd,
                                    apr_interval_time_t *pvalue,
                                    const char *value)
{
    if (!value || dsapi_base_parse_interval(pvalue, value) != APR_SUCCESS ||
        *pvalue == 0) {
        return mod_dsapi_fail(cmd, "takes a time with its unit (ms, s, min, h "
                                   "or d), "
                                   "such as 500ms or 5s, above 0");
    }
    return NULL;
}

/* PostgreSQL counts milliseconds in an integer. */
#define DB_TIMEOUT_MAX apr_time_from_sec(24 * 86400)

static const char *take_db_timeout(const cmd_parms *cmd,
                                   apr_interval_time_t *pvalue,
                                   const char *value)
{
    const char *mistake = mod_dsapi_take_interval(cmd, pvalue, value);

    return !mistake && *pvalue > DB_TIMEOUT_MAX ? mod_dsapi_fail(cmd, "takes "
                                                                      "at most "
                                                                      "24d")
                                                : mistake;
}

int mod_dsapi_on_off(const char *value)
{
    if (value && ap_cstr_casecmp(value, "On") == 0) {
        return 1;
    }
    return value && ap_cstr_casecmp(value, "Off") == 0 ? 0 : -1;
}

static const char *set_write(cmd_parms *cmd, mod_dsapi_section_t *section,
                             const apr_array_header_t *args)
{
    section->route->write = mod_dsapi_on_off(mod_dsapi_word(args, 0));
    return section->route->write < 0 ? mod_dsapi_fail(cmd, "is On or Off")
                                     : NULL;
}

static const char *set_read_from(cmd_parms *cmd, mod_dsapi_section_t *section,
                                 const apr_array_header_t *args)
{
    const char *value = mod_dsapi_word(args, 0);

    if (value && strcmp(value, "standby") == 0) {
        section->route->standby = cmd->directive;
        return NULL;
    }
    return value && strcmp(value, "primary") == 0
               ? NULL
               : mod_dsapi_fail(cmd, "is primary or standby");
}

static const char *set_max_body(cmd_parms *cmd, mod_dsapi_section_t *section,
                                const apr_array_header_t *args)
{
    apr_off_t *pvalue = section->route      ? &section->route->max_body_bytes
                        : section->resource ? &section->resource->max_body_bytes
                        : section->source
                            ? &section->source->core.max_body_bytes
                            : &section->service->max_body_bytes;

    if (!mod_dsapi_word(args, 0) ||
        dsapi_base_parse_size(pvalue, mod_dsapi_word(args, 0)) != APR_SUCCESS ||
        *pvalue == 0) {
        return mod_dsapi_fail(cmd, "takes a size (bytes, or with K, M or G), "
                                   "such as "
                                   "10M, above 0");
    }
    return NULL;
}

/* Servers */

static const char *refuse_section(const cmd_parms *cmd, const void *mconfig)
{
    const mod_dsapi_section_t *section = mconfig;

    return section->kind == MOD_DSAPI_TOP
               ? NULL
               : mod_dsapi_fail(cmd, "belongs outside "
                                     "<DsapiService>, or into "
                                     "<VirtualHost>");
}

/* What is the whole server's, whoever asks. */
static const char *refuse_host(const cmd_parms *cmd, const void *mconfig)
{
    const char *mistake = refuse_section(cmd, mconfig);

    return mistake || !cmd->server->is_virtual
               ? mistake
               : mod_dsapi_fail(cmd, "belongs outside <VirtualHost>: it "
                                     "counts for the whole server");
}

/* A directive's info points to where its member is in the struct. */
static char layout[sizeof(mod_dsapi_srv_t)];

static char *member_of(const cmd_parms *cmd)
{
    return (char *)mod_dsapi_srv_of(cmd->server) +
           ((const char *)cmd->info - layout);
}

static const char *set_interval(cmd_parms *cmd, void *mconfig,
                                const char *value)
{
    const char *mistake = refuse_section(cmd, mconfig);

    return mistake
               ? mistake
               : mod_dsapi_take_interval(
                     cmd, (apr_interval_time_t *)(void *)member_of(cmd), value);
}

/* DsapiDBTimeout stands in a server, a route, a source or a series. */
static const char *set_db_timeout(cmd_parms *cmd, void *mconfig,
                                  const char *value)
{
    mod_dsapi_section_t *section = mconfig;

    if (section->route) {
        return take_db_timeout(cmd, &section->route->db_timeout, value);
    }
    if (section->source) {
        return take_db_timeout(cmd, &section->source->core.store_timeout,
                               value);
    }
    if (section->series) {
        return take_db_timeout(cmd, &section->series->db_timeout, value);
    }
    if (section->resource) {
        return take_db_timeout(cmd, &section->resource->db_timeout, value);
    }
    if (section->service) {
        return mod_dsapi_fail(cmd, "belongs into <DsapiRoute>, "
                                   "<DsapiSource>, <DsapiSeries> or "
                                   "<DsapiResource>, or "
                                   "outside <DsapiService>");
    }
    return take_db_timeout(cmd, &mod_dsapi_srv_of(cmd->server)->db_timeout,
                           value);
}

static const char *set_flag(cmd_parms *cmd, void *mconfig, int on)
{
    const char *mistake = refuse_section(cmd, mconfig);

    if (!mistake) {
        *(int *)(void *)member_of(cmd) = on;
    }
    return mistake;
}

static const char *set_worker(cmd_parms *cmd, void *mconfig, int on)
{
    const char *mistake = refuse_host(cmd, mconfig);

    return mistake ? mistake : set_flag(cmd, mconfig, on);
}

static const char *set_concurrency(cmd_parms *cmd, void *mconfig,
                                   const char *value)
{
    const char *mistake = refuse_host(cmd, mconfig);
    apr_int64_t n;

    if (mistake) {
        return mistake;
    }
    if (dsapi_base_parse_int(&n, value, 1, 1000) != APR_SUCCESS) {
        return mod_dsapi_fail(cmd, "takes a number of transfers, 1 to 1000");
    }
    mod_dsapi_srv_of(cmd->server)->concurrency = (int)n;
    return NULL;
}

static const char *set_streams(cmd_parms *cmd, void *mconfig, const char *value)
{
    const char *mistake = refuse_section(cmd, mconfig);
    apr_int64_t n;

    if (mistake) {
        return mistake;
    }
    if (dsapi_base_parse_int(&n, value, 0, 1000) != APR_SUCCESS) {
        return mod_dsapi_fail(cmd, "takes a number of connections, 0 to 1000");
    }
    mod_dsapi_srv_of(cmd->server)->streams = (int)n;
    return NULL;
}

static const char *set_cache_size(cmd_parms *cmd, void *mconfig,
                                  const char *value)
{
    const char *mistake = refuse_host(cmd, mconfig);

    if (mistake) {
        return mistake;
    }
    return dsapi_base_parse_size(
               &mod_dsapi_srv_of(cmd->server)->cache_size_bytes, value) ==
                   APR_SUCCESS
               ? NULL
               : mod_dsapi_fail(cmd, "takes a size (bytes, or with K, M or G), "
                                     "such as "
                                     "64M");
}

#define RATE_STORE_MIN_BYTES ((apr_off_t)64 * 1024)
#define RATE_STORE_MAX_BYTES ((apr_off_t)1024 * 1024 * 1024)

static const char *set_rate_store(cmd_parms *cmd, void *mconfig,
                                  const char *value)
{
    const char *mistake = refuse_host(cmd, mconfig);
    apr_off_t *pbytes = &mod_dsapi_srv_of(cmd->server)->rate_store_bytes;

    if (mistake) {
        return mistake;
    }
    if (strcmp(value, "shm") == 0) {
        *pbytes = -1; /* the default */
        return NULL;
    }
    return strncmp(value, "shm:", 4) == 0 &&
                   dsapi_base_parse_size(pbytes, value + 4) == APR_SUCCESS &&
                   *pbytes >= RATE_STORE_MIN_BYTES &&
                   *pbytes <= RATE_STORE_MAX_BYTES
               ? NULL
               : mod_dsapi_fail(cmd, "takes shm, or shm: and a size, 64K to "
                                     "1G, such as shm:4M");
}

/* A buffer holds something. */
static const char *set_buffer(cmd_parms *cmd, void *mconfig, const char *value)
{
    const char *mistake = refuse_section(cmd, mconfig);
    apr_off_t *pbytes = &mod_dsapi_srv_of(cmd->server)->buffer_bytes;

    if (mistake) {
        return mistake;
    }
    return dsapi_base_parse_size(pbytes, value) == APR_SUCCESS && *pbytes > 0
               ? NULL
               : mod_dsapi_fail(cmd, "takes a size above 0 (bytes, or with K, "
                                     "M or G), such as 1M");
}

/* A libpq conninfo. */
static const char *take_database(const cmd_parms *cmd, const char *value)
{
    if (!dsapi_db_conninfo_ok(value)) {
        return mod_dsapi_fail(cmd, "is not what libpq takes: \"host=... "
                                   "dbname=... user=...\", a value with "
                                   "blanks in '...'");
    }
    *(const char **)(void *)member_of(cmd) = value;
    return NULL;
}

static const char *set_worker_database(cmd_parms *cmd, void *mconfig,
                                       const char *value)
{
    const char *mistake = refuse_host(cmd, mconfig);

    return mistake ? mistake : take_database(cmd, value);
}

static const char *set_read_database(cmd_parms *cmd, void *mconfig,
                                     const char *value)
{
    const char *mistake = refuse_section(cmd, mconfig);

    return mistake ? mistake : take_database(cmd, value);
}

static const char *set_proxy(cmd_parms *cmd, void *mconfig, const char *value)
{
    const char *mistake = refuse_section(cmd, mconfig);

    if (!mistake) {
        mistake = mod_dsapi_check_proxy(cmd, value);
    }
    if (!mistake) {
        mod_dsapi_srv_of(cmd->server)->proxy = value;
    }
    return mistake;
}

#define MEMBER_OF(name) ((void *)&layout[APR_OFFSETOF(mod_dsapi_srv_t, name)])

/* A directive of a section. */
#define INNER(name, where, min, max, set, usage, help)                 \
    AP_INIT_RAW_ARGS(                                                  \
        name, set_inner,                                               \
        ((void *)&((inner_t){(where), (min), (max), (set), (usage)})), \
        RSRC_CONF, help)

#define IN_SERVICE  MOD_DSAPI_IN_SERVICE
#define IN_ROUTE    MOD_DSAPI_IN_ROUTE
#define IN_SOURCE   MOD_DSAPI_IN_SOURCE
#define IN_SERIES   MOD_DSAPI_IN_SERIES
#define IN_RESOURCE MOD_DSAPI_IN_RESOURCE

const command_rec mod_dsapi_commands[] = {
    AP_INIT_RAW_ARGS("<DsapiService", mod_dsapi_open_service, NULL, RSRC_CONF,
                     "A service: a name and the base of its URLs"),
    AP_INIT_RAW_ARGS("<DsapiRoute", mod_dsapi_open_route, NULL, RSRC_CONF,
                     "A route of a service: a method and a path"),
    AP_INIT_RAW_ARGS("<DsapiSource", mod_dsapi_open_source, NULL, RSRC_CONF,
                     "A source of a service: an upstream JSON API"),
    AP_INIT_RAW_ARGS("<DsapiSeries", mod_dsapi_open_series, NULL, RSRC_CONF,
                     "A series of a service: rows of a query in memory"),
    AP_INIT_RAW_ARGS("<DsapiResource", mod_dsapi_open_resource, NULL, RSRC_CONF,
                     "A resource of a service: a name and a table or view"),
    AP_INIT_RAW_ARGS("<DsapiSQL", mod_dsapi_read_sql, NULL,
                     RSRC_CONF | EXEC_ON_READ, "SQL, verbatim"),
    AP_INIT_RAW_ARGS("DsapiSQL", mod_dsapi_add_verbatim, NULL, RSRC_CONF,
                     "Written as <DsapiSQL> ... </DsapiSQL>"),

    AP_INIT_TAKE1("DsapiDBWait", set_interval, MEMBER_OF(db_wait), RSRC_CONF,
                  "Longest wait for a database connection, then 503 "
                  "(ms|s|min|h|d; default 500ms)"),
    AP_INIT_TAKE1("DsapiDBTimeout", set_db_timeout, NULL, RSRC_CONF,
                  "Longest time of a statement, then 504 and it is cancelled "
                  "(ms|s|min|h|d; default 5s, in a source 30s)"),
    AP_INIT_FLAG("DsapiDBPrepare", set_flag, MEMBER_OF(db_prepare), RSRC_CONF,
                 "Named prepared statements; Off behind a pooler in "
                 "transaction mode (default On)"),
    AP_INIT_FLAG("DsapiWorker", set_worker, MEMBER_OF(worker), RSRC_CONF,
                 "Whether this httpd takes jobs from the queue (default On)"),
    AP_INIT_TAKE1("DsapiConcurrency", set_concurrency, NULL, RSRC_CONF,
                  "Upstream transfers at once, per child process (1 to 1000; "
                  "default 16)"),
    AP_INIT_TAKE1("DsapiBuffer", set_buffer, NULL, RSRC_CONF,
                  "Rows up to this are read whole, more are streamed (bytes, "
                  "K, M, G; default 1M)"),
    AP_INIT_TAKE1("DsapiStreams", set_streams, NULL, RSRC_CONF,
                  "Connections that may stream at once, per child process "
                  "(default 2, and below DBDMax)"),
    AP_INIT_TAKE1("DsapiStreamTimeout", set_interval, MEMBER_OF(stream_timeout),
                  RSRC_CONF,
                  "How long a stream's client may stop reading "
                  "(ms|s|min|h|d; default 30s)"),
    AP_INIT_TAKE1("DsapiCacheSize", set_cache_size, NULL, RSRC_CONF,
                  "Memory for cached answers and series, per child process "
                  "(bytes, K, M, G; default 64M)"),
    AP_INIT_TAKE1("DsapiRateStore", set_rate_store, NULL, RSRC_CONF,
                  "Where rate limits count: shm, or shm:size (bytes, K, M, G; "
                  "64K to 1G; default shm:4M)"),
    AP_INIT_TAKE1("DsapiProxy", set_proxy, NULL, RSRC_CONF,
                  "Proxy for upstream transfers, http://host:port (default: "
                  "none)"),
    AP_INIT_TAKE1("DsapiWorkerDatabase", set_worker_database,
                  MEMBER_OF(worker_database), RSRC_CONF,
                  "libpq conninfo of the worker's own connection (default: "
                  "DBDParams)"),
    AP_INIT_TAKE1("DsapiReadDatabase", set_read_database,
                  MEMBER_OF(read_database), RSRC_CONF,
                  "libpq conninfo of a standby, for routes with DsapiReadFrom "
                  "standby (default: none)"),

    INNER("DsapiTitle", IN_SERVICE, 1, 1, set_title, "takes one text",
          "Title of a service, for people"),
    INNER("DsapiCORS", IN_SERVICE, 1, 64, mod_dsapi_set_cors,
          "takes origins (https://app.example.org), or * for all; or Off",
          "Whose pages may read answers (origins, or *; default Off), and "
          "headers= what else their requests may have"),
    INNER("DsapiDocs", IN_SERVICE, 1, 1, mod_dsapi_set_docs, "is On or Off",
          "Documentation of a service, at openapi.json and docs (default On)"),
    INNER("DsapiSession", IN_SERVICE | REPEATABLE, 1, 1, add_session,
          "takes name=\"expression\"",
          "A value of each request that SQL reads as "
          "current_setting('dsapi.<name>', true)"),
    INNER("DsapiAPIVersion", IN_SERVICE, 1, 1, set_version, "takes one text",
          "Version of a service's interface"),
    INNER("DsapiDescription", IN_SERVICE | IN_ROUTE, 1, 1, set_description,
          "takes one text", "What a service or a route does, for people"),
    INNER("DsapiSummary", IN_ROUTE, 1, 1, set_summary, "takes one text",
          "What a route does, in one line"),
    INNER("DsapiTag", IN_ROUTE, 1, 1, set_tag, "takes one text",
          "Group of a route in the documentation"),
    INNER("DsapiParam", IN_ROUTE | IN_SOURCE | IN_SERIES | REPEATABLE, 2, 64,
          add_param,
          "takes a name and a type: day date [in=...] [required] "
          "[default=...]",
          "A parameter: name, type, constraints"),
    INNER("DsapiQuery", IN_ROUTE | IN_SERIES | REPEATABLE, 1, 1,
          mod_dsapi_add_query,
          "takes the SQL in double quotes; over many lines write <DsapiSQL>",
          "SQL that a route runs, or that gives a series' rows"),
    INNER("DsapiQueryFile", IN_ROUTE | IN_SERIES | REPEATABLE, 1, 1,
          mod_dsapi_add_query_file, "takes the path of a file",
          "File with the SQL of a route or a series"),
    INNER("DsapiResult", IN_ROUTE, 1, 1, mod_dsapi_set_result,
          "is rows, row, value or none",
          "Shape of the answer (rows|row|value|none; default rows)"),
    INNER("DsapiCache", IN_SERVICE | IN_ROUTE, 1, 3, mod_dsapi_set_cache,
          "takes a time, public or private, and stale=time; or Off",
          "Keeps a GET route's answer for a time (1s at least), public or "
          "private (default: private where the request has a user), and "
          "stale= how much longer for when the database fails (default 1h); "
          "in a service: of its routes"),
    INNER("DsapiDependsOn", IN_SERVICE | IN_ROUTE | IN_SERIES, 1, 64,
          mod_dsapi_set_depends,
          "takes names of data, such as a source's; or Off",
          "What cached answers, or a series, are made of: they live until it "
          "changes (default of a series: service/series)"),
    INNER("DsapiRateLimit", IN_SERVICE | IN_ROUTE | REPEATABLE, 1, 6,
          mod_dsapi_add_limit,
          "takes a rate, such as 60/min, then burst=, by=, cost=, name= and "
          "shadow",
          "Requests of each client, user or other key (by=, default client) "
          "in each s, min, h or d; burst= at once (default the number); cost= "
          "what one counts (default 1); shadow refuses nobody"),
    INNER("DsapiRateExempt", IN_SERVICE | REPEATABLE, 1, 64,
          mod_dsapi_add_exempt, "takes addresses and networks: 10.0.0.0/8 ::1",
          "Clients that the limits of a service do not count"),
    INNER("DsapiPage", IN_ROUTE, 1, 2, mod_dsapi_set_page,
          "takes the size of a page and its largest: 50 max=500",
          "Declares :limit and :offset, and links the pages (size of a page, "
          "max= the largest; default max: the size)"),
    INNER("DsapiContentType", IN_ROUTE, 1, 1, mod_dsapi_set_content_type,
          "takes a media type in double quotes",
          "Media type of DsapiResult value (default JSON)"),
    INNER("DsapiStatus", IN_ROUTE, 1, 1, mod_dsapi_set_success,
          "takes a status of success, 200 to 299",
          "Status of success (default 200; 204 for none, 202 for jobs)"),
    INNER("DsapiWrite", IN_ROUTE, 1, 1, set_write, "is On or Off",
          "Whether a GET route may change data (default Off)"),
    INNER("DsapiReadFrom", IN_ROUTE, 1, 1, set_read_from,
          "is primary or standby",
          "Where a route that changes nothing reads: primary, or standby, "
          "the server of DsapiReadDatabase (default primary)"),
    INNER("DsapiMaxBody", IN_SERVICE | IN_ROUTE | IN_SOURCE | IN_RESOURCE, 1, 1,
          set_max_body, "takes a size, such as 10M",
          "Largest body: of a request (default 10M), of an upstream's answer "
          "(default 32M)"),
    INNER("DsapiEnqueue", IN_ROUTE | REPEATABLE, 1, 64, mod_dsapi_set_enqueue,
          "takes a source and name=:param ...",
          "Puts a job of a source into the queue"),
    INNER("DsapiJob", IN_ROUTE | REPEATABLE, 1, 64, mod_dsapi_set_job,
          "takes a source and name=:param ...",
          "Shows the newest job of a source"),
    INNER("DsapiTime", IN_ROUTE | REPEATABLE, 0, 2, mod_dsapi_set_time,
          "takes zones, or tz=:param and at=:param",
          "Shows the time in a zone, or the zones (default tz=:tz at=:at)"),
    INNER("DsapiMetric", IN_ROUTE, 2, 80, mod_dsapi_set_metric,
          "takes a series, range=:from,:to, group=, nest= and "
          "name=aggregate(measure)",
          "Computes aggregates over a series"),
    INNER("DsapiTimeColumn", IN_SERIES, 1, 1, mod_dsapi_set_time_column,
          "takes the name of a column of dates", "Column of a series' days"),
    INNER("DsapiDimension", IN_SERIES | REPEATABLE, 1, 64,
          mod_dsapi_add_dimension,
          "takes a name, and member=column ... (default: the column of its "
          "name)",
          "What a series' rows are grouped by, with attributes, of which the "
          "first tells members apart"),
    INNER("DsapiMeasure", IN_SERIES | REPEATABLE, 1, 64, mod_dsapi_add_measures,
          "takes names of columns of numbers", "Columns of a series' numbers"),
    INNER("DsapiStaleFor", IN_SERIES, 1, 1, mod_dsapi_set_stale_for,
          "takes a time, such as 1h; or Off",
          "How long a series is still used where the database fails (default "
          "1h)"),
    INNER("DsapiReload", IN_SERIES, 1, 1, mod_dsapi_set_reload,
          "is serve or wait",
          "While a changed series is loaded: serve what there was, for a "
          "second at most, or wait (default serve)"),
    INNER("DsapiRole", IN_SERVICE, 1, 1, mod_dsapi_set_role,
          "takes the name of a role of PostgreSQL's",
          "Role that the SQL of resources runs as (default: who connects)"),
    INNER("DsapiExpose", IN_SERVICE, 2, 2, mod_dsapi_set_expose,
          "takes the word schema and its name",
          "Publishes the tables and views of a schema as resources"),
    INNER("DsapiAllow", IN_SERVICE | IN_RESOURCE, 1, 8, mod_dsapi_set_allow,
          "takes some of list read create update delete rollback import keyed",
          "What a resource allows (default: list read)"),
    INNER("DsapiColumns", IN_RESOURCE, 1, 1000, mod_dsapi_set_columns,
          "takes names of columns, or name=\"SQL's name\"",
          "Columns that a resource shows and takes (default: all)"),
    INNER("DsapiKey", IN_RESOURCE, 1, 1, mod_dsapi_set_key,
          "takes the name of a column",
          "Column by which one row is read (default: the primary key)"),
    INNER("DsapiPageSize", IN_SERVICE | IN_RESOURCE, 1, 2,
          mod_dsapi_set_page_size,
          "takes a number of rows and the most, or none: 100 max=1000",
          "Rows of a list unless limit= says, and at most (default 100 "
          "max=1000)"),
    INNER("DsapiNested", IN_RESOURCE | REPEATABLE, 2, 2, mod_dsapi_add_nested,
          "takes a resource and its column that refers to this one",
          "A list of another resource's rows below each row of this one"),
    INNER("DsapiFetch", IN_SOURCE, 1, 2, mod_dsapi_set_fetch,
          "takes [GET|POST] \"https://host/{param}\"",
          "Method and URL template of an upstream"),
    INNER("DsapiFetchBody", IN_SOURCE, 1, 1, mod_dsapi_set_fetch_body,
          "takes one JSON text in single quotes",
          "Body of DsapiFetch POST, whose strings \":name\" stand for "
          "parameters (default: all of them)"),
    INNER("DsapiAllowHost", IN_SOURCE | REPEATABLE, 1, 64, mod_dsapi_add_hosts,
          "takes host names and addresses",
          "Hosts that may be asked, and have private addresses (default: the "
          "URL's host)"),
    INNER("DsapiExpect", IN_SOURCE | REPEATABLE, 1, 64, mod_dsapi_add_expect,
          "takes status=200,404 type=application/json pointer=/body",
          "Which answers are good, and which part is :body (default: 2xx, "
          "JSON, the whole)"),
    INNER("DsapiResolve", IN_SOURCE, 1, 1, mod_dsapi_set_resolve,
          "takes the SQL in double quotes",
          "SQL that is asked when a job starts: its row's columns are further "
          "parameters"),
    INNER("DsapiFollow", IN_SOURCE, 1, 2, mod_dsapi_set_follow,
          "takes link or a JSON pointer, then max=100",
          "Where the URL of the next page is, and how many there may be "
          "(default: the first is all)"),
    INNER("DsapiUpstreamCA", IN_SOURCE, 1, 1, mod_dsapi_set_ca,
          "takes the path of a PEM file",
          "Certificates that an upstream's must be signed by (default: the "
          "system's)"),
    INNER("DsapiStore", IN_SOURCE | REPEATABLE, 1, 1, mod_dsapi_add_query,
          "takes the SQL in double quotes; over many lines write <DsapiSQL>",
          "SQL that stores an upstream's answer (:body)"),
    INNER("DsapiHeader", IN_SOURCE | REPEATABLE, 1, 1, mod_dsapi_add_header,
          "takes \"Name: value\" in double quotes",
          "Header of upstream requests; %{NAME} is an environment variable"),
    INNER("DsapiRetry", IN_SOURCE, 1, 3, mod_dsapi_set_retry,
          "takes 5 first=2s max=10min",
          "Attempts at most, and the bounds of the waits between (default 5 "
          "first=2s max=10min)"),
    INNER("DsapiTimeout", IN_SOURCE, 1, 3, mod_dsapi_set_timeout,
          "takes a time, such as 30s, then connect=10s stall=30s",
          "Longest time of an upstream transfer, of connecting, and with no "
          "byte arriving (default 30s connect=10s stall=30s)"),
    INNER("DsapiQueueMax", IN_SOURCE, 1, 1, mod_dsapi_set_queue_max,
          "takes how many jobs may wait, such as 1000",
          "Jobs of a source that may wait; beyond, 503 (1 to 1000000; default "
          "1000)"),
    INNER("DsapiFreshFor", IN_SOURCE, 1, 1, mod_dsapi_set_fresh_for,
          "takes a time, such as 1d",
          "How long a GET route with DsapiEnqueue answers a finished job "
          "instead (default: never)"),
    INNER("DsapiSchedule", IN_SOURCE | REPEATABLE, 1, 64,
          mod_dsapi_add_schedule, "takes \"every 6h\" or \"cron 0 6 * * *\"",
          "Makes jobs by the clock: a rule, tz=, name=value ..., each=\"SQL\""),
    INNER("DsapiJobKeep", IN_SOURCE, 1, 1, mod_dsapi_set_job_keep,
          "takes a time, such as 7d",
          "How long jobs that ended are kept; the newest of each parameters "
          "stays (1min at least; default 7d)"),
    INNER("DsapiUpstreamLimit", IN_SOURCE, 1, 2, mod_dsapi_set_upstream_limit,
          "takes a rate, concurrency=, or both: 5/s concurrency=4",
          "Requests to an upstream, of all httpds together: a rate and how "
          "many at once (default: no limit)"),
    {NULL, {NULL}, NULL, 0, RAW_ARGS, NULL}};
