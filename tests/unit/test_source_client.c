#include <apr_env.h>
#include <apr_file_io.h>
#include <apr_strings.h>
#include <arpa/inet.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "source/client.h"
#include "unit/unit.h"

#define DEADLINE apr_time_from_sec(20)
#define SMALL    1094 /* bytes of fixtures/ok-small.json */
#define ONE_DAY                           \
    "/v1/foodsecurity/country/COL/region" \
    "?date_start=2023-06-01&date_end=2023-06-01"
#define ONE_YEAR                          \
    "/v1/foodsecurity/country/COL/region" \
    "?date_start=2022-06-01&date_end=2023-06-01"

/* --- the stand-in --- */

static int stub_port;

static const char *setting(const char *name, const char *otherwise)
{
    char *value = NULL;

    apr_env_get(&value, name, g_pool);
    return value ? value : otherwise;
}

static apr_status_t stub_end(void *data)
{
    const pid_t *pid = data;

    kill(*pid, SIGTERM);
    waitpid(*pid, NULL, 0);
    return APR_SUCCESS;
}

/** @return the port that stands in the file, once it does */
static int port_from(const char *path)
{
    apr_time_t end = apr_time_now() + DEADLINE;
    char text[16] = "";

    while (apr_time_now() < end) {
        FILE *file = fopen(path, "r");

        if (file) {
            ck_assert_ptr_nonnull(fgets(text, sizeof(text), file));
            fclose(file);
            return (int)apr_strtoi64(text, NULL, 10);
        }
        poll(NULL, 0, 5);
    }
    ck_abort_msg("the stand-in does not start");
    return 0;
}

/** Start the stand-in; it ends with g_pool, or with this process. */
static void stub_start(void)
{
    const char *tool = apr_pstrcat(
        g_pool, setting("DSAPI_TOOLS", "build/tools"), "/upstream", NULL);
    const char *data = setting("DSAPI_DATA", "tests/data");
    pid_t *pid = apr_palloc(g_pool, sizeof(*pid));
    const char *temp;
    const char *port_file;
    char *dir;

    ck_assert_int_eq(apr_temp_dir_get(&temp, g_pool), APR_SUCCESS);
    dir = apr_pstrcat(g_pool, temp, "/dsapi-client-XXXXXX", NULL);
    ck_assert_ptr_nonnull(mkdtemp(dir));
    port_file = apr_pstrcat(g_pool, dir, "/port", NULL);
    *pid = fork();
    if (*pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        execl(tool, tool, "--listen", "127.0.0.1:0", "--data", data,
              "--port-file", port_file, (char *)NULL);
        _exit(127);
    }
    ck_assert_int_gt(*pid, 0);
    apr_pool_cleanup_register(g_pool, pid, stub_end, apr_pool_cleanup_null);
    stub_port = port_from(port_file);
    unlink(port_file);
    rmdir(dir);
}

