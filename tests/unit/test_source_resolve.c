/* src/source/resolve.c: what the database knows of a job's parameters. */
#include "source/resolve.h"

#include <apr_strings.h>

#include "unit/rig.h"
#include "unit/unit.h"

/** SQL over :key, :id and :area. */
static apr_array_header_t *store_over_columns(const rig_t *rig)
{
    static dsapi_param_t id = {.name = "id"};
    static dsapi_param_t area = {.name = "area"};
    apr_array_header_t *params = apr_array_copy(g_pool, rig->source.params);
    apr_array_header_t *store =
        apr_array_make(g_pool, 1, sizeof(dsapi_statement_t));
    dsapi_err_t *err;

    APR_ARRAY_PUSH(params, dsapi_param_t *) = &id;
    APR_ARRAY_PUSH(params, dsapi_param_t *) = &area;
    ck_assert_int_eq(dsapi_route_statements(store, &err,
                                            "INSERT INTO stored SELECT :key, "
                                            "json_build_array(:id, :area)",
                                            params, g_pool, g_pool),
                     APR_SUCCESS);
    return store;
}

/** The rig's source finds :id and :area by SQL; an id stands in the URL. */
static rig_t *rig_resolving(const char *sql)
{
    rig_t *rig = rig_make(0);
    apr_array_header_t *columns = apr_array_make(g_pool, 2, sizeof(char *));
    dsapi_template_t *url;
    dsapi_err_t *err;

    APR_ARRAY_PUSH(columns, const char *) = "id";
    APR_ARRAY_PUSH(columns, const char *) = "area";
    rig->source.resolve = store_of(sql);
    rig->source.columns = columns;
    ck_assert_int_eq(
        dsapi_source_template(
            &url, &err,
            apr_psprintf(g_pool, "http://127.0.0.1:%d/x/{id}", rig->stub),
            g_pool, g_pool),
        APR_SUCCESS);
    rig->source.url = url;
    rig->source.store = store_over_columns(rig);
    answer_always(rig);
    hire(rig);
    return rig;
}

START_TEST(columns_are_values_of_their_type)
{
    rig_t *rig = rig_resolving("SELECT 7 AS id, NULL::numeric AS area, 0 AS x, "
                               "'b' AS key WHERE :key = 'a'");

    enqueue(rig, "a", 1);
    drive(rig, "succeeded", STATE);
    ck_assert_str_eq(pg_value(rig->pg, "SELECT concat(key, body) FROM stored"),
                     "a[7, null]");
    ck_assert_ptr_nonnull(
        strstr(stub_ask(rig->stub, "GET", "/_stub/log", ""), "/x/7"));
}
END_TEST

START_TEST(anything_but_one_clear_row_fails)
{
    static const char *const cases[][2] = {
        {"SELECT 1 AS id, 2 AS area WHERE false", "failed 1 DsapiResolve has "
                                                  "no row for these "
                                                  "parameters"},
        {"SELECT 1 AS id, 2 AS area FROM generate_series(1, 2)", "failed 1 "
                                                                 "DsapiResolve "
                                                                 "is "
                                                                 "ambiguous: "
                                                                 "it has "
                                                                 "several rows "
                                                                 "for these "
                                                                 "parameters"},
        {"SELECT 1 AS id", "failed 1 DsapiResolve has no column 'area'"},
        {"SELECT 1 AS id, 2 AS area, 3 AS id", "failed 1 DsapiResolve is "
                                               "ambiguous: it has two columns "
                                               "'id'"},
        {"SELECT NULL::int AS id, 2 AS area", "failed 1 no value for 'id'"}};
    rig_t *rig = rig_resolving(cases[0][0]);

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        rig->source.resolve = store_of(cases[i][0]);
        enqueue(rig, apr_itoa(g_pool, (int)i), 3);
        drive(rig, cases[i][1],
              "SELECT concat_ws(' ', state, attempts, error) FROM dsapi.job "
              "ORDER BY id DESC LIMIT 1");
    }
    ck_assert_str_eq(stored(rig), "0");
}
END_TEST

START_TEST(a_job_that_is_lost_meanwhile_is_left_alone)
{
    rig_t *rig = rig_resolving("SELECT 7 AS id, 1 AS area, "
                               "pg_advisory_xact_lock_shared(7)");

    pg_value(rig->pg, "SELECT pg_advisory_lock(7)");
    enqueue(rig, "a", 3);
    drive(rig, "1", WAITING);
    pg_value(rig->pg, "UPDATE dsapi.job SET lease_token = gen_random_uuid(), "
                      "lease_until = now() + '1h'");
    drive_told(rig, &rig->hands[0], DSAPI_EVENT_LOST, 1);
    pg_value(rig->pg, "SELECT pg_advisory_unlock(7)");
    drive(rig, "0", WAITING);
    enqueue(rig, "b", 3);
    drive(rig, "succeeded", STATE);
    ck_assert_str_eq(stored(rig), "1");
}
END_TEST

UNIT_SUITE(source_resolve, columns_are_values_of_their_type,
           anything_but_one_clear_row_fails,
           a_job_that_is_lost_meanwhile_is_left_alone)
