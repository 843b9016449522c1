/* The trie of paths: see match.h. */
#include "route/match.h"

#include <apr_strings.h>
#include <string.h>

typedef struct method_t {
    const char *name;
    void *value;
} method_t;

struct dsapi_trie_t {
    const char *segment; /* NULL: the root, or a parameter */
    apr_size_t segment_len;
    apr_array_header_t *literals; /* of dsapi_trie_t *, sorted by segment */
    dsapi_trie_t *param;
    apr_array_header_t *methods; /* of method_t */
    const char *allow;           /* NULL: no template ends here */
    apr_pool_t *pool;
};

/* What a match is made with: a path's segments are walked by recursion, whose
 * depth is that of the templates. */
typedef struct walk_t {
    const char *starts[DSAPI_CAPTURES_MAX];
    apr_size_t lens[DSAPI_CAPTURES_MAX];
    int n;
} walk_t;

dsapi_trie_t *dsapi_route_trie_make(apr_pool_t *pool)
{
    dsapi_trie_t *trie = apr_pcalloc(pool, sizeof(*trie));

    trie->literals = apr_array_make(pool, 2, sizeof(dsapi_trie_t *));
    trie->methods = apr_array_make(pool, 2, sizeof(method_t));
    trie->pool = pool;
    return trie;
}

static int compare_segment(const char *a, apr_size_t a_len, const char *b,
                           apr_size_t b_len)
{
    int c = memcmp(a, b, a_len < b_len ? a_len : b_len);

    return c ? c : (a_len > b_len) - (a_len < b_len);
}

/* The index of a literal child, or of where it belongs. */
static int literal_index(int *pfound, const dsapi_trie_t *node,
                         const char *segment, apr_size_t len)
{
    int low = 0;
    int high = node->literals->nelts;

    *pfound = 0;
    while (low < high) {
        int mid = (low + high) / 2;
        const dsapi_trie_t *child =
            APR_ARRAY_IDX(node->literals, mid, const dsapi_trie_t *);
        int c =
            compare_segment(segment, len, child->segment, child->segment_len);

        if (c == 0) {
            *pfound = 1;
            return mid;
        }
        if (c < 0) {
            high = mid;
        }
        else {
            low = mid + 1;
        }
    }
    return low;
}

static dsapi_trie_t *literal_child(const dsapi_trie_t *node,
                                   const char *segment, apr_size_t len)
{
    int found;
    int i = literal_index(&found, node, segment, len);

    return found ? APR_ARRAY_IDX(node->literals, i, dsapi_trie_t *) : NULL;
}

static dsapi_trie_t *add_literal(dsapi_trie_t *node, const char *segment,
                                 apr_size_t len)
{
    int found;
    int at = literal_index(&found, node, segment, len);
    dsapi_trie_t *child;
    dsapi_trie_t **elts;

    if (found) {
        return APR_ARRAY_IDX(node->literals, at, dsapi_trie_t *);
    }
    child = dsapi_route_trie_make(node->pool);
    child->segment = apr_pstrmemdup(node->pool, segment, len);
    child->segment_len = len;
    apr_array_push(node->literals);
    elts = (dsapi_trie_t **)node->literals->elts;
    for (int i = node->literals->nelts - 1; i > at; i--) {
        elts[i] = elts[i - 1];
    }
    elts[at] = child;
    return child;
}

/* The segment behind a '/', and what follows it; NULL: the path is over. */
static const char *next_segment(apr_size_t *plen, const char **prest,
                                const char *path)
{
    if (*path != '/') {
        return NULL;
    }
    *plen = strcspn(path + 1, "/");
    *prest = path + 1 + *plen;
    return path + 1;
}

static int is_param(const char *segment, apr_size_t len)
{
    return len > 2 && segment[0] == '{' && segment[len - 1] == '}';
}

static int is_name(const char *s, apr_size_t len)
{
    for (apr_size_t i = 0; i < len; i++) {
        char c = s[i];

        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
              (i > 0 && c >= '0' && c <= '9'))) {
            return 0;
        }
    }
    return len > 0;
}

/* What is wrong with one segment; NULL: nothing. */
static const char *segment_mistake(const apr_array_header_t *names,
                                   const char *segment, apr_size_t len)
{
    if (len == 0) {
        return "has an empty segment; write \"/a/b\" without a '/' at the end";
    }
    if (memchr(segment, '%', len)) {
        return "has a '%'; write the character itself";
    }
    if (memchr(segment, '?', len) || memchr(segment, '#', len)) {
        return "has a '?' or '#', which ends a path; parameters of the query "
               "are declared with DsapiParam";
    }
    if ((len == 1 && *segment == '.') ||
        (len == 2 && segment[0] == '.' && segment[1] == '.')) {
        return "has \".\" or \"..\" as a segment";
    }
    if (!is_param(segment, len)) {
        return memchr(segment, '{', len) || memchr(segment, '}', len)
                   ? "has a parameter that is not a whole segment; write "
                     "\"/{name}\""
                   : NULL;
    }
    if (!is_name(segment + 1, len - 2)) {
        return "has a parameter whose name is not letters, digits and '_'";
    }
    for (int i = 0; i < names->nelts; i++) {
        const char *have = APR_ARRAY_IDX(names, i, const char *);

        if (strncmp(have, segment + 1, len - 2) == 0 && have[len - 2] == '\0') {
            return "has one parameter twice";
        }
    }
    return names->nelts == DSAPI_CAPTURES_MAX ? "has too many parameters"
                                              : NULL;
}

