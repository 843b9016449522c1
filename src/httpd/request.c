/* Claiming URLs, and reading bodies: see request.h. */
#include "httpd/request.h"

#include <apr_lib.h>
#include <apr_strings.h>
#include <http_core.h>
#include <http_protocol.h>
#include <util_filter.h>

#include "base/trace.h"
#include "route/etag.h"

/* The most of a client's X-Request-Id that is kept. */
#define REQUEST_ID_MAX_BYTES 128

mod_dsapi_req_t *mod_dsapi_req_of(const request_rec *r)
{
    return ap_get_module_config(r->request_config, &dsapi_module);
}

/* The client's, if it is fit to be logged, else a new one. */
static const char *request_id(request_rec *r, const unsigned char *random)
{
    const char *given = apr_table_get(r->headers_in, "X-Request-Id");
    apr_size_t len = given ? strlen(given) : 0;
    char *id;

    for (apr_size_t i = 0; i < len; i++) {
        if (!apr_isalnum(given[i]) && !strchr("-_.:+/=", given[i])) {
            len = 0;
        }
    }
    if (len > 0 && len <= REQUEST_ID_MAX_BYTES) {
        return given;
    }
    id = apr_palloc(r->pool, DSAPI_UUID_SIZE);
    dsapi_base_uuid(id, random);
    return id;
}

const char *mod_dsapi_request_id(request_rec *r)
{
    unsigned char random[DSAPI_UUID_RANDOM_BYTES] = {0};

    apr_generate_random_bytes(random, sizeof(random));
    return request_id(r, random);
}

/* The caller's trace goes on, or one begins. */
static const char *traceparent(request_rec *r, const unsigned char *random)
{
    char *out = apr_palloc(r->pool, DSAPI_TRACE_SIZE);

    dsapi_base_trace(out, apr_table_get(r->headers_in, "traceparent"), random);
    return out;
}

int mod_dsapi_translate_name(request_rec *r)
{
    const mod_dsapi_srv_t *srv = mod_dsapi_srv_of(r->server);
    const mod_dsapi_service_t *service;
    unsigned char random[DSAPI_UUID_RANDOM_BYTES + DSAPI_TRACE_RANDOM_BYTES] = {
        0};
    const char *rest;
    mod_dsapi_req_t *req;

    if (!srv->bases || !r->uri || *r->uri != '/') {
        return DECLINED;
    }
    service = dsapi_route_base(&rest, srv->bases, r->uri);
    if (!service) {
        return DECLINED;
    }
    req = apr_pcalloc(r->pool, sizeof(*req));
    req->service = service;
    req->rest = rest;
    apr_generate_random_bytes(random, sizeof(random)); /* one system call */
    req->id = request_id(r, random);
    req->trace = traceparent(r, random + DSAPI_UUID_RANDOM_BYTES);
    apr_table_setn(r->notes, "dsapi-trace-id",
                   dsapi_base_trace_id(req->trace, r->pool));
    ap_set_module_config(r->request_config, &dsapi_module, req);
    apr_table_setn(r->err_headers_out, "X-Request-Id", req->id);
    r->filename = r->uri; /* there is no file, but others look at the name */
    return OK;
}

int mod_dsapi_is_error_document(const request_rec *r)
{
    return r->prev && ap_is_HTTP_ERROR(r->status);
}

const dsapi_match_t *mod_dsapi_match(request_rec *r)
{
    mod_dsapi_req_t *req = mod_dsapi_req_of(r);
    dsapi_match_t *match;

    if (!req->matched) {
        match = apr_palloc(r->pool, sizeof(*match));
        req->matched = 1;
        if (dsapi_route_match(match, req->service->trie, req->rest, r->method,
                              r->pool)) {
            req->match = match;
        }
    }
    return req->match;
}

int mod_dsapi_map_to_storage(request_rec *r)
{
    return mod_dsapi_req_of(r) ? OK : DECLINED;
}

int mod_dsapi_type_checker(request_rec *r)
{
    return mod_dsapi_req_of(r) ? OK : DECLINED;
}

/* Runs after core's, which has put a SetHandler into r->handler. */
int mod_dsapi_fixups(request_rec *r)
{
    if (mod_dsapi_req_of(r) && !r->handler) {
        r->handler = MOD_DSAPI_HANDLER;
    }
    return DECLINED;
}

/* So much of a body that nobody wants is read. */
#define DRAIN_MAX_BYTES 1048576

void mod_dsapi_drain(request_rec *r)
{
    apr_bucket_brigade *bb =
        apr_brigade_create(r->pool, r->connection->bucket_alloc);
    apr_off_t drained = 0;
    apr_off_t len = 0;
    int eos = !r->connection->master;

    while (!eos && drained < DRAIN_MAX_BYTES &&
           ap_get_brigade(r->input_filters, bb, AP_MODE_READBYTES,
                          APR_BLOCK_READ, HUGE_STRING_LEN) == APR_SUCCESS &&
           apr_brigade_length(bb, 1, &len) == APR_SUCCESS) {
        drained += len;
        eos = !APR_BRIGADE_EMPTY(bb) && APR_BUCKET_IS_EOS(APR_BRIGADE_LAST(bb));
        apr_brigade_cleanup(bb);
    }
}

