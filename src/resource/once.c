/* Idempotency-Key: see once.h. */
#include "resource/once.h"

#include <apr_lib.h>
#include <apr_strings.h>
#include <string.h>

#include "resource/problem.h"

#define KEY_MAX_BYTES 255

apr_status_t dsapi_once_key(const char **pkey, dsapi_err_t **perr,
                            const char *header, apr_pool_t *pool)
{
    char *key;
    apr_size_t len;
    int ok;

    *pkey = NULL;
    if (!header) {
        return APR_SUCCESS;
    }
    key = apr_pstrdup(pool, header + strspn(header, " \t"));
    len = strlen(key);
    while (len > 0 && apr_isspace(key[len - 1])) {
        key[--len] = '\0';
    }
    if (len >= 2 && key[0] == '"' && key[len - 1] == '"') {
        key[--len] = '\0';
        key++;
        len--;
    }
    ok = len > 0 && len <= KEY_MAX_BYTES;
    for (apr_size_t i = 0; ok && i < len; i++) {
        ok = key[i] >= ' ' && key[i] < 0x7f && key[i] != '"';
    }
    if (!ok) {
        return dsapi_fail_field(perr, pool, "header", "Idempotency-Key",
                                "must be 1 to %d printable characters",
                                KEY_MAX_BYTES);
    }
    *pkey = key;
    return APR_SUCCESS;
}

static void make_call(dsapi_call_t *pcall, const char *sql,
                      const dsapi_once_t *once,
                      const dsapi_once_answer_t *answer, apr_pool_t *pool)
{
    const char **values = apr_pcalloc(pool, sizeof(*values) * 9);

    values[0] = once->scope;
    values[1] = once->key;
    values[2] = once->fingerprint;
    if (answer) {
        values[3] = answer->status;
        values[4] = answer->type;
        values[5] = answer->location;
        values[6] = answer->range;
        values[7] = answer->applied;
        values[8] = answer->body;
    }
    pcall->sql = dsapi_sql_literal(sql, answer ? 9 : 3, pool);
    pcall->types = NULL;
    pcall->values = values;
}

void dsapi_once_begin(dsapi_call_t *pcall, const dsapi_once_t *once,
                      apr_pool_t *pool)
{
    make_call(pcall, "SELECT * FROM dsapi.once_begin($1, $2, $3)", once, NULL,
              pool);
}

apr_status_t dsapi_once_found(int *pdone, dsapi_once_answer_t *panswer,
                              dsapi_err_t **perr, const dsapi_rows_t *rows,
                              apr_pool_t *pool)
{
    const char *state = dsapi_rows_get(rows, "state");

    *pdone = state && strcmp(state, "done") == 0;
    if (state && strcmp(state, "busy") == 0) {
        return dsapi_resource_fail(perr, pool, 409, "idempotency-conflict",
                                   "a request with this Idempotency-Key is "
                                   "being answered");
    }
    if (state && strcmp(state, "other") == 0) {
        return dsapi_resource_fail(perr, pool, 422, "idempotency-mismatch",
                                   "this Idempotency-Key was sent with "
                                   "another request");
    }
    panswer->status = dsapi_rows_get(rows, "status");
    panswer->type = dsapi_rows_get(rows, "type");
    panswer->location = dsapi_rows_get(rows, "location");
    panswer->range = dsapi_rows_get(rows, "content_range");
    panswer->applied = dsapi_rows_get(rows, "applied");
    panswer->body = dsapi_rows_get(rows, "body");
    return APR_SUCCESS;
}

void dsapi_once_end(dsapi_call_t *pcall, const dsapi_once_t *once,
                    const dsapi_once_answer_t *answer, apr_pool_t *pool)
{
    make_call(pcall,
              "SELECT dsapi.once_end($1, $2, $3, $4::integer, $5, $6, $7, $8, "
              "$9)",
              once, answer, pool);
}
