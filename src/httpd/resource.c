/* Reading resources: see resource.h. */
#include "httpd/resource.h"

#include <apr_strings.h>

#include "base/text.h"
#include "httpd/dbpool.h"
#include "httpd/respond.h"
#include "resource/near.h"
#include "resource/payload.h"
#include "resource/problem.h"
#include "resource/range.h"
#include "resource/read.h"
#include "route/etag.h"
#include "route/table.h"

#define OBJECT_TYPE "application/vnd.pgrst.object+json"

apr_array_header_t *mod_dsapi_ask_calls(const mod_dsapi_ask_t *ask)
{
    apr_pool_t *pool = ask->r->pool;
    apr_array_header_t *calls = mod_dsapi_make_calls(pool);

    if (ask->prefer.timezone) {
        dsapi_call_t *call = apr_array_push(calls);
        const char **values = apr_palloc(pool, sizeof(*values));

        values[0] = ask->prefer.timezone;
        call->sql = dsapi_sql_literal("SELECT set_config('timezone', $1, true)",
                                      1, pool);
        call->types = NULL;
        call->values = values;
    }
    return calls;
}

void mod_dsapi_ask_applied(const mod_dsapi_ask_t *ask,
                           const dsapi_prefer_t *obeyed)
{
    const char *applied = dsapi_prefer_applied(obeyed, ask->r->pool);

    if (applied) {
        apr_table_setn(ask->r->headers_out, "Preference-Applied", applied);
    }
}

static apr_status_t no_such_thing(dsapi_err_t **perr, apr_pool_t *pool)
{
    return dsapi_resource_fail(perr, pool, HTTP_NOT_FOUND, "not-found",
                               "there is no such thing");
}

apr_status_t mod_dsapi_ask_not_one(dsapi_err_t **perr,
                                   const mod_dsapi_ask_t *ask,
                                   apr_int64_t nrows)
{
    apr_pool_t *pool = ask->r->pool;

    if (ask->key) {
        return no_such_thing(perr, pool);
    }
    dsapi_resource_fail(perr, pool, HTTP_NOT_ACCEPTABLE, "PGRST116",
                        "Cannot coerce the result to a single JSON object");
    dsapi_resource_details(
        *perr, pool, "The result contains %" APR_INT64_T_FMT " rows", nrows);
    return (*perr)->rv;
}

static const char *list_type(const mod_dsapi_ask_t *ask)
{
    return ask->answer.stripped ? ask->stripped_type
                                : dsapi_route_table_type(ask->answer.format);
}

const char *mod_dsapi_ask_one_type(const mod_dsapi_ask_t *ask)
{
    if (ask->key) {
        return MOD_DSAPI_JSON_TYPE;
    }
    return ask->answer.stripped ? ask->stripped_type
           : ask->singular      ? OBJECT_TYPE "; charset=utf-8"
                                : MOD_DSAPI_JSON_TYPE;
}

apr_status_t mod_dsapi_ask_write(mod_dsapi_ask_t *ask, dsapi_err_t **perr,
                                 const dsapi_rows_t *rows)
{
    mod_dsapi_answer_t *answer = &ask->answer;
    apr_pool_t *pool = ask->r->pool;
    dsapi_table_t *table;
    apr_status_t rv;

    if (ask->singular) {
        dsapi_route_write_nth(
            answer->buf, dsapi_route_plan_flat(rows, answer->stripped, pool),
            rows, 0);
        answer->type = mod_dsapi_ask_one_type(ask);
        return APR_SUCCESS;
    }
    table = dsapi_route_table_make(answer->format, answer->buf, pool);
    dsapi_route_table_flat(table, answer->stripped);
    rv = dsapi_route_table_rows(table, perr, rows, dsapi_rows_count(rows));
    dsapi_route_table_end(table);
    answer->type = list_type(ask);
    return rv;
}

