/* Resources in OpenAPI: see resource.h. */
#include "docs/resource.h"

#include <apr_lib.h>
#include <apr_strings.h>
#include <string.h>

#include "route/param.h"

/* JSON Schema's view of SQL's types. Others may be anything: objects of a
 * composite type, words of an enumeration. */
static const struct {
    const char *sql;
    const char *type;   /* NULL: any */
    const char *format; /* NULL: SQL's */
} types[] = {
    {"smallint", "integer", "int32"},
    {"integer", "integer", "int32"},
    {"bigint", "integer", "int64"},
    {"numeric", "number", NULL},
    {"real", "number", NULL},
    {"double precision", "number", NULL},
    {"boolean", "boolean", NULL},
    {"date", "string", "date"},
    {"timestamp with time zone", "string", "date-time"},
    {"timestamp without time zone", "string", NULL},
    {"time without time zone", "string", NULL},
    {"interval", "string", NULL},
    {"uuid", "string", "uuid"},
    {"text", "string", NULL},
    {"character varying", "string", NULL},
    {"bpchar", "string", NULL},
    {"name", "string", NULL},
    {"bytea", "string", NULL},
    {"inet", "string", NULL},
    {"cidr", "string", NULL},
    {"bit varying", "string", NULL},
};

#define TYPES (sizeof(types) / sizeof(types[0]))

static apr_size_t index_of(const char *sql, apr_size_t len)
{
    apr_size_t i = 0;

    while (i < TYPES && (strlen(types[i].sql) != len ||
                         strncmp(types[i].sql, sql, len) != 0)) {
        i++;
    }
    return i;
}

static void put_type(dsapi_json_writer_t *w, const char *type, int nullable)
{
    if (!type) {
        return;
    }
    dsapi_json_key(w, "type");
    if (!nullable) {
        dsapi_json_string(w, type);
        return;
    }
    dsapi_json_begin_array(w);
    dsapi_json_string(w, type);
    dsapi_json_string(w, "null");
    dsapi_json_end_array(w);
}

static void put_column(dsapi_json_writer_t *w,
                       const dsapi_docs_column_t *column)
{
    apr_size_t len = strlen(column->type);
    int is_array = len > 2 && strcmp(column->type + len - 2, "[]") == 0;
    apr_size_t i = index_of(column->type, is_array ? len - 2 : len);
    const char *type = i < TYPES ? types[i].type : NULL;
    const char *format = i < TYPES ? types[i].format : NULL;

    dsapi_json_key(w, column->name);
    dsapi_json_begin_object(w);
    put_type(w, is_array ? "array" : type, column->nullable);
    if (format && !is_array) {
        dsapi_json_member(w, "format", format);
    }
    else if (column->format) {
        dsapi_json_member(w, "format", column->format);
    }
    if (is_array) { /* of any dimension */
        dsapi_json_key(w, "items");
        dsapi_json_begin_object(w);
        dsapi_json_end_object(w);
    }
    if (column->comment) {
        dsapi_json_member(w, "description", column->comment);
    }
    if (column->read_only) {
        dsapi_json_key(w, "readOnly");
        dsapi_json_bool(w, 1);
    }
    dsapi_json_end_object(w);
}

const char *dsapi_docs_row_name(const dsapi_docs_resource_t *resource,
                                apr_pool_t *pool)
{
    dsapi_buf_t *buf = dsapi_buf_make(0, pool);

    dsapi_buf_put(buf, "row.", 4);
    for (const char *p = resource->name; *p; p++) {
        if (apr_isalnum(*p) || *p == '-' || *p == '_') {
            dsapi_buf_putc(buf, *p);
        }
        else { /* nothing else may be in the name of a schema, but for dots */
            dsapi_buf_put(
                buf, apr_psprintf(pool, ".%02x", (unsigned)(unsigned char)*p),
                3);
        }
    }
    return dsapi_buf_str(buf);
}

