/*
 * This host's own addresses, as they come and go.
 */
#ifndef LOCAL_ADDRESSES_H
#define LOCAL_ADDRESSES_H

#include <stdbool.h>
#include <stdint.h>

#include "net/ip_address.h"

struct local_addresses;

/* How old the list of addresses may be. */
enum { LOCAL_ADDRESSES_MAX_AGE_MS = 3000 };

/* Lists them. NULL where the system refuses (errno). */
struct local_addresses *local_addresses_open(int64_t now_ms);
void local_addresses_close(struct local_addresses *locals);

/*
 * True where address is one of this host's interfaces, or loops back to it.
 * now_ms is monotonic: the list is made anew where it is too old, or kept
 * where the system refuses.
 */
bool local_addresses_has(struct local_addresses *locals,
                         const struct ip_address *address, int64_t now_ms);

#endif
