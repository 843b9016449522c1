/*
 * Configuration as the directives leave it: per server, services with their
 * routes and sources. All of it lives in the configuration pool and is
 * read-only once check_config has run.
 */
#ifndef DSAPI_HTTPD_CONFIG_H
#define DSAPI_HTTPD_CONFIG_H

#include <httpd.h>
#include <http_config.h>
#include <stdatomic.h>

#include <ap_expr.h>

#include "limit/policy.h"
#include "resource/catalog.h"
#include "route/match.h"
#include "route/param.h"
#include "route/result.h"
#include "route/statement.h"
#include "series/metric.h"
#include "source/source.h"

/* The one symbol that httpd looks for; everything else is hidden. */
extern module AP_MODULE_DECLARE_DATA dsapi_module
    __attribute__((visibility("default")));

/* Where a directive stands; for the checks that come after the reading. */
typedef struct mod_dsapi_place_t {
    const char *file;
    int line;
} mod_dsapi_place_t;

/*
 * Scalars of a server: X(type, member, unset, default). A virtual host
 * inherits what it does not set.
 */
#define MOD_DSAPI_MEMBERS(X)                                          \
    X(apr_interval_time_t, db_wait, -1, 500 * APR_TIME_C(1000))       \
    X(apr_interval_time_t, db_timeout, -1, apr_time_from_sec(5))      \
    X(int, db_prepare, -1, 1)                                         \
    X(apr_off_t, buffer_bytes, -1, APR_INT64_C(1048576))              \
    X(int, streams, -1, -1) /* -1: 2, or what the pool allows */      \
    X(apr_interval_time_t, stream_timeout, -1, apr_time_from_sec(30)) \
    X(int, worker, -1, 1)                                             \
    X(int, concurrency, -1, 16)                                       \
    X(const char *, proxy, NULL, NULL)                                \
    X(apr_off_t, cache_size_bytes, -1, APR_INT64_C(67108864))         \
    X(apr_off_t, rate_store_bytes, -1, APR_INT64_C(4194304))          \
    X(const char *, worker_database, NULL, NULL)                      \
    X(const char *, read_database, NULL, NULL)

typedef struct mod_dsapi_srv_t {
#define MEMBER(type, name, unset, def) type name;
    MOD_DSAPI_MEMBERS(MEMBER)
#undef MEMBER
    apr_array_header_t *services; /* of mod_dsapi_service_t *: its own, or
                                     the main server's */
    _Atomic(void *) gate;         /* a child's: see dbpool.c */
    struct mod_dsapi_standby_t *standby; /* the same; NULL: there is none */
    int pool_size;                       /* DBDMax */
    dsapi_trie_t *bases;                 /* NULL before check_config */
    int watched; /* its database is the one whose versions are known */
} mod_dsapi_srv_t;

/* DsapiCache, in a service or a route. */
typedef struct mod_dsapi_caching_t {
    ap_directive_t *directive; /* NULL: not set */
    apr_interval_time_t life;  /* 0: not cached */
    apr_interval_time_t stale; /* so long behind its end an answer may still be
                                  given where the database fails */
    enum {
        MOD_DSAPI_CACHE_AUTO, /* private where the request has a user */
        MOD_DSAPI_CACHE_PUBLIC,
        MOD_DSAPI_CACHE_PRIVATE
    } scope;
} mod_dsapi_caching_t;

/* DsapiDependsOn, in a service or a route. */
typedef struct mod_dsapi_depends_t {
    ap_directive_t *directive; /* NULL: not set */
    apr_array_header_t *names; /* of const char *; empty: Off */
} mod_dsapi_depends_t;

/* A value that SQL reads as current_setting('dsapi.<name>', true). */
typedef struct mod_dsapi_session_t {
    const char *name;
    const ap_expr_info_t *expr;
    const char *text; /* as it was written */
} mod_dsapi_session_t;

/* DsapiRateLimit, in a service or a route. */
typedef struct mod_dsapi_limit_t {
    dsapi_policy_t *policy;
    const ap_expr_info_t *expr; /* by=expr:...; else NULL */
    ap_directive_t *directive;
} mod_dsapi_limit_t;

/* The limits that a request falls under: those by client first, which are
 * decided before authentication; of each kind the slowest first. */
typedef struct mod_dsapi_limits_t {
    const mod_dsapi_limit_t *items;
    int n;
    int nearly;           /* those by client */
    const char *policies; /* RateLimit-Policy; NULL: all are shadows */
} mod_dsapi_limits_t;

