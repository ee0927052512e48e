/*
 * tls_socket: an SSL, and what its last read waited for. After an error of TLS
 * or during the handshake the SSL is not used any more. After another error of
 * the socket it is still read: the peer may have said why before it closed.
 */
#include "tls_socket.h"

#include <errno.h>
#include <limits.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tls_advice.h"

struct tls_socket {
    const struct tls_context *context;
    SSL *ssl;
    bool failed;           /* it can't even be read any more */
    bool read_waits_write; /* the last read needs a write */
    char error[512];
};

struct tls_socket *
tls_socket_open(struct tls_context *context, int fd, const char *host)
{
    struct tls_socket *socket = calloc(1, sizeof(*socket));

    if (socket == NULL) {
        return NULL;
    }
    socket->context = context;
    socket->ssl = tls_context_connect(context, fd, host);
    if (socket->ssl == NULL) {
        free(socket);
        return NULL;
    }
    return socket;
}

void
tls_socket_close(struct tls_socket *socket)
{
    if (socket != NULL) {
        SSL_free(socket->ssl);
        free(socket);
    }
}

static void
set_error(struct tls_socket *socket, const char *what, const char *detail,
          const char *advice)
{
    const char *problem = tls_context_problem(socket->context);

    snprintf(socket->error, sizeof(socket->error), "%s%s%s%s%s%s%s", what,
             detail[0] == '\0' ? "" : ": ", detail,
             advice[0] == '\0' ? "" : "; ", advice,
             problem[0] == '\0' ? "" : "; and by now ", problem);
}

/* OpenSSL refused what has come, or the server what was sent. */
static void
note_refusal(struct tls_socket *socket)
{
    unsigned long code = ERR_peek_last_error();
    const char *reason = ERR_reason_error_string(code);
    long verdict = SSL_get_verify_result(socket->ssl);
    char what[128];

    snprintf(what, sizeof(what), "TLS: %s",
             reason == NULL ? "it failed" : reason);
    if (ERR_GET_REASON(code) == SSL_R_CERTIFICATE_VERIFY_FAILED) {
        set_error(socket, what, X509_verify_cert_error_string(verdict),
                  tls_advice_of_verdict(verdict));
    } else {
        set_error(socket, what, "", tls_advice_of_reason(code));
    }
}

/* True if this errno tells that the peer has closed the connection. */
static bool
is_hang_up(int reason)
{
    return reason == ECONNRESET || reason == EPIPE;
}

/*
 * As SSL_get_error, which tells of a connection that tls_limits has ended what
 * its last read waited for.
 */
static int
get_error(struct tls_socket *socket, int result)
{
    bool ended = (SSL_get_shutdown(socket->ssl) & SSL_RECEIVED_SHUTDOWN) != 0;
    int error = SSL_get_error(socket->ssl, result);

    return ended && error == SSL_ERROR_WANT_READ ? SSL_ERROR_ZERO_RETURN
                                                 : error;
}

/* Returns 0: not now, or -1 after setting the error. */
static ssize_t
judge(struct tls_socket *socket, int result)
{
    int reason = errno;
    bool ready = tls_socket_is_ready(socket);

    socket->failed = !ready;
    switch (get_error(socket, result)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
        socket->failed = false;
        return 0;
    case SSL_ERROR_SSL:
        socket->failed = true;
        note_refusal(socket);
        break;
    case SSL_ERROR_SYSCALL:
        if (reason != 0 && (ready || !is_hang_up(reason))) {
            set_error(socket, strerror(reason), "", "");
            break;
        }
        /* fall through */
    default:
        if (ready) {
            set_error(socket, "closed by the server", "", "");
        } else {
            set_error(socket, "closed by the server during the TLS handshake",
                      "", tls_advice_closed);
        }
        break;
    }
    ERR_clear_error();
    return -1;
}

ssize_t
tls_socket_read(struct tls_socket *socket, char *bytes, size_t size)
{
    int read;

    if (socket->failed) {
        return -1;
    }
    ERR_clear_error();
    errno = 0;
    read = SSL_read(socket->ssl, bytes, (int)size);
    socket->read_waits_write = read <= 0 && SSL_want_write(socket->ssl);
    return read > 0 ? read : judge(socket, read);
}

ssize_t
tls_socket_write(struct tls_socket *socket, const char *bytes, size_t size)
{
    int written;

    if (socket->failed) {
        return -1;
    }
    ERR_clear_error();
    errno = 0;
    written =
        SSL_write(socket->ssl, bytes, size < INT_MAX ? (int)size : INT_MAX);
    return written > 0 ? written : judge(socket, written);
}

/* Session tickets (RFC 8446, 4.6.1) come unasked: OpenSSL takes them here. */
const char *
tls_socket_look(struct tls_socket *socket)
{
    char byte;
    int result;

    if (socket->failed) {
        return socket->error;
    }
    ERR_clear_error();
    errno = 0;
    result = SSL_peek(socket->ssl, &byte, 1);
    if (result > 0) {
        return "an unexpected reply";
    }
    return judge(socket, result) == 0 ? NULL : socket->error;
}

bool
tls_socket_is_ready(const struct tls_socket *socket)
{
    return SSL_is_init_finished(socket->ssl);
}

short
tls_socket_events(const struct tls_socket *socket, bool unsent)
{
    short events = socket->read_waits_write ? POLLOUT : POLLIN;

    /* The handshake has its own turns. After it a write waits for no read, as
       there is no renegotiation. */
    if (unsent && tls_socket_is_ready(socket)) {
        events |= POLLOUT;
    }
    return events;
}

const char *
tls_socket_error(const struct tls_socket *socket)
{
    return socket->error;
}
