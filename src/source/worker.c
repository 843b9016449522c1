/* The worker: see worker.h. */
#include "source/worker.h"

#include <apr_strings.h>
#include <string.h>

#include "route/result.h"
#include "source/client.h"
#include "source/job.h"
#include "source/keeper.h"
#include "source/link.h"
#include "source/queue.h"
#include "source/resolve.h"
#include "source/spare.h"

/* statement_timeout of the queue's own statements, so that a lock on its
 * tables leaves no trail of waiting backends. */
#define QUERY_LIMIT apr_time_from_sec(5)

/* How often lost leases are looked for, and jobs that nobody has announced;
 * besides, when the next lease runs out, but no sooner than in so long. */
#define REAP_EVERY apr_time_from_sec(5)
#define REAP_AGAIN apr_time_from_msec(500)

/* How long the queue is left alone after its SQL has failed; a heartbeat
 * cannot wait so long. */
#define QUEUE_PAUSE apr_time_from_sec(2)
#define BEAT_PAUSE  apr_time_from_sec(1)

/* One descriptor can be waited for: how long the first connection may have to
 * wait while the second has something under way. */
#define SPARE_WAIT apr_time_from_msec(10)

/* Jobs of a source with a rate are claimed no more often than that: what has
 * become free meanwhile is taken at once. */
#define SLOT_MIN apr_time_from_msec(50)

typedef enum op_e {
    OP_NONE,
    OP_LISTEN,
    OP_CLAIM,
    OP_HEARTBEAT,
    OP_REAP,
    OP_KEEP,    /* the keeper's */
    OP_RESOLVE, /* DsapiResolve */
    OP_SLOT,    /* the rate's, for a next page */
    OP_STORE,   /* BEGIN to the last statement of the store */
    OP_FINISH,  /* the same transaction's end */
    OP_ROLLBACK,
    OP_FAIL,
    OP_RELEASE
} op_e;

struct dsapi_worker_t {
    const dsapi_worker_config_t *config;
    apr_pool_t *pool;
    dsapi_client_t *client;
    dsapi_job_t *jobs; /* in the order they were claimed */
    int njobs;

    dsapi_link_t *link;
    int listening;
    int told_lost; /* the administrator knows that the database is away */
    apr_time_t listen_at; /* where listening has failed */

    op_e op; /* under way on link */
    dsapi_job_t *op_job;
    apr_array_header_t *beat_ids; /* of OP_HEARTBEAT */
    apr_pool_t *op_pool;          /* the link's, of the batch */
    dsapi_job_t *storing;         /* its transaction is open */

    dsapi_spare_t *spare; /* for the time that link stores */
    dsapi_keeper_t *keeper;

    int stopping;
    int notified; /* there may be something to claim */
    apr_time_t claim_at;
    apr_time_t beat_at;
    apr_time_t reap_at;
    int op_errors; /* in a row, of the queue's SQL */
    op_e told_op;  /* whose error has been told last */
    char told_state[6];
};

static void tell(const dsapi_worker_t *w, dsapi_event_e event,
                 const dsapi_job_t *job, const char *text)
{
    w->config->event(w->config->baton, event, job ? job->source->name : NULL,
                     job ? job->id : NULL, text);
}

dsapi_worker_t *dsapi_worker_make(const dsapi_worker_config_t *config,
                                  apr_pool_t *pool)
{
    dsapi_worker_t *w = apr_pcalloc(pool, sizeof(*w));

    w->config = config;
    w->pool = pool;
    w->link = dsapi_link_make(config->conninfo, config->prepare, pool);
    w->op_pool = dsapi_link_begin(w->link);
    w->spare = dsapi_spare_make(config->conninfo, config->prepare, pool);
    w->keeper = dsapi_keeper_make(config->sources, pool);
    w->client = dsapi_client_make(config->user_agent, pool);
    return w->client ? w : NULL;
}

