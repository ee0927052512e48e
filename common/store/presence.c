/*
 * presence: one script writes and tells. Who is there is decided in Redis, by
 * its clock.
 */
#define _GNU_SOURCE /* asprintf */
#include "presence.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/util.h"
#include "base/version.h"
#include "config/digest.h"
#include "keys.h"
#include "presence.lua.h"

struct presence {
    struct redis *redis;
    char *prefix;
    const char *program;
    int64_t every_ms; /* between two writes */
    char *name;
    char host[HOST_NAME_SIZE];
    char digest[CONFIG_DIGEST_SIZE];
    uint64_t connection; /* on which it was written last; 0: not yet */
    int64_t written_ms;  /* monotonic: the last try */
    struct presence_heard heard;
};

/* <program>/<host>/<part>, malloc'd; NULL: no memory. */
static char *
make_name(const struct presence *presence, const char *part)
{
    char *name = NULL;
    int len = asprintf(&name, "%s/%s%s%s", presence->program, presence->host,
                       part[0] == '/' ? "" : "/", part);

    return len < 0 ? NULL : name;
}

struct presence *
presence_open(const struct options *options, struct redis *redis,
              const char *program, const char *part)
{
    struct presence *presence = calloc(1, sizeof(*presence));

    if (presence == NULL) {
        return NULL;
    }
    presence->redis = redis;
    host_name(presence->host);
    presence->prefix = strdup(options->redis.prefix);
    presence->program = program;
    presence->every_ms = strcmp(program, PRESENCE_WEB) == 0
                             ? PRESENCE_WEB_MS
                             : PRESENCE_REPORTER_MS;
    presence->name = make_name(presence, part);
    if (presence->prefix == NULL || presence->name == NULL ||
        config_digest(options, presence->digest) != 0) {
        presence_close(presence);
        return NULL;
    }
    return presence;
}

void
presence_close(struct presence *presence)
{
    if (presence != NULL) {
        free(presence->prefix);
        free(presence->name);
        free(presence);
    }
}

int64_t
presence_wait_ms(const struct presence *presence)
{
    uint64_t connection = redis_connection(presence->redis);

    if (connection == 0) {
        return -1;
    }
    if (connection != presence->connection) {
        return 0;
    }
    return int64_max(
        presence->written_ms + presence->every_ms - clock_mono_ms(), 0);
}

static void
add_text(struct command *call, const char *text)
{
    redis_arg(call, text, strlen(text));
}

/* Makes the call; text: the JSON; "": the program ends. */
static void
make_call(struct presence *presence, const char *text)
{
    struct key_parts parts = {.prefix = presence->prefix};
    struct command *call = redis_call(presence->redis, &script_presence);

    keys_add(call, KEY_PRESENCE, &parts);
    keys_add(call, KEY_PRESENCE_SAID, &parts);
    add_text(call, presence->name);
    add_text(call, text);
    add_text(call, PRESENCE_REPORTS);
    redis_arg_int(call, PRESENCE_REPORTER_GONE_MS);
    redis_arg_int(call, PRESENCE_FORGET_MS);
    redis_arg_int(call, PRESENCE_MOST);
}

static void
hear(struct presence *presence, const struct redis_reply *reply)
{
    struct presence_heard heard = {.at_ms = presence->written_ms};

    if (redis_reply_int(redis_reply_at(reply, 0), &heard.reporters) &&
        redis_reply_int(redis_reply_at(reply, 1), &heard.silent_ms)) {
        presence->heard = heard;
    }
}

/* The JSON that is written, malloc'd; NULL: no memory. */
static char *
describe(const struct presence *presence, json_t *details)
{
    json_t *root = json_pack(
        "{s:i, s:s, s:s, s:s, s:s, s:I}", "v", 1, "program", presence->program,
        "version", VERVE_VERSION, "config", presence->digest, "host",
        presence->host, "clock_ms", (json_int_t)clock_wall_ms());
    char *text = NULL;

    if (root != NULL && json_object_update(root, details) == 0) {
        text = json_dumps(root, JSON_COMPACT);
    }
    json_decref(root);
    return text;
}

/*
 * Makes the call that writes; takes details. False: no memory. That is a try,
 * too: else the next would be due at once.
 */
static bool
make_write(struct presence *presence, json_t *details)
{
    char *text = describe(presence, details);

    presence->written_ms = clock_mono_ms();
    presence->connection = redis_connection(presence->redis);
    json_decref(details);
    if (text == NULL) {
        return false;
    }
    make_call(presence, text);
    free(text);
    return true;
}

bool
presence_start(struct presence *presence, json_t *details)
{
    return make_write(presence, details) &&
           redis_send(presence->redis) == REDIS_PENDING;
}

bool
presence_step(struct presence *presence)
{
    const struct redis_reply *reply;
    enum redis_result result = redis_receive(presence->redis, &reply);

    if (result == REDIS_DONE) {
        hear(presence, reply);
    }
    return result == REDIS_PENDING;
}

void
presence_write(struct presence *presence, json_t *details)
{
    const struct redis_reply *reply;

    if (make_write(presence, details) &&
        redis_run(presence->redis, &reply) == REDIS_DONE) {
        hear(presence, reply);
    }
}

void
presence_leave(struct presence *presence)
{
    const struct redis_reply *reply;

    if (redis_connection(presence->redis) != 0) {
        make_call(presence, "");
        redis_run(presence->redis, &reply);
    }
}

struct presence_heard
presence_heard(const struct presence *presence)
{
    return presence->heard;
}
