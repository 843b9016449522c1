/*
 * The grammars of a query's parameters; query.c puts what they give together.
 * Each returns 1, or 0 with the error filled.
 */
#ifndef DSAPI_RESOURCE_PARSE_H
#define DSAPI_RESOURCE_PARSE_H

#include "resource/lex.h"
#include "resource/query.h"

/** select=: the items of a node.
 *  @param items  of dsapi_res_item_t: they are appended */
int dsapi_resource_select(apr_array_header_t *items, dsapi_lex_t *lex);

/** @return a node without anything in it */
dsapi_res_node_t *dsapi_resource_node(const char *name, apr_pool_t *pool);

/** order=: terms. @param order  of dsapi_res_order_t: they are appended */
int dsapi_resource_order(apr_array_header_t *order, dsapi_lex_t *lex);

/** What stands behind a filter's '=': [not.]operator.value
 *  @param cond  out: all but its field */
int dsapi_resource_filter(dsapi_res_cond_t *cond, dsapi_lex_t *lex);

/** What stands behind and= and or=: conditions in brackets.
 *  @param cond  in/out: its kind is set */
int dsapi_resource_logic(dsapi_res_cond_t *cond, dsapi_lex_t *lex);

#endif
