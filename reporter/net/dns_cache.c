/*
 * names: every name stands in one queue, by what is done about it. While any
 * look-up is wanted or under way, a timer asks how they stand.
 */
#include "dns_cache.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/util.h"
#include "name_text.h"
#include "redis/resolver.h"

enum { POLL_MS = 5, BUCKETS = 4096 };

enum queue {
    QUEUE_IDLE,     /* nothing to do; the one asked for longest ago first */
    QUEUE_WANTED,   /* to be looked up */
    QUEUE_DOUBTFUL, /* to be looked up, but the last time it was in vain */
    QUEUE_LOOKING,  /* being looked up */
    QUEUES,
};

struct name {
    TAILQ_ENTRY(name) link;
    enum queue queue;
    struct name *next; /* in its bucket */
    struct dns_cache_waits waits;
    struct resolver *resolver; /* NULL but in QUEUE_LOOKING */
    char *addresses;           /* NULL: not known */
    int64_t found_ms;          /* monotonic: when they were */
    bool doubtful;             /* the last look-up was in vain, or slow */
    char text[];               /* in small letters */
};

TAILQ_HEAD(name_list, name);

struct dns_cache {
    struct event_loop *loop;
    int64_t patience_ms;
    dns_cache_told *told;
    void *context;
    struct event_loop_timer timer;
    struct dns_cache_waits ending; /* to be told */
    struct name_list queues[QUEUES];
    size_t count;  /* names */
    uint32_t seed; /* so that nobody can choose names that collide */
    struct name *buckets[BUCKETS];
};

static struct name **
bucket(struct dns_cache *cache, const char *text)
{
    return &cache->buckets[fnv1a(cache->seed, text) % BUCKETS];
}

static struct name *
find(struct dns_cache *cache, const char *text)
{
    struct name *i = *bucket(cache, text);

    while (i != NULL && strcmp(i->text, text) != 0) {
        i = i->next;
    }
    return i;
}

static void
put(struct dns_cache *cache, struct name *name, enum queue queue)
{
    TAILQ_REMOVE(&cache->queues[name->queue], name, link);
    TAILQ_INSERT_TAIL(&cache->queues[queue], name, link);
    name->queue = queue;
}

static void
name_free(struct name *name)
{
    resolver_close(name->resolver);
    free(name->addresses);
    free(name);
}

/* Forgets an idle one. */
static void
forget(struct dns_cache *cache, struct name *name)
{
    struct name **i = bucket(cache, name->text);

    while (*i != name) {
        i = &(*i)->next;
    }
    *i = name->next;
    TAILQ_REMOVE(&cache->queues[QUEUE_IDLE], name, link);
    cache->count--;
    name_free(name);
}

/* Makes one, idle. NULL: no memory. */
static struct name *
make(struct dns_cache *cache, const char *text)
{
    struct name *oldest = TAILQ_FIRST(&cache->queues[QUEUE_IDLE]);
    size_t size = strlen(text) + 1;
    struct name *name = calloc(1, sizeof(*name) + size);
    struct name **head = bucket(cache, text);

    if (name == NULL) {
        return NULL;
    }
    memcpy(name->text, text, size);
    TAILQ_INIT(&name->waits);
    if (cache->count >= DNS_CACHE_KEPT_MAX && oldest != NULL) {
        forget(cache, oldest);
    }
    name->next = *head;
    *head = name;
    TAILQ_INSERT_TAIL(&cache->queues[QUEUE_IDLE], name, link);
    cache->count++;
    return name;
}

void
dns_cache_leave(struct dns_cache_wait *wait)
{
    if (wait->queue != NULL) {
        TAILQ_REMOVE(wait->queue, wait, link);
        wait->queue = NULL;
    }
}

static void
stand_in(struct dns_cache_wait *wait, struct dns_cache_waits *queue)
{
    wait->queue = queue;
    TAILQ_INSERT_TAIL(queue, wait, link);
}

