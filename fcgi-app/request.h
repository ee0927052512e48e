/*
 * What a client asks for: method and raw target in, a typed struct out. Pure:
 * no sockets, no clock, no memory of its own. The rules are those of the HTTP
 * contract in docs/http.md.
 */
#ifndef REQUEST_H
#define REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/endpoint_url.h"

enum { REQUEST_ID_MAX_BYTES = 64 }; /* after decoding */

enum request_kind {
    REQUEST_ACCEPT,  /* GET /api/verve/accept */
    REQUEST_HEALTHZ, /* GET /healthz */
    REQUEST_READYZ,  /* GET /readyz */
    REQUEST_UNKNOWN, /* any other path */
};

struct request {
    enum request_kind kind;
    bool head;         /* HEAD: answer without a body */
    int status;        /* 200: go on; 400, 404 or 405: the answer */
    const char *error; /* the rule that a 400 broke, static; else NULL */

    /* Of REQUEST_ACCEPT with status 200 alone: */
    int64_t id;
    const char *endpoint; /* decoded, without fragment; NULL: none */
    size_t endpoint_len;

    char buffer[ENDPOINT_URL_MAX_BYTES + 1]; /* what endpoint points into */
};

/*
 * Parses a request. target is the raw one (REQUEST_URI): its path is compared
 * byte for byte, its query begins at the first '?'. The checks are made in
 * this order: path (404), method (405), id, endpoint (400); the first that
 * fails sets status and error. Of the parameters (RFC 3986, 2.1; '+' is never
 * a blank) only `id` and `endpoint` matter. error is one of
 *
 *   id-missing, id-repeated, id-bad-escape, id-empty, id-too-long,
 *   id-not-an-integer, id-out-of-range,
 *   endpoint-repeated, endpoint-bad-escape, and those of endpoint_url.h.
 *
 * The struct must not be moved while endpoint is in use.
 */
void request_parse(struct request *request, const char *method,
                   const char *target);

#endif
