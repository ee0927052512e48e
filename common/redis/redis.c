/*
 * redis: runs scripts on the connection that redis_link keeps up. A run blocks
 * for at most the time limit, whatever Redis does.
 */
#include "redis.h"

#include <errno.h>
#include <hiredis/hiredis.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/decimal.h"
#include "base/util.h"
#include "command.h"
#include "connection.h"
#include "redis_url.h"

enum { WAIT_LATE_MS = 100 };

struct redis {
    struct connection *connection;
    int64_t timeout_ms;
    struct command call;
    redisReply *reply;  /* of the last run; freed at the next */
    redisReply *waited; /* of the WAIT behind it; NULL: there was none */
};

const char *
redis_url_problem(const char *text)
{
    struct redis_url url;
    const char *problem = redis_url_parse(text, &url);

    redis_url_fini(&url);
    return problem;
}

struct redis *
redis_open(const struct redis_options *options)
{
    struct redis *redis = calloc(1, sizeof(*redis));

    if (redis == NULL) {
        return NULL;
    }
    redis->timeout_ms = options->timeout_ms;
    redis->connection = connection_open(options);
    if (redis->connection == NULL) {
        free(redis);
        return NULL;
    }
    return redis;
}

static void
drop_replies(struct redis *redis)
{
    freeReplyObject(redis->reply);
    freeReplyObject(redis->waited);
    redis->reply = NULL;
    redis->waited = NULL;
}

void
redis_close(struct redis *redis)
{
    if (redis == NULL) {
        return;
    }
    drop_replies(redis);
    command_fini(&redis->call);
    connection_close(redis->connection);
    free(redis);
}

int
redis_fd(const struct redis *redis)
{
    return connection_fd(redis->connection);
}

void
redis_step(struct redis *redis)
{
    connection_step(redis->connection);
}

enum redis_state
redis_state(const struct redis *redis)
{
    return connection_state(redis->connection);
}

uint64_t
redis_connection(struct redis *redis)
{
    return connection_check(redis->connection);
}

bool
redis_peer(const struct redis *redis, struct sockaddr_storage *address)
{
    int64_t port = connection_tcp_port(redis->connection);
    struct sockaddr_in *here = (struct sockaddr_in *)address;
    socklen_t len = sizeof(*address);

    if (redis_state(redis) != REDIS_STATE_UP) {
        return false;
    }
    if (port == 0) {
        return getpeername(connection_context(redis->connection)->fd,
                           (struct sockaddr *)address, &len) == 0;
    }
    *here = (struct sockaddr_in){.sin_family = AF_INET,
                                 .sin_port = htons((uint16_t)port)};
    here->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return true;
}

const char *
redis_error(const struct redis *redis)
{
    return connection_error(redis->connection);
}

enum redis_state
redis_wait(struct redis *redis)
{
    return connection_wait(redis->connection);
}

/* Waits until the socket can be read, or written; false at end_ms. */
static bool
await(struct redis *redis, short events, int64_t end_ms)
{
    const redisContext *context = connection_context(redis->connection);
    struct pollfd pollfd = {.fd = context->fd, .events = events};
    int n;

    do {
        int64_t left_ms = end_ms - clock_mono_ms();

        n = poll(&pollfd, 1, left_ms > 0 ? (int)left_ms : 0);
    } while (n < 0 && errno == EINTR);
    return n > 0;
}

/* Sends what is in the output buffer. NULL, or what went wrong. */
static const char *
send_all(struct redis *redis, int64_t end_ms)
{
    redisContext *context = connection_context(redis->connection);
    int written = 0;

    while (!written) {
        if (redisBufferWrite(context, &written) != REDIS_OK) {
            return context->errstr;
        }
        if (!written && !await(redis, POLLOUT, end_ms)) {
            return "no answer in time";
        }
    }
    return NULL;
}

/* Takes one reply. NULL, or what went wrong. */
static const char *
receive(struct redis *redis, redisReply **reply, int64_t end_ms)
{
    redisContext *context = connection_context(redis->connection);
    void *taken = NULL;

    for (;;) {
        if (redisGetReplyFromReader(context, &taken) != REDIS_OK) {
            return context->errstr;
        }
        if (taken != NULL) {
            *reply = taken;
            return NULL;
        }
        if (!await(redis, POLLIN, end_ms)) {
            return "no answer in time";
        }
        if (redisBufferRead(context) != REDIS_OK) {
            return context->errstr;
        }
    }
}

/*
 * Sends what was appended and waits for the reply, or two where there is a
 * WAIT behind. A connection that fails here is closed: a late reply would
 * answer the next command. Too slow is down; broken is worth an attempt at
 * once.
 */
