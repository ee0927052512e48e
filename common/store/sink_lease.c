/*
 * sink_lease: a copy of one sink's hash, as of the last reply. Redis decides
 * who has the lease; this module only limits how long its last reply is valid.
 */
#include "sink_lease.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/util.h"
#include "keys.h"
#include "sink-advance.lua.h"
#include "sink-lease.lua.h"
#include "sink-note.lua.h"
#include "sink-release.lua.h"

/* If another reporter has the lease, we ask again after this time. */
enum { ASK_MS = 500 };

struct sink_lease {
    struct redis *redis; /* for the hash of the sink */
    struct redis *list;  /* for the list of all sinks */
    char *prefix;
    char *name;
    char *owner;
    int64_t token;      /* 0: the lease is not ours */
    int64_t asked_ms;   /* monotonic: before the last request was sent */
    int64_t end_ms;     /* monotonic: end of our lease; 0 if token is 0 */
    int64_t cursor_s;   /* as of the last reply */
    int64_t rewound_ms; /* the same; -1: there was no reply */
};

void
sink_lease_owner(char owner[SINK_LEASE_OWNER_SIZE])
{
    char host[HOST_NAME_SIZE];

    host_name(host);
    snprintf(owner, SINK_LEASE_OWNER_SIZE, "%.64s:%d:%016" PRIx64, host,
             (int)getpid(), random_number());
}

struct sink_lease *
sink_lease_open(const struct sink_lease_options *options)
{
    struct sink_lease *lease = calloc(1, sizeof(*lease));

    if (lease == NULL) {
        return NULL;
    }
    lease->redis = options->redis;
    lease->list = options->list;
    lease->asked_ms = INT64_MIN / 2;
    lease->rewound_ms = -1;
    lease->prefix = strdup(options->prefix);
    lease->name = strdup(options->name);
    lease->owner = strdup(options->owner);
    if (lease->prefix == NULL || lease->name == NULL || lease->owner == NULL) {
        sink_lease_close(lease);
        return NULL;
    }
    return lease;
}

void
sink_lease_close(struct sink_lease *lease)
{
    if (lease == NULL) {
        return;
    }
    free(lease->prefix);
    free(lease->name);
    free(lease->owner);
    free(lease);
}

static void
drop(struct sink_lease *lease)
{
    lease->token = 0;
    lease->end_ms = 0;
}

bool
sink_lease_ours(const struct sink_lease *lease)
{
    return lease->token != 0 && clock_mono_ms() < lease->end_ms;
}

int64_t
sink_lease_cursor_s(const struct sink_lease *lease)
{
    return lease->cursor_s;
}

int64_t
sink_lease_rewound_ms(const struct sink_lease *lease)
{
    return lease->rewound_ms;
}

/* Starts a call with the sink's key and our name. */
static struct command *
start_call(struct sink_lease *lease, const struct redis_script *script)
{
    struct command *call = redis_call(lease->redis, script);
    struct key_parts parts = {.prefix = lease->prefix, .name = lease->name};

    keys_add(call, KEY_SINK, &parts);
    redis_arg(call, lease->owner, strlen(lease->owner));
    return call;
}

/* Runs a call whose reply is a number, the cursor, and sometimes the time of
   the last rewind. */
static int
run(struct sink_lease *lease, int64_t *number)
{
    const struct redis_reply *reply;
    int64_t cursor_s;

    if (redis_run(lease->redis, &reply) != REDIS_DONE ||
        !redis_reply_int(redis_reply_at(reply, 0), number) ||
        !redis_reply_int(redis_reply_at(reply, 1), &cursor_s)) {
        return -1;
    }
    (void)redis_reply_int(redis_reply_at(reply, 2), &lease->rewound_ms);
    lease->cursor_s = cursor_s;
    return 0;
}

/* Notes the sink in the list of all sinks. 0, or -1. */
static int
note(struct sink_lease *lease)
{
    struct command *call = redis_call(lease->list, &script_sink_note);
    struct key_parts parts = {.prefix = lease->prefix};
    const struct redis_reply *reply;

    keys_add(call, KEY_SINKS, &parts);
    redis_arg(call, lease->name, strlen(lease->name));
    return redis_run(lease->list, &reply) == REDIS_DONE ? 0 : -1;
}

int
sink_lease_keep(struct sink_lease *lease)
{
    int64_t now_ms = clock_mono_ms();
    struct command *call;
    int64_t token;

    if (now_ms - lease->asked_ms <
        (sink_lease_ours(lease) ? SINK_LEASE_RENEW_MS : ASK_MS)) {
        return 0;
    }
    call = start_call(lease, &script_sink_lease);
    redis_arg_int(call, SINK_LEASE_MS);
    if (run(lease, &token) < 0) {
        return -1; /* our lease, if any, ends by our own clock */
    }
    lease->asked_ms = now_ms;
    drop(lease);
    if (token == 0) {
        return 0;
    }
    lease->token = token;
    lease->end_ms = now_ms + SINK_LEASE_OURS_MS;
    return note(lease);
}

int
sink_lease_advance(struct sink_lease *lease, int64_t start_s,
                   int64_t implausible_from_s)
{
    struct command *call;
    int64_t moved;

    if (!sink_lease_ours(lease)) {
        return 0;
    }
    call = start_call(lease, &script_sink_advance);
    redis_arg_int(call, lease->token);
    redis_arg_int(call, start_s);
    redis_arg_int(call, implausible_from_s);
    if (run(lease, &moved) < 0) {
        return -1;
    }
    if (!moved) {
        drop(lease);
    }
    return 0;
}

void
sink_lease_release(struct sink_lease *lease)
{
    const struct redis_reply *reply;
    struct command *call;

    if (!sink_lease_ours(lease)) {
        return;
    }
    call = start_call(lease, &script_sink_release);
    redis_arg_int(call, lease->token);
    /* If this fails, the lease ends by itself. */
    (void)!redis_run(lease->redis, &reply);
    drop(lease);
}
