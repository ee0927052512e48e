/*
 * delivery: a job waits in destinations.h until its turn has come, then for
 * the address of its name, then it is a transfer of libcurl. Whatever ends in
 * between makes room, and the next one starts at once.
 */
#include "delivery.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "attempts.h"
#include "callback_log.h"
#include "clock.h"
#include "log.h"
#include "names.h"
#include "refusals.h"
#include "terms.h"
#include "transfers.h"
#include "trouble.h"

enum {
    RETURN_DELAY_MS = 1000, /* for a job that could not be started */
    CALM_MS = 5000,         /* without another one, that trouble is over */
};

#define NO_MEMORY "no memory to start"

struct delivery {
    const struct options *options;
    delivery_ended *ended;
    void *context;
    bool stopped;
    struct terms terms;
    struct destinations *destinations;
    struct names *names;
    struct attempts *attempts;
    struct transfers *transfers;
    struct callback_log *log;
    struct refusals refusals;
    struct trouble start_trouble;
    int64_t wanted_ms; /* monotonic: when there was no means for one last */
};

/* Back to the queue without an attempt used. */
static struct outcome
returned(int64_t delay_ms)
{
    return (struct outcome){.fate = JOB_RETURN, .delay_ms = delay_ms};
}

static void
give_back(struct delivery *delivery, struct job *job, int64_t delay_ms)
{
    struct outcome outcome = returned(delay_ms);

    delivery->ended(delivery->context, job, &outcome);
}

static void
write_attempt(struct delivery *delivery, const struct attempt *attempt,
              long status, const char *error)
{
    struct callback_line line = {
        .job = attempt_job(attempt),
        .host = attempt_host(attempt),
        .status = status,
        .error = error,
        .duration_ms = attempt_duration_ms(attempt),
    };

    callback_log_write(delivery->log, &line);
}

/* The end of a ticket: its slot is free, and something may be known. */
static void
hand_in(struct delivery *delivery, const struct destination_ticket *ticket,
        enum destination_result result, const struct outcome *outcome)
{
    struct destination_news news = {
        .result = result,
        .retry_after_ms = outcome->hold_ms,
        .comes_again =
            outcome->fate == JOB_RETRY || outcome->fate == JOB_RETURN,
    };

    destinations_end(delivery->destinations, ticket, &news, clock_mono_ms());
}

/* The attempt's job goes back, and nothing is known of its destination. */
static void
withdraw(struct delivery *delivery, struct attempt *attempt, int64_t delay_ms)
{
    struct outcome outcome = returned(delay_ms);

    hand_in(delivery, attempt_ticket(attempt), DESTINATION_UNTRIED, &outcome);
    give_back(delivery, attempts_give(delivery->attempts, attempt), delay_ms);
}

/* That a callback could not be started, and why. */
static void
note_want(struct delivery *delivery, const char *why)
{
    delivery->wanted_ms = clock_mono_ms();
    trouble_note(&delivery->start_trouble, "callbacks", why);
}

static void
finish(struct delivery *delivery, struct attempt *attempt, CURLcode code)
{
    struct outcome_facts facts = attempt_facts(attempt, code);
    struct outcome outcome =
        outcome_judge(&delivery->options->callbacks.retry_delays_s, &facts);
    struct job *job;

    if (outcome.fate == JOB_RETURN) {
        note_want(delivery, strerror(facts.starved));
        withdraw(delivery, attempt, outcome.delay_ms);
        return;
    }
    write_attempt(delivery, attempt, outcome.status, outcome.error);
    if (facts.refused) {
        refusals_say(&delivery->refusals, attempt_job(attempt)->id,
                     attempt_host(attempt), attempt_refusal(attempt));
    }
    hand_in(delivery, attempt_ticket(attempt),
            facts.refused ? DESTINATION_UNTRIED
                          : destination_judge(outcome.status),
            &outcome);
    job = attempts_give(delivery->attempts, attempt);
    delivery->ended(delivery->context, job, &outcome);
}

