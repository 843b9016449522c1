/* sql/scan: :names in SQL. */
#include "sql/scan.h"

#include <apr_strings.h>

#include "unit/unit.h"

static apr_array_header_t *parse(const char *text)
{
    apr_pool_t *scratch;
    apr_array_header_t *statements = NULL;
    dsapi_err_t *err = NULL;
    apr_status_t rv;

    apr_pool_create(&scratch, NULL);
    rv = dsapi_sql_parse(&statements, &err, text, g_pool, scratch);
    apr_pool_destroy(scratch);
    ck_assert_msg(rv == APR_SUCCESS, "%s: %s", text, err ? err->detail : "");
    ck_assert_ptr_null(err);
    return statements;
}

/* The statements in one line: <text>(names). */
static const char *parsed(const char *text)
{
    const apr_array_header_t *statements = parse(text);
    const char *shown = "";

    for (int i = 0; i < statements->nelts; i++) {
        const dsapi_sql_t *sql = APR_ARRAY_IDX(statements, i, dsapi_sql_t *);
        const char *names = "";

        for (int j = 0; j < sql->nparams; j++) {
            names =
                apr_pstrcat(g_pool, names, j ? "," : "", sql->names[j], NULL);
        }
        shown =
            apr_pstrcat(g_pool, shown, "<", sql->text, ">(", names, ")", NULL);
    }
    return shown;
}

static const char *refusal(const char *text)
{
    apr_pool_t *scratch;
    apr_array_header_t *statements = (apr_array_header_t *)g_pool;
    dsapi_err_t *err = NULL;
    apr_status_t rv;

    apr_pool_create(&scratch, NULL);
    rv = dsapi_sql_parse(&statements, &err, text, g_pool, scratch);
    apr_pool_destroy(scratch);
    ck_assert_msg(rv == DSAPI_ESYNTAX, "<%s> is taken", text);
    ck_assert_ptr_null(statements);
    ck_assert_int_eq(err->rv, DSAPI_ESYNTAX);
    return err->detail;
}

typedef struct row_t {
    const char *text;
    const char *want;
} row_t;

static void check_rows(const row_t *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const char *got = parsed(rows[i].text);

        ck_assert_msg(strcmp(got, rows[i].want) == 0, "%s: %s, not %s",
                      rows[i].text, got, rows[i].want);
    }
}

#define CHECK(...)                                        \
    do {                                                  \
        static const row_t rows[] = {__VA_ARGS__};        \
                                                          \
        check_rows(rows, sizeof(rows) / sizeof(rows[0])); \
    } while (0)

/* The text is one statement without a name, and stays as it is. */
static void check_same(const char *const *texts, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const char *want = apr_pstrcat(g_pool, "<", texts[i], ">()", NULL);
        const char *got = parsed(texts[i]);

        ck_assert_msg(strcmp(got, want) == 0, "%s, not %s", got, want);
    }
}

#define CHECK_SAME(...)                                      \
    do {                                                     \
        static const char *const texts[] = {__VA_ARGS__};    \
                                                             \
        check_same(texts, sizeof(texts) / sizeof(texts[0])); \
    } while (0)

START_TEST(a_name_becomes_a_number)
{
    CHECK({"SELECT :a", "<SELECT $1>(a)"},
          {"SELECT :a, :b", "<SELECT $1, $2>(a,b)"}, {":_a1B", "<$1>(_a1B)"},
          {"SELECT :a/2", "<SELECT $1/2>(a)"});
}
END_TEST

START_TEST(one_name_has_one_number)
{
    CHECK({"SELECT :a, :b, :a", "<SELECT $1, $2, $1>(a,b)"},
          {":a :A :ab :a", "<$1 $2 $3 $1>(a,A,ab)"},
          {":ab :a", "<$1 $2>(ab,a)"}, {":a:a", "<$1 $1>(a)"});
}
END_TEST

START_TEST(more_than_nine_names_are_numbered)
{
    CHECK({":a:b:c:d:e:f:g:h:i:j:k", "<$1 $2 $3 $4 $5 $6 $7 $8 $9 $10 "
                                     "$11>(a,b,c,d,e,f,g,"
                                     "h,i,j,k)"});
}
END_TEST

