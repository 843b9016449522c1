/* Quotas by GCRA: see gcra.h. */
#include "limit/gcra.h"

#include <apr_time.h>
#include <string.h>

#include "base/number.h"

#define NUMBER_MAX     1000000
#define PER_SECOND_MAX 100000

/* Digits of NUMBER_MAX, and a NUL. */
#define NUMBER_SIZE 8

apr_status_t dsapi_gcra_parse_rate(dsapi_quota_t *pquota, const char *text)
{
    static const struct {
        const char *name;
        apr_int64_t s;
    } units[] = {{"s", 1}, {"min", 60}, {"h", 3600}, {"d", 86400}};
    apr_size_t len = strcspn(text, "/");
    char number[NUMBER_SIZE];
    apr_int64_t n;

    if (text[len] != '/' || len >= sizeof(number)) {
        return DSAPI_ESYNTAX;
    }
    memcpy(number, text, len);
    number[len] = '\0';
    if (dsapi_base_parse_int(&n, number, 1, NUMBER_MAX) != APR_SUCCESS) {
        return DSAPI_ESYNTAX;
    }
    for (int i = 0; i < 4; i++) {
        if (strcmp(text + len + 1, units[i].name) == 0) {
            if (n > PER_SECOND_MAX * units[i].s) {
                return DSAPI_ETOOBIG;
            }
            /* rounded up: never more than the rate */
            pquota->unit_ns = (units[i].s * DSAPI_NS_PER_S + n - 1) / n;
            pquota->burst = n;
            return APR_SUCCESS;
        }
    }
    return DSAPI_ESYNTAX;
}

apr_int64_t dsapi_gcra_span(const dsapi_quota_t *quota)
{
    return quota->unit_ns * quota->burst;
}

/* The time in which all that is used comes back. */
static apr_int64_t debt_of(apr_int64_t tat, const dsapi_quota_t *quota,
                           apr_int64_t now)
{
    apr_int64_t span = dsapi_gcra_span(quota);
    apr_int64_t debt = tat - now;

    if (debt <= 0) {
        return 0;
    }
    /* A little more than all there is comes of clocks read before others' */
    return debt > span + DSAPI_GCRA_SLACK_NS ? span : debt;
}

int dsapi_gcra_take(apr_int64_t *pnext, apr_int64_t tat,
                    const dsapi_quota_t *quota, apr_int64_t cost,
                    apr_int64_t now)
{
    apr_int64_t debt = debt_of(tat, quota, now);
    apr_int64_t more = debt + quota->unit_ns * cost;

    if (more > dsapi_gcra_span(quota)) {
        *pnext = now + debt;
        return 0;
    }
    *pnext = now + more;
    return 1;
}

static apr_int64_t seconds_up(apr_int64_t ns)
{
    return ns <= 0 ? 0 : (ns + DSAPI_NS_PER_S - 1) / DSAPI_NS_PER_S;
}

void dsapi_gcra_state(dsapi_quota_state_t *pstate, apr_int64_t tat,
                      const dsapi_quota_t *quota, apr_int64_t cost,
                      apr_int64_t now)
{
    apr_int64_t left =
        dsapi_gcra_span(quota) - debt_of(tat, quota, now); /* may be < 0 */

    pstate->remaining = left > 0 ? left / quota->unit_ns : 0;
    pstate->next_s =
        pstate->remaining < quota->burst
            ? seconds_up((pstate->remaining + 1) * quota->unit_ns - left)
            : 0;
    pstate->retry_s = seconds_up(cost * quota->unit_ns - left);
}
