/*
 * blocklist: three lists of patterns. What Redis has is read as text and
 * compared with the text before, so that lists are made, and a line is logged,
 * only after a change.
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
#include "blocked-read.lua.h"
#include "store/endpoint_url.h"
#include "store/keys.h"

/* The hosts in Redis. */
enum part { PART_KEEP, PART_DROP, PARTS };

struct blocklist {
    const struct options *options;
    struct host_list *configured; /* callbacks.block */
    struct host_list *blocked[PARTS];
    char *texts[PARTS]; /* of `blocked` */
    bool read;          /* Redis was read */
    int64_t read_ms;    /* monotonic: when that was tried last */
    struct log_throttle trouble;
};

/* Replaces a list by the patterns of text. Without memory it stays. */
static void
replace(struct host_list **list, const char *text)
{
    struct host_list *fresh = host_list_open(text);

    if (fresh != NULL) {
        host_list_close(*list);
        *list = fresh;
    }
}

struct blocklist *
blocklist_open(const struct options *options)
{
    struct blocklist *list = calloc(1, sizeof(*list));

    if (list == NULL) {
        return NULL;
    }
    list->options = options;
    replace(&list->configured, options->callbacks.block);
    for (int part = 0; part < PARTS; part++) {
        replace(&list->blocked[part], "");
        list->texts[part] = strdup("");
    }
    if (list->configured == NULL || list->blocked[PART_KEEP] == NULL ||
        list->blocked[PART_DROP] == NULL || list->texts[PART_KEEP] == NULL ||
        list->texts[PART_DROP] == NULL) {
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
    host_list_close(list->configured);
    for (int part = 0; part < PARTS; part++) {
        host_list_close(list->blocked[part]);
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
    } else {
        replace(&list->configured, fresh.callbacks.block);
        log_info("callbacks.block = %s", fresh.callbacks.block);
    }
    options_fini(&fresh);
}

/* Writes the patterns of a part, separated by commas. NULL: no memory. */
static char *
patterns_of(const struct redis_reply *reply, enum part part)
{
    static const char *const words[PARTS] = {"keep", "drop"};
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

        if (pattern != NULL && word != NULL && strcmp(word, words[part]) == 0) {
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

/* Takes over what Redis has, if it differs from what is known. */
static void
apply(struct blocklist *list, const struct redis_reply *reply)
{
    bool changed = false;

    for (int part = 0; part < PARTS; part++) {
        char *text = patterns_of(reply, (enum part)part);

        if (text == NULL || strcmp(text, list->texts[part]) == 0) {
            free(text);
            continue;
        }
        replace(&list->blocked[part], text);
        free(list->texts[part]);
        list->texts[part] = text;
        changed = true;
    }
    if (changed) {
        log_info("blocked by vervectl: callbacks kept: %s; dropped: %s",
                 or_none(list->texts[PART_KEEP]),
                 or_none(list->texts[PART_DROP]));
    }
}

void
blocklist_step(struct blocklist *list, struct redis *redis)
{
    struct key_parts parts = {.prefix = list->options->redis.prefix};
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
        apply(list, reply);
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
           (int64_t)arc4random_uniform((uint32_t)(2 * fifth + 1));
}

bool
blocklist_has(const struct blocklist *list, const struct job *job,
              struct retry_verdict *verdict)
{
    char host[HOST_LIST_NAME_SIZE];

    if ((host_list_is_empty(list->configured) &&
         host_list_is_empty(list->blocked[PART_KEEP]) &&
         host_list_is_empty(list->blocked[PART_DROP])) ||
        !endpoint_url_host(job->url, host, sizeof(host))) {
        return false;
    }
    if (host_list_has(list->blocked[PART_DROP], host)) {
        *verdict = (struct retry_verdict){.disposition = JOB_DROPPED,
                                          .reason = "blocked"};
        return true;
    }
    *verdict = (struct retry_verdict){.disposition = JOB_RETURN,
                                      .delay_ms = retry_ms()};
    return host_list_has(list->configured, host) ||
           host_list_has(list->blocked[PART_KEEP], host);
}
