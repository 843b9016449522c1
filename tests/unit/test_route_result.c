/* route/result: from rows to JSON. */
#include "route/result.h"

#include <apr_strings.h>

#include "db/pq.h"
#include "unit/unit.h"

static const char *written_value(unsigned type, const char *text)
{
    dsapi_buf_t *buf = dsapi_buf_make(1, g_pool);

    dsapi_route_write_value(buf, type, text, text ? strlen(text) : 0);
    return dsapi_buf_str(buf);
}

/*
 * What PostgreSQL 15 says: the type, the value as it prints it, and to_json of
 * it. The timestamps are those of UTC, Asia/Kathmandu, America/St_Johns and
 * Europe/Amsterdam.
 */
static const struct {
    unsigned type;
    const char *text;
    const char *json;
} to_json[] = {
    {16, "t", "true"},
    {16, "f", "false"},
    {17, "\\xdeadbeef", "\"\\\\xdeadbeef\""},
    {17, "\\x", "\"\\\\x\""},
    {20, "9223372036854775807", "9223372036854775807"},
    {20, "-9223372036854775808", "-9223372036854775808"},
    {21, "-32768", "-32768"},
    {23, "2147483647", "2147483647"},
    {25, "a", "\"a\""},
    {25, "", "\"\""},
    {25, "q\"b\\s/\010\014\012\015\011\001\037\177 \303\251 \360\237\230\200",
     "\"q\\\"b\\\\s/\\b\\f\\n\\r\\t\\u0001\\u001f\177 \303\251 "
     "\360\237\230\200\""},
    {25, "NaN", "\"NaN\""},
    {25, "null", "\"null\""},
    {1042, "x  ", "\"x  \""},
    {1043, "v", "\"v\""},
    {19, "n", "\"n\""},
    {18, "c", "\"c\""},
    {26, "26", "\"26\""},
    {2205, "pg_class", "\"pg_class\""},
    {700, "1.5", "1.5"},
    {701, "0.1", "0.1"},
    {701, "1e+300", "1e+300"},
    {701, "1e-07", "1e-07"},
    {701, "1e+20", "1e+20"},
    {701, "-0", "-0"},
    {701, "NaN", "\"NaN\""},
    {701, "Infinity", "\"Infinity\""},
    {700, "-Infinity", "\"-Infinity\""},
    {1700, "12345678901234567890.1234500", "12345678901234567890.1234500"},
    {1700, "0.000", "0.000"},
    {1700, "NaN", "\"NaN\""},
    {1700, "-Infinity", "\"-Infinity\""},
    {1700, "0.00000000000000000001", "0.00000000000000000001"},
    {114, "{\"a\" : [1, 2]}", "{\"a\" : [1, 2]}"},
    {114, " null ", " null "},
    {3802, "\"s\"", "\"s\""},
    {3802, "{\"a\": null, \"b\": 1.50}", "{\"a\": null, \"b\": 1.50}"},
    {1082, "2024-02-29", "\"2024-02-29\""},
    {1082, "infinity", "\"infinity\""},
    {1082, "0044-03-15 BC", "\"0044-03-15 BC\""},
    {1082, "12345-01-01", "\"12345-01-01\""},
    {1083, "10:11:12.5", "\"10:11:12.5\""},
    {1266, "10:11:12+05:30", "\"10:11:12+05:30\""},
    {1114, "2024-02-29 10:11:12", "\"2024-02-29T10:11:12\""},
    {1114, "2024-02-29 10:11:12.123456", "\"2024-02-29T10:11:12.123456\""},
    {1114, "0044-03-15 10:11:12 BC", "\"0044-03-15T10:11:12 BC\""},
    {1114, "infinity", "\"infinity\""},
    {1114, "-infinity", "\"-infinity\""},
    {1114, "12345-01-01 00:00:00", "\"12345-01-01T00:00:00\""},
    {1184, "2024-02-29 10:11:12+00", "\"2024-02-29T10:11:12+00:00\""},
    {1184, "2024-02-29 15:56:12+05:45", "\"2024-02-29T15:56:12+05:45\""},
    {1184, "2024-02-29 06:41:12-03:30", "\"2024-02-29T06:41:12-03:30\""},
    {1184, "2024-02-29 11:11:12+01", "\"2024-02-29T11:11:12+01:00\""},
    {1184, "2024-02-29 10:11:12.5+00", "\"2024-02-29T10:11:12.5+00:00\""},
    {1184, "2024-02-29 15:56:12.5+05:45", "\"2024-02-29T15:56:12.5+05:45\""},
    {1184, "2024-02-29 06:41:12.5-03:30", "\"2024-02-29T06:41:12.5-03:30\""},
    {1184, "2024-02-29 11:11:12.5+01", "\"2024-02-29T11:11:12.5+01:00\""},
    {1184, "0044-03-15 10:11:12+00 BC", "\"0044-03-15T10:11:12+00:00 BC\""},
    {1184, "0044-03-15 15:52:28+05:41:16 BC",
     "\"0044-03-15T15:52:28+05:41:16 BC\""},
    {1184, "0044-03-15 06:40:20-03:30:52 BC",
     "\"0044-03-15T06:40:20-03:30:52 BC\""},
    {1184, "0044-03-15 10:30:44+00:19:32 BC",
     "\"0044-03-15T10:30:44+00:19:32 BC\""},
    {1184, "infinity", "\"infinity\""},
    {1184, "-infinity", "\"-infinity\""},
    {1186, "1 day 02:03:04", "\"1 day 02:03:04\""},
    {2950, "f81d4fae-7dec-11d0-a765-00a0c91e6bf6",
     "\"f81d4fae-7dec-11d0-a765-00a0c91e6bf6\""},
    {869, "192.168.0.1/24", "\"192.168.0.1/24\""},
    {829, "08:00:2b:01:02:03", "\"08:00:2b:01:02:03\""},
    {600, "(1,2)", "\"(1,2)\""},
    {603, "(3,4),(1,2)", "\"(3,4),(1,2)\""},
    {1560, "101", "\"101\""},
    {790, "$1.50", "\"$1.50\""},
    {3904, "[1,5)", "\"[1,5)\""},
    {4451, "{[1,5),[7,9)}", "\"{[1,5),[7,9)}\""},
    {142, "<a>b</a>", "\"<a>b</a>\""},
    {3615, "'a' & 'b'", "\"'a' & 'b'\""},
    {3614, "'a':1", "\"'a':1\""},
    {4072, "$.\"a\"", "\"$.\\\"a\\\"\""},
    {1007, "{1,2,3}", "[1,2,3]"},
    {1007, "{}", "[]"},
    {1007, "{{1,2},{3,NULL}}", "[[1,2],[3,null]]"},
    {1016, "{{{1},{2}},{{3},{4}}}", "[[[1],[2]],[[3],[4]]]"},
    {1007, "[0:1]={1,2}", "[1,2]"},
    {1005, "[-1:0][2:3]={{1,2},{3,4}}", "[[1,2],[3,4]]"},
    {1000, "{t,f,NULL}", "[true,false,null]"},
    {1009, "{a,\"b c\",\"d\\\"e\",\"f\\\\g\",NULL,\"NULL\",\"null\",\"\"}",
     "[\"a\",\"b c\",\"d\\\"e\",\"f\\\\g\",null,\"NULL\",\"null\",\"\"]"},
    {1009, "{a;b,\"c,d\",\"{x}\"}", "[\"a;b\",\"c,d\",\"{x}\"]"},
    {1009, "{\"a\012b\",\303\251}", "[\"a\\nb\",\"\303\251\"]"},
    {1015, "{x,\"y z\"}", "[\"x\",\"y z\"]"},
    {1014, "{\"a \",bc}", "[\"a \",\"bc\"]"},
    {1003, "{a,b}", "[\"a\",\"b\"]"},
    {1002, "{a,\" \",\"\\\"\"}", "[\"a\",\" \",\"\\\"\"]"},
    {1022, "{1.5,NaN,Infinity,-Infinity,1e+300}",
     "[1.5,\"NaN\",\"Infinity\",\"-Infinity\",1e+300]"},
    {1231, "{1.50,NaN}", "[1.50,\"NaN\"]"},
    {1021, "{1.5}", "[1.5]"},
    {199, "{\"{\\\"a\\\":[1,\\\"x\\\"]}\",\"null\",\"\\\"s\\\"\",1}",
     "[{\"a\":[1,\"x\"]},null,\"s\",1]"},
    {3807, "{\"{\\\"a\\\": [1, \\\"x\\\"]}\",\"null\",NULL}",
     "[{\"a\": [1, \"x\"]},null,null]"},
    {1182, "{2024-01-01,infinity,\"0044-03-15 BC\"}",
     "[\"2024-01-01\",\"infinity\",\"0044-03-15 BC\"]"},
    {1115, "{\"2024-01-01 10:00:00\",infinity,NULL,\"0044-03-15 00:00:00 BC\"}",
     "[\"2024-01-01T10:00:00\",\"infinity\",null,\"0044-03-15T00:00:00 BC\"]"},
    {1185,
     "{\"2024-01-01 10:00:00+00\",-infinity,\"0044-03-15 10:00:00+00 BC\"}",
     "[\"2024-01-01T10:00:00+00:00\",\"-infinity\",\"0044-03-15T10:00:00+00:00 "
     "BC\"]"},
    {1185,
     "{\"2024-01-01 15:45:00+05:45\",-infinity,\"0044-03-15 15:41:16+05:41:16 "
     "BC\"}",
     "[\"2024-01-01T15:45:00+05:45\",\"-infinity\",\"0044-03-15T15:41:16+05:41:"
     "16 BC\"]"},
    {1185,
     "{\"2024-01-01 06:30:00-03:30\",-infinity,\"0044-03-15 06:29:08-03:30:52 "
     "BC\"}",
     "[\"2024-01-01T06:30:00-03:30\",\"-infinity\",\"0044-03-15T06:29:08-03:30:"
     "52 BC\"]"},
    {1185,
     "{\"2024-01-01 11:00:00+01\",-infinity,\"0044-03-15 10:19:32+00:19:32 "
     "BC\"}",
     "[\"2024-01-01T11:00:00+01:00\",\"-infinity\",\"0044-03-15T10:19:32+00:19:"
     "32 BC\"]"},
    {1183, "{10:00:00}", "[\"10:00:00\"]"},
    {1270, "{10:00:00+02}", "[\"10:00:00+02\"]"},
    {1187, "{\"1 day\",02:03:00}", "[\"1 day\",\"02:03:00\"]"},
    {2951, "{f81d4fae-7dec-11d0-a765-00a0c91e6bf6}",
     "[\"f81d4fae-7dec-11d0-a765-00a0c91e6bf6\"]"},
    {1001, "{\"\\\\x00ff\",\"\\\\x\"}", "[\"\\\\x00ff\",\"\\\\x\"]"},
    {1028, "{1,2}", "[\"1\",\"2\"]"},
    {2210, "{pg_class}", "[\"pg_class\"]"},
    {22, "1 2 -3", "[1,2,-3]"},
    {22, "", "[]"},
    {30, "1 2", "[\"1\",\"2\"]"},
    {1006, "{\"1 2\",3}", "[[1,2],[3]]"},
    {1013, "{\"1 2\",3}", "[[\"1\",\"2\"],[\"3\"]]"},
    {1020, "{(1,1),(0,0);(3,3),(2,2)}", "[\"(1,1),(0,0)\",\"(3,3),(2,2)\"]"},
    {1020, "{(1,1),(0,0);NULL}", "[\"(1,1),(0,0)\",null]"},
    {1017, "{\"(1,2)\",NULL}", "[\"(1,2)\",null]"},
    {3905, "{\"[1,5)\",empty}", "[\"[1,5)\",\"empty\"]"},
    {6150, "{\"{[1,5)}\"}", "[\"{[1,5)}\"]"},
    {1041, "{192.168.0.1/24}", "[\"192.168.0.1/24\"]"},
    {1563, "{101,1}", "[\"101\",\"1\"]"},
    {791, "{$1.50}", "[\"$1.50\"]"},
    {143, "{<a/>}", "[\"<a/>\"]"},
    {4073, "{\"$.\\\"a\\\"\"}", "[\"$.\\\"a\\\"\"]"},
    {3643, "{\"'a' 'b'\"}", "[\"'a' 'b'\"]"},
    {2949, "{10:20:}", "[\"10:20:\"]"},
    {3221, "{0/1}", "[\"0/1\"]"},
};

