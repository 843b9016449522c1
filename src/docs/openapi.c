/* OpenAPI: see openapi.h. */
#include "docs/openapi.h"

#include <apr_hash.h>
#include <apr_strings.h>

#include "docs/resource.h"
#include "json/writer.h"
#include "route/param.h"

typedef struct doc_t {
    dsapi_json_writer_t w;
    apr_pool_t *pool;
} doc_t;

/* What is the same in every document. */
static const char problem_schema[] =
    "{\"type\":\"object\","
    "\"description\":\"RFC 9457\",\"required\":[\"type\",\"title\","
    "\"status\",\"detail\",\"instance\",\"code\"],\"properties\":{"
    "\"type\":{\"type\":\"string\"},\"title\":{\"type\":\"string\"},"
    "\"status\":{\"type\":\"integer\"},\"detail\":{\"type\":\"string\"},"
    "\"instance\":{\"type\":\"string\"},"
    "\"code\":{\"type\":\"string\",\"description\":\"a stable word\"},"
    "\"errors\":{\"type\":\"array\",\"items\":{\"type\":\"object\","
    "\"properties\":{\"in\":{\"type\":\"string\"},"
    "\"name\":{\"type\":\"string\"},\"message\":{\"type\":\"string\"}}}}}}";

static const char job_schema[] =
    "{\"type\":\"object\",\"description\":\"the parameters, and how "
    "the job stands\",\"required\":[\"state\",\"attempts\"],\"properties\":{"
    "\"state\":{\"enum\":[\"queued\",\"running\",\"succeeded\","
    "\"failed\"]},\"attempts\":{\"type\":\"integer\"},"
    "\"queued_at\":{\"type\":\"string\",\"format\":\"date-time\"},"
    "\"started_at\":{\"type\":[\"string\",\"null\"],"
    "\"format\":\"date-time\"},"
    "\"finished_at\":{\"type\":[\"string\",\"null\"],"
    "\"format\":\"date-time\"},"
    "\"next_attempt_at\":{\"type\":[\"string\",\"null\"],"
    "\"format\":\"date-time\"},"
    "\"result\":{},\"error\":{\"type\":[\"string\",\"null\"]}}}";

static const char responses[] = "{\"Problem\":{\"description\":\"An "
                                "error\",\"content\":{"
                                "\"application/problem+json\":{\"schema\":{"
                                "\"$ref\":\"#/components/schemas/"
                                "Problem\"}}}}}";

/* JSON Schema's view of the types, in the order of dsapi_type_e. */
static const struct {
    const char *type; /* NULL: any */
    const char *format;
    const char *pattern;
} types[] = {{"string", NULL, NULL},
             {"integer", "int32", NULL},
             {"integer", "int64", NULL},
             {"number", NULL, NULL},
             {"boolean", NULL, NULL},
             {"string", "date", NULL},
             {"string", "date-time", NULL},
             {"string", "uuid", NULL},
             {"string", NULL, "^[A-Za-z]{2}$"},
             {"string", NULL, "^[A-Za-z]{3}$"},
             {"string", NULL, "^[A-Za-z0-9]+(-[A-Za-z0-9]+)*$"},
             {"string", NULL, NULL},
             {NULL, NULL, NULL}};

static void put_member(doc_t *doc, const char *name, const char *text)
{
    if (text) {
        dsapi_json_member(&doc->w, name, text);
    }
}

/* A canonical value as JSON. */
static void put_value(doc_t *doc, const dsapi_param_t *param, const char *value)
{
    const char *type = types[param->type.kind].type;

    if (type && strcmp(type, "string") == 0) {
        dsapi_json_string(&doc->w, value);
    }
    else {
        dsapi_json_raw(&doc->w, value, strlen(value));
    }
}

static int has_numbers(const dsapi_param_t *param)
{
    return param->type.kind == DSAPI_TYPE_INT ||
           param->type.kind == DSAPI_TYPE_BIGINT ||
           param->type.kind == DSAPI_TYPE_NUMBER;
}

static void put_bound(doc_t *doc, const char *name, const dsapi_param_t *param,
                      const dsapi_bound_t *bound)
{
    if (bound->value && has_numbers(param)) {
        dsapi_json_key(&doc->w, name);
        put_value(doc, param, bound->value);
    }
}

