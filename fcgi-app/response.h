/*
 * An answer, and its text as a FastCGI responder writes it: CGI headers
 * (RFC 3875, 6) and the body. Pure.
 */
#ifndef RESPONSE_H
#define RESPONSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { RESPONSE_MAX_BYTES = 512 };

struct response {
    int status;        /* of HTTP */
    const char *error; /* the Verve-Error header; NULL: none */
    int64_t window_s;  /* the Verve-Window header, epoch second; 0: none */
    bool head;         /* asked for with HEAD: no body */
};

/*
 * Writes the answer to text: body `ok` for 200, `failed` for all else, 405
 * with Allow and 503 with Retry-After. Returns its length.
 */
size_t response_format(const struct response *response,
                       char text[RESPONSE_MAX_BYTES]);

#endif