START_TEST(values_are_those_of_to_json)
{
    for (size_t i = 0; i < sizeof(to_json) / sizeof(to_json[0]); i++) {
        const char *got = written_value(to_json[i].type, to_json[i].text);

        ck_assert_msg(strcmp(got, to_json[i].json) == 0, "%u %s: %s, not %s",
                      to_json[i].type, to_json[i].text, got, to_json[i].json);
    }
}
END_TEST

START_TEST(null_is_null_whatever_its_type)
{
    static const unsigned types[] = {16, 20, 25, 114, 1184, 1007, 22, 999999};

    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        ck_assert_str_eq(written_value(types[i], NULL), "null");
    }
}
END_TEST

/* SELECT typarray FROM pg_type WHERE typarray <> 0 AND oid < 10000
 * AND typtype IN ('b', 'r', 'm') */
static const unsigned array_types[] = {
    143,  199,  271,  629,  651,  719,  775,  791,  1000, 1001, 1002,
    1003, 1005, 1006, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014,
    1015, 1016, 1017, 1018, 1019, 1020, 1021, 1022, 1027, 1028, 1034,
    1040, 1041, 1115, 1182, 1183, 1185, 1187, 1231, 1270, 1561, 1563,
    2201, 2207, 2208, 2209, 2210, 2211, 2949, 2951, 3221, 3643, 3644,
    3645, 3735, 3770, 3807, 3905, 3907, 3909, 3911, 3913, 3927, 4073,
    4090, 4097, 4192, 5039, 6150, 6151, 6152, 6153, 6155, 6157};

