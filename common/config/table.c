/*
 * table: the one table of all options. Name, type, bounds and default of a key
 * are here and nowhere else in the code; conf/verve.conf repeats keys and
 * defaults, and a test compares them.
 */
#include "table.h"

#include <stdio.h>
#include <string.h>

#include "base/host_list.h"
#include "base/ip_list.h"
#include "base/listen_address.h"
#include "base/util.h"
#include "options.h"
#include "redis/redis.h"

#define SMALL_LETTERS "abcdefghijklmnopqrstuvwxyz"
#define CAPITALS "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS "0123456789"

/* Returns rule if text has a byte that is not in allowed. */
static const char *
unless_only(const char *allowed, const char *text, const char *rule)
{
    return text[strspn(text, allowed)] == '\0' ? NULL : rule;
}

/* Redis would take braces for the shard's hash tag. */
static const char *
prefix_problem(const char *text)
{
    return strpbrk(text, "{} \t") == NULL ? NULL
                                          : "braces and blanks are not allowed";
}

/* The unreserved characters need no percent-encoding: RFC 3986, 2.3. */
static const char *
param_problem(const char *text)
{
    return unless_only(SMALL_LETTERS CAPITALS DIGITS "-._~", text,
                       "only letters, digits and - . _ ~ are allowed");
}

/* Characters that a JSON string need not escape: RFC 8259, 7. */
static const char *
field_problem(const char *text)
{
    return unless_only(
        SMALL_LETTERS CAPITALS DIGITS " !#$%&'()*+,-./:;<=>?@[]^_`{|}~", text,
        "only printable ASCII without \" and \\ is allowed");
}

/* The rule for Kafka's topics and Kinesis's streams, and for the names of
   sinks, which become a part of a key. */
static const char *
stream_problem(const char *text)
{
    return unless_only(SMALL_LETTERS CAPITALS DIGITS "-._", text,
                       "only letters, digits and - . _ are allowed");
}

/* The region becomes a part of a host name. */
static const char *
region_problem(const char *text)
{
    return unless_only(SMALL_LETTERS DIGITS "-", text,
                       "only small letters, digits and - are allowed");
}

/* A key and its field have the same name, so neither can be mistaken. */
#define ROW(s, k)                                                              \
    .section = #s, .key = #k, .offset = offsetof(struct options, s.k)
#define NUMBER(from, to) .type = OPTION_NUMBER, .min = (from), .max = (to)
#define TEXT(from, to) .type = OPTION_TEXT, .min = (from), .max = (to)
#define DELAYS(from, to) .type = OPTION_DELAYS, .min = (from), .max = (to)
#define CHOICE(...) .type = OPTION_CHOICE, .choices = {__VA_ARGS__}
#define CHOICES(...) .type = OPTION_CHOICES, .choices = {__VA_ARGS__}