static apr_status_t too_big(dsapi_err_t **perr, request_rec *r,
                            apr_off_t max_bytes)
{
    mod_dsapi_drain(r);
    r->connection->keepalive = AP_CONN_CLOSE; /* the rest is not read */
    return dsapi_fail(perr, r->pool, DSAPI_ETOOBIG, "body-too-large",
                      "the body is larger than %" APR_OFF_T_FMT " bytes",
                      max_bytes);
}

/* Why httpd could not give us the body: its own limit, a timeout, a broken
 * transfer. */
static apr_status_t read_failed(dsapi_err_t **perr, request_rec *r,
                                apr_status_t rv)
{
    int http = ap_map_http_request_error(rv, HTTP_BAD_REQUEST);

    r->connection->keepalive = AP_CONN_CLOSE;
    if (http == HTTP_REQUEST_ENTITY_TOO_LARGE) {
        return dsapi_fail(perr, r->pool, DSAPI_ETOOBIG, "body-too-large",
                          "the body is larger than this server allows");
    }
    if (http == HTTP_REQUEST_TIME_OUT) {
        dsapi_fail(perr, r->pool, DSAPI_EPARAM, "request-timeout",
                   "the body did not arrive in time");
        (*perr)->http = http;
        return DSAPI_EPARAM;
    }
    return dsapi_fail(perr, r->pool, DSAPI_EPARAM, "body-incomplete",
                      "the body did not arrive whole");
}

/* Where a body goes: into memory, or into a file. */
typedef struct sink_t {
    dsapi_buf_t *buf; /* NULL: into the file */
    apr_file_t *file;
    dsapi_etag_t *digest; /* of it; NULL: not wanted */
    apr_off_t len_bytes;
    apr_status_t broken; /* of the file */
} sink_t;

static apr_status_t put(sink_t *sink, const char *data, apr_size_t len)
{
    sink->len_bytes += (apr_off_t)len;
    if (sink->digest) {
        dsapi_route_etag_put(sink->digest, data, len);
    }
    if (len > 0 && sink->buf) {
        dsapi_buf_put(sink->buf, data, len);
    }
    else if (len > 0) {
        sink->broken = apr_file_write_full(sink->file, data, len, NULL);
    }
    return sink->broken;
}

static apr_status_t append_brigade(sink_t *sink, int *peos,
                                   const apr_bucket_brigade *bb)
{
    for (apr_bucket *b = APR_BRIGADE_FIRST(bb); b != APR_BRIGADE_SENTINEL(bb);
         b = APR_BUCKET_NEXT(b)) {
        const char *data;
        apr_size_t len;
        apr_status_t rv;

        if (APR_BUCKET_IS_EOS(b)) {
            *peos = 1;
            break;
        }
        if (APR_BUCKET_IS_METADATA(b)) {
            continue;
        }
        rv = apr_bucket_read(b, &data, &len, APR_BLOCK_READ);
        if (rv == APR_SUCCESS) {
            rv = put(sink, data, len);
        }
        if (rv != APR_SUCCESS) {
            return rv;
        }
    }
    return APR_SUCCESS;
}

static apr_status_t cannot_spool(dsapi_err_t **perr, request_rec *r,
                                 apr_status_t rv)
{
    char why[128];

    r->connection->keepalive = AP_CONN_CLOSE;
    dsapi_fail(perr, r->pool, DSAPI_EINTERNAL, "internal",
               "the service could not keep the body");
    (*perr)->internal =
        apr_psprintf(r->pool, "the temporary file of the body: %s",
                     apr_strerror(rv, why, sizeof(why)));
    return DSAPI_EINTERNAL;
}

/* Is it compressed still? Who takes that away (mod_deflate) does so with the
 * first of it. */
static apr_status_t refuse_coded(dsapi_err_t **perr, request_rec *r)
{
    const char *coding = apr_table_get(r->headers_in, "Content-Encoding");

    if (!coding || ap_cstr_casecmp(coding, "identity") == 0) {
        return APR_SUCCESS;
    }
    mod_dsapi_drain(r);
    r->connection->keepalive = AP_CONN_CLOSE;
    apr_table_setn(r->headers_out, "Accept-Encoding", "identity");
    return dsapi_fail(perr, r->pool, DSAPI_EMEDIA, "unsupported-encoding",
                      "the body must come without Content-Encoding");
}

