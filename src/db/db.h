/*
 * Talking to PostgreSQL over libpq: one connection, one batch of statements
 * at a time, sent in one round trip (pipeline mode) as one transaction.
 *
 * Statements are prepared when a connection first needs them, under a name
 * made from their text, and remembered together with the backend's process:
 * after a reconnect, whoever made it, they are prepared again.
 *
 * A batch without BEGIN is one implicit transaction that ends at its Sync:
 * whatever goes wrong, the connection is idle again.
 */
#ifndef DSAPI_DB_DB_H
#define DSAPI_DB_DB_H

#include <apr_pools.h>
#include <apr_time.h>

#include "base/error.h"
#include "sql/scan.h"

/* Types whose values need care; the OIDs of pg_type.dat. */
#define DSAPI_OID_BOOL        16
#define DSAPI_OID_BYTEA       17
#define DSAPI_OID_NAME        19
#define DSAPI_OID_INT8        20
#define DSAPI_OID_INT2        21
#define DSAPI_OID_INT4        23
#define DSAPI_OID_TEXT        25
#define DSAPI_OID_OID         26
#define DSAPI_OID_JSON        114
#define DSAPI_OID_FLOAT4      700
#define DSAPI_OID_FLOAT8      701
#define DSAPI_OID_BPCHAR      1042
#define DSAPI_OID_VARCHAR     1043
#define DSAPI_OID_DATE        1082
#define DSAPI_OID_TIMESTAMP   1114
#define DSAPI_OID_TIMESTAMPTZ 1184
#define DSAPI_OID_NUMERIC     1700
#define DSAPI_OID_UUID        2950
#define DSAPI_OID_JSONB       3802

/* No type of PostgreSQL's: JSON that it made of a value (dsapi_as_json_fn). */
#define DSAPI_OID_MADE 0xffffffffU

/** SQL of an expression: the server ends what it runs some 100 ms after its
 *  client has gone (or what the administrator has set). For the session, since
 *  it costs a tenth of a short transaction. Not where the server has no way to
 *  look, and would refuse the setting. */
#define DSAPI_DB_WATCH                                                     \
    "CASE WHEN current_setting('client_connection_check_interval') = '0' " \
    "AND version() ~* 'linux|darwin|bsd' THEN "                            \
    "set_config('client_connection_check_interval', '100ms', false) END"

typedef struct dsapi_db_t dsapi_db_t;

/** The rows of one statement. Lives in the pool it was read into. */
typedef struct dsapi_rows_t dsapi_rows_t;

/** A statement and its values, borrowed until the batch has ended. */
typedef struct dsapi_call_t {
    const dsapi_sql_t *sql;
    const unsigned *types;     /* OIDs, one a parameter; NULL: all unknown */
    const char *const *values; /* UTF-8, one a parameter; NULL: SQL NULL */
} dsapi_call_t;

/** How a batch is to be run. */
typedef struct dsapi_batch_t {
    const dsapi_call_t *calls;
    int ncalls;
    int repeatable; /* nothing is changed by it: run it once more where the
                       connection breaks. Otherwise a server that takes no
                       changes (25006) is DSAPI_EDBDOWN, and the connection
                       broken, so that the next one is to the primary */
    apr_interval_time_t timeout; /* half a second later (in a stream: then)
                                    the connection is broken; 0: never. For
                                    the server to end a statement by itself,
                                    set its statement_timeout in the batch. */
} dsapi_batch_t;

/**
 * Use a connection that somebody else owns (mod_dbd).
 * @param native  its PGconn, in blocking mode, idle
 * @param pool    the connection's own pool: owns what we remember of it
 */
dsapi_db_t *dsapi_db_adopt(void *native, apr_pool_t *pool);

/** Is a column's value to come as to_json of it?
 *  @param type  its OID; a domain has that of its base type */
typedef int (*dsapi_as_json_fn)(const char *name, unsigned type);

/**
 * Have PostgreSQL make JSON of values, in the rows of each batch's last
 * statement, from the next batch on. Their type is DSAPI_OID_MADE then.
 *
 * The columns are asked for, in one more round trip, when a backend first runs
 * the statement; without a name (dsapi_db_set_prepare) each time, if there are
 * such columns. What only prints its rows (CALL, FETCH, EXECUTE) gives them as
 * they are printed.
 * @param as_json  NULL (the default): every value comes as it is printed
 */
