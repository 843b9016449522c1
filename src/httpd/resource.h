/*
 * Requests for resources: what is known of one on its way, and what reading and
 * writing share.
 */
#ifndef DSAPI_HTTPD_RESOURCE_H
#define DSAPI_HTTPD_RESOURCE_H

#include "httpd/actions.h"
#include "json/value.h"
#include "resource/catalog.h"
#include "resource/function.h"
#include "resource/once.h"
#include "resource/prefer.h"
#include "resource/query.h"
#include "route/etag.h"

/** A request for a resource. In its pool. */
typedef struct mod_dsapi_ask_t {
    request_rec *r;
    const mod_dsapi_route_t *route;
    const mod_dsapi_resource_t *resource;
    const char *name;  /* of the resource; of {table} in the path */
    const char *key;   /* of {key} in the path; NULL: a list */
    const char *above; /* of {key} before DsapiNested; NULL: none */
    dsapi_json_slice_t body;
    int has_body;
    apr_file_t *spool; /* CSV; NULL: the body is none */
    apr_off_t spool_bytes;
    char spool_digest[DSAPI_ETAG_SIZE]; /* with an Idempotency-Key */
    char delimiter;                     /* of CSV */
    apr_array_header_t *pairs; /* of dsapi_pair_t: the URL's query, without a
                                  function's arguments */
    dsapi_invoke_t invoke;     /* a function's; its function is NULL where a
                                  table is asked for */
    const char *sent; /* the body of a call, unless it is an argument */
    dsapi_prefer_t prefer;
    dsapi_format_e format;
    int singular; /* one object is asked for, by Accept or by its key */
    const char *stripped_type; /* media type of answer.stripped */
    const dsapi_catalog_t *catalog;
    const dsapi_entity_t *entity;
    dsapi_res_query_t *query; /* resolved */
    apr_int64_t limit;        /* rows of the page; -1: all */
    mod_dsapi_answer_t answer;
} mod_dsapi_ask_t;

/* catalog.c */

/** Make what a child knows of catalogues. */
void mod_dsapi_catalog_child_init(apr_pool_t *pchild);

/**
 * Take the catalogue of a request's service. It is read when it is first asked
 * for, by one request; those that come meanwhile wait, at most DsapiDBWait.
 * When it is five seconds old one request reads it again, and others go on.
 * @param pcatalog  in/out: NULL, or what has turned out to be old: then another
 *                  one, unless it was read within the last second (the same
 *                  again), or another request reads it just now (the same, too)
 * @param perr      out: the error, in the request's pool
 * @param route     whose settings the query is run with
 * @return APR_SUCCESS: it lives as long as the request; DSAPI_EBUSY; as
 *         mod_dsapi_db_run
 */
apr_status_t mod_dsapi_catalog_get(const dsapi_catalog_t **pcatalog,
                                   dsapi_err_t **perr, request_rec *r,
                                   const mod_dsapi_route_t *route);

/* resource.c */

/** Calls of a request, in pool: one left for the preamble, then what Prefer
 *  asks of the session. */
apr_array_header_t *mod_dsapi_ask_calls(const mod_dsapi_ask_t *ask);

/** Set Preference-Applied of what has been obeyed. */
void mod_dsapi_ask_applied(const mod_dsapi_ask_t *ask,
                           const dsapi_prefer_t *obeyed);

/* resource_headers.c */

/** Set Content-Location: the URL of what is shown, its parameters in order. */
void mod_dsapi_ask_located(const mod_dsapi_ask_t *ask);

/** Check the schema that Accept-Profile (of a change: Content-Profile) asks for
 *  against the one that is exposed, and set Content-Profile.
 *  @return APR_SUCCESS, also where no schema is; 406 (PGRST106) */
apr_status_t mod_dsapi_ask_profile(const mod_dsapi_ask_t *ask,
                                   dsapi_err_t **perr);

/** Unset what an error's answer does not have. */
void mod_dsapi_ask_forget(const mod_dsapi_ask_t *ask);

/** PGRST116: there are so many rows, not one. */
apr_status_t mod_dsapi_ask_not_one(dsapi_err_t **perr,
                                   const mod_dsapi_ask_t *ask,
                                   apr_int64_t nrows);

/** @return the media type of one object, or a function's value */
const char *mod_dsapi_ask_one_type(const mod_dsapi_ask_t *ask);

/** Read the body, where there may be one: JSON, or a form as JSON. */
apr_status_t mod_dsapi_ask_read_body(mod_dsapi_ask_t *ask, dsapi_err_t **perr);

/** Why a body was not taken, in the dialect where it is not JSON (PGRST102).
 *  @param perr  in/out @return the error's rv */
apr_status_t mod_dsapi_ask_bad_body(dsapi_err_t **perr,
                                    const mod_dsapi_ask_t *ask);

/** @return the most bytes of a body (DsapiMaxBody) */
apr_off_t mod_dsapi_ask_max_body(const mod_dsapi_ask_t *ask);

/** A condition of If-Match or If-None-Match is not met: 412. */
apr_status_t mod_dsapi_ask_changed(dsapi_err_t **perr,
                                   const mod_dsapi_ask_t *ask);

