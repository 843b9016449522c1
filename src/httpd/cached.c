/*
 * DsapiCache: answers kept in the child, with validators.
 *
 * A key is everything that an answer depends on: the server (its database),
 * the route, the form, every bound value, the session's values, and, unless
 * the route is public, the user. So one user's answer is never another's.
 */
#include "httpd/actions.h"

#include <apr_strings.h>
#include <http_log.h>

#include "route/cache.h"
#include "route/etag.h"

APLOG_USE_MODULE(dsapi);

/* How long behind its end an answer may still be given where the database
 * fails. */
#define STALE_FOR apr_time_from_sec(3600)

static dsapi_cache_t *cache; /* a child's; NULL: none could be made */

void mod_dsapi_cache_child_init(apr_pool_t *pchild, const server_rec *main)
{
    cache = dsapi_route_cache_make(
        (apr_size_t)mod_dsapi_srv_of(main)->cache_size_bytes, pchild);
    if (!cache) {
        ap_log_error(APLOG_MARK, APLOG_ERR, 0, main,
                     "DSAPI0018: the cache could not be made; DsapiCache "
                     "does nothing in this child");
    }
}

/* A text in a key: whether it is there, how long, and itself. */
static void put_text(dsapi_buf_t *key, const char *text)
{
    apr_size_t len = text ? strlen(text) : 0;

    dsapi_buf_putc(key, text ? '+' : '-');
    dsapi_buf_put(key, (const char *)&len, sizeof(len));
    if (text) {
        dsapi_buf_put(key, text, len);
    }
}

static int is_private(const request_rec *r, const mod_dsapi_route_t *route)
{
    return route->cache_scope == MOD_DSAPI_CACHE_PRIVATE ||
           (route->cache_scope == MOD_DSAPI_CACHE_AUTO && r->user);
}

static apr_status_t make_key(dsapi_buf_t *key, dsapi_err_t **perr,
                             request_rec *r, const mod_dsapi_route_t *route,
                             const char **values)
{
    const server_rec *server = r->server;
    const char **settings;
    apr_status_t rv = mod_dsapi_settings(&settings, perr, r, route);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    dsapi_buf_put(key, (const char *)&server, sizeof(void *));
    dsapi_buf_put(key, (const char *)&route, sizeof(void *));
    for (int i = 0; i < route->params->nelts; i++) {
        put_text(key, values[i]);
    }
    for (int i = 0; i < route->service->session->nelts; i++) {
        put_text(key, settings[i + 1]);
    }
    put_text(key, is_private(r, route) ? r->user : NULL);
    return APR_SUCCESS;
}

/* What every answer of the route says to caches, and 304 where the client has
 * it already. */
static void use_entry(mod_dsapi_answer_t *answer, request_rec *r,
                      const mod_dsapi_route_t *route,
                      const dsapi_cache_entry_t *entry)
{
    apr_int64_t age = apr_time_sec(r->request_time - entry->made);

    apr_table_setn(r->headers_out, "ETag", entry->etag);
    apr_table_setn(r->headers_out, "Cache-Control",
                   apr_psprintf(r->pool, "%s, max-age=%" APR_INT64_T_FMT,
                                is_private(r, route) ? "private" : "public",
                                (apr_int64_t)apr_time_sec(route->cache_for)));
    if (age > 0) {
        apr_table_setn(r->headers_out, "Age",
                       apr_psprintf(r->pool, "%" APR_INT64_T_FMT, age));
    }
    if (entry->headers) {
        apr_table_setn(r->headers_out, "Link", entry->headers);
    }
    answer->type = entry->content_type;
    answer->body = entry->body;
    answer->body_bytes = entry->body_bytes;
    answer->status =
        dsapi_route_etag_matches(apr_table_get(r->headers_in, "If-None-Match"),
                                 entry->etag)
            ? HTTP_NOT_MODIFIED
        : route->status ? route->status
                        : HTTP_OK;
}

/* An older answer in the place of an error that is the database's. */
static int use_stale(mod_dsapi_answer_t *answer, request_rec *r,
                     const mod_dsapi_route_t *route,
                     const dsapi_cache_ask_t *ask, apr_status_t rv)
{
    const dsapi_cache_entry_t *entry;

    if (rv != DSAPI_EDBDOWN && rv != DSAPI_EBUSY && rv != DSAPI_ETIMEOUT) {
        return 0;
    }
    entry = dsapi_route_cache_stale(cache, ask, r->pool);
    if (!entry) {
        return 0;
    }
    apr_table_setn(
        r->headers_out, "Cache-Status",
        apr_psprintf(r->pool, "mod_dsapi; hit; ttl=%" APR_INT64_T_FMT,
                     (apr_int64_t)apr_time_sec(entry->fresh_until - ask->now)));
    use_entry(answer, r, route, entry);
    return 1;
}

/* This thread computes the answer, for itself and all who wait. */
static apr_status_t lead(mod_dsapi_answer_t *answer, dsapi_err_t **perr,
                         request_rec *r, const mod_dsapi_route_t *route,
                         const char **values, dsapi_cache_lead_t *duty)
{
    apr_status_t rv = mod_dsapi_query(answer, perr, r, route, values);
    dsapi_cache_answer_t made = {0};

    if (rv != APR_SUCCESS) {
        dsapi_route_cache_abandon(duty, *perr);
        return rv;
    }
    made.body = answer->buf->data;
    made.body_bytes = answer->buf->len_bytes;
    made.content_type = answer->type;
    made.etag = apr_table_get(r->headers_out, "ETag"); /* of @etag */
    made.headers = apr_table_get(r->headers_out, "Link");
    made.made = r->request_time;
    made.fresh_until = made.made + route->cache_for;
    made.stale_until = made.fresh_until + STALE_FOR;
    use_entry(answer, r, route, dsapi_route_cache_put(duty, &made));
    return APR_SUCCESS;
}

apr_status_t mod_dsapi_cached_query(mod_dsapi_answer_t *answer,
                                    dsapi_err_t **perr, request_rec *r,
                                    const mod_dsapi_route_t *route,
                                    const char **values)
{
    dsapi_buf_t *key = dsapi_buf_make(512, r->pool);
    dsapi_cache_ask_t ask = {0};
    const dsapi_cache_entry_t *entry;
    dsapi_cache_lead_t *duty;
    apr_status_t rv;

    if (!cache) {
        return mod_dsapi_query(answer, perr, r, route, values);
    }
    dsapi_buf_put(key, (const char *)&answer->format, sizeof(answer->format));
    rv = make_key(key, perr, r, route, values);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    ask.key = key->data;
    ask.key_bytes = key->len_bytes;
    ask.now = r->request_time;
    ask.wait = mod_dsapi_srv_of(r->server)->db_timeout;
    switch (dsapi_route_cache_get(&entry, &duty, perr, cache, &ask, r->pool)) {
    case DSAPI_CACHE_HIT:
        use_entry(answer, r, route, entry);
        return APR_SUCCESS;
    case DSAPI_CACHE_LEAD:
        rv = lead(answer, perr, r, route, values, duty);
        break;
    case DSAPI_CACHE_FAILED:
        rv = (*perr)->rv;
        break;
    case DSAPI_CACHE_WAITED:
        rv = mod_dsapi_query(answer, perr, r, route, values);
        break;
    }
    return rv != APR_SUCCESS && use_stale(answer, r, route, &ask, rv)
               ? APR_SUCCESS
               : rv;
}
