/*
 * guide: one link, which leads to one server after the other. It stays open
 * between two questions.
 */
#include "guide.h"

#include <hiredis/hiredis.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/util.h"

enum {
    CHECK_EACH = 4,   /* this many answers, the first apart */
    AVOID_MS = 10000, /* a server that has failed, while others answer */
    HASTEN_MS = 100,  /* the shortest time between two questions */
};

static void start_question(struct guide *guide);
static void connect_next(struct guide *guide);

static bool
is_text(const char *text)
{
    return text != NULL && text[0] != '\0';
}

static const struct guide_dialect *
dialect_of(const struct guide *guide)
{
    return guide->options.dialect;
}

static void
rest(struct guide *guide, enum guide_state state)
{
    guide->phase = GUIDE_IDLE;
    guide->state = state;
    guide->failures = 0;
    guide->rested_ms = clock_mono_ms();
    guide->due_ms = guide->rested_ms + dialect_of(guide)->interval_ms;
}

static void
turn_to(struct guide *guide, size_t i)
{
    link_close(&guide->link);
    guide->answers = 0;
    guide->current = i % guide->server_count;
}

static bool
is_avoided_master(const struct guide *guide, size_t i)
{
    const struct server_address *master = &guide->master;

    return dialect_of(guide)->avoids_master &&
           server_address_equals(&guide->servers[i].address, master->host,
                                 master->port);
}

/* One that would cost a time limit, or may not know of a failover. */
static bool
is_avoided(const struct guide *guide, size_t i)
{
    int64_t failed_ms = guide->servers[i].failed_ms;

    return (failed_ms != 0 && clock_mono_ms() < failed_ms + AVOID_MS) ||
           is_avoided_master(guide, i);
}

/* Without those that are avoided, unless there are no others. */
static void
turn_to_another(struct guide *guide)
{
    size_t count = guide->server_count;
    size_t i = guide->current + 1;

    while (i % count != guide->current && is_avoided(guide, i % count)) {
        i++;
    }
    if (i % count != guide->current) {
        turn_to(guide, i);
    }
}

/* This server does not name the master: the next is asked, once each. */
static void
fail(struct guide *guide, const char *why)
{
    struct guide_server *server = &guide->servers[guide->current];
    size_t used = guide->failures == 0 ? 0 : strlen(guide->tried);

    snprintf(guide->tried + used, sizeof(guide->tried) - used, "%s%s:%s: %s",
             used > 0 ? "; " : "", server->address.host, server->address.port,
             why);
    guide->failures++;
    server->failed_ms = clock_mono_ms();
    turn_to(guide, guide->current + 1);
    if (guide->failures < guide->server_count) {
        start_question(guide);
    } else {
        rest(guide, GUIDE_FAILED);
    }
}

/* This address of a server cannot be used. */
static void
fail_address(struct guide *guide, const char *why)
{
    struct link *link = &guide->link;

    if (link_has_next(link)) {
        attempt_fail(&link->attempt, ATTEMPT_NO_ANSWER, why);
        link_close(link);
        connect_next(guide);
    } else {
        fail(guide, attempt_fail(&link->attempt, ATTEMPT_NO_ANSWER, why));
    }
}

static void
set_limit(struct guide *guide, enum guide_phase phase)
{
    guide->phase = phase;
    guide->due_ms = clock_mono_ms() + guide->options.timeout_ms;
}

static void
append_login(struct guide *guide)
{
    const char *user = guide->options.user;
    const char *password = guide->options.password;
    const char *words[] = {"AUTH", is_text(user) ? user : password, password};

    guide->logging_in = is_text(password);
    if (guide->logging_in) {
        redisAppendCommandArgv(guide->link.context, is_text(user) ? 3 : 2,
                               words, NULL);
    }
}

static void
append_question(struct guide *guide)
{
    guide->replies = 0;
    dialect_of(guide)->ask(guide->link.context, &guide->options.question);
}

/* On the open link. False if it is broken. */
static bool
ask_on(struct guide *guide, enum guide_phase phase)
{
    set_limit(guide, phase);
    if (phase == GUIDE_CHECKING) {
        dialect_of(guide)->check(guide->link.context, &guide->options.question);
    } else {
        append_question(guide);
    }
    return link_write(&guide->link);
}

