/* source/template: URL templates. */
#include "source/template.h"

#include <apr_strings.h>

#include "unit/unit.h"

static dsapi_template_t *parse(const char *text)
{
    apr_pool_t *scratch;
    dsapi_template_t *tmpl = NULL;
    dsapi_err_t *err = NULL;
    apr_status_t rv;

    apr_pool_create(&scratch, NULL);
    rv = dsapi_source_template(&tmpl, &err, text, g_pool, scratch);
    apr_pool_destroy(scratch);
    ck_assert_msg(rv == APR_SUCCESS, "%s: %s", text, err ? err->detail : "");
    ck_assert_ptr_null(err);
    return tmpl;
}

/* @return why a template is refused; fails where it is not */
static const char *refusal(const char *text)
{
    apr_pool_t *scratch;
    dsapi_template_t *tmpl = (dsapi_template_t *)g_pool;
    dsapi_err_t *err = NULL;
    apr_status_t rv;

    apr_pool_create(&scratch, NULL);
    rv = dsapi_source_template(&tmpl, &err, text, g_pool, scratch);
    apr_pool_destroy(scratch);
    ck_assert_msg(rv == DSAPI_ESYNTAX, "%s", text);
    ck_assert_ptr_null(tmpl);
    ck_assert_int_eq(err->rv, DSAPI_ESYNTAX);
    return err->detail;
}

static void ck_refused(const char *const *texts, int ntexts, const char *why)
{
    for (int i = 0; i < ntexts; i++) {
        const char *detail = refusal(texts[i]);

        ck_assert_msg(strstr(detail, why) != NULL, "%s: %s", texts[i], detail);
    }
}

#define CK_REFUSED(why, ...)                                             \
    do {                                                                 \
        static const char *const texts[] = {__VA_ARGS__};                \
                                                                         \
        ck_refused(texts, (int)(sizeof(texts) / sizeof(texts[0])), why); \
    } while (0)

/* Expand with the variables iso3, from and x (NULL: none). */
static const char *expand(const char *text, const char *x)
{
    apr_table_t *vars = apr_table_make(g_pool, 3);
    const char *url = NULL;
    dsapi_err_t *err = NULL;
    apr_status_t rv;

    apr_table_setn(vars, "iso3", "COL");
    apr_table_setn(vars, "from", "2022-06-01");
    if (x) {
        apr_table_setn(vars, "x", x);
    }
    rv = dsapi_source_expand(&url, &err, parse(text), vars, g_pool, g_scratch);
    ck_assert_msg(rv == APR_SUCCESS, "%s: %s", text, err ? err->detail : "");
    ck_assert_ptr_null(err);
    return url;
}

static apr_status_t expand_fails(dsapi_err_t **perr, const char *text,
                                 const char *x)
{
    apr_table_t *vars = apr_table_make(g_pool, 1);
    const char *url = "untouched";
    apr_pool_t *scratch;
    apr_status_t rv;

    if (x) {
        apr_table_setn(vars, "x", x);
    }
    apr_pool_create(&scratch, NULL);
    rv = dsapi_source_expand(&url, perr, parse(text), vars, g_pool, scratch);
    apr_pool_destroy(scratch);
    ck_assert_ptr_null(url);
    return rv;
}

START_TEST(a_template_is_parts_and_origin)
{
    dsapi_template_t *tmpl = parse("https://api.example.org/c/"
                                   "{iso3}?d={a.b_1}");

    ck_assert_str_eq(tmpl->origin, "https://api.example.org");
    ck_assert_int_eq(tmpl->nparts, 4);
    ck_assert_str_eq(tmpl->parts[0].text, "https://api.example.org/c/");
    ck_assert_int_eq(tmpl->parts[0].is_var, 0);
    ck_assert_str_eq(tmpl->parts[1].text, "iso3");
    ck_assert_int_eq(tmpl->parts[1].is_var, 1);
    ck_assert_str_eq(tmpl->parts[2].text, "?d=");
    ck_assert_int_eq(tmpl->parts[2].is_var, 0);
    ck_assert_str_eq(tmpl->parts[3].text, "a.b_1");
    ck_assert_int_eq(tmpl->parts[3].is_var, 1);
}
END_TEST

