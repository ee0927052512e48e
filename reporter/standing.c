/*
 * standing: counters, and their JSON.
 */
#include "standing.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "log.h"
#include "program.h"
#include "reporters.h"

enum { SAY_AGAIN_MS = 60000 };

struct standing {
    const struct options *options;
    const struct delivery *delivery;
    struct standing_counts counts;
    struct standing_counts said; /* what of it the log has */
    int64_t publish_ms;          /* monotonic: when next */
    int64_t say_ms;              /* monotonic: not before */
    int64_t started_s;           /* since the Unix epoch */
    char name[REPORTERS_NAME_SIZE];
};

struct standing *
standing_open(const struct options *options, const struct delivery *delivery)
{
    struct standing *standing = calloc(1, sizeof(*standing));

    if (standing != NULL) {
        standing->options = options;
        standing->delivery = delivery;
        standing->started_s = clock_wall_ms() / 1000;
        reporters_own_name(standing->name);
    }
    return standing;
}

void
standing_close(struct standing *standing)
{
    free(standing);
}

void
standing_count(struct standing *standing, const struct outcome *outcome)
{
    switch (outcome->fate) {
    case JOB_DELIVERED:
        standing->counts.delivered++;
        break;
    case JOB_RETRY:
        standing->counts.retried++;
        break;
    case JOB_RETURN:
        standing->counts.returned++;
        break;
    case JOB_DEAD:
        standing->counts.dead++;
        break;
    }
}

void
standing_count_flushed(struct standing *standing,
                       const struct jobs_flushed *flushed)
{
    standing->counts.stale += flushed->stale;
    standing->counts.dropped += flushed->dropped;
}

void
standing_count_unreadable(struct standing *standing, size_t count)
{
    standing->counts.unreadable += (int64_t)count;
}

/* What happened to jobs but delivery. */
static void
say_losses(struct standing *standing, int64_t now_ms)
{
    const struct standing_counts *counts = &standing->counts;
    int64_t stale = counts->stale - standing->said.stale;
    int64_t dropped = counts->dropped - standing->said.dropped;
    int64_t unreadable = counts->unreadable - standing->said.unreadable;

    if (now_ms < standing->say_ms ||
        (stale == 0 && dropped == 0 && unreadable == 0)) {
        return;
    }
    log_warn("callbacks: %" PRId64 " settled after their lease had run out, "
             "%" PRId64 " unreadable ones moved to the dead list, %" PRId64
             " oldest dropped from the dead list",
             stale, unreadable, dropped);
    standing->said = *counts;
    standing->say_ms = now_ms + SAY_AGAIN_MS;
}

static const char *
state_name(enum breaker_state state)
{
    switch (state) {
    case BREAKER_CLOSED:
        return "closed";
    case BREAKER_OPEN:
        return "open";
    case BREAKER_HALF_OPEN:
        return "half-open";
    }
    return "";
}

static void
add_destination(void *context, const struct destination_status *status)
{
    json_t *list = context;

    if (json_array_size(list) < STANDING_DESTINATIONS_MAX) {
        json_array_append_new(
            list,
            json_pack("{s:s, s:I, s:I, s:I, s:s, s:I, s:I}", "origin",
                      status->origin, "waiting", (json_int_t)status->waiting,
                      "under_way", (json_int_t)status->under_way, "limit",
                      (json_int_t)status->limit, "breaker",
                      state_name(status->breaker), "blocked_ms",
                      (json_int_t)status->blocked_ms, "took_ms",
                      (json_int_t)status->took_ms));
    }
}

static json_t *
counts_json(const struct standing_counts *counts)
{
    return json_pack(
        "{s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "delivered",
        (json_int_t)counts->delivered, "retried", (json_int_t)counts->retried,
        "dead", (json_int_t)counts->dead, "returned",
        (json_int_t)counts->returned, "stale", (json_int_t)counts->stale,
        "dropped", (json_int_t)counts->dropped, "unreadable",
        (json_int_t)counts->unreadable);
}

/* malloc'd; NULL: no memory. */
static char *
describe(const struct standing *standing)
{
    json_t *destinations = json_array();
    json_t *root;
    char *text;

    delivery_each(standing->delivery, add_destination, destinations);
    root =
        json_pack("{s:i, s:s, s:s, s:I, s:I, s:I, s:I, s:o, s:o}", "v", 1,
                  "name", standing->name, "version", VERVE_VERSION, "started",
                  (json_int_t)standing->started_s, "at",
                  (json_int_t)(clock_wall_ms() / 1000), "waiting",
                  (json_int_t)delivery_waiting(standing->delivery), "under_way",
                  (json_int_t)delivery_under_way(standing->delivery), "counts",
                  counts_json(&standing->counts), "destinations", destinations);
    text = root == NULL ? NULL : json_dumps(root, JSON_COMPACT);
    json_decref(root);
    return text;
}

static void
publish(struct standing *standing, struct redis *redis)
{
    char *text = describe(standing);

    if (text != NULL) {
        reporters_publish(standing->options, redis, standing->name, text,
                          strlen(text), STANDING_TTL_MS);
    }
    free(text);
}

void
standing_step(struct standing *standing, struct redis *redis)
{
    int64_t now_ms = clock_mono_ms();

    say_losses(standing, now_ms);
    if (now_ms >= standing->publish_ms &&
        redis_state(redis) == REDIS_STATE_UP) {
        publish(standing, redis);
        standing->publish_ms = now_ms + STANDING_EVERY_MS;
    }
}
