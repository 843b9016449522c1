/* src/db/pool.c against a real PostgreSQL. */
#include "db/pool.h"

#include <apr_strings.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "unit/pg.h"
#include "unit/unit.h"

#define WAIT apr_time_from_sec(20)

static dsapi_err_t *err;

/** A pool of so many connections, one of them for streams. It ends with g_pool,
 *  and closes what was given back. */
static dsapi_db_pool_t *open_pool(const char *conninfo, int max)
{
    return dsapi_db_pool_make(conninfo, max, 1, g_pool);
}

/** Take a connection, which has to succeed. */
static dsapi_db_t *take(dsapi_db_pool_t *dbs)
{
    dsapi_db_t *db;
    apr_status_t rv = dsapi_db_pool_take(&db, &err, dbs, WAIT, g_pool);

    ck_assert_msg(rv == APR_SUCCESS, "%s", err ? err->internal : "no error");
    ck_assert_ptr_null(err);
    return db;
}

/** Take one, which has to fail like this. */
static void take_in_vain(dsapi_db_pool_t *dbs, apr_status_t want)
{
    dsapi_db_t *db = (dsapi_db_t *)(void *)&err;

    ck_assert_int_eq(
        dsapi_db_pool_take(&db, &err, dbs, apr_time_from_msec(20), g_pool),
        want);
    ck_assert_ptr_null(db);
}

static const char *pid_of(dsapi_db_t *db)
{
    dsapi_rows_t *rows;

    ck_assert_int_eq(pg_run(&rows, &err, db, "SELECT pg_backend_pid()"),
                     APR_SUCCESS);
    return apr_pstrdup(g_pool, dsapi_rows_value(NULL, rows, 0, 0));
}

static void give(dsapi_db_pool_t *dbs, dsapi_db_t *db)
{
    dsapi_db_pool_give(dbs, db, DSAPI_GATE_SERVED, 0);
}

START_TEST(a_connection_is_used_again)
{
    dsapi_db_pool_t *dbs = open_pool(pg_open()->conninfo, 2);
    dsapi_db_t *first = take(dbs);
    dsapi_db_t *second = take(dbs);
    const char *pid = pid_of(first);

    ck_assert_str_ne(pid, pid_of(second));
    give(dbs, second);
    give(dbs, first);
    first = take(dbs);
    ck_assert_str_eq(pid_of(first), pid);
    give(dbs, first);
}
END_TEST

START_TEST(there_are_no_more_than_max)
{
    dsapi_db_pool_t *dbs = open_pool(pg_open()->conninfo, 1);
    dsapi_db_t *db = take(dbs);

    take_in_vain(dbs, DSAPI_EBUSY);
    ck_assert_ptr_null(err);
    give(dbs, db);
    give(dbs, take(dbs));
}
END_TEST

START_TEST(a_broken_one_is_closed)
{
    pg_t *pg = pg_open();
    dsapi_db_pool_t *dbs = open_pool(pg->conninfo, 1);
    dsapi_db_t *db = take(dbs);
    const char *pid = pid_of(db);

    dsapi_db_break(db);
    dsapi_db_pool_give(dbs, db, DSAPI_GATE_LOST, 0);
    pg_until(pg, "0", "SELECT count(*) FROM pg_stat_activity WHERE pid = %s",
             pid);
    db = take(dbs);
    ck_assert_str_ne(pid_of(db), pid);
    give(dbs, db);
}
END_TEST

START_TEST(a_stream_keeps_its_place)
{
    dsapi_db_pool_t *dbs = open_pool(pg_open()->conninfo, 1);
    dsapi_db_t *db = take(dbs);

    ck_assert_int_eq(dsapi_gate_stream(dsapi_db_pool_gate(dbs), apr_time_now()),
                     APR_SUCCESS);
    take_in_vain(dbs, DSAPI_EBUSY);
    dsapi_db_pool_give(dbs, db, DSAPI_GATE_SERVED, 1);
    db = take(dbs);
    /* and the stream's place, too, is free */
    ck_assert_int_eq(dsapi_gate_stream(dsapi_db_pool_gate(dbs), apr_time_now()),
                     APR_SUCCESS);
    dsapi_db_pool_give(dbs, db, DSAPI_GATE_SERVED, 1);
}
END_TEST

START_TEST(idle_ones_end_with_the_pool)
{
    pg_t *pg = pg_open();
    dsapi_db_pool_t *dbs = dsapi_db_pool_make(pg->conninfo, 2, 1, g_scratch);
    dsapi_db_t *first = take(dbs);
    dsapi_db_t *second = take(dbs);
    const char *pids =
        apr_pstrcat(g_pool, pid_of(first), ",", pid_of(second), NULL);

    give(dbs, first);
    give(dbs, second);
    apr_pool_clear(g_scratch);
    pg_until(pg, "0", "SELECT count(*) FROM pg_stat_activity WHERE pid IN (%s)",
             pids);
}
END_TEST

START_TEST(a_failure_is_told_once_a_second)
{
    dsapi_db_pool_t *dbs = open_pool("host=/nonexistent dbname=x", 2);
    apr_time_t start = apr_time_now();

    take_in_vain(dbs, DSAPI_EDBDOWN);
    ck_assert_ptr_nonnull(err);
    ck_assert_int_eq(err->rv, DSAPI_EDBDOWN);
    ck_assert_ptr_nonnull(strstr(err->internal, "/nonexistent"));
    take_in_vain(dbs, DSAPI_EDBDOWN);
    ck_assert(!err || apr_time_now() - start >= apr_time_from_sec(1));
    do {
        ck_assert(apr_time_now() - start < WAIT);
        take_in_vain(dbs, DSAPI_EDBDOWN);
    } while (!err);
    ck_assert(apr_time_now() - start >= apr_time_from_sec(1));
}
END_TEST

START_TEST(a_server_that_says_nothing_is_away)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const char *folder = "/tmp/dsapi-silent-XXXXXX";
    char *made = mkdtemp(apr_pstrdup(g_pool, folder));
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    ck_assert_ptr_nonnull(made);
    apr_snprintf(address.sun_path, sizeof(address.sun_path), "%s/.s.PGSQL.5432",
                 made);
    ck_assert_int_eq(
        bind(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
    ck_assert_int_eq(listen(fd, 4), 0);
    take_in_vain(open_pool(apr_pstrcat(g_pool, "host=", made,
                                       " port=5432 dbname=x user=x", NULL),
                           1),
                 DSAPI_EDBDOWN);
    ck_assert_ptr_nonnull(err);
    ck_assert_str_eq(err->internal, "no answer while connecting");
    close(fd);
    unlink(address.sun_path);
    rmdir(made);
}
END_TEST

UNIT_SUITE(db_pool, a_connection_is_used_again, there_are_no_more_than_max,
           a_broken_one_is_closed, a_stream_keeps_its_place,
           idle_ones_end_with_the_pool, a_failure_is_told_once_a_second,
           a_server_that_says_nothing_is_away)
