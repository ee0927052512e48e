/*
 * tls: the limits, each with its reason. The figures are for OpenSSL 3.0.
 */
#include "tls.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdbool.h>
#include <stdint.h>
#include <unistd.h>

#include "base/regular_file.h"

/*
 * No finite-field Diffie-Hellman: the server chooses its modulus, and a
 * handshake with 10,000 bits takes seconds of CPU. The other ciphers are
 * Mozilla's "intermediate" list:
 * https://wiki.mozilla.org/Security/Server_Side_TLS
 */
static const char ciphers[] = "ECDHE+AESGCM:ECDHE+CHACHA20";

/* Without the finite-field groups of TLS 1.3, for the same reason. */
static const char groups[] = "X25519:P-256:P-384:P-521";

enum {
    /* A certificate chain is parsed before it is verified: 100 KB, OpenSSL's
       default limit, take 100 ms. Usual chains have 3 to 10 KB. */
    CERTIFICATES_SIZE = 32 * 1024,
    /* Records and messages without data in the life of a connection. A
       handshake has about 20. */
    MESSAGES_MOST = 256,
    /* A changed CA bundle is used after at most this time. */
    CA_CACHE_S = 600,
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

/* Called by libcurl for each connection, with a trust or NULL. */
static CURLcode
set_up_connection(CURL *easy, void *context, void *trust)
{
    SSL_CTX *ssl = context;

    (void)easy;
    /* Takes the place of the store that libcurl will set. */
    if (trust != NULL &&
        SSL_CTX_set1_verify_cert_store(ssl, tls_trust_store(trust)) != 1) {
        return CURLE_OUT_OF_MEMORY;
    }
    /* Each renegotiation would be one more handshake that the peer asks for. */
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
 * Parsing a CA bundle takes 50 ms. libcurl caches the result in the multi
 * handle, but only if no CA folder is set; Debian's libcurl sets both by
 * default. If a bundle is set and its file is missing, all handshakes fail.
 * Before 7.87 libcurl has no cache.
 * https://curl.se/libcurl/c/CURLOPT_CA_CACHE_TIMEOUT.html
 */
static bool
set_trust(CURL *easy)
{
    const char *bundle = curl_version_info(CURLVERSION_NOW)->cainfo;

    if (bundle == NULL || access(bundle, R_OK) != 0) {
        return set_text(easy, CURLOPT_CAINFO, NULL);
    }
#if LIBCURL_VERSION_NUM >= 0x075700
    if (!set_long(easy, CURLOPT_CA_CACHE_TIMEOUT, CA_CACHE_S)) {
        return false;
    }
#endif
    return set_text(easy, CURLOPT_CAPATH, NULL);
}

/* Without a passphrase: nobody is there to type it. A pem_password_cb. */
static int
refuse_passphrase(char *buffer, int size, int writing, void *context)
{
    (void)buffer;
    (void)size;
    (void)writing;
    (void)context;
    return -1;
}

static const char *
key_file(const struct tls_files *files)
{
    return files->key[0] != '\0' ? files->key : files->cert;
}

/* Why OpenSSL cannot read a file, or could wait for it; NULL: it can. */
static const char *
problem_of(const char *path)
{
    const char *why = NULL;
    int fd = path[0] == '\0' ? -1 : regular_file_open(path, &why);

    if (fd >= 0) {
        close(fd);
    }
    return why;
}

static enum tls_files_state
find_unreadable(const struct tls_files *files, const char **why)
{
    if ((*why = problem_of(files->ca)) != NULL) {
        return TLS_FILES_CA;
    }
    if ((*why = problem_of(files->cert)) != NULL) {
        return TLS_FILES_CERT;
    }
    *why = problem_of(files->key);
    return *why == NULL ? TLS_FILES_OK : TLS_FILES_KEY;
}

static enum tls_files_state
load(SSL_CTX *ssl, const struct tls_files *files)
{
    if (files->ca[0] != '\0' &&
        SSL_CTX_load_verify_locations(ssl, files->ca, NULL) != 1) {
        return TLS_FILES_CA;
    }
    if (files->cert[0] == '\0') {
        return files->key[0] == '\0' ? TLS_FILES_OK : TLS_FILES_KEY;
    }
    if (SSL_CTX_use_certificate_chain_file(ssl, files->cert) != 1) {
        return TLS_FILES_CERT;
    }
    if (SSL_CTX_use_PrivateKey_file(ssl, key_file(files), SSL_FILETYPE_PEM) ==
        1) {
        return TLS_FILES_OK;
    }
    return files->key[0] != '\0' ? TLS_FILES_KEY : TLS_FILES_CERT;
}

enum tls_files_state
tls_check(const struct tls_files *files, const char **why)
{
    enum tls_files_state state = find_unreadable(files, why);
    SSL_CTX *ssl;

    if (state != TLS_FILES_OK ||
        (files->ca[0] == '\0' && files->cert[0] == '\0' &&
         files->key[0] == '\0')) {
        return state; /* OK also if OpenSSL can do no TLS here */
    }
    state = TLS_FILES_CA;
    ERR_clear_error();
    ssl = SSL_CTX_new(TLS_client_method());
    if (ssl != NULL) {
        SSL_CTX_set_default_passwd_cb(ssl, refuse_passphrase);
        state = load(ssl, files);
    }
    *why = ERR_reason_error_string(ERR_peek_last_error());
    if (*why == NULL) {
        *why = "there is no client_cert";
    }
    ERR_clear_error();
    SSL_CTX_free(ssl);
    return state;
}

static bool
set_files(CURL *easy, const struct tls_files *files)
{
    return files == NULL || files->cert[0] == '\0' ||
           (set_text(easy, CURLOPT_SSLCERT, files->cert) &&
            set_text(easy, CURLOPT_SSLKEY, key_file(files)) &&
            /* Else OpenSSL would ask the terminal for a passphrase. */
            set_text(easy, CURLOPT_KEYPASSWD, ""));
}

int
tls_set_up(CURL *easy, const struct tls_files *files, struct tls_trust *trust)
{
    return set_long(easy, CURLOPT_SSL_VERIFYPEER, 1) &&
                   set_long(easy, CURLOPT_SSL_VERIFYHOST, 2) &&
                   set_long(easy, CURLOPT_SSLVERSION,
                            CURL_SSLVERSION_TLSv1_2) &&
                   set_text(easy, CURLOPT_SSL_CIPHER_LIST, ciphers) &&
                   set_text(easy, CURLOPT_SSL_EC_CURVES, groups) &&
                   set_trust(easy) && set_files(easy, files) &&
                   curl_easy_setopt(easy, CURLOPT_SSL_CTX_DATA, trust) ==
                       CURLE_OK &&
                   curl_easy_setopt(easy, CURLOPT_SSL_CTX_FUNCTION,
                                    set_up_connection) == CURLE_OK
               ? 0
               : -1;
}
