/*
 * Is this JSON? What is open stands on one stack: an entry for each level,
 * and behind an object's the names it has so far. They are compared when it
 * closes: a few with each other, many after sorting.
 */
#include "json/check.h"

#include <apr_strings.h>
#include <endian.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "json/buf.h"
#include "json/chars.h"

/* Up to here, comparing each with each is faster than sorting. */
#define FEW_NAMES 48

#define QUOTE_MAX_BYTES 40

/* In a key: the name has escapes. */
#define ESCAPED (APR_UINT64_C(1) << 63)

typedef struct name_t {
    const char *p; /* behind its opening quote; NULL: a level begins */
    /* Of a name: where it differs, names without escapes do. Of a level:
     * check_t's level and closer of the one around it. */
    apr_uint64_t key;
} name_t;

typedef struct check_t {
    const char *text;
    const char *p;
    const char *end;
    dsapi_buf_t *stack; /* of name_t */
    apr_size_t level;   /* the innermost one's entry */
    int depth;
    char closer; /* ']' or '}': what ends that level */
    int escaped; /* the last string had escapes */
    const char *place;
    const char *why; /* what is wrong there; NULL: the end is, or the byte */
} check_t;

static int fail_at(check_t *c, const char *place, const char *why)
{
    c->place = place;
    c->why = why;
    return 0;
}

static int is_at(const check_t *c, char byte)
{
    return c->p < c->end && *c->p == byte;
}

static void skip_blanks(check_t *c)
{
    while (c->p < c->end &&
           (*c->p == ' ' || *c->p == '\n' || *c->p == '\r' || *c->p == '\t')) {
        c->p++;
    }
}

/* ---- names ---- */

/* The bytes of a name, decoded one by one */
typedef struct cursor_t {
    const char *p;
    unsigned char bytes[4]; /* of the last escape */
    int at;
    int count;
} cursor_t;

/* @return the byte; -1 at the end */
static int next_byte(cursor_t *cursor)
{
    if (cursor->at < cursor->count) {
        return cursor->bytes[cursor->at++];
    }
    if (*cursor->p == '"') {
        return -1;
    }
    if (*cursor->p == '\\') {
        char *bytes = (char *)cursor->bytes;

        cursor->count = (int)(dsapi_json_unescape(bytes, &cursor->p) - bytes);
        cursor->at = 1;
        return cursor->bytes[0];
    }
    return (unsigned char)*cursor->p++;
}

static int compare_names(const char *a, const char *b)
{
    cursor_t left = {.p = a};
    cursor_t right = {.p = b};
    int x;
    int y;

    do {
        x = next_byte(&left);
        y = next_byte(&right);
    } while (x == y && x >= 0);
    return x - y;
}

/* FNV-1a. Names may be made to collide: that costs comparing them. */
static apr_uint64_t hash_name(const char *name)
{
    cursor_t cursor = {.p = name};
    apr_uint64_t hash = APR_UINT64_C(0xcbf29ce484222325);
    int byte;

    while ((byte = next_byte(&cursor)) >= 0) {
        hash = (hash ^ (unsigned)byte) * APR_UINT64_C(0x100000001b3);
    }
    return hash;
}

static int by_name(const void *a, const void *b)
{
    const name_t *left = a;
    const name_t *right = b;
    int rv;

    if (left->key != right->key) {
        return left->key < right->key ? -1 : 1;
    }
    rv = compare_names(left->p, right->p);
    return rv ? rv : (left->p > right->p) - (left->p < right->p);
}

/* Names without escapes. @return the first that is there before; NULL: none */
static const char *twin_of_few(const name_t *names, apr_size_t count)
{
    for (apr_size_t i = 1; i < count; i++) {
        apr_uint64_t key = names[i].key;

        for (apr_size_t j = 0; j < i; j++) {
            if (key == names[j].key &&
                memcmp(names[i].p, names[j].p, key >> 16) == 0) {
                return names[i].p;
            }
        }
    }
    return NULL;
}

static const char *twin_of_many(name_t *names, apr_size_t count)
{
    const char *twin = NULL;

    for (apr_size_t i = 0; i < count; i++) {
        names[i].key = hash_name(names[i].p);
    }
    qsort(names, count, sizeof(*names), by_name);
    for (apr_size_t i = 1; i < count; i++) {
        if (names[i].key == names[i - 1].key && (!twin || names[i].p < twin) &&
            compare_names(names[i].p, names[i - 1].p) == 0) {
            twin = names[i].p;
        }
    }
    return twin;
}

