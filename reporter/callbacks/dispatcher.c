/*
 * dispatcher: one attempt is fill_slots, begin, send_request, on_ended, finish,
 * end_call. At each end a slot is free, and the next job starts at once.
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
#include "call_phases.h"
#include "call_pool.h"
#include "net/curl_loop.h"
#include "refusals.h"

enum {
    RETURN_DELAY_MS = 1000,  /* of a job that could not be started */
    SHORTAGE_OVER_MS = 5000, /* a shortage is over if there was none for so
                                long, and an answer has come since */
};

struct dispatcher {
    const struct settings *settings;
    dispatcher_begins *begins;
    dispatcher_ended *ended;
    void *context;
    struct fair_queue *queue;
    struct lookups *lookups;
    struct callback_log *log;
    struct traces *traces;
    struct stats *stats;
    struct metrics *metrics;
    struct event_loop *loop;
    struct event_loop_timer stops; /* of transfers */
    size_t lingering;              /* calls */
    struct call_pool *calls;
    struct curl_loop *transfers;
    struct refusals refusals;
    struct breaker_log breakers;
    struct log_throttle shortage;
    int64_t shortage_ms; /* monotonic: when resources were short last */
    int64_t answered_ms; /* monotonic: when the last answer came */
};

void
dispatcher_note_shortage(struct dispatcher *dispatcher, const char *why)
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
    traces_note(dispatcher->traces, &line, http_call_span_id(call));
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

/* Plans a look at the calls that are to be stopped, if this call may be. */
static void
watch(struct dispatcher *dispatcher, const struct http_call *call)
{
    struct event_loop_timer *timer = &dispatcher->stops;
    int64_t in_ms = http_call_stop_in_ms(call);

    if (in_ms >= 0 &&
        (!timer->armed || timer->due_ms > clock_mono_ms() + in_ms)) {
        event_loop_arm(dispatcher->loop, timer, in_ms);
    }
}

/* Hands the call's job to the worker. Frees the call, unless it lingers. */
static void
end_call(struct dispatcher *dispatcher, struct http_call *call,
         const struct retry_verdict *verdict)
{
    struct job *job;

    end_ticket(dispatcher, http_call_ticket(call), verdict);
    job = http_call_release(call);
    if (http_call_is_lingering(call)) {
        dispatcher->lingering++;
        watch(dispatcher, call);
    } else {
        call_pool_give(dispatcher->calls, call);
    }
    dispatcher->ended(dispatcher->context, job, verdict);
}

/* Frees a lingering call, whose transfer has ended or was stopped. */
static void
end_lingering(struct dispatcher *dispatcher, struct http_call *call)
{
    dispatcher->lingering--;
    http_call_release(call);
    call_pool_give(dispatcher->calls, call);
}

static void
stop_transfer(struct dispatcher *dispatcher, const struct http_call *call)
{
    curl_loop_stop(dispatcher->transfers, http_call_easy(call),
                   http_call_host(call));
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

/* Counts an attempt, and how long its phases took. */
static void
measure_attempt(struct dispatcher *dispatcher, const struct http_call *call,
                const struct retry_verdict *verdict)
{
    struct metrics *metrics = dispatcher->metrics;
    struct call_phases phases = call_phases_read(http_call_easy(call));

    stats_count_attempt(dispatcher->stats, verdict);
    if (verdict->disposition == JOB_RETURN) {
        return;
    }
    metrics_observe_phase(metrics, METRICS_PHASE_CONNECT, phases.connect_us);
    metrics_observe_phase(metrics, METRICS_PHASE_TLS, phases.tls_us);
    metrics_observe_phase(metrics, METRICS_PHASE_ANSWER, phases.answer_us);
    metrics_observe_phase(metrics, METRICS_PHASE_ALL,
                          http_call_duration_ms(call) * 1000);
}

/* Ends an attempt by the facts about it. */
static void
conclude(struct dispatcher *dispatcher, struct http_call *call,
         const struct retry_facts *facts)
{
    struct retry_verdict verdict = retry_policy_classify(
        &dispatcher->settings->options->callbacks.retry_delays_s, facts);

    if (verdict.no_resources != 0) {
        dispatcher_note_shortage(dispatcher, strerror(verdict.no_resources));
    } else if (verdict.status != 0) {
        dispatcher->answered_ms = clock_mono_ms();
    }
    log_attempt(dispatcher, call, &verdict);
    measure_attempt(dispatcher, call, &verdict);
    if (facts->refusal != NULL) {
        refusals_log(&dispatcher->refusals, http_call_job(call)->id,
                     http_call_host(call), facts->refusal);
    }
    end_call(dispatcher, call, &verdict);
}

/* Ends an attempt whose transfer ended with code. */
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

/*
 * Sends a prepared call to the addresses of its host. They were looked up
 * before the job was queued. If the cache has dropped them since, the job is
 * returned, and they are looked up again.
 */
static void
send_request(struct dispatcher *dispatcher, struct http_call *call)
{
    const char *name = http_call_name(call);
    const char *addresses =
        name == NULL ? NULL : lookups_addresses(dispatcher->lookups, name);

    if (name != NULL && addresses == NULL) {
        return_call(dispatcher, call, 0);
    } else if (!fair_queue_permits(dispatcher->queue, http_call_ticket(call),
                                   addresses != NULL ? addresses
                                                     : http_call_host(call),
                                   clock_mono_ms())) {
        return_call(dispatcher, call, DESTINATION_CROWDED_MS);
    } else if (!dispatcher->begins(dispatcher->context, http_call_job(call))) {
        return_call(dispatcher, call, RETURN_DELAY_MS);
    } else if (http_call_resolve(call, addresses) != 0 ||
               curl_loop_start(dispatcher->transfers, http_call_easy(call),
                               http_call_host(call)) != 0) {
        fail_to_start(dispatcher, call);
    } else {
        watch(dispatcher, call);
    }
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
        dispatcher_note_shortage(dispatcher, strerror(ENOMEM));
        skip(dispatcher, job, ticket, &verdict);
    } else if (http_call_prepare(call, job, ticket) != 0) {
        fail_to_start(dispatcher, call);
    } else {
        send_request(dispatcher, call);
    }
}