static apr_time_t earlier(apr_time_t a, apr_time_t b)
{
    return a < b ? a : b;
}

/* Jobs */

/* There is something to be claimed in so long. */
static void expect_job(dsapi_worker_t *w, apr_interval_time_t wait)
{
    apr_time_t due = dsapi_link_clock() + (wait > 0 ? wait : 0);

    if (due < w->claim_at) {
        w->claim_at = due;
    }
}

static void drop_job(dsapi_worker_t *w, dsapi_job_t *job)
{
    if (w->storing == job) {
        w->storing = NULL;
    }
    if (w->op_job == job) {
        w->op_job = NULL; /* its batch ends for nobody */
    }
    if (job && job->source->concurrency > 0) {
        w->notified = 1; /* another may start in its place */
    }
    dsapi_job_drop(&w->jobs, job);
    w->njobs--;
}

/* Ask the upstream, if that is what the job waits for. */
static void fetch(dsapi_worker_t *w, dsapi_job_t *job)
{
    if (job && job->phase == DSAPI_PHASE_FETCH && !w->stopping) {
        dsapi_job_fetch(job, w->client);
    }
}

/* One claimed row becomes a job. */
static void take_job(dsapi_worker_t *w, const dsapi_rows_t *rows, int row)
{
    dsapi_job_t *job =
        dsapi_job_claimed(w->config->sources, rows, row, w->pool);

    if (!job) {
        return; /* the claim asks for ours only */
    }
    dsapi_job_append(&w->jobs, job);
    w->njobs++;
    if (job->source->every > 0) {
        expect_job(w, job->source->every > SLOT_MIN ? job->source->every
                                                    : SLOT_MIN);
    }
    if (!w->stopping) { /* or else it is given back at once */
        tell(w, DSAPI_EVENT_CLAIMED, job, NULL);
        dsapi_job_start(job);
        fetch(w, job);
    }
}

/* Transfers that have ended. @return how many */
static int end_transfers(dsapi_worker_t *w)
{
    dsapi_response_t resp;
    dsapi_job_t *job;
    int n = 0;

    while ((job = dsapi_client_next_done(&resp, w->client))) {
        dsapi_job_take(job, &resp);
        n++;
    }
    return n;
}

/* The database */

/* The connection is gone. An open transaction is gone with it, or committed:
 * the store is begun anew, and finds out by the token. */
static void lost_db(dsapi_worker_t *w, const char *why)
{
    if (!w->told_lost) {
        tell(w, DSAPI_EVENT_DB_LOST, NULL, why);
        w->told_lost = 1;
    }
    w->storing = NULL;
    w->op = OP_NONE;
    w->op_job = NULL;
    w->listening = 0;
    dsapi_keeper_reset(w->keeper);
}

/* @return 1: connected */
static int connect_db(dsapi_worker_t *w)
{
    const char *why;
    apr_status_t rv = dsapi_link_connect(&why, w->link);

    if (rv != APR_SUCCESS) {
        if (rv != APR_EINPROGRESS) {
            lost_db(w, why);
        }
        return 0;
    }
    w->notified = 1; /* whatever came while we were away */
    w->beat_at = w->reap_at = w->listen_at = 0;
    tell(w, DSAPI_EVENT_CONNECTED, NULL, NULL);
    return 1;
}

/* A new call in the batch that is being put together. */
static dsapi_call_t *push_call(dsapi_worker_t *w)
{
    return dsapi_link_call(w->link);
}

static void begin_batch(dsapi_worker_t *w)
{
    w->op_pool = dsapi_link_begin(w->link);
}

/* A batch that is a transaction by itself. */
static void begin_query(dsapi_worker_t *w)
{
    begin_batch(w);
    dsapi_queue_limit(push_call(w), QUERY_LIMIT, w->op_pool);
}

