#include <apr_strings.h>
#include <string.h>

#include "base/type.h"
#include "unit/unit.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static dsapi_type_t type_of(const char *name)
{
    dsapi_type_t type = {DSAPI_TYPE_TEXT, 0};

    ck_assert_msg(dsapi_base_type_parse(&type, name) == APR_SUCCESS,
                  "no type %s", name);
    return type;
}

/* The canonical form of a value that must be right. */
static const char *canonical(const char *type, const char *text)
{
    const char *value = NULL;
    const char *why = "untouched";
    apr_status_t rv =
        dsapi_base_type_check(&value, &why, type_of(type), text, g_pool);

    ck_assert_msg(rv == APR_SUCCESS, "%s '%s' is refused: %s", type, text, why);
    ck_assert_ptr_nonnull(value);
    ck_assert_ptr_null(why);
    return value;
}

/* What is said about a value that must be wrong. */
static const char *refusal(const char *type, const char *text)
{
    const char *value = "untouched";
    const char *why = NULL;
    apr_status_t rv =
        dsapi_base_type_check(&value, &why, type_of(type), text, g_pool);

    ck_assert_msg(rv == DSAPI_EPARAM, "%s '%s' is taken", type, text);
    ck_assert_ptr_null(value);
    ck_assert_ptr_nonnull(why);
    return why;
}

/* cases: text, canonical form, text, canonical form ... */
static void check_forms(const char *type, const char *const *cases, size_t n)
{
    for (size_t i = 0; i + 1 < n; i += 2) {
        ck_assert_str_eq(canonical(type, cases[i]), cases[i + 1]);
    }
}

/* texts: with a '|' between them */
static void check_refusals(const char *type, const char *why, const char *texts)
{
    char *rest = apr_pstrdup(g_pool, texts);

    while (rest) {
        const char *text = strsep(&rest, "|");
        const char *said = refusal(type, text);

        ck_assert_msg(strcmp(said, why) == 0, "%s '%s': %s", type, text, said);
    }
}

/* The text of one character, n times, and an end. */
static const char *repeated(char c, size_t n, const char *end)
{
    char *s = apr_palloc(g_pool, n + 1);

    memset(s, c, n);
    s[n] = '\0';
    return apr_pstrcat(g_pool, s, end, NULL);
}

START_TEST(names_are_parsed_and_given_back)
{
    char *names = apr_pstrdup(g_pool, dsapi_base_type_names());
    int kinds = 0;

    for (char *name = names, *end; name; name = end, kinds++) {
        const char *array;
        dsapi_type_t type;

        end = strchr(name, ' ');
        if (end) {
            *end++ = '\0';
        }
        array = apr_pstrcat(g_pool, name, "[]", NULL);
        type = type_of(name);
        ck_assert_int_eq((int)type.kind, kinds);
        ck_assert_int_eq(type.is_array, 0);
        ck_assert_str_eq(dsapi_base_type_name(type, g_pool), name);
        type = type_of(array);
        ck_assert_int_eq((int)type.kind, kinds);
        ck_assert_int_eq(type.is_array, 1);
        ck_assert_str_eq(dsapi_base_type_name(type, g_pool), array);
    }
    ck_assert_int_eq(kinds, DSAPI_TYPE_JSON + 1);
}
END_TEST

START_TEST(an_unknown_name_leaves_the_type_untouched)
{
    static const char *const words[] = {"",
                                        "Text",
                                        "texts",
                                        "tex",
                                        "int4",
                                        "text []",
                                        "text[",
                                        "text]",
                                        "text[][]",
                                        "[]",
                                        "iso",
                                        "integer",
                                        "boolean",
                                        " int",
                                        "int ",
                                        "textint",
                                        "intt[]",
                                        "jsonb",
                                        "timestamp with time zone"};

    for (size_t i = 0; i < COUNT(words); i++) {
        dsapi_type_t type = {DSAPI_TYPE_SLUG, 1};

        ck_assert_msg(dsapi_base_type_parse(&type, words[i]) == DSAPI_ESYNTAX,
                      "'%s' is a type", words[i]);
        ck_assert_int_eq(type.kind, DSAPI_TYPE_SLUG);
        ck_assert_int_eq(type.is_array, 1);
    }
}
END_TEST

