/*
 * redis: the connection. It is in one of four phases:
 *
 *   RESTING   until the next attempt is due
 *   LOOKING   the name is being resolved
 *   GREETING  a socket is connecting, the greeting's commands are under way
 *   READY     scripts can be run
 *
 * The first three advance in redis_step, without blocking; a run in READY
 * blocks for at most the time limit. An epoll instance of its own holds the
 * socket and a timer, so that the user has one fd for the whole life.
 */
#include "redis.h"

#include <errno.h>
#include <hiredis/hiredis.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <unistd.h>

#include "clock.h"
#include "lookup.h"
#include "redis_call.h"
#include "redis_url.h"

enum phase { RESTING, LOOKING, GREETING, READY };

/* The commands of the greeting, in the order of their replies. */
enum step { STEP_AUTH, STEP_SELECT, STEP_NAME, STEP_MEMORY, STEP_ASK, STEPS };

/*
 * Pauses between attempts: short enough to be back within a second of Redis,
 * different for each process so that a pool does not come all at once.
 */
enum { PAUSE_MIN_MS = 100, PAUSE_SPREAD_MS = 400, LOOKUP_POLL_MS = 10 };

struct redis {
    struct redis_options options;
    struct redis_url url;
    char *client_name;
    int epoll_fd;
    int timer_fd;
    enum phase phase;
    enum redis_state state;
    int64_t due_ms; /* monotonic: the phase's time limit, or next attempt */
    struct lookup *lookup;       /* NULL for a unix socket */
    const struct addrinfo *next; /* addresses not yet tried in this attempt */
    redisContext *context;       /* NULL where there is no socket */
    bool steps[STEPS];           /* greeting's replies that are still due */
    struct redis_call greeting;  /* apart: a call may wait while we greet */
    struct redis_call call;
    redisReply *reply; /* of the last run; freed at the next */
    char error[512];
};

static void attempt(struct redis *redis);
static void connect_next(struct redis *redis);

const char *
redis_url_problem(const char *text)
{
    struct redis_url url;
    const char *problem = redis_url_parse(text, &url);

    redis_url_fini(&url);
    return problem;
}

/* Makes the epoll instance readable delay_ms from now; 0: never. */
static void
set_timer(struct redis *redis, int64_t delay_ms)
{
    struct itimerspec spec = {0};

    spec.it_value.tv_sec = delay_ms / 1000;
    spec.it_value.tv_nsec = delay_ms % 1000 * 1000000;
    timerfd_settime(redis->timer_fd, 0, &spec, NULL);
}

static void
set_due(struct redis *redis, int64_t delay_ms)
{
    redis->due_ms = clock_mono_ms() + delay_ms;
    set_timer(redis, delay_ms);
}

static void
watch(struct redis *redis, int operation, uint32_t events)
{
    struct epoll_event event = {.events = events};

    epoll_ctl(redis->epoll_fd, operation, redis->context->fd, &event);
}

static void
hang_up(struct redis *redis)
{
    if (redis->context != NULL) {
        redisFree(redis->context);
        redis->context = NULL;
    }
}

static int64_t
random_pause_ms(void)
{
    uint32_t word = 0;

    if (getrandom(&word, sizeof(word), GRND_NONBLOCK) != sizeof(word)) {
        word = (uint32_t)(clock_mono_ms() * getpid());
    }
    return PAUSE_MIN_MS + word % PAUSE_SPREAD_MS;
}

static void
become(struct redis *redis, enum redis_state state)
{
    bool news = redis->state != state;

    redis->state = state;
    if (news && redis->options.on_change != NULL) {
        redis->options.on_change(redis->options.on_change_context, state,
                                 redis->error);
    }
}

/* Gives this attempt, or this connection, up; the reason is in error. */
static void
rest(struct redis *redis, enum redis_state state)
{
    hang_up(redis);
    redis->phase = RESTING;
    set_due(redis, random_pause_ms());
    become(redis, state);
}

