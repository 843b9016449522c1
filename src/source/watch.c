/* The watcher of data versions: see watch.h. */
#include "source/watch.h"

#include <apr_strings.h>
#include <poll.h>
#include <string.h>

#include "base/type.h"
#include "source/link.h"
#include "source/queue.h"

/* How long between two questions where nothing was announced, and where
 * much is. */
#define READ_EVERY apr_time_from_msec(1500)
#define READ_GAP   apr_time_from_msec(100)

/* How long it rests after its SQL has failed. */
#define PAUSE apr_time_from_sec(2)

/* statement_timeout */
#define LIMIT apr_time_from_sec(5)

/* So many rows more than there need be are folded into one. */
#define SURPLUS_MAX 64

typedef enum op_e {
    OP_NONE,
    OP_LISTEN,
    OP_READ,
    OP_FOLD
} op_e;

struct dsapi_watch_t {
    const dsapi_watch_config_t *config;
    apr_pool_t *pool; /* of an answer, cleared with each */
    dsapi_link_t *link;
    op_e op;
    int listened; /* for better or worse, on this connection */
    apr_time_t read_at;
    apr_time_t asked_at; /* of the question under way; the system's clock */
    apr_time_t known_at; /* of the last one that was answered; 0: of none */
    int announced;       /* something was, since the last question */
    int told;            /* ... before the one under way */
    apr_uint64_t since;  /* the last answer's "seen"; 0: all is to be read */
    int fold;            /* of this name; -1: of none */
    int no_fold;         /* on this connection: it has failed */
    int stale;           /* a statement was, and is prepared anew */
    int told_lost;
    char told_state[6]; /* of questions that fail */
};

static void tell(const dsapi_watch_t *w, dsapi_watch_event_e event,
                 const char *text)
{
    w->config->event(w->config->baton, event, text);
}

dsapi_watch_t *dsapi_watch_make(const dsapi_watch_config_t *config,
                                apr_pool_t *pool)
{
    dsapi_watch_t *w = apr_pcalloc(pool, sizeof(*w));

    w->config = config;
    w->link = dsapi_link_make(config->conninfo, config->prepare, pool);
    w->fold = -1;
    apr_pool_create(&w->pool, pool);
    apr_pool_tag(w->pool, "dsapi_watch");
    return w;
}

/* The connection */

static void lost(dsapi_watch_t *w, const char *why)
{
    w->op = OP_NONE;
    if (!w->told_lost) {
        w->told_lost = 1;
        tell(w, DSAPI_WATCH_LOST, why);
    }
}

/* @return 1: look again before waiting */
static int go_on_connecting(dsapi_watch_t *w)
{
    const char *why;
    apr_status_t rv = dsapi_link_connect(&why, w->link);

    if (rv == APR_EINPROGRESS) {
        return 0;
    }
    if (rv != APR_SUCCESS) {
        lost(w, why);
        return 0;
    }
    w->told_lost = w->listened = w->no_fold = 0;
    w->since = 0; /* it may be another server */
    w->read_at = 0;
    w->fold = -1;
    tell(w, DSAPI_WATCH_CONNECTED, NULL);
    return 1;
}

/* Questions */

static void fill(dsapi_call_t *pcall, const char *text, int nvalues,
                 const char **values, apr_pool_t *pool)
{
    pcall->sql = dsapi_sql_literal(text, nvalues, pool);
    pcall->types = NULL;
    pcall->values = values;
}

/* The names whose keys count, and as far as they do, as arrays. */
static void list_keyed(const char **pnames, const char **pdepths,
                       const dsapi_versions_t *versions, apr_pool_t *pool)
{
    const apr_array_header_t *names = dsapi_versions_names(versions);
    apr_array_header_t *keyed = apr_array_make(pool, 4, sizeof(char *));
    apr_array_header_t *depths = apr_array_make(pool, 4, sizeof(char *));

    for (int i = 0; i < names->nelts; i++) {
        int depth = dsapi_versions_depth(versions, i);

        if (depth > 0) {
            APR_ARRAY_PUSH(keyed, const char *) =
                APR_ARRAY_IDX(names, i, const char *);
            APR_ARRAY_PUSH(depths, const char *) = apr_itoa(pool, depth);
        }
    }
    *pnames = dsapi_base_array_literal(keyed, pool);
    *pdepths = dsapi_base_array_literal(depths, pool);
}

