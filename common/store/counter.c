/*
 * counter: one run of a script counts a batch of ids. Redis decides which
 * window is on. This side only guesses it, so that most batches need one round
 * trip.
 */
#include "counter.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "accept_call.h"
#include "base/clock.h"
#include "base/util.h"
#include "counter_reply.h"
#include "pulse.h"

struct counter *
counter_open(const struct options *options, struct redis *redis)
{
    struct counter *counter = calloc(1, sizeof(*counter));

    if (counter == NULL) {
        return NULL;
    }
    counter->options = options;
    counter->redis = redis;
    counter->guess.length_s = options->window.seconds;
    counter->guess.told = options->redis.shard > 0;
    confirmation_init(&counter->confirmation);
    return counter;
}

void
counter_close(struct counter *counter)
{
    free(counter);
}

void
counter_share(struct counter *counter, struct shard_news *news)
{
    counter->news = news;
    counter->guess.news = news;
}

void
counter_observe(struct counter *counter, counter_observer *observer,
                void *context)
{
    counter->observer = observer;
    counter->observer_context = context;
}

/* True if a run has brought a reply; notes whether it was refused. */
static bool
is_done(struct counter *counter, enum redis_result result)
{
    counter->ended_us = clock_mono_us();
    if (counter->observer != NULL) {
        counter->observer(counter->observer_context, counter->script, result,
                          counter->ended_us - counter->sent_us);
    }
    counter->refused = result == REDIS_REFUSED || result == REDIS_SPARSE;
    return result == REDIS_DONE;
}

/* Starts the call that counts, in the window that is believed to be on. 0, or
   -1 if there is no memory. */
static int
call_accept(struct counter *counter)
{
    struct accept_call accept = {.options = counter->options,
                                 .redis = counter->redis,
                                 .born = counter->born,
                                 .marks = &counter->confirmation.marks,
                                 .news = counter->news};
    struct dedup_batch batch = {.options = counter->options,
                                .requests = counter->requests,
                                .count = counter->count};

    window_guess_move(&counter->guess, counter->sent_us / 1000);
    batch.window_s = counter->guess.start_s;
    batch.sets = counter->guess.sets;
    return accept_call_start(&accept, &batch);
}

/* What was confirmed is compared now, or was to be. */
static void
note_try(struct counter *counter)
{
    confirmation_try(&counter->confirmation, redis_connection(counter->redis));
}

/* Sends the script that counter->script names. */
static enum redis_result
send_script(struct counter *counter)
{
    counter->sent_us = clock_mono_us();
    switch (counter->script) {
    case COUNTER_ACCEPT:
        if (call_accept(counter) != 0) {
            return REDIS_AWAY;
        }
        break;
    case COUNTER_CONFIRM:
        note_try(counter);
        marks_call(&counter->confirmation.marks, counter->options,
                   counter->redis, counter->born,
                   counter->task == TASK_SIGN_OFF);
        break;
    case COUNTER_SCHEMA:
        schema_call(counter->options, counter->redis);
        break;
    case COUNTER_PULSE:
        counter->pulsed_ms = counter->sent_us / 1000;
        window_guess_move(&counter->guess, counter->pulsed_ms);
        pulse_call(counter->options, counter->redis, counter->guess.start_s);
        break;
    case COUNTER_PROBE:
        probe_call(counter->options, counter->redis);
        break;
    case COUNTER_SCRIPTS_COUNT:
        break;
    }
    return redis_send(counter->redis);
}

/*
 * True if another run may begin: it may take redis.timeout_ms, and the whole
 * batch twice that.
 */
static bool
has_time(const struct counter *counter)
{
    return clock_mono_us() - counter->started_us <
           counter->options->redis.timeout_ms * 1000;
}

/* Milliseconds until the shard has to be heard of; -1: never. */
static int64_t
pulse_ms(const struct counter *counter, int64_t now_ms)
{
    if (counter->news == NULL || !window_guess_is_ready(&counter->guess)) {
        return -1;
    }
    return counter->pulsed_ms == 0
               ? 0
               : int64_max(counter->pulsed_ms + SHARD_NEWS_MS - now_ms, 0);
}

/* The script that has to be sent next; COUNTER_SCRIPTS_COUNT: none. */
static enum counter_script
next_script(const struct counter *counter)
{
    int64_t now_ms = clock_mono_ms();

    if (counter->born[0] == '\0' ||
        (counter->task == TASK_PROBE && !counter->agreed)) {
        return COUNTER_SCHEMA;
    }
    switch (counter->task) {
    case TASK_PROBE:
        return COUNTER_PROBE;
    case TASK_SIGN_OFF:
        return COUNTER_CONFIRM;
    case TASK_COUNT:
        break;
    }
    if (confirmation_is_due(&counter->confirmation,
                            redis_connection(counter->redis), now_ms)) {
        return COUNTER_CONFIRM;
    }
    if (pulse_ms(counter, now_ms) == 0) {
        return COUNTER_PULSE;
    }
    return counter->count > 0 && window_guess_is_ready(&counter->guess)
               ? COUNTER_ACCEPT
               : COUNTER_SCRIPTS_COUNT;
}

