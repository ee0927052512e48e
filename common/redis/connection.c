/*
 * connection: the life of a connection to Redis, in phases (see enum
 * connection_phase). The phases before READY advance in redis_step and never
 * block. An epoll instance holds the sockets and a timer, so that the user has
 * one fd to watch for the whole life, whichever socket is open.
 */
#include "connection.h"

#include <hiredis/hiredis.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/util.h"
#include "review.h"

/*
 * The pause between attempts is short enough to reconnect within a second after
 * Redis is back. It is random, so that the processes of a pool do not all
 * connect at the same time.
 */
enum {
    PAUSE_MIN_MS = 100,
    PAUSE_SPREAD_MS = 400,
    RESOLVER_POLL_MS = 10,
    RUN_PAUSE_MS = 100, /* until another look whether a run has ended */
};

static void connect_next(struct redis *redis);

/* Makes the epoll instance readable when redis_step has to be called. */
static void
arm_timer(struct redis *redis)
{
    struct itimerspec spec = {0};
    int64_t due_ms = redis->due_ms;

    if (redis->sentinel != NULL) {
        due_ms = int64_min(due_ms, redis->sentinel->due_ms);
    }
    if (redis->link.resolving ||
        (redis->sentinel != NULL && redis->sentinel->link.resolving)) {
        due_ms = int64_min(due_ms, clock_mono_ms() + RESOLVER_POLL_MS);
    }
    if (due_ms != INT64_MAX) { /* 0 would switch it off */
        due_ms = int64_max(due_ms, 1);
        spec.it_value.tv_sec = due_ms / 1000;
        spec.it_value.tv_nsec = due_ms % 1000 * 1000000;
    }
    timerfd_settime(redis->timer_fd, TFD_TIMER_ABSTIME, &spec, NULL);
}

void
connection_set_due(struct redis *redis, int64_t delay_ms)
{
    redis->due_ms = delay_ms == 0 ? INT64_MAX : clock_mono_ms() + delay_ms;
    arm_timer(redis);
}

