/*
 * DsapiTime: the time in a zone, and the names of the zones. The zone files
 * are read with the configuration, so that a graceful restart brings in new
 * ones and a request reads none.
 */
#include "httpd/actions.h"

#include <apr_env.h>
#include <apr_strings.h>
#include <http_log.h>

#include "httpd/directives.h"
#include "json/writer.h"
#include "time/zones.h"

APLOG_USE_MODULE(dsapi);

#define FOLDER "/usr/share/zoneinfo" /* where TZDIR is not set */

/* How long clients may keep the names. */
#define NAMES_CACHE "max-age=3600"

/* What all routes of a configuration share. */
typedef struct database_t {
    dsapi_zones_t *zones;
    const dsapi_zone_name_t *local; /* the server's */
    dsapi_buf_t *names;             /* of all zones, as a JSON array */
} database_t;

struct mod_dsapi_time_t {
    int list; /* DsapiTime zones */
    int tz;   /* the parameters' indexes; -1: none */
    int at;
    const database_t *database;
};

const char *mod_dsapi_set_time(cmd_parms *cmd, mod_dsapi_section_t *section,
                               const apr_array_header_t *args)
{
    static const char usage[] = "takes zones, or tz=:param and at=:param";
    mod_dsapi_route_t *route = section->route;
    const char *mistake = mod_dsapi_take_action(cmd, route, MOD_DSAPI_TIME);

    if (mistake) {
        return mistake;
    }
    if (strcmp(route->method, "GET") != 0) {
        return mod_dsapi_fail(cmd, "goes with GET");
    }
    route->time = apr_pcalloc(cmd->pool, sizeof(*route->time));
    for (int i = 0; i < args->nelts; i++) {
        const dsapi_arg_t *arg = &APR_ARRAY_IDX(args, i, dsapi_arg_t);
        const dsapi_arg_t *first = &APR_ARRAY_IDX(args, 0, dsapi_arg_t);

        if (!arg->key && strcmp(arg->value, "zones") == 0 && args->nelts == 1) {
            route->time->list = 1;
            return NULL;
        }
        if (!arg->key ||
            (strcmp(arg->key, "tz") != 0 && strcmp(arg->key, "at") != 0) ||
            *arg->value != ':' || !arg->value[1]) {
            return mod_dsapi_fail(cmd, usage);
        }
        if (i > 0 && strcmp(arg->key, first->key) == 0) {
            return mod_dsapi_fail(
                cmd,
                apr_psprintf(cmd->temp_pool, "'%s' is mapped twice", arg->key));
        }
        APR_ARRAY_PUSH(route->mapping, dsapi_arg_t) = *arg;
    }
    return NULL;
}

int mod_dsapi_time_is_list(const mod_dsapi_route_t *route)
{
    return route->time->list;
}

/* Settling */

/* Reads the zones. @return what is wrong; NULL: nothing */
static const char *read_database(database_t *database, apr_pool_t *pconf)
{
    char *folder = NULL;
    char *tz = NULL;
    dsapi_json_writer_t w;
    apr_status_t rv;

    if (apr_env_get(&folder, "TZDIR", pconf) != APR_SUCCESS || !*folder) {
        folder = apr_pstrdup(pconf, FOLDER);
    }
    rv = dsapi_time_zones_load(&database->zones, folder, pconf);
    if (rv == DSAPI_ENOTFOUND) {
        return apr_psprintf(pconf,
                            "there are no zone files in %s: install tzdata, "
                            "or set TZDIR in httpd's environment",
                            folder);
    }
    if (rv != APR_SUCCESS) {
        return apr_psprintf(pconf,
                            "cannot read the zone files in %s (%pm): install "
                            "tzdata, or set TZDIR in httpd's environment",
                            folder, &rv);
    }
    if (database->zones->damaged->nelts > 0) {
        ap_log_perror(APLOG_MARK, APLOG_WARNING, 0, pconf,
                      "DSAPI0044: DsapiTime: %s: these zone files cannot be "
                      "read, and their zones are not known: %s",
                      folder,
                      apr_array_pstrcat(pconf, database->zones->damaged, ' '));
    }
    apr_env_get(&tz, "TZ", pconf);
    database->local =
        dsapi_time_zones_local(database->zones, tz, "/etc", pconf);
    if (!database->local) {
        ap_log_perror(APLOG_MARK, APLOG_WARNING, 0, pconf,
                      "DSAPI0045: DsapiTime: the server's zone, by %s, is none "
                      "of those in %s; the server's time is UTC",
                      tz ? "TZ" : "/etc/localtime or /etc/timezone", folder);
        database->local = dsapi_time_zones_find(database->zones, "UTC", pconf);
    }
    database->names = dsapi_buf_make(16384, pconf);
    dsapi_json_writer_init(&w, database->names);
    dsapi_json_begin_array(&w);
    for (int i = 0; i < database->zones->names->nelts; i++) {
        dsapi_json_string(&w, APR_ARRAY_IDX(database->zones->names, i,
                                            const dsapi_zone_name_t *)
                                  ->name);
    }
    dsapi_json_end_array(&w);
    return NULL;
}

