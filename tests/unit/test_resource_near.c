/* src/resource/near.h: names that are nearly right. */
#include "resource/near.h"

#include <apr_strings.h>

#include "unit/unit.h"

/* Names with a bar between. */
static apr_array_header_t *list(const char *text)
{
    apr_array_header_t *names = apr_array_make(g_pool, 4, sizeof(const char *));
    char *rest = apr_pstrdup(g_pool, text);
    char *name;

    while ((name = apr_strtok(rest, "|", &rest)) != NULL) {
        APR_ARRAY_PUSH(names, const char *) = name;
    }
    return names;
}

START_TEST(near_names)
{
    static const struct {
        const char *names;
        const char *wanted;
        int percent;
        const char *near;
    } rows[] = {
        {"clients|projects|tasks", "projectx", 75, "projects"},
        {"clients|projects|tasks", "projecxx", 75, "projects"},
        {"clients|projects|tasks", "projxxxx", 75, NULL},
        {"clients|projects|tasks", "projxxxx", 33, "projects"},
        {"clients|Projects|tasks", "pROJECTS", 75, "Projects"},
        {"films", "film", 33, "films"},
        {"directors|roles|actors", "role", 33, "roles"},
        {"directors|roles|actors", "noclosealternative", 33, NULL},
        {"(name, param, val)|(attr, id)", "(nam, pqaram, vall)", 33,
         "(name, param, val)"},
        {"(name, param, val)|(attr, id)", "(param, val)", 33,
         "(name, param, val)"},
        {"(name, param, val)|(attr, id)", "(attrs, id)", 33, "(attr, id)"},
        {"(name, param, val)|(attr, id)", "(id)", 33, "(attr, id)"},
        {"(name)", "(nam)", 33, "(name)"},
        {"(a, b)", "(a, b, smthelse)", 33, "(a, b)"},
        {"()|(a, b)|(a, b, c)", "(wrong_arg)", 33, NULL},
        {"()|(a, b)|(a, b, c)", "(a, b, wrong_arg)", 33, "(a, b, c)"},
        {"unnamed_json_param|unnamed_text_param|unnamed_xml_param",
         "unnamed_int_param", 75, "unnamed_text_param"},
        {"xay|bxxay", "xxay", 33, "bxxay"},
        {"caf\xc3\xa9", "caf\xc3\xa8", 75, "caf\xc3\xa9"},
        {"caf\xc3\xa9", "caf", 76, NULL},
        {"ab", "ba", 1, NULL},
        {"", "", 1, NULL},
        {"a", "", 1, NULL},
        {"a_b", "ab", 33, "a_b"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char *near = dsapi_near_name(list(rows[i].names), rows[i].wanted,
                                           rows[i].percent, g_pool);

        ck_assert_pstr_eq(near, rows[i].near);
    }
}
END_TEST

START_TEST(near_columns)
{
    static const char *const rows[][4] = {
        {"id|name", "nam", "name", NULL},
        {"id|name", "Name", "name", NULL},
        {"id|name", "nome", "name", NULL},
        {"id|name", "nosuch", NULL, NULL},
        {"id|name", "x", NULL, NULL},
        {"ant|and", "any", "ant", "and"},
        {"ant|and|ann", "any", NULL, NULL},
        {"ant|and|ann|anyo|anyx", "anyoo", "anyo", NULL},
        {"abcdefgh", "abcdexyz", "abcdefgh", NULL},
        {"abcdefgh", "abcdwxyz", NULL, NULL},
        {"", "ab", NULL, NULL},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char *first;
        const char *second;

        dsapi_near_columns(&first, &second, list(rows[i][0]), rows[i][1],
                           g_pool);
        ck_assert_pstr_eq(first, rows[i][2]);
        ck_assert_pstr_eq(second, rows[i][3]);
    }
}
END_TEST

START_TEST(long_texts_have_no_near_ones)
{
    char *text = apr_palloc(g_pool, DSAPI_NEAR_MAX_BYTES + 2);
    const char *first;
    const char *second;

    memset(text, 'a', DSAPI_NEAR_MAX_BYTES);
    text[DSAPI_NEAR_MAX_BYTES] = '\0';
    ck_assert_pstr_eq(dsapi_near_name(list(text), text, 75, g_pool), text);
    memcpy(text + DSAPI_NEAR_MAX_BYTES, "a", 2);
    ck_assert_pstr_eq(dsapi_near_name(list(text), text, 75, g_pool), NULL);
    dsapi_near_columns(&first, &second, list(text), text, g_pool);
    ck_assert_pstr_eq(first, NULL);
}
END_TEST

UNIT_SUITE(resource_near, near_names, near_columns,
           long_texts_have_no_near_ones)
