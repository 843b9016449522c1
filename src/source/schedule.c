/* Rules and parameters of schedules: see schedule.h. */
#include "source/schedule.h"

#include <apr_cstr.h>
#include <apr_strings.h>
#include <string.h>

#include "base/number.h"
#include "json/writer.h"

/* A field of cron. */
typedef struct field_t {
    const char *name;
    int min;
    int max;
    const char *words; /* three letters each, from min on; NULL: none */
} field_t;

enum {
    MINUTE,
    HOUR,
    DAY,
    MONTH,
    WEEKDAY,
    NFIELDS
};

static const field_t fields[NFIELDS] = {
    {"minute", 0, 59, NULL},
    {"hour", 0, 23, NULL},
    {"day", 1, 31, NULL},
    {"month", 1, 12, "janfebmaraprmayjunjulaugsepoctnovdec"},
    {"weekday", 0, 7, "sunmontuewedthufrisat"},
};

/* What is short for what. */
static const char *const shorts[][2] = {
    {"@hourly", "0 * * * *"}, {"@daily", "0 0 * * *"},
    {"@weekly", "0 0 * * 0"}, {"@monthly", "0 0 1 * *"},
    {"@yearly", "0 0 1 1 *"},
};

/* One number or name of a field; -1: it is none. */
static int field_value(const field_t *field, const char *text)
{
    apr_int64_t value;

    for (int i = 0; field->words && strlen(text) == 3 && field->words[i];
         i += 3) {
        if (apr_cstr_casecmpn(field->words + i, text, 3) == 0) {
            return field->min + i / 3;
        }
    }
    return dsapi_base_parse_int(&value, text, field->min, field->max) ==
                   APR_SUCCESS
               ? (int)value
               : -1;
}

/* One item of a list: "*", "7", "1-5", with a step behind the last two or the
 * first. @return its bits; 0: it is no item */
static apr_uint64_t field_item(const field_t *field, char *item)
{
    char *step = strchr(item, '/');
    char *dash = strchr(item, '-');
    apr_uint64_t bits = 0;
    apr_int64_t by = 1;
    int from = field->min;
    int to = field->max - (field->max == 7); /* 7 is Sunday again */

    if (step) {
        *step++ = '\0';
        if (dsapi_base_parse_int(&by, step, 1, field->max) != APR_SUCCESS ||
            (strcmp(item, "*") != 0 && !dash)) {
            return 0;
        }
    }
    if (dash) {
        *dash++ = '\0';
    }
    if (strcmp(item, "*") != 0 || dash) {
        from = field_value(field, item);
        to = dash ? field_value(field, dash) : from;
        if (dash && to == 0 && field->max == 7) {
            to = 7; /* fri-sun */
        }
    }
    if (from < 0 || to < from) {
        return 0;
    }
    for (int i = from; i <= to; i += (int)by) {
        bits |= APR_UINT64_C(1) << (i == 7 && field->max == 7 ? 0 : i);
    }
    return bits;
}

static apr_status_t parse_field(apr_uint64_t *pbits, dsapi_err_t **perr,
                                const field_t *field, const char *text,
                                apr_pool_t *pool)
{
    const char *rest = text;

    *pbits = 0;
    do {
        apr_size_t len = strcspn(rest, ",");
        apr_uint64_t bits = field_item(field, apr_pstrmemdup(pool, rest, len));

        if (bits == 0) {
            return dsapi_fail(perr, pool, DSAPI_ESYNTAX, "schedule",
                              "the %s '%s' is not *, or a list of %d to %d "
                              "with ranges and steps (1-5,10,*/15)",
                              field->name, text, field->min, field->max);
        }
        *pbits |= bits;
        rest += len;
    } while (*rest++ == ',');
    return APR_SUCCESS;
}

/* Is there a month that has one of these days? */
static int has_a_day(apr_uint64_t days, apr_uint64_t months)
{
    static const int lengths[] = {0,  31, 29, 31, 30, 31, 30,
                                  31, 31, 30, 31, 30, 31};

    for (int month = 1; month <= 12; month++) {
        if ((months >> month & 1) &&
            (days & ((APR_UINT64_C(2) << lengths[month]) - 1))) {
            return 1;
        }
    }
    return 0;
}

static void write_fields(dsapi_json_writer_t *w, const apr_uint64_t *bits)
{
    for (int i = 0; i < NFIELDS; i++) {
        dsapi_json_key(w, fields[i].name);
        dsapi_json_begin_array(w);
        for (int value = 0; value < 60; value++) {
            if (bits[i] >> value & 1) {
                dsapi_json_int(w, value);
            }
        }
        dsapi_json_end_array(w);
    }
}

