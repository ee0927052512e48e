/*
 * The table of options: every key that a configuration file or the
 * environment may set, with its type, default, bounds and help. The parser,
 * the bounds, -h, the environment's names and -t all come out of that table.
 *
 * File: INI, read with libinih. Environment: VERVE_<SECTION>_<KEY> overrides
 * the file; an unknown key, and an unknown VERVE_ variable of one of the
 * sections, is an error.
 */
#ifndef OPTIONS_H
#define OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/log.h"

enum dedup_kind { DEDUP_SETNX, DEDUP_SET, DEDUP_HLL };
enum callback_method { CALLBACK_POST, CALLBACK_GET };
enum line_format { FORMAT_TEXT, FORMAT_JSON };

/* Bits of options.report.sinks. */
enum sink_kind {
    SINK_FILE = 1,
    SINK_SYSLOG = 2,
    SINK_KAFKA = 4,
    SINK_KINESIS = 8,
};

enum { OPTION_DELAYS_MAX = 32 };

struct option_delays {
    size_t count;
    int64_t s[OPTION_DELAYS_MAX]; /* seconds before attempt 2, 3, ... */
};

/* A key that is handed on as it is: kafka.<any librdkafka property>. */
struct option_property {
    char *name;  /* without the section */
    char *value; /* never NULL */
    int line;    /* of the file that set it; 0: the environment did */
};

struct option_properties {
    size_t count;
    struct option_property *items;
};

/*
 * All settings, section by section. Strings belong to the struct and are never
 * NULL: what is not set is "". Enumerations and bit sets are ints, as the
 * table writes them by offset.
 */
struct options {
    struct {
        char *url;
        int64_t timeout_ms;
        char *prefix;
        int64_t shards;
        int64_t wait_replicas;
        int trust_noeviction; /* 0 or 1 */
    } redis;
    struct {
        int64_t seconds;
        int64_t retention_hours;
    } window;
    struct {
        int strategy; /* enum dedup_strategy */
        int64_t local_cache_ids;
    } dedup;
    struct {
        int64_t max_batch;
    } accept;
    struct {
        int method; /* enum callback_method */
        char *query_param;
        char *json_field;
        int64_t concurrency;
        int64_t per_host_concurrency;
        int64_t max_queue;
        int64_t max_dead;
        int64_t connect_timeout_ms;
        int64_t timeout_ms;
        int64_t lease_s;
        struct option_delays retry_delays_s;
        char *allow;
        char *secret;
        char *log;
    } callbacks;
    struct {
        int sinks; /* bits of enum sink_kind */
    } report;
    struct {
        char *path;
        int format; /* enum record_format */
    } file;
    struct {
        char *brokers;
        char *topic;
        struct option_properties properties; /* all other kafka.* keys */
    } kafka;
    struct {
        char *stream;
        char *region;
        char *endpoint;
    } kinesis;
    struct {
        int level;  /* enum log_level */
        int target; /* enum log_target */
    } log;
    struct option_places *places; /* what set each of them */
};

/*
 * Receives one complaint, without a newline: "verve.conf:12: redis.timeout_ms:
 * "abc" is not a whole number from 1 to 60000", or with the name of the
 * environment variable in place of file, line and key.
 */
typedef void option_complaint(void *context, const char *text);

/* The file that is read where none is named, if it exists. */
#define OPTIONS_FILE "/etc/verve/verve.conf"

/*
 * The file to read: file (of -c; NULL: none was named), else the environment's
 * VERVE_CONF, else OPTIONS_FILE if that exists, else NULL. Borrowed from
 * where it was found.
 */
const char *options_file(const char *file, char *const *environment);

/*
 * Fills *options from the defaults, then file (as options_file returns it;
 * NULL: no file), then environment (as environ(7)), each overriding what came
 * before. Goes on after an error, so that all are heard of at once, and at the
 * end checks what concerns several keys. What is in the table but not built
 * yet is an error too. Returns 0, or -1 after at least one complaint. Either
 * way options_fini frees it. Not for two threads: libinih's settings are
 * global.
 */
int options_load(struct options *options, const char *file,
                 char *const *environment, option_complaint *complain,
                 void *context);

/* Whether file or environment set a key ("redis.url"), if to its default. */
bool options_is_set(const struct options *options, const char *key);

/*
 * Complains of a key whose value only its user can judge. text begins with the
 * key ("redis.url: what is wrong"); what is heard begins with the file and line
 * or the variable that set it.
 */
void options_complain(const struct options *options, const char *text,
                      option_complaint *complain, void *context);

/* Frees what options_load allocated. A zeroed struct is fine. */
void options_fini(struct options *options);

/*
 * Writes the value of key ("redis.url") as a file would say it, and a newline;
 * secrets too. 0, or -1 where there is no such key.
 */
int options_print(FILE *out, const struct options *options, const char *key);

/* Writes every key with its default, what it may be and its help, for -h. */
void options_help(FILE *out);

#endif
