/*
 * socket_guard: libcurl calls it twice, before a socket is opened and before a
 * request is sent.
 */
#include "socket_guard.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* True if errno says that this host lacks a resource: no receiver did this. */
static bool
is_shortage(int error)
{
    return error == EMFILE || error == ENFILE || error == ENOBUFS ||
           error == ENOMEM || error == EADDRNOTAVAIL;
}

/*
 * False if this host has no source address for the peer: IPv6 is disabled, for
 * example. connect() of a TCP socket then fails with EADDRNOTAVAIL, as it does
 * if all local ports to that peer are in use. connect() of a UDP socket fails
 * only for the lack of an address, and sends nothing (connect(2), udp(7)).
 */
static bool
has_source(const struct curl_sockaddr *address)
{
    int fd = socket(address->family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    bool has = true;

    if (fd >= 0) {
        has = connect(fd, &address->addr, address->addrlen) == 0 ||
              errno != EADDRNOTAVAIL;
        close(fd);
    }
    return has;
}

/*
 * Called before each connect, with the address itself. Opens the socket as
 * libcurl does, but close-on-exec. If the address is refused, libcurl goes on
 * with the next address, as after a refused connection.
 */
static curl_socket_t
open_socket(void *context, curlsocktype purpose, struct curl_sockaddr *address)
{
    struct socket_guard *guard = context;
    int fd;

    (void)purpose;
    if (guard->policy != NULL &&
        !address_policy_check(guard->policy, &address->addr, guard->refusal)) {
        return CURL_SOCKET_BAD;
    }
    guard->permitted = true;
    if (guard->check_source && !has_source(address)) {
        return CURL_SOCKET_BAD;
    }
    fd = socket(address->family, address->socktype | SOCK_CLOEXEC,
                address->protocol);
    guard->no_resources = fd < 0 && is_shortage(errno) ? errno : 0;
    if (address->family == AF_INET6) {
        guard->ipv6_fd = fd;
    } else {
        guard->ipv4_fd = fd;
    }
    return fd;
}

/* True if a socket was opened in this run: the connection is new. */
static bool
has_opened(const struct socket_guard *guard)
{
    return guard->ipv4_fd >= 0 || guard->ipv6_fd >= 0;
}

/* Reads the address that libcurl gives as text; false if that fails. */
static bool
read_address(const char *text, int port, struct sockaddr_storage *address)
{
    struct sockaddr_in *four = (struct sockaddr_in *)address;
    struct sockaddr_in6 *six = (struct sockaddr_in6 *)address;

    memset(address, 0, sizeof(*address));
    if (inet_pton(AF_INET, text, &four->sin_addr) == 1) {
        four->sin_family = AF_INET;
        four->sin_port = htons((uint16_t)port);
        return true;
    }
    six->sin6_family = AF_INET6;
    six->sin6_port = htons((uint16_t)port);
    return inet_pton(AF_INET6, text, &six->sin6_addr) == 1;
}

/*
 * True if the connection is clean. The socket of a new connection is noted:
 * libcurl has at most one socket of each family open at a time (RFC 8305), and
 * has closed the other by now.
 */
static bool
is_clean(struct socket_guard *guard, int own_port, const struct sockaddr *peer)
{
    if (!has_opened(guard)) {
        return kept_sockets_is_clean(guard->kept, guard->easy, own_port, peer);
    }
    kept_sockets_note(guard->kept, peer->sa_family == AF_INET6
                                       ? guard->ipv6_fd
                                       : guard->ipv4_fd);
    return true;
}

/* Called before each request, on a new connection or a kept one. */
static int
before_request(void *context, char *address, char *own_address, int port,
               int own_port)
{
    struct socket_guard *guard = context;
    struct sockaddr_storage storage;
    const struct sockaddr *peer = (struct sockaddr *)&storage;

    (void)own_address;
    guard->requested = true;
    guard->permitted =
        read_address(address, port, &storage) &&
        (guard->policy == NULL ||
         address_policy_check(guard->policy, peer, guard->refusal));
    if (!guard->permitted) {
        return CURL_PREREQFUNC_ABORT;
    }
    guard->unclean = !is_clean(guard, own_port, peer);
    return guard->unclean ? CURL_PREREQFUNC_ABORT : CURL_PREREQFUNC_OK;
}

int
socket_guard_watch(struct socket_guard *guard, CURL *easy)
{
    guard->easy = easy;
    return curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, open_socket) ==
                       CURLE_OK &&
                   curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, guard) ==
                       CURLE_OK &&
                   curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION,
                                    before_request) == CURLE_OK &&
                   curl_easy_setopt(easy, CURLOPT_PREREQDATA, guard) == CURLE_OK
               ? 0
               : -1;
}

/* Forgets the last run. fresh: the next run makes a new connection. */
static void
begin(struct socket_guard *guard, bool fresh)
{
    guard->ipv4_fd = -1;
    guard->ipv6_fd = -1;
    guard->unclean = false;
    guard->no_resources = 0;
    guard->permitted = false;
    guard->requested = false;
    guard->refusal[0] = '\0';
    curl_easy_setopt(guard->easy, CURLOPT_FRESH_CONNECT, (long)fresh);
}

void
socket_guard_start(struct socket_guard *guard, struct address_policy *policy,
                   struct kept_sockets *kept)
{
    guard->policy = policy;
    guard->kept = kept;
    begin(guard, false);
}

bool
socket_guard_is_connecting(const struct socket_guard *guard)
{
    curl_off_t connected_us = 0;

    curl_easy_getinfo(guard->easy, CURLINFO_CONNECT_TIME_T, &connected_us);
    return !guard->requested && connected_us == 0;
}

/* The address that may be called may be one of those tried before. */
void
socket_guard_go_on(struct socket_guard *guard)
{
    bool permitted = guard->permitted;

    begin(guard, false);
    guard->permitted = permitted;
}

const char *
socket_guard_refusal(const struct socket_guard *guard)
{
    return guard->permitted ? "" : guard->refusal;
}

/* libcurl 7.88 gives the errno of an earlier transfer if it opened no socket in
   this transfer. */
int
socket_guard_no_resources(const struct socket_guard *guard, CURLcode code)
{
    long reason = 0;

    if (code == CURLE_COULDNT_CONNECT && guard->no_resources == 0 &&
        has_opened(guard)) {
        curl_easy_getinfo(guard->easy, CURLINFO_OS_ERRNO, &reason);
        return is_shortage((int)reason) ? (int)reason : 0;
    }
    return code == CURLE_OK ? 0 : guard->no_resources;
}

/*
 * libcurl does not say which address connect() failed for with EADDRNOTAVAIL.
 * So the transfer is run again, and open_socket leaves out the addresses that
 * this host has no source address for.
 */
bool
socket_guard_is_to_renew(struct socket_guard *guard, CURLcode code)
{
    bool in_doubt = !guard->check_source &&
                    socket_guard_no_resources(guard, code) == EADDRNOTAVAIL;

    guard->check_source = guard->check_source || in_doubt;
    if (!guard->unclean && !in_doubt) {
        return false;
    }
    begin(guard, true);
    return true;
}
