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
#include "cluster_map.h"
#include "follow.h"
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
    /* Nodes that send a client to each other sooner are left for a pause. */
    REDIRECT_MIN_MS = 100,
};

static void connect_next(struct redis *redis);

/* Makes the epoll instance readable when redis_step has to be called. */
static void
arm_timer(struct redis *redis)
{
    struct itimerspec spec = {0};
    int64_t due_ms = redis->due_ms;

    if (redis->guide != NULL) {
        due_ms = int64_min(due_ms, redis->guide->due_ms);
    }
    if (redis->link.resolving ||
        (redis->guide != NULL && redis->guide->link.resolving)) {
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
    if (redis->guide != NULL && redis->phase != CONNECTION_ASKING) {
        guide_doubt(redis->guide);
    }
    redis->phase = CONNECTION_PAUSED;
    connection_set_due(redis, random_pause_ms());
    set_state(redis, state);
}

void
connection_set_error(struct redis *redis, const char *what, const char *why)
{
    const char *target = redis->guide == NULL ? NULL : redis->guide->target;
    const char *name = redis->link.name == NULL ? "?" : redis->link.name;

    snprintf(redis->error, sizeof(redis->error), "%s (%s%s%s): %s", what,
             target == NULL ? "" : target, target == NULL ? "" : " at ", name,
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

/* To the master that the guide names. */
static void
start_to_master(struct redis *redis)
{
    const struct server_address *master = &redis->guide->master;

    if (link_aim_at_host(&redis->link, master->host, master->port)) {
        start_link(redis);
        return;
    }
    connection_set_error(redis, "cannot connect", "no memory");
    connection_pause(redis, REDIS_STATE_DOWN);
}

/* Goes on once the guide names the master, or cannot. */
static void
step_asking(struct redis *redis, const struct guide *guide)
{
    const struct guide_dialect *dialect = guide->options.dialect;

    switch (guide->state) {
    case GUIDE_PENDING:
        break;
    case GUIDE_NAMED:
        start_to_master(redis);
        break;
    case GUIDE_FAILED:
        snprintf(redis->error, sizeof(redis->error), "no %s names %s%s: %s",
                 dialect->server, dialect->whose, guide->target, guide->tried);
        connection_pause(redis, REDIS_STATE_DOWN);
        break;
    }
}

void
connection_start(struct redis *redis)
{
    if (redis->guide == NULL) {
        start_link(redis);
    } else {
        redis->phase = CONNECTION_ASKING;
        redis->due_ms = INT64_MAX; /* the guide has time limits of its own */
        guide_ask(redis->guide);
        step_asking(redis, redis->guide);
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

void
connection_redirect(struct redis *redis, const struct server_address *to)
{
    char why[sizeof(*to) + 32];

    snprintf(why, sizeof(why), "moved to %s:%s", to->host, to->port);
    if (clock_mono_ms() < redis->redirected_ms + REDIRECT_MIN_MS) {
        connection_give_up(redis, why);
        return;
    }
    redis->redirected_ms = clock_mono_ms();
    guide_learn(redis->guide, to);
    connection_set_error(redis, "connection left", why);
    close_socket(redis);
    if (redis->state == REDIS_STATE_UP) {
        set_state(redis, REDIS_STATE_CONNECTING);
    }
    start_to_master(redis);
    arm_timer(redis);
}

/* The handshake can't succeed now; the server may say where it would. */
static void
retry_handshake(struct redis *redis, const char *why)
{
    struct server_address to;

    if (redis->url.cluster &&
        cluster_map_moved(&to, why, redis->guide->master.host)) {
        connection_redirect(redis, &to);
    } else {
        fail_address(redis, ATTEMPT_NOT_YET, why);
    }
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
        retry_handshake(redis, why);
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
    case CONNECTION_ASKING: /* only with a guide */
        if (redis->guide != NULL) {
            step_asking(redis, redis->guide);
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

void
redis_step(struct redis *redis)
{
    uint64_t expirations;
    bool same;

    /* Resets the timer; if it has not fired, the read fails, which is fine. */
    (void)!read(redis->timer_fd, &expirations, sizeof(expirations));
    same = redis->guide == NULL || follow_step(redis);
    if (same && clock_mono_ms() >= redis->due_ms) {
        step_due(redis);
    } else if (same) {
        step_phase(redis);
    }
    arm_timer(redis);
}
