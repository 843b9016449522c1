/*
 * Which form an answer has: content negotiation by Accept (RFC 9110, 12.5.1).
 */
#ifndef DSAPI_ROUTE_ACCEPT_H
#define DSAPI_ROUTE_ACCEPT_H

#include <apr_pools.h>

typedef enum dsapi_format_e {
    DSAPI_FORMAT_JSON,  /* application/json */
    DSAPI_FORMAT_CSV,   /* text/csv */
    DSAPI_FORMAT_NDJSON /* application/x-ndjson, application/ndjson */
} dsapi_format_e;

/**
 * Choose a format. JSON wins where several are wanted equally, or where the
 * header is absent or cannot be read; what is not to be had is passed over.
 * @param accept  the header's value; NULL: none
 * @param table   1: CSV and NDJSON are to be had, too
 * @return the format; -1: nothing that is accepted is to be had (q=0 counts
 *         as not accepted)
 */
int dsapi_route_accept(const char *accept, int table);

/** Is a type named as such, with a quality not below that of
 *  application/json?
 *  @param accept  NULL: none
 *  @return 0; 1; 2: it is, with nulls=stripped */
int dsapi_route_accepts(const char *accept, const char *type);

#endif
