/* The time-zone database: see zones.h. */
#include "time/zones.h"

#include <apr_file_info.h>
#include <apr_file_io.h>
#include <apr_strings.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FILE_MAX_BYTES ((apr_off_t)1024 * 1024)
#define NAME_MAX_CHARS 64
#define NEAR_CHARS     2

/* A folder being read. Files are known by their inodes, so that the links of
 * the database share one zone. */
typedef struct walk_t {
    dsapi_zones_t *zones;
    apr_hash_t *by_file; /* file_id_t -> dsapi_zone_t * */
    apr_pool_t *pool;
    apr_pool_t *scratch;
    apr_pool_t *file_pool; /* cleared for each file */
} walk_t;

typedef struct file_id_t {
    apr_ino_t inode;
    apr_dev_t device;
} file_id_t;

static int is_name(const char *s)
{
    return *s && !s[strspn(s, "abcdefghijklmnopqrstuvwxyz"
                              "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_+-")];
}

/* At the top of the folder, and no names of the database. */
static int is_alien(const char *name)
{
    static const char *const aliens[] = {"posix", "right", "localtime",
                                         "posixrules"};

    for (size_t i = 0; i < sizeof(aliens) / sizeof(aliens[0]); i++) {
        if (strcmp(name, aliens[i]) == 0) {
            return 1;
        }
    }
    return 0;
}

static const char *lower_text(const char *text, apr_pool_t *pool)
{
    char *lower = apr_pstrdup(pool, text);

    for (char *p = lower; *p; p++) {
        if (*p >= 'A' && *p <= 'Z') {
            *p = (char)(*p - 'A' + 'a');
        }
    }
    return lower;
}

/* A whole file, with a NUL behind it. */
static apr_status_t read_file(char **pbytes, apr_size_t *plen, const char *path,
                              apr_pool_t *pool)
{
    apr_file_t *file;
    apr_finfo_t info;
    apr_status_t rv =
        apr_file_open(&file, path, APR_FOPEN_READ, APR_FPROT_OS_DEFAULT, pool);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    rv = apr_file_info_get(&info, APR_FINFO_SIZE | APR_FINFO_TYPE, file);
    if (rv == APR_SUCCESS &&
        (info.filetype != APR_REG || info.size > FILE_MAX_BYTES)) {
        rv = APR_EGENERAL;
    }
    if (rv == APR_SUCCESS) {
        *plen = (apr_size_t)info.size;
        *pbytes = apr_pcalloc(pool, *plen + 1);
        rv = apr_file_read_full(file, *pbytes, *plen, NULL);
    }
    apr_file_close(file);
    return rv;
}

/* The zone of a file; NULL: it is no zone file, or (noted) a damaged one. */
static const dsapi_zone_t *read_zone(walk_t *walk, const char *path,
                                     const char *name, const apr_finfo_t *info)
{
    file_id_t *id = apr_pcalloc(walk->scratch, sizeof(*id));
    dsapi_zone_t *zone;
    char *bytes;
    apr_size_t len;

    id->inode = info->inode;
    id->device = info->device;
    zone = apr_hash_get(walk->by_file, id, sizeof(*id));
    if (zone) {
        return zone;
    }
    apr_pool_clear(walk->file_pool);
    if (read_file(&bytes, &len, path, walk->file_pool) != APR_SUCCESS ||
        len < 4 || memcmp(bytes, "TZif", 4) != 0) {
        return NULL;
    }
    if (dsapi_time_zone_parse(&zone, bytes, len, walk->pool) != APR_SUCCESS) {
        APR_ARRAY_PUSH(walk->zones->damaged, const char *) =
            apr_pstrdup(walk->pool, name);
        return NULL;
    }
    apr_hash_set(walk->by_file, id, sizeof(*id), zone);
    return zone;
}

static void add_name(const walk_t *walk, const char *name,
                     const dsapi_zone_t *zone)
{
    dsapi_zone_name_t *entry = apr_palloc(walk->pool, sizeof(*entry));

    entry->name = apr_pstrdup(walk->pool, name);
    entry->lower = lower_text(name, walk->pool);
    entry->zone = zone;
    APR_ARRAY_PUSH(walk->zones->names, dsapi_zone_name_t *) = entry;
    apr_hash_set(walk->zones->by_name, entry->lower, APR_HASH_KEY_STRING,
                 entry);
}

