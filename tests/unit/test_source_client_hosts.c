/* src/source/client.c: whom it asks, and what it sends to whom. */
#include <apr_strings.h>
#include <string.h>

#include "source/client.h"
#include "unit/pg.h"
#include "unit/unit.h"

#define DEADLINE apr_time_from_sec(20)

static const char blocked[] = "the host has no public address, and is not in "
                              "DsapiAllowHost";
static int stub;

static void allow(dsapi_fetch_t *fetch, const char *name, int anywhere)
{
    apr_array_header_t *hosts = apr_array_copy(g_pool, fetch->hosts);

    APR_ARRAY_PUSH(hosts, dsapi_host_t) = (dsapi_host_t){name, anywhere};
    fetch->hosts = hosts;
}

/** A fetch from the stand-in, as host; no host is allowed yet. */
static dsapi_fetch_t fetch_of(const char *host, const char *path)
{
    return (dsapi_fetch_t){
        .url = apr_psprintf(g_pool, "http://%s:%d%s", host, stub, path),
        .hosts = apr_array_make(g_pool, 2, sizeof(dsapi_host_t)),
        .timeout = DEADLINE,
        .connect_timeout = DEADLINE,
        .stall_timeout = DEADLINE,
        .max_body_bytes = 1000,
        .baton = &stub};
}

static dsapi_fetch_t allowed_fetch(const char *path)
{
    dsapi_fetch_t fetch = fetch_of("127.0.0.1", path);

    allow(&fetch, "127.0.0.1", 1);
    return fetch;
}

static dsapi_client_t *client_make(void)
{
    dsapi_client_t *client;

    ck_assert_int_eq(dsapi_client_global_init(), APR_SUCCESS);
    client = dsapi_client_make("dsapi-test/1", g_pool);
    ck_assert_ptr_nonnull(client);
    return client;
}

static dsapi_response_t get_with(dsapi_client_t *client,
                                 const dsapi_fetch_t *fetch)
{
    apr_time_t end = apr_time_now() + 2 * DEADLINE;
    dsapi_transfer_t *transfer;
    dsapi_response_t resp;

    ck_assert_int_eq(dsapi_client_start(&transfer, client, fetch, g_pool),
                     APR_SUCCESS);
    while (!dsapi_client_next_done(&resp, client)) {
        ck_assert(apr_time_now() < end);
        dsapi_client_wait(client, -1, 0, apr_time_from_sec(1));
    }
    ck_assert_int_eq(dsapi_client_active(client), 0);
    return resp;
}

static dsapi_response_t get(const dsapi_fetch_t *fetch)
{
    return get_with(client_make(), fetch);
}

static const char *requests(void)
{
    return stub_ask(stub, "GET", "/_stub/log", "");
}

static int count(const char *text, const char *what)
{
    int n = 0;

    while ((text = strstr(text, what))) {
        text += strlen(what);
        n++;
    }
    return n;
}

/** The stand-in sends those who ask for path to another place. */
static void moved(const char *path, int status, const char *to)
{
    stub_answer(stub, apr_psprintf(g_pool,
                                   "{\"path\":\"%s\",\"status\":%d,"
                                   "\"headers\":{\"Location\":\"%s\"}}",
                                   path, status, to));
}

static apr_array_header_t *secret_headers(void)
{
    apr_array_header_t *headers = apr_array_make(g_pool, 2, sizeof(char *));

    APR_ARRAY_PUSH(headers, const char *) = "Authorization: Bearer sesame";
    APR_ARRAY_PUSH(headers, const char *) = "X-Key: sesame";
    return headers;
}

START_TEST(asks_no_host_that_is_not_allowed)
{
    dsapi_fetch_t fetch;
    dsapi_response_t resp;

    stub = stub_start();
    fetch = fetch_of("127.0.0.1", "/");
    allow(&fetch, "127.0.0.2", 1);
    resp = get(&fetch);
    ck_assert_str_eq(resp.transport, "the host is not allowed");
    ck_assert_int_eq(resp.final, 1);
    ck_assert_int_eq(resp.status, 0);
    ck_assert_int_eq(count(requests(), "method"), 0);
}
END_TEST

START_TEST(takes_no_credentials_in_a_url)
{
    dsapi_fetch_t fetch;

    stub = stub_start();
    fetch = fetch_of("u:p@127.0.0.1", "/");
    allow(&fetch, "127.0.0.1", 1);
    ck_assert_str_eq(get(&fetch).transport, "the URL holds a user name or "
                                            "password");
    ck_assert_int_eq(count(requests(), "method"), 0);
}
END_TEST

