/*
 * reports: one timer. In each turn the windows that have ended are sealed, then
 * each idle sink is offered the records after its cursor. The next turn is due
 * when the current window ends, but at least once a second, because clocks
 * jump. A turn is short; if more work waits, the next turn follows at once.
 */
#include "reports.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/log_throttle.h"
#include "base/rfc3339.h"
#include "base/util.h"
#include "report_metrics.h"
#include "sink_feeder.h"
#include "sinks.h"
#include "store/keys.h"
#include "store/sink_lease.h"
#include "store/window_closer.h"

enum {
    TURN_MS = 1000,   /* the longest time between two turns */
    SKEW_US = 1000000 /* between two clocks, that is logged */
};

struct reports {
    const struct options *options;
    struct event_loop *loop;
    struct store *store;
    struct redis *records; /* its connection for the key `windows` */
    struct window_closer *closer;
    struct event_loop_timer timer;
    struct log_throttle seal_trouble;  /* Redis refused to seal */
    struct log_throttle clock_trouble; /* Redis's clock has stepped back */
    struct log_throttle skew_trouble;  /* clocks of shards differ */
    struct log_throttle skip_trouble;  /* windows past the retention */
    int64_t skipped;                   /* their number, not logged yet */
    struct log_throttle gap_trouble;   /* windows whose data is lost */
    int64_t gaps;                      /* their number, not logged yet */
    int64_t last_gap_s;                /* the last of them */
    struct report_metrics metrics;
    struct window_stream_end last; /* as of the last turn */
    char owner[SINK_LEASE_OWNER_SIZE];
    struct sink_feeder_shared shared;
    struct sink_feeder *feeders[SINKS];
    size_t feeder_count;
};

/* Tells window_closer the sinks' cursors, so that it notices lost data. */
static void
remember_cursors(struct reports *reports)
{
    struct window_sinks have = {0};

    for (size_t i = 0; i < reports->feeder_count; i++) {
        int64_t cursor_s = sink_feeder_cursor_s(reports->feeders[i]);

        have.newest_s = int64_max(have.newest_s, cursor_s);
        if (cursor_s == 0) {
            have.empty = true;
        } else if (have.oldest_s == 0 || cursor_s < have.oldest_s) {
            have.oldest_s = cursor_s;
        }
    }
    window_closer_remember(reports->closer, &have);
}

/* Logs the failure only if Redis is up: the connection logs its own loss. */
static void
log_refusal(struct reports *reports)
{
    const struct redis *redis = window_closer_failed(reports->closer);

    if (redis != NULL && redis_state(redis) == REDIS_STATE_UP) {
        log_throttle_note(&reports->seal_trouble, "closing windows",
                          redis_error(redis));
    }
}

/* Tells the metrics of all clocks; logs that the clock of a shard differs from
   that of shard 0. */
static void
note_skews(struct reports *reports)
{
    int64_t shards = store_shards(reports->store);
    int64_t first_us = window_closer_skew_us(reports->closer, 0);

    for (int64_t i = 0; i < shards; i++) {
        int64_t host_us = window_closer_skew_us(reports->closer, (size_t)i);
        int64_t skew_us = host_us - first_us;

        report_metrics_note_skew(&reports->metrics, i, host_us);
        if ((skew_us > SKEW_US || skew_us < -SKEW_US) &&
            log_throttle_due(&reports->skew_trouble, "")) {
            log_event(LEVEL_WARN,
                      "the clock of a shard's Redis differs from that of shard "
                      "0",
                      LOG_FIELDS(LOG_NUMBER("shard", i),
                                 LOG_NUMBER("ms", skew_us / 1000)));
        }
    }
}

/*
 * Logs that no window ends for longer than a window: Redis's clock was ahead,
 * and ids are counted in the window of that time until the clock is there
 * again. Or the records are ahead of the clock: somebody wrote them by hand.
 */
static void
log_clock(struct reports *reports, int64_t left_ms, bool ahead)
{
    static const char who[] = "closing windows";

    if (!ahead && left_ms <= reports->options->window.seconds * 1000) {
        log_throttle_over(&reports->clock_trouble, who);
    } else if (log_throttle_due(&reports->clock_trouble,
                                ahead ? "ahead" : "back")) {
        log_warn("%s: %s; the next one ends in %" PRId64 " s", who,
                 ahead ? "what was reported is ahead of Redis's clock"
                       : "Redis's clock has stepped back",
                 left_ms / 1000);
    }
}

/* Logs how many windows have no count, at most once a minute. */
static void
log_losses(struct reports *reports, int64_t late)
{
    char last[RFC3339_SIZE];

    if (reports->skipped > 0 && log_throttle_due(&reports->skip_trouble, "")) {
        log_event(LEVEL_WARN, "windows skipped: older than the retention",
                  LOG_FIELDS(LOG_NUMBER("count", reports->skipped)));
        reports->skipped = 0;
    }
    if (reports->gaps > 0 && log_throttle_due(&reports->gap_trouble, "")) {
        rfc3339_format(last, reports->last_gap_s);
        log_event(LEVEL_WARN,
                  "windows recorded as gaps: Redis lost data of them, or may "
                  "have",
                  LOG_FIELDS(LOG_NUMBER("count", reports->gaps),
                             LOG_TEXT("last_window", last)));
        reports->gaps = 0;
    }
    if (late > 0) {
        log_event(LEVEL_ERROR,
                  "windows recorded with a count that is too low: only then it "
                  "was noticed that Redis lost their ids",
                  LOG_FIELDS(LOG_NUMBER("count", late)));
    }
}

