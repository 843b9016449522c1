/* Housekeeping and schedules: see keeper.h. */
#include "source/keeper.h"

#include <apr_strings.h>
#include <string.h>

#include "route/result.h"
#include "source/queue.h"

/* statement_timeout of the queue's own statements. */
#define QUERY_LIMIT apr_time_from_sec(5)

/* How often the house is kept; and the next batch, where there is more to
 * remove, or somebody else runs a tick. */
#define KEEP_EVERY apr_time_from_sec(60)
#define KEEP_NEXT  apr_time_from_sec(1)

/* How often a tick is tried anew at once after a deadlock, or a statement that
 * has to be prepared again. */
#define TRIES_MAX 2

typedef enum step_e {
    STEP_REST,    /* nothing is begun: the house, or a tick, is next */
    STEP_HOUSE,   /* purge and plan */
    STEP_TICK,    /* BEGIN and a tick that is due */
    STEP_EACH,    /* each=, in the tick's transaction */
    STEP_ENQUEUE, /* its jobs, and COMMIT */
    STEP_FAILED   /* the tick's error is to be noted */
} step_e;

struct dsapi_keeper_t {
    const apr_array_header_t *sources;
    apr_array_header_t *schedules; /* of const dsapi_schedule_t * */
    dsapi_queue_plan_t plan;       /* the same */
    step_e step;
    apr_time_t house_at;
    apr_time_t tick_at;
    const dsapi_schedule_t *schedule; /* whose tick it is */
    apr_array_header_t *params;       /* of its jobs, const char * */
    const char *today;                /* there */
    const char *error;                /* of STEP_FAILED */
    int tries;
    apr_pool_t *pool; /* of a tick */
};

dsapi_keeper_t *dsapi_keeper_make(const apr_array_header_t *sources,
                                  apr_pool_t *pool)
{
    dsapi_keeper_t *keeper = apr_pcalloc(pool, sizeof(*keeper));
    apr_array_header_t *names = apr_array_make(pool, 4, sizeof(char *));
    apr_array_header_t *rules = apr_array_make(pool, 4, sizeof(char *));
    apr_array_header_t *zones = apr_array_make(pool, 4, sizeof(char *));

    keeper->sources = sources;
    keeper->schedules = apr_array_make(pool, 4, sizeof(void *));
    for (int i = 0; i < sources->nelts; i++) {
        const dsapi_source_t *source =
            APR_ARRAY_IDX(sources, i, const dsapi_source_t *);

        for (int j = 0; source->schedules && j < source->schedules->nelts;
             j++) {
            const dsapi_schedule_t *schedule =
                APR_ARRAY_IDX(source->schedules, j, const dsapi_schedule_t *);

            APR_ARRAY_PUSH(keeper->schedules, const dsapi_schedule_t *) =
                schedule;
            APR_ARRAY_PUSH(names, const char *) = schedule->name;
            APR_ARRAY_PUSH(rules, const char *) = schedule->rule;
            APR_ARRAY_PUSH(zones, const char *) = schedule->zone;
        }
    }
    keeper->plan.names = dsapi_base_array_literal(names, pool);
    keeper->plan.rules = dsapi_base_array_literal(rules, pool);
    keeper->plan.zones = dsapi_base_array_literal(zones, pool);
    apr_pool_create(&keeper->pool, pool);
    apr_pool_tag(keeper->pool, "dsapi_keeper");
    dsapi_keeper_reset(keeper);
    return keeper;
}

void dsapi_keeper_reset(dsapi_keeper_t *keeper)
{
    keeper->step = STEP_REST;
    keeper->house_at = 0;
    keeper->tick_at = APR_INT64_MAX;
}

int dsapi_keeper_busy(const dsapi_keeper_t *keeper)
{
    return keeper->step == STEP_EACH || keeper->step == STEP_ENQUEUE;
}

apr_time_t dsapi_keeper_due(const dsapi_keeper_t *keeper)
{
    if (keeper->step != STEP_REST) {
        return 0;
    }
    return keeper->tick_at < keeper->house_at ? keeper->tick_at
                                              : keeper->house_at;
}

