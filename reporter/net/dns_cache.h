/*
 * The names of receivers, looked up ahead of libcurl, whose resolver starts a
 * thread for each transfer: here a name is looked up once for all who want it,
 * at most DNS_CACHE_LOOKUPS_MAX at a time, and a name server that does not
 * answer costs nobody else anything. What is found is judged by
 * address_policy.h, not here.
 */
#ifndef DNS_CACHE_H
#define DNS_CACHE_H

#include <stdint.h>
#include <sys/queue.h>

#include "event_loop.h"

struct dns_cache;

enum {
    /* The C library does 20 at a time; Redis's name must be among them. */
    DNS_CACHE_LOOKUPS_MAX = 16,
    /* Of these, for names that could not be found the last time. */
    DNS_CACHE_DOUBTFUL_MAX = 8,
    DNS_CACHE_FRESH_MS = 60000,  /* after that an answer is looked up anew, */
    DNS_CACHE_STALE_MS = 300000, /* and serves yet until this age */
    DNS_CACHE_KEPT_MAX = 4096,
};

enum dns_cache_answer {
    DNS_CACHE_KNOWN,   /* to be asked for once more */
    DNS_CACHE_WAIT,    /* being looked up: whoever waits will be told */
    DNS_CACHE_FAILED,  /* there is no such name, or no answer in time */
    DNS_CACHE_UNASKED, /* its turn did not come in time, or no memory */
};

/* Whoever waits for a name. Zeroed but for context: does not. */
struct dns_cache_wait {
    void *context;                 /* the user's */
    int64_t until_ms;              /* monotonic */
    struct dns_cache_waits *queue; /* that it stands in; NULL: in none */
    enum dns_cache_answer answer;  /* that it is about to be told */
    TAILQ_ENTRY(dns_cache_wait) link;
};

TAILQ_HEAD(dns_cache_waits, dns_cache_wait);

/* The end of a wait. May ask, wait and leave. */
typedef void dns_cache_told(void *context, struct dns_cache_wait *wait,
                            enum dns_cache_answer answer);

/*
 * Nobody waits for longer than patience_ms. loop is borrowed. NULL: no memory.
 */
struct dns_cache *dns_cache_open(struct event_loop *loop, int64_t patience_ms,
                                 dns_cache_told *told, void *context);

/* Nobody may be waiting. Look-ups that are under way are left to themselves. */
void dns_cache_close(struct dns_cache *cache);

/*
 * Asks for a name, whose case does not matter. DNS_CACHE_KNOWN with *addresses
 * as CURLOPT_RESOLVE has them, 192.0.2.1,[2001:db8::1], valid until the loop's
 * next turn; else NULL.
 */
enum dns_cache_answer dns_cache_ask(struct dns_cache *cache, const char *host,
                                    struct dns_cache_wait *wait,
                                    const char **addresses);

/* Ends a wait without a word; fine where there is none. */
void dns_cache_leave(struct dns_cache_wait *wait);

#endif
