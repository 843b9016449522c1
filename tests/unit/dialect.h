/* Queries in PostgREST's language over the resources of unit/shop.h, made up
 * at random. */
#ifndef DSAPI_TESTS_DIALECT_H
#define DSAPI_TESTS_DIALECT_H

#include <apr_tables.h>

#include "unit/fuzz.h"

/** The language's words, ended by NULL. */
extern const char *const dialect_words[];

/**
 * A query that PostgreSQL takes, whatever is in the tables.
 * @param presource  out: whom it asks
 * @return of dsapi_pair_t, in g_scratch
 */
apr_array_header_t *dialect_query(const char **presource, fuzz_t *fuzz);

/** A body for a change of that resource: JSON, in g_scratch.
 *  @param least  members it has at least */
const char *dialect_body(fuzz_t *fuzz, const char *resource, int least);

/** Spoil one of a query's names or values, which stays UTF-8. */
void dialect_spoil(fuzz_t *fuzz, apr_array_header_t *pairs);

/** @return the query as one line, for a message; in g_scratch */
const char *dialect_text(const apr_array_header_t *pairs);

#endif
