/* src/db/db.c against a real PostgreSQL. */
#include <apr_file_io.h>
#include <apr_strings.h>
#include <arpa/inet.h>
#include <errno.h>
#include <malloc.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/error.h"
#include "db/db.h"
#include "unit/pg.h"
#include "unit/unit.h"

#define MB ((apr_size_t)1048576)

static dsapi_rows_t *rows;
static dsapi_err_t *err;

/** Run calls as one batch. */
static apr_status_t run(dsapi_db_t *db, const dsapi_call_t *calls, int ncalls,
                        int repeatable)
{
    dsapi_batch_t batch = {calls, ncalls, repeatable, 0};

    return dsapi_db_run(&rows, &err, db, &batch, g_pool);
}

/** Run calls, which have to succeed. @return the first value */
static const char *good(dsapi_db_t *db, const dsapi_call_t *calls, int ncalls)
{
    apr_status_t rv = run(db, calls, ncalls, 0);

    ck_assert_msg(rv == APR_SUCCESS, "%s", err ? err->internal : "no error");
    ck_assert_ptr_null(err);
    return dsapi_rows_count(rows) > 0 ? dsapi_rows_value(NULL, rows, 0, 0)
                                      : NULL;
}

static const char *one(dsapi_db_t *db, const char *sql)
{
    dsapi_call_t call = pg_call(sql, 0);

    return good(db, &call, 1);
}

/** How many statements of ours the backend knows. */
static const char *prepared(dsapi_db_t *db)
{
    dsapi_call_t call = pg_call("SELECT count(*) FROM pg_prepared_statements "
                                "WHERE name LIKE 'dsapi\\_%'",
                                0);
    const char *n;

    dsapi_db_set_prepare(db, 0);
    n = good(db, &call, 1);
    dsapi_db_set_prepare(db, 1);
    return n;
}

/** End the backend of a connection, and wait until it has gone. */
static void kill_backend(const pg_t *pg, const char *pid)
{
    pg_value(pg, "SELECT pg_terminate_backend(%s)", pid);
    pg_until(pg, "0", "SELECT count(*) FROM pg_stat_activity WHERE pid = %s",
             pid);
}

START_TEST(batch_is_one_transaction)
{
    pg_t *pg = pg_open();
    dsapi_db_t *db = pg_adopt(pg);
    dsapi_call_t calls[] = {
        pg_call("INSERT INTO t VALUES (1)", 0),
        pg_call("INSERT INTO t VALUES ($1::int)", 1, "2"),
        pg_call("INSERT INTO t VALUES ($1::int / 0)", 1, "3"),
        pg_call("INSERT INTO t VALUES (4)", 0),
    };

    one(db, "CREATE TABLE t (n int)");
    ck_assert_int_eq(run(db, calls, 4, 0), DSAPI_EPARAM);
    ck_assert_ptr_null(rows);
    ck_assert_str_eq(err->sqlstate, "22012");
    ck_assert(dsapi_db_idle(db));
    ck_assert_str_eq(one(db, "SELECT count(*) FROM t"), "0");
    good(db, calls, 2);
    ck_assert_int_eq((int)dsapi_rows_affected(rows), 1);
    ck_assert_str_eq(one(db, "SELECT count(*) FROM t"), "2");
}
END_TEST

