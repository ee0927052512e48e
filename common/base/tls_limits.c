/*
 * tls_limits: the limits, each with its reason. The figures are for OpenSSL
 * 3.0.
 */
#include "tls_limits.h"

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * No finite-field Diffie-Hellman: the server chooses its modulus, and a
 * handshake with 10,000 bits takes seconds of CPU. The other ciphers are
 * Mozilla's "intermediate" list:
 * https://wiki.mozilla.org/Security/Server_Side_TLS
 */
const char tls_limits_ciphers[] = "ECDHE+AESGCM:ECDHE+CHACHA20";

/* Without the finite-field groups of TLS 1.3, for the same reason. */
const char tls_limits_groups[] = "X25519:P-256:P-384:P-521";

enum {
    /* A certificate chain is parsed before it is verified: 100 KB, OpenSSL's
       default limit, take 100 ms. Usual chains have 3 to 10 KB. */
    CERTIFICATES_SIZE = 32 * 1024,
    /* Records and messages without data in the life of a connection. A
       handshake has about 20. */
    MESSAGES_MOST = 256,
};

/*
 * The count of a connection is the offset of a pointer into this array. OpenSSL
 * keeps the pointer as the callback's argument, so that there is no memory to
 * free. The bytes themselves are never used.
 */
static char counts[MESSAGES_MOST + 1];

/*
 * Called by OpenSSL for each record and each handshake message. OpenSSL reads
 * on while messages without data arrive (HelloRequest, KeyUpdate and others),
 * so that a peer could block the event loop with an endless row of them. After
 * the limit the connection is treated as closed by the peer.
 */
static void
count_message(int written, int version, int type, const void *bytes, size_t len,
              SSL *ssl, void *context)
{
    bool is_type = type == SSL3_RT_HEADER || type == SSL3_RT_INNER_CONTENT_TYPE;
    char *count = context;

    (void)version;
    if (written || len == 0 ||
        (is_type && *(const uint8_t *)bytes == SSL3_RT_APPLICATION_DATA)) {
        return;
    }
    if (count < counts + MESSAGES_MOST) {
        SSL_set_msg_callback_arg(ssl, count + 1);
    } else {
        SSL_set_shutdown(ssl, SSL_get_shutdown(ssl) | SSL_RECEIVED_SHUTDOWN);
    }
}

void
tls_limits_set(SSL_CTX *context)
{
    /* Each renegotiation would be one more handshake that the peer asks for. */
    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION);
    SSL_CTX_set_max_cert_list(context, CERTIFICATES_SIZE);
    SSL_CTX_set_msg_callback(context, count_message);
    SSL_CTX_set_msg_callback_arg(context, counts);
}
