/* Writing resources: see resource.h. */
#include <apr_lib.h>
#include <apr_strings.h>
#include <http_protocol.h>

#include "base/text.h"
#include "httpd/dbpool.h"
#include "httpd/request.h"
#include "httpd/resource.h"
#include "resource/problem.h"
#include "resource/range.h"
#include "resource/read.h"
#include "resource/write.h"
#include "route/etag.h"

#define MAX_BODY_BYTES ((apr_off_t)10 * 1024 * 1024)

/* A change on its way. */
typedef struct change_t {
    mod_dsapi_ask_t *ask;
    dsapi_res_payload_t payload;
    dsapi_res_writing_t writing;
    mod_dsapi_tx_t tx;
    int conditional; /* If-Match was sent */
    int nothing;     /* PATCH of no column: the row is shown, not changed */
    int none;        /* there is no row of the key, or it is another by now */
    apr_int64_t nrows;
    apr_int64_t inserted; /* of nrows; -1: nobody has counted */
} change_t;

static apr_off_t service_max(const mod_dsapi_ask_t *ask)
{
    apr_off_t max_bytes = ask->resource->service->max_body_bytes;

    return max_bytes >= 0 ? max_bytes : MAX_BODY_BYTES;
}

apr_off_t mod_dsapi_ask_max_body(const mod_dsapi_ask_t *ask)
{
    apr_off_t max_bytes = ask->resource->max_body_bytes;

    return max_bytes >= 0 ? max_bytes : service_max(ask);
}

/* What is in memory. Where files may come, DsapiMaxBody of the resource is
 * theirs, and no more of JSON comes than to the service's others. */
static apr_off_t max_json(const mod_dsapi_ask_t *ask)
{
    apr_off_t max_bytes = mod_dsapi_ask_max_body(ask);
    apr_off_t others = service_max(ask);

    return (ask->resource->allow & MOD_DSAPI_IMPORT) && max_bytes > others
               ? others
               : max_bytes;
}

apr_status_t mod_dsapi_ask_bad_body(dsapi_err_t **perr,
                                    const mod_dsapi_ask_t *ask)
{
    return strcmp((*perr)->code, "invalid-json") == 0
               ? dsapi_resource_fail(perr, ask->r->pool, HTTP_BAD_REQUEST,
                                     "PGRST102", "Empty or invalid json")
               : (*perr)->rv;
}

apr_status_t mod_dsapi_ask_read_body(mod_dsapi_ask_t *ask, dsapi_err_t **perr)
{
    request_rec *r = ask->r;
    mod_dsapi_body_t body;
    apr_status_t rv;

    if (!ask->route->takes_body) {
        ap_discard_request_body(r);
        return APR_SUCCESS;
    }
    if (!apr_table_get(r->headers_in, "Content-Type")) {
        apr_table_setn(r->headers_in, "Content-Type", "application/json");
    }
    rv = mod_dsapi_ask_spool(ask, perr);
    if (rv != APR_SUCCESS || ask->spool) {
        return rv;
    }
    rv = mod_dsapi_read_body(&body, perr, r, max_json(ask));
    if (rv != APR_SUCCESS) {
        return mod_dsapi_ask_bad_body(perr, ask);
    }
    ask->has_body = body.has_json || body.form;
    ask->body = body.json;
    if (body.form) {
        const char *text;

        rv = dsapi_resource_check_pairs(perr, "body", body.form, r->pool);
        if (rv != APR_SUCCESS) {
            return rv;
        }
        text = dsapi_resource_form(body.form, r->pool);
        return dsapi_json_check(&ask->body, perr, text, strlen(text), r->pool);
    }
    return APR_SUCCESS;
}

static dsapi_res_change_e change_of(const request_rec *r)
{
    switch (*r->method) {
    case 'D':
        return DSAPI_RES_DELETE;
    case 'P':
        return strcmp(r->method, "PATCH") == 0 ? DSAPI_RES_UPDATE
               : strcmp(r->method, "PUT") == 0 ? DSAPI_RES_PUT
                                               : DSAPI_RES_INSERT;
    default:
        return DSAPI_RES_INSERT;
    }
}

