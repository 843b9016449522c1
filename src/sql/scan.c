/* The SQL scanner: see scan.h. */
#include "sql/scan.h"

#include <apr_strings.h>
#include <string.h>
#include <strings.h>

#include "json/buf.h"

typedef struct scan_t {
    const char *start;
    const char *p;
    const char *copied; /* what lies before it is in out already */
    dsapi_buf_t *out;
    apr_array_header_t *names; /* of const char *: this statement's */
    apr_array_header_t *statements;
    int has_token; /* this statement is more than blanks and comments */
    int depth;     /* of its round brackets that are open */
    apr_pool_t *result_pool;
} scan_t;

static int is_name_start(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
           (unsigned char)c >= 0x80;
}

static int is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static int is_name(char c)
{
    return is_name_start(c) || is_digit(c);
}

static int is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '\f' ||
           c == '\v';
}

static int line_of(const scan_t *s)
{
    int line = 1;

    for (const char *p = s->start; p < s->p; p++) {
        line += *p == '\n';
    }
    return line;
}

/* The end of a quoted text that begins at p; NULL: it does not end. */
static const char *skip_quoted(const char *p, char quote, int backslash)
{
    for (p++; *p; p++) {
        if (*p == '\\' && backslash && p[1]) {
            p++;
        }
        else if (*p == quote) {
            if (p[1] != quote) {
                return p + 1;
            }
            p++;
        }
    }
    return NULL;
}

static const char *skip_line_comment(const char *p)
{
    return p + strcspn(p, "\r\n");
}

/* Where a string is continued: 'a', a line's end, 'b'. NULL: it is not. */
static const char *continued_at(const char *p)
{
    int lines = 0;

    for (;;) {
        if (is_blank(*p)) {
            lines += *p == '\n' || *p == '\r';
            p++;
        }
        else if (p[0] == '-' && p[1] == '-') {
            p = skip_line_comment(p);
        }
        else {
            return *p == '\'' && lines ? p : NULL;
        }
    }
}

/* The end of an E'' string, p at its quote; what continues it has escapes,
 * too. */
static const char *skip_escaped(const char *p)
{
    const char *end = NULL;

    while (p) {
        end = skip_quoted(p, '\'', 1);
        p = end ? continued_at(end) : NULL;
    }
    return end;
}

/* The end of a block comment, which may hold others. */
static const char *skip_block_comment(const char *p)
{
    int depth = 0;

    while (*p) {
        if (p[0] == '/' && p[1] == '*') {
            depth++;
            p += 2;
        }
        else if (p[0] == '*' && p[1] == '/') {
            p += 2;
            if (--depth == 0) {
                return p;
            }
        }
        else {
            p++;
        }
    }
    return NULL;
}

/* The length of a dollar quote's tag with both dollars; 0: it is none. */
static apr_size_t dollar_tag(const char *p)
{
    const char *q = p + 1;

    if (is_name_start(*q)) {
        while (is_name(*q)) {
            q++;
        }
    }
    return *q == '$' ? (apr_size_t)(q + 1 - p) : 0;
}

static const char *skip_dollar_quoted(const char *p, apr_size_t tag_len)
{
    for (const char *q = p + tag_len; *q; q++) {
        if (*q == '$' && strncmp(q, p, tag_len) == 0) {
            return q + tag_len;
        }
    }
    return NULL;
}

static int index_of_name(scan_t *s, const char *name, apr_size_t len)
{
    for (int i = 0; i < s->names->nelts; i++) {
        const char *have = APR_ARRAY_IDX(s->names, i, const char *);

        if (strncmp(have, name, len) == 0 && have[len] == '\0') {
            return i;
        }
    }
    APR_ARRAY_PUSH(s->names, const char *) =
        apr_pstrmemdup(s->result_pool, name, len);
    return s->names->nelts - 1;
}

static void copy_until(scan_t *s, const char *end)
{
    dsapi_buf_put(s->out, s->copied, (apr_size_t)(end - s->copied));
    s->copied = end;
}

/* s->p stands on the colon of a name. */
static void take_name(scan_t *s)
{
    const char *name = s->p + 1;
    const char *end = name;
    const char *number;

    while (is_name(*end)) {
        end++;
    }
    copy_until(s, s->p);
    if (s->p > s->start && (is_name(s->p[-1]) || s->p[-1] == '$')) {
        dsapi_buf_putc(s->out, ' '); /* LIMIT$1 would be a word */
    }
    number = apr_psprintf(s->out->pool, "$%d",
                          index_of_name(s, name, (apr_size_t)(end - name)) + 1);
    dsapi_buf_put(s->out, number, strlen(number));
    s->copied = s->p = end;
}

