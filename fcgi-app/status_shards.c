/*
 * status_shards: numbers that are counted are added up; of the others the worst
 * stays.
 */
#include "status_shards.h"

#include <jansson.h>
#include <string.h>

#include "status_json.h"
#include "store/status.h"

static const char *
word_of(enum redis_state state)
{
    switch (state) {
    case REDIS_STATE_UP:
        return "up";
    case REDIS_STATE_CONNECTING:
        return "connecting";
    case REDIS_STATE_DOWN:
        return "down";
    case REDIS_STATE_UNUSABLE:
        return "unusable";
    }
    return "";
}

json_t *
status_shards_list(const struct store *store)
{
    json_t *list = store_shards(store) > 1 ? json_array() : NULL;

    for (int64_t i = 0; list != NULL && i < store_shards(store); i++) {
        const struct redis *redis = store_shard(store, i);
        enum redis_state state = redis_state(redis);
        json_t *row =
            json_pack("{s:I, s:o, s:s}", "shard", (json_int_t)i, "node",
                      status_text(redis_node(redis)), "state", word_of(state));

        if (state != REDIS_STATE_UP) {
            json_object_set_new(row, "error", status_text(redis_error(redis)));
        }
        json_array_append_new(list, row);
    }
    return list;
}

static void
add_number(json_t *sum, const json_t *other, const char *name)
{
    json_object_set_new(
        sum, name, json_integer(number_of(sum, name) + number_of(other, name)));
}

static void
add_queue(json_t *sum, const json_t *other)
{
    static const char *const names[] = {"waiting",  "due",     "jobs",
                                        "max_jobs", "bytes",   "max_bytes",
                                        "dead",     "max_dead"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        add_number(sum, other, names[i]);
    }
    if (number_of(other, "oldest_ms") > number_of(sum, "oldest_ms")) {
        json_object_set(sum, "oldest_ms", json_object_get(other, "oldest_ms"));
    }
}

/* 0 if there is no limit. */
static double
fullness(const json_t *memory)
{
    json_int_t max = number_of(memory, "max");

    return max > 0 ? (double)number_of(memory, "used") / (double)max : 0;
}

/* Of the jobs that were given up the newest stay, as of one shard. */
static void
add_dead(json_t *sum, const json_t *other)
{
    json_t *job;
    size_t i;

    json_array_foreach(other, i, job)
    {
        size_t at = 0;

        while (at < json_array_size(sum) &&
               number_of(json_array_get(sum, at), "at") >=
                   number_of(job, "at")) {
            at++;
        }
        json_array_insert(sum, at, job);
    }
    while (json_array_size(sum) > STATUS_DEAD) {
        json_array_remove(sum, json_array_size(sum) - 1);
    }
}

void
status_shards_add(json_t *sum, const json_t *of_shard)
{
    json_t *window = json_object_get(sum, "window");
    const json_t *other = json_object_get(of_shard, "window");

    if (number_of(window, "start") == number_of(other, "start")) {
        add_number(window, other, "count");
    }
    add_queue(json_object_get(sum, "queue"),
              json_object_get(of_shard, "queue"));
    add_dead(json_object_get(sum, "dead"), json_object_get(of_shard, "dead"));
    other = json_object_get(of_shard, "memory");
    if (fullness(other) > fullness(json_object_get(sum, "memory"))) {
        json_object_set(sum, "memory", json_object_get(of_shard, "memory"));
    }
}