/* What one value, or an item, has to be: members of a schema. */
static void put_scalar(doc_t *doc, const dsapi_param_t *param)
{
    put_member(doc, "type", types[param->type.kind].type);
    put_member(doc, "format", types[param->type.kind].format);
    put_member(doc, "pattern",
               param->pattern_text ? param->pattern_text
                                   : types[param->type.kind].pattern);
    put_bound(doc, "minimum", param, &param->min);
    put_bound(doc, "maximum", param, &param->max);
    if (param->choices) {
        dsapi_json_key(&doc->w, "enum");
        dsapi_json_begin_array(&doc->w);
        for (int i = 0; i < param->choices->nelts; i++) {
            put_value(doc, param,
                      APR_ARRAY_IDX(param->choices, i, const char *));
        }
        dsapi_json_end_array(&doc->w);
    }
}

/* A bound that JSON Schema has no word for, as a sentence. */
static const char *bound_text(doc_t *doc, const char *text, const char *before,
                              const dsapi_param_t *param,
                              const dsapi_bound_t *bound)
{
    const char *value = bound->param          ? bound->param
                        : !has_numbers(param) ? bound->value
                                              : NULL;

    return value ? apr_pstrcat(doc->pool, text, *text ? " " : "", before,
                               bound->param ? "the parameter " : "", value, ".",
                               NULL)
                 : text;
}

static void put_description(doc_t *doc, const dsapi_param_t *param)
{
    const char *text = param->description ? param->description : "";

    text = bound_text(doc, text, "At least ", param, &param->min);
    text = bound_text(doc, text, "At most ", param, &param->max);
    put_member(doc, "description", *text ? text : NULL);
}

/* @param described  the schema tells what the parameter is for, too */
static void put_schema(doc_t *doc, const dsapi_param_t *param, int described)
{
    dsapi_json_begin_object(&doc->w);
    if (described) {
        put_description(doc, param);
    }
    if (param->type.is_array) {
        dsapi_json_member(&doc->w, "type", "array");
        dsapi_json_key(&doc->w, "items");
        dsapi_json_begin_object(&doc->w);
        put_scalar(doc, param);
        dsapi_json_end_object(&doc->w);
    }
    else {
        put_scalar(doc, param);
        if (param->def) {
            dsapi_json_key(&doc->w, "default");
            put_value(doc, param, param->def);
        }
    }
    dsapi_json_end_object(&doc->w);
}

static int index_in(const apr_array_header_t *names, const char *name)
{
    for (int i = 0; i < names->nelts; i++) {
        if (strcmp(APR_ARRAY_IDX(names, i, const char *), name) == 0) {
            return i;
        }
    }
    return -1;
}

/* A parameter of the path, the query or a header. In the path it has the name
 * that the first route on that path gives it. */
static void put_param(doc_t *doc, const dsapi_docs_route_t *route,
                      const dsapi_docs_route_t *first,
                      const dsapi_param_t *param)
{
    const char *name = param->name;

    if (param->in == DSAPI_IN_PATH) {
        name = APR_ARRAY_IDX(first->path_names,
                             index_in(route->path_names, name), const char *);
    }
    else if (param->in == DSAPI_IN_HEADER) {
        name = dsapi_route_header_name(param->name, doc->pool);
    }
    dsapi_json_begin_object(&doc->w);
    dsapi_json_member(&doc->w, "name", name);
    dsapi_json_member(&doc->w, "in", dsapi_route_in_name(param->in));
    dsapi_json_key(&doc->w, "required");
    dsapi_json_bool(&doc->w, param->required || param->in == DSAPI_IN_PATH);
    put_description(doc, param);
    if (param->type.kind == DSAPI_TYPE_JSON && !param->type.is_array) {
        dsapi_json_key(&doc->w, "content");
        dsapi_json_begin_object(&doc->w);
        dsapi_json_key(&doc->w, "application/json");
        dsapi_json_begin_object(&doc->w);
        dsapi_json_key(&doc->w, "schema");
        put_schema(doc, param, 0);
        dsapi_json_end_object(&doc->w);
        dsapi_json_end_object(&doc->w);
    }
    else {
        if (param->type.is_array && param->in == DSAPI_IN_QUERY) {
            dsapi_json_member(&doc->w, "style", "form");
            dsapi_json_key(&doc->w, "explode"); /* a comma list */
            dsapi_json_bool(&doc->w, 0);
        }
        dsapi_json_key(&doc->w, "schema");
        put_schema(doc, param, 0);
    }
    dsapi_json_end_object(&doc->w);
}

