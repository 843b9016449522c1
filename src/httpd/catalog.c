/* The catalogues of a child: see resource.h. */
#include "httpd/resource.h"

#include <apr_strings.h>
#include <apr_thread_cond.h>
#include <apr_thread_mutex.h>
#include <http_log.h>

#include "httpd/dbpool.h"
#include "resource/cast.h"

APLOG_USE_MODULE(dsapi);

/* So long a catalogue is not read again, whatever clients ask for. */
#define CALM apr_time_from_sec(1)

/* So old a catalogue is read again by the next request: a new default, or
 * another key, is a change that no error tells of. */
#define AGE apr_time_from_sec(5)

/* A catalogue that has been read; in a pool of its own. */
typedef struct generation_t {
    const dsapi_catalog_t *catalog;
    apr_pool_t *pool;
    apr_time_t read_at; /* or when that was tried last */
    int users;          /* requests, and the holder */
} generation_t;

/* The catalogue of a service in a server's database. */
typedef struct holder_t {
    const mod_dsapi_service_t *service;
    const server_rec *server;
    generation_t *current; /* NULL: not read yet */
    int reading;
    char *missing; /* for each of the service's specs: it is not there */
    struct holder_t *next;
} holder_t;

/* What a child knows: reset with every child, never shared by processes. */
static struct {
    apr_pool_t *pool;
    apr_thread_mutex_t *mutex;
    apr_thread_cond_t *cond; /* a reading has ended */
    holder_t *holders;
} child;

void mod_dsapi_catalog_child_init(apr_pool_t *pchild)
{
    apr_pool_create(&child.pool, pchild);
    apr_pool_tag(child.pool, "mod_dsapi_catalogs");
    child.holders = NULL;
    apr_thread_mutex_create(&child.mutex, APR_THREAD_MUTEX_DEFAULT, child.pool);
    apr_thread_cond_create(&child.cond, child.pool);
}

/* The mutex is held. */
static holder_t *holder_of(const request_rec *r,
                           const mod_dsapi_service_t *service)
{
    holder_t *holder = child.holders;

    while (holder &&
           (holder->service != service || holder->server != r->server)) {
        holder = holder->next;
    }
    if (!holder) {
        holder = apr_pcalloc(child.pool, sizeof(*holder));
        holder->service = service;
        holder->server = r->server;
        holder->missing =
            apr_pcalloc(child.pool, (apr_size_t)service->specs->nelts);
        holder->next = child.holders;
        child.holders = holder;
    }
    return holder;
}

/* The mutex is held. */
static void leave(generation_t *generation)
{
    if (generation && --generation->users == 0) {
        apr_pool_destroy(generation->pool);
    }
}

/* A request's pool ends. */
static apr_status_t leave_late(void *data)
{
    apr_thread_mutex_lock(child.mutex);
    leave(data);
    apr_thread_mutex_unlock(child.mutex);
    return APR_SUCCESS;
}

/* Is a schema exposed, whose functions can be called? */
static int exposes(const apr_array_header_t *specs)
{
    for (int i = 0; i < specs->nelts; i++) {
        if (APR_ARRAY_IDX(specs, i, const dsapi_res_spec_t *)->schema) {
            return 1;
        }
    }
    return 0;
}

/* Runs a query of the catalogue's. What it is thought to cost would have it
 * compiled, which takes a hundred times as long as it does; and for a default's
 * text PostgreSQL locks the table, which somebody may alter for long. */
static apr_status_t ask_catalog(dsapi_rows_t **prows, dsapi_err_t **perr,
                                request_rec *r, const mod_dsapi_route_t *route,
                                const dsapi_call_t *call)
{
    apr_array_header_t *calls = mod_dsapi_make_calls(r->pool);
    dsapi_call_t *settings = apr_array_push(calls);

    settings->sql = dsapi_sql_literal("SELECT set_config('jit', 'off', true), "
                                      "set_config('lock_timeout', '200ms', "
                                      "true)",
                                      0, r->pool);
    settings->types = NULL;
    settings->values = NULL;
    APR_ARRAY_PUSH(calls, dsapi_call_t) = *call;
    return mod_dsapi_run_calls(prows, perr, r, route, calls);
}

/* Reads a catalogue. @return NULL: *perr says why not */
static generation_t *read_catalog(dsapi_err_t **perr, request_rec *r,
                                  const mod_dsapi_route_t *route)
{
    const apr_array_header_t *specs = route->service->specs;
    generation_t *generation;
    apr_pool_t *pool;
    dsapi_call_t call;
    dsapi_rows_t *rows;
    dsapi_rows_t *casts;
    dsapi_rows_t *functions = NULL;

    dsapi_catalog_call(&call, specs, r->pool);
    if (ask_catalog(&rows, perr, r, route, &call) != APR_SUCCESS) {
        return NULL;
    }
    dsapi_cast_call(&call, specs, r->pool);
    if (ask_catalog(&casts, perr, r, route, &call) != APR_SUCCESS) {
        return NULL;
    }
    dsapi_catalog_functions_call(&call, specs, r->pool);
    if (exposes(specs) &&
        ask_catalog(&functions, perr, r, route, &call) != APR_SUCCESS) {
        return NULL;
    }
    apr_pool_create(&pool, NULL); /* the parent that threads may share */
    apr_pool_tag(pool, "mod_dsapi_catalog");
    generation = apr_pcalloc(pool, sizeof(*generation));
    generation->pool = pool;
    generation->catalog =
        dsapi_catalog_make(specs, rows, casts, functions, pool);
    generation->read_at = apr_time_now();
    generation->users = 1;
    return generation;
}

