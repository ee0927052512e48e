/*
 * plan: a file is kept in memory as it is, with the offset of each line.
 */
#include "plan.h"

#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* PLAN_ZIPF: the number of ids that are repeated; one id in ten is new. */
enum { ZIPF_IDS = 1000, ZIPF_NEW = 10 };

struct plan {
    struct plan_options options;
    char *endpoint; /* "&endpoint=" and the URL, encoded */
    char *text;     /* the file, with a NUL for each newline */
    size_t *lines;  /* offset of each line in text */
    uint64_t count;
};

/*
 * Mixes a number of `bits` bits. Each step (xor with the number shifted right,
 * a product with an odd factor modulo 2^bits) can be undone, so different
 * numbers stay different. The factors are those of splitmix64.
 */
static uint64_t
scramble(uint64_t x, unsigned bits)
{
    uint64_t mask = (UINT64_C(1) << bits) - 1;

    x &= mask;
    x ^= x >> (bits / 2);
    x = x * UINT64_C(0xbf58476d1ce4e5b9) & mask;
    x ^= x >> (bits / 2 - 1);
    x = x * UINT64_C(0x94d049bb133111eb) & mask;
    return x ^ x >> (bits / 2);
}

static uint64_t
id_at(const struct plan *plan, uint64_t i)
{
    /* Seeds begin far apart, so that two of them seldom give the same ids. */
    uint64_t at = i + scramble(plan->options.seed, 63);
    uint64_t draw;

    switch (plan->options.kind) {
    case PLAN_UNIQUE:
        return scramble(at, 63);
    case PLAN_UNIQUE31:
        return scramble(at, 31);
    case PLAN_ZIPF:
        draw = scramble(at, 63);
        if (draw % ZIPF_NEW == 0) {
            return draw;
        }
        /* Uniform in the logarithm: k has the weight log(1 + 1/k). */
        return (uint64_t)exp((double)draw / 0x1p63 * log1p(ZIPF_IDS));
    }
    return 0;
}

static char *
encode_endpoint(const char *url)
{
    char *text = malloc(sizeof("&endpoint=") + 3 * strlen(url));
    char *at;

    if (!text) {
        return NULL;
    }
    at = text + sprintf(text, "&endpoint=");
    for (; *url; url++) {
        at += sprintf(at, "%%%02X", (unsigned char)*url);
    }
    return text;
}

static bool
add_line(struct plan *plan, size_t *room, size_t begin)
{
    size_t *lines = plan->lines;

    if (strlen(plan->text + begin) >= PLAN_TARGET_SIZE) {
        fprintf(stderr, "load: a target is too long\n");
        return false;
    }
    if (plan->count == *room) {
        *room = *room ? *room * 2 : 1024;
        lines = reallocarray(lines, *room, sizeof(*lines));
        if (!lines) {
            return false;
        }
        plan->lines = lines;
    }
    lines[plan->count++] = begin;
    return true;
}

static bool
split_lines(struct plan *plan, size_t len)
{
    size_t room = 0;
    size_t begin = 0;
    char *newline;

    while (begin < len) {
        newline = memchr(plan->text + begin, '\n', len - begin);
        if (newline) {
            *newline = '\0';
        }
        if (plan->text[begin] && !add_line(plan, &room, begin)) {
            return false;
        }
        begin += strlen(plan->text + begin) + 1;
    }
    if (plan->count == 0) {
        fprintf(stderr, "load: %s: no targets\n", plan->options.file);
    }
    return plan->count > 0;
}

static bool
read_file(struct plan *plan)
{
    FILE *file = fopen(plan->options.file, "re");
    size_t room = 0;
    ssize_t len = -1;

    /* There is no NUL in the file, so this reads the whole file. */
    if (file) {
        len = getdelim(&plan->text, &room, '\0', file);
    }
    if (len < 0) {
        perror(plan->options.file);
    }
    if (file) {
        fclose(file);
    }
    return len >= 0 && split_lines(plan, len);
}

struct plan *
plan_open(const struct plan_options *options)
{
    struct plan *plan = calloc(1, sizeof(*plan));

    if (!plan) {
        return NULL;
    }
    plan->options = *options;
    if (options->endpoint) {
        plan->endpoint = encode_endpoint(options->endpoint);
    }
    if ((options->endpoint && !plan->endpoint) ||
        (options->file && !read_file(plan))) {
        plan_close(plan);
        return NULL;
    }
    return plan;
}

void
plan_close(struct plan *plan)
{
    if (!plan) {
        return;
    }
    free(plan->endpoint);
    free(plan->text);
    free(plan->lines);
    free(plan);
}

uint64_t
plan_count(const struct plan *plan)
{
    return plan->count;
}

void
plan_target(const struct plan *plan, uint64_t i, char target[PLAN_TARGET_SIZE])
{
    uint64_t percent = plan->options.endpoint_percent;
    const char *endpoint = "";

    if (plan->count > 0) {
        snprintf(target, PLAN_TARGET_SIZE, "%s",
                 plan->text + plan->lines[i % plan->count]);
        return;
    }
    if (plan->endpoint && i * percent % 100 < percent) {
        endpoint = plan->endpoint;
    }
    snprintf(target, PLAN_TARGET_SIZE, "/api/verve/accept?id=%" PRIu64 "%s",
             id_at(plan, i), endpoint);
}
