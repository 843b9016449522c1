/*
 * Statements in PostgreSQL's simple protocol, among them COPY FROM STDIN, which
 * the pipelines of db.h have no place for. Several stand in one text and go in
 * one round trip; after an error those behind it are not run.
 */
#ifndef DSAPI_DB_COPY_H
#define DSAPI_DB_COPY_H

#include "db/db.h"

/**
 * Where the data of a COPY comes from.
 * @param pdata  out: the next piece, good until the next call
 * @return APR_SUCCESS; APR_EOF: there is no more (outs unused); anything else
 *         undoes the COPY
 */
typedef apr_status_t (*dsapi_copy_fn)(const char **pdata, apr_size_t *plen,
                                      void *baton);

/** What is to be run. */
typedef struct dsapi_copy_t {
    const char *sql;
    dsapi_copy_fn source; /* NULL: there is no COPY in it */
    void *baton;
    const char *relation; /* the COPY's table, not quoted, without its schema;
                             NULL: there is none */
    const char *const *columns; /* its columns, not quoted */
    int ncolumns;
    apr_time_t until; /* then the connection is broken; 0: never */
} dsapi_copy_t;

/** How it went. Strings are in the call's pool. */
typedef struct dsapi_copy_end_t {
    apr_int64_t affected; /* rows of the last statement that was run */
    /* after an error */
    int of_row;             /* it is a fault of a row that was to be stored */
    apr_uint64_t line;      /* of the data, from 1; 0: it names none */
    int column;             /* which of columns; -1: it names none */
    const char *schema;     /* what it names; NULL: nothing */
    const char *table;      /* its table */
    const char *constraint; /* and its constraint */
    const char *message;    /* PostgreSQL's, which quotes values: for nobody but
                               the client */
} dsapi_copy_end_t;

/**
 * Run statements on a connection that is idle or in a transaction, and wait
 * for their end. Nothing is run again.
 *
 * No more than one piece of data is in memory, besides libpq's buffer. The
 * server's error comes after the last piece, since libpq does not look before.
 *
 * client_encoding has to be UTF8, as after any batch of dsapi_db_run.
 *
 * @param pend  out
 * @param perr  out: the first error, in pool; NULL on success, and where the
 *              source has ended it
 * @return APR_SUCCESS; the source's own error; as dsapi_db_error (DSAPI_EDBDOWN
 *         also where the server takes no changes); DSAPI_ETIMEOUT: the time is
 *         over, and the connection broken
 */
apr_status_t dsapi_db_copy(dsapi_copy_end_t *pend, dsapi_err_t **perr,
                           dsapi_db_t *db, const dsapi_copy_t *copy,
                           apr_pool_t *pool);

#endif
