/*
 * POST of CSV to a resource: the body is kept in a file before a connection is
 * borrowed, and then stored, all of it or nothing.
 */
#include "csv/import.h"

#include <apr_strings.h>

#include "csv/media.h"
#include "csv/report.h"
#include "httpd/dbpool.h"
#include "httpd/request.h"
#include "httpd/resource.h"
#include "resource/import.h"
#include "resource/problem.h"
#include "resource/range.h"
#include "resource/write.h"

/* An import on its way. */
typedef struct import_t {
    mod_dsapi_ask_t *ask;
    dsapi_import_spec_t spec;
    dsapi_import_t *import;
    dsapi_import_report_t report;
    mod_dsapi_tx_t tx; /* with an Idempotency-Key */
} import_t;

/* Takes delimiter= out of the query, where it is no filter.
 * @return APR_SUCCESS; DSAPI_EPARAM */
static apr_status_t take_delimiter(mod_dsapi_ask_t *ask, dsapi_err_t **perr)
{
    apr_pool_t *pool = ask->r->pool;
    apr_array_header_t *others =
        apr_array_make(pool, ask->pairs->nelts, sizeof(dsapi_pair_t));

    ask->delimiter = ',';
    *perr = NULL;
    for (int i = 0; i < ask->pairs->nelts; i++) {
        const dsapi_pair_t *pair = &APR_ARRAY_IDX(ask->pairs, i, dsapi_pair_t);

        if (strcmp(pair->name, "delimiter") != 0) {
            APR_ARRAY_PUSH(others, dsapi_pair_t) = *pair;
        }
        else if (!dsapi_csv_is_delimiter(pair->value)) {
            return dsapi_fail_field(perr, pool, "query", "delimiter",
                                    "must be one character of ASCII, and no "
                                    "quote or end of a line");
        }
        else {
            ask->delimiter = *pair->value;
        }
    }
    ask->pairs = others;
    return APR_SUCCESS;
}

apr_status_t mod_dsapi_ask_spool(mod_dsapi_ask_t *ask, dsapi_err_t **perr)
{
    request_rec *r = ask->r;
    int allow = ask->resource->allow;
    const char *key = apr_table_get(r->headers_in, "Idempotency-Key");
    const char *why;
    int csv = dsapi_csv_is_media(
        &why, apr_table_get(r->headers_in, "Content-Type"), r->pool);
    apr_status_t rv;

    if (r->method_number != M_POST || ask->above ||
        (csv && !(allow & MOD_DSAPI_IMPORT)) ||
        (!csv && (allow & MOD_DSAPI_CREATE))) {
        return APR_SUCCESS; /* JSON, or refused as not being that */
    }
    if (!csv || why) {
        return dsapi_fail(perr, r->pool, DSAPI_EMEDIA, "unsupported-type", "%s",
                          why ? why
                              : "the body must be text/csv, said so in "
                                "Content-Type");
    }
    rv = take_delimiter(ask, perr);
    return rv == APR_SUCCESS
               ? mod_dsapi_spool_body(&ask->spool, &ask->spool_bytes,
                                      key ? ask->spool_digest : NULL, perr, r,
                                      mod_dsapi_ask_max_body(ask))
               : rv;
}

/* Settings of the transaction. Its statements have no time limit of their own:
 * that would count our reading. */
static apr_status_t take_setup(import_t *it, dsapi_err_t **perr)
{
    const mod_dsapi_ask_t *ask = it->ask;
    apr_pool_t *pool = ask->r->pool;
    apr_array_header_t *calls = mod_dsapi_ask_calls(ask);
    apr_size_t n = (apr_size_t)ask->route->service->session->nelts + 1;
    dsapi_batch_t batch;
    const char **values;
    apr_status_t rv =
        mod_dsapi_make_batch(&batch, perr, ask->r, ask->route, calls);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    values = apr_pmemdup(pool, APR_ARRAY_IDX(calls, 0, dsapi_call_t).values,
                         n * sizeof(*values));
    values[0] = "0";
    APR_ARRAY_IDX(calls, 0, dsapi_call_t).values = values;
    it->spec.setup = (const dsapi_call_t *)calls->elts;
    it->spec.nsetup = calls->nelts;
    return APR_SUCCESS;
}

