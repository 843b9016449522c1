/* A series in memory: see columns.h. */
#include "series/columns.h"

#include <apr_hash.h>
#include <apr_strings.h>
#include <locale.h>
#include <math.h>
#include <stdlib.h>

#include "base/args.h"
#include "base/calendar.h"
#include "base/type.h"
#include "json/writer.h"
#include "route/table.h"
#include "series/binary.h"
#include "series/image.h"

/* What a member takes besides its texts, and a column besides its rows: at
 * most, while an image is made as well as in it. */
#define MEMBER_BYTES (sizeof(member_t) + 128)
#define COLUMN_BYTES 128

/* A member in the making. */
typedef struct member_t {
    const char *key; /* the first attribute; NULL: null */
    apr_size_t key_bytes;
    int is_number; /* its key is ordered as one */
    int seen;      /* in the order of coming */
    int day;       /* that its texts are of */
    const char *json;
    apr_size_t json_bytes;
    const char *csv;
    apr_size_t csv_bytes;
    const char *raw; /* all attributes but the first */
    apr_size_t raw_bytes;
} member_t;

/* A dimension in the making. */
typedef struct making_t {
    const dsapi_dimension_t *dimension;
    int *columns; /* of its attributes */
    apr_hash_t *by_key;
    member_t *null_member;
    apr_array_header_t *members; /* of member_t *, as they come */
    dsapi_buf_t *of_rows;        /* of apr_int32_t */
} making_t;

struct dsapi_columns_maker_t {
    const dsapi_series_t *series;
    apr_size_t max_bytes;
    apr_pool_t *pool;
    const unsigned *types;
    int time_column;
    int *measure_columns;
    making_t *dimensions;
    dsapi_buf_t **measures;  /* of double */
    dsapi_buf_t *days;       /* of apr_int32_t */
    apr_size_t member_bytes; /* of all members, with their texts */
    int nrows;
    locale_t locale; /* in which numbers have a '.' */
    dsapi_cell_space_t space;
    dsapi_buf_t *json; /* of one member */
    dsapi_buf_t *csv;
    dsapi_buf_t *raw;
    int binary;           /* cells are in PostgreSQL's binary format */
    dsapi_buf_t *printed; /* one of them, as it is printed */
    int begun;
};

int dsapi_series_dimension(const dsapi_series_t *series, const char *name)
{
    for (int i = 0; i < series->dimensions->nelts; i++) {
        if (strcmp(APR_ARRAY_IDX(series->dimensions, i, dsapi_dimension_t).name,
                   name) == 0) {
            return i;
        }
    }
    return -1;
}

int dsapi_series_measure(const dsapi_series_t *series, const char *name)
{
    for (int i = 0; i < series->measures->nelts; i++) {
        if (strcmp(APR_ARRAY_IDX(series->measures, i, const char *), name) ==
            0) {
            return i;
        }
    }
    return -1;
}

static apr_status_t free_locale_of(void *baton)
{
    dsapi_columns_maker_t *maker = baton;

    freelocale(maker->locale);
    return APR_SUCCESS;
}

dsapi_columns_maker_t *dsapi_series_make(const dsapi_series_t *series,
                                         apr_size_t max_bytes, apr_pool_t *pool)
{
    dsapi_columns_maker_t *maker = apr_pcalloc(pool, sizeof(*maker));
    apr_size_t ndimensions = (apr_size_t)series->dimensions->nelts;
    apr_size_t nmeasures = (apr_size_t)series->measures->nelts;

    maker->series = series;
    maker->max_bytes = max_bytes;
    maker->pool = pool;
    maker->days = dsapi_buf_make(0, pool);
    maker->measures = apr_palloc(pool, nmeasures * sizeof(dsapi_buf_t *));
    maker->measure_columns = apr_palloc(pool, nmeasures * sizeof(int));
    maker->dimensions = apr_pcalloc(pool, ndimensions * sizeof(making_t));
    for (apr_size_t i = 0; i < nmeasures; i++) {
        maker->measures[i] = dsapi_buf_make(0, pool);
    }
    for (apr_size_t i = 0; i < ndimensions; i++) {
        making_t *making = &maker->dimensions[i];

        making->dimension =
            &APR_ARRAY_IDX(series->dimensions, (int)i, dsapi_dimension_t);
        making->columns =
            apr_palloc(pool, (apr_size_t)making->dimension->attributes->nelts *
                                 sizeof(int));
        making->of_rows = dsapi_buf_make(0, pool);
    }
    maker->locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    if (!maker->locale) {
        abort(); /* out of memory, as pools have it */
    }
    apr_pool_cleanup_register(pool, maker, free_locale_of,
                              apr_pool_cleanup_null);
    dsapi_route_cell_space(&maker->space, pool);
    maker->json = dsapi_buf_make(0, pool);
    maker->csv = dsapi_buf_make(0, pool);
    maker->raw = dsapi_buf_make(0, pool);
    maker->printed = dsapi_buf_make(0, pool);
    return maker;
}

