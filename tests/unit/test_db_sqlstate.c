/* db/sqlstate: what a database error means to a client. */
#include "db/sqlstate.h"

#include <apr_strings.h>

#include "unit/unit.h"

static const dsapi_err_t *error_of(const char *sqlstate, const char *message)
{
    char *copy = apr_pstrdup(g_pool, message);
    dsapi_err_t *err = NULL;
    apr_status_t rv = dsapi_db_error(&err, sqlstate, copy, g_pool);

    memset(copy, '?', strlen(copy)); /* borrowed for the call */
    ck_assert_ptr_nonnull(err);
    ck_assert_int_eq(err->rv, rv);
    ck_assert_ptr_nonnull(err->code);
    return err;
}

START_TEST(a_state_has_a_status)
{
    static const struct {
        const char *sqlstate;
        apr_status_t rv;
    } rows[] = {{"22003", DSAPI_EPARAM},    {"22P02", DSAPI_EPARAM},
                {"22012", DSAPI_EPARAM},    {"22000", DSAPI_EPARAM},
                {"23502", DSAPI_EPARAM},    {"23514", DSAPI_EPARAM},
                {"23000", DSAPI_EPARAM},    {"23001", DSAPI_ECONFLICT},
                {"23503", DSAPI_ECONFLICT}, {"23505", DSAPI_ECONFLICT},
                {"23P01", DSAPI_ECONFLICT}, {"42501", DSAPI_EDENIED},
                {"P0002", DSAPI_ENOTFOUND}, {"57014", DSAPI_ETIMEOUT},
                {"40001", DSAPI_EBUSY},     {"40P01", DSAPI_EBUSY},
                {"53300", DSAPI_EBUSY},     {"53100", DSAPI_EBUSY},
                {"55P03", DSAPI_EBUSY},     {"08006", DSAPI_EDBDOWN},
                {"08P01", DSAPI_EDBDOWN},   {"57P01", DSAPI_EDBDOWN},
                {"57P03", DSAPI_EDBDOWN},   {"28P01", DSAPI_EDBDOWN},
                {"28000", DSAPI_EDBDOWN},   {"3D000", DSAPI_EDBDOWN},
                {"42601", DSAPI_EINTERNAL}, {"42P01", DSAPI_EINTERNAL},
                {"42703", DSAPI_EINTERNAL}, {"25006", DSAPI_EINTERNAL},
                {"55000", DSAPI_EINTERNAL}, {"P0003", DSAPI_EINTERNAL},
                {"P0000", DSAPI_EINTERNAL}, {"XX000", DSAPI_EINTERNAL},
                {"0A000", DSAPI_EINTERNAL}, {"26000", DSAPI_EINTERNAL},
                {"DS001", DSAPI_EINTERNAL}, {"", DSAPI_EINTERNAL}};

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const dsapi_err_t *err = error_of(rows[i].sqlstate, "m");

        ck_assert_msg(err->rv == rows[i].rv, "%s", rows[i].sqlstate);
        ck_assert_str_eq(err->sqlstate, rows[i].sqlstate);
    }
}
END_TEST

START_TEST(no_state_is_a_lost_connection)
{
    const dsapi_err_t *err = error_of(NULL, "server closed the connection");

    ck_assert_int_eq(err->rv, DSAPI_EDBDOWN);
    ck_assert_str_eq(err->sqlstate, "08006");
    ck_assert_int_gt(err->retry_after_s, 0);
}
END_TEST

START_TEST(the_message_goes_to_the_log_alone)
{
    static const char *const states[] = {
        "23502", "23503", "23505", "23514", "23P01", "28P01",
        "3D000", "40001", "42501", "42P01", "53300", "55P03",
        "57014", "57P01", "08006", "P0002", "XX000"};

    for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
        const dsapi_err_t *err = error_of(states[i], "secret \"x\"");

        ck_assert_ptr_null(strstr(err->detail, "secret"));
        ck_assert_int_gt((int)strlen(err->detail), 0);
        ck_assert_str_eq(err->internal,
                         apr_pstrcat(g_pool, "SQLSTATE ", states[i],
                                     ": secret \"x\"", NULL));
    }
}
END_TEST

