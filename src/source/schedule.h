/*
 * Schedules of a source (DsapiSchedule): when jobs are made without anybody
 * asking, and of which parameters. When the next tick is, PostgreSQL works out
 * (dsapi.plan), whose clock and time zones count; here a rule becomes the sets
 * that it goes by.
 */
#ifndef DSAPI_SOURCE_SCHEDULE_H
#define DSAPI_SOURCE_SCHEDULE_H

#include "base/args.h"
#include "source/source.h"

/** Read-only once made. */
typedef struct dsapi_schedule_t {
    const char *name; /* its identity: the source, and what was written */
    const dsapi_source_t *source;
    const char *rule;               /* JSON, of dsapi_schedule_rule */
    const char *zone;               /* of rule and of "today" */
    const apr_array_header_t *args; /* of dsapi_arg_t: name=value */
    const dsapi_sql_t *each;        /* gives a job a row; NULL: one job */
} dsapi_schedule_t;

/**
 * Read a rule: "every 6h"; "cron 0 6 * * mon-fri", the five fields of Vixie
 * cron (lists, ranges, steps, names; where both days are given either will
 * do); "@hourly", "@daily", "@weekly", "@monthly", "@yearly".
 * @param pjson  out: {"every":microseconds}, or {"minute":[..],"hour":[..],
 *               "day":[..],"month":[..],"weekday":[..],"either":bool}; in pool
 * @param perr   out: what is wrong, in pool
 * @return APR_SUCCESS; DSAPI_ESYNTAX
 */
apr_status_t dsapi_schedule_rule(const char **pjson, dsapi_err_t **perr,
                                 const char *text, apr_pool_t *pool);

/**
 * Make a job's parameters: those of the row, the schedule's, the defaults.
 * A date may be "today", "today-400d" or "today+1d".
 * @param pjson  out: canonical, as dsapi_source_params has it; NULL on error
 * @param perr   out: every mistake, in pool
 * @param today  YYYY-MM-DD
 * @param row    an object, a member for each column; NULL: none
 * @return APR_SUCCESS; DSAPI_EPARAM; DSAPI_ESYNTAX: no such day
 */
apr_status_t dsapi_schedule_params(const char **pjson, dsapi_err_t **perr,
                                   const dsapi_schedule_t *schedule,
                                   const char *today,
                                   const dsapi_json_slice_t *row,
                                   apr_pool_t *pool);

/**
 * Check what a schedule says of its source's parameters, as far as that is
 * known before its each= has run.
 * @return APR_SUCCESS; DSAPI_EPARAM (perr in pool)
 */
apr_status_t dsapi_schedule_check(dsapi_err_t **perr,
                                  const dsapi_schedule_t *schedule,
                                  apr_pool_t *pool);

#endif