static void put_params(doc_t *doc, const dsapi_docs_route_t *route,
                       const dsapi_docs_route_t *first)
{
    dsapi_json_key(&doc->w, "parameters");
    dsapi_json_begin_array(&doc->w);
    for (int i = 0; i < route->params->nelts; i++) {
        const dsapi_param_t *param =
            APR_ARRAY_IDX(route->params, i, const dsapi_param_t *);

        if (param->in != DSAPI_IN_BODY) {
            put_param(doc, route, first, param);
        }
    }
    if (route->resource && !route->by_key &&
        strcmp(route->method, "POST") != 0) {
        dsapi_docs_put_filters(&doc->w, route);
    }
    dsapi_json_end_array(&doc->w);
}

/* The object that a body is, by its members. */
static void put_members(doc_t *doc, const apr_array_header_t *body)
{
    int required = 0;

    dsapi_json_begin_object(&doc->w);
    dsapi_json_member(&doc->w, "type", "object");
    dsapi_json_key(&doc->w, "properties");
    dsapi_json_begin_object(&doc->w);
    for (int i = 0; i < body->nelts; i++) {
        const dsapi_param_t *param =
            APR_ARRAY_IDX(body, i, const dsapi_param_t *);

        required |= param->required;
        dsapi_json_key(&doc->w, param->name);
        put_schema(doc, param, 1);
    }
    dsapi_json_end_object(&doc->w);
    if (required) {
        dsapi_json_key(&doc->w, "required");
        dsapi_json_begin_array(&doc->w);
        for (int i = 0; i < body->nelts; i++) {
            const dsapi_param_t *param =
                APR_ARRAY_IDX(body, i, const dsapi_param_t *);

            if (param->required) {
                dsapi_json_string(&doc->w, param->name);
            }
        }
        dsapi_json_end_array(&doc->w);
    }
    dsapi_json_key(&doc->w, "additionalProperties");
    dsapi_json_bool(&doc->w, 0);
    dsapi_json_end_object(&doc->w);
}

static void put_body(doc_t *doc, const dsapi_docs_route_t *route)
{
    static const char *const media[] = {"application/json", "application/"
                                                            "x-www-form-"
                                                            "urlencoded"};
    apr_array_header_t *body = apr_array_make(doc->pool, 4, sizeof(void *));
    int required = 0;
    int whole = 0;

    for (int i = 0; i < route->params->nelts; i++) {
        const dsapi_param_t *param =
            APR_ARRAY_IDX(route->params, i, const dsapi_param_t *);

        if (param->in == DSAPI_IN_BODY) {
            APR_ARRAY_PUSH(body, const dsapi_param_t *) = param;
            required |= param->required;
            whole |= param->whole;
        }
    }
    if (body->nelts == 0) {
        return;
    }
    dsapi_json_key(&doc->w, "requestBody");
    dsapi_json_begin_object(&doc->w);
    dsapi_json_key(&doc->w, "required");
    dsapi_json_bool(&doc->w, required);
    dsapi_json_key(&doc->w, "content");
    dsapi_json_begin_object(&doc->w);
    for (int i = 0; i < (whole ? 1 : 2); i++) {
        dsapi_json_key(&doc->w, media[i]);
        dsapi_json_begin_object(&doc->w);
        dsapi_json_key(&doc->w, "schema");
        if (whole) {
            put_schema(doc, APR_ARRAY_IDX(body, 0, const dsapi_param_t *), 1);
        }
        else {
            put_members(doc, body);
        }
        dsapi_json_end_object(&doc->w);
    }
    dsapi_json_end_object(&doc->w);
    dsapi_json_end_object(&doc->w);
}

/* Answers */

/* What they are, in the order of dsapi_docs_answer_e. */
static const struct {
    const char *text;
    const char *schema; /* NULL: no body */
    int may_lack;       /* 404 */
} answers[] = {
    {"The rows", "{\"type\":\"array\",\"items\":{\"type\":\"object\"}}", 0},
    {"The row", "{\"type\":\"object\"}", 1},
    {"The value", "{}", 1},
    {"Done", NULL, 0},
    {"The answer", "{\"type\":\"object\"}", 0},
    {"The names", "{\"type\":\"array\",\"items\":{\"type\":\"string\"}}", 0},
    {"The newest job", "{\"$ref\":\"#/components/schemas/Job\"}", 1},
    {"The job, in the queue", "{\"$ref\":\"#/components/schemas/Job\"}", 0},
    {"The jobs, in the queue",
     "{\"type\":\"array\",\"items\":{\"$ref\":\"#/components/schemas/Job\"}}",
     0}};

const char *dsapi_docs_answer_text(dsapi_docs_answer_e answer)
{
    return answers[answer].text;
}

