/*
 * accept_call: keys and arguments in the order of accept.lua.
 */
#include "accept_call.h"

#include <string.h>

#include "base/util.h"
#include "endpoint_url.h"
#include "keys.h"
#include "origin.h"
#include "schema.h"

enum {
    JOB_ID_BYTES = 16,
    ADDED_RANGE = 2048,  /* of `added` in the reply, see accept.lua */
    MAX_QUEUE_MB = 1024, /* if neither it nor maxmemory is set */
    /* Every byte of the client's texts escaped, and the JSON around them. */
    JOB_MAX_BYTES =
        2 * (ENDPOINT_URL_MAX_BYTES + (int)sizeof(struct trace_context)) + 128,
};

static char *
put(char *to, const char *text)
{
    size_t len = strlen(text);

    memcpy(to, text, len);
    return to + len;
}

/* Writes printable ASCII, in which only two characters need escaping (RFC 8259,
   7). */
static char *
put_escaped(char *to, const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (text[i] == '"' || text[i] == '\\') {
            *to++ = '\\';
        }
        *to++ = text[i];
    }
    return to;
}

/* Writes a member whose value is printable ASCII, unless it is "". */
static char *
put_member(char *to, const char *head, const char *value)
{
    if (value[0] == '\0') {
        return to;
    }
    to = put_escaped(put(to, head), value, strlen(value));
    return put(to, "\"");
}

/* Writes the job without its window, moment, count and last brace: the script
   adds those. */
static size_t
put_job(char *job, const struct counter_request *request)
{
    const struct trace_context *trace = request->trace;
    char *to = put(job, "{\"v\":1,\"id\":\"");

    random_hex(to, JOB_ID_BYTES); /* 128 bits: no two jobs share an id */
    to = put(to + 2 * JOB_ID_BYTES, "\",\"url\":\"");
    to = put_escaped(to, request->endpoint, request->endpoint_len);
    to = put(to, "\"");
    if (trace != NULL) {
        to = put_member(to, ",\"tp\":\"", trace->traceparent);
        to = put_member(to, ",\"ts\":\"", trace->tracestate);
        to = put_member(to, ",\"rid\":\"", trace->request_id);
    }
    return (size_t)(to - job);
}

static bool
has_jobs(const struct dedup_batch *batch)
{
    for (size_t i = 0; i < batch->count; i++) {
        if (batch->requests[i].endpoint != NULL) {
            return true;
        }
    }
    return false;
}

/* Adds the list of each job's destination. 0, or -1: no memory. */
static int
add_lists(struct command *call, const struct dedup_batch *batch)
{
    char origin[ORIGIN_SIZE];
    char hash[ORIGIN_HASH_SIZE];
    struct key_parts parts = {.prefix = batch->options->redis.prefix,
                              .tag = batch->options->redis.tag,
                              .hash = hash};

    for (size_t i = 0; i < batch->count; i++) {
        const struct counter_request *request = &batch->requests[i];

        if (request->endpoint != NULL) {
            origin_read(request->endpoint, request->endpoint_len, origin);
            if (origin_hash(origin, hash) != 0) {
                return -1;
            }
            keys_add(call, KEY_CALLBACKS_OF, &parts);
        }
    }
    return 0;
}

/*
 * Keys and arguments are those of accept.lua, in its order. 0, or -1: no
 * memory.
 */
static int
add_keys(const struct accept_call *accept, struct command *call,
         const struct dedup_batch *batch)
{
    struct key_parts parts = {
        .prefix = accept->options->redis.prefix,
        .tag = accept->options->redis.tag,
        .window_s = batch->window_s,
        .strategy = schema_strategy(accept->options),
    };

    keys_add(call, KEY_SEALED, &parts);
    keys_add(call, KEY_BORN, &parts);
    keys_add(call, KEY_COUNT, &parts);
    keys_add(call, KEY_WHOLE, &parts);
    keys_add(call, KEY_OPEN, &parts);
    keys_add(call, KEY_MARKS, &parts);
    dedup_strategy_row(accept->options->dedup.strategy)->add_keys(call, batch);
    if (batch->jobs) {
        keys_add(call, KEY_CALLBACKS, &parts);
        keys_add(call, KEY_DUE, &parts);
        keys_add(call, KEY_QUEUE, &parts);
        keys_add(call, KEY_DESTINATIONS, &parts);
        keys_add(call, KEY_STRANGERS, &parts);
        keys_add(call, KEY_PROVEN, &parts);
        return add_lists(call, batch);
    }
    return 0;
}

