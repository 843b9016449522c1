/* The catalogue: see catalog.h. */
#include "resource/catalog.h"

#include <apr_lib.h>
#include <apr_strings.h>
#include <string.h>

#include "base/args.h"
#include "base/type.h"
#include "json/value.h"
#include "resource/cast.h"
#include "resource/view.h"

/* The keys of a table; its OID and a bracket are to follow. */
#define KEYS                                                                \
    "(SELECT pg_catalog.json_agg(pg_catalog.json_build_object("             \
    "'name', k.conname, 'type', k.contype, 'target', k.confrelid::text, "   \
    "'cols', (SELECT pg_catalog.json_agg(a.attname ORDER BY u.o) FROM "     \
    "pg_catalog.unnest(k.conkey) WITH ORDINALITY u (n, o) "                 \
    "JOIN pg_catalog.pg_attribute a ON a.attrelid = k.conrelid AND "        \
    "a.attnum = u.n), "                                                     \
    "'refs', (SELECT pg_catalog.json_agg(a.attname ORDER BY u.o) FROM "     \
    "pg_catalog.unnest(k.confkey) WITH ORDINALITY u (n, o) "                \
    "JOIN pg_catalog.pg_attribute a ON a.attrelid = k.confrelid AND "       \
    "a.attnum = u.n)) ORDER BY k.conname) FROM pg_catalog.pg_constraint k " \
    "WHERE k.contype IN ('p', 'u', 'f') AND k.conrelid = "

/* What is joined of the type t: itself without the domains around it. (All
 * types are looked through for that, but only of a domain.) */
#define BASE_TYPE                                                            \
    "JOIN LATERAL (WITH RECURSIVE r AS (SELECT t.oid, t.typname, "           \
    "t.typnamespace, t.typbasetype, t.typtype, t.typrelid UNION ALL SELECT " \
    "u.oid, u.typname, u.typnamespace, u.typbasetype, u.typtype, "           \
    "u.typrelid FROM r JOIN pg_catalog.pg_type u "                           \
    "ON u.oid = r.typbasetype WHERE r.typbasetype <> 0) "                    \
    "SELECT * FROM r WHERE typbasetype = 0) b ON true "

/*
 * A document for each table of the list: its schema in $1 ("": the search path
 * finds it), its name in $2; NULL: all of the schema's that the list does not
 * name, but for partitions, which their table shows. A value's type has no
 * length, so that one which is too long is refused and not cut off; a domain
 * over a built-in type is that type, whose rules the table then checks.
 */
