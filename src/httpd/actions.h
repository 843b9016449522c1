/*
 * What a route does once its parameters are bound: run SQL, compute over a
 * series, put a job into the queue, show one, tell the time.
 */
#ifndef DSAPI_HTTPD_ACTIONS_H
#define DSAPI_HTTPD_ACTIONS_H

#include <httpd.h>

#include "db/db.h"
#include "httpd/config.h"
#include "json/buf.h"
#include "route/accept.h"
#include "route/cache.h"

/** A list whose rows are written one by one, each with all its columns. */
typedef struct mod_dsapi_listing_t {
    apr_int64_t limit; /* rows of the page, one less than were asked for; -1:
                          there are no pages */
    void (*begin)(void *baton); /* sets the headers of an answer that is sent
                                   while rows still come */
    void *baton;
    apr_int64_t total; /* out: what the first row said (resource/read.h); -1 */
    apr_int64_t nrows; /* out: of the page, where the answer is whole */
    int more;          /* out: another page follows */
} mod_dsapi_listing_t;

/** What is to be sent; headers are in r->headers_out. */
typedef struct mod_dsapi_answer_t {
    int status;
    const char *type; /* media type */
    dsapi_buf_t *buf; /* empty at first */
    const char *body; /* NULL: what is in buf */
    apr_size_t body_bytes;
    dsapi_format_e format;        /* of rows */
    int stripped;                 /* a resource's rows, without nulls */
    dsapi_cache_lead_t *duty;     /* declined by a stream; NULL: none */
    mod_dsapi_listing_t *listing; /* of a resource; NULL: of a route */
    int sent;                     /* nothing is left to be done */
    apr_time_t as_of;             /* of a metric: when its series was right for
                                     certain; 0: now */
    apr_uint64_t stamp;           /* the series' */
    int instead;                  /* it is given in another's place */
} mod_dsapi_answer_t;

/** An array of calls, in pool, whose first is left for the preamble. */
apr_array_header_t *mod_dsapi_make_calls(apr_pool_t *pool);

/**
 * Run calls behind the route's preamble, in one transaction.
 * @param prows  out: the rows of the last call, in the request's pool
 * @param perr   out: the error, in the request's pool
 * @param calls  of dsapi_call_t; the first is filled in
 * @return as mod_dsapi_db_run
 */
apr_status_t mod_dsapi_run_calls(dsapi_rows_t **prows, dsapi_err_t **perr,
                                 request_rec *r, const mod_dsapi_route_t *route,
                                 apr_array_header_t *calls);

/**
 * Complete a route's batch: the preamble, and its time limit.
 * @param pbatch  out: holds calls
 * @param calls   of dsapi_call_t; the first is filled in
 * @return as mod_dsapi_settings
 */
apr_status_t mod_dsapi_make_batch(dsapi_batch_t *pbatch, dsapi_err_t **perr,
                                  request_rec *r,
                                  const mod_dsapi_route_t *route,
                                  apr_array_header_t *calls);

/**
 * The same where there is no request.
 * @param settings  of mod_dsapi_settings
 * @param timeout   of each of the other calls
 */
void mod_dsapi_fill_batch(dsapi_batch_t *pbatch, const mod_dsapi_route_t *route,
                          const char *const *settings,
                          apr_interval_time_t timeout,
                          apr_array_header_t *calls);

/**
 * Run calls whose last gives rows, and send them, or have them sent: whole
 * where they fit into DsapiBuffer, or else one portion after the other while
 * they come (stream.c).
 * @param answer  out: whole, or sent
 * @param perr    out: the error, in the request's pool; nothing has been sent
 * @param values  as the client gave them
 * @return as mod_dsapi_run_calls; DSAPI_EBUSY, DSAPI_EINTERNAL: see
 *         mod_dsapi_db_stream
 */
apr_status_t mod_dsapi_stream(mod_dsapi_answer_t *answer, dsapi_err_t **perr,
                              request_rec *r, const mod_dsapi_route_t *route,
                              const char **values, apr_array_header_t *calls);

/** Columns that are headers; lives as long as the request. */
typedef struct mod_dsapi_columns_t {
    const char *location; /* of "@location", as a header has it; NULL: none */
    const char *etag;
} mod_dsapi_columns_t;

/** @return a value of "@etag" as the header has it: with quotes, what is no
 *  printable ASCII percent-encoded */
const char *mod_dsapi_etag(const char *value, apr_pool_t *pool);

/** Read them from the first of some rows. */
void mod_dsapi_read_columns(mod_dsapi_columns_t *pcolumns, request_rec *r,
                            const dsapi_rows_t *rows);

/** Set an answer's status and type, and the headers of a success.
 *  @param more  of a paged route: another page follows */
void mod_dsapi_succeed(mod_dsapi_answer_t *answer, request_rec *r,
                       const mod_dsapi_route_t *route,
                       const char *const *values,
                       const mod_dsapi_columns_t *columns, int more);

/** DsapiQuery. @param values  one a parameter of the route
 *  @return APR_SUCCESS, or why not (perr in the request's pool) */
