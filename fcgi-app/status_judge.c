/*
 * status_judge: one function for each thing that can be wrong. While Redis
 * cannot be used, all else is old news, and is not judged.
 */
#include "status_judge.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "status_json.h"
#include "store/status.h"

#define RAISE_MAXMEMORY                                                        \
    "Raise maxmemory (CONFIG SET maxmemory, and redis.conf). If it is full "   \
    "of callbacks that are not needed: vervectl help queue."

enum {
    SKEW_MS = 2000,     /* of a host's clock: wrong from here on */
    RECENT_MS = 600000, /* a host that vanished is news for so long */
    OLD_MS = 60000,     /* a first attempt should not wait so long */
    FULL_PERCENT = 90,  /* of Redis's memory: a warning */
    LOST = 3,           /* failed attempts in a row: a warning */
    LAG = 2,            /* windows that a sink may be behind */
    TEXT_SIZE = 400,
};

struct verdict {
    json_t *findings[3]; /* lists, by severity */
    const json_t *redis;
    const json_t *shards; /* NULL: there is one */
    const json_t *store;
};

enum severity { DOWN, WARNING, NOTE };

static const char *const severities[] = {
    [DOWN] = "down", [WARNING] = "warning", [NOTE] = "note"};

/* The texts are of this program, or were made safe when they were read. */
static void __attribute__((format(printf, 5, 6)))
find(struct verdict *verdict, enum severity severity, const char *code,
     const char *todo, const char *format, ...)
{
    char text[TEXT_SIZE];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    json_array_append_new(verdict->findings[severity],
                          json_pack("{s:s, s:s, s:s, s:s}", "severity",
                                    severities[severity], "code", code, "text",
                                    text, "todo", todo));
}

static const struct {
    const char *fault; /* of redis.fault */
    const char *text;
    const char *todo;
} faults[] = {
    {"redis-unavailable", "Redis does not answer",
     "Look at Redis on its host: is it running, not stopped, and reachable "
     "from "
     "here? As soon as it answers, requests are counted again."},
    {"redis-eviction-policy", "Redis may drop ids",
     "Set maxmemory-policy noeviction in redis.conf and by CONFIG SET."},
    {"redis-rights", "the user of redis.url lacks rights",
     "Load conf/redis.acl of this version into Redis: ACL LOAD."},
    {"settings-differ", "Redis was set up with other settings",
     "Give all programs the same verve.conf; docs/redis-keys.md says how to "
     "change it."},
    {"redis-full", "Redis is out of memory", RAISE_MAXMEMORY},
    {"redis-refuses-writes", "Redis refuses writes",
     "Look into Redis's log: its disk may be full, or it has become a "
     "replica."},
    {"replicas-missing", "too few replicas of Redis",
     "Look at the replicas: redis.wait_replicas of them must be connected."},
};

/* Finds shards that are away. True if none is, or all are: see judge_redis. */
static bool
judge_shards(struct verdict *verdict)
{
    size_t away = 0;
    json_t *row;
    size_t i;

    json_array_foreach(verdict->shards, i, row)
    {
        away += text_of(row, "error")[0] != '\0';
    }
    if (away == 0 || away == json_array_size(verdict->shards)) {
        return true;
    }
    json_array_foreach(verdict->shards, i, row)
    {
        if (text_of(row, "error")[0] != '\0') {
            find(verdict, DOWN, "shard-away",
                 "Look at this node of Redis on its host. As soon as it, or "
                 "another that has the slot, answers, its ids are counted "
                 "again.",
                 "Shard %" PRId64 " (%s) is away: requests for its ids get "
                 "503, and windows are recorded late. %s",
                 (int64_t)number_of(row, "shard"), text_of(row, "node"),
                 text_of(row, "error"));
        }
    }
    return false;
}

/* False if Redis cannot be used, or shard 0, which the rest was read from. */
static bool
judge_redis(struct verdict *verdict)
{
    const char *fault = text_of(verdict->redis, "fault");

    if (!judge_shards(verdict)) {
        return fault[0] == '\0';
    }
    for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
        if (strcmp(fault, faults[i].fault) == 0) {
            find(verdict, DOWN, fault, faults[i].todo,
                 "%s: nothing is counted, requests get 503. %s", faults[i].text,
                 text_of(verdict->redis, "error"));
            return false;
        }
    }
    return true;
}