/* ---- columns ---- */

static apr_status_t find_column(int *pcolumn, dsapi_err_t **perr,
                                const char *name, const char *const *names,
                                int ncolumns, apr_pool_t *pool)
{
    for (int i = 0; i < ncolumns; i++) {
        if (strcmp(names[i], name) == 0) {
            *pcolumn = i;
            return APR_SUCCESS;
        }
    }
    return dsapi_fail(perr, pool, DSAPI_EINTERNAL, "series-shape",
                      "the series' query gives no column '%s'", name);
}

static int is_number_type(unsigned type)
{
    return type == DSAPI_OID_INT2 || type == DSAPI_OID_INT4 ||
           type == DSAPI_OID_INT8 || type == DSAPI_OID_FLOAT4 ||
           type == DSAPI_OID_FLOAT8 || type == DSAPI_OID_NUMERIC;
}

static apr_status_t find_measures(dsapi_columns_maker_t *maker,
                                  dsapi_err_t **perr, const char *const *names,
                                  int ncolumns)
{
    for (int i = 0; i < maker->series->measures->nelts; i++) {
        const char *name =
            APR_ARRAY_IDX(maker->series->measures, i, const char *);
        int *pcolumn = &maker->measure_columns[i];
        apr_status_t rv =
            find_column(pcolumn, perr, name, names, ncolumns, maker->pool);

        if (rv != APR_SUCCESS) {
            return rv;
        }
        if (!is_number_type(maker->types[*pcolumn])) {
            return dsapi_fail(perr, maker->pool, DSAPI_EINTERNAL,
                              "series-shape",
                              "the series' measure '%s' is no number; cast it "
                              "to double precision",
                              name);
        }
    }
    return APR_SUCCESS;
}

static apr_status_t find_attributes(dsapi_columns_maker_t *maker,
                                    making_t *making, dsapi_err_t **perr,
                                    const char *const *names, int ncolumns)
{
    apr_status_t rv = APR_SUCCESS;

    for (int i = 0;
         i < making->dimension->attributes->nelts && rv == APR_SUCCESS; i++) {
        rv = find_column(
            &making->columns[i], perr,
            APR_ARRAY_IDX(making->dimension->attributes, i, dsapi_arg_t).value,
            names, ncolumns, maker->pool);
    }
    making->by_key = apr_hash_make(maker->pool);
    making->null_member = NULL;
    making->members = apr_array_make(maker->pool, 64, sizeof(member_t *));
    making->of_rows->len_bytes = 0;
    return rv;
}