/* SELECT oid, typarray FROM pg_type. */
START_TEST(oids_are_those_of_postgresql)
{
    static const struct {
        const char *name;
        unsigned oid;
        unsigned array_oid;
    } oids[] = {
        {"text", 25, 1009},     {"int", 23, 1007},         {"bigint", 20, 1016},
        {"number", 1700, 1231}, {"bool", 16, 1000},        {"date", 1082, 1182},
        {"uuid", 2950, 2951},   {"timestamp", 1184, 1185}, {"iso2", 25, 1009},
        {"iso3", 25, 1009},     {"slug", 25, 1009},        {"tz", 25, 1009},
        {"json", 114, 199},
    };

    ck_assert_uint_eq(COUNT(oids), DSAPI_TYPE_JSON + 1);
    for (size_t i = 0; i < COUNT(oids); i++) {
        dsapi_type_t type = type_of(oids[i].name);

        ck_assert_uint_eq(dsapi_base_type_oid(type), oids[i].oid);
        type.is_array = 1;
        ck_assert_uint_eq(dsapi_base_type_oid(type), oids[i].array_oid);
    }
}
END_TEST

START_TEST(the_array_flag_does_not_change_a_check)
{
    ck_assert_str_eq(canonical("iso3[]", "col"), "COL");
    refusal("int[]", "1,2");
}
END_TEST

START_TEST(text_may_be_anything_in_utf8)
{
    static const char *const texts[] = {"", " a ", "\x01\n\x7F", "{\"}'\\",
                                        "\xF0\x9F\x98\x80"};

    for (size_t i = 0; i < COUNT(texts); i++) {
        ck_assert_str_eq(canonical("text", texts[i]), texts[i]);
    }
    ck_assert_str_eq(refusal("text", "a\xFF"), "must be UTF-8");
}
END_TEST

START_TEST(int_has_32_bits)
{
    static const char *const good[] = {
        "0",           "0",           "-0",   "0",          "0012",
        "12",          "-1",          "-1",   "2147483647", "2147483647",
        "-2147483648", "-2147483648", "-007", "-7"};
    static const char bad[] = "|-|+1|1.0|1e3| 1|1 "
                              "|0x1|abc|--1|2147483648|-2147483649|1,2|1_0|"
                              "\xD9\xA1|99999999999999999999";

    check_forms("int", good, COUNT(good));
    check_refusals("int",
                   "must be a whole number from -2147483648 to "
                   "2147483647",
                   bad);
}
END_TEST

START_TEST(bigint_has_64_bits)
{
    static const char *const good[] = {"2147483648",
                                       "2147483648",
                                       "9223372036854775807",
                                       "9223372036854775807",
                                       "-9223372036854775808",
                                       "-9223372036854775808",
                                       "-00",
                                       "0"};
    static const char bad[] = "|9223372036854775808|-9223372036854775809|"
                              "18446744073709551616|+1|"
                              "1.5";

    check_forms("bigint", good, COUNT(good));
    check_refusals("bigint",
                   "must be a whole number from -9223372036854775808 to "
                   "9223372036854775807",
                   bad);
}
END_TEST

START_TEST(number_has_the_grammar_of_json)
{
    static const char *const good[] = {"0",         "-0",
                                       "1",         "-12.50",
                                       "0.1",       "1e3",
                                       "1E+3",      "1e-3",
                                       "1.5e10",    "0e0",
                                       "1e1000",    "1e-1000",
                                       "1e0001000", "12345678901234567890.5"};
    static const char bad[] = "|-|+1|01|-01|1.|.5|1.e3|1e|1e+|1e-|1e1.5|1e3 | "
                              "1|1 |NaN|nan|"
                              "Infinity|-Infinity|0x10|1,5|1.2.3|1e2e3|--1|1e--"
                              "1|1-|e3|-.5|00|1f|"
                              "1_000";

    for (size_t i = 0; i < COUNT(good); i++) {
        ck_assert_str_eq(canonical("number", good[i]), good[i]);
    }
    check_refusals("number", "must be a number, as -12.5 or 1e3", bad);
}
END_TEST

