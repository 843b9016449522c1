/* From rows to JSON: see result.h. */
#include "route/result.h"

#include <apr_strings.h>
#include <apr_tables.h>
#include <stdlib.h>
#include <string.h>

#include "json/value.h"
#include "json/writer.h"

/* How a value's text becomes JSON. */
typedef enum kind_e {
    KIND_STRING,
    KIND_NUMBER, /* NaN and infinities are strings */
    KIND_RAW,
    KIND_BOOL,
    KIND_TIMESTAMP, /* the blank becomes a T, +01 becomes +01:00 */
    KIND_NUMBERS,   /* int2vector: "1 2 3" */
    KIND_STRINGS    /* oidvector */
} kind_e;

/* How a column's values are written. */
typedef struct form_t {
    kind_e kind;
    char delimiter; /* of an array's items; '\0': it is no array */
} form_t;

typedef struct type_row_t {
    unsigned oid;
    unsigned array_oid;
    kind_e kind;
} type_row_t;

/* pg_type.dat. What is missing here is a string, and so are the items of its
 * arrays. */
static const type_row_t types[] = {
    {DSAPI_OID_BOOL, 1000, KIND_BOOL},
    {DSAPI_OID_BYTEA, 1001, KIND_STRING},
    {DSAPI_OID_INT8, 1016, KIND_NUMBER},
    {DSAPI_OID_INT2, 1005, KIND_NUMBER},
    {22, 1006, KIND_NUMBERS},
    {DSAPI_OID_INT4, 1007, KIND_NUMBER},
    {DSAPI_OID_TEXT, 1009, KIND_STRING},
    {30, 1013, KIND_STRINGS},
    {DSAPI_OID_JSON, 199, KIND_RAW},
    {DSAPI_OID_FLOAT4, 1021, KIND_NUMBER},
    {DSAPI_OID_FLOAT8, 1022, KIND_NUMBER},
    {DSAPI_OID_TIMESTAMP, 1115, KIND_TIMESTAMP},
    {DSAPI_OID_TIMESTAMPTZ, 1185, KIND_TIMESTAMP},
    {DSAPI_OID_NUMERIC, 1231, KIND_NUMBER},
    {DSAPI_OID_JSONB, 3807, KIND_RAW},
    {DSAPI_OID_MADE, DSAPI_OID_MADE, KIND_RAW},
};

/* The one array type whose items are separated by ';'. */
#define OID_BOX_ARRAY 1020

/* Arrays of the other built-in types that are neither rows nor domains. */
static const unsigned string_arrays[] = {
    143,  271,  629,  651,  719,  775,  791,  1002, 1003, 1008, 1010,
    1011, 1012, 1014, 1015, 1017, 1018, 1019, 1020, 1027, 1028, 1034,
    1040, 1041, 1182, 1183, 1187, 1263, 1270, 1561, 1563, 2201, 2207,
    2208, 2209, 2210, 2211, 2949, 2951, 3221, 3643, 3644, 3645, 3735,
    3770, 3905, 3907, 3909, 3911, 3913, 3927, 4073, 4090, 4097, 4192,
    5039, 6150, 6151, 6152, 6153, 6155, 6157};

/* The other built-in types whose to_json is a string of their text. */
static const unsigned strings[] = {
    18,   19,   24,   25,   26,   27,   28,   29,   142,  194,  600,  601,
    602,  603,  604,  628,  650,  705,  718,  774,  790,  829,  869,  1033,
    1042, 1043, 1082, 1083, 1186, 1266, 1560, 1562, 1790, 2202, 2203, 2204,
    2205, 2206, 2275, 2278, 2950, 2970, 3220, 3361, 3402, 3614, 3615, 3642,
    3734, 3769, 3904, 3906, 3908, 3910, 3912, 3926, 4072, 4089, 4096, 4191,
    4451, 4532, 4533, 4534, 4535, 4536, 4600, 4601, 5017, 5038, 5069};

