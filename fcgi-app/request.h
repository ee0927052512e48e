/*
 * A request: parses the method and the raw target into a struct. Pure: no
 * sockets, no clock, no memory allocation. docs/http.md states the rules.
 */
#ifndef REQUEST_H
#define REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/ip_address.h"
#include "store/endpoint_url.h"
#include "store/trace_context.h"

enum { REQUEST_ID_MAX_BYTES = 64 }; /* after decoding */

enum request_kind {
    REQUEST_ACCEPT,  /* GET /api/verve/accept */
    REQUEST_HEALTHZ, /* GET /healthz */
    REQUEST_READYZ,  /* GET /readyz */
    REQUEST_METRICS, /* GET /metrics */
    REQUEST_STATS,   /* GET /api/verve/stats */
    REQUEST_STATUS,  /* GET /status/ and its files */
    REQUEST_OPENAPI, /* GET /api/verve/openapi.json */
    REQUEST_UNKNOWN, /* any other path */
};

/* The files of the page /status/. */
enum request_file {
    REQUEST_FILE_PAGE,
    REQUEST_FILE_STYLE,
    REQUEST_FILE_SCRIPT,
    REQUEST_FILE_ICON,
};

struct request {
    enum request_kind kind;
    bool head;  /* HEAD: answer without a body */
    int status; /* 200 if the request is right; else 400, 404 or 405 */
    enum error_code error; /* the rule that a 400 broke */

    /* Set only for REQUEST_ACCEPT with status 200: */
    int64_t id;
    const char *endpoint; /* decoded, without fragment; NULL if none */
    size_t endpoint_len;

    /* Set by fcgi_conn_read, if there is an endpoint: */
    struct trace_context trace;

    /* Set only for REQUEST_READYZ: */
    bool verbose; /* the query has the parameter verbose */
    bool json;    /* the client accepts JSON */

    enum request_file file; /* set only for REQUEST_STATUS */

    /* Set for all but REQUEST_ACCEPT, REQUEST_HEALTHZ and REQUEST_UNKNOWN: */
    struct ip_address client; /* family 0: not known */
    bool forwarded;           /* by a proxy: client is the proxy's address */

    char buffer[ENDPOINT_URL_MAX_BYTES + 1]; /* holds the endpoint */
};

/*
 * Parses a request. target is the raw target (REQUEST_URI): its path is
 * compared byte for byte, and its query begins at the first '?'. The checks are
 * made in this order: path (404), method (405), id, endpoint (400). The first
 * check that fails sets status, and error if it is a 400. Only the parameters
 * `id` and `endpoint` matter (RFC 3986, 2.1; '+' is never a blank), and of
 * /readyz `verbose`.
 *
 * The struct must not be moved while endpoint is in use.
 */
void request_parse(struct request *request, const char *method,
                   const char *target);

/* Sets json. accept is the header Accept (RFC 9110, 12.5.1); NULL: none. */
void request_set_accept(struct request *request, const char *accept);

/*
 * Sets client and forwarded. address is REMOTE_ADDR, the text of an address;
 * NULL or another text: not known. An IPv4 address inside an IPv6 address
 * (RFC 4291, 2.5.5.2) counts as the IPv4 address.
 */
void request_set_client(struct request *request, const char *address,
                        bool forwarded);

#endif
