/*
 * Types of parameters: what a client may send, checked in C before any SQL
 * runs, and what is bound for it.
 */
#ifndef DSAPI_BASE_TYPE_H
#define DSAPI_BASE_TYPE_H

#include <apr_pools.h>
#include <apr_tables.h>
#include <apr_time.h>

#include "base/error.h"

typedef enum dsapi_type_e {
    DSAPI_TYPE_TEXT,      /* any UTF-8 without NUL -> text */
    DSAPI_TYPE_INT,       /* 32 bits, signed -> integer */
    DSAPI_TYPE_BIGINT,    /* 64 bits, signed -> bigint */
    DSAPI_TYPE_NUMBER,    /* JSON number grammar -> numeric */
    DSAPI_TYPE_BOOL,      /* true|false (1|0 too) -> boolean */
    DSAPI_TYPE_DATE,      /* YYYY-MM-DD, a day that exists, 0001..9999 */
    DSAPI_TYPE_TIMESTAMP, /* RFC 3339; no offset means UTC -> timestamptz */
    DSAPI_TYPE_UUID,      /* RFC 9562 text form, any case -> uuid */
    DSAPI_TYPE_ISO2,      /* ISO 3166-1 alpha-2, any case -> upper case */
    DSAPI_TYPE_ISO3,      /* ISO 3166-1 alpha-3, any case -> upper case */
    DSAPI_TYPE_SLUG,      /* a-z 0-9, single '-' between; any case -> lower */
    DSAPI_TYPE_TZ,        /* IANA zone name form ("Europe/Madrid") -> text */
    DSAPI_TYPE_JSON       /* any JSON -> json */
} dsapi_type_e;

typedef struct dsapi_type_t {
    dsapi_type_e kind;
    int is_array; /* type[]: a comma list in a URL, an array in a body */
} dsapi_type_t;

/**
 * Parse a type's name as a directive writes it ("date", "iso3[]").
 * @return APR_SUCCESS; DSAPI_ESYNTAX: no such type (type untouched)
 */
apr_status_t dsapi_base_type_parse(dsapi_type_t *ptype, const char *word);

/** @return the name of a type ("iso3[]"), in pool or static */
const char *dsapi_base_type_name(dsapi_type_t type, apr_pool_t *pool);

/** @return "text int bigint ...": every scalar type's name, static */
const char *dsapi_base_type_names(void);

/** @return the OID of the PostgreSQL type that is bound (pg_type.dat) */
unsigned dsapi_base_type_oid(dsapi_type_t type);

/**
 * Check one scalar value and bring it into the form that is bound.
 * The array flag of the type is ignored.
 * JSON text is returned as it is: base has no JSON parser, so the caller has
 * checked it already.
 * @param pvalue  out: canonical text, in pool, static, or text itself; NULL
 *                on error
 * @param pwhy    out: what would be right ("must be a day that exists, as
 *                YYYY-MM-DD"), in pool or static; NULL on success
 * @param text    NUL-terminated; DSAPI_TYPE_TEXT checks that it is UTF-8
 * @return APR_SUCCESS; DSAPI_EPARAM
 */
apr_status_t dsapi_base_type_check(const char **pvalue, const char **pwhy,
                                   dsapi_type_t type, const char *text,
                                   apr_pool_t *pool);

/**
 * Compare two canonical scalar values of one type: numbers by value (exactly,
 * whatever their length), timestamps as instants, all else by bytes.
 * @return < 0, 0 or > 0
 */
int dsapi_base_type_compare(dsapi_type_t type, const char *a, const char *b);

/**
 * The instant of a timestamp.
 * @param pinstant  out: microseconds since 1970-01-01T00:00:00Z; untouched on
 *                  error
 * @param text      as dsapi_base_type_check takes it
 * @return APR_SUCCESS; DSAPI_EPARAM
 */
apr_status_t dsapi_base_type_instant(apr_time_t *pinstant, const char *text);

/**
 * Make a PostgreSQL array literal ('{"a","b"}') of canonical items.
 * @param items  of const char *; NULL is SQL NULL
 * @return the literal, in pool
 */
const char *dsapi_base_array_literal(const apr_array_header_t *items,
                                     apr_pool_t *pool);

#endif