static void
judge_memory(struct verdict *verdict)
{
    const json_t *memory = json_object_get(verdict->store, "memory");
    json_int_t max = number_of(memory, "max");
    json_int_t used = number_of(memory, "used");
    json_int_t percent = max > 0 ? used / (max / 100 + 1) : 0;

    if (max > 0 && used > max) {
        find(verdict, DOWN, "redis-full", RAISE_MAXMEMORY,
             "Redis is out of memory: nothing is counted, requests get 503. It "
             "uses %" PRId64 " of %" PRId64 " MB.",
             (int64_t)(used >> 20), (int64_t)(max >> 20));
    } else if (percent >= FULL_PERCENT) {
        find(verdict, WARNING, "redis-nearly-full",
             "Raise maxmemory before it is full; docs/operations.md has the "
             "formula for ids and callbacks.",
             "Redis uses %" PRId64 " %% of its memory limit.",
             (int64_t)percent);
    }
}

static void
judge_queue(struct verdict *verdict)
{
    const json_t *queue = json_object_get(verdict->store, "queue");
    json_int_t jobs = number_of(queue, "jobs");
    json_int_t oldest_ms = number_of(queue, "oldest_ms");

    if (jobs >= number_of(queue, "max_jobs") ||
        number_of(queue, "bytes") >= number_of(queue, "max_bytes")) {
        find(verdict, DOWN, "queue-full",
             "Find out why callbacks are not delivered (destinations, "
             "reporters below); drop what is not needed: vervectl help queue.",
             "The callback queue is full: requests with an endpoint get 503. "
             "%" PRId64 " of %" PRId64 " callbacks, %" PRId64 " of %" PRId64
             " MB.",
             (int64_t)jobs, (int64_t)number_of(queue, "max_jobs"),
             (int64_t)number_of(queue, "bytes") >> 20,
             (int64_t)number_of(queue, "max_bytes") >> 20);
    } else if (oldest_ms > OLD_MS) {
        find(verdict, WARNING, "callbacks-late",
             "See which destination is slow or down, below; if none is, add "
             "workers: callbacks.workers, callbacks.concurrency.",
             "A callback has waited for its first attempt for %" PRId64 " s.",
             (int64_t)oldest_ms / 1000);
    }
    if (number_of(queue, "dead") > 0) {
        find(verdict, NOTE, "dead-callbacks",
             "vervectl queue list --dead shows them; vervectl queue retry "
             "--dead "
             "sends them again.",
             "Callbacks that were given up: %" PRId64 ".",
             (int64_t)number_of(queue, "dead"));
    }
}

static bool
is_reports(const json_t *row)
{
    return strcmp(text_of(row, "worker"), "reports") == 0;
}

/* Since when no worker that closes windows was seen, for a text; the last seen
   is the first of the list. "": none ever was. */
static void
write_silence(const json_t *reporters, char *text, size_t size)
{
    json_t *row;
    size_t i;

    text[0] = '\0';
    json_array_foreach(reporters, i, row)
    {
        if (is_reports(row)) {
            snprintf(text, size, ", and none was seen for %" PRId64 " s",
                     (int64_t)number_of(row, "age_ms") / 1000);
            return;
        }
    }
}

/* Counts the living workers that close windows or deliver. */
static void
judge_reporters(struct verdict *verdict)
{
    const json_t *reporters = json_object_get(verdict->store, "reporters");
    const json_t *queue = json_object_get(verdict->store, "queue");
    int reports = 0, callbacks = 0;
    char since[64];
    json_t *row;
    size_t i;

    write_silence(reporters, since, sizeof(since));
    json_array_foreach(reporters, i, row)
    {
        if (json_is_true(json_object_get(row, "living"))) {
            reports += is_reports(row);
            callbacks += !is_reports(row);
        }
    }
    if (reports == 0) {
        find(verdict, DOWN, "no-reporter",
             "Start one: systemctl start verve-reporter, and see its log "
             "(journalctl -u verve-reporter). Counts and callbacks wait in "
             "Redis.",
             "No reporter runs%s: counts are not reported, and callbacks are "
             "not delivered.",
             since);
    } else if (callbacks == 0 && number_of(queue, "jobs") > 0) {
        find(verdict, WARNING, "no-callback-worker",
             "Set callbacks.workers to 1 or more for one of the reporters.",
             "No reporter delivers callbacks, and %" PRId64 " wait.",
             (int64_t)number_of(queue, "jobs"));
    }
}

