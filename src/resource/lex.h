/*
 * The words of PostgREST's query language, read one by one. What fails fills
 * the error (PGRST100) and returns 0; it says where, and what would be right,
 * in the words of PostgREST.
 */
#ifndef DSAPI_RESOURCE_LEX_H
#define DSAPI_RESOURCE_LEX_H

#include <apr_pools.h>

#include "base/error.h"
#include "resource/query.h"

/** A text that is being read. */
typedef struct dsapi_lex_t {
    const char *what; /* "failed to parse filter" */
    const char *text;
    const char *p;
    int before;         /* characters that PostgREST has before the text */
    int depth;          /* brackets that are open */
    dsapi_err_t **perr; /* NULL: an attempt, of which nothing is told */
    apr_pool_t *pool;
} dsapi_lex_t;

/** Begin to read. @param text  borrowed for the life of what is read */
void dsapi_lex_init(dsapi_lex_t *lex, dsapi_err_t **perr, const char *what,
                    const char *text, apr_pool_t *pool);

/** Fill the error. @param at  where in the text; @param expecting  what would
 *  be right there @return 0 */
int dsapi_lex_fail(dsapi_lex_t *lex, const char *at, const char *expecting);

/** The same, of a text that begins like a word: what is told is where it ceases
 *  to. */
int dsapi_lex_fail_word(dsapi_lex_t *lex, const char *at, const char *word,
                        const char *expecting);

/** Take a literal, if it is next. @return 1; 0: something else is (no error) */
int dsapi_lex_take(dsapi_lex_t *lex, const char *literal);

/** Pass over blanks. */
void dsapi_lex_blanks(dsapi_lex_t *lex);

/** Take a literal with blanks around it, or fail. */
int dsapi_lex_expect(dsapi_lex_t *lex, const char *literal,
                     const char *expecting);

/** Go one level deeper, or fail. */
int dsapi_lex_descend(dsapi_lex_t *lex);

/** Take a quoted text: "..." with backslashes; fails where no quote is. */
int dsapi_lex_quoted(const char **ptext, dsapi_lex_t *lex);

/** Take a name: letters, digits, '_', '$', blanks inside, hyphens; or quoted.
 *  @param pname  out: in the pool */
int dsapi_lex_name(const char **pname, dsapi_lex_t *lex);

/** Take an identifier without hyphens and quotes (a type, a language). */
int dsapi_lex_word(const char **pword, dsapi_lex_t *lex);

/** Take a name and its path, with blanks around them. */
int dsapi_lex_field(dsapi_res_field_t *pfield, dsapi_lex_t *lex);

/** Take a path, which may be empty (*ppath is NULL then). */
int dsapi_lex_path(apr_array_header_t **ppath, dsapi_lex_t *lex);

/** Take names with commas between. @param pnames  out: of const char * */
int dsapi_lex_names(apr_array_header_t **pnames, dsapi_lex_t *lex);

/** The text must be over here. */
int dsapi_lex_end(dsapi_lex_t *lex, const char *expecting);

#endif