/* Frees a slot if all are taken and a lingering call has one. True if a slot is
   free. */
static bool
make_room(struct dispatcher *dispatcher)
{
    struct http_call *call;
    size_t place = 0;

    if (call_pool_room(dispatcher->calls) > 0) {
        return true;
    }
    if (dispatcher->lingering == 0 ||
        fair_queue_waiting(dispatcher->queue) == 0) {
        return false;
    }
    do {
        call = call_pool_next(dispatcher->calls, &place);
    } while (!http_call_is_lingering(call));
    stop_transfer(dispatcher, call);
    end_lingering(dispatcher, call);
    return true;
}

/* Starts the jobs that may start. */
static void
fill_slots(struct dispatcher *dispatcher)
{
    struct destination_ticket ticket;
    struct job *job;

    while (make_room(dispatcher) &&
           (job = fair_queue_next(dispatcher->queue, &ticket,
                                  clock_mono_ms())) != NULL) {
        begin(dispatcher, job, &ticket);
    }
}

/*
 * The head of the final response has come, which ends the attempt. Jobs are not
 * started here, as libcurl must not be called back. An http_call_answered.
 */
static void
on_answered(void *context, struct http_call *call)
{
    finish(context, call, CURLE_OK);
}

/* The end of a transfer. A curl_loop_ended. */
static void
on_ended(void *context, CURL *easy, CURLcode code)
{
    struct dispatcher *dispatcher = context;
    struct http_call *call = http_call_of(easy);

    if (http_call_is_lingering(call)) {
        end_lingering(dispatcher, call);
    } else if (http_call_is_to_renew(call, code)) {
        send_request(dispatcher, call);
    } else {
        finish(dispatcher, call, code);
    }
    fill_slots(dispatcher);
}

/* Stops the transfers whose time is over: see http_call_stop_in_ms. */
static void
on_stops(void *context)
{
    struct dispatcher *dispatcher = context;
    struct http_call *call;
    size_t place = 0;

    while ((call = call_pool_next(dispatcher->calls, &place)) != NULL) {
        if (http_call_stop_in_ms(call) != 0) {
            watch(dispatcher, call);
            continue;
        }
        stop_transfer(dispatcher, call);
        if (http_call_is_lingering(call)) {
            end_lingering(dispatcher, call);
        } else {
            http_call_next_round(call);
            send_request(dispatcher, call);
        }
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
    fair_queue_set_slots(dispatcher->queue, slots);
    dispatcher->calls =
        call_pool_open(dispatcher->settings, slots, on_answered, dispatcher);
    dispatcher->transfers = curl_loop_open(loop, slots, on_ended, dispatcher);
    return dispatcher->calls != NULL && dispatcher->transfers != NULL;
}

struct dispatcher *
dispatcher_open(const struct dispatcher_parts *parts, dispatcher_begins *begins,
                dispatcher_ended *ended, void *context)
{
    struct dispatcher *dispatcher = calloc(1, sizeof(*dispatcher));
    int reason;

    if (dispatcher == NULL) {
        return NULL;
    }
    dispatcher->settings = parts->settings;
    dispatcher->queue = parts->queue;
    dispatcher->lookups = parts->lookups;
    dispatcher->log = parts->log;
    dispatcher->traces = parts->traces;
    dispatcher->stats = parts->stats;
    dispatcher->metrics = parts->metrics;
    dispatcher->loop = parts->loop;
    dispatcher->stops.handler = on_stops;
    dispatcher->stops.context = dispatcher;
    dispatcher->begins = begins;
    dispatcher->ended = ended;
    dispatcher->context = context;
    if (!open_all(dispatcher, parts->loop)) {
        reason = errno;
        dispatcher_close(dispatcher);
        errno = reason;
        return NULL;
    }
    return dispatcher;
}

/* Stops the transfer of a call that has a job, and of all lingering calls
   before it. NULL: no call has a job. */
static struct http_call *
stop_any(struct dispatcher *dispatcher)
{
    struct http_call *call;
    size_t place = 0;

    while ((call = call_pool_next(dispatcher->calls, &place)) != NULL) {
        stop_transfer(dispatcher, call);
        if (!http_call_is_lingering(call)) {
            return call;
        }
        end_lingering(dispatcher, call);
    }
    return NULL;
}

void
dispatcher_close(struct dispatcher *dispatcher)
{
    struct http_call *call;

    if (dispatcher == NULL) {
        return;
    }
    event_loop_disarm(dispatcher->loop, &dispatcher->stops);
    while (dispatcher->calls != NULL && (call = stop_any(dispatcher)) != NULL) {
        job_free(http_call_release(call));
        call_pool_give(dispatcher->calls, call);
    }
    call_pool_close(dispatcher->calls);
    curl_loop_close(dispatcher->transfers);
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