apr_status_t dsapi_series_begin(dsapi_columns_maker_t *maker,
                                dsapi_err_t **perr, const char *const *names,
                                const unsigned *types, int ncolumns)
{
    apr_status_t rv =
        find_column(&maker->time_column, perr, maker->series->time, names,
                    ncolumns, maker->pool);

    maker->types = types;
    maker->begun = 1;
    maker->nrows = 0;
    maker->member_bytes = 0;
    maker->days->len_bytes = 0;
    if (rv == APR_SUCCESS && types[maker->time_column] != DSAPI_OID_DATE) {
        rv = dsapi_fail(perr, maker->pool, DSAPI_EINTERNAL, "series-shape",
                        "the series' time column '%s' is no date; cast it to "
                        "date",
                        maker->series->time);
    }
    if (rv == APR_SUCCESS) {
        rv = find_measures(maker, perr, names, ncolumns);
    }
    for (int i = 0; i < maker->series->measures->nelts; i++) {
        maker->measures[i]->len_bytes = 0;
    }
    for (int i = 0; i < maker->series->dimensions->nelts && rv == APR_SUCCESS;
         i++) {
        rv = find_attributes(maker, &maker->dimensions[i], perr, names,
                             ncolumns);
    }
    return rv;
}

/* ---- rows ---- */

/* Decimal digits only. @return -1: there is something else */
static int digits_value(const char *text, apr_size_t n)
{
    int value = 0;

    for (apr_size_t i = 0; i < n; i++) {
        if (text[i] < '0' || text[i] > '9') {
            return -1;
        }
        value = value * 10 + (text[i] - '0');
    }
    return value;
}

/* A day as PostgreSQL prints it. @return 0: it is none of the years 1 to
 * 9999 ("infinity", "10000-01-01", "0044-03-15 BC") */
static int read_day(apr_int32_t *pday, const char *text, apr_size_t len)
{
    int year;
    int month;
    int day;

    if (len != 10) {
        return 0;
    }
    year = digits_value(text, 4);
    month = digits_value(text + 5, 2);
    day = digits_value(text + 8, 2);
    if (text[4] != '-' || text[7] != '-' || year < 1 || month < 1 || day < 1) {
        return 0;
    }
    *pday = (apr_int32_t)dsapi_base_day_of(year, month, day);
    return 1;
}

/* What tells a member apart, in the order of its dimension: numbers by value,
 * all else by bytes, null last. */
static int compare_members(const void *a, const void *b)
{
    static const dsapi_type_t number = {DSAPI_TYPE_NUMBER, 0};
    const member_t *one = *(const member_t *const *)a;
    const member_t *other = *(const member_t *const *)b;

    if (!one->key || !other->key) {
        return (one->key == NULL) - (other->key == NULL);
    }
    return one->is_number && other->is_number
               ? dsapi_base_type_compare(number, one->key, other->key)
               : strcmp(one->key, other->key);
}

/* A row that is being added. */
typedef struct given_t {
    dsapi_cell_fn cell;
    const void *baton;
    int row;
} given_t;

/* As it came: printed, or in binary. */
static const char *raw_of(apr_size_t *plen, const given_t *given, int column)
{
    *plen = 0;
    return given->cell(plen, given->baton, given->row, column);
}

/* As it is printed; good until the next one. */
static const char *cell_of(apr_size_t *plen, const dsapi_columns_maker_t *maker,
                           const given_t *given, int column)
{
    const char *cell = raw_of(plen, given, column);

    if (!cell || !maker->binary) {
        return cell;
    }
    maker->printed->len_bytes = 0;
    dsapi_series_binary_text(maker->printed, maker->types[column], cell, *plen);
    *plen = maker->printed->len_bytes;
    return dsapi_buf_str(maker->printed);
}

/* The texts of a row's member. */
static void write_member(dsapi_columns_maker_t *maker, const making_t *making,
                         const given_t *given)
{
    const apr_array_header_t *attributes = making->dimension->attributes;
    dsapi_json_writer_t w;
    int is_object = APR_ARRAY_IDX(attributes, 0, dsapi_arg_t).key != NULL;

    maker->json->len_bytes = 0;
    maker->csv->len_bytes = 0;
    dsapi_json_writer_init(&w, maker->json);
    if (is_object) {
        dsapi_json_begin_object(&w);
    }
    for (int i = 0; i < attributes->nelts; i++) {
        unsigned type = maker->types[making->columns[i]];
        apr_size_t len;
        const char *text = cell_of(&len, maker, given, making->columns[i]);

        if (is_object) {
            dsapi_json_key(&w, APR_ARRAY_IDX(attributes, i, dsapi_arg_t).key);
            dsapi_json_raw(&w, "", 0); /* the value comes behind it */
        }
        dsapi_route_write_value(maker->json, type, text, len);
        if (i > 0) {
            dsapi_buf_putc(maker->csv, ',');
        }
        dsapi_route_put_cell(maker->csv, &maker->space, type, text, len);
    }
    if (is_object) {
        dsapi_json_end_object(&w);
    }
}

