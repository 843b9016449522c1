/* src/db/gate.c: who gets in, in which order, and how long the others wait. */
#include "db/gate.h"

#include <apr_thread_proc.h>
#include <stdatomic.h>

#include "unit/unit.h"

#define PATIENCE apr_time_from_sec(20)
#define LONG     apr_time_from_sec(60)

/** A thread that wants to enter. */
typedef struct guest_t {
    dsapi_gate_t *gate;
    apr_interval_time_t wait;
    apr_interval_time_t may_be_away;
    atomic_int ended;
    apr_status_t rv;
    apr_thread_t *thread;
} guest_t;

static void *APR_THREAD_FUNC come(apr_thread_t *thread, void *data)
{
    guest_t *guest = data;

    (void)thread;
    guest->rv = dsapi_gate_enter(guest->gate, apr_time_now() + guest->wait,
                                 guest->may_be_away);
    atomic_store(&guest->ended, 1);
    return NULL;
}

static guest_t *invite(dsapi_gate_t *gate, apr_interval_time_t wait,
                       apr_interval_time_t may_be_away)
{
    guest_t *guest = apr_pcalloc(g_pool, sizeof(*guest));

    guest->gate = gate;
    guest->wait = wait;
    guest->may_be_away = may_be_away;
    ck_assert_int_eq(
        apr_thread_create(&guest->thread, NULL, come, guest, g_pool),
        APR_SUCCESS);
    return guest;
}

static apr_status_t result_of(const guest_t *guest)
{
    apr_status_t rv;

    apr_thread_join(&rv, guest->thread);
    return guest->rv;
}

static apr_status_t enter(dsapi_gate_t *gate, apr_interval_time_t wait,
                          apr_interval_time_t may_be_away)
{
    return dsapi_gate_enter(gate, apr_time_now() + wait, may_be_away);
}

static void leave(dsapi_gate_t *gate, dsapi_gate_end_e end)
{
    dsapi_gate_leave(gate, end, LONG);
}

/** Longer than it takes to be next. */
static void let_it_wait(void)
{
    apr_sleep(apr_time_from_msec(50));
}

START_TEST(there_are_so_many_places)
{
    dsapi_gate_t *gate = dsapi_gate_make(2, 0, g_pool);

    ck_assert_int_eq(enter(gate, 0, LONG), APR_SUCCESS);
    ck_assert_int_eq(enter(gate, 0, LONG), APR_SUCCESS);
    ck_assert_int_eq(enter(gate, 0, LONG), DSAPI_EBUSY);
    ck_assert_int_eq(enter(gate, 20000, LONG), DSAPI_EBUSY);
    leave(gate, DSAPI_GATE_SERVED);
    ck_assert_int_eq(enter(gate, 0, LONG), APR_SUCCESS);
    leave(gate, DSAPI_GATE_LOST); /* says nothing */
    ck_assert_int_eq(enter(gate, 0, LONG), APR_SUCCESS);
    dsapi_gate_join(gate); /* a third one */
    leave(gate, DSAPI_GATE_SERVED);
    ck_assert_int_eq(enter(gate, 0, LONG), DSAPI_EBUSY);
}
END_TEST

START_TEST(who_waits_is_next)
{
    dsapi_gate_t *gate = dsapi_gate_make(1, 0, g_pool);

    for (int i = 0; i < 20; i++) {
        guest_t *guest;

        ck_assert_int_eq(enter(gate, 0, LONG), APR_SUCCESS);
        guest = invite(gate, LONG, LONG);
        let_it_wait();
        leave(gate, DSAPI_GATE_SERVED);
        /* the place is its already, whether it runs yet or not */
        ck_assert_int_eq(enter(gate, 0, LONG), DSAPI_EBUSY);
        ck_assert_int_eq(result_of(guest), APR_SUCCESS);
        leave(gate, DSAPI_GATE_SERVED);
    }
}
END_TEST

START_TEST(all_that_wait_get_in)
{
    dsapi_gate_t *gate = dsapi_gate_make(3, 0, g_pool);
    guest_t *guests[30];

    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(enter(gate, 0, LONG), APR_SUCCESS);
    }
    for (int i = 0; i < 30; i++) {
        guests[i] = invite(gate, LONG, LONG);
    }
    for (int i = 0; i < 30; i++) { /* who is in leaves for one more */
        leave(gate, DSAPI_GATE_SERVED);
    }
    for (int i = 0; i < 30; i++) {
        ck_assert_int_eq(result_of(guests[i]), APR_SUCCESS);
    }
    ck_assert_int_eq(enter(gate, 0, LONG), DSAPI_EBUSY);
}
END_TEST

START_TEST(one_at_a_time_tries_a_database_that_is_away)
{
    dsapi_gate_t *gate = dsapi_gate_make(4, 0, g_pool);
    guest_t *guest;

    ck_assert_int_eq(enter(gate, 0, LONG), APR_SUCCESS);
    leave(gate, DSAPI_GATE_REFUSED);
    ck_assert_int_eq(enter(gate, LONG, 0), DSAPI_EDBDOWN); /* not so soon */
    ck_assert_int_eq(enter(gate, PATIENCE, LONG), APR_SUCCESS);
    guest = invite(gate, LONG, LONG);
    let_it_wait();
    ck_assert_int_eq(enter(gate, 0, LONG), DSAPI_EDBDOWN);
    ck_assert(!atomic_load(&guest->ended));
    leave(gate, DSAPI_GATE_SERVED); /* it is back */
    ck_assert_int_eq(result_of(guest), APR_SUCCESS);
    ck_assert_int_eq(enter(gate, 0, LONG), APR_SUCCESS);
}
END_TEST

