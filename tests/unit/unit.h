/*
 * What every unit test uses: two pools made before and destroyed after each
 * test, and one line that makes a file's suite. The build registers each
 * tests/unit/test_<x>.c as the suite <x>.
 */
#ifndef DSAPI_TESTS_UNIT_H
#define DSAPI_TESTS_UNIT_H

#include <apr_pools.h>
#include <check.h>
#include <stdlib.h>
#include <string.h>

extern apr_pool_t *g_pool;
extern apr_pool_t *g_scratch;

/** A suite with one case, whose tests run between pool setup and teardown. */
Suite *unit_suite(const char *name, const TTest *const *tests, int ntests);

#define UNIT_SUITE(file, ...)                                       \
    Suite *suite_##file(void);                                      \
    Suite *suite_##file(void)                                       \
    {                                                               \
        const TTest *const tests[] = {__VA_ARGS__};                 \
                                                                    \
        return unit_suite(#file, tests,                             \
                          (int)(sizeof(tests) / sizeof(tests[0]))); \
    }

#endif
