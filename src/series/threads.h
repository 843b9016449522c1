/*
 * Threads in which series are loaded: a few, each for one load. A thread is
 * made when there is a load for it, and has ended when the pool does.
 */
#ifndef DSAPI_SERIES_THREADS_H
#define DSAPI_SERIES_THREADS_H

#include <apr_pools.h>

typedef struct dsapi_series_threads_t dsapi_series_threads_t;

/**
 * @param max   how many there may be at once; 1 at least
 * @param pool  its end waits for those that there are, before the cleanups and
 *              the sub-pools of it
 * @return for any thread; NULL: no lock was had
 */
dsapi_series_threads_t *dsapi_series_threads_make(int max, apr_pool_t *pool);

/**
 * Have something done in a thread of its own. Any thread; never blocks for
 * what another does.
 * @param fn  called once, perhaps before this has returned
 * @return APR_SUCCESS; APR_EAGAIN: there are as many as may be, or they come to
 *         their end; what apr_thread_create has returned. fn is not called then
 */
apr_status_t dsapi_series_threads_run(dsapi_series_threads_t *threads,
                                      void (*fn)(void *baton), void *baton);

#endif