apr_status_t mod_dsapi_ask_conflict(apr_array_header_t **pcolumns,
                                    dsapi_err_t **perr,
                                    const mod_dsapi_ask_t *ask)
{
    apr_pool_t *pool = ask->r->pool;
    apr_array_header_t *columns;
    apr_status_t rv;

    *pcolumns = apr_array_make(pool, 2, sizeof(const char *));
    if (!ask->prefer.resolution) {
        return APR_SUCCESS;
    }
    if (ask->prefer.resolution == DSAPI_PREFER_MERGE &&
        !(ask->resource->allow & MOD_DSAPI_UPDATE)) {
        return dsapi_resource_fail(perr, pool, HTTP_FORBIDDEN, "not-allowed",
                                   "what there is may not be changed: "
                                   "resolution=merge-duplicates");
    }
    if (!ask->query->on_conflict) {
        *pcolumns = ask->entity->pk;
        return APR_SUCCESS;
    }
    rv = dsapi_resource_columns(&columns, perr, ask->entity,
                                ask->query->on_conflict, pool);
    for (int i = 0; rv == APR_SUCCESS && i < columns->nelts; i++) {
        APR_ARRAY_PUSH(*pcolumns, const char *) =
            APR_ARRAY_IDX(columns, i, const dsapi_column_t *)->sql;
    }
    return rv;
}

static apr_status_t take_conflict(change_t *change, dsapi_err_t **perr)
{
    const mod_dsapi_ask_t *ask = change->ask;
    dsapi_res_writing_t *writing = &change->writing;

    if (writing->change == DSAPI_RES_INSERT) {
        writing->merge = ask->prefer.resolution == DSAPI_PREFER_MERGE;
        return mod_dsapi_ask_conflict(&writing->conflict, perr, ask);
    }
    writing->conflict = apr_array_make(ask->r->pool, 1, sizeof(const char *));
    if (writing->change == DSAPI_RES_PUT) {
        writing->merge = 1;
        writing->conflict = ask->entity->pk;
    }
    return APR_SUCCESS;
}

static apr_status_t take_payload(change_t *change, dsapi_err_t **perr)
{
    const mod_dsapi_ask_t *ask = change->ask;
    dsapi_res_writing_t *writing = &change->writing;
    apr_pool_t *pool = ask->r->pool;
    apr_status_t rv;

    if (writing->change == DSAPI_RES_DELETE) {
        return APR_SUCCESS;
    }
    rv = dsapi_resource_payload(
        &change->payload, perr, ask->has_body ? &ask->body : NULL,
        writing->change == DSAPI_RES_PUT ? NULL : ask->query->columns, pool,
        pool);
    writing->payload = &change->payload;
    if (rv == APR_SUCCESS) {
        rv = dsapi_resource_columns(&writing->columns, perr, ask->entity,
                                    change->payload.keys, pool);
    }
    if (rv == APR_SUCCESS && writing->change == DSAPI_RES_PUT) {
        rv = dsapi_resource_check_put(perr, ask->query, &change->payload, pool);
    }
    return rv;
}

/* The column of DsapiNested has the key of the row above. */
static apr_status_t take_fixed(change_t *change, dsapi_err_t **perr)
{
    const mod_dsapi_ask_t *ask = change->ask;
    apr_array_header_t *names;
    apr_array_header_t *columns;
    apr_status_t rv;

    if (!ask->route->nested) {
        return APR_SUCCESS;
    }
    names = apr_array_make(ask->r->pool, 1, sizeof(const char *));
    APR_ARRAY_PUSH(names, const char *) = ask->route->nested->column;
    rv = dsapi_resource_columns(&columns, perr, ask->entity, names,
                                ask->r->pool);
    if (rv == APR_SUCCESS) {
        change->writing.fixed =
            APR_ARRAY_IDX(columns, 0, const dsapi_column_t *);
        change->writing.fixed_value = ask->above;
    }
    return rv;
}

apr_status_t mod_dsapi_ask_changed(dsapi_err_t **perr,
                                   const mod_dsapi_ask_t *ask)
{
    return dsapi_resource_fail(perr, ask->r->pool, HTTP_PRECONDITION_FAILED,
                               "precondition-failed",
                               "it is not what If-Match or If-None-Match says");
}