typedef struct mod_dsapi_service_t {
    const char *name;
    const char *base; /* "/foodsecurity/v1" */
    const char *title;
    const char *description;
    const char *version;
    apr_off_t max_body_bytes;        /* -1: not set */
    dsapi_trie_t *trie;              /* of mod_dsapi_route_t * */
    apr_array_header_t *routes;      /* of mod_dsapi_route_t * */
    apr_array_header_t *sources;     /* of mod_dsapi_source_t * */
    apr_array_header_t *series;      /* of mod_dsapi_series_t * */
    apr_array_header_t *session;     /* of mod_dsapi_session_t */
    apr_array_header_t *resources;   /* of mod_dsapi_resource_t * */
    apr_array_header_t *specs;       /* of dsapi_res_spec_t *: theirs */
    const char *role;                /* DsapiRole: who resources' SQL runs as;
                                        NULL: who connects */
    const struct dsapi_cors_t *cors; /* NULL: Off */
    int no_docs;                     /* DsapiDocs Off */
    mod_dsapi_caching_t caching;     /* of its routes that set none */
    mod_dsapi_depends_t depends;
    apr_array_header_t *limits;       /* of mod_dsapi_limit_t */
    apr_array_header_t *exempt;       /* of apr_ipsubnet_t * */
    ap_directive_t *exempt_directive; /* one of them; NULL: there is none */
    const mod_dsapi_limits_t *falls_under; /* NULL: no limits of its own */
    int is_limited;                        /* or a route of it is */
    mod_dsapi_place_t place;
    /* DsapiAllow and DsapiPageSize of its resources that have none; 0: not
     * set */
    int allow;
    apr_int64_t page_size;
    apr_int64_t page_max;
} mod_dsapi_service_t;

/* A schedule, and where it stands. */
typedef struct mod_dsapi_schedule_t {
    const struct dsapi_schedule_t *core;
    ap_directive_t *directive;
} mod_dsapi_schedule_t;

typedef struct mod_dsapi_source_t {
    dsapi_source_t core; /* complete once its section is closed */
    const char *name;    /* within its service */
    const mod_dsapi_service_t *service;
    apr_array_header_t *params;    /* of dsapi_param_t * */
    apr_array_header_t *headers;   /* of const char * */
    apr_array_header_t *secrets;   /* of const char * */
    apr_array_header_t *hosts;     /* of dsapi_host_t: DsapiAllowHost */
    apr_array_header_t *texts;     /* of mod_dsapi_text_t: DsapiStore */
    apr_array_header_t *resolve;   /* of mod_dsapi_text_t: DsapiResolve */
    apr_array_header_t *schedules; /* of mod_dsapi_schedule_t */
    const char *columns;           /* SQL: a job as a result's columns */
    mod_dsapi_place_t place;
} mod_dsapi_source_t;

/* SQL as it was written, and where. */
typedef struct mod_dsapi_text_t {
    const char *sql;
    ap_directive_t *directive;
} mod_dsapi_text_t;

/* What a resource allows (DsapiAllow). */
#define MOD_DSAPI_LIST     1
#define MOD_DSAPI_READ     2
#define MOD_DSAPI_CREATE   4
#define MOD_DSAPI_UPDATE   8
#define MOD_DSAPI_DELETE   16
#define MOD_DSAPI_ROLLBACK 32
#define MOD_DSAPI_IMPORT   64  /* POST of CSV */
#define MOD_DSAPI_KEYED    128 /* PATCH, PUT and DELETE by the key alone */

/* DsapiNested: a list of another resource's, below each row of this one. */
typedef struct mod_dsapi_nested_t {
    const char *name;   /* of the other */
    const char *column; /* of the other, which has this one's key */
    const struct mod_dsapi_resource_t *resource;
    const struct mod_dsapi_resource_t *above; /* this one */
} mod_dsapi_nested_t;

/* What DsapiExpose publishes is called so; its spec has a schema. */
#define MOD_DSAPI_ANY_TABLE "{table}"

/* <DsapiResource>, or DsapiExpose. Of what is 0 (not set) before check_config
 * the service says what it is. */
