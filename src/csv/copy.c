/* COPY's text format: see copy.h. */
#include "csv/copy.h"

#include <string.h>

/* What stands behind a backslash for a byte; 0: the byte is itself. */
static const char escapes[256] = {
    ['\\'] = '\\', ['\t'] = 't', ['\n'] = 'n', ['\r'] = 'r'};

void dsapi_csv_copy_put(dsapi_buf_t *buf, const char *text,
                        apr_size_t len_bytes)
{
    const char *plain = text;
    const char *end;

    if (!text) {
        dsapi_buf_put(buf, "\\N", 2);
        return;
    }
    end = text + len_bytes;
    for (const char *p = text; p < end; p++) {
        char escaped[2] = {'\\', escapes[(unsigned char)*p]};

        if (escaped[1]) {
            dsapi_buf_put(buf, plain, (apr_size_t)(p - plain));
            dsapi_buf_put(buf, escaped, 2);
            plain = p + 1;
        }
    }
    dsapi_buf_put(buf, plain, (apr_size_t)(end - plain));
}

/* What such a letter stands for. */
static const char meanings[256] = {
    ['\\'] = '\\', ['t'] = '\t', ['n'] = '\n', ['r'] = '\r'};

const char *dsapi_csv_copy_get(apr_size_t *plen, const char *line, int field,
                               apr_pool_t *pool)
{
    const char *p = line;
    apr_size_t len = 0;
    char *text;

    for (; field > 0; field--) {
        p += strcspn(p, "\t\n") + 1;
    }
    *plen = 0;
    if (p[0] == '\\' && p[1] == 'N') {
        return NULL;
    }
    text = apr_palloc(pool, strcspn(p, "\t\n") + 1);
    for (; *p != '\t' && *p != '\n'; p++) {
        if (*p == '\\') {
            text[len++] = meanings[(unsigned char)*++p];
        }
        else {
            text[len++] = *p;
        }
    }
    text[len] = '\0';
    *plen = len;
    return text;
}
