/*
 * fuzz_fcgi_record: libFuzzer over the FastCGI parser. The first byte of the
 * input says how the rest is cut. Checked for any input: the parser takes no
 * more than it was given, goes on, keeps its limits, and finds the same
 * requests in pieces as in one.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fcgi_record.h"

enum { TRACE_SIZE = 1 << 16 };

struct trace {
    char text[TRACE_SIZE];
    size_t len;
};

static void
check(int holds, const char *what)
{
    if (!holds) {
        fprintf(stderr, "does not hold: %s\n", what);
        abort();
    }
}

/* Writes down a result, with the parameters of a request. */
static void
note(struct trace *trace, enum fcgi_record_result result,
     const struct fcgi_record_parser *parser,
     struct fcgi_record_environment *environment)
{
    int room = (int)(TRACE_SIZE - trace->len);
    int n = snprintf(trace->text + trace->len, (size_t)room, "%d:%u%d ", result,
                     parser->id, parser->keep);

    trace->len += n < room ? (size_t)n : (size_t)room - 1;
    if (result != FCGI_RECORD_REQUEST ||
        fcgi_record_read_params(parser, environment) != 0) {
        return;
    }
    for (size_t i = 0; environment->strings[i] != NULL; i++) {
        room = (int)(TRACE_SIZE - trace->len);
        n = snprintf(trace->text + trace->len, (size_t)room, "%s;",
                     environment->strings[i]);
        trace->len += n < room ? (size_t)n : (size_t)room - 1;
    }
}

static void
read_all(const uint8_t *bytes, size_t len, size_t step, struct trace *trace)
{
    struct fcgi_record_parser parser = {0};
    struct fcgi_record_environment environment = {0};
    enum fcgi_record_result result = FCGI_RECORD_MORE;
    size_t at = 0, used;

    trace->len = 0;
    trace->text[0] = '\0';
    while (at < len && result != FCGI_RECORD_BROKEN) {
        size_t piece = step < len - at ? step : len - at;

        result = fcgi_record_feed(&parser, bytes + at, piece, &used);
        check(used <= piece, "no more is used than was given");
        check(result != FCGI_RECORD_MORE || used == piece, "all is used");
        check(parser.params_len <= FCGI_RECORD_PARAMS_MAX_BYTES, "the limit");
        if (result != FCGI_RECORD_MORE) {
            note(trace, result, &parser, &environment);
        }
        if (result == FCGI_RECORD_NEXT) {
            fcgi_record_answered(&parser);
        }
        at += used;
    }
    free(parser.params);
    fcgi_record_environment_fini(&environment);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct trace whole, pieces;

    if (size > 0) {
        read_all(data + 1, size - 1, size, &whole);
        read_all(data + 1, size - 1, (size_t)data[0] + 1, &pieces);
        check(strcmp(whole.text, pieces.text) == 0,
              "pieces mean what the whole means");
    }
    return 0;
}