/* The retention, but at least until the window has been sealed. */
static int64_t
count_ttl_s(const struct options *options)
{
    int64_t retention_s = options->window.retention_hours * 3600;
    int64_t least_s = 3 * options->window.seconds;

    return int64_max(retention_s, least_s);
}

/* A limit that is for several: the part of each, rounded up. */
static int64_t
part_of(int64_t limit, int64_t parts)
{
    return (limit + parts - 1) / parts;
}

int64_t
accept_call_max_queue_bytes(const struct options *options,
                            const struct redis *redis)
{
    int64_t set_mb = options->callbacks.max_queue_mb;
    int64_t redis_bytes = redis_max_memory(redis);
    int64_t shards = options->redis.shards;

    if (set_mb == 0 && redis_bytes > 0) {
        return part_of(redis_bytes / 4, part_of(shards, redis_masters(redis)));
    }
    return part_of((set_mb == 0 ? MAX_QUEUE_MB : set_mb) * 1024 * 1024, shards);
}

static void
add_jobs(const struct accept_call *accept, struct command *call,
         const struct dedup_batch *batch)
{
    char origin[ORIGIN_SIZE];
    char job[JOB_MAX_BYTES];

    redis_arg_int(call, accept->options->callbacks.max_queue);
    redis_arg_int(call,
                  accept_call_max_queue_bytes(accept->options, accept->redis));
    redis_arg_int(call, accept->news == NULL
                            ? 0
                            : shard_news_others(accept->news,
                                                accept->options->redis.shard,
                                                batch->window_s));
    for (size_t i = 0; i < batch->count; i++) {
        const struct counter_request *request = &batch->requests[i];

        if (request->endpoint != NULL) {
            origin_read(request->endpoint, request->endpoint_len, origin);
            redis_arg_int(call, (int64_t)i + 1);
            redis_arg(call, origin, strlen(origin));
            redis_arg(call, job, put_job(job, request));
        }
    }
}

static void
add_args(const struct accept_call *accept, struct command *call,
         const struct dedup_batch *batch)
{
    const struct options *options = accept->options;

    redis_arg_int(call, batch->window_s);
    redis_arg_int(call, 2 * options->window.seconds);
    redis_arg_int(call, count_ttl_s(options));
    redis_arg(call, accept->born, strlen(accept->born));
    marks_add_batch(accept->marks, call, batch->window_s);
    dedup_strategy_row(accept->options->dedup.strategy)->add_args(call, batch);
    if (batch->jobs) {
        add_jobs(accept, call, batch);
    }
}

int
accept_call_start(const struct accept_call *accept, struct dedup_batch *batch)
{
    const struct dedup_strategy *dedup =
        dedup_strategy_row(accept->options->dedup.strategy);
    struct command *call = redis_call(
        accept->redis,
        accept->options->redis.shard > 0 ? dedup->told : dedup->script);

    batch->jobs = has_jobs(batch);
    if (add_keys(accept, call, batch) != 0) {
        return -1;
    }
    add_args(accept, call, batch);
    redis_call_replicas(call, accept->options->redis.wait_replicas);
    return 0;
}

bool
accept_call_read(const struct redis_reply *reply, struct accept_reply *read)
{
    int64_t kind;

    if (redis_reply_int(reply, &read->left_ms)) {
        read->added = read->left_ms % ADDED_RANGE;
        read->left_ms /= ADDED_RANGE;
        read->counted = true;
        return true;
    }
    if (!redis_reply_int(redis_reply_at(reply, 0), &kind)) {
        return false;
    }
    read->counted = kind == 1;
    read->data_reset = kind == 2;
    read->data_lost = kind == 3;
    if (read->data_reset || read->data_lost) {
        return true;
    }
    if (read->counted) {
        return redis_reply_int(redis_reply_at(reply, 1), &read->left_ms) &&
               redis_reply_int(redis_reply_at(reply, 2), &read->jobs) &&
               redis_reply_int(redis_reply_at(reply, 3), &read->added);
    }
    read->sets = 0;
    redis_reply_int(redis_reply_at(reply, 3), &read->sets);
    return redis_reply_int(redis_reply_at(reply, 1), &read->window_s) &&
           redis_reply_int(redis_reply_at(reply, 2), &read->left_ms);
}
