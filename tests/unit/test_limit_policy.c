/* limit/policy: limits as they are configured. */
#include "limit/policy.h"

#include "base/args.h"
#include "unit/unit.h"

static dsapi_err_t *err;

static dsapi_policy_t *parse(const char *line)
{
    apr_array_header_t *args;
    dsapi_policy_t *policy;
    apr_status_t rv;

    ck_assert_int_eq(dsapi_base_args_parse(&args, &err, line, g_pool),
                     APR_SUCCESS);
    rv = dsapi_limit_parse(&policy, &err, args, g_pool);
    ck_assert_int_eq(rv, policy ? APR_SUCCESS : DSAPI_ESYNTAX);
    ck_assert((policy == NULL) == (err != NULL));
    return policy;
}

START_TEST(defaults)
{
    const dsapi_policy_t *policy = parse("60/min");

    ck_assert_int_eq(policy->quota.burst, 60);
    ck_assert_int_eq(policy->cost, 1);
    ck_assert_int_eq(policy->by, DSAPI_BY_CLIENT);
    ck_assert_int_eq(policy->shadow, 0);
    ck_assert_int_eq(policy->named, 0);
    ck_assert_ptr_null(policy->expr);
    ck_assert_str_eq(policy->name, "60/min");
}
END_TEST

START_TEST(everything)
{
    const dsapi_policy_t *policy = parse("5/s shadow burst=20 cost=3 "
                                         "name=a.B-c_9 by=\"expr:%{HTTP:X} "
                                         "y\"");

    ck_assert_int_eq(policy->quota.unit_ns, DSAPI_NS_PER_S / 5);
    ck_assert_int_eq(policy->quota.burst, 20);
    ck_assert_int_eq(policy->cost, 3);
    ck_assert_int_eq(policy->by, DSAPI_BY_EXPR);
    ck_assert_str_eq(policy->expr, "%{HTTP:X} y");
    ck_assert_int_eq(policy->shadow, 1);
    ck_assert_int_eq(policy->named, 1);
    ck_assert_str_eq(policy->name, "a.B-c_9");
    ck_assert_str_eq(parse("5/s by=user")->name, "5/s by user");
    ck_assert_str_eq(parse("5/s by=expr:x")->name, "5/s by expr");
    ck_assert_str_eq(parse("5/s by=client")->name, "5/s");
}
END_TEST

START_TEST(mistakes)
{
    static const struct {
        const char *line;
        const char *detail;
    } rows[] = {
        {"60", "'60' is no rate: a number, 1 to 1000000, for each s, min, h "
               "or d, such as 60/min"},
        {"rate=60/min", "'60/min' is no rate: a number, 1 to 1000000, for each "
                        "s, min, h or d, such as 60/min"},
        {"200000/s", "'200000/s' is more than 100000/s"},
        {"1/s burst=0", "'burst=0' is not right: burst= is a number, 1 to "
                        "1000000"},
        {"1/s burst=1000001", "'burst=1000001' is not right: burst= is a "
                              "number, 1 to 1000000"},
        {"1/d burst=367", "at this rate a used up burst would take more than "
                          "366 days to come back; raise the rate or lower "
                          "burst="},
        {"9/s cost=0", "'cost=0' is not right: cost= is a number, 1 to the "
                       "burst"},
        {"9/s cost=10", "cost=10 is above the burst (9): no request would "
                        "pass"},
        {"9/s by=key", "'by=key' is not right: by= is client, user or "
                       "expr:expression"},
        {"9/s by=expr:", "'by=expr:' is not right: by= is client, user or "
                         "expr:expression"},
        {"9/s name=\"a b\"", "'name=a b' is not right: name= is letters, "
                             "digits, '-', '_' and '.', 64 at most"},
        {"9/s name=\"\"", "'name=' is not right: name= is letters, digits, "
                          "'-', '_' and '.', 64 at most"},
        {"9/s burst=5 burst=5", "'burst=5' is one too many: the same was said "
                                "before"},
        {"9/s shadow cost=2 shadow", "'shadow' is one too many: the same was "
                                     "said before"},
        {"9/s quiet", "'quiet' is not known: behind the rate stand burst=, "
                      "by=, cost=, name= and shadow"},
        {"9/s ip=1", "'ip=1' is not known: behind the rate stand burst=, by=, "
                     "cost=, name= and shadow"}};

    for (apr_size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        ck_assert_ptr_null(parse(rows[i].line));
        ck_assert_str_eq(err->detail, rows[i].detail);
    }
    ck_assert_ptr_nonnull(parse("1/d burst=366"));
}
END_TEST

START_TEST(what_is_the_same)
{
    static const char *const others[] = {"61/min", "60/min burst=9",
                                         "60/min by=user", "60/min by=expr:x",
                                         "60/min by=expr:y"};

    ck_assert(dsapi_limit_same(parse("60/min"), parse("1/s burst=60 cost=9")));
    for (apr_size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        ck_assert(!dsapi_limit_same(parse("60/min"), parse(others[i])));
        ck_assert(dsapi_limit_same(parse(others[i]), parse(others[i])));
    }
    ck_assert(!dsapi_limit_same(parse(others[3]), parse(others[4])));
}
END_TEST

START_TEST(items)
{
    ck_assert_str_eq(dsapi_limit_item(parse("60/min"), g_pool), "\"60/"
                                                                "min\";q=60;w="
                                                                "60");
    ck_assert_str_eq(dsapi_limit_item(parse("60/min burst=10"), g_pool), "\"60/"
                                                                         "min\""
                                                                         ";q="
                                                                         "10;w="
                                                                         "10");
    ck_assert_str_eq(dsapi_limit_item(parse("100/s burst=1 name=x"), g_pool),
                     "\"x\";q=1;w=1");
    ck_assert_str_eq(dsapi_limit_item(parse("2/d by=user"), g_pool), "\"2/d by "
                                                                     "user\";q="
                                                                     "2;w="
                                                                     "86400");
}
END_TEST

UNIT_SUITE(limit_policy, defaults, everything, mistakes, what_is_the_same,
           items)
