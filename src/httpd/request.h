/*
 * A request on its way: the hooks that claim a URL for a service, and the
 * body.
 */
#ifndef DSAPI_HTTPD_REQUEST_H
#define DSAPI_HTTPD_REQUEST_H

#include <httpd.h>

#include "httpd/config.h"
#include "limit/charge.h"

/** What is known of a request under a base. In its pool. */
typedef struct mod_dsapi_req_t {
    const mod_dsapi_service_t *service;
    const char *rest;           /* of the path, behind the base */
    const char *trace;          /* W3C traceparent of ours */
    const char *id;             /* X-Request-Id */
    const char **settings;      /* see mod_dsapi_settings; NULL: not made yet */
    int problem_sent;           /* the body is a problem document already */
    const dsapi_match_t *match; /* see mod_dsapi_match */
    int matched;                /* it has been looked for */
    const mod_dsapi_limits_t *limits; /* that count it; NULL: none does */
    dsapi_charge_t *charges;          /* one a limit */
    const dsapi_err_t *refusal;       /* by one of them; NULL: none */
} mod_dsapi_req_t;

/** @return the client's X-Request-Id where it is harmless in logs and headers,
 *  else a new one */
const char *mod_dsapi_request_id(request_rec *r);

/** The handler's name. */
#define MOD_DSAPI_HANDLER "dsapi-route"

/** @return what is known; NULL: not under a base */
mod_dsapi_req_t *mod_dsapi_req_of(const request_rec *r);

/** @return whether httpd serves this in place of its own error page */
int mod_dsapi_is_error_document(const request_rec *r);

/** @return where a request's path and method lead to in its service, looked
 *  up once; NULL: no route has such a path */
const dsapi_match_t *mod_dsapi_match(request_rec *r);

/** Hooks: translate_name, map_to_storage, type_checker, fixups. */
int mod_dsapi_translate_name(request_rec *r);
int mod_dsapi_map_to_storage(request_rec *r);
int mod_dsapi_type_checker(request_rec *r);
int mod_dsapi_fixups(request_rec *r);

/**
 * Read a body that nobody wants (some of it), over HTTP/2 only: a stream is
 * reset where its body is not read, and a client that is still sending may
 * take that for the answer.
 */
void mod_dsapi_drain(request_rec *r);

/** Hook post_perdir_config: DsapiCORS; a preflight is answered here, before
 *  limits and authentication. */
int mod_dsapi_post_perdir_config(request_rec *r);

/** Say who may read the answer of a service with DsapiCORS, whatever it will
 *  be. */
void mod_dsapi_cors_headers(request_rec *r, const mod_dsapi_service_t *service);

/** A request's body, parsed. */
typedef struct mod_dsapi_body_t {
    dsapi_json_slice_t json;
    int has_json;
    apr_array_header_t *form; /* of dsapi_pair_t; NULL: none */
} mod_dsapi_body_t;

/**
 * Read and parse a request's body: JSON or a form. None, or an empty one,
 * leaves both members unset, whatever its type says.
 * @param pbody  out: in the request's pool
 * @param perr   out: error, in the request's pool
 * @return APR_SUCCESS; DSAPI_ETOOBIG; DSAPI_EMEDIA: neither, or compressed;
 *         DSAPI_EPARAM: not JSON, or cut off
 */
apr_status_t mod_dsapi_read_body(mod_dsapi_body_t *pbody, dsapi_err_t **perr,
                                 request_rec *r, apr_off_t max_bytes);

/**
 * Read a request's body as it is.
 * @param pbuf  out: in the request's pool
 * @return APR_SUCCESS; DSAPI_ETOOBIG; DSAPI_EMEDIA: it is compressed;
 *         DSAPI_EPARAM: cut off
 */
apr_status_t mod_dsapi_read_raw(dsapi_buf_t **pbuf, dsapi_err_t **perr,
                                request_rec *r, apr_off_t max_bytes);

/** Parse a body that has been read, as mod_dsapi_read_body. */
apr_status_t mod_dsapi_parse_body(mod_dsapi_body_t *pbody, dsapi_err_t **perr,
                                  request_rec *r, const dsapi_buf_t *buf);

/** @return 1: a Content-Type is this media type, whatever its parameters */
int mod_dsapi_is_type(const char *content_type, const char *type);

/**
 * Read a request's body into a temporary file (in $TMPDIR), which has no name
 * and ends with the request.
 * @param pfile        out: open for reading, at its end
 * @param psize_bytes  out: its size
 * @param digest       out: dsapi_route_etag_text of it, without a type; NULL:
 *                     it is not wanted
 * @param perr         out: error, in the request's pool
 * @return APR_SUCCESS; DSAPI_ETOOBIG; DSAPI_EMEDIA: it is compressed;
 *         DSAPI_EPARAM: cut off; DSAPI_EINTERNAL: it could not be written
 */
apr_status_t mod_dsapi_spool_body(apr_file_t **pfile, apr_off_t *psize_bytes,
                                  char *digest, dsapi_err_t **perr,
                                  request_rec *r, apr_off_t max_bytes);

#endif
