/*
 * Idempotency-Key: a change that is sent again is answered as it was, and done
 * once. What was answered is kept for a day in dsapi.idempotency, written in
 * the transaction of the change.
 */
#ifndef DSAPI_RESOURCE_ONCE_H
#define DSAPI_RESOURCE_ONCE_H

#include "db/db.h"

/** A request that is to be done once. */
typedef struct dsapi_once_t {
    const char *scope;       /* whose keys these are: who asks for what */
    const char *key;         /* the client's */
    const char *fingerprint; /* of what it wants */
} dsapi_once_t;

/** An answer as it is kept. NULL: there is none of it */
typedef struct dsapi_once_answer_t {
    const char *status;
    const char *type;
    const char *location;
    const char *range;
    const char *applied;
    const char *body;
} dsapi_once_answer_t;

/**
 * Read the header: a string of RFC 8941, or the same without quotes.
 * @param pkey    out: in pool; NULL: none was sent
 * @param header  NULL: it is absent
 * @return APR_SUCCESS; DSAPI_EPARAM: it is empty, longer than 255 characters,
 *         or not printable ASCII
 */
apr_status_t dsapi_once_key(const char **pkey, dsapi_err_t **perr,
                            const char *header, apr_pool_t *pool);

/** The call that begins: nobody else does the same until the transaction has
 *  ended. @param pcall  out: refers to pool */
void dsapi_once_begin(dsapi_call_t *pcall, const dsapi_once_t *once,
                      apr_pool_t *pool);

/**
 * What that call has found.
 * @param panswer  out: in pool, if it has been done before
 * @return APR_SUCCESS: see *pdone (1: it has been done); DSAPI_ECONFLICT: it is
 *         being done; DSAPI_EUNPROC: the key was used for something else
 */
apr_status_t dsapi_once_found(int *pdone, dsapi_once_answer_t *panswer,
                              dsapi_err_t **perr, const dsapi_rows_t *rows,
                              apr_pool_t *pool);

/** The call that ends: keeps the answer. @param pcall  out: refers to pool */
void dsapi_once_end(dsapi_call_t *pcall, const dsapi_once_t *once,
                    const dsapi_once_answer_t *answer, apr_pool_t *pool);

#endif
