/* The only file that knows libcurl. */
#include <apr_date.h>
#include <apr_strings.h>
#include <arpa/inet.h>
#include <curl/curl.h>
#include <limits.h>
#include <string.h>
#include <sys/socket.h>

#include "json/buf.h"
#include "source/client.h"

#define REDIRECTS_MAX        5
#define HEADERS_MAX          100 /* of one name; more are not read */
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
    const char *url;           /* the present one */
    const char *origin;        /* its "https://host:443" */
    int anywhere;              /* its host may have any address */
    int blocked;               /* an address of it was refused */
    int tried;                 /* another one was not */
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
static const char malformed[] = "the URL is malformed";
static const char scheme_wrong[] = "the URL is neither http nor https";
static const char tls[] = "TLS failed";

static const cause_t causes[] = {
    {CURLE_UNSUPPORTED_PROTOCOL, scheme_wrong},
    {CURLE_URL_MALFORMAT, malformed},
    {CURLE_COULDNT_RESOLVE_PROXY, "the proxy's name could not be resolved"},
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

/** May this be connected to? What may not is remembered. @return 1 or 0 */
static int may_connect(dsapi_transfer_t *t, const unsigned char *address,
                       apr_size_t len_bytes)
{
    int may = t->anywhere || dsapi_address_is_public(address, len_bytes);

    t->blocked |= !may;
    t->tried |= may;
    return may;
}

/** Make the socket of a connection: here its address is known at last. */
static curl_socket_t on_socket(void *baton, curlsocktype purpose,
                               struct curl_sockaddr *to)
{
    unsigned char address[16] = {0};
    apr_size_t len = 0;

    (void)purpose;
    if (to->family == AF_INET) {
        struct sockaddr_in in;

        memcpy(&in, &to->addr, sizeof(in));
        memcpy(address, &in.sin_addr, len = sizeof(in.sin_addr));
    }
    else if (to->family == AF_INET6) {
        struct sockaddr_in6 in6;

        memcpy(&in6, &to->addr, sizeof(in6));
        memcpy(address, &in6.sin6_addr, len = sizeof(in6.sin6_addr));
    }
    return may_connect(baton, address, len)
               ? socket(to->family, to->socktype | SOCK_CLOEXEC, to->protocol)
               : CURL_SOCKET_BAD;
}

/** A connection that another transfer made is subject to our rules, too. */
static int on_request(void *baton, char *to_ip, char *from_ip, int to_port,
                      int from_port)
{
    dsapi_transfer_t *t = baton;
    unsigned char address[16];
    apr_size_t len = inet_pton(AF_INET, to_ip, address) == 1    ? 4
                     : inet_pton(AF_INET6, to_ip, address) == 1 ? 16
                                                                : 0;

    (void)from_ip;
    (void)to_port;
    (void)from_port;
    t->tried = 0;
    return may_connect(t, address, len) ? CURL_PREREQFUNC_OK
                                        : CURL_PREREQFUNC_ABORT;
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
     * NOPROXY: or else the environment's is heeded.
     */
    return curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_QUICK_EXIT, 1L) == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_NOPROXY, "") == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https") ==
               CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_FOLLOWLOCATION, 0L) == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_2TLS) ==
               CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_ACCEPT_ENCODING, "") == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_SSL_VERIFYPEER, 1L) == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_SSL_VERIFYHOST, 2L) == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_LOW_SPEED_LIMIT, 1L) == CURLE_OK;
}

/** Have libcurl call us. @return 1; 0: refused */
static int setup_callbacks(CURL *e, dsapi_transfer_t *t)
{
    return curl_easy_setopt(e, CURLOPT_NOPROGRESS, 0L) == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_XFERINFOFUNCTION, on_progress) ==
               CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_XFERINFODATA, t) == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, on_body) == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_WRITEDATA, t) == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_OPENSOCKETFUNCTION, on_socket) ==
               CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_OPENSOCKETDATA, t) == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_PREREQFUNCTION, on_request) ==
               CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_PREREQDATA, t) == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_PRIVATE, t) == CURLE_OK;
}

/** Trust this authority and no other. @return 1; 0: refused */
static int setup_ca(CURL *e, const char *pem)
{
    struct curl_blob blob = {.len = strlen(pem), .flags = CURL_BLOB_COPY};

    memcpy(&blob.data, &pem, sizeof(pem)); /* which libcurl does not change */
    return curl_easy_setopt(e, CURLOPT_CAINFO_BLOB, &blob) == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_CAPATH, NULL) == CURLE_OK;
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
    return setup_common(e) && setup_callbacks(e, t) &&
           curl_easy_setopt(e, CURLOPT_USERAGENT, t->client->user_agent) ==
               CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_PROXY, f->proxy ? f->proxy : "") ==
               CURLE_OK &&
           (!f->ca || setup_ca(e, f->ca)) &&
           curl_easy_setopt(e, CURLOPT_URL, f->url) == CURLE_OK &&
           (!f->post ||
            curl_easy_setopt(e, CURLOPT_POSTFIELDS, f->post) == CURLE_OK) &&
           curl_easy_setopt(e, CURLOPT_HTTPHEADER, t->headers) == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_TIMEOUT_MS, ms_of(f->timeout)) ==
               CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT_MS,
                            ms_of(f->connect_timeout)) == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_LOW_SPEED_TIME, stall_s) == CURLE_OK;
}

