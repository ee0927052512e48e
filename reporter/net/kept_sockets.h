/*
 * The connections that libcurl keeps, and whether a kept connection may be used
 * again: not if the peer has closed it, or has sent bytes since its last
 * response. Those bytes would be taken for the response to the next request.
 * libcurl 7.88 does not check this. (RFC 9112, 9.5: a server may send a 408 on
 * an idle connection.)
 *
 * libcurl names the socket of a connection only when it opens the socket, but
 * the addresses of both ends before each request. So a socket is found by its
 * addresses.
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
 * Notes a connected socket. A closed socket is forgotten by itself. If there is
 * no memory, the socket is not noted.
 */
void kept_sockets_note(struct kept_sockets *kept, int fd);

/*
 * True if the connection from own_port to peer, which easy is about to use
 * again, is noted, and neither bytes nor its end have arrived. With TLS any
 * bytes count, because they cannot be told apart without reading them. The
 * session tickets of TLS 1.3 do no harm: servers send them before the first
 * response, with which they are read. Does not block.
 */
bool kept_sockets_is_clean(const struct kept_sockets *kept, CURL *easy,
                           int own_port, const struct sockaddr *peer);

#endif
