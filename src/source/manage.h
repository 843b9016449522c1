/*
 * The queue as people see it: lists of jobs, one in full, and what they may
 * do to one. Each function fills in one call, as those of queue.h; a refusal
 * is an error whose SQLSTATE is PT404 or PT409 and whose message is for them.
 */
#ifndef DSAPI_SOURCE_MANAGE_H
#define DSAPI_SOURCE_MANAGE_H

#include "source/queue.h"

/** Which jobs; NULL: any. */
typedef struct dsapi_manage_filter_t {
    const char *state;
    const char *source; /* full name */
    const char *after;  /* an id: those put into the queue before it */
} dsapi_manage_filter_t;

/** Jobs, the newest first. @param limit  at most so many */
void dsapi_manage_list(dsapi_call_t *pcall, const dsapi_manage_filter_t *filter,
                       int limit, apr_pool_t *pool);

/** One job in full, or no row. */
void dsapi_manage_show(dsapi_call_t *pcall, const char *id, apr_pool_t *pool);

/** Put a failed job back; the row is that job in full. */
void dsapi_manage_retry(dsapi_call_t *pcall, const char *id, apr_pool_t *pool);

/** Put the failed jobs of a source back: column retried, how many. */
void dsapi_manage_retry_all(dsapi_call_t *pcall, const char *source,
                            apr_pool_t *pool);

/** Forget a job that does not run. */
void dsapi_manage_remove(dsapi_call_t *pcall, const char *id, apr_pool_t *pool);

#endif
