/* A worker's second connection: see spare.h. */
#include "source/spare.h"

#include <apr_strings.h>
#include <string.h>

#include "source/queue.h"

/* How long connecting may take, and an answer beyond its statement_timeout. */
#define GRACE apr_time_from_sec(2)

/* statement_timeout of the two requests. One lease has room for several
 * heartbeats; a release may wait for the end of a store that was broken off,
 * also when its worker has gone. */
#define EXTEND_LIMIT  apr_time_from_sec(1)
#define RELEASE_LIMIT apr_time_from_sec(5)

/* How long it rests after something has failed. */
#define PAUSE apr_time_from_msec(250)

typedef enum state_e {
    CLOSED,
    CONNECTING,
    READY,
    ASKED
} state_e;

struct dsapi_spare_t {
    const char *conninfo;
    int prepare;
    state_e state;
    apr_pool_t *db_pool;
    dsapi_db_t *db; /* NULL: closed */
    apr_pool_t *ask_pool;
    dsapi_call_t calls[2];
    dsapi_batch_t batch;
    apr_array_header_t *ids; /* that were asked for */
    int releases;            /* or else it extends */
    apr_time_t until;        /* then what is under way is given up */
    apr_time_t again;        /* nothing is begun before */
};

dsapi_spare_t *dsapi_spare_make(const char *conninfo, int prepare,
                                apr_pool_t *pool)
{
    dsapi_spare_t *spare = apr_pcalloc(pool, sizeof(*spare));

    spare->conninfo = conninfo;
    spare->prepare = prepare;
    apr_pool_create(&spare->db_pool, pool);
    apr_pool_tag(spare->db_pool, "dsapi_spare_db");
    apr_pool_create(&spare->ask_pool, pool);
    apr_pool_tag(spare->ask_pool, "dsapi_spare_ask");
    return spare;
}

static void close_spare(dsapi_spare_t *spare)
{
    if (spare->state == CLOSED) {
        return;
    }
    spare->state = CLOSED;
    spare->db = NULL;
    apr_pool_clear(spare->ask_pool);
    apr_pool_clear(spare->db_pool);
}

static void open_spare(dsapi_spare_t *spare, apr_time_t now)
{
    dsapi_err_t *err;

    spare->state = CONNECTING;
    spare->again = now + PAUSE;
    spare->until = now + GRACE;
    if (dsapi_db_connect(&spare->db, &err, spare->conninfo, spare->db_pool) !=
        APR_SUCCESS) {
        close_spare(spare);
        return;
    }
    dsapi_db_set_prepare(spare->db, spare->prepare);
}

void dsapi_spare_call(dsapi_call_t *pcall, apr_array_header_t **pids,
                      const dsapi_spare_need_t *need, apr_pool_t *pool)
{
    apr_array_header_t *tokens = apr_array_make(pool, 16, sizeof(char *));

    *pids = apr_array_make(pool, 16, sizeof(char *));
    for (const dsapi_job_t *job = need->jobs; job; job = job->next) {
        if (job != need->but) {
            APR_ARRAY_PUSH(*pids, const char *) = apr_pstrdup(pool, job->id);
            APR_ARRAY_PUSH(tokens, const char *) =
                apr_pstrdup(pool, job->token);
        }
    }
    if (need->release) {
        dsapi_queue_release(pcall, *pids, tokens, pool);
    }
    else {
        dsapi_queue_heartbeat(pcall, *pids, tokens, need->lease, pool);
    }
}

static void ask(dsapi_spare_t *spare, const dsapi_spare_need_t *need)
{
    apr_interval_time_t limit = need->release ? RELEASE_LIMIT : EXTEND_LIMIT;
    apr_pool_t *pool = spare->ask_pool;
    dsapi_err_t *err;

    apr_pool_clear(pool);
    dsapi_queue_limit(&spare->calls[0], limit, pool);
    dsapi_spare_call(&spare->calls[1], &spare->ids, need, pool);
    spare->batch.calls = spare->calls;
    spare->batch.ncalls = 2;
    spare->releases = need->release;
    spare->state = ASKED;
    spare->until = need->now + limit + GRACE;
    if (dsapi_db_send(spare->db, &err, &spare->batch, pool) != APR_SUCCESS) {
        spare->until = 0; /* no answer will come */
    }
}

