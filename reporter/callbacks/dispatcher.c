/*
 * dispatcher: one attempt is fill_slots, begin, look_up, send_request,
 * on_ended, finish, end_call. At each end a slot is free, and the next job
 * starts at once.
 */
#include "dispatcher.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/log_throttle.h"
#include "blocklist.h"
#include "breaker_log.h"
#include "call_pool.h"
#include "net/curl_loop.h"
#include "net/dns_cache.h"
#include "refusals.h"

enum {
    RETURN_DELAY_MS = 1000,  /* of a job that could not be started */
    SHORTAGE_OVER_MS = 5000, /* a shortage is over if there was none for so
                                long, and an answer has come since */
};

struct dispatcher {
    const struct settings *settings;
    dispatcher_ended *ended;
    void *context;
    struct fair_queue *queue;
    struct callback_log *log;
    struct dns_cache *names;
    struct call_pool *calls;
    struct curl_loop *transfers;
    struct refusals refusals;
    struct breaker_log breakers;
    struct log_throttle shortage;
    int64_t shortage_ms; /* monotonic: when resources were short last */
    int64_t answered_ms; /* monotonic: when the last answer came */
};

/* Logs that this host lacks the resources to start a callback. */
static void
note_shortage(struct dispatcher *dispatcher, const char *why)
{
    dispatcher->shortage_ms = clock_mono_ms();
    log_throttle_note(&dispatcher->shortage, "callbacks", why);
}

/* The word is that of the job in Redis, so that an operator finds the same in
   both. */
static void
log_attempt(struct dispatcher *dispatcher, const struct http_call *call,
            const struct retry_verdict *verdict)
{
    const char *host = http_call_host(call);
    struct callback_log_line line = {
        .job = http_call_job(call),
        .host = host != NULL ? host : "-",
        .status = verdict->status,
        .error = verdict->reason[0] != '\0' ? verdict->reason : verdict->error,
        .duration_ms = http_call_duration_ms(call),
        .next = verdict->disposition,
    };

    callback_log_write(dispatcher->log, &line);
}

/* Frees the slot, and logs if the circuit breaker opens or closes. */
static void
end_ticket(struct dispatcher *dispatcher,
           const struct destination_ticket *ticket,
           const struct retry_verdict *verdict)
{
    const struct destination *destination = ticket->destination;
    int64_t now_ms = clock_mono_ms();
    struct breaker_change change = {
        .origin = destination->origin,
        .was_open = destination->breaker.open_ms != 0,
        .error = verdict->reason,
    };

    fair_queue_end(dispatcher->queue, ticket, verdict, now_ms);
    change.is_open = destination->breaker.open_ms != 0;
    change.open_ms = destination->breaker.open_ms;
    change.waiting = (int64_t)(destination->waiting + destination->left);
    breaker_log_note(&dispatcher->breakers, &change, now_ms);
}

/* Frees the call and its slot, and hands its job to the worker. */
static void
end_call(struct dispatcher *dispatcher, struct http_call *call,
         const struct retry_verdict *verdict)
{
    end_ticket(dispatcher, http_call_ticket(call), verdict);
    dispatcher->ended(dispatcher->context,
                      call_pool_give(dispatcher->calls, call), verdict);
}

/* Returns the call's job without an attempt used. */
static void
return_call(struct dispatcher *dispatcher, struct http_call *call,
            int64_t delay_ms)
{
    struct retry_verdict verdict = {.disposition = JOB_RETURN,
                                    .delay_ms = delay_ms};

    end_call(dispatcher, call, &verdict);
}

/* Logs the end of a shortage, if it has ended. */
static void
note_shortage_over(struct dispatcher *dispatcher)
{
    if (dispatcher->answered_ms > dispatcher->shortage_ms &&
        clock_mono_ms() - dispatcher->shortage_ms > SHORTAGE_OVER_MS) {
        log_throttle_over(&dispatcher->shortage, "callbacks");
    }
}

