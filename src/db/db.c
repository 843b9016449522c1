/* PostgreSQL over libpq: see db.h. */
#include <apr_strings.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/text.h"
#include "db/again.h"
#include "db/pq.h"
#include "db/sqlstate.h"

/* How long a cancelled statement may take to end; and half of it, how much
 * later than the server's own statement_timeout ours is. */
#define CANCEL_GRACE apr_time_from_sec(1)

static apr_status_t free_result(void *data)
{
    PQclear(data);
    return APR_SUCCESS;
}

static void drop_results(dsapi_db_t *db)
{
    PQclear(db->res);
    PQclear(db->error);
    db->res = db->error = NULL;
}

static apr_status_t finish_connection(void *data)
{
    dsapi_db_t *db = data;

    drop_results(db);
    PQfinish(db->conn);
    db->conn = NULL;
    return APR_SUCCESS;
}

/* Notices would go to stderr, past httpd's log. */
static void ignore_notice(void *arg, const PGresult *res)
{
    (void)arg;
    (void)res;
}

static dsapi_db_t *db_make(PGconn *conn, apr_pool_t *pool)
{
    dsapi_db_t *db = apr_pcalloc(pool, sizeof(*db));

    db->conn = conn;
    db->pool = pool;
    db->prepare = 1;
    db->connecting = PGRES_POLLING_WRITING;
    apr_pool_create(&db->prepared_pool, pool);
    apr_pool_tag(db->prepared_pool, "dsapi_db_prepared");
    apr_pool_create(&db->batch_pool, pool);
    apr_pool_tag(db->batch_pool, "dsapi_db_batch");
    return db;
}

dsapi_db_t *dsapi_db_adopt(void *native, apr_pool_t *pool)
{
    return db_make(native, pool);
}

void dsapi_db_set_prepare(dsapi_db_t *db, int on)
{
    db->prepare = on;
}

void dsapi_db_set_json(dsapi_db_t *db, dsapi_as_json_fn as_json)
{
    db->as_json = as_json;
}

void dsapi_db_set_binary(dsapi_db_t *db, dsapi_binary_fn binary)
{
    db->binary = binary;
}

void dsapi_db_set_watch(dsapi_db_t *db, int on)
{
    db->watch = on;
}

/* libpq writes several lines, the log has room for one. */
apr_status_t dsapi_db_lost(dsapi_err_t **perr, const dsapi_db_t *db,
                           const char *sqlstate, apr_pool_t *pool)
{
    char *message = apr_pstrdup(pool, PQerrorMessage(db->conn));
    char *to = message;

    for (const char *from = message; *from; from++) {
        if (*from != '\n' && *from != '\t') {
            *to++ = *from;
        }
        else if (to > message && to[-1] != ' ') {
            *to++ = ' ';
        }
    }
    while (to > message && to[-1] == ' ') {
        to--;
    }
    *to = '\0';
    return dsapi_db_error(perr, sqlstate, *message ? message : "no connection",
                          pool);
}

int dsapi_db_conninfo_ok(const char *conninfo)
{
    PQconninfoOption *options = PQconninfoParse(conninfo, NULL);

    PQconninfoFree(options);
    return options != NULL;
}

apr_status_t dsapi_db_connect(dsapi_db_t **pdb, dsapi_err_t **perr,
                              const char *conninfo, apr_pool_t *pool)
{
    dsapi_db_t *db;
    PGconn *conn = PQconnectStart(conninfo);

    *pdb = NULL;
    *perr = NULL;
    if (!conn) {
        abort(); /* out of memory, as APR's pools do */
    }
    db = db_make(conn, pool);
    apr_pool_cleanup_register(pool, db, finish_connection,
                              apr_pool_cleanup_null);
    if (PQstatus(conn) == CONNECTION_BAD) {
        return dsapi_db_lost(perr, db, NULL, pool);
    }
    PQsetNoticeReceiver(conn, ignore_notice, NULL);
    *pdb = db;
    return APR_SUCCESS;
}