START_TEST(number_is_limited_in_length_and_exponent)
{
    static const char bad[] = "1e1001|1e-1001|1E+1001|0e1001|"
                              "1e99999999999999999999999999";

    canonical("number", repeated('9', 1000, ""));
    ck_assert_str_eq(refusal("number", repeated('9', 1001, "")), "must be a "
                                                                 "number of at "
                                                                 "most 1000 "
                                                                 "characters");
    canonical("number", repeated('9', 994, "e-1000"));
    check_refusals("number",
                   "must be a number with an exponent from -1000 to 1000", bad);
}
END_TEST

START_TEST(bool_is_true_or_false)
{
    static const char *const good[] = {"true", "true", "false", "false",
                                       "1",    "true", "0",     "false"};
    static const char bad[] = "|True|FALSE|yes|t|on|2|01| true";

    check_forms("bool", good, COUNT(good));
    check_refusals("bool", "must be true or false", bad);
}
END_TEST

START_TEST(date_is_a_day_that_exists)
{
    static const char *const good[] = {"0001-01-01", "9999-12-31", "2024-02-29",
                                       "2000-02-29", "2023-12-31", "0004-02-29",
                                       "1582-10-10", "2023-04-30"};
    static const char bad[] = "2023-02-30|2023-02-29|1900-02-29|2100-02-29|"
                              "2023-04-31|2023-00-01|"
                              "2023-13-01|2023-01-00|2023-01-32|0000-01-01";

    for (size_t i = 0; i < COUNT(good); i++) {
        ck_assert_str_eq(canonical("date", good[i]), good[i]);
    }
    check_refusals("date", "must be a day that exists, as YYYY-MM-DD", bad);
}
END_TEST

START_TEST(date_has_one_form)
{
    static const char bad[] =
        "|2023|2023-01|2023-1-01|2023-01-1|20230101|2023/01/01|01-01-2023|"
        "-023-01-01|10000-01-01|+2023-01-01| 2023-01-01|2023-01-01 |"
        "2023-01-01T00:00:00Z|today|infinity|2023-01-0a|202a-01-01";

    check_refusals("date", "must be a day, as YYYY-MM-DD", bad);
}
END_TEST

START_TEST(timestamp_is_brought_into_one_form)
{
    static const char *const good[] = {"2024-05-31T12:30:00 02:00",
                                       "2024-05-31T12:30:00+02:00",
                                       "2024-05-31T12:30:00Z",
                                       "2024-05-31T12:30:00+00:00",
                                       "2024-05-31t12:30:00z",
                                       "2024-05-31T12:30:00+00:00",
                                       "2024-05-31 12:30:00",
                                       "2024-05-31T12:30:00+00:00",
                                       "2024-05-31T12:30:00-00:00",
                                       "2024-05-31T12:30:00+00:00",
                                       "2024-05-31T12:30:00+05:45",
                                       "2024-05-31T12:30:00+05:45",
                                       "2024-05-31T12:30:00-00:30",
                                       "2024-05-31T12:30:00-00:30",
                                       "2024-05-31T12:30:00+15:59",
                                       "2024-05-31T12:30:00+15:59",
                                       "2024-05-31T12:30:00-15:59",
                                       "2024-05-31T12:30:00-15:59",
                                       "2024-05-31T12:30:00.5Z",
                                       "2024-05-31T12:30:00.500000+00:00",
                                       "2024-05-31T12:30:00.000001",
                                       "2024-05-31T12:30:00.000001+00:00",
                                       "2024-05-31T12:30:00.123456789Z",
                                       "2024-05-31T12:30:00.123456+00:00",
                                       "2024-05-31T12:30:59.999999999Z",
                                       "2024-05-31T12:30:59.999999+00:00",
                                       "2024-05-31T12:30:00.000-08:00",
                                       "2024-05-31T12:30:00-08:00",
                                       "0001-01-01T00:00:00Z",
                                       "0001-01-01T00:00:00+00:00",
                                       "9999-12-31T23:59:59Z",
                                       "9999-12-31T23:59:59+00:00",
                                       "2024-02-29T00:00:00Z",
                                       "2024-02-29T00:00:00+00:00"};

    check_forms("timestamp", good, COUNT(good));
}
END_TEST

