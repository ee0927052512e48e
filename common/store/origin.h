/*
 * The destination of a callback: the origin of its URL (RFC 6454, 4), which is
 * scheme, host and port. The jobs of a destination wait in a list of their own,
 * whose key has the hash of the origin.
 */
#ifndef ORIGIN_H
#define ORIGIN_H

#include <stddef.h>

#include "endpoint_url.h"

enum {
    /* Size of a buffer for the longest origin, with its NUL. */
    ORIGIN_SIZE = ENDPOINT_URL_MAX_BYTES + sizeof(":65535"),
    ORIGIN_HASH_SIZE = 33, /* of its hash: 32 hexadecimal digits and a NUL */
};

/*
 * Writes the origin of url[0..len) in lower case, always with a port:
 * "https://host:443". A url that endpoint_url_check refuses gives some text
 * too: the same text for the same scheme, host and port, cut if it is too long.
 * For telling destinations apart, not for safety: address_policy.h decides
 * which addresses may be called.
 */
void origin_read(const char *url, size_t len, char origin[ORIGIN_SIZE]);

/*
 * Writes the first 128 bits of the SHA-1 of origin, in hexadecimal digits. The
 * scripts know the same hash (redis.sha1hex). Nobody can choose a host that
 * shares the hash, and with it the list, of another host. 0, or -1: no memory.
 */
int origin_hash(const char *origin, char hash[ORIGIN_HASH_SIZE]);

#endif
