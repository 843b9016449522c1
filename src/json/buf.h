/*
 * A growing buffer: the destination of everything we write. Its memory is
 * malloc's (a pool would keep every outgrown copy) and ends with its pool.
 */
#ifndef DSAPI_JSON_BUF_H
#define DSAPI_JSON_BUF_H

#include <apr_pools.h>
#include <string.h>

typedef struct dsapi_buf_t {
    char *data; /* NULL where it was released; not NUL-terminated */
    apr_size_t len_bytes;
    apr_size_t cap_bytes;
    apr_pool_t *pool;
} dsapi_buf_t;

/**
 * Make a buffer.
 * @param cap_bytes  what it holds before it first grows; 0: a good default
 * @return the buffer, in pool; its memory is freed with the pool
 */
dsapi_buf_t *dsapi_buf_make(apr_size_t cap_bytes, apr_pool_t *pool);

/** Make room for more bytes behind the last; aborts where memory is out. */
void dsapi_buf_grow(dsapi_buf_t *buf, apr_size_t more_bytes);

/** Append bytes. */
static inline void dsapi_buf_put(dsapi_buf_t *buf, const char *s,
                                 apr_size_t len_bytes)
{
    if (buf->cap_bytes - buf->len_bytes < len_bytes) {
        dsapi_buf_grow(buf, len_bytes);
    }
    memcpy(buf->data + buf->len_bytes, s, len_bytes);
    buf->len_bytes += len_bytes;
}

/** Append one byte. */
static inline void dsapi_buf_putc(dsapi_buf_t *buf, char c)
{
    if (buf->cap_bytes == buf->len_bytes) {
        dsapi_buf_grow(buf, 1);
    }
    buf->data[buf->len_bytes++] = c;
}

/** @return the content as a NUL-terminated string, in the buffer itself:
 *  good until the next append */
const char *dsapi_buf_str(dsapi_buf_t *buf);

/** Give its memory back before its pool ends: it is empty from here on. */
void dsapi_buf_release(dsapi_buf_t *buf);

#endif
