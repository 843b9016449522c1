/*
 * Threads for loads: see threads.h.
 *
 * APR-util's thread pool would keep what it has no thread for and report an
 * error all the same, and at its end it does not join its threads, which may
 * be on their way out while their memory is freed. Next to a query a thread
 * of its own costs nothing.
 */
#include "series/threads.h"

#include <apr_errno.h>
#include <apr_thread_mutex.h>
#include <apr_thread_proc.h>
#include <stdatomic.h>

/* A place for a thread. */
typedef struct place_t {
    apr_thread_t *thread; /* to be joined; NULL: none */
    apr_pool_t *pool;     /* of the thread; cleared when it was joined */
    atomic_int busy;      /* 0: fn has returned */
    void (*fn)(void *baton);
    void *baton;
} place_t;

struct dsapi_series_threads_t {
    apr_thread_mutex_t *mutex; /* of all but busy */
    place_t *places;
    int nplaces;
    int ending;
};

static void *APR_THREAD_FUNC run(apr_thread_t *thread, void *baton)
{
    place_t *place = baton;

    (void)thread;
    place->fn(place->baton);
    atomic_store(&place->busy, 0);
    return NULL;
}

static void join(place_t *place)
{
    apr_status_t rv;

    if (place->thread) {
        apr_thread_join(&rv, place->thread);
        place->thread = NULL;
        apr_pool_clear(place->pool);
    }
}

/* Before the pool ends. */
static apr_status_t end(void *baton)
{
    dsapi_series_threads_t *threads = baton;

    apr_thread_mutex_lock(threads->mutex);
    threads->ending = 1;
    apr_thread_mutex_unlock(threads->mutex);
    for (int i = 0; i < threads->nplaces; i++) {
        join(&threads->places[i]);
    }
    return APR_SUCCESS;
}

dsapi_series_threads_t *dsapi_series_threads_make(int max, apr_pool_t *pool)
{
    dsapi_series_threads_t *threads = apr_pcalloc(pool, sizeof(*threads));

    if (apr_thread_mutex_create(&threads->mutex, APR_THREAD_MUTEX_DEFAULT,
                                pool)) {
        return NULL;
    }
    threads->places =
        apr_pcalloc(pool, sizeof(*threads->places) * (apr_size_t)max);
    threads->nplaces = max;
    for (int i = 0; i < max; i++) {
        apr_pool_create(&threads->places[i].pool, pool);
        apr_pool_tag(threads->places[i].pool, "dsapi_series_thread");
    }
    apr_pool_pre_cleanup_register(pool, threads, end);
    return threads;
}

/* Under the mutex. @return a place, without a thread; NULL: there is none */
static place_t *free_place(dsapi_series_threads_t *threads)
{
    for (int i = 0; i < threads->nplaces && !threads->ending; i++) {
        if (!atomic_load(&threads->places[i].busy)) {
            join(&threads->places[i]); /* it has nothing left to do */
            return &threads->places[i];
        }
    }
    return NULL;
}

apr_status_t dsapi_series_threads_run(dsapi_series_threads_t *threads,
                                      void (*fn)(void *baton), void *baton)
{
    apr_status_t rv = APR_EAGAIN;
    place_t *place;

    apr_thread_mutex_lock(threads->mutex);
    place = free_place(threads);
    if (place) {
        place->fn = fn;
        place->baton = baton;
        atomic_store(&place->busy, 1);
        rv = apr_thread_create(&place->thread, NULL, run, place, place->pool);
        if (rv != APR_SUCCESS) {
            place->thread = NULL;
            apr_pool_clear(place->pool);
            atomic_store(&place->busy, 0);
        }
    }
    apr_thread_mutex_unlock(threads->mutex);
    return rv;
}
