/* SHA-256 (FIPS 180-4), which PostgreSQL has, too: where both must have the
 * same number for the same bytes. Nothing is kept secret by it. MD5, which APR
 * has, is refused by PostgreSQL's md5() where OpenSSL is in FIPS mode. */
#ifndef DSAPI_BASE_SHA256_H
#define DSAPI_BASE_SHA256_H

#include <apr.h>

#define DSAPI_SHA256_BYTES 32

/** @param digest  out: DSAPI_SHA256_BYTES bytes
 *  @param data    any bytes; NULL where there are none */
void dsapi_base_sha256(unsigned char *digest, const void *data,
                       apr_size_t data_bytes);

#endif
