/*
 * batch: what a run has brought is counted before it is answered, so that a
 * client that has its answer finds it in the metrics.
 */
#include "batch.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/util.h"

bool
batch_init(struct batch *batch, size_t most)
{
    batch->count = 0;
    batch->requests = calloc(most, sizeof(*batch->requests));
    batch->exchanges = calloc(most, sizeof(struct fcgi_exchange *));
    return batch->requests != NULL && batch->exchanges != NULL;
}

void
batch_fini(struct batch *batch)
{
    free(batch->requests);
    free(batch->exchanges);
}

void
batch_add(struct batch *batch, struct fcgi_exchange *exchange)
{
    const struct request *request = &exchange->request;

    batch->requests[batch->count] =
        (struct counter_request){.id = request->id,
                                 .endpoint = request->endpoint,
                                 .endpoint_len = request->endpoint_len,
                                 .trace = &request->trace};
    batch->exchanges[batch->count++] = exchange;
}

void
batch_clear(struct batch *batch)
{
    batch->count = 0;
}

static void
respond(struct answers *answers, struct fcgi_exchange *exchange,
        enum counter_answer counted, int64_t window_s)
{
    switch (counted) {
    case COUNTER_COUNTED:
        answers_give(answers, exchange, 200, ERROR_CODE_NONE, window_s);
        break;
    case COUNTER_QUEUE_FULL:
        answers_give(answers, exchange, 503, ERROR_CODE_CALLBACK_QUEUE_FULL, 0);
        break;
    case COUNTER_UNAVAILABLE:
        answers_give(answers, exchange, 503, ERROR_CODE_REDIS_UNAVAILABLE, 0);
        break;
    }
}

/* Of the batch that is over. */
static struct batch_answers
count_answers(const struct batch *batch)
{
    struct batch_answers answers = {0};

    for (size_t i = 0; i < batch->count; i++) {
        const struct counter_request *one = &batch->requests[i];

        switch (one->answer) {
        case COUNTER_UNAVAILABLE:
            answers.unavailable++;
            break;
        case COUNTER_QUEUE_FULL:
            answers.full++;
            break;
        case COUNTER_COUNTED:
            answers.counted++;
            answers.jobs += one->endpoint != NULL;
            break;
        }
    }
    return answers;
}

/* Counts what the round trip has brought. */
static void
count_batch(const struct batch *batch, const struct batch_answers *answers,
            const struct counter_window *window, struct pool_stats *stats)
{
    /* An estimate (hll) may grow by more than there were ids. */
    size_t fresh = size_min((size_t)window->added, answers->counted);

    pool_stats_observe_batch(stats, batch->count, answers->jobs);
    pool_stats_count_ids(stats, POOL_STATS_NEW, fresh);
    pool_stats_count_ids(stats, POOL_STATS_SEEN, answers->counted - fresh);
}

/* How long the requests of the batch took; those of one round took the same. */
static void
observe_requests(const struct batch *batch, struct pool_stats *stats)
{
    int64_t now_us = clock_mono_us();
    size_t first = 0;

    for (size_t i = 1; i <= batch->count; i++) {
        int64_t since_us = batch->exchanges[first]->since_us;

        if (i == batch->count || batch->exchanges[i]->since_us != since_us) {
            pool_stats_observe_requests(stats, now_us - since_us, i - first);
            first = i;
        }
    }
    pool_stats_refresh(stats, now_us);
}

void
batch_answer(struct batch *batch, const struct counter_window *window,
             struct answers *answers, struct batch_log *log)
{
    struct batch_answers given = count_answers(batch);

    batch_log_answers(log, &given);
    count_batch(batch, &given, window, answers->stats);
    for (size_t i = 0; i < batch->count; i++) {
        respond(answers, batch->exchanges[i], batch->requests[i].answer,
                window->start_s);
    }
    observe_requests(batch, answers->stats);
}