/** Ask the stand-in's control. @return the body of its answer */
static const char *stub_ask(const char *method, const char *what,
                            const char *json)
{
    struct sockaddr_in addr = {.sin_family = AF_INET,
                               .sin_port = htons((apr_uint16_t)stub_port)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    const char *ask = apr_psprintf(g_scratch,
                                   "%s /_stub/%s HTTP/1.1\r\nHost: "
                                   "x\r\nConnection: close\r\n"
                                   "Content-Length: %d\r\n\r\n%s",
                                   method, what, (int)strlen(json), json);
    char *answer = apr_pcalloc(g_scratch, 65536);
    ssize_t len = 0;
    ssize_t n;

    addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ck_assert_int_eq(connect(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
    ck_assert_int_eq(write(fd, ask, strlen(ask)), (ssize_t)strlen(ask));
    while ((n = read(fd, answer + len, (size_t)(65535 - len))) > 0) {
        len += n;
    }
    close(fd);
    ck_assert_msg(strncmp(answer, "HTTP/1.1 200", 12) == 0, "%s: %s", json,
                  answer);
    return strstr(answer, "\r\n\r\n") + 4;
}

static void stub_queue(const char *json)
{
    stub_ask("POST", "answers", json);
}

static int stub_requests(void)
{
    const char *s = strstr(stub_ask("GET", "health", ""), "\"requests\":");

    return (int)apr_strtoi64(s + strlen("\"requests\":"), NULL, 10);
}

/* --- transfers --- */

static dsapi_client_t *client_make(void)
{
    dsapi_client_t *client;

    ck_assert_int_eq(dsapi_client_global_init(), APR_SUCCESS);
    client = dsapi_client_make("dsapi-test/1", g_pool);
    ck_assert_ptr_nonnull(client);
    return client;
}

static const char *url_of(const char *path)
{
    return apr_psprintf(g_pool, "http://127.0.0.1:%d%s", stub_port, path);
}

static dsapi_fetch_t fetch_of(const char *url)
{
    apr_array_header_t *hosts = apr_array_make(g_pool, 2, sizeof(dsapi_host_t));
    dsapi_fetch_t fetch = {.url = url,
                           .hosts = hosts,
                           .timeout = DEADLINE,
                           .connect_timeout = DEADLINE,
                           .stall_timeout = DEADLINE,
                           .max_body_bytes = 67108864};

    APR_ARRAY_PUSH(hosts, dsapi_host_t) = (dsapi_host_t){"127.0.0.1", 1};
    APR_ARRAY_PUSH(hosts, dsapi_host_t) = (dsapi_host_t){"localhost", 1};
    fetch.baton = apr_pstrdup(g_pool, url);
    return fetch;
}

static dsapi_transfer_t *start(dsapi_client_t *client,
                               const dsapi_fetch_t *fetch, apr_pool_t *pool)
{
    dsapi_transfer_t *transfer = NULL;

    ck_assert_int_eq(dsapi_client_start(&transfer, client, fetch, pool),
                     APR_SUCCESS);
    ck_assert_ptr_nonnull(transfer);
    return transfer;
}

/** Wait for the next transfer to end. @return its baton */
static void *next(dsapi_response_t *resp, dsapi_client_t *client)
{
    apr_time_t end = apr_time_now() + 2 * DEADLINE;
    void *baton = dsapi_client_next_done(resp, client);

    while (!baton && apr_time_now() < end) {
        dsapi_client_wait(client, -1, 0, apr_time_from_sec(1));
        baton = dsapi_client_next_done(resp, client);
    }
    ck_assert_ptr_nonnull(baton);
    return baton;
}

static dsapi_response_t get(const dsapi_fetch_t *fetch)
{
    dsapi_client_t *client = client_make();
    dsapi_response_t resp;

    start(client, fetch, g_pool);
    ck_assert_ptr_eq(next(&resp, client), fetch->baton);
    ck_assert_int_eq(dsapi_client_active(client), 0);
    ck_assert_ptr_null(dsapi_client_next_done(&resp, client));
    return resp;
}

static dsapi_response_t get_path(const char *path)
{
    dsapi_fetch_t fetch = fetch_of(url_of(path));

    return get(&fetch);
}

static void until_held(dsapi_client_t *client, int n)
{
    const char *wanted = apr_psprintf(g_pool, "\"held\":%d,", n);
    apr_time_t end = apr_time_now() + DEADLINE;

    while (!strstr(stub_ask("GET", "health", ""), wanted)) {
        ck_assert(apr_time_now() < end);
        dsapi_client_wait(client, -1, 0, apr_time_from_msec(10));
    }
}

START_TEST(gets_a_whole_answer)
{
    dsapi_response_t resp;

    stub_start();
    resp = get_path(ONE_DAY);
    ck_assert_ptr_null(resp.transport);
    ck_assert_int_eq(resp.status, 200);
    ck_assert_str_eq(resp.content_type, "application/json");
    ck_assert_ptr_null(resp.retry_after);
    ck_assert_int_eq(strncmp(resp.body, "[{\"country\":{", 13), 0);
    ck_assert_int_eq(strncmp(resp.body + resp.body_bytes - 3, "}}]", 3), 0);
}
END_TEST

START_TEST(sends_its_headers_and_its_agent)
{
    dsapi_fetch_t fetch;
    apr_array_header_t *headers =
        apr_array_make(g_pool, 2, sizeof(const char *));
    const char *log;

    stub_start();
    fetch = fetch_of(url_of("/x"));
    APR_ARRAY_PUSH(headers, const char *) = "X-One: 1";
    APR_ARRAY_PUSH(headers, const char *) = "X-Two: zwei";
    fetch.headers = headers;
    ck_assert_int_eq(get(&fetch).status, 403);
    log = stub_ask("GET", "log", "");
    ck_assert_ptr_nonnull(strstr(log, "\"method\":\"GET\""));
    ck_assert_ptr_nonnull(strstr(log, "\"X-One\":\"1\""));
    ck_assert_ptr_nonnull(strstr(log, "\"X-Two\":\"zwei\""));
    ck_assert_ptr_nonnull(strstr(log, "\"User-Agent\":\"dsapi-test/1\""));
    ck_assert_ptr_nonnull(strstr(log, "\"Accept-Encoding\":\"deflate, gzip"));
}
END_TEST

START_TEST(undoes_gzip)
{
    dsapi_response_t resp;

    stub_start();
    stub_queue("{\"fixture\":\"gzip.json.gz\"}");
    resp = get_path(ONE_DAY);
    ck_assert_ptr_null(resp.transport);
    ck_assert_int_eq(resp.body_bytes, SMALL);
    ck_assert_int_eq(resp.body[0], '[');
}
END_TEST

START_TEST(says_that_compression_is_broken)
{
    dsapi_response_t resp;

    stub_start();
    stub_queue("{\"headers\":{\"Content-Encoding\":\"gzip\"},"
               "\"body\":\"not gzip at all\"}");
    resp = get_path("/");
    ck_assert_str_eq(resp.transport, "the answer's compression is broken");
}
END_TEST

START_TEST(hands_up_errors_of_the_upstream)
{
    dsapi_response_t resp;

    stub_start();
    resp = get_path("/v1/foodsecurity/country/XXX/region");
    ck_assert_ptr_null(resp.transport);
    ck_assert_int_eq(resp.status, 404);
    ck_assert_int_eq(strncmp(resp.body, "{\"message\":", 11), 0);
    stub_queue("{\"fixture\":\"http-500.json\"}");
    resp = get_path(ONE_DAY);
    ck_assert_ptr_null(resp.transport);
    ck_assert_int_eq(resp.status, 500);
    stub_queue("{\"fixture\":\"http-429.json\"}");
    resp = get_path(ONE_DAY);
    ck_assert_int_eq(resp.status, 429);
    ck_assert_str_eq(resp.retry_after, "2");
}
END_TEST

START_TEST(hands_up_an_empty_answer)
{
    dsapi_response_t resp;

    stub_start();
    stub_queue("{\"status\":204}");
    resp = get_path("/");
    ck_assert_ptr_null(resp.transport);
    ck_assert_int_eq(resp.status, 204);
    ck_assert_int_eq(resp.body_bytes, 0);
    ck_assert_ptr_null(resp.content_type);
}
END_TEST

START_TEST(follows_a_redirect)
{
    dsapi_response_t resp;

    stub_start();
    stub_queue("{\"status\":301,\"headers\":{\"Location\":\"@path/\"},"
               "\"body_of\":\"ok-small.json\"}");
    resp = get_path(ONE_DAY);
    ck_assert_ptr_null(resp.transport);
    ck_assert_int_eq(resp.status, 200);
    ck_assert_int_eq(resp.body_bytes, SMALL);
    ck_assert_ptr_nonnull(strstr(resp.url, "/COL/region/"));
    ck_assert_int_eq(stub_requests(), 2);
}
END_TEST

START_TEST(forgets_the_body_of_a_redirect)
{
    dsapi_response_t resp;

    stub_start();
    stub_queue("{\"status\":302,\"headers\":{\"Location\":\"/b\"},"
               "\"body\":\"moved\"}");
    stub_queue("{\"body\":\"here\",\"path\":\"/b\"}");
    resp = get_path("/a");
    ck_assert_int_eq(resp.status, 200);
    ck_assert_int_eq(resp.body_bytes, 4);
    ck_assert_int_eq(strncmp(resp.body, "here", 4), 0);
}
END_TEST

START_TEST(follows_five_redirects)
{
    dsapi_response_t resp;

    stub_start();
    stub_queue("{\"status\":308,\"headers\":{\"Location\":\"@path\"},"
               "\"times\":5}");
    resp = get_path(ONE_DAY);
    ck_assert_ptr_null(resp.transport);
    ck_assert_int_eq(resp.status, 200);
    ck_assert_int_eq(stub_requests(), 6);
    stub_queue("{\"status\":307,\"headers\":{\"Location\":\"@path\"},"
               "\"times\":0}");
    resp = get_path(ONE_DAY);
    ck_assert_str_eq(resp.transport, "too many redirects");
    ck_assert_int_eq(resp.status, 307);
    ck_assert_int_eq(stub_requests(), 12);
}
END_TEST

START_TEST(follows_only_what_is_a_redirect)
{
    dsapi_response_t resp;

    stub_start();
    stub_queue("{\"status\":201,\"headers\":{\"Location\":\"/b\"}}");
    resp = get_path("/a");
    ck_assert_ptr_null(resp.transport);
    ck_assert_int_eq(resp.status, 201);
    stub_queue("{\"status\":300,\"headers\":{\"Location\":\"/b\"}}");
    resp = get_path("/a");
    ck_assert_ptr_null(resp.transport);
    ck_assert_int_eq(resp.status, 300);
    stub_queue("{\"status\":301}");
    resp = get_path("/a");
    ck_assert_ptr_null(resp.transport);
    ck_assert_int_eq(resp.status, 301);
}
END_TEST

START_TEST(the_time_of_redirects_counts)
{
    dsapi_fetch_t fetch;
    dsapi_response_t resp;

    stub_start();
    stub_queue("{\"status\":302,\"headers\":{\"Location\":\"@path\"},"
               "\"delay_ms\":250,\"times\":0}");
    fetch = fetch_of(url_of("/"));
    fetch.timeout = apr_time_from_msec(600);
    resp = get(&fetch);
    ck_assert_str_eq(resp.transport, "timed out");
    ck_assert_int_le(stub_requests(), 3);
}
END_TEST

START_TEST(refuses_more_than_the_cap)
{
    dsapi_fetch_t fetch;
    dsapi_response_t resp;

    stub_start();
    fetch = fetch_of(url_of(ONE_YEAR));
    fetch.max_body_bytes = 1000;
    resp = get(&fetch);
    ck_assert_str_eq(resp.transport, "the answer is larger than 1000 bytes");
    ck_assert_int_eq(resp.final, 1);
    ck_assert_int_eq(resp.status, 200);
}
END_TEST

START_TEST(the_cap_is_of_inflated_bytes)
{
    dsapi_fetch_t fetch;
    dsapi_response_t resp;

    stub_start();
    stub_queue("{\"fixture\":\"gzip.json.gz\",\"times\":2}");
    fetch = fetch_of(url_of(ONE_DAY));
    fetch.max_body_bytes = SMALL;
    resp = get(&fetch);
    ck_assert_ptr_null(resp.transport);
    ck_assert_int_eq(resp.body_bytes, SMALL);
    fetch.max_body_bytes = SMALL - 1;
    resp = get(&fetch);
    ck_assert_str_eq(resp.transport, "the answer is larger than 1093 bytes");
}
END_TEST

START_TEST(notices_a_short_body)
{
    static const char broke[] = "the connection broke before the answer was "
                                "complete";
    dsapi_response_t resp;

    stub_start();
    stub_queue("{\"fixture\":\"short-body.json\"}");
    resp = get_path(ONE_DAY);
    ck_assert_str_eq(resp.transport, broke);
    ck_assert_int_eq(resp.status, 200);
    stub_queue("{\"status\":0,\"times\":0}");
    resp = get_path(ONE_DAY);
    ck_assert_str_eq(resp.transport, broke);
    ck_assert_int_eq(resp.status, 0);
}
END_TEST

START_TEST(notices_a_stall)
{
    dsapi_fetch_t fetch;
    dsapi_response_t resp;

    stub_start();
    stub_queue("{\"body_of\":\"ok-small.json\",\"stall_after_bytes\":300}");
    fetch = fetch_of(url_of(ONE_DAY));
    fetch.stall_timeout = apr_time_from_msec(100);
    resp = get(&fetch);
    ck_assert_str_eq(resp.transport, "timed out: no data came");
    stub_queue("{\"hold\":true}");
    resp = get(&fetch);
    ck_assert_str_eq(resp.transport, "timed out: no data came");
}
END_TEST

START_TEST(a_slow_answer_is_no_stall)
{
    dsapi_fetch_t fetch;
    dsapi_response_t resp;

    stub_start();
    stub_queue("{\"body\":\"0123456789\",\"drip_ms\":200}");
    fetch = fetch_of(url_of(ONE_DAY));
    fetch.stall_timeout = apr_time_from_sec(1);
    resp = get(&fetch);
    ck_assert_ptr_null(resp.transport);
    ck_assert_int_eq(resp.body_bytes, 10);
}
END_TEST

START_TEST(the_whole_transfer_has_a_timeout)
{
    dsapi_fetch_t fetch;
    dsapi_response_t resp;
    apr_time_t begin;

    stub_start();
    stub_queue("{\"body_of\":\"ok-small.json\",\"drip_ms\":50}");
    fetch = fetch_of(url_of(ONE_DAY));
    fetch.timeout = apr_time_from_msec(400);
    begin = apr_time_now();
    resp = get(&fetch);
    ck_assert_str_eq(resp.transport, "timed out");
    ck_assert(apr_time_now() - begin >= apr_time_from_msec(350));
    ck_assert(apr_time_now() - begin < DEADLINE);
}
END_TEST

START_TEST(says_that_nothing_listens)
{
    struct sockaddr_in addr = {.sin_family = AF_INET};
    socklen_t len = sizeof(addr);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    dsapi_response_t resp;

    addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&addr, len), 0);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&addr, &len), 0);
    stub_port = ntohs(addr.sin_port);
    resp = get_path("/");
    close(fd);
    ck_assert_str_eq(resp.transport, "could not connect");
    ck_assert_int_eq(resp.status, 0);
    ck_assert_int_eq(resp.body_bytes, 0);
}
END_TEST

