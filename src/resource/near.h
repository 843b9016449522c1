/*
 * Names that are nearly those that a client has written, for hints. What is
 * offered is what the caller gives: names that clients may see.
 */
#ifndef DSAPI_RESOURCE_NEAR_H
#define DSAPI_RESOURCE_NEAR_H

#include <apr_pools.h>
#include <apr_tables.h>

/** Longer texts have no near ones. */
#define DSAPI_NEAR_MAX_BYTES 512

/** Among so many tables none is looked for: it would take too long. */
#define DSAPI_NEAR_TABLES_MAX 500

/** How alike a table or a function must be, and anything else; as PostgREST. */
#define DSAPI_NEAR_NAME_PERCENT 75
#define DSAPI_NEAR_ELSE_PERCENT 33

/**
 * The nearest name as PostgREST 16 finds it: with a sequence of three (else of
 * two) letters in common, of those the one in which the smallest part of the
 * letters has to be changed. Case is ignored.
 * @param names   of const char *
 * @param percent how much of the letters must be right: 1 to 100
 * @return one of names; NULL: none is near enough
 */
const char *dsapi_near_name(const apr_array_header_t *names, const char *wanted,
                            int percent, apr_pool_t *pool);

/**
 * The nearest columns as PostgreSQL finds them: at most three letters are
 * wrong, and half of all.
 * @param pfirst   out: one of names; NULL: none
 * @param psecond  out: another that is as near; NULL: none. Of three there are
 *                 none at all
 * @param names    of const char *
 */
void dsapi_near_columns(const char **pfirst, const char **psecond,
                        const apr_array_header_t *names, const char *wanted,
                        apr_pool_t *pool);

#endif
