/* A place where a byte read beyond a text is seen, with ASan or without. */
#ifndef DSAPI_TESTS_EDGE_H
#define DSAPI_TESTS_EDGE_H

#include <apr.h>

#define UNIT_EDGE_BYTES 65536

/**
 * Copy a text to where no memory is behind it.
 * @param len  at most UNIT_EDGE_BYTES
 * @return the copy, good until the next call
 */
char *unit_at_the_edge(const char *text, apr_size_t len);

#endif