apr_status_t mod_dsapi_query(mod_dsapi_answer_t *answer, dsapi_err_t **perr,
                             request_rec *r, const mod_dsapi_route_t *route,
                             const char **values);

/**
 * DsapiQuery with DsapiCache: from the child's cache, or mod_dsapi_query. Sets
 * the validator and Cache-Control, and answers 304.
 */
apr_status_t mod_dsapi_cached_query(mod_dsapi_answer_t *answer,
                                    dsapi_err_t **perr, request_rec *r,
                                    const mod_dsapi_route_t *route,
                                    const char **values);

/** DsapiMetric: from the child's cache, or of its series. As
 *  mod_dsapi_cached_query, with DsapiCache or not. */
apr_status_t mod_dsapi_show_metric(mod_dsapi_answer_t *answer,
                                   dsapi_err_t **perr, request_rec *r,
                                   const mod_dsapi_route_t *route,
                                   const char **values);

/** Append a text to a key: whether it is there, how long, and itself. */
void mod_dsapi_key_text(dsapi_buf_t *key, const char *text);

/** @return 1: a user or the session's values may have decided the answer, which
 *  is no matter of caches that others share */
int mod_dsapi_is_personal(const request_rec *r, const mod_dsapi_route_t *route);

/** What clients may do with an answer of a route with DsapiCache. */
void mod_dsapi_cache_control(request_rec *r, const mod_dsapi_route_t *route);

/** Make the cache of a child. */
void mod_dsapi_cache_child_init(apr_pool_t *pchild, const server_rec *main);

/**
 * The settings of a request's transaction: statement_timeout, then what the
 * service's DsapiSession expressions give. Made once a request, so that the
 * key of a cached answer and its SQL see the same values.
 * @param psettings  out: 1 + the service's session values, in the request's
 *                   pool
 * @return APR_SUCCESS; DSAPI_EINTERNAL: an expression failed (perr)
 */
apr_status_t mod_dsapi_settings(const char ***psettings, dsapi_err_t **perr,
                                request_rec *r, const mod_dsapi_route_t *route);

/** @return whether the client holds what this strong or weak validator names
 *  (If-None-Match) */
int mod_dsapi_client_has(const request_rec *r, const char *etag);

/** @return the time limit of each statement of a route (DsapiDBTimeout) */
apr_interval_time_t mod_dsapi_timeout_of(const request_rec *r,
                                         const mod_dsapi_route_t *route);

/** Choose the form that the client wants rows in (Accept), and set Vary.
 *  @return APR_SUCCESS; DSAPI_EPARAM with status 406 */
apr_status_t mod_dsapi_choose_format(mod_dsapi_answer_t *answer,
                                     dsapi_err_t **perr, request_rec *r);

/** DsapiEnqueue; as mod_dsapi_query. */
apr_status_t mod_dsapi_enqueue(mod_dsapi_answer_t *answer, dsapi_err_t **perr,
                               request_rec *r, const mod_dsapi_route_t *route,
                               const char **values);

/** DsapiJob; as mod_dsapi_query. */
apr_status_t mod_dsapi_show_job(mod_dsapi_answer_t *answer, dsapi_err_t **perr,
                                request_rec *r, const mod_dsapi_route_t *route,
                                const char **values);

/** RFC 8288: link a page's neighbours. @param more  another page follows */
void mod_dsapi_link_pages(request_rec *r, apr_int64_t limit, apr_int64_t offset,
                          int more);

/** Answer a request for a resource. @return as a handler */
int mod_dsapi_resource(request_rec *r, const mod_dsapi_route_t *route,
                       const dsapi_match_t *match);

/** Answer what no route of a service with resources is for, as PostgREST does.
 *  @param path  behind the base */
int mod_dsapi_resource_none(request_rec *r, const mod_dsapi_service_t *service,
                            const char *path);

/** DsapiTime; as mod_dsapi_query. */
apr_status_t mod_dsapi_show_time(mod_dsapi_answer_t *answer, dsapi_err_t **perr,
                                 request_rec *r, const mod_dsapi_route_t *route,
                                 const char **values);

/**
 * Tie a route with DsapiTime to its parameters and to the zones, which are
 * read once a configuration.
 * @return what is wrong; NULL: nothing
 */
const char *mod_dsapi_time_settle(const mod_dsapi_route_t *route,
                                  apr_pool_t *pconf);

/** @return 1: it is DsapiTime zones, the names of all zones */
int mod_dsapi_time_is_list(const mod_dsapi_route_t *route);

/** The documentation; as mod_dsapi_query. */
apr_status_t mod_dsapi_show_docs(mod_dsapi_answer_t *answer, request_rec *r,
                                 const mod_dsapi_route_t *route);

/**
 * Write a service's documentation, and give it its URL. Its routes are settled.
 * @param ptemp  for what is needed meanwhile
 * @return what is wrong; NULL: nothing
 */
const char *mod_dsapi_docs_settle(mod_dsapi_service_t *service,
                                  apr_pool_t *pconf, apr_pool_t *ptemp);

#endif