START_TEST(rows_are_of_the_last_statement)
{
    pg_t *pg = pg_open();
    unsigned types[] = {DSAPI_OID_INT4, DSAPI_OID_TEXT, DSAPI_OID_JSON};
    dsapi_call_t calls[] = {pg_call("SELECT 'lost'", 0),
                            pg_call("SELECT $1 AS n, $2 AS t, $3 AS j, $1 + 1 "
                                    "AS more "
                                    "UNION ALL SELECT NULL, '', NULL, 0",
                                    3, "42", "zażółć", (const char *)NULL)};
    apr_size_t len = 99;

    calls[1].types = types;
    good(pg->db, calls, 2);
    ck_assert_int_eq(dsapi_rows_count(rows), 2);
    ck_assert_int_eq(dsapi_rows_columns(rows), 4);
    ck_assert_str_eq(dsapi_rows_name(rows, 3), "more");
    ck_assert_int_eq((int)dsapi_rows_type(rows, 2), DSAPI_OID_JSON);
    ck_assert_int_eq((int)dsapi_rows_type(rows, 3), DSAPI_OID_INT4);
    ck_assert_str_eq(dsapi_rows_get(rows, "more"), "43");
    ck_assert_str_eq(dsapi_rows_value(&len, rows, 0, 1), "zażółć");
    ck_assert_int_eq((int)len, 10);
    ck_assert_ptr_null(dsapi_rows_get(rows, "j"));
    ck_assert_ptr_null(dsapi_rows_get(rows, "none"));
    ck_assert_ptr_null(dsapi_rows_value(NULL, rows, 1, 0));
    ck_assert_str_eq(dsapi_rows_value(&len, rows, 1, 1), "");
    ck_assert_int_eq((int)len, 0);
}
END_TEST

START_TEST(one_text_of_two_types_is_two_statements)
{
    pg_t *pg = pg_open();
    unsigned number[] = {DSAPI_OID_INT4};
    unsigned text[] = {DSAPI_OID_TEXT};
    dsapi_call_t call = pg_call("SELECT $1 AS x", 1, "7");

    call.types = number;
    ck_assert_str_eq(good(pg->db, &call, 1), "7");
    ck_assert_int_eq((int)dsapi_rows_type(rows, 0), DSAPI_OID_INT4);
    call = pg_call("SELECT $1 AS x", 1, "seven");
    call.types = text;
    ck_assert_str_eq(good(pg->db, &call, 1), "seven");
    ck_assert_int_eq((int)dsapi_rows_type(rows, 0), DSAPI_OID_TEXT);
}
END_TEST

START_TEST(prepared_once_per_backend)
{
    pg_t *pg = pg_open();
    dsapi_db_t *db = pg_adopt(pg);
    dsapi_call_t call =
        pg_call("SELECT pg_backend_pid() + 0 * $1::int", 1, "1");
    dsapi_call_t twice[] = {call, call};
    dsapi_batch_t batch = {&call, 1, 1, 0};
    const char *first = good(db, twice, 2);

    ck_assert_str_eq(good(db, &call, 1), first);
    ck_assert_str_eq(prepared(db), "1");
    kill_backend(pg, first);
    ck_assert_int_eq(dsapi_db_run(&rows, &err, db, &batch, g_pool),
                     APR_SUCCESS);
    ck_assert_str_ne(dsapi_rows_value(NULL, rows, 0, 0), first);
    ck_assert_str_eq(prepared(db), "1");
}
END_TEST

/** A batch whose backend ends under it. */
static apr_status_t run_suicide(dsapi_db_t *db, int repeatable)
{
    dsapi_call_t calls[] = {
        pg_call("UPDATE once SET n = n + 1", 0),
        pg_call("SELECT nextval('s') > $1::int OR "
                "pg_terminate_backend(pg_backend_pid()) AND "
                "pg_sleep(60) IS NOT NULL",
                1, "1"),
    };

    return run(db, calls, 2, repeatable);
}

START_TEST(broken_repeatable_batch_runs_again)
{
    pg_t *pg = pg_open();
    dsapi_db_t *db = pg_adopt(pg);

    pg_value(pg, "CREATE SEQUENCE s");
    pg_value(pg, "CREATE TABLE once AS SELECT 0 AS n");
    ck_assert_int_eq(run_suicide(db, 1), APR_SUCCESS);
    ck_assert_ptr_null(err);
    ck_assert_str_eq(pg_value(pg, "SELECT n FROM once"), "1");
}
END_TEST

