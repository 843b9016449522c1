/* Rules of jobs: when to try again, and which answers are good. */
#include "source/rules.h"

#include <apr_date.h>
#include <apr_lib.h>
#include <apr_strings.h>
#include <string.h>

#define RETRY_AFTER_MAX  apr_time_from_sec(86400)
#define MEDIA_TYPE_BYTES 100

static apr_interval_time_t clamp_interval(apr_interval_time_t value,
                                          apr_interval_time_t max)
{
    if (value < 0) {
        return 0;
    }
    return value < max ? value : max;
}

apr_interval_time_t dsapi_source_backoff(const dsapi_retry_t *retry,
                                         int attempt, apr_uint32_t random,
                                         apr_interval_time_t retry_after)
{
    apr_interval_time_t max = retry->max > 0 ? retry->max : 0;
    apr_interval_time_t bound = clamp_interval(retry->first, max);
    apr_interval_time_t asked = clamp_interval(retry_after, RETRY_AFTER_MAX);
    apr_uint64_t wait;

    for (int i = 1; i < attempt && bound > 0 && bound < max; i++) {
        bound = bound > max / 2 ? max : bound * 2;
    }
    /* bound * random / 2^32, in two halves that fit 64 bits */
    wait = ((apr_uint64_t)bound >> 32) * random +
           ((((apr_uint64_t)bound & 0xffffffffU) * random) >> 32);
    return (apr_interval_time_t)wait > asked ? (apr_interval_time_t)wait
                                             : asked;
}

/* Seconds, if the text is nothing but digits; -1: it is not */
static apr_int64_t delay_seconds(const char *value)
{
    apr_int64_t seconds = 0;
    const char *p = value;

    for (; apr_isdigit(*p); p++) {
        if (seconds <= apr_time_sec(RETRY_AFTER_MAX)) {
            seconds = seconds * 10 + (*p - '0');
        }
    }
    if (p == value || p[strspn(p, " \t")]) {
        return -1;
    }
    return seconds;
}

apr_interval_time_t dsapi_source_retry_after(const char *value, apr_time_t now)
{
    apr_int64_t seconds;
    apr_time_t date;

    if (!value) {
        return 0;
    }
    value += strspn(value, " \t");
    seconds = delay_seconds(value);
    if (seconds >= 0) {
        return clamp_interval(apr_time_from_sec(seconds), RETRY_AFTER_MAX);
    }
    date = apr_date_parse_http(value);
    if (date == APR_DATE_BAD) {
        return 0;
    }
    return clamp_interval(date - now, RETRY_AFTER_MAX);
}