static void
launch(struct delivery *delivery, struct attempt *attempt,
       const char *addresses)
{
    bool started = attempt_resolve(attempt, addresses) == 0 &&
                   transfers_start(delivery->transfers, attempt_easy(attempt),
                                   attempt_host(attempt)) == 0;

    if (!started) {
        note_want(delivery, NO_MEMORY);
        withdraw(delivery, attempt, RETURN_DELAY_MS);
    }
}

/* Launches a prepared attempt, once its name is known. */
static void
look_up(struct delivery *delivery, struct attempt *attempt)
{
    const char *name = attempt_name(attempt);
    const char *addresses = NULL;
    enum names_answer answer = NAMES_KNOWN;

    if (name != NULL) {
        answer =
            names_ask(delivery->names, name, attempt_wait(attempt), &addresses);
    }
    switch (answer) {
    case NAMES_KNOWN:
        launch(delivery, attempt, addresses);
        break;
    case NAMES_WAIT:
        break;
    case NAMES_FAILED:
        finish(delivery, attempt, CURLE_COULDNT_RESOLVE_HOST);
        break;
    case NAMES_UNASKED:
        withdraw(delivery, attempt, RETURN_DELAY_MS);
        break;
    }
}

static void
begin(struct delivery *delivery, struct job *job,
      const struct destination_ticket *ticket)
{
    struct attempt *attempt = attempts_take(delivery->attempts);
    struct outcome outcome;

    if (attempt == NULL) {
        note_want(delivery, NO_MEMORY);
        outcome = returned(RETURN_DELAY_MS);
        hand_in(delivery, ticket, DESTINATION_UNTRIED, &outcome);
        give_back(delivery, job, RETURN_DELAY_MS);
    } else if (attempt_prepare(attempt, job, ticket) != 0) {
        note_want(delivery, NO_MEMORY);
        withdraw(delivery, attempt, RETURN_DELAY_MS);
    } else {
        look_up(delivery, attempt);
    }
}

/* Starts what may start. */
static void
fill(struct delivery *delivery)
{
    struct destination_ticket ticket;
    struct job *job;

    while (!delivery->stopped && attempts_room(delivery->attempts) > 0 &&
           (job = destinations_next(delivery->destinations, &ticket,
                                    clock_mono_ms())) != NULL) {
        begin(delivery, job, &ticket);
    }
}

static void
on_ended(void *context, CURL *easy, CURLcode code)
{
    struct delivery *delivery = context;

    finish(delivery, attempt_of(easy), code);
    fill(delivery);
}

static void
on_name(void *context, struct names_wait *wait, enum names_answer answer)
{
    struct delivery *delivery = context;
    struct attempt *attempt = wait->context;

    switch (answer) {
    case NAMES_KNOWN:
    case NAMES_WAIT:
        look_up(delivery, attempt);
        break;
    case NAMES_FAILED:
        finish(delivery, attempt, CURLE_COULDNT_RESOLVE_HOST);
        break;
    case NAMES_UNASKED:
        withdraw(delivery, attempt, RETURN_DELAY_MS);
        break;
    }
    fill(delivery);
}

static bool
open_all(struct delivery *delivery, struct loop *loop)
{
    const struct options *options = delivery->options;
    size_t most = transfers_most((size_t)options->callbacks.concurrency);
    uint64_t seed;

    if (terms_init(&delivery->terms, options) != 0) {
        return false;
    }
    arc4random_buf(&seed, sizeof(seed));
    delivery->destinations = destinations_open(options, seed);
    delivery->names =
        names_open(loop, options->callbacks.timeout_ms, on_name, delivery);
    delivery->log = callback_log_open(options->callbacks.log);
    delivery->attempts = attempts_open(&delivery->terms, most);
    delivery->transfers = transfers_open(loop, most, on_ended, delivery);
    if (most < (size_t)options->callbacks.concurrency) {
        log_warn("callbacks.concurrency is %" PRId64 ", but the limit of open "
                 "files allows %zu",
                 options->callbacks.concurrency, most);
    }
    return delivery->destinations != NULL && delivery->names != NULL &&
           delivery->log != NULL && delivery->attempts != NULL &&
           delivery->transfers != NULL;
}

