/* Where series are kept: see store.h. */
#include "series/store.h"

#include <apr_allocator.h>
#include <apr_strings.h>

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

/* Is the database not to be asked now, as it does not answer? Then it does not
 * tell the newest versions either; or a load has just failed. */
static int is_resting(const dsapi_cache_entry_t *last,
                      const dsapi_series_ask_t *ask)
{
    apr_time_t failed_at = atomic_load(&last->notes->failed_at);

    return (ask->ask.stamp && ask->ask.verified_at < ask->ask.now) ||
           (ask->ask.now > failed_at - DSAPI_SERIES_REST &&
            ask->ask.now < failed_at + DSAPI_SERIES_REST);
}

/* Is the image of these versions, or was of the newest until a moment ago? When
 * that ended is noted for those who come when there are newer ones still. */
static int is_recent(const dsapi_cache_entry_t *last,
                     const dsapi_series_ask_t *ask)
{
    apr_time_t changed_at = ask->ask.changed_at;

    if (last->stamp == ask->ask.before) {
        atomic_store(&last->notes->changed_at, changed_at);
    }
    else if (last->stamp != ask->ask.stamp) {
        changed_at = atomic_load(&last->notes->changed_at);
    }
    return !ask->waits && changed_at > 0 &&
           ask->ask.now > changed_at - DSAPI_SERIES_GRACE &&
           ask->ask.now < changed_at + DSAPI_SERIES_GRACE;
}

/* While another loads: not where that may take long for nothing. */
static int may_be_given(const dsapi_cache_entry_t *last,
                        const dsapi_series_ask_t *ask)
{
    return is_recent(last, ask) || is_resting(last, ask) ||
           atomic_load(&last->notes->failed_at) > 0;
}

/* Where it failed, or would: of these versions as good as ever, of others for
 * want of it. */
static void use_last(dsapi_series_got_t *pgot, const dsapi_cache_entry_t *last,
                     const dsapi_series_ask_t *ask, apr_pool_t *pool)
{
    use_entry(pgot, last, ask, pool);
    pgot->instead = last->stamp != ask->ask.stamp;
}

/* Make it, for oneself and for others. */
static apr_status_t make(dsapi_series_got_t *pgot, dsapi_err_t **perr,
                         const dsapi_series_ask_t *ask,
                         dsapi_cache_lead_t *duty, apr_pool_t *pool)
{
    dsapi_cache_answer_t answer = {.content_type = "", .etag = ""};
    apr_status_t rv =
        ask->load(&answer.body, &answer.body_bytes, perr, ask->baton);

    if (rv != APR_SUCCESS) {
        dsapi_route_cache_abandon(duty, *perr);
        return rv;
    }
    answer.made = ask->ask.now;
    answer.fresh_until = answer.made + DSAPI_SERIES_LIFE;
    answer.stale_until = answer.fresh_until + ask->stale;
    use_entry(pgot, dsapi_route_cache_put(duty, &answer), ask, pool);
    return APR_SUCCESS;
}

/* Give the load to another thread. @return 1: that has it; 0: *pduty is still
 * to be done */
static int hand_over(dsapi_cache_lead_t **pduty, dsapi_cache_t *cache,
                     const dsapi_series_ask_t *ask, apr_pool_t *pool)
{
    apr_allocator_t *allocator;
    dsapi_series_load_t *load;
    apr_pool_t *own;

    if (apr_allocator_create(&allocator) != APR_SUCCESS) {
        return 0;
    }
    /* what it has taken goes back to the system when it ends */
    apr_pool_create_ex(&own, NULL, NULL, allocator);
    apr_allocator_owner_set(allocator, own);
    apr_pool_tag(own, "dsapi_series_load");
    load = apr_palloc(own, sizeof(*load));
    load->ask = *ask;
    load->ask.ask.key = apr_pmemdup(own, ask->ask.key, ask->ask.key_bytes);
    load->cache = cache;
    load->pool = own;
    load->duty = dsapi_route_cache_move(*pduty, own);
    if (ask->later(load) == APR_SUCCESS) {
        return 1;
    }
    *pduty = dsapi_route_cache_move(load->duty, pool);
    apr_pool_destroy(own);
    return 0;
}

