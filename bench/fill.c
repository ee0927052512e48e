/*
 * fill: counts many unique ids in one window, through counter.h as verve-fcgi
 * does, and prints how long that took, and its own CPU time. The caller then
 * asks Redis for the memory that they take.
 *
 *   fill IDS BITS [BATCH [FIRST]]   ids of 31 or 63 bits, 128 or BATCH of them
 *                                   at a time, from number 0 or FIRST on; only
 *                                   VERVE_... sets options
 *
 * With several shards each has a batch of its own: while one is on its way, the
 * others are filled.
 */
#define _GNU_SOURCE /* environ */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/decimal.h"
#include "config/cli.h"
#include "config/options.h"
#include "store/counter.h"
#include "store/shard.h"
#include "store/shard_news.h"
#include "store/store.h"

enum { MOST = 1024 }; /* that accept.max_batch may be */

/* What is to be counted: ids number first to first + ids - 1. */
struct work {
    int64_t first;
    int64_t ids;
    int64_t bits;
    int64_t most; /* in a batch */
};

struct lane {
    struct redis *redis;
    struct counter *counter;
    struct counter_request batch[MOST];
    size_t count;
    bool under_way;
};

struct fill {
    struct store *store;
    struct shard_news *news; /* NULL: there is one shard */
    struct lane *lanes;
    int64_t shards;
};

static void
complain(void *context, const char *text)
{
    (void)context;
    fprintf(stderr, "fill: %s\n", text);
}

/* Mixes a number of `bits` bits; different numbers stay different. */
static int64_t
spread(int64_t i, int64_t bits)
{
    uint64_t mask = (UINT64_C(1) << bits) - 1;

    return (int64_t)((uint64_t)i * UINT64_C(0x9e3779b97f4a7c15) & mask);
}

/* Goes on with a batch that is under way. False: it was not counted. */
static bool
step(struct lane *lane)
{
    redis_await(lane->redis);
    lane->under_way = counter_step(lane->counter);
    if (lane->under_way || lane->count == 0) {
        return true;
    }
    lane->count = 0;
    return counter_result(lane->counter).start_s != 0;
}

/* Waits for a batch that may be under way. False: it was not counted. */
static bool
finish(struct lane *lane)
{
    bool counted = true;

    while (lane->under_way) {
        counted = step(lane);
    }
    return counted;
}

/* Starts to count a batch. False: it can't be counted. */
static bool
start(struct lane *lane)
{
    lane->under_way =
        counter_start(lane->counter, lane->batch, lane->count, clock_mono_us());
    return lane->under_way;
}

/* Counts nothing: each shard learns the window that is on in shard 0. */
static bool
learn_window(struct fill *fill)
{
    for (int64_t i = 0; i < fill->shards && fill->news != NULL; i++) {
        if (!start(&fill->lanes[i]) || !finish(&fill->lanes[i])) {
            return false;
        }
    }
    return true;
}

static bool
count_all(struct fill *fill, const struct work *work)
{
    for (int64_t i = work->first; i < work->first + work->ids; i++) {
        int64_t id = spread(i, work->bits);
        struct lane *lane = &fill->lanes[shard_of(id, fill->shards)];

        if (!finish(lane)) {
            return false;
        }
        lane->batch[lane->count++] = (struct counter_request){.id = id};
        if (lane->count == (size_t)work->most && !start(lane)) {
            return false;
        }
    }
    for (int64_t i = 0; i < fill->shards; i++) {
        struct lane *lane = &fill->lanes[i];

        if (!finish(lane) ||
            (lane->count > 0 && (!start(lane) || !finish(lane)))) {
            return false;
        }
    }
    return true;
}

static bool
fill_open(struct fill *fill, const struct options *options)
{
    struct store_settings settings = {.options = options, .program = "fill"};

    fill->shards = options->redis.shards;
    fill->store = store_open(&settings);
    fill->lanes = calloc((size_t)fill->shards, sizeof(*fill->lanes));
    if (fill->shards > 1) {
        fill->news = shard_news_open(fill->shards, options->window.seconds);
    }
    if (fill->store == NULL || fill->lanes == NULL ||
        (fill->shards > 1 && fill->news == NULL) ||
        store_wait(fill->store) != REDIS_STATE_UP) {
        return false;
    }
    for (int64_t i = 0; i < fill->shards; i++) {
        struct lane *lane = &fill->lanes[i];

        lane->redis = store_shard(fill->store, i);
        lane->counter = counter_open(store_view(fill->store, i), lane->redis);
        if (lane->counter == NULL) {
            return false;
        }
        if (fill->news != NULL) {
            counter_share(lane->counter, fill->news);
        }
    }
    return true;
}

static void
fill_close(struct fill *fill)
{
    for (int64_t i = 0; fill->lanes != NULL && i < fill->shards; i++) {
        counter_close(fill->lanes[i].counter);
    }
    free(fill->lanes);
    shard_news_close(fill->news);
    store_close(fill->store);
}

/* User and system time of this process so far. */
static int64_t
cpu_us(void)
{
    struct rusage usage;

    getrusage(RUSAGE_SELF, &usage);
    return (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * INT64_C(1000000) +
           usage.ru_utime.tv_usec + usage.ru_stime.tv_usec;
}

static int
measure(const struct options *options, const struct work *work)
{
    struct fill fill = {0};
    int code = EXIT_SYSTEM;

    if (fill_open(&fill, options) && learn_window(&fill)) {
        int64_t started_us = clock_mono_us();
        int64_t before_us = cpu_us();

        if (count_all(&fill, work)) {
            printf("{\"ids\": %" PRId64 ", \"seconds\": %.3f, "
                   "\"cpu_s\": %.6f}\n",
                   work->ids, (double)(clock_mono_us() - started_us) / 1e6,
                   (double)(cpu_us() - before_us) / 1e6);
            code = EXIT_OK;
        }
    }
    if (code != EXIT_OK) {
        fprintf(stderr, "fill: not all were counted\n");
    }
    fill_close(&fill);
    return code;
}

/* The number in an argument; otherwise if there is none; -1: it is wrong. */
static int64_t
number(int argc, char **argv, int i, int64_t otherwise)
{
    int64_t value = otherwise;

    return i >= argc || decimal_parse(argv[i], strlen(argv[i]), &value) ? value
                                                                        : -1;
}

int
main(int argc, char **argv)
{
    struct options options = {0};
    struct work work = {.ids = number(argc, argv, 1, -1),
                        .bits = number(argc, argv, 2, -1),
                        .most = number(argc, argv, 3, 128),
                        .first = number(argc, argv, 4, 0)};
    int code = EXIT_USAGE;

    if (argc > 5 || work.ids < 0 || work.bits < 1 || work.bits > 63 ||
        work.most < 1 || work.most > MOST || work.first < 0) {
        fputs("usage: fill IDS BITS [BATCH [FIRST]]\n", stderr);
        return EXIT_USAGE;
    }
    if (options_load(&options, NULL, environ, complain, NULL) == 0) {
        options_open_log(&options, "fill");
        code = measure(&options, &work);
    }
    options_fini(&options);
    return code;
}
