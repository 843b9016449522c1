/* limit/gcra: quotas. */
#include "limit/gcra.h"

#include "unit/unit.h"

#define S(n)   ((n)*DSAPI_NS_PER_S)
#define NOW    S(APR_INT64_C(1790000000))
#define TRIES  600
#define ROUNDS 60
#define TRIED  36000 /* in all */

static const dsapi_quota_t per_min = {S(1), 60};

/* so many of n, one after another at the same moment */
static int taken_of(int n, apr_int64_t *ptat, const dsapi_quota_t *quota,
                    apr_int64_t now)
{
    int taken = 0;

    for (int i = 0; i < n; i++) {
        taken += dsapi_gcra_take(ptat, *ptat, quota, 1, now);
    }
    return taken;
}

START_TEST(rates)
{
    static const struct {
        const char *text;
        apr_int64_t unit_ns;
        apr_int64_t burst;
    } good[] = {{"60/min", S(1), 60},        {"1/s", S(1), 1},
                {"7/s", 142857143, 7}, /* rounded up */
                {"3/h", S(1200), 3},         {"1/d", S(86400), 1},
                {"100000/s", 10000, 100000}, {"1000000/min", 60000, 1000000}};
    static const char *const bad[] = {
        "",      "60",     "60/",     "/min",      "60 /min",      "60/min ",
        "0/min", "-1/min", "1.5/s",   "60/m",      "60/minute",    "60/ms",
        "60/S",  "x/min",  "1/s/s",   "1/5s",      "+5/s",         "5/s\n",
        "/",     "60min",  "60//min", "1000001/d", "99999999999/d"};
    dsapi_quota_t quota;

    for (apr_size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        ck_assert_int_eq(dsapi_gcra_parse_rate(&quota, good[i].text),
                         APR_SUCCESS);
        ck_assert_int_eq(quota.unit_ns, good[i].unit_ns);
        ck_assert_int_eq(quota.burst, good[i].burst);
    }
    quota = per_min;
    for (apr_size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        ck_assert_msg(dsapi_gcra_parse_rate(&quota, bad[i]) == DSAPI_ESYNTAX,
                      "%s", bad[i]);
    }
    ck_assert_int_eq(dsapi_gcra_parse_rate(&quota, "100001/s"), DSAPI_ETOOBIG);
    ck_assert_int_eq(quota.unit_ns, S(1)); /* untouched */
    ck_assert_int_eq(dsapi_gcra_span(&per_min), S(60));
}
END_TEST

START_TEST(a_burst_and_then_one_at_a_time)
{
    apr_int64_t tat = 0;

    ck_assert_int_eq(taken_of(100, &tat, &per_min, NOW), 60);
    ck_assert_int_eq(taken_of(5, &tat, &per_min, NOW + S(1) - 1), 0);
    ck_assert_int_eq(taken_of(5, &tat, &per_min, NOW + S(1)), 1);
    ck_assert_int_eq(taken_of(5, &tat, &per_min, NOW + S(3)), 2);
    /* what nobody uses does not add up */
    ck_assert_int_eq(taken_of(200, &tat, &per_min, NOW + S(9999)), 60);
}
END_TEST

START_TEST(a_refusal_costs_nothing)
{
    apr_int64_t tat = 0;
    apr_int64_t next;

    taken_of(60, &tat, &per_min, NOW);
    for (int i = 0; i < 1000; i++) {
        ck_assert_int_eq(
            dsapi_gcra_take(&next, tat, &per_min, 1, NOW + S(1) - 1), 0);
        ck_assert(next == tat);
    }
    ck_assert_int_eq(dsapi_gcra_take(&next, tat, &per_min, 1, NOW + S(1)), 1);
}
END_TEST

START_TEST(costs)
{
    apr_int64_t tat = 0;

    ck_assert_int_eq(dsapi_gcra_take(&tat, tat, &per_min, 60, NOW), 1);
    ck_assert_int_eq(dsapi_gcra_take(&tat, tat, &per_min, 5, NOW + S(4)), 0);
    ck_assert_int_eq(dsapi_gcra_take(&tat, tat, &per_min, 4, NOW + S(4)), 1);
    ck_assert_int_eq(dsapi_gcra_take(&tat, tat, &per_min, 1, NOW + S(4)), 0);
}
END_TEST

