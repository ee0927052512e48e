/*
 * option_table: the one table of all options. What a key is, may be and is by
 * default stands here and nowhere else in the code; conf/verve.conf repeats
 * keys and defaults, and a test compares them.
 */
#include "table.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "options.h"
#include "redis/redis.h"

static const char *
prefix_problem(const char *text)
{
    /* Braces would be taken for the shard's hash tag. */
    if (strpbrk(text, "{} \t") != NULL) {
        return "braces and blanks are not allowed";
    }
    return NULL;
}

static const char *
param_problem(const char *text)
{
    /* RFC 3986, 2.3: what never needs to be percent-encoded. */
    if (strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                     "0123456789-._~") != strlen(text)) {
        return "only letters, digits and - . _ ~ are allowed";
    }
    return NULL;
}

static const char *
field_problem(const char *text)
{
    for (; *text != '\0'; text++) {
        /* RFC 8259, 7: what needs no escape, in one byte. */
        if (*text < 0x20 || *text > 0x7e || *text == '"' || *text == '\\') {
            return "only printable ASCII without \" and \\ is allowed";
        }
    }
    return NULL;
}

/* What names Kafka's topics and Kinesis's streams. */
static const char *
stream_problem(const char *text)
{
    if (strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                     "0123456789-._") != strlen(text)) {
        return "only letters, digits and - . _ are allowed";
    }
    return NULL;
}

static const char *
region_problem(const char *text)
{
    /* It becomes a part of a host's name. */
    if (strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-") != strlen(text)) {
        return "only small letters, digits and - are allowed";
    }
    return NULL;
}

static const struct option_choice answers[] = {
    {"no", 0, false},
    {"yes", 1, false},
    {NULL, 0, false},
};

static const struct option_choice strategies[] = {
    {"setnx", DEDUP_SETNX, false},
    {"set", DEDUP_SET, false},
    {"hll", DEDUP_HLL, false},
    {NULL, 0, false},
};

static const struct option_choice methods[] = {
    {"POST", CALLBACK_POST, false},
    {"GET", CALLBACK_GET, false},
    {NULL, 0, false},
};

static const struct option_choice sinks[] = {
    {"file", SINK_FILE, false},
    {"syslog", SINK_SYSLOG, false},
    {"kafka", SINK_KAFKA, false},
    {"kinesis", SINK_KINESIS, false},
    {NULL, 0, false},
};

static const struct option_choice formats[] = {
    {"text", FORMAT_TEXT, false},
    {"json", FORMAT_JSON, false},
    {NULL, 0, false},
};

static const struct option_choice levels[] = {
    {"error", LEVEL_ERROR, false},
    {"warn", LEVEL_WARN, false},
    {"info", LEVEL_INFO, false},
    {"debug", LEVEL_DEBUG, false},
    {NULL, 0, false},
};

static const struct option_choice targets[] = {
    {"stderr", TARGET_STDERR, false},
    {"syslog", TARGET_SYSLOG, false},
    {NULL, 0, false},
};

/* A key has the name of its field: one can't be confused with another. */
#define ROW(s, k)                                                              \
    .section = #s, .key = #k, .offset = offsetof(struct options, s.k)
#define NUMBER(from, to) .type = OPTION_NUMBER, .min = (from), .max = (to)
#define TEXT(from, to) .type = OPTION_TEXT, .min = (from), .max = (to)
#define CHOICE(list) .type = OPTION_CHOICE, .choices = (list)

