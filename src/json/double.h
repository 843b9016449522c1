/* Doubles as the shortest decimal number that stands for them. */
#ifndef DSAPI_JSON_DOUBLE_H
#define DSAPI_JSON_DOUBLE_H

#include "json/buf.h"

/** Room for a double: "-2.2250738585072014e-308" at most, and what is written
 *  behind it for speed. */
#define DSAPI_JSON_DOUBLE_MAX 40

/**
 * Write the shortest decimal that every correct reader takes for this double,
 * and of those the nearest to it; one half-way between two doubles, which
 * readers may round either way, is none of them. In form and in every digit
 * as PostgreSQL prints a float8: "0.1", "100000", "1e+15", "1e-05".
 * @param out    DSAPI_JSON_DOUBLE_MAX bytes; no NUL is written
 * @param value  finite
 * @return how many bytes it is
 */
apr_size_t dsapi_json_format_double(char *out, double value);

/** Append a double as JSON; what is not finite as null. */
void dsapi_json_put_double(dsapi_buf_t *buf, double value);

#endif