/* Is it one of PostgREST's own types, "+json" or not? Then, without nulls? */
static int accepts_pgrst(mod_dsapi_ask_t *ask, const char *accept,
                         const char *shape)
{
    apr_pool_t *pool = ask->r->pool;
    const char *type =
        apr_pstrcat(pool, "application/vnd.pgrst.", shape, "+json", NULL);
    int accepts = dsapi_route_accepts(accept, type);

    if (!accepts) {
        accepts = dsapi_route_accepts(
            accept, apr_pstrmemdup(pool, type, strlen(type) - 5));
    }
    if (accepts == 2) {
        ask->answer.stripped = 1;
        ask->stripped_type =
            apr_pstrcat(pool, type, ";nulls=stripped; charset=utf-8", NULL);
    }
    return accepts;
}

/* What Accept asks for: a format of lists, or one object. */
static apr_status_t choose_format(mod_dsapi_ask_t *ask, dsapi_err_t **perr)
{
    const char *accept = apr_table_get(ask->r->headers_in, "Accept");
    int format = dsapi_route_accept(accept, !ask->key);

    ask->answer.format = DSAPI_FORMAT_JSON;
    ask->singular = ask->key != NULL;
    if (accepts_pgrst(ask, accept, "object")) {
        ask->singular = 1;
        return APR_SUCCESS;
    }
    if (format < 0 && accepts_pgrst(ask, accept, "array")) {
        return APR_SUCCESS;
    }
    if (format >= 0) {
        ask->answer.format = (dsapi_format_e)format;
        return APR_SUCCESS;
    }
    dsapi_resource_fail(perr, ask->r->pool, HTTP_NOT_ACCEPTABLE, "PGRST107",
                        "None of these media types are available: %s", accept);
    return (*perr)->rv;
}

/* A condition that a path says: a column is this. */
static void add_equal(dsapi_res_node_t *root, const char *column,
                      const char *value, apr_pool_t *pool)
{
    dsapi_res_cond_t *cond = apr_pcalloc(pool, sizeof(*cond));

    cond->kind = DSAPI_RES_FILTER;
    cond->op = DSAPI_RES_EQ;
    cond->field.name = column;
    cond->value = value;
    APR_ARRAY_PUSH(root->where, dsapi_res_cond_t *) = cond;
}

/* Says which table may have been meant. @param prefix  its schema and a dot */
static void hint_table(dsapi_err_t *err, const apr_array_header_t *names,
                       const char *prefix, const char *name, apr_pool_t *pool)
{
    const char *near =
        names->nelts < DSAPI_NEAR_TABLES_MAX
            ? dsapi_near_name(names, name, DSAPI_NEAR_NAME_PERCENT, pool)
            : NULL;

    if (near) {
        dsapi_resource_hint(err, pool, "Perhaps you meant the table '%s%s'",
                            prefix, near);
    }
}

/* What a schema that is exposed shows. */
static apr_array_header_t *names_of(const mod_dsapi_ask_t *ask)
{
    const apr_array_header_t *entities = ask->catalog->entities;
    apr_array_header_t *names =
        apr_array_make(ask->r->pool, entities->nelts, sizeof(const char *));

    for (int i = 0; i < entities->nelts; i++) {
        const dsapi_res_spec_t *spec =
            APR_ARRAY_IDX(entities, i, dsapi_entity_t).spec;

        if (spec->embeddable && spec->schema == ask->resource->spec.schema) {
            APR_ARRAY_PUSH(names, const char *) = spec->name;
        }
    }
    return names;
}

static apr_status_t no_table(dsapi_err_t **perr, const mod_dsapi_ask_t *ask)
{
    const dsapi_res_spec_t *spec = &ask->resource->spec;
    apr_pool_t *pool = ask->r->pool;
    const char *prefix =
        spec->schema ? apr_pstrcat(pool, spec->schema, ".", NULL) : "";

    dsapi_resource_fail(perr, pool, HTTP_NOT_FOUND, "PGRST205",
                        "Could not find the table '%s%s' in the schema cache",
                        prefix, spec->schema ? ask->name : spec->table);
    if (spec->schema) {
        hint_table(*perr, names_of(ask), prefix, ask->name, pool);
    }
    return (*perr)->rv;
}

/* The table that is asked for. @return NULL: there is none, or it is shown at
 *  another path alone */
static const dsapi_entity_t *find_entity(const mod_dsapi_ask_t *ask)
{
    const dsapi_entity_t *entity = dsapi_catalog_find(ask->catalog, ask->name);

    return entity && entity->spec->schema == ask->resource->spec.schema ? entity
                                                                        : NULL;
}

