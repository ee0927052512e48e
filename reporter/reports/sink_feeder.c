/*
 * outlet: what a sink has delivered is true whoever has the lease by now, so
 * that the cursor that we know only grows, and is told to Redis whenever it
 * has less. Whether we may write is looked at right before each offer, and
 * what lies unsettled when the lease is gone is dropped.
 */
#include "sink_feeder.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/log_throttle.h"
#include "base/rfc3339.h"
#include "base/util.h"
#include "store/sink_lease.h"

/* A sink that lets us wait longer than this is a trouble worth a line. */
enum { PATIENCE_MS = 5000 };

struct sink_feeder {
    const struct sink_feeder_needs *needs;
    struct sink *sink;
    struct sink_lease *lease;
    struct log_throttle trouble;            /* of the sink */
    struct log_throttle sink_lease_trouble; /* Redis refuses to tell */
    struct log_throttle read_trouble;       /* ... to read the records */
    struct log_throttle cursor_trouble;     /* ... to move the cursor */
    struct log_throttle odd_trouble;        /* what it has written can't be */
    struct log_throttle skip_trouble; /* windows that it will never have */
    bool known;          /* the sink's own place has been looked at */
    bool ours;           /* the lease, at the last look */
    int64_t place_s;     /* the last window that it showed; 0: none */
    int64_t delivered_s; /* the last one written by us; 0: none */
    bool busy;           /* was offered records and has not settled all */
    int64_t offered_s;   /* the last window offered */
    int64_t offered_ms;  /* monotonic: when */
    int64_t retry_ms;    /* monotonic: nothing is offered before */
};

static void
on_delivered(void *context, int64_t start_s)
{
    struct sink_feeder *feeder = context;

    feeder->delivered_s = int64_max(feeder->delivered_s, start_s);
    if (start_s < feeder->offered_s) {
        return;
    }
    feeder->busy = false;
    log_throttle_over(&feeder->trouble, feeder->sink->name);
    feeder->needs->wake(feeder->needs->context);
}

static void
on_failed(void *context, int64_t wait_ms)
{
    struct sink_feeder *feeder = context;

    feeder->busy = false;
    feeder->retry_ms = clock_mono_ms() + wait_ms;
    log_throttle_note(&feeder->trouble, feeder->sink->name,
                      feeder->sink->error);
}

struct sink_feeder *
sink_feeder_open(const struct sink_feeder_needs *needs,
                 const struct sink_type *type)
{
    struct sink_feeder *feeder = calloc(1, sizeof(*feeder));
    struct sink_events events = {feeder, on_delivered, on_failed};

    if (feeder == NULL) {
        return NULL;
    }
    feeder->needs = needs;
    feeder->sink = type->open(needs->options, needs->loop, &events);
    if (feeder->sink != NULL) {
        feeder->lease =
            sink_lease_open(needs->redis, needs->options->redis.prefix,
                            feeder->sink->name, needs->owner);
    }
    if (feeder->lease == NULL) {
        sink_feeder_close(feeder);
        return NULL;
    }
    return feeder;
}

/* start_s, or 0 where that window can't have been written. */
static int64_t
possible(const struct sink_feeder *feeder, int64_t start_s)
{
    int64_t implausible_from_s =
        window_closer_implausible_from_s(feeder->needs->closer);

    return implausible_from_s != 0 && start_s >= implausible_from_s ? 0
                                                                    : start_s;
}

int64_t
sink_feeder_cursor_s(const struct sink_feeder *feeder)
{
    int64_t newest_delivered_s =
        int64_max(possible(feeder, sink_lease_cursor_s(feeder->lease)),
                  possible(feeder, feeder->place_s));

    return int64_max(newest_delivered_s, possible(feeder, feeder->delivered_s));
}

/* That Redis is away is the connection's to say; here only what it refuses. */
static void
log_result(struct sink_feeder *feeder, struct log_throttle *trouble, int result)
{
    if (result >= 0) {
        log_throttle_over(trouble, feeder->sink->name);
    } else if (redis_state(feeder->needs->redis) == REDIS_STATE_UP) {
        log_throttle_note(trouble, feeder->sink->name,
                          redis_error(feeder->needs->redis));
    }
}

/* Where this fails, the next look tries again. */
static void
save_cursor(struct sink_feeder *feeder)
{
    int64_t implausible_from_s =
        window_closer_implausible_from_s(feeder->needs->closer);
    int64_t cursor_s = sink_feeder_cursor_s(feeder);

    if (implausible_from_s != 0 && sink_lease_ours(feeder->lease) &&
        possible(feeder, sink_lease_cursor_s(feeder->lease)) < cursor_s) {
        log_result(
            feeder, &feeder->cursor_trouble,
            sink_lease_advance(feeder->lease, cursor_s, implausible_from_s));
    }
}

void
sink_feeder_close(struct sink_feeder *feeder)
{
    if (feeder == NULL) {
        return;
    }
    if (feeder->sink != NULL && feeder->busy &&
        feeder->sink->type->finish != NULL) {
        feeder->sink->type->finish(feeder->sink);
    }
    if (feeder->lease != NULL) {
        save_cursor(feeder);
        sink_lease_release(feeder->lease);
        sink_lease_close(feeder->lease);
    }
    if (feeder->sink != NULL) {
        feeder->sink->type->close(feeder->sink);
    }
    free(feeder);
}

