/*
 * report: one timer. At each look the windows that ended are sealed, then each
 * sink that is free is offered what follows its cursor. A look is due when the
 * window that is on ends, but at least once a second, as clocks jump; a turn
 * is short, and the next one at once where more waits.
 */
#include "reports.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/log_throttle.h"
#include "base/util.h"
#include "sink_feeder.h"
#include "sinks.h"
#include "store/sink_lease.h"
#include "store/window_closer.h"

enum { LOOK_MS = 1000 };

struct reports {
    const struct options *options;
    struct event_loop *loop;
    struct redis *redis;
    struct window_closer *closer;
    struct event_loop_timer look;
    struct log_throttle trouble;       /* of sealing */
    struct log_throttle clock_trouble; /* of Redis's clock */
    struct log_throttle skip_trouble;  /* windows were skipped */
    int64_t skipped; /* these, and the log does not have it yet */
    struct log_throttle gap_trouble; /* the data of windows is lost */
    int64_t gaps;                    /* likewise */
    char owner[SINK_LEASE_OWNER_SIZE];
    struct sink_feeder_needs needs;
    struct sink_feeder *outlets[SINKS];
    size_t sink_feeder_count;
};

/* Tells the windows what the sinks have, so that lost data is noticed. */
static void
remember(struct reports *reports)
{
    int64_t oldest_s = 0, newest_s = 0;

    for (size_t i = 0; i < reports->sink_feeder_count; i++) {
        int64_t cursor_s = sink_feeder_cursor_s(reports->outlets[i]);

        newest_s = int64_max(newest_s, cursor_s);
        if (cursor_s != 0 && (oldest_s == 0 || cursor_s < oldest_s)) {
            oldest_s = cursor_s;
        }
    }
    window_closer_remember(reports->closer, oldest_s, newest_s);
}

/* That Redis is away is the connection's to say; here only what it refuses. */
static void
note_refusal(struct reports *reports)
{
    if (redis_state(reports->redis) == REDIS_STATE_UP) {
        log_throttle_note(&reports->trouble, "closing windows",
                          redis_error(reports->redis));
    }
}

/*
 * Says where windows stand still, as ids go on into one that was on when
 * Redis's clock was ahead; or that what is recorded is of the future, by a
 * hand.
 */
static void
note_clock(struct reports *reports, int64_t left_ms, bool ahead)
{
    static const char who[] = "closing windows";

    if (!ahead && left_ms <= reports->options->window.seconds * 1000) {
        log_throttle_over(&reports->clock_trouble, who);
    } else if (log_throttle_due(&reports->clock_trouble)) {
        log_warn("%s: %s; the next one ends in %" PRId64 " s", who,
                 ahead ? "what was reported is ahead of Redis's clock"
                       : "Redis's clock has stepped back",
                 left_ms / 1000);
    }
}

/* Says how many windows have no count, once a minute at most. */
static void
tell_losses(struct reports *reports)
{
    if (reports->skipped > 0 && log_throttle_due(&reports->skip_trouble)) {
        log_warn("%" PRId64 " windows skipped: older than the retention",
                 reports->skipped);
        reports->skipped = 0;
    }
    if (reports->gaps > 0 && log_throttle_due(&reports->gap_trouble)) {
        log_warn("%" PRId64 " windows recorded as gaps: their data is lost",
                 reports->gaps);
        reports->gaps = 0;
    }
}

/* Closes what has ended. Returns as window_closer_seal. */
static int64_t
seal(struct reports *reports)
{
    struct window_closer_sealed sealed;
    int64_t left_ms;

    remember(reports);
    left_ms = window_closer_seal(reports->closer, WINDOW_CLOSER_MOST, &sealed);
    if (left_ms < 0) {
        note_refusal(reports);
        return left_ms;
    }
    log_throttle_over(&reports->trouble, "closing windows");
    note_clock(reports, left_ms, sealed.ahead);
    reports->skipped += sealed.skipped;
    reports->gaps += (int64_t)sealed.gaps;
    tell_losses(reports);
    return left_ms;
}

/* One turn. Returns when to look again, in milliseconds. */
static int64_t
take_turn(struct reports *reports)
{
    bool more = false;
    int64_t left_ms;

    for (size_t i = 0; i < reports->sink_feeder_count; i++) {
        sink_feeder_renew_lease(reports->outlets[i]);
    }
    /* What is not sealed yet can't be told from what was lost. */
    if (redis_state(reports->redis) != REDIS_STATE_UP ||
        (left_ms = seal(reports)) < 0) {
        return LOOK_MS;
    }
    for (size_t i = 0; i < reports->sink_feeder_count; i++) {
        more |= sink_feeder_serve(reports->outlets[i]);
    }
    if (more) {
        return 0;
    }
    return left_ms > LOOK_MS ? LOOK_MS : left_ms;
}

static void
on_look(void *context)
{
    struct reports *reports = context;

    event_loop_arm(reports->loop, &reports->look, take_turn(reports));
}

static void
on_wake(void *context)
{
    reports_wake(context);
}

static int
open_outlets(struct reports *reports)
{
    reports->needs = (struct sink_feeder_needs){
        .options = reports->options,
        .loop = reports->loop,
        .redis = reports->redis,
        .closer = reports->closer,
        .owner = reports->owner,
        .wake = on_wake,
        .context = reports,
    };
    sink_lease_owner(reports->owner);
    for (size_t i = 0; i < SINKS; i++) {
        struct sink_feeder *feeder;

        if (!sinks_wanted(reports->options, sinks[i])) {
            continue;
        }
        feeder = sink_feeder_open(&reports->needs, sinks[i]);
        if (feeder == NULL) {
            return -1;
        }
        reports->outlets[reports->sink_feeder_count++] = feeder;
    }
    return 0;
}

struct reports *
reports_open(const struct options *options, struct event_loop *loop,
             struct redis *redis)
{
    struct reports *reports = calloc(1, sizeof(*reports));

    if (reports == NULL) {
        return NULL;
    }
    reports->options = options;
    reports->loop = loop;
    reports->redis = redis;
    reports->look.handler = on_look;
    reports->look.context = reports;
    reports->closer = window_closer_open(options, redis);
    if (reports->closer == NULL || open_outlets(reports) < 0) {
        reports_close(reports);
        return NULL;
    }
    reports_wake(reports);
    return reports;
}

void
reports_close(struct reports *reports)
{
    if (reports == NULL) {
        return;
    }
    for (size_t i = 0; i < reports->sink_feeder_count; i++) {
        sink_feeder_close(reports->outlets[i]);
    }
    event_loop_disarm(reports->loop, &reports->look);
    window_closer_close(reports->closer);
    free(reports);
}

void
reports_wake(struct reports *reports)
{
    event_loop_arm(reports->loop, &reports->look, 0);
}

void
reports_reopen(struct reports *reports)
{
    for (size_t i = 0; i < reports->sink_feeder_count; i++) {
        sink_feeder_reopen(reports->outlets[i]);
    }
    reports_wake(reports);
}