/* libpq must not be asked before the socket has what it waits for: it would
 * take a connection for made that is not. */
static int connect_ready(const dsapi_db_t *db)
{
    struct pollfd pfd = {PQsocket(db->conn), POLLIN, 0};

    if (db->connecting == PGRES_POLLING_WRITING) {
        pfd.events = POLLOUT;
    }
    return pfd.fd < 0 || poll(&pfd, 1, 0) != 0;
}

apr_status_t dsapi_db_connect_poll(dsapi_db_t *db, dsapi_err_t **perr,
                                   apr_pool_t *pool)
{
    *perr = NULL;
    if (!connect_ready(db)) {
        return APR_EINPROGRESS;
    }
    db->connecting = PQconnectPoll(db->conn);
    if (db->connecting == PGRES_POLLING_FAILED) {
        return dsapi_db_lost(perr, db, NULL, pool);
    }
    return db->connecting == PGRES_POLLING_OK ? APR_SUCCESS : APR_EINPROGRESS;
}

int dsapi_db_socket(const dsapi_db_t *db)
{
    return PQsocket(db->conn);
}

int dsapi_db_wants_write(const dsapi_db_t *db)
{
    return db->flushing || (PQstatus(db->conn) != CONNECTION_OK &&
                            db->connecting == PGRES_POLLING_WRITING);
}

int dsapi_db_idle(const dsapi_db_t *db)
{
    return PQstatus(db->conn) == CONNECTION_OK &&
           PQtransactionStatus(db->conn) == PQTRANS_IDLE &&
           PQpipelineStatus(db->conn) == PQ_PIPELINE_OFF;
}

/* Back to what the owner of the connection expects; a connection that cannot
 * be brought there is of no more use. */
static void end_batch(dsapi_db_t *db)
{
    for (int i = 0; i < db->nsteps; i++) {
        prepared_t *p = db->steps[i].prepares;

        if (p && p->state == SENT) {
            p->state = UNKNOWN;
        }
    }
    db->nsteps = 0;
    db->flushing = 0;
    if (!PQexitPipelineMode(db->conn) || PQsetnonblocking(db->conn, 0) != 0) {
        dsapi_db_break(db);
    }
}

apr_status_t dsapi_db_send(dsapi_db_t *db, dsapi_err_t **perr,
                           const dsapi_batch_t *batch, apr_pool_t *pool)
{
    *perr = NULL;
    apr_pool_clear(db->batch_pool);
    db->changes = !batch->repeatable;
    if (db->backend_pid != PQbackendPID(db->conn) || !db->prepared) {
        dsapi_db_forget_prepared(db);
    }
    if (PQsetnonblocking(db->conn, 1) != 0 || !PQenterPipelineMode(db->conn) ||
        !dsapi_db_send_batch(db, batch)) {
        dsapi_db_lost(perr, db, NULL, pool);
        dsapi_db_break(db);
        end_batch(db);
        return (*perr)->rv;
    }
    db->flushing = PQflush(db->conn) == 1;
    return APR_SUCCESS;
}

/* @return 1: the command under way is the last statement */
static int is_last(const dsapi_db_t *db)
{
    return !db->asking && db->step == db->nsteps - 1;
}

/* Gives one row of a stream away, or drops it. */
static void give_row(sink_t *sink, PGresult *res, const char *made)
{
    if (!sink->closed) {
        sink->given = 1;
        sink->row.res = res;
        sink->row.made = made;
        sink->stop = sink->fn(sink->baton, &sink->row);
        sink->closed = sink->stop != APR_SUCCESS;
    }
    PQclear(res);
}

/* More has been sent in the middle of a batch, or could not be. */
static void go_on(dsapi_db_t *db, int sent)
{
    if (!sent) {
        dsapi_db_break(db);
    }
}

/* Keeps one result of the command under way, or drops it. @return 0: libpq
 * cannot get any further with this connection */
