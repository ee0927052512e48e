/*
 * The settings of both programs. They come from the table of options (table.c),
 * overridden by an INI file, overridden by the environment: the variable
 * VERVE_<SECTION>_<KEY>. An unknown key in the file is an error, and so is an
 * unknown variable of a section of the table. The value of a secret may be in a
 * file of its own, which a key with "_file" at its end names.
 *
 * A key is named with its section everywhere: "redis.url".
 */
#ifndef OPTIONS_H
#define OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/log.h"
#include "base/tls_files.h"

enum dedup_kind { DEDUP_SETNX, DEDUP_SET, DEDUP_HLL };
enum callback_method { CALLBACK_POST, CALLBACK_GET };
enum line_format { FORMAT_TEXT, FORMAT_JSON };
enum sink_from { FROM_NEWEST, FROM_BEGINNING };

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

/* Value of option_source.line if a variable of the environment set the key. */
enum { OPTION_BY_VARIABLE = -1 };

/* What set a key. Zeroed: nothing did, the key has its default. */
struct option_source {
    int line;       /* of the file, or OPTION_BY_VARIABLE */
    bool wrong;     /* a value was refused */
    bool from_file; /* line set the key's "_file", which has the value */
};

/* A key that is passed on unchanged: kafka.<any librdkafka property>. */
struct option_property {
    char *name;  /* without the section */
    char *value; /* never NULL */
    struct option_source source;
};

struct option_properties {
    size_t count;
    struct option_property *items;
};

/*
 * All settings, section by section. Strings belong to the struct and are never
 * NULL: an unset string is "". Enumerations and bit sets are ints, because the
 * table writes them by their offset.
 */
/* The most that redis.shards may be. */
enum { OPTIONS_SHARDS_MAX = 60 };

struct options {
    struct {
        char *url;
        char *password; /* "": that of url, or none */
        char *password_file;
        char *sentinel_user;
        char *sentinel_password;
        char *sentinel_password_file;
        char *ca_file;
        char *client_cert;
        char *client_key;
        int64_t timeout_ms;
        char *prefix;
        int64_t shards;
        int64_t shard; /* in a view of one shard (store/shard.h), else 0 */
        int64_t tag;   /* of its keys; else 0, the tag of shard 0 */
        int64_t wait_replicas;
        int trust_noeviction; /* 0 or 1 */
    } redis;
    struct {
        int64_t seconds;
        int64_t retention_hours;
    } window;
    struct {
        int strategy; /* enum dedup_kind */
        int64_t local_cache_ids;
    } dedup;
    struct {
        int64_t max_batch;
        int64_t keep_idle_s;
    } accept;
    struct {
        int method; /* enum callback_method */
        char *query_param;
        char *json_field;
        int64_t workers;
        int64_t concurrency;
        int64_t per_host_concurrency;
        int64_t max_queue;
        int64_t max_queue_mb; /* 0: a part of Redis's maxmemory */
        int64_t max_dead;
        int64_t connect_timeout_ms;
        int64_t timeout_ms;
        int64_t lease_s;
        struct option_delays retry_delays_s;
        char *allow;
        char *resolvers;
        char *ca_file;
        char *client_cert;
        char *client_key;
        char *hosts; /* as in host_list.h */
        char *block; /* the same */
        char *secret;
        char *secret_file;
        char *log;
    } callbacks;
    struct {
        char *endpoint; /* "": no export */
    } otlp;
    struct {
        int sinks; /* bits of enum sink_kind; 0: none */
    } report;
    struct {
        char *name; /* in place of the host's name; "": that one */
    } sink;
    struct {
        char *path;
        int format; /* enum line_format */
    } file;
    struct {
        int from; /* enum sink_from */
    } syslog;
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
        int level;    /* enum log_level */
        char *target; /* as in log.h */
        int format;   /* enum log_format */
    } log;
    struct {
        char *path; /* of the file that the responders count in */
    } stats;
    struct {
        char *allow;  /* as in ip_list.h: of the responders' */
        char *listen; /* as in listen_address.h: of the reporter's */
    } metrics;
    /* For options.c: what set each key, by its row in the table. */
    const char *file_name; /* borrowed; NULL: no file was read */
    struct option_source *sources;
};

/*
 * Receives one error message, without a newline: "verve.conf:12:
 * redis.timeout_ms: "abc" is not a whole number from 1 to 60000". If the
 * environment is wrong, the message begins with the variable's name.
 */
typedef void option_complaint(void *context, const char *text);

/* The file that is read by default, if it exists. */
#define OPTIONS_FILE "/etc/verve/verve.conf"

/*
 * The file to read: file (the argument of -c), if it is not NULL; else the
 * environment's VERVE_CONF, if it is not empty; else OPTIONS_FILE, if it
 * exists; else NULL. Borrowed from its source.
 */
const char *options_file(const char *file);

/*
 * Fills *options from the defaults, then from file (as options_file returns it;
 * NULL: no file), then from environment (as environ(7)); a later source
 * overrides an earlier source. Continues after an error, so that a user sees
 * all errors at once; at the end checks pairs of keys that depend on each
 * other. Returns 0, or -1 after at least one complaint. In both cases
 * options_fini frees *options; file is borrowed until then. Not thread-safe:
 * libinih's settings are global.
 */
int options_load(struct options *options, const char *file,
                 char *const *environment, option_complaint *complain,
                 void *context);

/* True if the file or the environment sets key, even to its default. */
bool options_is_set(const struct options *options, const char *key);

/*
 * Complains of a value that the table of options cannot check. text begins with
 * the key ("redis.url: the reason"). The complaint begins with the file and
 * line, or with the variable, if one of them set the key.
 */
void options_complain(const struct options *options, const char *text,
                      option_complaint *complain, void *context);

/*
 * Reads the file of a secret key ("redis.password"), if there is one, so that
 * the key has its value. options_load reads none, because not every program may
 * read all. Returns 0, or -1 after a complaint.
 */
int options_read_secret(struct options *options, const char *key,
                        option_complaint *complain, void *context);

/* Whether a program uses the file that key ("file.path") names. */
typedef bool option_file_use(const struct options *options, const char *key);

/*
 * For the files that the program uses: reads those of secrets and those of TLS
 * to Redis; looks, without making anything, whether those that are written can
 * be. Blocks for the look. Returns 0, or -1 after at least one complaint.
 */
int options_check_files(struct options *options, option_file_use *uses,
                        option_complaint *complain, void *context);

/*
 * Reads the files of TLS that the keys ca_file, client_cert and client_key of a
 * section name. Returns 0, or -1 after a complaint.
 */
int options_check_tls(const struct options *options, const char *section,
                      const struct tls_files *files, option_complaint *complain,
                      void *context);

/*
 * Calls warn for what is no error but may be a mistake: a variable of the
 * environment that begins with VERVE_ and means nothing; a file with a secret
 * that every user can read. Call it before options_check_files.
 */
void options_warn(const struct options *options, option_file_use *uses,
                  char *const *environment, option_complaint *warn,
                  void *context);

/* Opens the program's log (log.h) as the section log says; name is borrowed
   until exit. */
void options_open_log(const struct options *options, const char *name);

/* Frees what options_load allocated. A zeroed struct is fine. */
void options_fini(struct options *options);

/*
 * Writes the value of key in the form that the file uses, and a newline; also
 * if the value is secret. key may be a part of redis.url ("redis.url.host"; see
 * redis_url_print). Returns 0, or -1 if there is no such key.
 */
int options_print(FILE *out, const struct options *options, const char *key);

/* Writes every key with its default, its permitted values and its help. */
void options_help(FILE *out);

#endif
