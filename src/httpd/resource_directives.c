/* <DsapiResource> and the directives in it. */
#include <apr_lib.h>
#include <apr_strings.h>

#include "base/number.h"
#include "httpd/directives.h"

#define PAGE_SIZE 100
#define PAGE_MAX  1000
#define ROWS_MAX  APR_INT64_C(1000000000)

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
    const char *schema;
    const char *table;
    const char *name;
    const char *mistake = mod_dsapi_inner_args(&words, cmd, outer, args);

    if (!words) {
        return mistake;
    }
    if (words->nelts != 2 ||
        !mod_dsapi_is_word(APR_ARRAY_IDX(words, 0, dsapi_arg_t).value) ||
        !dsapi_catalog_table(&schema, &table,
                             APR_ARRAY_IDX(words, 1, dsapi_arg_t).value,
                             cmd->temp_pool)) {
        return "<DsapiResource> takes a name of letters, digits, '-', '_', '.' "
               "and a table as SQL writes it: <DsapiResource visits "
               "visits.visit>";
    }
    name = APR_ARRAY_IDX(words, 0, dsapi_arg_t).value;
    have = find(outer->service, name);
    if (have) {
        return mod_dsapi_name_taken(cmd, name, have->directive->filename,
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
    static const char *const words[] = {"list",   "read",   "create",
                                        "update", "delete", "rollback",
                                        "import", "keyed"};
    int allow = 0;

    for (int i = 0; i < args->nelts; i++) {
        const char *word = mod_dsapi_word(args, i);
        int known = 0;

        for (int j = 0; word && j < 8; j++) {
            if (strcmp(word, words[j]) == 0) {
                allow |= 1 << j;
                known = 1;
            }
        }
        if (!known) {
            return mod_dsapi_fail(cmd, "takes some of list read create update "
                                       "delete rollback import keyed");
        }
    }
    *(section->resource ? &section->resource->allow
                        : &section->service->allow) = allow;
    return NULL;
}

/* What clients call a column. */
static const char *client_name(const dsapi_arg_t *arg)
{
    return arg->key ? arg->key : arg->value;
}

const char *mod_dsapi_set_columns(cmd_parms *cmd, mod_dsapi_section_t *section,
                                  const apr_array_header_t *args)
{
    apr_array_header_t *columns = apr_array_copy(cmd->pool, args);

    for (int i = 0; i < args->nelts; i++) {
        const dsapi_arg_t *arg = &APR_ARRAY_IDX(args, i, dsapi_arg_t);
        const char *name = client_name(arg);

        if (!*arg->value ||
            (!arg->key && !arg->quoted && strchr(arg->value, '='))) {
            return mod_dsapi_fail(cmd, "takes names of columns, or "
                                       "name=\"SQL's name\"");
        }
        for (int j = 0; j < i; j++) {
            const dsapi_arg_t *other = &APR_ARRAY_IDX(args, j, dsapi_arg_t);
            int same = strcmp(other->value, arg->value) == 0;

            if (same || strcmp(client_name(other), name) == 0) {
                return mod_dsapi_fail(
                    cmd, apr_psprintf(cmd->temp_pool, "names '%s' twice",
                                      same ? arg->value : name));
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
    return section->resource->spec.key && *section->resource->spec.key
               ? NULL
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

static void add_param(mod_dsapi_route_t *route, dsapi_in_e in,
                      dsapi_type_e type, const char *name,
                      const char *description, apr_pool_t *pool)
{
    dsapi_param_t *param = apr_pcalloc(pool, sizeof(*param));

    param->name = name;
    param->in = in;
    param->type.kind = type;
    param->whole = in == DSAPI_IN_BODY;
    param->required = in == DSAPI_IN_BODY || in == DSAPI_IN_PATH;
    param->description = description;
    APR_ARRAY_PUSH(route->params, dsapi_param_t *) = param;
}

/* What else routes take, by their methods. */
static const struct {
    const char *methods; /* their first letters; A: PATCH; C: a call by
                            POST */
    int list;
    int row;
    dsapi_in_e in;
    dsapi_type_e type;
    const char *name;
    const char *description;
} takes[] = {
    {"GPUADC", 1, 1, DSAPI_IN_QUERY, DSAPI_TYPE_TEXT, "select",
     "The columns, and what else is related."},
    {"GC", 1, 0, DSAPI_IN_QUERY, DSAPI_TYPE_TEXT, "order",
     "Columns, each with .desc perhaps."},
    {"GC", 1, 0, DSAPI_IN_QUERY, DSAPI_TYPE_BIGINT, "limit", "The most rows."},
    {"GC", 1, 0, DSAPI_IN_QUERY, DSAPI_TYPE_BIGINT, "offset",
     "Rows to be left out."},
    {"PA", 1, 1, DSAPI_IN_QUERY, DSAPI_TYPE_TEXT, "columns",
     "The columns to be stored; others of the body are left out."},
    {"C", 1, 0, DSAPI_IN_QUERY, DSAPI_TYPE_TEXT, "columns",
     "The arguments to be taken; others of the body are left out."},
    {"P", 1, 0, DSAPI_IN_QUERY, DSAPI_TYPE_TEXT, "on_conflict",
     "Unique columns that duplicates have in common, for resolution= of "
     "Prefer; else the primary key."},
    {"G", 1, 0, DSAPI_IN_HEADER, DSAPI_TYPE_TEXT, "range",
     "Rows, from 0, as 0-9."},
    {"G", 1, 1, DSAPI_IN_HEADER, DSAPI_TYPE_TEXT, "prefer",
     "handling=strict, timezone=; of a list count=exact, planned or "
     "estimated."},
    {"P", 1, 0, DSAPI_IN_HEADER, DSAPI_TYPE_TEXT, "prefer",
     "return=minimal, headers-only or representation, "
     "resolution=merge-duplicates or ignore-duplicates, missing=default, "
     "count=exact, handling=strict, timezone=."},
    {"C", 1, 0, DSAPI_IN_HEADER, DSAPI_TYPE_TEXT, "prefer",
     "count=exact, handling=strict, max-affected=, timezone=."},
    {"UAD", 1, 1, DSAPI_IN_HEADER, DSAPI_TYPE_TEXT, "prefer",
     "return=minimal or representation, count=exact, handling=strict, "
     "max-affected=, timezone=."},
    {"PCUAD", 1, 1, DSAPI_IN_HEADER, DSAPI_TYPE_TEXT, "idempotency_key",
     "What is sent again with the same within a day is done once, and "
     "answered as it was."},
    {"G", 0, 1, DSAPI_IN_HEADER, DSAPI_TYPE_TEXT, "if_none_match",
     "ETags that the client has: 304."},
    {"UAD", 0, 1, DSAPI_IN_HEADER, DSAPI_TYPE_TEXT, "if_match",
     "The ETag that the row must have, else 412."},
};

/* The first letter of its method, but U of PUT, A of PATCH, C of a call. */
static int letter_of(const mod_dsapi_route_t *route)
{
    const char *method = route->method;

    if (route->is_call && *method == 'P') {
        return 'C';
    }
    return *method == 'P' && method[1] != 'O' ? method[1] : *method;
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

        add_param(route, DSAPI_IN_PATH, DSAPI_TYPE_TEXT, name,
                  segment_text(name), pool);
    }
    if (route->takes_body) {
        add_param(route, DSAPI_IN_BODY, DSAPI_TYPE_JSON, "body",
                  body_text(route), pool);
    }
    for (apr_size_t i = 0; i < sizeof(takes) / sizeof(takes[0]); i++) {
        if (strchr(takes[i].methods, letter_of(route)) &&
            (route->shape == DSAPI_SHAPE_ROW ? takes[i].row : takes[i].list)) {
            add_param(route, takes[i].in, takes[i].type, takes[i].name,
                      takes[i].description, pool);
        }
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

/* Below another's row, and of lists that are changed by the key alone, there
 * are GET and POST. */
#define LIST_LAST 1

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
    int is_list = path->shape == DSAPI_SHAPE_ROWS;
    const char *mistake = NULL;

    for (apr_size_t i = 0; !mistake && i < sizeof(methods) / sizeof(methods[0]);
         i++) {
        int needs = is_list ? methods[i].list : methods[i].row;

        if (needs == MOD_DSAPI_CREATE && !path->nested &&
            (allow & MOD_DSAPI_IMPORT)) {
            needs = MOD_DSAPI_IMPORT;
        }
        if (needs && (allow & needs) == needs &&
            !(i > LIST_LAST &&
              (path->nested || (is_list && (allow & MOD_DSAPI_KEYED))))) {
            mistake = declare(resource, path, methods[i].method, pool);
        }
    }
    return mistake;
}

/* May there be such a column, as far as DsapiColumns says? */
static int shows(const mod_dsapi_resource_t *resource, const char *name)
{
    const apr_array_header_t *columns = resource->spec.columns;
    int found = !columns;

    for (int i = 0; !found && i < columns->nelts; i++) {
        found = strcmp(client_name(&APR_ARRAY_IDX(columns, i, dsapi_arg_t)),
                       name) == 0;
    }
    return found;
}

/* Ties DsapiNested to its resource. @return what is wrong; NULL: nothing */
static const char *find_nested(mod_dsapi_nested_t *nested, apr_pool_t *pool)
{
    const mod_dsapi_service_t *service = nested->above->service;

    nested->resource = find(service, nested->name);
    if (!nested->resource) {
        return apr_psprintf(pool,
                            "DsapiNested: there is no <DsapiResource %s> in "
                            "the service '%s'",
                            nested->name, service->name);
    }
    return shows(nested->resource, nested->column)
               ? NULL
               : apr_psprintf(pool,
                              "DsapiNested: '%s' is not among DsapiColumns of "
                              "<DsapiResource %s>",
                              nested->column, nested->name);
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
    const char *key = resource->spec.key;
    const char *mistake =
        key && !shows(resource, key)
            ? apr_psprintf(pool, "DsapiKey: '%s' is not among DsapiColumns",
                           key)
            : declare_path(resource, &path, pool);

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

        mistake = find_nested(nested, pool);
        if (!mistake) {
            path.nested = nested;
            path.path = apr_pstrcat(pool, row, "/", nested->name, NULL);
            mistake = declare_path(resource, &path, pool);
        }
    }
    return mistake;
}