static void send_batch(dsapi_worker_t *w, op_e op, dsapi_job_t *job,
                       apr_interval_time_t limit)
{
    const char *why;

    w->op = op;
    w->op_job = job;
    dsapi_db_set_json(dsapi_link_db(w->link),
                      op == OP_STORE ? dsapi_route_as_json : NULL);
    if (dsapi_link_send(&why, w->link, limit) != APR_SUCCESS) {
        lost_db(w, why);
    }
}

/* A heartbeat or a release. */
static void send_for_all(dsapi_worker_t *w, op_e op)
{
    dsapi_spare_need_t need = {.jobs = w->jobs,
                               .lease = w->config->lease,
                               .release = op == OP_RELEASE};

    begin_query(w);
    dsapi_spare_call(push_call(w), &w->beat_ids, &need, w->op_pool);
    w->beat_at = dsapi_link_clock() + w->config->heartbeat;
    send_batch(w, op, NULL, QUERY_LIMIT);
}

/* SQL of a job's own, or about its next page. */
static void send_sql(dsapi_worker_t *w, op_e op, dsapi_job_t *job)
{
    begin_batch(w);
    send_batch(w, op, job,
               op == OP_STORE ? dsapi_job_put_store(w->link, job, w->op_pool)
               : op == OP_RESOLVE
                   ? dsapi_resolve_put(w->link, job, w->op_pool)
                   : dsapi_job_put_slot(w->link, job, w->op_pool));
}

static void send_finish(dsapi_worker_t *w)
{
    dsapi_job_t *job = w->storing;

    begin_batch(w);
    dsapi_job_put_finish(w->link, job, w->op_pool);
    dsapi_queue_commit(push_call(w), w->op_pool);
    send_batch(w, OP_FINISH, job, job->source->store_timeout);
}

static void send_fail(dsapi_worker_t *w, dsapi_job_t *job)
{
    begin_query(w);
    dsapi_job_put_fail(w->link, job, w->op_pool);
    send_batch(w, OP_FAIL, job, QUERY_LIMIT);
}

static void send_claim(dsapi_worker_t *w, apr_time_t now)
{
    begin_query(w);
    dsapi_queue_claim(push_call(w), w->config->sources,
                      w->config->concurrency - w->njobs, w->config->lease,
                      w->op_pool);
    w->notified = 0;
    if (now >= w->claim_at) { /* else something is expected then */
        w->claim_at = now + w->config->poll;
    }
    if (w->njobs == 0) {
        w->beat_at = now + w->config->heartbeat;
    }
    send_batch(w, OP_CLAIM, NULL, QUERY_LIMIT);
}

static void send_keep(dsapi_worker_t *w)
{
    begin_batch(w);
    send_batch(w, OP_KEEP, NULL,
               dsapi_keeper_fill(w->keeper, w->link, w->op_pool));
}

/* What concerns the connection itself. @return 1: it was sent */
static int send_upkeep(dsapi_worker_t *w, apr_time_t now)
{
    if (w->storing) {
        send_finish(w);
    }
    else if (dsapi_keeper_busy(w->keeper)) {
        send_keep(w);
    }
    else if (!dsapi_db_idle(dsapi_link_db(w->link))) {
        begin_batch(w);
        dsapi_queue_rollback(push_call(w), w->op_pool);
        send_batch(w, OP_ROLLBACK, NULL, QUERY_LIMIT);
    }
    else if (!w->listening && now >= w->listen_at) {
        begin_query(w);
        dsapi_queue_listen(push_call(w), w->op_pool);
        send_batch(w, OP_LISTEN, NULL, QUERY_LIMIT);
    }
    else {
        return 0;
    }
    return 1;
}