START_TEST(broken_other_batch_breaks_the_connection)
{
    pg_t *pg = pg_open();
    dsapi_db_t *db = pg_adopt(pg);
    dsapi_call_t call = pg_call("SELECT 1", 0);
    dsapi_batch_t batch = {&call, 1, 0, 0};

    pg_value(pg, "CREATE SEQUENCE s");
    pg_value(pg, "CREATE TABLE once AS SELECT 0 AS n");
    ck_assert_int_eq(run_suicide(db, 0), DSAPI_EDBDOWN);
    ck_assert_ptr_null(rows);
    ck_assert_ptr_nonnull(err->internal);
    ck_assert(!dsapi_db_idle(db));
    ck_assert_int_eq(dsapi_db_consume(db), DSAPI_EDBDOWN);
    ck_assert_int_eq(dsapi_db_send(db, &err, &batch, g_pool), DSAPI_EDBDOWN);
    ck_assert_str_eq(pg_value(pg, "SELECT n FROM once"), "0");
    ck_assert_str_eq(one(db, "SELECT 1"), "1"); /* reset before it began */
}
END_TEST

START_TEST(broken_transaction_is_not_gone_on_with)
{
    pg_t *pg = pg_open();
    dsapi_db_t *db = pg_adopt(pg);
    dsapi_call_t calls[] = {pg_call("BEGIN", 0),
                            pg_call("SELECT pg_backend_pid()", 0)};
    dsapi_call_t insert = pg_call("INSERT INTO t VALUES (1)", 0);

    pg_value(pg, "CREATE TABLE t (n int)");
    kill_backend(pg, good(db, calls, 2));
    ck_assert_int_eq(run(db, &insert, 1, 1), DSAPI_EDBDOWN);
    ck_assert_str_eq(pg_value(pg, "SELECT count(*) FROM t"), "0");
}
END_TEST

START_TEST(lost_statements_are_prepared_again)
{
    pg_t *pg = pg_open();
    dsapi_db_t *db = pg_adopt(pg);
    dsapi_call_t calls[] = {pg_call("INSERT INTO t VALUES (1)", 0),
                            pg_call("SELECT count(*) FROM t", 0)};

    one(db, "CREATE TABLE t (n int)");
    good(db, calls, 2);
    dsapi_db_set_prepare(db, 0);
    one(db, "DEALLOCATE ALL");
    dsapi_db_set_prepare(db, 1);
    ck_assert_str_eq(good(db, calls, 2), "2");
    ck_assert_str_eq(prepared(db), "2");
}
END_TEST

START_TEST(changed_result_type_recovers)
{
    pg_t *pg = pg_open();
    dsapi_call_t call = pg_call("SELECT * FROM t", 0);

    one(pg->db, "CREATE TABLE t AS SELECT 1 AS n");
    good(pg->db, &call, 1);
    one(pg->db, "ALTER TABLE t ALTER n TYPE text, ADD more int");
    ck_assert_str_eq(good(pg->db, &call, 1), "1");
    ck_assert_int_eq(dsapi_rows_columns(rows), 2);
    ck_assert_int_eq((int)dsapi_rows_type(rows, 0), DSAPI_OID_TEXT);
}
END_TEST

START_TEST(prepared_statements_are_bounded)
{
    pg_t *pg = pg_open();

    for (int i = 0; i < 520; i++) {
        const char *n = apr_itoa(g_pool, i);

        ck_assert_str_eq(one(pg->db, apr_pstrcat(g_pool, "SELECT ", n, NULL)),
                         n);
    }
    ck_assert_str_eq(prepared(pg->db), "500");
}
END_TEST

START_TEST(prepare_off_prepares_nothing)
{
    pg_t *pg = pg_open();
    dsapi_call_t call = pg_call("SELECT count(*) + 0 * $1::int FROM "
                                "pg_prepared_statements",
                                1, "1");

    dsapi_db_set_prepare(pg->db, 0);
    ck_assert_str_eq(good(pg->db, &call, 1), "0");
    ck_assert_str_eq(good(pg->db, &call, 1), "0");
}
END_TEST

