/*
 * status_page: the JSON is made by one responder for all of the pool, so that
 * Redis is asked twice a second at most, however many people look.
 */
#define _GNU_SOURCE /* asprintf */
#include "status_page.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/util.h"
#include "base/version.h"
#include "readyz_page.h"
#include "shared_text.h"
#include "status_files.h"
#include "status_judge.h"
#include "status_present.h"
#include "status_shards.h"
#include "store/keys.h"
#include "store/status.h"

enum {
    ROWS_MOST = 16,    /* of each list; fewer if the JSON is too long */
    STOPPED_MS = 2000, /* the responder that makes the text is stopped */
};

struct status_page {
    const struct options *options;
    struct store *store;
    struct redis *redis;   /* of shard 0 */
    struct redis *records; /* for the key `windows` */
    struct pool_stats *stats;
    struct shared_text *shared;
    char host[HOST_NAME_SIZE];
};

/* The connection for the key `windows`. NULL: no memory, or errno. */
static struct redis *
open_records(const struct options *options, struct store *store)
{
    struct key_parts parts = {.prefix = options->redis.prefix};
    char key[REDIS_KEY_MAX_BYTES];

    keys_text(KEY_WINDOWS, &parts, key, sizeof(key));
    return store_keyed(store, key);
}

struct status_page *
status_page_open(const struct options *options, struct store *store,
                 struct pool_stats *stats)
{
    struct status_page *page = calloc(1, sizeof(*page));

    if (page == NULL) {
        return NULL;
    }
    page->options = options;
    page->store = store;
    page->redis = store_shard(store, 0);
    page->records = open_records(options, store);
    page->stats = stats;
    host_name(page->host);
    page->shared = shared_text_open(options->stats.path);
    if (page->shared == NULL || page->records == NULL) {
        status_page_close(page);
        return NULL;
    }
    return page;
}

void
status_page_close(struct status_page *page)
{
    if (page != NULL) {
        shared_text_close(page->shared);
        free(page);
    }
}

/* What the text before had of Redis; NULL: nothing. */
static json_t *
last_store(const char *before)
{
    json_error_t error;
    json_t *page = before == NULL ? NULL : json_loads(before, 0, &error);
    json_t *store = json_incref(json_object_get(page, "store"));

    json_decref(page);
    return store;
}

/* How Redis is; looked: it has just answered. */
static json_t *
redis_json(const struct status_page *page, bool looked)
{
    struct readyz readyz = {.redis = page->redis};
    json_t *object = json_object();

    if (!looked) {
        readyz.probe.fault = probe_fault_of(
            page->redis, redis_state(page->redis) == REDIS_STATE_UP);
        json_object_set_new(
            object, "fault",
            json_string(error_code_name(readyz_page_error(&readyz, 1))));
        json_object_set_new(object, "error",
                            status_text(redis_error(page->redis)));
    }
    json_object_set_new(object, "answers", json_boolean(looked));
    return object;
}

/* Adds what the other shards have that are not away. The first that does not
   answer is the last that is asked. */
static void
look_at_others(const struct status_page *page, json_t *sum)
{
    for (int64_t i = 1; i < store_shards(page->store); i++) {
        struct redis *redis = store_shard(page->store, i);

        if (redis_state(redis) == REDIS_STATE_UP) {
            json_t *seen = status_look(store_view(page->store, i), redis);

            if (seen == NULL) {
                return;
            }
            status_shards_add(sum, seen);
            json_decref(seen);
        }
    }
}

/* A new look at Redis, or what was known before; NULL: nothing. */
static json_t *
look(struct status_page *page, const char *before, bool *looked)
{
    json_t *store = NULL;

    if (redis_state(page->redis) == REDIS_STATE_UP) {
        store = status_look(store_view(page->store, 0), page->redis);
    }
    if (store != NULL) {
        look_at_others(page, store);
        json_object_set_new(store, "windows",
                            status_windows(page->options, page->records));
    }
    *looked = store != NULL;
    return *looked ? store : last_store(before);
}

