/* Statements on their way to the server: see pq.h. */
#include <apr_strings.h>
#include <string.h>

#include "db/pq.h"
#include "sql/wrap.h"

/* How many statements one backend prepares; what comes later is sent whole.
 * Filters make their SQL as they are asked for. */
#define PREPARED_MAX 500

/* The unnamed statement, which each batch makes anew. */
#define UNNAMED ""

void dsapi_db_forget_prepared(dsapi_db_t *db)
{
    apr_pool_clear(db->prepared_pool);
    db->prepared = apr_hash_make(db->prepared_pool);
    db->backend_pid = PQbackendPID(db->conn);
    db->watched = 0;
}

/* The same text with other types is another statement (FNV-1a goes on). */
static apr_uint64_t call_hash(const dsapi_call_t *call)
{
    apr_uint64_t hash = call->sql->hash;

    for (int i = 0; call->types && i < call->sql->nparams; i++) {
        hash = (hash ^ call->types[i]) * APR_UINT64_C(0x100000001b3);
    }
    return hash;
}

/* What is remembered of a statement, prepared or not. @return NULL: nothing
 * can be */
static prepared_t *memory_of(dsapi_db_t *db, const dsapi_call_t *call)
{
    apr_uint64_t hash = call_hash(call);
    prepared_t *p = apr_hash_get(db->prepared, &hash, sizeof(hash));

    if (!p && apr_hash_count(db->prepared) < PREPARED_MAX) {
        p = apr_pcalloc(db->prepared_pool, sizeof(*p));
        p->hash = hash;
        p->generation = db->generation;
        apr_hash_set(db->prepared, &p->hash, sizeof(p->hash), p);
    }
    return p;
}

static void push_step(dsapi_db_t *db, prepared_t *prepares)
{
    db->steps[db->nsteps++].prepares = prepares;
}

static const char *name_of(const dsapi_db_t *db, prepared_t *p)
{
    if (!p->name) {
        p->name = apr_psprintf(db->prepared_pool,
                               "dsapi_%016" APR_UINT64_T_HEX_FMT "_%u%s",
                               p->hash, p->generation, p->text ? "_json" : "");
    }
    return p->name;
}

static int send_prepare(dsapi_db_t *db, prepared_t *p, const char *name,
                        const dsapi_call_t *call)
{
    const dsapi_sql_t *sql = call->sql;

    if (p && p->state != UNKNOWN) {
        return 1;
    }
    if (p) {
        p->state = SENT;
    }
    push_step(db, p);
    return PQsendPrepare(db->conn, name, p && p->text ? p->text : sql->text,
                         sql->nparams, call->types);
}

/* @param binary  1: the values are to come in binary */
static int send_run(dsapi_db_t *db, const char *name, const dsapi_call_t *call,
                    int binary)
{
    push_step(db, NULL);
    return PQsendQueryPrepared(db->conn, name, call->sql->nparams, call->values,
                               NULL, NULL, binary);
}

static int send_prepared(dsapi_db_t *db, prepared_t *p,
                         const dsapi_call_t *call, int binary)
{
    const char *name = name_of(db, p);

    return send_prepare(db, p, name, call) && send_run(db, name, call, binary);
}

static int send_whole(dsapi_db_t *db, const char *text,
                      const dsapi_call_t *call, int binary)
{
    push_step(db, NULL);
    return PQsendQueryParams(db->conn, text, call->sql->nparams, call->types,
                             call->values, NULL, NULL, binary);
}

static int send_describe(dsapi_db_t *db, const char *name)
{
    push_step(db, NULL);
    return PQsendDescribePrepared(db->conn, name);
}

/* One statement whose values come as they are printed, or in binary. p: what it
 * is prepared as; NULL: it is sent whole */
static int send_call(dsapi_db_t *db, prepared_t *p, const dsapi_call_t *call,
                     int binary)
{
    return p ? send_prepared(db, p, call, binary)
             : send_whole(db, call->sql->text, call, binary);
}

/*
 * The last statement, whose values are to become JSON. The first time we ask
 * for its columns. Where they are of built-in types it is run as it is from
 * then on.
 *
 * Else another statement is run in its place, whose text depends on the number
 * of its columns. So the server is to describe the first one before: it
 * refuses (0A000) where the columns are others by now, and nothing has been
 * run. A statement without a name is asked for its columns each time instead.
 */
static int send_last(dsapi_db_t *db, const dsapi_call_t *call)
{
    prepared_t *last = db->last = memory_of(db, call);
    prepared_t *p = db->prepare ? last : NULL;
    const char *name;

    if (last && last->described && !last->made) {
        return send_call(db, p, call, db->binary && last->binary);
    }
    name = p ? name_of(db, p) : UNNAMED;
    if (p && p->described) {
        db->made = p->made;
        return send_describe(db, name) && send_prepared(db, p->json, call, 0);
    }
    db->asking = call;
    if (!send_prepare(db, p, name, call) || !send_describe(db, name)) {
        return 0;
    }
    db->steps[db->nsteps - 1].describes = 1;
    return PQsendFlushRequest(db->conn);
}

/*
 * What we write as JSON is read from text: UTF-8, and dates as ISO 8601. A
 * server, database, role or statement may set them otherwise. The server
 * tells us of each change, also when one is undone with its transaction.
 */