struct dsapi_plan_t {
    int nvalues;
    int *columns;           /* in the order of writing */
    form_t *forms;          /* theirs */
    const char **literals;  /* nvalues + 1: before each value, and behind */
    apr_size_t *lens_bytes; /* of the literals */
    int stripped;           /* flat, and members that are null are left out */
};

/* A name of the shape: a value, or an object of names. */
typedef struct node_t {
    const char *name;
    int column;                   /* -1: an object */
    apr_array_header_t *children; /* of node_t * */
} node_t;

/* @return 1: it is neither a string nor an array of strings */
static int find_type(form_t *pform, unsigned oid)
{
    for (apr_size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        if (types[i].oid == oid || types[i].array_oid == oid) {
            pform->kind = types[i].kind;
            pform->delimiter = types[i].oid == oid ? '\0' : ',';
            return 1;
        }
    }
    return 0;
}

static int is_one_of(const unsigned *oids, apr_size_t n, unsigned oid)
{
    for (apr_size_t i = 0; i < n; i++) {
        if (oids[i] == oid) {
            return 1;
        }
    }
    return 0;
}

static int is_string_array(unsigned oid)
{
    return is_one_of(string_arrays, sizeof(string_arrays) / sizeof(unsigned),
                     oid);
}

static form_t form_of(unsigned oid)
{
    form_t form = {KIND_STRING, '\0'};

    if (!find_type(&form, oid) && is_string_array(oid)) {
        form.delimiter = oid == OID_BOX_ARRAY ? ';' : ',';
    }
    return form;
}

int dsapi_route_as_json(const char *name, unsigned type)
{
    form_t form;

    return *name != '@' && !find_type(&form, type) && !is_string_array(type) &&
           !is_one_of(strings, sizeof(strings) / sizeof(unsigned), type);
}

/* "2020-01-01 10:00:00+01 BC" as to_json writes it. */
static void write_timestamp(dsapi_buf_t *buf, const char *text, apr_size_t len)
{
    const char *end = text + len;
    const char *date_end = memchr(text, ' ', len);
    const char *clock = date_end ? date_end + 1 : end;
    const char *clock_end = memchr(clock, ' ', (apr_size_t)(end - clock));

    if (!date_end) { /* "infinity", "-infinity" */
        dsapi_json_put_string(buf, text, len);
        return;
    }
    if (!clock_end) {
        clock_end = end;
    }
    dsapi_buf_putc(buf, '"');
    dsapi_buf_put(buf, text, (apr_size_t)(date_end - text));
    dsapi_buf_putc(buf, 'T');
    dsapi_buf_put(buf, clock, (apr_size_t)(clock_end - clock));
    if (clock_end - clock > 3 &&
        (clock_end[-3] == '+' || clock_end[-3] == '-')) {
        dsapi_buf_put(buf, ":00", 3);
    }
    dsapi_buf_put(buf, clock_end, (apr_size_t)(end - clock_end));
    dsapi_buf_putc(buf, '"');
}

static void write_number(dsapi_buf_t *buf, const char *text, apr_size_t len)
{
    /* NaN, Infinity, -Infinity */
    if (len > 0 && (text[len - 1] == 'N' || text[len - 1] == 'y')) {
        dsapi_json_put_string(buf, text, len);
    }
    else {
        dsapi_buf_put(buf, text, len);
    }
}

static void write_scalar(dsapi_buf_t *buf, kind_e kind, const char *text,
                         apr_size_t len);

/* int2vector and oidvector: items with blanks between. */
static void write_vector(dsapi_buf_t *buf, kind_e kind, const char *text,
                         apr_size_t len)
{
    const char *end = text + len;
    const char *p = text;

    dsapi_buf_putc(buf, '[');
    while (p < end) {
        const char *blank = memchr(p, ' ', (apr_size_t)(end - p));
        const char *item_end = blank ? blank : end;

        write_scalar(buf, kind == KIND_NUMBERS ? KIND_NUMBER : KIND_STRING, p,
                     (apr_size_t)(item_end - p));
        if (blank) {
            dsapi_buf_putc(buf, ',');
        }
        p = blank ? blank + 1 : end;
    }
    dsapi_buf_putc(buf, ']');
}

