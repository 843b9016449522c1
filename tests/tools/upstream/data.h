/* What the upstream stand-in has to tell. */
#ifndef UPSTREAM_DATA_H
#define UPSTREAM_DATA_H

#include <apr_hash.h>
#include <apr_pools.h>
#include <apr_tables.h>
#include <jansson.h>
#include <stddef.h>

typedef struct text_t {
    const char *p;
    size_t len;
} text_t;

/** A record as it stands in its file, and where its date begins. */
typedef struct record_t {
    text_t text;
    const char *day;
} record_t;

typedef struct country_t {
    text_t head; /* what stands before the records: "[", or more */
    text_t separator;
    text_t tail;
    apr_array_header_t *records; /* of record_t */
} country_t;

/** Say what is wrong with which, and end. */
void upstream_die(const char *what, const char *which)
    __attribute__((noreturn));

/** Does a day of the calendar, YYYY-MM-DD, stand here? */
int upstream_is_day(const char *s);

/** @return a file's bytes, in pool, with a NUL behind them */
text_t upstream_read_whole(const char *path, apr_pool_t *pool);

/** @return "COL" -> country_t, of the current folder's files, in pool */
apr_hash_t *upstream_regions(apr_pool_t *pool);

/** @return the countries of a file as REST Countries has it; lives for ever */
json_t *upstream_countries(const char *path);

/**
 * Answer as REST Countries v3.1 would, by its rules, which are told in
 * countries.c; threads may share the countries.
 * @param pstatus  out: of HTTP
 * @param path     "/v3.1/...", percent-encoded
 * @param query    with its '?'; "": none
 * @return JSON, in pool
 */
const char *upstream_country(int *pstatus, const json_t *countries,
                             const char *path, const char *query,
                             apr_pool_t *pool);

#endif