static void put_media(doc_t *doc, const char *type, const char *schema)
{
    dsapi_json_key(&doc->w, type);
    dsapi_json_begin_object(&doc->w);
    dsapi_json_key(&doc->w, "schema");
    dsapi_json_raw(&doc->w, schema, strlen(schema));
    dsapi_json_end_object(&doc->w);
}

static void put_success(doc_t *doc, const dsapi_docs_route_t *route, int status,
                        const char *text)
{
    static const char string[] = "{\"type\":\"string\"}";
    const char *schema = answers[route->answer].schema;

    dsapi_json_key(&doc->w, apr_itoa(doc->pool, status));
    dsapi_json_begin_object(&doc->w);
    dsapi_json_member(&doc->w, "description", text);
    if (schema) {
        dsapi_json_key(&doc->w, "content");
        dsapi_json_begin_object(&doc->w);
        if (route->content_type) {
            put_media(doc, route->content_type, "{}");
        }
        else {
            put_media(doc, "application/json", schema);
        }
        if (route->answer == DSAPI_DOCS_ROWS) {
            put_media(doc, "text/csv", string);
            put_media(doc, "application/x-ndjson", string);
        }
        dsapi_json_end_object(&doc->w);
    }
    dsapi_json_end_object(&doc->w);
}

static void put_problem(doc_t *doc, const char *status)
{
    static const char problem[] = "{\"$ref\":\"#/components/responses/"
                                  "Problem\"}";

    dsapi_json_key(&doc->w, status);
    dsapi_json_raw(&doc->w, problem, sizeof(problem) - 1);
}

static void put_answers(doc_t *doc, const dsapi_docs_route_t *route)
{
    dsapi_json_key(&doc->w, "responses");
    dsapi_json_begin_object(&doc->w);
    if (route->fresh) {
        put_success(doc, route, 200, "The job that has fetched what is fresh");
    }
    put_success(doc, route, route->status, answers[route->answer].text);
    if (route->cached) {
        dsapi_json_key(&doc->w, "304");
        dsapi_json_begin_object(&doc->w);
        dsapi_json_member(&doc->w, "description", "The client has it");
        dsapi_json_end_object(&doc->w);
    }
    put_problem(doc, "400");
    if (answers[route->answer].may_lack) {
        put_problem(doc, "404");
    }
    put_problem(doc, "default");
    dsapi_json_end_object(&doc->w);
}

/* Paths */

static void put_operation(doc_t *doc, const dsapi_docs_route_t *route,
                          const dsapi_docs_route_t *first)
{
    char *method = apr_pstrdup(doc->pool, route->method);

    for (char *p = method; *p; p++) {
        *p = (char)(*p | 0x20); /* lower case */
    }
    dsapi_json_key(&doc->w, method);
    dsapi_json_begin_object(&doc->w);
    put_member(doc, "summary", route->summary);
    put_member(doc, "description", route->description);
    if (route->tag) {
        dsapi_json_key(&doc->w, "tags");
        dsapi_json_begin_array(&doc->w);
        dsapi_json_string(&doc->w, route->tag);
        dsapi_json_end_array(&doc->w);
    }
    put_params(doc, route, first);
    if (route->resource) {
        dsapi_docs_put_request(&doc->w, route, doc->pool);
        dsapi_docs_put_answers(&doc->w, route, doc->pool);
    }
    else {
        put_body(doc, route);
        put_answers(doc, route);
    }
    dsapi_json_end_object(&doc->w);
}

/* A template without the names of its parameters: what is the same stands for
 * the same paths. OpenAPI has one entry for both. */
static const char *shape_of(const char *path, apr_pool_t *pool)
{
    char *shape = apr_pstrdup(pool, path);
    char *out = shape;

    for (const char *p = path; *p; p++) {
        *out++ = *p;
        if (*p == '{') {
            p = strchr(p, '}');
            *out++ = *p;
        }
    }
    *out = '\0';
    return shape;
}

/* Adds a route to those of its path, unless one has its method. */
static void join(apr_array_header_t *same, const dsapi_docs_route_t *route)
{
    for (int i = 0; i < same->nelts; i++) {
        if (strcmp(APR_ARRAY_IDX(same, i, const dsapi_docs_route_t *)->method,
                   route->method) == 0) {
            return;
        }
    }
    APR_ARRAY_PUSH(same, const dsapi_docs_route_t *) = route;
}

/* The routes by their paths, in their order. @return of arrays of
 * const dsapi_docs_route_t * */
