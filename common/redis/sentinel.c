/*
 * sentinel: one link, which leads to one sentinel after the other. It stays
 * open between two questions.
 */
#include "sentinel.h"

#include <arpa/inet.h>
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/decimal.h"
#include "base/host_name.h"
#include "base/util.h"

enum { PORT_MOST = 65535 };

static void start_question(struct sentinel *sentinel);
static void connect_next(struct sentinel *sentinel);

static bool
is_text(const char *text)
{
    return text != NULL && text[0] != '\0';
}

static void
rest(struct sentinel *sentinel, enum sentinel_state state)
{
    sentinel->phase = SENTINEL_IDLE;
    sentinel->state = state;
    sentinel->failures = 0;
    sentinel->due_ms = clock_mono_ms() + SENTINEL_INTERVAL_MS;
}

static void
turn_to_next(struct sentinel *sentinel)
{
    link_close(&sentinel->link);
    sentinel->current =
        (sentinel->current + 1) % sentinel->options.url->sentinel_count;
}

/* This sentinel does not name the master: the next is asked, once each. */
static void
fail(struct sentinel *sentinel, const char *why)
{
    const struct redis_host *at =
        &sentinel->options.url->sentinels[sentinel->current];
    size_t used = sentinel->failures == 0 ? 0 : strlen(sentinel->tried);

    snprintf(sentinel->tried + used, sizeof(sentinel->tried) - used,
             "%s%s:%s: %s", used > 0 ? "; " : "", at->host, at->port, why);
    sentinel->failures++;
    turn_to_next(sentinel);
    if (sentinel->failures < sentinel->options.url->sentinel_count) {
        start_question(sentinel);
    } else {
        rest(sentinel, SENTINEL_FAILED);
    }
}

/* This address of a sentinel cannot be used. */
static void
fail_address(struct sentinel *sentinel, const char *why)
{
    struct link *link = &sentinel->link;

    if (link_has_next(link)) {
        attempt_fail(&link->attempt, ATTEMPT_NO_ANSWER, why);
        link_close(link);
        connect_next(sentinel);
    } else {
        fail(sentinel, attempt_fail(&link->attempt, ATTEMPT_NO_ANSWER, why));
    }
}

static void
set_limit(struct sentinel *sentinel, enum sentinel_phase phase)
{
    sentinel->phase = phase;
    sentinel->due_ms = clock_mono_ms() + sentinel->options.timeout_ms;
}

static void
append_login(struct sentinel *sentinel)
{
    const char *user = sentinel->options.user;
    const char *password = sentinel->options.password;
    const char *words[] = {"AUTH", is_text(user) ? user : password, password};

    sentinel->logging_in = is_text(password);
    if (sentinel->logging_in) {
        redisAppendCommandArgv(sentinel->link.context, is_text(user) ? 3 : 2,
                               words, NULL);
    }
}

static void
append_question(struct sentinel *sentinel)
{
    const char *words[] = {"SENTINEL", "GET-MASTER-ADDR-BY-NAME",
                           sentinel->options.url->master};

    redisAppendCommandArgv(sentinel->link.context, 3, words, NULL);
}

static void
connect_next(struct sentinel *sentinel)
{
    const char *why = link_connect(&sentinel->link);

    set_limit(sentinel, SENTINEL_ASKING);
    if (why != NULL) {
        fail_address(sentinel, why);
        return;
    }
    append_login(sentinel);
    append_question(sentinel);
}

static void
step_resolving(struct sentinel *sentinel)
{
    switch (link_resolve(&sentinel->link)) {
    case RESOLVER_PENDING:
        break;
    case RESOLVER_DONE:
        connect_next(sentinel);
        break;
    case RESOLVER_FAILED:
        fail(sentinel, link_error(&sentinel->link));
        break;
    }
}

/* Asks the current sentinel; on the open link, if there is one. */
static void
start_question(struct sentinel *sentinel)
{
    const struct redis_host *at =
        &sentinel->options.url->sentinels[sentinel->current];

    if (sentinel->link.context != NULL) {
        set_limit(sentinel, SENTINEL_ASKING);
        append_question(sentinel);
        if (link_write(&sentinel->link)) {
            return;
        }
    }
    set_limit(sentinel, SENTINEL_RESOLVING);
    if (!link_aim_at_host(&sentinel->link, at->host, at->port)) {
        fail(sentinel, "no memory");
        return;
    }
    link_start(&sentinel->link);
    step_resolving(sentinel);
}

