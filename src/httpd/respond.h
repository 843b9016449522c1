/*
 * Answers: a body, a problem document (RFC 9457), and the filter that turns
 * httpd's own error pages under a base into problems.
 */
#ifndef DSAPI_HTTPD_RESPOND_H
#define DSAPI_HTTPD_RESPOND_H

#include <httpd.h>

#include "base/error.h"
#include "json/buf.h"

/** The media type of everything that is not said to be something else. */
#define MOD_DSAPI_JSON_TYPE "application/json; charset=utf-8"

/**
 * Send an error as a problem document, and log it in one line.
 * @return OK: r->status is set, so that ErrorDocument does not step in
 */
int mod_dsapi_send_problem(request_rec *r, const dsapi_err_t *err);

/** @return how loudly an error is logged: APLOG_ERR, where an administrator
 *  must act, APLOG_WARNING or APLOG_INFO */
int mod_dsapi_level_of(const dsapi_err_t *err);

/** Set an answer's status. That of an ErrorDocument stays the error's. */
void mod_dsapi_set_status(request_rec *r, int status);

/**
 * Send a body.
 * @param status  of HTTP
 * @param type    its media type; NULL: none (204, 304)
 * @param body    lives as long as the request; NULL: no body
 * @return OK
 */
int mod_dsapi_send_body(request_rec *r, int status, const char *type,
                        const char *body, apr_size_t body_bytes);

/** Register the filter. */
void mod_dsapi_register_filters(void);

/** Hook insert_error_filter: httpd's own error pages. */
void mod_dsapi_insert_error_filter(request_rec *r);

/** Hook insert_filter: what an ErrorDocument serves in their place. */
void mod_dsapi_insert_filter(request_rec *r);

#endif