static void
close_socket(struct redis *redis)
{
    redis->reviewing = false;
    redis->running = false;
    link_close(&redis->link);
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
set_state(struct redis *redis, enum redis_state state)
{
    struct redis_change change = {.state = state, .reason = redis->error};

    redis->state = state;
    if (state == REDIS_STATE_UP) {
        change.warning = handshake_warning(&redis->handshake);
    }
    if (redis->options.on_change != NULL) {
        redis->options.on_change(redis->options.on_change_context, &change);
    }
}

void
connection_pause(struct redis *redis, enum redis_state state)
{
    close_socket(redis);
    if (redis->sentinel != NULL && redis->phase != CONNECTION_ASKING) {
        sentinel_doubt(redis->sentinel);
    }
    redis->phase = CONNECTION_PAUSED;
    connection_set_due(redis, random_pause_ms());
    set_state(redis, state);
}

void
connection_set_error(struct redis *redis, const char *what, const char *why)
{
    const char *master = redis->url.master;
    const char *name = redis->link.name == NULL ? "?" : redis->link.name;

    snprintf(redis->error, sizeof(redis->error), "%s (%s%s%s): %s", what,
             master == NULL ? "" : master, master == NULL ? "" : " at ", name,
             why);
}

/* Notes why this address cannot be used, and closes its socket. */
static void
give_up_address(struct redis *redis, enum attempt_finding finding,
                const char *why)
{
    struct attempt *attempt = &redis->link.attempt;

    why = attempt_fail(attempt, finding, why);
    connection_set_error(redis, attempt_what(attempt), why);
    close_socket(redis);
}

/* This address cannot be used: tries the next, if there is another. */
static void
fail_address(struct redis *redis, enum attempt_finding finding, const char *why)
{
    give_up_address(redis, finding, why);
    if (link_has_next(&redis->link)) {
        connect_next(redis);
    } else {
        connection_pause(redis, attempt_state(&redis->link.attempt));
    }
}

static void
connect_next(struct redis *redis)
{
    const char *why = link_connect(&redis->link);

    if (why != NULL) {
        fail_address(redis, ATTEMPT_NO_ANSWER, why);
        return;
    }
    redis->phase = CONNECTION_HANDSHAKE;
    redis->reviewed_ms = clock_mono_ms();
    handshake_send(&redis->handshake, redis->link.context);
}

static void
step_resolving(struct redis *redis)
{
    switch (link_resolve(&redis->link)) {
    case RESOLVER_PENDING:
        break;
    case RESOLVER_DONE:
        connect_next(redis);
        break;
    case RESOLVER_FAILED:
        connection_set_error(redis, "cannot find its address",
                             link_error(&redis->link));
        connection_pause(redis, REDIS_STATE_DOWN);
        break;
    }
}

/* Look-up and first address share one time limit. */
static void
start_link(struct redis *redis)
{
    redis->phase = CONNECTION_RESOLVING;
    connection_set_due(redis, redis->options.timeout_ms);
    link_start(&redis->link);
    step_resolving(redis);
}

/* Goes on once a sentinel has named the master, or none does. */
static void
step_asking(struct redis *redis, const struct sentinel *sentinel)
{
    switch (sentinel->state) {
    case SENTINEL_PENDING:
        break;
    case SENTINEL_NAMED:
        if (link_aim_at_host(&redis->link, sentinel->host, sentinel->port)) {
            start_link(redis);
            break;
        }
        connection_set_error(redis, "cannot connect", "no memory");
        connection_pause(redis, REDIS_STATE_DOWN);
        break;
    case SENTINEL_FAILED:
        snprintf(redis->error, sizeof(redis->error),
                 "no sentinel names the master %s: %s", redis->url.master,
                 sentinel->tried);
        connection_pause(redis, REDIS_STATE_DOWN);
        break;
    }
}

void
connection_start(struct redis *redis)
{
    if (redis->sentinel == NULL) {
        start_link(redis);
    } else {
        redis->phase = CONNECTION_ASKING;
        redis->due_ms = INT64_MAX; /* the sentinel has time limits of its own */
        sentinel_ask(redis->sentinel);
        step_asking(redis, redis->sentinel);
    }
    arm_timer(redis);
}

static void
finish_handshake(struct redis *redis)
{
    redis->phase = CONNECTION_READY;
    redis->connections++;
    review_plan(redis);
    connection_set_error(redis, "connected", "ready");
    set_state(redis, REDIS_STATE_UP);
}

/*
 * Takes the replies that have arrived. If more are needed and the connection is
 * broken, tries the next address.
 */
static void
step_handshake(struct redis *redis)
{
    bool broken = !link_exchange(&redis->link);
    const char *why = redis->handshake.why;

    switch (handshake_receive(&redis->handshake, redis->link.context)) {
    case HANDSHAKE_PENDING:
        if (broken) {
            fail_address(redis, ATTEMPT_NO_ANSWER, link_why(&redis->link));
        }
        break;
    case HANDSHAKE_DONE:
        finish_handshake(redis);
        break;
    case HANDSHAKE_BROKEN:
        fail_address(redis, ATTEMPT_NO_ANSWER, why);
        break;
    case HANDSHAKE_RETRY:
        fail_address(redis, ATTEMPT_NOT_YET, why);
        break;
    case HANDSHAKE_UNUSABLE:
        fail_address(redis, ATTEMPT_UNUSABLE, why);
        break;
    }
}

void
connection_reconnect(struct redis *redis, const char *why)
{
    connection_set_error(redis, "connection lost", why);
    close_socket(redis);
    set_state(redis, REDIS_STATE_CONNECTING);
    connection_start(redis);
}

void
connection_give_up(struct redis *redis, const char *why)
{
    connection_set_error(redis, "connection given up", why);
    connection_pause(redis, REDIS_STATE_DOWN);
}

/* Takes the replies to a review. False if the connection is closed by now. */
static bool
receive_review(struct redis *redis)
{
    if (!link_read(&redis->link)) {
        connection_reconnect(redis, link_why(&redis->link));
        return false;
    }
    return review_step(redis);
}

/*
 * During a run all that comes is for redis_receive. Between runs Redis sends
 * nothing but the replies to a review. If the socket is readable otherwise, it
 * is broken.
 */
static void
step_ready(struct redis *redis)
{
    const char *broken;

    if (redis->running) {
        return;
    }
    if (redis->reviewing && !receive_review(redis)) {
        return;
    }
    broken = link_look(&redis->link, redis->reviewing);
    if (broken != NULL) {
        connection_reconnect(redis, broken);
    }
}

/* The time limit is over; the next address gets a time limit of its own. */
static void
time_out(struct redis *redis)
{
    give_up_address(redis, ATTEMPT_NO_ANSWER, link_silence(&redis->link));
    if (!link_has_next(&redis->link)) {
        connection_pause(redis, attempt_state(&redis->link.attempt));
        return;
    }
    set_state(redis, REDIS_STATE_DOWN);
    connection_set_due(redis, redis->options.timeout_ms);
    connect_next(redis);
}

uint64_t
redis_connection(const struct redis *redis)
{
    return redis->phase == CONNECTION_READY ? redis->connections : 0;
}

uint64_t
redis_check_connection(struct redis *redis)
{
    if (redis->phase == CONNECTION_READY) {
        step_ready(redis);
    }
    return redis_connection(redis);
}

static void
step_phase(struct redis *redis)
{
    switch (redis->phase) {
    case CONNECTION_PAUSED:
        break;
    case CONNECTION_ASKING: /* only with sentinels */
        if (redis->sentinel != NULL) {
            step_asking(redis, redis->sentinel);
        }
        break;
    case CONNECTION_RESOLVING:
        step_resolving(redis);
        break;
    case CONNECTION_HANDSHAKE:
        step_handshake(redis);
        break;
    case CONNECTION_READY:
        step_ready(redis);
        break;
    }
}

static void
step_due(struct redis *redis)
{
    switch (redis->phase) {
    case CONNECTION_PAUSED:
        connection_start(redis);
        break;
    case CONNECTION_ASKING: /* never due */
        break;
    case CONNECTION_RESOLVING:
    case CONNECTION_HANDSHAKE:
        time_out(redis);
        break;
    case CONNECTION_READY:
        if (redis->running) { /* the review waits for its end */
            connection_set_due(redis, RUN_PAUSE_MS);
            break;
        }
        step_ready(redis); /* what has arrived meanwhile counts */
        if (redis->phase == CONNECTION_READY &&
            clock_mono_ms() >= redis->due_ms) {
            review_step_due(redis);
        }
        break;
    }
}

/* Says once that no sentinel answers, while the connection is up. */
static void
warn_of_sentinels(struct redis *redis)
{
    char text[sizeof(redis->sentinel->tried) + 96];
    struct redis_change change = {.state = REDIS_STATE_UP, .warning = text};
    bool away = redis->sentinel->state == SENTINEL_FAILED;

    if (away && !redis->unwatched && redis->options.on_change != NULL) {
        snprintf(text, sizeof(text),
                 "no sentinel names the master, so that a failover would not "
                 "be noticed: %s",
                 redis->sentinel->tried);
        redis->options.on_change(redis->options.on_change_context, &change);
    }
    redis->unwatched = away;
}

/*
 * Leaves a master that is no longer the one: it would go on to say OK to what
 * is going to be lost.
 */
static void
step_sentinel(struct redis *redis)
{
    const struct sentinel *sentinel = redis->sentinel;
    char master[sizeof(sentinel->host) + sizeof(sentinel->port) + 1];
    char why[sizeof(master) + 64];

    sentinel_step(redis->sentinel);
    if (redis->phase != CONNECTION_READY) {
        return;
    }
    warn_of_sentinels(redis);
    snprintf(master, sizeof(master), "%s:%s", sentinel->host, sentinel->port);
    if (sentinel->state == SENTINEL_NAMED &&
        strcmp(master, redis->link.name) != 0) {
        snprintf(why, sizeof(why), "the sentinels name another master, %s",
                 master);
        connection_reconnect(redis, why);
    }
}

void
redis_step(struct redis *redis)
{
    uint64_t expirations;

    /* Resets the timer; if it has not fired, the read fails, which is fine. */
    (void)!read(redis->timer_fd, &expirations, sizeof(expirations));
    if (redis->sentinel != NULL) {
        step_sentinel(redis);
    }
    if (clock_mono_ms() >= redis->due_ms) {
        step_due(redis);
    } else {
        step_phase(redis);
    }
    arm_timer(redis);
}
