/*
 * Is this JSON? One pass over the text, without recursion and without a tree:
 * memory is taken for the containers that are open and the names of their
 * members, 16 bytes each.
 */
#ifndef DSAPI_JSON_CHECK_H
#define DSAPI_JSON_CHECK_H

#include <apr_pools.h>

/** How many arrays and objects may be open at a time. */
#define DSAPI_JSON_LEVELS_MAX 2048

/**
 * Find what makes a text no JSON: RFC 8259, well-formed UTF-8 without a byte
 * order mark, surrogates in pairs, no NUL (\u0000 neither), no number that
 * rounds beyond what a double has, no name twice in an object (compared
 * decoded), at most DSAPI_JSON_LEVELS_MAX levels. Time is O(n log n),
 * whatever the text is. Any thread.
 * @param text       need not end in NUL; may be NULL if len_bytes is 0
 * @return what is wrong, and where ("line 1, column 5: invalid token near
 *         'x'"; columns count characters), UTF-8 without control characters,
 *         at most 200 bytes, in pool; NULL: it is JSON
 */
const char *dsapi_json_mistake(const char *text, apr_size_t len_bytes,
                               apr_pool_t *pool);

#endif
