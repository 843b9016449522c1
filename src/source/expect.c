/* Good answers: see expect.h. */
#include "source/expect.h"

#include <apr_fnmatch.h>
#include <apr_lib.h>
#include <apr_strings.h>
#include <string.h>

#include "base/number.h"

static const char *const json_types[] = {"application/json", "text/json",
                                         "*/*+json"};

dsapi_expect_t dsapi_expect_make(apr_pool_t *pool)
{
    return (dsapi_expect_t){
        .statuses = apr_array_make(pool, 1, sizeof(dsapi_statuses_t)),
        .types = apr_array_make(pool, 1, sizeof(const char *)),
        .pointers = apr_array_make(pool, 1, sizeof(const char *))};
}

/* Redirects are followed, and 304 is asked for by us alone.
 * @return 1: it can be an answer's status */
static int is_status(apr_int64_t n)
{
    return (n >= 200 && n <= 299) || (n >= 400 && n <= 599);
}

/* "200", "2xx" or "200-204". @return 1; 0: none of them */
static int read_statuses(dsapi_statuses_t *p, const char *word,
                         apr_pool_t *pool)
{
    const char *dash = strchr(word, '-');
    apr_int64_t from = 0;
    apr_int64_t to = 0;

    if (strlen(word) == 3 && strcmp(word + 1, "xx") == 0) {
        from = (apr_int64_t)(*word - '0') * 100;
        to = from + 99;
    }
    else if (dash) {
        dsapi_base_parse_int(
            &from, apr_pstrmemdup(pool, word, (apr_size_t)(dash - word)), 200,
            599);
        dsapi_base_parse_int(&to, dash + 1, 200, 599);
    }
    else if (dsapi_base_parse_int(&from, word, 200, 599) == APR_SUCCESS) {
        to = from;
    }
    p->from = (int)from;
    p->to = (int)to;
    return from <= to && is_status(from) && is_status(to) &&
           (from > 299 || to < 300);
}

/* @return 1: a media type, or a pattern of one, as apr_fnmatch takes it */
static int is_type(const char *word)
{
    const char *slash = strchr(word, '/');

    for (const char *p = word; *p; p++) {
        if ((*p & 0x80) || !(apr_isalnum(*p) || strchr("!#$&-^_.+/*", *p))) {
            return 0;
        }
    }
    return slash && slash > word && slash[1] && !strchr(slash + 1, '/');
}

/* Empty, or '/' first; '~' only before 0 and 1 */
int dsapi_expect_pointer(const char *text)
{
    for (const char *p = text; (p = strchr(p, '~')); p++) {
        if (p[1] != '0' && p[1] != '1') {
            return 0;
        }
    }
    return *text == '\0' || *text == '/';
}

static int add_status(dsapi_expect_t *expect, const char *word,
                      apr_pool_t *pool)
{
    dsapi_statuses_t statuses;

    if (!read_statuses(&statuses, word, pool)) {
        return 0;
    }
    APR_ARRAY_PUSH(expect->statuses, dsapi_statuses_t) = statuses;
    return 1;
}

static int add_type(dsapi_expect_t *expect, const char *word, apr_pool_t *pool)
{
    char *type = apr_pstrdup(pool, word);

    for (char *p = type; *p; p++) {
        *p = (char)apr_tolower(*p);
    }
    APR_ARRAY_PUSH(expect->types, const char *) = type;
    return is_type(type);
}

/* Each word of a comma list, empty ones too. @return 1: all are good */
static int add_each(dsapi_expect_t *expect, const char *list,
                    int (*add)(dsapi_expect_t *, const char *, apr_pool_t *),
                    apr_pool_t *pool)
{
    apr_size_t len = strcspn(list, ",");
    int good = add(expect, apr_pstrmemdup(pool, list, len), pool);

    while (good && list[len]) {
        list += len + 1;
        len = strcspn(list, ",");
        good = add(expect, apr_pstrmemdup(pool, list, len), pool);
    }
    return good;
}

apr_status_t dsapi_expect_add(dsapi_expect_t *expect, dsapi_err_t **perr,
                              const char *key, const char *value,
                              apr_pool_t *pool)
{
    const char *right;
    int good = 0;

    *perr = NULL;
    if (key && strcmp(key, "status") == 0) {
        right = "a list such as 200,2xx,404 or 200-204: 200 to 299 and 400 to "
                "599";
        good = add_each(expect, value, add_status, pool);
    }
    else if (key && strcmp(key, "type") == 0) {
        right = "a list such as application/json,text/*";
        good = add_each(expect, value, add_type, pool);
    }
    else if (key && strcmp(key, "pointer") == 0) {
        right = "a JSON pointer such as /body, or \"\" for the whole document";
        good = dsapi_expect_pointer(value);
        APR_ARRAY_PUSH(expect->pointers, const char *) =
            apr_pstrdup(pool, value);
    }
    else {
        return dsapi_fail(perr, pool, DSAPI_ESYNTAX, "expect",
                          "'%s' is not known; known are status= type= pointer=",
                          key ? key : value);
    }
    return good ? APR_SUCCESS
                : dsapi_fail(perr, pool, DSAPI_ESYNTAX, "expect",
                             "%s=%s must be %s", key, value, right);
}

int dsapi_expect_status(const dsapi_expect_t *expect, int status)
{
    for (int i = 0; i < expect->statuses->nelts; i++) {
        const dsapi_statuses_t *s =
            &APR_ARRAY_IDX(expect->statuses, i, dsapi_statuses_t);

        if (status >= s->from && status <= s->to) {
            return 1;
        }
    }
    return expect->statuses->nelts == 0 && status >= 200 && status <= 299;
}

int dsapi_expect_type(const dsapi_expect_t *expect, const char *type)
{
    for (int i = 0; i < expect->types->nelts; i++) {
        const char *pattern = APR_ARRAY_IDX(expect->types, i, const char *);

        if (type ? apr_fnmatch(pattern, type, 0) == APR_SUCCESS
                 : strcmp(pattern, "*/*") == 0) {
            return 1;
        }
    }
    if (expect->types->nelts > 0 || !type) {
        return expect->types->nelts == 0;
    }
    for (int i = 0; i < 3; i++) {
        if (apr_fnmatch(json_types[i], type, 0) == APR_SUCCESS) {
            return 1;
        }
    }
    return 0;
}

int dsapi_expect_find(dsapi_json_slice_t *ppart, const dsapi_expect_t *expect,
                      const dsapi_json_slice_t *document, apr_pool_t *pool)
{
    for (int i = 0; i < expect->pointers->nelts; i++) {
        if (dsapi_json_find(ppart, document,
                            APR_ARRAY_IDX(expect->pointers, i, const char *),
                            pool)) {
            return 1;
        }
    }
    if (expect->pointers->nelts > 0) {
        return 0;
    }
    *ppart = *document;
    return 1;
}
