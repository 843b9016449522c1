/* The types that clients cast to: see cast.h. */
#include "resource/cast.h"

#include <apr_lib.h>
#include <apr_strings.h>
#include <string.h>

#include "base/type.h"
#include "resource/build.h"
#include "resource/catalog.h"

/* An array is as its elements are. */
static const char casts_sql[] =
    "SELECT n.nspname, t.typname, pg_catalog.pg_type_is_visible(t.oid) "
    "FROM pg_catalog.pg_type t "
    "JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace "
    "JOIN pg_catalog.pg_type e ON e.oid = CASE WHEN t.typcategory = 'A' AND "
    "t.typelem <> 0 THEN t.typelem ELSE t.oid END "
    "LEFT JOIN pg_catalog.pg_class c ON c.oid = e.typrelid "
    "WHERE (n.nspname = 'pg_catalog' OR n.nspname = ANY ($1::name[]) OR "
    "pg_catalog.pg_type_is_visible(t.oid)) AND "
    "'p' NOT IN (t.typtype, e.typtype) AND coalesce(c.relkind, 'c') = 'c' AND "
    "NOT (e.typtype = 'd' AND e.typcategory = 'C') AND "
    "NOT (n.nspname = 'pg_catalog' AND t.typname ~ '^_?(reg|aclitem)')";

void dsapi_cast_call(dsapi_call_t *pcall, const apr_array_header_t *specs,
                     apr_pool_t *pool)
{
    apr_array_header_t *schemas =
        apr_array_make(pool, specs->nelts, sizeof(const char *));
    const char **values = apr_palloc(pool, sizeof(*values));

    for (int i = 0; i < specs->nelts; i++) {
        const dsapi_res_spec_t *spec =
            APR_ARRAY_IDX(specs, i, const dsapi_res_spec_t *);
        const char *schema = spec->schema;
        const char *table;

        if (schema ||
            (dsapi_catalog_table(&schema, &table, spec->table, pool) &&
             schema)) {
            APR_ARRAY_PUSH(schemas, const char *) = schema;
        }
    }
    values[0] = dsapi_base_array_literal(schemas, pool);
    pcall->sql = dsapi_sql_literal(casts_sql, 1, pool);
    pcall->types = NULL;
    pcall->values = values;
}

apr_array_header_t *dsapi_cast_take(const dsapi_rows_t *rows, apr_pool_t *pool)
{
    int nrows = dsapi_rows_count(rows);
    apr_array_header_t *casts =
        apr_array_make(pool, nrows, sizeof(dsapi_cast_t));

    for (int i = 0; i < nrows; i++) {
        dsapi_cast_t *cast = apr_array_push(casts);

        cast->schema = apr_pstrdup(pool, dsapi_rows_value(NULL, rows, i, 0));
        cast->name = apr_pstrdup(pool, dsapi_rows_value(NULL, rows, i, 1));
        cast->visible = *dsapi_rows_value(NULL, rows, i, 2) == 't';
    }
    return casts;
}

/* What SQL has other words for, and what is shorter by these than the type of
 * the same name. */
static const char *const words[][2] = {
    {"bigint", "int8"},
    {"bit", "bit(1)"},
    {"bit varying", "varbit"},
    {"boolean", "bool"},
    {"char", "bpchar(1)"},
    {"char varying", "varchar"},
    {"character", "bpchar(1)"},
    {"character varying", "varchar"},
    {"dec", "numeric"},
    {"decimal", "numeric"},
    {"double precision", "float8"},
    {"float", "float8"},
    {"int", "int4"},
    {"integer", "int4"},
    {"national char", "bpchar(1)"},
    {"national char varying", "varchar"},
    {"national character", "bpchar(1)"},
    {"national character varying", "varchar"},
    {"nchar", "bpchar(1)"},
    {"nchar varying", "varchar"},
    {"real", "float4"},
    {"smallint", "int2"},
    {"time with time zone", "timetz"},
    {"time without time zone", "time"},
    {"timestamp with time zone", "timestamptz"},
    {"timestamp without time zone", "timestamp"},
};

/* How well a type is found. @return 0: not at all */
static int rank(const dsapi_cast_t *cast, const char *schema)
{
    return strcmp(cast->schema, "pg_catalog") == 0 ? 3
           : strcmp(cast->schema, schema) == 0     ? 2
                                                   : cast->visible;
}

static const char *find_name(const apr_array_header_t *casts, const char *name,
                             const char *schema, apr_pool_t *pool)
{
    const dsapi_cast_t *best = NULL;
    dsapi_build_t build;

    for (int i = 0; i < casts->nelts; i++) {
        const dsapi_cast_t *cast = &APR_ARRAY_IDX(casts, i, dsapi_cast_t);

        if (strcmp(cast->name, name) == 0 &&
            rank(cast, schema) > (best ? rank(best, schema) : 0)) {
            best = cast;
        }
    }
    if (!best) {
        return NULL;
    }
    dsapi_build_init(&build, -1, pool);
    dsapi_build_name(&build, best->schema);
    dsapi_build_put(&build, ".", NULL);
    dsapi_build_name(&build, best->name);
    return dsapi_buf_str(build.text);
}

static const char *find_type(const apr_array_header_t *casts, const char *name,
                             const char *schema, apr_pool_t *pool)
{
    for (apr_size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (strcmp(name, words[i][0]) == 0) {
            return apr_pstrcat(pool, "pg_catalog.", words[i][1], NULL);
        }
    }
    return find_name(casts, name, schema, pool);
}

const char *dsapi_cast_find(const apr_array_header_t *casts, const char *name,
                            const char *schema, apr_pool_t *pool)
{
    static const char array[] = " array";
    char *lower = apr_pstrdup(pool, name);
    char *end;
    const char *sql;

    for (end = lower; *end; end++) {
        *end = (char)apr_tolower(*end);
    }
    if ((apr_size_t)(end - lower) < strlen(array) ||
        strcmp(end -= strlen(array), array) != 0) {
        return find_type(casts, lower, schema, pool);
    }
    *end = '\0';
    sql = find_type(casts, lower, schema, pool);
    return sql ? apr_pstrcat(pool, sql, "[]", NULL) : NULL;
}
