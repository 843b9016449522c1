/* The SQL of an import: see load.h. */
#include "csv/load.h"

#include <apr_strings.h>
#include <string.h>

#include "base/text.h"
#include "csv/copy.h"
#include "sql/wrap.h"

/* The temporary table. */
#define STAGE "dsapi_import"

void dsapi_load_put(dsapi_buf_t *buf, const dsapi_import_t *import,
                    const dsapi_csv_record_t *record)
{
    if (import->staged) {
        char number[24];
        int n = apr_snprintf(number, sizeof(number), "%" APR_UINT64_T_FMT "\t",
                             record->number);

        dsapi_buf_put(buf, number, (apr_size_t)n);
    }
    for (int i = 0; i < import->ncolumns; i++) {
        const dsapi_csv_field_t *field = &record->fields[i];

        if (i > 0) {
            dsapi_buf_putc(buf, '\t');
        }
        if (i < import->nfields) {
            dsapi_csv_copy_put(buf, field->text, field->len_bytes);
        }
        else {
            dsapi_csv_copy_put(buf, NULL, 0);
        }
    }
    dsapi_buf_putc(buf, '\n');
}

int dsapi_load_is_whole(const dsapi_import_t *import,
                        const dsapi_csv_record_t *record)
{
    return record->fault == DSAPI_CSV_GOOD &&
           record->nfields == import->nfields;
}

apr_status_t dsapi_load_unreadable(dsapi_err_t **perr, apr_status_t rv,
                                   apr_pool_t *pool)
{
    char why[128];

    dsapi_fail(perr, pool, DSAPI_EINTERNAL, "internal",
               "the service could not read what it has received");
    (*perr)->internal = apr_psprintf(pool, "the received file: %s",
                                     apr_strerror(rv, why, sizeof(why)));
    return DSAPI_EINTERNAL;
}

apr_status_t dsapi_load_rewind(dsapi_import_t *import, dsapi_err_t **perr,
                               apr_pool_t *pool)
{
    const dsapi_csv_record_t *header;
    apr_off_t offset = import->header.offset;
    apr_status_t rv = apr_file_seek(import->spool, APR_SET, &offset);

    dsapi_csv_reader_resume(import->reader, &import->header);
    if (rv == APR_SUCCESS) {
        rv = dsapi_csv_read(&header, import->reader);
    }
    return rv == APR_SUCCESS ? rv : dsapi_load_unreadable(perr, rv, pool);
}

const char *dsapi_load_excerpt(const char *text, apr_size_t len_bytes,
                               apr_size_t max_bytes, apr_pool_t *pool)
{
    static const char unknown[] = {'\xef', '\xbf', '\xbd'}; /* U+FFFD */
    char *out = apr_palloc(pool, max_bytes + 8);
    apr_size_t len = 0;
    apr_size_t i = 0;

    while (i < len_bytes && len < max_bytes) {
        apr_size_t n =
            text[i] ? dsapi_base_utf8_length(text + i, len_bytes - i) : 0;

        if (n > 0) {
            memcpy(out + len, text + i, n);
        }
        else {
            memcpy(out + len, unknown, sizeof(unknown));
        }
        len += n ? n : sizeof(unknown);
        i += n ? n : 1;
    }
    apr_cpystrn(out + len, i < len_bytes ? "..." : "", 4);
    return out;
}

/* --- SQL --- */

static void put(dsapi_buf_t *buf, const char *text)
{
    dsapi_buf_put(buf, text, strlen(text));
}

static void put_names(dsapi_buf_t *buf, const char *const *names, int n)
{
    for (int i = 0; i < n; i++) {
        put(buf, i ? ", " : "");
        dsapi_sql_put_name(buf, names[i]);
    }
}

static void put_table(dsapi_buf_t *buf, const dsapi_import_spec_t *spec)
{
    dsapi_sql_put_name(buf, spec->schema);
    put(buf, ".");
    dsapi_sql_put_name(buf, spec->table);
}

