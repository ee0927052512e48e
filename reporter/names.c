/*
 * names: every name stands in one queue, by what is done about it. While any
 * look-up is wanted or under way, a timer asks how they stand.
 */
#include "names.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "lookup.h"
#include "name_text.h"

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
    struct names_waits waits;
    struct lookup *lookup; /* NULL but in QUEUE_LOOKING */
    char *addresses;       /* NULL: not known */
    int64_t found_ms;      /* monotonic: when they were */
    bool doubtful;         /* the last look-up was in vain, or slow */
    char text[];           /* in small letters */
};

TAILQ_HEAD(name_list, name);

struct names {
    struct loop *loop;
    int64_t patience_ms;
    names_told *told;
    void *context;
    struct loop_timer timer;
    struct names_waits ending; /* to be told */
    struct name_list queues[QUEUES];
    size_t count;  /* names */
    uint32_t seed; /* so that nobody can choose names that collide */
    struct name *buckets[BUCKETS];
};

/* FNV-1a (Fowler, Noll, Vo) of text in small letters. */
static struct name **
bucket(struct names *names, const char *text)
{
    uint32_t hash = names->seed ^ 2166136261U;

    for (; *text != '\0'; text++) {
        hash = (hash ^ (unsigned char)*text) * 16777619U;
    }
    return &names->buckets[(hash ^ hash >> 16) % BUCKETS];
}

static struct name *
find(struct names *names, const char *text)
{
    struct name *i = *bucket(names, text);

    while (i != NULL && strcmp(i->text, text) != 0) {
        i = i->next;
    }
    return i;
}

static void
put(struct names *names, struct name *name, enum queue queue)
{
    TAILQ_REMOVE(&names->queues[name->queue], name, link);
    TAILQ_INSERT_TAIL(&names->queues[queue], name, link);
    name->queue = queue;
}

static void
name_free(struct name *name)
{
    lookup_close(name->lookup);
    free(name->addresses);
    free(name);
}

/* Forgets an idle one. */
static void
forget(struct names *names, struct name *name)
{
    struct name **i = bucket(names, name->text);

    while (*i != name) {
        i = &(*i)->next;
    }
    *i = name->next;
    TAILQ_REMOVE(&names->queues[QUEUE_IDLE], name, link);
    names->count--;
    name_free(name);
}

/* Makes one, idle. NULL: no memory. */
static struct name *
make(struct names *names, const char *text)
{
    struct name *oldest = TAILQ_FIRST(&names->queues[QUEUE_IDLE]);
    size_t size = strlen(text) + 1;
    struct name *name = calloc(1, sizeof(*name) + size);
    struct name **head = bucket(names, text);

    if (name == NULL) {
        return NULL;
    }
    memcpy(name->text, text, size);
    TAILQ_INIT(&name->waits);
    if (names->count >= NAMES_KEPT_MAX && oldest != NULL) {
        forget(names, oldest);
    }
    name->next = *head;
    *head = name;
    TAILQ_INSERT_TAIL(&names->queues[QUEUE_IDLE], name, link);
    names->count++;
    return name;
}

void
names_leave(struct names_wait *wait)
{
    if (wait->queue != NULL) {
        TAILQ_REMOVE(wait->queue, wait, link);
        wait->queue = NULL;
    }
}

static void
stand_in(struct names_wait *wait, struct names_waits *queue)
{
    wait->queue = queue;
    TAILQ_INSERT_TAIL(queue, wait, link);
}

/* It will be told, once the queues may change. */
static void
end_wait(struct names *names, struct names_wait *wait, enum names_answer answer)
{
    names_leave(wait);
    wait->answer = answer;
    stand_in(wait, &names->ending);
}

static void
end_all(struct names *names, struct name *name, enum names_answer answer)
{
    struct names_wait *wait;

    while ((wait = TAILQ_FIRST(&name->waits)) != NULL) {
        end_wait(names, wait, answer);
    }
}

static void
tell(struct names *names)
{
    struct names_wait *wait;

    while ((wait = TAILQ_FIRST(&names->ending)) != NULL) {
        names_leave(wait);
        names->told(names->context, wait, wait->answer);
    }
}

static void
start(struct names *names, struct name *name)
{
    name->lookup = lookup_open(name->text, "80");
    if (name->lookup == NULL) {
        end_all(names, name, NAMES_UNASKED);
        put(names, name, QUEUE_IDLE);
        return;
    }
    lookup_start(name->lookup);
    put(names, name, QUEUE_LOOKING);
}

/* How many look-ups may be started yet of the doubtful, or of all. */
static int
free_lookups(const struct names *names, bool of_doubtful)
{
    int count = of_doubtful ? NAMES_DOUBTFUL_MAX : NAMES_LOOKUPS_MAX;
    const struct name *name = TAILQ_FIRST(&names->queues[QUEUE_LOOKING]);

    for (; name != NULL; name = TAILQ_NEXT(name, link)) {
        count -= !of_doubtful || name->doubtful;
    }
    return count;
}

