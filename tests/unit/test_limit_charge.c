/* limit/charge: a request and its limits. */
#include "limit/charge.h"

#include "unit/unit.h"

#define S(n) ((n)*DSAPI_NS_PER_S)
#define NOW  S(APR_INT64_C(1790000000))

static const unsigned char seed[APR_SIPHASH_KSIZE] = "fifteen letters";

static dsapi_policy_t wide = {.name = "wide", .quota = {S(1), 10}, .cost = 1};
static dsapi_policy_t tight = {.name = "tight", .quota = {S(2), 2}, .cost = 1};
static dsapi_policy_t dear = {.name = "dear", .quota = {S(1), 10}, .cost = 5};
static dsapi_policy_t shadow = {
    .name = "shadow", .quota = {S(60), 1}, .cost = 1, .shadow = 1};

static dsapi_limit_table_t *table;

/* makes the table, too */
static dsapi_charge_t *charges_of(const dsapi_policy_t *a,
                                  const dsapi_policy_t *b,
                                  const dsapi_policy_t *c)
{
    dsapi_charge_t *charges = apr_pcalloc(g_pool, 3 * sizeof(*charges));

    charges[0].policy = a;
    charges[1].policy = b;
    charges[2].policy = c;
    for (int i = 0; i < 3; i++) {
        charges[i].key = (apr_uint64_t)i + 1;
    }
    table = dsapi_limit_table_init(apr_pcalloc(g_pool, 4096), 4096, seed);
    return charges;
}

static const char *header(dsapi_charge_t *charges, apr_int64_t now)
{
    return dsapi_limit_header(charges, 3, now, g_pool);
}

START_TEST(all_are_charged)
{
    dsapi_charge_t *charges = charges_of(&wide, &tight, &dear);

    ck_assert_ptr_null(header(charges, NOW));
    ck_assert_int_eq(dsapi_limit_charge(charges, 0, 3, table, NOW), -1);
    ck_assert_str_eq(header(charges, NOW), "\"tight\";r=1;t=2, "
                                           "\"dear\";r=5;t=1, "
                                           "\"wide\";r=9;t=1");
}
END_TEST

START_TEST(one_that_refuses_costs_nothing)
{
    dsapi_charge_t *charges = charges_of(&wide, &tight, &dear);

    dsapi_limit_charge(charges, 0, 3, table, NOW);
    ck_assert_int_eq(dsapi_limit_charge(charges, 0, 3, table, NOW), -1);
    for (int i = 0; i < 5; i++) {
        charges[2].state = DSAPI_CHARGE_OPEN;
        ck_assert_int_eq(dsapi_limit_charge(charges, 0, 3, table, NOW), 1);
        ck_assert_int_eq(charges[0].state, DSAPI_CHARGE_GIVEN_BACK);
        ck_assert_int_eq(charges[1].state, DSAPI_CHARGE_REFUSED);
        ck_assert_int_eq(charges[2].state, DSAPI_CHARGE_OPEN);
        ck_assert_str_eq(header(charges, NOW), "\"tight\";r=0;t=2, "
                                               "\"wide\";r=8;t=1");
        ck_assert_int_eq(dsapi_limit_retry_s(&charges[1], NOW), 2);
    }
    /* tight allows for one more, and dear as well: two requests were counted */
    ck_assert_int_eq(dsapi_limit_charge(charges, 0, 3, table, NOW + S(2)), 2);
    ck_assert_int_eq(dsapi_limit_retry_s(&charges[2], NOW + S(2)), 3);
    ck_assert_int_eq(dsapi_limit_charge(charges, 0, 3, table, NOW + S(5)), -1);
    ck_assert_str_eq(header(charges, NOW + S(5)), "\"dear\";r=0;t=1, "
                                                  "\"tight\";r=1;t=2, "
                                                  "\"wide\";r=9;t=1");
}
END_TEST

START_TEST(earlier_calls_get_theirs_back)
{
    dsapi_charge_t *charges = charges_of(&wide, &dear, &tight);

    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(dsapi_limit_charge(charges, 2, 3, table, NOW), -1);
    }
    ck_assert_int_eq(dsapi_limit_charge(charges, 0, 2, table, NOW), -1);
    ck_assert_int_eq(dsapi_limit_charge(charges, 2, 3, table, NOW), 2);
    ck_assert_str_eq(header(charges, NOW), "\"tight\";r=0;t=2, "
                                           "\"dear\";r=10, \"wide\";r=10");
    charges[2].policy = &wide;
    charges[2].key = 1;
    ck_assert_int_eq(dsapi_limit_charge(charges, 2, 3, table, NOW), -1);
    ck_assert_str_eq(dsapi_limit_header(charges + 2, 1, NOW, g_pool), "\"wide\""
                                                                      ";r=9;t="
                                                                      "1");
}
END_TEST

START_TEST(a_shadow_refuses_nobody)
{
    dsapi_charge_t *charges = charges_of(&shadow, &wide, &tight);

    ck_assert_int_eq(dsapi_limit_charge(charges, 0, 3, table, NOW), -1);
    ck_assert_int_eq(charges[0].state, DSAPI_CHARGE_TAKEN);
    ck_assert_int_eq(dsapi_limit_charge(charges, 0, 3, table, NOW), -1);
    ck_assert_int_eq(charges[0].state, DSAPI_CHARGE_REFUSED);
    ck_assert_int_eq(charges[1].state, DSAPI_CHARGE_TAKEN);
    ck_assert_str_eq(header(charges, NOW), "\"tight\";r=0;t=2, "
                                           "\"wide\";r=8;t=1");
    /* nor is it charged for what another refuses */
    ck_assert_int_eq(dsapi_limit_charge(charges, 0, 3, table, NOW + S(60)), -1);
    dsapi_limit_charge(charges, 2, 3, table, NOW + S(60));
    ck_assert_int_eq(dsapi_limit_charge(charges, 0, 3, table, NOW + S(120)),
                     -1);
    dsapi_limit_charge(charges, 2, 3, table, NOW + S(120));
    ck_assert_int_eq(dsapi_limit_charge(charges, 0, 3, table, NOW + S(180) - 1),
                     -1);
    ck_assert_int_eq(charges[0].state, DSAPI_CHARGE_REFUSED);
    ck_assert_int_eq(dsapi_limit_charge(charges, 2, 3, table, NOW + S(180) - 1),
                     -1);
    ck_assert_int_eq(dsapi_limit_charge(charges, 0, 3, table, NOW + S(180)), 2);
    ck_assert_int_eq(charges[0].state, DSAPI_CHARGE_GIVEN_BACK);
    ck_assert_int_eq(dsapi_limit_charge(charges, 0, 1, table, NOW + S(180)),
                     -1);
    ck_assert_int_eq(charges[0].state, DSAPI_CHARGE_TAKEN);
}
END_TEST

UNIT_SUITE(limit_charge, all_are_charged, one_that_refuses_costs_nothing,
           earlier_calls_get_theirs_back, a_shadow_refuses_nobody)