/* The most urgent thing to ask of the database. @return 1: it was sent */
static int send_next(dsapi_worker_t *w)
{
    apr_time_t now = dsapi_link_clock();
    dsapi_job_t *job;

    if (send_upkeep(w, now)) {
        return 1;
    }
    if (dsapi_spare_asked(w->spare)) {
        return 0; /* about these jobs: one at a time */
    }
    if ((job = dsapi_job_in(w->jobs, DSAPI_PHASE_FAIL))) {
        send_fail(w, job);
    }
    else if (w->stopping && w->jobs) {
        send_for_all(w, OP_RELEASE);
    }
    else if (w->jobs && now >= w->beat_at) {
        send_for_all(w, OP_HEARTBEAT);
    }
    else if ((job = dsapi_job_in(w->jobs, DSAPI_PHASE_STORE))) {
        send_sql(w, OP_STORE, job);
    }
    else if ((job = dsapi_job_in(w->jobs, DSAPI_PHASE_SLOT))) {
        send_sql(w, OP_SLOT, job);
    }
    else if ((job = dsapi_job_in(w->jobs, DSAPI_PHASE_RESOLVE))) {
        send_sql(w, OP_RESOLVE, job);
    }
    else if (!w->stopping && now >= w->reap_at) {
        begin_query(w);
        dsapi_queue_reap(push_call(w), w->config->sources, w->op_pool);
        w->reap_at = now + REAP_EVERY;
        send_batch(w, OP_REAP, NULL, QUERY_LIMIT);
    }
    else if (!w->stopping && w->njobs < w->config->concurrency &&
             (w->notified || now >= w->claim_at)) {
        send_claim(w, now);
    }
    else if (!w->stopping && now >= dsapi_keeper_due(w->keeper)) {
        send_keep(w);
    }
    else {
        return 0;
    }
    return 1;
}

/* Ends of batches */

/* Jobs that were lost, or given back where we stop. */
static void drop_gone(dsapi_worker_t *w, const apr_array_header_t *gone)
{
    for (int i = 0; i < gone->nelts; i++) {
        dsapi_job_t *job =
            dsapi_job_of(w->jobs, APR_ARRAY_IDX(gone, i, const char *));

        if (job && !w->stopping) {
            tell(w, DSAPI_EVENT_LOST, job, NULL);
        }
        if (job) {
            drop_job(w, job);
        }
    }
}

/* The data is in; its row becomes the job's result. */
static void end_store(dsapi_worker_t *w, dsapi_job_t *job,
                      const dsapi_rows_t *rows)
{
    const char *mistake = dsapi_job_take_result(job, rows);

    if (mistake) {
        tell(w, DSAPI_EVENT_QUEUE, job, mistake);
    }
    w->storing = job;
}

/* What was stored is committed. */
static void end_finish(dsapi_worker_t *w, dsapi_job_t *job)
{
    if (job->next_page) {
        w->storing = NULL;
        dsapi_job_turn_page(job);
        fetch(w, job);
        return;
    }
    tell(w, DSAPI_EVENT_SUCCEEDED, job, job->result);
    drop_job(w, job);
}

static void end_fail(dsapi_worker_t *w, dsapi_job_t *job,
                     const dsapi_rows_t *rows)
{
    const char *state = dsapi_rows_get(rows, "fail");

    if (!state) {
        tell(w, DSAPI_EVENT_LOST, job, NULL);
    }
    else if (strcmp(state, "failed") == 0) {
        tell(w, DSAPI_EVENT_FAILED, job, job->error);
    }
    else {
        tell(w, DSAPI_EVENT_RETRY, job, job->error);
        expect_job(w, job->retry_in);
    }
    drop_job(w, job);
}

static void end_reap(dsapi_worker_t *w, const dsapi_rows_t *rows)
{
    const char *count = dsapi_rows_get(rows, "reap");
    const char *due_in = dsapi_rows_get(rows, "due_in");
    const char *lost_in = dsapi_rows_get(rows, "lost_in");

    if (lost_in) { /* one that has run out may be held by a store */
        apr_interval_time_t wait = apr_atoi64(lost_in);

        w->reap_at =
            earlier(w->reap_at, dsapi_link_clock() +
                                    (wait > REAP_AGAIN ? wait : REAP_AGAIN));
    }
    if (due_in) {
        expect_job(w, apr_atoi64(due_in));
    }
    if (count && strcmp(count, "0") != 0) {
        w->notified = 1;
        tell(w, DSAPI_EVENT_REAPED, NULL, count);
    }
}

