/*
 * Arguments of a directive: words and key=value, separated by blanks.
 * A value or a word with blanks stands in double or single quotes; inside
 * double quotes a backslash keeps the next '"' or backslash. Inside a bare
 * word a quote or a backslash is a character like others. A key is a
 * letter, '_' or '@' followed by letters, digits, '_', '-', '.' or '@'.
 */
#ifndef DSAPI_BASE_ARGS_H
#define DSAPI_BASE_ARGS_H

#include <apr_pools.h>
#include <apr_tables.h>

#include "base/error.h"

/** One argument. A word that begins with a quote never has a key. */
typedef struct dsapi_arg_t {
    const char *key; /* NULL: a word */
    const char *value;
    int quoted; /* the value stood in quotes */
} dsapi_arg_t;

/**
 * Split a directive's arguments.
 * @param pargs  out: array of dsapi_arg_t, in pool; NULL on error
 * @param perr   out: what is wrong, in pool; NULL on success
 * @param line   borrowed for the call
 * @return APR_SUCCESS; DSAPI_ESYNTAX: an open quote, or text right behind a
 *         closing one
 */
apr_status_t dsapi_base_args_parse(apr_array_header_t **pargs,
                                   dsapi_err_t **perr, const char *line,
                                   apr_pool_t *pool);

#endif
