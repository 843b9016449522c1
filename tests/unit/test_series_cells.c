/* series/cells: what is computed of rows. */
#include "series/cells.h"

#include <apr_strings.h>
#include <math.h>

#include "base/args.h"
#include "route/param.h"
#include "series/write.h"
#include "unit/pg.h"
#include "unit/series.h"
#include "unit/unit.h"

/* Two areas; area 2 has no 3 June, and nulls. */
static const series_row_t few[] = {
    {{"2022-05-31", "1", "a", "10", "100", "1"}},
    {{"2022-06-01", "1", "a", "10", "1", "0.5"}},
    {{"2022-06-01", "2", "b", "20", "2", NULL}},
    {{"2022-06-02", "1", "a", "10", "3", "0.25"}},
    {{"2022-06-02", "2", "b", "20", NULL, "0.75"}},
    {{"2022-06-03", "1", "a", "10", "5", "1"}},
};

/* Of a Sunday, a week and the next one's Monday and Tuesday. */
static const series_row_t weeks[] = {
    {{"2022-05-29", "1", "a", "10", "1", "1"}},
    {{"2022-05-31", "1", "a", "10", "2", "1"}},
    {{"2022-06-03", "1", "a", "10", "4", "1"}},
    {{"2022-06-06", "2", "b", "10", "8", "1"}},
    {{"2022-06-07", "1", "a", "10", "16", "1"}},
};

#define NFEW ((int)(sizeof(few) / sizeof(few[0])))

static const apr_array_header_t *params_of(void)
{
    static const char *const declared[] = {"from date", "to date",
                                           "m text enum=x,y default=x"};
    apr_array_header_t *params =
        apr_array_make(g_pool, 3, sizeof(dsapi_param_t *));

    for (int i = 0; i < 3; i++) {
        apr_array_header_t *args;
        dsapi_param_t *param;
        dsapi_err_t *err;

        dsapi_base_args_parse(&args, &err, declared[i], g_pool);
        dsapi_route_param_parse(&param, &err, args, g_pool);
        APR_ARRAY_PUSH(params, dsapi_param_t *) = param;
    }
    return params;
}

/* CSV of a metric, with | in the place of a line's end. */
static const char *result(const dsapi_columns_t *columns, const char *line,
                          const char *from, const char *to)
{
    const char *values[] = {from, to, "y"};
    dsapi_buf_t *buf = dsapi_buf_make(1, g_pool);
    dsapi_metric_ask_t ask = {NULL, values};
    apr_array_header_t *args;
    dsapi_metric_t *metric;
    dsapi_cells_t cells;
    dsapi_err_t *err;
    char *text;
    char *out;

    dsapi_base_args_parse(&args, &err, line, g_pool);
    ck_assert_msg(dsapi_series_metric(&metric, &err, series_declare(), args,
                                      params_of(), g_pool) == APR_SUCCESS,
                  "%s", err ? err->detail : "");
    ask.metric = metric;
    ck_assert_int_eq(
        dsapi_series_compute(&cells, &err, columns, &ask, g_scratch),
        APR_SUCCESS);
    dsapi_series_write(buf, DSAPI_FORMAT_CSV, columns, metric, &cells);
    text = strstr(apr_pstrdup(g_pool, dsapi_buf_str(buf)), "\r\n") + 2;
    out = text;
    for (const char *p = text; *p; p++) {
        if (*p != '\r') {
            *out = *p;
            if (*p == '\n') {
                *out = '|';
            }
            out++;
        }
    }
    *out = '\0';
    return text;
}

#define ALL(line) result(series_of(few, NFEW), line, NULL, NULL)

START_TEST(each_aggregate_is_computed)
{
    ck_assert_str_eq(ALL("group=day n=count() nx=count(x) s=sum(x) a=avg(x) "
                         "lo=min(x) hi=max(x)"),
                     "2022-05-31,1,1,100,100,100,100|"
                     "2022-06-01,2,2,3,1.5,1,2|2022-06-02,2,1,3,3,3,3|"
                     "2022-06-03,1,1,5,5,5,5|");
    ck_assert_str_eq(ALL("group=area v=var(x) d=stddev(y) f=first(y) "
                         "l=last(x) w=wavg(y,x)"),
                     "1,a,10,1766.1875,0.3247595264191645,1,5,"
                     "0.9747706422018348|2,b,20,0,0,0.75,2,|");
}
END_TEST

