/* Filters and what joins them: see parse.h. */
#include <apr_lib.h>
#include <apr_strings.h>
#include <string.h>

#include "resource/parse.h"

#define OPERATORS "operator (eq, gt, ...)"

/* What stands behind an operator. */
typedef enum operand_e {
    QUANTIFIED, /* one value, or an array with (any) or (all) */
    SIMPLE,     /* one value */
    SEARCH,     /* one value, perhaps with (language) */
    LIST,
    STATE
} operand_e;

static const struct {
    const char *word;
    operand_e operand;
} operators[] = {
    [DSAPI_RES_EQ] = {"eq", QUANTIFIED},
    [DSAPI_RES_GTE] = {"gte", QUANTIFIED},
    [DSAPI_RES_GT] = {"gt", QUANTIFIED},
    [DSAPI_RES_LTE] = {"lte", QUANTIFIED},
    [DSAPI_RES_LT] = {"lt", QUANTIFIED},
    [DSAPI_RES_LIKE] = {"like", QUANTIFIED},
    [DSAPI_RES_ILIKE] = {"ilike", QUANTIFIED},
    [DSAPI_RES_MATCH] = {"match", QUANTIFIED},
    [DSAPI_RES_IMATCH] = {"imatch", QUANTIFIED},
    [DSAPI_RES_NEQ] = {"neq", SIMPLE},
    [DSAPI_RES_CS] = {"cs", SIMPLE},
    [DSAPI_RES_CD] = {"cd", SIMPLE},
    [DSAPI_RES_OV] = {"ov", SIMPLE},
    [DSAPI_RES_SL] = {"sl", SIMPLE},
    [DSAPI_RES_SR] = {"sr", SIMPLE},
    [DSAPI_RES_NXR] = {"nxr", SIMPLE},
    [DSAPI_RES_NXL] = {"nxl", SIMPLE},
    [DSAPI_RES_ADJ] = {"adj", SIMPLE},
    [DSAPI_RES_FTS] = {"fts", SEARCH},
    [DSAPI_RES_PLFTS] = {"plfts", SEARCH},
    [DSAPI_RES_PHFTS] = {"phfts", SEARCH},
    [DSAPI_RES_WFTS] = {"wfts", SEARCH},
    [DSAPI_RES_IN] = {"in", LIST},
    [DSAPI_RES_IS] = {"is", STATE},
    [DSAPI_RES_ISDISTINCT] = {"isdistinct", SIMPLE},
};

#define NOPERATORS ((int)(sizeof(operators) / sizeof(operators[0])))

/* A value as it stands in the text, up to a comma or a bracket in a list, or
 * to the end. @param inside  it stands in and=(...) or or=(...) */
static const char *rest(dsapi_lex_t *lex, int inside)
{
    apr_size_t len = inside ? strcspn(lex->p, ",)") : strlen(lex->p);
    const char *value = apr_pstrmemdup(lex->pool, lex->p, len);

    lex->p += len;
    return value;
}

/* A quoted value, if it ends where an item of a list does. */
static int take_quoted_item(const char **pvalue, dsapi_lex_t *lex)
{
    const char *begin = lex->p;
    dsapi_err_t **perr = lex->perr;
    int ok;

    if (*begin != '"') {
        return 0;
    }
    lex->perr = NULL;
    ok = dsapi_lex_quoted(pvalue, lex) &&
         (!*lex->p || *lex->p == ',' || *lex->p == ')');
    lex->perr = perr;
    if (!ok) {
        lex->p = begin;
    }
    return ok;
}

/* {1,2}: an array without others inside. */
static int take_array(const char **pvalue, dsapi_lex_t *lex)
{
    apr_size_t len = *lex->p == '{' ? strcspn(lex->p + 1, "{}") : 0;

    if (*lex->p != '{' || lex->p[len + 1] != '}') {
        return 0;
    }
    *pvalue = apr_pstrmemdup(lex->pool, lex->p, len + 2);
    lex->p += len + 2;
    return 1;
}

static void take_value(const char **pvalue, dsapi_lex_t *lex, int inside)
{
    if (!inside ||
        !(take_quoted_item(pvalue, lex) || take_array(pvalue, lex))) {
        *pvalue = rest(lex, inside);
    }
}

static int take_list(dsapi_res_cond_t *cond, dsapi_lex_t *lex)
{
    cond->items = apr_array_make(lex->pool, 4, sizeof(const char *));
    if (!dsapi_lex_expect(lex, "(", "\"(\"")) {
        return 0;
    }
    do {
        const char **pitem = apr_array_push(cond->items);

        if (!take_quoted_item(pitem, lex)) {
            *pitem = rest(lex, 1);
        }
    } while (dsapi_lex_take(lex, ","));
    return dsapi_lex_expect(lex, ")", "\")\"");
}

static int take_state(dsapi_res_cond_t *cond, dsapi_lex_t *lex)
{
    static const char *const words[][2] = {{"not_null", "NOT NULL"},
                                           {"null", "NULL"},
                                           {"true", "TRUE"},
                                           {"false", "FALSE"},
                                           {"unknown", "UNKNOWN"}};

    for (apr_size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        apr_size_t len = strlen(words[i][0]);

        if (strncasecmp(lex->p, words[i][0], len) == 0) {
            cond->value = words[i][1];
            lex->p += len;
            return 1;
        }
    }
    return dsapi_lex_fail(lex, lex->p,
                          "isVal: (null, not_null, true, false, unknown)");
}

