/*
 * tally: one script run for a batch of ids. The window is Redis's to say; this
 * side only guesses which one is on, so that most batches need one round trip.
 */
#include "tally.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "clock.h"
#include "dedup.h"
#include "endpoint.h"
#include "ready.lua.h"
#include "schema.h"

enum {
    JOB_ID_BYTES = 16,
    /* Every byte of the endpoint escaped, and the words around it. */
    JOB_MAX_BYTES = 2 * ENDPOINT_MAX_BYTES + 128,
};

struct tally {
    const struct options *options;
    struct redis *redis;
    const struct dedup *dedup;
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

struct tally *
tally_open(const struct options *options, struct redis *redis)
{
    struct tally *tally = calloc(1, sizeof(*tally));

    if (tally == NULL) {
        return NULL;
    }
    tally->options = options;
    tally->redis = redis;
    tally->dedup = dedup_row(options->dedup.strategy);
    return tally;
}

void
tally_close(struct tally *tally)
{
    free(tally);
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
put_job(char *job, const struct tally_request *request)
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
add_keys(const struct tally *tally, struct redis_call *call,
         const struct dedup_batch *batch)
{
    const char *prefix = tally->options->redis.prefix;

    redis_key(call, "%s:" SCHEMA_SHARD ":sealed", prefix);
    redis_key(call, "%s:" SCHEMA_SHARD ":born", prefix);
    redis_key(call, "%s:" SCHEMA_SHARD ":count:%" PRId64, prefix,
              batch->window_s);
    redis_key(call, "%s:" SCHEMA_SHARD ":callbacks", prefix);
    redis_key(call, "%s:" SCHEMA_SHARD ":due", prefix);
    redis_key(call, "%s:" SCHEMA_SHARD ":open", prefix);
    redis_key(call, "%s:" SCHEMA_SHARD ":whole:%s:%" PRId64, prefix,
              schema_strategy(tally->options), batch->window_s);
    tally->dedup->add_keys(call, batch);
}

/* As long as the retention; always until the window has been sealed, though. */
static int64_t
count_ttl_s(const struct options *options)
{
    int64_t retention_s = options->window.retention_hours * 3600;
    int64_t least_s = 3 * options->window.seconds;

    return retention_s > least_s ? retention_s : least_s;
}

static void
add_args(struct tally *tally, struct redis_call *call,
         const struct dedup_batch *batch)
{
    const struct options *options = tally->options;
    size_t i;

    redis_arg_int(call, batch->window_s);
    redis_arg_int(call, options->window.seconds);
    redis_arg_int(call, count_ttl_s(options));
    redis_arg_int(call, options->callbacks.max_queue);
    redis_arg(call, tally->born, strlen(tally->born));
    tally->dedup->add_args(call, batch);
    for (i = 0; i < batch->count; i++) {
        const struct tally_request *request = &batch->requests[i];

        if (request->endpoint != NULL) {
            redis_arg_int(call, (int64_t)i + 1);
            redis_arg(call, tally->job, put_job(tally->job, request));
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
guess_window(struct tally *tally, int64_t now_ms)
{
    if (now_ms >= tally->window_ends_ms) {
        tally->window_s += tally->options->window.seconds;
        tally->window_ends_ms += tally->options->window.seconds * 1000;
        tally->sets = 0;
    }
}

static void
learn(struct tally *tally, const struct verdict *verdict)
{
    tally->window_s = verdict->window_s;
    tally->window_ends_ms = clock_mono_ms() + verdict->left_ms;
    if (!verdict->counted) {
        tally->sets = verdict->sets;
    }
}

/* Runs what was gathered, and has as many replicas as are wanted confirm it. */
static bool
run_call(struct tally *tally, struct redis_call *call,
         const struct redis_reply **reply)
{
    enum redis_result result;

    redis_call_replicas(call, tally->options->redis.wait_replicas);
    result = redis_run(tally->redis, reply);
    tally->refused = result == REDIS_REFUSED || result == REDIS_SPARSE;
    return result == REDIS_DONE;
}

/* Runs the script once for the window that is believed to be on. */
static bool
run(struct tally *tally, const struct tally_request *requests, size_t count,
    struct verdict *verdict)
{
    struct redis_call *call = redis_call(tally->redis, tally->dedup->script);
    struct dedup_batch batch = {
        .options = tally->options, .requests = requests, .count = count};
    const struct redis_reply *reply;

    verdict->asked_ms = clock_mono_ms();
    guess_window(tally, verdict->asked_ms);
    batch.window_s = tally->window_s;
    batch.sets = tally->sets;
    add_keys(tally, call, &batch);
    add_args(tally, call, &batch);
    if (!run_call(tally, call, &reply) || !read_verdict(reply, verdict)) {
        return false;
    }
    if (verdict->anew) {
        tally->born[0] = '\0';
    } else {
        learn(tally, verdict);
    }
    return true;
}

/* Agrees with Redis, whose data is not known yet or has begun anew since. */
static bool
agree(struct tally *tally)
{
    enum redis_result result =
        schema_agree(tally->options, tally->redis, tally->born);

    tally->refused = result == REDIS_REFUSED;
    return result == REDIS_DONE;
}

/* Requests with an endpoint beyond those that were queued were not counted. */
static void
set_answers(struct tally_request *requests, size_t count, int64_t queued)
{
    size_t i;

    for (i = 0; i < count; i++) {
        bool full = requests[i].endpoint != NULL && queued-- <= 0;

        requests[i].answer = full ? TALLY_QUEUE_FULL : TALLY_COUNTED;
    }
}

/*
 * How long what was confirmed holds without asking again: until the window
 * ends, whose rest is rounded up; and no longer than a silent Redis takes to
 * be called away, as one that hangs does so without a word.
 */
static int64_t
valid_until_ms(const struct tally *tally, const struct verdict *verdict)
{
    int64_t timeout_ms = tally->options->redis.timeout_ms;
    int64_t left_ms = verdict->left_ms - 1;

    return verdict->asked_ms + (left_ms < timeout_ms ? left_ms : timeout_ms);
}

struct tally_window
tally_commit(struct tally *tally, struct tally_request *requests, size_t count)
{
    int64_t timeout_ms = tally->options->redis.timeout_ms;
    int64_t started_ms = clock_mono_ms();
    struct tally_window window = {0};
    struct verdict verdict = {0};
    size_t i;

    for (i = 0; i < count; i++) {
        requests[i].answer = TALLY_UNAVAILABLE;
    }
    /*
     * "Another window is on", "it has so many sets" and "the data began anew"
     * say that nothing was done: the batch may be sent again, while there is
     * time. A few times are enough but where a window is shorter than a round
     * trip.
     */
    do {
        if (tally->born[0] == '\0' ? !agree(tally)
                                   : !run(tally, requests, count, &verdict)) {
            return window;
        }
    } while (!verdict.counted && clock_mono_ms() - started_ms < timeout_ms);
    if (verdict.counted) {
        set_answers(requests, count, verdict.jobs);
        window.start_s = verdict.window_s;
        window.born_us = verdict.born_us;
        window.until_ms = valid_until_ms(tally, &verdict);
    }
    return window;
}

bool
tally_is_ready(struct tally *tally)
{
    int64_t started_ms = clock_mono_ms();
    const struct redis_reply *reply;
    struct redis_call *call;

    if (!agree(tally) ||
        clock_mono_ms() - started_ms >= tally->options->redis.timeout_ms) {
        return false;
    }
    call = redis_call(tally->redis, &script_ready);
    redis_key(call, "%s:" SCHEMA_SHARD ":ready", tally->options->redis.prefix);
    return run_call(tally, call, &reply);
}

bool
tally_was_refused(const struct tally *tally)
{
    return tally->refused;
}
