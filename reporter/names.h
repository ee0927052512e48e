/*
 * The names of receivers, looked up ahead of libcurl, whose resolver starts a
 * thread for each transfer: here a name is looked up once for all who want it,
 * at most NAMES_LOOKUPS_MAX at a time, and a name server that does not answer
 * costs nobody else anything. What is found is judged by guard.h, not here.
 */
#ifndef NAMES_H
#define NAMES_H

#include <stdint.h>
#include <sys/queue.h>

#include "loop.h"

struct names;

enum {
    /* The C library does 20 at a time; Redis's name must be among them. */
    NAMES_LOOKUPS_MAX = 16,
    /* Of these, for names that could not be found the last time. */
    NAMES_DOUBTFUL_MAX = 8,
    NAMES_FRESH_MS = 60000,  /* after that an answer is looked up anew, */
    NAMES_STALE_MS = 300000, /* and serves yet until this age */
    NAMES_KEPT_MAX = 4096,
};

enum names_answer {
    NAMES_KNOWN,   /* to be asked for once more */
    NAMES_WAIT,    /* being looked up: whoever waits will be told */
    NAMES_FAILED,  /* there is no such name, or no answer in time */
    NAMES_UNASKED, /* its turn did not come in time, or no memory */
};

/* Whoever waits for a name. Zeroed but for context: does not. */
struct names_wait {
    void *context;             /* the user's */
    int64_t until_ms;          /* monotonic */
    struct names_waits *queue; /* that it stands in; NULL: in none */
    enum names_answer answer;  /* that it is about to be told */
    TAILQ_ENTRY(names_wait) link;
};

TAILQ_HEAD(names_waits, names_wait);

/* The end of a wait. May ask, wait and leave. */
typedef void names_told(void *context, struct names_wait *wait,
                        enum names_answer answer);

/*
 * Nobody waits for longer than patience_ms. loop is borrowed. NULL: no memory.
 */
struct names *names_open(struct loop *loop, int64_t patience_ms,
                         names_told *told, void *context);

/* Nobody may be waiting. Look-ups that are under way are left to themselves. */
void names_close(struct names *names);

/*
 * Asks for a name, whose case does not matter. NAMES_KNOWN with *addresses as
 * CURLOPT_RESOLVE has them, 192.0.2.1,[2001:db8::1], valid until the loop's
 * next turn; else NULL.
 */
enum names_answer names_ask(struct names *names, const char *host,
                            struct names_wait *wait, const char **addresses);

/* Ends a wait without a word; fine where there is none. */
void names_leave(struct names_wait *wait);

#endif
