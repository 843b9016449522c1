/* URL templates of sources. */
#include "source/template.h"

#include <apr_lib.h>
#include <apr_strings.h>
#include <string.h>
#include <strings.h>

#include "base/number.h"
#include "base/text.h"
#include "source/address.h"

/* Is this segment ".", ".." or an encoded form of them, as URL parsers
 * (WHATWG URL, libcurl) understand it? */
static int is_dots(const char *segment, apr_size_t len)
{
    apr_size_t i = 0;
    int dots = 0;

    while (i < len) {
        if (segment[i] == '.') {
            i++;
        }
        else if (len - i >= 3 && strncasecmp(segment + i, "%2e", 3) == 0) {
            i += 3;
        }
        else {
            return 0;
        }
        dots++;
    }
    return dots == 1 || dots == 2;
}

/* Has the path at the start of rest a segment that is "." or ".."? */
static int has_dot_segment(const char *rest)
{
    while (*rest == '/') {
        apr_size_t len = strcspn(rest + 1, "/?");

        if (is_dots(rest + 1, len)) {
            return 1;
        }
        rest += 1 + len;
    }
    return 0;
}

/* Take ":port" off an authority. @return 1; 0: no such port */
static int take_port(apr_int64_t *pport, char *authority)
{
    char *colon = strrchr(authority, ':');

    *pport = 0;
    if (!colon || strchr(colon, ']')) {
        return 1;
    }
    *colon = '\0';
    return dsapi_base_parse_int(pport, colon + 1, 1, 65535) == APR_SUCCESS;
}

/* Read scheme and authority. @return behind them; NULL: *pwhy says why not */
static const char *parse_origin(const char **porigin, const char **phost,
                                const char **pwhy, const char *text,
                                apr_pool_t *pool)
{
    int tls = strncasecmp(text, "https://", 8) == 0;
    const char *start = text + (tls ? 8 : 7);
    const char *end;
    char *authority;
    char *origin;
    apr_int64_t port;

    if (!tls && strncasecmp(text, "http://", 7) != 0) {
        *pwhy = "it must begin with http:// or https://";
        return NULL;
    }
    end = start + strcspn(start, "/?#");
    authority = apr_pstrmemdup(pool, start, (apr_size_t)(end - start));
    if (strpbrk(authority, "{}")) {
        *pwhy = "no parameter may stand before the path";
        return NULL;
    }
    if (strchr(authority, '@')) {
        *pwhy = "it must not hold a user name or password; send them in a "
                "header";
        return NULL;
    }
    if (!take_port(&port, authority)) {
        *pwhy = "the port must be a number from 1 to 65535";
        return NULL;
    }
    *phost = dsapi_address_host(authority, pool);
    if (!*phost) {
        *pwhy = "the host must be a DNS name or an IP address";
        return NULL;
    }
    origin = apr_pstrcat(pool, tls ? "https://" : "http://", authority, NULL);
    if (port && port != (tls ? 443 : 80)) {
        origin = apr_psprintf(pool, "%s:%d", origin, (int)port);
    }
    for (char *p = origin; *p; p++) {
        *p = (char)apr_tolower(*p);
    }
    *porigin = origin;
    return end;
}

const char *dsapi_source_origin(const char *url, apr_pool_t *pool)
{
    const char *origin;
    const char *host;
    const char *why;

    return parse_origin(&origin, &host, &why, url, pool) ? origin : NULL;
}

/* Keep what a URL may hold, percent-encode all else (RFC 6570, 3.1).
 * @return the result; NULL: a '%' begins no escape */
static const char *encode_literal(const char *s, apr_size_t len,
                                  apr_pool_t *pool)
{
    static const char hex[] = "0123456789ABCDEF";
    char *literal = apr_palloc(pool, len * 3 + 1);
    char *out = literal;

    for (apr_size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)s[i];

        if (c == '%' && !(len - i > 2 && apr_isxdigit(s[i + 1]) &&
                          apr_isxdigit(s[i + 2]))) {
            return NULL;
        }
        if (c < 0x80 &&
            (apr_isalnum(c) || strchr("-._~:/?[]@!$&'()*+,;=%", c))) {
            *out++ = (char)c;
            continue;
        }
        *out++ = '%';
        *out++ = hex[c >> 4];
        *out++ = hex[c & 15];
    }
    *out = '\0';
    return literal;
}

/* A parameter's name: what RFC 6570 calls varname, without escapes */
static apr_size_t name_span(const char *p)
{
    apr_size_t n = 0;

    while (!(p[n] & 0x80) &&
           (apr_isalnum(p[n]) || p[n] == '_' || (n && p[n] == '.'))) {
        n++;
    }
    return n;
}

static void push_part(apr_array_header_t *parts, const char *text, int is_var)
{
    dsapi_part_t *part = apr_array_push(parts);

    part->text = text;
    part->is_var = is_var;
}

/* Read the parameter at *pp (its brace). @return NULL, or why it is none */
static const char *parse_var(apr_array_header_t *parts, const char **pp,
                             apr_pool_t *pool)
{
    const char *name = *pp + 1;
    apr_size_t len = name_span(name);

    if (name[len] != '}') {
        return strchr(name, '}') ? "only a plain name (letters, digits, '_', "
                                   "'.') may stand "
                                   "in braces"
                                 : "a '{' is not closed";
    }
    if (len == 0) {
        return "a name must stand between '{' and '}'";
    }
    push_part(parts, apr_pstrmemdup(pool, name, len), 1);
    *pp = name + len + 1;
    return NULL;
}

