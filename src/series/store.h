/*
 * Where series are kept: in the cache of answers, whose bound, order of use,
 * single flight and stamps are theirs, too. An image is an entry: one that was
 * replaced or dropped goes when its last reader does.
 *
 * A reader gets the image of the newest versions that are known, or makes it.
 * As long as the one before is but a moment old, a reader that may is given
 * that: while another makes the new one, or while a thread does to which the
 * reader itself has given the load. Where none can be made, it gets the last
 * one.
 */
#ifndef DSAPI_SERIES_STORE_H
#define DSAPI_SERIES_STORE_H

#include "route/cache.h"
#include "series/columns.h"

/** How long behind a change the image before it is still given, where that may
 *  be: what is left of a second when the change is known. */
#define DSAPI_SERIES_GRACE APR_TIME_C(700000)

/** For how long nobody tries again where a load has failed, and there is an
 *  image to be given instead. */
#define DSAPI_SERIES_REST apr_time_from_sec(2)

/** For how long an image is good whose versions nobody knows. */
#define DSAPI_SERIES_LIFE apr_time_from_sec(60)

typedef struct dsapi_series_load_t dsapi_series_load_t;

/** Which series is wanted, and how it is made. */
typedef struct dsapi_series_ask_t {
    dsapi_cache_ask_t ask;     /* its stamp: of the versions, read before; the
                                  one before: of the image that may still be
                                  given; its wait: above 0 */
    int waits;                 /* 1: never give the image before */
    apr_interval_time_t stale; /* so long behind its life an image may be given
                                  where none can be made */

    /**
     * Make the image.
     * @param pimage  out: good for as long as the pool of the call
     * @param perr    out: why not, in that pool
     */
    apr_status_t (*load)(const char **pimage, apr_size_t *pbytes,
                         dsapi_err_t **perr, void *baton);
    void *baton;

    /**
     * Give a load to another thread; NULL: there is none for that.
     * @param load  its ask.baton, which is that of the call, has to be replaced
     *              by one that lives in its pool
     * @return APR_SUCCESS: that thread has it, and calls dsapi_series_load;
     *         else: it is the caller's still, who loads before it answers
     */
    apr_status_t (*later)(dsapi_series_load_t *load);
} dsapi_series_ask_t;

/** A load of its own: in one thread at a time. */
struct dsapi_series_load_t {
    dsapi_series_ask_t ask;
    dsapi_cache_t *cache;
    dsapi_cache_lead_t *duty;
    apr_pool_t *pool; /* owns all of it; nobody's sub-pool */
};

/** What was got. */
typedef struct dsapi_series_got_t {
    const dsapi_columns_t *columns; /* good as long as the pool of the call */
    apr_size_t bytes;
    apr_time_t as_of; /* when it was right for certain */
    apr_uint64_t stamp;
    int instead; /* it is given in the place of one that can't be made */
} dsapi_series_got_t;

/**
 * Get a series. Any thread. May block: for the load, or for that of another
 * for at most ask->ask.wait; not where there is an image that may be given.
 * @param pgot  out: undefined on error
 * @param perr  out: in pool; NULL on success
 * @param pool  the request's
 * @return APR_SUCCESS; what load has returned, to this caller or to the one
 *         that it waited for; DSAPI_EBUSY: the wait is over, and there is no
 *         image to be given instead
 */
apr_status_t dsapi_series_get(dsapi_series_got_t *pgot, dsapi_err_t **perr,
                              dsapi_cache_t *cache,
                              const dsapi_series_ask_t *ask, apr_pool_t *pool);

/**
 * Do a load that was given away. May block.
 * @param perr  out: in its pool; NULL on success
 * @param load  the caller destroys its pool behind this
 * @return what ask.load has returned; all who wait for it have that, too
 */
apr_status_t dsapi_series_load(dsapi_err_t **perr, dsapi_series_load_t *load);

#endif
