/* Reading CSV: see reader.h. */
#include "csv/reader.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"

#define BUFFER_BYTES ((apr_size_t)64 * 1024)

/* What a byte is outside of quotes. */
enum {
    PLAIN,
    DELIMITER,
    CR,
    LF,
    ZERO,
    NKINDS
};

typedef enum state_t {
    AT_FIELD,  /* before a field */
    IN_PLAIN,  /* in an unquoted field */
    IN_QUOTES, /* within quotes */
    AT_QUOTE   /* after a quote within quotes: the end, or half of two */
} state_t;

/* A field, by its place in the record: the buffer may move. */
typedef struct place_t {
    apr_size_t from;
    apr_size_t to;
    int quoted;
} place_t;

struct dsapi_csv_reader_t {
    dsapi_csv_source_t source;
    void *baton;
    unsigned char kinds[256];
    char *buf; /* malloc'ed: it grows */
    apr_size_t size;
    apr_size_t len;   /* bytes in buf */
    apr_size_t start; /* of the record */
    apr_size_t pos;   /* read so far, from the record's start */
    apr_size_t to;    /* where the field's next byte goes: quotes go away */
    int ended;        /* the source has no more */
    int failed;       /* a fault that is the end */
    state_t state;
    place_t field;           /* the one being read */
    unsigned char seen;      /* its bytes, or'ed together */
    dsapi_csv_fault_t fault; /* the record's first */
    int at;
    apr_uint64_t lines; /* that the record has had so far */
    int single;         /* records have one field */
    int past_mark;      /* the byte order mark has been looked for */
    place_t *places;    /* DSAPI_CSV_FIELDS_MAX */
    dsapi_csv_field_t *fields;
    dsapi_csv_record_t record;
    apr_uint64_t next_number;
    apr_uint64_t next_line;
    apr_off_t next_offset; /* of start */
};

static apr_status_t free_buffer(void *data)
{
    const dsapi_csv_reader_t *reader = data;

    free(reader->buf);
    return APR_SUCCESS;
}

/* The buffer for what a source delivers; memory that lacks ends the process,
 * as it does in pools. */
static void grow(dsapi_csv_reader_t *reader)
{
    reader->size = reader->size > 0 ? reader->size * 2 : BUFFER_BYTES;
    reader->buf = realloc(reader->buf, reader->size);
    if (!reader->buf) {
        abort();
    }
}

int dsapi_csv_is_delimiter(const char *text)
{
    return text[0] && !text[1] && !(text[0] & 0x80) &&
           !strchr("\"\r\n", text[0]);
}

dsapi_csv_reader_t *dsapi_csv_reader_make(char delimiter,
                                          dsapi_csv_source_t source,
                                          void *baton, apr_pool_t *pool)
{
    dsapi_csv_reader_t *reader = apr_pcalloc(pool, sizeof(*reader));

    reader->source = source;
    reader->baton = baton;
    reader->kinds[(unsigned char)delimiter] = DELIMITER;
    reader->kinds['\r'] = CR;
    reader->kinds['\n'] = LF;
    reader->kinds[0] = ZERO;
    reader->places = apr_palloc(pool, sizeof(place_t) * DSAPI_CSV_FIELDS_MAX);
    reader->fields =
        apr_palloc(pool, sizeof(dsapi_csv_field_t) * DSAPI_CSV_FIELDS_MAX);
    reader->next_line = 1;
    apr_pool_cleanup_register(pool, reader, free_buffer, apr_pool_cleanup_null);
    grow(reader);
    return reader;
}

void dsapi_csv_reader_resume(dsapi_csv_reader_t *reader,
                             const dsapi_csv_record_t *record)
{
    reader->next_number = record->number;
    reader->next_line = record->line;
    reader->next_offset = record->offset;
    reader->len = reader->start = 0;
    reader->ended = reader->failed = 0;
    reader->past_mark = record->offset > 0;
}

/* More bytes after those there are. */
static apr_status_t fill(dsapi_csv_reader_t *reader)
{
    apr_size_t n;
    apr_status_t rv;

    if (reader->start > 0) {
        reader->len -= reader->start;
        memmove(reader->buf, reader->buf + reader->start, reader->len);
        reader->start = 0;
    }
    if (reader->len == reader->size) {
        grow(reader);
    }
    n = reader->size - reader->len;
    rv = reader->source(reader->baton, reader->buf + reader->len, &n);
    if (rv == APR_SUCCESS) {
        reader->len += n;
    }
    else if (rv == APR_EOF) {
        reader->ended = 1;
        rv = APR_SUCCESS;
    }
    return rv;
}

static void spoil(dsapi_csv_reader_t *reader, dsapi_csv_fault_t fault, int at)
{
    if (reader->fault == DSAPI_CSV_GOOD) {
        reader->fault = fault;
        reader->at = at;
    }
}

