/*
 * DsapiCache: answers kept in the child, with validators.
 *
 * A key is everything that an answer depends on: the server (its database),
 * the route, the form, every bound value, the session's values, and, unless
 * the route is public, the user. So one user's answer is never another's.
 *
 * Where a route depends on data whose versions are known, its answer lives as
 * long as they are the newest, and its validator is made of them: the same in
 * all children and nodes, known without an answer, and weak, since two of them
 * may have computed it to different bytes.
 */
#include "httpd/actions.h"

#include <apr_strings.h>
#include <http_log.h>

#include "httpd/series.h"
#include "httpd/versions.h"
#include "route/cache.h"
#include "route/etag.h"
#include "series/store.h"

APLOG_USE_MODULE(dsapi);

/* A request's question to the cache. */
typedef struct question_t {
    dsapi_cache_ask_t ask;
    const char *const *series_key; /* of a metric */
    int verified;                  /* the versions of its data are the newest */
    apr_size_t stable_bytes;       /* of the key: the same in every process */
} question_t;

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

void mod_dsapi_key_text(dsapi_buf_t *key, const char *text)
{
    apr_size_t len = text ? strlen(text) : 0;

    dsapi_buf_putc(key, text ? '+' : '-');
    dsapi_buf_put(key, (const char *)&len, sizeof(len));
    if (text) {
        dsapi_buf_put(key, text, len);
    }
}

int mod_dsapi_is_personal(const request_rec *r, const mod_dsapi_route_t *route)
{
    return r->user || r->ap_auth_type ||
           apr_table_get(r->headers_in, "Authorization") ||
           route->service->session->nelts > 0;
}

static int is_private(const request_rec *r, const mod_dsapi_route_t *route)
{
    return route->caching.scope == MOD_DSAPI_CACHE_PRIVATE ||
           (route->caching.scope == MOD_DSAPI_CACHE_AUTO &&
            mod_dsapi_is_personal(r, route));
}

/* The versions are read here: before the answer is computed. */
static apr_status_t make_question(question_t *q, dsapi_err_t **perr,
                                  request_rec *r,
                                  const mod_dsapi_route_t *route,
                                  const char **values, dsapi_format_e format)
{
    dsapi_buf_t *key = dsapi_buf_make(512, r->pool);
    const server_rec *server = r->server;
    dsapi_version_stamp_t stamp;
    const char **settings;
    apr_status_t rv = mod_dsapi_settings(&settings, perr, r, route);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    q->series_key = NULL;
    if (route->series) {
        rv = mod_dsapi_metric_key(&q->series_key, perr, r, route, values);
        if (rv != APR_SUCCESS) {
            return rv;
        }
    }
    q->verified = mod_dsapi_versions_read(&stamp, r, route, q->series_key);
    dsapi_buf_put(key, (const char *)&format, sizeof(format));
    for (int i = 0; i < route->params->nelts; i++) {
        mod_dsapi_key_text(key, values[i]);
    }
    for (int i = 0; i < route->service->session->nelts; i++) {
        mod_dsapi_key_text(key, settings[i + 1]);
    }
    mod_dsapi_key_text(key, is_private(r, route) ? r->user : NULL);
    q->stable_bytes = key->len_bytes;
    dsapi_buf_put(key, (const char *)&server, sizeof(void *));
    dsapi_buf_put(key, (const char *)&route, sizeof(void *));
    q->ask.key = key->data;
    q->ask.key_bytes = key->len_bytes;
    q->ask.now = r->request_time;
    q->ask.wait = mod_dsapi_srv_of(r->server)->db_wait +
                  mod_dsapi_timeout_of(r, route) *
                      (route->series ? 1 : route->statements->nelts);
    q->ask.stamp = stamp.stamp;
    q->ask.verified_at = stamp.verified_at;
    q->ask.before = stamp.before;
    q->ask.changed_at = stamp.changed_at;
    return APR_SUCCESS;
}

/* The validator of whatever versions of a stamp give; NULL: there may be newer
 * ones than those that are known. */
static const char *stamp_etag(const request_rec *r,
                              const mod_dsapi_route_t *route,
                              const question_t *q, apr_uint64_t stamp)
{
    const char *of;

    if (!q->verified) {
        return NULL;
    }
    of = apr_psprintf(r->pool, "%" APR_UINT64_T_HEX_FMT " %s", stamp,
                      route->signature);
    return apr_pstrcat(
        r->pool, "W/",
        dsapi_route_etag_make(of, q->ask.key, q->stable_bytes, r->pool), NULL);
}

static const char *version_etag(const request_rec *r,
                                const mod_dsapi_route_t *route,
                                const question_t *q)
{
    return stamp_etag(r, route, q, q->ask.stamp);
}

static const char *seconds(const request_rec *r, const char *before,
                           apr_interval_time_t time)
{
    return apr_psprintf(r->pool, "%s%" APR_INT64_T_FMT, before,
                        (apr_int64_t)apr_time_sec(time));
}

void mod_dsapi_cache_control(request_rec *r, const mod_dsapi_route_t *route)
{
    apr_table_setn(r->headers_out, "Cache-Control",
                   route->cache_control[is_private(r, route)]);
}

