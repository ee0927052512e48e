/*
 * pool_stats: the table of the families, and the functions that count. What is
 * called for each request adds to one or two cells and reads no clock.
 */
#include "pool_stats.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/process_usage.h"
#include "base/util.h"
#include "base/version.h"
#include "config/digest.h"
#include "redis/node_name.h"
#include "redis/redis_reason.h"
#include "stats/metric.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum {
    REFRESH_US = 5000000, /* between two looks at what the process uses */
    CODES = 6,            /* of HTTP */
    HANDLERS = 8,         /* kinds of requests */
    REQUEST_BOUNDS = 12,  /* of request_duration_seconds */
    BATCH_BOUNDS = 8,     /* of batch_requests */
    SCRIPT_BOUNDS = 8,    /* of redis_duration_seconds */
    HISTOGRAM_MORE = 2,   /* cells: above all bounds, and the sum */
    ERRORS = ERROR_CODES_COUNT - 1, /* ERROR_CODE_NONE is no error */
    SHARDS = 60,                    /* the most that redis.shards may be */
};

/* The first cell of each family. */
enum {
    CELL_REQUESTS,
    CELL_ERRORS = CELL_REQUESTS + HANDLERS * CODES,
    CELL_IDS = CELL_ERRORS + ERRORS,
    CELL_QUEUED = CELL_IDS + 3,
    CELL_DURATION,
    CELL_BATCH = CELL_DURATION + REQUEST_BOUNDS + HISTOGRAM_MORE,
    CELL_REDIS = CELL_BATCH + BATCH_BOUNDS + HISTOGRAM_MORE,
    CELL_REDIS_ERRORS =
        CELL_REDIS + COUNTER_SCRIPTS_COUNT * (SCRIPT_BOUNDS + HISTOGRAM_MORE),
    CELL_UP = CELL_REDIS_ERRORS + REDIS_REASONS_COUNT,
    CELL_UNUSABLE,
    CELL_SHARD_UP, /* of the first of SHARDS shards */
    CELL_WAITING = CELL_SHARD_UP + SHARDS,
    CELL_LOST_WINDOWS,
    CELL_LOST_CALLBACKS = CELL_LOST_WINDOWS + 2,
    CELL_RESPONDERS,
    CELL_STARTS,
    CELL_RECENT,
    CELL_BUILD,
    CELL_CONFIG,
    CELL_REPORTERS,
    CELL_START_TIME,
    CELL_OPEN_FDS,
    CELL_MAX_FDS,
    CELL_MEMORY,
    CELL_CPU,
    CELLS,
};

_Static_assert((int)CELLS <= (int)STATS_CELLS, "the cells fit into a slot");

static const char *const handlers[HANDLERS] = {
    [REQUEST_ACCEPT] = "accept",   [REQUEST_HEALTHZ] = "healthz",
    [REQUEST_READYZ] = "readyz",   [REQUEST_METRICS] = "metrics",
    [REQUEST_STATS] = "stats",     [REQUEST_STATUS] = "status",
    [REQUEST_OPENAPI] = "openapi", [REQUEST_UNKNOWN] = "unknown",
};
static const char *const codes[CODES] = {"200", "400", "403",
                                         "404", "405", "503"};
static const char *const id_results[] = {[POOL_STATS_NEW] = "new",
                                         [POOL_STATS_SEEN] = "seen",
                                         [POOL_STATS_CACHED] = "cached"};
static const char *const scripts[COUNTER_SCRIPTS_COUNT] = {
    [COUNTER_ACCEPT] = "accept", [COUNTER_CONFIRM] = "confirm",
    [COUNTER_SCHEMA] = "schema", [COUNTER_PULSE] = "pulse",
    [COUNTER_PROBE] = "probe",
};
static const char *const losses[] = {"gap", "late"};
static const char *const programs[] = {"verve-fcgi"};
static const char *const versions[] = {VERVE_VERSION};

