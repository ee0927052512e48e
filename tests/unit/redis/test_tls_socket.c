/*
 * tls_socket and tls_context: a handshake step by step against libssl on the
 * other end of a socket pair, the names that a certificate is valid for, and
 * what comes unasked.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "redis/tls_socket.h"

#define HOST "redis.my.example"

enum { FLIGHTS = 20, FLOOD = 1000, DAY_S = 86400 };

/* Both ends of a connection, and what they need. */
struct pair {
    char path[32];  /* of the server's certificate, which is its own CA */
    char asked[64]; /* the name that the client asked the server for (SNI) */
    int fds[2];     /* client, server */
    SSL_CTX *server_context;
    SSL *server;
    struct tls_context *context;
    struct tls_socket *client;
};

/* A certificate with these names (as in openssl.cnf), "": only a common name.
 */
static X509 *
make_certificate(EVP_PKEY *key, const char *names)
{
    X509 *certificate = X509_new();
    X509_NAME *name = X509_get_subject_name(certificate);

    X509_set_version(certificate, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
    X509_gmtime_adj(X509_getm_notBefore(certificate), -DAY_S);
    X509_gmtime_adj(X509_getm_notAfter(certificate), DAY_S);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                               (const unsigned char *)HOST, -1, -1, 0);
    X509_set_issuer_name(certificate, name);
    X509_set_pubkey(certificate, key);
    if (names[0] != '\0') {
        X509_EXTENSION *extension =
            X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, names);

        assert_non_null(extension);
        X509_add_ext(certificate, extension, -1);
        X509_EXTENSION_free(extension);
    }
    assert_true(X509_sign(certificate, key, EVP_sha256()) > 0);
    return certificate;
}

static void
write_certificate(struct pair *pair, X509 *certificate)
{
    BIO *out;
    int fd;

    strcpy(pair->path, "/tmp/test_tls_socket.XXXXXX");
    fd = mkstemp(pair->path);
    assert_true(fd >= 0);
    out = BIO_new_fd(fd, BIO_CLOSE);
    assert_int_equal(PEM_write_bio_X509(out, certificate), 1);
    BIO_free(out);
}

/* Notes the name. A callback of SSL_CTX_set_tlsext_servername_callback. */
static int
on_name(SSL *ssl, int *alert, void *context)
{
    struct pair *pair = context;
    const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);

    (void)alert;
    snprintf(pair->asked, sizeof(pair->asked), "%s", name == NULL ? "" : name);
    return SSL_TLSEXT_ERR_OK;
}

static void
open_pair(struct pair *pair, const char *names, const char *host,
          size_t tickets)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *certificate = make_certificate(key, names);
    struct tls_files files = {.ca = pair->path, .cert = "", .key = ""};

    memset(pair, 0, sizeof(*pair));
    write_certificate(pair, certificate);
    pair->server_context = SSL_CTX_new(TLS_server_method());
    SSL_CTX_use_certificate(pair->server_context, certificate);
    SSL_CTX_use_PrivateKey(pair->server_context, key);
    SSL_CTX_set_num_tickets(pair->server_context, tickets);
    SSL_CTX_set_tlsext_servername_callback(pair->server_context, on_name);
    SSL_CTX_set_tlsext_servername_arg(pair->server_context, pair);
    X509_free(certificate);
    EVP_PKEY_free(key);
    assert_int_equal(
        socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair->fds), 0);
    pair->server = SSL_new(pair->server_context);
    SSL_set_fd(pair->server, pair->fds[1]);
    SSL_set_accept_state(pair->server);
    pair->context = tls_context_open(&files);
    pair->client = tls_socket_open(pair->context, pair->fds[0], host);
    if (pair->client == NULL) {
        fail_msg("%s", tls_context_problem(pair->context));
    }
}

static void
close_pair(struct pair *pair)
{
    tls_socket_close(pair->client);
    tls_context_close(pair->context);
    SSL_free(pair->server);
    SSL_CTX_free(pair->server_context);
    close(pair->fds[0]);
    close(pair->fds[1]);
    unlink(pair->path);
}