/* What every answer of the route says to caches. */
static void say_caching(request_rec *r, const mod_dsapi_route_t *route,
                        const char *etag)
{
    if (etag) {
        apr_table_setn(r->headers_out, "ETag", etag);
    }
    mod_dsapi_cache_control(r, route);
}

int mod_dsapi_client_has(const request_rec *r, const char *etag)
{
    return dsapi_route_etag_matches(apr_table_get(r->headers_in, "If-None-"
                                                                 "Match"),
                                    etag);
}

/* Besides the validator, an answer's own headers: a line of each. */
static const char *const own_headers[] = {"Link", "Location"};

static const char *kept_headers(const request_rec *r)
{
    const char *kept = "";

    for (int i = 0; i < 2; i++) {
        const char *value = apr_table_get(r->headers_out, own_headers[i]);

        kept = apr_pstrcat(r->pool, kept, value ? value : "", "\n", NULL);
    }
    return kept;
}

static void restore_headers(request_rec *r, const char *kept)
{
    for (int i = 0; i < 2; i++) {
        const char *end = strchr(kept, '\n');

        if (end > kept) {
            apr_table_setn(
                r->headers_out, own_headers[i],
                apr_pstrmemdup(r->pool, kept, (apr_size_t)(end - kept)));
        }
        kept = end + 1;
    }
}

/* An entry becomes the answer, or 304 where the client has it already. */
static void use_entry(mod_dsapi_answer_t *answer, request_rec *r,
                      const mod_dsapi_route_t *route,
                      const dsapi_cache_entry_t *entry, const question_t *q)
{
    apr_time_t as_of = dsapi_route_cache_as_of(entry, &q->ask);
    apr_interval_time_t age = r->request_time - as_of;

    say_caching(r, route, entry->etag);
    if (age >= apr_time_from_sec(1)) {
        apr_table_setn(r->headers_out, "Age", seconds(r, "", age));
    }
    restore_headers(r, entry->headers);
    answer->type = entry->content_type;
    answer->body = entry->body;
    answer->body_bytes = entry->body_bytes;
    answer->status = mod_dsapi_client_has(r, entry->etag) ? HTTP_NOT_MODIFIED
                     : route->status                      ? route->status
                                                          : HTTP_OK;
}

/* An entry whose data may have changed: it says so, and how old it is. */
static void use_unverified(mod_dsapi_answer_t *answer, request_rec *r,
                           const mod_dsapi_route_t *route,
                           const dsapi_cache_entry_t *entry,
                           const question_t *q)
{
    apr_interval_time_t life = entry->fresh_until - entry->made;
    apr_time_t end = dsapi_route_cache_as_of(entry, &q->ask) + life;

    apr_table_setn(r->headers_out, "Age", "0"); /* unless it is more */
    apr_table_setn(r->headers_out, "Cache-Status",
                   seconds(r, "mod_dsapi; hit; ttl=", end - q->ask.now));
    use_entry(answer, r, route, entry, q);
}

/* An older answer in the place of an error that is the database's. */
static int use_stale(mod_dsapi_answer_t *answer, request_rec *r,
                     const mod_dsapi_route_t *route, const question_t *q,
                     apr_status_t rv)
{
    const dsapi_cache_entry_t *entry;

    if (rv != DSAPI_EDBDOWN && rv != DSAPI_EBUSY && rv != DSAPI_ETIMEOUT) {
        return 0;
    }
    entry = dsapi_route_cache_stale(cache, &q->ask, r->pool);
    if (!entry) {
        return 0;
    }
    use_unverified(answer, r, route, entry, q);
    return 1;
}

static void use_hit(mod_dsapi_answer_t *answer, request_rec *r,
                    const mod_dsapi_route_t *route,
                    const dsapi_cache_entry_t *entry, const question_t *q)
{
    if (route->nversions > 0 && !q->verified) {
        use_unverified(answer, r, route, entry, q);
    }
    else {
        use_entry(answer, r, route, entry, q);
    }
}

/* The answer itself. */
static apr_status_t compute(mod_dsapi_answer_t *answer, dsapi_err_t **perr,
                            request_rec *r, const mod_dsapi_route_t *route,
                            const char **values, const question_t *q)
{
    const mod_dsapi_metric_of_t of = {cache, q->series_key, &q->ask};

    return route->action == MOD_DSAPI_METRIC
               ? mod_dsapi_metric(answer, perr, r, route, values, &of)
               : mod_dsapi_query(answer, perr, r, route, values);
}

/* A metric as it was computed: its validator is of its series' versions, and
 * where those may not be the newest, it says how old it is. */
static void use_metric(mod_dsapi_answer_t *answer, request_rec *r,
                       const mod_dsapi_route_t *route, const question_t *q)
{
    const char *etag =
        answer->instead ? NULL : stamp_etag(r, route, q, answer->stamp);
    apr_interval_time_t age =
        answer->as_of < r->request_time ? r->request_time - answer->as_of : 0;

    say_caching(r, route, etag);
    if (answer->instead || !q->verified) {
        apr_table_setn(r->headers_out, "Age", seconds(r, "", age));
        apr_table_setn(
            r->headers_out, "Cache-Status",
            seconds(r, "mod_dsapi; hit; ttl=", DSAPI_SERIES_LIFE - age));
    }
    if (etag && mod_dsapi_client_has(r, etag)) {
        answer->status = HTTP_NOT_MODIFIED;
    }
}

