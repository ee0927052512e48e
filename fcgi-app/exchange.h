/*
 * One request, from the connection that sent it to its answer, by libfcgi;
 * whose only user this is.
 */
#ifndef EXCHANGE_H
#define EXCHANGE_H

#include <fcgiapp.h>
#include <stdbool.h>

#include "answer.h"
#include "request.h"

struct exchange {
    FCGX_Request fcgx;
    struct request request;
};

/* Makes libfcgi ready, once for the process. 0, or -1. */
int exchange_start(void);

/*
 * Reads and parses the request that fd, a blocking connection, has sent in
 * full. Returns false where there is none; fd is closed then. The struct may
 * have been used before; it must not be moved until it is answered.
 */
bool exchange_hear(struct exchange *exchange, int fd);

/* True where the request asks for a callback, and is not itself one of ours. */
bool exchange_wants_callback(const struct exchange *exchange);

/* Answers, and closes the connection. */
void exchange_answer(struct exchange *exchange, const struct answer *answer);

#endif
