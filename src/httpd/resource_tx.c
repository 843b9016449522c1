/* The transactions of changes: see resource.h. */
#include <apr_strings.h>

#include "db/again.h"
#include "httpd/dbpool.h"
#include "httpd/resource.h"
#include "resource/problem.h"

apr_status_t mod_dsapi_ask_max_affected(dsapi_err_t **perr,
                                        const mod_dsapi_ask_t *ask,
                                        apr_int64_t nrows)
{
    apr_pool_t *pool = ask->r->pool;

    if (ask->prefer.max_affected < 0 ||
        ask->prefer.handling != DSAPI_PREFER_STRICT ||
        nrows <= ask->prefer.max_affected) {
        return APR_SUCCESS;
    }
    dsapi_resource_fail(perr, pool, HTTP_BAD_REQUEST, "PGRST124",
                        "Query result exceeds max-affected preference "
                        "constraint");
    dsapi_resource_details(
        *perr, pool, "The query affects %" APR_INT64_T_FMT " rows", nrows);
    return (*perr)->rv;
}

/* Runs calls on the loan, within its transaction. */
static apr_status_t run_calls(dsapi_rows_t **prows, dsapi_err_t **perr,
                              const mod_dsapi_tx_t *tx, dsapi_db_t *db,
                              const apr_array_header_t *calls)
{
    const mod_dsapi_ask_t *ask = tx->ask;
    dsapi_batch_t batch = {(const dsapi_call_t *)calls->elts, calls->nelts, 0,
                           mod_dsapi_timeout_of(ask->r, ask->route) *
                               calls->nelts};

    return dsapi_db_run(prows, perr, db, &batch, ask->r->pool);
}

static void add_word(apr_array_header_t *calls, const char *sql)
{
    dsapi_call_t *call = apr_array_push(calls);

    call->sql = dsapi_sql_literal(sql, 0, calls->pool);
    call->types = NULL;
    call->values = NULL;
}

/* A statement without parameters, on the loan. */
static apr_status_t run_word(dsapi_err_t **perr, const mod_dsapi_tx_t *tx,
                             dsapi_db_t *db, const char *sql)
{
    apr_array_header_t *calls =
        apr_array_make(tx->ask->r->pool, 2, sizeof(dsapi_call_t));
    dsapi_rows_t *ignored;

    add_word(calls, sql);
    return run_calls(&ignored, perr, tx, db, calls);
}

static void put_header(const mod_dsapi_tx_t *tx, const char *name,
                       const char *value)
{
    if (value) {
        apr_table_setn(tx->ask->r->headers_out, name,
                       apr_pstrdup(tx->ask->r->pool, value));
    }
}

/* The answer that was given before. */
static void repeat(const mod_dsapi_tx_t *tx, const dsapi_once_answer_t *kept)
{
    mod_dsapi_answer_t *answer = &tx->ask->answer;
    const char *body = kept->body ? kept->body : "";

    answer->status = (int)apr_atoi64(kept->status);
    answer->type =
        kept->type ? apr_pstrdup(tx->ask->r->pool, kept->type) : NULL;
    answer->buf->len_bytes = 0;
    dsapi_buf_put(answer->buf, body, strlen(body));
    put_header(tx, "Location", kept->location);
    put_header(tx, "Content-Range", kept->range);
    put_header(tx, "Preference-Applied", kept->applied);
    put_header(tx, "Idempotent-Replayed", "true");
}

apr_status_t mod_dsapi_tx_begin(mod_dsapi_tx_t *tx, dsapi_err_t **perr,
                                dsapi_db_t *db)
{
    apr_pool_t *pool = tx->ask->r->pool;
    apr_array_header_t *calls = apr_array_make(pool, 2, sizeof(dsapi_call_t));
    dsapi_once_answer_t kept;
    dsapi_rows_t *rows;
    apr_status_t rv;

    add_word(calls, "BEGIN");
    if (!tx->once.key) {
        return run_calls(&rows, perr, tx, db, calls);
    }
    dsapi_once_begin(apr_array_push(calls), &tx->once, pool);
    rv = run_calls(&rows, perr, tx, db, calls);
    if (rv == DSAPI_EINTERNAL) {
        (*perr)->dialect = 1; /* core/schema.sql is ours: nothing for clients */
    }
    if (rv == APR_SUCCESS) {
        rv = dsapi_once_found(&tx->done, &kept, perr, rows, pool);
    }
    if (rv == APR_SUCCESS && tx->done) {
        repeat(tx, &kept);
    }
    return rv;
}

