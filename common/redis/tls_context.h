/*
 * What all TLS connections to Redis and Sentinel have in common: the trusted
 * certificates, the certificate of this side, the limits. Private to this room.
 */
#ifndef TLS_CONTEXT_H
#define TLS_CONTEXT_H

#include "base/tls_files.h"

struct tls_context;
struct ssl_st; /* OpenSSL's SSL */

/*
 * Copies files. If there is no ca, the certificates of the system are trusted.
 * NULL: no memory.
 */
struct tls_context *tls_context_open(const struct tls_files *files);
void tls_context_close(struct tls_context *context);

/*
 * A new client on the socket fd, which verifies that the server's certificate
 * is trusted and for host, a name or an address. Free it with SSL_free; fd
 * stays open. If a file has changed, all are read again, which may take some
 * milliseconds; if one of them can't be used, what was read before stays in
 * use. NULL: see tls_context_problem.
 */
struct ssl_st *tls_context_connect(struct tls_context *context, int fd,
                                   const char *host);

/* Why the files as they are now can't be used; "": they can. */
const char *tls_context_problem(const struct tls_context *context);

#endif
