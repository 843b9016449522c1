/* Queries made up at random: see dialect.h. */
#include "unit/dialect.h"

#include <apr_strings.h>

#include "base/text.h"
#include "json/buf.h"
#include "unit/unit.h"

#define DEPTH_MAX 3

const char *const dialect_words[] = {"id",
                                     "name",
                                     "data",
                                     "tags",
                                     "span",
                                     "makers",
                                     "maker",
                                     "labels",
                                     "details",
                                     "loud",
                                     "items",
                                     "!inner",
                                     "!left",
                                     "!item_maker",
                                     "...",
                                     "*",
                                     "(",
                                     ")",
                                     "{",
                                     "}",
                                     "[",
                                     ",",
                                     ".",
                                     ":",
                                     "::",
                                     "!",
                                     "\"",
                                     "\\",
                                     "->",
                                     "->>",
                                     "-",
                                     "0",
                                     "-1",
                                     " ",
                                     "\t",
                                     "count()",
                                     ".sum()",
                                     ".max()",
                                     "::text",
                                     "::int",
                                     "::a b",
                                     "eq.",
                                     "in.(",
                                     "is.null",
                                     "is.unknown",
                                     "not.",
                                     "and",
                                     "or",
                                     "and(",
                                     "or(",
                                     "(any)",
                                     "(all)",
                                     "fts(",
                                     "english",
                                     "fts(english)",
                                     "like.*",
                                     "cs.{",
                                     "isdistinct.",
                                     ".asc",
                                     ".desc",
                                     ".nullsfirst",
                                     "$1",
                                     "--",
                                     ";",
                                     "'",
                                     "%",
                                     "\xc3\xa4",
                                     "\xf0\x9f\x98\x80",
                                     "99999999999999999999",
                                     NULL};

/* What filters and casts a column can have. */
typedef enum kind_e {
    NUMBER,
    TEXT,
    MOOD,
    DOC,
    LIST,
    SPAN,
    NKINDS
} kind_e;

typedef struct col_t {
    const char *name; /* as a query writes it */
    kind_e kind;
    int given; /* a payload may have it */
} col_t;

typedef struct link_t {
    const char *name;
    const char *target;
} link_t;

typedef struct res_t {
    const char *name;
    col_t cols[14];  /* ended by {NULL} */
    link_t links[7]; /* so, too */
} res_t;

static const res_t resources[] = {
    {"items",
     {{"id", NUMBER, 1},
      {"name", TEXT, 1},
      {"code", TEXT, 1},
      {"price", NUMBER, 1},
      {"mood", MOOD, 1},
      {"data", DOC, 1},
      {"tags", LIST, 1},
      {"span", SPAN, 1},
      {"maker", NUMBER, 1},
      {"seller", NUMBER, 1},
      {"\"Odd \\\"name.x\"", TEXT, 1},
      {"twice", NUMBER, 0},
      {"loud", TEXT, 0}},
     {{"maker", "makers"},
      {"makers!item_seller", "makers"},
      {"item_maker", "makers"},
      {"labels", "labels"},
      {"details", "details"},
      {"item_labels", "item_labels"}}},
    {"makers",
     {{"id", NUMBER, 1}, {"name", TEXT, 1}, {"parent", NUMBER, 1}},
     {{"items!item_maker", "items"},
      {"items!item_seller", "items"},
      {"parent", "makers"},
      {"makers", "makers"}}},
    {"labels",
     {{"id", NUMBER, 1}, {"word", TEXT, 1}},
     {{"items", "items"}, {"item_labels", "item_labels"}}},
    {"item_labels",
     {{"item", NUMBER, 1}, {"label", NUMBER, 1}},
     {{"items", "items"}, {"labels", "labels"}}},
    {"details", {{"item", NUMBER, 1}, {"note", TEXT, 1}}, {{"items", "items"}}},
    {"cheap", {{"id", NUMBER, 1}, {"name", TEXT, 1}}, {{NULL, NULL}}},
    {"renamed",
     {{"id", NUMBER, 1},
      {"title", TEXT, 1},
      {"odd", TEXT, 1},
      {"maker", NUMBER, 1}},
     {{"maker", "makers"}}}};

