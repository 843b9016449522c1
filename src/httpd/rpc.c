/* Functions of a schema that is exposed: see resource.h. */
#include <apr_strings.h>
#include <http_protocol.h>

#include "httpd/request.h"
#include "httpd/resource.h"
#include "httpd/respond.h"
#include "resource/payload.h"
#include "resource/problem.h"
#include "resource/range.h"
#include "resource/read.h"
#include "route/table.h"

/* A call on its way, whose rows are held. */
typedef struct calling_t {
    mod_dsapi_ask_t *ask;
    mod_dsapi_tx_t tx;
    apr_int64_t nrows;
    apr_int64_t total; /* without limit and offset; -1: unknown */
} calling_t;

/* Reads a POST's body: an argument, a form, or JSON, which is taken apart when
 * it is known which of its members count. */
static apr_status_t read_body(mod_dsapi_ask_t *ask, dsapi_err_t **perr)
{
    static const struct {
        const char *type;
        dsapi_invoke_as_e as;
    } whole[] = {{"text/plain", DSAPI_INVOKE_TEXT},
                 {"text/xml", DSAPI_INVOKE_XML},
                 {"application/octet-stream", DSAPI_INVOKE_BYTES}};
    request_rec *r = ask->r;
    const char *type = apr_table_get(r->headers_in, "Content-Type");
    mod_dsapi_body_t body;
    dsapi_buf_t *buf;
    apr_status_t rv =
        mod_dsapi_read_raw(&buf, perr, r, mod_dsapi_ask_max_body(ask));

    for (apr_size_t i = 0; i < sizeof(whole) / sizeof(whole[0]); i++) {
        if (rv == APR_SUCCESS && mod_dsapi_is_type(type, whole[i].type)) {
            return dsapi_function_take_body(&ask->invoke, perr, whole[i].as,
                                            dsapi_buf_str(buf), buf->len_bytes,
                                            r->pool);
        }
    }
    if (!type) {
        apr_table_setn(r->headers_in, "Content-Type", "application/json");
    }
    if (rv == APR_SUCCESS) {
        rv = mod_dsapi_parse_body(&body, perr, r, buf);
    }
    if (rv != APR_SUCCESS) {
        return mod_dsapi_ask_bad_body(perr, ask);
    }
    ask->sent = dsapi_buf_str(buf);
    ask->has_body = body.has_json;
    ask->body = body.json;
    if (body.form) {
        rv = dsapi_resource_check_pairs(perr, "body", body.form, r->pool);
        dsapi_function_take_pairs(&ask->invoke, DSAPI_INVOKE_FORM, body.form,
                                  r->pool);
    }
    return rv;
}

apr_status_t mod_dsapi_ask_arguments(mod_dsapi_ask_t *ask, dsapi_err_t **perr)
{
    request_rec *r = ask->r;
    apr_array_header_t *args;

    if (ask->route->takes_body) {
        return read_body(ask, perr);
    }
    ap_discard_request_body(r);
    dsapi_function_split(&args, &ask->pairs, ask->pairs, r->pool);
    dsapi_function_take_pairs(&ask->invoke, DSAPI_INVOKE_QUERY, args, r->pool);
    return APR_SUCCESS;
}

apr_status_t mod_dsapi_ask_find_function(mod_dsapi_ask_t *ask,
                                         dsapi_err_t **perr)
{
    apr_pool_t *pool = ask->r->pool;
    apr_status_t rv = APR_SUCCESS;

    if (!ask->invoke.keys) {
        rv = dsapi_function_take_json(&ask->invoke, perr,
                                      ask->has_body ? &ask->body : NULL,
                                      ask->query->columns, pool);
    }
    if (rv == APR_SUCCESS) {
        rv = dsapi_function_find(&ask->invoke, perr, ask->catalog,
                                 ask->resource->spec.schema, ask->name, pool);
    }
    if (rv != APR_SUCCESS) {
        return rv;
    }
    if (ask->prefer.max_affected >= 0 &&
        ask->prefer.handling == DSAPI_PREFER_STRICT &&
        !ask->invoke.function->set) {
        return dsapi_resource_fail(perr, pool, HTTP_BAD_REQUEST, "PGRST128",
                                   "Function must return SETOF or TABLE when "
                                   "max-affected preference is used with "
                                   "handling=strict");
    }
    ask->entity = ask->invoke.function->result;
    ask->query->root->invoke = &ask->invoke;
    return APR_SUCCESS;
}

int mod_dsapi_ask_is_list(const mod_dsapi_ask_t *ask)
{
    const dsapi_function_t *function = ask->invoke.function;

    return !function || (ask->r->method_number == M_GET && function->set &&
                         !function->scalar);
}

/* What the rows say, and whether what has made them may stay. A function is
 * not called again to know how many there would be before an offset. */