/* Is it a folder, and not a link to one, which might lead in a circle? */
static int is_folder(const char *path, apr_pool_t *scratch)
{
    apr_finfo_t info;

    return apr_stat(&info, path, APR_FINFO_TYPE | APR_FINFO_LINK, scratch) ==
               APR_SUCCESS &&
           info.filetype == APR_DIR;
}

/* Reads a folder; prefix is "" or its part of names, "America/". */
static apr_status_t read_folder(walk_t *walk, const char *prefix)
{
    const char *folder =
        apr_pstrcat(walk->scratch, walk->zones->folder, "/", prefix, NULL);
    apr_finfo_t info;
    apr_dir_t *dir;
    apr_status_t rv = apr_dir_open(&dir, folder, walk->scratch);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    while (apr_dir_read(&info, APR_FINFO_NAME, dir) == APR_SUCCESS) {
        const char *name = apr_pstrcat(walk->scratch, prefix, info.name, NULL);
        const char *path =
            apr_pstrcat(walk->scratch, walk->zones->folder, "/", name, NULL);
        const dsapi_zone_t *zone;

        if (!is_name(info.name) || is_alien(name) ||
            strlen(name) > NAME_MAX_CHARS ||
            apr_stat(&info, path, APR_FINFO_TYPE | APR_FINFO_IDENT,
                     walk->scratch) != APR_SUCCESS) {
            continue;
        }
        if (is_folder(path, walk->scratch)) {
            read_folder(walk, apr_pstrcat(walk->scratch, name, "/", NULL));
        }
        else if (info.filetype == APR_REG) {
            zone = read_zone(walk, path, name, &info);
            if (zone) {
                add_name(walk, name, zone);
            }
        }
    }
    apr_dir_close(dir);
    return APR_SUCCESS;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp((*(dsapi_zone_name_t *const *)a)->name,
                  (*(dsapi_zone_name_t *const *)b)->name);
}

apr_status_t dsapi_time_zones_load(dsapi_zones_t **pzones, const char *folder,
                                   apr_pool_t *pool)
{
    dsapi_zones_t *zones = apr_palloc(pool, sizeof(*zones));
    walk_t walk = {zones, NULL, pool, NULL, NULL};
    apr_status_t rv;

    *pzones = NULL;
    zones->folder = apr_pstrdup(pool, folder);
    zones->names = apr_array_make(pool, 640, sizeof(dsapi_zone_name_t *));
    zones->by_name = apr_hash_make(pool);
    zones->damaged = apr_array_make(pool, 1, sizeof(const char *));
    apr_pool_create(&walk.scratch, pool);
    apr_pool_create(&walk.file_pool, walk.scratch);
    walk.by_file = apr_hash_make(walk.scratch);
    rv = read_folder(&walk, "");
    if (rv == APR_SUCCESS &&
        !dsapi_time_zones_find(zones, "UTC", walk.scratch)) {
        rv = DSAPI_ENOTFOUND;
    }
    apr_pool_destroy(walk.scratch);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    qsort(zones->names->elts, (size_t)zones->names->nelts,
          sizeof(dsapi_zone_name_t *), compare_names);
    *pzones = zones;
    return APR_SUCCESS;
}

const dsapi_zone_name_t *dsapi_time_zones_find(const dsapi_zones_t *zones,
                                               const char *name,
                                               apr_pool_t *scratch_pool)
{
    return apr_hash_get(zones->by_name, lower_text(name, scratch_pool),
                        APR_HASH_KEY_STRING);
}

/* Changes of a letter, put in, taken out or replaced, between two texts of
 * at most NAME_MAX_CHARS. */
static int distance(const char *a, const char *b)
{
    int row[NAME_MAX_CHARS + 1];
    int len = (int)strlen(b);

    for (int j = 0; j <= len; j++) {
        row[j] = j;
    }
    for (int i = 1; a[i - 1]; i++) {
        int corner = row[0]; /* of the row above */

        row[0] = i;
        for (int j = 1; j <= len; j++) {
            int best = corner + (a[i - 1] != b[j - 1]);

            corner = row[j];
            if (row[j] + 1 < best) {
                best = row[j] + 1;
            }
            if (row[j - 1] + 1 < best) {
                best = row[j - 1] + 1;
            }
            row[j] = best;
        }
    }
    return row[len];
}

static const char *last_part(const char *name)
{
    const char *slash = strrchr(name, '/');

    return slash ? slash + 1 : name;
}

