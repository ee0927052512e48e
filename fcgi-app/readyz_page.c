/*
 * readyz_page: makes checks of what the probe has found, then a text of the
 * checks. A check that the probe did not come to is unknown. A warning does not
 * make the host unready: it concerns callbacks, reports, the time to come or
 * the ids of some shards, and another web host would have it as well.
 */
#define _GNU_SOURCE /* asprintf */
#include "readyz_page.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MEMORY_WARNING_PERCENT = 90 };

/* What accept.lua reserves for a job to a new destination, with its URL. */
enum { JOB_BYTES = 1000 };

enum state { PASS, WARN, FAIL, UNKNOWN };

struct check {
    const char *name;
    enum state state;
    char reason[1100]; /* "": none; redis_error has up to 1,024 bytes */
};

enum check_name {
    CHECK_REDIS,
    CHECK_EVICTION,
    CHECK_RIGHTS,
    CHECK_SETTINGS,
    CHECK_MEMORY,
    CHECK_WRITE,
    CHECK_REPLICAS,
    CHECK_QUEUE,
    CHECK_REPORTER,
    CHECK_LOST,
    CHECKS_COUNT,
    CHECK_SHARDS = CHECKS_COUNT, /* only if there are several */
    CHECKS_MOST,
};

static const char *const names[CHECKS_COUNT] = {
    [CHECK_REDIS] = "redis",       [CHECK_EVICTION] = "eviction",
    [CHECK_RIGHTS] = "rights",     [CHECK_SETTINGS] = "settings",
    [CHECK_MEMORY] = "memory",     [CHECK_WRITE] = "write",
    [CHECK_REPLICAS] = "replicas", [CHECK_QUEUE] = "queue",
    [CHECK_REPORTER] = "reporter", [CHECK_LOST] = "lost",
};

/* What a fault means: the check that fails, and the code. */
static const struct {
    enum check_name check;
    enum error_code error;
} faults[] = {
    [PROBE_READY] = {CHECKS_COUNT, ERROR_CODE_NONE},
    [PROBE_NO_ANSWER] = {CHECK_REDIS, ERROR_CODE_REDIS_UNAVAILABLE},
    [PROBE_EVICTION] = {CHECK_EVICTION, ERROR_CODE_REDIS_EVICTION_POLICY},
    [PROBE_RIGHTS] = {CHECK_RIGHTS, ERROR_CODE_REDIS_RIGHTS},
    [PROBE_SETTINGS] = {CHECK_SETTINGS, ERROR_CODE_SETTINGS_DIFFER},
    [PROBE_MEMORY] = {CHECK_MEMORY, ERROR_CODE_REDIS_FULL},
    [PROBE_WRITE] = {CHECK_WRITE, ERROR_CODE_REDIS_REFUSES_WRITES},
    [PROBE_REPLICAS] = {CHECK_REPLICAS, ERROR_CODE_REPLICAS_MISSING},
};

/* How many shards would count. */
static size_t
count_ready(const struct readyz *shards, size_t count)
{
    size_t ready = 0;

    for (size_t i = 0; i < count; i++) {
        ready += shards[i].probe.fault == PROBE_READY;
    }
    return ready;
}

enum error_code
readyz_page_error(const struct readyz *shards, size_t count)
{
    return count_ready(shards, count) > 0 ? ERROR_CODE_NONE
                                          : faults[shards[0].probe.fault].error;
}

/* Redis's texts may quote what a stranger wrote: only printable ASCII stays. */
static void __attribute__((format(printf, 3, 4)))
set(struct check *check, enum state state, const char *format, ...)
{
    va_list args;

    check->state = state;
    va_start(args, format);
    vsnprintf(check->reason, sizeof(check->reason), format, args);
    va_end(args);
    for (char *c = check->reason; *c != '\0'; c++) {
        *c = *c >= ' ' && *c <= '~' ? *c : '?';
    }
}

static void
judge_memory(const struct readyz *readyz, struct check *check)
{
    int64_t most = redis_max_memory(readyz->redis);
    int64_t used = redis_used_memory(readyz->redis);
    int64_t percent = most > 0 ? used / (most / 100 + 1) : 0;

    if (check->state == PASS && most > 0 && used > 0) {
        set(check, percent >= MEMORY_WARNING_PERCENT ? WARN : PASS,
            "%" PRId64 " %% of maxmemory used a minute ago or less", percent);
    }
}

