/*
 * The connections that libcurl keeps, and whether one of them may be used
 * again: not if the peer has ended it, or has written on it since its last
 * answer. Those bytes would be taken for the answer to the next request.
 * libcurl 7.88 does not look for them. (RFC 9112, 9.5: a server may say 408 on
 * an idle connection.)
 *
 * libcurl tells the socket of a connection only when it opens it, but the two
 * ends of a connection each time: so sockets are found by those.
 */
#ifndef KEPT_SOCKETS_H
#define KEPT_SOCKETS_H

#include <curl/curl.h>
#include <stdbool.h>
#include <sys/socket.h>

struct kept_sockets;

/* NULL: no memory. */
struct kept_sockets *kept_sockets_open(void);
void kept_sockets_close(struct kept_sockets *kept);

/*
 * Notes a connected socket. It need not be forgotten when it is closed.
 * Without memory it is not noted.
 */
void kept_sockets_note(struct kept_sockets *kept, int fd);

/*
 * True if nothing has come on a noted connection, nor its end: the one from
 * own_port to peer, which easy is about to use again. With TLS any bytes count,
 * as nobody can tell what they are without reading them. Session tickets of
 * TLS 1.3 are read with the first answer: servers send them before it. Does
 * not block.
 */
bool kept_sockets_is_clean(const struct kept_sockets *kept, CURL *easy,
                           int own_port, const struct sockaddr *peer);

#endif