static int take_result(dsapi_db_t *db, PGresult *res)
{
    ExecStatusType status = PQresultStatus(res);
    step_t step = {NULL, 0};
    int copy = status == PGRES_COPY_IN || status == PGRES_COPY_OUT ||
               status == PGRES_COPY_BOTH;

    if (db->step < db->nsteps) {
        step = db->steps[db->step];
    }
    /* Where a stream broke and the connection was reset, libpq 15 gives the
     * first command's rows one by one, too. */
    if (status == PGRES_SINGLE_TUPLE && db->sink && is_last(db)) {
        give_row(db->sink, res, db->made);
        return 1;
    }
    if (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK ||
        status == PGRES_EMPTY_QUERY) {
        if (step.prepares) {
            step.prepares->state = READY;
        }
        else if (step.describes) {
            go_on(db, dsapi_db_send_asked(db, res));
        }
        else if (is_last(db)) {
            db->res = res;
            return 1;
        }
    }
    else if (status == PGRES_FATAL_ERROR && !db->error) {
        db->error = res;
        if (db->asking) {
            go_on(db, dsapi_db_send_end(db));
        }
        return 1;
    }
    PQclear(res);
    return !copy;
}

/* What PostgreSQL says, in whatever language, of a prepared statement whose
 * result has changed: we know it by where it is said. */
static const char cached_plan[] = "cached plan must not change result type";

static const char *message_of(const PGresult *error)
{
    const char *where = PQresultErrorField(error, PG_DIAG_SOURCE_FUNCTION);
    const char *message = PQresultErrorField(error, PG_DIAG_MESSAGE_PRIMARY);

    if (where && strcmp(where, "RevalidateCachedQuery") == 0) {
        return cached_plan;
    }
    return message ? message : PQresultErrorMessage(error);
}

int dsapi_db_stale(const dsapi_err_t *err)
{
    return err->sqlstate && (strcmp(err->sqlstate, "26000") == 0 ||
                             (strcmp(err->sqlstate, "0A000") == 0 &&
                              strstr(err->internal, cached_plan)));
}

apr_status_t dsapi_db_leave_standby(dsapi_db_t *db, dsapi_err_t *err)
{
    dsapi_db_break(db);
    err->rv = DSAPI_EDBDOWN;
    err->code = "database-unavailable";
    err->detail = "the database takes no changes at the moment";
    err->retry_after_s = 1;
    return err->rv;
}

const char *dsapi_db_field(const PGresult *error, int field, apr_pool_t *pool)
{
    const char *text = PQresultErrorField(error, field);

    return text && dsapi_base_utf8_valid(text, strlen(text))
               ? apr_pstrdup(pool, text)
               : NULL;
}

const dsapi_said_t *dsapi_db_said(const PGresult *error, apr_pool_t *pool)
{
    dsapi_said_t *said = apr_palloc(pool, sizeof(*said));

    said->message = dsapi_db_field(error, PG_DIAG_MESSAGE_PRIMARY, pool);
    said->detail = dsapi_db_field(error, PG_DIAG_MESSAGE_DETAIL, pool);
    said->hint = dsapi_db_field(error, PG_DIAG_MESSAGE_HINT, pool);
    said->where = dsapi_db_field(error, PG_DIAG_SOURCE_FUNCTION, pool);
    return said->message ? said : NULL;
}

/* The end of a batch: its rows or its error go to the caller. */
static apr_status_t hand_over(dsapi_rows_t **prows, dsapi_err_t **perr,
                              dsapi_db_t *db, apr_pool_t *pool)
{
    PGresult *res = db->res;
    PGresult *error = db->error;
    apr_status_t rv = APR_SUCCESS;

    db->res = db->error = NULL;
    end_batch(db);
    if (error) {
        rv = dsapi_db_error(perr, PQresultErrorField(error, PG_DIAG_SQLSTATE),
                            message_of(error), pool);
        (*perr)->said = dsapi_db_said(error, pool);
        PQclear(error);
        PQclear(res);
        if (db->prepare && dsapi_db_stale(*perr)) {
            db->generation++; /* new names: the old ones may still exist */
            dsapi_db_forget_prepared(db);
        }
        return db->changes && dsapi_db_read_only(*perr)
                   ? dsapi_db_leave_standby(db, *perr)
                   : rv;
    }
    dsapi_db_check_columns(db, res);
    db->watched |= db->watching; /* an error would have undone it */
    *prows = apr_palloc(pool, sizeof(**prows));
    (*prows)->res = res;
    (*prows)->made =
        db->made ? apr_pmemdup(pool, db->made, (apr_size_t)PQnfields(res))
                 : NULL;
    apr_pool_cleanup_register(pool, res, free_result, apr_pool_cleanup_null);
    return rv;
}

