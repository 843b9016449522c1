/* The queue's SQL as calls: see queue.h. */
#include "source/queue.h"

#include <apr_strings.h>
#include <stdarg.h>

#include "base/type.h"

/* PostgreSQL's longest statement_timeout. */
#define TIMEOUT_MAX_MS 2147483647

void dsapi_queue_call(dsapi_call_t *pcall, apr_pool_t *pool, const char *text,
                      int nvalues, ...)
{
    const char **values =
        apr_palloc(pool, sizeof(char *) * ((apr_size_t)nvalues + 1));
    va_list ap;

    va_start(ap, nvalues);
    for (int i = 0; i < nvalues; i++) {
        values[i] = va_arg(ap, const char *);
    }
    va_end(ap);
    pcall->sql = dsapi_sql_literal(text, nvalues, pool);
    pcall->types = NULL;
    pcall->values = values;
}

const char *dsapi_queue_interval(apr_interval_time_t t, apr_pool_t *pool)
{
    return apr_psprintf(pool, "%" APR_TIME_T_FMT " microseconds", t);
}

void dsapi_queue_listen(dsapi_call_t *pcall, apr_pool_t *pool)
{
    dsapi_queue_call(pcall, pool, "LISTEN " DSAPI_QUEUE_CHANNEL, 0);
}

/* What a column of the sources' settings holds of one. */
typedef const char *(*setting_fn)(const dsapi_source_t *source,
                                  apr_pool_t *pool);

static const char *name_of(const dsapi_source_t *source, apr_pool_t *pool)
{
    (void)pool;
    return source->name;
}

static const char *every_of(const dsapi_source_t *source, apr_pool_t *pool)
{
    return source->every > 0 ? dsapi_queue_interval(source->every, pool) : NULL;
}

static const char *concurrency_of(const dsapi_source_t *source,
                                  apr_pool_t *pool)
{
    return source->concurrency > 0 ? apr_itoa(pool, source->concurrency) : NULL;
}

static const char *keep_of(const dsapi_source_t *source, apr_pool_t *pool)
{
    return dsapi_queue_interval(source->job_keep, pool);
}

/* One setting of all sources, as an array. */
static const char *settings(const apr_array_header_t *sources,
                            setting_fn setting, apr_pool_t *pool)
{
    apr_array_header_t *items =
        apr_array_make(pool, sources->nelts, sizeof(const char *));

    for (int i = 0; i < sources->nelts; i++) {
        APR_ARRAY_PUSH(items, const char *) =
            setting(APR_ARRAY_IDX(sources, i, const dsapi_source_t *), pool);
    }
    return dsapi_base_array_literal(items, pool);
}

void dsapi_queue_claim(dsapi_call_t *pcall, const apr_array_header_t *sources,
                       int limit, apr_interval_time_t lease, apr_pool_t *pool)
{
    dsapi_queue_call(
        pcall, pool,
        "SELECT j.id, j.lease_token AS token, j.source, j.params, j.attempts, "
        "j.max_attempts, j.trace, v.definition, v.etag, v.last_modified, "
        "j.pages, j.next_page "
        "FROM dsapi.claim($1::text[], $2::interval[], $3::integer[], "
        "$4::integer, $5::interval) AS j "
        /* one look-up a job: a plain join might read the whole table */
        "LEFT JOIN LATERAL (SELECT * FROM dsapi.validator WHERE source = "
        "j.source AND md5(params::text) = md5(j.params::text) AND params = "
        "j.params LIMIT 1) AS v ON true",
        5, settings(sources, name_of, pool), settings(sources, every_of, pool),
        settings(sources, concurrency_of, pool), apr_itoa(pool, limit),
        dsapi_queue_interval(lease, pool));
}

void dsapi_queue_heartbeat(dsapi_call_t *pcall, const apr_array_header_t *ids,
                           const apr_array_header_t *tokens,
                           apr_interval_time_t lease, apr_pool_t *pool)
{
    dsapi_queue_call(pcall, pool,
                     "SELECT heartbeat FROM dsapi.heartbeat($1::bigint[], "
                     "$2::uuid[], "
                     "$3::interval)",
                     3, dsapi_base_array_literal(ids, pool),
                     dsapi_base_array_literal(tokens, pool),
                     dsapi_queue_interval(lease, pool));
}

void dsapi_queue_release(dsapi_call_t *pcall, const apr_array_header_t *ids,
                         const apr_array_header_t *tokens, apr_pool_t *pool)
{
    dsapi_queue_call(pcall, pool,
                     "SELECT dsapi.release($1::bigint[], $2::uuid[])", 2,
                     dsapi_base_array_literal(ids, pool),
                     dsapi_base_array_literal(tokens, pool));
}

void dsapi_queue_begin(dsapi_call_t *pcall, apr_pool_t *pool)
{
    dsapi_queue_call(pcall, pool, "BEGIN", 0);
}

void dsapi_queue_commit(dsapi_call_t *pcall, apr_pool_t *pool)
{
    dsapi_queue_call(pcall, pool, "COMMIT", 0);
}