/* The conditions of {key}, or of the row above in DsapiNested. */
static apr_status_t take_path(mod_dsapi_ask_t *ask, dsapi_err_t **perr,
                              const char *capture)
{
    apr_pool_t *pool = ask->r->pool;

    if (!capture) {
        return APR_SUCCESS;
    }
    if (ask->above) {
        add_equal(ask->query->root, ask->route->nested->column, capture, pool);
        return APR_SUCCESS;
    }
    if (!ask->entity->key) {
        dsapi_resource_fail(perr, pool, HTTP_NOT_FOUND, "not-found",
                            "'%s' has no key of one column", ask->name);
        return (*perr)->rv;
    }
    add_equal(ask->query->root, ask->entity->key->name, capture, pool);
    return APR_SUCCESS;
}

static apr_status_t take_table(mod_dsapi_ask_t *ask, dsapi_err_t **perr,
                               const char *capture)
{
    ask->entity = find_entity(ask);
    return ask->entity ? take_path(ask, perr, capture) : no_table(perr, ask);
}

/* Parses and resolves the query. */
static apr_status_t understand(mod_dsapi_ask_t *ask, dsapi_err_t **perr,
                               const char *capture)
{
    request_rec *r = ask->r;
    apr_status_t rv =
        dsapi_resource_parse(&ask->query, perr, ask->name, ask->pairs, r->pool);

    if (rv == APR_SUCCESS && r->method_number == M_GET && !r->header_only) {
        rv = dsapi_resource_range(
            ask->query, perr, apr_table_get(r->headers_in, "Range"), r->pool);
    }
    if (rv == APR_SUCCESS) {
        ask->query->stripped = ask->answer.stripped;
        rv = ask->route->is_call ? mod_dsapi_ask_find_function(ask, perr)
                                 : take_table(ask, perr, capture);
    }
    return rv == APR_SUCCESS
               ? dsapi_resource_resolve(ask->query, perr, ask->catalog,
                                        ask->entity, r->pool)
               : rv;
}

/* How many rows a page has. */
static void settle_limit(mod_dsapi_ask_t *ask)
{
    const mod_dsapi_resource_t *resource = ask->resource;
    apr_int64_t limit = ask->query->root->limit;

    if (limit < 0 && !ask->route->is_call) {
        limit = resource->page_size;
    }
    if (resource->page_max >= 0 && (limit < 0 || limit > resource->page_max)) {
        limit = resource->page_max;
    }
    ask->limit = limit;
}

/* Headers of a list, whose rows may still come. @param nrows  -1: unknown */
static void list_headers(const mod_dsapi_ask_t *ask, apr_int64_t nrows)
{
    const mod_dsapi_listing_t *listing = ask->answer.listing;
    request_rec *r = ask->r;
    apr_int64_t offset = ask->query->root->offset;
    apr_int64_t total = listing->total;

    if (nrows < 0 && total >= 0) {
        nrows = total - offset;
        if (ask->limit >= 0 && nrows > ask->limit) {
            nrows = ask->limit;
        }
    }
    if (nrows >= 0) {
        apr_table_setn(
            r->headers_out, "Content-Range",
            dsapi_resource_content_range(offset, nrows, total, r->pool));
    }
    if (ask->limit > 0) {
        mod_dsapi_link_pages(r, ask->limit, offset, listing->more);
    }
}

/* A listing's begin: how many rows will come is known where they have been
 * counted to the end. */
static void begin_list(void *baton)
{
    mod_dsapi_ask_t *ask = baton;
    mod_dsapi_answer_t *answer = &ask->answer;
    mod_dsapi_listing_t *listing = answer->listing;
    apr_int64_t total =
        ask->prefer.count == DSAPI_PREFER_EXACT ? listing->total : -1;

    listing->total = total;
    if (total >= 0) {
        listing->more =
            ask->limit >= 0 && total - ask->query->root->offset > ask->limit;
    }
    list_headers(ask, -1);
    answer->type = list_type(ask);
    answer->status = total >= 0 && (ask->query->root->offset > 0 ||
                                    (ask->limit >= 0 && total > ask->limit))
                         ? HTTP_PARTIAL_CONTENT
                         : HTTP_OK;
}

