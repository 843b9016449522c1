/* SQLSTATE to status: see sqlstate.h. */
#include "db/sqlstate.h"

#include <apr_strings.h>
#include <string.h>

#include "base/text.h"

/* The most of a RAISE's message that is passed on. */
#define MESSAGE_MAX_BYTES 1000

typedef struct state_row_t {
    const char *prefix; /* of the SQLSTATE; the first that fits counts */
    const char *code;
    const char *detail;
    apr_status_t rv;
    int retry_after_s;
} state_row_t;

static const state_row_t rows[] = {
    {"08", "database-unavailable", "the database cannot be reached",
     DSAPI_EDBDOWN, 1},
    {"22", "invalid-value", "a value does not fit the data it is meant for",
     DSAPI_EPARAM, 0},
    {"23001", "conflict", "the data is still referred to", DSAPI_ECONFLICT,
     0}, /* RESTRICT, PostgreSQL 18 */
    {"23503", "conflict",
     "the data refers to something that does not exist, or is still referred "
     "to",
     DSAPI_ECONFLICT, 0},
    {"23505", "conflict", "it exists already", DSAPI_ECONFLICT, 0},
    {"23P01", "conflict", "it conflicts with existing data", DSAPI_ECONFLICT,
     0},
    {"23502", "invalid-value", "a value that is needed is missing",
     DSAPI_EPARAM, 0},
    {"23", "invalid-value", "a value breaks a rule of the data", DSAPI_EPARAM,
     0},
    {"28", "database-unavailable", "the database cannot be reached",
     DSAPI_EDBDOWN, 5},
    {"3D000", "database-unavailable", "the database cannot be reached",
     DSAPI_EDBDOWN, 5},
    {"40", "try-again", "other work on the same data was faster; try again",
     DSAPI_EBUSY, 1},
    {"42501", "denied", "the database does not allow this", DSAPI_EDENIED, 0},
    {"53", "database-busy", "the database has no capacity left; try again",
     DSAPI_EBUSY, 2},
    {"55P03", "try-again", "other work holds the data; try again", DSAPI_EBUSY,
     1},
    {"57014", "database-timeout",
     "the database took longer than this service allows", DSAPI_ETIMEOUT, 0},
    {"57P", "database-unavailable", "the database is being restarted",
     DSAPI_EDBDOWN, 1},
    {"P0002", "not-found", "there is no such thing", DSAPI_ENOTFOUND, 0},
};

static const state_row_t other = {"", "internal", "the service made a mistake",
                                  DSAPI_EINTERNAL, 0};

/* The HTTP status of a PTnnn state; 0: it is none. */
static int raised_status(const char *sqlstate)
{
    int http = 0;

    if (strncmp(sqlstate, "PT", 2) != 0 || strlen(sqlstate) != 5) {
        return 0;
    }
    for (const char *p = sqlstate + 2; *p; p++) {
        if (*p < '0' || *p > '9') {
            return 0;
        }
        http = http * 10 + (*p - '0');
    }
    return http >= 400 && http <= 599 ? http : 0;
}

static int is_raised(const char *sqlstate)
{
    return strcmp(sqlstate, "P0001") == 0 || raised_status(sqlstate) != 0;
}

/* The code of what was raised: what a client looks for at such a status. */
static const char *raised_code(apr_status_t rv)
{
    switch (rv) {
    case DSAPI_EDENIED:
        return "denied";
    case DSAPI_ENOTFOUND:
        return "not-found";
    case DSAPI_ECONFLICT:
        return "conflict";
    default:
        return "refused";
    }
}

/* A message as far as it may be passed on: bounded, valid UTF-8, not empty. */
static const char *public_message(const char *message, apr_pool_t *pool)
{
    apr_size_t len = strlen(message);

    if (len > MESSAGE_MAX_BYTES) {
        len = MESSAGE_MAX_BYTES;
        while (len > 0 && ((unsigned char)message[len] & 0xC0) == 0x80) {
            len--;
        }
    }
    return len > 0 && dsapi_base_utf8_valid(message, len)
               ? apr_pstrmemdup(pool, message, len)
               : "the database refused it";
}

/* A message for the log: PostgreSQL quotes a client's values in messages of
 * class 22, and no bound value is to be in a log. */
static const char *log_message(const char *state, const char *message,
                               apr_pool_t *pool)
{
    const char *open = strchr(message, '"');
    const char *close = strrchr(message, '"');

    if (strncmp(state, "22", 2) != 0 || !open || open == close) {
        return message;
    }
    return apr_pstrcat(
        pool, apr_pstrmemdup(pool, message, (apr_size_t)(open + 1 - message)),
        "...", close, NULL);
}

apr_status_t dsapi_db_error(dsapi_err_t **perr, const char *sqlstate,
                            const char *message, apr_pool_t *pool)
{
    const char *state = sqlstate ? sqlstate : "08006";
    const state_row_t *row = &other;
    int http = raised_status(state);

    if (is_raised(state)) {
        apr_status_t rv = http ? dsapi_status_of_http(http) : DSAPI_EPARAM;

        dsapi_fail(perr, pool, rv, raised_code(rv), "%s",
                   public_message(message, pool));
        (*perr)->http = http;
        (*perr)->retry_after_s = rv == DSAPI_EBUSY || rv == DSAPI_ELIMIT;
    }
    else {
        for (apr_size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
            if (strncmp(state, rows[i].prefix, strlen(rows[i].prefix)) == 0) {
                row = &rows[i];
                break;
            }
        }
        dsapi_fail(perr, pool, row->rv, row->code, "%s", row->detail);
        (*perr)->retry_after_s = row->retry_after_s;
    }
    (*perr)->sqlstate = apr_pstrdup(pool, state);
    (*perr)->internal = apr_psprintf(pool, "SQLSTATE %s: %s", state,
                                     log_message(state, message, pool));
    return (*perr)->rv;
}

int dsapi_db_raised(const dsapi_err_t *err)
{
    return err->sqlstate && is_raised(err->sqlstate);
}
