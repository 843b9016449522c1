/*
 * A stand-in for the upstreams that tests and `make run` cannot reach:
 *
 *   upstream --listen 127.0.0.1:PORT --data DIR [--port-file FILE]
 *
 * serves DIR/hungermap/{ISO3}.json and DIR/hungermap/real/{iso3}-region-*.json
 * as the HungerMap API would, DIR/restcountries/countries-v3.1.json as REST
 * Countries v3.1, and under /_stub/ takes orders for awkward answers:
 *
 *   POST   /_stub/answers  queue one (see queue_asked); DELETE: forget all
 *   POST   /_stub/release  let those requests go on that are held now
 *   GET    /_stub/log      the requests so far; DELETE: forget them
 *   GET    /_stub/health   {"held":n,"queued":n,"requests":n}
 *
 * PORT 0 picks one; FILE gets the port once it listens.
 */
#include <apr_general.h>
#include <apr_hash.h>
#include <apr_strings.h>
#include <apr_tables.h>
#include <apr_time.h>
#include <arpa/inet.h>
#include <getopt.h>
#include <jansson.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/number.h"
#include "json/buf.h"
#include "upstream/data.h"

#define LINE_MAX_BYTES 65536
#define HEADERS_MAX    200
#define BODY_MAX_BYTES 1048576
#define LOG_MAX        20000
#define REGION_PREFIX  "/v1/foodsecurity/country/"

typedef struct stub_t {
    apr_pool_t *pool;
    apr_hash_t *regions;  /* "COL" -> country_t */
    json_t *countries;    /* array */
    json_t *fixtures;     /* read-only, as all above */
    pthread_mutex_t lock; /* of both below */
    json_t *answers;      /* array, in order */
    json_t *log;          /* array */
    atomic_uint releases;
    atomic_int held;
} stub_t;

typedef struct conn_t {
    stub_t *stub;
    int fd;
    FILE *in;
    FILE *out;
    char line[LINE_MAX_BYTES];
} conn_t;

typedef struct request_t {
    apr_pool_t *pool;
    const char *method;
    const char *target;
    const char *path;
    const char *query; /* with its '?'; "": none */
    json_t *headers;
    text_t body;
    int keep; /* the connection, after the answer */
} request_t;

static const int on = 1;

/* --- sending --- */

/** Wait. @return 0: the other side has gone */
static int wait_ms(const conn_t *conn, int ms)
{
    struct pollfd fd = {.fd = conn->fd, .events = POLLRDHUP};

    return poll(&fd, 1, ms) == 0;
}

/** Work out "@now+2s", "@path/" and a Content-Length of "+100". */
static const char *header_value(const char *value, const request_t *req,
                                size_t body_len)
{
    if (strncmp(value, "@now+", 5) == 0) {
        char *date = apr_palloc(req->pool, APR_RFC822_DATE_LEN);

        apr_rfc822_date(
            date,
            apr_time_now() +
                apr_time_from_sec(apr_strtoi64(value + 5, NULL, 10) % 1000000));
        return date;
    }
    if (strncmp(value, "@path", 5) == 0) {
        return apr_pstrcat(req->pool, req->path, value + 5, req->query, NULL);
    }
    if (*value == '+') {
        return apr_psprintf(req->pool, "%" APR_INT64_T_FMT,
                            (apr_int64_t)body_len +
                                apr_strtoi64(value, NULL, 10) % 1000000000);
    }
    return value;
}

/** @return a member of an answer that is a number */
static int member(const json_t *answer, const char *name, int otherwise)
{
    const json_t *value = json_object_get(answer, name);

    return value ? (int)json_integer_value(value) : otherwise;
}

