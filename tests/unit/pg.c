/* PostgreSQL and the upstream stand-in for tests: see pg.h. */
#include "unit/pg.h"

#include <apr_file_io.h>
#include <apr_general.h>
#include <apr_strings.h>
#include <apr_thread_proc.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/number.h"
#include "json/buf.h"
#include "unit/unit.h"

#define PATIENCE apr_time_from_sec(10)
#define LOOK     apr_time_from_msec(5)

/* Only db.c includes libpq. */
extern void *PQconnectdb(const char *conninfo);
extern void PQfinish(void *conn);
extern void *PQprepare(void *conn, const char *name, const char *sql,
                       int ntypes, const unsigned *types);
extern char *PQresultErrorField(const void *result, int field);
extern void PQclear(void *result);
typedef void (*notice_fn)(void *arg, const char *message);
extern notice_fn PQsetNoticeProcessor(void *conn, notice_fn fn, void *arg);

/** @return a variable of the environment, without which nothing goes */
static const char *wanted(const char *name)
{
    const char *value = getenv(name);

    ck_assert_msg(value != NULL,
                  "%s is not set: run the unit tests as \"make unit\", or "
                  "tests/lib/unit.sh $BUILD/unit",
                  name);
    return value;
}

/** As apr_dbd does. */
static void notice_ignore(void *arg, const char *message)
{
    (void)arg;
    (void)message;
}

static apr_status_t connection_end(void *conn)
{
    PQfinish(conn);
    return APR_SUCCESS;
}

void *pg_connect(const char *conninfo, apr_pool_t *pool)
{
    void *conn = PQconnectdb(conninfo);

    PQsetNoticeProcessor(conn, notice_ignore, NULL);
    apr_pool_cleanup_register(pool, conn, connection_end,
                              apr_pool_cleanup_null);
    return conn;
}

dsapi_db_t *pg_adopt(const pg_t *pg)
{
    return dsapi_db_adopt(pg_connect(pg->conninfo, g_pool), g_pool);
}

const char *pg_parse(const char **pmessage, const pg_t *pg, const char *sql)
{
    void *result = PQprepare(pg->conn, "", sql, 0, NULL);
    const char *sqlstate =
        apr_pstrdup(g_scratch, PQresultErrorField(result, 'C'));

    *pmessage = apr_pstrdup(g_scratch, PQresultErrorField(result, 'M'));
    PQclear(result);
    return sqlstate;
}

dsapi_call_t pg_call(const char *sql, int nvalues, ...)
{
    const char **values =
        apr_palloc(g_pool, sizeof(char *) * ((apr_size_t)nvalues + 1));
    dsapi_call_t call = {dsapi_sql_literal(sql, nvalues, g_pool), NULL, values};
    va_list args;

    va_start(args, nvalues);
    for (int i = 0; i < nvalues; i++) {
        values[i] = va_arg(args, const char *);
    }
    va_end(args);
    return call;
}

apr_status_t pg_run(dsapi_rows_t **prows, dsapi_err_t **perr, dsapi_db_t *db,
                    const char *sql)
{
    dsapi_call_t call = pg_call(sql, 0);
    dsapi_batch_t batch = {&call, 1, 0, 0};

    return dsapi_db_run(prows, perr, db, &batch, g_pool);
}

/** What pg_value does on any connection. */
static const char *value_of(dsapi_db_t *db, const char *sql)
{
    dsapi_rows_t *rows;
    dsapi_err_t *err;
    apr_status_t rv = pg_run(&rows, &err, db, sql);

    ck_assert_msg(rv == APR_SUCCESS, "%s: %s", sql, err ? err->internal : "?");
    return dsapi_rows_count(rows) > 0 && dsapi_rows_columns(rows) > 0
               ? dsapi_rows_value(NULL, rows, 0, 0)
               : NULL;
}