START_TEST(arrays_of_every_built_in_type_are_known)
{
    for (size_t i = 0; i < sizeof(array_types) / sizeof(array_types[0]); i++) {
        const char *got = written_value(array_types[i], "{{NULL}}");

        ck_assert_msg(strcmp(got, "[[null]]") == 0, "%u: %s", array_types[i],
                      got);
    }
}
END_TEST

START_TEST(any_other_type_is_a_string)
{
    static const unsigned types[] = {628 /* line */,
                                     210 /* pg_type[] */,
                                     2249 /* record */,
                                     2287 /* record[] */,
                                     705 /* unknown */,
                                     0,
                                     999999};

    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        ck_assert_str_eq(written_value(types[i], "{1,2}"), "\"{1,2}\"");
    }
    ck_assert_str_eq(written_value(2278 /* void */, ""), "\"\"");
}
END_TEST

START_TEST(a_text_that_is_no_array_is_a_string)
{
    ck_assert_str_eq(written_value(1007, ""), "\"\"");
    ck_assert_str_eq(written_value(1007, "x"), "\"x\"");
}
END_TEST

START_TEST(an_array_that_is_cut_off_is_read_to_its_end)
{
    static const char *const texts[] = {
        "{",     "{\"",    "{\"\\", "{\"a\\",   "{1",   "{1,",
        "[0:1]", "[0:1]=", "[",     "{a\"b\"c", "{NUL", "}{"};

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        for (int type = 1000; type < 1024; type++) {
            /* a sanitizer sees what is read behind the end */
            size_t len = strlen(texts[i]);
            char *exact = malloc(len);
            dsapi_buf_t *buf = dsapi_buf_make(1, g_pool);

            memcpy(exact, texts[i], len);
            dsapi_route_write_value(buf, (unsigned)type, exact, len);
            free(exact);
        }
    }
}
END_TEST