static const char *stage_sql(const dsapi_import_t *import, apr_pool_t *pool)
{
    dsapi_buf_t *buf = dsapi_buf_make(0, pool);

    put(buf, "CREATE TEMP TABLE " STAGE " ON COMMIT DROP AS SELECT 0::bigint "
             "AS ");
    put_names(buf, import->names, 1);
    put(buf, ", ");
    put_names(buf, import->names + 1, import->ncolumns);
    put(buf, " FROM ");
    put_table(buf, import->spec);
    put(buf, " WITH NO DATA");
    return dsapi_buf_str(buf);
}

static const char *copy_sql(const dsapi_import_t *import, int apart,
                            apr_pool_t *pool)
{
    dsapi_buf_t *buf = dsapi_buf_make(0, pool);

    put(buf, apart ? "SAVEPOINT dsapi; " : "");
    if (import->staged) {
        put(buf, apart ? "TRUNCATE pg_temp." STAGE "; " : "");
        put(buf, "COPY pg_temp." STAGE " (");
        put_names(buf, import->names, import->ncolumns + 1);
    }
    else {
        put(buf, "COPY ");
        put_table(buf, import->spec);
        put(buf, " (");
        put_names(buf, import->names + 1, import->ncolumns);
    }
    put(buf, ") FROM STDIN");
    return dsapi_buf_str(buf);
}

/* Does the file have all columns of the key? */
static int has_keys(const dsapi_import_t *import)
{
    const dsapi_import_spec_t *spec = import->spec;
    int found = 0;

    for (int i = 0; i < spec->nkeys; i++) {
        for (int j = 0; j < import->ncolumns; j++) {
            found += strcmp(spec->keys[i], import->columns[j]->sql) == 0;
        }
    }
    return found == spec->nkeys;
}

/* What only records with the same key have in common: where a column of it is
 * NULL, no two are the same. */
static void put_key(dsapi_buf_t *buf, const dsapi_import_t *import)
{
    const dsapi_import_spec_t *spec = import->spec;

    put_names(buf, spec->keys, spec->nkeys);
    put(buf, ", CASE WHEN num_nulls(");
    put_names(buf, spec->keys, spec->nkeys);
    put(buf, ") > 0 THEN ");
    put_names(buf, import->names, 1);
    put(buf, " END");
}

/* Of records with the same key the last: ON CONFLICT changes no row twice. */
static void put_last(dsapi_buf_t *buf, const dsapi_import_t *import)
{
    put(buf, "SELECT DISTINCT ON (");
    put_key(buf, import);
    put(buf, ") ");
    put_names(buf, import->names + 1, import->ncolumns);
    put(buf, " FROM pg_temp." STAGE " ORDER BY ");
    put_key(buf, import);
    put(buf, ", ");
    put_names(buf, import->names, 1);
    put(buf, " DESC");
}

static void put_conflict(dsapi_buf_t *buf, const dsapi_import_t *import)
{
    const dsapi_import_spec_t *spec = import->spec;

    put(buf, " ON CONFLICT ");
    if (spec->nkeys > 0) {
        put(buf, "(");
        put_names(buf, spec->keys, spec->nkeys);
        put(buf, ") ");
    }
    if (spec->mode == DSAPI_IMPORT_IGNORE) {
        put(buf, "DO NOTHING");
        return;
    }
    put(buf, "DO UPDATE SET ");
    for (int i = 1; i <= import->ncolumns; i++) {
        put(buf, i > 1 ? ", " : "");
        dsapi_sql_put_name(buf, import->names[i]);
        put(buf, " = EXCLUDED.");
        dsapi_sql_put_name(buf, import->names[i]);
    }
    put(buf, " WHERE set_config('dsapi_import.changed', (");
    put(buf, DSAPI_LOAD_CHANGED "::bigint + 1)::text, true) <> ''");
}