static apr_uint64_t hash_of(const char *text)
{
    apr_uint64_t h = APR_UINT64_C(14695981039346656037);

    for (; *text; text++) {
        h = (h ^ (unsigned char)*text) * APR_UINT64_C(1099511628211);
    }
    return h;
}

/* Ends the statement before s->p and starts the next. */
static void end_statement(scan_t *s)
{
    copy_until(s, s->p);
    if (s->has_token) {
        dsapi_sql_t *sql = apr_pcalloc(s->result_pool, sizeof(*sql));
        char *text =
            apr_pstrmemdup(s->result_pool, s->out->data, s->out->len_bytes);

        sql->text = text;
        sql->nparams = s->names->nelts;
        sql->names = apr_pmemdup(s->result_pool, s->names->elts,
                                 sizeof(char *) * (apr_size_t)sql->nparams);
        sql->hash = hash_of(text);
        APR_ARRAY_PUSH(s->statements, dsapi_sql_t *) = sql;
    }
    s->out->len_bytes = 0;
    s->names->nelts = 0;
    s->has_token = 0;
    s->depth = 0;
}

/* The steps return what is wrong with the token at s->p; NULL: nothing, and
 * s->p is behind it. */

static const char *step_over(scan_t *s, const char *end, const char *what)
{
    if (!end) {
        return apr_pstrcat(s->out->pool, what, " begins here and does not end",
                           NULL);
    }
    s->p = end;
    return NULL;
}

static const char *check_length(apr_size_t len_bytes)
{
    return len_bytes > DSAPI_SQL_NAME_MAX_BYTES ? "a name of over 63 bytes, "
                                                  "which PostgreSQL would cut "
                                                  "off"
                                                : NULL;
}

static const char *step_over_quoted_name(scan_t *s)
{
    const char *start = s->p;
    const char *mistake =
        step_over(s, skip_quoted(start, '"', 0), "a quoted identifier");
    apr_size_t len = 0;

    if (mistake) {
        return mistake;
    }
    for (const char *p = start + 1; p < s->p - 1; p++) {
        p += *p == '"'; /* doubled */
        len++;
    }
    mistake = check_length(len);
    if (mistake) {
        s->p = start;
    }
    return mistake;
}

/* A keyword or an identifier, which may hold '$'; or an E'' string. */
static const char *step_over_word(scan_t *s)
{
    const char *end = s->p;
    const char *mistake;

    if ((*end == 'e' || *end == 'E') && end[1] == '\'') {
        return step_over(s, skip_escaped(end + 1), "a string");
    }
    while (is_name(*end) || *end == '$') {
        end++;
    }
    mistake = check_length((apr_size_t)(end - s->p));
    if (!mistake) {
        s->p = end;
    }
    return mistake;
}

static const char *step_over_dollar(scan_t *s)
{
    apr_size_t tag_len = dollar_tag(s->p);

    if (is_digit(s->p[1])) {
        return apr_psprintf(s->out->pool,
                            "'$%c' is not known here; write :name for a "
                            "parameter",
                            s->p[1]);
    }
    return step_over(s, tag_len ? skip_dollar_quoted(s->p, tag_len) : s->p + 1,
                     "a dollar-quoted string");
}

/* A blank or a comment. @return 1: one was there; *pmistake may be set */
static int step_over_blank(const char **pmistake, scan_t *s)
{
    const char *p = s->p;

    if (is_blank(*p)) {
        s->p++;
    }
    else if (p[0] == '-' && p[1] == '-') {
        s->p = skip_line_comment(p);
    }
    else if (p[0] == '/' && p[1] == '*') {
        *pmistake = step_over(s, skip_block_comment(p), "a comment");
    }
    else {
        return 0;
    }
    return 1;
}

static const char *step(scan_t *s)
{
    const char *p = s->p;
    const char *mistake = NULL;

    if (step_over_blank(&mistake, s)) {
        return mistake;
    }
    if (*p == ';' && s->depth == 0) {
        end_statement(s);
        s->copied = ++s->p;
        return NULL;
    }
    s->has_token = 1;
    if (is_name_start(*p)) {
        return step_over_word(s);
    }
    if (*p == '\'') {
        return step_over(s, skip_quoted(p, '\'', 0), "a string");
    }
    if (*p == '"') {
        return step_over_quoted_name(s);
    }
    if (*p == '$') {
        return step_over_dollar(s);
    }
    if (p[0] == ':' && is_name_start(p[1])) {
        take_name(s);
        return NULL;
    }
    s->depth += (*p == '(') - (*p == ')' && s->depth > 0);
    s->p += p[0] == ':' && (p[1] == ':' || p[1] == '=') ? 2 : 1;
    return NULL;
}

