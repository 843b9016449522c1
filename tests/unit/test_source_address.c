#include "source/address.h"

#include <arpa/inet.h>
#include <string.h>

#include "unit/unit.h"

typedef struct case_t {
    const char *address;
    int is_public;
} case_t;

/* The ends of each range, and their neighbours outside. */
static const case_t cases[] = {
    {"0.0.0.0", 0},
    {"0.255.255.255", 0},
    {"1.0.0.0", 1},
    {"1.1.1.1", 1},
    {"8.8.8.8", 1},
    {"9.255.255.255", 1},
    {"10.0.0.0", 0},
    {"10.255.255.255", 0},
    {"11.0.0.0", 1},
    {"100.63.255.255", 1},
    {"100.64.0.0", 0},
    {"100.127.255.255", 0},
    {"100.128.0.0", 1},
    {"126.255.255.255", 1},
    {"127.0.0.1", 0},
    {"127.255.255.255", 0},
    {"128.0.0.0", 1},
    {"169.253.255.255", 1},
    {"169.254.169.254", 0},
    {"169.255.0.0", 1},
    {"172.15.255.255", 1},
    {"172.16.0.0", 0},
    {"172.31.255.255", 0},
    {"172.32.0.0", 1},
    {"192.0.0.1", 0},
    {"192.0.1.1", 1},
    {"192.0.2.1", 0},
    {"192.88.99.1", 0},
    {"192.167.255.255", 1},
    {"192.168.0.1", 0},
    {"192.169.0.0", 1},
    {"198.17.255.255", 1},
    {"198.18.0.0", 0},
    {"198.19.255.255", 0},
    {"198.20.0.0", 1},
    {"198.51.100.7", 0},
    {"203.0.113.7", 0},
    {"223.255.255.255", 1},
    {"224.0.0.1", 0},
    {"239.255.255.255", 0},
    {"240.0.0.0", 0},
    {"255.255.255.255", 0},

    {"::", 0},
    {"::1", 0},
    {"::2", 0},
    {"::ffff:127.0.0.1", 0},
    {"::ffff:10.0.0.1", 0},
    {"::ffff:169.254.169.254", 0},
    {"::ffff:0.0.0.0", 0},
    {"::ffff:8.8.8.8", 1},
    {"::127.0.0.1", 0}, /* compatible, and translated: used by nobody */
    {"::8.8.8.8", 0},
    {"::ffff:0:8.8.8.8", 0},
    {"64:ff9b::127.0.0.1", 0},
    {"64:ff9b::192.168.1.1", 0},
    {"64:ff9b::8.8.8.8", 1},
    {"64:ff9b:0:0:0:1:808:808", 0}, /* outside of the /96 */
    {"64:ff9b:1::8.8.8.8", 0},
    {"100::1", 0},
    {"1fff:ffff::1", 0},
    {"2000::1", 1},
    {"2001::1", 0},           /* Teredo */
    {"2001:0:808:808::1", 0}, /* Teredo again */
    {"2001:1ff:ffff::1", 0},
    {"2001:200::1", 1},
    {"2001:4860:4860::8888", 1},
    {"2001:db7:ffff::1", 1},
    {"2001:db8::1", 0},
    {"2001:db8:ffff::1", 0},
    {"2001:db9::1", 1},
    {"2002:7f00:1::1", 0},   /* 6to4 of 127.0.0.1 */
    {"2002:a00:1::1", 0},    /* of 10.0.0.1 */
    {"2002:a9fe:a9fe::", 0}, /* of 169.254.169.254 */
    {"2002:808:808::1", 1},
    {"2a00:1450::1", 1},
    {"3ffe:ffff::1", 1},
    {"3fff::1", 0},
    {"3fff:fff::1", 0},
    {"3fff:1000::1", 1},
    {"4000::1", 0},
    {"5f00::1", 0},
    {"fbff::1", 0},
    {"fc00::1", 0},
    {"fd12:3456::1", 0},
    {"fe80::1", 0},
    {"febf::1", 0},
    {"fec0::1", 0},
    {"ff02::1", 0},
    {"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 0},
};

START_TEST(knows_public_addresses)
{
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        unsigned char bytes[16];
        int v6 = strchr(cases[i].address, ':') != NULL;

        ck_assert_int_eq(
            inet_pton(v6 ? AF_INET6 : AF_INET, cases[i].address, bytes), 1);
        ck_assert_msg(dsapi_address_is_public(bytes, v6 ? 16 : 4) ==
                          cases[i].is_public,
                      "%s", cases[i].address);
    }
}
END_TEST