static void
note(struct redis *redis, const char *what, const char *why)
{
    if (redis->url.path != NULL) {
        snprintf(redis->error, sizeof(redis->error), "%s (%s): %s", what,
                 redis->url.path, why);
    } else {
        snprintf(redis->error, sizeof(redis->error), "%s (%s:%s): %s", what,
                 redis->url.host, redis->url.port, why);
    }
}

/* This address does not work: tries the next, or rests. */
static void
fail_address(struct redis *redis, const char *why)
{
    note(redis, "cannot connect", why);
    hang_up(redis);
    if (redis->next != NULL) {
        connect_next(redis);
    } else {
        rest(redis, REDIS_STATE_DOWN);
    }
}

static void
say(struct redis *redis, enum step step, int argc, const char **argv)
{
    redis->steps[step] = true;
    redisAppendCommandArgv(redis->context, argc, argv, NULL);
}

/* Puts all commands of the greeting into the output buffer. */
static void
say_greeting(struct redis *redis)
{
    const struct redis_url *url = &redis->url;
    const char *auth[] = {"AUTH", url->user, url->password};
    const char *select[] = {"SELECT", url->database};
    const char *name[] = {"CLIENT", "SETNAME", redis->client_name};
    const char *memory[] = {"INFO", "memory"};
    struct redis_call *ask = &redis->greeting;
    int words;

    memset(redis->steps, 0, sizeof(redis->steps));
    if (url->user != NULL) {
        say(redis, STEP_AUTH, 3, auth);
    } else if (url->password != NULL) {
        auth[1] = url->password;
        say(redis, STEP_AUTH, 2, auth);
    }
    if (url->database != NULL) {
        say(redis, STEP_SELECT, 2, select);
    }
    say(redis, STEP_NAME, 3, name);
    say(redis, STEP_MEMORY, 2, memory);
    redis_call_start(ask, redis->options.greeting.script);
    redis->options.greeting.ask(redis->options.greeting.context, ask);
    words = redis_call_finish(ask, "EVAL", ask->script->body);
    redis->steps[STEP_ASK] = true;
    redisAppendCommandArgv(redis->context, words, ask->argv, ask->lens);
}

static int
open_socket(const struct sockaddr *address, socklen_t len)
{
    int fd = socket(address->sa_family,
                    SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0) {
        return -1;
    }
    if (connect(fd, address, len) != 0 && errno != EINPROGRESS) {
        int reason = errno;

        close(fd);
        errno = reason;
        return -1;
    }
    return fd;
}

/* Starts connecting and greeting; hands fd over to hiredis. */
static void
greet(struct redis *redis, int fd)
{
    redis->context = redisConnectFd(fd);
    if (redis->context == NULL) {
        close(fd);
        fail_address(redis, "no memory");
        return;
    }
    redis->context->flags &= ~REDIS_BLOCK;
    if (redis->url.path == NULL) {
        redisEnableKeepAlive(redis->context);
    }
    redis->phase = GREETING;
    say_greeting(redis);
    watch(redis, EPOLL_CTL_ADD, EPOLLIN | EPOLLOUT);
}

static void
connect_next(struct redis *redis)
{
    const struct addrinfo *address = redis->next;
    int fd = open_socket(address->ai_addr, address->ai_addrlen);

    redis->next = address->ai_next;
    if (fd < 0) {
        fail_address(redis, strerror(errno));
        return;
    }
    greet(redis, fd);
}

static void
connect_socket(struct redis *redis)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd;

    snprintf(address.sun_path, sizeof(address.sun_path), "%s", redis->url.path);
    fd = open_socket((const struct sockaddr *)&address, sizeof(address));
    if (fd < 0) {
        fail_address(redis, strerror(errno));
        return;
    }
    greet(redis, fd);
}

static void
step_looking(struct redis *redis)
{
    switch (lookup_result(redis->lookup, &redis->next)) {
    case LOOKUP_PENDING:
        break;
    case LOOKUP_DONE:
        connect_next(redis);
        break;
    case LOOKUP_FAILED:
        note(redis, "cannot find its address", lookup_error(redis->lookup));
        rest(redis, REDIS_STATE_DOWN);
        break;
    }
}

