/* The only file that knows libcurl. */
#include <apr_strings.h>
#include <curl/curl.h>
#include <limits.h>

#include "json/buf.h"
#include "source/client.h"

#define REDIRECTS_MAX        5
#define IDLE_CONNECTIONS_MAX 16L

typedef enum state_e {
    STATE_ACTIVE, /* in client->active; has an easy handle */
    STATE_DONE,   /* in client->done; has none any more */
    STATE_GONE    /* in no list: taken, or the client has ended */
} state_e;

typedef struct list_t {
    dsapi_transfer_t *first;
    dsapi_transfer_t *last;
} list_t;

struct dsapi_client_t {
    CURLM *multi;
    const char *user_agent;
    list_t active;
    list_t done; /* in the order in which they ended */
    int active_count;
};

struct dsapi_transfer_t {
    dsapi_client_t *client;
    dsapi_transfer_t *next;
    dsapi_transfer_t *prev;
    state_e state;
    apr_pool_t *pool;
    CURL *easy;
    struct curl_slist *headers;
    dsapi_fetch_t fetch;
    dsapi_buf_t *body;
    apr_interval_time_t spent; /* on the redirects so far */
    curl_off_t seen_bytes;     /* at the last look, and when that changed */
    curl_off_t seen_us;
    int redirects;
    int too_large;
    int stalled;
    dsapi_response_t resp;
};

/** What a libcurl error is called; libcurl's own texts name hosts. */
typedef struct cause_t {
    CURLcode code;
    const char *text;
} cause_t;

static const char broke[] = "the connection broke before the answer was "
                            "complete";
static const char tls[] = "TLS failed";

static const cause_t causes[] = {
    {CURLE_UNSUPPORTED_PROTOCOL, "the URL is neither http nor https"},
    {CURLE_URL_MALFORMAT, "the URL is malformed"},
    {CURLE_COULDNT_RESOLVE_HOST, "the name could not be resolved"},
    {CURLE_COULDNT_CONNECT, "could not connect"},
    {CURLE_WEIRD_SERVER_REPLY, "the answer is not HTTP"},
    {CURLE_HTTP2, broke},
    {CURLE_HTTP2_STREAM, broke},
    {CURLE_PARTIAL_FILE, broke},
    {CURLE_GOT_NOTHING, broke},
    {CURLE_SEND_ERROR, broke},
    {CURLE_RECV_ERROR, broke},
    {CURLE_BAD_CONTENT_ENCODING, "the answer's compression is broken"},
    {CURLE_SSL_CONNECT_ERROR, tls},
    {CURLE_SSL_ENGINE_NOTFOUND, tls},
    {CURLE_SSL_ENGINE_SETFAILED, tls},
    {CURLE_SSL_CERTPROBLEM, tls},
    {CURLE_SSL_CIPHER, tls},
    {CURLE_PEER_FAILED_VERIFICATION, "TLS failed: the certificate is not "
                                     "trusted"},
    {CURLE_USE_SSL_FAILED, tls},
    {CURLE_SSL_ENGINE_INITFAILED, tls},
    {CURLE_SSL_CACERT_BADFILE, tls},
    {CURLE_SSL_SHUTDOWN_FAILED, tls},
    {CURLE_SSL_CRL_BADFILE, tls},
    {CURLE_SSL_ISSUER_ERROR, tls},
    {CURLE_SSL_PINNEDPUBKEYNOTMATCH, tls},
    {CURLE_SSL_INVALIDCERTSTATUS, tls},
    {CURLE_SSL_CLIENTCERT, tls},
};

apr_status_t dsapi_client_global_init(void)
{
    return curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK ? APR_SUCCESS
                                                             : APR_EGENERAL;
}

void dsapi_client_global_cleanup(void)
{
    curl_global_cleanup();
}

/* --- the two lists --- */

static void list_append(list_t *list, dsapi_transfer_t *t)
{
    t->next = NULL;
    t->prev = list->last;
    if (list->last) {
        list->last->next = t;
    }
    else {
        list->first = t;
    }
    list->last = t;
}

static void list_remove(list_t *list, dsapi_transfer_t *t)
{
    if (t->prev) {
        t->prev->next = t->next;
    }
    else {
        list->first = t->next;
    }
    if (t->next) {
        t->next->prev = t->prev;
    }
    else {
        list->last = t->prev;
    }
}