/* As they came: what is as it was need not be written again.
 * @return 1: they are those that the member's texts are of */
static int is_as_before(dsapi_columns_maker_t *maker, const making_t *making,
                        member_t *member, const given_t *given)
{
    dsapi_buf_t *raw = maker->raw;

    raw->len_bytes = 0;
    for (int i = 1; i < making->dimension->attributes->nelts; i++) {
        apr_size_t len;
        const char *cell = raw_of(&len, given, making->columns[i]);

        if (!cell) {
            len = (apr_size_t)-1;
        }
        dsapi_buf_put(raw, (const char *)&len, sizeof(len));
        if (cell) {
            dsapi_buf_put(raw, cell, len);
        }
    }
    if (member->json && member->raw_bytes == raw->len_bytes &&
        memcmp(member->raw, raw->data, raw->len_bytes) == 0) {
        return 1;
    }
    maker->member_bytes += raw->len_bytes;
    member->raw = apr_pmemdup(maker->pool, raw->data, raw->len_bytes);
    member->raw_bytes = raw->len_bytes;
    return 0;
}

/* Keep what was written. */
static void keep_texts(dsapi_columns_maker_t *maker, member_t *member)
{
    const dsapi_buf_t *json = maker->json;
    const dsapi_buf_t *csv = maker->csv;

    maker->member_bytes += json->len_bytes + csv->len_bytes;
    member->json = apr_pstrmemdup(maker->pool, json->data, json->len_bytes);
    member->json_bytes = json->len_bytes;
    member->csv = apr_pstrmemdup(maker->pool, csv->data, csv->len_bytes);
    member->csv_bytes = csv->len_bytes;
}

static member_t *find_member(dsapi_columns_maker_t *maker, making_t *making,
                             const given_t *given)
{
    apr_size_t len;
    const char *key = cell_of(&len, maker, given, making->columns[0]);
    member_t *member = key ? apr_hash_get(making->by_key, key, (apr_ssize_t)len)
                           : making->null_member;

    if (member) {
        return member;
    }
    member = apr_pcalloc(maker->pool, sizeof(*member));
    member->key = key ? apr_pstrmemdup(maker->pool, key, len) : NULL;
    member->key_bytes = len;
    /* NaN and the infinities are none */
    member->is_number = is_number_type(maker->types[making->columns[0]]) &&
                        key && len && key[len - 1] >= '0' &&
                        key[len - 1] <= '9';
    member->seen = making->members->nelts;
    member->day = APR_INT32_MIN;
    if (key) {
        apr_hash_set(making->by_key, member->key, (apr_ssize_t)len, member);
    }
    else {
        making->null_member = member;
    }
    APR_ARRAY_PUSH(making->members, member_t *) = member;
    maker->member_bytes += MEMBER_BYTES + len;
    return member;
}

static double read_measure(const dsapi_columns_maker_t *maker,
                           const given_t *given, int column)
{
    apr_size_t len;
    const char *cell = raw_of(&len, given, column);
    double value = NAN;

    if (cell && maker->binary) {
        value = dsapi_series_binary_number(maker->types[column], cell, len,
                                           maker->locale, maker->printed);
    }
    else if (cell && maker->types[column] == DSAPI_OID_FLOAT4) {
        value = strtof_l(cell, NULL, maker->locale); /* as SQL widens it */
    }
    else if (cell) {
        value = strtod_l(cell, NULL, maker->locale);
    }
    return isfinite(value) ? value : NAN;
}

