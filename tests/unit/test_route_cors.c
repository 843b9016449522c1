/* src/route/cors.h: every promise of the header. */
#include "route/cors.h"

#include "route/param.h"
#include "unit/unit.h"

static const struct {
    const char *origin;
    const char *why; /* NULL: it is one */
} origins[] = {
    {"https://app.example.org", NULL},
    {"http://localhost:3000", NULL},
    {"http://127.0.0.1", NULL},
    {"http://[::1]:8080", NULL},
    {"https://[2001:db8::1]", NULL},
    {"https://xn--bcher-kva.example", NULL},
    {"https://a_b.example.org:8443", NULL},
    {"https://example.org.", NULL},
    {"http://example.org:443", NULL},
    {"https://example.org:80", NULL},
    {"capacitor://localhost", NULL},
    {"chrome-extension://abcdefghijklmnop", NULL},
    {"http://a:65535", NULL},
    {"null", "any sandboxed page"},
    {"https://App.example.org", "lower case"},
    {"HTTPS://app.example.org", "lower case"},
    {"https://app.example.org/", "not even a '/'"},
    {"https://app.example.org/x", "has no path"},
    {"https://app.example.org?x", "behind its host"},
    {"https://user@app.example.org", "behind its host"},
    {"https://app.example.org:", "behind :port"},
    {"https://app.example.org:0", "behind :port"},
    {"https://app.example.org:065", "behind :port"},
    {"https://app.example.org:65536", "behind :port"},
    {"https://app.example.org:-1", "behind :port"},
    {"https://app.example.org:443", "without the port"},
    {"http://app.example.org:80", "without the port"},
    {"https://*.example.org", "without wildcards"},
    {"https://app.*", "behind its host"},
    {"app.example.org", "is no origin"},
    {"//app.example.org", "is no origin"},
    {"https:/app.example.org", "is no origin"},
    {"https://", "is no origin"},
    {"https://:80", "is no origin"},
    {"https://[::1", "is no origin"},
    {"https://[]", "is no origin"},
    {"https://b\xc3\xbc"
     "cher.example",
     "behind its host"},
    {"1http://a", "is no origin"},
    {"*", "is no origin"},
    {"", "is no origin"},
};

START_TEST(origins_are_as_browsers_send_them)
{
    for (size_t i = 0; i < sizeof(origins) / sizeof(origins[0]); i++) {
        dsapi_err_t *err = NULL;
        apr_status_t rv =
            dsapi_route_cors_check(&err, origins[i].origin, g_pool);

        if (!origins[i].why) {
            ck_assert_msg(rv == APR_SUCCESS && !err, "case %zu: %s: %s", i,
                          origins[i].origin, err ? err->detail : "");
            continue;
        }
        ck_assert_msg(rv == DSAPI_ESYNTAX, "case %zu: %s", i,
                      origins[i].origin);
        ck_assert_msg(strstr(err->detail, origins[i].why) != NULL,
                      "case %zu: %s", i, err->detail);
    }
}
END_TEST

START_TEST(headers_have_names)
{
    ck_assert_int_eq(dsapi_route_cors_is_header("X-Tenant"), 1);
    ck_assert_int_eq(dsapi_route_cors_is_header("x_1.2"), 1);
    ck_assert_int_eq(dsapi_route_cors_is_header(""), 0);
    ck_assert_int_eq(dsapi_route_cors_is_header("*"), 0);
    ck_assert_int_eq(dsapi_route_cors_is_header("X Tenant"), 0);
    ck_assert_int_eq(dsapi_route_cors_is_header("X:"), 0);
}
END_TEST

static dsapi_cors_t make_cors(int any)
{
    dsapi_cors_t cors = {any, apr_array_make(g_pool, 2, sizeof(char *)),
                         apr_array_make(g_pool, 2, sizeof(char *))};

    if (!any) {
        APR_ARRAY_PUSH(cors.origins, const char *) = "https://a.example";
        APR_ARRAY_PUSH(cors.origins, const char *) = "http://b.example:8080";
    }
    return cors;
}

START_TEST(only_the_very_origin_is_allowed)
{
    static const char *const others[] = {
        "null",
        "",
        "https://a.example.",
        "https://a.example:443",
        "https://A.example",
        "http://a.example",
        "https://a.example.evil",
        "https://evil-a.example",
        "https://a.exampl",
        "https://a.example, http://b.example:8080",
        "http://b.example",
        " https://a.example",
    };
    dsapi_cors_t cors = make_cors(0);

    ck_assert_str_eq(dsapi_route_cors_allow(&cors, "https://a.example"), "https"
                                                                         "://"
                                                                         "a."
                                                                         "examp"
                                                                         "le");
    ck_assert_str_eq(dsapi_route_cors_allow(&cors, "http://b.example:8080"),
                     "http://b.example:8080");
    ck_assert_ptr_null(dsapi_route_cors_allow(&cors, NULL));
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        ck_assert_msg(!dsapi_route_cors_allow(&cors, others[i]), "%s",
                      others[i]);
    }
}
END_TEST

START_TEST(a_star_is_for_all)
{
    dsapi_cors_t cors = make_cors(1);

    ck_assert_str_eq(dsapi_route_cors_allow(&cors, "https://a.example"), "*");
    ck_assert_str_eq(dsapi_route_cors_allow(&cors, "null"), "*");
    ck_assert_str_eq(dsapi_route_cors_allow(&cors, NULL), "*");
}
END_TEST

START_TEST(requests_may_have_the_usual_headers_and_the_routes)
{
    dsapi_cors_t cors = make_cors(0);
    dsapi_param_t tenant = {.name = "x_tenant", .in = DSAPI_IN_HEADER};
    dsapi_param_t other = {.name = "other", .in = DSAPI_IN_QUERY};
    apr_array_header_t *params = apr_array_make(g_pool, 2, sizeof(void *));
    const char *text = dsapi_route_cors_headers(&cors, NULL, g_pool);

    ck_assert_ptr_nonnull(strstr(text, "Content-Type, "));
    ck_assert_ptr_nonnull(strstr(text, "Authorization, "));
    ck_assert_ptr_nonnull(strstr(text, "Idempotency-Key, "));
    ck_assert_ptr_null(strstr(text, "Forwarded"));
    ck_assert_ptr_null(strstr(text, "tenant"));
    APR_ARRAY_PUSH(params, dsapi_param_t *) = &other;
    APR_ARRAY_PUSH(params, dsapi_param_t *) = &tenant;
    APR_ARRAY_PUSH(cors.headers, const char *) = "X-Client-Info";
    text = dsapi_route_cors_headers(&cors, params, g_pool);
    ck_assert_str_eq(strstr(text, ", X-Client"), ", X-Client-Info, x-tenant");
}
END_TEST

UNIT_SUITE(route_cors, origins_are_as_browsers_send_them, headers_have_names,
           only_the_very_origin_is_allowed, a_star_is_for_all,
           requests_may_have_the_usual_headers_and_the_routes)
