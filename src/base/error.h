/*
 * Status codes of the core, and the one error type that every layer passes
 * up. Errors are returned, never logged; the glue turns them into a problem
 * document (RFC 9457) and one log line.
 */
#ifndef DSAPI_BASE_ERROR_H
#define DSAPI_BASE_ERROR_H

#include <apr_errno.h>
#include <apr_pools.h>
#include <apr_tables.h>

#define DSAPI_STATUS(n)  (APR_OS_START_USERERR + 7000 + (n))
#define DSAPI_EPARAM     DSAPI_STATUS(1)  /* 400: a value is missing or wrong */
#define DSAPI_EDENIED    DSAPI_STATUS(2)  /* 403: not allowed */
#define DSAPI_ENOTFOUND  DSAPI_STATUS(3)  /* 404 */
#define DSAPI_EMETHOD    DSAPI_STATUS(4)  /* 405 */
#define DSAPI_ECONFLICT  DSAPI_STATUS(5)  /* 409 */
#define DSAPI_ETOOBIG    DSAPI_STATUS(6)  /* 413 */
#define DSAPI_EMEDIA     DSAPI_STATUS(7)  /* 415 */
#define DSAPI_EUNPROC    DSAPI_STATUS(8)  /* 422 */
#define DSAPI_EINTERNAL  DSAPI_STATUS(9)  /* 500: our or the SQL's mistake */
#define DSAPI_EBUSY      DSAPI_STATUS(10) /* 503: try again later */
#define DSAPI_EDBDOWN    DSAPI_STATUS(11) /* 503: no database */
#define DSAPI_ETIMEOUT   DSAPI_STATUS(12) /* 504: a deadline passed */
#define DSAPI_ESYNTAX    DSAPI_STATUS(13) /* 400: a text breaks its grammar */
#define DSAPI_EAUTH      DSAPI_STATUS(14) /* 401 */
#define DSAPI_EURITOOBIG DSAPI_STATUS(15) /* 414 */
#define DSAPI_ELIMIT     DSAPI_STATUS(16) /* 429: a limit is used up */
#define DSAPI_STATUS_MAX 16

#define DSAPI_FIELDS_MAX 100 /* mistakes that one error collects */

/** One mistake of a request: where it is, and what would be right. */
typedef struct dsapi_field_err_t {
    const char *in; /* "path", "query", "header" or "body" */
    const char *name;
    const char *message;
} dsapi_field_err_t;

/** What the database said of an error: names and values, for a client that may
 *  see the table. */
typedef struct dsapi_said_t {
    const char *message;
    const char *detail; /* NULL: none */
    const char *hint;   /* NULL: none */
    const char *where;  /* its function that said so; NULL: unknown */
} dsapi_said_t;

/** An error. Every string lives in the pool it was made from. */
typedef struct dsapi_err_t {
    apr_status_t rv;      /* one of DSAPI_E* */
    const char *code;     /* stable lower-case words, "invalid-parameter" */
    const char *detail;   /* for the client: no SQL, host or secret; UTF-8 */
    const char *internal; /* for the log; NULL: the same as detail */
    const char *sqlstate; /* five characters, or NULL */
    const char *allow;    /* DSAPI_EMETHOD: the value of Allow; else NULL */
    int http;             /* a status that rv does not name; 0: rv's */
    int retry_after_s;    /* seconds; 0: no Retry-After */
    apr_array_header_t *fields; /* of dsapi_field_err_t; NULL: none */
    const dsapi_said_t *said;   /* NULL: it is not the database's */
    int dialect; /* a resource's (PostgREST): message (detail), details and hint
                    are told besides */
    const char *details; /* JSON; NULL: null */
    const char *hint;    /* NULL: null */
    const char *rows;    /* JSON: records of an upload that are refused; NULL:
                            it is about something else */
    int more;            /* and others are, too */
} dsapi_err_t;

/** What a status code means over HTTP. */
typedef struct dsapi_status_t {
    apr_status_t rv;
    int http;          /* status of the response */
    const char *title; /* its RFC 9110 reason phrase */
} dsapi_status_t;

/**
 * Fill an error and return its status.
 * @param perr  out: the error, in pool; may be NULL (nothing is made)
 * @param pool  owns the error
 * @param rv    one of DSAPI_E*
 * @param code  borrowed for ever (a literal)
 * @param fmt   printf format (apr_psprintf) of the detail
 * @return rv
 */
apr_status_t dsapi_fail(dsapi_err_t **perr, apr_pool_t *pool, apr_status_t rv,
                        const char *code, const char *fmt, ...)
    __attribute__((format(printf, 5, 6)));

/**
 * Add one mistake to an error that collects them (the log is told the first
 * one's place and name, not its message, which may quote a value); the first
 * call makes the
 * error (DSAPI_EPARAM, "invalid-parameter"). Its detail is the first mistake
 * ("'day' must be ..."), and says if there are more. A client can make any
 * number of mistakes: those past DSAPI_FIELDS_MAX are not kept.
 * @param perr  in/out: the error, in pool; NULL before the first mistake
 * @param in    borrowed for ever (a literal)
 * @param name  copied; "" where it is not known
 * @param fmt   printf format of the message, which reads on from the name
 *              ("must be ..."; a sentence of its own where that is "")
 * @return DSAPI_EPARAM
 */
apr_status_t dsapi_fail_field(dsapi_err_t **perr, apr_pool_t *pool,
                              const char *in, const char *name, const char *fmt,
                              ...) __attribute__((format(printf, 5, 6)));

/**
 * Look up a status code. Read-only, any thread.
 * @return its row; anything unknown is DSAPI_EINTERNAL's. Never NULL.
 */
const dsapi_status_t *dsapi_status_of(apr_status_t rv);

/**
 * Look up the status code of an HTTP status.
 * @return the DSAPI_E* whose row has it (400: DSAPI_EPARAM, 503: DSAPI_EBUSY);
 *         DSAPI_EINTERNAL where none has
 */
apr_status_t dsapi_status_of_http(int http);

#endif