/* A dsapi_import_show_fn. */
static void show(dsapi_call_t *pcall, void *baton, const char *insert,
                 apr_pool_t *pool)
{
    const import_t *it = baton;

    dsapi_resource_show(pcall, it->ask->query, insert, pool);
}

/* Are the rows to be shown? Those of a file that is no larger than what is held
 * in memory of any answer, to who may see them, or has made them. */
static int is_shown(const mod_dsapi_ask_t *ask)
{
    return ask->prefer.answer == DSAPI_PREFER_FULL && !ask->singular &&
           ask->spool_bytes <= mod_dsapi_srv_of(ask->r->server)->buffer_bytes &&
           (ask->prefer.resolution == 0 ||
            (ask->resource->allow & MOD_DSAPI_LIST));
}

/* A dsapi_import_begin_fn. */
static apr_status_t begin(int *pdone, dsapi_err_t **perr, void *baton,
                          dsapi_db_t *db)
{
    import_t *it = baton;
    apr_status_t rv = mod_dsapi_tx_begin(&it->tx, perr, db);

    *pdone = it->tx.done;
    return rv;
}

/* A dsapi_import_commit_fn. */
static apr_status_t commit(dsapi_err_t **perr, void *baton, dsapi_db_t *db)
{
    import_t *it = baton;

    return mod_dsapi_tx_commit(&it->tx, perr, db);
}

/* Where the file goes to. */
static apr_status_t take_spec(import_t *it, dsapi_err_t **perr)
{
    const mod_dsapi_ask_t *ask = it->ask;
    apr_pool_t *pool = ask->r->pool;
    dsapi_import_spec_t *spec = &it->spec;
    apr_array_header_t *keys;
    apr_status_t rv = dsapi_resource_check_filters(perr, ask->query, pool);

    if (rv == APR_SUCCESS) {
        rv = dsapi_resource_import(spec, perr, ask->entity, ask->query->columns,
                                   ask->prefer.missing == DSAPI_PREFER_DEFAULT,
                                   pool);
    }
    if (rv == APR_SUCCESS) {
        rv = mod_dsapi_ask_conflict(&keys, perr, ask);
    }
    if (rv == APR_SUCCESS) {
        rv = take_setup(it, perr);
    }
    if (rv == APR_SUCCESS) {
        rv = mod_dsapi_ask_once(&it->tx.once, perr, ask, ask->spool_digest);
    }
    if (rv != APR_SUCCESS) {
        return rv;
    }
    if (keys->nelts > 0) {
        spec->mode = ask->prefer.resolution == DSAPI_PREFER_MERGE
                         ? DSAPI_IMPORT_MERGE
                         : DSAPI_IMPORT_IGNORE;
        spec->keys = (const char *const *)keys->elts;
        spec->nkeys = keys->nelts;
    }
    if (is_shown(ask)) {
        spec->show = show;
    }
    if (it->tx.once.key) {
        spec->begin = begin;
        spec->commit = commit;
    }
    spec->baton = it;
    spec->delimiter = ask->delimiter;
    spec->rollback = ask->prefer.tx == DSAPI_PREFER_ROLLBACK;
    return APR_SUCCESS;
}

/* Reads the header. A mistake in it is perhaps none of the table's, which has
 * changed. */
static apr_status_t open_spool(import_t *it, dsapi_err_t **perr)
{
    const mod_dsapi_ask_t *ask = it->ask;
    apr_pool_t *pool = ask->r->pool;
    apr_off_t start = 0;
    apr_status_t rv = apr_file_seek(ask->spool, APR_SET, &start);

    if (rv != APR_SUCCESS) {
        return dsapi_fail(perr, pool, DSAPI_EINTERNAL, "internal",
                          "the service could not read what it has received");
    }
    rv = dsapi_import_open(&it->import, perr, &it->spec, ask->spool, pool);
    if (rv == DSAPI_EPARAM) {
        (*perr)->code = "invalid-header";
    }
    return rv;
}

