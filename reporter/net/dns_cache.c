/*
 * dns_cache: a name is idle or being looked up, and in the list of that state.
 * Nothing waits to be looked up: if too many look-ups are under way, the caller
 * is told so. While look-ups are under way, a timer ends the waits that have
 * taken too long.
 */
#include "dns_cache.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/util.h"
#include "dns_client.h"

enum {
    TICK_MS = 50,
    BUCKETS = 16384,
    ZONES = 16384,
    /* 253 bytes, perhaps a dot, and a NUL (RFC 1035, 2.3.4). */
    NAME_SIZE = 255,
};

TAILQ_HEAD(wait_list, dns_cache_wait);

struct dns_cache_name {
    TAILQ_ENTRY(dns_cache_name) link;
    struct dns_cache_name *next; /* in its bucket of the hash table */
    struct dns_cache *cache;
    struct wait_list waits;
    size_t waiting;          /* length of waits */
    bool looking;            /* a look-up is under way */
    bool counted;            /* it counts for its zone: it is of a new name */
    int64_t asked_ms;        /* monotonic, as are the others: its start */
    char *addresses;         /* the last known; NULL: none */
    int64_t fresh_until_ms;  /* the end of their life */
    int64_t failed_until_ms; /* no look-up before */
    int64_t failed_ms;       /* the length of that time; 0: did not fail */
    char text[];             /* in lower case */
};

TAILQ_HEAD(name_list, dns_cache_name);

struct dns_cache {
    struct event_loop *loop;
    struct dns_client *client;
    int64_t patience_ms;
    dns_cache_handler *handler;
    void *context;
    struct event_loop_timer timer;
    struct wait_list ending;  /* waits whose handler is to be called */
    struct name_list idle;    /* least recently used first */
    struct name_list looking; /* oldest look-up first */
    size_t count;             /* names */
    size_t lookups;           /* length of looking */
    size_t new_lookups;       /* of these, of names without addresses */
    size_t waiting;           /* waits of all names */
    uint32_t seed; /* random, so that clients cannot choose colliding names */
    struct dns_cache_name *buckets[BUCKETS];
    /* Look-ups of new names, by a hash of the zone. Zones that collide share
       their part. */
    uint16_t zones[ZONES];
};

/* text is in lower case. */
static struct dns_cache_name **
bucket(struct dns_cache *cache, const char *text)
{
    return &cache->buckets[fnv1a(cache->seed, text) % BUCKETS];
}

/*
 * The counter of the zone of a name. Which part of a name is a zone, only its
 * name servers know; its owner can make as many labels before the last two as
 * he likes.
 */
static uint16_t *
zone(struct dns_cache *cache, const char *text)
{
    size_t start = strlen(text);

    start -= start > 0 && text[start - 1] == '.';
    for (int dots = 0; start > 0; start--) {
        dots += text[start - 1] == '.';
        if (dots == 2) {
            break;
        }
    }
    return &cache->zones[fnv1a(cache->seed, text + start) % ZONES];
}

static struct dns_cache_name *
find(struct dns_cache *cache, const char *text)
{
    struct dns_cache_name *i = *bucket(cache, text);

    while (i != NULL && strcmp(i->text, text) != 0) {
        i = i->next;
    }
    return i;
}

static void
name_free(struct dns_cache_name *name)
{
    free(name->addresses);
    free(name);
}

/* Removes a name from the cache; only if it is idle. */
static void
remove_name(struct dns_cache *cache, struct dns_cache_name *name)
{
    struct dns_cache_name **i = bucket(cache, name->text);

    while (*i != name) {
        i = &(*i)->next;
    }
    *i = name->next;
    TAILQ_REMOVE(&cache->idle, name, link);
    cache->count--;
    name_free(name);
}

/*
 * Adds a name, idle. If the cache is full, the least recently used idle name is
 * removed. NULL: no memory.
 */
static struct dns_cache_name *
add_name(struct dns_cache *cache, const char *text)
{
    struct dns_cache_name *oldest = TAILQ_FIRST(&cache->idle);
    size_t size = strlen(text) + 1;
    struct dns_cache_name *name = calloc(1, sizeof(*name) + size);
    struct dns_cache_name **head = bucket(cache, text);

    if (name == NULL) {
        return NULL;
    }
    memcpy(name->text, text, size);
    name->cache = cache;
    TAILQ_INIT(&name->waits);
    if (cache->count >= DNS_CACHE_KEPT_MAX && oldest != NULL) {
        remove_name(cache, oldest);
    }
    name->next = *head;
    *head = name;
    TAILQ_INSERT_TAIL(&cache->idle, name, link);
    cache->count++;
    return name;
}

