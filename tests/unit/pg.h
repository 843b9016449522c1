/*
 * For tests that need a real PostgreSQL and the upstream stand-in. Both come
 * from the environment (see tests/lib/unit.sh); where it says nothing the
 * test fails. Everything made here ends with g_pool.
 */
#ifndef DSAPI_TESTS_PG_H
#define DSAPI_TESTS_PG_H

#include <apr_time.h>

#include "db/db.h"

/** A database of a test's own. */
typedef struct pg_t {
    const char *name;
    const char *conninfo; /* of the superuser */
    void *conn;           /* a connection for the test's own questions */
    dsapi_db_t *db;       /* the same */
} pg_t;

/** A new, empty database; dropped with g_pool. */
pg_t *pg_open(void);

/** Run one statement as the superuser, outside of any test's database. */
void pg_administer(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/** Apply a file of conf/ with psql, in one transaction. */
void pg_apply(const pg_t *pg, const char *file);

/** A blocking connection, closed with pool: what mod_dbd would hand over. */
void *pg_connect(const char *conninfo, apr_pool_t *pool);

/** Run a shell command; the test fails where it does. */
void run_shell(const char *command);

/** Restart the server. */
void pg_restart(void);

/** A connection as pg_connect makes it, adopted. */
dsapi_db_t *pg_adopt(const pg_t *pg);

/** Run one statement; the test fails where that does.
 *  @return the first value of the first row, in g_pool; NULL: none */
const char *pg_value(const pg_t *pg, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/** Ask until the first value is want; the test fails after ten seconds. */
void pg_until(const pg_t *pg, const char *want, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/** Run one statement on any connection. @return as dsapi_db_run */
apr_status_t pg_run(dsapi_rows_t **prows, dsapi_err_t **perr, dsapi_db_t *db,
                    const char *sql);

/** Have the server parse a statement, with parameters of unknown types.
 *  @param pmessage  out: what it says against that, in g_scratch
 *  @return its SQLSTATE, in g_scratch; NULL: nothing is wrong */
const char *pg_parse(const char **pmessage, const pg_t *pg, const char *sql);

/** A call of a text with nvalues texts (NULL: SQL NULL), in g_pool. */
dsapi_call_t pg_call(const char *sql, int nvalues, ...);

/** An upstream stand-in; ended with g_pool. @return its port */
int stub_start(void);

/** Ask the stand-in something. @return the body of its answer */
const char *stub_ask(int port, const char *method, const char *path,
                     const char *body);

/** Queue an answer. @param json  see tests/tools/upstream.c */
void stub_answer(int port, const char *json);

/** @return 1: the stand-in holds so many requests just now */
int stub_holds(int port, int held);

#endif