/** Give back what libcurl holds for a transfer. */
static void handle_release(dsapi_transfer_t *t)
{
    if (t->easy) {
        curl_multi_remove_handle(t->client->multi, t->easy);
        curl_easy_cleanup(t->easy);
        t->easy = NULL;
    }
    curl_slist_free_all(t->headers);
    t->headers = NULL;
}

/** Take a transfer out of its list and away from libcurl. */
static void transfer_detach(dsapi_transfer_t *t)
{
    if (t->state == STATE_ACTIVE) {
        handle_release(t);
        list_remove(&t->client->active, t);
        t->client->active_count--;
    }
    else if (t->state == STATE_DONE) {
        list_remove(&t->client->done, t);
    }
    t->state = STATE_GONE;
}

static apr_status_t transfer_cleanup(void *data)
{
    transfer_detach(data);
    return APR_SUCCESS;
}

static apr_status_t client_cleanup(void *data)
{
    dsapi_client_t *client = data;

    while (client->active.first) {
        transfer_detach(client->active.first);
    }
    while (client->done.first) {
        transfer_detach(client->done.first);
    }
    curl_multi_cleanup(client->multi);
    return APR_SUCCESS;
}

dsapi_client_t *dsapi_client_make(const char *user_agent, apr_pool_t *pool)
{
    CURLM *multi = curl_multi_init();
    dsapi_client_t *client;

    if (!multi) {
        return NULL;
    }
    client = apr_pcalloc(pool, sizeof(*client));
    client->multi = multi;
    client->user_agent = apr_pstrdup(pool, user_agent);
    curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, IDLE_CONNECTIONS_MAX);
    apr_pool_cleanup_register(pool, client, client_cleanup,
                              apr_pool_cleanup_null);
    return client;
}

/* --- one transfer --- */

static size_t on_body(char *data, size_t size, size_t count, void *baton)
{
    dsapi_transfer_t *t = baton;
    size_t n = size * count;

    if ((apr_off_t)n >
        t->fetch.max_body_bytes - (apr_off_t)t->body->len_bytes) {
        t->too_large = 1;
        t->resp.final = 1;
        return 0;
    }
    dsapi_buf_put(t->body, data, n);
    return n;
}

/** @return 1, which ends the transfer: no byte came for too long */
static int on_progress(void *baton, curl_off_t total, curl_off_t bytes,
                       curl_off_t up_total, curl_off_t up_bytes)
{
    dsapi_transfer_t *t = baton;
    curl_off_t begun_us = 0;
    curl_off_t now_us = 0;

    (void)total;
    (void)up_total;
    (void)up_bytes;
    curl_easy_getinfo(t->easy, CURLINFO_PRETRANSFER_TIME_T, &begun_us);
    curl_easy_getinfo(t->easy, CURLINFO_TOTAL_TIME_T, &now_us);
    if (begun_us == 0 || bytes != t->seen_bytes || now_us < t->seen_us) {
        t->seen_bytes = bytes;
        t->seen_us = now_us;
    }
    t->stalled = t->fetch.stall_timeout > 0 &&
                 now_us - t->seen_us > t->fetch.stall_timeout;
    return t->stalled;
}

/** @return milliseconds, rounded up */
static long ms_of(apr_interval_time_t t)
{
    apr_interval_time_t ms = (t + 999) / 1000;

    return ms > INT_MAX ? INT_MAX : (long)ms;
}

/** What never changes from one transfer to another. @return 1; 0: refused */
static int setup_common(CURL *e)
{
    /*
     * QUICK_EXIT: or else ending a transfer waits for the resolver's thread.
     * LOW_SPEED: a mean over seconds, so on_progress is the sharper eye; but
     * it makes libcurl look at a silent transfer every second.
     */
    return curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_QUICK_EXIT, 1L) == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_PROXY, "") == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https") ==
               CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_FOLLOWLOCATION, 0L) == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_ACCEPT_ENCODING, "gzip, deflate") ==
               CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_SSL_VERIFYPEER, 1L) == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_SSL_VERIFYHOST, 2L) == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_LOW_SPEED_LIMIT, 1L) == CURLE_OK;
}

