/*
 * fill: counts many unique ids in one window, through counter.h as verve-fcgi
 * does, and prints how long that took. The caller then asks Redis for the
 * memory that they take.
 *
 *   fill IDS BITS [BATCH]    ids of 31 or 63 bits, 128 or BATCH of them at a
 *                            time; only VERVE_... sets options
 */
#define _GNU_SOURCE /* environ */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/decimal.h"
#include "config/cli.h"
#include "config/options.h"
#include "store/counter.h"
#include "store/schema.h"

enum { MOST = 1024 }; /* that accept.max_batch may be */

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

/* Counts a batch, and waits for the end. */
static bool
count(struct redis *redis, struct counter *counter,
      struct counter_request *batch, size_t n)
{
    bool under_way = counter_start(counter, batch, n, clock_mono_us());

    while (under_way) {
        redis_await(redis);
        under_way = counter_step(counter);
    }
    return counter_result(counter).start_s != 0;
}

static bool
fill(struct redis *redis, struct counter *counter, int64_t ids, int64_t bits,
     int64_t most)
{
    struct counter_request batch[MOST];
    int64_t done = 0;

    while (done < ids) {
        int64_t left = ids - done;
        size_t n = (size_t)(left < most ? left : most);

        memset(batch, 0, sizeof(batch));
        for (size_t i = 0; i < n; i++) {
            batch[i].id = spread(done + (int64_t)i, bits);
        }
        if (!count(redis, counter, batch, n)) {
            return false;
        }
        done += (int64_t)n;
    }
    return true;
}

static int
measure(const struct options *options, int64_t ids, int64_t bits, int64_t most)
{
    static struct redis_log redis_log;
    struct redis_options redis_options =
        schema_redis_options(options, "fill", &redis_log);
    struct redis *redis = redis_open(&redis_options);
    struct counter *counter = NULL;
    int64_t started_ms;
    int code = EXIT_SYSTEM;

    if (redis != NULL && redis_wait(redis) == REDIS_STATE_UP) {
        counter = counter_open(options, redis);
    }
    started_ms = clock_mono_ms();
    if (counter != NULL && fill(redis, counter, ids, bits, most)) {
        printf("{\"ids\": %" PRId64 ", \"seconds\": %.3f}\n", ids,
               (double)(clock_mono_ms() - started_ms) / 1000);
        code = EXIT_OK;
    } else {
        fprintf(stderr, "fill: not all were counted\n");
    }
    counter_close(counter);
    redis_close(redis);
    return code;
}

int
main(int argc, char **argv)
{
    struct options options = {0};
    int64_t ids, bits, most = 128;
    int code = EXIT_USAGE;

    if (argc < 3 || argc > 4 ||
        !decimal_parse(argv[1], strlen(argv[1]), &ids) ||
        !decimal_parse(argv[2], strlen(argv[2]), &bits) || ids < 0 ||
        bits < 1 || bits > 63 ||
        (argc == 4 && !decimal_parse(argv[3], strlen(argv[3]), &most)) ||
        most < 1 || most > MOST) {
        fputs("usage: fill IDS BITS [BATCH]\n", stderr);
        return EXIT_USAGE;
    }
    if (options_load(&options, NULL, environ, complain, NULL) == 0) {
        code = measure(&options, ids, bits, most);
    }
    options_fini(&options);
    return code;
}