/* The primary key is wanted for Location. */
static int wants_keys(const change_t *change)
{
    const mod_dsapi_ask_t *ask = change->ask;

    return change->writing.change == DSAPI_RES_INSERT &&
           change->payload.nrows == 1 && ask->entity->pk->nelts > 0 &&
           (ask->prefer.answer == DSAPI_PREFER_HEADERS ||
            ((ask->resource->allow & MOD_DSAPI_READ) &&
             ask->entity->pk->nelts == 1 && ask->entity->key &&
             strcmp(APR_ARRAY_IDX(ask->entity->pk, 0, const char *),
                    ask->entity->key->sql) == 0));
}

/* Are the rows to be shown? To who may see them, or has made them. */
static int is_full(const change_t *change)
{
    const mod_dsapi_ask_t *ask = change->ask;
    int own = change->writing.change == DSAPI_RES_INSERT &&
              ask->prefer.resolution == 0;

    return ask->prefer.answer == DSAPI_PREFER_FULL &&
           (own || (ask->resource->allow &
                    (ask->key ? MOD_DSAPI_READ : MOD_DSAPI_LIST)));
}

static apr_status_t prepare(change_t *change, dsapi_err_t **perr)
{
    mod_dsapi_ask_t *ask = change->ask;
    dsapi_res_writing_t *writing = &change->writing;
    const char *if_match = apr_table_get(ask->r->headers_in, "If-Match");
    apr_status_t rv;

    writing->change = change_of(ask->r);
    writing->full = is_full(change);
    writing->defaults = ask->prefer.missing == DSAPI_PREFER_DEFAULT &&
                        writing->change != DSAPI_RES_PUT;
    change->conditional =
        if_match && (ask->key || writing->change == DSAPI_RES_PUT);
    if (if_match) {
        writing->validators = dsapi_route_etag_values(if_match, ask->r->pool);
    }
    if (writing->validators && !change->conditional) {
        return mod_dsapi_ask_changed(perr, ask); /* a list has no validator */
    }
    rv = take_payload(change, perr);
    if (rv == APR_SUCCESS) {
        rv = take_conflict(change, perr);
    }
    if (rv == APR_SUCCESS) {
        rv = take_fixed(change, perr);
    }
    if (rv == APR_SUCCESS) {
        rv = dsapi_resource_check_filters(perr, ask->query, ask->r->pool);
    }
    if (rv != APR_SUCCESS) {
        return rv;
    }
    writing->keys = wants_keys(change);
    change->tx.calls = mod_dsapi_ask_calls(ask);
    dsapi_resource_write(apr_array_push(change->tx.calls), ask->query, writing,
                         ask->r->pool);
    return APR_SUCCESS;
}

/* Is what was read, and not changed, no row that If-Match names? */
static int is_another(const change_t *change)
{
    const apr_array_header_t *validators = change->writing.validators;
    const char *ours = dsapi_rows_get(change->tx.rows, DSAPI_RES_ETAG);

    for (int i = 0; validators && ours && i < validators->nelts; i++) {
        if (strcmp(APR_ARRAY_IDX(validators, i, const char *), ours) == 0) {
            return 0;
        }
    }
    return change->nothing && validators;
}

/* What the rows say. */
static void take_rows(change_t *change)
{
    const dsapi_rows_t *rows = change->tx.rows;
    int count = dsapi_rows_count(rows);
    const char *counted = dsapi_rows_get(rows, DSAPI_RES_ROWS);

    change->nrows = counted ? apr_atoi64(counted) : count;
    if (is_another(change)) {
        change->nrows = 0;
    }
    change->inserted = -1;
    for (int i = 0; i < dsapi_rows_columns(rows); i++) {
        if (strcmp(dsapi_rows_name(rows, i), DSAPI_RES_INSERTED) != 0) {
            continue;
        }
        change->inserted = 0;
        for (int j = 0; j < count; j++) {
            const char *text = dsapi_rows_value(NULL, rows, j, i);
            apr_int64_t n = text ? apr_atoi64(text) : 0;

            change->inserted = n > change->inserted ? n : change->inserted;
        }
    }
}

/* May what PUT has done stay? With If-Match it makes nothing, with
 * If-None-Match: * it replaces nothing. */
