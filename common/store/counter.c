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
#include "keys.h"
#include "marks-confirm.lua.h"
#include "marks.h"
#include "schema.h"

enum {
    CONFIRM_MS = 1000, /* between two looks whether Redis has lost data */
};

struct counter {
    const struct options *options;
    struct redis *redis;
    counter_observer *observer; /* NULL: none */
    void *observer_context;
    int64_t window_s;       /* believed to be on; 0: not known yet */
    int64_t window_ends_ms; /* monotonic: when the next window begins */
    bool refused;           /* Redis refused the last run */
    int64_t sets;           /* of the window (accept-set.lua); 0: not known */
    char born[SCHEMA_BORN_SIZE]; /* from schema_agree; "": call it first */
    int64_t born_us;             /* the same as a number */

    /* What was confirmed to clients: */
    struct marks marks;
    bool confirm;              /* marks-confirm.lua has to be run first */
    uint64_t connection;       /* on which Redis was last seen to have it all */
    uint64_t tried_connection; /* on which it was sent last */
    int64_t tried_ms;          /* monotonic: when it was sent last */
    struct marks_loss loss;    /* that it found; see counter_take_loss */

    /* The batch that is being counted: */
    struct counter_request *requests;
    size_t count;
    bool confirming;              /* marks-confirm.lua is under way */
    int64_t started_us;           /* monotonic */
    int64_t sent_us;              /* monotonic: before the script was sent */
    int64_t ended_us;             /* monotonic: when its result was there */
    struct counter_window result; /* zeroed unless it was counted */
};

struct counter *
counter_open(const struct options *options, struct redis *redis)
{
    struct counter *counter = calloc(1, sizeof(*counter));

    if (counter == NULL) {
        return NULL;
    }
    counter->options = options;
    counter->redis = redis;
    marks_init(&counter->marks);
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
    counter->observer = observer;
    counter->observer_context = context;
}

/* Tells of a run that began at sent_us and has ended now. */
static void
tell_run(struct counter *counter, enum counter_script script,
         enum redis_result result)
{
    counter->ended_us = clock_mono_us();
    if (counter->observer != NULL) {
        counter->observer(counter->observer_context, script, result,
                          counter->ended_us - counter->sent_us);
    }
}

/* Moves on to the window that is on, by our own clock since the last reply. */
static void
guess_window(struct counter *counter, int64_t now_ms)
{
    int64_t length_s = counter->options->window.seconds;
    int64_t past_ms = now_ms - counter->window_ends_ms;

    if (past_ms >= 0) {
        int64_t passed_s = (past_ms / (length_s * 1000) + 1) * length_s;

        counter->window_s += passed_s;
        counter->window_ends_ms += passed_s * 1000;
        counter->sets = 0;
    }
}

/* Keeps what Redis replied of its window, for the next guess. */
static void
note_window(struct counter *counter, const struct accept_reply *read)
{
    counter->window_ends_ms = counter->ended_us / 1000 + read->left_ms;
    if (!read->counted) {
        counter->window_s = read->window_s;
        counter->sets = read->sets;
    }
}

/* Sends the script, for the window that is believed to be on. */
static enum redis_result
send_batch(struct counter *counter)
{
    struct accept_call accept = {.options = counter->options,
                                 .redis = counter->redis,
                                 .born = counter->born,
                                 .marks = &counter->marks};
    struct dedup_batch batch = {.options = counter->options,
                                .requests = counter->requests,
                                .count = counter->count};

    counter->sent_us = clock_mono_us();
    guess_window(counter, counter->sent_us / 1000);
    batch.window_s = counter->window_s;
    batch.sets = counter->sets;
    if (accept_call_start(&accept, &batch) != 0) {
        return REDIS_AWAY;
    }
    return redis_send(counter->redis);
}

/*
 * Runs marks-confirm.lua. If sign_off, nothing is to be noticed any more, as
 * this responder ends.
 */
static enum redis_result
send_memory(struct counter *counter, bool sign_off)
{
    struct command *call = redis_call(counter->redis, &script_marks_confirm);
    struct key_parts parts = {.prefix = counter->options->redis.prefix,
                              .tag = counter->options->redis.tag};

    counter->sent_us = clock_mono_us();
    keys_add(call, KEY_BORN, &parts);
    keys_add(call, KEY_MARKS, &parts);
    keys_add(call, KEY_UNCONFIRMED, &parts);
    keys_add(call, KEY_LOST, &parts);
    keys_add(call, KEY_RECORDED, &parts);
    keys_add(call, KEY_SEALED, &parts);
    redis_arg(call, counter->born, strlen(counter->born));
    marks_add_memory(&counter->marks, call, counter->options->window.seconds,
                     sign_off);
    return redis_send(counter->redis);
}

