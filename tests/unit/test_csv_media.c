/* src/csv/media.h: every promise of the header. */
#include "csv/media.h"

#include "unit/unit.h"

static const char charset[] = "the charset of CSV must be UTF-8";
static const char header[] = "CSV must have a header, which names the columns";

static const struct {
    const char *type;
    int is;
    const char *why;
} cases[] = {
    {NULL, 0, NULL},
    {"", 0, NULL},
    {"text/css", 0, NULL},
    {"text/csv-schema", 0, NULL},
    {"application/json; x=text/csv", 0, NULL},
    {"text/csv", 1, NULL},
    {" Text/CSV ", 1, NULL},
    {"text/csv;", 1, NULL},
    {"text/csv; charset=UTF-8; header=present", 1, NULL},
    {"text/csv;charset=\"utf-8\";;x", 1, NULL},
    {"text/csv; charset=us-ascii", 1, NULL},
    {"text/csv; Charset=iso-8859-1", 1, charset},
    {"text/csv; header=present; charset=\"utf-16\"", 1, charset},
    {"text/csv; charset=\"utf-8", 1, NULL},
    {"text/csv; charset=", 1, charset},
    {"text/csv; charset", 1, charset},
    {"text/csv; header=absent", 1, header},
};

START_TEST(a_type_is_csv_or_not_and_may_ask_too_much)
{
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const char *why = "untouched";

        ck_assert_msg(dsapi_csv_is_media(&why, cases[i].type, g_scratch) ==
                          cases[i].is,
                      "%s", cases[i].type);
        if (!cases[i].why) {
            ck_assert_msg(!why, "%s: %s", cases[i].type, why);
            continue;
        }
        ck_assert_ptr_nonnull(why);
        ck_assert_str_eq(why, cases[i].why);
    }
}
END_TEST

UNIT_SUITE(csv_media, a_type_is_csv_or_not_and_may_ask_too_much)
