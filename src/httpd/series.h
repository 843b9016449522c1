/* Series and metrics: declared, and computed for a request. */
#ifndef DSAPI_HTTPD_SERIES_H
#define DSAPI_HTTPD_SERIES_H

#include <httpd.h>

#include "httpd/actions.h"
#include "httpd/config.h"
#include "route/cache.h"

/** @return a service's series by its name; NULL */
mod_dsapi_series_t *mod_dsapi_find_series(const mod_dsapi_service_t *service,
                                          const char *name);

/**
 * Settle a series, when all sections have been read.
 * @param pwhere  out: the directive that a mistake is in
 * @return what is wrong, in pool; NULL: nothing
 */
const char *mod_dsapi_series_settle(const ap_directive_t **pwhere,
                                    mod_dsapi_series_t *series,
                                    const server_rec *main, apr_pool_t *pconf);

/** Tie a route with DsapiMetric to its series. @return what is wrong, in pool;
 *  NULL: nothing */
const char *mod_dsapi_metric_settle(mod_dsapi_route_t *route,
                                    apr_pool_t *pconf);

/** @return 1: a settled route's metric, or its series, takes the value of a
 *  parameter of the route */
int mod_dsapi_metric_uses(const mod_dsapi_route_t *route, int index);

/** The values of the parameters of the series: its key.
 *  @param pkey   out: in the request's pool
 *  @param given  the values of the route's
 *  @return as mod_dsapi_settings */
apr_status_t mod_dsapi_metric_key(const char *const **pkey, dsapi_err_t **perr,
                                  request_rec *r,
                                  const mod_dsapi_route_t *route,
                                  const char *const *given);

/** What a child needs for loads behind their requests. Before mod_dbd's pools:
 *  the child's end waits for them before it takes those down. */
void mod_dsapi_metric_child_init(apr_pool_t *pchild);

/** What a metric is computed of. */
typedef struct mod_dsapi_metric_of_t {
    dsapi_cache_t *cache;         /* the child's */
    const char *const *key;       /* as mod_dsapi_metric_key has it */
    const dsapi_cache_ask_t *ask; /* for the answer: when, how long to wait,
                                     and the versions, read before */
} mod_dsapi_metric_of_t;

/**
 * DsapiMetric: its answer, from the series in memory, which is loaded where it
 * has to be.
 * @param answer  out: in its buf; as_of, stamp, instead say what of
 * @param perr    out: in the request's pool
 * @return APR_SUCCESS, or why not
 */
apr_status_t mod_dsapi_metric(mod_dsapi_answer_t *answer, dsapi_err_t **perr,
                              request_rec *r, const mod_dsapi_route_t *route,
                              const char **values,
                              const mod_dsapi_metric_of_t *of);

#endif