/* Runs one call in a transaction of its own. */
static apr_status_t run_one(dsapi_rows_t **prows, dsapi_err_t **perr,
                            const mod_dsapi_ask_t *ask,
                            const dsapi_call_t *call)
{
    apr_array_header_t *calls = mod_dsapi_ask_calls(ask);

    APR_ARRAY_PUSH(calls, dsapi_call_t) = *call;
    return mod_dsapi_run_calls(prows, perr, ask->r, ask->route, calls);
}

/* The number of rows where no row says it. */
static apr_status_t count_rows(apr_int64_t *ptotal, dsapi_err_t **perr,
                               const mod_dsapi_ask_t *ask,
                               const dsapi_res_reading_t *reading)
{
    dsapi_call_t call;
    dsapi_rows_t *rows;
    apr_status_t rv;

    dsapi_resource_count(&call, ask->query, reading, ask->r->pool);
    rv = run_one(&rows, perr, ask, &call);
    if (rv == APR_SUCCESS) {
        *ptotal = apr_atoi64(dsapi_rows_value(NULL, rows, 0, 0));
    }
    return rv;
}

/* What the planner thinks; -1: it is not asked. */
static apr_status_t plan_rows(apr_int64_t *pplanned, dsapi_err_t **perr,
                              const mod_dsapi_ask_t *ask)
{
    dsapi_call_t call;
    dsapi_rows_t *rows;
    apr_status_t rv;

    *pplanned = -1;
    if (ask->prefer.count != DSAPI_PREFER_PLANNED &&
        ask->prefer.count != DSAPI_PREFER_ESTIMATED) {
        return APR_SUCCESS;
    }
    dsapi_resource_explain(&call, ask->query, ask->r->pool);
    rv = run_one(&rows, perr, ask, &call);
    if (rv == APR_SUCCESS) {
        *pplanned = dsapi_resource_planned(rows, ask->r->pool);
    }
    return rv;
}

/* An empty list below another's row: is there such a row? */
static apr_status_t check_above(const mod_dsapi_ask_t *ask, dsapi_err_t **perr)
{
    const char *name = ask->route->nested->above->spec.name;
    const dsapi_entity_t *entity = dsapi_catalog_find(ask->catalog, name);
    dsapi_res_reading_t reading = {-1, 0, -1, 0, -1, 0};
    mod_dsapi_ask_t above = *ask;
    apr_pool_t *pool = ask->r->pool;
    apr_int64_t total = 0;
    apr_status_t rv = dsapi_resource_parse(
        &above.query, perr, name, apr_array_make(pool, 1, sizeof(dsapi_pair_t)),
        pool);

    if (rv == APR_SUCCESS && entity && entity->key) {
        add_equal(above.query->root, entity->key->name, ask->above, pool);
        rv = dsapi_resource_resolve(above.query, perr, ask->catalog, entity,
                                    pool);
        if (rv == APR_SUCCESS) {
            rv = count_rows(&total, perr, &above, &reading);
        }
    }
    if (rv == APR_SUCCESS && total == 0) {
        return no_such_thing(perr, pool);
    }
    return rv;
}

/* Completes a list that is whole: its total, its status, its headers. */
static apr_status_t finish_list(mod_dsapi_ask_t *ask, dsapi_err_t **perr,
                                const dsapi_res_reading_t *reading,
                                apr_int64_t planned)
{
    mod_dsapi_listing_t *listing = ask->answer.listing;
    apr_int64_t *ptotal = &listing->total;
    apr_status_t rv = APR_SUCCESS;

    if (ask->above && listing->nrows == 0) {
        rv = check_above(ask, perr);
    }
    if (rv == APR_SUCCESS && reading->count && *ptotal < 0) {
        *ptotal = 0;
        if (reading->offset > 0 || ask->limit == 0) {
            rv = count_rows(ptotal, perr, ask, reading);
        }
    }
    if (planned >= 0 &&
        (!reading->count ||
         (*ptotal > ask->resource->page_max && planned > *ptotal))) {
        *ptotal = planned;
    }
    if (rv == APR_SUCCESS) {
        rv = dsapi_resource_range_status(&ask->answer.status, perr,
                                         reading->offset, listing->nrows,
                                         *ptotal, ask->r->pool);
    }
    if (rv == APR_SUCCESS || *ptotal >= 0) {
        list_headers(ask, listing->nrows);
    }
    ask->answer.type = list_type(ask);
    return rv;
}

