/* Admission to a pool of connections: see gate.h. */
#include "db/gate.h"

#include <apr_ring.h>
#include <apr_thread_cond.h>
#include <apr_thread_mutex.h>

/* While the database is away, somebody tries it so often: first, as long as
 * others wait for it, then. */
#define TRY_SOON  apr_time_from_msec(50)
#define TRY_LATER apr_time_from_sec(1)

/* How long a pool is taken for full where the database has refused it one more
 * connection than it has. */
#define FULL apr_time_from_sec(1)

/* Who waits for longer than this is next. */
#define FAIR_AFTER apr_time_from_msec(2)

/* A thread at the gate. It outlives the wait, for the next thread, so that
 * whoever signals need not hold the mutex, which the other wants at once. A
 * signal that comes too late only makes somebody look again. */
typedef struct waiter_t {
    APR_RING_ENTRY(waiter_t) link; /* of the queue, or of those not in use */
    apr_thread_cond_t *wake;
    apr_time_t since;
    int queued;
    int admitted; /* a place was kept for it */
} waiter_t;

APR_RING_HEAD(queue_t, waiter_t);

struct dsapi_gate_t {
    apr_pool_t *pool; /* its own; the rest is under the mutex, too */
    apr_thread_mutex_t *mutex;
    struct queue_t queue;     /* the first has waited longest */
    struct queue_t spare;     /* waiters that nobody is */
    apr_thread_cond_t *ended; /* for who is in, and wants to stream */
    int max;
    int max_streams;
    int in_use;            /* streams included */
    int streaming;         /* max_streams at most */
    apr_time_t down_since; /* the database cannot be reached; 0: it can */
    apr_time_t try_at;     /* then, by one */
    int trying;            /* who has been let in for it */
    int room;              /* this many connections the database allows us */
    apr_time_t room_until; /* as far as we know */
};

dsapi_gate_t *dsapi_gate_make(int max, int streams, apr_pool_t *pool)
{
    dsapi_gate_t *gate = apr_pcalloc(pool, sizeof(*gate));
    int most = max > 1 ? max - 1 : 1;

    apr_pool_create(&gate->pool, pool);
    apr_pool_tag(gate->pool, "dsapi_gate");
    apr_thread_mutex_create(&gate->mutex, APR_THREAD_MUTEX_DEFAULT, gate->pool);
    apr_thread_cond_create(&gate->ended, gate->pool);
    APR_RING_INIT(&gate->queue, waiter_t, link);
    APR_RING_INIT(&gate->spare, waiter_t, link);
    gate->max = max;
    gate->max_streams = streams < most ? streams : most;
    return gate;
}

static waiter_t *become_waiter(dsapi_gate_t *gate, apr_time_t now)
{
    waiter_t *me = APR_RING_FIRST(&gate->spare);

    if (me == APR_RING_SENTINEL(&gate->spare, waiter_t, link)) {
        me = apr_palloc(gate->pool, sizeof(*me)); /* as many as threads */
        apr_thread_cond_create(&me->wake, gate->pool);
    }
    else {
        APR_RING_REMOVE(me, link);
    }
    me->since = now;
    me->queued = me->admitted = 0;
    return me;
}

static apr_time_t sooner(apr_time_t a, apr_time_t b)
{
    return a < b ? a : b;
}

/* @return 1: it has entered */
static int enter_now(dsapi_gate_t *gate, apr_time_t now)
{
    int max = now < gate->room_until ? gate->room : gate->max;

    if (gate->in_use >= max ||
        (gate->down_since && (gate->trying || now < gate->try_at))) {
        return 0;
    }
    gate->in_use++;
    gate->trying = gate->down_since != 0;
    return 1;
}

/* Waits until somebody leaves, or what is known of the database has changed. */
static void wait_turn(dsapi_gate_t *gate, waiter_t *me, apr_time_t now,
                      apr_time_t last)
{
    if (!me->queued) { /* it is new, or was woken while another was quicker */
        if (me->since == now) {
            APR_RING_INSERT_TAIL(&gate->queue, me, waiter_t, link);
        }
        else {
            APR_RING_INSERT_HEAD(&gate->queue, me, waiter_t, link);
        }
        me->queued = 1;
    }
    if (gate->down_since && gate->try_at > now) {
        last = sooner(last, gate->try_at);
    }
    if (gate->room_until > now) {
        last = sooner(last, gate->room_until);
    }
    apr_thread_cond_broadcast(gate->ended); /* it is no time for streams */
    apr_thread_cond_timedwait(me->wake, gate->mutex, last - now);
}

