/*
 * The address at which a program listens, as an option has it: <address>:<port>
 * (127.0.0.1:9464, [::1]:9464), the absolute path of a unix socket, or `none`.
 * A host name is refused: it would have to be looked up.
 */
#ifndef LISTEN_ADDRESS_H
#define LISTEN_ADDRESS_H

#include <sys/socket.h>

struct listen_address {
    socklen_t len; /* 0: none */
    struct sockaddr_storage address;
};

/* NULL, or what is wrong with text, static. Pure. */
const char *listen_address_parse(const char *text,
                                 struct listen_address *address);

/* As listen_address_parse, for the table of options. */
const char *listen_address_problem(const char *text);

#endif