START_TEST(statement_timeout_is_a_timeout)
{
    pg_t *pg = pg_open();
    dsapi_db_t *db = pg_adopt(pg);
    dsapi_call_t calls[] = {
        pg_call("SELECT set_config('statement_timeout', $1, true)", 1, "100"),
        pg_call("SELECT pg_sleep(30)", 0)};
    const char *pid = one(db, "SELECT pg_backend_pid()");
    apr_time_t start = apr_time_now();

    ck_assert_int_eq(run(db, calls, 2, 1), DSAPI_ETIMEOUT);
    ck_assert_int_lt((int)(apr_time_now() - start), 3000000);
    ck_assert(dsapi_db_idle(db));
    pg_until(pg, "idle", "SELECT state FROM pg_stat_activity WHERE pid = %s",
             pid);
    ck_assert_str_eq(one(db, "SHOW statement_timeout"), "0");
}
END_TEST

START_TEST(deadline_breaks_the_connection)
{
    pg_t *pg = pg_open();
    dsapi_db_t *db = pg_adopt(pg);
    dsapi_call_t call = pg_call("SELECT pg_sleep(30)", 0);
    dsapi_batch_t batch = {&call, 1, 1, apr_time_from_msec(100)};
    const char *pid = one(db, "SELECT pg_backend_pid()");
    apr_time_t start = apr_time_now();

    ck_assert_int_eq(dsapi_db_run(&rows, &err, db, &batch, g_pool),
                     DSAPI_ETIMEOUT);
    ck_assert_int_lt((int)(apr_time_now() - start), 3000000);
    ck_assert(!dsapi_db_idle(db));
    ck_assert_str_ne(one(db, "SELECT pg_backend_pid()"), pid);
}
END_TEST

START_TEST(utf8_and_iso_whatever_the_role_says)
{
    pg_t *pg = pg_open();
    const char *role = apr_pstrcat(g_pool, "r_", pg->name, NULL);
    dsapi_call_t call = pg_call("SELECT date '2023-06-01' || ' ' || $1, date "
                                "'2023-06-01'",
                                1, "Żółw");
    dsapi_db_t *db;

    pg_value(pg, "CREATE ROLE %s LOGIN", role);
    pg_value(pg, "ALTER ROLE %s SET client_encoding = LATIN1", role);
    pg_value(pg, "ALTER ROLE %s SET DateStyle = 'SQL, DMY'", role);
    db = dsapi_db_adopt(
        pg_connect(apr_pstrcat(g_pool, pg->conninfo, " user=", role, NULL),
                   g_pool),
        g_pool);
    for (int i = 0; i < 2; i++) {
        ck_assert_str_eq(good(db, &call, 1), "2023-06-01 Żółw");
        ck_assert_str_eq(dsapi_rows_value(NULL, rows, 0, 1), "2023-06-01");
        one(db, "SELECT set_config('DateStyle', 'SQL, DMY', false)");
    }
    pg_value(pg, "DROP ROLE %s", role);
}
END_TEST

START_TEST(settings_survive_a_failed_first_batch)
{
    pg_t *pg = pg_open();
    dsapi_db_t *db;
    const char *info = apr_pstrcat(g_pool, pg->conninfo,
                                   " options='-c DateStyle=German' "
                                   "client_encoding=LATIN2",
                                   NULL);
    dsapi_call_t calls[] = {pg_call("BEGIN", 0), pg_call("SELECT 1 / 0", 0)};

    db = dsapi_db_adopt(pg_connect(info, g_pool), g_pool);
    ck_assert_int_eq(run(db, calls, 2, 0), DSAPI_EPARAM);
    ck_assert(!dsapi_db_idle(db));
    one(db, "ROLLBACK");
    ck_assert(dsapi_db_idle(db));
    ck_assert_int_eq(pg_run(&rows, &err, db, "SELECT 1 / 0"), DSAPI_EPARAM);
    ck_assert_str_eq(one(db, "SELECT current_setting('client_encoding') || "
                             "date '2023-06-01'"),
                     "UTF82023-06-01");
}
END_TEST