static const char catalog_sql[] =
    "WITH list AS (SELECT * FROM ROWS FROM (pg_catalog.unnest($1::name[]), "
    "pg_catalog.unnest($2::name[])) WITH ORDINALITY l (s, t, i)), "
    "named AS (SELECT l.i, c.oid FROM list l "
    "JOIN pg_catalog.pg_class c ON c.relname = l.t "
    "JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace AND "
    "CASE l.s WHEN '' THEN pg_catalog.pg_table_is_visible(c.oid) "
    "ELSE n.nspname = l.s END), "
    "exposed AS (SELECT l.i, c.oid FROM list l "
    "JOIN pg_catalog.pg_namespace n ON n.nspname = l.s "
    "JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid "
    "WHERE l.t IS NULL AND NOT c.relispartition AND "
    "c.oid NOT IN (SELECT oid FROM named)) "
    "SELECT l.i, pg_catalog.json_build_object("
    "'oid', c.oid::text, 'schema', n.nspname, 'table', c.relname, "
    "'comment', pg_catalog.obj_description(c.oid, 'pg_class'), "
    "'is_table', c.relkind IN ('r', 'p'), "
    "'columns', (SELECT pg_catalog.json_agg(pg_catalog.json_build_object("
    "'name', a.attname, "
    "'expected', pg_catalog.format_type(a.atttypid, a.atttypmod), "
    "'type', CASE b.typname WHEN 'bpchar' THEN 'bpchar' WHEN 'bit' THEN "
    "'bit varying' ELSE pg_catalog.format_type(CASE WHEN b.typnamespace = "
    "'pg_catalog'::regnamespace THEN b.oid ELSE a.atttypid END, NULL) END, "
    "'is_json', b.typname IN ('json', 'jsonb'), "
    "'is_tsvector', b.typname = 'tsvector', "
    "'is_zoned', b.typname ~ '^_?(timestamptz|tstz(multi)?range)$', "
    "'def', CASE WHEN a.attidentity <> '' THEN pg_catalog.format("
    "'pg_catalog.nextval(%L)', pg_catalog.pg_get_serial_sequence("
    "c.oid::regclass::text, a.attname)) WHEN a.attgenerated <> '' THEN NULL "
    "WHEN d.adbin IS NULL THEN t.typdefault "
    "ELSE pg_catalog.pg_get_expr(d.adbin, d.adrelid) END, "
    "'comment', pg_catalog.col_description(c.oid, a.attnum), "
    "'nullable', NOT (a.attnotnull OR t.typnotnull), "
    "'generated', a.attgenerated <> '' OR a.attidentity = 'a') "
    "ORDER BY a.attnum) FROM pg_catalog.pg_attribute a "
    "JOIN pg_catalog.pg_type t ON t.oid = a.atttypid " BASE_TYPE
    "LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = c.oid AND "
    "d.adnum = a.attnum "
    "WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped), "
    "'computed', (SELECT pg_catalog.json_agg(pg_catalog.json_build_object("
    "'name', p.proname, 'type', pg_catalog.format_type(p.prorettype, NULL), "
    "'is_json', p.prorettype IN ('json'::regtype, 'jsonb'::regtype), "
    "'is_tsvector', p.prorettype = 'tsvector'::regtype)) "
    "FROM pg_catalog.pg_proc p WHERE p.pronamespace = c.relnamespace AND "
    "p.pronargs = 1 AND p.proargtypes[0] = c.reltype AND p.prokind = 'f' AND "
    "NOT p.proretset), "
    "'keys', " KEYS "c.oid), "
    "'layers', CASE WHEN c.relkind IN ('v', 'm') THEN ("
    "WITH RECURSIVE b AS (SELECT c.oid UNION SELECT d.refobjid FROM b "
    "JOIN pg_catalog.pg_rewrite r ON r.ev_class = b.oid "
    "JOIN pg_catalog.pg_depend d ON d.objid = r.oid "
    "AND d.classid = 'pg_catalog.pg_rewrite'::regclass "
    "AND d.refclassid = 'pg_catalog.pg_class'::regclass) "
    "SELECT pg_catalog.json_agg(pg_catalog.json_build_object("
    "'oid', b.oid::text, 'rule', r.ev_action::text, "
    "'cols', (SELECT pg_catalog.json_agg(a.attname ORDER BY a.attnum) FROM "
    "pg_catalog.pg_attribute a WHERE a.attrelid = b.oid AND a.attnum > 0), "
    "'keys', " KEYS "b.oid)) ORDER BY b.oid) FROM b "
    "LEFT JOIN pg_catalog.pg_rewrite r ON r.ev_class = b.oid "
    "AND r.ev_type = '1') END) "
    "FROM (SELECT 1 AS o, * FROM named UNION ALL SELECT 2, * FROM exposed) l "
    "JOIN pg_catalog.pg_class c ON c.oid = l.oid "
    "JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace "
    "WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') "
    "ORDER BY l.o, l.i, c.relname";

/*
 * A document for each function of the schemas $1 that can be called by names,
 * or has a single argument without one. Its rows have its own columns (OUT,
 * TABLE), those of its type, or a value.
 */
