/* Writing CSV: see writer.h. */
#include "csv/writer.h"

#include <string.h>

/* Must the field be quoted? A blank at either end is safe in RFC 4180, but
 * many readers cut it off. */
static int needs_quotes(const char *text, apr_size_t len)
{
    if (len == 0 || text[0] == ' ' || text[len - 1] == ' ') {
        return 1;
    }
    for (apr_size_t i = 0; i < len; i++) {
        char c = text[i];

        if (c == ',' || c == '"' || c == '\r' || c == '\n') {
            return 1;
        }
    }
    return 0;
}

void dsapi_csv_put_field(dsapi_buf_t *buf, const char *text,
                         apr_size_t len_bytes)
{
    const char *p = text;
    const char *end;

    if (!text) {
        return;
    }
    if (!needs_quotes(text, len_bytes)) {
        dsapi_buf_put(buf, text, len_bytes);
        return;
    }
    end = text + len_bytes;
    dsapi_buf_putc(buf, '"');
    while (p < end) {
        const char *quote = memchr(p, '"', (apr_size_t)(end - p));
        const char *stop = quote ? quote + 1 : end;

        dsapi_buf_put(buf, p, (apr_size_t)(stop - p));
        if (quote) {
            dsapi_buf_putc(buf, '"');
        }
        p = stop;
    }
    dsapi_buf_putc(buf, '"');
}

void dsapi_csv_end_record(dsapi_buf_t *buf)
{
    dsapi_buf_put(buf, "\r\n", 2);
}
