/*
 * A cache of the addresses of callback hosts. Names are looked up here and not
 * by libcurl, whose resolver starts a thread for each transfer: here one
 * look-up serves all callbacks for a name, at most DNS_CACHE_LOOKUPS_MAX
 * look-ups run at a time, and a name server that does not answer delays no
 * other name. Whether an address may be called is up to address_policy.h.
 */
#ifndef DNS_CACHE_H
#define DNS_CACHE_H

#include <stdint.h>
#include <sys/queue.h>

#include "event_loop.h"

struct dns_cache;

enum {
    /* The C library runs 20 at a time; Redis's name needs one of them. */
    DNS_CACHE_LOOKUPS_MAX = 16,
    /* Of these, for names whose last look-up failed. */
    DNS_CACHE_DOUBTFUL_MAX = 8,
    DNS_CACHE_FRESH_MS = 60000,  /* an older answer is looked up again */
    DNS_CACHE_STALE_MS = 300000, /* a stale answer is used up to this age */
    DNS_CACHE_KEPT_MAX = 4096,   /* names */
};

enum dns_cache_answer {
    DNS_CACHE_KNOWN,   /* call dns_cache_lookup again for the addresses */
    DNS_CACHE_WAIT,    /* not yet: the waiter will be called */
    DNS_CACHE_FAILED,  /* no such name, or no answer in time */
    DNS_CACHE_UNASKED, /* no look-up could be started in time, or no memory */
};

/* A caller that waits for a name. Zeroed except for context: not waiting. */
struct dns_cache_wait {
    void *context;                 /* the user's */
    int64_t until_ms;              /* monotonic */
    struct dns_cache_waits *queue; /* the queue that holds it; NULL: none */
    enum dns_cache_answer answer;  /* the answer to be passed on */
    TAILQ_ENTRY(dns_cache_wait) link;
};

TAILQ_HEAD(dns_cache_waits, dns_cache_wait);

/* Called at the end of a wait. It may look up names and cancel waits. */
typedef void dns_cache_handler(void *context, struct dns_cache_wait *wait,
                               enum dns_cache_answer answer);

/*
 * A wait ends after at most patience_ms. loop is borrowed. NULL: no memory.
 */
struct dns_cache *dns_cache_open(struct event_loop *loop, int64_t patience_ms,
                                 dns_cache_handler *handler, void *context);

/* There must be no waits. Look-ups under way end without effect. */
void dns_cache_close(struct dns_cache *cache);

/*
 * Looks up a name, in upper or lower case. If the answer is DNS_CACHE_KNOWN,
 * *addresses is a list as in CURLOPT_RESOLVE, 192.0.2.1,[2001:db8::1], valid
 * until the next turn of the loop; else NULL. If it is DNS_CACHE_WAIT, the
 * handler is called for wait. Does not block.
 */
enum dns_cache_answer dns_cache_lookup(struct dns_cache *cache,
                                       const char *host,
                                       struct dns_cache_wait *wait,
                                       const char **addresses);

/* Ends a wait without calling the handler. If there is no wait, does nothing.
 */
void dns_cache_cancel(struct dns_cache_wait *wait);

#endif
