#include <apr_strings.h>
#include <stdarg.h>

#include "base/error.h"

/* The first row that has an HTTP status is the one it leads back to. */
static const dsapi_status_t statuses[] = {
    {DSAPI_EPARAM, 400, "Bad Request"},
    {DSAPI_ESYNTAX, 400, "Bad Request"},
    {DSAPI_EAUTH, 401, "Unauthorized"},
    {DSAPI_EDENIED, 403, "Forbidden"},
    {DSAPI_ENOTFOUND, 404, "Not Found"},
    {DSAPI_EMETHOD, 405, "Method Not Allowed"},
    {DSAPI_ECONFLICT, 409, "Conflict"},
    {DSAPI_ETOOBIG, 413, "Content Too Large"},
    {DSAPI_EURITOOBIG, 414, "URI Too Long"},
    {DSAPI_EMEDIA, 415, "Unsupported Media Type"},
    {DSAPI_EUNPROC, 422, "Unprocessable Content"},
    {DSAPI_ELIMIT, 429, "Too Many Requests"},
    {DSAPI_EINTERNAL, 500, "Internal Server Error"},
    {DSAPI_EBUSY, 503, "Service Unavailable"},
    {DSAPI_EDBDOWN, 503, "Service Unavailable"},
    {DSAPI_ETIMEOUT, 504, "Gateway Timeout"},
};

#define NSTATUSES ((int)(sizeof(statuses) / sizeof(statuses[0])))

_Static_assert(sizeof(statuses) / sizeof(statuses[0]) == DSAPI_STATUS_MAX,
               "every DSAPI_E* has a row");

apr_status_t dsapi_fail(dsapi_err_t **perr, apr_pool_t *pool, apr_status_t rv,
                        const char *code, const char *fmt, ...)
{
    dsapi_err_t *err;
    va_list args;

    if (!perr) {
        return rv;
    }
    err = apr_pcalloc(pool, sizeof(*err));
    err->rv = rv;
    err->code = code;
    va_start(args, fmt);
    err->detail = apr_pvsprintf(pool, fmt, args);
    va_end(args);
    *perr = err;
    return rv;
}

/* The first mistake in words. */
static const char *field_detail(const dsapi_field_err_t *field,
                                apr_pool_t *pool)
{
    if (!*field->name) {
        return field->message;
    }
    return apr_psprintf(pool, "'%s' %s", field->name, field->message);
}

apr_status_t dsapi_fail_field(dsapi_err_t **perr, apr_pool_t *pool,
                              const char *in, const char *name, const char *fmt,
                              ...)
{
    dsapi_err_t *err = *perr;
    dsapi_field_err_t *field;
    va_list args;

    if (!err) {
        err = apr_pcalloc(pool, sizeof(*err));
        err->rv = DSAPI_EPARAM;
        err->code = "invalid-parameter";
        *perr = err;
    }
    if (!err->fields) {
        err->fields = apr_array_make(pool, 2, sizeof(dsapi_field_err_t));
    }
    if (err->fields->nelts >= DSAPI_FIELDS_MAX) {
        return DSAPI_EPARAM;
    }
    field = apr_array_push(err->fields);
    field->in = in;
    field->name = apr_pstrdup(pool, name);
    va_start(args, fmt);
    field->message = apr_pvsprintf(pool, fmt, args);
    va_end(args);
    /* Twice at most: a client decides how long a name is, and how many. */
    if (err->fields->nelts == 1) {
        err->detail = field_detail(field, pool);
        /* A message may quote a value, and no value is to be in a log. */
        err->internal = apr_psprintf(pool, "%s '%s'", in, field->name);
    }
    else if (err->fields->nelts == 2) {
        err->detail =
            apr_pstrcat(pool, err->detail, " (and more, see errors)", NULL);
    }
    return DSAPI_EPARAM;
}

const dsapi_status_t *dsapi_status_of(apr_status_t rv)
{
    const dsapi_status_t *internal = NULL;

    for (int i = 0; i < NSTATUSES; i++) {
        if (statuses[i].rv == rv) {
            return &statuses[i];
        }
        if (statuses[i].rv == DSAPI_EINTERNAL) {
            internal = &statuses[i];
        }
    }
    return internal;
}

apr_status_t dsapi_status_of_http(int http)
{
    for (int i = 0; i < NSTATUSES; i++) {
        if (statuses[i].http == http) {
            return statuses[i].rv;
        }
    }
    return DSAPI_EINTERNAL;
}
