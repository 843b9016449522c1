/*
 * The rows of a route that reads. While they fit into DsapiBuffer nothing is
 * sent: the answer goes out whole, after its connection has been given back.
 * From there on they are sent while they come, a portion at a time. Each is
 * written to the client before PostgreSQL is read any further, so that what is
 * held in memory does not grow, and PostgreSQL waits for a slow client.
 *
 * What has been sent says nothing of what is still to come. An error then can
 * only be shown by an end that no client takes for the end of the body.
 */
#include <apr_portable.h>
#include <apr_strings.h>
#include <http_core.h>
#include <http_log.h>
#include <http_protocol.h>
#include <sys/socket.h>
#include <util_filter.h>

#include "db/again.h"
#include "httpd/actions.h"
#include "httpd/dbpool.h"
#include "httpd/request.h"
#include "httpd/respond.h"
#include "resource/read.h"
#include "route/table.h"

APLOG_USE_MODULE(dsapi);

/* How much is sent at once behind the first portion. */
#define PORTION_BYTES 65536

typedef struct stream_t {
    mod_dsapi_answer_t *answer;
    request_rec *r;
    const mod_dsapi_route_t *route;
    const char **values;
    mod_dsapi_loan_t *loan;
    const dsapi_batch_t *batch;
    dsapi_table_t *table;
    mod_dsapi_columns_t columns; /* of the first row */
    apr_int64_t nrows;           /* that have come */
    apr_int64_t limit;           /* rows of the page; -1: there are no pages */
    apr_size_t hold_bytes;       /* what is more than this is sent */
    apr_bucket_brigade *bb;      /* NULL: nothing is sent yet */
    dsapi_err_t *err;            /* why we have stopped; NULL: the client, or
                                    there is no need for more */
} stream_t;

/* How long the client may take. Another protocol's streams (HTTP/2) share a
 * connection, which is not theirs to tell.
 * @return what was set before; -1: unknown */
static apr_interval_time_t set_timeout(const request_rec *r,
                                       apr_interval_time_t timeout)
{
    apr_socket_t *socket =
        r->connection->master ? NULL : ap_get_conn_socket(r->connection);
    apr_interval_time_t before = -1;

    if (socket && timeout >= 0) {
        apr_socket_timeout_get(socket, &before);
        apr_socket_timeout_set(socket, timeout);
    }
    return before;
}

/* What is in the buffer goes to the client; then the buffer is empty. */
static apr_status_t send_portion(stream_t *st)
{
    dsapi_buf_t *buf = st->answer->buf;
    apr_bucket_alloc_t *alloc = st->r->connection->bucket_alloc;
    apr_interval_time_t before =
        set_timeout(st->r, mod_dsapi_srv_of(st->r->server)->stream_timeout);
    apr_status_t rv;

    APR_BRIGADE_INSERT_TAIL(
        st->bb, apr_bucket_transient_create(buf->data, buf->len_bytes, alloc));
    APR_BRIGADE_INSERT_TAIL(st->bb, apr_bucket_flush_create(alloc));
    rv = ap_pass_brigade(st->r->output_filters, st->bb);
    apr_brigade_cleanup(st->bb);
    buf->len_bytes = 0;
    set_timeout(st->r, before);
    return rv == APR_SUCCESS && st->r->connection->aborted ? APR_ECONNABORTED
                                                           : rv;
}

/* The headers of an answer. @param whole  its rows have been counted */
static void succeed(stream_t *st, int whole)
{
    mod_dsapi_listing_t *listing = st->answer->listing;
    int more = !whole || (st->limit >= 0 && st->nrows > st->limit);

    if (!listing) {
        mod_dsapi_succeed(st->answer, st->r, st->route, st->values,
                          &st->columns, more);
        return;
    }
    listing->more = more;
    listing->nrows = more && whole ? st->limit : st->nrows;
    if (!whole) {
        listing->begin(listing->baton);
    }
}

/* The answer is not to be had whole: from here on it is sent. It is unknown
 * whether another page follows; one without rows does no harm. */
static apr_status_t begin(stream_t *st)
{
    mod_dsapi_answer_t *answer = st->answer;
    request_rec *r = st->r;

    if (!r->header_only) {
        apr_status_t rv = mod_dsapi_db_stream(st->loan, &st->err, r->pool);

        if (rv != APR_SUCCESS) {
            return rv;
        }
    }
    succeed(st, 0);
    if (st->route->caching.life > 0) {
        mod_dsapi_cache_control(r, st->route);
    }
    if (answer->duty) {
        dsapi_route_cache_decline(answer->duty);
    }
    mod_dsapi_set_status(r, answer->status);
    ap_set_content_type(r, answer->type);
    st->bb = apr_brigade_create(r->pool, r->connection->bucket_alloc);
    st->hold_bytes = PORTION_BYTES;
    return r->header_only ? APR_EOF : APR_SUCCESS;
}

/* A dsapi_row_fn. A paged route has asked for one row more than it shows. */
static apr_status_t take_row(void *baton, const dsapi_rows_t *rows)
{
    stream_t *st = baton;
    int n = dsapi_rows_count(rows);
    apr_status_t rv;

    if (n > 0 && st->nrows == 0 && st->answer->listing) {
        const char *total = dsapi_rows_get(rows, DSAPI_RES_TOTAL);

        st->answer->listing->total = total ? apr_atoi64(total) : -1;
    }
    else if (n > 0 && st->nrows == 0) {
        mod_dsapi_read_columns(&st->columns, st->r, rows);
    }
    st->nrows += n;
    rv =
        dsapi_route_table_rows(st->table, &st->err, rows,
                               st->limit >= 0 && st->nrows > st->limit ? 0 : n);
    if (n == 0) {
        dsapi_route_table_end(st->table);
    }
    if (rv == APR_SUCCESS && st->answer->buf->len_bytes > st->hold_bytes &&
        n > 0) {
        rv = st->bb ? APR_SUCCESS : begin(st);
        return rv == APR_SUCCESS ? send_portion(st) : rv;
    }
    return rv;
}

