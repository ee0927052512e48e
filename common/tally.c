/*
 * tally: one script run for a batch of ids. The window is Redis's to say; this
 * side only guesses which one is on, so that most batches need one round trip.
 */
#include "tally.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "accept-setnx.lua.h"
#include "clock.h"
#include "endpoint.h"
#include "schema.h"

enum {
    JOB_ID_BYTES = 16,
    /* Every byte of the endpoint escaped, and the words around it. */
    JOB_MAX_BYTES = 2 * ENDPOINT_MAX_BYTES + 128,
};

struct tally {
    const struct options *options;
    struct redis *redis;
    int64_t window_s;       /* believed to be on; 0: not known yet */
    int64_t window_ends_ms; /* monotonic: when the next one is */
    char job[JOB_MAX_BYTES];
};

/* What the script says of a batch. */
struct verdict {
    bool counted; /* else another window is on, and nothing was done */
    int64_t window_s;
    int64_t left_ms;
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
add_keys(const struct tally *tally, struct redis_call *call, int64_t window_s,
         const struct tally_request *requests, size_t count)
{
    const char *prefix = tally->options->redis.prefix;
    size_t i;

    redis_key(call, "%s:" SCHEMA_SHARD ":sealed", prefix);
    redis_key(call, "%s:" SCHEMA_SHARD ":born", prefix);
    redis_key(call, "%s:" SCHEMA_SHARD ":count:%lld", prefix,
              (long long)window_s);
    redis_key(call, "%s:" SCHEMA_SHARD ":callbacks", prefix);
    redis_key(call, "%s:" SCHEMA_SHARD ":due", prefix);
    for (i = 0; i < count; i++) {
        redis_key(call, "%s:" SCHEMA_SHARD ":seen:%lld:%lld", prefix,
                  (long long)window_s, (long long)requests[i].id);
    }
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
add_args(struct tally *tally, struct redis_call *call, int64_t window_s,
         const struct tally_request *requests, size_t count)
{
    const struct options *options = tally->options;
    size_t i;

    redis_arg_int(call, window_s);
    redis_arg_int(call, options->window.seconds);
    redis_arg_int(call, count_ttl_s(options));
    redis_arg_int(call, options->callbacks.max_queue);
    for (i = 0; i < count; i++) {
        if (requests[i].endpoint != NULL) {
            redis_arg_int(call, (int64_t)i + 1);
            redis_arg(call, tally->job, put_job(tally->job, &requests[i]));
        }
    }
}

static bool
read_verdict(const struct redis_reply *reply, struct verdict *verdict)
{
    int64_t counted;

    if (!redis_reply_int(redis_reply_at(reply, 0), &counted) ||
        !redis_reply_int(redis_reply_at(reply, 1), &verdict->window_s) ||
        !redis_reply_int(redis_reply_at(reply, 2), &verdict->left_ms)) {
        return false;
    }
    verdict->counted = counted == 1;
    return !verdict->counted ||
           redis_reply_int(redis_reply_at(reply, 4), &verdict->jobs);
}

/* Runs the script once for the window that is believed to be on. */
static bool
run(struct tally *tally, const struct tally_request *requests, size_t count,
    struct verdict *verdict)
{
    struct redis_call *call = redis_call(tally->redis, &script_accept_setnx);
    const struct redis_reply *reply;

    if (clock_mono_ms() >= tally->window_ends_ms) {
        tally->window_s += tally->options->window.seconds;
    }
    add_keys(tally, call, tally->window_s, requests, count);
    add_args(tally, call, tally->window_s, requests, count);
    if (redis_run(tally->redis, &reply) != REDIS_DONE ||
        !read_verdict(reply, verdict)) {
        return false;
    }
    tally->window_s = verdict->window_s;
    tally->window_ends_ms = clock_mono_ms() + verdict->left_ms;
    return true;
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

int64_t
tally_commit(struct tally *tally, struct tally_request *requests, size_t count)
{
    int64_t timeout_ms = tally->options->redis.timeout_ms;
    int64_t started_ms = clock_mono_ms();
    struct verdict verdict = {0};
    size_t i;

    for (i = 0; i < count; i++) {
        requests[i].answer = TALLY_UNAVAILABLE;
    }
    /*
     * "Another window is on" says that nothing was done: the batch may be sent
     * again, while there is time. Twice is enough but where a window is
     * shorter than a round trip.
     */
    do {
        if (!run(tally, requests, count, &verdict)) {
            return 0;
        }
    } while (!verdict.counted && clock_mono_ms() - started_ms < timeout_ms);
    if (verdict.counted) {
        set_answers(requests, count, verdict.jobs);
    }
    return verdict.window_s;
}
