/* The directives of <DsapiSource> about its queue. */
#include "httpd/directives.h"

#include "base/number.h"

const char *mod_dsapi_set_queue_max(cmd_parms *cmd,
                                    mod_dsapi_section_t *section,
                                    const apr_array_header_t *args)
{
    apr_int64_t n;

    if (!mod_dsapi_word(args, 0) ||
        dsapi_base_parse_int(&n, mod_dsapi_word(args, 0), 1, 1000000) !=
            APR_SUCCESS) {
        return mod_dsapi_fail(cmd, "takes how many jobs may wait, 1 to "
                                   "1000000");
    }
    section->source->core.queue_max = (int)n;
    return NULL;
}

const char *mod_dsapi_set_fresh_for(cmd_parms *cmd,
                                    mod_dsapi_section_t *section,
                                    const apr_array_header_t *args)
{
    return mod_dsapi_take_interval(cmd, &section->source->core.fresh_for,
                                   mod_dsapi_word(args, 0));
}
