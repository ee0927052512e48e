/*
 * batch_log: a log_throttle and a counter for each reason. That a connection
 * was lost or made is logged elsewhere, too (redis_log.h), and also if no
 * request suffers from it.
 */
#include "batch_log.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/rfc3339.h"

/* Of a reason. */
struct line {
    enum log_level level;
    const char *message; /* of all its lines but the last */
    enum error_code code;
    const char *reason;
    const char *kind; /* if it changes, a line is due */
};

/* The last field of a line: the shard; no field if there is one shard. */
static struct log_field
shard_field(const struct batch_log *log)
{
    struct log_field field =
        LOG_NUMBER(log->options->redis.shards > 1 ? "shard" : NULL,
                   log->options->redis.shard);

    return field;
}

static void
note(const struct batch_log *log, struct batch_log_trouble *trouble,
     size_t count, const struct line *line)
{
    trouble->refused += (int64_t)count;
    if (log_throttle_due(&trouble->throttle, line->kind)) {
        log_event(line->level, line->message,
                  LOG_FIELDS(LOG_TEXT("code", error_code_name(line->code)),
                             LOG_TEXT("reason", line->reason),
                             LOG_NUMBER("refused", trouble->refused),
                             shard_field(log)));
    }
}

static void
end(const struct batch_log *log, struct batch_log_trouble *trouble,
    const char *message)
{
    if (log_throttle_end(&trouble->throttle)) {
        int64_t ms = clock_mono_ms() - trouble->throttle.since_ms;

        log_event(LEVEL_INFO, message,
                  LOG_FIELDS(LOG_NUMBER("refused", trouble->refused),
                             LOG_NUMBER("after_s", ms / 1000),
                             shard_field(log)));
    }
    trouble->refused = 0;
}

/* Redis is away, or it refuses: then the error says why. An error text that
   changes on the way (connection lost, cannot connect) is no new reason. */
static const char *
kind_of_refusal(const struct batch_log *log)
{
    return counter_was_refused(log->counter) ? redis_error(log->redis) : "";
}

static void
note_refusal(const struct batch_log *log, struct batch_log_trouble *trouble,
             const char *message, enum error_code code, size_t count)
{
    const struct line line = {.level = LEVEL_ERROR,
                              .message = message,
                              .code = code,
                              .reason = redis_error(log->redis),
                              .kind = kind_of_refusal(log)};

    note(log, trouble, count, &line);
}

static void
note_full_queue(struct batch_log *log, size_t count)
{
    char reason[128];
    const struct line line = {.level = LEVEL_WARN,
                              .message = "the callback queue is full",
                              .code = ERROR_CODE_CALLBACK_QUEUE_FULL,
                              .reason = reason,
                              .kind = ""};

    snprintf(reason, sizeof(reason),
             "callbacks.max_queue = %" PRId64
             ", or callbacks.max_queue_mb, is reached",
             log->options->callbacks.max_queue);
    note(log, &log->full, count, &line);
}

void
batch_log_answers(struct batch_log *log, const struct batch_answers *answers)
{
    if (answers->unavailable > 0) {
        note_refusal(log, &log->refused, "requests are refused",
                     ERROR_CODE_REDIS_UNAVAILABLE, answers->unavailable);
    } else if (answers->counted > 0) {
        end(log, &log->refused, "requests are counted again");
    }
    if (answers->full > 0) {
        note_full_queue(log, answers->full);
    } else if (answers->jobs > 0) {
        end(log, &log->full, "the callback queue has room again");
    }
}

void
batch_log_probe(struct batch_log *log, enum error_code error, size_t count)
{
    if (error == ERROR_CODE_NONE) {
        end(log, &log->unready, "ready again");
    } else { /* apart: Redis may refuse the probe's write and count */
        note_refusal(log, &log->unready, "not ready", error, count);
    }
}

void
batch_log_refused(struct batch_log *log, size_t count, const char *reason)
{
    const struct line line = {.level = LEVEL_ERROR,
                              .message = "requests are refused",
                              .code = ERROR_CODE_REDIS_UNAVAILABLE,
                              .reason = reason,
                              .kind = ""};

    note(log, &log->refused, count, &line);
}

void
batch_log_loss(const struct batch_log *log, const struct marks_loss *loss)
{
    char first[RFC3339_SIZE], last[RFC3339_SIZE];

    rfc3339_format(first, loss->first_s);
    rfc3339_format(last, loss->last_s);
    log_event(LEVEL_ERROR,
              "Redis lost ids that were answered with ok; callbacks may be "
              "lost, too",
              LOG_FIELDS(
                  LOG_TEXT("first_window", first),
                  LOG_TEXT("last_window", last), LOG_NUMBER("gaps", loss->lost),
                  LOG_NUMBER("too_low", loss->late),
                  LOG_NUMBER("callbacks", loss->jobs), shard_field(log)));
}
