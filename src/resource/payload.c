/* What a client wants to be written: see payload.h. */
#include "resource/payload.h"

#include <apr_hash.h>
#include <apr_strings.h>
#include <string.h>

#include "base/text.h"
#include "json/writer.h"
#include "resource/problem.h"

static apr_array_header_t *members_of(const dsapi_json_slice_t *object,
                                      apr_pool_t *pool)
{
    apr_array_header_t *names = apr_array_make(pool, 8, sizeof(const char *));
    dsapi_json_slice_t value;
    dsapi_json_iter_t iter = {NULL};
    const char *name;

    while (dsapi_json_next_member(&value, &name, &iter, object, pool)) {
        APR_ARRAY_PUSH(names, const char *) = name;
    }
    return names;
}

/* Has an object exactly these members? (No name is in it twice.) */
static int has_members(const dsapi_json_slice_t *object, apr_hash_t *wanted,
                       apr_pool_t *scratch)
{
    unsigned n = 0;
    dsapi_json_slice_t value;
    dsapi_json_iter_t iter = {NULL};
    const char *name;

    while (dsapi_json_next_member(&value, &name, &iter, object, scratch)) {
        if (!apr_hash_get(wanted, name, APR_HASH_KEY_STRING)) {
            return 0;
        }
        n++;
    }
    return object->kind == DSAPI_JSON_OBJECT && n == apr_hash_count(wanted);
}

/* The members of an array's first object, which all have. @return NULL: they
 * have not */
static apr_array_header_t *common_members(const dsapi_json_slice_t *array,
                                          apr_pool_t *result,
                                          apr_pool_t *scratch)
{
    apr_array_header_t *names = NULL;
    apr_hash_t *wanted = apr_hash_make(result);
    apr_pool_t *row;
    dsapi_json_slice_t item;
    dsapi_json_iter_t iter = {NULL};
    int same = 1;

    apr_pool_create(&row, scratch);
    apr_pool_tag(row, "dsapi_resource_payload");
    while (same && dsapi_json_next_item(&item, &iter, array)) {
        apr_pool_clear(row);
        if (!names) {
            names = members_of(&item, result);
            for (int i = 0; i < names->nelts; i++) {
                apr_hash_set(wanted, APR_ARRAY_IDX(names, i, const char *),
                             APR_HASH_KEY_STRING, names);
            }
        }
        same = has_members(&item, wanted, row);
    }
    apr_pool_destroy(row);
    if (!names) {
        names = apr_array_make(result, 1, sizeof(const char *));
    }
    return same ? names : NULL;
}

static apr_int64_t count_items(const dsapi_json_slice_t *array)
{
    dsapi_json_slice_t item;
    dsapi_json_iter_t iter = {NULL};
    apr_int64_t n = 0;

    while (dsapi_json_next_item(&item, &iter, array)) {
        n++;
    }
    return n;
}

apr_status_t dsapi_resource_payload(dsapi_res_payload_t *ppayload,
                                    dsapi_err_t **perr,
                                    const dsapi_json_slice_t *json,
                                    apr_array_header_t *columns,
                                    apr_pool_t *result_pool,
                                    apr_pool_t *scratch_pool)
{
    memset(ppayload, 0, sizeof(*ppayload));
    if (!json ||
        (json->kind != DSAPI_JSON_OBJECT && json->kind != DSAPI_JSON_ARRAY)) {
        return dsapi_resource_fail(perr, result_pool, 400, "PGRST102",
                                   "Empty or invalid json");
    }
    ppayload->is_array = json->kind != DSAPI_JSON_OBJECT;
    ppayload->nrows = ppayload->is_array ? count_items(json) : 1;
    ppayload->json = apr_pstrmemdup(result_pool, json->p, json->len_bytes);
    ppayload->keys = columns ? columns
                     : ppayload->is_array
                         ? common_members(json, result_pool, scratch_pool)
                         : members_of(json, result_pool);
    if (!ppayload->keys) {
        return dsapi_resource_fail(perr, result_pool, 400, "PGRST102",
                                   "All object keys must match");
    }
    return APR_SUCCESS;
}

apr_status_t dsapi_resource_check_pairs(dsapi_err_t **perr, const char *in,
                                        const apr_array_header_t *pairs,
                                        apr_pool_t *pool)
{
    *perr = NULL;
    for (int i = 0; i < pairs->nelts; i++) {
        const dsapi_pair_t *pair = &APR_ARRAY_IDX(pairs, i, dsapi_pair_t);

        if (!pair->name) {
            dsapi_fail_field(perr, pool, in, "", "the name of pair %d %s",
                             i + 1, pair->why);
        }
        else if (!pair->value) {
            dsapi_fail_field(perr, pool, in, pair->name, "%s", pair->why);
        }
    }
    return *perr ? DSAPI_EPARAM : APR_SUCCESS;
}

const char *dsapi_resource_form(const apr_array_header_t *pairs,
                                apr_pool_t *pool)
{
    dsapi_buf_t *buf = dsapi_buf_make(256, pool);
    apr_hash_t *last = apr_hash_make(pool);
    dsapi_json_writer_t w;

    for (int i = 0; i < pairs->nelts; i++) {
        const dsapi_pair_t *pair = &APR_ARRAY_IDX(pairs, i, dsapi_pair_t);

        apr_hash_set(last, pair->name, APR_HASH_KEY_STRING, pair);
    }
    dsapi_json_writer_init(&w, buf);
    dsapi_json_begin_object(&w);
    for (int i = 0; i < pairs->nelts; i++) {
        const dsapi_pair_t *pair = &APR_ARRAY_IDX(pairs, i, dsapi_pair_t);

        if (apr_hash_get(last, pair->name, APR_HASH_KEY_STRING) == pair) {
            dsapi_json_member(&w, pair->name, pair->value);
        }
    }
    dsapi_json_end_object(&w);
    return dsapi_buf_str(buf);
}
