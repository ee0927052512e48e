/*
 * kafka_config: librdkafka checks the names and values of properties. Refused
 * here are only properties that would break the promises of the report, and
 * those that have an option of their own.
 * https://github.com/confluentinc/librdkafka/blob/v2.0.2/CONFIGURATION.md
 */
#include "kafka_config.h"

#include <stdio.h>
#include <string.h>

#include "base/util.h"

struct setting {
    const char *name;
    const char *value;
};

/* Defaults, which the operator may change. */
static const struct setting defaults[] = {
    {"client.id", "verve-reporter"},
    {"linger.ms", "0"}, /* one message in flight: there is no batch to fill */
    {"reconnect.backoff.max.ms", "1000"}, /* librdkafka's default is 10 s */
};

/* Fixed: retries make no second copy and all replicas have a message; each
   message gets a delivery report; log lines go to our callback, not to stderr.
 */
static const struct setting fixed[] = {
    {"enable.idempotence", "true"},
    {"delivery.report.only.error", "false"},
    {"log.queue", "true"},
};

/* Refused: a transaction that nobody commits, events instead of our callbacks,
   and a cluster that is only simulated. */
static const char *const refused[] = {"transactional.id", "enabled_events",
                                      "test.mock.num.brokers"};

/* Properties that have an option of their own. */
static const struct setting renamed[] = {
    {"bootstrap.servers", "kafka.brokers"},
    {"metadata.broker.list", "kafka.brokers"},
};

#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

static const struct setting *
find(const struct setting *list, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(list[i].name, name) == 0) {
            return &list[i];
        }
    }
    return NULL;
}

static int
set(rd_kafka_conf_t *conf, const char *name, const char *value,
    char why[SINK_WHY_SIZE])
{
    char text[256];

    if (rd_kafka_conf_set(conf, name, value, text, sizeof(text)) !=
        RD_KAFKA_CONF_OK) {
        text[strcspn(text, "\n")] = '\0';
        snprintf(why, SINK_WHY_SIZE, "kafka.%.128s: %s", name, text);
        return -1;
    }
    return 0;
}

static int
set_all(rd_kafka_conf_t *conf, const struct setting *list, size_t count,
        char why[SINK_WHY_SIZE])
{
    for (size_t i = 0; i < count; i++) {
        if (set(conf, list[i].name, list[i].value, why) < 0) {
            return -1;
        }
    }
    return 0;
}

/* Sets a property of the operator. */
static int
set_property(rd_kafka_conf_t *conf, const struct option_property *property,
             char why[SINK_WHY_SIZE])
{
    const struct setting *fixed_one = find(fixed, COUNT(fixed), property->name);
    const struct setting *option =
        find(renamed, COUNT(renamed), property->name);

    for (size_t i = 0; i < COUNT(refused); i++) {
        if (strcmp(refused[i], property->name) == 0) {
            snprintf(why, SINK_WHY_SIZE,
                     "kafka.%s: this sink has no use for it", refused[i]);
            return -1;
        }
    }
    if (ends_with(property->name, "_file")) {
        return 0; /* it could not be read: an error already (secret.h) */
    }
    if (option != NULL) {
        snprintf(why, SINK_WHY_SIZE, "kafka.%s: set %s instead", option->name,
                 option->value);
        return -1;
    }
    if (fixed_one != NULL && strcmp(fixed_one->value, property->value) != 0) {
        snprintf(why, SINK_WHY_SIZE, "kafka.%s: it is always %s",
                 fixed_one->name, fixed_one->value);
        return -1;
    }
    return set(conf, property->name, property->value, why);
}

static int
set_properties(rd_kafka_conf_t *conf,
               const struct option_properties *properties,
               char why[SINK_WHY_SIZE])
{
    for (size_t i = 0; i < properties->count; i++) {
        if (set_property(conf, &properties->items[i], why) < 0) {
            return -1;
        }
    }
    return 0;
}

rd_kafka_conf_t *
kafka_config_make(const struct options *options, char why[SINK_WHY_SIZE])
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();

    if (set_all(conf, defaults, COUNT(defaults), why) < 0 ||
        set_properties(conf, &options->kafka.properties, why) < 0 ||
        set_all(conf, fixed, COUNT(fixed), why) < 0) {
        rd_kafka_conf_destroy(conf);
        return NULL;
    }
    return conf;
}

int
kafka_config_check(const struct options *options, char why[SINK_WHY_SIZE])
{
    rd_kafka_conf_t *conf = kafka_config_make(options, why);
    rd_kafka_t *producer;
    char text[256];

    if (conf == NULL) {
        return -1;
    }
    producer = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof(text));
    if (producer == NULL) {
        rd_kafka_conf_destroy(conf); /* a producer would own it */
        snprintf(why, SINK_WHY_SIZE, "kafka.*: %s", text);
        return -1;
    }
    rd_kafka_destroy(producer);
    return 0;
}
