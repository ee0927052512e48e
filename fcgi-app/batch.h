/*
 * A batch: the requests that share a run of a script (group commit), and their
 * answers.
 */
#ifndef BATCH_H
#define BATCH_H

#include <stdbool.h>
#include <stddef.h>

#include "answers.h"
#include "batch_log.h"
#include "fcgi_conn.h"
#include "store/counter.h"

struct batch {
    struct counter_request *requests; /* in the order of the exchanges */
    struct fcgi_exchange **exchanges;
    size_t count;
};

/* For at most `most` requests. False: no memory; batch_fini in any case. */
bool batch_init(struct batch *batch, size_t most);
void batch_fini(struct batch *batch);

/* Adds a request for an id. */
void batch_add(struct batch *batch, struct fcgi_exchange *exchange);

/*
 * The run is over, with this result of the counter: answers all, and counts
 * them in the metrics and the log. Their ids stay until the next batch_clear.
 */
void batch_answer(struct batch *batch, const struct counter_window *window,
                  struct answers *answers, struct batch_log *log);

/* Empties the batch. */
void batch_clear(struct batch *batch);

#endif