void dsapi_db_set_json(dsapi_db_t *db, dsapi_as_json_fn as_json);

/** Can a value of a type be read in PostgreSQL's binary format? */
typedef int (*dsapi_binary_fn)(unsigned type);

/**
 * Have the values of each batch's last statement come in binary, from the next
 * batch on, where that can be read of all of them. Their types are known with
 * dsapi_db_set_json alone.
 * @param binary  NULL (the default): they come as they are printed
 */
void dsapi_db_set_binary(dsapi_db_t *db, dsapi_binary_fn binary);

/** Prepare statements under a name (1, the default) or not (0: behind a
 *  pooler in transaction mode). */
void dsapi_db_set_prepare(dsapi_db_t *db, int on);

/** @return 1: libpq can read it as a connection string; 0: it cannot */
int dsapi_db_conninfo_ok(const char *conninfo);

/** Have the server end what it runs for this connection where its client has
 *  gone (1) or not (0, the default): DSAPI_DB_WATCH with the next batch. */
void dsapi_db_set_watch(dsapi_db_t *db, int on);

/**
 * Start connecting, without waiting.
 * @param pdb       out: the connection, in pool, closed with it; NULL on error
 * @param conninfo  libpq's; copied by it
 * @return APR_SUCCESS: go on with dsapi_db_connect_poll; DSAPI_EDBDOWN
 */
apr_status_t dsapi_db_connect(dsapi_db_t **pdb, dsapi_err_t **perr,
                              const char *conninfo, apr_pool_t *pool);

/**
 * Go on connecting.
 * @return APR_SUCCESS: connected; APR_EINPROGRESS: wait for the socket;
 *         DSAPI_EDBDOWN (perr in pool)
 */
apr_status_t dsapi_db_connect_poll(dsapi_db_t *db, dsapi_err_t **perr,
                                   apr_pool_t *pool);

/** @return the descriptor to wait for; -1: there is none */
int dsapi_db_socket(const dsapi_db_t *db);

/** @return 1: wait until the descriptor can be written, too */
int dsapi_db_wants_write(const dsapi_db_t *db);

/** @return 1: connected and in no transaction */
int dsapi_db_idle(const dsapi_db_t *db);

/**
 * May a transaction be run again that others were in the way of? If so, after
 * a pause (dsapi_db_pause), which the end of the connection cuts short.
 * @param runs   how often it has been run, >= 1
 * @param until  not later than this; 0: as late as may be
 * @return 1: run it again; 0: that was too often, or it is too late
 */
int dsapi_db_again(const dsapi_db_t *db, int runs, apr_time_t until);

/**
 * Send a batch, without waiting. Nothing else may be under way on db.
 * @param batch  borrowed until dsapi_db_poll has returned its end
 * @return APR_SUCCESS: go on with dsapi_db_poll; DSAPI_EDBDOWN
 */
apr_status_t dsapi_db_send(dsapi_db_t *db, dsapi_err_t **perr,
                           const dsapi_batch_t *batch, apr_pool_t *pool);

/**
 * Go on with a batch, without waiting.
 * @param prows  out: the rows of the last statement, in pool; NULL on error
 * @param perr   out: the first error, in pool; NULL on success
 * @return APR_SUCCESS; APR_EINPROGRESS: wait for the socket; else as
 *         dsapi_db_error
 */
apr_status_t dsapi_db_poll(dsapi_rows_t **prows, dsapi_err_t **perr,
                           dsapi_db_t *db, apr_pool_t *pool);

/**
 * Send a batch and wait for its end, at most until its timeout. Where it has
 * failed and left nothing behind, it is run again (see db/again.h): once more
 * with a statement that the server has lost (26000) or whose result has
 * changed shape (0A000), which is prepared anew; once more after a reconnect,
 * where the connection of a repeatable batch broke or the server takes no
 * changes; up to DSAPI_DB_RUNS_MAX times in all where other transactions were
 * in the way (40001, 40P01), as long as its timeout has not passed.
 * @param prows  out: the rows of the last statement, in pool; NULL on error
 * @param perr   out: the error, in pool; NULL on success
 * @return APR_SUCCESS; as dsapi_db_error; DSAPI_ETIMEOUT: no answer in time,
 *         and the connection is broken; DSAPI_EDBDOWN with SQLSTATE 08001: the
 *         connection had broken and could not be made anew, so nothing was
 *         begun
 */
