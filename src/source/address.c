/* Hosts and addresses: see address.h. */
#include "source/address.h"

#include <apr_lib.h>
#include <apr_strings.h>
#include <arpa/inet.h>
#include <string.h>

/** The first bits of addresses, and how many of them count. */
typedef struct range_t {
    unsigned char first[8];
    int bits;
} range_t;

static const range_t not_public_v4[] = {
    {{0}, 8},            /* this network */
    {{10}, 8},           /* private, RFC 1918 */
    {{100, 64}, 10},     /* shared by carriers, RFC 6598 */
    {{127}, 8},          /* loopback */
    {{169, 254}, 16},    /* link-local; clouds' metadata */
    {{172, 16}, 12},     /* private */
    {{192, 0, 0}, 24},   /* protocol assignments */
    {{192, 0, 2}, 24},   /* documentation */
    {{192, 88, 99}, 24}, /* 6to4 relays */
    {{192, 168}, 16},    /* private */
    {{198, 18}, 15},     /* benchmarks */
    {{198, 51, 100}, 24},
    {{203, 0, 113}, 24}, /* documentation */
    {{224}, 4},          /* multicast */
    {{240}, 4}};         /* reserved; broadcast */

/* Of 2000::/3, which is all that has been handed out. */
static const range_t not_public_v6[] = {
    {{0x20, 0x01}, 23},             /* protocol assignments; Teredo */
    {{0x20, 0x01, 0x0d, 0xb8}, 32}, /* documentation */
    {{0x3f, 0xff}, 20}};            /* documentation */

/** Where an IPv6 address holds an IPv4 one. */
static const struct {
    range_t range;
    int at;
} embedding[] = {{{{0x20, 0x02}, 16}, 2},               /* 6to4 */
                 {{{0x00, 0x64, 0xff, 0x9b}, 96}, 12}}; /* NAT64 */

static const unsigned char mapped[12] = {[10] = 0xff, [11] = 0xff};

/* Does an address begin with the bits of a range? Those past first are 0. */
static int is_in(const unsigned char *address, const range_t *range)
{
    for (int bit = 0; bit < range->bits; bit += 8) {
        int left = range->bits - bit;
        int mask = left < 8 ? 0xff << (8 - left) : 0xff;
        int want = bit / 8 < 8 ? range->first[bit / 8] : 0;

        if ((address[bit / 8] & mask) != (want & mask)) {
            return 0;
        }
    }
    return 1;
}

static int is_in_any(const unsigned char *address, const range_t *ranges,
                     size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (is_in(address, &ranges[i])) {
            return 1;
        }
    }
    return 0;
}

static int is_public_v4(const unsigned char *address)
{
    return !is_in_any(address, not_public_v4,
                      sizeof(not_public_v4) / sizeof(range_t));
}

static int is_public_v6(const unsigned char *address)
{
    if (memcmp(address, mapped, sizeof(mapped)) == 0) {
        return is_public_v4(address + sizeof(mapped));
    }
    for (size_t i = 0; i < sizeof(embedding) / sizeof(embedding[0]); i++) {
        if (is_in(address, &embedding[i].range)) {
            return is_public_v4(address + embedding[i].at);
        }
    }
    return (address[0] & 0xe0) == 0x20 &&
           !is_in_any(address, not_public_v6,
                      sizeof(not_public_v6) / sizeof(range_t));
}

int dsapi_address_is_public(const unsigned char *address, apr_size_t len_bytes)
{
    return (len_bytes == 4 && is_public_v4(address)) ||
           (len_bytes == 16 && is_public_v6(address));
}

const char *dsapi_address_host(const char *host, apr_pool_t *pool)
{
    apr_size_t len = strlen(host);
    int brackets = *host == '[' && host[len - 1] == ']';
    char *name = brackets ? apr_pstrmemdup(pool, host + 1, len - 2)
                          : apr_pstrdup(pool, host);
    unsigned char bytes[16];

    if (inet_pton(AF_INET6, name, bytes) == 1) {
        char text[INET6_ADDRSTRLEN];

        return apr_pstrdup(pool,
                           inet_ntop(AF_INET6, bytes, text, sizeof(text)));
    }
    for (char *p = name; *p; p++) {
        if ((*p & 0x80) || !(apr_isalnum(*p) || strchr("-._", *p))) {
            return NULL;
        }
        *p = (char)apr_tolower(*p);
    }
    return *name && !brackets ? name : NULL;
}

int dsapi_address_is_literal(const char *host)
{
    unsigned char bytes[16];

    return inet_pton(AF_INET, host, bytes) == 1 ||
           inet_pton(AF_INET6, host, bytes) == 1;
}

const dsapi_host_t *dsapi_address_find(const apr_array_header_t *hosts,
                                       const char *host)
{
    const dsapi_host_t *found = NULL;

    for (int i = 0; i < hosts->nelts; i++) {
        const dsapi_host_t *h = &APR_ARRAY_IDX(hosts, i, dsapi_host_t);

        if (strcmp(h->name, host) == 0 && (!found || h->anywhere)) {
            found = h;
        }
    }
    return found;
}