/* What is no array, or an array's item. */
static void write_scalar(dsapi_buf_t *buf, kind_e kind, const char *text,
                         apr_size_t len)
{
    switch (kind) {
    case KIND_NUMBER:
        write_number(buf, text, len);
        break;
    case KIND_RAW:
        dsapi_buf_put(buf, text, len);
        break;
    case KIND_BOOL:
        if (len > 0 && *text == 't') {
            dsapi_buf_put(buf, "true", 4);
        }
        else {
            dsapi_buf_put(buf, "false", 5);
        }
        break;
    case KIND_TIMESTAMP:
        write_timestamp(buf, text, len);
        break;
    case KIND_NUMBERS:
    case KIND_STRINGS:
        write_vector(buf, kind, text, len);
        break;
    case KIND_STRING:
        dsapi_json_put_string(buf, text, len);
        break;
    }
}

/* A quoted item of an array's text; returns what follows it. It is unescaped
 * into scratch, which is as long as the text. */
static const char *write_quoted(dsapi_buf_t *buf, kind_e kind, const char *p,
                                const char *end, char *scratch)
{
    apr_size_t len = 0;

    for (p++; p < end && *p != '"'; p++) {
        if (*p == '\\' && p + 1 < end) {
            p++;
        }
        scratch[len++] = *p;
    }
    write_scalar(buf, kind, scratch, len);
    return p < end ? p + 1 : end;
}

/* An item without quotes. */
static const char *write_bare(dsapi_buf_t *buf, form_t form, const char *p,
                              const char *end)
{
    const char *item = p;
    apr_size_t len;

    while (p < end && *p != form.delimiter && *p != '}') {
        p++;
    }
    len = (apr_size_t)(p - item);
    if (len == 4 && memcmp(item, "NULL", 4) == 0) {
        dsapi_buf_put(buf, "null", 4);
    }
    else {
        write_scalar(buf, form.kind, item, len);
    }
    return p;
}

/* PostgreSQL's array text, any number of dimensions:
 * {1,2}, {{a,b},{c,NULL}}, {"a b"}, [0:1]={1,2} */
static void write_array(dsapi_buf_t *buf, form_t form, const char *text,
                        apr_size_t len)
{
    const char *end = text + len;
    const char *p = *text == '[' ? memchr(text, '=', len) : NULL;
    char *scratch = malloc(len);

    if (!scratch) {
        abort();
    }
    p = p ? p + 1 : text;
    while (p < end) {
        if (*p == '{') {
            dsapi_buf_putc(buf, '[');
            p++;
        }
        else if (*p == '}') {
            dsapi_buf_putc(buf, ']');
            p++;
        }
        else if (*p == form.delimiter) {
            dsapi_buf_putc(buf, ',');
            p++;
        }
        else if (*p == '"') {
            p = write_quoted(buf, form.kind, p, end, scratch);
        }
        else {
            p = write_bare(buf, form, p, end);
        }
    }
    free(scratch);
}

static void write_form(dsapi_buf_t *buf, form_t form, const char *text,
                       apr_size_t len)
{
    if (!text) {
        dsapi_buf_put(buf, "null", 4);
    }
    else if (!form.delimiter) {
        write_scalar(buf, form.kind, text, len);
    }
    else if (len > 0 && (*text == '{' || *text == '[')) {
        write_array(buf, form, text, len);
    }
    else { /* no array's text */
        dsapi_json_put_string(buf, text, len);
    }
}

void dsapi_route_write_value(dsapi_buf_t *buf, unsigned type, const char *text,
                             apr_size_t len_bytes)
{
    write_form(buf, form_of(type), text, len_bytes);
}

static node_t *make_node(const char *name, int column, apr_pool_t *pool)
{
    node_t *node = apr_pcalloc(pool, sizeof(*node));

    node->name = name;
    node->column = column;
    node->children = apr_array_make(pool, 4, sizeof(node_t *));
    return node;
}

