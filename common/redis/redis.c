/*
 * redis: runs scripts on the connection that connection.c keeps up, and reads
 * their replies, whatever their type is. A run is sent and then received step
 * by step; redis_run does both and waits in between. A struct redis_reply is
 * hiredis's redisReply under a name of ours.
 */
#include "redis.h"

#include <hiredis/hiredis.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/decimal.h"
#include "base/util.h"
#include "cluster_map.h"
#include "command.h"
#include "connection.h"
#include "review.h"

enum {
    WAIT_LATE_MS = 100,
    UNSENT_MS = 10, /* between two looks whether the rest can be sent */
};

enum redis_state
redis_state(const struct redis *redis)
{
    return redis->state;
}

enum redis_fault
redis_fault(const struct redis *redis)
{
    return redis->handshake.fault;
}

const char *
redis_error(const struct redis *redis)
{
    return redis->error;
}

const char *
redis_node(const struct redis *redis)
{
    return redis->link.name == NULL ? "" : redis->link.name;
}

const char *
redis_refusal(const struct redis *redis)
{
    bool refused =
        redis->reply != NULL && redis->reply->type == REDIS_REPLY_ERROR;

    return refused ? redis->reply->str : "";
}

enum redis_state
redis_wait(struct redis *redis)
{
    int64_t end_ms = clock_mono_ms() + redis->options.timeout_ms;

    while (redis->state == REDIS_STATE_CONNECTING) {
        struct pollfd pollfd = {.fd = redis->epoll_fd, .events = POLLIN};
        int64_t left_ms = end_ms - clock_mono_ms();

        if (left_ms <= 0) {
            break;
        }
        poll(&pollfd, 1, (int)left_ms);
        redis_step(redis);
    }
    return redis->state;
}

struct command *
redis_call(struct redis *redis, const struct redis_script *script)
{
    command_start(&redis->command, script);
    return &redis->command;
}

/*
 * Ends a run without a reply. The connection is closed in any case: a late
 * reply would be taken for that of the next run. After a timeout Redis counts
 * as down; a broken connection is made again at once.
 */
static enum redis_result
fail_run(struct redis *redis, const char *why)
{
    if (clock_mono_ms() >= redis->end_ms) {
        connection_give_up(redis, why);
    } else {
        connection_reconnect(redis, why);
    }
    return REDIS_LOST;
}

/*
 * The time limit of WAIT: half of the time that is left, as the script needs
 * time, too. Before that, 100 ms are taken off, because Redis checks only ten
 * times a second which WAIT has timed out. A WAIT of 0 ms never times out.
 */
static int64_t
replicas_wait_ms(const struct redis *redis)
{
    int64_t wait_ms = (redis->end_ms - clock_mono_ms() - WAIT_LATE_MS) / 2;

    return wait_ms > 0 ? wait_ms : 1;
}

static void
free_replies(struct redis *redis)
{
    freeReplyObject(redis->reply);
    freeReplyObject(redis->wait_reply);
    redis->reply = NULL;
    redis->wait_reply = NULL;
}

static enum redis_result
send_script(struct redis *redis, bool by_text)
{
    redisContext *context = redis->link.context;

    free_replies(redis);
    redis->by_text = by_text;
    if (command_append(&redis->command, by_text, replicas_wait_ms(redis),
                       context) != 0) {
        return fail_run(redis, "no memory");
    }
    redis->running = true;
    return link_write(&redis->link) ? REDIS_PENDING
                                    : fail_run(redis, link_why(&redis->link));
}

enum redis_result
redis_send(struct redis *redis)
{
    free_replies(redis);
    if (redis_wait(redis) != REDIS_STATE_UP) {
        return REDIS_AWAY;
    }
    redis->end_ms = clock_mono_ms() + redis->options.timeout_ms;
    return send_script(redis, false);
}

/* Sets *reply to the next reply, if it is NULL and the reply has arrived. */
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