/* Ends an attempt by the facts about it. */
static void
conclude(struct dispatcher *dispatcher, struct http_call *call,
         const struct retry_facts *facts)
{
    struct retry_verdict verdict = retry_policy_classify(
        &dispatcher->settings->options->callbacks.retry_delays_s, facts);

    if (verdict.no_resources != 0) {
        note_shortage(dispatcher, strerror(verdict.no_resources));
    } else if (verdict.status != 0) {
        dispatcher->answered_ms = clock_mono_ms();
    }
    log_attempt(dispatcher, call, &verdict);
    if (facts->refusal != NULL) {
        refusals_log(&dispatcher->refusals, http_call_job(call)->id,
                     http_call_host(call), facts->refusal);
    }
    end_call(dispatcher, call, &verdict);
}

/* Ends an attempt whose transfer, or look-up, ended with code. */
static void
finish(struct dispatcher *dispatcher, struct http_call *call, CURLcode code)
{
    struct retry_facts facts = http_call_facts(call, code);

    conclude(dispatcher, call, &facts);
}

/* Ends an attempt that could not be started for lack of memory. */
static void
fail_to_start(struct dispatcher *dispatcher, struct http_call *call)
{
    struct retry_facts facts = http_call_facts(call, CURLE_OUT_OF_MEMORY);

    facts.no_resources = ENOMEM;
    conclude(dispatcher, call, &facts);
}

static void
send_request(struct dispatcher *dispatcher, struct http_call *call,
             const char *addresses)
{
    if (!fair_queue_permits(dispatcher->queue, http_call_ticket(call),
                            addresses != NULL ? addresses
                                              : http_call_host(call),
                            clock_mono_ms())) {
        return_call(dispatcher, call, DESTINATION_CROWDED_MS);
        return;
    }
    if (http_call_resolve(call, addresses) != 0 ||
        curl_loop_start(dispatcher->transfers, http_call_easy(call),
                        http_call_host(call)) != 0) {
        fail_to_start(dispatcher, call);
    }
}

/* Goes on by the answer of the DNS cache. */
static void
on_answer(struct dispatcher *dispatcher, struct http_call *call,
          enum dns_cache_answer answer, const char *addresses)
{
    switch (answer) {
    case DNS_CACHE_KNOWN:
        send_request(dispatcher, call, addresses);
        break;
    case DNS_CACHE_WAIT: /* until on_name is called */
        break;
    case DNS_CACHE_FAILED:
        finish(dispatcher, call, CURLE_COULDNT_RESOLVE_HOST);
        break;
    case DNS_CACHE_UNASKED:
        note_shortage(dispatcher, "too many names to look up");
        return_call(dispatcher, call, RETURN_DELAY_MS);
        break;
    }
}

/* Sends a prepared call as soon as the addresses of its host are known. */
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
    on_answer(dispatcher, call, answer, addresses);
}

/* Ends a job of a slot without a call. */
static void
skip(struct dispatcher *dispatcher, struct job *job,
     const struct destination_ticket *ticket,
     const struct retry_verdict *verdict)
{
    end_ticket(dispatcher, ticket, verdict);
    dispatcher->ended(dispatcher->context, job, verdict);
}

static void
begin(struct dispatcher *dispatcher, struct job *job,
      const struct destination_ticket *ticket)
{
    struct retry_verdict verdict = {.disposition = JOB_RETURN,
                                    .delay_ms = RETURN_DELAY_MS};
    struct http_call *call;

    /* Its host may have been blocked since the job was claimed. */
    if (blocklist_has(dispatcher->settings->blocks, job, &verdict)) {
        skip(dispatcher, job, ticket, &verdict);
        return;
    }
    call = call_pool_take(dispatcher->calls);
    if (call == NULL) {
        note_shortage(dispatcher, strerror(ENOMEM));
        skip(dispatcher, job, ticket, &verdict);
    } else if (http_call_prepare(call, job, ticket) != 0) {
        fail_to_start(dispatcher, call);
    } else {
        look_up(dispatcher, call);
    }
}