static const char *twin_of(name_t *names, apr_size_t count)
{
    apr_uint64_t keys = 0;

    if (count > FEW_NAMES) {
        return twin_of_many(names, count);
    }
    for (apr_size_t i = 0; i < count; i++) {
        keys |= names[i].key;
    }
    return keys & ESCAPED ? twin_of_many(names, count)
                          : twin_of_few(names, count);
}

/* What is cheap to see of a name: its length, first and last byte */
static apr_uint64_t key_of(const char *name, const char *end, int escaped)
{
    apr_uint64_t key = (apr_uint64_t)(end - name) << 16;

    key |= (apr_uint64_t)(unsigned char)name[0] << 8;
    key |= (unsigned char)end[-1]; /* of "": its quote */
    return escaped ? key | ESCAPED : key;
}

static void push(check_t *c, const char *p, apr_uint64_t key)
{
    name_t entry = {p, key};

    dsapi_buf_put(c->stack, (const char *)&entry, sizeof(entry));
}

/* ---- levels ---- */

static int open_level(check_t *c, char closer)
{
    apr_size_t level = c->stack->len_bytes / sizeof(name_t);

    if (c->depth == DSAPI_JSON_LEVELS_MAX) {
        return fail_at(c, c->p, "maximum parsing depth reached");
    }
    push(c, NULL, ((apr_uint64_t)c->level << 8) | (unsigned char)c->closer);
    c->level = level;
    c->closer = closer;
    c->depth++;
    c->p++;
    return 1;
}

static int close_level(check_t *c)
{
    name_t *level = (name_t *)c->stack->data + c->level;
    apr_size_t count = c->stack->len_bytes / sizeof(*level) - c->level - 1;
    const char *twin = twin_of(level + 1, count);

    if (twin) {
        return fail_at(c, twin - 1, "duplicate object key");
    }
    c->stack->len_bytes = c->level * sizeof(*level);
    c->level = (apr_size_t)(level->key >> 8);
    c->closer = (char)(level->key & 0xff);
    c->depth--;
    c->p++;
    return 1;
}

/* ---- strings ---- */

/* Skip what is ASCII and means nothing in a string. */
static const char *skip_plain(const char *p, const char *end)
{
    while (end - p >= (int)sizeof(apr_uint64_t)) {
        apr_uint64_t word;

        memcpy(&word, p, sizeof(word));
        word = le64toh(word);
        word = dsapi_json_specials(word) | (word & DSAPI_JSON_EACH_BYTE(0x80));
        if (word) {
            return p + __builtin_ctzll(word) / 8;
        }
        p += sizeof(word);
    }
    while (p < end && *p != '"' && *p != '\\' && *p >= 0x20 &&
           !((unsigned char)*p & 0x80)) {
        p++;
    }
    return p;
}

/* @return behind the escape at p (its backslash); NULL: it is none */
static const char *take_escape(check_t *c, const char *p)
{
    apr_size_t left = (apr_size_t)(c->end - p);
    int code = -1;

    if (left >= 2 && p[1] && strchr("\"\\/bfnrt", p[1])) {
        return p + 2;
    }
    if (left >= 6 && p[1] == 'u') {
        code = dsapi_json_hex4(p + 2);
    }
    if (code <= 0) {
        fail_at(c, p, code ? "invalid escape" : "\\u0000 is not allowed");
        return NULL;
    }
    if (code < 0xd800 || code > 0xdfff) {
        return p + 6;
    }
    if (code < 0xdc00 && left >= 12 && p[6] == '\\' && p[7] == 'u') {
        code = dsapi_json_hex4(p + 8);
        if (code >= 0xdc00 && code <= 0xdfff) {
            return p + 12;
        }
    }
    fail_at(c, p, "invalid Unicode surrogate");
    return NULL;
}

static int take_string(check_t *c)
{
    const char *p = c->p + 1;

    c->escaped = 0;
    while ((p = skip_plain(p, c->end)) < c->end && *p != '"') {
        if (*p == '\\') {
            c->escaped = 1;
            p = take_escape(c, p);
            if (!p) {
                return 0;
            }
        }
        else {
            apr_size_t len = (apr_size_t)(c->end - p);

            len = (*p & 0x80) ? dsapi_base_utf8_length(p, len) : 0;
            if (!len) {
                return fail_at(c, p, NULL);
            }
            p += len;
        }
    }
    if (p == c->end) {
        return fail_at(c, p, NULL);
    }
    c->p = p + 1;
    return 1;
}