const char *pg_value(const pg_t *pg, const char *fmt, ...)
{
    va_list args;
    const char *sql;

    va_start(args, fmt);
    sql = apr_pvsprintf(g_pool, fmt, args);
    va_end(args);
    return value_of(pg->db, sql);
}

void pg_until(const pg_t *pg, const char *want, const char *fmt, ...)
{
    apr_time_t end = apr_time_now() + PATIENCE;
    const char *value;
    const char *sql;
    va_list args;

    va_start(args, fmt);
    sql = apr_pvsprintf(g_pool, fmt, args);
    va_end(args);
    while (!(value = value_of(pg->db, sql)) || strcmp(value, want) != 0) {
        ck_assert_msg(apr_time_now() < end, "%s: still %s, not %s", sql,
                      value ? value : "NULL", want);
        apr_sleep(LOOK);
    }
}

void pg_administer(const char *fmt, ...)
{
    apr_pool_t *pool;
    dsapi_call_t call = {NULL, NULL, NULL};
    dsapi_batch_t batch = {&call, 1, 0, 0};
    dsapi_rows_t *rows;
    dsapi_err_t *err;
    dsapi_db_t *db;
    apr_status_t rv;
    va_list args;

    apr_pool_create(&pool, NULL);
    va_start(args, fmt);
    call.sql = dsapi_sql_literal(apr_pvsprintf(pool, fmt, args), 0, pool);
    va_end(args);
    db = dsapi_db_adopt(pg_connect(wanted("DSAPI_TEST_PG"), pool), pool);
    dsapi_db_set_prepare(db, 0);
    rv = dsapi_db_run(&rows, &err, db, &batch, pool);
    ck_assert_msg(rv == APR_SUCCESS, "%s: %s", call.sql->text,
                  err ? err->internal : "?");
    apr_pool_destroy(pool);
}

static apr_status_t database_drop(void *name)
{
    pg_administer("DROP DATABASE \"%s\" WITH (FORCE)", (char *)name);
    return APR_SUCCESS;
}

pg_t *pg_open(void)
{
    pg_t *pg = apr_pcalloc(g_pool, sizeof(*pg));
    apr_uint64_t bits;

    apr_generate_random_bytes((unsigned char *)&bits, sizeof(bits));
    pg->name = apr_psprintf(g_pool, "unit_%016" APR_UINT64_T_HEX_FMT, bits);
    pg_administer("CREATE DATABASE %s TEMPLATE template0 "
                  "ENCODING 'UTF8' LOCALE 'C.UTF-8'",
                  pg->name);
    apr_pool_cleanup_register(g_pool, pg->name, database_drop,
                              apr_pool_cleanup_null);
    /* of two dbname the last counts */
    pg->conninfo = apr_psprintf(g_pool, "%s dbname=%s connect_timeout=5",
                                wanted("DSAPI_TEST_PG"), pg->name);
    pg->conn = pg_connect(pg->conninfo, g_pool);
    pg->db = dsapi_db_adopt(pg->conn, g_pool);
    return pg;
}

/** Run a program and wait for it. */
static void run(const char *what, const char *const *argv)
{
    apr_procattr_t *attr;
    apr_exit_why_e why;
    apr_proc_t proc;
    int code;

    apr_procattr_create(&attr, g_pool);
    apr_procattr_cmdtype_set(attr, APR_PROGRAM_PATH);
    ck_assert_msg(apr_proc_create(&proc, argv[0], argv, NULL, attr, g_pool) ==
                      APR_SUCCESS,
                  "%s cannot be run", argv[0]);
    apr_proc_wait(&proc, &code, &why, APR_WAIT);
    ck_assert_msg(why == APR_PROC_EXIT && code == 0, "%s has failed", what);
}

void pg_apply(const pg_t *pg, const char *file)
{
    const char *path =
        apr_psprintf(g_pool, "%s/../../conf/%s", wanted("DSAPI_DATA"), file);
    const char *argv[] = {"psql", "-Xq1", "-v",         "ON_ERROR_STOP=1",
                          "-f",   path,   pg->conninfo, NULL};

    run(path, argv);
}

