/* SHA-256: see sha256.h. */
#include "base/sha256.h"

#include <string.h>

#define BLOCK_BYTES 64

static const apr_uint32_t rounds[] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1,
    0x923f82a4, 0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3,
    0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786,
    0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147,
    0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13,
    0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b,
    0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a,
    0x5b9cca4f, 0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208,
    0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

static apr_uint32_t rotate(apr_uint32_t x, unsigned int bits)
{
    return x >> bits | x << (32 - bits);
}

static void put_word(unsigned char *out, apr_uint32_t word)
{
    for (int i = 0; i < 4; i++) {
        out[i] = (unsigned char)(word >> (24 - 8 * i));
    }
}

static void take_block(apr_uint32_t *state, const unsigned char *block)
{
    apr_uint32_t w[64];
    apr_uint32_t s[8];

    for (apr_size_t i = 0; i < 16; i++) {
        const unsigned char *p = block + 4 * i;

        w[i] = (apr_uint32_t)p[0] << 24 | (apr_uint32_t)p[1] << 16 |
               (apr_uint32_t)p[2] << 8 | p[3];
    }
    for (int i = 16; i < 64; i++) {
        apr_uint32_t a = w[i - 15];
        apr_uint32_t b = w[i - 2];

        w[i] = w[i - 16] + w[i - 7] + (rotate(a, 7) ^ rotate(a, 18) ^ a >> 3) +
               (rotate(b, 17) ^ rotate(b, 19) ^ b >> 10);
    }
    memcpy(s, state, sizeof(s));
    for (int i = 0; i < 64; i++) {
        apr_uint32_t one =
            s[7] + rounds[i] + w[i] +
            (rotate(s[4], 6) ^ rotate(s[4], 11) ^ rotate(s[4], 25)) +
            ((s[4] & s[5]) ^ (~s[4] & s[6]));
        apr_uint32_t two =
            (rotate(s[0], 2) ^ rotate(s[0], 13) ^ rotate(s[0], 22)) +
            ((s[0] & s[1]) ^ (s[0] & s[2]) ^ (s[1] & s[2]));

        memmove(s + 1, s, 7 * sizeof(*s));
        s[4] += one;
        s[0] = one + two;
    }
    for (int i = 0; i < 8; i++) {
        state[i] += s[i];
    }
}

void dsapi_base_sha256(unsigned char *digest, const void *data,
                       apr_size_t data_bytes)
{
    apr_uint32_t state[] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                            0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
    const unsigned char *p = data;
    apr_size_t left = data_bytes;
    unsigned char end[2 * BLOCK_BYTES] = {0};
    apr_size_t end_bytes;

    for (; left >= BLOCK_BYTES; left -= BLOCK_BYTES) {
        take_block(state, p);
        p += BLOCK_BYTES;
    }
    if (left > 0) {
        memcpy(end, p, left);
    }
    /* a bit of one, zeros, and the length in bits */
    end[left] = 0x80;
    end_bytes = left + 9 > BLOCK_BYTES ? 2 * BLOCK_BYTES : BLOCK_BYTES;
    put_word(end + end_bytes - 8,
             (apr_uint32_t)((apr_uint64_t)data_bytes >> 29));
    put_word(end + end_bytes - 4, (apr_uint32_t)data_bytes << 3);
    for (apr_size_t i = 0; i < end_bytes; i += BLOCK_BYTES) {
        take_block(state, end + i);
    }
    for (apr_size_t i = 0; i < 8; i++) {
        put_word(digest + 4 * i, state[i]);
    }
}