static const struct metric_bound request_bounds[REQUEST_BOUNDS] = {
    {"0.00025", 250}, {"0.0005", 500},  {"0.001", 1000},  {"0.0025", 2500},
    {"0.005", 5000},  {"0.01", 10000},  {"0.025", 25000}, {"0.05", 50000},
    {"0.1", 100000},  {"0.25", 250000}, {"0.5", 500000},  {"1", 1000000},
};
static const struct metric_bound batch_bounds[BATCH_BOUNDS] = {
    {"1", 1},   {"2", 2},   {"4", 4},   {"8", 8},
    {"16", 16}, {"32", 32}, {"64", 64}, {"128", 128},
};
static const struct metric_bound script_bounds[SCRIPT_BOUNDS] = {
    {"0.0001", 100},  {"0.00025", 250}, {"0.0005", 500}, {"0.001", 1000},
    {"0.0025", 2500}, {"0.01", 10000},  {"0.05", 50000}, {"0.25", 250000},
};

#define LABEL(label, list)                                                     \
    {                                                                          \
        .name = (label), .values = (list), .count = COUNT(list)                \
    }
#define OWN(label, list)                                                       \
    {                                                                          \
        .name = (label), .values = (list), .count = 1, .own = true             \
    }
#define IS_COUNTER .type = METRIC_COUNTER, .merge = STATS_COUNTER
#define IS_GAUGE(how) .type = METRIC_GAUGE, .merge = (how)
#define IS_HISTOGRAM(list)                                                     \
    .type = METRIC_HISTOGRAM, .merge = STATS_COUNTER, .bounds = (list),        \
    .bound_count = COUNT(list)

/* The rows that are needed by their number; others follow. */
enum {
    ROW_DURATION,
    ROW_BATCH,
    ROW_REDIS,
    ROW_UP,
    ROW_UNUSABLE,
    ROW_OTHERS,
};

