/*
 * delivery: a job waits in fair_queue.h until its turn has come, then for
 * the address of its name, then it is a transfer of libcurl. Whatever ends in
 * between makes room, and the next one starts at once.
 */
#include "dispatcher.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/log_throttle.h"
#include "call_pool.h"
#include "callback_log.h"
#include "net/curl_loop.h"
#include "net/dns_cache.h"
#include "refusals.h"
#include "settings.h"

enum {
    RETURN_DELAY_MS = 1000, /* for a job that could not be started */
    CALM_MS = 5000,         /* without another one, that trouble is over */
};

struct dispatcher {
    const struct options *options;
    dispatcher_ended *ended;
    void *context;
    bool stopped;
    struct settings settings;
    struct fair_queue *queue;
    struct dns_cache *names;
    struct call_pool *attempts;
    struct curl_loop *transfers;
    struct callback_log *log;
    struct refusals refusals;
    struct log_throttle start_trouble;
    int64_t wanted_ms; /* monotonic: when there was no means for one last */
};

/* Back to the queue without an attempt used. */
static struct retry_policy
returned(int64_t delay_ms)
{
    return (struct retry_policy){.disposition = JOB_RETURN,
                                 .delay_ms = delay_ms};
}

static void
give_back(struct dispatcher *dispatcher, struct job *job, int64_t delay_ms)
{
    struct retry_policy outcome = returned(delay_ms);

    dispatcher->ended(dispatcher->context, job, &outcome);
}

static void
write_attempt(struct dispatcher *dispatcher, const struct http_call *call,
              long status, const char *error)
{
    const char *host = http_call_host(call);
    struct callback_line line = {
        .job = http_call_job(call),
        .host = host != NULL ? host : "-",
        .status = status,
        .error = error,
        .duration_ms = http_call_duration_ms(call),
    };

    callback_log_write(dispatcher->log, &line);
}

/* The end of a ticket: its slot is free, and something may be known. */
static void
hand_in(struct dispatcher *dispatcher, const struct destination_ticket *ticket,
        enum destination_result result, const struct retry_policy *outcome)
{
    struct destination_news news = {
        .result = result,
        .retry_after_ms = outcome->hold_ms,
        .comes_again = outcome->disposition == JOB_RETRY ||
                       outcome->disposition == JOB_RETURN,
    };

    fair_queue_end(dispatcher->queue, ticket, &news, clock_mono_ms());
}

/* The attempt's job goes back, and nothing is known of its destination. */
static void
withdraw(struct dispatcher *dispatcher, struct http_call *call,
         int64_t delay_ms)
{
    struct retry_policy outcome = returned(delay_ms);

    hand_in(dispatcher, http_call_ticket(call), DESTINATION_NO_EVIDENCE,
            &outcome);
    give_back(dispatcher, call_pool_give(dispatcher->attempts, call), delay_ms);
}

/* That a callback could not be started, and why. */
static void
note_shortage(struct dispatcher *dispatcher, const char *why)
{
    dispatcher->wanted_ms = clock_mono_ms();
    log_throttle_note(&dispatcher->start_trouble, "callbacks", why);
}

/* The end of an attempt, by what is known of it. */
static void
conclude(struct dispatcher *dispatcher, struct http_call *call,
         const struct retry_policy_facts *facts)
{
    struct retry_policy outcome = retry_policy_classify(
        &dispatcher->options->callbacks.retry_delays_s, facts);
    bool no_resources = facts->no_resources != 0 && outcome.status == 0;
    struct job *job;

    if (no_resources) {
        note_shortage(dispatcher, strerror(facts->no_resources));
    }
    write_attempt(dispatcher, call, outcome.status, outcome.error);
    if (facts->refused) {
        refusals_say(&dispatcher->refusals, http_call_job(call)->id,
                     http_call_host(call), http_call_refusal(call));
    }
    hand_in(dispatcher, http_call_ticket(call),
            facts->refused || no_resources
                ? DESTINATION_NO_EVIDENCE
                : destination_classify(outcome.status),
            &outcome);
    job = call_pool_give(dispatcher->attempts, call);
    dispatcher->ended(dispatcher->context, job, &outcome);
}

static void
finish(struct dispatcher *dispatcher, struct http_call *call, CURLcode code)
{
    struct retry_policy_facts facts = http_call_facts(call, code);

    conclude(dispatcher, call, &facts);
}

/* It could not be started, for want of memory. */
static void
fail_to_start(struct dispatcher *dispatcher, struct http_call *call)
{
    struct retry_policy_facts facts =
        http_call_facts(call, CURLE_OUT_OF_MEMORY);

    facts.no_resources = ENOMEM;
    conclude(dispatcher, call, &facts);
}

