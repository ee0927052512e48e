/*
 * families: labels have values from closed sets only. A host, a job or an
 * endpoint is never the value of a label: clients could make any number of
 * series.
 */
#include "families.h"

#include "base/version.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const char *const windows[METRICS_WINDOWS_COUNT] = {
    [METRICS_WINDOW_COUNT] = "count",
    [METRICS_WINDOW_LATE] = "late",
    [METRICS_WINDOW_GAP] = "gap",
};
static const char *const losses[METRICS_LOSSES_COUNT] = {
    [METRICS_LOST_GAP] = "gap",
    [METRICS_LOST_LATE] = "late",
    [METRICS_LOST_SKIPPED] = "skipped",
};
static const char *const writes[METRICS_WRITES_COUNT] = {
    [METRICS_WRITE_DONE] = "done",
    [METRICS_WRITE_FAILED] = "failed",
};
static const char *const states[] = {"waiting", "due", "dead"};
static const char *const outcomes[METRICS_OUTCOMES_COUNT] = {
    [METRICS_2XX] = "2xx",         [METRICS_3XX] = "3xx",
    [METRICS_4XX] = "4xx",         [METRICS_5XX] = "5xx",
    [METRICS_CONNECT] = "connect", [METRICS_TIMEOUT] = "timeout",
    [METRICS_TLS] = "tls",         [METRICS_DNS] = "dns",
    [METRICS_REFUSED] = "refused", [METRICS_OTHER] = "other",
};
static const char *const fates[METRICS_FATES_COUNT] = {
    [METRICS_DELIVERED] = "delivered", [METRICS_RETRY] = "retry",
    [METRICS_DEAD] = "dead",           [METRICS_RETURNED] = "returned",
    [METRICS_STALE] = "stale",         [METRICS_BLOCKED] = "blocked",
};
static const char *const phases[METRICS_PHASES_COUNT] = {
    [METRICS_PHASE_DNS] = "dns", [METRICS_PHASE_CONNECT] = "connect",
    [METRICS_PHASE_TLS] = "tls", [METRICS_PHASE_ANSWER] = "answer",
    [METRICS_PHASE_ALL] = "all",
};
static const char *const spans[METRICS_SPANS_COUNT] = {
    [METRICS_SPANS_EXPORTED] = "exported",
    [METRICS_SPANS_REJECTED] = "rejected",
    [METRICS_SPANS_DROPPED] = "dropped",
};
static const char *const breakers[METRICS_BREAKERS_COUNT] = {
    [METRICS_BREAKER_CLOSED] = "closed",
    [METRICS_BREAKER_OPEN] = "open",
    [METRICS_BREAKER_HALF_OPEN] = "half-open",
};
static const char *const shards[FAMILIES_SHARDS] = {
    "0",  "1",  "2",  "3",  "4",  "5",  "6",  "7",  "8",  "9",  "10", "11",
    "12", "13", "14", "15", "16", "17", "18", "19", "20", "21", "22", "23",
    "24", "25", "26", "27", "28", "29", "30", "31", "32", "33", "34", "35",
    "36", "37", "38", "39", "40", "41", "42", "43", "44", "45", "46", "47",
    "48", "49", "50", "51", "52", "53", "54", "55", "56", "57", "58", "59"};
static const char *const programs[] = {"verve-reporter"};
static const char *const versions[] = {VERVE_VERSION};

static const struct metric_bound attempt_bounds[FAMILIES_ATTEMPT_BOUNDS] = {
    {"0.005", 5000}, {"0.025", 25000}, {"0.1", 100000}, {"0.5", 500000},
    {"1", 1000000},  {"2.5", 2500000}, {"5", 5000000},
};
static const struct metric_bound delivery_bounds[FAMILIES_DELIVERY_BOUNDS] = {
    {"0.1", 100000},        {"1", 1000000},     {"10", 10000000},
    {"60", 60000000},       {"600", 600000000}, {"3600", 3600000000},
    {"21600", 21600000000},
};