/** An answer that frames its body with a header of its own ends there. */
static void send_head(conn_t *conn, request_t *req, const json_t *answer,
                      size_t body_len)
{
    int status = member(answer, "status", 200);
    int framed = status == 204 || status == 304;
    const char *name;
    json_t *value;

    fprintf(conn->out, "HTTP/1.1 %d \r\n", status);
    json_object_foreach(json_object_get(answer, "headers"), name, value)
    {
        if (strcasecmp(name, "Content-Length") == 0 ||
            strcasecmp(name, "Transfer-Encoding") == 0) {
            framed = 1;
            req->keep = 0;
        }
        fprintf(conn->out, "%s: %s\r\n", name,
                header_value(json_string_value(value), req, body_len));
    }
    if (!framed) {
        fprintf(conn->out, "Content-Length: %zu\r\n", body_len);
    }
    fputs(req->keep ? "\r\n" : "Connection: close\r\n\r\n", conn->out);
}

/** Send what an answer says. @return 1: the connection may be used again */
static int send_answer(conn_t *conn, request_t *req, const json_t *answer,
                       text_t body)
{
    int status = member(answer, "status", 200);
    int stall = member(answer, "stall_after_bytes", -1);
    int drip_ms = member(answer, "drip_ms", 0);

    if (status == 0) {
        struct linger reset = {.l_onoff = 1, .l_linger = 0};

        setsockopt(conn->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
        return 0;
    }
    send_head(conn, req, answer, body.len);
    if (strcmp(req->method, "HEAD") == 0 || status == 204 || status == 304) {
        body.len = 0;
    }
    for (; drip_ms > 0 && body.len > 0; body.len--) {
        putc(*body.p++, conn->out);
        if (fflush(conn->out) != 0 || !wait_ms(conn, drip_ms)) {
            return 0;
        }
    }
    if (stall >= 0 && (size_t)stall < body.len) {
        fwrite(body.p, 1, (size_t)stall, conn->out);
        return fflush(conn->out) == 0 && wait_ms(conn, -1);
    }
    fwrite(body.p, 1, body.len, conn->out);
    return fflush(conn->out) == 0 && req->keep;
}

static int send_json(conn_t *conn, request_t *req, int status, const char *body)
{
    json_t *answer = json_pack("{s:i,s:{s:s}}", "status", status, "headers",
                               "Content-Type", "application/json");
    int keep = send_answer(conn, req, answer, (text_t){body, strlen(body)});

    json_decref(answer);
    return keep;
}

/* --- the upstream itself --- */

/** @return the value of a parameter ("name="), if it is a day, else NULL */
static const char *query_day(const request_t *req, const char *name)
{
    const char *s = strstr(req->query, name);

    if (!s || !strchr("?&", s[-1])) {
        return NULL;
    }
    s += strlen(name);
    return strcspn(s, "&") == 10 && upstream_is_day(s) ? s : NULL;
}

static int serve_countries(conn_t *conn, request_t *req)
{
    int status;
    const char *body = upstream_country(&status, conn->stub->countries,
                                        req->path, req->query, req->pool);

    return send_json(conn, req, status, body);
}

static int serve_real(conn_t *conn, request_t *req)
{
    const size_t n = strlen(REGION_PREFIX);
    const char *iso3 =
        strncmp(req->path, REGION_PREFIX, n) ? "" : req->path + n;
    const char *from = query_day(req, "date_start=");
    const char *to = query_day(req, "date_end=");
    const country_t *c;
    dsapi_buf_t *out;

    if (strncmp(req->path, "/v3.1/", 6) == 0) {
        return serve_countries(conn, req);
    }
    if ((strcmp(req->method, "GET") != 0 && strcmp(req->method, "HEAD") != 0) ||
        strcspn(iso3, "/") != 3 || strcmp(iso3 + 3, "/region") != 0) {
        return send_json(conn, req, 403,
                         "{\"message\":\"Missing Authentication Token\"}");
    }
    c = apr_hash_get(conn->stub->regions, iso3, 3);
    if (!c) {
        return send_json(conn, req, 404, "{\"message\":\"Not Found\"}");
    }
    if (!from || !to || strncmp(from, to, 10) > 0) {
        return send_json(conn, req, 400, "{\"message\":\"Bad Request\"}");
    }
    out = dsapi_buf_make(LINE_MAX_BYTES, req->pool);
    dsapi_buf_put(out, c->head.p, c->head.len);
    for (int i = 0; i < c->records->nelts; i++) {
        const record_t *r = &APR_ARRAY_IDX(c->records, i, record_t);

        if (strncmp(r->day, from, 10) >= 0 && strncmp(r->day, to, 10) <= 0) {
            if (out->len_bytes > c->head.len) {
                dsapi_buf_put(out, c->separator.p, c->separator.len);
            }
            dsapi_buf_put(out, r->text.p, r->text.len);
        }
    }
    dsapi_buf_put(out, c->tail.p, c->tail.len);
    return send_json(conn, req, 200, dsapi_buf_str(out));
}

/* --- answers asked for --- */

/** @return the first queued answer for a target, to be decref'd; or NULL */
static json_t *answer_take(stub_t *stub, const char *target)
{
    json_t *taken = NULL;

    pthread_mutex_lock(&stub->lock);
    for (size_t i = 0; !taken && i < json_array_size(stub->answers); i++) {
        json_t *answer = json_array_get(stub->answers, i);
        const char *path = json_string_value(json_object_get(answer, "path"));
        int times = member(answer, "times", 1);

        if (path && strncmp(target, path, strlen(path)) != 0) {
            continue;
        }
        taken = json_copy(answer);
        if (times == 1) {
            json_array_remove(stub->answers, i);
        }
        else if (times > 1) {
            json_object_set_new(answer, "times", json_integer(times - 1));
        }
    }
    pthread_mutex_unlock(&stub->lock);
    return taken;
}

/** Wait for a release. @return 0: the other side has gone */
static int hold(const conn_t *conn)
{
    unsigned seen = conn->stub->releases;
    int here = 1;

    conn->stub->held++;
    while (here && conn->stub->releases == seen) {
        here = wait_ms(conn, 10);
    }
    conn->stub->held--;
    return here;
}

/** What the answer's body is; a redirect's body_of goes to its target. */
static text_t answer_body(stub_t *stub, const request_t *req,
                          const json_t *answer)
{
    const json_t *text = json_object_get(answer, "body");
    const json_t *of = json_object_get(answer, "body_of");
    const char *file =
        json_string_value(of ? of : json_object_get(answer, "file"));

    if (text) {
        return (text_t){json_string_value(text), json_string_length(text)};
    }
    if (of && member(answer, "status", 200) / 100 == 3) {
        json_t *moved =
            json_pack("{s:s+,s:s,s:{s:s}}", "path", req->path, "/", "body_of",
                      file, "headers", "Content-Type", "application/json");

        pthread_mutex_lock(&stub->lock);
        json_array_insert_new(stub->answers, 0, moved);
        pthread_mutex_unlock(&stub->lock);
        return (text_t){"", 0};
    }
    return file
               ? upstream_read_whole(
                     apr_pstrcat(req->pool, "fixtures/", file, NULL), req->pool)
               : (text_t){"", 0};
}

/** @return a new answer: that of a fixture (or an empty one); NULL: no such */
static json_t *fixture_copy(const stub_t *stub, const json_t *which)
{
    json_t *fixture;
    size_t i;

    json_array_foreach(stub->fixtures, i, fixture)
    {
        if (json_is_integer(which)
                ? json_integer_value(which) == (json_int_t)i
                : which && !json_is_null(which) &&
                      json_equal(json_object_get(fixture, "file"), which)) {
            return json_copy(fixture);
        }
    }
    return which ? NULL : json_object();
}

/** @return 1: an answer's members are of the right types */
static int answer_is_good(const stub_t *stub, json_t *answer)
{
    int status = 200;
    int n;
    const char *s;
    const char *name;
    json_t *headers = NULL;
    json_t *value;
    int good =
        json_unpack(answer, "{s?i,s?i,s?i,s?i,s?i,s?b,s?b,s?s,s?s,s?s,s?o}",
                    "status", &status, "times", &n, "delay_ms", &n, "drip_ms",
                    &n, "stall_after_bytes", &n, "real", &n, "hold", &n, "path",
                    &s, "body", &s, "body_of", &s, "headers", &headers) == 0;

    json_object_foreach(headers, name, value)
    {
        s = json_string_value(value);
        good = good && s && !strpbrk(s, "\r\n") && !strpbrk(name, "\r\n: ");
    }
    value = fixture_copy(stub, json_object_get(answer, "body_of"));
    good = good && value && status >= 0 && status <= 999 &&
           (!headers || json_is_object(headers));
    json_decref(value);
    return good;
}

/**
 * Queue an answer: {"fixture": index or file name} takes an entry of
 * fixtures.json; whatever else is given replaces its members: status (0:
 * the connection is reset), headers, body (a text), body_of, drip_ms,
 * stall_after_bytes. "times" (1; 0: for ever), "path" (what path and query
 * begin with), "delay_ms", "hold" (until a release) and "real" (the real
 * answer) complete it.
 * @return 1; 0: not an answer
 */
static int queue_asked(stub_t *stub, const request_t *req)
{
    json_t *asked = json_loadb(req->body.p, req->body.len,
                               JSON_ALLOW_NUL | JSON_REJECT_DUPLICATES, NULL);
    json_t *answer = fixture_copy(stub, json_object_get(asked, "fixture"));
    int good;

    json_object_del(asked, "file");
    good = answer && json_object_update(answer, asked) == 0 &&
           answer_is_good(stub, answer);
    if (good) {
        pthread_mutex_lock(&stub->lock);
        json_array_append(stub->answers, answer);
        pthread_mutex_unlock(&stub->lock);
    }
    json_decref(answer);
    json_decref(asked);
    return good;
}

static int serve_control(conn_t *conn, request_t *req)
{
    stub_t *stub = conn->stub;
    const char *what = apr_pstrcat(req->pool, req->method, " ",
                                   req->path + strlen("/_stub/"), NULL);
    json_t *state;
    char *text;
    int status = 200;
    int keep;

    if (strcmp(what, "POST answers") == 0 && !queue_asked(stub, req)) {
        return send_json(conn, req, 400, "{\"message\":\"not an answer\"}");
    }
    pthread_mutex_lock(&stub->lock);
    if (strcmp(what, "DELETE answers") == 0) {
        json_array_clear(stub->answers);
    }
    else if (strcmp(what, "DELETE log") == 0) {
        json_array_clear(stub->log);
    }
    else if (strcmp(what, "POST release") == 0) {
        stub->releases++;
    }
    else if (strcmp(what, "POST answers") != 0 &&
             strcmp(what, "GET log") != 0 && strcmp(what, "GET health") != 0) {
        status = 404;
    }
    state = json_pack("{s:i,s:i,s:i}", "held", stub->held, "queued",
                      (int)json_array_size(stub->answers), "requests",
                      (int)json_array_size(stub->log));
    text = json_dumps(strcmp(what, "GET log") == 0 ? stub->log : state,
                      JSON_COMPACT);
    pthread_mutex_unlock(&stub->lock);
    keep = send_json(conn, req, status, text);
    free(text);
    json_decref(state);
    return keep;
}

/** What is not UTF-8 is null, or left out of the headers. */
static void log_request(stub_t *stub, const request_t *req)
{
    json_t *entry = json_pack(
        "{s:o?,s:o?,s:O,s:o?,s:I}", "method", json_string(req->method),
        "target", json_string(req->target), "headers", req->headers, "body",
        json_string(req->body.p), "time_us", (json_int_t)apr_time_now());

    pthread_mutex_lock(&stub->lock);
    if (json_array_size(stub->log) >= LOG_MAX) {
        json_array_remove(stub->log, 0);
    }
    json_array_append_new(stub->log, entry);
    pthread_mutex_unlock(&stub->lock);
}

/** @return 1: the connection may be used again */
static int serve(conn_t *conn, request_t *req)
{
    json_t *answer;
    int keep = 0;

    if (strncmp(req->path, "/_stub/", 7) == 0) {
        return serve_control(conn, req);
    }
    log_request(conn->stub, req);
    answer = answer_take(conn->stub, req->target);
    if (!answer) {
        return serve_real(conn, req);
    }
    if ((!json_is_true(json_object_get(answer, "hold")) || hold(conn)) &&
        wait_ms(conn, member(answer, "delay_ms", 0))) {
        keep = json_is_true(json_object_get(answer, "real"))
                   ? serve_real(conn, req)
                   : send_answer(conn, req, answer,
                                 answer_body(conn->stub, req, answer));
    }
    json_decref(answer);
    return keep;
}

/** @return the next line without its end; NULL: none, or none that is good */
static char *read_line(conn_t *conn)
{
    char *line = fgets(conn->line, (int)sizeof(conn->line), conn->in);
    size_t len = line ? strlen(line) : 0;

    if (len < 2 || strcmp(line + len - 2, "\r\n") != 0) {
        return NULL;
    }
    line[len - 2] = '\0';
    return line;
}

/** @return 0; or the status of the error */
static int read_headers(conn_t *conn, request_t *req, const char **plength)
{
    for (int i = 0; i < HEADERS_MAX; i++) {
        char *line = read_line(conn);
        size_t n = line ? strcspn(line, ": \t") : 0;
        char *value;

        if (line && !*line) {
            return 0;
        }
        if (n == 0 || line[n] != ':') {
            return 400;
        }
        line[n] = '\0';
        value = line + n + 1 + strspn(line + n + 1, " \t");
        json_object_set_new(req->headers, line, json_string(value));
        if (strcasecmp(line, "Content-Length") == 0) {
            *plength = apr_pstrdup(req->pool, value);
        }
        else if (strcasecmp(line, "Transfer-Encoding") == 0) {
            return 501;
        }
        else if (strcasecmp(line, "Connection") == 0) {
            req->keep = strcasecmp(value, "close") != 0;
        }
    }
    return 431;
}

/** @return 0; the status of the error; -1: there is no request */
static int read_request(conn_t *conn, request_t *req)
{
    char *line = read_line(conn);
    const char *version;
    const char *length = "0";
    apr_int64_t n;
    char *body;
    int wrong;

    if (!line) {
        return feof(conn->in) || ferror(conn->in) ? -1 : 400;
    }
    line = apr_pstrdup(req->pool, line);
    req->method = strsep(&line, " ");
    req->target = line ? strsep(&line, " ") : "";
    version = line ? line : "";
    if (*req->target != '/' || strncmp(version, "HTTP/1.", 7) != 0) {
        return 400;
    }
    req->query = req->target + strcspn(req->target, "?");
    req->path = apr_pstrmemdup(req->pool, req->target,
                               (apr_size_t)(req->query - req->target));
    req->keep = version[7] == '1';
    wrong = read_headers(conn, req, &length);
    if (!wrong && dsapi_base_parse_int(&n, length, 0, BODY_MAX_BYTES) != 0) {
        wrong = strspn(length, "0123456789") == strlen(length) ? 413 : 400;
    }
    if (wrong) {
        return wrong;
    }
    body = apr_pcalloc(req->pool, (apr_size_t)n + 1);
    req->body = (text_t){body, fread(body, 1, (size_t)n, conn->in)};
    return req->body.len == (size_t)n ? 0 : 400;
}

static void *conn_main(void *arg)
{
    conn_t *conn = arg;
    int keep;

    conn->in = fdopen(conn->fd, "r");
    conn->out = fdopen(dup(conn->fd), "w");
    keep = conn->in && conn->out;
    while (keep) {
        request_t req = {.method = "", .path = "", .query = ""};
        int wrong;

        apr_pool_create(&req.pool, NULL);
        req.headers = json_object();
        wrong = read_request(conn, &req);
        keep = wrong == 0 && serve(conn, &req);
        if (wrong > 0) {
            req.keep = 0;
            send_json(conn, &req, wrong, "{\"message\":\"Bad Request\"}");
            shutdown(conn->fd, SHUT_WR);
            while (getc(conn->in) != EOF) {
                /* or else what it still sends would break the answer */
            }
        }
        json_decref(req.headers);
        apr_pool_destroy(req.pool);
    }
    if (conn->out) {
        fclose(conn->out);
    }
    if (conn->in) {
        fclose(conn->in);
    }
    free(conn);
    return NULL;
}

static void conn_start(stub_t *stub, int fd)
{
    conn_t *conn = calloc(1, sizeof(*conn));
    pthread_t thread;

    if (!conn) {
        upstream_die("no", "memory");
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    conn->stub = stub;
    conn->fd = fd;
    if (pthread_create(&thread, NULL, conn_main, conn) != 0) {
        close(fd);
        free(conn);
        return;
    }
    pthread_detach(thread);
}

static int listen_on(const char *where, const char *port_file, apr_pool_t *pool)
{
    struct sockaddr_in addr = {.sin_family = AF_INET};
    socklen_t len = sizeof(addr);
    const char *temp = apr_pstrcat(pool, port_file, ".new", NULL);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    apr_int64_t port;
    FILE *file;

    if (strncmp(where, "127.0.0.1:", 10) != 0 ||
        dsapi_base_parse_int(&port, where + 10, 0, 65535) != 0) {
        upstream_die("not 127.0.0.1:PORT", where);
    }
    addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    addr.sin_port = htons((apr_uint16_t)port);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (fd < 0 || bind(fd, (struct sockaddr *)&addr, len) != 0 ||
        listen(fd, SOMAXCONN) != 0 ||
        getsockname(fd, (struct sockaddr *)&addr, &len) != 0) {
        upstream_die("cannot listen", where);
    }
    file = port_file ? fopen(temp, "w") : NULL;
    if (port_file &&
        (!file || fprintf(file, "%d\n", ntohs(addr.sin_port)) < 0 ||
         fclose(file) != 0 || rename(temp, port_file) != 0)) {
        upstream_die("cannot write", port_file);
    }
    return fd;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"listen", required_argument, NULL, 0},
        {"data", required_argument, NULL, 1},
        {"port-file", required_argument, NULL, 2},
        {NULL, 0, NULL, 0}};
    stub_t stub = {.lock = PTHREAD_MUTEX_INITIALIZER};
    const char *given[3] = {NULL, NULL, NULL};
    int c;
    int fd;

    while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (c > 2) {
            return EXIT_FAILURE;
        }
        given[c] = optarg;
    }
    if (optind < argc || !given[0] || !given[1]) {
        upstream_die("wanted", "--listen HOST:PORT --data DIR [--port-file "
                               "FILE]");
    }
    apr_initialize();
    apr_pool_create(&stub.pool, NULL);
    signal(SIGPIPE, SIG_IGN);
    stub.answers = json_array();
    stub.log = json_array();
    fd = listen_on(given[0], given[2], stub.pool);
    if (chdir(given[1]) != 0) {
        upstream_die("no such folder", given[1]);
    }
    stub.countries = upstream_countries("restcountries/countries-v3.1.json");
    if (chdir("hungermap") != 0) {
        upstream_die("no such folder", "hungermap");
    }
    stub.regions = upstream_regions(stub.pool);
    stub.fixtures = json_load_file("fixtures/fixtures.json", 0, NULL);
    if (!json_is_array(stub.fixtures)) {
        upstream_die("cannot use", "fixtures/fixtures.json");
    }
    for (;;) {
        int client = accept4(fd, NULL, NULL, SOCK_CLOEXEC);

        if (client >= 0) {
            conn_start(&stub, client);
        }
        else {
            poll(NULL, 0, 10); /* no descriptor left: some will be */
        }
    }
}