START_TEST(timestamp_has_the_form_of_rfc_3339)
{
    static const char bad[] =
        "|2024-05-31|2024-05-31T|2024-05-31T12:30|2024-05-31T12:30Z|"
        "2024-05-31T12:30:0Z|2024-05-31_12:30:00Z|2024-5-31T12:30:00Z|"
        "20240531T123000Z|2024-05-31T12:30:00ZZ|2024-05-31T12:30:00Z |"
        "2024-05-31T12:30:00 |2024-05-31T12:30:00 Z|2024-05-31T12:30:00+5|"
        "2024-05-31T12:30:00+05|2024-05-31T12:30:00+0530|"
        "2024-05-31T12:30:00+05:3|2024-05-31T12:30:00+05:300|"
        "2024-05-31T12:30:00,5Z|2024-05-31T12:30:00 Europe/Madrid|"
        " 2024-05-31T12:30:00Z|2024-05-31T12:30:00.5x|2024-05-31T-1:30:00Z|"
        "now|infinity";

    check_refusals("timestamp",
                   "must be a date and time, as 2024-05-31T12:30:00Z", bad);
}
END_TEST

START_TEST(timestamp_says_which_part_is_wrong)
{
    static const char *const cases[] = {
        "2023-02-30T00:00:00Z",
        "must be a date and time on a day that exists",
        "0000-12-31T00:00:00Z",
        "must be a date and time on a day that exists",
        "2024-05-31T24:00:00Z",
        "must have a time of day from 00:00:00 to 23:59:59",
        "2024-05-31T12:60:00Z",
        "must have a time of day from 00:00:00 to 23:59:59",
        "2024-05-31T12:30:61Z",
        "must have a time of day from 00:00:00 to 23:59:59",
        "2016-12-31T23:59:60Z",
        "must not be a leap second: seconds are 00 to 59",
        "2024-05-31T12:30:00.Z",
        "must have 1 to 9 digits in its fraction of a second",
        "2024-05-31T12:30:00.1234567890Z",
        "must have 1 to 9 digits in its fraction of a second",
        "2024-05-31T12:30:00+16:00",
        "must have an offset from -15:59 to +15:59",
        "2024-05-31T12:30:00-01:60",
        "must have an offset from -15:59 to +15:59",
    };

    for (size_t i = 0; i < COUNT(cases); i += 2) {
        ck_assert_str_eq(refusal("timestamp", cases[i]), cases[i + 1]);
    }
}
END_TEST

START_TEST(uuid_has_its_text_form)
{
    static const char *const good[] = {"f81d4fae-7dec-11d0-a765-00a0c91e6bf6",
                                       "f81d4fae-7dec-11d0-a765-00a0c91e6bf6",
                                       "F81D4FAE-7DEC-11D0-A765-00A0C91E6BF6",
                                       "f81d4fae-7dec-11d0-a765-00a0c91e6bf6",
                                       "00000000-0000-0000-0000-000000000000",
                                       "00000000-0000-0000-0000-000000000000"};
    static const char bad[] = "|f81d4fae7dec11d0a76500a0c91e6bf6|"
                              "{f81d4fae-7dec-11d0-a765-00a0c91e6bf6}|"
                              "f81d4fae-7dec-11d0-a765-00a0c91e6bf|"
                              "f81d4fae-7dec-11d0-a765-00a0c91e6bf66|"
                              "g81d4fae-7dec-11d0-a765-00a0c91e6bf6|"
                              "f81d4fae-7dec-11d0-a765-00a0c91e6bfG|"
                              "f81d4fae-7dec-11d0-a7650-0a0c91e6bf6|"
                              "f81d4fae_7dec-11d0-a765-00a0c91e6bf6|"
                              "f81d4fae-7dec-11d0-a765-00a0c91e6b-6|"
                              "\xC3\xA9-1d4fae-7dec-11d0-a765-00a0c91e6bf6";

    check_forms("uuid", good, COUNT(good));
    check_refusals(
        "uuid", "must be a UUID, as f81d4fae-7dec-11d0-a765-00a0c91e6bf6", bad);
}
END_TEST

