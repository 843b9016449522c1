/* SQL, as a directive's argument, in a file, or over many lines. */
#include <apr_strings.h>

#include "base/text.h"
#include "httpd/directives.h"

static const char *add_sql(const cmd_parms *cmd, mod_dsapi_section_t *section,
                           const char *sql)
{
    mod_dsapi_text_t text = {sql, cmd->directive};

    if (!dsapi_base_utf8_valid(sql, strlen(sql))) {
        return mod_dsapi_fail(cmd, "the SQL is not UTF-8; save it so");
    }
    if (section->route) {
        const char *mistake =
            mod_dsapi_take_action(cmd, section->route, MOD_DSAPI_QUERY);

        if (mistake) {
            return mistake;
        }
        APR_ARRAY_PUSH(section->route->texts, mod_dsapi_text_t) = text;
        return NULL;
    }
    APR_ARRAY_PUSH(section->series ? section->series->texts
                                   : section->source->texts,
                   mod_dsapi_text_t) = text;
    return NULL;
}

const char *mod_dsapi_add_query(cmd_parms *cmd, mod_dsapi_section_t *section,
                                const apr_array_header_t *args)
{
    const char *sql = mod_dsapi_word(args, 0);

    return sql ? add_sql(cmd, section, sql)
               : mod_dsapi_fail(cmd, "put the SQL into double quotes");
}

const char *mod_dsapi_add_verbatim(cmd_parms *cmd, void *mconfig,
                                   const char *text)
{
    mod_dsapi_section_t *section = mconfig;

    if (!(section->kind &
          (MOD_DSAPI_IN_ROUTE | MOD_DSAPI_IN_SOURCE | MOD_DSAPI_IN_SERIES))) {
        return "<DsapiSQL> belongs into <DsapiRoute>, <DsapiSource> or "
               "<DsapiSeries>";
    }
    return add_sql(cmd, section, text);
}

/* The folder of the file that a directive stands in. mod_macro names the file
 * within quotes: macro 'x' (defined on line 1 of "/etc/...") used on ... */
static const char *folder_of(const cmd_parms *cmd)
{
    const char *here = cmd->directive->filename;
    const char *quote = *here == '/' ? NULL : ap_strchr_c(here, '"');
    char *file = apr_pstrdup(cmd->temp_pool, quote ? quote + 1 : here);
    char *slash;

    if (quote) {
        file[strcspn(file, "\"")] = '\0';
    }
    slash = strrchr(file, '/');
    if (!slash) {
        return ".";
    }
    slash[1] = '\0';
    return file;
}

const char *mod_dsapi_add_query_file(cmd_parms *cmd,
                                     mod_dsapi_section_t *section,
                                     const apr_array_header_t *args)
{
    const char *name = mod_dsapi_word(args, 0);
    char *path = NULL;
    apr_file_t *file;
    apr_finfo_t info;
    char *text;
    apr_status_t rv;

    if (!name) {
        return mod_dsapi_fail(cmd, "takes the path of a file");
    }
    rv = apr_filepath_merge(&path, folder_of(cmd), name, APR_FILEPATH_NATIVE,
                            cmd->pool);
    if (rv == APR_SUCCESS) {
        rv = apr_file_open(&file, path, APR_FOPEN_READ, APR_FPROT_OS_DEFAULT,
                           cmd->temp_pool);
    }
    if (rv == APR_SUCCESS) {
        rv = apr_file_info_get(&info, APR_FINFO_SIZE, file);
    }
    if (rv == APR_SUCCESS) {
        text = apr_pcalloc(cmd->pool, (apr_size_t)info.size + 1);
        rv = apr_file_read_full(file, text, (apr_size_t)info.size, NULL);
        apr_file_close(file);
    }
    if (rv != APR_SUCCESS) {
        return mod_dsapi_fail(cmd, apr_psprintf(cmd->temp_pool,
                                                "cannot read %s: %pm",
                                                path ? path : name, &rv));
    }
    if (strlen(text) != (apr_size_t)info.size) {
        return mod_dsapi_fail(cmd, "the file holds a NUL byte; save it as "
                                   "UTF-8");
    }
    if (strncmp(text, "\xef\xbb\xbf", 3) == 0) {
        text += 3; /* a byte order mark, which psql passes over, too */
    }
    return add_sql(cmd, section, text);
}
