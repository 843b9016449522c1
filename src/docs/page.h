/*
 * A service's documentation as one HTML page, for people. It needs nothing
 * from elsewhere, and has no script.
 */
#ifndef DSAPI_DOCS_PAGE_H
#define DSAPI_DOCS_PAGE_H

#include "docs/openapi.h"

/** What the page may do: show itself, with its one style sheet, whose hash this
 *  names. */
#define DSAPI_DOCS_POLICY                                                      \
    "default-src 'none'; style-src "                                           \
    "'sha256-SHMtfflY3Elct3tdSNwQSQAbZiqkAwI7pIKALeGqHUo='; base-uri 'none'; " \
    "form-action 'none'; frame-ancestors 'none'"

/**
 * Write the page.
 * @param buf   out: UTF-8 is appended
 * @param pool  for what is needed meanwhile
 */
void dsapi_docs_page(dsapi_buf_t *buf, const dsapi_docs_service_t *service,
                     apr_pool_t *pool);

#endif
