/* src/csv/load.h: what needs no database; the rest is in test_csv_import.c. */
#include "csv/load.h"

#include "unit/unit.h"

static const struct {
    const char *text;
    apr_size_t len;
    const char *excerpt; /* after six bytes */
} excerpts[] = {
    {"", 0, ""},
    {"abcdef", 6, "abcdef"},
    {"abcdefg", 7, "abcdef..."},
    {"abcde\xc3\xa4", 7, "abcde\xc3\xa4"},
    {"abcd\xe2\x82\xac,", 8, "abcd\xe2\x82\xac..."},
    {"a\0b", 3,
     "a\xef\xbf\xbd"
     "b"},
    {"\xff\xc3", 2, "\xef\xbf\xbd\xef\xbf\xbd"},
    {"\xff\xff\xff", 3, "\xef\xbf\xbd\xef\xbf\xbd..."},
};

START_TEST(an_excerpt_is_utf8_and_short)
{
    for (size_t i = 0; i < sizeof(excerpts) / sizeof(excerpts[0]); i++) {
        ck_assert_str_eq(
            dsapi_load_excerpt(excerpts[i].text, excerpts[i].len, 6, g_pool),
            excerpts[i].excerpt);
    }
}
END_TEST

static const dsapi_csv_field_t fields[] = {{"a\tb", 3}, {NULL, 0}, {"", 0}};

static dsapi_csv_record_t record_of(int nfields)
{
    dsapi_csv_record_t record = {12, 14, 99, fields, nfields, DSAPI_CSV_GOOD,
                                 0};

    return record;
}

START_TEST(a_record_as_copy_reads_it)
{
    dsapi_import_t import = {.nfields = 3, .ncolumns = 4};
    dsapi_csv_record_t record = record_of(3);
    dsapi_buf_t *buf = dsapi_buf_make(0, g_pool);

    dsapi_load_put(buf, &import, &record);
    import.staged = 1;
    dsapi_load_put(buf, &import, &record);
    ck_assert_str_eq(dsapi_buf_str(buf), "a\\tb\t\\N\t\t\\N\n"
                                         "12\ta\\tb\t\\N\t\t\\N\n");
}
END_TEST

START_TEST(a_record_is_whole_or_not)
{
    dsapi_import_t import = {.nfields = 2};
    dsapi_csv_record_t record = record_of(2);

    ck_assert_int_eq(dsapi_load_is_whole(&import, &record), 1);
    record.fault = DSAPI_CSV_NUL;
    ck_assert_int_eq(dsapi_load_is_whole(&import, &record), 0);
    record = record_of(3);
    ck_assert_int_eq(dsapi_load_is_whole(&import, &record), 0);
}
END_TEST

START_TEST(what_cannot_be_read_is_our_fault)
{
    dsapi_err_t *err;

    ck_assert_int_eq(dsapi_load_unreadable(&err, APR_ENOSPC, g_pool),
                     DSAPI_EINTERNAL);
    ck_assert_ptr_nonnull(strstr(err->internal, "No space left"));
}
END_TEST

START_TEST(the_time_that_is_left)
{
    dsapi_import_t import = {.until = 0};

    ck_assert_int_eq(dsapi_load_left(&import), 0);
    import.until = apr_time_now() + apr_time_from_sec(1000);
    ck_assert_int_gt(dsapi_load_left(&import), apr_time_from_sec(900));
    ck_assert_int_le(dsapi_load_left(&import), apr_time_from_sec(1000));
    import.until = 1;
    ck_assert_int_eq(dsapi_load_left(&import), 1);
}
END_TEST

UNIT_SUITE(csv_load, an_excerpt_is_utf8_and_short, a_record_as_copy_reads_it,
           a_record_is_whole_or_not, what_cannot_be_read_is_our_fault,
           the_time_that_is_left)