/** Look at the parts of a URL. @return NULL, or why it may not be asked */
static const char *take_parts(dsapi_transfer_t *t, CURLU *u, const char *url)
{
    CURLUcode rc = curl_url_set(u, CURLUPART_URL, url,
                                CURLU_DISALLOW_USER | CURLU_PATH_AS_IS);
    const dsapi_host_t *known;
    const char *name;
    char *scheme = NULL;
    char *host = NULL;
    char *port = NULL;
    int is_http;

    if (rc == CURLUE_USER_NOT_ALLOWED) {
        return "the URL holds a user name or password";
    }
    curl_url_get(u, CURLUPART_SCHEME, &scheme, 0);
    curl_url_get(u, CURLUPART_HOST, &host, 0);
    curl_url_get(u, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT);
    is_http = scheme && (!strcmp(scheme, "http") || !strcmp(scheme, "https"));
    name = host ? dsapi_address_host(host, t->pool) : NULL;
    if (name && port && is_http) {
        t->origin = apr_pstrcat(t->pool, scheme, "://", name, ":", port, NULL);
    }
    curl_free(scheme);
    curl_free(host);
    curl_free(port);
    if (rc == CURLUE_UNSUPPORTED_SCHEME || (rc == CURLUE_OK && !is_http)) {
        return scheme_wrong;
    }
    if (rc != CURLUE_OK) {
        return malformed;
    }
    known = name ? dsapi_address_find(t->fetch.hosts, name) : NULL;
    if (!known) {
        return "the host is not allowed";
    }
    t->anywhere = t->fetch.proxy || known->anywhere;
    t->blocked = t->tried = 0;
    return NULL;
}

/** Is this a URL that may be asked? @return NULL, or why not */
static const char *take_url(dsapi_transfer_t *t, const char *url)
{
    CURLU *u = curl_url();
    const char *why = u ? take_parts(t, u, url) : malformed;

    curl_url_cleanup(u);
    return why;
}

static const char *header_value(const dsapi_transfer_t *t, const char *name)
{
    struct curl_header *header;

    return curl_easy_header(t->easy, name, 0, CURLH_HEADER, -1, &header) ==
                   CURLHE_OK
               ? apr_pstrdup(t->pool, header->value)
               : NULL;
}

/** @return the values of a header that may come several times, joined by
 *  commas; NULL: none. Each look-up goes through all headers there are. */
static const char *header_list(const dsapi_transfer_t *t, const char *name)
{
    struct curl_header *header;
    apr_array_header_t *list = apr_array_make(t->pool, 1, sizeof(char *));

    while (list->nelts < HEADERS_MAX &&
           curl_easy_header(t->easy, name, (size_t)list->nelts, CURLH_HEADER,
                            -1, &header) == CURLHE_OK) {
        APR_ARRAY_PUSH(list, const char *) =
            apr_pstrdup(t->pool, header->value);
    }
    return list->nelts > 0 ? apr_array_pstrcat(t->pool, list, ',') : NULL;
}

/** Make the response and move a transfer to those that have ended. */
static void finish(dsapi_transfer_t *t, const char *transport)
{
    dsapi_client_t *client = t->client;
    const char *date = header_value(t, "Date");
    long status = 0;

    curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
    t->resp.status = (int)status;
    t->resp.transport = transport;
    t->resp.content_type = header_value(t, "Content-Type");
    t->resp.retry_after = header_value(t, "Retry-After");
    t->resp.etag = header_value(t, "ETag");
    t->resp.last_modified = header_value(t, "Last-Modified");
    t->resp.link = header_list(t, "Link");
    t->resp.answered = date ? apr_date_parse_http(date) : APR_DATE_BAD;
    if (t->resp.answered == APR_DATE_BAD) {
        t->resp.answered = apr_time_now();
    }
    t->resp.url = t->url;
    t->resp.body = dsapi_buf_str(t->body);
    t->resp.body_bytes = t->body->len_bytes;
    transfer_detach(t);
    list_append(&client->done, t);
    t->state = STATE_DONE;
}

