/*
 * blocklist: three lists of patterns. Each is kept as text, too, so that it is
 * made anew, and a line is logged, only after a change.
 */
#define _GNU_SOURCE /* environ, open_memstream */
#include "blocklist.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/host_list.h"
#include "base/log.h"
#include "base/log_throttle.h"
#include "base/util.h"
#include "blocked-read.lua.h"
#include "store/endpoint_url.h"
#include "store/keys.h"

enum part {
    PART_KEEP,       /* in Redis: their jobs are kept */
    PART_DROP,       /* in Redis: their jobs are dropped */
    PART_CONFIGURED, /* callbacks.block */
    PARTS,
};

struct blocklist {
    const struct options *options;
    struct host_list *lists[PARTS];
    char *texts[PARTS]; /* what `lists` were made of */
    bool read;          /* Redis was read */
    int64_t read_ms;    /* monotonic: when that was tried last */
    struct log_throttle trouble;
};

/* Makes a list of text. False if it is that already, or without memory. */
static bool
replace(struct blocklist *list, enum part part, const char *text)
{
    struct host_list *fresh;
    char *copy;

    if (list->texts[part] != NULL && strcmp(list->texts[part], text) == 0) {
        return false;
    }
    fresh = host_list_open(text);
    copy = strdup(text);
    if (fresh == NULL || copy == NULL) {
        host_list_close(fresh);
        free(copy);
        return false;
    }
    host_list_close(list->lists[part]);
    free(list->texts[part]);
    list->lists[part] = fresh;
    list->texts[part] = copy;
    return true;
}

struct blocklist *
blocklist_open(const struct options *options)
{
    struct blocklist *list = calloc(1, sizeof(*list));

    if (list == NULL) {
        return NULL;
    }
    list->options = options;
    if (!replace(list, PART_KEEP, "") || !replace(list, PART_DROP, "") ||
        !replace(list, PART_CONFIGURED, options->callbacks.block)) {
        blocklist_close(list);
        return NULL;
    }
    return list;
}

void
blocklist_close(struct blocklist *list)
{
    if (list == NULL) {
        return;
    }
    for (int part = 0; part < PARTS; part++) {
        host_list_close(list->lists[part]);
        free(list->texts[part]);
    }
    free(list);
}

/* An option_complaint. */
static void
complain(void *context, const char *text)
{
    (void)context;
    log_error("%s", text);
}

void
blocklist_reload(struct blocklist *list)
{
    struct options fresh;

    if (options_load(&fresh, list->options->file_name, environ, complain,
                     NULL) != 0) {
        log_error("callbacks.block stays as it was");
    } else if (replace(list, PART_CONFIGURED, fresh.callbacks.block)) {
        log_info("callbacks.block = %s", fresh.callbacks.block);
    }
    options_fini(&fresh);
}

/* Writes the patterns with this word, separated by commas. NULL: no memory. */
static char *
patterns_of(const struct redis_reply *reply, const char *wanted)
{
    char *text = NULL;
    size_t size;
    FILE *file = open_memstream(&text, &size);

    if (file == NULL) {
        return NULL;
    }
    for (size_t i = 0; i + 1 < redis_reply_count(reply); i += 2) {
        size_t len;
        const char *pattern = redis_reply_text(redis_reply_at(reply, i), &len);
        const char *word = redis_reply_text(redis_reply_at(reply, i + 1), &len);

        if (pattern != NULL && word != NULL && strcmp(word, wanted) == 0) {
            fprintf(file, "%s%s", ftello(file) > 0 ? ", " : "", pattern);
        }
    }
    if (fclose(file) != 0) {
        free(text);
        return NULL;
    }
    return text;
}

static const char *
or_none(const char *text)
{
    return text[0] == '\0' ? "none" : text;
}

/* Takes over what Redis has for one part. True if that is new. */
static bool
apply(struct blocklist *list, enum part part, const struct redis_reply *reply,
      const char *word)
{
    char *text = patterns_of(reply, word);
    bool changed = text != NULL && replace(list, part, text);

    free(text);
    return changed;
}

static void
apply_all(struct blocklist *list, const struct redis_reply *reply)
{
    bool kept = apply(list, PART_KEEP, reply, "keep");
    bool dropped = apply(list, PART_DROP, reply, "drop");

    if (kept || dropped) {
        log_event(
            LEVEL_INFO, "blocked by vervectl",
            LOG_FIELDS(LOG_TEXT("kept", or_none(list->texts[PART_KEEP])),
                       LOG_TEXT("dropped", or_none(list->texts[PART_DROP]))));
    }
}

void
blocklist_step(struct blocklist *list, struct redis *redis)
{
    struct key_parts parts = {.prefix = list->options->redis.prefix,
                              .tag = list->options->redis.tag};
    int64_t now_ms = clock_mono_ms();
    const struct redis_reply *reply;

    if (redis_state(redis) != REDIS_STATE_UP ||
        (list->read && now_ms - list->read_ms < BLOCKLIST_READ_MS)) {
        return;
    }
    list->read = true;
    list->read_ms = now_ms;
    keys_add(redis_call(redis, &script_blocked_read), KEY_BLOCKED, &parts);
    if (redis_run(redis, &reply) == REDIS_DONE) {
        log_throttle_over(&list->trouble, "reading blocked hosts");
        apply_all(list, reply);
    } else if (redis_state(redis) == REDIS_STATE_UP) {
        log_throttle_note(&list->trouble, "reading blocked hosts",
                          redis_error(redis));
    }
}

static int64_t
retry_ms(void)
{
    int64_t fifth = BLOCKLIST_RETRY_MS / 5;

    return BLOCKLIST_RETRY_MS - fifth +
           (int64_t)random_below((uint64_t)(2 * fifth + 1));
}

bool
blocklist_has(const struct blocklist *list, const struct job *job,
              struct retry_verdict *verdict)
{
    char host[HOST_LIST_NAME_SIZE];
    bool empty = true;

    for (int part = 0; part < PARTS; part++) {
        empty = empty && host_list_is_empty(list->lists[part]);
    }
    if (empty || !endpoint_url_host(job->url, host, sizeof(host))) {
        return false;
    }
    if (host_list_has(list->lists[PART_DROP], host)) {
        *verdict = (struct retry_verdict){.disposition = JOB_DROPPED,
                                          .reason = "blocked"};
        return true;
    }
    if (host_list_has(list->lists[PART_KEEP], host) ||
        host_list_has(list->lists[PART_CONFIGURED], host)) {
        *verdict = (struct retry_verdict){.disposition = JOB_RETURN,
                                          .delay_ms = retry_ms()};
        return true;
    }
    return false;
}