/* Starts the jobs that may start. */
static void
fill_slots(struct dispatcher *dispatcher)
{
    struct destination_ticket ticket;
    struct job *job;

    while (call_pool_room(dispatcher->calls) > 0 &&
           (job = fair_queue_next(dispatcher->queue, &ticket,
                                  clock_mono_ms())) != NULL) {
        begin(dispatcher, job, &ticket);
    }
}

/* The end of a transfer. A curl_loop_ended. */
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
    fill_slots(dispatcher);
}

/* The end of a wait for a name. A dns_cache_handler. */
static void
on_name(void *context, struct dns_cache_wait *wait,
        enum dns_cache_answer answer)
{
    struct dispatcher *dispatcher = context;
    struct http_call *call = wait->context;

    if (answer == DNS_CACHE_KNOWN) {
        look_up(dispatcher, call); /* which gets the addresses */
    } else {
        on_answer(dispatcher, call, answer, NULL);
    }
    fill_slots(dispatcher);
}

static bool
open_all(struct dispatcher *dispatcher, struct event_loop *loop)
{
    const struct options *options = dispatcher->settings->options;
    size_t wanted = (size_t)options->callbacks.concurrency;
    size_t slots = curl_loop_raise_fd_limit(wanted);

    if (slots < wanted) {
        log_warn("callbacks.concurrency gives this worker %" PRId64
                 ", but the limit of open files allows %zu",
                 options->callbacks.concurrency, slots);
    }
    dispatcher->names = dns_cache_open(loop, options->callbacks.timeout_ms,
                                       on_name, dispatcher);
    fair_queue_set_slots(dispatcher->queue, slots);
    dispatcher->calls = call_pool_open(dispatcher->settings, slots);
    dispatcher->transfers = curl_loop_open(loop, slots, on_ended, dispatcher);
    return dispatcher->names != NULL && dispatcher->calls != NULL &&
           dispatcher->transfers != NULL;
}

struct dispatcher *
dispatcher_open(const struct settings *settings, struct fair_queue *queue,
                struct callback_log *log, struct event_loop *loop,
                dispatcher_ended *ended, void *context)
{
    struct dispatcher *dispatcher = calloc(1, sizeof(*dispatcher));
    int reason;

    if (dispatcher == NULL) {
        return NULL;
    }
    dispatcher->settings = settings;
    dispatcher->queue = queue;
    dispatcher->log = log;
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

/* Stops the transfer of any busy call. NULL: no call is busy. */
static struct http_call *
stop_any(struct dispatcher *dispatcher)
{
    struct http_call *call = call_pool_any(dispatcher->calls);

    if (call != NULL) {
        curl_loop_stop(dispatcher->transfers, http_call_easy(call),
                       http_call_host(call));
    }
    return call;
}

void
dispatcher_close(struct dispatcher *dispatcher)
{
    struct http_call *call;

    if (dispatcher == NULL) {
        return;
    }
    while (dispatcher->calls != NULL && (call = stop_any(dispatcher)) != NULL) {
        job_free(call_pool_give(dispatcher->calls, call));
    }
    call_pool_close(dispatcher->calls);
    curl_loop_close(dispatcher->transfers);
    dns_cache_close(dispatcher->names);
    free(dispatcher);
}

void
dispatcher_step(struct dispatcher *dispatcher)
{
    fill_slots(dispatcher);
    refusals_sum_up(&dispatcher->refusals);
    breaker_log_sum_up(&dispatcher->breakers, clock_mono_ms());
    note_shortage_over(dispatcher);
}

void
dispatcher_abort(struct dispatcher *dispatcher)
{
    static const struct retry_verdict verdict = {.disposition = JOB_RETURN,
                                                 .reason = "shutdown"};
    struct http_call *call;

    while ((call = stop_any(dispatcher)) != NULL) {
        log_attempt(dispatcher, call, &verdict);
        return_call(dispatcher, call, 0);
    }
}