/* Completes the answer and keeps it, as who connects. */
static apr_status_t keep(mod_dsapi_tx_t *tx, dsapi_err_t **perr,
                         apr_array_header_t *calls)
{
    mod_dsapi_ask_t *ask = tx->ask;
    const apr_table_t *headers = ask->r->headers_out;
    dsapi_once_answer_t answer;
    apr_status_t rv;

    ask->answer.buf->len_bytes = 0; /* perhaps it has been run before */
    rv = tx->finish(tx->baton, perr);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    answer.status = apr_itoa(calls->pool, ask->answer.status);
    answer.type = ask->answer.type;
    answer.location = apr_table_get(headers, "Location");
    answer.range = apr_table_get(headers, "Content-Range");
    answer.applied = apr_table_get(headers, "Preference-Applied");
    answer.body = dsapi_buf_str(ask->answer.buf);
    add_word(calls, "RESET ROLE");
    dsapi_once_end(apr_array_push(calls), &tx->once, &answer, calls->pool);
    return APR_SUCCESS;
}

/* What COMMIT would check, as who makes the change, and no longer than it may
 * take: for COMMIT there is no statement_timeout. */
static const char check_now[] = "SET CONSTRAINTS ALL IMMEDIATE";

apr_status_t mod_dsapi_tx_commit(mod_dsapi_tx_t *tx, dsapi_err_t **perr,
                                 dsapi_db_t *db)
{
    apr_array_header_t *calls =
        apr_array_make(tx->ask->r->pool, 4, sizeof(dsapi_call_t));
    dsapi_rows_t *ignored;
    apr_status_t rv = APR_SUCCESS;

    add_word(calls, check_now);
    if (tx->once.key) {
        rv = keep(tx, perr, calls);
    }
    add_word(calls, "COMMIT");
    return rv == APR_SUCCESS ? run_calls(&ignored, perr, tx, db, calls) : rv;
}

/* The change in a transaction that is ended when it is known what it has
 * done. */
static apr_status_t run_checked_once(mod_dsapi_tx_t *tx, dsapi_err_t **perr,
                                     dsapi_db_t *db)
{
    mod_dsapi_ask_t *ask = tx->ask;
    dsapi_err_t *ignored;
    dsapi_batch_t batch;
    apr_status_t rv =
        mod_dsapi_make_batch(&batch, perr, ask->r, ask->route, tx->calls);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    rv = mod_dsapi_tx_begin(tx, perr, db);
    if (rv == APR_SUCCESS && !tx->done) {
        rv = dsapi_db_run(&tx->rows, perr, db, &batch, ask->r->pool);
    }
    if (rv == APR_SUCCESS && !tx->done) {
        rv = tx->check(tx->baton, perr);
    }
    if (rv == APR_SUCCESS && !tx->done) {
        rv = ask->prefer.tx == DSAPI_PREFER_ROLLBACK
                 ? run_word(perr, tx, db, check_now)
                 : mod_dsapi_tx_commit(tx, perr, db);
    }
    if (rv != DSAPI_EDBDOWN && rv != DSAPI_ETIMEOUT && !dsapi_db_idle(db)) {
        (void)run_word(&ignored, tx, db, "ROLLBACK");
    }
    return rv;
}

/* A mod_dsapi_use_t. Where other transactions were in the way nothing is left
 * of it, and it is run again. */
static apr_status_t run_checked(void *baton, dsapi_err_t **perr,
                                mod_dsapi_loan_t *loan)
{
    mod_dsapi_tx_t *tx = baton;
    const mod_dsapi_ask_t *ask = tx->ask;
    apr_interval_time_t timeout = mod_dsapi_timeout_of(ask->r, ask->route);
    apr_time_t until = timeout ? apr_time_now() + timeout : 0;
    apr_status_t rv;
    int runs = 0;

    do {
        rv = run_checked_once(tx, perr, loan->db);
    } while (rv == DSAPI_EBUSY && dsapi_db_conflict(*perr) &&
             dsapi_db_idle(loan->db) &&
             dsapi_db_again(loan->db, ++runs, until));
    return rv;
}

void mod_dsapi_tx_failed(const mod_dsapi_ask_t *ask)
{
    apr_table_unset(ask->r->headers_out, "Location");
    apr_table_unset(ask->r->headers_out, "Content-Range");
    apr_table_unset(ask->r->headers_out, "Preference-Applied");
}

apr_status_t mod_dsapi_tx_run(mod_dsapi_tx_t *tx, dsapi_err_t **perr,
                              int checked)
{
    const mod_dsapi_ask_t *ask = tx->ask;
    mod_dsapi_use_t use = {run_checked, tx, 0, 0};
    apr_status_t rv;

    if (checked || tx->once.key || (ask->singular && !ask->key) ||
        ask->prefer.max_affected >= 0 ||
        ask->prefer.tx == DSAPI_PREFER_ROLLBACK) {
        rv = mod_dsapi_db_use(perr, ask->r->server, &use, ask->r->pool);
    }
    else {
        rv =
            mod_dsapi_run_calls(&tx->rows, perr, ask->r, ask->route, tx->calls);
        rv = rv == APR_SUCCESS ? tx->check(tx->baton, perr) : rv;
    }
    if (rv != APR_SUCCESS) {
        mod_dsapi_tx_failed(ask);
    }
    return rv;
}
