/*
 * What cached routes depend on: names from the configuration, and what a child
 * knows of their versions.
 */
#ifndef DSAPI_HTTPD_VERSIONS_H
#define DSAPI_HTTPD_VERSIONS_H

#include <httpd.h>

#include "httpd/config.h"
#include "route/version.h"

/** A configuration is about to be checked: no names yet. */
void mod_dsapi_versions_begin(apr_pool_t *pconf);

/** @return 1: the route may be cached: GET, and SQL that changes nothing or a
 *  metric */
int mod_dsapi_cacheable(const mod_dsapi_route_t *route);

/**
 * Settle how a route is cached, when all sections have been read.
 * @param pwhere  in/out: the directive that a mistake is in
 * @return what is wrong, in pool; NULL: nothing
 */
const char *mod_dsapi_versions_settle(const ap_directive_t **pwhere,
                                      mod_dsapi_route_t *route,
                                      apr_pool_t *pool);

/**
 * Settle what a series depends on.
 * @param pwhere  in/out: the directive that a mistake is in
 * @return what is wrong, in pool; NULL: nothing
 */
const char *mod_dsapi_versions_of_series(const ap_directive_t **pwhere,
                                         mod_dsapi_series_t *series,
                                         apr_pool_t *pool);

/** @return of const char *: the names of all routes; empty: none depends */
const apr_array_header_t *mod_dsapi_versions_names(void);

/** Make a child's table, before it has threads.
 *  @return it, for ever; NULL: there are no names */
dsapi_versions_t *mod_dsapi_versions_child_init(void);

/**
 * Read the versions of what an answer is to be made of, before it is.
 * @param pstamp  out
 * @param key     of a route with DsapiMetric: the values of its series'
 *                parameters
 * @return 1: they are the newest ones; 0: who can tell
 */
int mod_dsapi_versions_read(dsapi_version_stamp_t *pstamp, const request_rec *r,
                            const mod_dsapi_route_t *route,
                            const char *const *key);

#endif
