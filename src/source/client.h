/*
 * The HTTP client of the worker: many transfers at once on one thread, over
 * libcurl's multi interface. Nothing here blocks but dsapi_client_wait.
 */
#ifndef DSAPI_SOURCE_CLIENT_H
#define DSAPI_SOURCE_CLIENT_H

#include <apr_pools.h>
#include <apr_time.h>
#include <apr_tables.h>

#include "base/error.h"
#include "source/address.h"
#include "source/rules.h"

typedef struct dsapi_client_t dsapi_client_t;
typedef struct dsapi_transfer_t dsapi_transfer_t;

/** What to ask for. Strings are borrowed for the life of the transfer. */
typedef struct dsapi_fetch_t {
    const char *url;                     /* absolute, http or https */
    const char *post;                    /* the body; NULL: it is a GET */
    const apr_array_header_t *headers;   /* of const char *, "Name: value" */
    const apr_array_header_t *hosts;     /* of dsapi_host_t: may be asked */
    const char *proxy;                   /* its URL; NULL: none */
    const char *ca;                      /* PEM; NULL: the system's */
    apr_interval_time_t timeout;         /* for the whole transfer */
    apr_interval_time_t connect_timeout; /* for connecting */
    apr_interval_time_t stall_timeout;   /* with no byte arriving */
    apr_off_t max_body_bytes;            /* inflated; more is an error */
    void *baton;                         /* the caller's */
} dsapi_fetch_t;

/**
 * libcurl's process-wide start, before any thread exists.
 * @return APR_SUCCESS; APR_EGENERAL
 */
apr_status_t dsapi_client_global_init(void);

/** Undo dsapi_client_global_init. */
void dsapi_client_global_cleanup(void);

/**
 * Make a client. One thread uses it.
 * @param user_agent  copied
 * @param pool        owns the client: destroying it ends every transfer
 * @return the client; NULL where libcurl refuses
 */
dsapi_client_t *dsapi_client_make(const char *user_agent, apr_pool_t *pool);

/**
 * Start a transfer. HTTP/2 over TLS where the other side has it; compressed
 * answers are accepted and undone; no signals; TLS is verified; variables of
 * the environment are ignored.
 *
 * The host must be one of fetch->hosts, and the address that is connected to
 * public, or the host's entry says anywhere (through a proxy, the entry alone
 * counts). That goes for each of at most five redirects, too, which never
 * lead from https to http. On another origin a request has none of
 * fetch->headers any more, even if it comes back. A POST is repeated for 307
 * and 308 at its own origin only; else it becomes a GET.
 * @param ptransfer  out: the transfer, in pool; NULL on error
 * @param pool       the transfer's: destroying it aborts the transfer
 * @return APR_SUCCESS; APR_EGENERAL: libcurl would not take it
 */
apr_status_t dsapi_client_start(dsapi_transfer_t **ptransfer,
                                dsapi_client_t *client,
                                const dsapi_fetch_t *fetch, apr_pool_t *pool);

/**
 * Move all transfers on and wait until something happens on one of them, on
 * the extra descriptor, or until the time is over.
 * @param extra_fd     a descriptor to wait for as well; -1: none
 * @param extra_write  1: wait until it can be written, too
 * @param timeout      at most this long; 0: do not wait
 */
void dsapi_client_wait(dsapi_client_t *client, int extra_fd, int extra_write,
                       apr_interval_time_t timeout);

/**
 * Take one transfer that has ended.
 * @param presp  out: what came; its strings live in the transfer's pool, its
 *               transport text names no host or URL
 * @return its fetch->baton; NULL: none has ended (presp untouched)
 */
void *dsapi_client_next_done(dsapi_response_t *presp, dsapi_client_t *client);

/** @return how many transfers are under way */
int dsapi_client_active(const dsapi_client_t *client);

#endif