static void end_keep(dsapi_worker_t *w, const dsapi_rows_t *rows)
{
    dsapi_keeper_news_t news;

    dsapi_keeper_take(&news, w->keeper, rows, w->op_pool);
    if (news.schedule) {
        w->config->event(
            w->config->baton,
            news.failed ? DSAPI_EVENT_TICK_FAILED : DSAPI_EVENT_TICK,
            news.schedule->source->name, news.schedule->name, news.text);
    }
}

static void drop_all_jobs(dsapi_worker_t *w)
{
    while (w->jobs) {
        drop_job(w, w->jobs);
    }
}

static void end_op(dsapi_worker_t *w, op_e op, dsapi_job_t *job,
                   const dsapi_rows_t *rows)
{
    w->op_errors = 0;
    if (op == w->told_op) {
        w->told_op = OP_NONE;
        w->told_state[0] = '\0';
    }
    switch (op) {
    case OP_LISTEN:
        w->listening = 1;
        break;
    case OP_CLAIM:
        for (int i = 0; i < dsapi_rows_count(rows); i++) {
            take_job(w, rows, i);
        }
        w->notified |= dsapi_rows_count(rows) > 0; /* there may be more */
        break;
    case OP_HEARTBEAT:
        drop_gone(w, dsapi_spare_gone(w->beat_ids, rows, w->op_pool));
        break;
    case OP_REAP:
        end_reap(w, rows);
        break;
    case OP_KEEP:
        end_keep(w, rows);
        break;
    case OP_STORE:
        end_store(w, job, rows);
        break;
    case OP_FINISH:
        end_finish(w, job);
        break;
    case OP_RESOLVE:
        dsapi_resolve_take(job, rows);
        fetch(w, job);
        break;
    case OP_SLOT:
        dsapi_job_take_slot(job, rows);
        break;
    case OP_FAIL:
        end_fail(w, job, rows);
        break;
    case OP_RELEASE:
        drop_all_jobs(w);
        break;
    case OP_ROLLBACK:
    case OP_NONE:
        break;
    }
}

/* Storing, finishing or resolving has failed; all of it is rolled back. */
static void end_sql_badly(dsapi_worker_t *w, op_e op, dsapi_job_t *job,
                          const dsapi_err_t *err)
{
    w->storing = NULL;
    if (!job) {
        return; /* it was ours no more */
    }
    if (strcmp(err->sqlstate, DSAPI_QUEUE_LEASE_LOST) == 0) {
        tell(w, DSAPI_EVENT_LOST, job, NULL);
        drop_job(w, job);
        return;
    }
    if (strcmp(err->sqlstate, DSAPI_QUEUE_PAGE_STORED) == 0) {
        end_finish(w, job); /* the connection broke behind its commit */
        return;
    }
    if (!dsapi_job_fail_sql(job,
                            op == OP_RESOLVE ? "DsapiResolve failed"
                                             : "the answer could not be stored",
                            err) &&
        err->rv == DSAPI_EINTERNAL) {
        tell(w, DSAPI_EVENT_QUEUE, job, err->internal);
    }
}