START_TEST(iso2_is_an_assigned_code)
{
    static const char *const good[] = {"CO", "CO", "co", "CO", "Co", "CO",
                                       "AD", "AD", "zw", "ZW", "xk", "XK",
                                       "gb", "GB", "ss", "SS", "eh", "EH"};
    static const char bad[] = "|C|COL|UK|EU|XX|AN|SU|ZZ|AA|C |C1|CO | "
                              "CO|\xC3\xA9";

    check_forms("iso2", good, COUNT(good));
    check_refusals("iso2", "must be an ISO 3166-1 alpha-2 country code", bad);
}
END_TEST

START_TEST(iso3_is_an_assigned_code)
{
    static const char *const good[] = {"COL", "COL", "col", "COL", "bFa",
                                       "BFA", "ABW", "ABW", "zwe", "ZWE",
                                       "xkx", "XKX", "rou", "ROU"};
    static const char bad[] = "|CO|COLO|UNK|XXX|ROM|ANT|ZZZ|AAA|C L|CO1|COL "
                              "|K\xC3\xA9";

    check_forms("iso3", good, COUNT(good));
    check_refusals("iso3", "must be an ISO 3166-1 alpha-3 country code", bad);
}
END_TEST

/* Every combination of letters: a table that isn't sorted loses codes. */
START_TEST(iso_codes_are_249_and_kosovo)
{
    const dsapi_type_t iso2 = type_of("iso2");
    const dsapi_type_t iso3 = type_of("iso3");
    int found2 = 0;
    int found3 = 0;

    for (int i = 0; i < 26 * 26 * 26; i++) {
        const char code[] = {(char)('a' + i % 26), (char)('a' + i / 26 % 26),
                             (char)('a' + i / 26 / 26), '\0'};
        const char *value;
        const char *why;

        found3 += dsapi_base_type_check(&value, &why, iso3, code, g_pool) ==
                  APR_SUCCESS;
        if (i < 26 * 26) {
            const char code2[] = {code[0], code[1], '\0'};

            found2 += dsapi_base_type_check(&value, &why, iso2, code2,
                                            g_pool) == APR_SUCCESS;
        }
    }
    ck_assert_int_eq(found2, 250);
    ck_assert_int_eq(found3, 250);
}
END_TEST

START_TEST(slug_is_bound_in_lower_case)
{
    static const char *const good[] = {
        "bogota", "bogota", "New-York-2", "new-york-2", "7", "7", "A", "a"};
    static const char bad[] = "|-|-a|a-|a--b|a b|a_b|a/b|a.b|bogot\xC3\xA1| "
                              "a|a ";

    check_forms("slug", good, COUNT(good));
    check_refusals("slug",
                   "must be letters a-z and digits, with single '-' between "
                   "them",
                   bad);
}
END_TEST

