/* A connection by turns: see link.h. */
#include "source/link.h"

#include <apr_strings.h>
#include <time.h>

/* How long between two tries to reach the database. */
#define RECONNECT apr_time_from_sec(1)

/* How long a batch may take beyond the server's own limit before the
 * connection is given up; connecting gets this alone. */
#define ANSWER_GRACE apr_time_from_sec(10)

struct dsapi_link_t {
    const char *conninfo;
    int prepare;
    apr_pool_t *db_pool; /* of the connection */
    dsapi_db_t *db;      /* NULL: closed */
    int connected;
    apr_time_t again; /* connecting is not begun before */
    apr_pool_t *pool; /* of the batch */
    apr_array_header_t *calls;
    dsapi_batch_t batch;
    int sent;         /* it is under way */
    apr_time_t until; /* then what is under way is given up */
};

apr_time_t dsapi_link_clock(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return apr_time_from_sec(t.tv_sec) + t.tv_nsec / 1000;
}

dsapi_link_t *dsapi_link_make(const char *conninfo, int prepare,
                              apr_pool_t *pool)
{
    dsapi_link_t *link = apr_pcalloc(pool, sizeof(*link));

    link->conninfo = conninfo;
    link->prepare = prepare;
    apr_pool_create(&link->db_pool, pool);
    apr_pool_tag(link->db_pool, "dsapi_link_db");
    apr_pool_create(&link->pool, pool);
    apr_pool_tag(link->pool, "dsapi_link_batch");
    return link;
}

/* What the batch gave can still be read. */
void dsapi_link_close(dsapi_link_t *link)
{
    link->db = NULL;
    link->connected = link->sent = 0;
    link->again = dsapi_link_clock() + RECONNECT;
    apr_pool_clear(link->db_pool);
}

static apr_status_t lose(const char **pwhy, dsapi_link_t *link, const char *why)
{
    *pwhy = apr_pstrdup(link->pool, why);
    dsapi_link_close(link);
    return DSAPI_EDBDOWN;
}

apr_status_t dsapi_link_connect(const char **pwhy, dsapi_link_t *link)
{
    dsapi_err_t *err = NULL;
    apr_status_t rv = APR_SUCCESS;

    *pwhy = NULL;
    if (!link->db) {
        if (dsapi_link_clock() < link->again) {
            return APR_EINPROGRESS;
        }
        apr_pool_clear(link->pool);
        rv = dsapi_db_connect(&link->db, &err, link->conninfo, link->db_pool);
        link->until = dsapi_link_clock() + ANSWER_GRACE;
    }
    if (rv == APR_SUCCESS) {
        rv = dsapi_db_connect_poll(link->db, &err, link->db_pool);
    }
    if (rv == APR_EINPROGRESS && dsapi_link_clock() < link->until) {
        return rv;
    }
    if (rv != APR_SUCCESS) {
        return lose(pwhy, link,
                    err ? err->internal : "no answer while connecting");
    }
    dsapi_db_set_prepare(link->db, link->prepare);
    link->connected = 1;
    return APR_SUCCESS;
}

int dsapi_link_connected(const dsapi_link_t *link)
{
    return link->connected;
}

apr_pool_t *dsapi_link_begin(dsapi_link_t *link)
{
    apr_pool_clear(link->pool);
    link->calls = apr_array_make(link->pool, 8, sizeof(dsapi_call_t));
    return link->pool;
}

dsapi_call_t *dsapi_link_call(dsapi_link_t *link)
{
    return apr_array_push(link->calls);
}

apr_status_t dsapi_link_send(const char **pwhy, dsapi_link_t *link,
                             apr_interval_time_t limit)
{
    dsapi_err_t *err;

    *pwhy = NULL;
    link->batch.calls = (const dsapi_call_t *)link->calls->elts;
    link->batch.ncalls = link->calls->nelts;
    link->until = dsapi_link_clock() + limit + ANSWER_GRACE;
    if (dsapi_db_send(link->db, &err, &link->batch, link->pool) !=
        APR_SUCCESS) {
        return lose(pwhy, link, err->internal);
    }
    link->sent = 1;
    return APR_SUCCESS;
}

apr_status_t dsapi_link_poll(dsapi_rows_t **prows, dsapi_err_t **perr,
                             const char **pwhy, dsapi_link_t *link)
{
    apr_status_t rv = dsapi_db_poll(prows, perr, link->db, link->pool);

    *pwhy = NULL;
    if (rv == APR_EINPROGRESS && dsapi_link_clock() < link->until) {
        return rv;
    }
    if (rv == APR_EINPROGRESS) {
        return lose(pwhy, link, "no answer from the database");
    }
    if (rv == DSAPI_EDBDOWN && dsapi_db_consume(link->db) != APR_SUCCESS) {
        return lose(pwhy, link, (*perr)->internal);
    }
    link->sent = 0;
    return rv;
}

apr_time_t dsapi_link_due(const dsapi_link_t *link)
{
    if (!link->db) {
        return link->again;
    }
    return link->connected && !link->sent ? APR_INT64_MAX : link->until;
}

dsapi_db_t *dsapi_link_db(const dsapi_link_t *link)
{
    return link->db;
}
