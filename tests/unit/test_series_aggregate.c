/* series/aggregate: each aggregate of a few values. */
#include "series/aggregate.h"

#include <math.h>

#include "unit/unit.h"

static const double x[] = {3, -1, 4};
static const double w[] = {1, 0, 3};

static double of(dsapi_op_e op, apr_size_t n, int whole)
{
    dsapi_output_t output = {.op = op, .of = -1};
    dsapi_operands_t operands = {x, w, n, whole, whole};

    return dsapi_series_aggregate(&output, &operands, NAN);
}

START_TEST(each_aggregate_is_of_its_values)
{
    for (int whole = 0; whole < 2; whole++) {
        ck_assert(of(DSAPI_OP_SUM, 3, whole) == 6);
        ck_assert(of(DSAPI_OP_AVG, 3, whole) == 2);
        ck_assert(of(DSAPI_OP_MIN, 3, whole) == -1);
        ck_assert(of(DSAPI_OP_MAX, 3, whole) == 4);
        ck_assert(of(DSAPI_OP_FIRST, 3, whole) == 3);
        ck_assert(of(DSAPI_OP_LAST, 3, whole) == 4);
        ck_assert(of(DSAPI_OP_WAVG, 3, whole) == 3.75);
        ck_assert(of(DSAPI_OP_VAR, 2, whole) == 4);
        ck_assert(of(DSAPI_OP_STDDEV, 2, whole) == 2);
        ck_assert(of(DSAPI_OP_VAR, 1, whole) == 0);
    }
}
END_TEST

START_TEST(a_variance_may_be_about_something_else)
{
    dsapi_output_t output = {.op = DSAPI_OP_VAR, .of = 0};
    dsapi_operands_t operands = {x, x, 2, 1, 1};

    ck_assert(dsapi_series_aggregate(&output, &operands, 3) == 8);
    ck_assert(isnan(dsapi_series_aggregate(&output, &operands, NAN)));
}
END_TEST

START_TEST(without_weight_a_mean_is_undefined)
{
    static const double zeros[] = {0, 0};
    dsapi_output_t output = {.op = DSAPI_OP_WAVG, .of = -1};
    dsapi_operands_t operands = {x, zeros, 2, 1, 1};

    ck_assert(isnan(dsapi_series_aggregate(&output, &operands, NAN)));
}
END_TEST

UNIT_SUITE(series_aggregate, each_aggregate_is_of_its_values,
           a_variance_may_be_about_something_else,
           without_weight_a_mean_is_undefined)