apr_size_t dsapi_series_bytes(const dsapi_columns_maker_t *maker)
{
    apr_size_t ndimensions = (apr_size_t)maker->series->dimensions->nelts;
    apr_size_t nmeasures = (apr_size_t)maker->series->measures->nelts;

    return maker->member_bytes + COLUMN_BYTES * (1 + ndimensions + nmeasures) +
           (apr_size_t)maker->nrows *
               (sizeof(apr_int32_t) * (1 + 2 * ndimensions) +
                sizeof(double) * nmeasures);
}

apr_status_t dsapi_series_add(dsapi_columns_maker_t *maker, dsapi_err_t **perr,
                              dsapi_cell_fn cell, const void *baton, int row)
{
    const given_t given = {cell, baton, row};
    apr_size_t len;
    const char *time = raw_of(&len, &given, maker->time_column);
    apr_int32_t day;

    if (!time || !(maker->binary ? dsapi_series_binary_day(&day, time, len)
                                 : read_day(&day, time, len))) {
        const char *text = cell_of(&len, maker, &given, maker->time_column);

        return dsapi_fail(perr, maker->pool, DSAPI_EINTERNAL, "series-time",
                          "the series' time column '%s' is %s in a row; it "
                          "takes days of the years 1 to 9999",
                          maker->series->time, text ? text : "null");
    }
    maker->nrows++;
    dsapi_buf_put(maker->days, (const char *)&day, sizeof(day));
    for (int i = 0; i < maker->series->measures->nelts; i++) {
        double value = read_measure(maker, &given, maker->measure_columns[i]);

        dsapi_buf_put(maker->measures[i], (const char *)&value, sizeof(value));
    }
    for (int i = 0; i < maker->series->dimensions->nelts; i++) {
        making_t *making = &maker->dimensions[i];
        member_t *member = find_member(maker, making, &given);

        if (day >= member->day) {
            if (!is_as_before(maker, making, member, &given)) {
                write_member(maker, making, &given);
                keep_texts(maker, member);
            }
            member->day = day;
        }
        dsapi_buf_put(making->of_rows, (const char *)&member->seen,
                      sizeof(apr_int32_t));
    }
    if (maker->nrows == APR_INT32_MAX ||
        dsapi_series_bytes(maker) > maker->max_bytes) {
        return dsapi_fail(perr, maker->pool, DSAPI_EINTERNAL, "series-size",
                          "the series is larger than DsapiCacheSize lets it "
                          "be (%" APR_SIZE_T_FMT " bytes)",
                          maker->max_bytes);
    }
    return APR_SUCCESS;
}

apr_status_t dsapi_series_take(dsapi_columns_maker_t *maker, dsapi_err_t **perr,
                               const dsapi_rows_t *rows)
{
    apr_status_t rv = APR_SUCCESS;

    if (!maker->begun) {
        int n = dsapi_rows_columns(rows);
        const char **names =
            apr_palloc(maker->pool, sizeof(*names) * ((apr_size_t)n + 1));
        unsigned *types =
            apr_palloc(maker->pool, sizeof(*types) * ((apr_size_t)n + 1));

        for (int i = 0; i < n; i++) {
            names[i] = dsapi_rows_name(rows, i);
            types[i] = dsapi_rows_type(rows, i);
        }
        maker->binary = dsapi_rows_binary(rows);
        rv = dsapi_series_begin(maker, perr, names, types, n);
        for (int i = 0; rv == APR_SUCCESS && maker->binary && i < n; i++) {
            if (!dsapi_series_binary_type(types[i])) {
                rv = dsapi_fail(perr, maker->pool, DSAPI_EINTERNAL,
                                "series-shape",
                                "the type of the series' column '%s' has "
                                "changed",
                                names[i]);
            }
        }
    }
    for (int i = 0; rv == APR_SUCCESS && i < dsapi_rows_count(rows); i++) {
        rv = dsapi_series_add(maker, perr, dsapi_route_rows_cell, rows, i);
    }
    return rv;
}

/* ---- the image ---- */

static const apr_int32_t *int_column(const dsapi_buf_t *buf)
{
    return (const apr_int32_t *)(const void *)buf->data;
}

/* Room for so many bytes at the next multiple of DSAPI_ALIGNMENT.
 * @return where */
