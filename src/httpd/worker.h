/* The worker of each child, driven by mod_watchdog's thread. */
#ifndef DSAPI_HTTPD_WORKER_H
#define DSAPI_HTTPD_WORKER_H

#include <httpd.h>

/** What the worker needs, where any server declares a source: mod_watchdog
 *  and a database. @return 1; 0, logged: it has not got it */
int mod_dsapi_worker_check(apr_pool_t *ptemp, server_rec *main);

/** Register with mod_watchdog, where any server declares a source.
 *  @return OK; HTTP_INTERNAL_SERVER_ERROR, logged */
int mod_dsapi_worker_post_config(apr_pool_t *pconf, server_rec *main);

/** The HTTP client's start in a child, before there are threads. The child's
 *  end waits for the worker, which gives its jobs back. */
void mod_dsapi_worker_child_init(apr_pool_t *pchild);

/** Hook child_stopping: claim no more. */
void mod_dsapi_worker_child_stopping(apr_pool_t *pchild, int graceful);

#endif
