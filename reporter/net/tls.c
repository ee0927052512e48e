/*
 * tls: the limits, and why each is there. The figures are for OpenSSL 3.0.
 */
#include "tls.h"

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stdint.h>
#include <unistd.h>

/*
 * No finite-field Diffie-Hellman: its modulus is the server's choice, and with
 * 10,000 bits a handshake takes seconds. The rest is Mozilla's "intermediate"
 * list: https://wiki.mozilla.org/Security/Server_Side_TLS
 */
static const char ciphers[] = "ECDHE+AESGCM:ECDHE+CHACHA20";

/* TLS 1.3 has its finite fields among the groups. */
static const char groups[] = "X25519:P-256:P-384:P-521";

enum {
    /* A list of certificates is parsed before it is verified: 100 KB, OpenSSL's
       own limit, take 100 ms. Chains in use have 3 to 10 KB. */
    CERTIFICATES_SIZE = 32 * 1024,
    /* In a connection's life, with the records that they come in. A handshake
       has about 20. */
    MESSAGES_MOST = 256,
    /* A change of the bundle is seen after that much. */
    CA_CACHE_S = 600,
};

/*
 * A connection's context is a place in this row, and its distance from the
 * beginning is the connection's count: OpenSSL keeps it, and nobody has to free
 * it. Nothing is ever stored there.
 */
static char counts[MESSAGES_MOST + 1];

/*
 * Called by OpenSSL for each record and each handshake message. OpenSSL reads
 * on for as long as HelloRequest, KeyUpdate or other messages without data come
 * in, so that a peer that sends them without end would never let go of the
 * loop. Beyond the limit the connection is treated as closed by the peer.
 */
static void
count_message(int written, int version, int type, const void *bytes, size_t len,
              SSL *ssl, void *context)
{
    bool is_type = type == SSL3_RT_HEADER || type == SSL3_RT_INNER_CONTENT_TYPE;
    char *place = context;

    (void)version;
    if (written || len == 0 ||
        (is_type && *(const uint8_t *)bytes == SSL3_RT_APPLICATION_DATA)) {
        return;
    }
    if (place < counts + MESSAGES_MOST) {
        SSL_set_msg_callback_arg(ssl, place + 1);
    } else {
        SSL_set_shutdown(ssl, SSL_get_shutdown(ssl) | SSL_RECEIVED_SHUTDOWN);
    }
}

/* Called by libcurl for each connection. */
static CURLcode
limit_peer(CURL *easy, void *context, void *unused)
{
    SSL_CTX *ssl = context;

    (void)easy;
    (void)unused;
    /* Each would be one more handshake, at the peer's wish. */
    SSL_CTX_set_options(ssl, SSL_OP_NO_RENEGOTIATION);
    SSL_CTX_set_max_cert_list(ssl, CERTIFICATES_SIZE);
    SSL_CTX_set_msg_callback(ssl, count_message);
    SSL_CTX_set_msg_callback_arg(ssl, counts);
    return CURLE_OK;
}

static bool
set_long(CURL *easy, CURLoption option, long value)
{
    return curl_easy_setopt(easy, option, value) == CURLE_OK;
}

static bool
set_text(CURL *easy, CURLoption option, const char *value)
{
    return curl_easy_setopt(easy, option, value) == CURLE_OK;
}

/*
 * A bundle takes 50 ms to parse. libcurl keeps what it has parsed, in the multi
 * handle, but only if no CA folder is set, which Debian's libcurl has besides.
 * A bundle that is missing fails every handshake.
 * https://curl.se/libcurl/c/CURLOPT_CA_CACHE_TIMEOUT.html
 */
static bool
set_trust(CURL *easy)
{
    const char *bundle = curl_version_info(CURLVERSION_NOW)->cainfo;

    if (bundle == NULL || access(bundle, R_OK) != 0) {
        return set_text(easy, CURLOPT_CAINFO, NULL);
    }
    return set_text(easy, CURLOPT_CAPATH, NULL) &&
           set_long(easy, CURLOPT_CA_CACHE_TIMEOUT, CA_CACHE_S);
}

int
tls_set_up(CURL *easy)
{
    return set_long(easy, CURLOPT_SSL_VERIFYPEER, 1) &&
                   set_long(easy, CURLOPT_SSL_VERIFYHOST, 2) &&
                   set_long(easy, CURLOPT_SSLVERSION,
                            CURL_SSLVERSION_TLSv1_2) &&
                   set_text(easy, CURLOPT_SSL_CIPHER_LIST, ciphers) &&
                   set_text(easy, CURLOPT_SSL_EC_CURVES, groups) &&
                   set_trust(easy) &&
                   curl_easy_setopt(easy, CURLOPT_SSL_CTX_FUNCTION,
                                    limit_peer) == CURLE_OK
               ? 0
               : -1;
}