START_TEST(tz_has_the_form_of_a_zone_name)
{
    static const char *const good[] = {
        "Europe/Madrid", "UTC",        "America/Argentina/Buenos_Aires",
        "Etc/GMT+5",     "Etc/GMT-14", "EST5EDT"};
    static const char bad[] = "|/|/etc/passwd|Europe/|Europe//Madrid|..|../"
                              "x|Europe/..|a.b|"
                              "Europe/Mad "
                              "rid|Europe\\Madrid|M\xC3\xA9xico|:UTC|UTC\n";

    for (size_t i = 0; i < COUNT(good); i++) {
        ck_assert_str_eq(canonical("tz", good[i]), good[i]);
    }
    check_refusals("tz", "must be a time zone's name, as Europe/Madrid", bad);
    ck_assert_str_eq(canonical("tz", "Etc/GMT 5"), "Etc/GMT+5");
    canonical("tz", repeated('a', 64, ""));
    refusal("tz", repeated('a', 65, ""));
}
END_TEST

START_TEST(json_is_given_back_as_it_is)
{
    static const char text[] = "{\"a\": [1, 2]}";

    ck_assert_str_eq(canonical("json", text), text);
}
END_TEST

START_TEST(a_value_does_not_change_its_text)
{
    char text[] = "Col";
    const char *value = canonical("iso3", text);
    const char *slug = canonical("slug", text);

    ck_assert_str_eq(text, "Col");
    memset(text, 'x', 3);
    ck_assert_str_eq(value, "COL");
    ck_assert_str_eq(slug, "col");
}
END_TEST

static int sign(int n)
{
    return (n > 0) - (n < 0);
}

/* a and b compare as expected, and the other way round. */
static void check_order(const char *type, const char *a, const char *b,
                        int expected)
{
    dsapi_type_t t = type_of(type);

    ck_assert_msg(sign(dsapi_base_type_compare(t, a, b)) == expected,
                  "%s %s and %s are not %d", type, a, b, expected);
    ck_assert_msg(sign(dsapi_base_type_compare(t, b, a)) == -expected,
                  "%s %s and %s are not %d", type, b, a, -expected);
}

/* In ascending order: each against each. */
static void check_ascending(const char *type, const char *const *values,
                            size_t n)
{
    for (size_t i = 0; i < n; i++) {
        for (size_t j = i; j < n; j++) {
            check_order(type, values[i], values[j], i < j ? -1 : 0);
        }
    }
}

START_TEST(numbers_compare_by_value)
{
    static const char *const numbers[] = {"-1e1000",
                                          "-9007199254740993",
                                          "-9007199254740992",
                                          "-100.5",
                                          "-100",
                                          "-99",
                                          "-10",
                                          "-1.5",
                                          "-1",
                                          "-0.5",
                                          "-1e-1000",
                                          "0",
                                          "1e-1000",
                                          "0.000999",
                                          "1e-3",
                                          "0.01",
                                          "0.1",
                                          "0.10000000000000000001",
                                          "0.11",
                                          "1",
                                          "1.05",
                                          "1.5",
                                          "2",
                                          "9",
                                          "10",
                                          "99",
                                          "1e2",
                                          "101",
                                          "1.5e2",
                                          "9007199254740992",
                                          "9007199254740993",
                                          "9007199254740993.0001",
                                          "1e999",
                                          "9.99e999",
                                          "1e1000"};

    check_ascending("number", numbers, COUNT(numbers));
}
END_TEST

START_TEST(numbers_are_equal_in_any_notation)
{
    static const char *const pairs[] = {
        "0",    "-0",     "0",       "0.000",     "0e5",    "-0.0e-7",
        "1",    "1.0",    "100",     "1e2",       "100",    "1E+2",
        "0.5",  "5e-1",   "0.05e1",  "0.50",      "12.5",   "0.0125e3",
        "-7.0", "-70e-1", "123.456", "123456e-3", "1e0005", "100000"};

    for (size_t i = 0; i < COUNT(pairs); i += 2) {
        check_order("number", pairs[i], pairs[i + 1], 0);
    }
}
END_TEST

START_TEST(numbers_compare_whatever_their_length)
{
    const char *nines = repeated('9', 900, "");
    const char *more = repeated('9', 900, ".1");

    check_order("number", nines, more, -1);
    check_order("number", nines, "1e900", -1);
    check_order("number", more, "1e900", -1);
    check_order("number", nines, repeated('9', 900, ".000"), 0);
    check_order("number", "1e99999999999999999999", "1e9", 1);
    check_order("number", "1e-99999999999999999999", "1e-9", -1);
}
END_TEST

