/* src/resource/prefer.h: every promise of the header. */
#include "resource/prefer.h"

#include "unit/ast.h"
#include "unit/unit.h"

static const char *applied(const char *header, int tx)
{
    dsapi_prefer_t prefer;
    dsapi_err_t *err;
    const char *text;

    dsapi_prefer_parse(&prefer, header, tx, g_pool);
    if (dsapi_prefer_check(&err, &prefer, g_pool) != APR_SUCCESS) {
        return ast_error(err);
    }
    text = dsapi_prefer_applied(&prefer, g_pool);
    return text ? text : "none";
}

START_TEST(preferences_are_read)
{
    static const char *const cases[][2] = {
        {NULL, "none"},
        {"", "none"},
        {"respond-async", "none"},
        {"return=minimal", "return=minimal"},
        {"return=representation,count=exact", "return=representation, "
                                              "count=exact"},
        {" count=planned ,\tmissing=default", "missing=default, count=planned"},
        {"return=minimal, return=representation", "return=minimal"},
        {"resolution=ignore-duplicates, resolution=merge-duplicates", "resoluti"
                                                                      "on="
                                                                      "ignore-"
                                                                      "duplicat"
                                                                      "es"},
        {"tx=rollback", "tx=rollback"},
        {"timezone=Europe/Madrid, timezone=UTC", "timezone=Europe/Madrid"},
        {"max-affected=5", "none"},
        {"handling=strict, max-affected=5", "handling=strict, max-affected=5"},
        {"handling=strict, max-affected=x", "handling=strict"},
        {"handling=lenient, nothing", "handling=lenient"},
        {"handling=strict, a, count=exact, b=c", "PGRST122: Invalid "
                                                 "preferences given with "
                                                 "handling=strict; \"Invalid "
                                                 "preferences: a, b=c\""},
        {"return=Minimal, handling=strict", "PGRST122: Invalid preferences "
                                            "given with handling=strict; "
                                            "\"Invalid "
                                            "preferences: return=Minimal\""},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        ck_assert_str_eq(applied(cases[i][0], 1), cases[i][1]);
    }
    ck_assert_str_eq(applied("tx=rollback", 0), "none");
    ck_assert_str_eq(applied("tx=rollback, handling=strict", 0), "handling="
                                                                 "strict");
}
END_TEST

UNIT_SUITE(resource_prefer, preferences_are_read)