/* It will be told, once the queues may change. */
static void
end_wait(struct dns_cache *cache, struct dns_cache_wait *wait,
         enum dns_cache_answer answer)
{
    dns_cache_leave(wait);
    wait->answer = answer;
    stand_in(wait, &cache->ending);
}

static void
end_all(struct dns_cache *cache, struct name *name,
        enum dns_cache_answer answer)
{
    struct dns_cache_wait *wait;

    while ((wait = TAILQ_FIRST(&name->waits)) != NULL) {
        end_wait(cache, wait, answer);
    }
}

static void
tell(struct dns_cache *cache)
{
    struct dns_cache_wait *wait;

    while ((wait = TAILQ_FIRST(&cache->ending)) != NULL) {
        dns_cache_leave(wait);
        cache->told(cache->context, wait, wait->answer);
    }
}

static void
start(struct dns_cache *cache, struct name *name)
{
    name->resolver = resolver_open(name->text, "80");
    if (name->resolver == NULL) {
        end_all(cache, name, DNS_CACHE_UNASKED);
        put(cache, name, QUEUE_IDLE);
        return;
    }
    resolver_start(name->resolver);
    put(cache, name, QUEUE_LOOKING);
}

/* How many look-ups may be started yet of the doubtful, or of all. */
static int
free_lookups(const struct dns_cache *cache, bool of_doubtful)
{
    int count = of_doubtful ? DNS_CACHE_DOUBTFUL_MAX : DNS_CACHE_LOOKUPS_MAX;
    const struct name *name = TAILQ_FIRST(&cache->queues[QUEUE_LOOKING]);

    for (; name != NULL; name = TAILQ_NEXT(name, link)) {
        count -= !of_doubtful || name->doubtful;
    }
    return count;
}

static void
start_some(struct dns_cache *cache)
{
    struct name *name;

    while ((name = TAILQ_FIRST(&cache->queues[QUEUE_WANTED])) != NULL &&
           free_lookups(cache, false) > 0) {
        start(cache, name);
    }
    while ((name = TAILQ_FIRST(&cache->queues[QUEUE_DOUBTFUL])) != NULL &&
           free_lookups(cache, false) > 0 && free_lookups(cache, true) > 0) {
        start(cache, name);
    }
}

/* Takes the result of a look-up where it is there. */
static void
finish(struct dns_cache *cache, struct name *name)
{
    const struct addrinfo *found = NULL;
    enum resolver_state state = resolver_result(name->resolver, &found);

    if (state == RESOLVER_PENDING) {
        return;
    }
    free(name->addresses);
    name->addresses = state == RESOLVER_DONE ? name_addresses(found) : NULL;
    name->found_ms = clock_mono_ms();
    name->doubtful = name->addresses == NULL;
    resolver_close(name->resolver);
    name->resolver = NULL;
    end_all(cache, name, name->doubtful ? DNS_CACHE_FAILED : DNS_CACHE_KNOWN);
    put(cache, name, QUEUE_IDLE);
}

/* Ends the waits that took too long. */
static void
expire(struct dns_cache *cache, struct name *name, int64_t now_ms)
{
    bool looking = name->queue == QUEUE_LOOKING;
    struct dns_cache_wait *wait;

    while ((wait = TAILQ_FIRST(&name->waits)) != NULL &&
           wait->until_ms <= now_ms) {
        end_wait(cache, wait, looking ? DNS_CACHE_FAILED : DNS_CACHE_UNASKED);
        name->doubtful = name->doubtful || looking;
    }
    /* Nobody wants it any more, unless to refresh what is known. */
    if (!looking && TAILQ_EMPTY(&name->waits) && name->addresses == NULL) {
        put(cache, name, QUEUE_IDLE);
    }
}

