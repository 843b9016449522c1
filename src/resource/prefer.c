/* The Prefer header: see prefer.h. */
#include "resource/prefer.h"

#include <apr_strings.h>
#include <string.h>

#include "base/number.h"
#include "resource/problem.h"

#define MEMBER(name) APR_OFFSETOF(dsapi_prefer_t, name)

/* In the order of Preference-Applied. */
static const struct {
    const char *text;
    apr_size_t member;
    int value;
} words[] = {
    {"resolution=merge-duplicates", MEMBER(resolution), DSAPI_PREFER_MERGE},
    {"resolution=ignore-duplicates", MEMBER(resolution), DSAPI_PREFER_IGNORE},
    {"missing=default", MEMBER(missing), DSAPI_PREFER_DEFAULT},
    {"missing=null", MEMBER(missing), DSAPI_PREFER_NULL},
    {"return=minimal", MEMBER(answer), DSAPI_PREFER_MINIMAL},
    {"return=headers-only", MEMBER(answer), DSAPI_PREFER_HEADERS},
    {"return=representation", MEMBER(answer), DSAPI_PREFER_FULL},
    {"count=exact", MEMBER(count), DSAPI_PREFER_EXACT},
    {"count=planned", MEMBER(count), DSAPI_PREFER_PLANNED},
    {"count=estimated", MEMBER(count), DSAPI_PREFER_ESTIMATED},
    {"tx=commit", MEMBER(tx), DSAPI_PREFER_COMMIT},
    {"tx=rollback", MEMBER(tx), DSAPI_PREFER_ROLLBACK},
    {"handling=strict", MEMBER(handling), DSAPI_PREFER_STRICT},
    {"handling=lenient", MEMBER(handling), DSAPI_PREFER_LENIENT},
};

#define NWORDS (sizeof(words) / sizeof(words[0]))

static int *member_of(dsapi_prefer_t *prefer, apr_size_t offset)
{
    return (int *)(void *)((char *)prefer + offset);
}

/* One preference. */
static void take(dsapi_prefer_t *prefer, const char *text, int tx)
{
    for (apr_size_t i = 0; i < NWORDS; i++) {
        if (strcmp(text, words[i].text) == 0) {
            int *member = member_of(prefer, words[i].member);

            if (*member == 0 && (tx || member != &prefer->tx)) {
                *member = words[i].value;
            }
            return;
        }
    }
    if (strncmp(text, "timezone=", 9) == 0) {
        prefer->timezone = prefer->timezone ? prefer->timezone : text + 9;
    }
    else if (strncmp(text, "max-affected=", 13) == 0) {
        apr_int64_t n;

        if (prefer->max_affected < 0 &&
            dsapi_base_parse_int(&n, text + 13, 0, APR_INT64_MAX) ==
                APR_SUCCESS) {
            prefer->max_affected = n;
        }
    }
    else {
        APR_ARRAY_PUSH(prefer->others, const char *) = text;
    }
}

void dsapi_prefer_parse(dsapi_prefer_t *pprefer, const char *header, int tx,
                        apr_pool_t *pool)
{
    const char *p = header ? header : "";

    memset(pprefer, 0, sizeof(*pprefer));
    pprefer->max_affected = -1;
    pprefer->others = apr_array_make(pool, 2, sizeof(const char *));
    while (*p) {
        apr_size_t len = strcspn(p, ",");
        char *text = apr_pstrmemdup(pool, p, len);

        apr_collapse_spaces(text, text);
        if (*text) {
            take(pprefer, text, tx);
        }
        p += len + (p[len] == ',');
    }
}

apr_status_t dsapi_prefer_check(dsapi_err_t **perr,
                                const dsapi_prefer_t *prefer, apr_pool_t *pool)
{
    const char *list = "";

    if (prefer->others->nelts == 0 || prefer->handling != DSAPI_PREFER_STRICT) {
        return APR_SUCCESS;
    }
    dsapi_resource_fail(perr, pool, 400, "PGRST122",
                        "Invalid preferences given with handling=strict");
    for (int i = 0; i < prefer->others->nelts; i++) {
        list =
            apr_pstrcat(pool, list, i ? ", " : "",
                        APR_ARRAY_IDX(prefer->others, i, const char *), NULL);
    }
    dsapi_resource_details(*perr, pool, "Invalid preferences: %s", list);
    return (*perr)->rv;
}

const char *dsapi_prefer_applied(const dsapi_prefer_t *prefer, apr_pool_t *pool)
{
    dsapi_prefer_t copy = *prefer;
    const char *text = NULL;

    for (apr_size_t i = 0; i < NWORDS; i++) {
        if (*member_of(&copy, words[i].member) == words[i].value) {
            text = apr_pstrcat(pool, text ? text : "", text ? ", " : "",
                               words[i].text, NULL);
        }
    }
    if (prefer->timezone) {
        text = apr_pstrcat(pool, text ? text : "", text ? ", " : "",
                           "timezone=", prefer->timezone, NULL);
    }
    if (prefer->max_affected >= 0 && prefer->handling == DSAPI_PREFER_STRICT) {
        text = apr_psprintf(pool, "%s, max-affected=%" APR_INT64_T_FMT, text,
                            prefer->max_affected);
    }
    return text;
}
