/* A query of resource/query.h as one line of text. */
#ifndef DSAPI_TESTS_AST_H
#define DSAPI_TESTS_AST_H

#include "resource/query.h"

/** Parse "select=a&id=eq.1".
 *  @return the query as text; "code: message; details; hint": an error */
const char *ast_parse(const char *query);

/** The pairs of a query string; the test fails where there are none. */
apr_array_header_t *ast_pairs(const char *query);

/** An error of the dialect as text. */
const char *ast_error(const dsapi_err_t *err);

#endif