/* Rows of texts: '|' ends a value, "~" is NULL; a line is a row. */
static const dsapi_rows_t *rows_of(const char *const *names,
                                   const unsigned *types, const char *values)
{
    dsapi_rows_t *rows = apr_pcalloc(g_pool, sizeof(*rows));
    PGresAttDesc columns[8];
    int ncolumns = 0;
    int at = 0;

    memset(columns, 0, sizeof(columns));
    for (; names[ncolumns]; ncolumns++) {
        columns[ncolumns].name = apr_pstrdup(g_pool, names[ncolumns]);
        columns[ncolumns].typid = types ? types[ncolumns] : DSAPI_OID_TEXT;
        columns[ncolumns].typlen = -1;
    }
    rows->res = PQmakeEmptyPGresult(NULL, PGRES_TUPLES_OK);
    ck_assert_int_eq(PQsetResultAttrs(rows->res, ncolumns, columns), 1);
    while (*values) {
        size_t len = strcspn(values, "|");
        char *value = apr_pstrmemdup(g_pool, values, len);
        int is_null = strcmp(value, "~") == 0;

        ck_assert_int_eq(PQsetvalue(rows->res, at / ncolumns, at % ncolumns,
                                    is_null ? NULL : value,
                                    is_null ? -1 : (int)len),
                         1);
        at++;
        values += len + 1;
    }
    return rows;
}

#define NAMES(...) ((const char *const[]){__VA_ARGS__, NULL})
#define TYPES(...) ((const unsigned[]){__VA_ARGS__})

