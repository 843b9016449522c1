/*
 * DsapiResolve: SQL that is asked when a job starts, whose row's columns
 * become further values of the job.
 */
#ifndef DSAPI_SOURCE_RESOLVE_H
#define DSAPI_SOURCE_RESOLVE_H

#include "source/job.h"

/** Append to a batch the calls that ask, and count that. The batch does not
 *  need the job. @return how long they may take */
apr_interval_time_t dsapi_resolve_put(dsapi_link_t *link, dsapi_job_t *job,
                                      apr_pool_t *pool);

/** Take the row: the job's phase is fetch. Where it is not exactly one, or
 *  lacks a column that is used, or has it twice, the job has failed.
 *  @param job  NULL: it was lost meanwhile, and nothing is done */
void dsapi_resolve_take(dsapi_job_t *job, const dsapi_rows_t *rows);

/** Fill in a call of SQL over a job's values, the columns as of the types that
 *  they have. */
void dsapi_resolve_call(dsapi_call_t *pcall, const dsapi_job_t *job,
                        const dsapi_statement_t *st, apr_pool_t *pool);

#endif
