/* src/csv/writer.h: every promise of the header. */
#include "csv/writer.h"

#include "unit/unit.h"

static const char *field(const char *text)
{
    dsapi_buf_t *buf = dsapi_buf_make(0, g_pool);

    dsapi_csv_put_field(buf, text, text ? strlen(text) : 0);
    return dsapi_buf_str(buf);
}

START_TEST(fields_are_quoted_where_they_have_to_be)
{
    static const struct {
        const char *text;
        const char *csv;
    } cases[] = {
        {NULL, ""},
        {"", "\"\""},
        {"plain", "plain"},
        {"12.50", "12.50"},
        {"a,b", "\"a,b\""},
        {"a\"b", "\"a\"\"b\""},
        {"\"", "\"\"\"\""},
        {"a\nb", "\"a\nb\""},
        {"a\rb", "\"a\rb\""},
        {" a", "\" a\""},
        {"a ", "\"a \""},
        {"a;b", "a;b"},
        {"Bogot\xc3\xa1", "Bogot\xc3\xa1"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        ck_assert_str_eq(field(cases[i].text), cases[i].csv);
    }
}
END_TEST

START_TEST(a_field_may_hold_nul)
{
    dsapi_buf_t *buf = dsapi_buf_make(0, g_pool);

    dsapi_csv_put_field(buf, "a\0,b", 4);
    ck_assert_uint_eq(buf->len_bytes, 6);
    ck_assert_mem_eq(buf->data, "\"a\0,b\"", 6);
}
END_TEST

START_TEST(records_end_with_crlf)
{
    dsapi_buf_t *buf = dsapi_buf_make(0, g_pool);

    dsapi_csv_put_field(buf, "a", 1);
    dsapi_csv_end_record(buf);
    ck_assert_str_eq(dsapi_buf_str(buf), "a\r\n");
}
END_TEST

UNIT_SUITE(csv_writer, fields_are_quoted_where_they_have_to_be,
           a_field_may_hold_nul, records_end_with_crlf)