/* The word of an operator. @return 0: it is none (no error) */
static int take_operator(dsapi_res_cond_t *cond, dsapi_lex_t *lex)
{
    apr_size_t len = 0;

    while (lex->p[len] >= 'a' && lex->p[len] <= 'z') {
        len++;
    }
    for (int i = 0; i < NOPERATORS; i++) {
        if (strlen(operators[i].word) == len &&
            memcmp(operators[i].word, lex->p, len) == 0) {
            cond->op = (dsapi_res_op_e)i;
            lex->p += len;
            return 1;
        }
    }
    return 0;
}

/* (any), (all), (english) behind an operator that takes it, and the dot. */
static int take_modifier(dsapi_res_cond_t *cond, dsapi_lex_t *lex)
{
    operand_e operand = operators[cond->op].operand;

    if (operand == QUANTIFIED && dsapi_lex_take(lex, "(any)")) {
        cond->quantifier = "ANY";
    }
    else if (operand == QUANTIFIED && dsapi_lex_take(lex, "(all)")) {
        cond->quantifier = "ALL";
    }
    else if (operand == SEARCH && *lex->p == '(' && lex->p[1] != ')') {
        lex->p++;
        return dsapi_lex_word(&cond->language, lex) &&
               dsapi_lex_expect(lex, ")", "\")\"") &&
               (dsapi_lex_take(lex, ".") ||
                dsapi_lex_fail(lex, lex->p, "delimiter (.)"));
    }
    return dsapi_lex_take(lex, ".") || dsapi_lex_fail(lex, lex->p, OPERATORS);
}

/* An operator and its operand. */
static int take_expression(dsapi_res_cond_t *cond, dsapi_lex_t *lex, int inside)
{
    cond->kind = DSAPI_RES_FILTER;
    cond->negated = dsapi_lex_take(lex, "not.");
    if (!take_operator(cond, lex)) {
        return dsapi_lex_fail(
            lex, lex->p, cond->negated ? OPERATORS : "\"not\" or " OPERATORS);
    }
    if (!take_modifier(cond, lex)) {
        return 0;
    }
    switch (operators[cond->op].operand) {
    case LIST:
        return take_list(cond, lex);
    case STATE:
        return take_state(cond, lex);
    case QUANTIFIED:
    case SIMPLE:
    case SEARCH:
        break;
    }
    take_value(&cond->value, lex, inside);
    return 1;
}

int dsapi_resource_filter(dsapi_res_cond_t *cond, dsapi_lex_t *lex)
{
    return take_expression(cond, lex, 0) && dsapi_lex_end(lex, "end of input");
}

static int take_terms(dsapi_res_cond_t *cond, dsapi_lex_t *lex);

/* Does a joined condition begin here: [not.](and|or) and a bracket? */
static int take_join(dsapi_res_cond_t *cond, dsapi_lex_t *lex)
{
    const char *begin = lex->p;
    int negated = dsapi_lex_take(lex, "not.");
    int is_or = dsapi_lex_take(lex, "or");

    if ((is_or || dsapi_lex_take(lex, "and")) &&
        lex->p[strspn(lex->p, " \t")] == '(') {
        cond->kind = is_or ? DSAPI_RES_OR : DSAPI_RES_AND;
        cond->negated = negated;
        return 1;
    }
    lex->p = begin;
    return 0;
}

static int take_term(dsapi_res_cond_t *cond, dsapi_lex_t *lex)
{
    const char *begin;

    dsapi_lex_blanks(lex);
    begin = lex->p;
    if (take_join(cond, lex)) {
        return take_terms(cond, lex);
    }
    if (!dsapi_lex_field(&cond->field, lex)) {
        return lex->p == begin && *begin != '"'
                   ? dsapi_lex_fail(lex, begin,
                                    "field name (* or [a..z0..9_$]), negation "
                                    "operator (not) or logic operator (and, "
                                    "or)")
                   : 0;
    }
    if (!dsapi_lex_take(lex, ".")) {
        return dsapi_lex_fail(lex, lex->p, "delimiter (.)");
    }
    return take_expression(cond, lex, 1);
}

static int take_terms(dsapi_res_cond_t *cond, dsapi_lex_t *lex)
{
    cond->terms = apr_array_make(lex->pool, 4, sizeof(dsapi_res_cond_t *));
    if (!dsapi_lex_descend(lex) || !dsapi_lex_expect(lex, "(", "\"(\"")) {
        return 0;
    }
    do {
        dsapi_res_cond_t *term = apr_pcalloc(lex->pool, sizeof(*term));

        APR_ARRAY_PUSH(cond->terms, dsapi_res_cond_t *) = term;
        if (!take_term(term, lex)) {
            return 0;
        }
        dsapi_lex_blanks(lex);
    } while (dsapi_lex_take(lex, ","));
    lex->depth--;
    return dsapi_lex_expect(lex, ")", "\",\" or \")\"");
}

int dsapi_resource_logic(dsapi_res_cond_t *cond, dsapi_lex_t *lex)
{
    return take_terms(cond, lex) && dsapi_lex_end(lex, "end of input");
}