START_TEST(connects_to_no_private_address)
{
    static const char *const hosts[] = {
        "127.0.0.1",        "localhost",   "127.1",
        "0x7f.1",           "2130706433",  "[::1]",
        "[::ffff:7f00:1]",  "0.0.0.0",     "[::]",
        "[::ffff:0.0.0.0]", "0177.0.0.01",
    };

    stub = stub_start();
    for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
        dsapi_fetch_t fetch = fetch_of(hosts[i], "/");
        dsapi_response_t resp;

        /* however curl writes them */
        allow(&fetch, "127.0.0.1", 0);
        allow(&fetch, "localhost", 0);
        allow(&fetch, "::1", 0);
        allow(&fetch, "::ffff:127.0.0.1", 0);
        allow(&fetch, "0.0.0.0", 0);
        allow(&fetch, "::", 0);
        allow(&fetch, "::ffff:0.0.0.0", 0);
        resp = get(&fetch);
        ck_assert_msg(resp.transport && !strcmp(resp.transport, blocked),
                      "%s: %s", hosts[i], resp.transport);
        ck_assert_int_eq(resp.final, 1);
    }
    ck_assert_int_eq(count(requests(), "method"), 0);
}
END_TEST

START_TEST(a_listed_name_may_be_private)
{
    dsapi_fetch_t fetch;

    stub = stub_start();
    fetch = fetch_of("localhost", "/");
    allow(&fetch, "localhost", 1);
    ck_assert_int_eq(get(&fetch).status, 403);
}
END_TEST

START_TEST(does_not_reuse_what_another_was_allowed)
{
    dsapi_client_t *client;
    dsapi_fetch_t first;
    dsapi_fetch_t second;

    stub = stub_start();
    client = client_make();
    first = fetch_of("localhost", "/");
    allow(&first, "localhost", 1);
    second = fetch_of("localhost", "/");
    allow(&second, "localhost", 0);
    ck_assert_int_eq(get_with(client, &first).status, 403);
    ck_assert_str_eq(get_with(client, &second).transport, blocked);
    ck_assert_int_eq(count(requests(), "method"), 1);
}
END_TEST

START_TEST(is_redirected_to_allowed_hosts_only)
{
    static const char *const rows[][2] = {
        {"http://localhost:%d/b", "the host is not allowed"},
        {"//127.0.0.2:%d/b", "the host is not allowed"},
        {"ftp://127.0.0.1:%d/b", "the URL is neither http nor https"},
        {"file:///b?%d", "the URL is neither http nor https"},
        {"gopher://127.0.0.1:%d/_b", "the URL is neither http nor https"},
        {"http://u:p@127.0.0.1:%d/b", "the URL holds a user name or password"},
        {"http://[", "the URL is malformed"},
    };

    stub = stub_start();
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        dsapi_fetch_t fetch = allowed_fetch("/a");
        dsapi_response_t resp;

        moved("/a", 302,
              apr_psprintf(g_pool, apr_pstrdup(g_pool, rows[i][0]), stub));
        resp = get(&fetch);
        ck_assert_int_eq(resp.status, 302);
        ck_assert_int_eq(resp.final, 1);
        ck_assert_str_eq(resp.transport, apr_pstrcat(g_pool, "redirected, but ",
                                                     rows[i][1], NULL));
    }
    ck_assert_int_eq(count(requests(), "\"target\":\"/b"), 0);
}
END_TEST

START_TEST(a_redirect_is_subject_to_its_hosts_rules)
{
    dsapi_fetch_t fetch;
    dsapi_response_t resp;

    stub = stub_start();
    fetch = allowed_fetch("/a");
    allow(&fetch, "localhost", 0);
    moved("/a", 302, apr_psprintf(g_pool, "http://localhost:%d/b", stub));
    resp = get(&fetch);
    ck_assert_str_eq(resp.transport, blocked);
    ck_assert_int_eq(resp.final, 1);
    ck_assert_int_eq(count(requests(), "\"target\":\"/b"), 0);
}
END_TEST

START_TEST(keeps_its_headers_at_its_origin)
{
    dsapi_fetch_t fetch;

    stub = stub_start();
    fetch = allowed_fetch("/a");
    fetch.headers = secret_headers();
    moved("/a", 302, "/b");
    ck_assert_int_eq(get(&fetch).status, 403);
    ck_assert_int_eq(count(requests(), "Bearer sesame"), 2);
    ck_assert_int_eq(count(requests(), "\"X-Key\":\"sesame\""), 2);
}
END_TEST

START_TEST(leaves_its_headers_behind_at_another_origin)
{
    dsapi_fetch_t fetch;
    int other;

    stub = stub_start();
    other = stub_start();
    fetch = allowed_fetch("/a");
    fetch.headers = secret_headers();
    /* the same host, another port; and back again */
    moved("/a", 307, apr_psprintf(g_pool, "http://127.0.0.1:%d/b", other));
    stub_answer(other, apr_psprintf(g_pool,
                                    "{\"status\":307,\"headers\":{\"Location\":"
                                    "\"http://127.0.0.1:%d/c\"}}",
                                    stub));
    ck_assert_int_eq(get(&fetch).status, 403);
    ck_assert_int_eq(count(stub_ask(other, "GET", "/_stub/log", ""), "\"target"
                                                                     "\":\"/b"),
                     1);
    ck_assert_int_eq(count(stub_ask(other, "GET", "/_stub/log", ""), "sesame"),
                     0);
    ck_assert_int_eq(count(requests(), "\"target\":\"/c"), 1);
    ck_assert_int_eq(count(requests(), "Bearer sesame"), 1);
}
END_TEST