#define LABEL(label, list)                                                     \
    {                                                                          \
        .name = (label), .values = (list), .count = COUNT(list)                \
    }
#define SINK                                                                   \
    {                                                                          \
        .name = "sink"                                                         \
    }
#define IS_COUNTER .type = METRIC_COUNTER, .merge = STATS_COUNTER
#define IS_GAUGE(how) .type = METRIC_GAUGE, .merge = (how)
#define IS_HISTOGRAM(list)                                                     \
    .type = METRIC_HISTOGRAM, .merge = STATS_COUNTER, .bounds = (list),        \
    .bound_count = COUNT(list), .decimals = 6

const struct metric families[] = {
    [ROW_ATTEMPT_DURATION] =
        {"verve_callback_attempt_duration_seconds",
         "Duration of an attempt, by phase: dns, connect, tls, answer, all.",
         IS_HISTOGRAM(attempt_bounds), .labels = {LABEL("phase", phases)},
         .first = CELL_ATTEMPT_DURATION},
    [ROW_DELIVERY_DURATION] = {"verve_callback_delivery_duration_seconds",
                               "From the accepted request to the 2xx answer.",
                               IS_HISTOGRAM(delivery_bounds),
                               .first = CELL_DELIVERY_DURATION},
    {"verve_build_info", "Version of the running program; always 1.",
     IS_GAUGE(STATS_MOST),
     .labels = {LABEL("program", programs), LABEL("version", versions)},
     .first = CELL_BUILD},
    {"verve_config_info",
     "Digest of the settings that all hosts should share; always 1.",
     IS_GAUGE(STATS_MOST),
     .labels = {LABEL("program", programs), {.name = "config", .count = 1}},
     .first = CELL_CONFIG},
    {"verve_window_unique_ids",
     "Unique ids of the last window that was recorded.", IS_GAUGE(STATS_KNOWN),
     .first = CELL_WINDOW_IDS},
    {"verve_window_start_timestamp_seconds",
     "Start of the last window that was recorded.", IS_GAUGE(STATS_KNOWN),
     .first = CELL_WINDOW_START},
    {"verve_windows_recorded_total",
     "Windows that this reporter recorded, by kind.", IS_COUNTER,
     .labels = {LABEL("kind", windows)}, .first = CELL_RECORDED},
    {"verve_window_seal_delay_seconds",
     "From the end of the last window to its record.", IS_GAUGE(STATS_KNOWN),
     .decimals = 6, .first = CELL_SEAL_DELAY},
    {"verve_lost_windows_total",
     "Windows without their right count: recorded as gaps, recorded too low "
     "(late), or past the retention before they were recorded (skipped).",
     IS_COUNTER, .labels = {LABEL("kind", losses)}, .first = CELL_LOST_WINDOWS},
    {"verve_sink_cursor_timestamp_seconds",
     "Start of the last window that a sink has.", IS_GAUGE(STATS_KNOWN),
     .labels = {SINK}, .first = CELL_SINK_CURSOR},
    {"verve_sink_lag_windows",
     "Recorded windows that a sink has not got yet; only from the reporter "
     "that has its lease.",
     IS_GAUGE(STATS_KNOWN), .labels = {SINK}, .first = CELL_SINK_LAG},
    {"verve_sink_owned", "Whether this reporter has the lease of a sink.",
     IS_GAUGE(STATS_SUM), .labels = {SINK}, .first = CELL_SINK_OWNED},
    {"verve_sink_writes_total", "Attempts to write to a sink, by outcome.",
     IS_COUNTER, .labels = {SINK, LABEL("outcome", writes)},
     .first = CELL_SINK_WRITES},
    {"verve_sink_skipped_windows_total",
     "Windows whose record was past the retention before a sink had it.",
     IS_COUNTER, .labels = {SINK}, .first = CELL_SINK_SKIPPED},
    {"verve_callback_queue_jobs", "Callbacks in Redis, by state.",
     IS_GAUGE(STATS_KNOWN), .labels = {LABEL("state", states)},
     .first = CELL_QUEUE_JOBS},
    {"verve_callback_oldest_seconds",
     "Age of the oldest callback that waits for its first attempt.",
     IS_GAUGE(STATS_KNOWN), .decimals = 6, .first = CELL_OLDEST},
    {"verve_callback_attempts_total",
     "Attempts to deliver a callback, by outcome: 2xx, 3xx, 4xx, 5xx, connect, "
     "timeout, tls, dns, refused, other.",
     IS_COUNTER, .labels = {LABEL("outcome", outcomes)},
     .first = CELL_ATTEMPTS},
    {"verve_callbacks_settled_total",
     "Callbacks that left this reporter, by "
     "fate.",
     IS_COUNTER, .labels = {LABEL("fate", fates)}, .first = CELL_SETTLED},
    {"verve_dead_callbacks_dropped_total",
     "Callbacks dropped for ever, as the dead list is full.", IS_COUNTER,
     .first = CELL_DROPPED},
    {"verve_callbacks_unreadable_total",
     "Jobs that cannot be read, and were moved to the dead list.", IS_COUNTER,
     .first = CELL_UNREADABLE},
    {"verve_otlp_spans_total", "Spans for otlp.endpoint, by outcome.",
     IS_COUNTER, .labels = {LABEL("outcome", spans)}, .first = CELL_SPANS},
    {"verve_callbacks_under_way", "Attempts under way.", IS_GAUGE(STATS_SUM),
     .first = CELL_UNDER_WAY},
    {"verve_destinations",
     "Destinations that this reporter knows, by the state of their breaker.",
     IS_GAUGE(STATS_SUM), .labels = {LABEL("breaker", breakers)},
     .first = CELL_DESTINATIONS},
    {"verve_failing_paths",
     "Paths of endpoints whose breaker is open: their hosts answer with "
     "errors.",
     IS_GAUGE(STATS_SUM), .first = CELL_FAILING_PATHS},
    {"verve_redis_up", "Workers whose connection to this node of Redis stands.",
     IS_GAUGE(STATS_SUM), .labels = {{.name = "node"}}, .first = CELL_UP},
    {"verve_redis_unusable",
     "Workers that must not use this node of Redis: its settings, or their "
     "rights, are wrong.",
     IS_GAUGE(STATS_SUM), .labels = {{.name = "node"}}, .first = CELL_UNUSABLE},
    {"verve_redis_errors_total", "Script runs without a useful answer, by why.",
     IS_COUNTER,
     .labels = {{.name = "reason",
                 .values = redis_reason_names,
                 .count = REDIS_REASONS_COUNT}},
     .first = CELL_REDIS_ERRORS},
    {"verve_redis_clock_skew_seconds",
     "The clock of each shard's Redis less that of this host; half a round "
     "trip is the "
     "error.",
     IS_GAUGE(STATS_KNOWN), .decimals = 6, .labels = {LABEL("shard", shards)},
     .first = CELL_SKEW},
    {"verve_workers", "Worker processes that run.", IS_GAUGE(STATS_SUM),
     .first = CELL_WORKERS},
    {"verve_worker_starts_total",
     "Worker processes that were started since the reporter started.",
     IS_COUNTER, .first = CELL_STARTS},
    {"process_start_time_seconds", "Start of the reporter, in epoch seconds.",
     IS_GAUGE(STATS_MOST), .decimals = 6, .first = CELL_START_TIME},
    {"process_open_fds", "Open file descriptors of the worker that has most.",
     IS_GAUGE(STATS_MOST), .first = CELL_OPEN_FDS},
    {"process_max_fds", "The lowest limit of open file descriptors.",
     IS_GAUGE(STATS_LEAST), .first = CELL_MAX_FDS},
    {"process_resident_memory_bytes", "Resident memory of all workers.",
     IS_GAUGE(STATS_SUM), .first = CELL_MEMORY},
    {"process_cpu_seconds_total", "User and system CPU time of all workers.",
     IS_COUNTER, .decimals = 6, .first = CELL_CPU},
};

_Static_assert(COUNT(families) == FAMILIES_COUNT,
               "families.h has their number");
