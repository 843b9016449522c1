/* PostgreSQL over libpq: see db.h. The only file that includes libpq. */
#include "db/db.h"

#include <apr_hash.h>
#include <apr_strings.h>
#include <libpq-fe.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "db/sqlstate.h"

/* How long a cancelled statement may take to end, and how much later than the
 * server's own statement_timeout ours is. */
#define CANCEL_GRACE apr_time_from_sec(1)

/* How many statements one backend prepares; what comes later is sent whole.
 * Filters make their SQL as they are asked for. */
#define PREPARED_MAX 500

struct dsapi_rows_t {
    PGresult *res;
};

/* A statement as this backend knows it. */
typedef struct prepared_t {
    apr_uint64_t hash;   /* of its text and its parameters' types */
    unsigned generation; /* part of the name */
    enum {
        UNKNOWN,
        SENT, /* in the batch under way */
        READY
    } state;
} prepared_t;

/* What a command of the pipeline was. */
typedef struct step_t {
    prepared_t *prepares; /* NULL: it runs a statement */
} step_t;

/* Where the rows of a stream go. */
typedef struct sink_t {
    dsapi_row_fn fn;
    void *baton;
    dsapi_rows_t row;  /* the one that is given away */
    int given;         /* some have been */
    int closed;        /* what comes now is dropped */
    apr_status_t stop; /* what fn wants to be returned */
} sink_t;

struct dsapi_db_t {
    PGconn *conn;
    apr_pool_t *pool;
    apr_pool_t *prepared_pool;
    apr_hash_t *prepared; /* hash -> prepared_t */
    int backend_pid;      /* whose prepared statements these are */
    int prepare;
    unsigned generation;
    PostgresPollingStatusType connecting;
    int flushing; /* not everything has been sent */
    /* the batch under way */
    apr_pool_t *batch_pool;
    step_t *steps;
    int nsteps;
    int step;      /* the command whose results come now */
    PGresult *res; /* the last statement's */
    PGresult *error;
    sink_t *sink; /* NULL: the rows are kept */
};

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

