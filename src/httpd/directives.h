/*
 * What the files of directives share, and the setters of <DsapiSource>.
 */
#ifndef DSAPI_HTTPD_DIRECTIVES_H
#define DSAPI_HTTPD_DIRECTIVES_H

#include "base/args.h"
#include "httpd/config.h"

/** @return "DsapiX: text", the refusal of the directive at hand */
const char *mod_dsapi_fail(const cmd_parms *cmd, const char *text);

/** @return an argument that is a word; NULL: it is key=value */
const char *mod_dsapi_word(const apr_array_header_t *args, int index);

/** Take a time above 0. @return NULL, or the refusal */
const char *mod_dsapi_take_interval(const cmd_parms *cmd,
                                    apr_interval_time_t *pvalue,
                                    const char *value);

/** A route has one action; several queries are one. @return NULL, or the
 *  refusal */
const char *mod_dsapi_take_action(const cmd_parms *cmd,
                                  mod_dsapi_route_t *route,
                                  mod_dsapi_action_e action);

/* time.c: DsapiTime. */
const char *mod_dsapi_set_time(cmd_parms *cmd, mod_dsapi_section_t *section,
                               const apr_array_header_t *args);

/* source_directives.c: of a section <DsapiSource>. */
const char *mod_dsapi_set_timeout(cmd_parms *cmd, mod_dsapi_section_t *section,
                                  const apr_array_header_t *args);
const char *mod_dsapi_set_fetch(cmd_parms *cmd, mod_dsapi_section_t *section,
                                const apr_array_header_t *args);
const char *mod_dsapi_add_header(cmd_parms *cmd, mod_dsapi_section_t *section,
                                 const apr_array_header_t *args);
const char *mod_dsapi_set_retry(cmd_parms *cmd, mod_dsapi_section_t *section,
                                const apr_array_header_t *args);

#endif