/* Adds a wait to those of name. False: too many wait. */
static bool
add_wait(struct dns_cache *cache, struct dns_cache_name *name,
         struct dns_cache_wait *wait)
{
    /* The fuller it is, the fewer may wait for one name. */
    if (name->waiting >= DNS_CACHE_WAITS_MAX - cache->waiting) {
        return false;
    }
    wait->name = name;
    TAILQ_INSERT_TAIL(&name->waits, wait, link);
    name->waiting++;
    cache->waiting++;
    return true;
}

/*
 * The handlers are called later, by call_handlers: they may change the lists,
 * which the caller may be walking through.
 */
static void
end_waits(struct dns_cache *cache, struct dns_cache_name *name,
          enum dns_cache_answer answer)
{
    struct dns_cache_wait *wait = TAILQ_FIRST(&name->waits);

    for (; wait != NULL; wait = TAILQ_NEXT(wait, link)) {
        wait->answer = answer;
        wait->name = NULL;
    }
    cache->waiting -= name->waiting;
    name->waiting = 0;
    TAILQ_CONCAT(&cache->ending, &name->waits, link);
}

static void
call_handlers(struct dns_cache *cache)
{
    struct dns_cache_wait *wait;

    while ((wait = TAILQ_FIRST(&cache->ending)) != NULL) {
        TAILQ_REMOVE(&cache->ending, wait, link);
        cache->handler(cache->context, wait, wait->answer);
    }
}

static bool
is_fresh(const struct dns_cache_name *name, int64_t now_ms)
{
    return name->addresses != NULL && now_ms < name->fresh_until_ms;
}

/* True if the addresses may be used though they are not fresh. */
static bool
is_stale(const struct dns_cache_name *name, int64_t now_ms)
{
    return name->addresses != NULL &&
           now_ms < name->fresh_until_ms + DNS_CACHE_STALE_MS;
}

/* The answer for a name whose look-up failed, or takes too long. */
static enum dns_cache_answer
answer_without(const struct dns_cache_name *name, int64_t now_ms)
{
    return is_stale(name, now_ms) ? DNS_CACHE_KNOWN : DNS_CACHE_FAILED;
}

static void
note_failure(struct dns_cache_name *name, int64_t now_ms)
{
    name->failed_ms = int64_clamp(2 * name->failed_ms, DNS_CACHE_FAILED_MS,
                                  DNS_CACHE_FAILED_MAX_MS);
    name->failed_until_ms = now_ms + name->failed_ms;
}

/* True if the look-up of name has been under way for so long. */
static bool
takes(const struct dns_cache_name *name, int64_t ms, int64_t now_ms)
{
    return now_ms - name->asked_ms >= ms;
}

static void
leave_looking(struct dns_cache *cache, struct dns_cache_name *name)
{
    TAILQ_REMOVE(&cache->looking, name, link);
    TAILQ_INSERT_TAIL(&cache->idle, name, link);
    name->looking = false;
    cache->lookups--;
    if (name->counted) {
        cache->new_lookups--;
        --*zone(cache, name->text);
    }
}

/* The end of a look-up. A dns_client_handler. */
static void
on_found(void *context, const char *addresses, int64_t ttl_s)
{
    struct dns_cache_name *name = context;
    struct dns_cache *cache = name->cache;
    char *copy = addresses == NULL ? NULL : strdup(addresses);
    int64_t now_ms = clock_mono_ms();

    leave_looking(cache, name);
    if (copy != NULL) {
        free(name->addresses);
        name->addresses = copy;
        name->failed_ms = 0;
        name->failed_until_ms = 0;
        name->fresh_until_ms =
            now_ms + int64_clamp(ttl_s * 1000, DNS_CACHE_TTL_MIN_MS,
                                 DNS_CACHE_TTL_MAX_MS);
        end_waits(cache, name, DNS_CACHE_KNOWN);
    } else {
        if (now_ms >= name->failed_until_ms) {
            note_failure(name, now_ms);
        }
        end_waits(cache, name, answer_without(name, now_ms));
    }
    call_handlers(cache);
}

/* True if one more look-up may start: of a new name, or of a known name. */
static bool
has_room(struct dns_cache *cache, const struct dns_cache_name *name)
{
    return name->addresses != NULL
               ? cache->lookups < DNS_CACHE_LOOKUPS_MAX
               : cache->new_lookups < DNS_CACHE_NEW_MAX &&
                     *zone(cache, name->text) < DNS_CACHE_ZONE_MAX;
}

/* Starts a look-up if there is room. It may end at once. */
static void
look_up(struct dns_cache *cache, struct dns_cache_name *name, int64_t now_ms)
{
    if (!has_room(cache, name)) {
        return;
    }
    TAILQ_REMOVE(&cache->idle, name, link);
    TAILQ_INSERT_TAIL(&cache->looking, name, link);
    name->looking = true;
    name->counted = name->addresses == NULL;
    name->asked_ms = now_ms;
    cache->lookups++;
    if (name->counted) {
        cache->new_lookups++;
        ++*zone(cache, name->text);
    }
    if (dns_client_ask(cache->client, name->text, on_found, name) != 0) {
        leave_looking(cache, name);
    } else if (name->looking && !cache->timer.armed) {
        event_loop_arm(cache->loop, &cache->timer, TICK_MS);
    }
}

