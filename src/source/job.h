/*
 * A claimed job in a worker's hands: its fetch, and what came of it. The
 * worker alone uses this, on its thread.
 */
#ifndef DSAPI_SOURCE_JOB_H
#define DSAPI_SOURCE_JOB_H

#include <apr_pools.h>
#include <apr_time.h>

#include "db/db.h"
#include "source/client.h"
#include "source/link.h"
#include "source/source.h"

typedef enum dsapi_phase_e {
    DSAPI_PHASE_FETCH, /* a transfer is under way */
    DSAPI_PHASE_STORE, /* the document is at hand */
    DSAPI_PHASE_FAIL   /* the queue is to be told: error, retry_in */
} dsapi_phase_e;

/** By what an upstream knows an answer; NULL: it has not said. */
typedef struct dsapi_validators_t {
    const char *etag;
    const char *last_modified;
} dsapi_validators_t;

/** How much of an answer's body is kept for diagnosis. */
#define DSAPI_JOB_KEPT_BYTES 65536

/** Its strings live in its pool. */
typedef struct dsapi_job_t {
    struct dsapi_job_t *next;
    apr_pool_t *pool;
    const dsapi_source_t *source;
    const char *id;
    const char *token;
    int attempts;        /* the present one included */
    const char *params;  /* JSON, as the queue has it */
    const char *trace;   /* traceparent of who asked; NULL: none */
    const char **values; /* of the source's parameters, and the document */
    apr_pool_t *transfer_pool; /* NULL: no transfer is under way */
    dsapi_fetch_t fetch;
    dsapi_phase_e phase;
    dsapi_validators_t known;        /* of what has been stored last */
    dsapi_validators_t got;          /* of what is to be stored */
    const apr_array_header_t *store; /* of dsapi_statement_t */
    int status;            /* of the attempt's answer; 0: there is none */
    const char *type;      /* its media type; NULL: none */
    const char *body;      /* how it begins, without the source's secrets */
    apr_size_t body_bytes; /* DSAPI_JOB_KEPT_BYTES at most */
    int stores;            /* how often storing was begun */
    const char *result;    /* JSON; NULL: none */
    const char *error;
    apr_interval_time_t retry_in; /* -1: never again */
} dsapi_job_t;

/**
 * Make a job of a row of dsapi_queue_claim.
 * @param source  the row's, borrowed
 * @param parent  of the job's pool
 */
dsapi_job_t *dsapi_job_make(const dsapi_source_t *source,
                            const dsapi_rows_t *rows, int row,
                            apr_pool_t *parent);

/** Put a job at the end of a list. */
void dsapi_job_append(dsapi_job_t **plist, dsapi_job_t *job);

/** Take a job out of its list, and end it: its pool is destroyed, and so its
 *  transfer. */
void dsapi_job_drop(dsapi_job_t **plist, dsapi_job_t *job);

/** @return the first job of a list in a phase; NULL: none is */
dsapi_job_t *dsapi_job_in(dsapi_job_t *list, dsapi_phase_e phase);

/** @return the job of a list with that id; NULL: none has it */
dsapi_job_t *dsapi_job_of(dsapi_job_t *list, const char *id);

/** The attempt has failed. @param error  copied; @param retry  0: never again;
 *  @param retry_after  what the upstream asked for; 0: nothing */
void dsapi_job_fail(dsapi_job_t *job, const char *error, int retry,
                    apr_interval_time_t retry_after);

/** Start the transfer; where that cannot be done the attempt has failed. */
void dsapi_job_fetch(dsapi_job_t *job, dsapi_client_t *client);

/** End the transfer, if one is under way. */
void dsapi_job_abort(dsapi_job_t *job);

/** Take what came; the transfer, which resp lives in, is ended. Where the
 *  upstream says that what is stored is what it has, that is all to be done:
 *  the store's result is {"unchanged":true}. */
void dsapi_job_take(dsapi_job_t *job, const dsapi_response_t *resp);

/** Append to a batch the calls that end a job well, in the transaction that
 *  stores. */
void dsapi_job_put_finish(dsapi_link_t *link, const dsapi_job_t *job,
                          apr_pool_t *pool);

/** Append to a batch the calls that end an attempt badly; the last one gives
 *  column fail (see dsapi_queue_fail). */
void dsapi_job_put_fail(dsapi_link_t *link, const dsapi_job_t *job,
                        apr_pool_t *pool);

#endif