/* This thread computes the answer, for itself and all who wait. */
static apr_status_t lead(mod_dsapi_answer_t *answer, dsapi_err_t **perr,
                         request_rec *r, const mod_dsapi_route_t *route,
                         const char **values, const question_t *q,
                         dsapi_cache_lead_t *duty)
{
    dsapi_cache_answer_t made = {0};
    apr_status_t rv;

    answer->duty = duty;
    rv = compute(answer, perr, r, route, values, q);
    if (rv != APR_SUCCESS) {
        dsapi_route_cache_abandon(duty, *perr);
        return rv;
    }
    if (answer->sent) {
        return APR_SUCCESS; /* a stream, which has declined */
    }
    if (answer->as_of && (answer->instead || answer->stamp != q->ask.stamp)) {
        dsapi_route_cache_decline(duty); /* it is no answer to this question */
        use_metric(answer, r, route, q);
        return APR_SUCCESS;
    }
    made.body = answer->buf->data;
    made.body_bytes = answer->buf->len_bytes;
    made.content_type = answer->type;
    made.etag = apr_table_get(r->headers_out, "ETag"); /* of @etag */
    if (!made.etag) {
        made.etag = version_etag(r, route, q); /* NULL: of the bytes */
    }
    made.headers = kept_headers(r);
    made.made = answer->as_of ? answer->as_of : r->request_time;
    made.fresh_until = made.made + route->caching.life;
    made.stale_until = made.fresh_until + route->caching.stale;
    if (answer->as_of) {
        use_hit(answer, r, route, dsapi_route_cache_put(duty, &made), q);
    }
    else {
        use_entry(answer, r, route, dsapi_route_cache_put(duty, &made), q);
    }
    return APR_SUCCESS;
}

/* The client has what an answer of these versions would be, and says so by
 * its validator ("*" does not): no need to make one. */
static int is_unchanged(mod_dsapi_answer_t *answer, request_rec *r,
                        const mod_dsapi_route_t *route, const question_t *q)
{
    const char *sent = apr_table_get(r->headers_in, "If-None-Match");
    const char *etag =
        sent && strchr(sent, '"') ? version_etag(r, route, q) : NULL;

    if (!etag || !mod_dsapi_client_has(r, etag)) {
        return 0;
    }
    say_caching(r, route, etag);
    answer->status = HTTP_NOT_MODIFIED;
    return 1;
}

apr_status_t mod_dsapi_cached_query(mod_dsapi_answer_t *answer,
                                    dsapi_err_t **perr, request_rec *r,
                                    const mod_dsapi_route_t *route,
                                    const char **values)
{
    question_t q;
    const dsapi_cache_entry_t *entry;
    dsapi_cache_lead_t *duty;
    apr_status_t rv;

    if (!cache) {
        return mod_dsapi_query(answer, perr, r, route, values);
    }
    rv = make_question(&q, perr, r, route, values, answer->format);
    if (rv != APR_SUCCESS || is_unchanged(answer, r, route, &q)) {
        return rv;
    }
    switch (
        dsapi_route_cache_get(&entry, &duty, perr, cache, &q.ask, r->pool)) {
    case DSAPI_CACHE_HIT:
        use_hit(answer, r, route, entry, &q);
        return APR_SUCCESS;
    case DSAPI_CACHE_LEAD:
        rv = lead(answer, perr, r, route, values, &q, duty);
        break;
    case DSAPI_CACHE_FAILED:
        rv = (*perr)->rv;
        break;
    case DSAPI_CACHE_WAITED:
        rv = compute(answer, perr, r, route, values, &q);
        if (rv == APR_SUCCESS && answer->as_of) {
            use_metric(answer, r, route, &q);
        }
        break;
    }
    return rv != APR_SUCCESS && use_stale(answer, r, route, &q, rv)
               ? APR_SUCCESS
               : rv;
}

apr_status_t mod_dsapi_show_metric(mod_dsapi_answer_t *answer,
                                   dsapi_err_t **perr, request_rec *r,
                                   const mod_dsapi_route_t *route,
                                   const char **values)
{
    question_t q;
    apr_status_t rv;

    if (!cache) {
        return dsapi_fail(perr, r->pool, DSAPI_EBUSY, "no-memory",
                          "there is no room for series");
    }
    if (route->caching.life > 0) {
        return mod_dsapi_cached_query(answer, perr, r, route, values);
    }
    rv = make_question(&q, perr, r, route, values, answer->format);
    if (rv != APR_SUCCESS || is_unchanged(answer, r, route, &q)) {
        return rv;
    }
    rv = compute(answer, perr, r, route, values, &q);
    if (rv == APR_SUCCESS) {
        use_metric(answer, r, route, &q);
    }
    return rv;
}