static apr_status_t check_put(const change_t *change, dsapi_err_t **perr)
{
    const mod_dsapi_ask_t *ask = change->ask;
    const char *none = apr_table_get(ask->r->headers_in, "If-None-Match");

    if ((change->conditional && (change->nrows != 1 || change->inserted > 0)) ||
        (none && strcmp(none, "*") == 0 && change->nrows == 1 &&
         change->inserted == 0)) {
        return mod_dsapi_ask_changed(perr, ask);
    }
    return change->nrows == 1
               ? APR_SUCCESS
               : dsapi_resource_fail(perr, ask->r->pool, HTTP_BAD_REQUEST,
                                     "PGRST115",
                                     "Payload values do not match URL in "
                                     "primary key column(s)");
}

/* May the change stay, now that it is known what it has done? */
static apr_status_t check(void *baton, dsapi_err_t **perr)
{
    change_t *change = baton;
    const mod_dsapi_ask_t *ask = change->ask;

    take_rows(change);
    if (change->writing.change == DSAPI_RES_PUT) {
        return check_put(change, perr);
    }
    change->none = ask->key && change->nrows == 0;
    if (change->none) {
        return mod_dsapi_ask_not_one(perr, ask, 0);
    }
    if (ask->singular && !ask->key && change->nrows != 1) {
        return mod_dsapi_ask_not_one(perr, ask, change->nrows);
    }
    return change->writing.change == DSAPI_RES_INSERT
               ? APR_SUCCESS
               : mod_dsapi_ask_max_affected(perr, ask, change->nrows);
}

/* No row was changed by its key: which of the two is it? */
static apr_status_t none_changed(const change_t *change, dsapi_err_t **perr)
{
    const mod_dsapi_ask_t *ask = change->ask;
    dsapi_res_reading_t reading = {-1, 0, -1, 0, -1, 0};
    apr_array_header_t *calls = mod_dsapi_ask_calls(ask);
    dsapi_rows_t *rows;
    apr_status_t rv;

    if (!change->conditional) {
        return mod_dsapi_ask_not_one(perr, ask, 0);
    }
    dsapi_resource_count(apr_array_push(calls), ask->query, &reading,
                         ask->r->pool);
    rv = mod_dsapi_run_calls(&rows, perr, ask->r, ask->route, calls);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    if (change->writing.validators &&
        strcmp(dsapi_rows_value(NULL, rows, 0, 0), "0") == 0) {
        return mod_dsapi_ask_not_one(perr, ask, 0);
    }
    return mod_dsapi_ask_changed(perr, ask);
}

/* What clients call a column; one that is not shown has its own name. */
static const char *shown_name(const dsapi_entity_t *entity, const char *sql)
{
    for (int i = 0; i < entity->columns->nelts; i++) {
        const dsapi_column_t *column =
            &APR_ARRAY_IDX(entity->columns, i, dsapi_column_t);

        if (strcmp(column->sql, sql) == 0) {
            return column->name;
        }
    }
    return sql;
}

/* Location: {base}/{resource}/{key}, or the filters that PostgREST gives. */
static void set_location(const change_t *change)
{
    const mod_dsapi_ask_t *ask = change->ask;
    const apr_array_header_t *pk = ask->entity->pk;
    int by_filters = ask->prefer.answer == DSAPI_PREFER_HEADERS;
    apr_pool_t *pool = ask->r->pool;
    const char *url = apr_pstrcat(
        pool, ap_os_escape_path(pool, ask->resource->service->base, 1), "/",
        dsapi_base_percent_encode(ask->name, pool), NULL);

    if (!change->writing.keys || change->nrows != 1) {
        return;
    }
    for (int i = 0; i < pk->nelts; i++) {
        const char *value = dsapi_rows_get(
            change->tx.rows, apr_psprintf(pool, DSAPI_RES_PK "%d", i));

        if (by_filters) {
            url = apr_pstrcat(
                pool, url, i ? "&" : "?",
                dsapi_base_percent_encode(
                    shown_name(ask->entity, APR_ARRAY_IDX(pk, i, const char *)),
                    pool),
                value ? "=eq." : "=is.null", NULL);
        }
        url = apr_pstrcat(pool, url, by_filters ? "" : "/",
                          dsapi_base_percent_encode(value ? value : "", pool),
                          NULL);
    }
    apr_table_setn(ask->r->headers_out, "Location", url);
}

