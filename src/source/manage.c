/* The queue as people see it: see manage.h. */
#include "source/manage.h"

#include <apr_strings.h>

/* A job in a list, and in full. The lease's token is nobody's business. */
#define IN_LIST                                                        \
    "id, source, params, state, attempts, max_attempts, queued_at, "   \
    "started_at, finished_at, CASE WHEN state = 'queued' THEN run_at " \
    "END AS next_attempt_at, error"
#define IN_FULL IN_LIST ", errors, result, lease_until, trace"

void dsapi_manage_list(dsapi_call_t *pcall, const dsapi_manage_filter_t *filter,
                       int limit, apr_pool_t *pool)
{
    /* a text for each combination, so that each has its own plan */
    const char *text =
        apr_pstrcat(pool,
                    "SELECT " IN_LIST " FROM dsapi.job WHERE id < "
                    "coalesce($3::bigint, 9223372036854775807) AND ",
                    filter->state ? "state = $1" : "$1::text IS NULL", " AND ",
                    filter->source ? "source = $2" : "$2::text IS NULL",
                    " ORDER BY id DESC LIMIT $4", NULL);

    dsapi_queue_call(pcall, pool, text, 4, filter->state, filter->source,
                     filter->after, apr_itoa(pool, limit));
}

void dsapi_manage_show(dsapi_call_t *pcall, const char *id, apr_pool_t *pool)
{
    dsapi_queue_call(pcall, pool,
                     "SELECT " IN_FULL " FROM dsapi.job WHERE id = $1", 1, id);
}

void dsapi_manage_retry(dsapi_call_t *pcall, const char *id, apr_pool_t *pool)
{
    dsapi_queue_call(pcall, pool, "SELECT " IN_FULL " FROM dsapi.retry($1)", 1,
                     id);
}

void dsapi_manage_retry_all(dsapi_call_t *pcall, const char *source,
                            apr_pool_t *pool)
{
    dsapi_queue_call(pcall, pool, "SELECT dsapi.retry_all($1) AS retried", 1,
                     source);
}

void dsapi_manage_remove(dsapi_call_t *pcall, const char *id, apr_pool_t *pool)
{
    dsapi_queue_call(pcall, pool, "SELECT dsapi.remove($1)", 1, id);
}