/* What is written; "! code" where nothing is. The result is freed. */
static const char *written(const dsapi_rows_t *rows, dsapi_shape_e shape,
                           int raw)
{
    dsapi_buf_t *buf = dsapi_buf_make(1, g_pool);
    dsapi_err_t *err = (dsapi_err_t *)g_pool;
    apr_pool_t *pool;
    apr_status_t rv;

    apr_pool_create(&pool, g_pool);
    rv = dsapi_route_write(buf, &err, rows, shape, raw, pool);
    PQclear(rows->res);
    if (rv == APR_SUCCESS) {
        ck_assert_ptr_null(err);
        apr_pool_destroy(pool);
        return dsapi_buf_str(buf);
    }
    ck_assert_int_eq(err->rv, rv);
    ck_assert_uint_eq(buf->len_bytes, 0);
    return apr_pstrcat(g_pool, "! ", err->code, NULL);
}

/* The row that columns of these names make, with their numbers as values */
static const char *shape_of(const char *const *names)
{
    const char *values = "";
    unsigned types[8];

    for (int i = 0; names[i]; i++) {
        values = apr_psprintf(g_pool, "%s%d|", values, i);
        types[i] = DSAPI_OID_INT4;
    }
    return written(rows_of(names, types, values), DSAPI_SHAPE_ROW, 0);
}

START_TEST(a_row_is_an_object)
{
    ck_assert_str_eq(shape_of(NAMES("a")), "{\"a\":0}");
    ck_assert_str_eq(shape_of(NAMES("b", "a", "?column?")), "{\"b\":0,\"a\":1,"
                                                            "\"?column?\":2}");
    ck_assert_str_eq(shape_of(NAMES("q\"\\\n", "\303\251")), "{\"q\\\"\\\\\\n\""
                                                             ":0,\"\303\251\":"
                                                             "1}");
}
END_TEST

START_TEST(dots_nest)
{
    ck_assert_str_eq(shape_of(NAMES("r.id", "r.name", "n")), "{\"r\":{\"id\":0,"
                                                             "\"name\":1},"
                                                             "\"n\":2}");
    ck_assert_str_eq(shape_of(NAMES("a.b.c", "a.b.d", "a.e", "f.g")),
                     "{\"a\":{\"b\":{\"c\":0,\"d\":1},\"e\":2},"
                     "\"f\":{\"g\":3}}");
    ck_assert_str_eq(shape_of(NAMES("a.a.a", "b.a", "a.b")), "{\"a\":{\"a\":{"
                                                             "\"a\":0},\"b\":2}"
                                                             ",\"b\":{\"a\":1}"
                                                             "}");
}
END_TEST

START_TEST(columns_of_an_object_need_not_be_neighbours)
{
    ck_assert_str_eq(
        shape_of(NAMES("a.x", "b", "a.y", "c.d.e", "a.z", "c.f", "c.d.g")),
        "{\"a\":{\"x\":0,\"y\":2,\"z\":4},\"b\":1,"
        "\"c\":{\"d\":{\"e\":3,\"g\":6},\"f\":5}}");
}
END_TEST

START_TEST(an_alias_may_nest_as_deep_as_it_is_long)
{
    ck_assert_str_eq(shape_of(NAMES("a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a."
                                    "a.a.a.a.a.a.a.a.a.a.a")),
                     "{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":"
                     "{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":"
                     "{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":"
                     "{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":0"
                     "}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}");
}
END_TEST

START_TEST(names_that_contradict_each_other_are_an_error)
{
    static const char *const rows[][4] = {
        {"a", "a"},     {"a", "b", "a"},  {"a", "a.b"},     {"a.b", "a"},
        {"a.b", "a.b"}, {"a.b", "a.b.c"}, {"a.b.c", "a.b"}, {"a.b", "x", "a"},
        {"", "a"},      {".a"},           {"a."},           {"a..b"},
        {"."},          {"a.b", "a."},    {"a.b", "a..c"}};

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        dsapi_plan_t *plan = (dsapi_plan_t *)g_pool;
        dsapi_err_t *err = NULL;
        int n = 0;

        while (rows[i][n]) {
            n++;
        }
        ck_assert_int_eq(dsapi_route_plan(&plan, &err, rows[i],
                                          TYPES(25, 25, 25, 25), n, g_pool),
                         DSAPI_EINTERNAL);
        ck_assert_ptr_null(plan);
        ck_assert_str_eq(err->code, "result-shape");
        ck_assert_ptr_nonnull(strstr(err->detail, rows[i][n - 1]));
    }
    ck_assert_str_eq(shape_of(NAMES("a", "a")), "! result-shape");
    ck_assert_str_eq(
        written(rows_of(NAMES("a", "a.b"), NULL, ""), DSAPI_SHAPE_ROWS, 0),
        "! result-shape");
}
END_TEST