static const char functions_sql[] =
    "WITH f AS (SELECT p.*, n.nspname, b.typtype, b.typrelid "
    "FROM pg_catalog.pg_namespace n "
    "JOIN pg_catalog.pg_proc p ON p.pronamespace = n.oid "
    "CROSS JOIN LATERAL (SELECT b.typtype, b.typrelid "
    "FROM pg_catalog.pg_type t " BASE_TYPE "WHERE t.oid = p.prorettype "
    "OFFSET 0) b "
    "WHERE n.nspname = ANY ($1::name[]) AND p.prokind = 'f' AND "
    "p.prorettype NOT IN ('trigger'::regtype, 'event_trigger'::regtype)), "
    "a AS (SELECT f.oid, coalesce(x.name, '') AS name, x.type, "
    "coalesce(x.mode, 'i') AS mode, x.n FROM f, ROWS FROM ("
    "pg_catalog.unnest(coalesce(f.proallargtypes, f.proargtypes::oid[])), "
    "pg_catalog.unnest(f.proargnames), pg_catalog.unnest(f.proargmodes)) "
    "WITH ORDINALITY x (type, name, mode, n)), "
    "i AS (SELECT a.oid, pg_catalog.json_agg(pg_catalog.json_build_object("
    "'name', a.name, 'type', pg_catalog.format_type(a.type, NULL), "
    "'cast', pg_catalog.format_type(a.type, -1), "
    "'required', a.nth <= f.pronargs - f.pronargdefaults, "
    "'variadic', a.mode = 'v') ORDER BY a.n) AS list, "
    "bool_and(a.name <> '') OR (count(*) = 1 AND bool_and(a.type IN ("
    "'json'::regtype, 'jsonb'::regtype, 'text'::regtype, 'xml'::regtype, "
    "'bytea'::regtype))) AS callable FROM (SELECT a.*, "
    "pg_catalog.row_number() OVER (PARTITION BY a.oid ORDER BY a.n) AS nth "
    "FROM a WHERE a.mode IN ('i', 'b', 'v')) a JOIN f ON f.oid = a.oid "
    "GROUP BY a.oid), "
    "o AS (SELECT a.oid, coalesce(nullif(a.name, ''), 'column' || "
    "pg_catalog.row_number() OVER (PARTITION BY a.oid ORDER BY a.n)) AS name, "
    "a.type, a.n FROM a WHERE a.mode IN ('o', 'b', 't')) "
    "SELECT pg_catalog.json_build_object("
    "'schema', f.nspname, 'name', f.proname, 'set', f.proretset, "
    "'none', f.prorettype = 'void'::regtype, "
    "'scalar', NOT s.own AND f.typtype <> 'c', "
    "'relation', CASE WHEN NOT s.own THEN f.typrelid::text END, "
    "'arguments', i.list, "
    "'columns', (SELECT pg_catalog.json_agg(pg_catalog.json_build_object("
    "'name', c.name, 'type', pg_catalog.format_type(c.type, NULL), "
    "'is_json', b.typname IN ('json', 'jsonb'), "
    "'is_tsvector', b.typname = 'tsvector') ORDER BY c.n) FROM ("
    "SELECT o.name, o.type, o.n FROM o WHERE o.oid = f.oid UNION ALL "
    "SELECT r.attname, r.atttypid, r.attnum FROM pg_catalog.pg_attribute r "
    "WHERE NOT s.own AND r.attrelid = f.typrelid AND r.attnum > 0 AND "
    "NOT r.attisdropped UNION ALL SELECT '" DSAPI_RES_VALUE "', "
    "f.prorettype, 1 WHERE NOT s.own AND f.typtype <> 'c') c "
    "JOIN pg_catalog.pg_type t ON t.oid = c.type " BASE_TYPE ")) "
    "FROM f LEFT JOIN i ON i.oid = f.oid CROSS JOIN LATERAL ("
    "SELECT EXISTS (SELECT FROM o WHERE o.oid = f.oid) AS own) s "
    "WHERE coalesce(i.callable, true) ORDER BY f.proname, f.oid";

