/* src/docs/page.c: every promise of the header. */
#include "docs/page.h"

#include "base/args.h"
#include "route/param.h"
#include "unit/unit.h"

static apr_array_header_t *routes;
static dsapi_docs_service_t service;

static void begin(void)
{
    routes = apr_array_make(g_pool, 4, sizeof(dsapi_docs_route_t));
    service =
        (dsapi_docs_service_t){.name = "s", .base = "/s", .routes = routes};
}

static dsapi_docs_route_t *add(const char *path, const char *declaration)
{
    dsapi_docs_route_t *route = apr_array_push(routes);
    apr_array_header_t *params = apr_array_make(g_pool, 1, sizeof(void *));
    apr_array_header_t *none = apr_array_make(g_pool, 1, sizeof(char *));
    apr_array_header_t *args;
    dsapi_param_t *param;
    dsapi_err_t *err;

    *route = (dsapi_docs_route_t){
        .method = "GET", .path = path, .params = params, .status = 200};
    if (declaration) {
        ck_assert_int_eq(
            dsapi_base_args_parse(&args, &err, declaration, g_pool),
            APR_SUCCESS);
        ck_assert_int_eq(dsapi_route_param_parse(&param, &err, args, g_pool),
                         APR_SUCCESS);
        APR_ARRAY_PUSH(params, dsapi_param_t *) = param;
        ck_assert_int_eq(
            dsapi_route_params_settle(&err, params, none, 0, g_pool),
            APR_SUCCESS);
    }
    return route;
}

static const char *page(void)
{
    dsapi_buf_t *buf = dsapi_buf_make(0, g_pool);

    dsapi_docs_page(buf, &service, g_pool);
    return dsapi_buf_str(buf);
}

static void has(const char *text)
{
    ck_assert_msg(strstr(page(), text) != NULL, "%s in %s", text, page());
}

START_TEST(texts_are_escaped)
{
    begin();
    service.title = "<script>alert(1)</script>";
    service.description = "a & \"b\"";
    add("/<b>", "a text pattern=\"^[<&>]$\" description=\"1 < 2\"")->summary =
        "<i>";
    has("<title>&lt;script&gt;alert(1)&lt;/script&gt;</title>");
    has("<p>a &amp; &quot;b&quot;</p>");
    has("<code>/s/&lt;b&gt;</code>");
    has("<strong>&lt;i&gt;</strong>");
    has("<code>^[&lt;&amp;&gt;]$</code>");
    has("<td>1 &lt; 2</td>");
    ck_assert_ptr_null(strstr(page(), "<script"));
}
END_TEST

START_TEST(a_service_without_texts_has_its_name)
{
    begin();
    has("<h1>s</h1>");
    ck_assert_ptr_null(strstr(page(), "Version"));
    service.version = "3";
    has("<p>Version 3</p>");
}
END_TEST

START_TEST(parameters_are_told)
{
    begin();
    add("/a", "n int min=1 max=5 default=2");
    add("/b", "x_t text required in=header enum=a,b");
    add("/c", "d date min=2000-01-01")->content_type = "text/plain";
    has("<td><code>n</code></td><td>query</td><td>int, from <code>1</code>, "
        "to <code>5</code></td><td><code>2</code></td><td></td>");
    has("<td><code>x-t</code></td><td>header</td><td>text, one of "
        "<code>a b</code></td><td>required</td>");
    has("<td>date, from <code>2000-01-01</code></td><td></td>");
    has("<code>200</code> The rows, as <code>text/plain</code></p>");
}
END_TEST

START_TEST(routes_stand_under_their_tags)
{
    const char *one;
    const char *two;
    const char *three;

    begin();
    add("/1", NULL)->tag = "x";
    add("/2", NULL);
    add("/3", NULL)->tag = "x";
    one = strstr(page(), "<code>/s/1</code>");
    ck_assert_ptr_nonnull(one);
    three = strstr(one, "<code>/s/3</code>");
    ck_assert_ptr_nonnull(three);
    two = strstr(three, "<h2>Routes</h2>");
    ck_assert_ptr_nonnull(two);
    ck_assert_ptr_nonnull(strstr(two, "<code>/s/2</code>"));
    ck_assert_ptr_null(strstr(two, "<h2>x</h2>"));
}
END_TEST

UNIT_SUITE(docs_page, texts_are_escaped, a_service_without_texts_has_its_name,
           parameters_are_told, routes_stand_under_their_tags)
