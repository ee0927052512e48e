/*
 * lease: what we were last told of one sink's hash. Redis decides; here is
 * only counted down for how long its last word can be relied on.
 */
#define _GNU_SOURCE /* asprintf */
#include "sink_lease.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/util.h"
#include "sink-advance.lua.h"
#include "sink-lease.lua.h"
#include "sink-release.lua.h"

/* Another's lease is asked for again only after this time. */
enum { ASK_MS = 500 };

struct sink_lease {
    struct redis *redis;
    char *key;
    char *owner;
    int64_t token;    /* 0: not ours */
    int64_t asked_ms; /* monotonic, before the last question was sent */
    int64_t end_ms;   /* monotonic: ours until then; 0 with token 0 */
    int64_t cursor_s;
};

void
sink_lease_owner(char owner[SINK_LEASE_OWNER_SIZE])
{
    char host[HOST_NAME_SIZE];
    uint64_t word = 0;

    host_name(host);
    /* Never short nor interrupted for up to 256 bytes: getrandom(2). */
    (void)!getrandom(&word, sizeof(word), 0);
    snprintf(owner, SINK_LEASE_OWNER_SIZE, "%.64s:%d:%016" PRIx64, host,
             (int)getpid(), word);
}

struct sink_lease *
sink_lease_open(struct redis *redis, const char *prefix, const char *name,
                const char *owner)
{
    struct sink_lease *lease = calloc(1, sizeof(*lease));

    if (lease == NULL) {
        return NULL;
    }
    lease->redis = redis;
    lease->asked_ms = INT64_MIN / 2;
    lease->owner = strdup(owner);
    if (asprintf(&lease->key, "%s:sink:%s", prefix, name) < 0) {
        lease->key = NULL; /* else it is undefined: asprintf(3) */
    }
    if (lease->owner == NULL || lease->key == NULL) {
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
    free(lease->key);
    free(lease->owner);
    free(lease);
}

static void
lose(struct sink_lease *lease)
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

/* Starts a call that names the owner. */
static struct command *
call(struct sink_lease *lease, const struct redis_script *script)
{
    struct command *made = redis_call(lease->redis, script);

    redis_key(made, "%s", lease->key);
    redis_arg(made, lease->owner, strlen(lease->owner));
    return made;
}

/* Runs a call whose reply is a number and the cursor. */
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
    lease->cursor_s = cursor_s;
    return 0;
}

int
sink_lease_keep(struct sink_lease *lease)
{
    int64_t now_ms = clock_mono_ms();
    struct command *made;
    int64_t token;

    if (now_ms - lease->asked_ms <
        (sink_lease_ours(lease) ? SINK_LEASE_RENEW_MS : ASK_MS)) {
        return 0;
    }
    made = call(lease, &script_sink_lease);
    redis_arg_int(made, SINK_LEASE_MS);
    if (run(lease, &token) < 0) {
        return -1; /* what we have ends by our clock */
    }
    lease->asked_ms = now_ms;
    lose(lease);
    if (token != 0) {
        lease->token = token;
        lease->end_ms = now_ms + SINK_LEASE_OURS_MS;
    }
    return 0;
}

int
sink_lease_advance(struct sink_lease *lease, int64_t start_s,
                   int64_t implausible_from_s)
{
    struct command *made;
    int64_t moved;

    if (!sink_lease_ours(lease)) {
        return 0;
    }
    made = call(lease, &script_sink_advance);
    redis_arg_int(made, lease->token);
    redis_arg_int(made, start_s);
    redis_arg_int(made, implausible_from_s);
    if (run(lease, &moved) < 0) {
        return -1;
    }
    if (!moved) {
        lose(lease);
    }
    return 0;
}

void
sink_lease_release(struct sink_lease *lease)
{
    const struct redis_reply *reply;
    struct command *made;

    if (!sink_lease_ours(lease)) {
        return;
    }
    made = call(lease, &script_sink_release);
    redis_arg_int(made, lease->token);
    /* Where this fails, the lease ends by itself. */
    (void)!redis_run(lease->redis, &reply);
    lose(lease);
}
