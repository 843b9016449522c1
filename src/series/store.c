/* Where series are kept: see store.h. */
#include "series/store.h"

static void use_entry(dsapi_series_got_t *pgot,
                      const dsapi_cache_entry_t *entry,
                      const dsapi_series_ask_t *ask, apr_pool_t *pool)
{
    pgot->columns = dsapi_series_view(entry->body, pool);
    pgot->bytes = entry->body_bytes;
    pgot->as_of = dsapi_route_cache_as_of(entry, &ask->ask);
    pgot->stamp = entry->stamp;
    pgot->instead = 0;
}

/* The last image, whatever its versions. @return 0: there is none */
static int use_last(dsapi_series_got_t *pgot, dsapi_cache_t *cache,
                    const dsapi_series_ask_t *ask, apr_pool_t *pool)
{
    const dsapi_cache_entry_t *entry =
        dsapi_route_cache_stale(cache, &ask->ask, pool);

    if (!entry) {
        return 0;
    }
    use_entry(pgot, entry, ask, pool);
    return 1;
}

/* Make it, for oneself and (duty) for others. */
static apr_status_t make(dsapi_series_got_t *pgot, dsapi_err_t **perr,
                         const dsapi_series_ask_t *ask,
                         dsapi_cache_lead_t *duty, apr_pool_t *pool)
{
    dsapi_cache_answer_t answer = {.content_type = "", .etag = ""};
    apr_status_t rv =
        ask->load(&answer.body, &answer.body_bytes, perr, ask->baton);

    if (rv != APR_SUCCESS) {
        if (duty) {
            dsapi_route_cache_abandon(duty, *perr);
        }
        return rv;
    }
    if (!duty) {
        pgot->columns = dsapi_series_view(answer.body, pool);
        pgot->bytes = answer.body_bytes;
        pgot->as_of = ask->ask.now;
        pgot->stamp = ask->ask.stamp;
        pgot->instead = 0;
        return APR_SUCCESS;
    }
    answer.made = ask->ask.now;
    answer.fresh_until = answer.made + DSAPI_SERIES_LIFE;
    answer.stale_until = answer.fresh_until + ask->stale;
    use_entry(pgot, dsapi_route_cache_put(duty, &answer), ask, pool);
    return APR_SUCCESS;
}

/* One turn: as dsapi_series_get. @return APR_EAGAIN: somebody else makes it,
 * and there is none of the versions before */
static apr_status_t get(dsapi_series_got_t *pgot, dsapi_err_t **perr,
                        dsapi_cache_t *cache, const dsapi_series_ask_t *ask,
                        apr_pool_t *pool)
{
    const dsapi_cache_entry_t *entry;
    dsapi_cache_lead_t *duty;
    apr_status_t rv = APR_SUCCESS;

    switch (
        dsapi_route_cache_get(&entry, &duty, perr, cache, &ask->ask, pool)) {
    case DSAPI_CACHE_HIT:
        use_entry(pgot, entry, ask, pool);
        return APR_SUCCESS;
    case DSAPI_CACHE_LEAD:
        rv = make(pgot, perr, ask, duty, pool);
        break;
    case DSAPI_CACHE_FAILED:
        rv = (*perr)->rv;
        break;
    case DSAPI_CACHE_WAITED:
        if (ask->ask.wait <= 0) {
            return use_last(pgot, cache, ask, pool) &&
                           (pgot->stamp == ask->before ||
                            pgot->stamp == ask->ask.stamp)
                       ? APR_SUCCESS
                       : APR_EAGAIN;
        }
        rv = make(pgot, perr, ask, NULL, pool);
        break;
    }
    if ((rv == DSAPI_EDBDOWN || rv == DSAPI_EBUSY || rv == DSAPI_ETIMEOUT) &&
        use_last(pgot, cache, ask, pool)) {
        pgot->instead = 1;
        *perr = NULL;
        return APR_SUCCESS;
    }
    return rv;
}

apr_status_t dsapi_series_get(dsapi_series_got_t *pgot, dsapi_err_t **perr,
                              dsapi_cache_t *cache,
                              const dsapi_series_ask_t *ask, apr_pool_t *pool)
{
    dsapi_series_ask_t at_once = *ask;
    apr_status_t rv = APR_EAGAIN;

    if (!ask->waits && ask->changed_at > 0 &&
        ask->ask.now < ask->changed_at + DSAPI_SERIES_GRACE) {
        at_once.ask.wait = 0;
        rv = get(pgot, perr, cache, &at_once, pool);
    }
    return rv == APR_EAGAIN ? get(pgot, perr, cache, ask, pool) : rv;
}
