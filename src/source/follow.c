/* Where the next page is: see follow.h. */
#include "source/follow.h"

#include <apr_lib.h>
#include <apr_strings.h>
#include <string.h>
#include <strings.h>

#include "source/template.h"

/* Links (RFC 8288) */

#define BLANKS " \t"

/* Is "next" one of the words of a rel? */
static int is_next(const char *rel)
{
    for (rel += strspn(rel, BLANKS); *rel; rel += strspn(rel, BLANKS)) {
        apr_size_t len = strcspn(rel, BLANKS);

        if (len == 4 && strncasecmp(rel, "next", 4) == 0) {
            return 1;
        }
        rel += len;
    }
    return 0;
}

/* Read a quoted string. @param pp  in: its quote; out: behind it
 * @return its text, in pool */
static const char *take_quoted(const char **pp, apr_pool_t *pool)
{
    const char *start = *pp + 1;
    const char *end = start;
    char *text;
    char *out;

    while (*end && *end != '"') {
        end += *end == '\\' && end[1] ? 2 : 1;
    }
    text = out = apr_palloc(pool, (apr_size_t)(end - start) + 1);
    for (const char *p = start; p < end; p++) {
        p += *p == '\\' && p[1];
        *out++ = *p;
    }
    *out = '\0';
    *pp = end + (*end == '"');
    return text;
}

/* Read one parameter of a link, behind its ';'.
 * @return its value, in pool; "": it has none */
static const char *take_param(const char **pname, const char **pp,
                              apr_pool_t *pool)
{
    const char *p = *pp + strspn(*pp, BLANKS);
    apr_size_t len = strcspn(p, "=;," BLANKS);
    const char *value = "";

    *pname = apr_pstrmemdup(pool, p, len);
    p += len;
    p += strspn(p, BLANKS);
    if (*p == '=') {
        p++;
        p += strspn(p, BLANKS);
        if (*p == '"') {
            value = take_quoted(&p, pool);
        }
        else {
            len = strcspn(p, ";," BLANKS);
            value = apr_pstrmemdup(pool, p, len);
            p += len;
        }
        p += strspn(p, BLANKS);
    }
    *pp = p;
    return value;
}

/* Read the parameters of a link. @return 1: it leads to the next page */
static int take_params(const char **pp, apr_pool_t *pool)
{
    const char *rel = NULL;
    int anchored = 0;

    *pp += strspn(*pp, BLANKS);
    while (**pp == ';') {
        const char *name;
        const char *value;

        (*pp)++;
        value = take_param(&name, pp, pool);
        anchored |= strcasecmp(name, "anchor") == 0;
        if (!rel && strcasecmp(name, "rel") == 0) {
            rel = value; /* the first counts */
        }
    }
    return rel && !anchored && is_next(rel);
}

const char *dsapi_follow_link(const char *value, apr_pool_t *pool)
{
    const char *p = value ? value : "";

    for (p += strspn(p, "," BLANKS); *p; p += strspn(p, "," BLANKS)) {
        if (*p == '<') {
            const char *target = p + 1;
            const char *end = strchr(target, '>');

            if (!end) {
                break;
            }
            p = end + 1;
            if (take_params(&p, pool)) {
                return apr_pstrmemdup(pool, target, (apr_size_t)(end - target));
            }
        }
        p += strcspn(p, ","); /* whatever is no link */
    }
    return NULL;
}

/* References (RFC 3986) */

typedef struct span_t {
    const char *p; /* NULL: it is not there */
    int len;
} span_t;

typedef struct uri_t {
    span_t scheme;
    span_t authority;
    span_t path;
    span_t query;
} uri_t;

static span_t span(const char *p, apr_size_t len)
{
    return (span_t){p, (int)len};
}

/* Split a reference (appendix B); the fragment is left out. */
static uri_t split(const char *s)
{
    uri_t uri = {{NULL, 0}, {NULL, 0}, {NULL, 0}, {NULL, 0}};
    apr_size_t len = strcspn(s, ":/?#");

    if (len > 0 && s[len] == ':' && apr_isalpha(*s)) {
        uri.scheme = span(s, len);
        s += len + 1;
    }
    if (s[0] == '/' && s[1] == '/') {
        len = strcspn(s + 2, "/?#");
        uri.authority = span(s + 2, len);
        s += len + 2;
    }
    len = strcspn(s, "?#");
    uri.path = span(s, len);
    s += len;
    if (*s == '?') {
        uri.query = span(s + 1, strcspn(s + 1, "#"));
    }
    return uri;
}