/* The look-up of its name did not have its turn in time. */
static void
put_off(struct dispatcher *dispatcher, struct http_call *call)
{
    note_shortage(dispatcher, "too many names to look up");
    withdraw(dispatcher, call, RETURN_DELAY_MS);
}

static void
launch(struct dispatcher *dispatcher, struct http_call *call,
       const char *addresses)
{
    bool started = http_call_resolve(call, addresses) == 0 &&
                   curl_loop_start(dispatcher->transfers, http_call_easy(call),
                                   http_call_host(call)) == 0;

    if (!started) {
        fail_to_start(dispatcher, call);
    }
}

/* Launches a prepared attempt, once its name is known. */
static void
look_up(struct dispatcher *dispatcher, struct http_call *call)
{
    const char *name = http_call_name(call);
    const char *addresses = NULL;
    enum dns_cache_answer answer = DNS_CACHE_KNOWN;

    if (name != NULL) {
        answer = dns_cache_lookup(dispatcher->names, name, http_call_wait(call),
                                  &addresses);
    }
    switch (answer) {
    case DNS_CACHE_KNOWN:
        launch(dispatcher, call, addresses);
        break;
    case DNS_CACHE_WAIT:
        break;
    case DNS_CACHE_FAILED:
        finish(dispatcher, call, CURLE_COULDNT_RESOLVE_HOST);
        break;
    case DNS_CACHE_UNASKED:
        put_off(dispatcher, call);
        break;
    }
}

static void
begin(struct dispatcher *dispatcher, struct job *job,
      const struct destination_ticket *ticket)
{
    struct http_call *call = call_pool_take(dispatcher->attempts);
    struct retry_policy outcome;

    if (call == NULL) {
        note_shortage(dispatcher, strerror(ENOMEM));
        outcome = returned(RETURN_DELAY_MS);
        hand_in(dispatcher, ticket, DESTINATION_NO_EVIDENCE, &outcome);
        give_back(dispatcher, job, RETURN_DELAY_MS);
    } else if (http_call_prepare(call, job, ticket) != 0) {
        fail_to_start(dispatcher, call);
    } else {
        look_up(dispatcher, call);
    }
}

/* Starts what may start. */
static void
fill(struct dispatcher *dispatcher)
{
    struct destination_ticket ticket;
    struct job *job;

    while (!dispatcher->stopped && call_pool_room(dispatcher->attempts) > 0 &&
           (job = fair_queue_next(dispatcher->queue, &ticket,
                                  clock_mono_ms())) != NULL) {
        begin(dispatcher, job, &ticket);
    }
}

static void
on_ended(void *context, CURL *easy, CURLcode code)
{
    struct dispatcher *dispatcher = context;
    struct http_call *call = http_call_of(easy);

    if (http_call_is_to_renew(call, code)) {
        look_up(dispatcher, call);
    } else {
        finish(dispatcher, call, code);
    }
    fill(dispatcher);
}

static void
on_name(void *context, struct dns_cache_wait *wait,
        enum dns_cache_answer answer)
{
    struct dispatcher *dispatcher = context;
    struct http_call *call = wait->context;

    switch (answer) {
    case DNS_CACHE_KNOWN:
    case DNS_CACHE_WAIT:
        look_up(dispatcher, call);
        break;
    case DNS_CACHE_FAILED:
        finish(dispatcher, call, CURLE_COULDNT_RESOLVE_HOST);
        break;
    case DNS_CACHE_UNASKED:
        put_off(dispatcher, call);
        break;
    }
    fill(dispatcher);
}

static bool
open_all(struct dispatcher *dispatcher, struct event_loop *loop)
{
    const struct options *options = dispatcher->options;
    size_t most = curl_loop_capacity((size_t)options->callbacks.concurrency);
    uint64_t seed;

    if (settings_init(&dispatcher->settings, options) != 0) {
        return false;
    }
    arc4random_buf(&seed, sizeof(seed));
    dispatcher->queue = fair_queue_open(options, seed);
    dispatcher->names = dns_cache_open(loop, options->callbacks.timeout_ms,
                                       on_name, dispatcher);
    dispatcher->log = callback_log_open(options->callbacks.log);
    dispatcher->attempts = call_pool_open(&dispatcher->settings, most);
    dispatcher->transfers = curl_loop_open(loop, most, on_ended, dispatcher);
    if (most < (size_t)options->callbacks.concurrency) {
        log_warn("callbacks.concurrency is %" PRId64 ", but the limit of open "
                 "files allows %zu",
                 options->callbacks.concurrency, most);
    }
    return dispatcher->queue != NULL && dispatcher->names != NULL &&
           dispatcher->log != NULL && dispatcher->attempts != NULL &&
           dispatcher->transfers != NULL;
}