static apr_status_t check(void *baton, dsapi_err_t **perr)
{
    calling_t *calling = baton;
    const mod_dsapi_ask_t *ask = calling->ask;
    const char *total = dsapi_rows_get(calling->tx.rows, DSAPI_RES_TOTAL);

    calling->nrows = dsapi_rows_count(calling->tx.rows);
    calling->total = -1;
    if (total) {
        calling->total = apr_atoi64(total);
    }
    else if (ask->prefer.count && ask->query->root->offset == 0 &&
             ask->limit != 0) {
        calling->total = 0;
    }
    return ask->singular && calling->nrows != 1
               ? mod_dsapi_ask_not_one(perr, ask, calling->nrows)
               : mod_dsapi_ask_max_affected(perr, ask, calling->nrows);
}

static void write_value(dsapi_buf_t *buf, const dsapi_rows_t *rows, int row)
{
    apr_size_t len = 0;
    const char *text = dsapi_rows_value(&len, rows, row, 0);

    dsapi_route_write_value(buf, dsapi_rows_type(rows, 0), text, len);
}

/* A value, or an array of values. */
static void write_values(dsapi_buf_t *buf, const dsapi_rows_t *rows, int array)
{
    int n = dsapi_rows_count(rows);

    if (!array && n == 0) {
        dsapi_buf_put(buf, "null", 4);
        return;
    }
    dsapi_buf_put(buf, "[", array ? 1 : 0);
    for (int i = 0; i < (array ? n : 1); i++) {
        dsapi_buf_put(buf, ",", i ? 1 : 0);
        write_value(buf, rows, i);
    }
    dsapi_buf_put(buf, "]", array ? 1 : 0);
}

static apr_status_t write_answer(const calling_t *calling, dsapi_err_t **perr)
{
    mod_dsapi_ask_t *ask = calling->ask;
    const dsapi_function_t *function = ask->invoke.function;
    mod_dsapi_answer_t *answer = &ask->answer;
    int array = function->set && !ask->singular;

    if (answer->format != DSAPI_FORMAT_JSON || (array && !function->scalar)) {
        return mod_dsapi_ask_write(ask, perr, calling->tx.rows);
    }
    if (function->scalar || calling->nrows == 0) {
        write_values(answer->buf, calling->tx.rows, array);
    }
    else {
        dsapi_route_write_nth(answer->buf,
                              dsapi_route_plan_flat(calling->tx.rows,
                                                    answer->stripped,
                                                    ask->r->pool),
                              calling->tx.rows, 0);
    }
    answer->type = mod_dsapi_ask_one_type(ask);
    return APR_SUCCESS;
}

static apr_status_t finish(void *baton, dsapi_err_t **perr)
{
    const calling_t *calling = baton;
    mod_dsapi_ask_t *ask = calling->ask;
    apr_int64_t offset = ask->query->root->offset;
    dsapi_prefer_t obeyed = ask->prefer;
    apr_status_t rv = dsapi_resource_range_status(&ask->answer.status, perr,
                                                  offset, calling->nrows,
                                                  calling->total, ask->r->pool);

    obeyed.resolution = obeyed.answer = obeyed.missing = 0;
    mod_dsapi_ask_applied(ask, &obeyed);
    apr_table_setn(ask->r->headers_out, "Content-Range",
                   dsapi_resource_content_range(offset, calling->nrows,
                                                calling->total, ask->r->pool));
    if (rv == APR_SUCCESS && ask->invoke.function->none) {
        ask->answer.status = HTTP_NO_CONTENT;
        ask->answer.type = NULL;
        return APR_SUCCESS;
    }
    return rv == APR_SUCCESS ? write_answer(calling, perr) : rv;
}

apr_status_t mod_dsapi_ask_call(mod_dsapi_ask_t *ask, dsapi_err_t **perr)
{
    calling_t calling = {.ask = ask};
    dsapi_res_reading_t reading = {.limit = ask->limit,
                                   .offset = ask->query->root->offset,
                                   .max_rows = ask->resource->page_max,
                                   .count = ask->prefer.count != 0,
                                   .count_max = -1};
    mod_dsapi_tx_t *tx = &calling.tx;
    apr_status_t rv = APR_SUCCESS;

    tx->ask = ask;
    tx->check = check;
    tx->finish = finish;
    tx->baton = &calling;
    tx->calls = mod_dsapi_ask_calls(ask);
    dsapi_resource_read(apr_array_push(tx->calls), ask->query, &reading,
                        ask->r->pool);
    if (ask->route->takes_body) {
        rv = mod_dsapi_ask_once(&tx->once, perr, ask,
                                ask->sent ? ask->sent : ask->invoke.body);
    }
    if (rv == APR_SUCCESS) {
        rv = mod_dsapi_tx_run(tx, perr, 0);
    }
    return rv != APR_SUCCESS || tx->once.key ? rv : finish(&calling, perr);
}