static const struct metric table[] = {
    [ROW_DURATION] = {"verve_request_duration_seconds",
                      "Time from reading a request for an id to its answer.",
                      IS_HISTOGRAM(request_bounds), .decimals = 6,
                      .first = CELL_DURATION},
    [ROW_BATCH] = {"verve_batch_requests", "Requests that shared one commit.",
                   IS_HISTOGRAM(batch_bounds), .first = CELL_BATCH},
    [ROW_REDIS] = {"verve_redis_duration_seconds",
                   "Time that one script run took, as its caller saw it.",
                   IS_HISTOGRAM(script_bounds), .decimals = 6,
                   .labels = {LABEL("script", scripts)}, .first = CELL_REDIS},
    [ROW_UP] = {"verve_redis_up",
                "Responders whose connection to this node of Redis stands.",
                IS_GAUGE(STATS_SUM), .labels = {OWN("node", NULL)},
                .first = CELL_UP},
    [ROW_UNUSABLE] = {"verve_redis_unusable",
                      "Responders that must not use this node of Redis: its "
                      "settings, or their rights, are wrong.",
                      IS_GAUGE(STATS_SUM), .labels = {OWN("node", NULL)},
                      .first = CELL_UNUSABLE},
    {"verve_shard_up",
     "Responders whose connection to the node of this shard stands.",
     IS_GAUGE(STATS_SUM), .labels = {{.name = "shard"}},
     .first = CELL_SHARD_UP},
    {"verve_waiting_ids",
     "Requests for ids that wait until their shard has answered those before "
     "them.",
     IS_GAUGE(STATS_SUM), .first = CELL_WAITING},
    {"verve_config_info",
     "Digest of the settings that all hosts should share; always 1.",
     IS_GAUGE(STATS_MOST),
     .labels = {OWN("program", programs), OWN("config", NULL)},
     .first = CELL_CONFIG},
    {"verve_build_info", "Version of the running program; always 1.",
     IS_GAUGE(STATS_MOST),
     .labels = {OWN("program", programs), OWN("version", versions)},
     .first = CELL_BUILD},
    {"verve_requests_total",
     "Requests answered, by what they asked for and how they were answered.",
     IS_COUNTER, .labels = {LABEL("handler", handlers), LABEL("code", codes)},
     .first = CELL_REQUESTS},
    {"verve_errors_total", "Requests answered with a Verve-Error, by its code.",
     IS_COUNTER, .labels = {{.name = "error", .count = ERRORS}},
     .first = CELL_ERRORS},
    {"verve_ids_total",
     "Ids that were confirmed, by how: new or seen in Redis, or known here.",
     IS_COUNTER, .labels = {LABEL("result", id_results)}, .first = CELL_IDS},
    {"verve_callbacks_queued_total",
     "Callbacks that were queued with an accepted request.", IS_COUNTER,
     .first = CELL_QUEUED},
    {"verve_redis_errors_total",
     "Script runs without a useful answer, by why: away, lost, full, refused, "
     "sparse, moved, tryagain, clusterdown.",
     IS_COUNTER,
     .labels = {{.name = "reason",
                 .values = redis_reason_names,
                 .count = REDIS_REASONS_COUNT}},
     .first = CELL_REDIS_ERRORS},
    {"verve_lost_windows_total",
     "Windows of confirmed ids that Redis lost, as each responder found: they "
     "become gaps, or are recorded already with a count that is too low "
     "(late).",
     IS_COUNTER, .labels = {LABEL("kind", losses)}, .first = CELL_LOST_WINDOWS},
    {"verve_lost_callbacks_total",
     "Callbacks that Redis may have lost after they were queued, at most.",
     IS_COUNTER, .first = CELL_LOST_CALLBACKS},
    {"verve_responders", "Responders of this host that are alive.",
     IS_GAUGE(STATS_SUM), .first = CELL_RESPONDERS},
    {"verve_responder_starts_total",
     "Responders that were started on this host since the counters began.",
     IS_COUNTER, .first = CELL_STARTS},
    {"verve_reporters", "Living reporters, as this host last heard from Redis.",
     IS_GAUGE(STATS_MOST), .first = CELL_REPORTERS},
    {"verve_recent_ids", "Ids that the responders remember.",
     IS_GAUGE(STATS_SUM), .first = CELL_RECENT},
    {"process_start_time_seconds",
     "Start of the newest responder, in epoch seconds.", IS_GAUGE(STATS_MOST),
     .decimals = 6, .first = CELL_START_TIME},
    {"process_open_fds",
     "Open file descriptors of the responder that has most.",
     IS_GAUGE(STATS_MOST), .first = CELL_OPEN_FDS},
    {"process_max_fds", "The lowest limit of open file descriptors.",
     IS_GAUGE(STATS_LEAST), .first = CELL_MAX_FDS},
    {"process_resident_memory_bytes", "Resident memory of all responders.",
     IS_GAUGE(STATS_SUM), .first = CELL_MEMORY},
    {"process_cpu_seconds_total", "User and system CPU time of all responders.",
     IS_COUNTER, .decimals = 6, .first = CELL_CPU},
};

struct pool_stats {
    struct metric metrics[COUNT(table)];
    struct stats_layout layout;
    struct stats_file *file;
    uint64_t *cells; /* of this process, in the file */
    int64_t refreshed_us;
    const char *errors[ERRORS];
    const char *shards[SHARDS];
    char shard_names[SHARDS][4];
    const char *nodes[1];
    char node[REDIS_NODE_SIZE];
    const char *digests[1];
    char digest[CONFIG_DIGEST_SIZE];
};

/* Completes the copy of the table by what is not constant. 0, or -1: no memory.
 */
