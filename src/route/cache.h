/*
 * The cache of rendered responses, one per child process: bounded, shared by
 * its threads, with single-flight (of equal requests at once, one computes)
 * and entries kept for a while after their end for when the database fails.
 *
 * A key is what the caller makes it: it must hold all that the answer depends
 * on (configuration, route, bound values, representation, data version, and
 * of a private answer the user's session values). The same path for all:
 *
 *     get -> HIT     send the entry
 *         -> LEAD    compute; then exactly one of put, abandon, decline
 *         -> WAITED  compute, without storing
 *         -> FAILED  the leader's error: answer it, or dsapi_route_cache_stale
 *
 * Where a leader fails, all that wait for it fail with its error, at once and
 * without asking: equal requests would ask the same of the same database, and
 * if each of them tried in its turn, a database that is down would meet all of
 * them, one time-out after the other. The next request after them tries again.
 *
 * Where data has versions, an ask bears a stamp: which versions of what the
 * answer depends on are the newest known, read before the answer is computed.
 * An entry is filed under its leader's stamp and lives, beyond its own time,
 * for as long as that is verified to be the newest. Another stamp is another
 * question, with a leader of its own, so that no answer to an earlier one is
 * taken for it; but its entry takes the place of the earlier one's, which until
 * then is there for dsapi_route_cache_stale.
 *
 * The database is not all that can end a leader. One that stops for a reason
 * of its own gives its place to the one that has waited longest.
 */
#ifndef DSAPI_ROUTE_CACHE_H
#define DSAPI_ROUTE_CACHE_H

#include <apr_pools.h>
#include <apr_time.h>
#include <stdatomic.h>

#include "base/error.h"

typedef struct dsapi_cache_t dsapi_cache_t;
/** The duty to compute what a key stands for. */
typedef struct dsapi_cache_lead_t dsapi_cache_lead_t;

/** What is noted of an entry, by any thread. */
typedef struct dsapi_cache_notes_t {
    _Atomic apr_time_t right_at;  /* its stamp was the newest until then, at
                                     least */
    _Atomic apr_time_t failed_at; /* these are the caller's; 0 at first */
    _Atomic apr_time_t changed_at;
} dsapi_cache_notes_t;

/** A rendered response. Read-only, shared by threads. */
typedef struct dsapi_cache_entry_t {
    const char *body; /* need not end in NUL; aligned as doubles have to be */
    apr_size_t body_bytes;
    const char *content_type;
    const char *etag;       /* quoted; strong unless the caller gave another */
    const char *headers;    /* as the caller gave them (Link); NULL: none */
    apr_time_t made;        /* Age is now less this */
    apr_time_t fresh_until; /* from then on it is stale */
    apr_uint64_t stamp;     /* that it was asked for with */
    dsapi_cache_notes_t *notes;
} dsapi_cache_entry_t;

/** What a leader hands in; everything is borrowed for the call. */
typedef struct dsapi_cache_answer_t {
    const char *body; /* may be NULL if body_bytes is 0 */
    apr_size_t body_bytes;
    const char *content_type;
    const char *etag;    /* NULL: dsapi_route_etag_make's */
    const char *headers; /* NULL: none */
    apr_time_t made;
    apr_time_t fresh_until;
    apr_time_t stale_until; /* had by dsapi_route_cache_stale before this */
} dsapi_cache_answer_t;

/** What is asked for. */
typedef struct dsapi_cache_ask_t {
    const void *key; /* any bytes, borrowed; not NULL */
    apr_size_t key_bytes;
    apr_time_t now;
    apr_interval_time_t wait; /* longest wait for a leader; <= 0: none */
    apr_uint64_t stamp;       /* of versions; 0: there are none */
    apr_time_t verified_at;   /* when the stamp was the newest one: now, or
                                 earlier where that can't be told */
    apr_uint64_t before;      /* the stamp that was the newest until that one
                                 was; 0: none */
    apr_time_t changed_at;    /* when that is known to have been so last */
} dsapi_cache_ask_t;

typedef enum dsapi_cache_got_t {
    DSAPI_CACHE_HIT,
    DSAPI_CACHE_LEAD,
    DSAPI_CACHE_WAITED,
    DSAPI_CACHE_FAILED
} dsapi_cache_got_t;

/** Numbers of a cache: what it is now, then counts since it was made. */
typedef struct dsapi_cache_stats_t {
    apr_size_t bytes; /* of all entries: never more than max_bytes */
    apr_size_t entries;
    apr_size_t waiting;   /* threads that wait for a leader */
    apr_uint64_t got[4];  /* what dsapi_route_cache_get returned */
    apr_uint64_t shared;  /* of DSAPI_CACHE_HIT: what was waited for */
    apr_uint64_t stale;   /* entries given by dsapi_route_cache_stale */
    apr_uint64_t evicted; /* dropped for room */
} dsapi_cache_stats_t;

