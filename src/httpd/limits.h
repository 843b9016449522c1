/*
 * Rate limits of requests: which count one, what they count it by, and the
 * headers. The table that they count in belongs to all children and lives as
 * long as httpd's parent.
 */
#ifndef DSAPI_HTTPD_LIMITS_H
#define DSAPI_HTTPD_LIMITS_H

#include <httpd.h>

#include "httpd/config.h"

/**
 * Put together what each route of a service falls under.
 * @param pwhere   out: the directive that is wrong, where one is
 * @param service  whose sections have been read
 * @param s        the server that declares it
 * @return what is wrong; NULL: nothing
 */
const char *mod_dsapi_limits_settle(const ap_directive_t **pwhere,
                                    mod_dsapi_service_t *service,
                                    const server_rec *s, apr_pool_t *pconf);

/** Make the table, or take that of the last configuration, where any service
 *  is limited. @return OK, or HTTP_INTERNAL_SERVER_ERROR after logging why */
int mod_dsapi_limits_post_config(server_rec *main);

/** Hook header_parser: limits by client. */
int mod_dsapi_limit_early(request_rec *r);

/** Hook fixups: the others, which may need the user. */
int mod_dsapi_limit_late(request_rec *r);

#endif