/* What the sink's place itself tells: at the start, until it is known which
   window is on, and when another may have written before us. */
static void
look_at_place(struct sink_feeder *feeder)
{
    struct sink *sink = feeder->sink;

    sink->implausible_from_s =
        window_closer_implausible_from_s(feeder->needs->closer);
    if (sink->type->last != NULL) {
        feeder->place_s = sink->type->last(sink);
    }
    feeder->known = sink->implausible_from_s != 0;
}

/* The lease has gone over to another one, or ended while Redis was away. */
static void
step_back(struct sink_feeder *feeder)
{
    log_info("%s: no longer ours to write", feeder->sink->name);
    log_throttle_end(&feeder->trouble);
    if (feeder->busy) {
        feeder->sink->type->drop(feeder->sink);
        feeder->busy = false;
    }
}

void
sink_feeder_renew_lease(struct sink_feeder *feeder)
{
    bool was_ours = feeder->ours;

    log_result(feeder, &feeder->sink_lease_trouble,
               sink_lease_keep(feeder->lease));
    feeder->ours = sink_lease_ours(feeder->lease);
    if (!feeder->known || (feeder->ours && !was_ours)) {
        look_at_place(feeder);
    }
    if (feeder->ours && !was_ours) {
        log_info("%s: ours to write", feeder->sink->name);
    } else if (was_ours && !feeder->ours) {
        step_back(feeder);
    }
}

/* Says which windows a sink will never have, as they were trimmed meanwhile. */
static void
tell_missing(struct sink_feeder *feeder, int64_t missing, int64_t next_s)
{
    char text[RFC3339_SIZE];

    if (missing > 0 && log_throttle_due(&feeder->skip_trouble)) {
        rfc3339_format(text, next_s);
        log_warn("%s: %" PRId64 " windows before %s skipped: their records are"
                 " past the retention",
                 feeder->sink->name, missing, text);
    }
}

/* Says where somebody, or a wrong clock, has written of the future. */
static void
tell_odd(struct sink_feeder *feeder)
{
    int64_t cursor_s = sink_lease_cursor_s(feeder->lease);
    int64_t future_window_s =
        int64_max(feeder->sink->future_window_s,
                  possible(feeder, cursor_s) == 0 ? cursor_s : 0);
    char text[RFC3339_SIZE];

    if (future_window_s == 0) {
        log_throttle_end(&feeder->odd_trouble);
        return;
    }
    if (log_throttle_due(&feeder->odd_trouble)) {
        rfc3339_format(text, future_window_s);
        log_warn("%s: passing over that it seems to have the window %s, which"
                 " is far ahead of Redis's clock",
                 feeder->sink->name, text);
    }
}

/* Whether the sink may be offered something now. */
static bool
is_free(struct sink_feeder *feeder)
{
    int64_t now_ms = clock_mono_ms();

    if (feeder->busy && now_ms - feeder->offered_ms > PATIENCE_MS) {
        log_throttle_note(&feeder->trouble, feeder->sink->name,
                          feeder->sink->error[0] != '\0' ? feeder->sink->error
                                                         : "no answer yet");
    }
    return !feeder->busy && now_ms >= feeder->retry_ms;
}

static void
offer(struct sink_feeder *feeder, const struct window_record *records,
      size_t count)
{
    feeder->busy = true;
    feeder->offered_s = records[count - 1].start_s;
    feeder->offered_ms = clock_mono_ms();
    feeder->sink->error[0] = '\0';
    feeder->sink->implausible_from_s =
        window_closer_implausible_from_s(feeder->needs->closer);
    feeder->sink->type->offer(feeder->sink, records, count);
}

bool
sink_feeder_serve(struct sink_feeder *feeder)
{
    struct window_record records[SINK_OFFER_MOST];
    size_t most = feeder->sink->type->most;
    int64_t skipped;
    int count;

    /* The look at the start did not know which window is on; and once we have
       written, what is odd lies behind our lines. */
    if (!feeder->known) {
        look_at_place(feeder);
    }
    tell_odd(feeder); /* before it is replaced */
    save_cursor(feeder);
    if (!is_free(feeder)) {
        return false;
    }
    count =
        window_closer_read(feeder->needs->closer, sink_feeder_cursor_s(feeder),
                           records, most, &skipped);
    log_result(feeder, &feeder->read_trouble, count);
    /* Asked last: reading took its time. */
    if (count <= 0 || !sink_lease_ours(feeder->lease)) {
        return false;
    }
    tell_missing(feeder, skipped, records[0].start_s);
    offer(feeder, records, (size_t)count);
    save_cursor(feeder);
    return (size_t)count == most && feeder->delivered_s == feeder->offered_s;
}

void
sink_feeder_reopen(struct sink_feeder *feeder)
{
    if (feeder->sink->type->reopen != NULL) {
        feeder->sink->type->reopen(feeder->sink);
    }
    feeder->retry_ms = 0;
}