START_TEST(says_that_tls_failed)
{
    dsapi_fetch_t fetch;

    stub_start();
    fetch = fetch_of(apr_psprintf(g_pool, "https://127.0.0.1:%d/", stub_port));
    ck_assert_str_eq(get(&fetch).transport, "TLS failed");
}
END_TEST

START_TEST(takes_http_only)
{
    dsapi_fetch_t fetch = fetch_of("file:///dev/null");

    ck_assert_str_eq(get(&fetch).transport, "the URL is neither http nor "
                                            "https");
    fetch = fetch_of("http://");
    ck_assert_str_eq(get(&fetch).transport, "the URL is malformed");
}
END_TEST

START_TEST(ignores_the_proxy_of_the_environment)
{
    static const char *const names[] = {"http_proxy", "HTTP_PROXY", "all_proxy",
                                        "ALL_PROXY"};

    stub_start();
    for (int i = 0; i < 4; i++) {
        ck_assert_int_eq(apr_env_set(names[i], "http://127.0.0.1:1", g_pool),
                         APR_SUCCESS);
    }
    ck_assert_int_eq(get_path(ONE_DAY).status, 200);
}
END_TEST

START_TEST(runs_two_at_once)
{
    dsapi_client_t *client;
    dsapi_fetch_t slow;
    dsapi_fetch_t fast;
    dsapi_response_t resp;

    stub_start();
    stub_queue("{\"real\":true,\"hold\":true,\"path\":\"/slow\"}");
    client = client_make();
    slow = fetch_of(url_of("/slow"));
    fast = fetch_of(url_of(ONE_DAY));
    start(client, &slow, g_pool);
    until_held(client, 1);
    start(client, &fast, g_pool);
    ck_assert_int_eq(dsapi_client_active(client), 2);
    ck_assert_ptr_eq(next(&resp, client), fast.baton);
    ck_assert_int_eq(resp.status, 200);
    ck_assert_int_eq(dsapi_client_active(client), 1);
    stub_ask("POST", "release", "");
    ck_assert_ptr_eq(next(&resp, client), slow.baton);
    ck_assert_int_eq(resp.status, 403);
}
END_TEST

