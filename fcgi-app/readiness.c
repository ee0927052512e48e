/*
 * readiness: one probe for all requests that have come. A node that hangs
 * delays nothing but these answers.
 */
#include "readiness.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/util.h"
#include "readyz_page.h"

struct readiness {
    struct readiness_settings settings;
    struct fcgi_exchange_list waiting;
    size_t held;           /* of waiting */
    int64_t ends_ms;       /* monotonic: until when the probes are waited for */
    struct readyz *shards; /* what was found */
};

struct readiness *
readiness_open(const struct readiness_settings *settings)
{
    struct readiness *readiness = calloc(1, sizeof(*readiness));

    if (readiness == NULL) {
        return NULL;
    }
    readiness->settings = *settings;
    STAILQ_INIT(&readiness->waiting);
    readiness->shards = calloc(settings->count, sizeof(*readiness->shards));
    if (readiness->shards == NULL) {
        readiness_close(readiness);
        return NULL;
    }
    return readiness;
}

void
readiness_close(struct readiness *readiness)
{
    if (readiness != NULL) {
        free(readiness->shards);
        free(readiness);
    }
}

void
readiness_add(struct readiness *readiness, struct fcgi_exchange *exchange)
{
    const struct readiness_settings *settings = &readiness->settings;

    if (readiness->held == 0) {
        readiness->ends_ms = clock_mono_ms() + 2 * settings->timeout_ms;
        for (size_t i = 0; i < settings->count; i++) {
            lane_want_probe(settings->lanes[i]);
        }
    }
    STAILQ_INSERT_TAIL(&readiness->waiting, exchange, link);
    readiness->held++;
}

size_t
readiness_held(const struct readiness *readiness)
{
    return readiness->held;
}

/* Takes over what the probes have found. True if all are over. */
static bool
collect(struct readiness *readiness)
{
    bool all = true;

    for (size_t i = 0; i < readiness->settings.count; i++) {
        const struct lane *lane = readiness->settings.lanes[i];
        const struct probe *probe = lane_probe(lane);

        all = all && probe != NULL;
        readiness->shards[i].redis = lane_redis(lane);
        readiness->shards[i].probe =
            probe != NULL ? *probe : (struct probe){.fault = PROBE_NO_ANSWER};
    }
    return all;
}

static void
respond(struct readiness *readiness, struct fcgi_exchange *exchange,
        enum error_code error)
{
    const struct readiness_settings *settings = &readiness->settings;
    const struct request *request = &exchange->request;
    int status = error == ERROR_CODE_NONE ? 200 : 503;

    if (request->verbose) {
        answers_note(settings->answers, exchange, status, error);
        readyz_page_respond(
            readiness->shards, settings->count, exchange,
            metrics_page_is_allowed(settings->metrics, request));
    } else {
        answers_give(settings->answers, exchange, status, error, 0);
    }
}

void
readiness_finish(struct readiness *readiness, bool at_once)
{
    const struct readiness_settings *settings = &readiness->settings;
    struct fcgi_exchange *exchange;
    enum error_code error;

    if (readiness->held == 0 || (!collect(readiness) && !at_once &&
                                 clock_mono_ms() < readiness->ends_ms)) {
        return;
    }
    for (size_t i = 0; i < settings->count; i++) {
        lane_log_probe(settings->lanes[i],
                       readyz_page_error(&readiness->shards[i], 1),
                       readiness->held);
    }
    error = readyz_page_error(readiness->shards, settings->count);
    while ((exchange = STAILQ_FIRST(&readiness->waiting)) != NULL) {
        STAILQ_REMOVE_HEAD(&readiness->waiting, link);
        readiness->held--;
        respond(readiness, exchange, error);
    }
}

int64_t
readiness_wait_ms(const struct readiness *readiness)
{
    return readiness->held == 0
               ? -1
               : int64_max(readiness->ends_ms - clock_mono_ms(), 0);
}