START_TEST(nobody_waits_for_one_that_is_away_for_long)
{
    dsapi_gate_t *gate = dsapi_gate_make(1, 0, g_pool);
    guest_t *guest;

    ck_assert_int_eq(enter(gate, 0, 20000), APR_SUCCESS);
    guest = invite(gate, LONG, 20000);
    let_it_wait();
    dsapi_gate_leave(gate, DSAPI_GATE_REFUSED, 20000);
    ck_assert_int_eq(result_of(guest), DSAPI_EDBDOWN);
    ck_assert_int_eq(enter(gate, LONG, 20000), DSAPI_EDBDOWN);
}
END_TEST

START_TEST(a_full_database_has_fewer_places_for_a_while)
{
    dsapi_gate_t *gate = dsapi_gate_make(4, 0, g_pool);

    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(enter(gate, 0, LONG), APR_SUCCESS);
    }
    leave(gate, DSAPI_GATE_REFUSED); /* two have theirs */
    ck_assert_int_eq(enter(gate, 0, LONG), DSAPI_EBUSY);
    leave(gate, DSAPI_GATE_SERVED);
    ck_assert_int_eq(enter(gate, 0, LONG), APR_SUCCESS);
    ck_assert_int_eq(enter(gate, 0, LONG), DSAPI_EBUSY);
    ck_assert_int_eq(enter(gate, PATIENCE, LONG), APR_SUCCESS); /* and then */
    ck_assert_int_eq(enter(gate, 0, LONG), APR_SUCCESS);
    ck_assert_int_eq(enter(gate, 0, LONG), DSAPI_EBUSY);
}
END_TEST

START_TEST(streams_leave_a_place)
{
    dsapi_gate_t *gate = dsapi_gate_make(3, 9, g_pool);

    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(enter(gate, 0, LONG), APR_SUCCESS);
    }
    ck_assert_int_eq(dsapi_gate_stream(gate, 0), APR_SUCCESS);
    ck_assert_int_eq(dsapi_gate_stream(gate, 0), APR_SUCCESS);
    ck_assert_int_eq(dsapi_gate_stream(gate, 0), DSAPI_EBUSY);
    leave(gate, DSAPI_GATE_SERVED);
    ck_assert_int_eq(enter(gate, 0, LONG), APR_SUCCESS);
    ck_assert_int_eq(enter(gate, 0, LONG), DSAPI_EBUSY);
    dsapi_gate_leave_stream(gate);
    ck_assert_int_eq(enter(gate, 0, LONG), APR_SUCCESS);
    ck_assert_int_eq(dsapi_gate_stream(gate, 0), APR_SUCCESS);
}
END_TEST

START_TEST(a_gate_of_one_and_a_gate_without_streams)
{
    dsapi_gate_t *one = dsapi_gate_make(1, 2, g_pool);
    dsapi_gate_t *none = dsapi_gate_make(2, 0, g_pool);

    ck_assert_int_eq(enter(one, 0, LONG), APR_SUCCESS);
    ck_assert_int_eq(dsapi_gate_stream(one, 0), APR_SUCCESS);
    dsapi_gate_leave_stream(one);
    ck_assert_int_eq(enter(one, 0, LONG), APR_SUCCESS);
    ck_assert_int_eq(enter(none, 0, LONG), APR_SUCCESS);
    ck_assert_int_eq(dsapi_gate_stream(none, 0), DSAPI_EINTERNAL);
}
END_TEST

START_TEST(no_stream_waits_while_somebody_waits_for_a_place)
{
    dsapi_gate_t *gate = dsapi_gate_make(2, 1, g_pool);
    guest_t *guest;

    ck_assert_int_eq(enter(gate, 0, LONG), APR_SUCCESS);
    ck_assert_int_eq(enter(gate, 0, LONG), APR_SUCCESS);
    ck_assert_int_eq(dsapi_gate_stream(gate, 0), APR_SUCCESS);
    guest = invite(gate, LONG, LONG);
    /* comes back as soon as the guest waits, long before its time */
    ck_assert_int_eq(dsapi_gate_stream(gate, apr_time_now() + LONG),
                     DSAPI_EBUSY);
    leave(gate, DSAPI_GATE_SERVED);
    ck_assert_int_eq(result_of(guest), APR_SUCCESS);
}
END_TEST

UNIT_SUITE(db_gate, there_are_so_many_places, who_waits_is_next,
           all_that_wait_get_in, one_at_a_time_tries_a_database_that_is_away,
           nobody_waits_for_one_that_is_away_for_long,
           a_full_database_has_fewer_places_for_a_while, streams_leave_a_place,
           a_gate_of_one_and_a_gate_without_streams,
           no_stream_waits_while_somebody_waits_for_a_place)
