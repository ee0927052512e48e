/*
 * store: a list of connections in one epoll instance. Those of the shards come
 * first; those of keys without a hash tag follow as they are asked for.
 */
#include "store.h"

#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/clock.h"
#include "redis/key_slot.h"
#include "redis/redis_log.h"
#include "schema.h"
#include "shard.h"

enum { EVENTS = 16 };

struct store_node {
    struct redis *redis;
    int slot;
    struct redis_log log;
};

struct store {
    struct store_settings settings;
    bool cluster;
    int epoll_fd;
    int64_t shards;
    struct options *views; /* of each shard */
    /* Each is allocated by itself: its log must not move. */
    struct store_node **nodes;
    size_t count;
};

/* Opens a connection and watches it; takes its place in `nodes`. */
static struct redis *
add_node(struct store *store, struct redis_options *options,
         struct store_node *node)
{
    struct store_node **nodes =
        realloc(store->nodes, (store->count + 1) * sizeof(*nodes));
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = node};

    if (nodes == NULL) {
        free(node);
        return NULL;
    }
    store->nodes = nodes;
    nodes[store->count++] = node;
    options->on_failure = store->settings.on_failure;
    options->on_failure_context = store->settings.on_failure_context;
    node->slot = options->slot;
    node->redis = redis_open(options);
    return node->redis != NULL && epoll_ctl(store->epoll_fd, EPOLL_CTL_ADD,
                                            redis_fd(node->redis), &event) == 0
               ? node->redis
               : NULL;
}

static struct redis *
open_shard(struct store *store, int64_t shard)
{
    struct store_node *node = calloc(1, sizeof(*node));
    struct redis_options options;

    shard_view(&store->views[shard], store->settings.options, shard);
    if (node == NULL) {
        return NULL;
    }
    options = schema_redis_options(&store->views[shard],
                                   store->settings.program, &node->log);
    return add_node(store, &options, node);
}

struct store *
store_open(const struct store_settings *settings)
{
    struct store *store = calloc(1, sizeof(*store));

    if (store == NULL) {
        return NULL;
    }
    store->settings = *settings;
    store->shards = settings->options->redis.shards;
    store->cluster = redis_url_is_cluster(settings->options->redis.url);
    store->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    store->views = calloc((size_t)store->shards, sizeof(*store->views));
    for (int64_t shard = 0; shard < store->shards; shard++) {
        if (store->epoll_fd < 0 || store->views == NULL ||
            open_shard(store, shard) == NULL) {
            store_close(store);
            return NULL;
        }
    }
    return store;
}

void
store_close(struct store *store)
{
    if (store == NULL) {
        return;
    }
    for (size_t i = 0; i < store->count; i++) {
        redis_close(store->nodes[i]->redis);
        free(store->nodes[i]);
    }
    if (store->epoll_fd >= 0) {
        close(store->epoll_fd);
    }
    free(store->nodes);
    free(store->views);
    free(store);
}

int64_t
store_shards(const struct store *store)
{
    return store->shards;
}

const struct options *
store_view(const struct store *store, int64_t shard)
{
    return &store->views[shard];
}

struct redis *
store_shard(const struct store *store, int64_t shard)
{
    return store->nodes[shard]->redis;
}

struct redis *
store_keyed(struct store *store, const char *key)
{
    int slot = key_slot(key, strlen(key));
    struct redis_options options;
    struct store_node *node;

    if (!store->cluster) {
        return store_shard(store, 0);
    }
    for (size_t i = 0; i < store->count; i++) {
        if (store->nodes[i]->slot == slot && store->nodes[i]->redis != NULL) {
            return store->nodes[i]->redis;
        }
    }
    node = calloc(1, sizeof(*node));
    if (node == NULL) {
        return NULL;
    }
    options = schema_keyed_options(store->settings.options,
                                   store->settings.program, &node->log, slot);
    return add_node(store, &options, node);
}

int
store_fd(const struct store *store)
{
    return store->epoll_fd;
}

void
store_step(struct store *store)
{
    struct epoll_event events[EVENTS];
    int count = epoll_wait(store->epoll_fd, events, EVENTS, 0);

    for (int i = 0; i < count; i++) {
        const struct store_node *node = events[i].data.ptr;

        redis_step(node->redis);
    }
}

/* The higher, the worse. */
static int
rank(enum redis_state state)
{
    switch (state) {
    case REDIS_STATE_UP:
        return 0;
    case REDIS_STATE_CONNECTING:
        return 1;
    case REDIS_STATE_DOWN:
        return 2;
    case REDIS_STATE_UNUSABLE:
        return 3;
    }
    return 0;
}

/* The first shard in the worst state. */
static const struct redis *
worst(const struct store *store)
{
    const struct redis *found = store->nodes[0]->redis;

    for (int64_t shard = 1; shard < store->shards; shard++) {
        const struct redis *redis = store->nodes[shard]->redis;

        if (rank(redis_state(redis)) > rank(redis_state(found))) {
            found = redis;
        }
    }
    return found;
}

enum redis_state
store_state(const struct store *store)
{
    return redis_state(worst(store));
}

const char *
store_error(const struct store *store)
{
    return redis_error(worst(store));
}

enum redis_state
store_wait(struct store *store)
{
    int64_t end_ms =
        clock_mono_ms() + store->settings.options->redis.timeout_ms;
    int64_t left_ms = end_ms - clock_mono_ms();

    while (store_state(store) == REDIS_STATE_CONNECTING && left_ms > 0) {
        struct epoll_event event;

        if (epoll_wait(store->epoll_fd, &event, 1, (int)left_ms) > 0) {
            store_step(store);
        }
        left_ms = end_ms - clock_mono_ms();
    }
    return store_state(store);
}
