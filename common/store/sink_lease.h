/*
 * The lease of a sink (which reporter may write to it) and its cursor (the last
 * window that was written), in the hash `sink:<name>`, which never expires. One
 * reporter at a time has the lease, which ends by Redis's clock. Each lease has
 * a fencing token that was never used before; only its owner can move the
 * cursor. The owner stops by its own monotonic clock, counted from before the
 * request was sent, and therefore before the lease ends in Redis. So a process
 * that was suspended meanwhile finds that its lease is over.
 */
#ifndef SINK_LEASE_H
#define SINK_LEASE_H

#include <stdbool.h>
#include <stdint.h>

#include "redis/redis.h"

struct sink_lease;

enum {
    SINK_LEASE_MS = 7000,       /* length of the lease in Redis */
    SINK_LEASE_OURS_MS = 6000,  /* of that, how long its owner uses it */
    SINK_LEASE_RENEW_MS = 2000, /* the owner renews it after this time */
};

enum { SINK_LEASE_OWNER_SIZE = 128 };

/*
 * Writes a unique name for this process, from which people see its host:
 * <host>:<pid>:<random>.
 */
void sink_lease_owner(char owner[SINK_LEASE_OWNER_SIZE]);

struct sink_lease_options {
    struct redis *redis; /* for the key sink:<name> */
    struct redis *list;  /* for the key `sinks` */
    const char *prefix;  /* redis.prefix */
    const char *name;    /* of the sink */
    const char *owner;   /* see sink_lease_owner */
};

/* The connections are borrowed for its life, the texts are copied. NULL: no
   memory. */
struct sink_lease *sink_lease_open(const struct sink_lease_options *options);

/* Frees it. The lease in Redis stays; see sink_lease_release. */
void sink_lease_close(struct sink_lease *lease);

/*
 * Acquires the lease, or renews it if it is time, and then notes the sink in
 * the list of all sinks. 0 if Redis answered, whoever has the lease; -1 if
 * Redis is away or refuses. Asks Redis only if it is time, and then blocks as
 * redis_run does.
 */
int sink_lease_keep(struct sink_lease *lease);

/* True if the lease is ours at this moment; does not ask Redis. */
bool sink_lease_ours(const struct sink_lease *lease);

/* The sink's cursor in the last reply: the last window that any reporter wrote
   to the sink; 0: none. */
int64_t sink_lease_cursor_s(const struct sink_lease *lease);

/*
 * When an operator set the cursor back, in ms since the Unix epoch, as of the
 * last reply of sink_lease_keep; 0: never; -1: there was no reply. An operator
 * who does so ends the lease, too.
 */
int64_t sink_lease_rewound_ms(const struct sink_lease *lease);

/*
 * Moves the cursor forward to the window at start_s. The cursor moves back only
 * if it is a window that can't have been written, from implausible_from_s on
 * (see window_closer_implausible_from_s). If the lease is no longer ours, the
 * cursor stays, and sink_lease_ours tells. 0, or -1 if Redis is away or
 * refuses.
 */
int sink_lease_advance(struct sink_lease *lease, int64_t start_s,
                       int64_t implausible_from_s);

/* Releases the lease, so that another reporter need not wait for its end. */
void sink_lease_release(struct sink_lease *lease);

#endif