static node_t *find_child(const node_t *node, const char *name)
{
    for (int i = 0; i < node->children->nelts; i++) {
        node_t *child = APR_ARRAY_IDX(node->children, i, node_t *);

        if (strcmp(child->name, name) == 0) {
            return child;
        }
    }
    return NULL;
}

/* Adds one column to the shape; 0: its name contradicts another's. */
static int add_column(node_t *root, const char *alias, int column,
                      apr_pool_t *pool)
{
    node_t *node = root;
    const char *rest = alias;

    for (;;) {
        const char *dot = strchr(rest, '.');
        const char *name =
            dot ? apr_pstrmemdup(pool, rest, (apr_size_t)(dot - rest)) : rest;
        node_t *child = find_child(node, name);

        if (!*name || (child && (!dot || child->column >= 0))) {
            return 0;
        }
        if (!child) {
            child = make_node(name, dot ? -1 : column, pool);
            APR_ARRAY_PUSH(node->children, node_t *) = child;
        }
        if (!dot) {
            return 1;
        }
        node = child;
        rest = dot + 1;
    }
}

/* What a plan is made with. */
typedef struct planner_t {
    dsapi_plan_t *plan;
    const unsigned *types; /* of the columns */
    dsapi_buf_t *literal;  /* the one under way */
    apr_pool_t *pool;
} planner_t;

/* Ends the literal under way with a value behind it. */
static void end_literal(planner_t *planner)
{
    dsapi_plan_t *plan = planner->plan;
    dsapi_buf_t *literal = planner->literal;

    plan->literals[plan->nvalues] =
        apr_pstrmemdup(planner->pool, literal->data, literal->len_bytes);
    plan->lens_bytes[plan->nvalues] = literal->len_bytes;
    literal->len_bytes = 0;
}

static void plan_object(planner_t *planner, const node_t *node)
{
    dsapi_plan_t *plan = planner->plan;
    dsapi_buf_t *literal = planner->literal;

    dsapi_buf_putc(literal, '{');
    for (int i = 0; i < node->children->nelts; i++) {
        const node_t *child = APR_ARRAY_IDX(node->children, i, node_t *);

        if (i > 0) {
            dsapi_buf_putc(literal, ',');
        }
        dsapi_json_put_string(literal, child->name, strlen(child->name));
        dsapi_buf_putc(literal, ':');
        if (child->column < 0) {
            plan_object(planner, child);
            continue;
        }
        end_literal(planner);
        plan->columns[plan->nvalues] = child->column;
        plan->forms[plan->nvalues] = form_of(planner->types[child->column]);
        plan->nvalues++;
    }
    dsapi_buf_putc(literal, '}');
}

static dsapi_plan_t *make_plan(const node_t *root, const unsigned *oids,
                               int ncolumns, apr_pool_t *pool)
{
    dsapi_plan_t *plan = apr_pcalloc(pool, sizeof(*plan));
    planner_t planner = {plan, oids, dsapi_buf_make(256, pool), pool};
    apr_size_t n = (apr_size_t)ncolumns + 1;

    plan->columns = apr_palloc(pool, n * sizeof(*plan->columns));
    plan->forms = apr_palloc(pool, n * sizeof(*plan->forms));
    plan->literals = apr_palloc(pool, n * sizeof(*plan->literals));
    plan->lens_bytes = apr_palloc(pool, n * sizeof(*plan->lens_bytes));
    plan_object(&planner, root);
    end_literal(&planner);
    return plan;
}

apr_status_t dsapi_route_plan(dsapi_plan_t **pplan, dsapi_err_t **perr,
                              const char *const *names,
                              const unsigned *column_types, int ncolumns,
                              apr_pool_t *pool)
{
    node_t *root = make_node("", -1, pool);

    *pplan = NULL;
    *perr = NULL;
    for (int i = 0; i < ncolumns; i++) {
        if (*names[i] != '@' && !add_column(root, names[i], i, pool)) {
            return dsapi_fail(perr, pool, DSAPI_EINTERNAL, "result-shape",
                              "the column \"%s\" contradicts another column's "
                              "name",
                              names[i]);
        }
    }
    *pplan = make_plan(root, column_types, ncolumns, pool);
    return APR_SUCCESS;
}