/** @return 1; 0: refused */
static int setup(dsapi_transfer_t *t)
{
    const dsapi_fetch_t *f = &t->fetch;
    long stall_s = (ms_of(f->stall_timeout) + 999) / 1000;
    CURL *e = t->easy;

    for (int i = 0; f->headers && i < f->headers->nelts; i++) {
        struct curl_slist *more = curl_slist_append(
            t->headers, APR_ARRAY_IDX(f->headers, i, const char *));

        if (!more) {
            return 0;
        }
        t->headers = more;
    }
    return setup_common(e) &&
           curl_easy_setopt(e, CURLOPT_USERAGENT, t->client->user_agent) ==
               CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_URL, f->url) == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_HTTPHEADER, t->headers) == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_TIMEOUT_MS, ms_of(f->timeout)) ==
               CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT_MS,
                            ms_of(f->connect_timeout)) == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_LOW_SPEED_TIME, stall_s) == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_NOPROGRESS, 0L) == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_XFERINFOFUNCTION, on_progress) ==
               CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_XFERINFODATA, t) == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, on_body) == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_WRITEDATA, t) == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_PRIVATE, t) == CURLE_OK;
}

apr_status_t dsapi_client_start(dsapi_transfer_t **ptransfer,
                                dsapi_client_t *client,
                                const dsapi_fetch_t *fetch, apr_pool_t *pool)
{
    dsapi_transfer_t *t = apr_pcalloc(pool, sizeof(*t));

    *ptransfer = NULL;
    t->client = client;
    t->pool = pool;
    t->fetch = *fetch;
    t->body = dsapi_buf_make(0, pool);
    t->easy = curl_easy_init();
    if (!t->easy || !setup(t) ||
        curl_multi_add_handle(client->multi, t->easy) != CURLM_OK) {
        handle_release(t);
        return APR_EGENERAL;
    }
    list_append(&client->active, t);
    client->active_count++;
    /* after the buffer's own, so that libcurl lets go of it first */
    apr_pool_cleanup_register(pool, t, transfer_cleanup, apr_pool_cleanup_null);
    *ptransfer = t;
    return APR_SUCCESS;
}

/* --- the end of a transfer --- */

static const char *cause_text(const dsapi_transfer_t *t, CURLcode code)
{
    curl_off_t begun_us = 0;

    if (t->too_large) {
        return apr_psprintf(t->pool,
                            "the answer is larger than %" APR_OFF_T_FMT " byte"
                            "s",
                            t->fetch.max_body_bytes);
    }
    if (t->stalled) {
        return "timed out: no data came";
    }
    if (code == CURLE_OPERATION_TIMEDOUT) {
        curl_easy_getinfo(t->easy, CURLINFO_PRETRANSFER_TIME_T, &begun_us);
        return begun_us > 0 ? "timed out" : "timed out while connecting";
    }
    for (size_t i = 0; i < sizeof(causes) / sizeof(causes[0]); i++) {
        if (causes[i].code == code) {
            return causes[i].text;
        }
    }
    return "the transfer failed";
}

static const char *header_value(const dsapi_transfer_t *t, const char *name)
{
    struct curl_header *header;

    return curl_easy_header(t->easy, name, 0, CURLH_HEADER, -1, &header) ==
                   CURLHE_OK
               ? apr_pstrdup(t->pool, header->value)
               : NULL;
}

/** Make the response and move a transfer to those that have ended. */
static void finish(dsapi_transfer_t *t, const char *transport)
{
    dsapi_client_t *client = t->client;
    long status = 0;

    curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
    t->resp.status = (int)status;
    t->resp.transport = transport;
    t->resp.content_type = header_value(t, "Content-Type");
    t->resp.retry_after = header_value(t, "Retry-After");
    t->resp.body = dsapi_buf_str(t->body);
    t->resp.body_bytes = t->body->len_bytes;
    transfer_detach(t);
    list_append(&client->done, t);
    t->state = STATE_DONE;
}

