/*
 * Which hosts a source may ask, and which addresses they may have: what keeps
 * a request from being turned against the machine or the network it comes
 * from. Rules only: the client applies them to each connection.
 */
#ifndef DSAPI_SOURCE_ADDRESS_H
#define DSAPI_SOURCE_ADDRESS_H

#include <apr_pools.h>
#include <apr_tables.h>

/** A host that a source may ask. */
typedef struct dsapi_host_t {
    const char *name; /* canonical: see dsapi_address_host */
    int anywhere;     /* it may have an address that is not public */
} dsapi_host_t;

/**
 * Is this an address of the public internet (IANA's special-purpose
 * registries)? Not so are loopback, private, shared, link-local, multicast,
 * unspecified, broadcast, documentation and reserved ones, and the IPv6 forms
 * that lead to such an IPv4 address (mapped, compatible, 6to4, NAT64, Teredo).
 * @param address    in network order
 * @param len_bytes  4 or 16; of any other length none is public
 * @return 1 or 0
 */
int dsapi_address_is_public(const unsigned char *address, apr_size_t len_bytes);

/**
 * The form in which hosts are compared: a DNS name in lower case, an IPv4
 * address as four numbers, an IPv6 address in its shortest form, without
 * brackets.
 * @param host  a URL's host (IPv6 in brackets or not)
 * @return in pool; NULL: neither a name nor an address
 */
const char *dsapi_address_host(const char *host, apr_pool_t *pool);

/** Is a canonical host an address rather than a name? @return 1 or 0 */
int dsapi_address_is_literal(const char *host);

/**
 * Look up a host.
 * @param hosts  of dsapi_host_t
 * @param host   canonical
 * @return its entry; where it has several, the one with anywhere; NULL
 */
const dsapi_host_t *dsapi_address_find(const apr_array_header_t *hosts,
                                       const char *host);

#endif