#define NRESOURCES ((int)(sizeof(resources) / sizeof(resources[0])))

/* Expressions of a filter, ended by NULL; those with commas in them in quotes,
 * where they stand among others. */
static const char *const filters[NKINDS][16] = {
    [NUMBER] = {"eq.1", "neq.2", "gt.0", "gte.-1", "lt.99", "lte.1.5",
                "in.(1,2,3)", "in.()", "is.null", "is.not_null", "isdistinct.1",
                "eq(any).{1,2}", "gt(all).{1,2}", NULL},
    [TEXT] = {"eq.ant", "neq.", "like.*a*", "ilike.A%", "match.^a", "imatch.b$",
              "in.(ant,\"b, \\\"c\\\"\",)", "is.null", "fts.hat",
              "fts(english).hats", "plfts(simple).cat hat", "wfts.a or b",
              "phfts.a b", "like(any).{a*,*b}", "match(all).{a,b}", NULL},
    [MOOD] = {"eq.good", "in.(good,bad)", "gt.good", "is.null", "eq(any).{bad}",
              NULL},
    [DOC] = {"eq.1", "cs.{\"t\":1}", "cd.{}", "is.null", "isdistinct.2",
             "in.(1,2)", "fts.x", NULL},
    [LIST] = {"cs.{red}", "cd.{red,blue}", "ov.{red}", "eq.{}", "is.not_null",
              NULL},
    [SPAN] = {"sl.\"[6,8)\"", "sr.\"[1,3)\"", "nxr.\"[1,5)\"", "nxl.empty",
              "adj.\"(1,2]\"", "ov.empty", "cs.\"[1,2)\"", "cd.empty",
              "eq.empty", NULL}};

/* A query under way. */
typedef struct maker_t {
    fuzz_t *fuzz;
    apr_array_header_t *pairs;
    int naliases;
} maker_t;

static int chance(const maker_t *m, int of)
{
    return fuzz_below(m->fuzz, of) == 0;
}

static const char *fmt(const char *format, const char *a, const char *b)
{
    return apr_psprintf(g_scratch, format, a, b);
}

static void add_pair(const maker_t *m, const char *name, const char *value)
{
    dsapi_pair_t *pair = apr_array_push(m->pairs);

    pair->name = fuzz_copy(name);
    pair->value = fuzz_copy(value);
    pair->why = NULL;
}

static const res_t *find(const char *name)
{
    for (int i = 0; i < NRESOURCES; i++) {
        if (strcmp(resources[i].name, name) == 0) {
            return &resources[i];
        }
    }
    ck_abort_msg("no resource '%s'", name);
    return NULL;
}

static const col_t *any_col(const maker_t *m, const res_t *res)
{
    int n = 0;

    while (res->cols[n].name) {
        n++;
    }
    return &res->cols[fuzz_below(m->fuzz, n)];
}

/* A column, perhaps with a path. */
static const char *field(const maker_t *m, const res_t *res, kind_e *pkind)
{
    static const char *const paths[] = {"->k", "->0", "->k->n->-1", "->\"a.b\"",
                                        "->a-b"};
    const col_t *col = any_col(m, res);
    const char *text = col->name;

    *pkind = col->kind;
    if ((col->kind == DOC || col->kind == LIST) && chance(m, 2)) {
        *pkind = DOC;
        text = fmt("%s%s", text, fuzz_pick(m->fuzz, paths));
        if (chance(m, 2)) {
            *pkind = TEXT;
            text = fmt("%s->>%s", text, chance(m, 2) ? "t" : "1");
        }
    }
    return text;
}

static const char *expression(const maker_t *m, kind_e kind)
{
    int n = 0;

    while (filters[kind][n]) {
        n++;
    }
    return fmt("%s%s", chance(m, 4) ? "not." : "",
               filters[kind][fuzz_below(m->fuzz, n)]);
}

