/*
 * sink_feeder: a delivered window stays delivered, whichever reporter has the
 * lease, unless an operator rewinds the sink. So the cursor here only grows,
 * and is saved if Redis has an older one. The lease is checked right before
 * each offer. If the lease is lost, undelivered records are dropped.
 */
#include "sink_feeder.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/log_throttle.h"
#include "base/rfc3339.h"
#include "base/util.h"
#include "store/keys.h"
#include "store/sink_lease.h"
#include "store/window_stream.h"

/* An offer that is not settled after this time is logged. */
enum { SLOW_MS = 5000 };

struct sink_feeder {
    const struct sink_feeder_shared *shared;
    struct sink *sink;
    struct sink_lease *lease;
    struct redis *redis;                /* of the lease */
    struct log_throttle sink_trouble;   /* the sink failed, or is slow */
    struct log_throttle lease_trouble;  /* Redis refused to renew the lease */
    struct log_throttle read_trouble;   /* ... to read the records */
    struct log_throttle cursor_trouble; /* ... to save the cursor */
    struct log_throttle future_trouble; /* a window of the future was found */
    struct log_throttle skip_trouble;   /* windows past the retention */
    bool begun;          /* it is known which window comes first */
    bool last_known;     /* last_s was read with a known implausible_from_s */
    int64_t last_s;      /* the last window at the destination; 0: none */
    bool ours;           /* the lease was ours at the last renewal */
    int64_t delivered_s; /* the last window that we delivered; 0: none */
    int64_t rewound_ms;  /* see sink_lease_rewound_ms */
    bool busy;           /* an offer is not settled yet */
    int64_t offered_s;   /* the last window offered */
    int64_t offered_ms;  /* monotonic: when it was offered */
    int64_t retry_ms;    /* monotonic: no offer before this time */
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
    metrics_count_write(feeder->shared->metrics, feeder->sink->type->kind,
                        METRICS_WRITE_DONE);
    log_throttle_over(&feeder->sink_trouble, feeder->sink->name);
    feeder->shared->wake(feeder->shared->context);
}

static void
on_failed(void *context, int64_t wait_ms)
{
    struct sink_feeder *feeder = context;

    feeder->busy = false;
    feeder->retry_ms = clock_mono_ms() + wait_ms;
    metrics_count_write(feeder->shared->metrics, feeder->sink->type->kind,
                        METRICS_WRITE_FAILED);
    log_throttle_note(&feeder->sink_trouble, feeder->sink->name,
                      feeder->sink->error);
}

/* NULL: the system refuses. */
static struct sink_lease *
open_lease(struct sink_feeder *feeder)
{
    const struct sink_feeder_shared *shared = feeder->shared;
    struct sink_lease_options options = {.prefix =
                                             shared->options->redis.prefix,
                                         .name = feeder->sink->name,
                                         .owner = shared->owner};
    struct key_parts parts = {.prefix = options.prefix, .name = options.name};
    char key[REDIS_KEY_MAX_BYTES];

    keys_text(KEY_SINK, &parts, key, sizeof(key));
    options.redis = store_keyed(shared->store, key);
    keys_text(KEY_SINKS, &parts, key, sizeof(key));
    options.list = store_keyed(shared->store, key);
    feeder->redis = options.redis;
    return options.redis == NULL || options.list == NULL
               ? NULL
               : sink_lease_open(&options);
}

struct sink_feeder *
sink_feeder_open(const struct sink_feeder_shared *shared,
                 const struct sink_type *type)
{
    struct sink_feeder *feeder = calloc(1, sizeof(*feeder));
    struct sink_events events = {feeder, on_delivered, on_failed};

    if (feeder == NULL) {
        return NULL;
    }
    feeder->shared = shared;
    feeder->rewound_ms = -1;
    feeder->sink = type->open(shared->options, shared->loop, &events);
    if (feeder->sink != NULL) {
        feeder->lease = open_lease(feeder);
    }
    if (feeder->lease == NULL) {
        sink_feeder_close(feeder);
        return NULL;
    }
    return feeder;
}

/* start_s, or 0 if the window is implausible: see
   window_closer_implausible_from_s. */
static int64_t
plausible_s(const struct sink_feeder *feeder, int64_t start_s)
{
    int64_t implausible_from_s =
        window_closer_implausible_from_s(feeder->shared->closer);

    return implausible_from_s != 0 && start_s >= implausible_from_s ? 0
                                                                    : start_s;
}

int64_t
sink_feeder_cursor_s(const struct sink_feeder *feeder)
{
    int64_t newest_delivered_s =
        int64_max(plausible_s(feeder, sink_lease_cursor_s(feeder->lease)),
                  plausible_s(feeder, feeder->last_s));

    return int64_max(newest_delivered_s,
                     plausible_s(feeder, feeder->delivered_s));
}

/* Logs a command's failure only if Redis is up: the connection logs its own
   loss. */