START_TEST(at_columns_are_left_out)
{
    ck_assert_str_eq(shape_of(NAMES("@etag", "a", "@location", "b", "@etag")),
                     "{\"a\":1,\"b\":3}");
    ck_assert_str_eq(shape_of(NAMES("@a.b", "@")), "{}");
    ck_assert_str_eq(shape_of(NAMES("a.@b", "a@")), "{\"a\":{\"@b\":0},\"a@\":"
                                                    "1}");
}
END_TEST

START_TEST(a_row_without_columns_is_an_empty_object)
{
    dsapi_buf_t *buf = dsapi_buf_make(0, g_pool);
    dsapi_plan_t *plan;
    dsapi_err_t *err;

    ck_assert_int_eq(
        dsapi_route_plan(&plan, &err, NAMES("x"), TYPES(25), 0, g_pool),
        APR_SUCCESS);
    dsapi_route_write_row(buf, plan, NULL, NULL, 0);
    ck_assert_str_eq(dsapi_buf_str(buf), "{}");
}
END_TEST

static const char *cell(apr_size_t *plen, const void *baton, int row,
                        int column)
{
    const char *const *texts = baton;
    const char *text = texts[row * 3 + column];

    if (text) {
        *plen = strlen(text);
    }
    return text;
}

START_TEST(a_plan_serves_any_number_of_rows)
{
    static const char *const texts[] = {"1", "x", "t", NULL, NULL, NULL};
    dsapi_buf_t *buf = dsapi_buf_make(1, g_pool);
    dsapi_plan_t *plan;
    dsapi_err_t *err;

    ck_assert_int_eq(dsapi_route_plan(&plan, &err, NAMES("a", "b.c", "b.d"),
                                      TYPES(23, 25, 16), 3, g_pool),
                     APR_SUCCESS);
    ck_assert_ptr_null(err);
    for (int i = 0; i < 3; i++) {
        dsapi_route_write_row(buf, plan, cell, texts, i % 2);
    }
    ck_assert_str_eq(dsapi_buf_str(buf), "{\"a\":1,\"b\":{\"c\":\"x\",\"d\":"
                                         "true}}"
                                         "{\"a\":null,\"b\":{\"c\":null,\"d\":"
                                         "null}}"
                                         "{\"a\":1,\"b\":{\"c\":\"x\",\"d\":"
                                         "true}}");
}
END_TEST

START_TEST(rows_are_written_one_by_one)
{
    dsapi_buf_t *buf = dsapi_buf_make(1, g_pool);
    const char *const *names = NAMES("@etag", "a.b", "a.c");
    const unsigned *types = TYPES(25, 23, 1009);
    const dsapi_rows_t *rows = rows_of(names, types, "");
    dsapi_plan_t *plan = NULL;
    dsapi_err_t *err = (dsapi_err_t *)g_pool;

    ck_assert_int_eq(dsapi_route_plan_rows(&plan, &err, rows, g_pool),
                     APR_SUCCESS);
    ck_assert_ptr_null(err);
    PQclear(rows->res); /* the plan stays good */
    rows = rows_of(names, types, "x|1|{p}|y|~|~|");
    dsapi_route_write_nth(buf, plan, rows, 1);
    dsapi_route_write_nth(buf, plan, rows, 0);
    PQclear(rows->res);
    rows = rows_of(names, types, "z|2|{}|");
    dsapi_route_write_nth(buf, plan, rows, 0);
    PQclear(rows->res);
    ck_assert_str_eq(dsapi_buf_str(buf), "{\"a\":{\"b\":null,\"c\":null}}"
                                         "{\"a\":{\"b\":1,\"c\":[\"p\"]}}"
                                         "{\"a\":{\"b\":2,\"c\":[]}}");
}
END_TEST

START_TEST(rows_whose_names_contradict_have_no_plan)
{
    const dsapi_rows_t *rows = rows_of(NAMES("a", "a.b"), NULL, "x|y|");
    dsapi_plan_t *plan = (dsapi_plan_t *)g_pool;
    dsapi_err_t *err = NULL;

    ck_assert_int_eq(dsapi_route_plan_rows(&plan, &err, rows, g_pool),
                     DSAPI_EINTERNAL);
    PQclear(rows->res);
    ck_assert_ptr_null(plan);
    ck_assert_str_eq(err->code, "result-shape");
}
END_TEST