START_TEST(variance_may_be_about_another_result)
{
    ck_assert_str_eq(ALL("group=month p=wavg(y,x) v=var(y,about=p)"),
                     "2022-05,1,0|2022-06,0.6944444444444444,"
                     "0.08294753086419752|");
}
END_TEST

START_TEST(what_is_undefined_is_null)
{
    static const series_row_t zeros[] = {
        {{"2022-06-01", "1", "a", "10", "0", "0.5"}},
        {{"2022-06-02", "1", "a", "10", NULL, NULL}},
        {{"2022-06-03", "1", "a", "10", "1.7e308", "-1"}},
        {{"2022-06-03", "2", "a", "10", "1.7e308", "1"}},
    };
    const dsapi_columns_t *c = series_of(zeros, 4);

    ck_assert_str_eq(result(c,
                            "group=day w=wavg(y,x) s=sum(x) n=count(x) "
                            "v=var(y,about=w) r=wavg(x,y)",
                            NULL, NULL),
                     "2022-06-01,,0,1,,0|2022-06-02,,,0,,|2022-06-03,,,2,,|");
}
END_TEST

START_TEST(a_minimum_of_values_is_asked_for)
{
    ck_assert_str_eq(ALL("group=day a=avg(x,min=2) n=count(y,min=2) "
                         "w=wavg(y,x,min=2)"),
                     "2022-05-31,,,|2022-06-01,1.5,,|2022-06-02,,2,|"
                     "2022-06-03,,,|");
}
END_TEST

START_TEST(ranges_are_inclusive_and_may_be_open)
{
    const dsapi_columns_t *c = series_of(few, NFEW);
    const char *line = "range=:from,:to group=day n=count()";

    ck_assert_str_eq(result(c, line, "2022-06-01", "2022-06-02"), "2022-06-01,"
                                                                  "2|2022-06-"
                                                                  "02,2|");
    ck_assert_str_eq(result(c, line, "2022-06-03", NULL), "2022-06-03,1|");
    ck_assert_str_eq(result(c, line, NULL, "2022-05-31"), "2022-05-31,1|");
    ck_assert_str_eq(result(c, line, "2022-06-04", "9999-12-31"), "");
    ck_assert_str_eq(result(c, line, "0001-01-01", "2022-05-30"), "");
    ck_assert_str_eq(result(c, line, "2022-06-03", "2022-06-01"), "");
    ck_assert_str_eq(result(c, line, "0001-01-01", "9999-12-31"), "2022-05-31,"
                                                                  "1|2022-06-"
                                                                  "01,2|2022-"
                                                                  "06-02,2|"
                                                                  "2022-06-03,"
                                                                  "1|");
}
END_TEST

START_TEST(grains_are_days_weeks_months_quarters_years)
{
    ck_assert_str_eq(ALL("group=week n=count()"), "2022-W22,6|");
    ck_assert_str_eq(ALL("group=month n=count()"), "2022-05,1|2022-06,5|");
    ck_assert_str_eq(ALL("group=quarter n=count()"), "2022-Q2,6|");
    ck_assert_str_eq(ALL("group=year n=count()"), "2022,6|");
    ck_assert_str_eq(ALL("n=count()"), "6|");
}
END_TEST

START_TEST(groups_order_as_they_are_listed)
{
    ck_assert_str_eq(ALL("group=name,month n=count()"), "a,2022-05,1|a,2022-06,"
                                                        "3|b,2022-06,2|");
    ck_assert_str_eq(ALL("group=month,name n=count()"), "2022-05,a,1|2022-06,a,"
                                                        "3|2022-06,b,2|");
    ck_assert_str_eq(ALL("group=name,area n=count()"), "a,1,a,10,4|b,2,b,20,"
                                                       "2|");
}
END_TEST

START_TEST(a_parameter_may_name_the_measure)
{
    ck_assert_str_eq(ALL("group=name s=sum(:m) x=sum(x)"), "a,2.75,109|b,0.75,"
                                                           "2|");
}
END_TEST

