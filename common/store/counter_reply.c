/*
 * counter_reply: one function for each script.
 */
#include "counter_reply.h"

#include <stdlib.h>
#include <string.h>

#include "accept_call.h"
#include "base/util.h"
#include "pulse.h"

/*
 * Sets the answers of a batch that was counted. The first `queued` requests
 * with an endpoint have a job; the others with an endpoint were not counted.
 */
static void
set_answers(struct counter_request *requests, size_t count, int64_t queued)
{
    size_t i;

    for (i = 0; i < count; i++) {
        bool full = requests[i].endpoint != NULL && queued-- <= 0;

        requests[i].answer = full ? COUNTER_QUEUE_FULL : COUNTER_COUNTED;
    }
}

/*
 * Until when the ids of a batch need no further round trip: until their window
 * ends, but no longer than redis.timeout_ms, because a Redis that hangs is
 * silent, and is known to be away only after that time.
 */
static int64_t
valid_until_ms(const struct counter *counter, int64_t left_ms)
{
    int64_t sent_ms = counter->sent_us / 1000;

    return int64_min(window_guess_until_ms(&counter->guess, left_ms, sent_ms),
                     sent_ms + counter->options->redis.timeout_ms);
}

/*
 * Redis's data was reset. What was confirmed is gone, and the reporters wait
 * only WINDOW_CLOSER_BARRIER_MS for those that remember.
 */
static void
note_reset(struct counter *counter)
{
    counter->born[0] = '\0';
    counter->confirmation.wanted = true;
    counter->guess.start_s = 0; /* new data may be behind */
}

/* Takes the reply of marks-confirm.lua; true if more is to be done. */
static bool
apply_memory(struct counter *counter, const struct redis_reply *reply)
{
    switch (confirmation_take_reply(&counter->confirmation,
                                    redis_connection(counter->redis), reply)) {
    case CONFIRMATION_DONE:
        return counter->task == TASK_COUNT;
    case CONFIRMATION_RESET:
        note_reset(counter);
        return true;
    case CONFIRMATION_BROKEN:
        break;
    }
    return false;
}

static void
hear_window(struct counter *counter, int64_t start_s, int64_t left_ms)
{
    window_guess_hear(&counter->guess, start_s, left_ms,
                      counter->sent_us / 1000, counter->ended_us / 1000);
}

/*
 * Takes the reply of an accept script: what it says of the window, of the data
 * and of the batch. If another window is on, the number of sets is another or
 * data was reset or lost, the script did nothing: true, and the batch may be
 * sent again. A few rounds are enough, unless a window is shorter than a round
 * trip.
 */
static bool
apply_batch(struct counter *counter, const struct redis_reply *reply)
{
    struct accept_reply read = {0};

    if (!accept_call_read(reply, &read)) {
        return false;
    }
    if (read.data_reset) {
        note_reset(counter);
        return true;
    }
    if (read.data_lost) {
        counter->confirmation.wanted = true;
        return true;
    }
    hear_window(counter, read.counted ? counter->guess.start_s : read.window_s,
                read.left_ms);
    if (!read.counted) {
        counter->guess.sets = read.sets;
        return true;
    }
    set_answers(counter->requests, counter->count, read.jobs);
    confirmation_note_batch(
        &counter->confirmation, redis_connection(counter->redis),
        counter->guess.start_s, read.jobs, counter->sent_us / 1000);
    counter->result.start_s = counter->guess.start_s;
    counter->result.born_us = counter->born_us;
    counter->result.until_ms = valid_until_ms(counter, read.left_ms);
    counter->result.added = read.added;
    return false;
}

/* Takes the reply of schema.lua; true if more is to be done. */
static bool
apply_schema(struct counter *counter, const struct redis_reply *reply)
{
    if (!schema_read(reply, counter->born)) {
        counter->refused = true;
        return false;
    }
    counter->born_us = (int64_t)(strtod(counter->born, NULL) * 1e6);
    counter->agreed = true;
    return true;
}

/* Takes the reply of pulse.lua; true if it is one. */
static bool
apply_pulse(struct counter *counter, const struct redis_reply *reply)
{
    int64_t asked_s = counter->guess.start_s;
    struct pulse pulse;

    if (!pulse_read(reply, &pulse)) {
        return false;
    }
    shard_news_hear_count(counter->news, counter->options->redis.shard, asked_s,
                          pulse.count);
    if (!counter->guess.told) {
        hear_window(counter, pulse.window_s, pulse.left_ms);
    }
    return true;
}

bool
counter_reply_apply(struct counter *counter, const struct redis_reply *reply)
{
    switch (counter->script) {
    case COUNTER_ACCEPT:
        return apply_batch(counter, reply);
    case COUNTER_CONFIRM:
        return apply_memory(counter, reply);
    case COUNTER_SCHEMA:
        return apply_schema(counter, reply);
    case COUNTER_PULSE:
        return apply_pulse(counter, reply);
    case COUNTER_PROBE:
    case COUNTER_SCRIPTS_COUNT:
        break;
    }
    return false;
}
