/*
 * Reading JSON: jansson proves, slices read. Nothing below json_check looks
 * for mistakes: a slice only ever comes from a text that was proven, and a
 * container's closing bracket ends every search inside it.
 */
#include "json/value.h"

#include <apr_lib.h>
#include <apr_strings.h>
#include <jansson.h>
#include <string.h>

#include "base/text.h"

/* jansson's text is at most 160 bytes, so that this cuts nothing today. */
#define REASON_MAX_BYTES 200

static int is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static const char *skip_blanks(const char *p)
{
    while (is_blank(*p)) {
        p++;
    }
    return p;
}

static dsapi_json_kind_e kind_at(const char *p)
{
    switch (*p) {
    case '{':
        return DSAPI_JSON_OBJECT;
    case '[':
        return DSAPI_JSON_ARRAY;
    case '"':
        return DSAPI_JSON_STRING;
    case 't':
        return DSAPI_JSON_TRUE;
    case 'f':
        return DSAPI_JSON_FALSE;
    case 'n':
        return DSAPI_JSON_NULL;
    default:
        return DSAPI_JSON_NUMBER;
    }
}

/* jansson quotes what it stumbled over: cut and clean that, and leave out
 * the name of its flag. */
static const char *clean_reason(const char *text, apr_pool_t *pool)
{
    static const char flag[] = " without JSON_ALLOW_NUL";
    char *s = apr_pstrndup(pool, text, REASON_MAX_BYTES);
    int utf8 = dsapi_base_utf8_valid(s, strlen(s));
    char *found = strstr(s, flag);

    if (found) {
        memmove(found, found + sizeof(flag) - 1,
                strlen(found + sizeof(flag) - 1) + 1);
    }
    for (char *p = s; *p; p++) {
        if (apr_iscntrl(*p) || (!utf8 && (*p & 0x80))) {
            *p = '?';
        }
    }
    return *s ? s : "unreadable";
}

static apr_status_t fail_json(dsapi_err_t **perr, const char *reason,
                              apr_pool_t *pool)
{
    return dsapi_fail(perr, pool, DSAPI_ESYNTAX, "not-json", "not JSON: %s",
                      reason);
}

/* Find a NUL byte: jansson overlooks one behind a number.
 * @return where it is, in words; NULL: there is none */
static const char *nul_byte(const char *text, apr_size_t len_bytes,
                            apr_pool_t *pool)
{
    const char *nul = memchr(text, '\0', len_bytes);
    int line = 1;
    int column = 1;

    if (!nul) {
        return NULL;
    }
    for (const char *p = text; p < nul; p++) {
        column += (*p & 0xc0) != 0x80; /* characters, as jansson counts */
        if (*p == '\n') {
            line++;
            column = 1;
        }
    }
    return apr_psprintf(pool, "line %d, column %d: a NUL byte", line, column);
}

apr_status_t dsapi_json_check(dsapi_json_slice_t *pslice, dsapi_err_t **perr,
                              const char *text, apr_size_t len_bytes,
                              apr_pool_t *pool)
{
    /* As reals, since jansson refuses integers beyond 64 bits; the slices
     * keep every digit. */
    const size_t flags =
        JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_DECODE_INT_AS_REAL;
    const char *nul;
    json_error_t error;
    json_t *tree;

    if (perr) {
        *perr = NULL;
    }
    if (len_bytes == 0) {
        return fail_json(perr, "the text is empty", pool);
    }
    if (len_bytes >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) {
        return fail_json(perr, "line 1, column 1: a byte order mark", pool);
    }
    nul = nul_byte(text, len_bytes, pool);
    if (nul) {
        return fail_json(perr, nul, pool);
    }
    tree = json_loadb(text, len_bytes, flags, &error);
    if (!tree) {
        return fail_json(perr,
                         apr_psprintf(pool, "line %d, column %d: %s",
                                      error.line, error.column,
                                      clean_reason(error.text, pool)),
                         pool);
    }
    json_decref(tree);
    while (is_blank(text[len_bytes - 1])) {
        len_bytes--;
    }
    while (is_blank(*text)) {
        text++;
        len_bytes--;
    }
    pslice->p = text;
    pslice->len_bytes = len_bytes;
    pslice->kind = kind_at(text);
    return APR_SUCCESS;
}

/* From an opening quote to behind the closing one */
static const char *skip_string(const char *p)
{
    for (p++; *p != '"'; p++) {
        if (*p == '\\') {
            p++;
        }
    }
    return p + 1;
}