apr_status_t dsapi_route_template_names(apr_array_header_t **pnames,
                                        dsapi_err_t **perr, const char *path,
                                        apr_pool_t *pool)
{
    apr_array_header_t *names = apr_array_make(pool, 4, sizeof(const char *));
    const char *rest = path;
    const char *mistake = *path == '/' ? NULL : "does not begin with '/'";

    *pnames = NULL;
    *perr = NULL;
    while (!mistake && *rest && strcmp(path, "/") != 0) {
        apr_size_t len = 0;
        const char *segment = next_segment(&len, &rest, rest);

        mistake = segment_mistake(names, segment, len);
        if (!mistake && is_param(segment, len)) {
            APR_ARRAY_PUSH(names, const char *) =
                apr_pstrmemdup(pool, segment + 1, len - 2);
        }
    }
    if (mistake) {
        return dsapi_fail(perr, pool, DSAPI_ESYNTAX, "path", "\"%s\" %s", path,
                          mistake);
    }
    *pnames = names;
    return APR_SUCCESS;
}

static method_t *find_method(const dsapi_trie_t *node, const char *method)
{
    for (int i = 0; i < node->methods->nelts; i++) {
        method_t *m = &APR_ARRAY_IDX(node->methods, i, method_t);

        if (strcmp(m->name, method) == 0) {
            return m;
        }
    }
    return NULL;
}

static const char *allow_of(const dsapi_trie_t *node)
{
    const char *allow = "";

    for (int i = 0; i < node->methods->nelts; i++) {
        const char *name = APR_ARRAY_IDX(node->methods, i, method_t).name;

        allow = apr_pstrcat(node->pool, allow, name,
                            strcmp(name, "GET") == 0 ? ", HEAD, " : ", ", NULL);
    }
    return apr_pstrcat(node->pool, allow, "OPTIONS", NULL);
}

apr_status_t dsapi_route_trie_add(dsapi_trie_t *trie, dsapi_err_t **perr,
                                  const char *path, const char *method,
                                  void *value, apr_pool_t *pool)
{
    dsapi_trie_t *node = trie;
    const char *rest = strcmp(path, "/") == 0 ? "" : path;
    const char *segment;
    apr_size_t len = 0;
    method_t *m;

    *perr = NULL;
    while ((segment = next_segment(&len, &rest, rest))) {
        if (is_param(segment, len)) {
            if (!node->param) {
                node->param = dsapi_route_trie_make(trie->pool);
            }
            node = node->param;
        }
        else {
            node = add_literal(node, segment, len);
        }
    }
    if (find_method(node, method)) {
        return dsapi_fail(perr, pool, DSAPI_ECONFLICT, "path",
                          "%s %s is declared already", method, path);
    }
    m = apr_array_push(node->methods);
    m->name = apr_pstrdup(trie->pool, method);
    m->value = value;
    node->allow = allow_of(node);
    return APR_SUCCESS;
}

/* The node of the first template that fits, literals first. */
static const dsapi_trie_t *walk(walk_t *w, const dsapi_trie_t *node,
                                const char *path)
{
    apr_size_t len = 0;
    const char *rest = path;
    const char *segment = next_segment(&len, &rest, path);
    const dsapi_trie_t *child;
    const dsapi_trie_t *end;

    if (!segment) {
        return node->allow ? node : NULL;
    }
    child = literal_child(node, segment, len);
    end = child ? walk(w, child, rest) : NULL;
    if (end || !node->param || len == 0) {
        return end;
    }
    w->starts[w->n] = segment;
    w->lens[w->n++] = len;
    end = walk(w, node->param, rest);
    if (!end) {
        w->n--;
    }
    return end;
}

int dsapi_route_match(dsapi_match_t *pmatch, const dsapi_trie_t *trie,
                      const char *path, const char *method, apr_pool_t *pool)
{
    walk_t w = {{0}, {0}, 0};
    const dsapi_trie_t *node =
        walk(&w, trie, strcmp(path, "/") == 0 ? "" : path);
    const method_t *m;

    if (!node) {
        return 0;
    }
    m = find_method(node, strcmp(method, "HEAD") == 0 ? "GET" : method);
    pmatch->value = m ? m->value : NULL;
    pmatch->allow = node->allow;
    pmatch->ncaptures = w.n;
    for (int i = 0; i < w.n; i++) {
        pmatch->captures[i] = apr_pstrmemdup(pool, w.starts[i], w.lens[i]);
    }
    return 1;
}

void *dsapi_route_base(const char **prest, const dsapi_trie_t *trie,
                       const char *path)
{
    const dsapi_trie_t *node = trie;
    const char *rest = path;
    void *value = NULL;

    while (node) {
        const method_t *m = find_method(node, "");
        apr_size_t len = 0;
        const char *segment;

        if (m) {
            value = m->value;
            *prest = rest;
        }
        segment = next_segment(&len, &rest, rest);
        node = segment ? literal_child(node, segment, len) : NULL;
    }
    return value;
}