static const char *logic(const maker_t *m, const res_t *res, int depth)
{
    const char *text = "";
    kind_e kind;

    for (int i = fuzz_below(m->fuzz, 3); i >= 0; i--) {
        const char *term;

        if (depth < DEPTH_MAX && chance(m, 3)) {
            term = fmt("%s%s", chance(m, 3) ? "not." : "",
                       fmt("%s%s", chance(m, 2) ? "or" : "and",
                           logic(m, res, depth + 1)));
        }
        else {
            const char *name = field(m, res, &kind);

            term = fmt("%s.%s", name, expression(m, kind));
        }
        text = *text ? fmt("%s,%s", text, term) : term;
    }
    return fmt("(%s%s)", text, "");
}

static const char *new_alias(maker_t *m)
{
    return apr_psprintf(g_scratch, "a%d", ++m->naliases);
}

/* order= of one or two fields. */
static const char *order(const maker_t *m, const res_t *res)
{
    static const char *const ways[] = {"", ".asc", ".desc.nullslast",
                                       ".nullsfirst", ".desc"};
    kind_e kind;
    const char *text = field(m, res, &kind);

    text = fmt("%s%s", text, fuzz_pick(m->fuzz, ways));
    return chance(m, 2) ? fmt("%s,%s", text, order(m, res)) : text;
}

/* Parameters of a node. @param path  "" or "a1.a2." */
static void add_params(const maker_t *m, const res_t *res, const char *path,
                       int grouped)
{
    kind_e kind;

    for (int i = fuzz_below(m->fuzz, 3); i > 0; i--) {
        const char *name = field(m, res, &kind);

        add_pair(m, fmt("%s%s", path, name), expression(m, kind));
    }
    if (chance(m, 3)) {
        const char *word = chance(m, 2) ? "or" : "and";

        add_pair(
            m, fmt("%s%s", path, fmt("%s%s", chance(m, 3) ? "not." : "", word)),
            logic(m, res, 0));
    }
    if (!grouped && chance(m, 3)) {
        add_pair(m, fmt("%s%s", path, "order"), order(m, res));
    }
    if (chance(m, 4)) {
        add_pair(m, fmt("%s%s", path, "limit"), "3");
    }
    if (chance(m, 6)) {
        add_pair(m, fmt("%s%s", path, "offset"), "1");
    }
}

static const char *select_of(maker_t *m, const res_t *res, const char *path,
                             int depth, int spread);

static int has_col(const res_t *res, const char *name)
{
    for (const col_t *col = res->cols; col->name; col++) {
        if (strcmp(col->name, name) == 0) {
            return 1;
        }
    }
    return 0;
}

/* Something embedded. */
static const char *embed(maker_t *m, const res_t *res, const char *path,
                         int depth)
{
    static const char *const joins[] = {"", "", "!inner", "!left"};
    int n = 0;
    int spread;
    const char *alias = new_alias(m);
    const link_t *link;
    const char *items;
    const char *below;

    while (res->links[n].name) {
        n++;
    }
    link = &res->links[fuzz_below(m->fuzz, n)];
    /* a filter on such a column would mean what is embedded */
    spread = !has_col(res, link->name) && chance(m, 4);
    below = path ? fmt("%s%s.", path, alias) : NULL;
    items = spread ? select_of(m, find(link->target), NULL, depth + 1, 1)
                   : select_of(m, find(link->target), below, depth + 1, 0);
    if (path && !spread && chance(m, 4)) {
        add_pair(m, fmt("%s%s", path, alias),
                 chance(m, 2) ? "is.null" : "not.is.null");
    }
    return apr_pstrcat(g_scratch, spread ? "..." : alias, spread ? "" : ":",
                       link->name, fuzz_pick(m->fuzz, joins), "(", items, ")",
                       NULL);
}