/**
 * Make a cache.
 * @param max_bytes  what entries may take, their keys and overhead included.
 *                   The least recently used are dropped for room. One over a
 *                   quarter of this is shared with those who wait for it, but
 *                   not kept; 0: none is. Entries that were dropped and are
 *                   still being read are not counted. The table of keys, of at
 *                   most 1/128 of this (or 512 bytes), comes on top.
 * @param pool       the child's; the cache ends with it, when no thread is
 *                   in a function of it or leads; entries that are held then
 *                   stay good
 * @return the cache, for any thread; NULL: no randomness or no lock was had
 */
dsapi_cache_t *dsapi_route_cache_make(apr_size_t max_bytes, apr_pool_t *pool);

/**
 * Ask for a response. May block for ask->wait (for longer if the system's
 * clock is set back meanwhile and the leader never ends).
 *
 * An entry is fresh before its fresh_until, and not if it was made in the
 * future by more than it lives (the clock was set back). Where its stamp has
 * been verified since, both times of its end are later by as much. One that
 * was waited for is a HIT even if it took longer to make than it lives.
 * @param pentry       out: the entry, if DSAPI_CACHE_HIT; good until
 *                     result_pool ends; else NULL
 * @param plead        out: the duty, if DSAPI_CACHE_LEAD; else NULL. Where
 *                     result_pool ends before it is done, it is abandoned.
 * @param perr         out: a copy of the leader's error, without fields, if
 *                     DSAPI_CACHE_FAILED (in result_pool); else NULL
 * @param result_pool  the request's: used by this thread alone
 * @return one of DSAPI_CACHE_*; of those who ask for a key at once, one alone
 *         gets DSAPI_CACHE_LEAD until it is done. DSAPI_CACHE_WAITED: the wait
 *         is over, or the leader's answer can't be shared.
 */
dsapi_cache_got_t dsapi_route_cache_get(const dsapi_cache_entry_t **pentry,
                                        dsapi_cache_lead_t **plead,
                                        dsapi_err_t **perr,
                                        dsapi_cache_t *cache,
                                        const dsapi_cache_ask_t *ask,
                                        apr_pool_t *result_pool);

/**
 * When was an entry right for certain? Its age is now less this. It is noted.
 * @param entry  got by this ask
 * @return when it was made, or a later time when its stamp was verified
 */
apr_time_t dsapi_route_cache_as_of(const dsapi_cache_entry_t *entry,
                                   const dsapi_cache_ask_t *ask);

/**
 * Get an entry whatever its age and stamp, as long as it is kept: for
 * stale-if-error,
 * by anyone who can't compute an answer (and a leader before it says so).
 * @return the entry, good until result_pool ends (fresh if one has come
 *         meanwhile); NULL: there is none, or its stale_until has come
 */
const dsapi_cache_entry_t *dsapi_route_cache_stale(dsapi_cache_t *cache,
                                                   const dsapi_cache_ask_t *ask,
                                                   apr_pool_t *result_pool);

/**
 * Hand the duty on, to another pool and the thread that will use that.
 * @param lead  over after this, without anybody's being told
 * @param pool  where it ends before the duty is done, that is abandoned
 * @return the duty; over, if lead was before
 */
dsapi_cache_lead_t *dsapi_route_cache_move(dsapi_cache_lead_t *lead,
                                           apr_pool_t *pool);

/**
 * Hand in an answer: it is stored in the place of any older one, and given to
 * all who wait for it. In the thread and with the pool of the get, or of the
 * move behind it.
 * @param lead  over after this; if it was over before, nothing is stored
 * @return the entry made of it, good until that pool ends. Never NULL, also
 *         where it is too large to be kept; where memory is out we abort.
 */
const dsapi_cache_entry_t *
dsapi_route_cache_put(dsapi_cache_lead_t *lead,
                      const dsapi_cache_answer_t *answer);

/**
 * Stop leading, without an answer. An older entry stays, for stale-if-error.
 * @param lead  over after this; nothing happens if it was over before
 * @param err   why (copied): all who wait get DSAPI_CACHE_FAILED with it.
 *              NULL: for a reason that is not theirs (the client has gone):
 *              who has waited longest gets DSAPI_CACHE_LEAD, the others go on
 *              waiting.
 */
void dsapi_route_cache_abandon(dsapi_cache_lead_t *lead,
                               const dsapi_err_t *err);

/**
 * Stop leading, for an answer that can't be shared (it streams): all who wait
 * get DSAPI_CACHE_WAITED. An older entry stays.
 * @param lead  over after this; nothing happens if it was over before
 */
void dsapi_route_cache_decline(dsapi_cache_lead_t *lead);

/** Read the numbers, all of one moment. Any thread. */
void dsapi_route_cache_stats(dsapi_cache_stats_t *pstats, dsapi_cache_t *cache);

#endif
