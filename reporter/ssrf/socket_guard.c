/*
 * passage: libcurl's two questions on the way, before a socket is opened and
 * before a request is sent.
 */
#include "socket_guard.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* True for an error that is our own want: no receiver is to blame. */
static bool
is_want(int error)
{
    return error == EMFILE || error == ENFILE || error == ENOBUFS ||
           error == ENOMEM || error == EADDRNOTAVAIL;
}

/*
 * False if this host has no address from which to reach that one, as with IPv6
 * disabled. For TCP, connect() then fails with EADDRNOTAVAIL, just as it does
 * if all local ports to that peer are in use. For UDP it fails for the address
 * alone, and sends nothing (connect(2), udp(7)).
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
 * Called before each connect with the very address. As libcurl would open it,
 * but close-on-exec. A refusal looks like a refused connection to libcurl,
 * which goes on with the next address.
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
    if (guard->wary && !has_source(address)) {
        return CURL_SOCKET_BAD;
    }
    fd = socket(address->family, address->socktype | SOCK_CLOEXEC,
                address->protocol);
    guard->no_resources = fd < 0 && is_want(errno) ? errno : 0;
    if (address->family == AF_INET6) {
        guard->six = fd;
    } else {
        guard->four = fd;
    }
    return fd;
}

/* True if a socket was opened since the start. */
static bool
has_opened(const struct socket_guard *guard)
{
    return guard->four >= 0 || guard->six >= 0;
}

/* The address that libcurl shows as text; false if it can't be read. */
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
 * Of a new connection the socket is noted. libcurl has at most one of each
 * family open at a time (RFC 8305), and has closed the one that lost.
 */
static bool
is_clean(struct socket_guard *guard, int own_port, const struct sockaddr *peer)
{
    if (!has_opened(guard)) {
        return kept_sockets_is_clean(guard->kept, guard->easy, own_port, peer);
    }
    kept_sockets_note(guard->kept,
                      peer->sa_family == AF_INET6 ? guard->six : guard->four);
    return true;
}

/* Called before each request: also on a connection that is used again. */
static int
before_request(void *context, char *address, char *own_address, int port,
               int own_port)
{
    struct socket_guard *guard = context;
    struct sockaddr_storage storage;
    const struct sockaddr *peer = (struct sockaddr *)&storage;

    (void)own_address;
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

/* Forgets the last run of the transfer. */
static void
begin(struct socket_guard *guard, bool fresh)
{
    guard->four = -1;
    guard->six = -1;
    guard->unclean = false;
    guard->no_resources = 0;
    guard->permitted = false;
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

const char *
socket_guard_refusal(const struct socket_guard *guard)
{
    return guard->permitted ? "" : guard->refusal;
}

/* libcurl 7.88 tells the errno of an earlier transfer if it had no socket to
   connect in this one. */
int
socket_guard_no_resources(const struct socket_guard *guard, CURLcode code)
{
    long reason = 0;

    if (code == CURLE_COULDNT_CONNECT && guard->no_resources == 0 &&
        has_opened(guard)) {
        curl_easy_getinfo(guard->easy, CURLINFO_OS_ERRNO, &reason);
        return is_want((int)reason) ? (int)reason : 0;
    }
    return code == CURLE_OK ? 0 : guard->no_resources;
}

/*
 * libcurl does not tell to which address connect() failed with EADDRNOTAVAIL.
 * Run again, the transfer leaves out those that we have no source for.
 */
bool
socket_guard_is_to_renew(struct socket_guard *guard, CURLcode code)
{
    bool in_doubt =
        !guard->wary && socket_guard_no_resources(guard, code) == EADDRNOTAVAIL;

    guard->wary = guard->wary || in_doubt;
    if (!guard->unclean && !in_doubt) {
        return false;
    }
    begin(guard, true);
    return true;
}