static bool
exchange(struct redis *redis, bool appended, bool waits, int64_t end_ms)
{
    const char *problem = "no memory";

    drop_replies(redis);
    if (appended) {
        problem = send_all(redis, end_ms);
    }
    if (problem == NULL) {
        problem = receive(redis, &redis->reply, end_ms);
    }
    if (problem == NULL && waits) {
        problem = receive(redis, &redis->waited, end_ms);
    }
    if (problem == NULL && redis->reply != NULL) {
        return true;
    }
    if (clock_mono_ms() >= end_ms) {
        connection_give_up(redis->connection, problem);
    } else {
        connection_lose(redis->connection, problem);
    }
    return false;
}

/* Appends a command to what is sent. */
static bool
append(struct redis *redis, int argc, const char **argv)
{
    return redisAppendCommandArgv(connection_context(redis->connection), argc,
                                  argv, NULL) == REDIS_OK;
}

struct command *
redis_call(struct redis *redis, const struct redis_script *script)
{
    command_start(&redis->call, script);
    return &redis->call;
}

/*
 * Half of the time that is left, as the script takes some, too; but for what
 * Redis may be late with the answer: it looks ten times a second which WAIT is
 * over. One of 0 has no end.
 */
static bool
append_wait(struct redis *redis, int64_t wanted, int64_t end_ms)
{
    int64_t wait_ms = (end_ms - clock_mono_ms() - WAIT_LATE_MS) / 2;
    char replicas[24] = "", limit_ms[24] = "";
    const char *argv[] = {"WAIT", replicas, limit_ms};

    decimal_format(replicas, wanted);
    decimal_format(limit_ms, wait_ms > 0 ? wait_ms : 1);
    return append(redis, 3, argv);
}

/* True where as many replicas as were wanted have what was written. */
static bool
is_replicated(struct redis *redis, int64_t wanted)
{
    bool told =
        redis->waited != NULL && redis->waited->type == REDIS_REPLY_INTEGER;
    int64_t have = told ? redis->waited->integer : 0;
    char why[96];

    if (have >= wanted) {
        return true;
    }
    snprintf(why, sizeof(why),
             "too few replicas have it: %" PRId64
             " of redis.wait_replicas = %" PRId64,
             have, wanted);
    connection_note(redis->connection, "WAIT", why);
    return false;
}

static bool
run_as(struct redis *redis, const char *command, const char *script,
       int64_t end_ms)
{
    const struct command *call = &redis->call;
    bool waits = call->replicas > 0;
    bool appended = command_append(call, command, script,
                                   connection_context(redis->connection)) == 0;

    if (appended && waits) {
        appended = append_wait(redis, call->replicas, end_ms);
    }
    return exchange(redis, appended, waits, end_ms);
}

/* Runs the script by its name; by its text where Redis has forgotten it. */
static bool
run_script(struct redis *redis, int64_t end_ms)
{
    const struct redis_script *script = redis->call.script;

    if (!run_as(redis, "EVALSHA", script->sha1, end_ms)) {
        return false;
    }
    if (redis->reply->type == REDIS_REPLY_ERROR &&
        starts_with(redis->reply->str, "NOSCRIPT")) {
        return run_as(redis, "EVAL", script->body, end_ms);
    }
    return true;
}

/*
 * Notes an error reply. One that says that this is no Redis for us any more
 * (a replica after a failover, say) ends the connection.
 */
static void
note_refusal(struct redis *redis)
{
    const char *text = redis->reply->str;

    connection_note(redis->connection, redis->call.script->name, text);
    if (starts_with(text, "READONLY") || starts_with(text, "LOADING") ||
        starts_with(text, "MASTERDOWN") || starts_with(text, "NOAUTH")) {
        connection_give_up(redis->connection, text);
    }
}

enum redis_result
redis_run(struct redis *redis, const struct redis_reply **reply)
{
    int64_t end_ms;

    if (redis_wait(redis) != REDIS_STATE_UP) {
        return REDIS_AWAY;
    }
    end_ms = clock_mono_ms() + redis->timeout_ms;
    if (!run_script(redis, end_ms)) {
        return REDIS_LOST;
    }
    if (redis->reply->type == REDIS_REPLY_ERROR) {
        note_refusal(redis);
        return REDIS_REFUSED;
    }
    *reply = (const struct redis_reply *)redis->reply;
    return is_replicated(redis, redis->call.replicas) ? REDIS_DONE
                                                      : REDIS_SPARSE;
}