/* True if a run has brought a reply; notes whether it was refused. */
static bool
is_done(struct counter *counter, enum counter_script script,
        enum redis_result result)
{
    tell_run(counter, script, result);
    counter->refused = result == REDIS_REFUSED || result == REDIS_SPARSE;
    return result == REDIS_DONE;
}

/* Compares the schema, at the start and after Redis's data was reset. */
static bool
agree(struct counter *counter)
{
    enum redis_result result;

    counter->sent_us = clock_mono_us();
    result = schema_agree(counter->options, counter->redis, counter->born);
    tell_run(counter, COUNTER_SCHEMA, result);
    counter->refused = result == REDIS_REFUSED;
    counter->born_us = (int64_t)(strtod(counter->born, NULL) * 1e6);
    return result == REDIS_DONE;
}

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
 * Until when the ids of a batch need no further round trip. They hold until
 * their window ends; the script rounds the time that is left up, hence the
 * millisecond. They also hold no longer than redis.timeout_ms, because a Redis
 * that hangs is silent, and is known to be away only after that time.
 */
static int64_t
valid_until_ms(const struct counter *counter, const struct accept_reply *read)
{
    int64_t timeout_ms = counter->options->redis.timeout_ms;
    int64_t left_ms = read->left_ms - 1;

    return counter->sent_us / 1000 + int64_min(left_ms, timeout_ms);
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

/* True if what was confirmed has to be compared with Redis. */
static bool
must_confirm(const struct counter *counter, int64_t now_ms)
{
    return counter->confirm ||
           (marks_has_sent(&counter->marks) &&
            counter->connection != redis_connection(counter->redis)) ||
           (marks_is_needed(&counter->marks) &&
            now_ms - counter->tried_ms >= CONFIRM_MS);
}

/* Without a request, the next try follows after CONFIRM_MS. */
static void
note_try(struct counter *counter)
{
    counter->tried_connection = redis_connection(counter->redis);
    counter->tried_ms = clock_mono_ms();
}

/* The script that is under way. */
static enum counter_script
current_script(const struct counter *counter)
{
    return counter->confirming ? COUNTER_CONFIRM : COUNTER_ACCEPT;
}

/*
 * True if the batch, or what comes before it, is on its way; false if there is
 * nothing to send, or the batch can't be counted.
 */
static bool
try_batch(struct counter *counter)
{
    enum redis_result result;

    if (counter->born[0] == '\0' && (!agree(counter) || !has_time(counter))) {
        note_try(counter);
        return false;
    }
    counter->confirming = must_confirm(counter, clock_mono_ms());
    if (counter->confirming) {
        note_try(counter);
        result = send_memory(counter, false);
    } else if (counter->count > 0) {
        result = send_batch(counter);
    } else {
        return false;
    }
    return result == REDIS_PENDING ||
           is_done(counter, current_script(counter), result);
}

bool
counter_start(struct counter *counter, struct counter_request *requests,
              size_t count)
{
    counter->requests = requests;
    counter->count = count;
    counter->result = (struct counter_window){0};
    counter->started_us = clock_mono_us();
    for (size_t i = 0; i < count; i++) {
        requests[i].answer = COUNTER_UNAVAILABLE;
    }
    return try_batch(counter);
}

/*
 * Redis's data was reset. What was confirmed is gone, and the reporters wait
 * only WINDOW_CLOSER_BARRIER_MS for those that remember.
 */
static void
note_reset(struct counter *counter)
{
    counter->born[0] = '\0';
    counter->confirm = true;
}

/* Takes the reply of marks-confirm.lua; false if it is none. */
static bool
apply_memory(struct counter *counter, const struct redis_reply *reply)
{
    struct marks_loss loss;
    int64_t kind;

    if (!redis_reply_int(redis_reply_at(reply, 0), &kind)) {
        return false;
    }
    if (kind == 2) {
        note_reset(counter);
        return true;
    }
    loss = marks_take_reply(&counter->marks, reply);
    if (loss.lost + loss.late > 0) {
        counter->loss = loss;
    }
    counter->confirm = false;
    counter->connection = redis_connection(counter->redis);
    return true;
}

/* A batch that was counted shows that Redis lost nothing before it. */
static void
note_confirmed(struct counter *counter, int64_t jobs)
{
    if (!marks_is_needed(&counter->marks)) {
        counter->tried_ms = counter->sent_us / 1000;
    }
    counter->connection = redis_connection(counter->redis);
    marks_confirm_batch(&counter->marks, counter->window_s, jobs);
}

/* Keeps what the reply says of the window, of the data and of the batch. */
static void
apply_reply(struct counter *counter, const struct accept_reply *read)
{
    if (read->data_reset) {
        note_reset(counter);
        return;
    }
    if (read->data_lost) {
        counter->confirm = true;
        return;
    }
    note_window(counter, read);
    if (read->counted) {
        set_answers(counter->requests, counter->count, read->jobs);
        note_confirmed(counter, read->jobs);
        counter->result.start_s = counter->window_s;
        counter->result.born_us = counter->born_us;
        counter->result.until_ms = valid_until_ms(counter, read);
        counter->result.added = read->added;
    }
}

bool
counter_step(struct counter *counter)
{
    const struct redis_reply *reply;
    struct accept_reply read = {0};
    enum redis_result result = redis_receive(counter->redis, &reply);

    if (result == REDIS_PENDING) {
        return true;
    }
    if (!is_done(counter, current_script(counter), result)) {
        return false;
    }
    if (counter->confirming) {
        return apply_memory(counter, reply) && has_time(counter) &&
               try_batch(counter);
    }
    if (!accept_call_read(reply, &read)) {
        return false;
    }
    apply_reply(counter, &read);
    /*
     * If another window is on, the number of sets is another or data was reset
     * or lost, the script did nothing. The batch may then be sent again, while
     * there is time. A few rounds are enough, unless a window is shorter than
     * a round trip.
     */
    return !read.counted && has_time(counter) && try_batch(counter);
}

int64_t
counter_started_us(const struct counter *counter)
{
    return counter->started_us;
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
    bool is_new =
        marks_has_sent(&counter->marks) && counter->connection != connection;

    if (connection == 0 || (!is_new && !marks_is_needed(&counter->marks))) {
        return -1;
    }
    return is_new && counter->tried_connection != connection
               ? 0
               : int64_max(counter->tried_ms + CONFIRM_MS - clock_mono_ms(), 0);
}

bool
counter_take_loss(struct counter *counter, struct marks_loss *loss)
{
    *loss = counter->loss;
    counter->loss = (struct marks_loss){0};
    return loss->lost + loss->late > 0;
}

/* True if it has to be done again, because Redis's data was reset. */
static bool
try_sign_off(struct counter *counter)
{
    const struct redis_reply *reply;

    return (counter->born[0] != '\0' || agree(counter)) && has_time(counter) &&
           is_done(counter, COUNTER_CONFIRM,
                   redis_finish(counter->redis, send_memory(counter, true),
                                &reply)) &&
           apply_memory(counter, reply) && counter->born[0] == '\0' &&
           has_time(counter);
}

void
counter_sign_off(struct counter *counter)
{
    bool again = marks_has_sent(&counter->marks) &&
                 redis_connection(counter->redis) != 0;

    counter->started_us = clock_mono_us();
    while (again) {
        again = try_sign_off(counter);
    }
}

void
counter_probe(struct counter *counter, struct probe *found)
{
    int64_t started_ms = clock_mono_ms();
    const struct redis_reply *reply = NULL;
    enum redis_result result;

    *found = (struct probe){.fault = PROBE_NO_ANSWER};
    if (!agree(counter)) {
        found->fault = probe_fault_of(counter->redis, counter->refused);
        return;
    }
    if (clock_mono_ms() - started_ms >= counter->options->redis.timeout_ms) {
        return;
    }
    counter->sent_us = clock_mono_us();
    probe_call(counter->options, counter->redis);
    result = redis_run(counter->redis, &reply);
    is_done(counter, COUNTER_PROBE, result);
    probe_read(counter->options, counter->redis, result, reply, found);
}

bool
counter_was_refused(const struct counter *counter)
{
    return counter->refused;
}