START_TEST(the_text_is_only_borrowed)
{
    char text[] = "https://h/{iso3}";
    dsapi_template_t *tmpl = parse(text);

    memset(text, 'x', sizeof(text) - 1);
    ck_assert_str_eq(tmpl->origin, "https://h");
    ck_assert_str_eq(tmpl->parts[0].text, "https://h/");
    ck_assert_str_eq(tmpl->parts[1].text, "iso3");
}
END_TEST

START_TEST(the_origin_is_normal)
{
    static const struct {
        const char *text;
        const char *origin;
    } rows[] = {
        {"http://h", "http://h"},
        {"HTTPS://API.Example.ORG/Path", "https://api.example.org"},
        {"http://127.0.0.1:8080/x", "http://127.0.0.1:8080"},
        {"http://h:80/", "http://h"},
        {"https://h:443?q", "https://h"},
        {"https://h:80", "https://h:80"},
        {"http://h:443", "http://h:443"},
        {"http://[::1]/", "http://[::1]"},
        {"http://[2001:DB8::1]:8080/", "http://[2001:db8::1]:8080"},
        {"http://h:08080/", "http://h:8080"},
        {"https://a_b-c.d?{x}", "https://a_b-c.d"},
    };

    for (int i = 0; i < (int)(sizeof(rows) / sizeof(rows[0])); i++) {
        dsapi_template_t *tmpl = parse(rows[i].text);

        ck_assert_str_eq(tmpl->origin, rows[i].origin);
        ck_assert_int_eq(
            strncmp(tmpl->parts[0].text, tmpl->origin, strlen(tmpl->origin)),
            0);
    }
    ck_assert_str_eq(expand("HTTP://H:80/Path?Q", NULL), "http://h/Path?Q");
}
END_TEST

START_TEST(only_http_and_https_are_taken)
{
    CK_REFUSED("http:// or https://", "", "h", "//h/", "/path", "ftp://h/",
               "file:///etc/passwd", "http:/h", "https:h", "httpx://h",
               "{scheme}://h/", "http{s}://h/");
}
END_TEST

START_TEST(the_host_must_be_one)
{
    CK_REFUSED("the host must be", "http://", "http:///path", "http://?x",
               "http://:80/", "http://h\\evil/", "http://h,i/", "http://[::1",
               "http://[]/", "http://[::1]x/", "http://[g::]/", "http://a%2eb/",
               "http://xn-\xc3\xb1/", "http://a:b:80/");
    CK_REFUSED("the port must be", "http://h:/", "http://h:0/",
               "http://h:65536/", "http://h:x/", "http://h:-1/",
               "http://h:80x/", "http://h:99999999999999999999/",
               "http://[::1]:/");
}
END_TEST

START_TEST(user_information_is_refused)
{
    CK_REFUSED("user name or password", "http://u@h/", "https://u:p@h:1/",
               "http://@h/");
    ck_assert_str_eq(expand("http://h/@me?a=b@c", NULL), "http://h/@me?a=b@c");
}
END_TEST

START_TEST(a_fragment_is_refused)
{
    CK_REFUSED("fragment", "http://h/#x", "http://h#x", "http://h/{x}#",
               "http://h/?a#b");
}
END_TEST

START_TEST(a_parameter_before_the_path_is_refused)
{
    CK_REFUSED("before the path", "http://{host}/", "http://a.{x}.b/",
               "http://h:{port}/", "http://h{x}", "http://h{/x}", "http://h}/",
               "http://{u}@h/");
}
END_TEST

