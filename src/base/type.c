#include <apr_strings.h>
#include <apr_time.h>
#include <stdlib.h>
#include <string.h>

#include "base/calendar.h"
#include "base/iso3166.h"
#include "base/number.h"
#include "base/text.h"
#include "base/type.h"

#define INT32_LOWEST        (-APR_INT64_C(2147483648))
#define INT32_HIGHEST       APR_INT64_C(2147483647)
#define NUMBER_MAX_CHARS    1000
#define NUMBER_MAX_EXPONENT 1000
#define EXPONENT_CAP        (APR_INT64_C(1) << 50)
#define OFFSET_MAX_HOURS    15
#define TZ_MAX_BYTES        64
#define UUID_CHARS          36

/* One check: where its text goes, and what it has to say. */
typedef struct check_t {
    apr_pool_t *pool;
    const char *why; /* what would be right; set where NULL is returned */
} check_t;

/* Returns the canonical text, in the pool or static or text; NULL: wrong. */
typedef const char *check_fn_t(check_t *check, const char *text);

/* A date and a time of day, at a clock that is offset_min ahead of UTC. */
typedef struct stamp_t {
    int year;
    int month;
    int day;
    int hour;
    int minute;
    int second;
    int micros;
    int offset_min;
} stamp_t;

/*
 * A decimal number: its digits from the first that is not 0 up to end (a '.'
 * may stand among them), and its value 0.ddd times ten to the magnitude.
 * Zero has no digits.
 */
typedef struct decimal_t {
    int sign; /* -1, 0 or 1 */
    const char *digits;
    const char *end;
    apr_int64_t magnitude;
} decimal_t;

static const char iso2_codes[][3] = {DSAPI_ISO3166_ALPHA2};
static const char iso3_codes[][4] = {DSAPI_ISO3166_ALPHA3};

static const char why_stamp[] = "must be a date and time, as "
                                "2024-05-31T12:30:00Z";

/* Characters: not ctype's, which asks the locale. */

static int is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static char to_lower(char c)
{
    if (c >= 'A' && c <= 'Z') {
        return (char)(c - 'A' + 'a');
    }
    return c;
}

static char to_upper(char c)
{
    if (c >= 'a' && c <= 'z') {
        return (char)(c - 'a' + 'A');
    }
    return c;
}

static int is_alnum(char c)
{
    return is_digit(c) || (to_lower(c) >= 'a' && to_lower(c) <= 'z');
}

static const char *skip_digits(const char *s)
{
    while (is_digit(*s)) {
        s++;
    }
    return s;
}

static const char *lower_text(const char *text, apr_pool_t *pool)
{
    char *lower = apr_pstrdup(pool, text);

    for (char *p = lower; *p; p++) {
        *p = to_lower(*p);
    }
    return lower;
}

static const char *wrong(check_t *check, const char *why)
{
    check->why = why;
    return NULL;
}

/* Text and numbers */

static const char *check_text(check_t *check, const char *text)
{
    if (!dsapi_base_utf8_valid(text, strlen(text))) {
        return wrong(check, "must be UTF-8");
    }
    return text;
}

static const char *check_json(check_t *check, const char *text)
{
    (void)check;
    return text;
}

static const char *check_int(check_t *check, const char *text)
{
    apr_int64_t value;

    if (dsapi_base_parse_int(&value, text, INT32_LOWEST, INT32_HIGHEST) !=
        APR_SUCCESS) {
        return wrong(check, "must be a whole number from -2147483648 to "
                            "2147483647");
    }
    return apr_psprintf(check->pool, "%" APR_INT64_T_FMT, value);
}

static const char *check_bigint(check_t *check, const char *text)
{
    apr_int64_t value;

    if (dsapi_base_parse_int(&value, text, APR_INT64_MIN, APR_INT64_MAX) !=
        APR_SUCCESS) {
        return wrong(check, "must be a whole number from "
                            "-9223372036854775808 to 9223372036854775807");
    }
    return apr_psprintf(check->pool, "%" APR_INT64_T_FMT, value);
}

/*
 * JSON's number grammar. Returns the exponent's digits, the end of the text
 * if there is no exponent; NULL: not a number.
 */
