#include <apr_strings.h>
#include <string.h>

#include "base/args.h"

static int is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static int is_quote(char c)
{
    return c == '"' || c == '\'';
}

static int is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static int is_key_char(char c)
{
    return is_letter(c) || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
           c == '@';
}

/* The length of the key that begins here and has its '='; 0: none does. */
static apr_size_t key_length(const char *s)
{
    const char *p = s;

    if (!is_letter(*p) && *p != '@') {
        return 0;
    }
    while (is_key_char(*p)) {
        p++;
    }
    return *p == '=' ? (apr_size_t)(p - s) : 0;
}

/*
 * Copy quoted text, s at its opening quote. Returns what is behind the
 * closing one, NULL if there is none.
 */
static const char *take_quoted(const char **pvalue, const char *s,
                               apr_pool_t *pool)
{
    char quote = *s++;
    char *value = apr_palloc(pool, strlen(s) + 1);
    char *out = value;

    while (*s && *s != quote) {
        if (quote == '"' && *s == '\\' && (s[1] == '"' || s[1] == '\\')) {
            s++;
        }
        *out++ = *s++;
    }
    *out = '\0';
    *pvalue = value;
    return *s ? s + 1 : NULL;
}

/* Copy text up to the next blank, and return where that is. */
static const char *take_bare(const char **pvalue, const char *s,
                             apr_pool_t *pool)
{
    const char *end = s;

    while (*end && !is_blank(*end)) {
        end++;
    }
    *pvalue = apr_pstrmemdup(pool, s, (apr_size_t)(end - s));
    return end;
}

apr_status_t dsapi_base_args_parse(apr_array_header_t **pargs,
                                   dsapi_err_t **perr, const char *line,
                                   apr_pool_t *pool)
{
    apr_array_header_t *args = apr_array_make(pool, 4, sizeof(dsapi_arg_t));
    const char *p = line;

    *pargs = NULL;
    *perr = NULL;
    for (;;) {
        dsapi_arg_t arg = {NULL, NULL, 0};
        const char *start;
        apr_size_t len;

        while (is_blank(*p)) {
            p++;
        }
        if (!*p) {
            break;
        }
        start = p;
        len = key_length(p);
        if (len) {
            arg.key = apr_pstrmemdup(pool, p, len);
            p += len + 1;
        }
        arg.quoted = is_quote(*p);
        p = arg.quoted ? take_quoted(&arg.value, p, pool)
                       : take_bare(&arg.value, p, pool);
        if (!p) {
            return dsapi_fail(perr, pool, DSAPI_ESYNTAX, "invalid-arguments",
                              "a quote is opened and never closed: %s", start);
        }
        if (*p && !is_blank(*p)) {
            return dsapi_fail(perr, pool, DSAPI_ESYNTAX, "invalid-arguments",
                              "a blank must follow the closing quote: %s",
                              start);
        }
        APR_ARRAY_PUSH(args, dsapi_arg_t) = arg;
    }
    *pargs = args;
    return APR_SUCCESS;
}
