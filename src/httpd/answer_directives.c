/* The directives of what a route's answer looks like. */
#include "httpd/directives.h"

#include "base/number.h"

const char *mod_dsapi_set_result(cmd_parms *cmd, mod_dsapi_section_t *section,
                                 const apr_array_header_t *args)
{
    static const char *const words[] = {"rows", "row", "value", "none"};
    const char *value = mod_dsapi_word(args, 0);

    for (int i = 0; value && i < 4; i++) {
        if (strcmp(value, words[i]) == 0) {
            section->route->shape = (dsapi_shape_e)i;
            section->route->shape_set = 1;
            return NULL;
        }
    }
    return mod_dsapi_fail(cmd, "is rows, row, value or none");
}

const char *mod_dsapi_set_page(cmd_parms *cmd, mod_dsapi_section_t *section,
                               const apr_array_header_t *args)
{
    static const char usage[] = "takes the size of a page and its largest: "
                                "50 max=500";
    const dsapi_arg_t *max = &APR_ARRAY_IDX(args, args->nelts - 1, dsapi_arg_t);
    apr_int64_t size;
    apr_int64_t limit = 0;

    if (!mod_dsapi_word(args, 0) ||
        dsapi_base_parse_int(&size, mod_dsapi_word(args, 0), 1, 1000000) !=
            APR_SUCCESS) {
        return mod_dsapi_fail(cmd, usage);
    }
    if (args->nelts == 2 && (!max->key || strcmp(max->key, "max") != 0 ||
                             dsapi_base_parse_int(&limit, max->value, size,
                                                  1000000) != APR_SUCCESS)) {
        return mod_dsapi_fail(cmd, usage);
    }
    section->route->page_size = (int)size;
    section->route->page_max = limit ? (int)limit : (int)size;
    return NULL;
}

/* type/subtype, and perhaps parameters. */
static int is_media_type(const char *type)
{
    apr_size_t slash = strcspn(type, "/; \t");

    for (const char *p = type; *p; p++) {
        if ((unsigned char)*p < ' ' || (unsigned char)*p >= 0x7f) {
            return 0;
        }
    }
    return slash > 0 && type[slash] == '/' &&
           strcspn(type + slash + 1, "/; \t") > 0;
}

const char *mod_dsapi_set_content_type(cmd_parms *cmd,
                                       mod_dsapi_section_t *section,
                                       const apr_array_header_t *args)
{
    const char *type = mod_dsapi_word(args, 0);

    if (!type || !is_media_type(type)) {
        return mod_dsapi_fail(cmd, "takes a media type, such as \"text/plain; "
                                   "charset=utf-8\"");
    }
    section->route->content_type = type;
    return NULL;
}

const char *mod_dsapi_set_success(cmd_parms *cmd, mod_dsapi_section_t *section,
                                  const apr_array_header_t *args)
{
    apr_int64_t status;

    /* 206 is part of an answer, 226 what a client has asked to be changed */
    if (!mod_dsapi_word(args, 0) ||
        dsapi_base_parse_int(&status, mod_dsapi_word(args, 0), 200, 299) !=
            APR_SUCCESS ||
        status == HTTP_PARTIAL_CONTENT || status == HTTP_IM_USED) {
        return mod_dsapi_fail(cmd, "takes a status of success, 200 to 299 "
                                   "without 206 and 226");
    }
    section->route->status = (int)status;
    return NULL;
}