static const char *scan_number(const char *text)
{
    const char *start = text + (*text == '-');
    const char *p = skip_digits(start);

    if (p == start || (*start == '0' && p - start > 1)) {
        return NULL;
    }
    if (*p == '.') {
        start = p + 1;
        p = skip_digits(start);
        if (p == start) {
            return NULL;
        }
    }
    if (*p == 'e' || *p == 'E') {
        start = p + 1 + (p[1] == '-' || p[1] == '+');
        p = skip_digits(start);
        return p > start && !*p ? start : NULL;
    }
    return *p ? NULL : p;
}

static const char *check_number(check_t *check, const char *text)
{
    const char *exponent = scan_number(text);
    apr_int64_t value;

    if (!exponent) {
        return wrong(check, "must be a number, as -12.5 or 1e3");
    }
    if (strlen(text) > NUMBER_MAX_CHARS) {
        return wrong(check, "must be a number of at most 1000 characters");
    }
    if (*exponent && dsapi_base_parse_int(&value, exponent, 0,
                                          NUMBER_MAX_EXPONENT) != APR_SUCCESS) {
        return wrong(check, "must be a number with an exponent from -1000 to "
                            "1000");
    }
    return text;
}

static const char *check_bool(check_t *check, const char *text)
{
    if (strcmp(text, "true") == 0 || strcmp(text, "1") == 0) {
        return "true";
    }
    if (strcmp(text, "false") == 0 || strcmp(text, "0") == 0) {
        return "false";
    }
    return wrong(check, "must be true or false");
}

/* Dates and times */

/* Read n digits. Returns what is behind them; NULL: not so many, or s is. */
static const char *take_number(int *pvalue, const char *s, int n)
{
    int value = 0;

    for (int i = 0; s && i < n; i++) {
        if (!is_digit(*s)) {
            return NULL;
        }
        value = value * 10 + (*s++ - '0');
    }
    *pvalue = value;
    return s;
}

static const char *take_char(const char *s, char c)
{
    return s && *s == c ? s + 1 : NULL;
}

static const char *take_date(stamp_t *stamp, const char *s)
{
    s = take_char(take_number(&stamp->year, s, 4), '-');
    s = take_char(take_number(&stamp->month, s, 2), '-');
    return take_number(&stamp->day, s, 2);
}

static const char *take_clock(stamp_t *stamp, const char *s)
{
    s = take_char(take_number(&stamp->hour, s, 2), ':');
    s = take_char(take_number(&stamp->minute, s, 2), ':');
    return take_number(&stamp->second, s, 2);
}

/* 1 to 9 digits, cut to microseconds. Returns what is behind; NULL: wrong. */
static const char *take_fraction(int *pmicros, const char *s)
{
    const char *end = skip_digits(s);
    int micros = 0;

    if (end == s || end - s > 9) {
        return NULL;
    }
    for (int i = 0; i < 6; i++) {
        micros = micros * 10 + (s < end ? *s++ - '0' : 0);
    }
    *pmicros = micros;
    return end;
}

/* What is left of a timestamp. Returns what would be right; NULL: it is. A
 * blank is the '+' of a URL, which a form's rules make one. */
static const char *take_offset(stamp_t *stamp, const char *s)
{
    int negative = *s == '-';
    int hours = 0;
    int minutes = 0;

    if (!*s || strcmp(s, "Z") == 0 || strcmp(s, "z") == 0) {
        return NULL;
    }
    if (*s != '+' && *s != '-' && !(*s == ' ' && is_digit(s[1]))) {
        return why_stamp;
    }
    s = take_char(take_number(&hours, s + 1, 2), ':');
    s = take_number(&minutes, s, 2);
    if (!s || *s) {
        return why_stamp;
    }
    if (hours > OFFSET_MAX_HOURS || minutes > 59) {
        return "must have an offset from -15:59 to +15:59";
    }
    stamp->offset_min = (hours * 60 + minutes) * (negative ? -1 : 1);
    return NULL;
}

static int day_exists(const stamp_t *stamp)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int year = stamp->year;
    int leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);

    return year >= 1 && stamp->month >= 1 && stamp->month <= 12 &&
           stamp->day >= 1 &&
           stamp->day <= days[stamp->month - 1] + (leap && stamp->month == 2);
}