/* Reads nothing. False: the connection is broken. */
static bool
read_none(struct pair *pair)
{
    char byte;

    return tls_socket_read(pair->client, &byte, 1) == 0;
}

/* Makes the handshake. False: the client refuses. */
static bool
shake_hands(struct pair *pair)
{
    for (int i = 0; i < FLIGHTS; i++) {
        if (!read_none(pair)) {
            return false;
        }
        SSL_do_handshake(pair->server);
    }
    return tls_socket_is_ready(pair->client);
}

static const struct row {
    const char *names; /* of the certificate */
    const char *host;
    const char *asked; /* the name in SNI */
    bool fits;
} rows[] = {
    {"DNS:" HOST, HOST, HOST, true},
    {"DNS:" HOST, HOST ".", HOST, true},
    {"DNS:" HOST, "REDIS.my.example", "REDIS.my.example", true},
    {"DNS:" HOST, "other.example", "other.example", false},
    {"DNS:" HOST, "10.0.0.1", "", false},
    {"DNS:other.example,DNS:" HOST, HOST, HOST, true},
    {"DNS:*.my.example", HOST, HOST, true},
    {"DNS:*.my.example", "a.redis.my.example", "a.redis.my.example", false},
    {"DNS:r*.my.example", HOST, HOST, false},
    {"IP:10.0.0.1", "10.0.0.1", "", true},
    {"IP:10.0.0.1", "10.0.0.2", "", false},
    {"IP:10.0.0.1", HOST, HOST, false},
    {"DNS:10.0.0.1", "10.0.0.1", "", false},
    {"IP:::1", "::1", "", true},
    {"IP:::1", "0:0::1", "", true},
    {"", HOST, HOST, false}, /* the common name does not count */
};

static void
test_names(void **state)
{
    int failed = 0;

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct row *row = &rows[i];
        struct pair pair;
        bool fits;

        open_pair(&pair, row->names, row->host, 0);
        fits = shake_hands(&pair);
        if (fits != row->fits || strcmp(pair.asked, row->asked) != 0 ||
            (!fits &&
             strstr(tls_socket_error(pair.client), "mismatch") == NULL)) {
            print_error("%s for %s: %d, SNI \"%s\", %s\n", row->host,
                        row->names, fits, pair.asked,
                        tls_socket_error(pair.client));
            failed++;
        }
        close_pair(&pair);
    }
    assert_int_equal(failed, 0);
}

/*
 * A write that had to wait for the handshake goes on, although nothing comes
 * after the flight that a read has taken.
 */
static void
test_a_handshake_that_ends_in_silence(void **state)
{
    struct pair pair;
    char bytes[8] = "";

    (void)state;
    open_pair(&pair, "DNS:" HOST, HOST, 0);
    assert_int_equal(tls_socket_write(pair.client, "x", 1), 0);
    assert_int_equal(tls_socket_events(pair.client, true), POLLIN);
    SSL_do_handshake(pair.server);
    assert_true(read_none(&pair));
    assert_true(tls_socket_is_ready(pair.client));
    assert_int_equal(tls_socket_events(pair.client, true), POLLIN | POLLOUT);
    assert_int_equal(tls_socket_events(pair.client, false), POLLIN);
    assert_int_equal(tls_socket_write(pair.client, "x", 1), 1);
    assert_int_equal(SSL_read(pair.server, bytes, sizeof(bytes)), 1);
    close_pair(&pair);
}

static void
test_what_comes_unasked(void **state)
{
    struct pair pair;
    char bytes[8];

    (void)state;
    open_pair(&pair, "DNS:" HOST, HOST, 4);
    assert_int_equal(tls_socket_write(pair.client, "x", 1), 0);
    SSL_do_handshake(pair.server);
    assert_int_equal(tls_socket_write(pair.client, "x", 1), 1);
    SSL_do_handshake(pair.server); /* sends the tickets */
    assert_null(tls_socket_look(pair.client));
    assert_null(tls_socket_look(pair.client));
    assert_int_equal(SSL_write(pair.server, "y", 1), 1);
    assert_string_equal(tls_socket_look(pair.client), "an unexpected reply");
    assert_int_equal(tls_socket_read(pair.client, bytes, sizeof(bytes)), 1);
    assert_null(tls_socket_look(pair.client));
    shutdown(pair.fds[1], SHUT_RDWR);
    assert_string_equal(tls_socket_look(pair.client), "closed by the server");
    assert_int_equal(tls_socket_write(pair.client, "x", 1), -1);
    close_pair(&pair);
}