dsapi_plan_t *dsapi_route_plan_flat(const dsapi_rows_t *rows, int stripped,
                                    apr_pool_t *pool)
{
    dsapi_plan_t *plan;
    int n = dsapi_rows_columns(rows);
    unsigned *oids = apr_palloc(pool, sizeof(*oids) * ((apr_size_t)n + 1));
    node_t *root = make_node("", -1, pool);

    for (int i = 0; i < n; i++) {
        const char *name = dsapi_rows_name(rows, i);

        oids[i] = dsapi_rows_type(rows, i);
        if (strncmp(name, DSAPI_ROUTE_HIDDEN, strlen(DSAPI_ROUTE_HIDDEN)) !=
            0) {
            APR_ARRAY_PUSH(root->children, node_t *) = make_node(name, i, pool);
        }
    }
    plan = make_plan(root, oids, n, pool);
    plan->stripped = stripped;
    return plan;
}

/* A literal of a flat plan is a brace or a comma, and the member's name. */
static void write_stripped(dsapi_buf_t *buf, const dsapi_plan_t *plan,
                           dsapi_cell_fn cell, const void *baton, int row)
{
    char open = '{';

    for (int i = 0; i < plan->nvalues; i++) {
        apr_size_t len = 0;
        const char *text = cell(&len, baton, row, plan->columns[i]);

        if (text) {
            dsapi_buf_putc(buf, open);
            dsapi_buf_put(buf, plan->literals[i] + 1, plan->lens_bytes[i] - 1);
            write_form(buf, plan->forms[i], text, len);
            open = ',';
        }
    }
    if (open == '{') {
        dsapi_buf_putc(buf, '{');
    }
    dsapi_buf_putc(buf, '}');
}

void dsapi_route_write_row(dsapi_buf_t *buf, const dsapi_plan_t *plan,
                           dsapi_cell_fn cell, const void *baton, int row)
{
    if (plan->stripped) {
        write_stripped(buf, plan, cell, baton, row);
        return;
    }
    for (int i = 0; i < plan->nvalues; i++) {
        apr_size_t len = 0;
        const char *text = cell(&len, baton, row, plan->columns[i]);

        dsapi_buf_put(buf, plan->literals[i], plan->lens_bytes[i]);
        write_form(buf, plan->forms[i], text, len);
    }
    dsapi_buf_put(buf, plan->literals[plan->nvalues],
                  plan->lens_bytes[plan->nvalues]);
}

const char *dsapi_route_rows_cell(apr_size_t *plen, const void *baton, int row,
                                  int column)
{
    return dsapi_rows_value(plen, baton, row, column);
}

void dsapi_route_write_nth(dsapi_buf_t *buf, const dsapi_plan_t *plan,
                           const dsapi_rows_t *rows, int row)
{
    dsapi_route_write_row(buf, plan, dsapi_route_rows_cell, rows, row);
}

apr_status_t dsapi_route_plan_rows(dsapi_plan_t **pplan, dsapi_err_t **perr,
                                   const dsapi_rows_t *rows, apr_pool_t *pool)
{
    int n = dsapi_rows_columns(rows);
    const char **names = apr_palloc(pool, sizeof(*names) * ((apr_size_t)n + 1));
    unsigned *oids = apr_palloc(pool, sizeof(*oids) * ((apr_size_t)n + 1));

    for (int i = 0; i < n; i++) {
        names[i] = dsapi_rows_name(rows, i);
        oids[i] = dsapi_rows_type(rows, i);
    }
    return dsapi_route_plan(pplan, perr, names, oids, n, pool);
}

