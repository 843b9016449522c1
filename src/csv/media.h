/* The media type of CSV (RFC 7111, RFC 4180), and what it may say. */
#ifndef DSAPI_CSV_MEDIA_H
#define DSAPI_CSV_MEDIA_H

#include <apr_pools.h>

/**
 * Is a Content-Type that of CSV?
 * @param pwhy  out: what its parameters ask for that the reader does not do
 *              ("the charset of CSV must be UTF-8"), static; NULL: nothing
 * @param type  its value; NULL: none was sent
 * @param pool  for what is needed meanwhile
 * @return 1 or 0
 */
int dsapi_csv_is_media(const char **pwhy, const char *type, apr_pool_t *pool);

#endif