/* The end of a batch and of its connection. */
static apr_status_t hand_over_broken(dsapi_rows_t **prows, dsapi_err_t **perr,
                                     dsapi_db_t *db, int copy, apr_pool_t *pool)
{
    if (db->error && PQresultErrorField(db->error, PG_DIAG_SQLSTATE)) {
        dsapi_db_break(db);
        return hand_over(prows, perr, db, pool); /* the server said why */
    }
    drop_results(db);
    if (copy) {
        dsapi_db_error(perr, "0A000", "COPY to or from the client", pool);
    }
    else {
        dsapi_db_lost(perr, db, NULL, pool);
    }
    dsapi_db_break(db);
    end_batch(db);
    return (*perr)->rv;
}

/* @return 1: libpq has no result before more has been read. It wants to know
 * that rows are to come one by one when their statement's turn has come, and
 * before it has looked at any of them. */
static int is_busy(dsapi_db_t *db)
{
    if (db->sink && is_last(db)) {
        PQsetSingleRowMode(db->conn);
    }
    return PQisBusy(db->conn);
}

apr_status_t dsapi_db_poll(dsapi_rows_t **prows, dsapi_err_t **perr,
                           dsapi_db_t *db, apr_pool_t *pool)
{
    int nulls = 0;
    int copy = 0;

    *prows = NULL;
    *perr = NULL;
    if (db->flushing) {
        db->flushing = PQflush(db->conn) == 1;
    }
    PQconsumeInput(db->conn); /* what came before an end is still read */
    while (nulls < 2 && !copy && !is_busy(db)) {
        PGresult *res = PQgetResult(db->conn);

        if (!res) {
            nulls++;
            db->step++;
            continue;
        }
        nulls = 0;
        if (PQresultStatus(res) == PGRES_PIPELINE_SYNC) {
            PQclear(res);
            return hand_over(prows, perr, db, pool);
        }
        copy = !take_result(db, res);
    }
    if (nulls < 2 && !copy && PQstatus(db->conn) == CONNECTION_OK) {
        return APR_EINPROGRESS;
    }
    return hand_over_broken(prows, perr, db, copy, pool);
}

int dsapi_db_wait(const dsapi_db_t *db, apr_time_t until)
{
    struct pollfd pfd = {PQsocket(db->conn), POLLIN, 0};
    int timeout_ms = -1;

    if (pfd.fd < 0) {
        return 1; /* it has broken: whoever reads will hear of it */
    }
    if (dsapi_db_wants_write(db)) {
        pfd.events |= POLLOUT;
    }
    if (until) {
        apr_time_t left = until - apr_time_now();

        if (left <= 0) {
            return 0;
        }
        timeout_ms = (int)(left / 1000) + 1;
    }
    (void)poll(&pfd, 1, timeout_ms);
    return 1;
}

/* Asks the server to end the statement. This waits for the server, without a
 * limit in libpq 15: only for what has sent rows, and so is alive. */
static void cancel(dsapi_db_t *db)
{
    PGcancel *c = PQgetCancel(db->conn);

    if (c) {
        char ignored[256];

        PQcancel(c, ignored, sizeof(ignored));
        PQfreeCancel(c);
    }
}

/* The end of a batch that has been sent: cancelled where the row function has
 * had enough, broken where the server takes too long. A cancel waits for an
 * answer, which a server that says nothing may owe for ever. */
