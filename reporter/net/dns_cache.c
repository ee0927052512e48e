/*
 * dns_cache: each name is in one of four queues, by the state of its look-up.
 * While look-ups are wanted or under way, a timer asks the resolvers for
 * results.
 */
#include "dns_cache.h"

#include <ctype.h>
#include <netdb.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/util.h"
#include "ip_address.h"
#include "redis/resolver.h"

enum {
    POLL_MS = 5,
    BUCKETS = 4096,
    /* 253 bytes, perhaps a dot, and a NUL (RFC 1035, 2.3.4). */
    NAME_SIZE = 255,
    ADDRESSES_MAX = 16, /* of one name; more are ignored */
    /* Each address may have brackets and a comma. */
    LIST_SIZE = ADDRESSES_MAX * (IP_ADDRESS_TEXT_SIZE + 3) + 1,
};

enum queue {
    QUEUE_IDLE,     /* nothing to do; least recently used first */
    QUEUE_WANTED,   /* to be looked up */
    QUEUE_DOUBTFUL, /* to be looked up; the last look-up failed or was slow */
    QUEUE_LOOKING,  /* a look-up is under way */
    QUEUES,
};

struct name {
    TAILQ_ENTRY(name) link;
    enum queue queue;
    struct name *next; /* in its bucket of the hash table */
    struct dns_cache_waits waits;
    struct resolver *resolver; /* NULL except in QUEUE_LOOKING */
    char *addresses;           /* NULL: not known */
    int64_t found_ms;          /* monotonic: end of the last look-up */
    bool doubtful;             /* the last look-up failed or was slow */
    char text[];               /* in lower case */
};

TAILQ_HEAD(name_list, name);

struct dns_cache {
    struct event_loop *loop;
    int64_t patience_ms;
    dns_cache_handler *handler;
    void *context;
    struct event_loop_timer timer;
    struct dns_cache_waits ending; /* whose handler is to be called */
    struct name_list queues[QUEUES];
    size_t count;  /* names */
    uint32_t seed; /* random, so that clients cannot choose colliding names */
    struct name *buckets[BUCKETS];
};

/* text is in lower case. */
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
move(struct dns_cache *cache, struct name *name, enum queue queue)
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

/* Removes a name from the cache; only if it is idle. */
static void
remove_name(struct dns_cache *cache, struct name *name)
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

/*
 * Adds a name, idle. If the cache is full, the least recently used idle name is
 * removed. NULL: no memory.
 */
static struct name *
add_name(struct dns_cache *cache, const char *text)
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
        remove_name(cache, oldest);
    }
    name->next = *head;
    *head = name;
    TAILQ_INSERT_TAIL(&cache->queues[QUEUE_IDLE], name, link);
    cache->count++;
    return name;
}

void
dns_cache_cancel(struct dns_cache_wait *wait)
{
    if (wait->queue != NULL) {
        TAILQ_REMOVE(wait->queue, wait, link);
        wait->queue = NULL;
    }
}

static void
add_wait(struct dns_cache_wait *wait, struct dns_cache_waits *queue)
{
    wait->queue = queue;
    TAILQ_INSERT_TAIL(queue, wait, link);
}

/*
 * The handler is called later, by call_handlers: it may change the queues,
 * which the caller may be walking through.
 */
static void
end_wait(struct dns_cache *cache, struct dns_cache_wait *wait,
         enum dns_cache_answer answer)
{
    dns_cache_cancel(wait);
    wait->answer = answer;
    add_wait(wait, &cache->ending);
}

static void
end_waits(struct dns_cache *cache, struct name *name,
          enum dns_cache_answer answer)
{
    struct dns_cache_wait *wait;

    while ((wait = TAILQ_FIRST(&name->waits)) != NULL) {
        end_wait(cache, wait, answer);
    }
}

