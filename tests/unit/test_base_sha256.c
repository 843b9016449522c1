/* base/sha256: the examples of FIPS 180-4, and every length of a last block. */
#include "base/sha256.h"

#include <apr_escape.h>
#include <string.h>

#include "unit/unit.h"

static const char *hex_of(const char *data, apr_size_t data_bytes)
{
    unsigned char digest[DSAPI_SHA256_BYTES];

    dsapi_base_sha256(digest, data, data_bytes);
    return apr_pescape_hex(g_pool, digest, sizeof(digest), 0);
}

START_TEST(the_standards_examples)
{
    static const char two[] = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmno"
                              "mnopnopq";

    ck_assert_str_eq(hex_of(NULL, 0), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4"
                                      "649b934ca495991b7852b855");
    ck_assert_str_eq(hex_of("abc", 3), "ba7816bf8f01cfea414140de5dae2223b00361a"
                                       "396177a9cb410ff61f20015ad");
    ck_assert_str_eq(hex_of(two, strlen(two)), "248d6a61d20638b8e5c026930c3e603"
                                               "9a33ce45964ff2167f6ecedd419db06"
                                               "c1");
}
END_TEST

/* The digest of the digests of 0 to 199 bytes. */
START_TEST(every_length)
{
    unsigned char digests[200 * DSAPI_SHA256_BYTES];
    char data[200];

    memset(data, 'x', sizeof(data));
    for (apr_size_t i = 0; i < sizeof(data); i++) {
        dsapi_base_sha256(digests + i * DSAPI_SHA256_BYTES, data, i);
    }
    ck_assert_str_eq(hex_of((const char *)digests, sizeof(digests)),
                     "f5e61141898898cdabae3590cb32e1901b40bdc59952302926213a44c"
                     "105c129");
}
END_TEST

UNIT_SUITE(base_sha256, the_standards_examples, every_length)