void dsapi_catalog_functions_call(dsapi_call_t *pcall,
                                  const apr_array_header_t *specs,
                                  apr_pool_t *pool)
{
    apr_array_header_t *schemas =
        apr_array_make(pool, specs->nelts, sizeof(const char *));
    const char **values = apr_palloc(pool, sizeof(*values));

    for (int i = 0; i < specs->nelts; i++) {
        APR_ARRAY_PUSH(schemas, const char *) =
            APR_ARRAY_IDX(specs, i, const dsapi_res_spec_t *)->schema;
    }
    values[0] = dsapi_base_array_literal(schemas, pool);
    pcall->sql = dsapi_sql_literal(functions_sql, 1, pool);
    pcall->types = NULL;
    pcall->values = values;
}

static int is_name_char(char c)
{
    return apr_isalnum(c) || c == '_' || c == '$' || ((unsigned char)c & 0x80);
}

/* Takes a name, in quotes or not. @return what follows; NULL: there is none */
static const char *take_name(const char **pname, const char *p,
                             apr_pool_t *pool)
{
    char *out = apr_pstrdup(pool, p);

    *pname = out;
    if (*p == '"') {
        for (p++; *p && (*p != '"' || p[1] == '"'); p++) {
            p += *p == '"';
            *out++ = *p;
        }
        *out = '\0';
        return *p && **pname ? p + 1 : NULL;
    }
    if (apr_isdigit(*p) || *p == '$') {
        return NULL;
    }
    for (; is_name_char(*p); p++) {
        *out++ = (char)apr_tolower(*p);
    }
    *out = '\0';
    return **pname ? p : NULL;
}

int dsapi_catalog_table(const char **pschema, const char **ptable,
                        const char *text, apr_pool_t *pool)
{
    const char *p = take_name(ptable, text, pool);

    *pschema = NULL;
    if (p && *p == '.') {
        *pschema = *ptable;
        p = take_name(ptable, p + 1, pool);
    }
    return p && *p == '\0';
}

void dsapi_catalog_call(dsapi_call_t *pcall, const apr_array_header_t *specs,
                        apr_pool_t *pool)
{
    apr_array_header_t *schemas =
        apr_array_make(pool, specs->nelts, sizeof(const char *));
    apr_array_header_t *tables =
        apr_array_make(pool, specs->nelts, sizeof(const char *));
    const char **values = apr_palloc(pool, 2 * sizeof(*values));

    for (int i = 0; i < specs->nelts; i++) {
        const dsapi_res_spec_t *spec =
            APR_ARRAY_IDX(specs, i, const dsapi_res_spec_t *);
        const char *schema = spec->schema;
        const char *table = NULL;

        if (!schema) {
            dsapi_catalog_table(&schema, &table, spec->table, pool);
        }
        APR_ARRAY_PUSH(schemas, const char *) = schema ? schema : "";
        APR_ARRAY_PUSH(tables, const char *) = table;
    }
    values[0] = dsapi_base_array_literal(schemas, pool);
    values[1] = dsapi_base_array_literal(tables, pool);
    pcall->sql = dsapi_sql_literal(catalog_sql, 2, pool);
    pcall->types = NULL;
    pcall->values = values;
}

/* Reading the documents; what is not there reads as null. */

static dsapi_json_slice_t member(const dsapi_json_slice_t *object,
                                 const char *name, apr_pool_t *pool)
{
    dsapi_json_slice_t value = {"null", 4, DSAPI_JSON_NULL};

    dsapi_json_find(&value, object, apr_pstrcat(pool, "/", name, NULL), pool);
    return value;
}

static const char *text_of(const dsapi_json_slice_t *object, const char *name,
                           apr_pool_t *pool)
{
    dsapi_json_slice_t value = member(object, name, pool);

    return value.kind == DSAPI_JSON_NULL ? NULL : dsapi_json_text(&value, pool);
}

static int is_true(const dsapi_json_slice_t *object, const char *name,
                   apr_pool_t *pool)
{
    return member(object, name, pool).kind == DSAPI_JSON_TRUE;
}