START_TEST(braces_must_hold_a_plain_name)
{
    CK_REFUSED("not closed", "http://h/{", "http://h/{x", "http://h/{x/y");
    CK_REFUSED("a name must stand", "http://h/{}", "http://h/a{}b");
    CK_REFUSED("plain name", "http://h/{+x}", "http://h/{#x}", "http://h/{?x}",
               "http://h/{/x}", "http://h/{.x}", "http://h/{;x}",
               "http://h/{&x}", "http://h/{x,y}", "http://h/{x:3}",
               "http://h/{x*}", "http://h/{a{b}}", "http://h/{\xc3\xb1}");
    CK_REFUSED("has no '{'", "http://h/}", "http://h/{x}}", "http://h/a?b}");
}
END_TEST

START_TEST(blanks_controls_and_bad_utf8_are_refused)
{
    CK_REFUSED("blank or a control", "http://h/a b", " http://h/", "http://h/ ",
               "http://h/a\tb", "http://h/a\r\nX: y", "http://h/\x7f",
               "http://h/{a b}", "http://a b/");
    CK_REFUSED("must be UTF-8", "http://h/\xff", "http://h/\xc3");
}
END_TEST

START_TEST(a_lone_percent_is_refused)
{
    CK_REFUSED("two hexadecimal digits", "http://h/%", "http://h/%4",
               "http://h/%zz", "http://h/?a=%", "http://h/%{x}",
               "http://h/%4{x}");
}
END_TEST

START_TEST(dot_segments_in_a_template_are_refused)
{
    CK_REFUSED("'.' or '..'", "http://h/.", "http://h/..", "http://h/a/../b",
               "http://h/./a", "http://h/a/%2e%2E/b", "http://h/.%2e",
               "http://h/{x}/..?q", "http://h/%2e/");
    ck_assert_str_eq(expand("http://h/.../a..b/.x/?p=/../", NULL), "http://h/"
                                                                   ".../a..b/"
                                                                   ".x/?p=/"
                                                                   "../");
}
END_TEST

START_TEST(literals_are_encoded_where_a_url_needs_it)
{
    ck_assert_str_eq(expand("http://h/ni\xc3\xb1o/a%20b/\"<>\\^`|/"
                            "-._~:[]@!$&'()*+,;=",
                            NULL),
                     "http://h/ni%C3%B1o/a%20b/%22%3C%3E%5C%5E%60%7C/"
                     "-._~:[]@!$&'()*+,;=");
}
END_TEST

START_TEST(values_are_put_in_and_encoded)
{
    ck_assert_str_eq(expand("https://h/country/{iso3}/"
                            "region?date_start={from}&x={x}",
                            "a b/c?d#e&f=g%h+\xc3\xb1"),
                     "https://h/country/COL/region?date_start=2022-06-01&x="
                     "a%20b%2Fc%3Fd%23e%26f%3Dg%25h%2B%C3%B1");
    ck_assert_str_eq(expand("http://h/{x}{x}-{iso3}", "1"), "http://h/11-COL");
    ck_assert_str_eq(expand("http://h/a/{x}/b", ""), "http://h/a//b");
    ck_assert_str_eq(expand("http://h?{x}", "q"), "http://h?q");
    ck_assert_str_eq(expand("http://h", NULL), "http://h");
}
END_TEST

/* RFC 6570, 1.2 and 3.2.2: level 1 */
START_TEST(the_examples_of_the_rfc_expand)
{
    ck_assert_str_eq(expand("http://h/{x}", "value"), "http://h/value");
    ck_assert_str_eq(expand("http://h/{x}", "Hello World!"), "http://h/"
                                                             "Hello%20World%"
                                                             "21");
    ck_assert_str_eq(expand("http://h/{x}", "50%"), "http://h/50%25");
    ck_assert_str_eq(expand("http://h/O{x}X", ""), "http://h/OX");
}
END_TEST

START_TEST(a_value_of_one_host_stays_in_its_place)
{
    ck_assert_str_eq(expand("http://h/{x}", "//evil/@u:p"), "http://h/"
                                                            "%2F%2Fevil%2F%40u%"
                                                            "3Ap");
    ck_assert_str_eq(expand("http://h/{x}", "\r\nHost: evil"), "http://h/"
                                                               "%0D%0AHost%3A%"
                                                               "20evil");
}
END_TEST

