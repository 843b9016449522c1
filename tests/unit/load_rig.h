/*
 * Importing CSV in tests: into a table of a test's database, with what its
 * catalogue says of the columns. Everything made here ends with g_pool.
 */
#ifndef DSAPI_TESTS_LOAD_RIG_H
#define DSAPI_TESTS_LOAD_RIG_H

#include "csv/import.h"
#include "unit/pg.h"

/** An import into one table, and how the last one went. */
typedef struct load_rig_t {
    pg_t *pg;
    dsapi_db_t *db; /* what the import uses; the test may ask pg meanwhile */
    dsapi_import_spec_t spec;
    apr_time_t until;
    dsapi_import_report_t report;
    dsapi_err_t *err;
} load_rig_t;

/** A database with tests/data/csv's tables, property and visit. */
load_rig_t *load_rig_open(void);

/** From now on it is into this table of the schema public. */
void load_rig_table(load_rig_t *rig, const char *table);

/** Conflicts of this column (of any, if NULL) are resolved. */
void load_rig_mode(load_rig_t *rig, dsapi_import_mode_t mode, const char *key);

/** Import some bytes. Unless it is broken, the connection is idle afterwards,
 *  and where something was refused, nothing stored. */
apr_status_t load_rig_bytes(load_rig_t *rig, const char *bytes, apr_size_t len);

/** As load_rig_bytes. */
apr_status_t load_rig_text(load_rig_t *rig, const char *text);

/** Import a file of tests/data/csv. */
apr_status_t load_rig_file(load_rig_t *rig, const char *file);

/** Import the registry of 32,530 records. */
apr_status_t load_rig_oui(load_rig_t *rig);

/** Import a file that is open; it is at its beginning. */
apr_status_t load_rig_spool(load_rig_t *rig, apr_file_t *spool);

/** @return the refused rows as text: "2@3 price[abc] " for record 2, line 3;
 *  of NULL "[]" is left out */
const char *load_rig_rows(const load_rig_t *rig);

/** @return how many rows the table has */
int load_rig_count(const load_rig_t *rig);

/** @return an empty file, which is removed when it is closed */
apr_file_t *load_rig_temp(const char **ppath);

/** @return the path of a file of tests/data/csv */
const char *load_rig_path(const char *file);

#endif