START_TEST(a_name_may_stand_behind_any_punctuation)
{
    CHECK({"f(:a,:b)", "<f($1,$2)>(a,b)"}, {"x=:a", "<x=$1>(a)"},
          {"x>=:a-:b", "<x>=$1-$2>(a,b)"}, {"[:a]", "<[$1]>(a)"},
          {"'x':a", "<'x'$1>(a)"}, {"\"x\":a", "<\"x\"$1>(a)"},
          {"$$x$$:a", "<$$x$$ $1>(a)"}, {"1:a", "<1 $1>(a)"},
          {"x:a", "<x $1>(a)"}, {"x<:a", "<x<$1>(a)"},
          {"a[1: :n]", "<a[1: $1]>(n)"}, {"a::int=:a", "<a::int=$1>(a)"},
          {"/* x */:a", "</* x */$1>(a)"});
}
END_TEST

START_TEST(a_number_is_no_part_of_the_word_before_it)
{
    CHECK({"LIMIT:n", "<LIMIT $1>(n)"}, {"a$:n", "<a$ $1>(n)"},
          {"\303\251:n", "<\303\251 $1>(n)"}, {"'x':n", "<'x'$1>(n)"});
}
END_TEST

START_TEST(a_cast_is_no_name)
{
    CHECK_SAME("SELECT a::text", "a :: text", "'{}'::int[]", "x::date::text",
               "a::\"T\"", "1::int");
    CHECK({":a::text", "<$1::text>(a)"}, {":a:::b", "<$1::$2>(a,b)"},
          {":a::text::int[] || :b::int[]", "<$1::text::int[] || "
                                           "$2::int[]>(a,b)"});
}
END_TEST

START_TEST(a_named_argument_is_no_name)
{
    CHECK_SAME("f(a := 1)", "f(a:=b)");
    CHECK({"f(a := :a)", "<f(a := $1)>(a)"}, {"f(a:=:b)", "<f(a:=$1)>(b)"});
}
END_TEST

START_TEST(a_lone_colon_stays)
{
    CHECK_SAME("a[1:2]", "a[1: n]", "a[:2]", "x : y", "SELECT :", "a[1:'2']");
}
END_TEST

START_TEST(a_string_is_passed_over)
{
    CHECK_SAME("':a'", "'it''s :a'", "''", "''''", "'a'':b'", "'a\\'",
               "'\\' -- :a", "'$1'", "';'", "'--'", "'/*'", "'$$'", "'\"'",
               "'\n:a\n'", "B'01'", "X':a'", "n':a'", "U&'\\0061:a'",
               "U&'\\' || ':a'");
    CHECK({"'a\\':a'b'", "<'a\\'$1'b'>(a)"}, {"u&'\\':a", "<u&'\\'$1>(a)"});
}
END_TEST

START_TEST(an_escape_string_knows_backslashes)
{
    CHECK_SAME("E'\\' :a'", "e'\\' :a'", "E'\\\\'", "E'a''\\':a'", "(E'\\':a')",
               "||e'\\':a'", "E'\\\\\\':a'", "E'\\\\'':a'");
    CHECK({"E'\\\\':a", "<E'\\\\'$1>(a)"}, {"1,E'\\'',:a", "<1,E'\\'',$1>(a)"},
          {"\"x\"e'\\''||:a", "<\"x\"e'\\''||$1>(a)"});
}
END_TEST

START_TEST(a_word_that_ends_in_e_is_no_escape)
{
    CHECK({"date'\\':a", "<date'\\'$1>(a)"}, {"a1e'\\':a", "<a1e'\\'$1>(a)"},
          {"_e'\\':a", "<_e'\\'$1>(a)"}, {"a$e'\\':a", "<a$e'\\'$1>(a)"},
          {"\303\251e'\\':a", "<\303\251e'\\'$1>(a)"},
          {"E '\\':a", "<E '\\'$1>(a)"}, {"ee'\\':a", "<ee'\\'$1>(a)"});
}
END_TEST