static void
call_handlers(struct dns_cache *cache)
{
    struct dns_cache_wait *wait;

    while ((wait = TAILQ_FIRST(&cache->ending)) != NULL) {
        dns_cache_cancel(wait);
        cache->handler(cache->context, wait, wait->answer);
    }
}

static void
start_lookup(struct dns_cache *cache, struct name *name)
{
    name->resolver = resolver_open(name->text, "80");
    if (name->resolver == NULL) {
        end_waits(cache, name, DNS_CACHE_UNASKED);
        move(cache, name, QUEUE_IDLE);
        return;
    }
    resolver_start(name->resolver);
    move(cache, name, QUEUE_LOOKING);
}

/* How many more look-ups may be started: of doubtful names, or in all. */
static int
lookups_left(const struct dns_cache *cache, bool doubtful)
{
    int count = doubtful ? DNS_CACHE_DOUBTFUL_MAX : DNS_CACHE_LOOKUPS_MAX;
    const struct name *name = TAILQ_FIRST(&cache->queues[QUEUE_LOOKING]);

    for (; name != NULL; name = TAILQ_NEXT(name, link)) {
        count -= !doubtful || name->doubtful;
    }
    return count;
}

static void
start_lookups(struct dns_cache *cache)
{
    struct name *name;

    while ((name = TAILQ_FIRST(&cache->queues[QUEUE_WANTED])) != NULL &&
           lookups_left(cache, false) > 0) {
        start_lookup(cache, name);
    }
    while ((name = TAILQ_FIRST(&cache->queues[QUEUE_DOUBTFUL])) != NULL &&
           lookups_left(cache, false) > 0 && lookups_left(cache, true) > 0) {
        start_lookup(cache, name);
    }
}

/*
 * The addresses as a list for CURLOPT_RESOLVE, in the resolver's order.
 * malloc'd; NULL if there are no addresses or no memory.
 */
static char *
format_addresses(const struct addrinfo *found)
{
    char list[LIST_SIZE];
    size_t len = 0;

    for (int count = 0; found != NULL && count < ADDRESSES_MAX;
         found = found->ai_next) {
        char text[IP_ADDRESS_TEXT_SIZE];
        struct ip_address address;
        uint16_t port;

        if (ip_address_read(found->ai_addr, &address, &port) == 0) {
            const char *comma = count > 0 ? "," : "";

            ip_address_format(&address, text);
            len += (size_t)snprintf(
                list + len, sizeof(list) - len,
                address.family == AF_INET6 ? "%s[%s]" : "%s%s", comma, text);
            count++;
        }
    }
    return len > 0 ? strdup(list) : NULL;
}

/* Takes the result of a look-up, if it has ended. */
static void
finish_lookup(struct dns_cache *cache, struct name *name)
{
    const struct addrinfo *found = NULL;
    enum resolver_state state = resolver_result(name->resolver, &found);

    if (state == RESOLVER_PENDING) {
        return;
    }
    free(name->addresses);
    name->addresses = state == RESOLVER_DONE ? format_addresses(found) : NULL;
    name->found_ms = clock_mono_ms();
    name->doubtful = name->addresses == NULL;
    resolver_close(name->resolver);
    name->resolver = NULL;
    end_waits(cache, name, name->doubtful ? DNS_CACHE_FAILED : DNS_CACHE_KNOWN);
    move(cache, name, QUEUE_IDLE);
}

/* Ends the waits that have taken too long. */
static void
expire_waits(struct dns_cache *cache, struct name *name, int64_t now_ms)
{
    bool looking = name->queue == QUEUE_LOOKING;
    struct dns_cache_wait *wait;

    while ((wait = TAILQ_FIRST(&name->waits)) != NULL &&
           wait->until_ms <= now_ms) {
        end_wait(cache, wait, looking ? DNS_CACHE_FAILED : DNS_CACHE_UNASKED);
        name->doubtful = name->doubtful || looking;
    }
    /* Without waits, a look-up is only needed to refresh an answer. */
    if (!looking && TAILQ_EMPTY(&name->waits) && name->addresses == NULL) {
        move(cache, name, QUEUE_IDLE);
    }
}