/* Read what follows the origin. @return NULL, or why it is wrong */
static const char *parse_parts(apr_array_header_t *parts, const char *origin,
                               const char *rest, apr_pool_t *pool)
{
    const char *p = rest;
    const char *why = NULL;

    while (!why) {
        apr_size_t run = strcspn(p, "{}#");
        const char *literal = encode_literal(p, run, pool);

        if (!literal) {
            return "two hexadecimal digits must follow a '%'";
        }
        if (p == rest) {
            literal = apr_pstrcat(pool, origin, literal, NULL);
        }
        if (*literal) {
            push_part(parts, literal, 0);
        }
        p += run;
        if (*p == '\0') {
            return has_dot_segment(rest) ? "a path segment must not be '.' or "
                                           "'..'"
                                         : NULL;
        }
        if (*p == '}') {
            return "a '}' has no '{'";
        }
        if (*p == '#') {
            return "it must not have a fragment ('#')";
        }
        why = parse_var(parts, &p, pool);
    }
    return why;
}

/* What no part of a template may hold. @return NULL, or why it is wrong */
static const char *check_bytes(const char *text)
{
    for (const char *p = text; *p; p++) {
        if (*p == ' ' || apr_iscntrl(*p)) {
            return "it must not hold a blank or a control character";
        }
    }
    return dsapi_base_utf8_valid(text, strlen(text)) ? NULL
                                                     : "it must be UTF-8";
}

static dsapi_template_t *make_template(const apr_array_header_t *parts,
                                       const char *origin, const char *host,
                                       apr_pool_t *pool)
{
    dsapi_template_t *tmpl = apr_palloc(pool, sizeof(*tmpl));
    dsapi_part_t *own =
        apr_pmemdup(pool, parts->elts, sizeof(*own) * (size_t)parts->nelts);

    for (int i = 0; i < parts->nelts; i++) {
        own[i].text = apr_pstrdup(pool, own[i].text);
    }
    tmpl->parts = own;
    tmpl->nparts = parts->nelts;
    tmpl->origin = apr_pstrdup(pool, origin);
    tmpl->host = apr_pstrdup(pool, host);
    return tmpl;
}

apr_status_t dsapi_source_template(dsapi_template_t **ptmpl, dsapi_err_t **perr,
                                   const char *text, apr_pool_t *result_pool,
                                   apr_pool_t *scratch_pool)
{
    apr_array_header_t *parts =
        apr_array_make(scratch_pool, 8, sizeof(dsapi_part_t));
    const char *why = check_bytes(text);
    const char *origin = NULL;
    const char *host = NULL;
    const char *rest = NULL;

    *ptmpl = NULL;
    *perr = NULL;
    if (!why) {
        rest = parse_origin(&origin, &host, &why, text, scratch_pool);
    }
    if (rest) {
        why = parse_parts(parts, origin, rest, scratch_pool);
    }
    if (why) {
        return dsapi_fail(perr, result_pool, DSAPI_ESYNTAX, "invalid-url", "%s",
                          why);
    }
    *ptmpl = make_template(parts, origin, host, result_pool);
    return APR_SUCCESS;
}

/* @return what stands for a part in the URL; NULL: no value */
static const char *part_text(const dsapi_part_t *part, const apr_table_t *vars,
                             apr_pool_t *pool)
{
    const char *value;

    if (!part->is_var) {
        return part->text;
    }
    value = apr_table_get(vars, part->text);
    return value ? dsapi_base_percent_encode(value, pool) : NULL;
}

apr_status_t dsapi_source_expand(const char **purl, dsapi_err_t **perr,
                                 const dsapi_template_t *tmpl,
                                 const apr_table_t *vars,
                                 apr_pool_t *result_pool,
                                 apr_pool_t *scratch_pool)
{
    apr_array_header_t *out =
        apr_array_make(scratch_pool, tmpl->nparts, sizeof(const char *));
    apr_size_t len = 0;
    const char *url;

    *purl = NULL;
    *perr = NULL;
    for (int i = 0; i < tmpl->nparts; i++) {
        const dsapi_part_t *part = &tmpl->parts[i];
        const char *s = part_text(part, vars, scratch_pool);

        if (!s) {
            return dsapi_fail(perr, result_pool, DSAPI_EPARAM,
                              "missing-parameter", "no value for '%s'",
                              part->text);
        }
        len += strlen(s);
        if (len > DSAPI_URL_MAX_BYTES) {
            return dsapi_fail(perr, result_pool, DSAPI_ETOOBIG, "url-too-long",
                              "the URL is too long");
        }
        APR_ARRAY_PUSH(out, const char *) = s;
    }
    url = apr_array_pstrcat(scratch_pool, out, '\0');
    /* the first part begins with the origin */
    if (has_dot_segment(url + strlen(tmpl->origin))) {
        return dsapi_fail(perr, result_pool, DSAPI_EPARAM, "invalid-parameter",
                          "a path segment of the URL would be '.' or '..'");
    }
    *purl = apr_pstrdup(result_pool, url);
    return APR_SUCCESS;
}
