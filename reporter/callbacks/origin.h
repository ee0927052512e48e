/*
 * The origin of a URL (RFC 6454, 4): scheme, host and port, which together are
 * one destination. For telling destinations apart, not for safety: whom we may
 * call is decided by the address (address_policy.h). Pure text.
 */
#ifndef ORIGIN_H
#define ORIGIN_H

#include "store/endpoint_url.h"

/* Size of a buffer for the longest origin, with its NUL. */
enum { ORIGIN_SIZE = ENDPOINT_URL_MAX_BYTES + sizeof(":65535") };

/*
 * Writes url's origin in lower case, always with a port:
 * "https://host:443". What endpoint_url_check would refuse gives some text too,
 * the same for the same scheme, host and port, cut where it is too long.
 */
void origin_read(const char *url, char origin[ORIGIN_SIZE]);

#endif