static void end_op_badly(dsapi_worker_t *w, op_e op, dsapi_job_t *job,
                         const dsapi_err_t *err)
{
    if (op == OP_STORE || op == OP_FINISH || op == OP_RESOLVE) {
        end_sql_badly(w, op, job, err);
        return;
    }
    if (op == OP_KEEP && !dsapi_keeper_fail(w->keeper, err)) {
        return;
    }
    if (w->op_errors++ == 0 &&
        (err->rv == DSAPI_EBUSY || dsapi_db_stale(err))) {
        w->notified |= op == OP_CLAIM;
        w->reap_at = op == OP_REAP ? 0 : w->reap_at;
        w->beat_at = op == OP_HEARTBEAT ? 0 : w->beat_at;
        return; /* a deadlock, or a function that was replaced: once more */
    }
    /* The queue itself is out of order: say so once, and leave it alone. */
    if (strcmp(w->told_state, err->sqlstate) != 0) {
        apr_cpystrn(w->told_state, err->sqlstate, sizeof(w->told_state));
        w->told_op = op;
        tell(w, DSAPI_EVENT_QUEUE, job, err->internal);
    }
    w->notified = 0;
    w->claim_at = w->reap_at = w->listen_at = dsapi_link_clock() + QUEUE_PAUSE;
    w->beat_at = dsapi_link_clock() + BEAT_PAUSE;
    if (op == OP_FAIL || op == OP_SLOT) {
        drop_job(w, job); /* the lease will run out */
    }
    else if (op == OP_RELEASE) {
        drop_all_jobs(w);
    }
    else if (op == OP_ROLLBACK) {
        dsapi_db_break(dsapi_link_db(w->link));
    }
}

/* A job's row is locked by the open transaction, or will be. */
static int is_storing(const dsapi_worker_t *w)
{
    return w->op == OP_STORE || w->op == OP_FINISH || w->storing != NULL;
}

/* The job whose SQL broke with its connection. */
static void count_broken(dsapi_worker_t *w)
{
    if (w->op_job && (w->op == OP_RESOLVE || is_storing(w))) {
        dsapi_job_lose_sql(w->op_job, w->op == OP_RESOLVE ? "DsapiResolve ran"
                                                          : "the answer was "
                                                            "stored");
    }
}

/* Goes on with the batch under way. @return 1: it has ended */
static int poll_op(dsapi_worker_t *w)
{
    dsapi_rows_t *rows;
    dsapi_err_t *err;
    const char *why;
    op_e op = w->op;
    dsapi_job_t *job = w->op_job;
    apr_status_t rv = dsapi_link_poll(&rows, &err, &why, w->link);

    if (rv == APR_EINPROGRESS) {
        return 0;
    }
    if (why) {
        count_broken(w);
        lost_db(w, why);
        return 1;
    }
    w->op = OP_NONE;
    w->op_job = NULL;
    if (rv == APR_SUCCESS) {
        w->told_lost = 0; /* or else a standby would be told each second */
        end_op(w, op, job, rows);
    }
    else {
        end_op_badly(w, op, job, err);
    }
    return 1;
}

/* @return 1: something was done, so look again before waiting */
static int step_db(dsapi_worker_t *w)
{
    dsapi_db_t *db = dsapi_link_db(w->link);
    const char *channel;
    const char *payload;

    if (!dsapi_link_connected(w->link)) {
        return connect_db(w);
    }
    if (w->op != OP_NONE) {
        return poll_op(w);
    }
    if (dsapi_db_consume(db) != APR_SUCCESS) {
        dsapi_link_close(w->link);
        lost_db(w, "the connection was closed");
        return 1;
    }
    while (dsapi_db_notification(&channel, &payload, db, w->op_pool)) {
        w->notified = 1;
    }
    return send_next(w);
}

/* What is under way may take longer than a heartbeat can wait. */
static int is_long(const dsapi_worker_t *w)
{
    return is_storing(w) || w->op == OP_RESOLVE || dsapi_keeper_busy(w->keeper);
}

/* When the second connection has to speak: others wait while one is stored,
 * or (stopping) the first has been given up. @return 0: there is no need */
static apr_time_t spare_due(const dsapi_worker_t *w)
{
    int others = w->njobs - is_storing(w);

    if (w->stopping && !dsapi_link_connected(w->link)) {
        return w->jobs ? 1 : 0;
    }
    if (!is_long(w) || (others < 1 && !w->stopping)) {
        return 0;
    }
    if (!w->stopping) {
        return w->beat_at;
    }
    return others < 1 ? APR_INT64_MAX : 1; /* at once, and stay open */
}