static const char *insert_sql(const dsapi_import_t *import, apr_pool_t *pool)
{
    const dsapi_import_spec_t *spec = import->spec;
    dsapi_buf_t *buf = dsapi_buf_make(0, pool);

    put(buf, "INSERT INTO ");
    put_table(buf, spec);
    put(buf, " AS t0 (");
    put_names(buf, import->names + 1, import->ncolumns);
    put(buf, ") ");
    if (spec->mode == DSAPI_IMPORT_MERGE && has_keys(import)) {
        put_last(buf, import);
    }
    else {
        put(buf, "SELECT ");
        put_names(buf, import->names + 1, import->ncolumns);
        put(buf, " FROM pg_temp." STAGE " ORDER BY ");
        put_names(buf, import->names, 1);
    }
    if (spec->mode != DSAPI_IMPORT_INSERT) {
        put_conflict(buf, import);
    }
    return dsapi_buf_str(buf);
}

/* --- running it --- */

apr_interval_time_t dsapi_load_left(const dsapi_import_t *import)
{
    apr_interval_time_t left;

    if (!import->until) {
        return 0;
    }
    left = import->until - apr_time_now();
    return left > 0 ? left : 1;
}

/* dsapi_db_run makes a connection that has died anew, and sets what COPY's
 * data relies on. */
apr_status_t dsapi_load_begin(dsapi_err_t **perr, const dsapi_import_t *import,
                              int begun, apr_pool_t *pool)
{
    const dsapi_import_spec_t *spec = import->spec;
    int n = spec->nsetup + 1;
    dsapi_call_t *calls = apr_pcalloc(pool, sizeof(*calls) * (apr_size_t)n);
    dsapi_batch_t batch = {calls + begun, n - begun, 1,
                           dsapi_load_left(import)};
    dsapi_copy_end_t end;
    dsapi_rows_t *rows;
    apr_status_t rv;

    calls[0].sql = dsapi_sql_literal("BEGIN", 0, pool);
    for (int i = 1; i < n; i++) {
        calls[i] = spec->setup[i - 1];
    }
    rv = dsapi_db_run(&rows, perr, import->db, &batch, pool);
    if (rv == APR_SUCCESS && import->staged) {
        rv = dsapi_load_run(&end, perr, import, stage_sql(import, pool), pool);
    }
    return rv;
}

apr_status_t dsapi_load_run(dsapi_copy_end_t *pend, dsapi_err_t **perr,
                            const dsapi_import_t *import, const char *sql,
                            apr_pool_t *pool)
{
    /* columns: an error may be about one without a COPY */
    dsapi_copy_t copy = {sql,
                         NULL,
                         NULL,
                         NULL,
                         import->names + !import->staged,
                         import->ncolumns + import->staged,
                         import->until};

    return dsapi_db_copy(pend, perr, import->db, &copy, pool);
}

/* What is staged goes into the table, and its rows are shown. Whether an error
 * is of a row is not known: it may be. */
static apr_status_t show(dsapi_copy_end_t *pend, dsapi_err_t **perr,
                         dsapi_import_t *import, apr_pool_t *pool)
{
    dsapi_call_t call;
    dsapi_batch_t batch = {&call, 1, 0, dsapi_load_left(import)};
    apr_status_t rv;

    import->spec->show(&call, import->spec->baton, insert_sql(import, pool),
                       pool);
    rv = dsapi_db_run(&import->shown, perr, import->db, &batch, pool);
    memset(pend, 0, sizeof(*pend));
    pend->of_row = rv != APR_SUCCESS && (*perr)->sqlstate;
    pend->affected = rv == APR_SUCCESS ? dsapi_rows_count(import->shown) : 0;
    return rv;
}

apr_status_t dsapi_load_store(dsapi_copy_end_t *pend, dsapi_err_t **perr,
                              dsapi_import_t *import, int apart,
                              dsapi_copy_fn source, void *baton,
                              apr_pool_t *pool)
{
    dsapi_copy_t copy = {copy_sql(import, apart, pool),
                         source,
                         baton,
                         import->staged ? STAGE : import->spec->table,
                         import->names + !import->staged,
                         import->ncolumns + import->staged,
                         import->until};
    apr_status_t rv = dsapi_db_copy(pend, perr, import->db, &copy, pool);

    if (rv == APR_SUCCESS && import->staged) {
        rv = import->spec->show && !apart
                 ? show(pend, perr, import, pool)
                 : dsapi_load_run(pend, perr, import, insert_sql(import, pool),
                                  pool);
    }
    return rv;
}
