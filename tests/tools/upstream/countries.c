/*
 * REST Countries v3.1 as the stand-in answers for it, under /v3.1/:
 *
 *   name/{name}   a substring of a common, official or alternative name, case
 *                 ignored; with ?fullText=true equal to a common or official
 *                 one
 *   alpha/{code}  cca2, ccn3, cca3 or cioc, case ignored; 2 or 3 long
 *   alpha?codes=  any of such codes, commas between
 *   all           with at most ten fields
 *
 * and ?fields= on any of them. Nothing found is a 404.
 */
#include <apr_strings.h>
#include <locale.h>
#include <string.h>
#include <wchar.h>
#include <wctype.h>

#include "base/text.h"
#include "data.h"

#define FIELDS_MAX 10

/* In the order of the upstream. */
static const char *const members[] = {
    "name",      "tld",          "cca2",         "ccn3",        "cca3",
    "cioc",      "independent",  "status",       "unMember",    "currencies",
    "idd",       "capital",      "altSpellings", "region",      "subregion",
    "languages", "translations", "latlng",       "landlocked",  "borders",
    "area",      "demonyms",     "flag",         "maps",        "population",
    "gini",      "fifa",         "car",          "timezones",   "continents",
    "flags",     "coatOfArms",   "startOfWeek",  "capitalInfo", "postalCode"};

/* As it is served: what is empty is left out. */
static json_t *served(json_t *country)
{
    json_t *out = json_object();

    for (size_t i = 0; i < sizeof(members) / sizeof(*members); i++) {
        json_t *value = json_object_get(country, members[i]);
        const char *text = json_string_value(value);

        if (!value || json_is_null(value) || (text && !*text) ||
            (json_is_array(value) && json_array_size(value) == 0) ||
            (json_is_object(value) && json_object_size(value) == 0)) {
            continue;
        }
        json_object_set(out, members[i], value);
    }
    return out;
}

json_t *upstream_countries(const char *path)
{
    json_t *countries = json_load_file(path, 0, NULL);
    json_t *out = json_array();
    json_t *country;
    size_t i;

    setlocale(LC_CTYPE, "C.UTF-8");
    if (!json_is_array(countries)) {
        upstream_die("cannot use", path);
    }
    json_array_foreach(countries, i, country)
    {
        json_t *area = json_object_get(country, "area");
        json_t *latlng = json_object_get(country, "latlng");
        json_t *degrees;
        size_t k;

        json_object_set_new(country, "area",
                            json_real(json_number_value(area)));
        json_array_foreach(latlng, k, degrees)
        {
            json_array_set_new(latlng, k,
                               json_real(json_number_value(degrees)));
        }
        json_array_append_new(out, served(country));
    }
    json_decref(countries);
    return out;
}

/* Does a name have (or, whole, equal) another one, whatever the case? */
static int name_has(const json_t *name, const char *wanted, int whole,
                    apr_pool_t *pool)
{
    const char *texts[2] = {json_string_value(name), wanted};
    wchar_t *wide[2];

    for (int i = 0; i < 2; i++) {
        size_t size = strlen(texts[i]) + 1;

        wide[i] = apr_pcalloc(pool, size * sizeof(wchar_t));
        mbstowcs(wide[i], texts[i], size);
        for (wchar_t *p = wide[i]; *p; p++) {
            *p = (wchar_t)towlower((wint_t)*p);
        }
    }
    return whole ? wcscmp(wide[0], wide[1]) == 0
                 : wcsstr(wide[0], wide[1]) != NULL;
}

static int is_named(const json_t *country, const char *wanted, int whole,
                    apr_pool_t *pool)
{
    const json_t *name = json_object_get(country, "name");
    const json_t *other;
    size_t i;

    if (name_has(json_object_get(name, "common"), wanted, whole, pool) ||
        name_has(json_object_get(name, "official"), wanted, whole, pool)) {
        return 1;
    }
    json_array_foreach(json_object_get(country, "altSpellings"), i, other)
    {
        if (!whole && name_has(other, wanted, 0, pool)) {
            return 1;
        }
    }
    return 0;
}

/* Is one of the country's codes among these, which have commas between? */
static int is_coded(const json_t *country, const char *codes, apr_pool_t *pool)
{
    static const char *const kinds[] = {"cca2", "ccn3", "cca3", "cioc"};
    char *rest = apr_pstrdup(pool, codes);
    char *code;

    while ((code = strsep(&rest, ",")) != NULL) {
        for (int i = 0; i < 4; i++) {
            const char *own =
                json_string_value(json_object_get(country, kinds[i]));

            if (own && *code && strcasecmp(own, code) == 0) {
                return 1;
            }
        }
    }
    return 0;
}