const char *dsapi_route_made_text(apr_size_t *plen, const char *json,
                                  apr_size_t len_bytes, apr_pool_t *pool)
{
    dsapi_json_slice_t value;
    const char *text = json;

    *plen = len_bytes;
    if (*json == '"' &&
        dsapi_json_check(&value, NULL, json, len_bytes, pool) == APR_SUCCESS) {
        text = dsapi_json_text(&value, pool);
        *plen = strlen(text);
    }
    return text;
}

static unsigned hex_value(char c)
{
    return (unsigned)(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10) & 0xF;
}

/* A bytea's text as its bytes: "\x6162", or bytea_output = escape's
 * "ab\\\000". */
static void put_bytea(dsapi_buf_t *buf, const char *text, apr_size_t len)
{
    apr_size_t i = 0;

    if (len >= 2 && text[0] == '\\' && text[1] == 'x') {
        for (i = 2; i + 1 < len; i += 2) {
            dsapi_buf_putc(
                buf, (char)(hex_value(text[i]) << 4 | hex_value(text[i + 1])));
        }
        return;
    }
    while (i < len) {
        char c = text[i];

        if (c == '\\' && i + 3 < len && text[i + 1] != '\\') {
            c = (char)((text[i + 1] & 3) << 6 | (text[i + 2] & 7) << 3 |
                       (text[i + 3] & 7));
            i += 3;
        }
        else if (c == '\\') {
            i++;
        }
        dsapi_buf_putc(buf, c);
        i++;
    }
}

static apr_status_t write_value(dsapi_buf_t *buf, dsapi_err_t **perr,
                                const dsapi_rows_t *rows, int raw,
                                apr_pool_t *pool)
{
    int columns = dsapi_rows_columns(rows);
    int column = 0;
    apr_size_t len = 0;
    const char *text = NULL;
    unsigned type;

    while (column < columns && *dsapi_rows_name(rows, column) == '@') {
        column++;
    }
    if (column < columns) {
        text = dsapi_rows_value(&len, rows, 0, column);
    }
    if (!text) {
        return dsapi_fail(perr, pool, DSAPI_ENOTFOUND, "not-found",
                          "there is no such thing");
    }
    type = dsapi_rows_type(rows, column);
    if (!raw) {
        dsapi_route_write_value(buf, type, text, len);
    }
    else if (type == DSAPI_OID_BYTEA) {
        put_bytea(buf, text, len);
    }
    else if (type == DSAPI_OID_MADE) {
        text = dsapi_route_made_text(&len, text, len, pool);
        dsapi_buf_put(buf, text, len);
    }
    else {
        dsapi_buf_put(buf, text, len);
    }
    return APR_SUCCESS;
}

apr_status_t dsapi_route_write(dsapi_buf_t *buf, dsapi_err_t **perr,
                               const dsapi_rows_t *rows, dsapi_shape_e shape,
                               int raw, apr_pool_t *pool)
{
    dsapi_plan_t *plan;
    int count = dsapi_rows_count(rows);
    apr_status_t rv;

    *perr = NULL;
    if (shape == DSAPI_SHAPE_NONE) {
        return APR_SUCCESS;
    }
    if (count == 0 && shape != DSAPI_SHAPE_ROWS) {
        return dsapi_fail(perr, pool, DSAPI_ENOTFOUND, "not-found",
                          "there is no such thing");
    }
    if (shape == DSAPI_SHAPE_VALUE) {
        return write_value(buf, perr, rows, raw, pool);
    }
    rv = dsapi_route_plan_rows(&plan, perr, rows, pool);
    if (!plan) {
        return rv;
    }
    if (shape == DSAPI_SHAPE_ROW) {
        dsapi_route_write_nth(buf, plan, rows, 0);
        return APR_SUCCESS;
    }
    dsapi_buf_putc(buf, '[');
    for (int i = 0; i < count; i++) {
        if (i > 0) {
            dsapi_buf_putc(buf, ',');
        }
        dsapi_route_write_nth(buf, plan, rows, i);
    }
    dsapi_buf_putc(buf, ']');
    return APR_SUCCESS;
}
