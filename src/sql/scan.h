/*
 * SQL as an administrator writes it: finds :names (outside quotes, dollar
 * quotes, comments and casts) and turns them into $1, $2, ... for a prepared
 * statement. Nothing else is changed (but a blank stands between a word and
 * the $n right behind it), and no value is ever pasted in.
 *
 * Lexical rules are those of PostgreSQL's scan.l: '' and E'' strings, "..."
 * identifiers, $tag$...$tag$, -- and nested block comments, '::' casts and
 * ':=' named arguments. In an array slice write a blank behind the colon
 * (a[1: n]), as in psql.
 */
#ifndef DSAPI_SQL_SCAN_H
#define DSAPI_SQL_SCAN_H

#include <apr_pools.h>
#include <apr_tables.h>

#include "base/error.h"

/** PostgreSQL cuts longer names off; here they are an error. */
#define DSAPI_SQL_NAME_MAX_BYTES 63

/** One statement. Read-only once made; lives in the pool it was made from. */
typedef struct dsapi_sql_t {
    const char *text;   /* with $n in place of :name, no final ';' */
    int nparams;        /* different names; $n is names[n - 1] */
    const char **names; /* without the colon */
    apr_uint64_t hash;  /* FNV-1a of text */
} dsapi_sql_t;

/**
 * Split a text at its semicolons, as psql does (not at those in brackets),
 * and find its parameters.
 * @param pstatements  out: array of dsapi_sql_t *, in result_pool; NULL on
 *                     error. Empty statements are dropped.
 * @param perr         out: what is wrong and in which line of the text; in
 *                     result_pool; NULL on success
 * @param text         borrowed for the call
 * @return APR_SUCCESS; DSAPI_ESYNTAX: an open quote or comment, $1 in place
 *         of a name, an identifier over 63 bytes, or no statement
 */
apr_status_t dsapi_sql_parse(apr_array_header_t **pstatements,
                             dsapi_err_t **perr, const char *text,
                             apr_pool_t *result_pool, apr_pool_t *scratch_pool);

/**
 * Make a statement of a text that is SQL already ($1, $2, ...).
 * @param text     borrowed for the life of the statement
 * @param nparams  how many parameters it has; they have no names
 * @return the statement, in pool
 */
dsapi_sql_t *dsapi_sql_literal(const char *text, int nparams, apr_pool_t *pool);

/**
 * Read one token of a statement that has been parsed: a word, a string, a
 * quoted name, or one character.
 * @param pend  out: what follows the token
 * @param p     inside of the text, where a token may begin
 * @return where it begins, behind blanks and comments; at the text's end '\0'
 */
const char *dsapi_sql_token(const char **pend, const char *p);

/** What a statement does to the transaction that it runs in. */
typedef enum dsapi_sql_kind_e {
    DSAPI_SQL_PLAIN,       /* nothing */
    DSAPI_SQL_TRANSACTION, /* begins, ends or marks it: BEGIN, START, COMMIT,
                              END, ROLLBACK, ABORT, SAVEPOINT, RELEASE, PREPARE
                              TRANSACTION */
    DSAPI_SQL_PROCEDURE    /* CALL, DO: may end it, and keep what was done */
} dsapi_sql_kind_e;

/** @return what a statement is by its first words; any thread */
dsapi_sql_kind_e dsapi_sql_kind(const dsapi_sql_t *sql);

#endif
