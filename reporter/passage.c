/*
 * passage: libcurl's two questions on the way, before a socket is opened and
 * before a request is sent.
 */
#include "passage.h"

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
    struct passage *passage = context;
    int fd;

    (void)purpose;
    if (!guard_check(passage->guard, &address->addr, passage->refusal)) {
        return CURL_SOCKET_BAD;
    }
    passage->permitted = true;
    fd = socket(address->family, address->socktype | SOCK_CLOEXEC,
                address->protocol);
    passage->starved = fd < 0 && is_want(errno) ? errno : 0;
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
    struct passage *passage = context;
    struct sockaddr_storage peer;

    (void)own_address;
    (void)own_port;
    if (read_address(address, port, &peer) &&
        guard_check(passage->guard, (struct sockaddr *)&peer,
                    passage->refusal)) {
        passage->permitted = true;
        return CURL_PREREQFUNC_OK;
    }
    passage->permitted = false;
    return CURL_PREREQFUNC_ABORT;
}

int
passage_watch(struct passage *passage, CURL *easy)
{
    return curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, open_socket) ==
                       CURLE_OK &&
                   curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, passage) ==
                       CURLE_OK &&
                   curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION,
                                    before_request) == CURLE_OK &&
                   curl_easy_setopt(easy, CURLOPT_PREREQDATA, passage) ==
                       CURLE_OK
               ? 0
               : -1;
}

void
passage_start(struct passage *passage, struct guard *guard)
{
    passage->guard = guard;
    passage->starved = 0;
    passage->permitted = false;
    passage->refusal[0] = '\0';
}

const char *
passage_refusal(const struct passage *passage)
{
    return passage->permitted ? "" : passage->refusal;
}

int
passage_starved(const struct passage *passage, CURL *easy, CURLcode code)
{
    long reason = 0;

    if (code == CURLE_COULDNT_CONNECT && passage->starved == 0) {
        curl_easy_getinfo(easy, CURLINFO_OS_ERRNO, &reason);
        return is_want((int)reason) ? (int)reason : 0;
    }
    return code == CURLE_OK ? 0 : passage->starved;
}
