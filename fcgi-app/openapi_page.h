/*
 * GET /api/verve/openapi.json: the description of the HTTP interface, for
 * programs. It is docs/openapi.json, which the build puts into this program.
 */
#ifndef OPENAPI_PAGE_H
#define OPENAPI_PAGE_H

#include "fcgi_conn.h"

enum { OPENAPI_PAGE_MAX_AGE_S = 300 }; /* for caches: it counts nothing */

/* Answers with the description. Without memory the answer is empty, which web
   servers turn into 500. */
void openapi_page_respond(struct fcgi_exchange *exchange);

#endif