START_TEST(runs_many_at_once)
{
    enum {
        N = 50
    };
    dsapi_client_t *client;
    int left = N;

    stub_start();
    stub_queue("{\"real\":true,\"delay_ms\":50,\"times\":0}");
    client = client_make();
    for (int i = 0; i < N; i++) {
        dsapi_fetch_t fetch = fetch_of(url_of(ONE_DAY));

        start(client, &fetch, g_pool);
    }
    ck_assert_int_eq(dsapi_client_active(client), N);
    while (left-- > 0) {
        dsapi_response_t resp;

        next(&resp, client);
        ck_assert_ptr_null(resp.transport);
        ck_assert_int_eq(resp.status, 200);
    }
    ck_assert_int_eq(dsapi_client_active(client), 0);
}
END_TEST

START_TEST(a_transfer_ends_with_its_pool)
{
    dsapi_client_t *client;
    dsapi_fetch_t fetch;
    dsapi_response_t resp;
    apr_pool_t *pool;

    stub_start();
    stub_queue("{\"real\":true,\"hold\":true}");
    client = client_make();
    fetch = fetch_of(url_of(ONE_DAY));
    apr_pool_create(&pool, g_pool);
    start(client, &fetch, pool);
    until_held(client, 1);
    apr_pool_destroy(pool);
    ck_assert_int_eq(dsapi_client_active(client), 0);
    until_held(client, 0); /* the upstream sees that we have gone */
    ck_assert_ptr_null(dsapi_client_next_done(&resp, client));
    start(client, &fetch, g_pool);
    ck_assert_ptr_eq(next(&resp, client), fetch.baton);
    ck_assert_int_eq(resp.status, 200);
}
END_TEST