static apr_status_t wait_batch(dsapi_rows_t **prows, dsapi_err_t **perr,
                               dsapi_db_t *db, apr_interval_time_t timeout,
                               apr_pool_t *pool)
{
    apr_interval_time_t grace = db->sink ? 0 : CANCEL_GRACE / 2;
    apr_time_t until = timeout ? apr_time_now() + timeout + grace : 0;
    int cancelled = 0;

    for (;;) { /* what has just been sent has no answer yet: wait first */
        apr_time_t now;
        apr_status_t rv;

        if (!dsapi_db_wait(db, until)) {
            drop_results(db);
            end_batch(db);
            dsapi_db_break(db);
            return dsapi_db_error(perr, "57014", "no answer in time", pool);
        }
        now = apr_time_now();
        rv = dsapi_db_poll(prows, perr, db, pool);
        if (rv != APR_EINPROGRESS) {
            return rv;
        }
        if (db->sink && until && !cancelled) {
            until += apr_time_now() - now; /* not spent waiting */
        }
        if (db->sink && db->sink->closed && !cancelled) {
            cancel(db); /* what comes now is dropped */
            cancelled = 1;
            until = apr_time_now() + CANCEL_GRACE;
        }
    }
}

/* A connection that lies idle learns of its end only when it is asked. */
static int is_alive(dsapi_db_t *db)
{
    struct pollfd pfd = {PQsocket(db->conn), POLLIN, 0};

    while (PQstatus(db->conn) == CONNECTION_OK && poll(&pfd, 1, 0) > 0) {
        PQconsumeInput(db->conn);
        PQisBusy(db->conn); /* takes in notices and notifications */
    }
    return PQstatus(db->conn) == CONNECTION_OK;
}

/* Waits at most for connect_timeout. @return 1: connected */
static int reset(dsapi_db_t *db)
{
    PQreset(db->conn);
    return PQstatus(db->conn) == CONNECTION_OK;
}

int dsapi_db_again(const dsapi_db_t *db, int runs, apr_time_t until)
{
    struct pollfd pfd = {PQsocket(db->conn), POLLIN, 0};
    apr_uint32_t random = 0;

    if (runs >= DSAPI_DB_RUNS_MAX || (until && apr_time_now() >= until)) {
        return 0;
    }
    if (pfd.fd >= 0) {
        apr_generate_random_bytes((unsigned char *)&random, sizeof(random));
        (void)poll(&pfd, 1, (int)(dsapi_db_pause(runs, random) / 1000));
    }
    return !until || apr_time_now() < until;
}

/* @return 1: the batch, of which nothing is left, may be run again */
static int run_again(dsapi_db_t *db, const dsapi_batch_t *batch,
                     const dsapi_err_t *err, int runs, apr_time_t until)
{
    if ((db->sink && db->sink->given) || !dsapi_db_atomic(batch)) {
        return 0;
    }
    if (PQstatus(db->conn) != CONNECTION_OK) {
        return runs == 1 &&
               (err->rv == DSAPI_EDBDOWN || dsapi_db_conflict(err)) &&
               (batch->repeatable || dsapi_db_read_only(err)) && reset(db);
    }
    if (!dsapi_db_idle(db)) {
        return 0;
    }
    if (dsapi_db_conflict(err)) {
        return dsapi_db_again(db, runs, until);
    }
    return runs == 1 && db->prepare && dsapi_db_stale(err);
}

apr_status_t dsapi_db_run(dsapi_rows_t **prows, dsapi_err_t **perr,
                          dsapi_db_t *db, const dsapi_batch_t *batch,
                          apr_pool_t *pool)
{
    int open = PQstatus(db->conn) == CONNECTION_OK && !dsapi_db_idle(db);
    apr_time_t until = 0; /* as late as may be */
    apr_status_t rv;

    *prows = NULL;
    /* Where no transaction is open nothing has been begun, whatever the
     * batch does. */
    if (!is_alive(db) && (open || !reset(db))) {
        return dsapi_db_lost(perr, db, open ? NULL : "08001", pool);
    }
    if (batch->timeout > 0) {
        until = apr_time_now() + batch->timeout;
    }
    for (int runs = 1;; runs++) {
        rv = dsapi_db_send(db, perr, batch, pool);
        if (rv == APR_SUCCESS) {
            rv = wait_batch(prows, perr, db, batch->timeout, pool);
        }
        if (rv == APR_SUCCESS || open ||
            !run_again(db, batch, *perr, runs, until)) {
            return rv;
        }
    }
}