const struct option_row option_rows[] = {
    {ROW(redis, url), TEXT(1, 1024), .secret = true,
     .problem = redis_url_problem, .print_part = redis_url_print,
     .fallback = "unix:///run/redis-verve/redis.sock",
     .help = "Address of Redis, unix://[[user]:password@]/path[?db=number] or\n"
             "      redis://[[user]:password@]host[:port][/database] or\n"
             "      redis+sentinel://[[user]:password@]host[:port],.../"
             "master[?db=number] or\n"
             "      redis+cluster://[[user]:password@]host[:port],..;\n"
             "      with TLS, rediss://.., rediss+sentinel://.. or "
             "rediss+cluster://.."},
    {ROW(redis, password), TEXT(0, 1024), .secret = true, .fallback = "",
     .help = "Password for Redis, if it is not in url. The user is in url:\n"
             "      redis://user@host."},
    {ROW(redis, password_file), TEXT(0, 1024), .file = OPTION_FILE_SECRET,
     .fallback = "", .help = "File with the value of password, in its place."},
    {ROW(redis, sentinel_user), TEXT(0, 1024), .fallback = "",
     .help = "User for the sentinels, if their user is not \"default\"."},
    {ROW(redis, sentinel_password), TEXT(0, 1024), .secret = true,
     .fallback = "", .help = "Password for the sentinels, if they have one."},
    {ROW(redis, sentinel_password_file), TEXT(0, 1024),
     .file = OPTION_FILE_SECRET, .fallback = "",
     .help = "File with the value of sentinel_password, in its place."},
    {ROW(redis, ca_file), TEXT(0, 1024), .file = OPTION_FILE_READ,
     .fallback = "",
     .help =
         "File (PEM) of the CA certificates that are trusted for Redis with "
         "TLS;\n      empty: those of the system."},
    {ROW(redis, client_cert), TEXT(0, 1024), .file = OPTION_FILE_READ,
     .fallback = "",
     .help =
         "File (PEM) of the certificate that is shown to a Redis with TLS."},
    {ROW(redis, client_key), TEXT(0, 1024), .file = OPTION_FILE_READ,
     .fallback = "", .help = "File (PEM) of its private key."},
    {ROW(redis, timeout_ms), NUMBER(1, 60000), .fallback = "250",
     .help = "Time limit for a connection attempt and for each script."},
    {ROW(redis, prefix), TEXT(1, 64), .problem = prefix_problem,
     .fallback = "verve", .help = "Prefix of the names of all Redis keys."},
    {ROW(redis, shards), NUMBER(1, OPTIONS_SHARDS_MAX), .fallback = "1",
     .help = "Number of shards that share the ids: with a cluster, the number "
             "of its\n"
             "      masters, or 12 if masters may be added. The same for all "
             "programs."},
    {ROW(redis, wait_replicas), NUMBER(0, 16), .fallback = "0",
     .help = "Number of replicas that must have a batch before \"ok\"."},
    {ROW(redis, trust_noeviction), CHOICE({"no", 0}, {"yes", 1}),
     .fallback = "no",
     .help = "Whether to use a Redis whose eviction policy can't be read."},

    {ROW(window, seconds), NUMBER(1, 86400), .fallback = "60",
     .help = "Length of a window. It must be the same for all programs on one "
             "Redis."},
    {ROW(window, retention_hours), NUMBER(1, 8784), .fallback = "168",
     .help = "Lifetime of the records of closed windows."},

    {ROW(dedup, strategy),
     CHOICE({"setnx", DEDUP_SETNX}, {"set", DEDUP_SET}, {"hll", DEDUP_HLL}),
     .fallback = "setnx",
     .help = "How repeated ids are recognized: a key per id, sets, or "
             "HyperLogLog."},
    {ROW(dedup, local_cache_ids), NUMBER(0, 16777216), .fallback = "262144",
     .help = "Number of ids of this window that each responder remembers; 0: "
             "none."},

    {ROW(accept, max_batch), NUMBER(1, 1024), .fallback = "128",
     .help = "Highest number of requests that share one round trip to Redis."},
    {ROW(accept, keep_idle_s), NUMBER(1, 86400), .fallback = "75",
     .help = "Seconds until an idle FastCGI connection is closed; more than in "
             "the web server."},

    {ROW(callbacks, method),
     CHOICE({"POST", CALLBACK_POST}, {"GET", CALLBACK_GET}), .fallback = "POST",
     .help = "HTTP method of a callback."},
    {ROW(callbacks, query_param), TEXT(1, 64), .problem = param_problem,
     .fallback = "unique_requests",
     .help = "Query parameter for the count in a GET."},
    {ROW(callbacks, json_field), TEXT(1, 64), .problem = field_problem,
     .fallback = "unique_request_count",
     .help = "JSON field for the count in a POST."},
    {ROW(callbacks, workers), NUMBER(0, 64), .fallback = "1",
     .help =
         "Number of processes that deliver callbacks, rounded up to equally "
         "many\n"
         "      for each shard; 0: this reporter delivers none."},
    {ROW(callbacks, concurrency), NUMBER(1, 65536), .fallback = "1024",
     .help = "Highest number of callbacks in progress, of all workers "
             "together."},
    {ROW(callbacks, per_host_concurrency), NUMBER(1, 65536), .fallback = "64",
     .help = "Of these, to one destination: scheme, host and port."},
    {ROW(callbacks, max_queue), NUMBER(1, 1000000000), .fallback = "1000000",
     .help =
         "Limit of callbacks in the queue; above it, requests with an endpoint "
         "get 503."},
    {ROW(callbacks, max_queue_mb), NUMBER(0, 1048576), .fallback = "0",
     .help = "Limit of the memory of waiting callbacks, in MB; 0: a quarter of "
             "Redis's maxmemory, or 1024."},
    {ROW(callbacks, max_dead), NUMBER(1, 1000000000), .fallback = "10000",
     .help = "Number of failed callbacks that are kept, the newest."},
    {ROW(callbacks, connect_timeout_ms), NUMBER(1, 60000), .fallback = "2000",
     .help = "Time limit for a connection to an endpoint."},
    {ROW(callbacks, timeout_ms), NUMBER(1, 600000), .fallback = "5000",
     .help = "Time limit for a whole attempt, the connection included."},
    {ROW(callbacks, lease_s), NUMBER(2, 86400), .fallback = "30",
     .help = "Lease of a claimed callback; at least twice timeout_ms."},
    {ROW(callbacks, retry_delays_s), DELAYS(1, 2592000),
     .fallback = "5,30,120,600,1800,3600,7200",
     .help = "Delays before attempt 2, 3, ...; empty: no second attempt."},
    {ROW(callbacks, allow), TEXT(0, 4096), .fallback = "",
     .help = "Private networks (CIDR, separated by commas) that callbacks may "
             "reach."},
    {ROW(callbacks, resolvers), TEXT(0, 1024), .fallback = "",
     .help = "Name servers (address or address:port, separated by commas); "
             "empty: those of resolv.conf."},
    {ROW(callbacks, ca_file), TEXT(0, 1024), .file = OPTION_FILE_READ,
     .fallback = "",
     .help = "File (PEM) of CA certificates that are trusted beside the "
             "system's."},
    {ROW(callbacks, client_cert), TEXT(0, 1024), .file = OPTION_FILE_READ,
     .fallback = "",
     .help =
         "File (PEM) of the certificate that is shown to endpoints that ask "
         "for one."},
    {ROW(callbacks, client_key), TEXT(0, 1024), .file = OPTION_FILE_READ,
     .fallback = "",
     .help = "File (PEM) of its private key; empty: it is in the file of "
             "client_cert."},
    {ROW(callbacks, hosts), TEXT(0, 4096), .problem = host_list_problem,
     .fallback = "",
     .help = "Hosts that endpoints may have (a.example, *.b.example, "
             "192.0.2.1,\n      separated by commas); empty: any."},
    {ROW(callbacks, block), TEXT(0, 4096), .problem = host_list_problem,
     .fallback = "",
     .help = "Hosts that are not called, in the same form; read again on HUP."},
    {ROW(callbacks, secret), TEXT(0, 1024), .secret = true, .fallback = "",
     .help = "Secret for signatures (Standard Webhooks); empty: no signature."},
    {ROW(callbacks, secret_file), TEXT(0, 1024), .file = OPTION_FILE_SECRET,
     .fallback = "", .help = "File with the value of secret, in its place."},
    {ROW(callbacks, log), TEXT(1, 1024), .file = OPTION_FILE_LOG,
     .fallback = "/var/log/verve/callbacks.log",
     .help = "Log file with a line for each attempt."},

    {ROW(otlp, endpoint), TEXT(0, 2048), .fallback = "",
     .help = "URL of an OTLP receiver for traces, without /v1/traces; empty: "
             "no export."},

    {ROW(report, sinks),
     CHOICES({"file", SINK_FILE}, {"syslog", SINK_SYSLOG},
             {"kafka", SINK_KAFKA}, {"kinesis", SINK_KINESIS}, {"none", 0}),
     .fallback = "file",
     .help = "Sinks: the places that each window's count is reported to."},

    {ROW(sink, name), TEXT(0, 64), .problem = stream_problem, .fallback = "",
     .help = "Name for the cursors of the sinks file and syslog; empty: the "
             "host's name."},

    {ROW(file, path), TEXT(1, 1024), .file = OPTION_FILE_REPORT,
     .fallback = "/var/log/verve/unique.log",
     .help = "File with a line for each window."},
    {ROW(file, format), CHOICE({"text", FORMAT_TEXT}, {"json", FORMAT_JSON}),
     .fallback = "text", .help = "Format of a line."},

    {ROW(syslog, from),
     CHOICE({"newest", FROM_NEWEST}, {"beginning", FROM_BEGINNING}),
     .fallback = "newest",
     .help = "Which of the recorded windows a new syslog sink begins with."},

    {ROW(kafka, brokers), TEXT(1, 4096), .fallback = "localhost:9092",
     .help = "Bootstrap brokers: host:port, separated by commas."},
    {ROW(kafka, topic), TEXT(1, 249), .problem = stream_problem,
     .fallback = "unique-request-count", .help = "Topic of the records."},
    {.section = "kafka",
     .key = "<property>",
     .type = OPTION_PROPERTIES,
     .offset = offsetof(struct options, kafka.properties),
     .secret = true,
     .help =
         "Any other key is passed to librdkafka unchanged, for example\n"
         "      security.protocol (VERVE_KAFKA_SECURITY_PROTOCOL). A key with\n"
         "      _file at its end names a file with the value."},

    {ROW(kinesis, stream), TEXT(1, 128), .problem = stream_problem,
     .fallback = "unique-request-count", .help = "Stream of the records."},
    {ROW(kinesis, region), TEXT(1, 64), .problem = region_problem,
     .fallback = "us-east-1", .help = "Region of the stream."},
    {ROW(kinesis, endpoint), TEXT(0, 2048), .fallback = "",
     .help = "http(s)://<host>[:<port>] of the Kinesis API; empty: that of AWS "
             "for the region."},

    {ROW(log, level),
     CHOICE({"error", LEVEL_ERROR}, {"warn", LEVEL_WARN}, {"info", LEVEL_INFO},
            {"debug", LEVEL_DEBUG}),
     .fallback = "info", .help = "Lowest level of the lines that are logged."},
    {ROW(log, target), TEXT(1, 1024), .file = OPTION_FILE_LOG,
     .choices = {{LOG_TARGET_STDERR, 0}, {LOG_TARGET_SYSLOG, 0}},
     .fallback = LOG_TARGET_STDERR,
     .help = "Destination of the program's own log."},
    {ROW(log, format), CHOICE({"logfmt", LOG_LOGFMT}, {"json", LOG_JSON}),
     .fallback = "logfmt",
     .help = "Format of a line: keys and values, or a JSON object."},

    {ROW(stats, path), TEXT(1, 1024), .fallback = "/run/verve/stats/fcgi",
     .help = "File in which the responders of a host count for /metrics."},

    {ROW(metrics, allow), TEXT(0, 4096), .problem = ip_list_problem,
     .fallback = "",
     .help = "Addresses and networks (CIDR, separated by commas) that may read "
             "/metrics\n      of the responders, beside this host."},
    {ROW(metrics, listen), TEXT(1, 128), .problem = listen_address_problem,
     .fallback = "127.0.0.1:9464",
     .help = "Where verve-reporter serves its /metrics, to anybody:\n"
             "      <address>:<port>, the path of a unix socket, or none."},
};