static int
fill_table(struct pool_stats *stats, const struct options *options)
{
    memcpy(stats->metrics, table, sizeof(table));
    for (int i = 0; i < ERRORS; i++) {
        stats->errors[i] = error_code_name((enum error_code)(i + 1));
    }
    for (int i = 0; i < SHARDS; i++) {
        snprintf(stats->shard_names[i], sizeof(stats->shard_names[i]), "%d", i);
        stats->shards[i] = stats->shard_names[i];
    }
    redis_node_name(options->redis.url, stats->node);
    stats->nodes[0] = stats->node;
    stats->digests[0] = stats->digest;
    for (size_t i = 0; i < COUNT(table); i++) {
        struct metric *metric = &stats->metrics[i];

        if (metric->first == CELL_ERRORS) {
            metric->labels[0].values = stats->errors;
        } else if (metric->first == CELL_SHARD_UP) {
            metric->labels[0].values = stats->shards;
            metric->labels[0].count = (size_t)options->redis.shards;
        } else if (metric->first == CELL_UP || metric->first == CELL_UNUSABLE) {
            metric->labels[0].values = stats->nodes;
        } else if (metric->first == CELL_CONFIG) {
            metric->labels[1].values = stats->digests;
        }
    }
    return config_digest(options, stats->digest);
}

struct pool_stats *
pool_stats_open(const struct options *options, char why[STATS_WHY_SIZE])
{
    struct pool_stats *stats = calloc(1, sizeof(*stats));

    if (stats == NULL) {
        return NULL;
    }
    if (fill_table(stats, options) != 0) {
        free(stats);
        return NULL;
    }
    metric_layout(stats->metrics, COUNT(table), &stats->layout);
    stats->file = stats_file_open(options->stats.path, &stats->layout, why);
    if (stats->file == NULL) {
        free(stats);
        return NULL;
    }
    stats->cells = stats_file_cells(stats->file);
    stats_set(&stats->cells[CELL_RESPONDERS], 1);
    stats_set(&stats->cells[CELL_BUILD], 1);
    stats_set(&stats->cells[CELL_CONFIG], 1);
    stats_add(&stats->cells[CELL_STARTS], 1);
    stats_set(&stats->cells[CELL_START_TIME], (uint64_t)clock_wall_ms() * 1000);
    pool_stats_refresh(stats, clock_mono_us());
    return stats;
}

void
pool_stats_close(struct pool_stats *stats)
{
    if (stats != NULL) {
        stats_file_close(stats->file);
        free(stats);
    }
}

static size_t
code_of(int status)
{
    switch (status) {
    case 200:
        return 0;
    case 400:
        return 1;
    case 403:
        return 2;
    case 404:
        return 3;
    case 405:
        return 4;
    default:
        return 5;
    }
}

void
pool_stats_count_answer(struct pool_stats *stats, enum request_kind kind,
                        int status, enum error_code error)
{
    stats_add(&stats->cells[CELL_REQUESTS + kind * CODES + code_of(status)], 1);
    if (error != ERROR_CODE_NONE) {
        stats_add(&stats->cells[CELL_ERRORS + error - 1], 1);
    }
}

void
pool_stats_count_ids(struct pool_stats *stats, enum pool_stats_id result,
                     uint64_t n)
{
    stats_add(&stats->cells[CELL_IDS + result], n);
}

void
pool_stats_observe_requests(struct pool_stats *stats, int64_t us, size_t n)
{
    metric_observe(&stats->metrics[ROW_DURATION], stats->cells, 0, (uint64_t)us,
                   n);
}

void
pool_stats_observe_batch(struct pool_stats *stats, size_t n, size_t jobs)
{
    metric_observe(&stats->metrics[ROW_BATCH], stats->cells, 0, n, 1);
    stats_add(&stats->cells[CELL_QUEUED], jobs);
}

void
pool_stats_observe_script(struct pool_stats *stats, enum counter_script script,
                          enum redis_result result, int64_t us,
                          const char *refusal)
{
    if (result != REDIS_AWAY) {
        metric_observe(&stats->metrics[ROW_REDIS], stats->cells, script,
                       (uint64_t)us, 1);
    }
    if (result != REDIS_DONE) {
        stats_add(
            &stats->cells[CELL_REDIS_ERRORS + redis_reason_of(result, refusal)],
            1);
    }
}