static apr_status_t read_all(sink_t *sink, dsapi_err_t **perr, request_rec *r,
                             apr_off_t max_bytes)
{
    const char *length = apr_table_get(r->headers_in, "Content-Length");
    apr_bucket_brigade *bb =
        apr_brigade_create(r->pool, r->connection->bucket_alloc);
    int eos = 0;

    if (length && apr_atoi64(length) > max_bytes) {
        return too_big(perr, r, max_bytes);
    }
    while (!eos) {
        apr_off_t before = sink->len_bytes;
        apr_status_t rv =
            ap_get_brigade(r->input_filters, bb, AP_MODE_READBYTES,
                           APR_BLOCK_READ, HUGE_STRING_LEN);

        if (rv == APR_SUCCESS) {
            rv = append_brigade(sink, &eos, bb);
        }
        if (rv != APR_SUCCESS) {
            return sink->broken ? cannot_spool(perr, r, rv)
                                : read_failed(perr, r, rv);
        }
        apr_brigade_cleanup(bb);
        if (sink->len_bytes > max_bytes) {
            return too_big(perr, r, max_bytes);
        }
        if (before == 0 && sink->len_bytes > 0 &&
            refuse_coded(perr, r) != APR_SUCCESS) {
            return (*perr)->rv;
        }
    }
    return APR_SUCCESS;
}

apr_status_t mod_dsapi_spool_body(apr_file_t **pfile, apr_off_t *psize_bytes,
                                  char *digest, dsapi_err_t **perr,
                                  request_rec *r, apr_off_t max_bytes)
{
    dsapi_etag_t etag;
    sink_t sink = {NULL, NULL, digest ? &etag : NULL, 0, APR_SUCCESS};
    const char *dir;
    char *path;
    apr_status_t rv = apr_temp_dir_get(&dir, r->pool);

    *perr = NULL;
    if (rv == APR_SUCCESS) {
        path = apr_pstrcat(r->pool, dir, "/dsapi.XXXXXX", NULL);
        rv = apr_file_mktemp(&sink.file, path,
                             APR_FOPEN_CREATE | APR_FOPEN_READ |
                                 APR_FOPEN_WRITE | APR_FOPEN_EXCL,
                             r->pool);
    }
    if (rv == APR_SUCCESS) {
        rv = apr_file_remove(path, r->pool); /* nothing is left of a crash */
    }
    if (rv != APR_SUCCESS) {
        return cannot_spool(perr, r, rv);
    }
    *pfile = sink.file;
    if (digest) {
        dsapi_route_etag_begin(&etag, "");
    }
    rv = read_all(&sink, perr, r, max_bytes);
    *psize_bytes = sink.len_bytes;
    if (digest) {
        dsapi_route_etag_end(digest, &etag);
    }
    return rv;
}

int mod_dsapi_is_type(const char *content_type, const char *type)
{
    apr_size_t len = strlen(type);

    return content_type && ap_cstr_casecmpn(content_type, type, len) == 0 &&
           (content_type[len] == '\0' || strchr("; \t", content_type[len]));
}

static int is_json_type(const char *content_type, apr_pool_t *pool)
{
    const char *bare =
        content_type
            ? apr_pstrmemdup(pool, content_type, strcspn(content_type, "; \t"))
            : "";
    apr_size_t len = strlen(bare);

    return ap_cstr_casecmp(bare, "application/json") == 0 ||
           (len > 5 && ap_cstr_casecmp(bare + len - 5, "+json") == 0);
}

apr_status_t mod_dsapi_read_raw(dsapi_buf_t **pbuf, dsapi_err_t **perr,
                                request_rec *r, apr_off_t max_bytes)
{
    sink_t sink = {dsapi_buf_make(0, r->pool), NULL, NULL, 0, APR_SUCCESS};

    *perr = NULL;
    *pbuf = sink.buf;
    return read_all(&sink, perr, r, max_bytes);
}

apr_status_t mod_dsapi_parse_body(mod_dsapi_body_t *pbody, dsapi_err_t **perr,
                                  request_rec *r, const dsapi_buf_t *buf)
{
    const char *type = apr_table_get(r->headers_in, "Content-Type");
    apr_status_t rv;

    memset(pbody, 0, sizeof(*pbody));
    *perr = NULL;
    if (buf->len_bytes == 0) {
        return APR_SUCCESS;
    }
    if (mod_dsapi_is_type(type, "application/x-www-form-urlencoded")) {
        pbody->form = dsapi_base_form_parse(buf->data, buf->len_bytes, r->pool);
        return APR_SUCCESS;
    }
    if (!is_json_type(type, r->pool)) {
        return dsapi_fail(perr, r->pool, DSAPI_EMEDIA, "unsupported-type",
                          "the body must be application/json or "
                          "application/x-www-form-urlencoded, said so in "
                          "Content-Type");
    }
    rv = dsapi_json_check(&pbody->json, perr, buf->data, buf->len_bytes,
                          r->pool);
    if (rv != APR_SUCCESS) {
        (*perr)->rv = DSAPI_EPARAM;
        (*perr)->code = "invalid-json";
        return DSAPI_EPARAM;
    }
    pbody->has_json = 1;
    return APR_SUCCESS;
}

apr_status_t mod_dsapi_read_body(mod_dsapi_body_t *pbody, dsapi_err_t **perr,
                                 request_rec *r, apr_off_t max_bytes)
{
    dsapi_buf_t *buf;
    apr_status_t rv = mod_dsapi_read_raw(&buf, perr, r, max_bytes);

    memset(pbody, 0, sizeof(*pbody));
    return rv == APR_SUCCESS ? mod_dsapi_parse_body(pbody, perr, r, buf) : rv;
}