apr_status_t dsapi_client_start(dsapi_transfer_t **ptransfer,
                                dsapi_client_t *client,
                                const dsapi_fetch_t *fetch, apr_pool_t *pool)
{
    dsapi_transfer_t *t = apr_pcalloc(pool, sizeof(*t));
    const char *why;

    *ptransfer = NULL;
    t->client = client;
    t->pool = pool;
    t->fetch = *fetch;
    t->body = dsapi_buf_make(0, pool);
    t->easy = curl_easy_init();
    t->url = fetch->url;
    why = take_url(t, fetch->url);
    if (!t->easy || !setup(t) ||
        (!why && curl_multi_add_handle(client->multi, t->easy) != CURLM_OK)) {
        handle_release(t);
        return APR_EGENERAL;
    }
    list_append(&client->active, t);
    client->active_count++;
    /* after the buffer's own, so that libcurl lets go of it first */
    apr_pool_cleanup_register(pool, t, transfer_cleanup, apr_pool_cleanup_null);
    *ptransfer = t;
    if (why) {
        t->resp.final = 1;
        finish(t, why);
    }
    return APR_SUCCESS;
}

/* --- the end of a transfer --- */

/** It was for its addresses that the host was not asked. */
static int is_blocked(const dsapi_transfer_t *t)
{
    return t->blocked && !t->tried;
}

static const char *cause_text(const dsapi_transfer_t *t, CURLcode code)
{
    curl_off_t begun_us = 0;
    long connect_status = 0;

    if (t->too_large) {
        return apr_psprintf(t->pool,
                            "the answer is larger than %" APR_OFF_T_FMT " byte"
                            "s",
                            t->fetch.max_body_bytes);
    }
    if (t->stalled) {
        return "timed out: no data came";
    }
    if (is_blocked(t)) {
        return "the host has no public address, and is not in DsapiAllowHost";
    }
    if (code == CURLE_OPERATION_TIMEDOUT) {
        curl_easy_getinfo(t->easy, CURLINFO_PRETRANSFER_TIME_T, &begun_us);
        return begun_us > 0 ? "timed out" : "timed out while connecting";
    }
    curl_easy_getinfo(t->easy, CURLINFO_HTTP_CONNECTCODE, &connect_status);
    if (connect_status >= 300) {
        return "the proxy refused the connection";
    }
    for (size_t i = 0; i < sizeof(causes) / sizeof(causes[0]); i++) {
        if (causes[i].code == code) {
            return causes[i].text;
        }
    }
    return "the transfer failed";
}

static int is_redirect(long status)
{
    return status == 301 || status == 302 || status == 303 || status == 307 ||
           status == 308;
}

/**
 * What changes with a redirect: past its own origin a request has no headers
 * of the caller's and no body, and a POST that is not to be repeated becomes
 * a GET.
 * @return NULL, or why it is not followed
 */
static const char *turn_to(dsapi_transfer_t *t, const char *url, long status)
{
    const char *from = t->origin;
    const char *why = take_url(t, url);
    int same = !why && strcmp(from, t->origin) == 0;

    if (why) {
        return why;
    }
    if (!strncmp(from, "https:", 6) && strncmp(t->origin, "https:", 6) != 0) {
        return "from https to http";
    }
    if (t->fetch.post && status < 307) {
        t->fetch.post = NULL;
        if (curl_easy_setopt(t->easy, CURLOPT_HTTPGET, 1L) != CURLE_OK) {
            return malformed;
        }
    }
    if (t->fetch.post && !same) {
        return "a POST is not sent on to another origin";
    }
    if (!same) {
        curl_easy_setopt(t->easy, CURLOPT_HTTPHEADER, NULL);
    }
    t->url = url;
    return curl_easy_setopt(t->easy, CURLOPT_URL, url) == CURLE_OK ? NULL
                                                                   : malformed;
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
    const char *why;

    curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(t->easy, CURLINFO_REDIRECT_URL, &url);
    curl_easy_getinfo(t->easy, CURLINFO_TOTAL_TIME_T, &took_us);
    if (!url || !is_redirect(status)) {
        return 0;
    }
    t->spent += took_us;
    left = t->fetch.timeout - t->spent;
    if (t->redirects++ >= REDIRECTS_MAX) {
        *ptransport = "too many redirects";
        return 0;
    }
    if (t->fetch.timeout > 0 && left <= 0) {
        *ptransport = "timed out";
        return 0;
    }
    curl_multi_remove_handle(t->client->multi, t->easy);
    why = turn_to(t, apr_pstrdup(t->pool, url), status);
    if (why) {
        *ptransport = apr_pstrcat(t->pool, "redirected, but ", why, NULL);
        t->resp.final = 1;
        return 0;
    }
    t->body->len_bytes = 0;
    if (curl_easy_setopt(t->easy, CURLOPT_TIMEOUT_MS,
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
            t->resp.final |= is_blocked(t);
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