START_TEST(no_other_length_is_an_address)
{
    static const unsigned char bytes[16] = {8, 8, 8, 8};

    ck_assert_int_eq(dsapi_address_is_public(bytes, 4), 1);
    ck_assert_int_eq(dsapi_address_is_public(bytes, 0), 0);
    ck_assert_int_eq(dsapi_address_is_public(bytes, 5), 0);
}
END_TEST

START_TEST(hosts_have_one_form)
{
    static const char *const rows[][2] = {
        {"API.Example.org", "api.example.org"},
        {"a_b-c.1", "a_b-c.1"},
        {"127.0.0.1", "127.0.0.1"},
        {"[::1]", "::1"},
        {"::1", "::1"},
        {"[0:0:0:0:0:0:0:1]", "::1"},
        {"[2001:DB8::0:1]", "2001:db8::1"},
        {"[::FFFF:1.2.3.4]", "::ffff:1.2.3.4"},
        {"", NULL},
        {"[]", NULL},
        {"[", NULL},
        {"[example.org]", NULL},
        {"[127.0.0.1]", NULL},
        {"a:80", NULL},
        {"a/b", NULL},
        {"u@a", NULL},
        {"*.example.org", NULL},
        {"caf\xc3\xa9.example", NULL},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char *host = dsapi_address_host(rows[i][0], g_pool);

        apr_pool_clear(g_scratch);
        if (rows[i][1]) {
            ck_assert_msg(host && strcmp(host, rows[i][1]) == 0, "%s: %s",
                          rows[i][0], host ? host : "NULL");
        }
        else {
            ck_assert_msg(!host, "%s: %s", rows[i][0], host);
        }
    }
}
END_TEST

START_TEST(tells_addresses_from_names)
{
    ck_assert_int_eq(dsapi_address_is_literal("127.0.0.1"), 1);
    ck_assert_int_eq(dsapi_address_is_literal("::1"), 1);
    ck_assert_int_eq(dsapi_address_is_literal("localhost"), 0);
    /* getaddrinfo takes these for addresses; they are looked up as names */
    ck_assert_int_eq(dsapi_address_is_literal("127.1"), 0);
    ck_assert_int_eq(dsapi_address_is_literal("0x7f000001"), 0);
    ck_assert_int_eq(dsapi_address_is_literal("0177.0.0.1"), 0);
}
END_TEST

START_TEST(finds_hosts)
{
    apr_array_header_t *hosts = apr_array_make(g_pool, 3, sizeof(dsapi_host_t));

    APR_ARRAY_PUSH(hosts, dsapi_host_t) = (dsapi_host_t){"a.org", 0};
    APR_ARRAY_PUSH(hosts, dsapi_host_t) = (dsapi_host_t){"b.org", 1};
    APR_ARRAY_PUSH(hosts, dsapi_host_t) = (dsapi_host_t){"a.org", 1};
    APR_ARRAY_PUSH(hosts, dsapi_host_t) = (dsapi_host_t){"b.org", 0};
    ck_assert_int_eq(dsapi_address_find(hosts, "a.org")->anywhere, 1);
    ck_assert_int_eq(dsapi_address_find(hosts, "b.org")->anywhere, 1);
    ck_assert_ptr_null(dsapi_address_find(hosts, "x.a.org"));
    ck_assert_ptr_null(dsapi_address_find(hosts, "org"));
}
END_TEST

UNIT_SUITE(source_address, knows_public_addresses,
           no_other_length_is_an_address, hosts_have_one_form,
           tells_addresses_from_names, finds_hosts)