static apr_array_header_t *texts_of(const dsapi_json_slice_t *object,
                                    const char *name, apr_pool_t *pool)
{
    apr_array_header_t *texts = apr_array_make(pool, 2, sizeof(const char *));
    dsapi_json_slice_t list = member(object, name, pool);
    dsapi_json_slice_t item;
    dsapi_json_iter_t iter = {NULL};

    while (dsapi_json_next_item(&item, &iter, &list)) {
        APR_ARRAY_PUSH(texts, const char *) = dsapi_json_text(&item, pool);
    }
    return texts;
}

/* The client's name of a column. @return NULL: it is not shown */
static const char *shown_name(const dsapi_res_spec_t *spec, const char *sql)
{
    for (int i = 0; spec->columns && i < spec->columns->nelts; i++) {
        const dsapi_arg_t *arg = &APR_ARRAY_IDX(spec->columns, i, dsapi_arg_t);

        if (strcmp(arg->value, sql) == 0) {
            return arg->key ? arg->key : arg->value;
        }
    }
    return spec->columns ? NULL : sql;
}

static void take_column(dsapi_entity_t *entity,
                        const dsapi_json_slice_t *object, const char *function,
                        apr_pool_t *pool)
{
    const char *sql = text_of(object, "name", pool);
    const char *name = shown_name(entity->spec, sql);
    int is_etag = name && strcmp(name, "@etag") == 0;
    dsapi_column_t *column;

    if (!name || (function && dsapi_catalog_column(entity, name)) ||
        (is_etag && entity->etag)) {
        return;
    }
    column = is_etag ? apr_palloc(pool, sizeof(*column))
                     : apr_array_push(entity->columns);
    entity->etag = is_etag ? column : entity->etag;
    memset(column, 0, sizeof(*column));
    column->name = name;
    column->sql = sql;
    column->function = function;
    column->type = text_of(object, "type", pool);
    column->expected = text_of(object, "expected", pool);
    column->def = text_of(object, "def", pool);
    column->comment = text_of(object, "comment", pool);
    column->is_json = is_true(object, "is_json", pool);
    column->is_tsvector = is_true(object, "is_tsvector", pool);
    column->is_zoned = is_true(object, "is_zoned", pool);
    column->nullable = is_true(object, "nullable", pool);
    column->generated = function || is_true(object, "generated", pool);
}

/* Are these the same names, in whatever order? */
static int same_names(const apr_array_header_t *a, const apr_array_header_t *b)
{
    int found = 0;

    for (int i = 0; i < a->nelts; i++) {
        for (int j = 0; j < b->nelts; j++) {
            found += strcmp(APR_ARRAY_IDX(a, i, const char *),
                            APR_ARRAY_IDX(b, j, const char *)) == 0;
        }
    }
    return found == a->nelts && a->nelts == b->nelts;
}

static void take_keys(apr_array_header_t **ppk, apr_array_header_t **pfks,
                      const dsapi_json_slice_t *list, apr_pool_t *pool)
{
    apr_array_header_t *uniques = apr_array_make(pool, 2, sizeof(void *));
    dsapi_json_slice_t key;
    dsapi_json_iter_t iter = {NULL};

    *ppk = apr_array_make(pool, 1, sizeof(const char *));
    *pfks = apr_array_make(pool, 2, sizeof(dsapi_fk_t));
    while (dsapi_json_next_item(&key, &iter, list)) {
        const char *type = text_of(&key, "type", pool);
        apr_array_header_t *cols = texts_of(&key, "cols", pool);
        int kind = type ? *type : 0;

        if (kind == 'f') {
            dsapi_fk_t *fk = apr_array_push(*pfks);

            fk->name = text_of(&key, "name", pool);
            fk->target = text_of(&key, "target", pool);
            fk->cols = cols;
            fk->refs = texts_of(&key, "refs", pool);
            continue;
        }
        APR_ARRAY_PUSH(uniques, apr_array_header_t *) = cols;
        if (kind == 'p') {
            *ppk = cols;
        }
    }
    for (int i = 0; i < (*pfks)->nelts; i++) {
        dsapi_fk_t *fk = &APR_ARRAY_IDX(*pfks, i, dsapi_fk_t);

        fk->unique = 0;
        for (int j = 0; j < uniques->nelts; j++) {
            fk->unique |= same_names(
                fk->cols, APR_ARRAY_IDX(uniques, j, apr_array_header_t *));
        }
    }
}