START_TEST(values_that_class_22_quotes_are_not_even_logged)
{
    static const char *const cases[][2] = {
        {"invalid input syntax for type integer: \"x\"", "invalid input syntax "
                                                         "for type integer: "
                                                         "\"...\""},
        {"value \"a \"b\" c\" is out of range for type integer", "value "
                                                                 "\"...\" is "
                                                                 "out of range "
                                                                 "for type "
                                                                 "integer"},
        {"division by zero", "division by zero"},
        {"one \" alone", "one \" alone"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        ck_assert_str_eq(
            error_of("22P02", cases[i][0])->internal,
            apr_pstrcat(g_pool, "SQLSTATE 22P02: ", cases[i][1], NULL));
    }
}
END_TEST

START_TEST(what_is_raised_is_told)
{
    const dsapi_err_t *err = error_of("P0001", "no more than 3 %s");

    ck_assert_int_eq(err->rv, DSAPI_EPARAM);
    ck_assert_str_eq(err->detail, "no more than 3 %s");
    ck_assert_str_eq(err->internal, "SQLSTATE P0001: no more than 3 %s");
}
END_TEST

START_TEST(a_pt_state_names_the_status)
{
    static const struct {
        const char *sqlstate;
        apr_status_t rv;
        const char *detail;
    } rows[] = {{"PT400", DSAPI_EPARAM, "m"},
                {"PT401", DSAPI_EAUTH, "m"},
                {"PT403", DSAPI_EDENIED, "m"},
                {"PT404", DSAPI_ENOTFOUND, "m"},
                {"PT409", DSAPI_ECONFLICT, "m"},
                {"PT413", DSAPI_ETOOBIG, "m"},
                {"PT422", DSAPI_EUNPROC, "m"},
                {"PT429", DSAPI_ELIMIT, "m"},
                {"PT500", DSAPI_EINTERNAL, "m"},
                {"PT503", DSAPI_EBUSY, "m"},
                {"PT504", DSAPI_ETIMEOUT, "m"},
                {"PT418", DSAPI_EINTERNAL, "m"}, /* we have no such status */
                {"PT200", DSAPI_EINTERNAL, NULL},
                {"PT399", DSAPI_EINTERNAL, NULL},
                {"PT600", DSAPI_EINTERNAL, NULL},
                {"PT40", DSAPI_EINTERNAL, NULL},
                {"PT4040", DSAPI_EINTERNAL, NULL},
                {"PT40x", DSAPI_EINTERNAL, NULL},
                {"PTABC", DSAPI_EINTERNAL, NULL},
                {"pt404", DSAPI_EINTERNAL, NULL}};

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const dsapi_err_t *err = error_of(rows[i].sqlstate, "m");

        ck_assert_msg(err->rv == rows[i].rv, "%s", rows[i].sqlstate);
        ck_assert_str_eq(err->detail, rows[i].detail ? rows[i].detail
                                                     : "the service made a "
                                                       "mistake");
    }
}
END_TEST

START_TEST(what_is_raised_has_the_code_of_its_status)
{
    static const char *const rows[][2] = {
        {"P0001", "refused"},   {"PT400", "refused"},  {"PT403", "denied"},
        {"PT404", "not-found"}, {"PT409", "conflict"}, {"PT418", "refused"},
        {"PT503", "refused"}};

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const dsapi_err_t *err = error_of(rows[i][0], "m");

        ck_assert_str_eq(err->code, rows[i][1]);
        ck_assert_int_eq(dsapi_db_raised(err), 1);
    }
    ck_assert_int_eq(dsapi_db_raised(error_of("P0002", "m")), 0);
    ck_assert_int_eq(dsapi_db_raised(error_of("42501", "m")), 0);
    ck_assert_int_eq(dsapi_db_raised(error_of("PT200", "m")), 0);
    ck_assert_int_eq(dsapi_db_raised(error_of(NULL, "m")), 0);
}
END_TEST

START_TEST(a_503_and_a_429_say_when_to_try_again)
{
    static const char *const states[] = {"08006", "28P01", "3D000", "40001",
                                         "40P01", "53300", "55P03", "57P01",
                                         "PT503", NULL};

    for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
        const dsapi_err_t *err = error_of(states[i], "m");

        ck_assert_int_eq(dsapi_status_of(err->rv)->http, 503);
        ck_assert_int_gt(err->retry_after_s, 0);
    }
    ck_assert_int_gt(error_of("PT429", "m")->retry_after_s, 0);
    ck_assert_int_eq(error_of("57014", "m")->retry_after_s, 0);
    ck_assert_int_eq(error_of("P0001", "m")->retry_after_s, 0);
    ck_assert_int_eq(error_of("PT404", "m")->retry_after_s, 0);
}
END_TEST

/* n times 'a', and a text behind it */
static const char *long_text(size_t n, const char *behind)
{
    char *text = apr_palloc(g_pool, n + 1);

    memset(text, 'a', n);
    text[n] = '\0';
    return apr_pstrcat(g_pool, text, behind, NULL);
}

START_TEST(a_raised_message_is_bounded)
{
    ck_assert_str_eq(error_of("P0001", long_text(1000, ""))->detail,
                     long_text(1000, ""));
    ck_assert_str_eq(error_of("P0001", long_text(1000, "b"))->detail,
                     long_text(1000, ""));
    ck_assert_str_eq(error_of("P0001", long_text(998, "\303\251b"))->detail,
                     long_text(998, "\303\251"));
    ck_assert_str_eq(error_of("P0001", long_text(999, "\303\251"))->detail,
                     long_text(999, ""));
    ck_assert_str_eq(
        error_of("PT404", long_text(997, "\360\237\230\200"))->detail,
        long_text(997, ""));
}
END_TEST

START_TEST(a_raised_message_that_cannot_be_told_is_replaced)
{
    static const char *const messages[] = {"", "a\377b", "\300\200", "\303"};

    for (size_t i = 0; i < sizeof(messages) / sizeof(messages[0]); i++) {
        ck_assert_str_eq(error_of("P0001", messages[i])->detail, "the database "
                                                                 "refused it");
    }
}
END_TEST

UNIT_SUITE(db_sqlstate, a_state_has_a_status, no_state_is_a_lost_connection,
           the_message_goes_to_the_log_alone,
           values_that_class_22_quotes_are_not_even_logged,
           what_is_raised_is_told, a_pt_state_names_the_status,
           what_is_raised_has_the_code_of_its_status,
           a_503_and_a_429_say_when_to_try_again, a_raised_message_is_bounded,
           a_raised_message_that_cannot_be_told_is_replaced)
