/*
 * load: an HTTP/1.1 load generator for the accept path, with one thread and
 * keep-alive connections. Every request is accounted for: if one fails, it is
 * counted and shown, and never sent again. The tests use it (-f, -o), and the
 * benchmark does.
 */
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/decimal.h"
#include "base/util.h"
#include "config/cli.h"
#include "outcome.h"
#include "plan.h"
#include "run.h"

static const char usage[] =
    "usage: load [options] host:port [host:port ...]\n"
    "  -c N     connections in all, shared out over the hosts (64)\n"
    "  -r RATE  requests/s in all, open loop: latency counts from the moment\n"
    "           that the request was meant to be sent (closed loop)\n"
    "  -d S     start requests for S seconds\n"
    "  -n N     send N requests (with -f: one for each line)\n"
    "  -t MS    time limit of one request (10000)\n"
    "  -f FILE  request targets, one a line, used in order\n"
    "  -g KIND  make targets up: unique (63 bits), unique31, or zipf: one id "
    "in\n"
    "           ten is new, the others are of a thousand (unique)\n"
    "  -s SEED  of the made up targets (different each time)\n"
    "  -e N%    of the made up targets have an endpoint (0%)\n"
    "  -E URL   the endpoint\n"
    "  -m       mirror: every host gets every target, with -r at one instant\n"
    "  -o FILE  one line for each request: index, host, status, Verve-Window,\n"
    "           first word, latency in us, start in us since the epoch\n"
    "Without -d, -n and -f it runs for 10 seconds. The summary is JSON.\n";

struct settings {
    struct run_options run;
    struct plan_options plan;
    const char *results; /* NULL: none */
};

/* Reads a number from least to most; if a % follows, it is ignored. */
static bool
read_number(const char *text, int64_t least, int64_t most, int64_t *value)
{
    size_t len = strlen(text);

    if (len > 1 && text[len - 1] == '%') {
        len--;
    }
    return decimal_parse(text, len, value) && *value >= least && *value <= most;
}

static bool
read_kind(const char *text, enum plan_kind *kind)
{
    static const char *const names[] = {
        [PLAN_UNIQUE] = "unique",
        [PLAN_UNIQUE31] = "unique31",
        [PLAN_ZIPF] = "zipf",
    };

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(text, names[i]) == 0) {
            *kind = (enum plan_kind)i;
            return true;
        }
    }
    return false;
}

static bool
read_option(struct settings *settings, int option, const char *text)
{
    int64_t number = 0;
    bool good = false;

    switch (option) {
    case 'c':
        good = read_number(text, 1, 100000, &number);
        settings->run.connections = number;
        return good;
    case 'r':
        return read_number(text, 1, 100000000, &settings->run.rate);
    case 'd':
        return read_number(text, 1, 1000000, &settings->run.seconds);
    case 'n':
        good = read_number(text, 1, INT64_MAX, &number);
        settings->run.count = number;
        return good;
    case 't':
        return read_number(text, 1, 3600000, &settings->run.timeout_ms);
    case 's':
        good = read_number(text, 0, INT64_MAX, &number);
        settings->plan.seed = number;
        return good;
    case 'e':
        return read_number(text, 0, 100, &settings->plan.endpoint_percent);
    case 'g':
        return read_kind(text, &settings->plan.kind);
    case 'f':
        settings->plan.file = text;
        return true;
    case 'E':
        settings->plan.endpoint = text;
        return true;
    case 'o':
        settings->results = text;
        return true;
    case 'm':
        settings->run.mirror = true;
        return true;
    }
    return false;
}

static bool
read_command_line(int argc, char **argv, struct settings *settings)
{
    int option;

    while ((option = getopt(argc, argv, "c:r:d:n:t:f:g:s:e:E:mo:")) != -1) {
        if (!read_option(settings, option, optarg)) {
            return false;
        }
    }
    settings->run.hosts = argv + optind;
    settings->run.host_count = argc - optind;
    return settings->run.host_count > 0 &&
           settings->run.connections >= settings->run.host_count &&
           (settings->plan.endpoint_percent == 0 || settings->plan.endpoint);
}

/* The default bound: the file once if there is one, else ten seconds. */
static void
set_bounds(struct run_options *run, const struct plan *plan)
{
    if (run->count > 0 || run->seconds > 0) {
        return;
    }
    run->count = plan_count(plan);
    if (run->count == 0) {
        run->seconds = 10;
    }
}

static int
work(struct settings *settings, const struct plan *plan,
     struct outcome *outcome)
{
    double seconds;

    set_bounds(&settings->run, plan);
    if (settings->results) {
        outcome->results = fopen(settings->results, "we");
        if (!outcome->results) {
            perror(settings->results);
            return -1;
        }
    }
    seconds = run(&settings->run, plan, outcome);
    if (outcome->results && fclose(outcome->results) != 0) {
        perror(settings->results);
        return -1;
    }
    if (seconds < 0) {
        return -1;
    }
    outcome_print(outcome, seconds, stdout);
    return 0;
}

/* Two runs within the same second have different seeds, too. */
static uint64_t
fresh_seed(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

int
main(int argc, char **argv)
{
    struct settings settings = {
        .run = {.connections = 64, .timeout_ms = 10000},
        .plan = {.kind = PLAN_UNIQUE, .seed = fresh_seed()},
    };
    struct outcome *outcome;
    struct plan *plan;
    int result = -1;

    if (!read_command_line(argc, argv, &settings)) {
        fputs(usage, stderr);
        return EXIT_USAGE;
    }
    /*
     * Clients on other machines do not push a server off its processor, which
     * each answer would make this one do: so measured, servers fell for seconds
     * at a time into serving one request a turn, at twice the price.
     */
    use_batch_scheduling();
    outcome = calloc(1, sizeof(*outcome));
    plan = plan_open(&settings.plan);
    if (plan && outcome) {
        result = work(&settings, plan, outcome);
    }
    plan_close(plan);
    free(outcome);
    return result == 0 ? EXIT_OK : EXIT_SYSTEM;
}