static void
judge_queue(const struct probe *probe, struct check *check)
{
    bool full = probe->jobs >= probe->max_jobs ||
                probe->bytes + JOB_BYTES > probe->max_bytes;

    set(check, full ? WARN : PASS,
        "%s%" PRId64 " of %" PRId64 " callbacks, %" PRId64 " of %" PRId64
        " bytes",
        full ? "full, requests with an endpoint get 503: " : "", probe->jobs,
        probe->max_jobs, probe->bytes, probe->max_bytes);
}

/* What the probe has looked at beside the write. */
static void
judge_rest(const struct probe *probe, struct check checks[CHECKS_COUNT])
{
    judge_queue(probe, &checks[CHECK_QUEUE]);
    if (probe->reporters == 0) {
        set(&checks[CHECK_REPORTER], WARN,
            "no reporter delivers callbacks; ids are counted");
    } else {
        set(&checks[CHECK_REPORTER], PASS, "%" PRId64 " deliver callbacks",
            probe->reporters);
    }
    if (probe->lost > 0) {
        set(&checks[CHECK_LOST], WARN,
            "Redis lost ids of %" PRId64 " windows, which will be gaps",
            probe->lost);
    } else {
        checks[CHECK_LOST].state = PASS;
    }
}

static void
judge(const struct readyz *readyz, struct check checks[CHECKS_COUNT])
{
    enum probe_fault fault = readyz->probe.fault;
    enum check_name failed = faults[fault].check;

    for (int i = 0; i < CHECKS_COUNT; i++) {
        checks[i].name = names[i];
        checks[i].state = i < (int)failed ? PASS : UNKNOWN;
        checks[i].reason[0] = '\0';
    }
    if (failed != CHECKS_COUNT) {
        set(&checks[failed], FAIL, "%s", redis_error(readyz->redis));
    }
    if (fault == PROBE_MEMORY) {
        set(&checks[CHECK_WRITE], FAIL, "Redis is out of memory");
    }
    judge_memory(readyz, &checks[CHECK_MEMORY]);
    if (readyz->probe.looked) {
        judge_rest(&readyz->probe, checks);
    }
}

/* The higher, the worse: a shard that was looked at tells more than another. */
static int
rank(enum state state)
{
    switch (state) {
    case UNKNOWN:
        return 0;
    case PASS:
        return 1;
    case WARN:
        return 2;
    case FAIL:
        return 3;
    }
    return 0;
}

/*
 * Takes over a shard's check if it is worse, or the first; the reason names the
 * shard.
 */
static void
keep_worse(struct check *check, const struct check *of_shard, size_t shard)
{
    if (check->name != NULL && rank(of_shard->state) <= rank(check->state)) {
        return;
    }
    *check = *of_shard;
    if (of_shard->reason[0] != '\0') {
        set(check, of_shard->state, "shard %zu: %.1000s", shard,
            of_shard->reason);
    }
}

/* The check of all shards together. */
static void
judge_shards(const struct readyz *shards, size_t count, struct check *check)
{
    size_t ready = count_ready(shards, count);
    size_t first = 0;

    while (first < count && shards[first].probe.fault == PROBE_READY) {
        first++;
    }
    check->name = "shards";
    if (first == count) {
        set(check, PASS, "all of %zu count", count);
    } else {
        set(check, ready > 0 ? WARN : FAIL,
            "%zu of %zu count, shard %zu does not: requests for ids of a shard "
            "that does not count get 503",
            ready, count, first);
    }
}

/*
 * Judges all shards together. While some of them count, what keeps another one
 * from it is only a warning. Returns the number of checks.
 */
static int
judge_all(const struct readyz *shards, size_t count,
          struct check checks[CHECKS_MOST])
{
    struct check of_shard[CHECKS_COUNT];
    bool ready = count_ready(shards, count) > 0;

    if (count == 1) {
        judge(shards, checks);
        return CHECKS_COUNT;
    }
    memset(checks, 0, CHECKS_MOST * sizeof(*checks));
    for (size_t i = 0; i < count; i++) {
        judge(&shards[i], of_shard);
        for (int j = 0; j < CHECKS_COUNT; j++) {
            keep_worse(&checks[j], &of_shard[j], i);
        }
    }
    for (int j = 0; j < CHECKS_COUNT; j++) {
        checks[j].state =
            checks[j].state == FAIL && ready ? WARN : checks[j].state;
    }
    judge_shards(shards, count, &checks[CHECK_SHARDS]);
    return CHECKS_MOST;
}