apr_status_t dsapi_db_stream(dsapi_err_t **perr, dsapi_db_t *db,
                             const dsapi_batch_t *batch, dsapi_row_fn row,
                             void *baton, apr_pool_t *pool)
{
    sink_t sink = {row, baton, {NULL, NULL}, 0, 0, APR_SUCCESS};
    dsapi_rows_t *rows;
    apr_status_t rv;

    *perr = NULL;
    db->sink = &sink;
    rv = dsapi_db_run(&rows, perr, db, batch, pool);
    db->sink = NULL;
    if (sink.stop != APR_SUCCESS) {
        *perr = NULL; /* that of our own cancel */
        return sink.stop;
    }
    return rv == APR_SUCCESS ? row(baton, rows) : rv;
}

void dsapi_db_break(dsapi_db_t *db)
{
    int fd = PQsocket(db->conn);

    if (fd >= 0) {
        char dropped[8192];

        shutdown(fd, SHUT_RDWR);
        while (recv(fd, dropped, sizeof(dropped), MSG_DONTWAIT) > 0) {
            /* rows that would hide the end */
        }
        PQconsumeInput(db->conn);
        PQclear(PQgetResult(db->conn));
        PQconsumeInput(db->conn);
    }
}

apr_status_t dsapi_db_consume(dsapi_db_t *db)
{
    return PQconsumeInput(db->conn) ? APR_SUCCESS : DSAPI_EDBDOWN;
}

int dsapi_db_notification(const char **pchannel, const char **ppayload,
                          dsapi_db_t *db, apr_pool_t *pool)
{
    PGnotify *n = PQnotifies(db->conn);

    if (!n) {
        return 0;
    }
    *pchannel = apr_pstrdup(pool, n->relname);
    *ppayload = apr_pstrdup(pool, n->extra);
    PQfreemem(n);
    return 1;
}

int dsapi_rows_count(const dsapi_rows_t *rows)
{
    return PQntuples(rows->res);
}

int dsapi_rows_columns(const dsapi_rows_t *rows)
{
    return PQnfields(rows->res);
}

const char *dsapi_rows_name(const dsapi_rows_t *rows, int column)
{
    return PQfname(rows->res, column);
}

unsigned dsapi_rows_type(const dsapi_rows_t *rows, int column)
{
    return rows->made && rows->made[column] ? DSAPI_OID_MADE
                                            : PQftype(rows->res, column);
}

int dsapi_rows_binary(const dsapi_rows_t *rows)
{
    return PQnfields(rows->res) > 0 && PQfformat(rows->res, 0) == 1;
}

const char *dsapi_rows_value(apr_size_t *plen, const dsapi_rows_t *rows,
                             int row, int column)
{
    if (PQgetisnull(rows->res, row, column)) {
        return NULL;
    }
    if (plen) {
        *plen = (apr_size_t)PQgetlength(rows->res, row, column);
    }
    return PQgetvalue(rows->res, row, column);
}

apr_int64_t dsapi_rows_affected(const dsapi_rows_t *rows)
{
    return apr_atoi64(PQcmdTuples(rows->res));
}

const char *dsapi_rows_get(const dsapi_rows_t *rows, const char *column)
{
    for (int i = 0; i < PQnfields(rows->res); i++) {
        if (strcmp(PQfname(rows->res, i), column) == 0) {
            return PQntuples(rows->res) > 0 ? dsapi_rows_value(NULL, rows, 0, i)
                                            : NULL;
        }
    }
    return NULL;
}
