/*
 * report: one timer. At each look the windows that ended are sealed, then each
 * sink that is free is offered what follows its cursor. A look is due when the
 * window that is on ends, but at least once a second, as clocks jump; a turn
 * is short, and the next one at once where more waits.
 */
#include "report.h"

#include <inttypes.h>
#include <stdlib.h>

#include "clock.h"
#include "log.h"
#include "sink_file.h"
#include "trouble.h"
#include "window.h"
#include "windows.h"

enum {
    LOOK_MS = 1000,
    /* Less than a look, so that a sink that failed is offered at the next. */
    RETRY_MS = 500,
    /* Records a sink is offered at once: bounds the time of a turn. */
    OFFER_MOST = 64,
};

static const struct sink_type *const sink_types[] = {&sink_file};

enum { SINK_TYPES = sizeof(sink_types) / sizeof(*sink_types) };

/* A sink and how far it is. */
struct outlet {
    struct report *report;
    struct sink *sink;
    struct trouble trouble;
    bool known;        /* cursor_s has been asked for */
    int64_t cursor_s;  /* the last window written; 0: none */
    int64_t saved_s;   /* of that, what Redis has as its cursor */
    int64_t offered_s; /* the last window offered */
    bool busy;         /* was offered records and has not settled all */
    int64_t retry_ms;  /* monotonic: nothing is offered before */
};

struct report {
    const struct options *options;
    struct loop *loop;
    struct redis *redis;
    struct windows *windows;
    struct loop_timer look;
    struct trouble trouble; /* of sealing */
    struct outlet outlets[SINK_TYPES];
    size_t outlet_count;
};