/* A file that is larger than DsapiBuffer holds its connection for longer than
 * other requests do, as a stream. */
static apr_status_t keep_loan(const mod_dsapi_ask_t *ask, dsapi_err_t **perr,
                              mod_dsapi_loan_t *loan)
{
    apr_off_t buffer_bytes = mod_dsapi_srv_of(ask->r->server)->buffer_bytes;
    apr_status_t rv = ask->spool_bytes <= buffer_bytes
                          ? APR_SUCCESS
                          : mod_dsapi_db_stream(loan, perr, ask->r->pool);

    return rv == DSAPI_EINTERNAL
               ? dsapi_fail(perr, ask->r->pool, DSAPI_ETOOBIG, "body-too-large",
                            "the body is larger than %" APR_OFF_T_FMT " bytes",
                            buffer_bytes)
               : rv;
}

/* A mod_dsapi_use_t. DsapiDBTimeout is for each DsapiBuffer that has begun. */
static apr_status_t run(void *baton, dsapi_err_t **perr, mod_dsapi_loan_t *loan)
{
    import_t *it = baton;
    const mod_dsapi_ask_t *ask = it->ask;
    apr_time_t times =
        ask->spool_bytes / mod_dsapi_srv_of(ask->r->server)->buffer_bytes + 1;
    apr_status_t rv = keep_loan(ask, perr, loan);

    return rv == APR_SUCCESS
               ? dsapi_import_run(&it->report, perr, it->import, loan->db,
                                  apr_time_now() +
                                      mod_dsapi_timeout_of(ask->r, ask->route) *
                                          times,
                                  ask->r->pool)
               : rv;
}

static void set_headers(const import_t *it)
{
    const mod_dsapi_ask_t *ask = it->ask;
    dsapi_prefer_t obeyed = ask->prefer;
    int counted = obeyed.count == DSAPI_PREFER_EXACT ||
                  obeyed.count == DSAPI_PREFER_ESTIMATED;

    if (it->spec.mode == DSAPI_IMPORT_INSERT) {
        obeyed.resolution = 0;
    }
    if (obeyed.answer != DSAPI_PREFER_MINIMAL && !it->spec.show) {
        obeyed.answer = 0;
    }
    obeyed.max_affected = -1;
    mod_dsapi_ask_applied(ask, &obeyed);
    apr_table_setn(ask->r->headers_out, "Content-Range",
                   dsapi_resource_content_range(
                       0, 0, counted ? it->report.stored : -1, ask->r->pool));
}

/* The answer of an import. */
static apr_status_t finish(void *baton, dsapi_err_t **perr)
{
    const import_t *it = baton;
    mod_dsapi_ask_t *ask = it->ask;

    set_headers(it);
    ask->answer.status = it->report.none_new ? HTTP_OK : HTTP_CREATED;
    ask->answer.type = NULL;
    return it->spec.show ? mod_dsapi_ask_write(ask, perr, it->report.shown)
                         : APR_SUCCESS;
}

apr_status_t mod_dsapi_ask_import(mod_dsapi_ask_t *ask, dsapi_err_t **perr)
{
    import_t it = {.ask = ask,
                   .tx = {.ask = ask, .finish = finish, .baton = &it}};
    mod_dsapi_use_t use = {run, &it, 0, 0};
    apr_status_t rv;

    if (apr_table_get(ask->r->headers_in, "If-Match")) {
        return mod_dsapi_ask_changed(perr, ask); /* a list has no validator */
    }
    rv = take_spec(&it, perr);
    if (rv == APR_SUCCESS) {
        rv = open_spool(&it, perr);
    }
    if (rv == APR_SUCCESS) {
        rv = mod_dsapi_db_use(perr, ask->r->server, &use, ask->r->pool);
    }
    if (rv == APR_SUCCESS) {
        return it.tx.once.key ? rv : finish(&it, perr);
    }
    mod_dsapi_tx_failed(ask);
    if (it.report.rows && it.report.rows->nelts > 0) {
        (*perr)->rows = dsapi_import_rows_json(&it.report, ask->r->pool);
        (*perr)->more = it.report.more;
    }
    return rv;
}
