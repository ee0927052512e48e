/*
 * passage: libcurl's two questions on the way, before a socket is opened and
 * before a request is sent.
 */
#include "socket_guard.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

/* True for an error that is our own want: no receiver is to blame. */
static bool
is_want(int error)
{
    return error == EMFILE || error == ENFILE || error == ENOBUFS ||
           error == ENOMEM || error == EADDRNOTAVAIL;
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
    if (!address_policy_check(guard->policy, &address->addr, guard->refusal)) {
        return CURL_SOCKET_BAD;
    }
    guard->permitted = true;
    fd = socket(address->family, address->socktype | SOCK_CLOEXEC,
                address->protocol);
    guard->no_resources = fd < 0 && is_want(errno) ? errno : 0;
    return fd;
}

/* The address that libcurl shows as text; false where it can't be read. */
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

/* Called before each request: also on a connection that is used again. */
static int
before_request(void *context, char *address, char *own_address, int port,
               int own_port)
{
    struct socket_guard *guard = context;
    struct sockaddr_storage peer;

    (void)own_address;
    (void)own_port;
    if (read_address(address, port, &peer) &&
        address_policy_check(guard->policy, (struct sockaddr *)&peer,
                             guard->refusal)) {
        guard->permitted = true;
        return CURL_PREREQFUNC_OK;
    }
    guard->permitted = false;
    return CURL_PREREQFUNC_ABORT;
}

int
socket_guard_watch(struct socket_guard *guard, CURL *easy)
{
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

void
socket_guard_start(struct socket_guard *guard, struct address_policy *policy)
{
    guard->policy = policy;
    guard->no_resources = 0;
    guard->permitted = false;
    guard->refusal[0] = '\0';
}

const char *
socket_guard_refusal(const struct socket_guard *guard)
{
    return guard->permitted ? "" : guard->refusal;
}

int
socket_guard_no_resources(const struct socket_guard *guard, CURL *easy,
                          CURLcode code)
{
    long reason = 0;

    if (code == CURLE_COULDNT_CONNECT && guard->no_resources == 0) {
        curl_easy_getinfo(easy, CURLINFO_OS_ERRNO, &reason);
        return is_want((int)reason) ? (int)reason : 0;
    }
    return code == CURLE_OK ? 0 : guard->no_resources;
}