START_TEST(a_continued_escape_string_keeps_its_escapes)
{
    CHECK_SAME("E'a'\n'\\':a'", "E'a' \t\r\n  '\\':a'", "E'a'\r'\\':a'",
               "E'a' -- it's\n'\\':a'", "E'a'\n-- x\n-- y\n '\\':a'",
               "E'a'\n'b'\n'\\':a'");
    CHECK({"E'a' '\\':a", "<E'a' '\\'$1>(a)"},
          {"E'a'\n,'\\':a", "<E'a'\n,'\\'$1>(a)"},
          {"'a'\n'\\':a", "<'a'\n'\\'$1>(a)"},
          {"E'a'\n/**/'\\':a", "<E'a'\n/**/'\\'$1>(a)"},
          {"E'a'\n:a", "<E'a'\n$1>(a)"});
}
END_TEST

START_TEST(a_quoted_identifier_is_passed_over)
{
    CHECK_SAME("\":a\"", "\"a\"\":b\"", "\"'\"", "\"\\\"", "\";\"", "\"$$\"",
               "U&\"\\0061:a\"", "U&\"!0061:a\" UESCAPE '!'", "\"--\"",
               "\"/*\"");
    CHECK({"\"a\\\":a", "<\"a\\\"$1>(a)"}, {"\"\"\"\":a", "<\"\"\"\"$1>(a)"});
}
END_TEST

START_TEST(a_dollar_quote_is_passed_over)
{
    CHECK_SAME("$$:a$$", "$x$ :a $$ :b $x$", "$x$ $y$ :a $y$ $x$",
               "$a$ :a $ab$ :a $a$", "$a$:a$b$a$", "$a$:a$A$:a$a$",
               "$$ ' \" -- /* ; $1 :a $$", "$_1\303\251$:a$_1\303\251$", "$$$$",
               "$$:a$b$$", "($$:a$$)", "1$$:a$$");
    CHECK({"$$:a$$:a$$:a$$", "<$$:a$$ $1$$:a$$>(a)"});
    CHECK({"$a$$$$a$:b", "<$a$$$$a$ $1>(b)"});
}
END_TEST

START_TEST(a_dollar_inside_a_word_is_part_of_it)
{
    CHECK({"a$1", "<a$1>()"}, {"a$b$:x", "<a$b$ $1>(x)"},
          {"a$$b$$:x", "<a$$b$$ $1>(x)"}, {"a$$1:x", "<a$$1 $1>(x)"},
          {"_$x$:x", "<_$x$ $1>(x)"}, {"\303\251$1:x", "<\303\251$1 $1>(x)"});
}
END_TEST

START_TEST(a_dollar_that_begins_nothing_stays)
{
    CHECK({"$ :a", "<$ $1>(a)"}, {"$x :a", "<$x $1>(a)"},
          {"$x-$:a", "<$x-$ $1>(a)"});
}
END_TEST

START_TEST(comments_are_passed_over)
{
    CHECK({"-- it's :a\n:b", "<-- it's :a\n$1>(b)"},
          {"1 -- :a ;", "<1 -- :a ;>()"}, {"1 -- :a\r:b", "<1 -- :a\r$1>(b)"},
          {"/* :a ' \" $$ ; */ :b", "</* :a ' \" $$ ; */ $1>(b)"},
          {"/* /* :a */ :b */ :c", "</* /* :a */ :b */ $1>(c)"},
          {"/*/ :a */ :b", "</*/ :a */ $1>(b)"},
          {"/**/:b/***/", "</**/$1/***/>(b)"},
          {"/* -- */ :b", "</* -- */ $1>(b)"},
          {"/* /** * / /*/ */ */ */:b", "</* /** * / /*/ */ */ */$1>(b)"},
          {"1 - - :a", "<1 - - $1>(a)"}, {"1 / * :a", "<1 / * $1>(a)"},
          {"a<--:x\n:a", "<a<--:x\n$1>(a)"}, {"a*/*:x*/:a", "<a*/*:x*/$1>(a)"});
}
END_TEST