void
pool_stats_count_loss(struct pool_stats *stats, const struct marks_loss *loss)
{
    stats_add(&stats->cells[CELL_LOST_WINDOWS], (uint64_t)loss->lost);
    stats_add(&stats->cells[CELL_LOST_WINDOWS + 1], (uint64_t)loss->late);
    stats_add(&stats->cells[CELL_LOST_CALLBACKS], (uint64_t)loss->jobs);
}

void
pool_stats_set_redis_state(struct pool_stats *stats, enum redis_state state)
{
    stats_set(&stats->cells[CELL_UP], state == REDIS_STATE_UP);
    stats_set(&stats->cells[CELL_UNUSABLE], state == REDIS_STATE_UNUSABLE);
}

void
pool_stats_set_shard_state(struct pool_stats *stats, int64_t shard,
                           enum redis_state state)
{
    stats_set(&stats->cells[CELL_SHARD_UP + shard], state == REDIS_STATE_UP);
}

void
pool_stats_set_waiting_ids(struct pool_stats *stats, size_t count)
{
    stats_set(&stats->cells[CELL_WAITING], count);
}

void
pool_stats_set_recent_ids(struct pool_stats *stats, size_t count)
{
    stats_set(&stats->cells[CELL_RECENT], count);
}

void
pool_stats_set_reporters(struct pool_stats *stats, int64_t count)
{
    stats_set(&stats->cells[CELL_REPORTERS], (uint64_t)count);
}

struct pool_stats_pool
pool_stats_pool(const struct pool_stats *stats)
{
    uint64_t sums[STATS_CELLS];

    stats_file_sum(stats->file, sums);
    return (struct pool_stats_pool){
        .responders = (int64_t)sums[CELL_RESPONDERS],
        .started_s = (int64_t)(sums[CELL_START_TIME] / 1000000)};
}

bool
pool_stats_leave(struct pool_stats *stats)
{
    stats_set(&stats->cells[CELL_RESPONDERS], 0);
    return pool_stats_pool(stats).responders == 0;
}

static void
read_usage(struct pool_stats *stats)
{
    struct process_usage usage;

    process_usage_read(&usage);
    stats_set(&stats->cells[CELL_CPU], (uint64_t)usage.cpu_us);
    stats_set(&stats->cells[CELL_MEMORY], (uint64_t)usage.memory_bytes);
    stats_set(&stats->cells[CELL_OPEN_FDS], (uint64_t)usage.open_fds);
    stats_set(&stats->cells[CELL_MAX_FDS], (uint64_t)usage.max_fds);
}

void
pool_stats_refresh(struct pool_stats *stats, int64_t now_us)
{
    if (stats->refreshed_us == 0 ||
        now_us - stats->refreshed_us >= REFRESH_US) {
        stats->refreshed_us = now_us;
        read_usage(stats);
    }
}

/* {name: cell} of cells one after the other, without those that are 0. */
static json_t *
cells_json(const char *const *names, const uint64_t *cells, size_t count)
{
    json_t *object = json_object();

    for (size_t i = 0; i < count; i++) {
        if (cells[i] > 0) {
            json_object_set_new(object, names[i],
                                json_integer((json_int_t)cells[i]));
        }
    }
    return object;
}

json_t *
pool_stats_requests(const struct pool_stats *stats)
{
    uint64_t sums[STATS_CELLS];

    stats_file_sum(stats->file, sums);
    return json_pack(
        "{s:o, s:o, s:o}", "codes",
        cells_json(codes, &sums[CELL_REQUESTS + REQUEST_ACCEPT * CODES], CODES),
        "errors", cells_json(stats->errors, &sums[CELL_ERRORS], ERRORS), "ids",
        cells_json(id_results, &sums[CELL_IDS], COUNT(id_results)));
}

void
pool_stats_write(struct pool_stats *stats, FILE *out)
{
    uint64_t sums[STATS_CELLS];

    read_usage(stats);
    stats_file_sum(stats->file, sums);
    metric_write(out, stats->metrics, COUNT(table), sums);
}
