/*
 * The jobs whose host is being looked up. A job comes here right after its
 * claim and before the fair queue, so that no job holds a slot, or a place in
 * the queue, while a name server takes its time.
 */
#ifndef LOOKUPS_H
#define LOOKUPS_H

#include "net/dns_cache.h"
#include "net/event_loop.h"
#include "payload.h"
#include "store/job.h"

struct lookups;

/*
 * The end of a look-up that took duration_us, 0 if none was needed; the answer
 * is not DNS_CACHE_WAIT. host is host:port, as in the callback log. Takes job
 * over.
 */
typedef void lookups_handler(void *context, struct job *job,
                             enum dns_cache_answer answer, const char *host,
                             int64_t duration_us);

/*
 * servers is of dns_servers_parse; a look-up takes patience_ms at most. payload
 * and loop are borrowed. NULL: no memory.
 */
struct lookups *lookups_open(const struct payload *payload,
                             struct event_loop *loop, const char *servers,
                             int64_t patience_ms, lookups_handler *handler,
                             void *context);

/* Frees the waiting jobs, too. */
void lookups_close(struct lookups *lookups);

/*
 * Takes a job with a url over, and looks its host up. If no look-up is needed,
 * calls handler before it returns. True if the job waits. Does not block.
 */
bool lookups_add(struct lookups *lookups, struct job *job);

/* Any waiting job, handed over, for a shutdown. NULL: none waits. */
struct job *lookups_drain(struct lookups *lookups);

/* The last known addresses of a name. As dns_cache_addresses. */
const char *lookups_addresses(struct lookups *lookups, const char *name);

#endif