static bool
is_host(const redisReply *reply)
{
    struct in6_addr address;

    return reply->type == REDIS_REPLY_STRING &&
           strlen(reply->str) == (size_t)reply->len &&
           (host_name_is_valid(reply->str, (size_t)reply->len) ||
            inet_pton(AF_INET6, reply->str, &address) == 1);
}

static bool
is_port(const redisReply *reply)
{
    int64_t port;

    return reply->type == REDIS_REPLY_STRING &&
           decimal_parse(reply->str, (size_t)reply->len, &port) && port > 0 &&
           port <= PORT_MOST;
}

/* Takes the answer. Returns NULL, or what is wrong with it. */
static const char *
take_answer(struct sentinel *sentinel, const redisReply *reply)
{
    if (reply->type == REDIS_REPLY_NIL) {
        return "it knows no master of this name";
    }
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 2 ||
        !is_host(reply->element[0]) || !is_port(reply->element[1])) {
        return "it is no sentinel, or names no address";
    }
    snprintf(sentinel->host, sizeof(sentinel->host), "%s",
             reply->element[0]->str);
    snprintf(sentinel->port, sizeof(sentinel->port), "%s",
             reply->element[1]->str);
    return NULL;
}

/* What an operator can do about an error. */
static const char *
advice(const char *error)
{
    return starts_with(error, "NOAUTH") || starts_with(error, "WRONGPASS") ||
                   starts_with(error, "NOPERM") ||
                   starts_with(error, "ERR AUTH")
               ? "; see redis.sentinel_user and redis.sentinel_password"
               : "";
}

/* Takes one reply, of AUTH or of the question. True: another one follows. */
static bool
take_reply(struct sentinel *sentinel, const redisReply *reply)
{
    char why[256];
    const char *problem = NULL;

    if (reply->type == REDIS_REPLY_ERROR) {
        snprintf(why, sizeof(why), "%.128s%s", reply->str, advice(reply->str));
        problem = why;
    } else if (sentinel->logging_in) {
        sentinel->logging_in = false;
        return true;
    } else {
        problem = take_answer(sentinel, reply);
    }
    if (problem == NULL) {
        rest(sentinel, SENTINEL_NAMED);
    } else {
        fail(sentinel, problem);
    }
    return false;
}

/* Takes the replies that have come. */
static void
step_asking(struct sentinel *sentinel)
{
    bool broken = !link_exchange(&sentinel->link);
    bool more = true;

    while (more) {
        void *reply = NULL;

        if (redisGetReplyFromReader(sentinel->link.context, &reply) !=
            REDIS_OK) {
            fail(sentinel, "it is no sentinel");
            return;
        }
        if (reply == NULL) {
            if (broken) {
                fail_address(sentinel, link_why(&sentinel->link));
            }
            return;
        }
        more = take_reply(sentinel, reply);
        freeReplyObject(reply);
    }
}

void
sentinel_init(struct sentinel *sentinel, const struct sentinel_options *options)
{
    memset(sentinel, 0, sizeof(*sentinel));
    sentinel->options = *options;
    sentinel->link.epoll_fd = options->epoll_fd;
    sentinel->link.tls = options->tls;
    start_question(sentinel);
}

void
sentinel_fini(struct sentinel *sentinel)
{
    link_fini(&sentinel->link);
}

void
sentinel_ask(struct sentinel *sentinel)
{
    sentinel->state = SENTINEL_PENDING;
    if (sentinel->phase == SENTINEL_IDLE) {
        start_question(sentinel);
    }
}

void
sentinel_doubt(struct sentinel *sentinel)
{
    if (sentinel->phase == SENTINEL_IDLE) {
        turn_to_next(sentinel);
    }
}

static void
step_due(struct sentinel *sentinel)
{
    switch (sentinel->phase) {
    case SENTINEL_IDLE:
        start_question(sentinel);
        break;
    case SENTINEL_RESOLVING:
        fail(sentinel, "its name was not found in time");
        break;
    case SENTINEL_ASKING:
        fail_address(sentinel, link_silence(&sentinel->link));
        break;
    }
}

static void
step_phase(struct sentinel *sentinel)
{
    switch (sentinel->phase) {
    case SENTINEL_IDLE:
        if (sentinel->link.context != NULL &&
            link_look(&sentinel->link, false) != NULL) {
            link_close(&sentinel->link);
        }
        break;
    case SENTINEL_RESOLVING:
        step_resolving(sentinel);
        break;
    case SENTINEL_ASKING:
        step_asking(sentinel);
        break;
    }
}

void
sentinel_step(struct sentinel *sentinel)
{
    if (clock_mono_ms() >= sentinel->due_ms) {
        step_due(sentinel);
    } else {
        step_phase(sentinel);
    }
}
