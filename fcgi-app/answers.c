/*
 * answers: an answer is counted before it is sent, so that a client that has
 * its answer finds it in the metrics.
 */
#include "answers.h"

void
answers_init(struct answers *answers, struct pool_stats *stats)
{
    answers->stats = stats;
    answers->window_s = 0;
    STAILQ_INIT(&answers->given);
}

void
answers_note(struct answers *answers, struct fcgi_exchange *exchange,
             int status, enum error_code error)
{
    pool_stats_count_answer(answers->stats, exchange->request.kind, status,
                            error);
    STAILQ_INSERT_TAIL(&answers->given, exchange, link);
}

/* The text of a window; NULL if it is 0. It is kept, because the next answer
   nearly always has the same window. */
static const char *
window_text(struct answers *answers, int64_t window_s)
{
    if (window_s == 0) {
        return NULL;
    }
    if (answers->window_s != window_s) {
        answers->window_s = window_s;
        rfc3339_format(answers->window, window_s);
    }
    return answers->window;
}

void
answers_give(struct answers *answers, struct fcgi_exchange *exchange,
             int status, enum error_code error, int64_t window_s)
{
    struct response response = {.status = status,
                                .error = error,
                                .window = window_text(answers, window_s),
                                .head = exchange->request.head};

    answers_note(answers, exchange, status, error);
    fcgi_conn_respond(exchange, &response);
}
