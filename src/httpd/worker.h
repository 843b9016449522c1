/* The worker of each child and its watcher of data versions, each driven by a
 * thread of mod_watchdog's. */
#ifndef DSAPI_HTTPD_WORKER_H
#define DSAPI_HTTPD_WORKER_H

#include <httpd.h>

/** What they need, where any server declares a source or a cached route that
 *  depends on data: mod_watchdog and a database.
 *  @return 1; 0, logged: they have not got it */
int mod_dsapi_worker_check(apr_pool_t *ptemp, server_rec *main);

/** Register with mod_watchdog what there is work for.
 *  @return OK; HTTP_INTERNAL_SERVER_ERROR, logged */
int mod_dsapi_worker_post_config(apr_pool_t *pconf, server_rec *main);

/** The start in a child, before there are threads. The child's end waits for
 *  them, and for the worker to give its jobs back. */
void mod_dsapi_worker_child_init(apr_pool_t *pchild);

/** Hook child_stopping: claim no more. */
void mod_dsapi_worker_child_stopping(apr_pool_t *pchild, int graceful);

#endif
