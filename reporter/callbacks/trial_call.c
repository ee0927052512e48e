/*
 * trial_call: one attempt, as in dispatcher.c, without queue and slots:
 * look-up, send_request, on_ended or on_answered, conclude.
 */
#define _GNU_SOURCE /* asprintf */
#include "trial_call.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/host_list.h"
#include "base/util.h"
#include "clock-read.lua.h"
#include "destination.h"
#include "http_call.h"
#include "lookups.h"
#include "net/curl_loop.h"
#include "net/event_loop.h"
#include "retry_policy.h"
#include "settings.h"
#include "store/endpoint_url.h"
#include "store/error_code.h"
#include "store/schema.h"
#include "store/window.h"

enum {
    SHOWN_LINES = 40,  /* of the response's head */
    SHOWN_BYTES = 200, /* of one line */
};

/* Zeroed but for options and timer: nothing is open. */
struct trial {
    const struct options *options;
    struct redis_log redis_log;
    struct redis *redis;
    int64_t clock_ms; /* see struct job */
    struct settings settings;
    struct event_loop *loop;
    struct event_loop_timer stop; /* of the transfer */
    struct curl_loop *transfers;
    struct lookups *lookups;
    struct http_call *call;
    struct job *job; /* NULL while it is looked up */
    int lines;       /* of the response's head, so far */
    bool ended;      /* there is a result */
    bool delivered;  /* which is 2xx */
};

static void
say(const char *what, const char *why)
{
    fprintf(stderr, "verve-reporter: %s: %s\n", what, why);
}

/* Prints one line of a head or a body, without its end. */
static void
show_line(const char *mark, const char *text, size_t len)
{
    size_t shown = size_min(len, SHOWN_BYTES);

    printf("%s ", mark);
    for (size_t i = 0; i < shown; i++) {
        if (text[i] >= ' ' && text[i] <= '~') {
            putchar(text[i]);
        } else {
            printf("\\x%02x", (unsigned char)text[i]);
        }
    }
    puts(shown < len ? " ..." : "");
}

static void
show_lines(const char *mark, const char *text, size_t len)
{
    while (len > 0) {
        const char *end = memchr(text, '\n', len);
        size_t line = end == NULL ? len : (size_t)(end - text);
        size_t used = end == NULL ? len : line + 1;

        if (line > 0 && text[line - 1] == '\r') {
            line--;
        }
        show_line(mark, text, line);
        text += used;
        len -= used;
    }
}

/* Called by libcurl with what is sent and received. */
static int
on_bytes(CURL *easy, curl_infotype kind, char *bytes, size_t len, void *context)
{
    struct trial *trial = context;

    (void)easy;
    if (trial->ended) {
        return 0;
    }
    if (kind == CURLINFO_HEADER_OUT || kind == CURLINFO_DATA_OUT) {
        show_lines(">", bytes, len);
    } else if (kind == CURLINFO_HEADER_IN && trial->lines++ < SHOWN_LINES) {
        show_lines("<", bytes, len);
    }
    return 0;
}

/* Prints the result. */
static void
conclude(struct trial *trial, const struct retry_facts *facts, const char *host,
         int64_t duration_ms)
{
    struct retry_verdict verdict =
        retry_policy_classify(&trial->options->callbacks.retry_delays_s, facts);
    char status[24] = "-";

    trial->ended = true;
    trial->delivered = verdict.disposition == JOB_DELIVERED;
    if (verdict.status != 0) {
        snprintf(status, sizeof(status), "%ld", verdict.status);
    }
    printf("host=%s status=%s error=%s duration_ms=%" PRId64 "\n", host, status,
           verdict.reason[0] != '\0' ? verdict.reason : verdict.error,
           duration_ms);
    if (facts->refusal != NULL) {
        say("refused", facts->refusal);
    } else if (verdict.no_resources != 0) {
        say("starved", strerror(verdict.no_resources));
    } else if (facts->code != CURLE_OK) {
        say("libcurl", curl_easy_strerror(facts->code));
    }
    event_loop_stop(trial->loop);
}

static void
finish(struct trial *trial, CURLcode code)
{
    struct retry_facts facts = http_call_facts(trial->call, code);
    const char *host = http_call_host(trial->call);

    if (!trial->ended) {
        conclude(trial, &facts, host != NULL ? host : "-",
                 http_call_duration_ms(trial->call));
    }
}