START_TEST(all_may_end_with_one_pool)
{
    apr_pool_t *pool;
    dsapi_client_t *client;
    dsapi_fetch_t held;
    dsapi_fetch_t name;

    stub_start();
    stub_queue("{\"real\":true,\"hold\":true}");
    held = fetch_of(url_of("/held"));
    name = fetch_of(apr_psprintf(g_pool, "http://localhost:%d/", stub_port));
    apr_pool_create(&pool, NULL);
    client = dsapi_client_make("dsapi-test/1", pool);
    start(client, &held, pool);
    until_held(client, 1);
    start(client, &name, pool);
    dsapi_client_wait(client, -1, 0, 0); /* the name is being looked up */
    apr_pool_destroy(pool);
    until_held(client_make(), 0);
}
END_TEST

START_TEST(an_untaken_answer_ends_with_its_pool)
{
    dsapi_client_t *client;
    dsapi_fetch_t fetch;
    dsapi_response_t resp;
    apr_pool_t *pools[3];

    stub_start();
    client = client_make();
    fetch = fetch_of(url_of(ONE_DAY));
    for (int i = 0; i < 3; i++) {
        apr_pool_create(&pools[i], g_pool);
        start(client, &fetch, pools[i]);
    }
    while (dsapi_client_active(client) > 0) {
        dsapi_client_wait(client, -1, 0, 0);
    }
    apr_pool_destroy(pools[1]);
    ck_assert_ptr_nonnull(dsapi_client_next_done(&resp, client));
    ck_assert_ptr_nonnull(dsapi_client_next_done(&resp, client));
    ck_assert_ptr_null(dsapi_client_next_done(&resp, client));
    apr_pool_destroy(pools[0]);
    apr_pool_destroy(pools[2]);
}
END_TEST

