/*
 * This host's own addresses, as they come and go.
 */
#ifndef HOMES_H
#define HOMES_H

#include <stdbool.h>
#include <stdint.h>

#include "address.h"

struct homes;

/* How old the list of addresses may be. */
enum { HOMES_MAX_AGE_MS = 3000 };

/* Lists them. NULL where the system refuses (errno). */
struct homes *homes_open(int64_t now_ms);
void homes_close(struct homes *homes);

/*
 * True where address is one of this host's interfaces, or loops back to it.
 * now_ms is monotonic: the list is made anew where it is too old, or kept
 * where the system refuses.
 */
bool homes_has(struct homes *homes, const struct address *address,
               int64_t now_ms);

#endif
