/*
 * tls_context: an SSL_CTX, which is made anew if a file has changed.
 */
#include "tls_context.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file_stamp.h"
#include "base/tls_limits.h"

enum { HOST_SIZE = 256 }; /* a name has at most 253 bytes */

struct stamps {
    struct file_stamp ca, cert, key;
};

struct tls_context {
    char *ca;
    char *cert;
    char *key;
    SSL_CTX *ssl; /* NULL: the files could never be used */
    struct stamps stamps;
    char problem[256];
};

struct tls_context *
tls_context_open(const struct tls_files *files)
{
    struct tls_context *context = calloc(1, sizeof(*context));

    if (context == NULL) {
        return NULL;
    }
    context->ca = strdup(files->ca);
    context->cert = strdup(files->cert);
    context->key = strdup(files->key);
    if (context->ca == NULL || context->cert == NULL || context->key == NULL) {
        tls_context_close(context);
        return NULL;
    }
    return context;
}

void
tls_context_close(struct tls_context *context)
{
    if (context != NULL) {
        SSL_CTX_free(context->ssl);
        free(context->ca);
        free(context->cert);
        free(context->key);
        free(context);
    }
}

/* Reads all files into ssl. False: see the problem. */
static bool
load_files(struct tls_context *context, SSL_CTX *ssl)
{
    static const char *const keys[] = {
        [TLS_FILES_CA] = "redis.ca_file",
        [TLS_FILES_CERT] = "redis.client_cert",
        [TLS_FILES_KEY] = "redis.client_key",
    };
    struct tls_files files = {
        .ca = context->ca, .cert = context->cert, .key = context->key};
    const char *why;
    enum tls_files_state state = tls_files_load(ssl, &files, &why);

    if (state != TLS_FILES_OK) {
        snprintf(context->problem, sizeof(context->problem),
                 "%s cannot be used: %s", keys[state], why);
        return false;
    }
    return context->ca[0] != '\0' || SSL_CTX_set_default_verify_paths(ssl) == 1;
}

/*
 * Between two calls of a connection its buffers are not needed. What is to be
 * written may move in memory, because hiredis's buffer grows.
 */
static bool
set_up(struct tls_context *context, SSL_CTX *ssl)
{
    SSL_CTX_set_mode(ssl, SSL_MODE_RELEASE_BUFFERS |
                              SSL_MODE_ENABLE_PARTIAL_WRITE |
                              SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    /* Redis's protocol tells by itself whether a reply is whole. */
    SSL_CTX_set_options(ssl, SSL_OP_IGNORE_UNEXPECTED_EOF);
    SSL_CTX_set_verify(ssl, SSL_VERIFY_PEER, NULL);
    tls_limits_set(ssl);
    return SSL_CTX_set_min_proto_version(ssl, TLS1_2_VERSION) == 1 &&
           SSL_CTX_set_cipher_list(ssl, tls_limits_ciphers) == 1 &&
           SSL_CTX_set1_groups_list(ssl, tls_limits_groups) == 1 &&
           load_files(context, ssl);
}

/* Reads the files anew. If that fails, what was read before stays. */
static void
load(struct tls_context *context)
{
    SSL_CTX *ssl = SSL_CTX_new(TLS_client_method());

    snprintf(context->problem, sizeof(context->problem),
             "OpenSSL cannot be used");
    if (ssl != NULL && set_up(context, ssl)) {
        SSL_CTX_free(context->ssl);
        context->ssl = ssl;
        context->problem[0] = '\0';
    } else {
        SSL_CTX_free(ssl);
    }
    ERR_clear_error();
}

static void
refresh(struct tls_context *context)
{
    struct stamps stamps;

    memset(&stamps, 0, sizeof(stamps));
    stamps.ca = file_stamp_of(context->ca);
    stamps.cert = file_stamp_of(context->cert);
    stamps.key = file_stamp_of(context->key);
    if (context->ssl == NULL ||
        memcmp(&stamps, &context->stamps, sizeof(stamps)) != 0) {
        memcpy(&context->stamps, &stamps, sizeof(stamps));
        load(context);
    }
}

/*
 * An address is compared with the certificate's addresses, a name with its
 * names, not with its common name (RFC 9525, 6.3); a name is also sent to the
 * server (SNI), without the dot at its end (RFC 6066, 3).
 */
static bool
set_host(SSL *ssl, const char *host)
{
    X509_VERIFY_PARAM *param = SSL_get0_param(ssl);
    size_t len = strlen(host);
    char name[HOST_SIZE];

    if (X509_VERIFY_PARAM_set1_ip_asc(param, host) == 1) {
        return true;
    }
    if (len > 0 && host[len - 1] == '.') {
        len--;
    }
    if (len == 0 || len >= sizeof(name)) {
        return false;
    }
    snprintf(name, sizeof(name), "%.*s", (int)len, host);
    X509_VERIFY_PARAM_set_hostflags(param,
                                    X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS |
                                        X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
    return SSL_set_tlsext_host_name(ssl, name) == 1 &&
           X509_VERIFY_PARAM_set1_host(param, name, 0) == 1;
}

SSL *
tls_context_connect(struct tls_context *context, int fd, const char *host)
{
    SSL *ssl;

    refresh(context);
    if (context->ssl == NULL) {
        return NULL;
    }
    ssl = SSL_new(context->ssl);
    if (ssl == NULL || SSL_set_fd(ssl, fd) != 1 || !set_host(ssl, host)) {
        snprintf(context->problem, sizeof(context->problem),
                 "OpenSSL cannot be used");
        SSL_free(ssl);
        ssl = NULL;
    } else {
        SSL_set_connect_state(ssl);
    }
    ERR_clear_error();
    return ssl;
}

const char *
tls_context_problem(const struct tls_context *context)
{
    return context->problem;
}