apr_status_t dsapi_sql_parse(apr_array_header_t **pstatements,
                             dsapi_err_t **perr, const char *text,
                             apr_pool_t *result_pool, apr_pool_t *scratch_pool)
{
    scan_t s = {text, text, text, NULL, NULL, NULL, 0, 0, result_pool};

    *pstatements = NULL;
    *perr = NULL;
    s.out = dsapi_buf_make(strlen(text) + 64, scratch_pool);
    s.names = apr_array_make(scratch_pool, 8, sizeof(const char *));
    s.statements = apr_array_make(result_pool, 2, sizeof(dsapi_sql_t *));
    while (*s.p) {
        const char *mistake = step(&s);

        if (mistake) {
            return dsapi_fail(perr, result_pool, DSAPI_ESYNTAX, "sql",
                              "line %d: %s", line_of(&s), mistake);
        }
    }
    end_statement(&s);
    if (s.statements->nelts == 0) {
        return dsapi_fail(perr, result_pool, DSAPI_ESYNTAX, "sql",
                          "there is no SQL statement in it");
    }
    *pstatements = s.statements;
    return APR_SUCCESS;
}

dsapi_sql_t *dsapi_sql_literal(const char *text, int nparams, apr_pool_t *pool)
{
    dsapi_sql_t *sql = apr_pcalloc(pool, sizeof(*sql));

    sql->text = text;
    sql->nparams = nparams;
    sql->hash = hash_of(text);
    return sql;
}

/* The end of the token that begins at p; NULL: it does not end. */
static const char *token_end(const char *p)
{
    apr_size_t tag_len = *p == '$' ? dollar_tag(p) : 0;
    const char *end = p;

    if ((*p == 'e' || *p == 'E') && p[1] == '\'') {
        return skip_escaped(p + 1);
    }
    if (*p == '\'' || *p == '"') {
        return skip_quoted(p, *p, 0);
    }
    if (tag_len) {
        return skip_dollar_quoted(p, tag_len);
    }
    if (!is_name_start(*p)) {
        return p + 1;
    }
    while (is_name(*end) || *end == '$') {
        end++;
    }
    return end;
}

/* The end of the blank or comment at p; p: there is none; NULL: it does not
 * end. */
static const char *skip_blank(const char *p)
{
    if (is_blank(*p)) {
        return p + 1;
    }
    if (p[0] == '-' && p[1] == '-') {
        return skip_line_comment(p);
    }
    return p[0] == '/' && p[1] == '*' ? skip_block_comment(p) : p;
}

const char *dsapi_sql_token(const char **pend, const char *p)
{
    const char *end = skip_blank(p);

    while (end && end != p) {
        p = end;
        end = skip_blank(p);
    }
    if (end && *p) {
        end = token_end(p);
    }
    *pend = end ? end : p + strlen(p);
    return p;
}

static int is_word(const char *word, const char *end, const char *want)
{
    apr_size_t len = (apr_size_t)(end - word);

    return strlen(want) == len && strncasecmp(word, want, len) == 0;
}

dsapi_sql_kind_e dsapi_sql_kind(const dsapi_sql_t *sql)
{
    static const char *const words[] = {"BEGIN",     "START",    "COMMIT",
                                        "END",       "ROLLBACK", "ABORT",
                                        "SAVEPOINT", "RELEASE"};
    const char *end;
    const char *word = dsapi_sql_token(&end, sql->text);

    for (apr_size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (is_word(word, end, words[i])) {
            return DSAPI_SQL_TRANSACTION;
        }
    }
    if (is_word(word, end, "CALL") || is_word(word, end, "DO")) {
        return DSAPI_SQL_PROCEDURE;
    }
    if (is_word(word, end, "PREPARE")) { /* or a statement's name follows */
        word = dsapi_sql_token(&end, end);
        if (is_word(word, end, "TRANSACTION")) {
            return DSAPI_SQL_TRANSACTION;
        }
    }
    return DSAPI_SQL_PLAIN;
}
