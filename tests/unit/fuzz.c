/* Random input: see fuzz.h. */
#include "unit/fuzz.h"

#include <apr_strings.h>
#include <stdio.h>

#include "base/number.h"
#include "unit/unit.h"

static apr_int64_t wish(const char *name, apr_int64_t otherwise)
{
    const char *text = getenv(name);
    apr_int64_t n = otherwise;

    ck_assert_msg(!text || dsapi_base_parse_int(&n, text, 0, APR_INT32_MAX) ==
                               APR_SUCCESS,
                  "%s=%s: a whole number, please", name, text);
    return n;
}

void fuzz_init(fuzz_t *fuzz, int rounds)
{
    fuzz->seed = (apr_uint64_t)wish("DSAPI_FUZZ_SEED", 1) - 1;
    fuzz->end =
        fuzz->seed + 1 + (apr_uint64_t)wish("DSAPI_FUZZ_ROUNDS", rounds);
    fuzz->state = 0;
}

int fuzz_next(fuzz_t *fuzz)
{
    apr_pool_clear(g_scratch);
    fuzz->seed++;
    fuzz->state = fuzz->seed;
    return fuzz->seed < fuzz->end;
}

/* splitmix64, whose neighbouring seeds have nothing in common. */
static apr_uint64_t bits(fuzz_t *fuzz)
{
    apr_uint64_t z = fuzz->state += APR_UINT64_C(0x9E3779B97F4A7C15);

    z = (z ^ (z >> 30)) * APR_UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * APR_UINT64_C(0x94D049BB133111EB);
    return z ^ (z >> 31);
}

int fuzz_below(fuzz_t *fuzz, int n)
{
    ck_assert_int_gt(n, 0);
    return (int)(bits(fuzz) % (apr_uint64_t)n);
}

static apr_status_t give_back(void *text)
{
    free(text);
    return APR_SUCCESS;
}

const char *fuzz_copy(const char *text)
{
    char *copy = strdup(text);

    apr_pool_cleanup_register(g_scratch, copy, give_back,
                              apr_pool_cleanup_null);
    return copy;
}

static const char *word(fuzz_t *fuzz, const char *const *words)
{
    int n = 0;

    while (words[n]) {
        n++;
    }
    return words[fuzz_below(fuzz, n)];
}

/* One text for another, in place of what is between two places. */
static const char *replace(const char *text, int begin, int end,
                           const char *with)
{
    return apr_pstrcat(g_scratch,
                       apr_pstrmemdup(g_scratch, text, (apr_size_t)begin), with,
                       text + end, NULL);
}

static const char *spoil_once(fuzz_t *fuzz, const char *text,
                              const char *const *words)
{
    int len = (int)strlen(text);
    int begin = fuzz_below(fuzz, len + 1);
    int end = begin + fuzz_below(fuzz, len - begin + 1);
    char byte[2] = {(char)(1 + fuzz_below(fuzz, 255)), '\0'};

    switch (fuzz_below(fuzz, 5)) {
    case 0:
        return replace(text, begin, begin, word(fuzz, words));
    case 1:
        return replace(text, begin, begin < len ? begin + 1 : len, "");
    case 2:
        return replace(text, begin, begin < len ? begin + 1 : len, byte);
    case 3:
        return replace(text, begin, end, "");
    default:
        return replace(
            text, end, end,
            apr_pstrmemdup(g_scratch, text + begin, (apr_size_t)(end - begin)));
    }
}

const char *fuzz_spoil(fuzz_t *fuzz, const char *text, const char *const *words)
{
    for (int i = fuzz_below(fuzz, 4); i >= 0; i--) {
        text = spoil_once(fuzz, text, words);
    }
    return fuzz_copy(text);
}

const char *fuzz_words(fuzz_t *fuzz, int most, const char *const *words)
{
    const char *text = "";

    for (int i = fuzz_below(fuzz, most + 1); i > 0; i--) {
        text = apr_pstrcat(g_scratch, text, word(fuzz, words), NULL);
    }
    return fuzz_copy(text);
}

long fuzz_mapped_pages(void)
{
    FILE *file = fopen("/proc/self/statm", "r");
    char text[100] = "";
    apr_int64_t pages = 0;

    ck_assert(file && fgets(text, sizeof(text), file));
    fclose(file);
    text[strcspn(text, " ")] = '\0';
    ck_assert_int_eq(dsapi_base_parse_int(&pages, text, 1, APR_INT64_MAX),
                     APR_SUCCESS);
    return (long)pages;
}