struct delivery *
delivery_open(const struct options *options, struct loop *loop,
              delivery_ended *ended, void *context)
{
    struct delivery *delivery = calloc(1, sizeof(*delivery));
    int reason;

    if (delivery == NULL) {
        return NULL;
    }
    delivery->options = options;
    delivery->ended = ended;
    delivery->context = context;
    if (!open_all(delivery, loop)) {
        reason = errno;
        delivery_close(delivery);
        errno = reason;
        return NULL;
    }
    return delivery;
}

/* Drops what is under way. */
static void
drop_all(struct delivery *delivery)
{
    struct attempt *attempt;

    while ((attempt = attempts_any(delivery->attempts)) != NULL) {
        transfers_stop(delivery->transfers, attempt_easy(attempt),
                       attempt_host(attempt));
        job_free(attempts_give(delivery->attempts, attempt));
    }
}

void
delivery_close(struct delivery *delivery)
{
    if (delivery == NULL) {
        return;
    }
    if (delivery->attempts != NULL) {
        drop_all(delivery);
    }
    attempts_close(delivery->attempts);
    transfers_close(delivery->transfers);
    names_close(delivery->names);
    destinations_close(delivery->destinations);
    terms_fini(&delivery->terms);
    callback_log_close(delivery->log);
    free(delivery);
}

void
delivery_protect(struct delivery *delivery, const struct sockaddr *redis)
{
    guard_protect(delivery->terms.guard, redis);
}

size_t
delivery_room(const struct delivery *delivery)
{
    return delivery->stopped ? 0 : destinations_room(delivery->destinations);
}

size_t
delivery_waiting(const struct delivery *delivery)
{
    return destinations_waiting(delivery->destinations);
}

size_t
delivery_under_way(const struct delivery *delivery)
{
    return attempts_busy(delivery->attempts);
}

/* Buries a job that ended the reporter's life once too often. */
static void
abandon(struct delivery *delivery, struct job *job)
{
    struct outcome outcome = {.fate = JOB_DEAD, .reason = "abandoned"};
    struct callback_line line = {
        .job = job, .host = "-", .error = outcome.reason};

    callback_log_write(delivery->log, &line);
    delivery->ended(delivery->context, job, &outcome);
}

bool
delivery_add(struct delivery *delivery, struct job *job)
{
    int64_t retry_ms;

    if (outcome_is_hopeless(&delivery->options->callbacks.retry_delays_s,
                            job->attempts)) {
        abandon(delivery, job);
        return false;
    }
    retry_ms = destinations_add(delivery->destinations, job, clock_mono_ms());
    if (retry_ms > 0) {
        give_back(delivery, job, retry_ms);
    }
    return retry_ms <= 0;
}

void
delivery_step(struct delivery *delivery)
{
    struct job *job;
    int64_t retry_ms;

    fill(delivery);
    while ((job = destinations_shed(delivery->destinations, &retry_ms,
                                    clock_mono_ms())) != NULL) {
        give_back(delivery, job, retry_ms);
    }
    refusals_sum_up(&delivery->refusals);
    if (clock_mono_ms() - delivery->wanted_ms > CALM_MS) {
        trouble_over(&delivery->start_trouble, "callbacks");
    }
}

void
delivery_stop(struct delivery *delivery)
{
    struct job *job;

    delivery->stopped = true;
    while ((job = destinations_take(delivery->destinations)) != NULL) {
        give_back(delivery, job, 0);
    }
}

void
delivery_abort(struct delivery *delivery)
{
    struct attempt *attempt;

    while ((attempt = attempts_any(delivery->attempts)) != NULL) {
        transfers_stop(delivery->transfers, attempt_easy(attempt),
                       attempt_host(attempt));
        write_attempt(delivery, attempt, 0, "shutdown");
        withdraw(delivery, attempt, 0);
    }
}

void
delivery_reopen(struct delivery *delivery)
{
    callback_log_reopen(delivery->log);
}

void
delivery_each(const struct delivery *delivery, destinations_visit *visit,
              void *context)
{
    destinations_each(delivery->destinations, visit, context, clock_mono_ms());
}