/* A view and what is below it. */
static apr_array_header_t *layers_of(const dsapi_json_slice_t *list,
                                     apr_pool_t *pool)
{
    apr_array_header_t *layers =
        apr_array_make(pool, 4, sizeof(dsapi_view_layer_t));
    dsapi_json_slice_t doc;
    dsapi_json_iter_t iter = {NULL};

    while (dsapi_json_next_item(&doc, &iter, list)) {
        dsapi_view_layer_t *layer = apr_array_push(layers);
        dsapi_json_slice_t keys = member(&doc, "keys", pool);

        layer->oid = text_of(&doc, "oid", pool);
        layer->rule = text_of(&doc, "rule", pool);
        layer->cols = texts_of(&doc, "cols", pool);
        take_keys(&layer->pk, &layer->fks, &keys, pool);
    }
    return layers;
}

/* The column of DsapiKey, or the primary key's only one. */
static const dsapi_column_t *key_of(const dsapi_entity_t *entity)
{
    if (entity->spec->key) {
        return dsapi_catalog_column(entity, entity->spec->key);
    }
    for (int i = 0; entity->pk->nelts == 1 && i < entity->columns->nelts; i++) {
        const dsapi_column_t *column =
            &APR_ARRAY_IDX(entity->columns, i, dsapi_column_t);

        if (strcmp(column->sql, APR_ARRAY_IDX(entity->pk, 0, const char *)) ==
            0) {
            return column;
        }
    }
    return NULL;
}

/* The columns in the order of DsapiColumns. */
static apr_array_header_t *arranged(const dsapi_entity_t *entity,
                                    apr_pool_t *pool)
{
    const apr_array_header_t *args = entity->spec->columns;
    apr_array_header_t *columns =
        apr_array_make(pool, args->nelts, sizeof(dsapi_column_t));

    for (int i = 0; i < args->nelts; i++) {
        const dsapi_arg_t *arg = &APR_ARRAY_IDX(args, i, dsapi_arg_t);
        const dsapi_column_t *column =
            dsapi_catalog_column(entity, arg->key ? arg->key : arg->value);

        if (column) {
            APR_ARRAY_PUSH(columns, dsapi_column_t) = *column;
        }
    }
    return columns;
}

static void take_columns(dsapi_entity_t *entity, const dsapi_json_slice_t *doc,
                         apr_pool_t *pool)
{
    dsapi_json_slice_t stored = member(doc, "columns", pool);
    dsapi_json_slice_t computed = member(doc, "computed", pool);
    dsapi_json_slice_t item;
    dsapi_json_iter_t iter = {NULL};

    entity->columns = apr_array_make(pool, 16, sizeof(dsapi_column_t));
    entity->etag = NULL;
    while (dsapi_json_next_item(&item, &iter, &stored)) {
        take_column(entity, &item, NULL, pool);
    }
    iter.next = NULL;
    while (dsapi_json_next_item(&item, &iter, &computed)) {
        take_column(entity, &item, entity->schema, pool);
    }
    entity->whole = !entity->spec->columns && !entity->etag;
    if (entity->spec->columns) {
        entity->columns = arranged(entity, pool);
    }
}