typedef struct mod_dsapi_resource_t {
    dsapi_res_spec_t spec;
    const mod_dsapi_service_t *service;
    int allow;
    apr_int64_t page_size;      /* rows of a list unless limit= says; -1: all */
    apr_int64_t page_max;       /* rows of a list at most; -1: all */
    apr_array_header_t *nested; /* of mod_dsapi_nested_t */
    apr_interval_time_t db_timeout; /* -1: the server's */
    apr_off_t max_body_bytes;       /* -1: the service's */
    ap_directive_t *directive;
} mod_dsapi_resource_t;
typedef struct mod_dsapi_series_t {
    dsapi_series_t core; /* complete once its section is closed */
    const char *name;    /* within its service */
    const char *full_name;
    mod_dsapi_service_t *service;
    apr_array_header_t *params;     /* of dsapi_param_t *: its key */
    apr_array_header_t *texts;      /* of mod_dsapi_text_t: its query */
    apr_array_header_t *statements; /* of dsapi_statement_t: the one */
    mod_dsapi_depends_t depends;
    const int *versions; /* of what it depends on: indexes (versions.h) */
    int nversions;
    int keyed;                      /* it is its own name: its key counts */
    apr_interval_time_t stale;      /* DsapiStaleFor */
    int waits;                      /* DsapiReload wait */
    apr_interval_time_t db_timeout; /* -1: the route's */
    _Atomic int large;              /* one has been seen to be: see metric.c */
    ap_directive_t *directive;
} mod_dsapi_series_t;

typedef enum mod_dsapi_action_e {
    MOD_DSAPI_NO_ACTION,
    MOD_DSAPI_QUERY,
    MOD_DSAPI_ENQUEUE,
    MOD_DSAPI_JOB,
    MOD_DSAPI_TIME,
    MOD_DSAPI_METRIC,
    MOD_DSAPI_DOCS,
    MOD_DSAPI_RESOURCE
} mod_dsapi_action_e;

/* The most jobs that one request puts into the queue. */
#define MOD_DSAPI_LIST_MAX 1000

typedef struct mod_dsapi_route_t {
    const mod_dsapi_service_t *service;
    const char *method; /* upper case */
    const char *path;
    int takes_body;                 /* POST, PUT, PATCH */
    apr_array_header_t *path_names; /* of const char * */
    apr_array_header_t *params;     /* of dsapi_param_t * */
    mod_dsapi_action_e action;
    apr_array_header_t *texts;      /* of mod_dsapi_text_t: the queries */
    apr_array_header_t *statements; /* of dsapi_statement_t */
    dsapi_sql_t *preamble;          /* settings of the transaction */
    int read_only;
    int streams;             /* its rows may be more than DsapiBuffer holds */
    int write;               /* DsapiWrite; -1: not set */
    ap_directive_t *standby; /* DsapiReadFrom standby; NULL: the primary */
    dsapi_shape_e shape;
    int shape_set;
    mod_dsapi_caching_t caching; /* its own; from check_config on, or else
                                    the service's */
    mod_dsapi_depends_t depends;
    apr_array_header_t *limits;            /* of mod_dsapi_limit_t: its own */
    const mod_dsapi_limits_t *falls_under; /* the service's, too; NULL: none */
    const int *versions; /* of what it depends on: indexes (versions.h) */
    int nversions;
    const char *cache_control[2]; /* of a cached route: public, private */
    const char *signature; /* of a cached route: text that changes with what
                              it is configured to answer */
    int page_size;         /* DsapiPage; 0: the answer is not paged */
    int page_max;
    int limit_index; /* of :limit and :offset, where it is paged */
    int offset_index;
    const char *content_type;       /* DsapiContentType; NULL: JSON */
    int status;                     /* 0: by the action */
    apr_interval_time_t db_timeout; /* -1: the server's */
    apr_off_t max_body_bytes;       /* -1: the service's */
    const char *summary;
    const char *description;
    const char *tag;
    const char *source_name;         /* of DsapiEnqueue and DsapiJob */
    apr_array_header_t *mapping;     /* of dsapi_arg_t: name=:param */
    struct mod_dsapi_time_t *time;   /* of DsapiTime: see time.c */
    struct mod_dsapi_docs_t *docs;   /* of the documentation: see docs.c */
    const char *series_name;         /* of DsapiMetric */
    apr_array_header_t *metric_args; /* of dsapi_arg_t */
    mod_dsapi_series_t *series;
    dsapi_metric_t *metric;
    const int *series_params; /* one a parameter of the series: the route's
                                 parameter; -1: its default;
                                 -2 - n: the session's nth value */
    const mod_dsapi_resource_t *resource; /* of MOD_DSAPI_RESOURCE */
    int is_call;                          /* of a function of its schema's */
    const mod_dsapi_nested_t *nested;     /* its list below another's row */
    const mod_dsapi_source_t *source;
    const int *source_params; /* one a parameter of the source: the
                                       route's parameter; -1: none */
    int list_index;           /* of the route's list that makes a job
                                       for each item; -1: none */
    dsapi_sql_t *job_sql;     /* what enqueues or looks up */
    const struct mod_dsapi_route_t *status_route; /* for Location; NULL */
    ap_directive_t *action_directive;
    mod_dsapi_place_t place;
} mod_dsapi_route_t;