static dsapi_res_reading_t reading_of(const mod_dsapi_ask_t *ask)
{
    const mod_dsapi_resource_t *resource = ask->resource;
    dsapi_res_reading_t reading = {.limit = ask->limit,
                                   .offset = ask->query->root->offset,
                                   .max_rows = resource->page_max,
                                   .count_max = -1};

    reading.count = ask->prefer.count == DSAPI_PREFER_EXACT ||
                    ask->prefer.count == DSAPI_PREFER_ESTIMATED;
    if (ask->prefer.count == DSAPI_PREFER_ESTIMATED &&
        resource->page_max >= 0) {
        reading.count_max = resource->page_max + 1;
    }
    return reading;
}

static apr_status_t read_list(mod_dsapi_ask_t *ask, dsapi_err_t **perr)
{
    mod_dsapi_listing_t listing = {
        .limit = ask->limit, .begin = begin_list, .baton = ask, .total = -1};
    dsapi_res_reading_t reading = reading_of(ask);
    apr_array_header_t *calls = mod_dsapi_ask_calls(ask);
    apr_int64_t planned;
    apr_status_t rv = plan_rows(&planned, perr, ask);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    ask->answer.listing = &listing;
    reading.limit = ask->limit > 0 ? ask->limit + 1 : ask->limit;
    dsapi_resource_read(apr_array_push(calls), ask->query, &reading,
                        ask->r->pool);
    rv = mod_dsapi_stream(&ask->answer, perr, ask->r, ask->route, NULL, calls);
    if (rv == APR_SUCCESS && !ask->answer.sent) {
        rv = finish_list(ask, perr, &reading, planned);
    }
    ask->answer.listing = NULL;
    return rv;
}

/* Sets a row's validator. @return 1: the client has it */
static int is_known(const mod_dsapi_ask_t *ask, const dsapi_rows_t *rows)
{
    const char *validator = dsapi_rows_get(rows, DSAPI_RES_ETAG);
    const char *etag;

    if (!validator) {
        return 0;
    }
    etag = mod_dsapi_etag(validator, ask->r->pool);
    apr_table_setn(ask->r->headers_out, "ETag", etag);
    return dsapi_route_etag_matches(apr_table_get(ask->r->headers_in, "If-None-"
                                                                      "Match"),
                                    etag);
}

/* One object: two rows at most are read, to know that there is one. */
static apr_status_t read_one(mod_dsapi_ask_t *ask, dsapi_err_t **perr)
{
    dsapi_res_reading_t reading = reading_of(ask);
    dsapi_call_t call;
    dsapi_rows_t *rows;
    apr_int64_t nrows;
    apr_status_t rv;

    reading.limit = ask->limit < 0 || ask->limit > 2 ? 2 : ask->limit;
    reading.validator = ask->key && !dsapi_resource_embeds(ask->query);
    dsapi_resource_read(&call, ask->query, &reading, ask->r->pool);
    rv = run_one(&rows, perr, ask, &call);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    nrows = dsapi_rows_count(rows);
    if (nrows > 1 && !ask->key) {
        reading.count_max = -1;
        rv = count_rows(&nrows, perr, ask, &reading);
        nrows -= reading.offset;
        if (ask->limit >= 0 && nrows > ask->limit) {
            nrows = ask->limit;
        }
    }
    if (rv == APR_SUCCESS && nrows != 1) {
        return mod_dsapi_ask_not_one(perr, ask, nrows);
    }
    if (rv == APR_SUCCESS && !ask->key) {
        apr_table_setn(ask->r->headers_out, "Content-Range",
                       dsapi_resource_content_range(reading.offset, 1,
                                                    reading.count ? 1 : -1,
                                                    ask->r->pool));
    }
    if (rv == APR_SUCCESS && is_known(ask, rows)) {
        ask->answer.status = HTTP_NOT_MODIFIED;
        return APR_SUCCESS;
    }
    return rv == APR_SUCCESS ? mod_dsapi_ask_write(ask, perr, rows) : rv;
}

