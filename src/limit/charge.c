/* A request and its limits: see charge.h. */
#include "limit/charge.h"

#include <apr_strings.h>

static void give_back(dsapi_charge_t *charges, int to,
                      dsapi_limit_table_t *table, apr_int64_t now)
{
    for (int i = 0; i < to; i++) {
        dsapi_charge_t *charge = &charges[i];
        const dsapi_policy_t *policy = charge->policy;

        if (charge->state == DSAPI_CHARGE_TAKEN) {
            dsapi_limit_give_back(table, charge->key, &policy->quota,
                                  policy->cost, charge->tat, now);
            charge->tat -= policy->quota.unit_ns * policy->cost;
            charge->state = DSAPI_CHARGE_GIVEN_BACK;
        }
    }
}

int dsapi_limit_charge(dsapi_charge_t *charges, int from, int to,
                       dsapi_limit_table_t *table, apr_int64_t now)
{
    for (int i = from; i < to; i++) {
        dsapi_charge_t *charge = &charges[i];
        const dsapi_policy_t *policy = charge->policy;
        int taken = dsapi_limit_take(&charge->tat, table, charge->key,
                                     &policy->quota, policy->cost, now);

        charge->state = taken ? DSAPI_CHARGE_TAKEN : DSAPI_CHARGE_REFUSED;
        if (!taken && !policy->shadow) {
            give_back(charges, i, table, now);
            return i;
        }
    }
    return -1;
}

static void state_of(dsapi_quota_state_t *pstate, const dsapi_charge_t *charge,
                     apr_int64_t now)
{
    dsapi_gcra_state(pstate, charge->tat, &charge->policy->quota,
                     charge->policy->cost, now);
}

int dsapi_limit_retry_s(const dsapi_charge_t *charge, apr_int64_t now)
{
    dsapi_quota_state_t state;

    state_of(&state, charge, now);
    return state.retry_s > 0 ? (int)state.retry_s : 1;
}

/* Puts an index among those that are in order already. */
static void insert(int *order, int n, const dsapi_charge_t *charges,
                   const dsapi_quota_state_t *states, int index)
{
    apr_int64_t requests =
        states[index].remaining / charges[index].policy->cost;

    for (; n > 0; n--) {
        int other = order[n - 1];

        if (states[other].remaining / charges[other].policy->cost <= requests) {
            break;
        }
        order[n] = other;
    }
    order[n] = index;
}

const char *dsapi_limit_header(const dsapi_charge_t *charges, int n,
                               apr_int64_t now, apr_pool_t *pool)
{
    dsapi_quota_state_t states[DSAPI_CHARGES_MAX];
    int order[DSAPI_CHARGES_MAX];
    const char *value = NULL;
    int shown = 0;

    for (int i = 0; i < n; i++) {
        if (charges[i].state != DSAPI_CHARGE_OPEN &&
            !charges[i].policy->shadow) {
            state_of(&states[i], &charges[i], now);
            insert(order, shown++, charges, states, i);
        }
    }
    for (int i = 0; i < shown; i++) {
        const dsapi_quota_state_t *state = &states[order[i]];

        value = apr_psprintf(pool, "%s%s\"%s\";r=%" APR_INT64_T_FMT,
                             value ? value : "", value ? ", " : "",
                             charges[order[i]].policy->name, state->remaining);
        if (state->next_s > 0) {
            value = apr_psprintf(pool, "%s;t=%" APR_INT64_T_FMT, value,
                                 state->next_s);
        }
    }
    return value;
}