/**
 * What duplicates have in common in a POST: on_conflict=, or the primary key.
 * @param pcolumns  out: of const char *: SQL's names; none: all are new
 * @return APR_SUCCESS; DSAPI_EPARAM: there is no such column; DSAPI_EDENIED:
 *         what there is may not be changed
 */
apr_status_t mod_dsapi_ask_conflict(apr_array_header_t **pcolumns,
                                    dsapi_err_t **perr,
                                    const mod_dsapi_ask_t *ask);

/* resource_once.c */

/**
 * Idempotency-Key of a change: whose it is, and what it is for. Another method
 * is something else, as another body is; what If-Match says is not, since it is
 * judged of what is done, and not of what is repeated.
 * @param once  in: zeroed; out: in the request's pool; its key is NULL where
 *              none was sent, or nothing is to stay (tx=rollback)
 * @param body  what is sent, or a digest of it; NULL: nothing
 * @return APR_SUCCESS; as dsapi_once_key or mod_dsapi_settings
 */
apr_status_t mod_dsapi_ask_once(dsapi_once_t *once, dsapi_err_t **perr,
                                const mod_dsapi_ask_t *ask, const char *body);

/* rpc.c */

/** Take the arguments of a function: from the URL, or read them.
 *  @return as mod_dsapi_read_body, dsapi_function_take_body */
apr_status_t mod_dsapi_ask_arguments(mod_dsapi_ask_t *ask, dsapi_err_t **perr);

/** Find the function, once the query is parsed: what it gives is the entity.
 *  @return as dsapi_function_take_json, dsapi_function_find; DSAPI_EPARAM
 *          (PGRST128) */
apr_status_t mod_dsapi_ask_find_function(mod_dsapi_ask_t *ask,
                                         dsapi_err_t **perr);

/** @return 1: what is asked for may be read as a list: a table, or a function
 *  that changes nothing and gives rows */
int mod_dsapi_ask_is_list(const mod_dsapi_ask_t *ask);

/** Call a function, once the query is resolved, and hold what it gives. */
apr_status_t mod_dsapi_ask_call(mod_dsapi_ask_t *ask, dsapi_err_t **perr);

/* resource_tx.c */

/** A change on its way, of which it may depend on its rows whether it stays. */
typedef struct mod_dsapi_tx_t {
    mod_dsapi_ask_t *ask;
    apr_array_header_t *calls; /* of dsapi_call_t: the last gives the rows */
    dsapi_once_t once; /* no key: it is done as often as it is asked for */
    int done;          /* the answer is that of an earlier request */
    dsapi_rows_t *rows;
    /* may what the rows say stay? */
    apr_status_t (*check)(void *baton, dsapi_err_t **perr);
    /* completes the answer */
    apr_status_t (*finish)(void *baton, dsapi_err_t **perr);
    void *baton;
} mod_dsapi_tx_t;

/**
 * Run a change.
 * @param tx       in/out: its rows, which have been checked; with a key, the
 *                 answer is complete
 * @param checked  it may have to be taken back, whatever Prefer says
 * @return as mod_dsapi_run_calls, dsapi_once_found, tx->check, tx->finish
 */
apr_status_t mod_dsapi_tx_run(mod_dsapi_tx_t *tx, dsapi_err_t **perr,
                              int checked);

/** Begin the transaction of a change; with a key, find what it has done before.
 *  Where this fails, or it is done, the caller rolls back.
 *  @param tx  in/out: done; then the answer is complete
 *  @return as dsapi_db_run, dsapi_once_found */
apr_status_t mod_dsapi_tx_begin(mod_dsapi_tx_t *tx, dsapi_err_t **perr,
                                dsapi_db_t *db);

/** Commit it; with a key, complete the answer and keep it.
 *  @return as dsapi_db_run, tx->finish */
apr_status_t mod_dsapi_tx_commit(mod_dsapi_tx_t *tx, dsapi_err_t **perr,
                                 dsapi_db_t *db);

/** Take away what a change that was not committed has left of its answer. */
void mod_dsapi_tx_failed(const mod_dsapi_ask_t *ask);

/** Prefer: max-affected= with handling=strict.
 *  @return APR_SUCCESS; DSAPI_EPARAM (PGRST124) */
apr_status_t mod_dsapi_ask_max_affected(dsapi_err_t **perr,
                                        const mod_dsapi_ask_t *ask,
                                        apr_int64_t nrows);

/* import.c */

/** Keep the body, and take what is said of it, where it is CSV to be imported.
 *  @return APR_SUCCESS: ask->spool is NULL where it is something else */
apr_status_t mod_dsapi_ask_spool(mod_dsapi_ask_t *ask, dsapi_err_t **perr);

/** Import the body, once the query is resolved. */
apr_status_t mod_dsapi_ask_import(mod_dsapi_ask_t *ask, dsapi_err_t **perr);

/** Answer POST, PUT, PATCH and DELETE, once the query is resolved. */
apr_status_t mod_dsapi_ask_change(mod_dsapi_ask_t *ask, dsapi_err_t **perr);

/** Write a row, or all rows, into the answer. @param rows  one at least, if
 *  the request is for one */
apr_status_t mod_dsapi_ask_write(mod_dsapi_ask_t *ask, dsapi_err_t **perr,
                                 const dsapi_rows_t *rows);

#endif