/* Does a catalogue have anything of what a spec names? */
static int is_there(const dsapi_catalog_t *catalog,
                    const dsapi_res_spec_t *spec)
{
    for (int i = 0; i < catalog->entities->nelts; i++) {
        const dsapi_entity_t *entity =
            &APR_ARRAY_IDX(catalog->entities, i, dsapi_entity_t);

        if (spec->schema ? strcmp(entity->schema, spec->schema) == 0
                         : entity->spec == spec) {
            return 1;
        }
    }
    for (int i = 0; spec->schema && i < catalog->functions->nelts; i++) {
        if (strcmp(
                APR_ARRAY_IDX(catalog->functions, i, dsapi_function_t).schema,
                spec->schema) == 0) {
            return 1;
        }
    }
    return 0;
}

/* What the configuration names and the database has not is told once: clients
 * are answered 404, which nobody looks at. By who reads for the holder. */
static void tell_missing(const holder_t *holder, const dsapi_catalog_t *catalog)
{
    const apr_array_header_t *specs = holder->service->specs;

    for (int i = 0; i < specs->nelts; i++) {
        const dsapi_res_spec_t *spec =
            APR_ARRAY_IDX(specs, i, const dsapi_res_spec_t *);
        char missing = (char)!is_there(catalog, spec);

        if (missing && !holder->missing[i] && spec->schema) {
            ap_log_error(APLOG_MARK, APLOG_WARNING, 0, holder->server,
                         "DSAPI0075: <DsapiService %s>: DsapiExpose: there is "
                         "nothing in the schema '%s'",
                         holder->service->name, spec->schema);
        }
        else if (missing && !holder->missing[i]) {
            ap_log_error(APLOG_MARK, APLOG_WARNING, 0, holder->server,
                         "DSAPI0076: <DsapiService %s>: <DsapiResource %s>: "
                         "there is no table %s",
                         holder->service->name, spec->name, spec->table);
        }
        holder->missing[i] = missing;
    }
}

/* Is what the holder has good enough? @param old  it is not (NULL: any is) */
static int suffices(const holder_t *holder, const dsapi_catalog_t *old)
{
    const generation_t *current = holder->current;

    return current &&
           (holder->reading || apr_time_now() - current->read_at <
                                   (current->catalog == old ? CALM : AGE));
}

/* Waits until nobody reads for a holder that has nothing. @return 0: the time
 * is over */
static int wait_reading(const holder_t *holder, apr_time_t until)
{
    while (!holder->current && holder->reading) {
        apr_time_t left = until - apr_time_now();

        if (left <= 0) {
            return 0;
        }
        apr_thread_cond_timedwait(child.cond, child.mutex, left);
    }
    return 1;
}

/* Reads for a holder. The mutex is held, but not meanwhile. */
static void renew(holder_t *holder, dsapi_err_t **perr, request_rec *r,
                  const mod_dsapi_route_t *route)
{
    generation_t *generation;

    holder->reading = 1;
    apr_thread_mutex_unlock(child.mutex);
    generation = read_catalog(perr, r, route);
    if (generation) {
        tell_missing(holder, generation->catalog);
    }
    apr_thread_mutex_lock(child.mutex);
    holder->reading = 0;
    if (generation) {
        leave(holder->current);
        holder->current = generation;
    }
    else if (holder->current) {
        holder->current->read_at = apr_time_now();
    }
    apr_thread_cond_broadcast(child.cond);
}

apr_status_t mod_dsapi_catalog_get(const dsapi_catalog_t **pcatalog,
                                   dsapi_err_t **perr, request_rec *r,
                                   const mod_dsapi_route_t *route)
{
    apr_time_t until = apr_time_now() + mod_dsapi_srv_of(r->server)->db_wait;
    holder_t *holder;
    generation_t *generation;
    int waited;

    *perr = NULL;
    apr_thread_mutex_lock(child.mutex);
    holder = holder_of(r, route->service);
    waited = wait_reading(holder, until);
    if (waited && !suffices(holder, *pcatalog)) {
        renew(holder, perr, r, route);
    }
    generation = holder->current;
    if (generation) {
        generation->users++;
    }
    apr_thread_mutex_unlock(child.mutex);
    if (generation) {
        apr_pool_cleanup_register(r->pool, generation, leave_late,
                                  apr_pool_cleanup_null);
        *pcatalog = generation->catalog;
        return APR_SUCCESS;
    }
    if (!*perr) {
        dsapi_fail(perr, r->pool, DSAPI_EBUSY, "database-busy",
                   "the tables are being looked at; try again");
        (*perr)->retry_after_s = 1;
    }
    return (*perr)->rv;
}
