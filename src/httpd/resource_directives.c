/* <DsapiResource> and the directives in it. */
#include <apr_lib.h>
#include <apr_strings.h>

#include "base/number.h"
#include "httpd/directives.h"

#define PAGE_SIZE 100
#define PAGE_MAX  1000
#define ROWS_MAX  APR_INT64_C(1000000000)

/* A table as SQL writes it: words and quoted names with dots between. */
static int is_table(const char *s)
{
    int quoted = 0;

    for (const char *p = s; *p; p++) {
        if (*p == '"') {
            quoted = !quoted;
        }
        else if (!quoted && !(apr_isalnum(*p) || strchr("_.$", *p) ||
                              ((unsigned char)*p & 0x80))) {
            return 0;
        }
    }
    return *s && !quoted;
}

static mod_dsapi_resource_t *make_resource(const cmd_parms *cmd,
                                           const mod_dsapi_service_t *service,
                                           const char *name, const char *table)
{
    mod_dsapi_resource_t *resource = apr_pcalloc(cmd->pool, sizeof(*resource));

    resource->spec.name = name;
    resource->spec.table = table;
    resource->service = service;
    resource->nested = apr_array_make(cmd->pool, 1, sizeof(mod_dsapi_nested_t));
    resource->db_timeout = -1;
    resource->max_body_bytes = -1;
    resource->directive = cmd->directive;
    return resource;
}

static mod_dsapi_resource_t *find(const mod_dsapi_service_t *service,
                                  const char *name)
{
    for (int i = 0; i < service->resources->nelts; i++) {
        mod_dsapi_resource_t *resource =
            APR_ARRAY_IDX(service->resources, i, mod_dsapi_resource_t *);

        if (strcmp(resource->spec.name, name) == 0) {
            return resource;
        }
    }
    return NULL;
}

static void add(const mod_dsapi_service_t *service,
                mod_dsapi_resource_t *resource)
{
    APR_ARRAY_PUSH(service->resources, mod_dsapi_resource_t *) = resource;
    APR_ARRAY_PUSH(service->specs, dsapi_res_spec_t *) = &resource->spec;
}

const char *mod_dsapi_open_resource(cmd_parms *cmd, void *mconfig,
                                    const char *args)
{
    const mod_dsapi_section_t *outer = mconfig;
    mod_dsapi_section_t inner = {.kind = MOD_DSAPI_IN_RESOURCE,
                                 .service = outer->service};
    const mod_dsapi_resource_t *have;
    apr_array_header_t *words;
    const char *name;
    const char *mistake = mod_dsapi_section_args(&words, cmd, args);

    if (!words) {
        return mistake;
    }
    if (outer->kind != MOD_DSAPI_IN_SERVICE) {
        return mod_dsapi_wrong_place(cmd, "into <DsapiService>");
    }
    if (words->nelts != 2 ||
        !mod_dsapi_is_word(APR_ARRAY_IDX(words, 0, dsapi_arg_t).value) ||
        !is_table(APR_ARRAY_IDX(words, 1, dsapi_arg_t).value)) {
        return "<DsapiResource> takes a name of letters, digits, '-', '_', '.' "
               "and a table as SQL writes it: <DsapiResource visits "
               "visits.visit>";
    }
    name = APR_ARRAY_IDX(words, 0, dsapi_arg_t).value;
    have = find(outer->service, name);
    if (have) {
        return apr_psprintf(cmd->pool,
                            "<DsapiResource>: '%s' is declared in %s, line %d "
                            "already",
                            name, have->directive->filename,
                            have->directive->line_num);
    }
    inner.resource = make_resource(cmd, outer->service, name,
                                   APR_ARRAY_IDX(words, 1, dsapi_arg_t).value);
    mistake = mod_dsapi_read_section(cmd, &inner);
    if (mistake) {
        return mistake;
    }
    add(outer->service, inner.resource);
    return NULL;
}

