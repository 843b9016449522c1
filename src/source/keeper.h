/*
 * The worker's housekeeping: it removes what has been kept long enough, and
 * runs schedules. Everything is sent over the worker's own connection, when
 * nothing is more urgent; while a tick's transaction is open, it goes first.
 *
 * A tick is one transaction: its row is taken (dsapi.tick), each= run, and its
 * jobs are put into the queue. So each tick makes its jobs once, whatever
 * breaks and however many workers see it; one that fails is tried again in a
 * minute, and told once.
 */
#ifndef DSAPI_SOURCE_KEEPER_H
#define DSAPI_SOURCE_KEEPER_H

#include "source/link.h"
#include "source/schedule.h"

typedef struct dsapi_keeper_t dsapi_keeper_t;

/** What there is to tell of a tick. */
typedef struct dsapi_keeper_news_t {
    const dsapi_schedule_t *schedule; /* NULL: nothing */
    int failed;
    const char *text; /* how many jobs, or why not; until the next batch */
} dsapi_keeper_news_t;

/** Make one. @param sources  of const dsapi_source_t *, borrowed */
dsapi_keeper_t *dsapi_keeper_make(const apr_array_header_t *sources,
                                  apr_pool_t *pool);

/** The connection is new, or was lost: begin anew. */
void dsapi_keeper_reset(dsapi_keeper_t *keeper);

/** @return 1: its transaction is open and goes on with dsapi_keeper_fill */
int dsapi_keeper_busy(const dsapi_keeper_t *keeper);

/** @return when it has something to ask, of dsapi_link_clock */
apr_time_t dsapi_keeper_due(const dsapi_keeper_t *keeper);

/**
 * Put its next batch together, which dsapi_link_begin has begun.
 * @param pool  of the batch's texts
 * @return the limit for dsapi_link_send
 */
apr_interval_time_t dsapi_keeper_fill(dsapi_keeper_t *keeper,
                                      dsapi_link_t *link, apr_pool_t *pool);

/** Its batch has ended well. @param rows  of the last statement */
void dsapi_keeper_take(dsapi_keeper_news_t *pnews, dsapi_keeper_t *keeper,
                       const dsapi_rows_t *rows, apr_pool_t *pool);

/**
 * Its batch has failed; an open transaction is to be rolled back.
 * @return 1: the queue itself is out of order, which is not ours to tell
 */
int dsapi_keeper_fail(dsapi_keeper_t *keeper, const dsapi_err_t *err);

#endif
