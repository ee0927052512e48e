/*
 * lanes: if there is one shard, a round waits for its run alone, for as long as
 * it takes. If there are several, it waits for all of them at once.
 */
#include "lanes.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/util.h"
#include "pool_presence.h"
#include "store/shard.h"
#include "store/shard_news.h"

enum { ROUND_MS = 10 };

struct lanes {
    const struct options *options;
    struct store *store;
    struct answers *answers;
    struct pool_stats *stats;
    struct pool_presence *presence;
    struct shard_news *news; /* NULL: there is one shard */
    struct lane **list;
    bool *late; /* of each: its run is left behind */
    size_t count;
    int64_t started_us; /* monotonic: the round */
};

static struct lane *
open_lane(struct lanes *lanes, size_t shard)
{
    size_t ids = (size_t)lanes->options->dedup.local_cache_ids;
    struct lane_settings settings = {
        .options = store_view(lanes->store, (int64_t)shard),
        .redis = store_shard(lanes->store, (int64_t)shard),
        .news = lanes->news,
        .answers = lanes->answers,
        .stats = lanes->stats,
        .presence = shard == 0 ? lanes->presence : NULL,
        .cache_ids = ids / lanes->count + (ids % lanes->count != 0)};

    return lane_open(&settings);
}

static bool
open_lanes(struct lanes *lanes)
{
    int64_t shards = store_shards(lanes->store);

    lanes->count = (size_t)shards;
    lanes->list = calloc(lanes->count, sizeof(struct lane *));
    lanes->late = calloc(lanes->count, sizeof(*lanes->late));
    if (shards > 1) {
        lanes->news = shard_news_open(shards, lanes->options->window.seconds);
    }
    if (lanes->list == NULL || lanes->late == NULL ||
        (shards > 1 && lanes->news == NULL)) {
        return false;
    }
    for (size_t i = 0; i < lanes->count; i++) {
        lanes->list[i] = open_lane(lanes, i);
        if (lanes->list[i] == NULL) {
            return false;
        }
    }
    return true;
}

struct lanes *
lanes_open(const struct options *options, struct store *store,
           struct answers *answers, struct pool_stats *stats)
{
    struct lanes *lanes = calloc(1, sizeof(*lanes));

    if (lanes == NULL) {
        return NULL;
    }
    lanes->options = options;
    lanes->store = store;
    lanes->answers = answers;
    lanes->stats = stats;
    lanes->presence = pool_presence_open(options, store_shard(store, 0), stats);
    if (lanes->presence == NULL || !open_lanes(lanes)) {
        lanes_close(lanes);
        return NULL;
    }
    return lanes;
}

void
lanes_close(struct lanes *lanes)
{
    if (lanes == NULL) {
        return;
    }
    for (size_t i = 0; lanes->list != NULL && i < lanes->count; i++) {
        lane_close(lanes->list[i]);
    }
    free(lanes->list);
    free(lanes->late);
    shard_news_close(lanes->news);
    pool_presence_close(lanes->presence);
    free(lanes);
}

struct lane *const *
lanes_list(const struct lanes *lanes)
{
    return lanes->list;
}

size_t
lanes_count(const struct lanes *lanes)
{
    return lanes->count;
}

struct lane *
lanes_of(const struct lanes *lanes, int64_t id)
{
    return lanes
        ->list[lanes->count == 1 ? 0 : shard_of(id, (int64_t)lanes->count)];
}

void
lanes_begin(struct lanes *lanes, int64_t now_us)
{
    lanes->started_us = now_us;
    for (size_t i = 0; i < lanes->count; i++) {
        lane_begin(lanes->list[i]);
        if (lane_is_out(lanes->list[i]) && !lane_step(lanes->list[i])) {
            lanes->late[i] = false;
        }
        lane_expire(lanes->list[i]);
    }
}

void
lanes_go(struct lanes *lanes)
{
    for (size_t i = 0; i < lanes->count; i++) {
        lane_go(lanes->list[i]);
    }
}

/* Goes on with the run of a lane, and starts the next. */
static void
step_lane(struct lanes *lanes, size_t i)
{
    if (!lane_step(lanes->list[i])) {
        lanes->late[i] = false;
        lane_go(lanes->list[i]);
    }
}