const char *mod_dsapi_set_expose(cmd_parms *cmd, mod_dsapi_section_t *section,
                                 const apr_array_header_t *args)
{
    const char *word = mod_dsapi_word(args, 0);
    const char *schema = mod_dsapi_word(args, 1);
    const mod_dsapi_resource_t *have;
    mod_dsapi_resource_t *resource;

    if (!word || strcmp(word, "schema") != 0 || !schema || !*schema) {
        return mod_dsapi_fail(cmd, "takes the word schema and its name");
    }
    have = find(section->service, MOD_DSAPI_ANY_TABLE);
    if (have) {
        return mod_dsapi_fail(
            cmd, apr_psprintf(cmd->temp_pool,
                              "the service has the schema '%s' (%s, line %d) "
                              "already; give the other a service of its own",
                              have->spec.schema, have->directive->filename,
                              have->directive->line_num));
    }
    resource = make_resource(cmd, section->service, MOD_DSAPI_ANY_TABLE, NULL);
    resource->spec.schema = schema;
    add(section->service, resource);
    return NULL;
}

const char *mod_dsapi_set_allow(cmd_parms *cmd, mod_dsapi_section_t *section,
                                const apr_array_header_t *args)
{
    static const char *const words[] = {
        "list", "read", "create", "update", "delete", "rollback", "import"};
    int allow = 0;

    for (int i = 0; i < args->nelts; i++) {
        const char *word = mod_dsapi_word(args, i);
        int known = 0;

        for (int j = 0; word && j < 7; j++) {
            if (strcmp(word, words[j]) == 0) {
                allow |= 1 << j;
                known = 1;
            }
        }
        if (!known) {
            return mod_dsapi_fail(cmd, "takes some of list read create update "
                                       "delete rollback import");
        }
    }
    *(section->resource ? &section->resource->allow
                        : &section->service->allow) = allow;
    return NULL;
}

const char *mod_dsapi_set_columns(cmd_parms *cmd, mod_dsapi_section_t *section,
                                  const apr_array_header_t *args)
{
    apr_array_header_t *columns = apr_array_copy(cmd->pool, args);

    for (int i = 0; i < args->nelts; i++) {
        const dsapi_arg_t *arg = &APR_ARRAY_IDX(args, i, dsapi_arg_t);
        const char *name = arg->key ? arg->key : arg->value;

        for (int j = 0; j < i; j++) {
            const dsapi_arg_t *other = &APR_ARRAY_IDX(args, j, dsapi_arg_t);

            if (strcmp(other->key ? other->key : other->value, name) == 0) {
                return mod_dsapi_fail(
                    cmd,
                    apr_psprintf(cmd->temp_pool, "names '%s' twice", name));
            }
        }
    }
    section->resource->spec.columns = columns;
    return NULL;
}

const char *mod_dsapi_set_key(cmd_parms *cmd, mod_dsapi_section_t *section,
                              const apr_array_header_t *args)
{
    section->resource->spec.key = mod_dsapi_word(args, 0);
    return section->resource->spec.key ? NULL
                                       : mod_dsapi_fail(cmd, "takes the name "
                                                             "of a column");
}

/* A number of rows, or none. @return 0: it is neither */
static int take_rows(apr_int64_t *pvalue, const char *text)
{
    if (text && strcmp(text, "none") == 0) {
        *pvalue = -1;
        return 1;
    }
    return text &&
           dsapi_base_parse_int(pvalue, text, 1, ROWS_MAX) == APR_SUCCESS;
}

const char *mod_dsapi_set_page_size(cmd_parms *cmd,
                                    mod_dsapi_section_t *section,
                                    const apr_array_header_t *args)
{
    static const char usage[] = "takes a number of rows and the most, which is "
                                "not less, or none: 100 max=1000";
    apr_int64_t *psize = section->resource ? &section->resource->page_size
                                           : &section->service->page_size;
    apr_int64_t *pmax = section->resource ? &section->resource->page_max
                                          : &section->service->page_max;
    const dsapi_arg_t *max = &APR_ARRAY_IDX(args, args->nelts - 1, dsapi_arg_t);

    if (!take_rows(psize, mod_dsapi_word(args, 0))) {
        return mod_dsapi_fail(cmd, usage);
    }
    *pmax = *psize;
    if (args->nelts == 1) {
        return NULL;
    }
    if (!max->key || strcmp(max->key, "max") != 0 ||
        !take_rows(pmax, max->value) ||
        (*pmax >= 0 && (*psize < 0 || *psize > *pmax))) {
        return mod_dsapi_fail(cmd, usage);
    }
    return NULL;
}