/* As dsapi_gate_enter; the gate is locked. */
static apr_status_t await_place(dsapi_gate_t *gate, apr_time_t until,
                                apr_interval_time_t may_be_away)
{
    apr_time_t now = apr_time_now();
    waiter_t *me = become_waiter(gate, now);
    apr_status_t rv = APR_EINPROGRESS;

    while (rv == APR_EINPROGRESS) {
        apr_time_t down = gate->down_since;
        apr_time_t last = down ? sooner(until, down + may_be_away) : until;

        if (me->admitted || enter_now(gate, now)) {
            rv = APR_SUCCESS;
        }
        else if (now >= last) {
            rv = down ? DSAPI_EDBDOWN : DSAPI_EBUSY;
        }
        else {
            wait_turn(gate, me, now, last);
            now = apr_time_now();
        }
    }
    if (me->queued) {
        APR_RING_REMOVE(me, link);
    }
    APR_RING_INSERT_HEAD(&gate->spare, me, waiter_t, link);
    return rv;
}

apr_status_t dsapi_gate_enter(dsapi_gate_t *gate, apr_time_t until,
                              apr_interval_time_t may_be_away)
{
    apr_status_t rv = APR_SUCCESS;

    apr_thread_mutex_lock(gate->mutex);
    if (!enter_now(gate, apr_time_now())) {
        rv = await_place(gate, until, may_be_away);
    }
    apr_thread_mutex_unlock(gate->mutex);
    return rv;
}

void dsapi_gate_join(dsapi_gate_t *gate)
{
    apr_thread_mutex_lock(gate->mutex);
    gate->in_use++;
    apr_thread_mutex_unlock(gate->mutex);
}

/* The database could not be reached: it is away, or it has no room for more
 * connections than those that others have just now. */
static void note_failure(dsapi_gate_t *gate, apr_interval_time_t may_be_away)
{
    apr_time_t now = apr_time_now();

    if (gate->in_use > 0 && !gate->down_since) {
        gate->room = gate->in_use;
        gate->room_until = now + FULL;
        return;
    }
    if (!gate->down_since) {
        gate->down_since = now;
    }
    gate->try_at =
        now + (now < gate->down_since + may_be_away ? TRY_SOON : TRY_LATER);
}

/* Who waits longest is to be woken, and has a place if its time has come.
 * @return what to signal, once the mutex is free; NULL: nobody waits */
static apr_thread_cond_t *next_waiter(dsapi_gate_t *gate)
{
    waiter_t *first = APR_RING_FIRST(&gate->queue);

    if (first == APR_RING_SENTINEL(&gate->queue, waiter_t, link)) {
        return NULL;
    }
    APR_RING_REMOVE(first, link);
    first->queued = 0;
    first->admitted = apr_time_now() - first->since > FAIR_AFTER &&
                      enter_now(gate, apr_time_now());
    return first->wake;
}

static void wake_all(dsapi_gate_t *gate)
{
    for (waiter_t *w = APR_RING_FIRST(&gate->queue);
         w != APR_RING_SENTINEL(&gate->queue, waiter_t, link);
         w = APR_RING_NEXT(w, link)) {
        apr_thread_cond_signal(w->wake);
    }
}

void dsapi_gate_leave(dsapi_gate_t *gate, dsapi_gate_end_e end,
                      apr_interval_time_t may_be_away)
{
    apr_thread_cond_t *next = NULL;
    int was_down;

    apr_thread_mutex_lock(gate->mutex);
    was_down = gate->down_since != 0;
    gate->in_use--;
    gate->trying = 0;
    if (end == DSAPI_GATE_SERVED) {
        gate->down_since = 0;
    }
    else if (end == DSAPI_GATE_REFUSED) {
        note_failure(gate, may_be_away);
    }
    if (was_down || gate->down_since) {
        wake_all(gate);
    }
    else {
        next = next_waiter(gate);
    }
    apr_thread_mutex_unlock(gate->mutex);
    if (next) {
        apr_thread_cond_signal(next);
    }
}

apr_status_t dsapi_gate_stream(dsapi_gate_t *gate, apr_time_t until)
{
    apr_time_t now = apr_time_now();
    apr_status_t rv = DSAPI_EBUSY;

    if (gate->max_streams == 0) {
        return DSAPI_EINTERNAL;
    }
    apr_thread_mutex_lock(gate->mutex);
    while (gate->streaming >= gate->max_streams && now < until &&
           APR_RING_EMPTY(&gate->queue, waiter_t, link)) {
        apr_thread_cond_timedwait(gate->ended, gate->mutex, until - now);
        now = apr_time_now();
    }
    if (gate->streaming < gate->max_streams) {
        gate->streaming++;
        gate->trying = 0; /* not for as long as the client reads */
        gate->down_since = 0;
        wake_all(gate);
        rv = APR_SUCCESS;
    }
    apr_thread_mutex_unlock(gate->mutex);
    return rv;
}

void dsapi_gate_leave_stream(dsapi_gate_t *gate)
{
    apr_thread_cond_t *next;

    apr_thread_mutex_lock(gate->mutex);
    gate->in_use--;
    gate->streaming--;
    next = next_waiter(gate);
    apr_thread_cond_broadcast(gate->ended);
    apr_thread_mutex_unlock(gate->mutex);
    if (next) {
        apr_thread_cond_signal(next);
    }
}