/* Starts an attempt to connect, all of which has one time limit. */
static void
attempt(struct redis *redis)
{
    redis->next = NULL;
    set_due(redis, redis->options.timeout_ms);
    if (redis->lookup == NULL) {
        connect_socket(redis);
        return;
    }
    redis->phase = LOOKING;
    lookup_start(redis->lookup);
    set_timer(redis, LOOKUP_POLL_MS);
}

/* True where an eviction policy is set that may drop what was counted. */
static bool
evicts(const redisReply *info, char *policy, size_t size)
{
    static const char field[] = "maxmemory_policy:";
    const char *found =
        info->type == REDIS_REPLY_STRING ? strstr(info->str, field) : NULL;

    if (found == NULL) {
        return false;
    }
    found += strlen(field);
    snprintf(policy, size, "%.*s", (int)strcspn(found, "\r\n"), found);
    return strcmp(policy, "noeviction") != 0;
}

static bool
starts(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

/* Errors that go away by themselves when Redis has loaded or failed over. */
static bool
is_passing(const char *error)
{
    return starts(error, "LOADING") || starts(error, "READONLY") ||
           starts(error, "MASTERDOWN") || starts(error, "BUSY") ||
           starts(error, "OOM") || starts(error, "MISCONF") ||
           starts(error, "CLUSTERDOWN") || starts(error, "NOREPLICAS");
}

/*
 * Judges the reply of one step. Returns the state that it asks for: UP where
 * it is as wanted, with the reason in error where it is not.
 */
static enum redis_state
judge(struct redis *redis, enum step step, const redisReply *reply)
{
    const struct redis_greeting *greeting = &redis->options.greeting;
    char text[256];

    if (reply->type == REDIS_REPLY_ERROR) {
        note(redis, "refused", reply->str);
        if (step == STEP_NAME || step == STEP_MEMORY) {
            return REDIS_STATE_UP; /* allowed to be forbidden by an ACL */
        }
        return is_passing(reply->str) ? REDIS_STATE_DOWN : REDIS_STATE_UNUSABLE;
    }
    if (step == STEP_MEMORY && evicts(reply, text, sizeof(text))) {
        char why[160];

        snprintf(why, sizeof(why),
                 "its maxmemory-policy is %.40s, which drops what was counted;"
                 " set maxmemory-policy noeviction",
                 text);
        note(redis, "unusable", why);
        return REDIS_STATE_UNUSABLE;
    }
    if (step == STEP_ASK &&
        !greeting->judge(greeting->context, (const struct redis_reply *)reply,
                         text, sizeof(text))) {
        note(redis, "unusable", text);
        return REDIS_STATE_UNUSABLE;
    }
    return REDIS_STATE_UP;
}

static void
finish_greeting(struct redis *redis)
{
    redis->phase = READY;
    set_timer(redis, 0);
    watch(redis, EPOLL_CTL_MOD, EPOLLIN);
    note(redis, "connected", "ready");
    become(redis, REDIS_STATE_UP);
}

/* Takes the replies that are there; ends in READY, or at rest. */
static void
hear_greeting(struct redis *redis)
{
    enum step step;

    for (step = 0; step < STEPS; step++) {
        enum redis_state state;
        void *reply = NULL;

        if (!redis->steps[step]) {
            continue;
        }
        if (redisGetReplyFromReader(redis->context, &reply) != REDIS_OK) {
            fail_address(redis, redis->context->errstr);
            return;
        }
        if (reply == NULL) {
            return;
        }
        redis->steps[step] = false;
        state = judge(redis, step, reply);
        freeReplyObject(reply);
        if (state != REDIS_STATE_UP) {
            rest(redis, state);
            return;
        }
    }
    finish_greeting(redis);
}

static void
step_greeting(struct redis *redis)
{
    int written = 0;

    if (redisBufferWrite(redis->context, &written) != REDIS_OK) {
        fail_address(redis, redis->context->errstr);
        return;
    }
    if (!written) {
        return;
    }
    watch(redis, EPOLL_CTL_MOD, EPOLLIN);
    if (redisBufferRead(redis->context) != REDIS_OK) {
        fail_address(redis, redis->context->errstr);
        return;
    }
    hear_greeting(redis);
}

/* The connection broke: worth one attempt at once before it counts as away. */
static void
lose(struct redis *redis, const char *why)
{
    note(redis, "connection lost", why);
    hang_up(redis);
    become(redis, REDIS_STATE_CONNECTING);
    attempt(redis);
}

/* Nothing is expected outside a run: what can be read is the end of it. */
static void
step_ready(struct redis *redis)
{
    char byte;
    ssize_t n = recv(redis->context->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);

    if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }
    lose(redis, n == 0  ? "closed by Redis"
                : n > 0 ? "an unexpected reply"
                        : strerror(errno));
}

