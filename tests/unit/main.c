/* Runs every suite, or of two parts the one that is said (0, 1): every second.
 * The closing line is check's own. */
#include <apr_general.h>
#include <string.h>

#include "unit/unit.h"

#define SUITE(name) Suite *suite_##name(void);
#include "suites.h"
#undef SUITE

apr_pool_t *g_pool;
apr_pool_t *g_scratch;

static void setup(void)
{
    apr_pool_create(&g_pool, NULL);
    apr_pool_create(&g_scratch, NULL);
}

/* A test that ends its scratch pool itself may set it to NULL or not: the
 * process ends with the test. */
static void teardown(void)
{
    apr_pool_destroy(g_pool);
}

Suite *unit_suite(const char *name, const TTest *const *tests, int ntests)
{
    Suite *suite = suite_create(name);
    TCase *tcase = tcase_create(name);

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 60);
    for (int i = 0; i < ntests; i++) {
        tcase_add_test(tcase, tests[i]);
    }
    suite_add_tcase(suite, tcase);
    return suite;
}

/* Asked of each suite in turn. @param part  "0" or "1"; NULL: all are */
static int is_wanted(const char *part)
{
    static int nsuites;

    return !part || nsuites++ % 2 == (strcmp(part, "1") == 0);
}

int main(int argc, char **argv)
{
    SRunner *runner = srunner_create(NULL);
    int failed;

    apr_initialize();
#define SUITE(name)                                \
    if (is_wanted(argc > 1 ? argv[1] : NULL)) {    \
        srunner_add_suite(runner, suite_##name()); \
    }
#include "suites.h"
#undef SUITE
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    apr_terminate();
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