START_TEST(big_parameter_and_big_result)
{
    pg_t *pg = pg_open();
    char *json = apr_palloc(g_pool, 20 * MB + 1);
    unsigned types[] = {DSAPI_OID_JSON};
    dsapi_call_t calls[3];
    apr_size_t len = 0;

    memset(json, 'x', 20 * MB);
    json[0] = json[20 * MB - 1] = '"';
    json[20 * MB] = '\0';
    calls[0] = pg_call("SELECT repeat('a', 30000000)", 0);
    calls[1] = pg_call("SELECT $1", 1, json);
    calls[1].types = types;
    calls[2] = pg_call("SELECT repeat('y', 52428800)", 0);
    ck_assert(strcmp(good(pg->db, calls, 2), json) == 0);
    good(pg->db, calls, 3);
    dsapi_rows_value(&len, rows, 0, 0);
    ck_assert_uint_eq(len, 50 * MB);
}
END_TEST

START_TEST(many_rows)
{
    pg_t *pg = pg_open();

    one(pg->db, "SELECT i, repeat('z', 100) FROM generate_series(1, 300000) i");
    ck_assert_int_eq(dsapi_rows_count(rows), 300000);
    ck_assert_str_eq(dsapi_rows_value(NULL, rows, 299999, 0), "300000");
}
END_TEST

START_TEST(copy_is_refused)
{
    pg_t *pg = pg_open();
    dsapi_db_t *db = pg_adopt(pg);

    one(db, "CREATE TABLE t (n int)");
    ck_assert_int_eq(pg_run(&rows, &err, db, "COPY t FROM STDIN"),
                     DSAPI_EINTERNAL);
    ck_assert_ptr_nonnull(strstr(err->internal, "COPY"));
    one(db, "SELECT 1");
    ck_assert_int_eq(pg_run(&rows, &err, db, "COPY pg_class TO STDOUT"),
                     DSAPI_EINTERNAL);
    ck_assert_str_eq(one(db, "SELECT 1"), "1");
}
END_TEST

START_TEST(notification_arrives)
{
    pg_t *pg = pg_open();
    dsapi_db_t *db = pg_adopt(pg);
    const char *channel = "untouched";
    const char *payload = "untouched";
    struct pollfd pfd = {dsapi_db_socket(db), POLLIN, 0};

    one(db, "LISTEN news");
    ck_assert(!dsapi_db_notification(&channel, &payload, db, g_pool));
    ck_assert_str_eq(channel, "untouched");
    pg_value(pg, "NOTIFY news, 'it rains'");
    ck_assert_int_eq(poll(&pfd, 1, 10000), 1);
    ck_assert_int_eq(dsapi_db_consume(db), APR_SUCCESS);
    ck_assert(dsapi_db_notification(&channel, &payload, db, g_pool));
    ck_assert_str_eq(channel, "news");
    ck_assert_str_eq(payload, "it rains");
    ck_assert(!dsapi_db_notification(&channel, &payload, db, g_pool));
}
END_TEST

/** Drive a connection until it is made, or for so long. */
static apr_status_t connect_for(dsapi_db_t *db, apr_interval_time_t patience)
{
    apr_time_t end = apr_time_now() + patience;
    apr_status_t rv;

    while ((rv = dsapi_db_connect_poll(db, &err, g_pool)) == APR_EINPROGRESS &&
           apr_time_now() < end) {
        struct pollfd pfd = {dsapi_db_socket(db), POLLIN, 0};

        if (dsapi_db_wants_write(db)) {
            pfd.events = POLLOUT;
        }
        poll(&pfd, 1, 10);
    }
    return rv;
}