const char *mod_dsapi_add_nested(cmd_parms *cmd, mod_dsapi_section_t *section,
                                 const apr_array_header_t *args)
{
    mod_dsapi_nested_t nested = {mod_dsapi_word(args, 0),
                                 mod_dsapi_word(args, 1), NULL,
                                 section->resource};

    if (!nested.name || !nested.column) {
        return mod_dsapi_fail(cmd, "takes a resource and its column that "
                                   "refers to this one");
    }
    APR_ARRAY_PUSH(section->resource->nested, mod_dsapi_nested_t) = nested;
    return NULL;
}

const char *mod_dsapi_set_role(cmd_parms *cmd, mod_dsapi_section_t *section,
                               const apr_array_header_t *args)
{
    section->service->role = mod_dsapi_word(args, 0);
    return section->service->role && *section->service->role
               ? NULL
               : mod_dsapi_fail(cmd, "takes the name of a role of "
                                     "PostgreSQL's");
}

/* A path and the methods it takes. */
typedef struct path_t {
    const char *path;
    dsapi_shape_e shape;
    const mod_dsapi_nested_t *nested; /* NULL: the resource's own */
    int is_call;
} path_t;

static void add_param(mod_dsapi_route_t *route, dsapi_in_e in, const char *name,
                      const char *description, apr_pool_t *pool)
{
    dsapi_param_t *param = apr_pcalloc(pool, sizeof(*param));

    param->name = name;
    param->in = in;
    param->type.kind = in == DSAPI_IN_BODY ? DSAPI_TYPE_JSON : DSAPI_TYPE_TEXT;
    param->whole = in == DSAPI_IN_BODY;
    param->required = in == DSAPI_IN_BODY || in == DSAPI_IN_PATH;
    param->description = description;
    APR_ARRAY_PUSH(route->params, dsapi_param_t *) = param;
}

/* What a segment of a resource's path is; NULL: what its name says. */
static const char *segment_text(const char *name)
{
    if (strcmp(name, "table") == 0) {
        return "The name of a table or view.";
    }
    return strcmp(name, "function") == 0 ? "The name of a function. GET takes "
                                           "its arguments as further "
                                           "parameters."
                                         : NULL;
}

static const char *body_text(const mod_dsapi_route_t *route)
{
    if (route->is_call) {
        return "An object with the arguments, or the only one.";
    }
    return route->resource->allow & MOD_DSAPI_IMPORT
               ? "An object with the columns of a row, or an array of such; or "
                 "text/csv, whose header names the columns."
               : "An object with the columns of a row, or an array of such.";
}

/* What the documentation says that a route takes: nothing binds it. */
static void add_params(mod_dsapi_route_t *route, apr_pool_t *pool)
{
    for (int i = 0; i < route->path_names->nelts; i++) {
        const char *name = APR_ARRAY_IDX(route->path_names, i, const char *);

        add_param(route, DSAPI_IN_PATH, name, segment_text(name), pool);
    }
    if (route->takes_body) {
        add_param(route, DSAPI_IN_BODY, "body", body_text(route), pool);
    }
    if (route->read_only) {
        add_param(route, DSAPI_IN_QUERY, "select",
                  "The columns, and what else is related.", pool);
    }
    if (route->read_only && route->shape == DSAPI_SHAPE_ROWS) {
        add_param(route, DSAPI_IN_QUERY, "order",
                  "Columns, each with .desc perhaps.", pool);
        add_param(route, DSAPI_IN_QUERY, "limit", "The most rows.", pool);
        add_param(route, DSAPI_IN_QUERY, "offset", "Rows to be left out.",
                  pool);
    }
}

static const char *declare(const mod_dsapi_resource_t *resource,
                           const path_t *path, const char *method,
                           apr_pool_t *pool)
{
    const mod_dsapi_service_t *service = resource->service;
    mod_dsapi_route_t *route = mod_dsapi_make_route(service, pool);
    dsapi_err_t *err;

    route->method = method;
    route->path = path->path;
    route->takes_body = *method == 'P';
    route->read_only = strcmp(method, "GET") == 0;
    route->action = MOD_DSAPI_RESOURCE;
    route->action_directive = resource->directive;
    route->resource = path->nested ? path->nested->resource : resource;
    route->nested = path->nested;
    route->is_call = path->is_call;
    route->shape = path->shape;
    route->db_timeout = route->resource->db_timeout;
    route->max_body_bytes = route->resource->max_body_bytes;
    if (dsapi_route_template_names(&route->path_names, &err, route->path,
                                   pool) != APR_SUCCESS ||
        dsapi_route_trie_add(service->trie, &err, route->path, method, route,
                             pool) != APR_SUCCESS) {
        return err->detail;
    }
    add_params(route, pool);
    route->place.file = resource->directive->filename;
    route->place.line = resource->directive->line_num;
    APR_ARRAY_PUSH(service->routes, mod_dsapi_route_t *) = route;
    return NULL;
}

