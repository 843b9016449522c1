/* The words of the query language: see lex.h. */
#include "resource/lex.h"

#include <apr_lib.h>
#include <apr_strings.h>
#include <string.h>

#include "base/text.h"
#include "resource/problem.h"

#define NAME_EXPECTED "field name (* or [a..z0..9_$])"
#define KEY_EXPECTED  "any non reserved character different from: .,>()"

void dsapi_lex_init(dsapi_lex_t *lex, dsapi_err_t **perr, const char *what,
                    const char *text, apr_pool_t *pool)
{
    memset(lex, 0, sizeof(*lex));
    lex->what = what;
    lex->text = lex->p = text;
    lex->perr = perr;
    lex->pool = pool;
}

/* Columns count characters, from 1. */
static int column_of(const char *text, const char *at)
{
    int column = 1;

    for (; text < at; text++) {
        column += ((unsigned char)*text & 0xC0) != 0x80;
    }
    return column;
}

int dsapi_lex_fail(dsapi_lex_t *lex, const char *at, const char *expecting)
{
    return dsapi_lex_fail_word(lex, at, "", expecting);
}

int dsapi_lex_fail_word(dsapi_lex_t *lex, const char *at, const char *word,
                        const char *expecting)
{
    const char *found = "end of input";
    const char *wrong = at;

    if (!lex->perr) {
        return 0;
    }
    for (; *word && *wrong == *word; word++) {
        wrong++;
    }
    if (*wrong) {
        apr_size_t len = dsapi_base_utf8_length(wrong, strlen(wrong));

        found = apr_psprintf(lex->pool, "\"%.*s\"", len ? (int)len : 1, wrong);
    }
    dsapi_resource_fail(lex->perr, lex->pool, 400, "PGRST100",
                        "\"%s (%s)\" (line 1, column %d)", lex->what, lex->text,
                        lex->before + column_of(lex->text, at));
    dsapi_resource_details(*lex->perr, lex->pool, "unexpected %s expecting %s",
                           found, expecting);
    return 0;
}

int dsapi_lex_take(dsapi_lex_t *lex, const char *literal)
{
    apr_size_t len = strlen(literal);

    if (strncmp(lex->p, literal, len) != 0) {
        return 0;
    }
    lex->p += len;
    return 1;
}

void dsapi_lex_blanks(dsapi_lex_t *lex)
{
    lex->p += strspn(lex->p, " \t");
}

int dsapi_lex_expect(dsapi_lex_t *lex, const char *literal,
                     const char *expecting)
{
    dsapi_lex_blanks(lex);
    if (!dsapi_lex_take(lex, literal)) {
        return dsapi_lex_fail(lex, lex->p, expecting);
    }
    dsapi_lex_blanks(lex);
    return 1;
}

int dsapi_lex_descend(dsapi_lex_t *lex)
{
    return ++lex->depth <= DSAPI_RES_DEPTH_MAX
               ? 1
               : dsapi_lex_fail(lex, lex->p, "fewer brackets that are open");
}

int dsapi_lex_quoted(const char **ptext, dsapi_lex_t *lex)
{
    const char *begin = lex->p + 1;
    const char *p = begin;
    char *end;

    if (*lex->p != '"') {
        return dsapi_lex_fail(lex, lex->p, "\"\\\"\"");
    }
    while (*p && *p != '"') {
        p += *p == '\\' && p[1] ? 2 : 1;
    }
    if (!*p) {
        return dsapi_lex_fail(lex, p, "\"\\\"\"");
    }
    *ptext = end = apr_palloc(lex->pool, (apr_size_t)(p - begin) + 1);
    for (; begin < p; begin++) {
        begin += *begin == '\\';
        *end++ = *begin;
    }
    *end = '\0';
    lex->p = p + 1;
    return 1;
}

static int is_name_char(char c)
{
    return apr_isalnum(c) || ((unsigned char)c & 0x80) ||
           (c && strchr("_ $", c) != NULL);
}

static int is_key_char(char c)
{
    return c && !strchr("(-:.,>)", c);
}