/*
 * The JSON of a look with at most so many rows in each list; NULL: no memory.
 * All rows are judged, also those that are cut; the worst findings come first.
 */
static char *
compose(const struct status_page *page, const json_t *store, bool looked,
        size_t rows)
{
    json_t *copy = json_deep_copy(store);
    json_t *root = json_pack(
        "{s:i, s:s, s:s, s:I, s:o, s:o, s:o*}", "v", 1, "host", page->host,
        "version", VERVE_VERSION, "at", (json_int_t)clock_wall_ms(), "requests",
        pool_stats_requests(page->stats), "redis", redis_json(page, looked),
        "shards", status_shards_list(page->store));
    json_t *findings;
    char *text;

    if (looked) {
        status_present_sort(copy);
    }
    if (copy != NULL) {
        json_object_set_new(root, "store", copy);
    }
    status_judge(root);
    findings = json_object_get(root, "findings");
    while (json_array_size(findings) > rows) {
        json_array_remove(findings, json_array_size(findings) - 1);
    }
    status_present_cut(copy, rows);
    text = root == NULL ? NULL : json_dumps(root, JSON_COMPACT);
    json_decref(root);
    return text;
}

/* The JSON, malloc'd; NULL: no memory. */
static char *
make(struct status_page *page, const char *before)
{
    bool looked;
    json_t *store = look(page, before, &looked);
    char *text = NULL;

    for (size_t rows = ROWS_MOST; rows > 0; rows /= 2) {
        free(text);
        text = compose(page, store, looked, rows);
        if (text == NULL || strlen(text) <= STATUS_PAGE_BYTES) {
            break;
        }
    }
    json_decref(store);
    return text;
}

/* The text to send, borrowed until the next call; NULL: no memory. */
static const char *
current(struct status_page *page)
{
    int64_t age_ms;
    const char *text = shared_text_read(page->shared, &age_ms);
    char *made;

    if (text != NULL &&
        (age_ms < STATUS_PAGE_MS ||
         (!shared_text_claim(page->shared) && age_ms < STOPPED_MS))) {
        return text;
    }
    made = make(page, text);
    if (made == NULL) {
        return NULL;
    }
    shared_text_write(page->shared, made);
    free(made);
    return shared_text_read(page->shared, &age_ms);
}

static void
respond(struct fcgi_exchange *exchange, const char *type, const char *headers,
        const char *body)
{
    char *text = NULL;
    int len = asprintf(&text,
                       "Status: 200 OK\r\n"
                       "Content-Type: %s\r\n"
                       "Cache-Control: no-store\r\n"
                       "X-Content-Type-Options: nosniff\r\n"
                       "%s"
                       "Content-Length: %zu\r\n\r\n%s",
                       type, headers, strlen(body),
                       exchange->request.head ? "" : body);

    fcgi_conn_respond_text(exchange, len < 0 ? "" : text,
                           len < 0 ? 0 : (size_t)len);
    free(len < 0 ? NULL : text);
}

void
status_page_respond(struct status_page *page, struct fcgi_exchange *exchange)
{
    const char *text = current(page);

    if (text == NULL) {
        fcgi_conn_respond_text(exchange, "", 0);
    } else {
        respond(exchange, "application/json", "", text);
    }
}

void
status_page_respond_file(struct fcgi_exchange *exchange)
{
    static const char security[] =
        "Content-Security-Policy: default-src 'self'; base-uri 'none'; "
        "form-action 'none'; frame-ancestors 'none'\r\n"
        "Referrer-Policy: no-referrer\r\n";

    switch (exchange->request.file) {
    case REQUEST_FILE_PAGE:
        respond(exchange, "text/html; charset=utf-8", security,
                status_file_index_html);
        break;
    case REQUEST_FILE_STYLE:
        respond(exchange, "text/css; charset=utf-8", security,
                status_file_status_css);
        break;
    case REQUEST_FILE_SCRIPT:
        respond(exchange, "text/javascript; charset=utf-8", security,
                status_file_status_js);
        break;
    case REQUEST_FILE_ICON:
        respond(exchange, "image/svg+xml", security, status_file_icon_svg);
        break;
    }
}