START_TEST(connect_and_run_without_waiting)
{
    pg_t *pg = pg_open();
    dsapi_call_t call = pg_call("SELECT pg_sleep(0.2), 'done' AS word", 0);
    dsapi_batch_t batch = {&call, 1, 0, 0};
    apr_status_t rv;
    dsapi_db_t *db;
    int waits = 0;

    ck_assert_int_eq(dsapi_db_connect(&db, &err, pg->conninfo, g_scratch),
                     APR_SUCCESS);
    ck_assert(!dsapi_db_idle(db));
    ck_assert_int_eq(connect_for(db, apr_time_from_sec(10)), APR_SUCCESS);
    ck_assert(dsapi_db_idle(db));
    ck_assert(!dsapi_db_wants_write(db));
    ck_assert_int_eq(dsapi_db_send(db, &err, &batch, g_pool), APR_SUCCESS);
    while ((rv = dsapi_db_poll(&rows, &err, db, g_pool)) == APR_EINPROGRESS) {
        struct pollfd pfd = {dsapi_db_socket(db), POLLIN, 0};

        ck_assert_ptr_null(rows);
        poll(&pfd, 1, 1000);
        waits++;
    }
    ck_assert_int_eq(rv, APR_SUCCESS);
    ck_assert_int_gt(waits, 0);
    ck_assert_int_lt(waits, 20);
    apr_pool_destroy(g_scratch); /* closes it; the rows stay */
    ck_assert_str_eq(dsapi_rows_get(rows, "word"), "done");
}
END_TEST

START_TEST(connect_where_nobody_listens)
{
    dsapi_db_t *db = NULL;
    apr_status_t rv = dsapi_db_connect(
        &db, &err, "host=/nonexistent dbname=x user=x", g_pool);

    if (rv == APR_SUCCESS) {
        rv = connect_for(db, apr_time_from_sec(10));
    }
    else {
        ck_assert_ptr_null(db);
    }
    ck_assert_int_eq(rv, DSAPI_EDBDOWN);
    ck_assert_str_eq(err->code, "database-unavailable");
    ck_assert_ptr_null(strchr(err->internal, '\n'));
}
END_TEST

START_TEST(connection_strings_are_told_from_nonsense)
{
    ck_assert_int_eq(dsapi_db_conninfo_ok("host=/x dbname='a b'"), 1);
    ck_assert_int_eq(dsapi_db_conninfo_ok("postgresql://u@h:5432/d"), 1);
    ck_assert_int_eq(dsapi_db_conninfo_ok("nonsense"), 0);
    ck_assert_int_eq(dsapi_db_conninfo_ok("host=x no_such_option=1"), 0);
    ck_assert_int_eq(dsapi_db_conninfo_ok("dbname='unclosed"), 0);
}
END_TEST

START_TEST(connect_with_nonsense)
{
    dsapi_db_t *db = NULL;

    ck_assert_int_eq(dsapi_db_connect(&db, &err, "nonsense", g_pool),
                     DSAPI_EDBDOWN);
    ck_assert_ptr_null(db);
}
END_TEST

/** A socket that takes connections and says nothing. @return its folder */
static const char *silent_server(void)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    const char *temp;
    char *folder;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    apr_temp_dir_get(&temp, g_pool);
    folder = apr_pstrcat(g_pool, temp, "/dsapi-unit-XXXXXX", NULL);
    ck_assert_ptr_nonnull(mkdtemp(folder));
    apr_snprintf(addr.sun_path, sizeof(addr.sun_path), "%s/.s.PGSQL.5432",
                 folder);
    ck_assert(bind(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0);
    ck_assert(listen(fd, 1) == 0);
    return folder;
}

