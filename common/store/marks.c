/*
 * marks: the memory, and its words in the calls of the scripts.
 */
#include "marks.h"

#include <string.h>

#include "base/decimal.h"
#include "base/util.h"
#include "keys.h"
#include "marks-confirm.lua.h"

void
marks_init(struct marks *marks)
{
    *marks = (struct marks){0};
    random_hex(marks->name, sizeof(marks->name) / 2);
    marks->name[sizeof(marks->name) - 1] = '\0';
}

static void
add_text(struct command *call, const char *text)
{
    redis_arg(call, text, strlen(text));
}

void
marks_add_batch(struct marks *marks, struct command *call, int64_t window_s)
{
    char *to = marks->pending;

    marks->sequence++;
    to += decimal_format(to, marks->sequence);
    *to++ = ' ';
    to += decimal_format(to, window_s);
    *to = '\0';
    add_text(call, marks->name);
    add_text(call, marks->confirmed);
    add_text(call, marks->pending);
}

/* Joins the two oldest ranges. */
static void
make_room(struct marks *marks)
{
    struct marks_range *ranges = marks->ranges;

    ranges[1].first_s = ranges[0].first_s;
    ranges[1].jobs += ranges[0].jobs;
    marks->count--;
    memmove(ranges, ranges + 1, marks->count * sizeof(*ranges));
}

void
marks_confirm_batch(struct marks *marks, int64_t window_s, int64_t jobs)
{
    struct marks_range *newest =
        marks->count == 0 ? NULL : &marks->ranges[marks->count - 1];

    memcpy(marks->confirmed, marks->pending, sizeof(marks->confirmed));
    if (newest == NULL || newest->last_s != window_s) {
        if (marks->count == MARKS_RANGES) {
            make_room(marks);
        }
        newest = &marks->ranges[marks->count++];
        *newest = (struct marks_range){.first_s = window_s, .last_s = window_s};
    }
    newest->sequence = marks->sequence;
    newest->jobs += jobs;
}

bool
marks_is_needed(const struct marks *marks)
{
    return marks->count > 0;
}

bool
marks_has_sent(const struct marks *marks)
{
    return marks->sequence > 0;
}

void
marks_call(const struct marks *marks, const struct options *options,
           struct redis *redis, const char *born, bool sign_off)
{
    static const enum key keys[] = {KEY_BORN, KEY_MARKS,    KEY_UNCONFIRMED,
                                    KEY_LOST, KEY_RECORDED, KEY_SEALED};
    struct key_parts parts = {.prefix = options->redis.prefix,
                              .tag = options->redis.tag};
    struct command *call = redis_call(redis, &script_marks_confirm);
    int64_t length_s = options->window.seconds;

    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        keys_add(call, keys[i], &parts);
    }
    add_text(call, born);
    add_text(call, marks->name);
    add_text(call, marks->confirmed);
    redis_arg_int(call, length_s);
    redis_arg_int(call, sign_off);
    for (size_t i = 0; i < marks->count; i++) {
        const struct marks_range *range = &marks->ranges[i];

        redis_arg_int(call, int64_max(range->first_s,
                                      range->last_s - MARKS_MOST * length_s));
        redis_arg_int(call, range->last_s);
        redis_arg_int(call, range->sequence);
    }
}

/* The windows of batches after the one that Redis has kept. */
static struct marks_loss
find_loss(const struct marks *marks, int64_t kept)
{
    struct marks_loss loss = {0};

    for (size_t i = 0; i < marks->count; i++) {
        const struct marks_range *range = &marks->ranges[i];

        if (range->sequence > kept) {
            loss.first_s = loss.first_s == 0 ? range->first_s : loss.first_s;
            loss.last_s = range->last_s;
            loss.jobs += range->jobs;
        }
    }
    return loss;
}

/*
 * Forgets windows that are recorded. What was lost is remembered until then:
 * Redis may lose `lost` as well.
 */
static void
forget(struct marks *marks, int64_t recorded_s)
{
    size_t count = 0;

    for (size_t i = 0; i < marks->count; i++) {
        if (marks->ranges[i].last_s > recorded_s) {
            marks->ranges[count++] = marks->ranges[i];
        }
    }
    marks->count = count;
}

struct marks_loss
marks_take_reply(struct marks *marks, const struct redis_reply *reply)
{
    int64_t recorded_s = 0, kept = 0, lost = 0, late = 0;
    struct marks_loss loss = {0};

    if (redis_reply_int(redis_reply_at(reply, 1), &recorded_s) &&
        redis_reply_int(redis_reply_at(reply, 2), &kept) &&
        redis_reply_int(redis_reply_at(reply, 3), &lost) &&
        redis_reply_int(redis_reply_at(reply, 4), &late)) {
        if (lost + late > 0) {
            loss = find_loss(marks, kept);
            loss.lost = lost;
            loss.late = late;
        }
        forget(marks, recorded_s);
    }
    return loss;
}
