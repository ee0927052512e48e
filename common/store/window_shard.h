/*
 * One shard, as a reporter sees it that closes windows: the calls of its
 * scripts. Each is sent and finished by itself, so that all shards can be asked
 * at the same time. window_closer.h has the order.
 */
#ifndef WINDOW_SHARD_H
#define WINDOW_SHARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/options.h"
#include "redis/redis.h"
#include "schema.h"
#include "window_stream.h"

struct window_shard {
    const struct options *options; /* a view of the shard */
    struct redis *redis;
    char born[SCHEMA_BORN_SIZE]; /* from the schema; "": compare it first */
    uint64_t connection;         /* of the last look */
    enum redis_result sent;      /* of the call under way */

    /* As of the last look: */
    int64_t now_ms;     /* its Redis's clock */
    int64_t skew_us;    /* that clock less the wall clock of this host */
    int64_t trip_us;    /* how long the look took: no error is greater */
    int64_t on_s;       /* the window that is on; of shard 0 only */
    int64_t lost_s;     /* the first window in `lost`; 0: none */
    int64_t recorded_s; /* the last window that it knows to be recorded */
};

enum window_shard_looked {
    WINDOW_SHARD_SEEN,
    WINDOW_SHARD_RESET,  /* its data was reset, or it is the first look: compare
                            the schema, and look again */
    WINDOW_SHARD_FAILED, /* Redis is away or refuses */
};

/*
 * Looks at the state of the shard, without changing it. sent_ms: the wall clock
 * before it was sent.
 */
void window_shard_send_look(struct window_shard *shard);
enum window_shard_looked window_shard_finish_look(struct window_shard *shard,
                                                  int64_t sent_ms);

/* Compares the schema. Blocks. False: Redis is away or refuses. */
bool window_shard_agree(struct window_shard *shard);

/* What a reporter knows that a shard has to write down: see marks-settle.lua.
 */
struct window_settlement {
    int64_t first_s;     /* the first window that is not recorded */
    int64_t lost_from_s; /* windows from this one ... */
    int64_t lost_to_s;   /* ... up to this one are lost; 0: none is known */
    bool confirmed;      /* all had their time to confirm */
    int64_t newest_s;    /* the last window known to be recorded; 0: none */
    int64_t behind_s;    /* how far its clock is behind that of shard 0 */
};

void window_shard_send_settle(struct window_shard *shard,
                              const struct window_settlement *settlement);
/* Sets *late to the number of windows that were found to be lost after they had
   been recorded; leaves it if Redis's data was reset. */
bool window_shard_finish_settle(struct window_shard *shard, int64_t *late);

/*
 * Seals those of `count` windows from first_s on that have ended. on_s: the
 * window that is on in shard 0; without meaning there. The counts are in the
 * reply, which is valid until the next call: window_shard_count of them. If
 * Redis's data was reset since the last look, nothing is sealed and there are
 * none.
 */
void window_shard_send_seal(struct window_shard *shard, int64_t first_s,
                            size_t count, int64_t on_s);
bool window_shard_finish_seal(struct window_shard *shard,
                              const struct redis_reply **reply);
size_t window_shard_count(const struct redis_reply *reply);

/* Of a reply: Redis's clock, the window on, and count i; false: it is lost. */
bool window_shard_sealed(const struct redis_reply *reply, int64_t *now_ms,
                         int64_t *on_s);
bool window_shard_count_at(const struct redis_reply *reply, size_t i,
                           int64_t *count);

/* Tells the shard that these records, at least one, are in the stream. */
void window_shard_send_recorded(struct window_shard *shard,
                                const struct window_record *records,
                                size_t count);
bool window_shard_finish(struct window_shard *shard);

#endif