static void
log_result(struct sink_feeder *feeder, const struct redis *redis,
           struct log_throttle *trouble, int result)
{
    if (result >= 0) {
        log_throttle_over(trouble, feeder->sink->name);
    } else if (redis_state(redis) == REDIS_STATE_UP) {
        log_throttle_note(trouble, feeder->sink->name, redis_error(redis));
    }
}

/* If this fails, the next turn tries again. */
static void
save_cursor(struct sink_feeder *feeder)
{
    int64_t implausible_from_s =
        window_closer_implausible_from_s(feeder->shared->closer);
    int64_t cursor_s = sink_feeder_cursor_s(feeder);

    if (implausible_from_s != 0 && sink_lease_ours(feeder->lease) &&
        plausible_s(feeder, sink_lease_cursor_s(feeder->lease)) < cursor_s) {
        log_result(
            feeder, feeder->redis, &feeder->cursor_trouble,
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

/* Reads the last window at the destination: at the start, until Redis's time is
   known; and with a new lease, as another reporter may have written. */
static void
read_last(struct sink_feeder *feeder)
{
    struct sink *sink = feeder->sink;

    sink->implausible_from_s =
        window_closer_implausible_from_s(feeder->shared->closer);
    if (sink->type->last != NULL) {
        feeder->last_s = sink->type->last(sink);
    }
    feeder->last_known = sink->implausible_from_s != 0;
}

/*
 * Leaves out the windows before the one at start_s, which is length_s long: the
 * window before it counts as delivered.
 */
static void
begin_at(struct sink_feeder *feeder, int64_t start_s, int64_t length_s)
{
    char text[RFC3339_SIZE];

    if (length_s <= 0) {
        length_s = feeder->shared->options->window.seconds;
    }
    feeder->delivered_s = start_s - length_s;
    rfc3339_format(text, start_s);
    log_info("%s: new, and begins with the window %s", feeder->sink->name,
             text);
}

/*
 * Finds out which window comes first, once the lease is ours. It does so before
 * more windows are recorded: those that end from now on are not left out. If
 * nothing is recorded yet, the first record will tell.
 */
static void
begin(struct sink_feeder *feeder)
{
    const struct sink_feeder_shared *shared = feeder->shared;
    struct window_stream_end end = {0};

    if (feeder->sink->from_newest && sink_feeder_cursor_s(feeder) == 0) {
        int result = window_stream_last(shared->records,
                                        shared->options->redis.prefix, &end);

        log_result(feeder, shared->records, &feeder->read_trouble, result);
        if (result < 0) {
            return;
        }
        if (end.start_s != 0) {
            begin_at(feeder, end.start_s, end.length_s);
        }
    }
    feeder->begun = true;
}

/* Gives up an offer that is not settled. */
static void
drop_offer(struct sink_feeder *feeder)
{
    if (feeder->busy) {
        feeder->sink->type->drop(feeder->sink);
        feeder->busy = false;
    }
}

/* Another reporter has the lease, or the lease ended while Redis was away. */
static void
lose_lease(struct sink_feeder *feeder)
{
    log_info("%s: no longer ours to write", feeder->sink->name);
    log_throttle_end(&feeder->sink_trouble);
    drop_offer(feeder);
}

/*
 * If an operator has set the cursor back, forgets which windows are delivered.
 * What the destination itself has is read again.
 */
static void
heed_rewind(struct sink_feeder *feeder)
{
    int64_t rewound_ms = sink_lease_rewound_ms(feeder->lease);
    bool is_news = feeder->rewound_ms >= 0 && rewound_ms > feeder->rewound_ms;
    char text[RFC3339_SIZE];

    feeder->rewound_ms = int64_max(feeder->rewound_ms, rewound_ms);
    if (!is_news) {
        return;
    }
    rfc3339_format(text, sink_lease_cursor_s(feeder->lease));
    log_info("%s: rewound by an operator; it goes on after the window %s",
             feeder->sink->name, text);
    drop_offer(feeder);
    feeder->delivered_s = 0;
    if (feeder->sink->type->forget != NULL) {
        feeder->sink->type->forget(feeder->sink);
    }
    feeder->last_known = false;
}

void
sink_feeder_renew_lease(struct sink_feeder *feeder)
{
    bool was_ours = feeder->ours;

    log_result(feeder, feeder->redis, &feeder->lease_trouble,
               sink_lease_keep(feeder->lease));
    heed_rewind(feeder);
    feeder->ours = sink_lease_ours(feeder->lease);
    if (!feeder->last_known || (feeder->ours && !was_ours)) {
        read_last(feeder);
    }
    if (feeder->ours && !feeder->begun) {
        begin(feeder);
    }
    if (feeder->ours && !was_ours) {
        log_info("%s: ours to write", feeder->sink->name);
    } else if (was_ours && !feeder->ours) {
        lose_lease(feeder);
    }
}

/* Logs the windows that were trimmed before the sink had them. */
static void
log_skipped(struct sink_feeder *feeder, int64_t missing, int64_t next_s)
{
    char text[RFC3339_SIZE];

    if (missing > 0 && log_throttle_due(&feeder->skip_trouble, "")) {
        rfc3339_format(text, next_s);
        log_warn("%s: %" PRId64 " windows before %s skipped: their records are"
                 " past the retention",
                 feeder->sink->name, missing, text);
    }
}

/* Logs a window of the future at the destination or in the cursor: written by
   hand, or by a wrong clock. */
static void
log_future_window(struct sink_feeder *feeder)
{
    int64_t cursor_s = sink_lease_cursor_s(feeder->lease);
    int64_t future_window_s =
        int64_max(feeder->sink->future_window_s,
                  plausible_s(feeder, cursor_s) == 0 ? cursor_s : 0);
    char text[RFC3339_SIZE];

    if (future_window_s == 0) {
        log_throttle_end(&feeder->future_trouble);
        return;
    }
    if (log_throttle_due(&feeder->future_trouble, "")) {
        rfc3339_format(text, future_window_s);
        log_warn("%s: passing over that it seems to have the window %s, which"
                 " is far ahead of Redis's clock",
                 feeder->sink->name, text);
    }
}

/* Logs an offer that is not settled for long. */
static void
log_slow(struct sink_feeder *feeder)
{
    const char *error = feeder->sink->error;

    if (feeder->busy && clock_mono_ms() - feeder->offered_ms > SLOW_MS) {
        log_throttle_note(&feeder->sink_trouble, feeder->sink->name,
                          error[0] != '\0' ? error : "no answer yet");
    }
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
        window_closer_implausible_from_s(feeder->shared->closer);
    feeder->sink->type->offer(feeder->sink, records, count);
}

bool
sink_feeder_serve(struct sink_feeder *feeder)
{
    struct window_record records[SINK_OFFER_MOST];
    size_t most = feeder->sink->type->most;
    int64_t skipped;
    int count;

    /* At the start Redis's time was not known. This is the last chance: new
       lines hide a window of the future that is in the file before them. */
    if (!feeder->last_known) {
        read_last(feeder);
    }
    log_future_window(feeder); /* before save_cursor replaces it in Redis */
    save_cursor(feeder);
    log_slow(feeder);
    if (!feeder->begun || feeder->busy || clock_mono_ms() < feeder->retry_ms) {
        return false;
    }
    count =
        window_closer_read(feeder->shared->closer, sink_feeder_cursor_s(feeder),
                           records, most, &skipped);
    log_result(feeder, feeder->shared->records, &feeder->read_trouble, count);
    /* Checked last, because reading takes time. */
    if (count <= 0 || !sink_lease_ours(feeder->lease)) {
        return false;
    }
    if (feeder->sink->from_newest && sink_feeder_cursor_s(feeder) == 0) {
        begin_at(feeder, records[0].start_s, records[0].length_s);
    }
    metrics_count_skipped(feeder->shared->metrics, feeder->sink->type->kind,
                          skipped);
    log_skipped(feeder, skipped, records[0].start_s);
    offer(feeder, records, (size_t)count);
    save_cursor(feeder);
    return (size_t)count == most && feeder->delivered_s == feeder->offered_s;
}

/*
 * How many windows from after_s on, which the sink has, up to the last recorded
 * window. A new sink has none of those that have a record.
 */
static int64_t
lag_of(const struct sink_feeder *feeder, int64_t after_s,
       const struct window_stream_end *last)
{
    int64_t length_s = feeder->shared->options->window.seconds;

    if (last->start_s == 0) {
        return 0;
    }
    if (after_s == 0) {
        after_s =
            (last->first_s != 0 ? last->first_s : last->start_s) - length_s;
    }
    return int64_max(last->start_s - after_s, 0) / length_s;
}

void
sink_feeder_tell(const struct sink_feeder *feeder,
                 const struct window_stream_end *last)
{
    struct metrics_sink told = {.cursor_s = sink_feeder_cursor_s(feeder),
                                .owned = sink_lease_ours(feeder->lease)};

    /* The sink of another host, or of nobody, is not this reporter's to worry
       about: it may be gone for ever. */
    told.lag_windows = told.owned ? lag_of(feeder, told.cursor_s, last) : -1;
    metrics_set_sink(feeder->shared->metrics, feeder->sink->type->kind, &told);
}

void
sink_feeder_reopen(struct sink_feeder *feeder)
{
    if (feeder->sink->type->reopen != NULL) {
        feeder->sink->type->reopen(feeder->sink);
    }
    feeder->retry_ms = 0;
}

struct sink_feeder_status
sink_feeder_status(const struct sink_feeder *feeder)
{
    const struct log_throttle *trouble = &feeder->sink_trouble;
    struct sink_feeder_status status = {.name = feeder->sink->name,
                                        .ours = feeder->ours,
                                        .cursor_s =
                                            sink_feeder_cursor_s(feeder),
                                        .error = ""};

    if (trouble->on) {
        status.failing_s = (clock_mono_ms() - trouble->since_ms) / 1000 + 1;
        status.error = feeder->sink->error[0] != '\0' ? feeder->sink->error
                                                      : "no answer yet";
    }
    return status;
}
