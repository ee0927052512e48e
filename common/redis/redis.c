/*
 * redis: runs scripts on the connection that connection.c keeps up, and reads
 * their replies without trust in their shape. A run is sent and then received
 * step by step; redis_run does both and waits in between. A struct redis_reply
 * is hiredis's redisReply under a name of ours.
 */
#include "redis.h"

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
    struct command command; /* of the last run, and of the one being made */
    int64_t end_ms;         /* monotonic: time limit of the run under way */
    bool unsent;            /* some of it is still in the output buffer */
    bool by_text;           /* the script was sent as text, not by its name */
    redisReply *reply;      /* of the last run; freed at the next */
    redisReply *waited;     /* of the WAIT behind it; NULL: there was none */
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
    command_fini(&redis->command);
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

struct command *
redis_call(struct redis *redis, const struct redis_script *script)
{
    command_start(&redis->command, script);
    return &redis->command;
}

/* A connection that timed out is down; a broken one is made anew at once. */
static enum redis_result
lose(struct redis *redis, const char *why)
{
    /* It is closed in any case: a late reply would answer the next run. */
    if (clock_mono_ms() >= redis->end_ms) {
        connection_give_up(redis->connection, why);
    } else {
        connection_lose(redis->connection, why);
    }
    return REDIS_LOST;
}

/* Writes the output buffer as far as the socket takes it. */
static bool
flush(struct redis *redis)
{
    int written = 0;
    bool good = redisBufferWrite(connection_context(redis->connection),
                                 &written) == REDIS_OK;

    redis->unsent = !written;
    return good;
}

/*
 * WAIT gets half of the time that is left, as the script takes some, too, but
 * for the 100 ms that Redis may be late: ten times a second it looks which WAIT
 * has ended. A WAIT of 0 ms has no end.
 */
static int64_t
replicas_wait_ms(const struct redis *redis)
{
    int64_t wait_ms = (redis->end_ms - clock_mono_ms() - WAIT_LATE_MS) / 2;

    return wait_ms > 0 ? wait_ms : 1;
}

static enum redis_result
send_script(struct redis *redis, bool by_text)
{
    redisContext *context = connection_context(redis->connection);

    drop_replies(redis);
    redis->by_text = by_text;
    if (command_append(&redis->command, by_text, replicas_wait_ms(redis),
                       context) != 0) {
        return lose(redis, "no memory");
    }
    return flush(redis) ? REDIS_PENDING : lose(redis, context->errstr);
}

enum redis_result
redis_send(struct redis *redis)
{
    if (redis_wait(redis) != REDIS_STATE_UP) {
        return REDIS_AWAY;
    }
    redis->end_ms = clock_mono_ms() + redis->timeout_ms;
    return send_script(redis, false);
}

/* Takes a reply that has come into *reply, unless it is there already. */
static bool
take_reply(redisContext *context, redisReply **reply)
{
    void *taken = NULL;

    if (*reply == NULL) {
        if (redisGetReplyFromReader(context, &taken) != REDIS_OK) {
            return false;
        }
        *reply = taken;
    }
    return true;
}

/* Takes what has come, without waiting. False if the connection is broken. */
static bool
take_replies(struct redis *redis)
{
    redisContext *context = connection_context(redis->connection);

    return redisBufferRead(context) == REDIS_OK &&
           take_reply(context, &redis->reply) &&
           (redis->reply == NULL || redis->command.replicas == 0 ||
            take_reply(context, &redis->waited));
}

static bool
has_replies(const struct redis *redis)
{
    return redis->reply != NULL &&
           (redis->command.replicas == 0 || redis->waited != NULL);
}

/* True if as many replicas as were wanted have what the run wrote. */
static bool
is_replicated(struct redis *redis)
{
    int64_t wanted = redis->command.replicas;
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

/*
 * Notes an error reply. An error that says that this Redis is of no use to us
 * any more (it became a replica in a failover, for example) ends the
 * connection.
 */
static enum redis_result
refuse(struct redis *redis)
{
    const char *text = redis->reply->str;

    connection_note(redis->connection, redis->command.script->name, text);
    if (starts_with(text, "READONLY") || starts_with(text, "LOADING") ||
        starts_with(text, "MASTERDOWN") || starts_with(text, "NOAUTH")) {
        connection_give_up(redis->connection, text);
    }
    return REDIS_REFUSED;
}

enum redis_result
redis_receive(struct redis *redis, const struct redis_reply **reply)
{
    redisContext *context = connection_context(redis->connection);

    if ((redis->unsent && !flush(redis)) || !take_replies(redis)) {
        return lose(redis, context->errstr);
    }
    if (!has_replies(redis)) {
        return clock_mono_ms() < redis->end_ms
                   ? REDIS_PENDING
                   : lose(redis, "no answer in time");
    }
    if (redis->reply->type == REDIS_REPLY_ERROR) {
        return !redis->by_text && starts_with(redis->reply->str, "NOSCRIPT")
                   ? send_script(redis, true)
                   : refuse(redis);
    }
    *reply = (const struct redis_reply *)redis->reply;
    return is_replicated(redis) ? REDIS_DONE : REDIS_SPARSE;
}

int64_t
redis_left_ms(const struct redis *redis)
{
    return int64_max(redis->end_ms - clock_mono_ms(), 0);
}

void
redis_await(const struct redis *redis)
{
    struct pollfd pollfd = {
        .fd = connection_context(redis->connection)->fd,
        .events = (short)(redis->unsent ? POLLIN | POLLOUT : POLLIN)};

    poll(&pollfd, 1, (int)redis_left_ms(redis));
}

enum redis_result
redis_run(struct redis *redis, const struct redis_reply **reply)
{
    enum redis_result result = redis_send(redis);

    while (result == REDIS_PENDING) {
        redis_await(redis);
        result = redis_receive(redis, reply);
    }
    return result;
}

static const redisReply *
of(const struct redis_reply *reply)
{
    return (const redisReply *)reply;
}

static bool
is_text(const redisReply *reply)
{
    return reply != NULL && (reply->type == REDIS_REPLY_STRING ||
                             reply->type == REDIS_REPLY_STATUS);
}

size_t
redis_reply_count(const struct redis_reply *reply)
{
    return reply != NULL && of(reply)->type == REDIS_REPLY_ARRAY
               ? of(reply)->elements
               : 0;
}

const struct redis_reply *
redis_reply_at(const struct redis_reply *reply, size_t i)
{
    if (i >= redis_reply_count(reply)) {
        return NULL;
    }
    return (const struct redis_reply *)of(reply)->element[i];
}

bool
redis_reply_int(const struct redis_reply *reply, int64_t *value)
{
    const redisReply *raw = of(reply);

    if (raw != NULL && raw->type == REDIS_REPLY_INTEGER) {
        *value = raw->integer;
        return true;
    }
    return is_text(raw) && decimal_parse(raw->str, raw->len, value);
}

const char *
redis_reply_text(const struct redis_reply *reply, size_t *len)
{
    const redisReply *raw = of(reply);

    if (!is_text(raw)) {
        return NULL;
    }
    *len = raw->len;
    return raw->str;
}