static void ask(dsapi_watch_t *w, op_e op)
{
    const apr_array_header_t *names = dsapi_versions_names(w->config->versions);
    apr_pool_t *pool = dsapi_link_begin(w->link);
    const char **values = apr_palloc(pool, sizeof(char *) * 4);
    dsapi_call_t *call;
    const char *why;

    dsapi_queue_limit(dsapi_link_call(w->link), LIMIT, pool);
    call = dsapi_link_call(w->link);
    if (op == OP_LISTEN) {
        fill(call, "LISTEN " DSAPI_WATCH_CHANNEL, 0, values, pool);
    }
    else if (op == OP_READ) {
        w->told = w->announced;
        w->announced = 0;
        values[0] = dsapi_base_array_literal(names, pool);
        values[1] = apr_psprintf(pool, "%" APR_UINT64_T_FMT, w->since);
        list_keyed(&values[2], &values[3], w->config->versions, pool);
        fill(call,
             "SELECT seen, name, NULL AS slot, version, surplus "
             "FROM dsapi.versions($1::text[], $2::xid8) "
             "UNION ALL SELECT NULL, name, slot, version, 0 "
             "FROM dsapi.slot_versions($3::text[], $4::int[], $2::xid8)",
             4, values, pool);
    }
    else {
        values[0] = APR_ARRAY_IDX(names, w->fold, const char *);
        fill(call, "SELECT dsapi.fold_versions($1)", 1, values, pool);
    }
    w->op = op;
    w->asked_at = apr_time_now();
    if (dsapi_link_send(&why, w->link, LIMIT) != APR_SUCCESS) {
        lost(w, why);
    }
}

/* Answers */

/* When did what is others now change? If nobody said so, perhaps soon after the
 * last answer. */
static apr_time_t changed_at(const dsapi_watch_t *w)
{
    return w->told || !w->known_at ? w->asked_at : w->known_at;
}

/* Takes one row. @return the index that it is of; -1: of none */
static int take_version(dsapi_watch_t *w, const dsapi_rows_t *rows, int row)
{
    dsapi_versions_t *versions = w->config->versions;
    const char *name = dsapi_rows_value(NULL, rows, row, 1);
    const char *slot = dsapi_rows_value(NULL, rows, row, 2);
    int index = name ? dsapi_versions_index(versions, name) : -1;

    if (index < 0) {
        return -1;
    }
    if (slot) {
        index =
            dsapi_versions_slot_index(versions, index, (int)apr_atoi64(slot));
    }
    else if (apr_atoi64(dsapi_rows_value(NULL, rows, row, 4)) > SURPLUS_MAX) {
        w->fold = index;
    }
    dsapi_versions_set(
        versions, index,
        (apr_uint64_t)apr_atoi64(dsapi_rows_value(NULL, rows, row, 3)),
        changed_at(w));
    return index;
}

/* Takes an answer; where it is of all that there is, what it has not got is
 * gone. */
static void take_versions(dsapi_watch_t *w, const dsapi_rows_t *rows)
{
    dsapi_versions_t *versions = w->config->versions;
    int n = dsapi_versions_count(versions);
    char *found;

    apr_pool_clear(w->pool);
    found = apr_pcalloc(w->pool, (apr_size_t)n);
    for (int row = 0; row < dsapi_rows_count(rows); row++) {
        int index = take_version(w, rows, row);

        if (index >= 0) {
            found[index] = 1;
        }
    }
    for (int i = 0; i < n && w->since == 0; i++) {
        if (!found[i]) {
            dsapi_versions_set(versions, i, 0, changed_at(w));
        }
    }
}

static void end_read(dsapi_watch_t *w, const dsapi_rows_t *rows)
{
    const char *seen = NULL;
    apr_uint64_t xid;

    for (int row = 0; row < dsapi_rows_count(rows) && !seen; row++) {
        seen = dsapi_rows_value(NULL, rows, row, 0);
    }
    xid = seen ? (apr_uint64_t)apr_atoi64(seen) : 0;
    if (xid < w->since) { /* behind a pooler, it is another server now */
        w->since = 0;
        return;
    }
    take_versions(w, rows);
    dsapi_versions_checked(w->config->versions, w->asked_at);
    w->known_at = w->asked_at;
    w->since = xid;
    w->read_at = dsapi_link_clock() + READ_EVERY;
}