/* The jobs of a tick: what each= gives, or COMMIT with them. */
static apr_interval_time_t fill_jobs(const dsapi_keeper_t *keeper,
                                     dsapi_link_t *link, apr_pool_t *pool)
{
    const dsapi_source_t *source = keeper->schedule->source;

    dsapi_queue_limit(dsapi_link_call(link), source->store_timeout, pool);
    if (keeper->step == STEP_EACH) {
        dsapi_queue_call(dsapi_link_call(link), pool,
                         keeper->schedule->each->text, 0);
    }
    else {
        dsapi_queue_call(dsapi_link_call(link), pool,
                         "SELECT count(*) FROM dsapi.enqueue_all($1, "
                         "$2::jsonb[], "
                         "$3::integer, NULL, NULL, NULL)",
                         3, source->name,
                         dsapi_base_array_literal(keeper->params, pool),
                         apr_itoa(pool, source->retry.attempts));
        dsapi_queue_commit(dsapi_link_call(link), pool);
    }
    return source->store_timeout + QUERY_LIMIT;
}

apr_interval_time_t dsapi_keeper_fill(dsapi_keeper_t *keeper,
                                      dsapi_link_t *link, apr_pool_t *pool)
{
    if (keeper->step == STEP_REST) {
        keeper->step =
            keeper->tick_at <= dsapi_link_clock() ? STEP_TICK : STEP_HOUSE;
    }
    switch (keeper->step) {
    case STEP_TICK:
        keeper->tick_at = APR_INT64_MAX;
        dsapi_queue_begin(dsapi_link_call(link), pool);
        dsapi_queue_limit(dsapi_link_call(link), QUERY_LIMIT, pool);
        dsapi_queue_call(dsapi_link_call(link), pool,
                         "SELECT name, today FROM dsapi.tick($1::text[])", 1,
                         keeper->plan.names);
        break;
    case STEP_EACH:
    case STEP_ENQUEUE:
        return fill_jobs(keeper, link, pool);
    case STEP_FAILED:
        dsapi_queue_limit(dsapi_link_call(link), QUERY_LIMIT, pool);
        dsapi_queue_call(dsapi_link_call(link), pool,
                         "SELECT tick_failed FROM dsapi.tick_failed($1, $2)", 2,
                         keeper->schedule->name, keeper->error);
        break;
    case STEP_HOUSE:
    case STEP_REST:
        keeper->house_at = dsapi_link_clock() + KEEP_EVERY;
        keeper->tick_at = APR_INT64_MAX;
        dsapi_queue_limit(dsapi_link_call(link), QUERY_LIMIT, pool);
        dsapi_queue_keep(dsapi_link_call(link), keeper->sources, &keeper->plan,
                         pool);
        break;
    }
    return QUERY_LIMIT;
}

/* Ends of batches */

static void take_house(dsapi_keeper_t *keeper, const dsapi_rows_t *rows)
{
    const char *more = dsapi_rows_get(rows, "purge");
    const char *due_in = dsapi_rows_get(rows, "plan");

    keeper->step = STEP_REST;
    if (more && *more == 't') {
        keeper->house_at = dsapi_link_clock() + KEEP_NEXT;
    }
    if (due_in) {
        keeper->tick_at = dsapi_link_clock() + apr_atoi64(due_in);
    }
}

/* The tick cannot be run. */
static void fail_tick(dsapi_keeper_t *keeper, const char *error)
{
    keeper->step = STEP_FAILED;
    keeper->error = apr_pstrdup(keeper->pool, error);
}

/* One more job. @return 1; 0: it cannot be one */
static int add_job(dsapi_keeper_t *keeper, const char *today,
                   const dsapi_json_slice_t *row)
{
    const char *params;
    dsapi_err_t *err;

    if (dsapi_schedule_params(&params, &err, keeper->schedule, today, row,
                              keeper->pool) != APR_SUCCESS) {
        fail_tick(keeper, err->detail);
        return 0;
    }
    APR_ARRAY_PUSH(keeper->params, const char *) = params;
    return 1;
}