void dsapi_docs_put_row(dsapi_json_writer_t *w,
                        const dsapi_docs_resource_t *resource)
{
    const apr_array_header_t *columns = resource->columns;

    dsapi_json_begin_object(w);
    dsapi_json_member(w, "type", "object");
    if (resource->comment) {
        dsapi_json_member(w, "description", resource->comment);
    }
    if (columns) {
        dsapi_json_key(w, "properties");
        dsapi_json_begin_object(w);
        for (int i = 0; i < columns->nelts; i++) {
            put_column(w, &APR_ARRAY_IDX(columns, i, dsapi_docs_column_t));
        }
        dsapi_json_end_object(w);
    }
    dsapi_json_end_object(w);
}

/* Has the query's parameter of that name another meaning? */
static int is_taken(const apr_array_header_t *params, const char *name)
{
    for (int i = 0; i < params->nelts; i++) {
        const dsapi_param_t *param =
            APR_ARRAY_IDX(params, i, const dsapi_param_t *);

        if (param->in == DSAPI_IN_QUERY && strcmp(param->name, name) == 0) {
            return 1;
        }
    }
    return 0;
}

void dsapi_docs_put_filters(dsapi_json_writer_t *w,
                            const dsapi_docs_route_t *route)
{
    const apr_array_header_t *columns = route->resource->columns;

    for (int i = 0; columns && i < columns->nelts; i++) {
        const char *name = APR_ARRAY_IDX(columns, i, dsapi_docs_column_t).name;

        if (is_taken(route->params, name)) {
            continue;
        }
        dsapi_json_begin_object(w);
        dsapi_json_member(w, "name", name);
        dsapi_json_member(w, "in", "query");
        dsapi_json_member(w, "description",
                          "A filter: eq.x, gte.x, in.(x,y), is.null, not.eq.x "
                          "and so on");
        dsapi_json_key(w, "schema");
        dsapi_json_begin_object(w);
        dsapi_json_member(w, "type", "string");
        dsapi_json_end_object(w);
        dsapi_json_end_object(w);
    }
}

/* What a row is, an array of them, and what may be either. */
static const char *row_of(const dsapi_docs_route_t *route, apr_pool_t *pool)
{
    return apr_pstrcat(pool, "{\"$ref\":\"#/components/schemas/",
                       dsapi_docs_row_name(route->resource, pool), "\"}", NULL);
}

static const char *rows_of(const dsapi_docs_route_t *route, apr_pool_t *pool)
{
    return apr_pstrcat(
        pool, "{\"type\":\"array\",\"items\":", row_of(route, pool), "}", NULL);
}

static const char text[] = "{\"type\":\"string\"}";

static void put_media(dsapi_json_writer_t *w, const char *type,
                      const char *schema)
{
    dsapi_json_key(w, type);
    dsapi_json_begin_object(w);
    dsapi_json_key(w, "schema");
    dsapi_json_raw(w, schema, strlen(schema));
    dsapi_json_end_object(w);
}

void dsapi_docs_put_request(dsapi_json_writer_t *w,
                            const dsapi_docs_route_t *route, apr_pool_t *pool)
{
    int is_post = strcmp(route->method, "POST") == 0;
    const char *row = row_of(route, pool);

    if (*route->method != 'P') {
        return;
    }
    dsapi_json_key(w, "requestBody");
    dsapi_json_begin_object(w);
    dsapi_json_key(w, "required");
    dsapi_json_bool(w, 1);
    dsapi_json_key(w, "content");
    dsapi_json_begin_object(w);
    if (!is_post || route->resource->json) {
        put_media(w, "application/json",
                  is_post ? apr_pstrcat(pool, "{\"oneOf\":[", row, ",",
                                        rows_of(route, pool), "]}", NULL)
                          : row);
        put_media(w, "application/x-www-form-urlencoded", row);
    }
    if (is_post && route->resource->csv) {
        put_media(w, "text/csv", text);
    }
    dsapi_json_end_object(w);
    dsapi_json_end_object(w);
}

