/* Rate limits of requests: see limits.h. */
#include "httpd/limits.h"

#include <apr_shm.h>
#include <apr_strings.h>
#include <http_core.h>
#include <http_log.h>

#include "httpd/request.h"
#include "limit/charge.h"

APLOG_USE_MODULE(dsapi);

/* The parent's, through every restart: nothing in it may point into the
 * module, which is loaded anew, not even to a literal. */
typedef struct store_t {
    apr_pool_t *pool;
    apr_off_t bytes;
    dsapi_limit_table_t *table;
} store_t;

#define STORE_KEY "mod_dsapi-limits"

/* Of the present configuration; NULL: nothing is limited. */
static dsapi_limit_table_t *table;

/* The table */

static int any_limits(const server_rec *main)
{
    for (const server_rec *s = main; s; s = s->next) {
        const apr_array_header_t *services = mod_dsapi_srv_of(s)->services;

        for (int i = 0; i < services->nelts; i++) {
            if (APR_ARRAY_IDX(services, i, const mod_dsapi_service_t *)
                    ->is_limited) {
                return 1;
            }
        }
    }
    return 0;
}

/* @param prv  out: why not */
static store_t *make_store(apr_status_t *prv, apr_off_t bytes,
                           apr_pool_t *process)
{
    unsigned char seed[APR_SIPHASH_KSIZE];
    apr_pool_t *pool;
    store_t *store;
    apr_shm_t *shm;
    apr_status_t rv;

    apr_pool_create(&pool, process);
    apr_pool_tag(pool, apr_pstrdup(pool, "dsapi-limits"));
    store = apr_pcalloc(pool, sizeof(*store));
    store->pool = pool;
    store->bytes = bytes;
    rv = apr_generate_random_bytes(seed, sizeof(seed));
    if (rv == APR_SUCCESS) {
        rv = apr_shm_create(&shm, (apr_size_t)bytes, NULL, pool);
    }
    if (rv != APR_SUCCESS) {
        apr_pool_destroy(pool);
        *prv = rv;
        return NULL;
    }
    store->table = dsapi_limit_table_init(apr_shm_baseaddr_get(shm),
                                          apr_shm_size_get(shm), seed);
    apr_pool_userdata_set(store, STORE_KEY, NULL, process);
    return store;
}

int mod_dsapi_limits_post_config(server_rec *main)
{
    apr_pool_t *process = main->process->pool;
    apr_off_t bytes = mod_dsapi_srv_of(main)->rate_store_bytes;
    store_t *store;
    void *kept;
    apr_status_t rv = APR_SUCCESS;

    table = NULL;
    if (!any_limits(main)) {
        return OK;
    }
    apr_pool_userdata_get(&kept, STORE_KEY, process);
    store = kept;
    if (store && store->bytes != bytes) {
        apr_pool_userdata_set(NULL, STORE_KEY, NULL, process);
        apr_pool_destroy(store->pool); /* old children keep theirs */
        store = NULL;
    }
    if (!store) {
        store = make_store(&rv, bytes, process);
        if (!store) {
            ap_log_error(APLOG_MARK, APLOG_CRIT, rv, main,
                         "DSAPI0050: no shared memory for rate limits "
                         "(DsapiRateStore)");
            return HTTP_INTERNAL_SERVER_ERROR;
        }
    }
    table = store->table;
    return OK;
}

/* Which limits count a request */

/* What a browser asks by itself before a request that it has not the right to
 * make yet: there is nothing in it by which anybody could be known. */
static int is_preflight(const request_rec *r)
{
    const apr_table_t *in = r->headers_in;

    return r->method_number == M_OPTIONS && apr_table_get(in, "Origin") &&
           apr_table_get(in, "Access-Control-Request-Method") &&
           !apr_table_get(in, "Authorization") && !apr_table_get(in, "Cookie");
}

/* Does a SetHandler take the request away from the service? */
static int is_elsewhere(request_rec *r)
{
    const core_dir_config *core = ap_get_core_module_config(r->per_dir_config);
    const char *mistake = NULL;
    const char *handler;

    if (!core->expr_handler) {
        return 0;
    }
    handler = ap_expr_str_exec(r, core->expr_handler, &mistake);
    return !mistake && handler && ap_cstr_casecmp(handler, "none") != 0 &&
           ap_cstr_casecmp(handler, MOD_DSAPI_HANDLER) != 0;
}

/* Has the client's request been counted, or is this about its error? */
static int is_counted(const request_rec *r, const mod_dsapi_service_t *service)
{
    if (mod_dsapi_is_error_document(r)) {
        return 1;
    }
    for (const request_rec *prev = r->prev; prev; prev = prev->prev) {
        const mod_dsapi_req_t *req = mod_dsapi_req_of(prev);

        if (req && req->limits && req->service == service) {
            return 1;
        }
    }
    return 0;
}

static int is_exempt(const request_rec *r, const mod_dsapi_service_t *service)
{
    for (int i = 0; i < service->exempt->nelts; i++) {
        if (apr_ipsubnet_test(
                APR_ARRAY_IDX(service->exempt, i, apr_ipsubnet_t *),
                r->useragent_addr)) {
            return 1;
        }
    }
    return 0;
}