static void take_tick(dsapi_keeper_t *keeper, const dsapi_rows_t *rows)
{
    const char *name = dsapi_rows_get(rows, "name");

    apr_pool_clear(keeper->pool);
    keeper->params = apr_array_make(keeper->pool, 16, sizeof(const char *));
    keeper->schedule = NULL;
    for (int i = 0; name && i < keeper->schedules->nelts; i++) {
        const dsapi_schedule_t *schedule =
            APR_ARRAY_IDX(keeper->schedules, i, const dsapi_schedule_t *);

        if (strcmp(schedule->name, name) == 0) {
            keeper->schedule = schedule;
        }
    }
    if (!keeper->schedule) { /* somebody else runs it */
        keeper->step = STEP_REST;
        keeper->house_at = dsapi_link_clock() + KEEP_NEXT;
        return;
    }
    keeper->today = apr_pstrdup(keeper->pool, dsapi_rows_get(rows, "today"));
    if (keeper->schedule->each) {
        keeper->step = STEP_EACH;
    }
    else if (add_job(keeper, keeper->today, NULL)) {
        keeper->step = STEP_ENQUEUE;
    }
}

static void take_each(dsapi_keeper_t *keeper, const dsapi_rows_t *rows,
                      apr_pool_t *pool)
{
    dsapi_plan_t *plan;
    dsapi_err_t *err;

    if (dsapi_route_plan_rows(&plan, &err, rows, pool) != APR_SUCCESS) {
        fail_tick(keeper, err->internal ? err->internal : err->detail);
        return;
    }
    for (int i = 0; i < dsapi_rows_count(rows); i++) {
        dsapi_buf_t *buf = dsapi_buf_make(256, pool);
        dsapi_json_slice_t row;

        dsapi_route_write_nth(buf, plan, rows, i);
        if (dsapi_json_check(&row, &err, buf->data, buf->len_bytes, pool) !=
            APR_SUCCESS) {
            fail_tick(keeper, err->detail);
            return;
        }
        if (!add_job(keeper, keeper->today, &row)) {
            keeper->error =
                apr_psprintf(keeper->pool, "row %d: %s", i + 1, keeper->error);
            return;
        }
    }
    keeper->step = STEP_ENQUEUE;
}

/* A tick has ended, well or not: when is the next? */
static void end_tick(dsapi_keeper_t *keeper)
{
    keeper->step = STEP_REST;
    keeper->house_at = 0;
}

void dsapi_keeper_take(dsapi_keeper_news_t *pnews, dsapi_keeper_t *keeper,
                       const dsapi_rows_t *rows, apr_pool_t *pool)
{
    const char *is_new;

    memset(pnews, 0, sizeof(*pnews));
    switch (keeper->step) {
    case STEP_HOUSE:
    case STEP_REST:
        take_house(keeper, rows);
        break;
    case STEP_TICK:
        take_tick(keeper, rows);
        break;
    case STEP_EACH:
        take_each(keeper, rows, pool);
        break;
    case STEP_ENQUEUE:
        keeper->tries = 0;
        pnews->schedule = keeper->schedule;
        pnews->text = apr_itoa(keeper->pool, keeper->params->nelts);
        end_tick(keeper);
        break;
    case STEP_FAILED:
        keeper->tries = 0;
        is_new = dsapi_rows_get(rows, "tick_failed");
        pnews->schedule = is_new && *is_new == 't' ? keeper->schedule : NULL;
        pnews->failed = 1;
        pnews->text = keeper->error;
        end_tick(keeper);
        break;
    }
}

int dsapi_keeper_fail(dsapi_keeper_t *keeper, const dsapi_err_t *err)
{
    if (!dsapi_keeper_busy(keeper)) { /* the queue's own */
        keeper->step = STEP_REST;
        keeper->house_at = dsapi_link_clock() + KEEP_EVERY;
        return 1;
    }
    if ((err->rv == DSAPI_EBUSY || dsapi_db_stale(err)) &&
        keeper->tries < TRIES_MAX) {
        keeper->tries++;
        end_tick(keeper);
    }
    else {
        fail_tick(keeper, err->internal ? err->internal : err->detail);
    }
    return 0;
}