START_TEST(semicolons_separate_statements)
{
    CHECK({"a;b", "<a>()<b>()"}, {"a; b;", "<a>()< b>()"},
          {"a;'b;c';d", "<a>()<'b;c'>()<d>()"},
          {"a $$;$$; b", "<a $$;$$>()< b>()"},
          {"E'\\';' ; b", "<E'\\';' >()< b>()"});
}
END_TEST

START_TEST(each_statement_has_names_of_its_own)
{
    CHECK({":a :b; :b :c", "<$1 $2>(a,b)< $1 $2>(b,c)"}, {":a;b;:a", "<$1>(a)<"
                                                                     "b>()<$1>("
                                                                     "a)"});
}
END_TEST

START_TEST(a_semicolon_in_brackets_does_not_separate)
{
    CHECK({"CREATE RULE r AS ON INSERT TO t DO ALSO (a :x; b); c", "<CREATE "
                                                                   "RULE r AS "
                                                                   "ON INSERT "
                                                                   "TO t DO "
                                                                   "ALSO (a "
                                                                   "$1; "
                                                                   "b)>(x)< "
                                                                   "c>()"},
          {"((a;b);c);d", "<((a;b);c)>()<d>()"}, {"a);b", "<a)>()<b>()"},
          {"'(';b", "<'('>()<b>()"}, {"/*(*/a;b", "</*(*/a>()<b>()"});
}
END_TEST

START_TEST(empty_statements_are_dropped)
{
    CHECK({";;a;;", "<a>()"}, {" ; -- x\n ; /* ; */ ; a ; \t\r\n", "< a >()"},
          {"a; -- the end", "<a>()"}, {"''; b", "<''>()< b>()"},
          {"\"x\"", "<\"x\">()"}, {"$$$$", "<$$$$>()"}, {":a", "<$1>(a)"});
}
END_TEST

START_TEST(a_text_without_a_statement_is_refused)
{
    static const char *const texts[] = {"",     " \t\r\n\f\v", ";", ";;\n;",
                                        "-- a", "/* a */;",    "--"};

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        ck_assert_str_eq(refusal(texts[i]), "there is no SQL statement in it");
    }
}
END_TEST

START_TEST(names_are_utf8)
{
    CHECK({":\303\251t\303\251+1", "<$1+1>(\303\251t\303\251)"},
          {"SELECT \303\251:a", "<SELECT \303\251 $1>(a)"},
          {"'\303\251:a'", "<'\303\251:a'>()"});
}
END_TEST

START_TEST(an_open_quote_is_refused)
{
    static const row_t rows[] = {
        {"'a", "line 1: a string begins here and does not end"},
        {"'a''", "line 1: a string begins here and does not end"},
        {"E'a\\'", "line 1: a string begins here and does not end"},
        {"E'a\\", "line 1: a string begins here and does not end"},
        {"E'a'\n'", "line 1: a string begins here and does not end"},
        {"a\n\n b 'c\nd\n", "line 3: a string begins here and does not end"},
        {"\n\"a", "line 2: a quoted identifier begins here and does not end"},
        {"\"a\"\"", "line 1: a quoted identifier begins here and does not end"},
        {"/* a", "line 1: a comment begins here and does not end"},
        {"1;\n/* /* a */ ", "line 2: a comment begins here and does not end"},
        {"/*/", "line 1: a comment begins here and does not end"},
        {"$$a", "line 1: a dollar-quoted string begins here and does not end"},
        {"$a$ $b$ $$ $A$", "line 1: a dollar-quoted string begins here and "
                           "does not end"},
        {"'a\nb'\n;\r\n$$", "line 4: a dollar-quoted string begins here and "
                            "does not end"}};

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        ck_assert_str_eq(refusal(rows[i].text), rows[i].want);
    }
}
END_TEST

START_TEST(a_number_in_place_of_a_name_is_refused)
{
    ck_assert_str_eq(refusal("SELECT $1"), "line 1: '$1' is not known here; "
                                           "write :name for a parameter");
    ck_assert_str_eq(refusal("a;\nb = $9"), "line 2: '$9' is not known here; "
                                            "write :name for a parameter");
    refusal("a=$0");
    refusal("f($1)");
    refusal("1$1");
    refusal("''$1");
    refusal("\"a\"$1");
}
END_TEST