static apr_status_t read_resource(mod_dsapi_ask_t *ask, dsapi_err_t **perr)
{
    dsapi_prefer_t obeyed = ask->prefer;

    obeyed.resolution = obeyed.answer = obeyed.missing = 0;
    obeyed.max_affected = -1;
    mod_dsapi_ask_applied(ask, &obeyed);
    mod_dsapi_ask_located(ask);
    ask->answer.status = HTTP_OK;
    return ask->singular ? read_one(ask, perr) : read_list(ask, perr);
}

/* What is asked for, apart from the catalogue. */
static apr_status_t take_request(mod_dsapi_ask_t *ask, dsapi_err_t **perr)
{
    request_rec *r = ask->r;
    apr_status_t rv;

    ask->pairs =
        dsapi_base_form_parse(r->args, r->args ? strlen(r->args) : 0, r->pool);
    rv = dsapi_resource_check_pairs(perr, "query", ask->pairs, r->pool);

    if (rv == APR_SUCCESS) {
        rv = choose_format(ask, perr);
    }
    if (rv == APR_SUCCESS) {
        dsapi_prefer_parse(&ask->prefer, apr_table_get(r->headers_in, "Prefer"),
                           (ask->resource->allow & MOD_DSAPI_ROLLBACK) != 0,
                           r->pool);
        rv = dsapi_prefer_check(perr, &ask->prefer, r->pool);
    }
    if (rv == APR_SUCCESS) {
        rv = mod_dsapi_ask_profile(ask, perr);
    }
    if (rv == APR_SUCCESS && ask->route->is_call) {
        return mod_dsapi_ask_arguments(ask, perr);
    }
    if (rv == APR_SUCCESS && r->method_number != M_GET) {
        rv = mod_dsapi_ask_read_body(ask, perr);
    }
    return rv;
}

static apr_status_t try_ask(mod_dsapi_ask_t *ask, dsapi_err_t **perr,
                            const char *capture)
{
    apr_status_t rv = understand(ask, perr, capture);

    ask->answer.buf->len_bytes = 0;
    if (rv != APR_SUCCESS) {
        return rv;
    }
    settle_limit(ask);
    if (!mod_dsapi_ask_is_list(ask)) {
        return mod_dsapi_ask_call(ask, perr);
    }
    return ask->r->method_number == M_GET ? read_resource(ask, perr)
                                          : mod_dsapi_ask_change(ask, perr);
}

static int is_value_error(const dsapi_err_t *err)
{
    return err->sqlstate && strncmp(err->sqlstate, "22", 2) == 0;
}

/* Has a request failed since what its path says is no value of the column? Then
 * there is no such row. */
static int is_no_key(const mod_dsapi_ask_t *ask, const dsapi_err_t *err,
                     const char *capture)
{
    apr_pool_t *pool = ask->r->pool;
    mod_dsapi_ask_t zoneless = *ask; /* an error of Prefer's is none of it */
    const dsapi_column_t *column;
    dsapi_err_t *why;
    dsapi_rows_t *ignored;
    dsapi_call_t call;

    zoneless.prefer.timezone = NULL;
    if (!capture || !ask->entity || !is_value_error(err)) {
        return 0;
    }
    column = ask->above
                 ? dsapi_catalog_column(ask->entity, ask->route->nested->column)
                 : ask->entity->key;
    if (!column) {
        return 0;
    }
    call.sql = dsapi_sql_literal(
        apr_pstrcat(pool, "SELECT $1::", column->type, NULL), 1, pool);
    call.types = NULL;
    call.values = apr_pmemdup(pool, &capture, sizeof(capture));
    return run_one(&ignored, &why, &zoneless, &call) != APR_SUCCESS &&
           is_value_error(why);
}

/* Answers, and once more where the tables have changed since the catalogue was
 * read, as far as that explains an error. */