static void set_headers(const change_t *change)
{
    const mod_dsapi_ask_t *ask = change->ask;
    dsapi_res_change_e what = change->writing.change;
    dsapi_prefer_t obeyed = ask->prefer;
    apr_int64_t nrows = change->nothing ? 0 : change->nrows;
    apr_int64_t total = obeyed.count == DSAPI_PREFER_EXACT ||
                                obeyed.count == DSAPI_PREFER_ESTIMATED
                            ? nrows
                            : -1;

    if (what != DSAPI_RES_INSERT || change->writing.conflict->nelts == 0) {
        obeyed.resolution = 0;
    }
    if (obeyed.answer == DSAPI_PREFER_FULL && !change->writing.full) {
        obeyed.answer = 0;
    }
    if (what == DSAPI_RES_PUT || what == DSAPI_RES_DELETE) {
        obeyed.missing = 0;
    }
    if (what == DSAPI_RES_PUT || what == DSAPI_RES_INSERT) {
        obeyed.max_affected = -1;
    }
    mod_dsapi_ask_applied(ask, &obeyed);
    if (what != DSAPI_RES_PUT) {
        apr_table_setn(
            ask->r->headers_out, "Content-Range",
            dsapi_resource_content_range(
                0, what == DSAPI_RES_UPDATE ? nrows : 0, total, ask->r->pool));
    }
    set_location(change);
}

static int status_of(const change_t *change)
{
    switch (change->writing.change) {
    case DSAPI_RES_INSERT:
        return change->inserted == 0 ||
                       (change->writing.merge && change->nrows == 0)
                   ? HTTP_OK
                   : HTTP_CREATED;
    case DSAPI_RES_PUT:
        if (change->writing.full) {
            return change->inserted > 0 ? HTTP_CREATED : HTTP_OK;
        }
        break;
    case DSAPI_RES_UPDATE:
    case DSAPI_RES_DELETE:
        if (change->writing.full) {
            return HTTP_OK;
        }
        break;
    }
    return HTTP_NO_CONTENT;
}

/* The answer of a change that has been made. */
static apr_status_t finish(void *baton, dsapi_err_t **perr)
{
    const change_t *change = baton;
    mod_dsapi_ask_t *ask = change->ask;

    set_headers(change);
    ask->answer.status = status_of(change);
    if (!change->writing.full) {
        ask->answer.type = NULL;
        return APR_SUCCESS;
    }
    return mod_dsapi_ask_write(ask, perr, change->tx.rows);
}

/* PATCH without anything to be changed: shows the row of a key, or nothing. */
static void change_nothing(change_t *change)
{
    const mod_dsapi_ask_t *ask = change->ask;
    dsapi_res_reading_t same = {
        ask->key ? 1 : 0, 0, -1, 0, -1, change->writing.validators != NULL};

    change->nothing = 1;
    dsapi_resource_read(&APR_ARRAY_IDX(change->tx.calls,
                                       change->tx.calls->nelts - 1,
                                       dsapi_call_t),
                        ask->query, &same, ask->r->pool);
}

apr_status_t mod_dsapi_ask_change(mod_dsapi_ask_t *ask, dsapi_err_t **perr)
{
    change_t *change = apr_pcalloc(ask->r->pool, sizeof(*change));
    apr_status_t rv;

    if (ask->spool) {
        return mod_dsapi_ask_import(ask, perr);
    }
    change->ask = change->tx.ask = ask;
    change->tx.check = check;
    change->tx.finish = finish;
    change->tx.baton = change;
    rv = prepare(change, perr);
    if (rv == APR_SUCCESS) {
        rv = mod_dsapi_ask_once(&change->tx.once, perr, ask,
                                change->payload.json);
    }
    if (rv != APR_SUCCESS) {
        return rv;
    }
    if (change->writing.change == DSAPI_RES_UPDATE &&
        change->writing.columns->nelts == 0) {
        change_nothing(change);
    }
    rv = mod_dsapi_tx_run(&change->tx, perr,
                          change->writing.change == DSAPI_RES_PUT);
    if (change->none) {
        return none_changed(change, perr);
    }
    return rv != APR_SUCCESS || change->tx.once.key /* it is complete */
               ? rv
               : finish(change, perr);
}