const struct option_row option_rows[] = {
    {ROW(redis, url), TEXT(1, 1024), .secret = true,
     .problem = redis_url_problem,
     .fallback = "unix:///run/redis-verve/redis.sock",
     .help = "Where Redis is: unix:///path or "
             "redis://[user:password@]host[:port][/database]."},
    {ROW(redis, timeout_ms), NUMBER(1, 60000), .fallback = "250",
     .help = "Time limit for connecting and for each script."},
    {ROW(redis, prefix), TEXT(1, 64), .problem = prefix_problem,
     .fallback = "verve", .help = "What the names of all keys begin with."},
    {ROW(redis, shards), NUMBER(1, 1024), .only_default = true, .fallback = "1",
     .help = "Shards that ids are spread over."},
    {ROW(redis, wait_replicas), NUMBER(0, 16), .fallback = "0",
     .help = "Replicas that must have a batch before \"ok\"."},
    {ROW(redis, trust_noeviction), CHOICE(answers), .fallback = "no",
     .help = "Whether to use a Redis whose eviction policy can't be read."},

    {ROW(window, seconds), NUMBER(1, 86400), .fallback = "60",
     .help = "Length of a window. All programs on one Redis must agree."},
    {ROW(window, retention_hours), NUMBER(1, 8784), .fallback = "168",
     .help = "How long the records of windows are kept."},

    {ROW(dedup, strategy), CHOICE(strategies), .fallback = "setnx",
     .help = "How ids are told apart: a key per id, sets, or HyperLogLog."},
    {ROW(dedup, local_cache_ids), NUMBER(0, 16777216), .fallback = "262144",
     .help = "Ids of this window that each responder remembers; 0: none."},

    {ROW(accept, max_batch), NUMBER(1, 1024), .fallback = "128",
     .help = "Requests that share one round trip to Redis, at most."},

    {ROW(callbacks, method), CHOICE(methods), .fallback = "POST",
     .help = "How endpoints are called."},
    {ROW(callbacks, query_param), TEXT(1, 64), .problem = param_problem,
     .fallback = "unique_requests", .help = "Query parameter of a GET."},
    {ROW(callbacks, json_field), TEXT(1, 64), .problem = field_problem,
     .fallback = "unique_request_count", .help = "JSON field of a POST."},
    {ROW(callbacks, concurrency), NUMBER(1, 65536), .fallback = "1024",
     .help = "Callbacks under way at once, per reporter."},
    {ROW(callbacks, per_host_concurrency), NUMBER(1, 65536), .fallback = "64",
     .help = "Of these, to one host and port."},
    {ROW(callbacks, max_queue), NUMBER(1, 1000000000), .fallback = "1000000",
     .help = "Callbacks that may wait; beyond, requests with one get 503."},
    {ROW(callbacks, max_dead), NUMBER(1, 1000000000), .fallback = "10000",
     .help = "Callbacks given up that are kept, the newest."},
    {ROW(callbacks, connect_timeout_ms), NUMBER(1, 60000), .fallback = "2000",
     .help = "Time limit for connecting to an endpoint."},
    {ROW(callbacks, timeout_ms), NUMBER(1, 600000), .fallback = "5000",
     .help = "Time limit for a whole attempt, connecting included."},
    {ROW(callbacks, lease_s), NUMBER(2, 86400), .fallback = "30",
     .help = "How long a callback is one reporter's; at least twice "
             "timeout_ms."},
    {ROW(callbacks, retry_delays_s), .type = OPTION_DELAYS, .min = 1,
     .max = 2592000, .fallback = "5,30,120,600,1800,3600,7200",
     .help = "Waits before attempt 2, 3, ...; empty: one attempt only."},
    {ROW(callbacks, allow), TEXT(0, 4096), .fallback = "",
     .help = "Networks (CIDR, with commas) that may be called though they are "
             "private."},
    {ROW(callbacks, secret), TEXT(0, 1024), .secret = true, .fallback = "",
     .help = "Key of the signature (Standard Webhooks); empty: unsigned."},
    {ROW(callbacks, log), TEXT(1, 1024),
     .fallback = "/var/log/verve/callbacks.log",
     .help = "File that gets a line for each attempt."},

    {ROW(report, sinks), .type = OPTION_CHOICES, .choices = sinks,
     .fallback = "file", .help = "Where the counts of windows are reported."},

    {ROW(file, path), TEXT(1, 1024), .fallback = "/var/log/verve/unique.log",
     .help = "File that gets a line for each window."},
    {ROW(file, format), CHOICE(formats), .fallback = "text",
     .help = "What a line is."},

    {ROW(kafka, brokers), TEXT(1, 4096), .fallback = "localhost:9092",
     .help = "Brokers to ask first: host:port, with commas."},
    {ROW(kafka, topic), TEXT(1, 249), .problem = stream_problem,
     .fallback = "unique-request-count", .help = "Topic of the records."},
    {.section = "kafka",
     .key = "<property>",
     .type = OPTION_PROPERTIES,
     .offset = offsetof(struct options, kafka.properties),
     .secret = true,
     .help = "Any other key is handed to librdkafka as it is, such as\n"
             "      security.protocol (VERVE_KAFKA_SECURITY_PROTOCOL)."},

    {ROW(kinesis, stream), TEXT(1, 128), .problem = stream_problem,
     .fallback = "unique-request-count", .help = "Stream of the records."},
    {ROW(kinesis, region), TEXT(1, 64), .problem = region_problem,
     .fallback = "us-east-1", .help = "Region of the stream."},
    {ROW(kinesis, endpoint), TEXT(0, 2048), .fallback = "",
     .help = "http(s)://<host>[:<port>] to use in place of AWS's own."},

    {ROW(log, level), CHOICE(levels), .fallback = "info",
     .help = "The least weighty lines that are logged."},
    {ROW(log, target), CHOICE(targets), .fallback = "stderr",
     .help = "Where the program's own log goes."},
};

const size_t option_row_count = sizeof(option_rows) / sizeof(option_rows[0]);

_Static_assert(sizeof(option_rows) / sizeof(option_rows[0]) <= OPTION_ROWS_MAX,
               "OPTION_ROWS_MAX is too small");

const struct option_row *
option_find(const char *section, const char *key)
{
    const struct option_row *rest = NULL;

    for (size_t i = 0; i < option_row_count; i++) {
        const struct option_row *row = &option_rows[i];

        if (strcmp(row->section, section) != 0) {
            continue;
        }
        if (row->type == OPTION_PROPERTIES) {
            rest = row;
        } else if (strcmp(row->key, key) == 0) {
            return row;
        }
    }
    return rest;
}

bool
option_section_exists(const char *section)
{
    for (size_t i = 0; i < option_row_count; i++) {
        if (strcmp(option_rows[i].section, section) == 0) {
            return true;
        }
    }
    return false;
}

void
option_variable(const struct option_row *row, char name[OPTION_NAME_SIZE])
{
    snprintf(name, OPTION_NAME_SIZE, "VERVE_%s_%s", row->section, row->key);
    for (char *c = name; *c != '\0'; c++) {
        *c = (char)toupper((unsigned char)*c);
    }
}

const char *
option_variable_section(const char *name, char *key)
{
    static const char prefix[] = "VERVE_";
    const char *rest = name + strlen(prefix);

    if (strncmp(name, prefix, strlen(prefix)) != 0) {
        return NULL;
    }
    for (size_t i = 0; i < option_row_count; i++) {
        const char *section = option_rows[i].section;
        size_t len = strlen(section);

        if (strncasecmp(rest, section, len) == 0 && rest[len] == '_') {
            for (rest += len + 1; *rest != '\0'; rest++) {
                *key++ = (char)tolower((unsigned char)*rest);
            }
            *key = '\0';
            return section;
        }
    }
    return NULL;
}
