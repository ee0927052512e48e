/*
 * paths: a hash table of keys, which are hashes themselves: two paths share a
 * key once in 2^64 pairs. The list has the path that was used last at its end.
 */
#include "paths.h"

#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "base/util.h"
#include "circuit_breaker.h"

enum { BUCKETS = 16384 };

struct path {
    TAILQ_ENTRY(path) link;
    struct path *next; /* in its bucket */
    uint64_t key;
    int64_t hold_until_ms; /* monotonic: the end of Retry-After */
    struct circuit_breaker breaker;
};

TAILQ_HEAD(path_list, path);

struct paths {
    uint64_t seed;
    size_t count;
    struct path_list used; /* the path used longest ago is first */
    struct path *buckets[BUCKETS];
};

struct paths *
paths_open(uint64_t seed)
{
    struct paths *paths = calloc(1, sizeof(*paths));

    if (paths != NULL) {
        paths->seed = seed;
        TAILQ_INIT(&paths->used);
    }
    return paths;
}

/* Forgets a path. */
static void
drop(struct paths *paths, struct path *path)
{
    struct path **link = &paths->buckets[path->key % BUCKETS];

    while (*link != path) {
        link = &(*link)->next;
    }
    *link = path->next;
    TAILQ_REMOVE(&paths->used, path, link);
    paths->count--;
    free(path);
}

void
paths_close(struct paths *paths)
{
    if (paths != NULL) {
        while (!TAILQ_EMPTY(&paths->used)) {
            drop(paths, TAILQ_FIRST(&paths->used));
        }
        free(paths);
    }
}

uint64_t
paths_key(const struct paths *paths, const char *origin, const char *url)
{
    const char *mark = strstr(url, "://");
    const char *authority = mark == NULL ? url : mark + 3;
    const char *path = authority + strcspn(authority, "/?#");
    size_t len = strcspn(path, "?#");
    uint64_t hash = fnv1a(paths->seed, origin);

    if (len == 0) { /* the same (RFC 9110, 4.2.3) */
        path = "/";
        len = 1;
    }
    for (size_t i = 0; i < len; i++) {
        hash = (hash ^ (unsigned char)path[i]) * UINT64_C(0x100000001b3);
    }
    return hash ^ hash >> 32;
}

static struct path *
find(const struct paths *paths, uint64_t key)
{
    struct path *path = paths->buckets[key % BUCKETS];

    while (path != NULL && path->key != key) {
        path = path->next;
    }
    return path;
}

bool
paths_has(const struct paths *paths, uint64_t key)
{
    return find(paths, key) != NULL;
}

int64_t
paths_blocked_ms(const struct paths *paths, uint64_t key, int64_t now_ms)
{
    const struct path *path = find(paths, key);
    int64_t wait_ms;

    if (path == NULL) {
        return 0;
    }
    wait_ms = int64_max(path->hold_until_ms - now_ms,
                        circuit_breaker_wait_ms(&path->breaker, now_ms));
    if (wait_ms <= 0 && path->breaker.probing) {
        return PATHS_PROBED_MS;
    }
    return int64_max(wait_ms, 0);
}

size_t
paths_count_open(const struct paths *paths, int64_t now_ms)
{
    const struct path *path = TAILQ_FIRST(&paths->used);
    size_t count = 0;

    for (; path != NULL; path = TAILQ_NEXT(path, link)) {
        count += circuit_breaker_wait_ms(&path->breaker, now_ms) > 0;
    }
    return count;
}

bool
paths_start(struct paths *paths, uint64_t key, int64_t now_ms)
{
    struct path *path = find(paths, key);

    if (path == NULL) {
        return false;
    }
    TAILQ_REMOVE(&paths->used, path, link);
    TAILQ_INSERT_TAIL(&paths->used, path, link);
    return circuit_breaker_start(&path->breaker, now_ms);
}

/* Remembers a path. NULL: no memory. */
static struct path *
make(struct paths *paths, uint64_t key)
{
    struct path *path = calloc(1, sizeof(*path));

    if (path == NULL) {
        return NULL;
    }
    if (paths->count == PATHS_MAX) {
        drop(paths, TAILQ_FIRST(&paths->used));
    }
    path->key = key;
    path->next = paths->buckets[key % BUCKETS];
    paths->buckets[key % BUCKETS] = path;
    TAILQ_INSERT_TAIL(&paths->used, path, link);
    paths->count++;
    return path;
}

/* True if the verdict says that the path fails. */
static bool
is_failure(const struct retry_verdict *verdict)
{
    return verdict->evidence == RETRY_EVIDENCE_OVERLOAD ||
           (verdict->evidence == RETRY_EVIDENCE_FAILURE &&
            verdict->scope == RETRY_SCOPE_PATH);
}

static void
record(struct path *path, bool probe, const struct retry_verdict *verdict,
       int64_t now_ms)
{
    if (is_failure(verdict)) {
        circuit_breaker_fail(&path->breaker, probe, now_ms);
    } else if (verdict->evidence == RETRY_EVIDENCE_SUCCESS) {
        circuit_breaker_succeed(&path->breaker, probe, now_ms);
    } else {
        circuit_breaker_cancel(&path->breaker, probe);
    }
    if (verdict->hold_ms > 0) {
        path->hold_until_ms =
            int64_max(path->hold_until_ms, now_ms + verdict->hold_ms);
    }
}

void
paths_end(struct paths *paths, uint64_t key, bool probe,
          const struct retry_verdict *verdict, int64_t now_ms)
{
    struct path *path = find(paths, key);
    bool fails =
        verdict->hold_ms > 0 || (verdict->evidence == RETRY_EVIDENCE_FAILURE &&
                                 verdict->scope == RETRY_SCOPE_PATH);

    if (path == NULL && fails) {
        path = make(paths, key);
    }
    if (path == NULL) {
        return;
    }
    record(path, probe, verdict, now_ms);
    if (path->breaker.failed == 0 && path->breaker.open_ms == 0 &&
        path->hold_until_ms <= now_ms) {
        drop(paths, path);
    }
}