START_TEST(a_client_may_end_before_its_transfers)
{
    apr_pool_t *client_pool;
    apr_pool_t *pool;
    dsapi_client_t *client;
    dsapi_fetch_t fetch;
    dsapi_fetch_t quick;

    stub_start();
    stub_queue("{\"real\":true,\"hold\":true,\"path\":\"/held\"}");
    ck_assert_int_eq(dsapi_client_global_init(), APR_SUCCESS);
    apr_pool_create(&pool, NULL);
    apr_pool_create(&client_pool, NULL);
    client = dsapi_client_make("dsapi-test/1", client_pool);
    fetch = fetch_of(url_of("/held"));
    quick = fetch_of(url_of("/"));
    start(client, &fetch, pool);
    start(client, &quick, pool);
    until_held(client, 1);
    while (dsapi_client_active(client) > 1) {
        dsapi_client_wait(client, -1, 0, apr_time_from_sec(1));
    }
    apr_pool_destroy(client_pool);
    apr_pool_destroy(pool);
    dsapi_client_global_cleanup();
}
END_TEST

START_TEST(waits_for_an_extra_descriptor)
{
    dsapi_client_t *client = client_make();
    apr_time_t begin = apr_time_now();
    int pair[2];

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    dsapi_client_wait(client, pair[0], 1, DEADLINE); /* it can be written */
    ck_assert_int_eq(write(pair[1], "x", 1), 1);
    dsapi_client_wait(client, pair[0], 0, DEADLINE);
    ck_assert(apr_time_now() - begin < DEADLINE);
    begin = apr_time_now();
    dsapi_client_wait(client, pair[1], 0, apr_time_from_msec(50));
    ck_assert(apr_time_now() - begin >= apr_time_from_msec(50));
    close(pair[0]);
    close(pair[1]);
}
END_TEST

UNIT_SUITE(source_client, gets_a_whole_answer, sends_its_headers_and_its_agent,
           undoes_gzip, says_that_compression_is_broken,
           hands_up_errors_of_the_upstream, hands_up_an_empty_answer,
           follows_a_redirect, forgets_the_body_of_a_redirect,
           follows_five_redirects, follows_only_what_is_a_redirect,
           the_time_of_redirects_counts, refuses_more_than_the_cap,
           the_cap_is_of_inflated_bytes, notices_a_short_body, notices_a_stall,
           a_slow_answer_is_no_stall, the_whole_transfer_has_a_timeout,
           says_that_nothing_listens, says_that_tls_failed, takes_http_only,
           ignores_the_proxy_of_the_environment, runs_two_at_once,
           runs_many_at_once, a_transfer_ends_with_its_pool,
           all_may_end_with_one_pool, an_untaken_answer_ends_with_its_pool,
           a_client_may_end_before_its_transfers, waits_for_an_extra_descriptor)