static apr_size_t reserve(dsapi_buf_t *image, apr_size_t bytes)
{
    apr_size_t padding =
        (DSAPI_ALIGNMENT - image->len_bytes % DSAPI_ALIGNMENT) %
        DSAPI_ALIGNMENT;
    apr_size_t at = image->len_bytes + padding;

    dsapi_buf_grow(image, padding + bytes);
    memset(image->data + image->len_bytes, 0, padding + bytes);
    image->len_bytes = at + bytes;
    return at;
}

/* Members in their order. */
typedef struct ranked_t {
    apr_array_header_t *members; /* of member_t * */
    apr_int32_t *ranks;          /* of those in the order of coming */
} ranked_t;

static void sort_members(ranked_t *ranked, const making_t *making,
                         apr_pool_t *pool)
{
    apr_array_header_t *sorted = apr_array_copy(pool, making->members);

    ranked->members = sorted;
    ranked->ranks =
        apr_palloc(pool, ((apr_size_t)sorted->nelts + 1) * sizeof(apr_int32_t));
    qsort(sorted->elts, (size_t)sorted->nelts, sizeof(member_t *),
          compare_members);
    for (int i = 0; i < sorted->nelts; i++) {
        ranked->ranks[APR_ARRAY_IDX(sorted, i, const member_t *)->seen] = i;
    }
}

/* Where a row goes: by day, then by member, then as it came. */
typedef struct place_t {
    apr_uint64_t key;
    int row;
} place_t;

static int compare_places(const void *a, const void *b)
{
    const place_t *one = a;
    const place_t *other = b;

    if (one->key != other->key) {
        return one->key < other->key ? -1 : 1;
    }
    return (one->row > other->row) - (one->row < other->row);
}

/* @param ranks  of the first dimension's members; where there is one */
static const place_t *sort_rows(const dsapi_columns_maker_t *maker,
                                const apr_int32_t *ranks, dsapi_buf_t *space)
{
    const apr_int32_t *days = int_column(maker->days);
    const apr_int32_t *first = maker->series->dimensions->nelts > 0
                                   ? int_column(maker->dimensions[0].of_rows)
                                   : NULL;
    apr_size_t n = (apr_size_t)maker->nrows;
    int sorted = 1;
    place_t *places;

    dsapi_buf_grow(space, n * sizeof(place_t));
    places = (place_t *)(void *)space->data;
    for (apr_size_t i = 0; i < n; i++) {
        /* days are within some millions of 0 */
        places[i].key = (apr_uint64_t)(days[i] + APR_INT32_MAX / 2) << 32 |
                        (apr_uint64_t)(first ? ranks[first[i]] : 0);
        places[i].row = (int)i;
        sorted &= i == 0 || places[i - 1].key <= places[i].key;
    }
    if (!sorted) {
        qsort(places, n, sizeof(place_t), compare_places);
    }
    return places;
}

static apr_size_t put_ints(dsapi_buf_t *image, const apr_int32_t *from,
                           const apr_int32_t *ranks, const place_t *places,
                           int n)
{
    apr_size_t at = reserve(image, (apr_size_t)n * sizeof(apr_int32_t));
    apr_int32_t *to = (apr_int32_t *)(void *)(image->data + at);

    for (int i = 0; i < n; i++) {
        apr_int32_t value = from[places[i].row];

        to[i] = ranks ? ranks[value] : value;
    }
    return at;
}

/* The rows of each of n members; then n, and where they begin.
 * @param at  where in the image the rows' members are */
static void put_rows(dsapi_buf_t *image, apr_size_t at, int n, int nrows)
{
    apr_size_t rows_at =
        reserve(image, (apr_size_t)nrows * sizeof(apr_int32_t));
    apr_size_t starts_at =
        reserve(image, ((apr_size_t)n + 3) * sizeof(apr_int32_t));
    const apr_int32_t *of_rows =
        (const apr_int32_t *)(void *)(image->data + at);
    apr_int32_t *rows = (apr_int32_t *)(void *)(image->data + rows_at);
    apr_int32_t *starts = (apr_int32_t *)(void *)(image->data + starts_at) + 1;

    starts[-1] = n;
    /* counted two places on, they end up one on: at the begin of the next */
    for (int i = 0; i < nrows; i++) {
        starts[of_rows[i] + 2]++;
    }
    for (int i = 2; i < n + 2; i++) {
        starts[i] += starts[i - 1];
    }
    for (int i = 0; i < nrows; i++) {
        rows[starts[of_rows[i] + 1]++] = i;
    }
}