/* Takes what has been read. False if the connection is broken. */
static bool
take_replies(struct redis *redis)
{
    redisContext *context = redis->link.context;

    return take_reply(context, &redis->reply) &&
           (redis->reply == NULL || redis->command.replicas == 0 ||
            take_reply(context, &redis->wait_reply));
}

static bool
has_replies(const struct redis *redis)
{
    return redis->reply != NULL &&
           (redis->command.replicas == 0 || redis->wait_reply != NULL);
}

/* True if enough replicas have what the run wrote; else sets the error. */
static bool
is_replicated(struct redis *redis)
{
    int64_t wanted = redis->command.replicas;
    bool known = redis->wait_reply != NULL &&
                 redis->wait_reply->type == REDIS_REPLY_INTEGER;
    int64_t have = known ? redis->wait_reply->integer : 0;
    char why[96];

    if (have >= wanted) {
        return true;
    }
    snprintf(why, sizeof(why),
             "too few replicas have it: %" PRId64
             " of redis.wait_replicas = %" PRId64,
             have, wanted);
    connection_set_error(redis, "WAIT", why);
    return false;
}

/*
 * Ends a run whose reply is an error. Some errors mean that no run can succeed
 * on this Redis any more, for example if it became a replica in a failover:
 * then the connection is closed.
 */
static enum redis_result
receive_error(struct redis *redis)
{
    const char *text = redis->reply->str;
    struct server_address to;

    connection_set_error(redis, redis->command.script->name, text);
    if (redis->url.cluster &&
        cluster_map_moved(&to, text, redis->guide->master.host)) {
        connection_redirect(redis, &to);
        return REDIS_AWAY;
    }
    if (redis->url.cluster && starts_with(text, "CLUSTERDOWN")) {
        guide_doubt(redis->guide);
        guide_hasten(redis->guide);
    }
    if (starts_with(text, "READONLY") || starts_with(text, "LOADING") ||
        starts_with(text, "MASTERDOWN") || starts_with(text, "NOAUTH")) {
        connection_give_up(redis, text);
    } else {
        review_hasten(redis);
    }
    return REDIS_REFUSED;
}

enum redis_result
redis_receive(struct redis *redis, const struct redis_reply **reply)
{
    redisContext *context = redis->link.context;

    if (redis->guide_ready) {
        redis->guide_ready = false;
        redis_step(redis);
    }
    if (!redis->running) { /* redis_step has closed the connection */
        return REDIS_LOST;
    }
    if ((redis->link.unsent && !link_write(&redis->link)) ||
        !link_read(&redis->link)) {
        return fail_run(redis, link_why(&redis->link));
    }
    if (redis->reviewing && !review_step(redis)) {
        return REDIS_LOST;
    }
    if (!redis->reviewing && !take_replies(redis)) {
        return fail_run(redis, context->errstr);
    }
    if (!has_replies(redis)) {
        return clock_mono_ms() < redis->end_ms
                   ? REDIS_PENDING
                   : fail_run(redis, "no answer in time");
    }
    redis->running = false;
    if (redis->reply->type == REDIS_REPLY_ERROR) {
        return !redis->by_text && starts_with(redis->reply->str, "NOSCRIPT")
                   ? send_script(redis, true)
                   : receive_error(redis);
    }
    *reply = (const struct redis_reply *)redis->reply;
    return is_replicated(redis) ? REDIS_DONE : REDIS_SPARSE;
}

/* What the socket of a run is watched for. */
static struct pollfd
watched(const struct redis *redis)
{
    return (struct pollfd){.fd = redis->link.context->fd,
                           .events = link_events(&redis->link)};
}

static int64_t
run_left_ms(const struct redis *redis)
{
    return int64_max(redis->end_ms - clock_mono_ms(), 0);
}

/* The guide's socket and time limit end the wait, too. */
void
redis_await(struct redis *redis)
{
    struct pollfd fds[] = {watched(redis),
                           {.fd = redis->epoll_fd, .events = POLLIN}};

    poll(fds, redis->guide == NULL ? 1 : 2, (int)run_left_ms(redis));
    redis->guide_ready = redis->guide != NULL && fds[0].revents == 0;
}

