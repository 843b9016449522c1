/* A limit as it is configured: see policy.h. */
#include "limit/policy.h"

#include <apr_lib.h>
#include <apr_strings.h>

#include "base/args.h"
#include "base/number.h"

#define BURST_MAX 1000000

/* A quota that takes longer to come back is a mistake. */
#define SPAN_MAX (APR_INT64_C(366) * 86400 * DSAPI_NS_PER_S)

#define NAME_MAX_BYTES 64

static int is_name(const char *name)
{
    apr_size_t len = strlen(name);

    for (const char *p = name; *p; p++) {
        if (!apr_isalnum(*p) && !strchr("_-.", *p)) {
            return 0;
        }
    }
    return len > 0 && len <= NAME_MAX_BYTES;
}

/* by=... @return 0: it is nothing that can be counted by */
static int take_by(dsapi_policy_t *policy, const char *value)
{
    if (strcmp(value, "client") == 0) {
        policy->by = DSAPI_BY_CLIENT;
        return 1;
    }
    if (strcmp(value, "user") == 0) {
        policy->by = DSAPI_BY_USER;
        return 1;
    }
    if (strncmp(value, "expr:", 5) == 0 && value[5]) {
        policy->by = DSAPI_BY_EXPR;
        policy->expr = value + 5;
        return 1;
    }
    return 0;
}

/* One of the arguments behind the rate. @return what it should be; NULL: it is
 * right */
static const char *take_option(dsapi_policy_t *policy, const dsapi_arg_t *arg)
{
    if (!arg->key) {
        policy->shadow = strcmp(arg->value, "shadow") == 0;
        return policy->shadow ? NULL
                              : "is not known: behind the rate stand burst=, "
                                "by=, cost=, name= and shadow";
    }
    if (strcmp(arg->key, "burst") == 0) {
        return dsapi_base_parse_int(&policy->quota.burst, arg->value, 1,
                                    BURST_MAX) == APR_SUCCESS
                   ? NULL
                   : "is not right: burst= is a number, 1 to 1000000";
    }
    if (strcmp(arg->key, "cost") == 0) {
        return dsapi_base_parse_int(&policy->cost, arg->value, 1, BURST_MAX) ==
                       APR_SUCCESS
                   ? NULL
                   : "is not right: cost= is a number, 1 to the burst";
    }
    if (strcmp(arg->key, "by") == 0) {
        return take_by(policy, arg->value) ? NULL
                                           : "is not right: by= is client, "
                                             "user or expr:expression";
    }
    if (strcmp(arg->key, "name") == 0) {
        policy->name = arg->value;
        policy->named = 1;
        return is_name(arg->value) ? NULL
                                   : "is not right: name= is letters, digits, "
                                     "'-', '_' and '.', 64 at most";
    }
    return "is not known: behind the rate stand burst=, by=, cost=, name= and "
           "shadow";
}

/* Does an earlier argument say the same thing, perhaps otherwise? */
static int is_repeated(const apr_array_header_t *args, int index)
{
    const char *key = APR_ARRAY_IDX(args, index, dsapi_arg_t).key;

    for (int i = 1; i < index; i++) {
        const char *earlier = APR_ARRAY_IDX(args, i, dsapi_arg_t).key;

        if (key && earlier ? strcmp(key, earlier) == 0 : key == earlier) {
            return 1;
        }
    }
    return 0;
}

/* What does not go together; NULL: all does. */
static const char *contradiction(const dsapi_policy_t *policy, apr_pool_t *pool)
{
    if (policy->cost > policy->quota.burst) {
        return apr_psprintf(pool,
                            "cost=%" APR_INT64_T_FMT " is above the burst "
                            "(%" APR_INT64_T_FMT "): no request would pass",
                            policy->cost, policy->quota.burst);
    }
    if (policy->quota.burst > SPAN_MAX / policy->quota.unit_ns) {
        return "at this rate a used up burst would take more than 366 days to "
               "come back; raise the rate or lower burst=";
    }
    return NULL;
}

apr_status_t dsapi_limit_parse(dsapi_policy_t **ppolicy, dsapi_err_t **perr,
                               const apr_array_header_t *args, apr_pool_t *pool)
{
    static const char *const suffixes[] = {"", " by user", " by expr"};
    const dsapi_arg_t *rate = &APR_ARRAY_IDX(args, 0, dsapi_arg_t);
    dsapi_policy_t *policy = apr_pcalloc(pool, sizeof(*policy));
    const char *mistake;
    apr_status_t rv = rate->key
                          ? DSAPI_ESYNTAX
                          : dsapi_gcra_parse_rate(&policy->quota, rate->value);

    *ppolicy = NULL;
    *perr = NULL;
    if (rv != APR_SUCCESS) {
        return dsapi_fail(perr, pool, DSAPI_ESYNTAX, "bad-limit",
                          rv == DSAPI_ETOOBIG ? "'%s' is more than 100000/s"
                                              : "'%s' is no rate: a number, 1 "
                                                "to 1000000, for "
                                                "each s, min, h or d, such as "
                                                "60/min",
                          rate->value);
    }
    policy->cost = 1;
    for (int i = 1; i < args->nelts; i++) {
        const dsapi_arg_t *arg = &APR_ARRAY_IDX(args, i, dsapi_arg_t);

        mistake = is_repeated(args, i) ? "is one too many: the same was said "
                                         "before"
                                       : take_option(policy, arg);
        if (mistake) {
            return dsapi_fail(perr, pool, DSAPI_ESYNTAX, "bad-limit",
                              "'%s%s%s' %s", arg->key ? arg->key : "",
                              arg->key ? "=" : "", arg->value, mistake);
        }
    }
    mistake = contradiction(policy, pool);
    if (mistake) {
        return dsapi_fail(perr, pool, DSAPI_ESYNTAX, "bad-limit", "%s",
                          mistake);
    }
    if (!policy->named) {
        policy->name =
            apr_pstrcat(pool, rate->value, suffixes[policy->by], NULL);
    }
    *ppolicy = policy;
    return APR_SUCCESS;
}

int dsapi_limit_same(const dsapi_policy_t *a, const dsapi_policy_t *b)
{
    return a->quota.unit_ns == b->quota.unit_ns &&
           a->quota.burst == b->quota.burst && a->by == b->by &&
           (!a->expr || strcmp(a->expr, b->expr) == 0);
}

const char *dsapi_limit_item(const dsapi_policy_t *policy, apr_pool_t *pool)
{
    apr_int64_t span = dsapi_gcra_span(&policy->quota);

    return apr_psprintf(
        pool, "\"%s\";q=%" APR_INT64_T_FMT ";w=%" APR_INT64_T_FMT, policy->name,
        policy->quota.burst, (span + DSAPI_NS_PER_S - 1) / DSAPI_NS_PER_S);
}
