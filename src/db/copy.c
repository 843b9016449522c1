/* The simple protocol, and COPY: see copy.h. */
#include "db/copy.h"

#include <apr_strings.h>
#include <string.h>

#include "db/again.h"
#include "db/pq.h"
#include "db/sqlstate.h"

/* Send what libpq holds. It may have to read meanwhile: the server says things,
 * too. @return APR_SUCCESS, also where the connection is gone, of which libpq
 * will give a result; DSAPI_ETIMEOUT */
static apr_status_t flush(dsapi_db_t *db, apr_time_t until)
{
    if (until && apr_time_now() >= until) {
        return DSAPI_ETIMEOUT;
    }
    while (PQstatus(db->conn) == CONNECTION_OK && PQflush(db->conn) == 1) {
        db->flushing = 1;
        if (!dsapi_db_wait(db, until)) {
            return DSAPI_ETIMEOUT;
        }
        PQconsumeInput(db->conn);
    }
    db->flushing = 0;
    return APR_SUCCESS;
}

/* Send the data, and its end.
 * @return as flush; the source's error, which undoes the COPY */
static apr_status_t feed(dsapi_db_t *db, const dsapi_copy_t *copy)
{
    const char *data;
    apr_size_t len;
    apr_status_t rv;
    apr_status_t sent;

    while ((rv = copy->source(&data, &len, copy->baton)) == APR_SUCCESS) {
        /* Only who reads sees that the server has gone. */
        if (PQputCopyData(db->conn, data, (int)len) != 1 ||
            !PQconsumeInput(db->conn)) {
            dsapi_db_break(db);
            return APR_SUCCESS;
        }
        rv = flush(db, copy->until);
        if (rv != APR_SUCCESS) {
            return rv;
        }
    }
    rv = rv == APR_EOF ? APR_SUCCESS : rv;
    PQputCopyEnd(db->conn, rv == APR_SUCCESS ? NULL : "the source has failed");
    sent = flush(db, copy->until);
    return sent == APR_SUCCESS ? rv : sent;
}

/* The next result, NULL behind the last. @return as flush */
static apr_status_t next_result(PGresult **pres, dsapi_db_t *db,
                                apr_time_t until)
{
    apr_status_t rv = flush(db, until);

    *pres = NULL;
    while (rv == APR_SUCCESS && PQstatus(db->conn) == CONNECTION_OK &&
           PQisBusy(db->conn)) {
        if (!dsapi_db_wait(db, until)) {
            return DSAPI_ETIMEOUT;
        }
        PQconsumeInput(db->conn);
    }
    if (rv == APR_SUCCESS) {
        *pres = PQgetResult(db->conn);
    }
    return rv;
}

/* Take all results, and feed the COPY among them.
 * @param perror  out: the first error; NULL: none
 * @return as feed */
static apr_status_t take_results(PGresult **perror, dsapi_copy_end_t *end,
                                 dsapi_db_t *db, const dsapi_copy_t *copy)
{
    apr_status_t stop = APR_SUCCESS; /* the source's */
    PGresult *res;

    for (;;) {
        apr_status_t rv = next_result(&res, db, copy->until);
        ExecStatusType status = PQresultStatus(res);

        if (rv != APR_SUCCESS || !res) {
            return rv == APR_SUCCESS ? stop : rv;
        }
        if (status == PGRES_FATAL_ERROR && !*perror) {
            *perror = res;
            continue;
        }
        end->affected = apr_atoi64(PQcmdTuples(res));
        PQclear(res);
        if (status == PGRES_COPY_IN) {
            stop = feed(db, copy);
            if (stop == DSAPI_ETIMEOUT) {
                return stop;
            }
        }
    }
}

/* Is it the values of a row that PostgreSQL finds wrong? */
static int is_of_row(const char *state, const char *function)
{
    static const char *const classes[] = {"22", "23", "44", "54", "P0", "PT"};

    if (strcmp(state, "42501") == 0) { /* a policy; or else a privilege */
        return function && strcmp(function, "ExecWithCheckOptions") == 0;
    }
    for (apr_size_t i = 0; i < sizeof(classes) / sizeof(classes[0]); i++) {
        if (strncmp(state, classes[i], 2) == 0) {
            return 1;
        }
    }
    return 0;
}

/* Which column does a text begin with? Another's name may be the beginning of
 * its name. */