const char *dsapi_time_zones_nearest(const dsapi_zones_t *zones,
                                     const char *name, apr_pool_t *scratch_pool)
{
    const char *wanted = lower_text(name, scratch_pool);
    int len = (int)strlen(wanted);
    int best = (len / 2 < NEAR_CHARS ? len / 2 : NEAR_CHARS) + 1;
    const char *nearest = NULL;

    if (len > NAME_MAX_CHARS) {
        return NULL;
    }
    for (int i = 0; i < zones->names->nelts; i++) {
        const dsapi_zone_name_t *known =
            APR_ARRAY_IDX(zones->names, i, const dsapi_zone_name_t *);
        int gap = (int)strlen(known->lower) - len;
        int changes;

        if (strcmp(last_part(known->lower), last_part(wanted)) == 0) {
            return known->name;
        }
        if (gap >= best || -gap >= best) {
            continue;
        }
        changes = distance(wanted, known->lower);
        if (changes < best) {
            best = changes;
            nearest = known->name;
        }
    }
    return nearest;
}

/* The zone of a path into a database: what is behind its folder. */
static const dsapi_zone_name_t *find_path(const dsapi_zones_t *zones,
                                          const char *path,
                                          apr_pool_t *scratch_pool)
{
    static const char usual[] = "zoneinfo/";
    apr_size_t len = strlen(zones->folder);
    const char *at = strstr(path, usual);

    if (strncmp(path, zones->folder, len) == 0 && path[len] == '/') {
        return dsapi_time_zones_find(zones, path + len + 1, scratch_pool);
    }
    return at ? dsapi_time_zones_find(zones, at + strlen(usual), scratch_pool)
              : NULL;
}

/* Is a zone's file the same as these bytes? */
static int has_bytes(const dsapi_zones_t *zones, const dsapi_zone_name_t *zone,
                     const char *bytes, apr_size_t len,
                     apr_pool_t *scratch_pool)
{
    char *have;
    apr_size_t have_len;

    return read_file(
               &have, &have_len,
               apr_pstrcat(scratch_pool, zones->folder, "/", zone->name, NULL),
               scratch_pool) == APR_SUCCESS &&
           have_len == len && memcmp(have, bytes, len) == 0;
}

/* The zone that a file is a copy of: this one if it is (or there is no file),
 * else the first. */
static const dsapi_zone_name_t *find_copy(const dsapi_zones_t *zones,
                                          const char *path,
                                          const dsapi_zone_name_t *likely,
                                          apr_pool_t *scratch_pool)
{
    const dsapi_zone_name_t *found = NULL;
    apr_pool_t *pool;
    char *bytes;
    apr_size_t len;

    if (read_file(&bytes, &len, path, scratch_pool) != APR_SUCCESS ||
        (likely && has_bytes(zones, likely, bytes, len, scratch_pool))) {
        return likely;
    }
    apr_pool_create(&pool, scratch_pool);
    for (int i = 0; i < zones->names->nelts && !found; i++) {
        const dsapi_zone_name_t *zone =
            APR_ARRAY_IDX(zones->names, i, const dsapi_zone_name_t *);

        apr_pool_clear(pool);
        if (has_bytes(zones, zone, bytes, len, pool)) {
            found = zone;
        }
    }
    apr_pool_destroy(pool);
    return found;
}

const dsapi_zone_name_t *dsapi_time_zones_local(const dsapi_zones_t *zones,
                                                const char *tz, const char *etc,
                                                apr_pool_t *scratch_pool)
{
    const char *local = apr_pstrcat(scratch_pool, etc, "/localtime", NULL);
    const char *file = apr_pstrcat(scratch_pool, etc, "/timezone", NULL);
    char target[PATH_MAX];
    ssize_t n;
    char *name = NULL;
    apr_size_t len;

    if (tz && *tz == ':') {
        tz++;
    }
    if (tz && strcmp(tz, local) != 0) {
        return *tz == '/' ? find_path(zones, tz, scratch_pool)
                          : dsapi_time_zones_find(zones, *tz ? tz : "UTC",
                                                  scratch_pool);
    }
    n = readlink(local, target, sizeof(target) - 1);
    if (n > 0) {
        const dsapi_zone_name_t *zone;

        target[n] = '\0';
        zone = find_path(zones, target, scratch_pool);
        if (zone) {
            return zone;
        }
    }
    if (read_file(&name, &len, file, scratch_pool) == APR_SUCCESS) {
        name[strcspn(name, " \t\r\n")] = '\0';
    }
    else if (access(local, F_OK) != 0) {
        name = apr_pstrdup(scratch_pool, "UTC");
    }
    return find_copy(zones, local,
                     name ? dsapi_time_zones_find(zones, name, scratch_pool)
                          : NULL,
                     scratch_pool);
}
