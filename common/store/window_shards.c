/*
 * window_shards: what was sent is always finished, also if another shard has
 * failed: a connection takes one run at a time.
 */
#include "window_shards.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/util.h"

int
window_shards_fail(struct window_shards *shards, const struct redis *redis)
{
    shards->failed = redis;
    return -1;
}

/* Looks at a shard again, after the schema was compared. */
static int
look_anew(struct window_shards *shards, struct window_shard *shard)
{
    int64_t sent_ms;

    if (!window_shard_agree(shard)) {
        return window_shards_fail(shards, shard->redis);
    }
    sent_ms = clock_wall_ms();
    window_shard_send_look(shard);
    return window_shard_finish_look(shard, sent_ms) == WINDOW_SHARD_SEEN
               ? 0
               : window_shards_fail(shards, shard->redis);
}

int
window_shards_look(struct window_shards *shards)
{
    enum window_shard_looked looked[OPTIONS_SHARDS_MAX];
    int64_t sent_ms = clock_wall_ms();
    int result = 0;

    for (size_t i = 0; i < shards->count; i++) {
        window_shard_send_look(&shards->list[i]);
    }
    for (size_t i = 0; i < shards->count; i++) {
        looked[i] = window_shard_finish_look(&shards->list[i], sent_ms);
    }
    for (size_t i = 0; i < shards->count && result == 0; i++) {
        struct window_shard *shard = &shards->list[i];

        if (looked[i] == WINDOW_SHARD_FAILED) {
            result = window_shards_fail(shards, shard->redis);
        } else if (looked[i] == WINDOW_SHARD_RESET) {
            result = look_anew(shards, shard);
        }
    }
    return result;
}

/* By how much the clock of a shard may be behind that of shard 0 at most;
   negative: it is ahead. */
static int64_t
behind_us(const struct window_shards *shards, size_t i)
{
    return i == 0 ? 0
                  : shards->list[0].skew_us - shards->list[i].skew_us +
                        shards->list[i].trip_us;
}

int64_t
window_shards_born_s(const struct window_shards *shards, size_t i)
{
    double born_us = strtod(shards->list[i].born, NULL) * 1e6;

    return ((int64_t)born_us + behind_us(shards, i)) / 1000000;
}

int
window_shards_settle(struct window_shards *shards,
                     struct window_settlement *settlements, int64_t *late)
{
    int result = 0;

    for (size_t i = 0; i < shards->count; i++) {
        settlements[i].behind_s = (behind_us(shards, i) + 999999) / 1000000;
        window_shard_send_settle(&shards->list[i], &settlements[i]);
    }
    *late = 0;
    for (size_t i = 0; i < shards->count; i++) {
        int64_t found = 0;

        if (!window_shard_finish_settle(&shards->list[i], &found)) {
            result = window_shards_fail(shards, shards->list[i].redis);
        }
        *late = int64_max(*late, found);
    }
    return result;
}

int
window_shards_seal(struct window_shards *shards, int64_t first_s, size_t count,
                   struct window_shards_sealed *sealed)
{
    struct window_shard *list = shards->list;
    int result = 0;

    sealed->count = 0;
    window_shard_send_seal(&list[0], first_s, count, 0);
    if (!window_shard_finish_seal(&list[0], &sealed->replies[0])) {
        return window_shards_fail(shards, list[0].redis);
    }
    if (!window_shard_sealed(sealed->replies[0], &sealed->now_ms,
                             &sealed->on_s)) {
        return 0;
    }
    sealed->count = size_min(count, window_shard_count(sealed->replies[0]));
    for (size_t i = 1; i < shards->count; i++) {
        window_shard_send_seal(&list[i], first_s, sealed->count, sealed->on_s);
    }
    for (size_t i = 1; i < shards->count; i++) {
        const struct redis_reply **reply = &sealed->replies[i];

        if (!window_shard_finish_seal(&list[i], reply)) {
            result = window_shards_fail(shards, list[i].redis);
        } else {
            sealed->count = size_min(sealed->count, window_shard_count(*reply));
        }
    }
    return result;
}

bool
window_shards_sum(const struct window_shards *shards,
                  const struct window_shards_sealed *sealed, size_t i,
                  int64_t *sum)
{
    *sum = 0;
    for (size_t k = 0; k < shards->count; k++) {
        int64_t count;

        if (!window_shard_count_at(sealed->replies[k], i, &count)) {
            return false;
        }
        *sum += count;
    }
    return true;
}

int
window_shards_tell(struct window_shards *shards,
                   const struct window_record *records, size_t count)
{
    int64_t last_s = records[count - 1].start_s;
    bool told[OPTIONS_SHARDS_MAX];
    int result = 0;

    for (size_t i = 0; i < shards->count; i++) {
        told[i] = shards->list[i].recorded_s != last_s;
        if (told[i]) {
            window_shard_send_recorded(&shards->list[i], records, count);
        }
    }
    for (size_t i = 0; i < shards->count; i++) {
        if (told[i] && !window_shard_finish(&shards->list[i])) {
            result = window_shards_fail(shards, shards->list[i].redis);
        }
    }
    return result;
}

int64_t
window_shards_follow_ms(const struct window_shards *shards)
{
    int64_t longest_ms = 0;

    for (size_t i = 0; i < shards->count; i++) {
        longest_ms =
            int64_max(longest_ms, redis_follow_ms(shards->list[i].redis));
    }
    return longest_ms;
}