START_TEST(a_name_has_63_bytes_at_most)
{
    static const char a62[] = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
                              "a"
                              "aaaaaaaaaaaaa";
    static const char why[] = "line 2: a name of over 63 bytes, which "
                              "PostgreSQL would cut off";

    ck_assert_int_eq((int)strlen(a62), DSAPI_SQL_NAME_MAX_BYTES - 1);
    parse(apr_pstrcat(g_pool, "\"", a62, "b\"", NULL));
    parse(apr_pstrcat(g_pool, "\"", a62, "\"\"\"", NULL));
    parse(apr_pstrcat(g_pool, a62, "b", NULL));
    parse(apr_pstrcat(g_pool, "'", a62, a62, "'", NULL));
    parse(apr_pstrcat(g_pool, "-- ", a62, a62, "\n1", NULL));
    ck_assert_str_eq(refusal(apr_pstrcat(g_pool, "\n\"", a62, "bc\"\n", NULL)),
                     why);
    ck_assert_str_eq(
        refusal(apr_pstrcat(g_pool, "\n\"", a62, "\303\251\"", NULL)), why);
    ck_assert_str_eq(refusal(apr_pstrcat(g_pool, "\n\"", a62, "\"\"c\"", NULL)),
                     why);
    ck_assert_str_eq(refusal(apr_pstrcat(g_pool, "\n", a62, "bc", NULL)), why);
}
END_TEST

START_TEST(the_text_is_only_borrowed)
{
    char text[] = "SELECT :abc; 'x'";
    const apr_array_header_t *statements = parse(text);
    const dsapi_sql_t *first = APR_ARRAY_IDX(statements, 0, dsapi_sql_t *);
    const dsapi_sql_t *second = APR_ARRAY_IDX(statements, 1, dsapi_sql_t *);

    memset(text, '?', sizeof(text) - 1);
    ck_assert_str_eq(first->text, "SELECT $1");
    ck_assert_str_eq(first->names[0], "abc");
    ck_assert_str_eq(second->text, " 'x'");
}
END_TEST

START_TEST(the_hash_is_fnv_1a_of_the_text)
{
    const dsapi_sql_t *sql =
        APR_ARRAY_IDX(parse("foobar"), 0, const dsapi_sql_t *);

    ck_assert_uint_eq(sql->hash, APR_UINT64_C(0x85944171f73967e8));
    ck_assert_uint_eq(
        APR_ARRAY_IDX(parse("SELECT :a"), 0, const dsapi_sql_t *)->hash,
        APR_ARRAY_IDX(parse("SELECT :b"), 0, const dsapi_sql_t *)->hash);
}
END_TEST

START_TEST(a_literal_is_as_given)
{
    const dsapi_sql_t *sql = dsapi_sql_literal("foobar", 3, g_pool);

    ck_assert_str_eq(sql->text, "foobar");
    ck_assert_int_eq(sql->nparams, 3);
    ck_assert_ptr_null(sql->names);
    ck_assert_uint_eq(sql->hash, APR_UINT64_C(0x85944171f73967e8));
}
END_TEST

/** The tokens of a text, with '|' behind each. */
static const char *tokens(const char *text)
{
    const char *out = "";
    const char *end = text;

    for (;;) {
        const char *token = dsapi_sql_token(&end, end);

        if (!*token) {
            ck_assert_ptr_eq(end, token);
            return out;
        }
        ck_assert(end > token);
        out = apr_pstrcat(
            g_pool, out,
            apr_pstrmemdup(g_pool, token, (apr_size_t)(end - token)), "|",
            NULL);
    }
}

START_TEST(tokens_are_read_one_by_one)
{
    ck_assert_str_eq(tokens(" a1(\"b \"\"c\", $1)--x\n+'d ''e'/* /*f*/ */;"),
                     "a1|(|\"b \"\"c\"|,|$|1|)|+|'d ''e'|;|");
    ck_assert_str_eq(tokens("$$a $b$ $$ $t$ $$ $t$ E'\\'' e"), "$$a $b$ $$|$t$ "
                                                               "$$ "
                                                               "$t$|E'\\''|e|");
    ck_assert_str_eq(tokens(""), "");
    ck_assert_str_eq(tokens(" -- x"), "");
    ck_assert_str_eq(tokens("a 'b"), "a|'b|");
    ck_assert_str_eq(tokens("a /* b"), "a|/* b|");
}

