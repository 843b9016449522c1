/*
 * What an OpenAPI document says of a resource's routes: their rows, filters,
 * bodies and answers.
 */
#ifndef DSAPI_DOCS_RESOURCE_H
#define DSAPI_DOCS_RESOURCE_H

#include "docs/openapi.h"
#include "json/writer.h"

/** @return the schema of its rows by its name in the document, in pool */
const char *dsapi_docs_row_name(const dsapi_docs_resource_t *resource,
                                apr_pool_t *pool);

/** Write the schema of its rows: without columns, any object. */
void dsapi_docs_put_row(dsapi_json_writer_t *w,
                        const dsapi_docs_resource_t *resource);

/** Write parameters, into an array of such: a filter for each column whose name
 *  is no other parameter's. */
void dsapi_docs_put_filters(dsapi_json_writer_t *w,
                            const dsapi_docs_route_t *route);

/** Write the member requestBody, where the method has one. */
void dsapi_docs_put_request(dsapi_json_writer_t *w,
                            const dsapi_docs_route_t *route, apr_pool_t *pool);

/** Write the member responses. */
void dsapi_docs_put_answers(dsapi_json_writer_t *w,
                            const dsapi_docs_route_t *route, apr_pool_t *pool);

#endif
