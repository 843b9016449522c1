/* series/metric: the grammar of DsapiMetric. */
#include "series/metric.h"

#include "base/args.h"
#include "route/param.h"
#include "unit/series.h"
#include "unit/unit.h"

static const char *const declared[] = {"from date",
                                       "to date",
                                       "n int",
                                       "which text enum=x,y default=x",
                                       "other text enum=x,z default=x",
                                       "free text default=x",
                                       "may text enum=x,y"};

static const apr_array_header_t *params_of(void)
{
    apr_array_header_t *params =
        apr_array_make(g_pool, 8, sizeof(dsapi_param_t *));

    for (size_t i = 0; i < sizeof(declared) / sizeof(declared[0]); i++) {
        apr_array_header_t *args;
        dsapi_param_t *param;
        dsapi_err_t *err;

        dsapi_base_args_parse(&args, &err, declared[i], g_pool);
        ck_assert_int_eq(dsapi_route_param_parse(&param, &err, args, g_pool),
                         APR_SUCCESS);
        APR_ARRAY_PUSH(params, dsapi_param_t *) = param;
    }
    return params;
}

static apr_status_t parse(dsapi_metric_t **pmetric, dsapi_err_t **perr,
                          const char *line)
{
    apr_array_header_t *args;

    ck_assert_int_eq(dsapi_base_args_parse(&args, perr, line, g_pool),
                     APR_SUCCESS);
    return dsapi_series_metric(pmetric, perr, series_declare(), args,
                               params_of(), g_pool);
}

static const dsapi_metric_t *metric_of(const char *line)
{
    dsapi_metric_t *metric;
    dsapi_err_t *err;

    ck_assert_msg(parse(&metric, &err, line) == APR_SUCCESS, "%s: %s", line,
                  err ? err->detail : "");
    return metric;
}

START_TEST(the_contracts_metrics_are_read)
{
    const dsapi_metric_t *m = metric_of("range=:from,:to group=area,month "
                                        "nest=months people=avg(x) "
                                        "prevalence=avg(y) days=count()");

    ck_assert_int_eq(m->from, 0);
    ck_assert_int_eq(m->to, 1);
    ck_assert_int_eq(m->ngroups, 2);
    ck_assert_int_eq(m->groups[0], 0);
    ck_assert_int_eq(m->groups[1], DSAPI_GROUP_TIME);
    ck_assert_int_eq(m->grain, DSAPI_GRAIN_MONTH);
    ck_assert_str_eq(m->nest, "months");
    ck_assert_int_eq(m->noutputs, 3);
    ck_assert_int_eq(m->outputs[0].op, DSAPI_OP_AVG);
    ck_assert_int_eq(m->outputs[1].x.measure, 1);
    ck_assert_int_eq(m->outputs[2].op, DSAPI_OP_COUNT);
    ck_assert_int_eq(m->outputs[2].x.measure, -1);
    ck_assert_int_eq(m->compares, 0);
    ck_assert_int_eq(m->windows, 0);

    m = metric_of("range=:from,:to group=day people=sum(x) "
                  "prevalence=wavg(y,:which) "
                  "variance=var(y,about=prevalence) areas=count()");
    ck_assert_int_eq(m->outputs[1].x.measure, 1);
    ck_assert_int_eq(m->outputs[1].weight.param, 3);
    ck_assert_int_eq(m->outputs[2].of, 1);
}
END_TEST

START_TEST(windows_minimums_and_comparisons_are_read)
{
    const dsapi_metric_t *m = metric_of("group=week a=avg(x,7d) b=count(28d) "
                                        "c=wavg(x,y,30d,min=3) "
                                        "d=prev(a) e=diff(c) f=growth(a) "
                                        "g=var(x,min=2)");

    ck_assert_int_eq(m->outputs[0].window_days, 7);
    ck_assert_int_eq(m->outputs[0].min_count, 1);
    ck_assert_int_eq(m->outputs[1].window_days, 28);
    ck_assert_int_eq(m->outputs[1].x.measure, -1);
    ck_assert_int_eq(m->outputs[2].window_days, 30);
    ck_assert_int_eq(m->outputs[2].min_count, 3);
    ck_assert_int_eq(m->outputs[3].op, DSAPI_OP_PREV);
    ck_assert_int_eq(m->outputs[3].of, 0);
    ck_assert_int_eq(m->outputs[5].of, 0);
    ck_assert_int_eq(m->outputs[6].min_count, 2);
    ck_assert_int_eq(m->outputs[6].of, -1);
    ck_assert_int_eq(m->compares, 1);
    ck_assert_int_eq(m->windows, 1);
}
END_TEST

START_TEST(a_metric_needs_neither_range_nor_group)
{
    const dsapi_metric_t *m = metric_of("n=count()");

    ck_assert_int_eq(m->from, -1);
    ck_assert_int_eq(m->to, -1);
    ck_assert_int_eq(m->ngroups, 0);
    ck_assert_int_eq(m->grain, DSAPI_GRAIN_NONE);
}
END_TEST