void
redis_step(struct redis *redis)
{
    uint64_t expirations;
    bool due = redis->phase != READY && clock_mono_ms() >= redis->due_ms;

    /* Empties the timer; that it had not fired is fine. */
    (void)!read(redis->timer_fd, &expirations, sizeof(expirations));
    if (redis->phase == RESTING) {
        if (due) {
            attempt(redis);
        }
    } else if (due) {
        note(redis, "cannot connect", "no answer in time");
        rest(redis, REDIS_STATE_DOWN);
    } else if (redis->phase == LOOKING) {
        step_looking(redis);
    } else if (redis->phase == GREETING) {
        step_greeting(redis);
    } else {
        step_ready(redis);
    }
    if (redis->phase == LOOKING) {
        set_timer(redis, LOOKUP_POLL_MS); /* it has no fd to wait for */
    }
}

static bool
open_fds(struct redis *redis)
{
    struct epoll_event event = {.events = EPOLLIN};

    redis->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    redis->timer_fd =
        timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    return redis->epoll_fd >= 0 && redis->timer_fd >= 0 &&
           epoll_ctl(redis->epoll_fd, EPOLL_CTL_ADD, redis->timer_fd, &event) ==
               0;
}

static bool
set_up(struct redis *redis, const struct redis_options *options)
{
    redis->options = *options;
    redis->client_name = strdup(options->client_name);
    if (redis->client_name == NULL || !open_fds(redis) ||
        redis_url_parse(options->url, &redis->url) != NULL) {
        return false;
    }
    if (redis->url.host != NULL) {
        redis->lookup = lookup_open(redis->url.host, redis->url.port);
        return redis->lookup != NULL;
    }
    return true;
}

struct redis *
redis_open(const struct redis_options *options)
{
    struct redis *redis = calloc(1, sizeof(*redis));

    if (redis == NULL) {
        return NULL;
    }
    redis->epoll_fd = -1;
    redis->timer_fd = -1;
    if (!set_up(redis, options)) {
        redis_close(redis);
        return NULL;
    }
    attempt(redis);
    return redis;
}

void
redis_close(struct redis *redis)
{
    if (redis == NULL) {
        return;
    }
    hang_up(redis);
    freeReplyObject(redis->reply);
    redis_call_fini(&redis->greeting);
    redis_call_fini(&redis->call);
    lookup_close(redis->lookup);
    redis_url_fini(&redis->url);
    free(redis->client_name);
    if (redis->timer_fd >= 0) {
        close(redis->timer_fd);
    }
    if (redis->epoll_fd >= 0) {
        close(redis->epoll_fd);
    }
    free(redis);
}

int
redis_fd(const struct redis *redis)
{
    return redis->epoll_fd;
}

enum redis_state
redis_state(const struct redis *redis)
{
    return redis->state;
}