/* Read a timestamp. Returns what would be right; NULL: it is. */
static const char *take_stamp(stamp_t *stamp, const char *text)
{
    const char *s;

    memset(stamp, 0, sizeof(*stamp));
    s = take_date(stamp, text);
    if (!s || (*s != 'T' && *s != 't' && *s != ' ')) {
        return why_stamp;
    }
    s = take_clock(stamp, s + 1);
    if (!s) {
        return why_stamp;
    }
    if (!day_exists(stamp)) {
        return "must be a date and time on a day that exists";
    }
    if (stamp->second == 60) {
        return "must not be a leap second: seconds are 00 to 59";
    }
    if (stamp->hour > 23 || stamp->minute > 59 || stamp->second > 59) {
        return "must have a time of day from 00:00:00 to 23:59:59";
    }
    if (*s == '.') {
        s = take_fraction(&stamp->micros, s + 1);
        if (!s) {
            return "must have 1 to 9 digits in its fraction of a second";
        }
    }
    return take_offset(stamp, s);
}

/* Microseconds since 1970-01-01T00:00:00Z. */
static apr_time_t stamp_instant(const stamp_t *stamp)
{
    apr_int64_t hours =
        dsapi_base_day_of(stamp->year, stamp->month, stamp->day) * 24 +
        stamp->hour;
    apr_int64_t minutes = hours * 60 + stamp->minute - stamp->offset_min;

    return (minutes * 60 + stamp->second) * APR_USEC_PER_SEC + stamp->micros;
}

static const char *check_date(check_t *check, const char *text)
{
    stamp_t stamp;
    const char *s = take_date(&stamp, text);

    if (!s || *s) {
        return wrong(check, "must be a day, as YYYY-MM-DD");
    }
    if (!day_exists(&stamp)) {
        return wrong(check, "must be a day that exists, as YYYY-MM-DD");
    }
    return text;
}

static const char *check_timestamp(check_t *check, const char *text)
{
    stamp_t stamp;
    const char *why = take_stamp(&stamp, text);
    const char *fraction = "";

    if (why) {
        return wrong(check, why);
    }
    if (stamp.micros) {
        fraction = apr_psprintf(check->pool, ".%06d", stamp.micros);
    }
    return apr_psprintf(
        check->pool, "%04d-%02d-%02dT%02d:%02d:%02d%s%c%02d:%02d", stamp.year,
        stamp.month, stamp.day, stamp.hour, stamp.minute, stamp.second,
        fraction, stamp.offset_min < 0 ? '-' : '+', abs(stamp.offset_min) / 60,
        abs(stamp.offset_min) % 60);
}

/* Names */

static const char *check_uuid(check_t *check, const char *text)
{
    int ok = strlen(text) == UUID_CHARS;

    for (int i = 0; ok && i < UUID_CHARS; i++) {
        if (i == 8 || i == 13 || i == 18 || i == 23) {
            ok = text[i] == '-';
        }
        else {
            ok = is_alnum(text[i]) && to_lower(text[i]) <= 'f';
        }
    }
    if (!ok) {
        return wrong(check, "must be a UUID, as "
                            "f81d4fae-7dec-11d0-a765-00a0c91e6bf6");
    }
    return lower_text(text, check->pool);
}

static int compare_codes(const void *a, const void *b)
{
    return strcmp(a, b);
}

/* Returns the code as its table has it; NULL: there is none. */
static const char *find_code(const char *text, const char *codes,
                             apr_size_t size, apr_size_t row_bytes)
{
    char upper[sizeof(iso3_codes[0])];

    if (strlen(text) + 1 != row_bytes) {
        return NULL;
    }
    for (apr_size_t i = 0; i < row_bytes; i++) {
        upper[i] = to_upper(text[i]);
    }
    return bsearch(upper, codes, size / row_bytes, row_bytes, compare_codes);
}

static const char *check_iso2(check_t *check, const char *text)
{
    const char *code = find_code(text, iso2_codes[0], sizeof(iso2_codes),
                                 sizeof(iso2_codes[0]));

    return code ? code
                : wrong(check, "must be an ISO 3166-1 alpha-2 country code");
}

