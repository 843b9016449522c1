/*
 * Who has used how much: a table in memory that processes share, of a fixed
 * size. No lock: a key's TAT (gcra.h) is changed by compare-and-swap.
 *
 * A key is 64 bits of a hash with a secret seed, so that nobody can choose
 * keys that meet. It has eight places to be in. Where all of them are taken
 * by others, it gets that of the key which will be the first to have its
 * whole quota back: nobody who has used much is forgotten for others' sake,
 * and nobody is turned away.
 *
 * The bound of a quota holds exactly for a key that keeps its place. One whose
 * place is taken in the very moment of its request may get that one request
 * more, or one less.
 */
#ifndef DSAPI_LIMIT_TABLE_H
#define DSAPI_LIMIT_TABLE_H

#include <apr_network_io.h>
#include <apr_siphash.h>

#include "limit/gcra.h"

/** The least memory that a table takes. */
#define DSAPI_LIMIT_TABLE_MIN_BYTES 256

/** Lives in the shared memory, and holds no address. Any thread, any process.
 */
typedef struct dsapi_limit_table_t dsapi_limit_table_t;

/**
 * Make a table.
 * @param memory  of at least DSAPI_LIMIT_TABLE_MIN_BYTES, zeroed; borrowed
 * @param seed    secret
 * @return the table, which is in memory
 */
dsapi_limit_table_t *
dsapi_limit_table_init(void *memory, apr_size_t bytes,
                       const unsigned char seed[APR_SIPHASH_KSIZE]);

/** @return how many keys a table has places for */
apr_size_t dsapi_limit_table_places(const dsapi_limit_table_t *table);

/**
 * What stands for a policy and one that it counts.
 * @param id  the policy's: dsapi_limit_id
 * @return a key, never 0
 */
apr_uint64_t dsapi_limit_key(const dsapi_limit_table_t *table, apr_uint64_t id,
                             const void *whom, apr_size_t bytes);

/** @return a number for a policy, the same in every process and later on */
apr_uint64_t dsapi_limit_id(const char *text);

/**
 * What an address is counted by: all of an IPv4 address, also where it stands
 * in an IPv6 one; the first 64 bits of an IPv6 address, since a client has
 * all of these.
 * @param pbytes  out: points into addr
 * @return bytes; 0: it is no address of either kind
 */
apr_size_t dsapi_limit_address(const void **pbytes, const apr_sockaddr_t *addr);

/**
 * Take units of a key's quota.
 * @param ptat  out: the key's TAT afterwards
 * @param cost  units, 1 to the quota's burst
 * @param now   an instant (gcra.h)
 * @return 1; 0: there are not so many, and none was taken
 */
int dsapi_limit_take(apr_int64_t *ptat, dsapi_limit_table_t *table,
                     apr_uint64_t key, const dsapi_quota_t *quota,
                     apr_int64_t cost, apr_int64_t now);

/**
 * Give back what was taken. Not where it has come back meanwhile, nor where
 * the key has lost its place.
 * @param tat   what dsapi_limit_take gave
 * @param cost  what it was called with
 */
void dsapi_limit_give_back(dsapi_limit_table_t *table, apr_uint64_t key,
                           const dsapi_quota_t *quota, apr_int64_t cost,
                           apr_int64_t tat, apr_int64_t now);

/**
 * Has the table become too small?
 * @return how many keys have lost their places too early since this was last
 *         told; 0: not even one for 1024 places, or it was told within the
 *         last minute, by any process
 */
int dsapi_limit_crowded(dsapi_limit_table_t *table, apr_int64_t now);

#endif