START_TEST(whole_numbers_compare_by_value)
{
    static const char *const numbers[] = {"-9223372036854775808",
                                          "-9223372036854775807",
                                          "-10",
                                          "-9",
                                          "0",
                                          "9",
                                          "10",
                                          "9223372036854775806",
                                          "9223372036854775807"};

    check_ascending("bigint", numbers, COUNT(numbers));
    check_ascending("int", numbers + 2, 5);
}
END_TEST

START_TEST(timestamps_compare_as_instants)
{
    static const char *const stamps[] = {
        "0001-01-01T00:00:00+15:59",        "0001-01-01T00:00:00+00:00",
        "1969-12-31T23:59:59.999999+00:00", "1970-01-01T00:00:00+00:00",
        "2024-02-28T23:59:59+00:00",        "2024-02-29T00:00:00+00:00",
        "2024-03-01T01:00:00+02:00",        "2024-03-01T00:00:00+00:00",
        "2024-05-31T12:30:00+00:00",        "2024-05-31T12:30:00.000001+00:00",
        "2024-05-31T12:30:00.000010+00:00", "2024-05-31T12:30:01+00:00",
        "2024-12-31T23:59:59+00:00",        "2024-12-31T23:59:59-00:01",
        "9999-12-31T23:59:59-15:59"};
    static const char *const same[] = {
        "2024-05-31T12:30:00+00:00", "2024-05-31T14:30:00+02:00",
        "2024-05-31T18:15:00+05:45", "2024-05-31T09:00:00-03:30",
        "2024-03-01T01:00:00+02:00", "2024-02-29T23:00:00+00:00",
        "2025-01-01T00:30:00+01:00", "2024-12-31T23:30:00+00:00"};

    check_ascending("timestamp", stamps, COUNT(stamps));
    for (size_t i = 0; i < COUNT(same); i += 2) {
        check_order("timestamp", same[i], same[i + 1], 0);
    }
}
END_TEST

/* Each day of four centuries is later than the day before it by one day. */
START_TEST(a_timestamp_is_an_instant)
{
    static const struct {
        const char *text;
        apr_time_t instant;
    } cases[] = {
        {"1970-01-01T00:00:00Z", 0},
        {"1970-01-01T00:00:00.000001Z", 1},
        {"1969-12-31T23:59:59.999999Z", -1},
        {"2026-11-20T12:00:00.123456+01:00", 1795172400123456},
        {"1900-01-01T00:00:00Z", -2208988800000000},
        {"0001-01-01T00:00:00Z", -62135596800000000},
        {"9999-12-31T23:59:59.999999Z", 253402300799999999},
    };
    apr_time_t instant;

    for (size_t i = 0; i < COUNT(cases); i++) {
        ck_assert_int_eq(dsapi_base_type_instant(&instant, cases[i].text),
                         APR_SUCCESS);
        ck_assert_int_eq(instant, cases[i].instant);
    }
    ck_assert_int_eq(dsapi_base_type_instant(&instant, "2024-02-30T00:00:00Z"),
                     DSAPI_EPARAM);
    ck_assert_int_eq(instant, cases[COUNT(cases) - 1].instant);
}
END_TEST

START_TEST(timestamps_know_the_calendar)
{
    const char *before = NULL;

    for (int i = 0; i < 400 * 12 * 31; i++) {
        const char *day =
            apr_psprintf(g_pool, "%04d-%02d-%02dT00:00:00-00:00",
                         1800 + i / 31 / 12, i / 31 % 12 + 1, i % 31 + 1);
        const char *value;
        const char *why;

        if (dsapi_base_type_check(&value, &why, type_of("timestamp"), day,
                                  g_pool) != APR_SUCCESS) {
            continue;
        }
        if (before) {
            const char *end =
                apr_psprintf(g_pool, "%.10sT23:59:59.999999+00:00", before);

            check_order("timestamp", end, value, -1);
            end = apr_psprintf(g_pool, "%.10sT12:00:00-12:00", before);
            check_order("timestamp", end, value, 0);
        }
        before = value;
    }
}
END_TEST

