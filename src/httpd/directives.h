/*
 * What the files of directives share, and the setters that are not in
 * directives.c.
 */
#ifndef DSAPI_HTTPD_DIRECTIVES_H
#define DSAPI_HTTPD_DIRECTIVES_H

#include "base/args.h"
#include "httpd/config.h"

/** @return "DsapiX: text", the refusal of the directive at hand */
const char *mod_dsapi_fail(const cmd_parms *cmd, const char *text);

/** @return an argument that is a word; NULL: it is key=value */
const char *mod_dsapi_word(const apr_array_header_t *args, int index);

/** @return 1: "On"; 0: "Off"; -1: neither, or NULL */
int mod_dsapi_on_off(const char *value);

/** Take a time above 0. @return NULL, or the refusal */
const char *mod_dsapi_take_interval(const cmd_parms *cmd,
                                    apr_interval_time_t *pvalue,
                                    const char *value);

/** Give a route its action; it has one, and several queries are one.
 *  @return NULL, or the refusal */
const char *mod_dsapi_take_action(const cmd_parms *cmd,
                                  mod_dsapi_route_t *route,
                                  mod_dsapi_action_e action);

/* sections.c: what containers share. */

/** Split a container's arguments, of which none is key=value.
 *  @param pargs  out: of dsapi_arg_t; NULL where there is a mistake
 *  @return NULL, or the mistake */
const char *mod_dsapi_section_args(apr_array_header_t **pargs, cmd_parms *cmd,
                                   const char *args);

/** Read what stands in a container, into inner. @return NULL, or the mistake */
const char *mod_dsapi_read_section(cmd_parms *cmd, mod_dsapi_section_t *inner);

/** @return where the container stands */
mod_dsapi_place_t mod_dsapi_place_of(const cmd_parms *cmd);

/** @return 1: a name that URLs, files and the queue show: letters, digits, '_',
 *  '-', '.' */
int mod_dsapi_is_word(const char *s);

/** As mod_dsapi_section_args, of a container that belongs into <DsapiService>.
 *  @param outer  what it stands in */
const char *mod_dsapi_inner_args(apr_array_header_t **pargs, cmd_parms *cmd,
                                 const mod_dsapi_section_t *outer,
                                 const char *args);

/** @return the refusal of a container whose name another has already */
const char *mod_dsapi_name_taken(const cmd_parms *cmd, const char *name,
                                 const char *file, int line);

/** @return the refusal of a container that belongs somewhere else */
const char *mod_dsapi_wrong_place(const cmd_parms *cmd, const char *right);

/** @return a mistake, at the line of the directive that made it */
const char *mod_dsapi_mistake_at(cmd_parms *cmd, ap_directive_t *directive,
                                 const char *text);

/** Bind SQL to parameters.
 *  @param statements  of dsapi_statement_t: appended to
 *  @param texts       of mod_dsapi_text_t
 *  @param params      of dsapi_param_t *
 *  @param read_only   no procedure may be called
 *  @return NULL, or the mistake, at the line of its text */
const char *mod_dsapi_parse_texts(cmd_parms *cmd,
                                  apr_array_header_t *statements,
                                  const apr_array_header_t *texts,
                                  const apr_array_header_t *params,
                                  int read_only);

/* answer_directives.c: of what a route's answer looks like. */
const char *mod_dsapi_set_result(cmd_parms *cmd, mod_dsapi_section_t *section,
                                 const apr_array_header_t *args);
const char *mod_dsapi_set_page(cmd_parms *cmd, mod_dsapi_section_t *section,
                               const apr_array_header_t *args);
const char *mod_dsapi_set_content_type(cmd_parms *cmd,
                                       mod_dsapi_section_t *section,
                                       const apr_array_header_t *args);
const char *mod_dsapi_set_success(cmd_parms *cmd, mod_dsapi_section_t *section,
                                  const apr_array_header_t *args);

/* series_directives.c: of a section <DsapiSeries>, and DsapiMetric. */
const char *mod_dsapi_set_time_column(cmd_parms *cmd,
                                      mod_dsapi_section_t *section,
                                      const apr_array_header_t *args);
const char *mod_dsapi_add_dimension(cmd_parms *cmd,
                                    mod_dsapi_section_t *section,
                                    const apr_array_header_t *args);
const char *mod_dsapi_add_measures(cmd_parms *cmd, mod_dsapi_section_t *section,
                                   const apr_array_header_t *args);
const char *mod_dsapi_set_stale_for(cmd_parms *cmd,
                                    mod_dsapi_section_t *section,
                                    const apr_array_header_t *args);
const char *mod_dsapi_set_reload(cmd_parms *cmd, mod_dsapi_section_t *section,
                                 const apr_array_header_t *args);
const char *mod_dsapi_set_metric(cmd_parms *cmd, mod_dsapi_section_t *section,
                                 const apr_array_header_t *args);

/* sql_directives.c: SQL of a route or a source. */
const char *mod_dsapi_add_query(cmd_parms *cmd, mod_dsapi_section_t *section,
                                const apr_array_header_t *args);
const char *mod_dsapi_add_query_file(cmd_parms *cmd,
                                     mod_dsapi_section_t *section,
                                     const apr_array_header_t *args);
const char *mod_dsapi_set_resolve(cmd_parms *cmd, mod_dsapi_section_t *section,
                                  const apr_array_header_t *args);
/** What <DsapiSQL> became: its argument is the text itself. */
const char *mod_dsapi_add_verbatim(cmd_parms *cmd, void *mconfig,
                                   const char *text);