/* Calls act for each name of a queue, which may put it into another. */
static void
each(struct dns_cache *cache, enum queue queue, int64_t now_ms,
     void (*act)(struct dns_cache *cache, struct name *name, int64_t now_ms))
{
    struct name *name = TAILQ_FIRST(&cache->queues[queue]);

    while (name != NULL) {
        struct name *next = TAILQ_NEXT(name, link);

        act(cache, name, now_ms);
        name = next;
    }
}

static void
step(struct dns_cache *cache, struct name *name, int64_t now_ms)
{
    finish(cache, name);
    if (name->queue == QUEUE_LOOKING) {
        expire(cache, name, now_ms);
    }
}

static void
on_timer(void *context)
{
    struct dns_cache *cache = context;
    int64_t now_ms = clock_mono_ms();

    each(cache, QUEUE_LOOKING, now_ms, step);
    each(cache, QUEUE_WANTED, now_ms, expire);
    each(cache, QUEUE_DOUBTFUL, now_ms, expire);
    start_some(cache);
    tell(cache);
    if (!TAILQ_EMPTY(&cache->queues[QUEUE_LOOKING])) {
        event_loop_arm(cache->loop, &cache->timer, POLL_MS);
    }
}

/* Has it looked up, unless it is being already. */
static void
enqueue_lookup(struct dns_cache *cache, struct name *name)
{
    if (name->queue != QUEUE_IDLE) {
        return;
    }
    put(cache, name, name->doubtful ? QUEUE_DOUBTFUL : QUEUE_WANTED);
    if (!cache->timer.armed) {
        event_loop_arm(cache->loop, &cache->timer, 0);
    }
}

enum dns_cache_answer
dns_cache_ask(struct dns_cache *cache, const char *host,
              struct dns_cache_wait *wait, const char **addresses)
{
    int64_t now_ms = clock_mono_ms();
    char text[NAME_TEXT_SIZE];
    struct name *name;
    int64_t age_ms;

    *addresses = NULL;
    if (name_lower(host, text) != 0) {
        return DNS_CACHE_FAILED;
    }
    name = find(cache, text);
    if (name == NULL && (name = make(cache, text)) == NULL) {
        return DNS_CACHE_UNASKED;
    }
    age_ms = now_ms - name->found_ms;
    if (name->queue == QUEUE_IDLE) {
        put(cache, name, QUEUE_IDLE); /* to the end: it is in use */
    }
    if (name->addresses == NULL || age_ms >= DNS_CACHE_FRESH_MS) {
        enqueue_lookup(cache, name);
    }
    if (name->addresses != NULL && age_ms < DNS_CACHE_STALE_MS) {
        *addresses = name->addresses;
        return DNS_CACHE_KNOWN;
    }
    wait->until_ms = now_ms + cache->patience_ms;
    stand_in(wait, &name->waits);
    return DNS_CACHE_WAIT;
}

struct dns_cache *
dns_cache_open(struct event_loop *loop, int64_t patience_ms,
               dns_cache_told *told, void *context)
{
    struct dns_cache *cache = calloc(1, sizeof(*cache));

    if (cache == NULL) {
        return NULL;
    }
    cache->loop = loop;
    cache->patience_ms = patience_ms;
    cache->told = told;
    cache->context = context;
    cache->timer.handler = on_timer;
    cache->timer.context = cache;
    cache->seed = arc4random();
    TAILQ_INIT(&cache->ending);
    for (int i = 0; i < QUEUES; i++) {
        TAILQ_INIT(&cache->queues[i]);
    }
    return cache;
}

void
dns_cache_close(struct dns_cache *cache)
{
    struct name *name;

    if (cache == NULL) {
        return;
    }
    event_loop_disarm(cache->loop, &cache->timer);
    for (size_t i = 0; i < BUCKETS; i++) {
        while ((name = cache->buckets[i]) != NULL) {
            cache->buckets[i] = name->next;
            name_free(name);
        }
    }
    free(cache);
}
