/* src/docs/openapi.c: what is written, read by another reader of JSON. */
#include "docs/openapi.h"

#include <apr_strings.h>
#include <jansson.h>

#include "base/args.h"
#include "route/param.h"
#include "unit/unit.h"

static dsapi_docs_service_t service;
static apr_array_header_t *routes;

static void begin(void)
{
    routes = apr_array_make(g_pool, 4, sizeof(dsapi_docs_route_t));
    service =
        (dsapi_docs_service_t){.name = "s", .base = "/s", .routes = routes};
}

/** A route of the service; its parameters are declarations, NULL at the end. */
static dsapi_docs_route_t *add(const char *method, const char *path,
                               dsapi_docs_answer_e answer,
                               const char *const *declarations)
{
    dsapi_docs_route_t *route = apr_array_push(routes);
    apr_array_header_t *params = apr_array_make(g_pool, 4, sizeof(void *));
    apr_array_header_t *names = apr_array_make(g_pool, 2, sizeof(char *));
    dsapi_err_t *err;

    for (const char *p = path; (p = strchr(p, '{')); p++) {
        APR_ARRAY_PUSH(names, const char *) =
            apr_pstrmemdup(g_pool, p + 1, strcspn(p + 1, "}"));
    }
    for (; *declarations; declarations++) {
        apr_array_header_t *args;
        dsapi_param_t *param;

        ck_assert_int_eq(
            dsapi_base_args_parse(&args, &err, *declarations, g_pool),
            APR_SUCCESS);
        ck_assert_int_eq(dsapi_route_param_parse(&param, &err, args, g_pool),
                         APR_SUCCESS);
        APR_ARRAY_PUSH(params, dsapi_param_t *) = param;
    }
    ck_assert_int_eq(
        dsapi_route_params_settle(&err, params, names, *method == 'P', g_pool),
        APR_SUCCESS);
    *route = (dsapi_docs_route_t){.method = method,
                                  .path = path,
                                  .path_names = names,
                                  .params = params,
                                  .answer = answer,
                                  .status = 200};
    return route;
}

/** What is at a JSON pointer's place in the document, as compact JSON with
 *  sorted members; "-": nothing is. ('/' in a name is ~1.) */
static const char *at(const char *pointer)
{
    dsapi_buf_t *buf = dsapi_buf_make(0, g_pool);
    json_error_t why;
    json_t *root;
    const json_t *node;
    char *text;
    const char *copy;

    dsapi_docs_openapi(buf, &service, g_pool);
    root = json_loadb(buf->data, buf->len_bytes, JSON_REJECT_DUPLICATES, &why);
    ck_assert_msg(root != NULL, "%s", why.text);
    node = root;
    while (node && *pointer) {
        apr_size_t len = strcspn(pointer + 1, "/");
        char *name = apr_pstrmemdup(g_pool, pointer + 1, len);
        char *to = name;

        for (const char *from = name; *from; from++) {
            if (from[0] == '~' && from[1] == '1') {
                *to++ = '/';
                from++;
            }
            else {
                *to++ = *from;
            }
        }
        *to = '\0';
        node = json_is_array(node)
                   ? json_array_get(node, (size_t)apr_atoi64(name))
                   : json_object_get(node, name);
        pointer += len + 1;
    }
    text =
        node ? json_dumps(node, JSON_COMPACT | JSON_SORT_KEYS | JSON_ENCODE_ANY)
             : NULL;
    copy = text ? apr_pstrdup(g_pool, text) : "-";
    free(text);
    json_decref(root);
    return copy;
}

#define ck_at(pointer, want) ck_assert_str_eq(at(pointer), want)

static const char *const none[] = {NULL};

START_TEST(a_service_has_its_texts)
{
    begin();
    ck_at("/openapi", "\"3.1.1\"");
    ck_at("/info", "{\"title\":\"s\",\"version\":\"1\"}");
    ck_at("/servers", "[{\"url\":\"/s\"}]");
    ck_at("/paths", "{}");
    service.title = "A \"title\"";
    service.version = "2.1";
    service.description = "what";
    ck_at("/info", "{\"description\":\"what\",\"title\":\"A \\\"title\\\"\","
                   "\"version\":\"2.1\"}");
}
END_TEST