static void take_entity(dsapi_entity_t *entity, const dsapi_res_spec_t *spec,
                        const dsapi_json_slice_t *doc, apr_pool_t *pool)
{
    dsapi_json_slice_t keys = member(doc, "keys", pool);
    dsapi_json_slice_t layers = member(doc, "layers", pool);

    entity->spec = spec;
    entity->oid = text_of(doc, "oid", pool);
    entity->schema = text_of(doc, "schema", pool);
    entity->table = text_of(doc, "table", pool);
    entity->comment = text_of(doc, "comment", pool);
    entity->is_table = is_true(doc, "is_table", pool);
    take_columns(entity, doc, pool);
    take_keys(&entity->pk, &entity->fks, &keys, pool);
    entity->layers =
        layers.kind == DSAPI_JSON_NULL ? NULL : layers_of(&layers, pool);
    entity->key = key_of(entity);
}

/* The resource that a table is. @return NULL: its name is another's */
static const dsapi_res_spec_t *spec_of(const dsapi_catalog_t *catalog,
                                       const dsapi_res_spec_t *spec,
                                       const dsapi_json_slice_t *doc,
                                       apr_pool_t *pool)
{
    dsapi_res_spec_t *own;

    if (!spec->schema) {
        return spec;
    }
    own = apr_pmemdup(pool, spec, sizeof(*spec));
    own->name = text_of(doc, "table", pool);
    return dsapi_catalog_find(catalog, own->name) ? NULL : own;
}

/* Rows as a table's that is in the catalogue. Their order is the function's,
 * and they are no rows that functions could be asked about. */
static void take_table_rows(dsapi_entity_t *result,
                            const dsapi_entity_t *entity, apr_pool_t *pool)
{
    *result = *entity;
    result->pk = apr_array_make(pool, 1, sizeof(const char *));
    result->key = NULL;
    result->columns =
        apr_array_make(pool, entity->columns->nelts, sizeof(dsapi_column_t));
    for (int i = 0; i < entity->columns->nelts; i++) {
        const dsapi_column_t *column =
            &APR_ARRAY_IDX(entity->columns, i, dsapi_column_t);

        if (!column->function) {
            APR_ARRAY_PUSH(result->columns, dsapi_column_t) = *column;
        }
    }
}

/* Rows that are no table's. */
static void take_own_rows(dsapi_entity_t *result,
                          const dsapi_function_t *function,
                          const dsapi_json_slice_t *doc, apr_pool_t *pool)
{
    dsapi_res_spec_t *spec = apr_pcalloc(pool, sizeof(*spec));
    dsapi_json_slice_t columns = member(doc, "columns", pool);
    dsapi_json_slice_t none = {"null", 4, DSAPI_JSON_NULL};
    dsapi_json_slice_t column;
    dsapi_json_iter_t iter = {NULL};

    spec->name = function->name;
    result->spec = spec;
    result->oid = "";
    result->schema = function->schema;
    result->table = function->name;
    result->columns = apr_array_make(pool, 4, sizeof(dsapi_column_t));
    while (dsapi_json_next_item(&column, &iter, &columns)) {
        take_column(result, &column, NULL, pool);
    }
    result->whole = !result->etag;
    take_keys(&result->pk, &result->fks, &none, pool);
}

static apr_array_header_t *arguments_of(const dsapi_json_slice_t *doc,
                                        apr_pool_t *pool)
{
    apr_array_header_t *arguments =
        apr_array_make(pool, 4, sizeof(dsapi_argument_t));
    dsapi_json_slice_t list = member(doc, "arguments", pool);
    dsapi_json_slice_t item;
    dsapi_json_iter_t iter = {NULL};

    while (dsapi_json_next_item(&item, &iter, &list)) {
        dsapi_argument_t *argument = apr_array_push(arguments);

        argument->name = text_of(&item, "name", pool);
        argument->type = text_of(&item, "type", pool);
        argument->cast = text_of(&item, "cast", pool);
        argument->required = is_true(&item, "required", pool);
        argument->variadic = is_true(&item, "variadic", pool);
    }
    return arguments;
}