/* From an opening bracket to behind the one that closes it */
static const char *skip_container(const char *p)
{
    apr_size_t depth = 0;

    do {
        switch (*p) {
        case '"':
            p = skip_string(p);
            continue;
        case '[':
        case '{':
            depth++;
            break;
        case ']':
        case '}':
            depth--;
            break;
        default:
            break;
        }
        p++;
    } while (depth);
    return p;
}

/* Take the value at p, which stands in a container. @return behind it */
static const char *take_value(dsapi_json_slice_t *pvalue, const char *p)
{
    const char *end = p;
    dsapi_json_kind_e kind = kind_at(p);

    if (kind == DSAPI_JSON_STRING) {
        end = skip_string(p);
    }
    else if (kind == DSAPI_JSON_ARRAY || kind == DSAPI_JSON_OBJECT) {
        end = skip_container(p);
    }
    else {
        while (*end != ',' && *end != ']' && *end != '}' && !is_blank(*end)) {
            end++;
        }
    }
    pvalue->p = p;
    pvalue->len_bytes = (apr_size_t)(end - p);
    pvalue->kind = kind;
    return end;
}

/* Step to the next item or member of a container. @return where it begins;
 * NULL at the end, where the iteration then stays */
static const char *step_into(dsapi_json_iter_t *iter,
                             const dsapi_json_slice_t *container)
{
    const char *p = iter->next ? iter->next : container->p + 1;

    p = skip_blanks(p);
    if (*p == ',') {
        p = skip_blanks(p + 1);
    }
    iter->next = p;
    return *p == ']' || *p == '}' ? NULL : p;
}

/* Next member, its name as it was written */
static int next_raw(dsapi_json_slice_t *pname, dsapi_json_slice_t *pvalue,
                    dsapi_json_iter_t *iter, const dsapi_json_slice_t *object)
{
    const char *p = NULL;

    if (object->kind == DSAPI_JSON_OBJECT) {
        p = step_into(iter, object);
    }
    if (!p) {
        return 0;
    }
    p = skip_blanks(take_value(pname, p));
    iter->next = take_value(pvalue, skip_blanks(p + 1));
    return 1;
}

int dsapi_json_next_member(dsapi_json_slice_t *pvalue, const char **pname,
                           dsapi_json_iter_t *iter,
                           const dsapi_json_slice_t *object, apr_pool_t *pool)
{
    dsapi_json_slice_t name;

    if (!next_raw(&name, pvalue, iter, object)) {
        return 0;
    }
    *pname = dsapi_json_text(&name, pool);
    return 1;
}

int dsapi_json_next_item(dsapi_json_slice_t *pvalue, dsapi_json_iter_t *iter,
                         const dsapi_json_slice_t *array)
{
    const char *p = NULL;

    if (array->kind == DSAPI_JSON_ARRAY) {
        p = step_into(iter, array);
    }
    if (!p) {
        return 0;
    }
    iter->next = take_value(pvalue, p);
    return 1;
}

