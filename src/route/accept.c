/* Content negotiation: see accept.h. */
#include "route/accept.h"

#include <apr_lib.h>
#include <apr_strings.h>
#include <string.h>
#include <strings.h>

/* One range of the header: "text/csv;header=present;q=0.8". */
typedef struct range_t {
    const char *type;
    apr_size_t len;
    int q;        /* thousandths */
    int stripped; /* nulls=stripped */
} range_t;

static const char *skip_blanks(const char *p)
{
    return p + strspn(p, " \t");
}

/* A qvalue in thousandths: "0.5", "1", "0.333"; 1000 where it is unreadable,
 * so that a slip does not refuse an answer. */
static int parse_q(const char *p)
{
    int q = 0;
    int weight = 100;

    if (*p != '0' && *p != '1') {
        return 1000;
    }
    q = *p == '1' ? 1000 : 0;
    if (p[1] == '.') {
        for (p += 2; apr_isdigit(*p) && weight > 0; p++, weight /= 10) {
            q += (*p - '0') * weight;
        }
    }
    return q > 1000 ? 1000 : q;
}

/* Takes the range at p. @return what follows its comma; NULL: it was the
 * last */
static const char *next_range(range_t *range, const char *p)
{
    range->type = skip_blanks(p);
    range->len = strcspn(range->type, ";, \t");
    range->q = 1000;
    range->stripped = 0;
    p = range->type + range->len;
    while (*p && *p != ',') {
        if (*p == ';') {
            p = skip_blanks(p + 1);
            if ((*p == 'q' || *p == 'Q') && p[1] == '=') {
                range->q = parse_q(p + 2);
            }
            range->stripped |= strncasecmp(p, "nulls=stripped", 14) == 0;
        }
        else {
            p++;
        }
    }
    return *p ? p + 1 : NULL;
}

/* How exactly a range names a type: 3 the type, 2 "text/...", 1 any, 0 not. */
static int precision(const range_t *range, const char *type)
{
    apr_size_t main_len = strcspn(type, "/") + 1;

    if (range->len == strlen(type) &&
        strncasecmp(range->type, type, range->len) == 0) {
        return 3;
    }
    if (range->len == main_len + 1 && range->type[main_len] == '*' &&
        strncasecmp(range->type, type, main_len) == 0) {
        return 2;
    }
    return range->len == 3 && memcmp(range->type, "*/*", 3) == 0;
}

/* The quality of a type: that of the range which names it most exactly. */
static int quality(const char *accept, const char *type)
{
    int best = 0;
    int q = 0;

    for (const char *p = accept; p;) {
        range_t range;
        int fits;

        p = next_range(&range, p);
        fits = precision(&range, type);
        if (fits > best) {
            best = fits;
            q = range.q;
        }
    }
    return q;
}

int dsapi_route_accepts(const char *accept, const char *type)
{
    for (const char *p = accept; p;) {
        range_t range;

        p = next_range(&range, p);
        if (precision(&range, type) == 3) {
            return range.q > 0 && range.q >= quality(accept, "application/json")
                       ? 1 + range.stripped
                       : 0;
        }
    }
    return 0;
}

int dsapi_route_accept(const char *accept, int table)
{
    static const struct {
        const char *type;
        dsapi_format_e format;
    } types[] = {
        {"application/json", DSAPI_FORMAT_JSON},
        {"text/csv", DSAPI_FORMAT_CSV},
        {"application/x-ndjson", DSAPI_FORMAT_NDJSON},
        {"application/ndjson", DSAPI_FORMAT_NDJSON},
    };
    int best = 0;
    int format = -1;

    if (!accept || !*skip_blanks(accept)) {
        return DSAPI_FORMAT_JSON;
    }
    for (apr_size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        int q;

        if (types[i].format != DSAPI_FORMAT_JSON && !table) {
            continue;
        }
        q = quality(accept, types[i].type);
        if (q > best) {
            best = q;
            format = (int)types[i].format;
        }
    }
    return format;
}