START_TEST(rows_are_an_array)
{
    ck_assert_str_eq(
        written(rows_of(NAMES("a", "b"), TYPES(23, 25), "1|x|2|~|"),
                DSAPI_SHAPE_ROWS, 0),
        "[{\"a\":1,\"b\":\"x\"},{\"a\":2,\"b\":null}]");
    ck_assert_str_eq(
        written(rows_of(NAMES("a"), NULL, ""), DSAPI_SHAPE_ROWS, 0), "[]");
}
END_TEST

START_TEST(a_row_is_the_first_or_none)
{
    ck_assert_str_eq(
        written(rows_of(NAMES("a"), NULL, "x|y|"), DSAPI_SHAPE_ROW, 0), "{\"a\""
                                                                        ":\"x\""
                                                                        "}");
    ck_assert_str_eq(written(rows_of(NAMES("a"), NULL, ""), DSAPI_SHAPE_ROW, 0),
                     "! not-found");
}
END_TEST

START_TEST(a_value_is_the_first_column_of_the_first_row)
{
    ck_assert_str_eq(
        written(rows_of(NAMES("a", "b"), TYPES(114, 25), "[1, 2]|x|[3]|y|"),
                DSAPI_SHAPE_VALUE, 0),
        "[1, 2]");
    ck_assert_str_eq(
        written(rows_of(NAMES("a", "a"), NULL, "x|y|"), DSAPI_SHAPE_VALUE, 0),
        "\"x\"");
    ck_assert_str_eq(
        written(rows_of(NAMES("@etag", "a"), TYPES(25, 23), "x|7|"),
                DSAPI_SHAPE_VALUE, 0),
        "7");
    ck_assert_str_eq(
        written(rows_of(NAMES("a"), NULL, ""), DSAPI_SHAPE_VALUE, 0), "! "
                                                                      "not-"
                                                                      "found");
    ck_assert_str_eq(
        written(rows_of(NAMES("a", "b"), NULL, "~|x|"), DSAPI_SHAPE_VALUE, 0),
        "! not-found");
    ck_assert_str_eq(
        written(rows_of(NAMES("@a"), NULL, "x|"), DSAPI_SHAPE_VALUE, 0), "! "
                                                                         "not-"
                                                                         "foun"
                                                                         "d");
}
END_TEST

START_TEST(a_raw_value_goes_out_as_it_is)
{
    ck_assert_str_eq(written(rows_of(NAMES("a"), NULL, "q\"\n\303\251|"),
                             DSAPI_SHAPE_VALUE, 1),
                     "q\"\n\303\251");
    ck_assert_str_eq(
        written(rows_of(NAMES("a"), TYPES(1184), "2024-01-01 00:00:00+00|"),
                DSAPI_SHAPE_VALUE, 1),
        "2024-01-01 00:00:00+00");
    ck_assert_str_eq(written(rows_of(NAMES("a"), TYPES(17), "\\x61c3A90a|"),
                             DSAPI_SHAPE_VALUE, 1),
                     "a\303\251\n");
    ck_assert_str_eq(
        written(rows_of(NAMES("a"), TYPES(17), "\\x|"), DSAPI_SHAPE_VALUE, 1),
        "");
}
END_TEST

START_TEST(a_raw_bytea_may_hold_any_byte)
{
    const dsapi_rows_t *rows = rows_of(NAMES("a"), TYPES(17), "\\x00ff7f80|");
    dsapi_buf_t *buf = dsapi_buf_make(0, g_pool);
    dsapi_err_t *err;

    ck_assert_int_eq(
        dsapi_route_write(buf, &err, rows, DSAPI_SHAPE_VALUE, 1, g_pool),
        APR_SUCCESS);
    PQclear(rows->res);
    ck_assert_uint_eq(buf->len_bytes, 4);
    ck_assert_mem_eq(buf->data, "\0\377\177\200", 4);
}
END_TEST

START_TEST(a_raw_bytea_may_be_escaped)
{
    ck_assert_str_eq(
        written(rows_of(NAMES("a"), TYPES(17), "axb\\\\\\303\\251\\012|"),
                DSAPI_SHAPE_VALUE, 1),
        "axb\\\303\251\n");
    ck_assert_str_eq(
        written(rows_of(NAMES("a"), TYPES(17), "ax|"), DSAPI_SHAPE_VALUE, 1),
        "ax");
    ck_assert_str_eq(written(rows_of(NAMES("a"), TYPES(17), "\\\\x41|"),
                             DSAPI_SHAPE_VALUE, 1),
                     "\\x41");
}
END_TEST

