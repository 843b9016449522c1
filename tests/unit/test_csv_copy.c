/* src/csv/copy.h: every promise of the header. */
#include "csv/copy.h"

#include "unit/unit.h"

static const struct {
    const char *text;
    const char *encoded;
} cases[] = {
    {"", ""},
    {NULL, "\\N"},
    {"\\N", "\\\\N"},
    {"\\.", "\\\\."},
    {"a", "a"},
    {"a\tb\nc\rd\\e", "a\\tb\\nc\\rd\\\\e"},
    {"\t", "\\t"},
    {"\n\n", "\\n\\n"},
    {" \"x\", ", " \"x\", "},
    {"\xc3\xa4\x01\b", "\xc3\xa4\x01\b"},
};

#define NCASES ((int)(sizeof(cases) / sizeof(cases[0])))

static dsapi_buf_t *encoded(const char *text)
{
    dsapi_buf_t *buf = dsapi_buf_make(1, g_pool);

    dsapi_csv_copy_put(buf, text, text ? strlen(text) : 0);
    return buf;
}

START_TEST(fields_are_escaped)
{
    for (int i = 0; i < NCASES; i++) {
        ck_assert_str_eq(dsapi_buf_str(encoded(cases[i].text)),
                         cases[i].encoded);
    }
}
END_TEST

START_TEST(fields_are_taken_out_again)
{
    dsapi_buf_t *line = dsapi_buf_make(0, g_pool);

    for (int i = 0; i < NCASES; i++) {
        dsapi_buf_put(line, "\t", i ? 1 : 0);
        dsapi_buf_put(line, cases[i].encoded, strlen(cases[i].encoded));
    }
    dsapi_buf_put(line, "\nnext\tline\n", 11);
    for (int i = 0; i < NCASES; i++) {
        apr_size_t len = 99;
        const char *text =
            dsapi_csv_copy_get(&len, dsapi_buf_str(line), i, g_pool);

        ck_assert_uint_eq(len, cases[i].text ? strlen(cases[i].text) : 0);
        if (cases[i].text) {
            ck_assert_str_eq(text, cases[i].text);
        }
        else {
            ck_assert_ptr_null(text);
        }
    }
}
END_TEST

UNIT_SUITE(csv_copy, fields_are_escaped, fields_are_taken_out_again)