static apr_status_t cron_rule(const char **pjson, dsapi_err_t **perr,
                              const char *text, apr_pool_t *pool)
{
    apr_uint64_t bits[NFIELDS];
    char *words[NFIELDS + 1];
    char *rest = apr_pstrdup(pool, text);
    dsapi_buf_t *buf = dsapi_buf_make(256, pool);
    dsapi_json_writer_t w;
    char *state;
    int n = 0;

    for (char *word = apr_strtok(rest, " \t", &state); word && n <= NFIELDS;
         word = apr_strtok(NULL, " \t", &state)) {
        words[n++] = word;
    }
    if (n != NFIELDS) {
        return dsapi_fail(perr, pool, DSAPI_ESYNTAX, "schedule",
                          "cron takes five fields: minute hour day month "
                          "weekday, such as \"cron 0 6 * * *\"");
    }
    for (int i = 0; i < NFIELDS; i++) {
        apr_status_t rv =
            parse_field(&bits[i], perr, &fields[i], words[i], pool);

        if (rv != APR_SUCCESS) {
            return rv;
        }
    }
    dsapi_json_writer_init(&w, buf);
    dsapi_json_begin_object(&w);
    write_fields(&w, bits);
    dsapi_json_key(&w, "either");
    dsapi_json_bool(&w, *words[DAY] != '*' && *words[WEEKDAY] != '*');
    dsapi_json_end_object(&w);
    if ((*words[DAY] == '*' || *words[WEEKDAY] == '*') &&
        !has_a_day(bits[DAY], bits[MONTH])) {
        return dsapi_fail(perr, pool, DSAPI_ESYNTAX, "schedule",
                          "no month of '%s' has such a day", text);
    }
    *pjson = dsapi_buf_str(buf);
    return APR_SUCCESS;
}

apr_status_t dsapi_schedule_rule(const char **pjson, dsapi_err_t **perr,
                                 const char *text, apr_pool_t *pool)
{
    apr_interval_time_t every;

    *pjson = NULL;
    *perr = NULL;
    for (size_t i = 0; i < sizeof(shorts) / sizeof(shorts[0]); i++) {
        if (strcmp(text, shorts[i][0]) == 0) {
            return cron_rule(pjson, perr, shorts[i][1], pool);
        }
    }
    if (strncmp(text, "cron ", 5) == 0) {
        return cron_rule(pjson, perr, text + 5, pool);
    }
    if (strncmp(text, "every ", 6) != 0 ||
        dsapi_base_parse_interval(&every, text + 6) != APR_SUCCESS ||
        every < apr_time_from_sec(1)) {
        return dsapi_fail(perr, pool, DSAPI_ESYNTAX, "schedule",
                          "'%s' is not \"every 6h\" (a second at least), "
                          "\"cron 0 6 * * *\", @hourly, @daily, @weekly, "
                          "@monthly or @yearly",
                          text);
    }
    *pjson = apr_psprintf(pool, "{\"every\":%" APR_TIME_T_FMT "}", every);
    return APR_SUCCESS;
}

/* Parameters */