apr_array_header_t *dsapi_spare_gone(const apr_array_header_t *ids,
                                     const dsapi_rows_t *rows, apr_pool_t *pool)
{
    apr_array_header_t *gone = apr_array_make(pool, 4, sizeof(const char *));

    for (int i = 0; i < ids->nelts; i++) {
        const char *id = APR_ARRAY_IDX(ids, i, const char *);
        int ours = 0;

        for (int j = 0; j < dsapi_rows_count(rows) && !ours; j++) {
            ours = strcmp(dsapi_rows_value(NULL, rows, j, 0), id) == 0;
        }
        if (!ours) {
            APR_ARRAY_PUSH(gone, const char *) = id;
        }
    }
    return gone;
}

/* The answer may have come. */
static dsapi_spare_step_e poll_answer(const apr_array_header_t **pgone,
                                      dsapi_spare_t *spare, apr_time_t now)
{
    dsapi_rows_t *rows;
    dsapi_err_t *err;
    apr_status_t rv = APR_EINPROGRESS;

    if (spare->until > 0) {
        rv = dsapi_db_poll(&rows, &err, spare->db, spare->ask_pool);
    }
    if (rv == APR_EINPROGRESS && now < spare->until) {
        return DSAPI_SPARE_WAITS;
    }
    spare->state = READY;
    spare->again = 0;
    if (rv == APR_SUCCESS) {
        *pgone = spare->releases
                     ? spare->ids
                     : dsapi_spare_gone(spare->ids, rows, spare->ask_pool);
        return DSAPI_SPARE_ANSWERED;
    }
    spare->again = now + PAUSE;
    if (!dsapi_db_idle(spare->db)) {
        close_spare(spare);
    }
    return DSAPI_SPARE_FAILED;
}

static void poll_connect(dsapi_spare_t *spare, apr_time_t now)
{
    dsapi_err_t *err;
    apr_status_t rv = dsapi_db_connect_poll(spare->db, &err, spare->db_pool);

    if (rv == APR_SUCCESS) {
        spare->state = READY;
        spare->again = 0;
    }
    else if (rv != APR_EINPROGRESS || now >= spare->until) {
        close_spare(spare);
    }
}

dsapi_spare_step_e dsapi_spare_step(const apr_array_header_t **pgone,
                                    dsapi_spare_t *spare,
                                    const dsapi_spare_need_t *need)
{
    *pgone = NULL;
    if (spare->state == ASKED) {
        return poll_answer(pgone, spare, need->now);
    }
    if (need->due == 0) {
        close_spare(spare);
    }
    else if (need->now >= need->due) {
        if (spare->state == READY &&
            dsapi_db_consume(spare->db) != APR_SUCCESS) {
            close_spare(spare);
        }
        if (spare->state == CLOSED && need->now >= spare->again) {
            open_spare(spare, need->now);
        }
        if (spare->state == CONNECTING) {
            poll_connect(spare, need->now);
        }
        if (spare->state == READY && need->now >= spare->again) {
            ask(spare, need);
            return DSAPI_SPARE_SENT;
        }
    }
    return DSAPI_SPARE_WAITS;
}

int dsapi_spare_asked(const dsapi_spare_t *spare)
{
    return spare->state == ASKED;
}

apr_time_t dsapi_spare_next(const dsapi_spare_t *spare, apr_time_t due)
{
    return due == 0 || due > spare->again ? due : spare->again;
}

int dsapi_spare_socket(const dsapi_spare_t *spare)
{
    return spare->state == CONNECTING || spare->state == ASKED
               ? dsapi_db_socket(spare->db)
               : -1;
}

int dsapi_spare_wants_write(const dsapi_spare_t *spare)
{
    return spare->db && dsapi_db_wants_write(spare->db);
}

void dsapi_spare_watch(dsapi_call_t *pcall, apr_pool_t *pool)
{
    pcall->sql = dsapi_sql_literal("SELECT " DSAPI_DB_WATCH, 0, pool);
    pcall->types = NULL;
    pcall->values = NULL;
}