static void
judge_sinks(struct verdict *verdict)
{
    json_t *row;
    size_t i;

    json_array_foreach(json_object_get(verdict->store, "sinks"), i, row)
    {
        if (number_of(row, "age_ms") > RECENT_MS) {
            continue; /* of a host that is gone */
        }
        if (number_of(row, "failing_s") > 0) {
            find(verdict, WARNING, "sink-failing",
                 "Mend what the error names. The windows wait in Redis and are "
                 "written in order as soon as the sink works.",
                 "The sink %s has failed for %" PRId64
                 " s (windows behind: %" PRId64 "): %s",
                 text_of(row, "name"), (int64_t)number_of(row, "failing_s"),
                 (int64_t)number_of(row, "lag"), text_of(row, "error"));
        } else if (number_of(row, "lag") > LAG) {
            find(verdict, WARNING, "sink-behind",
                 "See whether a reporter with this sink runs, and its log.",
                 "The sink %s is behind, by %" PRId64 " windows.",
                 text_of(row, "name"), (int64_t)number_of(row, "lag"));
        }
    }
}

static void
judge_destinations(struct verdict *verdict)
{
    json_t *row;
    size_t i;

    json_array_foreach(json_object_get(verdict->store, "destinations"), i, row)
    {
        bool closed = strcmp(text_of(row, "breaker"), "closed") == 0;
        json_int_t failed = number_of(row, "failed");

        if (!closed || failed > 0) {
            find(verdict, closed && failed < LOST ? NOTE : WARNING,
                 "destination-down",
                 "Ask who runs it. Callbacks are tried again by themselves; to "
                 "stop calling it: vervectl block HOST.",
                 "The destination %s fails. Failed attempts in a row: %" PRId64
                 "; circuit breaker: %s.",
                 text_of(row, "origin"), (int64_t)failed,
                 text_of(row, "breaker"));
        }
    }
}

/* Redis's clock has stepped back if the window that is on is ahead of it. Else
   a host's clock is wrong that differs; if all do, it is Redis's. */
static void
judge_clocks(struct verdict *verdict)
{
    static const char todo[] =
        "Set the clock, and run a time service there: chronyc tracking, "
        "timedatectl. Windows follow Redis's clock alone.";
    const json_t *window = json_object_get(verdict->store, "window");
    const json_t *web = json_object_get(verdict->store, "web");
    size_t living = 0, wrong = 0;
    json_t *row;
    size_t i;

    if (number_of(window, "ahead_s") > number_of(window, "seconds")) {
        find(
            verdict, WARNING, "redis-clock", todo,
            "The clock of Redis's host has stepped back: the window that is on "
            "begins %" PRId64 " s ahead of it.",
            (int64_t)number_of(window, "ahead_s"));
    }
    json_array_foreach(web, i, row)
    {
        if (json_is_true(json_object_get(row, "living"))) {
            json_int_t skew = number_of(row, "skew_ms");

            living++;
            wrong += skew > SKEW_MS || skew < -SKEW_MS;
        }
    }
    json_array_foreach(web, i, row)
    {
        json_int_t skew = number_of(row, "skew_ms");

        if (json_is_true(json_object_get(row, "living")) &&
            (skew > SKEW_MS || skew < -SKEW_MS)) {
            find(verdict, WARNING, "clock-skew", todo,
                 "The clock of web host %s differs from Redis's by %" PRId64
                 " s.%s",
                 text_of(row, "host"), (int64_t)skew / 1000,
                 wrong == living
                     ? " So do all hosts' clocks: Redis's host is wrong, if "
                       "there is more than one."
                     : "");
        }
    }
}