/*
 * Sends what is to be sent next. True if it is under way, or a connection is
 * waited for; false if there is nothing to send, or it can't be sent.
 */
static bool
go_on(struct counter *counter)
{
    enum redis_result result;

    counter->waiting = counter->news != NULL &&
                       redis_state(counter->redis) == REDIS_STATE_CONNECTING;
    if (counter->waiting) {
        return true;
    }
    counter->script = next_script(counter);
    if (counter->script == COUNTER_SCRIPTS_COUNT) {
        return false;
    }
    result = send_script(counter);
    return result == REDIS_PENDING || is_done(counter, result);
}

static bool
start(struct counter *counter, enum task task, int64_t since_us)
{
    counter->task = task;
    counter->started_us = since_us;
    return go_on(counter);
}

bool
counter_start(struct counter *counter, struct counter_request *requests,
              size_t count, int64_t since_us)
{
    counter->requests = requests;
    counter->count = count;
    counter->result = (struct counter_window){0};
    for (size_t i = 0; i < count; i++) {
        requests[i].answer = COUNTER_UNAVAILABLE;
    }
    return start(counter, TASK_COUNT, since_us);
}

/* What a run says that is part of a probe. */
static void
note_probe(struct counter *counter, enum redis_result result,
           const struct redis_reply *reply)
{
    if (counter->script == COUNTER_PROBE) {
        probe_read(counter->options, counter->redis, result, reply,
                   &counter->probe);
    } else if (result != REDIS_DONE) {
        counter->probe.fault = probe_fault_of(counter->redis, counter->refused);
    }
}

/* The last run has failed; false, as nothing more is to be done. */
static bool
fail(struct counter *counter)
{
    if (counter->script == COUNTER_SCHEMA && counter->task == TASK_COUNT) {
        note_try(counter);
        counter->pulsed_ms = clock_mono_ms(); /* it would have been next */
    }
    return false;
}

bool
counter_step(struct counter *counter)
{
    const struct redis_reply *reply = NULL;
    enum redis_result result;

    if (counter->waiting) {
        return has_time(counter) && go_on(counter);
    }
    result = redis_receive(counter->redis, &reply);
    if (result == REDIS_PENDING) {
        return true;
    }
    if (is_done(counter, result)) {
        if (counter_reply_apply(counter, reply)) {
            return has_time(counter) ? go_on(counter) : fail(counter);
        }
    } else if (result == REDIS_AWAY && has_time(counter)) {
        return go_on(counter); /* nothing was done: another node has the slot */
    } else {
        fail(counter);
    }
    if (counter->task == TASK_PROBE) {
        note_probe(counter, result, reply);
    }
    return false;
}

int64_t
counter_due_ms(const struct counter *counter)
{
    int64_t end_ms =
        counter->started_us / 1000 + counter->options->redis.timeout_ms + 1;

    return counter->waiting ? int64_max(end_ms - clock_mono_ms(), 0)
                            : redis_run_wait_ms(counter->redis);
}

enum counter_state
counter_state(const struct counter *counter)
{
    bool ready = window_guess_is_ready(&counter->guess);

    switch (redis_state(counter->redis)) {
    case REDIS_STATE_CONNECTING:
        return COUNTER_WAITS;
    case REDIS_STATE_UP:
        if (!ready && shard_news_is_young(counter->news,
                                          counter->options->redis.timeout_ms)) {
            return COUNTER_WAITS;
        }
        return ready ? COUNTER_READY : COUNTER_AWAY;
    case REDIS_STATE_DOWN:
    case REDIS_STATE_UNUSABLE:
        break;
    }
    return COUNTER_AWAY;
}

struct counter_window
counter_result(const struct counter *counter)
{
    return counter->result;
}

int64_t
counter_idle_ms(const struct counter *counter)
{
    uint64_t connection = redis_connection(counter->redis);
    int64_t now_ms = clock_mono_ms();
    int64_t confirm, pulse;

    if (connection == 0) {
        return -1;
    }
    confirm = confirmation_idle_ms(&counter->confirmation, connection, now_ms);
    pulse = pulse_ms(counter, now_ms);
    return confirm < 0 || (pulse >= 0 && pulse < confirm) ? pulse : confirm;
}

bool
counter_take_loss(struct counter *counter, struct marks_loss *loss)
{
    return confirmation_take_loss(&counter->confirmation, loss);
}

bool
counter_start_sign_off(struct counter *counter)
{
    return marks_has_sent(&counter->confirmation.marks) &&
           redis_connection(counter->redis) != 0 &&
           start(counter, TASK_SIGN_OFF, clock_mono_us());
}

bool
counter_start_probe(struct counter *counter)
{
    counter->agreed = false;
    counter->probe = (struct probe){.fault = PROBE_NO_ANSWER};
    if (start(counter, TASK_PROBE, clock_mono_us())) {
        return true;
    }
    note_probe(counter, REDIS_AWAY, NULL);
    return false;
}

struct probe
counter_probed(const struct counter *counter)
{
    return counter->probe;
}

bool
counter_was_refused(const struct counter *counter)
{
    return counter->refused;
}