START_TEST(types_are_schemas)
{
    static const struct {
        const char *declaration;
        const char *schema;
    } cases[] = {
        {"a text", "{\"type\":\"string\"}"},
        {"a int min=1 max=5 default=2", "{\"default\":2,\"format\":\"int32\","
                                        "\"maximum\":5,\"minimum\":1,"
                                        "\"type\":\"integer\"}"},
        {"a bigint", "{\"format\":\"int64\",\"type\":\"integer\"}"},
        {"a number min=-0.5", "{\"minimum\":-0.5,\"type\":\"number\"}"},
        {"a bool default=1", "{\"default\":true,\"type\":\"boolean\"}"},
        {"a date default=2024-02-29", "{\"default\":\"2024-02-29\",\"format\":"
                                      "\"date\",\"type\":\"string\"}"},
        {"a timestamp", "{\"format\":\"date-time\",\"type\":\"string\"}"},
        {"a uuid", "{\"format\":\"uuid\",\"type\":\"string\"}"},
        {"a iso3", "{\"pattern\":\"^[A-Za-z]{3}$\",\"type\":\"string\"}"},
        {"a text enum=x,y", "{\"enum\":[\"x\",\"y\"],\"type\":\"string\"}"},
        {"a int enum=1,2", "{\"enum\":[1,2],\"format\":\"int32\",\"type\":"
                           "\"integer\"}"},
        {"a text pattern=^a+$", "{\"pattern\":\"^a+$\",\"type\":\"string\"}"},
        {"a int[] max=3", "{\"items\":{\"format\":\"int32\",\"maximum\":3,"
                          "\"type\":"
                          "\"integer\"},"
                          "\"type\":\"array\"}"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const char *declarations[] = {cases[i].declaration, NULL};

        begin();
        add("GET", "/x", DSAPI_DOCS_ROWS, declarations);
        ck_at("/paths/~1x/get/parameters/0/schema", cases[i].schema);
    }
}
END_TEST

START_TEST(parameters_say_where_they_are)
{
    static const char *const declarations[] = {"id int description=\"the "
                                               "thing\"",
                                               "from date min=2000-01-01 "
                                               "max=:to",
                                               "to date required",
                                               "if_match "
                                               "text in=header",
                                               "ids int[]",
                                               "filter json",
                                               NULL};

    begin();
    add("GET", "/x/{id}", DSAPI_DOCS_ROWS, declarations);
    ck_at("/paths/~1x~1{id}/get/parameters/0", "{\"description\":\"the "
                                               "thing\",\"in\":\"path\","
                                               "\"name\":\"id\","
                                               "\"required\":true,\"schema\":{"
                                               "\"format\":\"int32\","
                                               "\"type\":\"integer\"}}");
    ck_at("/paths/~1x~1{id}/get/parameters/1/description", "\"At least "
                                                           "2000-01-01. At "
                                                           "most the parameter "
                                                           "to.\"");
    ck_at("/paths/~1x~1{id}/get/parameters/1/required", "false");
    ck_at("/paths/~1x~1{id}/get/parameters/2/required", "true");
    ck_at("/paths/~1x~1{id}/get/parameters/3/name", "\"if-match\"");
    ck_at("/paths/~1x~1{id}/get/parameters/3/in", "\"header\"");
    ck_at("/paths/~1x~1{id}/get/parameters/4/explode", "false");
    ck_at("/paths/~1x~1{id}/get/parameters/5/content", "{\"application/"
                                                       "json\":{\"schema\":{}}"
                                                       "}");
    ck_at("/paths/~1x~1{id}/get/requestBody", "-");
}
END_TEST

START_TEST(a_body_has_members_or_is_whole)
{
    static const char *const members[] = {"name text required", "n int", NULL};
    static const char *const whole[] = {"all iso3[] in=body body=whole "
                                        "required",
                                        NULL};

    begin();
    add("POST", "/x", DSAPI_DOCS_NONE, members);
    add("PUT", "/x", DSAPI_DOCS_NONE, whole);
    ck_at("/paths/~1x/post/requestBody/required", "true");
    ck_at("/paths/~1x/post/requestBody/content/application~1json/schema",
          "{\"additionalProperties\":false,\"properties\":{\"n\":{\"format\":"
          "\"int32\",\"type\":\"integer\"},\"name\":{\"type\":\"string\"}},"
          "\"required\":[\"name\"],\"type\":\"object\"}");
    ck_assert_str_ne(at("/paths/~1x/post/requestBody/content/"
                        "application~1x-www-form-urlencoded/schema"),
                     "-");
    ck_at("/paths/~1x/put/requestBody/content", "{\"application/"
                                                "json\":{\"schema\":{\"items\":"
                                                "{\"pattern\":"
                                                "\"^[A-Za-z]{3}$\",\"type\":"
                                                "\"string\"},\"type\":"
                                                "\"array\"}}}");
}
END_TEST

START_TEST(answers_have_their_shapes)
{
    begin();
    add("GET", "/rows", DSAPI_DOCS_ROWS, none)->cached = 1;
    add("GET", "/row", DSAPI_DOCS_ROW, none)->status = 201;
    add("GET", "/value", DSAPI_DOCS_VALUE, none)->content_type = "text/plain";
    add("PUT", "/none", DSAPI_DOCS_NONE, none)->status = 204;
    add("GET", "/fetch", DSAPI_DOCS_QUEUED, none)->fresh = 1;
    APR_ARRAY_IDX(routes, 4, dsapi_docs_route_t).status = 202;
    ck_assert_ptr_nonnull(
        strstr(at("/paths/~1rows/get/responses/200/content"), "text/csv"));
    ck_at("/paths/~1rows/get/responses/304", "{\"description\":\"The client "
                                             "has it\"}");
    ck_at("/paths/~1rows/get/responses/404", "-");
    ck_at("/paths/~1row/get/responses/304", "-");
    ck_at("/paths/~1row/get/responses/404", "{\"$ref\":\"#/components/"
                                            "responses/Problem\"}");
    ck_at("/paths/~1row/get/responses/201/content", "{\"application/"
                                                    "json\":{\"schema\":{"
                                                    "\"type\":\"object\"}}}");
    ck_at("/paths/~1value/get/responses/200/content", "{\"text/"
                                                      "plain\":{\"schema\":{}}"
                                                      "}");
    ck_at("/paths/~1none/put/responses/204", "{\"description\":\"Done\"}");
    ck_assert_str_ne(at("/paths/~1fetch/get/responses/200"), "-");
    ck_at("/paths/~1fetch/get/responses/202/content", "{\"application/"
                                                      "json\":{\"schema\":{\"$"
                                                      "ref\":"
                                                      "\"#/components/schemas/"
                                                      "Job\"}}}");
    ck_assert_str_ne(at("/components/schemas/Job"), "-");
    ck_assert_str_ne(at("/components/responses/Problem"), "-");
}
END_TEST

/* OpenAPI takes templates that differ in names alone for the same. */
START_TEST(equal_paths_are_one)
{
    static const char *const a[] = {"a int", NULL};
    static const char *const b[] = {"b int", NULL};

    begin();
    add("GET", "/x/{a}", DSAPI_DOCS_ROW, a)->summary = "read";
    add("GET", "/x/y", DSAPI_DOCS_ROW, none)->tag = "t";
    add("DELETE", "/x/{b}", DSAPI_DOCS_NONE, b)->description = "remove";
    add("GET", "/x/{b}/y", DSAPI_DOCS_NONE, b);
    add("GET", "/x/{b}", DSAPI_DOCS_ROW, b)->summary = "the first counts";
    ck_at("/paths/~1x~1{a}/get/summary", "\"read\"");
    ck_at("/paths/~1x~1{a}/delete/parameters/0/name", "\"a\"");
    ck_at("/paths/~1x~1{a}/delete/description", "\"remove\"");
    ck_at("/paths/~1x~1{b}", "-");
    ck_at("/paths/~1x~1y/get/tags", "[\"t\"]");
    ck_at("/paths/~1x~1{b}~1y/get/parameters/0/name", "\"b\"");
}
END_TEST

UNIT_SUITE(docs_openapi, a_service_has_its_texts, types_are_schemas,
           parameters_say_where_they_are, a_body_has_members_or_is_whole,
           answers_have_their_shapes, equal_paths_are_one)
