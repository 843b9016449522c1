/* Running a batch again: see again.h. */
#include "db/again.h"

#include <string.h>

/* The longest wait after the first run. */
#define PAUSE apr_time_from_msec(4)

int dsapi_db_atomic(const dsapi_batch_t *batch)
{
    for (int i = 0; i < batch->ncalls; i++) {
        if (dsapi_sql_kind(batch->calls[i].sql) != DSAPI_SQL_PLAIN) {
            return 0;
        }
    }
    return 1;
}

static int is_state(const dsapi_err_t *err, const char *sqlstate)
{
    return err->sqlstate && strcmp(err->sqlstate, sqlstate) == 0;
}

int dsapi_db_conflict(const dsapi_err_t *err)
{
    return is_state(err, "40001") || is_state(err, "40P01");
}

int dsapi_db_read_only(const dsapi_err_t *err)
{
    return is_state(err, "25006");
}

apr_interval_time_t dsapi_db_pause(int runs, apr_uint32_t random)
{
    apr_interval_time_t longest = PAUSE;

    for (int i = 1; i < runs; i++) {
        longest *= 2;
    }
    return (apr_interval_time_t)random * longest >> 32;
}
