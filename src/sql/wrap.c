/* Wrapping a statement: see wrap.h. */
#include "sql/wrap.h"

#include <apr_strings.h>
#include <string.h>

#include "sql/scan.h"

/* No table or WITH of anybody else is called so. */
#define ROW "\"dsapi row\""

static int is_word(const char *word, const char *token, const char *end)
{
    apr_size_t len = strlen(word);

    return (apr_size_t)(end - token) == len &&
           strncasecmp(token, word, len) == 0;
}

static int can_stand_in_with(const char *token, const char *end)
{
    static const char *const words[] = {"(",      "select", "values",
                                        "table",  "with",   "insert",
                                        "update", "delete", "merge"};

    for (apr_size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (is_word(words[i], token, end)) {
            return 1;
        }
    }
    return 0;
}

/* Where the statement begins that p's WITH belongs to: what follows a closing
 * bracket and does not go on with the WITH. @return NULL: that has a SEARCH or
 * a CYCLE, whose columns its other parts do not see */
static const char *skip_with(const char *p)
{
    const char *end = p;
    int depth = 0;
    int closed = 0; /* the token before was the last of an outer bracket */

    for (;;) {
        const char *token = dsapi_sql_token(&end, end);

        if (closed &&
            (is_word("search", token, end) || is_word("cycle", token, end))) {
            return NULL;
        }
        if (!*token ||
            (closed && *token != ',' && !is_word("as", token, end))) {
            return token;
        }
        depth += (*token == '(') - (*token == ')');
        closed = *token == ')' && depth == 0;
    }
}

static void put(dsapi_buf_t *buf, const char *text)
{
    dsapi_buf_put(buf, text, strlen(text));
}

void dsapi_sql_put_name(dsapi_buf_t *buf, const char *name)
{
    dsapi_buf_putc(buf, '"');
    for (; *name; name++) {
        if (*name == '"') {
            dsapi_buf_putc(buf, '"');
        }
        dsapi_buf_putc(buf, *name);
    }
    dsapi_buf_putc(buf, '"');
}

/* The column's name inside: its own may stand there twice. */
static void put_column(dsapi_buf_t *buf, int column)
{
    char name[16];

    apr_snprintf(name, sizeof(name), "c%d", column + 1);
    put(buf, name);
}

static void put_columns(dsapi_buf_t *buf, const char *const *names,
                        const char *made, int ncolumns)
{
    for (int i = 0; i < ncolumns; i++) {
        put(buf, i ? "," : "");
        put(buf, made[i] ? "pg_catalog.to_json(" : "");
        put_column(buf, i);
        put(buf, made[i] ? ") AS " : " AS ");
        dsapi_sql_put_name(buf, names[i]);
    }
}

const char *dsapi_sql_wrap(const char *text, const char *const *names,
                           const char *made, int ncolumns, apr_pool_t *pool)
{
    dsapi_buf_t *buf = dsapi_buf_make(strlen(text) * 2 + 64, pool);
    const char *end;
    const char *start = dsapi_sql_token(&end, text);
    const char *main = is_word("with", start, end) ? skip_with(end) : NULL;
    int with = main != NULL;

    main = dsapi_sql_token(&end, with ? main : start);
    if (!can_stand_in_with(main, end)) {
        return NULL;
    }
    dsapi_buf_put(buf, text, (apr_size_t)(main - text));
    put(buf, with ? "," ROW "(" : "WITH " ROW "(");
    for (int i = 0; i < ncolumns; i++) {
        put(buf, i ? "," : "");
        put_column(buf, i);
    }
    put(buf, ") AS (");
    put(buf, main);
    put(buf, "\n) SELECT "); /* it may end with a comment */
    put_columns(buf, names, made, ncolumns);
    put(buf, " FROM " ROW);
    return dsapi_buf_str(buf);
}