/* A member's name and the colon behind it */
static int take_name(check_t *c, const char *expected)
{
    const char *name = c->p + 1;

    if (!is_at(c, '"')) {
        return fail_at(c, c->p, expected);
    }
    if (!take_string(c)) {
        return 0;
    }
    push(c, name, key_of(name, c->p - 1, c->escaped));
    skip_blanks(c);
    if (!is_at(c, ':')) {
        return fail_at(c, c->p, "':' expected");
    }
    c->p++;
    return 1;
}

/* ---- numbers ---- */

/* An exponent, behind its 'e'; no text is long enough for what is cut. */
static apr_int64_t exponent_of(const char *p, const char *end)
{
    int negative = *p == '-';
    apr_int64_t value = 0;

    p += *p == '-' || *p == '+';
    for (; p < end; p++) {
        if (value < APR_INT64_MAX / 100) {
            value = value * 10 + (*p - '0');
        }
    }
    return negative ? -value : value;
}

/* Does this number round beyond what a double has? Exact, for any length. */
static int is_beyond_double(const char *p, const char *end)
{
    /* the least one: 2^1024 - 2^970, half a step above the last double */
    static const char limit[] =
        "17976931348623158079372897140530341507993413271003782693617377898044"
        "49682927647509466490179775872070963302864166928879109465555478519404"
        "02630657488671505820681908902000708383676273854845817711531764475730"
        "27006985557136695962284291481986083493647529271907416844436551070434"
        "2711559699508093042880177904174497792";
    const char *first = NULL;  /* digit that is no zero */
    apr_int64_t magnitude = 0; /* the number is 0.FIRST... * 10^magnitude */
    int in_fraction = 0;

    for (; p < end && (*p | 0x20) != 'e'; p++) {
        if (*p == '.') {
            in_fraction = 1;
        }
        else if (first || *p > '0') {
            first = first ? first : p;
            magnitude += !in_fraction;
        }
        else {
            magnitude -= in_fraction;
        }
    }
    if (p < end) {
        magnitude += exponent_of(p + 1, end);
    }
    if (!first || magnitude != (apr_int64_t)sizeof(limit) - 1) {
        return first && magnitude >= (apr_int64_t)sizeof(limit);
    }
    end = p;
    for (const char *digit = limit; *digit; digit++) {
        char own = '0';

        first += first < end && *first == '.';
        if (first < end) {
            own = *first++;
        }
        if (own != *digit) {
            return own > *digit;
        }
    }
    return 1;
}

static const char *skip_digits(const char *p, const char *end)
{
    while (p < end && *p >= '0' && *p <= '9') {
        p++;
    }
    return p;
}

static int take_number(check_t *c)
{
    const char *end = c->end;
    const char *digits = c->p + (*c->p == '-');
    const char *p = skip_digits(digits, end);
    const char *part;
    int is_good = p > digits && (*digits != '0' || p == digits + 1);
    int may_be_big = p - digits > 308;

    if (p < end && *p == '.') {
        part = p + 1;
        p = skip_digits(part, end);
        is_good = is_good && p > part;
    }
    if (p < end && (*p | 0x20) == 'e') {
        part = p + 1;
        part += part < end && (*part == '-' || *part == '+');
        p = skip_digits(part, end);
        is_good = is_good && p > part;
        may_be_big = 1;
    }
    if (!is_good) {
        return fail_at(c, c->p, "invalid number");
    }
    if (may_be_big && is_beyond_double(c->p, p)) {
        return fail_at(c, c->p, "real number overflow");
    }
    c->p = p;
    return 1;
}

/* ---- values ---- */

static int take_literal(check_t *c)
{
    static const char *const literals[] = {"true", "false", "null"};

    for (int i = 0; i < 3; i++) {
        apr_size_t len = strlen(literals[i]);

        if ((apr_size_t)(c->end - c->p) >= len &&
            memcmp(c->p, literals[i], len) == 0) {
            c->p += len;
            return 1;
        }
    }
    return fail_at(c, c->p, "invalid token");
}

/* Take a value as far as its first value that has none inside; what opens on
 * the way stays open, and what is empty is left before its end. */
