/* series/threads: each thing in a thread of its own, a few at once. */
#include "series/threads.h"

#include <apr_errno.h>
#include <apr_thread_proc.h>
#include <stdatomic.h>
#include <sys/resource.h>

#include "unit/unit.h"

/* What threads of a test do. */
typedef struct work_t {
    _Atomic int begun;
    _Atomic int go; /* 0: they wait */
    _Atomic int done;
} work_t;

static void work(void *baton)
{
    work_t *it = baton;

    atomic_fetch_add(&it->begun, 1);
    while (!atomic_load(&it->go)) {
        apr_thread_yield();
    }
    atomic_fetch_add(&it->done, 1);
}

START_TEST(there_are_a_few_at_once)
{
    dsapi_series_threads_t *threads = dsapi_series_threads_make(2, g_pool);
    work_t it = {0};

    ck_assert_int_eq(dsapi_series_threads_run(threads, work, &it), APR_SUCCESS);
    ck_assert_int_eq(dsapi_series_threads_run(threads, work, &it), APR_SUCCESS);
    ck_assert_int_eq(dsapi_series_threads_run(threads, work, &it), APR_EAGAIN);
    while (atomic_load(&it.begun) < 2) { /* both at once */
        apr_thread_yield();
    }
    atomic_store(&it.go, 1);
    for (int i = 0; i < 50; i++) { /* as one is done, there is one more */
        while (dsapi_series_threads_run(threads, work, &it) == APR_EAGAIN) {
            apr_thread_yield();
        }
    }
    while (atomic_load(&it.done) < 52) {
        apr_thread_yield();
    }
    ck_assert_int_eq(it.begun, 52);
}
END_TEST

/* Sanitizers need memory of their own. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define MEMORY_CAN_BE_LIMITED 0
#else
#define MEMORY_CAN_BE_LIMITED 1
#endif

START_TEST(where_the_system_has_no_thread_nothing_is_taken)
{
    enum {
        ROOM = 100000,
        TIMES = 10000 /* a few dozen bytes each would not fit */
    };

    dsapi_series_threads_t *threads = dsapi_series_threads_make(1, g_pool);
    work_t it = {.go = 1};
    struct rlimit before;
    struct rlimit none;
    int failed = 0;

    if (!MEMORY_CAN_BE_LIMITED) {
        return;
    }
    free(memset(malloc(ROOM), 1, ROOM)); /* that much may still be had */
    getrlimit(RLIMIT_AS, &before);
    none = (struct rlimit){0, before.rlim_max};
    ck_assert_int_eq(setrlimit(RLIMIT_AS, &none), 0);
    for (int i = 0; i < TIMES; i++) {
        failed += dsapi_series_threads_run(threads, work, &it) != APR_SUCCESS;
    }
    setrlimit(RLIMIT_AS, &before);
    ck_assert_int_eq(failed, TIMES);
    ck_assert_int_eq(dsapi_series_threads_run(threads, work, &it), APR_SUCCESS);
    while (!atomic_load(&it.done)) {
        apr_thread_yield();
    }
}
END_TEST

static void *APR_THREAD_FUNC let_go(apr_thread_t *thread, void *baton)
{
    work_t *it = baton;

    (void)thread;
    while (!atomic_load(&it->begun)) {
        apr_thread_yield();
    }
    atomic_store(&it->go, 1);
    return NULL;
}

typedef struct ending_t {
    dsapi_series_threads_t *threads;
    work_t work;
    int done; /* by the sub-pool's end */
    apr_status_t late;
} ending_t;

/* Of a sub-pool, which what is done may need until its end. */
static apr_status_t note_end(void *baton)
{
    ending_t *ending = baton;

    ending->done = atomic_load(&ending->work.done);
    ending->late =
        dsapi_series_threads_run(ending->threads, work, &ending->work);
    return APR_SUCCESS;
}

START_TEST(the_end_of_the_pool_waits_for_them)
{
    ending_t ending = {.done = 0};
    apr_thread_t *other;
    apr_pool_t *child;
    apr_pool_t *pool;
    apr_status_t rv;

    apr_pool_create(&pool, g_pool);
    apr_pool_create(&child, pool);
    apr_pool_cleanup_register(child, &ending, note_end, apr_pool_cleanup_null);
    ending.threads = dsapi_series_threads_make(3, pool);
    dsapi_series_threads_run(ending.threads, work, &ending.work);
    apr_thread_create(&other, NULL, let_go, &ending.work, g_scratch);
    apr_pool_destroy(pool);
    apr_thread_join(&rv, other);
    ck_assert_int_eq(ending.done, 1);
    ck_assert_int_eq(ending.late, APR_EAGAIN); /* it begins nothing more */
    ck_assert_int_eq(ending.work.begun, 1);
}
END_TEST

UNIT_SUITE(series_threads, there_are_a_few_at_once,
           where_the_system_has_no_thread_nothing_is_taken,
           the_end_of_the_pool_waits_for_them)