/* Calls act for each name of a queue; act may move it to another queue. */
static void
for_each(struct dns_cache *cache, enum queue queue, int64_t now_ms,
         void (*act)(struct dns_cache *cache, struct name *name,
                     int64_t now_ms))
{
    struct name *name = TAILQ_FIRST(&cache->queues[queue]);

    while (name != NULL) {
        struct name *next = TAILQ_NEXT(name, link);

        act(cache, name, now_ms);
        name = next;
    }
}

static void
step_lookup(struct dns_cache *cache, struct name *name, int64_t now_ms)
{
    finish_lookup(cache, name);
    if (name->queue == QUEUE_LOOKING) {
        expire_waits(cache, name, now_ms);
    }
}

static void
on_timer(void *context)
{
    struct dns_cache *cache = context;
    int64_t now_ms = clock_mono_ms();

    for_each(cache, QUEUE_LOOKING, now_ms, step_lookup);
    for_each(cache, QUEUE_WANTED, now_ms, expire_waits);
    for_each(cache, QUEUE_DOUBTFUL, now_ms, expire_waits);
    start_lookups(cache);
    call_handlers(cache);
    if (!TAILQ_EMPTY(&cache->queues[QUEUE_LOOKING])) {
        event_loop_arm(cache->loop, &cache->timer, POLL_MS);
    }
}

/* Wants a look-up, unless it is wanted or under way already. */
static void
enqueue_lookup(struct dns_cache *cache, struct name *name)
{
    if (name->queue != QUEUE_IDLE) {
        return;
    }
    move(cache, name, name->doubtful ? QUEUE_DOUBTFUL : QUEUE_WANTED);
    if (!cache->timer.armed) {
        event_loop_arm(cache->loop, &cache->timer, 0);
    }
}

/* 0, or -1 if host is too long for a name. */
static int
to_lower(const char *host, char text[NAME_SIZE])
{
    size_t len = strlen(host);

    if (len >= NAME_SIZE) {
        return -1;
    }
    for (size_t i = 0; i < len; i++) {
        text[i] = (char)tolower((unsigned char)host[i]);
    }
    text[len] = '\0';
    return 0;
}

enum dns_cache_answer
dns_cache_lookup(struct dns_cache *cache, const char *host,
                 struct dns_cache_wait *wait, const char **addresses)
{
    int64_t now_ms = clock_mono_ms();
    char text[NAME_SIZE];
    struct name *name;
    int64_t age_ms;

    *addresses = NULL;
    if (to_lower(host, text) != 0) {
        return DNS_CACHE_FAILED;
    }
    name = find(cache, text);
    if (name == NULL && (name = add_name(cache, text)) == NULL) {
        return DNS_CACHE_UNASKED;
    }
    age_ms = now_ms - name->found_ms;
    if (name->queue == QUEUE_IDLE) {
        move(cache, name, QUEUE_IDLE); /* to the end: most recently used */
    }
    if (name->addresses == NULL || age_ms >= DNS_CACHE_FRESH_MS) {
        enqueue_lookup(cache, name);
    }
    if (name->addresses != NULL && age_ms < DNS_CACHE_STALE_MS) {
        *addresses = name->addresses;
        return DNS_CACHE_KNOWN;
    }
    wait->until_ms = now_ms + cache->patience_ms;
    add_wait(wait, &name->waits);
    return DNS_CACHE_WAIT;
}

struct dns_cache *
dns_cache_open(struct event_loop *loop, int64_t patience_ms,
               dns_cache_handler *handler, void *context)
{
    struct dns_cache *cache = calloc(1, sizeof(*cache));

    if (cache == NULL) {
        return NULL;
    }
    cache->loop = loop;
    cache->patience_ms = patience_ms;
    cache->handler = handler;
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