static int take_value(check_t *c)
{
    for (;;) {
        skip_blanks(c);
        if (c->p == c->end) {
            return fail_at(c, c->p, "a value expected");
        }
        switch (*c->p) {
        case '{':
        case '[':
            if (!open_level(c, *c->p == '{' ? '}' : ']')) {
                return 0;
            }
            skip_blanks(c);
            if (is_at(c, c->closer)) {
                return 1;
            }
            if (c->closer == '}' && !take_name(c, "string or '}' expected")) {
                return 0;
            }
            break;
        case '"':
            return take_string(c);
        case '-':
        case '0':
        case '1':
        case '2':
        case '3':
        case '4':
        case '5':
        case '6':
        case '7':
        case '8':
        case '9':
            return take_number(c);
        case ']':
        case '}':
        case ',':
        case ':':
            return fail_at(c, c->p, "a value expected");
        default:
            return take_literal(c);
        }
    }
}

/* Behind a value: close what ends there, up to where the next one begins */
static int take_ends(check_t *c)
{
    while (c->depth) {
        skip_blanks(c);
        if (is_at(c, ',')) {
            c->p++;
            skip_blanks(c);
            return c->closer == ']' || take_name(c, "string expected");
        }
        if (!is_at(c, c->closer)) {
            return fail_at(c, c->p,
                           c->closer == ']' ? "',' or ']' expected"
                                            : "',' or '}' expected");
        }
        if (!close_level(c)) {
            return 0;
        }
    }
    return 1;
}

static int take_text(check_t *c)
{
    do {
        if (!take_value(c) || !take_ends(c)) {
            return 0;
        }
    } while (c->depth);
    skip_blanks(c);
    return c->p == c->end || fail_at(c, c->p, "end of file expected");
}

/* ---- telling ---- */

/* What stands there: a mark, a string, or what looks like one word. It begins
 * well-formed and with no control character. */
static const char *quote_of(const char *place, const char *end,
                            apr_pool_t *pool)
{
    const char *stops = *place == '"' ? "\"" : " ,:[]{}\"";
    apr_size_t most = strchr(",:[]{}", *place) ? 1 : QUOTE_MAX_BYTES;
    const char *p = place;
    apr_size_t len;
    char *text;

    do {
        len = dsapi_base_utf8_length(p, (apr_size_t)(end - p));
        if (!len || (*p >= 0 && *p < 0x20) || p + len > place + most) {
            break;
        }
        p += len;
    } while (p < end && !strchr(stops, *p));
    if (*place == '"' && p < end && *p == '"') {
        p++;
    }
    text = apr_pstrmemdup(pool, place, (apr_size_t)(p - place));
    for (char *at = text; *at; at++) {
        if (*at == 0x7f) {
            *at = '?';
        }
    }
    return text;
}

static const char *tell(const check_t *c, apr_pool_t *pool)
{
    const char *place = c->place;
    unsigned byte = place < c->end ? (unsigned char)*place : 0;
    const char *what = "a NUL byte";
    long line = 1;
    long column = place < c->end;

    for (const char *p = c->text; p < place; p++) {
        column += (*p & 0xc0) != 0x80;
        if (*p == '\n') {
            line++;
            column = place < c->end;
        }
    }
    if (place == c->end) {
        what = c->why ? apr_pstrcat(pool, c->why, " near end of file", NULL)
                      : "premature end of input";
    }
    else if (!dsapi_base_utf8_length(place, (apr_size_t)(c->end - place))) {
        what = apr_psprintf(pool, "unable to decode byte 0x%x", byte);
    }
    else if (byte >= 0x20) {
        what = apr_psprintf(pool, "%s near '%s'", c->why,
                            quote_of(place, c->end, pool));
    }
    else if (byte) {
        what = apr_psprintf(pool, "control character 0x%x", byte);
    }
    return apr_psprintf(pool, "line %ld, column %ld: %s", line, column, what);
}

const char *dsapi_json_mistake(const char *text, apr_size_t len_bytes,
                               apr_pool_t *pool)
{
    check_t c = {.text = text, .p = text};
    apr_pool_t *scratch;
    int good;

    if (len_bytes == 0) {
        return "the text is empty";
    }
    if (len_bytes >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) {
        return "line 1, column 1: a byte order mark";
    }
    apr_pool_create(&scratch, pool);
    apr_pool_tag(scratch, "dsapi_json_check");
    c.end = text + len_bytes;
    c.stack = dsapi_buf_make(0, scratch);
    good = take_text(&c);
    apr_pool_destroy(scratch);
    return good ? NULL : tell(&c, pool);
}