/* libpq writes several lines, the log has room for one. */
static apr_status_t connection_lost(dsapi_err_t **perr, const dsapi_db_t *db,
                                    apr_pool_t *pool)
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
    return dsapi_db_error(perr, NULL, *message ? message : "no connection",
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
        return connection_lost(perr, db, pool);
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
        return connection_lost(perr, db, pool);
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

/* Forgets what another backend had prepared. */
static void forget_prepared(dsapi_db_t *db)
{
    apr_pool_clear(db->prepared_pool);
    db->prepared = apr_hash_make(db->prepared_pool);
    db->backend_pid = PQbackendPID(db->conn);
}

/* The same text with other types is another statement (FNV-1a goes on). */
static apr_uint64_t call_hash(const dsapi_call_t *call)
{
    apr_uint64_t hash = call->sql->hash;

    for (int i = 0; call->types && i < call->sql->nparams; i++) {
        hash = (hash ^ call->types[i]) * APR_UINT64_C(0x100000001b3);
    }
    return hash;
}

/* @return NULL: not to be prepared */
static prepared_t *prepared_of(dsapi_db_t *db, const dsapi_call_t *call)
{
    apr_uint64_t hash = call_hash(call);
    prepared_t *p;

    if (!db->prepare) {
        return NULL;
    }
    p = apr_hash_get(db->prepared, &hash, sizeof(hash));
    if (!p && apr_hash_count(db->prepared) < PREPARED_MAX) {
        p = apr_pcalloc(db->prepared_pool, sizeof(*p));
        p->hash = hash;
        p->generation = db->generation;
        apr_hash_set(db->prepared, &p->hash, sizeof(p->hash), p);
    }
    return p;
}

static void push_step(dsapi_db_t *db, prepared_t *prepares)
{
    db->steps[db->nsteps++].prepares = prepares;
}

/* Puts one statement into the pipeline. */
static int send_call(dsapi_db_t *db, const dsapi_call_t *call)
{
    const dsapi_sql_t *sql = call->sql;
    prepared_t *p = prepared_of(db, call);
    const char *name;

    if (!p) {
        push_step(db, NULL);
        return PQsendQueryParams(db->conn, sql->text, sql->nparams, call->types,
                                 call->values, NULL, NULL, 0);
    }
    name = apr_psprintf(db->batch_pool, "dsapi_%016" APR_UINT64_T_HEX_FMT "_%u",
                        p->hash, p->generation);
    if (p->state == UNKNOWN) {
        p->state = SENT;
        push_step(db, p);
        if (!PQsendPrepare(db->conn, name, sql->text, sql->nparams,
                           call->types)) {
            return 0;
        }
    }
    push_step(db, NULL);
    return PQsendQueryPrepared(db->conn, name, sql->nparams, call->values, NULL,
                               NULL, 0);
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

/*
 * What we write as JSON is read from text: UTF-8, and dates as ISO 8601. A
 * server, database, role or statement may set them otherwise. The server
 * tells us of each change, also when one is undone with its transaction.
 */
static int send_settings(dsapi_db_t *db)
{
    const char *encoding = PQparameterStatus(db->conn, "client_encoding");
    const char *style = PQparameterStatus(db->conn, "DateStyle");

    if (PQtransactionStatus(db->conn) == PQTRANS_INERROR ||
        (encoding && strcmp(encoding, "UTF8") == 0 && style &&
         strncmp(style, "ISO", 3) == 0)) {
        return 1; /* in a failed transaction nothing but its end is heard */
    }
    push_step(db, NULL);
    return PQsendQueryParams(db->conn,
                             "SELECT set_config('client_encoding', 'UTF8', "
                             "false), set_config('datestyle', 'ISO', false)",
                             0, NULL, NULL, NULL, NULL, 0);
}

apr_status_t dsapi_db_send(dsapi_db_t *db, dsapi_err_t **perr,
                           const dsapi_batch_t *batch, apr_pool_t *pool)
{
    int ok;

    *perr = NULL;
    apr_pool_clear(db->batch_pool);
    db->steps = apr_pcalloc(
        db->batch_pool, sizeof(step_t) * ((apr_size_t)batch->ncalls * 2 + 1));
    db->nsteps = db->step = 0;
    if (db->backend_pid != PQbackendPID(db->conn) || !db->prepared) {
        forget_prepared(db);
    }
    ok = PQsetnonblocking(db->conn, 1) == 0 && PQenterPipelineMode(db->conn) &&
         send_settings(db);
    for (int i = 0; ok && i < batch->ncalls; i++) {
        ok = send_call(db, &batch->calls[i]);
    }
    if (!ok || !PQpipelineSync(db->conn)) {
        connection_lost(perr, db, pool);
        dsapi_db_break(db);
        end_batch(db);
        return (*perr)->rv;
    }
    db->flushing = 1;
    return APR_SUCCESS;
}

/* @return 1: the command under way is the last statement */
static int is_last(const dsapi_db_t *db)
{
    return db->step == db->nsteps - 1;
}

/* Gives one row of a stream away, or drops it. */
static void give_row(sink_t *sink, PGresult *res)
{
    if (!sink->closed) {
        sink->given = 1;
        sink->row.res = res;
        sink->stop = sink->fn(sink->baton, &sink->row);
        sink->closed = sink->stop != APR_SUCCESS;
    }
    PQclear(res);
}

/* Keeps one result of the command under way, or drops it. @return 0: libpq
 * cannot get any further with this connection */
static int take_result(dsapi_db_t *db, PGresult *res)
{
    ExecStatusType status = PQresultStatus(res);
    prepared_t *prepares =
        db->step < db->nsteps ? db->steps[db->step].prepares : NULL;
    int copy = status == PGRES_COPY_IN || status == PGRES_COPY_OUT ||
               status == PGRES_COPY_BOTH;

    if (status == PGRES_SINGLE_TUPLE && db->sink) {
        give_row(db->sink, res);
        return 1;
    }
    if (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK ||
        status == PGRES_EMPTY_QUERY) {
        if (prepares) {
            prepares->state = READY;
        }
        else if (is_last(db)) {
            db->res = res;
            return 1;
        }
    }
    else if (status == PGRES_FATAL_ERROR && !db->error) {
        db->error = res;
        return 1;
    }
    PQclear(res);
    return !copy;
}

int dsapi_db_stale(const dsapi_err_t *err)
{
    return err->sqlstate && (strcmp(err->sqlstate, "26000") == 0 ||
                             (strcmp(err->sqlstate, "0A000") == 0 &&
                              strstr(err->internal, "cached plan")));
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
        const char *message =
            PQresultErrorField(error, PG_DIAG_MESSAGE_PRIMARY);

        rv = dsapi_db_error(perr, PQresultErrorField(error, PG_DIAG_SQLSTATE),
                            message ? message : PQresultErrorMessage(error),
                            pool);
        PQclear(error);
        PQclear(res);
        if (db->prepare && dsapi_db_stale(*perr)) {
            db->generation++; /* new names: the old ones may still exist */
            forget_prepared(db);
        }
        return rv;
    }
    *prows = apr_palloc(pool, sizeof(**prows));
    (*prows)->res = res;
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
        connection_lost(perr, db, pool);
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

/* Waits for the socket. @return 0: the time is over */
static int wait_socket(dsapi_db_t *db, apr_time_t until)
{
    struct pollfd pfd = {PQsocket(db->conn), POLLIN, 0};
    int timeout_ms = -1;

    if (db->flushing) {
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

/* Cancels what is under way; nobody wants its rows any more. */
static void stop_batch(dsapi_db_t *db)
{
    cancel(db);
    if (db->sink) {
        db->sink->closed = 1;
    }
}

/* The end of a batch that has been sent, cancelled where it takes too long or
 * the row function has had enough. */
static apr_status_t wait_batch(dsapi_rows_t **prows, dsapi_err_t **perr,
                               dsapi_db_t *db, apr_interval_time_t timeout,
                               apr_pool_t *pool)
{
    apr_time_t now = apr_time_now();
    apr_time_t until = timeout ? now + timeout + CANCEL_GRACE / 2 : 0;
    int cancelled = 0;
    apr_status_t rv;

    while ((rv = dsapi_db_poll(prows, perr, db, pool)) == APR_EINPROGRESS) {
        if (db->sink && until && !cancelled) {
            until += apr_time_now() - now; /* not spent waiting */
        }
        if ((cancelled || !db->sink || !db->sink->closed) &&
            wait_socket(db, until)) {
            now = apr_time_now();
            continue;
        }
        if (cancelled || !db->sink) {
            drop_results(db);
            end_batch(db);
            dsapi_db_break(db);
            return dsapi_db_error(perr, "57014", "no answer in time", pool);
        }
        stop_batch(db);
        cancelled = 1;
        until = apr_time_now() + CANCEL_GRACE;
    }
    if (rv == APR_SUCCESS && cancelled && db->sink) {
        *prows = NULL; /* it has ended, but rows may have been dropped */
        return dsapi_db_error(perr, "57014", "cancelled at its end", pool);
    }
    return rv;
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

/* @return 1: the batch, which has not happened, may be run once more */
static int run_again(dsapi_db_t *db, const dsapi_batch_t *batch,
                     const dsapi_err_t *err)
{
    if (db->sink && db->sink->given) {
        return 0;
    }
    if (PQstatus(db->conn) == CONNECTION_OK) {
        return db->prepare && dsapi_db_stale(err) && dsapi_db_idle(db);
    }
    return err->rv == DSAPI_EDBDOWN && batch->repeatable && reset(db);
}

apr_status_t dsapi_db_run(dsapi_rows_t **prows, dsapi_err_t **perr,
                          dsapi_db_t *db, const dsapi_batch_t *batch,
                          apr_pool_t *pool)
{
    int open = PQstatus(db->conn) == CONNECTION_OK && !dsapi_db_idle(db);
    apr_status_t rv;

    *prows = NULL;
    /* Where no transaction is open nothing has been begun, whatever the
     * batch does. */
    if (!is_alive(db) && (open || !reset(db))) {
        return connection_lost(perr, db, pool);
    }
    for (int attempt = 0;; attempt++) {
        rv = dsapi_db_send(db, perr, batch, pool);
        if (rv == APR_SUCCESS) {
            rv = wait_batch(prows, perr, db, batch->timeout, pool);
        }
        if (rv == APR_SUCCESS || open || attempt > 0 ||
            !run_again(db, batch, *perr)) {
            return rv;
        }
    }
}

apr_status_t dsapi_db_stream(dsapi_err_t **perr, dsapi_db_t *db,
                             const dsapi_batch_t *batch, dsapi_row_fn row,
                             void *baton, apr_pool_t *pool)
{
    sink_t sink = {row, baton, {NULL}, 0, 0, APR_SUCCESS};
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
    return PQftype(rows->res, column);
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
