/*
 * mod_dsapi: httpd and PostgreSQL as a data-service API. This file is the
 * module's record and the order of its hooks, nothing else.
 */
#include <httpd.h>
#include <http_config.h>
#include <http_core.h>
#include <http_protocol.h>
#include <http_request.h>
#include <mpm_common.h>

#include "httpd/actions.h"
#include "httpd/config.h"
#include "httpd/dbpool.h"
#include "httpd/handlers.h"
#include "httpd/limits.h"
#include "httpd/manage.h"
#include "httpd/request.h"
#include "httpd/resource.h"
#include "httpd/respond.h"
#include "httpd/series.h"
#include "httpd/worker.h"

static int post_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp,
                       server_rec *s)
{
    (void)plog;
    (void)ptemp;
    if (ap_state_query(AP_SQ_MAIN_STATE) == AP_SQ_MS_CREATE_PRE_CONFIG) {
        return OK; /* the first of two readings */
    }
    if (mod_dsapi_limits_post_config(s) != OK) {
        return HTTP_INTERNAL_SERVER_ERROR;
    }
    return mod_dsapi_worker_post_config(pconf, s);
}

static void child_init(apr_pool_t *pchild, server_rec *s)
{
    mod_dsapi_db_child_init(pchild, s);
    mod_dsapi_cache_child_init(pchild, s);
    mod_dsapi_metric_child_init(pchild);
    mod_dsapi_catalog_child_init(pchild);
    mod_dsapi_worker_child_init(pchild);
}

static void register_hooks(apr_pool_t *p)
{
    static const char *const behind_rewrite[] = {"mod_rewrite.c", NULL};

    ap_hook_check_config(mod_dsapi_check, NULL, NULL, APR_HOOK_MIDDLE);
    /* Before mod_watchdog's, which looks for callbacks at the end. */
    ap_hook_post_config(post_config, NULL, NULL, APR_HOOK_MIDDLE);
    /* Before mod_dbd's, which may connect there. */
    ap_hook_child_init(child_init, NULL, NULL, APR_HOOK_REALLY_FIRST);
    ap_hook_child_stopping(mod_dsapi_worker_child_stopping, NULL, NULL,
                           APR_HOOK_MIDDLE);
    ap_hook_translate_name(mod_dsapi_translate_name, behind_rewrite, NULL,
                           APR_HOOK_FIRST);
    ap_hook_map_to_storage(mod_dsapi_map_to_storage, NULL, NULL,
                           APR_HOOK_FIRST);
    /* Before any module that refuses, whatever it does that for. */
    ap_hook_post_perdir_config(mod_dsapi_post_perdir_config, NULL, NULL,
                               APR_HOOK_FIRST);
    ap_hook_type_checker(mod_dsapi_type_checker, NULL, NULL, APR_HOOK_FIRST);
    /* Before anybody asks who the client is. */
    ap_hook_header_parser(mod_dsapi_limit_early, NULL, NULL, APR_HOOK_FIRST);
    ap_hook_fixups(mod_dsapi_limit_late, NULL, NULL, APR_HOOK_FIRST);
    /* Behind core's, which knows of SetHandler. */
    ap_hook_fixups(mod_dsapi_fixups, NULL, NULL, APR_HOOK_FIRST);
    ap_hook_handler(mod_dsapi_handler, NULL, NULL, APR_HOOK_FIRST);
    ap_hook_handler(mod_dsapi_manage_handler, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_insert_error_filter(mod_dsapi_insert_error_filter, NULL, NULL,
                                APR_HOOK_LAST);
    ap_hook_insert_filter(mod_dsapi_insert_filter, NULL, NULL, APR_HOOK_LAST);
    mod_dsapi_register_filters();
    mod_dsapi_db_register_hooks(p);
}

AP_DECLARE_MODULE(dsapi) = {STANDARD20_MODULE_STUFF,
                            mod_dsapi_create_dir,
                            NULL,
                            mod_dsapi_create_server,
                            mod_dsapi_merge_server,
                            mod_dsapi_commands,
                            register_hooks,
                            0};
