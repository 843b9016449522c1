/*
 * SetHandler dsapi-jobs: the queue over HTTP, at any URL and behind whatever
 * access control httpd has for it.
 */
#ifndef DSAPI_HTTPD_MANAGE_H
#define DSAPI_HTTPD_MANAGE_H

#include <httpd.h>

/** Hook handler. */
int mod_dsapi_manage_handler(request_rec *r);

#endif
