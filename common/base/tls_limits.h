/*
 * Limits of TLS connections to servers: no peer can make a handshake, or the
 * messages after it, cost more than some tens of milliseconds of CPU, because
 * all connections of a process share one thread.
 */
#ifndef TLS_LIMITS_H
#define TLS_LIMITS_H

struct ssl_ctx_st; /* OpenSSL's SSL_CTX */

/* For SSL_CTX_set_cipher_list, which is about TLS 1.2. */
extern const char tls_limits_ciphers[];

/* For SSL_CTX_set1_groups_list. */
extern const char tls_limits_groups[];

/*
 * Limits the size of certificate chains and the number of messages without
 * data, and forbids renegotiation. Ciphers and groups are not set. Takes the
 * message callback of context.
 */
void tls_limits_set(struct ssl_ctx_st *context);

#endif