const char *
redis_error(const struct redis *redis)
{
    return redis->error;
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

/* Waits until the socket can be read, or written; false at end_ms. */
static bool
await(struct redis *redis, short events, int64_t end_ms)
{
    struct pollfd pollfd = {.fd = redis->context->fd, .events = events};
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
    int written = 0;

    while (!written) {
        if (redisBufferWrite(redis->context, &written) != REDIS_OK) {
            return redis->context->errstr;
        }
        if (!written && !await(redis, POLLOUT, end_ms)) {
            return "no answer in time";
        }
    }
    return NULL;
}

/* Takes one reply. NULL, or what went wrong. */
static const char *
receive(struct redis *redis, int64_t end_ms)
{
    void *reply = NULL;

    for (;;) {
        if (redisGetReplyFromReader(redis->context, &reply) != REDIS_OK) {
            return redis->context->errstr;
        }
        if (reply != NULL) {
            redis->reply = reply;
            return NULL;
        }
        if (!await(redis, POLLIN, end_ms)) {
            return "no answer in time";
        }
        if (redisBufferRead(redis->context) != REDIS_OK) {
            return redis->context->errstr;
        }
    }
}

/*
 * Sends one command and waits for its reply. A connection that fails here is
 * closed: a late reply would answer the next command. Too slow is down; broken
 * is worth an attempt at once.
 */
static bool
exchange(struct redis *redis, int argc, const char **argv, const size_t *lens,
         int64_t end_ms)
{
    const char *problem = "no memory";

    freeReplyObject(redis->reply);
    redis->reply = NULL;
    if (argc > 0 &&
        redisAppendCommandArgv(redis->context, argc, argv, lens) == REDIS_OK) {
        problem = send_all(redis, end_ms);
    }
    if (problem == NULL) {
        problem = receive(redis, end_ms);
    }
    if (problem == NULL) {
        return true;
    }
    if (clock_mono_ms() >= end_ms) {
        note(redis, "connection given up", problem);
        rest(redis, REDIS_STATE_DOWN);
    } else {
        lose(redis, problem);
    }
    return false;
}

bool
redis_ping(struct redis *redis)
{
    const char *argv[] = {"PING"};

    return redis_wait(redis) == REDIS_STATE_UP &&
           exchange(redis, 1, argv, NULL,
                    clock_mono_ms() + redis->options.timeout_ms) &&
           redis->reply->type == REDIS_REPLY_STATUS;
}

struct redis_call *
redis_call(struct redis *redis, const struct redis_script *script)
{
    redis_call_start(&redis->call, script);
    return &redis->call;
}

static bool
run_once(struct redis *redis, int64_t end_ms)
{
    struct redis_call *call = &redis->call;
    int words = redis_call_finish(call, "EVALSHA", call->script->sha1);

    return exchange(redis, words, call->argv, call->lens, end_ms);
}

static bool
is_error(const redisReply *reply, const char *prefix)
{
    return reply->type == REDIS_REPLY_ERROR && starts(reply->str, prefix);
}

/* Loads the script, which Redis forgets at a restart, and runs it again. */
static bool
load_and_run(struct redis *redis, int64_t end_ms)
{
    const char *argv[] = {"SCRIPT", "LOAD", redis->call.script->body};

    return exchange(redis, 3, argv, NULL, end_ms) && run_once(redis, end_ms);
}

/*
 * Notes an error reply. One that says that this is no Redis for us any more
 * (a replica after a failover, say) ends the connection.
 */
static void
note_refusal(struct redis *redis)
{
    const char *text = redis->reply->str;

    note(redis, redis->call.script->name, text);
    if (starts(text, "READONLY") || starts(text, "LOADING") ||
        starts(text, "MASTERDOWN") || starts(text, "NOAUTH")) {
        rest(redis, REDIS_STATE_DOWN);
    }
}

enum redis_result
redis_run(struct redis *redis, const struct redis_reply **reply)
{
    int64_t end_ms;

    if (redis_wait(redis) != REDIS_STATE_UP) {
        return REDIS_AWAY;
    }
    end_ms = clock_mono_ms() + redis->options.timeout_ms;
    if (!run_once(redis, end_ms) ||
        (is_error(redis->reply, "NOSCRIPT") && !load_and_run(redis, end_ms))) {
        return REDIS_LOST;
    }
    if (redis->reply->type == REDIS_REPLY_ERROR) {
        note_refusal(redis);
        return REDIS_REFUSED;
    }
    *reply = (const struct redis_reply *)redis->reply;
    return REDIS_DONE;
}
