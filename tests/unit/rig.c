/* Workers under test: see rig.h. */
#include "unit/rig.h"

#include <apr_strings.h>

#include "source/client.h"
#include "unit/unit.h"

static void on_event(void *baton, dsapi_event_e event, const char *source,
                     const char *id, const char *text)
{
    hand_t *hand = baton;

    (void)source;
    (void)id;
    hand->told[event]++;
    hand->text[event] = text ? apr_pstrdup(g_pool, text) : NULL;
}

apr_array_header_t *store_of(const char *sql)
{
    static dsapi_param_t key = {.name = "key",
                                .type = {DSAPI_TYPE_TEXT, 0},
                                .in = DSAPI_IN_BODY,
                                .required = 1};
    static dsapi_param_t body = {.name = DSAPI_SOURCE_BODY,
                                 .type = {DSAPI_TYPE_JSON, 0},
                                 .in = DSAPI_IN_BODY};
    apr_array_header_t *params =
        apr_array_make(g_pool, 2, sizeof(dsapi_param_t *));
    apr_array_header_t *store =
        apr_array_make(g_pool, 4, sizeof(dsapi_statement_t));
    dsapi_err_t *err = NULL;

    APR_ARRAY_PUSH(params, dsapi_param_t *) = &key;
    APR_ARRAY_PUSH(params, dsapi_param_t *) = &body;
    ck_assert_int_eq(
        dsapi_route_statements(store, &err, sql, params, g_pool, g_pool),
        APR_SUCCESS);
    return store;
}

/** A source "t/data" of one parameter, "key". */
static void make_source(rig_t *rig)
{
    dsapi_template_t *url;
    dsapi_err_t *err = NULL;
    apr_array_header_t *params =
        apr_array_make(g_pool, 1, sizeof(dsapi_param_t *));
    apr_array_header_t *hosts = apr_array_make(g_pool, 1, sizeof(dsapi_host_t));
    dsapi_param_t *key = apr_pcalloc(g_pool, sizeof(*key));

    key->name = "key";
    key->type.kind = DSAPI_TYPE_TEXT;
    key->in = DSAPI_IN_BODY;
    key->required = 1;
    APR_ARRAY_PUSH(params, dsapi_param_t *) = key;
    ck_assert_int_eq(
        dsapi_source_template(
            &url, &err,
            apr_psprintf(g_pool, "http://127.0.0.1:%d/x/{key}", rig->stub),
            g_pool, g_pool),
        APR_SUCCESS);
    APR_ARRAY_PUSH(hosts, dsapi_host_t) = (dsapi_host_t){"127.0.0.1", 1};
    rig->source = (dsapi_source_t){
        .name = "t/data",
        .params = params,
        .url = url,
        .hosts = hosts,
        .expect = dsapi_expect_make(g_pool),
        .headers = apr_array_make(g_pool, 1, sizeof(char *)),
        .store = store_of(STORE),
        .retry = {3, apr_time_from_msec(20), apr_time_from_msec(50)},
        .timeout = apr_time_from_sec(30),
        .connect_timeout = apr_time_from_sec(30),
        .stall_timeout = apr_time_from_sec(30),
        .store_timeout = apr_time_from_sec(30),
        .max_body_bytes = 1000000};
    rig->sources = apr_array_make(g_pool, 1, sizeof(dsapi_source_t *));
    APR_ARRAY_PUSH(rig->sources, dsapi_source_t *) = &rig->source;
}

rig_t *rig_make(int bare)
{
    rig_t *rig = apr_pcalloc(g_pool, sizeof(*rig));

    dsapi_client_global_init();
    rig->pg = pg_open();
    rig->stub = stub_start();
    pg_value(rig->pg, "CREATE TABLE stored (key text, body json)");
    if (!bare) {
        pg_apply(rig->pg, "core/schema.sql");
    }
    make_source(rig);
    return rig;
}