static const char *check_iso3(check_t *check, const char *text)
{
    const char *code = find_code(text, iso3_codes[0], sizeof(iso3_codes),
                                 sizeof(iso3_codes[0]));

    return code ? code
                : wrong(check, "must be an ISO 3166-1 alpha-3 country code");
}

static const char *check_slug(check_t *check, const char *text)
{
    char before = '-';

    for (const char *p = text; *p; p++) {
        if (!is_alnum(*p) && (*p != '-' || before == '-')) {
            before = '-';
            break;
        }
        before = *p;
    }
    if (before == '-') {
        return wrong(check, "must be letters a-z and digits, with single '-' "
                            "between them");
    }
    return lower_text(text, check->pool);
}

/* A blank is the '+' of a URL, as in a timestamp's offset. */
static const char *check_tz(check_t *check, const char *text)
{
    char *name = apr_pstrdup(check->pool, text);
    char before = '/';

    for (char *p = name; *p; p++) {
        if (*p == ' ' && is_digit(p[1])) {
            *p = '+';
        }
    }
    for (const char *p = name; *p; p++) {
        int in_name = is_alnum(*p) || *p == '_' || *p == '+' || *p == '-';

        if (!in_name && (*p != '/' || before == '/')) {
            before = '/';
            break;
        }
        before = *p;
    }
    if (before == '/' || strlen(name) > TZ_MAX_BYTES) {
        return wrong(check, "must be a time zone's name, as Europe/Madrid");
    }
    return name;
}

/* In the order of dsapi_type_e; the OIDs are pg_type.dat's. */
static const struct {
    const char *name;
    unsigned oid;
    unsigned array_oid;
    check_fn_t *check;
} types[] = {
    {"text", 25, 1009, check_text},
    {"int", 23, 1007, check_int},
    {"bigint", 20, 1016, check_bigint},
    {"number", 1700, 1231, check_number},
    {"bool", 16, 1000, check_bool},
    {"date", 1082, 1182, check_date},
    {"timestamp", 1184, 1185, check_timestamp},
    {"uuid", 2950, 2951, check_uuid},
    {"iso2", 25, 1009, check_iso2},
    {"iso3", 25, 1009, check_iso3},
    {"slug", 25, 1009, check_slug},
    {"tz", 25, 1009, check_tz},
    {"json", 114, 199, check_json},
};

#define NTYPES (sizeof(types) / sizeof(types[0]))

_Static_assert(sizeof(types) / sizeof(types[0]) == DSAPI_TYPE_JSON + 1, "every "
                                                                        "type "
                                                                        "has a "
                                                                        "row");

apr_status_t dsapi_base_type_parse(dsapi_type_t *ptype, const char *word)
{
    for (apr_size_t i = 0; i < NTYPES; i++) {
        apr_size_t len = strlen(types[i].name);

        if (strncmp(word, types[i].name, len) == 0 &&
            (!word[len] || strcmp(word + len, "[]") == 0)) {
            ptype->kind = (dsapi_type_e)i;
            ptype->is_array = word[len] != '\0';
            return APR_SUCCESS;
        }
    }
    return DSAPI_ESYNTAX;
}

const char *dsapi_base_type_name(dsapi_type_t type, apr_pool_t *pool)
{
    const char *name = types[type.kind].name;

    return type.is_array ? apr_pstrcat(pool, name, "[]", NULL) : name;
}

const char *dsapi_base_type_names(void)
{
    return "text int bigint number bool date timestamp uuid iso2 iso3 slug tz "
           "json";
}

unsigned dsapi_base_type_oid(dsapi_type_t type)
{
    return type.is_array ? types[type.kind].array_oid : types[type.kind].oid;
}

apr_status_t dsapi_base_type_check(const char **pvalue, const char **pwhy,
                                   dsapi_type_t type, const char *text,
                                   apr_pool_t *pool)
{
    check_t check = {pool, NULL};

    *pvalue = types[type.kind].check(&check, text);
    *pwhy = check.why;
    return *pvalue ? APR_SUCCESS : DSAPI_EPARAM;
}

/* Exponents beyond the cap, which no check lets in, stay there. */
static apr_int64_t read_exponent(const char *s)
{
    int negative = *s == '-';
    apr_int64_t value = 0;

    for (s += *s == '-' || *s == '+'; is_digit(*s); s++) {
        if (value < EXPONENT_CAP) {
            value = value * 10 + (*s - '0');
        }
    }
    return negative ? -value : value;
}