static const char *problem(int *pstatus, int status, const char *message,
                           apr_pool_t *pool)
{
    *pstatus = status;
    return apr_psprintf(pool, "{\"message\":\"%s\",\"status\":%d}", message,
                        status);
}

/* @return the value of a parameter; NULL: it is not there */
static const char *argument(const char *query, const char *name,
                            apr_pool_t *pool)
{
    const apr_array_header_t *pairs;

    query += *query == '?';
    pairs = dsapi_base_form_parse(query, strlen(query), pool);
    for (int i = 0; i < pairs->nelts; i++) {
        const dsapi_pair_t *pair = &APR_ARRAY_IDX(pairs, i, dsapi_pair_t);

        if (pair->value && strcmp(pair->name, name) == 0) {
            return pair->value;
        }
    }
    return NULL;
}

/* The country, or of it the members that are asked for. */
static json_t *shown(json_t *country, const char *fields, apr_pool_t *pool)
{
    char *rest = apr_pstrdup(pool, fields);
    json_t *out;
    char *field;

    if (!fields) {
        return json_incref(country);
    }
    out = json_object();
    while ((field = strsep(&rest, ",")) != NULL) {
        json_object_set(out, field, json_object_get(country, field));
    }
    return out;
}

typedef struct wanted_t {
    const char *name;
    const char *codes;
    int whole; /* name is a whole one */
    int bare;  /* the answer is no array */
} wanted_t;

static const char *find(int *pstatus, const json_t *countries,
                        const wanted_t *wanted, const char *fields,
                        apr_pool_t *pool)
{
    json_t *found = json_array();
    const char *text = NULL;
    json_t *country;
    size_t i;

    json_array_foreach(countries, i, country)
    {
        if ((wanted->name &&
             !is_named(country, wanted->name, wanted->whole, pool)) ||
            (wanted->codes && !is_coded(country, wanted->codes, pool))) {
            continue;
        }
        json_array_append_new(found, shown(country, fields, pool));
    }
    if (json_array_size(found) > 0) {
        char *dumped =
            json_dumps(wanted->bare ? json_array_get(found, 0) : found,
                       JSON_COMPACT | JSON_REAL_PRECISION(15));

        text = apr_pstrdup(pool, dumped);
        free(dumped);
    }
    json_decref(found);
    *pstatus = 200;
    return text ? text : problem(pstatus, 404, "Not Found", pool);
}

/* Are these what /alpha takes? */
static int good_codes(const char *codes)
{
    size_t len = codes ? strlen(codes) : 0;

    return len > 1 && (len <= 3 || strchr(codes, ','));
}

const char *upstream_country(int *pstatus, const json_t *countries,
                             const char *path, const char *query,
                             apr_pool_t *pool)
{
    const char *rest = path + strlen("/v3.1/");
    const char *slash = rest + strcspn(rest, "/");
    const char *kind = apr_pstrmemdup(pool, rest, (apr_size_t)(slash - rest));
    const char *fields = argument(query, "fields", pool);
    const char *whole = argument(query, "fullText", pool);
    wanted_t wanted = {NULL, NULL, whole && strcmp(whole, "true") == 0, 0};
    int n = 1;

    rest = *slash && slash[1]
               ? argument(apr_pstrcat(pool, "x=", slash + 1, NULL), "x", pool)
               : NULL;
    if (strcmp(kind, "name") == 0 && rest) {
        wanted.name = rest;
    }
    else if (strcmp(kind, "alpha") == 0) {
        wanted.bare = rest && fields;
        wanted.codes = rest ? rest : argument(query, "codes", pool);
        if (!good_codes(wanted.codes) || (rest && strlen(rest) > 3)) {
            return problem(pstatus, 400, "Bad Request", pool);
        }
    }
    else if (strcmp(kind, "all") == 0 && !rest) {
        for (const char *p = fields; p && *p; p++) {
            n += *p == ',';
        }
        if (!fields || n > FIELDS_MAX) {
            return problem(pstatus, 400,
                           "'fields' query not specified or you're "
                           "requesting more than 10 fields",
                           pool);
        }
    }
    else {
        *pstatus = 404;
        return "{\"status\":404,\"error\":\"Not Found\"}";
    }
    return find(pstatus, countries, &wanted, fields, pool);
}