/* "": none. */
static const char *
shown_reason(const struct check *check, bool with_reasons)
{
    if (with_reasons || check->reason[0] == '\0') {
        return check->reason;
    }
    return check->state == PASS ? "" : "reason withheld";
}

static void
write_line(FILE *out, const struct check *check, bool with_reasons)
{
    static const char *const marks[] = {
        [PASS] = "+", [WARN] = "!", [FAIL] = "-", [UNKNOWN] = "?"};
    static const char *const words[] = {[PASS] = "ok",
                                        [WARN] = "warning",
                                        [FAIL] = "failed",
                                        [UNKNOWN] = "unknown: not looked at"};
    const char *reason = shown_reason(check, with_reasons);

    fprintf(out, "[%s]%s %s%s%s\n", marks[check->state], check->name,
            words[check->state], reason[0] == '\0' ? "" : ": ", reason);
}

/* The text, malloc'd; NULL: no memory. */
static char *
write_text(const struct check *checks, int count, bool ready, bool with_reasons)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);

    if (out == NULL) {
        return NULL;
    }
    for (int i = 0; i < count; i++) {
        write_line(out, &checks[i], with_reasons);
    }
    fprintf(out, "readyz check %s\n", ready ? "passed" : "failed");
    if (fclose(out) != 0) {
        free(text);
        return NULL;
    }
    return text;
}

static json_t *
check_json(const struct check *check, bool with_reasons)
{
    static const char *const words[] = {[PASS] = "pass",
                                        [WARN] = "warn",
                                        [FAIL] = "fail",
                                        [UNKNOWN] = "unknown"};
    const char *reason = shown_reason(check, with_reasons);
    json_t *result = json_pack("{s:s}", "status", words[check->state]);

    if (reason[0] != '\0') {
        json_object_set_new(result, "output", json_string(reason));
    }
    return json_pack("[o]", result);
}

/* The JSON, malloc'd; NULL: no memory. */
static char *
write_json(const struct check *checks, int count, bool ready, bool with_reasons)
{
    json_t *list = json_object();
    bool warned = false;
    json_t *root;
    char *text;

    for (int i = 0; i < count; i++) {
        json_object_set_new(list, checks[i].name,
                            check_json(&checks[i], with_reasons));
        warned |= checks[i].state == WARN;
    }
    root = json_pack("{s:s, s:o}", "status",
                     !ready   ? "fail"
                     : warned ? "warn"
                              : "pass",
                     "checks", list);
    text = root == NULL ? NULL : json_dumps(root, JSON_INDENT(1));
    json_decref(root);
    return text;
}

/* The response with its headers, malloc'd; NULL: no memory. */
static char *
write_response(const struct check *checks, int count, enum error_code error,
               const struct request *request, bool with_reasons, size_t *len)
{
    bool ready = error == ERROR_CODE_NONE;
    char *body = request->json ? write_json(checks, count, ready, with_reasons)
                               : write_text(checks, count, ready, with_reasons);
    char *text = NULL;
    int length;

    if (body == NULL) {
        return NULL;
    }
    length = asprintf(&text,
                      "Status: %s\r\n"
                      "Content-Type: %s\r\n"
                      "Cache-Control: no-store\r\n"
                      "Vary: Accept\r\n"
                      "%s%s%s"
                      "Content-Length: %zu\r\n\r\n%s",
                      ready ? "200 OK" : "503 Service Unavailable",
                      request->json ? "application/json" : "text/plain",
                      ready ? "" : "Retry-After: 1\r\nVerve-Error: ",
                      ready ? "" : error_code_name(error), ready ? "" : "\r\n",
                      strlen(body), request->head ? "" : body);
    free(body);
    if (length < 0) {
        return NULL;
    }
    *len = (size_t)length;
    return text;
}

void
readyz_page_respond(const struct readyz *shards, size_t count,
                    struct fcgi_exchange *exchange, bool with_reasons)
{
    struct check checks[CHECKS_MOST];
    int judged = judge_all(shards, count, checks);
    size_t len = 0;
    char *text =
        write_response(checks, judged, readyz_page_error(shards, count),
                       &exchange->request, with_reasons, &len);

    fcgi_conn_respond_text(exchange, text == NULL ? "" : text, len);
    free(text);
}
