/* See media.h. */
#include "csv/media.h"

#include <apr_strings.h>
#include <string.h>
#include <strings.h>

#define TYPE "text/csv"

/* Take "name=value" or "name="value"" off the beginning of parameters.
 * @return what is behind it; NULL: they are over */
static const char *next_param(const char **pname, const char **pvalue,
                              const char *p, apr_pool_t *pool)
{
    apr_size_t len;
    int quoted;

    p += strspn(p, "; \t");
    if (!*p) {
        return NULL;
    }
    len = strcspn(p, "=; \t");
    *pname = apr_pstrmemdup(pool, p, len);
    p += len;
    p += *p == '=';
    quoted = *p == '"';
    p += quoted;
    len = strcspn(p, quoted ? "\"" : "; \t");
    *pvalue = apr_pstrmemdup(pool, p, len);
    p += len;
    return quoted && *p ? p + 1 : p;
}

int dsapi_csv_is_media(const char **pwhy, const char *type, apr_pool_t *pool)
{
    const char *p = type ? type + strspn(type, " \t") : "";
    const char *name;
    const char *value;

    *pwhy = NULL;
    if (strncasecmp(p, TYPE, strlen(TYPE)) != 0) {
        return 0;
    }
    p += strlen(TYPE);
    if (*p && !strchr("; \t", *p)) {
        return 0;
    }
    while ((p = next_param(&name, &value, p, pool))) {
        if (strcasecmp(name, "charset") == 0 &&
            strcasecmp(value, "utf-8") != 0 &&
            strcasecmp(value, "us-ascii") != 0) {
            *pwhy = "the charset of CSV must be UTF-8";
        }
        else if (strcasecmp(name, "header") == 0 &&
                 strcasecmp(value, "absent") == 0) {
            *pwhy = "CSV must have a header, which names the columns";
        }
    }
    return 1;
}