static void end_badly(dsapi_watch_t *w, op_e op, const dsapi_err_t *err)
{
    const char *why = err->internal ? err->internal : err->detail;

    if (op == OP_FOLD) {
        w->no_fold = 1;
        tell(w, DSAPI_WATCH_SQL, why);
    }
    else if (op == OP_READ && dsapi_db_stale(err) && !w->stale) {
        w->stale = 1; /* at once, a second time */
    }
    else if (op == OP_READ) {
        w->read_at = dsapi_link_clock() + PAUSE;
        if (strcmp(w->told_state, err->sqlstate) != 0) {
            apr_cpystrn(w->told_state, err->sqlstate, sizeof(w->told_state));
            tell(w, DSAPI_WATCH_SQL, why);
        }
    }
    /* no LISTEN, as on a standby: asking has to do */
}

/* @return 1: look again before waiting */
static int go_on_asking(dsapi_watch_t *w)
{
    dsapi_rows_t *rows;
    dsapi_err_t *err;
    const char *why;
    op_e op = w->op;
    apr_status_t rv = dsapi_link_poll(&rows, &err, &why, w->link);

    if (rv == APR_EINPROGRESS) {
        return 0;
    }
    w->op = OP_NONE;
    if (why) {
        lost(w, why);
    }
    else if (rv != APR_SUCCESS) {
        end_badly(w, op, err);
    }
    else if (op == OP_READ) {
        w->told_state[0] = '\0';
        w->stale = 0;
        end_read(w, rows);
    }
    return 1;
}

/* Something that concerns us was announced: ask, but not all the time. */
static void take_notifications(dsapi_watch_t *w, dsapi_db_t *db)
{
    apr_time_t soon = w->read_at - READ_EVERY + READ_GAP;
    const char *channel;
    const char *name;

    apr_pool_clear(w->pool);
    while (dsapi_db_notification(&channel, &name, db, w->pool)) {
        if (strcmp(channel, DSAPI_WATCH_CHANNEL) == 0 &&
            dsapi_versions_index(w->config->versions, name) >= 0 &&
            soon < w->read_at) {
            w->read_at = soon;
            w->announced = 1;
        }
    }
}

/* @return 1: look again before waiting */
static int step(dsapi_watch_t *w)
{
    dsapi_db_t *db;

    if (!dsapi_link_connected(w->link)) {
        return go_on_connecting(w);
    }
    if (w->op != OP_NONE) {
        return go_on_asking(w);
    }
    db = dsapi_link_db(w->link);
    if (dsapi_db_consume(db) != APR_SUCCESS) {
        dsapi_link_close(w->link);
        lost(w, "the connection was closed");
        return 0;
    }
    take_notifications(w, db);
    if (!w->listened) {
        w->listened = 1;
        ask(w, OP_LISTEN);
    }
    else if (dsapi_link_clock() >= w->read_at) {
        ask(w, OP_READ);
    }
    else if (w->fold >= 0 && !w->no_fold) {
        ask(w, OP_FOLD);
        w->fold = -1;
    }
    else {
        return 0;
    }
    return 1;
}

static void wait_for_more(const dsapi_watch_t *w, apr_time_t until)
{
    const dsapi_db_t *db = dsapi_link_db(w->link);
    struct pollfd fd = {.fd = db ? dsapi_db_socket(db) : -1, .events = POLLIN};
    apr_time_t due = dsapi_link_due(w->link);
    apr_time_t now = dsapi_link_clock();

    if (db && dsapi_db_wants_write(db)) {
        fd.events |= POLLOUT;
    }
    if (dsapi_link_connected(w->link) && w->op == OP_NONE && w->read_at < due) {
        due = w->read_at;
    }
    due = due < until ? due : until;
    if (due > now) {
        (void)poll(&fd, 1, (int)((due - now) / 1000) + 1);
    }
}

void dsapi_watch_turn(dsapi_watch_t *watch, apr_interval_time_t budget)
{
    apr_time_t until = dsapi_link_clock() + budget;

    do {
        if (!step(watch)) {
            wait_for_more(watch, until);
        }
    } while (dsapi_link_clock() < until);
}