/* How many living web hosts of this version have this configuration. */
static size_t
count_alike(const json_t *web, const json_t *like, const char *member)
{
    size_t count = 0;
    json_t *row;
    size_t i;

    json_array_foreach(web, i, row)
    {
        count += json_is_true(json_object_get(row, "living")) &&
                 json_equal(json_object_get(row, "version"),
                            json_object_get(like, "version")) &&
                 (member == NULL || json_equal(json_object_get(row, member),
                                               json_object_get(like, member)));
    }
    return count;
}

/* Names the hosts that are fewer; if no side is, all of them. */
static void
judge_configuration(struct verdict *verdict)
{
    const json_t *web = json_object_get(verdict->store, "web");
    json_t *row;
    size_t i;

    json_array_foreach(web, i, row)
    {
        size_t all = count_alike(web, row, NULL);
        size_t alike = count_alike(web, row, "config");

        if (json_is_true(json_object_get(row, "living")) && alike < all &&
            alike * 2 <= all) {
            find(
                verdict, WARNING, "configuration-differs",
                "Give all hosts the same verve.conf and restart that which has "
                "the old one; verve-fcgi -p KEY prints a setting.",
                "Web host %s has another configuration (%s) than others.",
                text_of(row, "host"), text_of(row, "config"));
        }
    }
}

static void
judge_vanished(struct verdict *verdict)
{
    json_t *row;
    size_t i;

    json_array_foreach(json_object_get(verdict->store, "web"), i, row)
    {
        if (!json_is_true(json_object_get(row, "living")) &&
            number_of(row, "age_ms") < RECENT_MS) {
            find(
                verdict, WARNING, "web-host-gone",
                "See whether the host and its verve-fcgi run, and whether they "
                "reach Redis. If it is gone for good, nothing is to be done.",
                "Web host %s was last seen %" PRId64 " s ago.",
                text_of(row, "host"), (int64_t)number_of(row, "age_ms") / 1000);
        }
    }
}

static void
judge_windows(struct verdict *verdict)
{
    const json_t *window = json_object_get(verdict->store, "window");
    const json_t *windows = json_object_get(verdict->store, "windows");
    const json_t *last = json_array_get(windows, 0);
    json_int_t seconds = number_of(window, "seconds");
    json_int_t open =
        last == NULL || seconds == 0
            ? 0
            : (number_of(window, "start") - number_of(last, "start")) /
                      seconds -
                  1;
    int64_t gaps = 0;
    json_t *row;
    size_t i;

    json_array_foreach(windows, i, row)
    {
        gaps += json_is_true(json_object_get(row, "gap"));
    }
    if (open > LAG) {
        find(verdict, WARNING, "windows-not-closed",
             "See whether a reporter runs, and its log.",
             "%" PRId64 " windows have ended and are not recorded yet.",
             (int64_t)open);
    }
    if (gaps > 0) {
        find(verdict, NOTE, "gaps",
             "docs/reliability.md says when Redis loses data, and which "
             "settings prevent that.",
             "Gaps among the last %zu windows: %" PRId64
             ". Redis lost their data.",
             json_array_size(windows), gaps);
    }
}

static const char *
state_of(const struct verdict *verdict)
{
    return json_array_size(verdict->findings[DOWN]) > 0      ? "down"
           : json_array_size(verdict->findings[WARNING]) > 0 ? "warning"
                                                             : "ok";
}

void
status_judge(json_t *page)
{
    struct verdict verdict = {
        .findings = {json_array(), json_array(), json_array()},
        .redis = json_object_get(page, "redis"),
        .shards = json_object_get(page, "shards"),
        .store = json_object_get(page, "store")};

    if (judge_redis(&verdict)) {
        judge_memory(&verdict);
        judge_reporters(&verdict);
        judge_queue(&verdict);
        judge_clocks(&verdict);
        judge_configuration(&verdict);
        judge_sinks(&verdict);
        judge_destinations(&verdict);
        judge_windows(&verdict);
        judge_vanished(&verdict);
    }
    json_object_set_new(page, "state", json_string(state_of(&verdict)));
    json_array_extend(verdict.findings[DOWN], verdict.findings[WARNING]);
    json_array_extend(verdict.findings[DOWN], verdict.findings[NOTE]);
    json_object_set(page, "findings", verdict.findings[DOWN]);
    for (int i = DOWN; i <= NOTE; i++) {
        json_decref(verdict.findings[i]);
    }
}
