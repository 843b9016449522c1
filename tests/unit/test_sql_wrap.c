/* sql/wrap: another statement in the place of one. */
#include "sql/wrap.h"

#include <apr_strings.h>

#include "sql/scan.h"
#include "unit/unit.h"

#define ROW "\"dsapi row\""

static const char *const names[] = {"a", "b \"c\""};

static const char *wrapped(const char *text)
{
    return dsapi_sql_wrap(text, names, "\0\1", 2, g_pool);
}

/** What stands before the statement, and the statement. */
static void is_split(const char *before, const char *main)
{
    const char *text = apr_pstrcat(g_pool, before, main, NULL);
    const char *want = apr_pstrcat(g_pool, before, *before ? "," : "WITH ",
                                   ROW "(c1,c2) AS (", main,
                                   "\n) SELECT c1 AS "
                                   "\"a\",pg_catalog.to_json(c2) AS \"b "
                                   "\"\"c\"\"\" "
                                   "FROM " ROW,
                                   NULL);

    ck_assert_str_eq(wrapped(text), want);
}

START_TEST(what_gives_rows_becomes_a_with)
{
    is_split("", "SELECT 1, 2");
    is_split("", "select 1, 2 -- the end");
    is_split("", "VALUES (1, 2)");
    is_split("", "TABLE t");
    is_split("", "(SELECT 1, 2) UNION (SELECT 3, 4)");
    is_split("", "INSERT INTO t VALUES ($1, $2) RETURNING a, b");
    is_split("", "Update t SET a = 1 RETURNING a, b");
    is_split("", "DELETE FROM t RETURNING a, b");
}
END_TEST

START_TEST(a_with_gets_one_more_name)
{
    is_split("WITH a AS (DELETE FROM t RETURNING *) ", "SELECT * FROM a");
    is_split("with recursive a(x, y) As Materialized (SELECT ')', $$)$$), "
             "\"as\" AS NOT MATERIALIZED (VALUES (1)) /* ) */ -- )\n",
             "(SELECT * FROM a)");
    is_split("WITH update AS (SELECT 1)", "UPDATE t SET a = 1 RETURNING a, b");
    is_split("WITH values(a) AS (SELECT E'\\')' ')') ", "VALUES (1, 2)");
}
END_TEST

START_TEST(what_a_search_adds_is_seen_from_inside_only)
{
    const char *search = "WITH RECURSIVE t AS (SELECT 1) SEARCH DEPTH FIRST BY "
                         "a, b SET c, u AS (SELECT 2) SELECT 1, 2";
    const char *cycle = "WITH RECURSIVE t AS (SELECT 1) CYCLE a SET b USING c "
                        "SELECT 1, 2";

    ck_assert_int_eq(strncmp(wrapped(search),
                             "WITH " ROW "(c1,c2) AS (WITH RECURSIVE t", 43),
                     0);
    ck_assert_int_eq(
        strncmp(wrapped(cycle), "WITH " ROW "(c1,c2) AS (WITH RECURSIVE t", 43),
        0);
}
END_TEST

START_TEST(comments_before_it_stay)
{
    ck_assert_int_eq(strncmp(wrapped("/* a */ -- WITH\n SELECT 1, 2"),
                             "/* a */ -- WITH\n WITH " ROW, 33),
                     0);
}
END_TEST

START_TEST(what_cannot_be_part_of_another_is_left)
{
    const char *const texts[] = {"SHOW ALL",
                                 "CALL p()",
                                 "EXPLAIN SELECT 1",
                                 "EXECUTE p",
                                 "FETCH ALL IN c",
                                 "\"select\" 1",
                                 "selects",
                                 "",
                                 "-- SELECT",
                                 "WITH a AS (1) ",
                                 "WITH",
                                 "WITH ((("};

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        ck_assert_msg(!wrapped(texts[i]), "%s", texts[i]);
    }
}
END_TEST

START_TEST(no_text_makes_it_read_too_far)
{
    static const char bytes[] = "WITH a AS (SELECT'\"$$/*-e\\),";
    unsigned seed = 1;

    for (int i = 0; i < 20000; i++) {
        char text[24];
        char *exact;
        size_t len = 0;

        for (; len < sizeof(text) - 1; len++) {
            seed = seed * 1103515245 + 12345;
            text[len] = bytes[(seed >> 16) % sizeof(bytes)];
            if (!text[len]) {
                break;
            }
        }
        text[len] = '\0';
        exact = apr_pstrdup(g_scratch, text);
        (void)dsapi_sql_wrap(exact, names, "\0\1", 2, g_scratch);
        apr_pool_clear(g_scratch);
    }
}
END_TEST

UNIT_SUITE(sql_wrap, what_gives_rows_becomes_a_with, a_with_gets_one_more_name,
           what_a_search_adds_is_seen_from_inside_only, comments_before_it_stay,
           what_cannot_be_part_of_another_is_left,
           no_text_makes_it_read_too_far)