static apr_array_header_t *by_paths(const apr_array_header_t *routes,
                                    apr_pool_t *pool)
{
    apr_array_header_t *paths =
        apr_array_make(pool, routes->nelts, sizeof(void *));
    apr_hash_t *known = apr_hash_make(pool);

    for (int i = 0; i < routes->nelts; i++) {
        const dsapi_docs_route_t *route =
            &APR_ARRAY_IDX(routes, i, dsapi_docs_route_t);
        const char *shape = shape_of(route->path, pool);
        apr_array_header_t *same =
            apr_hash_get(known, shape, APR_HASH_KEY_STRING);

        if (!same) {
            same = apr_array_make(pool, 4, sizeof(void *));
            apr_hash_set(known, shape, APR_HASH_KEY_STRING, same);
            APR_ARRAY_PUSH(paths, apr_array_header_t *) = same;
        }
        join(same, route);
    }
    return paths;
}

static void put_paths(doc_t *doc, const apr_array_header_t *routes)
{
    const apr_array_header_t *paths = by_paths(routes, doc->pool);

    dsapi_json_key(&doc->w, "paths");
    dsapi_json_begin_object(&doc->w);
    for (int i = 0; i < paths->nelts; i++) {
        const apr_array_header_t *same =
            APR_ARRAY_IDX(paths, i, const apr_array_header_t *);
        const dsapi_docs_route_t *first =
            APR_ARRAY_IDX(same, 0, const dsapi_docs_route_t *);

        dsapi_json_key(&doc->w, first->path);
        dsapi_json_begin_object(&doc->w);
        for (int j = 0; j < same->nelts; j++) {
            put_operation(
                doc, APR_ARRAY_IDX(same, j, const dsapi_docs_route_t *), first);
        }
        dsapi_json_end_object(&doc->w);
    }
    dsapi_json_end_object(&doc->w);
}

static void put_components(doc_t *doc, const apr_array_header_t *routes)
{
    apr_hash_t *told = apr_hash_make(doc->pool);

    dsapi_json_key(&doc->w, "components");
    dsapi_json_begin_object(&doc->w);
    dsapi_json_key(&doc->w, "schemas");
    dsapi_json_begin_object(&doc->w);
    for (int i = 0; i < routes->nelts; i++) {
        const dsapi_docs_resource_t *resource =
            APR_ARRAY_IDX(routes, i, dsapi_docs_route_t).resource;

        if (resource &&
            !apr_hash_get(told, resource->name, APR_HASH_KEY_STRING)) {
            apr_hash_set(told, resource->name, APR_HASH_KEY_STRING, resource);
            dsapi_json_key(&doc->w, dsapi_docs_row_name(resource, doc->pool));
            dsapi_docs_put_row(&doc->w, resource);
        }
    }
    dsapi_json_key(&doc->w, "Problem");
    dsapi_json_raw(&doc->w, problem_schema, sizeof(problem_schema) - 1);
    dsapi_json_key(&doc->w, "Job");
    dsapi_json_raw(&doc->w, job_schema, sizeof(job_schema) - 1);
    dsapi_json_end_object(&doc->w);
    dsapi_json_key(&doc->w, "responses");
    dsapi_json_raw(&doc->w, responses, sizeof(responses) - 1);
    dsapi_json_end_object(&doc->w);
}

void dsapi_docs_openapi(dsapi_buf_t *buf, const dsapi_docs_service_t *service,
                        apr_pool_t *pool)
{
    doc_t doc = {.pool = pool};

    dsapi_json_writer_init(&doc.w, buf);
    dsapi_json_begin_object(&doc.w);
    dsapi_json_member(&doc.w, "openapi", "3.1.1");
    dsapi_json_key(&doc.w, "info");
    dsapi_json_begin_object(&doc.w);
    dsapi_json_member(&doc.w, "title",
                      service->title ? service->title : service->name);
    put_member(&doc, "description", service->description);
    dsapi_json_member(&doc.w, "version",
                      service->version ? service->version : "1");
    dsapi_json_end_object(&doc.w);
    dsapi_json_key(&doc.w, "servers");
    dsapi_json_begin_array(&doc.w);
    dsapi_json_begin_object(&doc.w);
    dsapi_json_member(&doc.w, "url", service->base);
    dsapi_json_end_object(&doc.w);
    dsapi_json_end_array(&doc.w);
    put_paths(&doc, service->routes);
    put_components(&doc, service->routes);
    dsapi_json_end_object(&doc.w);
}