bool
lanes_are_under_way(const struct lanes *lanes)
{
    for (size_t i = 0; i < lanes->count; i++) {
        if (lane_is_out(lanes->list[i]) && !lanes->late[i]) {
            return true;
        }
    }
    return false;
}

/* Of a round of several shards. */
static int64_t
left_ms(const struct lanes *lanes)
{
    int64_t passed_ms = (clock_mono_us() - lanes->started_us) / 1000;

    return int64_max(ROUND_MS - passed_ms, 0);
}

/*
 * Waits for the runs that are under way, also those that are late if with_late,
 * but for at most most_ms. Returns a bit for each lane whose run may go on.
 */
static uint64_t
await_lanes(const struct lanes *lanes, bool with_late, int64_t most_ms)
{
    const struct redis *awaited[REDIS_AWAIT_MOST] = {NULL};
    size_t places[REDIS_AWAIT_MOST];
    size_t count = 0;
    uint64_t bits, ready = 0;

    for (size_t i = 0; i < lanes->count; i++) {
        if (lane_is_out(lanes->list[i]) && (with_late || !lanes->late[i])) {
            places[count] = i;
            awaited[count++] = store_shard(lanes->store, (int64_t)i);
        }
    }
    bits = redis_await_any(awaited, count, most_ms);
    for (size_t i = 0; i < count; i++) {
        ready |= (bits >> i & 1) << places[i];
    }
    return ready;
}

/* Leaves behind what is still under way once a round has lasted for ROUND_MS.
 */
static void
note_late(struct lanes *lanes)
{
    for (size_t i = 0; left_ms(lanes) == 0 && i < lanes->count; i++) {
        lanes->late[i] = lane_is_out(lanes->list[i]);
    }
}

static void
step_several(struct lanes *lanes)
{
    uint64_t ready = await_lanes(lanes, true, left_ms(lanes));

    for (size_t i = 0; i < lanes->count; i++) {
        if ((ready >> i & 1) != 0) {
            step_lane(lanes, i);
        }
    }
    note_late(lanes);
}

void
lanes_step(struct lanes *lanes)
{
    if (lanes->count > 1) {
        step_several(lanes);
    } else {
        redis_await(store_shard(lanes->store, 0));
        step_lane(lanes, 0);
    }
}

void
lanes_tell(const struct lanes *lanes)
{
    size_t cached = 0, waiting = 0;

    for (size_t i = 0; i < lanes->count; i++) {
        cached += lane_cached(lanes->list[i]);
        waiting += lane_waiting(lanes->list[i]);
        pool_stats_set_shard_state(lanes->stats, (int64_t)i,
                                   redis_state(lane_redis(lanes->list[i])));
    }
    pool_stats_set_recent_ids(lanes->stats, cached);
    pool_stats_set_waiting_ids(lanes->stats, waiting);
}

bool
lanes_are_out(const struct lanes *lanes)
{
    for (size_t i = 0; i < lanes->count; i++) {
        if (lane_is_out(lanes->list[i])) {
            return true;
        }
    }
    return false;
}

int64_t
lanes_wait_ms(const struct lanes *lanes)
{
    int64_t ms = -1;

    for (size_t i = 0; i < lanes->count; i++) {
        ms = wait_shorter_ms(ms, lane_wait_ms(lanes->list[i]));
    }
    return ms;
}

size_t
lanes_held(const struct lanes *lanes)
{
    size_t held = 0;

    for (size_t i = 0; i < lanes->count; i++) {
        held += lane_held(lanes->list[i]);
    }
    return held;
}

/* All lanes at the same time; a lane whose run is late can't. */
static void
sign_off(struct lanes *lanes)
{
    for (size_t i = 0; i < lanes->count; i++) {
        lanes->late[i] = lane_is_out(lanes->list[i]);
        lane_start_sign_off(lanes->list[i]);
    }
    while (lanes_are_under_way(lanes)) {
        uint64_t ready =
            await_lanes(lanes, false, lanes->options->redis.timeout_ms);

        for (size_t i = 0; i < lanes->count; i++) {
            if ((ready >> i & 1) != 0) {
                lane_step(lanes->list[i]);
            }
        }
    }
    if (!lanes->late[0]) {
        pool_presence_sign_off(lanes->presence);
    }
}

void
lanes_end(struct lanes *lanes)
{
    for (size_t i = 0; i < lanes->count; i++) {
        lane_give_up(lanes->list[i]);
    }
    sign_off(lanes);
}
