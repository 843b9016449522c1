/* SQL, as a directive's argument, in a file, or over many lines. */
#include <apr_strings.h>

#include "base/text.h"
#include "httpd/directives.h"

static const char not_utf8[] = "the SQL is not UTF-8; save it so";

static const char *add_sql(const cmd_parms *cmd, mod_dsapi_section_t *section,
                           const char *sql)
{
    mod_dsapi_text_t text = {sql, cmd->directive};

    if (!dsapi_base_utf8_valid(sql, strlen(sql))) {
        return mod_dsapi_fail(cmd, not_utf8);
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

const char *mod_dsapi_set_resolve(cmd_parms *cmd, mod_dsapi_section_t *section,
                                  const apr_array_header_t *args)
{
    mod_dsapi_text_t text = {mod_dsapi_word(args, 0), cmd->directive};

    if (!text.sql) {
        return mod_dsapi_fail(cmd, "put the SQL into double quotes");
    }
    if (!dsapi_base_utf8_valid(text.sql, strlen(text.sql))) {
        return mod_dsapi_fail(cmd, not_utf8);
    }
    APR_ARRAY_PUSH(section->source->resolve, mod_dsapi_text_t) = text;
    return NULL;
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

/* SQL, verbatim */

/* One whole line of the file, as it is; NULL: the file is over. */
static char *read_line(cmd_parms *cmd)
{
    ap_configfile_t *file = cmd->config_file;
    char part[4096];
    char *line = NULL;

    while (file->getstr(part, sizeof(part), file->param) == APR_SUCCESS) {
        line = line ? apr_pstrcat(cmd->temp_pool, line, part, NULL)
                    : apr_pstrdup(cmd->temp_pool, part);
        if (strchr(part, '\n')) {
            break;
        }
    }
    if (line) {
        file->line_number++;
    }
    return line;
}

/*
 * <DsapiSQL> ... </DsapiSQL> is read while httpd reads the file, past its own
 * parser, so that no quote, '#' or backslash of SQL means anything to it. In
 * the tree it becomes a directive DsapiSQL with the text as its argument.
 */
const char *mod_dsapi_read_sql(cmd_parms *cmd, void *mconfig, const char *args)
{
    ap_directive_t **pcurrent = mconfig;
    ap_directive_t *directive = apr_pcalloc(cmd->pool, sizeof(*directive));
    apr_array_header_t *words;
    dsapi_buf_t *text = dsapi_buf_make(4096, cmd->temp_pool);
    const char *mistake = mod_dsapi_section_args(&words, cmd, args);
    char *line;

    if (!words) {
        return mistake;
    }
    if (words->nelts > 0) {
        return "<DsapiSQL> takes no argument";
    }
    directive->filename = cmd->config_file->name;
    directive->line_num = (int)cmd->config_file->line_number;
    while ((line = read_line(cmd))) {
        const char *p = line + strspn(line, " \t");

        if (ap_cstr_casecmpn(p, "</DsapiSQL>", 11) == 0) {
            directive->directive = "DsapiSQL";
            directive->args =
                apr_pstrmemdup(cmd->pool, text->data, text->len_bytes);
            *pcurrent = directive;
            return NULL;
        }
        dsapi_buf_put(text, line, strlen(line));
    }
    return apr_psprintf(cmd->pool, "<DsapiSQL> in line %d has no </DsapiSQL>",
                        directive->line_num);
}