static int column_at(const dsapi_copy_t *copy, const char *text)
{
    apr_size_t longest = 0;
    int found = -1;

    for (int i = 0; i < copy->ncolumns; i++) {
        apr_size_t len = strlen(copy->columns[i]);

        if (len > longest && strncmp(text, copy->columns[i], len) == 0 &&
            (text[len] == ':' || text[len] == ' ')) {
            longest = len;
            found = i;
        }
    }
    return found;
}

/*
 * Read "COPY visit, line 3, column price: ...", in whatever language: the
 * table's name is followed by a word and a number, and perhaps a word and the
 * column's name. What is said otherwise names nothing.
 */
static void read_context(dsapi_copy_end_t *end, const dsapi_copy_t *copy,
                         const char *context, apr_pool_t *pool)
{
    const char *head = apr_pstrcat(pool, "COPY ", copy->relation, ", ", NULL);
    const char *p = strstr(context, head);

    if (!p) {
        return;
    }
    p += strlen(head);
    p += strcspn(p, "0123456789\n");
    for (; *p >= '0' && *p <= '9'; p++) {
        end->line = end->line * 10 + (apr_uint64_t)(*p - '0');
    }
    if (end->line > 0 && strncmp(p, ", ", 2) == 0) {
        p = strchr(p + 2, ' ');
        end->column = p ? column_at(copy, p + 1) : -1;
    }
}

/* What an error says of the row. */
static void read_error(dsapi_copy_end_t *end, const dsapi_copy_t *copy,
                       const PGresult *error, apr_pool_t *pool)
{
    const char *state = PQresultErrorField(error, PG_DIAG_SQLSTATE);
    const char *context = PQresultErrorField(error, PG_DIAG_CONTEXT);
    const char *column = PQresultErrorField(error, PG_DIAG_COLUMN_NAME);

    if (!state) {
        return;
    }
    end->of_row =
        is_of_row(state, PQresultErrorField(error, PG_DIAG_SOURCE_FUNCTION));
    end->schema = dsapi_db_field(error, PG_DIAG_SCHEMA_NAME, pool);
    end->table = dsapi_db_field(error, PG_DIAG_TABLE_NAME, pool);
    end->constraint = dsapi_db_field(error, PG_DIAG_CONSTRAINT_NAME, pool);
    end->message = dsapi_db_field(error, PG_DIAG_MESSAGE_PRIMARY, pool);
    if (context && copy->relation) {
        read_context(end, copy, context, pool);
    }
    for (int i = 0; column && i < copy->ncolumns; i++) {
        if (strcmp(column, copy->columns[i]) == 0) {
            end->column = i;
        }
    }
}

/* The server's error, or the end of the connection. */
static apr_status_t hand_over(dsapi_err_t **perr, dsapi_db_t *db,
                              const PGresult *error, apr_pool_t *pool)
{
    const char *state = PQresultErrorField(error, PG_DIAG_SQLSTATE);
    const char *message = PQresultErrorField(error, PG_DIAG_MESSAGE_PRIMARY);

    if (!state) {
        dsapi_db_lost(perr, db, NULL, pool);
        dsapi_db_break(db);
        return (*perr)->rv;
    }
    dsapi_db_error(perr, state, message ? message : "", pool);
    (*perr)->said = dsapi_db_said(error, pool);
    if (PQstatus(db->conn) != CONNECTION_OK) {
        dsapi_db_break(db);
    }
    return dsapi_db_read_only(*perr) ? dsapi_db_leave_standby(db, *perr)
                                     : (*perr)->rv;
}

apr_status_t dsapi_db_copy(dsapi_copy_end_t *pend, dsapi_err_t **perr,
                           dsapi_db_t *db, const dsapi_copy_t *copy,
                           apr_pool_t *pool)
{
    PGresult *error = NULL;
    apr_status_t rv;

    memset(pend, 0, sizeof(*pend));
    pend->column = -1;
    *perr = NULL;
    if (PQsetnonblocking(db->conn, 1) != 0 ||
        !PQsendQuery(db->conn, copy->sql)) {
        dsapi_db_lost(perr, db, NULL, pool);
        dsapi_db_break(db);
        return (*perr)->rv;
    }
    rv = take_results(&error, pend, db, copy);
    db->flushing = 0;
    if (rv == DSAPI_ETIMEOUT) {
        dsapi_db_break(db);
        dsapi_db_error(perr, "57014", "no answer in time", pool);
    }
    else if (error &&
             (rv == APR_SUCCESS || PQstatus(db->conn) != CONNECTION_OK)) {
        read_error(pend, copy, error, pool);
        rv = hand_over(perr, db, error, pool);
    }
    PQclear(error);
    PQsetnonblocking(db->conn, 0);
    return rv;
}
