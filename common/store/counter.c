/*
 * tally: one script run for a batch of ids. The window is Redis's to say; this
 * side only guesses which one is on, so that most batches need one round trip.
 */
#include "counter.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/clock.h"
#include "base/util.h"
#include "dedup_strategy.h"
#include "endpoint_url.h"
#include "probe.lua.h"
#include "schema.h"

enum {
    JOB_ID_BYTES = 16,
    /* Every byte of the endpoint escaped, and the words around it. */
    JOB_MAX_BYTES = 2 * ENDPOINT_URL_MAX_BYTES + 128,
};

struct counter {
    const struct options *options;
    struct redis *redis;
    const struct dedup_strategy *dedup;
    int64_t window_s;       /* believed to be on; 0: not known yet */
    int64_t window_ends_ms; /* monotonic: when the next one is */
    bool refused;           /* by Redis: the last run */
    int64_t sets;           /* of that window (accept-set.lua); 0: not known */
    char born[SCHEMA_BORN_SIZE]; /* of the data agreed on; "": none yet */
    char job[JOB_MAX_BYTES];
};

/* What the script says of a batch. */
struct verdict {
    int64_t asked_ms; /* monotonic: before the script was sent */
    bool counted;     /* else nothing was done: another window is on */
    bool anew;        /* or another agreement is due */
    int64_t window_s;
    int64_t left_ms;
    int64_t sets; /* where nothing was done, if that is why; else 0 */
    int64_t born_us;
    int64_t jobs; /* queued: the first so many of those of the batch */
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
    counter->dedup = dedup_strategy_row(options->dedup.strategy);
    return counter;
}

void
counter_close(struct counter *counter)
{
    free(counter);
}

static char *
put(char *to, const char *text)
{
    size_t len = strlen(text);

    memcpy(to, text, len);
    return to + len;
}

/* Writes a new job's random id: 128 bits, so that no two are alike. */
static char *
put_job_id(char *to)
{
    static const char digits[] = "0123456789abcdef";
    uint8_t bytes[JOB_ID_BYTES];
    size_t i;

    /* Never short nor interrupted for up to 256 bytes: getrandom(2). */
    (void)!getrandom(bytes, sizeof(bytes), 0);
    for (i = 0; i < sizeof(bytes); i++) {
        *to++ = digits[bytes[i] >> 4];
        *to++ = digits[bytes[i] & 15];
    }
    return to;
}

/*
 * Writes the job but for its window, count and last brace, which the script
 * adds. An endpoint is printable ASCII: two bytes of it need escaping (RFC
 * 8259, 7).
 */
static size_t
put_job(char *job, const struct counter_request *request)
{
    char *to = put(job, "{\"v\":1,\"id\":\"");
    size_t i;

    to = put_job_id(to);
    to = put(to, "\",\"url\":\"");
    for (i = 0; i < request->endpoint_len; i++) {
        char byte = request->endpoint[i];

        if (byte == '"' || byte == '\\') {
            *to++ = '\\';
        }
        *to++ = byte;
    }
    *to++ = '"';
    return (size_t)(to - job);
}

static void
add_keys(const struct counter *counter, struct command *call,
         const struct dedup_batch *batch)
{
    const char *prefix = counter->options->redis.prefix;

    redis_key(call, "%s:" SCHEMA_SHARD ":sealed", prefix);
    redis_key(call, "%s:" SCHEMA_SHARD ":born", prefix);
    redis_key(call, "%s:" SCHEMA_SHARD ":count:%" PRId64, prefix,
              batch->window_s);
    redis_key(call, "%s:" SCHEMA_SHARD ":callbacks", prefix);
    redis_key(call, "%s:" SCHEMA_SHARD ":due", prefix);
    redis_key(call, "%s:" SCHEMA_SHARD ":open", prefix);
    redis_key(call, "%s:" SCHEMA_SHARD ":whole:%s:%" PRId64, prefix,
              schema_strategy(counter->options), batch->window_s);
    counter->dedup->add_keys(call, batch);
}

/* As long as the retention; always until the window has been sealed, though. */
static int64_t
count_ttl_s(const struct options *options)
{
    int64_t retention_s = options->window.retention_hours * 3600;
    int64_t least_s = 3 * options->window.seconds;

    return int64_max(retention_s, least_s);
}

static void
add_args(struct counter *counter, struct command *call,
         const struct dedup_batch *batch)
{
    const struct options *options = counter->options;
    size_t i;

    redis_arg_int(call, batch->window_s);
    redis_arg_int(call, options->window.seconds);
    redis_arg_int(call, count_ttl_s(options));
    redis_arg_int(call, options->callbacks.max_queue);
    redis_arg(call, counter->born, strlen(counter->born));
    counter->dedup->add_args(call, batch);
    for (i = 0; i < batch->count; i++) {
        const struct counter_request *request = &batch->requests[i];

        if (request->endpoint != NULL) {
            redis_arg_int(call, (int64_t)i + 1);
            redis_arg(call, counter->job, put_job(counter->job, request));
        }
    }
}

