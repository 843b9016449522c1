/*
 * What the files of this folder share; the only one that includes libpq, and
 * for nobody else but the tests.
 */
#ifndef DSAPI_DB_PQ_H
#define DSAPI_DB_PQ_H

#include <apr_hash.h>
#include <libpq-fe.h>

#include "db/db.h"

struct dsapi_rows_t {
    PGresult *res;
    const char *made; /* one a column: 1: JSON that PostgreSQL made of it for
                         us; NULL: none is */
};

/* A statement as this backend knows it. */
typedef struct prepared_t {
    apr_uint64_t hash;   /* of its text and its parameters' types */
    unsigned generation; /* part of the name */
    const char *name;    /* once it is needed */
    enum {
        UNKNOWN,
        SENT, /* in the batch under way */
        READY
    } state;
    int described;           /* made and binary are known */
    int binary;              /* its values may come in binary */
    const char *made;        /* as in dsapi_rows_t */
    struct prepared_t *json; /* what is run in its place, if made */
    const char *text;        /* of what is run in another's place; else NULL */
} prepared_t;

/* What a command of the pipeline was. */
typedef struct step_t {
    prepared_t *prepares; /* NULL: it runs a statement */
    int describes;        /* it tells the columns of the last statement */
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
    int watch;
    int watching; /* the batch under way asks for it */
    int watched;  /* this backend does it */
    unsigned generation;
    dsapi_as_json_fn as_json; /* NULL: every value as it is printed */
    dsapi_binary_fn binary;   /* NULL: no value in binary */
    PostgresPollingStatusType connecting;
    int flushing; /* not everything has been sent */
    /* the batch under way */
    apr_pool_t *batch_pool;
    step_t *steps;
    int nsteps;
    int changes;                /* it may change data */
    int step;                   /* the command whose results come now */
    const dsapi_call_t *asking; /* the last statement waits for its columns */
    prepared_t *last;           /* what is remembered of it, or NULL */
    const char *made;           /* of its rows: as in dsapi_rows_t */
    PGresult *res;              /* the last statement's */
    PGresult *error;
    sink_t *sink; /* NULL: the rows are kept */
};

/* db.c */

/* The connection is gone. @param sqlstate  NULL: nobody knows what was done */
apr_status_t dsapi_db_lost(dsapi_err_t **perr, const dsapi_db_t *db,
                           const char *sqlstate, apr_pool_t *pool);

/* A field of an error. @return in pool; NULL: there is none, or it cannot be
 * read (it is not UTF-8) */
const char *dsapi_db_field(const PGresult *error, int field, apr_pool_t *pool);

/* What the server said of an error. @return NULL: nothing that can be read */
const dsapi_said_t *dsapi_db_said(const PGresult *error, apr_pool_t *pool);

/* The primary has moved, or lies still: what looks like a mistake of the SQL
 * is one of the connection, which is broken. @return DSAPI_EDBDOWN */
apr_status_t dsapi_db_leave_standby(dsapi_db_t *db, dsapi_err_t *err);

/* Waits for the socket, to be written, too, while db->flushing.
 * @return 0: the time is over */
int dsapi_db_wait(const dsapi_db_t *db, apr_time_t until);

/* send.c: statements on their way to the server. They return 1, or 0 where
 * libpq cannot send any more. */

/* Forget what another backend had prepared. */
void dsapi_db_forget_prepared(dsapi_db_t *db);

/* Put a whole batch into the pipeline, which is open; or, where the last
 * statement's columns are not known yet, all but that one, and ask for them
 * (db->asking). */
int dsapi_db_send_batch(dsapi_db_t *db, const dsapi_batch_t *batch);

/* Take the columns that were asked for, and send the last statement. */
int dsapi_db_send_asked(dsapi_db_t *db, const PGresult *columns);

/* Look at the columns that the last statement had: they may have changed, and
 * of a statement without a name nobody tells us. */
void dsapi_db_check_columns(dsapi_db_t *db, const PGresult *res);

/* Nothing more is sent of the batch. */
int dsapi_db_send_end(dsapi_db_t *db);

#endif