void answer_always(const rig_t *rig)
{
    stub_answer(rig->stub, "{\"path\":\"/x/\",\"times\":0,\"body\":\"[1, 2, "
                           "3]\","
                           "\"headers\":{\"Content-Type\":\"application/"
                           "json\"}}");
}

hand_t *hire(rig_t *rig)
{
    hand_t *hand = &rig->hands[rig->nhands++];

    apr_pool_create(&hand->pool, g_pool);
    hand->config = (dsapi_worker_config_t){.conninfo = rig->pg->conninfo,
                                           .sources = rig->sources,
                                           .user_agent = "unit",
                                           .concurrency = 4,
                                           .prepare = 1,
                                           .lease = apr_time_from_sec(1),
                                           .heartbeat = apr_time_from_msec(250),
                                           .poll = apr_time_from_sec(60),
                                           .event = on_event,
                                           .baton = hand};
    hand->worker = dsapi_worker_make(&hand->config, hand->pool);
    ck_assert_ptr_nonnull(hand->worker);
    return hand;
}

void fire(hand_t *hand)
{
    apr_pool_destroy(hand->pool);
    hand->worker = NULL;
}

void work_for(dsapi_worker_t *worker, apr_interval_time_t t)
{
    apr_time_t end = apr_time_now() + t;
    apr_time_t now;

    while ((now = apr_time_now()) < end) {
        dsapi_worker_turn(worker, end - now);
    }
}

void turn(rig_t *rig)
{
    for (int i = 0; i < rig->nhands; i++) {
        if (rig->hands[i].worker) {
            work_for(rig->hands[i].worker, TURN);
        }
    }
}

void drive(rig_t *rig, const char *want, const char *sql)
{
    apr_time_t end = apr_time_now() + PATIENCE;
    const char *value = NULL;

    do {
        turn(rig);
        ck_assert_msg(apr_time_now() < end, "%s: still %s, not %s", sql,
                      value ? value : "NULL", want);
        value = pg_value(rig->pg, "%s", sql);
    } while (!value || strcmp(value, want) != 0);
}

void drive_told(rig_t *rig, const hand_t *hand, dsapi_event_e event, int times)
{
    apr_time_t end = apr_time_now() + PATIENCE;

    while (hand->told[event] < times) {
        turn(rig);
        ck_assert_msg(apr_time_now() < end, "event %d: %d of %d", (int)event,
                      hand->told[event], times);
    }
}

void drive_for(rig_t *rig, apr_interval_time_t t)
{
    apr_time_t end = apr_time_now() + t;

    while (apr_time_now() < end) {
        turn(rig);
    }
}

void drive_held(rig_t *rig, int held)
{
    apr_time_t end = apr_time_now() + PATIENCE;

    do {
        turn(rig);
        ck_assert(apr_time_now() < end);
    } while (!stub_holds(rig->stub, held));
}

void hold_next(const rig_t *rig)
{
    stub_answer(rig->stub, "{\"hold\":true,\"body\":\"[9]\",\"headers\":"
                           "{\"Content-Type\":\"application/json\"}}");
}

const char *enqueue(const rig_t *rig, const char *key, int attempts)
{
    return pg_value(rig->pg,
                    "SELECT id FROM dsapi.enqueue('t/data', "
                    "'{\"key\":\"%s\"}', %d)",
                    key, attempts);
}

void enqueue_many(const rig_t *rig, int n)
{
    pg_value(rig->pg,
             "SELECT count(*) FROM generate_series(1, %d) i, "
             "dsapi.enqueue('t/data', jsonb_build_object('key', i::text), 3)",
             n);
}

const char *job_of(const rig_t *rig)
{
    return pg_value(rig->pg, "SELECT concat_ws(' ', state, attempts, error) "
                             "FROM dsapi.job ORDER BY id DESC LIMIT 1");
}

const char *stored(const rig_t *rig)
{
    return pg_value(rig->pg, "SELECT count(*) FROM stored");
}