/* A fault after which nothing can be told. @return 1: the record is done */
static int fail(dsapi_csv_reader_t *reader, dsapi_csv_fault_t fault)
{
    reader->fault = fault;
    reader->at = reader->record.nfields;
    reader->record.nfields = 0;
    reader->failed = 1;
    return 1;
}

/* The field ends. @return 0: one too many */
static int end_field(dsapi_csv_reader_t *reader)
{
    place_t *field = &reader->field;
    const char *text = reader->buf + reader->start + field->from;

    field->to = reader->to;
    if (reader->record.nfields == DSAPI_CSV_FIELDS_MAX) {
        return 0;
    }
    if ((reader->seen & 0x80) &&
        !dsapi_base_utf8_valid(text, field->to - field->from)) {
        spoil(reader, DSAPI_CSV_UTF8, reader->record.nfields);
    }
    reader->places[reader->record.nfields++] = *field;
    reader->seen = 0;
    reader->state = AT_FIELD;
    return 1;
}

static void begin_field(dsapi_csv_reader_t *reader, int quoted)
{
    reader->pos += (apr_size_t)quoted;
    reader->field.from = reader->to = reader->pos;
    reader->field.quoted = quoted;
    reader->state = quoted ? IN_QUOTES : IN_PLAIN;
}

/* An unquoted field, or the end of a quoted one: up to what ends it.
 * @return 1: the record is done; 0: not yet, or more bytes are needed */
static int end_at(dsapi_csv_reader_t *reader, int kind, apr_size_t left,
                  const char *p)
{
    if (kind == DELIMITER) {
        reader->pos++;
        return end_field(reader) ? 0 : fail(reader, DSAPI_CSV_MANY);
    }
    if (kind == CR) {
        if (left < 2 && !reader->ended) {
            return 0;
        }
        if (left < 2 || p[1] != '\n') {
            return fail(reader, DSAPI_CSV_CR);
        }
        reader->pos++;
    }
    reader->pos++;
    reader->lines++;
    if (!end_field(reader)) {
        return fail(reader, DSAPI_CSV_MANY);
    }
    return 1;
}

static int read_plain(dsapi_csv_reader_t *reader)
{
    const char *record = reader->buf + reader->start;
    const char *end = reader->buf + reader->len;
    const char *p = record + reader->pos;
    unsigned char seen = reader->seen;
    int kind = PLAIN;

    while (p < end) {
        kind = reader->kinds[(unsigned char)*p];
        if (kind != PLAIN) {
            if (kind != ZERO) {
                break;
            }
            spoil(reader, DSAPI_CSV_NUL, reader->record.nfields);
        }
        seen |= (unsigned char)*p++;
    }
    reader->seen = seen;
    reader->pos = reader->to = (apr_size_t)(p - record);
    return p < end ? end_at(reader, kind, (apr_size_t)(end - p), p) : 0;
}

/* Text within quotes goes to where the field has got to. */
static int read_quoted(dsapi_csv_reader_t *reader)
{
    char *record = reader->buf + reader->start;
    const char *end = reader->buf + reader->len;
    const char *p = record + reader->pos;
    const char *quote = memchr(p, '"', (apr_size_t)(end - p));
    const char *stop = quote ? quote : end;
    unsigned char seen = reader->seen;
    apr_size_t n = (apr_size_t)(stop - p);

    for (const char *q = p; q < stop; q++) {
        seen |= (unsigned char)*q;
        if (*q == '\n') {
            reader->lines++;
        }
        else if (!*q) {
            spoil(reader, DSAPI_CSV_NUL, reader->record.nfields);
        }
    }
    if (record + reader->to != p) {
        memmove(record + reader->to, p, n);
    }
    reader->seen = seen;
    reader->to += n;
    reader->pos += n;
    if (quote) {
        reader->pos++;
        reader->state = AT_QUOTE;
    }
    return 0;
}

static int after_quote(dsapi_csv_reader_t *reader)
{
    char *record = reader->buf + reader->start;
    const char *p = record + reader->pos;
    int kind = reader->kinds[(unsigned char)*p];

    if (*p == '"') {
        record[reader->to++] = '"';
        reader->pos++;
        reader->state = IN_QUOTES;
        return 0;
    }
    if (kind == PLAIN || kind == ZERO) {
        return fail(reader, DSAPI_CSV_AFTER);
    }
    return end_at(reader, kind, reader->len - reader->start - reader->pos, p);
}

/* There are no more bytes. @return 1: the record is done; -1: there is none */
static int read_end(dsapi_csv_reader_t *reader)
{
    switch (reader->state) {
    case AT_FIELD:
        if (reader->pos == 0) {
            return -1;
        }
        begin_field(reader, 0);
        break;
    case IN_QUOTES:
        return fail(reader, DSAPI_CSV_OPEN);
    case IN_PLAIN:
    case AT_QUOTE:
        break;
    }
    return end_field(reader) ? 1 : fail(reader, DSAPI_CSV_MANY);
}