static apr_status_t answer_ask(mod_dsapi_ask_t *ask, dsapi_err_t **perr,
                               const char *capture)
{
    const dsapi_catalog_t *seen;
    dsapi_err_t *ignored;
    apr_status_t rv = take_request(ask, perr);

    if (rv == APR_SUCCESS) {
        rv = mod_dsapi_catalog_get(&ask->catalog, perr, ask->r, ask->route);
    }
    if (rv != APR_SUCCESS) {
        return rv;
    }
    rv = try_ask(ask, perr, capture);
    seen = ask->catalog;
    if (rv != APR_SUCCESS && dsapi_resource_stale(*perr) &&
        mod_dsapi_catalog_get(&ask->catalog, &ignored, ask->r, ask->route) ==
            APR_SUCCESS &&
        ask->catalog != seen) {
        rv = try_ask(ask, perr, capture);
    }
    return rv != APR_SUCCESS && is_no_key(ask, *perr, capture)
               ? no_such_thing(perr, ask->r->pool)
               : rv;
}

/* May this client see all that a row of the table has? */
static int shows_rows(const mod_dsapi_ask_t *ask)
{
    return ask->entity && ask->entity->whole &&
           (ask->resource->allow & (MOD_DSAPI_LIST | MOD_DSAPI_READ));
}

int mod_dsapi_resource(request_rec *r, const mod_dsapi_route_t *route,
                       const dsapi_match_t *match)
{
    int exposed =
        route->resource->spec.schema != NULL; /* {table} comes first */
    const char *capture =
        match->ncaptures > exposed ? match->captures[exposed] : NULL;
    mod_dsapi_ask_t ask = {.r = r,
                           .route = route,
                           .resource = route->resource,
                           .name = exposed ? match->captures[0]
                                           : route->resource->spec.name,
                           .key = route->nested ? NULL : capture,
                           .above = route->nested ? capture : NULL};
    mod_dsapi_answer_t *answer = &ask.answer;
    dsapi_err_t *err;

    apr_table_mergen(r->headers_out, "Vary", "Accept, Prefer, Range");
    if (mod_dsapi_is_personal(r, route)) {
        apr_table_setn(r->headers_out, "Cache-Control", "private");
    }
    ask.answer.buf = dsapi_buf_make(0, r->pool);
    if (answer_ask(&ask, &err, capture) != APR_SUCCESS) {
        dsapi_resource_problem(err, r->pool);
        if (!shows_rows(&ask)) {
            dsapi_resource_conceal(err);
        }
        mod_dsapi_ask_forget(&ask);
        if (err->http == HTTP_METHOD_NOT_ALLOWED && route->is_call) {
            err->allow = "POST, OPTIONS"; /* it is no function that reads */
        }
        return mod_dsapi_send_problem(r, err);
    }
    if (answer->sent) {
        return OK;
    }
    return answer->status == HTTP_NO_CONTENT ||
                   answer->status == HTTP_NOT_MODIFIED
               ? mod_dsapi_send_body(r, answer->status, NULL, NULL, 0)
               : mod_dsapi_send_body(r, answer->status, answer->type,
                                     answer->buf->data, answer->buf->len_bytes);
}

int mod_dsapi_resource_none(request_rec *r, const mod_dsapi_service_t *service,
                            const char *path)
{
    apr_array_header_t *names =
        apr_array_make(r->pool, service->specs->nelts, sizeof(const char *));
    dsapi_err_t *err;

    path += *path == '/';
    if (strchr(path, '/')) {
        dsapi_resource_fail(&err, r->pool, HTTP_NOT_FOUND, "PGRST125",
                            "Invalid path specified in request URL");
    }
    else {
        dsapi_resource_fail(&err, r->pool, HTTP_NOT_FOUND, "PGRST205",
                            "Could not find the table '%s' in the schema "
                            "cache",
                            path);
        for (int i = 0; i < service->specs->nelts; i++) {
            const dsapi_res_spec_t *spec =
                APR_ARRAY_IDX(service->specs, i, const dsapi_res_spec_t *);

            if (spec->embeddable && !spec->schema) {
                APR_ARRAY_PUSH(names, const char *) = spec->name;
            }
        }
        hint_table(err, names, "", path, r->pool);
    }
    return mod_dsapi_send_problem(r, err);
}
