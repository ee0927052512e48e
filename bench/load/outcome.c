/*
 * outcome: a line of the results has these columns, separated by tabs: index of
 * the request, index of the host, status, Verve-Window, first word of the body,
 * latency in us, start in us since the Unix epoch. If there was no answer, the
 * status is 0 and the word is the name of the error.
 */
#include "outcome.h"

#include <inttypes.h>
#include <string.h>

static const char *const error_names[OUTCOME_ERRORS] = {
    [OUTCOME_CONNECT] = "connect",
    [OUTCOME_LOST] = "lost",
    [OUTCOME_TIMEOUT] = "timeout",
    [OUTCOME_MALFORMED] = "malformed",
};

static void
write_line(struct outcome *outcome, const struct outcome_request *request,
           const struct answer *answer, int64_t now_us)
{
    if (!outcome->results) {
        return;
    }
    fprintf(outcome->results,
            "%" PRIu64 "\t%zu\t%d\t%s\t%s\t%" PRId64 "\t%" PRId64 "\n",
            request->index, request->host, answer->status, answer->window,
            answer->word, now_us - request->start_us,
            request->start_us + outcome->wall_minus_us);
}

void
outcome_answer(struct outcome *outcome, const struct outcome_request *request,
               const struct answer *answer, int64_t now_us)
{
    outcome->requests++;
    if (answer->status == 200 && answer->body_len == 2 &&
        strcmp(answer->word, "ok") == 0) {
        outcome->ok++;
    } else if (answer->status >= 0 && answer->status < 600) {
        outcome->statuses[answer->status]++;
    } else {
        outcome->errors[OUTCOME_MALFORMED]++;
    }
    histogram_add(&outcome->latency_us, now_us - request->start_us);
    write_line(outcome, request, answer, now_us);
}

void
outcome_fail(struct outcome *outcome, const struct outcome_request *request,
             enum outcome_error error, int64_t now_us)
{
    struct answer none = {.status = 0, .window = "-"};

    snprintf(none.word, sizeof(none.word), "%s", error_names[error]);
    outcome->requests++;
    outcome->errors[error]++;
    if (error == OUTCOME_TIMEOUT) {
        histogram_add(&outcome->latency_us, now_us - request->start_us);
    }
    write_line(outcome, request, &none, now_us);
}

static void
print_failed(const struct outcome *outcome, FILE *out)
{
    const char *comma = "";

    fputs("{", out);
    for (int status = 0; status < 600; status++) {
        if (outcome->statuses[status] == 0) {
            continue;
        }
        fprintf(out, "%s\"%d\": %" PRIu64, comma, status,
                outcome->statuses[status]);
        comma = ", ";
    }
    for (int error = 0; error < OUTCOME_ERRORS; error++) {
        if (outcome->errors[error] == 0) {
            continue;
        }
        fprintf(out, "%s\"%s\": %" PRIu64, comma, error_names[error],
                outcome->errors[error]);
        comma = ", ";
    }
    fputs("}", out);
}

void
outcome_print(const struct outcome *outcome, double seconds, FILE *out)
{
    const struct histogram *us = &outcome->latency_us;

    fprintf(out, "{\"requests\": %" PRIu64 ", \"ok\": %" PRIu64,
            outcome->requests, outcome->ok);
    fputs(", \"failed\": ", out);
    print_failed(outcome, out);
    fprintf(out, ", \"seconds\": %.3f, \"requests_per_s\": %.1f", seconds,
            seconds > 0 ? (double)outcome->ok / seconds : 0);
    fprintf(out,
            ", \"p50_us\": %" PRId64 ", \"p99_us\": %" PRId64
            ", \"p999_us\": %" PRId64 ", \"max_us\": %" PRId64 "}\n",
            histogram_at(us, 0.5), histogram_at(us, 0.99),
            histogram_at(us, 0.999), us->max);
}
