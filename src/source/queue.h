/*
 * The queue's SQL (conf/core/schema.sql) as calls: each function fills in one
 * call; its values live in pool. Times of the queue are PostgreSQL's clock.
 */
#ifndef DSAPI_SOURCE_QUEUE_H
#define DSAPI_SOURCE_QUEUE_H

#include <apr_tables.h>
#include <apr_time.h>

#include "source/source.h"

/** The SQLSTATE of hold and finish where the lease is lost. */
#define DSAPI_QUEUE_LEASE_LOST "DS001"

/** The SQLSTATE of hold_page where that page is stored already. */
#define DSAPI_QUEUE_PAGE_STORED "DS003"

/** The SQLSTATE of dsapi.enqueue_all where the queue of a source is full. */
#define DSAPI_QUEUE_FULL "DS002"

/** The channel that enqueue notifies. */
#define DSAPI_QUEUE_CHANNEL "dsapi_job"

/** Fill in a call. @param text  SQL, borrowed; @param nvalues  how many texts
 *  follow: $1, $2, ... (NULL: SQL NULL) */
void dsapi_queue_call(dsapi_call_t *pcall, apr_pool_t *pool, const char *text,
                      int nvalues, ...);

/** @return a time span as PostgreSQL reads it, in pool */
const char *dsapi_queue_interval(apr_interval_time_t t, apr_pool_t *pool);

/** LISTEN for new jobs. */
void dsapi_queue_listen(dsapi_call_t *pcall, apr_pool_t *pool);

/** Claim jobs: columns id, token, source, params, attempts, max_attempts,
 *  trace; and of what was stored last of the same source and parameters
 *  definition, etag, last_modified (see dsapi_queue_remember); and pages,
 *  next_page (see dsapi_queue_add_page).
 *  @param sources  of const dsapi_source_t *: whose, within their limits */
void dsapi_queue_claim(dsapi_call_t *pcall, const apr_array_header_t *sources,
                       int limit, apr_interval_time_t lease, apr_pool_t *pool);

/** Extend leases: column heartbeat, the ids still ours.
 *  @param ids     of const char *
 *  @param tokens  of const char *, one an id */
void dsapi_queue_heartbeat(dsapi_call_t *pcall, const apr_array_header_t *ids,
                           const apr_array_header_t *tokens,
                           apr_interval_time_t lease, apr_pool_t *pool);

/** Give jobs back without counting the attempt. */
void dsapi_queue_release(dsapi_call_t *pcall, const apr_array_header_t *ids,
                         const apr_array_header_t *tokens, apr_pool_t *pool);

/** BEGIN, COMMIT, ROLLBACK: a transaction over several batches. */
void dsapi_queue_begin(dsapi_call_t *pcall, apr_pool_t *pool);
void dsapi_queue_commit(dsapi_call_t *pcall, apr_pool_t *pool);
void dsapi_queue_rollback(dsapi_call_t *pcall, apr_pool_t *pool);

/** Set statement_timeout for the rest of the transaction, to whole
 *  milliseconds and at most PostgreSQL's 24 days. @param timeout  0: none */
void dsapi_queue_limit(dsapi_call_t *pcall, apr_interval_time_t timeout,
                       apr_pool_t *pool);

/** Lock a job's row for the transaction, if the lease is still ours. */
void dsapi_queue_hold(dsapi_call_t *pcall, const char *id, const char *token,
                      apr_pool_t *pool);

/** The same, for a job's next page.
 *  @param pages  how many are stored, as the caller knows */
void dsapi_queue_hold_page(dsapi_call_t *pcall, const char *id,
                           const char *token, int pages, apr_pool_t *pool);

/** In the transaction that stores a page: note that it is, and what comes
 *  after it; nothing, and the job is ended as by dsapi_queue_finish.
 *  @param url     of the page
 *  @param next    of the next; NULL: there is none
 *  @param result  JSON object; NULL: none */
void dsapi_queue_add_page(dsapi_call_t *pcall, const char *id,
                          const char *token, const char *url, const char *next,
                          const char *result, apr_pool_t *pool);

/** Take the next request's place at an upstream with a rate: column
 *  take_slot, microseconds until it comes. */
void dsapi_queue_take_slot(dsapi_call_t *pcall, const dsapi_source_t *source,
                           apr_pool_t *pool);

/** End a held job. @param result  JSON; NULL: none */
void dsapi_queue_finish(dsapi_call_t *pcall, const char *id, const char *token,
                        const char *result, apr_pool_t *pool);

/** In the transaction that stores a job's answer: note by what the upstream
 *  knows it. @param etag, last_modified  both NULL: by nothing */
void dsapi_queue_remember(dsapi_call_t *pcall, const char *id,
                          const char *definition, const char *etag,
                          const char *last_modified, apr_pool_t *pool);

/** Before fail: keep an answer for diagnosis.
 *  @param type  NULL: none; @param hex  how the body begins */
void dsapi_queue_keep_answer(dsapi_call_t *pcall, const char *id,
                             const char *token, int status, const char *type,
                             const char *hex, apr_pool_t *pool);

/** End an attempt. @param retry_in  microseconds; -1: never again. Column
 *  fail: the state the job is in now; no row: the lease was lost */
void dsapi_queue_fail(dsapi_call_t *pcall, const char *id, const char *token,
                      const char *error, apr_interval_time_t retry_in,
                      apr_pool_t *pool);

/** Take back what lost workers held: columns reap, how many, and due_in,
 *  microseconds until the next queued job of these sources is due (NULL:
 *  there is none). @param sources  of const dsapi_source_t * */
void dsapi_queue_reap(dsapi_call_t *pcall, const apr_array_header_t *sources,
                      apr_pool_t *pool);

/** The schedules of dsapi.plan, as array literals. */
typedef struct dsapi_queue_plan_t {
    const char *names;
    const char *rules;
    const char *zones;
} dsapi_queue_plan_t;

/** Remove a batch of what has been kept long enough, and plan schedules:
 *  columns purge, 't' where there is more, and plan, microseconds until the
 *  next tick (NULL: there is none).
 *  @param sources  of const dsapi_source_t * */
void dsapi_queue_keep(dsapi_call_t *pcall, const apr_array_header_t *sources,
                      const dsapi_queue_plan_t *plan, apr_pool_t *pool);

#endif
