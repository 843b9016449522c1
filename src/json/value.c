/*
 * Reading JSON by slices. Nothing here looks for mistakes: a slice only ever
 * comes from a text that was checked, and a container's closing bracket ends
 * every search inside it.
 */
#include "json/value.h"

#include <apr_strings.h>
#include <string.h>

#include "json/chars.h"
#include "json/check.h"

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

apr_status_t dsapi_json_check(dsapi_json_slice_t *pslice, dsapi_err_t **perr,
                              const char *text, apr_size_t len_bytes,
                              apr_pool_t *pool)
{
    const char *mistake = dsapi_json_mistake(text, len_bytes, pool);

    if (perr) {
        *perr = NULL;
    }
    if (mistake) {
        return dsapi_fail(perr, pool, DSAPI_ESYNTAX, "not-json", "not JSON: %s",
                          mistake);
    }
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
            out = dsapi_json_unescape(out, &p);
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