START_TEST(everything_else_compares_by_bytes)
{
    static const char *const texts[] = {"",    "10", "9", "A",       "a",
                                        "a b", "ab", "b", "\xC3\xA9"};
    static const char *const dates[] = {
        "0001-01-01", "1999-12-31", "2000-01-01", "2000-01-02", "9999-12-31"};

    check_ascending("text", texts, COUNT(texts));
    check_ascending("slug", texts, COUNT(texts));
    check_ascending("date", dates, COUNT(dates));
    check_order("bool", "false", "true", -1);
    check_order("iso3", "BFA", "COL", -1);
}
END_TEST

/* The literal of n items. */
static const char *literal(const char *const *values, int n)
{
    apr_array_header_t *items =
        apr_array_make(g_scratch, 1, sizeof(const char *));
    const char *made;

    for (int i = 0; i < n; i++) {
        APR_ARRAY_PUSH(items, const char *) = values[i];
    }
    made = dsapi_base_array_literal(items, g_pool);
    apr_pool_clear(g_scratch);
    return made;
}

START_TEST(an_array_literal_quotes_each_item)
{
    static const char *const values[] = {"a", "b c", "", "NULL", "1,2", "{}"};

    ck_assert_str_eq(literal(values, 6), "{\"a\",\"b "
                                         "c\",\"\",\"NULL\",\"1,2\",\"{}\"}");
    ck_assert_str_eq(literal(values, 1), "{\"a\"}");
    ck_assert_str_eq(literal(values, 0), "{}");
}
END_TEST

START_TEST(an_array_literal_escapes_quotes_and_backslashes)
{
    static const char *const values[] = {"say \"x\"", "\\", "\"", "\\\"\\",
                                         "it's\n"};

    ck_assert_str_eq(literal(values, 5), "{\"say "
                                         "\\\"x\\\"\",\"\\\\\",\"\\\"\","
                                         "\"\\\\\\\"\\\\\","
                                         "\"it's\n\"}");
}
END_TEST

START_TEST(an_array_literal_leaves_null_bare)
{
    static const char *const values[] = {NULL, "a", NULL};

    ck_assert_str_eq(literal(values, 3), "{NULL,\"a\",NULL}");
    ck_assert_str_eq(literal(values, 1), "{NULL}");
}
END_TEST

UNIT_SUITE(base_type, names_are_parsed_and_given_back,
           an_unknown_name_leaves_the_type_untouched,
           oids_are_those_of_postgresql, the_array_flag_does_not_change_a_check,
           text_may_be_anything_in_utf8, int_has_32_bits, bigint_has_64_bits,
           number_has_the_grammar_of_json,
           number_is_limited_in_length_and_exponent, bool_is_true_or_false,
           date_is_a_day_that_exists, date_has_one_form,
           timestamp_is_brought_into_one_form,
           timestamp_has_the_form_of_rfc_3339,
           timestamp_says_which_part_is_wrong, uuid_has_its_text_form,
           iso2_is_an_assigned_code, iso3_is_an_assigned_code,
           iso_codes_are_249_and_kosovo, slug_is_bound_in_lower_case,
           tz_has_the_form_of_a_zone_name, json_is_given_back_as_it_is,
           a_value_does_not_change_its_text, numbers_compare_by_value,
           numbers_are_equal_in_any_notation,
           numbers_compare_whatever_their_length,
           whole_numbers_compare_by_value, timestamps_compare_as_instants,
           a_timestamp_is_an_instant, timestamps_know_the_calendar,
           everything_else_compares_by_bytes, an_array_literal_quotes_each_item,
           an_array_literal_escapes_quotes_and_backslashes,
           an_array_literal_leaves_null_bare)
