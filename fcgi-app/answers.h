/*
 * Answers to requests: counted in the metrics, sent, and kept in a list until
 * their connections are released.
 */
#ifndef ANSWERS_H
#define ANSWERS_H

#include <stdint.h>

#include "base/rfc3339.h"
#include "fcgi_conn.h"
#include "pool_stats.h"

struct answers {
    struct pool_stats *stats;        /* borrowed */
    struct fcgi_exchange_list given; /* not released yet */
    int64_t window_s;                /* of the last answer that had one ... */
    char window[RFC3339_SIZE];       /* ... and its text */
};

void answers_init(struct answers *answers, struct pool_stats *stats);

/* Answers; window_s is the header Verve-Window, epoch second; 0: no header. */
void answers_give(struct answers *answers, struct fcgi_exchange *exchange,
                  int status, enum error_code error, int64_t window_s);

/* The same for an answer whose text its page sends. */
void answers_note(struct answers *answers, struct fcgi_exchange *exchange,
                  int status, enum error_code error);

#endif
