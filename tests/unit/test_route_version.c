/* route/version: what a child knows of data versions. */
#include "route/version.h"

#include "unit/unit.h"

#define T(s) apr_time_from_sec(1000 + (s))

static dsapi_versions_t *table_of(const char *a, const char *b)
{
    apr_array_header_t *names = apr_array_make(g_pool, 2, sizeof(char *));

    APR_ARRAY_PUSH(names, const char *) = a;
    APR_ARRAY_PUSH(names, const char *) = b;
    return dsapi_versions_make(names, NULL, g_pool);
}

static dsapi_version_stamp_t stamp_of(const dsapi_versions_t *table, int first,
                                      int n, apr_time_t now)
{
    static const int indexes[] = {0, 1, 0};
    dsapi_version_stamp_t stamp;

    dsapi_versions_read(&stamp, table, indexes + first, n, now);
    return stamp;
}

START_TEST(names_have_indexes)
{
    dsapi_versions_t *table = table_of("s/a", "s/b");

    ck_assert_int_eq(dsapi_versions_index(table, "s/a"), 0);
    ck_assert_int_eq(dsapi_versions_index(table, "s/b"), 1);
    ck_assert_int_eq(dsapi_versions_index(table, "s/"), -1);
    ck_assert_int_eq(dsapi_versions_names(table)->nelts, 2);
}
END_TEST

START_TEST(a_stamp_is_of_all_its_versions)
{
    dsapi_versions_t *table = table_of("s/a", "s/b");
    apr_uint64_t one;
    apr_uint64_t both;

    dsapi_versions_checked(table, T(0));
    ck_assert(stamp_of(table, 0, 1, T(0)).stamp == 0);
    dsapi_versions_set(table, 0, 5, T(0));
    one = stamp_of(table, 0, 1, T(0)).stamp;
    ck_assert(one != 0);
    /* one of them has none */
    ck_assert(stamp_of(table, 0, 2, T(0)).stamp == 0);
    ck_assert(stamp_of(table, 0, 2, T(0)).verified_at == 0);
    dsapi_versions_set(table, 1, 5, T(0));
    both = stamp_of(table, 0, 2, T(0)).stamp;
    ck_assert(both != 0 && both != one);
    ck_assert(stamp_of(table, 1, 1, T(0)).stamp == one);
    /* each counts, and where it stands */
    dsapi_versions_set(table, 1, 6, T(0));
    ck_assert(stamp_of(table, 0, 2, T(0)).stamp != both);
    ck_assert(stamp_of(table, 0, 2, T(0)).stamp !=
              stamp_of(table, 1, 2, T(0)).stamp);
    dsapi_versions_set(table, 1, 5, T(0));
    ck_assert(stamp_of(table, 0, 2, T(0)).stamp == both);
    dsapi_versions_set(table, 0, 0, T(0));
    ck_assert(stamp_of(table, 0, 1, T(0)).stamp == 0);
}
END_TEST

START_TEST(a_check_is_trusted_for_a_while)
{
    dsapi_versions_t *table = table_of("s/a", "s/b");

    dsapi_versions_set(table, 0, 5, T(0));
    ck_assert(stamp_of(table, 0, 1, T(0)).verified_at == 0);
    dsapi_versions_checked(table, T(0));
    ck_assert(stamp_of(table, 0, 1, T(0)).verified_at == T(0));
    ck_assert(stamp_of(table, 0, 1, T(2) - 1).verified_at == T(2) - 1);
    ck_assert(stamp_of(table, 0, 1, T(2)).verified_at == T(0));
    ck_assert(stamp_of(table, 0, 1, T(9000)).verified_at == T(0));
    /* the clock was set back */
    ck_assert(stamp_of(table, 0, 1, T(-1)).verified_at == 0);
    ck_assert(stamp_of(table, 0, 1, T(-1)).stamp != 0);
}
END_TEST

START_TEST(a_stamp_tells_when_it_changed)
{
    dsapi_versions_t *table = table_of("s/a", "s/b");
    apr_uint64_t both;

    dsapi_versions_set(table, 0, 5, T(1));
    dsapi_versions_set(table, 1, 5, T(1));
    ck_assert(stamp_of(table, 0, 2, T(9)).changed_at == 0);
    ck_assert(stamp_of(table, 0, 2, T(9)).before == 0);
    both = stamp_of(table, 0, 2, T(9)).stamp;
    dsapi_versions_set(table, 0, 6, T(2));
    ck_assert(stamp_of(table, 0, 1, T(9)).changed_at == T(2));
    ck_assert(stamp_of(table, 0, 2, T(9)).before == both);
    both = stamp_of(table, 0, 2, T(9)).stamp;
    ck_assert(stamp_of(table, 1, 1, T(9)).changed_at == 0);
    dsapi_versions_set(table, 0, 6, T(3));
    dsapi_versions_set(table, 1, 7, T(4));
    ck_assert(stamp_of(table, 0, 1, T(9)).changed_at == T(2));
    ck_assert(stamp_of(table, 0, 2, T(9)).changed_at == T(4));
    ck_assert(stamp_of(table, 0, 2, T(9)).before == both);
}
END_TEST