const size_t option_row_count = sizeof(option_rows) / sizeof(option_rows[0]);

/* The key in name if name is "section.key" of row's section, else NULL. */
static const char *
key_in_section(const struct option_row *row, const char *name)
{
    size_t len = strlen(row->section);

    return starts_with(name, row->section) && name[len] == '.' ? name + len + 1
                                                               : NULL;
}

const struct option_row *
option_find(const char *name)
{
    const struct option_row *rest = NULL;

    for (size_t i = 0; i < option_row_count; i++) {
        const struct option_row *row = &option_rows[i];
        const char *key = key_in_section(row, name);

        if (key != NULL && strcmp(row->key, key) == 0) {
            return row;
        }
        if (key != NULL && row->type == OPTION_PROPERTIES) {
            rest = row;
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

/* More edits than any two names need, and the size of the longest name. */
enum { FAR = 64 };

/*
 * Number of edits that make b of a. An edit inserts, deletes or replaces a
 * byte, or exchanges two neighbours: the optimal string alignment distance
 * (Damerau, CACM 7, 1964). FAR if a name is too long for a key.
 */
static size_t
distance(const char *a, const char *b)
{
    size_t edits[FAR][FAR]; /* of the first i bytes of a and j of b */
    size_t a_len = strlen(a);
    size_t b_len = strlen(b);

    if (a_len >= FAR || b_len >= FAR) {
        return FAR;
    }
    for (size_t i = 0; i <= a_len; i++) {
        edits[i][0] = i;
    }
    for (size_t j = 1; j <= b_len; j++) {
        edits[0][j] = j;
        for (size_t i = 1; i <= a_len; i++) {
            size_t one = size_min(edits[i - 1][j], edits[i][j - 1]) + 1;
            size_t replaced = edits[i - 1][j - 1] + (a[i - 1] != b[j - 1]);

            edits[i][j] = size_min(one, replaced);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] &&
                a[i - 2] == b[j - 1]) {
                edits[i][j] = size_min(edits[i][j], edits[i - 2][j - 2] + 1);
            }
        }
    }
    return edits[a_len][b_len];
}

/*
 * The distance of two names if they are similar, else FAR. They are similar if
 * the edits are at most a third of the name, or one name begins with the other.
 */
static size_t
similarity(const char *unknown, const char *known)
{
    size_t len = strlen(unknown);
    size_t edits = distance(unknown, known);

    if (edits <= (len + 1) / 3) {
        return edits;
    }
    if (len >= 3 &&
        (starts_with(unknown, known) || starts_with(known, unknown))) {
        return size_min(edits, FAR - 1);
    }
    return FAR;
}

/*
 * In another section only the same key is similar; then a misspelt key of this
 * section is preferred if it is one edit away.
 */
const struct option_row *
option_nearest(const char *name)
{
    const struct option_row *best = NULL;
    const char *key = name + strcspn(name, ".") + 1;
    size_t best_edits = FAR;

    for (size_t i = 0; i < option_row_count; i++) {
        const struct option_row *row = &option_rows[i];
        size_t edits = similarity(key, row->key);

        if (row->type == OPTION_PROPERTIES) {
            continue;
        }
        if (key_in_section(row, name) == NULL) {
            edits = edits == 0 ? 1 : FAR;
        }
        if (edits < best_edits) {
            best = row;
            best_edits = edits;
        }
    }
    return best;
}

/* The number of edits between a variable's name and that of row's variable; FAR
   if they are not similar. A key without its section is one edit away. */
static size_t
joined_edits(const struct option_row *row, const char *name)
{
    char joined[OPTION_NAME_SIZE];
    size_t section_len = strcspn(name, "_");

    if (row->type == OPTION_PROPERTIES) {
        snprintf(joined, sizeof(joined), "%.*s", (int)section_len, name);
        return name[section_len] == '\0' ? FAR
                                         : similarity(joined, row->section);
    }
    if (strcmp(name, row->key) == 0) {
        return 1;
    }
    snprintf(joined, sizeof(joined), "%s_%s", row->section, row->key);
    return similarity(name, joined);
}

const struct option_row *
option_nearest_joined(const char *name)
{
    const struct option_row *best = NULL;
    size_t best_edits = FAR;

    for (size_t i = 0; i < option_row_count; i++) {
        size_t edits = joined_edits(&option_rows[i], name);

        if (edits < best_edits) {
            best = &option_rows[i];
            best_edits = edits;
        }
    }
    return best;
}

const char *
option_nearest_section(const char *section)
{
    const char *best = NULL;
    size_t best_edits = FAR;

    for (size_t i = 0; i < option_row_count; i++) {
        size_t edits = similarity(section, option_rows[i].section);

        if (edits < best_edits) {
            best = option_rows[i].section;
            best_edits = edits;
        }
    }
    return best;
}