/* Below another's row there are GET and POST. */
#define NESTED_LAST 1

/* Which method needs what, at a list and at one row. */
static const struct {
    const char *method;
    int list;
    int row;
} methods[] = {
    {"GET", MOD_DSAPI_LIST, MOD_DSAPI_READ},
    {"POST", MOD_DSAPI_CREATE, 0},
    {"PUT", MOD_DSAPI_CREATE | MOD_DSAPI_UPDATE,
     MOD_DSAPI_CREATE | MOD_DSAPI_UPDATE},
    {"PATCH", MOD_DSAPI_UPDATE, MOD_DSAPI_UPDATE},
    {"DELETE", MOD_DSAPI_DELETE, MOD_DSAPI_DELETE},
};

static const char *declare_path(const mod_dsapi_resource_t *resource,
                                const path_t *path, apr_pool_t *pool)
{
    int allow = path->nested ? path->nested->resource->allow : resource->allow;
    const char *mistake = NULL;

    for (apr_size_t i = 0; !mistake && i < sizeof(methods) / sizeof(methods[0]);
         i++) {
        int needs =
            path->shape == DSAPI_SHAPE_ROWS ? methods[i].list : methods[i].row;

        if (needs == MOD_DSAPI_CREATE && !path->nested &&
            (allow & MOD_DSAPI_IMPORT)) {
            needs = MOD_DSAPI_IMPORT;
        }
        if (needs && (allow & needs) == needs &&
            !(path->nested && i > NESTED_LAST)) {
            mistake = declare(resource, path, methods[i].method, pool);
        }
    }
    return mistake;
}

/* Calls of the functions of a schema. */
static const char *declare_call(const mod_dsapi_resource_t *resource,
                                apr_pool_t *pool)
{
    path_t path = {"/rpc/{function}", DSAPI_SHAPE_ROWS, NULL, 1};
    const char *mistake = declare(resource, &path, "GET", pool);

    return mistake ? mistake : declare(resource, &path, "POST", pool);
}

void mod_dsapi_resource_inherit(mod_dsapi_resource_t *resource)
{
    const mod_dsapi_service_t *service = resource->service;

    if (!resource->allow) {
        resource->allow =
            service->allow ? service->allow : MOD_DSAPI_LIST | MOD_DSAPI_READ;
    }
    if (!resource->page_size) {
        resource->page_size =
            service->page_size ? service->page_size : PAGE_SIZE;
        resource->page_max = service->page_size ? service->page_max : PAGE_MAX;
    }
    resource->spec.embeddable = (resource->allow & MOD_DSAPI_LIST) != 0;
}

const char *mod_dsapi_resource_settle(mod_dsapi_resource_t *resource,
                                      apr_pool_t *pool)
{
    path_t path = {apr_pstrcat(pool, "/", resource->spec.name, NULL),
                   DSAPI_SHAPE_ROWS, NULL, 0};
    const char *row = apr_pstrcat(pool, path.path, "/{key}", NULL);
    const char *mistake = declare_path(resource, &path, pool);

    path.path = row;
    path.shape = DSAPI_SHAPE_ROW;
    if (!mistake) {
        mistake = declare_path(resource, &path, pool);
    }
    path.shape = DSAPI_SHAPE_ROWS;
    if (!mistake && resource->spec.schema) {
        mistake = declare_call(resource, pool);
    }
    for (int i = 0; !mistake && i < resource->nested->nelts; i++) {
        mod_dsapi_nested_t *nested =
            &APR_ARRAY_IDX(resource->nested, i, mod_dsapi_nested_t);

        nested->resource = find(resource->service, nested->name);
        if (!nested->resource) {
            return apr_psprintf(pool,
                                "DsapiNested: there is no <DsapiResource %s> "
                                "in the service '%s'",
                                nested->name, resource->service->name);
        }
        path.nested = nested;
        path.path = apr_pstrcat(pool, row, "/", nested->name, NULL);
        mistake = declare_path(resource, &path, pool);
    }
    return mistake;
}