static int64_t
later(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static void
on_delivered(void *context, int64_t start_s)
{
    struct outlet *outlet = context;

    outlet->cursor_s = later(outlet->cursor_s, start_s);
    if (start_s < outlet->offered_s) {
        return;
    }
    outlet->busy = false;
    trouble_over(&outlet->trouble, outlet->sink->name);
    loop_arm(outlet->report->loop, &outlet->report->look, 0);
}

static void
on_failed(void *context)
{
    struct outlet *outlet = context;

    outlet->busy = false;
    outlet->retry_ms = clock_mono_ms() + RETRY_MS;
    trouble_note(&outlet->trouble, outlet->sink->name, outlet->sink->error);
}

/* Asks Redis, and the sink itself, how far it is. */
static int
find_cursor(struct outlet *outlet)
{
    if (outlet->known) {
        return 0;
    }
    if (windows_advance(outlet->report->windows, outlet->sink->name, 0,
                        &outlet->saved_s) < 0) {
        return -1;
    }
    outlet->cursor_s =
        later(outlet->saved_s, outlet->sink->type->last(outlet->sink));
    outlet->known = true;
    return 0;
}

static void
save_cursor(struct outlet *outlet)
{
    if (outlet->saved_s < outlet->cursor_s) {
        windows_advance(outlet->report->windows, outlet->sink->name,
                        outlet->cursor_s, &outlet->saved_s);
    }
}

/* Tells the windows what the sinks have, so that lost data is noticed. */
static void
remember(struct report *report)
{
    int64_t oldest_s = 0, newest_s = 0;

    for (size_t i = 0; i < report->outlet_count; i++) {
        int64_t cursor_s = report->outlets[i].cursor_s;

        newest_s = later(newest_s, cursor_s);
        if (cursor_s != 0 && (oldest_s == 0 || cursor_s < oldest_s)) {
            oldest_s = cursor_s;
        }
    }
    windows_remember(report->windows, oldest_s, newest_s);
}

/* That Redis is away is the connection's to say; here only what it refuses. */
static void
note_refusal(struct report *report)
{
    if (redis_state(report->redis) == REDIS_STATE_UP) {
        trouble_note(&report->trouble, "closing windows",
                     redis_error(report->redis));
    }
}

/* Closes what has ended. Returns as windows_seal. */
static int64_t
seal(struct report *report)
{
    struct windows_sealed sealed;
    int64_t left_ms;

    remember(report);
    left_ms = windows_seal(report->windows, WINDOWS_MOST, &sealed);
    if (left_ms < 0) {
        note_refusal(report);
        return left_ms;
    }
    trouble_over(&report->trouble, "closing windows");
    if (sealed.skipped > 0) {
        log_warn("%" PRId64 " windows skipped: older than the retention",
                 sealed.skipped);
    }
    if (sealed.gaps > 0) {
        log_warn("%zu windows recorded as gaps: Redis lost their data",
                 sealed.gaps);
    }
    return left_ms;
}

/* Says which windows a sink will never have, as they were trimmed meanwhile. */
static void
tell_missing(const struct outlet *outlet, int64_t next_s)
{
    int64_t length_s = outlet->report->options->window.seconds;
    int64_t missing = (next_s - outlet->cursor_s) / length_s - 1;
    char text[WINDOW_TEXT_SIZE];

    if (outlet->cursor_s == 0 || missing <= 0) {
        return;
    }
    window_format(text, next_s);
    log_warn("%s: %" PRId64 " windows before %s skipped: their records are"
             " past the retention",
             outlet->sink->name, missing, text);
}

/* Offers a sink what follows its cursor. True where more may follow now. */
static bool
serve(struct outlet *outlet)
{
    struct window_record records[OFFER_MOST];
    int count;

    save_cursor(outlet);
    if (outlet->busy || clock_mono_ms() < outlet->retry_ms) {
        return false;
    }
    count = windows_read(outlet->report->windows, outlet->cursor_s, records,
                         OFFER_MOST);
    if (count <= 0) {
        return false;
    }
    tell_missing(outlet, records[0].start_s);
    outlet->busy = true;
    outlet->offered_s = records[count - 1].start_s;
    outlet->sink->type->offer(outlet->sink, records, (size_t)count);
    save_cursor(outlet);
    return count == OFFER_MOST && outlet->cursor_s == outlet->offered_s;
}

/* One turn. Returns when to look again, in milliseconds. */
static int64_t
take_turn(struct report *report)
{
    bool more = false;
    int64_t left_ms;

    for (size_t i = 0; i < report->outlet_count; i++) {
        if (find_cursor(&report->outlets[i]) < 0) {
            note_refusal(report);
            return LOOK_MS;
        }
    }
    left_ms = seal(report);
    if (redis_state(report->redis) != REDIS_STATE_UP) {
        return LOOK_MS;
    }
    for (size_t i = 0; i < report->outlet_count; i++) {
        more |= serve(&report->outlets[i]);
    }
    if (more || left_ms == 0) {
        return 0;
    }
    return left_ms < 0 || left_ms > LOOK_MS ? LOOK_MS : left_ms;
}

static void
on_look(void *context)
{
    struct report *report = context;

    loop_arm(report->loop, &report->look, take_turn(report));
}

static int
open_sinks(struct report *report)
{
    for (size_t i = 0; i < SINK_TYPES; i++) {
        struct outlet *outlet = &report->outlets[report->outlet_count];
        struct sink_events events = {outlet, on_delivered, on_failed};

        if (!(report->options->report.sinks & sink_types[i]->kind)) {
            continue;
        }
        outlet->report = report;
        outlet->sink =
            sink_types[i]->open(report->options, report->loop, &events);
        if (outlet->sink == NULL) {
            return -1;
        }
        report->outlet_count++;
    }
    return 0;
}

struct report *
report_open(const struct options *options, struct loop *loop,
            struct redis *redis)
{
    struct report *report = calloc(1, sizeof(*report));

    if (report == NULL) {
        return NULL;
    }
    report->options = options;
    report->loop = loop;
    report->redis = redis;
    report->look.handler = on_look;
    report->look.context = report;
    report->windows = windows_open(options, redis);
    if (report->windows == NULL || open_sinks(report) < 0) {
        report_close(report);
        return NULL;
    }
    report_wake(report);
    return report;
}

void
report_close(struct report *report)
{
    if (report == NULL) {
        return;
    }
    loop_disarm(report->loop, &report->look);
    for (size_t i = 0; i < report->outlet_count; i++) {
        report->outlets[i].sink->type->close(report->outlets[i].sink);
    }
    windows_close(report->windows);
    free(report);
}

void
report_wake(struct report *report)
{
    loop_arm(report->loop, &report->look, 0);
}

void
report_reopen(struct report *report)
{
    for (size_t i = 0; i < report->outlet_count; i++) {
        struct outlet *outlet = &report->outlets[i];

        outlet->sink->type->reopen(outlet->sink);
        outlet->retry_ms = 0;
    }
    report_wake(report);
}