START_TEST(none_writes_nothing)
{
    ck_assert_str_eq(
        written(rows_of(NAMES("a"), NULL, "x|"), DSAPI_SHAPE_NONE, 0), "");
    ck_assert_str_eq(
        written(rows_of(NAMES("a", "a"), NULL, ""), DSAPI_SHAPE_NONE, 0), "");
}
END_TEST

START_TEST(what_is_written_is_appended)
{
    const dsapi_rows_t *rows = rows_of(NAMES("a"), TYPES(23), "1|");
    dsapi_buf_t *buf = dsapi_buf_make(1, g_pool);
    dsapi_err_t *err;

    dsapi_buf_put(buf, "x", 1);
    ck_assert_int_eq(
        dsapi_route_write(buf, &err, rows, DSAPI_SHAPE_ROWS, 0, g_pool),
        APR_SUCCESS);
    PQclear(rows->res);
    ck_assert_str_eq(dsapi_buf_str(buf), "x[{\"a\":1}]");
}
END_TEST

START_TEST(only_other_than_built_in_types_are_made)
{
    for (size_t i = 0; i < sizeof(to_json) / sizeof(to_json[0]); i++) {
        ck_assert_msg(!dsapi_route_as_json("a", to_json[i].type), "%u",
                      to_json[i].type);
    }
    ck_assert(dsapi_route_as_json("a", 16384));
    ck_assert(dsapi_route_as_json("a", 2249)); /* record */
    ck_assert(dsapi_route_as_json("a", 2287)); /* record[] */
    ck_assert(dsapi_route_as_json("a", 83));   /* a row of pg_class */
    ck_assert(dsapi_route_as_json("a", 2277)); /* anyarray, in pg_stats */
    ck_assert(!dsapi_route_as_json("@a", 16384));
}
END_TEST

static const char *made_text(const char *json)
{
    apr_size_t len;
    const char *text = dsapi_route_made_text(&len, json, strlen(json), g_pool);

    ck_assert_uint_eq(len, strlen(text));
    return text;
}

START_TEST(what_was_made_is_json)
{
    const char *json = "{\"a\":[1,\"x\"]}";

    ck_assert_str_eq(written_value(DSAPI_OID_MADE, json), json);
    ck_assert_str_eq(written_value(DSAPI_OID_MADE, "\"\\u00e9\""), "\"\\u00e9"
                                                                   "\"");
    ck_assert_str_eq(written_value(DSAPI_OID_MADE, NULL), "null");
    ck_assert_str_eq(made_text(json), json);
    ck_assert_str_eq(made_text("\"\""), "");
    ck_assert_str_eq(made_text("\"a\\\"\\u00e9\\n\" "), "a\"\303\251\n");
}
END_TEST

START_TEST(a_made_string_without_a_text_stays_json)
{
    static const char *const strings[] = {"\"\\ud800\"", "\"a\\u0000\"",
                                          "\"\\udc00\\ud800\"", "\"", "\"\\"};

    for (size_t i = 0; i < sizeof(strings) / sizeof(strings[0]); i++) {
        ck_assert_str_eq(made_text(strings[i]), strings[i]);
    }
}
END_TEST

UNIT_SUITE(route_result, values_are_those_of_to_json,
           null_is_null_whatever_its_type,
           arrays_of_every_built_in_type_are_known, any_other_type_is_a_string,
           a_text_that_is_no_array_is_a_string,
           an_array_that_is_cut_off_is_read_to_its_end, a_row_is_an_object,
           dots_nest, columns_of_an_object_need_not_be_neighbours,
           an_alias_may_nest_as_deep_as_it_is_long,
           names_that_contradict_each_other_are_an_error,
           at_columns_are_left_out, a_row_without_columns_is_an_empty_object,
           a_plan_serves_any_number_of_rows, rows_are_written_one_by_one,
           rows_whose_names_contradict_have_no_plan, rows_are_an_array,
           a_row_is_the_first_or_none,
           a_value_is_the_first_column_of_the_first_row,
           a_raw_value_goes_out_as_it_is, a_raw_bytea_may_hold_any_byte,
           a_raw_bytea_may_be_escaped, none_writes_nothing,
           what_is_written_is_appended, only_other_than_built_in_types_are_made,
           what_was_made_is_json, a_made_string_without_a_text_stays_json)