static bool
read_verdict(const struct redis_reply *reply, struct verdict *verdict)
{
    int64_t what;

    if (!redis_reply_int(redis_reply_at(reply, 0), &what)) {
        return false;
    }
    verdict->counted = what == 1;
    verdict->anew = what == 2;
    if (verdict->anew) {
        return true;
    }
    if (!redis_reply_int(redis_reply_at(reply, 1), &verdict->window_s) ||
        !redis_reply_int(redis_reply_at(reply, 2), &verdict->left_ms)) {
        return false;
    }
    if (!verdict->counted) {
        verdict->sets = 0;
        redis_reply_int(redis_reply_at(reply, 3), &verdict->sets);
        return true;
    }
    return redis_reply_int(redis_reply_at(reply, 3), &verdict->born_us) &&
           redis_reply_int(redis_reply_at(reply, 5), &verdict->jobs);
}

/* Moves on to the next window where, as far as is known here, that is on. */
static void
guess_window(struct counter *counter, int64_t now_ms)
{
    if (now_ms >= counter->window_ends_ms) {
        counter->window_s += counter->options->window.seconds;
        counter->window_ends_ms += counter->options->window.seconds * 1000;
        counter->sets = 0;
    }
}

static void
learn(struct counter *counter, const struct verdict *verdict)
{
    counter->window_s = verdict->window_s;
    counter->window_ends_ms = clock_mono_ms() + verdict->left_ms;
    if (!verdict->counted) {
        counter->sets = verdict->sets;
    }
}

/* Runs what was gathered, and has as many replicas as are wanted confirm it. */
static bool
run_call(struct counter *counter, struct command *call,
         const struct redis_reply **reply)
{
    enum redis_result result;

    redis_call_replicas(call, counter->options->redis.wait_replicas);
    result = redis_run(counter->redis, reply);
    counter->refused = result == REDIS_REFUSED || result == REDIS_SPARSE;
    return result == REDIS_DONE;
}

/* Runs the script once for the window that is believed to be on. */
static bool
run(struct counter *counter, const struct counter_request *requests,
    size_t count, struct verdict *verdict)
{
    struct command *call = redis_call(counter->redis, counter->dedup->script);
    struct dedup_batch batch = {
        .options = counter->options, .requests = requests, .count = count};
    const struct redis_reply *reply;

    verdict->asked_ms = clock_mono_ms();
    guess_window(counter, verdict->asked_ms);
    batch.window_s = counter->window_s;
    batch.sets = counter->sets;
    add_keys(counter, call, &batch);
    add_args(counter, call, &batch);
    if (!run_call(counter, call, &reply) || !read_verdict(reply, verdict)) {
        return false;
    }
    if (verdict->anew) {
        counter->born[0] = '\0';
    } else {
        learn(counter, verdict);
    }
    return true;
}

/* Agrees with Redis, whose data is not known yet or has begun anew since. */
static bool
agree(struct counter *counter)
{
    enum redis_result result =
        schema_agree(counter->options, counter->redis, counter->born);

    counter->refused = result == REDIS_REFUSED;
    return result == REDIS_DONE;
}

/* Requests with an endpoint beyond those that were queued were not counted. */
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
 * How long what was confirmed holds without asking again: until the window
 * ends, whose rest is rounded up; and no longer than a silent Redis takes to
 * be called away, as one that hangs does so without a word.
 */
static int64_t
valid_until_ms(const struct counter *counter, const struct verdict *verdict)
{
    int64_t timeout_ms = counter->options->redis.timeout_ms;
    int64_t left_ms = verdict->left_ms - 1;

    return verdict->asked_ms + int64_min(left_ms, timeout_ms);
}

struct counter_window
counter_commit(struct counter *counter, struct counter_request *requests,
               size_t count)
{
    int64_t timeout_ms = counter->options->redis.timeout_ms;
    int64_t started_ms = clock_mono_ms();
    struct counter_window window = {0};
    struct verdict verdict = {0};
    size_t i;

    for (i = 0; i < count; i++) {
        requests[i].answer = COUNTER_UNAVAILABLE;
    }
    /*
     * "Another window is on", "it has so many sets" and "the data began anew"
     * say that nothing was done: the batch may be sent again, while there is
     * time. A few times are enough but where a window is shorter than a round
     * trip.
     */
    do {
        if (counter->born[0] == '\0'
                ? !agree(counter)
                : !run(counter, requests, count, &verdict)) {
            return window;
        }
    } while (!verdict.counted && clock_mono_ms() - started_ms < timeout_ms);
    if (verdict.counted) {
        set_answers(requests, count, verdict.jobs);
        window.start_s = verdict.window_s;
        window.born_us = verdict.born_us;
        window.until_ms = valid_until_ms(counter, &verdict);
    }
    return window;
}

bool
counter_is_ready(struct counter *counter)
{
    int64_t started_ms = clock_mono_ms();
    const struct redis_reply *reply;
    struct command *call;

    if (!agree(counter) ||
        clock_mono_ms() - started_ms >= counter->options->redis.timeout_ms) {
        return false;
    }
    call = redis_call(counter->redis, &script_probe);
    redis_key(call, "%s:" SCHEMA_SHARD ":ready",
              counter->options->redis.prefix);
    return run_call(counter, call, &reply);
}

bool
counter_was_refused(const struct counter *counter)
{
    return counter->refused;
}
