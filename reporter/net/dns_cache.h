/*
 * A cache of the addresses of callback hosts, for as long as their records live
 * (RFC 1035, 3.2.1). One look-up serves all callbacks for a name, and the
 * number of look-ups under way is bounded, also for each zone, so that name
 * servers that are silent delay no other names. A failure is remembered, too
 * (RFC 2308, 7). Whether an address may be called is up to address_policy.h.
 */
#ifndef DNS_CACHE_H
#define DNS_CACHE_H

#include <stdint.h>
#include <sys/queue.h>

#include "event_loop.h"

struct dns_cache;

enum {
    DNS_CACHE_LOOKUPS_MAX = 4096, /* under way */
    DNS_CACHE_NEW_MAX = 3072,     /* of these, for names without addresses */
    DNS_CACHE_ZONE_MAX = 1024,    /* of these, in one zone: names with the
                                     same last two labels */
    DNS_CACHE_WAITS_MAX = 4096,   /* callers that wait */
    DNS_CACHE_KEPT_MAX = 16384,   /* names */
    DNS_CACHE_TTL_MIN_MS = 1000,  /* addresses live for this at least ... */
    DNS_CACHE_TTL_MAX_MS = 3600 * 1000, /* ... and at most */
    DNS_CACHE_STALE_MS = 300 * 1000,    /* how long after that they are used, if
                                           the look-up fails or ... */
    DNS_CACHE_STALE_WAIT_MS = 500,   /* ... takes longer than this (RFC 8767) */
    DNS_CACHE_FAILED_MS = 30 * 1000, /* a name is not looked up for so long
                                        after a failure, twice as long ... */
    DNS_CACHE_FAILED_MAX_MS = 600 * 1000, /* ... after each further one, up to
                                             this */
};

enum dns_cache_answer {
    DNS_CACHE_KNOWN,   /* see dns_cache_addresses */
    DNS_CACHE_WAIT,    /* not yet: the waiter will be called */
    DNS_CACHE_FAILED,  /* no such name, or no answer in time */
    DNS_CACHE_UNASKED, /* too many look-ups or waits, or no memory */
};

/* A caller that waits for a name. Zeroed except for context: not waiting. */
struct dns_cache_wait {
    void *context;                /* the user's */
    struct dns_cache_name *name;  /* waited for; NULL: not waiting */
    enum dns_cache_answer answer; /* the answer to be passed on */
    TAILQ_ENTRY(dns_cache_wait) link;
};

/* Called at the end of a wait. It may look up names. */
typedef void dns_cache_handler(void *context, struct dns_cache_wait *wait,
                               enum dns_cache_answer answer);

/*
 * servers is of dns_servers_parse. A wait ends after at most patience_ms. loop
 * is borrowed. NULL: no memory.
 */
struct dns_cache *dns_cache_open(struct event_loop *loop, const char *servers,
                                 int64_t patience_ms,
                                 dns_cache_handler *handler, void *context);

/* Waits and look-ups under way end without effect. */
void dns_cache_close(struct dns_cache *cache);

/*
 * Looks up a name, in upper or lower case. If the answer is DNS_CACHE_WAIT, the
 * handler is called for wait, not before this returns. Does not block.
 */
enum dns_cache_answer dns_cache_lookup(struct dns_cache *cache,
                                       const char *host,
                                       struct dns_cache_wait *wait);

/* Ends a wait without a call of the handler. Not in a handler. */
void dns_cache_cancel(struct dns_cache *cache, struct dns_cache_wait *wait);

/*
 * The last known addresses of a name, a list as in CURLOPT_RESOLVE,
 * 192.0.2.1,[2001:db8::1], valid until the next turn of the loop. NULL: none.
 */
const char *dns_cache_addresses(struct dns_cache *cache, const char *host);

#endif