/* A full socket is waited for; no byte is lost, whatever the pieces are. */
static void
test_a_full_socket(void **state)
{
    static char sent[1 << 20], got[sizeof(sent)];
    size_t written = 0, read = 0;
    struct pair pair;

    (void)state;
    for (size_t i = 0; i < sizeof(sent); i++) {
        sent[i] = (char)(i * 7 + i / 251);
    }
    open_pair(&pair, "DNS:" HOST, HOST, 0);
    assert_true(shake_hands(&pair));
    while (read < sizeof(sent)) {
        ssize_t n = written == sizeof(sent)
                        ? 0
                        : tls_socket_write(pair.client, sent + written,
                                           sizeof(sent) - written);
        int m;

        assert_true(n >= 0);
        written += (size_t)n;
        if (n == 0 && written < sizeof(sent)) {
            assert_int_equal(tls_socket_events(pair.client, true),
                             POLLIN | POLLOUT);
        }
        m = n > 0
                ? 0
                : SSL_read(pair.server, got + read, (int)(sizeof(got) - read));
        read += m > 0 ? (size_t)m : 0;
    }
    assert_memory_equal(sent, got, sizeof(sent));
    close_pair(&pair);
}

/* An endless row of messages without data is the end of the connection. */
static void
test_key_updates(void **state)
{
    struct pair pair;
    bool open = true;

    (void)state;
    open_pair(&pair, "DNS:" HOST, HOST, 0);
    assert_true(shake_hands(&pair));
    for (int i = 0; i < FLOOD && open; i++) {
        SSL_key_update(pair.server, SSL_KEY_UPDATE_NOT_REQUESTED);
        SSL_do_handshake(pair.server);
        open = tls_socket_look(pair.client) == NULL;
    }
    assert_false(open);
    close_pair(&pair);
}

/* A changed file is used from the next connect on; a wrong one is not. */
static void
test_changed_files(void **state)
{
    struct pair pair, other;
    struct tls_socket *next;
    FILE *file;

    (void)state;
    open_pair(&pair, "DNS:" HOST, HOST, 0);
    open_pair(&other, "DNS:" HOST, HOST, 0);
    assert_string_equal(tls_context_problem(pair.context), "");
    file = fopen(pair.path, "w");
    fputs("no certificate\n", file);
    fclose(file);
    next = tls_socket_open(pair.context, pair.fds[0], HOST);
    assert_non_null(next);
    tls_socket_close(next);
    assert_non_null(strstr(tls_context_problem(pair.context), "redis.ca_file"));
    assert_int_equal(rename(other.path, pair.path), 0);
    next = tls_socket_open(pair.context, pair.fds[0], HOST);
    assert_non_null(next);
    tls_socket_close(next);
    assert_string_equal(tls_context_problem(pair.context), "");
    close_pair(&other);
    close_pair(&pair);
}

static void
test_a_missing_file(void **state)
{
    struct tls_files files = {.ca = "/nonexistent", .cert = "", .key = ""};
    struct tls_context *context = tls_context_open(&files);

    (void)state;
    assert_null(tls_socket_open(context, 0, HOST));
    assert_string_equal(
        tls_context_problem(context),
        "redis.ca_file cannot be used: No such file or directory");
    tls_context_close(context);
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_a_handshake_that_ends_in_silence),
        cmocka_unit_test(test_what_comes_unasked),
        cmocka_unit_test(test_a_full_socket),
        cmocka_unit_test(test_key_updates),
        cmocka_unit_test(test_changed_files),
        cmocka_unit_test(test_a_missing_file),
    };

    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests_name("tls_socket", tests, NULL, NULL);
}
