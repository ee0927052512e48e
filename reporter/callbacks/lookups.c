/*
 * lookups: an entry for each job that waits. The URL is read here and again for
 * the attempt, which costs a few microseconds and spares the entry of each job
 * in the queue.
 */
#include "lookups.h"

#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "base/clock.h"
#include "base/util.h"

struct entry {
    TAILQ_ENTRY(entry) link;
    struct dns_cache_wait wait;
    struct job *job;
    int64_t started_us; /* monotonic */
    char host[];        /* host:port */
};

TAILQ_HEAD(entries, entry);

struct lookups {
    const struct payload *payload;
    struct dns_cache *cache;
    lookups_handler *handler;
    void *context;
    struct entries entries; /* those that wait */
};

/* The end of a wait. A dns_cache_handler. */
static void
on_answer(void *context, struct dns_cache_wait *wait,
          enum dns_cache_answer answer)
{
    struct lookups *lookups = context;
    struct entry *entry = wait->context;

    TAILQ_REMOVE(&lookups->entries, entry, link);
    lookups->handler(lookups->context, entry->job, answer, entry->host,
                     int64_max(clock_mono_us() - entry->started_us, 1));
    free(entry);
}

struct lookups *
lookups_open(const struct payload *payload, struct event_loop *loop,
             const char *servers, int64_t patience_ms, lookups_handler *handler,
             void *context)
{
    struct lookups *lookups = calloc(1, sizeof(*lookups));

    if (lookups == NULL) {
        return NULL;
    }
    lookups->payload = payload;
    lookups->handler = handler;
    lookups->context = context;
    TAILQ_INIT(&lookups->entries);
    lookups->cache =
        dns_cache_open(loop, servers, patience_ms, on_answer, lookups);
    if (lookups->cache == NULL) {
        free(lookups);
        return NULL;
    }
    return lookups;
}

void
lookups_close(struct lookups *lookups)
{
    struct entry *entry;
    struct entry *next;

    if (lookups == NULL) {
        return;
    }
    dns_cache_close(lookups->cache);
    for (entry = TAILQ_FIRST(&lookups->entries); entry != NULL; entry = next) {
        next = TAILQ_NEXT(entry, link);
        job_free(entry->job);
        free(entry);
    }
    free(lookups);
}

/* Looks up the host of target. If the answer has to be waited for, the job
   waits in an entry. */
static enum dns_cache_answer
look_up(struct lookups *lookups, struct job *job,
        const struct payload_target *target)
{
    size_t size = strlen(target->host) + 1;
    struct entry *entry = calloc(1, sizeof(*entry) + size);
    enum dns_cache_answer answer;

    if (entry == NULL) {
        return DNS_CACHE_UNASKED;
    }
    entry->wait.context = entry;
    answer = dns_cache_lookup(lookups->cache, target->name, &entry->wait);
    if (answer != DNS_CACHE_WAIT) {
        free(entry);
        return answer;
    }
    entry->job = job;
    entry->started_us = clock_mono_us();
    memcpy(entry->host, target->host, size);
    TAILQ_INSERT_TAIL(&lookups->entries, entry, link);
    return answer;
}

bool
lookups_add(struct lookups *lookups, struct job *job)
{
    enum dns_cache_answer answer = DNS_CACHE_KNOWN;
    struct payload_target target;

    /* If the URL can't be read, the attempt will say so. */
    if (payload_target(lookups->payload, job->url, job->count, &target) == 0 &&
        target.name != NULL) {
        answer = look_up(lookups, job, &target);
    }
    if (answer != DNS_CACHE_WAIT) {
        lookups->handler(lookups->context, job, answer, target.host, 0);
    }
    payload_target_fini(&target);
    return answer == DNS_CACHE_WAIT;
}

struct job *
lookups_drain(struct lookups *lookups)
{
    struct entry *entry = TAILQ_FIRST(&lookups->entries);
    struct job *job;

    if (entry == NULL) {
        return NULL;
    }
    job = entry->job;
    dns_cache_cancel(lookups->cache, &entry->wait);
    TAILQ_REMOVE(&lookups->entries, entry, link);
    free(entry);
    return job;
}

const char *
lookups_addresses(struct lookups *lookups, const char *name)
{
    return dns_cache_addresses(lookups->cache, name);
}
