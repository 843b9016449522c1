/* The stand-in's food-security data. */
#include <apr_strings.h>
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "data.h"

void upstream_die(const char *what, const char *which)
{
    fprintf(stderr, "upstream: %s: %s\n", what, which);
    exit(EXIT_FAILURE);
}

int upstream_is_day(const char *s)
{
    struct tm tm = {0};
    int mday;

    if (strspn(s, "0123456789-") != 10 ||
        strptime(s, "%Y-%m-%d", &tm) != s + 10) {
        return 0;
    }
    mday = tm.tm_mday;
    timegm(&tm);
    return tm.tm_mday == mday;
}

text_t upstream_read_whole(const char *path, apr_pool_t *pool)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;
    char *data;

    if (fd < 0 || fstat(fd, &st) != 0) {
        upstream_die("cannot read", path);
    }
    data = apr_pcalloc(pool, (apr_size_t)st.st_size + 1);
    if (read(fd, data, (size_t)st.st_size) != st.st_size) {
        upstream_die("cannot read", path);
    }
    close(fd);
    return (text_t){data, (size_t)st.st_size};
}

/** Find the records of a file, which is an array or has one in an envelope. */
static void index_records(country_t *country, const char *path,
                          apr_pool_t *pool)
{
    static const char begins[] = "{\"country\":";
    text_t file = upstream_read_whole(path, pool);
    const char *end = strrchr(file.p, ']');
    const char *p = strstr(file.p, begins);
    const char *next;

    if (!p || !end) {
        upstream_die("no records", path);
    }
    country->head = (text_t){file.p, (size_t)(p - file.p)};
    country->tail = (text_t){end, strcspn(end, "\r\n")};
    for (; p; p = next) {
        record_t *r = apr_array_push(country->records);
        const char *last;

        next = p;
        do { /* strstr would be slow with a sanitizer */
            next = memchr(next + 1, '{', (size_t)(end - next - 1));
        } while (next && strncmp(next, begins, strlen(begins)) != 0);
        last = next ? next : end;
        while (last[-1] != '}') {
            last--;
        }
        r->text = (text_t){p, (size_t)(last - p)};
        r->day = memmem(p, r->text.len, "\"date\"", 6);
        r->day = r->day ? strpbrk(r->day, "0123456789") : NULL;
        if (!r->day || r->day >= last || !upstream_is_day(r->day)) {
            upstream_die("a record without a date", path);
        }
        if (next) {
            country->separator = (text_t){last, (size_t)(next - last)};
        }
    }
}

apr_hash_t *upstream_regions(apr_pool_t *pool)
{
    apr_hash_t *regions = apr_hash_make(pool);
    glob_t found;

    glob("[A-Z][A-Z][A-Z].json", 0, NULL, &found);
    glob("real/[a-z][a-z][a-z]-region-*.json", GLOB_APPEND, NULL, &found);
    for (size_t i = 0; i < found.gl_pathc; i++) {
        const char *path = apr_pstrdup(pool, found.gl_pathv[i]);
        const char *slash = strchr(path, '/');
        char *iso3 = apr_pstrmemdup(pool, slash ? slash + 1 : path, 3);
        country_t *country;

        for (char *p = iso3; *p; p++) {
            *p = (char)(*p & ~0x20);
        }
        country = apr_hash_get(regions, iso3, 3);
        if (!country) {
            country = apr_pcalloc(pool, sizeof(*country));
            country->records = apr_array_make(pool, 9, sizeof(record_t));
            apr_hash_set(regions, iso3, 3, country);
        }
        index_records(country, path, pool);
    }
    globfree(&found);
    return regions;
}