static decimal_t read_decimal(const char *s)
{
    decimal_t number = {*s == '-' ? -1 : 1, NULL, NULL, 0};
    const char *p = s + (*s == '-');
    int in_fraction = 0;

    for (; is_digit(*p) || *p == '.'; p++) {
        if (*p == '.') {
            in_fraction = 1;
            continue;
        }
        if (!number.digits && *p != '0') {
            number.digits = p;
        }
        if (!in_fraction && number.digits) {
            number.magnitude++;
        }
        else if (in_fraction && !number.digits) {
            number.magnitude--;
        }
    }
    number.end = p;
    if (!number.digits) {
        number.sign = 0;
    }
    if (*p == 'e' || *p == 'E') {
        number.magnitude += read_exponent(p + 1);
    }
    return number;
}

/* The next digit of a decimal; behind its last one, zeros for ever. */
static char next_digit(decimal_t *number)
{
    if (number->digits < number->end && *number->digits == '.') {
        number->digits++;
    }
    if (number->digits < number->end) {
        return *number->digits++;
    }
    return '0';
}

static int compare_numbers(const char *a, const char *b)
{
    decimal_t x = read_decimal(a);
    decimal_t y = read_decimal(b);

    if (x.sign != y.sign || x.sign == 0) {
        return x.sign - y.sign;
    }
    if (x.magnitude != y.magnitude) {
        return x.magnitude < y.magnitude ? -x.sign : x.sign;
    }
    while (x.digits < x.end || y.digits < y.end) {
        int difference = next_digit(&x) - next_digit(&y);

        if (difference) {
            return difference * x.sign;
        }
    }
    return 0;
}

static int compare_timestamps(const char *a, const char *b)
{
    stamp_t x;
    stamp_t y;
    apr_int64_t difference;

    if (take_stamp(&x, a) || take_stamp(&y, b)) {
        return strcmp(a, b); /* not canonical: an order all the same */
    }
    difference = stamp_instant(&x) - stamp_instant(&y);
    return (difference > 0) - (difference < 0);
}

int dsapi_base_type_compare(dsapi_type_t type, const char *a, const char *b)
{
    if (type.kind == DSAPI_TYPE_INT || type.kind == DSAPI_TYPE_BIGINT ||
        type.kind == DSAPI_TYPE_NUMBER) {
        return compare_numbers(a, b);
    }
    if (type.kind == DSAPI_TYPE_TIMESTAMP) {
        return compare_timestamps(a, b);
    }
    return strcmp(a, b);
}

apr_status_t dsapi_base_type_instant(apr_time_t *pinstant, const char *text)
{
    stamp_t stamp;

    if (take_stamp(&stamp, text)) {
        return DSAPI_EPARAM;
    }
    *pinstant = stamp_instant(&stamp);
    return APR_SUCCESS;
}

/* Write one item, quoted. Returns the end of what it wrote. */
static char *put_item(char *out, const char *item)
{
    *out++ = '"';
    for (; *item; item++) {
        if (*item == '"' || *item == '\\') {
            *out++ = '\\';
        }
        *out++ = *item;
    }
    *out++ = '"';
    return out;
}

const char *dsapi_base_array_literal(const apr_array_header_t *items,
                                     apr_pool_t *pool)
{
    apr_size_t size = sizeof("{}");
    char *literal;
    char *out;

    for (int i = 0; i < items->nelts; i++) {
        const char *item = APR_ARRAY_IDX(items, i, const char *);

        size += item ? 2 * strlen(item) + sizeof("\"\",") : sizeof("NULL,");
    }
    literal = apr_palloc(pool, size);
    out = literal;
    *out++ = '{';
    for (int i = 0; i < items->nelts; i++) {
        const char *item = APR_ARRAY_IDX(items, i, const char *);

        if (i > 0) {
            *out++ = ',';
        }
        if (item) {
            out = put_item(out, item);
        }
        else {
            memcpy(out, "NULL", 4);
            out += 4;
        }
    }
    *out++ = '}';
    *out = '\0';
    return literal;
}
