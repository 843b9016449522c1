/* The handler of routes: match, read, bind, act, answer. */
#ifndef DSAPI_HTTPD_HANDLERS_H
#define DSAPI_HTTPD_HANDLERS_H

#include <httpd.h>

int mod_dsapi_handler(request_rec *r);

#endif