static void take_function(dsapi_catalog_t *catalog,
                          const dsapi_json_slice_t *doc, apr_pool_t *pool)
{
    dsapi_function_t *function = apr_array_push(catalog->functions);
    const char *relation = text_of(doc, "relation", pool);
    const dsapi_entity_t *entity = NULL;

    function->schema = text_of(doc, "schema", pool);
    function->name = text_of(doc, "name", pool);
    function->arguments = arguments_of(doc, pool);
    function->set = is_true(doc, "set", pool);
    function->scalar = is_true(doc, "scalar", pool);
    function->none = is_true(doc, "none", pool);
    function->result = apr_pcalloc(pool, sizeof(*function->result));
    for (int i = 0; relation && !entity && i < catalog->entities->nelts; i++) {
        entity = &APR_ARRAY_IDX(catalog->entities, i, dsapi_entity_t);
        entity = strcmp(entity->oid, relation) == 0 ? entity : NULL;
    }
    if (entity) {
        take_table_rows(function->result, entity, pool);
    }
    else {
        take_own_rows(function->result, function, doc, pool);
    }
}

static void take_functions(dsapi_catalog_t *catalog, const dsapi_rows_t *rows,
                           apr_pool_t *pool)
{
    for (int i = 0; i < dsapi_rows_count(rows); i++) {
        const char *text =
            apr_pstrdup(pool, dsapi_rows_value(NULL, rows, i, 0));
        dsapi_json_slice_t doc;

        if (dsapi_json_check(&doc, NULL, text, strlen(text), pool) ==
            APR_SUCCESS) {
            take_function(catalog, &doc, pool);
        }
    }
}

dsapi_catalog_t *dsapi_catalog_make(const apr_array_header_t *specs,
                                    const dsapi_rows_t *rows,
                                    const dsapi_rows_t *casts,
                                    const dsapi_rows_t *functions,
                                    apr_pool_t *pool)
{
    dsapi_catalog_t *catalog = apr_pcalloc(pool, sizeof(*catalog));

    catalog->entities =
        apr_array_make(pool, specs->nelts, sizeof(dsapi_entity_t));
    catalog->functions = apr_array_make(pool, 4, sizeof(dsapi_function_t));
    catalog->casts = dsapi_cast_take(casts, pool);
    for (int i = 0; i < dsapi_rows_count(rows); i++) {
        apr_int64_t at = apr_atoi64(dsapi_rows_value(NULL, rows, i, 0)) - 1;
        const char *text =
            apr_pstrdup(pool, dsapi_rows_value(NULL, rows, i, 1));
        const dsapi_res_spec_t *spec =
            APR_ARRAY_IDX(specs, at, const dsapi_res_spec_t *);
        dsapi_json_slice_t doc;

        if (dsapi_json_check(&doc, NULL, text, strlen(text), pool) !=
            APR_SUCCESS) {
            continue;
        }
        spec = spec_of(catalog, spec, &doc, pool);
        if (spec) {
            take_entity(apr_array_push(catalog->entities), spec, &doc, pool);
        }
    }
    dsapi_view_link(catalog, pool);
    if (functions) {
        take_functions(catalog, functions, pool);
    }
    return catalog;
}

const dsapi_entity_t *dsapi_catalog_find(const dsapi_catalog_t *catalog,
                                         const char *name)
{
    for (int i = 0; i < catalog->entities->nelts; i++) {
        const dsapi_entity_t *entity =
            &APR_ARRAY_IDX(catalog->entities, i, dsapi_entity_t);

        if (strcmp(entity->spec->name, name) == 0) {
            return entity;
        }
    }
    return NULL;
}

const dsapi_column_t *dsapi_catalog_column(const dsapi_entity_t *entity,
                                           const char *name)
{
    for (int i = 0; i < entity->columns->nelts; i++) {
        const dsapi_column_t *column =
            &APR_ARRAY_IDX(entity->columns, i, dsapi_column_t);

        if (strcmp(column->name, name) == 0) {
            return column;
        }
    }
    return NULL;
}