static void
connect_next(struct guide *guide)
{
    const char *why = link_connect(&guide->link);

    set_limit(guide, GUIDE_ASKING);
    if (why != NULL) {
        fail_address(guide, why);
        return;
    }
    append_login(guide);
    append_question(guide);
}

static void
step_resolving(struct guide *guide)
{
    switch (link_resolve(&guide->link)) {
    case RESOLVER_PENDING:
        break;
    case RESOLVER_DONE:
        connect_next(guide);
        break;
    case RESOLVER_FAILED:
        fail(guide, link_error(&guide->link));
        break;
    }
}

/* Asks the current server; on the open link, if there is one. */
static void
start_question(struct guide *guide)
{
    const struct server_address *at = &guide->servers[guide->current].address;

    if (guide->link.context != NULL && ask_on(guide, GUIDE_ASKING)) {
        return;
    }
    set_limit(guide, GUIDE_RESOLVING);
    if (!link_aim_at_host(&guide->link, at->host, at->port)) {
        fail(guide, "no memory");
        return;
    }
    link_start(&guide->link);
    step_resolving(guide);
}

/* The index of a server before end; end if it is not there. */
static size_t
find_server(const struct guide *guide, const struct server_address *address,
            size_t end)
{
    size_t i = 0;

    while (i < end && !server_address_equals(&guide->servers[i].address,
                                             address->host, address->port)) {
        i++;
    }
    return i;
}

/* Keeps what is known of servers that are still there. */
static void
learn_servers(struct guide *guide, const struct guide_answer *answer)
{
    struct server_address asked = guide->servers[guide->current].address;
    size_t own = guide->options.question.url->host_count;
    size_t before = guide->server_count;
    int64_t failed_ms[GUIDE_NODES_MAX];
    size_t count = own;

    for (size_t i = 0; i < answer->node_count; i++) {
        size_t known = find_server(guide, &answer->nodes[i], before);

        failed_ms[i] = known < before ? guide->servers[known].failed_ms : 0;
        peers_add_text(guide->options.peers, answer->nodes[i].host,
                       answer->nodes[i].port);
    }
    for (size_t i = 0; i < answer->node_count; i++) {
        if (find_server(guide, &answer->nodes[i], own) == own) {
            guide->servers[count++] = (struct guide_server){
                .address = answer->nodes[i], .failed_ms = failed_ms[i]};
        }
    }
    guide->server_count = count;
    guide->current = find_server(guide, &asked, count);
    if (guide->current == count) { /* it says that it is no part any more */
        turn_to(guide, 0);
    }
}

static void
take_answer(struct guide *guide, const struct guide_answer *answer)
{
    guide->master = answer->master;
    guide->masters = answer->masters;
    guide->answers++;
    guide->servers[guide->current].failed_ms = 0;
    learn_servers(guide, answer);
    rest(guide, GUIDE_NAMED);
}

static void
take_check(struct guide *guide, const redisReply *reply)
{
    bool cut_off = dialect_of(guide)->is_cut_off(reply);

    guide->phase = GUIDE_IDLE;
    guide->due_ms = clock_mono_ms() + dialect_of(guide)->interval_ms;
    if (cut_off) {
        turn_to_another(guide);
    }
    if (cut_off || guide->state == GUIDE_PENDING) {
        start_question(guide);
    }
}

/* Takes one reply to the question. True: another one follows. */
static bool
take_part(struct guide *guide, const redisReply *reply)
{
    const struct guide_dialect *dialect = dialect_of(guide);
    const char *host = guide->servers[guide->current].address.host;
    struct guide_answer answer = {0};
    const char *problem = dialect->take(&answer, reply, guide->replies,
                                        &guide->options.question, host);

    guide->replies++;
    if (problem != NULL) {
        fail(guide, problem);
        return false;
    }
    if (guide->replies < dialect->replies) {
        return true;
    }
    take_answer(guide, &answer);
    return false;
}

/* Takes one reply, of AUTH or of the question. True: another one follows. */
static bool
take_reply(struct guide *guide, const redisReply *reply)
{
    char why[256];

    if (guide->phase == GUIDE_CHECKING) {
        take_check(guide, reply);
        return false;
    }
    if (reply->type == REDIS_REPLY_ERROR) {
        snprintf(why, sizeof(why), "%.96s%s", reply->str,
                 dialect_of(guide)->advice(reply->str));
        fail(guide, why);
        return false;
    }
    if (guide->logging_in) {
        guide->logging_in = false;
        return true;
    }
    return take_part(guide, reply);
}