/* Days since 0000-03-01 of a day, and the other way. */
static int days_of(int year, int month, int day)
{
    int y = year - (month <= 2);

    return y * 365 + y / 4 - y / 100 + y / 400 +
           (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
}

static const char *day_of(int days, apr_pool_t *pool)
{
    int year = days / 366;
    int month = 12;

    while (days_of(year + 1, 1, 1) <= days) {
        year++;
    }
    while (days_of(year, month, 1) > days) {
        month--;
    }
    return apr_psprintf(pool, "%04d-%02d-%02d", year, month,
                        days - days_of(year, month, 1) + 1);
}

/* The farthest that a date may be from today. */
#define DAYS_MAX 36525

/* "today", "today-400d": that day; any other text as it is. */
static const char *relative_day(const char *text, const char *today,
                                apr_pool_t *pool)
{
    apr_size_t len = strlen(text);
    apr_int64_t n = 0;

    if (strncmp(text, "today", 5) != 0 || strlen(today) != 10) {
        return text;
    }
    if (len > 5 &&
        ((text[5] != '+' && text[5] != '-') || text[len - 1] != 'd' ||
         dsapi_base_parse_int(&n, apr_pstrmemdup(pool, text + 6, len - 7), 0,
                              DAYS_MAX) != APR_SUCCESS)) {
        return text;
    }
    return day_of(days_of((int)apr_atoi64(today), (int)apr_atoi64(today + 5),
                          (int)apr_atoi64(today + 8)) +
                      (int)(text[5] == '-' ? -n : n),
                  pool);
}

/* One value, from a directive or a row. @return APR_SUCCESS, or the mistake
 * is added to perr */
static apr_status_t take_value(const char **values, dsapi_err_t **perr,
                               const dsapi_schedule_t *schedule,
                               const char *name, const char *text,
                               const char *today, apr_pool_t *pool)
{
    int index = dsapi_route_param_index(schedule->source->params, name);
    const dsapi_param_t *param;
    const char *why;

    if (index < 0) {
        return dsapi_fail_field(perr, pool, "body", name,
                                "is no parameter of the source");
    }
    param =
        APR_ARRAY_IDX(schedule->source->params, index, const dsapi_param_t *);
    if (param->type.kind == DSAPI_TYPE_DATE && !param->type.is_array) {
        text = relative_day(text, today, pool);
    }
    return dsapi_route_param_check(&values[index], &why, param, text, pool) ==
                   APR_SUCCESS
               ? APR_SUCCESS
               : dsapi_fail_field(perr, pool, "body", name, "%s", why);
}

/* The values that the schedule and the row give, none for the others. */
static apr_status_t take_values(const char **values, dsapi_err_t **perr,
                                const dsapi_schedule_t *schedule,
                                const char *today,
                                const dsapi_json_slice_t *row, apr_pool_t *pool)
{
    dsapi_json_iter_t iter = {NULL};
    dsapi_json_slice_t value;
    const char *name;

    *perr = NULL;
    for (int i = 0; i < schedule->args->nelts; i++) {
        const dsapi_arg_t *arg = &APR_ARRAY_IDX(schedule->args, i, dsapi_arg_t);

        take_value(values, perr, schedule, arg->key, arg->value, today, pool);
    }
    while (row && dsapi_json_next_member(&value, &name, &iter, row, pool)) {
        if (value.kind != DSAPI_JSON_NULL) {
            take_value(values, perr, schedule, name,
                       dsapi_json_text(&value, pool), today, pool);
        }
    }
    return *perr ? DSAPI_EPARAM : APR_SUCCESS;
}

apr_status_t dsapi_schedule_params(const char **pjson, dsapi_err_t **perr,
                                   const dsapi_schedule_t *schedule,
                                   const char *today,
                                   const dsapi_json_slice_t *row,
                                   apr_pool_t *pool)
{
    const apr_array_header_t *params = schedule->source->params;
    const char **values =
        apr_pcalloc(pool, sizeof(char *) * ((apr_size_t)params->nelts + 1));
    dsapi_buf_t *buf = dsapi_buf_make(256, pool);
    dsapi_json_writer_t w;
    dsapi_json_slice_t slice;
    apr_status_t rv = take_values(values, perr, schedule, today, row, pool);

    *pjson = NULL;
    if (rv != APR_SUCCESS) {
        return rv;
    }
    dsapi_json_writer_init(&w, buf);
    dsapi_json_begin_object(&w);
    for (int i = 0; i < params->nelts; i++) {
        const dsapi_param_t *param =
            APR_ARRAY_IDX(params, i, const dsapi_param_t *);

        if (values[i]) {
            dsapi_json_key(&w, param->name);
            dsapi_json_raw(&w, "", 0);
            dsapi_route_value_json(buf, param->type, values[i]);
        }
    }
    dsapi_json_end_object(&w);
    rv = dsapi_json_check(&slice, perr, buf->data, buf->len_bytes, pool);
    return rv == APR_SUCCESS ? dsapi_source_params(
                                   pjson, perr, schedule->source, &slice, pool)
                             : rv;
}

apr_status_t dsapi_schedule_check(dsapi_err_t **perr,
                                  const dsapi_schedule_t *schedule,
                                  apr_pool_t *pool)
{
    static const char any_day[] = "2000-01-01";
    const char **values = apr_pcalloc(
        pool,
        sizeof(char *) * ((apr_size_t)schedule->source->params->nelts + 1));
    const char *ignored;

    return schedule->each
               ? take_values(values, perr, schedule, any_day, NULL, pool)
               : dsapi_schedule_params(&ignored, perr, schedule, any_day, NULL,
                                       pool);
}