static void
start_some(struct names *names)
{
    struct name *name;

    while ((name = TAILQ_FIRST(&names->queues[QUEUE_WANTED])) != NULL &&
           free_lookups(names, false) > 0) {
        start(names, name);
    }
    while ((name = TAILQ_FIRST(&names->queues[QUEUE_DOUBTFUL])) != NULL &&
           free_lookups(names, false) > 0 && free_lookups(names, true) > 0) {
        start(names, name);
    }
}

/* Takes the result of a look-up where it is there. */
static void
finish(struct names *names, struct name *name)
{
    const struct addrinfo *found = NULL;
    enum lookup_state state = lookup_result(name->lookup, &found);

    if (state == LOOKUP_PENDING) {
        return;
    }
    free(name->addresses);
    name->addresses = state == LOOKUP_DONE ? name_addresses(found) : NULL;
    name->found_ms = clock_mono_ms();
    name->doubtful = name->addresses == NULL;
    lookup_close(name->lookup);
    name->lookup = NULL;
    end_all(names, name, name->doubtful ? NAMES_FAILED : NAMES_KNOWN);
    put(names, name, QUEUE_IDLE);
}

/* Ends the waits that took too long. */
static void
expire(struct names *names, struct name *name, int64_t now_ms)
{
    bool looking = name->queue == QUEUE_LOOKING;
    struct names_wait *wait;

    while ((wait = TAILQ_FIRST(&name->waits)) != NULL &&
           wait->until_ms <= now_ms) {
        end_wait(names, wait, looking ? NAMES_FAILED : NAMES_UNASKED);
        name->doubtful = name->doubtful || looking;
    }
    /* Nobody wants it any more, unless to refresh what is known. */
    if (!looking && TAILQ_EMPTY(&name->waits) && name->addresses == NULL) {
        put(names, name, QUEUE_IDLE);
    }
}

/* Calls act for each name of a queue, which may put it into another. */
static void
each(struct names *names, enum queue queue, int64_t now_ms,
     void (*act)(struct names *names, struct name *name, int64_t now_ms))
{
    struct name *name = TAILQ_FIRST(&names->queues[queue]);

    while (name != NULL) {
        struct name *next = TAILQ_NEXT(name, link);

        act(names, name, now_ms);
        name = next;
    }
}

static void
step(struct names *names, struct name *name, int64_t now_ms)
{
    finish(names, name);
    if (name->queue == QUEUE_LOOKING) {
        expire(names, name, now_ms);
    }
}

static void
on_timer(void *context)
{
    struct names *names = context;
    int64_t now_ms = clock_mono_ms();

    each(names, QUEUE_LOOKING, now_ms, step);
    each(names, QUEUE_WANTED, now_ms, expire);
    each(names, QUEUE_DOUBTFUL, now_ms, expire);
    start_some(names);
    tell(names);
    if (!TAILQ_EMPTY(&names->queues[QUEUE_LOOKING])) {
        loop_arm(names->loop, &names->timer, POLL_MS);
    }
}

/* Has it looked up, unless it is being already. */
static void
want(struct names *names, struct name *name)
{
    if (name->queue != QUEUE_IDLE) {
        return;
    }
    put(names, name, name->doubtful ? QUEUE_DOUBTFUL : QUEUE_WANTED);
    if (!names->timer.armed) {
        loop_arm(names->loop, &names->timer, 0);
    }
}

enum names_answer
names_ask(struct names *names, const char *host, struct names_wait *wait,
          const char **addresses)
{
    int64_t now_ms = clock_mono_ms();
    char text[NAME_TEXT_SIZE];
    struct name *name;
    int64_t age_ms;

    *addresses = NULL;
    if (name_lower(host, text) != 0) {
        return NAMES_FAILED;
    }
    name = find(names, text);
    if (name == NULL && (name = make(names, text)) == NULL) {
        return NAMES_UNASKED;
    }
    age_ms = now_ms - name->found_ms;
    if (name->queue == QUEUE_IDLE) {
        put(names, name, QUEUE_IDLE); /* to the end: it is in use */
    }
    if (name->addresses == NULL || age_ms >= NAMES_FRESH_MS) {
        want(names, name);
    }
    if (name->addresses != NULL && age_ms < NAMES_STALE_MS) {
        *addresses = name->addresses;
        return NAMES_KNOWN;
    }
    wait->until_ms = now_ms + names->patience_ms;
    stand_in(wait, &name->waits);
    return NAMES_WAIT;
}

struct names *
names_open(struct loop *loop, int64_t patience_ms, names_told *told,
           void *context)
{
    struct names *names = calloc(1, sizeof(*names));

    if (names == NULL) {
        return NULL;
    }
    names->loop = loop;
    names->patience_ms = patience_ms;
    names->told = told;
    names->context = context;
    names->timer.handler = on_timer;
    names->timer.context = names;
    names->seed = arc4random();
    TAILQ_INIT(&names->ending);
    for (int i = 0; i < QUEUES; i++) {
        TAILQ_INIT(&names->queues[i]);
    }
    return names;
}

void
names_close(struct names *names)
{
    struct name *name;

    if (names == NULL) {
        return;
    }
    loop_disarm(names->loop, &names->timer);
    for (size_t i = 0; i < BUCKETS; i++) {
        while ((name = names->buckets[i]) != NULL) {
            names->buckets[i] = name->next;
            name_free(name);
        }
    }
    free(names);
}