/* Lead: but not where the last one will have to do, or may. */
static apr_status_t lead(dsapi_series_got_t *pgot, dsapi_err_t **perr,
                         dsapi_cache_t *cache, const dsapi_series_ask_t *ask,
                         dsapi_cache_lead_t *duty, apr_pool_t *pool)
{
    const dsapi_cache_entry_t *last =
        dsapi_route_cache_stale(cache, &ask->ask, pool);

    if (last && is_resting(last, ask)) {
        dsapi_route_cache_abandon(duty, NULL);
        use_last(pgot, last, ask, pool);
        return APR_SUCCESS;
    }
    if (last && ask->later && is_recent(last, ask) &&
        hand_over(&duty, cache, ask, pool)) {
        use_entry(pgot, last, ask, pool);
        return APR_SUCCESS;
    }
    return make(pgot, perr, ask, duty, pool);
}

/* Another loads. @return APR_EAGAIN: wait for it; DSAPI_EBUSY: that has been
 * done, for long enough */
static apr_status_t follow(dsapi_series_got_t *pgot, dsapi_err_t **perr,
                           dsapi_cache_t *cache, const dsapi_series_ask_t *ask,
                           apr_pool_t *pool)
{
    const dsapi_cache_entry_t *last;

    if (ask->ask.wait > 0) {
        dsapi_fail(perr, pool, DSAPI_EBUSY, "database-busy",
                   "the series is still being loaded; try again");
        (*perr)->retry_after_s = 1;
        return DSAPI_EBUSY;
    }
    last = dsapi_route_cache_stale(cache, &ask->ask, pool);
    if (!last || !may_be_given(last, ask)) {
        return APR_EAGAIN;
    }
    use_last(pgot, last, ask, pool);
    if (is_recent(last, ask)) {
        pgot->instead = 0;
    }
    return APR_SUCCESS;
}

/* Where the database failed the last one has to do, and nobody tries again for
 * a while. @return 0: there is none, or it was not the database */
static int make_do(dsapi_series_got_t *pgot, dsapi_cache_t *cache,
                   const dsapi_series_ask_t *ask, apr_status_t rv,
                   apr_pool_t *pool)
{
    const dsapi_cache_entry_t *last;

    if (rv != DSAPI_EDBDOWN && rv != DSAPI_EBUSY && rv != DSAPI_ETIMEOUT) {
        return 0;
    }
    last = dsapi_route_cache_stale(cache, &ask->ask, pool);
    if (!last) {
        return 0;
    }
    atomic_store(&last->notes->failed_at, apr_time_now());
    use_last(pgot, last, ask, pool);
    pgot->instead = 1;
    return 1;
}

/* One turn: as dsapi_series_get. @return APR_EAGAIN: somebody else makes it,
 * and there is none that may be given instead */
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
        rv = lead(pgot, perr, cache, ask, duty, pool);
        break;
    case DSAPI_CACHE_FAILED:
        rv = (*perr)->rv;
        break;
    case DSAPI_CACHE_WAITED:
        rv = follow(pgot, perr, cache, ask, pool);
        break;
    }
    if (make_do(pgot, cache, ask, rv, pool)) {
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
    apr_status_t rv;

    at_once.ask.wait = 0;
    rv = get(pgot, perr, cache, &at_once, pool);
    return rv == APR_EAGAIN ? get(pgot, perr, cache, ask, pool) : rv;
}

apr_status_t dsapi_series_load(dsapi_err_t **perr, dsapi_series_load_t *load)
{
    dsapi_series_got_t got;
    apr_status_t rv;

    *perr = NULL;
    rv = make(&got, perr, &load->ask, load->duty, load->pool);
    make_do(&got, load->cache, &load->ask, rv, load->pool);
    return rv;
}