static void put_measure(dsapi_buf_t *image, const dsapi_buf_t *column,
                        const place_t *places, int n)
{
    apr_size_t facts_at = reserve(image, sizeof(dsapi_facts_t));
    apr_size_t at = reserve(image, (apr_size_t)n * sizeof(double));
    double *to = (double *)(void *)(image->data + at);
    const double *from = (const double *)(const void *)column->data;
    dsapi_facts_t facts = {0, 0, 0};

    for (int i = 0; i < n; i++) {
        double value = from[places[i].row];

        to[i] = value;
        if (isnan(value)) {
            facts.has_null = 1;
        }
        else if (value != trunc(value)) {
            facts.largest_absolute = INFINITY;
        }
        else if (fabs(value) > facts.largest_absolute) {
            facts.largest_absolute = fabs(value);
        }
    }
    memcpy(image->data + facts_at, &facts, sizeof(facts));
}

/* Where the texts are, then the texts. */
static void put_members(dsapi_buf_t *image, const apr_array_header_t *members)
{
    apr_size_t count = 2 * (apr_size_t)members->nelts + 1;
    apr_size_t at = reserve(image, count * sizeof(apr_uint64_t));
    apr_uint64_t end = 0;

    for (int i = 0; i < members->nelts; i++) {
        const member_t *member = APR_ARRAY_IDX(members, i, const member_t *);

        memcpy(image->data + at, &end, sizeof(end));
        end += member->json_bytes;
        at += sizeof(end);
        memcpy(image->data + at, &end, sizeof(end));
        end += member->csv_bytes;
        at += sizeof(end);
        dsapi_buf_put(image, member->json, member->json_bytes);
        dsapi_buf_put(image, member->csv, member->csv_bytes);
    }
    memcpy(image->data + at, &end, sizeof(end));
}

const char *dsapi_series_finish(apr_size_t *pbytes,
                                dsapi_columns_maker_t *maker)
{
    const dsapi_series_t *series = maker->series;
    apr_size_t ndimensions = (apr_size_t)series->dimensions->nelts;
    dsapi_image_t header = {maker->nrows, series->dimensions->nelts,
                            series->measures->nelts, 0};
    dsapi_buf_t *image = dsapi_buf_make(dsapi_series_bytes(maker), maker->pool);
    dsapi_buf_t *space = dsapi_buf_make(0, maker->pool);
    ranked_t *ranked =
        apr_palloc(maker->pool, (ndimensions + 1) * sizeof(ranked_t));
    const place_t *places;

    for (apr_size_t i = 0; i < ndimensions; i++) {
        sort_members(&ranked[i], &maker->dimensions[i], maker->pool);
    }
    places = sort_rows(maker, ndimensions ? ranked[0].ranks : NULL, space);
    dsapi_buf_put(image, (const char *)&header, sizeof(header));
    (void)put_ints(image, int_column(maker->days), NULL, places, maker->nrows);
    dsapi_buf_release(maker->days);
    for (int i = 0; i < series->measures->nelts; i++) {
        put_measure(image, maker->measures[i], places, maker->nrows);
        dsapi_buf_release(maker->measures[i]);
    }
    for (apr_size_t i = 0; i < ndimensions; i++) {
        apr_size_t at =
            put_ints(image, int_column(maker->dimensions[i].of_rows),
                     ranked[i].ranks, places, maker->nrows);

        dsapi_buf_release(maker->dimensions[i].of_rows);
        put_rows(image, at, ranked[i].members->nelts, maker->nrows);
        put_members(image, ranked[i].members);
    }
    dsapi_buf_release(space);
    *pbytes = image->len_bytes;
    return image->data;
}