/* What has been sent is no answer, and must not look like one: no last chunk,
 * and where there are no chunks (HTTP/1.0) no orderly end either. */
static void break_off(const stream_t *st, const dsapi_err_t *err)
{
    request_rec *r = st->r;
    conn_rec *c = r->connection;
    const mod_dsapi_req_t *req = mod_dsapi_req_of(r);
    const struct linger at_once = {1, 0};
    apr_os_sock_t fd;

    ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, r,
                  "DSAPI0019: the answer was broken off after %" APR_INT64_T_FMT
                  " rows: %s: %s [%s %s]",
                  st->nrows, err->code,
                  err->internal ? err->internal : err->detail, req->id,
                  req->trace);
    r->no_cache = 1;
    APR_BRIGADE_INSERT_TAIL(st->bb,
                            ap_bucket_error_create(HTTP_BAD_GATEWAY, NULL,
                                                   r->pool, c->bucket_alloc));
    APR_BRIGADE_INSERT_TAIL(st->bb, apr_bucket_eos_create(c->bucket_alloc));
    (void)ap_pass_brigade(r->output_filters, st->bb);
    if (!r->chunked && !c->master &&
        apr_os_sock_get(&fd, ap_get_conn_socket(c)) == APR_SUCCESS) {
        (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
    }
    c->aborted = 1;
}

/* The end of an answer that has been begun. The connection has been given back;
 * what is left of a body is less than a portion. */
static void finish(stream_t *st, apr_status_t rv, const dsapi_err_t *err)
{
    request_rec *r = st->r;
    apr_bucket_alloc_t *alloc = r->connection->bucket_alloc;
    const dsapi_buf_t *buf = st->answer->buf;

    if (rv != APR_SUCCESS && !r->header_only) {
        if (err) {
            break_off(st, err);
            return;
        }
        ap_log_rerror(APLOG_MARK, APLOG_INFO, rv, r,
                      "DSAPI0020: the client went away, or stopped reading for "
                      "longer than DsapiStreamTimeout, after %" APR_INT64_T_FMT
                      " rows",
                      st->nrows);
        r->connection->aborted = 1;
        return;
    }
    if (!r->header_only) {
        APR_BRIGADE_INSERT_TAIL(
            st->bb,
            apr_bucket_pool_create(buf->data, buf->len_bytes, r->pool, alloc));
    }
    APR_BRIGADE_INSERT_TAIL(st->bb, apr_bucket_eos_create(alloc));
    (void)ap_pass_brigade(r->output_filters, st->bb);
}

/* What a mod_dsapi_use_t does, from the beginning: nothing has been sent yet.
 * Where others are in the way of the transaction, and rows have been given (or
 * else dsapi_db_stream would do so), it is run again. */
static apr_status_t run(void *baton, dsapi_err_t **perr, mod_dsapi_loan_t *loan)
{
    stream_t *st = baton;
    dsapi_buf_t *buf = st->answer->buf;
    apr_pool_t *pool = st->r->pool;
    apr_time_t until =
        st->batch->timeout ? apr_time_now() + st->batch->timeout : 0;
    apr_status_t rv = DSAPI_EBUSY;
    int runs = 0;

    st->loan = loan;
    do {
        buf->len_bytes = 0;
        st->table = dsapi_route_table_make(st->answer->format, buf, pool);
        if (st->answer->listing) {
            dsapi_route_table_flat(st->table, st->answer->stripped);
            st->answer->listing->total = -1;
        }
        st->nrows = 0;
        memset(&st->columns, 0, sizeof(st->columns));
        rv = dsapi_db_stream(perr, loan->db, st->batch, take_row, st, pool);
    } while (rv == DSAPI_EBUSY && st->nrows > 0 && !st->bb && !st->err &&
             *perr && dsapi_db_conflict(*perr) && dsapi_db_atomic(st->batch) &&
             dsapi_db_again(loan->db, ++runs, until));
    if (st->err) {
        *perr = st->err;
    }
    return rv;
}

apr_status_t mod_dsapi_stream(mod_dsapi_answer_t *answer, dsapi_err_t **perr,
                              request_rec *r, const mod_dsapi_route_t *route,
                              const char **values, apr_array_header_t *calls)
{
    stream_t st = {.answer = answer, .r = r, .route = route, .values = values};
    mod_dsapi_use_t use = {run, &st, 0, route->standby != NULL};
    dsapi_batch_t batch;
    apr_status_t rv = mod_dsapi_make_batch(&batch, perr, r, route, calls);

    st.limit = answer->listing        ? answer->listing->limit
               : route->page_size > 0 ? apr_atoi64(values[route->limit_index])
                                      : -1;
    st.hold_bytes = (apr_size_t)mod_dsapi_srv_of(r->server)->buffer_bytes;
    if (rv != APR_SUCCESS) {
        return rv;
    }
    st.batch = &batch;
    use.repeatable = dsapi_db_atomic(&batch);
    rv = mod_dsapi_db_use(perr, r->server, &use, r->pool);
    if (st.bb) {
        finish(&st, rv, *perr);
        answer->sent = 1;
        return APR_SUCCESS;
    }
    if (rv == APR_SUCCESS) {
        succeed(&st, 1);
    }
    return rv;
}