struct dispatcher *
dispatcher_open(const struct options *options, struct event_loop *loop,
                dispatcher_ended *ended, void *context)
{
    struct dispatcher *dispatcher = calloc(1, sizeof(*dispatcher));
    int reason;

    if (dispatcher == NULL) {
        return NULL;
    }
    dispatcher->options = options;
    dispatcher->ended = ended;
    dispatcher->context = context;
    if (!open_all(dispatcher, loop)) {
        reason = errno;
        dispatcher_close(dispatcher);
        errno = reason;
        return NULL;
    }
    return dispatcher;
}

/* Drops what is under way. */
static void
drop_all(struct dispatcher *dispatcher)
{
    struct http_call *call;

    while ((call = call_pool_any(dispatcher->attempts)) != NULL) {
        curl_loop_stop(dispatcher->transfers, http_call_easy(call),
                       http_call_host(call));
        job_free(call_pool_give(dispatcher->attempts, call));
    }
}

void
dispatcher_close(struct dispatcher *dispatcher)
{
    if (dispatcher == NULL) {
        return;
    }
    if (dispatcher->attempts != NULL) {
        drop_all(dispatcher);
    }
    call_pool_close(dispatcher->attempts);
    curl_loop_close(dispatcher->transfers);
    dns_cache_close(dispatcher->names);
    fair_queue_close(dispatcher->queue);
    settings_fini(&dispatcher->settings);
    callback_log_close(dispatcher->log);
    free(dispatcher);
}

void
dispatcher_protect(struct dispatcher *dispatcher, const struct sockaddr *redis)
{
    address_policy_protect(dispatcher->settings.policy, redis);
}

size_t
dispatcher_room(const struct dispatcher *dispatcher)
{
    return dispatcher->stopped ? 0 : fair_queue_room(dispatcher->queue);
}

size_t
dispatcher_waiting(const struct dispatcher *dispatcher)
{
    return fair_queue_waiting(dispatcher->queue);
}

size_t
dispatcher_under_way(const struct dispatcher *dispatcher)
{
    return call_pool_busy(dispatcher->attempts);
}

/* Buries a job that ended the reporter's life once too often. */
static void
abandon(struct dispatcher *dispatcher, struct job *job)
{
    struct retry_policy outcome = {.disposition = JOB_DEAD,
                                   .reason = "abandoned"};
    struct callback_line line = {
        .job = job, .host = "-", .error = outcome.reason};

    callback_log_write(dispatcher->log, &line);
    dispatcher->ended(dispatcher->context, job, &outcome);
}

bool
dispatcher_add(struct dispatcher *dispatcher, struct job *job)
{
    int64_t retry_ms;

    if (retry_policy_is_hopeless(&dispatcher->options->callbacks.retry_delays_s,
                                 job->attempts)) {
        abandon(dispatcher, job);
        return false;
    }
    retry_ms = fair_queue_add(dispatcher->queue, job, clock_mono_ms());
    if (retry_ms > 0) {
        give_back(dispatcher, job, retry_ms);
    }
    return retry_ms <= 0;
}

void
dispatcher_step(struct dispatcher *dispatcher)
{
    struct job *job;
    int64_t retry_ms;

    fill(dispatcher);
    while ((job = fair_queue_return_expired(dispatcher->queue, &retry_ms,
                                            clock_mono_ms())) != NULL) {
        give_back(dispatcher, job, retry_ms);
    }
    refusals_sum_up(&dispatcher->refusals);
    if (clock_mono_ms() - dispatcher->wanted_ms > CALM_MS) {
        log_throttle_over(&dispatcher->start_trouble, "callbacks");
    }
}

void
dispatcher_stop(struct dispatcher *dispatcher)
{
    struct job *job;

    dispatcher->stopped = true;
    while ((job = fair_queue_drain(dispatcher->queue)) != NULL) {
        give_back(dispatcher, job, 0);
    }
}

void
dispatcher_abort(struct dispatcher *dispatcher)
{
    struct http_call *call;

    while ((call = call_pool_any(dispatcher->attempts)) != NULL) {
        curl_loop_stop(dispatcher->transfers, http_call_easy(call),
                       http_call_host(call));
        write_attempt(dispatcher, call, 0, "shutdown");
        withdraw(dispatcher, call, 0);
    }
}

void
dispatcher_reopen(struct dispatcher *dispatcher)
{
    callback_log_reopen(dispatcher->log);
}

void
dispatcher_each(const struct dispatcher *dispatcher, fair_queue_visit *visit,
                void *context)
{
    fair_queue_each(dispatcher->queue, visit, context, clock_mono_ms());
}