START_TEST(expand_names_the_missing_variable)
{
    dsapi_err_t *err = NULL;

    ck_assert_int_eq(expand_fails(&err, "http://h/c/{day}/{x}", "1"),
                     DSAPI_EPARAM);
    ck_assert_str_eq(err->code, "missing-parameter");
    ck_assert_str_eq(err->detail, "no value for 'day'");
}
END_TEST

START_TEST(a_segment_never_becomes_dots)
{
    static const struct {
        const char *text;
        const char *x;
    } rows[] = {
        {"http://h/{x}", ".."},     {"http://h/{x}", "."},
        {"http://h/a/{x}/b", ".."}, {"http://h/{x}?q", ".."},
        {"http://h/.{x}/b", "."},   {"http://h/{x}{x}", "."},
        {"http://h/{x}%2e/b", "."}, {"http://h/..{x}/b", ""},
        {"http://h/{x}./b", ""},    {"http://h/a{x}/{x}", ".."},
    };
    dsapi_err_t *err = NULL;

    for (int i = 0; i < (int)(sizeof(rows) / sizeof(rows[0])); i++) {
        ck_assert_int_eq(expand_fails(&err, rows[i].text, rows[i].x),
                         DSAPI_EPARAM);
        ck_assert_str_eq(err->code, "invalid-parameter");
    }
    ck_assert_str_eq(expand("http://h/{x}", "..."), "http://h/...");
    ck_assert_str_eq(expand("http://h/{x}", "%2e%2e"), "http://h/%252e%252e");
    ck_assert_str_eq(expand("http://h/{x}", "../.."), "http://h/..%2F..");
    ck_assert_str_eq(expand("http://h/a?p={x}", ".."), "http://h/a?p=..");
    ck_assert_str_eq(expand("http://h/{x}..", "a"), "http://h/a..");
}
END_TEST

static char *letters(apr_size_t n)
{
    char *s = apr_palloc(g_pool, n + 1);

    memset(s, 'a', n);
    s[n] = '\0';
    return s;
}

START_TEST(a_url_ends_at_8192_bytes)
{
    apr_size_t room = DSAPI_URL_MAX_BYTES - strlen("http://h/");
    dsapi_err_t *err = NULL;

    ck_assert_uint_eq(strlen(expand("http://h/{x}", letters(room))),
                      DSAPI_URL_MAX_BYTES);
    ck_assert_int_eq(expand_fails(&err, "http://h/{x}", letters(room + 1)),
                     DSAPI_ETOOBIG);
    ck_assert_str_eq(err->code, "url-too-long");
    ck_assert_int_eq(expand_fails(&err, "http://h/{x}", letters(1 << 20)),
                     DSAPI_ETOOBIG);
    ck_assert_int_eq(
        expand_fails(&err,
                     apr_pstrcat(g_pool, "http://h/", letters(room + 1), NULL),
                     NULL),
        DSAPI_ETOOBIG);
}
END_TEST

START_TEST(the_url_needs_nothing_of_the_scratch_pool)
{
    const char *url = expand("http://h/{x}/b", "n\xc3\xb1");

    apr_pool_destroy(g_scratch);
    ck_assert_str_eq(url, "http://h/n%C3%B1/b");
}
END_TEST

UNIT_SUITE(source_template, a_template_is_parts_and_origin,
           the_text_is_only_borrowed, the_origin_is_normal,
           only_http_and_https_are_taken, the_host_must_be_one,
           user_information_is_refused, a_fragment_is_refused,
           a_parameter_before_the_path_is_refused,
           braces_must_hold_a_plain_name,
           blanks_controls_and_bad_utf8_are_refused, a_lone_percent_is_refused,
           dot_segments_in_a_template_are_refused,
           literals_are_encoded_where_a_url_needs_it,
           values_are_put_in_and_encoded, the_examples_of_the_rfc_expand,
           a_value_of_one_host_stays_in_its_place,
           expand_names_the_missing_variable, a_segment_never_becomes_dots,
           a_url_ends_at_8192_bytes, the_url_needs_nothing_of_the_scratch_pool)