/* What a method answers. */
typedef struct answer_t {
    const char *method; /* "": every one */
    const char *what;   /* NULL: an error */
    int list;
    int by_key;
    int status;
    int has_rows;
} answer_t;

static const answer_t answers[] = {
    {"GET", "The rows, or the one of the key", 1, 1, 200, 1},
    {"GET", "A page of the rows, with Prefer: count=exact", 1, 0, 206, 1},
    {"GET", "The client has it", 0, 1, 304, 0},
    {"GET", NULL, 1, 1, 406, 0},
    {"GET", NULL, 1, 0, 416, 0},
    {"POST", "Rows that were there have been merged with", 1, 1, 200, 1},
    {"POST", "Stored, with Location where it is one row", 1, 1, 201, 1},
    {"POST", NULL, 1, 1, 409, 0},
    {"POST", NULL, 1, 1, 413, 0},
    {"POST", NULL, 1, 1, 415, 0},
    {"POST", NULL, 1, 1, 422, 0},
    {"PUT", "Replaced, with Prefer: return=representation", 1, 1, 200, 1},
    {"PUT", "Made, with Prefer: return=representation", 1, 1, 201, 1},
    {"PUT", "Done", 1, 1, 204, 0},
    {"PUT", NULL, 1, 1, 409, 0},
    {"PUT", NULL, 1, 1, 412, 0},
    {"PUT", NULL, 1, 1, 415, 0},
    {"PATCH", "Changed, with Prefer: return=representation", 1, 1, 200, 1},
    {"PATCH", "Done", 1, 1, 204, 0},
    {"PATCH", NULL, 1, 1, 409, 0},
    {"PATCH", NULL, 1, 1, 412, 0},
    {"PATCH", NULL, 1, 1, 415, 0},
    {"DELETE", "Deleted, with Prefer: return=representation", 1, 1, 200, 1},
    {"DELETE", "Done", 1, 1, 204, 0},
    {"DELETE", NULL, 1, 1, 409, 0},
    {"DELETE", NULL, 1, 1, 412, 0},
    {"", NULL, 1, 1, 400, 0},
    {"", NULL, 1, 1, 403, 0},
    {"", NULL, 1, 1, 404, 0},
};

static void put_problem(dsapi_json_writer_t *w, const char *status)
{
    static const char problem[] = "{\"$ref\":\"#/components/responses/"
                                  "Problem\"}";

    dsapi_json_key(w, status);
    dsapi_json_raw(w, problem, sizeof(problem) - 1);
}

static void put_success(dsapi_json_writer_t *w, const answer_t *answer,
                        const dsapi_docs_route_t *route, apr_pool_t *pool)
{
    const char *row = row_of(route, pool);

    dsapi_json_key(w, apr_itoa(pool, answer->status));
    dsapi_json_begin_object(w);
    dsapi_json_member(w, "description", answer->what);
    if (answer->has_rows) {
        dsapi_json_key(w, "content");
        dsapi_json_begin_object(w);
        put_media(w, "application/json",
                  route->by_key ? row : rows_of(route, pool));
        put_media(w, "application/vnd.pgrst.object+json", row);
        if (!route->by_key) {
            put_media(w, "text/csv", text);
            put_media(w, "application/x-ndjson", text);
        }
        dsapi_json_end_object(w);
    }
    dsapi_json_end_object(w);
}

void dsapi_docs_put_answers(dsapi_json_writer_t *w,
                            const dsapi_docs_route_t *route, apr_pool_t *pool)
{
    dsapi_json_key(w, "responses");
    dsapi_json_begin_object(w);
    for (apr_size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
        const answer_t *answer = &answers[i];

        if ((*answer->method && strcmp(answer->method, route->method) != 0) ||
            !(route->by_key ? answer->by_key : answer->list)) {
            continue;
        }
        if (answer->what) {
            put_success(w, answer, route, pool);
        }
        else {
            put_problem(w, apr_itoa(pool, answer->status));
        }
    }
    put_problem(w, "default");
    dsapi_json_end_object(w);
}