/* @return 1: something was done, so look again before waiting */
static int step_spare(dsapi_worker_t *w)
{
    const apr_array_header_t *gone;
    apr_time_t now = dsapi_link_clock();
    dsapi_job_t *but = w->op == OP_NONE ? w->storing
                       : is_storing(w)  ? w->op_job
                                        : NULL;
    dsapi_spare_need_t need = {now, spare_due(w),     w->jobs,
                               but, w->config->lease, w->stopping};

    switch (dsapi_spare_step(&gone, w->spare, &need)) {
    case DSAPI_SPARE_SENT:
        w->beat_at = now + w->config->heartbeat;
        break;
    case DSAPI_SPARE_ANSWERED:
        drop_gone(w, gone);
        return 1;
    case DSAPI_SPARE_FAILED:
        w->beat_at = earlier(w->beat_at, now + BEAT_PAUSE);
        return 1;
    case DSAPI_SPARE_WAITS:
        break;
    }
    return 0;
}

/* The time of whatever is due next by the clock. */
static apr_time_t next_due(const dsapi_worker_t *w)
{
    apr_time_t due = dsapi_spare_next(w->spare, spare_due(w));
    apr_time_t at = w->stopping ? APR_INT64_MAX : dsapi_job_due(w->jobs);

    if (!dsapi_link_connected(w->link) || w->op != OP_NONE) {
        at = earlier(at, dsapi_link_due(w->link));
        return due > 0 ? earlier(due, at) : at;
    }
    due = earlier(earlier(at, w->reap_at), dsapi_keeper_due(w->keeper));
    if (w->njobs < w->config->concurrency) {
        due = earlier(due, w->claim_at);
    }
    if (w->jobs) {
        due = earlier(due, w->beat_at);
    }
    return w->listening ? due : earlier(due, w->listen_at);
}

static void wait_for_more(dsapi_worker_t *w, apr_time_t until)
{
    apr_time_t now = dsapi_link_clock();
    dsapi_db_t *db = dsapi_link_db(w->link);
    int fd = dsapi_spare_socket(w->spare);
    int write = fd >= 0 && dsapi_spare_wants_write(w->spare);
    apr_time_t due = fd >= 0 ? now + SPARE_WAIT : next_due(w);
    apr_interval_time_t wait = earlier(due, until) - now;

    if (fd < 0 && db) {
        fd = dsapi_db_socket(db);
        write = dsapi_db_wants_write(db);
    }
    dsapi_client_wait(w->client, fd, write, wait > 0 ? wait : 0);
}

void dsapi_worker_turn(dsapi_worker_t *worker, apr_interval_time_t budget)
{
    int busy = step_db(worker);

    busy += step_spare(worker);
    busy += end_transfers(worker);
    busy += dsapi_job_fetch_due(worker->jobs, worker->client);
    if (!busy) {
        wait_for_more(worker, dsapi_link_clock() + budget);
    }
}

void dsapi_worker_stop(dsapi_worker_t *worker, apr_interval_time_t budget)
{
    apr_time_t until = dsapi_link_clock() + budget;
    apr_time_t store_until = until - budget / 2;
    int reachable = dsapi_link_connected(worker->link);

    worker->stopping = 1;
    for (dsapi_job_t *job = worker->jobs; job; job = job->next) {
        dsapi_job_abort(job);
    }
    while ((worker->jobs || worker->op != OP_NONE) && reachable &&
           dsapi_link_clock() < until) {
        if (is_long(worker) && dsapi_link_clock() >= store_until) {
            worker->told_lost = 1;          /* it is not: we leave */
            dsapi_link_close(worker->link); /* and it is rolled back */
            lost_db(worker, NULL);
        }
        if (!step_db(worker) && !step_spare(worker)) {
            wait_for_more(worker, is_long(worker) ? store_until : until);
        }
    }
}