/* True if the run has ended although nothing has come. */
static bool
is_over(const struct redis *redis)
{
    return redis->running ? run_left_ms(redis) == 0
                          : redis->state != REDIS_STATE_CONNECTING;
}

uint64_t
redis_await_any(const struct redis *const *list, size_t count, int64_t most_ms)
{
    struct pollfd fds[REDIS_AWAIT_MOST];
    int64_t wait_ms = most_ms;
    uint64_t ready = 0;

    for (size_t i = 0; i < count; i++) {
        fds[i] = (struct pollfd){.fd = list[i]->epoll_fd, .events = POLLIN};
        if (list[i]->running) {
            fds[i] = watched(list[i]);
            wait_ms = int64_min(wait_ms, run_left_ms(list[i]));
        } else if (list[i]->state != REDIS_STATE_CONNECTING) {
            wait_ms = 0;
        }
    }
    poll(fds, count, (int)wait_ms);
    for (size_t i = 0; i < count; i++) {
        if (fds[i].revents != 0 || is_over(list[i])) {
            ready |= UINT64_C(1) << i;
        }
    }
    return ready;
}

int64_t
redis_run_wait_ms(const struct redis *redis)
{
    if (!redis->running) {
        return 0;
    }
    return redis->link.unsent ? int64_min(UNSENT_MS, run_left_ms(redis))
                              : run_left_ms(redis);
}

enum redis_result
redis_finish(struct redis *redis, enum redis_result sent,
             const struct redis_reply **reply)
{
    const struct redis_options *options = &redis->options;
    enum redis_result result = sent;

    while (result == REDIS_PENDING) {
        redis_await(redis);
        result = redis_receive(redis, reply);
    }
    if (result != REDIS_DONE && options->on_failure != NULL) {
        options->on_failure(options->on_failure_context, result,
                            redis_refusal(redis));
    }
    return result;
}

enum redis_result
redis_run(struct redis *redis, const struct redis_reply **reply)
{
    return redis_finish(redis, redis_send(redis), reply);
}

static const redisReply *
raw_reply(const struct redis_reply *reply)
{
    return (const redisReply *)reply;
}

static bool
is_text(const redisReply *reply)
{
    return reply != NULL && (reply->type == REDIS_REPLY_STRING ||
                             reply->type == REDIS_REPLY_STATUS);
}

/* By the linker: the first and the end of a section (ld, "__start_"). */
extern const struct redis_script *const __start_redis_script_list[]
    __attribute__((weak));
extern const struct redis_script *const __stop_redis_script_list[]
    __attribute__((weak));

const struct redis_script *const *
redis_scripts(size_t *count)
{
    /* cppcheck-suppress comparePointers ; both are of one section */
    *count = (size_t)(__stop_redis_script_list - __start_redis_script_list);
    return __start_redis_script_list;
}

size_t
redis_reply_count(const struct redis_reply *reply)
{
    return reply != NULL && raw_reply(reply)->type == REDIS_REPLY_ARRAY
               ? raw_reply(reply)->elements
               : 0;
}

const struct redis_reply *
redis_reply_at(const struct redis_reply *reply, size_t i)
{
    if (i >= redis_reply_count(reply)) {
        return NULL;
    }
    return (const struct redis_reply *)raw_reply(reply)->element[i];
}

bool
redis_reply_int(const struct redis_reply *reply, int64_t *value)
{
    const redisReply *raw = raw_reply(reply);

    if (raw != NULL && raw->type == REDIS_REPLY_INTEGER) {
        *value = raw->integer;
        return true;
    }
    return is_text(raw) && decimal_parse(raw->str, raw->len, value);
}

const char *
redis_reply_text(const struct redis_reply *reply, size_t *len)
{
    const redisReply *raw = raw_reply(reply);

    if (!is_text(raw)) {
        return NULL;
    }
    *len = raw->len;
    return raw->str;
}