START_TEST(windows_reach_back_before_the_range)
{
    const dsapi_columns_t *c = series_of(few, NFEW);

    ck_assert_str_eq(result(c,
                            "range=:from,:to group=day s=sum(x) w=sum(x,2d) "
                            "n=count(7d)",
                            "2022-06-01", NULL),
                     "2022-06-01,3,103,3|2022-06-02,3,6,5|2022-06-03,5,8,6|");
    ck_assert_str_eq(result(c,
                            "range=:from,:to group=name,day w=sum(x,2d) "
                            "m=avg(x,3d,min=3)",
                            "2022-06-02", "2022-06-02"),
                     "a,2022-06-02,4,34.666666666666664|b,2022-06-02,2,|");
    /* they end with the period, or with the range */
    ck_assert_str_eq(result(c, "group=month w=sum(x,1d)", NULL, NULL), "2022-"
                                                                       "05,100|"
                                                                       "2022-"
                                                                       "06,5|");
    ck_assert_str_eq(result(c, "range=:from,:to group=month w=sum(x,1d)", NULL,
                            "2022-06-02"),
                     "2022-05,100|2022-06,3|");
    ck_assert_str_eq(
        result(c, "range=:from,:to group=name w=sum(x,2d)", NULL, "2022-06-01"),
        "a,101|b,2|");
}
END_TEST

START_TEST(periods_are_compared_with_those_before)
{
    const dsapi_columns_t *c = series_of(few, NFEW);

    ck_assert_str_eq(result(c,
                            "range=:from,:to group=day s=sum(x) p=prev(s) "
                            "d=diff(s) g=growth(s)",
                            "2022-06-01", NULL),
                     "2022-06-01,3,100,-97,-0.97|2022-06-02,3,3,0,0|"
                     "2022-06-03,5,3,2,0.6666666666666666|");
    /* the one before is whole, this one is from the range's begin on */
    ck_assert_str_eq(result(c, "range=:from,:to group=month s=sum(x) p=prev(s)",
                            "2022-06-02", NULL),
                     "2022-06,8,100|");
    /* the range's first period is, too, for the next one */
    ck_assert_str_eq(result(c,
                            "range=:from,:to group=week s=sum(x) p=prev(s) "
                            "c=count() pc=prev(c)",
                            "2022-06-02", NULL),
                     "2022-W22,8,,3,|");
    ck_assert_str_eq(result(series_of(weeks, 5),
                            "range=:from,:to group=name,week s=sum(x) p=prev(s)"
                            " d=diff(s)",
                            "2022-06-02", "2022-06-07"),
                     "a,2022-W22,4,1,3|a,2022-W23,16,6,10|b,2022-W23,8,,|");
    ck_assert_str_eq(result(c,
                            "range=:from,:to group=day,name s=sum(x) p=prev(s)",
                            "2022-06-01", "2022-06-02"),
                     "2022-06-01,a,1,100|2022-06-01,b,2,|2022-06-02,a,3,1|"
                     "2022-06-02,b,,2|");
    ck_assert_str_eq(
        result(c, "group=name,month s=sum(x) p=prev(s)", NULL, NULL),
        "a,2022-05,100,|a,2022-06,9,100|b,2022-06,2,|");
}
END_TEST

START_TEST(many_groups_of_few_rows_are_sorted)
{
    enum {
        N = 300
    };

    series_row_t *rows = apr_pcalloc(g_pool, sizeof(series_row_t) * N);
    const char *text;

    for (int i = 0; i < N; i++) {
        /* far apart in time, in any order */
        rows[i] = (series_row_t){
            {apr_psprintf(g_pool, "%04d-01-01", 1 + (i * 7919) % 9000),
             apr_psprintf(g_pool, "%d", i),
             apr_psprintf(g_pool, "n%03d", N - i), NULL, "1", "2"}};
    }
    text =
        result(series_of(rows, N), "group=name,area,day s=sum(x)", NULL, NULL);
    for (int i = N - 1; i >= 0; i--) {
        const char *want = apr_psprintf(g_pool, "n%03d,%d,n%03d,,%04d-01-01,1|",
                                        N - i, i, N - i, 1 + (i * 7919) % 9000);

        ck_assert_msg(strncmp(text, want, strlen(want)) == 0, "%s\n%s", want,
                      text);
        text += strlen(want);
    }
}
END_TEST