static int slot_index(const dsapi_versions_t *table, const char *a,
                      const char *b, int n)
{
    const char *const key[] = {a, b};

    return dsapi_versions_slot_index(table, 0,
                                     dsapi_versions_slot(key, n, g_pool));
}

START_TEST(keys_have_versions_of_their_own)
{
    static const int depths[] = {2, 0};
    apr_array_header_t *names = apr_array_make(g_pool, 2, sizeof(char *));
    dsapi_versions_t *table;
    dsapi_version_stamp_t col;
    dsapi_version_stamp_t stamp;
    int of_col[3];
    int of_bfa[3];

    APR_ARRAY_PUSH(names, const char *) = "s/a";
    APR_ARRAY_PUSH(names, const char *) = "s/b";
    table = dsapi_versions_make(names, depths, g_pool);
    ck_assert_int_eq(dsapi_versions_count(table), 2 + DSAPI_VERSION_SLOTS);
    ck_assert_int_eq(dsapi_versions_depth(table, 0), 2);
    ck_assert_int_eq(dsapi_versions_depth(table, 1), 0);
    for (int i = 0; i < 3; i++) {
        of_col[i] = slot_index(table, "COL", "fcs", i);
        of_bfa[i] = slot_index(table, "BFA", "fcs", i);
        ck_assert_int_ge(of_col[i], 2);
        ck_assert_int_lt(of_col[i], dsapi_versions_count(table));
    }
    ck_assert_int_eq(of_col[0], of_bfa[0]); /* of all */
    ck_assert_int_ne(of_col[1], of_bfa[1]);
    ck_assert_int_ne(of_col[2], of_col[1]);

    /* nothing is known of a key before one has been touched; then, that it
     * has not */
    dsapi_versions_read(&col, table, of_col, 3, T(0));
    ck_assert(col.stamp == 0);
    dsapi_versions_set(table, 0, 5, T(0));
    dsapi_versions_set(table, of_bfa[1], 6, T(0));
    dsapi_versions_checked(table, T(0));
    dsapi_versions_read(&col, table, of_col, 3, T(0));
    ck_assert(col.stamp != 0);
    ck_assert(col.verified_at == T(0));
    ck_assert(col.changed_at == 0);
    dsapi_versions_set(table, of_col[0], 7, T(0));
    dsapi_versions_read(&col, table, of_col, 3, T(0));
    ck_assert(col.stamp != 0);
    /* a change of another key is none of this one */
    dsapi_versions_set(table, of_bfa[1], 8, T(1));
    dsapi_versions_read(&stamp, table, of_col, 3, T(1));
    ck_assert(stamp.stamp == col.stamp);
    /* the first one of a key has an earlier state, too */
    dsapi_versions_set(table, of_col[2], 9, T(2));
    dsapi_versions_read(&stamp, table, of_col, 3, T(2));
    ck_assert(stamp.stamp != col.stamp);
    ck_assert(stamp.before == col.stamp);
    ck_assert(stamp.changed_at == T(2));
}
END_TEST

START_TEST(a_slot_is_of_all_parts_of_a_key)
{
    static const char *const parts[] = {"a", NULL, "", "b"};
    static const char *const joined[] = {"ab"};
    int whole = dsapi_versions_slot(parts, 4, g_pool);

    ck_assert_int_ne(whole, dsapi_versions_slot(parts, 3, g_pool));
    ck_assert_int_ne(whole, dsapi_versions_slot(parts, 1, g_pool));
    ck_assert_int_ne(whole, dsapi_versions_slot(joined, 1, g_pool));
    ck_assert_int_ne(whole, dsapi_versions_slot(NULL, 0, g_pool));
}
END_TEST

UNIT_SUITE(route_version, keys_have_versions_of_their_own,
           a_slot_is_of_all_parts_of_a_key, names_have_indexes,
           a_stamp_is_of_all_its_versions, a_check_is_trusted_for_a_while,
           a_stamp_tells_when_it_changed)