/* Take the segments "." and ".." out of a path (5.2.4), in place. */
static void remove_dots(char *path)
{
    char *out = path;
    const char *p = path;

    while (*p) {
        apr_size_t len = strcspn(p + 1, "/") + 1; /* "/segment" */
        int dots = *p != '/'                          ? 0
                   : len == 2 && p[1] == '.'          ? 1
                   : len == 3 && !memcmp(p, "/..", 3) ? 2
                                                      : 0;

        if (dots == 2) {
            while (out > path && *--out != '/') {
                /* back to the segment before */
            }
        }
        if (dots == 0) {
            memmove(out, p, len);
            out += len;
        }
        else if (!p[len]) {
            *out++ = '/'; /* the last segment is an empty one then */
        }
        p += len;
    }
    *out = '\0';
}

/* The path of a reference that has no authority of its own (5.2.3). */
static char *merge(const uri_t *base, const uri_t *ref, apr_pool_t *pool)
{
    int keep = base->path.len;

    if (*ref->path.p == '/') {
        return apr_psprintf(pool, "%.*s", ref->path.len, ref->path.p);
    }
    if (ref->path.len > 0) {
        while (keep > 0 && base->path.p[keep - 1] != '/') {
            keep--;
        }
    }
    return apr_psprintf(pool, "%s%.*s%.*s", keep > 0 ? "" : "/", keep,
                        base->path.p, ref->path.len, ref->path.p);
}

const char *dsapi_follow_resolve(const char *base, const char *ref,
                                 apr_pool_t *pool)
{
    uri_t b = split(base);
    uri_t r = split(ref);
    int own_path = r.path.len > 0 || r.authority.p || r.scheme.p;
    span_t query = own_path || r.query.p ? r.query : b.query;
    char *path = r.authority.p || r.scheme.p
                     ? apr_psprintf(pool, "%.*s", r.path.len, r.path.p)
                     : merge(&b, &r, pool);

    if (own_path) {
        remove_dots(path);
    }
    if (r.authority.p || r.scheme.p) {
        b.authority = r.authority;
    }
    if (r.scheme.p) {
        b.scheme = r.scheme;
    }
    return apr_psprintf(pool, "%.*s:%s%.*s%s%s%.*s", b.scheme.len, b.scheme.p,
                        b.authority.p ? "//" : "", b.authority.len,
                        b.authority.p ? b.authority.p : "", path,
                        query.p ? "?" : "", query.len, query.p ? query.p : "");
}

/* Both */

/* What the document says of the next page. @return as dsapi_follow_link;
 * what is no text cannot be asked, and is a mistake that has no URL */
static const char *pointed(const char *pointer, const dsapi_response_t *resp,
                           apr_pool_t *pool)
{
    dsapi_json_slice_t whole = {resp->body, resp->body_bytes, DSAPI_JSON_NULL};
    dsapi_json_slice_t value;

    whole.p += strspn(whole.p, BLANKS "\r\n");
    whole.kind = *whole.p == '{'   ? DSAPI_JSON_OBJECT
                 : *whole.p == '[' ? DSAPI_JSON_ARRAY
                                   : DSAPI_JSON_NULL;
    if (!dsapi_json_find(&value, &whole, pointer, pool) ||
        value.kind == DSAPI_JSON_NULL) {
        return NULL;
    }
    return value.kind == DSAPI_JSON_STRING ? dsapi_json_text(&value, pool)
                                           : "\n";
}

/* Bytes that a URL may hold, and not too many of them. */
static int is_plain(const char *text)
{
    const char *p = text;

    while (*p > ' ' && *p <= '~') {
        p++;
    }
    return *p == '\0' && p - text <= DSAPI_URL_MAX_BYTES;
}

apr_status_t dsapi_follow_next(const char **pnext, dsapi_err_t **perr,
                               const dsapi_follow_t *follow,
                               const dsapi_response_t *resp, apr_pool_t *pool)
{
    const char *ref = follow->pointer ? pointed(follow->pointer, resp, pool)
                                      : dsapi_follow_link(resp->link, pool);
    const char *url;

    *pnext = NULL;
    *perr = NULL;
    if (!ref || (follow->pointer && !*ref)) {
        return APR_SUCCESS;
    }
    url = is_plain(ref) ? dsapi_follow_resolve(resp->url, ref, pool) : "";
    if (!is_plain(url) || !dsapi_source_origin(url, pool)) {
        return dsapi_fail(perr, pool, DSAPI_EUNPROC, "upstream-next",
                          "what the upstream gives for the next page is no "
                          "URL that can be asked");
    }
    if (strncasecmp(resp->url, "https:", 6) == 0 &&
        strncasecmp(url, "https:", 6) != 0) {
        return dsapi_fail(perr, pool, DSAPI_EUNPROC, "upstream-next",
                          "the next page leads from https to http");
    }
    *pnext = url;
    return APR_SUCCESS;
}