/* The zones, read for the first route that needs them. */
static const database_t *database_of(const char **pmistake, apr_pool_t *pconf)
{
    static const char key[] = "mod_dsapi_zones";
    void *known = NULL;
    database_t *database;

    apr_pool_userdata_get(&known, key, pconf);
    if (known) {
        return known;
    }
    database = apr_pcalloc(pconf, sizeof(*database));
    *pmistake = read_database(database, pconf);
    if (*pmistake) {
        return NULL;
    }
    apr_pool_userdata_setn(database, key, NULL, pconf);
    return database;
}

/* The parameter that is mapped to a key, or has its name. */
static int param_of(const char **pmistake, const mod_dsapi_route_t *route,
                    const char *key, dsapi_type_e kind, apr_pool_t *pool)
{
    const dsapi_type_t type = {kind, 0};
    const char *name = NULL;
    int index;

    for (int i = 0; i < route->mapping->nelts; i++) {
        const dsapi_arg_t *arg = &APR_ARRAY_IDX(route->mapping, i, dsapi_arg_t);

        if (strcmp(arg->key, key) == 0) {
            name = arg->value + 1; /* behind the colon */
        }
    }
    index = dsapi_route_param_index(route->params, name ? name : key);
    if (index >= 0) {
        const dsapi_param_t *param =
            APR_ARRAY_IDX(route->params, index, const dsapi_param_t *);

        if (param->type.kind != kind || param->type.is_array) {
            *pmistake =
                apr_psprintf(pool, "the parameter '%s' must be of type %s",
                             param->name, dsapi_base_type_name(type, pool));
        }
    }
    else if (name) {
        *pmistake =
            apr_psprintf(pool, "'%s' is not declared; add \"DsapiParam %s %s\"",
                         name, name, dsapi_base_type_name(type, pool));
    }
    return index;
}

/* Parameters that mean nothing to it, and a default that is no zone. */
static const char *params_mistake(const mod_dsapi_route_t *route,
                                  apr_pool_t *pool)
{
    const struct mod_dsapi_time_t *time = route->time;

    for (int i = 0; i < route->params->nelts; i++) {
        const dsapi_param_t *param =
            APR_ARRAY_IDX(route->params, i, const dsapi_param_t *);

        if (i != time->tz && i != time->at) {
            return apr_psprintf(pool,
                                "the parameter '%s' is not used%s; take its "
                                "DsapiParam away%s",
                                param->name, time->list ? " by zones" : "",
                                time->list ? "" : ", or map it (tz=:param)");
        }
        if (i == time->tz && param->def &&
            !dsapi_time_zones_find(time->database->zones, param->def, pool)) {
            return apr_psprintf(pool,
                                "the default '%s' of '%s' is no zone in "
                                "%s",
                                param->def, param->name,
                                time->database->zones->folder);
        }
    }
    return NULL;
}

const char *mod_dsapi_time_settle(const mod_dsapi_route_t *route,
                                  apr_pool_t *pconf)
{
    struct mod_dsapi_time_t *time = route->time;
    const char *mistake = NULL;

    time->database = database_of(&mistake, pconf);
    time->tz = -1;
    time->at = -1;
    if (!mistake && !time->list) {
        time->tz = param_of(&mistake, route, "tz", DSAPI_TYPE_TZ, pconf);
    }
    if (!mistake && !time->list) {
        time->at = param_of(&mistake, route, "at", DSAPI_TYPE_TIMESTAMP, pconf);
    }
    return mistake ? mistake : params_mistake(route, pconf);
}

/* Requests */

static apr_status_t refuse_zone(dsapi_err_t **perr, request_rec *r,
                                const mod_dsapi_route_t *route,
                                const char *name)
{
    const dsapi_param_t *param =
        APR_ARRAY_IDX(route->params, route->time->tz, const dsapi_param_t *);
    const char *nearest =
        dsapi_time_zones_nearest(route->time->database->zones, name, r->pool);

    *perr = NULL;
    return dsapi_fail_field(
        perr, r->pool, dsapi_route_in_name(param->in), param->name,
        "must be a zone of the time-zone database%s",
        nearest ? apr_psprintf(r->pool, "; is %s meant?", nearest) : "");
}

apr_status_t mod_dsapi_show_time(mod_dsapi_answer_t *answer, dsapi_err_t **perr,
                                 request_rec *r, const mod_dsapi_route_t *route,
                                 const char **values)
{
    const struct mod_dsapi_time_t *time = route->time;
    const database_t *database = time->database;
    const char *tz = time->tz >= 0 ? values[time->tz] : NULL;
    const char *at = time->at >= 0 ? values[time->at] : NULL;
    const dsapi_zone_name_t *zone = database->local;
    apr_time_t instant;

    if (time->list) {
        apr_table_setn(r->headers_out, "Cache-Control", NAMES_CACHE);
        answer->body = database->names->data;
        answer->body_bytes = database->names->len_bytes;
        return APR_SUCCESS;
    }
    if (tz) {
        zone = dsapi_time_zones_find(database->zones, tz, r->pool);
        if (!zone) {
            return refuse_zone(perr, r, route, tz);
        }
    }
    /* Read as late as can be; at was checked as a timestamp. */
    if (!at || dsapi_base_type_instant(&instant, at) != APR_SUCCESS) {
        instant = apr_time_now();
    }
    dsapi_time_zone_write(answer->buf, zone->name, zone->zone, instant);
    apr_table_setn(r->headers_out, "Cache-Control", "no-store");
    return APR_SUCCESS;
}
