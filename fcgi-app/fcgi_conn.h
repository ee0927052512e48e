/*
 * One request, from the connection that sent it to its answer, by libfcgi;
 * whose only user this is.
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

/* Makes libfcgi ready, once for the process. 0, or -1. */
int fcgi_conn_start(void);

/*
 * Reads and parses the request that fd, a blocking connection, has sent in
 * full. Returns false where there is none; fd is closed then. The struct may
 * have been used before; it must not be moved until it is answered.
 */
bool fcgi_conn_read(struct fcgi_conn *conn, int fd);

/* True where the request asks for a callback, and is not itself one of ours. */
bool fcgi_conn_wants_callback(const struct fcgi_conn *conn);

/* Answers, and closes the connection. */
void fcgi_conn_answer(struct fcgi_conn *conn, const struct response *answer);

#endif