static int send_settings(dsapi_db_t *db)
{
    const char *encoding = PQparameterStatus(db->conn, "client_encoding");
    const char *style = PQparameterStatus(db->conn, "DateStyle");

    if (PQtransactionStatus(db->conn) == PQTRANS_INERROR ||
        (encoding && strcmp(encoding, "UTF8") == 0 && style &&
         strncmp(style, "ISO", 3) == 0)) {
        return 1; /* in a failed transaction nothing but its end is heard */
    }
    push_step(db, NULL);
    return PQsendQueryParams(db->conn,
                             "SELECT set_config('client_encoding', 'UTF8', "
                             "false), set_config('datestyle', 'ISO', false)",
                             0, NULL, NULL, NULL, NULL, 0);
}

/* Behind a pooler (without prepared statements) the next transaction may be
 * another backend's. */
static int send_watch(dsapi_db_t *db)
{
    db->watching = db->watch && (!db->watched || !db->prepare) &&
                   PQtransactionStatus(db->conn) == PQTRANS_IDLE;
    if (!db->watching) {
        return 1;
    }
    push_step(db, NULL);
    return PQsendQueryParams(db->conn, "SELECT " DSAPI_DB_WATCH, 0, NULL, NULL,
                             NULL, NULL, 0);
}

int dsapi_db_send_end(dsapi_db_t *db)
{
    db->asking = NULL;
    db->flushing = 1;
    return PQpipelineSync(db->conn);
}

int dsapi_db_send_batch(dsapi_db_t *db, const dsapi_batch_t *batch)
{
    /* settings and watch; each prepared and run; the last described, and its
     * like */
    apr_size_t nsteps = (apr_size_t)batch->ncalls * 2 + 4;
    int last = batch->ncalls - 1;
    int ok;

    db->steps = apr_pcalloc(db->batch_pool, sizeof(step_t) * nsteps);
    db->nsteps = db->step = 0;
    db->asking = NULL;
    db->last = NULL;
    db->made = NULL;
    ok = send_settings(db) && send_watch(db);
    for (int i = 0; ok && i <= last; i++) {
        const dsapi_call_t *call = &batch->calls[i];

        ok = i == last && db->as_json
                 ? send_last(db, call)
                 : send_call(db, db->prepare ? memory_of(db, call) : NULL, call,
                             0);
    }
    return ok && (db->asking || dsapi_db_send_end(db));
}

/* Which columns PostgreSQL is to make JSON of. @return NULL: none */
static const char *made_of(const dsapi_db_t *db, const PGresult *columns,
                           apr_pool_t *pool)
{
    int n = PQnfields(columns);
    char *made = apr_pcalloc(pool, (apr_size_t)n + 1);
    int some = 0;

    for (int i = 0; i < n; i++) {
        made[i] = (char)db->as_json(PQfname(columns, i), PQftype(columns, i));
        some |= made[i];
    }
    return some ? made : NULL;
}

/* May values of these columns come in binary? */
static int binary_of(const dsapi_db_t *db, const PGresult *columns)
{
    int n = PQnfields(columns);

    for (int i = 0; i < n; i++) {
        if (!db->binary || !db->binary(PQftype(columns, i))) {
            return 0;
        }
    }
    return n > 0;
}

/* The text to be run in the place of a statement. @return NULL: there is none,
 * it is run as it is */
static const char *json_text(const dsapi_db_t *db, const PGresult *columns,
                             const char *made, apr_pool_t *pool)
{
    int n = PQnfields(columns);
    const char **names =
        apr_palloc(db->batch_pool, sizeof(*names) * ((apr_size_t)n + 1));

    for (int i = 0; i < n; i++) {
        names[i] = PQfname(columns, i);
    }
    return dsapi_sql_wrap(db->asking->sql->text, names, made, n, pool);
}

int dsapi_db_send_asked(dsapi_db_t *db, const PGresult *columns)
{
    const dsapi_call_t *call = db->asking;
    prepared_t *p = db->prepare ? db->last : NULL;
    apr_pool_t *pool = p ? db->prepared_pool : db->batch_pool;
    const char *made = made_of(db, columns, pool);
    const char *text = made ? json_text(db, columns, made, pool) : NULL;
    int binary = !text && binary_of(db, columns);
    int ok;

    if (db->last) {
        db->last->described = p || !text;
        db->last->binary = binary;
    }
    if (!text) {
        ok = send_run(db, p ? name_of(db, p) : UNNAMED, call, binary);
    }
    else if (p) {
        p->made = db->made = made;
        p->json = apr_pmemdup(pool, p, sizeof(*p));
        p->json->text = text;
        p->json->name = NULL;
        p->json->state = UNKNOWN;
        ok = send_prepared(db, p->json, call, 0);
    }
    else {
        db->made = made;
        ok = send_whole(db, text, call, 0);
    }
    return ok && dsapi_db_send_end(db);
}

void dsapi_db_check_columns(dsapi_db_t *db, const PGresult *res)
{
    if (db->last && !db->prepare && !db->made &&
        (made_of(db, res, db->batch_pool) ||
         (db->binary && db->last->binary && !binary_of(db, res)))) {
        db->last->described = 0;
    }
}