void run_shell(const char *command)
{
    const char *argv[] = {"sh", "-c", command, NULL};

    run(command, argv);
}

void pg_restart(void)
{
    run_shell(wanted("DSAPI_TEST_RESTART"));
}

/* --- the stand-in --- */

static apr_status_t stub_end(void *data)
{
    pid_t pid = *(pid_t *)data;

    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    return APR_SUCCESS;
}

/** A port that a file names; 0: it is not there yet. */
static int port_in(const char *file)
{
    char text[16];
    apr_size_t len = sizeof(text) - 1;
    apr_file_t *f;
    apr_int64_t port = 0;

    if (apr_file_open(&f, file, APR_FOPEN_READ, 0, g_pool) != APR_SUCCESS) {
        return 0;
    }
    if (apr_file_read(f, text, &len) == APR_SUCCESS) {
        text[len] = '\0';
        text[strcspn(text, "\n")] = '\0';
        dsapi_base_parse_int(&port, text, 1, 65535);
    }
    apr_file_close(f);
    return (int)port;
}

int stub_start(void)
{
    const char *tool =
        apr_pstrcat(g_pool, wanted("DSAPI_TOOLS"), "/upstream", NULL);
    const char *data = wanted("DSAPI_DATA");
    apr_time_t end = apr_time_now() + PATIENCE;
    pid_t *pid = apr_palloc(g_pool, sizeof(*pid));
    const char *temp;
    char *file;
    int port;

    ck_assert_int_eq(apr_temp_dir_get(&temp, g_pool), APR_SUCCESS);
    file = apr_psprintf(g_pool, "%s/dsapi-unit-%d", temp, (int)getpid());
    unlink(file);
    *pid = fork();
    if (*pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        execl(tool, tool, "--listen", "127.0.0.1:0", "--data", data,
              "--port-file", file, (char *)NULL);
        _exit(127);
    }
    apr_pool_cleanup_register(g_pool, pid, stub_end, apr_pool_cleanup_null);
    while (!(port = port_in(file))) {
        ck_assert_msg(apr_time_now() < end && waitpid(*pid, NULL, WNOHANG) == 0,
                      "%s does not start", tool);
        apr_sleep(LOOK);
    }
    unlink(file);
    return port;
}

const char *stub_ask(int port, const char *method, const char *path,
                     const char *body)
{
    struct sockaddr_in addr = {.sin_family = AF_INET,
                               .sin_port = htons((apr_uint16_t)port),
                               .sin_addr = {htonl(INADDR_LOOPBACK)}};
    const char *head = apr_psprintf(g_pool,
                                    "%s %s HTTP/1.1\r\nHost: "
                                    "stub\r\nConnection: close\r\n"
                                    "Content-Length: %" APR_SIZE_T_FMT "\r\n\r"
                                    "\n%s",
                                    method, path, strlen(body), body);
    dsapi_buf_t *answer = dsapi_buf_make(4096, g_pool);
    char piece[4096];
    const char *found;
    ssize_t n;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    ck_assert(connect(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0);
    ck_assert(write(fd, head, strlen(head)) == (ssize_t)strlen(head));
    while ((n = read(fd, piece, sizeof(piece))) > 0) {
        dsapi_buf_put(answer, piece, (apr_size_t)n);
    }
    close(fd);
    found = dsapi_buf_str(answer);
    ck_assert_msg(strncmp(found, "HTTP/1.1 200", 12) == 0, "%s: %s", path,
                  found);
    found = strstr(found, "\r\n\r\n");
    ck_assert_ptr_nonnull(found);
    return found + 4;
}

void stub_answer(int port, const char *json)
{
    stub_ask(port, "POST", "/_stub/answers", json);
}

int stub_holds(int port, int held)
{
    const char *want = apr_psprintf(g_pool, "\"held\":%d,", held);

    return strstr(stub_ask(port, "GET", "/_stub/health", ""), want) != NULL;
}