/* One step on. @return 1: the record is done; 0: not yet; -1: none is left */
static int step(dsapi_csv_reader_t *reader)
{
    switch (reader->state) {
    case AT_FIELD:
        begin_field(reader, reader->buf[reader->start + reader->pos] == '"');
        return 0;
    case IN_PLAIN:
        return read_plain(reader);
    case IN_QUOTES:
        return read_quoted(reader);
    case AT_QUOTE:
        return after_quote(reader);
    }
    return 0;
}

/* The mark at the beginning of the data.
 * @return as the source; APR_SUCCESS also where there is no mark */
static apr_status_t pass_mark(dsapi_csv_reader_t *reader)
{
    const char *p;

    while (reader->len < 3 && !reader->ended) {
        apr_status_t rv = fill(reader);

        if (rv != APR_SUCCESS) {
            return rv;
        }
    }
    reader->past_mark = 1;
    p = reader->buf;
    if (reader->len >= 3 && memcmp(p, "\xef\xbb\xbf", 3) == 0) {
        reader->start = 3;
        reader->next_offset = 3;
    }
    else if (reader->len >= 2 &&
             (memcmp(p, "\xff\xfe", 2) == 0 || memcmp(p, "\xfe\xff", 2) == 0)) {
        reader->failed = 1;
        reader->fault = DSAPI_CSV_UTF16;
    }
    return APR_SUCCESS;
}

/* Bring the record that begins at start into places. @return as dsapi_csv_read
 */
static apr_status_t read_places(dsapi_csv_reader_t *reader)
{
    int done = 0;

    reader->pos = reader->to = 0;
    reader->state = AT_FIELD;
    reader->seen = 0;
    reader->lines = 0;
    reader->record.nfields = 0;
    while (!done) {
        apr_size_t before = reader->pos;
        state_t state = reader->state;

        if (reader->start + reader->pos < reader->len) {
            done = step(reader);
        }
        if (done || reader->pos != before || reader->state != state) {
            continue;
        }
        if (reader->pos >= DSAPI_CSV_RECORD_MAX_BYTES) {
            done = fail(reader, DSAPI_CSV_LONG);
        }
        else if (!reader->ended) {
            apr_status_t rv = fill(reader);

            if (rv != APR_SUCCESS) {
                return rv;
            }
        }
        else {
            done = read_end(reader);
        }
    }
    return done < 0 ? APR_EOF : APR_SUCCESS;
}

/* A blank line, where it is no record. */
static int is_blank(const dsapi_csv_reader_t *reader)
{
    return reader->record.nfields == 1 && !reader->places[0].quoted &&
           reader->places[0].from == reader->places[0].to &&
           (reader->next_number == 0 || !reader->single) &&
           reader->fault == DSAPI_CSV_GOOD;
}

/* The record that was read, for the caller; and on to the next. */
static void hand_out(dsapi_csv_reader_t *reader)
{
    dsapi_csv_record_t *record = &reader->record;
    const char *text = reader->buf + reader->start;

    for (int i = 0; i < record->nfields; i++) {
        const place_t *place = &reader->places[i];
        dsapi_csv_field_t *field = &reader->fields[i];

        field->len_bytes = place->to - place->from;
        field->text =
            place->quoted || field->len_bytes > 0 ? text + place->from : NULL;
    }
    record->fields = reader->fields;
    record->fault = reader->fault;
    record->at = reader->at;
    record->number = reader->next_number++;
    record->line = reader->next_line;
    record->offset = reader->next_offset;
    if (record->number == 0) {
        reader->single = record->nfields == 1;
    }
}

apr_status_t dsapi_csv_read(const dsapi_csv_record_t **precord,
                            dsapi_csv_reader_t *reader)
{
    apr_status_t rv;

    *precord = NULL;
    if (reader->failed) {
        return APR_EOF;
    }
    reader->fault = DSAPI_CSV_GOOD;
    reader->at = 0;
    reader->record.nfields = 0;
    reader->pos = reader->lines = 0;
    if (!reader->past_mark) {
        rv = pass_mark(reader);
        if (rv != APR_SUCCESS) {
            return rv;
        }
    }
    while (!reader->failed) {
        rv = read_places(reader);
        if (rv != APR_SUCCESS) {
            return rv;
        }
        if (!is_blank(reader)) {
            break;
        }
        reader->start += reader->pos;
        reader->next_offset += (apr_off_t)reader->pos;
        reader->next_line += reader->lines;
    }
    hand_out(reader);
    reader->start += reader->pos;
    reader->next_offset += (apr_off_t)reader->pos;
    reader->next_line += reader->lines;
    *precord = &reader->record;
    return APR_SUCCESS;
}

const char *dsapi_csv_fault_text(dsapi_csv_fault_t fault)
{
    static const char *const texts[] = {
        NULL,
        "is not valid UTF-8",
        "holds a NUL byte",
        "has text after its closing quote",
        "has a quote that is never closed",
        "has a carriage return without a line feed",
        "belongs to a record that is too long",
        "is one too many",
        "cannot be read: the data is UTF-16; send UTF-8",
    };

    return texts[fault];
}
