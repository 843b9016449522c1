/*
 * A contender of `make bench`: the least that a handler can do. It answers
 * with the bytes of a file, read when httpd starts, as JSON:
 *
 *   <Location "/bare/doc">
 *       SetHandler bench-bytes
 *       BenchFile /path/doc.json
 *   </Location>
 */
#include <httpd.h>
#include <http_config.h>
#include <http_core.h>
#include <http_protocol.h>
#include <util_filter.h>

#include <apr_file_io.h>

extern module AP_MODULE_DECLARE_DATA bench_module
    __attribute__((visibility("default")));

typedef struct bytes_t {
    char *data;
    apr_size_t len;
} bytes_t;

static void *create_dir(apr_pool_t *p, char *dir)
{
    (void)dir;
    return apr_pcalloc(p, sizeof(bytes_t));
}

static const char *set_file(cmd_parms *cmd, void *conf, const char *path)
{
    bytes_t *bytes = conf;
    apr_file_t *file;
    apr_finfo_t info;

    if (apr_file_open(&file, path, APR_READ, APR_OS_DEFAULT, cmd->temp_pool) !=
            APR_SUCCESS ||
        apr_file_info_get(&info, APR_FINFO_SIZE, file) != APR_SUCCESS) {
        return "BenchFile: the file cannot be read";
    }
    bytes->len = (apr_size_t)info.size;
    bytes->data = apr_palloc(cmd->pool, bytes->len);
    return apr_file_read_full(file, bytes->data, bytes->len, NULL) ==
                   APR_SUCCESS
               ? NULL
               : "BenchFile: the file cannot be read";
}

static int handler(request_rec *r)
{
    const bytes_t *bytes =
        ap_get_module_config(r->per_dir_config, &bench_module);
    apr_bucket_alloc_t *alloc = r->connection->bucket_alloc;
    apr_bucket_brigade *bb;

    if (!r->handler || strcmp(r->handler, "bench-bytes") != 0) {
        return DECLINED;
    }
    bb = apr_brigade_create(r->pool, alloc);
    ap_set_content_type(r, "application/json");
    ap_set_content_length(r, (apr_off_t)bytes->len);
    APR_BRIGADE_INSERT_TAIL(
        bb, apr_bucket_immortal_create(bytes->data, bytes->len, alloc));
    APR_BRIGADE_INSERT_TAIL(bb, apr_bucket_eos_create(alloc));
    (void)ap_pass_brigade(r->output_filters, bb);
    return OK;
}

static const command_rec commands[] = {
    AP_INIT_TAKE1("BenchFile", set_file, NULL, ACCESS_CONF,
                  "The file whose bytes bench-bytes answers with"),
    {NULL}};

static void register_hooks(apr_pool_t *p)
{
    (void)p;
    ap_hook_handler(handler, NULL, NULL, APR_HOOK_MIDDLE);
}

AP_DECLARE_MODULE(bench) = {
    STANDARD20_MODULE_STUFF, create_dir, NULL, NULL, NULL, commands,
    register_hooks,          0};