/** @return 1: both URLs have the same scheme, host and port */
static int same_origin(const char *a, const char *b)
{
    static const CURLUPart parts[] = {CURLUPART_SCHEME, CURLUPART_HOST,
                                      CURLUPART_PORT};
    CURLU *ua = curl_url();
    CURLU *ub = curl_url();
    int same = ua && ub && curl_url_set(ua, CURLUPART_URL, a, 0) == CURLUE_OK &&
               curl_url_set(ub, CURLUPART_URL, b, 0) == CURLUE_OK;

    for (int i = 0; same && i < 3; i++) {
        char *va = NULL;
        char *vb = NULL;

        same =
            curl_url_get(ua, parts[i], &va, CURLU_DEFAULT_PORT) == CURLUE_OK &&
            curl_url_get(ub, parts[i], &vb, CURLU_DEFAULT_PORT) == CURLUE_OK &&
            curl_strequal(va, vb);
        curl_free(va);
        curl_free(vb);
    }
    curl_url_cleanup(ua);
    curl_url_cleanup(ub);
    return same;
}

/**
 * Follow a redirect by hand.
 * @param ptransport  out: why it is not followed; untouched otherwise
 * @return 1: the transfer goes on; 0: it has ended
 */
static int redirect(const char **ptransport, dsapi_transfer_t *t)
{
    char *url = NULL;
    long status = 0;
    curl_off_t took_us = 0;
    apr_interval_time_t left;

    curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(t->easy, CURLINFO_REDIRECT_URL, &url);
    curl_easy_getinfo(t->easy, CURLINFO_TOTAL_TIME_T, &took_us);
    if (!url || (status != 301 && status != 302 && status != 303 &&
                 status != 307 && status != 308)) {
        return 0;
    }
    if (!same_origin(url, t->fetch.url)) {
        *ptransport = "redirected to another origin";
        t->resp.final = 1;
        return 0;
    }
    if (t->redirects++ >= REDIRECTS_MAX) {
        *ptransport = "too many redirects";
        return 0;
    }
    t->spent += took_us;
    left = t->fetch.timeout - t->spent;
    if (t->fetch.timeout > 0 && left <= 0) {
        *ptransport = "timed out";
        return 0;
    }
    t->body->len_bytes = 0;
    curl_multi_remove_handle(t->client->multi, t->easy);
    if (curl_easy_setopt(t->easy, CURLOPT_URL, apr_pstrdup(t->pool, url)) !=
            CURLE_OK ||
        curl_easy_setopt(t->easy, CURLOPT_TIMEOUT_MS,
                         t->fetch.timeout > 0 ? ms_of(left) : 0L) != CURLE_OK ||
        curl_multi_add_handle(t->client->multi, t->easy) != CURLM_OK) {
        *ptransport = "the transfer failed";
        return 0;
    }
    return 1;
}

/** Finish what libcurl says has ended. */
static void collect(dsapi_client_t *client)
{
    const CURLMsg *msg;
    int left;

    while ((msg = curl_multi_info_read(client->multi, &left))) {
        CURLcode code = msg->data.result;
        dsapi_transfer_t *t = NULL;
        const char *transport = NULL;

        if (msg->msg != CURLMSG_DONE ||
            curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, &t) !=
                CURLE_OK ||
            !t) {
            continue;
        }
        if (code != CURLE_OK) {
            transport = cause_text(t, code);
        }
        else if (redirect(&transport, t)) {
            continue;
        }
        finish(t, transport);
    }
}

/** Move all on. Where libcurl itself fails, every transfer has. */
static void perform(dsapi_client_t *client)
{
    int running;
    CURLMcode rc = curl_multi_perform(client->multi, &running);

    collect(client);
    while (rc != CURLM_OK && client->active.first) {
        finish(client->active.first, "the transfer failed");
    }
}

void dsapi_client_wait(dsapi_client_t *client, int extra_fd, int extra_write,
                       apr_interval_time_t timeout)
{
    struct curl_waitfd extra = {
        .fd = extra_fd,
        .events =
            (short)(CURL_WAIT_POLLIN | (extra_write ? CURL_WAIT_POLLOUT : 0))};

    perform(client);
    if (timeout > 0 && !client->done.first) {
        curl_multi_poll(client->multi, &extra, extra_fd >= 0 ? 1 : 0,
                        (int)ms_of(timeout), NULL);
        perform(client);
    }
}

void *dsapi_client_next_done(dsapi_response_t *presp, dsapi_client_t *client)
{
    dsapi_transfer_t *t = client->done.first;

    if (!t) {
        return NULL;
    }
    transfer_detach(t);
    *presp = t->resp;
    return t->fetch.baton;
}

int dsapi_client_active(const dsapi_client_t *client)
{
    return client->active_count;
}