START_TEST(posts_a_body)
{
    apr_array_header_t *headers = apr_array_make(g_pool, 1, sizeof(char *));
    dsapi_fetch_t fetch;
    const char *log;

    stub = stub_start();
    fetch = allowed_fetch("/a");
    fetch.post = "{\"x\":1}";
    APR_ARRAY_PUSH(headers, const char *) = "Content-Type: application/json";
    fetch.headers = headers;
    stub_answer(stub, "{\"body\":\"[]\"}");
    ck_assert_int_eq(get(&fetch).status, 200);
    log = requests();
    ck_assert_ptr_nonnull(strstr(log, "\"method\":\"POST\""));
    ck_assert_ptr_nonnull(strstr(log, "\"body\":\"{\\\"x\\\":1}\""));
    ck_assert_ptr_nonnull(strstr(log, "\"Content-Type\":\"application/json\""));
    ck_assert_ptr_null(strstr(log, "urlencoded"));
}
END_TEST

START_TEST(repeats_a_post_where_it_is_told_to)
{
    static const struct {
        int status;
        int posts;
    } rows[] = {{301, 1}, {302, 1}, {303, 1}, {307, 2}, {308, 2}};

    stub = stub_start();
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        dsapi_fetch_t fetch = allowed_fetch("/a");

        fetch.post = "{\"x\":1}";
        stub_ask(stub, "DELETE", "/_stub/log", "");
        moved("/a", rows[i].status, "/b");
        stub_answer(stub, "{\"path\":\"/b\",\"body\":\"[]\"}");
        ck_assert_int_eq(get(&fetch).status, 200);
        ck_assert_int_eq(count(requests(), "\"POST\""), rows[i].posts);
        ck_assert_int_eq(count(requests(), "{\\\"x\\\":1}"), rows[i].posts);
        ck_assert_int_eq(count(requests(), "\"GET\""), 2 - rows[i].posts);
    }
}
END_TEST

START_TEST(posts_nothing_to_another_origin)
{
    dsapi_fetch_t fetch;
    int other;

    stub = stub_start();
    other = stub_start();
    fetch = allowed_fetch("/a");
    fetch.post = "{}";
    moved("/a", 307, apr_psprintf(g_pool, "http://127.0.0.1:%d/b", other));
    ck_assert_str_eq(get(&fetch).transport, "redirected, but a POST is not "
                                            "sent on to another "
                                            "origin");
    ck_assert_int_eq(count(stub_ask(other, "GET", "/_stub/log", ""), "method"),
                     0);
}
END_TEST

START_TEST(hands_up_validators)
{
    dsapi_fetch_t fetch;
    dsapi_response_t resp;

    stub = stub_start();
    fetch = allowed_fetch("/a");
    stub_answer(stub, "{\"body\":\"[]\",\"headers\":{\"ETag\":\"W/\\\"1\\\"\","
                      "\"Last-Modified\":\"yesterday\"}}");
    resp = get(&fetch);
    ck_assert_str_eq(resp.etag, "W/\"1\"");
    ck_assert_str_eq(resp.last_modified, "yesterday");
}
END_TEST

START_TEST(asks_the_proxy)
{
    dsapi_fetch_t fetch;
    dsapi_response_t resp;

    stub = stub_start(); /* it refuses what is no path, which says enough */
    fetch = fetch_of("upstream.invalid", "/a");
    fetch.proxy = apr_psprintf(g_pool, "http://127.0.0.1:%d", stub);
    resp = get(&fetch);
    ck_assert_str_eq(resp.transport, "the host is not allowed");
    allow(&fetch, "upstream.invalid", 0);
    resp = get(&fetch);
    ck_assert_ptr_null(resp.transport);
    ck_assert_int_eq(resp.status, 400);
    fetch.url = "https://upstream.invalid/a";
    resp = get(&fetch);
    ck_assert_str_eq(resp.transport, "the proxy refused the connection");
    ck_assert_int_eq(resp.status, 0);
    fetch.proxy = "http://proxy.invalid:3128";
    ck_assert_str_eq(get(&fetch).transport, "the proxy's name could not be "
                                            "resolved");
}
END_TEST

UNIT_SUITE(source_client_hosts, asks_no_host_that_is_not_allowed,
           takes_no_credentials_in_a_url, connects_to_no_private_address,
           a_listed_name_may_be_private,
           does_not_reuse_what_another_was_allowed,
           is_redirected_to_allowed_hosts_only,
           a_redirect_is_subject_to_its_hosts_rules,
           keeps_its_headers_at_its_origin,
           leaves_its_headers_behind_at_another_origin, posts_a_body,
           repeats_a_post_where_it_is_told_to, posts_nothing_to_another_origin,
           hands_up_validators, asks_the_proxy)
