/*
 * ceiling: the speed that verve-fcgi would have if Redis cost nothing. It
 * consists of the objects of verve-fcgi, except the counter: this counter
 * answers at once that all ids were counted. The connection to Redis is opened
 * and not used.
 */
#include <stdlib.h>
#include <time.h>

#include "store/counter.h"
#include "store/window.h"

struct counter {
    int64_t length_s; /* of a window */
    int64_t start_s;  /* of the last batch's window */
};

struct counter *
counter_open(const struct options *options, struct redis *redis)
{
    struct counter *counter = calloc(1, sizeof(*counter));

    (void)redis;
    if (counter != NULL) {
        counter->length_s = options->window.seconds;
    }
    return counter;
}

void
counter_close(struct counter *counter)
{
    free(counter);
}

void
counter_observe(struct counter *counter, counter_observer *observer,
                void *context)
{
    (void)counter;
    (void)observer;
    (void)context;
}

bool
counter_start(struct counter *counter, struct counter_request *requests,
              size_t count, int64_t since_us)
{
    (void)since_us;
    for (size_t i = 0; i < count; i++) {
        requests[i].answer = COUNTER_COUNTED;
    }
    counter->start_s = window_start(time(NULL), counter->length_s);
    return false;
}

bool
counter_step(struct counter *counter)
{
    (void)counter;
    return false;
}

struct counter_window
counter_result(const struct counter *counter)
{
    return (struct counter_window){.start_s = counter->start_s};
}

bool
counter_start_probe(struct counter *counter)
{
    (void)counter;
    return false;
}

struct probe
counter_probed(const struct counter *counter)
{
    (void)counter;
    return (struct probe){.fault = PROBE_READY};
}

bool
counter_was_refused(const struct counter *counter)
{
    (void)counter;
    return false;
}

int64_t
counter_idle_ms(const struct counter *counter)
{
    (void)counter;
    return -1;
}

bool
counter_take_loss(struct counter *counter, struct marks_loss *loss)
{
    (void)counter;
    (void)loss;
    return false;
}

bool
counter_start_sign_off(struct counter *counter)
{
    (void)counter;
    return false;
}

/* The following are not called if there is one shard, or nothing is under way.
 */

void
counter_share(struct counter *counter, struct shard_news *news)
{
    (void)counter;
    (void)news;
}

enum counter_state
counter_state(const struct counter *counter)
{
    (void)counter;
    return COUNTER_READY;
}

int64_t
counter_due_ms(const struct counter *counter)
{
    (void)counter;
    return 0;
}