static const char *aggregate(maker_t *m, const res_t *res)
{
    static const char *const words[] = {"sum", "avg", "max", "min"};
    const col_t *col = any_col(m, res);
    const char *text =
        col->kind == NUMBER
            ? apr_pstrcat(g_scratch, col->name, ".", fuzz_pick(m->fuzz, words),
                          "()", NULL)
            : fmt("%s.%s()", col->name, col->kind == TEXT ? "max" : "count");

    text = chance(m, 4) ? "count()" : text;
    text = chance(m, 4) ? fmt("%s%s", text, "::text") : text;
    return fmt("%s:%s", new_alias(m), text);
}

/* An item that is a field. */
static const char *plain(maker_t *m, const res_t *res, int named)
{
    static const char *const casts[] = {"text", "Name", "character varying",
                                        "char"};
    kind_e kind;
    const char *text = field(m, res, &kind);

    if (chance(m, 4)) {
        text = fmt("%s::%s", text, fuzz_pick(m->fuzz, casts));
    }
    return named || chance(m, 3) ? fmt("%s:%s", new_alias(m), text) : text;
}

/* The items of a node, and parameters that go with them.
 * @param path    where they are added; NULL: none are
 * @param spread  every column has a name of its own */
static const char *select_of(maker_t *m, const res_t *res, const char *path,
                             int depth, int spread)
{
    int grouped = !spread && chance(m, 5);
    const char *text = "";

    for (int i = fuzz_below(m->fuzz, 4); i >= 0; i--) {
        const char *item;

        if (depth < DEPTH_MAX && res->links[0].name && chance(m, 3)) {
            item = embed(m, res, path, depth);
        }
        else if (grouped && chance(m, 2)) {
            item = aggregate(m, res);
        }
        else if (!spread && chance(m, 6)) {
            item = "*";
        }
        else {
            item = plain(m, res, spread);
        }
        text = *text ? fmt("%s,%s", text, item) : item;
    }
    if (path) {
        add_params(m, res, path, grouped);
    }
    return text;
}

apr_array_header_t *dialect_query(const char **presource, fuzz_t *fuzz)
{
    maker_t m = {fuzz, apr_array_make(g_scratch, 8, sizeof(dsapi_pair_t)), 0};
    const res_t *res = &resources[fuzz_below(fuzz, NRESOURCES)];

    *presource = res->name;
    if (chance(&m, 8)) {
        add_params(&m, res, "", 0);
    }
    else {
        add_pair(&m, "select", select_of(&m, res, "", 0, 0));
    }
    return m.pairs;
}

const char *dialect_body(fuzz_t *fuzz, const char *resource, int least)
{
    const res_t *res = find(resource);
    const char *text = "";
    int n = 0;

    for (const col_t *col = res->cols; col->name; col++) {
        if (col->given && (n < least || fuzz_below(fuzz, 2))) {
            text = apr_pstrcat(g_scratch, text, n++ ? ", " : "",
                               *col->name == '"' ? "" : "\"", col->name,
                               *col->name == '"' ? "" : "\"", ": null", NULL);
        }
    }
    return fuzz_below(fuzz, 2)
               ? fmt("{%s}%s", text, "")
               : apr_pstrcat(g_scratch, "[{", text, "}, {", text, "}]", NULL);
}

void dialect_spoil(fuzz_t *fuzz, apr_array_header_t *pairs)
{
    dsapi_pair_t *pair;
    const char **ptext;
    const char *text;

    if (pairs->nelts == 0) {
        return;
    }
    pair = &APR_ARRAY_IDX(pairs, fuzz_below(fuzz, pairs->nelts), dsapi_pair_t);
    ptext = fuzz_below(fuzz, 4) ? &pair->value : &pair->name;
    text = fuzz_spoil(fuzz, *ptext, dialect_words);
    if (dsapi_base_utf8_valid(text, strlen(text))) {
        *ptext = text;
    }
}

const char *dialect_text(const apr_array_header_t *pairs)
{
    const char *text = "";

    for (int i = 0; i < pairs->nelts; i++) {
        const dsapi_pair_t *pair = &APR_ARRAY_IDX(pairs, i, dsapi_pair_t);

        text = apr_pstrcat(g_scratch, text, i ? "&" : "", pair->name, "=",
                           pair->value, NULL);
    }
    return text;
}