START_TEST(used_parameters_are_known)
{
    const dsapi_metric_t *m = metric_of("range=:from,:to n=count() "
                                        "w=wavg(x,:which)");

    ck_assert_int_eq(dsapi_series_metric_uses(m, 0), 1);
    ck_assert_int_eq(dsapi_series_metric_uses(m, 1), 1);
    ck_assert_int_eq(dsapi_series_metric_uses(m, 2), 0);
    ck_assert_int_eq(dsapi_series_metric_uses(m, 3), 1);
}
END_TEST

typedef struct mistake_t {
    const char *line;
    const char *says;
} mistake_t;

static void refuse(const mistake_t *mistake)
{
    dsapi_metric_t *metric;
    dsapi_err_t *err = NULL;

    ck_assert_msg(parse(&metric, &err, mistake->line) == DSAPI_ESYNTAX, "%s",
                  mistake->line);
    ck_assert_ptr_null(metric);
    ck_assert_msg(strstr(err->detail, mistake->says) != NULL, "%s: %s",
                  mistake->line, err->detail);
}

START_TEST(wrong_aggregates_say_what_would_be_right)
{
    static const mistake_t rows[] = {
        {"", "has no aggregate; add one"},
        {"x", "'x': behind the series' name stand range="},
        {"n=count", "n=count is no aggregate; write n=avg(measure)"},
        {"n=count()x", "is no aggregate"},
        {"n=mean(x)", "there are count sum avg"},
        {"n=su(x)", "there are count sum avg"},
        {"n=sum()", "n=: write sum(measure)"},
        {"n=sum(z)", "n=: the series has no measure 'z'"},
        {"n=sum(x,y)", "n=: 'y' is not known; write sum(measure)"},
        {"n=sum(x,)", "n=: '' is not known"},
        {"n=sum(x,0d)", "'0d' is not known"},
        {"n=sum(x,99999d)", "'99999d' is not known"},
        {"n=sum(x,7d,7d)", "'7d' is not known"},
        {"n=sum(x,min=0)", "min= takes a number of values above 0"},
        {"n=wavg(x)", "n=: write wavg(measure,weight)"},
        {"n=sum(x,about=n)", "'about=n' is not known"},
        {"n=sum(x,min=2,min=3)", "'min=3' is not known"},
        {"m=sum(x) n=var(x,about=m,about=m)", "'about=m' is not known"},
        {"n=var(x,about=m)", "n=: 'm' is no aggregate of a measure that"},
        {"n=var(x,about=n)", "n=: 'n' is no aggregate of a measure that"},
        {"group=day n=prev(m) m=sum(x)", "n=: 'm' is no aggregate"},
        {"group=day l=sum(x) m=prev(l) n=diff(m)", "'m' is no aggregate"},
        {"group=day m=sum(x) n=prev(m,7d)", "n=: '7d' is too much"},
        {"m=sum(x) n=prev(m)", "they go with day, week, month"},
        {"n=sum(:which2)", "the parameter 'which2' is not declared"},
        {"n=sum(:other)", "'other' may be 'z', which is no measure"},
        {"n=sum(:free)", "'free' must have enum="},
        {"n=sum(:may)", "'may' must have enum="},
        {"n=count() n=count()", "'n=' stands there twice"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        refuse(&rows[i]);
    }
}
END_TEST

START_TEST(wrong_groups_and_ranges_say_what_would_be_right)
{
    static const mistake_t rows[] = {
        {"range=:from n=count()", "range= takes the first and the last day"},
        {"range=:from,2020-01-01 n=count()", "and not '2020-01-01'"},
        {"range=:from,:n n=count()", "'n' must be of type date"},
        {"range=:from,:until n=count()", "'until' is not declared"},
        {"group=days n=count()", "'days' is no dimension of the series"},
        {"group=day,month n=count()", "group= takes one of day"},
        {"group=area,area n=count()", "'area' stands there twice"},
        {"group=area, n=count()", "'' is no dimension"},
        {"group=area area=count()", "'area' is a group's name already"},
        {"group=day date=count()", "'date' is a group's name already"},
        {"group=area nest=a n=count()", "goes with a group= of two or more"},
        {"group=area,day nest=area n=count()", "'area' is a group's name"},
        {"group=area,day nest=a.b n=count()", "'a.b' is no name"},
        {"a.b=count()", "'a.b' is no name of letters"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        refuse(&rows[i]);
    }
}
END_TEST

UNIT_SUITE(series_metric, the_contracts_metrics_are_read,
           windows_minimums_and_comparisons_are_read,
           a_metric_needs_neither_range_nor_group, used_parameters_are_known,
           wrong_aggregates_say_what_would_be_right,
           wrong_groups_and_ranges_say_what_would_be_right)
