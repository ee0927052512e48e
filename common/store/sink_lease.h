/*
 * Who may write to a sink, and how far it is: the hash <prefix>:sink:<name>,
 * without TTL. One reporter at a time has the lease, which ends by Redis's
 * clock; with it comes a token that no one had before, and without the token
 * nobody moves the cursor. Who has it gives it up by its own monotonic clock,
 * counted from before it asked, so that it has ended here before it ends
 * there: a process that was stopped meanwhile finds that it has it no more.
 */
#ifndef SINK_LEASE_H
#define SINK_LEASE_H

#include <stdbool.h>
#include <stdint.h>

#include "redis/redis.h"

struct sink_lease;

enum {
    SINK_LEASE_MS = 7000,      /* how long it is, in Redis */
    SINK_LEASE_OURS_MS = 6000, /* of that, how long who has it believes in it */
    SINK_LEASE_RENEW_MS = 2000, /* after that it is renewed */
};

enum { SINK_LEASE_OWNER_SIZE = 128 };

/*
 * Writes a name for this process that no other has, and that tells people
 * where it runs: <host>:<pid>:<random>.
 */
void sink_lease_owner(char owner[SINK_LEASE_OWNER_SIZE]);

/* redis is borrowed for its life, the texts are copied. NULL: no memory. */
struct sink_lease *sink_lease_open(struct redis *redis, const char *prefix,
                                   const char *name, const char *owner);

/* Frees it. What Redis has of it stays; see sink_lease_release. */
void sink_lease_close(struct sink_lease *lease);

/*
 * Takes the lease or, when it is time, renews it. Returns 0 where that is
 * answered, whoever has it, or -1 where Redis is away or refused. Asks Redis
 * only when there is something to ask; blocks as redis_run.
 */
int sink_lease_keep(struct sink_lease *lease);

/* Whether the lease is ours at this moment; asks no one. */
bool sink_lease_ours(const struct sink_lease *lease);

/* The sink's cursor as Redis told it last: the last window that was written
   by whoever; 0: none. */
int64_t sink_lease_cursor_s(const struct sink_lease *lease);

/*
 * Moves the cursor to the window at start_s, never back but from where it can't
 * be, from implausible_from_s on (see window_closer_implausible_from_s). Where
 * the lease is no longer ours, that is all that is learned. Returns 0, or -1
 * where Redis is away or refused.
 */
int sink_lease_advance(struct sink_lease *lease, int64_t start_s,
                       int64_t implausible_from_s);

/* Gives it up, so that another one need not wait for its end. */
void sink_lease_release(struct sink_lease *lease);

#endif
