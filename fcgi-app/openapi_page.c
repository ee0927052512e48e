/*
 * openapi_page: one text, the same for every request.
 */
#define _GNU_SOURCE /* asprintf */
#include "openapi_page.h"

#include <stdio.h>
#include <stdlib.h>

#include "openapi.h"

enum { BODY_LEN = sizeof(openapi_openapi_json) - 1 };

void
openapi_page_respond(struct fcgi_exchange *exchange)
{
    char *text = NULL;
    int len = asprintf(&text,
                       "Status: 200 OK\r\n"
                       "Content-Type: application/json\r\n"
                       "Cache-Control: max-age=%d\r\n"
                       "Content-Length: %d\r\n\r\n%s",
                       OPENAPI_PAGE_MAX_AGE_S, BODY_LEN,
                       exchange->request.head ? "" : openapi_openapi_json);

    if (len < 0) {
        fcgi_conn_respond_text(exchange, "", 0);
        return;
    }
    fcgi_conn_respond_text(exchange, text, (size_t)len);
    free(text);
}