/* Ends the waits for a name whose look-up takes too long. */
static void
check_waits(struct dns_cache *cache, struct dns_cache_name *name,
            int64_t now_ms)
{
    if (takes(name, cache->patience_ms, now_ms) &&
        name->failed_until_ms <= name->asked_ms) {
        note_failure(name, now_ms);
        end_waits(cache, name, answer_without(name, now_ms));
    } else if (takes(name, DNS_CACHE_STALE_WAIT_MS, now_ms) &&
               is_stale(name, now_ms)) {
        end_waits(cache, name, DNS_CACHE_KNOWN);
    }
}

static void
on_timer(void *context)
{
    struct dns_cache *cache = context;
    int64_t now_ms = clock_mono_ms();
    struct dns_cache_name *name = TAILQ_FIRST(&cache->looking);

    for (; name != NULL; name = TAILQ_NEXT(name, link)) {
        check_waits(cache, name, now_ms);
    }
    call_handlers(cache);
    if (!TAILQ_EMPTY(&cache->looking)) {
        event_loop_arm(cache->loop, &cache->timer, TICK_MS);
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

/* The answer for a name that is being looked up. */
static enum dns_cache_answer
wait_for(struct dns_cache *cache, struct dns_cache_name *name,
         struct dns_cache_wait *wait, int64_t now_ms)
{
    if (takes(name, cache->patience_ms, now_ms)) {
        return answer_without(name, now_ms);
    }
    if (takes(name, DNS_CACHE_STALE_WAIT_MS, now_ms) &&
        is_stale(name, now_ms)) {
        return DNS_CACHE_KNOWN;
    }
    return add_wait(cache, name, wait) ? DNS_CACHE_WAIT : DNS_CACHE_UNASKED;
}

enum dns_cache_answer
dns_cache_lookup(struct dns_cache *cache, const char *host,
                 struct dns_cache_wait *wait)
{
    int64_t now_ms = clock_mono_ms();
    char text[NAME_SIZE];
    struct dns_cache_name *name;

    if (to_lower(host, text) != 0) {
        return DNS_CACHE_FAILED;
    }
    name = find(cache, text);
    if (name == NULL && (name = add_name(cache, text)) == NULL) {
        return DNS_CACHE_UNASKED;
    }
    if (!name->looking && !is_fresh(name, now_ms) &&
        now_ms >= name->failed_until_ms) {
        look_up(cache, name, now_ms);
    }
    if (name->looking) {
        return wait_for(cache, name, wait, now_ms);
    }
    TAILQ_REMOVE(&cache->idle, name, link); /* now most recently used */
    TAILQ_INSERT_TAIL(&cache->idle, name, link);
    if (is_stale(name, now_ms)) {
        return DNS_CACHE_KNOWN;
    }
    return now_ms < name->failed_until_ms ? DNS_CACHE_FAILED
                                          : DNS_CACHE_UNASKED;
}

void
dns_cache_cancel(struct dns_cache *cache, struct dns_cache_wait *wait)
{
    TAILQ_REMOVE(&wait->name->waits, wait, link);
    wait->name->waiting--;
    wait->name = NULL;
    cache->waiting--;
}

const char *
dns_cache_addresses(struct dns_cache *cache, const char *host)
{
    char text[NAME_SIZE];
    const struct dns_cache_name *name =
        to_lower(host, text) == 0 ? find(cache, text) : NULL;

    return name == NULL ? NULL : name->addresses;
}

struct dns_cache *
dns_cache_open(struct event_loop *loop, const char *servers,
               int64_t patience_ms, dns_cache_handler *handler, void *context)
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
    cache->seed = (uint32_t)random_number();
    TAILQ_INIT(&cache->ending);
    TAILQ_INIT(&cache->idle);
    TAILQ_INIT(&cache->looking);
    cache->client = dns_client_open(loop, servers, patience_ms);
    if (cache->client == NULL) {
        free(cache);
        return NULL;
    }
    return cache;
}

void
dns_cache_close(struct dns_cache *cache)
{
    struct dns_cache_name *name;

    if (cache == NULL) {
        return;
    }
    event_loop_disarm(cache->loop, &cache->timer);
    dns_client_close(cache->client);
    for (size_t i = 0; i < BUCKETS; i++) {
        while ((name = cache->buckets[i]) != NULL) {
            cache->buckets[i] = name->next;
            name_free(name);
        }
    }
    free(cache);
}