/* Characters of a kind, without the blanks around them. */
static int take_run(const char **ptext, dsapi_lex_t *lex, int (*is)(char),
                    const char *expecting)
{
    const char *begin = lex->p;
    const char *end = begin;

    while (is(*end)) {
        end++;
    }
    if (end == begin) {
        return dsapi_lex_fail(lex, begin, expecting);
    }
    lex->p = end;
    while (begin < end && *begin == ' ') {
        begin++;
    }
    while (end > begin && end[-1] == ' ') {
        end--;
    }
    *ptext = apr_pstrmemdup(lex->pool, begin, (apr_size_t)(end - begin));
    return 1;
}

/* Such runs with hyphens between, or a quoted text. A hyphen that begins an
 * arrow is none. */
static int take_dashed(const char **ptext, dsapi_lex_t *lex, int (*is)(char),
                       const char *expecting)
{
    const char *part;

    if (*lex->p == '"') {
        return dsapi_lex_quoted(ptext, lex);
    }
    if (!take_run(ptext, lex, is, expecting)) {
        return 0;
    }
    while (lex->p[0] == '-' && lex->p[1] != '>') {
        lex->p++;
        if (!take_run(&part, lex, is, expecting)) {
            return 0;
        }
        *ptext = apr_pstrcat(lex->pool, *ptext, "-", part, NULL);
    }
    return 1;
}

int dsapi_lex_name(const char **pname, dsapi_lex_t *lex)
{
    return take_dashed(pname, lex, is_name_char, NAME_EXPECTED);
}

int dsapi_lex_word(const char **pword, dsapi_lex_t *lex)
{
    return take_run(pword, lex, is_name_char, "letter or digit");
}

/* Is this where an index of an array ends? */
static int ends_index(const char *p)
{
    return !*p || strchr(".,)", *p) || strncmp(p, "->", 2) == 0 ||
           strncmp(p, "::", 2) == 0;
}

static int take_step(dsapi_res_step_t *step, dsapi_lex_t *lex)
{
    const char *digits = lex->p + (*lex->p == '-');
    const char *end = digits;

    while (apr_isdigit(*end)) {
        end++;
    }
    step->is_index = end > digits && end - digits < 10 && ends_index(end);
    if (step->is_index) {
        step->key =
            apr_pstrmemdup(lex->pool, lex->p, (apr_size_t)(end - lex->p));
        lex->p = end;
        return 1;
    }
    return take_dashed(&step->key, lex, is_key_char, KEY_EXPECTED);
}

int dsapi_lex_path(apr_array_header_t **ppath, dsapi_lex_t *lex)
{
    *ppath = NULL;
    while (dsapi_lex_take(lex, "->")) {
        dsapi_res_step_t *step;

        if (!*ppath) {
            *ppath = apr_array_make(lex->pool, 2, sizeof(dsapi_res_step_t));
        }
        step = apr_array_push(*ppath);
        step->as_text = dsapi_lex_take(lex, ">");
        if (!take_step(step, lex)) {
            return 0;
        }
    }
    return 1;
}

int dsapi_lex_field(dsapi_res_field_t *pfield, dsapi_lex_t *lex)
{
    dsapi_lex_blanks(lex);
    if (!dsapi_lex_name(&pfield->name, lex) ||
        !dsapi_lex_path(&pfield->path, lex)) {
        return 0;
    }
    dsapi_lex_blanks(lex);
    return 1;
}

int dsapi_lex_names(apr_array_header_t **pnames, dsapi_lex_t *lex)
{
    *pnames = apr_array_make(lex->pool, 4, sizeof(const char *));
    do {
        dsapi_lex_blanks(lex);
        if (!dsapi_lex_name((const char **)apr_array_push(*pnames), lex)) {
            return 0;
        }
        dsapi_lex_blanks(lex);
    } while (dsapi_lex_take(lex, ","));
    return dsapi_lex_end(lex, "\",\" or end of input");
}

int dsapi_lex_end(dsapi_lex_t *lex, const char *expecting)
{
    return *lex->p ? dsapi_lex_fail(lex, lex->p, expecting) : 1;
}
