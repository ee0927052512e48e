/*
 * status: two scripts, and their replies as JSON. A part of the reply that
 * cannot be read is left out.
 */
#include "status.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "accept_call.h"
#include "base/util.h"
#include "keys.h"
#include "origin.h"
#include "status-windows.lua.h"
#include "status.lua.h"

enum { DESTINATIONS = 50 }; /* whose lists are looked at, of each kind */

json_t *
status_text(const char *text)
{
    char safe[STATUS_TEXT_MAX + 1];
    size_t len = 0;

    for (; text != NULL && text[len] != '\0' && len < STATUS_TEXT_MAX; len++) {
        safe[len] = text[len] >= ' ' && text[len] <= '~' ? text[len] : '?';
    }
    safe[len] = '\0';
    return json_string(safe);
}

static void
add_keys(struct command *call, const struct options *options)
{
    static const enum key keys[] = {
        KEY_SEALED,    KEY_QUEUE,    KEY_CALLBACKS,
        KEY_DUE,       KEY_DEAD,     KEY_DESTINATIONS,
        KEY_STRANGERS, KEY_PRESENCE, KEY_PRESENCE_SAID,
    };
    struct key_parts parts = {.prefix = options->redis.prefix,
                              .tag = options->redis.tag};

    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        keys_add(call, keys[i], &parts);
    }
}

static void
add_args(struct command *call, const struct options *options)
{
    struct key_parts parts = {.prefix = options->redis.prefix,
                              .tag = options->redis.tag,
                              .window_s = -1,
                              .hash = ""};
    struct key_stem counts = keys_stem(KEY_COUNT, &parts);
    struct key_stem lists = keys_stem(KEY_CALLBACKS_OF, &parts);

    redis_arg_int(call, options->window.seconds);
    redis_arg(call, counts.text, counts.len);
    redis_arg(call, lists.text, lists.len);
    redis_arg_int(call, STATUS_PRESENT);
    redis_arg_int(call, STATUS_DEAD);
    redis_arg_int(call, DESTINATIONS);
}

/* Number i of an array; 0 if it is none. */
static int64_t
number_at(const struct redis_reply *reply, size_t i)
{
    int64_t number = 0;

    (void)redis_reply_int(redis_reply_at(reply, i), &number);
    return number;
}

/* Text i of an array; NULL if it is none. */
static const char *
text_at(const struct redis_reply *reply, size_t i)
{
    size_t len;

    return redis_reply_text(redis_reply_at(reply, i), &len);
}

static json_t *
read_window(const struct options *options, const struct redis_reply *now)
{
    int64_t length_s = options->window.seconds;
    int64_t start_s = number_at(now, 1);

    return json_pack("{s:I, s:I, s:I, s:I, s:I}", "start", (json_int_t)start_s,
                     "seconds", (json_int_t)length_s, "count",
                     (json_int_t)number_at(now, 2), "left_ms",
                     (json_int_t)int64_max(
                         (start_s + length_s) * 1000 - number_at(now, 0), 0),
                     "ahead_s", (json_int_t)(start_s - number_at(now, 3)));
}

static json_t *
read_queue(const struct options *options, const struct redis *redis,
           const struct redis_reply *reply)
{
    return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "waiting",
                     (json_int_t)number_at(reply, 0), "due",
                     (json_int_t)number_at(reply, 1), "jobs",
                     (json_int_t)number_at(reply, 2), "max_jobs",
                     (json_int_t)options->callbacks.max_queue, "bytes",
                     (json_int_t)number_at(reply, 3), "max_bytes",
                     (json_int_t)accept_call_max_queue_bytes(options, redis),
                     "dead", (json_int_t)number_at(reply, 4), "max_dead",
                     (json_int_t)options->callbacks.max_dead, "oldest_ms",
                     (json_int_t)number_at(reply, 5));
}

