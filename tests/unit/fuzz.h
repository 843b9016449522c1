/*
 * Random input for property tests, the same in every run. The environment says
 * otherwise:
 *   DSAPI_FUZZ_ROUNDS  how many rounds
 *   DSAPI_FUZZ_SEED    the first round's seed; each one's is one more
 * so that the seed that a failure tells, with one round, is that failure.
 */
#ifndef DSAPI_TESTS_FUZZ_H
#define DSAPI_TESTS_FUZZ_H

#include <apr.h>

typedef struct fuzz_t {
    apr_uint64_t seed; /* of this round */
    apr_uint64_t end;  /* the seed behind the last round's */
    apr_uint64_t state;
} fuzz_t;

/** Begin. @param rounds  unless the environment says how many */
void fuzz_init(fuzz_t *fuzz, int rounds);

/** Begin the next round; g_scratch is cleared. @return 0: there is none */
int fuzz_next(fuzz_t *fuzz);

/** @return a number from 0, less than n */
int fuzz_below(fuzz_t *fuzz, int n);

/** @return one of an array's texts */
#define fuzz_pick(fuzz, texts) \
    (texts)[fuzz_below(fuzz, (int)(sizeof(texts) / sizeof((texts)[0])))]

/** A copy of a text, in a piece of memory that is no longer than it is, so that
 *  a sanitizer sees who reads on; freed with g_scratch. */
const char *fuzz_copy(const char *text);

/**
 * Spoil a text in a few places: bytes that are left out, changed, said twice,
 * words of a language put in between.
 * @param words  ended by NULL
 * @return as fuzz_copy
 */
const char *fuzz_spoil(fuzz_t *fuzz, const char *text,
                       const char *const *words);

/** Up to so many words. @return as fuzz_copy */
const char *fuzz_words(fuzz_t *fuzz, int most, const char *const *words);

/** Pages that the process has mapped, which is what pools are made of. */
long fuzz_mapped_pages(void);

#endif