/* The head of the final response has come. An http_call_answered. */
static void
on_answered(void *context, struct http_call *call)
{
    (void)call;
    finish(context, CURLE_OK);
}

static void
send_request(struct trial *trial)
{
    const char *name = http_call_name(trial->call);
    const char *addresses =
        name == NULL ? NULL : lookups_addresses(trial->lookups, name);
    int64_t stop_in_ms;

    if (http_call_resolve(trial->call, addresses) != 0 ||
        curl_loop_start(trial->transfers, http_call_easy(trial->call),
                        http_call_host(trial->call)) != 0) {
        finish(trial, CURLE_OUT_OF_MEMORY);
        return;
    }
    stop_in_ms = http_call_stop_in_ms(trial->call);
    if (stop_in_ms >= 0) {
        event_loop_arm(trial->loop, &trial->stop, stop_in_ms);
    }
}

/* The end of a transfer. A curl_loop_ended. */
static void
on_ended(void *context, CURL *easy, CURLcode code)
{
    struct trial *trial = context;

    (void)easy;
    event_loop_disarm(trial->loop, &trial->stop);
    if (!trial->ended && http_call_is_to_renew(trial->call, code)) {
        send_request(trial);
    } else {
        finish(trial, code);
    }
}

/* The addresses that were tried are silent: see http_call_stop_in_ms. */
static void
on_stop(void *context)
{
    struct trial *trial = context;

    if (!trial->ended && http_call_stop_in_ms(trial->call) == 0) {
        curl_loop_stop(trial->transfers, http_call_easy(trial->call),
                       http_call_host(trial->call));
        http_call_next_round(trial->call);
        send_request(trial);
    }
}

/* Takes the job back, and makes the attempt. A lookups_handler. */
static void
on_looked_up(void *context, struct job *job, enum dns_cache_answer answer,
             const char *host, int64_t duration_ms)
{
    static const struct destination_ticket no_ticket;
    struct trial *trial = context;
    struct retry_facts facts = {.code = CURLE_COULDNT_RESOLVE_HOST};

    trial->job = job;
    if (answer != DNS_CACHE_KNOWN) {
        conclude(trial, &facts, host, duration_ms);
    } else if (http_call_prepare(trial->call, job, &no_ticket) != 0) {
        finish(trial, CURLE_OUT_OF_MEMORY);
    } else {
        send_request(trial);
    }
}

/* The job, as if the request for it had been accepted now. NULL: no memory. */
static struct job *
make_job(const struct trial *trial, const char *url, size_t len)
{
    int64_t now_s = (clock_mono_ms() + trial->clock_ms) / 1000;
    int64_t window_s = window_start(now_s, trial->options->window.seconds);
    struct job *job = NULL;
    char *member = NULL;
    json_t *json;
    char *text;
    char id[32];

    snprintf(id, sizeof(id), "test-%016" PRIx64, random_number());
    json = json_pack("{s:i, s:s, s:s%, s:I, s:i}", "v", 1, "id", id, "url", url,
                     len, "window", (json_int_t)window_s, "count", 0);
    text = json_dumps(json, JSON_COMPACT);
    json_decref(json);
    if (text != NULL && asprintf(&member, "- 0 %s", text) >= 0) {
        job = job_read(member, strlen(member));
        free(member);
    }
    free(text);
    if (job != NULL) {
        job->clock_ms = trial->clock_ms;
    }
    return job;
}

/* Connects, and reads the clock. EXIT_OK, or the exit code after a message. */
static enum exit_code
connect_redis(struct trial *trial)
{
    struct redis_options options = schema_redis_options(
        trial->options, "verve-reporter", &trial->redis_log);
    int64_t before_ms = clock_mono_ms();
    const struct redis_reply *reply;
    int64_t now_ms;

    /* It writes nothing, not even what all programs must agree on. */
    options.check = (struct redis_check){0};
    options.rights = (struct redis_check){0};
    options.on_change = NULL;
    trial->redis = redis_open(&options);
    if (trial->redis == NULL) {
        say("cannot start", strerror(errno));
        return EXIT_SYSTEM;
    }
    redis_wait(trial->redis);
    redis_call(trial->redis, &script_clock_read);
    if (redis_run(trial->redis, &reply) != REDIS_DONE ||
        !redis_reply_int(reply, &now_ms)) {
        say("redis", redis_error(trial->redis));
        return EXIT_SYSTEM;
    }
    trial->clock_ms = now_ms - (before_ms + clock_mono_ms()) / 2;
    return EXIT_OK;
}