START_TEST(connect_does_not_wait)
{
    const char *folder = silent_server();
    apr_time_t start = apr_time_now();
    dsapi_db_t *db;

    ck_assert_int_eq(
        dsapi_db_connect(&db, &err,
                         apr_psprintf(g_pool, "host=%s user=x", folder),
                         g_scratch),
        APR_SUCCESS);
    for (int i = 0; i < 100; i++) {
        ck_assert_int_eq(dsapi_db_connect_poll(db, &err, g_pool),
                         APR_EINPROGRESS);
    }
    ck_assert_int_lt((int)(apr_time_now() - start), 500000);
    ck_assert(!dsapi_db_wants_write(db)); /* or else its user spins */
    apr_pool_destroy(g_scratch);
    unlink(apr_pstrcat(g_pool, folder, "/.s.PGSQL.5432", NULL));
    rmdir(folder);
}
END_TEST

/** A port where connecting takes for ever: its queue is full. */
static int full_port(void)
{
    struct sockaddr_in addr = {.sin_family = AF_INET,
                               .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof(addr);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct pollfd pfd = {-1, POLLOUT, 0};

    ck_assert(bind(listener, (struct sockaddr *)&addr, len) == 0);
    ck_assert(listen(listener, 0) == 0);
    ck_assert(getsockname(listener, (struct sockaddr *)&addr, &len) == 0);
    do {
        pfd.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        ck_assert(connect(pfd.fd, (struct sockaddr *)&addr, len) == 0 ||
                  errno == EINPROGRESS);
    } while (poll(&pfd, 1, 200) == 1);
    return ntohs(addr.sin_port);
}

START_TEST(connect_over_tcp_does_not_wait)
{
    const char *info = apr_psprintf(
        g_pool, "host=127.0.0.1 port=%d user=x sslmode=disable", full_port());
    apr_time_t start = apr_time_now();
    dsapi_db_t *db;

    ck_assert_int_eq(dsapi_db_connect(&db, &err, info, g_pool), APR_SUCCESS);
    for (int i = 0; i < 100; i++) {
        ck_assert_int_eq(dsapi_db_connect_poll(db, &err, g_pool),
                         APR_EINPROGRESS);
    }
    ck_assert(dsapi_db_wants_write(db));
    ck_assert_int_lt((int)(apr_time_now() - start), 500000);
}
END_TEST

START_TEST(a_host_that_does_not_answer_is_passed_over)
{
    pg_t *pg = pg_open();
    const char *folder = strstr(pg->conninfo, "host=") + 5;
    const char *info =
        apr_psprintf(g_pool,
                     "host=127.0.0.1,%.*s port=%d,5432 user=postgres dbname=%s "
                     "sslmode=disable tcp_user_timeout=300",
                     (int)strcspn(folder, " "), folder, full_port(), pg->name);
    apr_time_t end = apr_time_now() + apr_time_from_sec(30);
    apr_status_t rv;
    dsapi_db_t *db;

    ck_assert_int_eq(dsapi_db_connect(&db, &err, info, g_pool), APR_SUCCESS);
    while ((rv = dsapi_db_connect_poll(db, &err, g_pool)) == APR_EINPROGRESS &&
           apr_time_now() < end) {
        apr_sleep(1000);
    }
    ck_assert_int_eq(rv, APR_SUCCESS);
    ck_assert_str_eq(one(db, "SELECT current_database()"), pg->name);
}
END_TEST

START_TEST(broken_connection_is_found_dead)
{
    pg_t *pg = pg_open();
    dsapi_db_t *db = pg_adopt(pg);

    ck_assert(dsapi_db_idle(db));
    dsapi_db_break(db);
    ck_assert(!dsapi_db_idle(db));
    ck_assert_int_eq(dsapi_db_consume(db), DSAPI_EDBDOWN);
    ck_assert_str_eq(one(db, "SELECT 1"), "1");
}
END_TEST

START_TEST(restart_under_an_idle_connection)
{
    pg_t *pg = pg_open();
    dsapi_db_t *db = pg_adopt(pg);
    dsapi_call_t insert = pg_call("INSERT INTO t VALUES ($1::int)", 1, "1");

    one(db, "CREATE TABLE t (n int)");
    good(db, &insert, 1);
    pg_restart();
    good(db, &insert, 1);
    ck_assert_str_eq(one(db, "SELECT count(*) FROM t"), "2");
    ck_assert_str_eq(prepared(db), "2");
}
END_TEST

START_TEST(backend_ended_before_the_batch_was_sent)
{
    pg_t *pg = pg_open();
    dsapi_db_t *db = pg_adopt(pg);
    dsapi_call_t call = pg_call("SELECT 1", 0);
    dsapi_batch_t batch = {&call, 1, 0, 0};
    apr_status_t rv;

    kill_backend(pg, one(db, "SELECT pg_backend_pid()"));
    rv = dsapi_db_send(db, &err, &batch, g_pool);
    while (rv == APR_SUCCESS || rv == APR_EINPROGRESS) {
        rv = dsapi_db_poll(&rows, &err, db, g_pool);
        ck_assert_int_ne(rv, APR_SUCCESS);
    }
    ck_assert_int_eq(rv, DSAPI_EDBDOWN);
    ck_assert_int_eq(dsapi_db_consume(db), DSAPI_EDBDOWN);
}
END_TEST

/** @return bytes of malloc in use; 0 where a sanitizer has replaced it */
static apr_size_t allocated(void)
{
    struct mallinfo2 info = mallinfo2();

    return info.uordblks + info.hblkhd;
}

START_TEST(queries_leave_nothing_behind)
{
    pg_t *pg = pg_open();
    dsapi_call_t call = pg_call("SELECT repeat('m', 1000000), $1::int", 1, "1");
    dsapi_call_t wrong = pg_call("SELECT $1::int / 0", 1, "1");
    dsapi_batch_t good_batch = {&call, 1, 1, 0};
    dsapi_batch_t bad_batch = {&wrong, 1, 1, 0};
    apr_size_t before = 0;

    for (int i = 0; i < 600; i++) {
        ck_assert_int_eq(
            dsapi_db_run(&rows, &err, pg->db, &good_batch, g_scratch),
            APR_SUCCESS);
        ck_assert_int_eq(
            dsapi_db_run(&rows, &err, pg->db, &bad_batch, g_scratch),
            DSAPI_EPARAM);
        apr_pool_clear(g_scratch);
        before = i == 100 ? allocated() : before;
    }
    ck_assert_uint_lt(allocated(), before + MB); /* of 500 */
}
END_TEST

UNIT_SUITE(db_db, batch_is_one_transaction, rows_are_of_the_last_statement,
           one_text_of_two_types_is_two_statements, prepared_once_per_backend,
           broken_repeatable_batch_runs_again,
           broken_other_batch_breaks_the_connection,
           broken_transaction_is_not_gone_on_with,
           lost_statements_are_prepared_again, changed_result_type_recovers,
           prepared_statements_are_bounded, prepare_off_prepares_nothing,
           statement_timeout_is_a_timeout, deadline_breaks_the_connection,
           utf8_and_iso_whatever_the_role_says,
           settings_survive_a_failed_first_batch, big_parameter_and_big_result,
           many_rows, copy_is_refused, notification_arrives,
           connect_and_run_without_waiting, connect_where_nobody_listens,
           connection_strings_are_told_from_nonsense, connect_with_nonsense,
           connect_does_not_wait, connect_over_tcp_does_not_wait,
           a_host_that_does_not_answer_is_passed_over,
           broken_connection_is_found_dead, restart_under_an_idle_connection,
           backend_ended_before_the_batch_was_sent,
           queries_leave_nothing_behind)
