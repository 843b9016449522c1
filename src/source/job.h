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
    DSAPI_PHASE_RESOLVE, /* the source's SQL is to be asked for columns */
    DSAPI_PHASE_SLOT,    /* the next page's place in the rate is to be taken */
    DSAPI_PHASE_REST,    /* until then: due */
    DSAPI_PHASE_FETCH,   /* a transfer is under way, or to be started */
    DSAPI_PHASE_STORE,   /* the document is at hand */
    DSAPI_PHASE_FAIL     /* the queue is to be told: error, retry_in */
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
    int attempts;          /* the present one included */
    const char *params;    /* JSON, as the queue has it */
    const char *trace;     /* traceparent of who asked; NULL: none */
    const char **values;   /* of the source's parameters, of the columns that
                          * they resolve to, and the document */
    unsigned *types;       /* one a value: its OID */
    apr_table_t *vars;     /* the same, as texts of a URL */
    apr_pool_t *page_pool; /* of what is of one answer */
    apr_pool_t *transfer_pool; /* NULL: no transfer is under way */
    dsapi_fetch_t fetch;
    dsapi_phase_e phase;
    int pages;             /* that are stored; 0: also where there are none */
    const char *page;      /* the URL to ask; NULL: the template's */
    const char *next_page; /* behind it; NULL: there is none */
    apr_time_t due;        /* of DSAPI_PHASE_REST, by dsapi_link_clock */
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

/** The same, of the row's source.
 *  @param sources  of const dsapi_source_t *
 *  @return NULL: it is none of them */
dsapi_job_t *dsapi_job_claimed(const apr_array_header_t *sources,
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

/** Begin the attempt: its phase is resolve, or else fetch; where that cannot
 *  be done it has failed. */
void dsapi_job_start(dsapi_job_t *job);

/** Start the transfer; where that cannot be done the attempt has failed. */
void dsapi_job_fetch(dsapi_job_t *job, dsapi_client_t *client);

/** End the transfer, if one is under way. */
void dsapi_job_abort(dsapi_job_t *job);

/** Take what came; the transfer, which resp lives in, is ended. Where the
 *  upstream says that what is stored is what it has, that is all to be done:
 *  the store's result is {"unchanged":true}. */
void dsapi_job_take(dsapi_job_t *job, const dsapi_response_t *resp);

/** Append to a batch the calls that store what came, from BEGIN on, and count
 *  that. @return how long they may take */
apr_interval_time_t dsapi_job_put_store(dsapi_link_t *link, dsapi_job_t *job,
                                        apr_pool_t *pool);

/** Take the last row of the store, if there is one, as the job's result.
 *  @return NULL, or why it cannot be: for the log */
const char *dsapi_job_take_result(dsapi_job_t *job, const dsapi_rows_t *rows);

/** A page is stored, and there is another: its phase is slot or fetch. */
void dsapi_job_turn_page(dsapi_job_t *job);

/**
 * What the job's SQL, to store or to resolve, ended with: once more, or has
 * the attempt failed? Three times in a row are enough.
 * @param what  of its reason ("the answer could not be stored")
 * @return 1: once more
 */
int dsapi_job_fail_sql(dsapi_job_t *job, const char *what,
                       const dsapi_err_t *err);

/** The same, where the connection broke. */
void dsapi_job_lose_sql(dsapi_job_t *job, const char *doing);

/** Append to a batch the call that takes the next page's place in the rate.
 *  @return how long it may take */
apr_interval_time_t dsapi_job_put_slot(dsapi_link_t *link,
                                       const dsapi_job_t *job,
                                       apr_pool_t *pool);

/** Take the answer of dsapi_queue_take_slot: the job rests until then. */
void dsapi_job_take_slot(dsapi_job_t *job, const dsapi_rows_t *rows);

/** Start the transfers of those of a list that rest no more.
 *  @return how many */
int dsapi_job_fetch_due(dsapi_job_t *list, dsapi_client_t *client);

/** @return when the first of a list rests no more; APR_INT64_MAX: none does */
apr_time_t dsapi_job_due(const dsapi_job_t *list);

/** Append to a batch the calls that end a job, or its page, well, in the
 *  transaction that stores. */
void dsapi_job_put_finish(dsapi_link_t *link, const dsapi_job_t *job,
                          apr_pool_t *pool);

/** Append to a batch the calls that end an attempt badly; the last one gives
 *  column fail (see dsapi_queue_fail). */
void dsapi_job_put_fail(dsapi_link_t *link, const dsapi_job_t *job,
                        apr_pool_t *pool);

#endif
