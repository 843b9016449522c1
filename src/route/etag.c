/* Entity tags: see etag.h. */
#include "route/etag.h"

#include <apr_escape.h>
#include <apr_strings.h>
#include <string.h>

#include "base/text.h"

#define ETAG_BYTES 16 /* of the digest */
#define SHA1_CHUNK (1U << 30)

void dsapi_route_etag_begin(dsapi_etag_t *etag, const char *content_type)
{
    apr_sha1_init(etag);
    /* with its NUL: no type and body run into another type and body */
    apr_sha1_update_binary(etag, (const unsigned char *)content_type,
                           (unsigned int)strlen(content_type) + 1);
}

void dsapi_route_etag_put(dsapi_etag_t *etag, const char *body,
                          apr_size_t body_bytes)
{
    while (body_bytes) {
        apr_size_t n = body_bytes < SHA1_CHUNK ? body_bytes : SHA1_CHUNK;

        apr_sha1_update_binary(etag, (const unsigned char *)body,
                               (unsigned int)n);
        body += n;
        body_bytes -= n;
    }
}

void dsapi_route_etag_end(char *text, dsapi_etag_t *etag)
{
    unsigned char digest[APR_SHA1_DIGESTSIZE];

    apr_sha1_final(digest, etag);
    text[0] = '"';
    apr_escape_hex(text + 1, digest, ETAG_BYTES, 0, NULL);
    text[DSAPI_ETAG_SIZE - 2] = '"';
    text[DSAPI_ETAG_SIZE - 1] = '\0';
}

void dsapi_route_etag_text(char *text, const char *content_type,
                           const char *body, apr_size_t body_bytes)
{
    dsapi_etag_t etag;

    dsapi_route_etag_begin(&etag, content_type);
    dsapi_route_etag_put(&etag, body, body_bytes);
    dsapi_route_etag_end(text, &etag);
}

const char *dsapi_route_etag_make(const char *content_type, const char *body,
                                  apr_size_t body_bytes, apr_pool_t *pool)
{
    char *text = apr_palloc(pool, DSAPI_ETAG_SIZE);

    dsapi_route_etag_text(text, content_type, body, body_bytes);
    return text;
}

/* What stands between the quotes of an entity-tag, weak or strong, and where
 * it goes on; NULL: there is none. */
static const char *opaque_tag(const char **pend, apr_size_t *plen,
                              const char *s)
{
    const char *tag;

    if (s[0] == 'W' && s[1] == '/') {
        s += 2;
    }
    if (*s != '"') {
        return NULL;
    }
    tag = ++s;
    while ((unsigned char)*s > ' ' && *s != '"' && *s != 0x7f) {
        s++;
    }
    if (*s != '"') {
        return NULL;
    }
    *plen = (apr_size_t)(s - tag);
    *pend = s + 1;
    return tag;
}

/* Suffixes of compression. */
static const char *const ends[] = {"", "-gzip", "-br", "-zstd"};

#define NENDS (sizeof(ends) / sizeof(ends[0]))

/* Is what a client sent our tag, or our tag and a suffix of compression? */
static int is_same_tag(const char *sent, apr_size_t sent_len, const char *ours,
                       apr_size_t our_len)
{
    if (sent_len < our_len || memcmp(sent, ours, our_len) != 0) {
        return 0;
    }
    sent += our_len;
    sent_len -= our_len;
    for (apr_size_t i = 0; i < NENDS; i++) {
        if (sent_len == strlen(ends[i]) &&
            memcmp(sent, ends[i], sent_len) == 0) {
            return 1;
        }
    }
    return 0;
}

int dsapi_route_etag_matches(const char *if_none_match, const char *etag)
{
    const char *s = if_none_match;
    const char *ours = NULL;
    const char *end;
    apr_size_t our_len = 0;

    if (!s) {
        return 0;
    }
    s += strspn(s, " \t");
    if (*s == '*') {
        return s[1 + strspn(s + 1, " \t")] == '\0';
    }
    if (etag) {
        ours = opaque_tag(&end, &our_len, etag);
    }
    if (!ours) {
        return 0;
    }
    for (;;) {
        const char *tag;
        apr_size_t len;

        s += strspn(s, " \t,");
        tag = opaque_tag(&end, &len, s);
        if (!tag) {
            return 0;
        }
        s = end + strspn(end, " \t");
        if (*s && *s != ',') {
            return 0;
        }
        if (is_same_tag(tag, len, ours, our_len)) {
            return 1;
        }
    }
}

static void add_value(apr_array_header_t *values, const char *tag)
{
    const char *plain = apr_punescape_url(values->pool, tag, NULL, NULL, 0);

    if (!dsapi_base_utf8_valid(tag, strlen(tag))) {
        return;
    }
    APR_ARRAY_PUSH(values, const char *) = tag;
    APR_ARRAY_PUSH(values, const char *) =
        apr_pstrcat(values->pool, "\"", tag, "\"", NULL);
    if (plain && strcmp(plain, tag) != 0 &&
        dsapi_base_utf8_valid(plain, strlen(plain))) {
        APR_ARRAY_PUSH(values, const char *) = plain;
    }
}

apr_array_header_t *dsapi_route_etag_values(const char *if_match,
                                            apr_pool_t *pool)
{
    apr_array_header_t *values = apr_array_make(pool, 4, sizeof(const char *));
    const char *s = if_match + strspn(if_match, " \t");
    const char *end;
    apr_size_t len;

    if (*s == '*' && !s[1 + strspn(s + 1, " \t")]) {
        return NULL;
    }
    for (;;) {
        const char *tag;

        s += strspn(s, " \t,");
        tag = opaque_tag(&end, &len, s);
        if (!tag) {
            return values;
        }
        for (apr_size_t i = 0; *s != 'W' && i < NENDS; i++) {
            apr_size_t cut = strlen(ends[i]);

            if (len >= cut && memcmp(tag + len - cut, ends[i], cut) == 0) {
                add_value(values, apr_pstrmemdup(pool, tag, len - cut));
            }
        }
        s = end;
    }
}