apr_status_t dsapi_db_run(dsapi_rows_t **prows, dsapi_err_t **perr,
                          dsapi_db_t *db, const dsapi_batch_t *batch,
                          apr_pool_t *pool);

/**
 * Take one row of a stream, or its end. It may block: nothing is read from
 * PostgreSQL meanwhile, which then waits for us. It must not use the db.
 * @param rows  borrowed for the call: exactly one row (0), or at the end none
 *              but the columns
 * @return APR_SUCCESS: go on; anything else: stop
 */
typedef apr_status_t (*dsapi_row_fn)(void *baton, const dsapi_rows_t *rows);

/**
 * As dsapi_db_run, with the last statement's rows given away one by one: what
 * is held in memory is one row and libpq's buffer, however many there are.
 *
 * The row function is called once for each row, in order, while the batch is
 * under way; and where all has gone well, once more without a row, after
 * PostgreSQL has ended the transaction (a deferred constraint has been
 * checked). A statement without a result has zero columns then, and
 * dsapi_rows_affected. After an error or a stop it is not called again.
 *
 * The batch's timeout counts the time that we wait for the server, not that
 * spent in the row function; the server's own statement_timeout counts both,
 * and should be 0. Then nothing is asked of the server any more: the
 * connection is broken, by which it ends a statement that sends, and with
 * dsapi_db_set_watch any.
 * Nothing is run once more after the first row has been given away.
 *
 * Afterwards db is as dsapi_db_run leaves it: dsapi_db_idle, or broken (or in
 * the transaction that a BEGIN has opened).
 *
 * @param perr  out: the error, in pool; it may come after rows, which the row
 *              function has counted; NULL on success and after a stop
 * @return APR_SUCCESS; what the row function returned to stop: the statement
 *         is cancelled (its changes are undone, unless it had ended) and the
 *         rest read and dropped for at most a second, then db is broken; or
 *         to stop at the end, when nothing is left to be undone; as
 *         dsapi_db_error; DSAPI_ETIMEOUT: db is broken
 */
apr_status_t dsapi_db_stream(dsapi_err_t **perr, dsapi_db_t *db,
                             const dsapi_batch_t *batch, dsapi_row_fn row,
                             void *baton, apr_pool_t *pool);

/** @return 1: after this error the same batch may well succeed, since what the
 *  server has lost, or cannot use any more, will be prepared again */
int dsapi_db_stale(const dsapi_err_t *err);

/** Break a connection that cannot be used any more, so that whoever looks
 *  next finds it dead. */
void dsapi_db_break(dsapi_db_t *db);

/**
 * Take a notification that has arrived.
 * @param pchannel  out: in pool
 * @param ppayload  out: in pool
 * @return 1; 0: none (outs untouched)
 */
int dsapi_db_notification(const char **pchannel, const char **ppayload,
                          dsapi_db_t *db, apr_pool_t *pool);

/** Read what has arrived while no batch is under way.
 *  @return APR_SUCCESS; DSAPI_EDBDOWN: the connection is gone */
apr_status_t dsapi_db_consume(dsapi_db_t *db);

int dsapi_rows_count(const dsapi_rows_t *rows);
int dsapi_rows_columns(const dsapi_rows_t *rows);
const char *dsapi_rows_name(const dsapi_rows_t *rows, int column);

/** @return the OID of its type, or DSAPI_OID_MADE */
unsigned dsapi_rows_type(const dsapi_rows_t *rows, int column);

/** @return 1: the values are in binary (dsapi_db_set_binary) */
int dsapi_rows_binary(const dsapi_rows_t *rows);

/** @return a value as PostgreSQL printed it, NUL-terminated, or in binary; good
 *  as long as the rows; NULL: SQL NULL. plen may be NULL. */
const char *dsapi_rows_value(apr_size_t *plen, const dsapi_rows_t *rows,
                             int row, int column);

/** @return how many rows the statement inserted, updated or deleted */
apr_int64_t dsapi_rows_affected(const dsapi_rows_t *rows);

/** @return a value of the first row by its column's name; NULL: SQL NULL, no
 *  such column or no row */
const char *dsapi_rows_get(const dsapi_rows_t *rows, const char *column);

#endif