/* What a directive's section is; the module's per-directory slot holds it. */
typedef enum mod_dsapi_kind_e {
    MOD_DSAPI_TOP = 1,
    MOD_DSAPI_IN_SERVICE = 2,
    MOD_DSAPI_IN_ROUTE = 4,
    MOD_DSAPI_IN_SOURCE = 8,
    MOD_DSAPI_IN_RESOURCE = 16,
    MOD_DSAPI_IN_SERIES = 32
} mod_dsapi_kind_e;

typedef struct mod_dsapi_section_t {
    mod_dsapi_kind_e kind;
    mod_dsapi_service_t *service;
    mod_dsapi_route_t *route;
    mod_dsapi_source_t *source;
    mod_dsapi_resource_t *resource;
    mod_dsapi_series_t *series;
} mod_dsapi_section_t;

/** The directives, for the module record. */
extern const command_rec mod_dsapi_commands[];

void *mod_dsapi_create_dir(apr_pool_t *p, char *path);
void *mod_dsapi_create_server(apr_pool_t *p, server_rec *s);
void *mod_dsapi_merge_server(apr_pool_t *p, void *base, void *add);

/** @return a server's configuration; never NULL */
mod_dsapi_srv_t *mod_dsapi_srv_of(const server_rec *s);

/**
 * Settle the configuration of all servers: defaults, names of sources, tries.
 * Runs in check_config, so that configtest finds every mistake.
 * @return OK, or HTTP_INTERNAL_SERVER_ERROR after logging each mistake
 */
int mod_dsapi_check(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp,
                    server_rec *main);

/** @return a service's source by its short name; NULL */
const mod_dsapi_source_t *
mod_dsapi_find_source(const mod_dsapi_service_t *service, const char *name);

/** Complete a resource with what its service says of those that say nothing. */
void mod_dsapi_resource_inherit(mod_dsapi_resource_t *resource);

/**
 * Declare the routes of a resource, when all have been completed.
 * @return what is wrong, in pool; NULL: nothing
 */
const char *mod_dsapi_resource_settle(mod_dsapi_resource_t *resource,
                                      apr_pool_t *pool);

/** @return what a server's mod_dbd is told by a directive (DBDriver,
 *  DBDParams): its virtual host's, or else the main server's; NULL */
const char *mod_dsapi_dbd_argument(apr_pool_t *p, const server_rec *s,
                                   const char *directive);

/**
 * The pool of mod_dbd's that a server's requests use, once its sizes are known
 * to be right.
 * @return what is wrong with it; NULL: nothing
 */
const char *mod_dsapi_pool_mistake(apr_pool_t *ptemp, const server_rec *s,
                                   const server_rec *main);

/** @return 1: a statement of a route's SQL has one of its parameters */
int mod_dsapi_sql_uses(const mod_dsapi_route_t *route, int index);

/** A route without an action. @param service  borrowed */
mod_dsapi_route_t *mod_dsapi_make_route(const mod_dsapi_service_t *service,
                                        apr_pool_t *pool);

/* sections.c: handlers of the containers, and their ends. */
const char *mod_dsapi_open_service(cmd_parms *cmd, void *mconfig,
                                   const char *args);
const char *mod_dsapi_open_route(cmd_parms *cmd, void *mconfig,
                                 const char *args);
const char *mod_dsapi_open_source(cmd_parms *cmd, void *mconfig,
                                  const char *args);
const char *mod_dsapi_open_series(cmd_parms *cmd, void *mconfig,
                                  const char *args);
const char *mod_dsapi_read_sql(cmd_parms *cmd, void *mconfig, const char *args);

#endif
