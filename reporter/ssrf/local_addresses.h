/*
 * The addresses of this host, read again from time to time.
 */
#ifndef LOCAL_ADDRESSES_H
#define LOCAL_ADDRESSES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/ip_address.h"

struct local_addresses;

/* An older list is read again. */
enum { LOCAL_ADDRESSES_MAX_AGE_MS = 3000 };

/* Reads the list. NULL if the system refuses (errno). */
struct local_addresses *local_addresses_open(int64_t now_ms);
void local_addresses_close(struct local_addresses *locals);

/*
 * True if address belongs to an interface of this host, or is a loopback or
 * unspecified address. now_ms is monotonic. If the list is too old and cannot
 * be read again, the old list is used. Does not block.
 */
bool local_addresses_contain(struct local_addresses *locals,
                             const struct ip_address *address, int64_t now_ms);

#endif
