/* Names that are nearly right: see near.h. */
#include "resource/near.h"

#include <apr_lib.h>
#include <string.h>

/* PostgreSQL's. */
#define COLUMN_DISTANCE_MAX 3

/* A text by its characters. */
typedef struct chars_t {
    unsigned *at;
    int n;
} chars_t;

static void push_char(chars_t *chars, unsigned c)
{
    chars->at[chars->n++] = c;
}

/* The characters of UTF-8, in lower case or as they are. */
static chars_t chars_of(const char *text, int lower, apr_pool_t *pool)
{
    chars_t chars = {apr_palloc(pool, (strlen(text) + 1) * sizeof(*chars.at)),
                     0};

    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;

        if ((c & 0xC0) == 0x80 && chars.n > 0) {
            chars.at[chars.n - 1] = chars.at[chars.n - 1] << 6 | (c & 0x3F);
        }
        else {
            push_char(&chars, lower ? (unsigned)apr_tolower(c) : c);
        }
    }
    return chars;
}

/* How many characters have to be put in, taken out or changed. */
static int distance(const chars_t *a, const chars_t *b, apr_pool_t *pool)
{
    int *row = apr_palloc(pool, ((apr_size_t)b->n + 1) * sizeof(*row));

    for (int j = 0; j <= b->n; j++) {
        row[j] = j;
    }
    for (int i = 0; i < a->n; i++) {
        int corner = row[0];

        row[0] = i + 1;
        for (int j = 0; j < b->n; j++) {
            int change = corner + (a->at[i] != b->at[j]);
            int other = 1 + (row[j] < row[j + 1] ? row[j] : row[j + 1]);

            corner = row[j + 1];
            row[j + 1] = change < other ? change : other;
        }
    }
    return row[b->n];
}

/* What sequences are made of: letters, digits, blanks and commas, between
 * hyphens. */
static chars_t bare(const chars_t *chars, apr_pool_t *pool)
{
    chars_t out = {
        apr_palloc(pool, ((apr_size_t)chars->n + 2) * sizeof(*out.at)), 0};

    push_char(&out, '-');
    for (int i = 0; i < chars->n; i++) {
        unsigned c = chars->at[i];

        if (c > 127 || apr_isalnum(c) || apr_isspace(c) || c == ',') {
            push_char(&out, c);
        }
    }
    push_char(&out, '-');
    return out;
}

/* How often a sequence of the one is one of the other. */
static int common(const chars_t *a, const chars_t *b, int size)
{
    apr_size_t len = (apr_size_t)size * sizeof(*a->at);
    int count = 0;

    for (int i = 0; i + size <= a->n; i++) {
        for (int j = 0; j + size <= b->n; j++) {
            count += memcmp(&a->at[i], &b->at[j], len) == 0;
        }
    }
    return count;
}

/* How near a name is. */
typedef struct near_t {
    const char *name; /* NULL: none */
    int right;        /* characters that stay as they are */
    int of;
    double alike; /* of several that are as near: the angle between what they
                     are made of */
} near_t;

static int is_nearer(const near_t *a, const near_t *b)
{
    int left = a->right * b->of;
    int right = b->right * a->of;

    return !b->name || left > right || (left == right && a->alike > b->alike);
}

static void try_name(near_t *best, const char *name, const chars_t *wanted,
                     int size, apr_pool_t *pool)
{
    chars_t chars = chars_of(name, 1, pool);
    chars_t ours = bare(wanted, pool);
    chars_t theirs = bare(&chars, pool);
    near_t near = {.name = name,
                   .of = chars.n > wanted->n ? chars.n : wanted->n};
    int shared = common(&ours, &theirs, size);

    if (shared > 0) {
        near.right = near.of - distance(wanted, &chars, pool);
        near.alike = (double)shared * shared / common(&theirs, &theirs, size);
        if (is_nearer(&near, best)) {
            *best = near;
        }
    }
}

/* May two lengths be those of names that are as alike as that? */
static int may_be_near(int a, int b, int percent)
{
    return (a < b ? a : b) * 100 >= (a < b ? b : a) * percent;
}

const char *dsapi_near_name(const apr_array_header_t *names, const char *wanted,
                            int percent, apr_pool_t *pool)
{
    chars_t chars = chars_of(wanted, 1, pool);
    apr_pool_t *scratch;
    near_t best = {NULL, 0, 1, 0};

    if (strlen(wanted) > DSAPI_NEAR_MAX_BYTES) {
        return NULL;
    }
    apr_pool_create(&scratch, pool);
    for (int size = 3; size >= 2 && !best.name; size--) {
        for (int i = 0; i < names->nelts; i++) {
            const char *name = APR_ARRAY_IDX(names, i, const char *);

            apr_pool_clear(scratch);
            if (may_be_near(chars_of(name, 1, scratch).n, chars.n, percent)) {
                try_name(&best, name, &chars, size, scratch);
            }
        }
        if (best.right * 100 < best.of * percent) {
            best.name = NULL;
        }
    }
    apr_pool_destroy(scratch);
    return best.name;
}

void dsapi_near_columns(const char **pfirst, const char **psecond,
                        const apr_array_header_t *names, const char *wanted,
                        apr_pool_t *pool)
{
    int len = (int)strlen(wanted);
    int nearest = COLUMN_DISTANCE_MAX + 1;
    chars_t chars = chars_of(wanted, 0, pool);
    apr_pool_t *scratch;

    *pfirst = *psecond = NULL;
    apr_pool_create(&scratch, pool);
    for (int i = 0; len <= DSAPI_NEAR_MAX_BYTES && i < names->nelts; i++) {
        const char *name = APR_ARRAY_IDX(names, i, const char *);
        chars_t theirs = chars_of(name, 0, scratch);
        int d = distance(&chars, &theirs, scratch);

        apr_pool_clear(scratch);
        if (d > nearest || d > COLUMN_DISTANCE_MAX || d > len / 2) {
            continue;
        }
        if (d < nearest || !*pfirst) {
            nearest = d;
            *pfirst = name;
            *psecond = NULL;
        }
        else if (*psecond) {
            nearest = d - 1; /* too many: a better one is wanted */
            *pfirst = *psecond = NULL;
        }
        else {
            *psecond = name;
        }
    }
    apr_pool_destroy(scratch);
}
