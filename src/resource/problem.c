/* Errors as PostgREST tells them: see problem.h. */
#include "resource/problem.h"

#include <apr_strings.h>
#include <stdarg.h>
#include <string.h>

#include "json/buf.h"
#include "json/writer.h"

apr_status_t dsapi_resource_fail(dsapi_err_t **perr, apr_pool_t *pool, int http,
                                 const char *code, const char *fmt, ...)
{
    dsapi_err_t *err = apr_pcalloc(pool, sizeof(*err));
    va_list args;

    va_start(args, fmt);
    err->detail = apr_pvsprintf(pool, fmt, args);
    va_end(args);
    err->rv = dsapi_status_of_http(http);
    err->http = http;
    err->code = code;
    err->internal = code; /* the message quotes what the client has sent */
    err->dialect = 1;
    *perr = err;
    return err->rv;
}

static const char *as_json(const char *text, apr_pool_t *pool)
{
    dsapi_buf_t *buf = dsapi_buf_make(strlen(text) + 16, pool);
    dsapi_json_writer_t w;

    dsapi_json_writer_init(&w, buf);
    dsapi_json_string(&w, text);
    return dsapi_buf_str(buf);
}

void dsapi_resource_details(dsapi_err_t *err, apr_pool_t *pool, const char *fmt,
                            ...)
{
    va_list args;

    va_start(args, fmt);
    err->details = as_json(apr_pvsprintf(pool, fmt, args), pool);
    va_end(args);
}

void dsapi_resource_hint(dsapi_err_t *err, apr_pool_t *pool, const char *fmt,
                         ...)
{
    va_list args;

    va_start(args, fmt);
    err->hint = apr_pvsprintf(pool, fmt, args);
    va_end(args);
}

typedef struct state_row_t {
    const char *prefix; /* of the SQLSTATE; the first that fits counts */
    int http;           /* 0: what it is elsewhere */
} state_row_t;

/* PostgREST 16's Error.hs, but for what may be tried again and what took too
 * long, which are 503 and 504 as in routes, and 42501: who is to log in is
 * httpd's to say. */
static const state_row_t states[] = {
    {"08", 0},      {"40", 0},      {"53400", 500}, {"53", 0},
    {"55P03", 0},   {"57014", 0},   {"57P", 0},     {"3D000", 0},
    {"28", 0},      {"PT", 0},      {"09", 500},    {"0L", 403},
    {"0P", 403},    {"23503", 409}, {"23505", 409}, {"23001", 409},
    {"23P01", 409}, {"25006", 405}, {"21000", 500}, {"25", 500},
    {"2D", 500},    {"38", 500},    {"39", 500},    {"3B", 500},
    {"54", 500},    {"55", 500},    {"57", 500},    {"58", 500},
    {"F0", 500},    {"HV", 500},    {"P0001", 400}, {"P0", 500},
    {"XX", 500},    {"42883", 404}, {"42P01", 404}, {"42P17", 500},
    {"42501", 403}, {"", 400},
};

/* DsapiRole names a role that is not there, or not the connection's to take: no
 * mistake of the client. Messages are in any language: what says so sets
 * roles and Prefer's timezone, of which the message has the setting's name, or
 * there are details. */
static int is_role(const dsapi_err_t *err)
{
    const dsapi_said_t *said = err->said;

    return said && said->where &&
           strcmp(said->where, "call_string_check_hook") == 0 &&
           (strcmp(err->sqlstate, "42501") == 0 ||
            (strcmp(err->sqlstate, "22023") == 0 && !said->detail &&
             !strstr(said->message, "TimeZone")));
}

/* Is this the state, and has the message this word? A translated one has it,
 * too. */
static int says(const dsapi_err_t *err, const char *sqlstate, const char *word)
{
    return strcmp(err->sqlstate, sqlstate) == 0 && err->said &&
           strstr(err->said->message, word) != NULL;
}

/* One statement was to change a row twice, which the client has sent twice; or
 * every row, where pg-safeupdate forbids it. */
static int is_twice(const dsapi_err_t *err)
{
    return says(err, "21000", "ON CONFLICT") || says(err, "21000", "WHERE");
}

static void tell_too_large(dsapi_err_t *err, apr_pool_t *pool)
{
    err->http = 413;
    err->rv = dsapi_status_of_http(413);
    err->code = "result-too-large";
    err->detail = "what a row embeds is too large";
    dsapi_resource_hint(err, pool,
                        "Ask for less of it: by select=, by a limit "
                        "on what is embedded");
}

static void tell_more(dsapi_err_t *err, apr_pool_t *pool)
{
    err->details = err->said->detail ? as_json(err->said->detail, pool) : NULL;
    err->hint = err->said->hint;
}

void dsapi_resource_problem(dsapi_err_t *err, apr_pool_t *pool)
{
    static const state_row_t ours = {"", 500};
    static const state_row_t theirs = {"", 400};
    const state_row_t *row = states;

    if (err->dialect) {
        return;
    }
    err->dialect = 1;
    if (!err->sqlstate) {
        return;
    }
    if (says(err, "42704", DSAPI_RES_TOO_LARGE)) {
        tell_too_large(err, pool);
        return;
    }
    err->code = err->sqlstate;
    while (strncmp(err->sqlstate, row->prefix, strlen(row->prefix)) != 0) {
        row++;
    }
    row = is_role(err) ? &ours : is_twice(err) ? &theirs : row;
    if (row->http) {
        err->http = row->http;
        err->rv = dsapi_status_of_http(row->http);
        err->retry_after_s = 0;
    }
    if (row->http >= 500) {
        err->detail = "the service made a mistake";
    }
    else if (row->http && err->said) {
        err->detail = err->said->message;
        tell_more(err, pool);
    }
    else if (err->said && strcmp(row->prefix, "PT") == 0 && err->http) {
        tell_more(err, pool); /* raised so that the client reads it */
    }
}

void dsapi_resource_conceal(dsapi_err_t *err)
{
    if (err->sqlstate && (strncmp(err->sqlstate, "23", 2) == 0 ||
                          strncmp(err->sqlstate, "44", 2) == 0)) {
        err->details = NULL;
    }
}
