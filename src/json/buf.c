/* A growing buffer over malloc, freed with its pool. */
#include "json/buf.h"

#include <stdlib.h>

#define DEFAULT_BYTES 4096

void dsapi_buf_release(dsapi_buf_t *buf)
{
    free(buf->data);
    buf->data = NULL;
    buf->len_bytes = 0;
    buf->cap_bytes = 0;
}

static apr_status_t free_data(void *baton)
{
    dsapi_buf_release(baton);
    return APR_SUCCESS;
}

/* Where memory is out we end as pools do: there is nothing left to say it
 * with. */
static char *must_realloc(char *data, apr_size_t bytes)
{
    char *grown = realloc(data, bytes);

    if (!grown) {
        abort();
    }
    return grown;
}

dsapi_buf_t *dsapi_buf_make(apr_size_t cap_bytes, apr_pool_t *pool)
{
    dsapi_buf_t *buf = apr_palloc(pool, sizeof(*buf));

    buf->cap_bytes = cap_bytes ? cap_bytes : DEFAULT_BYTES;
    buf->len_bytes = 0;
    buf->data = must_realloc(NULL, buf->cap_bytes);
    buf->pool = pool;
    apr_pool_cleanup_register(pool, buf, free_data, apr_pool_cleanup_null);
    return buf;
}

void dsapi_buf_grow(dsapi_buf_t *buf, apr_size_t more_bytes)
{
    apr_size_t cap = buf->cap_bytes;
    apr_size_t need;

    if (cap - buf->len_bytes >= more_bytes) {
        return;
    }
    if (more_bytes > APR_SIZE_MAX - buf->len_bytes) {
        abort();
    }
    need = buf->len_bytes + more_bytes;
    cap = cap > APR_SIZE_MAX / 2 ? APR_SIZE_MAX : cap * 2;
    if (cap < need) {
        cap = need;
    }
    buf->data = must_realloc(buf->data, cap);
    buf->cap_bytes = cap;
}

const char *dsapi_buf_str(dsapi_buf_t *buf)
{
    dsapi_buf_grow(buf, 1);
    buf->data[buf->len_bytes] = '\0';
    return buf->data;
}
