/*
 * A streaming JSON writer (RFC 8259): values go straight into the buffer,
 * commas are placed by the writer (none between values outside of every
 * container). More than DSAPI_JSON_DEPTH_MAX levels, or an end without its
 * begin, is a mistake in our own code: abort().
 */
#ifndef DSAPI_JSON_WRITER_H
#define DSAPI_JSON_WRITER_H

#include <apr.h>

#include "json/buf.h"

#define DSAPI_JSON_DEPTH_MAX 64

typedef struct dsapi_json_writer_t {
    dsapi_buf_t *buf;
    apr_uint64_t filled; /* bit n: level n + 1 has a value already */
    int depth;
    int after_key;
} dsapi_json_writer_t;

/** Start writing at the end of buf. */
void dsapi_json_writer_init(dsapi_json_writer_t *w, dsapi_buf_t *buf);

void dsapi_json_begin_object(dsapi_json_writer_t *w);
void dsapi_json_end_object(dsapi_json_writer_t *w);
void dsapi_json_begin_array(dsapi_json_writer_t *w);
void dsapi_json_end_array(dsapi_json_writer_t *w);

/** A member's name (UTF-8, escaped as needed); its value comes next. */
void dsapi_json_key(dsapi_json_writer_t *w, const char *name);

/** A string; NULL writes null. What is not UTF-8 becomes U+FFFD, one for
 *  each maximal subpart (Unicode, 3.9). */
void dsapi_json_string(dsapi_json_writer_t *w, const char *s);
void dsapi_json_string_n(dsapi_json_writer_t *w, const char *s,
                         apr_size_t len_bytes);
void dsapi_json_int(dsapi_json_writer_t *w, apr_int64_t value);
void dsapi_json_bool(dsapi_json_writer_t *w, int value);
void dsapi_json_null(dsapi_json_writer_t *w);

/** Text that is JSON already, copied as it is. */
void dsapi_json_raw(dsapi_json_writer_t *w, const char *json,
                    apr_size_t len_bytes);

/** A key and a string. */
void dsapi_json_member(dsapi_json_writer_t *w, const char *name,
                       const char *value);

/**
 * Append a JSON string, quotes included, to a buffer: '"', '\' and bytes
 * below 0x20 escaped (\b \f \n \r \t, else \u00XX), all else as it is. The
 * text must be UTF-8 (PostgreSQL's is).
 */
void dsapi_json_put_string(dsapi_buf_t *buf, const char *s,
                           apr_size_t len_bytes);

#endif