START_TEST(what_ends_a_transaction_is_known)
{
    static const struct {
        const char *text;
        dsapi_sql_kind_e kind;
    } rows[] = {
        {"COMMIT", DSAPI_SQL_TRANSACTION},
        {"commit AND CHAIN", DSAPI_SQL_TRANSACTION},
        {"COMMIT PREPARED 'x'", DSAPI_SQL_TRANSACTION},
        {"End", DSAPI_SQL_TRANSACTION},
        {"BEGIN ISOLATION LEVEL SERIALIZABLE", DSAPI_SQL_TRANSACTION},
        {"start transaction", DSAPI_SQL_TRANSACTION},
        {"ROLLBACK", DSAPI_SQL_TRANSACTION},
        {"/* x */ROLLBACK/**/TO a", DSAPI_SQL_TRANSACTION},
        {"ABORT", DSAPI_SQL_TRANSACTION},
        {"SAVEPOINT a", DSAPI_SQL_TRANSACTION},
        {"RELEASE a", DSAPI_SQL_TRANSACTION},
        {"PREPARE TRANSACTION 'x'", DSAPI_SQL_TRANSACTION},
        {"prepare -- this\n transaction 'x'", DSAPI_SQL_TRANSACTION},
        {"-- a note\n /* /* and */ one */ CALL p(1)", DSAPI_SQL_PROCEDURE},
        {"DO $$BEGIN END$$", DSAPI_SQL_PROCEDURE},
        {"do'BEGIN END'", DSAPI_SQL_PROCEDURE},
        {"PREPARE p AS SELECT 1", DSAPI_SQL_PLAIN},
        {"SELECT 1", DSAPI_SQL_PLAIN},
        {"-- COMMIT\nSELECT 1", DSAPI_SQL_PLAIN},
        {"endings", DSAPI_SQL_PLAIN},
        {"DONE", DSAPI_SQL_PLAIN},
        {"\"commit\"", DSAPI_SQL_PLAIN},
        {"'COMMIT'", DSAPI_SQL_PLAIN},
        {"INSERT INTO commit VALUES (1)", DSAPI_SQL_PLAIN},
        {"WITH call AS (SELECT 1) TABLE call", DSAPI_SQL_PLAIN},
        {"(SELECT 1)", DSAPI_SQL_PLAIN}};

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        ck_assert_msg(dsapi_sql_kind(dsapi_sql_literal(rows[i].text, 0,
                                                       g_pool)) == rows[i].kind,
                      "%s", rows[i].text);
    }
}
END_TEST

UNIT_SUITE(sql_scan, a_name_becomes_a_number, one_name_has_one_number,
           more_than_nine_names_are_numbered,
           a_name_may_stand_behind_any_punctuation,
           a_number_is_no_part_of_the_word_before_it, a_cast_is_no_name,
           a_named_argument_is_no_name, a_lone_colon_stays,
           a_string_is_passed_over, an_escape_string_knows_backslashes,
           a_word_that_ends_in_e_is_no_escape,
           a_continued_escape_string_keeps_its_escapes,
           a_quoted_identifier_is_passed_over, a_dollar_quote_is_passed_over,
           a_dollar_inside_a_word_is_part_of_it,
           a_dollar_that_begins_nothing_stays, comments_are_passed_over,
           semicolons_separate_statements, each_statement_has_names_of_its_own,
           a_semicolon_in_brackets_does_not_separate,
           empty_statements_are_dropped, a_text_without_a_statement_is_refused,
           names_are_utf8, an_open_quote_is_refused,
           a_number_in_place_of_a_name_is_refused, a_name_has_63_bytes_at_most,
           the_text_is_only_borrowed, the_hash_is_fnv_1a_of_the_text,
           a_literal_is_as_given, tokens_are_read_one_by_one,
           what_ends_a_transaction_is_known)
