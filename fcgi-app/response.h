/*
 * A response, and its text as a FastCGI responder writes it: CGI headers
 * (RFC 3875, 6) and the body. Pure.
 */
#ifndef RESPONSE_H
#define RESPONSE_H

#include <stdbool.h>
#include <stddef.h>

#include "store/error_code.h"

enum { RESPONSE_MAX_BYTES = 512 };

struct response {
    int status;            /* of HTTP */
    enum error_code error; /* the Verve-Error header */
    const char *window;    /* the Verve-Window header; NULL: no header */
    bool head;             /* the method is HEAD: no body */
};

/*
 * Writes the response to text. The body is `ok` if the status is 200, else
 * `failed`. 405 has the header Allow, 503 has Retry-After. Returns the length.
 */
size_t response_format(const struct response *response,
                       char text[RESPONSE_MAX_BYTES]);

#endif
