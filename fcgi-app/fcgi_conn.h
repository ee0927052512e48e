/*
 * A FastCGI connection: reads one request and writes one response, by libfcgi.
 * Call FCGX_Init once before the first connection.
 */
#ifndef FCGI_CONN_H
#define FCGI_CONN_H

#include <fcgiapp.h>
#include <stdbool.h>

#include "request.h"
#include "response.h"

struct fcgi_conn {
    FCGX_Request fcgx;
    struct request request;
};

/*
 * Reads and parses the request that was sent in full on fd, a blocking
 * connection. If the request is a callback of ours (header Verve-Callback), its
 * endpoint is dropped, so that callbacks make no loops. False if there is no
 * request; fd is closed then. The struct may have been used before. It must
 * not be moved until fcgi_conn_respond.
 */
bool fcgi_conn_read(struct fcgi_conn *conn, int fd);

/* Writes the response and closes the connection. */
void fcgi_conn_respond(struct fcgi_conn *conn, const struct response *response);

#endif