static const mod_dsapi_limits_t *limits_of(request_rec *r,
                                           const mod_dsapi_service_t *service)
{
    const dsapi_match_t *match;

    if (is_counted(r, service) || is_preflight(r) || is_exempt(r, service) ||
        is_elsewhere(r)) {
        return NULL;
    }
    match = mod_dsapi_match(r);
    return match && match->value
               ? ((const mod_dsapi_route_t *)match->value)->falls_under
               : service->falls_under;
}

/* Counting it */

/* Whose quota it is. @return APR_SUCCESS, or DSAPI_EINTERNAL after logging
 * why not */
static apr_status_t find_key(apr_uint64_t *pkey, request_rec *r,
                             const mod_dsapi_limit_t *limit)
{
    const dsapi_policy_t *policy = limit->policy;
    const char *mistake = NULL;
    const char *text = r->user;
    const void *address;
    apr_size_t bytes;

    if (limit->expr) {
        text = ap_expr_str_exec(r, limit->expr, &mistake);
        if (mistake || !text) {
            ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, r,
                          "DSAPI0051: DsapiRateLimit \"%s\": by=expr:%s: %s",
                          policy->name, policy->expr,
                          mistake ? mistake : "it has no value");
            return DSAPI_EINTERNAL;
        }
    }
    if (text && policy->by != DSAPI_BY_CLIENT) {
        *pkey = dsapi_limit_key(table, policy->id, text, strlen(text));
        return APR_SUCCESS;
    }
    bytes = dsapi_limit_address(&address, r->useragent_addr);
    /* a user's name may be the same bytes as an address */
    *pkey = dsapi_limit_key(table, policy->id + 1, address, bytes);
    return APR_SUCCESS;
}

/* What has been decided, for the logs: a note is of the last. */
static void tell(request_rec *r, const mod_dsapi_req_t *req, int from, int to)
{
    for (int i = from; i < to; i++) {
        const dsapi_policy_t *policy = req->charges[i].policy;

        if (req->charges[i].state == DSAPI_CHARGE_REFUSED) {
            apr_table_setn(r->notes, "dsapi-limit", policy->name);
            ap_log_rerror(
                APLOG_MARK, APLOG_INFO, 0, r,
                "DSAPI0052: the limit \"%s\" %s [%s %s]", policy->name,
                policy->shadow ? "would refuse, were it no shadow" : "refuses",
                req->id, req->trace);
        }
    }
}

static int refuse(request_rec *r, mod_dsapi_req_t *req, int refuser,
                  apr_int64_t now)
{
    int retry_s = dsapi_limit_retry_s(&req->charges[refuser], now);
    dsapi_err_t *err;

    dsapi_fail(&err, r->pool, DSAPI_ELIMIT, "quota-exceeded",
               "the limit \"%s\" is used up; try again in %d s",
               req->charges[refuser].policy->name, retry_s);
    req->refusal = err;
    apr_table_setn(r->err_headers_out, "Retry-After",
                   apr_itoa(r->pool, retry_s));
    mod_dsapi_drain(r);
    return HTTP_TOO_MANY_REQUESTS;
}

/* Counts a request by some of its limits. */
static int count(request_rec *r, mod_dsapi_req_t *req, int from, int to)
{
    apr_int64_t now = apr_time_now() * 1000;
    const char *header;
    int forgotten;
    int refuser;

    if (from == to) {
        return DECLINED;
    }
    for (int i = from; i < to; i++) {
        req->charges[i].policy = req->limits->items[i].policy;
        if (find_key(&req->charges[i].key, r, &req->limits->items[i]) !=
            APR_SUCCESS) {
            return HTTP_INTERNAL_SERVER_ERROR;
        }
    }
    refuser = dsapi_limit_charge(req->charges, from, to, table, now);
    tell(r, req, from, to);
    header = dsapi_limit_header(req->charges, to, now, r->pool);
    if (header) {
        apr_table_setn(r->err_headers_out, "RateLimit", header);
    }
    forgotten = dsapi_limit_crowded(table, now);
    if (forgotten > 0) {
        ap_log_rerror(APLOG_MARK, APLOG_WARNING, 0, r,
                      "DSAPI0053: rate limits count more than DsapiRateStore "
                      "has room for, and have forgotten %d who had used "
                      "little; give it twice the size",
                      forgotten);
    }
    return refuser < 0 ? DECLINED : refuse(r, req, refuser, now);
}

int mod_dsapi_limit_early(request_rec *r)
{
    mod_dsapi_req_t *req = mod_dsapi_req_of(r);

    if (!req || !req->service->is_limited) {
        return DECLINED;
    }
    req->limits = limits_of(r, req->service);
    if (!req->limits) {
        return DECLINED;
    }
    req->charges = apr_pcalloc(r->pool, sizeof(*req->charges) *
                                            (apr_size_t)req->limits->n);
    if (req->limits->policies) {
        apr_table_setn(r->err_headers_out, "RateLimit-Policy",
                       req->limits->policies);
    }
    return count(r, req, 0, req->limits->nearly);
}

int mod_dsapi_limit_late(request_rec *r)
{
    mod_dsapi_req_t *req = mod_dsapi_req_of(r);

    if (!req || !req->limits) {
        return DECLINED;
    }
    return count(r, req, req->limits->nearly, req->limits->n);
}
