/*
 * The watcher: keeps a child's table of data versions (route/version.h). It
 * has a connection of its own, since one in a transaction gets no
 * notifications, and the worker's may store for half a minute.
 *
 * It LISTENs, and asks for what has changed when something was announced, and
 * without that every one and a half: notifications only save time. One thread
 * drives it by turns.
 */
#ifndef DSAPI_SOURCE_WATCH_H
#define DSAPI_SOURCE_WATCH_H

#include "route/version.h"

typedef struct dsapi_watch_t dsapi_watch_t;

/** The channel that dsapi.touch notifies; the payload is the name. */
#define DSAPI_WATCH_CHANNEL "dsapi_version"

typedef enum dsapi_watch_event_e {
    DSAPI_WATCH_CONNECTED, /* to the database */
    DSAPI_WATCH_LOST,      /* it is away; text: why */
    DSAPI_WATCH_SQL        /* it was asked in vain; text: why */
} dsapi_watch_event_e;

/** @param text  good for the call; NULL: there is none */
typedef void (*dsapi_watch_fn)(void *baton, dsapi_watch_event_e event,
                               const char *text);

/** All of it is borrowed for the life of the watcher. */
typedef struct dsapi_watch_config_t {
    const char *conninfo;
    int prepare; /* named prepared statements */
    dsapi_versions_t *versions;
    dsapi_watch_fn event;
    void *baton;
} dsapi_watch_config_t;

/**
 * Make a watcher. It does nothing before its first turn.
 * @param pool  owns it: destroying it closes the connection
 */
dsapi_watch_t *dsapi_watch_make(const dsapi_watch_config_t *config,
                                apr_pool_t *pool);

/** Do what is to be done, and wait for more until the budget is used up. */
void dsapi_watch_turn(dsapi_watch_t *watch, apr_interval_time_t budget);

#endif
