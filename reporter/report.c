/*
 * report: one timer. At each look the windows that ended are sealed, then each
 * sink that is free is offered what follows its cursor. A look is due when the
 * window that is on ends, but at least once a second, as clocks jump; a turn
 * is short, and the next one at once where more waits.
 */
#include "report.h"

#include <inttypes.h>
#include <stdlib.h>

#include "lease.h"
#include "log.h"
#include "outlet.h"
#include "sinks.h"
#include "trouble.h"
#include "windows.h"

enum { LOOK_MS = 1000 };

struct report {
    const struct options *options;
    struct loop *loop;
    struct redis *redis;
    struct windows *windows;
    struct loop_timer look;
    struct trouble trouble;       /* of sealing */
    struct trouble clock_trouble; /* of Redis's clock */
    char owner[LEASE_OWNER_SIZE];
    struct outlet_needs needs;
    struct outlet *outlets[SINKS];
    size_t outlet_count;
};

static int64_t
later(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* Tells the windows what the sinks have, so that lost data is noticed. */
static void
remember(struct report *report)
{
    int64_t oldest_s = 0, newest_s = 0;

    for (size_t i = 0; i < report->outlet_count; i++) {
        int64_t cursor_s = outlet_cursor_s(report->outlets[i]);

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

/*
 * Says where windows stand still, as ids go on into one that was on when
 * Redis's clock was ahead; or that what is recorded is of the future, by a
 * hand.
 */
static void
note_clock(struct report *report, int64_t left_ms, bool ahead)
{
    static const char who[] = "closing windows";

    if (!ahead && left_ms <= report->options->window.seconds * 1000) {
        trouble_over(&report->clock_trouble, who);
    } else if (trouble_due(&report->clock_trouble)) {
        log_warn("%s: %s; the next one ends in %" PRId64 " s", who,
                 ahead ? "what was reported is ahead of Redis's clock"
                       : "Redis's clock has stepped back",
                 left_ms / 1000);
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
    note_clock(report, left_ms, sealed.ahead);
    if (sealed.skipped > 0) {
        log_warn("%" PRId64 " windows skipped: older than the retention",
                 sealed.skipped);
    }
    if (sealed.gaps > 0) {
        log_warn("%zu windows recorded as gaps: their data is lost",
                 sealed.gaps);
    }
    return left_ms;
}

/* One turn. Returns when to look again, in milliseconds. */
static int64_t
take_turn(struct report *report)
{
    bool more = false;
    int64_t left_ms;

    for (size_t i = 0; i < report->outlet_count; i++) {
        outlet_keep(report->outlets[i]);
    }
    /* What is not sealed yet can't be told from what was lost. */
    if (redis_state(report->redis) != REDIS_STATE_UP ||
        (left_ms = seal(report)) < 0) {
        return LOOK_MS;
    }
    for (size_t i = 0; i < report->outlet_count; i++) {
        more |= outlet_serve(report->outlets[i]);
    }
    if (more) {
        return 0;
    }
    return left_ms > LOOK_MS ? LOOK_MS : left_ms;
}

static void
on_look(void *context)
{
    struct report *report = context;

    loop_arm(report->loop, &report->look, take_turn(report));
}

static void
on_wake(void *context)
{
    report_wake(context);
}

static int
open_outlets(struct report *report)
{
    report->needs = (struct outlet_needs){
        .options = report->options,
        .loop = report->loop,
        .redis = report->redis,
        .windows = report->windows,
        .owner = report->owner,
        .wake = on_wake,
        .context = report,
    };
    lease_owner(report->owner);
    for (size_t i = 0; i < SINKS; i++) {
        struct outlet *outlet;

        if (!sinks_wanted(report->options, sinks[i])) {
            continue;
        }
        outlet = outlet_open(&report->needs, sinks[i]);
        if (outlet == NULL) {
            return -1;
        }
        report->outlets[report->outlet_count++] = outlet;
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
    if (report->windows == NULL || open_outlets(report) < 0) {
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
    for (size_t i = 0; i < report->outlet_count; i++) {
        outlet_close(report->outlets[i]);
    }
    loop_disarm(report->loop, &report->look);
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
        outlet_reopen(report->outlets[i]);
    }
    report_wake(report);
}
