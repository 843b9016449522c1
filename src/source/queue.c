/* The queue's SQL as calls: see queue.h. */
#include "source/queue.h"

#include <apr_strings.h>
#include <stdarg.h>

#include "base/type.h"

/* PostgreSQL's longest statement_timeout. */
#define TIMEOUT_MAX_MS 2147483647

/* Fills in a call of a constant text and nvalues texts. */
static void fill(dsapi_call_t *pcall, apr_pool_t *pool, const char *text,
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

static const char *interval_text(apr_interval_time_t t, apr_pool_t *pool)
{
    return apr_psprintf(pool, "%" APR_TIME_T_FMT " microseconds", t);
}

void dsapi_queue_listen(dsapi_call_t *pcall, apr_pool_t *pool)
{
    fill(pcall, pool, "LISTEN " DSAPI_QUEUE_CHANNEL, 0);
}

void dsapi_queue_claim(dsapi_call_t *pcall, const apr_array_header_t *sources,
                       int limit, apr_interval_time_t lease, apr_pool_t *pool)
{
    fill(pcall, pool,
         "SELECT j.id, j.lease_token AS token, j.source, j.params, j.attempts, "
         "j.max_attempts, j.trace, u.definition, u.etag, u.last_modified "
         "FROM dsapi.claim($1::text[], $2::integer, $3::interval) AS j "
         /* one look-up a job: a plain join might read the whole table */
         "LEFT JOIN LATERAL (SELECT * FROM dsapi.upstream WHERE source = "
         "j.source AND md5(params::text) = md5(j.params::text) AND params = "
         "j.params LIMIT 1) AS u ON true",
         3, dsapi_base_array_literal(sources, pool), apr_itoa(pool, limit),
         interval_text(lease, pool));
}

void dsapi_queue_heartbeat(dsapi_call_t *pcall, const apr_array_header_t *ids,
                           const apr_array_header_t *tokens,
                           apr_interval_time_t lease, apr_pool_t *pool)
{
    fill(pcall, pool,
         "SELECT heartbeat FROM dsapi.heartbeat($1::bigint[], $2::uuid[], "
         "$3::interval)",
         3, dsapi_base_array_literal(ids, pool),
         dsapi_base_array_literal(tokens, pool), interval_text(lease, pool));
}

void dsapi_queue_release(dsapi_call_t *pcall, const apr_array_header_t *ids,
                         const apr_array_header_t *tokens, apr_pool_t *pool)
{
    fill(pcall, pool, "SELECT dsapi.release($1::bigint[], $2::uuid[])", 2,
         dsapi_base_array_literal(ids, pool),
         dsapi_base_array_literal(tokens, pool));
}

void dsapi_queue_begin(dsapi_call_t *pcall, apr_pool_t *pool)
{
    fill(pcall, pool, "BEGIN", 0);
}

void dsapi_queue_commit(dsapi_call_t *pcall, apr_pool_t *pool)
{
    fill(pcall, pool, "COMMIT", 0);
}

void dsapi_queue_rollback(dsapi_call_t *pcall, apr_pool_t *pool)
{
    fill(pcall, pool, "ROLLBACK", 0);
}

void dsapi_queue_limit(dsapi_call_t *pcall, apr_interval_time_t timeout,
                       apr_pool_t *pool)
{
    /* rounded up, since 0 would be no limit */
    apr_interval_time_t ms = timeout / 1000 + (timeout % 1000 > 0);

    fill(pcall, pool, "SELECT set_config('statement_timeout', $1, true)", 1,
         apr_psprintf(pool, "%" APR_TIME_T_FMT,
                      ms < TIMEOUT_MAX_MS ? ms : TIMEOUT_MAX_MS));
}

void dsapi_queue_hold(dsapi_call_t *pcall, const char *id, const char *token,
                      apr_pool_t *pool)
{
    fill(pcall, pool, "SELECT dsapi.hold($1::bigint, $2::uuid)", 2, id, token);
}

void dsapi_queue_finish(dsapi_call_t *pcall, const char *id, const char *token,
                        const char *result, apr_pool_t *pool)
{
    fill(pcall, pool, "SELECT dsapi.finish($1::bigint, $2::uuid, $3::json)", 3,
         id, token, result);
}

void dsapi_queue_remember(dsapi_call_t *pcall, const char *id,
                          const char *definition, const char *etag,
                          const char *last_modified, apr_pool_t *pool)
{
    fill(pcall, pool,
         "SELECT dsapi.remember($1::bigint, $2::text, $3::text, $4::text)", 4,
         id, definition, etag, last_modified);
}

void dsapi_queue_keep(dsapi_call_t *pcall, const char *id, const char *token,
                      int status, const char *type, const char *hex,
                      apr_pool_t *pool)
{
    fill(pcall, pool,
         "SELECT dsapi.keep($1::bigint, $2::uuid, $3::integer, $4::text, "
         "decode($5, 'hex'))",
         5, id, token, apr_itoa(pool, status), type, hex);
}

void dsapi_queue_fail(dsapi_call_t *pcall, const char *id, const char *token,
                      const char *error, apr_interval_time_t retry_in,
                      apr_pool_t *pool)
{
    fill(pcall, pool,
         "SELECT fail FROM dsapi.fail($1::bigint, $2::uuid, $3::text, "
         "$4::interval)",
         4, id, token, error,
         retry_in < 0 ? NULL : interval_text(retry_in, pool));
}

void dsapi_queue_reap(dsapi_call_t *pcall, apr_pool_t *pool)
{
    fill(pcall, pool, "SELECT dsapi.reap(), dsapi.due_in()", 0);
}