/* Seals the windows that have ended. Returns as window_closer_seal. */
static int64_t
seal(struct reports *reports)
{
    struct window_closer_sealed sealed;
    int64_t left_ms;

    remember_cursors(reports);
    left_ms = window_closer_seal(reports->closer, WINDOW_CLOSER_MOST, &sealed);
    if (left_ms < 0) {
        log_refusal(reports);
        return left_ms;
    }
    reports->last = sealed.last;
    report_metrics_note(&reports->metrics, &sealed);
    note_skews(reports);
    log_throttle_over(&reports->seal_trouble, "closing windows");
    log_clock(reports, left_ms, sealed.ahead);
    reports->skipped += sealed.skipped;
    reports->gaps += (int64_t)sealed.gaps;
    if (sealed.gaps > 0) {
        reports->last_gap_s = sealed.last_gap_s;
    }
    log_losses(reports, sealed.late);
    return left_ms;
}

/* Returns the time until the next turn, in milliseconds. */
static int64_t
take_turn(struct reports *reports)
{
    bool more = false;
    int64_t left_ms;

    for (size_t i = 0; i < reports->feeder_count; i++) {
        sink_feeder_renew_lease(reports->feeders[i]);
    }
    /* Nothing is read before sealing: a window that is not sealed yet would
       look like a lost one. */
    if (store_state(reports->store) != REDIS_STATE_UP ||
        (left_ms = seal(reports)) < 0) {
        report_metrics_note_failure(&reports->metrics);
        return TURN_MS;
    }
    for (size_t i = 0; i < reports->feeder_count; i++) {
        more |= sink_feeder_serve(reports->feeders[i]);
    }
    report_metrics_step(&reports->metrics);
    if (more) {
        return 0;
    }
    return left_ms > TURN_MS ? TURN_MS : left_ms;
}

/* Tells the metrics how far the sinks are. */
static void
tell_sinks(struct reports *reports)
{
    for (size_t i = 0; i < reports->feeder_count; i++) {
        sink_feeder_tell(reports->feeders[i], &reports->last);
    }
}

static void
on_timer(void *context)
{
    struct reports *reports = context;

    int64_t wait_ms = take_turn(reports);

    tell_sinks(reports);
    event_loop_arm(reports->loop, &reports->timer, wait_ms);
}

static void
on_wake(void *context)
{
    reports_wake(context);
}

static int
open_closer(struct reports *reports)
{
    struct window_closer_shard shards[OPTIONS_SHARDS_MAX];
    struct window_closer_settings settings = {
        .count = (size_t)store_shards(reports->store),
        .barrier_ms = WINDOW_CLOSER_BARRIER_MS};
    struct key_parts parts = {.prefix = reports->options->redis.prefix};
    char key[REDIS_KEY_MAX_BYTES];

    for (size_t i = 0; i < settings.count; i++) {
        shards[i] = (struct window_closer_shard){
            .options = store_view(reports->store, (int64_t)i),
            .redis = store_shard(reports->store, (int64_t)i)};
    }
    keys_text(KEY_WINDOWS, &parts, key, sizeof(key));
    reports->records = store_keyed(reports->store, key);
    if (reports->records == NULL) {
        return -1;
    }
    settings.shards = shards;
    settings.records = reports->records;
    reports->closer = window_closer_open(&settings);
    return reports->closer == NULL ? -1 : 0;
}

static int
open_feeders(struct reports *reports)
{
    reports->shared = (struct sink_feeder_shared){
        .options = reports->options,
        .loop = reports->loop,
        .store = reports->store,
        .records = reports->records,
        .closer = reports->closer,
        .metrics = reports->metrics.metrics,
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
        feeder = sink_feeder_open(&reports->shared, sinks[i]);
        if (feeder == NULL) {
            return -1;
        }
        reports->feeders[reports->feeder_count++] = feeder;
    }
    return 0;
}

struct reports *
reports_open(const struct options *options, struct event_loop *loop,
             struct store *store, struct metrics *metrics)
{
    struct reports *reports = calloc(1, sizeof(*reports));

    if (reports == NULL) {
        return NULL;
    }
    reports->options = options;
    reports->loop = loop;
    reports->store = store;
    reports->metrics =
        (struct report_metrics){.metrics = metrics, .store = store};
    reports->timer.handler = on_timer;
    reports->timer.context = reports;
    if (open_closer(reports) < 0 || open_feeders(reports) < 0) {
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
    for (size_t i = 0; i < reports->feeder_count; i++) {
        sink_feeder_close(reports->feeders[i]);
    }
    event_loop_disarm(reports->loop, &reports->timer);
    window_closer_close(reports->closer);
    free(reports);
}

void
reports_wake(struct reports *reports)
{
    event_loop_arm(reports->loop, &reports->timer, 0);
}

void
reports_reopen(struct reports *reports)
{
    for (size_t i = 0; i < reports->feeder_count; i++) {
        sink_feeder_reopen(reports->feeders[i]);
    }
    reports_wake(reports);
}

void
reports_describe(const struct reports *reports, json_t *object)
{
    json_t *list = json_array();

    for (size_t i = 0; i < reports->feeder_count; i++) {
        struct sink_feeder_status status =
            sink_feeder_status(reports->feeders[i]);

        json_array_append_new(
            list,
            json_pack("{s:s, s:b, s:I, s:I, s:s}", "name", status.name, "owned",
                      status.ours, "cursor", (json_int_t)status.cursor_s,
                      "failing_s", (json_int_t)status.failing_s, "error",
                      status.error));
    }
    json_object_set_new(object, "sinks", list);
}