static json_t *
list_windows(const struct redis_reply *reply)
{
    json_t *list = json_array();

    for (size_t i = 0; i < redis_reply_count(reply); i++) {
        const struct redis_reply *row = redis_reply_at(reply, i);
        json_t *window =
            json_pack("{s:I}", "start", (json_int_t)number_at(row, 0));

        if (number_at(row, 3) != 0) {
            json_object_set_new(window, "gap", json_true());
        } else {
            json_object_set_new(window, "count",
                                json_integer(number_at(row, 1)));
        }
        if (number_at(row, 2) != 0) {
            json_object_set_new(window, "late", json_true());
        }
        json_array_append_new(list, window);
    }
    return list;
}

json_t *
status_windows(const struct options *options, struct redis *redis)
{
    struct key_parts parts = {.prefix = options->redis.prefix};
    struct command *call = redis_call(redis, &script_status_windows);
    const struct redis_reply *reply = NULL;

    keys_add(call, KEY_WINDOWS, &parts);
    redis_arg_int(call, STATUS_WINDOWS);
    return redis_run(redis, &reply) == REDIS_DONE ? list_windows(reply)
                                                  : json_array();
}

static json_t *
read_present(const struct redis_reply *reply)
{
    json_t *list = json_array();

    for (size_t i = 0; i < redis_reply_count(reply); i++) {
        const struct redis_reply *row = redis_reply_at(reply, i);
        const char *said = text_at(row, 2);
        json_error_t error;
        json_t *read = said == NULL ? NULL : json_loads(said, 0, &error);

        if (!json_is_object(read)) {
            json_decref(read);
            read = json_object();
        }
        json_array_append_new(
            list,
            json_pack("{s:o, s:I, s:o}", "name", status_text(text_at(row, 0)),
                      "age_ms", (json_int_t)number_at(row, 1), "said", read));
    }
    return list;
}

/* Host and port of a URL; without user, path and query, which may have secrets.
   "": there is none. */
static json_t *
host_of(const char *url)
{
    char origin[ORIGIN_SIZE];
    const char *host;

    if (url == NULL) {
        return json_string("");
    }
    origin_read(url, strlen(url), origin);
    host = strrchr(origin, '@');
    if (host != NULL) {
        return status_text(host + 1);
    }
    host = strstr(origin, "://");
    return status_text(host == NULL ? origin : host + strlen("://"));
}

static json_t *
read_dead_job(const char *text)
{
    json_error_t error;
    json_t *job = text == NULL ? NULL : json_loads(text, 0, &error);
    json_t *result = json_pack(
        "{s:o, s:o, s:o, s:I, s:I}", "id",
        status_text(json_string_value(json_object_get(job, "id"))), "host",
        host_of(json_string_value(json_object_get(job, "url"))), "error",
        status_text(job == NULL
                        ? "unreadable"
                        : json_string_value(json_object_get(job, "error"))),
        "attempts", json_integer_value(json_object_get(job, "attempts")), "at",
        json_integer_value(json_object_get(job, "at")));
    json_decref(job);
    return result;
}

static json_t *
read_dead(const struct redis_reply *reply)
{
    json_t *list = json_array();

    for (size_t i = 0; i < redis_reply_count(reply); i++) {
        json_array_append_new(list, read_dead_job(text_at(reply, i)));
    }
    return list;
}

json_t *
status_look(const struct options *options, struct redis *redis)
{
    struct command *call = redis_call(redis, &script_status);
    const struct redis_reply *reply, *now;

    add_keys(call, options);
    add_args(call, options);
    if (redis_run(redis, &reply) != REDIS_DONE) {
        return NULL;
    }
    now = redis_reply_at(reply, 0);
    return json_pack("{s:I, s:o, s:{s:I, s:I}, s:o, s:o, s:o}", "at",
                     (json_int_t)number_at(now, 0), "window",
                     read_window(options, now), "memory", "used",
                     (json_int_t)number_at(now, 4), "max",
                     (json_int_t)number_at(now, 5), "queue",
                     read_queue(options, redis, redis_reply_at(reply, 1)),
                     "present", read_present(redis_reply_at(reply, 2)), "dead",
                     read_dead(redis_reply_at(reply, 3)));
}