START_TEST(what_a_client_is_told)
{
    static const struct {
        apr_int64_t tat;
        apr_int64_t cost;
        apr_int64_t remaining;
        apr_int64_t next_s;
        apr_int64_t retry_s;
    } rows[] = {{0, 1, 60, 0, 0},
                {NOW - 5, 60, 60, 0, 0},
                {NOW + 1, 1, 59, 1, 0},
                {NOW + S(1), 1, 59, 1, 0},
                {NOW + S(1) + 1, 1, 58, 1, 0},
                {NOW + S(60), 1, 0, 1, 1},
                {NOW + S(60), 5, 0, 1, 5},
                {NOW + S(59) + 1, 1, 0, 1, 1},
                {NOW + S(61), 1, 0, 2, 2}, /* of another's clock */
                {NOW + S(9000), 1, 0, 1, 1}};
    static const dsapi_quota_t daily = {S(43200), 2};
    dsapi_quota_state_t state;

    for (apr_size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        dsapi_gcra_state(&state, rows[i].tat, &per_min, rows[i].cost, NOW);
        ck_assert_int_eq(state.remaining, rows[i].remaining);
        ck_assert_int_eq(state.next_s, rows[i].next_s);
        ck_assert_int_eq(state.retry_s, rows[i].retry_s);
    }
    dsapi_gcra_state(&state, NOW + S(86400) - 1, &daily, 1, NOW);
    ck_assert_int_eq(state.remaining, 0);
    ck_assert_int_eq(state.retry_s, 43200);
}
END_TEST

START_TEST(a_clock_that_is_set_back_locks_nobody_out)
{
    const apr_int64_t hour = S(3600);
    apr_int64_t tat = 0;

    taken_of(60, &tat, &per_min, NOW);
    /* it goes on as if the quota had been used up just now */
    ck_assert_int_eq(taken_of(9, &tat, &per_min, NOW - hour), 0);
    ck_assert_int_eq(taken_of(9, &tat, &per_min, NOW - hour + S(1)), 1);
    ck_assert_int_eq(taken_of(9, &tat, &per_min, NOW - hour + S(61)), 9);
    /* by little: it is waited for, and nothing is given away */
    tat = 0;
    taken_of(60, &tat, &per_min, NOW);
    ck_assert_int_eq(taken_of(9, &tat, &per_min, NOW - S(2)), 0);
    ck_assert(tat == NOW + S(60));
    ck_assert_int_eq(taken_of(9, &tat, &per_min, NOW), 0);
    ck_assert_int_eq(taken_of(9, &tat, &per_min, NOW + S(1)), 1);
}
END_TEST

typedef struct taken_t {
    apr_int64_t at;
    apr_int64_t cost;
} taken_t;

/* The definition: would any span, from an earlier request on, hold more than
 * burst + span / unit? */
static int may_pass(const taken_t *taken, int n, const dsapi_quota_t *quota,
                    apr_int64_t cost, apr_int64_t now)
{
    apr_int64_t sum = cost;

    if (sum > quota->burst) {
        return 0;
    }
    for (int i = n - 1; i >= 0; i--) {
        sum += taken[i].cost;
        if ((sum - quota->burst) * quota->unit_ns > now - taken[i].at) {
            return 0;
        }
    }
    return 1;
}

static apr_int64_t up_to(unsigned int *seed, apr_int64_t max)
{
    return (((apr_int64_t)rand_r(seed) << 31) | rand_r(seed)) % (max + 1);
}

/* A quota and its arrivals, by the number of the round. @return how many
 * passed */
static int try_arrivals(int round)
{
    unsigned int seed = (unsigned int)round;
    dsapi_quota_t quota = {1 + up_to(&seed, S(round % 3 ? 1 : 1000)),
                           1 + up_to(&seed, round % 2 ? 3 : 40)};
    taken_t taken[TRIES];
    apr_int64_t tat = 0;
    apr_int64_t now = NOW;
    int n = 0;

    for (int i = 0; i < TRIES; i++) {
        apr_int64_t cost = 1 + up_to(&seed, round % 5 ? 0 : quota.burst - 1);
        int passes;

        /* at once, closely, at the very edge, or after a pause */
        switch (up_to(&seed, 4)) {
        case 0:
            break;
        case 1:
            now += quota.unit_ns;
            break;
        case 2:
            now += up_to(&seed, 40 * quota.unit_ns);
            break;
        default:
            now += up_to(&seed, quota.unit_ns);
            break;
        }
        passes = may_pass(taken, n, &quota, cost, now);
        ck_assert_int_eq(dsapi_gcra_take(&tat, tat, &quota, cost, now), passes);
        if (passes) {
            taken[n].at = now;
            taken[n].cost = cost;
            n++;
        }
    }
    return n;
}

START_TEST(the_bound_is_exact_for_any_arrivals)
{
    int passed = 0;

    for (int round = 0; round < ROUNDS; round++) {
        passed += try_arrivals(round);
    }
    /* there were many of either kind */
    ck_assert_int_gt(passed, TRIED / 10);
    ck_assert_int_lt(passed, TRIED - TRIED / 10);
}
END_TEST

UNIT_SUITE(limit_gcra, rates, a_burst_and_then_one_at_a_time,
           a_refusal_costs_nothing, costs, what_a_client_is_told,
           a_clock_that_is_set_back_locks_nobody_out,
           the_bound_is_exact_for_any_arrivals)