/* The reason phrases of RFC 9110, 6585, 7725, 8297 and 8470 from 300 on */
static const char *reason_of(int status)
{
    static const struct {
        int status;
        const char *reason;
    } rows[] = {
        {300, "Multiple Choices"},
        {301, "Moved Permanently"},
        {302, "Found"},
        {303, "See Other"},
        {304, "Not Modified"},
        {307, "Temporary Redirect"},
        {308, "Permanent Redirect"},
        {400, "Bad Request"},
        {401, "Unauthorized"},
        {402, "Payment Required"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {406, "Not Acceptable"},
        {407, "Proxy Authentication Required"},
        {408, "Request Timeout"},
        {409, "Conflict"},
        {410, "Gone"},
        {411, "Length Required"},
        {412, "Precondition Failed"},
        {413, "Content Too Large"},
        {414, "URI Too Long"},
        {415, "Unsupported Media Type"},
        {416, "Range Not Satisfiable"},
        {417, "Expectation Failed"},
        {421, "Misdirected Request"},
        {422, "Unprocessable Content"},
        {425, "Too Early"},
        {426, "Upgrade Required"},
        {428, "Precondition Required"},
        {429, "Too Many Requests"},
        {431, "Request Header Fields Too Large"},
        {451, "Unavailable For Legal Reasons"},
        {500, "Internal Server Error"},
        {501, "Not Implemented"},
        {502, "Bad Gateway"},
        {503, "Service Unavailable"},
        {504, "Gateway Timeout"},
        {505, "HTTP Version Not Supported"},
        {511, "Network Authentication Required"},
    };

    for (apr_size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (rows[i].status == status) {
            return rows[i].reason;
        }
    }
    return NULL;
}

static int is_transient(int status)
{
    return status == 408 || status == 425 || status == 429 ||
           (status >= 500 && status <= 599);
}

/* The media type of a Content-Type (RFC 9110, 8.3.1) in lower case, without
 * its parameters; NULL: it is none */
static const char *media_type(const char *content_type, apr_pool_t *pool)
{
    const char *start = content_type + strspn(content_type, " \t");
    apr_size_t len = strcspn(start, "; \t");
    const char *rest = start + len;
    char *type = apr_pstrmemdup(pool, start, len);
    const char *slash = strchr(type, '/');

    rest += strspn(rest, " \t");
    if (len > MEDIA_TYPE_BYTES || (*rest && *rest != ';') || !slash ||
        slash == type || !slash[1] || strchr(slash + 1, '/')) {
        return NULL;
    }
    for (char *p = type; *p; p++) {
        if ((*p & 0x80) || !(apr_isalnum(*p) || strchr("!#$&-^_.+/", *p))) {
            return NULL;
        }
        *p = (char)apr_tolower(*p);
    }
    return type;
}

static apr_status_t judge_type(dsapi_err_t **perr, const dsapi_expect_t *expect,
                               const char *content_type, apr_pool_t *pool)
{
    const char *type =
        content_type && *content_type ? media_type(content_type, pool) : NULL;
    int readable = type || !content_type || !*content_type;

    if (readable && dsapi_expect_type(expect, type)) {
        return APR_SUCCESS;
    }
    return dsapi_fail(perr, pool, DSAPI_EUNPROC, "upstream-type",
                      "the upstream answered %s, not %s",
                      !readable ? "an unreadable content type"
                      : type    ? type
                                : "no content type",
                      expect->types->nelts > 0
                          ? apr_array_pstrcat(pool, expect->types, ',')
                          : "JSON");
}

/* A reason quotes the text around a mistake. That may name a host: it is for
 * the log, and only the rest is for the client. */
static apr_status_t judge_body(dsapi_json_slice_t *pbody, dsapi_err_t **perr,
                               const dsapi_expect_t *expect,
                               const dsapi_response_t *resp, apr_pool_t *pool)
{
    dsapi_json_slice_t whole;
    dsapi_err_t *err;
    apr_status_t rv;
    const char *quote;

    if (resp->body_bytes == 0) {
        return dsapi_fail(perr, pool, DSAPI_EUNPROC, "upstream-empty",
                          "the upstream's answer is empty");
    }
    if (dsapi_json_check(&whole, &err, resp->body, resp->body_bytes, pool) ==
        APR_SUCCESS) {
        return dsapi_expect_find(pbody, expect, &whole, pool)
                   ? APR_SUCCESS
                   : dsapi_fail(perr, pool, DSAPI_EUNPROC, "upstream-shape",
                                "the upstream's answer has no %s",
                                apr_array_pstrcat(pool, expect->pointers, ','));
    }
    quote = strstr(err->detail, " near '");
    rv = dsapi_fail(
        perr, pool, DSAPI_EUNPROC, "upstream-json",
        "the upstream's answer is %.*s",
        (int)(quote ? (apr_size_t)(quote - err->detail) : strlen(err->detail)),
        err->detail);
    (*perr)->internal =
        apr_pstrcat(pool, "the upstream's answer is ", err->detail, NULL);
    return rv;
}

apr_status_t dsapi_source_judge(dsapi_json_slice_t *pbody, int *pretry,
                                dsapi_err_t **perr,
                                const dsapi_expect_t *expect,
                                const dsapi_response_t *resp, apr_pool_t *pool)
{
    apr_status_t rv;

    *perr = NULL;
    *pretry = 1;
    if (resp->transport || resp->status == 0) {
        *pretry = !resp->final;
        return dsapi_fail(
            perr, pool, DSAPI_EUNPROC, "upstream-unreachable", "%s",
            resp->transport ? resp->transport : "the upstream did not answer");
    }
    if (!dsapi_expect_status(expect, resp->status)) {
        const char *reason = reason_of(resp->status);

        *pretry = is_transient(resp->status);
        return dsapi_fail(perr, pool, DSAPI_EUNPROC, "upstream-status",
                          "the upstream answered %d%s%s", resp->status,
                          reason ? " " : "", reason ? reason : "");
    }
    rv = judge_type(perr, expect, resp->content_type, pool);
    if (rv == APR_SUCCESS) {
        rv = judge_body(pbody, perr, expect, resp, pool);
    }
    *pretry = rv != APR_SUCCESS;
    return rv;
}