/* cache_directives.c: of caching. */
const char *mod_dsapi_set_cache(cmd_parms *cmd, mod_dsapi_section_t *section,
                                const apr_array_header_t *args);
const char *mod_dsapi_set_depends(cmd_parms *cmd, mod_dsapi_section_t *section,
                                  const apr_array_header_t *args);

/* resource_directives.c: of a section <DsapiResource>. */
const char *mod_dsapi_open_resource(cmd_parms *cmd, void *mconfig,
                                    const char *args);
const char *mod_dsapi_set_allow(cmd_parms *cmd, mod_dsapi_section_t *section,
                                const apr_array_header_t *args);
const char *mod_dsapi_set_columns(cmd_parms *cmd, mod_dsapi_section_t *section,
                                  const apr_array_header_t *args);
const char *mod_dsapi_set_key(cmd_parms *cmd, mod_dsapi_section_t *section,
                              const apr_array_header_t *args);
const char *mod_dsapi_set_page_size(cmd_parms *cmd,
                                    mod_dsapi_section_t *section,
                                    const apr_array_header_t *args);
const char *mod_dsapi_add_nested(cmd_parms *cmd, mod_dsapi_section_t *section,
                                 const apr_array_header_t *args);
const char *mod_dsapi_set_expose(cmd_parms *cmd, mod_dsapi_section_t *section,
                                 const apr_array_header_t *args);
const char *mod_dsapi_set_role(cmd_parms *cmd, mod_dsapi_section_t *section,
                               const apr_array_header_t *args);

/* limit_directives.c: of rate limits. */
const char *mod_dsapi_add_limit(cmd_parms *cmd, mod_dsapi_section_t *section,
                                const apr_array_header_t *args);
const char *mod_dsapi_add_exempt(cmd_parms *cmd, mod_dsapi_section_t *section,
                                 const apr_array_header_t *args);

/* cors.c: DsapiCORS. */
const char *mod_dsapi_set_cors(cmd_parms *cmd, mod_dsapi_section_t *section,
                               const apr_array_header_t *args);

/* docs.c: DsapiDocs. */
const char *mod_dsapi_set_docs(cmd_parms *cmd, mod_dsapi_section_t *section,
                               const apr_array_header_t *args);

/* time.c: DsapiTime. */
const char *mod_dsapi_set_time(cmd_parms *cmd, mod_dsapi_section_t *section,
                               const apr_array_header_t *args);

/* source_directives.c: of a section <DsapiSource>. */
const char *mod_dsapi_set_timeout(cmd_parms *cmd, mod_dsapi_section_t *section,
                                  const apr_array_header_t *args);
const char *mod_dsapi_set_fetch(cmd_parms *cmd, mod_dsapi_section_t *section,
                                const apr_array_header_t *args);
const char *mod_dsapi_set_fetch_body(cmd_parms *cmd,
                                     mod_dsapi_section_t *section,
                                     const apr_array_header_t *args);
const char *mod_dsapi_add_hosts(cmd_parms *cmd, mod_dsapi_section_t *section,
                                const apr_array_header_t *args);
const char *mod_dsapi_add_expect(cmd_parms *cmd, mod_dsapi_section_t *section,
                                 const apr_array_header_t *args);
const char *mod_dsapi_set_follow(cmd_parms *cmd, mod_dsapi_section_t *section,
                                 const apr_array_header_t *args);
const char *mod_dsapi_set_ca(cmd_parms *cmd, mod_dsapi_section_t *section,
                             const apr_array_header_t *args);
const char *mod_dsapi_add_header(cmd_parms *cmd, mod_dsapi_section_t *section,
                                 const apr_array_header_t *args);
const char *mod_dsapi_set_retry(cmd_parms *cmd, mod_dsapi_section_t *section,
                                const apr_array_header_t *args);

/** Complete what the directives above have left, at the section's end.
 *  @param columns  of DsapiResolve, which are added to; NULL: it has none
 *  @return NULL, or the mistake */
const char *mod_dsapi_settle_fetch(cmd_parms *cmd, mod_dsapi_source_t *source,
                                   apr_array_header_t *columns);

/** @return NULL: a proxy's URL, http(s)://host:port; else the refusal */
const char *mod_dsapi_check_proxy(const cmd_parms *cmd, const char *url);

/* queue_directives.c: about jobs, of <DsapiRoute> and <DsapiSource>. */
const char *mod_dsapi_set_enqueue(cmd_parms *cmd, mod_dsapi_section_t *section,
                                  const apr_array_header_t *args);
const char *mod_dsapi_set_job(cmd_parms *cmd, mod_dsapi_section_t *section,
                              const apr_array_header_t *args);
const char *mod_dsapi_add_schedule(cmd_parms *cmd, mod_dsapi_section_t *section,
                                   const apr_array_header_t *args);
const char *mod_dsapi_set_queue_max(cmd_parms *cmd,
                                    mod_dsapi_section_t *section,
                                    const apr_array_header_t *args);
const char *mod_dsapi_set_fresh_for(cmd_parms *cmd,
                                    mod_dsapi_section_t *section,
                                    const apr_array_header_t *args);
const char *mod_dsapi_set_job_keep(cmd_parms *cmd, mod_dsapi_section_t *section,
                                   const apr_array_header_t *args);
const char *mod_dsapi_set_upstream_limit(cmd_parms *cmd,
                                         mod_dsapi_section_t *section,
                                         const apr_array_header_t *args);

#endif