/* SQL is the judge: the same over the same rows. */
static void compare_with_sql(const dsapi_columns_t *columns, const pg_t *pg,
                             const char *line, const char *sql)
{
    const char *ours = result(columns, line, "2022-02-10", "2023-01-20");
    const char *theirs = pg_value(pg, "%s", sql);
    const char *a = ours;
    const char *b = theirs;

    while (*a && *b) {
        char *end_a;
        char *end_b;
        double x = strtod(a, &end_a);
        double y = strtod(b, &end_b);

        if (end_a == a || end_b == b) {
            ck_assert_msg(*a == *b, "%s\n%s", a, b);
            a++;
            b++;
            continue;
        }
        ck_assert_msg(fabs(x - y) <= 1e-12 * fabs(y), "%s\n%s", a, b);
        a = end_a;
        b = end_b;
    }
    ck_assert_msg(!*a && !*b, "%s\n%s", ours, theirs);
}

START_TEST(sql_computes_the_same)
{
    pg_t *pg = pg_open();
    dsapi_columns_maker_t *maker =
        dsapi_series_make(series_declare(), 1 << 24, g_pool);
    dsapi_batch_t batch = {.ncalls = 1};
    const dsapi_columns_t *c;
    dsapi_call_t call;
    dsapi_rows_t *rows;
    apr_size_t bytes;
    dsapi_err_t *err;

    pg_run(&rows, &err, pg->db,
           "CREATE TABLE t AS SELECT date '2022-01-01' + d AS day, "
           "a::bigint AS id, 'n' || a AS name, NULL::float8 AS pop, "
           "nullif((d * 7919 + a * 104729) % 1000, 5) / 7.0::float8 AS x, "
           "((d * 31 + a * 17) % 100) / 100.0::float8 AS y "
           "FROM generate_series(0, 500) d, generate_series(1, 9) a "
           "WHERE (d + a) % 11 <> 0");
    pg_run(&rows, &err, pg->db,
           "CREATE VIEW r AS SELECT * FROM t WHERE day BETWEEN "
           "'2022-02-10' AND '2023-01-20'");
    call = pg_call("SELECT * FROM t", 0);
    batch.calls = &call;
    ck_assert_int_eq(dsapi_db_run(&rows, &err, pg->db, &batch, g_pool),
                     APR_SUCCESS);
    ck_assert_int_eq(dsapi_series_take(maker, &err, rows), APR_SUCCESS);
    c = dsapi_series_view(dsapi_series_finish(&bytes, maker), g_pool);
    compare_with_sql(c, pg,
                     "range=:from,:to group=name,month s=sum(x) a=avg(y) "
                     "v=var(x) "
                     "w=wavg(y,x) n=count()",
                     "SELECT string_agg(concat_ws(',', name, m, s, a, v, w, n) "
                     "|| '|', '' "
                     "ORDER BY name, m) FROM (SELECT name, to_char(day, "
                     "'YYYY-MM') AS m, "
                     "sum(x) AS s, avg(y) AS a, var_pop(x) AS v, "
                     "sum(x * y) / sum(x) AS w, count(*) AS n FROM r GROUP BY "
                     "1, 2) q");
    compare_with_sql(c, pg,
                     "range=:from,:to group=week s=sum(x) lo=min(x) hi=max(y)",
                     "SELECT string_agg(concat_ws(',', m, s, lo, hi) || '|', "
                     "'' "
                     "ORDER BY m) FROM (SELECT to_char(day, 'IYYY-\"W\"IW') AS "
                     "m, "
                     "sum(x) AS s, min(x) AS lo, max(y) AS hi FROM r GROUP BY "
                     "1) q");
    compare_with_sql(c, pg, "range=:from,:to group=day a=avg(y,30d)",
                     "SELECT string_agg(day || ',' || (SELECT avg(y) FROM t "
                     "WHERE t.day "
                     "BETWEEN q.day - 29 AND q.day) || '|', '' ORDER BY day) "
                     "FROM (SELECT DISTINCT day FROM r) q");
}
END_TEST

UNIT_SUITE(series_cells, each_aggregate_is_computed,
           variance_may_be_about_another_result, what_is_undefined_is_null,
           a_minimum_of_values_is_asked_for,
           ranges_are_inclusive_and_may_be_open,
           grains_are_days_weeks_months_quarters_years,
           groups_order_as_they_are_listed, a_parameter_may_name_the_measure,
           windows_reach_back_before_the_range,
           periods_are_compared_with_those_before,
           many_groups_of_few_rows_are_sorted, sql_computes_the_same)