void dsapi_queue_rollback(dsapi_call_t *pcall, apr_pool_t *pool)
{
    dsapi_queue_call(pcall, pool, "ROLLBACK", 0);
}

void dsapi_queue_limit(dsapi_call_t *pcall, apr_interval_time_t timeout,
                       apr_pool_t *pool)
{
    /* rounded up, since 0 would be no limit */
    apr_interval_time_t ms = timeout / 1000 + (timeout % 1000 > 0);

    dsapi_queue_call(pcall, pool,
                     "SELECT set_config('statement_timeout', $1, true)", 1,
                     apr_psprintf(pool, "%" APR_TIME_T_FMT,
                                  ms < TIMEOUT_MAX_MS ? ms : TIMEOUT_MAX_MS));
}

void dsapi_queue_hold(dsapi_call_t *pcall, const char *id, const char *token,
                      apr_pool_t *pool)
{
    dsapi_queue_call(pcall, pool, "SELECT dsapi.hold($1::bigint, $2::uuid)", 2,
                     id, token);
}

void dsapi_queue_hold_page(dsapi_call_t *pcall, const char *id,
                           const char *token, int pages, apr_pool_t *pool)
{
    dsapi_queue_call(pcall, pool,
                     "SELECT dsapi.hold_page($1::bigint, $2::uuid, "
                     "$3::integer)",
                     3, id, token, apr_itoa(pool, pages));
}

void dsapi_queue_add_page(dsapi_call_t *pcall, const char *id,
                          const char *token, const char *url, const char *next,
                          const char *result, apr_pool_t *pool)
{
    dsapi_queue_call(pcall, pool,
                     next ? "SELECT dsapi.add_page($1::bigint, $2::uuid, "
                            "$3::text, $4::text, $5::json)"
                          : "SELECT dsapi.finish($1::bigint, $2::uuid, "
                            "dsapi.add_page($1::bigint, $2::uuid, $3::text, "
                            "$4::text, $5::json))",
                     5, id, token, url, next, result);
}

void dsapi_queue_take_slot(dsapi_call_t *pcall, const dsapi_source_t *source,
                           apr_pool_t *pool)
{
    dsapi_queue_call(pcall, pool,
                     "SELECT take_slot FROM dsapi.take_slot($1::text, "
                     "$2::interval)",
                     2, source->name,
                     dsapi_queue_interval(source->every, pool));
}

void dsapi_queue_finish(dsapi_call_t *pcall, const char *id, const char *token,
                        const char *result, apr_pool_t *pool)
{
    dsapi_queue_call(pcall, pool,
                     "SELECT dsapi.finish($1::bigint, $2::uuid, $3::json)", 3,
                     id, token, result);
}

void dsapi_queue_remember(dsapi_call_t *pcall, const char *id,
                          const char *definition, const char *etag,
                          const char *last_modified, apr_pool_t *pool)
{
    dsapi_queue_call(pcall, pool,
                     "SELECT dsapi.remember($1::bigint, $2::text, $3::text, "
                     "$4::text)",
                     4, id, definition, etag, last_modified);
}

void dsapi_queue_keep_answer(dsapi_call_t *pcall, const char *id,
                             const char *token, int status, const char *type,
                             const char *hex, apr_pool_t *pool)
{
    dsapi_queue_call(pcall, pool,
                     "SELECT dsapi.keep_answer($1::bigint, $2::uuid, "
                     "$3::integer, "
                     "$4::text, "
                     "decode($5, 'hex'))",
                     5, id, token, apr_itoa(pool, status), type, hex);
}

void dsapi_queue_fail(dsapi_call_t *pcall, const char *id, const char *token,
                      const char *error, apr_interval_time_t retry_in,
                      apr_pool_t *pool)
{
    dsapi_queue_call(pcall, pool,
                     "SELECT fail FROM dsapi.fail($1::bigint, $2::uuid, "
                     "$3::text, "
                     "$4::interval)",
                     4, id, token, error,
                     retry_in < 0 ? NULL
                                  : dsapi_queue_interval(retry_in, pool));
}

void dsapi_queue_reap(dsapi_call_t *pcall, const apr_array_header_t *sources,
                      apr_pool_t *pool)
{
    dsapi_queue_call(pcall, pool,
                     "SELECT dsapi.reap(), dsapi.due_in($1::text[]), "
                     "dsapi.lost_in()",
                     1, settings(sources, name_of, pool));
}

void dsapi_queue_keep(dsapi_call_t *pcall, const apr_array_header_t *sources,
                      const dsapi_queue_plan_t *plan, apr_pool_t *pool)
{
    dsapi_queue_call(pcall, pool,
                     "SELECT dsapi.purge($1::text[], $2::interval[], 1000), "
                     "dsapi.plan($3::text[], $4::jsonb[], $5::text[])",
                     5, settings(sources, name_of, pool),
                     settings(sources, keep_of, pool), plan->names, plan->rules,
                     plan->zones);
}