/* Forbids the addresses of Redis, as worker.c does. */
static void
protect_redis(struct trial *trial)
{
    redis_visit_peers(trial->redis, address_policy_protect,
                      trial->settings.policy);
}

/* 0, or -1 (errno). */
static int
open_all(struct trial *trial)
{
    if (settings_init(&trial->settings, trial->options) != 0 ||
        (trial->loop = event_loop_open()) == NULL) {
        return -1;
    }
    trial->transfers = curl_loop_open(trial->loop, 1, on_ended, trial);
    trial->lookups = lookups_open(
        &trial->settings.payload, trial->loop, trial->settings.resolvers,
        trial->options->callbacks.timeout_ms, on_looked_up, trial);
    trial->call = http_call_open(&trial->settings, on_answered, trial);
    if (trial->transfers == NULL || trial->lookups == NULL ||
        trial->call == NULL) {
        return -1;
    }
    return curl_easy_setopt(http_call_easy(trial->call), CURLOPT_DEBUGFUNCTION,
                            on_bytes) == CURLE_OK &&
                   curl_easy_setopt(http_call_easy(trial->call),
                                    CURLOPT_DEBUGDATA, trial) == CURLE_OK &&
                   curl_easy_setopt(http_call_easy(trial->call),
                                    CURLOPT_VERBOSE, 1L) == CURLE_OK
               ? 0
               : -1;
}

static void
close_all(struct trial *trial)
{
    if (trial->call != NULL && http_call_release(trial->call) != NULL) {
        curl_loop_stop(trial->transfers, http_call_easy(trial->call),
                       http_call_host(trial->call));
    }
    lookups_close(trial->lookups);
    http_call_close(trial->call);
    curl_loop_close(trial->transfers);
    event_loop_close(trial->loop);
    job_free(trial->job);
    settings_fini(&trial->settings);
    redis_close(trial->redis);
}

/* True if a request may have the endpoint; cuts its fragment off. */
static bool
is_endpoint(const struct options *options, const char *url, size_t *len)
{
    enum error_code error = endpoint_url_check(url, len);
    struct host_list *hosts = host_list_open(options->callbacks.hosts);
    char host[HOST_LIST_NAME_SIZE];

    if (error == ERROR_CODE_NONE && hosts != NULL &&
        !host_list_is_empty(hosts) &&
        !(endpoint_url_host(url, host, sizeof(host)) &&
          host_list_has(hosts, host))) {
        error = ERROR_CODE_ENDPOINT_NOT_ALLOWED;
    }
    host_list_close(hosts);
    if (error != ERROR_CODE_NONE) {
        say("no request may have this endpoint", error_code_name(error));
    }
    return error == ERROR_CODE_NONE;
}

/* Makes the attempt, or says that the host is blocked. */
static void
attempt(struct trial *trial, struct job *job)
{
    struct retry_verdict verdict;

    protect_redis(trial);
    blocklist_step(trial->settings.blocks, trial->redis);
    if (blocklist_has(trial->settings.blocks, job, &verdict)) {
        puts("host=- status=- error=blocked duration_ms=0");
        job_free(job);
        return;
    }
    (void)lookups_add(trial->lookups, job);
    if (!trial->ended && event_loop_run(trial->loop) < 0) {
        say("cannot wait for events", strerror(errno));
    }
}

enum exit_code
trial_call(const struct options *options, const char *url)
{
    struct trial trial = {.options = options,
                          .stop = {.handler = on_stop, .context = &trial}};
    enum exit_code code = EXIT_SYSTEM;
    size_t len = strlen(url);
    struct job *job;

    if (!is_endpoint(options, url, &len)) {
        return EXIT_USAGE;
    }
    signal(SIGPIPE, SIG_IGN);
    if (open_all(&trial) < 0) {
        say("cannot start", strerror(errno));
    } else if ((code = connect_redis(&trial)) == EXIT_OK) {
        job = make_job(&trial, url, len);
        if (job == NULL) {
            code = EXIT_SYSTEM;
        } else {
            attempt(&trial, job);
            code = trial.delivered ? EXIT_OK : EXIT_NO;
        }
    }
    close_all(&trial);
    return code;
}