static unsigned hex4(const char *p)
{
    unsigned value = 0;

    for (int i = 0; i < 4; i++) {
        unsigned c = (unsigned char)p[i];

        value = value * 16 + (c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
    }
    return value;
}

static char *put_utf8(char *out, unsigned c)
{
    if (c < 0x80) {
        *out++ = (char)c;
        return out;
    }
    if (c < 0x800) {
        *out++ = (char)(0xc0 | (c >> 6));
    }
    else {
        if (c < 0x10000) {
            *out++ = (char)(0xe0 | (c >> 12));
        }
        else {
            *out++ = (char)(0xf0 | (c >> 18));
            *out++ = (char)(0x80 | ((c >> 12) & 0x3f));
        }
        *out++ = (char)(0x80 | ((c >> 6) & 0x3f));
    }
    *out++ = (char)(0x80 | (c & 0x3f));
    return out;
}

/* Decode the escape at *pp (its backslash) and step over it. */
static char *put_unescaped(char *out, const char **pp)
{
    static const char letters[] = "bfnrt";
    static const char bytes[] = "\b\f\n\r\t";
    char c = (*pp)[1];
    const char *known;

    if (c == 'u') {
        unsigned code = hex4(*pp + 2);

        *pp += 6;
        if (code >= 0xd800 && code < 0xdc00) {
            code = 0x10000 + ((code - 0xd800) << 10) + hex4(*pp + 2) - 0xdc00;
            *pp += 6;
        }
        return put_utf8(out, code);
    }
    known = strchr(letters, c);
    if (known) {
        c = bytes[known - letters];
    }
    *out = c;
    *pp += 2;
    return out + 1;
}

const char *dsapi_json_text(const dsapi_json_slice_t *value, apr_pool_t *pool)
{
    const char *p = value->p;
    const char *end = p + value->len_bytes;
    char *text;
    char *out;

    if (value->kind != DSAPI_JSON_STRING) {
        return apr_pstrmemdup(pool, p, value->len_bytes);
    }
    p++;
    end--;
    out = text = apr_palloc(pool, value->len_bytes);
    while (p < end) {
        const char *escape = memchr(p, '\\', (apr_size_t)(end - p));
        apr_size_t run = (apr_size_t)((escape ? escape : end) - p);

        memcpy(out, p, run);
        out += run;
        p += run;
        if (escape) {
            out = put_unescaped(out, &p);
        }
    }
    *out = '\0';
    return text;
}

/* Take one reference token off a pointer. @return decoded; NULL: malformed */
static const char *take_token(const char **ppointer, apr_pool_t *pool)
{
    const char *p = *ppointer;
    char *token;
    char *out;

    if (*p++ != '/') {
        return NULL;
    }
    out = token = apr_palloc(pool, strcspn(p, "/") + 1);
    for (; *p && *p != '/'; p++) {
        if (*p != '~') {
            *out++ = *p;
            continue;
        }
        p++;
        if (*p != '0' && *p != '1') {
            return NULL;
        }
        *out++ = *p == '0' ? '~' : '/';
    }
    *out = '\0';
    *ppointer = p;
    return token;
}

static int find_member(dsapi_json_slice_t *pvalue,
                       const dsapi_json_slice_t *object, const char *token,
                       apr_pool_t *pool)
{
    apr_size_t len = strlen(token);
    dsapi_json_iter_t iter = {NULL};
    dsapi_json_slice_t name;
    dsapi_json_slice_t value;

    while (next_raw(&name, &value, &iter, object)) {
        int same;

        if (memchr(name.p, '\\', name.len_bytes)) {
            same = strcmp(dsapi_json_text(&name, pool), token) == 0;
        }
        else {
            same = name.len_bytes - 2 == len &&
                   memcmp(name.p + 1, token, len) == 0;
        }
        if (same) {
            *pvalue = value;
            return 1;
        }
    }
    return 0;
}

static int find_item(dsapi_json_slice_t *pvalue,
                     const dsapi_json_slice_t *array, const char *token)
{
    apr_size_t len = strspn(token, "0123456789");
    dsapi_json_iter_t iter = {NULL};
    dsapi_json_slice_t value;
    apr_uint64_t index = 0;

    if (len == 0 || len > 18 || token[len] || (*token == '0' && len > 1)) {
        return 0;
    }
    for (; *token; token++) {
        index = index * 10 + (apr_uint64_t)(*token - '0');
    }
    while (dsapi_json_next_item(&value, &iter, array)) {
        if (index-- == 0) {
            *pvalue = value;
            return 1;
        }
    }
    return 0;
}

int dsapi_json_find(dsapi_json_slice_t *pvalue, const dsapi_json_slice_t *from,
                    const char *pointer, apr_pool_t *pool)
{
    dsapi_json_slice_t at = *from;

    while (*pointer) {
        const char *token = take_token(&pointer, pool);
        dsapi_json_slice_t next;
        int found = 0;

        if (token && at.kind == DSAPI_JSON_OBJECT) {
            found = find_member(&next, &at, token, pool);
        }
        else if (token && at.kind == DSAPI_JSON_ARRAY) {
            found = find_item(&next, &at, token);
        }
        if (!found) {
            return 0;
        }
        at = next;
    }
    *pvalue = at;
    return 1;
}

const char *dsapi_json_kind_name(dsapi_json_kind_e kind)
{
    switch (kind) {
    case DSAPI_JSON_NULL:
        return "null";
    case DSAPI_JSON_FALSE:
    case DSAPI_JSON_TRUE:
        return "a boolean";
    case DSAPI_JSON_NUMBER:
        return "a number";
    case DSAPI_JSON_STRING:
        return "a string";
    case DSAPI_JSON_ARRAY:
        return "an array";
    case DSAPI_JSON_OBJECT:
        break;
    }
    return "an object";
}
