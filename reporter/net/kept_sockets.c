/*
 * kept_sockets: a hash table of file descriptors by their own port. At each
 * look-up the kernel is asked for both ends of the descriptor, so that a
 * descriptor that was closed, or belongs to another connection by now, is not
 * found.
 */
#include "kept_sockets.h"

#include <errno.h>
#include <openssl/ssl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/ip_address.h"

enum { BUCKETS = 1024, FDS_MIN = 64 };

/* What is known of a file descriptor, which is the index of its entry. */
struct entry {
    uint16_t own_port; /* at the time it was noted; 0: it is in no chain */
    int next;          /* fd of the next entry in its chain, + 1; 0: none */
};

struct kept_sockets {
    struct entry *entries;
    size_t count;       /* of entries */
    int first[BUCKETS]; /* heads of chains, as next; by own port */
};

struct kept_sockets *
kept_sockets_open(void)
{
    return calloc(1, sizeof(struct kept_sockets));
}

void
kept_sockets_close(struct kept_sockets *kept)
{
    if (kept != NULL) {
        free(kept->entries);
        free(kept);
    }
}

/* Makes room for an entry for fd. 0, or -1: no memory. */
static int
make_room(struct kept_sockets *kept, int fd)
{
    size_t count = kept->count == 0 ? FDS_MIN : kept->count;
    struct entry *entries;

    while (count <= (size_t)fd) {
        count *= 2;
    }
    if (count == kept->count) {
        return 0;
    }
    entries = realloc(kept->entries, count * sizeof(*entries));
    if (entries == NULL) {
        return -1;
    }
    memset(entries + kept->count, 0, (count - kept->count) * sizeof(*entries));
    kept->entries = entries;
    kept->count = count;
    return 0;
}

/* Removes fd from its chain. */
static void
unchain(struct kept_sockets *kept, int fd)
{
    struct entry *entry = &kept->entries[fd];
    int *place = &kept->first[entry->own_port % BUCKETS];

    if (entry->own_port == 0) {
        return;
    }
    while (*place != fd + 1) {
        place = &kept->entries[*place - 1].next;
    }
    *place = entry->next;
    entry->own_port = 0;
}

/* Reads one end of fd; get is getsockname or getpeername. */
static bool
read_end(int fd, int (*get)(int, struct sockaddr *, socklen_t *),
         struct ip_address *address, uint16_t *port)
{
    struct sockaddr_storage end;
    socklen_t size = sizeof(end);

    return get(fd, (struct sockaddr *)&end, &size) == 0 &&
           ip_address_read((struct sockaddr *)&end, address, port) == 0;
}

void
kept_sockets_note(struct kept_sockets *kept, int fd)
{
    struct ip_address own;
    uint16_t own_port;
    int *first;

    if (!read_end(fd, getsockname, &own, &own_port) || own_port == 0 ||
        make_room(kept, fd) != 0) {
        return;
    }
    unchain(kept, fd);
    first = &kept->first[own_port % BUCKETS];
    kept->entries[fd].own_port = own_port;
    kept->entries[fd].next = *first;
    *first = fd + 1;
}

/* True if fd is a connection from own_port to the peer. */
static bool
leads_to(int fd, int own_port, const struct ip_address *peer,
         uint16_t peer_port)
{
    struct ip_address address;
    uint16_t port;

    return read_end(fd, getsockname, &address, &port) && port == own_port &&
           read_end(fd, getpeername, &address, &port) && port == peer_port &&
           ip_address_equal(&address, peer);
}

/* Finds the fd of a connection; -1: it was not noted. */
static int
find(const struct kept_sockets *kept, int own_port, const struct sockaddr *to)
{
    int next = kept->first[(uint16_t)own_port % BUCKETS];
    struct ip_address peer;
    uint16_t peer_port;

    if (ip_address_read(to, &peer, &peer_port) != 0) {
        return -1;
    }
    for (; next != 0; next = kept->entries[next - 1].next) {
        if (kept->entries[next - 1].own_port == own_port &&
            leads_to(next - 1, own_port, &peer, peer_port)) {
            return next - 1;
        }
    }
    return -1;
}

/* True if nothing waits to be read, not even the end of the connection. */
static bool
is_silent(int fd)
{
    char byte;

    return recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 &&
           (errno == EAGAIN || errno == EWOULDBLOCK);
}

/*
 * True if OpenSSL holds bytes that libcurl has not read: those that follow the
 * end of a response in the same TLS record. Other TLS libraries are not asked.
 */
static bool
is_holding_back(CURL *easy)
{
    struct curl_tlssessioninfo *tls = NULL;

    return curl_easy_getinfo(easy, CURLINFO_TLS_SSL_PTR, &tls) == CURLE_OK &&
           tls->backend == CURLSSLBACKEND_OPENSSL && tls->internals != NULL &&
           SSL_has_pending(tls->internals) != 0;
}

bool
kept_sockets_is_clean(const struct kept_sockets *kept, CURL *easy, int own_port,
                      const struct sockaddr *peer)
{
    int fd = find(kept, own_port, peer);

    return fd >= 0 && is_silent(fd) && !is_holding_back(easy);
}