static void
fail_as_other(struct guide *guide)
{
    char why[64];

    snprintf(why, sizeof(why), "it is no %s", dialect_of(guide)->server);
    fail(guide, why);
}

/* Takes the replies that have come. */
static void
step_asking(struct guide *guide)
{
    bool broken = !link_exchange(&guide->link);
    bool more = true;

    while (more) {
        void *reply = NULL;

        if (redisGetReplyFromReader(guide->link.context, &reply) != REDIS_OK) {
            fail_as_other(guide);
            return;
        }
        if (reply == NULL) {
            if (broken) {
                fail_address(guide, link_why(&guide->link));
            }
            return;
        }
        more = take_reply(guide, reply);
        freeReplyObject(reply);
    }
}

/* The hosts of the url. */
static void
init_servers(struct guide *guide)
{
    const struct redis_url *url = guide->options.question.url;

    for (size_t i = 0; i < url->host_count; i++) {
        struct server_address *address = &guide->servers[i].address;

        snprintf(address->host, sizeof(address->host), "%s",
                 url->hosts[i].host);
        snprintf(address->port, sizeof(address->port), "%s",
                 url->hosts[i].port);
    }
    guide->server_count = url->host_count;
}

void
guide_init(struct guide *guide, const struct guide_options *options)
{
    memset(guide, 0, sizeof(*guide));
    guide->options = *options;
    guide->link.epoll_fd = options->epoll_fd;
    guide->link.tls = options->tls;
    guide->link.peers = options->peers;
    options->dialect->describe(guide->target, sizeof(guide->target),
                               &options->question);
    init_servers(guide);
    start_question(guide);
}

void
guide_fini(struct guide *guide)
{
    link_fini(&guide->link);
}

void
guide_ask(struct guide *guide)
{
    guide->state = GUIDE_PENDING;
    if (guide->phase == GUIDE_IDLE) {
        start_question(guide);
    }
}

void
guide_doubt(struct guide *guide)
{
    if (guide->phase == GUIDE_IDLE) {
        turn_to_another(guide);
    }
}

void
guide_learn(struct guide *guide, const struct server_address *master)
{
    guide->master = *master;
    guide->state = GUIDE_NAMED;
}

void
guide_hasten(struct guide *guide)
{
    if (guide->phase == GUIDE_IDLE) {
        guide->due_ms = int64_min(guide->due_ms, guide->rested_ms + HASTEN_MS);
    }
}

/*
 * A check comes with the second question: the first answer was of use at once,
 * and may have been the only one.
 */
static void
ask_next(struct guide *guide)
{
    bool check = dialect_of(guide)->check != NULL &&
                 guide->link.context != NULL &&
                 guide->answers % CHECK_EACH == 1;

    if (is_avoided_master(guide, guide->current)) {
        turn_to_another(guide);
    }
    if (check) {
        guide->answers++;
    }
    if (!check || !ask_on(guide, GUIDE_CHECKING)) {
        start_question(guide);
    }
}

static void
step_due(struct guide *guide)
{
    switch (guide->phase) {
    case GUIDE_IDLE:
        ask_next(guide);
        break;
    case GUIDE_RESOLVING:
        fail(guide, "its name was not found in time");
        break;
    case GUIDE_ASKING:
    case GUIDE_CHECKING:
        fail_address(guide, link_silence(&guide->link));
        break;
    }
}

static void
step_phase(struct guide *guide)
{
    switch (guide->phase) {
    case GUIDE_IDLE:
        if (guide->link.context != NULL &&
            link_look(&guide->link, false) != NULL) {
            link_close(&guide->link);
        }
        break;
    case GUIDE_RESOLVING:
        step_resolving(guide);
        break;
    case GUIDE_ASKING:
    case GUIDE_CHECKING:
        step_asking(guide);
        break;
    }
}

void
guide_step(struct guide *guide)
{
    if (clock_mono_ms() >= guide->due_ms) {
        step_due(guide);
    } else {
        step_phase(guide);
    }
}
